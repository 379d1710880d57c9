/* test_hires.c: what surrounds a picture of Stable Diffusion: tiny autoencoders as published, previews, a second pass at a
 * larger size, pictures enlarged in tiles.  Shrunken networks with weights of a formula; right values are diffusers'
 * (oracle/hires_vectors.py). */
#include "base/number.h"
#include "denoise/enlarge.h"
#include "file/image.h"
#include "file/latent.h"
#include "make_network.h"
#include "make_tiny.h"
#include "pipeline/autoencoder.h"
#include "pipeline/sampling.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define PIXEL_NET "ddpm size=8 channels=3 width=8 multipliers=12 blocks=1 groups=4 attention=4 attention_least=4"

/* The picture of this name: the mean of 5 x 5 numbers of the formula (at the edges of those there are), times 2.5. */
static limn_image formula_image(limn_ctx *ctx, const char *name, int width, int height)
{
    limn_image image;
    float *x = malloc((size_t)(width * height * 3) * sizeof *x);
    if (!x) abort();
    formula_fill(name, width * height * 3, 1, x);
    OK(limn_image_new(ctx, name, (uint32_t)width, (uint32_t)height, 3, &image));
    for (int i = 0; i < width * height * 3; i++) {
        int c = i % 3, column = i / 3 % width, row = i / 3 / width, n = 0;
        double sum = 0;
        for (int y = row - 2; y <= row + 2; y++)
            for (int k = column - 2; k <= column + 2; k++)
                if (y >= 0 && y < height && k >= 0 && k < width) sum += (double)x[(y * width + k) * 3 + c], n++;
        image.pixels[i] = (uint8_t)lrint(fmax(-1, fmin(1, sum / n * 2.5)) * 127.5 + 127.5);
    }
    free(x);
    return image;
}

static limn_generate_options options_of(int width, int height)
{
    limn_generate_options o = limn_generate_defaults();
    o.prompt = "a lighthouse at night", o.negative = "fog", o.guidance = 7.5, o.steps = 4, o.sampler = "ddim";
    o.prompt_style = "plain", o.width = width, o.height = height, o.precision = LIMN_PRECISION_F32;
    return o;
}

static void write_sd(limn_ctx *ctx)
{
    const sd_tensor *tensors[SD_MOST];
    size_t n = sd_take(sd_tensors, SD_TENSORS, NULL, NULL, 0, tensors);
    sd_write(ctx, "hires-sd.safetensors", n, tensors, NULL);
}

static limn_pipeline *open_sd(limn_ctx *ctx)
{
    limn_pipeline *p;
    write_sd(ctx);
    OK(limn_pipeline_open(ctx, "hires-sd.safetensors", &p));
    return p;
}

/* ---- tiny autoencoders ------------------------------------------------------------------------------------------------ */

/* hires-tiny: a folder of diffusers; hires-halves: a pair of files. */
static void write_both(limn_ctx *ctx)
{
    mkdir("hires-tiny", 0777);
    mkdir("hires-halves", 0777);
    write_text("hires-tiny/config.json", TINY_CONFIG);
    write_tiny(ctx, "hires-tiny/diffusion_pytorch_model.safetensors", NULL);
    write_tiny(ctx, "hires-halves/taesd_encoder.safetensors", "encoder.");
    write_tiny(ctx, "hires-halves/taesd_decoder.safetensors", "decoder.");
}

static void near(const char *what, size_t n, size_t stride, const float *found, const float *expected)
{
    for (size_t i = 0; i * stride < n; i++)
        if (!(fabsf(found[i * stride] - expected[i]) < 1e-5f))
            fail_msg("%s %zu: %g, diffusers has %g", what, i, (double)found[i * stride], (double)expected[i]);
}

static void a_tiny_autoencoder_is_diffusers_under_both_spellings(void **state)
{
    (void)state;
    static const char *const sources[] = {"hires-tiny", "hires-tiny/diffusion_pytorch_model.safetensors", "hires-halves",
                                          "hires-halves/taesd_decoder.safetensors"};
    enum { WIDTH = 40, HEIGHT = 24, PIXELS = WIDTH * HEIGHT };
    limn_ctx *ctx = limn_ctx_new();
    limn_image image = formula_image(ctx, "picture", WIDTH, HEIGHT);
    float values[PIXELS * 3], latent[PIXELS / 16];
    write_both(ctx);
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        limn_autoencoder *a;
        OK(limn_autoencoder_open(ctx, sources[i], &a));
        limn_autoencoder_info info = limn_autoencoder_describe(a);
        assert_string_equal(info.network, "tae");
        assert_true(info.factor == 8 && info.latent == 4 && info.scale == 1);
        for (size_t k = 0; k < PIXELS * 3; k++) values[k] = (float)image.pixels[k] / 127.5f - 1;
        OK(limn_encode_values(a, 1, HEIGHT, WIDTH, values, LIMN_PRECISION_F32, latent));
        near("latent", PIXELS / 16, 1, latent, tiny_latent);
        OK(limn_decode_values(a, 1, HEIGHT, WIDTH, latent, LIMN_PRECISION_F32, values));
        near("picture", PIXELS * 3, 7, values, tiny_back);
        limn_autoencoder_free(a);
    }
    limn_image_free(&image);
    limn_ctx_free(ctx);
}

/* Instead of the autoencoder in the checkpoint: drawn with, and started from. */
static void a_tiny_autoencoder_draws_for_stable_diffusion(void **state)
{
    (void)state;
    static const char *const sources[] = {"hires-tiny", "hires-halves/taesd_decoder.safetensors"};
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = open_sd(ctx);
    limn_image start = formula_image(ctx, "start", 40, 48), image;
    write_both(ctx);
    for (int i = 0; i < 2; i++) {
        limn_generate_options o = options_of(40, 48);
        OK(limn_pipeline_set_autoencoder(p, sources[i]));
        OK(limn_generate(p, &o, &image));
        sd_compare_picture("what the tiny autoencoder decodes", &image, 40, 48, tiny_drawn);
        limn_image_free(&image);
        o.init = &start, o.strength = 0.5;
        OK(limn_generate(p, &o, &image));
        sd_compare_picture("what starts from its latent", &image, 40, 48, tiny_started);
        limn_image_free(&image);
    }
    limn_image_free(&start);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

static void what_is_no_tiny_autoencoder_of_the_model_is_a_sentence(void **state)
{
    (void)state;
    static const char *const configs[][2] = {
        {"{\"act_fn\": \"silu\"}", "act_fn of config.json: expected \"relu\", found \"silu\""},
        {"{\"upsample_fn\": \"bilinear\"}", "upsample_fn"},
        {"{\"scaling_factor\": 0.5}", "scaling_factor of config.json: expected 1"}};
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = open_sd(ctx);
    limn_autoencoder *a;
    write_both(ctx);
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        write_text("hires-tiny/config.json", configs[i][0]);
        says(ctx, limn_autoencoder_open(ctx, "hires-tiny", &a), LIMN_UNSUPPORTED, configs[i][1]);
        says(ctx, limn_pipeline_set_autoencoder(p, "hires-tiny"), LIMN_UNSUPPORTED, configs[i][1]);
    }
    write_text("hires-tiny/config.json", TINY_CONFIG);
    limn_named_view wide[N_TINY]; /* latents of eight channels */
    float *zero = calloc(8 * 8 * 9, sizeof *zero);
    for (size_t i = 0; i < N_TINY; i++) {
        limn_shape shape = {.rank = tiny_tensors[i].rank};
        for (int k = 0; k < shape.rank; k++) shape.dim[k] = tiny_tensors[i].dim[k] == 4 ? 8 : tiny_tensors[i].dim[k];
        wide[i] = (limn_named_view){tiny_tensors[i].name, {LIMN_F32, shape, zero}};
    }
    mkdir("hires-wide", 0777);
    OK(limn_safetensors_write(ctx, "hires-wide/model.safetensors", N_TINY, wide, 0, NULL));
    free(zero);
    says(ctx, limn_pipeline_set_autoencoder(p, "hires-wide"), LIMN_BAD_ARGUMENT,
         "hires-sd.safetensors makes latents of 4 channels, and hires-wide (tae size=512 channels=3 latent=8");
    limn_generate_options o = options_of(40, 48); /* the autoencoder is the one it was */
    limn_image image;
    OK(limn_generate(p, &o, &image));
    limn_image_free(&image);
    unlink("hires-halves/taesd_encoder.safetensors"); /* a decoder alone draws, and starts from no picture */
    OK(limn_pipeline_set_autoencoder(p, "hires-halves/taesd_decoder.safetensors"));
    OK(limn_generate(p, &o, &image));
    sd_compare_picture("what the decoder alone decodes", &image, 40, 48, tiny_drawn);
    o.init = &image;
    limn_image none;
    says(ctx, limn_generate(p, &o, &none), LIMN_BAD_FILE, "encoder.0.weight");
    limn_image_free(&image);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* ---- a second pass ---------------------------------------------------------------------------------------------------- */

/* What the log is told, line by line. */
static void note(void *user, limn_log_level level, const char *text)
{
    (void)level;
    limn_text_printf(user, "%s\n", text);
}

static void a_second_pass_is_two_pipelines_of_diffusers(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_text log = {0};
    limn_image images[2], alone;
    limn_latent latent;
    limn_ctx_set_log(ctx, note, &log);
    limn_pipeline *p = open_sd(ctx);
    limn_generate_options o = options_of(48, 32);
    o.hires = 2, o.hires_steps = 5;
    OK(limn_generate(p, &o, images));
    sd_compare_picture("twice the sides", images, 96, 64, hires_2);
    const char *later = strstr(log.bytes, "memory of the second pass (hires 2), 96 x 64: ");
    assert_non_null(later); /* before anything begins */
    assert_non_null(strstr(later, "\nmemory: "));
    assert_non_null(strstr(later, "decoder"));
    char *text = limn_generate_parameters(p, &o, 0);
    assert_non_null(strstr(text, "Denoising strength: 0.6, Hires upscale: 2, Hires upscaler: Latent, Hires steps: 5, "
                                 "Seed: 42, Size: 48x32"));
    limn_free(text);
    limn_image_free(images);
    o.hires = 1.5;
    OK(limn_generate(p, &o, images));
    sd_compare_picture("one and a half of the sides", images, 72, 48, hires_1_5);
    limn_image_free(images);
    o.hires = 2, o.n = 2; /* each of its own seed */
    OK(limn_generate(p, &o, images));
    sd_compare_picture("the first of two", images, 96, 64, hires_2);
    o.n = 1, o.seed++;
    OK(limn_generate(p, &o, &alone));
    assert_memory_equal(alone.pixels, images[1].pixels, 96 * 64 * 3);
    OK(limn_generate_latents(p, &o, &latent));
    assert_true(latent.width == 12 && latent.height == 8 && latent.image_width == 96);
    limn_latent_free(&latent);
    limn_image_free(&alone);
    limn_image_free(&images[0]);
    limn_image_free(&images[1]);
    limn_pipeline_free(p);
    limn_text_free(&log);
    limn_ctx_free(ctx);
}

static void what_no_second_pass_can_do_is_a_sentence(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = open_sd(ctx);
    limn_generate_options o = options_of(48, 32), bad;
    limn_image image, start = formula_image(ctx, "start", 48, 32);
    limn_sampling *s;
    o.hires = 2;
    bad = o, bad.hires = 9;
    says(ctx, limn_generate(p, &bad, &image), LIMN_BAD_ARGUMENT, "more than 1 and up to 8 times the sides, found 9");
    bad.hires = (double)NAN;
    says(ctx, limn_generate(p, &bad, &image), LIMN_BAD_ARGUMENT, "found nan");
    bad = o, bad.hires = 1.4;
    says(ctx, limn_generate(p, &bad, &image), LIMN_BAD_ARGUMENT,
         "the second pass (hires 1.4), 67 x 45: hires-sd.safetensors: the width must be a multiple of 8, for its latents, "
         "found 67; the nearest is 64");
    bad = o, bad.init = &start;
    says(ctx, limn_generate(p, &bad, &image), LIMN_BAD_ARGUMENT, "follows a picture that started from noise");
    bad = o, bad.hires_strength = 0.2;
    says(ctx, limn_generate(p, &bad, &image), LIMN_BAD_ARGUMENT, "a strength of 0.2 of 4 steps is no step");
    bad.hires_strength = 2;
    says(ctx, limn_generate(p, &bad, &image), LIMN_BAD_ARGUMENT,
         "a strength from 0 to 1 and 1 to 1000 steps, found 2 and 0");
    says(ctx, limn_sampling_begin(p, &o, &s), LIMN_BAD_ARGUMENT, "is for limn_generate()");
    assert_null(s);
    bad = o, bad.hires = 1; /* none */
    OK(limn_generate(p, &bad, &image));
    assert_int_equal(image.width, 48);
    limn_image_free(&image);
    limn_image_free(&start);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

typedef struct seen {
    limn_ctx *ctx;
    int n;
    limn_image last;
    limn_latent latent;
} seen;

static bool look(void *user, limn_sampling *sampling)
{
    seen *s = user;
    limn_ctx *ctx = s->ctx;
    limn_image_free(&s->last);
    limn_latent_free(&s->latent);
    OK(limn_sampling_preview(sampling, 0, &s->last));
    OK(limn_sampling_latent(sampling, 0, &s->latent));
    return ++s->n;
}

static void forget(seen *s)
{
    limn_image_free(&s->last);
    limn_latent_free(&s->latent);
}

/* A network of pixels: as by hand, and previews are its own numbers. */
static void a_second_pass_of_pixels(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p;
    limn_latent small, large;
    limn_image image, expected;
    seen s = {.ctx = ctx};
    assert_true(make_network(ctx, "hires-pixels.safetensors", PIXEL_NET, NULL));
    OK(limn_pipeline_open(ctx, "hires-pixels.safetensors", &p));
    limn_generate_options o = limn_generate_defaults(), by_hand;
    o.steps = 4, o.width = 16, o.height = 8, o.precision = LIMN_PRECISION_F32;
    OK(limn_generate_latents(p, &o, &small));
    OK(limn_latent_new(ctx, 16, 32, small.channels, &large));
    limn_enlarged(small.values, 1, 8, 16, small.channels, 16, 32, large.values);
    by_hand = o, by_hand.width = 32, by_hand.height = 16, by_hand.init_latent = &large, by_hand.strength = 0.5;
    OK(limn_generate(p, &by_hand, &expected));
    o.hires = 2, o.hires_strength = 0.5, o.preview = LIMN_PREVIEW_AUTO, o.stepped = look, o.stepped_user = &s;
    OK(limn_generate(p, &o, &image));
    assert_true(image.width == 32 && image.height == 16);
    assert_memory_equal(image.pixels, expected.pixels, 32 * 16 * (size_t)image.channels);
    assert_int_equal(s.n, 3 + 1);
    assert_int_equal(s.last.width, 32);
    o.preview = LIMN_PREVIEW_PROJECTION;
    limn_image none;
    says(ctx, limn_generate(p, &o, &none), LIMN_UNSUPPORTED,
         "known of the latents of Stable Diffusion, PixArt and DiT only");
    forget(&s);
    limn_image_free(&image);
    limn_image_free(&expected);
    limn_latent_free(&small);
    limn_latent_free(&large);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* ---- previews --------------------------------------------------------------------------------------------------------- */

static seen watch(limn_ctx *ctx, limn_pipeline *p, limn_preview by)
{
    seen s = {.ctx = ctx};
    limn_image image;
    limn_generate_options o = options_of(40, 48);
    o.preview = by, o.stepped = look, o.stepped_user = &s;
    OK(limn_generate(p, &o, &image));
    assert_int_equal(s.n, 3); /* not after the last of four */
    assert_true(s.last.width == 40 && s.last.height == 48 && s.last.channels == 3);
    limn_image_free(&image);
    return s;
}

/* The colour of a latent of Stable Diffusion 1, as web interfaces show it while it is drawn. */
static int colour(const float *latent, double scale, int c)
{
    static const double rows[4][3] = {
        {0.3512, 0.2297, 0.3227}, {0.3250, 0.4974, 0.2350}, {-0.2829, 0.1762, 0.2721}, {-0.2120, -0.2616, -0.7177}};
    double sum = 0;
    for (int k = 0; k < 4; k++) sum += (double)latent[k] * scale * rows[k][c];
    return (int)lrint(fmax(0, fmin(1, sum / 2 + 0.5)) * 255);
}

static void previews_are_a_projection_a_tiny_or_the_whole_decoder(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = open_sd(ctx);
    limn_image expected;
    seen s = watch(ctx, p, LIMN_PREVIEW_AUTO);
    for (int c = 0; c < 3; c++) /* the middle of the corners' pixels, an eighth as fine */
        for (int at = 0; at < 2; at++) {
            int found = s.last.pixels[at ? (47 * 40 + 39) * 3 + c : c],
                right = colour(s.latent.values + (at ? (6 * 5 - 1) * 4 : 0), 0.18215, c);
            if (abs(found - right) > 1) fail_msg("corner %d, colour %d: %d, expected %d", at, c, found, right);
        }
    forget(&s);
    s = watch(ctx, p, LIMN_PREVIEW_FULL);
    OK(limn_decode(p->vae, &s.latent, LIMN_PRECISION_F32, &expected));
    assert_memory_equal(s.last.pixels, expected.pixels, 40 * 48 * 3);
    limn_image_free(&expected);
    forget(&s);
    write_both(ctx);
    limn_autoencoder *tiny;
    OK(limn_autoencoder_open(ctx, "hires-tiny", &tiny));
    OK(limn_pipeline_set_preview(p, "hires-tiny"));
    s = watch(ctx, p, LIMN_PREVIEW_AUTO);
    for (int i = 0; i < 5 * 6 * 4; i++) s.latent.values[i] *= 0.18215f; /* the tiny one knows what the denoiser has */
    OK(limn_decode(tiny, &s.latent, LIMN_PRECISION_F32, &expected));
    for (int i = 0; i < 40 * 48 * 3; i++) assert_true(abs(s.last.pixels[i] - expected.pixels[i]) <= 1);
    limn_ctx *other = limn_ctx_new(); /* shared, the same */
    limn_pipeline *shared;
    OK(limn_pipeline_share(other, p, &shared));
    seen again = watch(other, shared, LIMN_PREVIEW_AUTO);
    assert_memory_equal(again.last.pixels, s.last.pixels, 40 * 48 * 3);
    forget(&again);
    limn_pipeline_free(shared);
    limn_ctx_free(other);
    limn_image_free(&expected);
    forget(&s);
    OK(limn_pipeline_set_autoencoder(p, "hires-halves")); /* one for both */
    s = watch(ctx, p, LIMN_PREVIEW_TINY);
    OK(limn_decode(tiny, &s.latent, LIMN_PRECISION_F32, &expected));
    assert_memory_equal(s.last.pixels, expected.pixels, 40 * 48 * 3);
    limn_image_free(&expected);
    forget(&s);
    limn_autoencoder_free(tiny);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

static void what_shows_no_preview_is_a_sentence(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = open_sd(ctx);
    limn_generate_options o = options_of(40, 48);
    limn_image image;
    limn_sampling *s;
    o.preview = LIMN_PREVIEW_TINY;
    says(ctx, limn_generate(p, &o, &image), LIMN_BAD_ARGUMENT, "hires-sd.safetensors has none: give it (--taesd)");
    o.preview = LIMN_PREVIEW_NONE;
    OK(limn_sampling_begin(p, &o, &s));
    says(ctx, limn_sampling_preview(s, 0, &image), LIMN_BAD_ARGUMENT, "nothing was planned for previews");
    limn_sampling_end(s);
    o.preview = LIMN_PREVIEW_AUTO;
    OK(limn_sampling_begin(p, &o, &s));
    says(ctx, limn_sampling_preview(s, 1, &image), LIMN_BAD_ARGUMENT, "expected a picture from 0 to 0, found 1");
    limn_sampling_end(s);
    says(ctx, limn_pipeline_set_preview(p, "hires-wide"), LIMN_BAD_ARGUMENT, "makes latents of 4 channels, and hires-wide");
    says(ctx, limn_pipeline_set_preview(p, "hires-none"), LIMN_NOT_FOUND, "hires-none");
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* ---- pictures enlarged ------------------------------------------------------------------------------------------------ */

static limn_generate_options tile_options(void)
{
    limn_generate_options o = options_of(0, 0);
    o.strength = 0.5;
    return o;
}

static void tiles_are_pictures_of_diffusers_laid_over_each_other(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_text log = {0};
    limn_image small = formula_image(ctx, "small", 61, 36), large;
    limn_pipeline *p = open_sd(ctx);
    limn_generate_options o = tile_options();
    limn_ctx_set_log(ctx, note, &log);
    OK(limn_upscale(p, &small, &(limn_upscale_options){.scale = 2, .tile = 64, .overlap = 16}, &o, &large));
    sd_compare_picture("the enlarged picture", &large, 122, 72, upscaled);
    assert_non_null(strstr(log.bytes, "122 x 72 pixels (0.2 MB) in tiles of 64 x 64: 6\n"));
    limn_image_free(&large);
    limn_image_free(&small);
    limn_pipeline_free(p);
    limn_text_free(&log);
    limn_ctx_free(ctx);
}

/* One that is smaller than a tile is one tile, and the same as a start from it; nothing is drawn where there is no step. */
static void a_small_picture_is_one_tile(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_image small = formula_image(ctx, "small", 20, 12), odd = formula_image(ctx, "small", 21, 13), large, start, same;
    limn_pipeline *p = open_sd(ctx);
    limn_generate_options o = tile_options(), other = o;
    OK(limn_image_resize(ctx, &small, 40, 24, &start));
    other.init = &start, other.width = 40, other.height = 24;
    OK(limn_generate(p, &other, &same));
    OK(limn_upscale(p, &small, &(limn_upscale_options){.scale = 2, .tile = 64}, &o, &large));
    assert_true(large.width == 40 && large.height == 24);
    assert_memory_equal(large.pixels, same.pixels, 40 * 24 * 3);
    limn_image_free(&large);
    o.strength = 0.1;
    OK(limn_upscale(p, &small, &(limn_upscale_options){.scale = 2}, &o, &large));
    assert_memory_equal(large.pixels, start.pixels, 40 * 24 * 3);
    limn_image_free(&large);
    o.strength = 0.5;
    OK(limn_upscale(p, &odd, &(limn_upscale_options){.scale = 2}, &o, &large)); /* 48 x 32 are made, and cut */
    assert_true(large.width == 42 && large.height == 26);
    limn_image_free(&large);
    limn_image_free(&small);
    limn_image_free(&odd);
    limn_image_free(&start);
    limn_image_free(&same);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

static void what_cannot_be_enlarged_is_a_sentence(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_image small = formula_image(ctx, "small", 20, 12), large;
    limn_pipeline *p = open_sd(ctx);
    limn_generate_options o = tile_options(), bad = o;
    says(ctx, limn_upscale(p, &small, &(limn_upscale_options){.scale = 9}, &o, &large), LIMN_BAD_ARGUMENT, "found 9 times");
    says(ctx, limn_upscale(p, &small, &(limn_upscale_options){.scale = 2, .tile = 60}, &o, &large), LIMN_BAD_ARGUMENT,
         "tiles of 60 x 60: hires-sd.safetensors: the width must be a multiple of 8, for its latents, found 60");
    says(ctx, limn_upscale(p, &small, &(limn_upscale_options){.scale = 2, .tile = 64, .overlap = 64}, &o, &large),
         LIMN_BAD_ARGUMENT, "tiles of 64 x 64 cannot share 64 pixels");
    bad.width = 64;
    says(ctx, limn_upscale(p, &small, &(limn_upscale_options){.scale = 2}, &bad, &large), LIMN_BAD_ARGUMENT,
         "gives the start and the sides");
    bad = o, bad.n = 2;
    says(ctx, limn_upscale(p, &small, &(limn_upscale_options){.scale = 2}, &bad, &large), LIMN_BAD_ARGUMENT, "is one");
    bad = o, bad.strength = 2;
    says(ctx, limn_upscale(p, &small, &(limn_upscale_options){.scale = 2}, &bad, &large), LIMN_BAD_ARGUMENT,
         "expected a strength from 0 to 1, found 2");
    assert_null(large.pixels);
    limn_image_free(&small);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* ---- the program ------------------------------------------------------------------------------------------------------ */

#define LIMN LIMN_BINARY_DIR "/limn "
#define DRAW LIMN "generate lighthouse -m hires-sd.safetensors -W 48 -H 32 --steps 3 -q "

/* What it says while it fails with exit code 2. */
static void refuses(const char *command, const char *words)
{
    char line[900], text[2000];
    snprintf(line, sizeof line, "%s 2>hires-said.txt >/dev/null", command);
    assert_int_equal(system(line), 2 << 8);
    FILE *file = fopen("hires-said.txt", "rb");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    if (!strstr(text, words)) fail_msg("%s: \"%s\" does not say \"%s\"", command, text, words);
}

static void the_program_shows_and_enlarges(void **state)
{
    (void)state;
    if (access(LIMN_BINARY_DIR "/limn", X_OK)) skip();
    limn_ctx *ctx = limn_ctx_new();
    limn_image image;
    write_sd(ctx);
    write_both(ctx);
    unlink("hires-shown.png");
    assert_int_equal(system(DRAW "--hires 2 --hires-strength 0.7 --preview hires-shown.png --preview-interval 2 --taesd "
                                 "hires-tiny -o hires-drawn.png >/dev/null"), 0);
    OK(limn_image_read(ctx, "hires-drawn.png", 0, &image));
    assert_true(image.width == 96 && image.height == 64);
    limn_image_free(&image);
    OK(limn_image_read(ctx, "hires-shown.png", 0, &image));
    assert_true(image.width == 48 || image.width == 96);
    limn_image_free(&image);
    assert_int_equal(system("grep -aq 'Denoising strength: 0.7, Hires upscale: 2' hires-drawn.png"), 0);
    assert_int_equal(system(LIMN "generate --again hires-drawn.png -m hires-sd.safetensors --taesd hires-tiny -q "
                                 "-o hires-again.png >/dev/null"), 0); /* with its second pass */
    limn_image again;
    OK(limn_image_read(ctx, "hires-drawn.png", 0, &image));
    OK(limn_image_read(ctx, "hires-again.png", 0, &again));
    assert_true(again.width == 96 && again.height == 64 && !memcmp(again.pixels, image.pixels, 96 * 64 * 3));
    limn_image_free(&image);
    limn_image_free(&again);
    static const char *const ways[] = {"proj", "vae", "tae --taesd hires-tiny --taesd-preview-only"};
    for (int i = 0; i < 3; i++) {
        char command[900];
        unlink("hires-shown.png");
        snprintf(command, sizeof command, DRAW "-o hires-drawn.png --preview-path hires-shown.png --preview %s >/dev/null",
                 ways[i]);
        assert_int_equal(system(command), 0);
        OK(limn_image_read(ctx, "hires-shown.png", 0, &image));
        assert_true(image.width == 48 && image.height == 32);
        limn_image_free(&image);
    }
    assert_int_equal(system(LIMN "upscale -m hires-sd.safetensors hires-drawn.png --scale 1.5 --tile 64 --steps 4 "
                                 "-o hires-large.png -q >/dev/null"), 0);
    OK(limn_image_read(ctx, "hires-large.png", 0, &image));
    assert_true(image.width == 72 && image.height == 48);
    limn_image_free(&image);
    assert_int_equal(system("grep -aq 'Denoising strength: 0.3, Seed: 42, Size: 72x48' hires-large.png"), 0);
    refuses(LIMN "upscale -m hires-sd.safetensors hires-drawn.png -W 64",
            "--width is not for enlarging with a model of latents");
    refuses(LIMN "upscale -m hires-sd.safetensors hires-drawn.png -n 2", "--batch-count is not for enlarging");
    refuses(LIMN "upscale -m hires-sd.safetensors hires-drawn.png --scale 0", "--scale expects a number from 1 to 8");
    refuses(DRAW "--preview hires-drawn.png -o hires-drawn.png", "hires-drawn.png");
    refuses(DRAW "--preview hires-sd.safetensors", "--preview: the name must end in .png");
    refuses(DRAW "--preview nowhere/at.png", "--preview: there is no folder nowhere");
    refuses(DRAW "--preview tae", "give it (--taesd)");
    refuses(DRAW "--preview-interval 2", "expect --preview too");
    refuses(DRAW "--preview a.png --preview-path b.png", "expected one");
    refuses(DRAW "--taesd-preview-only --preview a.png", "expects --taesd");
    refuses(DRAW "--taesd hires-tiny --vae hires-tiny", "both name what decodes");
    refuses(DRAW "--hires-strength 0.5", "expect --hires");
    refuses(DRAW "--hires 0.5", "--hires expects a number from 1 to 8");
    limn_ctx_free(ctx);
}

/* ---- less memory ------------------------------------------------------------------------------------------------------ */

static char told[2048];

static void hear_memory(void *user, limn_log_level level, const char *text)
{
    (void)user;
    if (level == LIMN_LOG_INFO && strncmp(text, "memory:", 7) == 0) snprintf(told, sizeof told, "%s", text);
}

/* With every part counted as large: the text encoder is free before the first step, the denoiser rests while pictures are
 * decoded; then a decoder in strips. */
static void less_memory_makes_the_same_picture(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = open_sd(ctx);
    limn_image whole, image;
    limn_generate_options o = options_of(128, 256);
    limn_ctx_set_log(ctx, hear_memory, NULL);
    OK(limn_generate(p, &o, &whole));
    p->recipe.least = 1;
    for (int i = 0; i < 2; i++) {
        OK(limn_generate(p, &o, &image));
        assert_memory_equal(image.pixels, whole.pixels, 128 * 256 * 3);
        limn_image_free(&image);
    }
    assert_non_null(strstr(told, "(then free)"));
    limn_ctx_set_memory(ctx, (size_t)(0.8e6 * limn_number_parse(strrchr(told, ':') + 1, NULL)));
    limn_pipeline_free(p); /* whose denoiser is there, beside which the text would be read */
    p = open_sd(ctx), p->recipe.least = 1;
    OK(limn_generate(p, &o, &image));
    if (!strstr(told, "MB in strips, ")) fail_msg("%s", told);
    for (int i = 0; i < 128 * 256 * 3; i++) assert_in_range(abs(image.pixels[i] - whole.pixels[i]), 0, 1);
    limn_image_free(&image);
    limn_image_free(&whole);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_pass_is_two_pipelines_of_diffusers),
        cmocka_unit_test(what_no_second_pass_can_do_is_a_sentence),
        cmocka_unit_test(a_second_pass_of_pixels),
        cmocka_unit_test(previews_are_a_projection_a_tiny_or_the_whole_decoder),
        cmocka_unit_test(a_tiny_autoencoder_is_diffusers_under_both_spellings),
        cmocka_unit_test(a_tiny_autoencoder_draws_for_stable_diffusion),
        cmocka_unit_test(what_is_no_tiny_autoencoder_of_the_model_is_a_sentence),
        cmocka_unit_test(what_shows_no_preview_is_a_sentence),
        cmocka_unit_test(tiles_are_pictures_of_diffusers_laid_over_each_other),
        cmocka_unit_test(a_small_picture_is_one_tile),
        cmocka_unit_test(what_cannot_be_enlarged_is_a_sentence),
        cmocka_unit_test(the_program_shows_and_enlarges),
        cmocka_unit_test(less_memory_makes_the_same_picture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
