/* fit.c: see fit.h. */
#include "model/fit.h"

#include "graph/node.h"
#include "model/map/map.h"

#include <string.h>

static bool same_shape(const limn_entry *e, const limn_shape *shape)
{
    if (e->rank != shape->rank) return false;
    for (int i = 0; i < e->rank; i++)
        if (e->dim[i] != shape->dim[i]) return false;
    return true;
}

enum { FIRST_TRIED = 8 };

static int count_names(const limn_graph *g, const limn_weight_file *st, const char *prefix)
{
    int n = 0;
    for (int i = 0; i < g->n_parameters; i++) n += limn_weight_file_find_under(st, prefix, g->parameters[i]->name) != NULL;
    return n;
}

bool limn_fit_prefix(const limn_graph *g, const limn_weight_file *st, char out[LIMN_PREFIX_BYTES])
{
    char prefix[LIMN_MAX_SETS][LIMN_PREFIX_BYTES];
    int most = g->n_parameters / 2;
    bool found = false;
    for (int i = 0; i < g->n_parameters && i < FIRST_TRIED && !found; i++) {
        int n = limn_weight_prefixes(st, g->parameters[i]->name, prefix);
        for (int k = 0; k < n; k++) {
            int here = count_names(g, st, prefix[k]);
            if (here <= most) continue;
            most = here, found = true;
            memcpy(out, prefix[k], LIMN_PREFIX_BYTES);
        }
    }
    return found;
}

static void compare(const limn_graph *g, const limn_weight_file *st, limn_fit *fit)
{
    fit->n_parameters = g->n_parameters;
    fit->n_found = 0;
    fit->missing[0] = '\0';
    for (int i = 0; i < g->n_parameters; i++) {
        const limn_node *p = g->parameters[i];
        const limn_entry *e = limn_weight_file_find_under(st, fit->prefix, p->name);
        char shape[128];
        if (e && same_shape(e, &p->shape)) fit->n_found++;
        else if (!e && p->init.frozen) fit->n_found++; /* a table that is made, not learned */
        else if (!fit->missing[0])
            snprintf(fit->missing, sizeof fit->missing, "%s%s%s %s", e ? "another shape than " : "no ", fit->prefix, p->name,
                     limn_shape_text(&p->shape, shape));
    }
}

static limn_status build(limn_ctx *ctx, const limn_settings *settings, limn_graph **g, limn_ports *ports)
{
    *g = limn_graph_new(ctx);
    if (!*g) return LIMN_NO_MEMORY;
    limn_status status = limn_model_build(*g, settings, (limn_build){.batch = 1, .n_steps = 1}, ports);
    if (status == LIMN_OK) return LIMN_OK;
    limn_graph_free(*g);
    *g = NULL;
    return status;
}

/* Where its weights stand, and which are there. */
static void look_for(limn_graph *g, const limn_weight_file *st, limn_fit *fit)
{
    limn_fit_prefix(g, st, fit->prefix);
    compare(g, st, fit);
    limn_graph_free(g);
}

limn_status limn_fit_described(limn_ctx *ctx, const char *file, const limn_weight_file *st, limn_settings *out,
                               limn_graph **g, limn_ports *ports)
{
    *g = NULL;
    limn_status status = limn_settings_parse(ctx, limn_weight_file_metadata(st, "limn.settings"), out);
    if (status == LIMN_OK) status = build(ctx, out, g, ports);
    return status == LIMN_OK || status == LIMN_NO_MEMORY ? status
                                                         : limn_fail_in(ctx, LIMN_BAD_FILE, "%s: limn.settings", file);
}

static limn_status try_name(limn_ctx *ctx, const limn_weight_file *st, const char *name, limn_fit *best)
{
    limn_fit fit = {.source = LIMN_FIT_PRESET, .preset = name};
    limn_graph *g;
    limn_ports ports;
    limn_status status = limn_settings_find(ctx, name, &fit.settings);
    if (status == LIMN_OK) status = build(ctx, &fit.settings, &g, &ports);
    if (status == LIMN_OK) look_for(g, st, &fit);
    if (status == LIMN_OK && fit.n_found == fit.n_parameters && fit.n_parameters > best->n_parameters) *best = fit;
    return status;
}

/* The parameters of a published network that the file has. */
static limn_status fit_published(limn_ctx *ctx, const char *file, const limn_weight_file *st, const limn_map *map,
                                 limn_fit *out)
{
    limn_ports ports;
    bool found;
    *out = (limn_fit){.source = LIMN_FIT_PUBLISHED, .preset = map->dialect->title, .settings = map->settings};
    snprintf(out->prefix, sizeof out->prefix, "%s", map->prefix);
    limn_graph *g = limn_graph_new(ctx);
    if (!g) return LIMN_NO_MEMORY;
    limn_status status = limn_model_build(g, &map->settings, (limn_build){.batch = 1, .part = map->part}, &ports);
    out->n_parameters = g->n_parameters;
    for (int i = 0; i < g->n_parameters && status == LIMN_OK; i++)
        if (limn_map_read(ctx, map, file, st, g->parameters[i], LIMN_F32, NULL, &found, NULL) == LIMN_OK)
            out->n_found++;
        else if (!out->missing[0]) snprintf(out->missing, sizeof out->missing, "%s", limn_error_text(ctx));
    limn_graph_free(g);
    return status;
}

/* At most `most` of them; without any, out[0] says so. */
static limn_status try_published(limn_ctx *ctx, const char *file, const limn_weight_file *st, int most, limn_fit *out,
                                 int *n)
{
    limn_map map;
    limn_map_place place = {0};
    limn_status found = LIMN_OK, status = LIMN_OK;
    for (*n = 0; *n < most && status == LIMN_OK; ++*n) {
        found = limn_map_detect_next(ctx, file, st, &place, &map);
        if (found == LIMN_NOT_FOUND || found == LIMN_NO_MEMORY) break;
        if (found == LIMN_OK) {
            status = fit_published(ctx, file, st, &map, &out[*n]);
            continue;
        }
        out[*n] = (limn_fit){.source = LIMN_FIT_NONE, .preset = map.dialect->title};
        memcpy(out[*n].prefix, map.prefix, sizeof map.prefix);
        snprintf(out[*n].missing, sizeof out[*n].missing, "%s", limn_error_text(ctx));
    }
    if (found == LIMN_NO_MEMORY || status != LIMN_OK) return status != LIMN_OK ? status : found;
    if (*n) return LIMN_OK;
    *out = (limn_fit){.source = LIMN_FIT_NONE};
    limn_map_detect(ctx, file, st, &map); /* its sentence names what is known */
    snprintf(out->missing, sizeof out->missing, "%s", limn_error_text(ctx));
    *n = 1;
    return LIMN_OK;
}

static limn_status find_networks(limn_ctx *ctx, const char *file, const limn_weight_file *st, int most, limn_fit *out,
                                 int *n)
{
    *out = (limn_fit){.source = LIMN_FIT_NONE};
    *n = 1;
    if (limn_weight_file_metadata(st, "limn.settings")) {
        limn_graph *g;
        limn_ports ports;
        out->source = LIMN_FIT_METADATA;
        limn_status described = limn_fit_described(ctx, file, st, &out->settings, &g, &ports);
        if (described == LIMN_OK) look_for(g, st, out);
        return described;
    }
    limn_status status = LIMN_OK;
    for (int i = 0; limn_families[i] && status == LIMN_OK; i++) status = try_name(ctx, st, limn_families[i]->name, out);
    for (int i = 0; limn_presets[i].name && status == LIMN_OK; i++) status = try_name(ctx, st, limn_presets[i].name, out);
    return status == LIMN_OK && out->source == LIMN_FIT_NONE ? try_published(ctx, file, st, most, out, n) : status;
}

static limn_status find(limn_ctx *ctx, const char *file, const limn_weight_file *st, int most, limn_fit *out, int *n)
{
    limn_status status = find_networks(ctx, file, st, most, out, n);
    for (int i = 0; i < *n && status == LIMN_OK; i++)
        if (out[i].source != LIMN_FIT_NONE || out[i].preset)
            if ((out[i].n_sets = limn_weight_sets(st, out[i].prefix, out[i].sets)) < 0)
                status = limn_fail_memory(ctx, sizeof out[i].sets, "sets of weights");
    return status;
}

limn_status limn_fit_find(limn_ctx *ctx, const char *file, const limn_weight_file *st, limn_fit *out)
{
    int n;
    return find(ctx, file, st, 1, out, &n);
}

limn_status limn_fit_all(limn_ctx *ctx, const char *file, const limn_weight_file *st, limn_fit out[LIMN_MAX_FITS], int *n)
{
    return find(ctx, file, st, LIMN_MAX_FITS, out, n);
}
