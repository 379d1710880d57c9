/* test_sdxl.c: pictures of Stable Diffusion XL, its refiner and a pruned relative: two text encoders, the whole text as a
 * vector, numbers about the picture.  Shrunken networks with weights of a formula; what must come out is diffusers' and
 * transformers' own (oracle/sdxl_pipeline.py). */
#include "check_input.h"
#include "file/image.h"
#include "limn/network.h"
#include "make_sdxl.h"

#include <unistd.h>

/* ---- files ------------------------------------------------------------------------------------------------------------ */

/* transformers' names to OpenCLIP's; k and v are in the tensor of q.  @return false: it is in another one */
static bool open_clip_name(const char *name, char out[160])
{
    static const char *const words[][2] = {{"layer_norm1.", "ln_1."},         {"layer_norm2.", "ln_2."},
                                           {"self_attn.q_proj.", "attn.in_proj_"}, {"self_attn.out_proj.", "attn.out_proj."},
                                           {"mlp.fc1.", "mlp.c_fc."},         {"mlp.fc2.", "mlp.c_proj."}};
    int layer, n = 0;
    if (strstr(name, "k_proj") || strstr(name, "v_proj")) return false;
    if (!strcmp(name, "text_model.embeddings.token_embedding.weight")) strcpy(out, "token_embedding.weight");
    else if (!strcmp(name, "text_model.embeddings.position_embedding.weight")) strcpy(out, "positional_embedding");
    else if (!strcmp(name, "text_projection.weight")) strcpy(out, "text_projection");
    else if (sscanf(name, "text_model.encoder.layers.%d.%n", &layer, &n) == 1 && n) {
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            if (!strncmp(name + n, words[i][0], strlen(words[i][0])))
                snprintf(out, 160, "transformer.resblocks.%d.%s%s", layer, words[i][1], name + n + strlen(words[i][0]));
    } else snprintf(out, 160, "ln_final%s", strrchr(name, '.'));
    return true;
}

static void transpose(limn_view *view)
{
    int64_t n = view->shape.dim[0];
    float *x = (void *)(uintptr_t)view->data;
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < i; k++) {
            float other = x[i * n + k];
            x[i * n + k] = x[k * n + i], x[k * n + i] = other;
        }
}

/* A part under the names that it has in a checkpoint, behind a prefix.  @return how many views there are now */
static size_t add_part(const sd_tensor *table, size_t n_table, const char *part, const char *prefix, bool open_clip,
                       size_t n, limn_named_view *view)
{
    static char names[SD_MOST][200];
    for (size_t i = 0; i < n_table; i++) {
        const sd_tensor *t = &table[i];
        const char *name = t->name;
        char other[160] = "";
        if (strcmp(t->part, part) || (open_clip && !open_clip_name(name, other))) continue;
        sd_views(1, &t, prefix ? "" : NULL, &view[n]);
        if (strstr(other, "in_proj_")) sd_join_thirds(t, t->dim[0], &view[n].view);
        if (!strcmp(other, "text_projection")) transpose(&view[n].view);
        snprintf(names[n], sizeof names[n], "%s%s", prefix ? prefix : "", prefix ? open_clip ? other : name : t->original);
        view[n].name = names[n];
        n++;
    }
    return n;
}

/* As Stability AI publishes them: both text encoders, U-Net and autoencoder in one file; the refiner has one encoder. */
static void write_one_file(limn_ctx *ctx, const char *folder, const char *model)
{
    static limn_named_view view[SD_MOST];
    bool refiner = !strcmp(model, "refiner");
    char path[200];
    size_t n = 0;
    if (!refiner)
        n = add_part(xl_tensors, XL_TENSORS, "text_encoder", "conditioner.embedders.0.transformer.", false, n, view);
    n = add_part(xl_tensors, XL_TENSORS, "text_encoder_2",
                 refiner ? "conditioner.embedders.0.model." : "conditioner.embedders.1.model.", true, n, view);
    n = add_part(xl_tensors, XL_TENSORS, strcmp(model, "base") ? model : "unet", NULL, false, n, view);
    n = add_part(sd_tensors, SD_TENSORS, "vae", NULL, false, n, view);
    mkdir(folder, 0777);
    xl_put(folder, "config.json", refiner ? "{\"sample_size\": 8, \"attention_head_dim\": [2, 4, 4, 4], "
                                         "\"addition_time_embed_dim\": 8}"
                                       : "{\"sample_size\": 8, \"attention_head_dim\": [2, 4, 4], "
                                         "\"addition_time_embed_dim\": 8}"); /* heads so narrow are no published network's */
    snprintf(path, sizeof path, "%s/xl.safetensors", folder);
    OK(limn_safetensors_write(ctx, path, n, view, 0, NULL));
    sd_free(n, view);
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

/* sampler: NULL, or what means the same as the scheduler of the case. */
static void check_case(limn_ctx *ctx, limn_pipeline *p, const xl_case *c, const char *sampler)
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
    o.sampler = sampler;
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

static void check_cases(limn_ctx *ctx, limn_pipeline *p, const char *model, const char *scheduler, const char *sampler)
{
    for (int k = 0; k < XL_CASES; k++)
        if (!strcmp(xl_cases[k].model, model) && !strcmp(xl_cases[k].scheduler, scheduler))
            check_case(ctx, p, &xl_cases[k], sampler);
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
        xl_write_folder(ctx, folder, runs[i].model);
        xl_put(folder, "scheduler/scheduler_config.json", runs[i].config);
        OK(limn_pipeline_open(ctx, folder, &p));
        limn_pipeline_info info = limn_pipeline_describe(p);
        assert_int_equal(info.told_sizes, i == 2 ? 5 : 6);
        assert_int_equal(info.text_width, i == 2 ? 128 : 192);
        assert_int_equal(info.pooled_width, 128);
        assert_int_equal(info.width, 64);
        assert_string_equal(info.sampler, runs[i].kind);
        check_cases(ctx, p, runs[i].model, runs[i].kind, NULL);
        limn_pipeline_free(p);
    }
    limn_ctx_free(ctx);
}

static void one_file_draws_the_same(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p;
    write_one_file(ctx, "xl-one", "base");
    OK(limn_pipeline_open(ctx, "xl-one/xl.safetensors", &p));
    limn_pipeline_info info = limn_pipeline_describe(p);
    assert_int_equal(info.told_sizes, 6);
    assert_string_equal(info.sampler, "dpm++2m");
    assert_true(info.guidance == 5);
    check_cases(ctx, p, "base", "ddim", "ddim"); /* its autoencoder's scale is XL's, which no tensor says */
    limn_pipeline_free(p);
    write_one_file(ctx, "xl-one-refiner", "refiner");
    OK(limn_pipeline_open(ctx, "xl-one-refiner/xl.safetensors", &p));
    assert_int_equal(limn_pipeline_describe(p).told_sizes, 5);
    assert_int_equal(limn_pipeline_describe(p).text_width, 128);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* Networks in files of their own, the text encoders under transformers' and under OpenCLIP's names. */
static void parts_draw_the_same(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p;
    xl_write_folder(ctx, "xl-base", "base");
    write_one_file(ctx, "xl-one", "base");
    const limn_pipeline_parts parts = {.diffusion_model = "xl-base/unet/diffusion_pytorch_model.safetensors",
                                       .clip_l = "xl-base/text_encoder/model.safetensors",
                                       .clip_g = "xl-one/xl.safetensors",
                                       .vae = "xl-base/vae/diffusion_pytorch_model.safetensors"};
    OK(limn_pipeline_open_parts(ctx, &parts, &p));
    check_cases(ctx, p, "base", "ddim", "ddim");
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* The first tensor of b that a lacks, or has in another shape or with other values. */
static void compare_files(limn_ctx *ctx, const char *a, const char *b)
{
    limn_weight_file *x, *y;
    OK(limn_weight_file_open(ctx, a, &x));
    OK(limn_weight_file_open(ctx, b, &y));
    assert_int_equal(limn_weight_file_count(x), limn_weight_file_count(y));
    for (size_t i = 0; i < limn_weight_file_count(y); i++) {
        const limn_entry *e = limn_weight_file_get(y, i), *same = limn_weight_file_find(x, e->name);
        if (!same || same->rank != e->rank) fail_msg("%s: %s", a, e->name);
        size_t n = limn_entry_count(e);
        float *p = malloc(n * sizeof *p), *q = malloc(n * sizeof *q);
        assert_int_equal(limn_entry_count(same), n);
        OK(limn_weight_file_load(ctx, x, same, p, LIMN_F32));
        OK(limn_weight_file_load(ctx, y, e, q, LIMN_F32));
        if (memcmp(p, q, n * sizeof *p)) fail_msg("%s: the values of %s", a, e->name);
        free(p), free(q);
    }
    limn_weight_file_close(x);
    limn_weight_file_close(y);
}

/* A folder becomes the checkpoint that its networks are published in, whose networks become those of the folder. */
static void converted_files_are_those_of_others(void **state)
{
    (void)state;
    static const struct { const char *folder, *part, *file; } own[] = {
        {"unet", "denoiser", "unet/diffusion_pytorch_model.safetensors"},
        {"vae", "vae", "vae/diffusion_pytorch_model.safetensors"}};
    limn_ctx *ctx = limn_ctx_new();
    char path[200], folder[40];
    for (int i = 0; i < 2; i++) {
        snprintf(folder, sizeof folder, i ? "xl-refiner" : "xl-base");
        xl_write_folder(ctx, folder, i ? "refiner" : "base");
        write_one_file(ctx, i ? "xl-one-refiner" : "xl-one", i ? "refiner" : "base");
        OK(limn_convert_file(ctx, folder, "xl-converted.safetensors", &(limn_convert_options){.dialect = "original"}));
        compare_files(ctx, "xl-converted.safetensors", i ? "xl-one-refiner/xl.safetensors" : "xl-one/xl.safetensors");
    }
    OK(limn_convert_file(ctx, "xl-one/xl.safetensors", "xl-converted.safetensors",
                         &(limn_convert_options){.dialect = "original"})); /* both text encoders of one file */
    compare_files(ctx, "xl-converted.safetensors", "xl-one/xl.safetensors");
    for (int i = 0; i < 2; i++) {
        const limn_convert_options o = {.dialect = "diffusers", .part = own[i].part};
        OK(limn_convert_file(ctx, "xl-one/xl.safetensors", "xl-converted.safetensors", &o));
        snprintf(path, sizeof path, "xl-base/%s", own[i].file);
        compare_files(ctx, "xl-converted.safetensors", path);
    }
    limn_ctx_free(ctx);
}

/* Two networks of one family are told apart by how wide their features are. */
static void each_text_encoder_of_one_file_opens(void **state)
{
    (void)state;
    static const struct { const char *name, *settings; } encoders[] = {
        {"clip-text:64", "text_width=64"}, {"clip-text:128", "text_width=128"}, {"ldm-unet", "text_width=192"}};
    static const char *const none[] = {"clip-text:96", "clip-text:", "clip-text:64x", "vae:64", "dit"};
    static const char all[] = "clip-text:64, clip-text:128, vae, ldm-unet", file[] = "xl-one/xl.safetensors";
    limn_ctx *ctx = limn_ctx_new();
    limn_network *network;
    char words[200];
    write_one_file(ctx, "xl-one", "base");
    for (int i = 0; i < 3; i++) {
        OK(limn_network_open(ctx, file, encoders[i].name, &network));
        assert_non_null(strstr(limn_network_describe(network).settings, encoders[i].settings));
        limn_network_free(network);
    }
    snprintf(words, sizeof words, "%s holds 4 networks, %s: say which with --network", file, all);
    says(ctx, limn_network_open(ctx, file, NULL, &network), LIMN_BAD_ARGUMENT, words);
    says(ctx, limn_network_open(ctx, file, "clip-text", &network), LIMN_BAD_ARGUMENT, words);
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        snprintf(words, sizeof words, "%s holds no \"%s\" but %s", file, none[i], all);
        says(ctx, limn_network_open(ctx, file, none[i], &network), LIMN_BAD_ARGUMENT, words);
    }
    write_one_file(ctx, "xl-one-refiner", "refiner");
    OK(limn_network_open(ctx, "xl-one-refiner/xl.safetensors", "clip-text", &network));
    limn_network_free(network);
    limn_ctx_free(ctx);
}

static void draw(limn_ctx *ctx, const char *path, limn_image *out)
{
    limn_pipeline *p;
    limn_generate_options o = options_of(&xl_cases[1]);
    OK(limn_pipeline_open(ctx, path, &p));
    OK(limn_generate(p, &o, out));
    limn_pipeline_free(p);
}

/* Blocks draw the bytes of the same numbers in floats, other bytes than the numbers that they were rounded from. */
static void blocks_draw_what_their_numbers_draw(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_image blocks, floats, before;
    write_one_file(ctx, "xl-one", "base");
    OK(limn_convert_file(ctx, "xl-one/xl.safetensors", "xl-one/xl.gguf", &(limn_convert_options){.type = "q8_0"}));
    OK(limn_convert_file(ctx, "xl-one/xl.gguf", "xl-one/back.safetensors", &(limn_convert_options){.type = "f32"}));
    draw(ctx, "xl-one/xl.gguf", &blocks);
    draw(ctx, "xl-one/back.safetensors", &floats);
    draw(ctx, "xl-one/xl.safetensors", &before);
    size_t n = (size_t)blocks.width * (size_t)blocks.height * 3;
    assert_memory_equal(blocks.pixels, floats.pixels, n);
    assert_int_not_equal(memcmp(blocks.pixels, before.pixels, n), 0);
    limn_image_free(&blocks);
    limn_image_free(&floats);
    limn_image_free(&before);
    limn_ctx_free(ctx);
}

/* XL's autoencoder is known for numbers above 65504, the largest in f16: here they are a million, in either precision. */
static void its_decoder_overflows_nowhere(void **state)
{
    (void)state;
    static const sd_tensor *tensors[SD_MOST];
    static limn_named_view view[SD_MOST];
    limn_ctx *ctx = limn_ctx_new();
    limn_autoencoder *a;
    limn_latent latent;
    limn_image floats, pairs;
    size_t n = sd_take(sd_tensors, SD_TENSORS, "vae", NULL, 0, tensors);
    sd_views(n, tensors, "", view);
    for (size_t i = 0; i < n; i++)
        for (int64_t k = 0; k < limn_shape_count(&view[i].view.shape) && !strncmp(view[i].name, "decoder.conv_in", 15); k++)
            ((float *)(uintptr_t)view[i].view.data)[k] *= 1 << 20;
    OK(limn_safetensors_write(ctx, "xl-loud.safetensors", n, view, 0, NULL));
    sd_free(n, view);
    OK(limn_autoencoder_open(ctx, "xl-loud.safetensors", &a));
    OK(limn_latent_new(ctx, 6, 5, 4, &latent));
    latent.image_height = 48, latent.image_width = 40;
    formula_fill("noise", 6 * 5 * 4, 2, latent.values);
    OK(limn_decode(a, &latent, LIMN_PRECISION_F32, &floats));
    OK(limn_decode(a, &latent, LIMN_PRECISION_BF16, &pairs));
    int low = 255, high = 0, worst = 0;
    for (int i = 0; i < 48 * 40 * 3; i++) {
        int x = floats.pixels[i], off = abs(x - pairs.pixels[i]);
        low = x < low ? x : low, high = x > high ? x : high, worst = off > worst ? off : worst;
    }
    if (high - low < 20 || worst > 8) fail_msg("from %d to %d, and in bf16 up to %d away", low, high, worst);
    limn_image_free(&floats);
    limn_image_free(&pairs);
    limn_latent_free(&latent);
    limn_autoencoder_free(a);
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_draw_what_diffusers_draws),
        cmocka_unit_test(one_file_draws_the_same),
        cmocka_unit_test(parts_draw_the_same),
        cmocka_unit_test(converted_files_are_those_of_others),
        cmocka_unit_test(each_text_encoder_of_one_file_opens),
        cmocka_unit_test(blocks_draw_what_their_numbers_draw),
        cmocka_unit_test(its_decoder_overflows_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
