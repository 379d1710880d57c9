/* safetensors_write.c: widest types first, then by name, as the format's own writer does; a checksum over all of it. */
#include "file/bytes.h"
#include "file/safetensors.h"
#include "file/weight_file_parts.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>
#include <zlib.h>

/* The format's own order of types, by alignment. */
static const int ranks[LIMN_N_DTYPES] = {[LIMN_I64] = 6,  [LIMN_F64] = 5, [LIMN_F32] = 4, [LIMN_I32] = 3,
                                         [LIMN_BF16] = 2, [LIMN_F16] = 1, [LIMN_U8] = 0};

static int widest_first(const void *a, const void *b)
{
    const limn_named_view *x = *(const limn_named_view *const *)a, *y = *(const limn_named_view *const *)b;
    int i = ranks[x->view.dtype], j = ranks[y->view.dtype];
    return i != j ? j - i : strcmp(x->name, y->name);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const limn_named_view *const *)a)->name, (*(const limn_named_view *const *)b)->name);
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

static limn_status bad_name(limn_ctx *ctx, const char *path, const char *name, const char *why)
{
    char shown[256];
    return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: \"%s\" %s", path, limn_escape(name, strlen(name), shown, sizeof shown),
                     why);
}

static limn_status check_names(limn_ctx *ctx, const char *path, size_t n, const limn_named_view **order)
{
    qsort(order, n, sizeof *order, by_name);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(order[i]->name, "__metadata__") == 0)
            return bad_name(ctx, path, order[i]->name, "cannot be the name of a tensor");
        if (i && strcmp(order[i]->name, order[i - 1]->name) == 0)
            return bad_name(ctx, path, order[i]->name, "would be the name of two tensors");
    }
    return LIMN_OK;
}

/* The checksum comes first in the metadata, at a place that put_all() knows. */
static const char opening[] = "{\"__metadata__\":{\"limn.crc32\":\"", zeros[] = "00000000";

static limn_status make_header(limn_ctx *ctx, const char *path, size_t n, const limn_named_view **order, size_t n_metadata,
                               const char *const (*metadata)[2], limn_text *text)
{
    limn_text_printf(text, "%s%s\"", opening, zeros);
    for (size_t i = 0; i < n_metadata; i++) {
        if (strcmp(metadata[i][0], "limn.crc32") == 0) continue; /* copied from another file */
        limn_text_append(text, ",", 1);
        if (!put_string(text, metadata[i][0])) return bad_name(ctx, path, metadata[i][0], "is not UTF-8");
        limn_text_append(text, ":", 1);
        if (!put_string(text, metadata[i][1])) return bad_name(ctx, path, metadata[i][1], "is not UTF-8");
    }
    limn_text_append(text, "}", 1);
    size_t begin = 0;
    for (size_t i = 0; i < n; i++) {
        const limn_view *v = &order[i]->view;
        size_t end = begin + limn_view_bytes(v);
        limn_text_append(text, ",", 1);
        if (!put_string(text, order[i]->name)) return bad_name(ctx, path, order[i]->name, "is not UTF-8");
        limn_text_printf(text, ":{\"dtype\":\"%s\",\"shape\":[", limn_dtype_row_of(v->dtype)->file_name);
        for (int k = 0; k < v->shape.rank; k++) limn_text_printf(text, k ? ",%lld" : "%lld", (long long)v->shape.dim[k]);
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

/* w NULL: only summed. */
static uLong put(limn_writer *w, uLong crc, const void *bytes, size_t n)
{
    for (size_t at = 0; at < n;
         at += 1u << 20) { /* the piece that was just summed is still in the cache when it is written */
        size_t piece = n - at < 1u << 20 ? n - at : 1u << 20;
        crc = crc32(crc, (const Bytef *)bytes + at, (uInt)piece);
        if (w) limn_file_write(w, (const char *)bytes + at, piece);
    }
    return crc;
}

static uLong put_parts(limn_writer *w, const limn_text *header, size_t n, const limn_named_view **order)
{
    unsigned char length[8];
    for (int i = 0; i < 8; i++) length[i] = (unsigned char)(header->n >> 8 * i);
    uLong crc = put(w, crc32(0, NULL, 0), length, 8);
    crc = put(w, crc, header->bytes, header->n);
    for (size_t i = 0; i < n; i++) crc = put(w, crc, order[i]->view.data, limn_view_bytes(&order[i]->view));
    return crc;
}

/* The checksum stands in the header, of whose zeros it is the sum: put there at last, or in a pipe, where nothing is changed
 * any more, at first. */
static limn_status put_all(limn_writer *w, const limn_text *header, size_t n, const limn_named_view **order)
{
    char digits[9];
    snprintf(digits, sizeof digits, "%08lx", put_parts(w->direct ? NULL : w, header, n, order));
    if (!w->direct) limn_file_patch(w, 8 + sizeof opening - 1, digits, 8);
    else {
        memcpy(header->bytes + sizeof opening - 1, digits, 8);
        put_parts(w, header, n, order);
    }
    return limn_file_commit(w);
}

limn_status limn_safetensors_write(limn_ctx *ctx, const char *path, size_t n, const limn_named_view *tensors,
                                   size_t n_metadata, const char *const (*metadata)[2])
{
    limn_writer writer;
    limn_text header = {0};
    const limn_named_view **order = malloc((n + 1) * sizeof *order);
    if (!order) return limn_fail_memory(ctx, n * sizeof *order, path);
    for (size_t i = 0; i < n; i++) order[i] = &tensors[i];
    limn_status status = check_names(ctx, path, n, order);
    qsort(order, n, sizeof *order, widest_first);
    if (status == LIMN_OK) status = make_header(ctx, path, n, order, n_metadata, metadata, &header);
    if (status == LIMN_OK) status = limn_file_create(ctx, path, &writer);
    if (status == LIMN_OK) status = put_all(&writer, &header, n, order);
    limn_text_free(&header);
    free(order);
    return status;
}
