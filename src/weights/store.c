/* store.c: see store.h. */
#include "weights/store.h"

#include "base/base.h"

#include <pthread.h>
#include <stdlib.h>

typedef struct value {
    limn_store_key key;
    void *data;
} value;

/* Values lie in blocks, each of a size that was asked for at once. */
typedef struct block {
    struct block *before;
    unsigned char *data;
    size_t used, bytes;
    int first; /* value */
} block;

struct limn_store {
    pthread_mutex_t held;
    void *(*allocate)(size_t bytes);
    void (*release)(void *memory);
    value *values;
    int n, capacity;
    block *last;
    size_t bytes;
};

limn_status limn_store_new(limn_ctx *ctx, void *(*allocate)(size_t bytes), void (*release)(void *memory), limn_store **out)
{
    limn_store *s = *out = calloc(1, sizeof *s);
    if (!s) return limn_fail_memory(ctx, sizeof *s, "a store of weights");
    s->allocate = allocate, s->release = release;
    pthread_mutex_init(&s->held, NULL);
    return LIMN_OK;
}

void limn_store_free(limn_store *s)
{
    if (!s) return;
    limn_store_cut(s, 0);
    pthread_mutex_destroy(&s->held);
    free(s->values);
    free(s);
}

void limn_store_lock(limn_store *s)
{
    pthread_mutex_lock(&s->held);
}

void limn_store_unlock(limn_store *s)
{
    pthread_mutex_unlock(&s->held);
}

static bool same_key(const limn_store_key *a, const limn_store_key *b)
{
    return a->what == b->what && a->how == b->how && a->dtype == b->dtype && a->bytes == b->bytes;
}

void *limn_store_find(const limn_store *s, const limn_store_key *key)
{
    for (int i = 0; i < s->n; i++)
        if (same_key(&s->values[i].key, key)) return s->values[i].data;
    return NULL;
}

size_t limn_store_padded(size_t bytes)
{
    return (bytes + LIMN_ALIGN - 1) / LIMN_ALIGN * LIMN_ALIGN;
}

bool limn_store_reserve(limn_store *s, size_t bytes)
{
    block *b = malloc(sizeof *b);
    if (b) *b = (block){.before = s->last, .data = s->allocate(bytes), .bytes = bytes, .first = s->n};
    if (!b || !b->data) {
        free(b);
        return false;
    }
    s->last = b;
    return true;
}

void *limn_store_add(limn_store *s, const limn_store_key *key)
{
    size_t bytes = limn_store_padded(key->bytes);
    if (s->n == s->capacity) {
        int capacity = s->capacity ? 2 * s->capacity : 64;
        value *more = realloc(s->values, (size_t)capacity * sizeof *more);
        if (!more) return NULL;
        s->values = more, s->capacity = capacity;
    }
    if ((!s->last || s->last->bytes - s->last->used < bytes) && !limn_store_reserve(s, bytes)) return NULL;
    void *data = s->last->data + s->last->used;
    s->last->used += bytes;
    s->values[s->n++] = (value){*key, data};
    s->bytes += key->bytes;
    return data;
}

int limn_store_count(const limn_store *s)
{
    return s->n;
}

static void release_empty(limn_store *s)
{
    while (s->last && s->last->first == s->n) {
        block *b = s->last;
        s->last = b->before;
        s->release(b->data);
        free(b);
    }
}

void limn_store_cut(limn_store *s, int n)
{
    while (s->n > n) {
        s->n--;
        s->bytes -= s->values[s->n].key.bytes;
        s->last->used -= limn_store_padded(s->values[s->n].key.bytes);
        release_empty(s);
    }
    release_empty(s);
}

void limn_store_clear(limn_store *s)
{
    limn_store_lock(s);
    limn_store_cut(s, 0);
    limn_store_unlock(s);
}

size_t limn_store_bytes(limn_store *s)
{
    limn_store_lock(s);
    size_t bytes = s->bytes;
    limn_store_unlock(s);
    return bytes;
}
