/* conv.c: convolutions.   x [B,H,W,C], W [O,C,kh,kw], y [B,h,w,O],  h = (H + pad - kh) / stride + 1
 *
 * CONV, its transpose and the gradient of its weight are closed under differentiation: each is the gradient of another. */
#include "graph/op/rows.h"

static int64_t windows(int64_t n, int before, int after, int64_t kernel, int stride)
{
    int64_t room = n + before + after - kernel;
    return stride < 1 || before < 0 || after < 0 || room < 0 ? 0 : room / stride + 1;
}

/* Rows and columns of the result of a convolution over H x W pixels; false when there are none. */
static bool result_size(const limn_attr *a, const int64_t *picture, const limn_shape *w, int64_t *out)
{
    out[0] = windows(picture[0], a->pad[0], a->pad[2], w->dim[2], a->stride);
    out[1] = windows(picture[1], a->pad[1], a->pad[3], w->dim[3], a->stride);
    return out[0] > 0 && out[1] > 0;
}

static const char *bad_bias(const limn_node *node, int64_t channels, char *text, size_t text_bytes)
{
    if (!(node->attr.flags & LIMN_HAS_BIAS) || limn_node_count(node->src[2]) == channels) return NULL;
    char a[128];
    snprintf(text, text_bytes, "bias %s does not fit %lld channels", limn_shape_text(&node->src[2]->shape, a),
             (long long)channels);
    return text;
}

static const char *shape_conv(limn_node *node, char *text, size_t text_bytes)
{
    const limn_shape *x = &node->src[0]->shape, *w = &node->src[1]->shape;
    char a[128], b[128];
    int64_t size[2];
    if (x->rank != 4 || w->rank != 4 || x->dim[3] != w->dim[1]) {
        snprintf(text, text_bytes, "input %s and weight %s differ in channels (expected [B,H,W,C] and [O,C,kh,kw])",
                 limn_shape_text(x, a), limn_shape_text(w, b));
        return text;
    }
    int64_t times = node->attr.flags & LIMN_UPSAMPLED ? 2 : 1;
    if (!result_size(&node->attr, (int64_t[]){times * x->dim[1], times * x->dim[2]}, w, size)) {
        snprintf(text, text_bytes, "a window of %lld x %lld does not fit into input %s", (long long)w->dim[2],
                 (long long)w->dim[3], limn_shape_text(x, a));
        return text;
    }
    node->shape = LIMN_SHAPE(x->dim[0], size[0], size[1], w->dim[0]);
    const limn_shape *residual = &node->src[node->n_src - 1]->shape;
    if (node->attr.flags & LIMN_HAS_RESIDUAL && !limn_shape_equal(residual, &node->shape)) {
        snprintf(text, text_bytes, "residual %s where the result is %s", limn_shape_text(residual, a),
                 limn_shape_text(&node->shape, b));
        return text;
    }
    return bad_bias(node, w->dim[0], text, text_bytes);
}

static const char *shape_transpose(limn_node *node, char *text, size_t text_bytes)
{
    const limn_shape *y = &node->src[0]->shape, *w = &node->src[1]->shape;
    const int64_t *want = node->attr.shape.dim;
    char a[128], b[128];
    int64_t size[2];
    if (y->rank != 4 || w->rank != 4 || y->dim[3] != w->dim[0]) {
        snprintf(text, text_bytes, "input %s and weight %s differ in channels (expected [B,h,w,O] and [O,C,kh,kw])",
                 limn_shape_text(y, a), limn_shape_text(w, b));
        return text;
    }
    if (!result_size(&node->attr, want, w, size) || size[0] != y->dim[1] || size[1] != y->dim[2]) {
        snprintf(text, text_bytes, "input %s does not come from a picture of %lld x %lld with weight %s",
                 limn_shape_text(y, a), (long long)want[0], (long long)want[1], limn_shape_text(w, b));
        return text;
    }
    node->shape = LIMN_SHAPE(y->dim[0], want[0], want[1], w->dim[1]);
    return bad_bias(node, w->dim[1], text, text_bytes);
}

static const char *shape_grad_weight(limn_node *node, char *text, size_t text_bytes)
{
    const limn_shape *x = &node->src[0]->shape, *dy = &node->src[1]->shape, *w = &node->attr.shape;
    int64_t size[2];
    bool fits = x->rank == 4 && dy->rank == 4 && w->rank == 4 && x->dim[0] == dy->dim[0] && x->dim[3] == w->dim[1] &&
                dy->dim[3] == w->dim[0] && result_size(&node->attr, x->dim + 1, w, size) && size[0] == dy->dim[1] &&
                size[1] == dy->dim[2];
    if (!fits) {
        snprintf(text, text_bytes, "input, gradient and weight do not fit");
        return text;
    }
    node->shape = *w;
    node->kind = LIMN_WIDE;
    return NULL;
}

static limn_node *grad_of_weight(limn_node *picture, limn_node *result, limn_attr attr, limn_shape w)
{
    attr.shape = w, attr.flags = 0;
    return limn_node_2(LIMN_OP_CONV_GRAD_WEIGHT, picture, result, &attr);
}

/* Activation and residual join a convolution in the rewrite, after the gradients. */
static void grad_conv(limn_node *node, limn_node *dy, const bool *want, limn_node **dsrc)
{
    limn_node *x = node->src[0], *w = node->src[1];
    limn_attr attr = node->attr;
    attr.flags = 0, attr.shape = LIMN_SHAPE(x->shape.dim[1], x->shape.dim[2]);
    if (want[0]) dsrc[0] = limn_node_2(LIMN_OP_CONV_TRANSPOSE, dy, w, &attr);
    if (want[1]) dsrc[1] = grad_of_weight(x, dy, attr, w->shape);
    if (node->attr.flags & LIMN_HAS_BIAS && want[2]) dsrc[2] = limn_reduce_like(dy, node->src[2]);
}

static void grad_transpose(limn_node *node, limn_node *dx, const bool *want, limn_node **dsrc)
{
    limn_attr attr = node->attr;
    attr.flags = 0;
    if (want[0]) dsrc[0] = limn_node_2(LIMN_OP_CONV, dx, node->src[1], &attr);
    if (want[1]) dsrc[1] = grad_of_weight(dx, node->src[0], attr, node->src[1]->shape);
    if (node->attr.flags & LIMN_HAS_BIAS && want[2]) dsrc[2] = limn_reduce_like(dx, node->src[2]);
}

/* Each weight meets every pixel of the smaller picture once. */
static double flops_conv(const limn_node *node)
{
    return 2.0 * (double)limn_node_count(node->src[1]) * (double)limn_node_count(node) / (double)node->shape.dim[3];
}

static double flops_transpose(const limn_node *node)
{
    return 2.0 * (double)limn_node_count(node->src[1]) * (double)limn_node_count(node->src[0]) /
           (double)node->src[0]->shape.dim[3];
}

static double flops_grad_weight(const limn_node *node)
{
    return 2.0 * (double)limn_node_count(node) * (double)limn_node_count(node->src[1]) / (double)node->src[1]->shape.dim[3];
}

static bool is_fused(const limn_node *node)
{
    return node->attr.activation || node->attr.flags & (LIMN_HAS_RESIDUAL | LIMN_UPSAMPLED);
}

/* Of a window */
static double terms_conv(const limn_node *node)
{
    const limn_shape *w = &node->src[1]->shape;
    return (double)limn_shape_count(w) / (double)w->dim[node->op == LIMN_OP_CONV ? 0 : 1];
}

static double terms_grad_weight(const limn_node *node)
{
    return (double)limn_shape_rows(&node->src[1]->shape);
}

/* The weights that meet the same pixel of an enlarged picture are added up, then rounded, also where each was bf16: few
 * weights for many results, which err together (5.4 deviations were seen in 58,000 results), hence six of 2^-9 each. */
static double rounded_weights(const limn_node_values *n)
{
    return n->node->attr.flags & LIMN_UPSAMPLED && n->from == LIMN_BF16 ? 0x1.8p-7 * limn_size_result(n) : 0;
}

const limn_op_row limn_rows_conv[LIMN_N_OPS] = {
    [LIMN_OP_CONV] = {.name = "conv",
                      .shape = shape_conv,
                      .grad = grad_conv,
                      .flops = flops_conv,
                      .fused = is_fused,
                      .terms = terms_conv,
                      .size = limn_size_product,
                      .rounded = rounded_weights,
                      .multiplies = LIMN_BY_WEIGHT},
    [LIMN_OP_CONV_TRANSPOSE] = {.name = "conv_transpose",
                                .shape = shape_transpose,
                                .grad = grad_transpose,
                                .flops = flops_transpose,
                                .terms = terms_conv,
                                .size = limn_size_product,
                                .multiplies = LIMN_BY_WEIGHT},
    [LIMN_OP_CONV_GRAD_WEIGHT] = {.name = "conv_grad_weight",
                                  .shape = shape_grad_weight,
                                  .flops = flops_grad_weight,
                                  .terms = terms_grad_weight,
                                  .size = limn_size_product,
                                  .multiplies = LIMN_BY_VALUES},
};
