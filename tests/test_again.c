/* test_again.c: the text in a picture, as three programs write it, back to words of the command line; hostile texts. */
#include "file/image.h"
#include "pipeline/again.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void same(const char *what, const char *found, const char *expected)
{
    const char *a = found ? found : "(nothing)", *b = expected ? expected : "(nothing)";
    if (strcmp(a, b)) fail_msg("%s: expected \"%s\", found \"%s\"", what, b, a);
}

static limn_again parsed(limn_ctx *ctx, const char *text)
{
    limn_again a;
    if (limn_again_parse(ctx, "p.png", text, strlen(text), &a) != LIMN_OK) fail_msg("%s: %s", text, limn_error_text(ctx));
    return a;
}

/* Pairs, quotes and lines as the web UI's own reader takes them (modules/infotext_utils.py of version 1.10). */
static void the_web_uis_text_is_read(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_again a = parsed(ctx, "a (lighthouse:1.2), night\nBREAK \"sea\": Steps\nNegative prompt: fog, [rain]\nblur\n"
                               "Steps: 28, Sampler: DPM++ 2M SDE, Schedule type: Karras, CFG scale: 6.5, Seed: 3512345678, "
                               "Size: 512x768, Model hash: 6ce0161689, Model: v1-5-pruned-emaonly, VAE: \"a, b.pt\", "
                               "Clip skip: 2, ENSD: 31337, Version: v1.10.1\n");
    same("prompt", a.prompt, "a (lighthouse:1.2), night\nBREAK \"sea\": Steps");
    same("negative", a.negative, "fog, [rain]\nblur");
    same("steps", a.steps, "28");
    same("sampler", a.sampler, "DPM++ 2M SDE");
    same("scheduler", a.scheduler, "karras");
    same("guidance", a.guidance, "6.5");
    same("seed", a.seed, "3512345678");
    same("width", a.width, "512");
    same("height", a.height, "768");
    same("model", a.model, "v1-5-pruned-emaonly");
    same("clip skip", a.skip, "2");
    same("noise of a GPU", a.rng, "cuda");
    same("autoencoder", a.vae, "a, b.pt");
    same("rest", a.rest, "ENSD: 31337");
    same("strength", a.strength, NULL);
    limn_again_free(&a);
    a = parsed(ctx, "cat\nSteps: 20, Sampler: Euler a, Schedule type: Automatic, CFG scale: 7, Seed: 1, Size: 8x8, "
                    "RNG: CPU");
    same("no negative", a.negative, NULL);
    same("sampler", a.sampler, "Euler a");
    same("automatic", a.scheduler, NULL);
    same("noise", a.rng, "cpu");
    same("no rest", a.rest, NULL);
    limn_again_free(&a);
    a = parsed(ctx, "cat\nSteps: 20, Seed: 1, Denoising strength: 0.4, Hires upscale: 2, Hires steps: 9, Size: 8x8");
    same("of the second pass", a.strength, NULL);
    same("second pass", a.hires, "2");
    same("its steps", a.hires_steps, "9");
    same("no size of Stable Diffusion XL", a.original_size, NULL);
    same("no cut", a.crop, NULL);
    same("its strength", a.hires_strength, "0.4");
    limn_again_free(&a);
    a = parsed(ctx, "cat\nSteps: 20, Seed: 1, Denoising strength: 0.4, Hires upscale: 2, Hires upscaler: R-ESRGAN 4x+");
    same("by another network", a.hires, NULL);
    same("rest", a.rest, "Hires upscaler: R-ESRGAN 4x+, Hires upscale: 2, Denoising strength: 0.4");
    limn_again_free(&a);
    a = parsed(ctx, "cat\nSteps: 20, Seed: 1, Denoising strength: 0.4, Size: 8x8");
    same("strength", a.strength, "0.4");
    limn_again_free(&a);
    a = parsed(ctx, "winter\nSteps: 20, CFG scale: 7.5, Image CFG scale: 1.5, Seed: 1, Size: 8x8, Denoising strength: 1.0");
    same("image guidance", a.image_guidance, "1.5"); /* of a model that edits: from noise alone */
    same("no strength", a.strength, NULL);
    same("no rest", a.rest, NULL);
    limn_again_free(&a);
    a = parsed(ctx, "winter\nSteps: 20, Image CFG scale: 1.5, Seed: 1, Size: 8x8, Denoising strength: 0.75");
    same("a strength that is not followed", a.strength, NULL);
    same("is said", a.rest, "Denoising strength: 0.75");
    limn_again_free(&a);
    limn_ctx_free(ctx);
}

static void other_programs_texts_are_read(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_again a = parsed(ctx, "cat\nNegative prompt: dog\nSteps: 20, CFG scale: 7.000000, Guidance: 3.500000, "
                               "Eta: 0.000000, Seed: 42, Size: 64x40, Model: v1.safetensors, RNG: cuda, Sampler: euler_a "
                               "karras, Version: stable-diffusion.cpp"); /* sd-cli */
    same("sampler", a.sampler, "euler_a karras");
    same("noise", a.rng, "cuda");
    same("rest", a.rest, "Guidance: 3.500000, Eta: 0.000000");
    limn_again_free(&a);
    a = parsed(ctx, "cat\nSteps: 20, Seed: 1, RNG: std_default, Size: 8x8");
    same("a generator that is not here", a.rng, NULL);
    same("is said", a.rest, "RNG: std_default");
    limn_again_free(&a);
    a = parsed(ctx, "\nSteps: 20, Sampler: PLMS, Sampler from: scheduler_config.json, Prompt style: comfy, Precision: f32, "
                    "Seed: 1, Size: 8x8, Model: \"a \\\"b\\\", c\\nd\", Version: limn 0.1"); /* our own */
    same("an empty prompt", a.prompt, "");
    same("sampler", a.sampler, NULL);
    same("sampler of the model", a.own_sampler, "PLMS");
    same("style", a.style, "comfy");
    same("precision", a.precision, "f32");
    same("model", a.model, "a \"b\", c\nd");
    same("noise", a.rng, "limn");
    limn_again_free(&a);
    a = parsed(ctx, "Steps: 20, Sampler: Euler, Class: 3, Seed: 1, Version: limn 0.1");
    same("no prompt", a.prompt, NULL);
    same("class", a.label, "@3");
    limn_again_free(&a);
    a = parsed(ctx, "x\nSteps: 1, Hashes: {\"model\": \"6c\", \"lora:a\": \"b\"}, Seed: 2, Size: 8x8"); /* Civitai's */
    same("seed behind what is no pair", a.seed, "2");
    limn_again_free(&a);
    limn_ctx_free(ctx);
}

static void what_makes_no_sense_is_a_sentence(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"", "no settings"},
        {"a cat", "no settings"},
        {"a cat\nSteps: 20, Seed: 1", "no settings"},
        {"a cat\nSteps: 20, Seed: -1, Size: 8x8", "p.png: Seed: expected a whole number, found \"-1\""},
        {"a cat\nSteps: 20, Seed: , Size: 8x8", "Seed: expected a whole number, found \"\""},
        {"a cat\nSteps: 20, Seed: 1, Size: 8", "Size: expected two numbers, as in 512x768, found \"8\""},
        {"a cat\nSteps: 20, Seed: 1, Size: x8", "Size: expected"},
        {"a cat\nSteps: 20, Seed: 1, Size: 8x-8", "Size: expected"},
    };
    limn_ctx *ctx = limn_ctx_new();
    limn_again a;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(limn_again_parse(ctx, "p.png", rows[i][0], strlen(rows[i][0]), &a), LIMN_BAD_FILE);
        if (!strstr(limn_error_text(ctx), rows[i][1])) fail_msg("\"%s\" lacks \"%s\"", limn_error_text(ctx), rows[i][1]);
        assert_null(a.arena);
    }
    uint8_t pixels[12] = {0};
    limn_image image = {.width = 2, .height = 2, .channels = 3, .pixels = pixels};
    assert_int_equal(limn_png_write(ctx, "again-none.png", &image, NULL), LIMN_OK);
    assert_int_equal(limn_again_read(ctx, "again-none.png", &a), LIMN_NOT_FOUND);
    assert_non_null(strstr(limn_error_text(ctx), "no text \"parameters\""));
    assert_int_equal(limn_again_read(ctx, "again-nothing.png", &a), LIMN_NOT_FOUND);
    assert_int_equal(limn_png_write(ctx, "again-one.png", &image, "\xc3\xa4\nSteps: 1, Seed: 7, Size: 2x2"), LIMN_OK);
    assert_int_equal(limn_again_read(ctx, "again-one.png", &a), LIMN_OK);
    same("prompt", a.prompt, "\xc3\xa4");
    same("seed", a.seed, "7");
    limn_again_free(&a);
    limn_ctx_free(ctx);
}

static void a_model_is_known_by_its_name(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_again a = parsed(ctx, "Steps: 20, Seed: 1, Model: v1-5");
    assert_int_equal(limn_again_check_source(ctx, &a, "a/v1-5.safetensors", false), LIMN_OK);
    assert_int_equal(limn_again_check_source(ctx, &a, "a/v1-5", false), LIMN_OK);
    assert_int_equal(limn_again_check_source(ctx, &a, "a/v1-4.ckpt", true), LIMN_OK); /* somebody said so */
    assert_int_equal(limn_again_check_source(ctx, &a, "models/emoji", false), LIMN_NOT_FOUND);
    assert_non_null(strstr(limn_error_text(ctx), "p.png was drawn by the model \"v1-5\": give it (-m)"));
    limn_again_free(&a);
    a = parsed(ctx, "Steps: 20, Seed: 1, Size: 8x8");
    assert_int_equal(limn_again_check_source(ctx, &a, "models/emoji", false), LIMN_NOT_FOUND);
    assert_int_equal(limn_again_check_source(ctx, &a, "models/emoji", true), LIMN_OK);
    limn_again_free(&a);
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_web_uis_text_is_read),
        cmocka_unit_test(other_programs_texts_are_read),
        cmocka_unit_test(what_makes_no_sense_is_a_sentence),
        cmocka_unit_test(a_model_is_known_by_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
