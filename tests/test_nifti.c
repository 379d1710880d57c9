/* test_nifti.c: volumes in, masks out in their place, and headers that lie; TIFF and PNG of 16 bits beside them. */
#include "file/nifti_header.h"
#include "file/bytes.h"
#include "file/image.h"
#include "file/nifti.h"
#include "file/tiff.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>
#include <cmocka.h>

enum { W = 3, H = 2, S = 2, N = W * H * S, ROOM = NIFTI_FIRST + 8 * N };

/* A volume of zeros, W x H x S, in the machine's order or the other.  @return its bytes in all */
static size_t make(unsigned char *file, bool swap, int16_t datatype, int bytes)
{
    static const int16_t dim[8] = {3, W, H, S, 1, 1, 1, 1};
    uint32_t size = swap ? __builtin_bswap32(LIMN_NIFTI_HEADER) : LIMN_NIFTI_HEADER;
    memset(file, 0, ROOM);
    memcpy(file, &size, 4);
    for (int i = 0; i < 8; i++) limn_nifti_put_i16(file + NIFTI_DIM + 2 * i, swap, dim[i]);
    limn_nifti_put_i16(file + NIFTI_DATATYPE, swap, datatype);
    limn_nifti_put_i16(file + NIFTI_BITPIX, swap, (int16_t)(8 * bytes));
    limn_nifti_put_f32(file + NIFTI_OFFSET, swap, NIFTI_FIRST);
    memcpy(file + NIFTI_MAGIC, "n+1", 4);
    return NIFTI_FIRST + (size_t)(N * bytes);
}

/* value at i, as an element of `bytes` bytes */
static void put(unsigned char *file, int i, int bytes, bool swap, const void *value)
{
    unsigned char *to = file + NIFTI_FIRST + i * bytes;
    memcpy(to, value, (size_t)bytes);
    for (int k = 0; swap && k < bytes / 2; k++) {
        unsigned char t = to[k];
        to[k] = to[bytes - 1 - k], to[bytes - 1 - k] = t;
    }
}

static size_t gzip(const unsigned char *from, size_t n, unsigned char *to, size_t room)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)from, z.avail_in = (uInt)n, z.next_out = to, z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return room - z.avail_out;
}

static void reads(limn_ctx *ctx, const unsigned char *file, size_t n, const char *what, const double *expected)
{
    limn_raster r;
    limn_status status = limn_raster_decode(ctx, what, file, n, &r);
    if (status != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    assert_int_equal(r.kind, LIMN_RASTER_NIFTI);
    assert_true(r.width == W && r.height == H && r.slices == S && r.channels == 1);
    for (int i = 0; i < N; i++)
        if (r.values[i] != (float)expected[i])
            fail_msg("%s: value %d is %g, expected %g", what, i, (double)r.values[i], expected[i]);
    limn_raster_free(&r);
}

#define EACH(TYPE, CODE, LEAST, GREATEST)                                                                                   \
    for (int swap = 0; swap < 2; swap++) {                                                                                  \
        double expected[N] = {0};                                                                                           \
        TYPE least = LEAST, greatest = GREATEST, seven = 7;                                                                 \
        size_t n = make(file, swap, CODE, sizeof(TYPE));                                                                    \
        put(file, 1, sizeof(TYPE), swap, &least), put(file, 2, sizeof(TYPE), swap, &greatest),                              \
            put(file, N - 1, sizeof(TYPE), swap, &seven);                                                                   \
        expected[1] = (double)least, expected[2] = (double)greatest, expected[N - 1] = 7;                                   \
        reads(*state, file, n, #TYPE, expected);                                                                            \
        reads(*state, packed, gzip(file, n, packed, sizeof packed), #TYPE " gzipped", expected);                            \
    }

static void every_type_in_both_byte_orders_plain_and_gzipped(void **state)
{
    unsigned char file[ROOM], packed[2 * ROOM];
    EACH(uint8_t, 2, 0, UINT8_MAX)
    EACH(int8_t, 256, INT8_MIN, INT8_MAX)
    EACH(int16_t, 4, INT16_MIN, INT16_MAX)
    EACH(uint16_t, 512, 0, UINT16_MAX)
    EACH(int32_t, 8, INT32_MIN, INT32_MAX)
    EACH(uint32_t, 768, 0, UINT32_MAX)
    EACH(int64_t, 1024, INT64_MIN, INT64_MAX)
    EACH(uint64_t, 1280, 0, UINT64_MAX)
    EACH(float, 16, -1.5f, 3e30f)
    EACH(double, 64, -0.1, 1e20)
}

static void slope_and_intercept_are_applied_unless_they_mean_nothing(void **state)
{
    unsigned char file[ROOM];
    static const struct { float slope, inter, expected; } rows[] = {{2, -1000, -986}, {0, 5, 7}, {NAN, 5, 7}, {1, 0, 7}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        limn_raster r;
        int16_t seven = 7;
        size_t n = make(file, false, 4, 2);
        put(file, 0, 2, false, &seven);
        limn_nifti_put_f32(file + NIFTI_SLOPE, false, rows[i].slope);
        limn_nifti_put_f32(file + NIFTI_INTER, false, rows[i].inter);
        assert_int_equal(limn_nifti_decode(*state, "v", file, n, &r), LIMN_OK);
        assert_true(r.values[0] == rows[i].expected);
        limn_raster_free(&r);
    }
}

static void refused(limn_ctx *ctx, const unsigned char *file, size_t n, const char *words)
{
    limn_raster r;
    assert_int_not_equal(limn_nifti_decode(ctx, "v.nii", file, n, &r), LIMN_OK);
    assert_null(r.values);
    const char *text = limn_error_text(ctx);
    if (strncmp(text, "v.nii: ", 7) || !strstr(text, words)) fail_msg("expected \"%s\" in: %s", words, text);
}

static void headers_that_lie_are_refused_with_a_reason(void **state)
{
    unsigned char file[ROOM];
    size_t n;
#define LIE(change, words) n = make(file, false, 4, 2), change, refused(*state, file, n, words)
    LIE(n = 100, "no header of 348 bytes");
    LIE(file[0] = 1, "257 bytes, expected 348");
    LIE((file[0] = 540 & 255, file[1] = 540 >> 8), "NIfTI-2");
    LIE(file[NIFTI_MAGIC + 1] = 'i', ".hdr and .img");
    LIE(file[NIFTI_MAGIC] = 'x', "expected \"n+1\"");
    LIE(file[NIFTI_DIM] = 0, "dim[0] is 0");
    LIE(file[NIFTI_DIM] = 8, "dim[0] is 8");
    LIE(limn_nifti_put_i16(file + NIFTI_DIM + 2, false, -3), "dim[1] is -3");
    LIE(limn_nifti_put_i16(file + NIFTI_DIM + 4, false, 0), "dim[2] is 0");
    LIE((limn_nifti_put_i16(file + NIFTI_DIM, false, 4), limn_nifti_put_i16(file + NIFTI_DIM + 8, false, 2)), "dim[4] is 2");
    LIE(limn_nifti_put_i16(file + NIFTI_DIM + 6, false, 32767), "32767 values of i16 need 393204 bytes");
    LIE((limn_nifti_put_i16(file + NIFTI_DIM + 2, false, 32767), limn_nifti_put_i16(file + NIFTI_DIM + 4, false, 32767),
         limn_nifti_put_i16(file + NIFTI_DIM + 6, false, 32767)),
        "need");
    LIE(limn_nifti_put_i16(file + NIFTI_DATATYPE, false, 1), "datatype 1");
    LIE(limn_nifti_put_i16(file + NIFTI_BITPIX, false, 8), "bitpix is 8, expected 16");
    LIE(limn_nifti_put_f32(file + NIFTI_OFFSET, false, 348), "vox_offset is 348");
    LIE(limn_nifti_put_f32(file + NIFTI_OFFSET, false, NAN), "vox_offset is");
    LIE(limn_nifti_put_f32(file + NIFTI_OFFSET, false, 1e30f), "vox_offset is");
    LIE(limn_nifti_put_f32(file + NIFTI_OFFSET, false, 353), "from byte 353 on");
    LIE(limn_nifti_put_f32(file + NIFTI_OFFSET, false, 352.5f), "vox_offset is 352.5");
    LIE((limn_nifti_put_f32(file + NIFTI_SLOPE, false, 1), limn_nifti_put_f32(file + NIFTI_INTER, false, INFINITY)),
        "scl_inter");
    LIE(n--, "the file has");
}

static void gzip_that_is_cut_damaged_or_too_good_is_refused(void **state)
{
    unsigned char file[ROOM], packed[2 * ROOM];
    size_t n = make(file, false, 512, 2);
    for (int i = 0; i < N; i++) put(file, i, 2, false, &(uint16_t){(uint16_t)(i * 5077)});
    size_t m = gzip(file, n, packed, sizeof packed);
    for (size_t cut = 2; cut < m; cut++) refused(*state, packed, cut, "");
    packed[m - 6] ^= 1; /* the checksum */
    refused(*state, packed, m, "damaged or cut");
    limn_nifti_put_i16(file + NIFTI_DIM + 2, false, 8000), limn_nifti_put_i16(file + NIFTI_DIM + 4, false, 8000);
    refused(*state, packed, gzip(file, n, packed, sizeof packed), "gzipped");
    refused(*state, (const unsigned char *)"\x1f\x8bno gzip at all", 16, "no header");
}

static void a_mask_keeps_the_place_of_its_volume(void **state)
{
    static const char *const paths[] = {"test-nifti.nii", "test-nifti.nii.gz"};
    for (int i = 0; i < 4; i++) {
        unsigned char file[ROOM];
        bool swap = i / 2;
        const uint8_t mask[N] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255};
        limn_raster volume, back;
        size_t n = make(file, swap, 64, 8);
        for (int k = 76; k < 108; k++) file[k] = (unsigned char)(k * 7);   /* pixdim */
        for (int k = 252; k < 328; k++) file[k] = (unsigned char)(k * 11); /* qform, sform and their numbers */
        limn_nifti_put_f32(file + NIFTI_SLOPE, swap, 3);
        assert_int_equal(limn_raster_decode(*state, "v", file, n, &volume), LIMN_OK);
        assert_int_equal(limn_nifti_write(*state, paths[i % 2], &volume, mask, NULL), LIMN_OK);
        assert_int_equal(limn_raster_read(*state, paths[i % 2], &back), LIMN_OK);
        for (int k = 0; k < N; k++) assert_true(back.values[k] == mask[k]);
        assert_memory_equal(back.header, volume.header, NIFTI_DATATYPE);
        assert_memory_equal(back.header + 76, volume.header + 76, 32);
        assert_memory_equal(back.header + 252, volume.header + 252, 96);
        limn_raster_free(&back);
        for (int k = 0; k < N; k++) volume.values[k] = (float)k / 11;
        assert_int_equal(limn_nifti_write(*state, paths[i % 2], &volume, NULL, volume.values), LIMN_OK);
        assert_int_equal(limn_raster_read(*state, paths[i % 2], &back), LIMN_OK);
        assert_memory_equal(back.values, volume.values, N * sizeof(float));
        limn_raster_free(&back);
        limn_raster_free(&volume);
        unlink(paths[i % 2]);
    }
}

/* ---- TIFF and PNG ----------------------------------------------------------------------------------------------------- */

static limn_raster placed(int16_t qform, int16_t sform, const float *row, const float *quatern)
{
    limn_raster r = {.kind = LIMN_RASTER_NIFTI, .width = 11, .height = 6, .slices = 3, .channels = 1};
    const uint32_t size = LIMN_NIFTI_HEADER;
    const float pixdim[4] = {1, 2, 3, 4};
    memcpy(r.header, &size, 4);
    memcpy(r.header + 252, &qform, 2), memcpy(r.header + 254, &sform, 2);
    memcpy(r.header + 76, pixdim, sizeof pixdim);
    if (quatern) memcpy(r.header + 256, quatern, 6 * sizeof *quatern);
    if (row) memcpy(r.header + 280, row, 12 * sizeof *row);
    return r;
}

static void how_far_volumes_lie_apart(void **state)
{
    (void)state;
    const float row[12] = {2, 0, 0, -5, 0, 3, 0, 7, 0, 0, 4, 1}, flipped[12] = {-2, 0, 0, 15, 0, 3, 0, 7, 0, 0, 4, 1},
                nan[12] = {NAN};
    const float turn[6] = {0, 0, 1, 5, 8, 1}, none[6] = {0, 0, 0, -5, 7, 1}; /* half a turn about the third axis; no turn */
    limn_raster s = placed(0, 1, row, NULL), q = placed(1, 0, NULL, none), half = placed(1, 0, NULL, turn),
                mirror = placed(0, 2, flipped, NULL);
    limn_raster nowhere = placed(0, 0, row, none), odd = placed(0, 1, nan, NULL), picture = s;
    assert_true(limn_nifti_apart(&s, &s) == 0 && limn_nifti_apart(&s, &q) < 1e-6);
    assert_true(fabs(limn_nifti_apart(&s, &mirror) - 10) < 1e-6);                       /* 20 mm in voxels of 2, 3 and 4 */
    assert_true(fabs(limn_nifti_apart(&s, &half) - sqrt(30 * 30 + 29 * 29) / 2) <
                1e-6);                            /* corner (10, 5): 15,22 and -15,-7 */
    limn_nifti_put_f32(q.header + 76, false, -1); /* the third axis the other way round */
    assert_true(fabs(limn_nifti_apart(&s, &q) - 2 * 2 * 4 / 2) < 1e-6);
    picture.kind = LIMN_RASTER_PICTURE;
    assert_true(limn_nifti_apart(&s, &nowhere) == 0 && limn_nifti_apart(&odd, &s) == 0 &&
                limn_nifti_apart(&s, &picture) == 0);
}

static void pages_of_a_tiff_are_slices(void **state)
{
    const char *path = "test-nifti.tif";
    const uint8_t bytes[N] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255};
    const uint16_t wide[N] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 300, 65535, 12};
    limn_raster r;
    assert_int_equal(limn_tiff_write(*state, path, W, H, S, bytes, NULL), LIMN_OK);
    assert_int_equal(limn_raster_read(*state, path, &r), LIMN_OK);
    assert_true(r.kind == LIMN_RASTER_TIFF && r.width == W && r.height == H && r.slices == S && r.channels == 1 &&
                r.limit == 255);
    for (int i = 0; i < N; i++) assert_true(r.values[i] == bytes[i]);
    limn_raster_free(&r);
    assert_int_equal(limn_tiff_write(*state, path, N, 1, 1, NULL, wide), LIMN_OK);
    assert_int_equal(limn_raster_read(*state, path, &r), LIMN_OK);
    assert_true(r.width == N && r.slices == 1 && r.limit == 65535);
    for (int i = 0; i < N; i++) assert_true(r.values[i] == wide[i]);
    limn_raster_free(&r);
    unlink(path);
}

static void what_is_no_picture_is_told_with_all_that_is_read(void **state)
{
    limn_raster r;
    assert_int_equal(limn_raster_decode(*state, "t", (const uint8_t *)"GIF89a", 6, &r), LIMN_BAD_FILE);
    assert_string_equal(limn_error_text(*state),
                        "t: expected a PNG, JPEG, WebP, TIFF or NIfTI file, found 6 bytes that begin with \"GIF89a\"");
    assert_null(r.values);
}

/* Where white is 0, pictures are turned round; labels are what was stored. */
static void labels_of_a_tiff_are_what_was_stored(void **state)
{
    const char *path = "test-nifti-white.tif";
    const unsigned char black[10] = {0x06, 0x01, 3, 0, 1, 0, 0, 0, 1, 0}; /* PhotometricInterpretation, a SHORT: 1 */
    unsigned char *bytes, *tag;
    size_t n;
    limn_raster r;
    assert_int_equal(limn_tiff_write(*state, path, W, H, 1, (const uint8_t[W * H]){0, 1, 2, 255}, NULL), LIMN_OK);
    assert_int_equal(limn_file_read(*state, path, 1 << 20, &bytes, &n), LIMN_OK);
    tag = memmem(bytes, n, black, sizeof black);
    assert_non_null(tag);
    tag[8] = 0;
    assert_int_equal(limn_raster_decode(*state, "t", bytes, n, &r), LIMN_OK);
    assert_true(r.values[0] == 255 && r.values[1] == 254 && r.values[3] == 0);
    limn_raster_free(&r);
    assert_int_equal(limn_raster_decode_labels(*state, "t", bytes, n, &r), LIMN_OK);
    assert_true(r.values[0] == 0 && r.values[1] == 1 && r.values[2] == 2 && r.values[3] == 255);
    limn_raster_free(&r);
    free(bytes);
    unlink(path);
}

/* Whatever byte is cut or changed: values, or a sentence, and nothing printed. */
static void a_damaged_tiff_is_a_sentence(void **state)
{
    const char *path = "test-nifti-damaged.tif";
    unsigned char *bytes;
    size_t n, refusals = 0;
    limn_raster r;
    assert_int_equal(limn_tiff_write(*state, path, W, H, S, (const uint8_t[N]){1, 2, 3}, NULL), LIMN_OK);
    assert_int_equal(limn_file_read(*state, path, 1 << 20, &bytes, &n), LIMN_OK);
    for (size_t cut = 8; cut < n - 1; cut++) {
        assert_int_not_equal(limn_tiff_decode(*state, "t", bytes, cut, false, &r), LIMN_OK);
        assert_null(r.values);
        assert_true(strncmp(limn_error_text(*state), "t: ", 3) == 0);
    }
    for (size_t i = 4; i < n; i++) {
        bytes[i] ^= 0xff;
        limn_status status = limn_tiff_decode(*state, "t", bytes, n, false, &r);
        assert_true((status == LIMN_OK) == (r.values != NULL));
        refusals += status != LIMN_OK;
        limn_raster_free(&r);
        bytes[i] ^= 0xff;
    }
    assert_true(refusals > 50);
    free(bytes);
    unlink(path);
}

static void png_keeps_its_16_bits(void **state)
{
    const char *path = "test-nifti-wide.png";
    const uint16_t wide[N] = {0, 1, 2, 256, 257, 65535, 4095, 300};
    limn_raster r;
    limn_image eight;
    assert_int_equal(limn_png_write_wide(*state, path, W * S, H, wide), LIMN_OK);
    assert_int_equal(limn_raster_read(*state, path, &r), LIMN_OK);
    assert_true(r.kind == LIMN_RASTER_PICTURE && r.width == W * S && r.height == H && r.limit == 65535);
    for (int i = 0; i < N; i++) assert_true(r.values[i] == wide[i]);
    limn_raster_free(&r);
    assert_int_equal(limn_image_read(*state, path, 0, &eight), LIMN_OK); /* others still see 8 bits */
    assert_int_equal(eight.pixels[5], 255);
    limn_image_free(&eight);
    unlink(path);
}

static int begin(void **state)
{
    *state = limn_ctx_new();
    return *state ? 0 : -1;
}

static int end(void **state)
{
    limn_ctx_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_in_both_byte_orders_plain_and_gzipped),
        cmocka_unit_test(slope_and_intercept_are_applied_unless_they_mean_nothing),
        cmocka_unit_test(headers_that_lie_are_refused_with_a_reason),
        cmocka_unit_test(gzip_that_is_cut_damaged_or_too_good_is_refused),
        cmocka_unit_test(a_mask_keeps_the_place_of_its_volume),
        cmocka_unit_test(how_far_volumes_lie_apart),
        cmocka_unit_test(pages_of_a_tiff_are_slices),
        cmocka_unit_test(what_is_no_picture_is_told_with_all_that_is_read),
        cmocka_unit_test(labels_of_a_tiff_are_what_was_stored),
        cmocka_unit_test(a_damaged_tiff_is_a_sentence),
        cmocka_unit_test(png_keeps_its_16_bits),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
