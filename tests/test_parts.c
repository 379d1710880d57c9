/* test_parts.c: a model by the files that its networks lie in: named one by one, in place of those of a checkpoint, and
 * found beside a U-Net that lies alone.  Shrunken networks of Stable Diffusion with weights of a formula; parts draw the
 * bytes of the whole checkpoint, which test_published compares with diffusers. */
#include "keep_log.h"
#include "make_published.h"

#include <sys/stat.h>
#include <unistd.h>

/* ---- files ------------------------------------------------------------------------------------------------------------ */

/* How the tensors of a part are called, and what is another than the published part. */
typedef enum change { SAME, OTHER_NUMBERS, WIDER } change;

static const char *const folders[] = {"parts", "parts/a", "parts/b", "parts/c", "parts/unet", "parts/text_encoders",
                                      "parts/text_encoder", "parts/vae"};

/* Twice as wide a text encoder, an autoencoder of 16 channels: no value matters. */
static sd_tensor widened(const sd_tensor *t)
{
    sd_tensor wide = *t;
    for (int i = 0; i < t->rank; i++)
        if (!strcmp(t->part, "vae")) wide.dim[i] *= t->dim[i] == 4 || t->dim[i] == 8 ? 4 : 1;
        else wide.dim[i] *= t->dim[i] == 64 || t->dim[i] == 256 ? 2 : 1;
    return wide;
}

/* Under diffusers' names, or the original ones, without `head`. */
static void write_part(limn_ctx *ctx, const char *path, const char *part, bool original, const char *head, change what)
{
    static limn_named_view view[SD_MOST];
    static const sd_tensor *tensors[SD_MOST];
    static sd_tensor wide[SD_MOST];
    size_t n = sd_take(sd_tensors, SD_TENSORS, part, NULL, 0, tensors), skip = strlen(head);
    for (size_t i = 0; i < n && what == WIDER; i++) wide[i] = widened(tensors[i]), tensors[i] = &wide[i];
    sd_views(n, tensors, original ? NULL : "", view);
    for (size_t i = 0; i < n; i++) {
        if (!strncmp(view[i].name, head, skip)) view[i].name += skip;
        float *x = (void *)(uintptr_t)view[i].view.data;
        for (int64_t k = 0; what == OTHER_NUMBERS && k < limn_shape_count(&view[i].view.shape); k++) x[k] *= 1.25f;
    }
    OK(limn_safetensors_write(ctx, path, n, view, 0, NULL));
    sd_free(n, view);
}

static void write_whole(limn_ctx *ctx, const char *path)
{
    static const sd_tensor *tensors[SD_MOST];
    sd_write(ctx, path, sd_take(sd_tensors, SD_TENSORS, NULL, NULL, 0, tensors), tensors, NULL);
}

static void write_all(limn_ctx *ctx)
{
    assert_int_equal(system("rm -rf parts"), 0); /* of an earlier run */
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) mkdir(folders[i], 0777);
    write_whole(ctx, "parts/whole.safetensors");
    write_part(ctx, "parts/a/u.safetensors", "unet", false, "", SAME);
    write_part(ctx, "parts/a/t.safetensors", "text_encoder", false, "", SAME);
    write_part(ctx, "parts/a/v.safetensors", "vae", false, "", SAME);
    write_part(ctx, "parts/b/u.safetensors", "unet", true, "", SAME);
    write_part(ctx, "parts/b/t.safetensors", "text_encoder", true, "", SAME);
    write_part(ctx, "parts/b/v.safetensors", "vae", true, "", SAME);
    write_part(ctx, "parts/c/u.safetensors", "unet", true, "model.diffusion_model.", SAME);
    write_part(ctx, "parts/c/t.safetensors", "text_encoder", false, "text_model.", SAME);
    write_part(ctx, "parts/c/v.safetensors", "vae", true, "first_stage_model.", SAME);
    write_part(ctx, "parts/other-u.safetensors", "unet", false, "", OTHER_NUMBERS);
    write_part(ctx, "parts/other-t.safetensors", "text_encoder", false, "", OTHER_NUMBERS);
    write_part(ctx, "parts/wide-t.safetensors", "text_encoder", false, "", WIDER);
    write_part(ctx, "parts/wide-v.safetensors", "vae", false, "", WIDER);
}

static int make_files(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    write_all(ctx);
    limn_ctx_free(ctx);
    return 0;
}

/* ---- drawing ---------------------------------------------------------------------------------------------------------- */

enum { WIDTH = 40, HEIGHT = 32, BYTES = WIDTH * HEIGHT * 3 };

static void draw(limn_ctx *ctx, limn_pipeline_parts parts, uint8_t out[BYTES])
{
    limn_pipeline *p;
    limn_image image;
    limn_generate_options o = limn_generate_defaults();
    o.prompt = "a (lighthouse:1.2) at night", o.negative = "fog", o.guidance = 5, o.width = WIDTH, o.height = HEIGHT;
    o.steps = 2, o.precision = LIMN_PRECISION_F32;
    OK(limn_pipeline_open_parts(ctx, &parts, &p));
    OK(limn_pipeline_set_autoencoder(p, NULL));
    OK(limn_generate(p, &o, &image));
    assert_int_equal((size_t)image.width * (size_t)image.height * (size_t)image.channels, BYTES);
    memcpy(out, image.pixels, BYTES);
    limn_image_free(&image);
    limn_pipeline_free(p);
}

static void parts_draw_what_the_whole_checkpoint_draws(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    uint8_t whole[BYTES], parts[BYTES];
    draw(ctx, (limn_pipeline_parts){.model = "parts/whole.safetensors"}, whole);
    for (int i = 0; i < 27; i++) { /* each part in each dialect, beside each of the others */
        char u[32], t[32], v[32];
        if (i % 3 && i / 9 && i / 3 % 3) continue; /* two at a time tell enough */
        snprintf(u, sizeof u, "parts/%c/u.safetensors", 'a' + i % 3);
        snprintf(t, sizeof t, "parts/%c/t.safetensors", 'a' + i / 3 % 3);
        snprintf(v, sizeof v, "parts/%c/v.safetensors", 'a' + i / 9);
        draw(ctx, (limn_pipeline_parts){.diffusion_model = u, .clip_l = t, .vae = v}, parts);
        if (memcmp(whole, parts, BYTES)) fail_msg("%s, %s and %s draw something else", u, t, v);
        if (i) continue;
        draw(ctx, (limn_pipeline_parts){.model = u, .clip_l = t, .vae = v}, parts);
        assert_memory_equal(whole, parts, BYTES);
    }
    limn_ctx_free(ctx);
}

static void a_part_goes_before_that_of_the_checkpoint(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    uint8_t whole[BYTES], mixed[BYTES], parts[BYTES];
    const char *const model = "parts/whole.safetensors";
    draw(ctx, (limn_pipeline_parts){.model = model}, whole);
    draw(ctx, (limn_pipeline_parts){.model = model, .clip_l = "parts/other-t.safetensors"}, mixed);
    draw(ctx, (limn_pipeline_parts){.diffusion_model = "parts/a/u.safetensors", .clip_l = "parts/other-t.safetensors",
                           .vae = "parts/a/v.safetensors"}, parts);
    assert_memory_equal(mixed, parts, BYTES);
    assert_memory_not_equal(mixed, whole, BYTES);
    draw(ctx, (limn_pipeline_parts){.model = model, .diffusion_model = "parts/other-u.safetensors"}, mixed);
    draw(ctx, (limn_pipeline_parts){.diffusion_model = "parts/other-u.safetensors", .clip_l = "parts/a/t.safetensors",
                           .vae = "parts/a/v.safetensors"}, parts);
    assert_memory_equal(mixed, parts, BYTES);
    assert_memory_not_equal(mixed, whole, BYTES);
    draw(ctx, (limn_pipeline_parts){.diffusion_model = model}, mixed); /* a file with all of them is the model */
    assert_memory_equal(mixed, whole, BYTES);
    OK(limn_ctx_set_weights(ctx, "model.diffusion_model")); /* is about what draws, not about parts beside it */
    draw(ctx, (limn_pipeline_parts){.diffusion_model = "parts/b/u.safetensors", .clip_l = "parts/a/t.safetensors",
                                    .vae = "parts/a/v.safetensors"}, mixed);
    assert_memory_equal(mixed, whole, BYTES);
    limn_ctx_free(ctx);
}

/* ---- found beside the U-Net ------------------------------------------------------------------------------------------- */

static void move(const char *from, const char *to)
{
    if (rename(from, to)) fail_msg("%s does not become %s", from, to);
}

/* As ComfyUI has them, as diffusers has them, all in one folder; what does not fit, or is a whole model, does not count. */
static void the_one_file_that_fits_is_taken_and_said(void **state)
{
    (void)state;
    static const char *const places[][2] = {{"parts/text_encoders/t.safetensors", "parts/vae/v.safetensors"},
                                            {"parts/text_encoder/t.sft", "parts/unet/v.safetensors"},
                                            {"parts/unet/t.safetensors", "parts/vae/v.safetensors"}};
    limn_ctx *ctx = limn_ctx_new();
    uint8_t whole[BYTES], found[BYTES];
    draw(ctx, (limn_pipeline_parts){.model = "parts/whole.safetensors"}, whole);
    move("parts/c/u.safetensors", "parts/unet/u.safetensors");
    move("parts/wide-t.safetensors", "parts/text_encoders/wide.safetensors");
    move("parts/wide-v.safetensors", "parts/vae/wide.safetensors");
    move("parts/whole.safetensors", "parts/unet/whole.safetensors");
    write_text("parts/unet/broken.safetensors", "{");
    write_text("parts/vae/readme.txt", "");
    unlink("parts/clip");
    assert_int_equal(symlink("text_encoders", "parts/clip"), 0); /* one file seen twice is one */
    limn_ctx_set_log(ctx, keep_log, NULL);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        move("parts/a/t.safetensors", places[i][0]), move("parts/a/v.safetensors", places[i][1]);
        *logged = '\0';
        draw(ctx, i % 2 ? (limn_pipeline_parts){.diffusion_model = "parts/unet/u.safetensors"}
                        : (limn_pipeline_parts){.model = "parts/unet/u.safetensors"}, found);
        assert_memory_equal(found, whole, BYTES);
        if (!strstr(logged, "text encoder taken: parts/unet/") || !strstr(logged, "fits (--clip_l names another)") ||
            !strstr(logged, "autoencoder taken: parts/unet/") || !strstr(logged, "fits (--vae names another)"))
            fail_msg("not said in \"%s\"", logged);
        move(places[i][0], "parts/a/t.safetensors"), move(places[i][1], "parts/a/v.safetensors");
    }
    unlink("parts/clip");
    move("parts/unet/whole.safetensors", "parts/whole.safetensors");
    move("parts/vae/wide.safetensors", "parts/wide-v.safetensors");
    move("parts/text_encoders/wide.safetensors", "parts/wide-t.safetensors");
    move("parts/unet/u.safetensors", "parts/c/u.safetensors");
    limn_ctx_free(ctx);
}

static void refused(limn_ctx *ctx, limn_pipeline_parts parts, limn_status status, const char *words)
{
    limn_pipeline *p;
    says(ctx, limn_pipeline_open_parts(ctx, &parts, &p), status, words);
    assert_null(p);
}

static void none_or_several_are_a_sentence(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p;
    limn_pipeline_parts lone = {.model = "parts/unet/u.safetensors"};
    move("parts/a/u.safetensors", "parts/unet/u.safetensors");
    refused(ctx, lone, LIMN_NOT_FOUND, "parts/unet/u.safetensors needs a text encoder that makes features of 64 numbers, "
            "and no file in its folder, ../text_encoders, ../clip or ../text_encoder is one: name it (--clip_l)");
    move("parts/a/t.safetensors", "parts/unet/t.safetensors"), move("parts/b/t.safetensors", "parts/text_encoders/s.ckpt");
    refused(ctx, lone, LIMN_BAD_ARGUMENT, "needs one text encoder, and 2 files beside it fit: "
            "parts/unet/../text_encoders/s.ckpt, parts/unet/t.safetensors; say which (--clip_l)");
    lone.clip_l = "parts/unet/t.safetensors";
    OK(limn_pipeline_open_parts(ctx, &lone, &p));
    says(ctx, limn_pipeline_set_autoencoder(p, NULL), LIMN_NOT_FOUND, "needs an autoencoder of latents of 4 channels, and "
         "no file in its folder or ../vae is one: name it (--vae)");
    limn_pipeline_free(p);
    move("parts/a/v.safetensors", "parts/vae/v.safetensors"), move("parts/b/v.safetensors", "parts/vae/w.safetensors");
    OK(limn_pipeline_open_parts(ctx, &lone, &p));
    says(ctx, limn_pipeline_set_autoencoder(p, NULL), LIMN_BAD_ARGUMENT, "needs one autoencoder, and 2 files beside it fit: "
         "parts/unet/../vae/v.safetensors, parts/unet/../vae/w.safetensors; say which (--vae)");
    OK(limn_pipeline_set_autoencoder(p, "parts/vae/w.safetensors"));
    limn_pipeline_free(p);
    move("parts/vae/w.safetensors", "parts/b/v.safetensors"), move("parts/vae/v.safetensors", "parts/a/v.safetensors");
    move("parts/text_encoders/s.ckpt", "parts/b/t.safetensors"), move("parts/unet/t.safetensors", "parts/a/t.safetensors");
    move("parts/unet/u.safetensors", "parts/a/u.safetensors");
    limn_ctx_free(ctx);
}

static void parts_that_do_not_belong_together_are_a_sentence(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline_parts parts = {.diffusion_model = "parts/a/u.safetensors", .clip_l = "parts/wide-t.safetensors"};
    char longer[1100];
    refused(ctx, parts, LIMN_BAD_ARGUMENT, "parts/wide-t.safetensors makes features of 128 numbers for a token, and "
            "parts/a/u.safetensors reads 64");
    parts.clip_l = "parts/a/t.safetensors", parts.vae = "parts/wide-v.safetensors";
    refused(ctx, parts, LIMN_BAD_ARGUMENT, "a/u.safetensors makes latents of 4 channels, and parts/wide-v.safetensors (vae");
    assert_non_null(strstr(limn_error_text(ctx), ") has 16"));
    parts.vae = NULL, parts.clip_l = "parts/a/v.safetensors";
    refused(ctx, parts, LIMN_UNSUPPORTED, "parts/a/v.safetensors: holds a vae, expected a text encoder");
    parts.clip_l = "parts/none.safetensors";
    refused(ctx, parts, LIMN_NOT_FOUND, "parts/none.safetensors");
    parts.diffusion_model = "parts/a/v.safetensors", parts.model = "parts/whole.safetensors";
    refused(ctx, parts, LIMN_UNSUPPORTED, "a vae makes pictures of latents only");
    parts.diffusion_model = "parts/none.safetensors";
    refused(ctx, parts, LIMN_NOT_FOUND, "parts/none.safetensors");
    refused(ctx, (limn_pipeline_parts){.clip_l = "parts/a/t.safetensors"}, LIMN_BAD_ARGUMENT,
            "expected a model, or a network");
    refused(ctx, (limn_pipeline_parts){.model = LIMN_SOURCE_DIR "/models/emoji", .clip_l = "parts/a/t.safetensors"},
            LIMN_BAD_ARGUMENT, "has a text encoder inside of it: leave the text encoder out (--clip_l)");
    refused(ctx, (limn_pipeline_parts){.model = LIMN_SOURCE_DIR "/models/digits", .clip_l = "parts/a/t.safetensors"},
            LIMN_BAD_ARGUMENT, "reads no text: leave the text encoder out (--clip_l)");
    memset(longer, 'x', sizeof longer - 1), longer[sizeof longer - 1] = '\0';
    refused(ctx, (limn_pipeline_parts){.model = "parts/a/u.safetensors", .vae = longer}, LIMN_BAD_ARGUMENT,
            "1099 bytes is too long");
    limn_ctx_free(ctx);
}

/* ---- the program ------------------------------------------------------------------------------------------------------ */

/* What it said is in parts/said. */
static void run(const char *arguments, int code)
{
    char command[600];
    snprintf(command, sizeof command, LIMN_BINARY_DIR "/limn %s >parts/out 2>parts/said", arguments);
    int found = system(command);
    if (found != code << 8) fail_msg("%s: code %d", command, found >> 8);
}

static bool says_in(const char *file, const char *words)
{
    char command[300];
    snprintf(command, sizeof command, "grep -aqF -- '%s' %s", words, file);
    return system(command) == 0;
}

static void expect_in(const char *file, const char *words)
{
    if (!says_in(file, words)) fail_msg("%s does not say \"%s\"", file, words);
}

static void same_pictures(limn_ctx *ctx, const char *a, const char *b, bool same)
{
    limn_image one, two;
    OK(limn_image_read(ctx, a, 3, &one));
    OK(limn_image_read(ctx, b, 3, &two));
    assert_true(one.width == two.width && one.height == two.height);
    if (same == !!memcmp(one.pixels, two.pixels, (size_t)one.width * (size_t)one.height * 3))
        fail_msg("%s and %s: %s", a, b, same ? "differ" : "are the same");
    limn_image_free(&one);
    limn_image_free(&two);
}

#define SMALL " sea -W 40 -H 32 --steps 2 -q -o parts/"
#define NAMED "--diffusion-model parts/a/u.safetensors --clip_l parts/b/t.safetensors --vae parts/c/v.safetensors"

static void the_program_takes_them_by_flags(void **state)
{
    (void)state;
    if (access(LIMN_BINARY_DIR "/limn", X_OK)) skip();
    limn_ctx *ctx = limn_ctx_new();
    static const char *const others[] = {"--llm", "--qwen2vl", "--clip_vision", "--llm_vision"};
    char arguments[200], words[100];
    run("generate -m parts/whole.safetensors" SMALL "whole.png", 0);
    run("generate " NAMED SMALL "parts.png", 0);
    same_pictures(ctx, "parts/whole.png", "parts/parts.png", true);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        snprintf(arguments, sizeof arguments, "generate -m parts/whole.safetensors %s x" SMALL "no.png", others[i]);
        snprintf(words, sizeof words, "limn: %s names an encoder that no network here reads", others[i]);
        run(arguments, 2), expect_in("parts/said", words);
    }
    run("generate -m parts/whole.safetensors --clip_g x" SMALL "no.png", 2);
    expect_in("parts/said", "reads one text encoder (--clip_l): leave --clip_g out");
    run("generate -m parts/whole.safetensors --original-size 64x64" SMALL "no.png", 2);
    expect_in("parts/said", "--original-size is for networks that are told the sides of the picture");
    run("generate -m parts/whole.safetensors --original-size 64" SMALL "no.png", 2);
    expect_in("parts/said", "--original-size expects WxH, found \"64\"");
    run("generate --diffusion-model parts/a/u.safetensors --clip_l parts/wide-t.safetensors" SMALL "no.png", 2);
    expect_in("parts/said", "makes features of 128 numbers for a token");
    assert_int_not_equal(access("parts/no.png", F_OK), 0);
    run("interpolate --seeds 1,2 -n 2 -m parts/whole.safetensors" SMALL "strip.png", 0);
    run("interpolate --seeds 1,2 -n 2 " NAMED SMALL "strip-parts.png", 0);
    same_pictures(ctx, "parts/strip.png", "parts/strip-parts.png", true);
    run("denoise parts/whole.png --noise 40 -m parts/whole.safetensors -p sea --steps 2 -q -o parts/clean.png", 0);
    run("denoise parts/whole.png --noise 40 " NAMED " -p sea --steps 2 -q -o parts/clean-parts.png", 0);
    same_pictures(ctx, "parts/clean.png", "parts/clean-parts.png", true);
    run("upscale parts/whole.png --tile 32 " NAMED " -p sea --steps 4 -q -o parts/large.png", 0);
    run("encode --vae parts/a/v.safetensors parts/whole.png -q -o parts/l.safetensors", 0);
    run("decode -m parts/whole.safetensors parts/l.safetensors -q -o parts/back.png", 0);
    run("decode -m parts/a/v.safetensors --vae parts/a/v.safetensors parts/l.safetensors -q -o parts/no.png", 2);
    expect_in("parts/said", "-m and --vae both name the autoencoder");
    run("inspect parts/a/u.safetensors", 0);
    expect_in("parts/out", "holds     Stable Diffusion U-Net (diffusers); missing: text encoder, autoencoder");
    expect_in("parts/out", "missing   a text encoder that makes features of 64 numbers (--clip_l)");
    expect_in("parts/out", "          an autoencoder of latents of 4 channels (--vae)");
    run("inspect parts/b/t.safetensors", 0), expect_in("parts/out", "part      a text encoder: --clip_l of limn generate");
    run("inspect parts/c/v.safetensors", 0), expect_in("parts/out", "part      an autoencoder: -m of limn encode");
    run("inspect parts/whole.safetensors", 0);
    expect_in("parts/out", "Stable Diffusion U-Net; left over: 1 tensor (alphas_cumprod)");
    assert_false(says_in("parts/out", "missing ") || says_in("parts/out", "part  "));
    limn_ctx_free(ctx);
}

static void a_picture_says_of_which_parts_it_is(void **state)
{
    (void)state;
    if (access(LIMN_BINARY_DIR "/limn", X_OK)) skip();
    limn_ctx *ctx = limn_ctx_new();
    run("generate --diffusion-model parts/a/u.safetensors --clip_l parts/other-t.safetensors --vae parts/a/v.safetensors"
        SMALL "first.png", 0);
    expect_in("parts/first.png", "Model: u, Text encoder: other-t.safetensors, VAE: v.safetensors, RNG: CPU");
    run("generate --again parts/first.png --diffusion-model parts/a/u.safetensors --clip_l parts/other-t.safetensors "
        "--vae parts/a/v.safetensors -o parts/again.png", 0);
    same_pictures(ctx, "parts/first.png", "parts/again.png", true);
    assert_false(says_in("parts/said", "was drawn") || says_in("parts/said", "also says"));
    run("generate --again parts/first.png -m parts/whole.safetensors -o parts/again.png", 0);
    same_pictures(ctx, "parts/first.png", "parts/again.png", false);
    expect_in("parts/said", "was drawn by the model \"u\", and this is whole.safetensors");
    expect_in("parts/said", "was drawn with the text encoder \"other-t.safetensors\" (--clip_l), and here it is the model");
    expect_in("parts/said", "was drawn with the autoencoder \"v.safetensors\" (--vae), and here it is the model");
    run("generate --again parts/first.png -o parts/no.png", 2);
    expect_in("parts/said", "was drawn by the model \"u\": give it (-m)");
    run("generate -m parts/whole.safetensors" SMALL "first.png", 0); /* whose parts are its own */
    expect_in("parts/first.png", "Model: whole, RNG: CPU");
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_draw_what_the_whole_checkpoint_draws),
        cmocka_unit_test(a_part_goes_before_that_of_the_checkpoint),
        cmocka_unit_test(the_one_file_that_fits_is_taken_and_said),
        cmocka_unit_test(none_or_several_are_a_sentence),
        cmocka_unit_test(parts_that_do_not_belong_together_are_a_sentence),
        cmocka_unit_test(the_program_takes_them_by_flags),
        cmocka_unit_test(a_picture_says_of_which_parts_it_is),
    };
    return cmocka_run_group_tests(tests, make_files, NULL);
}
