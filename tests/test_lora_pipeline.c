/* test_lora_pipeline.c: Stable Diffusion changed by files of differences: the picture that diffusers and PEFT make, in every
 * spelling; weights of 0 and none; tags in prompts; files that belong to another model. */
#include "keep_log.h"
#include "make_lora.h"
#include "pipeline/sampling.h"
#include "vectors/sd_lora.h"

#include <sys/stat.h>
#include <unistd.h>

enum { WIDTH = 48, HEIGHT = 32, PIXELS = WIDTH * HEIGHT * 3 };
static const char model[] = "lora-sd/v1.safetensors", kohya[] = "lora-sd/kohya.safetensors",
                  peft[] = "lora-sd/peft.safetensors";

/* ---- files ------------------------------------------------------------------------------------------------------------ */

static bool is_changed(const sd_tensor *t)
{
    static const char *const unet[] = {".attn1.", ".attn2.", ".ff.net", "proj_in.", ".conv1.", NULL},
                      *const text[] = {"self_attn.", "mlp.", NULL};
    bool te = !strcmp(t->part, "text_encoder");
    return strstr(t->name, ".weight") && strcmp(t->part, "vae") && lora_has_any(t->name, te ? text : unet);
}

/* How programs spell the same file: kohya's, diffusers' since PEFT, the original names of the U-Net's blocks as kohya writes
 * them for other models, and OneTrainer's two. */
typedef enum spelling { KOHYA, PEFT, ORIGINAL, OMI, DOTTED, SPELLINGS } spelling;
static const char *const spelled[SPELLINGS] = {"lora-sd/kohya.safetensors", "lora-sd/peft.safetensors",
                                               "lora-sd/original.safetensors", "lora-sd/omi.safetensors",
                                               "lora-sd/dotted.safetensors"};

static const char *stem(const sd_tensor *t, spelling how, char out[200])
{
    static const char *const heads[SPELLINGS][2] = {
        {"lora_unet_", "lora_te_"}, {"unet.", "text_encoder."}, {"lora_unet_", "lora_te1_"}, {"unet.", "clip_l."},
        {"lora_unet.", "lora_te."}};
    bool te = !strcmp(t->part, "text_encoder"), original = !te && (how == ORIGINAL || how == OMI);
    const char *name = original ? t->original + strlen("model.diffusion_model.") : t->name;
    return lora_stem(heads[how][te], name, how == KOHYA || how == ORIGINAL, out);
}

/* kohya's name gives the numbers. */
static void write_lora(limn_ctx *ctx, const char *path, spelling how, bool (*takes)(const sd_tensor *), int modules)
{
    static const char *const metadata[][2] = {
        {"lora_adapter_metadata",
         "{\"unet.lora_alpha\": 1, \"unet.r\": 2, \"text_encoder.lora_alpha\": 1, \"text_encoder.r\": 2}"}};
    static lora_tensors f;
    char numbers[200], written[200];
    f.n = 0;
    for (size_t i = 0; i < SD_TENSORS; i++) {
        const sd_tensor *t = &sd_tensors[i];
        if (takes(t)) lora_add(&f, t, stem(t, KOHYA, numbers), stem(t, how, written), how == PEFT);
    }
    assert_int_equal(f.n, (how == PEFT ? 2 : 3) * modules);
    OK(limn_safetensors_write(ctx, path, (size_t)f.n, f.view, how == PEFT, metadata));
    sd_free((size_t)f.n, f.view);
}

static limn_pipeline *opened(limn_ctx *ctx)
{
    static const sd_tensor *all[SD_MOST];
    limn_pipeline *p;
    mkdir("lora-sd", 0777);
    sd_write(ctx, model, sd_take(sd_tensors, SD_TENSORS, NULL, NULL, 0, all), all, NULL);
    for (int how = 0; how < SPELLINGS; how++) write_lora(ctx, spelled[how], (spelling)how, is_changed, SD_LORA_MODULES);
    OK(limn_pipeline_open(ctx, model, &p));
    return p;
}

static limn_generate_options options(void)
{
    limn_generate_options o = limn_generate_defaults();
    o.prompt = "a lighthouse at night", o.negative = "fog", o.width = WIDTH, o.height = HEIGHT, o.steps = SD_STEPS;
    o.guidance = 7.5, o.prompt_style = "plain", o.sampler = "ddim", o.precision = LIMN_PRECISION_F32;
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
    for (int k = 0; k < SD_STEPS; k++) {
        OK(limn_sampling_step(s));
        compare("latents after call", k, s->size, 1, s->x, sd_lora_latents + (size_t)k * s->size, 1e-4);
    }
    OK(limn_sampling_picture(s, 0, &image));
    sd_compare_picture("the picture", &image, WIDTH, HEIGHT, sd_lora_picture);
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
        snprintf(says_all, sizeof says_all, "%s: all its %d modules are of this model", spelled[how], SD_LORA_MODULES);
        assert_non_null(strstr(logged, says_all));
        check_picture(ctx, p);
    }
    limn_ctx_set_log(ctx, NULL, NULL);
    limn_lora_file both[] = {{kohya, 0.5, 0.3}, {peft, 0.3, 0.5}}; /* add up */
    OK(limn_pipeline_set_loras(p, 2, both));
    check_picture(ctx, p);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* ---- in four steps ---------------------------------------------------------------------------------------------------- */

static void four_steps_are_those_of_diffusers(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = opened(ctx);
    limn_lora_file file = {"lora-sd/few.safetensors", 1, 1};
    write_lora(ctx, file.path, KOHYA, lora_is_few, SD_FEW_MODULES);
    OK(limn_pipeline_set_loras(p, 1, &file));
    for (size_t i = 0; i < sizeof sd_few_steps / sizeof *sd_few_steps; i++) {
        const sd_few *few = &sd_few_steps[i];
        limn_generate_options o = options();
        limn_sampling *s;
        o.sampler = few->sampler, o.scheduler = few->scheduler, o.eta = few->eta, o.steps = 4, o.guidance = 1;
        o.seed = SD_FEW_SEED, o.rng = LIMN_RNG_CPU, o.negative = NULL;
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

/* ---- changes come and go ---------------------------------------------------------------------------------------------- */

static unsigned char *drawn(limn_ctx *ctx, limn_pipeline *p, const limn_generate_options *o)
{
    limn_image image;
    unsigned char *pixels = malloc(PIXELS);
    OK(limn_generate(p, o, &image));
    assert_true(image.width == WIDTH && image.height == HEIGHT);
    memcpy(pixels, image.pixels, PIXELS);
    limn_image_free(&image);
    return pixels;
}

static double apart(const unsigned char *a, const unsigned char *b)
{
    double sum = 0;
    for (int i = 0; i < PIXELS; i++) sum += abs(a[i] - b[i]);
    return sum / PIXELS;
}

static void changes_come_and_go(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = opened(ctx), *q;
    limn_generate_options o = options();
    limn_lora_file whole = {kohya, 0.8, 0.8}, none = {kohya, 0, 0}, unet = {kohya, 0.8, 0}, text = {kohya, 0, 0.8};
    unsigned char *plain = drawn(ctx, p, &o), *x;
    OK(limn_pipeline_set_loras(p, 1, &whole));
    unsigned char *changed = drawn(ctx, p, &o);
    assert_true(apart(plain, changed) > 3);
    const limn_lora_file *const parts[] = {&unet, &text};
    for (int k = 0; k < 2; k++) {
        OK(limn_pipeline_set_loras(p, 1, parts[k]));
        x = drawn(ctx, p, &o);
        assert_true(apart(x, plain) > 0.5 && apart(x, changed) > 0.5);
        free(x);
    }
    OK(limn_pipeline_set_loras(p, 1, &none));
    x = drawn(ctx, p, &o);
    assert_memory_equal(x, plain, PIXELS);
    free(x);
    OK(limn_pipeline_set_loras(p, 1, &whole));
    OK(limn_pipeline_share(ctx, p, &q));
    x = drawn(ctx, q, &o);
    assert_memory_equal(x, changed, PIXELS);
    free(x);
    says(ctx, limn_pipeline_set_loras(q, 0, NULL), LIMN_BAD_ARGUMENT, "shares another one's weights");
    says(ctx, limn_pipeline_set_loras(p, 0, NULL), LIMN_BAD_ARGUMENT, "in use by another pipeline");
    limn_pipeline_free(q);
    OK(limn_pipeline_set_loras(p, 0, NULL));
    x = drawn(ctx, p, &o);
    assert_memory_equal(x, plain, PIXELS);
    free(x), free(plain), free(changed);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

static void prompts_name_them(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = opened(ctx);
    limn_generate_options o = options();
    limn_lora_file file = {kohya, 0.8, 0.8};
    o.prompt_style = "a1111";
    unsigned char *plain = drawn(ctx, p, &o);
    OK(limn_pipeline_set_loras(p, 1, &file));
    unsigned char *changed = drawn(ctx, p, &o), *x;
    OK(limn_pipeline_set_loras(p, 0, NULL));
    o.prompt = "a lighthouse at night<lora:kohya:0.8>";
    says(ctx, limn_generate(p, &o, &(limn_image){0}), LIMN_BAD_ARGUMENT, "say in which folder such files are");
    o.lora_folder = "lora-sd";
    x = drawn(ctx, p, &o);
    assert_memory_equal(x, changed, PIXELS);
    free(x);
    o.prompt = "a lighthouse at night";
    x = drawn(ctx, p, &o);
    assert_memory_equal(x, plain, PIXELS);
    free(x);
    o.prompt = "a lighthouse<lora:missing:1>";
    says(ctx, limn_generate(p, &o, &(limn_image){0}), LIMN_NOT_FOUND, "no \"missing\" is there");
    o.prompt = "a lighthouse<lora:../kohya:1>";
    says(ctx, limn_generate(p, &o, &(limn_image){0}), LIMN_BAD_ARGUMENT, "not a path");
    o.prompt = "a lighthouse at night";
    x = drawn(ctx, p, &o);
    assert_memory_equal(x, plain, PIXELS);
    free(x), free(plain), free(changed);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* ---- of another model ------------------------------------------------------------------------------------------------- */

static void files_of_other_models(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = opened(ctx);
    float x[64] = {0};
    const char *const one = "lora_unet_conv_in", *const other = "lora_unet_joint_blocks_0_x_block_attn_qkv";
    char name[4][120];
    limn_named_view view[4];
    for (int k = 0; k < 4; k++) {
        snprintf(name[k], sizeof name[k], "%s.lora_%s.weight", k / 2 ? other : one, k % 2 ? "up" : "down");
        view[k] = (limn_named_view){name[k], {LIMN_F32, k % 2 ? LIMN_SHAPE(32, 1, 1, 1) : LIMN_SHAPE(1, 4, 3, 3), x}};
    }
    limn_lora_file file = {"lora-sd/other.safetensors", 1, 1};
    limn_ctx_set_log(ctx, keep_log, NULL);
    OK(limn_safetensors_write(ctx, file.path, 4, view, 0, NULL));
    OK(limn_pipeline_set_loras(p, 1, &file));
    assert_non_null(
        strstr(logged, "1 of its 2 modules are of this model; the first that is not: \"joint_blocks_0_x_block_attn_qkv\""));
    OK(limn_safetensors_write(ctx, file.path, 2, view + 2, 0, NULL));
    says(ctx, limn_pipeline_set_loras(p, 1, &file), LIMN_BAD_FILE, "of its 1 modules none is one of");
    view[1].view.shape = LIMN_SHAPE(31, 1, 1, 1);
    OK(limn_safetensors_write(ctx, file.path, 2, view, 0, NULL));
    says(ctx, limn_pipeline_set_loras(p, 1, &file), LIMN_BAD_FILE, "does not fit the network's [32, 4]");
    view[1].view.shape = LIMN_SHAPE(32, 1, 1, 1);
    view[2].name = "lora_unet_input_blocks_0_0.lora_down.weight", view[3].name = "lora_unet_input_blocks_0_0.lora_up.weight";
    OK(limn_safetensors_write(ctx, file.path, 4, view, 0, NULL));
    says(ctx, limn_pipeline_set_loras(p, 1, &file), LIMN_BAD_FILE,
         "module \"conv_in\" comes twice, under two spellings of its name");
    file.path = "lora-sd/none.safetensors";
    says(ctx, limn_pipeline_set_loras(p, 1, &file), LIMN_NOT_FOUND, "none.safetensors");
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* ---- the program ------------------------------------------------------------------------------------------------------ */

#define GENERATE                                                                                                            \
    LIMN_BINARY_DIR                                                                                                         \
        "/limn generate \"a lighthouse%s\" -m lora-sd/v1.safetensors -W 48 -H 32 --steps 2 --precision f32 %s -o "          \
        "lora-sd/%s.png"

static int program(const char *tags, const char *flags, const char *out)
{
    char command[600];
    snprintf(command, sizeof command, GENERATE " >lora-sd/said 2>&1", tags, flags, out);
    return WEXITSTATUS(system(command));
}

static void the_program_takes_them(void **state)
{
    (void)state;
    if (access(LIMN_BINARY_DIR "/limn", X_OK)) skip();
    limn_ctx *ctx = limn_ctx_new();
    limn_image image[4];
    char path[64];
    static const char *const names[] = {"plain", "flag", "tag", "two"};
    limn_pipeline_free(opened(ctx));
    assert_int_equal(program("", "", names[0]), 0);
    assert_int_equal(program("", "--lora lora-sd/kohya.safetensors:0.8", names[1]), 0);
    assert_int_equal(program("<lora:kohya:0.8>", "--lora-model-dir lora-sd", names[2]), 0);
    assert_int_equal(program("", "--lora lora-sd/kohya.safetensors:0.5 --lora=lora-sd/peft.safetensors:0.3", names[3]), 0);
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "lora-sd/%s.png", names[i]);
        OK(limn_image_read(ctx, path, 0, &image[i]));
    }
    assert_memory_not_equal(image[0].pixels, image[1].pixels, PIXELS);
    assert_memory_equal(image[1].pixels, image[2].pixels, PIXELS);
    for (int i = 0; i < PIXELS; i++) assert_true(abs(image[3].pixels[i] - image[1].pixels[i]) <= 3);
    for (int i = 0; i < 4; i++) limn_image_free(&image[i]);
    assert_int_equal(system("grep -aq 'a lighthouse <lora:kohya:0.8>' lora-sd/flag.png"), 0);
    assert_int_equal(program("", "--lora lora-sd/missing.safetensors", "no"), 2);
    assert_int_equal(program("", "--lora lora-sd/kohya.safetensors:1000", "no"), 2);
    assert_int_equal(program("<lora:kohya>", "", "no"), 2);
    assert_int_equal(system("grep -q 'say in which folder' lora-sd/said"), 0);
    assert_int_equal(access("lora-sd/no.png", F_OK), -1);
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_picture_is_that_of_diffusers),
        cmocka_unit_test(four_steps_are_those_of_diffusers),
        cmocka_unit_test(changes_come_and_go),
        cmocka_unit_test(prompts_name_them),
        cmocka_unit_test(files_of_other_models),
        cmocka_unit_test(the_program_takes_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
