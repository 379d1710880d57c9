/* test_latents.c: pictures of a model in latents, trained here, with transparency: what a mask keeps, where they start from.
 * Weights are random: what is proven hangs on none. */
#include "base/rng.h"
#include "denoise/picture.h"
#include "file/image.h"
#include "file/latent.h"
#include "make_folder.h"
#include "make_network.h"
#include "pipeline/autoencoder.h"
#include "pipeline/sampling.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <cmocka.h>

enum { SIDE = 32, FACTOR = 4, PIXELS = SIDE * SIDE, LATENTS = SIDE / FACTOR };

#define OK(call)                                                              \
    do {                                                                      \
        if ((call) != LIMN_OK) fail_msg("%s: %s", #call, limn_error_text(ctx)); \
    } while (0)

typedef struct fixture {
    limn_ctx *ctx;
    limn_pipeline *p;
    limn_generate_options o;
} fixture;

static int open_model(void **state)
{
    fixture *f = *state = calloc(1, sizeof *f);
    limn_ctx *ctx = f->ctx = limn_ctx_new();
    assert_true(make_folder(ctx, "latents"));
    mkdir(in("vae"), 0777);
    const char *vae = "vae size=32 channels=4 latent=4 base=8 levels=2 mult2=2 layers=1 groups=4 attention=0 patch=2",
               *net = "dit size=8 channels=4 patch=2 width=16 depth=1 heads=2 mlp=16";
    if (!make_network(ctx, in("vae/model.safetensors"), vae, NULL) ||
        !make_network_with(ctx, in("model.safetensors"), net, NULL, 1, (const char *const[][2]){{"limn.latent.scale", "1"}}))
        fail_msg("%s", limn_error_text(ctx));
    OK(limn_pipeline_open(ctx, folder, &f->p));
    f->o = limn_generate_defaults();
    f->o.steps = 3, f->o.seed = 5, f->o.precision = LIMN_PRECISION_F32;
    limn_pipeline_info info = limn_pipeline_describe(f->p);
    assert_true(info.makes_latents && info.width == SIDE && info.channels == 4);
    return 0;
}

static int close_model(void **state)
{
    fixture *f = *state;
    limn_pipeline_free(f->p);
    limn_ctx_free(f->ctx);
    free(f);
    return remove_folder();
}

/* Colours under alpha 0 too. */
static void fill(limn_image *image, uint32_t seed)
{
    size_t n = (size_t)image->width * (size_t)image->height * (size_t)image->channels;
    for (size_t i = 0; i < n; i++) image->pixels[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
    for (size_t i = 3; i < n && image->channels == 4; i += 4)
        image->pixels[i] = i / 4 % 5 == 0 ? 0 : i / 4 % 3 == 0 ? 255 : image->pixels[i];
}

/* ---- masks ------------------------------------------------------------------------------------------------------------ */

static uint8_t gray_of(int x, int y)
{
    return x < 9 ? 255 : x == 9 ? 128 : x == 10 ? 40 : y % 7 == 0 ? 9 : 0; /* 9: black that was saved as JPEG */
}

/* What is black comes back byte for byte, transparent pixels with their colours; gray is a mixture of this and of what is
 * made where the mask is white, of alpha and of colours times alpha. */
static void what_is_black_is_kept_and_gray_is_mixed(void **state)
{
    fixture *f = *state;
    limn_ctx *ctx = f->ctx;
    limn_image init, mask, image, white;
    OK(limn_image_new(ctx, "init", SIDE, SIDE, 4, &init));
    OK(limn_image_new(ctx, "mask", SIDE, SIDE, 1, &mask));
    fill(&init, 1);
    for (int i = 0; i < PIXELS; i++) mask.pixels[i] = gray_of(i % SIDE, i / SIDE);
    limn_generate_options o = f->o;
    o.init = &init, o.mask = &mask, o.strength = 1, o.resample = 2;
    OK(limn_generate(f->p, &o, &image));
    for (int i = 0; i < PIXELS; i++) mask.pixels[i] = i % SIDE < 11 ? 255 : 0; /* the same squares are made */
    OK(limn_generate(f->p, &o, &white));
    int moved = 0;
    for (int i = 0; i < PIXELS; i++) {
        const uint8_t *a = image.pixels + 4 * i, *kept = init.pixels + 4 * i, *made = white.pixels + 4 * i;
        int m = gray_of(i % SIDE, i / SIDE);
        if (m < 16) assert_memory_equal(a, kept, 4);
        else if (m == 255) assert_memory_equal(a, made, 4), moved += memcmp(made, kept, 4) != 0;
        else {
            double alpha = (m * made[3] + (255 - m) * kept[3]) / 255.0;
            assert_true(fabs(a[3] - alpha) <= 0.5 + 1e-9);
            for (int c = 0; c < 3 && alpha > 0; c++) {
                double seen = (m * made[3] * made[c] + (255 - m) * kept[3] * kept[c]) / 255.0 / alpha;
                assert_true(fabs(a[c] - seen) <= 0.5 + 1e-6);
            }
        }
    }
    assert_true(moved > 9 * SIDE / 2);
    limn_image *all[] = {&init, &mask, &image, &white};
    for (int i = 0; i < 4; i++) limn_image_free(all[i]);
}

/* A square of the latent of which one pixel is not black is made: a line of one pixel is not too thin. */
static void a_square_with_any_white_is_made(void **state)
{
    fixture *f = *state;
    limn_ctx *ctx = f->ctx;
    limn_sampling *s;
    limn_image init, mask;
    OK(limn_image_new(ctx, "init", SIDE, SIDE, 4, &init));
    OK(limn_image_new(ctx, "mask", SIDE, SIDE, 1, &mask));
    fill(&init, 2);
    memset(mask.pixels, 15, PIXELS);
    for (int x = 0; x < SIDE; x++) mask.pixels[(7 + x / 16) * SIDE + x] = 200; /* row 7, then row 8 */
    mask.pixels[PIXELS - 1] = 16;
    limn_generate_options o = f->o;
    o.init = &init, o.mask = &mask, o.strength = 1;
    OK(limn_sampling_begin(f->p, &o, &s));
    for (int i = 0; i < LATENTS * LATENTS; i++) {
        int x = i % LATENTS, y = i / LATENTS;
        assert_true(s->start.mask[i] == (y == (x < 4 ? 1 : 2) || (x == LATENTS - 1 && y == LATENTS - 1)));
    }
    for (int k = 0; k < 2; k++) OK(limn_sampling_step(s));
    limn_image under_way; /* what is kept is clean from the first look on */
    OK(limn_sampling_picture(s, 0, &under_way));
    assert_memory_equal(under_way.pixels, init.pixels, 7 * SIDE * 4);
    limn_sampling_end(s);
    limn_image *all[] = {&init, &mask, &under_way};
    for (int i = 0; i < 3; i++) limn_image_free(all[i]);
}

/* A picture and its mask of other sides than what is made: what is kept is the picture in these sides. */
static void a_picture_of_another_size_is_kept_in_the_new_size(void **state)
{
    fixture *f = *state;
    limn_ctx *ctx = f->ctx;
    enum { W = 48, H = 20, WIDE = 24 };
    limn_image init, mask, image, sized;
    OK(limn_image_new(ctx, "init", W, H, 3, &init));
    OK(limn_image_new(ctx, "mask", W, H, 1, &mask));
    fill(&init, 3);
    for (int i = 0; i < W * H; i++) mask.pixels[i] = i % W < 24 ? 255 : 0;
    limn_generate_options o = f->o;
    o.init = &init, o.mask = &mask, o.strength = 1, o.resample = 1, o.width = WIDE, o.height = SIDE;
    OK(limn_generate(f->p, &o, &image));
    assert_true(image.width == WIDE && image.height == SIDE && image.channels == 4);
    OK(limn_image_resize(ctx, &init, WIDE, SIDE, &sized));
    for (int i = 0; i < WIDE * SIDE; i++)
        if (i % WIDE > 12) {
            assert_memory_equal(image.pixels + 4 * i, sized.pixels + 3 * i, 3);
            assert_int_equal(image.pixels[4 * i + 3], 255);
        }
    limn_image *all[] = {&init, &mask, &image, &sized};
    for (int i = 0; i < 4; i++) limn_image_free(all[i]);
}

/* ---- noise ------------------------------------------------------------------------------------------------------------ */

/* A smooth picture, opaque in the middle, as numbers of the network: colours times alpha. */
static void smooth(float *x)
{
    for (int i = 0; i < 4 * PIXELS; i++) {
        int column = i / 4 % SIDE, row = i / 4 / SIDE, c = i % 4;
        float alpha = column > 3 && column < 28 && row > 3 && row < 28, v = c == 3 ? 1 : 0.25f * (float)(c + 1);
        x[i] = 2 * alpha * v * (c == 1 ? (float)row / SIDE : 1) - 1;
    }
}

/* The picture with noise, as a file has it. */
static void noised(limn_ctx *ctx, const float *x, double noise, int draw, limn_image *out)
{
    float y[4 * PIXELS];
    limn_random_normal(7, LIMN_STREAM_TEST, (uint64_t)draw, 0, 4 * PIXELS, y);
    for (int i = 0; i < 4 * PIXELS; i++) y[i] = x[i] + y[i] * (float)(noise / 127.5);
    OK(limn_picture_bytes(ctx, SIDE, SIDE, 4, y, out));
}

/* By the autoencoder alone, of the noisy picture that comes back: how far noise spreads its latent. */
static double moved_by(fixture *f, const limn_image *noisy, double noise)
{
    limn_ctx *ctx = f->ctx;
    limn_image back, again;
    limn_latent latent, clean, moved;
    float x[4 * PIXELS];
    double squares = 0, mean[LATENTS * LATENTS * 4] = {0};
    OK(limn_encode(f->p->vae, noisy, LIMN_PRECISION_F32, &latent));
    OK(limn_decode(f->p->vae, &latent, LIMN_PRECISION_F32, &back));
    OK(limn_encode(f->p->vae, &back, LIMN_PRECISION_F32, &clean));
    limn_picture_values(&back, x);
    enum { DRAWS = 8, N = LATENTS * LATENTS * 4 };
    for (int k = 0; k < DRAWS; k++) {
        noised(ctx, x, noise, 10 + k, &again);
        OK(limn_encode(f->p->vae, &again, LIMN_PRECISION_F32, &moved));
        for (int i = 0; i < N; i++) {
            double d = moved.values[i] - clean.values[i];
            mean[i] += d / DRAWS, squares += d * d / (DRAWS * N);
        }
        limn_latent_free(&moved);
        limn_image_free(&again);
    }
    limn_latent_free(&latent);
    limn_latent_free(&clean);
    limn_image_free(&back);
    for (int i = 0; i < N; i++) squares -= mean[i] * mean[i] / N;
    return sqrt(squares * DRAWS / (DRAWS - 1));
}

/* The network sets out where it has met as much noise as this spreads the latent, measured at this picture; more noise, more
 * of it. */
static void noise_of_pixels_is_measured_in_latents(void **state)
{
    fixture *f = *state;
    limn_ctx *ctx = f->ctx;
    const double noise[] = {15, 40};
    float x[4 * PIXELS];
    double before = 0;
    smooth(x);
    for (int k = 0; k < 2; k++) {
        limn_image noisy;
        limn_sampling *s;
        double a, b;
        noised(ctx, x, noise[k], 0, &noisy);
        limn_generate_options o = f->o;
        o.init = &noisy, o.noise = noise[k];
        OK(limn_sampling_begin(f->p, &o, &s));
        double expected = moved_by(f, &noisy, noise[k]) * f->p->latent_scale;
        assert_int_equal(limn_sampler_calls(s->sampler), f->o.steps);
        limn_sampler_level(s->sampler, 0, &a, &b);
        if (fabs(b / a / expected - 1) > 0.15) fail_msg("sets out at %g, expected %g", b / a, expected);
        assert_true(b / a > 1.5 * before);
        for (size_t i = 0; i < s->size; i++) assert_true(fabs(s->x[i] - a * s->start.init.mean[i]) < 1e-5);
        before = b / a;
        limn_sampling_end(s);
        limn_image_free(&noisy);
    }
}

/* What is left is the picture's own noise: out = clean + left / noise (noisy - clean), of alpha and of colours times
 * alpha. */
static void noise_that_is_left_is_the_pictures(void **state)
{
    fixture *f = *state;
    limn_ctx *ctx = f->ctx;
    limn_image noisy, clean, half;
    float x[4 * PIXELS], y[4 * PIXELS], z[4 * PIXELS];
    smooth(x);
    noised(ctx, x, 40, 0, &noisy);
    limn_generate_options o = f->o;
    o.init = &noisy, o.noise = 40;
    OK(limn_generate(f->p, &o, &clean));
    o.noise_left = 10;
    OK(limn_generate(f->p, &o, &half));
    limn_picture_values(&noisy, x);
    limn_picture_values(&clean, y);
    limn_picture_values(&half, z);
    for (int i = 0; i < 4 * PIXELS; i++) assert_true(fabs(z[i] - (0.75 * y[i] + 0.25 * x[i])) < 1.6 / 127.5);
    limn_image_free(&half);
    limn_latent latent;
    assert_int_equal(limn_generate_latents(f->p, &o, &latent), LIMN_BAD_ARGUMENT);
    assert_non_null(strstr(limn_error_text(ctx), "noise that is left is a picture's: a latent has none, found 10"));
    o.noise_left = 0;
    OK(limn_generate_latents(f->p, &o, &latent));
    o.init = NULL, o.init_latent = &latent;
    assert_int_equal(limn_generate(f->p, &o, &half), LIMN_BAD_ARGUMENT);
    assert_non_null(strstr(limn_error_text(ctx), "expected the picture that holds the noise, found a latent"));
    limn_latent_free(&latent);
    limn_image_free(&clean);
    o.init_latent = NULL, o.init = &noisy, o.width = 2 * SIDE, warning[0] = '\0'; /* larger pixels: other noise */
    OK(limn_generate(f->p, &o, &clean));
    assert_string_equal(warning, "the picture is brought from 32 x 32 to 64 x 32 pixels, and its noise is then another than "
                        "40");
    limn_image_free(&noisy);
    limn_image_free(&clean);
}

/* ---- many ------------------------------------------------------------------------------------------------------------- */

static void pictures_are_the_same_alone_and_together(void **state)
{
    fixture *f = *state;
    limn_ctx *ctx = f->ctx;
    limn_image all[3], alone, init;
    OK(limn_image_new(ctx, "init", SIDE, SIDE, 4, &init));
    fill(&init, 4);
    for (int start = 0; start < 3; start++) {
        limn_generate_options o = f->o;
        if (start == 1) o.init = &init, o.strength = 0.7;
        if (start == 2) o.between = true, o.to_seed = 9;
        o.n = 3;
        OK(limn_generate(f->p, &o, all));
        for (int i = 0; i < 3; i++) {
            o.n = 1, o.between = false, o.seed = start == 2 ? (i == 0 ? 5 : 9) : 5 + (uint64_t)i;
            OK(limn_generate(f->p, &o, &alone));
            if (start < 2 || i != 1) assert_memory_equal(all[i].pixels, alone.pixels, 4 * PIXELS);
            else assert_memory_not_equal(all[i].pixels, alone.pixels, 4 * PIXELS);
            limn_image_free(&alone);
        }
        for (int i = 0; i < 3; i++) limn_image_free(&all[i]);
    }
    limn_image_free(&init);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_black_is_kept_and_gray_is_mixed),
        cmocka_unit_test(a_square_with_any_white_is_made),
        cmocka_unit_test(a_picture_of_another_size_is_kept_in_the_new_size),
        cmocka_unit_test(noise_of_pixels_is_measured_in_latents),
        cmocka_unit_test(noise_that_is_left_is_the_pictures),
        cmocka_unit_test(pictures_are_the_same_alone_and_together),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
