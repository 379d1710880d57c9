/* shape.c: ops that move or repeat elements, and their sums. */
#include "graph/op/rows.h"

static double no_flops(const limn_node *node)
{
    (void)node;
    return 0;
}

static const char *shape_fill(limn_node *node, char *text, size_t text_bytes)
{
    (void)text, (void)text_bytes;
    node->shape = node->attr.shape;
    return NULL;
}

/* ---- VIEW ---- */

static const char *shape_view(limn_node *node, char *text, size_t text_bytes)
{
    limn_shape want = node->attr.shape;
    int64_t have = limn_node_count(node->src[0]), known = 1;
    bool sound = want.rank >= 0;
    int open = -1;
    for (int i = 0; i < want.rank; i++) {
        if (want.dim[i] == -1 && open < 0) open = i;
        else sound = sound && want.dim[i] > 0 && !__builtin_mul_overflow(known, want.dim[i], &known);
    }
    if (open >= 0) want.dim[open] = sound ? have / known : 0;
    int64_t count = open >= 0 ? known * want.dim[open] : known; /* known have / known at most */
    if (!sound || count < 1 || count > have || node->attr.begin < 0 || node->attr.begin > have - count ||
        (node->attr.begin == 0 && open >= 0 && count != have)) {
        char a[128], b[128];
        snprintf(text, text_bytes, "%s does not fit into %s", limn_shape_text(&node->attr.shape, a),
                 limn_shape_text(&node->src[0]->shape, b));
        return text;
    }
    node->shape = node->attr.shape = want;
    return NULL;
}

static void grad_view(limn_node *node, limn_node *dy, const bool *want, limn_node **dsrc)
{
    (void)want;
    if (node->attr.flags & LIMN_DETACHED) return;
    limn_node *src = node->src[0];
    int64_t n = limn_node_count(node), all = limn_node_count(src);
    if (n == all) {
        dsrc[0] = limn_reshape(dy, src->shape);
        return;
    }
    limn_node *flat = limn_pad(limn_reshape(dy, LIMN_SHAPE(n)), 0, node->attr.begin, all - n - node->attr.begin);
    dsrc[0] = limn_reshape(flat, src->shape);
}

/* ---- PERMUTE ---- */

static const char *shape_permute(limn_node *node, char *text, size_t text_bytes)
{
    const limn_shape *x = &node->src[0]->shape;
    unsigned seen = 0;
    node->shape.rank = x->rank;
    for (int i = 0; i < x->rank; i++) {
        int from = node->attr.order[i];
        if (from < 0 || from >= x->rank || seen & 1u << from) {
            snprintf(text, text_bytes, "the order must name each of the %d dimensions once", x->rank);
            return text;
        }
        seen |= 1u << from;
        node->shape.dim[i] = x->dim[from];
    }
    return NULL;
}

static void grad_permute(limn_node *node, limn_node *dy, const bool *want, limn_node **dsrc)
{
    (void)want;
    int back[LIMN_MAX_RANK];
    for (int i = 0; i < node->shape.rank; i++) back[node->attr.order[i]] = i;
    dsrc[0] = limn_permute(dy, node->shape.rank, back);
}

/* ---- SLICE, PAD, CONCAT ---- */

static const char *shape_slice(limn_node *node, char *text, size_t text_bytes)
{
    limn_shape x = node->src[0]->shape;
    int axis = node->attr.axis;
    int64_t count = node->attr.shape.dim[0];
    if (axis < 0 || axis >= x.rank || node->attr.begin < 0 || count < 1 || count > x.dim[axis] ||
        node->attr.begin > x.dim[axis] - count) {
        char a[128];
        snprintf(text, text_bytes, "%lld elements from %lld of axis %d are not inside %s", (long long)count,
                 (long long)node->attr.begin, axis, limn_shape_text(&x, a));
        return text;
    }
    x.dim[axis] = count;
    node->shape = x;
    return NULL;
}

static void grad_slice(limn_node *node, limn_node *dy, const bool *want, limn_node **dsrc)
{
    (void)want;
    int axis = node->attr.axis;
    int64_t all = node->src[0]->shape.dim[axis], n = node->shape.dim[axis];
    dsrc[0] = limn_pad(dy, axis, node->attr.begin, all - n - node->attr.begin);
}

static const char *shape_pad(limn_node *node, char *text, size_t text_bytes)
{
    limn_shape x = node->src[0]->shape;
    int axis = node->attr.axis;
    int64_t before = node->attr.begin, after = node->attr.shape.dim[0];
    if (axis < 0 || axis >= x.rank || before < 0 || after < 0 || before > LIMN_MAX_COUNT || after > LIMN_MAX_COUNT) {
        snprintf(text, text_bytes, "axis %d is not one of %d, or a padding is negative or endless", axis, x.rank);
        return text;
    }
    x.dim[axis] += before + after;
    node->shape = x;
    return NULL;
}

static void grad_pad(limn_node *node, limn_node *dy, const bool *want, limn_node **dsrc)
{
    (void)want;
    dsrc[0] = limn_slice(dy, node->attr.axis, node->attr.begin, node->src[0]->shape.dim[node->attr.axis]);
}

static const char *shape_concat(limn_node *node, char *text, size_t text_bytes)
{
    int axis = node->attr.axis;
    limn_shape sum = node->src[0]->shape;
    for (int i = 0; i < node->n_src; i++) {
        limn_shape x = node->src[i]->shape, y = sum;
        if (axis < 0 || axis >= x.rank || x.rank != y.rank) {
            snprintf(text, text_bytes, "axis %d is not one of the parts' %d", axis, x.rank);
            return text;
        }
        if (i == 0) continue;
        int64_t more = x.dim[axis];
        x.dim[axis] = y.dim[axis] = 1;
        if (!limn_shape_equal(&x, &y)) {
            char a[128], b[128];
            snprintf(text, text_bytes, "parts %s and %s differ outside axis %d", limn_shape_text(&sum, a),
                     limn_shape_text(&node->src[i]->shape, b), axis);
            return text;
        }
        sum.dim[axis] += more;
    }
    node->shape = sum;
    return NULL;
}

static void grad_concat(limn_node *node, limn_node *dy, const bool *want, limn_node **dsrc)
{
    int64_t begin = 0;
    for (int i = 0; i < node->n_src; i++) {
        int64_t n = node->src[i]->shape.dim[node->attr.axis];
        if (want[i]) dsrc[i] = limn_slice(dy, node->attr.axis, begin, n);
        begin += n;
    }
}

/* ---- EXPAND, SUM_TO ---- */

static const char *shape_expand(limn_node *node, char *text, size_t text_bytes)
{
    limn_shape both;
    bool fits = node->op == LIMN_OP_EXPAND ? limn_broadcast(&node->src[0]->shape, &node->attr.shape, &both) &&
                                                 limn_shape_equal(&both, &node->attr.shape)
                                           : limn_broadcast(&node->attr.shape, &node->src[0]->shape, &both) &&
                                                 limn_shape_equal(&both, &node->src[0]->shape);
    if (!fits) {
        char a[128], b[128];
        snprintf(text, text_bytes, "%s and %s do not broadcast", limn_shape_text(&node->src[0]->shape, a),
                 limn_shape_text(&node->attr.shape, b));
        return text;
    }
    node->shape = node->attr.shape;
    return NULL;
}

static void grad_expand(limn_node *node, limn_node *dy, const bool *want, limn_node **dsrc)
{
    (void)want;
    dsrc[0] = limn_reduce_like(dy, node->src[0]);
}

static void grad_sum_to(limn_node *node, limn_node *dy, const bool *want, limn_node **dsrc)
{
    (void)want;
    dsrc[0] = limn_node_as(limn_expand(dy, node->src[0]->shape), node->src[0]->kind);
}

static double flops_sum_to(const limn_node *node)
{
    return (double)limn_node_count(node->src[0]);
}

static void grad_cast(limn_node *node, limn_node *dy, const bool *want, limn_node **dsrc)
{
    (void)want;
    dsrc[0] = node->src[0]->kind == dy->kind ? dy : limn_node_as(limn_node_1(LIMN_OP_CAST, dy, NULL), node->src[0]->kind);
}

static double terms_sum_to(const limn_node *node)
{
    return (double)limn_node_count(node->src[0]) / (double)limn_node_count(node);
}

const limn_op_row limn_rows_shape[LIMN_N_OPS] = {
    [LIMN_OP_FILL] = {.name = "fill", .shape = shape_fill, .flops = no_flops},
    [LIMN_OP_VIEW] = {.name = "view", .shape = shape_view, .grad = grad_view, .flops = no_flops},
    [LIMN_OP_PERMUTE] = {.name = "permute", .shape = shape_permute, .grad = grad_permute, .flops = no_flops},
    [LIMN_OP_SLICE] = {.name = "slice", .shape = shape_slice, .grad = grad_slice, .flops = no_flops},
    [LIMN_OP_PAD] = {.name = "pad", .shape = shape_pad, .grad = grad_pad, .flops = no_flops},
    [LIMN_OP_CONCAT] = {.name = "concat", .shape = shape_concat, .grad = grad_concat, .flops = no_flops},
    [LIMN_OP_EXPAND] = {.name = "expand", .shape = shape_expand, .grad = grad_expand, .flops = no_flops},
    [LIMN_OP_SUM_TO] = {.name = "sum_to",
                        .shape = shape_expand,
                        .grad = grad_sum_to,
                        .flops = flops_sum_to,
                        .terms = terms_sum_to,
                        .size = limn_size_result},
    [LIMN_OP_CAST] = {.name = "cast", .shape = limn_shape_first, .grad = grad_cast, .flops = no_flops, .elementwise = true},
};
