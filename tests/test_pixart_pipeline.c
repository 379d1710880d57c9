/* test_pixart_pipeline.c: pictures of PixArt-alpha and -Sigma: T5 alone, its padding hidden, sides that are told.  Shrunken
 * networks with weights of a formula; what must come out is diffusers' and transformers' own
 * (oracle/pixart_pipeline.py). */
#include "file/image.h"
#include "make_sd3.h"
#include "pipeline/sampling.h"
#include "vectors/pixart_pipeline.h"

enum { PIXART_TENSORS = sizeof pixart_tensors / sizeof *pixart_tensors };
#define DPM                                                                                                                 \
    "{\"_class_name\": \"DPMSolverMultistepScheduler\", \"beta_start\": 0.0001, \"beta_end\": 0.02, " \
    "\"beta_schedule\": \"linear\"}"

static void write_part(limn_ctx *ctx, const char *path, const char *part)
{
    static limn_named_view view[SD_MOST];
    size_t n = 0;
    for (size_t i = 0; i < PIXART_TENSORS; i++) {
        const sd_tensor *t = &pixart_tensors[i];
        if (strcmp(t->part, part)) continue;
        view[n].name = t->name, view[n].view.dtype = LIMN_F32, view[n].view.data = sd3_values(t, &view[n].view.shape);
        n++;
    }
    OK(limn_safetensors_write(ctx, path, n, view, 0, NULL));
    sd_free(n, view);
}

static void write_folder(limn_ctx *ctx, const char *folder, const char *model)
{
    static const char *const parts[] = {"", "transformer", "vae", "scheduler", "text_encoder", "tokenizer"};
    static const sd_tensor *tensors[SD_MOST];
    bool sigma = !strcmp(model, "sigma");
    char path[200];
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, parts[i]);
        mkdir(path, 0777);
    }
    sd3_put(folder, "model_index.json", sigma ? "{\"_class_name\": \"PixArtSigmaPipeline\"}"
                                              : "{\"_class_name\": \"PixArtAlphaPipeline\"}");
    sd3_put(folder, "transformer/config.json", sigma ? "{\"sample_size\": 8, \"interpolation_scale\": 1, "
                                                       "\"num_attention_heads\": 2}"
                                                     : "{\"sample_size\": 128, \"interpolation_scale\": 2, "
                                                       "\"num_attention_heads\": 2, \"use_additional_conditions\": true}");
    sd3_put(folder, "vae/config.json", sigma ? "{\"scaling_factor\": 0.13025, \"norm_num_groups\": 32}" : SD_VAE);
    sd3_put(folder, "scheduler/scheduler_config.json", DPM);
    snprintf(path, sizeof path, "%s/tokenizer/spiece.model", folder);
    sd3_copy(SD3_PIECES, path);
    snprintf(path, sizeof path, "%s/transformer/diffusion_pytorch_model.safetensors", folder);
    write_part(ctx, path, model);
    snprintf(path, sizeof path, "%s/text_encoder/model.safetensors", folder);
    write_part(ctx, path, "text_encoder");
    snprintf(path, sizeof path, "%s/vae/diffusion_pytorch_model.safetensors", folder);
    sd_write(ctx, path, sd_take(sd_tensors, SD_TENSORS, "vae", NULL, 0, tensors), tensors, "");
}

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
        write_folder(ctx, folder, model);
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
