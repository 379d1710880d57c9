/* test_image.c: every kind of PNG, JPEG and WebP gives its pixels; cut, lying and hostile ones give a sentence; sizes and
 * channels. */
#include "file/bytes.h"
#include "file/image.h"
#include "file/raster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <dirent.h>
#include <sys/stat.h>

#include "make_image.h"

#include <zlib.h>

static limn_image decoded(limn_ctx *ctx, made m, int channels)
{
    limn_image out;
    limn_status status = limn_image_decode(ctx, "a test picture", m.bytes, m.n, channels, &out);
    if (status != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    free(m.bytes);
    return out;
}

static void refused(limn_ctx *ctx, const uint8_t *bytes, size_t n, const char *why)
{
    limn_image out;
    uint8_t *exact = malloc(n ? n : 1); /* so that ASan sees a read past the end */
    memcpy(exact, bytes, n);
    limn_status status = limn_image_decode(ctx, "evil.png", exact, n, 3, &out);
    free(exact);
    if (status == LIMN_OK) fail_msg("%zu bytes were accepted (%s)", n, why);
    assert_null(out.pixels);
    assert_memory_equal(limn_error_text(ctx), "evil.png: ", 10);
    if (!strstr(limn_error_text(ctx), why)) fail_msg("\"%s\" does not say \"%s\"", limn_error_text(ctx), why);
}

/* largest difference to the first `channels` of `expected`'s */
static int distance(const limn_image *image, const uint8_t *expected)
{
    int far = 0;
    for (int i = 0; i < image->width * image->height * image->channels; i++)
        if (abs(image->pixels[i] - expected[i]) > far) far = abs(image->pixels[i] - expected[i]);
    return far;
}

enum { W = 19, H = 13 };

static void png_of_every_depth_and_interlace_gives_its_samples(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    static const int types[] = {0, PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGBA};
    for (int c = 1; c <= 4; c++)
        for (int depth = 1; depth <= 16; depth *= 2)
            for (int interlaced = 0; interlaced < 2; interlaced++) {
                if (depth < 8 && c > 1) continue;
                size_t row = ((size_t)(W * c * depth) + 7) / 8;
                uint8_t *rows = calloc(H, row), expected[W * H * 4];
                for (int y = 0; y < H; y++)
                    for (int i = 0; i < W * c; i++) {
                        unsigned v = (unsigned)(y * 31 + i * 7) * 2654435761u >> (32 - depth), most = (1u << depth) - 1;
                        uint8_t *p = rows + (size_t)y * row;
                        if (depth == 16) p[2 * i] = (uint8_t)(v >> 8), p[2 * i + 1] = (uint8_t)v;
                        else p[i * depth / 8] |= (uint8_t)(v << (8 - depth - i * depth % 8));
                        expected[y * W * c + i] = (uint8_t)((v * 255u + most / 2) / most);
                    }
                limn_image image = decoded(
                    ctx, make_png((png_kind){.type = types[c], .depth = depth, .interlaced = interlaced}, W, H, rows, row),
                    0);
                assert_int_equal(image.channels, c);
                assert_int_equal(image.width * 100 + image.height, W * 100 + H);
                assert_int_equal(distance(&image, expected), 0);
                limn_image_free(&image);
                free(rows);
            }
    limn_ctx_free(ctx);
}

static void a_palette_gives_colours_and_transparency(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    static const png_color palette[] = {{255, 0, 0}, {0, 255, 0}, {0, 0, 255}};
    static const uint8_t trans[] = {0, 128}, index[] = {0, 1, 2, 2, 1, 0};
    png_kind kind = {.type = PNG_COLOR_TYPE_PALETTE, .depth = 8, .palette = palette, .n_palette = 3};
    limn_image image = decoded(ctx, make_png(kind, 3, 2, index, 3), 0);
    assert_int_equal(image.channels, 3);
    assert_int_equal(distance(&image, (const uint8_t[]){255, 0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 255, 0, 255, 0, 255, 0, 0}),
                     0);
    limn_image_free(&image);
    kind.trans = trans, kind.n_trans = 2;
    image = decoded(ctx, make_png(kind, 3, 2, index, 3), 0);
    assert_int_equal(image.channels, 4);
    assert_memory_equal(image.pixels, ((const uint8_t[]){255, 0, 0, 0, 0, 255, 0, 128, 0, 0, 255, 255}), 12);
    limn_image_free(&image);
    image = decoded(ctx, make_png(kind, 3, 2, index, 3), 3); /* over white */
    assert_memory_equal(image.pixels, ((const uint8_t[]){255, 255, 255, 127, 255, 127, 0, 0, 255}), 9);
    limn_image_free(&image);
    static const uint8_t packed[] = {0 << 6 | 1 << 4 | 2 << 2, 2 << 6 | 1 << 4 | 0 << 2};
    image = decoded(
        ctx,
        make_png(
            (png_kind){.type = PNG_COLOR_TYPE_PALETTE, .depth = 2, .interlaced = true, .palette = palette, .n_palette = 3},
            3, 2, packed, 1),
        0);
    assert_memory_equal(image.pixels, ((const uint8_t[]){255, 0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 255, 0, 255, 0, 255, 0, 0}),
                        18);
    limn_image_free(&image);
    static const uint8_t past[] = {0, 1, 7, 2, 1, 0};
    made m = make_png(kind, 3, 2, past, 3);
    refused(ctx, m.bytes, m.n, "palette");
    free(m.bytes);
    limn_ctx_free(ctx);
}

static void jpeg_gray_colour_cmyk_progressive_come_close(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    for (int progressive = 0; progressive < 2; progressive++)
        for (int c = 1; c <= 3; c += 2) {
            uint8_t *pixels = calloc(W * H, (size_t)c);
            for (int i = 0; i < W * H * c; i++) pixels[i] = (uint8_t)(60 + i / c % W * 6 + i / c / W * 3 + i % c * 20);
            limn_image image = decoded(ctx, make_jpeg(W, H, c, pixels, progressive, NULL, 0), 0);
            assert_int_equal(image.channels, c);
            assert_in_range(distance(&image, pixels), 0, 6);
            limn_image_free(&image);
            free(pixels);
        }
    uint8_t ink[W * H * 4];
    for (int i = 0; i < W * H; i++) memcpy(ink + 4 * i, (uint8_t[]){200, 100, 50, 128}, 4); /* Adobe: 255 is no ink */
    limn_image image = decoded(ctx, make_jpeg(W, H, 4, ink, false, NULL, 0), 0);
    assert_int_equal(image.channels, 3);
    for (int i = 0; i < W * H; i++)
        for (int k = 0; k < 3; k++)
            assert_in_range(image.pixels[3 * i + k], (200 >> k) * 128 / 255 - 3, (200 >> k) * 128 / 255 + 3);
    limn_image_free(&image);
    limn_ctx_free(ctx);
}

/* Four corners of a 16x8 picture: which corner of the stored picture lies top left, and whether sides swap. */
static void exif_orientation_turns_a_jpeg_upright(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    static const struct { bool swap; int top_left, top_right; } rows[] = {
        [1] = {false, 0, 1}, [2] = {false, 1, 0}, [3] = {false, 3, 2}, [4] = {false, 2, 3},
        [5] = {true, 0, 2}, [6] = {true, 2, 0}, [7] = {true, 3, 1}, [8] = {true, 1, 3},
    };
    uint8_t pixels[16 * 8];
    for (int i = 0; i < 16 * 8; i++)
        pixels[i] = (uint8_t)(30 + 60 * ((i % 16 >= 8) + 2 * (i / 16 >= 4))); /* corner k: 30 + 60 k */
    for (int orientation = 1; orientation <= 8; orientation++) {
        uint8_t exif[] = {'E', 'x', 'i', 'f', 0, 0, 'M', 'M', 0, 42, 0, 0, 0, 8, 0, 2, 1, 0, 0, 3, 0, 0, 0, 1, 0, 9, 0, 0,
                          1, 0x12, 0, 3, 0, 0, 0, 1, 0, (uint8_t)orientation, 0, 0};
        limn_image image = decoded(ctx, make_jpeg(16, 8, 1, pixels, false, exif, sizeof exif), 1);
        assert_int_equal(image.width, rows[orientation].swap ? 8 : 16);
        assert_in_range(image.pixels[0], 25 + 60 * rows[orientation].top_left, 35 + 60 * rows[orientation].top_left);
        assert_in_range(image.pixels[image.width - 1], 25 + 60 * rows[orientation].top_right,
                        35 + 60 * rows[orientation].top_right);
        limn_image_free(&image);
    }
    static const uint8_t far[] = {'E', 'x', 'i', 'f',  0,    0,    'I',
                                  'I', 42,  0,   0xff, 0xff, 0xff, 0xff}; /* directory at 4 GiB */
    static const uint8_t many[] = {'E', 'x', 'i', 'f', 0, 0, 'I', 'I', 42, 0, 8, 0, 0, 0, 0xff, 0xff, 1};
    limn_image image = decoded(ctx, make_jpeg(16, 8, 1, pixels, false, far, sizeof far), 1);
    limn_image_free(&image);
    image = decoded(ctx, make_jpeg(16, 8, 1, pixels, false, many, sizeof many), 1);
    limn_image_free(&image);
    limn_ctx_free(ctx);
}

/* 3x2 pixels 0 .. 5, stored with an orientation, as PIL.ImageOps.exif_transpose() shows them. */
static const uint8_t upright[9][6] = {
    [1] = {0, 1, 2, 3, 4, 5}, [2] = {2, 1, 0, 5, 4, 3}, [3] = {5, 4, 3, 2, 1, 0}, [4] = {3, 4, 5, 0, 1, 2},
    [5] = {0, 3, 1, 4, 2, 5}, [6] = {3, 0, 4, 1, 5, 2}, [7] = {5, 2, 4, 1, 3, 0}, [8] = {2, 5, 1, 4, 0, 3},
};

/* The bytes, freed, as 8 bits, with all bits and as labels: all turned alike.  step: between neighbouring values, in 8 bits
 * and in all */
static void is_turned(limn_ctx *ctx, made m, int orientation, int step, float wide_step)
{
    limn_image image;
    limn_raster r, labels;
    if (limn_image_decode(ctx, "t", m.bytes, m.n, 1, &image) != LIMN_OK ||
        limn_raster_decode(ctx, "t", m.bytes, m.n, &r) != LIMN_OK ||
        limn_raster_decode_labels(ctx, "t", m.bytes, m.n, &labels) != LIMN_OK)
        fail_msg("%s", limn_error_text(ctx));
    bool swap = orientation >= 5;
    assert_true(image.width == (swap ? 2 : 3) && image.height == (swap ? 3 : 2) && r.width == image.width &&
                r.height == image.height);
    assert_true(labels.width == r.width && labels.height == r.height);
    for (int i = 0; i < 6; i++) {
        int v = upright[orientation][i];
        if (abs(image.pixels[i] - v * step) > 1)
            fail_msg("orientation %d, pixel %d is %d, expected %d", orientation, i, image.pixels[i], v * step);
        assert_true(r.values[i * r.channels] == (float)v * wide_step);
        assert_true(labels.values[i * labels.channels] == (float)v * wide_step);
    }
    limn_image_free(&image);
    limn_raster_free(&r);
    limn_raster_free(&labels);
    free(m.bytes);
}

static made gray_png(void)
{
    static const uint8_t gray[6] = {0, 40, 80, 120, 160, 200};
    return make_plain_png(3, 2, 1, gray);
}

/* Text "Raw profile type exif" of a PNG, as ImageMagick writes it. */
static size_t raw_profile(const char *type, int orientation, uint8_t out[512])
{
    uint8_t exif[EXIF_BYTES];
    char text[256];
    int n = snprintf(text, sizeof text, "\nexif\n%8d\n", EXIF_BYTES + 6);
    make_exif(true, orientation, exif);
    n += snprintf(text + n, sizeof text - (size_t)n, "457869660000\n");
    for (int i = 0; i < EXIF_BYTES; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, i == 11 ? "%02X\n" : "%02x", exif[i]);
    size_t at = (size_t)snprintf((char *)out, 64, "Raw profile type exif") + 1;
    uLongf packed = 256;
    if (type[0] == 'i') memset(out + at, 0, 4), at += 4;
    if (type[0] == 'z') out[at++] = 0;
    if (type[0] != 'z') return memcpy(out + at, text, (size_t)n), at + (size_t)n;
    assert_int_equal(compress(out + at, &packed, (Bytef *)text, (uLong)n), Z_OK);
    return at + packed;
}

static void every_format_is_turned_upright(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    static const uint8_t wide[12] = {0, 0, 40, 40, 80, 80, 120, 120, 160, 160, 200, 200}, index[6] = {0, 1, 2, 3, 4, 5};
    static const png_color palette[6] = {{0, 0, 0},       {40, 40, 40},    {80, 80, 80},
                                         {120, 120, 120}, {160, 160, 160}, {200, 200, 200}};
    static const char *const texts[] = {"tEXt", "zTXt", "iTXt"};
    uint8_t rgb[18], exif[EXIF_BYTES], text[512];
    for (int i = 0; i < 18; i++) rgb[i] = (uint8_t)(i / 3 * 40);
    for (int o = 1; o <= 8; o++)
        for (int little = 0; little < 2; little++) {
            make_exif(little, o, exif);
            is_turned(ctx, with_chunk(gray_png(), "eXIf", exif, EXIF_BYTES), o, 40, 40);
            is_turned(ctx,
                      with_chunk(make_png((png_kind){.type = PNG_COLOR_TYPE_GRAY, .depth = 16}, 3, 2, wide, 6), "eXIf", exif,
                                 EXIF_BYTES),
                      o, 40, 40 * 257);
            is_turned(ctx, with_webp_exif(make_webp(3, 2, 3, rgb, true), 3, 2, 8, exif, EXIF_BYTES), o, 40, 40);
            for (int k = 0; k < 3; k++)
                is_turned(ctx, with_chunk(gray_png(), texts[k], text, raw_profile(texts[k], o, text)), o, 40, 40);
            made m = with_chunk(
                make_png((png_kind){.type = PNG_COLOR_TYPE_PALETTE, .depth = 8, .n_palette = 6, .palette = palette}, 3, 2,
                         index, 3),
                "eXIf", exif, EXIF_BYTES);
            limn_raster labels;
            assert_int_equal(limn_raster_decode_labels(ctx, "t", m.bytes, m.n, &labels), LIMN_OK);
            for (int i = 0; i < 6; i++) assert_true(labels.values[i] == upright[o][i]);
            limn_raster_free(&labels);
            free(m.bytes);
        }
    make_exif(true, 6, exif);
    is_turned(ctx, with_webp_exif(make_webp(3, 2, 3, rgb, true), 3, 2, 0, exif, EXIF_BYTES), 1, 40,
              40); /* VP8X says there is none */
    made both = with_chunk(gray_png(), "tEXt", text, raw_profile("tEXt", 3, text));
    is_turned(ctx, with_chunk(both, "eXIf", exif, EXIF_BYTES), 6, 40, 40); /* the chunk is believed, not the text */
    made m = with_chunk(gray_png(), "eXIf", exif, EXIF_BYTES);
    m.bytes[33 + 8 + EXIF_BYTES] ^= 1; /* its CRC */
    is_turned(ctx, m, 1, 40, 40);
    limn_ctx_free(ctx);
}

/* Whatever EXIF says, the picture is there; every byte changed, every length. */
static void hostile_exif_is_no_exif(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    uint8_t exif[EXIF_BYTES], rgb[18] = {0}, text[512];
    static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff};
    limn_image image;
    for (int little = 0; little < 2; little++)
        for (size_t i = 0; i < EXIF_BYTES * sizeof values; i++) {
            make_exif(little, 6, exif);
            exif[i % EXIF_BYTES] = values[i / EXIF_BYTES];
            image = decoded(ctx, with_chunk(gray_png(), "eXIf", exif, EXIF_BYTES), 0);
            limn_image_free(&image);
            image = decoded(ctx, with_chunk(gray_png(), "eXIf", exif, i % EXIF_BYTES), 0);
            limn_image_free(&image);
            image = decoded(ctx, with_webp_exif(make_webp(3, 2, 3, rgb, true), 3, 2, 8, exif, i % EXIF_BYTES), 0);
            limn_image_free(&image);
        }
    for (int k = 0; k < 2; k++)
        for (size_t n = raw_profile(k ? "zTXt" : "tEXt", 6, text), cut = 0; cut < n; cut++) {
            image = decoded(ctx, with_chunk(gray_png(), k ? "zTXt" : "tEXt", text, cut), 0);
            limn_image_free(&image);
        }
    static const struct {
        int at;
        uint8_t v;
    } lies[] = {{18, 0}, {18, 9}, {12, 2}, {14, 2}, {19, 1}}; /* values 0, 9 and 262; another type; two of them */
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        make_exif(true, 6, exif);
        exif[lies[i].at] = lies[i].v;
        is_turned(ctx, with_chunk(gray_png(), "eXIf", exif, EXIF_BYTES), 1, 40, 40);
    }
    limn_ctx_free(ctx);
}

static void webp_lossless_is_exact_and_lossy_close(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    for (int c = 3; c <= 4; c++) {
        uint8_t *pixels = soft_pixels(W, H, c);
        limn_image image = decoded(ctx, make_webp(W, H, c, pixels, true), 0);
        assert_int_equal(image.channels, c);
        assert_int_equal(distance(&image, pixels), 0);
        limn_image_free(&image);
        for (int i = 0; i < W * H * c; i++) pixels[i] = (uint8_t)(90 + i / c % W * 3);
        image = decoded(ctx, make_webp(W, H, c, pixels, false), 0);
        assert_in_range(distance(&image, pixels), 0, 12);
        limn_image_free(&image);
        free(pixels);
    }
    limn_ctx_free(ctx);
}

static void content_decides_not_the_name(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    uint8_t *pixels = soft_pixels(W, H, 3);
    made m = make_webp(W, H, 3, pixels, true);
    FILE *f = fopen("really-webp.png", "wb");
    assert_int_equal(fwrite(m.bytes, 1, m.n, f), m.n);
    fclose(f);
    limn_image image;
    assert_int_equal(limn_image_read(ctx, "really-webp.png", 3, &image), LIMN_OK);
    assert_int_equal(distance(&image, pixels), 0);
    limn_image_free(&image);
    assert_int_equal(limn_image_read(ctx, "no-such.png", 3, &image), LIMN_NOT_FOUND);
    assert_int_equal(limn_image_read(ctx, ".", 3, &image), LIMN_BAD_FILE);
    refused(ctx, (const uint8_t *)"<svg xmlns=\"x\">", 15,
            "expected a PNG, JPEG or WebP picture, found 15 bytes that begin with \"<svg xmlns=");
    refused(ctx, (const uint8_t *)"GIF89a\1\0\1\0", 10, "GIF89a");
    refused(ctx, (const uint8_t *)"", 0, "found 0 bytes");
    remove("really-webp.png");
    remove("pipe.png");
    assert_int_equal(mkfifo("pipe.png", 0600), 0);
    assert_int_equal(limn_image_read(ctx, "pipe.png", 3, &image), LIMN_BAD_FILE); /* at once, although nobody writes */
    remove("pipe.png");
    free(m.bytes);
    free(pixels);
    limn_ctx_free(ctx);
}

static size_t make_all(made all[7])
{
    uint8_t *rgb = soft_pixels(W, H, 3), *rgba = soft_pixels(W, H, 4);
    all[0] = make_plain_png(W, H, 4, rgba);
    all[1] = make_png((png_kind){.type = PNG_COLOR_TYPE_RGB, .depth = 8, .interlaced = true}, W, H, rgb, W * 3);
    all[2] = make_jpeg(W, H, 3, rgb, false, NULL, 0);
    all[3] = make_jpeg(W, H, 3, rgb, true, NULL, 0);
    all[4] = make_webp(W, H, 3, rgb, false);
    all[5] = make_webp(W, H, 4, rgba, true);
    all[6] = make_webp(W, H, 4, rgba, false);
    free(rgb);
    free(rgba);
    return 7;
}

static void every_prefix_is_refused(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    made all[7];
    size_t n = make_all(all);
    for (size_t i = 0; i < n; i++) {
        for (size_t cut = 0; cut < all[i].n; cut++) refused(ctx, all[i].bytes, cut, "");
        free(all[i].bytes);
    }
    limn_ctx_free(ctx);
}

/* Nothing is asked but an answer: pixels of the size it says, or a sentence. */
static void every_changed_byte_gives_pixels_or_a_sentence(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    made all[7];
    size_t n = make_all(all);
    for (size_t i = 0; i < n; i++) {
        for (size_t at = 0; at < all[i].n; at++)
            for (int k = 0; k < 3; k++) {
                uint8_t old = all[i].bytes[at];
                all[i].bytes[at] = k == 0 ? 0 : k == 1 ? 255 : old ^ 16;
                limn_image out;
                if (limn_image_decode(ctx, "p", all[i].bytes, all[i].n, 4, &out) != LIMN_OK)
                    assert_non_null(strstr(limn_error_text(ctx), "p: "));
                else assert_true(out.width > 0 && out.channels == 4);
                limn_image_free(&out);
                all[i].bytes[at] = old;
            }
        free(all[i].bytes);
    }
    limn_ctx_free(ctx);
}

static void put_big_endian(uint8_t *p, uint32_t v, int n)
{
    for (int i = 0; i < n; i++) p[i] = (uint8_t)(v >> 8 * (n - 1 - i));
}

static void sizes_are_refused_from_the_header(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    static const struct { uint32_t w, h; const char *why;
    } rows[] = {
        {0, 9, "0 x 9 pixels, expected 1 to 16384 a side"},
        {0x7fffffff, 0x7fffffff, "2147483647 x 2147483647 pixels"},
        {1, 100000000, "1 x 100000000"},
        {16384, 16384, "16384 x 16384 pixels, expected 1 to 16384 a side and at most 67108864"},
        {16384, 4096, "cannot come out of"},
    };
    uint8_t *pixels = soft_pixels(W, H, 3);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        made m = make_plain_png(W, H, 3, pixels);
        put_big_endian(m.bytes + 16, rows[i].w, 4);
        put_big_endian(m.bytes + 20, rows[i].h, 4);
        put_big_endian(m.bytes + 29, (uint32_t)crc32(0, m.bytes + 12, 17), 4);
        refused(ctx, m.bytes, m.n, rows[i].why);
        free(m.bytes);
    }
    static const uint32_t jpegs[][2] = {{60000, 60000}, {16000, 4000}};
    for (size_t i = 0; i < 2; i++) {
        made m = make_jpeg(W, H, 3, pixels, false, NULL, 0);
        size_t at = 0;
        while (!(m.bytes[at] == 0xff && m.bytes[at + 1] == 0xc0)) at++;
        put_big_endian(m.bytes + at + 5, jpegs[i][1], 2);
        put_big_endian(m.bytes + at + 7, jpegs[i][0], 2);
        refused(ctx, m.bytes, m.n, i ? "cannot come out of" : "60000 x 60000 pixels");
        free(m.bytes);
    }
    made m = make_webp(W, H, 3, pixels, false);
    m.bytes[26] = m.bytes[28] = 0xff, m.bytes[27] = m.bytes[29] = 0x3f; /* VP8: 16383 x 16383 */
    refused(ctx, m.bytes, m.n, "16383 x 16383 pixels");
    free(m.bytes);
    free(pixels);
    limn_ctx_free(ctx);
}

static void hostile_png_chunks_are_skipped_or_refused(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    uint8_t *pixels = soft_pixels(W, H, 3), *zeros = calloc(1, 8 << 20), *bomb = malloc(64 << 10);
    uLongf packed = (64 << 10) - 3;
    memcpy(bomb, "a\0", 3); /* keyword, method 0, deflated text */
    assert_int_equal(compress2(bomb + 3, &packed, zeros, 8 << 20, 9), Z_OK);
    limn_image image = decoded(ctx, with_chunk(make_plain_png(W, H, 3, pixels), "zTXt", bomb, packed + 3), 3);
    assert_int_equal(distance(&image, pixels), 0);
    limn_image_free(&image);
    made m = with_chunk(make_plain_png(W, H, 3, pixels), "IDAT", zeros, 0); /* an empty one first is legal */
    image = decoded(ctx, m, 3);
    limn_image_free(&image);
    m = make_plain_png(W, H, 3, pixels);
    m.bytes[40] ^= 1; /* inside IDAT: CRC */
    refused(ctx, m.bytes, m.n, "damaged PNG");
    m.bytes[40] ^= 1;
    put_big_endian(m.bytes + 33, 0xffffffffu, 4);
    refused(ctx, m.bytes, m.n, "damaged PNG");
    put_big_endian(m.bytes + 33, 0x7fffffffu, 4);
    refused(ctx, m.bytes, m.n, "damaged PNG");
    free(m.bytes);
    m = make_plain_png(W, H, 3, pixels);
    memcpy(bomb, m.bytes + 16, 13);
    m = with_chunk(m, "IHDR", bomb, 13);
    refused(ctx, m.bytes, m.n, "damaged PNG");
    free(m.bytes);
    static const struct {
        int at;
        uint8_t value;
    } rows[] = {{24, 3}, {25, 5}, {28, 2}, {26, 1}, {27, 1}}; /* depth, type, interlace, methods */
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        m = make_plain_png(W, H, 3, pixels);
        m.bytes[rows[i].at] = rows[i].value;
        put_big_endian(m.bytes + 29, (uint32_t)crc32(0, m.bytes + 12, 17), 4);
        refused(ctx, m.bytes, m.n, "damaged PNG");
        free(m.bytes);
    }
    free(pixels);
    free(zeros);
    free(bomb);
    limn_ctx_free(ctx);
}

static void channels_convert_both_ways(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    uint8_t gray[256];
    for (int i = 0; i < 256; i++) gray[i] = (uint8_t)i;
    for (int through = 2; through <= 4; through++) { /* gray comes back as it was */
        limn_image image = decoded(ctx, make_plain_png(16, 16, 1, gray), through);
        assert_int_equal(limn_image_convert(ctx, &image, 1), LIMN_OK);
        assert_int_equal(distance(&image, gray), 0);
        limn_image_free(&image);
    }
    static const uint8_t rgba[] = {255, 0, 0, 255, 0, 255, 0, 255, 0, 0, 255, 255, 10, 20, 30, 0};
    limn_image image = decoded(ctx, make_plain_png(4, 1, 4, rgba), 1);
    assert_int_equal(distance(&image, (const uint8_t[]){76, 150, 29, 255}), 0);
    limn_image_free(&image);
    image = decoded(ctx, make_plain_png(4, 1, 4, rgba), 2);
    assert_int_equal(distance(&image, (const uint8_t[]){76, 255, 150, 255, 29, 255, 18, 0}), 0);
    limn_image_free(&image);
    limn_image out;
    assert_int_equal(limn_image_decode(ctx, "x", gray, 1, 5, &out), LIMN_BAD_ARGUMENT);
    limn_ctx_free(ctx);
}

static void resizing_averages_areas_and_hides_what_is_clear(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    uint8_t pixels[] = {0, 100, 200, 40, 80, 20, 60, 100}; /* 4 x 2 gray */
    limn_image in = {.width = 4, .height = 2, .channels = 1, .pixels = pixels}, out;
    assert_int_equal(limn_image_resize(ctx, &in, 2, 1, &out), LIMN_OK);
    assert_int_equal(distance(&out, (const uint8_t[]){50, 100}), 0);
    limn_image_free(&out);
    assert_int_equal(limn_image_resize(ctx, &in, 4, 2, &out), LIMN_OK);
    assert_int_equal(distance(&out, pixels), 0);
    limn_image_free(&out);
    uint8_t thirds[] = {30, 60, 90}; /* 3 -> 2: (30 + 60/2) / 1.5, (60/2 + 90) / 1.5 */
    in = (limn_image){.width = 3, .height = 1, .channels = 1, .pixels = thirds};
    assert_int_equal(limn_image_resize(ctx, &in, 2, 1, &out), LIMN_OK);
    assert_int_equal(distance(&out, (const uint8_t[]){40, 80}), 0);
    limn_image_free(&out);
    uint8_t two[] = {0, 100}; /* larger: at -1/4, 1/4, 3/4, 5/4 */
    in = (limn_image){.width = 2, .height = 1, .channels = 1, .pixels = two};
    assert_int_equal(limn_image_resize(ctx, &in, 4, 3, &out), LIMN_OK);
    assert_int_equal(distance(&out, (const uint8_t[]){0, 25, 75, 100, 0, 25, 75, 100, 0, 25, 75, 100}), 0);
    limn_image_free(&out);
    uint8_t clear[] = {200, 10, 10, 255, 0, 255, 0, 0}; /* opaque red beside clear green: half-clear red */
    in = (limn_image){.width = 2, .height = 1, .channels = 4, .pixels = clear};
    assert_int_equal(limn_image_resize(ctx, &in, 1, 1, &out), LIMN_OK);
    assert_int_equal(distance(&out, (const uint8_t[]){200, 10, 10, 128}), 0);
    limn_image_free(&out);
    assert_int_equal(limn_image_resize(ctx, &in, 0, 1, &out), LIMN_BAD_FILE);
    assert_int_equal(limn_image_resize(ctx, &in, 1, 99999, &out), LIMN_BAD_FILE);
    limn_ctx_free(ctx);
}

/* A checkerboard of single pixels, ten times smaller: gray, not stripes. */
static void making_smaller_does_not_alias(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    static uint8_t board[300 * 300];
    for (int i = 0; i < 300 * 300; i++) board[i] = (i % 300 + i / 300) % 2 ? 255 : 0;
    limn_image in = {.width = 300, .height = 300, .channels = 1, .pixels = board}, out;
    assert_int_equal(limn_image_resize(ctx, &in, 29, 31, &out), LIMN_OK);
    for (int i = 0; i < 29 * 31; i++) assert_in_range(out.pixels[i], 124, 131);
    limn_image_free(&out);
    limn_ctx_free(ctx);
}

static int files_beside(const char *prefix)
{
    DIR *folder = opendir(".");
    int n = 0;
    for (struct dirent *e; (e = readdir(folder));) n += strncmp(e->d_name, prefix, strlen(prefix)) == 0;
    closedir(folder);
    return n;
}

static void written_pictures_read_back_and_appear_whole(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    for (int c = 1; c <= 4; c++) {
        limn_image image = {.width = W, .height = H, .channels = c, .pixels = soft_pixels(W, H, c)}, back;
        assert_int_equal(limn_png_write(ctx, "image-back.png", &image, "ein schöner Apfel"), LIMN_OK);
        assert_int_equal(limn_image_read(ctx, "image-back.png", 0, &back), LIMN_OK);
        assert_int_equal(back.channels, c);
        assert_int_equal(distance(&back, image.pixels), 0);
        limn_image_free(&back);
        assert_int_equal(limn_png_write(ctx, "/dev/full/x.png", &image, NULL), LIMN_IO);
        assert_int_equal(limn_png_write(ctx, "image-none.png", &(limn_image){0}, NULL), LIMN_BAD_ARGUMENT);
        assert_int_equal(limn_png_write(ctx, "image-none.png", &(limn_image){1, 1, 5, image.pixels}, NULL),
                         LIMN_BAD_ARGUMENT);
        limn_image_free(&image);
    }
    assert_int_equal(files_beside("image-back.png"), 1);
    remove("image-back.png");
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(png_of_every_depth_and_interlace_gives_its_samples),
        cmocka_unit_test(a_palette_gives_colours_and_transparency),
        cmocka_unit_test(jpeg_gray_colour_cmyk_progressive_come_close),
        cmocka_unit_test(exif_orientation_turns_a_jpeg_upright),
        cmocka_unit_test(every_format_is_turned_upright),
        cmocka_unit_test(hostile_exif_is_no_exif),
        cmocka_unit_test(webp_lossless_is_exact_and_lossy_close),
        cmocka_unit_test(content_decides_not_the_name),
        cmocka_unit_test(every_prefix_is_refused),
        cmocka_unit_test(every_changed_byte_gives_pixels_or_a_sentence),
        cmocka_unit_test(sizes_are_refused_from_the_header),
        cmocka_unit_test(hostile_png_chunks_are_skipped_or_refused),
        cmocka_unit_test(channels_convert_both_ways),
        cmocka_unit_test(resizing_averages_areas_and_hides_what_is_clear),
        cmocka_unit_test(making_smaller_does_not_alias),
        cmocka_unit_test(written_pictures_read_back_and_appear_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
