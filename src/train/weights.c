/* weights.c: see weights.h. */
#include "train/weights.h"

#include "graph/node.h"
#include "model/map/map.h"

#include <stdlib.h>
#include <string.h>

static limn_wanted wanted(const limn_node *node)
{
    return (limn_wanted){.name = node->name, .shape = node->shape, .init = &node->init};
}

limn_status limn_weights_new(limn_ctx *ctx, limn_graph *g, uint64_t seed, limn_weights *w)
{
    *w = (limn_weights){.n = g->n_parameters, .node = g->parameters};
    w->begin = calloc((size_t)w->n + 1, sizeof *w->begin);
    for (int i = 0; w->begin && i < w->n; i++) {
        w->begin[i] = w->count;
        w->count += ((size_t)limn_node_count(w->node[i]) + 15) / 16 * 16;
    }
    w->value = w->begin ? limn_alloc_aligned(w->count * sizeof *w->value) : NULL;
    if (!w->value) {
        limn_weights_free(w);
        return limn_fail_memory(ctx, w->count * sizeof(float), "weights");
    }
    memset(w->value, 0, w->count * sizeof *w->value);
    for (int i = 0; i < w->n; i++) {
        limn_wanted each = wanted(w->node[i]);
        limn_init_fill(&each, seed, w->value + w->begin[i]);
    }
    return LIMN_OK;
}

/* Number of the parameter of that name; w->n: there is none. */
static int named(const limn_weights *w, const char *name)
{
    int p = 0;
    while (p < w->n && strcmp(w->node[p]->name, name) != 0) p++;
    return p;
}

limn_status limn_weights_follow(limn_ctx *ctx, const limn_weights *w, const limn_graph *g, const float *values)
{
    const limn_running *running;
    int n = limn_graph_running(g, &running);
    for (int i = 0; i < n; i++) {
        int p = named(w, running[i].parameter->name);
        if (p == w->n)
            return limn_fail(ctx, LIMN_BAD_ARGUMENT, "the weights have no parameter %s, whose running statistics change",
                             running[i].parameter->name);
        float *to = w->value + w->begin[p], share = (float)running[i].momentum;
        for (int64_t k = 0; k < limn_node_count(running[i].parameter); k++) to[k] += share * (*values++ - to[k]);
    }
    return LIMN_OK;
}

void limn_weights_free(limn_weights *w)
{
    free(w->begin);
    limn_free_aligned(w->value);
    w->begin = NULL;
    w->value = NULL;
}

limn_status limn_weights_load(limn_ctx *ctx, const limn_weights *w, const char *file, const limn_weight_file *st,
                              const char *prefix, float *data)
{
    limn_source *source;
    limn_status status =
        *prefix ? limn_source_file(ctx, file, st, prefix, &source) : limn_map_source(ctx, file, st, &source);
    if (status != LIMN_OK) return status;
    for (int i = 0; i < w->n && status == LIMN_OK; i++) {
        limn_wanted each = wanted(w->node[i]);
        status = limn_source_read(ctx, source, &each, LIMN_F32, data + w->begin[i]);
    }
    limn_source_free(source);
    return status;
}

/* ---- the flat array as a source --------------------------------------------------------------------------------------- */

typedef struct flat_source {
    limn_source base;
    const limn_weights *w;
    float *const *data;
} flat_source;

static limn_status flat_find(limn_ctx *ctx, const limn_source *base, const limn_wanted *want, limn_found *out)
{
    const flat_source *s = (const flat_source *)base;
    *out = (limn_found){.dtype = LIMN_F32};
    for (int i = 0; i < s->w->n; i++) {
        if (strcmp(s->w->node[i]->name, want->name) != 0 || !limn_shape_equal(&s->w->node[i]->shape, &want->shape)) continue;
        out->data = *s->data ? *s->data + s->w->begin[i] : NULL;
        return LIMN_OK;
    }
    return s->w->n == 0
               ? LIMN_OK
               : limn_fail(ctx, LIMN_BAD_ARGUMENT, "no parameter \"%s\" of this shape is being trained", want->name);
}

static limn_status flat_read(limn_ctx *ctx, const limn_source *base, const limn_wanted *want, limn_dtype dtype,
                             void *to)
{
    limn_found found;
    limn_status status = flat_find(ctx, base, want, &found);
    if (status == LIMN_OK && !found.data)
        status = limn_fail(ctx, LIMN_BAD_ARGUMENT, "parameter \"%s\" has no value yet", want->name);
    if (status == LIMN_OK) limn_convert(found.data, found.dtype, to, dtype, (size_t)limn_shape_count(&want->shape));
    return status;
}

static void flat_free(limn_source *base)
{
    free(base);
}

limn_status limn_weights_source(limn_ctx *ctx, const limn_weights *w, float *const *data, limn_source **out)
{
    flat_source *s = calloc(1, sizeof *s);
    *out = NULL;
    if (!s) return limn_fail_memory(ctx, sizeof *s, "a source of weights");
    *s = (flat_source){.base = {flat_find, flat_read, flat_free}, .w = w, .data = data};
    *out = &s->base;
    return LIMN_OK;
}
