/* tiff.c: see tiff.h.  libtiff reads from memory; its messages go to a struct, by handlers of this one file. */
#include "file/tiff.h"

#include "file/bytes.h"
#include "file/image.h"

#include <stdlib.h>
#include <string.h>
#include <tiffio.h>

/* LZW and Zstandard pack more than deflate, for which limn_raster_new() looks. */
enum { MORE_PACKED = 2, MOST_BYTES = 512 << 20 };

typedef struct tiff_job {
    limn_ctx *ctx;
    const char *name;
    const uint8_t *bytes;
    uint64_t n, at;
    TIFF *tiff;
    bool labels; /* values are names of things, whatever colour they are shown in */
    char why[200];
} tiff_job;

/* ---- the file is in memory -------------------------------------------------------------------------------------------------- */

static tmsize_t take(thandle_t handle, void *to, tmsize_t n)
{
    tiff_job *job = (tiff_job *)handle;
    uint64_t left = job->at < job->n ? job->n - job->at : 0, step = n < 0 ? 0 : (uint64_t)n < left ? (uint64_t)n : left;
    memcpy(to, job->bytes + (step ? job->at : 0), (size_t)step);
    job->at += step;
    return (tmsize_t)step;
}

static tmsize_t no_write(thandle_t handle, void *from, tmsize_t n)
{
    (void)handle, (void)from, (void)n;
    return -1;
}

static toff_t seek(thandle_t handle, toff_t offset, int whence)
{
    tiff_job *job = (tiff_job *)handle;
    return job->at = whence == SEEK_SET ? offset : whence == SEEK_CUR ? job->at + offset : job->n + offset;
}

static int no_close(thandle_t handle)
{
    (void)handle;
    return 0;
}

static toff_t size_of(thandle_t handle)
{
    return ((tiff_job *)handle)->n;
}

/* The first message says most; 1: no other handler is asked. */
static int keep_reason(TIFF *tiff, void *user, const char *module, const char *format, va_list list)
{
    tiff_job *job = user;
    char text[150];
    (void)tiff, (void)module;
    if (job->why[0]) return 1;
    limn_format_list(text, sizeof text, format, list);
    limn_escape(text, strlen(text), job->why, sizeof job->why);
    return 1;
}

static int silent(TIFF *tiff, void *user, const char *module, const char *format, va_list list)
{
    (void)tiff, (void)user, (void)module, (void)format, (void)list;
    return 1;
}

static TIFF *open_memory(tiff_job *job)
{
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
    if (!options) return NULL;
    TIFFOpenOptionsSetErrorHandlerExtR(options, keep_reason, job);
    TIFFOpenOptionsSetWarningHandlerExtR(options, silent, job);
    TIFFOpenOptionsSetMaxSingleMemAlloc(options, MOST_BYTES);
    TIFF *tiff = TIFFClientOpenExt("memory", "rm", (thandle_t)job, take, no_write, seek, no_close, size_of, NULL, NULL, options);
    TIFFOpenOptionsFree(options);
    return tiff;
}

/* ---- pages ------------------------------------------------------------------------------------------------------------------ */

typedef struct page {
    uint32_t width, height;
    uint16_t bits, samples, format, photometric, planar;
    int channels;
} page;

static bool is_alpha(TIFF *tiff, const page *p)
{
    uint16_t n = 0, *kinds = NULL;
    if (p->samples == p->channels) return true;
    TIFFGetFieldDefaulted(tiff, TIFFTAG_EXTRASAMPLES, &n, &kinds);
    return p->samples == p->channels + 1 && n == 1 && (kinds[0] == EXTRASAMPLE_ASSOCALPHA || kinds[0] == EXTRASAMPLE_UNASSALPHA);
}

static limn_status read_page(const tiff_job *job, int number, page *p)
{
    *p = (page){.photometric = UINT16_MAX};
    TIFFGetField(job->tiff, TIFFTAG_IMAGEWIDTH, &p->width);
    TIFFGetField(job->tiff, TIFFTAG_IMAGELENGTH, &p->height);
    TIFFGetFieldDefaulted(job->tiff, TIFFTAG_BITSPERSAMPLE, &p->bits);
    TIFFGetFieldDefaulted(job->tiff, TIFFTAG_SAMPLESPERPIXEL, &p->samples);
    TIFFGetFieldDefaulted(job->tiff, TIFFTAG_SAMPLEFORMAT, &p->format);
    TIFFGetFieldDefaulted(job->tiff, TIFFTAG_PLANARCONFIG, &p->planar);
    TIFFGetField(job->tiff, TIFFTAG_PHOTOMETRIC, &p->photometric);
    if (job->labels && p->photometric == PHOTOMETRIC_MINISWHITE) p->photometric = PHOTOMETRIC_MINISBLACK;
    bool rgb = p->photometric == PHOTOMETRIC_RGB, gray = p->photometric == PHOTOMETRIC_MINISBLACK || p->photometric == PHOTOMETRIC_MINISWHITE;
    bool whole = p->format == SAMPLEFORMAT_UINT || p->format == SAMPLEFORMAT_INT || p->format == SAMPLEFORMAT_VOID, real = p->format == SAMPLEFORMAT_IEEEFP;
    p->channels = rgb ? 3 : 1;
    if ((!rgb && !gray) || !is_alpha(job->tiff, p))
        return limn_fail(job->ctx, LIMN_UNSUPPORTED, "%s: page %d has %d samples a pixel of colour model %d; expected gray or RGB, with or without alpha", job->name, number,
                         p->samples, p->photometric);
    if ((whole && (p->bits == 8 || p->bits == 16 || p->bits == 32)) || (real && p->bits == 32)) return LIMN_OK;
    return limn_fail(job->ctx, LIMN_UNSUPPORTED, "%s: page %d has %d bits a sample of format %d; expected whole numbers of 8, 16 or 32 bits, or floats of 32", job->name, number,
                     p->bits, p->format);
}

static float value_of(const page *p, const uint8_t *at)
{
    uint16_t u = 0;
    uint32_t v = 0;
    float f = 0;
    bool sign = p->format == SAMPLEFORMAT_INT;
    memcpy(&u, at, p->bits == 16 ? 2 : 0);
    memcpy(&v, at, p->bits == 32 ? 4 : 0);
    memcpy(&f, at, p->bits == 32 ? 4 : 0);
    if (p->bits == 8) return sign ? (float)(int8_t)*at : (float)*at;
    if (p->bits == 16) return sign ? (float)(int16_t)u : (float)u;
    return p->format == SAMPLEFORMAT_IEEEFP ? f : sign ? (float)(int32_t)v : (float)v;
}

/* A block of rows x columns at (x, y), as libtiff hands it out: all samples of a pixel, or one plane. */
static void put_block(const page *p, const uint8_t *block, uint32_t x, uint32_t y, uint32_t columns, uint32_t rows, uint16_t plane, float *to)
{
    bool planes = p->planar == PLANARCONFIG_SEPARATE;
    size_t bytes = p->bits / 8u, pixel = planes ? bytes : bytes * p->samples;
    float white = p->photometric == PHOTOMETRIC_MINISWHITE ? (p->bits == 8 ? 255.f : p->bits == 16 ? 65535.f : 0.f) : 0;
    for (uint32_t row = 0; row < rows && y + row < p->height; row++)
        for (uint32_t column = 0; column < columns && x + column < p->width; column++)
            for (int c = planes ? plane : 0; c < (planes ? plane + 1 : p->channels); c++) {
                float v = value_of(p, block + ((size_t)row * columns + column) * pixel + (planes ? 0 : (size_t)c * bytes));
                to[((size_t)(y + row) * p->width + x + column) * (size_t)p->channels + (size_t)c] = p->photometric == PHOTOMETRIC_MINISWHITE ? white - v : v;
            }
}

/* Tiles, or strips, which are tiles as wide as the page.  @return false after libtiff gave a reason */
static bool read_blocks(tiff_job *job, const page *p, float *to, uint8_t **block)
{
    TIFF *t = job->tiff;
    bool tiled = TIFFIsTiled(t) != 0, planes = p->planar == PLANARCONFIG_SEPARATE;
    uint32_t columns = p->width, rows = p->height;
    if (tiled && (!TIFFGetField(t, TIFFTAG_TILEWIDTH, &columns) || !TIFFGetField(t, TIFFTAG_TILELENGTH, &rows))) return false;
    if (!tiled) TIFFGetFieldDefaulted(t, TIFFTAG_ROWSPERSTRIP, &rows);
    if (!tiled && rows > p->height) rows = p->height;
    uint64_t size = (uint64_t)columns * rows * (p->bits / 8u) * (planes ? 1u : p->samples);
    uint64_t theirs = tiled ? TIFFTileSize64(t) : TIFFStripSize64(t);
    if (!columns || !rows || columns > LIMN_MAX_SIDE || rows > LIMN_MAX_SIDE || size > MOST_BYTES || theirs != size || !(*block = calloc(1, (size_t)size))) return false;
    for (uint16_t plane = 0; plane < (planes ? p->channels : 1); plane++)
        for (uint32_t y = 0; y < p->height; y += rows)
            for (uint32_t x = 0; x < p->width; x += columns) {
                memset(*block, 0, (size_t)size); /* a short strip leaves its rest */
                tmsize_t got = tiled ? TIFFReadEncodedTile(t, TIFFComputeTile(t, x, y, 0, plane), *block, (tmsize_t)size)
                                     : TIFFReadEncodedStrip(t, TIFFComputeStrip(t, y, plane), *block, (tmsize_t)size);
                if (got < 0) return false;
                put_block(p, *block, x, y, columns, rows, plane, to);
            }
    return true;
}

static limn_status damaged(const tiff_job *job, int number)
{
    return limn_fail(job->ctx, LIMN_BAD_FILE, "%s: damaged TIFF, page %d: %s", job->name, number, job->why[0] ? job->why : "its strips or tiles do not fit its size");
}

static bool is_reduced(TIFF *tiff)
{
    uint32_t kind = 0;
    TIFFGetFieldDefaulted(tiff, TIFFTAG_SUBFILETYPE, &kind);
    return kind & FILETYPE_REDUCEDIMAGE;
}

static bool alike(const page *a, const page *b)
{
    return a->width == b->width && a->height == b->height && a->bits == b->bits && a->format == b->format && a->channels == b->channels;
}

/* How many pages there are, and that all are alike. */
static limn_status count_pages(const tiff_job *job, page *first, int *n)
{
    page p;
    int number = 0;
    *n = 0;
    do {
        if (is_reduced(job->tiff)) continue;
        limn_status status = read_page(job, number, &p);
        if (status != LIMN_OK) return status;
        if (!*n) *first = p;
        if (!alike(first, &p))
            return limn_fail(job->ctx, LIMN_UNSUPPORTED, "%s: page %d is %u x %u of %d bits and %d channels, the first %u x %u of %d and %d; expected pages that are alike", job->name,
                             number, p.width, p.height, p.bits, p.channels, first->width, first->height, first->bits, first->channels);
        ++*n;
    } while (++number < LIMN_MAX_SLICES && TIFFReadDirectory(job->tiff));
    if (job->why[0]) return damaged(job, number);
    if (number == LIMN_MAX_SLICES || !*n) return limn_fail(job->ctx, LIMN_BAD_FILE, "%s: %d pages, expected 1 to %d", job->name, *n, LIMN_MAX_SLICES - 1);
    return TIFFSetDirectory(job->tiff, 0) ? LIMN_OK : damaged(job, 0);
}

static limn_status read_pages(tiff_job *job, limn_raster *out)
{
    page p;
    int n, done = 0, number = 0;
    limn_status status = count_pages(job, &p, &n);
    size_t packed = (size_t)job->n * MORE_PACKED;
    if (status == LIMN_OK) status = limn_raster_new(job->ctx, job->name, p.width, p.height, n, p.channels, packed, out);
    if (status != LIMN_OK) return status;
    size_t values = (size_t)p.width * p.height * (size_t)p.channels;
    bool natural = p.format == SAMPLEFORMAT_UINT || p.format == SAMPLEFORMAT_VOID;
    out->kind = LIMN_RASTER_TIFF, out->limit = natural && p.bits == 8 ? 255 : natural && p.bits == 16 ? 65535 : 0;
    do {
        uint8_t *block = NULL;
        if (is_reduced(job->tiff)) continue;
        status = read_page(job, number, &p);
        if (status == LIMN_OK && !read_blocks(job, &p, out->values + (size_t)done * values, &block)) status = damaged(job, number);
        free(block);
        done++;
    } while (status == LIMN_OK && done < n && (++number, TIFFReadDirectory(job->tiff)));
    return status == LIMN_OK && done < n ? damaged(job, number) : status;
}

bool limn_tiff_sniff(const uint8_t *bytes, size_t n)
{
    return n >= 8 && (memcmp(bytes, "II*\0", 4) == 0 || memcmp(bytes, "MM\0*", 4) == 0 || memcmp(bytes, "II+\0", 4) == 0 || memcmp(bytes, "MM\0+", 4) == 0);
}

limn_status limn_tiff_decode(limn_ctx *ctx, const char *name, const uint8_t *bytes, size_t n, bool labels, limn_raster *out)
{
    tiff_job job = {.ctx = ctx, .name = name, .bytes = bytes, .n = n, .labels = labels};
    *out = (limn_raster){0};
    job.tiff = open_memory(&job);
    limn_status status = job.tiff ? read_pages(&job, out) : damaged(&job, 0);
    if (job.tiff) TIFFClose(job.tiff);
    if (status != LIMN_OK) limn_raster_free(out);
    return status;
}
