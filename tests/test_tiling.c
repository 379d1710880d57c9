/* test_tiling.c: an autoencoder in tiles: near what it makes of the whole, without a step where tiles meet, in less memory;
 * a decoder in strips of rows, where there is no memory for the whole: the same picture; what of both is refused. */
#include "base/number.h"
#include "base/rng.h"
#include "denoise/picture.h"
#include "graph/node.h"
#include "make_network.h"
#include "net/tiles.h"
#include "pipeline/autoencoder.h"
#include "pipeline/pipeline.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define VAE "vae size=64 channels=3 latent=4 base=16 levels=3 layers=1 groups=4"
#define LATENTS "dit size=8 channels=4 patch=2 width=16 depth=1 heads=2 mlp=16"
enum { H = 96, W = 128, FACTOR = 4 };

#define OK(call)                                                              \
    do {                                                                      \
        if ((call) != LIMN_OK) fail_msg("%s: %s", #call, limn_error_text(ctx)); \
    } while (0)

static void says(limn_ctx *ctx, limn_status found, limn_status expected, const char *words)
{
    if (found != expected || !strstr(limn_error_text(ctx), words))
        fail_msg("status %d, and \"%s\" does not say \"%s\"", (int)found, limn_error_text(ctx), words);
}

static char heard[2048];

static void hear(void *user, limn_log_level level, const char *text)
{
    (void)user;
    size_t n = strlen(heard);
    if (level == LIMN_LOG_INFO) snprintf(heard + n, sizeof heard - n, "%s\n", text);
}

/* Larger than a network begins with, so that attention and the last layer matter. */
static void fill(const limn_node *parameter, float *values)
{
    size_t n = (size_t)limn_node_count(parameter);
    if (limn_node_shape(parameter).rank == 1 || strcmp(limn_node_name(parameter), "pos_embed") == 0) return;
    for (size_t i = 0; i < n; i++) values[i] *= 1.25f;
}

static void write_net(limn_ctx *ctx, const char *folder, const char *net, bool latents)
{
    if (!make_network_in(ctx, folder, net, fill, latents)) fail_msg("%s", limn_error_text(ctx));
}

/* Noise, and waves that a tile holds several of: as the numbers of a picture are alike all over it. */
static void make_values(size_t height, size_t width, size_t channels, float *out)
{
    limn_random_normal(5, LIMN_STREAM_TEST, 0, 0, height * width * channels, out);
    for (size_t i = 0; i < height * width * channels; i++) {
        double c = (double)(i % channels), x = (double)(i / channels % width), y = (double)(i / channels / width);
        out[i] = (float)(0.3 * out[i] + 0.5 * sin(0.8 * x + c) + 0.4 * cos(0.7 * y - 0.5 * x + 2 * c));
    }
}

/* 10 log10(range^2 / mean squared difference) */
static double decibels(size_t n, const float *a, const float *b)
{
    double sum = 0, low = a[0], high = a[0];
    for (size_t i = 0; i < n; i++) {
        sum += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        low = fmin(low, a[i]), high = fmax(high, a[i]);
    }
    return 10 * log10((high - low) * (high - low) * (double)n / sum);
}

/* How much the difference of both jumps from one column (row) to the next, in the mean: the largest of all columns, as a
 * part of the range. */
static double largest_step(int height, int width, int channels, const float *a, const float *b, bool rows)
{
    int n = rows ? height : width, m = rows ? width : height;
    double worst = 0, low = a[0], high = a[0];
    for (int i = 0; i < height * width * channels; i++) low = fmin(low, a[i]), high = fmax(high, a[i]);
    for (int i = 1; i < n; i++) {
        double sum = 0;
        for (int k = 0; k < m; k++)
            for (int c = 0; c < channels; c++) {
                int at = ((rows ? i : k) * width + (rows ? k : i)) * channels + c,
                    before = at - (rows ? width : 1) * channels;
                sum += ((double)b[at] - a[at]) - ((double)b[before] - a[before]);
            }
        worst = fmax(worst, fabs(sum) / m / channels);
    }
    return worst / (high - low);
}

static void tiles_are_near_the_whole_and_leave_no_step(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_autoencoder *a;
    enum { N = H * W * 4, PIXELS = H * W * FACTOR * FACTOR * 3 };
    float *latent = malloc(N * sizeof *latent), *whole = malloc(PIXELS * sizeof *whole),
          *tiled = malloc(PIXELS * sizeof *tiled), *back = malloc(N * sizeof *back);
    assert_true(latent && whole && tiled && back);
    write_net(ctx, "tiling-vae", VAE, false);
    OK(limn_autoencoder_open(ctx, "tiling-vae", &a));
    make_values(H, W, 4, latent);
    OK(limn_decode_values(a, 1, H * FACTOR, W * FACTOR, latent, LIMN_PRECISION_F32, whole));
    limn_net_size size[2];
    limn_net_shape shape = {.batch = 1, .part = LIMN_PART_DECODER, .height = H * FACTOR, .width = W * FACTOR,
                            .precision = LIMN_PRECISION_F32};
    OK(limn_net_measure(ctx, a->decoder.net, &shape, &size[0]));
    limn_ctx_set_log(ctx, hear, NULL);
    static const struct { limn_tiling tiling; const char *words; double near, step; } rows[] = {
        {{.on = true, .overlap = 0.5}, "decoding 512 x 384 in 6 tiles of 256 x 256: ", 45, 0.002},
        {{.on = true, .width = 32, .height = 48, .overlap = 0.5}, " in 21 tiles of 128 x 192: ", 40, 0.004},
        {{.on = true, .width = 1000, .height = 1000}, "decoding 512 x 384: ", 100, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        heard[0] = '\0';
        OK(limn_autoencoder_set_tiling(a, &rows[i].tiling));
        OK(limn_decode_values(a, 1, H * FACTOR, W * FACTOR, latent, LIMN_PRECISION_F32, tiled));
        double near = decibels(PIXELS, whole, tiled), step[2];
        for (int k = 0; k < 2; k++) step[k] = largest_step(H * FACTOR, W * FACTOR, 3, whole, tiled, k);
        if (!strstr(heard, rows[i].words)) fail_msg("\"%s\" does not say \"%s\"", heard, rows[i].words);
        if (!(near >= rows[i].near && step[0] <= rows[i].step && step[1] <= rows[i].step))
            fail_msg("%s%.1f dB, steps of %.5f and %.5f", heard, near, step[0], step[1]);
    }
    /* without an overlap there are steps, which this would see */
    OK(limn_autoencoder_set_tiling(a, &(limn_tiling){.on = true}));
    OK(limn_decode_values(a, 1, H * FACTOR, W * FACTOR, latent, LIMN_PRECISION_F32, tiled));
    assert_true(largest_step(H * FACTOR, W * FACTOR, 3, whole, tiled, false) > 0.01);
    /* and back: the mean of the latent */
    OK(limn_autoencoder_set_tiling(a, &(limn_tiling){0}));
    OK(limn_encode_values(a, 1, H * FACTOR, W * FACTOR, whole, LIMN_PRECISION_F32, latent));
    OK(limn_autoencoder_set_tiling(a, &rows[0].tiling));
    OK(limn_encode_values(a, 1, H * FACTOR, W * FACTOR, whole, LIMN_PRECISION_F32, back));
    if (!(decibels(N, latent, back) >= 35)) fail_msg("encoder: %.1f dB", decibels(N, latent, back));
    limn_coder_sides tile = limn_tiling_tile(&rows[0].tiling, (limn_coder_sides){H * FACTOR, W * FACTOR}, FACTOR);
    shape.height = tile.height, shape.width = tile.width;
    OK(limn_net_measure(ctx, a->decoder.net, &shape, &size[1]));
    assert_true(2 * size[1].activations < size[0].activations);
    float *all[] = {latent, whole, tiled, back};
    for (int i = 0; i < 4; i++) free(all[i]);
    limn_autoencoder_free(a);
    limn_ctx_free(ctx);
}

/* ---- strips ----------------------------------------------------------------------------------------------------------- */

/* As colours, -1..1: what lies beyond is black or white. */
static double farthest(size_t n, const float *a, const float *b)
{
    double worst = 0;
    for (size_t i = 0; i < n; i++) worst = fmax(worst, fabs(fmax(-1, fmin(1, a[i])) - fmax(-1, fmin(1, b[i]))));
    for (size_t i = 0; i < n; i++)
        if (!isfinite(b[i])) worst = INFINITY;
    return worst;
}

/* One autoencoder, whole and in ever less memory: within 1e-4, in bf16 within what the whole is off for its rounding. */
static void check_strips(limn_ctx *ctx, const char *net, int height, int width, limn_precision precision)
{
    double most = 1e-4;
    static const double parts[] = {0.85, 0.6, 0.4, 0.3};
    limn_autoencoder *a;
    write_net(ctx, "tiling-strips", net, false);
    OK(limn_autoencoder_open(ctx, "tiling-strips", &a));
    size_t n = (size_t)height * (size_t)width, pixels = n * (size_t)(a->factor * a->factor) * 3;
    float *latent = malloc(n * 4 * sizeof *latent), *whole = malloc(pixels * sizeof *whole),
          *found = malloc(pixels * sizeof *found);
    assert_true(latent && whole && found);
    make_values((size_t)height, (size_t)width, 4, latent);
    OK(limn_decode_values(a, 1, height * a->factor, width * a->factor, latent, precision, whole));
    limn_net_shape shape = {.batch = 1, .part = LIMN_PART_DECODER, .height = height * a->factor, .width = width * a->factor,
                            .precision = precision};
    limn_net_size size;
    if (precision == LIMN_PRECISION_BF16) {
        limn_autoencoder *wide;
        OK(limn_autoencoder_open(ctx, "tiling-strips", &wide));
        OK(limn_decode_values(wide, 1, shape.height, shape.width, latent, LIMN_PRECISION_F32, found));
        most = farthest(pixels, whole, found);
        limn_autoencoder_free(wide);
    }
    OK(limn_net_measure(ctx, a->decoder.net, &shape, &size));
    int most_segments = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        limn_strips strips;
        size_t limit = (size_t)(parts[i] * (double)size.activations);
        limn_status status = limn_strips_decide(ctx, a->decoder.net, &shape, limit, &strips);
        if (i > 1 && status == LIMN_NO_MEMORY) break; /* small networks do not take much less */
        OK(status);
        assert_true(strips.n > 0 && strips.bytes <= limit);
        for (size_t k = 0; k < pixels; k++) found[k] = NAN;
        OK(limn_strips_run(ctx, a->decoder.net, &shape, &strips, latent, found));
        double off = farthest(pixels, whole, found);
        if (!(off <= most))
            fail_msg("%s, %d x %d: %g apart in %d segments, %zu of %zu bytes", net, width, height, off, strips.n,
                     strips.bytes, size.activations);
        most_segments = strips.n > most_segments ? strips.n : most_segments;
    }
    assert_true(most_segments > 2);
    limn_strips none;
    says(ctx, limn_strips_decide(ctx, a->decoder.net, &shape, size.activations / 50, &none), LIMN_NO_MEMORY, "strips");
    free(latent);
    free(whole);
    free(found);
    limn_autoencoder_free(a);
}

/* Every norm has the moments of the whole picture: a strip alone would be off as a tile is, by a tenth and more. */
static void strips_are_the_whole(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    check_strips(ctx, VAE, 64, 40, LIMN_PRECISION_F32);
    check_strips(ctx, VAE, 37, 21, LIMN_PRECISION_F32);
    check_strips(ctx, VAE " patch=2 attention=0 quant=0", 32, 24, LIMN_PRECISION_F32);
    check_strips(ctx, VAE, 64, 40, LIMN_PRECISION_BF16);
    limn_ctx_free(ctx);
}

static int farthest_byte(const limn_image *a, const limn_image *b)
{
    int worst = 0;
    assert_true(a->width == b->width && a->height == b->height && a->channels == b->channels);
    for (int i = 0; i < a->width * a->height * a->channels; i++) {
        int off = abs(a->pixels[i] - b->pixels[i]);
        worst = off > worst ? off : worst;
    }
    return worst;
}

/* Where a limit, or the machine, leaves no room for the whole: told before the first step, and the same picture. */
static void what_does_not_fit_is_decoded_in_strips(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p;
    limn_image whole, strips, alone, none;
    limn_latent latent;
    limn_autoencoder *a;
    limn_generate_options o = limn_generate_defaults();
    write_net(ctx, "tiling-model", LATENTS, true);
    write_net(ctx, "tiling-model/vae", VAE, false);
    OK(limn_pipeline_open(ctx, "tiling-model", &p));
    o.width = 160, o.height = 224, o.steps = 2, o.guidance = 1, o.precision = LIMN_PRECISION_F32;
    limn_ctx_set_log(ctx, hear, NULL);
    heard[0] = '\0';
    OK(limn_generate(p, &o, &whole));
    OK(limn_generate_latents(p, &o, &latent));
    assert_null(strstr(heard, "strips"));
    const char *pictures = strstr(heard, " pictures ");
    assert_non_null(pictures);
    size_t takes = (size_t)(1e6 * limn_number_parse(strstr(pictures, "MB: ") + 4, NULL));
    heard[0] = '\0';
    limn_ctx_set_memory(ctx, takes / 4 * 3);
    OK(limn_generate(p, &o, &strips));
    if (!strstr(heard, "MB in strips, ")) fail_msg("%s", heard);
    assert_in_range(farthest_byte(&whole, &strips), 0, 1);
    OK(limn_autoencoder_open(ctx, "tiling-model/vae", &a));
    OK(limn_decode(a, &latent, LIMN_PRECISION_F32, &alone));
    const char *said = strstr(heard, "decoding 160 x 224 in strips: ");
    if (!said || strstr(said + 1, "decoding")) fail_msg("%s", heard);
    assert_in_range(farthest_byte(&whole, &alone), 0, 1);
    limn_image_free(&alone);
    limn_ctx_set_memory(ctx, 0);
    OK(limn_decode(a, &latent, LIMN_PRECISION_F32, &alone)); /* and whole again */
    assert_memory_equal(alone.pixels, whole.pixels, 160 * 224 * 3);
    limn_ctx_set_memory(ctx, takes / 50);
    says(ctx, limn_generate(p, &o, &none), LIMN_NO_MEMORY, ", and the limit is ");
    limn_autoencoder_free(a);
    OK(limn_autoencoder_open(ctx, "tiling-model/vae", &a));
    says(ctx, limn_decode(a, &latent, LIMN_PRECISION_F32, &none), LIMN_NO_MEMORY, "MB for activations, the limit is");
    limn_image *images[] = {&whole, &strips, &alone};
    for (int i = 0; i < 3; i++) limn_image_free(images[i]);
    limn_latent_free(&latent);
    limn_autoencoder_free(a);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* The way of a pipeline: to a picture, and from one. */
static void a_pipeline_decodes_and_encodes_in_tiles(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p;
    limn_image whole, tiled, from[2];
    limn_latent latent;
    limn_autoencoder *a;
    limn_generate_options o = limn_generate_defaults();
    write_net(ctx, "tiling-model", LATENTS, true);
    write_net(ctx, "tiling-model/vae", VAE, false);
    OK(limn_pipeline_open(ctx, "tiling-model", &p));
    o.width = 160, o.height = 96, o.steps = 2, o.guidance = 1, o.precision = LIMN_PRECISION_F32;
    OK(limn_generate(p, &o, &whole));
    OK(limn_generate_latents(p, &o, &latent));
    o.tiling.on = true, o.tiling.width = 16, o.tiling.height = 12;
    limn_ctx_set_log(ctx, hear, NULL);
    heard[0] = '\0';
    OK(limn_generate(p, &o, &tiled));
    if (!strstr(heard, "in 12 tiles of 64 x 48, ")) fail_msg("%s", heard);
    OK(limn_autoencoder_open(ctx, "tiling-model/vae", &a));
    OK(limn_autoencoder_set_tiling(a, &o.tiling));
    limn_image alone;
    OK(limn_decode(a, &latent, LIMN_PRECISION_F32, &alone));
    assert_memory_equal(alone.pixels, tiled.pixels, 160 * 96 * 3);
    assert_memory_not_equal(whole.pixels, tiled.pixels, 160 * 96 * 3);
    limn_latent start;
    OK(limn_encode(a, &whole, LIMN_PRECISION_F32, &start));
    o.steps = 4, o.strength = 0.5;
    o.init = &whole;
    OK(limn_generate(p, &o, &from[0]));
    o.init = NULL, o.init_latent = &start;
    OK(limn_generate(p, &o, &from[1]));
    assert_memory_equal(from[0].pixels, from[1].pixels, 160 * 96 * 3);
    limn_image *images[] = {&whole, &tiled, &alone, &from[0], &from[1]};
    for (int i = 0; i < 5; i++) limn_image_free(images[i]);
    limn_latent_free(&latent);
    limn_latent_free(&start);
    limn_autoencoder_free(a);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

static void what_is_no_tiling_is_a_sentence(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p;
    limn_image image;
    limn_generate_options o = limn_generate_defaults();
    write_net(ctx, "tiling-model", LATENTS, true);
    write_net(ctx, "tiling-model/vae", VAE, false);
    OK(limn_pipeline_open(ctx, "tiling-model", &p));
    o.tiling = (limn_tiling){.on = true, .width = 3};
    says(ctx, limn_generate(p, &o, &image), LIMN_BAD_ARGUMENT, "tiles of 4 to 2048 pixels of the latent, found 3");
    o.tiling = (limn_tiling){.on = true, .overlap = 0.75};
    says(ctx, limn_generate(p, &o, &image), LIMN_BAD_ARGUMENT, "share 0 to 0.5 of their sides, found 0.75");
    limn_pipeline_free(p);
    write_net(ctx, "tiling-pixels", "dit size=8 channels=3 patch=4 width=16 depth=1 heads=2 mlp=16", false);
    OK(limn_pipeline_open(ctx, "tiling-pixels", &p));
    o.tiling = (limn_tiling){.on = true, .overlap = 0.5};
    says(ctx, limn_generate(p, &o, &image), LIMN_BAD_ARGUMENT, "makes pixels");
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

static int program(const char *words)
{
    char line[600];
    snprintf(line, sizeof line, LIMN_BINARY_DIR "/limn %s >tiling.out 2>tiling.err", words);
    return system(line) >> 8;
}

static void wrote(const char *words)
{
    char text[4096] = "";
    FILE *f = fopen("tiling.err", "r");
    if (f) fread(text, 1, sizeof text - 1, f), fclose(f);
    if (!strstr(text, words)) fail_msg("\"%s\" does not say \"%s\"", text, words);
}

static void the_program_takes_the_flags(void **state)
{
    (void)state;
    if (access(LIMN_BINARY_DIR "/limn", X_OK)) skip();
    limn_ctx *ctx = limn_ctx_new();
    write_net(ctx, "tiling-model", LATENTS, true);
    write_net(ctx, "tiling-model/vae", VAE, false);
    assert_int_equal(program("generate -m tiling-model -W 160 -H 96 --steps 1 --vae-tiling --vae-tile-size 16x12 "
                             "--vae-tile-overlap 0.25 -o tiling.png"), 0);
    wrote("MB in 9 tiles of 64 x 48");
    assert_int_equal(program("encode -m tiling-model/vae tiling.png --vae-tiling --vae-tile-size 16 -o tiling.safetensors"),
                     0);
    wrote("encoding 160 x 96 in 8 tiles of 64 x 64");
    assert_int_equal(program("decode -m tiling-model/vae tiling.safetensors --vae-tiling --vae-tile-size 16 -o back.png"),
                     0);
    wrote("decoding 160 x 96 in 8 tiles of 64 x 64");
    assert_int_equal(program("decode -m tiling-model/vae tiling.safetensors --max-memory 6M --precision f32 -o back.png"),
                     0);
    wrote("decoding 160 x 96 in strips");
    static const struct { const char *flags, *words; } wrong[] = {
        {"--max-memory 2", "--max-memory expects megabytes or gigabytes, as in 1500M or 2G, found \"2\""},
        {"--max-memory G", "found \"G\""},
        {"--max-memory 1M", ", and the limit is 1.0 MB"},
        {"--vae-tile-size 16", "expect --vae-tiling too"},
        {"--vae-tiling --vae-tile-size 16x", "--vae-tile-size expects a whole number from 4 to 2048, found \"\""},
        {"--vae-tiling --vae-tile-size 2x16", "from 4 to 2048, found \"2\""},
        {"--vae-tiling --vae-tile-overlap 0.6", "--vae-tile-overlap expects a number from 0 to 0.5"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char line[300];
        snprintf(line, sizeof line, "generate -m tiling-model --steps 1 -o none.png %s", wrong[i].flags);
        assert_int_equal(program(line), 2);
        wrote(wrong[i].words);
    }
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiles_are_near_the_whole_and_leave_no_step),
        cmocka_unit_test(strips_are_the_whole),
        cmocka_unit_test(what_does_not_fit_is_decoded_in_strips),
        cmocka_unit_test(a_pipeline_decodes_and_encodes_in_tiles),
        cmocka_unit_test(what_is_no_tiling_is_a_sentence),
        cmocka_unit_test(the_program_takes_the_flags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
