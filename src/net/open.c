/* open.c: which network a weight file holds, and which of its weights are taken. */
#include "net/open.h"

#include "graph/node.h"
#include "model/fit.h"
#include "model/map/map.h"

#include <stdlib.h>
#include <string.h>

/* Files that do not name their settings may be published ones; of several networks the one with this parameter. */
static bool is_published(limn_ctx *ctx, const char *file, const limn_weight_file *st, const limn_node *parameter,
                         limn_map *map)
{
    return !limn_weight_file_metadata(st, "limn.settings") && limn_map_detect_with(ctx, file, st, parameter, map) == LIMN_OK;
}

/* Where a network stands in its file. */
typedef struct place {
    char prefix[LIMN_PREFIX_BYTES]; /* what its names begin with */
    limn_port *port;                /* NULL: not wanted */
} place;

static limn_status find_described(limn_ctx *ctx, const char *file, const limn_weight_file *st, limn_settings *out, place *at)
{
    limn_graph *g;
    limn_ports ports;
    limn_status status = limn_fit_described(ctx, file, st, out, &g, &ports);
    if (status != LIMN_OK) return status;
    limn_fit_prefix(g, st, at->prefix);
    if (at->port) limn_ports_list(&ports, at->port);
    limn_graph_free(g);
    return LIMN_OK;
}

static limn_status find_published(limn_ctx *ctx, const char *file, const limn_weight_file *st, const char *families,
                                  limn_settings *out, place *at)
{
    limn_map map;
    limn_fit fit;
    limn_status status = limn_map_detect_among(ctx, file, st, families, &map);
    if (status == LIMN_NOT_FOUND && families) status = limn_map_detect(ctx, file, st, &map);
    if (status == LIMN_OK) {
        *out = map.settings;
        memcpy(at->prefix, map.prefix, sizeof map.prefix);
    }
    if (status != LIMN_NOT_FOUND) return status;
    status = limn_fit_find(ctx, file, st, &fit); /* a preset's, which no shape tells from its neighbours */
    if (status != LIMN_OK) return status;
    if (fit.source == LIMN_FIT_NONE) return limn_map_detect(ctx, file, st, &map), LIMN_UNSUPPORTED; /* its sentence */
    *out = fit.settings;
    memcpy(at->prefix, fit.prefix, sizeof fit.prefix);
    return LIMN_OK;
}

static limn_status find_network(limn_ctx *ctx, const char *file, const limn_weight_file *st, const char *families,
                                limn_settings *out, place *at)
{
    *at->prefix = '\0';
    if (limn_weight_file_metadata(st, "limn.settings")) return find_described(ctx, file, st, out, at);
    limn_status status = find_published(ctx, file, st, families, out, at);
    return status == LIMN_OK && at->port ? limn_ports_look(ctx, out, LIMN_PART_WHOLE, at->port) : status;
}

limn_status limn_net_settings_of(limn_ctx *ctx, const char *file, const limn_weight_file *st, limn_settings *out)
{
    return limn_net_settings_among(ctx, file, st, NULL, out);
}

limn_status limn_net_settings_among(limn_ctx *ctx, const char *file, const limn_weight_file *st, const char *families,
                                    limn_settings *out)
{
    place at = {.port = NULL};
    return find_network(ctx, file, st, families, out, &at);
}

static const char *kind_word(limn_set_kind kind)
{
    return kind == LIMN_SET_EMA ? "EMA" : "raw";
}

/* "EMA (ema., 22 tensors)" */
static const char *set_text(const limn_weight_set *set, char out[300])
{
    char name[256];
    limn_escape(set->prefix, strlen(set->prefix), name, sizeof name);
    snprintf(out, 300, "%s (%s, %zu tensors)", kind_word(set->kind), *name ? name : "without a prefix", set->n);
    return out;
}

static limn_status cannot_choose(limn_ctx *ctx, const char *file, int n, const limn_weight_set *sets, const char *why)
{
    limn_text all = {0};
    char one[300];
    for (int i = 0; i < n; i++)
        if (sets[i].kind != LIMN_SET_STATE) limn_text_printf(&all, "%s%s", all.n ? ", " : "", set_text(&sets[i], one));
    limn_fail(ctx, LIMN_BAD_ARGUMENT,
              "%s: %s; its weights are: %s; say which with --weights ema, raw, or what their names begin with", file, why,
              all.bytes ? all.bytes : "");
    limn_text_free(&all);
    return LIMN_BAD_ARGUMENT;
}

/* "ema" names "ema." and "ema/", too */
static bool is_called(const limn_weight_set *set, const char *name)
{
    size_t n = strlen(set->prefix);
    return !strcmp(set->prefix, name) || (n && strlen(name) == n - 1 && !strncmp(set->prefix, name, n - 1));
}

/* Sets of one kind, the last of them in *at; what an EMA keeps beside itself counts only where nothing else is raw. */
static int count_kind(int n, const limn_weight_set *sets, limn_set_kind kind, int *at)
{
    int found = 0;
    for (int i = 0; i < n; i++)
        if (sets[i].kind == kind) found++, *at = i;
    return found || kind != LIMN_SET_RAW ? found : count_kind(n, sets, LIMN_SET_ONLINE, at);
}

/* kind: what the job wants.  @return LIMN_OK: sets[*at] */
static limn_status choose(limn_ctx *ctx, const char *file, int n, const limn_weight_set *sets, limn_set_kind kind, int *at)
{
    const char *which = ctx->weights;
    int weights = 0;
    for (int i = 0; i < n; i++) weights += sets[i].kind != LIMN_SET_STATE;
    *at = 0;
    bool asked = !strcmp(which, "ema") || !strcmp(which, "raw");
    for (int i = 0; i < n && *which && !asked; i++)
        if (sets[i].kind != LIMN_SET_STATE && is_called(&sets[i], which)) return *at = i, LIMN_OK;
    if (*which && !asked)
        return cannot_choose(ctx, file, n, sets, "no weights of the network have the name that --weights gives");
    if (asked) kind = strcmp(which, "ema") ? LIMN_SET_RAW : LIMN_SET_EMA;
    int found = count_kind(n, sets, kind, at);
    const char *many = kind == LIMN_SET_EMA ? "several EMA of one network" : "several sets of weights of one network";
    if (found > 1) return cannot_choose(ctx, file, n, sets, many);
    bool either = weights == 1 && (!asked || sets[0].kind == LIMN_SET_RAW); /* no word says what it is */
    if (found || either) return LIMN_OK;
    if (asked) return cannot_choose(ctx, file, n, sets, kind == LIMN_SET_EMA ? "no EMA weights" : "no raw weights");
    found = count_kind(n, sets, kind == LIMN_SET_EMA ? LIMN_SET_RAW : LIMN_SET_EMA, at);
    return found > 1 ? cannot_choose(ctx, file, n, sets, "several sets of weights of one network") : LIMN_OK;
}

/* One line: which was taken, and what else is there. */
static void tell(limn_ctx *ctx, const char *file, int n, const limn_weight_set *sets, int at)
{
    char taken[300], one[300];
    limn_text rest = {0};
    for (int i = 0; i < n; i++)
        if (i != at && sets[i].kind != LIMN_SET_STATE)
            limn_text_printf(&rest, "%s%s", rest.n ? ", " : "", set_text(&sets[i], one));
    size_t lacks = sets[at].n < sets[0].n ? sets[0].n - sets[at].n : 0;
    set_text(&sets[at], taken);
    if (lacks)
        limn_log(ctx, LIMN_LOG_WARN, "%s: weights taken: %s; the other %zu tensors, which it lacks, from %s", file, taken,
                 lacks, rest.bytes ? rest.bytes : "");
    else if (rest.n)
        limn_log(ctx, LIMN_LOG_INFO, "%s: weights taken: %s; not taken: %s (--weights)", file, taken, rest.bytes);
    limn_text_free(&rest);
}

/* An EMA that no name ties to the network is not taken, and that is no secret. */
static void tell_nameless(limn_ctx *ctx, const char *file, const limn_weight_file *st)
{
    const char *first;
    char name[256];
    size_t n = limn_weight_nameless(st, &first);
    if (n) limn_escape(first, strlen(first), name, sizeof name);
    if (n)
        limn_log(ctx, LIMN_LOG_WARN,
                 "%s: holds an EMA without names (%s and %zu more), which Limn cannot tell apart: the raw "
                 "weights are taken",
                 file, name, n - 1);
}

static limn_status take(limn_ctx *ctx, const char *file, limn_weight_file *whole, const char *prefix, limn_set_kind kind,
                        limn_weight_file **st)
{
    limn_weight_set sets[LIMN_MAX_SETS];
    int n = limn_weight_sets(whole, prefix, sets), at;
    if (n < 0) return limn_fail_memory(ctx, sizeof sets, "sets of weights");
    limn_status status = choose(ctx, file, n, sets, kind, &at);
    if (status != LIMN_OK) return status;
    tell(ctx, file, n, sets, at);
    if (kind == LIMN_SET_EMA && sets[at].kind != LIMN_SET_EMA) tell_nameless(ctx, file, whole);
    return limn_weight_file_take(ctx, whole, n, sets, at, st);
}

limn_status limn_net_open_in(limn_ctx *ctx, const char *file, limn_weight_file *whole, const char *families,
                             limn_weight_file **st, limn_settings *out, limn_port *port)
{
    place at = {.port = port};
    *st = NULL;
    limn_status status = find_network(ctx, file, whole, families, out, &at);
    return status == LIMN_OK ? take(ctx, file, whole, at.prefix, LIMN_SET_EMA, st) : status;
}

limn_status limn_net_open(limn_ctx *ctx, const char *file, const char *families, limn_weight_file **st, limn_settings *out)
{
    limn_weight_file *whole;
    *st = NULL;
    limn_status status = limn_weight_file_open(ctx, file, &whole);
    if (status != LIMN_OK) return status;
    status = limn_net_open_in(ctx, file, whole, families, st, out, NULL);
    limn_weight_file_close(whole);
    return status;
}

limn_status limn_net_open_start(limn_ctx *ctx, const char *file, const limn_graph *g, limn_weight_file **st)
{
    char prefix[LIMN_PREFIX_BYTES];
    limn_map map;
    limn_weight_file *whole;
    *st = NULL;
    limn_status status = limn_weight_file_open(ctx, file, &whole);
    if (status != LIMN_OK) return status;
    bool found = limn_fit_prefix(g, whole, prefix);
    if (!found && g->n_parameters && is_published(ctx, file, whole, g->parameters[0], &map)) {
        memcpy(prefix, map.prefix, sizeof map.prefix);
        found = true;
    }
    if (!found) return *st = whole, LIMN_OK;
    status = take(ctx, file, whole, prefix, LIMN_SET_RAW, st);
    limn_weight_file_close(whole);
    return status;
}
