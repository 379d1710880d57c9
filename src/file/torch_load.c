/* torch_load.c: values of a tensor: dense ones straight from their storage, others element by element by their strides. */
#include "file/torch_parts.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK = 1 << 18 };

static limn_status load_dense(limn_zip_stream *s, const limn_entry *e, size_t n, void *chunk, unsigned char *to,
                              limn_dtype dtype)
{
    const limn_dtype_row *row = limn_dtype_row_of(e->dtype);
    size_t most = CHUNK / row->bytes * row->block;
    limn_status status = LIMN_OK;
    if (e->dtype == dtype) return limn_zip_next(s, limn_dtype_size(dtype, n), to);
    for (size_t done = 0, some; done < n && status == LIMN_OK; done += some) {
        some = n - done < most ? n - done : most;
        status = limn_zip_next(s, limn_dtype_size(e->dtype, some), chunk);
        if (status == LIMN_OK) limn_convert(chunk, e->dtype, to + limn_dtype_size(dtype, done), dtype, some);
    }
    return status;
}

/* Bytes from the first element to the last. */
static size_t span_of(const limn_entry *e)
{
    int64_t last = 0;
    for (int i = 0; i < e->rank; i++)
        if (e->dim[i] > 1) last += (e->dim[i] - 1) * e->torch->stride[i];
    return limn_dtype_size(e->dtype, (size_t)last + 1);
}

static int64_t stride_of(const limn_entry *e, int d)
{
    return e->dim[d] > 1 ? e->torch->stride[d] : 0;
}

/* Elements first .. first + n - 1, one after another: index counts like the digits of a number. */
static void gather(const limn_entry *e, const unsigned char *from, size_t first, size_t n, unsigned char *to,
                   limn_dtype dtype)
{
    size_t width = limn_dtype_bytes(e->dtype), wide = limn_dtype_bytes(dtype);
    int64_t index[LIMN_FILE_RANK] = {0}, at = 0, left = (int64_t)first;
    for (int d = e->rank - 1; d >= 0; d--) {
        index[d] = left % e->dim[d], left /= e->dim[d];
        at += index[d] * stride_of(e, d);
    }
    for (size_t i = 0; i < n; i++, to += wide) {
        limn_convert(from + (size_t)at * width, e->dtype, to, dtype, 1);
        for (int d = e->rank - 1; d >= 0; d--) {
            at += stride_of(e, d);
            if (++index[d] < e->dim[d]) break;
            at -= stride_of(e, d) * e->dim[d];
            index[d] = 0;
        }
    }
}

static limn_status load_strided(limn_zip_stream *s, const limn_entry *e, size_t first, size_t n, unsigned char *to,
                                limn_dtype dtype)
{
    size_t bytes = span_of(e);
    unsigned char *span = malloc(bytes);
    if (!span) return limn_fail_memory(s->ctx, bytes, e->name);
    limn_status status = limn_zip_next(s, bytes, span);
    if (status == LIMN_OK) gather(e, span, first, n, to, dtype);
    free(span);
    return status;
}

limn_status limn_torch_load(limn_ctx *ctx, const limn_part *part, const limn_entry *e, size_t first, size_t n, void *to,
                            limn_dtype dtype)
{
    bool dense = !e->torch->stride;
    limn_zip_member *m = &part->torch->zip.members[e->torch->member];
    limn_zip_stream s;
    if (!n) return LIMN_OK;
    limn_status status = limn_zip_check(ctx, part, m);
    void *chunk = status == LIMN_OK ? malloc(CHUNK) : NULL;
    if (status == LIMN_OK && !chunk) status = limn_fail_memory(ctx, CHUNK, part->file);
    if (status == LIMN_OK) status = limn_zip_start(ctx, part, m, &s);
    if (status == LIMN_OK) {
        status = limn_zip_next(&s, e->begin - m->begin + (dense ? limn_dtype_size(e->dtype, first) : 0), NULL);
        if (status == LIMN_OK)
            status = dense ? load_dense(&s, e, n, chunk, to, dtype) : load_strided(&s, e, first, n, to, dtype);
        limn_zip_stop(&s);
    }
    free(chunk);
    return status;
}
