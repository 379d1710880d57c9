/* group_norm.c: y = act(n(x) w + b), n(x) = (x - mean) / sqrt(var + eps).   x [B,..,C];  mean, var over all pixels of a
 * sample and C / groups channels (Wu & He 2018), with LIMN_OVER_BATCH over all samples as well: batch norm, when groups = C
 * (Ioffe & Szegedy 2015). */
#include "graph/op/rows.h"

#include <math.h>

static int64_t n_moments(const limn_node *node)
{
    return node->attr.groups * (node->attr.flags & LIMN_OVER_BATCH ? 1 : node->src[0]->shape.dim[0]);
}

static const char *shape_moments(limn_node *node, char *text, size_t text_bytes)
{
    const limn_shape *x = &node->src[0]->shape;
    char a[128];
    if (x->rank < 2 || node->attr.groups < 1 || limn_shape_cols(x) % node->attr.groups) {
        snprintf(text, text_bytes, "the channels of input %s do not split into %d groups", limn_shape_text(x, a),
                 node->attr.groups);
        return text;
    }
    node->shape = LIMN_SHAPE(2, n_moments(node));
    node->kind = LIMN_WIDE;
    return NULL;
}

/* (x, moments, what the op has besides .., w?, b?), first: index of w */
static const char *wrong_sources(const limn_node *node, int first, char *text, size_t text_bytes)
{
    const limn_shape *x = &node->src[0]->shape;
    int64_t c = limn_shape_cols(x);
    char a[128];
    if (limn_node_count(node->src[1]) != 2 * n_moments(node)) {
        snprintf(text, text_bytes, "moments %s are not [2, %lld]", limn_shape_text(&node->src[1]->shape, a),
                 (long long)n_moments(node));
        return text;
    }
    for (int i = first; i < node->n_src; i++) {
        int64_t n = limn_node_count(node->src[i]);
        if (limn_shape_cols(&node->src[i]->shape) == c && (n == c || n == c * x->dim[0]) &&
            n == limn_node_count(node->src[first]))
            continue;
        snprintf(text, text_bytes, "weight %s is neither [%lld] nor [%lld, %lld]", limn_shape_text(&node->src[i]->shape, a),
                 (long long)c, (long long)x->dim[0], (long long)c);
        return text;
    }
    return NULL;
}

static const char *shape_group_norm(limn_node *node, char *text, size_t text_bytes)
{
    node->shape = node->src[0]->shape;
    return wrong_sources(node, node->op == LIMN_OP_GROUP_NORM ? 2 : 4, text, text_bytes);
}

static const char *shape_sums(limn_node *node, char *text, size_t text_bytes)
{
    const limn_shape *x = &node->src[0]->shape;
    node->shape = LIMN_SHAPE(2, x->dim[0], limn_shape_cols(x));
    node->kind = LIMN_WIDE;
    return wrong_sources(node, 3, text, text_bytes);
}

/* What x does through moments of all ranks hangs on the sums of all: each sample here has the mean of all there are. */
static limn_node *sums_of_ranks(limn_node *sums)
{
    int64_t samples = sums->shape.dim[1], c = sums->shape.dim[2];
    limn_node *sum = limn_mean_of_ranks(limn_node_as(limn_sum_to(sums, LIMN_SHAPE(2, 1, c)), LIMN_WIDE));
    return limn_expand(limn_affine(sum, 1.0 / (double)samples, 0), LIMN_SHAPE(2, samples, c));
}

/* dw = sum of dz n(x), db = sum of dz;  dx of both ways, so that the moments have no gradient of their own */
static void grad_group_norm(limn_node *node, limn_node *dy, const bool *want, limn_node **dsrc)
{
    limn_node *x = node->src[0], *moments = node->src[1], *w = NULL, *b = NULL;
    bool weighted = node->attr.flags & LIMN_HAS_WEIGHT;
    if (weighted) w = node->src[2], b = node->src[3];
    limn_node *sums = limn_node_new(node->graph, LIMN_OP_GROUP_NORM_GRAD_SUMS, weighted ? 5 : 3,
                                    (limn_node *[]){x, moments, dy, w, b}, &node->attr);
    if (sums->op == LIMN_OP_ERROR) return;
    limn_node *all = node->attr.flags & LIMN_OVER_RANKS ? sums_of_ranks(sums) : sums;
    if (want[0])
        dsrc[0] = limn_node_new(node->graph, LIMN_OP_GROUP_NORM_GRAD, weighted ? 6 : 4,
                                (limn_node *[]){x, moments, dy, all, w, b}, &node->attr);
    if (!weighted || !(want[2] || want[3])) return;
    int64_t c = limn_shape_cols(&x->shape);
    if (limn_node_count(w) == c && x->shape.dim[0] > 1)
        sums = limn_node_as(limn_sum_to(sums, LIMN_SHAPE(2, 1, c)), LIMN_WIDE);
    for (int i = 2; i < 4; i++)
        if (want[i])
            dsrc[i] =
                limn_reshape(limn_slice(sums, 0, i - 2, 1), node->src[i]->shape); /* a copy each: outputs may lie anywhere */
}

static double flops_norm(const limn_node *node)
{
    return 4.0 * (double)limn_node_count(node->src[0]);
}

static double terms_moments(const limn_node *node)
{
    return (double)limn_node_count(node->src[0]) / (double)limn_node_count(node) * 2;
}

/* Of what is left when the middle is taken away */
static double size_moments(const limn_node_values *n)
{
    int64_t half = limn_node_count(n->node) / 2;
    double variance = limn_largest(n->y + half, half);
    return variance + sqrt(variance);
}

/* max of |x - mean| / sqrt(var + eps), or more: how much the norm amplifies a rounding of x */
static double condition(const limn_node_values *n)
{
    int64_t groups = limn_shape_cols(&n->node->src[1]->shape);
    double least = INFINITY;
    for (int64_t i = 0; i < groups; i++) least = fmin(least, n->src[1][groups + i]);
    return 1 + (limn_largest_of(n, 0) + limn_largest(n->src[1], groups)) / sqrt(least + n->node->attr.eps);
}

static double size_group_norm(const limn_node_values *n)
{
    return condition(n) * (n->node->n_src > 2 ? limn_largest_of(n, 2) : 1) + limn_largest_of(n, 3);
}

/* Of a sample's pixels */
static double terms_sums(const limn_node *node)
{
    return (double)limn_shape_rows(&node->src[0]->shape) / (double)node->src[0]->shape.dim[0];
}

static double size_sums(const limn_node_values *n)
{
    return (limn_size_result(n) + limn_largest_of(n, 2)) * condition(n);
}

static double size_grad(const limn_node_values *n)
{
    return limn_size_result(n) * condition(n) * condition(n);
}

const limn_op_row limn_rows_group_norm[LIMN_N_OPS] = {
    [LIMN_OP_MOMENTS] = {.name = "moments",
                         .shape = shape_moments,
                         .flops = flops_norm,
                         .terms = terms_moments,
                         .size = size_moments},
    [LIMN_OP_GROUP_NORM] = {.name = "group_norm",
                            .shape = shape_group_norm,
                            .grad = grad_group_norm,
                            .flops = flops_norm,
                            .domain = {[1] = LIMN_MOMENTS},
                            .size = size_group_norm},
    [LIMN_OP_GROUP_NORM_GRAD_SUMS] = {.name = "group_norm_grad_sums",
                                      .shape = shape_sums,
                                      .flops = flops_norm,
                                      .domain = {[1] = LIMN_MOMENTS},
                                      .terms = terms_sums,
                                      .size = size_sums},
    [LIMN_OP_GROUP_NORM_GRAD] = {.name = "group_norm_grad",
                                 .shape = shape_group_norm,
                                 .flops = flops_norm,
                                 .domain = {[1] = LIMN_MOMENTS},
                                 .size = size_grad},
};
