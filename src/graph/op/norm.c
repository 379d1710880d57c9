/* norm.c: layer norm and RMS norm over the last axis. */
#include "graph/op/rows.h"

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
    if (want[1]) dsrc[1] = limn_node_as(limn_node_2(op_weight, x, dy, &attr), LIMN_WIDE);
    if (layer && want[2]) dsrc[2] = limn_reduce_like(dy, node->src[2]);
}

static double flops_norm(const limn_node *node)
{
    return 8.0 * (double)limn_node_count(node->src[0]);
}

const limn_op_row limn_rows_norm[LIMN_N_OPS] = {
    [LIMN_OP_LAYER_NORM] = {.name = "layer_norm", .shape = shape_norm, .grad = grad_norm, .flops = flops_norm},
    [LIMN_OP_LAYER_NORM_GRAD] = {.name = "layer_norm_grad", .shape = shape_norm, .flops = flops_norm},
    [LIMN_OP_LAYER_NORM_GRAD_WEIGHT] = {.name = "layer_norm_grad_weight",
                                        .shape = shape_norm_grad_weight,
                                        .flops = flops_norm},
    [LIMN_OP_RMS_NORM] = {.name = "rms_norm", .shape = shape_norm, .grad = grad_norm, .flops = flops_norm},
    [LIMN_OP_RMS_NORM_GRAD] = {.name = "rms_norm_grad", .shape = shape_norm, .flops = flops_norm},
    [LIMN_OP_RMS_NORM_GRAD_WEIGHT] = {.name = "rms_norm_grad_weight", .shape = shape_norm_grad_weight, .flops = flops_norm},
};
