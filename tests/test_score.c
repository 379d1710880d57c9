/* test_score.c: what limn-score measures, on pictures whose values follow from formulas. */
#include "file/image.h"
#include "graph/node.h"
#include "make_folder.h"
#include "make_network.h"
#include "measure.h"
#include "model/model.h"
#include "words.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

enum { SIZE = 32, C = MEASURE_CHANNELS, N = SIZE * SIZE * C };

static void fill(float *x, float colour, float alpha)
{
    for (int i = 0; i < N; i++) x[i] = i % C < 3 ? colour : alpha;
}

/* On a chessboard of 101 and 99 every pixel differs from its four neighbours by 2; what is not flat or not opaque does not
 * count. */
static void clean_looks_where_the_original_is_flat(void **state)
{
    (void)state;
    static float original[N], x[N];
    measure_mean mean = {0};
    fill(original, 100, 255);
    for (int i = 0; i < N; i++) x[i] = (i / C + i / C / SIZE) % 2 ? 101 : 99;
    measure_clean(original, x, SIZE, &mean);
    assert_true(mean.n == 3 * (SIZE - 2) * (SIZE - 2));
    assert_true(fabs(measure_value(mean) - 8) < 1e-6);
    for (int y = 0; y < SIZE; y++)
        for (int k = SIZE / 2; k < SIZE; k++)
            original[(y * SIZE + k) * C] = 105; /* a step of 5 in red: the columns at it are not flat */
    mean = (measure_mean){0};
    measure_clean(original, x, SIZE, &mean);
    assert_true(mean.n == 3 * (SIZE - 2) * (SIZE - 4));
    for (int y = 0; y < SIZE; y++)
        for (int k = SIZE / 2; k < SIZE; k++) original[(y * SIZE + k) * C] = 104;
    mean = (measure_mean){0};
    measure_clean(original, x, SIZE, &mean);
    assert_true(mean.n == 3 * (SIZE - 2) * (SIZE - 2));
    fill(original, 100, 250);
    mean = (measure_mean){0};
    measure_clean(original, x, SIZE, &mean);
    assert_true(mean.n == 0 && isnan(measure_value(mean)));
}

/* Columns rise by 1, and by 4 from one square of 8 to the next; so do rows. */
static void seams_are_steps_between_squares(void **state)
{
    (void)state;
    static float x[N];
    measure_steps steps = {0};
    for (int i = 0; i < N; i++) {
        int column = i / C % SIZE, row = i / C / SIZE;
        x[i] = (float)(column + 3 * (column / 8) + row + 3 * (row / 8));
    }
    measure_steps_add(x, SIZE, 8, &steps);
    assert_true(steps.border.n == 2 * 3 * SIZE * C);
    assert_true(steps.elsewhere.n == 2 * 28 * SIZE * C);
    assert_true(fabs(measure_value(steps.border) - 4) < 1e-6 && fabs(measure_value(steps.elsewhere) - 1) < 1e-6);
    assert_true(fabs(measure_steps_ratio(&steps) - 4) < 1e-6);
    steps = (measure_steps){0};
    measure_steps_add(x, SIZE, 16, &steps); /* of 30 steps elsewhere 2 are borders of 8: (28 + 2 * 4) / 30 */
    assert_true(fabs(measure_steps_ratio(&steps) - 4 / (36.0 / 30)) < 1e-6);
}

static void ssim_is_of_what_is_seen_on_white(void **state)
{
    static float a[N], b[N];
    double ssim;
    fill(a, 0, 0);     /* nothing */
    fill(b, 255, 255); /* white */
    assert_int_equal(measure_ssim(*state, SIZE, a, b, &ssim), LIMN_OK);
    assert_true(fabs(ssim - 1) < 1e-9);
    fill(a, 0, 255); /* black: C1 / (1 + C1), with C1 = 0.01 squared */
    assert_int_equal(measure_ssim(*state, SIZE, a, b, &ssim), LIMN_OK);
    assert_true(fabs(ssim - 1e-4 / (1 + 1e-4)) < 1e-9);
}

static void the_nearest_thumbnail_is_right_or_not(void **state)
{
    (void)state;
    static float thumbs[4][MEASURE_THUMB], x[N], mine[MEASURE_THUMB];
    uint8_t right[4] = {0, 0, 1, 1};
    for (int i = 0; i < N; i++) x[i] = i % C == 1 ? (float)(i / C % SIZE + i / C / SIZE) : 7;
    measure_thumbnail(x, SIZE, mine);
    for (int i = 0; i < MEASURE_THUMB; i++) /* of 2x2 pixels: the mean of both ramps is 2 column + 2 row + 1 */
        assert_true(mine[i] == (i % C == 1 ? (float)(2 * (i / C % MEASURE_SIDE) + 2 * (i / C / MEASURE_SIDE) + 1) : 7));
    for (int k = 0; k < 4; k++)
        for (int i = 0; i < MEASURE_THUMB; i++) thumbs[k][i] = mine[i] + (float)k; /* 0, 1, 2, 3 away */
    assert_true(measure_place(4, thumbs[0], right, mine) == 2);
    right[0] = 1;
    assert_true(measure_place(4, thumbs[0], right, mine) == 0);
    assert_true(measure_place(4, thumbs[0], (uint8_t[]){0, 0, 0, 0}, mine) == 4);
}

static void the_middle_of_numbers(void **state)
{
    (void)state;
    double odd[] = {3, 1, 2}, even[] = {4, 1, 3, 2};
    assert_true(measure_median(odd, 3) == 2);
    assert_true(measure_median(even, 4) == 2.5);
    assert_true(isnan(measure_median(NULL, 0)));
}

static void bytes_become_colours_times_alpha(void **state)
{
    (void)state;
    uint8_t pixel[] = {255, 100, 0, 51};
    limn_image image = {.width = 1, .height = 1, .channels = 4, .pixels = pixel};
    float x[4];
    measure_from_image(&image, x);
    assert_true(fabsf(x[0] - 51) < 1e-4f && fabsf(x[1] - 20) < 1e-4f && x[2] == 0 && x[3] == 51);
}

/* ---- words ------------------------------------------------------------------------------------------------------------ */

static void write_rows(limn_ctx *ctx, const char *rows)
{
    for (int i = 0; i < 3; i++) {
        char name[16];
        limn_image image;
        snprintf(name, sizeof name, "p%d.png", i);
        assert_int_equal(limn_image_new(ctx, name, SIZE, SIZE, 4, &image), LIMN_OK);
        memset(image.pixels, 255, N);
        assert_int_equal(limn_png_write(ctx, in(name), &image, NULL), LIMN_OK);
        limn_image_free(&image);
    }
    FILE *file = fopen(in("metadata.jsonl"), "w");
    fputs(rows, file);
    fclose(file);
}

#define ROWS "{\"file_name\": \"p0.png\", \"text\": \"a\", \"k\": [\"red\", \"fruit\", \"red\"], \"s\": \"x\"}\n\n" \
             "{\"file_name\": \"p1.png\", \"text\": \"b\", \"k\": [\"fruit\", \"sour\"], \"s\": \"x\"}\n" \
             "{\"file_name\": \"p2.png\", \"text\": \"c\", \"k\": [\"far\"], \"s\": \"y\"}\n"

/* p2 is not among the rows that were chosen. */
static void words_know_their_pictures(void **state)
{
    limn_ctx *ctx = *state;
    limn_dataset *data;
    words w;
    int64_t pick[3];
    write_rows(ctx, ROWS);
    limn_data_options o = {.folder = folder, .where = "s=x", .size = SIZE, .channels = 4};
    assert_int_equal(limn_dataset_open(ctx, &o, &data), LIMN_OK);
    assert_int_equal(words_read(ctx, folder, "k", data, &w), LIMN_OK);
    assert_int_equal(w.n, 3);
    static const struct {
        const char *text;
        int64_t n, carrier;
    } expected[] = {{"fruit", 2, 0}, {"red", 1, 0}, {"sour", 1, 1}};
    for (int i = 0; i < 3; i++) {
        assert_string_equal(w.word[i].text, expected[i].text);
        assert_int_equal(w.word[i].n, expected[i].n);
        assert_int_equal(w.carrier[w.word[i].first], expected[i].carrier);
    }
    assert_int_equal(w.carrier[w.word[0].first + 1], 1);
    assert_int_equal(words_pick(&w, 1, 9, 1, pick), 2); /* "fruit" has two */
    assert_int_equal(pick[0] + pick[1], 3);
    assert_int_equal(words_pick(&w, 2, 2, 1, pick), 2);
    words_free(&w);
    write_rows(ctx, "{\"file_name\": \"p0.png\", \"text\": \"a\", \"k\": \"red\", \"s\": \"x\"}\n{\"file_name\": "
                    "\"p1.png\", \"text\": \"b\", \"s\": \"x\"}\n");
    assert_int_equal(words_read(ctx, folder, "k", data, &w), LIMN_BAD_FILE);
    assert_non_null(strstr(limn_error_text(ctx), "metadata.jsonl line 1: expected k to be a list of texts"));
    limn_dataset_free(data);
}

/* ---- the program ------------------------------------------------------------------------------------------------------ */

static void zero(const limn_node *parameter, float *values)
{
    memset(values, 0, (size_t)limn_node_count(parameter) * sizeof *values);
}

/* All weights 0: of every picture comes back 0 in the network's numbers, half transparent white. */
static void write_zeros(limn_ctx *ctx, const char *settings)
{
    if (!make_network_with(ctx, in("zeros.safetensors"), settings, zero, 0, NULL)) fail_msg("%s", limn_error_text(ctx));
}

static const char *output_of(const char *arguments)
{
    static char text[2048];
    char command[1024];
    snprintf(command, sizeof command, "%s/limn-score %s 2>%s", LIMN_BINARY_DIR, arguments, in("err.txt"));
    FILE *out = popen(command, "r");
    text[fread(text, 1, sizeof text - 1, out)] = '\0';
    assert_int_equal(pclose(out), 0);
    return text;
}

/* 255 comes back as 128, in bytes: 20 log10(255 / 127) dB; on white both are white. */
static void the_program_scores_an_autoencoder(void **state)
{
    char arguments[800];
    write_rows(*state, ROWS);
    write_zeros(*state, "vae size=32 channels=4 latent=3 base=4 levels=3 mult3=2 layers=1 groups=2 patch=2");
    snprintf(arguments, sizeof arguments, "autoencoder %s %s s=x 0 32 %s", in("zeros.safetensors"), folder, in("sheet.png"));
    const char *text = output_of(arguments);
    assert_non_null(strstr(text, "2 pictures: PSNR of colours times alpha and alpha: mean 6.05 dB, median 6.05, a tenth is "
                                 "below 6.05, least 6.05\n"));
    assert_non_null(strstr(text, "clean: mean Laplacian where the original is flat 0.00 (originals 0.00)\n"));
    assert_non_null(strstr(text, "true: SSIM on white, median 1.0000\n"));
    limn_image sheet; /* what came back, and right of it the original */
    assert_int_equal(limn_image_read(*state, in("sheet.png"), 0, &sheet), LIMN_OK);
    assert_int_equal(sheet.width, 16 * SIZE);
    assert_memory_equal(sheet.pixels, ((uint8_t[]){255, 255, 255, 128}), 4);
    assert_memory_equal(sheet.pixels + SIZE * C, ((uint8_t[]){255, 255, 255, 255}), 4);
    limn_image_free(&sheet);
}

/* A network that learned nothing leaves noise: its rows are all alike white, so every one is the nearest. */
static void the_program_scores_a_denoiser(void **state)
{
    char arguments[800];
    double ssim;
    write_rows(*state, ROWS);
    write_zeros(*state, "dit size=32 channels=4 patch=8 width=8 depth=1 heads=2 mlp=8");
    snprintf(arguments, sizeof arguments, "%s %s s=x s=x 0 2 1 %s", in("zeros.safetensors"), folder, in("sheet.png"));
    const char *text = output_of(arguments);
    assert_non_null(strstr(
        text,
        "2 captions against 2 pictures: nearest 100.0 %, among the five nearest 100.0 %  (2 steps, guidance 1, seed 42)\n"));
    assert_non_null(strstr(text, "seams: at borders of 8 pixels "));
    snprintf(arguments, sizeof arguments, "words %s %s s=x k 2 2 1", in("zeros.safetensors"), folder);
    assert_non_null(strstr(output_of(arguments),
                           "words: of 2 texts of k that at most 3 pictures carry, one of these is the nearest for 100.0 %"));
    snprintf(arguments, sizeof arguments, "varied %s %s s=x 1 2 1", in("zeros.safetensors"), folder);
    assert_int_equal(sscanf(output_of(arguments), "varied: 4 seeds of 1 captions, mean SSIM of pairs %lf", &ssim), 1);
    assert_true(ssim > -0.5 && ssim < 0.9);
    snprintf(arguments, sizeof arguments, "%s/limn-score varied %s %s 2>%s", LIMN_BINARY_DIR, in("zeros.safetensors"),
             folder, in("err.txt"));
    assert_int_equal(WEXITSTATUS(system(arguments)), 2);
}

/* A model of latents and its autoencoder in one folder: a position of the latent is 4 pixels, a token 2 positions. */
static void the_program_scores_a_denoiser_of_latents(void **state)
{
    char arguments[800];
    const char *vae = "vae size=32 channels=4 latent=3 base=4 levels=2 layers=1 groups=2 attention=0 patch=2",
               *net = "dit size=8 channels=3 patch=2 width=8 depth=1 heads=2 mlp=8";
    write_rows(*state, ROWS);
    mkdir(in("latents"), 0777);
    mkdir(in("latents/vae"), 0777);
    if (!make_network(*state, in("latents/vae/model.safetensors"), vae, NULL) ||
        !make_network_with(*state, in("latents/model.safetensors"), net, zero, 1,
                           (const char *const[][2]){{"limn.latent.scale", "1"}}))
        fail_msg("%s", limn_error_text(*state));
    snprintf(arguments, sizeof arguments, "%s %s s=x s=x 0 2 1", in("latents"), folder);
    const char *text = output_of(arguments);
    assert_non_null(strstr(text, "2 captions against 2 pictures: nearest 100.0 %"));
    assert_non_null(strstr(text, "clean: mean Laplacian where the original is flat "));
    assert_non_null(strstr(text, "seams: at borders of 8 pixels "));
    assert_non_null(strstr(text, "seams: at borders of 4 pixels "));
    assert_non_null(strstr(text, "true: SSIM on white, median "));
}

/* Nine texts are two rows of eight pictures; of the same seed, by a network that reads none, all are alike. */
static void the_program_draws_every_line_of_a_file(void **state)
{
    char arguments[800];
    limn_image sheet;
    write_zeros(*state, "dit size=32 channels=4 patch=8 width=8 depth=1 heads=2 mlp=8");
    FILE *file = fopen(in("texts.txt"), "w");
    fputs("a happy feline\r\n\nred fruit\n3\n4\n5\n6\n7\n8\nthe last", file);
    fclose(file);
    snprintf(arguments, sizeof arguments, "sheet %s %s %s 2 1", in("zeros.safetensors"), in("texts.txt"), in("texts.png"));
    output_of(arguments);
    assert_int_equal(limn_image_read(*state, in("texts.png"), 0, &sheet), LIMN_OK);
    assert_true(sheet.width == 8 * SIZE && sheet.height == 2 * SIZE);
    for (int y = 0; y < 2 * SIZE; y++)
        for (int at = 0; at < 8; at++) {
            const uint8_t *row = sheet.pixels + ((size_t)y * 8 + (size_t)at) * SIZE * C,
                          *first = sheet.pixels + (size_t)(y % SIZE) * 8 * SIZE * C;
            if (y < SIZE || at == 0) assert_memory_equal(row, first, SIZE * C);
            else for (int k = 0; k < SIZE * C; k++) assert_int_equal(row[k], 0);
        }
    limn_image_free(&sheet);
    file = fopen(in("texts.txt"), "w");
    fputs("\n\n", file);
    fclose(file);
    snprintf(arguments, sizeof arguments, "%s/limn-score sheet %s %s %s 2>%s", LIMN_BINARY_DIR, in("zeros.safetensors"),
             in("texts.txt"), in("none.png"), in("err.txt"));
    assert_int_equal(WEXITSTATUS(system(arguments)), 1);
    assert_true(access(in("none.png"), F_OK) != 0);
}

static int begin(void **state)
{
    limn_ctx *ctx = *state = limn_ctx_new();
    return ctx && make_folder(ctx, "score") ? 0 : -1;
}

static int end(void **state)
{
    limn_ctx_free(*state);
    return remove_folder();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clean_looks_where_the_original_is_flat), cmocka_unit_test(seams_are_steps_between_squares),
        cmocka_unit_test(ssim_is_of_what_is_seen_on_white), cmocka_unit_test(the_nearest_thumbnail_is_right_or_not),
        cmocka_unit_test(the_middle_of_numbers), cmocka_unit_test(bytes_become_colours_times_alpha),
        cmocka_unit_test(words_know_their_pictures), cmocka_unit_test(the_program_scores_an_autoencoder),
        cmocka_unit_test(the_program_scores_a_denoiser), cmocka_unit_test(the_program_scores_a_denoiser_of_latents),
        cmocka_unit_test(the_program_draws_every_line_of_a_file),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
