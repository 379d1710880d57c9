/* window.c: see window.h. */
#include "model/window.h"

/* ---- relative positions ----------------------------------------------------------------------------------------------- */

/* What a query learns to expect at each place around it: "relative_position_bias_table" [(2s-1)^2, heads]  ->  [1, heads, s
 * s, s s] bias[h, (i j), (k l)] = table[(i - k + s - 1) (2s - 1) + j - l + s - 1, h] for the query at row i, column j and
 * the key at k, l */
static limn_node *relative_positions(limn_graph *g, int side, int heads)
{
    int64_t s = side, r = 2 * s - 1;
    limn_init init = {.kind = LIMN_INIT_NORMAL, .scale = 0.02f};
    limn_node *x = limn_parameter(g, "relative_position_bias_table", LIMN_SHAPE(r * r, heads), init);
    limn_scope_push(g, "positions");
    limn_scope_note(g, "what the table says for each query and key");
    x = limn_permute(x, 2, (int[]){1, 0}); /* [h, rows columns] */
    x = limn_reshape(limn_sheared(limn_reshape(x, LIMN_SHAPE(heads * r, r)), side),
                     LIMN_SHAPE(heads, r, s, s)); /* [h, rows, l, j] */
    x = limn_permute(x, 4, (int[]){0, 2, 3, 1});
    x = limn_reshape(limn_sheared(limn_reshape(x, LIMN_SHAPE(heads * s * s, r)), side),
                     LIMN_SHAPE(heads, s, s, s, s)); /* [h, l, j, k, i] */
    x = limn_reshape(limn_permute(x, 5, (int[]){0, 4, 2, 3, 1}), LIMN_SHAPE(1, heads, s * s, s * s));
    limn_scope_pop(g);
    return x;
}

/* ---- the mask of moved windows ---------------------------------------------------------------------------------------- */

static limn_node *ones(limn_graph *g, limn_shape shape)
{
    return limn_fill(g, shape, 1);
}

/* Along one axis, n windows: 1 where query and key lay side by side before the picture came round its edge.  [n,s,s] */
static limn_node *together(limn_graph *g, int64_t n, int64_t s, int64_t shift)
{
    if (!shift) return ones(g, LIMN_SHAPE(n, s, s));
    limn_node *first = limn_pad(limn_pad(ones(g, LIMN_SHAPE(1, s - shift, s - shift)), 1, 0, shift), 2, 0, shift);
    limn_node *second = limn_pad(limn_pad(ones(g, LIMN_SHAPE(1, shift, shift)), 1, s - shift, 0), 2, s - shift, 0);
    limn_node *last = limn_add(first, second); /* only the last window has both sides of the edge */
    return n == 1 ? last : limn_concat(g, 0, 2, (limn_node *[]){ones(g, LIMN_SHAPE(n - 1, s, s)), last});
}

/* 0 or -100, Swin's minus infinity.  [windows,1,s s,s s] */
static limn_node *edge_mask(limn_graph *g, int64_t rows, int64_t columns, int64_t s, const int shift[2])
{
    limn_scope_push(g, "edge");
    limn_scope_note(g, "hides what came round the edge");
    limn_node *y = limn_reshape(together(g, rows, s, shift[0]), LIMN_SHAPE(rows, 1, s, 1, s, 1));
    limn_node *x = limn_reshape(together(g, columns, s, shift[1]), LIMN_SHAPE(1, columns, 1, s, 1, s));
    y = limn_reshape(limn_affine(limn_mul(y, x), 100, -100), LIMN_SHAPE(rows * columns, 1, s * s, s * s));
    limn_scope_pop(g);
    return y;
}

/* ---- attention -------------------------------------------------------------------------------------------------------- */

limn_window limn_window_of(int side, int shift, limn_shape picture, int heads, int i)
{
    limn_window window = {.side = side, .heads = heads};
    for (int axis = 0; axis < 2; axis++) window.shift[axis] = i % 2 && picture.dim[1 + axis] > side ? shift : 0;
    return window;
}

limn_node *limn_window_attention(limn_graph *g, const char *name, limn_node *x, limn_window window)
{
    limn_shape d = limn_node_shape(x);
    int64_t s = window.side, width = d.dim[3];
    int down = window.shift[0], right = window.shift[1];
    limn_scope_push(g, "%s", name);
    if (down && down == right)
        limn_scope_note(g, "attention in windows of %d x %d, moved by %d", window.side, window.side, down);
    else if (down || right)
        limn_scope_note(g, "attention in windows of %d x %d, moved by %d x %d", window.side, window.side, down, right);
    else limn_scope_note(g, "attention in windows of %d x %d", window.side, window.side);
    limn_node *bias = relative_positions(g, window.side, window.heads);
    if (down || right) bias = limn_add(bias, edge_mask(g, d.dim[1] / s, d.dim[2] / s, s, window.shift));
    x = limn_window_partition(limn_roll(x, down, right), window.side);
    x = limn_attention_biased(limn_linear(g, "qkv", x, 3 * width), bias, window.heads);
    x = window.starts_at_zero ? limn_linear_zero(g, "proj", x, width) : limn_linear(g, "proj", x, width);
    x = limn_roll(limn_window_merge(x, d.dim[1], d.dim[2]), -down, -right);
    limn_scope_pop(g);
    return x;
}
