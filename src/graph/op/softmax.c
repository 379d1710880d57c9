/* softmax.c: softmax over the last axis and the cross entropy of its rows. */
#include "graph/op/rows.h"

static void grad_softmax(limn_node *node, limn_node *dy, const bool *want, limn_node **dsrc)
{
    (void)want;
    dsrc[0] = limn_node_2(LIMN_OP_SOFTMAX_GRAD, node, dy, NULL);
}

static const char *shape_cross_entropy(limn_node *node, char *text, size_t text_bytes)
{
    const limn_shape *logits = &node->src[0]->shape, *target = &node->src[1]->shape;
    if (logits->rank != 2 || node->src[1]->kind != LIMN_INDEX || target->rank != 1 || target->dim[0] != logits->dim[0]) {
        char a[128], b[128];
        snprintf(text, text_bytes, "logits %s need one class index per row, found %s", limn_shape_text(logits, a),
                 limn_shape_text(target, b));
        return text;
    }
    if (node->op == LIMN_OP_CROSS_ENTROPY) node->shape = *target, node->kind = LIMN_WIDE;
    else node->shape = *logits, node->kind = node->src[0]->kind;
    return NULL;
}

static void grad_cross_entropy(limn_node *node, limn_node *dy, const bool *want, limn_node **dsrc)
{
    (void)want;
    dsrc[0] = limn_node_3(LIMN_OP_CROSS_ENTROPY_GRAD, node->src[0], node->src[1], dy, NULL);
}

static double flops_softmax(const limn_node *node)
{
    return 5.0 * (double)limn_node_count(node->src[0]);
}

static double n_classes(const limn_node *node)
{
    return (double)limn_shape_cols(&node->src[0]->shape);
}

/* An exponent is off by roundings of its size. */
static double size_softmax(const limn_node_values *n)
{
    return limn_size_result(n) * (1 + limn_largest_of(n, 0));
}

static double size_entropy(const limn_node_values *n)
{
    return 1 + limn_largest_of(n, 0);
}

const limn_op_row limn_rows_softmax[LIMN_N_OPS] = {
    [LIMN_OP_SOFTMAX] = {.name = "softmax",
                         .shape = limn_shape_first,
                         .grad = grad_softmax,
                         .flops = flops_softmax,
                         .terms = limn_terms_cols,
                         .size = size_softmax},
    [LIMN_OP_SOFTMAX_GRAD] = {.name = "softmax_grad",
                              .shape = limn_shape_same,
                              .flops = flops_softmax,
                              .terms = limn_terms_cols,
                              .size = limn_size_result},
    [LIMN_OP_CROSS_ENTROPY] = {.name = "cross_entropy",
                               .shape = shape_cross_entropy,
                               .grad = grad_cross_entropy,
                               .flops = flops_softmax,
                               .domain = {[1] = LIMN_IDS},
                               .ids = n_classes,
                               .terms = limn_terms_cols,
                               .size = size_entropy},
    [LIMN_OP_CROSS_ENTROPY_GRAD] = {.name = "cross_entropy_grad",
                                    .shape = shape_cross_entropy,
                                    .flops = flops_softmax,
                                    .domain = {[1] = LIMN_IDS},
                                    .ids = n_classes,
                                    .terms = limn_terms_cols,
                                    .size = size_softmax},
};
