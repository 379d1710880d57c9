/* test_segment.c: opening a segmentation network, tiles against one large tile, values of masks, rasters to the range
 * 0..1. */
#include "make_network.h"

#include "file/image.h"
#include "pipeline/segment.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define GRAY "unet size=64 channels=1 classes=3 width=4 levels=2"
static char path[] = "test-segment.safetensors";

static limn_segmentation *opened_with(limn_ctx *ctx, const char *settings, const char *classes,
                                      limn_segmentation_options options)
{
    limn_segmentation *s;
    assert_true(make_network(ctx, path, settings, classes));
    limn_status status = limn_segmentation_open(ctx, path, &options, &s);
    if (status != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    unlink(path);
    return s;
}

/* With direct sums, whose roundings do not hang on where a tile begins. */
static limn_segmentation *opened(limn_ctx *ctx, const char *settings, const char *classes, int tile, int overlap)
{
    return opened_with(ctx, settings, classes,
                       (limn_segmentation_options){.tile = tile, .overlap = overlap, .precision = LIMN_PRECISION_EXACT});
}

static float *noise(size_t n)
{
    float *x = malloc(n * sizeof *x);
    uint32_t state = 12345;
    for (size_t i = 0; i < n; i++) state = state * 1664525u + 1013904223u, x[i] = (float)(state >> 8) / (1 << 24);
    return x;
}

/* Pixels that every tile of 64 at 0, 32 and 64 sees at least FIELD pixels away from borders that are not the picture's. */
enum { SIDE = 128, FIELD = 12 };
static bool is_inner(int i)
{
    return i < 32 || (i >= 32 + FIELD && i < 64 - FIELD) || (i >= 64 + FIELD && i < 96 - FIELD) || i >= 96;
}

static void tiles_are_one_large_tile_away_from_their_borders(void **state)
{
    enum { K = 3 };
    limn_segmentation *small = opened(*state, GRAY, NULL, 0, 16), *large = opened(*state, GRAY, NULL, SIDE, 0);
    float *x = noise(SIDE * SIDE), *a = malloc(SIDE * SIDE * K * sizeof *a), *b = malloc(SIDE * SIDE * K * sizeof *b),
          worst = 0, border = 0, low = 1, high = 0;
    uint8_t *classes = malloc(SIDE * SIDE);
    assert_int_equal(limn_segment_values(small, SIDE, SIDE, 1, x, classes, a), LIMN_OK);
    assert_int_equal(limn_segment_values(large, SIDE, SIDE, 1, x, classes, b), LIMN_OK);
    for (int i = 0; i < SIDE * SIDE * K; i++) {
        float difference = fabsf(a[i] - b[i]);
        bool inner = is_inner(i / K % SIDE) && is_inner(i / K / SIDE);
        if (inner) worst = fmaxf(worst, difference);
        else border = fmaxf(border, difference);
        low = fminf(low, b[i]), high = fmaxf(high, b[i]);
    }
    assert_true(worst < 1e-5f);
    assert_true(border > 1e-3f);      /* so that the comparison could have failed */
    assert_true(high - low > 0.1f);
    free(x);
    free(a);
    free(b);
    free(classes);
    limn_segmentation_free(small);
    limn_segmentation_free(large);
}

/* 97 pixels in tiles of 64 that begin at 0 and 36, for a grid of 4 pixels; 33 would end with the picture and pool other
 * pixels together. */
static void tiles_begin_where_the_poolings_do(void **state)
{
    enum { N = 97, REACH = 14, K = 3 };
    const char *settings = "unet size=64 channels=1 classes=3 width=4 levels=3 convs=1";
    limn_segmentation *small = opened(*state, settings, NULL, 0, 0), *large = opened(*state, settings, NULL, 128, 0);
    float *x = noise(N * N), *a = malloc(N * N * K * sizeof *a), *b = malloc(N * N * K * sizeof *b), worst = 0, border = 0;
    uint8_t *classes = malloc(N * N);
    bool inner[N]; /* seen by one tile, far from its borders */
    for (int i = 0; i < N; i++) inner[i] = (i >= REACH && i < 36) || (i >= 64 && i < 100 - REACH);
    assert_int_equal(limn_segment_values(small, N, N, 1, x, classes, a), LIMN_OK);
    assert_int_equal(limn_segment_values(large, N, N, 1, x, classes, b), LIMN_OK);
    for (int i = 0; i < N * N * K; i++) {
        float difference = fabsf(a[i] - b[i]);
        if (inner[i / K % N] && inner[i / K / N]) worst = fmaxf(worst, difference);
        else border = fmaxf(border, difference);
    }
    assert_true(worst < 1e-5f);
    assert_true(border > 1e-3f);
    free(x), free(a), free(b), free(classes);
    limn_segmentation_free(small);
    limn_segmentation_free(large);
}

/* p(x turned) = p(x) turned, which a network of random weights does not know by itself.  view: as in segmenter.c, here over
 * the whole picture */
static float worst_of_turns(limn_ctx *ctx, const char *settings, int w, int h, int views, int seen)
{
    enum { K = 3 };
    int n = w * h;
    limn_segmentation *s = opened_with(ctx, settings, NULL, (limn_segmentation_options){.views = seen});
    float *x = noise((size_t)n), *y = malloc((size_t)n * sizeof *y), *a = malloc((size_t)n * K * sizeof *a),
          *b = malloc((size_t)n * K * sizeof *b), worst = 0;
    uint8_t *classes = malloc((size_t)n);
    assert_int_equal(limn_segment_values(s, w, h, 1, x, classes, a), LIMN_OK);
    for (int view = 1; view < views; view++) {
        int *from = malloc((size_t)n * sizeof *from);
        for (int i = 0; i < n; i++) {
            int u = view & 4 ? i / w : i % w, v = view & 4 ? i % w : i / w;
            from[i] = (view & 2 ? h - 1 - v : v) * w + (view & 1 ? w - 1 - u : u);
            y[i] = x[from[i]];
        }
        assert_int_equal(limn_segment_values(s, w, h, 1, y, classes, b), LIMN_OK);
        for (int i = 0; i < n * K; i++) worst = fmaxf(worst, fabsf(b[i] - a[from[i / K] * K + i % K]));
        free(from);
    }
    free(x), free(y), free(a), free(b), free(classes);
    limn_segmentation_free(s);
    return worst;
}

static void averaged_views_know_no_direction(void **state)
{
    const char *square = "unet size=32 channels=1 classes=3 width=4 levels=3",
               *wide = "unet size=32 height=16 channels=1 classes=3 width=4 levels=3";
    assert_true(worst_of_turns(*state, square, 32, 32, 8, 8) < 1e-5f);
    assert_true(worst_of_turns(*state, square, 32, 32, 8, 1) > 1e-3f);
    assert_true(worst_of_turns(*state, square, 56, 56, 8, 8) < 1e-5f); /* tiles at 0 and 24 */
    assert_true(worst_of_turns(*state, wide, 32, 16, 4, 8) < 1e-5f);
    assert_true(worst_of_turns(*state, wide, 32, 16, 4, 1) > 1e-3f);
    assert_true(worst_of_turns(*state, square, 32, 32, 2, 2) < 1e-5f);
    assert_true(worst_of_turns(*state, square, 32, 32, 4, 2) > 1e-3f);
    assert_true(worst_of_turns(*state, square, 32, 32, 4, 4) < 1e-5f);
    assert_true(worst_of_turns(*state, square, 32, 32, 8, 4) > 1e-3f);
    assert_true(worst_of_turns(*state, "unet size=44 channels=1 classes=3 width=4 levels=3 padding=valid", 4, 4, 8, 8) <
                1e-5f);
}

static void every_size_from_one_pixel_on_has_probabilities(void **state)
{
    static const int sizes[][2] = {{1, 1}, {1, 5}, {7, 3}, {16, 16}, {17, 33}, {65, 2}};
    limn_segmentation *s = opened(*state, "unet size=16 channels=1 classes=3 width=4 levels=3", NULL, 0, 0);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int w = sizes[i][0], h = sizes[i][1], n = w * h;
        float *x = noise((size_t)n), *p = malloc((size_t)n * 3 * sizeof *p);
        uint8_t *classes = malloc((size_t)n);
        assert_int_equal(limn_segment_values(s, w, h, 1, x, classes, p), LIMN_OK);
        for (int j = 0; j < n; j++) {
            const float *q = p + 3 * j;
            assert_true(fabsf(q[0] + q[1] + q[2] - 1) < 1e-5f);
            for (int k = 0; k < 3; k++) assert_true(q[classes[j]] >= q[k]);
        }
        free(x);
        free(p);
        free(classes);
    }
    limn_segmentation_free(s);
}

static void colour_transparency_and_gray_become_what_the_network_reads(void **state)
{
    limn_segmentation *s = opened(*state, GRAY, NULL, 0, 0);
    float *gray = noise(64), rgba[64 * 4], a[64 * 3], b[64 * 3];
    uint8_t classes[64];
    for (int i = 0; i < 64; i++) {
        float alpha = 0.5f + 0.5f * gray[i]; /* over white: alpha v + 1 - alpha = gray */
        for (int c = 0; c < 3; c++) rgba[4 * i + c] = (gray[i] + alpha - 1) / alpha;
        rgba[4 * i + 3] = alpha;
    }
    assert_int_equal(limn_segment_values(s, 8, 8, 1, gray, classes, a), LIMN_OK);
    assert_int_equal(limn_segment_values(s, 8, 8, 4, rgba, classes, b), LIMN_OK);
    for (int i = 0; i < 64 * 3; i++) assert_true(fabsf(a[i] - b[i]) < 1e-5f);
    limn_segmentation_free(s);
    s = opened(*state, "unet size=16 channels=5 classes=2 width=4 levels=2", NULL, 0, 0);
    assert_int_equal(limn_segment_values(s, 8, 8, 4, rgba, classes, NULL), LIMN_BAD_ARGUMENT);
    assert_non_null(strstr(limn_error_text(*state), "5 channels, found 4"));
    limn_segmentation_free(s);
    free(gray);
}

static void a_picture_is_its_values(void **state)
{
    limn_segmentation *s = opened(*state, "unet size=16 channels=3 classes=1 width=4 levels=2", "no\nyes\n", 0, 0);
    limn_segmentation_info info = limn_segmentation_describe(s);
    uint8_t pixels[9 * 3], classes[9];
    float values[27], a[18], b[18];
    limn_image mask;
    for (int i = 0; i < 27; i++) pixels[i] = (uint8_t)(i * 37), values[i] = (float)pixels[i] / 255;
    assert_int_equal(info.classes, 2); /* one logit is two classes */
    assert_string_equal(info.class_name[1], "yes");
    assert_int_equal(limn_segment(s, &(limn_image){3, 3, 3, pixels}, &mask, a), LIMN_OK);
    assert_int_equal(limn_segment_values(s, 3, 3, 3, values, classes, b), LIMN_OK);
    assert_memory_equal(mask.pixels, classes, 9);
    assert_memory_equal(a, b, sizeof a);
    limn_image_free(&mask);
    for (int channels = 0; channels < 6; channels += 5) {
        assert_int_equal(limn_segment(s, &(limn_image){3, 1, channels, pixels}, &mask, NULL), LIMN_BAD_ARGUMENT);
        assert_null(mask.pixels);
    }
    limn_segmentation_free(s);
}

static void refused(limn_ctx *ctx, const char *settings, const char *classes, int tile, limn_status expected,
                    const char *words)
{
    limn_segmentation *s = (void *)1;
    assert_true(make_network(ctx, path, settings, classes));
    assert_int_equal(limn_segmentation_open(ctx, path, &(limn_segmentation_options){.tile = tile}, &s), expected);
    assert_null(s);
    if (!strstr(limn_error_text(ctx), words)) fail_msg("expected \"%s\" in: %s", words, limn_error_text(ctx));
    unlink(path);
}

static void other_networks_names_and_tiles_are_refused(void **state)
{
    limn_segmentation *s;
    refused(*state, "tae size=16 width=8 levels=2", NULL, 0, LIMN_UNSUPPORTED,
            "expected a network that tells classes of pixels apart");
    refused(*state, GRAY, "cell\nmembrane\n", 0, LIMN_BAD_FILE, "names 2 classes, the network tells 3 apart");
    refused(*state, GRAY, "a\nb\nc\nd\n", 0, LIMN_BAD_FILE, "names 4 classes");
    refused(*state, GRAY, NULL, 33, LIMN_BAD_ARGUMENT, "a tile of 33 pixels");
    assert_int_equal(limn_segmentation_open(*state, "no-such-model", NULL, &s), LIMN_NOT_FOUND);
    assert_true(make_network(*state, path, GRAY, NULL));
    for (int overlap = -1; overlap <= 64; overlap += 65) {
        assert_int_equal(limn_segmentation_open(*state, path, &(limn_segmentation_options){.overlap = overlap}, &s),
                         LIMN_BAD_ARGUMENT);
        assert_null(s);
        assert_non_null(strstr(limn_error_text(*state), "of a tile's 64 pixels"));
    }
    unlink(path);
}

/* ---- values of masks -------------------------------------------------------------------------------------------------- */

static void apply(limn_ctx *ctx, const char *text, int k, const char *mask, const char *expected)
{
    limn_class_values *values;
    uint16_t map[8];
    uint8_t classes[8];
    size_t n = strlen(mask);
    for (size_t i = 0; i < n; i++) map[i] = mask[i] == 'w' ? 255 : mask[i] == 'W' ? 65535 : (uint16_t)(mask[i] - '0');
    assert_int_equal(limn_class_values_new(ctx, text, k, true, &values), LIMN_OK);
    assert_int_equal(limn_class_values_apply(ctx, "m", values, k, 4, n, map, classes), LIMN_OK);
    for (size_t i = 0; i < n; i++) assert_int_equal(classes[i], expected[i] == 'i' ? LIMN_IGNORED : expected[i] - '0');
    free(values);
}

static void values_of_masks_become_classes(void **state)
{
    limn_class_values *values;
    uint16_t map[] = {0, 0, 0, 0, 0, 3};
    uint8_t classes[6];
    apply(*state, NULL, 2, "0w0w", "0101");
    apply(*state, NULL, 2, "0W0W", "0101");
    apply(*state, NULL, 2, "01w0", "01i0");
    apply(*state, NULL, 3, "02w1", "02i1");
    apply(*state, "5,7;0", 2, "0570", "i01i");
    assert_int_equal(limn_class_values_new(*state, NULL, 2, true, &values), LIMN_OK);
    assert_int_equal(values->value_of[1], 255);
    assert_int_equal(limn_class_values_apply(*state, "m", values, 2, 4, 6, map, classes), LIMN_BAD_FILE);
    assert_non_null(strstr(limn_error_text(*state), "m: the value 3 at column 1, row 1"));
    free(values);
    assert_int_equal(limn_class_values_new(*state, NULL, 2, false, &values), LIMN_OK);
    assert_int_equal(values->value_of[1], 1);
    free(values);
    assert_int_equal(limn_class_values_new(*state, "0,1,2", 2, true, &values), LIMN_BAD_ARGUMENT);
}

/* ---- rasters ---------------------------------------------------------------------------------------------------------- */

static limn_raster raster_of(limn_ctx *ctx, int n, int channels, float limit, const float *values)
{
    limn_raster r = {0};
    assert_int_equal(limn_raster_new(ctx, "r", n, 1, 1, channels, 0, &r), LIMN_OK);
    memcpy(r.values, values, (size_t)(n * channels) * sizeof *values);
    r.limit = limit;
    return r;
}

static void ranges_become_0_to_1(void **state)
{
    static const float bytes[] = {0, 51, 255, 255}, wide[] = {100, 300, 200, NAN}, gray_alpha[] = {0, 65535, 10, 0};
    limn_range range = {0};
    limn_raster r = raster_of(*state, 4, 1, 255, bytes);
    assert_int_equal(limn_raster_scale(*state, "r", &r, &range), LIMN_OK);
    assert_true(r.values[1] == 0.2f && r.values[2] == 1);
    limn_raster_free(&r);
    r = raster_of(*state, 4, 1, 0, wide), range = (limn_range){LIMN_RANGE_MINMAX, 0, 0};
    assert_int_equal(limn_raster_scale(*state, "r", &r, &range), LIMN_OK);
    assert_true(range.low == 100 && range.high == 300 && r.values[2] == 0.5f && r.values[3] == 0);
    limn_raster_free(&r);
    static const float none[] = {NAN, INFINITY, -INFINITY, NAN};
    r = raster_of(*state, 4, 1, 0, none), range = (limn_range){0};
    assert_int_equal(limn_raster_scale(*state, "r", &r, &range), LIMN_OK);
    assert_true(range.low == 0 && range.high == 0 && r.values[1] == 0);
    limn_raster_free(&r);
    r = raster_of(*state, 4, 1, 255, bytes), range = (limn_range){LIMN_RANGE_GIVEN, 51, 102};
    assert_int_equal(limn_raster_scale(*state, "r", &r, &range), LIMN_OK);
    assert_true(r.values[0] == 0 && r.values[1] == 0 && r.values[2] == 1);
    limn_raster_free(&r);
    r = raster_of(*state, 2, 2, 65535, gray_alpha), range = (limn_range){LIMN_RANGE_MINMAX, 0, 0};
    assert_int_equal(limn_raster_scale(*state, "r", &r, &range), LIMN_OK);
    assert_true(r.values[0] == 0 && r.values[1] == 1 && r.values[2] == 1 && r.values[3] == 0);
    limn_raster_free(&r);
}

static void percentiles_leave_outliers_out(void **state)
{
    limn_raster r = {0};
    limn_range range = {0};
    assert_int_equal(limn_raster_new(*state, "r", 1001, 1, 1, 1, 0, &r), LIMN_OK);
    for (int i = 0; i <= 1000; i++) r.values[i] = (float)i;
    r.values[1000] = 1e30f;
    assert_int_equal(limn_raster_scale(*state, "r", &r, &range), LIMN_OK);
    assert_true(range.low == 5 && range.high == 995 && r.values[1000] == 1 && fabsf(r.values[500] - 0.5f) < 1e-6f);
    limn_raster_free(&r);
}

static void has_percentiles(limn_ctx *ctx, limn_raster *r, double low, double high)
{
    limn_range range = {0};
    assert_int_equal(limn_raster_scale(ctx, "r", r, &range), LIMN_OK);
    if (range.low != low || range.high != high)
        fail_msg("%.9g to %.9g, expected %.9g to %.9g", range.low, range.high, low, high);
    assert_int_equal(range.kind, LIMN_RANGE_PERCENTILES);
    limn_raster_free(r);
}

/* Right values: numpy.percentile(a, [0.5, 99.5], method="nearest"). */
static void percentiles_count_every_value(void **state)
{
    enum { SIDE = 1024 };
    limn_raster r = {0};
    assert_int_equal(limn_raster_new(*state, "r", SIDE, SIDE, 1, 3, 0, &r), LIMN_OK);
    for (int i = 0; i < SIDE * SIDE; i++) { /* a ball; every 3rd value, as every n/2^20-th is, would be red: 300 to 700 */
        int x = i % SIDE - SIDE / 2, y = i / SIDE - SIDE / 2;
        bool ball = x * x + y * y < SIDE * SIDE / 25;
        float *p = r.values + 3 * i;
        p[0] = x < 0 ? 300 : 700, p[1] = ball ? 29000 : 9000, p[2] = ball ? 60000 : 5000;
    }
    r.limit = 65535;
    has_percentiles(*state, &r, 300, 60000);
    static const int rows[][3] = {{101, 0, 100}, {301, 2, 298}, {303, 2, 300}}; /* 0.5 and 1.5 go to the even one */
    for (int k = 0; k < 3; k++) {
        assert_int_equal(limn_raster_new(*state, "r", rows[k][0], 1, 1, 1, 0, &r), LIMN_OK);
        for (int i = 0; i < rows[k][0]; i++) r.values[i] = (float)i;
        has_percentiles(*state, &r, rows[k][1], rows[k][2]);
    }
    assert_int_equal(limn_raster_new(*state, "r", 2000, 1, 1, 1, 0, &r), LIMN_OK); /* shuffled, also below 0 */
    for (int i = 0; i < 2000; i++) r.values[i] = (float)(i * 7919 % 2000 - 1000) * 0.37f;
    has_percentiles(*state, &r, (double)(-990 * 0.37f), (double)(989 * 0.37f));
}

static void bytes_are_bytes_in_any_type_to_a_network_that_learned_them(void **state)
{
    static const float words[] = {2, 10, 30, 33}, more[] = {2, 10, 30, 256}, parts[] = {2, 10, 30.5f, 33};
    const struct { const float *values; float limit; limn_range_kind wanted, taken; double low, high;
    } rows[] = {
        {words, 0, LIMN_RANGE_BYTES, LIMN_RANGE_BYTES, 0, 255},
        {words, 65535, LIMN_RANGE_BYTES, LIMN_RANGE_BYTES, 0, 255},
        {words, 0, LIMN_RANGE_AUTO, LIMN_RANGE_PERCENTILES, 2, 33},
        {words, 255, LIMN_RANGE_AUTO, LIMN_RANGE_BYTES, 0, 255},
        {words, 255, LIMN_RANGE_PERCENTILES, LIMN_RANGE_PERCENTILES, 2, 33},
        {words, 0, LIMN_RANGE_PERCENTILES, LIMN_RANGE_PERCENTILES, 2, 33},
        {more, 0, LIMN_RANGE_BYTES, LIMN_RANGE_PERCENTILES, 2, 256},
        {parts, 0, LIMN_RANGE_BYTES, LIMN_RANGE_PERCENTILES, 2, 33},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        limn_raster r = raster_of(*state, 4, 1, rows[i].limit, rows[i].values);
        limn_range range = {.kind = rows[i].wanted};
        assert_int_equal(limn_raster_scale(*state, "r", &r, &range), LIMN_OK);
        if (range.kind != rows[i].taken || range.low != rows[i].low || range.high != rows[i].high)
            fail_msg("row %zu: rule %d, %g to %g", i, (int)range.kind, range.low, range.high);
        limn_raster_free(&r);
    }
}

static char heard[512];

static void hear(void *user, limn_log_level level, const char *text)
{
    (void)user, (void)level;
    snprintf(heard, sizeof heard, "%s", text);
}

static void a_range_beside_all_values_is_told(void **state)
{
    static const float values[] = {300, 400, 60000, NAN}, same[] = {7, 7, 7, 7};
    const struct { const float *values; double low, high; limn_status status; const char *sentence;
    } rows[] = {
        {values, 0, 299, LIMN_BAD_ARGUMENT, "r: all 3 values lie above the range 0 to 299, they are 300 to 60000"},
        {values, 60000.5, 60001, LIMN_BAD_ARGUMENT,
         "r: all 3 values lie below the range 60000.5 to 60001, they are 300 to 60000"},
        {values, 500, 1000, LIMN_OK, "no value lies within the range 500 to 1000: 2 are below, 1 above (300 to 60000)"},
        {same, 0, 1, LIMN_OK, "no value lies within the range 0 to 1: 0 are below, 4 above (7 to 7)"},
        {values, 300, 400, LIMN_OK, ""},
    };
    limn_ctx_set_log(*state, hear, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        limn_raster r = raster_of(*state, rows[i].values == same ? 4 : 3, 1, 0, rows[i].values);
        limn_range range = {LIMN_RANGE_GIVEN, rows[i].low, rows[i].high};
        heard[0] = '\0';
        assert_int_equal(limn_raster_scale(*state, "r", &r, &range), rows[i].status);
        const char *text = rows[i].status == LIMN_OK ? heard : limn_error_text(*state);
        if (!strstr(text, rows[i].sentence) || (!*rows[i].sentence && *text))
            fail_msg("expected \"%s\", found \"%s\"", rows[i].sentence, text);
        if (!*rows[i].sentence) assert_true(r.below == 0 && r.above == 1);
        limn_raster_free(&r);
    }
    limn_ctx_set_log(*state, NULL, NULL);
}

static void ranges_are_words_or_two_numbers(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "5", "5,5", "6,5", "1,", "1,nan", "0,inf", "auto ", "minmax,1", "0,1x", "bytes"};
    limn_range range;
    char text[64];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) assert_false(limn_range_parse(wrong[i], &range));
    assert_true(limn_range_parse("-1000,400.1", &range) && range.kind == LIMN_RANGE_GIVEN && range.low == -1000 &&
                range.high == 400.1);
    assert_true(limn_range_parse(limn_range_text(&range, text), &range) && range.high == 400.1);
    assert_true(limn_range_parse("minmax", &range) && strcmp(limn_range_text(&range, text), "minmax") == 0);
    assert_true(limn_range_parse("percentiles", &range) && strcmp(limn_range_text(&range, text), "percentiles") == 0);
    assert_true(limn_range_parse("auto", &range) && strcmp(limn_range_text(&range, text), "auto") == 0);
}

static void masks_are_whole_numbers(void **state)
{
    static const float good[] = {0, 255, 65535, 7}, half[] = {0, 0.5f, 0, 0};
    limn_raster r = raster_of(*state, 4, 1, 0, good);
    limn_near_labels near;
    uint16_t *mask;
    assert_int_equal(limn_raster_labels(*state, "r", &r, &mask, &near), LIMN_OK);
    assert_int_equal(mask[1], 255), assert_int_equal(mask[2], 65535);
    free(mask);
    limn_raster_free(&r);
    r = raster_of(*state, 4, 1, 0, half);
    assert_int_equal(limn_raster_labels(*state, "r", &r, &mask, &near), LIMN_BAD_FILE);
    assert_non_null(strstr(limn_error_text(*state), "0.5 at column 1, row 0"));
    limn_raster_free(&r);
    static const float nearly[] = {1.00000012f, -5e-5f, 2.9999f, 65535}, off[] = {0, 1.0002f, 0, 0};
    r = raster_of(*state, 4, 1, 0, nearly);
    assert_int_equal(limn_raster_labels(*state, "r", &r, &mask, &near), LIMN_OK);
    assert_true(mask[0] == 1 && mask[1] == 0 && mask[2] == 3 && mask[3] == 65535 && near.n == 3 &&
                near.first == 1.00000012f);
    free(mask);
    limn_raster_free(&r);
    r = raster_of(*state, 4, 1, 0, off);
    assert_int_equal(limn_raster_labels(*state, "r", &r, &mask, &near), LIMN_BAD_FILE);
    assert_non_null(strstr(limn_error_text(*state), "found 1.00020003 at column 1, row 0"));
    limn_raster_free(&r);
}

static int begin(void **state)
{
    *state = limn_ctx_new();
    return *state ? 0 : -1;
}

static int end(void **state)
{
    limn_ctx_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiles_are_one_large_tile_away_from_their_borders),
        cmocka_unit_test(tiles_begin_where_the_poolings_do),
        cmocka_unit_test(averaged_views_know_no_direction),
        cmocka_unit_test(every_size_from_one_pixel_on_has_probabilities),
        cmocka_unit_test(colour_transparency_and_gray_become_what_the_network_reads),
        cmocka_unit_test(a_picture_is_its_values),
        cmocka_unit_test(other_networks_names_and_tiles_are_refused),
        cmocka_unit_test(values_of_masks_become_classes),
        cmocka_unit_test(ranges_become_0_to_1),
        cmocka_unit_test(percentiles_leave_outliers_out),
        cmocka_unit_test(percentiles_count_every_value),
        cmocka_unit_test(bytes_are_bytes_in_any_type_to_a_network_that_learned_them),
        cmocka_unit_test(a_range_beside_all_values_is_told),
        cmocka_unit_test(ranges_are_words_or_two_numbers),
        cmocka_unit_test(masks_are_whole_numbers),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
