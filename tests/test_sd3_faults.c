/* test_sd3_faults.c: what limn inspect says of Stable Diffusion 3 and PixArt: which text encoders are there, beside a file,
 * missing; parts that do not belong together, networks that contradict themselves: a sentence each. */
#include "make_pixart.h"

#include <unistd.h>

#define ALONE "sd3-bad-alone/sd3.safetensors"

/* The denoiser and its autoencoder under original names, in a folder of their own. */
static void write_alone(limn_ctx *ctx, const char *folder)
{
    char path[200];
    mkdir(folder, 0777);
    sd3_put(folder, "config.json", "{\"num_attention_heads\": 2, \"sample_size\": 8}");
    snprintf(path, sizeof path, "%s/spiece.model", folder);
    sd3_copy(SD3_PIECES, path);
    snprintf(path, sizeof path, "%s/sd3.safetensors", folder);
    sd3_write(ctx, path, true, (const char *const[]){"norms", "vae", NULL});
}

static void write_beside(limn_ctx *ctx, const char *path, const char *part)
{
    sd3_write(ctx, path, false, (const char *const[]){part, NULL});
}

/* ---- limn inspect, describe ------------------------------------------------------------------------------------------- */

static void shows(const char *verb, const char *what, const char *words)
{
    char command[600];
    snprintf(command, sizeof command, LIMN_BINARY_DIR "/limn %s %s >sd3-bad.said 2>&1; grep -qxF -- '%s' sd3-bad.said", verb,
             what, words);
    if (system(command)) fail_msg("%s %s: what is said of it has no line \"%s\"", verb, what, words);
}

static void inspected(const char *what, const char *words) { shows("inspect", what, words); }

static void inspect_says_which_text_encoders_are_there(void **state)
{
    (void)state;
    if (access(LIMN_BINARY_DIR "/limn", X_OK)) skip();
    limn_ctx *ctx = limn_ctx_new();
    assert_int_equal(system("rm -rf sd3-bad-lgt sd3-bad-g sd3-bad-none"), 0);
    sd3_write_folder(ctx, "sd3-bad-lgt", "norms", "lgt");
    sd3_write_folder(ctx, "sd3-bad-g", "norms", "g");
    sd3_write_folder(ctx, "sd3-bad-none", "norms", "");
    inspected("sd3-bad-lgt", "holds     Stable Diffusion 3 MMDiT (diffusers); beside it: text_encoder, text_encoder_2, "
                             "text_encoder_3, vae");
    inspected("sd3-bad-g", "holds     Stable Diffusion 3 MMDiT (diffusers); beside it: text_encoder_2, vae; draws without: "
                           "--clip_l, --t5xxl");
    inspected("sd3-bad-g", "missing   a text encoder that makes features of 96 numbers (--clip_l); draws without");
    inspected("sd3-bad-g", "          a T5 that makes features of 288 numbers (--t5xxl); draws without");
    inspected("sd3-bad-none", "holds     Stable Diffusion 3 MMDiT (diffusers); beside it: vae; missing: text encoders");
    inspected("sd3-bad-none", "missing   a text encoder that makes features of 96 numbers (--clip_l); one of the three is "
                              "enough");
    inspected("sd3-bad-none", "          a text encoder that makes features of 160 numbers (--clip_g); one of the three is "
                              "enough");
    inspected("sd3-bad-none", "          a T5 that makes features of 288 numbers (--t5xxl); one of the three is enough");
    inspected("sd3-bad-lgt/text_encoder_3", "part      a text encoder: --t5xxl of limn generate");
    assert_int_equal(system("cp sd3-bad-lgt/text_encoder/model.safetensors sd3-bad-lgt/text_encoder_3/"), 0);
    inspected("sd3-bad-lgt", "missing   a T5 that makes features of 288 numbers (--t5xxl); draws without; text_encoder_3 is "
                             "there, and holds none");
    limn_ctx_free(ctx);
}

static void inspect_looks_beside_a_file(void **state)
{
    (void)state;
    if (access(LIMN_BINARY_DIR "/limn", X_OK)) skip();
    static const char *const all[] = {"text_encoder", "text_encoder_2", "text_encoder_3", "norms", "vae", NULL};
    limn_ctx *ctx = limn_ctx_new();
    assert_int_equal(system("rm -rf sd3-bad-alone sd3-bad-one"), 0);
    write_alone(ctx, "sd3-bad-alone");
    inspected(ALONE, "holds     Stable Diffusion 3 MMDiT, Stable Diffusion autoencoder; missing: text encoders");
    write_beside(ctx, "sd3-bad-alone/l.safetensors", "text_encoder");
    write_beside(ctx, "sd3-bad-alone/t5.safetensors", "text_encoder_3");
    inspected(ALONE, "holds     Stable Diffusion 3 MMDiT, Stable Diffusion autoencoder; beside it: l.safetensors, "
                     "t5.safetensors; draws without: --clip_g");
    write_beside(ctx, "sd3-bad-alone/t5-too.safetensors", "text_encoder_3");
    inspected(ALONE, "          a T5 that makes features of 288 numbers (--t5xxl); draws without; several files beside it "
                     "fit, of which one must be named");
    mkdir("sd3-bad-one", 0777);
    sd3_put("sd3-bad-one", "config.json", "{\"num_attention_heads\": 2, \"sample_size\": 8}");
    sd3_write(ctx, "sd3-bad-one/sd3.safetensors", true, all);
    inspected("sd3-bad-one/sd3.safetensors", "holds     Stable Diffusion 3 MMDiT, T5 text encoder, CLIP text encoder, CLIP "
                                             "text encoder, Stable Diffusion autoencoder");
    shows("describe", "sd3-bad-one/sd3.safetensors",
          "limn: sd3-bad-one/sd3.safetensors holds 5 networks, mmdit, t5-text, clip-text:160, clip-text:96, vae: say which "
          "with --network");
    shows("describe --network t5-text", "sd3-bad-one/sd3.safetensors",
          "t5-text text_width=288 text_depth=2 text_heads=4 text_vocab=512 head_width=16 mlp=64");
    shows("describe --network clip-text", "sd3-bad-one/sd3.safetensors",
          "limn: sd3-bad-one/sd3.safetensors holds 5 networks, mmdit, t5-text, clip-text:160, clip-text:96, vae: say which "
          "with --network");
    limn_ctx_free(ctx);
}

static void inspect_knows_the_text_encoder_of_pixart(void **state)
{
    (void)state;
    if (access(LIMN_BINARY_DIR "/limn", X_OK)) skip();
    limn_ctx *ctx = limn_ctx_new();
    pixart_write_folder(ctx, "pixart-bad-seen", "sigma");
    inspected("pixart-bad-seen", "holds     PixArt (diffusers); beside it: text_encoder, vae");
    inspected("pixart-bad-seen/transformer", "holds     PixArt (diffusers); missing: text encoder, autoencoder");
    inspected("pixart-bad-seen/transformer", "missing   a T5 that makes features of 64 numbers (--t5xxl)");
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inspect_says_which_text_encoders_are_there),
        cmocka_unit_test(inspect_looks_beside_a_file),
        cmocka_unit_test(inspect_knows_the_text_encoder_of_pixart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
