/* graph.c: the graph itself: arena, scopes, leaves, and the one way a node is made. */
#include "base/rng.h"
#include "graph/op/rows.h"

#include <stdlib.h>
#include <string.h>

limn_shape limn_shape_make(int rank, const int64_t *dim)
{
    limn_shape shape = {.rank = rank < 0 || rank > LIMN_MAX_RANK ? -1 : rank};
    for (int i = 0; i < shape.rank; i++) shape.dim[i] = dim[i];
    return shape;
}

limn_graph *limn_graph_new(limn_ctx *ctx)
{
    limn_arena *arena = limn_arena_new();
    limn_graph *g = arena ? limn_arena_alloc(arena, sizeof *g) : NULL;
    limn_scope *root = g ? limn_arena_alloc(arena, sizeof *root) : NULL;
    limn_node *error = root ? limn_arena_alloc(arena, sizeof *error) : NULL;
    if (!error) {
        limn_arena_free(arena);
        limn_fail_memory(ctx, sizeof *g, "a graph");
        return NULL;
    }
    *root = (limn_scope){.name = "", .path = ""};
    *error = (limn_node){.graph = g, .op = LIMN_OP_ERROR, .id = -1, .scope = root};
    *g = (limn_graph){.ctx = ctx, .arena = arena, .root = root, .scope = root, .error = error};
    return g;
}

void limn_graph_free(limn_graph *g)
{
    if (!g) return;
    free(g->nodes);
    free(g->parameters);
    limn_arena_free(g->arena); /* g lies in it */
}

limn_status limn_graph_status(limn_graph *g)
{
    return g->status;
}

limn_node *limn_node_no_memory(limn_graph *g)
{
    if (g->status == LIMN_OK) g->status = limn_fail_memory(g->ctx, sizeof(limn_node), "a graph node");
    return g->error;
}

void limn_scope_push(limn_graph *g, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *name = limn_arena_printf_list(g->arena, format, args);
    va_end(args);
    if (!name) {
        limn_node_no_memory(g);
        return;
    }
    for (limn_scope *s = g->scope->first_child; s; s = s->next)
        if (strcmp(s->name, name) == 0) {
            g->scope = s;
            return;
        }
    limn_scope *s = limn_arena_alloc(g->arena, sizeof *s);
    if (!s) {
        limn_node_no_memory(g);
        return;
    }
    *s = (limn_scope){.parent = g->scope, .name = name};
    s->path = g->scope->path[0] ? limn_arena_join(g->arena, g->scope->path, name) : name;
    if (!s->path) {
        limn_node_no_memory(g);
        return;
    }
    if (g->scope->last_child) g->scope->last_child->next = s;
    else g->scope->first_child = s;
    g->scope->last_child = s;
    g->scope = s;
}

void limn_scope_pop(limn_graph *g)
{
    if (g->scope->parent) g->scope = g->scope->parent;
}

void limn_scope_note(limn_graph *g, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g->scope->note = limn_arena_printf_list(g->arena, format, args);
    va_end(args);
    if (!g->scope->note) limn_node_no_memory(g);
}

limn_shape limn_node_shape(const limn_node *node)
{
    return node->shape;
}

const char *limn_node_name(const limn_node *node)
{
    return node->name ? node->name : limn_op_name(node->op);
}

int64_t limn_node_count(const limn_node *node)
{
    return limn_shape_count(&node->shape);
}

int64_t limn_node_parameters(const limn_node *parameter)
{
    return parameter->init.grid_stored ? 0 : limn_node_count(parameter);
}

double limn_node_flops(const limn_node *node)
{
    const limn_op_row *row = limn_op_find(node->op);
    return row->flops ? row->flops(node) : (double)limn_node_count(node);
}

limn_node *limn_node_error(limn_graph *g, limn_op op, const char *format, ...)
{
    if (g->status != LIMN_OK) return g->error;
    char text[512];
    va_list args;
    va_start(args, format);
    limn_format_list(text, sizeof text, format, args);
    va_end(args);
    g->status = limn_fail(g->ctx, LIMN_BAD_ARGUMENT, "%s%s%s: %s", g->scope->path, g->scope->path[0] ? ", " : "",
                          limn_op_name(op), text);
    return g->error;
}

static bool grow(void **array, int n, int *capacity, size_t item)
{
    if (n < *capacity) return true;
    int wanted = *capacity ? 2 * *capacity : 256;
    void *bigger = realloc(*array, (size_t)wanted * item);
    if (!bigger) return false;
    *array = bigger;
    *capacity = wanted;
    return true;
}

static limn_node *append(limn_graph *g, const limn_node *value)
{
    limn_node *node = limn_arena_alloc(g->arena, sizeof *node);
    if (!node || !grow((void **)&g->nodes, g->n_nodes, &g->capacity, sizeof *g->nodes)) return limn_node_no_memory(g);
    *node = *value;
    node->graph = g;
    node->id = node->made = g->n_nodes;
    node->scope = g->scope;
    g->nodes[g->n_nodes++] = node;
    return node;
}

/* WIDE when every float source is wide (parameters do not vote), INDEX never: the rule of all elementwise ops. */
static limn_kind kind_of_sources(const limn_node *node)
{
    bool wide = false, compute = false;
    for (int i = 0; i < node->n_src; i++) {
        const limn_node *s = node->src[i];
        if (s->kind == LIMN_WIDE) wide = true;
        if (s->kind == LIMN_COMPUTE && s->op != LIMN_OP_PARAMETER) compute = true;
    }
    return wide && !compute ? LIMN_WIDE : LIMN_COMPUTE;
}

static bool shape_is_sound(limn_shape shape)
{
    if (shape.rank < 0 || shape.rank > LIMN_MAX_RANK) return false;
    int64_t n = 1;
    for (int i = 0; i < shape.rank; i++)
        if (shape.dim[i] < 1 || __builtin_mul_overflow(n, shape.dim[i], &n) || n > LIMN_MAX_COUNT) return false;
    return true;
}

limn_node *limn_node_new(limn_graph *g, limn_op op, int n_src, limn_node *const *src, const limn_attr *attr)
{
    limn_node node = {.graph = g, .op = op, .n_src = n_src};
    if (attr) node.attr = *attr;
    for (int i = 0; i < n_src; i++) {
        if (src[i]->op == LIMN_OP_ERROR || g->status != LIMN_OK) return g->error;
        node.src[i] = src[i];
    }
    node.kind = kind_of_sources(&node);
    char text[512] = "";
    const char *wrong = limn_op_find(op)->shape(&node, text, sizeof text);
    if (wrong) return limn_node_error(g, op, "%s", wrong);
    if (!shape_is_sound(node.shape))
        return limn_node_error(g, op, "the result has a dimension below 1, or too many elements");
    return append(g, &node);
}

limn_node *limn_node_copy(limn_graph *g, const limn_node *node)
{
    limn_node *copy = append(g, node);
    if (copy != g->error) copy->scope = node->scope, copy->made = node->made;
    return copy;
}

limn_node *limn_node_as(limn_node *node, limn_kind kind)
{
    if (node->op != LIMN_OP_ERROR) node->kind = kind;
    return node;
}

limn_node *limn_input(limn_graph *g, const char *name, limn_kind kind, limn_shape shape, limn_rate rate)
{
    if (g->status != LIMN_OK) return g->error;
    if (!shape_is_sound(shape))
        return limn_node_error(g, LIMN_OP_INPUT, "%s has a dimension below 1, or too many elements", name);
    limn_node node = {
        .op = LIMN_OP_INPUT, .kind = kind, .rate = rate, .shape = shape, .name = limn_arena_strdup(g->arena, name)};
    return node.name ? append(g, &node) : limn_node_no_memory(g);
}

limn_node *limn_parameter(limn_graph *g, const char *name, limn_shape shape, limn_init init)
{
    if (g->status != LIMN_OK) return g->error;
    const char *full =
        g->scope->path[0] ? limn_arena_join(g->arena, g->scope->path, name) : limn_arena_strdup(g->arena, name);
    if (!full) return limn_node_no_memory(g);
    if (!shape_is_sound(shape))
        return limn_node_error(g, LIMN_OP_PARAMETER, "%s has a dimension below 1, or too many elements", full);
    limn_node **same = &g->by_name[limn_hash_name(full) % LIMN_NAME_LISTS];
    for (limn_node *known = *same; known; known = known->same) {
        if (strcmp(known->name, full) != 0) continue;
        if (limn_shape_equal(&known->shape, &shape)) return known;
        return limn_node_error(g, LIMN_OP_PARAMETER, "%s is used with two different shapes", full);
    }
    if (!grow((void **)&g->parameters, g->n_parameters, &g->parameter_capacity, sizeof *g->parameters))
        return limn_node_no_memory(g);
    limn_node node = {
        .op = LIMN_OP_PARAMETER, .kind = LIMN_COMPUTE, .shape = shape, .name = full, .init = init, .same = *same};
    limn_node *made = append(g, &node);
    if (made != g->error) g->parameters[g->n_parameters++] = *same = made;
    return made;
}
