/* softmax.c: y = exp(x - max) / sum over the last axis; cross entropy of its rows. */
#include "backend/ref/ref.h"

#include <math.h>

/* log of the sum of exponentials of a row, the maximum taken out first */
static double log_sum_exp(const limn_view *x, int64_t row, int64_t d)
{
    double max = -INFINITY, sum = 0;
    for (int64_t i = 0; i < d; i++) max = fmax(max, limn_get(x, row * d + i));
    for (int64_t i = 0; i < d; i++) sum += exp(limn_get(x, row * d + i) - max);
    return max + log(sum);
}

static limn_status softmax(const limn_call *c)
{
    int64_t d = limn_shape_cols(&c->dst.shape), rows = limn_shape_rows(&c->dst.shape);
    for (int64_t r = 0; r < rows; r++) {
        double lse = log_sum_exp(&c->src[0], r, d);
        for (int64_t i = r * d; i < (r + 1) * d; i++) limn_put(&c->dst, i, exp(limn_get(&c->src[0], i) - lse));
    }
    return LIMN_OK;
}

/* dx = y (dy - sum(dy y)) */
static limn_status softmax_grad(const limn_call *c)
{
    int64_t d = limn_shape_cols(&c->dst.shape), rows = limn_shape_rows(&c->dst.shape);
    for (int64_t r = 0; r < rows; r++) {
        double dot = 0;
        for (int64_t i = r * d; i < (r + 1) * d; i++) dot += limn_get(&c->src[0], i) * limn_get(&c->src[1], i);
        for (int64_t i = r * d; i < (r + 1) * d; i++)
            limn_put(&c->dst, i, limn_get(&c->src[0], i) * (limn_get(&c->src[1], i) - dot));
    }
    return LIMN_OK;
}

static int64_t target_of(const limn_call *c, int64_t row, int64_t d)
{
    int64_t t = (int64_t)limn_get(&c->src[1], row);
    return t < 0 ? 0 : t >= d ? d - 1 : t;
}

static limn_status cross_entropy(const limn_call *c)
{
    int64_t d = limn_shape_cols(&c->src[0].shape), rows = limn_shape_rows(&c->src[0].shape);
    for (int64_t r = 0; r < rows; r++)
        limn_put(&c->dst, r, log_sum_exp(&c->src[0], r, d) - limn_get(&c->src[0], r * d + target_of(c, r, d)));
    return LIMN_OK;
}

/* dlogits = dloss (softmax - onehot) */
static limn_status cross_entropy_grad(const limn_call *c)
{
    int64_t d = limn_shape_cols(&c->dst.shape), rows = limn_shape_rows(&c->dst.shape);
    for (int64_t r = 0; r < rows; r++) {
        double lse = log_sum_exp(&c->src[0], r, d), dloss = limn_get(&c->src[2], r);
        int64_t target = target_of(c, r, d);
        for (int64_t i = 0; i < d; i++)
            limn_put(&c->dst, r * d + i, dloss * (exp(limn_get(&c->src[0], r * d + i) - lse) - (i == target)));
    }
    return LIMN_OK;
}

const limn_kernel limn_ref_softmax[LIMN_N_OPS] = {
    [LIMN_OP_SOFTMAX] = REF(softmax),
    [LIMN_OP_SOFTMAX_GRAD] = REF(softmax_grad),
    [LIMN_OP_CROSS_ENTROPY] = REF(cross_entropy),
    [LIMN_OP_CROSS_ENTROPY_GRAD] = REF(cross_entropy_grad),
};
