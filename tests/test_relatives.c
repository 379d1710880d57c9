/* test_relatives.c: relatives of Stable Diffusion 1 (U-Nets that fill in what a mask shows, that are told the guidance, that
 * are pruned) and what starts from a picture.  Shrunken networks with weights of a formula, in folders of diffusers and in
 * one file; latents after every call are those of diffusers' pipelines, from the same seed (oracle/sd_relatives.py). */
#include "base/rng.h"
#include "denoise/picture.h"
#include "graph/node.h"
#include "keep_log.h"
#include "make_relatives.h"

#include <sys/stat.h>
#include <unistd.h>

enum { REL_TENSORS = sizeof rel_tensors / sizeof *rel_tensors };

/* ---- files ------------------------------------------------------------------------------------------------------------ */

typedef struct relative {
    const char *name, *config; /* keys of unet/config.json that no tensor shows, and some that they do */
} relative;

#define CONFIG(more) "{\"sample_size\": 8, \"norm_num_groups\": 32, \"layers_per_block\": 1, " more "}"
static const relative relatives[] = {
    {"sd", CONFIG("\"attention_head_dim\": 8, \"in_channels\": 4")},
    {"inpaint", CONFIG("\"attention_head_dim\": 8, \"in_channels\": 9")},
    {"lcm", CONFIG("\"attention_head_dim\": 8, \"time_cond_proj_dim\": 256")},
    {"small", CONFIG("\"attention_head_dim\": 8, \"mid_block_type\": null")},
    {"tiny", CONFIG("\"attention_head_dim\": 8, \"mid_block_type\": null")},
    {"sdxs", CONFIG("\"attention_head_dim\": [1, 1, 2], \"mid_block_type\": null")},
};
enum { RELATIVES = sizeof relatives / sizeof *relatives };

static size_t take_unet(const char *name, size_t n, const sd_tensor **tensors)
{
    return strcmp(name, "sd") ? sd_take(rel_tensors, REL_TENSORS, name, NULL, n, tensors)
                              : sd_take(sd_tensors, SD_TENSORS, "unet", NULL, n, tensors);
}

static char *inside(const char *name, const char *file, char out[200])
{
    snprintf(out, 200, "rel-%s%s", name, file);
    return out;
}

static void write_folder(limn_ctx *ctx, const relative *r)
{
    static const char *const folders[] = {"", "/unet", "/vae", "/text_encoder", "/scheduler"};
    static const sd_tensor *tensors[SD_MOST];
    char path[200];
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) mkdir(inside(r->name, folders[i], path), 0777);
    write_text(inside(r->name, "/unet/config.json", path), r->config);
    write_text(inside(r->name, "/vae/config.json", path), SD_VAE);
    write_text(inside(r->name, "/text_encoder/config.json", path), SD_TEXT);
    sd_write(ctx, inside(r->name, "/unet/diffusion_pytorch_model.safetensors", path), take_unet(r->name, 0, tensors),
             tensors, "");
    sd_write(ctx, inside(r->name, "/vae/diffusion_pytorch_model.safetensors", path),
             sd_take(sd_tensors, SD_TENSORS, "vae", NULL, 0, tensors), tensors, "");
    sd_write(ctx, inside(r->name, "/text_encoder/model.safetensors", path),
             sd_take(sd_tensors, SD_TENSORS, "text_encoder", NULL, 0, tensors), tensors, "");
}

/* Heads of 64 channels are known by texts of width 1024: here config.json beside the file says it. */
static void write_one_file(limn_ctx *ctx, const relative *r, char path[200])
{
    static const sd_tensor *tensors[SD_MOST];
    const char *name = r->name;
    bool said = !strcmp(name, "sdxs");
    mkdir(said ? "rel-said" : "rel-one", 0777);
    if (said) write_text("rel-said/config.json", r->config);
    snprintf(path, 200, "%s/%s.safetensors", said ? "rel-said" : "rel-one", name);
    size_t n = sd_take(sd_tensors, SD_TENSORS, "text_encoder", NULL, 0, tensors);
    n = sd_take(sd_tensors, SD_TENSORS, "vae", NULL, n, tensors);
    sd_write(ctx, path, take_unet(name, n, tensors), tensors, NULL);
}

/* ---- what diffusers drew ---------------------------------------------------------------------------------------------- */

static bool is(const char *a, const char *b) { return !strcmp(a, b); }

static void folders_draw_what_diffusers_draws(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    int drawn = 0;
    char path[200];
    for (int r = 0; r < RELATIVES; r++) {
        write_folder(ctx, &relatives[r]);
        for (int i = 0; i < SCHEDULERS; i++) {
            limn_pipeline *p;
            write_text(inside(relatives[r].name, "/scheduler/scheduler_config.json", path), schedulers[i].config);
            OK(limn_pipeline_open(ctx, inside(relatives[r].name, "", path), &p));
            for (int k = 0; k < REL_CASES; k++)
                if (is(rel_cases[k].net, relatives[r].name) && is(rel_cases[k].scheduler, schedulers[i].name))
                    check_case(ctx, p, &rel_cases[k], NULL), drawn++;
            limn_pipeline_free(p);
        }
    }
    assert_int_equal(drawn, REL_CASES);
    limn_ctx_free(ctx);
}

/* Also under the names that diffusers' script gives to networks that it does not know: small, tiny. */
static void one_file_draws_the_same(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    char path[200];
    for (int r = 0; r < RELATIVES; r++) {
        limn_pipeline *p;
        int drawn = 0;
        write_one_file(ctx, &relatives[r], path);
        OK(limn_pipeline_open(ctx, path, &p));
        for (int k = 0; k < REL_CASES; k++)
            for (int i = 0; i < SCHEDULERS; i++)
                if (is(rel_cases[k].net, relatives[r].name) && is(rel_cases[k].scheduler, schedulers[i].name) &&
                    schedulers[i].sampler)
                    check_case(ctx, p, &rel_cases[k], schedulers[i].sampler), drawn++;
        if (!drawn && !is(relatives[r].name, "tiny")) fail_msg("nothing of %s was drawn", path);
        limn_pipeline_free(p);
    }
    limn_ctx_free(ctx);
}

/* Each network in a file of its own; two cases of each tell it. */
static void parts_draw_the_same(void **state)
{
    (void)state;
    static const sd_tensor *tensors[SD_MOST];
    limn_ctx *ctx = limn_ctx_new();
    mkdir("rel-parts", 0777);
    sd_write(ctx, "rel-parts/t.safetensors", sd_take(sd_tensors, SD_TENSORS, "text_encoder", NULL, 0, tensors), tensors, "");
    sd_write(ctx, "rel-parts/v.safetensors", sd_take(sd_tensors, SD_TENSORS, "vae", NULL, 0, tensors), tensors, "");
    for (int r = 0; r < RELATIVES; r++) {
        limn_pipeline *p;
        int drawn = 0;
        char folder[200], path[220];
        mkdir(inside(relatives[r].name, "-alone", folder), 0777);
        snprintf(path, sizeof path, "%s/config.json", folder);
        if (is(relatives[r].name, "sdxs")) write_text(path, relatives[r].config);
        snprintf(path, sizeof path, "%s/u.safetensors", folder);
        sd_write(ctx, path, take_unet(relatives[r].name, 0, tensors), tensors, "");
        OK(limn_pipeline_open_parts(ctx, &(limn_pipeline_parts){.diffusion_model = path, .clip_l = "rel-parts/t.safetensors",
                                                       .vae = "rel-parts/v.safetensors"}, &p));
        for (int k = 0; k < REL_CASES && drawn < 2; k++)
            for (int i = 0; i < SCHEDULERS; i++)
                if (is(rel_cases[k].net, relatives[r].name) && is(rel_cases[k].scheduler, schedulers[i].name) &&
                    schedulers[i].sampler)
                    check_case(ctx, p, &rel_cases[k], schedulers[i].sampler), drawn++;
        if (!drawn && !is(relatives[r].name, "tiny")) fail_msg("nothing of %s was drawn", path);
        limn_pipeline_free(p);
    }
    limn_ctx_free(ctx);
}

/* Numbers in the weights at full size, as UNet2DConditionModel counts them from the published config.json files. */
static void full_size_has_as_many_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *settings;
        int64_t numbers;
    } rows[] = {{"", 859520964},
                {"inpaint=1", 859535364},
                {"guidance_width=256", 859602884},
                {"blocks=1", 579384964},                                            /* BK-SDM base, small, tiny */
                {"blocks=1 middle=0", 482346884},
                {"blocks=1 middle=0 multipliers=124 attention_least=16", 323384964},
                {"blocks=1 middle=0 multipliers=124 attention_least=16 attention_most=32", 315746244}}; /* SDXS */
    limn_ctx *ctx = limn_ctx_new();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        limn_settings s;
        limn_ports ports;
        limn_graph *g = limn_graph_new(ctx);
        int64_t numbers = 0;
        OK(limn_settings_find(ctx, "ldm-unet", &s));
        OK(limn_settings_apply(ctx, &s, rows[i].settings));
        OK(limn_model_build(g, &s, (limn_build){.batch = 1, .n_steps = 1}, &ports));
        for (int k = 0; k < g->n_parameters; k++) numbers += limn_node_count(g->parameters[k]);
        if (numbers != rows[i].numbers)
            fail_msg("%s: %lld numbers, not %lld", rows[i].settings, (long long)numbers, (long long)rows[i].numbers);
        limn_graph_free(g);
    }
    limn_ctx_free(ctx);
}

/* ---- what goes with what ---------------------------------------------------------------------------------------------- */

static limn_pipeline *open_relative(limn_ctx *ctx, int r, const char *scheduler)
{
    char path[200];
    limn_pipeline *p;
    write_folder(ctx, &relatives[r]);
    write_text(inside(relatives[r].name, "/scheduler/scheduler_config.json", path), scheduler);
    OK(limn_pipeline_open(ctx, inside(relatives[r].name, "", path), &p));
    return p;
}

enum { INPAINT = 1, LCM = 2, SMALL = 3 };

/* Latents too are drawn for each picture from its own seed, and what is kept with them. */
static void a_picture_is_the_same_alone_and_among_others(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_image picture = sd_picture(ctx, REL_WIDTH, REL_HEIGHT), mask = sd_mask(ctx, REL_WIDTH, REL_HEIGHT);
    for (int r = 0; r <= INPAINT; r++) {
        limn_pipeline *p = open_relative(ctx, r, SD_DDIM);
        limn_generate_options o = options_of(p, &rel_cases[13]);
        limn_latent three[3], one;
        limn_sampling *s;
        o.init = &picture, o.mask = &mask, o.n = 3;
        OK(limn_sampling_begin(p, &o, &s));
        assert_int_equal(s->denoiser->job.shape.batch, 6); /* one forward of all, guided */
        limn_sampling_end(s);
        OK(limn_generate_latents(p, &o, three));
        o.n = 1, o.seed = REL_SEED + 2;
        OK(limn_generate_latents(p, &o, &one));
        size_t n = (size_t)one.width * (size_t)one.height * (size_t)one.channels;
        compare("picture", 2, n, 1, three[2].values, one.values, 1e-5);
        assert_true(memcmp(three[1].values, one.values, n * sizeof(float)) != 0);
        for (int i = 0; i < 3; i++) limn_latent_free(&three[i]);
        limn_latent_free(&one);
        limn_pipeline_free(p);
    }
    limn_image_free(&picture);
    limn_image_free(&mask);
    limn_ctx_free(ctx);
}

static void what_is_asked_of_the_wrong_network_is_a_sentence(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_image picture = sd_picture(ctx, REL_WIDTH, REL_HEIGHT), mask = sd_mask(ctx, REL_WIDTH, REL_HEIGHT), image;
    limn_latent latent = {0};
    limn_pipeline *p = open_relative(ctx, INPAINT, SD_PNDM);
    limn_generate_options o = options_of(p, &rel_cases[0]);
    OK(limn_latent_new(ctx, REL_HEIGHT / 8, REL_WIDTH / 8, 4, &latent));
    memset(latent.values, 0, sizeof(float) * 4 * REL_HEIGHT / 8 * REL_WIDTH / 8);
    o.init_latent = &latent, o.mask = &mask;
    says(ctx, limn_generate(p, &o, &image), LIMN_BAD_ARGUMENT, "expected a picture beside the mask, found a latent");
    o.init_latent = NULL, o.mask = NULL;
    limn_ctx_set_log(ctx, keep_log, NULL);
    OK(limn_generate(p, &o, &image));
    limn_ctx_set_log(ctx, NULL, NULL);
    if (!strstr(logged, "there is none: all of the picture is made anew")) fail_msg("not said in \"%s\"", logged);
    limn_image_free(&image);
    assert_true(limn_pipeline_describe(p).inpaints && limn_pipeline_describe(p).resample == 1);
    limn_pipeline_free(p);
    rename("rel-inpaint/vae", "rel-inpaint/away");
    OK(limn_pipeline_open(ctx, "rel-inpaint", &p));
    limn_latent_free(&latent);
    says(ctx, limn_generate_latents(p, &o, &latent), LIMN_UNSUPPORTED, "an autoencoder must make a latent of what is kept");
    rename("rel-inpaint/away", "rel-inpaint/vae");
    limn_pipeline_free(p);
    p = open_relative(ctx, LCM, schedulers[SCHEDULERS - 1].config);
    limn_pipeline_info info = limn_pipeline_describe(p);
    assert_true(info.told_guidance && info.guidance == 8.5 && info.steps == 4);
    assert_string_equal(info.sampler, "lcm");
    o = options_of(p, &rel_cases[17]), o.negative = "fog";
    says(ctx, limn_generate(p, &o, &image), LIMN_BAD_ARGUMENT, "is told the guidance");
    o.negative = "", o.guidance_rescale = 0.5;
    says(ctx, limn_generate(p, &o, &image), LIMN_BAD_ARGUMENT, "which guidance rescale would change");
    o.guidance_rescale = 0, o.init = &picture, o.strength = 0.05;
    says(ctx, limn_generate(p, &o, &image), LIMN_BAD_ARGUMENT, "expected 1 to 2 steps, found 4");
    limn_pipeline_free(p);
    limn_image_free(&picture);
    limn_image_free(&mask);
    limn_ctx_free(ctx);
}

/* ---- noise ------------------------------------------------------------------------------------------------------------ */

/* The picture with noise of this many gray levels, as a file has it. */
static limn_image noised(limn_ctx *ctx, const limn_image *from, double noise, int draw)
{
    enum { N = REL_WIDTH * REL_HEIGHT * 3 };
    limn_image out;
    float x[N], z[N];
    limn_picture_values(from, x);
    limn_random_normal(7, LIMN_STREAM_TEST, (uint64_t)draw, 0, N, z);
    for (int i = 0; i < N; i++) x[i] += z[i] * (float)(noise / 127.5);
    OK(limn_picture_bytes(ctx, REL_WIDTH, REL_HEIGHT, 3, x, &out));
    return out;
}

/* By the autoencoder alone: how far such noise spreads the latent of what it gives back of the noisy picture. */
static double moved_by(limn_ctx *ctx, const limn_image *noisy, double noise)
{
    enum { DRAWS = 8, N = REL_WIDTH * REL_HEIGHT / 16 };
    limn_autoencoder *a;
    limn_image back;
    limn_latent latent, clean, moved;
    double squares = 0, mean[N] = {0};
    OK(limn_autoencoder_open(ctx, "rel-sd/vae", &a));
    OK(limn_encode(a, noisy, LIMN_PRECISION_F32, &latent));
    OK(limn_decode(a, &latent, LIMN_PRECISION_F32, &back));
    OK(limn_encode(a, &back, LIMN_PRECISION_F32, &clean));
    for (int k = 0; k < DRAWS; k++) {
        limn_image again = noised(ctx, &back, noise, 10 + k);
        OK(limn_encode(a, &again, LIMN_PRECISION_F32, &moved));
        for (int i = 0; i < N; i++) {
            double d = moved.values[i] - clean.values[i];
            mean[i] += d / DRAWS, squares += d * d / (DRAWS * N);
        }
        limn_latent_free(&moved);
        limn_image_free(&again);
    }
    for (int i = 0; i < N; i++) squares -= mean[i] * mean[i] / N;
    limn_latent_free(&latent);
    limn_latent_free(&clean);
    limn_image_free(&back);
    limn_autoencoder_free(a);
    return sqrt(squares * DRAWS / (DRAWS - 1)) * 0.18215;
}

/* As with networks of Limn's own: it sets out where it has met as much noise as that of the pixels spreads the latent, by
 * any scheduler of a folder; what is left of it is the picture's. */
static void noise_is_taken_out_of_a_picture(void **state)
{
    (void)state;
    static const char *const names[] = {"pndm", "euler", "dpm", "unipc_flow", "lms"};
    limn_ctx *ctx = limn_ctx_new();
    limn_image picture = sd_picture(ctx, REL_WIDTH, REL_HEIGHT), noisy = noised(ctx, &picture, 30, 0), clean, left, none;
    enum { BYTES = REL_WIDTH * REL_HEIGHT * 3 };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int at = 0;
        while (!is(schedulers[at].name, names[i])) at++;
        limn_pipeline *p = open_relative(ctx, 0, schedulers[at].config);
        limn_generate_options o = options_of(p, &rel_cases[0]);
        limn_sampling *s;
        double a, b, expected = moved_by(ctx, &noisy, 30);
        o.init = &noisy, o.noise = 30, o.strength = 1;
        OK(limn_sampling_begin(p, &o, &s));
        limn_sampler_level(s->sampler, 0, &a, &b);
        if (fabs(b / a / expected - 1) > 0.15) fail_msg("%s sets out at %g, expected %g", names[i], b / a, expected);
        for (size_t k = 0; k < s->size; k++) assert_true(fabs(s->x[k] - a * s->start.init.mean[k]) < 1e-4);
        limn_sampling_end(s);
        OK(limn_generate(p, &o, &clean));
        o.noise_left = 10;
        OK(limn_generate(p, &o, &left));
        for (int k = 0; k < BYTES; k++) /* a third of the noise */
            assert_true(fabs(left.pixels[k] - (2.0 * clean.pixels[k] + noisy.pixels[k]) / 3) < 1.6);
        limn_image_free(&clean);
        limn_image_free(&left);
        limn_pipeline_free(p);
    }
    limn_pipeline *p = open_relative(ctx, INPAINT, SD_PNDM);
    limn_generate_options o = options_of(p, &rel_cases[0]);
    o.init = &noisy, o.noise = 30;
    says(ctx, limn_generate(p, &o, &none), LIMN_UNSUPPORTED, "takes no noise out of a picture: take the model that it was");
    limn_pipeline_free(p);
    limn_image_free(&picture);
    limn_image_free(&noisy);
    limn_ctx_free(ctx);
}

static void a_config_that_contradicts_its_tensors_is_a_sentence(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = open_relative(ctx, SMALL, SD_PNDM);
    limn_pipeline_free(p);
    write_text("rel-small/unet/config.json", "{\"layers_per_block\": 2}");
    says(ctx, limn_pipeline_open(ctx, "rel-small", &p), LIMN_BAD_FILE, "layers_per_block 2, and its tensors have 1");
    write_text("rel-small/unet/config.json", "{\"in_channels\": 9}");
    says(ctx, limn_pipeline_open(ctx, "rel-small", &p), LIMN_BAD_FILE, "in_channels 9, and its tensors have 4");
    limn_ctx_free(ctx);
}

static void run(const char *arguments, int code)
{
    char command[512];
    snprintf(command, sizeof command, LIMN_BINARY_DIR "/limn %s -q >/dev/null 2>rel.txt", arguments);
    int found = system(command);
    if (found != code << 8) fail_msg("%s: code %d", command, found >> 8);
}

static void expect_said(const char *words, const char *file)
{
    char command[512];
    snprintf(command, sizeof command, "grep -aq '%s' %s", words, file);
    if (system(command)) fail_msg("%s does not say \"%s\"", file, words);
}

/* Usual numbers come from the model. */
static void the_program_takes_what_is_usual(void **state)
{
    (void)state;
    if (access(LIMN_BINARY_DIR "/limn", X_OK)) skip();
    limn_ctx *ctx = limn_ctx_new();
    limn_image picture = sd_picture(ctx, REL_WIDTH, REL_HEIGHT), mask = sd_mask(ctx, REL_WIDTH, REL_HEIGHT), image;
    char path[200];
    OK(limn_png_write(ctx, "rel-picture.png", &picture, NULL));
    OK(limn_png_write(ctx, "rel-mask.png", &mask, NULL));
    write_one_file(ctx, &relatives[LCM], path);
    run("generate lighthouse -m rel-one/lcm.safetensors -W 32 -H 24 -o rel.png", 0);
    expect_said("Steps: 4, Sampler: LCM", "rel.png"), expect_said("CFG scale: 8.5", "rel.png");
    run("denoise rel-picture.png --noise 20 -m rel-one/lcm.safetensors -W 48 -H 32 -o rel.png", 0);
    run("generate lighthouse -n fog -m rel-one/lcm.safetensors -W 32 -H 24 -o rel.png", 2);
    expect_said("a negative prompt would change", "rel.txt");
    write_one_file(ctx, &relatives[INPAINT], path);
    run("generate lighthouse -m rel-one/inpaint.safetensors -i rel-picture.png --mask rel-mask.png -W 48 -H 32 --steps 2 "
        "-o rel.png", 0);
    OK(limn_image_read(ctx, "rel.png", 0, &image));
    assert_true(image.width == REL_WIDTH && image.height == REL_HEIGHT);
    limn_image_free(&image);
    limn_image_free(&picture);
    limn_image_free(&mask);
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_draw_what_diffusers_draws),
        cmocka_unit_test(one_file_draws_the_same),
        cmocka_unit_test(parts_draw_the_same),
        cmocka_unit_test(full_size_has_as_many_numbers),
        cmocka_unit_test(a_picture_is_the_same_alone_and_among_others),
        cmocka_unit_test(what_is_asked_of_the_wrong_network_is_a_sentence),
        cmocka_unit_test(noise_is_taken_out_of_a_picture),
        cmocka_unit_test(a_config_that_contradicts_its_tensors_is_a_sentence),
        cmocka_unit_test(the_program_takes_what_is_usual),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
