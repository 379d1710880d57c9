/* bench.c: how fast the networks run here, beside the best product this machine's oneDNN can do.
 *
 *   limn-bench                      the table of the standard cases
 *   limn-bench product f32          TFLOP/s of the best of a few square products
 *   limn-bench forward NET BATCH f32
 *   limn-bench decode NET BATCH f32 the decoder of an autoencoder alone
 *   limn-bench train NET BATCH f32  loss, gradients, clipping, AdamW and EMA; no data
 * NET is a family or preset, with settings if they differ: "unet levels=5".
 * Each case prints one line of JSON; bench/peers/compare.py runs them in turn with PyTorch. */
#include "backend/cpu/product.h"
#include "base/rng.h"
#include "graph/node.h"
#include "measure.h"
#include "plan/plan.h"
#include "train/optimizer.h"
#include "train/step_graph.h"
#include "train/weights.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RUNS = 7, LEAST_RUNS = 3 };
static const double ENOUGH = 10; /* seconds of runs; slow cases then have fewer than RUNS */

/* High-water mark of resident memory, MB. */
static double resident_peak(void)
{
    char line[256];
    double kb = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f)) sscanf(line, "VmHWM: %lf", &kb);
    if (f) fclose(f);
    return kb * 1024e-6;
}

static int fail(limn_ctx *ctx)
{
    fprintf(stderr, "limn-bench: %s\n", limn_error_text(ctx));
    return 1;
}

/* ---- the best product ------------------------------------------------------------------------------------------------ */

static double product_speed(limn_ctx *ctx, int64_t n, limn_dtype type)
{
    limn_product_options o = {
        .kind = LIMN_PRODUCT_FORWARD, .m = n, .n = n, .k = n, .compute = type, .result = type, .weight = type};
    limn_product *p;
    if (limn_product_new(ctx, &o, &p) != LIMN_OK) return 0;
    size_t bytes = (size_t)(n * n) * limn_dtype_bytes(type);
    char *x = limn_alloc_aligned(bytes), *y = limn_alloc_aligned(bytes), *w = limn_alloc_aligned(bytes),
         *packed = limn_alloc_aligned(limn_product_packed_bytes(p)),
         *scratch = limn_alloc_aligned(limn_product_scratch_bytes(p));
    double seconds[RUNS];
    for (int64_t i = 0; i < n * n; i++)
        limn_convert(&(float){(float)(i % 7) - 3}, LIMN_F32, x + (size_t)i * limn_dtype_bytes(type), type, 1);
    memcpy(w, x, bytes);
    limn_product_memories *memories;
    limn_product_pack(p, w, packed);
    if (limn_product_open(ctx, p, &memories) != LIMN_OK) return 0;
    for (int i = -2; i < RUNS; i++) {
        double begin = limn_seconds();
        limn_product_run(p, memories, x, packed, NULL, y, scratch, limn_ctx_threads(ctx));
        if (i >= 0) seconds[i] = limn_seconds() - begin;
    }
    char *all[] = {x, y, w, packed, scratch};
    for (int i = 0; i < 5; i++) limn_free_aligned(all[i]);
    limn_product_close(memories);
    limn_product_free(p);
    return 2.0 * (double)(n * n * n) / measure_median(seconds, RUNS) * 1e-12;
}

static double best_product(limn_ctx *ctx, limn_dtype type)
{
    double best = 0;
    for (int64_t n = 1024; n <= 3072; n += 1024) {
        double speed = product_speed(ctx, n, type);
        if (speed > best) best = speed;
    }
    return best;
}

/* ---- networks --------------------------------------------------------------------------------------------------------- */

typedef struct bench {
    limn_ctx *ctx;
    limn_settings settings;
    limn_step_graph step;  /* train; its graph is g */
    limn_graph *g;
    limn_ports ports;
    limn_plan *plan;
    limn_run *run;
    limn_source *source;   /* forward */
    limn_store *store;
    limn_weights weights;
    float *state[4];       /* gradient, m, v, EMA */
    float *running;        /* statistics of batch norms */
    uint8_t *decay;
    int64_t n_steps;
    double cpu;            /* seconds of all cores, a run: what a busy machine does not change much */
} bench;

/* Whole numbers below `most`, as indices or timesteps. */
static void set_indices(bench *b, const limn_node *node, int64_t each, int64_t most)
{
    int64_t n = limn_node_count(node);
    int32_t *x = malloc((size_t)n * sizeof *x);
    float *f = malloc((size_t)n * sizeof *f);
    for (int64_t i = 0; x && f && i < n; i++) f[i] = (float)(x[i] = (int32_t)(i * 37 / each % most));
    if (x && f &&
        limn_run_write(b->run, node, node->kind == LIMN_INDEX ? LIMN_I32 : LIMN_F32,
                       node->kind == LIMN_INDEX ? (void *)x : f) != LIMN_OK)
        exit(1);
    free(x);
    free(f);
}

static void set_inputs(bench *b)
{
    for (int i = 0; i < b->g->n_nodes; i++) {
        limn_node *node = b->g->nodes[i];
        if (node->op != LIMN_OP_INPUT) continue;
        size_t n = (size_t)limn_node_count(node);
        float *x = calloc(n, sizeof *x); /* zeros are indices, too */
        if (node->kind != LIMN_INDEX) limn_random_normal(1, LIMN_STREAM_TEST, (uint64_t)i, 0, n, x);
        limn_run_write(b->run, node, node->kind == LIMN_INDEX ? LIMN_I32 : LIMN_F32, x);
        free(x);
    }
    limn_node *indices[] = {b->ports.ids, b->ports.text_end, b->ports.label};
    for (int k = 0; k < 3; k++)
        if (indices[k]) set_indices(b, indices[k], 1, 500);
    if (b->step.segment.target) {
        int classes = (int)limn_node_shape(b->ports.output).dim[3];
        limn_segment_loss loss = limn_segment_loss_defaults(classes);
        limn_segment_constants(b->run, &loss, &b->step.segment);
        set_indices(b, b->step.segment.target, 11, classes);
    }
    if (b->ports.timesteps) set_indices(b, b->ports.timesteps, 1, 1000); /* networks of pictures alone have none */
}

static limn_status bind_weights(bench *b)
{
    limn_status status = LIMN_OK;
    for (int p = 0; p < b->weights.n && status == LIMN_OK; p++)
        status = limn_run_bind(b->run, b->weights.node[p], LIMN_F32, b->weights.value + b->weights.begin[p]);
    return status;
}

/* As a program that loads weights does it. */
static limn_status open_forward(bench *b, int batch, limn_model_part part, limn_precision precision)
{
    b->g = limn_graph_new(b->ctx);
    limn_plan_options options = {.precision = precision};
    limn_status status = limn_source_started(b->ctx, LIMN_F32, 1, &b->source);
    if (status == LIMN_OK) status = limn_store_new(b->ctx, limn_alloc_aligned, limn_free_aligned, &b->store);
    if (status == LIMN_OK)
        status = limn_model_build(b->g, &b->settings, (limn_build){.batch = batch, .part = part}, &b->ports);
    if (status == LIMN_OK) status = limn_plan_new_from(b->ctx, b->g, 1, &b->ports.output, &options, b->source, &b->plan);
    if (status == LIMN_OK) status = limn_plan_make_constants(b->ctx, b->plan, b->store);
    return status == LIMN_OK ? limn_run_new_with(b->ctx, b->plan, b->store, &b->run) : status;
}

static limn_status bind_running(bench *b)
{
    size_t n = 0, at = 0;
    limn_status status = LIMN_OK;
    limn_node **value = b->step.outputs + b->step.n;
    for (int i = 0; i < b->step.n_running; i++) n += (size_t)limn_node_count(value[i]);
    b->running = n ? limn_alloc_aligned(n * sizeof(float)) : NULL;
    if (n && !b->running) return limn_fail_memory(b->ctx, n * sizeof(float), "running statistics");
    for (int i = 0; i < b->step.n_running && status == LIMN_OK; at += (size_t)limn_node_count(value[i++]))
        status = limn_run_bind(b->run, value[i], LIMN_F32, b->running + at);
    return status;
}

/* Gradients lie in one flat buffer laid out as the weights, as in the trainer. */
static limn_status open_train(bench *b, int batch, limn_precision precision)
{
    limn_step_options step = {.settings = b->settings, .batch = batch};
    limn_plan_options options = {.precision = precision};
    limn_status status = limn_step_graph_build(b->ctx, &step, &b->step);
    if (status != LIMN_OK) return status;
    b->g = b->step.g;
    b->ports = b->step.ports;
    status = limn_step_graph_plan(&b->step, &options, &b->plan);
    if (status == LIMN_OK) status = limn_run_new(b->plan, &b->run);
    if (status == LIMN_OK) status = limn_weights_new(b->ctx, b->g, 1, &b->weights);
    if (status != LIMN_OK) return status;
    size_t bytes = b->weights.count * sizeof(float);
    b->decay = calloc(b->weights.count, 1);
    for (int k = 0; k < 4; k++) {
        b->state[k] = limn_alloc_aligned(bytes);
        if (!b->state[k] || !b->decay) return limn_fail_memory(b->ctx, bytes, "training state");
        memset(b->state[k], 0, bytes);
    }
    for (int i = 1; i < b->step.n && status == LIMN_OK; i++) {
        int p = 0;
        while (b->weights.node[p] != b->step.of[i]) p++;
        status = limn_run_bind(b->run, b->step.outputs[i], LIMN_F32, b->state[0] + b->weights.begin[p]);
    }
    if (status == LIMN_OK) status = bind_running(b);
    return status == LIMN_OK ? bind_weights(b) : status;
}

static limn_status run_once(bench *b)
{
    limn_run_touch(b->run, b->ports.image ? b->ports.image : b->ports.latent);
    if (!b->step.g) return limn_run_execute(b->run);
    for (int p = 0; p < b->weights.n; p++) limn_run_touch(b->run, b->weights.node[p]);
    limn_status status = limn_run_execute(b->run);
    if (status != LIMN_OK) return status;
    limn_adamw adamw = {.lr = 1e-4, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .weight_decay = 0.01, .clip = 1, .ema = 0.999};
    double norm = limn_gradient_norm(b->state[0], b->weights.count, limn_ctx_threads(b->ctx));
    limn_adamw_step(&adamw, ++b->n_steps, norm, b->weights.count, b->weights.value, b->state[0], b->state[1], b->state[2],
                    b->state[3], b->decay, limn_ctx_threads(b->ctx));
    return b->running ? limn_weights_follow(b->ctx, &b->weights, b->g, b->running) : LIMN_OK;
}

static void print_case(const bench *b, const char *mode, const char *net, int batch, const char *precision, double seconds,
                       double best, double resident)
{
    limn_plan_size size = limn_plan_sizes(b->plan);
    double planned = (double)(size.activation_bytes + size.scratch_bytes + size.packed_bytes) * 1e-6,
           weights = (double)b->weights.count * 4e-6 * 5;
    double speed = size.flops / seconds * 1e-12;
    printf("{\"who\": \"limn\", \"mode\": \"%s\", \"net\": \"%s\", \"batch\": %d, \"precision\": \"%s\", \"ms\": %.3f, "
           "\"cpu_ms\": %.3f, "
           "\"images_per_s\": %.2f, "
           "\"tflops\": %.4f, \"best_product_tflops\": %.4f, \"share\": %.3f, \"planned_mb\": %.1f, \"weights_mb\": %.1f, "
           "\"resident_mb\": %.1f}\n",
           mode, net, batch, precision, seconds * 1e3, b->cpu * 1e3, batch / seconds, speed, best, speed / best, planned,
           b->step.g ? weights : (double)size.weight_bytes * 1e-6, resident);
}

/* "unet" or "unet levels=5 classes=3" */
static limn_status find_network(limn_ctx *ctx, const char *net, limn_settings *out)
{
    char name[64];
    size_t n = strcspn(net, " ");
    snprintf(name, sizeof name, "%.*s", (int)(n < sizeof name ? n : sizeof name - 1), net);
    limn_status status = limn_settings_find(ctx, name, out);
    return status == LIMN_OK ? limn_settings_apply(ctx, out, net + n) : status;
}

/* One run that is not counted, then RUNS of them, fewer where they are slow.  @param seconds  the median */
static limn_status time_runs(bench *b, double *seconds)
{
    double each[RUNS], all = 0;
    int n = 0;
    limn_status status = run_once(b);
    clock_t cpu = clock();
    while (status == LIMN_OK && n < RUNS && (n < LEAST_RUNS || all < ENOUGH)) {
        double begin = limn_seconds();
        status = run_once(b);
        all += each[n++] = limn_seconds() - begin;
    }
    if (status == LIMN_OK) *seconds = measure_median(each, n), b->cpu = (double)(clock() - cpu) / CLOCKS_PER_SEC / n;
    return status;
}

static limn_status open_case(bench *b, const char *mode, int batch, limn_precision p)
{
    if (!strcmp(mode, "train")) return open_train(b, batch, p);
    if (!strcmp(mode, "forward")) return open_forward(b, batch, LIMN_PART_WHOLE, p);
    if (!strcmp(mode, "decode")) return open_forward(b, batch, LIMN_PART_DECODER, p);
    return limn_fail(b->ctx, LIMN_BAD_ARGUMENT, "the modes are forward, decode and train, found \"%s\"", mode);
}

static int run_case(limn_ctx *ctx, const char *mode, const char *net, int batch, const char *precision)
{
    bench b = {.ctx = ctx};
    bool half = !strcmp(precision, "bf16");
    limn_precision p = half                          ? LIMN_PRECISION_BF16
                       : !strcmp(precision, "exact") ? LIMN_PRECISION_EXACT
                                                     : LIMN_PRECISION_F32;
    double seconds = 0;
    limn_status status = find_network(ctx, net, &b.settings);
    if (status == LIMN_OK) status = open_case(&b, mode, batch, p);
    if (status == LIMN_OK) set_inputs(&b);
    if (status == LIMN_OK) status = time_runs(&b, &seconds);
    double resident = resident_peak(); /* before the products below take memory of their own */
    if (status == LIMN_OK)
        print_case(&b, mode, net, batch, precision, seconds, best_product(ctx, half ? LIMN_BF16 : LIMN_F32), resident);
    limn_run_free(b.run);
    limn_plan_free(b.plan);
    limn_store_free(b.store);
    limn_source_free(b.source);
    limn_weights_free(&b.weights);
    for (int k = 0; k < 4; k++) limn_free_aligned(b.state[k]);
    limn_free_aligned(b.running);
    free(b.decay);
    if (b.step.g) limn_step_graph_free(&b.step);
    else limn_graph_free(b.g);
    return status == LIMN_OK ? 0 : fail(ctx);
}

static bool has_bf16(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx512bf16");
#else
    return false;
#endif
}

static int standard_cases(limn_ctx *ctx)
{
    static const struct {
        const char *mode, *net;
        int batch;
    } cases[] = {{"forward", "dit-b/2", 8},     {"train", "mmdit-emoji", 64}, {"forward", "unet", 1},
                 {"train", "unet levels=5", 2}, {"forward", "ldm-unet", 2},   {"decode", "vae", 1}};
    int code = 0;
    for (int half = 0; half < 2; half++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            if (half && !has_bf16())
                printf("SKIP %s %s bf16: this CPU does not multiply bf16 natively\n", cases[i].mode, cases[i].net);
            else code |= run_case(ctx, cases[i].mode, cases[i].net, cases[i].batch, half ? "bf16" : "f32");
        }
    return code;
}

int main(int argc, char **argv)
{
    limn_ctx *ctx = limn_ctx_new();
    if (!ctx) return 1;
    int code = 2;
    if (argc == 1) code = standard_cases(ctx);
    else if (argc == 3 && !strcmp(argv[1], "product"))
        code = printf("%.4f TFLOP/s\n", best_product(ctx, strcmp(argv[2], "bf16") ? LIMN_F32 : LIMN_BF16)) < 0;
    else if (argc == 5 && atoi(argv[3]) > 0) code = run_case(ctx, argv[1], argv[2], atoi(argv[3]), argv[4]);
    else fprintf(stderr, "limn-bench [product f32|bf16]  |  limn-bench forward|decode|train NET BATCH f32|bf16|exact\n");
    limn_ctx_free(ctx);
    return code;
}
