/* test_idx.c: MNIST as it is published becomes pictures, captions and classes; files that lie are refused with a
 * sentence. */
#include "data/data.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <unistd.h>
#include <zlib.h>

enum { N = 5, SIDE = 4, IMAGES = 16 + N * SIDE * SIDE, LABELS = 8 + N };

typedef struct pair {
    unsigned char images[IMAGES], labels[LABELS];
} pair;

static const unsigned char digits[N] = {7, 0, 9, 7, 3};

/* Picture i is of gray 50 i. */
static pair good(void)
{
    pair p = {.images = {0, 0, 8, 3, 0, 0, 0, N, 0, 0, 0, SIDE, 0, 0, 0, SIDE}, .labels = {0, 0, 8, 1, 0, 0, 0, N}};
    for (int i = 0; i < N * SIDE * SIDE; i++) p.images[16 + i] = (unsigned char)(50 * (i / (SIDE * SIDE)));
    memcpy(p.labels + 8, digits, N);
    return p;
}

/* As gzip when `mode` is "wb", as it is when "wbT". */
static void put(const char *path, const char *mode, const unsigned char *bytes, size_t n)
{
    gzFile f = gzopen(path, mode);
    assert_non_null(f);
    assert_int_equal(gzwrite(f, bytes, (unsigned)n), n);
    assert_int_equal(gzclose(f), Z_OK);
}

static void put_pair(const pair *p, size_t n_images, size_t n_labels)
{
    put("idx-test/train-images-idx3-ubyte", "wbT", p->images, n_images);
    put("idx-test/train-labels-idx1-ubyte", "wbT", p->labels, n_labels);
}

static int fresh(void **state)
{
    (void)state;
    return system("rm -rf idx-test && mkdir idx-test");
}

static void refused(const char *why)
{
    limn_ctx *ctx = limn_ctx_new();
    limn_dataset *d;
    assert_int_equal(limn_dataset_open(ctx, &(limn_data_options){.folder = "idx-test", .size = SIDE, .channels = 1}, &d),
                     LIMN_BAD_FILE);
    if (!strstr(limn_error_text(ctx), why)) fail_msg("\"%s\" does not say \"%s\"", limn_error_text(ctx), why);
    limn_ctx_free(ctx);
}

static void check_good(int channels)
{
    limn_ctx *ctx = limn_ctx_new();
    limn_dataset *d;
    float x[SIDE * SIDE * 4];
    if (limn_dataset_open(ctx, &(limn_data_options){.folder = "idx-test", .size = SIDE, .channels = channels}, &d) !=
        LIMN_OK)
        fail_msg("%s", limn_error_text(ctx));
    assert_int_equal(limn_dataset_count(d), N);
    assert_int_equal(limn_dataset_classes(d), 10); /* also those that no picture has */
    for (int i = 0; i < N; i++) {
        char caption[2] = {(char)('0' + digits[i])};
        assert_int_equal(limn_dataset_label(d, i), digits[i]);
        assert_string_equal(limn_dataset_caption(d, i), caption);
        assert_int_equal(limn_dataset_picture(ctx, d, i, x), LIMN_OK);
        for (int k = 0; k < SIDE * SIDE * channels; k++) {
            float expected = k % channels == 3 ? 1 : 50 * (float)i / 127.5f - 1;
            assert_float_equal(x[k], expected, 1e-6);
        }
    }
    limn_dataset_free(d);
    limn_ctx_free(ctx);
}

static void digits_are_pictures_classes_and_captions(void **state)
{
    (void)state;
    pair p = good();
    put_pair(&p, IMAGES, LABELS);
    for (int channels = 1; channels <= 4; channels += channels == 1 ? 2 : 1) check_good(channels);
    unlink("idx-test/train-images-idx3-ubyte");
    put("idx-test/train-images-idx3-ubyte.gz", "wb", p.images, IMAGES);
    check_good(1);
}

static void counts_are_checked_against_the_bytes(void **state)
{
    (void)state;
    pair p = good();
    memset(p.images + 4, 0xff, 12); /* the product does not fit 64 bits */
    put_pair(&p, IMAGES, LABELS);
    refused("says 4294967295 pictures of 4294967295 x 4294967295, and its 96 bytes hold 1 to 80 pixels");
    p.images[4] = 0x10, memset(p.images + 5, 0, 10), p.images[11] = p.images[15] = 1; /* 256 M pictures of one pixel, gzip */
    unlink("idx-test/train-images-idx3-ubyte");
    put("idx-test/train-images-idx3-ubyte.gz", "wb", p.images, IMAGES);
    refused("says 268435456 pictures of 1 x 1, and its");
    unlink("idx-test/train-images-idx3-ubyte.gz");
    p = good();
    p.images[7] = 0;
    put_pair(&p, IMAGES, LABELS);
    refused("says 0 pictures of 4 x 4");
    p.images[7] = N - 1;
    put_pair(&p, IMAGES, LABELS);
    refused("train-images-idx3-ubyte: more bytes than its counts say");
    p.images[7] = N;
    put_pair(&p, IMAGES - 1, LABELS);
    refused("and its 95 bytes hold 1 to 79 pixels");
    put_pair(&p, 7, LABELS);
    refused("train-images-idx3-ubyte: ends after 7 bytes of a part of 16");
    put_pair(&p, IMAGES, LABELS - 1);
    refused("says 5 labels, and its 12 bytes hold 1 to 4");
}

static void files_that_do_not_belong_together_are_refused(void **state)
{
    (void)state;
    pair p = good();
    p.labels[7] = N - 1;
    put_pair(&p, IMAGES, LABELS - 1);
    refused("train-labels-idx1-ubyte: 4 labels for 5 pictures");
    p = good();
    p.labels[8 + 2] = 10;
    put_pair(&p, IMAGES, LABELS);
    refused("label 2 is 10, expected 0 to 9");
    put("idx-test/train-labels-idx1-ubyte", "wbT", p.images, IMAGES);
    refused("train-labels-idx1-ubyte: begins with the number 2051, expected 2049");
    put("idx-test/train-images-idx3-ubyte", "wbT", p.labels, LABELS);
    refused("train-images-idx3-ubyte: ends after 13 bytes");
    p.images[3] = 1;
    put_pair(&p, IMAGES, LABELS);
    refused("begins with the number 2049, expected 2051");
    p = good();
    put_pair(&p, IMAGES, LABELS);
    unlink("idx-test/train-labels-idx1-ubyte");
    refused("train-images-idx3-ubyte without train-labels-idx1-ubyte");
}

/* One byte of the packed pictures changed, or its end cut. */
static void damaged_gzip_is_refused(void **state)
{
    (void)state;
    pair p = good();
    unsigned char packed[1024];
    put_pair(&p, IMAGES, LABELS);
    unlink("idx-test/train-images-idx3-ubyte");
    put("idx-test/train-images-idx3-ubyte.gz", "wb", p.images, IMAGES);
    FILE *f = fopen("idx-test/train-images-idx3-ubyte.gz", "rb");
    size_t n = fread(packed, 1, sizeof packed, f);
    fclose(f);
    assert_in_range(n, 20, 1000);
    for (size_t cut = 1; cut < 9; cut++) {
        put("idx-test/train-images-idx3-ubyte.gz", "wbT", packed, n - cut);
        refused("train-images-idx3-ubyte.gz: ");
    }
    packed[n - 8] ^= 1; /* the checksum */
    put("idx-test/train-images-idx3-ubyte.gz", "wbT", packed, n);
    refused("gzip data damaged");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(digits_are_pictures_classes_and_captions, fresh),
        cmocka_unit_test_setup(counts_are_checked_against_the_bytes, fresh),
        cmocka_unit_test_setup(files_that_do_not_belong_together_are_refused, fresh),
        cmocka_unit_test_setup(damaged_gzip_is_refused, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
