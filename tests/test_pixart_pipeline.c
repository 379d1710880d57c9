/* test_pixart_pipeline.c: pictures of PixArt-alpha and -Sigma: T5 alone, its padding hidden, sides that are told.  Shrunken
 * networks with weights of a formula; what must come out is diffusers' and transformers' own
 * (oracle/pixart_pipeline.py). */
#include "file/image.h"
#include "make_pixart.h"
#include "pipeline/sampling.h"

static void check_case(limn_ctx *ctx, limn_pipeline *p, const pixart_case *c)
{
    limn_generate_options o = limn_generate_defaults();
    limn_sampling *s;
    limn_image image;
    int number = (int)(c - pixart_cases);
    o.prompt = c->prompt, o.negative = c->negative, o.width = c->width, o.height = c->height, o.steps = PIXART_STEPS;
    o.guidance = c->guidance, o.prompt_style = "plain", o.precision = LIMN_PRECISION_F32;
    OK(limn_sampling_begin(p, &o, &s));
    formula_fill("noise", (int64_t)s->size, 2, s->x);
    for (size_t i = 0; i < s->size; i++) s->x[i] *= (float)limn_sampler_init_sigma(s->sampler);
    assert_int_equal(limn_sampling_left(s), c->calls);
    for (int k = 0; k < c->calls; k++) {
        OK(limn_sampling_step(s));
        if (!k) {
            float *found = malloc((size_t)c->n_features * sizeof *found);
            OK(limn_run_read(s->denoiser->job.run, s->denoiser->job.ports->features, LIMN_F32, found));
            compare("features of case", number, (size_t)c->n_features, 31, found, c->features, 1e-5);
            free(found);
        }
        compare("latents of call", 10 * number + k, s->size, 1, s->x, c->latents + (size_t)k * s->size, 1e-4);
    }
    OK(limn_sampling_picture(s, 0, &image));
    sd_compare_picture("the picture", &image, c->width, c->height, c->picture);
    limn_image_free(&image);
    limn_sampling_end(s);
}

static void folders_draw_what_diffusers_draws(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    for (int i = 0; i < 2; i++) {
        const char *model = i ? "alpha" : "sigma";
        limn_pipeline *p;
        char folder[40];
        snprintf(folder, sizeof folder, "pixart-%s", model);
        pixart_write_folder(ctx, folder, model);
        OK(limn_pipeline_open(ctx, folder, &p));
        limn_pipeline_info info = limn_pipeline_describe(p);
        assert_string_equal(info.sampler, "dpm++2m");
        assert_true(info.reads_text && info.guides && info.guidance == 4.5 && info.text_length == (i ? 120 : 300));
        for (int k = 0; k < PIXART_CASES; k++)
            if (!strcmp(pixart_cases[k].model, model)) check_case(ctx, p, &pixart_cases[k]);
        limn_pipeline_free(p);
    }
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(folders_draw_what_diffusers_draws)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
