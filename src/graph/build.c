/* build.c: constructors of shape and elementwise nodes. */
#include "graph/op/rows.h"

limn_node *limn_reshape(limn_node *x, limn_shape shape)
{
    if (x->op != LIMN_OP_ERROR && limn_shape_equal(&x->shape, &shape)) return x;
    limn_node *y = limn_part(x, 0, shape);
    if (y->op != LIMN_OP_ERROR && limn_node_count(y) != limn_node_count(x)) {
        char a[128], b[128];
        return limn_node_error(x->graph, LIMN_OP_VIEW, "cannot reshape %s to %s", limn_shape_text(&x->shape, a),
                               limn_shape_text(&shape, b));
    }
    return y;
}

limn_node *limn_detach(limn_node *x)
{
    if (x->op == LIMN_OP_ERROR) return x;
    return limn_node_1(LIMN_OP_VIEW, x, &(limn_attr){.shape = x->shape, .flags = LIMN_DETACHED});
}

limn_node *limn_permute(limn_node *x, int rank, const int *order)
{
    if (x->op != LIMN_OP_ERROR && rank != x->shape.rank)
        return limn_node_error(x->graph, LIMN_OP_PERMUTE, "order has %d entries for %d dimensions", rank, x->shape.rank);
    limn_attr attr = {0};
    for (int i = 0; i < rank && i < LIMN_MAX_RANK; i++) attr.order[i] = order[i];
    return limn_node_1(LIMN_OP_PERMUTE, x, &attr);
}

limn_node *limn_slice(limn_node *x, int axis, int64_t begin, int64_t count)
{
    if (x->op != LIMN_OP_ERROR && axis < 0) axis += x->shape.rank;
    return limn_node_1(LIMN_OP_SLICE, x, &(limn_attr){.axis = axis, .begin = begin, .shape = LIMN_SHAPE(count)});
}

void limn_chunk(limn_node *x, int n, limn_node **parts)
{
    int64_t cols = x->op == LIMN_OP_ERROR ? n : limn_shape_cols(&x->shape);
    bool fits = n > 0 && cols % n == 0;
    for (int i = 0; i < n; i++)
        parts[i] = fits ? limn_slice(x, -1, i * (cols / n), cols / n)
                        : limn_node_error(x->graph, LIMN_OP_SLICE, "%lld columns do not split into %d", (long long)cols, n);
}

limn_node *limn_concat(limn_graph *g, int axis, int n, limn_node **parts)
{
    if (n < 1 || n > LIMN_MAX_SRC) return limn_node_error(g, LIMN_OP_CONCAT, "%d parts, expected 1 to %d", n, LIMN_MAX_SRC);
    if (axis < 0 && parts[0]->op != LIMN_OP_ERROR) axis += parts[0]->shape.rank;
    return limn_node_new(g, LIMN_OP_CONCAT, n, parts, &(limn_attr){.axis = axis});
}

limn_node *limn_pad(limn_node *x, int axis, int64_t before, int64_t after)
{
    if (before == 0 && after == 0) return x;
    return limn_node_1(LIMN_OP_PAD, x, &(limn_attr){.axis = axis, .begin = before, .shape = LIMN_SHAPE(after)});
}

limn_node *limn_expand(limn_node *x, limn_shape shape)
{
    return limn_node_1(LIMN_OP_EXPAND, x, &(limn_attr){.shape = shape});
}

limn_node *limn_sum_to(limn_node *x, limn_shape shape)
{
    return limn_node_1(LIMN_OP_SUM_TO, x, &(limn_attr){.shape = shape});
}

limn_node *limn_fill(limn_graph *g, limn_shape shape, double value)
{
    return limn_node_new(g, LIMN_OP_FILL, 0, NULL, &(limn_attr){.scale = value, .shape = shape});
}

limn_node *limn_mean(limn_node *x)
{
    if (x->op == LIMN_OP_ERROR) return x;
    limn_node *sum = limn_node_as(limn_sum_to(x, (limn_shape){.rank = 0}), LIMN_WIDE);
    return limn_affine(sum, 1.0 / (double)limn_node_count(x), 0);
}

limn_node *limn_widen(limn_node *x)
{
    return x->kind == LIMN_WIDE ? x : limn_node_as(limn_node_1(LIMN_OP_CAST, x, NULL), LIMN_WIDE);
}

limn_node *limn_narrow(limn_node *x)
{
    return x->kind == LIMN_COMPUTE ? x : limn_node_as(limn_node_1(LIMN_OP_CAST, x, NULL), LIMN_COMPUTE);
}

limn_node *limn_add(limn_node *a, limn_node *b)
{
    return limn_node_2(LIMN_OP_ADD, a, b, NULL);
}

limn_node *limn_sub(limn_node *a, limn_node *b)
{
    return limn_node_2(LIMN_OP_SUB, a, b, NULL);
}

limn_node *limn_mul(limn_node *a, limn_node *b)
{
    return limn_node_2(LIMN_OP_MUL, a, b, NULL);
}

limn_node *limn_div(limn_node *a, limn_node *b)
{
    return limn_node_2(LIMN_OP_DIV, a, b, NULL);
}

limn_node *limn_affine(limn_node *x, double scale, double shift)
{
    if (scale == 1 && shift == 0) return x;
    return limn_node_1(LIMN_OP_AFFINE, x, &(limn_attr){.scale = scale, .shift = shift});
}

limn_node *limn_activate(limn_node *x, limn_activation activation)
{
    if (activation == LIMN_IDENTITY) return x;
    return limn_node_1(LIMN_OP_ACTIVATE, x, &(limn_attr){.activation = activation});
}

limn_node *limn_silu(limn_node *x)
{
    return limn_activate(x, LIMN_SILU);
}

limn_node *limn_exp(limn_node *x)
{
    return limn_node_1(LIMN_OP_EXP, x, NULL);
}

limn_node *limn_ln(limn_node *x)
{
    return limn_node_1(LIMN_OP_LOG, x, NULL);
}

limn_node *limn_sqrt(limn_node *x)
{
    return limn_node_1(LIMN_OP_SQRT, x, NULL);
}

limn_node *limn_square(limn_node *x)
{
    return limn_node_1(LIMN_OP_SQUARE, x, NULL);
}

limn_node *limn_clamp(limn_node *x, double low, double high)
{
    return limn_node_1(LIMN_OP_CLAMP, x, &(limn_attr){.scale = low, .shift = high});
}
