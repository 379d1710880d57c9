/* test_threads.c: how many threads a context has; they may change between planning and running. */
#include "plan/plan.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_added_later_do_not_outgrow_the_scratch),
        cmocka_unit_test(threads_are_as_many_as_the_cores_that_may_be_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
