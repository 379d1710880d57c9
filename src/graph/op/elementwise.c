/* elementwise.c: y_i depends on the i-th elements of the sources only; two operands broadcast. */
#include "graph/op/rows.h"

#include <math.h>

static const char *shape_binary(limn_node *node, char *text, size_t text_bytes)
{
    if (limn_broadcast(&node->src[0]->shape, &node->src[1]->shape, &node->shape)) return NULL;
    char a[128], b[128];
    snprintf(text, text_bytes, "shapes %s and %s do not broadcast", limn_shape_text(&node->src[0]->shape, a),
             limn_shape_text(&node->src[1]->shape, b));
    return text;
}

static void grad_add(limn_node *node, limn_node *dy, const bool *want, limn_node **dsrc)
{
    for (int i = 0; i < 2; i++)
        if (want[i]) dsrc[i] = limn_reduce_like(dy, node->src[i]);
}

static void grad_sub(limn_node *node, limn_node *dy, const bool *want, limn_node **dsrc)
{
    if (want[0]) dsrc[0] = limn_reduce_like(dy, node->src[0]);
    if (want[1]) dsrc[1] = limn_affine(limn_reduce_like(dy, node->src[1]), -1, 0);
}

static void grad_mul(limn_node *node, limn_node *dy, const bool *want, limn_node **dsrc)
{
    for (int i = 0; i < 2; i++)
        if (want[i]) dsrc[i] = limn_reduce_like(limn_mul(dy, node->src[1 - i]), node->src[i]);
}

/* y = a / b:  da = dy / b,  db = -dy y / b */
static void grad_div(limn_node *node, limn_node *dy, const bool *want, limn_node **dsrc)
{
    limn_node *da = limn_div(dy, node->src[1]);
    if (want[0]) dsrc[0] = limn_reduce_like(da, node->src[0]);
    if (want[1]) dsrc[1] = limn_affine(limn_reduce_like(limn_mul(da, node), node->src[1]), -1, 0);
}

static void grad_affine(limn_node *node, limn_node *dy, const bool *want, limn_node **dsrc)
{
    (void)want;
    dsrc[0] = limn_affine(dy, node->attr.scale, 0);
}

/* relu(x) > 0 where x > 0: its gradient needs the result only, so that x need not be kept and the layer in front may hold
 * the activation. */
static void grad_activate(limn_node *node, limn_node *dy, const bool *want, limn_node **dsrc)
{
    (void)want;
    dsrc[0] = limn_node_2(LIMN_OP_ACTIVATE_GRAD, node->attr.activation == LIMN_RELU ? node : node->src[0], dy, &node->attr);
}

static void grad_exp(limn_node *node, limn_node *dy, const bool *want, limn_node **dsrc)
{
    (void)want;
    dsrc[0] = limn_mul(dy, node);
}

static void grad_log(limn_node *node, limn_node *dy, const bool *want, limn_node **dsrc)
{
    (void)want;
    dsrc[0] = limn_div(dy, node->src[0]);
}

static void grad_sqrt(limn_node *node, limn_node *dy, const bool *want, limn_node **dsrc)
{
    (void)want;
    dsrc[0] = limn_affine(limn_div(dy, node), 0.5, 0);
}

static void grad_square(limn_node *node, limn_node *dy, const bool *want, limn_node **dsrc)
{
    (void)want;
    dsrc[0] = limn_affine(limn_mul(dy, node->src[0]), 2, 0);
}

static void grad_clamp(limn_node *node, limn_node *dy, const bool *want, limn_node **dsrc)
{
    (void)want;
    dsrc[0] = limn_node_2(LIMN_OP_CLAMP_GRAD, node->src[0], dy, &node->attr);
}

static const char *shape_chain(limn_node *node, char *text, size_t text_bytes)
{
    (void)text, (void)text_bytes;
    node->shape = node->attr.shape;
    return NULL;
}

static double flops_chain(const limn_node *node)
{
    return (double)node->attr.chain->n * (double)limn_node_count(node);
}

static double size_affine(const limn_node_values *n, int64_t i)
{
    return fabs(n->node->attr.scale) * fabs(n->src[0][i]) + fabs(n->node->attr.shift);
}

/* What is rounded on the way; beyond 8 an activation is 0, 1 or x. */
static double size_activate(const limn_node_values *n, int64_t i)
{
    return fmax(fabs(n->y[i]), fmin(fabs(n->src[0][i]), 8));
}

static double size_activate_grad(const limn_node_values *n, int64_t i)
{
    return fmax(fabs(n->y[i]), fabs(n->src[1][i]) * fmax(1, fmin(fabs(n->src[0][i]), 8)));
}

/* Steps before the last one may be as large as their operands' product. */
static double size_chain(const limn_node_values *n)
{
    double size = 1;
    for (int s = 0; s < n->node->n_src; s++) size *= 1 + limn_rms_of(n, s);
    return size;
}

const limn_op_row limn_rows_elementwise[LIMN_N_OPS] = {
    [LIMN_OP_ADD] = {.name = "add", .shape = shape_binary, .grad = grad_add, .elementwise = true},
    [LIMN_OP_SUB] = {.name = "sub", .shape = shape_binary, .grad = grad_sub, .elementwise = true},
    [LIMN_OP_MUL] = {.name = "mul", .shape = shape_binary, .grad = grad_mul, .elementwise = true},
    [LIMN_OP_DIV] = {.name = "div",
                     .shape = shape_binary,
                     .grad = grad_div,
                     .elementwise = true,
                     .domain = {[1] = LIMN_NOT_ZERO}},
    [LIMN_OP_AFFINE] = {.name = "affine",
                        .shape = limn_shape_first,
                        .grad = grad_affine,
                        .elementwise = true,
                        .size_at = size_affine},
    [LIMN_OP_ACTIVATE] = {.name = "activate",
                          .shape = limn_shape_first,
                          .grad = grad_activate,
                          .elementwise = true,
                          .size_at = size_activate},
    [LIMN_OP_ACTIVATE_GRAD] = {.name = "activate_grad",
                               .shape = limn_shape_same,
                               .elementwise = true,
                               .size_at = size_activate_grad},
    [LIMN_OP_EXP] = {.name = "exp", .shape = limn_shape_first, .grad = grad_exp, .elementwise = true},
    [LIMN_OP_LOG] = {.name = "log",
                     .shape = limn_shape_first,
                     .grad = grad_log,
                     .elementwise = true,
                     .domain = {LIMN_POSITIVE}},
    [LIMN_OP_SQRT] = {.name = "sqrt",
                      .shape = limn_shape_first,
                      .grad = grad_sqrt,
                      .elementwise = true,
                      .domain = {LIMN_POSITIVE}},
    [LIMN_OP_SQUARE] = {.name = "square", .shape = limn_shape_first, .grad = grad_square, .elementwise = true},
    [LIMN_OP_CLAMP] = {.name = "clamp", .shape = limn_shape_first, .grad = grad_clamp, .elementwise = true},
    [LIMN_OP_CLAMP_GRAD] = {.name = "clamp_grad", .shape = limn_shape_same, .elementwise = true},
    [LIMN_OP_CHAIN] = {.name = "chain",
                       .shape = shape_chain,
                       .flops = flops_chain,
                       .size = size_chain,
                       .no_vectors = "runs the formulas of elementwise ops that have numbers, one after the other"},
};
