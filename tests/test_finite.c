/* test_finite.c: weights of NaN and infinity give a sentence with step, file and tensor, exit code 2 and no file, whatever
 * runs them. */
#include "file/image.h"
#include "pipeline/autoencoder.h"
#include "net/finite.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "make_folder.h"
#include "make_network.h"
#include "make_published.h"

#define DIT "dit size=8 channels=1 patch=4 width=16 depth=1 heads=2 mlp=16"
#define CLASSES "dit size=8 channels=1 patch=4 width=16 depth=1 heads=2 mlp=16 classes=3"
#define TAE "tae size=16 width=8 levels=2"
#define UNET "unet size=16 channels=1 classes=2 width=4 levels=2"

/* The first value of a tensor becomes `value`. */
static void poison(limn_ctx *ctx, const char *file, const char *tensor, float value)
{
    limn_weight_file *st;
    uint64_t header; /* little endian, as this machine's */
    assert_int_equal(limn_weight_file_open(ctx, file, &st), LIMN_OK);
    const limn_entry *e = limn_weight_file_find(st, tensor);
    assert_non_null(e);
    FILE *f = fopen(file, "r+b");
    assert_int_equal(fread(&header, sizeof header, 1, f), 1);
    assert_int_equal(fseek(f, (long)(8 + header + e->begin), SEEK_SET), 0);
    assert_int_equal(fwrite(&value, sizeof value, 1, f), 1);
    fclose(f);
    limn_weight_file_close(st);
}

/* Exit code of limn ARGUMENTS, $D being the folder; what it says on stderr into text. */
static int limn(const char *arguments, char *text, size_t size)
{
    char command[1024];
    snprintf(command, sizeof command, "D=%s; OMP_WAIT_POLICY=passive %s/limn %s >/dev/null 2>$D/err", folder,
             LIMN_BINARY_DIR, arguments);
    int status = system(command);
    FILE *f = fopen(in("err"), "r");
    text[fread(text, 1, size - 1, f)] = '\0';
    fclose(f);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void what_is_not_finite_is_one_sentence_and_no_file(void **state)
{
    limn_ctx *ctx = *state;
    static const struct { const char *net, *tensor; float value; const char *arguments, *words;
    } rows[] = {
        {DIT, "blocks.0.attn.qkv.weight", NAN, "generate -q -m $D/m.safetensors -o $D/no.png --steps 4",
         "m.safetensors: step 1 of 4: the network's output is not finite: tensor \"blocks.0.attn.qkv.weight\""},
        {DIT, "final_layer.linear.bias", -INFINITY, "generate -q -m $D/m.safetensors -o $D/no.png --steps 4",
         "tensor \"final_layer.linear.bias\""},
        {DIT, "final_layer.linear.bias", INFINITY, "generate -q -m $D/m.safetensors -o $D/no.png --steps 4 --precision bf16",
         "tensor \"final_layer.linear.bias\""},
        {DIT, "final_layer.linear.bias", NAN, "denoise -q -m $D/m.safetensors $D/small.png --noise 40 -o $D/no.png",
         "tensor \"final_layer.linear.bias\""},
        {DIT, "final_layer.linear.bias", 3e38f, "generate -q -m $D/m.safetensors -o $D/no.png", "though every weight is"},
        {CLASSES, "y_embedder.embedding_table.weight", NAN, "generate -q -m $D/m.safetensors -o $D/no.png --class 0",
         "tensor \"y_embedder.embedding_table.weight\""},
        {TAE, "encoder.0.weight", NAN, "encode -m $D/m.safetensors $D/p.png -o $D/no.safetensors -q",
         "m.safetensors: encoder: the network's output is not finite: tensor \"encoder.0.weight\""},
        {TAE, "decoder.1.weight", INFINITY, "interpolate -m $D/m.safetensors $D/p.png $D/p.png -o $D/no.png -q",
         "decoder: the network's output is not finite: tensor \"decoder.1.weight\""},
        {UNET, "outc.conv.bias", INFINITY, "segment -m $D/m.safetensors $D/p.png -o $D/no.png -q",
         "m.safetensors: the network's output is not finite: tensor \"outc.conv.bias\""},
    };
    uint8_t pixels[16 * 16] = {0};
    assert_int_equal(limn_png_write(ctx, in("p.png"), &(limn_image){16, 16, 1, pixels}, NULL), LIMN_OK);
    assert_int_equal(limn_png_write(ctx, in("small.png"), &(limn_image){8, 8, 1, pixels}, NULL), LIMN_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[4096];
        assert_true(make_network(ctx, in("m.safetensors"), rows[i].net, NULL));
        int code = limn(rows[i].arguments, text, sizeof text); /* healthy weights make a file */
        if (code != 0 || (unlink(in("no.png")) != 0 && unlink(in("no.safetensors")) != 0))
            fail_msg("limn %s: code %d: %s", rows[i].arguments, code, text);
        poison(ctx, in("m.safetensors"), rows[i].tensor, rows[i].value);
        code = limn(rows[i].arguments, text, sizeof text);
        char *end = strchr(text, '\n');
        if (code != 2 || !strstr(text, rows[i].words) || !end || end[1])
            fail_msg("limn %s: code %d, expected \"%s\", found \"%s\"", rows[i].arguments, code, rows[i].words, text);
        if (access(in("no.png"), F_OK) == 0 || access(in("no.safetensors"), F_OK) == 0)
            fail_msg("limn %s: left a file", rows[i].arguments);
    }
}

/* Text encoder, U-Net and autoencoder in one file: the sentence names the stage, and the file's own tensor. */
static void each_network_of_a_checkpoint_is_named(void **state)
{
    limn_ctx *ctx = *state;
#define TEXT "cond_stage_model.transformer.text_model."
    static const struct { const char *tensor; float value; const char *stage; } rows[] = {
        {TEXT "encoder.layers.0.self_attn.q_proj.weight", NAN, "text"},
        {TEXT "encoder.layers.1.mlp.fc1.bias", INFINITY, "text"},
        {TEXT "final_layer_norm.weight", NAN, "text"},
        {"model.diffusion_model.input_blocks.0.0.weight", NAN, "step 1 of 3"},
        {"model.diffusion_model.time_embed.2.bias", -INFINITY, "step 1 of 3"},
        {"model.diffusion_model.out.2.bias", NAN, "step 1 of 3"},
        {"first_stage_model.decoder.conv_in.weight", INFINITY, "decoder"},
        {"first_stage_model.decoder.up.0.block.0.norm1.bias", NAN, "decoder"},
        {"first_stage_model.decoder.conv_out.bias", NAN, "decoder"},
        {"first_stage_model.encoder.conv_in.bias", NAN, "encoder"},
        {"first_stage_model.decoder.norm_out.weight", 3e38f, NULL}, /* grows too large on the way */
    };
    static const char *const precisions[] = {"f32", "bf16"};
    const sd_tensor *tensors[SD_MOST];
    size_t n = sd_take(sd_tensors, SD_TENSORS, NULL, NULL, 0, tensors);
    uint8_t pixels[32 * 32 * 3] = {0};
    assert_int_equal(limn_png_write(ctx, in("p.png"), &(limn_image){32, 32, 3, pixels}, NULL), LIMN_OK);
    for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
        char command[400], expected[400], text[4096];
        const char *tensor = rows[i / 2].tensor, *stage = rows[i / 2].stage;
        bool starts = stage && !strcmp(stage, "encoder");
        sd_write(ctx, in("sd.safetensors"), n, tensors, NULL);
        poison(ctx, in("sd.safetensors"), tensor, rows[i / 2].value);
        snprintf(command, sizeof command, "generate -q lighthouse -m $D/sd.safetensors -o $D/no.png -W 32 -H 32 --steps 3 "
                 "--sampling-method euler --precision %s %s", precisions[i % 2],
                 starts ? "-i $D/p.png --strength 0.9" : "");
        int code = limn(command, text, sizeof text);
        snprintf(expected, sizeof expected, "sd.safetensors: %s: the network's output is not finite%s%s%s",
                 stage ? stage : "decoder", stage ? ": tensor \"" : ", though every weight is", stage ? tensor : "",
                 stage ? "\" holds" : "");
        char *end = strchr(text, '\n');
        if (code != 2 || !strstr(text, expected) || !end || end[1])
            fail_msg("%s in %s: code %d, expected \"%s\", found \"%s\"", tensor, precisions[i % 2], code, expected, text);
        if (access(in("no.png"), F_OK) == 0) fail_msg("%s: left a file", tensor);
    }
}

static void finite_numbers_of_any_size_pass(void **state)
{
    limn_ctx *ctx = *state;
    float x[] = {0, -0.0f, 3.4e38f, -3.4e38f, 1e-45f, 1, NAN};
    assert_int_equal(limn_finite_check(ctx, NULL, "", 6, x), LIMN_OK);
    assert_int_equal(limn_finite_check(ctx, NULL, "", 7, x), LIMN_DIVERGED);
    x[6] = -INFINITY;
    assert_int_equal(limn_finite_check(ctx, NULL, "", 7, x), LIMN_DIVERGED);
    assert_int_equal(limn_finite_check(ctx, in("no such file"), "step 2 of 3", 7, x), LIMN_BAD_FILE); /* gone meanwhile */
    assert_non_null(strstr(limn_error_text(ctx), "no such file: step 2 of 3: the network's output is not finite"));
}

static int begin(void **state)
{
    *state = limn_ctx_new();
    return *state && make_folder(*state, "finite") ? 0 : -1;
}

static int end(void **state)
{
    limn_ctx_free(*state);
    return remove_folder();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_finite_is_one_sentence_and_no_file),
        cmocka_unit_test(each_network_of_a_checkpoint_is_named),
        cmocka_unit_test(finite_numbers_of_any_size_pass),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
