/* test_pix2pix.c: U-Nets that change a picture as a text says (InstructPix2Pix), of Stable Diffusion 1 and XL.  Shrunken
 * ones with weights of a formula, in a folder of diffusers, in one file and in parts; latents after every call and pictures
 * are those of diffusers' InstructPix2Pix pipelines, from the same seed (oracle/sd_pix2pix.py). */
#include "denoise/guidance.h"
#include "file/image.h"
#include "graph/node.h"
#include "keep_log.h"
#include "make_published.h"
#include "pipeline/sampling.h"
#include "run_program.h"
#include "vectors/sd_pix2pix.h"
#include "vectors/sdxl.h"

#include <sys/stat.h>
#include <unistd.h>

#define LIMN "OMP_WAIT_POLICY=passive " LIMN_BINARY_DIR "/limn "
enum { XL_TENSORS = sizeof xl_tensors / sizeof *xl_tensors, NUMBERS = 4096 };

/* ---- files ------------------------------------------------------------------------------------------------------------ */

#define EULER_A "{\"_class_name\": \"EulerAncestralDiscreteScheduler\", " SD_BETAS "}"
static const struct scheduler { const char *name, *config, *sampler; } schedulers[] = {
    {"euler_a", EULER_A, NULL}, /* what a file alone is drawn with */
    {"ddim", SD_DDIM, "ddim"},
    {"pndm", SD_PNDM, "plms"},
    {"dpm", "{\"_class_name\": \"DPMSolverMultistepScheduler\", " SD_BETAS "}", "dpm++2m"},
};
enum { SCHEDULERS = sizeof schedulers / sizeof *schedulers };

/* The U-Net of a table, whose first convolution reads more channels. */
static size_t take_unet(const sd_tensor *table, size_t n_table, int channels, size_t n, const sd_tensor **tensors)
{
    static sd_tensor first[2];
    sd_tensor *seeing = &first[table == xl_tensors];
    size_t all = sd_take(table, n_table, "unet", NULL, n, tensors);
    for (size_t i = n; i < all; i++)
        if (!strcmp(tensors[i]->name, "conv_in.weight")) *seeing = *tensors[i], tensors[i] = seeing;
    seeing->dim[1] = channels;
    return all;
}

static size_t take_sd_unet(size_t n, const sd_tensor **tensors)
{
    return take_unet(sd_tensors, SD_TENSORS, 8, n, tensors);
}

static void write_folder(limn_ctx *ctx)
{
    static const char *const folders[] = {"pix", "pix/unet", "pix/vae", "pix/text_encoder", "pix/scheduler"};
    static const sd_tensor *tensors[SD_MOST];
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) mkdir(folders[i], 0777);
    write_text("pix/unet/config.json", "{\"sample_size\": 8, \"norm_num_groups\": 32, \"layers_per_block\": 1, "
               "\"attention_head_dim\": 8, \"in_channels\": 8}");
    write_text("pix/vae/config.json", SD_VAE);
    write_text("pix/text_encoder/config.json", SD_TEXT);
    sd_write(ctx, "pix/unet/diffusion_pytorch_model.safetensors", take_sd_unet(0, tensors), tensors, "");
    sd_write(ctx, "pix/vae/diffusion_pytorch_model.safetensors",
             sd_take(sd_tensors, SD_TENSORS, "vae", NULL, 0, tensors), tensors, "");
    sd_write(ctx, "pix/text_encoder/model.safetensors",
             sd_take(sd_tensors, SD_TENSORS, "text_encoder", NULL, 0, tensors), tensors, "");
}

static void write_one_file(limn_ctx *ctx)
{
    static const sd_tensor *tensors[SD_MOST];
    size_t n = sd_take(sd_tensors, SD_TENSORS, "text_encoder", NULL, 0, tensors);
    n = sd_take(sd_tensors, SD_TENSORS, "vae", NULL, n, tensors);
    mkdir("pix-one", 0777);
    sd_write(ctx, "pix-one/edit.safetensors", take_sd_unet(n, tensors), tensors, NULL);
}

static void write_xl(limn_ctx *ctx, const char *scheduler)
{
    static const struct { const char *part, *file, *config; } parts[] = {
        {"unet", "diffusion_pytorch_model", "{\"sample_size\": 8, \"attention_head_dim\": [2, 4, 4], "
                                            "\"norm_num_groups\": 32, \"addition_time_embed_dim\": 8, \"in_channels\": 8}"},
        {"vae", "diffusion_pytorch_model", "{\"scaling_factor\": 0.13025, \"norm_num_groups\": 32}"},
        {"text_encoder", "model", SD_TEXT},
        {"text_encoder_2", "model", "{\"hidden_act\": \"gelu\", \"num_attention_heads\": 2}"}};
    static const sd_tensor *tensors[SD_MOST];
    mkdir("pix-xl", 0777), mkdir("pix-xl/scheduler", 0777), mkdir("pix-xl/tokenizer_2", 0777);
    write_text("pix-xl/model_index.json", "{\"force_zeros_for_empty_prompt\": true}");
    write_text("pix-xl/scheduler/scheduler_config.json", scheduler);
    write_text("pix-xl/tokenizer_2/special_tokens_map.json", "{\"pad_token\": \"!\"}");
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char path[100];
        snprintf(path, sizeof path, "pix-xl/%s", parts[i].part), mkdir(path, 0777);
        snprintf(path, sizeof path, "pix-xl/%s/config.json", parts[i].part), write_text(path, parts[i].config);
        snprintf(path, sizeof path, "pix-xl/%s/%s.safetensors", parts[i].part, parts[i].file);
        size_t n = i ? sd_take(xl_tensors, XL_TENSORS, parts[i].part, NULL, 0, tensors)
                     : take_unet(xl_tensors, XL_TENSORS, 8, 0, tensors);
        sd_write(ctx, path, n, tensors, "");
    }
}

static limn_pipeline *opened(limn_ctx *ctx, const char *scheduler)
{
    limn_pipeline *p;
    write_folder(ctx);
    write_text("pix/scheduler/scheduler_config.json", scheduler);
    OK(limn_pipeline_open(ctx, "pix", &p));
    return p;
}

/* ---- what diffusers drew ---------------------------------------------------------------------------------------------- */

/* Neither sides nor a strength: those of the picture, and noise alone. */
static limn_generate_options options_of(const pix_case *c, const limn_image *picture)
{
    limn_generate_options o = limn_generate_defaults();
    o.prompt = pix_prompt, o.negative = c->negative, o.seed = PIX_SEED, o.steps = c->steps, o.guidance = c->guidance;
    o.image_guidance = c->image_guidance, o.init = picture, o.prompt_style = "plain", o.precision = LIMN_PRECISION_F32;
    return o;
}

static void check_case(limn_ctx *ctx, limn_pipeline *p, const pix_case *c, const char *sampler)
{
    limn_image picture = sd_picture(ctx, c->width, c->height), drawn;
    limn_generate_options o = options_of(c, &picture);
    limn_sampling *s;
    int k = (int)(c - pix_cases);
    o.sampler = sampler;
    OK(limn_sampling_begin(p, &o, &s));
    assert_int_equal(limn_sampling_left(s), c->calls);
    bool guided = c->guidance > 1 && c->image_guidance >= 1;
    assert_int_equal(s->denoiser->job.shape.batch, !guided ? 1 : c->image_guidance == 1 ? 2 : 3);
    for (int i = 0; i < c->calls; i++) {
        OK(limn_sampling_step(s));
        compare("case and call", 100 * k + i, s->size, 1, s->x, c->latents + (size_t)i * s->size, 1e-4);
    }
    limn_sampling_end(s);
    OK(limn_generate(p, &o, &drawn));
    sd_compare_picture(c->scheduler, &drawn, c->width, c->height, c->picture);
    limn_image_free(&drawn);
    limn_image_free(&picture);
}

static bool is_of(int k, const char *net, int scheduler)
{
    return !strcmp(pix_cases[k].net, net) && !strcmp(pix_cases[k].scheduler, schedulers[scheduler].name);
}

static void folders_draw_what_diffusers_draws(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    int drawn = 0;
    for (int i = 0; i < SCHEDULERS; i++) {
        limn_pipeline *p = opened(ctx, schedulers[i].config), *xl;
        write_xl(ctx, schedulers[i].config);
        OK(limn_pipeline_open(ctx, "pix-xl", &xl));
        assert_int_equal(limn_pipeline_describe(xl).told_sizes, 6);
        for (int k = 0; k < PIX_CASES; k++) {
            if (is_of(k, "sd", i)) check_case(ctx, p, &pix_cases[k], NULL), drawn++;
            if (is_of(k, "xl", i)) check_case(ctx, xl, &pix_cases[k], NULL), drawn++;
        }
        limn_pipeline_free(p);
        limn_pipeline_free(xl);
    }
    assert_int_equal(drawn, PIX_CASES);
    limn_ctx_free(ctx);
}

static void draw_all(limn_ctx *ctx, limn_pipeline *p)
{
    assert_true(limn_pipeline_describe(p).edits && !limn_pipeline_describe(p).inpaints);
    assert_string_equal(limn_pipeline_describe(p).sampler, "euler_a");
    for (int k = 0; k < PIX_CASES; k++)
        for (int i = 0; i < SCHEDULERS; i++)
            if (is_of(k, "sd", i)) check_case(ctx, p, &pix_cases[k], schedulers[i].sampler);
}

static void one_file_and_parts_draw_the_same(void **state)
{
    (void)state;
    static const sd_tensor *tensors[SD_MOST];
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p;
    write_one_file(ctx);
    OK(limn_pipeline_open(ctx, "pix-one/edit.safetensors", &p));
    draw_all(ctx, p);
    limn_pipeline_free(p);
    mkdir("pix-parts", 0777), mkdir("pix-alone", 0777);
    sd_write(ctx, "pix-parts/t.safetensors", sd_take(sd_tensors, SD_TENSORS, "text_encoder", NULL, 0, tensors), tensors, "");
    sd_write(ctx, "pix-parts/v.safetensors", sd_take(sd_tensors, SD_TENSORS, "vae", NULL, 0, tensors), tensors, "");
    sd_write(ctx, "pix-alone/u.safetensors", take_sd_unet(0, tensors), tensors, "");
    OK(limn_pipeline_open_parts(ctx, &(limn_pipeline_parts){.diffusion_model = "pix-alone/u.safetensors",
                                                            .clip_l = "pix-parts/t.safetensors",
                                                            .vae = "pix-parts/v.safetensors"}, &p));
    draw_all(ctx, p);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* ---- what it hangs on ------------------------------------------------------------------------------------------------- */

/* The numbers of picture i that was drawn with these options. */
static size_t latent_of(limn_ctx *ctx, limn_pipeline *p, const limn_generate_options *o, int i, float out[NUMBERS])
{
    limn_latent latents[8] = {{0}};
    assert_true(o->n <= 8);
    OK(limn_generate_latents(p, o, latents));
    size_t n = (size_t)latents[i].width * (size_t)latents[i].height * (size_t)latents[i].channels;
    assert_true(n <= NUMBERS);
    memcpy(out, latents[i].values, n * sizeof *out);
    for (int k = 0; k < o->n; k++) limn_latent_free(&latents[k]);
    return n;
}

/* Largest difference, in parts of the largest number. */
static double apart(size_t n, const float *a, const float *b)
{
    double most = 0, worst = 0;
    for (size_t i = 0; i < n; i++) most = fmax(most, fabs((double)a[i])), worst = fmax(worst, fabs((double)a[i] - b[i]));
    return worst / most;
}

/* Each moves the result a hundred times as far as is allowed beside diffusers. */
static void the_picture_the_words_and_both_scales_matter(void **state)
{
    (void)state;
    static float first[NUMBERS], other[NUMBERS];
    static const char *const what[] = {"picture", "prompt", "negative", "guidance", "image guidance", "rescale"};
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = opened(ctx, SD_DDIM);
    const pix_case *c = &pix_cases[2];
    limn_image picture = sd_picture(ctx, c->width, c->height), dark = sd_picture(ctx, c->width, c->height);
    for (int i = 0; i < c->width * c->height * 3; i++) dark.pixels[i] /= 2;
    limn_generate_options base = options_of(c, &picture);
    size_t n = latent_of(ctx, p, &base, 0, first);
    for (int k = 0; k < 6; k++) {
        limn_generate_options o = base;
        if (k == 0) o.init = &dark;
        if (k == 1) o.prompt = "a red boat";
        if (k == 2) o.negative = "a red boat";
        if (k == 3) o.guidance += 1;
        if (k == 4) o.image_guidance += 1;
        if (k == 5) o.guidance_rescale = 0.7;
        latent_of(ctx, p, &o, 0, other);
        if (apart(n, first, other) < 1e-2) fail_msg("%s: differs by %g only", what[k], apart(n, first, other));
    }
    limn_generate_options o = base;
    o.strength = 0.1;
    latent_of(ctx, p, &o, 0, other);
    assert_memory_equal(first, other, n * sizeof *first);
    o = base, o.guidance = 1; /* no guidance: neither by the text nor by the picture */
    n = latent_of(ctx, p, &o, 0, first);
    o.image_guidance = 4, o.negative = "a red boat";
    latent_of(ctx, p, &o, 0, other);
    assert_memory_equal(first, other, n * sizeof *first);
    limn_image_free(&picture);
    limn_image_free(&dark);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* Also in chunks, where both negative rows have theirs; from a latent, as the encoder makes it; between two seeds. */
static void a_picture_is_the_same_in_other_company(void **state)
{
    (void)state;
    static float first[NUMBERS], other[NUMBERS];
    static const char *const styles[] = {"a1111", "comfy"};
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = opened(ctx, EULER_A);
    limn_image picture = sd_picture(ctx, 48, 32);
    limn_generate_options base = options_of(&pix_cases[2], &picture), o = base;
    limn_autoencoder *a;
    limn_latent latent;
    base.seed = PIX_SEED + 2;
    size_t n = latent_of(ctx, p, &base, 0, first);
    o.n = 3;
    latent_of(ctx, p, &o, 2, other);
    compare("among three", 2, n, 1, other, first, 1e-5);
    for (size_t i = 0; i < 2; i++) {
        o = base, o.prompt_style = styles[i];
        latent_of(ctx, p, &o, 0, other);
        compare("style", (int)i, n, 1, other, first, 1e-5);
    }
    OK(limn_autoencoder_open(ctx, "pix/vae", &a));
    OK(limn_encode(a, &picture, LIMN_PRECISION_F32, &latent));
    o = base, o.init = NULL, o.init_latent = &latent;
    latent_of(ctx, p, &o, 0, other);
    compare("from its latent", 0, n, 1, other, first, 1e-5);
    o = base, o.between = true, o.to_seed = 1, o.n = 2; /* what is added on the way is the first seed's */
    latent_of(ctx, p, &o, 0, other);
    compare("between two seeds", 0, n, 1, other, first, 1e-5);
    limn_latent_free(&latent);
    limn_autoencoder_free(a);
    limn_image_free(&picture);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* Equation 3, of two pixels of two channels, the second of which is not guided. */
static void guidance_is_that_of_the_paper(void **state)
{
    (void)state;
    const float both[] = {5, 1, -2, 4}, image[] = {3, 9, 1, 9}, none[] = {2, 9, 4, 9}, expected[] = {2 + 1.5f + 15, 1,
                                                                                                    4 - 4.5f - 22.5f, 4};
    float out[4];
    limn_guidance_combine_edit(both, image, none, 2, 2, 1, 7.5, 1.5, out);
    for (int i = 0; i < 4; i++) assert_true(out[i] == expected[i]);
    memcpy(out, none, sizeof out);
    limn_guidance_combine_edit(both, image, out, 2, 2, 2, 1, 1, out); /* in place; both scales 1: no guidance */
    for (int i = 0; i < 4; i++) assert_true(out[i] == both[i]);
}

/* ---- sides and sentences ---------------------------------------------------------------------------------------------- */

static void sides_are_those_of_the_picture(void **state)
{
    (void)state;
    static const struct { int of_picture[2], asked[2], made[2]; } rows[] = {
        {{48, 32}, {0, 0}, {48, 32}}, {{55, 37}, {0, 0}, {48, 32}}, {{5, 37}, {0, 0}, {8, 32}},
        {{48, 32}, {24, 0}, {24, 16}}, {{48, 32}, {0, 64}, {96, 64}}, {{40, 36}, {80, 0}, {80, 72}},
        {{48, 32}, {40, 24}, {40, 24}}};
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = opened(ctx, SD_DDIM);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        limn_image picture = sd_picture(ctx, rows[i].of_picture[0], rows[i].of_picture[1]), made;
        limn_generate_options o = options_of(&pix_cases[6], &picture);
        o.steps = 1, o.width = rows[i].asked[0], o.height = rows[i].asked[1];
        OK(limn_generate(p, &o, &made));
        if (made.width != rows[i].made[0] || made.height != rows[i].made[1])
            fail_msg("row %zu: %d x %d", i, made.width, made.height);
        limn_image_free(&made);
        limn_image_free(&picture);
    }
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

static void what_does_not_fit_is_a_sentence(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = opened(ctx, SD_DDIM);
    limn_image picture = sd_picture(ctx, 48, 32), mask, large = sd_picture(ctx, 160, 160), image;
    limn_generate_options base = options_of(&pix_cases[2], &picture), o = base;
    limn_upscale_options twice = {.scale = 2};
    OK(limn_image_new(ctx, "a mask", 48, 32, 1, &mask));
    memset(mask.pixels, 255, 48 * 32);
    o.init = NULL;
    says(ctx, limn_generate(p, &o, &image), LIMN_BAD_ARGUMENT, "changes a picture as a text says: expected that picture");
    o = base, o.mask = &mask;
    says(ctx, limn_generate(p, &o, &image), LIMN_BAD_ARGUMENT, "changes all of a picture, and keeps nothing by a mask");
    o = base, o.noise = 20;
    says(ctx, limn_generate(p, &o, &image), LIMN_UNSUPPORTED, "takes no noise out of one: take the model that it was made");
    o = base, o.hires = 2;
    says(ctx, limn_generate(p, &o, &image), LIMN_BAD_ARGUMENT, "a second pass (hires) draws a picture anew");
    o = base, o.init = NULL;
    says(ctx, limn_upscale(p, &picture, &twice, &o, &image), LIMN_UNSUPPORTED, "draws none anew in tiles");
    o = base, o.image_guidance = NAN;
    says(ctx, limn_generate(p, &o, &image), LIMN_BAD_ARGUMENT, "an image guidance scale from 0 to 1000, found nan");
    o = base, o.image_guidance = 0.5, o.init = &large, o.steps = 1;
    limn_ctx_set_log(ctx, keep_log, NULL);
    OK(limn_generate(p, &o, &image));
    limn_ctx_set_log(ctx, NULL, NULL);
    if (!strstr(logged, "guidance 7.5 and image guidance 0.5 are none") || !strstr(logged, "draws best near 64 x 64"))
        fail_msg("not said in \"%s\"", logged);
    limn_image_free(&image);
    limn_image_free(&picture);
    limn_image_free(&large);
    limn_image_free(&mask);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* Of 7 channels beside 4, and in config.json other than in the tensors; the setting beside another one. */
static void networks_that_are_none_are_sentences(void **state)
{
    (void)state;
    static const sd_tensor *tensors[SD_MOST];
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = opened(ctx, SD_DDIM);
    limn_pipeline_free(p);
    size_t n = take_unet(sd_tensors, SD_TENSORS, 7, 0, tensors);
    write_text("pix/unet/config.json", "{\"in_channels\": 9}");
    says(ctx, limn_pipeline_open(ctx, "pix", &p), LIMN_BAD_FILE, "in_channels 9, and its tensors have 8");
    sd_write(ctx, "pix/unet/diffusion_pytorch_model.safetensors", n, tensors, "");
    says(ctx, limn_pipeline_open(ctx, "pix", &p), LIMN_UNSUPPORTED, "reads 7 channels and makes 4: expected 4, or with a "
         "picture that it changes 8, or with what it fills in 9");
    limn_settings s;
    limn_ports ports;
    limn_graph *g = limn_graph_new(ctx);
    OK(limn_settings_find(ctx, "ldm-unet", &s));
    OK(limn_settings_apply(ctx, &s, "inpaint=1 edit=1"));
    says(ctx, limn_model_build(g, &s, (limn_build){.batch = 1, .n_steps = 1}, &ports), LIMN_BAD_ARGUMENT,
         "inpaint and edit are two networks");
    limn_graph_free(g);
    limn_ctx_free(ctx);
}

/* diffusers' count of the published network at full size. */
static void full_size_has_as_many_numbers(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_settings s;
    limn_ports ports;
    limn_graph *g = limn_graph_new(ctx);
    int64_t numbers = 0;
    OK(limn_settings_find(ctx, "ldm-unet", &s));
    OK(limn_settings_apply(ctx, &s, "edit=1"));
    OK(limn_model_build(g, &s, (limn_build){.batch = 1, .n_steps = 1}, &ports));
    for (int k = 0; k < g->n_parameters; k++) numbers += limn_node_count(g->parameters[k]);
    assert_int_equal(numbers, 859520964 + 320 * 4 * 9);
    limn_graph_free(g);
    limn_ctx_free(ctx);
}

/* ---- the program ------------------------------------------------------------------------------------------------------ */

static void run(const char *arguments, int code, const char *words)
{
    char command[700];
    int found;
    snprintf(command, sizeof command, LIMN "%s", arguments);
    char *text = run_program(command, "pix-said.txt", &found);
    if (found != code << 8 || !strstr(text, words))
        fail_msg("%s: code %d, and \"%s\" does not say \"%s\"", command, found >> 8, text, words);
}

static void same_pixels(limn_ctx *ctx, const char *a, const char *b)
{
    limn_image one, two;
    OK(limn_image_read(ctx, a, 0, &one));
    OK(limn_image_read(ctx, b, 0, &two));
    assert_true(one.width == two.width && one.height == two.height && one.channels == two.channels);
    assert_memory_equal(one.pixels, two.pixels, (size_t)one.width * (size_t)one.height * (size_t)one.channels);
    limn_image_free(&one);
    limn_image_free(&two);
}

#define EDIT "-m pix-one/edit.safetensors -i pix-seen.png "
static void the_program_changes_a_picture(void **state)
{
    (void)state;
    if (access(LIMN_BINARY_DIR "/limn", X_OK)) skip();
    static const sd_tensor *tensors[SD_MOST];
    limn_ctx *ctx = limn_ctx_new();
    limn_image picture = sd_picture(ctx, 50, 37);
    write_one_file(ctx);
    sd_write(ctx, "pix-one/sd.safetensors", sd_take(sd_tensors, SD_TENSORS, NULL, NULL, 0, tensors), tensors, NULL);
    OK(limn_png_write(ctx, "pix-seen.png", &picture, NULL));
    run("generate 'make it winter' " EDIT "-n fog --steps 2 --img-cfg-scale 2 --precision f32 -o pix.png", 0, "");
    run("inspect pix.png", 0, "");
    if (system("grep -aq 'Steps: 2, Sampler: Euler a, Precision: f32, CFG scale: 7.5, Image CFG scale: 2, Seed: 42, "
               "Size: 48x32' pix.png") || !system("grep -aq Denoising pix.png"))
        fail_msg("the text in pix.png is another");
    run("generate --again pix.png " EDIT "-o pix-again.png", 0, "");
    same_pixels(ctx, "pix.png", "pix-again.png");
    run("generate --again pix.png -m pix-one/edit.safetensors -o no.png", 2, "another picture (Image CFG scale: 2)");
    run("generate x " EDIT "--strength 0.5 -o no.png", 2, "--image-cfg-scale says how closely to keep to it");
    run("generate x " EDIT "--mask pix-seen.png -o no.png", 2, "keeps nothing by a mask");
    run("generate x " EDIT "--image-cfg-scale=-1 -o no.png", 2, "--image-cfg-scale expects a number from 0 to 1000");
    run("generate x -m pix-one/edit.safetensors -o no.png", 2, "expected that picture (-i), found none");
    run("generate x -m pix-one/sd.safetensors --image-cfg-scale 2 -o no.png", 2, "is for models that change a picture");
    run("denoise pix-seen.png --noise 20 -m pix-one/edit.safetensors -o no.png", 2, "takes no noise out of one");
    run("upscale pix-seen.png -m pix-one/edit.safetensors -o no.png", 2, "draws none anew in tiles");
    if (!access("no.png", F_OK)) fail_msg("a picture was written");
    run("interpolate --seeds 42,7 winter " EDIT "-n 2 --steps 1 -o pix-strip.png", 0, "");
    run("generate winter " EDIT "-b 2 --grid --steps 1 --preview pix-look.png -W 32 -o pix-grid.png", 0, "");
    run("convert pix-one/edit.safetensors pix-one/edit.gguf", 0, "");
    run("generate --again pix.png -m pix-one/edit.gguf -i pix-seen.png -o pix-gguf.png", 0, "");
    same_pixels(ctx, "pix.png", "pix-gguf.png");
    limn_image_free(&picture);
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_draw_what_diffusers_draws),
        cmocka_unit_test(one_file_and_parts_draw_the_same),
        cmocka_unit_test(the_picture_the_words_and_both_scales_matter),
        cmocka_unit_test(a_picture_is_the_same_in_other_company),
        cmocka_unit_test(guidance_is_that_of_the_paper),
        cmocka_unit_test(sides_are_those_of_the_picture),
        cmocka_unit_test(what_does_not_fit_is_a_sentence),
        cmocka_unit_test(networks_that_are_none_are_sentences),
        cmocka_unit_test(full_size_has_as_many_numbers),
        cmocka_unit_test(the_program_changes_a_picture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
