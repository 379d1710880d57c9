/* nifti.c: reading NIfTI-1; see nifti.h.  Nothing in the header is believed before it is compared with the bytes there
 * are. */
#include "file/nifti.h"

#include "file/nifti_header.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { MAX_OFFSET = 16 << 20, MAX_DEFLATE_RATIO = 1032 };

typedef struct value_type {
    int code, bytes, channels;
    char kind; /* u, i, f */
    const char *name;
} value_type;

static const value_type types[] = {
    {2, 1, 1, 'u', "u8"},    {4, 2, 1, 'i', "i16"},     {8, 4, 1, 'i', "i32"},    {16, 4, 1, 'f', "f32"},
    {64, 8, 1, 'f', "f64"},  {128, 1, 3, 'u', "RGB24"}, {256, 1, 1, 'i', "i8"},   {512, 2, 1, 'u', "u16"},
    {768, 4, 1, 'u', "u32"}, {1024, 8, 1, 'i', "i64"},  {1280, 8, 1, 'u', "u64"},
};

/* ---- bytes, plain or gzipped ------------------------------------------------------------------------------------------ */

typedef struct source {
    const uint8_t *bytes;
    size_t n, at;
    bool gz, ended; /* ended: at the end of a member of gzip */
    z_stream z;
} source;

/* n bytes to `to`; false when there are fewer, or they are damaged. */
static bool take(source *s, void *to, size_t n)
{
    if (!s->gz) {
        if (n > s->n - s->at) return false;
        memcpy(to, s->bytes + s->at, n);
        s->at += n;
        return true;
    }
    s->z.next_out = to;
    while (n) {
        if (s->ended && inflateReset(&s->z) != Z_OK) return false;
        s->ended = false;
        uInt step = n < (1u << 30) ? (uInt)n : 1u << 30, left = s->n - s->at < (1u << 30) ? (uInt)(s->n - s->at) : 1u << 30;
        s->z.avail_out = step, s->z.next_in = (Bytef *)(uintptr_t)(s->bytes + s->at), s->z.avail_in = left;
        int code = inflate(&s->z, Z_NO_FLUSH);
        s->at += left - s->z.avail_in;
        n -= step - s->z.avail_out;
        s->ended = code == Z_STREAM_END;
        if (code != Z_OK && !(s->ended && (!n || s->at < s->n))) return false;
    }
    return true;
}

/* gzip's checksum, where its stream ends with the values: what follows them is not unpacked. */
static bool ends_well(source *s)
{
    uint8_t spare[1];
    if (!s->gz || s->ended) return true;
    s->z.next_out = spare, s->z.avail_out = sizeof spare;
    s->z.next_in = (Bytef *)(uintptr_t)(s->bytes + s->at),
    s->z.avail_in = s->n - s->at < (1u << 30) ? (uInt)(s->n - s->at) : 1u << 30;
    int code = inflate(&s->z, Z_NO_FLUSH);
    return code == Z_STREAM_END || s->z.avail_out == 0;
}

static bool skip(source *s, size_t n)
{
    uint8_t spare[4096];
    for (size_t step; n; n -= step)
        if (!take(s, spare, step = n < sizeof spare ? n : sizeof spare)) return false;
    return true;
}

/* ---- the header ------------------------------------------------------------------------------------------------------- */

typedef struct volume {
    limn_ctx *ctx;
    const char *name;
    const unsigned char *header;
    bool swap;
    const value_type *type;
    int64_t width, height, slices;
    size_t offset;         /* of the values */
    double slope, inter;
} volume;

static limn_status check_magic(limn_ctx *ctx, const char *name, const unsigned char *h, bool *swap)
{
    uint32_t size = limn_nifti_u32(h, false), other = limn_nifti_u32(h, true);
    *swap = size != LIMN_NIFTI_HEADER;
    if (size == 540 || other == 540) return limn_fail(ctx, LIMN_UNSUPPORTED, "%s: NIfTI-2; expected NIfTI-1", name);
    if (*swap && other != LIMN_NIFTI_HEADER)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: no NIfTI-1: its header says it has %u bytes, expected %d", name, size,
                         LIMN_NIFTI_HEADER);
    if (memcmp(h + NIFTI_MAGIC, "ni1", 4) == 0)
        return limn_fail(ctx, LIMN_UNSUPPORTED,
                         "%s: a header whose values are in another file (.hdr and .img); expected .nii", name);
    if (memcmp(h + NIFTI_MAGIC, "n+1", 4) == 0) return LIMN_OK;
    char shown[32];
    return limn_fail(ctx, LIMN_BAD_FILE, "%s: no NIfTI-1: expected \"n+1\" at byte 344, found \"%s\"", name,
                     limn_escape((const char *)h + NIFTI_MAGIC, 4, shown, sizeof shown));
}

static limn_status read_dimensions(volume *v)
{
    int n = limn_nifti_i16(v->header + NIFTI_DIM, v->swap), dim[8];
    if (n < 1 || n > 7) return limn_fail(v->ctx, LIMN_BAD_FILE, "%s: dim[0] is %d, expected 1 to 7 dimensions", v->name, n);
    for (int i = 1; i < 8; i++) {
        dim[i] = i <= n ? limn_nifti_i16(v->header + NIFTI_DIM + 2 * i, v->swap) : 1;
        if (dim[i] < 1) return limn_fail(v->ctx, LIMN_BAD_FILE, "%s: dim[%d] is %d, expected 1 or more", v->name, i, dim[i]);
        if (i > 3 && dim[i] != 1)
            return limn_fail(v->ctx, LIMN_UNSUPPORTED, "%s: dim[%d] is %d; expected one volume, of 3 dimensions", v->name, i,
                             dim[i]);
    }
    v->width = dim[1], v->height = dim[2], v->slices = dim[3];
    return LIMN_OK;
}

static limn_status read_type(volume *v)
{
    int code = limn_nifti_i16(v->header + NIFTI_DATATYPE, v->swap), bits = limn_nifti_i16(v->header + NIFTI_BITPIX, v->swap);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].code == code) v->type = &types[i];
    if (!v->type)
        return limn_fail(v->ctx, LIMN_UNSUPPORTED,
                         "%s: datatype %d; expected whole numbers of 8 to 64 bits, f32, f64 or RGB24", v->name, code);
    if (bits != 8 * v->type->bytes * v->type->channels)
        return limn_fail(v->ctx, LIMN_BAD_FILE, "%s: bitpix is %d, expected %d of datatype %d (%s)", v->name, bits,
                         8 * v->type->bytes * v->type->channels, code, v->type->name);
    v->slope = (double)limn_nifti_f32(v->header + NIFTI_SLOPE, v->swap),
    v->inter = (double)limn_nifti_f32(v->header + NIFTI_INTER, v->swap);
    if (v->slope == 0 || !isfinite(v->slope) || v->type->channels == 3) v->slope = 1, v->inter = 0;
    if (!isfinite(v->inter))
        return limn_fail(v->ctx, LIMN_BAD_FILE, "%s: scl_inter is %.9g, expected a number", v->name, v->inter);
    return LIMN_OK;
}

/* The values lie within the file, as far as that can be known before it is unpacked. */
static limn_status check_bytes(volume *v, const source *s)
{
    double offset = (double)limn_nifti_f32(v->header + NIFTI_OFFSET, v->swap);
    if (offset == 0) offset = NIFTI_FIRST;
    if (!(offset >= NIFTI_FIRST && offset <= MAX_OFFSET) || offset != floor(offset))
        return limn_fail(v->ctx, LIMN_BAD_FILE, "%s: vox_offset is %.9g, expected %d to %d", v->name, offset, NIFTI_FIRST,
                         MAX_OFFSET);
    v->offset = (size_t)offset;
    size_t need = (size_t)v->type->bytes * (size_t)v->type->channels; /* 2^45 * 8 at most */
    need = need * (size_t)v->width * (size_t)v->height * (size_t)v->slices;
    bool short_of = s->gz ? need / MAX_DEFLATE_RATIO > s->n : v->offset > s->n || need > s->n - v->offset;
    if (!short_of) return LIMN_OK;
    return limn_fail(v->ctx, LIMN_BAD_FILE,
                     "%s: %lld x %lld x %lld values of %s need %zu bytes from byte %zu on, the file has %zu%s", v->name,
                     (long long)v->width, (long long)v->height, (long long)v->slices, v->type->name, need, v->offset, s->n,
                     s->gz ? " gzipped" : "");
}

/* ---- values ----------------------------------------------------------------------------------------------------------- */

static double value_of(const value_type *type, const uint8_t *p, bool swap)
{
    uint8_t b[8] = {0};
    for (int i = 0; i < type->bytes; i++) b[i] = p[swap ? type->bytes - 1 - i : i];
    uint64_t u;
    memcpy(&u, b, 8);
    if (type->kind == 'u') return (double)u;
    if (type->kind == 'i') { /* the sign bit to the top */
        int shift = 64 - 8 * type->bytes;
        return (double)((int64_t)(u << shift) >> shift);
    }
    float f;
    double d;
    memcpy(&f, b, 4);
    memcpy(&d, b, 8);
    return type->bytes == 4 ? (double)f : d;
}

static limn_status read_values(const volume *v, source *s, limn_raster *out)
{
    size_t n = (size_t)(v->width * v->height) * (size_t)v->type->channels, size = (size_t)v->type->bytes;
    uint8_t *slice = malloc(n * size);
    if (!slice) return limn_fail_memory(v->ctx, n * size, v->name);
    limn_status status = LIMN_OK;
    for (int64_t z = 0; z < v->slices && status == LIMN_OK; z++) {
        float *to = out->values + (size_t)z * n;
        if (!take(s, slice, n * size))
            status =
                limn_fail(v->ctx, LIMN_BAD_FILE, "%s: damaged or cut: slice %lld of %lld does not come out of its %zu bytes",
                          v->name, (long long)z, (long long)v->slices, s->n);
        for (size_t i = 0; i < n && status == LIMN_OK; i++)
            to[i] = (float)(value_of(v->type, slice + i * size, v->swap) * v->slope + v->inter);
    }
    if (status == LIMN_OK && !ends_well(s))
        status = limn_fail(v->ctx, LIMN_BAD_FILE, "%s: damaged or cut: the checksum of gzip does not fit", v->name);
    free(slice);
    return status;
}

static limn_status decode(limn_ctx *ctx, const char *name, source *s, limn_raster *out)
{
    unsigned char header[LIMN_NIFTI_HEADER];
    volume v = {.ctx = ctx, .name = name, .header = header};
    if (!take(s, header, sizeof header))
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: %zu bytes%s hold no header of %d bytes", name, s->n,
                         s->gz ? " of gzip" : "", LIMN_NIFTI_HEADER);
    limn_status status = check_magic(ctx, name, header, &v.swap);
    if (status == LIMN_OK) status = read_dimensions(&v);
    if (status == LIMN_OK) status = read_type(&v);
    if (status == LIMN_OK) status = check_bytes(&v, s);
    if (status == LIMN_OK)
        status = limn_raster_new(ctx, name, v.width, v.height, v.slices, v.type->channels, s->gz ? s->n : 0, out);
    if (status != LIMN_OK) return status;
    out->kind = LIMN_RASTER_NIFTI;
    memcpy(out->header, header, sizeof header);
    bool plain = v.slope == 1 && v.inter == 0 && v.type->kind == 'u';
    out->limit = plain && v.type->bytes == 1 ? 255 : plain && v.type->bytes == 2 ? 65535 : 0;
    out->type = v.slope == 1 && v.inter == 0 ? v.type->name : "numbers with a slope";
    if (skip(s, v.offset - LIMN_NIFTI_HEADER)) return read_values(&v, s, out);
    return limn_fail(ctx, LIMN_BAD_FILE, "%s: damaged or cut before its values at byte %zu", name, v.offset);
}

bool limn_nifti_sniff(const uint8_t *bytes, size_t n)
{
    if (n >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b) return true;
    if (n < 4) return false;
    uint32_t a = limn_nifti_u32(bytes, false), b = limn_nifti_u32(bytes, true);
    return a == LIMN_NIFTI_HEADER || b == LIMN_NIFTI_HEADER || a == 540 || b == 540;
}

limn_status limn_nifti_decode(limn_ctx *ctx, const char *name, const uint8_t *bytes, size_t n, limn_raster *out)
{
    source s = {.bytes = bytes, .n = n, .gz = n >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b};
    *out = (limn_raster){0};
    if (s.gz && inflateInit2(&s.z, 15 + 16) != Z_OK) return limn_fail_memory(ctx, 1 << 16, name);
    limn_status status = decode(ctx, name, &s, out);
    if (s.gz) inflateEnd(&s.z);
    if (status != LIMN_OK) limn_raster_free(out);
    return status;
}
