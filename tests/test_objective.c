/* test_objective.c: losses equal PyTorch's, value and gradient; what a sample of training is made of. */
#include "train/losses.h"
#include "train/objective.h"
#include "train/step_graph.h"
#include "vectors/contrastive.h"
#include "vectors/vlb.h"

#include "base/rng.h"
#include "graph/node.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void close_to(const char *what, const double *found, const double *expected, int n, double tolerance)
{
    double scale = 0;
    for (int i = 0; i < n; i++) scale = fmax(scale, fabs(expected[i]));
    for (int i = 0; i < n; i++)
        if (!(fabs(found[i] - expected[i]) <= tolerance * scale))
            fail_msg("%s[%d]: expected %.12g, found %.12g", what, i, expected[i], found[i]);
}

static limn_plan *plan_of(limn_graph *g, int n, limn_node **outputs, bool exact, limn_run **run)
{
    limn_plan *plan;
    limn_plan_options options = {.precision = exact ? LIMN_PRECISION_F64 : LIMN_PRECISION_F32,
                                 .backend = exact ? "ref" : "cpu"};
    limn_status status = limn_plan_new(g, n, outputs, &options, &plan);
    if (status == LIMN_OK) status = limn_run_new(plan, run);
    if (status != LIMN_OK) fail_msg("%s", limn_error_text(g->ctx));
    return plan;
}

/* ---- learned variance ------------------------------------------------------------------------------------------------- */

enum { PIXELS = VLB_H * VLB_W * VLB_C };

static void set_bound(limn_run *run, const limn_bound_inputs *in, const limn_schedule *schedule)
{
    double terms[4][VLB_B], above[VLB_B * PIXELS], below[VLB_B * PIXELS];
    for (int b = 0; b < VLB_B; b++) {
        limn_bound_terms t = limn_objective_bound(schedule, vlb_times[b]);
        terms[0][b] = t.mean_scale, terms[1][b] = t.log_small, terms[2][b] = t.log_range, terms[3][b] = t.first;
    }
    for (int i = 0; i < VLB_B * PIXELS; i++) above[i] = vlb_x0[i] > 0.999, below[i] = vlb_x0[i] < -0.999;
    limn_node *inputs[] = {in->mean_scale, in->log_small, in->log_range, in->first};
    for (int k = 0; k < 4; k++) limn_run_write(run, inputs[k], LIMN_F64, terms[k]);
    limn_run_write(run, in->above, LIMN_F64, above);
    limn_run_write(run, in->below, LIMN_F64, below);
}

static void learned_variance(limn_ctx *ctx, bool exact, double tolerance)
{
    limn_schedule_options linear = limn_schedule_defaults();
    limn_schedule *schedule;
    limn_bound_inputs in;
    assert_int_equal(limn_schedule_new(ctx, &linear, &schedule), LIMN_OK);
    limn_graph *g = limn_graph_new(ctx);
    limn_node *output = limn_input(g, "output", LIMN_WIDE, LIMN_SHAPE(VLB_B, VLB_H, VLB_W, 2 * VLB_C), LIMN_PER_STEP),
              *parts[2];
    limn_node *noise = limn_input(g, "noise", LIMN_WIDE, LIMN_SHAPE(VLB_B, VLB_H, VLB_W, VLB_C), LIMN_PER_STEP);
    limn_chunk(output, 2, parts);
    limn_node *error = limn_sub(parts[0], noise), *bound = limn_loss_bound(g, error, parts[1], &in);
    limn_node *outputs[3] = {limn_add(limn_mean(limn_square(error)), bound), bound, NULL};
    assert_int_equal(limn_grad(g, outputs[0], 1, &output, &outputs[2]), LIMN_OK);
    limn_run *run;
    limn_plan *plan = plan_of(g, 3, outputs, exact, &run);
    limn_run_write(run, output, LIMN_F64, vlb_output);
    limn_run_write(run, noise, LIMN_F64, vlb_noise);
    set_bound(run, &in, schedule);
    assert_int_equal(limn_run_execute(run), LIMN_OK);
    double loss, mean, expected = 0, gradient[2 * VLB_B * PIXELS];
    for (int b = 0; b < VLB_B; b++) expected += vlb_bound[b] / VLB_B;
    limn_run_read(run, outputs[0], LIMN_F64, &loss);
    limn_run_read(run, outputs[1], LIMN_F64, &mean);
    limn_run_read(run, outputs[2], LIMN_F64, gradient);
    close_to("bound", &mean, &expected, 1, tolerance);
    close_to("loss", &loss, &vlb_loss, 1, tolerance);
    close_to("gradient", gradient, vlb_gradient, 2 * VLB_B * PIXELS, tolerance);
    limn_run_free(run);
    limn_plan_free(plan);
    limn_graph_free(g);
    limn_schedule_free(schedule);
}

static void hybrid_loss_and_gradient_equal_pytorch(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    learned_variance(ctx, true, 1e-9);
    learned_variance(ctx, false, 1e-4); /* cdf differences cancel: about 2^-24 / 1e-3 */
    limn_ctx_free(ctx);
}

/* ---- contrastive ------------------------------------------------------------------------------------------------------ */

enum { B = CONTRASTIVE_B };

static void set_pairs(limn_run *run, const limn_contrastive_inputs *in)
{
    double mask[B * B] = {0}, weight[B];
    int32_t target[B];
    for (int i = 0; i < B; i++) {
        mask[i * B + 2] = mask[2 * B + i] = LIMN_CONTRASTIVE_HIDDEN;
        weight[i] = i == 2 ? 0 : 1.0 / (B - 1);
        target[i] = i;
    }
    mask[0 * B + 3] = mask[3 * B + 0] = LIMN_CONTRASTIVE_HIDDEN;
    limn_run_write(run, in->mask, LIMN_F64, mask);
    limn_run_write(run, in->weight, LIMN_F64, weight);
    limn_run_write(run, in->target, LIMN_I32, target);
}

static void contrastive(limn_ctx *ctx, bool exact, double tolerance)
{
    limn_contrastive_inputs in;
    limn_graph *g = limn_graph_new(ctx);
    limn_node *tokens = limn_input(g, "tokens", LIMN_COMPUTE, LIMN_SHAPE(B, CONTRASTIVE_T, CONTRASTIVE_D), LIMN_PER_STEP);
    limn_node *text = limn_input(g, "text", LIMN_COMPUTE, LIMN_SHAPE(B, CONTRASTIVE_E), LIMN_PER_STEP);
    limn_node *loss = limn_loss_contrastive(g, tokens, text, &in);
    assert_int_equal(g->n_parameters, 3);
    limn_node *of[] = {tokens, text, g->parameters[0], g->parameters[1], g->parameters[2]}, *outputs[6] = {loss};
    assert_int_equal(limn_grad(g, loss, 5, of, outputs + 1), LIMN_OK);
    limn_run *run;
    limn_plan *plan = plan_of(g, 6, outputs, exact, &run);
    const double *values[] = {contrastive_tokens, contrastive_text, contrastive_image_projection,
                              contrastive_text_projection, contrastive_log_scale};
    const double *gradients[] = {contrastive_tokens_gradient, contrastive_text_gradient,
                                 contrastive_image_projection_gradient, contrastive_text_projection_gradient,
                                 contrastive_log_scale_gradient};
    double memory[3][64], found[256], value;
    for (int k = 0; k < 5; k++) {
        limn_dtype dtype = exact ? LIMN_F64 : LIMN_F32;
        if (k >= 2) assert_int_equal(limn_run_bind(run, of[k], dtype, memory[k - 2]), LIMN_OK);
        limn_run_write(run, of[k], LIMN_F64, values[k]);
    }
    set_pairs(run, &in);
    assert_int_equal(limn_run_execute(run), LIMN_OK);
    limn_run_read(run, loss, LIMN_F64, &value);
    close_to("loss", &value, &contrastive_loss, 1, tolerance);
    for (int k = 0; k < 5; k++) {
        limn_run_read(run, outputs[k + 1], LIMN_F64, found);
        close_to(limn_node_name(of[k]), found, gradients[k], (int)limn_node_count(of[k]), tolerance);
    }
    limn_run_free(run);
    limn_plan_free(plan);
    limn_graph_free(g);
}

static void info_nce_and_its_gradients_equal_pytorch(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    contrastive(ctx, true, 1e-9);
    contrastive(ctx, false, 2e-5);
    limn_ctx_free(ctx);
}

/* ---- a whole step, against finite differences ------------------------------------------------------------------------- */

typedef struct step {
    limn_step_graph s;
    limn_plan *plan;
    limn_run *run;
    double *weights[128], *grads[128];
} step;

static void random_input(limn_run *run, limn_node *node, uint64_t sub)
{
    size_t n = (size_t)limn_node_count(node);
    float *x = malloc(n * sizeof *x);
    limn_random_normal(3, LIMN_STREAM_TEST, sub, 0, n, x);
    limn_run_write(run, node, LIMN_F32, x);
    free(x);
}

static void fill_step(step *t)
{
    const limn_ports *p = &t->s.ports;
    random_input(t->run, p->image, 1);
    random_input(t->run, t->s.target, 2);
    limn_run_write(t->run, t->s.weight, LIMN_F32, (float[]){1, 0.5f, 2});
    limn_run_write(t->run, p->timesteps, LIMN_F32, (float[]){100, 700, 300});
    limn_run_write(t->run, p->ids, LIMN_I32, (int32_t[]){1, 2, 3, 4, 9, 8, 7, 6, 5, 5, 6, 7});
    limn_run_write(t->run, p->text_end, LIMN_I32, (int32_t[]){3, 6, 11});
    float mask[9] = {0};
    limn_run_write(t->run, t->s.contrastive.mask, LIMN_F32, mask);
    limn_run_write(t->run, t->s.contrastive.weight, LIMN_F32, (float[]){0.25f, 0.25f, 0.5f});
    limn_run_write(t->run, t->s.contrastive.target, LIMN_I32, (int32_t[]){0, 1, 2});
}

static double run_step(step *t)
{
    double loss;
    limn_run_touch(t->run, t->s.ports.image);
    assert_int_equal(limn_run_execute(t->run), LIMN_OK);
    limn_run_read(t->run, t->s.loss, LIMN_F64, &loss);
    return loss;
}

static void contrastive_gradients_of_a_network_equal_finite_differences(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_step_options o = {.batch = 3, .contrastive = 0.7};
    assert_int_equal(
        limn_settings_parse(
            ctx,
            "mmdit size=4 channels=3 patch=2 width=8 depth=1 heads=2 mlp=12 text_length=4 text_width=8 text_depth=1 "
            "text_heads=2 text_vocab=514 conditioning=modulated norm=pre text_encoder=clip",
            &o.settings),
        LIMN_OK);
    step t = {0};
    assert_int_equal(limn_step_graph_build(ctx, &o, &t.s), LIMN_OK);
    limn_plan_options options = {.precision = LIMN_PRECISION_F64, .backend = "ref"};
    assert_int_equal(limn_step_graph_plan(&t.s, &options, &t.plan), LIMN_OK);
    assert_int_equal(limn_run_new(t.plan, &t.run), LIMN_OK);
    assert_int_equal(t.s.n_network, t.s.g->n_parameters - 3);
    for (int i = 0; i < t.s.g->n_parameters; i++) {
        limn_node *node = t.s.g->parameters[i];
        t.weights[i] = malloc((size_t)limn_node_count(node) * sizeof(double));
        assert_int_equal(limn_run_bind(t.run, node, LIMN_F64, t.weights[i]), LIMN_OK);
        random_input(t.run, node, limn_hash_name(node->name));
        for (int64_t k = 0; k < limn_node_count(node); k++) t.weights[i][k] *= 0.2;
    }
    for (int i = 1; i < t.s.n; i++) {
        t.grads[i] = malloc((size_t)limn_node_count(t.s.of[i]) * sizeof(double));
        assert_int_equal(limn_run_bind(t.run, t.s.outputs[i], LIMN_F64, t.grads[i]), LIMN_OK);
    }
    fill_step(&t);
    for (int i = 1; i < t.s.n; i++) {
        int p = 0;
        while (t.s.g->parameters[p] != t.s.of[i]) p++;
        int64_t n = limn_node_count(t.s.of[i]);
        for (int64_t k = 0; k < n; k += n / 2 + 1) {
            double *w = &t.weights[p][k], old = *w, h = 1e-5, up, down, numeric, grad;
            *w = old + h, up = run_step(&t);
            *w = old - h, down = run_step(&t);
            *w = old, run_step(&t);
            numeric = (up - down) / (2 * h), grad = t.grads[i][k];
            if (fabs(numeric - grad) > 1e-7 + 1e-5 * fabs(numeric))
                fail_msg("%s[%d]: %g and %g", t.s.of[i]->name, (int)k, numeric, grad);
        }
    }
    limn_run_free(t.run);
    limn_plan_free(t.plan);
    for (int i = 0; i < 128; i++) free(t.weights[i]), free(t.grads[i]);
    limn_step_graph_free(&t.s);
    limn_ctx_free(ctx);
}

static void a_step_that_cannot_be_trained_is_refused(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_step_graph s;
    limn_step_options o = {.batch = 2, .contrastive = 1};
    assert_int_equal(limn_settings_find(ctx, "dit", &o.settings), LIMN_OK);
    assert_int_equal(limn_step_graph_build(ctx, &o, &s), LIMN_UNSUPPORTED);
    assert_non_null(strstr(limn_error_text(ctx), "text_encoder=clip"));
    assert_int_equal(limn_settings_find(ctx, "clip-text", &o.settings), LIMN_OK);
    assert_int_equal(limn_step_graph_build(ctx, &o, &s), LIMN_UNSUPPORTED);
    assert_int_equal(limn_settings_find(ctx, "mmdit-emoji", &o.settings), LIMN_OK);
    o.batch = 1;
    assert_int_equal(limn_step_graph_build(ctx, &o, &s), LIMN_BAD_ARGUMENT);
    limn_ctx_free(ctx);
}

/* ---- samples ---------------------------------------------------------------------------------------------------------- */

/* x = a x0 + b n and target = n - x0 give back x0 = x - b target (a + b = 1). */
static void a_flow_sample_holds_its_picture(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_objective o = limn_objective_flow();
    limn_schedule *schedule;
    assert_int_equal(limn_schedule_new(ctx, &o.schedule, &schedule), LIMN_OK);
    for (uint64_t sample = 0; sample < 50; sample++) {
        float x[4] = {-1, -0.25f, 0.5f, 1}, clean[4], target[4], time;
        memcpy(clean, x, sizeof x);
        assert_true(limn_objective_sample(&o, schedule, 9, sample, 4, x, target, &time) == 1);
        assert_true(time > 0 && time <= 1000);
        for (int i = 0; i < 4; i++) assert_true(fabsf(x[i] - time / 1000 * target[i] - clean[i]) < 1e-5f);
    }
    limn_schedule_free(schedule);
    limn_ctx_free(ctx);
}

/* DDPM: noise predicted, 1000 linear betas. */
static limn_objective noise_predicted(void)
{
    return (limn_objective){.prediction = LIMN_PREDICT_EPS, .schedule = limn_schedule_defaults(), .gamma = 5};
}

static void objectives_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_objective o = noise_predicted();
    assert_int_equal(limn_objective_check(ctx, &o), LIMN_OK);
    o.prediction = LIMN_PREDICT_FLOW;
    assert_int_equal(limn_objective_check(ctx, &o), LIMN_BAD_ARGUMENT);
    o = noise_predicted();
    o.weighting = LIMN_WEIGHT_VELOCITY;
    assert_int_equal(limn_objective_check(ctx, &o), LIMN_BAD_ARGUMENT);
    o = limn_objective_flow();
    o.gamma = 0;
    assert_int_equal(limn_objective_check(ctx, &o), LIMN_BAD_ARGUMENT);
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hybrid_loss_and_gradient_equal_pytorch),
        cmocka_unit_test(info_nce_and_its_gradients_equal_pytorch),
        cmocka_unit_test(contrastive_gradients_of_a_network_equal_finite_differences),
        cmocka_unit_test(a_step_that_cannot_be_trained_is_refused),
        cmocka_unit_test(a_flow_sample_holds_its_picture),
        cmocka_unit_test(objectives_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
