/* test_start.c: pictures that start from pictures, from a part of one, or between two seeds, with the model that ships,
 * whatever its pictures' size and whether it makes latents. */
#include "denoise/picture.h"
#include "denoise/sampler.h"
#include "base/rng.h"
#include "file/image.h"
#include "pipeline/start.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { MOST = 256 * 256 };

typedef struct fixture {
    limn_ctx *ctx;
    limn_pipeline *p, *digits; /* digits: makes pictures, no latents */
    limn_generate_options o;
    int side, pixels;
    limn_image farmer; /* of seed 5 */
} fixture;

static limn_image make(fixture *f, const limn_generate_options *o)
{
    limn_image image;
    if (limn_generate(f->p, o, &image) != LIMN_OK) fail_msg("%s", limn_error_text(f->ctx));
    return image;
}

static int open_model(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    f->ctx = limn_ctx_new();
    limn_ctx_set_threads(f->ctx, 2);
    if (limn_pipeline_open(f->ctx, LIMN_SOURCE_DIR "/models/emoji", &f->p) != LIMN_OK ||
        limn_pipeline_open(f->ctx, LIMN_SOURCE_DIR "/models/digits", &f->digits) != LIMN_OK)
        fail_msg("%s", limn_error_text(f->ctx));
    f->side = limn_pipeline_describe(f->p).width, f->pixels = f->side * f->side;
    assert_true(f->pixels <= MOST);
    f->o = limn_generate_defaults();
    f->o.prompt = "man farmer, dark skin tone", f->o.steps = 8, f->o.seed = 5, f->o.precision = LIMN_PRECISION_F32;
    f->farmer = make(f, &f->o);
    *state = f;
    return 0;
}

static int close_model(void **state)
{
    fixture *f = *state;
    limn_image_free(&f->farmer);
    limn_pipeline_free(f->p);
    limn_pipeline_free(f->digits);
    limn_ctx_free(f->ctx);
    free(f);
    return 0;
}

/* Root mean square of the distance, in the network's numbers (colours times alpha). */
static double distance(const limn_image *a, const limn_image *b)
{
    size_t n = (size_t)a->width * (size_t)a->height * (size_t)a->channels;
    float *x = malloc(n * sizeof *x), *y = malloc(n * sizeof *y);
    double sum = 0;
    limn_picture_values(a, x);
    limn_picture_values(b, y);
    for (size_t i = 0; i < n; i++) sum += (x[i] - y[i]) * (x[i] - y[i]);
    free(x);
    free(y);
    return sqrt(sum / (double)n);
}

static void strength_says_how_much_is_new(void **state)
{
    fixture *f = *state;
    limn_generate_options o = f->o;
    o.prompt = "woman farmer, light skin tone", o.init = &f->farmer;
    double before = 0, far[] = {0.125, 0.375, 1};
    for (int i = 0; i < 3; i++) {
        o.strength = far[i];
        limn_image image = make(f, &o);
        double moved = distance(&image, &f->farmer);
        if (!(moved > before)) fail_msg("strength %g: moved by %g, before by %g", far[i], moved, before);
        before = moved;
        if (i == 0) assert_true(moved < 0.1);
        if (i == 2) { /* rectified flow begins with noise alone: the picture plays no part */
            o.init = NULL;
            limn_image fresh = make(f, &o);
            assert_memory_equal(fresh.pixels, image.pixels, 4 * (size_t)f->pixels);
            limn_image_free(&fresh);
        }
        limn_image_free(&image);
    }
}

static void count_all_warnings(void *user, limn_log_level level, const char *text)
{
    if (level == LIMN_LOG_WARN && strstr(text, "is no step: the picture comes back as it was")) ++*(int *)user;
    else if (level == LIMN_LOG_WARN) *(int *)user += 100;
}

/* No step is made where steps * strength is below 1: byte for byte the picture, of any kind, also with a mask that wants all
 * anew. */
static void without_a_step_the_picture_itself_comes_back(void **state)
{
    fixture *f = *state;
    enum { SMALL = 32 };
    static uint8_t white[MOST];
    uint8_t gray[SMALL * SMALL];
    memset(white, 255, sizeof white);
    for (int i = 0; i < SMALL * SMALL; i++) gray[i] = (uint8_t)(i * 37);
    limn_image mask = {f->side, f->side, 1, white}, opaque = {SMALL, SMALL, 1, gray}, images[3];
    static const struct { double strength; const char *sampler; int steps, warnings; bool masked;
    } rows[] = {
        {0, NULL, 8, 0, false},     {0, "heun", 1, 0, false},   {0, NULL, 1, 0, true},    {0, "dpm++2m", 8, 0, false},
        {0.124, NULL, 8, 1, false}, {0.001, NULL, 20, 1, true}, {0.5, NULL, 1, 1, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        limn_generate_options o = f->o;
        int warnings = 0;
        limn_ctx_set_log(f->ctx, count_all_warnings, &warnings);
        o.init = &f->farmer, o.strength = rows[i].strength, o.sampler = rows[i].sampler, o.steps = rows[i].steps, o.n = 3,
        o.mask = rows[i].masked ? &mask : NULL;
        assert_int_equal(limn_generate(f->p, &o, images), LIMN_OK);
        assert_int_equal(warnings, rows[i].warnings);
        for (int k = 0; k < 3; k++) {
            assert_true(images[k].width == f->side && images[k].height == f->side && images[k].channels == 4);
            assert_memory_equal(images[k].pixels, f->farmer.pixels, 4 * (size_t)f->pixels);
            limn_image_free(&images[k]);
        }
        limn_ctx_set_log(f->ctx, NULL, NULL);
    }
    limn_generate_options o = f->o;
    limn_image large;
    o.init = &opaque, o.strength = 0;
    limn_image image = make(f, &o);
    assert_int_equal(limn_image_convert(f->ctx, &opaque, 1), LIMN_OK);
    assert_int_equal(limn_image_resize(f->ctx, &opaque, f->side, f->side, &large), LIMN_OK);
    for (int i = 0; i < f->pixels; i++)
        for (int c = 0; c < 4; c++) assert_int_equal(image.pixels[4 * i + c], c < 3 ? large.pixels[i] : 255);
    limn_image_free(&image);
    limn_image_free(&large);
    o.init = &f->farmer, o.strength = 0, o.sampler = "none";
    assert_int_equal(limn_generate(f->p, &o, &image), LIMN_NOT_FOUND); /* what is wrong stays wrong */
}

static void keeps_outside_the_mask(fixture *f, limn_rng rng)
{
    static uint8_t white[MOST];
    limn_image mask = {f->side, f->side, 1, white};
    limn_generate_options o = f->o;
    o.prompt = "woman farmer, light skin tone", o.init = &f->farmer, o.mask = &mask, o.strength = 1, o.resample = 2,
    o.seed = 6, o.rng = rng;
    memset(white, 255, (size_t)(f->pixels / 16 * 7)); /* the upper part anew */
    limn_image image = make(f, &o);
    int moved = 0;
    for (int i = 0; i < f->pixels; i++) {
        const uint8_t *a = image.pixels + 4 * i, *b = f->farmer.pixels + 4 * i;
        if (white[i]) moved += abs(a[1] - b[1]) > 20;
        else for (int c = 0; c < 4; c++) assert_true(c < 3 && b[3] < 250 ? true : abs(a[c] - b[c]) <= 1);
    }
    assert_true(moved > 100);
    o.resample = 1;
    limn_image once = make(f, &o);
    assert_memory_not_equal(once.pixels, image.pixels, 4 * (size_t)f->pixels);
    limn_image_free(&once);
    limn_image_free(&image);
}

static void outside_the_mask_the_picture_is_kept(void **state)
{
    for (int rng = LIMN_RNG_LIMN; rng <= LIMN_RNG_CUDA; rng++) keeps_outside_the_mask(*state, (limn_rng)rng);
}

static char said[512];

static void hear(void *user, limn_log_level level, const char *text)
{
    (void)user;
    snprintf(said, sizeof said, "%s%s", level == LIMN_LOG_WARN ? "warning: " : "", text);
}

/* The mask [side,side] that a picture [h,w,c] of masks comes to where the network makes pictures. */
static limn_status mask_of(fixture *f, const limn_image *mask, int side, float *out)
{
    limn_start start;
    limn_generate_options o = f->o;
    limn_image init;
    assert_int_equal(limn_image_new(f->ctx, "init", (uint32_t)mask->width, (uint32_t)mask->height, 1, &init), LIMN_OK);
    memset(init.pixels, 99, (size_t)mask->width * (size_t)mask->height);
    o.init = &init, o.mask = mask, said[0] = '\0';
    limn_ctx_set_log(f->ctx, hear, NULL);
    limn_status status = limn_start_new(f->digits, &o, 1, side, side, 1, &start);
    limn_ctx_set_log(f->ctx, NULL, NULL);
    if (status == LIMN_OK) memcpy(out, start.mask, (size_t)side * (size_t)side * sizeof *out), limn_start_free(&start);
    limn_image_free(&init);
    return status;
}

/* Gray times alpha over black, by hand: from half (128) on it is white. */
static void what_is_transparent_in_a_mask_is_kept(void **state)
{
    static const uint8_t gray_alpha[] = {255, 255, 255, 0, 0, 255, 0, 0, 255, 128, 255, 127, 200, 200, 128, 255, 127, 255};
    static const uint8_t rgba[] = {255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 255, 0, 0, 0, 0, 240, 255, 250, 255, 255,
                                   0, 0, 20, 255, 255, 255, 254, 9, 9, 9, 255, 0, 0, 0, 255};
    static const float of_gray_alpha[9] = {1, 0, 0, 0, 1, 0, 1, 1, 0}, of_rgba[9] = {1, 0, 0, 0, 1, 0, 1, 0, 0};
    fixture *f = *state;
    float mask[9];
    assert_int_equal(mask_of(f, &(limn_image){3, 3, 2, (uint8_t *)(uintptr_t)gray_alpha}, 3, mask), LIMN_OK);
    assert_memory_equal(mask, of_gray_alpha, sizeof mask);
    assert_string_equal(said, "mask: 4 of 9 pixels (44 %) are white and made anew, the others are kept; 5 are gray or half "
                        "transparent, and white from 128 of 255 on");
    assert_int_equal(mask_of(f, &(limn_image){3, 3, 4, (uint8_t *)(uintptr_t)rgba}, 3, mask), LIMN_OK);
    assert_memory_equal(mask, of_rgba, sizeof mask);
}

static void a_mask_that_says_nothing_is_a_sentence(void **state)
{
    fixture *f = *state;
    float mask[16];
    uint8_t pixels[64 * 3];
    const struct { int w, c, value, first; const char *words; } rows[] = {
        {4, 1, 1, 0, "the mask has no white, the brightest of its 4 x 4 pixels is 1 of 255"}, {4, 1, 0, 0,
                "the brightest of its 4 x 4 pixels is 0 of 255"},
        {4, 2, 0, 255, "the brightest of its 4 x 4 pixels is 0"}, {8, 1, 0, 255,
                "1 of 8 x 8 pixels of the mask are white, too thin for half of one of the network's 4 x 4"},
        {4, 3, 0, 255, "expected a mask of black, gray and white, found the colour 255,0,0 at column 0, row 0"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        memset(pixels, rows[i].value, sizeof pixels);
        if (rows[i].first) pixels[0] = (uint8_t)rows[i].first;
        assert_int_equal(mask_of(f, &(limn_image){rows[i].w, rows[i].w, rows[i].c, pixels}, 4, mask), LIMN_BAD_ARGUMENT);
        if (!strstr(limn_error_text(f->ctx), rows[i].words)) fail_msg("expected \"%s\", found \"%s\"", rows[i].words,
                limn_error_text(f->ctx));
    }
    memset(pixels, 255, sizeof pixels);
    assert_int_equal(mask_of(f, &(limn_image){4, 4, 1, pixels}, 4, mask), LIMN_OK);
    assert_string_equal(said, "warning: the mask is white everywhere: all of the picture is made anew");
}

static void between_seeds(fixture *f, limn_rng rng)
{
    limn_generate_options o = f->o;
    o.prompt = "", o.guidance = 1, o.rng = rng;
    limn_image images[3], first = make(f, &o), last;
    o.seed = 9;
    last = make(f, &o);
    o.seed = 5, o.to_seed = 9, o.n = 3, o.between = true;
    assert_int_equal(limn_generate(f->p, &o, images), LIMN_OK);
    assert_true(distance(&images[0], &first) < 0.005);
    assert_true(distance(&images[2], &last) < 0.005);
    assert_true(distance(&images[1], &last) > 0.05 && distance(&images[1], &first) > 0.05);
    limn_image_free(&first);
    for (int i = 0; i < 3; i++) limn_image_free(&images[i]);
    limn_image_free(&last);
}

static void between_two_seeds_the_ends_are_the_pictures_of_the_seeds(void **state)
{
    for (int rng = LIMN_RNG_LIMN; rng <= LIMN_RNG_CUDA; rng++) between_seeds(*state, (limn_rng)rng);
}

/* @param less  what is left of the distance, at most */
static void noise_leaves(fixture *f, limn_pipeline *p, limn_generate_options o, const limn_image *picture, double less)
{
    size_t n = (size_t)picture->width * (size_t)picture->height * (size_t)picture->channels;
    float *x = malloc(n * sizeof *x), *noise = malloc(n * sizeof *noise);
    limn_image noisy, clean, half;
    limn_picture_values(picture, x);
    limn_random_normal(1, LIMN_STREAM_TEST, 1, 0, n, noise);
    for (size_t i = 0; i < n; i++) x[i] += noise[i] * 40 / 127.5f;
    assert_int_equal(limn_picture_bytes(f->ctx, picture->width, picture->height, picture->channels, x, &noisy), LIMN_OK);
    o.init = &noisy, o.noise = 40;
    if (limn_generate(p, &o, &clean) != LIMN_OK) fail_msg("%s", limn_error_text(f->ctx));
    o.noise_left = 20;
    if (limn_generate(p, &o, &half) != LIMN_OK) fail_msg("%s", limn_error_text(f->ctx));
    double before = distance(&noisy, picture), left = distance(&half, picture), after = distance(&clean, picture);
    if (!(after < less * before && left > after && left < before))
        fail_msg("distances: %g noisy, %g with half of the noise, %g without", before, left, after);
    limn_image *all[] = {&clean, &half, &noisy};
    for (int i = 0; i < 3; i++) limn_image_free(all[i]);
    free(x);
    free(noise);
}

static void noise_is_taken_out(void **state)
{
    fixture *f = *state;
    limn_generate_options o = limn_generate_defaults();
    limn_image three;
    noise_leaves(f, f->p, f->o, &f->farmer, 0.4);
    o.label = 3, o.guidance = 2, o.steps = 10, o.precision = LIMN_PRECISION_F32;
    if (limn_generate(f->digits, &o, &three) != LIMN_OK) fail_msg("%s", limn_error_text(f->ctx));
    o.guidance = 1;
    noise_leaves(f, f->digits, o, &three, 0.5);
    limn_image_free(&three);
}

/* Levels are told apart by b / a, whatever the frame of x. */
static void a_sampler_sets_out_at_the_level_that_was_asked_for(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    const char *const names[] = {"euler", "ddim", "ddpm", "dpm++2m", "euler_a", "flow_euler"};
    for (int i = 0; i < 6; i++) {
        limn_sampler *s;
        limn_sampler_options o = limn_sampler_defaults();
        o.name = names[i], o.n_steps = 7, o.from_sigma = 0.6, o.to_sigma = 0.1;
        if (i == 5) o.schedule.kind = LIMN_SCHEDULE_FLOW;
        if (limn_sampler_new(ctx, &o, &s) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
        double a, b, before = 0.6 + 1e-9;
        for (int k = 0; k <= 7; k++, before = b / a) {
            limn_sampler_level(s, k, &a, &b);
            assert_true(b / a < before);
            if (k == 0) assert_true(fabs(b / a - 0.6) < 1e-9);
        }
        assert_true(fabs(b / a - 0.1) < 1e-9);
        assert_true(fabs(limn_sampler_timestep(s, 0) - (i == 5 ? 375 : 0)) < (i == 5 ? 1e-6 : 400));
        limn_sampler_free(s);
    }
    limn_ctx_free(ctx);
}

/* Of a black picture the network knows all: eps = x / b.  However often a step is done again, what is left is noise of the
 * level, as strong as the level says: the noise of each repetition must be another one. */
static void noise_keeps_its_strength_when_steps_are_repeated(void **state)
{
    enum { N = 4096, AGAIN = 5, N_KINDS = 3 };
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    const char *const names[] = {"ddpm", "ddim"};
    float *x = malloc(N * sizeof *x), *y = malloc(N * sizeof *y), *spare = malloc(N * sizeof *spare);
    for (int i = 0; i < 2 * N_KINDS; i++) {
        limn_sampler *s;
        limn_sampler_options o = limn_sampler_defaults();
        limn_generate_options asked = limn_generate_defaults();
        limn_start start = {.o = &asked, .n = 1, .size = N, .spare = spare};
        o.name = names[i % 2], o.n_steps = 20, o.eta = i % 2, o.rng = (limn_rng)(LIMN_RNG_LIMN + i / 2);
        assert_int_equal(limn_sampler_new(ctx, &o, &s), LIMN_OK);
        assert_int_equal(limn_sampler_begin(ctx, s, 1, N, &(limn_picture_seed){42, 0}), LIMN_OK);
        limn_sampler_start(s, NULL, x);
        for (int k = 0; k + 1 < limn_sampler_calls(s); k++) {
            double a, b, sum = 0;
            limn_sampler_level(s, k, &a, &b);
            for (int repeat = 0; repeat < AGAIN; repeat++) {
                for (int p = 0; p < N; p++) y[p] = (float)(x[p] / b);
                limn_sampler_step(s, k, y, x);
                if (repeat + 1 < AGAIN) limn_start_again(&start, s, k, repeat, x);
            }
            limn_sampler_level(s, k + 1, &a, &b);
            for (int p = 0; p < N; p++) sum += (double)x[p] * x[p];
            if (fabs(sqrt(sum / N) / b - 1) > 0.05)
                fail_msg("%s, call %d: noise of %g, expected %g", names[i % 2], k, sqrt(sum / N), b);
        }
        limn_sampler_free(s);
    }
    free(x);
    free(y);
    free(spare);
    limn_ctx_free(ctx);
}

static void count_warnings(void *user, limn_log_level level, const char *text)
{
    if (level == LIMN_LOG_WARN && strstr(text, "no transparency")) ++*(int *)user;
}

static void a_picture_without_transparency_is_warned_of_once(void **state)
{
    fixture *f = *state;
    static uint8_t pixels[3 * MOST];
    limn_image opaque = {f->side, f->side, 3, pixels}, images[2];
    limn_generate_options o = f->o;
    int warnings = 0;
    o.strength = 0.125, o.n = 2;
    limn_ctx_set_log(f->ctx, count_warnings, &warnings);
    for (int i = 0; i < 2; i++) {
        o.init = i ? &opaque : &f->farmer;
        assert_int_equal(limn_generate(f->p, &o, images), LIMN_OK);
        assert_int_equal(warnings, i);
        limn_image_free(&images[0]);
        limn_image_free(&images[1]);
    }
    limn_ctx_set_log(f->ctx, NULL, NULL);
}

static void refused(fixture *f, const limn_generate_options *o, const char *words)
{
    limn_image image;
    assert_int_equal(limn_generate(f->p, o, &image), LIMN_BAD_ARGUMENT);
    if (!strstr(limn_error_text(f->ctx), words)) fail_msg("\"%s\" does not say \"%s\"", limn_error_text(f->ctx), words);
}

#define REFUSED(change, words)                                                                                              \
    do {                                                                                                                    \
        limn_generate_options o = f->o;                                                                                     \
        o.init = &f->farmer;                                                                                                \
        change;                                                                                                             \
        refused(f, &o, words);                                                                                              \
    } while (0)

static void what_does_not_go_together_is_refused(void **state)
{
    fixture *f = *state;
    static uint8_t few[16], many[MOST];
    char sizes[100];
    limn_image small = {4, 4, 1, few}, mask = {f->side, f->side, 1, many};
    snprintf(sizes, sizeof sizes, "the size of the picture, %d x %d, found 4 x 4", f->side, f->side);
    REFUSED(o.strength = 1.5, "strength from 0 to 1, found 1.5");
    REFUSED(o.strength = NAN, "strength from 0 to 1");
    REFUSED(o.mask = &small, sizes);
    REFUSED((o.mask = &mask, o.init = NULL), "no picture to start from");
    REFUSED((o.mask = &mask, o.resample = 0), "1 to 100 times, found 0");
    REFUSED((o.mask = &mask, o.sampler = "heun"), "take euler");
    REFUSED((o.mask = &mask, o.sampler = "ddim"), "rectified flow: take euler"); /* what is advised works */
    assert_null(strstr(limn_error_text(f->ctx), "heun"));
    REFUSED((o.sampler = "ddim"), "take euler, heun, dpm++2m");
    REFUSED(o.eta = 0.5, "eta is for samplers ddim and tcd, and the sampler is euler, as for all that was trained on "
                         "rectified flow: leave it out");
    REFUSED((o.mask = &mask, o.noise = 4), "keep its noise");
    REFUSED(o.between = true, "start from noise");
    REFUSED((o.noise = 10, o.noise_left = 10), "less than the noise there is");
    REFUSED((o.noise = 10, o.init = NULL), "a picture that holds the noise");
    REFUSED((o.noise = 10, o.rng = LIMN_RNG_CPU), "expected no random numbers of PyTorch's");
    REFUSED((o.noise = 10, o.rng = LIMN_RNG_CUDA), "expected no random numbers of PyTorch's");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strength_says_how_much_is_new),
        cmocka_unit_test(without_a_step_the_picture_itself_comes_back),
        cmocka_unit_test(outside_the_mask_the_picture_is_kept),
        cmocka_unit_test(what_is_transparent_in_a_mask_is_kept),
        cmocka_unit_test(a_mask_that_says_nothing_is_a_sentence),
        cmocka_unit_test(between_two_seeds_the_ends_are_the_pictures_of_the_seeds),
        cmocka_unit_test(noise_is_taken_out),
        cmocka_unit_test(a_picture_without_transparency_is_warned_of_once),
        cmocka_unit_test(noise_keeps_its_strength_when_steps_are_repeated),
        cmocka_unit_test(a_sampler_sets_out_at_the_level_that_was_asked_for),
        cmocka_unit_test(what_does_not_go_together_is_refused),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
