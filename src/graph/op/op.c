/* op.c: finding an op's row, and helpers that several families use. */
#include "graph/op/rows.h"

#include <math.h>

static const char *no_shape(limn_node *node, char *text, size_t text_bytes)
{
    (void)node;
    snprintf(text, text_bytes, "this op is not made by a constructor");
    return text;
}

static const limn_op_row leaves[LIMN_N_OPS] = {
    [LIMN_OP_ERROR] = {.name = "error", .shape = no_shape, .never_runs = "stands for a failed constructor, never runs"},
    [LIMN_OP_INPUT] = {.name = "input", .shape = no_shape, .never_runs = "holds the caller's values, never runs"},
    [LIMN_OP_PARAMETER] = {.name = "parameter", .shape = no_shape, .never_runs = "holds the caller's values, never runs"},
};

const limn_op_row *limn_op_find(limn_op op)
{
    const limn_op_row *const families[] = {leaves,         limn_rows_shape,   limn_rows_elementwise, limn_rows_linear,
                                           limn_rows_norm, limn_rows_softmax, limn_rows_attention,   limn_rows_table,
                                           limn_rows_conv, limn_rows_pool,    limn_rows_group_norm,  limn_rows_ranks};
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (families[i][op].name) return &families[i][op];
    return &leaves[LIMN_OP_ERROR];
}

const char *limn_op_name(limn_op op)
{
    return limn_op_find(op)->name;
}

const char *limn_shape_first(limn_node *node, char *text, size_t text_bytes)
{
    (void)text, (void)text_bytes;
    node->shape = node->src[0]->shape;
    return NULL;
}

const char *limn_shape_same(limn_node *node, char *text, size_t text_bytes)
{
    node->shape = node->src[0]->shape;
    for (int i = 1; i < node->n_src; i++)
        if (!limn_shape_equal(&node->shape, &node->src[i]->shape)) {
            char a[128], b[128];
            snprintf(text, text_bytes, "operands differ in shape: %s and %s", limn_shape_text(&node->shape, a),
                     limn_shape_text(&node->src[i]->shape, b));
            return text;
        }
    return NULL;
}

bool limn_broadcast(const limn_shape *a, const limn_shape *b, limn_shape *out)
{
    *out = (limn_shape){.rank = a->rank > b->rank ? a->rank : b->rank};
    for (int i = 0; i < out->rank; i++) { /* from the last dimension on */
        int64_t x = i < a->rank ? a->dim[a->rank - 1 - i] : 1, y = i < b->rank ? b->dim[b->rank - 1 - i] : 1;
        if (x != y && x != 1 && y != 1) return false;
        out->dim[out->rank - 1 - i] = x > y ? x : y;
    }
    return true;
}

limn_node *limn_node_1(limn_op op, limn_node *a, const limn_attr *attr)
{
    return limn_node_new(a->graph, op, 1, &a, attr);
}

limn_node *limn_node_2(limn_op op, limn_node *a, limn_node *b, const limn_attr *attr)
{
    return limn_node_new(a->graph, op, 2, (limn_node *[]){a, b}, attr);
}

limn_node *limn_node_3(limn_op op, limn_node *a, limn_node *b, limn_node *c, const limn_attr *attr)
{
    return limn_node_new(a->graph, op, 3, (limn_node *[]){a, b, c}, attr);
}

limn_node *limn_part(limn_node *flat, int64_t begin, limn_shape shape)
{
    return limn_node_1(LIMN_OP_VIEW, flat, &(limn_attr){.begin = begin, .shape = shape});
}

limn_node *limn_reduce_like(limn_node *dy, limn_node *src)
{
    limn_kind kind = src->op == LIMN_OP_PARAMETER || src->kind == LIMN_WIDE ? LIMN_WIDE : LIMN_COMPUTE;
    if (dy->op == LIMN_OP_ERROR || limn_shape_equal(&dy->shape, &src->shape)) return dy;
    return limn_node_as(limn_sum_to(dy, src->shape), kind);
}

/* ---- sizes of sums ---------------------------------------------------------------------------------------------------- */

double limn_terms_cols(const limn_node *node)
{
    return (double)limn_shape_cols(&node->src[0]->shape);
}

double limn_terms_rows(const limn_node *node)
{
    return (double)limn_shape_rows(&node->src[0]->shape);
}

double limn_largest(const double *x, int64_t n)
{
    double max = 0;
    for (int64_t i = 0; i < n; i++)
        if (isfinite(x[i])) max = fmax(max, fabs(x[i]));
    return max;
}

static double rms(const double *x, int64_t n)
{
    double sum = 0, count = 0;
    for (int64_t i = 0; i < n; i++)
        if (isfinite(x[i])) sum += x[i] * x[i], count++;
    return count ? sqrt(sum / count) : 0;
}

double limn_largest_of(const limn_node_values *n, int s)
{
    return s < n->node->n_src ? limn_largest(n->src[s], limn_node_count(n->node->src[s])) : 0;
}

double limn_rms_of(const limn_node_values *n, int s)
{
    return s < n->node->n_src ? rms(n->src[s], limn_node_count(n->node->src[s])) : 0;
}

double limn_size_result(const limn_node_values *n)
{
    return rms(n->y, limn_node_count(n->node));
}

double limn_size_product(const limn_node_values *n)
{
    unsigned flags = n->node->attr.flags;
    double sum = sqrt(limn_op_find(n->node->op)->terms(n->node)) * limn_rms_of(n, 0) * limn_rms_of(n, 1);
    if (flags & LIMN_HAS_GATE) sum *= limn_largest_of(n, flags & LIMN_HAS_BIAS ? 3 : 2);
    return flags & LIMN_HAS_RESIDUAL ? sum + limn_largest_of(n, n->node->n_src - 1) : sum;
}

uint32_t limn_op_keeps(limn_op op, int i)
{
    uint32_t f16 = 1u << LIMN_F16, blocks = (1u << LIMN_N_DTYPES) - (1u << LIMN_F8_E4M3);
    if (op == LIMN_OP_GATHER) return i == 0 ? f16 : 0;
    if (i != 1 || limn_op_find(op)->multiplies != LIMN_BY_WEIGHT) return 0;
    return op == LIMN_OP_LINEAR ? f16 | blocks : f16;
}
