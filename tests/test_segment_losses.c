/* test_segment_losses.c: losses of segmentation equal PyTorch's, value and gradient. */
#include "train/segment_losses.h"
#include "vectors/segment.h"

#include "base/rng.h"
#include "graph/node.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { PIXELS = SEGMENT_B * SEGMENT_H * SEGMENT_W, VALUES = PIXELS * SEGMENT_K };

typedef struct taught {
    limn_graph *g;
    limn_plan *plan;
    limn_run *run;
    limn_node *logits, *outputs[2];
} taught;

static taught teach(limn_ctx *ctx, const limn_segment_loss *loss, limn_shape shape, const uint8_t *labels, bool exact)
{
    taught t = {.g = limn_graph_new(ctx)};
    limn_segment_inputs in;
    size_t n = (size_t)(shape.dim[0] * shape.dim[1] * shape.dim[2]);
    t.logits = limn_input(t.g, "logits", LIMN_COMPUTE, shape, LIMN_PER_STEP);
    t.outputs[0] = limn_loss_segment(t.g, loss, t.logits, &in);
    if (limn_grad(t.g, t.outputs[0], 1, &t.logits, &t.outputs[1]) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    limn_plan_options options = {.precision = exact ? LIMN_PRECISION_F64 : LIMN_PRECISION_F32,
                                 .backend = exact ? "ref" : "cpu"};
    if (limn_plan_new(t.g, 2, t.outputs, &options, &t.plan) != LIMN_OK || limn_run_new(t.plan, &t.run) != LIMN_OK)
        fail_msg("%s", limn_error_text(ctx));
    int32_t *targets = malloc(n * (size_t)loss->classes * sizeof *targets);
    limn_segment_targets(loss, n, labels, targets);
    assert_int_equal(limn_run_write(t.run, in.target, LIMN_I32, targets), LIMN_OK);
    assert_int_equal(limn_segment_constants(t.run, loss, &in), LIMN_OK);
    free(targets);
    return t;
}

static double loss_at(taught *t, const double *logits, double *gradient)
{
    double loss;
    limn_run_write(t->run, t->logits, LIMN_F64, logits);
    assert_int_equal(limn_run_execute(t->run), LIMN_OK);
    limn_run_read(t->run, t->outputs[0], LIMN_F64, &loss);
    if (gradient) limn_run_read(t->run, t->outputs[1], LIMN_F64, gradient);
    return loss;
}

static void forget(taught *t)
{
    limn_run_free(t->run);
    limn_plan_free(t->plan);
    limn_graph_free(t->g);
}

static limn_segment_loss loss_of(const struct segment_case *c)
{
    limn_segment_loss l = limn_segment_loss_defaults(c->classes);
    assert_true(limn_segment_kind_find(c->kind, &l.kind));
    assert_string_equal(limn_segment_kind_name(l.kind), c->kind);
    l.weight = c->weighted ? segment_weight : NULL,
    l.n_weights = l.classes == 1 || l.kind == LIMN_SEGMENT_BINARY ? 2 : l.classes;
    l.background = c->background, l.per_sample = c->per_sample, l.gamma = c->gamma, l.dice = c->dice, l.entropy = c->entropy;
    return l;
}

static void equals(const struct segment_case *c, limn_ctx *ctx, bool exact, double tolerance)
{
    limn_segment_loss l = loss_of(c);
    assert_int_equal(limn_segment_loss_check(ctx, &l), LIMN_OK);
    taught t = teach(ctx, &l, LIMN_SHAPE(SEGMENT_B, SEGMENT_H, SEGMENT_W, c->classes),
                     c->classes == 1 ? segment_labels_1 : segment_labels_3, exact);
    double gradient[VALUES], scale = 0, loss = loss_at(&t, c->classes == 1 ? segment_logits_1 : segment_logits_3, gradient);
    if (fabs(loss - c->loss) > tolerance * fabs(c->loss))
        fail_msg("%s: expected %.12g, found %.12g", c->name, c->loss, loss);
    for (int i = 0; i < PIXELS * c->classes; i++) scale = fmax(scale, fabs(c->gradient[i]));
    for (int i = 0; i < PIXELS * c->classes; i++)
        if (!(fabs(gradient[i] - c->gradient[i]) <= tolerance * scale))
            fail_msg("%s, gradient %d: expected %.12g, found %.12g", c->name, i, c->gradient[i], gradient[i]);
    forget(&t);
}

static void losses_and_gradients_equal_pytorch(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    for (int i = 0; i < SEGMENT_CASES; i++) {
        equals(&segment_cases[i], ctx, true, 1e-7); /* class weights and 1e-12 pass through f32: 2^-24 */
        equals(&segment_cases[i], ctx, false, 4e-6);
    }
    limn_ctx_free(ctx);
}

static void gradients_equal_finite_differences(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    for (int i = 0; i < SEGMENT_CASES; i++) {
        const struct segment_case *c = &segment_cases[i];
        limn_segment_loss l = loss_of(c);
        taught t = teach(ctx, &l, LIMN_SHAPE(SEGMENT_B, SEGMENT_H, SEGMENT_W, c->classes),
                         c->classes == 1 ? segment_labels_1 : segment_labels_3, true);
        double x[VALUES], gradient[VALUES], h = 1e-5;
        memcpy(x, c->classes == 1 ? segment_logits_1 : segment_logits_3, (size_t)(PIXELS * c->classes) * sizeof *x);
        loss_at(&t, x, gradient);
        for (int k = 0; k < PIXELS * c->classes; k += 5) {
            double old = x[k], up, down;
            x[k] = old + h, up = loss_at(&t, x, NULL);
            x[k] = old - h, down = loss_at(&t, x, NULL);
            x[k] = old;
            if (fabs((up - down) / (2 * h) - gradient[k]) > 1e-8)
                fail_msg("%s, logit %d: %g and %g", c->name, k, (up - down) / (2 * h), gradient[k]);
        }
        forget(&t);
    }
    limn_ctx_free(ctx);
}

static void a_loss_where_all_is_ignored_is_finite(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    uint8_t labels[PIXELS];
    memset(labels, LIMN_IGNORED, sizeof labels);
    for (int i = 0; i < LIMN_N_SEGMENT_KINDS; i++) {
        limn_segment_loss l = limn_segment_loss_defaults(SEGMENT_K);
        l.kind = (limn_segment_kind)i;
        taught t = teach(ctx, &l, LIMN_SHAPE(SEGMENT_B, SEGMENT_H, SEGMENT_W, SEGMENT_K), labels, false);
        double gradient[VALUES];
        assert_true(fabs(loss_at(&t, segment_logits_3, gradient)) < 1e-6);
        for (int k = 0; k < VALUES; k++) assert_true(fabs(gradient[k]) < 1e-6);
        forget(&t);
    }
    limn_ctx_free(ctx);
}

/* Logits of +-60: probabilities of exactly 0 and 1. */
static void certain_predictions_have_finite_losses(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    double x[VALUES], gradient[VALUES];
    for (int k = 0; k < VALUES; k++) x[k] = k % 2 ? 60 : -60;
    for (int i = 0; i < SEGMENT_CASES; i++) {
        limn_segment_loss l = loss_of(&segment_cases[i]);
        taught t = teach(ctx, &l, LIMN_SHAPE(SEGMENT_B, SEGMENT_H, SEGMENT_W, l.classes),
                         l.classes == 1 ? segment_labels_1 : segment_labels_3, false);
        double loss = loss_at(&t, x, gradient);
        if (!isfinite(loss) || loss < 0) fail_msg("%s: %g", segment_cases[i].name, loss);
        for (int k = 0; k < PIXELS * l.classes; k++)
            if (!isfinite(gradient[k])) fail_msg("%s: gradient %d is %g", segment_cases[i].name, k, gradient[k]);
        forget(&t);
    }
    limn_ctx_free(ctx);
}

static void every_number_of_threads_gives_the_same_bits(void **state)
{
    (void)state;
    enum { SIDE = 150, ALL = SIDE * SIDE * SEGMENT_K };
    uint8_t *labels = malloc(SIDE * SIDE);
    float *noise = malloc(ALL * sizeof *noise);
    double *x = malloc(ALL * sizeof *x), *gradient[2] = {malloc(ALL * sizeof(double)), malloc(ALL * sizeof(double))},
           loss[2];
    limn_random_normal(1, LIMN_STREAM_TEST, 0, 0, ALL, noise);
    for (int i = 0; i < ALL; i++) x[i] = (double)noise[i];
    for (int i = 0; i < SIDE * SIDE; i++) labels[i] = (uint8_t)(i * 7 % 5 % SEGMENT_K);
    limn_segment_loss l = limn_segment_loss_defaults(SEGMENT_K);
    l.kind = LIMN_SEGMENT_DICE_CE;
    for (int k = 0; k < 2; k++) {
        limn_ctx *ctx = limn_ctx_new();
        limn_ctx_set_threads(ctx, k ? 3 : 1);
        taught t = teach(ctx, &l, LIMN_SHAPE(1, SIDE, SIDE, SEGMENT_K), labels, false);
        loss[k] = loss_at(&t, x, gradient[k]);
        forget(&t);
        limn_ctx_free(ctx);
    }
    assert_memory_equal(&loss[0], &loss[1], sizeof loss[0]);
    assert_memory_equal(gradient[0], gradient[1], ALL * sizeof(double));
    for (int k = 0; k < 2; k++) free(gradient[k]);
    free(x), free(noise), free(labels);
}

static void numbers_out_of_range_are_refused(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_segment_loss l = limn_segment_loss_defaults(0), w = limn_segment_loss_defaults(2),
                      s = limn_segment_loss_defaults(2);
    w.weight = (double[]){0, 0}, w.n_weights = 2, s.smooth = -1;
    assert_int_equal(limn_segment_loss_check(ctx, &l), LIMN_BAD_ARGUMENT);
    assert_int_equal(limn_segment_loss_check(ctx, &w), LIMN_BAD_ARGUMENT);
    assert_string_equal(limn_error_text(ctx), "the weights of all classes are 0");
    w.weight = (double[]){1, NAN};
    assert_int_equal(limn_segment_loss_check(ctx, &w), LIMN_BAD_ARGUMENT);
    assert_int_equal(limn_segment_loss_check(ctx, &s), LIMN_BAD_ARGUMENT);
    w.weight = (double[]){1, 2, 3}, w.n_weights = 3;
    assert_int_equal(limn_segment_loss_check(ctx, &w), LIMN_BAD_ARGUMENT);
    assert_string_equal(limn_error_text(ctx), "expected 2 weights of classes, found 3");
    w.kind = LIMN_SEGMENT_DICE, w.n_weights = 2;
    assert_int_equal(limn_segment_loss_check(ctx, &w), LIMN_BAD_ARGUMENT);
    assert_false(limn_segment_kind_find("hinge", &l.kind));
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses_and_gradients_equal_pytorch),
        cmocka_unit_test(gradients_equal_finite_differences),
        cmocka_unit_test(a_loss_where_all_is_ignored_is_finite),
        cmocka_unit_test(certain_predictions_have_finite_losses),
        cmocka_unit_test(every_number_of_threads_gives_the_same_bits),
        cmocka_unit_test(numbers_out_of_range_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
