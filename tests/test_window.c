/* test_window.c: a Swin block against transformers' (oracle/window_vectors.py), relative positions and the mask of moved
 * windows. */
#include "formula.h"
#include "graph/node.h"
#include "model/window.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include "vectors/window.h"

/* Swin's block: x + attn(norm1(x)), x + mlp(norm2(x)); named as published. */
static limn_node *swin_block(limn_graph *g, limn_node *x, limn_window window, int hidden)
{
    x = limn_add(x, limn_window_attention(g, "attn", limn_layer_norm(g, "norm1", x, 1e-5), window));
    limn_shape d = limn_node_shape(x);
    limn_node *h = limn_reshape(limn_layer_norm(g, "norm2", x, 1e-5), LIMN_SHAPE(d.dim[0], d.dim[1] * d.dim[2], d.dim[3]));
    return limn_add(x, limn_reshape(limn_mlp(g, "mlp", h, hidden, LIMN_GELU_ERF), d));
}

static void run(limn_ctx *ctx, const struct swin_vectors *v, const limn_plan_options *options, double tolerance)
{
    limn_graph *g = limn_graph_new(ctx);
    limn_plan *plan;
    limn_run *run;
    void *weight[32];
    limn_node *image = limn_input(g, "image", LIMN_COMPUTE, LIMN_SHAPE(2, v->height, v->width, WIDTH), LIMN_PER_STEP);
    limn_node *y =
        swin_block(g, image, (limn_window){.side = v->window, .shift = {v->shift, v->shift}, .heads = HEADS}, HIDDEN);
    limn_status status = limn_plan_new(g, 1, &y, options, &plan);
    if (status == LIMN_OK) status = limn_run_new(plan, &run);
    if (status != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    limn_dtype dtype = options->precision == LIMN_PRECISION_F64 ? LIMN_F64 : LIMN_F32;
    assert_true(g->n_parameters <= 32);
    for (int i = 0; i < g->n_parameters; i++) {
        int64_t n = limn_node_count(g->parameters[i]);
        float *x = malloc((size_t)n * sizeof *x);
        formula_weight(limn_node_name(g->parameters[i]), n, x);
        weight[i] = limn_alloc_aligned((size_t)n * limn_dtype_bytes(dtype));
        limn_convert(x, LIMN_F32, weight[i], dtype, (size_t)n);
        assert_int_equal(limn_run_bind(run, g->parameters[i], dtype, weight[i]), LIMN_OK);
        free(x);
    }
    int64_t n = limn_node_count(y);
    float *x = malloc((size_t)n * sizeof *x);
    double *found = malloc((size_t)n * sizeof *found), sum = 0, square = 0, size = v->norm / sqrt((double)n);
    formula_fill("input.image", n, 1, x);
    assert_int_equal(limn_run_write(run, image, LIMN_F32, x), LIMN_OK);
    assert_int_equal(limn_run_execute(run), LIMN_OK);
    assert_int_equal(limn_run_read(run, y, LIMN_F64, found), LIMN_OK);
    for (int64_t i = 0; i < n; i++) sum += found[i], square += found[i] * found[i];
    double worst = fmax(fabs(sum / (double)n - v->mean), fabs(sqrt(square) - v->norm) / sqrt((double)n));
    for (int i = 0; i < 16; i++) worst = fmax(worst, fabs(found[i * (n - 1) / 15] - v->value[i]));
    if (!(worst <= tolerance * size))
        fail_msg("%d x %d, window %d, shift %d: %g of its size away", v->height, v->width, v->window, v->shift,
                 worst / size);
    for (int i = 0; i < g->n_parameters; i++) limn_free_aligned(weight[i]);
    free(x);
    free(found);
    limn_run_free(run);
    limn_plan_free(plan);
    limn_graph_free(g);
}

static void a_swin_block_is_that_of_transformers(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_ctx_set_threads(ctx, 2);
    for (size_t i = 0; i < sizeof swin_vectors / sizeof *swin_vectors; i++) {
        run(ctx, &swin_vectors[i], &(limn_plan_options){.precision = LIMN_PRECISION_F64, .backend = "ref"}, 1e-7);
        run(ctx, &swin_vectors[i], &(limn_plan_options){.precision = LIMN_PRECISION_F32}, 2e-5);
    }
    limn_ctx_free(ctx);
}

static void one_window_is_never_moved(void **state)
{
    (void)state;
    const int still[2] = {0, 0}, both[2] = {4, 4}, right[2] = {0, 4};
    assert_memory_equal(limn_window_of(8, 4, LIMN_SHAPE(1, 8, 8, 3), 2, 1).shift, still, sizeof still);
    assert_memory_equal(limn_window_of(8, 4, LIMN_SHAPE(1, 16, 16, 3), 2, 1).shift, both, sizeof both);
    assert_memory_equal(limn_window_of(8, 4, LIMN_SHAPE(1, 8, 16, 3), 2, 1).shift, right, sizeof right);
    assert_memory_equal(limn_window_of(8, 4, LIMN_SHAPE(1, 16, 16, 3), 2, 2).shift, still, sizeof still);
}

static void a_picture_that_windows_do_not_tile_is_refused(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_graph *g = limn_graph_new(ctx);
    limn_node *image = limn_input(g, "image", LIMN_COMPUTE, LIMN_SHAPE(1, 10, 8, WIDTH), LIMN_PER_STEP);
    swin_block(g, image, (limn_window){.side = 4, .heads = HEADS}, HIDDEN);
    assert_int_equal(limn_graph_status(g), LIMN_BAD_ARGUMENT);
    assert_non_null(strstr(limn_error_text(ctx), "windows of 4 x 4"));
    limn_graph_free(g);
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_swin_block_is_that_of_transformers),
        cmocka_unit_test(one_window_is_never_moved),
        cmocka_unit_test(a_picture_that_windows_do_not_tile_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
