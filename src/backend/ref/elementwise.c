/* elementwise.c: y_i = f(a_i, b_i), and chains of them. */
#include "backend/ref/ref.h"

#include <math.h>

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

/* Hendrycks & Gimpel 2016: gelu(x) = x Phi(x); tanh form; "quick" form x sigmoid(1.702 x) */
double limn_ref_activation(limn_activation activation, double x)
{
    switch (activation) {
    case LIMN_RELU: return x < 0 ? 0 : x; /* NaN is not hidden */
    case LIMN_SILU: return x * sigmoid(x);
    case LIMN_GELU_TANH: return 0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
    case LIMN_GELU_ERF: return 0.5 * x * (1 + erf(x * 0.7071067811865476));
    case LIMN_GELU_QUICK: return x * sigmoid(1.702 * x);
    case LIMN_TANH: return tanh(x);
    default: return x;
    }
}

double limn_ref_activation_slope(limn_activation activation, double x)
{
    switch (activation) {
    case LIMN_RELU: return x > 0;
    case LIMN_SILU: return sigmoid(x) * (1 + x * (1 - sigmoid(x)));
    case LIMN_GELU_TANH: {
        double t = tanh(0.7978845608028654 * (x + 0.044715 * x * x * x));
        return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * 0.7978845608028654 * (1 + 3 * 0.044715 * x * x);
    }
    case LIMN_GELU_ERF: return 0.5 * (1 + erf(x * 0.7071067811865476)) + x * 0.3989422804014327 * exp(-0.5 * x * x);
    case LIMN_GELU_QUICK: {
        double s = sigmoid(1.702 * x);
        return s * (1 + 1.702 * x * (1 - s));
    }
    case LIMN_TANH: return 1 - tanh(x) * tanh(x);
    default: return 1;
    }
}

static double apply(limn_op op, limn_activation activation, double scale, double shift, double a, double b)
{
    switch (op) {
    case LIMN_OP_ADD: return a + b;
    case LIMN_OP_SUB: return a - b;
    case LIMN_OP_MUL: return a * b;
    case LIMN_OP_DIV: return a / b;
    case LIMN_OP_AFFINE: return scale * a + shift;
    case LIMN_OP_ACTIVATE: return limn_ref_activation(activation, a);
    case LIMN_OP_ACTIVATE_GRAD: return b * limn_ref_activation_slope(activation, a);
    case LIMN_OP_EXP: return exp(a);
    case LIMN_OP_LOG: return log(a);
    case LIMN_OP_SQRT: return sqrt(a);
    case LIMN_OP_SQUARE: return a * a;
    case LIMN_OP_CLAMP: return a < scale ? scale : a > shift ? shift : a;
    case LIMN_OP_CLAMP_GRAD: return a < scale || a > shift ? 0 : b;
    default: return a; /* CAST */
    }
}

static limn_status elementwise(const limn_call *c)
{
    struct limn_chain_step single = {.op = c->op,
                                     .a = 0,
                                     .b = c->n_src > 1 ? 1 : -1,
                                     .scale = c->attr->scale,
                                     .shift = c->attr->shift,
                                     .activation = c->attr->activation};
    const struct limn_chain_step *step = c->op == LIMN_OP_CHAIN ? c->attr->chain->step : &single;
    int n_steps = c->op == LIMN_OP_CHAIN ? c->attr->chain->n : 1;
    int64_t n = limn_shape_count(&c->dst.shape);
    for (int64_t i = 0; i < n; i++) {
        double r[LIMN_MAX_SRC + LIMN_MAX_CHAIN];
        for (int s = 0; s < c->n_src; s++)
            r[s] = limn_get(&c->src[s], limn_ref_broadcast_index(i, &c->dst.shape, &c->src[s].shape));
        for (int k = 0; k < n_steps; k++)
            r[c->n_src + k] = apply(step[k].op, step[k].activation, step[k].scale, step[k].shift, r[step[k].a],
                                    step[k].b < 0 ? 0 : r[step[k].b]);
        limn_put(&c->dst, i, r[c->n_src + n_steps - 1]);
    }
    return LIMN_OK;
}

const limn_kernel limn_ref_elementwise[LIMN_N_OPS] = {
    [LIMN_OP_CAST] = REF(elementwise),
    [LIMN_OP_ADD] = REF(elementwise),
    [LIMN_OP_SUB] = REF(elementwise),
    [LIMN_OP_MUL] = REF(elementwise),
    [LIMN_OP_DIV] = REF(elementwise),
    [LIMN_OP_AFFINE] = REF(elementwise),
    [LIMN_OP_ACTIVATE] = REF(elementwise),
    [LIMN_OP_ACTIVATE_GRAD] = REF(elementwise),
    [LIMN_OP_EXP] = REF(elementwise),
    [LIMN_OP_LOG] = REF(elementwise),
    [LIMN_OP_SQRT] = REF(elementwise),
    [LIMN_OP_SQUARE] = REF(elementwise),
    [LIMN_OP_CLAMP] = REF(elementwise),
    [LIMN_OP_CLAMP_GRAD] = REF(elementwise),
    [LIMN_OP_CHAIN] = REF(elementwise),
};
