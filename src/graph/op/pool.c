/* pool.c: pooling and resizing of pictures [B,H,W,C]. */
#include "graph/op/rows.h"

static const char *not_a_picture(const limn_node *node, char *text, size_t text_bytes)
{
    char a[128];
    if (node->src[0]->shape.rank == 4) return NULL;
    snprintf(text, text_bytes, "input %s is not [B,H,W,C]", limn_shape_text(&node->src[0]->shape, a));
    return text;
}

static const char *shape_pool(limn_node *node, char *text, size_t text_bytes)
{
    const char *wrong = not_a_picture(node, text, text_bytes);
    limn_shape x = node->src[0]->shape;
    int size = node->attr.stride;
    if (wrong) return wrong;
    if (size < 1 || x.dim[1] % size || x.dim[2] % size) {
        snprintf(text, text_bytes, "%lld x %lld pixels are no multiple of windows of %d", (long long)x.dim[1],
                 (long long)x.dim[2], size);
        return text;
    }
    node->shape = LIMN_SHAPE(x.dim[0], x.dim[1] / size, x.dim[2] / size, x.dim[3]);
    return NULL;
}

static void grad_max_pool(limn_node *node, limn_node *dy, const bool *want, limn_node **dsrc)
{
    (void)want;
    dsrc[0] = limn_node_2(LIMN_OP_MAX_POOL_GRAD, node->src[0], dy, &node->attr);
}

/* The result has the pixels of attr.shape and the rest of source 0. */
static const char *shape_resize(limn_node *node, char *text, size_t text_bytes)
{
    const char *wrong = not_a_picture(node, text, text_bytes);
    const int64_t *size = node->attr.shape.dim;
    if (wrong) return wrong;
    if (size[0] < 1 || size[1] < 1) {
        snprintf(text, text_bytes, "a picture of %lld x %lld pixels has none", (long long)size[0], (long long)size[1]);
        return text;
    }
    node->shape = LIMN_SHAPE(node->src[0]->shape.dim[0], size[0], size[1], node->src[0]->shape.dim[3]);
    return NULL;
}

static limn_attr size_of(const limn_attr *attr, const limn_node *x)
{
    limn_attr a = *attr;
    a.shape = LIMN_SHAPE(x->shape.dim[1], x->shape.dim[2]);
    return a;
}

static void grad_average_pool(limn_node *node, limn_node *dy, const bool *want, limn_node **dsrc)
{
    (void)want;
    limn_attr attr = size_of(&node->attr, node->src[0]);
    dsrc[0] = limn_node_1(LIMN_OP_AVERAGE_POOL_GRAD, dy, &attr);
}

static void grad_resize(limn_node *node, limn_node *dy, const bool *want, limn_node **dsrc)
{
    (void)want;
    limn_attr attr = size_of(&node->attr, node->src[0]);
    dsrc[0] = limn_node_1(LIMN_OP_RESIZE_GRAD, dy, &attr);
}

static double flops_source(const limn_node *node)
{
    return (double)limn_node_count(node->src[0]);
}

/* Of source pixels, and their weights */
static double terms_resize_grad(const limn_node *node)
{
    return (double)limn_node_count(node->src[0]) / (double)limn_node_count(node) + 4;
}

static double size_source(const limn_node_values *n)
{
    return limn_largest_of(n, 0);
}

const limn_op_row limn_rows_pool[LIMN_N_OPS] = {
    [LIMN_OP_MAX_POOL] = {.name = "max_pool", .shape = shape_pool, .grad = grad_max_pool, .flops = flops_source},
    [LIMN_OP_MAX_POOL_GRAD] = {.name = "max_pool_grad", .shape = limn_shape_first},
    [LIMN_OP_AVERAGE_POOL] = {.name = "average_pool",
                              .shape = shape_pool,
                              .grad = grad_average_pool,
                              .flops = flops_source,
                              .size = size_source},
    [LIMN_OP_AVERAGE_POOL_GRAD] = {.name = "average_pool_grad", .shape = shape_resize},
    [LIMN_OP_RESIZE] = {.name = "resize", .shape = shape_resize, .grad = grad_resize, .size = size_source},
    [LIMN_OP_RESIZE_GRAD] = {.name = "resize_grad",
                             .shape = shape_resize,
                             .flops = flops_source,
                             .terms = terms_resize_grad,
                             .size = limn_size_result},
};
