/* test_relatives.c: relatives of Stable Diffusion 1 (U-Nets that fill in what a mask shows, that are told the guidance, that
 * are pruned) and what starts from a picture.  Shrunken networks with weights of a formula, in folders of diffusers and in
 * one file; latents after every call are those of diffusers' pipelines, from the same seed (oracle/sd_relatives.py). */
#include "file/image.h"
#include "make_published.h"
#include "pipeline/sampling.h"
#include "vectors/sd_relatives.h"

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
    sd_write(ctx, inside(r->name, "/unet/diffusion_pytorch_model.safetensors", path), take_unet(r->name, 0, tensors), tensors,
             "");
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

static const struct scheduler {
    const char *name, *config, *sampler, *spacing; /* the sampler, and spacing, that mean the same without the file */
} schedulers[] = {
    {"pndm", SD_PNDM, "plms", NULL},
    {"ddim", SD_DDIM, "ddim", NULL},
    {"euler", SD_EULER, NULL, NULL},
    {"euler_a", "{\"_class_name\": \"EulerAncestralDiscreteScheduler\", \"timestep_spacing\": \"leading\", " SD_BETAS "}",
     NULL, NULL},
    {"dpm", "{\"_class_name\": \"DPMSolverMultistepScheduler\", " SD_BETAS "}", "dpm++2m", NULL},
    {"unipc", "{\"_class_name\": \"UniPCMultistepScheduler\", " SD_BETAS "}", "unipc", NULL},
    {"lcm", "{\"_class_name\": \"LCMScheduler\", \"original_inference_steps\": 50, " SD_BETAS "}", "lcm", NULL},
};
enum { SCHEDULERS = sizeof schedulers / sizeof *schedulers };

static limn_image picture_of(limn_ctx *ctx)
{
    limn_image image;
    OK(limn_image_new(ctx, "a picture", REL_WIDTH, REL_HEIGHT, 3, &image));
    for (int y = 0; y < REL_HEIGHT; y++)
        for (int x = 0; x < REL_WIDTH; x++)
            for (int c = 0; c < 3; c++)
                image.pixels[(y * REL_WIDTH + x) * 3 + c] = (uint8_t)(5 * x + 3 * y * (c + 1) + x * y / 4);
    return image;
}

static limn_image mask_of(limn_ctx *ctx)
{
    limn_image mask;
    OK(limn_image_new(ctx, "a mask", REL_WIDTH, REL_HEIGHT, 1, &mask));
    for (int y = 0; y < REL_HEIGHT; y++)
        for (int x = 0; x < REL_WIDTH; x++) mask.pixels[y * REL_WIDTH + x] = x + 2 * y < 60 ? 255 : 0;
    return mask;
}

static limn_generate_options options_of(const limn_pipeline *p, const rel_case *c)
{
    limn_generate_options o = limn_generate_defaults();
    limn_pipeline_info info = limn_pipeline_describe(p);
    o.prompt = rel_prompt, o.negative = c->negative, o.width = REL_WIDTH, o.height = REL_HEIGHT, o.seed = REL_SEED;
    o.steps = c->steps, o.guidance = c->guidance, o.strength = c->strength, o.resample = info.resample;
    o.prompt_style = "plain", o.precision = LIMN_PRECISION_F32;
    return o;
}

/* The picture is left out where the mask is white and no noise but noise is in x. */
static void check_case(limn_ctx *ctx, limn_pipeline *p, const rel_case *c, const char *sampler)
{
    limn_generate_options o = options_of(p, c);
    limn_image picture = picture_of(ctx), mask = mask_of(ctx);
    limn_sampling *s;
    int k = (int)(c - rel_cases);
    bool white = !strcmp(c->kind, "white");
    if (strcmp(c->kind, "words") && !(white && c->strength == 1)) o.init = &picture;
    if (!strcmp(c->kind, "mask")) o.mask = &mask;
    o.sampler = sampler;
    OK(limn_sampling_begin(p, &o, &s));
    if (limn_sampling_left(s) != c->calls) fail_msg("case %d: %d calls, not %d", k, limn_sampling_left(s), c->calls);
    for (int i = 0; i < c->calls; i++) {
        OK(limn_sampling_step(s));
        if (i + 1 < c->calls) limn_start_keep(&s->start, s->sampler, i + 1, s->x); /* as a pipeline leaves it */
        compare("case and call", 100 * k + i, s->size, 1, s->x, c->latents + (size_t)i * s->size, 1e-4);
    }
    limn_sampling_end(s);
    limn_image_free(&picture);
    limn_image_free(&mask);
}

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_draw_what_diffusers_draws),
        cmocka_unit_test(one_file_draws_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
