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

typedef struct strip_case {
    const char *net;
    limn_model_part part;
    int height, width; /* of the latent */
    limn_precision precision;
    double most;       /* apart, of 2; in bf16 as much as the whole is off for its rounding; 1e-5: without norms, and the
                        * same bits where strips are high enough */
    bool one_segment;  /* may be enough down to the least memory */
} strip_case;

typedef struct strip_job {
    limn_autoencoder *a;
    limn_net *net;
    limn_net_shape shape;
    size_t n, spread_n;       /* floats that come out, of log variances */
    float *from, *whole, *found, *spread;
} strip_job;

static limn_status run_whole(limn_ctx *ctx, const strip_job *j, limn_precision precision, float *to, float *spread)
{
    limn_job job = {0};
    limn_net_shape shape = j->shape;
    limn_coder_sides latent = {shape.height / j->a->factor, shape.width / j->a->factor};
    shape.precision = precision;
    limn_status status = limn_job_begin(ctx, j->net, &shape, (size_t)1 << 62, &job);
    if (status == LIMN_OK) status = limn_job_code(ctx, &job, &j->a->tiling, latent, j->from, to, spread);
    limn_job_end(&job);
    return status;
}

static strip_job begin_strip_job(limn_ctx *ctx, const strip_case *c)
{
    strip_job j = {0};
    write_net(ctx, "tiling-strips", c->net, false);
    OK(limn_autoencoder_open(ctx, "tiling-strips", &j.a));
    bool encodes = c->part == LIMN_PART_ENCODER;
    size_t pixels = (size_t)c->height * (size_t)c->width, factor = (size_t)j.a->factor;
    size_t latent = pixels * 4, picture = pixels * factor * factor * 3, most = latent > picture ? latent : picture;
    j.net = encodes ? j.a->encoder.net : j.a->decoder.net;
    j.n = encodes ? latent : picture, j.spread_n = encodes && j.a->settings.family == &limn_family_vae ? latent : 0;
    j.shape = (limn_net_shape){.batch = 1, .part = c->part, .height = c->height * j.a->factor,
                               .width = c->width * j.a->factor, .precision = c->precision};
    float **all[] = {&j.from, &j.whole, &j.found, &j.spread};
    for (int i = 0; i < 4; i++) assert_non_null(*all[i] = malloc(2 * most * sizeof(float)));
    if (encodes) make_values((size_t)j.shape.height, (size_t)j.shape.width, 3, j.from);
    else make_values((size_t)c->height, (size_t)c->width, 4, j.from);
    return j;
}

static double apart(const strip_job *j, const float *found)
{
    double largest = 1, worst = 0;
    if (!j->spread_n) return farthest(j->n, j->whole, found);
    for (size_t i = 0; i < j->n; i++) largest = fmax(largest, fabs(j->whole[i]));
    for (size_t i = 0; i < j->n + j->spread_n; i++)
        worst = fmax(worst, isfinite(found[i]) ? fabs(found[i] - j->whole[i]) : INFINITY);
    return worst / largest;
}

/* One coder, whole and in ever less memory. */
static void check_strips(limn_ctx *ctx, const strip_case *c)
{
    static const double parts[] = {0.85, 0.6, 0.4, 0.3};
    strip_job j = begin_strip_job(ctx, c);
    limn_net_size size;
    float *spread = j.spread_n ? j.whole + j.n : NULL, *found_spread = spread ? j.found + j.n : NULL;
    double most = c->most;
    OK(run_whole(ctx, &j, c->precision, j.whole, spread));
    if (c->precision == LIMN_PRECISION_BF16) {
        OK(run_whole(ctx, &j, LIMN_PRECISION_F32, j.found, found_spread));
        most = apart(&j, j.found);
    }
    OK(limn_net_measure(ctx, j.net, &j.shape, &size));
    int most_segments = 0, n_exact = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        limn_strips strips;
        size_t limit = (size_t)(parts[i] * (double)size.activations);
        limn_status status = limn_strips_decide(ctx, j.net, &j.shape, limit, &strips);
        if (i > 0 && status == LIMN_NO_MEMORY) break; /* small networks do not take much less */
        OK(status);
        assert_true(strips.n > 0 && strips.bytes <= limit);
        for (size_t k = 0; k < j.n + j.spread_n; k++) j.found[k] = NAN;
        OK(limn_strips_run(ctx, j.net, &j.shape, &strips, j.from, j.found, found_spread));
        double off = apart(&j, j.found);
        bool exact = strips.segment[0].grid > 1 && c->precision == LIMN_PRECISION_F32;
        n_exact += exact;
        if (!(off <= (exact ? 0 : most)))
            fail_msg("%s, %d x %d: %g apart in %d segments, %zu of %zu bytes", c->net, c->width, c->height, off, strips.n,
                     strips.bytes, size.activations);
        most_segments = strips.n > most_segments ? strips.n : most_segments;
    }
    assert_true((most_segments > 1 || c->one_segment) && (n_exact > 0) == (c->most == 1e-5));
    limn_strips none;
    says(ctx, limn_strips_decide(ctx, j.net, &j.shape, size.activations / 50, &none), LIMN_NO_MEMORY, "strips");
    float *all[] = {j.from, j.whole, j.found, j.spread};
    for (int i = 0; i < 4; i++) free(all[i]);
    limn_autoencoder_free(j.a);
}

#define TINY "tae size=64 channels=3 latent=4 width=16 levels=2 blocks=2"

/* Every norm has the moments of the whole picture: a strip alone would be off as a tile is, by a tenth and more. */
static void strips_are_the_whole(void **state)
{
    (void)state;
    static const strip_case cases[] = {
        {VAE, LIMN_PART_DECODER, 64, 40, LIMN_PRECISION_F32, 1e-4, false},
        {VAE, LIMN_PART_DECODER, 37, 21, LIMN_PRECISION_F32, 1e-4, false},
        {VAE " patch=2 attention=0 quant=0", LIMN_PART_DECODER, 32, 24, LIMN_PRECISION_F32, 1e-4, false},
        {VAE, LIMN_PART_DECODER, 64, 40, LIMN_PRECISION_BF16, 0, false},
        {TINY, LIMN_PART_DECODER, 64, 40, LIMN_PRECISION_F32, 1e-5, false},
        {TINY, LIMN_PART_DECODER, 61, 23, LIMN_PRECISION_F32, 1e-5, false},
        {TINY " pool=1", LIMN_PART_DECODER, 64, 40, LIMN_PRECISION_F32, 1e-4, false},
        {TINY, LIMN_PART_DECODER, 64, 40, LIMN_PRECISION_BF16, 0, true},
        {VAE, LIMN_PART_ENCODER, 64, 40, LIMN_PRECISION_F32, 1e-4, false},
        {VAE, LIMN_PART_ENCODER, 37, 21, LIMN_PRECISION_F32, 1e-4, false},
        {VAE " patch=2 attention=0 quant=0", LIMN_PART_ENCODER, 64, 40, LIMN_PRECISION_F32, 1e-4, false},
        {VAE, LIMN_PART_ENCODER, 64, 40, LIMN_PRECISION_BF16, 0, false},
        {TINY, LIMN_PART_ENCODER, 64, 40, LIMN_PRECISION_F32, 1e-5, false},
        {TINY " pool=1", LIMN_PART_ENCODER, 61, 23, LIMN_PRECISION_F32, 1e-4, false},
    };
    limn_ctx *ctx = limn_ctx_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_strips(ctx, &cases[i]);
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

static limn_image waves(limn_ctx *ctx, int width, int height)
{
    limn_image image;
    float *values = malloc((size_t)(width * height) * 3 * sizeof *values);
    assert_non_null(values);
    make_values((size_t)height, (size_t)width, 3, values);
    OK(limn_picture_bytes(ctx, width, height, 3, values, &image));
    free(values);
    return image;
}

/* To start from a picture.  least 1: the encoder runs before all others and is free then; 0: it is small and stays. */
static void start_in_strips(limn_ctx *ctx, size_t least)
{
    limn_pipeline *p;
    limn_image from = waves(ctx, 160, 224), whole, strips;
    limn_generate_options o = limn_generate_defaults();
    OK(limn_pipeline_open(ctx, "tiling-model", &p));
    p->recipe.least = least;
    o.steps = 2, o.guidance = 1, o.precision = LIMN_PRECISION_F32, o.width = 160, o.height = 224, o.init = &from;
    o.strength = 0.5;
    limn_ctx_set_log(ctx, hear, NULL);
    heard[0] = '\0';
    OK(limn_generate(p, &o, &whole));
    assert_null(strstr(heard, "strips"));
    limn_pipeline_free(p);
    OK(limn_pipeline_open(ctx, "tiling-model", &p));
    p->recipe.least = least;
    limn_ctx_set_memory(ctx, 11700000);
    heard[0] = '\0';
    OK(limn_generate(p, &o, &strips));
    const char *encoder = strstr(heard, "encoder "), *decoder = strstr(heard, ", decoder ");
    if (!encoder || !decoder || !strstr(encoder, " MB in strips")) fail_msg("%s", heard);
    if (strstr(encoder, " MB in strips") > decoder) fail_msg("%s", heard);
    if (!strstr(encoder, "in strips (then free), ")) fail_msg("%s", heard);
    assert_in_range(farthest_byte(&whole, &strips), 0, 1);
    limn_ctx_set_memory(ctx, 0);
    limn_ctx_set_log(ctx, NULL, NULL);
    limn_image *images[] = {&from, &whole, &strips};
    for (int i = 0; i < 3; i++) limn_image_free(images[i]);
    limn_pipeline_free(p);
}

/* An autoencoder alone, there and back: a tiny one gives the same bytes. */
static void code_in_strips(limn_ctx *ctx, const char *net, size_t room, double most)
{
    limn_autoencoder *a;
    limn_image from = waves(ctx, 160, 224), back[2];
    limn_latent latent[2];
    write_net(ctx, "tiling-alone", net, false);
    heard[0] = '\0';
    limn_ctx_set_log(ctx, hear, NULL);
    for (int i = 0; i < 2; i++) {
        OK(limn_autoencoder_open(ctx, "tiling-alone", &a));
        limn_ctx_set_memory(ctx, i ? room : 0);
        OK(limn_encode(a, &from, LIMN_PRECISION_F32, &latent[i]));
        OK(limn_decode(a, &latent[0], LIMN_PRECISION_F32, &back[i]));
        limn_ctx_set_memory(ctx, 0);
        limn_autoencoder_free(a);
    }
    limn_ctx_set_log(ctx, NULL, NULL);
    if (!strstr(heard, "encoding 160 x 224 in strips: ") || !strstr(heard, "decoding 160 x 224 in strips: "))
        fail_msg("%s", heard);
    double worst = 0;
    for (int i = 0; i < 40 * 56 * 4; i++) worst = fmax(worst, fabs(latent[0].values[i] - latent[1].values[i]));
    if (!(worst <= most)) fail_msg("%s: %g apart", net, worst);
    assert_in_range(farthest_byte(&back[0], &back[1]), 0, most > 0);
    limn_image_free(&from);
    for (int i = 0; i < 2; i++) limn_image_free(&back[i]), limn_latent_free(&latent[i]);
}

static void what_does_not_fit_is_encoded_in_strips(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    write_net(ctx, "tiling-model", LATENTS, true);
    write_net(ctx, "tiling-model/vae", VAE, false);
    start_in_strips(ctx, 0);
    start_in_strips(ctx, 1);
    code_in_strips(ctx, VAE, 9500000, 1e-4);
    code_in_strips(ctx, TINY, 7500000, 0);
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
        cmocka_unit_test(what_does_not_fit_is_encoded_in_strips),
        cmocka_unit_test(a_pipeline_decodes_and_encodes_in_tiles),
        cmocka_unit_test(what_is_no_tiling_is_a_sentence),
        cmocka_unit_test(the_program_takes_the_flags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
