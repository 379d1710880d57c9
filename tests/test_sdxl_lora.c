/* test_sdxl_lora.c: Stable Diffusion XL changed by files of differences: the picture that diffusers and PEFT make, in every
 * spelling; in four steps; which files are of XL and which of Stable Diffusion 1. */
#include "keep_log.h"
#include "make_lora.h"
#include "make_sdxl.h"
#include "pipeline/sampling.h"
#include "vectors/sdxl_lora.h"

#include <unistd.h>

enum { WIDTH = 48, HEIGHT = 32 };
static const char model[] = "lora-xl/base";

/* ---- files ------------------------------------------------------------------------------------------------------------ */

/* How programs spell the same file: kohya's with the original names of the U-Net's blocks, and with diffusers'; diffusers'
 * since PEFT; OneTrainer's two. */
typedef enum spelling { SGM, KOHYA, PEFT, OMI, DOTTED, SPELLINGS } spelling;
static const char *const spelled[SPELLINGS] = {"lora-xl/sgm.safetensors", "lora-xl/kohya.safetensors",
                                               "lora-xl/peft.safetensors", "lora-xl/omi.safetensors",
                                               "lora-xl/dotted.safetensors"};
static const char *const parts[] = {"unet", "text_encoder", "text_encoder_2"};

static int part_of(const sd_tensor *t)
{
    for (int i = 0; i < 3; i++)
        if (!strcmp(t->part, parts[i])) return i;
    return -1;
}

static const char *stem(const sd_tensor *t, spelling how, char out[200])
{
    static const char *const heads[SPELLINGS][3] = {{"lora_unet_", "lora_te1_", "lora_te2_"},
                                                    {"lora_unet_", "lora_te1_", "lora_te2_"},
                                                    {"unet.", "text_encoder.", "text_encoder_2."},
                                                    {"unet.", "clip_l.", "clip_g."},
                                                    {"lora_unet.", "lora_te1.", "lora_te2."}};
    int part = part_of(t);
    bool original = !part && (how == SGM || how == OMI);
    const char *name = original ? t->original + strlen("model.diffusion_model.") : t->name;
    return lora_stem(heads[how][part], name, how == KOHYA || how == SGM, out);
}

static bool is_changed(const sd_tensor *t)
{
    static const char *const unet[] = {".attn1.", ".attn2.", ".ff.net", "proj_in.", "proj_out.", ".conv1.",
                                       "downsamplers.0.conv.", "upsamplers.0.conv.", "add_embedding.", NULL};
    static const char *const text[] = {"self_attn.", "mlp.", "text_projection.", NULL};
    int part = part_of(t);
    return part >= 0 && strstr(t->name, ".weight") && lora_has_any(t->name, part ? text : unet);
}

static void write_lora(limn_ctx *ctx, const char *path, spelling how, bool (*takes)(const sd_tensor *), int modules)
{
    static const char *const metadata[][2] = {
        {"lora_adapter_metadata", "{\"unet.lora_alpha\": 1, \"unet.r\": 2, \"text_encoder.lora_alpha\": 1, "
                                  "\"text_encoder.r\": 2, \"text_encoder_2.lora_alpha\": 1, \"text_encoder_2.r\": 2}"}};
    static lora_tensors f;
    char numbers[200], written[200];
    f.n = 0;
    for (size_t i = 0; i < XL_TENSORS; i++) {
        const sd_tensor *t = &xl_tensors[i];
        if (takes(t)) lora_add(&f, t, stem(t, KOHYA, numbers), stem(t, how, written), how == PEFT);
    }
    assert_int_equal(f.n, (how == PEFT ? 2 : 3) * modules);
    OK(limn_safetensors_write(ctx, path, (size_t)f.n, f.view, how == PEFT, metadata));
    sd_free((size_t)f.n, f.view);
}

static limn_pipeline *opened(limn_ctx *ctx)
{
    limn_pipeline *p;
    mkdir("lora-xl", 0777);
    xl_write_folder(ctx, model, "base");
    for (int how = 0; how < SPELLINGS; how++) write_lora(ctx, spelled[how], (spelling)how, is_changed, XL_LORA_MODULES);
    OK(limn_pipeline_open(ctx, model, &p));
    return p;
}

static limn_generate_options options(void)
{
    limn_generate_options o = limn_generate_defaults();
    o.prompt = "a lighthouse at night", o.negative = "fog", o.width = WIDTH, o.height = HEIGHT, o.steps = XL_STEPS;
    o.guidance = 5, o.prompt_style = "plain", o.precision = LIMN_PRECISION_F32;
    return o;
}

/* ---- the picture of diffusers ----------------------------------------------------------------------------------------- */

static void check_picture(limn_ctx *ctx, limn_pipeline *p)
{
    limn_generate_options o = options();
    limn_sampling *s;
    limn_image image;
    OK(limn_sampling_begin(p, &o, &s));
    formula_fill("noise", (int64_t)s->size, 2, s->x);
    for (size_t i = 0; i < s->size; i++) s->x[i] *= (float)limn_sampler_init_sigma(s->sampler);
    for (int k = 0; k < XL_STEPS; k++) {
        OK(limn_sampling_step(s));
        compare("latents after call", k, s->size, 1, s->x, xl_lora_latents + (size_t)k * s->size, 1e-4);
    }
    OK(limn_sampling_picture(s, 0, &image));
    sd_compare_picture("the picture", &image, WIDTH, HEIGHT, xl_lora_picture);
    limn_image_free(&image);
    limn_sampling_end(s);
}

static void the_picture_is_that_of_diffusers(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = opened(ctx);
    limn_ctx_set_log(ctx, keep_log, NULL);
    for (int how = 0; how < SPELLINGS; how++) {
        limn_lora_file file = {spelled[how], 0.8, 0.8};
        char says_all[128];
        logged[0] = '\0';
        OK(limn_pipeline_set_loras(p, 1, &file));
        snprintf(says_all, sizeof says_all, "%s: all its %d modules are of this model", spelled[how], XL_LORA_MODULES);
        if (!strstr(logged, says_all)) fail_msg("\"%s\" does not say \"%s\"", logged, says_all);
        check_picture(ctx, p);
    }
    limn_lora_file both[] = {{spelled[SGM], 0.5, 0.3}, {spelled[PEFT], 0.3, 0.5}}; /* add up */
    OK(limn_pipeline_set_loras(p, 2, both));
    check_picture(ctx, p);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

static void four_steps_are_those_of_diffusers(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = opened(ctx);
    limn_lora_file file = {"lora-xl/few.safetensors", 1, 1};
    write_lora(ctx, file.path, SGM, lora_is_few, XL_FEW_MODULES);
    OK(limn_pipeline_set_loras(p, 1, &file));
    for (size_t i = 0; i < sizeof xl_few_steps / sizeof *xl_few_steps; i++) {
        const xl_few *few = &xl_few_steps[i];
        limn_generate_options o = options();
        limn_sampling *s;
        o.sampler = few->sampler, o.scheduler = few->scheduler, o.eta = few->eta, o.steps = 4, o.guidance = 1;
        o.seed = XL_FEW_SEED, o.rng = LIMN_RNG_CPU, o.negative = NULL;
        OK(limn_sampling_begin(p, &o, &s));
        for (int k = 0; k < 4; k++) {
            OK(limn_sampling_step(s));
            compare(few->sampler, k, s->size, 1, s->x, few->latents + (size_t)k * s->size, 1e-4);
        }
        limn_sampling_end(s);
    }
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* ---- of other models -------------------------------------------------------------------------------------------------- */

static bool is_of_texts(const sd_tensor *t)
{
    return part_of(t) > 0 && (strstr(t->name, "mlp.fc1.weight") || strstr(t->name, "layers.0.mlp.fc2.weight"));
}

static bool is_of_unet(const sd_tensor *t)
{
    return strstr(t->name, "attn2.to_k.weight") || strstr(t->name, "conv_in.weight");
}

/* A LoRA of Stable Diffusion 1: kohya's names, which XL's U-Net and its first text encoder have too. */
static void write_first_lora(limn_ctx *ctx, const char *path, bool of_text)
{
    static lora_tensors f;
    char name[200];
    f.n = 0;
    for (size_t i = 0; i < SD_TENSORS; i++) {
        const sd_tensor *t = &sd_tensors[i];
        if (of_text ? !strcmp(t->part, "text_encoder") && strstr(t->name, "q_proj.weight") : is_of_unet(t)) {
            lora_stem(of_text ? "lora_te_" : "lora_unet_", t->name, true, name);
            lora_add(&f, t, name, name, false);
        }
    }
    OK(limn_safetensors_write(ctx, path, (size_t)f.n, f.view, 0, NULL));
    sd_free((size_t)f.n, f.view);
}

static void files_of_other_models(void **state)
{
    (void)state;
    static const sd_tensor *all[SD_MOST];
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = opened(ctx);
    limn_lora_file file = {"lora-xl/first.safetensors", 1, 1};
    write_first_lora(ctx, file.path, false);
    says(ctx, limn_pipeline_set_loras(p, 1, &file), LIMN_BAD_FILE, "lora-xl/first.safetensors: was made for a network that "
         "reads 64 numbers of a token, and base reads 192: they do not belong together");
    limn_ctx_set_log(ctx, keep_log, NULL);
    logged[0] = '\0';
    write_first_lora(ctx, file.path, true); /* CLIP's encoder is the same one */
    OK(limn_pipeline_set_loras(p, 1, &file));
    assert_non_null(strstr(logged, "all its 3 modules are of this model"));
    limn_pipeline_free(p);
    sd_write(ctx, "lora-xl/v1.safetensors", sd_take(sd_tensors, SD_TENSORS, NULL, NULL, 0, all), all, NULL);
    OK(limn_pipeline_open(ctx, "lora-xl/v1.safetensors", &p));
    for (int how = 0; how < SPELLINGS; how++) {
        file.path = spelled[how];
        says(ctx, limn_pipeline_set_loras(p, 1, &file), LIMN_BAD_FILE, "reads 192 numbers of a token, and v1.safetensors "
             "reads 64: they do not belong together");
    }
    limn_pipeline_free(p);
    xl_write_folder(ctx, "lora-xl/refiner", "refiner"); /* OpenCLIP's encoder alone */
    OK(limn_pipeline_open(ctx, "lora-xl/refiner", &p));
    says(ctx, limn_pipeline_set_loras(p, 1, &file), LIMN_BAD_FILE, "and refiner reads 128");
    file.path = "lora-xl/text.safetensors", logged[0] = '\0';
    write_lora(ctx, file.path, SGM, is_of_texts, 8);
    OK(limn_pipeline_set_loras(p, 1, &file));
    assert_non_null(strstr(logged, "4 of its 8 modules are of this model"));
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* PEFT's own file of one text encoder: its names do not say of which. */
static void write_alone(limn_ctx *ctx, const char *path, const char *part, bool alone)
{
    static const char *const metadata[][2] = {
        {"lora_adapter_metadata",
         "{\"lora_alpha\": 1, \"text_encoder.lora_alpha\": 1, \"text_encoder_2.lora_alpha\": 1}"}};
    static lora_tensors f;
    char numbers[200], written[200];
    f.n = 0;
    for (size_t i = 0; i < XL_TENSORS; i++) {
        const sd_tensor *t = &xl_tensors[i];
        if (strcmp(t->part, part) || !strstr(t->name, "_proj.weight") || strstr(t->name, "text_projection")) continue;
        stem(t, PEFT, written);
        if (alone) lora_stem("base_model.model.", t->name, false, written);
        lora_add(&f, t, stem(t, KOHYA, numbers), written, true);
    }
    OK(limn_safetensors_write(ctx, path, (size_t)f.n, f.view, 1, metadata));
    sd_free((size_t)f.n, f.view);
}

/* The one whose shapes its modules have, with the features of the file that names it. */
static void shapes_tell_the_text_encoder(void **state)
{
    (void)state;
    enum { FEATURES = 77 * 192, WHOLE = 128 };
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = opened(ctx);
    float *x = malloc(3 * FEATURES * sizeof *x), whole[3][WHOLE];
    limn_lora_file file = {"lora-xl/alone.safetensors", 1, 1};
    limn_ctx_set_log(ctx, keep_log, NULL);
    OK(limn_encode_text(p, "a lighthouse", LIMN_PRECISION_F32, x, whole[0]));
    for (int i = 1; i < 3; i++) {
        for (int alone = 0; alone < 2; alone++) {
            logged[0] = '\0';
            write_alone(ctx, file.path, parts[i], alone);
            OK(limn_pipeline_set_loras(p, 1, &file));
            bool found = strstr(logged, i == 1 ? "no name says which text encoder it changes; by its shapes that which "
                                                 "makes features of 64 numbers" : "features of 128 numbers");
            if (!strstr(logged, "all its 12 modules are of this model") || alone != found)
                fail_msg("%s, %d: \"%s\"", parts[i], alone, logged);
            OK(limn_encode_text(p, "a lighthouse", LIMN_PRECISION_F32, x + (1 + alone) * FEATURES, whole[1 + alone]));
        }
        assert_memory_equal(x + FEATURES, x + 2 * FEATURES, FEATURES * sizeof *x);
        assert_memory_equal(whole[1], whole[2], sizeof whole[0]);
        assert_memory_not_equal(x, x + FEATURES, FEATURES * sizeof *x);
        assert_int_equal(i == 1, !memcmp(whole[0], whole[1], sizeof whole[0]));
    }
    free(x);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_picture_is_that_of_diffusers),
        cmocka_unit_test(four_steps_are_those_of_diffusers),
        cmocka_unit_test(files_of_other_models),
        cmocka_unit_test(shapes_tell_the_text_encoder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
