/* store.c: see store.h. */
#include "weights/store.h"

#include "base/base.h"

#include <pthread.h>
#include <stdlib.h>

typedef struct value {
    limn_store_key key;
    void *data;
} value;

struct limn_store {
    pthread_mutex_t held;
    void *(*allocate)(size_t bytes);
    void (*release)(void *memory);
    value *values;
    int n, capacity;
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

void *limn_store_add(limn_store *s, const limn_store_key *key)
{
    if (s->n == s->capacity) {
        int capacity = s->capacity ? 2 * s->capacity : 64;
        value *more = realloc(s->values, (size_t)capacity * sizeof *more);
        if (!more) return NULL;
        s->values = more, s->capacity = capacity;
    }
    void *data = s->allocate(key->bytes);
    if (!data) return NULL;
    s->values[s->n++] = (value){*key, data};
    s->bytes += key->bytes;
    return data;
}

int limn_store_count(const limn_store *s)
{
    return s->n;
}

void limn_store_cut(limn_store *s, int n)
{
    while (s->n > n) {
        s->n--;
        s->bytes -= s->values[s->n].key.bytes;
        s->release(s->values[s->n].data);
    }
}

void limn_store_clear(limn_store *s)
{
    limn_store_lock(s);
    limn_store_cut(s, 0);
    limn_store_unlock(s);
}

size_t limn_store_bytes(const limn_store *s)
{
    return s->bytes;
}
