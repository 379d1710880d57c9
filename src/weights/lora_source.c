/* lora_source.c: a source around another one, whose tensors are changed while they are read. */
#include "base/base.h"
#include "weights/lora.h"

#include <stdlib.h>

typedef struct changed_source {
    limn_source base;
    limn_source *inner;
    limn_lora_network network;
    const limn_lora_stack *stack;
} changed_source;

/* @return whether any of the stack changes the parameter */
static bool changes(const changed_source *s, const limn_wanted *w)
{
    char flat[LIMN_LORA_NAME];
    bool bias;
    if (!s->stack->n || !limn_lora_flat(w->name, flat, &bias)) return false;
    for (int i = 0; i < s->stack->n; i++) {
        const limn_lora *lora = s->stack->use[i].lora;
        for (const limn_lora_module *m = limn_lora_find(lora, s->network, flat); m; m = limn_lora_next(lora, m))
            if (!bias || m->part[LIMN_LORA_DIFF_BIAS]) return true;
    }
    return false;
}

/* Changed blocks are no blocks any more. */
static limn_status find(limn_ctx *ctx, const limn_source *base, const limn_wanted *w, limn_found *out)
{
    const changed_source *s = (const changed_source *)base;
    limn_status status = s->inner->find(ctx, s->inner, w, out);
    if (status != LIMN_OK || !changes(s, w)) return status;
    bool wide = out->dtype == LIMN_F32 || out->dtype == LIMN_F64 || out->dtype == LIMN_BF16;
    *out = (limn_found){.dtype = wide ? out->dtype : LIMN_F16};
    return LIMN_OK;
}

static limn_status change(limn_ctx *ctx, const changed_source *s, const limn_wanted *w, float *x)
{
    char flat[LIMN_LORA_NAME];
    bool bias;
    limn_status status = LIMN_OK;
    if (!limn_lora_flat(w->name, flat, &bias)) return LIMN_OK;
    for (int i = 0; i < s->stack->n && status == LIMN_OK; i++) {
        const struct limn_lora_use *use = &s->stack->use[i];
        const limn_lora_module *m = limn_lora_find(use->lora, s->network, flat);
        double weight = s->network == LIMN_LORA_DENOISER ? use->denoiser : use->text;
        for (; m && weight != 0 && status == LIMN_OK; m = limn_lora_next(use->lora, m))
            status = limn_lora_apply(ctx, use->lora, m, weight, w, bias, x);
    }
    return status;
}

static limn_status read(limn_ctx *ctx, const limn_source *base, const limn_wanted *w, limn_dtype dtype, void *to)
{
    const changed_source *s = (const changed_source *)base;
    if (!changes(s, w)) return limn_source_read(ctx, s->inner, w, dtype, to);
    size_t n = (size_t)limn_shape_count(&w->shape);
    float *x = dtype == LIMN_F32 ? to : limn_alloc_aligned(n * sizeof *x);
    if (!x) return limn_fail_memory(ctx, n * sizeof *x, w->name);
    limn_status status = limn_source_read(ctx, s->inner, w, LIMN_F32, x);
    if (status == LIMN_OK) status = change(ctx, s, w, x);
    if (x == to) return status;
    if (status == LIMN_OK) limn_convert(x, LIMN_F32, to, dtype, n);
    limn_free_aligned(x);
    return status;
}

static void free_source(limn_source *base)
{
    changed_source *s = (changed_source *)base;
    limn_source_free(s->inner);
    free(s);
}

limn_status limn_lora_source(limn_ctx *ctx, limn_source *base, limn_lora_network network, const limn_lora_stack *stack,
                             limn_source **out)
{
    changed_source *s = calloc(1, sizeof *s);
    *out = NULL;
    if (!s) {
        limn_source_free(base);
        return limn_fail_memory(ctx, sizeof *s, "a source of weights");
    }
    *s = (changed_source){.base = {find, read, free_source}, .inner = base, .network = network, .stack = stack};
    *out = &s->base;
    return LIMN_OK;
}
