/* check_bench.c: time of each op's first kernel on the shapes of DiT-S/2 and DiT-B/2 (32x32x4 latents: 256 tokens), batch 8,
 * beside the machine's best oneDNN product of the same run.  Median of several runs after one to warm up. */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define S(...) {.rank = (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), .dim = {__VA_ARGS__}}
#define SRC(...) .n_src = (int)(sizeof((limn_shape[]){__VA_ARGS__}) / sizeof(limn_shape)), .src = {__VA_ARGS__}
#define CASE(name, what, ...) {.op = LIMN_OP_##name, .proves = what, __VA_ARGS__}

static const limn_chain gate_add = {2, {{.op = LIMN_OP_MUL, .a = 0, .b = 1}, {.op = LIMN_OP_ADD, .a = 3, .b = 2}}};

/* B batch, T tokens, D width, h heads */
#define NETWORK(net, B, T, D, h)                                                                                            \
    CASE(LINEAR, net " q, k, v", SRC(S(B, T, D), S(3 * D, D), S(3 * D)), .attr.flags = LIMN_HAS_BIAS),                      \
        CASE(LINEAR, net " MLP in, gelu", SRC(S(B, T, D), S(4 * D, D), S(4 * D)),                                           \
             .attr = {.flags = LIMN_HAS_BIAS, .activation = LIMN_GELU_TANH}),                                               \
        CASE(LINEAR, net " MLP out, gate, residual", SRC(S(B, T, 4 * D), S(D, 4 * D), S(D), S(B, 1, D), S(B, T, D)),        \
             .attr.flags = LIMN_HAS_BIAS | LIMN_HAS_GATE | LIMN_HAS_RESIDUAL),                                              \
        CASE(LINEAR, net " adaLN of a batch", SRC(S(B, D), S(6 * D, D), S(6 * D)), .attr.flags = LIMN_HAS_BIAS),            \
        CASE(LINEAR_GRAD_INPUT, net " MLP in", SRC(S(B, T, 4 * D), S(4 * D, D))),                                           \
        CASE(LINEAR_GRAD_WEIGHT, net " MLP in", SRC(S(B, T, D), S(B, T, 4 * D))),                                           \
        CASE(ATTENTION, net " packed q, k, v", SRC(S(B, T, 3 * D)), .attr = {.heads = h, .packed = LIMN_PACKED_QKV}),       \
        CASE(ATTENTION, net " on 77 text tokens", SRC(S(B, T, D), S(B, 77, 2 * D)),                                         \
             .attr = {.heads = h, .packed = LIMN_PACKED_KV}),                                                               \
        CASE(ATTENTION_GRAD, net " packed q, k, v", SRC(S(B, T, 3 * D), S(B, T, D), S(B, T, D)),                            \
             .attr = {.heads = h, .packed = LIMN_PACKED_QKV}),                                                              \
        CASE(LAYER_NORM, net " modulated", SRC(S(B, T, D), S(B, 1, D), S(B, 1, D)),                                         \
             .attr = {.eps = 1e-6, .flags = LIMN_HAS_WEIGHT, .shift = 1}),                                                  \
        CASE(LAYER_NORM_GRAD, net " modulated", SRC(S(B, T, D), S(B, T, D), S(B, 1, D)),                                    \
             .attr = {.eps = 1e-6, .flags = LIMN_HAS_WEIGHT, .shift = 1}),                                                  \
        CASE(LAYER_NORM_GRAD_WEIGHT, net " modulated", SRC(S(B, T, D), S(B, T, D)),                                         \
             .attr = {.eps = 1e-6, .shape = S(B, 1, D)}),                                                                   \
        CASE(RMS_NORM, net " of heads", SRC(S(B, T, h, D / h), S(D / h)), .attr = {.eps = 1e-6, .flags = LIMN_HAS_WEIGHT}), \
        CASE(RMS_NORM_GRAD, net " of heads", SRC(S(B, T, h, D / h), S(B, T, h, D / h), S(D / h)),                           \
             .attr = {.eps = 1e-6, .flags = LIMN_HAS_WEIGHT}),                                                              \
        CASE(RMS_NORM_GRAD_WEIGHT, net " of heads", SRC(S(B, T, h, D / h), S(B, T, h, D / h)),                              \
             .attr = {.eps = 1e-6, .shape = S(D / h)}),                                                                     \
        CASE(ACTIVATE, net " MLP, gelu", SRC(S(B, T, 4 * D)), .attr.activation = LIMN_GELU_TANH),                           \
        CASE(ACTIVATE_GRAD, net " MLP, gelu", SRC(S(B, T, 4 * D), S(B, T, 4 * D)), .attr.activation = LIMN_GELU_TANH),      \
        CASE(CHAIN, net " x gate + h", SRC(S(B, T, D), S(B, 1, D), S(B, T, D)),                                             \
             .attr = {.chain = &gate_add, .shape = S(B, T, D)}),                                                            \
        CASE(ADD, net " tokens", SRC(S(B, T, D), S(B, T, D))), CASE(MUL, net " gate", SRC(S(B, T, D), S(B, 1, D))),         \
        CASE(SUM_TO, net " bias of the MLP", SRC(S(B, T, 4 * D)), .attr.shape = S(4 * D)),                                  \
        CASE(SUM_TO, net " tokens of each sample", SRC(S(B, T, D)), .attr.shape = S(B, 1, D)),                              \
        CASE(SUM_TO, net " to one number", SRC(S(B, T, D)), .attr.shape = {0}),                                             \
        CASE(EXPAND, net " a gate", SRC(S(B, 1, D)), .attr.shape = S(B, T, D)),                                             \
        CASE(CONCAT, net " text behind tokens", SRC(S(B, T, D), S(B, 77, D)), .attr.axis = 1),                              \
        CASE(SLICE, net " one of six chunks", SRC(S(B, T, 6 * D)), .attr = {.axis = 2, .begin = 2 * D, .shape = S(D)}),     \
        CASE(PAD, net " one of six chunks", SRC(S(B, T, D)), .attr = {.axis = 2, .begin = 2 * D, .shape = S(3 * D)}),       \
        CASE(PERMUTE, net " heads before tokens", SRC(S(B, T, h, D / h)), .attr.order = {0, 2, 1, 3})

/* One 3 x 3 convolution and both gradients: `size` x `size` pixels, C channels to O. */
#define CONVOLUTION(what, B, size, C, O)                                                                                    \
    CASE(CONV, what, SRC(S(B, size, size, C), S(O, C, 3, 3), S(O)),                                                         \
         .attr = {.stride = 1, .pad = {1, 1, 1, 1}, .flags = LIMN_HAS_BIAS}),                                               \
        CASE(CONV_TRANSPOSE, what ", gradient", SRC(S(B, size, size, O), S(O, C, 3, 3)),                                    \
             .attr = {.stride = 1, .pad = {1, 1, 1, 1}, .shape = S(size, size)}),                                           \
        CASE(CONV_GRAD_WEIGHT, what ", gradient", SRC(S(B, size, size, C), S(B, size, size, O)),                            \
             .attr = {.stride = 1, .pad = {1, 1, 1, 1}, .shape = S(O, C, 3, 3)})

static const check_case cases[] = {
    NETWORK("DiT-S/2", 8, 256, 384, 6),
    NETWORK("DiT-B/2", 8, 256, 768, 12),
    CASE(ATTENTION, "SD U-Net, 64x64 pixels", SRC(S(2, 4096, 320), S(2, 4096, 320), S(2, 4096, 320)), .attr.heads = 8),
    CASE(ATTENTION, "SD U-Net, 32x32 pixels", SRC(S(2, 1024, 640), S(2, 1024, 640), S(2, 1024, 640)), .attr.heads = 8),
    CASE(ATTENTION, "SD U-Net, 64x64 pixels on 77 text tokens", SRC(S(2, 4096, 320), S(2, 77, 320), S(2, 77, 320)),
         .attr.heads = 8),
    CASE(ATTENTION, "windows of 8 x 8 with their bias", SRC(S(64, 64, 3 * 128), S(64, 4, 64, 64)),
         .attr = {.heads = 4, .packed = LIMN_PACKED_QKV, .flags = LIMN_HAS_BIAS}),
    CASE(ATTENTION, "PixArt on 300 masked text tokens", SRC(S(2, 1024, 1152), S(2, 300, 2 * 1152), S(2, 1, 1, 300)),
         .attr = {.heads = 16, .packed = LIMN_PACKED_KV, .flags = LIMN_HAS_BIAS}),
    CASE(ATTENTION, "VAE, one head", SRC(S(1, 4096, 512), S(1, 4096, 512), S(1, 4096, 512)), .attr.heads = 1),
    CASE(PERMUTE, "8 latents of 32x32x4 to patches of 2", SRC(S(8, 16, 2, 16, 2, 4)), .attr.order = {0, 1, 3, 5, 2, 4}),
    CASE(SOFTMAX, "rows of 256", SRC(S(8, 256, 256))),
    CASE(SOFTMAX_GRAD, "InfoNCE of 256 pairs", SRC(S(256, 256), S(256, 256))),
    CASE(CROSS_ENTROPY, "InfoNCE of 256 pairs", SRC(S(256, 256), S(256))),
    CASE(CROSS_ENTROPY_GRAD, "InfoNCE of 256 pairs", SRC(S(256, 256), S(256), S(256))),
    CASE(CROSS_ENTROPY, "512 x 512 pixels, 2 classes", SRC(S(262144, 2), S(262144))),
    CASE(CROSS_ENTROPY, "512 x 512 pixels, 21 classes", SRC(S(262144, 21), S(262144))),
    CASE(CROSS_ENTROPY_GRAD, "512 x 512 pixels, 2 classes", SRC(S(262144, 2), S(262144), S(262144))),
    CASE(CROSS_ENTROPY_GRAD, "512 x 512 pixels, 21 classes", SRC(S(262144, 21), S(262144), S(262144))),
    CASE(SOFTMAX, "512 x 512 pixels, 2 classes", SRC(S(262144, 2))),
    CASE(SOFTMAX, "512 x 512 pixels, 21 classes", SRC(S(262144, 21))),
    CASE(SOFTMAX_GRAD, "512 x 512 pixels, 2 classes", SRC(S(262144, 2), S(262144, 2))),
    CASE(SOFTMAX_GRAD, "512 x 512 pixels, 21 classes", SRC(S(262144, 21), S(262144, 21))),
    CASE(SUM_TO, "512 x 512 pixels, 2 classes", SRC(S(1, 262144, 2)), .attr.shape = S(1, 1, 2)),
    CASE(SUM_TO, "512 x 512 pixels, 21 classes", SRC(S(1, 262144, 21)), .attr.shape = S(1, 1, 21)),
    CASE(MUL, "512 x 512 pixels, 21 classes, by pixel", SRC(S(262144, 21), S(262144, 1))),
    CASE(GATHER, "512 x 512 pixels, 21 classes", SRC(S(22, 21), S(262144))),
    CASE(GATHER, "8 captions of 77 tokens", SRC(S(8192, 512), S(8, 77))),
    CASE(GATHER_GRAD, "8 captions of 77 tokens", SRC(S(8, 77, 512), S(8, 77)), .attr.shape = S(8192, 512)),
    CASE(TIMESTEP_EMBEDDING, "8 timesteps", SRC(S(8)), .attr = {.scale = 10000, .shape = S(256), .flags = LIMN_COS_FIRST}),
    CONVOLUTION("U-Net 512 x 512, 64", 1, 512, 64, 64),
    CONVOLUTION("narrow U-Net 256 x 256, 16", 2, 256, 16, 16),
    CONVOLUTION("narrow U-Net 128 x 128, 32", 2, 128, 32, 32),
    CONVOLUTION("U-Net 64 x 64, 512", 1, 64, 512, 512),
    CONVOLUTION("SD 1.5 64 x 64, 320", 2, 64, 320, 320),
    CONVOLUTION("SD 1.5 16 x 16, 1280", 2, 16, 1280, 1280),
    CONVOLUTION("SD 1.5 8 x 8, 2560 to 1280", 2, 8, 2560, 1280),
    CASE(CONV_TRANSPOSE, "U-Net 2 x 2 up to 512 x 512", SRC(S(1, 256, 256, 128), S(128, 64, 2, 2), S(64)),
         .attr = {.stride = 2, .flags = LIMN_HAS_BIAS, .shape = S(512, 512)}),
    CASE(MAX_POOL, "U-Net 512 x 512, 64", SRC(S(1, 512, 512, 64)), .attr.stride = 2),
    CASE(MAX_POOL_GRAD, "U-Net 512 x 512, 64", SRC(S(1, 512, 512, 64), S(1, 256, 256, 64)), .attr.stride = 2),
    CASE(RESIZE, "nearest, VAE 256 to 512, 128", SRC(S(1, 256, 256, 128)), .attr.shape = S(512, 512)),
    CASE(RESIZE, "bilinear, U-Net 256 to 512, 64", SRC(S(1, 256, 256, 64)),
         .attr = {.shape = S(512, 512), .resize = LIMN_BILINEAR_ALIGNED}),
    CASE(GROUP_NORM, "SD 1.5 64 x 64, 320, silu", SRC(S(2, 64, 64, 320), S(2, 64), S(320), S(320)),
         .attr = {.groups = 32, .eps = 1e-5, .flags = LIMN_HAS_WEIGHT, .activation = LIMN_SILU}),
    CASE(GROUP_NORM_GRAD, "SD 1.5 64 x 64, 320, silu",
         SRC(S(2, 64, 64, 320), S(2, 64), S(2, 64, 64, 320), S(2, 2, 320), S(320), S(320)),
         .attr = {.groups = 32, .eps = 1e-5, .flags = LIMN_HAS_WEIGHT, .activation = LIMN_SILU}),
    CASE(GROUP_NORM_GRAD_SUMS, "SD 1.5 64 x 64, 320, silu",
         SRC(S(2, 64, 64, 320), S(2, 64), S(2, 64, 64, 320), S(320), S(320)),
         .attr = {.groups = 32, .eps = 1e-5, .flags = LIMN_HAS_WEIGHT, .activation = LIMN_SILU}),
    CASE(MOMENTS, "U-Net 512 x 512, 64", SRC(S(1, 512, 512, 64)), .attr = {.groups = 64, .flags = LIMN_OVER_BATCH}),
    {.proves = NULL},
};

/* Products of the sizes above, to find what the machine can do at best. */
static const check_case best_cases[] = {
    CASE(LINEAR, "DiT-B/2 MLP in", SRC(S(2048, 768), S(3072, 768))),
    CASE(LINEAR, "DiT-B/2 MLP out", SRC(S(2048, 3072), S(768, 3072))),
    CASE(LINEAR, "1024 cubed", SRC(S(1024, 1024), S(1024, 1024))),
    CASE(LINEAR, "2048 cubed", SRC(S(2048, 2048), S(2048, 2048))),
    {.proves = NULL},
};

/* ---- timing --------------------------------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

enum { MIN_RUNS = 5, MAX_RUNS = 51 };

static double median_time(const limn_kernel *kernel, const limn_call *call)
{
    double t[MAX_RUNS], begin = limn_seconds();
    int n = 0;
    kernel->run(call);
    while (n < MIN_RUNS || (n < MAX_RUNS && limn_seconds() - begin < 0.2)) {
        double start = limn_seconds();
        kernel->run(call);
        t[n++] = limn_seconds() - start;
    }
    qsort(t, (size_t)n, sizeof *t, by_value);
    return t[n / 2];
}

typedef struct measure {
    double seconds, flops, bytes;
    const char *kernel, *skipped; /* why it was not run */
} measure;

/* The kernel that a plan would take; name: only one of that name. */
static const limn_kernel *first_kernel(const check *c, const limn_call *call, const char *name, const char **why)
{
    const limn_kernel *kernel, *ref = limn_ref_kernel(call->op, 0);
    for (int i = 0; (kernel = limn_cpu_kernel(call->op, i)); i++) {
        if (name ? strcmp(name, kernel->name) != 0 : c->backend && (strcmp(c->backend, "ref") == 0) != (kernel == ref))
            continue;
        const char *refusal = kernel->refuse ? kernel->refuse(call) : NULL;
        if (!refusal) return kernel;
        *why = refusal;
    }
    return NULL;
}

static void fill(const check_case *k, int s, const limn_view *view)
{
    double *values = check_make_values(k, s);
    for (int64_t i = 0; i < limn_shape_count(&view->shape); i++) limn_put(view, i, values[i]);
    free(values);
}

static void *memory(size_t bytes)
{
    void *p = limn_alloc_aligned(bytes + 64);
    if (!p) abort();
    return p;
}

static void time_kernel(check *c, const limn_kernel *kernel, limn_call *call, measure *m)
{
    void *packed = NULL, *scratch = NULL;
    if (kernel->prepare && kernel->prepare(c->ctx, call) != LIMN_OK) {
        m->skipped = limn_error_text(c->ctx);
        return;
    }
    size_t packed_bytes = kernel->packed_bytes ? kernel->packed_bytes(call) : 0;
    if (packed_bytes) {
        packed = memory(packed_bytes);
        kernel->pack(call, &call->src[kernel->pack_src], packed);
        call->src[kernel->pack_src].data = packed;
    }
    call->scratch = scratch = memory(kernel->scratch_bytes ? kernel->scratch_bytes(call) : 0);
    if (kernel->open && kernel->open(c->ctx, call) != LIMN_OK) m->skipped = limn_error_text(c->ctx);
    else m->seconds = median_time(kernel, call);
    if (kernel->close) kernel->close(call);
    if (kernel->release) kernel->release(call);
    limn_free_aligned(scratch);
    limn_free_aligned(packed);
}

enum { SLOW_FLOPS = 50000000 }; /* the reference would take seconds */

static measure measure_case(check *c, const check_case *k, limn_dtype dtype, const char *name)
{
    limn_graph *g;
    measure m = {.skipped = "no kernel"};
    limn_node *node = check_build(c, k, &g);
    if (!node) return m;
    limn_call call = {.op = k->op, .attr = &node->attr, .n_src = k->n_src, .n_threads = limn_ctx_threads(c->ctx),
                      .dst = {node->kind == LIMN_WIDE ? LIMN_F32 : dtype, node->shape, NULL}};
    for (int s = 0; s < k->n_src; s++)
        call.src[s] = (limn_view){check_domain(k->op, s) == LIMN_IDS ? LIMN_I32 : dtype, k->src[s], NULL};
    const limn_kernel *kernel = first_kernel(c, &call, name, &m.skipped);
    m.flops = limn_node_flops(node);
    if (kernel && (kernel != limn_ref_kernel(k->op, 0) || m.flops < SLOW_FLOPS)) {
        void *src[LIMN_MAX_SRC] = {0};
        m.skipped = NULL;
        m.kernel = kernel->name;
        m.bytes = (double)limn_view_bytes(&call.dst);
        call.dst.data = memory(limn_view_bytes(&call.dst));
        for (int s = 0; s < k->n_src; s++) {
            m.bytes += (double)limn_view_bytes(&call.src[s]);
            call.src[s].data = src[s] = memory(limn_view_bytes(&call.src[s]));
            fill(k, s, &call.src[s]);
        }
        time_kernel(c, kernel, &call, &m);
        for (int s = 0; s < k->n_src; s++) limn_free_aligned(src[s]);
        limn_free_aligned(call.dst.data);
    }
    limn_graph_free(g);
    return m;
}

/* ---- the table ------------------------------------------------------------------------------------------------------ */

static bool is_product(const check_case *k)
{
    return limn_op_find(k->op)->multiplies || k->attr.heads; /* of queries and keys */
}

void check_bench(check *c)
{
    limn_dtype dtype = c->precision && strcmp(c->precision, "bf16") == 0 ? LIMN_BF16 : LIMN_F32;
    double best = 0;
    limn_floats floats;
    limn_floats_begin(&floats, limn_ctx_threads(c->ctx));
    for (const check_case *k = best_cases; k->proves; k++) {
        measure m = measure_case(c, k, LIMN_F32, "onednn");
        if (!m.skipped) best = fmax(best, m.flops / m.seconds / 1e9);
    }
    printf("best oneDNN f32 product of this run: %.1f GFLOP/s on %d threads\n", best, limn_ctx_threads(c->ctx));
    printf("%-22s %-36s %-5s %-16s %9s %18s %7s\n", "op", "case", "type", "kernel", "ms", "rate", "of best");
    for (const check_case *k = cases; k->proves; k++) {
        if (!check_wanted(c, k->op)) continue;
        measure m = measure_case(c, k, dtype, NULL);
        printf("%-22s %-36s %-5s ", limn_op_name(k->op), k->proves, limn_dtype_name(dtype));
        if (m.skipped) printf("skipped: %s\n", m.skipped);
        else if (is_product(k))
            printf("%-16s %9.3f %10.1f GFLOP/s %6.0f%%\n", m.kernel, 1e3 * m.seconds, m.flops / m.seconds / 1e9,
                   100 * m.flops / m.seconds / 1e9 / best);
        else printf("%-16s %9.3f %13.1f GB/s\n", m.kernel, 1e3 * m.seconds, m.bytes / m.seconds / 1e9);
    }
    limn_floats_end(&floats);
}
