/* test_golden.c: the drawings and plans of a dozen tiny networks, line by line, so that a change shows what it moved.
 *
 * The texts lie in tests/golden.  Plans are those of the reference backend, and of the CPU backend for CPUs of each kind:
 * they hold no numbers, and are made on any of them.  After a change that is meant, LIMN_GOLDEN=write makes them anew, and
 * the commit says what moved. */
#include "backend/cpu/product.h"
#include "backend/cpu/rows.h"
#include "file/bytes.h"
#include "graph/node.h"
#include "train/step_graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

typedef struct golden {
    const char *name, *settings;
    limn_model_part part;
    bool trains; /* its training step is compared, too */
    bool on_cpu; /* and its plans on CPUs */
} golden;

static const golden networks[] = {
    {.name = "dit",
     .trains = true,
     .on_cpu = true,
     .settings = "dit size=8 channels=4 patch=2 width=16 depth=2 heads=2 mlp=32 classes=3 conditioning=modulated norm=pre "
                 "learn_sigma=1"},
    {.name = "mmdit-joint",
     .trains = true,
     .settings =
         "mmdit size=8 channels=4 patch=2 width=16 depth=2 heads=2 mlp=32 attention=joint conditioning=modulated norm=pre "
         "text_encoder=clip text_length=6 text_width=16 text_depth=1 text_heads=2 text_vocab=514"},
    {.name = "mmdit-cross",
     .settings =
         "mmdit size=8 channels=4 patch=2 width=16 depth=1 heads=2 mlp=32 attention=cross conditioning=modulated norm=pre "
         "text_encoder=clip text_length=6 text_width=16 text_depth=1 text_heads=2 text_vocab=514"},
    {.name = "uvit", .settings = "uvit size=8 channels=4 patch=2 width=16 depth=2 heads=2 mlp=32 classes=3"},
    {.name = "hdit", .settings = "hdit size=16 channels=3 patch=2 width=16 levels=2 depth=1 depth_inner=1 head_width=8"},
    {.name = "unet",
     .trains = true,
     .on_cpu = true,
     .settings = "unet size=16 channels=1 levels=2 width=4 norm=batch"},
    {.name = "vae", .trains = true, .settings = "vae size=16 channels=3 base=32 mult1=1 mult2=2 levels=2 latent=4"},
    {.name = "vae-decoder",
     .settings = "vae size=16 channels=3 base=32 mult1=1 mult2=2 levels=2 latent=4",
     .part = LIMN_PART_DECODER},
    {.name = "tae", .settings = "tae size=16 channels=3 width=8 levels=2 latent=4"},
    {.name = "ddpm",
     .trains = true,
     .settings = "ddpm size=8 channels=1 width=8 multipliers=12 blocks=1 groups=4 attention=4 attention_least=4"},
    {.name = "adm",
     .settings = "adm size=16 channels=3 width=16 multipliers=12 blocks=1 groups=8 heads=2 head_width=0 classes=3"},
    {.name = "ldm-unet",
     .on_cpu = true,
     .settings = "ldm-unet size=8 channels=4 width=16 multipliers=12 blocks=1 groups=8 attention=8 attention_least=4 "
                 "heads=2 text_width=16"},
};

static void compare(limn_ctx *ctx, const char *network, const char *kind, const char *text)
{
    char path[512];
    unsigned char *stored;
    size_t n;
    snprintf(path, sizeof path, "%s/tests/golden/%s-%s.txt", LIMN_SOURCE_DIR, network, kind);
    if (getenv("LIMN_GOLDEN")) {
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        fputs(text, f);
        fclose(f);
        return;
    }
    if (limn_file_read(ctx, path, 1 << 20, &stored, &n) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    size_t same = 0, line = 1;
    while (same < n && text[same] && text[same] == (char)stored[same]) line += text[same++] == '\n';
    if (same != n || text[same]) {
        while (same > 0 && text[same - 1] != '\n') same--;
        fail_msg("%s differs from line %zu on, which is now: %.*s", path, line, (int)strcspn(text + same, "\n"),
                 text + same);
    }
    free(stored);
}

static limn_settings settings_of(limn_ctx *ctx, const golden *k)
{
    limn_settings s;
    if (limn_settings_parse(ctx, k->settings, &s) != LIMN_OK) fail_msg("%s: %s", k->name, limn_error_text(ctx));
    return s;
}

typedef struct machine {
    const char *backend, *name;
    limn_precision precision;
} machine;

static const machine reference[] = {{"ref", "f32", LIMN_PRECISION_F32}, {"ref", "bf16", LIMN_PRECISION_BF16}},
                     cpus[] = {{"cpu-portable", "f32-portable", LIMN_PRECISION_F32},
#if defined(__x86_64__)
                               {"cpu-avx2", "f32-avx2", LIMN_PRECISION_F32},
                               {"cpu-avx2", "bf16-avx2", LIMN_PRECISION_BF16},
                               {"cpu-avx512bf16", "bf16-avx512bf16", LIMN_PRECISION_BF16},
                               {"cpu-amx", "bf16-amx", LIMN_PRECISION_BF16}
#endif
};

/* Products in bf16 are made by oneDNN, which must be able to make them here, and whose sizes are its own: none are
 * compared. */
static bool needs_onednn(const machine *m)
{
    return strcmp(m->name, "bf16-avx512bf16") == 0 || strcmp(m->name, "bf16-amx") == 0;
}

static bool can_plan(const machine *m)
{
    bool fine = !needs_onednn(m) || (!limn_product_refuse(LIMN_BF16, true) && !limn_isa_lacks_avx512bf16());
    if (!fine) printf("SKIP %s: oneDNN has no bf16 products here\n", m->name);
    return fine;
}

static void compare_plan(limn_ctx *ctx, const char *network, const char *what, const machine *m, const limn_plan *plan)
{
    char kind[64], *text = limn_plan_text(plan);
    char *native = strstr(text, "; f32 is faster"); /* where the CPU has no bf16: no matter to the reference */
    if (native && strcmp(m->backend, "ref") == 0) memmove(native, strchr(native, '\n'), strlen(strchr(native, '\n')) + 1);
    if (needs_onednn(m)) strcpy(strstr(text, "GFLOP;"), "GFLOP\n");
    snprintf(kind, sizeof kind, "%s-%s", what, m->name);
    compare(ctx, network, kind, text);
    free(text);
}

static void compare_run(limn_ctx *ctx, const golden *k, const machine *m, bool drawn)
{
    limn_settings s = settings_of(ctx, k);
    limn_graph *g = limn_graph_new(ctx);
    limn_ports ports;
    limn_plan *plan;
    if (limn_model_build(g, &s, (limn_build){.batch = 2, .n_steps = 8, .part = k->part}, &ports) != LIMN_OK)
        fail_msg("%s", limn_error_text(ctx));
    char *drawing = limn_describe(g, &(limn_describe_options){.batch = 2, .ascii = true});
    if (drawn) compare(ctx, k->name, "drawing", drawing);
    free(drawing);
    limn_plan_options options = {.precision = m->precision, .backend = m->backend};
    if (limn_plan_new(g, 1, &ports.output, &options, &plan) != LIMN_OK) fail_msg("%s: %s", k->name, limn_error_text(ctx));
    compare_plan(ctx, k->name, "run", m, plan);
    limn_plan_free(plan);
    limn_graph_free(g);
}

static void test_running(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_ctx_set_threads(ctx, 1);
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++)
        for (size_t p = 0; p < sizeof reference / sizeof *reference; p++)
            compare_run(ctx, &networks[i], &reference[p], p == 0);
    limn_ctx_free(ctx);
}

static void test_running_on_cpus(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_ctx_set_threads(ctx, 1);
    for (size_t p = 0; p < sizeof cpus / sizeof *cpus; p++)
        for (size_t i = 0; can_plan(&cpus[p]) && i < sizeof networks / sizeof *networks; i++)
            if (networks[i].on_cpu) compare_run(ctx, &networks[i], &cpus[p], false);
    limn_ctx_free(ctx);
}

static void compare_training(limn_ctx *ctx, const golden *k, const machine *m)
{
    limn_settings s = settings_of(ctx, k);
    limn_step_options options = {.settings = s, .batch = 2, .segment = limn_segment_loss_defaults(2), .kl = 1e-6};
    limn_step_graph step;
    limn_plan *plan;
    if (limn_step_graph_build(ctx, &options, &step) != LIMN_OK) fail_msg("%s: %s", k->name, limn_error_text(ctx));
    limn_plan_options how = {.precision = m->precision, .backend = m->backend};
    if (limn_step_graph_plan(&step, &how, &plan) != LIMN_OK)
        fail_msg("%s: %s", k->name, limn_error_text(ctx));
    compare_plan(ctx, k->name, "train", m, plan);
    limn_plan_free(plan);
    limn_step_graph_free(&step);
}

static void test_training(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_ctx_set_threads(ctx, 1);
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++)
        if (networks[i].trains) compare_training(ctx, &networks[i], &reference[1]);
    limn_ctx_free(ctx);
}

static void test_training_on_cpus(void **state)
{
    static const int chosen[] = {1, 4}; /* AVX2 in f32, AMX in bf16 */
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_ctx_set_threads(ctx, 1);
    for (size_t p = 0; p < sizeof chosen / sizeof *chosen; p++)
        for (size_t i = 0; can_plan(&cpus[chosen[p]]) && i < sizeof networks / sizeof *networks; i++)
            if (networks[i].on_cpu && networks[i].trains) compare_training(ctx, &networks[i], &cpus[chosen[p]]);
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_running), cmocka_unit_test(test_training),
                                       cmocka_unit_test(test_running_on_cpus), cmocka_unit_test(test_training_on_cpus)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
