/* test_sd3_pictures.c: pictures of Stable Diffusion 3 that start from a picture: all of it, or what a mask shows; and a
 * second pass at twice the sides.  Shrunken networks with weights of a formula; right values are diffusers'
 * (oracle/sd3_pictures.py). */
#include "file/image.h"
#include "make_sd3.h"
#include "pipeline/sampling.h"
#include "vectors/sd3_pictures.h"

enum { WIDTH = 48, HEIGHT = 32 };

static bool is(const char *a, const char *b) { return !strcmp(a, b); }

static limn_generate_options options_of(const sd3_picture *c)
{
    limn_generate_options o = limn_generate_defaults();
    o.prompt = "a lighthouse at night", o.negative = "fog", o.width = WIDTH, o.height = HEIGHT, o.seed = SD3_SEED;
    o.steps = c->steps, o.guidance = c->guidance, o.prompt_style = "plain", o.resample = 1, o.precision = LIMN_PRECISION_F32;
    o.strength = c->strength;
    return o;
}

static void check_start(limn_ctx *ctx, limn_pipeline *p, const sd3_picture *c, limn_generate_options o)
{
    limn_sampling *s;
    limn_image image;
    int number = (int)(c - sd3_picture_cases);
    OK(limn_sampling_begin(p, &o, &s));
    assert_int_equal(limn_sampling_left(s), c->calls);
    for (int i = 0; i < c->calls; i++) {
        OK(limn_sampling_step(s));
        if (i + 1 < c->calls) limn_start_keep(&s->start, s->sampler, i + 1, s->x); /* as a pipeline leaves it */
        compare("case and call", 100 * number + i, s->size, 1, s->x, c->latents + (size_t)i * s->size, 1e-4);
    }
    OK(limn_sampling_picture(s, 0, &image));
    sd_compare_picture("the picture", &image, WIDTH, HEIGHT, c->picture);
    limn_image_free(&image);
    limn_sampling_end(s);
}

static limn_pipeline *opened(limn_ctx *ctx, const char *model)
{
    limn_pipeline *p;
    char folder[40];
    snprintf(folder, sizeof folder, "sd3-pictures-%s", model);
    sd3_write_folder(ctx, folder, model, "lgt");
    OK(limn_pipeline_open(ctx, folder, &p));
    return p;
}

static void pictures_and_masks_as_diffusers(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_image picture = sd_picture(ctx, WIDTH, HEIGHT), mask = sd_mask(ctx, WIDTH, HEIGHT);
    int drawn = 0;
    for (int k = 0; k < SD3_PICTURES; k++) {
        const sd3_picture *c = &sd3_picture_cases[k];
        limn_generate_options o = options_of(c);
        if (is(c->kind, "hires")) continue;
        limn_pipeline *p = opened(ctx, c->model);
        o.init = &picture, o.mask = is(c->kind, "mask") ? &mask : NULL;
        check_start(ctx, p, c, o), drawn++;
        limn_pipeline_free(p);
    }
    assert_int_equal(drawn, 6);
    limn_image_free(&picture);
    limn_image_free(&mask);
    limn_ctx_free(ctx);
}

/* The last latents, as a file keeps them. */
static void a_second_pass_is_two_pipelines_of_diffusers(void **state)
{
    (void)state;
    enum { SIZE = 2 * WIDTH / 8 * 2 * HEIGHT / 8 * 16 };
    limn_ctx *ctx = limn_ctx_new();
    int drawn = 0;
    for (int k = 0; k < SD3_PICTURES; k++) {
        const sd3_picture *c = &sd3_picture_cases[k];
        limn_generate_options o = options_of(c);
        limn_image image;
        limn_latent latent;
        float expected[SIZE];
        if (!is(c->kind, "hires")) continue;
        limn_pipeline *p = opened(ctx, c->model);
        o.hires = 2, o.hires_steps = c->steps + 1, o.hires_strength = c->strength;
        OK(limn_generate_latents(p, &o, &latent));
        assert_true(latent.width == 2 * WIDTH / 8 && latent.height == 2 * HEIGHT / 8 && latent.channels == 16);
        for (int i = 0; i < SIZE; i++) expected[i] = c->latents[i] / 1.5305f + 0.0609f;
        compare("latents of case", k, SIZE, 1, latent.values, expected, 1e-4);
        OK(limn_generate(p, &o, &image));
        sd_compare_picture("twice the sides", &image, 2 * WIDTH, 2 * HEIGHT, c->picture);
        limn_latent_free(&latent);
        limn_image_free(&image);
        limn_pipeline_free(p);
        drawn++;
    }
    assert_int_equal(drawn, 2);
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(pictures_and_masks_as_diffusers),
                                       cmocka_unit_test(a_second_pass_is_two_pipelines_of_diffusers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
