/* families.c: limn describe without a name: every family and preset of the registry. */
#include "base/json.h"
#include "cli.h"
#include "describe.h"
#include "graph/describe.h"

#include <string.h>

/* A row of the table. */
typedef struct row {
    limn_network *network;
    limn_network_info info;
    bool preset;
    int64_t parameters;
    double flops;
} row;

/* Name i of all.  @return LIMN_OK: free row.network; LIMN_NOT_FOUND: there are not so many */
static limn_status find_row(limn_ctx *ctx, int i, row *out)
{
    const char *name = limn_network_name(i);
    *out = (row){0};
    if (!name) return LIMN_NOT_FOUND;
    limn_status status = limn_network_new(ctx, name, &out->network);
    limn_graph *g = limn_graph_new(ctx);
    if (!g && status == LIMN_OK) status = LIMN_NO_MEMORY;
    if (status == LIMN_OK) status = limn_network_build(out->network, g, 1, NULL);
    if (status == LIMN_OK) {
        out->info = limn_network_describe(out->network);
        out->preset = strcmp(name, out->info.family) != 0;
        out->parameters = limn_describe_parameters(g), out->flops = limn_describe_flops(g);
    }
    limn_graph_free(g);
    return status;
}

/* What a preset changes in its family's defaults, in at most n characters. */
static void changes_text(const limn_network *network, char *out, size_t size)
{
    limn_network_setting s;
    size_t n = 0;
    out[0] = '\0';
    for (int i = 0; limn_network_setting_at(network, i, &s) && n < size; i++)
        if (s.changed) n += (size_t)snprintf(out + n, size - n, "%s%s=%s", n ? " " : "", s.name, s.value);
    if (n >= size) snprintf(out + size - 4, 4, "...");
}

static void print_row(const char *name, const row *r)
{
    char parameters[32], flops[32], changes[74];
    limn_count_text((double)r->parameters, parameters), limn_count_text(r->flops, flops);
    changes_text(r->network, changes, sizeof changes);
    if (r->preset) printf("%-18s %-10s %10s %10s  %s\n", name, r->info.family, parameters, flops, changes);
    else
        printf("%-10s %-18s %-38s %-16s %-20s %10s\n", name, r->info.task, r->info.input, r->info.output, r->info.loss,
               parameters);
}

limn_status cli_families_print(limn_ctx *ctx)
{
    limn_status status = LIMN_OK;
    bool presets = false;
    printf("%-10s %-18s %-38s %-16s %-20s %10s\n", "network", "task", "input", "output", "loss", "parameters");
    for (int i = 0; limn_network_name(i) && status == LIMN_OK; i++) {
        row r;
        status = find_row(ctx, i, &r);
        if (status == LIMN_OK && r.preset && !presets)
            printf("\n%-18s %-10s %10s %10s  %s\n", "preset", "network", "parameters", "FLOP", "settings");
        presets = r.preset;
        if (status == LIMN_OK) print_row(limn_network_name(i), &r);
        limn_network_free(r.network);
    }
    printf("\nlimn describe NAME draws one; --settings lists what can be changed with --set.\n");
    return status;
}

static json_t *row_json(const char *name, const row *r)
{
    const limn_network_info *f = &r->info;
    if (r->preset)
        return json_pack("{s:s, s:s, s:I, s:f, s:s}", "name", name, "family", f->family, "parameters",
                         (json_int_t)r->parameters, "flops", r->flops, "settings", f->settings);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:f}", "name", name, "task", f->task, "input", f->input, "output",
                     f->output, "loss", f->loss, "parameters", (json_int_t)r->parameters, "flops", r->flops);
}

limn_status cli_families_json(limn_ctx *ctx)
{
    limn_status status = LIMN_OK;
    json_t *families = json_array(), *presets = json_array();
    for (int i = 0; limn_network_name(i) && status == LIMN_OK; i++) {
        row r;
        status = find_row(ctx, i, &r);
        if (status == LIMN_OK) json_array_append_new(r.preset ? presets : families, row_json(limn_network_name(i), &r));
        limn_network_free(r.network);
    }
    json_t *root = json_pack("{s:o, s:o}", "families", families, "presets", presets);
    if (status == LIMN_OK) status = cli_print_json(ctx, root);
    json_decref(root);
    return status;
}
