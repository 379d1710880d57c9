/* image.c: PNG by libpng's simplified reader and its full writer. */
#include "file/image.h"

#include "file/bytes.h"

#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

void limn_image_free(limn_image *image)
{
    free(image->pixels);
    *image = (limn_image){0};
}

limn_status limn_png_decode(limn_ctx *ctx, const char *name, const uint8_t *bytes, size_t n, int channels, limn_image *out)
{
    static const png_uint_32 formats[] = {0, PNG_FORMAT_GRAY, PNG_FORMAT_GA, PNG_FORMAT_RGB, PNG_FORMAT_RGBA};
    *out = (limn_image){0};
    png_image png = {.version = PNG_IMAGE_VERSION};
    if (!png_image_begin_read_from_memory(&png, bytes, n)) return limn_fail(ctx, LIMN_BAD_FILE, "%s: not a readable PNG: %s", name, png.message);
    if (png.width > LIMN_MAX_SIDE || png.height > LIMN_MAX_SIDE) {
        png_image_free(&png);
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: %u x %u pixels, at most %d a side are supported", name, png.width, png.height, LIMN_MAX_SIDE);
    }
    png.format = formats[channels];
    size_t size = (size_t)png.width * png.height * (size_t)channels;
    out->pixels = malloc(size);
    png_color white = {255, 255, 255};
    if (!out->pixels) {
        png_image_free(&png);
        return limn_fail_memory(ctx, size, name);
    }
    if (!png_image_finish_read(&png, &white, out->pixels, 0, NULL)) {
        limn_image_free(out);
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: damaged PNG: %s", name, png.message);
    }
    out->width = (int)png.width, out->height = (int)png.height, out->channels = channels;
    return LIMN_OK;
}

limn_status limn_png_read(limn_ctx *ctx, const char *path, int channels, limn_image *out)
{
    unsigned char *bytes;
    size_t n;
    *out = (limn_image){0};
    limn_status status = limn_file_read(ctx, path, (size_t)256 << 20, &bytes, &n);
    if (status != LIMN_OK) return status;
    status = limn_png_decode(ctx, path, bytes, n, channels, out);
    free(bytes);
    return status;
}

static void png_put(png_structp png, png_bytep bytes, size_t n)
{
    limn_file_write(png_get_io_ptr(png), bytes, n);
}

static void png_flushed(png_structp png)
{
    (void)png;
}

static void silent(png_structp png, png_const_charp text)
{
    (void)png, (void)text;
}

static void put_text(png_structp png, png_infop info, const char *parameters)
{
    bool latin = true;
    for (const char *p = parameters; *p; p++) latin = latin && (unsigned char)*p < 0x80;
    char key[] = "parameters";
    png_text text = {.compression = latin ? PNG_TEXT_COMPRESSION_NONE : PNG_ITXT_COMPRESSION_NONE, .key = key, .text = (char *)(uintptr_t)parameters};
    png_set_text(png, info, &text, 1);
}

static bool encode(limn_writer *writer, const limn_image *image, const char *parameters)
{
    static const int types[] = {0, PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGBA};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, silent);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info || setjmp(png_jmpbuf(png))) {
        png_destroy_write_struct(&png, &info);
        return false;
    }
    png_set_write_fn(png, writer, png_put, png_flushed);
    png_set_IHDR(png, info, (png_uint_32)image->width, (png_uint_32)image->height, 8, types[image->channels], PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (parameters) put_text(png, info, parameters);
    png_write_info(png, info);
    for (int y = 0; y < image->height; y++) png_write_row(png, image->pixels + (size_t)y * (size_t)image->width * (size_t)image->channels);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    return true;
}

limn_status limn_png_write(limn_ctx *ctx, const char *path, const limn_image *image, const char *parameters)
{
    limn_writer writer;
    limn_status status = limn_file_create(ctx, path, &writer);
    if (status != LIMN_OK) return status;
    if (encode(&writer, image, parameters)) return limn_file_commit(&writer);
    limn_file_discard(&writer);
    return limn_fail(ctx, LIMN_IO, "%s: the PNG could not be encoded", path);
}

/* Area of a source pixel interval covered by target pixel t, for n source pixels and m target pixels. */
static float resized_sample(const limn_image *im, int c, float x0, float x1, float y0, float y1, bool alpha)
{
    float sum = 0, weight = 0;
    for (int y = (int)y0; y < im->height && (float)y < y1; y++)
        for (int x = (int)x0; x < im->width && (float)x < x1; x++) {
            float w = ((float)x + 1 < x1 ? (float)x + 1 : x1) - ((float)x > x0 ? (float)x : x0);
            w *= ((float)y + 1 < y1 ? (float)y + 1 : y1) - ((float)y > y0 ? (float)y : y0);
            const uint8_t *p = im->pixels + ((size_t)y * (size_t)im->width + (size_t)x) * (size_t)im->channels;
            if (alpha && c != im->channels - 1) w *= (float)p[im->channels - 1];
            sum += w * (float)p[c];
            weight += w;
        }
    return weight > 0 ? sum / weight : 0;
}

limn_status limn_image_resize(limn_ctx *ctx, const limn_image *from, int width, int height, limn_image *out)
{
    *out = (limn_image){.width = width, .height = height, .channels = from->channels};
    out->pixels = malloc((size_t)width * (size_t)height * (size_t)from->channels);
    if (!out->pixels) return limn_fail_memory(ctx, (size_t)width * (size_t)height, "a picture");
    float sx = (float)from->width / (float)width, sy = (float)from->height / (float)height;
    bool alpha = from->channels == 2 || from->channels == 4;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < from->channels; c++)
                out->pixels[((size_t)y * (size_t)width + (size_t)x) * (size_t)from->channels + (size_t)c] =
                    (uint8_t)(resized_sample(from, c, (float)x * sx, (float)(x + 1) * sx, (float)y * sy, (float)(y + 1) * sy, alpha) + 0.5f);
    return LIMN_OK;
}
