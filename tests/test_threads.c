/* test_threads.c: how many threads a context has; they may change between planning and running. */
#include "base/base.h"
#include "control.h"
#include "plan/plan.h"
#include "train/optimizer.h"

#include <omp.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static limn_plan *plan_of_attention(limn_ctx *ctx, limn_graph **g, limn_node **x, limn_node **y, limn_run **run)
{
    limn_plan *plan;
    *g = limn_graph_new(ctx);
    *x = limn_input(*g, "x", LIMN_COMPUTE, LIMN_SHAPE(2, 9, 48), LIMN_PER_STEP);
    *y = limn_attention_qkv(*x, 4, false);
    limn_plan_options options = {.precision = LIMN_PRECISION_F32};
    assert_int_equal(limn_plan_new(*g, 1, y, &options, &plan), LIMN_OK);
    assert_int_equal(limn_run_new(plan, run), LIMN_OK);
    return plan;
}

static void attend(limn_run *run, limn_node *x, limn_node *y, float *result)
{
    float values[2 * 9 * 48];
    for (int i = 0; i < 2 * 9 * 48; i++) values[i] = (float)(i * 37 % 101) / 50 - 1;
    assert_int_equal(limn_run_write(run, x, LIMN_F32, values), LIMN_OK);
    assert_int_equal(limn_run_execute(run), LIMN_OK);
    assert_int_equal(limn_run_read(run, y, LIMN_F32, result), LIMN_OK);
}

/* Scratch is made per thread when the plan is made. */
static void threads_added_later_do_not_outgrow_the_scratch(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_graph *g;
    limn_node *x, *y;
    float one[2 * 9 * 16], later[2 * 9 * 16];
    limn_ctx_set_threads(ctx, 1);
    limn_run *run;
    limn_plan *plan = plan_of_attention(ctx, &g, &x, &y, &run);
    attend(run, x, y, one);
    limn_ctx_set_threads(ctx, 8);
    attend(run, x, y, later);
    for (int i = 0; i < plan->n_steps; i++) assert_int_equal(plan->steps[i].call.n_threads, 1);
    assert_memory_equal(one, later, sizeof one);
    limn_run_free(run);
    limn_plan_free(plan);
    limn_graph_free(g);
    limn_ctx_free(ctx);
}

static void threads_are_as_many_as_the_cores_that_may_be_used(void **state)
{
    (void)state;
    cpu_set_t all, one;
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    CPU_ZERO(&one);
    for (int k = 0; k < CPU_SETSIZE && !CPU_COUNT(&one); k++)
        if (CPU_ISSET(k, &all)) CPU_SET(k, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    limn_ctx *ctx = limn_ctx_new();
    assert_int_equal(limn_ctx_threads(ctx), 1);
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
    assert_int_equal(limn_ctx_set_threads(ctx, 0), LIMN_OK);
    assert_in_range(limn_ctx_threads(ctx), 1, CPU_COUNT(&all));
    limn_ctx_free(ctx);
}

enum { TEAM = 2, OURS = 3 };

/* What a program may have set for itself, and what its threads still have. */
static void set_own(void)
{
    omp_set_num_threads(OURS);
#pragma omp parallel num_threads(TEAM)
    control_set(CONTROL_BEGINS + (unsigned)omp_get_thread_num() * CONTROL_DOWN);
}

static void own_is_whole(void)
{
    unsigned found[TEAM] = {0};
#pragma omp parallel num_threads(TEAM)
    found[omp_get_thread_num()] = control_get() & ~(unsigned)CONTROL_EVENTS;
    for (unsigned i = 0; i < TEAM; i++) assert_int_equal(found[i], CONTROL_BEGINS + i * CONTROL_DOWN);
    assert_int_equal(omp_get_max_threads(), OURS);
}

/* Denormal numbers are zero in a run, and the program's threads and settings are as they were after it. */
static void a_run_leaves_threads_as_they_were(void **state)
{
    (void)state;
    enum { N = 1 << 17 };
    static float tiny[N], result[N];
    static uint8_t decay[N];
    unsigned before = control_get();
    limn_ctx *ctx = limn_ctx_new();
    limn_ctx_set_threads(ctx, TEAM);
    for (limn_precision precision = LIMN_PRECISION_F32; precision <= LIMN_PRECISION_BF16;
         precision++) { /* oneDNN sets the number of threads for bf16 */
        set_own();
        limn_graph *g = limn_graph_new(ctx);
        limn_node *x = limn_input(g, "x", LIMN_COMPUTE, LIMN_SHAPE(N / 64, 64), LIMN_PER_STEP),
                  *twice = limn_affine(x, 2, 0), *out[2] = {twice, limn_linear(g, "l", x, 64)};
        limn_plan *plan;
        limn_run *run;
        limn_plan_options options = {.precision = precision};
        for (int i = 0; i < N; i++) tiny[i] = 1e-40f;
        assert_int_equal(limn_plan_new(g, 2, out, &options, &plan), LIMN_OK);
        assert_int_equal(limn_run_new(plan, &run), LIMN_OK);
        own_is_whole();
        for (int p = 0; p < g->n_parameters; p++)
            assert_int_equal(limn_run_bind(run, g->parameters[p], LIMN_F32, tiny), LIMN_OK);
        assert_int_equal(limn_run_write(run, x, LIMN_F32, tiny), LIMN_OK);
        assert_int_equal(limn_run_execute(run), LIMN_OK);
        own_is_whole();
        assert_int_equal(limn_run_read(run, twice, LIMN_F32, result), LIMN_OK);
        for (int i = 0; CONTROL_FLUSH && precision == LIMN_PRECISION_F32 && i < N; i++) assert_true(result[i] == 0);
        limn_run_free(run);
        limn_plan_free(plan);
        limn_graph_free(g);
        own_is_whole();
    }
    static float m[N], v[N], ema[N], value[N];
    limn_adamw adamw = {.lr = 1e-3, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .clip = 1};
    limn_adamw_step(&adamw, 1, limn_gradient_norm(tiny, N, TEAM), N, value, tiny, m, v, ema, decay, TEAM);
    own_is_whole();
    for (int i = 0; CONTROL_FLUSH && i < N; i++) assert_true(m[i] == 0);
    control_set(before);
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_added_later_do_not_outgrow_the_scratch),
        cmocka_unit_test(threads_are_as_many_as_the_cores_that_may_be_used),
        cmocka_unit_test(a_run_leaves_threads_as_they_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
