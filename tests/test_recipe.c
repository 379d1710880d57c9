/* test_recipe.c: several networks that make a picture together: what feeds what, what all of them take, and that a text
 * encoder of its own gives the numbers that one gets who hands its output on.  Then pictures that are not square, latents as
 * numbers, texts alone, and steps one by one: tiny networks of random weights, sampled a second time by hand. */
#include "base/number.h"
#include "base/rng.h"
#include "denoise/guidance.h"
#include "denoise/picture.h"
#include "denoise/sampler.h"
#include "file/image.h"
#include "graph/node.h"
#include "make_network.h"
#include "pipeline/autoencoder.h"
#include "pipeline/pipeline.h"
#include "weights/source.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define TEXT "text_length=12 text_width=16 "
#define ENCODER "clip-text " TEXT "text_depth=2 text_heads=2 text_vocab=514"
#define MMDIT "mmdit size=8 channels=3 patch=4 width=16 depth=1 heads=2 mlp=16 attention=joint " TEXT
#define SMALL "size=8 channels=3 width=16 multipliers=12 blocks=1 groups=4 attention=4 attention_least=4 "
#define UNET "ldm-unet heads=2 " SMALL TEXT
#define INSIDE MMDIT "text_encoder=clip text_depth=2 text_heads=2 text_vocab=514"
#define LATENTS "dit size=4 channels=3 patch=2 width=16 depth=1 heads=2 mlp=16"
#define VAE "vae size=16 latent=3 base=32 levels=3 mult3=2 layers=1 groups=2"

static size_t memory; /* of the machine; 0: not known */
size_t __wrap_limn_memory_available(void);
size_t __wrap_limn_memory_available(void) { return memory; }

#define OK(call)                                                              \
    do {                                                                      \
        if ((call) != LIMN_OK) fail_msg("%s: %s", #call, limn_error_text(ctx)); \
    } while (0)

static void says(limn_ctx *ctx, limn_status found, limn_status expected, const char *words)
{
    assert_int_equal(found, expected);
    if (!strstr(limn_error_text(ctx), words)) fail_msg("\"%s\" does not say \"%s\"", limn_error_text(ctx), words);
}

/* ---- models ----------------------------------------------------------------------------------------------------------- */

/* Everything matters: nothing starts at zero. */
static void fill(const limn_node *parameter, float *values)
{
    size_t n = (size_t)limn_node_count(parameter);
    if (strcmp(limn_node_name(parameter), "pos_embed") == 0) return;
    limn_random_normal(3, LIMN_STREAM_TEST, limn_hash_name(limn_node_name(parameter)), 0, n, values);
    for (size_t i = 0; i < n; i++) values[i] *= 0.2f;
}

static void write_net(limn_ctx *ctx, const char *folder, const char *net, bool latents)
{
    if (!make_network_in(ctx, folder, net, fill, latents)) fail_msg("%s", limn_error_text(ctx));
}

/* FOLDER, and within it the folder of another net, or NULL. */
static limn_pipeline *open_model(limn_ctx *ctx, const char *folder, const char *net, const char *inside, const char *other)
{
    char path[256];
    limn_pipeline *p;
    write_net(ctx, folder, net, inside && strcmp(inside, "vae") == 0);
    if (inside) {
        snprintf(path, sizeof path, "%s/%s", folder, inside);
        write_net(ctx, path, other, false);
    }
    OK(limn_pipeline_open(ctx, folder, &p));
    return p;
}

static limn_generate_options options_of(int n, int steps, double guidance)
{
    limn_generate_options o = limn_generate_defaults();
    o.prompt = "a cat", o.negative = "dogs", o.n = n, o.steps = steps, o.guidance = guidance, o.sampler = "euler";
    o.precision = LIMN_PRECISION_F32;
    return o;
}

/* ---- by hand ---------------------------------------------------------------------------------------------------------- */

typedef struct hand {
    limn_weight_file *st;
    limn_net *net;
    limn_job job;
} hand;

static hand hand_of(limn_ctx *ctx, const char *net, const char *path)
{
    hand h = {0};
    limn_settings s;
    limn_source *source;
    OK(limn_settings_parse(ctx, net, &s));
    OK(limn_weight_file_open(ctx, path, &h.st));
    OK(limn_source_file(ctx, path, h.st, "", &source));
    OK(limn_net_new(ctx, &s, source, path, &h.net));
    return h;
}

static void hand_free(hand *h)
{
    limn_job_end(&h->job);
    limn_net_free(h->net);
    limn_weight_file_close(h->st);
}

/* A text's features [12,16] and pooled [16], one text at a time. */
static void encode_by_hand(limn_ctx *ctx, hand *h, const char *text, float *features, float *pooled)
{
    limn_clip_bpe *bpe;
    int32_t ids[12], end;
    int n;
    limn_net_shape shape = {.batch = 1, .precision = LIMN_PRECISION_F32};
    OK(limn_clip_bpe_open(ctx, NULL, 0, &bpe));
    OK(limn_clip_bpe_encode(ctx, bpe, text, strlen(text), 12, ids, &n, NULL));
    end = n - 1;
    OK(limn_job_begin(ctx, h->net, &shape, 0, &h->job));
    OK(limn_run_write(h->job.run, h->job.ports->ids, LIMN_I32, ids));
    OK(limn_run_write(h->job.run, h->job.ports->text_end, LIMN_I32, &end));
    OK(limn_run_execute(h->job.run));
    OK(limn_run_read(h->job.run, h->job.ports->output, LIMN_F32, features));
    OK(limn_run_read(h->job.run, h->job.ports->pooled_text, LIMN_F32, pooled));
    limn_clip_bpe_free(bpe);
}

typedef struct sides { int height, width, channels; } sides;

/* The numbers of one picture: noise of the seed, then Euler steps of rectified flow.  features, pooled: of the prompt, then
 * of the negative text; NULL: the network reads none. */
static void sample_by_hand(limn_ctx *ctx, hand *h, sides s, uint64_t seed, int steps, double guidance, const float *features,
                           const float *pooled, float *x)
{
    int rows = features && guidance != 1 ? 2 : 1;
    size_t n = (size_t)s.height * (size_t)s.width * (size_t)s.channels;
    limn_net_shape shape = {.batch = rows, .n_times = steps, .height = s.height, .width = s.width,
                            .precision = LIMN_PRECISION_F32};
    OK(limn_job_begin(ctx, h->net, &shape, 0, &h->job));
    const limn_ports *ports = h->job.ports;
    limn_run *run = h->job.run;
    float *z = malloc(2 * n * sizeof *z), times[64] = {0};
    assert_true(h->job.n_times <= 64);
    for (int k = 0; k < steps; k++) times[k] = 1000 * (float)(steps - k) / (float)steps;
    OK(limn_run_write(run, ports->timesteps, LIMN_F32, times));
    if (features) OK(limn_run_write(run, ports->features, LIMN_F32, features));
    if (features && ports->pooled_text) OK(limn_run_write(run, ports->pooled_text, LIMN_F32, pooled));
    limn_random_normal(seed, LIMN_STREAM_LATENT, 0, 0, n, x);
    for (int32_t k = 0; k < steps; k++) {
        memcpy(z, x, n * sizeof *z), memcpy(z + n, x, n * sizeof *z);
        OK(limn_run_write(run, ports->image, LIMN_F32, z));
        OK(limn_run_write(run, ports->step, LIMN_I32, &k));
        OK(limn_run_execute(run));
        OK(limn_run_read(run, ports->output, LIMN_F32, z));
        for (size_t i = 0; i < n; i++) {
            double v = rows == 2 ? z[n + i] + guidance * (z[i] - z[n + i]) : z[i];
            x[i] = (float)(x[i] - v / steps);
        }
    }
    free(z);
}

static void close_to(size_t n, const float *found, const float *expected, double most)
{
    double worst = 0;
    for (size_t i = 0; i < n; i++) worst = fmax(worst, fabs((double)found[i] - (double)expected[i]));
    if (!(worst <= most)) fail_msg("%g apart, at most %g allowed", worst, most);
}

/* ---- a text encoder of its own ---------------------------------------------------------------------------------------- */

static void check_two_parts(limn_ctx *ctx, const char *folder, const char *net)
{
    char path[256];
    enum { N = 8 * 8 * 3 };
    float features[2][12 * 16], pooled[2][16], expected[N];
    limn_pipeline *p = open_model(ctx, folder, net, "text_encoder", ENCODER);
    snprintf(path, sizeof path, "%s/text_encoder/model.safetensors", folder);
    hand encoder = hand_of(ctx, ENCODER, path);
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    hand denoiser = hand_of(ctx, net, path);
    encode_by_hand(ctx, &encoder, "a cat", features[0], pooled[0]);
    encode_by_hand(ctx, &encoder, "dogs", features[1], pooled[1]);
    for (int guided = 0; guided < 2; guided++) {
        limn_generate_options o = options_of(3, 4, guided ? 3 : 1);
        limn_latent latents[3];
        OK(limn_generate_latents(p, &o, latents));
        for (int i = 0; i < 3; i++) {
            sample_by_hand(ctx, &denoiser, (sides){8, 8, 3}, o.seed + (uint64_t)i, 4, o.guidance, features[0], pooled[0],
                           expected);
            close_to(N, latents[i].values, expected, 2e-5);
        }
        o.prompt = "a cow", o.n = 1; /* and it is not the same whatever the text says */
        limn_latent other;
        OK(limn_generate_latents(p, &o, &other));
        double moved = 0;
        for (int i = 0; i < N; i++) moved = fmax(moved, fabs((double)other.values[i] - (double)latents[0].values[i]));
        if (!(moved > 2e-4)) fail_msg("%s: the text moves numbers by %g", net, moved);
        limn_latent_free(&other);
        for (int i = 0; i < 3; i++) limn_latent_free(&latents[i]);
    }
    hand_free(&encoder);
    hand_free(&denoiser);
    limn_pipeline_free(p);
}

static void two_parts_give_what_is_handed_on_by_hand(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    check_two_parts(ctx, "recipe-mmdit", MMDIT); /* it reads the pooled text as well */
    check_two_parts(ctx, "recipe-unet", UNET);
    limn_ctx_free(ctx);
}

/* 17 pictures are two batches of many steps; another seed is no reason to read the text again. */
static void a_text_is_encoded_once(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = open_model(ctx, "recipe-once", MMDIT, "text_encoder", ENCODER), *q;
    const limn_recipe_part *text = limn_recipe_find(&p->recipe, LIMN_ROLE_TEXT);
    limn_generate_options o = options_of(17, 3, 3);
    limn_image images[17], again;
    OK(limn_generate(p, &o, images));
    assert_int_equal(text->version, 1);
    assert_int_equal(limn_recipe_find(&p->recipe, LIMN_ROLE_DENOISER)->version, 2 * 3);
    o.seed = 7;
    for (int i = 0; i < 17; i++) limn_image_free(&images[i]);
    OK(limn_generate(p, &o, images));
    assert_int_equal(text->version, 1);
    OK(limn_pipeline_share(ctx, p, &q));
    o.n = 1;
    OK(limn_generate(q, &o, &again));
    assert_memory_equal(again.pixels, images[0].pixels, 8 * 8 * 3);
    limn_image_free(&again);
    o.negative = "other dogs", o.n = 17;
    for (int i = 0; i < 17; i++) limn_image_free(&images[i]);
    OK(limn_generate(p, &o, images));
    assert_int_equal(text->version, 2);
    for (int i = 0; i < 17; i++) limn_image_free(&images[i]);
    limn_pipeline_free(q);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* ---- wires ------------------------------------------------------------------------------------------------------------ */

static limn_net *started(limn_ctx *ctx, const char *text)
{
    limn_settings s;
    limn_source *source;
    limn_net *net;
    OK(limn_settings_parse(ctx, text, &s));
    OK(limn_source_started(ctx, LIMN_F32, 3, &source));
    OK(limn_net_new(ctx, &s, source, NULL, &net));
    return net;
}

static void add_door(limn_ctx *ctx, limn_recipe *r, const char *name, limn_role role, const char *text, limn_model_part door)
{
    limn_net *net = started(ctx, text);
    OK(limn_recipe_add(ctx, r, name, role, net, door, NULL));
    limn_net_free(net);
}

static void add(limn_ctx *ctx, limn_recipe *r, const char *name, limn_role role, const char *text)
{
    add_door(ctx, r, name, role, text, LIMN_PART_WHOLE);
}

static void a_wrong_wire_is_a_sentence(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_recipe r = {0};
    add(ctx, &r, "denoiser", LIMN_ROLE_DENOISER, MMDIT);
    add(ctx, &r, "text", LIMN_ROLE_TEXT, ENCODER);
    add(ctx, &r, "large", LIMN_ROLE_TEXT, "clip-text text_length=12 text_width=24 text_depth=1 text_heads=2 text_vocab=514");
    static const struct { const char *wire, *words; } rows[] = {
        {"txt.features -> denoiser.features", "no part \"txt\"; there are: denoiser text large"},
        {"text.features -> den.features", "no part \"den\""},
        {"text.feature -> denoiser.features", "text.feature is no port of a clip-text; its ports: features pooled ids"},
        {"text.features -> denoiser.output", "denoiser.output is an output, no input, of a mmdit"},
        {"denoiser.image -> text.ids", "denoiser.image is an input, no output, of a mmdit"},
        {"large.features -> denoiser.features", "large.features is [1, 12, 24], and denoiser.features expects [1, 12, 16]"},
        {"text.pooled -> denoiser.features", "text.pooled is [1, 16], and"},
        {"text.features -> denoiser.features[1,0]", "expects [1, 12, 16]"},
        {"text.features -> denoiser.features[0,-1]", "expects [1, 12, 16]"},
        {"text.pooled -> denoiser.pooled[2147483647]", "expects [1, 16]"},
        {"text.features => denoiser.features", "expected a wire as"},
        {"text.features -> denoiser.features[0,0", "expected a wire as"},
        {"text -> denoiser and more", "expected a wire as"},
        {"", "expected a wire as"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        says(ctx, limn_recipe_wire(ctx, &r, rows[i].wire), LIMN_BAD_ARGUMENT, rows[i].words);
    says(ctx, limn_recipe_check(ctx, &r), LIMN_UNSUPPORTED, "nothing feeds denoiser.features [1, 12, 16]");
    OK(limn_recipe_wire(ctx, &r, "text.features -> denoiser.features"));
    says(ctx, limn_recipe_check(ctx, &r), LIMN_UNSUPPORTED, "nothing feeds denoiser.pooled [1, 16]");
    says(ctx, limn_recipe_wire(ctx, &r, "text.features -> denoiser.features[0,0]"), LIMN_BAD_ARGUMENT,
         "denoiser.features is fed by text.features already");
    OK(limn_recipe_wire(ctx, &r, "text.pooled -> denoiser.pooled"));
    OK(limn_recipe_check(ctx, &r));
    limn_recipe_free(&r);
    limn_ctx_free(ctx);
}

/* A denoiser that gives what another reads, and the other way round. */
static void wires_that_go_in_a_circle_are_refused(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_recipe r = {0};
    const char *net = "mmdit size=8 channels=1 patch=4 width=16 depth=1 heads=2 mlp=16 text_length=2 text_width=8";
    add(ctx, &r, "one", LIMN_ROLE_DENOISER, net);
    add(ctx, &r, "two", LIMN_ROLE_DENOISER, net);
    r.part[0].port[limn_port_find("output")].shape = r.part[1].port[limn_port_find("output")].shape = LIMN_SHAPE(1, 2, 8);
    OK(limn_recipe_wire(ctx, &r, "one.output -> two.features"));
    OK(limn_recipe_wire(ctx, &r, "two.output -> one.features"));
    says(ctx, limn_recipe_check(ctx, &r), LIMN_UNSUPPORTED, "the wires go in a circle");
    limn_recipe_free(&r);
    limn_ctx_free(ctx);
}

/* What is written at the head of a chain reaches its end. */
static void a_chain_of_parts_is_never_stale(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    static const char *const net = "tae size=16 channels=3 latent=4 width=8 levels=2 blocks=1";
    float x[2][16 * 16 * 3], found[2][4 * 4 * 4], fresh[4 * 4 * 4];
    for (int i = 0; i < 16 * 16 * 3; i++) x[0][i] = 0.1f * (float)(i % 7), x[1][i] = -0.2f * (float)(i % 5);
    for (int k = 0; k < 2; k++) {
        limn_recipe r = {0};
        add(ctx, &r, "denoiser", LIMN_ROLE_DENOISER, "dit size=4 channels=4 patch=2 width=16 depth=1 heads=2 mlp=16");
        add_door(ctx, &r, "one", LIMN_ROLE_ENCODER, net, LIMN_PART_ENCODER);
        add_door(ctx, &r, "two", LIMN_ROLE_DECODER, net, LIMN_PART_DECODER);
        add_door(ctx, &r, "three", LIMN_ROLE_ENCODER, net, LIMN_PART_ENCODER);
        OK(limn_recipe_wire(ctx, &r, "one.latent -> two.latent"));
        OK(limn_recipe_wire(ctx, &r, "two.output -> three.image"));
        limn_recipe_shape shape = {.texts = 1, .rows = 1, .n_times = 1, .height = 4, .width = 4, .factor = 4,
                                   .encodes = true, .decodes = true, .precision = LIMN_PRECISION_F32};
        OK(limn_recipe_begin(ctx, &r, &shape));
        for (int i = k; i < 2; i++) {
            OK(limn_recipe_write(&r.part[1], LIMN_PORT_IMAGE, LIMN_F32, x[i]));
            OK(limn_recipe_run(ctx, &r, &r.part[3]));
            OK(limn_run_read(r.part[3].job.run, r.part[3].job.ports->latent, LIMN_F32, k ? fresh : found[i]));
        }
        limn_recipe_free(&r);
    }
    assert_memory_equal(found[1], fresh, sizeof fresh);
    assert_memory_not_equal(found[0], found[1], sizeof fresh);
    limn_ctx_free(ctx);
}

/* As SD XL and SD 3 have it: side by side on channels, behind each other on tokens, zeros elsewhere. */
static void blocks_of_several_encoders_fill_one_input(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_recipe r = {0};
    enum { T = 6, D = 24 };
    add(ctx, &r, "denoiser", LIMN_ROLE_DENOISER, "mmdit size=8 channels=3 patch=4 width=16 depth=1 heads=2 mlp=16 "
        "attention=joint text_length=6 text_width=24 pooled_width=20 text_heads=2");
    add(ctx, &r, "l", LIMN_ROLE_TEXT, "clip-text text_length=4 text_width=8 text_depth=1 text_heads=2 text_vocab=514");
    add(ctx, &r, "g", LIMN_ROLE_TEXT, "clip-text text_length=4 text_width=12 text_depth=1 text_heads=2 text_vocab=514");
    add(ctx, &r, "t", LIMN_ROLE_TEXT, "clip-text text_length=2 text_width=24 text_depth=1 text_heads=2 text_vocab=514");
    static const char *const wires[] = {"l.features -> denoiser.features[0,0]", "g.features -> denoiser.features[0,8]",
                                        "t.features -> denoiser.features[4,0]", "l.pooled -> denoiser.pooled[0]",
                                        "g.pooled -> denoiser.pooled[8]"};
    for (int i = 0; i < 5; i++) OK(limn_recipe_wire(ctx, &r, wires[i]));
    OK(limn_recipe_check(ctx, &r));
    says(ctx, limn_recipe_wire(ctx, &r, "l.features -> denoiser.features[1,16]"), LIMN_BAD_ARGUMENT, "fed by g.features");
    limn_recipe_shape shape = {.texts = 2, .rows = 4, .n_times = 1, .height = 8, .width = 8, .factor = 1,
                               .precision = LIMN_PRECISION_F32};
    OK(limn_recipe_begin(ctx, &r, &shape));
    static const int length[] = {0, 4, 4, 2}, width[] = {0, 8, 12, 24};
    float out[4][2 * 4 * 24], x[4 * 8 * 8 * 3] = {0}, times[8] = {500}, found[4 * T * D], pooled[4 * 20];
    for (int k = 1; k < 4; k++) {
        int32_t ids[8], end[2] = {1, length[k] + 1};
        for (int i = 0; i < 2 * length[k]; i++) ids[i] = (i * 31 + k * 7) % 514;
        OK(limn_recipe_write(&r.part[k], LIMN_PORT_IDS, LIMN_I32, ids));
        OK(limn_recipe_write(&r.part[k], LIMN_PORT_TEXT_END, LIMN_I32, end));
    }
    OK(limn_recipe_write(&r.part[0], LIMN_PORT_IMAGE, LIMN_F32, x));
    OK(limn_recipe_write(&r.part[0], LIMN_PORT_TIMESTEPS, LIMN_F32, times));
    OK(limn_recipe_write(&r.part[0], LIMN_PORT_STEP, LIMN_I32, &(int32_t){0}));
    OK(limn_recipe_run(ctx, &r, &r.part[0]));
    OK(limn_recipe_run(ctx, &r, &r.part[0]));
    for (int k = 1; k < 4; k++) {
        assert_int_equal(r.part[k].version, 1);
        OK(limn_run_read(r.part[k].job.run, r.part[k].job.ports->output, LIMN_F32, out[k]));
    }
    OK(limn_run_read(r.part[0].job.run, r.part[0].job.ports->features, LIMN_F32, found));
    OK(limn_run_read(r.part[0].job.run, r.part[0].job.ports->pooled_text, LIMN_F32, pooled));
    for (int b = 0; b < 4; b++)
        for (int t = 0; t < T; t++)
            for (int d = 0; d < D; d++) {
                int k = t >= 4 ? 3 : d < 8 ? 1 : d < 20 ? 2 : 0, column = k == 2 ? d - 8 : d, row = k == 3 ? t - 4 : t;
                float expected = k ? out[k][(b / 2 * length[k] + row) * width[k] + column] : 0;
                assert_true(found[(b * T + t) * D + d] == expected);
            }
    for (int b = 0; b < 4; b++) assert_true(pooled[b * 20 + 8] == out[2][(b / 2 * 4 + 1) * 12]);
    limn_recipe_free(&r);
    limn_ctx_free(ctx);
}

static void what_nothing_feeds_is_said_when_a_model_is_opened(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p;
    unlink("recipe-alone/text_encoder/model.safetensors"); /* of an earlier run */
    rmdir("recipe-alone/text_encoder");
    write_net(ctx, "recipe-alone", MMDIT, false);
    says(ctx, limn_pipeline_open(ctx, "recipe-alone", &p), LIMN_UNSUPPORTED, "recipe-alone/model.safetensors: a mmdit of");
    assert_non_null(strstr(limn_error_text(ctx), "nothing feeds denoiser.features"));
    assert_null(p);
    write_net(ctx, "recipe-alone/text_encoder", LATENTS, false);
    says(ctx, limn_pipeline_open(ctx, "recipe-alone", &p), LIMN_UNSUPPORTED, "expected a text encoder");
    write_net(ctx, "recipe-alone/text_encoder", "clip-text text_length=9 text_width=16 text_depth=1 text_heads=2 "
              "text_vocab=514", false);
    says(ctx, limn_pipeline_open(ctx, "recipe-alone", &p), LIMN_BAD_ARGUMENT, "text.features is [1, 9, 16]");
    write_net(ctx, "recipe-alone", ENCODER, false);
    says(ctx, limn_pipeline_open(ctx, "recipe-alone", &p), LIMN_UNSUPPORTED, "a clip-text makes features of text");
    write_net(ctx, "recipe-alone", VAE, false);
    says(ctx, limn_pipeline_open(ctx, "recipe-alone", &p), LIMN_UNSUPPORTED, "a vae makes pictures of latents only");
    limn_ctx_free(ctx);
}

/* ---- memory ----------------------------------------------------------------------------------------------------------- */

static char heard[512];
static int steps_seen;

static void hear(void *user, limn_log_level level, const char *text)
{
    (void)user;
    if (level == LIMN_LOG_INFO && strncmp(text, "memory:", 7) == 0) snprintf(heard, sizeof heard, "%s", text);
}

static bool count_steps(void *user, const char *what, int64_t done, int64_t total)
{
    (void)user, (void)done, (void)total;
    steps_seen += strcmp(what, "step") == 0;
    return true;
}

/* There is room for the denoiser, and not for the decoder too: no step is made, nothing is read. */
static void what_all_parts_take_is_asked_for_before_the_first_step(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = open_model(ctx, "recipe-memory", LATENTS, "vae", VAE);
    limn_net_size decoder, denoiser;
    limn_net_shape shape = {.batch = 1, .part = LIMN_PART_DECODER, .height = 16, .width = 16,
                            .precision = LIMN_PRECISION_F32};
    OK(limn_net_measure(ctx, limn_recipe_find(&p->recipe, LIMN_ROLE_DECODER)->net, &shape, &decoder));
    shape = (limn_net_shape){.batch = 1, .n_times = 4, .height = 4, .width = 4, .precision = LIMN_PRECISION_F32};
    OK(limn_net_measure(ctx, limn_recipe_find(&p->recipe, LIMN_ROLE_DENOISER)->net, &shape, &denoiser));
    limn_generate_options o = options_of(1, 4, 1);
    limn_image image;
    limn_ctx_set_log(ctx, hear, NULL);
    limn_ctx_set_progress(ctx, count_steps, NULL);
    size_t all = decoder.activations + decoder.weights + denoiser.activations + denoiser.weights;
    memory = all - decoder.activations / 2;
    says(ctx, limn_generate(p, &o, &image), LIMN_NO_MEMORY, "MB together, and the machine has");
    assert_non_null(strstr(limn_error_text(ctx), "decoder "));
    assert_int_equal(steps_seen, 0);
    assert_string_equal(heard, "");
    limn_counters counters = limn_ctx_counters(ctx);
    assert_int_equal(counters.bytes_packed, 0);
    assert_true(counters.bytes_read <= 256); /* the table of places, which tells whether other sides would do */
    limn_latent latent; /* without the decoder there is room */
    OK(limn_generate_latents(p, &o, &latent));
    limn_latent_free(&latent);
    assert_int_equal(steps_seen, 5);
    assert_null(strstr(heard, "decoder"));
    memory = all + 64 * 1024; /* and with the numbers of a picture beside it too: the denoiser is there already */
    OK(limn_generate(p, &o, &image));
    assert_non_null(strstr(heard, "memory: denoiser "));
    assert_non_null(strstr(heard, ", decoder "));
    limn_image_free(&image);
    heard[0] = '\0';
    memory = 64 * 1024; /* all there is to take is taken */
    OK(limn_generate(p, &o, &image));
    assert_string_equal(heard, "");
    limn_image_free(&image);
    memory = 0;
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

static limn_image drawn(limn_ctx *ctx, limn_pipeline *p, const char *prompt)
{
    limn_generate_options o = options_of(1, 3, 3);
    limn_image image;
    o.prompt = prompt;
    OK(limn_generate(p, &o, &image));
    return image;
}

static size_t text_bytes(const limn_pipeline *p)
{
    return limn_net_bytes(limn_recipe_find(&p->recipe, LIMN_ROLE_TEXT)->net);
}

/* With every part counted as large: the encoder is there for a text that is new, and gone before the first step. */
static void a_text_encoder_is_free_once_the_text_is_read(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = open_model(ctx, "recipe-free", UNET, "text_encoder", ENCODER);
    const limn_recipe_part *text = limn_recipe_find(&p->recipe, LIMN_ROLE_TEXT);
    limn_image kept[2] = {drawn(ctx, p, "a cat"), drawn(ctx, p, "a dog")}, image;
    assert_true(text_bytes(p) > 0);
    limn_pipeline_free(p);
    OK(limn_pipeline_open(ctx, "recipe-free", &p));
    p->recipe.least = 1;
    text = limn_recipe_find(&p->recipe, LIMN_ROLE_TEXT);
    limn_ctx_set_log(ctx, hear, NULL);
    heard[0] = '\0';
    size_t read[5], version[] = {1, 1, 2, 3, 3};
    static const char *const prompts[] = {"a cat", "a cat", "a dog", "a cat", "a cat"};
    for (int i = 0; i < 5; i++) {
        size_t before = limn_ctx_counters(ctx).bytes_read;
        image = drawn(ctx, p, prompts[i]);
        read[i] = limn_ctx_counters(ctx).bytes_read - before;
        assert_memory_equal(image.pixels, kept[prompts[i][2] == 'd'].pixels, 8 * 8 * 3);
        assert_int_equal(text_bytes(p), 0);
        assert_null(text->job.run);
        assert_int_equal(text->version, version[i]);
        limn_image_free(&image);
        if (i == 0) assert_non_null(strstr(heard, "(then free)"));
        if (i == 0) assert_non_null(strstr(heard, " at most"));
    }
    assert_true(read[0] > read[2] && read[2] == read[3] && read[2] > 0 && read[1] == 0 && read[4] == 0);
    /* a text alone keeps it for the next one, until pictures are drawn */
    float features[12 * 16];
    OK(limn_encode_text(p, "a cat", LIMN_PRECISION_F32, features, NULL));
    assert_true(text_bytes(p) > 0);
    image = drawn(ctx, p, "a cat");
    assert_memory_equal(image.pixels, kept[0].pixels, 8 * 8 * 3);
    assert_int_equal(text_bytes(p), 0);
    limn_image_free(&image);
    for (int i = 0; i < 2; i++) limn_image_free(&kept[i]);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

enum { THREADS = 3, EACH = 6 };

typedef struct thread_job {
    const limn_pipeline *p;
    int id;
    limn_status status;
    limn_image images[EACH];
} thread_job;

static const char *prompt_of(int id, int i)
{
    static const char *const prompts[] = {"a cat", "a dog", "dogs and cats"};
    return prompts[(id + i / 2) % 3];
}

static void *draw_on_a_thread(void *user)
{
    thread_job *j = user;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p;
    limn_ctx_set_threads(ctx, 1);
    j->status = limn_pipeline_share(ctx, j->p, &p);
    for (int i = 0; i < EACH && j->status == LIMN_OK; i++) {
        limn_generate_options o = options_of(1, 2 + i % 2, 3);
        o.prompt = prompt_of(j->id, i);
        j->status = limn_generate(p, &o, &j->images[i]);
    }
    if (p) limn_pipeline_free(p);
    limn_ctx_free(ctx);
    return NULL;
}

/* Jobs that share one encoder give it back while others read it. */
static void shared_encoders_are_given_back_by_the_last(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_ctx_set_threads(ctx, 1);
    limn_pipeline *p = open_model(ctx, "recipe-threads", MMDIT, "text_encoder", ENCODER);
    p->recipe.least = 1;
    thread_job jobs[THREADS] = {{0}};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        jobs[i].p = p, jobs[i].id = i;
        assert_int_equal(pthread_create(&threads[i], NULL, draw_on_a_thread, &jobs[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    assert_int_equal(text_bytes(p), 0);
    for (int i = 0; i < THREADS; i++)
        for (int k = 0; k < EACH; k++) {
            limn_generate_options o = options_of(1, 2 + k % 2, 3);
            limn_image alone;
            o.prompt = prompt_of(i, k);
            assert_int_equal(jobs[i].status, LIMN_OK);
            OK(limn_generate(p, &o, &alone));
            assert_memory_equal(alone.pixels, jobs[i].images[k].pixels, 8 * 8 * 3);
            limn_image_free(&alone);
            limn_image_free(&jobs[i].images[k]);
        }
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* 17 pictures are two batches: steps, pictures, steps, pictures, from a picture whose encoder is free by then.  What both
 * would take together is not needed. */
static void a_decoder_has_the_room_of_the_steps(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = open_model(ctx, "recipe-turns", LATENTS, "vae", VAE);
    limn_image images[17], again[17], init;
    OK(limn_image_new(ctx, "init", 16, 16, 3, &init));
    for (int i = 0; i < 16 * 16 * 3; i++) init.pixels[i] = (uint8_t)(i * 7);
    limn_generate_options o = options_of(17, 3, 1);
    o.init = &init;
    OK(limn_generate(p, &o, images));
    p->recipe.least = 1;
    limn_ctx_set_log(ctx, hear, NULL);
    for (int k = 0; k < 2; k++) {
        OK(limn_generate(p, &o, again));
        for (int i = 0; i < 17; i++) {
            assert_memory_equal(images[i].pixels, again[i].pixels, 16 * 16 * 3);
            limn_image_free(&again[i]);
        }
        assert_int_equal(limn_net_bytes(limn_recipe_find(&p->recipe, LIMN_ROLE_ENCODER)->net), 0);
    }
    assert_non_null(strstr(heard, "encoder "));
    assert_non_null(strstr(heard, " at most"));
    limn_pipeline_free(p);
    OK(limn_pipeline_open(ctx, "recipe-turns", &p));
    size_t takes[2];
    for (int k = 0; k < 2; k++) { /* the sum, then the larger of both */
        o = options_of(1, 3, 1);
        o.width = o.height = 128, p->recipe.least = k;
        OK(limn_generate(p, &o, again));
        limn_image_free(&again[0]);
        takes[k] = (size_t)(1e6 * limn_number_parse(strrchr(heard, ':') + 1, NULL));
    }
    assert_true(takes[1] < takes[0]);
    limn_image_free(&init);
    for (int i = 0; i < 17; i++) limn_image_free(&images[i]);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* ---- pictures that are not square ------------------------------------------------------------------------------------- */

static void a_picture_has_the_sides_that_were_asked_for(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    enum { H = 12, W = 20, N = H * W * 3 };
    static float expected[N];
    static const char *const nets[] = {INSIDE, UNET, "dit size=8 channels=3 patch=4 width=16 depth=1 heads=2 mlp=16",
                                       "ddpm " SMALL};
    for (int i = 0; i < 4; i++) {
        bool two = i == 1;
        float features[12 * 16], pooled[16];
        limn_pipeline *p = open_model(ctx, "recipe-sides", nets[i], two ? "text_encoder" : NULL, ENCODER);
        limn_generate_options o = options_of(2, 3, 1);
        limn_latent latents[2];
        limn_image images[2];
        o.width = W, o.height = H;
        OK(limn_generate(p, &o, images));
        OK(limn_generate_latents(p, &o, latents));
        assert_true(images[1].width == W && images[1].height == H && latents[1].height == H && latents[1].width == W);
        char *text = limn_generate_parameters(p, &o, 0);
        assert_non_null(strstr(text, "Size: 20x12"));
        limn_free(text);
        hand h = hand_of(ctx, nets[i], "recipe-sides/model.safetensors"), encoder = {0};
        if (two) encoder = hand_of(ctx, ENCODER, "recipe-sides/text_encoder/model.safetensors");
        if (two) encode_by_hand(ctx, &encoder, "a cat", features, pooled);
        if (i) {
            sample_by_hand(ctx, &h, (sides){H, W, 3}, o.seed + 1, 3, 1, two ? features : NULL, pooled, expected);
            close_to(N, latents[1].values, expected, 2e-5);
        }
        limn_image bytes;
        OK(limn_picture_bytes(ctx, W, H, 3, latents[1].values, &bytes));
        assert_memory_equal(bytes.pixels, images[1].pixels, N);
        limn_image_free(&bytes);
        for (int k = 0; k < 2; k++) limn_latent_free(&latents[k]), limn_image_free(&images[k]);
        hand_free(&h);
        if (two) hand_free(&encoder);
        limn_pipeline_free(p);
    }
    limn_ctx_free(ctx);
}

static void weights_of_another_precision_go(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = open_model(ctx, "recipe-precision", LATENTS, "vae", VAE);
    size_t bytes[3];
    for (int i = 0; i < 3; i++) {
        limn_generate_options o = options_of(1, 2, 1);
        limn_image image;
        o.precision = i == 1 ? LIMN_PRECISION_BF16 : LIMN_PRECISION_F32;
        OK(limn_generate(p, &o, &image));
        limn_image_free(&image);
        bytes[i] = limn_net_bytes(limn_recipe_find(&p->recipe, LIMN_ROLE_DENOISER)->net);
    }
    assert_true(bytes[1] < bytes[0]);
    assert_int_equal(bytes[2], bytes[0]);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

static void a_picture_is_no_latent(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    uint8_t pixels[16 * 16 * 3] = {0};
    limn_image picture = {.width = 16, .height = 16, .channels = 3, .pixels = pixels};
    limn_pipeline *p = open_model(ctx, "recipe-no-vae", LATENTS, "vae", VAE);
    limn_pipeline_free(p);
    OK(limn_pipeline_open(ctx, "recipe-no-vae/model.safetensors", &p)); /* the file alone has none */
    limn_generate_options o = options_of(1, 2, 1);
    limn_latent latent;
    limn_sampling *s;
    o.init = &picture;
    says(ctx, limn_generate_latents(p, &o, &latent), LIMN_UNSUPPORTED, "an autoencoder must make one of the picture");
    says(ctx, limn_sampling_begin(p, &o, &s), LIMN_UNSUPPORTED, "an autoencoder must make one of the picture");
    assert_null(s);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

static void latents_that_are_not_square_are_decoded(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = open_model(ctx, "recipe-latents", LATENTS, "vae", VAE);
    enum { H = 24, W = 40, N = H / 4 * (W / 4) * 3 };
    float expected[N];
    limn_generate_options o = options_of(2, 3, 1);
    limn_latent latents[2];
    limn_image images[2], refused[1], decoded;
    limn_autoencoder *vae;
    o.width = W, o.height = H;
    OK(limn_generate(p, &o, images));
    OK(limn_generate_latents(p, &o, latents));
    hand h = hand_of(ctx, LATENTS, "recipe-latents/model.safetensors");
    sample_by_hand(ctx, &h, (sides){H / 4, W / 4, 3}, o.seed + 1, 3, 1, NULL, NULL, expected);
    for (int i = 0; i < N; i++) expected[i] = expected[i] / 0.5f + 0.25f;
    close_to(N, latents[1].values, expected, 5e-5);
    assert_true(latents[1].image_width == W && latents[1].image_height == H);
    OK(limn_autoencoder_open(ctx, "recipe-latents/vae", &vae));
    OK(limn_decode(vae, &latents[1], LIMN_PRECISION_F32, &decoded));
    assert_true(images[1].width == W && images[1].height == H);
    assert_memory_equal(decoded.pixels, images[1].pixels, H * W * 3);
    limn_image_free(&decoded);
    /* from there, and from the latent of a picture: the picture's way */
    limn_image from, again;
    limn_latent start;
    OK(limn_encode(vae, &images[0], LIMN_PRECISION_F32, &start));
    o.n = 1, o.init = &images[0], o.strength = 0.7;
    OK(limn_generate(p, &o, &from));
    o.init = NULL, o.init_latent = &start;
    OK(limn_generate(p, &o, &again));
    assert_memory_equal(from.pixels, again.pixels, H * W * 3);
    limn_image_free(&again);
    o.strength = 0; /* no step: what the autoencoder makes of the latent */
    OK(limn_generate(p, &o, &again));
    OK(limn_decode(vae, &start, LIMN_PRECISION_F32, &decoded));
    for (int i = 0; i < H * W * 3; i++) assert_true(abs(decoded.pixels[i] - again.pixels[i]) <= 1); /* scaled and back */
    limn_image_free(&again);
    float kept = start.values[7];
    start.values[7] = NAN, o.strength = 0.7;
    says(ctx, limn_generate(p, &o, &refused[0]), LIMN_BAD_ARGUMENT, "not finite: value 7");
    start.values[7] = kept;
    says(ctx, limn_latent_new(ctx, 0, 4, 3, &(limn_latent){0}), LIMN_BAD_ARGUMENT, "found 4 x 0 x 3");
    start.width = H / 4, start.height = W / 4;
    says(ctx, limn_generate(p, &o, &again), LIMN_BAD_ARGUMENT, "expected a latent of 10 x 6 x 3");
    limn_image *all[] = {&decoded, &from, &images[0], &images[1]};
    for (int i = 0; i < 4; i++) limn_image_free(all[i]);
    for (int i = 0; i < 2; i++) limn_latent_free(&latents[i]);
    limn_latent_free(&start);
    limn_autoencoder_free(vae);
    hand_free(&h);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* A picture and its mask of the sides that are asked for, and of others: they are brought to them. */
static void starts_and_masks_follow_the_sides(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    enum { H = 8, W = 16 };
    limn_pipeline *p = open_model(ctx, "recipe-start", "dit size=8 channels=3 patch=4 width=16 depth=1 heads=2 mlp=16", NULL,
                                  NULL);
    limn_image init, mask, large, image;
    OK(limn_image_new(ctx, "init", W, H, 3, &init));
    OK(limn_image_new(ctx, "mask", W, H, 1, &mask));
    for (int i = 0; i < W * H * 3; i++) init.pixels[i] = (uint8_t)(i * 7);
    for (int i = 0; i < W * H; i++) mask.pixels[i] = i % W < 6 ? 255 : 0; /* the left is made anew */
    limn_generate_options o = options_of(1, 4, 1);
    o.width = W, o.height = H, o.init = &init, o.mask = &mask, o.strength = 1;
    OK(limn_generate(p, &o, &image));
    assert_true(image.width == W && image.height == H);
    int moved = 0;
    for (int i = 0; i < W * H * 3; i++) {
        int away = abs(image.pixels[i] - init.pixels[i]);
        if (i / 3 % W < 6) moved += away > 8;
        else assert_true(away <= 1);
    }
    assert_true(moved > 20);
    limn_image_free(&image);
    OK(limn_image_resize(ctx, &init, 3 * W, 3 * H, &large));
    o.init = &large, o.mask = NULL, o.strength = 0;
    OK(limn_generate(p, &o, &image));
    assert_true(image.width == W && image.height == H);
    limn_image *all[] = {&init, &mask, &large, &image};
    for (int i = 0; i < 4; i++) limn_image_free(all[i]);
    limn_pipeline_free(p);
    p = open_model(ctx, "recipe-small", "ddpm enlarge=2 " SMALL, NULL, NULL);
    OK(limn_image_new(ctx, "small", 8, 4, 3, &init));
    memset(init.pixels, 200, 8 * 4 * 3);
    o = options_of(1, 2, 1), o.small = &init, o.width = 16;
    OK(limn_generate(p, &o, &image));
    assert_true(image.width == 16 && image.height == 8);
    limn_image_free(&image);
    o.width = 0;
    says(ctx, limn_generate(p, &o, &image), LIMN_BAD_ARGUMENT, "enlarges pictures of 4 x 4 to 8 x 8, found one of 8 x 4");
    limn_image_free(&init);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

static void sides_that_cannot_be_are_refused(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    static const struct { const char *net, *vae; int width, height; const char *words; } rows[] = {
        {INSIDE, NULL, 18, 0, "the width must be a multiple of patch, found 18; the nearest is 20"},
        {INSIDE, NULL, 0, 7, "the height must be a multiple of patch, found 7; the nearest is 8"},
        {INSIDE, NULL, -4, 0, "expected a width from 1 to 16384, found -4"},
        {INSIDE, NULL, 8, 20000, "expected a height from 1 to 16384, found 20000"},
        {LATENTS, VAE, 18, 0, "the width must be a multiple of 4, for its latents, found 18; the nearest is 16"},
        {LATENTS, VAE, 16, 20, "the height must be a multiple of 4, for its latents a multiple of patch, found 20; the "
         "nearest is 24"},
        {"uvit size=8 channels=3 patch=4 width=16 depth=2 heads=2 mlp=16", NULL, 16, 4,
         "has learned the places of pictures of 8 x 8, and makes no others; asked for 16 x 4"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        limn_pipeline *p = open_model(ctx, rows[i].vae ? "recipe-bad-latents" : "recipe-bad", rows[i].net,
                                      rows[i].vae ? "vae" : NULL, rows[i].vae);
        limn_generate_options o = options_of(1, 2, 1);
        limn_image image;
        o.width = rows[i].width, o.height = rows[i].height;
        says(ctx, limn_generate(p, &o, &image), LIMN_BAD_ARGUMENT, rows[i].words);
        o.width = o.height = 0;
        OK(limn_generate(p, &o, &image));
        limn_image_free(&image);
        limn_pipeline_free(p);
    }
    limn_ctx_free(ctx);
}

static void the_program_takes_the_sides(void **state)
{
    (void)state;
    if (access(LIMN_BINARY_DIR "/limn", X_OK)) skip();
    limn_ctx *ctx = limn_ctx_new();
    limn_image image;
    limn_pipeline_free(open_model(ctx, "recipe-cli", INSIDE, NULL, NULL));
    assert_int_equal(system(LIMN_BINARY_DIR "/limn generate -q -m recipe-cli cat --steps 2 -W 12 --height 20 -b 2 --grid -o "
                            "recipe-cli.png"), 0);
    OK(limn_image_read(ctx, "recipe-cli.png", 0, &image));
    assert_true(image.width == 24 && image.height == 20);
    limn_image_free(&image);
    limn_ctx_free(ctx);
}

/* ---- parts of the way ------------------------------------------------------------------------------------------------- */

static void a_text_alone_is_what_the_network_reads(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    float expected[12 * 16], expected_pooled[16], features[12 * 16], pooled[16];
    limn_pipeline *p = open_model(ctx, "recipe-text", MMDIT, "text_encoder", ENCODER);
    hand h = hand_of(ctx, ENCODER, "recipe-text/text_encoder/model.safetensors");
    encode_by_hand(ctx, &h, "a cat", expected, expected_pooled);
    limn_pipeline_info info = limn_pipeline_describe(p);
    assert_true(info.text_length == 12 && info.text_width == 16 && info.reads_text);
    for (int i = 0; i < 2; i++) { /* also after another text, and twice the same */
        OK(limn_encode_text(p, "a cat", LIMN_PRECISION_F32, features, pooled));
        close_to(12 * 16, features, expected, 0);
        close_to(16, pooled, expected_pooled, 0);
        OK(limn_encode_text(p, "a cat", LIMN_PRECISION_F32, features, NULL));
        close_to(12 * 16, features, expected, 0);
        OK(limn_encode_text(p, NULL, LIMN_PRECISION_F32, features, NULL));
        assert_memory_not_equal(features, expected, sizeof features);
    }
    hand_free(&h);
    limn_pipeline_free(p);
    /* inside of the network: the same weights as a network of their own */
    p = open_model(ctx, "recipe-inside", INSIDE, NULL, NULL);
    limn_weight_file *st;
    limn_source *source;
    limn_settings s;
    OK(limn_weight_file_open(ctx, "recipe-inside/model.safetensors", &st));
    OK(limn_source_file(ctx, "recipe-inside/model.safetensors", st, "text_encoder.", &source));
    OK(limn_settings_parse(ctx, ENCODER, &s));
    h = (hand){.st = st};
    OK(limn_net_new(ctx, &s, source, NULL, &h.net));
    encode_by_hand(ctx, &h, "a cat", expected, expected_pooled);
    OK(limn_encode_text(p, "a cat", LIMN_PRECISION_F32, features, pooled));
    close_to(12 * 16, features, expected, 0);
    close_to(16, pooled, expected_pooled, 0);
    hand_free(&h);
    limn_pipeline_free(p);
    p = open_model(ctx, "recipe-mute", LATENTS, NULL, NULL);
    says(ctx, limn_encode_text(p, "a cat", LIMN_PRECISION_F32, features, NULL), LIMN_UNSUPPORTED, "this dit reads no text");
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

static void step_by_step_is_the_same_picture(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = open_model(ctx, "recipe-steps", INSIDE, NULL, NULL);
    limn_image init;
    OK(limn_image_new(ctx, "init", 8, 8, 3, &init));
    memset(init.pixels, 99, 8 * 8 * 3);
    uint8_t white[64] = {255, 255, 255, 255};
    limn_image mask = {8, 8, 1, white};
    static const struct { const char *sampler; int steps, calls; bool masked; } rows[] = {
        {"euler", 4, 4, false}, {"heun", 3, 5, false}, {"dpm++2m", 4, 4, false}, {"euler", 3, 5, true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        limn_generate_options o = options_of(2, rows[i].steps, 3);
        limn_image whole[2], none[2], image;
        limn_sampling *s;
        int calls = 0;
        o.sampler = rows[i].sampler;
        if (rows[i].masked) o.init = &init, o.mask = &mask, o.strength = 1, o.resample = 2;
        OK(limn_generate(p, &o, whole));
        OK(limn_sampling_begin(p, &o, &s));
        says(ctx, limn_generate(p, &o, none), LIMN_BAD_ARGUMENT, "under way");
        OK(limn_sampling_picture(s, 0, &image)); /* noise */
        limn_image_free(&image);
        for (; limn_sampling_left(s); calls++) {
            assert_int_equal(limn_sampling_left(s), rows[i].calls - calls);
            OK(limn_sampling_step(s));
        }
        assert_int_equal(calls, rows[i].calls);
        says(ctx, limn_sampling_step(s), LIMN_BAD_ARGUMENT, "steps are made");
        for (int k = 0; k < 2; k++) {
            OK(limn_sampling_picture(s, k, &image));
            assert_memory_equal(image.pixels, whole[k].pixels, 8 * 8 * 3);
            limn_image_free(&image);
            limn_image_free(&whole[k]);
        }
        says(ctx, limn_sampling_picture(s, 2, &image), LIMN_BAD_ARGUMENT, "from 0 to 1, found 2");
        limn_sampling_end(s);
    }
    limn_generate_options o = options_of(17, 2, 3);
    limn_sampling *s;
    says(ctx, limn_sampling_begin(p, &o, &s), LIMN_NO_MEMORY, "17 pictures are more than can be under way at once");
    assert_null(s);
    limn_image_free(&init);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* On the way the estimate is what the prediction says: x0 = x - t v.  By hand for the first step. */
static void the_estimate_is_what_the_prediction_says(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    enum { N = 8 * 8 * 3 };
    const char *net = "dit size=8 channels=3 patch=4 width=16 depth=1 heads=2 mlp=16";
    limn_pipeline *p = open_model(ctx, "recipe-estimate", net, NULL, NULL);
    limn_generate_options o = options_of(1, 4, 1);
    limn_sampling *s;
    limn_latent noise, estimate, last;
    float x[N], next[N];
    OK(limn_sampling_begin(p, &o, &s));
    OK(limn_sampling_latent(s, 0, &noise));
    limn_random_normal(o.seed, LIMN_STREAM_LATENT, 0, 0, N, x);
    close_to(N, noise.values, x, 0);
    OK(limn_sampling_step(s));
    OK(limn_sampling_latent(s, 0, &estimate));
    hand h = hand_of(ctx, net, "recipe-estimate/model.safetensors");
    sample_by_hand(ctx, &h, (sides){8, 8, 3}, o.seed, 1, 1, NULL, NULL, next); /* one step of all the way, t = 1 */
    close_to(N, estimate.values, next, 2e-5);
    while (limn_sampling_left(s)) OK(limn_sampling_step(s));
    OK(limn_sampling_latent(s, 0, &last));
    sample_by_hand(ctx, &h, (sides){8, 8, 3}, o.seed, 4, 1, NULL, NULL, next);
    close_to(N, last.values, next, 2e-5);
    limn_sampling_end(s);
    limn_latent *all[] = {&noise, &estimate, &last};
    for (int i = 0; i < 3; i++) limn_latent_free(all[i]);
    hand_free(&h);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_parts_give_what_is_handed_on_by_hand),
        cmocka_unit_test(a_text_is_encoded_once),
        cmocka_unit_test(a_wrong_wire_is_a_sentence),
        cmocka_unit_test(wires_that_go_in_a_circle_are_refused),
        cmocka_unit_test(a_chain_of_parts_is_never_stale),
        cmocka_unit_test(weights_of_another_precision_go),
        cmocka_unit_test(a_picture_is_no_latent),
        cmocka_unit_test(blocks_of_several_encoders_fill_one_input),
        cmocka_unit_test(what_nothing_feeds_is_said_when_a_model_is_opened),
        cmocka_unit_test(what_all_parts_take_is_asked_for_before_the_first_step),
        cmocka_unit_test(a_text_encoder_is_free_once_the_text_is_read),
        cmocka_unit_test(shared_encoders_are_given_back_by_the_last),
        cmocka_unit_test(a_decoder_has_the_room_of_the_steps),
        cmocka_unit_test(a_picture_has_the_sides_that_were_asked_for),
        cmocka_unit_test(latents_that_are_not_square_are_decoded),
        cmocka_unit_test(starts_and_masks_follow_the_sides),
        cmocka_unit_test(sides_that_cannot_be_are_refused),
        cmocka_unit_test(the_program_takes_the_sides),
        cmocka_unit_test(a_text_alone_is_what_the_network_reads),
        cmocka_unit_test(step_by_step_is_the_same_picture),
        cmocka_unit_test(the_estimate_is_what_the_prediction_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
