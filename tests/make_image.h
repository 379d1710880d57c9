/* make_image.h: picture files made in memory by libpng, libjpeg and libwebp, for tests.  Every maker gives bytes to
 * free(). */
#ifndef MAKE_IMAGE_H
#define MAKE_IMAGE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <png.h>
#include <webp/encode.h>
#include <zlib.h>

typedef struct made {
    uint8_t *bytes;
    size_t n;
} made;

static inline void made_put(png_structp png, png_bytep bytes, size_t n)
{
    made *m = png_get_io_ptr(png);
    m->bytes = realloc(m->bytes, m->n + n);
    memcpy(m->bytes + m->n, bytes, n);
    m->n += n;
}

typedef struct png_kind {
    int type, depth;      /* PNG_COLOR_TYPE_*, bits per sample */
    bool interlaced;
    int n_palette, n_trans;
    const png_color *palette;
    const uint8_t *trans; /* alpha of palette entries */
} png_kind;

/* rows: packed as PNG stores them, row_bytes each */
static inline made make_png(png_kind kind, int width, int height, const uint8_t *rows, size_t row_bytes)
{
    made m = {0};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_set_write_fn(png, &m, made_put, NULL);
    png_set_check_for_invalid_index(png, 0);
    png_set_IHDR(png, info, (png_uint_32)width, (png_uint_32)height, kind.depth, kind.type,
                 kind.interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    if (kind.palette) png_set_PLTE(png, info, kind.palette, kind.n_palette);
    if (kind.trans) png_set_tRNS(png, info, kind.trans, kind.n_trans, NULL);
    png_write_info(png, info);
    png_bytep *pointers = malloc((size_t)height * sizeof *pointers);
    for (int y = 0; y < height; y++) pointers[y] = (png_bytep)(uintptr_t)(rows + (size_t)y * row_bytes);
    png_write_image(png, pointers);
    free(pointers);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    return m;
}

/* 8 bits, 1 to 4 channels */
static inline made make_plain_png(int width, int height, int channels, const uint8_t *pixels)
{
    static const int types[] = {0, PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGBA};
    return make_png((png_kind){.type = types[channels], .depth = 8}, width, height, pixels,
                    (size_t)width * (size_t)channels);
}

/* exif: NULL or the payload of APP1 */
static inline made make_jpeg(int width, int height, int channels, const uint8_t *pixels, bool progressive,
                             const uint8_t *exif, unsigned exif_n)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    unsigned char *bytes = NULL;
    unsigned long n = 0;
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &bytes, &n);
    jpeg.image_width = (JDIMENSION)width, jpeg.image_height = (JDIMENSION)height, jpeg.input_components = channels;
    jpeg.in_color_space = channels == 1 ? JCS_GRAYSCALE : channels == 3 ? JCS_RGB : JCS_CMYK;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 98, TRUE);
    for (int i = 0; i < jpeg.num_components; i++) jpeg.comp_info[i].h_samp_factor = jpeg.comp_info[i].v_samp_factor = 1;
    if (progressive) jpeg_simple_progression(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    if (exif) jpeg_write_marker(&jpeg, JPEG_APP0 + 1, exif, exif_n);
    while (jpeg.next_scanline < jpeg.image_height) {
        JSAMPROW row = (JSAMPROW)(uintptr_t)(pixels + (size_t)jpeg.next_scanline * (size_t)width * (size_t)channels);
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    return (made){bytes, (size_t)n};
}

/* RGB or RGBA; libwebp's own memory, copied */
static inline made make_webp(int width, int height, int channels, const uint8_t *pixels, bool lossless)
{
    uint8_t *bytes = NULL;
    int row = width * channels;
    size_t n = channels == 4 ? lossless ? WebPEncodeLosslessRGBA(pixels, width, height, row, &bytes)
                                        : WebPEncodeRGBA(pixels, width, height, row, 95, &bytes)
               : lossless ? WebPEncodeLosslessRGB(pixels, width, height, row, &bytes)
                             : WebPEncodeRGB(pixels, width, height, row, 95, &bytes);
    made m = {malloc(n), n};
    memcpy(m.bytes, bytes, n);
    WebPFree(bytes);
    return m;
}

/* ---- EXIF ------------------------------------------------------------------------------------------------------------- */

enum { EXIF_BYTES = 26 };

/* A TIFF header and a directory of one entry, tag 0x0112. */
static inline void make_exif(bool little, int orientation, uint8_t exif[EXIF_BYTES])
{
    static const uint8_t ii[EXIF_BYTES] = {'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1},
                         mm[EXIF_BYTES] = {'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1};
    memcpy(exif, little ? ii : mm, EXIF_BYTES);
    exif[little ? 18 : 19] = (uint8_t)orientation;
}

/* A chunk with its CRC behind IHDR.  png is freed. */
static inline made with_chunk(made png, const char *type, const uint8_t *data, size_t n)
{
    enum { IHDR_END = 33 };
    made m = {malloc(png.n + n + 12), png.n + n + 12};
    uint8_t *p = m.bytes + IHDR_END;
    memcpy(m.bytes, png.bytes, IHDR_END);
    p[0] = (uint8_t)(n >> 24), p[1] = (uint8_t)(n >> 16), p[2] = (uint8_t)(n >> 8), p[3] = (uint8_t)n;
    memcpy(p + 4, type, 4);
    if (n) memcpy(p + 8, data, n);
    uint32_t crc = (uint32_t)crc32(0, p + 4, (uInt)(n + 4));
    for (int i = 0; i < 4; i++) p[8 + n + (size_t)i] = (uint8_t)(crc >> (24 - 8 * i));
    memcpy(p + 12 + n, png.bytes + IHDR_END, png.n - IHDR_END);
    free(png.bytes);
    return m;
}

/* A simple WebP in VP8X, with EXIF behind its pixels.  webp is freed. */
static inline made with_webp_exif(made webp, int width, int height, uint8_t flags, const uint8_t *exif, size_t n)
{
    size_t pixels = webp.n - 12, size = 12 + 18 + pixels + 8 + n + n % 2;
    made m = {calloc(1, size), size};
    uint8_t *p = m.bytes;
    memcpy(p, "RIFF", 4), memcpy(p + 8, "WEBPVP8X\12\0\0\0", 12);
    for (int i = 0; i < 4; i++)
        p[4 + i] = (uint8_t)((size - 8) >> 8 * i), p[12 + 18 + pixels + 4 + (size_t)i] = (uint8_t)(n >> 8 * i);
    p[20] = flags, p[24] = (uint8_t)(width - 1), p[27] = (uint8_t)(height - 1);
    memcpy(p + 30, webp.bytes + 12, pixels);
    memcpy(p + 30 + pixels, "EXIF", 4);
    memcpy(p + 30 + pixels + 8, exif, n);
    free(webp.bytes);
    return m;
}

/* Soft colours, so that lossy formats come close; alpha from clear to opaque. */
static inline uint8_t *soft_pixels(int width, int height, int channels)
{
    uint8_t *pixels = malloc((size_t)width * (size_t)height * (size_t)channels), *p = pixels;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < channels; c++) *p++ = (uint8_t)(40 + (x * (3 + c) + y * (5 - c)) % 200);
    return pixels;
}

#endif
