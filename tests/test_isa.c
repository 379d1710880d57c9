/* test_isa.c: one network on the loops of every instruction set that this CPU has: a picture after STEPS steps has the same
 * bytes in every run, and between sets the values differ by at most half a step of 8 bits, in bf16 by a few.
 *
 * With --sums it writes "LOOPS PRECISION CHECKSUM" for each picture after one step instead: CPUs that have the same loops
 * must write the same (.ci/run compares emulated ones with this one). */
#include "backend/cpu/rows.h"
#include "base/rng.h"
#include "formula.h"
#include "model/model.h"
#include "plan/plan.h"

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum { STEPS = 20, MOST_WEIGHTS = 256 };

static const struct network {
    const char *settings, *kernels[4]; /* that must be in the plan */
    limn_precision precision;
    float most; /* apart, of 2 */
} networks[] = {
    {"ddpm size=16 channels=3 width=32 multipliers=12 blocks=1 groups=8 attention=8 attention_least=4",
     {" winograd", " differences", " tiles"},
     LIMN_PRECISION_F32,
     1.0f / 255},
    {"ddpm size=16 channels=3 width=128 multipliers=1 blocks=1 groups=8 attention=8 attention_least=4",
     {" conv ", " tiles"}, /* from AVX2 on in 16-bit integers */
     LIMN_PRECISION_BF16,
     8.0f / 255},
    {"dit size=8 channels=4 patch=2 width=32 depth=2 heads=2 mlp=64 conditioning=modulated norm=pre",
     {" tiles"},
     LIMN_PRECISION_F32,
     1.0f / 255},
};
enum { N_NETWORKS = sizeof networks / sizeof *networks };

static const struct cpu {
    const char *backend;
    limn_isa isa;
} cpus[] = {{"cpu-portable", LIMN_ISA_PORTABLE},
            {"cpu-neon", LIMN_ISA_NEON},
            {"cpu-avx2", LIMN_ISA_AVX2},
            {"cpu-avx512", LIMN_ISA_AVX512},
            {"cpu-avx512bf16", LIMN_ISA_AVX512BF16}};
enum { N_CPUS = sizeof cpus / sizeof *cpus };

static void bind_weights(limn_ctx *ctx, limn_run *run, const limn_graph *g, float **weights)
{
    assert_true(g->n_parameters <= MOST_WEIGHTS);
    for (int i = 0; i < g->n_parameters; i++) {
        int64_t n = limn_node_count(g->parameters[i]);
        weights[i] = malloc((size_t)n * sizeof(float));
        assert_non_null(weights[i]);
        formula_weight(limn_node_name(g->parameters[i]), n, weights[i]);
        if (limn_run_bind(run, g->parameters[i], LIMN_F32, weights[i]) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    }
}

/* x of a flow from noise, v = network(x, t), held so that nothing grows:  x -= v / (1 + |v|) / steps */
static void draw(limn_ctx *ctx, limn_run *run, const limn_ports *ports, float *x, int64_t n, int steps)
{
    float *velocity = malloc((size_t)n * sizeof *velocity);
    assert_non_null(velocity);
    formula_fill("noise", n, 1, x);
    for (int step = 0; step < steps; step++) {
        float time = 1000.0f * (float)(steps - step) / (float)steps;
        if (limn_run_write(run, ports->timesteps, LIMN_F32, &time) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
        assert_int_equal(limn_run_write(run, ports->image, LIMN_F32, x), LIMN_OK);
        if (limn_run_write(run, ports->step, LIMN_I32, &(int32_t){0}) != LIMN_OK || limn_run_execute(run) != LIMN_OK)
            fail_msg("%s", limn_error_text(ctx));
        assert_int_equal(limn_run_read(run, ports->output, LIMN_F32, velocity), LIMN_OK);
        for (int64_t i = 0; i < n; i++) x[i] -= velocity[i] / (1 + fabsf(velocity[i])) / (float)steps;
    }
    free(velocity);
}

/* The picture of one network on one CPU's loops; NULL where this CPU has no such. */
static float *picture(const struct network *net, const struct cpu *cpu, int steps, int64_t *n)
{
    if (limn_isa_refuse(cpu->isa)) return NULL;
    limn_ctx *ctx = limn_ctx_new();
    limn_graph *g = limn_graph_new(ctx);
    limn_settings s;
    limn_ports ports;
    limn_plan *plan;
    limn_run *run;
    float *weights[MOST_WEIGHTS] = {0};
    assert_int_equal(limn_settings_parse(ctx, net->settings, &s), LIMN_OK);
    assert_int_equal(limn_model_build(g, &s, (limn_build){.batch = 1, .n_steps = 1}, &ports), LIMN_OK);
    limn_plan_options options = {.precision = net->precision, .backend = cpu->backend};
    assert_int_equal(limn_plan_new(g, 1, &ports.output, &options, &plan), LIMN_OK);
    assert_int_equal(limn_run_new(plan, &run), LIMN_OK);
    char *text = limn_plan_text(plan);
    for (const char *const *kernel = net->kernels; *kernel; kernel++) assert_non_null(strstr(text, *kernel));
    if (net->precision == LIMN_PRECISION_BF16)
        assert_true((cpu->isa >= LIMN_ISA_AVX2) == (strstr(text, " winograd-int16  (") != NULL));
    limn_free(text);
    bind_weights(ctx, run, g, weights);
    *n = limn_node_count(ports.image);
    float *x = malloc((size_t)*n * sizeof *x);
    assert_non_null(x);
    draw(ctx, run, &ports, x, *n, steps);
    limn_run_free(run);
    limn_plan_free(plan);
    for (int i = 0; i < g->n_parameters; i++) free(weights[i]);
    limn_graph_free(g);
    limn_ctx_free(ctx);
    return x;
}

static void pictures_of_all_instruction_sets_are_alike(void **state)
{
    (void)state;
    for (int i = 0; i < N_NETWORKS; i++) {
        int64_t n;
        float *first = picture(&networks[i], &cpus[0], STEPS, &n);
        assert_non_null(first);
        for (int k = 0; k < N_CPUS; k++) {
            float *x = picture(&networks[i], &cpus[k], STEPS, &n), *again = picture(&networks[i], &cpus[k], STEPS, &n);
            float apart = 0;
            if (!x) continue;
            assert_memory_equal(x, again, (size_t)n * sizeof *x);
            for (int64_t j = 0; j < n; j++) apart = fmaxf(apart, fabsf(x[j] - first[j]));
            if (!(apart <= networks[i].most)) fail_msg("%s: %g from the portable loops", cpus[k].backend, apart);
            free(x), free(again);
        }
        free(first);
    }
}

static int write_sums(void)
{
    for (int i = 0; i < N_NETWORKS; i++)
        for (int k = 0; k < N_CPUS; k++) {
            int64_t n;
            float *x = picture(&networks[i], &cpus[k], 1, &n);
            if (!x) continue;
            printf("%s %s %016" PRIx64 "\n", cpus[k].backend, networks[i].precision == LIMN_PRECISION_BF16 ? "bf16" : "f32",
                   limn_hash_bytes(LIMN_HASH, x, (size_t)n * sizeof *x));
            free(x);
        }
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(pictures_of_all_instruction_sets_are_alike)};
    return argc > 1 && !strcmp(argv[1], "--sums") ? write_sums() : cmocka_run_group_tests(tests, NULL, NULL);
}
