/* test_report.c: the report of a segmentation, as numbers, text, JSON and picture. */
#include "metric/report.h"
#include "vectors/metrics.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { MEMBRANE_N = MEMBRANE_H * MEMBRANE_W };

static const char *const names[METRIC_K] = {"ground", "caf\xc3\xa9", "a \"b\"\n", "d", "e"};
static const limn_label_pair classes_maps = {METRIC_W, METRIC_H, METRIC_K, metric_truth, metric_predicted};

static void near(const char *what, double found, double expected)
{
    bool same = isnan(expected) ? isnan(found) : fabs(found - expected) <= 1e-12 * fmax(1, fabs(expected));
    if (!same) fail_msg("%s: expected %.16g, found %.16g", what, expected, found);
}

static limn_report *of_classes(limn_ctx *ctx)
{
    limn_report *r;
    assert_int_equal(limn_report_new(ctx, METRIC_K, names, -1, &r), LIMN_OK);
    assert_int_equal(limn_report_add(ctx, r, &classes_maps, NULL), LIMN_OK);
    return r;
}

static json_t *json_of(const limn_report *r)
{
    char *text = limn_report_json(r);
    json_t *o = json_loads(text, 0, NULL);
    assert_non_null(o);
    limn_free(text);
    return o;
}

static void classes_nowhere_are_left_out_of_means(void **state)
{
    limn_report *r = of_classes(*state);
    const struct metric_class *c = metric_classes;
    limn_report_scores s = limn_report_score(r);
    near("pixel error", s.pixel_error, metric_pixel_error);
    near("Dice", s.dice, (c[0].dice + c[1].dice + c[2].dice + c[3].dice) / 4);
    near("IoU", s.foreground_iou, (c[1].iou + c[2].iou + c[3].iou) / 3);
    near("Hausdorff 95", s.hausdorff95, (c[0].hausdorff95 + c[1].hausdorff95 + c[2].hausdorff95) / 3);
    near("Hausdorff 95 without class 0", s.foreground_hausdorff95, (c[1].hausdorff95 + c[2].hausdorff95) / 2);
    assert_true(isnan(s.rand) && isnan(s.warping) && isnan(s.best_rand) && isnan(s.best_threshold));
    limn_report_free(r);
}

static uint8_t *flipped(const uint8_t *map)
{
    uint8_t *out = malloc(METRIC_H * METRIC_W);
    for (int i = 0; i < METRIC_H * METRIC_W; i++) out[i] = map[METRIC_H * METRIC_W - 1 - i];
    return out;
}

static void pixels_of_pictures_are_summed_and_distances_averaged(void **state)
{
    limn_report *r = of_classes(*state);
    uint8_t *truth = flipped(metric_truth), *exact = flipped(metric_truth);
    for (int i = 0; i < METRIC_H * METRIC_W; i++)
        if (exact[i] == LIMN_IGNORED) exact[i] = 0;
    limn_label_pair second = {METRIC_W, METRIC_H, METRIC_K, truth, exact};
    assert_int_equal(limn_report_add(*state, r, &second, NULL), LIMN_OK);
    limn_report_scores s = limn_report_score(r);
    assert_int_equal(r->n_pictures, 2);
    near("pixel error", s.pixel_error, metric_pixel_error / 2);
    const struct metric_class *c = &metric_classes[2];
    near("Dice", limn_dice(&r->overlap[2]), 2.0 * (c->both + c->truth) / (c->truth + c->predicted + 2.0 * c->truth));
    near("Hausdorff 95", r->hausdorff95[2].sum / (double)r->hausdorff95[2].n, c->hausdorff95 / 2);
    assert_int_equal(r->hausdorff95[3].n, 0);
    free(truth), free(exact), limn_report_free(r);
}

/* Every number of two pictures, whether they were added to one report or to two. */
static void reports_are_merged_as_if_they_were_one(void **state)
{
    limn_report *one, *two, *part;
    uint8_t cells[MEMBRANE_N], none[MEMBRANE_N] = {0};
    for (int i = 0; i < MEMBRANE_N; i++) cells[i] = membrane_p[i] > 0.5f;
    limn_label_pair maps[2] = {{MEMBRANE_W, MEMBRANE_H, 2, membrane_truth, cells},
                               {MEMBRANE_W, MEMBRANE_H, 2, membrane_truth, none}};
    assert_int_equal(limn_report_new(*state, 2, NULL, 1, &one) | limn_report_new(*state, 2, NULL, 1, &two), LIMN_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(limn_report_new(*state, 2, NULL, 1, &part), LIMN_OK);
        assert_int_equal(limn_report_add(*state, one, &maps[i], membrane_p) |
                             limn_report_add(*state, part, &maps[i], membrane_p),
                         LIMN_OK);
        limn_report_merge(two, part);
        limn_report_free(part);
    }
    json_t *a = json_of(one), *b = json_of(two);
    assert_true(json_equal(a, b) && json_integer_value(json_object_get(a, "pictures")) == 2);
    assert_int_equal(
        json_integer_value(json_object_get(json_array_get(json_object_get(a, "classes"), 1), "hausdorff95_pictures")), 1);
    json_decref(a), json_decref(b);
    limn_report_free(one), limn_report_free(two);
}

static void the_best_threshold_is_one_for_all_pictures(void **state)
{
    limn_report *r;
    uint8_t cells[MEMBRANE_N];
    float sure[MEMBRANE_N]; /* a second picture that only thresholds below 0.5 get right */
    for (int i = 0; i < MEMBRANE_N; i++) cells[i] = membrane_p[i] > 0.5f, sure[i] = membrane_truth[i] ? 0.49f : 0;
    limn_label_pair maps = {MEMBRANE_W, MEMBRANE_H, 2, membrane_truth, cells};
    assert_int_equal(limn_report_new(*state, 2, NULL, 1, &r), LIMN_OK);
    assert_int_equal(limn_report_add(*state, r, &maps, membrane_p), LIMN_OK);
    limn_report_scores s = limn_report_score(r);
    near("Rand error", s.rand, membrane_scan[9].error);
    near("warping error", s.warping, membrane_warping);
    near("best Rand error of one", s.best_rand, membrane_scan[11].error);
    near("best threshold of one", s.best_threshold, 0.6);
    assert_int_equal(limn_report_add(*state, r, &maps, sure), LIMN_OK);
    s = limn_report_score(r);
    near("best Rand error of two", s.best_rand, membrane_scan[7].error / 2);
    near("best threshold of two", s.best_threshold, 0.4);
    limn_report_free(r);
}

static double thinned_error(int step, double n)
{
    const struct membrane_sums *m = &membrane_thinned[step];
    return 1 - 2 * n * m->both / (n * m->truth + n * m->predicted);
}

static void thinned_errors_and_pixel_errors_are_of_all_pictures_together(void **state)
{
    limn_report *r;
    uint8_t cells[MEMBRANE_N];
    for (int i = 0; i < MEMBRANE_N; i++) cells[i] = membrane_p[i] > 0.5f;
    limn_label_pair maps = {MEMBRANE_W, MEMBRANE_H, 2, membrane_truth, cells};
    assert_int_equal(limn_report_new(*state, 2, NULL, 1, &r), LIMN_OK);
    for (int picture = 0; picture < 2; picture++) assert_int_equal(limn_report_add(*state, r, &maps, membrane_p), LIMN_OK);
    limn_report_scores s = limn_report_score(r);
    int best = 0, fewest = 0, wrong[LIMN_RAND_STEPS] = {0};
    for (int k = 0; k < LIMN_RAND_STEPS; k++) {
        for (int i = 0; i < MEMBRANE_N; i++)
            wrong[k] += (membrane_p[i] > (float)limn_rand_threshold(k)) != membrane_truth[i];
        if (thinned_error(k, 2) < thinned_error(best, 2)) best = k;
        if (wrong[k] < wrong[fewest]) fewest = k;
    }
    near("thinned at 1/2", s.thinned, thinned_error(9, 2));
    near("best thinned", s.best_thinned, thinned_error(best, 2));
    near("its threshold", s.best_thinned_threshold, limn_rand_threshold(best));
    near("pixel error", s.pixel_error, wrong[9] / (double)MEMBRANE_N);
    near("best pixel error", s.best_pixel_error, wrong[fewest] / (double)MEMBRANE_N);
    near("its threshold", s.best_pixel_threshold, limn_rand_threshold(fewest));
    json_t *o = json_of(r), *m = json_object_get(o, "membrane");
    near("in JSON", json_real_value(json_object_get(m, "best_thinned_rand_error")), s.best_thinned);
    near("in JSON", json_real_value(json_object_get(m, "best_pixel_error")), s.best_pixel_error);
    json_decref(o);
    limn_report_free(r);
}

static void has(const char *text, const char *part)
{
    assert_non_null(text);
    if (!strstr(text, part)) fail_msg("expected \"%s\" in:\n%s", part, text);
}

static void the_table_is_aligned_and_says_what_is_absent(void **state)
{
    limn_report *r = of_classes(*state);
    char *text = limn_report_text(r);
    has(text, "1 picture, 485 pixels with a class, pixel error 0.3155\n");
    has(text, "class                   truth %  predicted %      Dice       IoU  Hausdorff 95 px\n");
    has(text, "caf\xc3\xa9                      45.57        46.39    0.7489    0.5986             6.12\n");
    has(text, "a \\\"b\\\"\\n ");
    has(text, "d                          0.00         1.24    0.0000    0.0000                -\n");
    has(text, "e                          0.00         0.00    absent    absent                -\n");
    has(text, "\"d\" is nowhere in the truth, but was predicted\n\"e\" is nowhere in the truth\n");
    assert_null(strstr(text, "Rand"));
    limn_free(text), limn_report_free(r);
}

static void failures_of_training_are_named(void **state)
{
    limn_report *r;
    uint8_t truth[20] = {0, 1, 1}, ground[20] = {0};
    limn_label_pair maps = {5, 4, 2, truth, ground};
    limn_text text = {0};
    assert_int_equal(limn_report_new(*state, 2, NULL, 1, &r), LIMN_OK);
    limn_report_notes(r, &text);
    assert_int_equal(text.n, 0);
    assert_int_equal(limn_report_add(*state, r, &maps, NULL), LIMN_OK);
    limn_report_notes(r, &text);
    has(text.bytes,
        "every pixel was taken for \"class 0\"\n\"class 1\" was never predicted, though 10.00 % of the truth is\n");
    limn_text_free(&text), limn_report_free(r);
}

static void json_holds_the_numbers_and_null_for_none(void **state)
{
    limn_report *r = of_classes(*state);
    json_t *o = json_of(r), *classes = json_object_get(o, "classes"), *one = json_array_get(classes, 1),
           *none = json_array_get(classes, 4);
    assert_int_equal(json_array_size(classes), METRIC_K);
    near("pixel error", json_real_value(json_object_get(o, "pixel_error")), metric_pixel_error);
    assert_string_equal(json_string_value(json_object_get(one, "name")), names[1]);
    assert_string_equal(json_string_value(json_object_get(json_array_get(classes, 2), "name")), names[2]);
    near("Dice", json_real_value(json_object_get(one, "dice")), metric_classes[1].dice);
    near("Hausdorff 95", json_real_value(json_object_get(one, "hausdorff95")), metric_classes[1].hausdorff95);
    assert_int_equal(json_integer_value(json_object_get(one, "both")), metric_classes[1].both);
    assert_true(json_is_null(json_object_get(none, "dice")) && json_is_null(json_object_get(none, "hausdorff95")));
    assert_null(json_object_get(o, "membrane"));
    json_decref(o);
    limn_report_free(r);
    assert_int_equal(limn_report_new(*state, 2, NULL, 0, &r), LIMN_OK);
    o = json_of(r);
    assert_true(json_is_null(json_object_get(json_object_get(o, "membrane"), "rand_error")));
    assert_true(json_is_null(json_object_get(json_object_get(o, "mean"), "dice")));
    json_decref(o);
    limn_report_free(r);
}

static void a_picture_that_fails_leaves_the_report_as_it_was(void **state)
{
    limn_report *r = of_classes(*state), *before = malloc(sizeof *before);
    uint8_t bad[METRIC_H * METRIC_W];
    memcpy(before, r, sizeof *r), memcpy(bad, metric_predicted, sizeof bad);
    bad[METRIC_W + 3] = METRIC_K;
    limn_label_pair maps = {METRIC_W, METRIC_H, METRIC_K, metric_truth, bad};
    assert_int_equal(limn_report_add(*state, r, &maps, NULL), LIMN_BAD_ARGUMENT);
    assert_string_equal(limn_error_text(*state), "prediction: expected classes 0 to 4, found 5 in row 1, column 3");
    maps.n_classes = 3;
    assert_int_equal(limn_report_add(*state, r, &maps, NULL), LIMN_BAD_ARGUMENT);
    assert_string_equal(limn_error_text(*state), "a report of 5 classes got label maps of 3");
    assert_memory_equal(before, r, sizeof *r);
    limn_report_free(r);
    assert_int_equal(limn_report_new(*state, 0, NULL, -1, &r), LIMN_BAD_ARGUMENT);
    assert_int_equal(limn_report_new(*state, 2, NULL, 2, &r), LIMN_BAD_ARGUMENT);
    assert_null(r);
    free(before);
}

static const uint8_t *at(const limn_image *image, int x, int y)
{
    return image->pixels + ((size_t)y * (size_t)image->width + (size_t)x) * 3;
}

static bool is_near(const uint8_t *pixel, int r, int g, int b)
{
    return abs(pixel[0] - r) <= 1 && abs(pixel[1] - g) <= 1 && abs(pixel[2] - b) <= 1;
}

static void the_overlay_marks_each_kind_of_error(void **state)
{
    enum { W = 6, H = 2 };
    uint8_t grey[W * H], truth[W * H] = {0, 1, 0, 1, 1, 255}, found[W * H] = {0, 1, 1, 0, 2, 0};
    limn_image image = {W, H, 1, grey}, out;
    memset(grey, 100, sizeof grey);
    assert_int_equal(limn_report_picture(*state, &image, truth, found, &out), LIMN_OK);
    assert_int_equal(out.width, 3 * W + 8);
    assert_int_equal(out.height, H);
    assert_int_equal(out.channels, 3);
    for (int x = 0; x < W; x++) assert_true(is_near(at(&out, x, 0), 100, 100, 100));
    assert_true(is_near(at(&out, W, 1), 255, 255, 255));
    const int second = W + 4, third = 2 * W + 8;
    assert_true(is_near(at(&out, second, 0), 100, 100, 100) && is_near(at(&out, third, 0), 100, 100, 100));
    assert_true(is_near(at(&out, second + 1, 0), 60, 138, 103) && is_near(at(&out, third + 1, 0), 60, 138, 103));
    assert_true(is_near(at(&out, third + 2, 0), 205, 35, 43));  /* invented: red */
    assert_true(is_near(at(&out, third + 3, 0), 225, 132, 18)); /* missed: orange */
    assert_true(is_near(at(&out, third + 4, 0), 221, 205, 43)); /* mixed up: yellow */
    assert_true(is_near(at(&out, second + 5, 0), 117, 117, 117) && is_near(at(&out, third + 5, 0), 117, 117, 117));
    limn_image_free(&out);
    assert_int_equal(limn_report_picture(*state, &image, NULL, found, &out), LIMN_OK);
    assert_int_equal(out.width, 2 * W + 4);
    assert_true(is_near(at(&out, second + 2, 0), 60, 138, 103) && is_near(at(&out, second + 3, 0), 100, 100, 100));
    limn_image_free(&out);
}

static void an_overlay_larger_than_pictures_may_be_is_drawn_smaller(void **state)
{
    enum { W = LIMN_MAX_SIDE / 2, H = 3 };
    uint8_t *zeros = calloc(W * H, 1), *found = calloc(W * H, 1);
    limn_image image = {W, H, 1, zeros}, out;
    found[W + 1] = 1; /* row 1, column 1: of every second pixel the first is drawn */
    assert_int_equal(limn_report_picture(*state, &image, zeros, found, &out), LIMN_OK);
    assert_int_equal(out.width, 3 * W / 2 + 8);
    assert_int_equal(out.height, 2);
    assert_true(is_near(at(&out, W / 2 + 4, 0), 0, 0, 0) && is_near(at(&out, W + 8, 0), 187, 16, 24) &&
                is_near(at(&out, W + 9, 0), 0, 0, 0));
    assert_true(is_near(at(&out, W + 8, 1), 0, 0, 0));
    limn_image_free(&out);
    free(zeros);
    free(found);
}

static int open_context(void **state)
{
    *state = limn_ctx_new();
    return *state ? 0 : -1;
}

static int close_context(void **state)
{
    limn_ctx_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_nowhere_are_left_out_of_means),
        cmocka_unit_test(pixels_of_pictures_are_summed_and_distances_averaged),
        cmocka_unit_test(reports_are_merged_as_if_they_were_one),
        cmocka_unit_test(the_best_threshold_is_one_for_all_pictures),
        cmocka_unit_test(thinned_errors_and_pixel_errors_are_of_all_pictures_together),
        cmocka_unit_test(the_table_is_aligned_and_says_what_is_absent),
        cmocka_unit_test(failures_of_training_are_named),
        cmocka_unit_test(json_holds_the_numbers_and_null_for_none),
        cmocka_unit_test(a_picture_that_fails_leaves_the_report_as_it_was),
        cmocka_unit_test(the_overlay_marks_each_kind_of_error),
        cmocka_unit_test(an_overlay_larger_than_pictures_may_be_is_drawn_smaller),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
