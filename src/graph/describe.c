/* describe.c: the drawing is a walk over scopes, so it cannot differ from what runs. */
#include "graph/describe.h"

#include "graph/node.h"

#include <string.h>

typedef struct totals {
    int64_t parameters;
    double flops;
    const limn_node *last;   /* made last inside the scope: its result */
} totals;

static bool within(const limn_scope *scope, const limn_scope *outer)
{
    for (; scope; scope = scope->parent)
        if (scope == outer) return true;
    return false;
}

static totals sum_of(const limn_graph *g, const limn_scope *scope)
{
    totals t = {0};
    for (int i = 0; i < g->n_nodes; i++) {
        const limn_node *node = g->nodes[i];
        if (!within(node->scope, scope)) continue;
        if (node->op == LIMN_OP_PARAMETER) t.parameters += limn_node_count(node);
        else if (node->op > LIMN_OP_PARAMETER) t.flops += limn_node_flops(node), t.last = node;
    }
    return t;
}

int64_t limn_describe_parameters(const limn_graph *g)
{
    return sum_of(g, g->root).parameters;
}

static bool same(const totals *a, const totals *b)
{
    return a->parameters == b->parameters && a->flops == b->flops && a->last && b->last && limn_shape_equal(&a->last->shape, &b->last->shape);
}

/* "blocks.3" and "blocks.4" are of one kind: the names differ in their last number only */
static bool neighbours(const char *a, const char *b)
{
    const char *x = strrchr(a, '.'), *y = strrchr(b, '.');
    return x && y && x - a == y - b && strncmp(a, b, (size_t)(x - a)) == 0;
}

static void count_text(char *out, size_t size, double n)
{
    if (n >= 1e9) snprintf(out, size, "%.2f G", n * 1e-9);
    else if (n >= 1e6) snprintf(out, size, "%.2f M", n * 1e-6);
    else if (n >= 1e3) snprintf(out, size, "%.2f k", n * 1e-3);
    else snprintf(out, size, "%.0f", n);
}

static void line(limn_text *text, int depth, const char *name, const totals *t)
{
    char shape[128] = "", parameters[32], flops[32];
    if (t->last) limn_shape_text(&t->last->shape, shape);
    count_text(parameters, sizeof parameters, (double)t->parameters);
    count_text(flops, sizeof flops, t->flops);
    limn_text_printf(text, "%*s%-*s %-22s %10s  %10sFLOP\n", 2 * depth, "", 40 - 2 * depth, name, shape, parameters, flops);
}

static void walk(limn_text *text, const limn_graph *g, const limn_scope *scope, int depth)
{
    for (const limn_scope *s = scope->first_child; s; s = s->next) {
        totals t = sum_of(g, s);
        const limn_scope *last = s;
        int n = 1;
        while (last->next && neighbours(s->name, last->next->name)) {
            totals next = sum_of(g, last->next);
            if (!same(&t, &next)) break;
            last = last->next;
            n++;
        }
        char name[160];
        if (n > 1) snprintf(name, sizeof name, "%.60s..%.20s  x%d", s->name, strrchr(last->name, '.') + 1, n);
        else snprintf(name, sizeof name, "%.140s", s->name);
        line(text, depth, name, &t);
        if (depth < 3) walk(text, g, s, depth + 1);
        s = last;
    }
}

char *limn_describe_text(const limn_graph *g)
{
    limn_text text = {0};
    limn_text_printf(&text, "%-40s %-22s %10s  %10s\n", "block", "result", "parameters", "one run");
    for (int i = 0; i < g->n_nodes; i++)
        if (g->nodes[i]->op == LIMN_OP_INPUT) {
            char shape[128];
            limn_text_printf(&text, "%-40s %s\n", g->nodes[i]->name, limn_shape_text(&g->nodes[i]->shape, shape));
        }
    walk(&text, g, g->root, 0);
    totals t = sum_of(g, g->root);
    line(&text, 0, "total", &t);
    if (text.failed) limn_text_free(&text);
    return text.bytes;
}
