/* make_source.h: weights that lie in a test's own memory, as a source for stores. */
#ifndef LIMN_TEST_MAKE_SOURCE_H
#define LIMN_TEST_MAKE_SOURCE_H

#include "weights/source.h"

#include <string.h>

enum { MADE_TENSORS = 512 };

typedef struct made_source {
    limn_source base;
    int n, n_reads;
    const char *name[MADE_TENSORS];
    limn_dtype dtype[MADE_TENSORS];
    const void *data[MADE_TENSORS];
} made_source;

static inline int made_index(const made_source *s, const char *name)
{
    for (int i = 0; i < s->n; i++)
        if (strcmp(s->name[i], name) == 0) return i;
    return -1;
}

static inline limn_status made_find(limn_ctx *ctx, const limn_source *base, const limn_wanted *w, limn_found *out)
{
    const made_source *s = (const made_source *)base;
    int i = made_index(s, w->name);
    (void)ctx;
    *out = (limn_found){.dtype = i < 0 ? LIMN_F32 : s->dtype[i]};
    return i < 0 ? LIMN_BAD_FILE : LIMN_OK;
}

static inline limn_status made_read(limn_ctx *ctx, const limn_source *base, const limn_wanted *w,
                                    limn_dtype dtype, void *to)
{
    made_source *s = (made_source *)(uintptr_t)base;
    int i = made_index(s, w->name);
    (void)ctx;
    s->n_reads++;
    limn_convert(s->data[i], s->dtype[i], to, dtype, (size_t)limn_shape_count(&w->shape));
    return LIMN_OK;
}

static inline void made_free(limn_source *base)
{
    (void)base; /* the test's */
}

static inline void made_begin(made_source *s)
{
    *s = (made_source){.base = {made_find, made_read, made_free}};
}

/* Borrowed. */
static inline void made_add(made_source *s, const char *name, limn_dtype dtype, const void *data)
{
    s->name[s->n] = name, s->dtype[s->n] = dtype, s->data[s->n++] = data;
}

#endif
