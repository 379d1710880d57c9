/* test_sd2.c: Stable Diffusion 2 and SD-Turbo in the forms they are published in: linear projections, heads by level,
 * OpenCLIP's text encoder, noise or v predicted.  Shrunken networks with weights of a formula; what must come out, text
 * features, latents after every call from the same seed and pictures, is diffusers' own (oracle/sd2_pipeline.py). */
#include "file/image.h"
#include "graph/node.h"
#include "keep_log.h"
#include "make_tiny.h"
#include "model/map/map.h"
#include "pipeline/sampling.h"
#include "run_program.h"
#include "vectors/sd2.h"

#include <sys/stat.h>
#include <unistd.h>

enum { SD2_TENSORS = sizeof sd2_tensors / sizeof *sd2_tensors, WIDTH = 48, HEIGHT = 32 };

static bool is(const char *a, const char *b) { return !strcmp(a, b); }

/* ---- files ------------------------------------------------------------------------------------------------------------ */

#define UNET_WITH(heads)                                                                                                    \
    "\"sample_size\": 8, \"norm_num_groups\": 32, \"layers_per_block\": 1, \"attention_head_dim\": " heads
#define UNET UNET_WITH("[1, 2, 2]")
#define TEXT                                                                                                                \
    "\"hidden_act\": \"gelu\", \"num_hidden_layers\": 3, \"hidden_size\": 64, \"num_attention_heads\": 1, " \
    "\"intermediate_size\": 256"
#define V ", \"prediction_type\": \"v_prediction\"}"
#define TRAILING "\"timestep_spacing\": \"trailing\", " SD_BETAS
#define LEADING "\"timestep_spacing\": \"leading\", " SD_BETAS
#define DDIM "{\"_class_name\": \"DDIMScheduler\", \"clip_sample\": false, \"set_alpha_to_one\": false, "
#define PNDM "{\"_class_name\": \"PNDMScheduler\", \"skip_prk_steps\": true, \"set_alpha_to_one\": false, " SD_BETAS

static const struct scheduler {
    const char *name, *config, *sampler, *spacing; /* what means the same without the file; NULL: nothing does */
} schedulers[] = {
    {"pndm", PNDM "}", "plms", NULL},
    {"pndm_v", PNDM V, "plms", NULL},
    {"ddim", DDIM SD_BETAS "}", "ddim", NULL},
    {"ddim_v", DDIM SD_BETAS V, "ddim", NULL},
    {"euler", "{\"_class_name\": \"EulerDiscreteScheduler\", " LEADING "}", NULL, NULL},
    {"euler_v", "{\"_class_name\": \"EulerDiscreteScheduler\", " LEADING V, NULL, NULL},
    {"zero_snr", DDIM "\"rescale_betas_zero_snr\": true, " TRAILING V, NULL, NULL},
    {"turbo", "{\"_class_name\": \"EulerAncestralDiscreteScheduler\", " TRAILING "}", "euler_a", "trailing"},
    {"turbo_euler", "{\"_class_name\": \"EulerDiscreteScheduler\", " TRAILING "}", "euler", "trailing"},
};
enum { SCHEDULERS = sizeof schedulers / sizeof *schedulers };

static const struct scheduler *scheduler_of(const sd2_case *c)
{
    int i = 0;
    while (!is(schedulers[i].name, c->scheduler)) i++;
    return &schedulers[i];
}

/* A U-Net that predicts v differs in one bias. */
static size_t take_unet(const char *net, size_t n, const sd_tensor **tensors)
{
    return sd_take(sd2_tensors, SD2_TENSORS, is(net, "v") ? "eps" : net, NULL, n, tensors);
}

/* n tensors of any parts; head NULL: under their original names. */
static void views_of(size_t n, const sd_tensor *const *tensors, const char *head, const char *net, limn_named_view *view)
{
    sd_views(n, tensors, head, view);
    for (size_t i = 0; i < n; i++) {
        const sd_tensor *t = tensors[i]; /* of OpenCLIP's the table has all three under the name of q */
        if (is(t->part, "open_clip") && strstr(t->name, "q_proj")) sd_join_thirds(t, t->dim[0] / 3, &view[i].view);
        float *x = (void *)(uintptr_t)view[i].view.data;
        for (int k = 0; k < 4 && is(net, "v") && is(tensors[i]->name, "conv_out.bias") && is(tensors[i]->part, "eps"); k++)
            x[k] -= SD2_DROP;
    }
}

static void write_views(limn_ctx *ctx, const char *path, size_t n, const sd_tensor *const *tensors, const char *head,
                        const char *net)
{
    static limn_named_view view[SD_MOST];
    views_of(n, tensors, head, net, view);
    OK(limn_safetensors_write(ctx, path, n, view, 0, NULL));
    sd_free(n, view);
}

static char *inside(const char *net, const char *file, char out[200])
{
    snprintf(out, 200, "sd2-%s%s", net, file);
    return out;
}

static void write_folder(limn_ctx *ctx, const char *net)
{
    static const char *const folders[] = {"", "/unet", "/vae", "/text_encoder", "/scheduler", "/tokenizer"};
    static const sd_tensor *tensors[SD_MOST];
    char path[200];
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) mkdir(inside(net, folders[i], path), 0777);
    write_text(inside(net, "/unet/config.json", path), "{" UNET "}");
    write_text(inside(net, "/vae/config.json", path), SD_VAE);
    write_text(inside(net, "/text_encoder/config.json", path), "{" TEXT "}");
    write_text(inside(net, "/tokenizer/tokenizer_config.json", path), "{\"pad_token\": \"!\"}");
    write_views(ctx, inside(net, "/unet/diffusion_pytorch_model.safetensors", path), take_unet(net, 0, tensors), tensors, "",
                net);
    write_views(ctx, inside(net, "/vae/diffusion_pytorch_model.safetensors", path),
                sd_take(sd_tensors, SD_TENSORS, "vae", NULL, 0, tensors), tensors, "", net);
    write_views(ctx, inside(net, "/text_encoder/model.safetensors", path),
                sd_take(sd_tensors, SD_TENSORS, "text_encoder", NULL, 0, tensors), tensors, "", net);
}

/* Of all networks, with what such a file also has.  predicts: NULL, or what its metadata say. */
static void write_one_file(limn_ctx *ctx, const char *path, const char *net, const char *without, const char *predicts)
{
    static limn_named_view view[SD_MOST + 2];
    static const sd_tensor *tensors[SD_MOST];
    static const float scale = 4.6f, projection[64 * 64];
    size_t n = sd_take(sd2_tensors, SD2_TENSORS, "open_clip", without, 0, tensors);
    n = sd_take(sd_tensors, SD_TENSORS, "vae", NULL, take_unet(net, n, tensors), tensors);
    views_of(n, tensors, NULL, net, view);
    view[n] = (limn_named_view){"cond_stage_model.model.logit_scale", {LIMN_F32, LIMN_SHAPE(1), (void *)(uintptr_t)&scale}};
    view[n + 1] = (limn_named_view){"cond_stage_model.model.text_projection",
                                    {LIMN_F32, LIMN_SHAPE(64, 64), (void *)(uintptr_t)projection}};
    OK(limn_safetensors_write(ctx, path, n + 2, view, predicts != NULL,
                              &(const char *const[2]){"modelspec.prediction_type", predicts}));
    sd_free(n, view);
}

/* A folder with such a file, and beside it what the tensors of shrunken networks do not tell. */
static const char *make_one_file(limn_ctx *ctx, const char *net, char path[200])
{
    mkdir("sd2-one", 0777);
    write_text("sd2-one/config.json", "{" UNET ", " TEXT "}");
    snprintf(path, 200, "sd2-one/%s.safetensors", net);
    write_one_file(ctx, path, net, NULL, NULL);
    return path;
}

/* ---- what diffusers drew ---------------------------------------------------------------------------------------------- */

static limn_generate_options options_of(const sd2_case *c)
{
    limn_generate_options o = limn_generate_defaults();
    o.prompt = c->prompt, o.negative = c->negative, o.width = c->width, o.height = c->height, o.seed = SD2_SEED;
    o.steps = c->steps, o.guidance = c->guidance, o.guidance_rescale = c->rescale, o.strength = c->strength;
    o.prompt_style = c->style, o.clip_skip = c->skip, o.resample = 1, o.precision = LIMN_PRECISION_F32;
    return o;
}

static void check_features(limn_ctx *ctx, limn_sampling *s, const sd2_case *c)
{
    float *features = malloc((size_t)c->n_features * sizeof *features);
    OK(limn_run_read(s->denoiser->job.run, s->denoiser->job.ports->features, LIMN_F32, features));
    compare("features of case", (int)(c - sd2_cases), (size_t)c->n_features, 13, features, c->features, 1e-5);
    free(features);
}

/* o: the case's options, and what means the folder's scheduler where there is none. */
static void check_options(limn_ctx *ctx, limn_pipeline *p, const sd2_case *c, limn_generate_options o)
{
    limn_image picture = sd_picture(ctx, WIDTH, HEIGHT), mask = sd_mask(ctx, WIDTH, HEIGHT), image;
    limn_sampling *s;
    int k = (int)(c - sd2_cases);
    if (!is(c->kind, "words")) o.init = &picture;
    if (is(c->kind, "mask")) o.mask = &mask;
    OK(limn_sampling_begin(p, &o, &s));
    assert_int_equal(s->denoiser->job.shape.batch, c->guidance > 1 ? 2 : 1);
    if (limn_sampling_left(s) != c->calls) fail_msg("case %d: %d calls, not %d", k, limn_sampling_left(s), c->calls);
    for (int i = 0; i < c->calls; i++) {
        OK(limn_sampling_step(s));
        if (!i) check_features(ctx, s, c);
        if (i + 1 < c->calls) limn_start_keep(&s->start, s->sampler, i + 1, s->x); /* as a pipeline leaves it */
        compare("case and call", 100 * k + i, s->size, 1, s->x, c->latents + (size_t)i * s->size, 1e-4);
    }
    OK(limn_sampling_picture(s, 0, &image));
    if (!is(c->kind, "mask")) sd_compare_picture("the picture", &image, c->width, c->height, c->picture);
    limn_sampling_end(s);
    limn_image_free(&picture);
    limn_image_free(&mask);
    limn_image_free(&image);
}

static const char *const nets[] = {"eps", "v", "inpaint"};

static void folders_draw_what_diffusers_draws(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    int drawn = 0;
    char path[200];
    for (int n = 0; n < 3; n++) {
        write_folder(ctx, nets[n]);
        for (int k = 0; k < SD2_CASES; k++) {
            limn_pipeline *p;
            if (!is(sd2_cases[k].net, nets[n])) continue;
            write_text(inside(nets[n], "/scheduler/scheduler_config.json", path), scheduler_of(&sd2_cases[k])->config);
            OK(limn_pipeline_open(ctx, inside(nets[n], "", path), &p));
            check_options(ctx, p, &sd2_cases[k], options_of(&sd2_cases[k])), drawn++;
            limn_pipeline_free(p);
        }
    }
    assert_int_equal(drawn, SD2_CASES);
    limn_ctx_free(ctx);
}

/* ---- one file --------------------------------------------------------------------------------------------------------- */

static int times_heard(const char *words)
{
    int n = 0;
    for (const char *at = logged; (at = strstr(at, words)); at += strlen(words)) n++;
    return n;
}

/* By samplers that mean the same as the folder's.  @return how many cases */
static int draw_cases(limn_ctx *ctx, limn_pipeline *p, const char *net, const char *prediction)
{
    int drawn = 0;
    for (int k = 0; k < SD2_CASES; k++) {
        const struct scheduler *how = scheduler_of(&sd2_cases[k]);
        limn_generate_options o = options_of(&sd2_cases[k]);
        o.sampler = how->sampler, o.scheduler = how->spacing, o.prediction = prediction;
        if (is(sd2_cases[k].net, net) && how->sampler) check_options(ctx, p, &sd2_cases[k], o), drawn++;
    }
    return drawn;
}

/* What it predicts the network itself shows, before the first step. */
static void one_file_draws_the_same(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p;
    char path[200];
    limn_ctx_set_log(ctx, keep_log, NULL);
    for (int n = 0; n < 3; n++) {
        *logged = '\0';
        OK(limn_pipeline_open(ctx, make_one_file(ctx, nets[n], path), &p));
        assert_int_equal(times_heard("prediction"), 0);
        assert_true(draw_cases(ctx, p, nets[n], NULL) > 0);
        limn_pipeline_free(p);
        if (times_heard("prediction: v, as the network itself shows") != is(nets[n], "v") ||
            times_heard("prediction: eps") != is(nets[n], "eps"))
            fail_msg("%s: %s", nets[n], logged);
    }
    limn_ctx_free(ctx);
}

/* Whoever says what it predicts is believed: metadata before the network, an option before both. */
static void what_is_predicted_may_be_said(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p;
    limn_sampling *s;
    char path[200];
    limn_ctx_set_log(ctx, keep_log, NULL);
    *logged = '\0';
    make_one_file(ctx, "v", path);
    write_one_file(ctx, path, "v", NULL, "v");
    OK(limn_pipeline_open(ctx, path, &p));
    assert_true(draw_cases(ctx, p, "v", NULL) > 0);
    limn_pipeline_free(p);
    write_one_file(ctx, path, "v", NULL, "epsilon");
    OK(limn_pipeline_open(ctx, path, &p));
    assert_true(draw_cases(ctx, p, "v", "v") > 0);
    const sd2_case *c = sd2_cases;
    while (!is(c->scheduler, "pndm_v")) c++;
    limn_generate_options o = options_of(c);
    o.sampler = "plms";
    OK(limn_sampling_begin(p, &o, &s));
    for (int i = 0; i < 3; i++) OK(limn_sampling_step(s));
    double apart = 0;
    for (size_t i = 0; i < s->size; i++) apart = fmax(apart, fabs((double)s->x[i] - (double)c->latents[2 * s->size + i]));
    assert_true(apart > 0.1);
    limn_sampling_end(s);
    assert_int_equal(times_heard("prediction"), 0);
    o.prediction = "edm_v";
    says(ctx, limn_sampling_begin(p, &o, &s), LIMN_NOT_FOUND, "no prediction \"edm_v\"; there are: eps v x0");
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* The network that draws keeps no weights of the question. */
static void a_question_takes_no_memory(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    size_t bytes[2];
    char path[200];
    make_one_file(ctx, "v", path);
    for (int i = 0; i < 2; i++) {
        limn_pipeline *p;
        limn_sampling *s;
        limn_generate_options o = options_of(&sd2_cases[0]);
        o.width = o.height = 384, o.sampler = "ddim", o.prediction = i ? "v" : NULL;
        OK(limn_pipeline_open(ctx, path, &p));
        OK(limn_sampling_begin(p, &o, &s));
        bytes[i] = limn_net_bytes(s->denoiser->net);
        limn_sampling_end(s);
        limn_pipeline_free(p);
    }
    assert_true(bytes[0] > 0 && bytes[0] == bytes[1]);
    limn_ctx_free(ctx);
}

/* Each network in a file of its own, the text encoder in every layout. */
static void parts_draw_the_same(void **state)
{
    (void)state;
    static const sd_tensor *tensors[SD_MOST];
    static limn_named_view view[SD_MOST];
    static const char prefix[] = "cond_stage_model.model.";
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p;
    mkdir("sd2-parts", 0777);
    write_text("sd2-parts/config.json", "{" UNET ", " TEXT "}");
    write_views(ctx, "sd2-parts/u.safetensors", take_unet("v", 0, tensors), tensors, "", "v");
    write_views(ctx, "sd2-parts/v.safetensors", sd_take(sd_tensors, SD_TENSORS, "vae", NULL, 0, tensors), tensors, "", "v");
    for (int i = 0; i < 4; i++) { /* transformers' names, without their beginning, OpenCLIP's, without theirs */
        size_t n = i < 2 ? sd_take(sd_tensors, SD_TENSORS, "text_encoder", NULL, 0, tensors)
                         : sd_take(sd2_tensors, SD2_TENSORS, "open_clip", NULL, 0, tensors);
        views_of(n, tensors, i == 0 ? "" : i == 1 ? "text_model." : NULL, "v", view);
        for (size_t k = 0; k < n && i == 3; k++) view[k].name += sizeof prefix - 1;
        OK(limn_safetensors_write(ctx, "sd2-parts/t.safetensors", n, view, 0, NULL));
        sd_free(n, view);
        OK(limn_pipeline_open_parts(ctx, &(limn_pipeline_parts){.diffusion_model = "sd2-parts/u.safetensors",
                                           .clip_l = i % 2 ? "sd2-parts/t.safetensors" : NULL}, &p)); /* else found */
        assert_true(draw_cases(ctx, p, "v", NULL) > 0);
        limn_pipeline_free(p);
    }
    limn_ctx_free(ctx);
}

/* ---- what goes with it ------------------------------------------------------------------------------------------------ */

enum { PIXELS = WIDTH * HEIGHT * 3 };

static unsigned char *drawn(limn_ctx *ctx, limn_pipeline *p, const char *prompt)
{
    limn_generate_options o = limn_generate_defaults();
    limn_image image;
    unsigned char *pixels = malloc(PIXELS);
    o.prompt = prompt, o.width = WIDTH, o.height = HEIGHT, o.steps = 2, o.guidance = 7.5, o.precision = LIMN_PRECISION_F32;
    o.sampler = "ddim", o.prediction = "v";
    OK(limn_generate(p, &o, &image));
    memcpy(pixels, image.pixels, PIXELS);
    limn_image_free(&image);
    return pixels;
}

static unsigned char *drawn_from(limn_ctx *ctx, const char *model)
{
    limn_pipeline *p;
    OK(limn_pipeline_open(ctx, model, &p));
    unsigned char *pixels = drawn(ctx, p, "a lighthouse");
    limn_pipeline_free(p);
    return pixels;
}

/* Two modules of each network as kohya names them, whatever the model's file calls these layers. */
static void write_lora(limn_ctx *ctx, const char *path)
{
    static const struct { const char *name; int64_t out, in; } modules[] = {
        {"lora_te_text_model_encoder_layers_0_self_attn_k_proj", 64, 64},
        {"lora_te_text_model_encoder_layers_2_mlp_fc1", 256, 64},
        {"lora_unet_down_blocks_0_attentions_0_proj_in", 32, 32},
        {"lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_v", 64, 64}};
    enum { RANK = 2, N = 4 };
    static limn_named_view view[2 * N];
    static char name[2 * N][128];
    for (int i = 0; i < 2 * N; i++) {
        bool up = i % 2;
        snprintf(name[i], sizeof name[i], "%s.lora_%s.weight", modules[i / 2].name, up ? "up" : "down");
        view[i].name = name[i], view[i].view.dtype = LIMN_F32;
        view[i].view.shape = up ? LIMN_SHAPE(modules[i / 2].out, RANK) : LIMN_SHAPE(RANK, modules[i / 2].in);
        float *x = malloc((size_t)limn_shape_count(&view[i].view.shape) * sizeof *x);
        formula_fill(name[i], limn_shape_count(&view[i].view.shape), 0.5f, x);
        view[i].view.data = x;
    }
    OK(limn_safetensors_write(ctx, path, 2 * N, view, 0, NULL));
    sd_free(2 * N, view);
}

static void write_words(limn_ctx *ctx)
{
    float vectors[2 * 64];
    mkdir("sd2-words", 0777);
    formula_fill("glim", 2 * 64, 1, vectors);
    OK(limn_safetensors_write(ctx, "sd2-words/glim.safetensors", 1,
                              &(limn_named_view){"emb_params", {LIMN_F32, LIMN_SHAPE(2, 64), vectors}}, 0, NULL));
}

/* The same of a folder and of one file; neither does nothing. */
static void loras_and_words_of_ones_own(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    char path[200];
    unsigned char *made[2][3];
    write_folder(ctx, "v");
    make_one_file(ctx, "v", path);
    unlink("sd2-v/scheduler/scheduler_config.json");
    write_lora(ctx, "sd2-lora.safetensors");
    write_words(ctx);
    for (int i = 0; i < 2; i++) {
        limn_pipeline *p;
        OK(limn_pipeline_open(ctx, i ? path : "sd2-v", &p));
        made[i][0] = drawn(ctx, p, "a glim at night");
        OK(limn_pipeline_set_loras(p, 1, &(limn_lora_file){"sd2-lora.safetensors", 1, 1}));
        made[i][1] = drawn(ctx, p, "a glim at night");
        OK(limn_pipeline_set_loras(p, 0, NULL));
        OK(limn_pipeline_set_embeddings(p, "sd2-words"));
        made[i][2] = drawn(ctx, p, "a glim at night");
        limn_pipeline_free(p);
    }
    for (int k = 0; k < 3; k++) assert_memory_equal(made[0][k], made[1][k], PIXELS);
    for (int k = 1; k < 3; k++) assert_memory_not_equal(made[0][0], made[0][k], PIXELS);
    for (int k = 0; k < 6; k++) free(made[k / 3][k % 3]);
    limn_ctx_free(ctx);
}

/* OpenCLIP's names and layout are written, too; its thirds may be ggml's blocks. */
static void converted_files_draw_the_same(void **state)
{
    (void)state;
    static const struct { const char *in, *out; limn_convert_options how; } rows[] = {
        {"sd2-one/v.safetensors", "sd2-one/made.gguf", {.type = "f32"}},
        {"sd2-v", "sd2-one/made.safetensors", {.dialect = "original"}},
        {"sd2-one/v.safetensors", "sd2-one/named.safetensors", {.dialect = "diffusers"}},
        {"sd2-one/named.safetensors", "sd2-one/again.safetensors", {.dialect = "original"}}};
    limn_ctx *ctx = limn_ctx_new();
    limn_weight_file *st;
    char path[200];
    write_folder(ctx, "v");
    unlink("sd2-v/scheduler/scheduler_config.json");
    make_one_file(ctx, "v", path);
    unsigned char *first = drawn_from(ctx, path);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        OK(limn_convert_file(ctx, rows[i].in, rows[i].out, &rows[i].how));
        unsigned char *made = drawn_from(ctx, rows[i].out);
        if (memcmp(first, made, PIXELS)) fail_msg("%s draws something else than %s", rows[i].out, rows[i].in);
        free(made);
    }
    OK(limn_convert_file(ctx, path, "sd2-one/blocks.gguf", &(limn_convert_options){.type = "q8_0"}));
    OK(limn_convert_file(ctx, "sd2-one/blocks.gguf", "sd2-one/wide.safetensors", &(limn_convert_options){.type = "f32"}));
    unsigned char *blocks = drawn_from(ctx, "sd2-one/blocks.gguf"), *wide = drawn_from(ctx, "sd2-one/wide.safetensors");
    for (int i = 0; i < PIXELS; i++) assert_true(abs(blocks[i] - wide[i]) <= 1);
    assert_memory_not_equal(blocks, first, PIXELS);
    free(blocks);
    free(wide);
    OK(limn_weight_file_open(ctx, "sd2-one/again.safetensors", &st));
    const limn_entry *e =
        limn_weight_file_find(st, "cond_stage_model.model.transformer.resblocks.2.attn.in_proj_weight");
    assert_true(e && e->rank == 2 && e->dim[0] == 192 && e->dim[1] == 64);
    assert_non_null(limn_weight_file_find(st, "cond_stage_model.model.positional_embedding"));
    assert_null(limn_weight_file_find(st, "cond_stage_model.model.transformer.resblocks.3.ln_1.weight"));
    limn_weight_file_close(st);
    free(first);
    limn_ctx_free(ctx);
}

/* ---- sizes ------------------------------------------------------------------------------------------------------------ */

typedef struct header {
    limn_text text;
    unsigned long long at;
} header;

static void add_tensor(header *h, const char *name, int block, const char *rest, int rows, int columns)
{
    unsigned long long bytes = 2ull * (unsigned)rows * (columns ? (unsigned)columns : 1);
    limn_text_printf(&h->text, "%s\"", h->text.n ? ", " : "{");
    if (rest) limn_text_printf(&h->text, "%s%d.%s", name, block, rest);
    else limn_text_printf(&h->text, "%s", name);
    limn_text_printf(&h->text, "\": {\"dtype\": \"F16\", \"shape\": [%d", rows);
    if (columns) limn_text_printf(&h->text, ", %d", columns);
    limn_text_printf(&h->text, "], \"data_offsets\": [%llu, %llu]}", h->at, h->at + bytes);
    h->at += bytes;
}

/* A text encoder of full size, all zeros: a file of holes. */
static void write_hollow(const char *path, bool open, int width, int blocks)
{
    static const struct { const char *open, *other; int rows, columns; } parts[] = {
        {"ln_1.weight", "layer_norm1.weight", 1, 0}, {"ln_1.bias", "layer_norm1.bias", 1, 0},
        {"ln_2.weight", "layer_norm2.weight", 1, 0}, {"ln_2.bias", "layer_norm2.bias", 1, 0},
        {"attn.in_proj_weight", NULL, 3, 1}, {"attn.in_proj_bias", NULL, 3, 0},
        {NULL, "self_attn.q_proj.weight", 1, 1}, {NULL, "self_attn.q_proj.bias", 1, 0},
        {NULL, "self_attn.k_proj.weight", 1, 1}, {NULL, "self_attn.k_proj.bias", 1, 0},
        {NULL, "self_attn.v_proj.weight", 1, 1}, {NULL, "self_attn.v_proj.bias", 1, 0},
        {"attn.out_proj.weight", "self_attn.out_proj.weight", 1, 1}, {"attn.out_proj.bias", "self_attn.out_proj.bias", 1, 0},
        {"mlp.c_fc.weight", "mlp.fc1.weight", 4, 1}, {"mlp.c_fc.bias", "mlp.fc1.bias", 4, 0},
        {"mlp.c_proj.weight", "mlp.fc2.weight", 1, 4}, {"mlp.c_proj.bias", "mlp.fc2.bias", 1, 0}};
    header h = {0};
    add_tensor(&h, open ? "token_embedding.weight" : "text_model.embeddings.token_embedding.weight", 0, NULL, 49408, width);
    add_tensor(&h, open ? "positional_embedding" : "text_model.embeddings.position_embedding.weight", 0, NULL, 77, width);
    add_tensor(&h, open ? "ln_final.weight" : "text_model.final_layer_norm.weight", 0, NULL, width, 0);
    add_tensor(&h, open ? "ln_final.bias" : "text_model.final_layer_norm.bias", 0, NULL, width, 0);
    for (int i = 0; i < blocks; i++)
        for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) {
            const char *name = open ? parts[k].open : parts[k].other;
            if (name)
                add_tensor(&h, open ? "transformer.resblocks." : "text_model.encoder.layers.", i, name,
                           parts[k].rows * width, parts[k].columns * width);
        }
    limn_text_append(&h.text, "}", 1);
    FILE *file = fopen(path, "wb");
    uint64_t n = h.text.n; /* of a little-endian machine, as all that are tested */
    assert_true(file && fwrite(&n, 8, 1, file) == 1 && fwrite(h.text.bytes, 1, h.text.n, file) == h.text.n);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(truncate(path, (off_t)(8 + n + h.at)), 0);
    limn_text_free(&h.text);
}

/* Blocks that are used, and the numbers in them as transformers counts them of the published config.json files; of ViT-H the
 * last block is not, also where a file has it. */
static void full_size_has_as_many_blocks(void **state)
{
    (void)state;
    static const struct { bool open; int width, blocks, used, heads; int64_t numbers; } rows[] = {
        {true, 1024, 24, 23, 16, 340387840}, {true, 1024, 23, 23, 16, 340387840}, {false, 1024, 24, 23, 16, 340387840},
        {false, 1024, 23, 23, 16, 340387840}, {true, 1280, 32, 32, 20, 693021440}};
    limn_ctx *ctx = limn_ctx_new();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        limn_weight_file *st;
        limn_map map;
        limn_ports ports;
        limn_graph *g = limn_graph_new(ctx);
        char text[LIMN_SETTINGS_BYTES], expected[128];
        bool found;
        int64_t numbers = 0;
        write_hollow("sd2-hollow.safetensors", rows[i].open, rows[i].width, rows[i].blocks);
        OK(limn_weight_file_open(ctx, "sd2-hollow.safetensors", &st));
        OK(limn_map_detect(ctx, "sd2-hollow.safetensors", st, &map));
        snprintf(expected, sizeof expected, "text_width=%d text_depth=%d text_heads=%d text_vocab=49408 "
                 "text_activation=gelu", rows[i].width, rows[i].used, rows[i].heads);
        if (!strstr(limn_settings_text(&map.settings, text), expected)) fail_msg("%s is not %s", text, expected);
        OK(limn_model_build(g, &map.settings, (limn_build){.batch = 1}, &ports));
        for (int k = 0; k < g->n_parameters; k++) {
            OK(limn_map_read(ctx, &map, "sd2-hollow.safetensors", st, g->parameters[k], LIMN_F32, NULL, &found, NULL));
            numbers += limn_node_count(g->parameters[k]);
        }
        if (numbers != rows[i].numbers) fail_msg("%lld numbers, not %lld", (long long)numbers, (long long)rows[i].numbers);
        limn_graph_free(g);
        limn_weight_file_close(st);
    }
    unlink("sd2-hollow.safetensors");
    limn_ctx_free(ctx);
}

/* ---- bad files -------------------------------------------------------------------------------------------------------- */

static void refused(limn_ctx *ctx, const char *file, const char *text, limn_status status, const char *words)
{
    char path[200];
    limn_pipeline *p;
    write_text(inside("v", file, path), text);
    says(ctx, limn_pipeline_open(ctx, "sd2-v", &p), status, words);
    assert_null(p);
}

static sd_tensor twice_as_wide(const sd_tensor *t)
{
    sd_tensor wide = *t;
    for (int i = 0; i < t->rank; i++) wide.dim[i] *= t->dim[i] == 49408 || t->dim[i] == 77 ? 1 : 2;
    return wide;
}

static void what_does_not_belong_together_is_a_sentence(void **state)
{
    (void)state;
    static const sd_tensor *tensors[SD_MOST];
    static sd_tensor wide[SD_MOST];
    static const char q[] = "text_model.encoder.layers.1.self_attn.q_proj.weight";
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p;
    char path[200];
    write_folder(ctx, "v");
    unlink("sd2-v/scheduler/scheduler_config.json");
    refused(ctx, "/unet/config.json", "{\"attention_head_dim\": [1, 2]}", LIMN_BAD_FILE,
            "expected a number of heads for each of 3 levels, found 2");
    refused(ctx, "/unet/config.json", "{" UNET_WITH("[1, 3, 2]") "}", LIMN_UNSUPPORTED, "found 3 at one of 64 channels");
    refused(ctx, "/unet/config.json", "{" UNET_WITH("[1, \"2\", 2]") "}", LIMN_UNSUPPORTED, "found 0 at one of 64 channels");
    refused(ctx, "/unet/config.json", "{" UNET_WITH("[1, 1, 2]") "}", LIMN_UNSUPPORTED,
            "expected heads of one width at all levels, found 1 at one of 64 channels");
    write_text(inside("v", "/unet/config.json", path), "{" UNET "}");
    refused(ctx, "/text_encoder/config.json", "{\"num_hidden_layers\": 2}", LIMN_BAD_FILE, "num_hidden_layers 2");

    make_one_file(ctx, "v", path);
    write_text("sd2-one/config.json", "{" UNET ", \"num_hidden_layers\": 5}");
    says(ctx, limn_pipeline_open(ctx, path, &p), LIMN_BAD_FILE, "num_hidden_layers 5, and its tensors have 4");
    write_text("sd2-one/config.json", "{" UNET ", \"hidden_size\": 1024}");
    says(ctx, limn_pipeline_open(ctx, path, &p), LIMN_BAD_FILE, "hidden_size 1024, and its tensors have 64");
    make_one_file(ctx, "v", path);
    write_one_file(ctx, path, "v", q, NULL);
    OK(limn_pipeline_open(ctx, path, &p));
    limn_generate_options o = limn_generate_defaults();
    limn_image image;
    o.width = WIDTH, o.height = HEIGHT, o.steps = 1;
    says(ctx, limn_generate(p, &o, &image), LIMN_BAD_FILE, "resblocks.1.attn.in_proj_weight");
    limn_pipeline_free(p);

    mkdir("sd2-wide", 0777);
    size_t n = sd_take(sd2_tensors, SD2_TENSORS, "open_clip", NULL, 0, tensors);
    for (size_t i = 0; i < n; i++) wide[i] = twice_as_wide(tensors[i]), tensors[i] = &wide[i];
    write_views(ctx, "sd2-wide/t.safetensors", n, tensors, NULL, "v");
    make_one_file(ctx, "v", path);
    says(ctx, limn_pipeline_open_parts(ctx, &(limn_pipeline_parts){.model = path, .clip_l = "sd2-wide/t.safetensors"}, &p),
         LIMN_BAD_ARGUMENT, "makes features of 128 numbers for a token, and sd2-one/v.safetensors reads 64 of it "
         "(--clip_l): they do not belong together");
    for (size_t i = 0; i < n; i++)
        if (strstr(wide[i].original, "resblocks.0.attn.in_proj_bias")) wide[i].dim[0] = 3 * 128 - 3;
    write_views(ctx, "sd2-wide/t.safetensors", n, tensors, NULL, "v");
    OK(limn_pipeline_open_parts(ctx, &(limn_pipeline_parts){.model = path}, &p));
    limn_pipeline_free(p);
    limn_weight_file *st;
    limn_map map;
    limn_ports ports;
    bool found;
    limn_graph *g = limn_graph_new(ctx);
    OK(limn_weight_file_open(ctx, "sd2-wide/t.safetensors", &st));
    OK(limn_map_detect(ctx, "sd2-wide/t.safetensors", st, &map));
    OK(limn_model_build(g, &map.settings, (limn_build){.batch = 1}, &ports));
    limn_status status = LIMN_OK;
    for (int k = 0; k < g->n_parameters && status == LIMN_OK; k++)
        status = limn_map_read(ctx, &map, "sd2-wide/t.safetensors", st, g->parameters[k], LIMN_F32, NULL, &found, NULL);
    says(ctx, status, LIMN_BAD_FILE, "attn.in_proj_bias");
    says(ctx, status, LIMN_BAD_FILE, "384");
    limn_graph_free(g);
    limn_weight_file_close(st);
    limn_ctx_free(ctx);
}

/* ---- the program ------------------------------------------------------------------------------------------------------ */

#define LIMN LIMN_BINARY_DIR "/limn "

static void expect(const char *arguments, int code, const char *words)
{
    char command[1000];
    int found;
    snprintf(command, sizeof command, LIMN "%s", arguments);
    const char *text = run_program(command, "sd2-said.txt", &found);
    if (found != code << 8 || !strstr(text, words)) fail_msg("limn %s: %d, \"%s\"", arguments, found, text);
}

static void same_pictures(limn_ctx *ctx, const char *a, const char *b, bool same)
{
    limn_image one, two;
    OK(limn_image_read(ctx, a, 0, &one));
    OK(limn_image_read(ctx, b, 0, &two));
    assert_true(one.width == WIDTH && one.height == HEIGHT && two.width == WIDTH && two.height == HEIGHT);
    if (!memcmp(one.pixels, two.pixels, PIXELS) != same) fail_msg("%s and %s", a, b);
    limn_image_free(&one);
    limn_image_free(&two);
}

#define DRAW "generate 'a lighthouse' -m sd2-one/v.safetensors -W 48 -H 32 --steps 2 "

static void the_program_takes_what_is_usual(void **state)
{
    (void)state;
    if (access(LIMN_BINARY_DIR "/limn", X_OK)) skip();
    limn_ctx *ctx = limn_ctx_new();
    char path[200];
    make_one_file(ctx, "v", path);
    mkdir("sd2-tiny", 0777);
    write_text("sd2-tiny/config.json", TINY_CONFIG);
    write_tiny(ctx, "sd2-tiny/diffusion_pytorch_model.safetensors", NULL);
    expect(DRAW "-o sd2-shown.png", 0, "prediction: v, as the network itself shows (--prediction says otherwise)");
    expect(DRAW "-o sd2-eps.png --prediction eps", 0, "");
    expect(DRAW "-o sd2-v.png --prediction v", 0, "");
    same_pictures(ctx, "sd2-shown.png", "sd2-v.png", true);
    same_pictures(ctx, "sd2-shown.png", "sd2-eps.png", false);
    expect("generate --again sd2-eps.png -m sd2-one/v.safetensors -o sd2-again.png", 0, "");
    same_pictures(ctx, "sd2-eps.png", "sd2-again.png", true);
    expect(DRAW "--prediction edm_v", 2, "no prediction \"edm_v\"; there are: eps v x0");
    expect(DRAW "-o sd2-none.png --cfg-scale 0", 0, "a guidance of 0 is none, as diffusers has it: the same as 1");
    expect(DRAW "-o sd2-none.png --cfg-scale 0 -n fog", 0, "the same as 1, and the negative prompt is not read");
    expect(DRAW "-o sd2-one.png --cfg-scale 1", 0, "");
    same_pictures(ctx, "sd2-none.png", "sd2-one.png", true);
    same_pictures(ctx, "sd2-none.png", "sd2-v.png", false);
    expect(DRAW "-o sd2-skip.png --clip-skip 2", 0, "clip skip 2 leaves out 1 of the layers that Stable Diffusion 2 reads, "
           "as diffusers has it; sd-cli and ComfyUI count one more, which it never reads: there it is 3");
    expect(DRAW "-o sd2-turbo.png --cfg-scale 1 --sampling-method euler_a --scheduler trailing", 0, "");
    expect(DRAW "-o sd2-large.png --hires 2 --preview sd2-seen.png --taesd sd2-tiny", 0, "");
    expect(DRAW "-o sd2-seen.png -i sd2-v.png --preview proj --preview-path sd2-p.png", 0, "");
    expect("upscale -m sd2-one/v.safetensors sd2-v.png --scale 1.5 --tile 64 --steps 4 -o sd2-large.png", 0,
           "prediction: v");
    assert_int_equal(system(LIMN "inspect sd2-one/v.safetensors | head -1 | grep -q '^holds     OpenCLIP text encoder, "
                                 "Stable Diffusion autoencoder, Stable Diffusion U-Net$'"), 0);
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loras_and_words_of_ones_own),
        cmocka_unit_test(converted_files_draw_the_same),
        cmocka_unit_test(full_size_has_as_many_blocks),
        cmocka_unit_test(what_does_not_belong_together_is_a_sentence),
        cmocka_unit_test(the_program_takes_what_is_usual),
        cmocka_unit_test(one_file_draws_the_same),
        cmocka_unit_test(what_is_predicted_may_be_said),
        cmocka_unit_test(a_question_takes_no_memory),
        cmocka_unit_test(parts_draw_the_same),
        cmocka_unit_test(folders_draw_what_diffusers_draws),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
