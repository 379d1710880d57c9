/* test_tiff.c: TIFFs as their own readers read them: orientation, YCbCr of JPEG, stacks by all their ways; what is refused
 * is named. */
#include "file/bytes.h"
#include "file/raster.h"
#include "file/tiff.h"
#include "file/tiff_stack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <tiffio.h>
#include <unistd.h>
#include <cmocka.h>

#include "make_folder.h"

static int begin(void **state)
{
    *state = limn_ctx_new();
    return *state && make_folder(*state, "tiff") ? 0 : -1;
}

static int end(void **state)
{
    limn_ctx_free(*state);
    return remove_folder();
}

static limn_raster read_file(limn_ctx *ctx, const char *name)
{
    limn_raster r;
    if (limn_raster_read(ctx, in(name), &r) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    return r;
}

static void refused(limn_ctx *ctx, const char *name, const char *sentence)
{
    limn_raster r;
    limn_status status = limn_raster_read(ctx, in(name), &r);
    if (status == LIMN_OK) fail_msg("%s was read, expected \"%s\"", name, sentence);
    if (!strstr(limn_error_text(ctx), sentence)) fail_msg("expected \"%s\", found \"%s\"", sentence, limn_error_text(ctx));
    assert_null(r.values);
}

/* ---- files of libtiff ------------------------------------------------------------------------------------------------- */

typedef struct kind {
    int width, height, samples, bits, format, photometric, compression, orientation, subfile, tile, subsampling[2];
    const char *description;
} kind;

/* A page; data: rows without padding, read as the sides of a tile go where there are tiles. */
static void put_page(TIFF *t, const kind *k, const void *data)
{
    size_t pixel = (size_t)(k->samples * k->bits / 8), row = (size_t)k->width * pixel;
    const uint8_t *from = data;
    TIFFSetField(t, TIFFTAG_IMAGEWIDTH, (uint32_t)k->width), TIFFSetField(t, TIFFTAG_IMAGELENGTH, (uint32_t)k->height);
    TIFFSetField(t, TIFFTAG_SAMPLESPERPIXEL, k->samples), TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, k->bits);
    if (k->format) TIFFSetField(t, TIFFTAG_SAMPLEFORMAT, k->format);
    TIFFSetField(t, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG), TIFFSetField(t, TIFFTAG_PHOTOMETRIC, k->photometric);
    TIFFSetField(t, TIFFTAG_COMPRESSION, k->compression ? k->compression : COMPRESSION_NONE);
    if (k->orientation) TIFFSetField(t, TIFFTAG_ORIENTATION, k->orientation);
    if (k->subfile) TIFFSetField(t, TIFFTAG_SUBFILETYPE, (uint32_t)k->subfile);
    if (k->description) TIFFSetField(t, TIFFTAG_IMAGEDESCRIPTION, k->description);
    if (k->compression == COMPRESSION_JPEG) {
        TIFFSetField(t, TIFFTAG_JPEGQUALITY, 98);
        if (k->photometric == PHOTOMETRIC_YCBCR)
            TIFFSetField(t, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB),
                TIFFSetField(t, TIFFTAG_YCBCRSUBSAMPLING, k->subsampling[0], k->subsampling[1]);
    }
    if (k->tile) {
        uint8_t *tile = calloc((size_t)(k->tile * k->tile), pixel);
        TIFFSetField(t, TIFFTAG_TILEWIDTH, (uint32_t)k->tile), TIFFSetField(t, TIFFTAG_TILELENGTH, (uint32_t)k->tile);
        for (int y = 0; y < k->height; y += k->tile)
            for (int x = 0; x < k->width; x += k->tile) {
                for (int i = 0; i < k->tile * k->tile;
                     i++) { /* past the edge: its last pixel, so that JPEG has no step there */
                    int from_x = x + i % k->tile < k->width ? x + i % k->tile : k->width - 1,
                        from_y = y + i / k->tile < k->height ? y + i / k->tile : k->height - 1;
                    memcpy(tile + (size_t)i * pixel, from + (size_t)from_y * row + (size_t)from_x * pixel, pixel);
                }
                assert_true(TIFFWriteTile(t, tile, (uint32_t)x, (uint32_t)y, 0, 0) > 0);
            }
        free(tile);
    } else {
        TIFFSetField(t, TIFFTAG_ROWSPERSTRIP, k->compression == COMPRESSION_JPEG ? 16u : (uint32_t)k->height);
        for (int y = 0; y < k->height; y++)
            assert_int_equal(TIFFWriteScanline(t, (void *)(uintptr_t)(from + (size_t)y * row), (uint32_t)y, 0), 1);
    }
    assert_true(TIFFWriteDirectory(t));
}

static void put_tiff(const char *name, int pages, const kind *k, const void *const *data)
{
    TIFF *t = TIFFOpen(in(name), "w");
    assert_non_null(t);
    for (int i = 0; i < pages; i++) put_page(t, &k[i], data[i]);
    TIFFClose(t);
}

static void every_orientation_is_turned_upright(void **state)
{
    /* 3x2 pixels, 0 .. 5, as PIL.ImageOps.exif_transpose() shows them */
    static const uint8_t upright[9][6] = {
        [1] = {0, 1, 2, 3, 4, 5}, [2] = {2, 1, 0, 5, 4, 3}, [3] = {5, 4, 3, 2, 1, 0}, [4] = {3, 4, 5, 0, 1, 2},
        [5] = {0, 3, 1, 4, 2, 5}, [6] = {3, 0, 4, 1, 5, 2}, [7] = {5, 2, 4, 1, 3, 0}, [8] = {2, 5, 1, 4, 0, 3},
    };
    static const uint8_t bytes[2][6] = {{0, 1, 2, 3, 4, 5}, {10, 11, 12, 13, 14, 15}};
    static const float reals[2][6] = {{0, 1, 2, 3, 4, 5}, {10, 11, 12, 13, 14, 15}};
    for (int o = 1; o <= 8; o++)
        for (int real = 0; real < 2; real++) {
            kind k = {.width = 3,
                      .height = 2,
                      .samples = 1,
                      .bits = real ? 32 : 8,
                      .format = real ? SAMPLEFORMAT_IEEEFP : 0,
                      .photometric = PHOTOMETRIC_MINISBLACK,
                      .orientation = o};
            const void *data[2] = {real ? (const void *)reals[0] : bytes[0], real ? (const void *)reals[1] : bytes[1]};
            unsigned char *file;
            size_t n;
            limn_raster labels;
            put_tiff("o.tif", 2, (kind[]){k, k}, data);
            limn_raster r = read_file(*state, "o.tif");
            assert_true(r.width == (o >= 5 ? 2 : 3) && r.height == (o >= 5 ? 3 : 2) && r.slices == 2);
            assert_int_equal(limn_file_read(*state, in("o.tif"), 1 << 20, &file, &n), LIMN_OK);
            assert_int_equal(limn_raster_decode_labels(*state, "o", file, n, &labels), LIMN_OK);
            assert_int_equal(labels.width, r.width);
            for (int i = 0; i < 12; i++)
                assert_true(r.values[i] == (float)(upright[o][i % 6] + i / 6 * 10) && labels.values[i] == r.values[i]);
            limn_raster_free(&r), limn_raster_free(&labels);
            free(file);
        }
    kind one = {.width = 3, .height = 2, .samples = 1, .bits = 8, .photometric = PHOTOMETRIC_MINISBLACK, .orientation = 1},
         other = one;
    other.orientation = 3;
    put_tiff("o.tif", 2, (kind[]){one, other}, (const void *[]){bytes[0], bytes[1]});
    refused(*state, "o.tif", "expected pages that are alike");
}

/* A soft picture comes back but for JPEG's rounding, by libjpeg's own conversion. */
static void ycbcr_of_jpeg_is_read_as_rgb(void **state)
{
    enum { W = 50, H = 35 };
    static uint8_t rgb[W * H * 3];
    for (int i = 0; i < W * H; i++)
        rgb[3 * i] = (uint8_t)(i % W * 5), rgb[3 * i + 1] = (uint8_t)(i / W * 7),
                rgb[3 * i + 2] = (uint8_t)(250 - i % W * 2 - i / W * 2);
    static const int ways[3][2] = {{1, 1}, {2, 1}, {2, 2}};
    for (int way = 0; way < 3; way++)
        for (int tile = 0; tile <= 16; tile += 16) {
            kind k = {.width = W,
                      .height = H,
                      .samples = 3,
                      .bits = 8,
                      .photometric = PHOTOMETRIC_YCBCR,
                      .compression = COMPRESSION_JPEG,
                      .tile = tile,
                      .subsampling = {ways[way][0], ways[way][1]}};
            put_tiff("j.tif", 1, &k, (const void *[]){rgb});
            limn_raster r = read_file(*state, "j.tif");
            assert_true(r.width == W && r.height == H && r.channels == 3 && r.slices == 1 && r.limit == 255);
            for (int i = 0; i < W * H * 3; i++)
                if (abs((int)r.values[i] - rgb[i]) > 12)
                    fail_msg("way %d, tile %d: value %d is %g, expected %d", way, tile, i, (double)r.values[i], rgb[i]);
            limn_raster_free(&r);
        }
}

/* Zeros in the middle of its JPEG: libjpeg would make up pixels and warn. */
static void damaged_jpeg_in_a_tiff_is_refused(void **state)
{
    enum { SIDE = 64 };
    static uint8_t rgb[SIDE * SIDE * 3];
    kind k = {.width = SIDE,
              .height = SIDE,
              .samples = 3,
              .bits = 8,
              .photometric = PHOTOMETRIC_YCBCR,
              .compression = COMPRESSION_JPEG,
              .tile = SIDE,
              .subsampling = {1, 1}};
    unsigned char *bytes;
    size_t n;
    limn_raster r;
    for (int i = 0; i < SIDE * SIDE * 3; i++) rgb[i] = (uint8_t)(i * 7919 >> 3);
    put_tiff("d.tif", 1, &k, (const void *[]){rgb});
    assert_int_equal(limn_file_read(*state, in("d.tif"), 1 << 20, &bytes, &n), LIMN_OK);
    memset(bytes + n / 2, 0, 8);
    bytes[n / 2] = 0xff, bytes[n / 2 + 1] = 0xd9; /* the end of a JPEG */
    assert_int_equal(limn_raster_decode(*state, "d", bytes, n, &r), LIMN_BAD_FILE);
    assert_non_null(strstr(limn_error_text(*state), "d: damaged TIFF, page 0: "));
    free(bytes);
}

static void other_colours_are_refused_by_name(void **state)
{
    static const uint8_t zeros[4 * 16 * 16];
    static const struct { int photometric, samples; const char *sentence;
    } rows[] = {
        {PHOTOMETRIC_SEPARATED, 4, "page 0 has 4 samples a pixel of CMYK (5); expected gray or RGB, with or without alpha"},
        {PHOTOMETRIC_CIELAB, 3, "page 0 has 3 samples a pixel of Lab (8)"},
        {PHOTOMETRIC_YCBCR, 3,
         "page 0 is YCbCr with 3 samples a pixel (compression: none); YCbCr is read with 3 samples side by side, compressed "
         "as JPEG"},
        {PHOTOMETRIC_MINISBLACK, 3, "page 0 has 3 samples a pixel of gray (1)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        kind k = {.width = 16, .height = 16, .samples = rows[i].samples, .bits = 8, .photometric = rows[i].photometric};
        put_tiff("c.tif", 1, &k, (const void *[]){zeros});
        refused(*state, "c.tif", rows[i].sentence);
    }
}

/* ---- files by hand ---------------------------------------------------------------------------------------------------- */

enum { W = 4, H = 3, PIXELS = W * H, FIELDS = 10, DATA = 600, ROOM = 2048 };

/* One page of u16 whose values begin at byte DATA, in either byte order; `more` of them behind it.  @return bytes in all */
static size_t by_hand(unsigned char *file, bool big, const char *description, int compression, int tag, uint32_t value,
                      int more)
{
    const uint32_t field[FIELDS][3] = {
        {256, 4, W},          {257, 4, H},
        {258, 3, 16},         {259, 3, (uint32_t)compression},
        {262, 3, 1},          {270, 2, 8 + 2 + 12 * FIELDS + 4},
        {273, 4, DATA},       {278, 4, H},
        {279, 4, 2 * PIXELS}, {(uint32_t)tag, 4, value},
    };
    size_t length = strlen(description) + 1, at = 10;
    assert_true(8 + 2 + 12 * FIELDS + 4 + length <= DATA);
    memset(file, 0, ROOM);
    memcpy(file, big ? "MM\0*\0\0\0\10\0\12" : "II*\0\10\0\0\0\12", 10);
    for (int i = 0; i < FIELDS; i++, at += 12)
        for (int k = 0; k < 4; k++) {
            uint32_t number[4] = {field[i][0], field[i][1], field[i][1] == 2 ? (uint32_t)length : 1, field[i][2]};
            int bytes = k < 2 ? 2 : k == 3 && field[i][1] == 3 ? 2 : 4, to = k < 2 ? 2 * k : 4 * (k - 1);
            for (int b = 0; b < bytes; b++)
                file[at + (size_t)to + (size_t)b] = (unsigned char)(number[k] >> 8 * (big ? bytes - 1 - b : b));
        }
    memcpy(file + at + 4, description, length);
    for (int i = 0; i < PIXELS * (1 + more); i++)
        file[DATA + 2 * i + big] = (unsigned char)i, file[DATA + 2 * i + !big] = 1; /* 256 + i */
    return DATA + 2 * PIXELS * (size_t)(1 + more);
}

static void stacks_of_one_page_are_read_whole(void **state)
{
    static const char *const said[] = {
        "ImageJ=1.11a\nimages=5\nslices=5\nhyperstack=true\n",
        "ImageJ=1.53t\nimages=5\nframes=5\n",
        "ImageJ=1.53t\nimages=5\n",
        "{\"shape\": [5, 3, 4], \"truncated\": true}",
        "{\"shape\": [1, 5, 1, 3, 4]}",
        "<?xml version=\"1.0\"?><OME><Image><Pixels ID=\"P\" SizeX=\"4\" SizeY=\"3\" SizeC=\"1\" SizeZ='5' "
        "SizeT=\"1\"/></Image></OME>",
    };
    unsigned char file[ROOM];
    limn_raster r;
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        for (int big = 0; big < 2; big++) {
            size_t n = by_hand(file, big, said[i], 1, 305, 0, 4);
            if (limn_raster_decode(*state, "s", file, n, &r) != LIMN_OK) fail_msg("%s", limn_error_text(*state));
            assert_true(r.width == W && r.height == H && r.slices == 5 && r.channels == 1 && r.limit == 65535);
            for (int v = 0; v < 5 * PIXELS; v++) assert_true(r.values[v] == (float)(256 + v));
            limn_raster_free(&r);
            assert_int_equal(limn_raster_decode(*state, "s", file, n - 1, &r), LIMN_BAD_FILE);
            assert_non_null(
                strstr(limn_error_text(*state), "tells of 5 images, found 1 page: cut, or the others are in other files"));
        }
}

static void is_refused(limn_ctx *ctx, const unsigned char *file, size_t n, const char *sentence)
{
    limn_raster r;
    assert_int_not_equal(limn_raster_decode(ctx, "s", file, n, &r), LIMN_OK);
    if (!strstr(limn_error_text(ctx), sentence)) fail_msg("expected \"%s\", found \"%s\"", sentence, limn_error_text(ctx));
    assert_null(r.values);
}

static void what_is_no_plain_stack_is_refused(void **state)
{
    unsigned char file[ROOM];
#define IS(sentence, ...) is_refused(*state, file, by_hand(file, false, __VA_ARGS__), sentence)
    IS("5 slices of 2 channels at 1 times (ImageJ)", "ImageJ=1\nimages=10\nslices=5\nchannels=2\n", 1, 305, 0, 9);
    IS("5 slices of 1 channels at 2 times (ImageJ)", "ImageJ=1\nimages=10\nslices=5\nframes=2\n", 1, 305, 0, 9);
    IS("2 slices of 3 channels at 1 times (OME-XML)", "<OME><Pixels SizeC=\"3\" SizeZ=\"2\">", 1, 305, 0, 9);
    IS("5 slices of 1 channels at 2 times (tifffile)", "{\"shape\": [2, 5, 3, 4]}", 1, 305, 0, 9);
    IS("tells of 2147483648 images", "ImageJ=1\nimages=99999999999999999999\n", 1, 305, 0, 9);
    IS("tells of 2147483648 images", "ImageJ=1\nimages=2147483647\nslices=9999999999\n", 1, 305, 0, 9);
    IS("page 0 is 7 slices deep (ImageDepth); expected a page a slice", "", 1, 32997, 7, 9);
    IS("page 0 is compressed as JPEG 2000 (34712); expected no compression, LZW", "", 34712, 305, 0, 0);
    IS("page 0 is compressed as JPEG XL (50002)", "", 50002, 305, 0, 0);
    IS("page 0 is compressed as a way without a name here (65000)", "", 65000, 305, 0, 0);
#undef IS
    /* a count that belongs to the field, not its value: UIC2 of 5 planes */
    size_t n = by_hand(file, false, "", 1, 33629, DATA, 9), last = 10 + 12 * (FIELDS - 1);
    file[last + 2] = 5, file[last + 4] = 5;
    is_refused(*state, file, n, "a MetaMorph stack of 5 planes in 1 page; expected a page a slice");
}

static void descriptions_that_say_less_or_nothing(void **state)
{
    unsigned char file[ROOM];
    limn_raster r;
    static const char *const nothing[] = {"",
                                          "a microscope",
                                          "ImageJ=",
                                          "ImageJ=1\nimages=0\nslices=-4\n",
                                          "<OME>",
                                          "<OME><Pixels ",
                                          "<OME><Pixels SizeZ=",
                                          "<OME><Pixels SizeZ=\"x\">",
                                          "{\"shape\": [",
                                          "{\"shape\": [5, 0, 4]}",
                                          "{\"shape\": [7]}",
                                          "{\"shape\": [5 3 4",
                                          "{\"shape\": [3, 4]}"};
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++) {
        if (limn_raster_decode(*state, "s", file, by_hand(file, false, nothing[i], 1, 305, 0, 4), &r) != LIMN_OK)
            fail_msg("%s", limn_error_text(*state));
        assert_int_equal(r.slices, 1);
        limn_raster_free(&r);
    }
    static const uint8_t bytes[12];
    kind k = {.width = 4, .height = 3, .samples = 1, .bits = 8, .photometric = PHOTOMETRIC_MINISBLACK}, first = k, small = k,
         mask = k;
    first.description = "ImageJ=1\nimages=2\nslices=2\n", small.subfile = FILETYPE_REDUCEDIMAGE,
    mask.subfile = FILETYPE_MASK;
    put_tiff("more.tif", 3, (kind[]){first, k, k}, (const void *[]){bytes, bytes, bytes});
    r = read_file(*state, "more.tif");
    assert_int_equal(r.slices, 3);
    assert_non_null(strstr(warning, "its description (ImageJ) tells of 2 images, 3 pages are found, and all are slices"));
    limn_raster_free(&r);
    warning[0] = '\0';
    put_tiff("aside.tif", 5, (kind[]){small, first, mask, k, small}, (const void *[]){bytes, bytes, bytes, bytes, bytes});
    r = read_file(*state, "aside.tif"); /* copies and masks are no slices */
    assert_int_equal(r.slices, 2);
    assert_string_equal(warning, "");
    limn_raster_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_orientation_is_turned_upright, begin, end),
        cmocka_unit_test_setup_teardown(ycbcr_of_jpeg_is_read_as_rgb, begin, end),
        cmocka_unit_test_setup_teardown(damaged_jpeg_in_a_tiff_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(other_colours_are_refused_by_name, begin, end),
        cmocka_unit_test_setup_teardown(stacks_of_one_page_are_read_whole, begin, end),
        cmocka_unit_test_setup_teardown(what_is_no_plain_stack_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(descriptions_that_say_less_or_nothing, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
