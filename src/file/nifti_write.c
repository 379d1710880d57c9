/* nifti_write.c: a NIfTI-1 volume beside the one it was made from. */
#include "file/nifti.h"

#include "file/bytes.h"
#include "file/nifti_header.h"

#include <zlib.h>

enum { CHUNK = 1 << 12 };

/* Through gzip, or as it is. */
typedef struct sink {
    limn_writer writer;
    bool gz;
    z_stream z;
} sink;

static void put(sink *s, const void *bytes, size_t n, int flush)
{
    uint8_t out[CHUNK];
    if (!s->gz) {
        limn_file_write(&s->writer, bytes, n);
        return;
    }
    s->z.next_in = (Bytef *)(uintptr_t)bytes, s->z.avail_in = (uInt)n;
    do {
        s->z.next_out = out, s->z.avail_out = CHUNK;
        deflate(&s->z, flush);
        limn_file_write(&s->writer, out, CHUNK - s->z.avail_out);
    } while (s->z.avail_out == 0);
}

static void put_header(sink *s, const limn_raster *like, bool swap, bool bytes)
{
    unsigned char h[NIFTI_FIRST] = {0};
    memcpy(h, like->header, LIMN_NIFTI_HEADER);
    limn_nifti_put_i16(h + NIFTI_DATATYPE, swap, bytes ? 2 : 16);
    limn_nifti_put_i16(h + NIFTI_BITPIX, swap, bytes ? 8 : 32);
    limn_nifti_put_f32(h + NIFTI_OFFSET, swap, NIFTI_FIRST);
    limn_nifti_put_f32(h + NIFTI_SLOPE, swap, 1);
    limn_nifti_put_f32(h + NIFTI_INTER, swap, 0);
    limn_nifti_put_f32(h + NIFTI_CAL_MAX, swap, 0); /* the display window was that of other values */
    limn_nifti_put_f32(h + NIFTI_CAL_MIN, swap, 0);
    put(s, h, sizeof h, Z_NO_FLUSH);
}

static void put_reals(sink *s, bool swap, const float *reals, size_t n)
{
    unsigned char part[CHUNK];
    for (size_t i = 0, step; i < n; i += step) {
        step = n - i < CHUNK / 4 ? n - i : CHUNK / 4;
        for (size_t k = 0; k < step; k++) limn_nifti_put_f32(part + 4 * k, swap, reals[i + k]);
        put(s, part, 4 * step, Z_NO_FLUSH);
    }
}

limn_status limn_nifti_write(limn_ctx *ctx, const char *path, const limn_raster *like, const uint8_t *bytes,
                             const float *reals)
{
    size_t n = (size_t)like->width * (size_t)like->height * (size_t)like->slices, length = strlen(path);
    bool swap = limn_nifti_u32(like->header, false) != LIMN_NIFTI_HEADER;
    sink s = {.gz = length > 3 && limn_same_word(path + length - 3, 3, ".gz", 3)};
    limn_status status = limn_file_create(ctx, path, &s.writer);
    if (status != LIMN_OK) return status;
    if (s.gz && deflateInit2(&s.z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        limn_file_discard(&s.writer);
        return limn_fail_memory(ctx, 1 << 18, path);
    }
    put_header(&s, like, swap, bytes != NULL);
    for (size_t i = 0, step; bytes && i < n; i += step) put(&s, bytes + i, step = n - i < CHUNK ? n - i : CHUNK, Z_NO_FLUSH);
    if (!bytes) put_reals(&s, swap, reals, n);
    if (s.gz) put(&s, "", 0, Z_FINISH), deflateEnd(&s.z);
    return limn_file_commit(&s.writer);
}
