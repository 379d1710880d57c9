/* linear.c: products with a weight matrix.   x [..., K], W [N, K]  ->  [..., N] */
#include "graph/op/rows.h"

static const char *shape_linear(limn_node *node, char *text, size_t text_bytes)
{
    const limn_shape *x = &node->src[0]->shape, *w = &node->src[1]->shape;
    char a[128], b[128];
    if (x->rank < 1 || w->rank != 2 || limn_shape_cols(x) != w->dim[1]) {
        snprintf(text, text_bytes, "input %s ends in %lld where weight %s takes %lld", limn_shape_text(x, a),
                 (long long)limn_shape_cols(x), limn_shape_text(w, b), (long long)(w->rank == 2 ? w->dim[1] : 0));
        return text;
    }
    node->shape = *x;
    node->shape.dim[x->rank - 1] = w->dim[0];
    if (node->attr.flags & LIMN_HAS_BIAS && limn_node_count(node->src[2]) != w->dim[0]) {
        snprintf(text, text_bytes, "bias %s does not fit weight %s", limn_shape_text(&node->src[2]->shape, a),
                 limn_shape_text(w, b));
        return text;
    }
    return NULL;
}

static limn_node *grad_weight(limn_node *x, limn_node *dy)
{
    return limn_node_2(LIMN_OP_LINEAR_GRAD_WEIGHT, x, dy, NULL);
}

/* Only the plain product (x, W, b) is differentiated: activation, gate and residual join it in the rewrite, afterwards. */
static void grad_linear(limn_node *node, limn_node *dy, const bool *want, limn_node **dsrc)
{
    limn_node *x = node->src[0], *w = node->src[1];
    if (want[0]) dsrc[0] = limn_node_2(LIMN_OP_LINEAR_GRAD_INPUT, dy, w, NULL);
    if (want[1]) dsrc[1] = grad_weight(x, dy);
    if (node->attr.flags & LIMN_HAS_BIAS && want[2]) dsrc[2] = limn_reduce_like(dy, node->src[2]);
}

static const char *shape_grad_input(limn_node *node, char *text, size_t text_bytes)
{
    const limn_shape *dy = &node->src[0]->shape, *w = &node->src[1]->shape;
    if (w->rank != 2 || limn_shape_cols(dy) != w->dim[0]) {
        snprintf(text, text_bytes, "gradient and weight do not fit");
        return text;
    }
    node->shape = *dy;
    node->shape.dim[dy->rank - 1] = w->dim[1];
    return NULL;
}

static const char *shape_grad_weight(limn_node *node, char *text, size_t text_bytes)
{
    const limn_shape *x = &node->src[0]->shape, *dy = &node->src[1]->shape;
    if (limn_shape_rows(x) != limn_shape_rows(dy)) {
        snprintf(text, text_bytes, "input and gradient differ in rows");
        return text;
    }
    node->shape = LIMN_SHAPE(limn_shape_cols(dy), limn_shape_cols(x));
    node->kind = LIMN_WIDE;
    return NULL;
}

static double flops_linear(const limn_node *node)
{
    return 2.0 * (double)limn_node_count(node) * (double)limn_shape_cols(&node->src[0]->shape);
}

static double flops_grad_weight(const limn_node *node)
{
    return 2.0 * (double)limn_node_count(node) * (double)limn_shape_rows(&node->src[0]->shape);
}

static bool is_fused(const limn_node *node)
{
    return node->attr.activation || node->attr.flags & (LIMN_HAS_GATE | LIMN_HAS_RESIDUAL);
}

/* oneDNN stores a product in bf16, then the residual is added. */
static double rounded_before_residual(const limn_node_values *n)
{
    if (!(n->node->attr.flags & LIMN_HAS_RESIDUAL) || n->to != LIMN_BF16) return 0;
    return 0x1p-8 * (limn_largest(n->y, limn_node_count(n->node)) + limn_largest_of(n, n->node->n_src - 1));
}

const limn_op_row limn_rows_linear[LIMN_N_OPS] = {
    [LIMN_OP_LINEAR] = {.name = "linear",
                        .shape = shape_linear,
                        .grad = grad_linear,
                        .flops = flops_linear,
                        .fused = is_fused,
                        .terms = limn_terms_cols,
                        .size = limn_size_product,
                        .rounded = rounded_before_residual,
                        .multiplies = LIMN_BY_WEIGHT},
    [LIMN_OP_LINEAR_GRAD_INPUT] = {.name = "linear_grad_input",
                                   .shape = shape_grad_input,
                                   .flops = flops_linear,
                                   .terms = limn_terms_cols,
                                   .size = limn_size_product,
                                   .multiplies = LIMN_BY_WEIGHT},
    [LIMN_OP_LINEAR_GRAD_WEIGHT] = {.name = "linear_grad_weight",
                                    .shape = shape_grad_weight,
                                    .flops = flops_grad_weight,
                                    .terms = limn_terms_rows,
                                    .size = limn_size_product,
                                    .multiplies = LIMN_BY_VALUES},
};
