/* test_sdxl.c: pictures of Stable Diffusion XL, its refiner and a pruned relative: two text encoders, the whole text as a
 * vector, numbers about the picture.  Shrunken networks with weights of a formula; what must come out is diffusers' and
 * transformers' own (oracle/sdxl_pipeline.py). */
#include "file/image.h"
#include "make_published.h"
#include "pipeline/sampling.h"
#include "vectors/sdxl.h"

#include <sys/stat.h>
#include <unistd.h>

enum { XL_TENSORS = sizeof xl_tensors / sizeof *xl_tensors };

/* ---- files ------------------------------------------------------------------------------------------------------------ */

static void write_part(limn_ctx *ctx, const char *path, const char *part)
{
    static const sd_tensor *tensors[SD_MOST];
    sd_write(ctx, path, sd_take(xl_tensors, XL_TENSORS, part, NULL, 0, tensors), tensors, "");
}

static void put(const char *folder, const char *inside, const char *text)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", folder, inside);
    write_text(path, text);
}

/* model: "base", "refiner", "pruned". */
static void write_folder(limn_ctx *ctx, const char *folder, const char *model)
{
    static const char *const parts[] = {"", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "unet", "vae",
                                        "scheduler"};
    bool refiner = !strcmp(model, "refiner");
    char path[200];
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, parts[i]);
        if (!refiner || (i != 1 && i != 3)) mkdir(path, 0777);
    }
    put(folder, "model_index.json", refiner ? "{\"force_zeros_for_empty_prompt\": false}"
                                            : "{\"force_zeros_for_empty_prompt\": true}");
    put(folder, "unet/config.json",
        refiner ? "{\"sample_size\": 8, \"attention_head_dim\": [2, 4, 4, 4], \"norm_num_groups\": 32, "
                  "\"addition_time_embed_dim\": 8}"
                : "{\"sample_size\": 8, \"attention_head_dim\": [2, 4, 4], \"norm_num_groups\": 32, "
                  "\"addition_time_embed_dim\": 8}");
    put(folder, "vae/config.json", "{\"scaling_factor\": 0.13025, \"norm_num_groups\": 32}");
    put(folder, "scheduler/scheduler_config.json", SD_EULER);
    put(folder, "tokenizer_2/special_tokens_map.json", "{\"pad_token\": \"!\"}");
    put(folder, "text_encoder_2/config.json", "{\"hidden_act\": \"gelu\", \"num_attention_heads\": 2}");
    if (!refiner) put(folder, "text_encoder/config.json", SD_TEXT);
    for (size_t i = 1; i < 7; i++) {
        bool unet = !strcmp(parts[i], "unet");
        snprintf(path, sizeof path, "%s/%s/%s.safetensors", folder, parts[i],
                 strncmp(parts[i], "text", 4) ? "diffusion_pytorch_model" : "model");
        if (i != 3 && i != 4 && !(refiner && i == 1))
            write_part(ctx, path, unet && strcmp(model, "base") ? model : parts[i]);
    }
}

/* ---- comparing -------------------------------------------------------------------------------------------------------- */

static limn_generate_options options_of(const xl_case *c)
{
    limn_generate_options o = limn_generate_defaults();
    limn_size_condition *size = &o.size_condition;
    o.prompt = c->prompt, o.negative = c->negative, o.width = c->width, o.height = c->height, o.steps = XL_STEPS;
    o.guidance = c->guidance, o.prompt_style = c->style, o.precision = LIMN_PRECISION_F32;
    if (c->n_sizes == 2) size->score = c->sizes[0], size->negative_score = c->sizes[1];
    if (c->n_sizes == 6) {
        size->height = (int)c->sizes[0], size->width = (int)c->sizes[1], size->top = (int)c->sizes[2],
        size->left = (int)c->sizes[3], size->target_height = (int)c->sizes[4], size->target_width = (int)c->sizes[5];
    }
    return o;
}

/* The starting latents that diffusers had: noise, or a latent with noise of the first level. */
static void set_start(limn_sampling *s, const limn_latent *start)
{
    double a, b;
    limn_sampler_level(s->sampler, 0, &a, &b);
    formula_fill("noise", (int64_t)s->size, 2, s->x);
    for (size_t i = 0; i < s->size; i++)
        s->x[i] = (float)(s->o.init_latent ? a * start->values[i] * 0.13025 + b * s->x[i]
                                           : limn_sampler_init_sigma(s->sampler) * s->x[i]);
}

static void check_input(limn_sampling *s, const char *what, int k, const limn_node *node, int n, size_t stride,
                        const float *expected)
{
    float *found = malloc((size_t)n * sizeof *found);
    limn_ctx *ctx = s->p->ctx;
    OK(limn_run_read(s->denoiser->job.run, node, LIMN_F32, found));
    compare(what, k, (size_t)n, stride, found, expected, 1e-5);
    free(found);
}

static void check_case(limn_ctx *ctx, limn_pipeline *p, const xl_case *c)
{
    limn_generate_options o = options_of(c);
    limn_latent start;
    limn_sampling *s;
    limn_image image;
    int number = (int)(c - xl_cases);
    OK(limn_latent_new(ctx, c->height / 8, c->width / 8, 4, &start));
    formula_fill("start", c->height * c->width / 16, 2, start.values);
    for (int i = 0; i < c->height * c->width / 16; i++) start.values[i] /= 0.13025f;
    if (c->strength < 1) o.init_latent = &start, o.strength = c->strength;
    OK(limn_sampling_begin(p, &o, &s));
    set_start(s, &start);
    assert_int_equal(limn_sampling_left(s), c->calls);
    for (int k = 0; k < c->calls; k++) {
        OK(limn_sampling_step(s));
        const limn_ports *ports = s->denoiser->job.ports;
        if (!k) check_input(s, "features of case", number, ports->features, c->n_features, 13, c->features);
        if (!k) check_input(s, "the whole text of case", number, ports->pooled_text, c->n_pooled, 3, c->pooled);
        compare("latents of call", 10 * number + k, s->size, 1, s->x, c->latents + (size_t)k * s->size, 1e-4);
    }
    OK(limn_sampling_picture(s, 0, &image));
    sd_compare_picture("the picture", &image, c->width, c->height, c->picture);
    limn_image_free(&image);
    limn_latent_free(&start);
    limn_sampling_end(s);
}

static void check_cases(limn_ctx *ctx, limn_pipeline *p, const char *model, const char *scheduler)
{
    for (int k = 0; k < XL_CASES; k++)
        if (!strcmp(xl_cases[k].model, model) && !strcmp(xl_cases[k].scheduler, scheduler))
            check_case(ctx, p, &xl_cases[k]);
}

/* ---- tests ------------------------------------------------------------------------------------------------------------ */

static void folders_draw_what_diffusers_draws(void **state)
{
    (void)state;
    static const struct { const char *model, *kind, *config; } runs[] = {
        {"base", "euler", SD_EULER}, {"base", "ddim", SD_DDIM}, {"refiner", "euler", SD_EULER},
        {"pruned", "euler", SD_EULER}};
    limn_ctx *ctx = limn_ctx_new();
    for (int i = 0; i < 4; i++) {
        limn_pipeline *p;
        char folder[40];
        snprintf(folder, sizeof folder, "xl-%s", runs[i].model);
        write_folder(ctx, folder, runs[i].model);
        put(folder, "scheduler/scheduler_config.json", runs[i].config);
        OK(limn_pipeline_open(ctx, folder, &p));
        limn_pipeline_info info = limn_pipeline_describe(p);
        assert_int_equal(info.told_sizes, i == 2 ? 5 : 6);
        assert_int_equal(info.text_width, i == 2 ? 128 : 192);
        assert_int_equal(info.pooled_width, 128);
        assert_int_equal(info.width, 64);
        assert_string_equal(info.sampler, runs[i].kind);
        check_cases(ctx, p, runs[i].model, runs[i].kind);
        limn_pipeline_free(p);
    }
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_draw_what_diffusers_draws),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
