/* loader.c: a ring of samples.  Position p lies in slot p % n_slots; workers claim positions in order, the caller takes them
 * in order, and a worker may be at most n_slots ahead of the caller. */
#include "data/loader.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LOADER_THREADS = 64, MAX_RING_BYTES = 512 << 20, STACK_BYTES = 1 << 20 };

typedef struct slot {
    bool ready;
    limn_status status;
    int64_t shown;
    float *pixels;
    char error[LIMN_ERROR_BYTES];
} slot;

struct limn_loader {
    limn_ctx *ctx;
    limn_dataset *data;
    limn_loader_options o;
    size_t floats;            /* of a sample */
    uint64_t taken;           /* next position of the caller */
    pthread_mutex_t lock;     /* of claimed, taken, stop, slots' ready and the order of the data set */
    pthread_cond_t room, filled;
    uint64_t claimed;         /* next position of a worker */
    bool stop;
    slot *slots;
    size_t n_slots;
    float *pixels;
    pthread_t threads[MAX_LOADER_THREADS];
    int n_threads;
};

static bool claim(limn_loader *l, uint64_t *position, int64_t *picture)
{
    pthread_mutex_lock(&l->lock);
    while (!l->stop && l->claimed >= l->taken + l->n_slots) pthread_cond_wait(&l->room, &l->lock);
    bool go = !l->stop;
    if (go) {
        *position = l->claimed++;
        *picture = limn_dataset_index(l->data, l->o.seed, *position);
    }
    pthread_mutex_unlock(&l->lock);
    return go;
}

static void *work(void *user)
{
    limn_loader *l = user;
    limn_ctx *own = limn_ctx_new();
    uint64_t position;
    int64_t picture;
    while (claim(l, &position, &picture)) {
        slot *s = &l->slots[position % l->n_slots];
        s->status = own ? limn_dataset_sample(own, l->data, l->o.seed, position, picture, l->o.flip, s->pixels, &s->shown)
                        : LIMN_NO_MEMORY;
        if (s->status != LIMN_OK)
            snprintf(s->error, sizeof s->error, "%s", own ? own->error : "out of memory in a loader thread");
        pthread_mutex_lock(&l->lock);
        s->ready = true;
        pthread_cond_signal(&l->filled);
        pthread_mutex_unlock(&l->lock);
    }
    limn_ctx_free(own);
    return NULL;
}

static limn_status take(limn_loader *l, float *pixels, int64_t *shown)
{
    slot *s = &l->slots[l->taken % l->n_slots];
    pthread_mutex_lock(&l->lock);
    while (!s->ready) pthread_cond_wait(&l->filled, &l->lock);
    pthread_mutex_unlock(&l->lock);
    if (s->status != LIMN_OK) return limn_fail(l->ctx, s->status, "%s", s->error); /* stays in its slot */
    memcpy(pixels, s->pixels, l->floats * sizeof *pixels);
    *shown = s->shown;
    pthread_mutex_lock(&l->lock);
    s->ready = false;
    l->taken++;
    pthread_cond_broadcast(&l->room);
    pthread_mutex_unlock(&l->lock);
    return LIMN_OK;
}

/* Without threads; pictures in memory cannot fail. */
static limn_status make_now(limn_loader *l, float *pictures, int64_t *shown)
{
    limn_status status = LIMN_OK;
    for (int b = 0; b < l->o.batch; b++) shown[b] = limn_dataset_index(l->data, l->o.seed, l->taken + (uint64_t)b);
    if (limn_dataset_is_kept(l->data)) {
#pragma omp parallel for schedule(static) num_threads(l->ctx->n_threads)
        for (int b = 0; b < l->o.batch; b++)
            limn_dataset_sample(l->ctx, l->data, l->o.seed, l->taken + (uint64_t)b, shown[b], l->o.flip,
                                pictures + (size_t)b * l->floats, &shown[b]);
    } else
        for (int b = 0; b < l->o.batch && status == LIMN_OK; b++)
            status = limn_dataset_sample(l->ctx, l->data, l->o.seed, l->taken + (uint64_t)b, shown[b], l->o.flip,
                                         pictures + (size_t)b * l->floats, &shown[b]);
    if (status == LIMN_OK) l->taken += (uint64_t)l->o.batch;
    return status;
}

limn_status limn_loader_next(limn_loader *l, float *pictures, int64_t *shown)
{
    limn_status status = LIMN_OK;
    if (!l->n_threads) status = make_now(l, pictures, shown);
    for (int b = 0; b < l->o.batch && l->n_threads && status == LIMN_OK; b++)
        status = take(l, pictures + (size_t)b * l->floats, &shown[b]);
    limn_dataset_warn(l->ctx, l->data);
    return status;
}

/* Two batches, or what MAX_RING_BYTES hold of them, but a sample for every thread. */
static limn_status make_ring(limn_loader *l, int n_threads)
{
    size_t bytes = l->floats * sizeof(float), n = 2 * (size_t)l->o.batch;
    if (n > MAX_RING_BYTES / bytes) n = MAX_RING_BYTES / bytes;
    if (n < (size_t)n_threads) n = (size_t)n_threads;
    l->n_slots = n;
    l->slots = calloc(n, sizeof *l->slots), l->pixels = limn_alloc_aligned(n * bytes);
    if (!l->slots || !l->pixels) return limn_fail_memory(l->ctx, n * bytes, "samples decoded ahead");
    for (size_t i = 0; i < n; i++) l->slots[i].pixels = l->pixels + i * l->floats;
    return LIMN_OK;
}

/* Stacks of a size of their own: that of `ulimit -s` may be too small for what decodes pictures. */
static void start_threads(limn_loader *l, int n)
{
    pthread_attr_t attr;
    if (pthread_attr_init(&attr) != 0) return;
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    while (l->n_threads < n && pthread_create(&l->threads[l->n_threads], &attr, work, l) == 0) l->n_threads++;
    pthread_attr_destroy(&attr);
}

limn_status limn_loader_new(limn_ctx *ctx, limn_dataset *data, const limn_loader_options *o, limn_loader **out)
{
    *out = NULL;
    limn_loader *l = calloc(1, sizeof *l);
    if (!l) return limn_fail_memory(ctx, sizeof *l, "a loader");
    l->ctx = ctx, l->data = data, l->o = *o, l->taken = l->claimed = o->first, l->floats = limn_dataset_floats(data);
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->room, NULL);
    pthread_cond_init(&l->filled, NULL);
    int n = limn_dataset_is_kept(data) ? 0 : o->n_threads < MAX_LOADER_THREADS ? o->n_threads : MAX_LOADER_THREADS;
    limn_status status = n ? make_ring(l, n) : LIMN_OK;
    if (status == LIMN_OK) start_threads(l, n);
    if (status == LIMN_OK) *out = l;
    else limn_loader_free(l);
    return status;
}

void limn_loader_free(limn_loader *l)
{
    if (!l) return;
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_broadcast(&l->room);
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < l->n_threads; i++) pthread_join(l->threads[i], NULL);
    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->room);
    pthread_cond_destroy(&l->filled);
    limn_free_aligned(l->pixels);
    free(l->slots);
    free(l);
}
