/* families.c: limn describe without a name: every family and preset of the registry. */
#include "base/json.h"
#include "cli.h"
#include "describe.h"
#include "graph/describe.h"

#include <string.h>

typedef struct sizes {
    int64_t parameters;
    double flops;
} sizes;

static limn_status size_of(limn_ctx *ctx, const char *name, limn_settings *s, sizes *out)
{
    limn_ports ports;
    *out = (sizes){0};
    limn_status status = limn_settings_find(ctx, name, s);
    limn_graph *g = limn_graph_new(ctx);
    if (!g) return LIMN_NO_MEMORY;
    if (status == LIMN_OK) status = limn_model_build(g, s, (limn_build){.batch = 1}, &ports);
    if (status == LIMN_OK) *out = (sizes){limn_describe_parameters(g), limn_describe_flops(g)};
    limn_graph_free(g);
    return status;
}

/* What a preset changes in its family's defaults, in at most n characters. */
static void changes_text(const limn_settings *s, char *out, size_t size)
{
    limn_settings plain;
    char value[LIMN_SETTING_BYTES];
    size_t n = 0;
    out[0] = '\0';
    limn_settings_defaults(&plain, s->family);
    for (int i = 0; s->family->settings[i].name && n < size; i++)
        if (!limn_setting_same(s, &plain, i))
            n += (size_t)snprintf(out + n, size - n, "%s%s=%s", n ? " " : "", s->family->settings[i].name,
                                  limn_setting_text(s, i, value));
    if (n >= size) snprintf(out + size - 4, 4, "...");
}

limn_status cli_families_print(limn_ctx *ctx)
{
    limn_settings s;
    sizes size = {0};
    char parameters[32], flops[32], changes[74];
    limn_status status = LIMN_OK;
    printf("%-10s %-18s %-38s %-16s %-20s %10s\n", "network", "task", "input", "output", "loss", "parameters");
    for (int i = 0; limn_families[i] && status == LIMN_OK; i++) {
        const limn_family *f = limn_families[i];
        status = size_of(ctx, f->name, &s, &size);
        if (status == LIMN_OK)
            printf("%-10s %-18s %-38s %-16s %-20s %10s\n", f->name, f->task, f->input, f->output, f->loss,
                   limn_count_text((double)size.parameters, parameters));
    }
    printf("\n%-18s %-10s %10s %10s  %s\n", "preset", "network", "parameters", "FLOP", "settings");
    for (int i = 0; limn_presets[i].name && status == LIMN_OK; i++) {
        status = size_of(ctx, limn_presets[i].name, &s, &size);
        changes_text(&s, changes, sizeof changes);
        if (status == LIMN_OK)
            printf("%-18s %-10s %10s %10s  %s\n", limn_presets[i].name, limn_presets[i].family,
                   limn_count_text((double)size.parameters, parameters), limn_count_text(size.flops, flops), changes);
    }
    printf("\nlimn describe NAME draws one; --settings lists what can be changed with --set.\n");
    return status;
}

limn_status cli_families_json(limn_ctx *ctx)
{
    limn_settings s;
    sizes size = {0};
    char settings[LIMN_SETTINGS_BYTES];
    limn_status status = LIMN_OK;
    json_t *families = json_array(), *presets = json_array();
    for (int i = 0; limn_families[i] && status == LIMN_OK; i++) {
        const limn_family *f = limn_families[i];
        status = size_of(ctx, f->name, &s, &size);
        json_array_append_new(families, json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:f}", "name", f->name, "task", f->task,
                                                  "input", f->input, "output", f->output, "loss", f->loss, "parameters",
                                                  (json_int_t)size.parameters, "flops", size.flops));
    }
    for (int i = 0; limn_presets[i].name && status == LIMN_OK; i++) {
        status = size_of(ctx, limn_presets[i].name, &s, &size);
        json_array_append_new(presets, json_pack("{s:s, s:s, s:I, s:f, s:s}", "name", limn_presets[i].name, "family",
                                                 limn_presets[i].family, "parameters", (json_int_t)size.parameters, "flops",
                                                 size.flops, "settings", limn_settings_text(&s, settings)));
    }
    json_t *root = json_pack("{s:o, s:o}", "families", families, "presets", presets);
    if (status == LIMN_OK) status = cli_print_json(ctx, root);
    json_decref(root);
    return status;
}
