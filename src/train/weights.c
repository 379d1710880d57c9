/* weights.c: see weights.h. */
#include "train/weights.h"

#include "base/rng.h"
#include "graph/node.h"
#include "model/fit.h"
#include "model/map/map.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* MAE's table, as DiT uses it: half of D for columns ("w first"), half for rows; each sin then cos. */
static void sincos_2d(const limn_node *node, float *to)
{
    int64_t d = limn_shape_cols(&node->shape), quarter = d / 4;
    for (int y = 0; y < node->init.grid_h; y++)
        for (int x = 0; x < node->init.grid_w; x++, to += d)
            for (int64_t i = 0; i < quarter; i++) {
                double omega = pow(10000, -(double)i / (double)quarter);
                to[i] = (float)sin(x * omega), to[quarter + i] = (float)cos(x * omega);
                to[2 * quarter + i] = (float)sin(y * omega), to[3 * quarter + i] = (float)cos(y * omega);
            }
}

void limn_weights_start(const limn_node *node, uint64_t seed, float *to)
{
    size_t n = (size_t)limn_node_count(node);
    uint64_t sub = limn_hash_name(node->name);
    switch (node->init.kind) {
    case LIMN_INIT_ZERO: memset(to, 0, n * sizeof *to); break;
    case LIMN_INIT_ONE: for (size_t i = 0; i < n; i++) to[i] = 1; break;
    case LIMN_INIT_NORMAL:
        limn_random_normal(seed, LIMN_STREAM_INIT, sub, 0, n, to);
        for (size_t i = 0; i < n; i++) to[i] *= node->init.scale;
        break;
    case LIMN_INIT_UNIFORM:
        for (size_t i = 0; i < n; i++) to[i] = node->init.scale * (2 * limn_random_uniform(seed, LIMN_STREAM_INIT, sub, i) - 1);
        break;
    case LIMN_INIT_SINCOS_2D: sincos_2d(node, to); break;
    }
}

limn_status limn_weights_new(limn_ctx *ctx, limn_graph *g, uint64_t seed, limn_weights *w)
{
    *w = (limn_weights){.n = g->n_parameters, .node = g->parameters};
    w->begin = calloc((size_t)w->n + 1, sizeof *w->begin);
    for (int i = 0; w->begin && i < w->n; i++) {
        w->begin[i] = w->count;
        w->count += ((size_t)limn_node_count(w->node[i]) + 15) / 16 * 16;
    }
    w->value = w->begin ? limn_alloc_aligned(w->count * sizeof *w->value) : NULL;
    if (!w->value) {
        limn_weights_free(w);
        return limn_fail_memory(ctx, w->count * sizeof(float), "weights");
    }
    memset(w->value, 0, w->count * sizeof *w->value);
    for (int i = 0; i < w->n; i++) limn_weights_start(w->node[i], seed, w->value + w->begin[i]);
    return LIMN_OK;
}

/* Number of the parameter of that name; w->n: there is none. */
static int named(const limn_weights *w, const char *name)
{
    int p = 0;
    while (p < w->n && strcmp(w->node[p]->name, name) != 0) p++;
    return p;
}

limn_status limn_weights_follow(limn_ctx *ctx, const limn_weights *w, const limn_graph *g, const float *values)
{
    const limn_running *running;
    int n = limn_graph_running(g, &running);
    for (int i = 0; i < n; i++) {
        int p = named(w, running[i].parameter->name);
        if (p == w->n) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "the weights have no parameter %s, whose running statistics change", running[i].parameter->name);
        float *to = w->value + w->begin[p], share = (float)running[i].momentum;
        for (int64_t k = 0; k < limn_node_count(running[i].parameter); k++) to[k] += share * (*values++ - to[k]);
    }
    return LIMN_OK;
}

limn_status limn_weights_bind(limn_ctx *ctx, const limn_weights *w, float *values, const limn_graph *g, limn_plan *plan)
{
    limn_status status = LIMN_OK;
    for (int i = 0; i < g->n_parameters && status == LIMN_OK; i++) {
        limn_node *node = g->parameters[i];
        int p = named(w, node->name);
        if (p == w->n) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "what is trained has no parameter %s", node->name);
        if (!limn_shape_equal(&w->node[p]->shape, &node->shape)) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "what is trained has a parameter %s of another shape", node->name);
        status = limn_plan_bind(plan, node, LIMN_F32, values + w->begin[p]);
    }
    return status;
}

void limn_weights_free(limn_weights *w)
{
    free(w->begin);
    limn_free_aligned(w->value);
    w->begin = NULL;
    w->value = NULL;
}

/* The tensor prefix + the parameter's name, of the parameter's shape. */
static limn_status find(limn_ctx *ctx, const limn_node *node, const char *file, const limn_weight_file *st, const char *prefix, const limn_entry **out)
{
    char name[512], a[128], b[128];
    snprintf(name, sizeof name, "%s%s", prefix, node->name);
    const limn_entry *e = *out = limn_weight_file_find(st, name);
    if (!e) return limn_fail(ctx, LIMN_BAD_FILE, "%s: no tensor \"%s\", which the network needs", file, name);
    limn_shape found = {.rank = e->rank <= LIMN_MAX_RANK ? e->rank : -1};
    for (int k = 0; k < found.rank; k++) found.dim[k] = e->dim[k];
    if (e->usable && limn_shape_equal(&found, &node->shape)) return LIMN_OK;
    return limn_fail(ctx, LIMN_BAD_FILE, "%s: tensor \"%s\" is %s %s, expected %s", file, name, e->type, limn_shape_text(&found, a),
                     limn_shape_text(&node->shape, b));
}

/* Files that do not name their settings may be published ones; of several networks the one with this parameter. */
static bool is_published(limn_ctx *ctx, const char *file, const limn_weight_file *st, const limn_node *parameter, limn_map *map)
{
    return !limn_weight_file_metadata(st, "limn.settings") && limn_map_detect_with(ctx, file, st, parameter, map) == LIMN_OK;
}

/* A parameter of a published file; tables that it does not hold are worked out. */
static limn_status read_published(limn_ctx *ctx, const limn_map *map, const char *file, const limn_weight_file *st, const limn_node *node, float *to)
{
    bool found;
    limn_status status = limn_map_read(ctx, map, file, st, node, to, &found);
    if (status == LIMN_OK && !found) limn_weights_start(node, 0, to);
    return status;
}

limn_status limn_weights_load(limn_ctx *ctx, const limn_weights *w, const char *file, const limn_weight_file *st, const char *prefix, float *data)
{
    limn_status status = LIMN_OK;
    limn_map map;
    bool published = !*prefix && w->n > 0 && is_published(ctx, file, st, w->node[0], &map);
    for (int i = 0; i < w->n && status == LIMN_OK; i++) {
        const limn_entry *e;
        if (published) {
            status = read_published(ctx, &map, file, st, w->node[i], data + w->begin[i]);
            continue;
        }
        status = find(ctx, w->node[i], file, st, prefix, &e);
        if (status == LIMN_OK) status = limn_weight_file_load(ctx, st, e, data + w->begin[i], LIMN_F32);
    }
    return status;
}

static limn_status give_published(limn_ctx *ctx, const limn_map *map, limn_node *node, limn_plan *plan, const char *file, const limn_weight_file *st)
{
    size_t n = (size_t)limn_node_count(node) * sizeof(float);
    float *x = limn_alloc_aligned(n);
    if (!x) return limn_fail_memory(ctx, n, limn_node_name(node));
    limn_status status = read_published(ctx, map, file, st, node, x);
    if (status == LIMN_OK) status = limn_plan_set(plan, node, LIMN_F32, x);
    limn_free_aligned(x);
    return status;
}

limn_status limn_weights_give(limn_ctx *ctx, limn_graph *g, limn_plan *plan, const char *file, const limn_weight_file *st)
{
    limn_status status = LIMN_OK;
    limn_map map;
    bool published = g->n_parameters > 0 && is_published(ctx, file, st, g->parameters[0], &map);
    for (int i = 0; i < g->n_parameters && status == LIMN_OK; i++) {
        const limn_entry *e;
        if (published) {
            status = give_published(ctx, &map, g->parameters[i], plan, file, st);
            continue;
        }
        status = find(ctx, g->parameters[i], file, st, "", &e);
        void *values = status == LIMN_OK ? malloc(e->bytes + 1) : NULL;
        if (status == LIMN_OK && !values) status = limn_fail_memory(ctx, e->bytes, e->name);
        if (status == LIMN_OK) status = limn_weight_file_load(ctx, st, e, values, e->dtype);
        if (status == LIMN_OK) status = limn_plan_set(plan, g->parameters[i], e->dtype, values);
        free(values);
    }
    return status;
}

limn_status limn_weights_settings(limn_ctx *ctx, const char *file, const limn_weight_file *st, limn_settings *out)
{
    return limn_weights_settings_among(ctx, file, st, NULL, out);
}

limn_status limn_weights_settings_among(limn_ctx *ctx, const char *file, const limn_weight_file *st, const char *families, limn_settings *out)
{
    const char *text = limn_weight_file_metadata(st, "limn.settings");
    if (!text) {
        limn_map map;
        limn_fit fit;
        limn_status status = limn_map_detect_among(ctx, file, st, families, &map);
        if (status == LIMN_NOT_FOUND && families) status = limn_map_detect(ctx, file, st, &map);
        if (status == LIMN_OK) *out = map.settings;
        else if (status == LIMN_NOT_FOUND && limn_fit_find(ctx, file, st, &fit) == LIMN_OK && fit.source == LIMN_FIT_PRESET) {
            *out = fit.settings; /* under the names of a preset, which no shape tells from its neighbours */
            return LIMN_OK;
        } else if (status == LIMN_NOT_FOUND) limn_map_detect(ctx, file, st, &map); /* its sentence */
        return status == LIMN_NOT_FOUND ? LIMN_UNSUPPORTED : status;
    }
    limn_status status = limn_settings_parse(ctx, text, out);
    return status == LIMN_OK ? LIMN_OK : limn_fail_in(ctx, LIMN_BAD_FILE, "%s", file);
}
