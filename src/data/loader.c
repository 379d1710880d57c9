/* loader.c: a ring of samples.  Sample k lies in slot k % n_slots; workers claim samples in order, the caller takes them in
 * order, and a worker may be at most n_slots ahead of the caller. */
#include "data/loader.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LOADER_THREADS = 64, MAX_RING_BYTES = 512 << 20, STACK_BYTES = 1 << 20, ALIGNED = 64 };

typedef struct slot {
    bool ready;
    limn_status status;
    int64_t shown;
    void *part[LIMN_SAMPLE_PARTS];
    char error[LIMN_ERROR_BYTES];
} slot;

struct limn_loader {
    limn_ctx *ctx;
    limn_samples_of samples;
    limn_loader_options o;
    pthread_mutex_t lock;     /* of claimed, taken, stop, slots' ready and the order */
    pthread_cond_t room, filled;
    limn_shuffle order;
    uint64_t taken, claimed;  /* samples, by the caller and by workers */
    int64_t *shown;           /* [batch] */
    bool stop;
    slot *slots;
    size_t n_slots;
    unsigned char *bytes;     /* of the slots */
    pthread_t threads[MAX_LOADER_THREADS];
    int n_threads;
};

static uint64_t position_of(const limn_loader *l, uint64_t k)
{
    return l->o.first + (l->o.run ? k / l->o.run * l->o.stride + k % l->o.run : k);
}

/* With a ctx that may be missing. */
static limn_status make(limn_loader *l, limn_ctx *own, uint64_t position, int64_t i, void *const part[], int64_t *shown)
{
    return own ? l->samples.make(own, l->samples.from, l->o.seed, position, i, part, shown) : LIMN_NO_MEMORY;
}

static const char *why(const limn_ctx *own)
{
    return own ? own->error : "out of memory in a loader thread";
}

/* ---- ahead ------------------------------------------------------------------------------------------------------------ */

static bool claim(limn_loader *l, uint64_t *k, int64_t *picture)
{
    pthread_mutex_lock(&l->lock);
    while (!l->stop && l->claimed >= l->taken + l->n_slots) pthread_cond_wait(&l->room, &l->lock);
    bool go = !l->stop;
    if (go) {
        *k = l->claimed++;
        *picture = limn_shuffle_at(&l->order, position_of(l, *k));
    }
    pthread_mutex_unlock(&l->lock);
    return go;
}

static void *work(void *user)
{
    limn_loader *l = user;
    limn_ctx *own = limn_ctx_new();
    uint64_t k;
    int64_t picture;
    while (claim(l, &k, &picture)) {
        slot *s = &l->slots[k % l->n_slots];
        s->status = make(l, own, position_of(l, k), picture, s->part, &s->shown);
        if (s->status != LIMN_OK) snprintf(s->error, sizeof s->error, "%s", why(own));
        pthread_mutex_lock(&l->lock);
        s->ready = true;
        pthread_cond_signal(&l->filled);
        pthread_mutex_unlock(&l->lock);
    }
    limn_ctx_free(own);
    return NULL;
}

/* Where sample b of a batch begins. */
static void parts_of(const limn_loader *l, void *const batch[], int b, void *part[LIMN_SAMPLE_PARTS])
{
    for (int p = 0; p < LIMN_SAMPLE_PARTS; p++)
        part[p] = l->samples.bytes[p] ? (unsigned char *)batch[p] + (size_t)b * l->samples.bytes[p] : NULL;
}

static limn_status take(limn_loader *l, void *const part[], int64_t *shown)
{
    slot *s = &l->slots[l->taken % l->n_slots];
    pthread_mutex_lock(&l->lock);
    while (!s->ready) pthread_cond_wait(&l->filled, &l->lock);
    pthread_mutex_unlock(&l->lock);
    if (s->status != LIMN_OK) return limn_fail(l->ctx, s->status, "%s", s->error); /* stays in its slot */
    for (int p = 0; p < LIMN_SAMPLE_PARTS; p++)
        if (part[p]) memcpy(part[p], s->part[p], l->samples.bytes[p]);
    *shown = s->shown;
    pthread_mutex_lock(&l->lock);
    s->ready = false;
    l->taken++;
    pthread_cond_broadcast(&l->room);
    pthread_mutex_unlock(&l->lock);
    return LIMN_OK;
}

/* ---- when asked ------------------------------------------------------------------------------------------------------- */

static limn_status make_now(limn_loader *l, void *const batch[])
{
    int64_t *shown = l->shown;
    limn_status status = LIMN_OK;
    for (int b = 0; b < l->o.batch; b++) shown[b] = limn_shuffle_at(&l->order, position_of(l, l->taken + (uint64_t)b));
#pragma omp parallel num_threads(l->ctx->n_threads)
    {
        limn_ctx *own = limn_ctx_new();
        limn_status mine = LIMN_OK;
#pragma omp for schedule(dynamic, 1)
        for (int b = 0; b < l->o.batch; b++) {
            void *part[LIMN_SAMPLE_PARTS];
            parts_of(l, batch, b, part);
            if (mine == LIMN_OK) mine = make(l, own, position_of(l, l->taken + (uint64_t)b), shown[b], part, &shown[b]);
        }
#pragma omp critical(limn_loader)
        if (mine != LIMN_OK && status == LIMN_OK) status = limn_fail(l->ctx, mine, "%s", why(own));
        limn_ctx_free(own);
    }
    if (status == LIMN_OK) l->taken += (uint64_t)l->o.batch;
    return status;
}

limn_status limn_loader_next(limn_loader *l, void *const batch[])
{
    limn_status status = LIMN_OK;
    if (!l->n_threads) status = make_now(l, batch);
    for (int b = 0; b < l->o.batch && l->n_threads && status == LIMN_OK; b++) {
        void *part[LIMN_SAMPLE_PARTS];
        parts_of(l, batch, b, part);
        status = take(l, part, &l->shown[b]);
    }
    if (l->samples.warn) l->samples.warn(l->ctx, l->samples.from);
    return status;
}

const int64_t *limn_loader_shown(const limn_loader *l)
{
    return l->shown;
}

/* ---- opening ---------------------------------------------------------------------------------------------------------- */

static size_t aligned(size_t bytes)
{
    return (bytes + ALIGNED - 1) / ALIGNED * ALIGNED;
}

/* Two batches, or what MAX_RING_BYTES hold of them, but a sample for every thread. */
static limn_status make_ring(limn_loader *l, int n_threads)
{
    size_t bytes = 0, n = 2 * (size_t)l->o.batch;
    for (int p = 0; p < LIMN_SAMPLE_PARTS; p++) bytes += aligned(l->samples.bytes[p]);
    if (n > MAX_RING_BYTES / bytes) n = MAX_RING_BYTES / bytes;
    if (n < (size_t)n_threads) n = (size_t)n_threads;
    l->n_slots = n;
    l->slots = calloc(n, sizeof *l->slots), l->bytes = limn_alloc_aligned(n * bytes);
    if (!l->slots || !l->bytes) return limn_fail_memory(l->ctx, n * bytes, "samples made ahead");
    unsigned char *at = l->bytes;
    for (size_t i = 0; i < n; i++)
        for (int p = 0; p < LIMN_SAMPLE_PARTS; at += aligned(l->samples.bytes[p++])) l->slots[i].part[p] = at;
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

limn_status limn_loader_new(limn_ctx *ctx, const limn_samples_of *samples, const limn_loader_options *o, limn_loader **out)
{
    *out = NULL;
    limn_loader *l = calloc(1, sizeof *l);
    if (!l) return limn_fail_memory(ctx, sizeof *l, "a loader");
    l->ctx = ctx, l->samples = *samples, l->o = *o;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->room, NULL);
    pthread_cond_init(&l->filled, NULL);
    int n = samples->at_once ? 0 : o->n_threads < MAX_LOADER_THREADS ? o->n_threads : MAX_LOADER_THREADS;
    l->shown = calloc((size_t)o->batch, sizeof *l->shown);
    limn_status status = l->shown ? limn_shuffle_new(ctx, samples->order, samples->n, o->seed, &l->order)
                                  : limn_fail_memory(ctx, (size_t)o->batch * sizeof *l->shown, "a batch");
    if (status == LIMN_OK && n) status = make_ring(l, n);
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
    limn_shuffle_free(&l->order);
    limn_free_aligned(l->bytes);
    free(l->slots);
    free(l->shown);
    free(l);
}
