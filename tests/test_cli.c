/* test_cli.c: the built program as a person uses it: exit codes, stdout, stderr. */
#include "base/number.h"
#include "file/image.h"
#include "file/png_text.h"
#include "file/safetensors.h"
#include "vectors/torch.h"

#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "make_network.h"

static char folder[64];

typedef struct result {
    int code;
    char *out, *err;
} result;

static char *slurp(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *text = calloc(1, 1 << 20);
    assert_true(fread(text, 1, (1 << 20) - 1, file) < (1 << 20) - 1);
    fclose(file);
    return text;
}

static void write_file(const char *name, const void *bytes, size_t n)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    fclose(file);
}

/* limn ARGUMENTS; $D is the test's folder. */
static result limn(const char *environment, const char *arguments)
{
    char command[1024];
    snprintf(command, sizeof command, "D=%s; %s OMP_WAIT_POLICY=passive " LIMN_BINARY_DIR "/limn %s >$D/out 2>$D/err",
             folder, environment, arguments);
    int status = system(command);
    assert_true(WIFEXITED(status));
    return (result){WEXITSTATUS(status), slurp("out"), slurp("err")};
}

static void done(result r)
{
    free(r.out);
    free(r.err);
}

/* Code 0, nothing on stderr, and every one of words on stdout. */
static void shows(const char *arguments, int n, const char *const *words)
{
    result r = limn("", arguments);
    if (r.code != 0 || r.err[0]) fail_msg("limn %s: code %d, \"%s\"", arguments, r.code, r.err);
    for (int i = 0; i < n; i++)
        if (!strstr(r.out, words[i])) fail_msg("limn %s: expected \"%s\" in\n%s", arguments, words[i], r.out);
    done(r);
}
#define SHOWS(arguments, ...)                                                                                               \
    shows(arguments, (int)(sizeof(const char *[]){__VA_ARGS__} / sizeof(char *)), (const char *[]){__VA_ARGS__})

/* Code 2, nothing on stdout, one line on stderr that holds words. */
static void refuses(const char *arguments, const char *words)
{
    result r = limn("", arguments);
    char *end = strchr(r.err, '\n');
    if (r.code != 2 || r.out[0] || !strstr(r.err, words) || !end || end[1])
        fail_msg("limn %s: code %d, expected \"%s\", found \"%s\" and \"%s\"", arguments, r.code, words, r.err, r.out);
    done(r);
}

static json_t *json_of(const char *arguments)
{
    result r = limn("", arguments);
    json_error_t error;
    json_t *json = json_loads(r.out, 0, &error);
    if (r.code != 0 || !json) fail_msg("limn %s: code %d, %s: %s", arguments, r.code, r.err, json ? "" : error.text);
    done(r);
    return json;
}

/* ---- help ------------------------------------------------------------------------------------------------------------- */

static void help_and_version(void **state)
{
    (void)state;
    SHOWS("--help", "limn generate", "limn train", "limn describe", "limn inspect", "Exit codes");
    SHOWS("help", "limn generate");
    SHOWS("help help", "limn generate");
    SHOWS("--version", "limn ");
    result none = limn("", "");
    assert_int_equal(none.code, 2);
    assert_int_equal(none.out[0], 0);
    assert_non_null(strstr(none.err, "limn describe"));
    done(none);
}

static void a_full_disk_behind_stdout_is_a_failure(void **state)
{
    (void)state;
    static const char *const arguments[] = {"--help", "describe dit", "describe dit --json",
                                            "inspect " LIMN_SOURCE_DIR "/models/digits/model.safetensors"};
    for (size_t i = 0; i < sizeof arguments / sizeof *arguments; i++) {
        char command[1024];
        snprintf(command, sizeof command, LIMN_BINARY_DIR "/limn %s >/dev/full 2>%s/err", arguments[i], folder);
        assert_int_equal(WEXITSTATUS(system(command)), 1);
        char *text = slurp("err");
        assert_non_null(strstr(text, "limn: stdout: "));
        free(text);
    }
}

static void help_of_a_verb_is_the_same_both_ways(void **state)
{
    (void)state;
    static const char *const verbs[] = {"describe", "inspect", "generate", "train"};
    for (int i = 0; i < 4; i++) {
        char a[64], b[64];
        snprintf(a, sizeof a, "help %s", verbs[i]);
        snprintf(b, sizeof b, "%s --help", verbs[i]);
        result x = limn("", a), y = limn("", b);
        assert_int_equal(x.code, 0);
        assert_int_equal(y.code, 0);
        assert_string_equal(x.out, y.out);
        assert_non_null(strstr(x.out, "example"));
        done(x);
        done(y);
    }
}

static void mistakes_end_in_a_sentence_and_code_two(void **state)
{
    (void)state;
    refuses("descibe", "did you mean describe?");
    refuses("qqqqqqqq", "there are generate, train, describe, inspect");
    refuses("help trian", "did you mean train?");
    refuses("describe mmdti", "did you mean mmdit?");
    refuses("describe dit --set depht=3", "did you mean depth?");
    refuses("describe dit --set depth=0", "depth must be 1 to 256, found \"0\"");
    refuses("describe dit --set heads=7", "width must be a multiple of heads");
    refuses("describe dit --batc 3", "did you mean --batch?");
    refuses("describe dit --batch 0", "--batch expects a whole number from 1 to 65536, found \"0\"");
    refuses("describe dit --batch", "--batch expects a value");
    refuses("describe dit --json=yes", "--json takes no value");
    refuses("describe dit mmdit", "one word too many");
    refuses("describe dit --precision f16", "auto, f32, bf16");
    refuses("generate x -i $D/none.png", "none.png: No such file");
    refuses("generate x -i $D/none.png --strength 1.2", "--strength expects a number from 0 to 1, found \"1.2\"");
    refuses("generate x --mask $D/none.png", "--mask expects --init-img too");
    refuses("denoise $D/none.png", "expected --noise");
    refuses("denoise --noise 4", "expected a picture");
    refuses("generate -m " LIMN_SOURCE_DIR "/models/membrane", "makes none: limn segment");
    refuses("denoise $D/none.png --noise 4", "none.png: No such file");
    refuses("upscale", "expected a picture");
    refuses("upscale $D/none.png", "none.png: No such file");
    refuses("upscale " LIMN_SOURCE_DIR "/models/upscale/small.png -o $D/x.png", "models/upscale, the model without -m");
    refuses("describe hdit --set enlarge=5", "must be a multiple of enlarge");
    refuses("describe ddpm --set enlarge=5", "must be a multiple of enlarge");
    refuses("describe ddpm --set attention=window --set window=5", "window divides the side of each level with windows");
    refuses("describe adm --set attention=window --set shift=8", "shift must be less than window");
    refuses("describe ldm-unet --set attention=window", "attention=window needs a level that is larger than attention_most");
    refuses("describe ddpm --set attention=windos", "did you mean window?");
    refuses("describe ddpm --set attention=5000", "attention_most must be 0 to 4096, found \"5000\"");
    refuses("interpolate --seeds 1 x", "two whole numbers");
    refuses("interpolate --seeds 1,2 --seed 3 x -o $D/x.png", "--seeds gives both");
    refuses("generate x --seed 18446744073709551616 -o $D/x.png",
            "18446744073709551615 at most, found \"18446744073709551616\"");
    refuses("generate x --seed 1.5 -o $D/x.png", "expects a whole number");
    refuses("generate x --seed -- -o $D/x.png", "expects a whole number");
    refuses("interpolate -m " LIMN_SOURCE_DIR
            "/models/digits --class 1 --steps 1 -o $D/x.png --seeds 1,99999999999999999999999",
            "two whole numbers");
    char long_name[600];
    snprintf(long_name, sizeof long_name,
             "generate -m " LIMN_SOURCE_DIR "/models/digits --class 1 --steps 1 -o $D/%0300d.png", 7);
    refuses(long_name, "--output expects the name of a file");
    refuses("inspect", "expected a file");
    refuses("inspect " LIMN_SOURCE_DIR "/docs", "the folder has neither model.safetensors nor");
    refuses("inspect $D/none", "No such file");
    refuses("encode", "expected a picture");
    refuses("encode cat.png -o cat.safetensors", "expected -m");
    refuses("encode -m none cat.png -o $D/cat.png", "must end in .safetensors");
    refuses("encode -m none cat.png -o $D/no/cat.safetensors", "there is no folder");
    refuses("encode -m $D/none cat.png -o $D/cat.safetensors", "No such file");
    refuses("decode -m none cat.safetensors", "expected -o");
    refuses("decode -m none cat.safetensors -o $D/cat.jpg", "must end in .png");
    refuses("interpolate -m none a.png -o $D/x.png", "expected two pictures");
    refuses("interpolate -m none a.png b.png --delay 50 -o $D/x.png", "--delay is for an animation");
    refuses("interpolate --seeds 1,2 x --grid -o $D/x.png", "--grid is for limn generate");
    refuses("encode -m none cat.png -o $D/cat.safetensors --size 8", "--size is for a folder of pictures");
    refuses("encode -m none cat.png -o $D/cat.safetensors --where a=b", "--where is for a folder of pictures");
    refuses("denoise $D/none.png --noise 4 --strength 0.5", "--strength is for limn generate");
    refuses("denoise $D/none.png --noise 4 --rng cpu", "--rng is for pictures that start from noise");
    refuses("generate x --rng philox -o $D/x.png", "--rng is one of auto, limn, cpu, cuda, found \"philox\"");
    refuses("describe dit --json --plan", "--plan changes nothing in --json");
    refuses("describe dit --settings --batch 3", "--batch changes nothing in --settings");
    refuses("describe --plan", "--plan is for one network");
    refuses("describe --set depth=3", "--set is for one network");
    refuses("describe dit --ranks 1", "--ranks expects a whole number from 2 to 65536");
    refuses("describe dit --link 1gbit", "--link is for several processes: give --ranks N");
    refuses("describe --ranks 3", "--ranks is for the drawing of one network: name it");
    refuses("describe dit --json --ranks 3", "not for --settings and --json");
    refuses("describe dit --ranks 2 --link 5", "--link expects a number and mbit, gbit or tbit behind it, found \"5\"");
    refuses("describe dit --ranks 2 --latency 5gs", "--latency expects a number and us, ms or s behind it");
}

/* ---- describe --------------------------------------------------------------------------------------------------------- */

static void describe_draws(void **state)
{
    (void)state;
    SHOWS("describe dit --ascii", "dit: denoise", "|- blocks.0-11", "256x64", "757 k", "inference", "training step",
          "AdamW, EMA");
    SHOWS("describe mmdit --set depth=2 --set attention=joint --ascii --depth 1",
          "mmdit depth=2 attention=joint conditioning=modulated norm=pre", "joint_blocks.0");
    SHOWS("describe mmdit --settings", "text_length", "cross|joint|both", "1 to 256");
    SHOWS("describe dit --set depth=1 --plan --ascii", "kernel by kernel", "blocks.0.attn", "layer_norm");
    SHOWS("describe dit-s/8 --set depth=1 --ascii", "training step", "learn_sigma");
    SHOWS("describe", "dit-xl/2", "675 M", "clip-text", "text 77x512", "contrastive", "mmdit-emoji", "ddpm-sr");
    SHOWS("describe ddpm --set attention=window --ascii", "32 x 32, down", "attention in windows of 8 x 8 ",
          "attention in windows of 8 x 8, moved by 4", "16x64x384", "16 x 16, down",
          "self-attention: pixels look at each other", "scores + bias");
    /* 757 thousand weights: 3.03 MB each way at 1 Gbit/s; 100 ms of work in 124.2 */
    SHOWS("describe dit --depth 1 --ranks 2 --link 1gbit --latency 0us --message 0us",
          "sends 3.0 MB a step, in 3 calls of 1 ", "\n2                       24 ms ", "\n512 ");
    SHOWS("describe dit --depth 1 --ranks 2 --link 1gbit --latency 0us --message 0us --step-seconds 0.1",
          "\n2                      80.", "99.5 %\n");
    SHOWS("describe ddpm-sr --ascii", "condition", "64x64x6", "attention in windows of 8 x 8, moved by 4", "64x64x3");
}

static void tables_fit_a_terminal(void **state)
{
    (void)state;
    static const char *const arguments[] = {"describe",
                                            "describe dit",
                                            "describe mmdit",
                                            "describe clip-text",
                                            "describe dit-xl/2 --set depth=2",
                                            "describe mmdit --set attention=joint",
                                            "describe mmdit-emoji"};
    for (size_t i = 0; i < sizeof arguments / sizeof *arguments; i++) {
        char command[128];
        snprintf(command, sizeof command, "%s --ascii", arguments[i]);
        result r = limn("", command);
        assert_int_equal(r.code, 0);
        char *save = NULL;
        for (char *line = strtok_r(r.out, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
            if (strlen(line) > 120 && !strchr(line, '='))
                fail_msg("%s: %zu columns: %s", command, strlen(line), line); /* settings are as long as they are */
        done(r);
    }
}

static void signs_follow_the_locale_and_colour_the_terminal(void **state)
{
    (void)state;
    result c = limn("LC_ALL=C", "describe dit --depth 1"), utf8 = limn("LC_ALL=C.UTF-8", "describe dit --depth 1");
    assert_non_null(strstr(c.out, "64x64x4"));
    assert_non_null(strstr(utf8.out, "64×64×4"));
    assert_null(strchr(c.out, '\033'));
    assert_null(strchr(utf8.out, '\033')); /* a file is no terminal */
    done(c);
    done(utf8);
}

static void describe_json_is_whole(void **state)
{
    (void)state;
    json_t *o = json_of("describe mmdit --set depth=2 --batch 2 --json");
    assert_string_equal(json_string_value(json_object_get(o, "network")), "mmdit");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(o, "settings"), "depth")), 2);
    json_t *memory = json_object_get(o, "memory"), *training = json_object_get(memory, "training");
    json_int_t sum = 0, n = json_integer_value(json_object_get(o, "parameters"));
    static const char *const parts[] = {"weight_bytes", "activation_bytes", "scratch_bytes",
                                        "packed_bytes", "gradient_bytes",   "optimizer_bytes"};
    for (int i = 0; i < 6; i++) sum += json_integer_value(json_object_get(training, parts[i]));
    assert_int_equal(sum, json_integer_value(json_object_get(training, "peak_bytes")));
    assert_int_equal(json_integer_value(json_object_get(training, "gradient_bytes")), 4 * n);
    assert_true(json_integer_value(json_object_get(json_object_get(memory, "inference"), "peak_bytes")) > 0);
    assert_int_equal(json_array_size(json_object_get(o, "output")), 4);
    json_decref(o);
    o = json_of("describe vae --set \"size=16 base=32 mult=1,2 scaling_factor=0.25\" --json");
    json_t *settings = json_object_get(o, "settings"), *mult = json_object_get(settings, "mult");
    assert_int_equal(json_array_size(mult), 2);
    assert_int_equal(json_integer_value(json_array_get(mult, 1)), 2);
    assert_true(json_real_value(json_object_get(settings, "scaling_factor")) == 0.25);
    assert_true(json_is_integer(json_object_get(settings, "quant")));
    json_decref(o);
    o = json_of("describe --json");
    assert_true(json_array_size(json_object_get(o, "families")) >= 3);
    json_decref(o);
}

/* ---- inspect ---------------------------------------------------------------------------------------------------------- */

static void make_weights(limn_ctx *ctx)
{
    enum { N = 6 };
    static const char *const names[N] = {"blocks.0.w", "blocks.1.w", "blocks.2.w", "blocks.5.w", "head.w", "adam_m/head.w"};
    static float data[12];
    static const char *const metadata[][2] = {{"limn.step", "7"}, {"odd\033[2J", "a \"quote\"\nand a line"}};
    limn_named_view views[N];
    char path[128];
    for (int i = 0; i < N; i++)
        views[i] = (limn_named_view){names[i], {LIMN_F32, i == 4 ? LIMN_SHAPE(12) : LIMN_SHAPE(3, 4), data}};
    snprintf(path, sizeof path, "%s/w.safetensors", folder);
    assert_int_equal(limn_safetensors_write(ctx, path, N, views, 2, metadata), LIMN_OK);
}

static void inspect_folds_and_unfolds(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    make_weights(ctx);
    SHOWS("inspect $D/w.safetensors", "blocks.0-2,5.w", "4 x 48 B", "[3, 4]", "F32", "6 tensors, 72 elements",
          "limn.step: 7", "adam_m/, adam_v/, ema/: 1 tensors", "none that Limn knows",
          "odd\\x1b[2J: a \\\"quote\\\"\\nand a line");
    SHOWS("inspect $D/w.safetensors --all", "blocks.5.w", "blocks.2.w", "adam_m/head.w");
    SHOWS("inspect " LIMN_SOURCE_DIR "/models/digits", "network   ddpm size=28");
    json_t *o = json_of("inspect $D/w.safetensors --json");
    assert_int_equal(json_array_size(json_object_get(o, "tensors")), 6);
    assert_string_equal(json_string_value(json_object_get(json_object_get(o, "metadata"), "limn.step")), "7");
    json_decref(o);
    limn_ctx_free(ctx);
}

static void inspect_lists_what_torch_saved_and_runs_none_of_it(void **state)
{
    (void)state;
    write_file("views.pt", torch_views, sizeof torch_views);
    SHOWS("inspect $D/views.pt", "slice", "[4, 2, 3]", "I64       1 tensors", "checksum  right");
    json_t *o = json_of("inspect $D/views.pt --json");
    assert_int_equal(json_array_size(json_object_get(o, "tensors")), 8);
    assert_string_equal(json_string_value(json_object_get(o, "kind")), "torch");
    json_decref(o);
    write_file("module.pt", torch_module, sizeof torch_module);
    refuses("inspect $D/module.pt", "it asks for the Python object \"torch.nn.modules.linear.Linear\"");
    refuses("describe $D/module.pt", "nothing was executed");
    refuses("generate -m $D/module.pt -o $D/x.png", "nothing was executed");
    refuses("train dit --data shapes --out $D/run-torch --init $D/module.pt --steps 1", "nothing was executed");
}

/* A training's own checkpoint: raw weights, their EMA, the optimizer's moments. */
static void the_weights_of_a_checkpoint_are_told_and_chosen(void **state)
{
    (void)state;
    done(limn("", "train dit --data shapes --set \"size=16 patch=4 width=8 depth=1 heads=2 mlp=8\" --steps 2 --warmup 0 "
                  "--batch 2 --lr 0.1 --ema 0.5 --out $D/run-sets"));
    SHOWS("inspect $D/run-sets/checkpoint.safetensors", "weights   raw: ", " tensors, without a prefix\n          ", "EMA: ",
          " tensors, names begin with ema/\n", "optimizer: ", "adam_m/\n");
    json_t *o = json_of("inspect $D/run-sets/checkpoint.safetensors --json");
    assert_int_equal(json_array_size(json_object_get(json_object_get(o, "network"), "weights")), 4);
    json_decref(o);
    result r = limn("", "generate -m $D/run-sets/checkpoint.safetensors --steps 1 -o $D/ema.png");
    if (r.code || !strstr(r.err, "checkpoint.safetensors: weights taken: EMA (ema/, ") ||
        !strstr(r.err, "not taken: raw (without a prefix, ")) fail_msg("%s", r.err);
    done(r);
    r = limn("", "generate -m $D/run-sets/checkpoint.safetensors --weights raw --steps 1 -q -o $D/raw.png");
    if (r.code || r.err[0]) fail_msg("%s", r.err);
    done(r);
    r = limn("", "train dit --data shapes --set \"size=16 patch=4 width=8 depth=1 heads=2 mlp=8\" --steps 1 --batch 2 "
                 "--init $D/run-sets/checkpoint.safetensors --out $D/run-init");
    if (r.code || !strstr(r.err, "weights taken: raw (without a prefix, ") || !strstr(r.err, "not taken: EMA (ema/, "))
        fail_msg("%s", r.err);
    done(r);
    refuses("generate -m $D/run-sets/checkpoint.safetensors --weights teacher -o $D/x.png",
            "no weights of the network have the name that --weights gives; its weights are: raw (");
    refuses("train dit --data shapes --out $D/run-init --weights ema",
            "--weights says which weights --init takes of a checkpoint: give it as well");
}

static void inspect_names_what_is_damaged(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    make_weights(ctx);
    char path[128];
    snprintf(path, sizeof path, "%s/w.safetensors", folder);
    assert_int_equal(truncate(path, 300), 0);
    refuses("inspect $D/w.safetensors", "w.safetensors: ");
    write_file("text", "hello, this is no weight file", 29);
    refuses("inspect $D/text", "neither a PNG nor a safetensors file");
    write_file("empty", "", 0);
    refuses("inspect $D/empty", "the file is empty");
    limn_ctx_free(ctx);
}

static void inspect_knows_the_latents_that_encode_made(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    char path[128];
    uint8_t pixels[32 * 24 * 3];
    for (int i = 0; i < 32 * 24 * 3; i++) pixels[i] = (uint8_t)(i * 37 / 5);
    snprintf(path, sizeof path, "%s/tae.safetensors", folder);
    assert_true(make_network(ctx, path, "tae size=16 width=8 levels=2", NULL));
    snprintf(path, sizeof path, "mkdir %s/pictures", folder);
    assert_int_equal(system(path), 0);
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/pictures/%d.png", folder, i);
        assert_int_equal(limn_png_write(ctx, path, &(limn_image){32, 24 - 8 * i, 3, pixels}, NULL), LIMN_OK);
    }
    SHOWS("encode -m $D/tae.safetensors $D/pictures -o $D/latents --size 16 -q", "2 latents");
    SHOWS("encode -m $D/tae.safetensors $D/pictures/0.png -o $D/one.safetensors -q", "one.safetensors");
    SHOWS("inspect $D/latents/latents.safetensors", "latents   2 of 4 x 4 x 4, for limn train --latents", "scale ",
          ", shift ", "channels: means from ", "made by   tae size=16", "          tae.safetensors\n");
    SHOWS("inspect $D/one.safetensors", "latent    8 x 6 x 4 of a picture of 32 x 24, for limn decode",
          "made by   tae size=16");
    refuses("describe $D/one.safetensors", "one.safetensors: holds latents of pictures, not a network");
    refuses("generate -m $D/latents/latents.safetensors -o $D/x.png", "holds latents of pictures, not a network");
    result r = limn("", "inspect $D/latents/latents.safetensors $D/one.safetensors");
    assert_null(strstr(r.out, "none that Limn knows"));
    done(r);
    json_t *o = json_of("inspect $D/latents/latents.safetensors --json"), *latents = json_object_get(o, "latents");
    assert_int_equal(json_integer_value(json_object_get(latents, "count")), 2);
    assert_int_equal(json_array_size(json_object_get(latents, "spread")), 4);
    assert_true(json_real_value(json_object_get(latents, "scale")) > 0);
    json_decref(o);
    o = json_of("inspect $D/one.safetensors --json");
    assert_int_equal(json_integer_value(json_array_get(json_object_get(json_object_get(o, "latents"), "picture"), 1)), 24);
    json_decref(o);
    /* latents whose header lies */
    static const char *const metadata[][2] = {
        {"limn.latent.shape", "4x4x4"}, {"limn.latent.scale", "1"}, {"limn.latent.shift", "0"}};
    static float x[3];
    limn_named_view view = {"mean", {LIMN_F32, LIMN_SHAPE(3), x}};
    snprintf(path, sizeof path, "%s/lies.safetensors", folder);
    assert_int_equal(limn_safetensors_write(ctx, path, 1, &view, 3, metadata), LIMN_OK);
    r = limn("", "inspect $D/lies.safetensors");
    assert_int_equal(r.code, 2);
    assert_non_null(strstr(r.err, "limn.latent.shape speaks of 4 channels, and tensor \"mean\" is not one number for each"));
    done(r);
    limn_ctx_free(ctx);
}

static void inspect_reads_the_words_of_a_picture(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    uint8_t pixels[2 * 3 * 4] = {0};
    char path[128];
    snprintf(path, sizeof path, "%s/p.png", folder);
    limn_image image = {.width = 3, .height = 2, .channels = 4, .pixels = pixels};
    assert_int_equal(limn_png_write(ctx, path, &image, "ein Käse\nSteps: 20, Seed: 42"), LIMN_OK);
    SHOWS("inspect $D/p.png", "PNG, 3 x 2, RGBA, 8 bits", "parameters", "  ein Käse\n", "Seed: 42");
    json_t *o = json_of("inspect $D/p.png --json");
    assert_string_equal(json_string_value(json_object_get(json_object_get(o, "text"), "parameters")),
                        "ein Käse\nSteps: 20, Seed: 42");
    json_decref(o);
    FILE *file = fopen(path, "r+b");
    fseek(file, 45, SEEK_SET);
    fputc(0x77, file);
    fclose(file);
    refuses("inspect $D/p.png", "p.png: ");
    limn_ctx_free(ctx);
}

/* Every cut of a PNG, and every byte of its first 100 changed, is read or refused. */
static void a_damaged_png_is_refused(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    uint8_t pixels[12] = {0};
    char path[128];
    snprintf(path, sizeof path, "%s/q.png", folder);
    limn_image image = {.width = 2, .height = 2, .channels = 3, .pixels = pixels};
    assert_int_equal(limn_png_write(ctx, path, &image, "words"), LIMN_OK);
    FILE *file = fopen(path, "rb");
    unsigned char bytes[1024], copy[1024];
    size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    limn_png_info info;
    assert_int_equal(limn_png_info_read(ctx, "q", bytes, n, &info), LIMN_OK);
    assert_int_equal(info.n, 1);
    assert_string_equal(info.texts[0].text, "words");
    limn_png_info_free(&info);
    for (size_t cut = 0; cut < n; cut++)
        assert_int_equal(limn_png_info_read(ctx, "q", memcpy(copy, bytes, cut), cut, &info), LIMN_BAD_FILE);
    for (size_t i = 0; i < n; i++) {
        memcpy(copy, bytes, n);
        copy[i] ^= 0x41;
        assert_int_equal(limn_png_info_read(ctx, "q", copy, n, &info), LIMN_BAD_FILE);
    }
    limn_ctx_free(ctx);
}

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/limn-cli-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static void write_square(const char *name, int side, uint8_t value)
{
    char path[128];
    limn_ctx *ctx = limn_ctx_new();
    uint8_t *pixels = malloc((size_t)(3 * side * side));
    memset(pixels, value, (size_t)(3 * side * side));
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(limn_png_write(ctx, path, &(limn_image){side, side, 3, pixels}, NULL), LIMN_OK);
    free(pixels);
    limn_ctx_free(ctx);
}

/* Two steps teach nothing, but the small picture must arrive. */
static void enlarges(const char *network, const char *settings)
{
    char command[512];
    snprintf(command, sizeof command,
             "train %s --data shapes --out $D/%s --steps 2 --batch 2 --lr 0.05 --warmup 0 --ema 0 --set '%s'", network,
             network, settings);
    result r = limn("", command);
    if (r.code) fail_msg("%s", r.err);
    done(r);
    write_square("dark.png", 8, 30), write_square("light.png", 8, 220), write_square("wide.png", 16, 220);
    for (int i = 0; i < 2; i++) {
        snprintf(command, sizeof command, "upscale -m $D/%s $D/%s.png -o $D/large%d.png --steps 2", network,
                 i ? "light" : "dark", i);
        r = limn("", command);
        if (r.code) fail_msg("%s", r.err);
        done(r);
    }
    limn_image images[2];
    limn_ctx *ctx = limn_ctx_new();
    for (int i = 0; i < 2; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/large%d.png", folder, i);
        assert_int_equal(limn_image_read(ctx, path, 3, &images[i]), LIMN_OK);
        assert_int_equal(images[i].width, 16);
    }
    assert_memory_not_equal(images[0].pixels, images[1].pixels, 16 * 16 * 3);
    for (int i = 0; i < 2; i++) limn_image_free(&images[i]);
    limn_ctx_free(ctx);
}

static void networks_that_enlarge_are_trained_and_look_at_the_small_picture(void **state)
{
    (void)state;
    enlarges("hdit-sr", "size=16 width=16 levels=2 depth=1 depth_inner=1 head_width=8 window=4 enlarge=2");
    enlarges("ddpm-sr",
             "size=16 width=8 multipliers=12 groups=4 head_width=8 window=4 attention_most=8 attention_least=8 enlarge=2");
    refuses("upscale -m $D/ddpm-sr $D/wide.png -o $D/x.png", "enlarges pictures of 8 x 8 to 16 x 16, found one of 16 x 16");
    refuses("generate -m $D/ddpm-sr -o $D/x.png", "limn upscale does that");
    refuses("upscale -m " LIMN_SOURCE_DIR "/models/digits $D/wide.png -o $D/x.png", "does not enlarge pictures");
    refuses("upscale -m $D/ddpm-sr $D/wide.png -o $D/x.png --scale 2",
            "--scale is for models of latents, and this one (ddpm)");
}

/* The means of what the shipped weights draw are the small picture they were told. */
static void the_weights_that_ship_enlarge_a_picture(void **state)
{
    (void)state;
    enum { SMALL = 16, TIMES = 4, C = 3 };
    limn_image small, large;
    char path[128];
    result r = limn("", "upscale -m " LIMN_SOURCE_DIR "/models/upscale " LIMN_SOURCE_DIR
                        "/models/upscale/small.png -o $D/enlarged.png --steps 10 --precision f32");
    if (r.code) fail_msg("%s", r.err);
    done(r);
    limn_ctx *ctx = limn_ctx_new();
    snprintf(path, sizeof path, "%s/enlarged.png", folder);
    assert_int_equal(limn_image_read(ctx, path, C, &large), LIMN_OK);
    assert_int_equal(limn_image_read(ctx, LIMN_SOURCE_DIR "/models/upscale/small.png", C, &small), LIMN_OK);
    assert_true(small.width == SMALL && small.height == SMALL && large.width == SMALL * TIMES &&
                large.height == SMALL * TIMES);
    double apart = 0;
    for (int i = 0; i < SMALL * SMALL * C; i++) {
        double mean = 0;
        int y = i / C / SMALL, x = i / C % SMALL;
        for (int k = 0; k < TIMES * TIMES; k++)
            mean += large.pixels[((y * TIMES + k / TIMES) * large.width + x * TIMES + k % TIMES) * C + i % C] / 16.0;
        apart += fabs(mean - small.pixels[i]) / (SMALL * SMALL * C);
    }
    if (!(apart < 8)) fail_msg("the means are %g of 255 away", apart);
    limn_image_free(&small);
    limn_image_free(&large);
    limn_ctx_free(ctx);
}

static void the_weights_that_ship_give_a_picture_back(void **state)
{
    (void)state;
    result r = limn("", "encode -m " LIMN_SOURCE_DIR "/models/vae " LIMN_SOURCE_DIR
                        "/docs/pictures/farmer.png -o $D/farmer.safetensors");
    if (r.code) fail_msg("%s", r.err);
    done(r);
    r = limn("", "decode -m " LIMN_SOURCE_DIR "/models/vae $D/farmer.safetensors -o $D/back.png --compare " LIMN_SOURCE_DIR
                 "/docs/pictures/farmer.png");
    if (r.code) fail_msg("%s", r.err);
    const char *psnr = strstr(r.out, "PSNR ");
    assert_non_null(psnr);
    if (!(limn_number_parse(psnr + 5, NULL) > 26)) fail_msg("%s", psnr); /* 27.6; the mean colour has 10.9 */
    done(r);
}

/* Said before the work: a picture that does not exist is not missed. */
static void a_folder_that_takes_no_files_is_refused_before_the_work(void **state)
{
    (void)state;
    if (geteuid() == 0) skip(); /* whom no folder refuses */
    char path[128];
    snprintf(path, sizeof path, "%s/closed", folder);
    mkdir(path, 0555);
    static const char *const arguments[] = {"generate x -i $D/none.png -o $D/closed/x.png",
                                            "decode -m none $D/none.safetensors -o $D/closed/x.png"};
    for (int i = 0; i < 2; i++) {
        result r = limn("", arguments[i]);
        assert_int_equal(r.code, 1);
        assert_non_null(strstr(r.err, "nothing can be written into the folder"));
        done(r);
    }
}

/* ---- what results go over, and stdout --------------------------------------------------------------------------------- */

static int shell(const char *command)
{
    char line[1024];
    snprintf(line, sizeof line, "D=%s; cd $D && L='" LIMN_BINARY_DIR "/limn'; export OMP_WAIT_POLICY=passive; %s", folder,
             command);
    return system(line);
}

/* net.safetensors draws 8 x 8 pixels, tae.safetensors encodes; p.png, q.png; l.safetensors: the latent of p.png. */
static void make_job(void)
{
    limn_ctx *ctx = limn_ctx_new();
    char path[128];
    uint8_t pixels[16 * 16 * 3 + 1];
    for (int i = 0; i < 16 * 16 * 3 + 1; i++) pixels[i] = (uint8_t)(i * 37 / 5);
    snprintf(path, sizeof path, "%s/net.safetensors", folder);
    assert_true(make_network(ctx, path, "dit size=8 channels=3 patch=2 width=8 depth=1 heads=2 mlp=8", NULL));
    snprintf(path, sizeof path, "%s/tae.safetensors", folder);
    assert_true(make_network(ctx, path, "tae size=16 width=8 levels=2", NULL));
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%c.png", folder, 'p' + i);
        assert_int_equal(limn_png_write(ctx, path, &(limn_image){16, 16, 3, pixels + i}, NULL), LIMN_OK);
    }
    limn_ctx_free(ctx);
    assert_int_equal(shell("$L encode -q -m tae.safetensors p.png -o l.safetensors >/dev/null && mkdir -p links && ln -sf "
                           "../p.png links/p.png && ln -f q.png links/hard.png && ln -sf net.safetensors n.png && "
                           "ln -sf p-1.png p-0.png"),
                     0);
}

static void no_verb_writes_over_what_it_reads(void **state)
{
    (void)state;
    make_job();
    assert_int_equal(shell("md5sum p.png q.png *.safetensors links/* >sums"), 0);
    static const char *const rows[][2] = {
        {"generate -m $D/net.safetensors -i $D/p.png -o $D/p.png --steps 1",
         "p.png: the result would overwrite the picture\n"},
        {"generate -m $D/net.safetensors -i $D/p.png -o $D/./links/p.png --steps 1",
         "links/p.png: the result would overwrite the picture, "},
        {"generate -m $D/net.safetensors -i $D/p.png --mask $D/q.png -o $D/links/hard.png --steps 1",
         "links/hard.png: the result would overwrite the mask, "},
        {"generate -m $D/net.safetensors -o $D/n.png --steps 1", "n.png: the result would overwrite the model, "},
        {"generate -m $D/net.safetensors -b 2 -o $D/p.png --steps 1", "p-1.png is named for two results, here and as "},
        {"denoise -m $D/net.safetensors $D/p.png --noise 9 --steps 1 -o $D//p.png", "would overwrite the picture"},
        {"upscale -m " LIMN_SOURCE_DIR "/models/upscale $D/q.png -o $D/links/hard.png --steps 1",
         "would overwrite the picture"},
        {"encode -m $D/tae.safetensors $D/p.png -o $D/./tae.safetensors", "would overwrite the autoencoder"},
        {"decode -m $D/tae.safetensors $D/l.safetensors --compare $D/q.png -o $D/q.png",
         "would overwrite the picture of --compare"},
        {"interpolate -m $D/tae.safetensors $D/p.png $D/q.png -n 2 -o $D/links/hard.png", "would overwrite the picture"},
        {"interpolate -m $D/tae.safetensors $D/p.png $D/q.png -n 2 -o $D/links/../p.png", "would overwrite the picture"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) refuses(rows[i][0], rows[i][1]);
    assert_int_equal(shell("md5sum --quiet -c sums && cp tae.safetensors my-encoder.safetensors && cp tae.safetensors "
                           "my-decoder.safetensors"),
                     0);
    refuses("encode -m $D/my-encoder.safetensors $D/p.png -o $D/my-decoder.safetensors",
            "would overwrite the autoencoder"); /* the other half */
    shell("rm my-*.safetensors p-0.png");
}

static void stdout_takes_the_bytes_of_one_file_and_nothing_else(void **state)
{
    (void)state;
    make_job();
    static const char *const rows[] = {
        "$L generate -q -m net.safetensors --steps 1 -s 3 -o f.png >/dev/null && $L generate -m net.safetensors --steps 1 "
        "-s 3 -o - 2>/dev/null | cmp - f.png",
        "$L generate -q -m net.safetensors --steps 1 -b 2 --grid -o f.png >/dev/null && $L generate -m net.safetensors "
        "--steps 1 -b 2 --grid -o - 2>/dev/null | cmp - f.png",
        "$L interpolate -q -m net.safetensors --steps 1 --seeds 1,2 -n 2 -o f.png >/dev/null && $L interpolate -m "
        "net.safetensors --steps 1 --seeds 1,2 -n 2 -o - 2>/dev/null | cmp - f.png",
        "$L denoise -q -m net.safetensors --steps 1 --noise 9 p.png -o f.png >/dev/null && $L denoise -m net.safetensors "
        "--steps 1 --noise 9 p.png -o - 2>/dev/null | cmp - f.png",
        "$L encode -m tae.safetensors p.png -o - 2>/dev/null | cmp - l.safetensors",
        "$L encode -m tae.safetensors p.png -o - 2>/dev/null >f && cmp f l.safetensors",
        "$L decode -q -m tae.safetensors l.safetensors -o f.png >/dev/null && $L decode -m tae.safetensors l.safetensors -o "
        "- 2>/dev/null | cmp - f.png",
        "$L interpolate -q -m tae.safetensors p.png q.png -n 2 -o f.png >/dev/null && $L interpolate -m tae.safetensors "
        "p.png q.png -n 2 -o - 2>/dev/null | cmp - f.png",
        ("(printf before; $L decode -q -m tae.safetensors l.safetensors -o - && printf after) >f && $L decode -q -m "
         "tae.safetensors l.safetensors -o f.png >/dev/null && "
         "(printf before; cat f.png; printf after) | cmp - f"),
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (shell(rows[i]) != 0) fail_msg("%s", rows[i]);
    refuses("generate -m $D/net.safetensors --steps 1 -b 2 -o -",
            "stdout takes one file, and there are 2 pictures: add --grid");
    refuses("decode -m $D/tae.safetensors $D/l.safetensors -o - --compare $D/p.png", "where the numbers of --compare go");
    refuses("encode -m $D/tae.safetensors $D/links --size 16 -o -", "stdout is none");
    refuses("interpolate -m $D/tae.safetensors $D/p.png $D/q.png -n 2 -o - --delay 9", "whose name ends in .apng");
}

/* A table of classes without a row for "none" has none to offer. */
static void a_class_that_is_none_is_offered_only_where_there_is_one(void **state)
{
    (void)state;
    char path[128];
    limn_ctx *ctx = limn_ctx_new();
    const char *const settings[] = {
        "adm size=8 width=8 multipliers=1 blocks=1 groups=4 heads=1 head_width=0 classes=3 learn_sigma=0 always_labelled=1",
        "adm size=8 width=8 multipliers=1 blocks=1 groups=4 heads=1 head_width=0 classes=3 learn_sigma=0"};
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/classes-%d.safetensors", folder, i);
        assert_true(make_network(ctx, path, settings[i], NULL));
    }
    limn_ctx_free(ctx);
    refuses("generate -m $D/classes-0.safetensors -o $D/x.png", "add --class K, K from 0 to 2\n");
    refuses("generate -m $D/classes-0.safetensors --class 3 -o $D/x.png", "expected a class from 0 to 2, found 3\n");
    refuses("generate -m $D/classes-1.safetensors -o $D/x.png", "add --class K, K from 0 to 2, or 3 for none\n");
    refuses("generate -m $D/classes-1.safetensors --class 4 -o $D/x.png",
            "expected a class from 0 to 2, or 3 for none, or its name in training, found 4\n");
    SHOWS("generate -q -m $D/classes-0.safetensors --class 2 --steps 1 -o $D/x.png", "x.png");
    SHOWS("generate -q -m $D/classes-1.safetensors --class 3 --steps 1 -o $D/x.png", "x.png");
}

/* A terminal is shown a sentence, not a picture's bytes. */
static void a_terminal_gets_no_bytes_of_a_file(void **state)
{
    (void)state;
    make_job();
    char path[128], text[512] = "";
    snprintf(path, sizeof path, "%s/err", folder);
    int terminal = posix_openpt(O_RDWR | O_NOCTTY), status;
    if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0) skip();
    int other = open(ptsname(terminal), O_RDWR | O_NOCTTY);
    if (other < 0) skip();
    pid_t child = fork();
    if (child == 0) {
        int err = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
        dup2(other, STDOUT_FILENO), dup2(err, STDERR_FILENO);
        execl(LIMN_BINARY_DIR "/limn", "limn", "decode", "-m", "none", "none.safetensors", "-o", "-", (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 2);
    char *err = slurp("err");
    assert_string_equal(
        err, "limn: --output: the bytes of a file are nothing for a terminal, and stdout is one: add >FILE or |PROGRAM\n");
    free(err);
    fcntl(terminal, F_SETFL, O_NONBLOCK);
    assert_true(read(terminal, text, sizeof text) <= 0);
    close(other), close(terminal);
}

static void words_behind_two_dashes_are_words(void **state)
{
    (void)state;
    make_job();
    refuses("generate -m $D/net.safetensors -o $D/x.png -- \"-- a cat\"",
            "reads no text: leave the prompt out"); /* it is taken as a prompt */
    refuses("generate -m $D/net.safetensors -o $D/x.png -- --steps", "reads no text");
    refuses("generate \"-- a cat\"", "there is no flag -- a cat; words that begin with a dash go behind --");
    refuses("generate -- a b", "\"b\" is one word too many");
    refuses("describe -- --json", "--json");
    refuses("describe dit -- --set depth=1", "one word too many");
    refuses("interpolate -m $D/none -o $D/x.png -- --seeds b.png",
            "--seeds: No such file"); /* two pictures, not two seeds */
    assert_int_equal(shell("cp p.png ./-p.png && $L encode -q -m tae.safetensors -o dash.safetensors -- -p.png >/dev/null "
                           "&& cmp dash.safetensors l.safetensors && $L inspect -- -p.png >/dev/null && "
                           "$L interpolate -q -m tae.safetensors -n 2 -o dash.png -- -p.png -p.png >/dev/null && $L decode "
                           "-q -m tae.safetensors -o dash.png -- ./l.safetensors >/dev/null && rm ./-p.png"),
                     0);
}

/* What others may not read stays so. */
static void a_result_that_is_made_anew_keeps_its_permissions(void **state)
{
    (void)state;
    make_job();
    assert_int_equal(shell("umask 022 && $L encode -q -m tae.safetensors p.png -o private.safetensors >/dev/null && test "
                           "$(stat -c %a private.safetensors) = 644 && chmod 600 private.safetensors && "
                           "$L encode -q -m tae.safetensors p.png -o private.safetensors >/dev/null && test $(stat -c %a "
                           "private.safetensors) = 600"),
                     0);
}

/* The model without -m lies in this folder, or where `make install` puts it: seen from the program, which may have moved. */
static void an_installed_program_finds_the_models_beside_it(void **state)
{
    (void)state;
    static const char *const folders[] = {"bin", "elsewhere", "share", "share/limn", "share/limn/models",
                                          "share/limn/models/emoji"};
    char command[1024], path[128], expected[256];
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, folders[i]);
        assert_int_equal(mkdir(path, 0777), 0);
    }
    snprintf(command, sizeof command, "cp " LIMN_BINARY_DIR "/limn %s/bin", folder);
    assert_int_equal(system(command), 0);
    for (int there = 1; there >= 0; there--) {
        snprintf(command, sizeof command, "cd %s/elsewhere && ../bin/limn generate x 2>../err >../out", folder);
        int status = system(command);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 2);
        char *err = slurp("err");
        snprintf(expected, sizeof expected,
                 there ? "%s/share/limn/models/emoji" : "neither in this folder nor in %s/share/limn:", folder);
        if (!strstr(err, expected)) fail_msg("expected %s, found %s", expected, err);
        free(err);
        snprintf(path, sizeof path, "%s/share/limn/models/emoji", folder);
        if (there) assert_int_equal(rmdir(path), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help_and_version),
        cmocka_unit_test(a_full_disk_behind_stdout_is_a_failure),
        cmocka_unit_test(help_of_a_verb_is_the_same_both_ways),
        cmocka_unit_test(mistakes_end_in_a_sentence_and_code_two),
        cmocka_unit_test(describe_draws),
        cmocka_unit_test(tables_fit_a_terminal),
        cmocka_unit_test(signs_follow_the_locale_and_colour_the_terminal),
        cmocka_unit_test(describe_json_is_whole),
        cmocka_unit_test(inspect_folds_and_unfolds),
        cmocka_unit_test(inspect_lists_what_torch_saved_and_runs_none_of_it),
        cmocka_unit_test(the_weights_of_a_checkpoint_are_told_and_chosen),
        cmocka_unit_test(inspect_names_what_is_damaged),
        cmocka_unit_test(inspect_knows_the_latents_that_encode_made),
        cmocka_unit_test(inspect_reads_the_words_of_a_picture),
        cmocka_unit_test(a_damaged_png_is_refused),
        cmocka_unit_test(networks_that_enlarge_are_trained_and_look_at_the_small_picture),
        cmocka_unit_test(the_weights_that_ship_enlarge_a_picture),
        cmocka_unit_test(the_weights_that_ship_give_a_picture_back),
        cmocka_unit_test(a_folder_that_takes_no_files_is_refused_before_the_work),
        cmocka_unit_test(no_verb_writes_over_what_it_reads),
        cmocka_unit_test(stdout_takes_the_bytes_of_one_file_and_nothing_else),
        cmocka_unit_test(a_class_that_is_none_is_offered_only_where_there_is_one),
        cmocka_unit_test(a_terminal_gets_no_bytes_of_a_file),
        cmocka_unit_test(words_behind_two_dashes_are_words),
        cmocka_unit_test(a_result_that_is_made_anew_keeps_its_permissions),
        cmocka_unit_test(an_installed_program_finds_the_models_beside_it),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
