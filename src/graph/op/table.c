/* table.c: rows picked from a table, the sinusoids of a timestep, and positions as rotations. */
#include "graph/op/rows.h"

#include <math.h>

static const char *shape_gather(limn_node *node, char *text, size_t text_bytes)
{
    const limn_shape *table = &node->src[0]->shape, *ids = &node->src[1]->shape;
    if (table->rank < 1 || node->src[1]->kind == LIMN_COMPUTE || ids->rank + table->rank - 1 > LIMN_MAX_RANK) {
        snprintf(text, text_bytes, "needs a table of at least one dimension and ids that are whole numbers or kept wide");
        return text;
    }
    node->kind = node->src[0]->kind;
    node->shape = *ids;
    for (int i = 1; i < table->rank; i++) node->shape.dim[node->shape.rank++] = table->dim[i];
    return NULL;
}

static void grad_gather(limn_node *node, limn_node *dy, const bool *want, limn_node **dsrc)
{
    (void)want;
    limn_attr attr = {.shape = node->src[0]->shape};
    dsrc[0] = limn_node_2(LIMN_OP_GATHER_GRAD, dy, node->src[1], &attr);
}

static const char *shape_gather_grad(limn_node *node, char *text, size_t text_bytes)
{
    (void)text, (void)text_bytes;
    node->shape = node->attr.shape;
    node->kind = LIMN_WIDE;
    return NULL;
}

static const char *shape_timestep(limn_node *node, char *text, size_t text_bytes)
{
    int64_t dim = node->attr.shape.dim[0];
    if (node->src[0]->shape.rank != 1 || dim < 2 || dim % 2) {
        snprintf(text, text_bytes, "needs timesteps [n] and an even size, found size %lld", (long long)dim);
        return text;
    }
    node->kind = LIMN_COMPUTE;
    node->shape = LIMN_SHAPE(node->src[0]->shape.dim[0], dim);
    return NULL;
}

/* ---- ROTATE: y = x turn, of complex numbers ---- */

limn_node *limn_rotate(limn_node *x, limn_node *turns)
{
    return limn_node_2(LIMN_OP_ROTATE, x, turns, &(limn_attr){.scale = 1});
}

static const char *shape_rotate(limn_node *node, char *text, size_t text_bytes)
{
    const limn_shape *x = &node->src[0]->shape, *turns = &node->src[1]->shape;
    char a[128], b[128];
    node->shape = *x;
    if (x->rank == 3 && turns->rank == 2 && x->dim[1] == turns->dim[0] && turns->dim[1] % 2 == 0 &&
        x->dim[2] % turns->dim[1] == 0)
        return NULL;
    snprintf(text, text_bytes, "input %s and turns %s are not [B,T,h d] and [T,d] of an even d", limn_shape_text(x, a),
             limn_shape_text(turns, b));
    return text;
}

/* dx = dy turned back */
static void grad_rotate(limn_node *node, limn_node *dy, const bool *want, limn_node **dsrc)
{
    if (want[0]) dsrc[0] = limn_node_2(LIMN_OP_ROTATE, dy, node->src[1], &(limn_attr){.scale = -node->attr.scale});
}

static double flops_rotate(const limn_node *node)
{
    return 3.0 * (double)limn_node_count(node);
}

/* Both products */
static double size_rotate(const limn_node_values *n, int64_t i)
{
    const limn_shape *x = &n->node->src[0]->shape, *turns = &n->node->src[1]->shape;
    const double *turn = n->src[1] + i / x->dim[2] % x->dim[1] * turns->dim[1] + i % turns->dim[1] / 2 * 2;
    return fabs(n->src[0][i] * turn[0]) + fabs(n->src[0][i ^ 1] * turn[1]);
}

static double n_rows(const limn_node *node)
{
    return (double)(node->op == LIMN_OP_GATHER ? node->src[0]->shape : node->attr.shape).dim[0];
}

static double terms_gather_grad(const limn_node *node)
{
    return (double)limn_node_count(node->src[1]);
}

const limn_op_row limn_rows_table[LIMN_N_OPS] = {
    [LIMN_OP_GATHER] = {.name = "gather",
                        .shape = shape_gather,
                        .grad = grad_gather,
                        .domain = {[1] = LIMN_IDS},
                        .ids = n_rows},
    [LIMN_OP_GATHER_GRAD] = {.name = "gather_grad",
                             .shape = shape_gather_grad,
                             .domain = {[1] = LIMN_IDS},
                             .ids = n_rows,
                             .terms = terms_gather_grad,
                             .size = limn_size_result},
    [LIMN_OP_ROTATE] = {.name = "rotate",
                        .shape = shape_rotate,
                        .grad = grad_rotate,
                        .flops = flops_rotate,
                        .domain = {[1] = LIMN_FIXED},
                        .size_at = size_rotate},
    [LIMN_OP_TIMESTEP_EMBEDDING] = {.name = "timestep_embedding", .shape = shape_timestep, .domain = {LIMN_TIMES}},
};
