/* group_norm.c: y = act(n(x) w + b), n(x) = (x - mean) / sqrt(var + eps).   x [B,..,C];  mean, var over all pixels of a sample and
 * C / groups channels (Wu & He 2018), with LIMN_OVER_BATCH over all samples as well: batch norm, when groups = C (Ioffe & Szegedy 2015). */
#include "graph/op/rows.h"

static const char *shape_group_norm(limn_node *node, char *text, size_t text_bytes)
{
    const limn_shape *x = &node->src[0]->shape;
    int64_t c = limn_shape_cols(x);
    int groups = node->attr.groups, first = node->op == LIMN_OP_GROUP_NORM ? 1 : 2;
    char a[128];
    node->shape = *x;
    if (x->rank < 2 || groups < 1 || c % groups) {
        snprintf(text, text_bytes, "the channels of input %s do not split into %d groups", limn_shape_text(x, a), groups);
        return text;
    }
    for (int i = first; i < node->n_src; i++) {
        int64_t n = limn_node_count(node->src[i]);
        if (limn_shape_cols(&node->src[i]->shape) == c && (n == c || n == c * x->dim[0]) && n == limn_node_count(node->src[first])) continue;
        snprintf(text, text_bytes, "weight %s is neither [%lld] nor [%lld, %lld]", limn_shape_text(&node->src[i]->shape, a), (long long)c,
                 (long long)x->dim[0], (long long)c);
        return text;
    }
    return NULL;
}

static const char *shape_grad_weight(limn_node *node, char *text, size_t text_bytes)
{
    (void)text, (void)text_bytes;
    node->shape = LIMN_SHAPE(2, limn_node_count(node->src[2]));
    return NULL;
}

static void grad_group_norm(limn_node *node, limn_node *dy, const bool *want, limn_node **dsrc)
{
    limn_node *src[] = {node->src[0], dy, NULL, NULL};
    int n = 2;
    if (node->attr.flags & LIMN_HAS_WEIGHT) src[2] = node->src[1], src[3] = node->src[2], n = 4;
    if (want[0]) dsrc[0] = limn_node_new(node->graph, LIMN_OP_GROUP_NORM_GRAD, n, src, &node->attr);
    if (n == 2 || !(want[1] || want[2])) return;
    limn_node *both = limn_node_as(limn_node_new(node->graph, LIMN_OP_GROUP_NORM_GRAD_WEIGHT, n, src, &node->attr), LIMN_WIDE);
    for (int i = 0; i < 2; i++)
        if (want[1 + i]) dsrc[1 + i] = limn_reshape(limn_slice(both, 0, i, 1), node->src[1 + i]->shape); /* a copy each: outputs may lie anywhere */
}

static const char *shape_moments(limn_node *node, char *text, size_t text_bytes)
{
    (void)text, (void)text_bytes;
    node->shape = LIMN_SHAPE(2, limn_shape_cols(&node->src[0]->shape));
    node->kind = LIMN_WIDE;
    return NULL;
}

static double flops_norm(const limn_node *node)
{
    return 8.0 * (double)limn_node_count(node->src[0]);
}

const limn_op_row limn_rows_group_norm[LIMN_N_OPS] = {
    [LIMN_OP_GROUP_NORM] = {.name = "group_norm", .shape = shape_group_norm, .grad = grad_group_norm, .flops = flops_norm},
    [LIMN_OP_GROUP_NORM_GRAD] = {.name = "group_norm_grad", .shape = shape_group_norm, .flops = flops_norm},
    [LIMN_OP_GROUP_NORM_GRAD_WEIGHT] = {.name = "group_norm_grad_weight", .shape = shape_grad_weight, .flops = flops_norm},
    [LIMN_OP_MOMENTS] = {.name = "moments", .shape = shape_moments, .flops = flops_norm},
};
