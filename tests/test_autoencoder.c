/* test_autoencoder.c: pictures to latents and back: published weights on photographs, sizes, files that lie, folders, what
 * lies between. */
#include "data/data.h"
#include "file/image.h"
#include "file/latent.h"
#include "file/safetensors.h"
#include "graph/node.h"
#include "limn/train.h"
#include "make_network.h"
#include "pipeline/autoencoder.h"
#include "pipeline/pipeline.h"
#include "train/weights.h"
#include "vectors/photos.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define VAE "vae size=16 latent=3 base=4 levels=3 mult3=2 layers=1 groups=2"
#define TAE "tae size=16 latent=6 width=4"

static char folder[64];

static const char *at(const char *name)
{
    static char path[4][160];
    static int turn;
    char *p = path[turn++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", folder, name);
    return p;
}

/* Weights as limn train starts them; part: names of one half only, as TAESD's pairs of files have them. */
static void write_weights(limn_ctx *ctx, const char *settings, const char *file, const char *part)
{
    limn_settings s;
    limn_ports ports;
    limn_weights w;
    limn_named_view views[256];
    const char *const metadata[][2] = {{"limn.settings", settings}};
    size_t n = 0, prefix = part ? strlen(part) : 0;
    limn_graph *g = limn_graph_new(ctx);
    assert_int_equal(limn_settings_parse(ctx, settings, &s), LIMN_OK);
    assert_int_equal(limn_model_build(g, &s, (limn_build){.batch = 1}, &ports), LIMN_OK);
    assert_int_equal(limn_weights_new(ctx, g, 5, &w), LIMN_OK);
    for (int i = 0; i < w.n; i++)
        if (!part || strncmp(w.node[i]->name, part, prefix) == 0)
            views[n++] = (limn_named_view){w.node[i]->name + prefix, {LIMN_F32, w.node[i]->shape, w.value + w.begin[i]}};
    assert_int_equal(limn_safetensors_write(ctx, file, n, views, part ? 0 : 1, metadata), LIMN_OK);
    limn_weights_free(&w);
    limn_graph_free(g);
}

static limn_autoencoder *opened(limn_ctx *ctx, const char *settings)
{
    limn_autoencoder *a;
    write_weights(ctx, settings, at("vae.safetensors"), NULL);
    assert_int_equal(limn_autoencoder_open(ctx, at("vae.safetensors"), &a), LIMN_OK);
    return a;
}

static limn_image gradient(limn_ctx *ctx, int width, int height, int channels)
{
    limn_image image;
    assert_int_equal(limn_image_new(ctx, "a gradient", (uint32_t)width, (uint32_t)height, channels, &image), LIMN_OK);
    for (int i = 0; i < width * height * channels; i++) image.pixels[i] = (uint8_t)(i * 7 % 251);
    return image;
}

/* ---- what was published ----------------------------------------------------------------------------------------------- */

static void photographs_come_back_as_from_pytorch(void **state)
{
    (void)state;
    const char *weights = LIMN_SOURCE_DIR "/../shared/data/weights/taef2";
    if (access(weights, R_OK) != 0) {
        print_message("SKIP: there are no published weights in ../shared/data/weights/taef2\n");
        skip();
    }
    limn_ctx *ctx = limn_ctx_new();
    limn_autoencoder *a;
    assert_int_equal(limn_autoencoder_open(ctx, weights, &a), LIMN_OK);
    for (size_t i = 0; i < sizeof photos / sizeof *photos; i++) {
        char path[512];
        limn_image photo, back;
        limn_latent latent;
        double psnr;
        snprintf(path, sizeof path, LIMN_SOURCE_DIR "/tests/photos/%s", photos[i].name);
        assert_int_equal(limn_image_read(ctx, path, 3, &photo), LIMN_OK);
        assert_int_equal(limn_encode(a, &photo, LIMN_PRECISION_F32, &latent), LIMN_OK);
        int n = latent.height * latent.width * latent.channels;
        for (int k = 0; k < 16; k++) assert_true(fabs(latent.values[k * (n - 1) / 15] - photos[i].value[k]) < 1e-3);
        assert_int_equal(limn_decode(a, &latent, LIMN_PRECISION_F32, &back), LIMN_OK);
        assert_int_equal(limn_psnr(ctx, &photo, &back, &psnr), LIMN_OK);
        if (!(fabs(psnr - photos[i].psnr) < 0.05))
            fail_msg("%s: %g dB, PyTorch has %g", photos[i].name, psnr, photos[i].psnr);
        limn_latent_free(&latent);
        limn_image_free(&photo);
        limn_image_free(&back);
    }
    limn_autoencoder_free(a);
    limn_ctx_free(ctx);
}

static void halves_in_two_files_are_one_autoencoder(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_autoencoder *whole = opened(ctx, TAE), *pair;
    limn_latent one, two;
    limn_image image = gradient(ctx, 16, 16, 3), first, second;
    mkdir(at("pair"), 0777);
    write_weights(ctx, TAE, at("pair/x_encoder.safetensors"), "encoder.");
    write_weights(ctx, TAE, at("pair/x_decoder.safetensors"), "decoder.");
    static const char *const sources[] = {"pair", "pair/x_encoder.safetensors", "pair/x_decoder.safetensors"};
    assert_int_equal(limn_encode(whole, &image, LIMN_PRECISION_F32, &one), LIMN_OK);
    assert_int_equal(limn_decode(whole, &one, LIMN_PRECISION_F32, &first), LIMN_OK);
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        assert_int_equal(limn_autoencoder_open(ctx, at(sources[i]), &pair), LIMN_OK);
        assert_int_equal(limn_encode(pair, &image, LIMN_PRECISION_F32, &two), LIMN_OK);
        assert_int_equal(limn_decode(pair, &two, LIMN_PRECISION_F32, &second), LIMN_OK);
        assert_memory_equal(one.values, two.values, 2 * 2 * 6 * sizeof(float));
        assert_memory_equal(first.pixels, second.pixels, 16 * 16 * 3);
        limn_latent_free(&two);
        limn_image_free(&second);
        limn_autoencoder_free(pair);
    }
    write_weights(ctx, "tae size=16 latent=7 width=4", at("pair/x_decoder.safetensors"), "decoder.");
    assert_int_equal(limn_autoencoder_open(ctx, at("pair"), &pair), LIMN_BAD_FILE);
    assert_non_null(strstr(limn_error_text(ctx), "do not belong together"));
    unlink(at("pair/x_decoder.safetensors"));
    assert_int_equal(limn_autoencoder_open(ctx, at("pair/x_encoder.safetensors"), &pair), LIMN_OK);
    assert_int_equal(limn_decode(pair, &one, LIMN_PRECISION_F32, &second), LIMN_BAD_FILE); /* no decoder */
    limn_autoencoder_free(pair);
    limn_latent_free(&one);
    limn_image_free(&image);
    limn_image_free(&first);
    limn_autoencoder_free(whole);
    limn_ctx_free(ctx);
}

/* ---- sizes and files -------------------------------------------------------------------------------------------------- */

static void any_size_comes_back_as_it_was(void **state)
{
    (void)state;
    static const int sizes[][2] = {{16, 16}, {1, 1}, {17, 9}, {40, 12}};
    limn_ctx *ctx = limn_ctx_new();
    limn_autoencoder *a = opened(ctx, VAE);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int channels = 1; channels <= 4; channels++) {
            limn_image image = gradient(ctx, sizes[i][0], sizes[i][1], channels), back;
            limn_latent latent, read;
            assert_int_equal(limn_encode(a, &image, LIMN_PRECISION_F32, &latent), LIMN_OK);
            assert_int_equal(latent.width, (sizes[i][0] + 3) / 4);
            assert_int_equal(limn_latent_write(ctx, at("l.safetensors"), &latent, limn_autoencoder_describe(a).settings),
                             LIMN_OK);
            assert_int_equal(limn_latent_read(ctx, at("l.safetensors"), &read), LIMN_OK);
            assert_memory_equal(read.values, latent.values,
                                (size_t)(latent.width * latent.height * latent.channels) * sizeof(float));
            assert_int_equal(limn_decode(a, &read, LIMN_PRECISION_F32, &back), LIMN_OK);
            assert_int_equal(back.width, sizes[i][0]);
            assert_int_equal(back.height, sizes[i][1]);
            assert_int_equal(back.channels, 3);
            limn_latent_free(&latent);
            limn_latent_free(&read);
            limn_image_free(&image);
            limn_image_free(&back);
        }
    limn_autoencoder_free(a);
    limn_ctx_free(ctx);
}

/* What is padded repeats the edge: the same picture, padded by hand, has the same latent. */
static void padding_repeats_the_edge(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_autoencoder *a = opened(ctx, VAE);
    limn_image small = gradient(ctx, 6, 5, 3), large = gradient(ctx, 8, 8, 3);
    for (int y = 0; y < 8; y++)
        for (int x = 0; x < 8; x++)
            memcpy(large.pixels + (y * 8 + x) * 3, small.pixels + ((y < 5 ? y : 4) * 6 + (x < 6 ? x : 5)) * 3, 3);
    limn_latent one, two;
    assert_int_equal(limn_encode(a, &small, LIMN_PRECISION_F32, &one), LIMN_OK);
    assert_int_equal(limn_encode(a, &large, LIMN_PRECISION_F32, &two), LIMN_OK);
    assert_memory_equal(one.values, two.values, 2 * 2 * 3 * sizeof(float));
    limn_latent_free(&one);
    limn_latent_free(&two);
    limn_image_free(&small);
    limn_image_free(&large);
    limn_autoencoder_free(a);
    limn_ctx_free(ctx);
}

static void write_tensor(limn_ctx *ctx, const char *name, limn_shape shape, const float *values, const char *size)
{
    const char *const metadata[][2] = {{"limn.picture", size}};
    limn_named_view view = {name, {LIMN_F32, shape, (void *)(uintptr_t)values}};
    assert_int_equal(limn_safetensors_write(ctx, at("bad.safetensors"), 1, &view, size ? 1 : 0, metadata), LIMN_OK);
}

static void refused(limn_ctx *ctx, limn_status status, const char *words)
{
    limn_latent latent;
    assert_int_equal(limn_latent_read(ctx, at("bad.safetensors"), &latent), status);
    if (!strstr(limn_error_text(ctx), words) || !strstr(limn_error_text(ctx), "bad.safetensors"))
        fail_msg("expected \"%s\", found \"%s\"", words, limn_error_text(ctx));
    assert_null(latent.values);
}

static void a_latent_that_lies_is_one_sentence(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    float x[48] = {0};
    write_tensor(ctx, "latent", LIMN_SHAPE(3, 4, 4), x, "16x16");
    limn_latent good;
    assert_int_equal(limn_latent_read(ctx, at("bad.safetensors"), &good), LIMN_OK);
    limn_latent_free(&good);
    assert_int_equal(truncate(at("bad.safetensors"), 200), 0);
    refused(ctx, LIMN_BAD_FILE, "byte");
    write_tensor(ctx, "z", LIMN_SHAPE(3, 4, 4), x, "16x16");
    refused(ctx, LIMN_BAD_FILE, "no tensor \"latent\"");
    write_tensor(ctx, "latent", LIMN_SHAPE(12, 4), x, "16x16");
    refused(ctx, LIMN_BAD_FILE, "of 2 dimensions");
    write_tensor(ctx, "latent", LIMN_SHAPE(0, 4, 4), x, "16x16");
    refused(ctx, LIMN_BAD_FILE, "[0, 4, 4]");
    write_tensor(ctx, "latent", LIMN_SHAPE(2, 3, 4, 2), x, "16x16");
    refused(ctx, LIMN_BAD_FILE, "of 4 dimensions");
    static const char *const sizes[] = {"", "16", "16x", "16x16x", "-4x16", "3x16", "16x999999", "16 x 16"};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        write_tensor(ctx, "latent", LIMN_SHAPE(3, 4, 4), x, sizes[i]);
        refused(ctx, LIMN_BAD_FILE, "limn.picture");
    }
    x[17] = NAN;
    write_tensor(ctx, "latent", LIMN_SHAPE(3, 4, 4), x, "16x16");
    refused(ctx, LIMN_BAD_FILE, "element 17 is nan");
    unlink(at("bad.safetensors"));
    refused(ctx, LIMN_NOT_FOUND, "No such file");
    limn_ctx_free(ctx);
}

static void another_autoencoders_latent_is_refused(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_autoencoder *a = opened(ctx, VAE);
    float x[512] = {0};
    limn_image image;
    limn_latent more = {.height = 4, .width = 4, .channels = 4, .image_height = 16, .image_width = 16, .values = x};
    assert_int_equal(limn_decode(a, &more, LIMN_PRECISION_F32, &image), LIMN_BAD_ARGUMENT);
    assert_non_null(strstr(limn_error_text(ctx), "4 channels"));
    limn_latent other = {.height = 4, .width = 4, .channels = 3, .image_height = 32, .image_width = 32, .values = x};
    assert_int_equal(limn_decode(a, &other, LIMN_PRECISION_F32, &image), LIMN_BAD_ARGUMENT);
    assert_null(image.pixels);
    /* of the same shape: the file says whose it is */
    other.image_height = other.image_width = 16;
    assert_int_equal(limn_latent_write(ctx, at("own.safetensors"), &other, limn_autoencoder_describe(a).settings), LIMN_OK);
    assert_int_equal(limn_latent_check_maker(ctx, at("own.safetensors"), limn_autoencoder_describe(a).settings), LIMN_OK);
    write_weights(ctx, "vae size=16 latent=3 base=8 levels=3 mult3=2 layers=1 groups=2", at("wider.safetensors"), NULL);
    char command[1024], text[512] = "";
    snprintf(command, sizeof command,
             "cd %s && " LIMN_BINARY_DIR "/limn decode -q -m wider.safetensors own.safetensors -o foreign.png 2>foreign.txt",
             folder);
    assert_int_equal(WEXITSTATUS(system(command)), 2);
    FILE *file = fopen(at("foreign.txt"), "r");
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    assert_non_null(strstr(text, "limn: own.safetensors: the latent was made by vae size=16"));
    limn_autoencoder_free(a);
    write_weights(ctx, "dit size=8 channels=3 patch=2 width=8 depth=1 heads=2 mlp=8", at("dit.safetensors"), NULL);
    assert_int_equal(limn_autoencoder_open(ctx, at("dit.safetensors"), &a), LIMN_UNSUPPORTED);
    assert_null(a);
    limn_ctx_free(ctx);
}

/* ---- between two latents ---------------------------------------------------------------------------------------------- */

static void the_ends_of_an_interpolation_are_its_pictures(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_autoencoder *a = opened(ctx, VAE);
    limn_latent latent[2];
    limn_image end[2], images[5];
    for (int i = 0; i < 2; i++) {
        limn_image image = gradient(ctx, 16 - 4 * i, 16, 3);
        image.width = 12;
        assert_int_equal(limn_encode(a, &image, LIMN_PRECISION_F32, &latent[i]), LIMN_OK);
        assert_int_equal(limn_decode(a, &latent[i], LIMN_PRECISION_F32, &end[i]), LIMN_OK);
        limn_image_free(&image);
    }
    for (int spherical = 0; spherical < 2; spherical++) {
        assert_int_equal(limn_interpolate(a, &latent[0], &latent[1], 5, spherical, LIMN_PRECISION_F32, images), LIMN_OK);
        assert_memory_equal(images[0].pixels, end[0].pixels, 12 * 16 * 3);
        for (int i = 0; i < 12 * 16 * 3; i++)
            assert_true(abs(images[4].pixels[i] - end[1].pixels[i]) <= spherical); /* sines of pi are not 0 */
        for (int i = 0; i < 5; i++) limn_image_free(&images[i]);
    }
    assert_int_equal(limn_interpolate(a, &latent[0], &latent[1], 1, false, LIMN_PRECISION_F32, images), LIMN_BAD_ARGUMENT);
    for (int i = 0; i < 2; i++) limn_latent_free(&latent[i]), limn_image_free(&end[i]);
    limn_autoencoder_free(a);
    limn_ctx_free(ctx);
}

static uint32_t u32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The program leaves transparency to an autoencoder that knows it, as limn encode does; B is gray and of another size. */
static void the_program_keeps_transparency_between_pictures(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    char command[1024];
    limn_image strip, back, image = gradient(ctx, 16, 16, 4);
    write_weights(ctx, "vae size=16 channels=4 latent=3 base=4 levels=3 mult3=2 layers=1 groups=2", at("alpha.safetensors"),
                  NULL);
    assert_int_equal(limn_png_write(ctx, at("a.png"), &image, NULL), LIMN_OK);
    limn_image_free(&image);
    image = gradient(ctx, 9, 21, 1);
    assert_int_equal(limn_png_write(ctx, at("b.png"), &image, NULL), LIMN_OK);
    limn_image_free(&image);
    snprintf(command, sizeof command, "cd %s && export OMP_WAIT_POLICY=passive && L='" LIMN_BINARY_DIR "/limn' && "
             "$L encode -q --precision f32 -m alpha.safetensors a.png -o a.safetensors >/dev/null && "
             "$L decode -q --precision f32 -m alpha.safetensors a.safetensors -o back.png >/dev/null && "
             "$L interpolate -q --precision f32 -m alpha.safetensors a.png b.png -n 2 -o strip.png >/dev/null", folder);
    assert_int_equal(system(command), 0);
    assert_int_equal(limn_image_read(ctx, at("strip.png"), 0, &strip), LIMN_OK);
    assert_int_equal(limn_image_read(ctx, at("back.png"), 0, &back), LIMN_OK);
    assert_int_equal(strip.channels, 4);
    assert_int_equal(strip.width, 32);
    for (int y = 0; y < 16; y++) assert_memory_equal(strip.pixels + y * 32 * 4, back.pixels + y * 16 * 4, 16 * 4);
    limn_image_free(&strip);
    limn_image_free(&back);
    limn_ctx_free(ctx);
}

/* What the decoder's last channel k = (y 2 + x) C + c of a position is: pixel (y, x) of its square, channel c. */
static void a_patch_is_a_square_of_pixels(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_settings s;
    limn_ports ports;
    limn_weights w;
    limn_graph *g = limn_graph_new(ctx);
    limn_plan *plan;
    limn_run *run;
    enum { SIDE = 4, C = 3, P = 2, N = SIDE * SIDE * C };
    float x[N], y[N];
    assert_int_equal(
        limn_settings_parse(
            ctx, "vae size=4 channels=3 latent=12 base=12 levels=1 layers=1 groups=1 attention=0 quant=0 patch=2", &s),
        LIMN_OK);
    assert_int_equal(limn_model_build(g, &s, (limn_build){.batch = 1, .part = LIMN_PART_DECODER}, &ports), LIMN_OK);
    assert_int_equal(limn_node_shape(ports.latent).dim[1], SIDE / P);
    assert_int_equal(limn_node_shape(ports.output).dim[1], SIDE);
    assert_int_equal(limn_plan_new(g, 1, &ports.output, &(limn_plan_options){.precision = LIMN_PRECISION_F32}, &plan),
                     LIMN_OK);
    assert_int_equal(limn_run_new(plan, &run), LIMN_OK);
    assert_int_equal(limn_weights_new(ctx, g, 5, &w), LIMN_OK);
    for (int i = 0; i < w.n; i++) { /* nothing but conv_out's bias, k for channel k, comes out */
        bool last = !strcmp(w.node[i]->name, "decoder.conv_out.bias");
        for (int64_t k = 0; k < limn_node_count(w.node[i]); k++) w.value[w.begin[i] + (size_t)k] = last ? (float)k : 0;
        assert_int_equal(limn_run_bind(run, w.node[i], LIMN_F32, w.value + w.begin[i]), LIMN_OK);
    }
    memset(x, 0, sizeof x);
    assert_int_equal(limn_run_write(run, ports.latent, LIMN_F32, x), LIMN_OK);
    assert_int_equal(limn_run_execute(run), LIMN_OK);
    assert_int_equal(limn_run_read(run, ports.output, LIMN_F32, y), LIMN_OK);
    for (int i = 0; i < N; i++) assert_true(y[i] == (float)((i / (SIDE * C) % P * P + i / C % P) * C + i % C));
    limn_weights_free(&w);
    limn_run_free(run);
    limn_plan_free(plan);
    limn_graph_free(g);
    limn_ctx_free(ctx);
}

/* An autoencoder of patches halves the sides once more, and pads pictures accordingly. */
static void patches_count_in_the_factor(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_autoencoder *a = opened(ctx, "vae size=16 channels=4 latent=3 base=4 levels=3 mult3=2 layers=1 groups=2 patch=2");
    limn_image image = gradient(ctx, 13, 20, 4), back;
    limn_latent latent;
    assert_int_equal(limn_autoencoder_describe(a).factor, 8);
    assert_int_equal(limn_encode(a, &image, LIMN_PRECISION_F32, &latent), LIMN_OK);
    assert_int_equal(latent.width, 2);
    assert_int_equal(latent.height, 3);
    assert_int_equal(limn_decode(a, &latent, LIMN_PRECISION_F32, &back), LIMN_OK);
    assert_int_equal(back.width, 13);
    assert_int_equal(back.height, 20);
    assert_int_equal(back.channels, 4);
    limn_image_free(&image);
    limn_image_free(&back);
    limn_latent_free(&latent);
    limn_autoencoder_free(a);
    limn_ctx_free(ctx);
}

static void an_animation_is_a_png_with_frames_in_order(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_image frames[3], back;
    static unsigned char bytes[65536];
    char order[256] = "";
    uint32_t count = 0;
    for (int i = 0; i < 3; i++) {
        frames[i] = gradient(ctx, 9, 7, 3);
        memset(frames[i].pixels, 40 * i, 20);
    }
    assert_int_equal(limn_apng_write(ctx, at("x.apng"), frames, 3, 120), LIMN_OK);
    if (limn_image_read(ctx, at("x.apng"), 3, &back) != LIMN_OK) fail_msg("%s", limn_error_text(ctx)); /* the first frame */
    assert_memory_equal(back.pixels, frames[0].pixels, 9 * 7 * 3);
    FILE *file = fopen(at("x.apng"), "rb");
    size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    for (size_t i = 8; i + 12 <= n; i += u32(bytes + i) + 12) {
        snprintf(order + strlen(order), 8, "%.4s ", (const char *)bytes + i + 4);
        if (!memcmp(bytes + i + 4, "acTL", 4)) assert_int_equal(u32(bytes + i + 8), 3);
        if (!memcmp(bytes + i + 4, "fcTL", 4) || !memcmp(bytes + i + 4, "fdAT", 4))
            assert_int_equal(u32(bytes + i + 8), count++);
    }
    assert_string_equal(order, "IHDR acTL fcTL IDAT fcTL fdAT fcTL fdAT IEND ");
    frames[2].width = 8;
    assert_int_equal(limn_apng_write(ctx, at("y.apng"), frames, 3, 120), LIMN_BAD_ARGUMENT);
    assert_int_not_equal(access(at("y.apng"), F_OK), 0);
    limn_image_free(&back);
    for (int i = 0; i < 3; i++) limn_image_free(&frames[i]);
    limn_ctx_free(ctx);
}

/* ---- folders, training, generating ------------------------------------------------------------------------------------ */

static void make_pictures(limn_ctx *ctx)
{
    char name[64];
    mkdir(at("pictures"), 0777);
    FILE *file = fopen(at("pictures/metadata.jsonl"), "w");
    for (int i = 0; i < 6; i++) {
        limn_image image = gradient(ctx, 20 + i, 16, 3);
        for (int k = 0; k < image.width * 16 * 3; k++) image.pixels[k] = (uint8_t)(image.pixels[k] / (i + 1));
        snprintf(name, sizeof name, "pictures/p%d.png", i);
        assert_int_equal(limn_png_write(ctx, at(name), &image, NULL), LIMN_OK);
        fprintf(file, "{\"file_name\": \"p%d.png\", \"text\": \"number %d\", \"kept\": [%d]}\n", i, i, i);
        limn_image_free(&image);
    }
    fclose(file);
}

static void a_folder_of_latents_has_mean_0_and_spread_1(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_autoencoder *a = opened(ctx, VAE);
    make_pictures(ctx);
    char from[160], to[160], vae[160], text[4096] = "";
    snprintf(from, sizeof from, "%s", at("pictures"));
    snprintf(to, sizeof to, "%s", at("latents"));
    snprintf(vae, sizeof vae, "%s", at("vae.safetensors"));
    limn_encode_options o = {
        .folder = from, .out = to, .vae = vae, .size = 16, .crop = LIMN_CROP_CENTRE, .precision = LIMN_PRECISION_F32};
    int64_t n;
    assert_int_equal(limn_encode_folder(a, &o, &n), LIMN_OK);
    assert_int_equal(n, 6);
    FILE *file = fopen(at("latents/metadata.jsonl"), "r");
    assert_true(fread(text, 1, sizeof text - 1, file) > 0);
    fclose(file);
    assert_non_null(strstr(text, "{\"file_name\":\"p3.png.safetensors\",\"text\":\"number 3\",\"kept\":[3]}"));
    limn_dataset *data;
    limn_data_options d = {.folder = to, .size = 4, .channels = 3, .latents = true};
    assert_int_equal(limn_dataset_open(ctx, &d, &data), LIMN_OK);
    double sum = 0, square = 0;
    for (int i = 0; i < 6; i++) {
        float x[48];
        assert_int_equal(limn_dataset_picture(ctx, data, i, x), LIMN_OK);
        for (int k = 0; k < 48; k++) sum += x[k], square += x[k] * x[k];
    }
    assert_true(fabs(sum / 288) < 1e-5);
    assert_true(fabs(square / 288 - 1) < 1e-5);
    limn_dataset_free(data);
    d.channels = 4;
    assert_int_equal(limn_dataset_open(ctx, &d, &data), LIMN_BAD_ARGUMENT);
    assert_non_null(strstr(limn_error_text(ctx), "--set size=4 --set channels=3"));
    o.size = 15;
    assert_int_equal(limn_encode_folder(a, &o, &n), LIMN_BAD_ARGUMENT);
    o.size = 16, o.out = from;
    assert_int_equal(limn_encode_folder(a, &o, &n), LIMN_BAD_ARGUMENT); /* it would replace its own metadata.jsonl */
    o.out = "";
    assert_int_equal(limn_encode_folder(a, &o, &n), LIMN_BAD_ARGUMENT); /* not into / */
    limn_autoencoder_free(a);
    limn_ctx_free(ctx);
}

static void says(limn_ctx *ctx, limn_status status, const char *words)
{
    assert_int_equal(status, LIMN_BAD_ARGUMENT);
    if (!strstr(limn_error_text(ctx), words)) fail_msg("expected \"%s\", found \"%s\"", words, limn_error_text(ctx));
}

/* What is read in hours is not written over at their end: links lead to the rows, to the weights, from one latent to
 * another. */
static void no_latent_goes_over_what_is_read_or_over_another(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_autoencoder *a = opened(ctx, VAE);
    limn_image image = gradient(ctx, 16, 16, 3);
    char command[1024], from[160], to[160], vae[160];
    int64_t n;
    snprintf(from, sizeof from, "%s", at("guarded"));
    snprintf(to, sizeof to, "%s", at("guarded-latents"));
    snprintf(vae, sizeof vae, "%s", at("vae.safetensors"));
    mkdir(from, 0777);
    assert_int_equal(limn_png_write(ctx, at("guarded/p.png"), &image, NULL), LIMN_OK);
    assert_int_equal(limn_png_write(ctx, at("guarded/latents"), &image, NULL), LIMN_OK);
    FILE *file = fopen(at("guarded/metadata.jsonl"), "w");
    fputs("{\"file_name\": \"p.png\", \"text\": \"one\"}\n{\"file_name\": \"./p.png\", \"text\": \"two\"}\n{\"file_name\": "
          "\"p.png\", \"text\": \"three\"}\n",
          file);
    fclose(file);
    limn_encode_options o = {
        .folder = from, .out = to, .vae = vae, .size = 16, .crop = LIMN_CROP_CENTRE, .precision = LIMN_PRECISION_F32};
    static const struct { const char *command, *words;
    } rows[] = {
        {"ln -sf ../guarded/metadata.jsonl guarded-latents/metadata.jsonl", "would overwrite the rows of the pictures"},
        {"ln -f vae.safetensors guarded-latents/latents.safetensors", "would overwrite the autoencoder"},
        {"ln -sf ../guarded/p.png guarded-latents/p.png.safetensors", "would overwrite the picture"},
        {"echo '{\"file_name\": \"latents\", \"text\": \"four\"}' >>guarded/metadata.jsonl",
         "latents.safetensors is named for two results"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(
            command, sizeof command,
            "cd %s && rm -rf guarded-latents && mkdir guarded-latents && md5sum guarded/p.png vae.safetensors >sums && %s",
            folder, rows[i].command);
        assert_int_equal(system(command), 0);
        says(ctx, limn_encode_folder(a, &o, &n), rows[i].words);
        snprintf(command, sizeof command,
                 "cd %s && md5sum --quiet -c sums && grep -q three guarded/metadata.jsonl && test $(ls guarded-latents | wc "
                 "-l) -le 1",
                 folder);
        assert_int_equal(system(command), 0);
    }
    snprintf(command, sizeof command, "cd %s && rm -rf guarded-latents && sed -i '$d' guarded/metadata.jsonl", folder);
    assert_int_equal(system(command), 0);
    assert_int_equal(limn_encode_folder(a, &o, &n), LIMN_OK); /* one picture in three rows is no second result */
    o.folder = "shapes";
    says(ctx, limn_encode_folder(a, &o, &n), "the folder of this name is ./shapes");
    o.crop = LIMN_CROP_RANDOM, says(ctx, limn_encode_folder(a, &o, &n), "CENTRE or SQUASH");
    o = limn_encode_defaults(), says(ctx, limn_encode_folder(a, &o, &n), "folder is not set");
    o.folder = at("cats"), o.out = at("dogs"), says(ctx, limn_encode_folder(a, &o, &n), "vae is not set");
    limn_image_free(&image);
    limn_autoencoder_free(a);
    limn_ctx_free(ctx);
}

/* A picture with two rows, of which --where leaves one out: the latent has the words of the other. */
static void a_latent_keeps_the_row_that_was_chosen(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_autoencoder *a = opened(ctx, VAE);
    limn_image image = gradient(ctx, 16, 16, 3);
    char from[160], to[160], vae[160], text[4096] = "";
    int64_t n;
    snprintf(from, sizeof from, "%s", at("twice"));
    snprintf(to, sizeof to, "%s", at("twice-latents"));
    snprintf(vae, sizeof vae, "%s", at("vae.safetensors"));
    mkdir(from, 0777);
    assert_int_equal(limn_png_write(ctx, at("twice/p.png"), &image, NULL), LIMN_OK);
    FILE *file = fopen(at("twice/metadata.jsonl"), "w");
    fputs("{\"file_name\": \"p.png\", \"text\": \"wrong\", \"style\": \"b\"}\n{\"file_name\": \"p.png\", \"text\": "
          "\"right\", \"style\": \"a\"}\n",
          file);
    fclose(file);
    limn_encode_options o = {.folder = from,
                             .out = to,
                             .vae = vae,
                             .where = "style=a",
                             .size = 16,
                             .crop = LIMN_CROP_CENTRE,
                             .precision = LIMN_PRECISION_F32};
    assert_int_equal(limn_encode_folder(a, &o, &n), LIMN_OK);
    assert_int_equal(n, 1);
    file = fopen(at("twice-latents/metadata.jsonl"), "r");
    assert_true(fread(text, 1, sizeof text - 1, file) > 0);
    fclose(file);
    assert_string_equal(text, "{\"file_name\":\"p.png.safetensors\",\"text\":\"right\",\"style\":\"a\"}\n");
    /* a list stays one, a caption beside the picture comes along, a byte order mark and blank lines stay behind */
    file = fopen(at("twice/metadata.jsonl"), "w");
    fputs("\xef\xbb\xbf{\"file_name\": \"p.png\", \"caption\": [\"a\", \"b\"]}\r\n\r\n{\"file_name\": \"p.png\"}\r\n", file);
    fclose(file);
    file = fopen(at("twice/p.caption"), "w");
    fputs("beside", file);
    fclose(file);
    o.where = NULL, memset(text, 0, sizeof text);
    assert_int_equal(limn_encode_folder(a, &o, NULL), LIMN_OK); /* nobody has to count */
    file = fopen(at("twice-latents/metadata.jsonl"), "r");
    assert_true(fread(text, 1, sizeof text - 1, file) > 0);
    fclose(file);
    assert_string_equal(text, "{\"file_name\":\"p.png.safetensors\",\"caption\":[\"a\",\"b\"]}\n{\"file_name\":\"p.png."
                              "safetensors\",\"caption\":\"beside\"}\n");
    limn_image_free(&image);
    limn_autoencoder_free(a);
    limn_ctx_free(ctx);
}

/* A model of latents whose metadata names its autoencoder; the settings are VAE's. */
static void write_model(limn_ctx *ctx, const char *file, const char *vae, const char *crc)
{
    limn_autoencoder *a = opened(ctx, VAE);
    const char *const metadata[][2] = {{"limn.latent.scale", "1"},
                                       {"limn.vae.settings", limn_autoencoder_describe(a).settings},
                                       {"limn.vae", vae},
                                       {"limn.vae.crc32", crc}};
    const char *net = "dit size=4 channels=3 patch=2 width=8 depth=1 heads=2 mlp=8";
    if (!make_network_with(ctx, file, net, NULL, crc ? 4 : 3, metadata)) fail_msg("%s", limn_error_text(ctx));
    limn_autoencoder_free(a);
}

static int warnings;

static void count_warnings(void *user, limn_log_level level, const char *text)
{
    (void)user, (void)text;
    warnings += level == LIMN_LOG_WARN;
}

/* Somebody's model may name any path: what counts is the last name, and it must lie beside the weights or beside the model's
 * folder. */
static void a_model_opens_its_autoencoder_beside_it_only(void **state)
{
    (void)state;
    static const struct { const char *said, *crc; limn_status status; int warnings; } cases[] = {
        {"/home/somebody/runs/near.safetensors", NULL, LIMN_OK, 0}, {"near.safetensors", NULL, LIMN_OK, 0},
        {"next.safetensors", NULL, LIMN_OK, 0},
        {"../../../near.safetensors/", NULL, LIMN_OK, 0}, {"near.safetensors", "00000000", LIMN_OK, 1},
        {"/etc/..", NULL, LIMN_NOT_FOUND, 0}, {"", NULL, LIMN_NOT_FOUND, 0},
        {"/", NULL, LIMN_NOT_FOUND, 0}, {"model.safetensors", NULL, LIMN_NOT_FOUND, 0},
        {"far/away.safetensors", NULL, LIMN_NOT_FOUND, 0},
        {NULL, NULL, LIMN_NOT_FOUND, 0}, /* an absolute path of a file that is there, elsewhere */
    };
    limn_ctx *ctx = limn_ctx_new();
    limn_ctx_set_log(ctx, count_warnings, NULL);
    char away[1200], here[1000];
    assert_non_null(getcwd(here, sizeof here));
    snprintf(away, sizeof away, "%s%s%s", *folder == '/' ? "" : here, *folder == '/' ? "" : "/",
             at("stolen/far/away.safetensors"));
    mkdir(at("stolen"), 0777);
    mkdir(at("stolen/far"), 0777);
    mkdir(at("stolen/model"), 0777);
    write_weights(ctx, VAE, at("stolen/model/near.safetensors"), NULL);
    write_weights(ctx, VAE, at("stolen/next.safetensors"), NULL);
    write_weights(ctx, VAE, away, NULL);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        limn_pipeline *p;
        warnings = 0;
        write_model(ctx, at("stolen/model/model.safetensors"), cases[k].said ? cases[k].said : away, cases[k].crc);
        assert_int_equal(limn_pipeline_open(ctx, at("stolen/model"), &p), LIMN_OK);
        if (limn_pipeline_set_autoencoder(p, NULL) != cases[k].status) fail_msg("%zu: %s", k, limn_error_text(ctx));
        if (cases[k].status != LIMN_OK && !strstr(limn_error_text(ctx), "--vae"))
            fail_msg("%zu: %s", k, limn_error_text(ctx));
        assert_int_equal(warnings, cases[k].warnings);
        limn_pipeline_free(p);
    }
    limn_ctx_free(ctx);
}

/* What limn encode writes says which autoencoder it was without saying where; older files said where. */
static void latents_name_no_path(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_autoencoder *a = opened(ctx, VAE);
    limn_latents all;
    char crc[9];
    assert_int_equal(limn_autoencoder_checksum(a, crc), LIMN_OK);
    assert_int_equal(limn_latents_read(ctx, at("latents/latents.safetensors"), &all), LIMN_OK);
    assert_string_equal(all.vae, "vae.safetensors");
    assert_string_equal(all.vae_crc, crc);
    const char *const metadata[][2] = {{"limn.latent.scale", "1"}, {"limn.latent.shape", "4x4x3"},
                                       {"limn.latent.shift", "0"}, {"limn.vae", "/home/me/runs/old/"}};
    assert_int_equal(limn_safetensors_write(ctx, at("old.safetensors"), 0, NULL, 4, metadata), LIMN_OK);
    assert_int_equal(limn_latents_read(ctx, at("old.safetensors"), &all), LIMN_OK);
    assert_string_equal(all.vae, "old");
    assert_string_equal(all.vae_crc, "");
    limn_autoencoder_free(a);
    limn_ctx_free(ctx);
}

/* Goes on from the latents above. */
static void a_network_trained_on_latents_makes_pictures(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    char latents[160], run[160];
    snprintf(latents, sizeof latents, "%s", at("latents"));
    snprintf(run, sizeof run, "%s", at("run"));
    limn_train_options o = limn_train_defaults();
    o.network = "dit patch=2 width=8 depth=1 heads=2 mlp=8";
    o.data = latents, o.latents = true, o.out = run, o.steps = 3, o.batch = 2, o.precision = LIMN_PRECISION_F32;
    limn_status status = limn_train(ctx, &o);
    if (status != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    o.flip = true;
    assert_int_equal(limn_train(ctx, &o), LIMN_BAD_ARGUMENT);
    limn_pipeline *p;
    limn_image image;
    limn_generate_options g = limn_generate_defaults();
    g.steps = 2;
    assert_int_equal(limn_pipeline_open(ctx, run, &p), LIMN_OK);
    assert_true(limn_pipeline_describe(p).makes_latents);
    assert_int_equal(limn_generate(p, &g, &image), LIMN_UNSUPPORTED);
    assert_int_equal(limn_pipeline_set_autoencoder(p, NULL), LIMN_OK); /* the one it was trained for */
    assert_int_equal(limn_generate(p, &g, &image), LIMN_OK);
    assert_int_equal(image.width, 16);
    assert_int_equal(image.channels, 3);
    limn_image_free(&image);
    limn_image init = gradient(ctx, 16, 16, 3); /* no step, no way through the autoencoder */
    g.init = &init, g.strength = 0;
    assert_int_equal(limn_generate(p, &g, &image), LIMN_OK);
    assert_true(image.width == 16 && image.height == 16 && image.channels == 3);
    assert_memory_equal(image.pixels, init.pixels, 16 * 16 * 3);
    limn_image_free(&image);
    limn_image_free(&init);
    g.init = NULL;
    limn_sampler_options sampling;
    p->schedule.kind = LIMN_SCHEDULE_LINEAR; /* a latent of three channels has no ends at -1 and 1 */
    assert_int_equal(limn_generate_sampler(p, &g, &sampling), LIMN_OK);
    assert_true(sampling.clip == 0);
    write_weights(ctx, TAE, at("other.safetensors"), NULL);
    assert_int_equal(limn_pipeline_set_autoencoder(p, at("other.safetensors")), LIMN_BAD_ARGUMENT);
    limn_pipeline_free(p);
    write_weights(ctx, "dit size=4 channels=3 patch=2 width=8 depth=1 heads=2 mlp=8", at("pictures.safetensors"),
                  NULL); /* its 3 channels are colours */
    assert_int_equal(limn_pipeline_open(ctx, at("pictures.safetensors"), &p), LIMN_OK);
    assert_int_equal(limn_pipeline_set_autoencoder(p, at("vae.safetensors")), LIMN_BAD_ARGUMENT);
    assert_non_null(strstr(limn_error_text(ctx), "trained as pictures"));
    p->schedule.kind = LIMN_SCHEDULE_LINEAR;
    assert_int_equal(limn_generate_sampler(p, &g, &sampling), LIMN_OK);
    assert_true(sampling.clip == 1);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* RUN/vae is the network's without a word, and wherever the folder goes; without it the metadata's. */
static void one_folder_holds_network_and_autoencoder(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    char command[1024], latents[160], run[160];
    snprintf(latents, sizeof latents, "%s", at("latents"));
    snprintf(run, sizeof run, "%s", at("together"));
    snprintf(command, sizeof command, "mkdir -p %s/vae && cp %s %s/vae/model.safetensors", run, at("vae.safetensors"), run);
    assert_int_equal(system(command), 0);
    limn_train_options o = limn_train_defaults();
    o.network = "dit size=4 channels=3 patch=2 width=8 depth=1 heads=2 mlp=8";
    o.data = latents, o.latents = true, o.out = run, o.steps = 1, o.batch = 2, o.precision = LIMN_PRECISION_F32;
    if (limn_train(ctx, &o) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    snprintf(command, sizeof command, "! grep -q '\"limn.vae\"' %s/model.safetensors && mv %s %s && mv %s %s", run, run,
             at("moved"), at("vae.safetensors"), at("away.safetensors"));
    assert_int_equal(system(command), 0);
    limn_pipeline *p;
    limn_image image;
    limn_generate_options g = limn_generate_defaults();
    g.steps = 1;
    if (limn_pipeline_open(ctx, at("moved"), &p) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    assert_int_equal(limn_pipeline_describe(p).width, 16);
    assert_int_equal(limn_pipeline_set_autoencoder(p, NULL), LIMN_OK);
    assert_int_equal(limn_generate(p, &g, &image), LIMN_OK);
    assert_int_equal(image.width, 16);
    limn_image_free(&image);
    limn_pipeline_free(p);
    write_weights(ctx, TAE, at("moved/vae/model.safetensors"), NULL); /* another's latents */
    assert_int_equal(limn_pipeline_open(ctx, at("moved"), &p), LIMN_BAD_ARGUMENT);
    assert_non_null(strstr(limn_error_text(ctx), "moved/vae"));
    limn_ctx_free(ctx);
}

/* A vae learns to give back what it sees; resumed, it makes the same weights. */
static void training_a_vae_resumes_with_the_same_bits(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_ctx_set_threads(ctx, 1);
    char pictures[160], whole[160], parts[160];
    static unsigned char a[1 << 20], b[1 << 20];
    snprintf(pictures, sizeof pictures, "%s", at("pictures"));
    snprintf(whole, sizeof whole, "%s", at("whole"));
    snprintf(parts, sizeof parts, "%s", at("parts"));
    limn_train_options o = limn_train_defaults();
    o.network = "vae size=16 latent=2 base=4 levels=2 layers=1 groups=2";
    o.data = pictures, o.out = whole, o.steps = 4, o.batch = 2, o.precision = LIMN_PRECISION_F32, o.flip = true,
    o.warmup = 0, o.decay = 1;
    if (limn_train(ctx, &o) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    o.out = parts, o.seconds = 1e-9; /* stops after a step */
    if (limn_train(ctx, &o) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    o.seconds = 0, o.resume = true;
    if (limn_train(ctx, &o) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    FILE *file = fopen(at("whole/model.safetensors"), "rb");
    size_t n = fread(a, 1, sizeof a, file);
    fclose(file);
    file = fopen(at("parts/model.safetensors"), "rb");
    assert_int_equal(fread(b, 1, sizeof b, file), n);
    fclose(file);
    assert_memory_equal(a, b, n);
    o.kl = 1;
    assert_int_equal(limn_train(ctx, &o), LIMN_BAD_ARGUMENT);
    assert_non_null(strstr(limn_error_text(ctx), "--kl"));
    limn_ctx_free(ctx);
}

/* The program, from a picture and back. */
static void decode_says_how_near_the_picture_is(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_autoencoder_free(opened(ctx, VAE));
    char command[1024], text[256] = "";
    for (int side = 8; side <= 16; side += 8) { /* 8: too small for a window of SSIM */
        limn_image image = gradient(ctx, side, side, 3);
        assert_int_equal(limn_png_write(ctx, at("near.png"), &image, NULL), LIMN_OK);
        limn_image_free(&image);
        snprintf(command, sizeof command,
                 "cd %s && OMP_WAIT_POLICY=passive && L=" LIMN_BINARY_DIR
                 "/limn && $L encode -q -m vae.safetensors near.png -o near.safetensors >/dev/null && "
                 "$L decode -q -m vae.safetensors near.safetensors -o back.png --compare near.png >near.txt",
                 folder);
        assert_int_equal(system(command), 0);
        FILE *file = fopen(at("near.txt"), "r");
        text[fread(text, 1, sizeof text - 1, file)] = '\0';
        fclose(file);
        assert_non_null(strstr(text, "back.png\nPSNR "));
        assert_true((strstr(text, " dB, SSIM ") != NULL) == (side > 8));
    }
    limn_ctx_free(ctx);
}

/* The trainer skips a few pictures that cannot be read; so does what it shows. */
static void a_damaged_picture_is_not_shown(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    char pictures[160], run[160];
    make_pictures(ctx);
    snprintf(pictures, sizeof pictures, "%s", at("pictures"));
    snprintf(run, sizeof run, "%s", at("shown"));
    FILE *file = fopen(at("pictures/p0.png"), "wb");
    fputs("no picture", file);
    fclose(file);
    limn_train_options o = limn_train_defaults();
    o.network = "vae size=16 latent=2 base=4 levels=2 layers=1 groups=2";
    o.data = pictures, o.out = run, o.steps = 1, o.batch = 2, o.precision = LIMN_PRECISION_F32, o.sample_every = 1;
    if (limn_train(ctx, &o) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    limn_image grid;
    assert_int_equal(limn_image_read(ctx, at("shown/samples/step-000001.png"), 3, &grid), LIMN_OK);
    assert_int_equal(grid.width, 5 * 16);
    limn_image_free(&grid);
    limn_ctx_free(ctx);
}

static int begin(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/limn-autoencoder-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(photographs_come_back_as_from_pytorch),
        cmocka_unit_test(halves_in_two_files_are_one_autoencoder),
        cmocka_unit_test(any_size_comes_back_as_it_was),
        cmocka_unit_test(padding_repeats_the_edge),
        cmocka_unit_test(a_latent_that_lies_is_one_sentence),
        cmocka_unit_test(another_autoencoders_latent_is_refused),
        cmocka_unit_test(the_ends_of_an_interpolation_are_its_pictures),
        cmocka_unit_test(the_program_keeps_transparency_between_pictures),
        cmocka_unit_test(a_patch_is_a_square_of_pixels),
        cmocka_unit_test(patches_count_in_the_factor),
        cmocka_unit_test(an_animation_is_a_png_with_frames_in_order),
        cmocka_unit_test(a_folder_of_latents_has_mean_0_and_spread_1),
        cmocka_unit_test(no_latent_goes_over_what_is_read_or_over_another),
        cmocka_unit_test(a_latent_keeps_the_row_that_was_chosen),
        cmocka_unit_test(a_model_opens_its_autoencoder_beside_it_only),
        cmocka_unit_test(latents_name_no_path),
        cmocka_unit_test(a_network_trained_on_latents_makes_pictures),
        cmocka_unit_test(one_folder_holds_network_and_autoencoder),
        cmocka_unit_test(training_a_vae_resumes_with_the_same_bits),
        cmocka_unit_test(a_damaged_picture_is_not_shown),
        cmocka_unit_test(decode_says_how_near_the_picture_is),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
