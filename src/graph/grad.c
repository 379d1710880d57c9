/* grad.c: reverse mode as graph building: walk back from the loss, let each op's rule emit the nodes of its gradient. */
#include "graph/node.h"

#include <stdlib.h>
#include <string.h>

/* needs[id]: some of[] is reached by going down from this node */
static void mark_needed(const limn_graph *g, int n_nodes, bool *needs)
{
    for (int i = 0; i < n_nodes; i++)
        for (int s = 0; s < g->nodes[i]->n_src && !needs[i]; s++) needs[i] = needs[g->nodes[i]->src[s]->id];
}

static limn_status no_rule(limn_graph *g, const limn_node *node, const bool *needs)
{
    const limn_node *leaf = node; /* name one parameter that is cut off */
    while (leaf->n_src) {
        const limn_node *next = NULL;
        for (int s = 0; s < leaf->n_src && !next; s++)
            if (needs[leaf->src[s]->id]) next = leaf->src[s];
        if (!next) break;
        leaf = next;
    }
    return limn_fail(g->ctx, LIMN_BAD_ARGUMENT, "%s, %s has no gradient rule, and lies between the loss and %s",
                     node->scope->path[0] ? node->scope->path : "the graph", limn_op_name(node->op), limn_node_name(leaf));
}

static void accumulate(limn_node **d, limn_node *more)
{
    *d = *d ? limn_add(*d, more) : more;
}

static limn_status step_back(limn_graph *g, limn_node *node, const bool *needs, limn_node **d)
{
    bool want[LIMN_MAX_SRC], any = false;
    for (int s = 0; s < node->n_src; s++) any |= want[s] = needs[node->src[s]->id] && node->src[s]->kind != LIMN_INDEX;
    if (!any) return LIMN_OK;
    const limn_op_row *row = limn_op_find(node->op);
    bool fixed = false;
    for (int s = 0; s < node->n_src; s++) fixed |= want[s] && row->domain[s] == LIMN_FIXED;
    if (!row->grad || fixed || (row->fused && row->fused(node))) return no_rule(g, node, needs);

    limn_node *dsrc[LIMN_MAX_SRC] = {0};
    limn_scope *outer = g->scope;
    g->scope = node->scope; /* gradient nodes live beside what they differentiate */
    row->grad(node, d[node->id], want, dsrc);
    for (int s = 0; s < node->n_src; s++)
        if (want[s] && dsrc[s]) accumulate(&d[node->src[s]->id], dsrc[s]);
    g->scope = outer;
    return g->status;
}

limn_status limn_grad(limn_graph *g, limn_node *loss, int n, limn_node *const *of, limn_node **grads)
{
    if (g->status != LIMN_OK) return g->status;
    if (loss->shape.rank != 0) return limn_fail(g->ctx, LIMN_BAD_ARGUMENT, "the loss must be a single number");
    if (!limn_fuse_before_grad(g, n, of))
        return limn_fail_memory(g->ctx, (size_t)g->n_nodes * sizeof(limn_node *), "gradients");

    int n_nodes = loss->id + 1;
    bool *needs = calloc((size_t)g->n_nodes, sizeof *needs);
    limn_node **d = calloc((size_t)g->n_nodes, sizeof(limn_node *));
    limn_status status = needs && d ? LIMN_OK : limn_fail_memory(g->ctx, (size_t)g->n_nodes * sizeof *d, "gradients");
    if (status == LIMN_OK) {
        if (!g->first_gradient) g->first_gradient = g->n_nodes;
        for (int i = 0; i < n; i++) needs[of[i]->id] = true;
        mark_needed(g, n_nodes, needs);
        d[loss->id] =
            limn_node_as(limn_node_new(g, LIMN_OP_FILL, 0, NULL, &(limn_attr){.scale = 1, .shape = loss->shape}), LIMN_WIDE);
    }
    for (int i = n_nodes - 1; i >= 0 && status == LIMN_OK; i--)
        if (d[i] && needs[i] && g->nodes[i]->n_src) status = step_back(g, g->nodes[i], needs, d);
    for (int i = 0; i < n && status == LIMN_OK; i++) {
        limn_node *grad = d[of[i]->id];
        grads[i] = grad && of[i]->op == LIMN_OP_PARAMETER ? limn_reshape(limn_widen(grad), of[i]->shape) : grad;
    }
    free(needs);
    free(d);
    return status == LIMN_OK ? g->status : status;
}
