/* norm.c: layer norm and RMS norm over the last axis. */
#include "graph/op/rows.h"

#include <math.h>

static const char *shape_norm(limn_node *node, char *text, size_t text_bytes)
{
    node->shape = node->src[0]->shape;
    if (node->shape.rank < 1) {
        snprintf(text, text_bytes, "the input needs a last axis");
        return text;
    }
    for (int i = 1; i < node->n_src; i++) {
        limn_shape both;
        if (limn_broadcast(&node->shape, &node->src[i]->shape, &both) && limn_shape_equal(&both, &node->shape)) continue;
        char a[128], b[128];
        snprintf(text, text_bytes, "weight %s does not fit input %s", limn_shape_text(&node->src[i]->shape, a),
                 limn_shape_text(&node->shape, b));
        return text;
    }
    return NULL;
}

static const char *shape_norm_grad_weight(limn_node *node, char *text, size_t text_bytes)
{
    (void)text, (void)text_bytes;
    node->shape = node->attr.shape;
    node->kind = LIMN_WIDE;
    return NULL;
}

/* y = n(x) (c + w) + b;  the same three gradients serve layer norm and RMS norm (without b) */
static void grad_norm(limn_node *node, limn_node *dy, const bool *want, limn_node **dsrc)
{
    bool layer = node->op == LIMN_OP_LAYER_NORM, weighted = node->attr.flags & LIMN_HAS_WEIGHT;
    limn_op op = layer ? LIMN_OP_LAYER_NORM_GRAD : LIMN_OP_RMS_NORM_GRAD;
    limn_op op_weight = layer ? LIMN_OP_LAYER_NORM_GRAD_WEIGHT : LIMN_OP_RMS_NORM_GRAD_WEIGHT;
    limn_node *x = node->src[0], *w = weighted ? node->src[1] : NULL;
    if (want[0]) dsrc[0] = w ? limn_node_3(op, x, dy, w, &node->attr) : limn_node_2(op, x, dy, &node->attr);
    if (!w) return;
    limn_attr attr = node->attr;
    attr.shape = w->shape;
    if (want[1]) dsrc[1] = limn_node_2(op_weight, x, dy, &attr);
    if (layer && want[2]) dsrc[2] = limn_reduce_like(dy, node->src[2]);
}

static double flops_norm(const limn_node *node)
{
    return 8.0 * (double)limn_node_count(node->src[0]);
}

/* max over rows of |x| / sqrt(var + eps): how much a norm amplifies a rounding of x */
static double condition(const limn_node_values *n)
{
    const limn_node *node = n->node;
    int64_t d = limn_shape_cols(&node->src[0]->shape), rows = limn_shape_rows(&node->src[0]->shape);
    bool layer = node->op == LIMN_OP_LAYER_NORM || node->op == LIMN_OP_LAYER_NORM_GRAD ||
                 node->op == LIMN_OP_LAYER_NORM_GRAD_WEIGHT;
    double worst = 0;
    for (int64_t row = 0; row < rows; row++) {
        const double *x = n->src[0] + row * d;
        double mean = 0, square = 0;
        for (int64_t i = 0; layer && i < d; i++) mean += x[i] / (double)d;
        for (int64_t i = 0; i < d; i++) square += (x[i] - mean) * (x[i] - mean) / (double)d;
        worst = fmax(worst, limn_largest(x, d) / sqrt(square + node->attr.eps));
    }
    return 1 + worst;
}

static double size_norm(const limn_node_values *n)
{
    double w = n->node->n_src > 1 ? fabs(n->node->attr.shift) + limn_largest_of(n, 1) : 1;
    return condition(n) * w + limn_largest_of(n, 2);
}

/* n(x) comes in twice */
static double size_grad(const limn_node_values *n)
{
    double c = condition(n);
    return limn_size_result(n) * c * c;
}

static double size_grad_weight(const limn_node_values *n)
{
    return (limn_size_result(n) + limn_largest_of(n, 1)) * condition(n);
}

const limn_op_row limn_rows_norm[LIMN_N_OPS] = {
    [LIMN_OP_LAYER_NORM] = {.name = "layer_norm",
                          .shape = shape_norm,
                          .grad = grad_norm,
                          .flops = flops_norm,
                          .terms = limn_terms_cols,
                          .size = size_norm},
    [LIMN_OP_LAYER_NORM_GRAD] = {.name = "layer_norm_grad",
                               .shape = shape_norm,
                               .flops = flops_norm,
                               .terms = limn_terms_cols,
                               .size = size_grad},
    [LIMN_OP_LAYER_NORM_GRAD_WEIGHT] = {.name = "layer_norm_grad_weight",
                                      .shape = shape_norm_grad_weight,
                                      .flops = flops_norm,
                                      .terms = limn_terms_rows,
                                      .size = size_grad_weight},
    [LIMN_OP_RMS_NORM] = {.name = "rms_norm",
                          .shape = shape_norm,
                          .grad = grad_norm,
                          .flops = flops_norm,
                          .terms = limn_terms_cols,
                          .size = size_norm},
    [LIMN_OP_RMS_NORM_GRAD] = {.name = "rms_norm_grad",
                               .shape = shape_norm,
                               .flops = flops_norm,
                               .terms = limn_terms_cols,
                               .size = size_grad},
    [LIMN_OP_RMS_NORM_GRAD_WEIGHT] = {.name = "rms_norm_grad_weight",
                                      .shape = shape_norm_grad_weight,
                                      .flops = flops_norm,
                                      .terms = limn_terms_rows,
                                      .size = size_grad_weight},
};
