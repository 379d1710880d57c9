/* rewrite_apply.c: copying a graph and driving the rules of rewrite.c over it. */
#include "graph/rewrite.h"

#include <stdlib.h>
#include <string.h>

void limn_graph_rates(const limn_graph *g, bool training, limn_rate *rates)
{
    for (int i = 0; i < g->n_nodes; i++) {
        const limn_node *node = g->nodes[i];
        rates[i] = node->op == LIMN_OP_INPUT                   ? node->rate
                   : node->op == LIMN_OP_PARAMETER && training ? LIMN_PER_STEP
                                                               : LIMN_CONSTANT;
        for (int s = 0; s < node->n_src; s++)
            if (rates[node->src[s]->id] > rates[i]) rates[i] = rates[node->src[s]->id];
    }
}

/* ---- a working state of uses and rates ----------------------------------------------------------------------------- */

static bool rewriter_fill(limn_rewriter *r, int n_outputs, limn_node *const *outputs)
{
    limn_graph *g = r->graph;
    r->capacity = 4 * g->n_nodes + 64;
    r->n_uses = calloc((size_t)r->capacity, sizeof *r->n_uses);
    r->rates = calloc((size_t)r->capacity, sizeof *r->rates);
    if (!r->n_uses || !r->rates) return false;
    for (int i = 0; i < g->n_nodes; i++)
        for (int s = 0; s < g->nodes[i]->n_src; s++) r->n_uses[g->nodes[i]->src[s]->id]++;
    for (int i = 0; i < n_outputs; i++) r->n_uses[outputs[i]->id] += 2; /* an output's value must stay: never fused away */
    limn_graph_rates(g, false, r->rates);
    return true;
}

static void rewriter_clear(limn_rewriter *r)
{
    free(r->n_uses);
    free(r->rates);
    r->n_uses = NULL;
    r->rates = NULL;
}

/* Nodes are re-sorted (sources first) after each rule, so an inserted node may lie at the end until then. */
limn_node *limn_rewriter_insert(limn_rewriter *r, limn_node *before, limn_op op, int n_src, limn_node *const *src)
{
    limn_graph *g = r->graph;
    if (g->n_nodes >= r->capacity) return NULL;
    limn_scope *outer = g->scope;
    g->scope = before->scope;
    limn_attr attr = before->attr;
    if (op == LIMN_OP_CONCAT) attr = (limn_attr){.axis = 0};
    limn_node *node = limn_node_new(g, LIMN_OP_FILL, 0, NULL, &(limn_attr){.shape = LIMN_SHAPE(1)});
    g->scope = outer;
    if (node->op == LIMN_OP_ERROR) {
        r->failed = true;
        return NULL;
    }
    node->made = LIMN_MADE_LATE;
    node->op = op;
    node->attr = attr;
    node->kind = src[0]->kind;
    node->n_src = n_src;
    limn_rate rate = LIMN_CONSTANT;
    for (int i = 0; i < n_src; i++) {
        node->src[i] = src[i];
        r->n_uses[src[i]->id]++;
        if (r->rates[src[i]->id] > rate) rate = r->rates[src[i]->id];
    }
    char text[512];
    limn_op_find(op)->shape(node, text, sizeof text);
    r->n_uses[node->id] = 1;
    r->rates[node->id] = rate;
    return node;
}

/* ---- sorting -------------------------------------------------------------------------------------------------------- */

/* Depth first; iterative, since networks are thousands of nodes deep. */
typedef struct visit {
    limn_node *node;
    int next_src;
} visit;

static int sort_from(limn_node *root, bool *seen, visit *stack, limn_node **order, int n)
{
    int depth = 0;
    if (seen[root->id]) return n;
    seen[root->id] = true;
    stack[depth++] = (visit){root, 0};
    while (depth) {
        visit *top = &stack[depth - 1];
        if (top->next_src < top->node->n_src) {
            limn_node *s = top->node->src[top->next_src++];
            if (!seen[s->id]) {
                seen[s->id] = true;
                stack[depth++] = (visit){s, 0};
            }
        } else {
            order[n++] = top->node;
            depth--;
        }
    }
    return n;
}

static int by_making(const void *a, const void *b)
{
    const limn_node *x = *(limn_node *const *)a, *y = *(limn_node *const *)b;
    return x->made != y->made ? (x->made < y->made ? -1 : 1) : (x->id > y->id) - (x->id < y->id);
}

bool limn_graph_sort(limn_graph *g, int n_outputs, limn_node *const *outputs)
{
    size_t n = (size_t)g->n_nodes;
    bool *seen = calloc(n + 1, sizeof *seen);
    visit *stack = calloc(n + 1, sizeof *stack);
    limn_node **needed = calloc(n + 1, sizeof(limn_node *)), **order = calloc(n + 1, sizeof(limn_node *));
    bool fine = seen && stack && needed && order;
    if (fine) {
        int count = 0, placed = 0;
        for (int i = 0; i < n_outputs; i++) count = sort_from(outputs[i], seen, stack, needed, count);
        for (int i = 0; n_outputs == 0 && i < g->n_nodes; i++) needed[count++] = g->nodes[i];
        qsort(needed, (size_t)count, sizeof *needed, by_making);
        memset(seen, 0, n);
        for (int i = 0; i < count; i++) placed = sort_from(needed[i], seen, stack, order, placed);
        for (int i = 0; i < count; i++) {
            g->nodes[i] = order[i];
            order[i]->id = i;
        }
        g->n_nodes = count;
    }
    free(seen);
    free(stack);
    free(needed);
    free(order);
    return fine;
}

/* ---- rules ---------------------------------------------------------------------------------------------------------- */

static int apply_once(limn_rewriter *r, const limn_rule *rule)
{
    int n = 0, n_nodes = r->graph->n_nodes;
    for (int i = 0; i < n_nodes; i++) {
        limn_node *node = r->graph->nodes[rule->backward ? n_nodes - 1 - i : i];
        if (r->n_uses[node->id] && node->n_src && rule->apply(r, node)) n++;
    }
    return n;
}

int limn_rule_apply(limn_graph *g, const limn_rule *rule, int n_outputs, limn_node *const *outputs)
{
    int total = 0, n;
    do {
        limn_rewriter r = {.graph = g};
        bool fine = rewriter_fill(&r, n_outputs, outputs);
        n = fine ? apply_once(&r, rule) : 0;
        rewriter_clear(&r);
        if (!fine || r.failed || !limn_graph_sort(g, n_outputs, outputs)) return -1;
        total += n;
    } while (n);
    return total;
}

bool limn_fuse_before_grad(limn_graph *g, int n_kept, limn_node *const *kept)
{
    bool fine = true;
    for (const limn_rule *rule = limn_rules; rule->name && fine; rule++) {
        limn_rewriter r = {.graph = g};
        if (!rule->before_grad) continue;
        fine = rewriter_fill(&r, n_kept, kept);
        if (fine) apply_once(&r, rule);
        rewriter_clear(&r);
        fine = fine && !r.failed;
    }
    return fine;
}

/* ---- copy ----------------------------------------------------------------------------------------------------------- */

limn_graph *limn_rewrite(limn_graph *g, int n_outputs, limn_node **outputs, bool fuse)
{
    limn_graph *copy = limn_graph_new(g->ctx);
    limn_node **twin = calloc((size_t)g->n_nodes + 1, sizeof(limn_node *));
    bool fine = copy && twin;
    for (int i = 0; fine && i < g->n_nodes; i++) {
        twin[i] = limn_node_copy(copy, g->nodes[i]); /* scopes and names stay those of g, which outlives the copy */
        fine = twin[i] != copy->error;
        for (int s = 0; fine && s < twin[i]->n_src; s++) twin[i]->src[s] = twin[g->nodes[i]->src[s]->id];
    }
    for (int i = 0; fine && i < n_outputs; i++) outputs[i] = twin[outputs[i]->id];
    free(twin);
    if (fine) copy->first_gradient = g->first_gradient;
    fine = fine && limn_graph_sort(copy, n_outputs, outputs);
    for (const limn_rule *rule = limn_rules; fine && fuse && rule->name; rule++)
        fine = limn_rule_apply(copy, rule, n_outputs, outputs) >= 0;
    if (fine) return copy;
    limn_graph_free(copy);
    return NULL;
}
