/* test_sd3_faults.c: what limn inspect says of Stable Diffusion 3 and PixArt: which text encoders are there, beside a file,
 * missing; parts that do not belong together, networks that contradict themselves: a sentence each. */
#include "keep_log.h"
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
    inspected(ALONE, "holds     Stable Diffusion 3 MMDiT, Stable Diffusion autoencoder; beside it: l.safetensors "
                     "(--clip_l), t5.safetensors (--t5xxl); draws without: --clip_g");
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
    inspected("pixart-bad-seen/transformer/diffusion_pytorch_model.safetensors",
              "holds     PixArt (diffusers); beside it: model.safetensors (--t5xxl), diffusion_pytorch_model.safetensors "
              "(--vae)");
    inspected("pixart-bad-seen/transformer", "missing   a T5 that makes features of 64 numbers (--t5xxl)");
    limn_ctx_free(ctx);
}

/* ---- what does not belong together ------------------------------------------------------------------------------------ */

#define CLIP_L "sd3-bad/text_encoder/model.safetensors"
#define CLIP_G "sd3-bad/text_encoder_2/model.safetensors"
#define T5 "sd3-bad/text_encoder_3/model.safetensors"
#define DENOISER "sd3-bad/transformer/diffusion_pytorch_model.safetensors"

static limn_generate_options options(void)
{
    limn_generate_options o = limn_generate_defaults();
    o.prompt = "a cat", o.steps = 1, o.width = o.height = 64, o.precision = LIMN_PRECISION_F32;
    return o;
}

/* When it is opened, or before or in the first step. */
static void refuses_with(limn_ctx *ctx, limn_pipeline_parts parts, limn_generate_options o, limn_status expected,
                         const char *words)
{
    limn_pipeline *p;
    limn_image image = {0};
    limn_status status = limn_pipeline_open_parts(ctx, &parts, &p);
    if (status == LIMN_OK) status = limn_generate(p, &o, &image);
    says(ctx, status, expected, words);
    assert_null(strchr(limn_error_text(ctx), '\n'));
    limn_image_free(&image);
    limn_pipeline_free(p);
}

static void refuses(limn_ctx *ctx, limn_pipeline_parts parts, limn_status expected, const char *words)
{
    refuses_with(ctx, parts, options(), expected, words);
}

/* A part whose tensors of this name have other dimensions, or (nan) a number that is none. */
static void write_changed(limn_ctx *ctx, const char *path, const char *part, const char *name, int a, int b, bool nan)
{
    static limn_named_view view[SD_MOST];
    size_t n = 0;
    for (size_t i = 0; i < SD3_TENSORS; i++) {
        sd_tensor t = sd3_tensors[i];
        if (strcmp(t.part, part)) continue;
        bool changed = strstr(t.name, name) != NULL;
        if (changed && a) t.dim[0] = a, t.dim[1] = b;
        float *x = sd3_values(&t, &view[n].view.shape);
        if (changed && nan) x[3] = NAN;
        view[n].name = sd3_tensors[i].name, view[n].view.dtype = LIMN_F32, view[n].view.data = x;
        n++;
    }
    OK(limn_safetensors_write(ctx, path, n, view, 0, NULL));
    sd_free(n, view);
}

static void write_sd3(limn_ctx *ctx)
{
    assert_int_equal(system("rm -rf sd3-bad"), 0);
    sd3_write_folder(ctx, "sd3-bad", "norms", "lgt");
}

static void encoders_that_do_not_belong(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    write_sd3(ctx);
    pixart_write_folder(ctx, "pixart-bad", "sigma");
    refuses(ctx, (limn_pipeline_parts){.model = "sd3-bad", .t5xxl = "pixart-bad/text_encoder"}, LIMN_BAD_ARGUMENT,
            "pixart-bad/text_encoder/model.safetensors makes features of 64 numbers for a token, and " DENOISER
            " reads 288 of it (--t5xxl): they do not belong together");
    refuses(ctx, (limn_pipeline_parts){.model = "sd3-bad", .t5xxl = CLIP_L}, LIMN_UNSUPPORTED,
            CLIP_L ": holds a clip-text, expected a text encoder (t5-text)");
    refuses(ctx, (limn_pipeline_parts){.model = "sd3-bad", .clip_l = T5}, LIMN_UNSUPPORTED,
            T5 ": holds a t5-text, expected a text encoder (clip-text)");
    refuses(ctx, (limn_pipeline_parts){.model = "sd3-bad", .clip_l = CLIP_G}, LIMN_BAD_ARGUMENT,
            CLIP_G " makes features of 160 numbers for a token, and " DENOISER " reads 96 of it (--clip_l)");
    refuses(ctx, (limn_pipeline_parts){.model = "sd3-bad", .t5xxl = "sd3-bad/vae"}, LIMN_UNSUPPORTED,
            "sd3-bad/vae/diffusion_pytorch_model.safetensors: holds a vae, expected a text encoder (t5-text)");
    refuses(ctx, (limn_pipeline_parts){.model = "pixart-bad", .t5xxl = CLIP_L}, LIMN_UNSUPPORTED,
            CLIP_L ": holds a clip-text, expected a text encoder (t5-text)");
    refuses(ctx, (limn_pipeline_parts){.model = "pixart-bad", .clip_l = CLIP_L}, LIMN_BAD_ARGUMENT,
            "reads T5 (--t5xxl) alone: leave --clip_l out");
    assert_int_equal(system("rm -r pixart-bad/text_encoder"), 0);
    refuses(ctx, (limn_pipeline_parts){.model = "pixart-bad"}, LIMN_NOT_FOUND,
            "pixart-bad/transformer/diffusion_pytorch_model.safetensors needs a T5 that makes features of 64 numbers, and "
            "no file in");
    sd3_write_folder(ctx, "sd3-bad-nothing", "norms", "");
    refuses(ctx, (limn_pipeline_parts){.model = "sd3-bad-nothing"}, LIMN_NOT_FOUND,
            "reads CLIP's text encoder (--clip_l), OpenCLIP's (--clip_g) and T5 (--t5xxl), and none of them is there");
    limn_ctx_free(ctx);
}

static void pieces_that_do_not_belong(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    write_sd3(ctx);
    write_changed(ctx, T5, "text_encoder_3", "shared.weight", 100, 288, false);
    refuses(ctx, (limn_pipeline_parts){.model = "sd3-bad"}, LIMN_BAD_FILE,
            T5 " knows 100 tokens: they do not belong together");
    write_sd3(ctx);
    assert_int_equal(remove("sd3-bad/tokenizer_3/spiece.model"), 0);
    refuses(ctx, (limn_pipeline_parts){.model = "sd3-bad"}, LIMN_NOT_FOUND,
            "sd3-bad/tokenizer_3/spiece.model: not there, and the vocabulary of 512 tokens of T5 is not the published one");
    sd3_put("sd3-bad", "tokenizer_3/spiece.model", "no pieces");
    refuses(ctx, (limn_pipeline_parts){.model = "sd3-bad"}, LIMN_BAD_FILE, "sd3-bad/tokenizer_3/spiece.model: ");
    limn_ctx_free(ctx);
}

static void settings_that_contradict_the_tensors(void **state)
{
    (void)state;
    static const struct {
        const char *config, *says;
        limn_status status;
    } runs[] = {{"{\"d_kv\": 32}", "config.json beside it says d_kv 32, and its tensors have 16", LIMN_BAD_FILE},
                {"{\"num_heads\": 8}", "config.json beside it says num_heads 8, and its tensors have 4", LIMN_BAD_FILE},
                {"{\"d_model\": 512}", "config.json beside it says d_model 512, and its tensors have 288", LIMN_BAD_FILE},
                {"{\"num_layers\": 24}", "config.json beside it says num_layers 24, and its tensors have 2", LIMN_BAD_FILE},
                {"{\"feed_forward_proj\": \"relu\"}",
                 "feed_forward_proj of config.json: expected \"gated-gelu\" (T5 v1.1), found \"relu\"", LIMN_UNSUPPORTED}};
    limn_ctx *ctx = limn_ctx_new();
    write_sd3(ctx);
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        char words[200];
        sd3_put("sd3-bad", "text_encoder_3/config.json", runs[i].config);
        snprintf(words, sizeof words, "%s: %s", T5, runs[i].says);
        refuses(ctx, (limn_pipeline_parts){.model = "sd3-bad"}, runs[i].status, words);
    }
    limn_ctx_free(ctx);
}

static void numbers_that_are_none(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    write_sd3(ctx);
    write_changed(ctx, T5, "text_encoder_3", "encoder.block.1.layer.1.DenseReluDense.wo.weight", 0, 0, true);
    refuses(ctx, (limn_pipeline_parts){.model = "sd3-bad"}, LIMN_BAD_FILE,
            "tensor \"encoder.block.1.layer.1.DenseReluDense.wo.weight\" holds NaN or infinity, 1 times");
    limn_ctx_free(ctx);
}

static void sides_and_blocks_beyond_the_network(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_generate_options o = options();
    write_sd3(ctx);
    o.width = 256; /* 16 tokens, and 12 places */
    refuses_with(ctx, (limn_pipeline_parts){.model = "sd3-bad"}, o, LIMN_BAD_ARGUMENT,
                 "as many patches as there are places");
    o = options(), o.slg_scale = 2.5, o.skip_layers = 1u << 9;
    refuses_with(ctx, (limn_pipeline_parts){.model = "sd3-bad"}, o, LIMN_BAD_ARGUMENT,
                 "expected blocks to leave out from 0 to ");
    pixart_write_folder(ctx, "pixart-bad", "sigma");
    o.skip_layers = 1;
    refuses_with(ctx, (limn_pipeline_parts){.model = "pixart-bad"}, o, LIMN_UNSUPPORTED,
                 "has no blocks that could be left out");
    static const sd_tensor *tensors[SD_MOST];
    sd_write(ctx, "sd3-bad/v1.safetensors", sd_take(sd_tensors, SD_TENSORS, NULL, NULL, 0, tensors), tensors, NULL);
    refuses_with(ctx, (limn_pipeline_parts){.model = "sd3-bad/v1.safetensors"}, o, LIMN_UNSUPPORTED,
                 "has no blocks that could be left out");
    limn_ctx_free(ctx);
}

/* 300 words where 256 tokens are read: said once, though it is drawn in two steps. */
static void long_prompts_are_cut(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_generate_options o = options();
    limn_pipeline *p;
    limn_image image;
    char prompt[2000] = "";
    for (int i = 0; i < 300; i++) strcat(prompt, "cat ");
    write_sd3(ctx);
    limn_ctx_set_log(ctx, keep_log, NULL);
    logged[0] = '\0';
    o.prompt = prompt, o.steps = 2;
    OK(limn_pipeline_open(ctx, "sd3-bad", &p));
    OK(limn_generate(p, &o, &image));
    const char words[] = "the prompt is longer than the 255 tokens that T5 reads of it; its end was cut off there";
    const char *first = strstr(logged, words);
    if (!first || strstr(first + 1, words)) fail_msg("\"%s\" does not say once: \"%s\"", logged, words);
    limn_image_free(&image);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

static void exits(const char *arguments, const char *words)
{
    char command[600];
    snprintf(command, sizeof command, LIMN_BINARY_DIR "/limn generate -m sd3-bad -p x -q --steps 1 -o sd3-bad.png %s "
             ">sd3-bad.said 2>&1; [ $? = 2 ] && [ $(wc -l <sd3-bad.said) = 1 ] && grep -qF -- '%s' sd3-bad.said && ! [ -e "
             "sd3-bad.png ]", arguments, words);
    if (system(command)) fail_msg("generate %s: it does not exit with 2 and \"%s\"", arguments, words);
}

static void the_program_exits_with_2(void **state)
{
    (void)state;
    if (access(LIMN_BINARY_DIR "/limn", X_OK)) skip();
    limn_ctx *ctx = limn_ctx_new();
    write_sd3(ctx);
    exits("-W 256 -H 64", "as many patches as there are places");
    exits("-W 64 -H 64 --slg-scale 2 --skip-layers [9]", "expected blocks to leave out from 0 to ");
    exits("--t5xxl " CLIP_L, CLIP_L ": holds a clip-text, expected a text encoder (t5-text)");
    write_changed(ctx, T5, "text_encoder_3", "encoder.block.0.layer.0.SelfAttention.q.weight", 0, 0, true);
    exits("-W 64 -H 64", "tensor \"encoder.block.0.layer.0.SelfAttention.q.weight\" holds NaN or infinity, 1 times");
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inspect_says_which_text_encoders_are_there),
        cmocka_unit_test(inspect_looks_beside_a_file),
        cmocka_unit_test(inspect_knows_the_text_encoder_of_pixart),
        cmocka_unit_test(encoders_that_do_not_belong),
        cmocka_unit_test(pieces_that_do_not_belong),
        cmocka_unit_test(settings_that_contradict_the_tensors),
        cmocka_unit_test(numbers_that_are_none),
        cmocka_unit_test(sides_and_blocks_beyond_the_network),
        cmocka_unit_test(long_prompts_are_cut),
        cmocka_unit_test(the_program_exits_with_2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
