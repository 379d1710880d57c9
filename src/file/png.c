/* png.c: PNG by libpng.  Its errors arrive by longjmp: what must survive one lives in a struct behind a pointer, never in
 * locals. */
#include "file/bytes.h"
#include "file/exif.h"
#include "file/image.h"

#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CHUNK_BYTES = 8 << 20, MAX_DEFLATE_RATIO = 1032 };

typedef struct png_job {
    limn_ctx *ctx;
    const char *name;
    const uint8_t *bytes;
    size_t n, at;
    limn_image *out;
    uint16_t **wide;  /* NULL: 16 bits become 8 */
    bool stored;      /* indices of a palette, and gray of 2 and 4 bits, as they are */
    limn_status status;
    char why[200];
} png_job;

static void silent(png_structp png, png_const_charp text)
{
    (void)png, (void)text;
}

static void keep_reason(png_structp png, png_const_charp text)
{
    png_job *job = png_get_error_ptr(png);
    snprintf(job->why, sizeof job->why, "%s", text);
    png_longjmp(png, 1);
}

static void take(png_structp png, png_bytep out, size_t n)
{
    png_job *job = png_get_io_ptr(png);
    if (n > job->n - job->at) png_error(png, "the file ends early");
    memcpy(out, job->bytes + job->at, n);
    job->at += n;
}

/* To 8 bits; transparency of a colour becomes alpha; a palette stays indices, as libpng would not check them while it
 * expands. */
static limn_status open_pixels(png_job *job, png_structp png, png_infop info)
{
    uint32_t width = png_get_image_width(png, info), height = png_get_image_height(png, info);
    if (png_get_rowbytes(png, info) * height / MAX_DEFLATE_RATIO > job->n)
        return limn_fail(job->ctx, LIMN_BAD_FILE, "%s: %u x %u pixels cannot come out of %zu bytes", job->name, width,
                         height, job->n);
    bool wide = job->wide && png_get_bit_depth(png, info) == 16;
    if (wide) png_set_swap(png); /* from big-endian to the machine's order */
    else png_set_scale_16(png);
    if (job->stored || png_get_color_type(png, info) == PNG_COLOR_TYPE_PALETTE) png_set_packing(png);
    else png_set_expand(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
    int channels = png_get_channels(png, info);
    if (!wide) return limn_image_new(job->ctx, job->name, width, height, channels, job->out);
    limn_status status = limn_image_check(job->ctx, job->name, width, height, 2 * channels);
    if (status != LIMN_OK) return status;
    size_t n = (size_t)width * height * (size_t)channels;
    if (!(*job->wide = malloc(n * sizeof **job->wide))) return limn_fail_memory(job->ctx, n * sizeof **job->wide, job->name);
    *job->out = (limn_image){.width = (int)width, .height = (int)height, .channels = channels};
    return LIMN_OK;
}

static limn_status expand_palette(png_job *job, png_structp png, png_infop info)
{
    png_colorp palette = NULL;
    png_bytep trans = NULL;
    int n_palette = 0, n_trans = 0;
    if (job->stored || png_get_color_type(png, info) != PNG_COLOR_TYPE_PALETTE) return LIMN_OK;
    png_get_PLTE(png, info, &palette, &n_palette);
    png_get_tRNS(png, info, &trans, &n_trans, NULL);
    limn_image index = *job->out;
    limn_status status =
        limn_image_new(job->ctx, job->name, (uint32_t)index.width, (uint32_t)index.height, n_trans ? 4 : 3, job->out);
    size_t n = (size_t)index.width * (size_t)index.height;
    uint8_t *p = job->out->pixels;
    for (size_t i = 0; i < n && status == LIMN_OK; i++, p += job->out->channels) {
        int k = index.pixels[i];
        if (k >= n_palette)
            status = limn_fail(job->ctx, LIMN_BAD_FILE, "%s: damaged PNG: pixel %zu has colour %d of a palette of %d",
                               job->name, i, k, n_palette);
        else
            memcpy(p, (uint8_t[]){palette[k].red, palette[k].green, palette[k].blue, k < n_trans ? trans[k] : 255},
                   (size_t)job->out->channels);
    }
    limn_image_free(&index);
    return status;
}

static bool decode(png_job *job, png_structp png, png_infop info)
{
    if (setjmp(png_jmpbuf(png))) return false;
    png_set_read_fn(png, job, take);
    png_set_user_limits(png, LIMN_MAX_SIDE, LIMN_MAX_SIDE);
    png_set_chunk_malloc_max(png, MAX_CHUNK_BYTES);
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1); /* text, profiles, time: not even unpacked */
    png_read_info(png, info);
    if ((job->status = open_pixels(job, png, info)) != LIMN_OK) return true;
    size_t row = png_get_rowbytes(png, info);
    uint8_t *to = job->wide && *job->wide ? (uint8_t *)*job->wide : job->out->pixels;
    for (int pass = 0; pass < (png_get_interlace_type(png, info) == PNG_INTERLACE_ADAM7 ? 7 : 1); pass++)
        for (int y = 0; y < job->out->height; y++) png_read_row(png, to + (size_t)y * row, NULL);
    png_read_end(png, NULL);
    job->status = expand_palette(job, png, info);
    return true;
}

static uint32_t big_endian(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Either of bytes and wide pixels. */
static limn_status turn_upright(png_job *job)
{
    int orientation = limn_png_orientation(job->bytes, job->n);
    if (!job->wide || !*job->wide) return limn_image_turn(job->ctx, job->name, orientation, job->out);
    void *pixels = *job->wide;
    limn_status status = limn_turn_upright(job->ctx, job->name, orientation, (size_t)job->out->channels * sizeof **job->wide,
                                           &job->out->width, &job->out->height, &pixels);
    *job->wide = pixels;
    return status;
}

static limn_status decode_as(limn_ctx *ctx, const char *name, const uint8_t *bytes, size_t n, bool stored, limn_image *out,
                             uint16_t **wide)
{
    char shown[256];
    png_job job = {.ctx = ctx, .name = name, .bytes = bytes, .n = n, .out = out, .wide = wide, .stored = stored};
    if (wide) *wide = NULL;
    *out = (limn_image){0};
    if (n < 33 || memcmp(bytes + 12, "IHDR", 4) != 0)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: damaged PNG: no header in its %zu bytes", name, n);
    limn_status status = limn_image_check(ctx, name, big_endian(bytes + 16), big_endian(bytes + 20), 4);
    if (status != LIMN_OK) return status;
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &job, keep_reason, silent);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info) job.status = limn_fail_memory(ctx, n, name);
    else if (!decode(&job, png, info))
        job.status = limn_fail(ctx, LIMN_BAD_FILE, "%s: damaged PNG at byte %zu of %zu: %s", name, job.at, n,
                               limn_escape(job.why, strlen(job.why), shown, sizeof shown));
    png_destroy_read_struct(&png, &info, NULL);
    if (job.status == LIMN_OK) job.status = turn_upright(&job);
    if (job.status == LIMN_OK) return LIMN_OK;
    limn_image_free(out);
    if (wide) free(*wide), *wide = NULL;
    return job.status;
}

limn_status limn_png_decode_wide(limn_ctx *ctx, const char *name, const uint8_t *bytes, size_t n, limn_image *out,
                                 uint16_t **wide)
{
    return decode_as(ctx, name, bytes, n, false, out, wide);
}

limn_status limn_png_decode(limn_ctx *ctx, const char *name, const uint8_t *bytes, size_t n, limn_image *out)
{
    return decode_as(ctx, name, bytes, n, false, out, NULL);
}

limn_status limn_png_decode_indices(limn_ctx *ctx, const char *name, const uint8_t *bytes, size_t n, limn_image *out)
{
    return decode_as(ctx, name, bytes, n, true, out, NULL);
}

/* ---- writing ---------------------------------------------------------------------------------------------------------- */

static void png_put(png_structp png, png_bytep bytes, size_t n)
{
    limn_file_write(png_get_io_ptr(png), bytes, n);
}

static void png_flushed(png_structp png)
{
    (void)png;
}

static void put_text(png_structp png, png_infop info, const char *parameters)
{
    bool latin = true;
    for (const char *p = parameters; *p; p++) latin = latin && (unsigned char)*p < 0x80;
    char key[] = "parameters";
    png_text text = {.compression = latin ? PNG_TEXT_COMPRESSION_NONE : PNG_ITXT_COMPRESSION_NONE,
                     .key = key,
                     .text = (char *)(uintptr_t)parameters};
    png_set_text(png, info, &text, 1);
}

/* depth 16: pixels are uint16_t */
static bool encode(limn_writer *writer, const limn_image *image, int depth, const char *parameters)
{
    static const int types[] = {0, PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGBA};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, silent);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info || setjmp(png_jmpbuf(png))) {
        png_destroy_write_struct(&png, &info);
        return false;
    }
    png_set_write_fn(png, writer, png_put, png_flushed);
    png_set_IHDR(png, info, (png_uint_32)image->width, (png_uint_32)image->height, depth, types[image->channels],
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (parameters) put_text(png, info, parameters);
    png_write_info(png, info);
    if (depth == 16)
        png_set_swap(png); /* from the machine's order to big-endian; Limn is built for little-endian machines */
    size_t row = (size_t)image->width * (size_t)image->channels * (size_t)(depth / 8);
    for (int y = 0; y < image->height; y++) png_write_row(png, image->pixels + (size_t)y * row);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    return true;
}

static limn_status write(limn_ctx *ctx, const char *path, const limn_image *image, int depth, const char *parameters)
{
    limn_writer writer;
    if (image->width < 1 || image->height < 1 || image->channels < 1 || image->channels > 4 ||
        !image->pixels) /* libpng would print */
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: %d x %d pixels of %d channels are no picture", path, image->width,
                         image->height, image->channels);
    limn_status status = limn_file_create(ctx, path, &writer);
    if (status != LIMN_OK) return status;
    if (encode(&writer, image, depth, parameters)) return limn_file_commit(&writer);
    limn_file_discard(&writer);
    return limn_fail(ctx, LIMN_IO, "%s: the PNG could not be encoded", path);
}

limn_status limn_png_write(limn_ctx *ctx, const char *path, const limn_image *image, const char *parameters)
{
    return write(ctx, path, image, 8, parameters);
}

limn_status limn_png_write_wide(limn_ctx *ctx, const char *path, int width, int height, const uint16_t *pixels)
{
    return write(ctx, path, &(limn_image){width, height, 1, (uint8_t *)(uintptr_t)pixels}, 16, NULL);
}
