/* test_metrics.c: metrics of segmentations and pictures equal scipy's and scikit-image's, and say so where there is nothing
 * to say. */
#include "metric/metric_parts.h"
#include "vectors/metrics.h"

#include "base/rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const limn_label_pair classes_maps = {METRIC_W, METRIC_H, METRIC_K, metric_truth, metric_predicted};

/* Both NaN, or equal to a few roundings. */
static void near(const char *what, double found, double expected)
{
    bool same = isnan(expected) ? isnan(found) : fabs(found - expected) <= 1e-12 * fmax(1, fabs(expected));
    if (!same) fail_msg("%s: expected %.16g, found %.16g", what, expected, found);
}

static void same_rand(const char *what, const limn_rand *found, const struct membrane_rand *expected)
{
    near(what, found->error, expected->error);
    near(what, found->precision, expected->precision);
    near(what, found->recall, expected->recall);
    assert_int_equal(found->n_truth, expected->n_truth);
    assert_int_equal(found->n_predicted, expected->n_predicted);
}

static void overlap_of_classes_equals_numpy(void **state)
{
    limn_overlap c[METRIC_K] = {0};
    double sum = 0;
    assert_int_equal(limn_overlap_add(*state, &classes_maps, c), LIMN_OK);
    for (int k = 0; k < METRIC_K; k++) {
        const struct metric_class *e = &metric_classes[k];
        assert_int_equal(c[k].truth, e->truth);
        assert_int_equal(c[k].predicted, e->predicted);
        assert_int_equal(c[k].both, e->both);
        near("Dice", limn_dice(&c[k]), e->dice);
        near("IoU", limn_iou(&c[k]), e->iou);
    }
    near("pixel error", limn_pixel_error(METRIC_K, c), metric_pixel_error);
    for (int k = 1; k <= 3; k++)
        sum += metric_classes[k].dice; /* class 3 is predicted only: 0; class 4 is nowhere: left out */
    near("mean Dice", limn_class_mean(METRIC_K, 1, c, limn_dice), sum / 3);
    assert_true(isnan(limn_class_mean(METRIC_K, 4, c, limn_dice)));
}

static void hausdorff95_equals_scipy(void **state)
{
    for (int k = 0; k < METRIC_K; k++) {
        double found;
        assert_int_equal(limn_hausdorff95(*state, &classes_maps, k, &found), LIMN_OK);
        near("Hausdorff 95", found, metric_classes[k].hausdorff95);
    }
}

static void distances_equal_scipy(void **state)
{
    uint8_t mask[METRIC_H * METRIC_W];
    uint32_t found[METRIC_H * METRIC_W];
    for (int i = 0; i < METRIC_H * METRIC_W; i++) mask[i] = metric_predicted[i] == 3;
    assert_int_equal(limn_distance_squared(*state, METRIC_W, METRIC_H, mask, found), LIMN_OK);
    assert_memory_equal(found, metric_squared, sizeof found);
}

static void distances_equal_a_search_of_all_pixels(void **state)
{
    static const uint32_t sizes[][2] = {{1, 1}, {1, 40}, {40, 1}, {23, 31}, {31, 7}};
    uint8_t mask[23 * 31];
    uint32_t found[23 * 31];
    for (uint32_t round = 0; round < 200; round++) {
        uint32_t w = sizes[round % 5][0], h = sizes[round % 5][1], one_in = 1 + round / 5 * 4;
        for (uint32_t i = 0; i < w * h; i++) mask[i] = limn_random_below(9, LIMN_STREAM_TEST, round, i, one_in) == 0;
        assert_int_equal(limn_distance_squared(*state, w, h, mask, found), LIMN_OK);
        for (uint32_t p = 0; p < w * h; p++) {
            uint32_t least = LIMN_FAR;
            for (uint32_t q = 0; q < w * h; q++) {
                int dx = (int)(p % w) - (int)(q % w), dy = (int)(p / w) - (int)(q / w);
                uint32_t d = (uint32_t)(dx * dx + dy * dy);
                if (mask[q] && d < least) least = d;
            }
            assert_int_equal(found[p], least);
        }
    }
}

static void components_equal_scipy(void **state)
{
    uint8_t cells[MEMBRANE_H * MEMBRANE_W];
    uint32_t found[MEMBRANE_H * MEMBRANE_W], parent[MEMBRANE_H * MEMBRANE_W];
    (void)state;
    for (int i = 0; i < MEMBRANE_H * MEMBRANE_W; i++) cells[i] = membrane_p[i] > 0.5f ? 7 : 0;
    assert_int_equal(limn_metric_components(MEMBRANE_W, MEMBRANE_H, cells, parent, found), membrane_scan[9].n_predicted);
    assert_memory_equal(found, membrane_segments, sizeof found);
}

static void rand_errors_equal_scikit_image(void **state)
{
    uint8_t cells[MEMBRANE_H * MEMBRANE_W];
    limn_label_pair maps = {MEMBRANE_W, MEMBRANE_H, 2, membrane_truth, cells};
    limn_rand scan[LIMN_RAND_STEPS], one;
    for (int i = 0; i < MEMBRANE_H * MEMBRANE_W; i++) cells[i] = membrane_p[i] > 0.5f;
    assert_int_equal(limn_rand_error(*state, &maps, 1, &one), LIMN_OK);
    same_rand("Rand error", &one, &membrane_scan[9]);
    assert_int_equal(limn_rand_scan(*state, &maps, 1, membrane_p, scan), LIMN_OK);
    for (int i = 0; i < LIMN_RAND_STEPS; i++) same_rand("Rand error of a threshold", &scan[i], &membrane_scan[i]);
    near("threshold", limn_rand_threshold(9), 0.5);
    maps.truth = membrane_truth_ignored;
    assert_int_equal(limn_rand_error(*state, &maps, 1, &one), LIMN_OK);
    same_rand("Rand error beside ignored pixels", &one, &membrane_rand_ignored);
}

static void thin_lines_equal_their_definition(void **state)
{
    uint8_t lines[MEMBRANE_H * MEMBRANE_W];
    memcpy(lines, lines_thick, sizeof lines);
    assert_int_equal(limn_thin(*state, MEMBRANE_W, MEMBRANE_H, lines), LIMN_OK);
    assert_memory_equal(lines, lines_thin, sizeof lines);
}

/* Cells of a random map, 4-connected, keep their number and are never joined: each holds pixels of one cell of before. */
static void thinning_joins_no_cells(void **state)
{
    enum { W = 41, H = 29, N = W * H };
    uint8_t map[N], thin[N], cells[2][N];
    uint32_t before[N], after[N], parent[N], n_before, n_after, n_lost = 0, old[N + 1];
    for (uint32_t round = 0; round < 100; round++) {
        for (uint32_t i = 0; i < N; i++) map[i] = limn_random_below(11, LIMN_STREAM_TEST, round, i, 100) < 40 + round / 2;
        memcpy(thin, map, N);
        assert_int_equal(limn_thin(*state, W, H, thin), LIMN_OK);
        for (uint32_t i = 0; i < N; i++) cells[0][i] = !map[i], cells[1][i] = !thin[i];
        n_before = limn_metric_components(W, H, cells[0], parent, before),
        n_after = limn_metric_components(W, H, cells[1], parent, after);
        memset(old, 0, sizeof old);
        assert_int_equal(n_before, n_after);
        for (uint32_t i = 0; i < N; i++) {
            assert_true(map[i] || !thin[i]);
            n_lost += map[i] && !thin[i];
            if (!before[i]) continue;
            if (old[after[i]] && old[after[i]] != before[i])
                fail_msg("round %u: cells %u and %u became one", round, old[after[i]], before[i]);
            old[after[i]] = before[i];
        }
    }
    assert_true(n_lost > 1000);
}

/* A thick wall has the error of a thin one once both are thin; a gap joins two cells. */
static void v_rand_after_thinning_equals_its_definition(void **state)
{
    enum { W = 16, H = 10, A = 5 * H, B = 9 * H };
    uint8_t truth[W * H];
    float thick[W * H];
    limn_label_pair maps = {MEMBRANE_W, MEMBRANE_H, 2, membrane_truth, membrane_truth};
    limn_rand_sums sums[LIMN_RAND_STEPS] = {0};
    assert_int_equal(limn_rand_thinned(*state, &maps, 1, membrane_p, sums), LIMN_OK);
    for (int i = 0; i < LIMN_RAND_STEPS; i++) {
        const struct membrane_sums *e = &membrane_thinned[i];
        near("both", sums[i].both, e->both), near("truth", sums[i].truth, e->truth),
            near("predicted", sums[i].predicted, e->predicted);
        near("1 - V", limn_rand_sums_error(&sums[i]), 1 - 2 * e->both / (e->truth + e->predicted));
    }
    for (int i = 0; i < W * H; i++) truth[i] = i % W < 5 || i % W > 6, thick[i] = i % W < 3 || i % W > 8 ? 0.9f : 0.1f;
    maps = (limn_label_pair){W, H, 2, truth, truth};
    memset(sums, 0, sizeof sums);
    assert_int_equal(limn_rand_thinned(*state, &maps, 1, thick, sums), LIMN_OK);
    near("a thick wall", limn_rand_sums_error(&sums[9]), 0);
    for (int x = 0; x < W; x++) thick[4 * W + x] = 0.9f;
    memset(sums, 0, sizeof sums);
    assert_int_equal(limn_rand_thinned(*state, &maps, 1, thick, sums), LIMN_OK);
    assert_true(limn_rand_sums_error(&sums[9]) > 0.2);
    memset(sums, 0, sizeof sums);
    assert_true(isnan(limn_rand_sums_error(&sums[9])));
}

static void warping_errors_equal_the_definition_of_simple_points(void **state)
{
    uint8_t cells[MEMBRANE_H * MEMBRANE_W];
    limn_label_pair maps = {MEMBRANE_W, MEMBRANE_H, 2, membrane_truth, cells};
    double found;
    for (int i = 0; i < MEMBRANE_H * MEMBRANE_W; i++) cells[i] = membrane_p[i] > 0.5f;
    assert_int_equal(limn_warping_error(*state, &maps, 1, &found), LIMN_OK);
    near("warping error", found, membrane_warping);
    maps.truth = membrane_truth_ignored;
    assert_int_equal(limn_warping_error(*state, &maps, 1, &found), LIMN_OK);
    near("warping error beside ignored pixels", found, membrane_warping_ignored);
}

/* Two cells beside a wall of two pixels. */
static void a_moved_wall_is_no_error_of_topology_and_a_gap_is(void **state)
{
    enum { W = 16, H = 10 };
    uint8_t truth[W * H], moved[W * H], gap[W * H];
    for (int i = 0; i < W * H; i++)
        truth[i] = i % W < 5 || i % W > 6, moved[i] = i % W < 6 || i % W > 8, gap[i] = truth[i] || i / W == 4;
    limn_label_pair maps = {W, H, 2, truth, moved};
    double found;
    limn_rand r;
    assert_int_equal(limn_warping_error(*state, &maps, 1, &found), LIMN_OK);
    near("a moved wall", found, 0);
    maps.prediction = gap;
    assert_int_equal(limn_warping_error(*state, &maps, 1, &found), LIMN_OK);
    near("a gap", found, 1.0 / (W * H)); /* the wall thins to one pixel, which must stay */
    assert_int_equal(limn_rand_error(*state, &maps, 1, &r), LIMN_OK);
    double a = 5 * H, b = 9 * H, s = a * (a - 1) + b * (b - 1), p = (a + b) * (a + b - 1);
    near("two cells become one", r.error, 1 - 2 * s / (s + p));
    maps.prediction = truth;
    assert_int_equal(limn_rand_error(*state, &maps, 1, &r), LIMN_OK);
    near("the truth itself", r.error, 0);
}

static void psnr_and_ssim_equal_scikit_image(void **state)
{
    uint8_t clean[sizeof picture_clean], noisy[sizeof picture_noisy];
    memcpy(clean, picture_clean, sizeof clean), memcpy(noisy, picture_noisy, sizeof noisy);
    limn_image a = {PICTURE_W, PICTURE_H, 3, clean}, b = {PICTURE_W, PICTURE_H, 3, noisy};
    double psnr, ssim;
    assert_int_equal(limn_psnr(*state, &a, &b, &psnr), LIMN_OK);
    near("PSNR", psnr, picture_psnr);
    assert_int_equal(limn_ssim(*state, &a, &b, &ssim), LIMN_OK);
    near("SSIM", ssim, picture_ssim);
    assert_int_equal(limn_psnr(*state, &a, &a, &psnr), LIMN_OK);
    assert_true(isinf(psnr) && psnr > 0);
    assert_int_equal(limn_ssim(*state, &a, &a, &ssim), LIMN_OK);
    near("SSIM of a picture with itself", ssim, 1);
}

/* Of red that is a fifth visible 51 counts; what is under alpha 0 does not.  Values differ by 51 in one of four of two
 * pixels: 51^2 / 8. */
static void colours_that_cannot_be_seen_do_not_count(void **state)
{
    enum { W = 11, H = 11, N = W * H * 4 };
    static uint8_t x[N], y[N];
    uint8_t red[] = {255, 0, 0, 51, 9, 9, 9, 0}, none[] = {0, 0, 0, 51, 200, 100, 50, 0}, gray[] = {255, 51},
            dark[] = {0, 51};
    limn_image a = {2, 1, 4, red}, b = {2, 1, 4, none}, c = {1, 1, 2, gray}, d = {1, 1, 2, dark}, u = {W, H, 4, x},
               v = {W, H, 4, y};
    double found;
    assert_int_equal(limn_psnr(*state, &a, &b, &found), LIMN_OK);
    near("PSNR with alpha", found, 10 * log10(255.0 * 255 * 8 / (51 * 51)));
    assert_int_equal(limn_psnr(*state, &c, &d, &found), LIMN_OK);
    near("PSNR of gray with alpha", found, 10 * log10(255.0 * 255 * 2 / (51 * 51)));
    for (int i = 0; i < N; i++) x[i] = i % 4 == 3 ? 0 : (uint8_t)(i * 7 % 251), y[i] = i % 4 == 3 ? 0 : 255;
    assert_int_equal(limn_psnr(*state, &u, &v, &found), LIMN_OK);
    assert_true(isinf(found));
    assert_int_equal(limn_ssim(*state, &u, &v, &found), LIMN_OK);
    near("SSIM of nothing and nothing", found, 1);
}

static void where_there_is_nothing_to_say_is_nan(void **state)
{
    uint8_t ignored[12], membrane[12] = {0};
    memset(ignored, LIMN_IGNORED, sizeof ignored);
    limn_label_pair maps = {4, 3, 2, ignored, membrane};
    limn_overlap c[2] = {0};
    limn_rand r;
    double d;
    assert_int_equal(limn_overlap_add(*state, &maps, c), LIMN_OK);
    assert_true(isnan(limn_dice(&c[0])) && isnan(limn_iou(&c[1])) && isnan(limn_pixel_error(2, c)));
    assert_int_equal(limn_rand_error(*state, &maps, 1, &r), LIMN_OK);
    assert_true(isnan(r.error) && isnan(r.precision) && isnan(r.recall));
    assert_int_equal(limn_warping_error(*state, &maps, 1, &d), LIMN_OK);
    assert_true(isnan(d));
    assert_int_equal(limn_hausdorff95(*state, &maps, 0, &d), LIMN_OK);
    assert_true(isnan(d));
}

static void refused(limn_ctx *ctx, limn_status status, const char *part)
{
    assert_int_not_equal(status, LIMN_OK);
    if (!strstr(limn_error_text(ctx), part)) fail_msg("expected \"%s\" in: %s", part, limn_error_text(ctx));
}

static void what_is_no_class_or_no_size_is_named(void **state)
{
    uint8_t truth[6] = {0, 1, 0, 1, 0, 255}, bad[6] = {0, 0, 0, 0, 2, 0};
    limn_overlap c[2] = {0};
    limn_label_pair maps = {3, 2, 2, truth, bad};
    refused(*state, limn_overlap_add(*state, &maps, c), "prediction: expected classes 0 to 1, found 2 in row 1, column 1");
    assert_int_equal(c[0].truth, 0);
    maps.truth = bad, maps.prediction = truth;
    refused(*state, limn_overlap_add(*state, &maps, c), "truth: expected classes 0 to 1, found 2 in row 1, column 1");
    maps.n_classes = 256;
    refused(*state, limn_overlap_add(*state, &maps, c), "classes must be 1 to 255, found 256");
    maps.n_classes = 2, maps.width = 1 << 20;
    refused(*state, limn_overlap_add(*state, &maps, c), "1048576 x 2 pixels");
    limn_image a = {3, 2, 1, truth}, b = {2, 3, 1, bad};
    double d;
    refused(*state, limn_psnr(*state, &a, &b, &d), "expected 3 x 2 with 1 channels as in the first, found 2 x 3 with 1");
    refused(*state, limn_ssim(*state, &a, &b, &d), "expected 3 x 2 with 1 channels as in the first, found 2 x 3 with 1");
    refused(*state, limn_ssim(*state, &a, &a, &d), "SSIM needs pictures of at least 11 x 11, found 3 x 2");
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
        cmocka_unit_test(overlap_of_classes_equals_numpy),
        cmocka_unit_test(hausdorff95_equals_scipy),
        cmocka_unit_test(distances_equal_scipy),
        cmocka_unit_test(distances_equal_a_search_of_all_pixels),
        cmocka_unit_test(components_equal_scipy),
        cmocka_unit_test(rand_errors_equal_scikit_image),
        cmocka_unit_test(thin_lines_equal_their_definition),
        cmocka_unit_test(thinning_joins_no_cells),
        cmocka_unit_test(v_rand_after_thinning_equals_its_definition),
        cmocka_unit_test(warping_errors_equal_the_definition_of_simple_points),
        cmocka_unit_test(a_moved_wall_is_no_error_of_topology_and_a_gap_is),
        cmocka_unit_test(psnr_and_ssim_equal_scikit_image),
        cmocka_unit_test(colours_that_cannot_be_seen_do_not_count),
        cmocka_unit_test(where_there_is_nothing_to_say_is_nan),
        cmocka_unit_test(what_is_no_class_or_no_size_is_named),
    };
    return cmocka_run_group_tests(tests, open_context, close_context);
}
