/* test_sdxl_relatives.c: relatives of Stable Diffusion XL (U-Nets that fill in what a mask shows, that are told the
 * guidance, that are pruned as SSD-1B and KOALA are), what starts from a picture, and one to four steps of Turbo and
 * Lightning.  Shrunken networks in folders of diffusers; latents after every call are those of diffusers' pipelines, from
 * the same seed (oracle/sdxl_relatives.py). */
#include "make_relatives.h"
#include "make_sdxl.h"
#include "vectors/sdxl_relatives.h"

#include <unistd.h>

enum { XLR_TENSORS = sizeof xlr_tensors / sizeof *xlr_tensors };

static bool is(const char *a, const char *b) { return !strcmp(a, b); }

/* ---- files ------------------------------------------------------------------------------------------------------------ */

/* That of the base, with what it lacks; of pruned networks all is their own. */
static size_t take_unet(const char *name, const sd_tensor **tensors)
{
    size_t n = 0;
    if (is(name, "base") || is(name, "inpaint") || is(name, "lcm"))
        n = sd_take(xl_tensors, XL_TENSORS, "unet", is(name, "inpaint") ? "conv_in.weight" : NULL, 0, tensors);
    return sd_take(xlr_tensors, XLR_TENSORS, name, NULL, n, tensors);
}

/* The folder of the base, with another U-Net in it. */
static void write_relative(limn_ctx *ctx, const char *folder, const char *name)
{
    static const sd_tensor *tensors[SD_MOST];
    char path[200];
    snprintf(path, sizeof path, "%s/unet/diffusion_pytorch_model.safetensors", folder);
    sd_write(ctx, path, take_unet(name, tensors), tensors, "");
    for (size_t i = 0; i < sizeof xlr_configs / sizeof *xlr_configs; i++)
        if (is(xlr_configs[i][0], name)) xl_put(folder, "unet/config.json", xlr_configs[i][1]);
}

/* ---- what diffusers drew ---------------------------------------------------------------------------------------------- */

static int draw_cases(limn_ctx *ctx, const char *folder, const char *name, const struct scheduler *with)
{
    limn_pipeline *p = NULL;
    int drawn = 0;
    for (int k = 0; k < XLR_CASES; k++) {
        rel_case c = xlr_cases[k];
        if (!is(c.net, name) || !is(c.scheduler, with->name)) continue;
        xl_put(folder, "scheduler/scheduler_config.json", with->config);
        if (!p) OK(limn_pipeline_open(ctx, folder, &p));
        if (c.guidance == 0) c.guidance = 1; /* none, as diffusers counts it */
        check_case(ctx, p, &c, NULL);
        drawn++;
    }
    limn_pipeline_free(p);
    return drawn;
}

static void folders_draw_what_diffusers_draws(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    int drawn = 0;
    xl_write_folder(ctx, "xl-relative", "base");
    for (size_t i = 0; i < sizeof xlr_configs / sizeof *xlr_configs; i++) {
        write_relative(ctx, "xl-relative", xlr_configs[i][0]);
        for (int k = 0; k < SCHEDULERS; k++) drawn += draw_cases(ctx, "xl-relative", xlr_configs[i][0], &schedulers[k]);
    }
    assert_int_equal(drawn, XLR_CASES);
    limn_ctx_free(ctx);
}

/* Each pass is told its own sides. */
static void a_second_pass_is_two_pipelines_of_diffusers(void **state)
{
    (void)state;
    enum { SIZE = REL_WIDTH * REL_HEIGHT / 16 * 4 };
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p;
    limn_latent latent;
    xl_write_folder(ctx, "xl-hires", "base");
    OK(limn_pipeline_open(ctx, "xl-hires", &p));
    rel_case c = {.negative = "fog", .steps = 4, .guidance = 5, .strength = 1};
    limn_generate_options o = options_of(p, &c);
    o.hires = 2, o.hires_strength = 0.5;
    OK(limn_generate_latents(p, &o, &latent));
    assert_true(latent.height == REL_HEIGHT / 4 && latent.width == REL_WIDTH / 4);
    for (int i = 0; i < SIZE; i++) latent.values[i] *= 0.13025f;
    compare("a second pass", 0, SIZE, 1, latent.values, xlr_second_pass, 1e-4);
    limn_latent_free(&latent);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_draw_what_diffusers_draws),
        cmocka_unit_test(a_second_pass_is_two_pipelines_of_diffusers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
