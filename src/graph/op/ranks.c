/* ranks.c: y = mean over ranks of x: of what N processes that train together have of a few numbers (comm/comm.h). */
#include "graph/op/rows.h"

limn_node *limn_mean_of_ranks(limn_node *x)
{
    return limn_node_1(LIMN_OP_MEAN_OF_RANKS, x, NULL);
}

static const char *shape_mean(limn_node *node, char *text, size_t text_bytes)
{
    node->kind = LIMN_WIDE;
    return limn_shape_first(node, text, text_bytes);
}

/* What is learned goes down L = mean over ranks of L_r, and who trains takes the mean of what each rank has as its gradient.
 * So that of rank r is d(sum of all L) / dx_r = sum over s of dL_s/dy 1/N, of which rank s has dy = dL_s/dy: their mean. */
static void grad_mean(limn_node *node, limn_node *dy, const bool *want, limn_node **dsrc)
{
    (void)want;
    dsrc[0] = limn_node_as(limn_mean_of_ranks(dy), LIMN_WIDE);
    if (node->src[0]->kind != LIMN_WIDE) dsrc[0] = limn_narrow(dsrc[0]);
}

const limn_op_row limn_rows_ranks[LIMN_N_OPS] = {
    [LIMN_OP_MEAN_OF_RANKS] = {.name = "mean_of_ranks", .shape = shape_mean, .grad = grad_mean},
};
