/* raster.c: which format a file is, and its values to the range that networks read; see raster.h. */
#include "file/raster.h"

#include "file/bytes.h"
#include "file/image.h"
#include "file/nifti.h"
#include "file/tiff.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void limn_raster_free(limn_raster *r)
{
    free(r->values);
    *r = (limn_raster){0};
}

limn_status limn_raster_new(limn_ctx *ctx, const char *name, int64_t width, int64_t height, int64_t slices, int channels,
                            size_t file_bytes, limn_raster *out)
{
    enum { MAX_DEFLATE_RATIO = 1032 };
    limn_raster_free(out);
    if (width < 1 || height < 1 || width > LIMN_MAX_SIDE || height > LIMN_MAX_SIDE || width * height > LIMN_MAX_PIXELS)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: %lld x %lld pixels, expected 1 to %d a side and at most %d in all", name,
                         (long long)width, (long long)height, LIMN_MAX_SIDE, LIMN_MAX_PIXELS);
    if (slices < 1 || slices > LIMN_MAX_SLICES || width * height * slices * channels > LIMN_MAX_VOXELS)
        return limn_fail(ctx, LIMN_BAD_FILE,
                         "%s: %lld slices of %lld x %lld x %d, expected 1 to %d and at most %d values in all", name,
                         (long long)slices, (long long)width, (long long)height, channels, LIMN_MAX_SLICES, LIMN_MAX_VOXELS);
    size_t n = (size_t)(width * height * slices) * (size_t)channels, bytes = n * sizeof(float),
           has = limn_memory_available();
    if (file_bytes && n / MAX_DEFLATE_RATIO > file_bytes)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: %lld x %lld x %lld pixels cannot come out of %zu bytes", name,
                         (long long)width, (long long)height, (long long)slices, file_bytes);
    if (has && bytes > has)
        return limn_fail(ctx, LIMN_NO_MEMORY, "%s: its values need %zu bytes, %zu are available", name, bytes, has);
    *out = (limn_raster){
        .width = (int)width, .height = (int)height, .slices = (int)slices, .channels = channels, .values = malloc(bytes)};
    if (out->values) return LIMN_OK;
    *out = (limn_raster){0};
    return limn_fail_memory(ctx, bytes, name);
}

enum { PNG_DEPTH = 24, PNG_TYPE = 25, PNG_PALETTE = 3 }; /* bytes of a PNG's first chunk */

/* A PNG whose decoding would change names of things: those of a palette to colours, 1 of 4 bits to 17.  Gray of 1 bit is
 * black and white. */
static bool has_indices(const uint8_t *bytes, size_t n)
{
    return n > PNG_TYPE && (bytes[PNG_TYPE] == PNG_PALETTE || bytes[PNG_DEPTH] == 2 || bytes[PNG_DEPTH] == 4);
}

static limn_status decode_picture(limn_ctx *ctx, const char *name, const uint8_t *bytes, size_t n, bool labels,
                                  limn_raster *out)
{
    limn_image image;
    uint16_t *wide = NULL;
    bool png = limn_image_sniff(bytes, n) == LIMN_IMAGE_PNG;
    limn_status status = png && labels && has_indices(bytes, n) ? limn_png_decode_indices(ctx, name, bytes, n, &image)
                         : png                                  ? limn_png_decode_wide(ctx, name, bytes, n, &image, &wide)
                                                                : limn_image_decode(ctx, name, bytes, n, 0, &image);
    if (status == LIMN_OK) status = limn_raster_new(ctx, name, image.width, image.height, 1, image.channels, 0, out);
    size_t values = status == LIMN_OK ? (size_t)image.width * (size_t)image.height * (size_t)image.channels : 0;
    for (size_t i = 0; i < values; i++) out->values[i] = wide ? wide[i] : image.pixels[i];
    if (status == LIMN_OK) out->limit = wide ? 65535 : 255, out->type = wide ? "u16" : "u8";
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
    return limn_fail(ctx, LIMN_BAD_FILE,
                     "%s: expected a PNG, JPEG, WebP, TIFF or NIfTI file, found %zu bytes that begin with \"%s\"", name, n,
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

limn_status limn_raster_look(limn_ctx *ctx, const char *path, limn_raster_kind *kind, bool *pages)
{
    unsigned char first[16], *bytes = NULL;
    size_t n;
    int fd;
    *kind = LIMN_RASTER_PICTURE, *pages = false;
    limn_status status = limn_file_open(ctx, path, &fd, &n);
    if (status != LIMN_OK) return status;
    size_t head = n < sizeof first ? n : sizeof first;
    status = limn_file_read_at(ctx, path, fd, 0, head, first);
    close(fd);
    if (status != LIMN_OK) return status;
    if (limn_nifti_sniff(first, head)) *kind = LIMN_RASTER_NIFTI;
    if (!limn_tiff_sniff(first, head)) return LIMN_OK;
    *kind = LIMN_RASTER_TIFF;
    status = limn_file_read(ctx, path, LIMN_MAX_RASTER_BYTES, &bytes, &n);
    if (status == LIMN_OK) *pages = limn_tiff_pages(ctx, path, bytes, n);
    free(bytes);
    return status;
}

/* ---- ranges ----------------------------------------------------------------------------------------------------------- */

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
    if (strcmp(text, "percentiles") == 0) return out->kind = LIMN_RANGE_PERCENTILES, true;
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
    static const char *const words[] = {[LIMN_RANGE_AUTO] = "auto",
                                        [LIMN_RANGE_MINMAX] = "minmax",
                                        [LIMN_RANGE_PERCENTILES] = "percentiles",
                                        [LIMN_RANGE_BYTES] = "bytes"};
    if (range->kind == LIMN_RANGE_GIVEN) limn_format(out, 64, "%.17g,%.17g", range->low, range->high);
    else snprintf(out, 64, "%s", words[range->kind]);
    return out;
}

static size_t count_values(const limn_raster *r)
{
    return (size_t)r->slices * (size_t)r->height * (size_t)r->width * (size_t)r->channels;
}

static bool counts(const limn_raster *r, size_t i)
{
    return isfinite(r->values[i]) && !is_alpha(r, i);
}

/* Low and high of the finite values; 0 and 0 where none is. */
static void find_limits(const limn_raster *r, limn_range *range)
{
    size_t n = count_values(r);
    range->low = INFINITY, range->high = -INFINITY;
    for (size_t i = 0; i < n; i++)
        if (counts(r, i)) range->low = fmin(range->low, r->values[i]), range->high = fmax(range->high, r->values[i]);
    if (range->low > range->high) range->low = range->high = 0;
}

/* The bits of floats, so turned that they have the order of their values: negative ones all the other way round, and before
 * the others. */
static uint32_t ordered_bits(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits >> 31 ? ~bits : bits | UINT32_C(1) << 31;
}

static float value_of_bits(uint32_t bits)
{
    float v;
    bits = bits >> 31 ? bits ^ UINT32_C(1) << 31 : ~bits;
    memcpy(&v, &bits, sizeof v);
    return v;
}

enum { HALVES = 1 << 16 };

/* Half of the bits of the value that has *rank among the finite ones: the upper half (upper -1), then the lower, among those
 * with that upper half alone. count [HALVES]: scratch */
static uint32_t half_of_rank(const limn_raster *r, int64_t upper, uint64_t *rank, uint64_t *count)
{
    size_t n = count_values(r);
    uint32_t half = 0;
    memset(count, 0, HALVES * sizeof *count);
    for (size_t i = 0; i < n; i++) {
        if (!counts(r, i)) continue;
        uint32_t bits = ordered_bits(r->values[i]);
        if (upper < 0) count[bits >> 16]++;
        else if (bits >> 16 == upper) count[bits & (HALVES - 1)]++;
    }
    for (; *rank >= count[half]; half++) *rank -= count[half];
    return half;
}

static float value_of_rank(const limn_raster *r, double rank, uint64_t *count)
{
    uint64_t left = (uint64_t)nearbyint(rank);
    uint32_t upper = half_of_rank(r, -1, &left, count);
    return value_of_bits(upper << 16 | half_of_rank(r, upper, &left, count));
}

/* Of all values, those nearest to the ranks 0.005 (n - 1) and 0.995 (n - 1), as numpy.percentile(.., method="nearest") has
 * them: never of every so-many-th, which in a picture of three channels may all be red. */
static limn_status find_percentiles(limn_ctx *ctx, const limn_raster *r, limn_range *range)
{
    size_t n = count_values(r), kept = 0;
    uint64_t *count = malloc(HALVES * sizeof *count);
    if (!count) return limn_fail_memory(ctx, HALVES * sizeof *count, "percentiles");
    for (size_t i = 0; i < n; i++) kept += counts(r, i);
    if (kept) {
        range->low = value_of_rank(r, 0.005 * (double)(kept - 1), count);
        range->high = value_of_rank(r, 0.995 * (double)(kept - 1), count);
    }
    free(count);
    if (!kept || range->high <= range->low) find_limits(r, range);
    return LIMN_OK;
}

/* Are they bytes, whatever type they are stored in? */
static bool all_bytes(const limn_raster *r)
{
    size_t n = count_values(r);
    for (size_t i = 0; i < n; i++)
        if (!is_alpha(r, i) && !(r->values[i] >= 0 && r->values[i] <= 255 && r->values[i] == floorf(r->values[i])))
            return false;
    return true;
}

/* A range beside which all values lie makes a flat picture of one that is not. */
static limn_status check_outside(limn_ctx *ctx, const char *name, limn_raster *r, const limn_range *range)
{
    size_t n = count_values(r), all = 0;
    limn_range found;
    r->below = r->above = 0;
    for (size_t i = 0; i < n; i++)
        if (counts(r, i)) all++, r->below += r->values[i] < range->low, r->above += r->values[i] > range->high;
    if (!all || r->below + r->above < all) return LIMN_OK;
    find_limits(r, &found);
    if ((r->below == all || r->above == all) && found.low < found.high)
        return limn_fail(
            ctx, LIMN_BAD_ARGUMENT,
            "%s: all %zu values lie %s the range %.9g to %.9g, they are %.9g to %.9g: nothing of them would be seen", name,
            all, r->above ? "above" : "below", range->low, range->high, found.low, found.high);
    limn_log(ctx, LIMN_LOG_WARN, "%s: no value lies within the range %.9g to %.9g: %zu are below, %zu above (%.9g to %.9g)",
             name, range->low, range->high, r->below, r->above, found.low, found.high);
    return LIMN_OK;
}

static limn_status find_range(limn_ctx *ctx, const char *name, limn_raster *r, limn_range *range)
{
    if (range->kind == LIMN_RANGE_GIVEN) return check_outside(ctx, name, r, range);
    if (range->kind == LIMN_RANGE_MINMAX) return find_limits(r, range), LIMN_OK;
    bool bytes =
        range->kind != LIMN_RANGE_PERCENTILES && (r->limit == 255 || (range->kind == LIMN_RANGE_BYTES && all_bytes(r)));
    *range = (limn_range){bytes ? LIMN_RANGE_BYTES : LIMN_RANGE_PERCENTILES, 0, 255};
    return bytes ? LIMN_OK : find_percentiles(ctx, r, range);
}

limn_status limn_raster_scale(limn_ctx *ctx, const char *name, limn_raster *r, limn_range *range)
{
    limn_status status = find_range(ctx, name, r, range);
    if (status != LIMN_OK) return status;
    size_t n = count_values(r), lost = 0;
    double spread = range->high - range->low, scale = spread > 0 && isfinite(spread) ? 1 / spread : 0,
           alpha = r->limit > 0 ? 1 / (double)r->limit : 1;
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
        for (int k = 0; k < channels; k++)
            out->pixels[i * (size_t)channels + (size_t)k] = (uint8_t)(from[i * c + (size_t)k] * 255 + 0.5f);
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

/* ---- names of things -------------------------------------------------------------------------------------------------- */

const char *limn_raster_size(int width, int height, int slices, char out[48])
{
    if (slices > 1) snprintf(out, 48, "%d x %d x %d", width, height, slices);
    else snprintf(out, 48, "%d x %d", width, height);
    return out;
}

/* The whole number 0..65535 that v is, or by resampling nearly is; -1: none. */
static int whole_number(float v)
{
    const float near = 1e-4f;
    float whole = v > -1 && v < 65536 ? rintf(v) : -1;
    return whole >= 0 && whole <= 65535 && fabsf(v - whole) <= near ? (int)whole : -1;
}

/* Pixel i of a mask is no whole number: where, and what it is. */
static limn_status no_label(limn_ctx *ctx, const char *name, const limn_raster *r, size_t i)
{
    const float *p = r->values + i * (size_t)r->channels;
    size_t pixels = (size_t)r->width * (size_t)r->height;
    char what[64], slice[32] = "";
    if (r->slices > 1) snprintf(slice, sizeof slice, ", slice %zu", i / pixels);
    if (r->channels > 2 && (p[0] != p[1] || p[1] != p[2]))
        limn_format(what, sizeof what, "the colour %.9g,%.9g,%.9g", (double)p[0], (double)p[1], (double)p[2]);
    else if (whole_number(p[0]) >= 0) snprintf(what, sizeof what, "transparency");
    else limn_format(what, sizeof what, "%.9g", (double)p[0]);
    return limn_fail(ctx, LIMN_BAD_FILE,
                     "%s: expected a mask with one whole number 0 to 65535 a pixel, found %s at column %zu, row %zu%s", name,
                     what, i % (size_t)r->width, i % pixels / (size_t)r->width, slice);
}

limn_status limn_raster_labels(limn_ctx *ctx, const char *name, const limn_raster *r, uint16_t **out, limn_near_labels *near)
{
    size_t n = (size_t)r->slices * (size_t)r->height * (size_t)r->width, c = (size_t)r->channels;
    *near = (limn_near_labels){0};
    *out = malloc(n * sizeof **out);
    if (!*out) return limn_fail_memory(ctx, n * sizeof **out, name);
    for (size_t i = 0; i < n; i++) {
        const float *p = r->values + i * c;
        int label = whole_number(p[0]);
        bool fits = label >= 0;
        for (size_t k = 1; k < c; k++) fits = fits && p[k] == (is_alpha(r, k) ? r->limit : p[0]);
        if (!fits) {
            free(*out);
            *out = NULL;
            return no_label(ctx, name, r, i);
        }
        if (p[0] != (float)label && !near->n++) near->first = p[0];
        (*out)[i] = (uint16_t)label;
    }
    return LIMN_OK;
}
