/* torch_load.c: values of a tensor: dense ones straight from their storage, others element by element by their strides. */
#include "file/torch_parts.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK = 1 << 18 };

static limn_status load_dense(limn_zip_stream *s, const limn_entry *e, void *chunk, unsigned char *to, limn_dtype dtype)
{
    size_t width = limn_dtype_bytes(e->dtype), wide = limn_dtype_bytes(dtype);
    limn_status status = LIMN_OK;
    if (e->dtype == dtype) return limn_zip_next(s, e->bytes, to);
    for (size_t done = 0; done < e->bytes && status == LIMN_OK;) {
        size_t n = e->bytes - done < CHUNK ? e->bytes - done : CHUNK;
        status = limn_zip_next(s, n, chunk);
        if (status == LIMN_OK) limn_convert(chunk, e->dtype, to + done / width * wide, dtype, n / width);
        done += n;
    }
    return status;
}

/* Bytes from the first element to the last. */
static size_t span_of(const limn_entry *e)
{
    int64_t last = 0;
    for (int i = 0; i < e->rank; i++)
        if (e->dim[i] > 1) last += (e->dim[i] - 1) * e->torch->stride[i];
    return ((size_t)last + 1) * limn_dtype_bytes(e->dtype);
}

/* One row of the last dimension after another: index counts like the digits of a number. */
static void gather(const limn_entry *e, const unsigned char *from, unsigned char *to, limn_dtype dtype)
{
    size_t width = limn_dtype_bytes(e->dtype), wide = limn_dtype_bytes(dtype), count = e->bytes / width;
    int64_t index[LIMN_FILE_RANK] = {0}, at = 0, cols = e->dim[e->rank - 1],
            step = cols > 1 ? e->torch->stride[e->rank - 1] : 0;
    for (size_t done = 0; done < count; done += (size_t)cols) {
        for (int64_t k = 0; k < cols; k++, to += wide)
            limn_convert(from + (size_t)(at + k * step) * width, e->dtype, to, dtype, 1);
        for (int d = e->rank - 2; d >= 0; d--) {
            int64_t stride = e->dim[d] > 1 ? e->torch->stride[d] : 0;
            at += stride;
            if (++index[d] < e->dim[d]) break;
            at -= stride * e->dim[d];
            index[d] = 0;
        }
    }
}

static limn_status load_strided(limn_zip_stream *s, const limn_entry *e, unsigned char *to, limn_dtype dtype)
{
    size_t n = span_of(e);
    unsigned char *span = malloc(n);
    if (!span) return limn_fail_memory(s->ctx, n, e->name);
    limn_status status = limn_zip_next(s, n, span);
    if (status == LIMN_OK) gather(e, span, to, dtype);
    free(span);
    return status;
}

limn_status limn_torch_load(limn_ctx *ctx, const limn_part *part, const limn_entry *e, void *to, limn_dtype dtype)
{
    limn_zip_member *m = &part->torch->zip.members[e->torch->member];
    limn_zip_stream s;
    if (!e->bytes) return LIMN_OK;
    limn_status status = limn_zip_check(ctx, part, m);
    void *chunk = status == LIMN_OK ? malloc(CHUNK) : NULL;
    if (status == LIMN_OK && !chunk) status = limn_fail_memory(ctx, CHUNK, part->file);
    if (status == LIMN_OK) status = limn_zip_start(ctx, part, m, &s);
    if (status == LIMN_OK) {
        status = limn_zip_next(&s, e->begin - m->begin, NULL);
        if (status == LIMN_OK)
            status = e->torch->stride ? load_strided(&s, e, to, dtype) : load_dense(&s, e, chunk, to, dtype);
        limn_zip_stop(&s);
    }
    free(chunk);
    return status;
}
