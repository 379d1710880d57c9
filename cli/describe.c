/* describe.c: limn describe [NET]: the network as text or JSON, from the graph itself. */
#include "cli.h"
#include "describe.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char help[] =
    "limn describe [NET] [flags]\n"
    "\n"
    "Draws a network: every block with the shape after it, parameters and FLOPs (two per multiply-add), the totals, and "
    "the\n"
    "memory that running and training it takes.  NET is a family, a preset, a weight file, or a folder: that which limn\n"
    "train wrote, or one of diffusers (of a whole model its network that draws; FOLDER/text_encoder_2, FOLDER/vae are the\n"
    "others); of a checkpoint with several networks --network says which.\n"
    "Without NET: the table of all networks.\n"
    "\n"
    "  --set NAME=VALUE   change a setting; as often as you like, or several in one: --set \"depth=24 attention=joint\"\n"
    "  --network FAMILY   of a file with several networks the one of this family: clip-text, ldm-unet, vae ...\n"
    "                     of two text encoders by the width of their features: clip-text:768, clip-text:1280\n"
    "  --settings         the settings of NET: value, range, meaning\n"
    "  -b, --batch 1      pictures at once\n"
    "  --steps 20         sampling steps, for the memory of inference\n"
    "  --precision auto   auto, f32, bf16 or exact, for the memory\n"
    "  --recompute PREFIX as limn train has it, for the memory of training\n"
    "  --ranks N          training by N processes on machines of their own: what each holds and sends, what that adds to a\n"
    "                     step by the model of docs/scaling.md, for N, 8, 64 and 512 of them\n"
    "    --accumulate 1, --inner-steps 0, --comm-dtype f32, --shard-state   as limn train has them\n"
    "    --step-seconds S what a step of one process takes, all its parts: the table then says what is left of their speed\n"
    "    --link 10gbit    of each machine, mbit or gbit a second, in place of 1, 10 and 100\n"
    "    --latency 100us  of a call of all ranks, us, ms or s      --message 5us  of one more message in it\n"
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
    "  limn describe mmdit-emoji --json | jq .memory.training.peak_bytes\n"
    "  limn describe mmdit-emoji -b 16 --ranks 8 --step-seconds 0.3\n"
    "  limn describe \"unet levels=5\" --ranks 4 --link 1gbit --latency 50us --inner-steps 500\n";

typedef struct describe_flags {
    const char *net, *network, *set, *batch, *steps, *precision, *depth, *recompute;
    bool help, settings, plan, train_plan, json, all, ascii;
    describe_ranks ranks;
    limn_scaling_options scaling; /* of ranks */
} describe_flags;

static void list_settings(const limn_network *network)
{
    limn_network_setting row;
    printf("%-14s %10s  %-24s %s\n", "setting", "value", "allowed", "meaning");
    for (int i = 0; limn_network_setting_at(network, i, &row); i++) {
        char range[64];
        limn_format(range, sizeof range, "%s%.9g to %.9g", row.kind == LIMN_NETWORK_LIST ? "each " : "", row.min, row.max);
        printf("%-14s %10s  %-24s %s\n", row.name, row.value, row.words ? row.words : range, row.help);
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

static limn_status print_memory(limn_ctx *ctx, const describe_flags *f, const limn_network *network,
                                const limn_cost_options *o)
{
    static const char *const precisions[] = {"auto", "f32", "bf16", "exact", "f64"};
    limn_cost run, train;
    char *plan = NULL, *train_plan = NULL;
    limn_status status = limn_cost_inference(network, o, &run, f->plan ? &plan : NULL);
    if (status != LIMN_OK) return status;
    limn_status trained = limn_cost_training(network, o, &train, f->train_plan ? &train_plan : NULL);
    printf("\n%-16s %10s %12s %10s %10s %11s %12s %10s   batch %d, %s\n", "memory", "weights", "activations", "scratch",
           "packed", "gradients", "AdamW, EMA", "peak", o->batch, precisions[run.precision]);
    print_cost("inference", &run);
    if (trained == LIMN_OK) print_cost("training step", &train);
    else printf("%-16s %s\n", "training step", limn_error_text(ctx));
    size_t most = trained == LIMN_OK && train.peak_bytes > run.peak_bytes ? train.peak_bytes : run.peak_bytes,
           have = limn_memory_available();
    char text[32];
    if (have && most > have) printf("%-16s %s are free\n", "this machine", cli_bytes((double)have, text));
    if (trained == LIMN_OK && f->ranks.ranks) status = cli_describe_ranks_print(ctx, &train, &f->scaling);
    if (plan) printf("\ninference, kernel by kernel\n%s", plan);
    if (train_plan) printf("\ntraining step, kernel by kernel\n%s", train_plan);
    limn_free(plan);
    limn_free(train_plan);
    return trained != LIMN_OK && (f->train_plan || f->ranks.ranks) ? trained : status;
}

/* ---- one network ------------------------------------------------------------------------------------------------------ */

/* What the settings change in the family's defaults. */
static void print_title(const describe_flags *f, const limn_network *network, bool color)
{
    limn_network_info info = limn_network_describe(network);
    limn_network_setting row;
    printf("%s%s%s: %s, loss: %s\n", color ? "\033[1m" : "", f->net, color ? "\033[0m" : "", info.task, info.loss);
    int n = 0;
    for (int i = 0; limn_network_setting_at(network, i, &row); i++)
        if (row.changed) printf("%s %s=%s", n++ ? "" : info.family, row.name, row.value);
    printf("%s\n", n ? "\n" : "");
}

static limn_status draw(limn_ctx *ctx, const describe_flags *f, const limn_network *network, const limn_cost_options *o,
                        int depth)
{
    limn_graph *g = limn_graph_new(ctx);
    if (!g) return LIMN_NO_MEMORY;
    limn_status status = limn_network_build(network, g, o->batch, NULL);
    if (status == LIMN_OK) {
        limn_describe_options options = {
            .batch = o->batch, .ascii = f->ascii || !cli_utf8(), .color = cli_color(stdout), .all = f->all, .depth = depth};
        char *drawing = limn_describe(g, &options);
        print_title(f, network, options.color);
        if (drawing) fputs(drawing, stdout);
        else status = limn_fail(ctx, LIMN_NO_MEMORY, "out of memory for a drawing");
        limn_free(drawing);
        if (status == LIMN_OK) status = print_memory(ctx, f, network, o);
    }
    limn_graph_free(g);
    return status;
}

static limn_status print_json(const describe_flags *f, const limn_network *network, const limn_cost_options *o)
{
    char *json;
    limn_status status = limn_network_json(network, f->net, o, &json);
    if (json) puts(json);
    limn_free(json);
    return status;
}

/* A name, a weight file, or a folder with one. */
static limn_status find_network(limn_ctx *ctx, const describe_flags *f, limn_network **out)
{
    const char *name = f->net;
    char inside[1100];
    struct stat there;
    const char *dot = strrchr(name, '.');
    snprintf(inside, sizeof inside, "%s/model.safetensors", name);
    bool regular = stat(name, &there) == 0 && S_ISREG(there.st_mode);
    bool file = (dot && strcmp(dot, ".safetensors") == 0) || (regular && limn_network_new(ctx, name, out) != LIMN_OK);
    bool folder = !file && strlen(name) < 1024 && access(inside, R_OK) == 0;
    if (!file && !folder && !regular && stat(name, &there) == 0 && S_ISDIR(there.st_mode)) /* a name goes before */
        folder = limn_network_new(ctx, name, out) != LIMN_OK;
    if (file || folder) return limn_network_open(ctx, name, f->network, out);
    if (f->network)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "--network is for a weight file with several networks, and %.200s is none",
                         name);
    return *out ? LIMN_OK : limn_network_new(ctx, name, out);
}

/* Every --set of the command line, in order. */
static limn_status set_all(limn_network *network, int argc, char **argv)
{
    limn_status status = LIMN_OK;
    for (int i = 2; i < argc && strcmp(argv[i], "--") != 0 && status == LIMN_OK; i++) {
        if (strncmp(argv[i], "--set=", 6) == 0) status = limn_network_set(network, argv[i] + 6);
        else if (strcmp(argv[i], "--set") == 0 && i + 1 < argc) status = limn_network_set(network, argv[++i]);
    }
    return status;
}

static limn_status describe(limn_ctx *ctx, int argc, char **argv, const describe_flags *f, const limn_cost_options *o,
                            int depth)
{
    limn_network *network = NULL;
    if (!f->net) return f->json ? cli_families_json(ctx) : cli_families_print(ctx);
    limn_status status = find_network(ctx, f, &network);
    if (status == LIMN_OK) status = set_all(network, argc, argv);
    if (status == LIMN_OK && f->settings) list_settings(network);
    else if (status == LIMN_OK && f->json) status = print_json(f, network, o);
    else if (status == LIMN_OK) status = draw(ctx, f, network, o, depth);
    limn_network_free(network);
    return status;
}

/* Of several processes, as text.  @return false after a message */
static bool ranks_fit(const describe_flags *f)
{
    const char *other = cli_describe_ranks_first(&f->ranks);
    if (!f->ranks.ranks && !other) return true;
    if (f->ranks.ranks && f->net && !f->settings && !f->json) return true;
    if (!f->ranks.ranks) fprintf(stderr, "limn describe: %s is for several processes: give --ranks N\n", other);
    else
        fprintf(stderr, "limn describe: --ranks is for the drawing of one network%s\n",
                f->net ? ", not for --settings and --json" : ": name it, as in limn describe mmdit --ranks 8");
    return false;
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
    return !wrong && ranks_fit(f);
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
                              {NULL, "--ranks", &f.ranks.ranks, NULL},
                              {NULL, "--accumulate", &f.ranks.accumulate, NULL},
                              {NULL, "--inner-steps", &f.ranks.inner_steps, NULL},
                              {NULL, "--comm-dtype", &f.ranks.comm_dtype, NULL},
                              {NULL, "--shard-state", NULL, &f.ranks.shard_state},
                              {NULL, "--link", &f.ranks.link, NULL},
                              {NULL, "--latency", &f.ranks.latency, NULL},
                              {NULL, "--message", &f.ranks.message, NULL},
                              {NULL, "--step-seconds", &f.ranks.step_seconds, NULL},
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
    if (!cli_precision(f.precision, &o.precision) || !cli_describe_ranks_read(&f.ranks, &f.scaling)) return 2;
    limn_ctx *ctx = cli_ctx_new();
    if (!ctx) return 1;
    limn_status status = describe(ctx, argc, argv, &f, &o, (int)depth);
    int code = status == LIMN_OK ? 0 : cli_fail(ctx, status);
    cli_ctx_free(ctx);
    return code;
}
