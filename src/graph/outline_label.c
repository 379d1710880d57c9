/* outline_label.c: what a line says: its name, what the op does, and where its sources come from. */
#include "graph/outline.h"

#include <string.h>

static const char *const activations[LIMN_N_ACTIVATIONS] = {
    [LIMN_IDENTITY] = "identity", [LIMN_RELU] = "ReLU",           [LIMN_SILU] = "SiLU",
    [LIMN_GELU_TANH] = "GELU",    [LIMN_GELU_ERF] = "GELU (erf)", [LIMN_GELU_QUICK] = "quick GELU",
    [LIMN_TANH] = "tanh",
};

static const char *textf(limn_outline *o, const char *format, ...) __attribute__((format(printf, 2, 3)));
static const char *textf(limn_outline *o, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    limn_format_list(text, sizeof text, format, args);
    va_end(args);
    const char *kept = limn_arena_strdup(o->arena, text);
    if (!kept) o->failed = true;
    return kept ? kept : "";
}

/* ---- which nodes share a line ---------------------------------------------------------------------------------------- */

static bool moves(const limn_node *node)
{
    return node->op == LIMN_OP_VIEW || node->op == LIMN_OP_PERMUTE || node->op == LIMN_OP_SLICE ||
           node->op == LIMN_OP_CAST || node->op == LIMN_OP_FILL;
}

static bool smaller(const limn_node *a, const limn_node *b)
{
    return limn_node_count(a) < limn_node_count(b);
}

/* x (1 + scale) + shift, as limn_modulate() makes it */
static bool is_modulate(const limn_node *node)
{
    if (node->op != LIMN_OP_ADD || node->src[0]->op != LIMN_OP_MUL) return false;
    const limn_node *mul = node->src[0], *scale = mul->src[1];
    return scale->op == LIMN_OP_AFFINE && scale->attr.scale == 1 && scale->attr.shift == 1;
}

/* x + gate h, as limn_gated() makes it: the gate is one row for all tokens */
static bool is_gated(const limn_node *node)
{
    if (node->op != LIMN_OP_ADD || node->src[1]->op != LIMN_OP_MUL) return false;
    const limn_node *gate = node->src[1]->src[0];
    return limn_shape_equal(&node->src[1]->shape, &node->src[0]->shape) && gate->shape.rank == 3 &&
           gate->shape.dim[1] == 1 && gate->op != LIMN_OP_PARAMETER;
}

/* Layers whose line also says the activation behind them. */
static bool takes_activation(const limn_node *node)
{
    return node->op == LIMN_OP_LINEAR || node->op == LIMN_OP_CONV || node->op == LIMN_OP_CONV_TRANSPOSE ||
           node->op == LIMN_OP_GROUP_NORM;
}

/* Moments and running statistics, which stand in front of their norm, are part of it. */
static bool is_statistics(const limn_node *node)
{
    while (node->op == LIMN_OP_VIEW || node->op == LIMN_OP_AFFINE || node->op == LIMN_OP_SLICE) node = node->src[0];
    return node->op == LIMN_OP_MOMENTS;
}

void limn_outline_absorb(limn_outline *o)
{
    for (int i = 0; i < o->g->n_nodes; i++) {
        const limn_node *node = o->g->nodes[i];
        if (is_modulate(node)) o->owner[node->src[0]->id] = o->owner[node->src[0]->src[1]->id] = node;
        else if (is_gated(node)) o->owner[node->src[1]->id] = node;
        else if (node->op == LIMN_OP_ACTIVATE && takes_activation(node->src[0]) && o->n_uses[node->src[0]->id] == 1)
            o->owner[i] = node->src[0];
        else if (node->op == LIMN_OP_LINEAR && node->src[0]->op == LIMN_OP_ACTIVATE && o->n_uses[node->src[0]->id] == 1 &&
                 !o->owner[node->src[0]->id])
            o->owner[node->src[0]->id] = node;
        for (int j = i - 1; j >= 0 && node->op == LIMN_OP_GROUP_NORM && is_statistics(o->g->nodes[j]); j--)
            o->owner[j] = node;
        for (int s = 0; s < node->n_src && node->op == LIMN_OP_ATTENTION; s++)
            if (node->src[s]->op == LIMN_OP_CONCAT) o->owner[node->src[s]->id] = node;
    }
}

bool limn_outline_has_line(const limn_outline *o, const limn_node *node)
{
    return node->op != LIMN_OP_ERROR && node->op != LIMN_OP_PARAMETER && !moves(node) && !o->owner[node->id];
}

/* ---- where sources come from ----------------------------------------------------------------------------------------- */

enum { MAX_LINES = 6 };
typedef struct sources {
    limn_item *line[MAX_LINES];
    int n;
} sources;

/* Lines a value comes from, looking through moves and what other lines draw. */
static void collect(const limn_outline *o, const limn_node *node, sources *out)
{
    const limn_node *drawn = o->owner[node->id];
    limn_item *line = o->line[node->id] ? o->line[node->id] : drawn && drawn->id < node->id ? o->line[drawn->id] : NULL;
    if (!line) {
        for (int s = 0; s < node->n_src; s++) collect(o, node->src[s], out);
        return;
    }
    for (int i = 0; i < out->n; i++)
        if (out->line[i] == line) return;
    if (out->n < MAX_LINES) out->line[out->n++] = line;
}

static bool inside(const limn_item *item, const limn_item *outer)
{
    for (; item; item = item->parent)
        if (item == outer) return true;
    return false;
}

/* The source as its reader would call it: the outermost block around it that the reader is not in. */
static const char *call(limn_outline *o, const limn_item *source, const limn_item *reader)
{
    while (source->parent && !inside(reader, source->parent)) source = source->parent;
    const limn_item *sibling = reader;
    while (sibling->parent != source->parent) sibling = sibling->parent;
    const char *dot = strrchr(source->name, '.');
    if (source->scope && sibling->scope && dot &&
        strncmp(source->name, sibling->name, (size_t)(dot - source->name) + 1) == 0 && sibling->previous == source)
        return "the block before";
    if (source->scope || source->node->op != LIMN_OP_ADD) return source->name;
    if (strcmp(source->name, "+") != 0) return source->name;
    const char *names[2];
    for (int s = 0; s < 2; s++) {
        sources terms = {.n = 0};
        collect(o, source->node->src[s], &terms);
        names[s] = terms.n ? call(o, terms.line[0], source) : "a constant";
    }
    return textf(o, "%s + %s", names[0], names[1]);
}

/* A block right above that only moves elements ("patchify"), or NULL: what it hands on needs no name. */
static const limn_item *moved_above(const limn_item *line)
{
    while (line && !line->previous) line = line->parent;
    const limn_item *above = line ? line->previous : NULL;
    return above && above->scope && !above->first ? above : NULL;
}

/* "a, b": the sources other than the line above and, for near false, than lines of the same block; "" where none is left. */
static const char *read_from(limn_outline *o, const limn_item *line, const limn_item *above, bool near)
{
    sources found = {.n = 0};
    const limn_item *moved = moved_above(line);
    for (int s = 0; s < line->node->n_src; s++) {
        int id = line->node->src[s]->id;
        if (!moved || id < moved->begin || id >= moved->end) collect(o, line->node->src[s], &found);
    }
    const char *text = "";
    for (int i = 0; i < found.n; i++) {
        if (found.line[i] == above || (!near && found.line[i]->parent == line->parent)) continue;
        const char *name = call(o, found.line[i], line);
        if (!strstr(text, name)) text = text[0] ? textf(o, "%s, %s", text, name) : name;
    }
    return text;
}

/* Whether b was computed from a: then a + b is a residual.  Marks what b needs, from b back to a. */
static bool computed_from(const limn_outline *o, const limn_node *b, const limn_node *a)
{
    if (b->id <= a->id) return b == a;
    memset(o->mark + a->id, 0, (size_t)(b->id - a->id) + 1);
    o->mark[b->id] = true;
    for (int i = b->id; i > a->id; i--)
        for (int s = 0; o->mark[i] && s < o->g->nodes[i]->n_src; s++)
            if (o->g->nodes[i]->src[s]->id >= a->id) o->mark[o->g->nodes[i]->src[s]->id] = true;
    return o->mark[a->id];
}

/* ---- what an op says -------------------------------------------------------------------------------------------------- */

/* "blocks.0.attn.qkv.weight" in scope "blocks.0.attn" -> "qkv" */
static const char *own_name(limn_outline *o, const limn_item *line, const limn_node *parameter)
{
    while (parameter->op == LIMN_OP_VIEW) parameter = parameter->src[0];
    if (parameter->op != LIMN_OP_PARAMETER) return limn_op_name(line->node->op);
    const char *path = line->node->scope->path, *name = parameter->name;
    size_t n = strlen(path);
    if (n && strncmp(name, path, n) == 0 && name[n] == '.') name += n + 1;
    const char *end = strstr(name, ".weight");
    if (end && !end[7]) return textf(o, "%.*s", (int)(end - name), name);
    return strcmp(name, "weight") == 0 ? limn_op_name(line->node->op) : name;
}

static const char *lone_use(const limn_outline *o, const limn_node *node, bool before)
{
    if (before)
        return node->src[0]->op == LIMN_OP_ACTIVATE && o->owner[node->src[0]->id] == node
                   ? activations[node->src[0]->attr.activation]
                   : NULL;
    int user = o->last_use[node->id];
    return user >= 0 && o->owner[user] == node ? activations[o->g->nodes[user]->attr.activation] : NULL;
}

static void label_linear(limn_outline *o, limn_item *line)
{
    const limn_node *node = line->node;
    const char *first = lone_use(o, node, true), *then = lone_use(o, node, false);
    line->name = own_name(o, line, node->src[1]);
    line->note = textf(o, "%s%slinear %lld -> %lld%s%s", first ? first : "", first ? ", " : "",
                     (long long)limn_shape_cols(&node->src[0]->shape), (long long)limn_shape_cols(&node->shape),
                     then ? ", " : "", then ? then : "");
    line->from = read_from(o, line, o->newest, true);
}

static void label_conv(limn_outline *o, limn_item *line)
{
    const limn_node *node = line->node;
    const limn_shape *w = &node->src[1]->shape;
    const char *then = lone_use(o, node, false), *kind = node->op == LIMN_OP_CONV ? "conv" : "transposed conv";
    line->name = own_name(o, line, node->src[1]);
    line->note = textf(o, "%lldx%lld %s %lld -> %lld", (long long)w->dim[2], (long long)w->dim[3], kind,
                     (long long)limn_shape_cols(&node->src[0]->shape), (long long)limn_shape_cols(&node->shape));
    if (node->attr.stride > 1) line->note = textf(o, "%s, stride %d", line->note, node->attr.stride);
    if (then) line->note = textf(o, "%s, %s", line->note, then);
    line->from = read_from(o, line, o->newest, true);
}

static void label_group_norm(limn_outline *o, limn_item *line)
{
    const limn_node *node = line->node;
    const char *then = node->attr.activation ? activations[node->attr.activation] : lone_use(o, node, false);
    line->name = node->n_src > 2 ? own_name(o, line, node->src[2]) : "norm";
    if (strcmp(line->name, "group_norm") == 0) line->name = "norm";
    line->note = node->attr.flags & LIMN_OVER_BATCH ? "BatchNorm" : textf(o, "GroupNorm of %d", node->attr.groups);
    if (then) line->note = textf(o, "%s, %s", line->note, then);
    line->from = read_from(o, line, o->newest, true);
}

static void label_attention(limn_outline *o, limn_item *line)
{
    const limn_node *node = line->node, *q = node->src[0];
    line->name = "attention";
    line->note = textf(o, "%d heads of %lld%s", node->attr.heads,
                       (long long)limn_shape_cols(&node->shape) / node->attr.heads, node->attr.causal ? ", causal" : "");
    if (node->attr.flags & LIMN_HAS_BIAS) line->note = textf(o, "%s, scores + bias", line->note);
    bool together = q->op == LIMN_OP_CONCAT && q->n_src == 2 && q->attr.axis == 1;
    if (together)
        line->note = textf(o, "%s, %lld + %lld tokens", line->note, (long long)q->src[0]->shape.dim[1],
                         (long long)q->src[1]->shape.dim[1]);
    line->from = read_from(o, line, together ? NULL : o->newest, false);
}

/* The stored table that a constant is a part of; NULL: it is of none. */
static const limn_node *stored_table(const limn_node *node)
{
    while (node->op == LIMN_OP_VIEW || node->op == LIMN_OP_SLICE) node = node->src[0];
    return node->op == LIMN_OP_PARAMETER && node->init.grid_stored ? node : NULL;
}

static void label_add(limn_outline *o, limn_item *line)
{
    const limn_node *node = line->node, *a = node->src[0], *b = node->src[1], *table = stored_table(b);
    line->name = "+";
    if (is_modulate(node)) line->name = "modulate", line->note = "x (1 + scale) + shift";
    else if (is_gated(node)) line->note = "residual, gated";
    else if (table) {
        line->name = own_name(o, line, table);
        line->note = textf(o, "added: the middle of %d x %d stored places", table->init.grid_h, table->init.grid_w);
    } else if (b->op == LIMN_OP_PARAMETER) {
        line->name = own_name(o, line, b);
        line->note = b->init.kind == LIMN_INIT_SINCOS_2D ? "added: sines and cosines of row and column"
                     : b->init.frozen                    ? "added: a fixed table"
                                                         : "added: a learned table";
    } else if (limn_shape_equal(&a->shape, &b->shape) && (computed_from(o, b, a) || computed_from(o, a, b)))
        line->note = "residual";
    else {
        const limn_node *added = smaller(b, a) || !smaller(a, b) ? b : a;
        sources found = {.n = 0};
        collect(o, added, &found);
        const char *name = found.n ? call(o, found.line[0], line) : "a constant";
        line->note = textf(o, "add %s%s", name, smaller(added, node) ? " to every token" : "");
    }
}

static void label_gather(limn_outline *o, limn_item *line)
{
    const limn_node *table = line->node->src[0];
    bool learned = table->op == LIMN_OP_PARAMETER;
    line->name = learned ? own_name(o, line, table) : "gather";
    line->note =
        learned ? textf(o, "one of %lld rows for every id", (long long)table->shape.dim[0]) : "the rows an input names";
    line->from = read_from(o, line, o->newest, true);
}

static void label_input(limn_outline *o, limn_item *line)
{
    static const char *const rates[] = {"input, constant", "input, once per prompt", "input, every step"};
    (void)o;
    line->name = line->node->name;
    line->note = rates[line->node->rate];
}

static void label_other(limn_outline *o, limn_item *line)
{
    const limn_node *node = line->node;
    line->name = limn_op_name(node->op);
    if (node->op == LIMN_OP_ACTIVATE) line->name = activations[node->attr.activation];
    if (node->op == LIMN_OP_AFFINE) line->note = textf(o, "%.3g x + %.3g", node->attr.scale, node->attr.shift);
    if (node->op == LIMN_OP_LAYER_NORM || node->op == LIMN_OP_RMS_NORM) {
        line->name = node->n_src > 1 ? own_name(o, line, node->src[1]) : "norm";
        line->note = node->op == LIMN_OP_LAYER_NORM ? "LayerNorm"
                     : node->shape.rank == 4        ? "RMSNorm of each head"
                                                    : "RMSNorm";
    }
    if (node->op == LIMN_OP_MAX_POOL || node->op == LIMN_OP_AVERAGE_POOL)
        line->name = node->op == LIMN_OP_MAX_POOL ? "max pool" : "average pool",
        line->note = textf(o, "%dx%d", node->attr.stride, node->attr.stride);
    if (node->op == LIMN_OP_RESIZE) line->note = node->attr.resize == LIMN_NEAREST ? "nearest" : "bilinear";
    if (node->op == LIMN_OP_TIMESTEP_EMBEDDING) {
        line->name = "sinusoids";
        line->note =
            node->attr.flags & LIMN_COS_FIRST ? "cosines and sines of the timestep" : "sines and cosines of the timestep";
    }
    line->from = read_from(o, line, o->newest, true);
}

void limn_outline_label(limn_outline *o, limn_item *line)
{
    switch (line->node->op) {
    case LIMN_OP_INPUT: label_input(o, line); break;
    case LIMN_OP_LINEAR: label_linear(o, line); break;
    case LIMN_OP_CONV: case LIMN_OP_CONV_TRANSPOSE: label_conv(o, line); break;
    case LIMN_OP_GROUP_NORM: label_group_norm(o, line); break;
    case LIMN_OP_ATTENTION: label_attention(o, line); break;
    case LIMN_OP_ADD: label_add(o, line); break;
    case LIMN_OP_GATHER: label_gather(o, line); break;
    default: label_other(o, line); break;
    }
    o->newest = line;
}
