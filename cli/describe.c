/* describe.c: limn describe [NET]: the network as text or JSON, from the graph itself. */
#include "cli.h"
#include "describe.h"
#include "file/weight_file.h"
#include "graph/describe.h"
#include "model/map/map.h"
#include "train/cost.h"
#include "train/segment_losses.h"
#include "net/open.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char help[] =
    "limn describe [NET] [flags]\n"
    "\n"
    "Draws a network: every block with the shape after it, parameters and FLOPs (two per multiply-add), the totals, and "
    "the\n"
    "memory that running and training it takes.  NET is a family, a preset, a weight file, or the folder that limn\n"
    "train wrote; of a checkpoint with several networks --network says which.\n"
    "Without NET: the table of all networks.\n"
    "\n"
    "  --set NAME=VALUE   change a setting; as often as you like, or several in one: --set \"depth=24 attention=joint\"\n"
    "  --network FAMILY   of a file with several networks the one of this family: clip-text, ldm-unet, vae ...\n"
    "  --settings         the settings of NET: value, range, meaning\n"
    "  -b, --batch 1      pictures at once\n"
    "  --steps 20         sampling steps, for the memory of inference\n"
    "  --precision auto   auto, f32 or bf16, for the memory\n"
    "  --recompute PREFIX as limn train has it, for the memory of training\n"
    "  -a, --all, --full  draw blocks that are alike one by one\n"
    "  --depth N          draw only the N outer levels\n"
    "  --plan             also every kernel of inference, and why no faster one\n"
    "  --train-plan       the same for a training step\n"
    "  --json             all of it for programs\n"
    "  --ascii            no signs beyond ASCII, whatever the locale\n"
    "\n"
    "examples:\n"
    "  limn describe mmdit\n"
    "  limn describe mmdit --set attention=joint --set depth=24\n"
    "  limn describe dit-xl/2 --batch 8 --depth 1\n"
    "  limn describe mmdit-emoji --json | jq .memory.training.peak_bytes\n";

typedef struct describe_flags {
    const char *net, *network, *set, *batch, *steps, *precision, *depth, *recompute;
    const char *loss; /* the one a file of a segmentation network was trained with; NULL: its family's */
    bool help, settings, plan, train_plan, json, all, ascii;
} describe_flags;

static void list_settings(const limn_settings *s)
{
    printf("%-14s %10s  %-24s %s\n", "setting", "value", "allowed", "meaning");
    for (int i = 0; s->family->settings[i].name; i++) {
        const limn_setting *row = &s->family->settings[i];
        char range[64], value[LIMN_SETTING_BYTES];
        limn_format(range, sizeof range, "%s%.9g to %.9g", row->kind == LIMN_SETTING_LIST ? "each " : "", row->min,
                    row->max);
        printf("%-14s %10s  %-24s %s\n", row->name, limn_setting_text(s, i, value), row->choices ? row->choices : range,
               row->help);
    }
}

/* ---- memory ---------------------------------------------------------------------------------------------------------- */

static void print_cost(const char *what, const limn_cost *c)
{
    char text[7][32];
    printf(
        "%-16s %10s %12s %10s %10s %11s %12s %10s\n", what, cli_bytes((double)c->weight_bytes, text[0]),
        cli_bytes((double)c->activation_bytes, text[1]), cli_bytes((double)c->scratch_bytes, text[2]),
        cli_bytes((double)c->packed_bytes, text[3]), c->gradient_bytes ? cli_bytes((double)c->gradient_bytes, text[4]) : "",
        c->optimizer_bytes ? cli_bytes((double)c->optimizer_bytes, text[5]) : "", cli_bytes((double)c->peak_bytes, text[6]));
}

static limn_status print_memory(limn_ctx *ctx, const describe_flags *f, const limn_cost_options *o)
{
    static const char *const precisions[] = {"auto", "f32", "bf16", "f64"};
    limn_cost run, train;
    char *plan = NULL, *train_plan = NULL;
    limn_status status = limn_cost_inference(ctx, o, &run, f->plan ? &plan : NULL);
    if (status != LIMN_OK) return status;
    limn_status trained = limn_cost_training(ctx, o, &train, f->train_plan ? &train_plan : NULL);
    printf("\n%-16s %10s %12s %10s %10s %11s %12s %10s   batch %d, %s\n", "memory", "weights", "activations", "scratch",
           "packed", "gradients", "AdamW, EMA", "peak", o->batch, precisions[run.precision]);
    print_cost("inference", &run);
    if (trained == LIMN_OK) print_cost("training step", &train);
    else printf("%-16s %s\n", "training step", limn_error_text(ctx));
    size_t most = trained == LIMN_OK && train.peak_bytes > run.peak_bytes ? train.peak_bytes : run.peak_bytes,
           have = limn_memory_available();
    char text[32];
    if (have && most > have) printf("%-16s %s are free\n", "this machine", cli_bytes((double)have, text));
    if (plan) printf("\ninference, kernel by kernel\n%s", plan);
    if (train_plan) printf("\ntraining step, kernel by kernel\n%s", train_plan);
    limn_free(plan);
    limn_free(train_plan);
    return f->train_plan ? trained : LIMN_OK;
}

/* ---- one network ------------------------------------------------------------------------------------------------------ */

/* What the settings change in the family's defaults. */
static void print_title(const describe_flags *f, const limn_settings *s, bool color)
{
    limn_settings plain;
    char value[LIMN_SETTING_BYTES];
    printf("%s%s%s: %s, loss: %s\n", color ? "\033[1m" : "", f->net, color ? "\033[0m" : "", s->family->task,
           f->loss ? f->loss : s->family->loss);
    limn_settings_defaults(&plain, s->family);
    int n = 0;
    for (int i = 0; s->family->settings[i].name; i++)
        if (!limn_setting_same(s, &plain, i))
            printf("%s %s=%s", n++ ? "" : s->family->name, s->family->settings[i].name, limn_setting_text(s, i, value));
    printf("%s\n", n ? "\n" : "");
}

static limn_status draw(limn_ctx *ctx, const describe_flags *f, const limn_cost_options *o, int depth)
{
    limn_ports ports;
    limn_graph *g = limn_graph_new(ctx);
    if (!g) return LIMN_NO_MEMORY;
    limn_status status = limn_model_build(g, &o->settings, (limn_build){.batch = o->batch}, &ports);
    if (status == LIMN_OK && f->json) status = cli_describe_json(ctx, f->net, f->loss, o, g, &ports);
    else if (status == LIMN_OK) {
        limn_describe_options options = {
            .batch = o->batch, .ascii = f->ascii || !cli_utf8(), .color = cli_color(stdout), .all = f->all, .depth = depth};
        char *drawing = limn_describe(g, &options);
        print_title(f, &o->settings, options.color);
        if (drawing) fputs(drawing, stdout);
        else status = limn_fail(ctx, LIMN_NO_MEMORY, "out of memory for a drawing");
        limn_free(drawing);
        if (status == LIMN_OK) status = print_memory(ctx, f, o);
    }
    limn_graph_free(g);
    return status;
}

/* The network of a weight file, or the one of several that was asked for. */
static limn_status find_in_file(limn_ctx *ctx, const char *file, const limn_weight_file *st, const char *asked,
                                limn_settings *out)
{
    limn_text known = {0};
    limn_map map;
    int n = 0;
    limn_status status = LIMN_OK;
    for (limn_map_place place = {0};
         !limn_weight_file_metadata(st, "limn.settings") && status != LIMN_NOT_FOUND && status != LIMN_NO_MEMORY;) {
        status = limn_map_detect_next(ctx, file, st, &place, &map);
        if (status == LIMN_OK) limn_text_printf(&known, "%s%s", n++ ? ", " : "", map.dialect->family->name);
    }
    if (n > 1 && !asked)
        status = limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s holds %d networks, %s: say which with --network", file, n,
                           known.bytes ? known.bytes : "");
    else status = limn_net_settings_among(ctx, file, st, asked, out);
    if (status == LIMN_OK && asked && strcmp(asked, out->family->name) != 0)
        status = limn_fail(ctx, LIMN_BAD_ARGUMENT, "--network: %s holds no \"%.100s\" but %s", file, asked,
                           n > 1 && known.bytes ? known.bytes : out->family->name);
    limn_text_free(&known);
    return status;
}

/* Metadata limn.loss, which limn train unet writes: a word of --loss. */
static const char *trained_loss(const limn_weight_file *st, const limn_settings *s)
{
    limn_segment_kind kind;
    const char *text = limn_weight_file_metadata(st, "limn.loss");
    bool other = text && s->family->kind == LIMN_SEGMENTS && limn_segment_kind_find(text, &kind) &&
                 kind != LIMN_SEGMENT_CROSS_ENTROPY;
    return other ? limn_segment_kind_name(kind) : NULL;
}

/* A name, a weight file, or a folder with one. */
static limn_status find_network(limn_ctx *ctx, describe_flags *f, limn_settings *out)
{
    const char *name = f->net, *asked = f->network;
    char inside[1100];
    struct stat there;
    const char *dot = strrchr(name, '.');
    snprintf(inside, sizeof inside, "%s/model.safetensors", name);
    bool file = (dot && strcmp(dot, ".safetensors") == 0) ||
                (stat(name, &there) == 0 && S_ISREG(there.st_mode) && limn_settings_find(ctx, name, out) != LIMN_OK);
    bool folder = !file && strlen(name) < 1024 && access(inside, R_OK) == 0;
    if (!file && !folder && asked)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "--network is for a weight file with several networks, and %.200s is none",
                         name);
    if (!file && !folder) return limn_settings_find(ctx, name, out);
    limn_weight_file *st;
    const char *path = folder ? inside : name;
    limn_status status = limn_weight_file_open(ctx, path, &st);
    if (status != LIMN_OK) return status;
    status = find_in_file(ctx, path, st, asked, out);
    if (status == LIMN_OK) f->loss = trained_loss(st, out);
    limn_weight_file_close(st);
    return status;
}

static limn_status describe(limn_ctx *ctx, int argc, char **argv, describe_flags *f, limn_cost_options *o, int depth)
{
    if (!f->net) return f->json ? cli_families_json(ctx) : cli_families_print(ctx);
    limn_status status = find_network(ctx, f, &o->settings);
    if (status == LIMN_OK) status = cli_apply_sets(ctx, argc, argv, &o->settings);
    if (status != LIMN_OK) return status;
    if (!f->settings) return draw(ctx, f, o, depth);
    list_settings(&o->settings);
    return LIMN_OK;
}

/* A flag that changes nothing of what is asked for.  @return false after a message */
static bool flags_fit(const describe_flags *f)
{
    const char *drawn = f->plan         ? "--plan"
                        : f->train_plan ? "--train-plan"
                        : f->depth      ? "--depth"
                        : f->all        ? "--all"
                        : f->ascii      ? "--ascii"
                                        : NULL;
    const char *memory = f->batch       ? "--batch"
                         : f->steps     ? "--steps"
                         : f->precision ? "--precision"
                         : f->recompute ? "--recompute"
                                        : NULL;
    const char *wrong = f->json && drawn         ? drawn
                        : f->settings && f->json ? "--json"
                        : f->settings && drawn   ? drawn
                        : f->settings            ? memory
                                                 : NULL;
    if (!f->net && (memory || f->network || f->set || f->settings || (drawn && !f->ascii)))
        return fprintf(stderr, "limn describe: %s is for one network: name it, as in limn describe mmdit\n",
                       memory        ? memory
                       : f->network  ? "--network"
                       : f->set      ? "--set"
                       : f->settings ? "--settings"
                                     : drawn),
               false;
    if (wrong)
        fprintf(stderr, "limn describe: %s changes nothing in %s\n", wrong,
                f->settings ? "--settings, a table" : "--json, which has every block");
    return !wrong;
}

int cli_describe(int argc, char **argv)
{
    describe_flags f = {0};
    const cli_flag flags[] = {{NULL, "--set", &f.set, NULL},
                              {NULL, "--network", &f.network, NULL},
                              {"-b", "--batch", &f.batch, NULL},
                              {NULL, "--steps", &f.steps, NULL},
                              {NULL, "--precision", &f.precision, NULL},
                              {NULL, "--depth", &f.depth, NULL},
                              {NULL, "--recompute", &f.recompute, NULL},
                              {NULL, "--plan", NULL, &f.plan},
                              {NULL, "--train-plan", NULL, &f.train_plan},
                              {NULL, "--settings", NULL, &f.settings},
                              {NULL, "--json", NULL, &f.json},
                              {"-a", "--all", NULL, &f.all},
                              {NULL, "--full", NULL, &f.all},
                              {NULL, "--ascii", NULL, &f.ascii},
                              {"-h", "--help", NULL, &f.help},
                              {NULL, NULL, NULL, NULL}};
    int n = cli_parse(argc, argv, flags, &f.net, 1);
    if (f.help) return fputs(help, stdout), 0;
    long batch = 1, steps = 20, depth = 0;
    if (n < 0 || !cli_integer("--batch", f.batch, 1, 65536, &batch) || !cli_integer("--steps", f.steps, 1, 1000, &steps) ||
        !cli_integer("--depth", f.depth, 1, 30, &depth))
        return 2;
    limn_cost_options o = {.batch = (int)batch, .n_steps = (int)steps, .recompute = f.recompute};
    if (!flags_fit(&f)) return 2;
    if (!cli_precision(f.precision, &o.precision)) return 2;
    limn_ctx *ctx = cli_ctx_new();
    if (!ctx) return 1;
    limn_status status = describe(ctx, argc, argv, &f, &o, (int)depth);
    int code = status == LIMN_OK ? 0 : cli_fail(ctx, status);
    cli_ctx_free(ctx);
    return code;
}
