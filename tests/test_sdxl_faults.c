/* test_sdxl_faults.c: parts of Stable Diffusion XL that do not belong together, networks that contradict themselves, and
 * what limn inspect says is there and missing: a sentence each; pictures drawn again. */
#include "file/image.h"
#include "make_sdxl.h"

#include <unistd.h>

#define UNET "xl-bad/unet/diffusion_pytorch_model.safetensors"
#define CLIP_L "xl-bad/text_encoder/model.safetensors"
#define CLIP_G "xl-bad/text_encoder_2/model.safetensors"

/* A part with one tensor of other dimensions; rank 0: without it. */
static void write_changed(limn_ctx *ctx, const char *path, const char *part, const char *name, int rank, int a, int b)
{
    static const sd_tensor *tensors[SD_MOST];
    size_t n = sd_take(xl_tensors, XL_TENSORS, part, rank ? NULL : name, 0, tensors);
    sd_tensor changed = {.rank = rank, .dim = {a, b}};
    for (size_t i = 0; i < n; i++)
        if (!strcmp(tensors[i]->name, name))
            changed.name = name, changed.original = tensors[i]->original, tensors[i] = &changed;
    sd_write(ctx, path, n, tensors, "");
}

/* When it is opened, or before the first step. */
static void refuses(limn_ctx *ctx, limn_pipeline_parts parts, limn_status expected, const char *words)
{
    limn_pipeline *p;
    limn_generate_options o = limn_generate_defaults();
    o.prompt = "a cat", o.steps = 2;
    limn_status status = limn_pipeline_open_parts(ctx, &parts, &p);
    if (status == LIMN_OK) status = limn_generate(p, &o, &(limn_image){0});
    says(ctx, status, expected, words);
    limn_pipeline_free(p);
}

static void encoders_that_do_not_belong(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    xl_write_folder(ctx, "xl-bad", "base");
    xl_write_folder(ctx, "xl-bad-refiner", "refiner");
    refuses(ctx, (limn_pipeline_parts){.model = "xl-bad", .clip_l = CLIP_G}, LIMN_BAD_ARGUMENT,
            CLIP_G " makes features of 128 numbers for a token, and " UNET " reads 64 of it (--clip_l)");
    refuses(ctx, (limn_pipeline_parts){.model = "xl-bad", .clip_g = CLIP_L}, LIMN_BAD_ARGUMENT,
            CLIP_L " makes features of 64 numbers for a token, and " UNET " reads 128 of it (--clip_g)");
    refuses(ctx, (limn_pipeline_parts){.model = "xl-bad", .clip_l = CLIP_L, .clip_g = CLIP_L}, LIMN_BAD_ARGUMENT,
            "reads 128 of it (--clip_g): they do not belong together");
    refuses(ctx, (limn_pipeline_parts){.model = "xl-bad", .clip_l = CLIP_G, .clip_g = CLIP_G}, LIMN_BAD_ARGUMENT,
            "reads 64 of it (--clip_l): they do not belong together");
    refuses(ctx, (limn_pipeline_parts){.model = "xl-bad", .clip_g = "xl-bad/vae"}, LIMN_UNSUPPORTED,
            "xl-bad/vae/diffusion_pytorch_model.safetensors: holds a vae, expected a text encoder");
    refuses(ctx, (limn_pipeline_parts){.model = "xl-bad-refiner", .clip_l = CLIP_L}, LIMN_BAD_ARGUMENT,
            "reads one text encoder, OpenCLIP's (--clip_g): leave --clip_l out");
    write_changed(ctx, CLIP_G, "text_encoder_2", "text_projection.weight", 2, 96, 128);
    refuses(ctx, (limn_pipeline_parts){.model = "xl-bad"}, LIMN_BAD_ARGUMENT,
            CLIP_G " makes 96 numbers of a whole text, and " UNET " reads 128 (--clip_g): they do not belong "
            "together");
    write_changed(ctx, CLIP_G, "text_encoder_2", "text_projection.weight", 0, 0, 0);
    refuses(ctx, (limn_pipeline_parts){.model = "xl-bad"}, LIMN_BAD_ARGUMENT,
            CLIP_G " makes nothing of a whole text (it has no text_projection), and " UNET " reads 128 numbers");
    assert_int_equal(unlink(CLIP_G), 0);
    refuses(ctx, (limn_pipeline_parts){.model = "xl-bad"}, LIMN_NOT_FOUND, "xl-bad/text_encoder_2");
    assert_int_equal(system("rm -r xl-bad/text_encoder_2"), 0);
    refuses(ctx, (limn_pipeline_parts){.model = "xl-bad"}, LIMN_NOT_FOUND,
            UNET " needs a text encoder that makes features of 128 numbers");
    limn_ctx_free(ctx);
}

#define SIZES "\"addition_time_embed_dim\": 8, "
#define DEPTH "\"transformer_layers_per_block\": "

static void u_nets_that_contradict_themselves(void **state)
{
    (void)state;
    static const struct { const char *tensor; int rank, a, b; limn_status status; const char *says; } shapes[] = {
        {"add_embedding.linear_1.weight", 2, 128, 40, LIMN_UNSUPPORTED, "reads 40 numbers beside a text of width 192"},
        {"add_embedding.linear_1.weight", 1, 128, 0, LIMN_BAD_FILE, "has 1 dimensions, expected 2"},
        {"add_embedding.linear_1.weight", 2, 128, 177, LIMN_BAD_ARGUMENT, "reads 63 of it (--clip_l)"},
        {"add_embedding.linear_1.weight", 2, 96, 176, LIMN_BAD_FILE, "\"add_embedding.linear_1.weight\""},
        {"add_embedding.linear_2.weight", 2, 96, 128, LIMN_BAD_FILE, "\"add_embedding.linear_2.weight\""},
        {"add_embedding.linear_2.weight", 0, 0, 0, LIMN_BAD_FILE, "no tensor \"add_embedding.linear_2.weight\""},
    };
    static const struct { const char *more; limn_status status; const char *says; } configs[] = {
        {"\"addition_time_embed_dim\": 7", LIMN_BAD_FILE, "size_width must be even"},
        {"\"addition_time_embed_dim\": 100000", LIMN_UNSUPPORTED, "and 100000 for each of 6 or 5 numbers"},
        {SIZES "\"cross_attention_dim\": 2048", LIMN_BAD_FILE, "says cross_attention_dim 2048, and its tensors have 192"},
        {SIZES "\"projection_class_embeddings_input_dim\": 2816", LIMN_BAD_FILE,
         "says projection_class_embeddings_input_dim 2816, and its tensors have 176"},
        {SIZES "\"layers_per_block\": 2", LIMN_BAD_FILE, "says layers_per_block 2, and its tensors have 1"},
        {SIZES DEPTH "[1, 2, 10]", LIMN_BAD_FILE, "2 of down_blocks.1.attentions.0, and its tensors have 1"},
        {SIZES DEPTH "[0, [1], [2]]", LIMN_BAD_FILE, "2 of down_blocks.2.attentions.0, and its tensors have 3"},
        {SIZES DEPTH "1", LIMN_BAD_FILE, "1 of down_blocks.2.attentions.0, and its tensors have 3"},
    };
    limn_ctx *ctx = limn_ctx_new();
    char text[300];
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        xl_write_folder(ctx, "xl-bad", "base");
        write_changed(ctx, UNET, "unet", shapes[i].tensor, shapes[i].rank, shapes[i].a, shapes[i].b);
        refuses(ctx, (limn_pipeline_parts){.model = "xl-bad"}, shapes[i].status, shapes[i].says);
    }
    static const sd_tensor *tensors[SD_MOST]; /* under its original names, without a config.json: 256 for each number */
    sd_write(ctx, "xl-bad/original.safetensors", sd_take(xl_tensors, XL_TENSORS, "unet", NULL, 0, tensors), tensors, NULL);
    refuses(ctx, (limn_pipeline_parts){.diffusion_model = "xl-bad/original.safetensors"}, LIMN_UNSUPPORTED,
            "\"model.diffusion_model.label_emb.0.0.weight\" reads 176 numbers beside a text of width 192");
    xl_write_folder(ctx, "xl-bad", "base");
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        snprintf(text, sizeof text, "{\"sample_size\": 8, \"attention_head_dim\": [2, 4, 4], %s}", configs[i].more);
        xl_put("xl-bad", "unet/config.json", text);
        refuses(ctx, (limn_pipeline_parts){.model = "xl-bad"}, configs[i].status, configs[i].says);
    }
    limn_ctx_free(ctx);
}

/* ---- drawn again ------------------------------------------------------------------------------------------------------ */

static void draws(const char *flags, const char *out, const char *words)
{
    char command[600];
    snprintf(command, sizeof command, LIMN_BINARY_DIR "/limn generate %s --steps 2 --precision f32 -o xl-again-%s.png "
             ">xl-again.said 2>&1", flags, out);
    if (system(command)) fail_msg("%s: failed", flags);
    snprintf(command, sizeof command, "grep -aqF -- '%s' xl-again.said xl-again-%s.png", words, out);
    if (system(command)) fail_msg("%s: nothing says \"%s\"", flags, words);
}

/* Pixels: the text may have the hash of the model, or not yet. */
static void check_same(limn_ctx *ctx, bool same, const char *a, const char *b)
{
    limn_image image[2];
    char path[64];
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "xl-again-%s.png", i ? b : a);
        OK(limn_image_read(ctx, path, 0, &image[i]));
        assert_true(image[i].width == 48 && image[i].height == 32);
    }
    if (same != !memcmp(image[0].pixels, image[1].pixels, 48 * 32 * 3)) fail_msg("%s, %s: same %d", a, b, !same);
    for (int i = 0; i < 2; i++) limn_image_free(&image[i]);
}

static void what_it_was_told_of_the_picture_is_told_again(void **state)
{
    (void)state;
    if (access(LIMN_BINARY_DIR "/limn", X_OK)) skip();
    limn_ctx *ctx = limn_ctx_new();
    xl_write_folder(ctx, "xl-again", "base");
    xl_write_folder(ctx, "xl-again-refiner", "refiner");
#define BASE "-p 'a cat' -m xl-again -W 48 -H 32 "
    draws(BASE "--original-size 100x48 --crop-at 16,8 --target-size 30x90", "first",
          "Original size: 100x48, Crop left: 16, Crop top: 8, Target size: 30x90, ");
    draws(BASE, "plain", "Size: 48x32, Model");
    check_same(ctx, false, "plain", "first");
    draws("--again xl-again-first.png -m xl-again", "second", "a cat");
    check_same(ctx, true, "first", "second");
    draws("--again xl-again-first.png -m xl-again --crop-at 0,0", "third", "Original size: 100x48, Target size: 30x90, ");
    check_same(ctx, false, "first", "third");
    draws(BASE "--prompt-style plain -n ''", "empty", "Negative prompt: "); /* an empty one is not the same as none */
    draws(BASE "--prompt-style plain", "none", "a cat");
    check_same(ctx, false, "empty", "none");
    draws("--again xl-again-empty.png -m xl-again", "empty2", "a cat");
    check_same(ctx, true, "empty", "empty2");
    draws("-p 'a cat' -m xl-again-refiner -W 48 -H 32 --aesthetic-score 9 --negative-aesthetic-score 1.5", "beauty",
          "Aesthetic score: 9, Negative aesthetic score: 1.5, ");
    draws("--again xl-again-beauty.png -m xl-again-refiner", "beauty2", "a cat");
    check_same(ctx, true, "beauty", "beauty2");
    draws(BASE "--clip_g xl-again/text_encoder_2/model.safetensors", "parts", "Text encoder 2: model.safetensors");
    draws("--again xl-again-parts.png -m xl-again", "parts2", "drawn with the second text encoder");
    check_same(ctx, true, "parts", "parts2");
    draws("--again xl-again-beauty.png -m xl-again", "other", "--aesthetic-score, as the picture says, is for refiners");
    limn_ctx_free(ctx);
}

/* ---- limn inspect, describe ------------------------------------------------------------------------------------------- */

static void shows(const char *verb, const char *what, const char *words)
{
    char command[400];
    snprintf(command, sizeof command, LIMN_BINARY_DIR "/limn %s %s >xl-bad.said 2>&1 && grep -qF -- '%s' xl-bad.said", verb,
             what, words);
    if (system(command)) fail_msg("%s %s: what is said of it does not have \"%s\"", verb, what, words);
}

static void inspected(const char *what, const char *words) { shows("inspect", what, words); }

static void describe_draws_a_folder_and_its_parts(void **state)
{
    (void)state;
    if (access(LIMN_BINARY_DIR "/limn", X_OK)) skip();
    limn_ctx *ctx = limn_ctx_new();
    assert_int_equal(system("rm -rf xl-bad"), 0);
    xl_write_folder(ctx, "xl-bad", "base");
    shows("describe", "xl-bad", "projection=linear sizes=6 size_width=8 pooled_width=128 text_width=192");
    shows("describe", "xl-bad/unet", "the whole text, and the sides of the picture, to a vector");
    shows("describe", "xl-bad/text_encoder", "clip-text text_width=64");
    shows("describe", "xl-bad/text_encoder_2", "text_activation=gelu text_projection=128");
    shows("describe", "xl-bad/vae", "scaling_factor=0.13025");
    limn_ctx_free(ctx);
}

static void inspect_says_what_is_there_and_what_is_missing(void **state)
{
    (void)state;
    if (access(LIMN_BINARY_DIR "/limn", X_OK)) skip();
    limn_ctx *ctx = limn_ctx_new();
    assert_int_equal(system("rm -rf xl-bad xl-bad-refiner"), 0);
    xl_write_folder(ctx, "xl-bad", "base");
    xl_write_folder(ctx, "xl-bad-refiner", "refiner");
    inspected("xl-bad", "Stable Diffusion XL U-Net (diffusers); beside it: text_encoder, text_encoder_2, vae");
    inspected("xl-bad-refiner", "Stable Diffusion XL U-Net (diffusers); beside it: text_encoder_2, vae");
    inspected("xl-bad/unet", "Stable Diffusion XL U-Net (diffusers); missing: text encoders, autoencoder");
    inspected("xl-bad/unet", "missing   a text encoder that makes features of 64 numbers (--clip_l)");
    inspected("xl-bad/unet", "          a text encoder that makes features of 128 numbers (--clip_g)");
    inspected("xl-bad/unet", "          an autoencoder of latents of 4 channels (--vae)");
    inspected("xl-bad-refiner/unet", "missing   a text encoder that makes features of 128 numbers (--clip_g)");
    inspected("xl-bad/text_encoder", "part      a text encoder: --clip_l of limn generate");
    inspected("xl-bad/text_encoder_2", "part      a text encoder: --clip_g of limn generate");
    inspected("xl-bad/vae", "part      an autoencoder: -m of limn encode");
    assert_int_equal(system("cp " CLIP_L " " CLIP_G), 0);
    inspected("xl-bad", "beside it: text_encoder, vae; missing: text encoder");
    inspected("xl-bad", "missing   a text encoder that makes features of 128 numbers (--clip_g); text_encoder_2 is there, "
                        "and holds none");
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encoders_that_do_not_belong),
        cmocka_unit_test(u_nets_that_contradict_themselves),
        cmocka_unit_test(what_it_was_told_of_the_picture_is_told_again),
        cmocka_unit_test(describe_draws_a_folder_and_its_parts),
        cmocka_unit_test(inspect_says_what_is_there_and_what_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
