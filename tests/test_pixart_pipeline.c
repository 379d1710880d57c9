/* test_pixart_pipeline.c: pictures of PixArt-alpha and -Sigma: T5 alone, its padding hidden, sides that are told.  Shrunken
 * networks with weights of a formula; what must come out is diffusers' and transformers' own
 * (oracle/pixart_pipeline.py). */
#include "check_input.h"
#include "file/image.h"
#include "make_pixart.h"

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
        const limn_node *features = s->denoiser->job.ports->features;
        if (!k) check_input(s, "features of case", number, features, c->n_features, 31, c->features);
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

static limn_latent draw(limn_ctx *ctx, const char *model)
{
    limn_pipeline *p;
    limn_latent out;
    limn_generate_options o = limn_generate_defaults();
    OK(limn_pipeline_open(ctx, model, &p));
    o.prompt = pixart_cases[0].prompt, o.width = o.height = 64, o.steps = 2, o.prompt_style = "plain";
    o.precision = LIMN_PRECISION_F32;
    OK(limn_generate_latents(p, &o, &out));
    limn_pipeline_free(p);
    return out;
}

static void convert(limn_ctx *ctx, const char *in, const char *out, const char *type, const char *dialect)
{
    OK(limn_convert_file(ctx, in, out, &(limn_convert_options){.type = type, .dialect = dialect}));
}

static void draws_alike(limn_ctx *ctx, const char *file, const char *as)
{
    limn_latent found = draw(ctx, file), expected = draw(ctx, as);
    assert_int_equal(found.width * found.height * found.channels, 8 * 8 * 4);
    compare(file, 0, 8 * 8 * 4, 1, found.values, expected.values, 1e-5);
    limn_latent_free(&found);
    limn_latent_free(&expected);
}

/* T5 and the autoencoder are beside a file of the denoiser. */
static void a_file_of_a_folder_draws_the_same(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    pixart_write_folder(ctx, "pixart-beside", "sigma");
    sd3_copy(SD3_PIECES, "pixart-beside/text_encoder/spiece.model");
    draws_alike(ctx, "pixart-beside/transformer/diffusion_pytorch_model.safetensors", "pixart-beside");
    limn_ctx_free(ctx);
}

/* All networks of a folder in one file, T5 among them, under either names, as blocks, and back. */
static void a_converted_folder_draws_the_same(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    pixart_write_folder(ctx, "pixart-whole", "sigma");
    mkdir("pixart-convert", 0777);
    sd3_put("pixart-convert", "config.json", "{\"sample_size\": 8, \"interpolation_scale\": 1, \"num_attention_heads\": 2}");
    sd3_copy(SD3_PIECES, "pixart-convert/spiece.model");
    convert(ctx, "pixart-whole", "pixart-convert/o.safetensors", NULL, "original");
    draws_alike(ctx, "pixart-convert/o.safetensors", "pixart-whole");
    convert(ctx, "pixart-whole", "pixart-convert/d.safetensors", NULL, "diffusers");
    draws_alike(ctx, "pixart-convert/d.safetensors", "pixart-whole");
    convert(ctx, "pixart-convert/o.safetensors", "pixart-convert/back.safetensors", NULL, "diffusers");
    draws_alike(ctx, "pixart-convert/back.safetensors", "pixart-whole");
    convert(ctx, "pixart-convert/back.safetensors", "pixart-convert/q.gguf", "q8_0", "original");
    convert(ctx, "pixart-convert/q.gguf", "pixart-convert/q.safetensors", "f32", NULL);
    draws_alike(ctx, "pixart-convert/q.gguf", "pixart-convert/q.safetensors");
    assert_int_equal(system("grep -qF transformer.transformer_blocks. pixart-convert/d.safetensors"), 0);
    assert_int_equal(system("grep -qF text_encoders.t5xxl.transformer.encoder. pixart-convert/o.safetensors"), 0);
    limn_ctx_free(ctx);
}

static void a_broken_index_is_a_sentence(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p;
    pixart_write_folder(ctx, "pixart-index", "sigma");
    sd3_put("pixart-index", "model_index.json", "{");
    says(ctx, limn_pipeline_open(ctx, "pixart-index", &p), LIMN_BAD_FILE, "pixart-index/model_index.json");
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_draw_what_diffusers_draws),
        cmocka_unit_test(a_file_of_a_folder_draws_the_same),
        cmocka_unit_test(a_converted_folder_draws_the_same),
        cmocka_unit_test(a_broken_index_is_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
