/* raster.c: which format a file is, and its values to the range that networks read; see raster.h. */
#include "file/raster.h"

#include "file/bytes.h"
#include "file/image.h"
#include "file/nifti.h"
#include "file/tiff.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void limn_raster_free(limn_raster *r)
{
    free(r->values);
    *r = (limn_raster){0};
}

limn_status limn_raster_new(limn_ctx *ctx, const char *name, int64_t width, int64_t height, int64_t slices, int channels, size_t file_bytes, limn_raster *out)
{
    enum { MAX_DEFLATE_RATIO = 1032 };
    limn_raster_free(out);
    if (width < 1 || height < 1 || width > LIMN_MAX_SIDE || height > LIMN_MAX_SIDE || width * height > LIMN_MAX_PIXELS)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: %lld x %lld pixels, expected 1 to %d a side and at most %d in all", name, (long long)width, (long long)height,
                         LIMN_MAX_SIDE, LIMN_MAX_PIXELS);
    if (slices < 1 || slices > LIMN_MAX_SLICES || width * height * slices * channels > LIMN_MAX_VOXELS)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: %lld slices of %lld x %lld x %d, expected 1 to %d and at most %d values in all", name, (long long)slices,
                         (long long)width, (long long)height, channels, LIMN_MAX_SLICES, LIMN_MAX_VOXELS);
    size_t n = (size_t)(width * height * slices) * (size_t)channels, bytes = n * sizeof(float), has = limn_memory_available();
    if (file_bytes && n / MAX_DEFLATE_RATIO > file_bytes)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: %lld x %lld x %lld pixels cannot come out of %zu bytes", name, (long long)width, (long long)height, (long long)slices, file_bytes);
    if (has && bytes > has) return limn_fail(ctx, LIMN_NO_MEMORY, "%s: its values need %zu bytes, %zu are available", name, bytes, has);
    *out = (limn_raster){.width = (int)width, .height = (int)height, .slices = (int)slices, .channels = channels, .values = malloc(bytes)};
    if (out->values) return LIMN_OK;
    *out = (limn_raster){0};
    return limn_fail_memory(ctx, bytes, name);
}

enum { PNG_DEPTH = 24, PNG_TYPE = 25, PNG_PALETTE = 3 }; /* bytes of a PNG's first chunk */

/* A PNG whose decoding would change names of things: those of a palette to colours, 1 of 4 bits to 17.  Gray of 1 bit is black and white. */
static bool has_indices(const uint8_t *bytes, size_t n)
{
    return n > PNG_TYPE && (bytes[PNG_TYPE] == PNG_PALETTE || bytes[PNG_DEPTH] == 2 || bytes[PNG_DEPTH] == 4);
}

static limn_status decode_picture(limn_ctx *ctx, const char *name, const uint8_t *bytes, size_t n, bool labels, limn_raster *out)
{
    limn_image image;
    uint16_t *wide = NULL;
    bool png = limn_image_sniff(bytes, n) == LIMN_IMAGE_PNG;
    limn_status status = png && labels && has_indices(bytes, n) ? limn_png_decode_indices(ctx, name, bytes, n, &image)
                         : png ? limn_png_decode_wide(ctx, name, bytes, n, &image, &wide) : limn_image_decode(ctx, name, bytes, n, 0, &image);
    if (status == LIMN_OK) status = limn_raster_new(ctx, name, image.width, image.height, 1, image.channels, 0, out);
    size_t values = status == LIMN_OK ? (size_t)image.width * (size_t)image.height * (size_t)image.channels : 0;
    for (size_t i = 0; i < values; i++) out->values[i] = wide ? wide[i] : image.pixels[i];
    if (status == LIMN_OK) out->limit = wide ? 65535 : 255;
    limn_image_free(&image);
    free(wide);
    return status;
}

static limn_status decode(limn_ctx *ctx, const char *name, const uint8_t *bytes, size_t n, bool labels, limn_raster *out)
{
    *out = (limn_raster){0};
    if (limn_tiff_sniff(bytes, n)) return limn_tiff_decode(ctx, name, bytes, n, labels, out);
    if (limn_nifti_sniff(bytes, n)) return limn_nifti_decode(ctx, name, bytes, n, out);
    if (limn_image_sniff(bytes, n) != LIMN_IMAGE_UNKNOWN) return decode_picture(ctx, name, bytes, n, labels, out);
    char shown[64];
    return limn_fail(ctx, LIMN_BAD_FILE, "%s: expected a PNG, JPEG, WebP, TIFF or NIfTI file, found %zu bytes that begin with \"%s\"", name, n,
                     limn_escape((const char *)bytes, n < 12 ? n : 12, shown, sizeof shown));
}

limn_status limn_raster_decode(limn_ctx *ctx, const char *name, const uint8_t *bytes, size_t n, limn_raster *out)
{
    return decode(ctx, name, bytes, n, false, out);
}

limn_status limn_raster_decode_labels(limn_ctx *ctx, const char *name, const uint8_t *bytes, size_t n, limn_raster *out)
{
    return decode(ctx, name, bytes, n, true, out);
}

limn_status limn_raster_read(limn_ctx *ctx, const char *path, limn_raster *out)
{
    unsigned char *bytes;
    size_t n;
    *out = (limn_raster){0};
    limn_status status = limn_file_read(ctx, path, LIMN_MAX_RASTER_BYTES, &bytes, &n);
    if (status != LIMN_OK) return status;
    status = limn_raster_decode(ctx, path, bytes, n, out);
    free(bytes);
    return status;
}

/* ---- ranges ---------------------------------------------------------------------------------------------------------------- */

static bool is_alpha(const limn_raster *r, size_t i)
{
    return !r->separate && (r->channels == 2 || r->channels == 4) && i % (size_t)r->channels == (size_t)r->channels - 1;
}

bool limn_range_parse(const char *text, limn_range *out)
{
    char *end;
    *out = (limn_range){LIMN_RANGE_AUTO, 0, 0};
    if (strcmp(text, "auto") == 0) return true;
    if (strcmp(text, "minmax") == 0) return out->kind = LIMN_RANGE_MINMAX, true;
    double low = limn_number_parse(text, &end);
    if (end == text || *end != ',') return false;
    text = end + 1;
    double high = limn_number_parse(text, &end);
    if (end == text || *end || !(high - low > 0 && high - low < 1e300)) return false;
    *out = (limn_range){LIMN_RANGE_GIVEN, low, high};
    return true;
}

const char *limn_range_text(const limn_range *range, char out[64])
{
    if (range->kind == LIMN_RANGE_GIVEN) limn_format(out, 64, "%.17g,%.17g", range->low, range->high);
    else snprintf(out, 64, "%s", range->kind == LIMN_RANGE_MINMAX ? "minmax" : "auto");
    return out;
}

static size_t count_values(const limn_raster *r)
{
    return (size_t)r->slices * (size_t)r->height * (size_t)r->width * (size_t)r->channels;
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Low and high of the finite values; 0 and 0 where none is. */
static void find_limits(const limn_raster *r, limn_range *range)
{
    size_t n = count_values(r);
    range->low = INFINITY, range->high = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(r->values[i]) || is_alpha(r, i)) continue;
        range->low = fmin(range->low, r->values[i]), range->high = fmax(range->high, r->values[i]);
    }
    if (range->low > range->high) range->low = range->high = 0;
}

static limn_status find_percentiles(limn_ctx *ctx, const limn_raster *r, limn_range *range)
{
    enum { MOST = 1 << 20 };
    size_t n = count_values(r), kept = 0, taken = n < MOST ? n : MOST;
    float *some = malloc(taken * sizeof *some);
    if (!some) return limn_fail_memory(ctx, taken * sizeof *some, "percentiles");
    for (size_t i = 0; i < taken; i++) {
        size_t at = (size_t)((double)i * ((double)n / (double)taken));
        if (isfinite(r->values[at]) && !is_alpha(r, at)) some[kept++] = r->values[at];
    }
    qsort(some, kept, sizeof *some, by_value);
    if (kept) range->low = some[(size_t)(0.005 * (double)(kept - 1) + 0.5)], range->high = some[(size_t)(0.995 * (double)(kept - 1) + 0.5)];
    bool flat = !kept || range->high <= range->low;
    free(some);
    if (flat) find_limits(r, range);
    return LIMN_OK;
}

static limn_status find_range(limn_ctx *ctx, const limn_raster *r, limn_range *range)
{
    if (range->kind == LIMN_RANGE_GIVEN) return LIMN_OK;
    if (range->kind == LIMN_RANGE_MINMAX) return find_limits(r, range), LIMN_OK;
    if (r->limit != 255) return find_percentiles(ctx, r, range);
    range->low = 0, range->high = 255;
    return LIMN_OK;
}

limn_status limn_raster_scale(limn_ctx *ctx, const char *name, limn_raster *r, limn_range *range)
{
    limn_status status = find_range(ctx, r, range);
    if (status != LIMN_OK) return status;
    size_t n = count_values(r), lost = 0;
    double spread = range->high - range->low, scale = spread > 0 && isfinite(spread) ? 1 / spread : 0, alpha = r->limit > 0 ? 1 / (double)r->limit : 1;
    for (size_t i = 0; i < n; i++) {
        double v = is_alpha(r, i) ? r->values[i] * alpha : (r->values[i] - range->low) * scale;
        bool finite = isfinite(r->values[i]);
        lost += !finite;
        r->values[i] = !finite || !(v > 0) ? 0 : v > 1 ? 1 : (float)v; /* never -0, which a file would not give back */
    }
    if (lost) limn_log(ctx, LIMN_LOG_WARN, "%s: %zu of %zu values are no finite numbers and become 0", name, lost, n);
    if (scale == 0) limn_log(ctx, LIMN_LOG_WARN, "%s: all values are the same", name);
    return LIMN_OK;
}

limn_status limn_raster_image(limn_ctx *ctx, const char *name, const limn_raster *r, int slice, limn_image *out)
{
    size_t n = (size_t)r->width * (size_t)r->height, c = (size_t)r->channels;
    int channels = r->separate ? 1 : r->channels;
    const float *from = r->values + (size_t)slice * n * c;
    limn_status status = limn_image_new(ctx, name, (uint32_t)r->width, (uint32_t)r->height, channels, out);
    for (size_t i = 0; status == LIMN_OK && i < n; i++)
        for (int k = 0; k < channels; k++) out->pixels[i * (size_t)channels + (size_t)k] = (uint8_t)(from[i * c + (size_t)k] * 255 + 0.5f);
    return status;
}

void limn_raster_pixel(int from, const float *p, int to, float *out)
{
    bool alpha = from == 2 || from == 4;
    float rgb[3];
    if (to == from) {
        memcpy(out, p, (size_t)to * sizeof *out);
        return;
    }
    for (int k = 0; k < 3; k++) {
        rgb[k] = p[from > 2 ? k : 0];
        if (alpha) rgb[k] = rgb[k] * p[from - 1] + 1 - p[from - 1];
    }
    if (to == 3) memcpy(out, rgb, sizeof rgb);
    else out[0] = from < 3 ? rgb[0] : 0.299f * rgb[0] + 0.587f * rgb[1] + 0.114f * rgb[2];
}

/* ---- names of things ---------------------------------------------------------------------------------------------------------- */

const char *limn_raster_size(int width, int height, int slices, char out[48])
{
    if (slices > 1) snprintf(out, 48, "%d x %d x %d", width, height, slices);
    else snprintf(out, 48, "%d x %d", width, height);
    return out;
}

/* Pixel i of a mask is no whole number: where, and what it is. */
static limn_status no_label(limn_ctx *ctx, const char *name, const limn_raster *r, size_t i)
{
    const float *p = r->values + i * (size_t)r->channels;
    size_t pixels = (size_t)r->width * (size_t)r->height;
    char what[64], slice[32] = "";
    if (r->slices > 1) snprintf(slice, sizeof slice, ", slice %zu", i / pixels);
    if (r->channels > 2 && (p[0] != p[1] || p[1] != p[2])) limn_format(what, sizeof what, "the colour %g,%g,%g", (double)p[0], (double)p[1], (double)p[2]);
    else if (p[0] >= 0 && p[0] <= 65535 && p[0] == (float)(int)p[0]) snprintf(what, sizeof what, "transparency");
    else limn_format(what, sizeof what, "%g", (double)p[0]);
    return limn_fail(ctx, LIMN_BAD_FILE, "%s: expected a mask with one whole number 0 to 65535 a pixel, found %s at column %zu, row %zu%s", name, what, i % (size_t)r->width,
                     i % pixels / (size_t)r->width, slice);
}

limn_status limn_raster_labels(limn_ctx *ctx, const char *name, const limn_raster *r, uint16_t **out)
{
    size_t n = (size_t)r->slices * (size_t)r->height * (size_t)r->width, c = (size_t)r->channels;
    *out = malloc(n * sizeof **out);
    if (!*out) return limn_fail_memory(ctx, n * sizeof **out, name);
    for (size_t i = 0; i < n; i++) {
        const float *p = r->values + i * c;
        bool fits = p[0] >= 0 && p[0] <= 65535 && p[0] == (float)(int)p[0];
        for (size_t k = 1; k < c; k++) fits = fits && p[k] == (is_alpha(r, k) ? r->limit : p[0]);
        if (!fits) {
            free(*out);
            *out = NULL;
            return no_label(ctx, name, r, i);
        }
        (*out)[i] = (uint16_t)p[0];
    }
    return LIMN_OK;
}
