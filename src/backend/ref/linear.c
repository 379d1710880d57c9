/* linear.c: y = residual + gate act(x W^T + b) and its two products backwards.   x [M,K]  W [N,K]  y [M,N] */
#include "backend/ref/ref.h"

static limn_status linear(const limn_call *c)
{
    int64_t k = c->src[1].shape.dim[1], n = c->src[1].shape.dim[0], m = limn_shape_rows(&c->dst.shape);
    unsigned flags = c->attr->flags;
    int at = 2;
    const limn_view *bias = flags & LIMN_HAS_BIAS ? &c->src[at++] : NULL,
                    *gate = flags & LIMN_HAS_GATE ? &c->src[at++] : NULL;
    const limn_view *residual = flags & LIMN_HAS_RESIDUAL ? &c->src[at] : NULL;
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double y = bias ? limn_get(bias, j) : 0;
            for (int64_t q = 0; q < k; q++) y += limn_get(&c->src[0], i * k + q) * limn_get(&c->src[1], j * k + q);
            y = limn_ref_activation(c->attr->activation, y);
            if (gate) y *= limn_get(gate, limn_ref_broadcast_index(i * n + j, &c->dst.shape, &gate->shape));
            if (residual) y += limn_get(residual, i * n + j);
            limn_put(&c->dst, i * n + j, y);
        }
    return LIMN_OK;
}

/* dx [M,K] = dy [M,N] W [N,K] */
static limn_status linear_grad_input(const limn_call *c)
{
    int64_t k = c->src[1].shape.dim[1], n = c->src[1].shape.dim[0], m = limn_shape_rows(&c->dst.shape);
    for (int64_t i = 0; i < m; i++)
        for (int64_t q = 0; q < k; q++) {
            double sum = 0;
            for (int64_t j = 0; j < n; j++) sum += limn_get(&c->src[0], i * n + j) * limn_get(&c->src[1], j * k + q);
            limn_put(&c->dst, i * k + q, sum);
        }
    return LIMN_OK;
}

/* dW [N,K] = dy^T [N,M] x [M,K] */
static limn_status linear_grad_weight(const limn_call *c)
{
    int64_t k = c->dst.shape.dim[1], n = c->dst.shape.dim[0], m = limn_shape_rows(&c->src[0].shape);
    for (int64_t j = 0; j < n; j++)
        for (int64_t q = 0; q < k; q++) {
            double sum = 0;
            for (int64_t i = 0; i < m; i++) sum += limn_get(&c->src[1], i * n + j) * limn_get(&c->src[0], i * k + q);
            limn_put(&c->dst, j * k + q, sum);
        }
    return LIMN_OK;
}

const limn_kernel limn_ref_linear[LIMN_N_OPS] = {
    [LIMN_OP_LINEAR] = REF(linear),
    [LIMN_OP_LINEAR_GRAD_INPUT] = REF(linear_grad_input),
    [LIMN_OP_LINEAR_GRAD_WEIGHT] = REF(linear_grad_weight),
};
