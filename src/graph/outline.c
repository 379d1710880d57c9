/* outline.c: the tree of blocks and lines; see outline.h. */
#include "graph/outline.h"

#include <stdlib.h>
#include <string.h>

static bool encloses(const limn_scope *outer, const limn_scope *scope)
{
    for (; scope; scope = scope->parent)
        if (scope == outer) return true;
    return false;
}

/* Whether an earlier visit of the parent's scope, or this one, has entered scope before. */
static bool visited(const limn_item *parent, const limn_scope *scope)
{
    for (const limn_item *visit = parent->continued ? parent->parent->first : parent; visit; visit = visit->next)
        for (const limn_item *i = visit->first; i && visit->scope == parent->scope; i = i->next)
            if (i->scope == scope) return true;
    return false;
}

static limn_item *add_item(limn_outline *o, limn_item *parent, limn_item value)
{
    limn_item *item = limn_arena_alloc(o->arena, sizeof *item);
    if (!item) {
        o->failed = true;
        return parent;
    }
    *item = value;
    item->parent = parent;
    item->previous = parent->last;
    item->continued = item->scope && visited(parent, item->scope);
    if (parent->last) parent->last->next = item;
    else parent->first = item;
    return parent->last = item;
}

/* The item of `scope`, entered from `current`: up to what encloses both, then down. */
static limn_item *enter(limn_outline *o, limn_item *current, const limn_scope *scope, int node)
{
    while (!encloses(current->scope, scope)) current = current->parent;
    while (current->scope != scope && !o->failed) {
        const limn_scope *next = scope;
        while (next->parent != current->scope) next = next->parent;
        current = add_item(o, current,
                           (limn_item){.scope = next,
                                       .name = next->name,
                                       .note = next->note ? next->note : "",
                                       .from = "",
                                       .begin = node,
                                       .end = node});
    }
    return current;
}

static void count_uses(limn_outline *o)
{
    for (int i = 0; i < o->g->n_nodes; i++) o->last_use[i] = -1;
    for (int i = 0; i < o->g->n_nodes; i++)
        for (int s = 0; s < o->g->nodes[i]->n_src; s++) {
            int id = o->g->nodes[i]->src[s]->id;
            o->n_uses[id]++;
            o->last_use[id] = i;
        }
}

/* A linear layer reads its weight as it is or through a view. */
static const limn_node *parameter_under(const limn_node *node)
{
    while (node->op == LIMN_OP_VIEW) node = node->src[0];
    return node->op == LIMN_OP_PARAMETER ? node : NULL;
}

static void add_line(limn_outline *o, limn_item *block, const limn_node *node)
{
    limn_item *line = add_item(
        o, block, (limn_item){.node = node, .name = "", .note = "", .from = "", .begin = node->id, .end = node->id + 1});
    if (o->failed) return;
    line->flops = node->op > LIMN_OP_PARAMETER ? limn_node_flops(node) : 0;
    for (int s = 0; s < node->n_src; s++) {
        const limn_node *p = parameter_under(node->src[s]);
        if (!p || o->counted[p->id]) continue;
        o->counted[p->id] = true;
        line->parameters += limn_node_parameters(p);
    }
    o->line[node->id] = line;
    limn_outline_label(o, line);
}

static void walk(limn_outline *o)
{
    limn_item *current = o->root;
    for (int i = 0; i < o->g->n_nodes && !o->failed; i++) {
        const limn_node *node = o->g->nodes[i];
        current = enter(o, current, node->scope, i);
        for (limn_item *item = current; item; item = item->parent) {
            item->end = i + 1;
            if (node->op == LIMN_OP_PARAMETER) item->parameters += limn_node_parameters(node);
            else if (node->op > LIMN_OP_PARAMETER) item->flops += limn_node_flops(node);
        }
        if (limn_outline_has_line(o, node)) add_line(o, current, node);
    }
    for (int i = 0; i < o->g->n_nodes && !o->failed; i++) {
        const limn_node *owner = o->owner[i];
        if (owner && o->line[owner->id]) o->line[owner->id]->flops += limn_node_flops(o->g->nodes[i]);
    }
}

/* A block's result: the largest value read after it (or by nobody), the last of equals. */
static void find_result(const limn_outline *o, limn_item *block)
{
    for (int i = block->begin; i < block->end; i++) {
        const limn_node *node = o->g->nodes[i];
        if (node->op <= LIMN_OP_PARAMETER || (o->last_use[i] >= 0 && o->last_use[i] < block->end)) continue;
        if (!block->node || limn_node_count(node) >= limn_node_count(block->node)) block->node = node;
    }
}

/* A block of one line that has no name of its own is that line under the block's name ("proj"). */
static void finish(const limn_outline *o, limn_item *item)
{
    if (!item->scope) return;
    find_result(o, item);
    for (limn_item *i = item->first; i; i = i->next) finish(o, i);
    limn_item *only = item->first;
    if (item == o->root || !only || only != item->last || only->scope || item->note[0] || item->continued) return;
    if (strcmp(only->name, limn_op_name(only->node->op)) != 0) return;
    item->note = only->note;
    item->from = only->from;
    item->first = item->last = NULL;
}

limn_outline *limn_outline_new(const limn_graph *g)
{
    limn_arena *arena = limn_arena_new();
    limn_outline *o = arena ? limn_arena_alloc(arena, sizeof *o) : NULL;
    size_t n = (size_t)g->n_nodes + 1;
    if (o) {
        *o = (limn_outline){.g = g,
                            .arena = arena,
                            .root = limn_arena_alloc(arena, sizeof *o->root),
                            .line = limn_arena_alloc(arena, n * sizeof *o->line),
                            .n_uses = limn_arena_alloc(arena, n * sizeof *o->n_uses),
                            .last_use = limn_arena_alloc(arena, n * sizeof *o->last_use),
                            .owner = limn_arena_alloc(arena, n * sizeof *o->owner),
                            .counted = limn_arena_alloc(arena, n),
                            .mark = limn_arena_alloc(arena, n)};
        o->failed = !o->root || !o->line || !o->n_uses || !o->last_use || !o->owner || !o->counted || !o->mark;
    }
    if (o && !o->failed) {
        *o->root = (limn_item){.scope = g->root, .name = "", .note = "", .from = ""};
        count_uses(o);
        limn_outline_absorb(o);
        walk(o);
        finish(o, o->root);
    }
    if (o && !o->failed) return o;
    limn_arena_free(arena);
    return NULL;
}

void limn_outline_free(limn_outline *o)
{
    if (o) limn_arena_free(o->arena); /* o lies in it */
}

/* "blocks.3" before "blocks.4": equal but for the last number, which goes up by one. */
static bool neighbours(const limn_item *a, const limn_item *b)
{
    const char *x = strrchr(a->name, '.'), *y = strrchr(b->name, '.');
    if (!a->scope || !b->scope || !x || !y || x - a->name != y - b->name ||
        strncmp(a->name, b->name, (size_t)(x - a->name)) != 0)
        return false;
    char *x_end, *y_end;
    long p = strtol(x + 1, &x_end, 10), q = strtol(y + 1, &y_end, 10);
    return x[1] && y[1] && !*x_end && !*y_end && q == p + 1;
}

static bool alike(const limn_item *a, const limn_item *b, bool top)
{
    if (!a->scope != !b->scope || a->parameters != b->parameters || a->flops != b->flops || a->continued != b->continued)
        return false;
    if ((!top && strcmp(a->name, b->name) != 0) || strcmp(a->note, b->note) != 0 || !a->node != !b->node) return false;
    if (a->node && !limn_shape_equal(&a->node->shape, &b->node->shape)) return false;
    const limn_item *x = a->first, *y = b->first;
    for (; x && y; x = x->next, y = y->next)
        if (!alike(x, y, false)) return false;
    return !x && !y;
}

int limn_outline_repeats(const limn_item *item)
{
    int n = 1;
    for (const limn_item *i = item; i->next && neighbours(i, i->next) && alike(i, i->next, true); i = i->next) n++;
    return n;
}
