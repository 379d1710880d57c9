/* tiff.c: see tiff.h.  libtiff reads from memory; its messages go to a struct, by handlers of this one file. */
#include "file/tiff.h"
#include "base/number.h"

#include "file/bytes.h"
#include "file/exif.h"
#include "file/image.h"
#include "file/tiff_stack.h"

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

/* ---- the file is in memory -------------------------------------------------------------------------------------------- */

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

/* libjpeg goes on with made-up pixels after a warning; see jpeg.c for those that leave the pixels whole. */
static int on_warning(TIFF *tiff, void *user, const char *module, const char *format, va_list list)
{
    static const char *const harmless[] = {"extraneous", "JFIF", "Adobe", "ICC"};
    tiff_job *job = user;
    char text[150];
    if (!module || strcmp(module, "JPEGLib") != 0 || job->why[0]) return 1;
    va_list again;
    va_copy(again, list);
    limn_format_list(text, sizeof text, format, again);
    va_end(again);
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        if (strstr(text, harmless[i])) return 1;
    return keep_reason(tiff, user, module, format, list);
}

static TIFF *open_memory(tiff_job *job)
{
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
    if (!options) return NULL;
    TIFFOpenOptionsSetErrorHandlerExtR(options, keep_reason, job);
    TIFFOpenOptionsSetWarningHandlerExtR(options, on_warning, job);
    TIFFOpenOptionsSetMaxSingleMemAlloc(options, MOST_BYTES);
    TIFF *tiff =
        TIFFClientOpenExt("memory", "rm", (thandle_t)job, take, no_write, seek, no_close, size_of, NULL, NULL, options);
    TIFFOpenOptionsFree(options);
    return tiff;
}

/* ---- pages ------------------------------------------------------------------------------------------------------------ */

typedef struct page {
    uint32_t width, height;
    uint16_t bits, samples, format, photometric, planar, compression, orientation;
    int channels;
} page;

static const char *type_of(const page *p)
{
    if (p->format == SAMPLEFORMAT_IEEEFP) return "f32";
    if (p->format == SAMPLEFORMAT_INT) return p->bits == 8 ? "i8" : p->bits == 16 ? "i16" : "i32";
    return p->bits == 8 ? "u8" : p->bits == 16 ? "u16" : "u32";
}

static bool is_alpha(TIFF *tiff, const page *p)
{
    uint16_t n = 0, *kinds = NULL;
    if (p->samples == p->channels) return true;
    TIFFGetFieldDefaulted(tiff, TIFFTAG_EXTRASAMPLES, &n, &kinds);
    return p->samples == p->channels + 1 && n == 1 &&
           (kinds[0] == EXTRASAMPLE_ASSOCALPHA || kinds[0] == EXTRASAMPLE_UNASSALPHA);
}

static const char *compression_name(int compression)
{
    static const struct { int code; const char *name;
    } rows[] = {
        {COMPRESSION_CCITTRLE, "CCITT RLE"},
        {COMPRESSION_CCITTFAX3, "CCITT fax 3"},
        {COMPRESSION_CCITTFAX4, "CCITT fax 4"},
        {COMPRESSION_OJPEG, "old-style JPEG"},
        {COMPRESSION_JPEG, "JPEG"},
        {COMPRESSION_JBIG, "JBIG"},
        {COMPRESSION_THUNDERSCAN, "ThunderScan"},
        {33003, "JPEG 2000 of Aperio"},
        {33005, "JPEG 2000 of Aperio"},
        {34713, "Nikon NEF"},
        {COMPRESSION_JP2000, "JPEG 2000"},
        {34887, "LERC"},
        {34892, "lossy JPEG"},
        {COMPRESSION_LZMA, "LZMA"},
        {34934, "JPEG XR"},
        {22610, "JPEG XR"},
        {50000, "Zstandard"},
        {50001, "WebP"},
        {50002, "JPEG XL"},
        {52546, "JPEG XL"},
        {COMPRESSION_LZW, "LZW"},
        {COMPRESSION_ADOBE_DEFLATE, "deflate"},
        {COMPRESSION_DEFLATE, "deflate"},
        {COMPRESSION_PACKBITS, "PackBits"},
        {COMPRESSION_NONE, "none"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].code == compression) return rows[i].name;
    return "a way without a name here";
}

static const char *colour_name(int photometric)
{
    switch (photometric) {
    case PHOTOMETRIC_MINISWHITE: case PHOTOMETRIC_MINISBLACK: return "gray";
    case PHOTOMETRIC_RGB: return "RGB";
    case PHOTOMETRIC_PALETTE: return "a palette";
    case PHOTOMETRIC_MASK: return "a mask of transparency";
    case PHOTOMETRIC_SEPARATED: return "CMYK";
    case PHOTOMETRIC_YCBCR: return "YCbCr";
    case PHOTOMETRIC_CIELAB: case PHOTOMETRIC_ICCLAB: case PHOTOMETRIC_ITULAB: return "Lab";
    case PHOTOMETRIC_CFA: return "a colour filter array";
    case PHOTOMETRIC_LOGL: case PHOTOMETRIC_LOGLUV: return "logarithms";
    default: return "an unknown colour model";
    }
}

static limn_status check_colours(const tiff_job *job, int number, const page *p)
{
    bool rgb = p->photometric == PHOTOMETRIC_RGB,
         gray = p->photometric == PHOTOMETRIC_MINISBLACK || p->photometric == PHOTOMETRIC_MINISWHITE;
    if ((rgb || gray) && is_alpha(job->tiff, p)) return LIMN_OK;
    if (p->photometric == PHOTOMETRIC_YCBCR)
        return limn_fail(job->ctx, LIMN_UNSUPPORTED,
                         "%s: page %d is YCbCr with %d samples a pixel%s (compression: %s); YCbCr is read with 3 samples "
                         "side by side, compressed as JPEG",
                         job->name, number, p->samples, p->planar == PLANARCONFIG_SEPARATE ? " in planes" : "",
                         compression_name(p->compression));
    return limn_fail(job->ctx, LIMN_UNSUPPORTED,
                     "%s: page %d has %d samples a pixel of %s (%d); expected gray or RGB, with or without alpha", job->name,
                     number, p->samples, colour_name(p->photometric), p->photometric);
}

static void read_fields(const tiff_job *job, page *p)
{
    TIFF *t = job->tiff;
    *p = (page){.photometric = UINT16_MAX};
    TIFFGetField(t, TIFFTAG_IMAGEWIDTH, &p->width);
    TIFFGetField(t, TIFFTAG_IMAGELENGTH, &p->height);
    TIFFGetFieldDefaulted(t, TIFFTAG_BITSPERSAMPLE, &p->bits);
    TIFFGetFieldDefaulted(t, TIFFTAG_SAMPLESPERPIXEL, &p->samples);
    TIFFGetFieldDefaulted(t, TIFFTAG_SAMPLEFORMAT, &p->format);
    TIFFGetFieldDefaulted(t, TIFFTAG_PLANARCONFIG, &p->planar);
    TIFFGetFieldDefaulted(t, TIFFTAG_COMPRESSION, &p->compression);
    TIFFGetFieldDefaulted(t, TIFFTAG_ORIENTATION, &p->orientation);
    TIFFGetField(t, TIFFTAG_PHOTOMETRIC, &p->photometric);
    if (job->labels && p->photometric == PHOTOMETRIC_MINISWHITE) p->photometric = PHOTOMETRIC_MINISBLACK;
    bool jpeg = p->compression == COMPRESSION_JPEG && p->photometric == PHOTOMETRIC_YCBCR && p->samples == 3 &&
                p->planar == PLANARCONFIG_CONTIG;
    if (jpeg && TIFFSetField(t, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB))
        p->photometric = PHOTOMETRIC_RGB; /* also of another sampling */
    p->channels = p->photometric == PHOTOMETRIC_RGB ? 3 : 1;
}

static limn_status read_page(const tiff_job *job, int number, page *p)
{
    uint32_t depth = 1, tile_depth = 1;
    read_fields(job, p);
    TIFFGetFieldDefaulted(job->tiff, TIFFTAG_IMAGEDEPTH, &depth);
    TIFFGetFieldDefaulted(job->tiff, TIFFTAG_TILEDEPTH, &tile_depth);
    bool whole = p->format == SAMPLEFORMAT_UINT || p->format == SAMPLEFORMAT_INT || p->format == SAMPLEFORMAT_VOID,
         real = p->format == SAMPLEFORMAT_IEEEFP;
    if (!TIFFIsCODECConfigured(p->compression))
        return limn_fail(job->ctx, LIMN_UNSUPPORTED,
                         "%s: page %d is compressed as %s (%d); expected no compression, LZW, deflate, PackBits, JPEG or "
                         "another that libtiff was built with",
                         job->name, number, compression_name(p->compression), p->compression);
    if (depth > 1 || tile_depth > 1)
        return limn_fail(job->ctx, LIMN_UNSUPPORTED, "%s: page %d is %u slices deep (ImageDepth); expected a page a slice",
                         job->name, number, depth > 1 ? depth : tile_depth);
    limn_status status = check_colours(job, number, p);
    if (status != LIMN_OK || (whole && (p->bits == 8 || p->bits == 16 || p->bits == 32)) || (real && p->bits == 32))
        return status;
    return limn_fail(
        job->ctx, LIMN_UNSUPPORTED,
        "%s: page %d has %d bits a sample of format %d; expected whole numbers of 8, 16 or 32 bits, or floats of 32",
        job->name, number, p->bits, p->format);
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
static void put_block(const page *p, const uint8_t *block, uint32_t x, uint32_t y, uint32_t columns, uint32_t rows,
                      uint16_t plane, float *to)
{
    bool planes = p->planar == PLANARCONFIG_SEPARATE;
    size_t bytes = p->bits / 8u, pixel = planes ? bytes : bytes * p->samples;
    float white = p->photometric == PHOTOMETRIC_MINISWHITE ? (p->bits == 8 ? 255.f : p->bits == 16 ? 65535.f : 0.f) : 0;
    for (uint32_t row = 0; row < rows && y + row < p->height; row++)
        for (uint32_t column = 0; column < columns && x + column < p->width; column++)
            for (int c = planes ? plane : 0; c < (planes ? plane + 1 : p->channels); c++) {
                float v = value_of(p, block + ((size_t)row * columns + column) * pixel + (planes ? 0 : (size_t)c * bytes));
                to[((size_t)(y + row) * p->width + x + column) * (size_t)p->channels + (size_t)c] =
                    p->photometric == PHOTOMETRIC_MINISWHITE ? white - v : v;
            }
}

/* Tiles, or strips, which are tiles as wide as the page.  @return false after libtiff gave a reason */
static bool read_blocks(tiff_job *job, const page *p, float *to, uint8_t **block)
{
    TIFF *t = job->tiff;
    bool tiled = TIFFIsTiled(t) != 0, planes = p->planar == PLANARCONFIG_SEPARATE;
    uint32_t columns = p->width, rows = p->height;
    if (tiled && (!TIFFGetField(t, TIFFTAG_TILEWIDTH, &columns) || !TIFFGetField(t, TIFFTAG_TILELENGTH, &rows)))
        return false;
    if (!tiled) TIFFGetFieldDefaulted(t, TIFFTAG_ROWSPERSTRIP, &rows);
    if (!tiled && rows > p->height) rows = p->height;
    uint64_t size = (uint64_t)columns * rows * (p->bits / 8u) * (planes ? 1u : p->samples);
    uint64_t theirs = tiled ? TIFFTileSize64(t) : TIFFStripSize64(t);
    if (!columns || !rows || columns > LIMN_MAX_SIDE || rows > LIMN_MAX_SIDE || size > MOST_BYTES || theirs != size ||
        !(*block = calloc(1, (size_t)size)))
        return false;
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
    return limn_fail(job->ctx, LIMN_BAD_FILE, "%s: damaged TIFF, page %d: %s", job->name, number,
                     job->why[0] ? job->why : "its strips or tiles do not fit its size");
}

/* A smaller copy of another page, or where one is transparent. */
static bool is_aside(TIFF *tiff)
{
    uint32_t kind = 0;
    TIFFGetFieldDefaulted(tiff, TIFFTAG_SUBFILETYPE, &kind);
    return kind & (FILETYPE_REDUCEDIMAGE | FILETYPE_MASK);
}

static bool alike(const page *a, const page *b)
{
    return a->width == b->width && a->height == b->height && a->bits == b->bits && a->format == b->format &&
           a->channels == b->channels && a->orientation == b->orientation;
}

/* Where the values of one page lie behind each other, not compressed; 0: they do not.  size: their bytes */
static uint64_t find_plain(TIFF *tiff, const page *p, uint64_t *size)
{
    *size = (uint64_t)p->width * p->height * p->samples * (p->bits / 8u);
    if (p->compression != COMPRESSION_NONE || TIFFIsTiled(tiff) || (p->planar == PLANARCONFIG_SEPARATE && p->samples > 1))
        return 0;
    uint64_t first = TIFFGetStrileOffset(tiff, 0), end = first;
    for (uint32_t i = 0, n = TIFFNumberOfStrips(tiff); i < n; i++) {
        if (TIFFGetStrileOffset(tiff, i) != end) return 0;
        end += TIFFGetStrileByteCount(tiff, i);
    }
    return end - first == *size ? first : 0;
}

/* All that a file says of its slices but by its pages; *n pages, of which one may stand for all images of a stack that
 * follow it. */
static limn_status check_stack(const tiff_job *job, const page *p, int *n)
{
    enum { METAMORPH_PLANES = 33629 };
    uint32_t planes = 0;
    void *unused = NULL;
    char *description = NULL;
    if (TIFFFindField(job->tiff, METAMORPH_PLANES, TIFF_ANY) &&
        TIFFGetField(job->tiff, METAMORPH_PLANES, &planes, &unused) && planes > 1 && planes != (uint32_t)*n)
        return limn_fail(job->ctx, LIMN_UNSUPPORTED,
                         "%s: a MetaMorph stack of %u planes in %d page%s; expected a page a slice", job->name, planes, *n,
                         *n == 1 ? "" : "s");
    if (!TIFFGetField(job->tiff, TIFFTAG_IMAGEDESCRIPTION, &description) || !description) return LIMN_OK;
    limn_tiff_stack s = limn_tiff_stack_parse(description, (int64_t)p->width * p->height, p->samples);
    if (!s.by) return LIMN_OK;
    if (s.images < *n)
        limn_log(job->ctx, LIMN_LOG_WARN,
                 "%s: its description (%s) tells of %lld image%s, %d pages are found, and all are slices", job->name, s.by,
                 (long long)s.images, s.images == 1 ? "" : "s", *n);
    else if (s.channels > 1 || (s.slices > 1 && s.frames > 1))
        return limn_fail(job->ctx, LIMN_UNSUPPORTED,
                         "%s: its pages are %lld slices of %lld channels at %lld times (%s); expected one channel at one "
                         "time: a file each, as CASE_0000.tif and "
                         "CASE_0001.tif",
                         job->name, (long long)s.slices, (long long)s.channels, (long long)s.frames, s.by);
    uint64_t size, at = s.images > *n && *n == 1 ? find_plain(job->tiff, p, &size) : 0;
    if (s.images <= *n) return LIMN_OK;
    if (!at || at > job->n || (uint64_t)s.images > (job->n - at) / size)
        return limn_fail(
            job->ctx, LIMN_BAD_FILE,
            "%s: its description (%s) tells of %lld images, found %d page%s: cut, or the others are in other files",
            job->name, s.by, (long long)s.images, *n, *n == 1 ? "" : "s");
    return *n = (int)s.images, LIMN_OK;
}

/* How many slices there are, and that all are alike; *pages hold them. */
static limn_status count_slices(const tiff_job *job, page *first, int *n, int *pages)
{
    page p;
    int number = 0;
    *n = 0;
    do {
        if (is_aside(job->tiff)) continue;
        limn_status status = read_page(job, number, &p);
        if (status != LIMN_OK) return status;
        if (!*n) *first = p;
        if (!alike(first, &p))
            return limn_fail(job->ctx, LIMN_UNSUPPORTED,
                             "%s: page %d is %u x %u of %d bits and %d channels, the first %u x %u of %d and %d; expected "
                             "pages that are alike",
                             job->name, number, p.width, p.height, p.bits, p.channels, first->width, first->height,
                             first->bits, first->channels);
        ++*n;
    } while (++number < LIMN_MAX_SLICES && TIFFReadDirectory(job->tiff));
    if (job->why[0]) return damaged(job, number);
    if (number == LIMN_MAX_SLICES || !*n)
        return limn_fail(job->ctx, LIMN_BAD_FILE, "%s: %d pages, expected 1 to %d", job->name, *n, LIMN_MAX_SLICES - 1);
    *pages = *n;
    if (!TIFFSetDirectory(job->tiff, 0)) return damaged(job, 0);
    while (is_aside(job->tiff) && TIFFReadDirectory(job->tiff)) {}
    limn_status status = check_stack(job, first, n);
    if (status == LIMN_OK && !TIFFSetDirectory(job->tiff, 0)) status = damaged(job, 0);
    return status;
}

/* Slices of one page, behind each other; see find_plain(). */
static limn_status read_plain(const tiff_job *job, const page *p, limn_raster *out)
{
    uint64_t size, at = find_plain(job->tiff, p, &size);
    uint8_t *block = malloc((size_t)size);
    if (!block) return limn_fail_memory(job->ctx, (size_t)size, job->name);
    size_t values = (size_t)p->width * p->height * (size_t)p->channels;
    for (int z = 0; z < out->slices; z++) {
        memcpy(block, job->bytes + at + (uint64_t)z * size, (size_t)size);
        if (TIFFIsByteSwapped(job->tiff) && p->bits == 16)
            TIFFSwabArrayOfShort((uint16_t *)(void *)block, (tmsize_t)(size / 2));
        if (TIFFIsByteSwapped(job->tiff) && p->bits == 32)
            TIFFSwabArrayOfLong((uint32_t *)(void *)block, (tmsize_t)(size / 4));
        put_block(p, block, 0, 0, p->width, p->height, 0, out->values + (size_t)z * values);
    }
    free(block);
    return LIMN_OK;
}

static limn_status read_pages(tiff_job *job, int pages, limn_raster *out)
{
    page p;
    int done = 0, number = 0;
    limn_status status = LIMN_OK;
    do {
        uint8_t *block = NULL;
        if (is_aside(job->tiff)) continue;
        status = read_page(job, number, &p);
        size_t values = (size_t)p.width * p.height * (size_t)p.channels;
        if (status == LIMN_OK && pages < out->slices) return read_plain(job, &p, out);
        if (status == LIMN_OK && (!read_blocks(job, &p, out->values + (size_t)done * values, &block) || job->why[0]))
            status = damaged(job, number);
        free(block);
        done++;
    } while (status == LIMN_OK && done < pages && (++number, TIFFReadDirectory(job->tiff)));
    return status == LIMN_OK && done < pages ? damaged(job, number) : status;
}

/* All slices alike. */
static limn_status turn_upright(const tiff_job *job, int orientation, limn_raster *r)
{
    size_t pixel = (size_t)r->channels * sizeof *r->values,
           values = (size_t)r->width * (size_t)r->height * (size_t)r->channels;
    if (orientation == ORIENTATION_TOPLEFT) return LIMN_OK;
    float *slice = malloc(values * sizeof *slice);
    if (!slice) return limn_fail_memory(job->ctx, values * sizeof *slice, job->name);
    for (int z = 0; z < r->slices; z++) {
        memcpy(slice, r->values + (size_t)z * values, values * sizeof *slice);
        limn_turn(orientation, r->width, r->height, pixel, slice, r->values + (size_t)z * values);
    }
    free(slice);
    int width = r->width;
    if (orientation >= ORIENTATION_LEFTTOP) r->width = r->height, r->height = width;
    return LIMN_OK;
}

static limn_status read_all(tiff_job *job, limn_raster *out)
{
    page p;
    int n = 0, pages = 0;
    limn_status status = count_slices(job, &p, &n, &pages);
    if (status == LIMN_OK)
        status = limn_raster_new(job->ctx, job->name, p.width, p.height, n, p.channels, (size_t)job->n * MORE_PACKED, out);
    if (status != LIMN_OK) return status;
    bool natural = p.format == SAMPLEFORMAT_UINT || p.format == SAMPLEFORMAT_VOID;
    out->kind = LIMN_RASTER_TIFF, out->type = type_of(&p),
    out->limit = natural && p.bits == 8    ? 255
                 : natural && p.bits == 16 ? 65535
                                           : 0;
    status = read_pages(job, pages, out);
    return status == LIMN_OK ? turn_upright(job, p.orientation, out) : status;
}

bool limn_tiff_sniff(const uint8_t *bytes, size_t n)
{
    return n >= 8 && (memcmp(bytes, "II*\0", 4) == 0 || memcmp(bytes, "MM\0*", 4) == 0 || memcmp(bytes, "II+\0", 4) == 0 ||
                      memcmp(bytes, "MM\0+", 4) == 0);
}

limn_status limn_tiff_decode(limn_ctx *ctx, const char *name, const uint8_t *bytes, size_t n, bool labels, limn_raster *out)
{
    tiff_job job = {.ctx = ctx, .name = name, .bytes = bytes, .n = n, .labels = labels};
    *out = (limn_raster){0};
    job.tiff = open_memory(&job);
    limn_status status = job.tiff ? read_all(&job, out) : damaged(&job, 0);
    if (job.tiff) TIFFClose(job.tiff);
    if (status != LIMN_OK) limn_raster_free(out);
    return status;
}

bool limn_tiff_pages(limn_ctx *ctx, const char *name, const uint8_t *bytes, size_t n)
{
    tiff_job job = {.ctx = ctx, .name = name, .bytes = bytes, .n = n};
    page first;
    int slices = 0, pages;
    job.tiff = open_memory(&job);
    if (!job.tiff) return false;
    if (count_slices(&job, &first, &slices, &pages) != LIMN_OK) slices = 0; /* told when it is read */
    TIFFClose(job.tiff);
    return slices > 1;
}
