/* safetensors_write.c: widest types first, then by name, as the format's own writer does; a checksum over all of it. */
#include "file/bytes.h"
#include "file/safetensors.h"
#include "file/weight_file_parts.h"
#include "file/weight_writer.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>
#include <zlib.h>

/* The format's own order of types, by alignment, from 1; 0: it has no such type. */
static const int ranks[LIMN_N_DTYPES] = {[LIMN_I64] = 7, [LIMN_F64] = 6, [LIMN_F32] = 5, [LIMN_I32] = 4, [LIMN_BF16] = 3,
                                         [LIMN_F16] = 2, [LIMN_U8] = 1,  [LIMN_F8_E4M3] = 1, [LIMN_F8_E5M2] = 1};

bool limn_safetensors_has(limn_dtype dtype) { return ranks[dtype] > 0; }

static int widest_first(const void *a, const void *b)
{
    const limn_tensor_out *x = *(const limn_tensor_out *const *)a, *y = *(const limn_tensor_out *const *)b;
    int i = ranks[x->dtype], j = ranks[y->dtype];
    return i != j ? j - i : strcmp(x->name, y->name);
}

/* ---- the header ------------------------------------------------------------------------------------------------------- */

/* A JSON string.  @return false: not UTF-8 */
static bool put_string(limn_text *text, const char *bytes)
{
    limn_text_append(text, "\"", 1);
    for (const char *p = bytes; *p;) {
        utf8proc_int32_t point;
        utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)p, -1, &point);
        if (n < 1) return false;
        if (point < 0x20) limn_text_printf(text, "\\u%04x", (unsigned)point);
        else {
            if (*p == '"' || *p == '\\') limn_text_append(text, "\\", 1);
            limn_text_append(text, p, (size_t)n);
        }
        p += n;
    }
    limn_text_append(text, "\"", 1);
    return true;
}

static limn_status check_names(limn_ctx *ctx, const char *path, size_t n, const limn_tensor_out **order)
{
    for (size_t i = 0; i < n; i++) {
        if (!limn_safetensors_has(order[i]->dtype))
            return limn_weight_list_refuse(ctx, path, order[i]->name, "is of a type that safetensors has not");
        if (strcmp(order[i]->name, "__metadata__") == 0)
            return limn_weight_list_refuse(ctx, path, order[i]->name, "cannot be the name of a tensor");
    }
    return LIMN_OK;
}

/* The checksum comes first in the metadata, at a place that put_all() knows. */
static const char opening[] = "{\"__metadata__\":{\"limn.crc32\":\"", zeros[] = "00000000";

static limn_status make_header(limn_ctx *ctx, const char *path, const limn_weight_list *list, const limn_tensor_out **order,
                               limn_text *text)
{
    const char *const (*metadata)[2] = list->metadata;
    limn_text_printf(text, "%s%s\"", opening, zeros);
    for (size_t i = 0; i < list->n_metadata; i++) {
        if (strcmp(metadata[i][0], "limn.crc32") == 0) continue; /* copied from another file */
        limn_text_append(text, ",", 1);
        if (!put_string(text, metadata[i][0])) return limn_weight_list_refuse(ctx, path, metadata[i][0], "is not UTF-8");
        limn_text_append(text, ":", 1);
        if (!put_string(text, metadata[i][1])) return limn_weight_list_refuse(ctx, path, metadata[i][1], "is not UTF-8");
    }
    limn_text_append(text, "}", 1);
    size_t begin = 0;
    for (size_t i = 0; i < list->n; i++) {
        const limn_tensor_out *t = order[i];
        size_t end = begin + limn_dtype_size(t->dtype, limn_tensor_out_count(t));
        limn_text_append(text, ",", 1);
        if (!put_string(text, t->name)) return limn_weight_list_refuse(ctx, path, t->name, "is not UTF-8");
        limn_text_printf(text, ":{\"dtype\":\"%s\",\"shape\":[", limn_dtype_row_of(t->dtype)->file_name);
        for (int k = 0; k < t->rank; k++) limn_text_printf(text, k ? ",%lld" : "%lld", (long long)t->dim[k]);
        limn_text_printf(text, "],\"data_offsets\":[%zu,%zu]}", begin, end);
        begin = end;
    }
    limn_text_append(text, "}", 1);
    while (!text->failed && (text->n + 8) % 64) limn_text_append(text, " ", 1);
    if (text->failed) return limn_fail_memory(ctx, text->n, path);
    if (text->n > LIMN_HEADER_CAP)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: a header of %zu bytes, at most %d are allowed", path, text->n,
                         LIMN_HEADER_CAP);
    return LIMN_OK;
}

/* ---- the file --------------------------------------------------------------------------------------------------------- */

/* w NULL: only summed.  What was just summed is still in the cache when it is written. */
static uLong put(limn_writer *w, uLong crc, const void *bytes, size_t n)
{
    if (w) limn_file_write(w, bytes, n);
    for (const Bytef *p = bytes; n;) {
        uInt piece = n < 1u << 20 ? (uInt)n : 1u << 20;
        crc = crc32(crc, p, piece);
        p += piece, n -= piece;
    }
    return crc;
}

static limn_status put_tensor(limn_writer *w, const limn_weight_list *list, const limn_tensor_out *t, uLong *crc)
{
    size_t n = limn_tensor_out_count(t);
    limn_status status = LIMN_OK;
    for (size_t at = 0, some; at < n && status == LIMN_OK && !(w && w->status != LIMN_OK); at += some) {
        const void *bytes;
        some = n - at < LIMN_OUT_ELEMENTS ? n - at : LIMN_OUT_ELEMENTS;
        status = list->read(list->user, (size_t)(t - list->tensor), at, some, &bytes);
        if (status == LIMN_OK) *crc = put(w, *crc, bytes, limn_dtype_size(t->dtype, some));
    }
    return status;
}

static limn_status put_parts(limn_writer *w, const limn_text *header, const limn_weight_list *list,
                             const limn_tensor_out **order, uLong *crc)
{
    unsigned char length[8];
    for (int i = 0; i < 8; i++) length[i] = (unsigned char)(header->n >> 8 * i);
    *crc = put(w, crc32(0, NULL, 0), length, 8);
    *crc = put(w, *crc, header->bytes, header->n);
    limn_status status = LIMN_OK;
    for (size_t i = 0; i < list->n && status == LIMN_OK; i++) status = put_tensor(w, list, order[i], crc);
    return status;
}

/* The checksum stands in the header, of whose zeros it is the sum: put there at last, or in a pipe, where nothing is changed
 * any more, at first. */
static limn_status put_all(limn_writer *w, const limn_text *header, const limn_weight_list *list,
                           const limn_tensor_out **order)
{
    char digits[9];
    uLong crc;
    limn_status status = put_parts(w->direct ? NULL : w, header, list, order, &crc);
    snprintf(digits, sizeof digits, "%08lx", crc);
    if (!w->direct) limn_file_patch(w, 8 + sizeof opening - 1, digits, 8);
    else if (status == LIMN_OK) {
        memcpy(header->bytes + sizeof opening - 1, digits, 8);
        status = put_parts(w, header, list, order, &crc);
    }
    if (status == LIMN_OK) return limn_file_commit(w);
    limn_file_discard(w);
    return status;
}

limn_status limn_safetensors_write_list(limn_ctx *ctx, const char *path, const limn_weight_list *list)
{
    limn_writer writer;
    limn_text header = {0};
    const limn_tensor_out **order;
    limn_status status = limn_weight_list_by_name(ctx, path, list, &order);
    if (status == LIMN_OK) status = check_names(ctx, path, list->n, order);
    if (status == LIMN_OK) qsort(order, list->n, sizeof *order, widest_first);
    if (status == LIMN_OK) status = make_header(ctx, path, list, order, &header);
    if (status == LIMN_OK) status = limn_file_create(ctx, path, &writer);
    if (status == LIMN_OK) status = put_all(&writer, &header, list, order);
    limn_text_free(&header);
    free(order);
    return status;
}

/* ---- tensors that are in memory --------------------------------------------------------------------------------------- */

static limn_status find_bytes(void *user, size_t i, size_t first, size_t n, const void **bytes)
{
    const limn_view *v = &((const limn_named_view *)user)[i].view;
    (void)n;
    *bytes = (const char *)v->data + limn_dtype_size(v->dtype, first);
    return LIMN_OK;
}

limn_status limn_safetensors_write(limn_ctx *ctx, const char *path, size_t n, const limn_named_view *tensors,
                                   size_t n_metadata, const char *const (*metadata)[2])
{
    limn_tensor_out *out = malloc((n + 1) * sizeof *out);
    if (!out) return limn_fail_memory(ctx, n * sizeof *out, path);
    for (size_t i = 0; i < n; i++) {
        const limn_view *v = &tensors[i].view;
        out[i] = (limn_tensor_out){.name = tensors[i].name, .dtype = v->dtype, .rank = (int8_t)v->shape.rank};
        for (int k = 0; k < v->shape.rank; k++) out[i].dim[k] = v->shape.dim[k];
    }
    const limn_weight_list list = {n, n_metadata, out, metadata, find_bytes, (void *)(uintptr_t)tensors};
    limn_status status = limn_safetensors_write_list(ctx, path, &list);
    free(out);
    return status;
}
