/* describe.c: limn describe [NET]: the network as text, from the graph itself. */
#include "cli.h"
#include "graph/describe.h"
#include "model/model.h"

#include <stdlib.h>
#include <string.h>

static const char help[] =
    "limn describe [NET] [flags]\n"
    "\n"
    "  --set NAME=VALUE  a setting (several: \"depth=24 attention=joint\")\n"
    "  --batch 1         pictures at once\n"
    "  --plan            every step with its kernel, and why no faster one\n"
    "  --settings        the settings of the network, their ranges and meaning\n"
    "Without NET: the table of all networks.\n"
    "example: limn describe mmdit --set attention=cross\n";

static int list_all(limn_ctx *ctx)
{
    printf("%-12s %-18s %-40s %-14s %12s  %s\n", "network", "task", "input", "output", "parameters", "loss");
    for (int i = 0; limn_families[i]; i++) {
        const limn_family *f = limn_families[i];
        limn_settings s;
        limn_ports ports;
        limn_graph *g = limn_graph_new(ctx);
        limn_settings_find(ctx, f->name, &s);
        if (g && limn_model_build(g, &s, (limn_build){.batch = 1}, &ports) == LIMN_OK)
            printf("%-12s %-18s %-40s %-14s %12lld  %s\n", f->name, f->task, f->input, f->output, (long long)limn_describe_parameters(g), f->loss);
        limn_graph_free(g);
    }
    printf("presets:");
    for (int i = 0; limn_presets[i].name; i++) printf(" %s", limn_presets[i].name);
    printf("\n");
    return 0;
}

static void list_settings(const limn_settings *s)
{
    for (int i = 0; s->family->settings[i].name; i++) {
        const limn_setting *row = &s->family->settings[i];
        if (row->choices) printf("%-14s %-24s %s\n", row->name, row->choices, row->help);
        else printf("%-14s %-8d (%d to %d)  %s\n", row->name, s->value[i], row->min, row->max, row->help);
    }
}

static limn_status describe(limn_ctx *ctx, const limn_settings *s, int batch, bool show_plan)
{
    limn_ports ports;
    limn_plan *plan = NULL;
    limn_graph *g = limn_graph_new(ctx);
    if (!g) return LIMN_NO_MEMORY;
    limn_status status = limn_model_build(g, s, (limn_build){.batch = batch}, &ports);
    char *drawing = status == LIMN_OK ? limn_describe_text(g) : NULL;
    if (drawing) fputs(drawing, stdout);
    free(drawing);
    limn_plan_options options = {.memory_limit = (size_t)1 << 46}; /* a drawing is not refused for want of memory */
    if (status == LIMN_OK) status = limn_plan_new(g, 1, &ports.output, &options, &plan);
    if (status == LIMN_OK) {
        limn_plan_size size = limn_plan_sizes(plan);
        printf("inference, batch %d: planned peak %.2f MB of activations, scratch and packed weights, beside %.2f MB of weights\n", batch,
               (double)(size.activation_bytes + size.scratch_bytes + size.packed_bytes) * 1e-6, (double)size.weight_bytes * 1e-6);
        char *text = show_plan ? limn_plan_text(plan) : NULL;
        if (text) fputs(text, stdout);
        free(text);
    }
    limn_plan_free(plan);
    limn_graph_free(g);
    return status;
}

int cli_describe(int argc, char **argv)
{
    const char *net = NULL, *set = NULL, *batch = NULL;
    bool asked = false, plan = false, settings = false;
    const cli_flag flags[] = {{NULL, "--set", &set, NULL}, {"-b", "--batch", &batch, NULL}, {NULL, "--plan", NULL, &plan}, {NULL, "--settings", NULL, &settings},
                              {"-h", "--help", NULL, &asked}, {NULL, NULL, NULL, NULL}};
    int n = cli_parse(argc, argv, flags, &net, 1);
    if (asked) return fputs(help, stdout), 0;
    long b = 1;
    if (n < 0 || !cli_integer("--batch", batch, 1, 65536, &b)) return 2;
    limn_ctx *ctx = limn_ctx_new();
    if (!ctx) return 1;
    int code = 0;
    if (!net) code = list_all(ctx);
    else {
        limn_settings s;
        char joined[2048], whole[1024];
        limn_status status = limn_settings_find(ctx, net, &s);
        if (status == LIMN_OK && set) {
            snprintf(joined, sizeof joined, "%s %s", limn_settings_text(&s, whole), set);
            status = limn_settings_parse(ctx, joined, &s);
        }
        if (status == LIMN_OK && settings) list_settings(&s);
        else if (status == LIMN_OK) status = describe(ctx, &s, (int)b, plan);
        if (status != LIMN_OK) code = cli_fail(ctx, status);
    }
    limn_ctx_free(ctx);
    return code;
}
