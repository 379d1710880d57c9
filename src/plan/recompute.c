/* recompute.c: memory for time in training (Chen et al. 2016).  A recomputed scope ("blocks.3" of the prefix "blocks.")
 * keeps only the values that cross its border.  What its backward pass needs from the inside is computed again, just before
 * its first use.
 *
 * It works on the plan's own graph after the fusions, so the second computation takes the same kernels and gives the same
 * bits. A chain that is rooted in the backward pass may have swallowed forward nodes: it belongs to the backward pass. */
#include "graph/rewrite.h"
#include "plan/plan.h"

#include <stdlib.h>
#include <string.h>

typedef struct inside {
    limn_graph *g;
    int n;                       /* nodes before any was added */
    const limn_scope **scope;    /* by id: the recomputed scope a forward node lies in, or NULL */
    bool *kept, *again;          /* by id: crosses the border; is computed a second time */
    limn_node **twin;            /* by id: the second computation */
} inside;

/* The outermost scope around a node whose path is the prefix and something more. */
static const limn_scope *scope_around(const limn_scope *s, const char *prefix)
{
    const limn_scope *found = NULL;
    size_t n = strlen(prefix);
    for (; s; s = s->parent)
        if (strncmp(s->path, prefix, n) == 0 && s->path[n]) found = s;
    return found;
}

static bool is_forward(const limn_graph *g, const limn_node *node)
{
    return node->made < g->first_gradient;
}

/* A node made late by a rewrite runs for its users: it is forward when one of them is. */
static void find_scopes(inside *in, const char *prefix)
{
    for (int i = in->n - 1; i >= 0; i--) {
        limn_node *node = in->g->nodes[i];
        for (int s = 0; s < node->n_src; s++)
            if (node->src[s]->made == LIMN_MADE_LATE && is_forward(in->g, node)) node->src[s]->made = node->made;
        if (node->op > LIMN_OP_PARAMETER && is_forward(in->g, node)) in->scope[i] = scope_around(node->scope, prefix);
    }
}

/* A view has no memory of its own: where it is kept, its source is. */
static void find_kept(inside *in, int n_outputs, limn_node *const *outputs)
{
    for (int i = 0; i < n_outputs; i++) in->kept[outputs[i]->id] = true;
    for (int i = in->n - 1; i >= 0; i--) {
        const limn_node *node = in->g->nodes[i];
        if (node->op == LIMN_OP_VIEW && in->kept[i]) in->kept[node->src[0]->id] = true;
        for (int s = 0; s < node->n_src && is_forward(in->g, node); s++)
            if (in->scope[node->src[s]->id] != in->scope[i]) in->kept[node->src[s]->id] = true;
    }
}

static void find_again(inside *in)
{
    for (int i = in->n - 1; i >= 0; i--) {
        const limn_node *node = in->g->nodes[i];
        if (is_forward(in->g, node) && !in->again[i]) continue;
        for (int s = 0; s < node->n_src; s++) {
            int src = node->src[s]->id;
            if (in->scope[src] && !in->kept[src]) in->again[src] = true;
        }
    }
}

static bool add_twins(inside *in)
{
    for (int i = 0; i < in->n; i++) {
        if (!in->again[i]) continue;
        limn_node *twin = limn_node_copy(in->g, in->g->nodes[i]);
        if (twin == in->g->error) return false;
        twin->made = LIMN_MADE_AGAIN;
        in->twin[i] = twin;
    }
    for (int i = 0; i < in->g->n_nodes; i++) {
        limn_node *node = in->g->nodes[i];
        if (i < in->n && is_forward(in->g, node)) continue;
        for (int s = 0; s < node->n_src; s++)
            if (in->twin[node->src[s]->id]) node->src[s] = in->twin[node->src[s]->id];
    }
    return true;
}

static bool any_scope(const inside *in)
{
    for (int i = 0; i < in->n; i++)
        if (in->scope[i]) return true;
    return false;
}

static limn_status no_scope(limn_plan *plan)
{
    char names[256] = "";
    size_t n = 0;
    for (const limn_scope *s = plan->drawn->root->first_child; s && n + 64 < sizeof names; s = s->next)
        n += (size_t)snprintf(names + n, sizeof names - n, "%s%.48s", n ? ", " : "", s->name);
    return limn_fail(plan->ctx, LIMN_BAD_ARGUMENT, "no scope to recompute begins with \"%.100s\"; the network has %s",
                     plan->options.recompute, names);
}

limn_status limn_plan_recompute(limn_plan *plan)
{
    limn_graph *g = plan->graph;
    if (!plan->options.recompute || !g->first_gradient) return LIMN_OK;
    size_t n = (size_t)g->n_nodes;
    inside in = {.g = g,
                 .n = g->n_nodes,
                 .scope = calloc(n + 1, sizeof *in.scope),
                 .kept = calloc(2 * n + 1, 1),
                 .again = calloc(n + 1, 1),
                 .twin = calloc(2 * n + 1, sizeof(limn_node *))};
    bool fine = in.scope && in.kept && in.again && in.twin, found = true;
    if (fine) {
        find_scopes(&in, plan->options.recompute);
        found = any_scope(&in);
        find_kept(&in, plan->n_outputs, plan->outputs);
        find_again(&in);
        fine = add_twins(&in) && limn_graph_sort(g, plan->n_outputs, plan->outputs);
    }
    free(in.scope);
    free(in.kept);
    free(in.again);
    free(in.twin);
    if (!fine) return limn_fail_memory(plan->ctx, n * sizeof(limn_node), "a plan's graph");
    return found ? LIMN_OK : no_scope(plan);
}
