/* norm.c: n(x) = (x - mean) rstd (layer norm) or x rstd (RMS norm) over the last axis;  y = n(x) (c + w) + b. */
#include "backend/ref/ref.h"

#include <math.h>

typedef struct row_stats {
    double mean, rstd;
} row_stats;

static bool is_layer(limn_op op)
{
    return op == LIMN_OP_LAYER_NORM || op == LIMN_OP_LAYER_NORM_GRAD || op == LIMN_OP_LAYER_NORM_GRAD_WEIGHT;
}

static row_stats stats(const limn_call *c, int64_t row, int64_t d)
{
    double mean = 0, square = 0;
    for (int64_t i = 0; is_layer(c->op) && i < d; i++) mean += limn_get(&c->src[0], row * d + i) / (double)d;
    for (int64_t i = 0; i < d; i++) {
        double x = limn_get(&c->src[0], row * d + i) - mean;
        square += x * x / (double)d;
    }
    return (row_stats){mean, 1 / sqrt(square + c->attr->eps)};
}

/* c + w: RMS norm has c = 0; without weights the factor is 1 */
static double factor(const limn_call *c, const limn_view *w, int64_t at)
{
    if (!w) return 1;
    return (is_layer(c->op) ? c->attr->shift : 0) + limn_get(w, limn_ref_broadcast_index(at, &c->src[0].shape, &w->shape));
}

static limn_status norm(const limn_call *c)
{
    int64_t d = limn_shape_cols(&c->dst.shape), rows = limn_shape_rows(&c->dst.shape);
    const limn_view *w = c->attr->flags & LIMN_HAS_WEIGHT ? &c->src[1] : NULL, *b = w && is_layer(c->op) ? &c->src[2] : NULL;
    for (int64_t r = 0; r < rows; r++) {
        row_stats s = stats(c, r, d);
        for (int64_t at = r * d; at < (r + 1) * d; at++) {
            double n = (limn_get(&c->src[0], at) - s.mean) * s.rstd;
            limn_put(&c->dst, at,
                     n * factor(c, w, at) + (b ? limn_get(b, limn_ref_broadcast_index(at, &c->dst.shape, &b->shape)) : 0));
        }
    }
    return LIMN_OK;
}

/* g = dy (c + w);  dx = rstd (g - mean(g) - n mean(g n)); RMS norm without the middle term */
static limn_status norm_grad(const limn_call *c)
{
    int64_t d = limn_shape_cols(&c->dst.shape), rows = limn_shape_rows(&c->dst.shape);
    const limn_view *w = c->attr->flags & LIMN_HAS_WEIGHT ? &c->src[2] : NULL;
    for (int64_t r = 0; r < rows; r++) {
        row_stats s = stats(c, r, d);
        double mean_g = 0, mean_gn = 0;
        for (int64_t at = r * d; at < (r + 1) * d; at++) {
            double g = limn_get(&c->src[1], at) * factor(c, w, at), n = (limn_get(&c->src[0], at) - s.mean) * s.rstd;
            if (is_layer(c->op)) mean_g += g / (double)d;
            mean_gn += g * n / (double)d;
        }
        for (int64_t at = r * d; at < (r + 1) * d; at++) {
            double g = limn_get(&c->src[1], at) * factor(c, w, at), n = (limn_get(&c->src[0], at) - s.mean) * s.rstd;
            limn_put(&c->dst, at, s.rstd * (g - mean_g - n * mean_gn));
        }
    }
    return LIMN_OK;
}

/* dw[j] = sum of dy n(x) over all elements that use w[j] */
static limn_status norm_grad_weight(const limn_call *c)
{
    int64_t d = limn_shape_cols(&c->src[0].shape), rows = limn_shape_rows(&c->src[0].shape),
            m = limn_shape_count(&c->dst.shape);
    for (int64_t j = 0; j < m; j++) {
        double sum = 0;
        int64_t cols = limn_shape_cols(&c->dst.shape), first = cols == d ? j % d : 0, last = cols == d ? first : d - 1;
        for (int64_t r = 0; r < rows; r++) {
            if (limn_ref_broadcast_index(r * d + first, &c->src[0].shape, &c->dst.shape) != j) continue;
            row_stats s = stats(c, r, d);
            for (int64_t at = r * d + first; at <= r * d + last; at++)
                sum += limn_get(&c->src[1], at) * (limn_get(&c->src[0], at) - s.mean) * s.rstd;
        }
        limn_put(&c->dst, j, sum);
    }
    return LIMN_OK;
}

const limn_kernel limn_ref_norm[LIMN_N_OPS] = {
    [LIMN_OP_LAYER_NORM] = REF(norm),
    [LIMN_OP_LAYER_NORM_GRAD] = REF(norm_grad),
    [LIMN_OP_LAYER_NORM_GRAD_WEIGHT] = REF(norm_grad_weight),
    [LIMN_OP_RMS_NORM] = REF(norm),
    [LIMN_OP_RMS_NORM_GRAD] = REF(norm_grad),
    [LIMN_OP_RMS_NORM_GRAD_WEIGHT] = REF(norm_grad_weight),
};
