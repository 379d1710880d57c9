/* test_sd3_pipeline.c: pictures of Stable Diffusion 3: three text encoders, of which any may lack, flow, latents of 16
 * channels.  Shrunken networks with weights of a formula; what must come out is diffusers' and transformers' own
 * (oracle/sd3_pipeline.py). */
#include "check_input.h"
#include "file/image.h"
#include "make_sd3.h"
#include "net/net.h"
#include "net/open.h"
#include "model/map/map.h"

#include <unistd.h>

#define SCALE 1.5305f
#define SHIFT 0.0609f

/* ---- T5 alone --------------------------------------------------------------------------------------------------------- */

/* Two texts of 40 tokens, most of them padding that no token sees. */
static void t5_reads_as_transformers(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_weight_file *st;
    limn_settings settings;
    limn_source *source;
    limn_net *net;
    limn_job job = {0};
    limn_net_shape shape = {.batch = 2, .text_length = 40, .part = LIMN_PART_TEXT, .precision = LIMN_PRECISION_F32};
    mkdir("sd3-t5", 0777);
    sd3_write(ctx, "sd3-t5/model.safetensors", false, (const char *const[]){"text_encoder_3", NULL});
    OK(limn_net_open(ctx, "sd3-t5/model.safetensors", "t5-text", &st, &settings));
    OK(limn_map_source(ctx, "sd3-t5/model.safetensors", st, &source));
    OK(limn_net_new(ctx, &settings, source, "sd3-t5/model.safetensors", &net));
    OK(limn_job_begin(ctx, net, &shape, 0, &job));
    OK(limn_run_write(job.run, job.ports->ids, LIMN_I32, sd3_t5_ids));
    OK(limn_run_write(job.run, job.ports->mask, LIMN_F32, sd3_t5_mask));
    OK(limn_run_execute(job.run));
    enum { N = 2 * 40 * 288 };
    static float found[N];
    OK(limn_run_read(job.run, job.ports->features, LIMN_F32, found));
    for (int b = 0; b < 2; b++) /* what pads themselves become is nobody's to read, but it is the same, too */
        compare("features of T5, text", b, N, 31, found, sd3_t5_features, 1e-5);
    limn_job_end(&job);
    limn_net_free(net);
    limn_weight_file_close(st);
    limn_ctx_free(ctx);
}

/* ---- pictures --------------------------------------------------------------------------------------------------------- */

static limn_generate_options options_of(const sd3_case *c)
{
    limn_generate_options o = limn_generate_defaults();
    o.prompt = c->prompt, o.negative = c->negative, o.width = c->width, o.height = c->height, o.steps = SD3_STEPS;
    o.guidance = c->guidance, o.prompt_style = c->style, o.precision = LIMN_PRECISION_F32;
    if (c->skipped >= 0) o.slg_scale = 2.5, o.skip_layers = UINT64_C(1) << c->skipped, o.skip_layer_end = 0.6;
    return o;
}

/* The starting latents that diffusers had: noise, or a latent with noise of the first level. */
static void set_start(limn_sampling *s, const sd3_case *c)
{
    double a, b;
    float *start = malloc(s->size * sizeof *start);
    limn_sampler_level(s->sampler, 0, &a, &b);
    formula_fill("noise", (int64_t)s->size, 2, s->x);
    formula_fill("start", (int64_t)s->size, 2, start);
    for (size_t i = 0; i < s->size && c->strength < 1; i++) s->x[i] = (float)(a * start[i] + b * s->x[i]);
    free(start);
}

/* sampler: NULL, or what means the same as the scheduler of the case. */
static void check_case(limn_ctx *ctx, limn_pipeline *p, const sd3_case *c)
{
    limn_generate_options o = options_of(c);
    limn_latent start;
    limn_sampling *s;
    limn_image image;
    int number = (int)(c - sd3_cases);
    OK(limn_latent_new(ctx, c->height / 8, c->width / 8, 16, &start));
    formula_fill("start", c->height * c->width / 4, 2, start.values);
    for (int i = 0; i < c->height * c->width / 4; i++) start.values[i] = start.values[i] / SCALE + SHIFT;
    if (c->strength < 1) o.init_latent = &start, o.strength = c->strength;
    OK(limn_sampling_begin(p, &o, &s));
    set_start(s, c);
    assert_int_equal(limn_sampling_left(s), c->calls);
    for (int k = 0; k < c->calls; k++) {
        OK(limn_sampling_step(s));
        const limn_ports *ports = s->denoiser->job.ports;
        if (!k) check_input(s, "features of case", number, ports->features, c->n_features, 97, c->features);
        if (!k) check_input(s, "the whole text of case", number, ports->pooled_text, c->n_pooled, 3, c->pooled);
        compare("latents of call", 10 * number + k, s->size, 1, s->x, c->latents + (size_t)k * s->size, 1e-4);
    }
    OK(limn_sampling_picture(s, 0, &image));
    sd_compare_picture("the picture", &image, c->width, c->height, c->picture);
    limn_image_free(&image);
    limn_latent_free(&start);
    limn_sampling_end(s);
}

static void check_cases(limn_ctx *ctx, limn_pipeline *p, const char *model, const char *there)
{
    int n = 0;
    for (int k = 0; k < SD3_CASES; k++) {
        const sd3_case *c = &sd3_cases[k];
        if (strcmp(c->model, model) || strcmp(c->there, there)) continue;
        check_case(ctx, p, c);
        n++;
    }
    assert_true(n > 0);
}

static void folders_draw_what_diffusers_draws(void **state)
{
    (void)state;
    static const char *const runs[][2] = {
        {"plain", "lgt"}, {"norms", "lgt"}, {"plain", "lg"}, {"plain", "t"}, {"norms", "gt"}, {"dual", "lgt"}};
    limn_ctx *ctx = limn_ctx_new();
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        limn_pipeline *p;
        char folder[40];
        snprintf(folder, sizeof folder, "sd3-%s-%s", runs[i][0], runs[i][1]);
        sd3_write_folder(ctx, folder, runs[i][0], runs[i][1]);
        OK(limn_pipeline_open(ctx, folder, &p));
        limn_pipeline_info info = limn_pipeline_describe(p);
        assert_int_equal(info.width, 64);
        assert_string_equal(info.sampler, "euler");
        check_cases(ctx, p, runs[i][0], runs[i][1]);
        limn_pipeline_free(p);
    }
    limn_ctx_free(ctx);
}

/* A folder whose CLIP projects nothing: its tensor is the identity, as in the published one. */
static void write_unprojected(limn_ctx *ctx, const char *folder)
{
    static limn_named_view view[SD_MOST];
    size_t n = sd3_add("text_encoder", false, 0, view);
    for (size_t i = 0; i < n; i++) {
        float *x = (void *)(uintptr_t)view[i].view.data;
        for (int k = 0; k < 96 * 96 && !strcmp(view[i].name, "text_projection.weight"); k++) x[k] = k / 96 == k % 96;
    }
    char path[200];
    snprintf(path, sizeof path, "%s/text_encoder/model.safetensors", folder);
    OK(limn_safetensors_write(ctx, path, n, view, 0, NULL));
    sd_free(n, view);
}

static limn_latent draw(limn_ctx *ctx, const limn_pipeline_parts *parts)
{
    limn_pipeline *p;
    limn_latent out;
    OK(limn_pipeline_open_parts(ctx, parts, &p));
    limn_generate_options o = options_of(&sd3_cases[1]);
    o.steps = 2;
    OK(limn_generate_latents(p, &o, &out));
    limn_pipeline_free(p);
    return out;
}

static void draws_alike(limn_ctx *ctx, const char *what, const limn_latent *as, const limn_pipeline_parts *parts)
{
    limn_latent found = draw(ctx, parts);
    assert_true(found.height == as->height && found.width == as->width && found.channels == 16);
    compare(what, 0, (size_t)(as->height * as->width * 16), 1, found.values, as->values, 1e-5);
    limn_latent_free(&found);
}

/* As Stability AI publishes it, T5 among the rest, then without the text encoders, which lie beside it or are named. */
static void files_draw_the_same(void **state)
{
    (void)state;
    static const char *const all[] = {"text_encoder", "text_encoder_2", "text_encoder_3", "norms", "vae", NULL};
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p;
    sd3_write_folder(ctx, "sd3-eye", "norms", "lgt");
    write_unprojected(ctx, "sd3-eye");
    limn_latent as = draw(ctx, &(limn_pipeline_parts){.model = "sd3-eye"});
    mkdir("sd3-one", 0777);
    sd3_put("sd3-one", "config.json", "{\"num_attention_heads\": 2, \"sample_size\": 8}"); /* heads so narrow are nobody's */
    sd3_copy(SD3_PIECES, "sd3-one/spiece.model");
    sd3_write(ctx, "sd3-one/sd3.safetensors", true, all);
    OK(limn_pipeline_open(ctx, "sd3-one/sd3.safetensors", &p));
    limn_pipeline_info info = limn_pipeline_describe(p);
    assert_string_equal(info.sampler, "euler");
    assert_true(info.guidance == 4.5 && info.text_length == 333 && info.text_width == 288 && info.pooled_width == 256);
    limn_pipeline_free(p);
    draws_alike(ctx, "one file", &as, &(limn_pipeline_parts){.model = "sd3-one/sd3.safetensors"});
    mkdir("sd3-beside", 0777);
    sd3_put("sd3-beside", "config.json", "{\"num_attention_heads\": 2, \"sample_size\": 8}");
    sd3_copy(SD3_PIECES, "sd3-beside/spiece.model");
    sd3_write(ctx, "sd3-beside/sd3.safetensors", true, all + 3);
    for (int i = 0; i < 3; i++) {
        char path[64];
        snprintf(path, sizeof path, "sd3-beside/%s.safetensors", (const char *[]){"clip_l", "clip_g", "t5xxl"}[i]);
        sd3_write(ctx, path, false, (const char *const[]){all[i], NULL});
    }
    draws_alike(ctx, "what lies beside it", &as, &(limn_pipeline_parts){.model = "sd3-beside/sd3.safetensors"});
    draws_alike(ctx, "what is named", &as,
                &(limn_pipeline_parts){.diffusion_model = "sd3-beside/sd3.safetensors",
                                       .clip_l = "sd3-beside/clip_l.safetensors",
                                       .clip_g = "sd3-one/sd3.safetensors", .t5xxl = "sd3-beside/t5xxl.safetensors"});
    limn_latent_free(&as);
    limn_ctx_free(ctx);
}

/* ---- other files ------------------------------------------------------------------------------------------------------ */

static void convert(limn_ctx *ctx, const char *in, const char *out, const char *type, const char *dialect)
{
    OK(limn_convert_file(ctx, in, out, &(limn_convert_options){.type = type, .dialect = dialect}));
}

/* Heads so narrow are nobody's. */
static void make_folder(const char *folder)
{
    char path[200];
    mkdir(folder, 0777);
    sd3_put(folder, "config.json", "{\"num_attention_heads\": 2, \"sample_size\": 8}");
    snprintf(path, sizeof path, "%s/spiece.model", folder);
    sd3_copy(SD3_PIECES, path);
}

/* Names begin with each of these, which end with NULL. */
static void holds(limn_ctx *ctx, const char *file, const char *const *prefixes)
{
    limn_weight_file *st;
    OK(limn_weight_file_open(ctx, file, &st));
    for (; *prefixes; prefixes++) {
        size_t n = 0;
        for (size_t i = 0; i < limn_weight_file_count(st); i++)
            n += !strncmp(limn_weight_file_get(st, i)->name, *prefixes, strlen(*prefixes));
        if (!n) fail_msg("%s has no %s", file, *prefixes);
    }
    limn_weight_file_close(st);
}

#define ORIGINAL "sd3-convert/o.safetensors"

/* All networks of a folder in one file, under either names, as blocks, and back. */
static void a_converted_folder_draws_the_same(void **state)
{
    (void)state;
    static const char *const original[] = {
        "model.diffusion_model.", "first_stage_model.", "text_encoders.clip_l.transformer.text_model.",
        "text_encoders.clip_g.transformer.text_model.", "text_encoders.t5xxl.transformer.encoder.", NULL};
    static const char *const diffusers[] = {"transformer.transformer_blocks.", "vae.", "text_encoder.text_model.",
                                            "text_encoder_2.text_model.", "text_encoder_3.encoder.", NULL};
    limn_ctx *ctx = limn_ctx_new();
    sd3_write_folder(ctx, "sd3-whole", "norms", "lgt");
    write_unprojected(ctx, "sd3-whole");
    make_folder("sd3-convert");
    limn_latent as = draw(ctx, &(limn_pipeline_parts){.model = "sd3-whole"});
    convert(ctx, "sd3-whole", ORIGINAL, NULL, "original");
    holds(ctx, ORIGINAL, original);
    draws_alike(ctx, "original names", &as, &(limn_pipeline_parts){.model = ORIGINAL});
    convert(ctx, "sd3-whole", "sd3-convert/d.safetensors", NULL, "diffusers");
    holds(ctx, "sd3-convert/d.safetensors", diffusers);
    draws_alike(ctx, "diffusers' names", &as, &(limn_pipeline_parts){.model = "sd3-convert/d.safetensors"});
    convert(ctx, ORIGINAL, "sd3-convert/back.safetensors", NULL, "diffusers");
    holds(ctx, "sd3-convert/back.safetensors", diffusers);
    draws_alike(ctx, "there and back", &as, &(limn_pipeline_parts){.model = "sd3-convert/back.safetensors"});
    convert(ctx, "sd3-convert/d.safetensors", "sd3-convert/o.gguf", NULL, "original");
    draws_alike(ctx, "GGUF", &as, &(limn_pipeline_parts){.model = "sd3-convert/o.gguf"});
    limn_latent_free(&as);
    convert(ctx, "sd3-whole", "sd3-convert/q.gguf", "q8_0", "original");
    convert(ctx, "sd3-convert/q.gguf", "sd3-convert/q.safetensors", "f32", NULL);
    holds(ctx, "sd3-convert/q.gguf", original);
    as = draw(ctx, &(limn_pipeline_parts){.model = "sd3-convert/q.safetensors"});
    draws_alike(ctx, "blocks", &as, &(limn_pipeline_parts){.model = "sd3-convert/q.gguf"});
    limn_latent_free(&as);
    limn_ctx_free(ctx);
}

/* What llama.cpp calls a tensor of T5's encoder: enc.blk.0.attn_q.weight. */
static void name_as_llama(const char *name, char out[96])
{
    static const char *const words[][2] = {
        {"SelfAttention.relative_attention_bias", "attn_rel_b"}, {"SelfAttention.q", "attn_q"},
        {"SelfAttention.k", "attn_k"}, {"SelfAttention.v", "attn_v"}, {"SelfAttention.o", "attn_o"},
        {"0.layer_norm", "attn_norm"}, {"DenseReluDense.wi_0", "ffn_gate"}, {"DenseReluDense.wi_1", "ffn_up"},
        {"DenseReluDense.wo", "ffn_down"}, {"1.layer_norm", "ffn_norm"}};
    int block;
    strcpy(out, !strcmp(name, "shared.weight") ? "token_embd.weight" : "enc.output_norm.weight");
    if (sscanf(name, "encoder.block.%d.", &block) != 1) return;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(name, words[i][0])) snprintf(out, 96, "enc.blk.%d.%s.weight", block, words[i][1]);
}

static void write_as_llama(limn_ctx *ctx, const char *path)
{
    static limn_named_view view[SD_MOST];
    static char names[SD_MOST][96];
    size_t n = sd3_add("text_encoder_3", false, 0, view);
    for (size_t i = 0; i < n; i++) name_as_llama(view[i].name, names[i]), view[i].name = names[i];
    OK(limn_safetensors_write(ctx, path, n, view, 0, NULL));
    sd_free(n, view);
}

static void t5_is_read_from_gguf(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline_parts parts = {.model = "sd3-gguf"};
    sd3_write_folder(ctx, "sd3-gguf", "norms", "lgt");
    make_folder("sd3-gguf-t5");
    write_as_llama(ctx, "sd3-gguf-t5/names.safetensors");
    limn_latent as = draw(ctx, &parts);
    parts.t5xxl = "sd3-gguf-t5/f.gguf";
    convert(ctx, "sd3-gguf-t5/names.safetensors", parts.t5xxl, NULL, NULL);
    holds(ctx, parts.t5xxl, (const char *const[]){"token_embd.", "enc.blk.0.attn_rel_b.", "enc.output_norm.", NULL});
    draws_alike(ctx, "T5 of GGUF", &as, &parts);
    limn_latent_free(&as);
    convert(ctx, "sd3-gguf-t5/names.safetensors", "sd3-gguf-t5/q.gguf", "q8_0", NULL);
    convert(ctx, "sd3-gguf-t5/q.gguf", "sd3-gguf-t5/q.safetensors", "f32", NULL);
    parts.t5xxl = "sd3-gguf-t5/q.safetensors";
    as = draw(ctx, &parts);
    parts.t5xxl = "sd3-gguf-t5/q.gguf";
    draws_alike(ctx, "T5 of blocks", &as, &parts);
    limn_latent_free(&as);
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t5_reads_as_transformers),
        cmocka_unit_test(folders_draw_what_diffusers_draws),
        cmocka_unit_test(files_draw_the_same),
        cmocka_unit_test(a_converted_folder_draws_the_same),
        cmocka_unit_test(t5_is_read_from_gguf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
