/* test_generate.c: pictures from small models of random weights: the same bits however they are asked for, every text, every
 * refusal, and what `limn generate` does with its flags. */
#include "base/base.h"
#include "base/rng.h"
#include "base/torch_rng.h"
#include "denoise/sampler.h"
#include "file/bytes.h"
#include "file/safetensors.h"
#include "graph/node.h"
#include "pipeline/generate.h"
#include "pipeline/pipeline.h"
#include "train/weights.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define TEXT_NET                                                                                                            \
    "mmdit size=16 channels=4 patch=4 width=32 depth=2 heads=2 mlp=64 conditioning=modulated norm=pre text_encoder=clip "   \
    "text_length=16 text_width=32 text_depth=1 text_heads=2 text_vocab=514"
#define LABEL_NET                                                                                                           \
    "dit size=8 channels=3 patch=2 width=32 depth=2 heads=2 mlp=64 conditioning=modulated norm=pre classes=5 learn_sigma=1"
#define PLAIN_NET "dit size=8 channels=1 patch=4 width=32 depth=1 heads=2 mlp=32"

/* ---- models ----------------------------------------------------------------------------------------------------------- */

typedef struct recipe {
    const char *folder, *net, *schedule, *prediction, *shift;
    const float *constant; /* NULL: random weights; else the network answers constant[channel], whatever it sees */
    bool half;
    const char *classes;   /* limn.classes; NULL: three names */
} recipe;

static void fill(const recipe *r, const limn_node *node, float *to)
{
    size_t n = (size_t)limn_node_count(node);
    if (strcmp(node->name, "pos_embed") == 0) return;
    limn_random_normal(7, LIMN_STREAM_TEST, limn_hash_name(node->name), 0, n, to);
    for (size_t i = 0; i < n; i++) to[i] *= 0.2f;
    if (!r->constant || strncmp(node->name, "final_layer.linear", 18)) return;
    bool bias = strstr(node->name, "bias");
    for (size_t i = 0; i < n; i++) to[i] = bias ? r->constant[i % 6] : 0; /* LABEL_NET's 2 x 3 channels, fastest */
}

static void write_model(limn_ctx *ctx, const recipe *r)
{
    limn_settings s;
    limn_ports ports;
    limn_weights w;
    char path[256];
    limn_graph *g = limn_graph_new(ctx);
    assert_int_equal(limn_settings_parse(ctx, r->net, &s), LIMN_OK);
    assert_int_equal(limn_model_build(g, &s, (limn_build){.batch = 1}, &ports), LIMN_OK);
    assert_int_equal(limn_weights_new(ctx, g, 0, &w), LIMN_OK);
    limn_named_view *views = calloc((size_t)w.n, sizeof *views);
    uint16_t *half = calloc(w.count, sizeof *half);
    for (int i = 0; i < w.n; i++) {
        fill(r, w.node[i], w.value + w.begin[i]);
        limn_convert(w.value + w.begin[i], LIMN_F32, half + w.begin[i], LIMN_BF16, (size_t)limn_node_count(w.node[i]));
        void *data = r->half ? (void *)(half + w.begin[i]) : (void *)(w.value + w.begin[i]);
        views[i] = (limn_named_view){w.node[i]->name, {r->half ? LIMN_BF16 : LIMN_F32, w.node[i]->shape, data}};
    }
    const char *const metadata[][2] = {{"limn.classes", r->classes ? r->classes : "cell\ncell wall\ndot\n"},
                                       {"limn.settings", r->net},
                                       {"limn.schedule", r->schedule},
                                       {"limn.prediction", r->prediction},
                                       {"limn.shift", r->shift ? r->shift : "1"}};
    mkdir(r->folder, 0777);
    snprintf(path, sizeof path, "%s/model.safetensors", r->folder);
    assert_int_equal(limn_safetensors_write(ctx, path, (size_t)w.n, views, 5, metadata), LIMN_OK);
    free(views);
    free(half);
    limn_weights_free(&w);
    limn_graph_free(g);
}

static limn_pipeline *open_model(limn_ctx *ctx, const recipe *r)
{
    limn_pipeline *p;
    write_model(ctx, r);
    if (limn_pipeline_open(ctx, r->folder, &p) != LIMN_OK) fail_msg("%s: %s", r->folder, limn_error_text(ctx));
    return p;
}

static const recipe text_model = {
    .folder = "gen-text", .net = TEXT_NET, .schedule = "flow", .prediction = "x0", .shift = "2", .half = true};
static const recipe label_model = {.folder = "gen-label", .net = LABEL_NET, .schedule = "cosine", .prediction = "v"};

static size_t bytes_of(const limn_image *image)
{
    return (size_t)image->width * (size_t)image->height * (size_t)image->channels;
}

static void generate(limn_ctx *ctx, limn_pipeline *p, const limn_generate_options *o, limn_image *images)
{
    if (limn_generate(p, o, images) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
}

static void assert_same(const limn_image *a, const limn_image *b)
{
    assert_int_equal(bytes_of(a), bytes_of(b));
    assert_memory_equal(a->pixels, b->pixels, bytes_of(a));
}

static bool differ(const limn_image *a, const limn_image *b)
{
    return memcmp(a->pixels, b->pixels, bytes_of(a)) != 0;
}

/* ---- the same bits ---------------------------------------------------------------------------------------------------- */

static void same_seed_same_bytes_on_one_and_two_threads_by_every_sampler(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    const recipe *models[] = {&text_model, &label_model};
    for (int m = 0; m < 2; m++) {
        limn_pipeline *p = open_model(ctx, models[m]);
        limn_generate_options o = limn_generate_defaults();
        o.prompt = "a red circle", o.steps = 4, o.guidance = 3, o.label = 2;
        char names[256], *name, *rest = names;
        static const char of_flow[] = "euler heun dpm++2m dpm2 dpm++2m_sde unipc deis lms lcm";
        snprintf(names, sizeof names, "%s", m ? limn_sampler_names() : of_flow);
        while ((name = strtok_r(rest, " ", &rest))) {
            limn_image a, b, c;
            o.sampler = name;
            limn_ctx_set_threads(ctx, 1);
            generate(ctx, p, &o, &a);
            generate(ctx, p, &o, &c); /* by the plan that was kept */
            limn_ctx_set_threads(ctx, 2);
            generate(ctx, p, &o, &b);
            assert_same(&a, &b);
            assert_same(&a, &c);
            limn_image_free(&a);
            limn_image_free(&b);
            limn_image_free(&c);
        }
        limn_pipeline_free(p);
    }
    limn_ctx_free(ctx);
}

static void a_picture_alone_equals_the_same_in_a_batch(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = open_model(ctx, &text_model);
    limn_generate_options o = limn_generate_defaults();
    o.prompt = "a red circle", o.steps = 3, o.precision = LIMN_PRECISION_F32, o.seed = 100;
    static const int counts[] = {4, 17}; /* 17: two batches of nine */
    for (int c = 0; c < 2; c++) {
        limn_image many[17], one;
        o.n = counts[c], o.seed = 100;
        generate(ctx, p, &o, many);
        o.n = 1;
        for (int i = 0; i < counts[c]; i += 3) {
            o.seed = 100 + (uint64_t)i;
            generate(ctx, p, &o, &one);
            assert_same(&one, &many[i]);
            if (i) assert_true(differ(&one, &many[0]));
            limn_image_free(&one);
        }
        for (int i = 0; i < counts[c]; i++) limn_image_free(&many[i]);
    }
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* Before the first step there is the first tensor of the seed's generator, channels first; flow starts at noise itself. */
static void the_first_noise_is_pytorchs_for_its_kinds(void **state)
{
    (void)state;
    enum { SIDE = 16, C = 4, N = SIDE * SIDE * C };
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = open_model(ctx, &text_model);
    for (int cuda = 0; cuda < 2; cuda++) {
        limn_generate_options o = limn_generate_defaults();
        o.n = 2, o.seed = UINT64_MAX, o.rng = cuda ? LIMN_RNG_CUDA : LIMN_RNG_CPU; /* seed + 1 is 0 */
        limn_sampling *s;
        assert_int_equal(limn_sampling_begin(p, &o, &s), LIMN_OK);
        for (int i = 0; i < 2; i++) {
            limn_torch_rng g;
            limn_latent x;
            float tensor[N];
            limn_torch_rng_seed(&g, cuda, i ? 0 : UINT64_MAX);
            limn_torch_rng_normal(&g, N, tensor);
            assert_int_equal(limn_sampling_latent(s, i, &x), LIMN_OK);
            for (int k = 0; k < N; k++) assert_true(x.values[k] == tensor[k % C * SIDE * SIDE + k / C]);
            limn_latent_free(&x);
        }
        limn_sampling_end(s);
    }
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

static void random_numbers_are_the_models_unless_the_options_name_them(void **state)
{
    (void)state;
    static const char *const said[] = {"Model: gen-label, Version", "Model: gen-label, Version",
                                       "Model: gen-label, RNG: CPU, Version", "Model: gen-label, RNG: NV, Version"};
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = open_model(ctx, &label_model);
    limn_generate_options o = limn_generate_defaults();
    limn_image of_kind[4], one, many[3];
    o.sampler = "euler_a", o.steps = 3, o.seed = 100;
    assert_int_equal(limn_pipeline_describe(p).rng, LIMN_RNG_LIMN);
    for (int kind = 0; kind < 4; kind++) {
        o.rng = (limn_rng)kind, o.n = 3, o.seed = 100;
        generate(ctx, p, &o, many);
        char *text = limn_generate_parameters(p, &o, 0);
        assert_non_null(strstr(text, said[kind]));
        free(text);
        o.n = 1, o.seed = 102;
        generate(ctx, p, &o, &of_kind[kind]);
        assert_same(&of_kind[kind], &many[2]); /* a generator for each picture */
        for (int i = 0; i < 3; i++) limn_image_free(&many[i]);
    }
    assert_same(&of_kind[LIMN_RNG_AUTO], &of_kind[LIMN_RNG_LIMN]);
    assert_true(differ(&of_kind[LIMN_RNG_CPU], &of_kind[LIMN_RNG_LIMN]));
    assert_true(differ(&of_kind[LIMN_RNG_CPU], &of_kind[LIMN_RNG_CUDA]));
    p->rng = LIMN_RNG_CPU; /* as who opens a published model says */
    assert_int_equal(limn_pipeline_describe(p).rng, LIMN_RNG_CPU);
    for (int kind = 0; kind < 4; kind++) {
        o.rng = (limn_rng)kind;
        generate(ctx, p, &o, &one);
        assert_same(&one, &of_kind[kind == LIMN_RNG_AUTO ? LIMN_RNG_CPU : kind]);
        limn_image_free(&one);
    }
    o.rng = (limn_rng)4;
    assert_int_equal(limn_generate(p, &o, &one), LIMN_BAD_ARGUMENT);
    assert_non_null(strstr(limn_error_text(ctx), "unknown kind of random numbers"));
    for (int kind = 0; kind < 4; kind++) limn_image_free(&of_kind[kind]);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* A network that answers the same in every pixel: what the sampler makes of that is known without the pipeline. */
static void learned_variance_labels_and_guidance_reach_the_sampler_in_order(void **state)
{
    (void)state;
    enum { SIDE = 8, C = 3, N = SIDE * SIDE * C };
    limn_ctx *ctx = limn_ctx_new();
    static const float constant[2 * C] = {0.3125f, -0.40625f, 0.203125f,
                                          1,       -1,        0.5f}; /* bf16 holds them: auto may choose either precision */
    recipe r = {.folder = "gen-constant", .net = LABEL_NET, .schedule = "linear", .prediction = "eps", .constant = constant};
    limn_pipeline *p = open_model(ctx, &r);
    limn_generate_options o = limn_generate_defaults();
    o.sampler = "ddpm", o.steps = 5, o.seed = 9, o.guidance = 4;
    limn_image image;
    generate(ctx, p, &o, &image);
    limn_sampler_options sampling = limn_sampler_defaults();
    limn_sampler *s;
    sampling.name = "ddpm", sampling.n_steps = 5, sampling.variance = LIMN_VARIANCE_LEARNED_RANGE, sampling.channels = C,
    sampling.out_channels = 2 * C, sampling.clip = 1;
    assert_int_equal(limn_sampler_new(ctx, &sampling, &s), LIMN_OK);
    assert_int_equal(limn_sampler_begin(ctx, s, 1, N, &(limn_picture_seed){9, 0}), LIMN_OK);
    float x[N], y[2 * N];
    for (int i = 0; i < 2 * N; i++) y[i] = constant[i % (2 * C)];
    limn_sampler_start(s, NULL, x);
    for (int k = 0; k < limn_sampler_calls(s); k++) limn_sampler_step(s, k, y, x);
    for (int i = 0; i < N; i++) {
        float value = x[i] * 0.5f + 0.5f, byte = value < 0 ? 0 : value > 1 ? 255 : value * 255;
        if (fabs((double)image.pixels[i] - (double)byte) > 0.51)
            fail_msg("pixel %d: %d, expected %g", i, image.pixels[i], (double)byte);
    }
    limn_sampler_free(s);
    limn_image_free(&image);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

static void labels_prompts_and_guidance_matter(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = open_model(ctx, &label_model);
    limn_generate_options o = limn_generate_defaults();
    limn_image a, b, c, d;
    o.steps = 3, o.label = 1;
    generate(ctx, p, &o, &a);
    o.label = 2;
    generate(ctx, p, &o, &b);
    o.guidance = 1;
    generate(ctx, p, &o, &c);
    o.guidance = 4, o.label = 5; /* no label: guidance between two equal halves */
    generate(ctx, p, &o, &d);
    assert_true(differ(&a, &b) && differ(&b, &c) && differ(&c, &d));
    limn_image_free(&a);
    o.guidance = 1;
    generate(ctx, p, &o, &a);
    assert_same(&a, &d);
    limn_image *all[] = {&a, &b, &c, &d};
    for (int i = 0; i < 4; i++) limn_image_free(all[i]);
    o.label = 6;
    assert_int_equal(limn_generate(p, &o, &a), LIMN_BAD_ARGUMENT);
    assert_non_null(strstr(limn_error_text(ctx), "class"));
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* Also in a network of one's own that learns the variance: DiT's authors guide three of four channels. */
static void transparency_is_guided_too(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    const char *net = "dit size=8 channels=4 patch=2 width=32 depth=2 heads=2 mlp=64 conditioning=modulated norm=pre "
                      "classes=5 learn_sigma=1";
    recipe r = {.folder = "gen-alpha", .net = net, .schedule = "cosine", .prediction = "v"};
    limn_pipeline *p = open_model(ctx, &r);
    limn_generate_options o = limn_generate_defaults();
    limn_image plain, guided;
    int moved = 0;
    o.steps = 1, o.guidance = 1;
    generate(ctx, p, &o, &plain);
    o.guidance = 4;
    generate(ctx, p, &o, &guided);
    for (int i = 3; i < 8 * 8 * 4; i += 4) moved += abs(plain.pixels[i] - guided.pixels[i]) > 8;
    assert_true(moved > 0);
    limn_image_free(&plain);
    limn_image_free(&guided);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* ---- texts ------------------------------------------------------------------------------------------------------------ */

static void count_warnings(void *user, limn_log_level level, const char *text)
{
    (void)text;
    *(int *)user += level == LIMN_LOG_WARN;
}

static void any_prompt_makes_a_picture(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = open_model(ctx, &text_model);
    char *lengthy = malloc(10001);
    memset(lengthy, 'x', 10000);
    lengthy[10000] = '\0';
    int warnings = 0;
    limn_ctx_set_log(ctx, count_warnings, &warnings);
    /* a token for each byte, and 14 fit; what is no UTF-8 counts as U+FFFD, three bytes */
    const struct { const char *text; bool cut;
    } prompts[] = {
        {"", false},
        {" ", false},
        {"a cat", false},
        {"😀 日本語 עברית", true},
        {"\xff\xfe broken \xc3", true},
        {"a\nb\tc\x01", false},
        {"<|endoftext|>", false},
        {lengthy, true},
    };
    for (size_t i = 0; i < sizeof prompts / sizeof *prompts; i++) {
        limn_generate_options o = limn_generate_defaults();
        limn_image image;
        o.steps = 1, o.prompt = o.negative = prompts[i].text;
        warnings = 0;
        generate(ctx, p, &o, &image);
        assert_int_equal(warnings, prompts[i].cut ? 2 : 0);
        char *text = limn_generate_parameters(p, &o, 0);
        assert_non_null(text);
        for (const char *c = text; *c; c++) assert_true((unsigned char)*c >= 0x20 || *c == '\n');
        assert_int_equal(limn_png_write(ctx, "gen-prompt.png", &image, text), LIMN_OK);
        free(text);
        limn_image_free(&image);
    }
    free(lengthy);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

static void parameters_say_what_made_the_picture(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = open_model(ctx, &text_model), *q = open_model(ctx, &label_model);
    limn_generate_options o = limn_generate_defaults();
    char expected[512], *text;
    o.prompt = "a \xff cat", o.negative = "dog", o.guidance = 7.5, o.seed = 40;
    snprintf(expected, sizeof expected,
             "a \xef\xbf\xbd cat\nNegative prompt: dog\nSteps: 20, Sampler: Euler, CFG scale: 7.5, Seed: 42, Size: 16x16, "
             "Model: gen-text, Version: limn %s",
             limn_version());
    text = limn_generate_parameters(p, &o, 2);
    assert_string_equal(text, expected);
    free(text);
    o.scheduler = strndup("", 0); /* nothing behind its end */
    text = limn_generate_parameters(p, &o, 2);
    assert_string_equal(text, expected);
    free(text);
    free((char *)(uintptr_t)o.scheduler);
    o.sampler = "dpm++2m", o.scheduler = "karras", o.label = 3;
    snprintf(expected, sizeof expected,
             "Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7.5, Class: 3, Seed: 40, Size: 8x8, Model: "
             "gen-label, Version: limn %s",
             limn_version());
    text = limn_generate_parameters(q, &o, 0);
    assert_string_equal(text, expected);
    free(text);
    o.sampler = "dpmpp_2m karras", o.scheduler = NULL; /* the same words, as others spell them */
    text = limn_generate_parameters(q, &o, 0);
    assert_string_equal(text, expected);
    free(text);
    o.sampler = "DPM2 a", o.scheduler = "sgm_uniform";
    text = limn_generate_parameters(q, &o, 0);
    assert_non_null(strstr(text, "Sampler: DPM2 a, Schedule type: SGM Uniform, "));
    free(text);
    limn_pipeline_free(q);
    const recipe plain = {.folder = "gen-plain",
                          .net = "dit size=8 channels=1 patch=2 width=16 depth=1 heads=2 mlp=32",
                          .schedule = "cosine",
                          .prediction = "v"};
    q = open_model(ctx, &plain);
    text = limn_generate_parameters(q, &o, 0);
    assert_null(strstr(text, "CFG scale")); /* there is none */
    free(text);
    limn_pipeline_free(p);
    limn_pipeline_free(q);
    limn_ctx_free(ctx);
}

/* ---- refusals --------------------------------------------------------------------------------------------------------- */

static void refused(limn_ctx *ctx, limn_pipeline *p, limn_generate_options o, limn_status expected, const char *word)
{
    limn_image images[4];
    assert_int_equal(limn_generate(p, &o, images), expected);
    if (!strstr(limn_error_text(ctx), word)) fail_msg("\"%s\" does not say \"%s\"", limn_error_text(ctx), word);
    for (int i = 0; i < o.n && i < 4; i++) assert_null(images[i].pixels);
}

static bool stop_at_two(void *user, const char *what, int64_t done, int64_t total)
{
    (void)user, (void)total;
    return strcmp(what, "step") != 0 || done < 2;
}

static void wrong_options_are_named(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = open_model(ctx, &text_model);
    limn_generate_options o = limn_generate_defaults(), bad;
#define REFUSED(change, status, word) (bad = o, change, refused(ctx, p, bad, status, word))
    REFUSED(bad.sampler = "eular", LIMN_NOT_FOUND, "euler_a");
    REFUSED(bad.sampler = "ddim", LIMN_BAD_ARGUMENT, "rectified flow");
    REFUSED(bad.scheduler = "fast", LIMN_NOT_FOUND, "karras");
    REFUSED(bad.scheduler = "karras", LIMN_BAD_ARGUMENT,
            "takes no Karras sigmas where a model was trained on rectified flow");
    REFUSED(bad.eta = 0.5, LIMN_BAD_ARGUMENT, "eta");
    REFUSED(bad.sampler = "dpm++2n", LIMN_NOT_FOUND, "did you mean dpm++2m?");
    REFUSED(bad.sampler = "flow_euler", LIMN_NOT_FOUND, "there are: euler");
    REFUSED(bad.sampler = "UniPC Karras", LIMN_BAD_ARGUMENT, "takes no Karras sigmas");
    REFUSED((bad.sampler = "Euler Simple", bad.scheduler = "beta"), LIMN_BAD_ARGUMENT,
            "names Simple sigmas, and the scheduler");
    REFUSED((bad.sampler = "Euler Simple", bad.scheduler = "trailing"), LIMN_BAD_ARGUMENT, "the scheduler is trailing");
    REFUSED(bad.scheduler = "exponentiel", LIMN_NOT_FOUND, "did you mean exponential?");
    REFUSED(bad.steps = 0, LIMN_BAD_ARGUMENT, "steps");
    REFUSED(bad.steps = 1001, LIMN_BAD_ARGUMENT, "1000");
    REFUSED(bad.n = 0, LIMN_BAD_ARGUMENT, "pictures");
    REFUSED(bad.guidance = NAN, LIMN_BAD_ARGUMENT, "guidance");
    REFUSED(bad.guidance_rescale = 2, LIMN_BAD_ARGUMENT, "rescale");
#undef REFUSED
    limn_ctx_set_progress(ctx, stop_at_two, NULL);
    o.n = 2;
    refused(ctx, p, o, LIMN_CANCELLED, "stopped after 2 of 20");
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

static void does_not_open(limn_ctx *ctx, const char *folder, limn_status expected, const char *word)
{
    limn_pipeline *p = (limn_pipeline *)&p;
    assert_int_equal(limn_pipeline_open(ctx, folder, &p), expected);
    assert_null(p);
    if (!strstr(limn_error_text(ctx), word)) fail_msg("\"%s\" does not say \"%s\"", limn_error_text(ctx), word);
}

static void missing_and_damaged_models_are_named(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p;
    recipe r = label_model;
    r.folder = "gen-bad";
    mkdir("gen-empty", 0777);
    does_not_open(ctx, "gen-nothing", LIMN_NOT_FOUND, "gen-nothing");
    does_not_open(ctx, "gen-empty", LIMN_NOT_FOUND, "model.safetensors");
    r.schedule = "quadratic";
    write_model(ctx, &r);
    does_not_open(ctx, "gen-bad", LIMN_UNSUPPORTED, "quadratic");
    r = label_model, r.folder = "gen-bad", r.shift = "-1";
    write_model(ctx, &r);
    does_not_open(ctx, "gen-bad", LIMN_BAD_FILE, "limn.shift");
    does_not_open(ctx, "gen-bad/model.safetensors", LIMN_BAD_FILE, "limn.shift");
    does_not_open(ctx, "/dev/null", LIMN_NOT_FOUND, "found neither");
    r = text_model, r.folder = "gen-bad", r.net = TEXT_NET "0"; /* a vocabulary of 5140 needs merges */
    write_model(ctx, &r);
    does_not_open(ctx, "gen-bad", LIMN_NOT_FOUND, "merges.txt.gz");

    /* cut at every 1/40 of its length */
    unsigned char *bytes;
    size_t n;
    write_model(ctx, &label_model);
    assert_int_equal(limn_file_read(ctx, "gen-label/model.safetensors", 1 << 24, &bytes, &n), LIMN_OK);
    for (size_t part = 0; part < 40; part++) {
        FILE *f = fopen("gen-bad/model.safetensors", "wb");
        fwrite(bytes, 1, n * part / 40, f);
        fclose(f);
        does_not_open(ctx, "gen-bad", LIMN_BAD_FILE, "gen-bad/model.safetensors");
    }
    free(bytes);

    /* settings that the tensors do not fit */
    const char *const metadata[][2] = {{"limn.settings", PLAIN_NET}};
    limn_image image;
    limn_generate_options o = limn_generate_defaults();
    assert_int_equal(limn_safetensors_write(ctx, "gen-bad/model.safetensors", 0, NULL, 1, metadata), LIMN_OK);
    assert_int_equal(limn_pipeline_open(ctx, "gen-bad", &p), LIMN_OK);
    assert_int_equal(limn_generate(p, &o, &image), LIMN_BAD_FILE);
    assert_non_null(strstr(limn_error_text(ctx), "no tensor"));
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

static void a_size_beyond_the_memory_is_refused_before_it_is_taken(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p;
    limn_image image;
    limn_generate_options o = limn_generate_defaults();
    /* activations of 17 GB each in f32 */
    recipe huge = {.folder = "gen-huge",
                   .net = "ddpm size=4096 channels=3 width=256 multipliers=1 blocks=1 groups=8 attention_least=4096",
                   .schedule = "linear",
                   .prediction = "eps",
                   .half = true};
    p = open_model(ctx, &huge);
    o.precision = LIMN_PRECISION_F32;
    assert_int_equal(limn_generate(p, &o, &image), LIMN_NO_MEMORY);
    const char *fits = strstr(limn_error_text(ctx), "or smaller ones; ");
    char wanted[64];
    for (int k = 15; k > 0 && fits; k--) { /* 4096 is more than there is: k sixteenths of it */
        snprintf(wanted, sizeof wanted, "or smaller ones; %d x %d would fit", 256 * k, 256 * k);
        if (strcmp(fits, wanted) == 0) fits = NULL;
    }
    assert_true(strstr(limn_error_text(ctx), "MB") && strstr(limn_error_text(ctx), "would fit") && !fits);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* ---- limn generate ---------------------------------------------------------------------------------------------------- */

static int run(const char *flags, char *out, size_t size)
{
    char command[1024];
    snprintf(command, sizeof command, "OMP_WAIT_POLICY=passive timeout 60 %s/limn generate %s 2>gen-stderr.txt",
             LIMN_BINARY_DIR, flags);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t n = fread(out, 1, size - 1, pipe);
    out[n] = '\0';
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool file_holds(limn_ctx *ctx, const char *path, const char *text)
{
    unsigned char *bytes;
    size_t n;
    if (limn_file_read(ctx, path, 1 << 24, &bytes, &n) != LIMN_OK) return false;
    bool found = memmem(bytes, n, text, strlen(text)) != NULL;
    free(bytes);
    return found;
}

static void the_command_writes_names_to_stdout_and_settings_into_the_picture(void **state)
{
    (void)state;
    if (access(LIMN_BINARY_DIR "/limn", X_OK)) skip();
    limn_ctx *ctx = limn_ctx_new();
    char out[512];
    write_model(ctx, &text_model);
    assert_int_equal(run("-m gen-text 'a red circle' -o gen-a.png --steps 2 -s 5", out, sizeof out), 0);
    assert_string_equal(out, "gen-a.png\n");
    assert_true(file_holds(ctx, "gen-a.png",
                           "a red circle\nSteps: 2, Sampler: Euler, CFG scale: 3, Seed: 5, Size: 16x16, Model hash: "));
    assert_false(file_holds(ctx, "gen-stderr.txt", "\033"));
    assert_int_equal(run("-m gen-text -p 'a red circle' -b 3 -o gen-%03d.png --steps 2 --show", out, sizeof out), 0);
    assert_string_equal(out, "gen-000.png\ngen-001.png\ngen-002.png\n");
    limn_image grid;
    assert_int_equal(
        run("-m gen-text 'a red circle' -n 5 --grid -o gen-grid.png --steps 1 --disable-image-metadata", out, sizeof out),
        0);
    assert_string_equal(out, "gen-grid.png\n");
    assert_false(file_holds(ctx, "gen-grid.png", "parameters"));
    assert_int_equal(limn_image_read(ctx, "gen-grid.png", 0, &grid), LIMN_OK);
    assert_true(grid.width == 48 && grid.height == 32);
    limn_image_free(&grid);
    limn_ctx_free(ctx);
}

static bool same_pixels(limn_ctx *ctx, const char *a, const char *b)
{
    limn_image one, two;
    assert_int_equal(limn_image_read(ctx, a, 0, &one), LIMN_OK);
    assert_int_equal(limn_image_read(ctx, b, 0, &two), LIMN_OK);
    bool same = one.width == two.width && one.height == two.height && one.channels == two.channels &&
                memcmp(one.pixels, two.pixels, (size_t)one.width * (size_t)one.height * (size_t)one.channels) == 0;
    limn_image_free(&one);
    limn_image_free(&two);
    return same;
}

/* Every flag that matters is in the picture, and none goes before what is typed. */
static void a_picture_is_drawn_again(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "-m gen-text 'a \"red\", circle: (big)\nSteps' -n 'blue, x' -s 18446744073709551615 --steps 3 --cfg-scale 2.125",
        "-m gen-text '' --sampling-method heun --scheduler simple -W 24 -H 20 --rng cuda --precision f32 --steps 2",
        "-m gen-text x --scheduler trailing --guidance-rescale 0.7 --rng cpu --steps 2",
        "-m gen-label --class 2 --sampling-method 'DPM++ 2M Karras' --steps 2 -s 9",
        "-m gen-label --class 2 --sampling-method ddim --eta 0.3 --steps 2",
    };
    if (access(LIMN_BINARY_DIR "/limn", X_OK)) skip();
    limn_ctx *ctx = limn_ctx_new();
    char out[512], flags[700];
    write_model(ctx, &text_model);
    write_model(ctx, &label_model);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *model = strstr(rows[i], "gen-text") ? "gen-text" : "gen-label";
        snprintf(flags, sizeof flags, "%s -q -o gen-first.png", rows[i]);
        assert_int_equal(run(flags, out, sizeof out), 0);
        snprintf(flags, sizeof flags, "--again gen-first.png -m %s -q -o gen-second.png", model);
        assert_int_equal(run(flags, out, sizeof out), 0);
        if (!same_pixels(ctx, "gen-first.png", "gen-second.png")) fail_msg("drawn again otherwise: %s", rows[i]);
        snprintf(flags, sizeof flags, "--again gen-first.png -m %s -q -o gen-second.png -s 7", model);
        assert_int_equal(run(flags, out, sizeof out), 0);
        assert_false(same_pixels(ctx, "gen-first.png", "gen-second.png"));
    }
    assert_int_equal(run("-m gen-text x -i gen-first.png --strength 0.5 --steps 4 -q -o gen-from.png", out, sizeof out), 0);
    assert_int_equal(run("--again gen-from.png -m gen-text -q -o gen-second.png", out, sizeof out), 2);
    assert_true(file_holds(ctx, "gen-stderr.txt", "began with another picture (Denoising strength: 0.5)"));
    assert_int_equal(run("--again gen-from.png -m gen-text -i gen-first.png -q -o gen-second.png", out, sizeof out), 0);
    assert_true(same_pixels(ctx, "gen-from.png", "gen-second.png"));
    assert_int_equal(run("--again gen-from.png -i gen-first.png -q -o gen-second.png", out, sizeof out), 2);
    assert_true(file_holds(ctx, "gen-stderr.txt", "was drawn by the model \"gen-text\": give it (-m)"));
    assert_int_equal(run("--again gen-first.png -m gen-label -q -o gen-first.png", out, sizeof out), 2);
    assert_true(file_holds(ctx, "gen-stderr.txt", "the picture to draw again"));
    limn_ctx_free(ctx);
}

static void a_class_is_found_by_its_name(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = open_model(ctx, &label_model);
    assert_int_equal(limn_pipeline_class(p, "cell"), 0);
    assert_int_equal(limn_pipeline_class(p, "cell wall"), 1);
    assert_int_equal(limn_pipeline_class(p, "dot"), 2);
    assert_int_equal(limn_pipeline_class(p, ""), -1);
    assert_int_equal(limn_pipeline_class(p, "dots"), -1);
    int label = 7;
    assert_int_equal(limn_pipeline_label(p, "dots", &label), LIMN_BAD_ARGUMENT);
    assert_non_null(strstr(limn_error_text(ctx), "this model has no class \"dots\""));
    assert_int_equal(limn_pipeline_label(p, "99", &label), LIMN_BAD_ARGUMENT);
    assert_int_equal(label, 7);
    assert_int_equal(limn_pipeline_label(p, "dot", &label), LIMN_OK);
    assert_int_equal(label, 2);
    assert_int_equal(limn_pipeline_label(p, "1", &label), LIMN_OK);
    assert_int_equal(label, 1);
    limn_pipeline_free(p);
    char out[64], again[64];
    if (access(LIMN_BINARY_DIR "/limn", X_OK) == 0) {
        assert_int_equal(run("--class dot -m gen-label --steps 1 -o gen-dot.png", out, sizeof out), 0);
        assert_int_equal(run("--class 2 -m gen-label --steps 1 -o gen-2.png", again, sizeof again), 0);
        assert_true(file_holds(ctx, "gen-dot.png", "Class: 2") && file_holds(ctx, "gen-2.png", "Class: 2"));
    }
    limn_ctx_free(ctx);
}

/* Folders were named 1, 2 and one with a line break; the network knows 5 classes. */
static void a_class_named_by_a_number_is_found_by_its_name(void **state)
{
    (void)state;
    static const struct { const char *class, *number, *said;
    } rows[] = {
        {"1", "Class: 0", "the class that was named \"1\" in training, its number is 0; @1 is the class number 1"},
        {"2", "Class: 2", NULL},
        {"0", "Class: 0", NULL},
        {"@1", "Class: 1", NULL},
        {"'a\nb'", "Class: 1", NULL},
        {"3", "Class: 3", NULL},
        {"5", "Class: 5", NULL},
    };
    if (access(LIMN_BINARY_DIR "/limn", X_OK)) skip();
    limn_ctx *ctx = limn_ctx_new();
    recipe r = label_model;
    r.folder = "gen-numbers", r.classes = "1\na\\nb\n2\n";
    write_model(ctx, &r);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char out[64], flags[128];
        snprintf(flags, sizeof flags, "--class %s -m gen-numbers --steps 1 -o gen-number.png", rows[i].class);
        assert_int_equal(run(flags, out, sizeof out), 0);
        if (!file_holds(ctx, "gen-number.png", rows[i].number)) fail_msg("%s is not %s", rows[i].class, rows[i].number);
        if (rows[i].said && !file_holds(ctx, "gen-stderr.txt", rows[i].said))
            fail_msg("%s: see gen-stderr.txt", rows[i].class);
        if (!rows[i].said && i != 2) assert_false(file_holds(ctx, "gen-stderr.txt", "warning"));
    }
    char out[64];
    assert_int_equal(run("--class 6 -m gen-numbers --steps 1 -o gen-number.png", out, sizeof out), 2);
    assert_true(
        file_holds(ctx, "gen-stderr.txt", "expected a class from 0 to 4, or 5 for none, or its name in training, found 6"));
    limn_ctx_free(ctx);
}

static void every_wrong_flag_file_or_size_exits_with_2_and_a_sentence(void **state)
{
    (void)state;
    if (access(LIMN_BINARY_DIR "/limn", X_OK)) skip();
    limn_ctx *ctx = limn_ctx_new();
    static const char *const rows[][2] = {
        {"", "prompt"},
        {"x --steps 0", "--steps"},
        {"x --steps 2.5", "--steps"},
        {"x -W 63", "the width must be a multiple of patch, found 63; the nearest is 64"},
        {"x -H 1000000", "--height"},
        {"x --sampling-method eular", "euler_a"},
        {"x --sampling-method ddpm", "rectified flow"},
        {"x --scheduler fast", "karras"},
        {"x --eta 2", "--eta"},
        {"x --class 1", "labels"},
        {"x --cfg-scale -1", "--cfg-scale"},
        {"x --cfg-scale nan", "--cfg-scale"},
        {"x -b 0", "--batch-count"},
        {"x -n 2 -b 2", "-b"},
        {"x -s many", "--seed"},
        {"x --precision f8", "f8"},
        {"x y", "y"},
        {"x -p y", "-p"},
        {"x -o gen-nothing/a.png", "gen-nothing"},
        {"x -o a.jpg", "a.jpg"},
        {"x -o gen-text", "folder"},
        {"x --stepz 3", "--stepz"},
        {"x -m gen-nothing", "gen-nothing"},
        {"x --guidance-rescale 7", "--guidance-rescale"},
        {"x --karras --scheduler leading", "--karras"},
        {"x --steps", "--steps"},
        {"x --negative-prompt y --cfg-scale 1", "--negative-prompt changes guidance"},
        {"x --guidance-rescale 0.5 --cfg-scale 1", "--guidance-rescale changes guidance"},
        {"--cfg-scale 3 -m gen-plain", "--cfg-scale is for networks that read text or a class"},
        {"--guidance-rescale 0.5 -m gen-plain", "--guidance-rescale is for"},
        {"--class 1 --negative-prompt y -m gen-label", "reads no text"},
        {"--class 1 -m gen-plain", "knows no labels"},
        {"--class wall -m gen-label", "this model has no class \"wall\""},
        {"--class -1 -m gen-label", "no class \"-1\""},
        {"--class dot -m gen-plain", "knows no labels"},
        {"--class 1 --merges m -m gen-label", "no flag --merges"},
    };
    recipe plain = {.folder = "gen-plain", .net = PLAIN_NET, .schedule = "flow", .prediction = "flow"};
    write_model(ctx, &text_model);
    write_model(ctx, &label_model);
    write_model(ctx, &plain);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char flags[256], out[64];
        snprintf(flags, sizeof flags, "%s %s", strstr(rows[i][0], " -m ") ? "" : "-m gen-text", rows[i][0]);
        int code = run(flags, out, sizeof out);
        if (code != 2 || out[0] || !file_holds(ctx, "gen-stderr.txt", rows[i][1]))
            fail_msg("limn generate %s: exit code %d, see gen-stderr.txt", flags, code);
    }
    char out[64];
    assert_int_equal(run("x", out, sizeof out), 2); /* not in Limn's own folder */
    assert_true(file_holds(ctx, "gen-stderr.txt", "the model without -m"));
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_seed_same_bytes_on_one_and_two_threads_by_every_sampler),
        cmocka_unit_test(a_picture_alone_equals_the_same_in_a_batch),
        cmocka_unit_test(the_first_noise_is_pytorchs_for_its_kinds),
        cmocka_unit_test(random_numbers_are_the_models_unless_the_options_name_them),
        cmocka_unit_test(learned_variance_labels_and_guidance_reach_the_sampler_in_order),
        cmocka_unit_test(labels_prompts_and_guidance_matter),
        cmocka_unit_test(transparency_is_guided_too),
        cmocka_unit_test(any_prompt_makes_a_picture),
        cmocka_unit_test(parameters_say_what_made_the_picture),
        cmocka_unit_test(wrong_options_are_named),
        cmocka_unit_test(missing_and_damaged_models_are_named),
        cmocka_unit_test(a_size_beyond_the_memory_is_refused_before_it_is_taken),
        cmocka_unit_test(the_command_writes_names_to_stdout_and_settings_into_the_picture),
        cmocka_unit_test(a_picture_is_drawn_again),
        cmocka_unit_test(a_class_is_found_by_its_name),
        cmocka_unit_test(a_class_named_by_a_number_is_found_by_its_name),
        cmocka_unit_test(every_wrong_flag_file_or_size_exits_with_2_and_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
