/* table.c: rows picked from a table, and the sinusoids of a timestep. */
#include "graph/op/rows.h"

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
    [LIMN_OP_TIMESTEP_EMBEDDING] = {.name = "timestep_embedding", .shape = shape_timestep, .domain = {LIMN_TIMES}},
};
