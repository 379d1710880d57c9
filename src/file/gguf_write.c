/* gguf_write.c: magic | version | counts | metadata | names, shapes, types and offsets | bytes, each tensor at a multiple of
 * 32. */
#include "file/bytes.h"
#include "file/gguf.h"
#include "file/weight_writer.h"

#include <stdlib.h>
#include <string.h>

enum { VERSION = 3, TEXT = 8, ALIGNMENT = 32 };

bool limn_gguf_has(limn_dtype dtype)
{
    uint32_t number;
    return limn_gguf_number(dtype, &number);
}

static void put_whole(limn_text *to, size_t bytes, uint64_t value)
{
    for (size_t i = 0; i < bytes; i++) limn_text_append(to, &(char){(char)(value >> 8 * i)}, 1);
}

static void put_string(limn_text *to, const char *text)
{
    size_t n = strlen(text);
    put_whole(to, 8, n);
    limn_text_append(to, text, n);
}

/* ---- the header ------------------------------------------------------------------------------------------------------- */

/* Of another file. */
static bool is_left_out(const char *key) { return !strcmp(key, "limn.crc32") || !strcmp(key, "general.alignment"); }

static limn_status put_pairs(limn_ctx *ctx, const char *path, const limn_weight_list *list, limn_text *to)
{
    size_t n = 0;
    for (size_t i = 0; i < list->n_metadata; i++) n += !is_left_out(list->metadata[i][0]);
    put_whole(to, 8, n);
    for (size_t i = 0; i < list->n_metadata; i++) {
        const char *key = list->metadata[i][0];
        if (is_left_out(key)) continue;
        for (const char *p = key; !*key || *p; p++)
            if ((unsigned char)*p > 126 || (unsigned char)*p < 33)
                return limn_weight_list_refuse(ctx, path, key,
                                               "is no key of GGUF's metadata, which are of ASCII without spaces");
        put_string(to, key);
        put_whole(to, 4, TEXT);
        put_string(to, list->metadata[i][1]);
    }
    return LIMN_OK;
}

static const char *cannot_hold(const limn_tensor_out *t)
{
    size_t n = strlen(t->name);
    long long run = t->rank ? (long long)t->dim[t->rank - 1] : 1;
    if (!n || n > LIMN_GGUF_NAME) return "is no name for a tensor of GGUF, which has 1 to 127 bytes";
    if (!limn_gguf_has(t->dtype)) return "is of a type that GGUF has not";
    if (t->rank > LIMN_GGUF_RANK) return "has more than the 4 dimensions that GGUF has room for";
    return run % (long long)limn_dtype_row_of(t->dtype)->block ? "has rows that are no whole blocks" : NULL;
}

static size_t padded(size_t n) { return (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

static limn_status put_tensors(limn_ctx *ctx, const char *path, const limn_weight_list *list, limn_text *to)
{
    size_t offset = 0;
    for (size_t i = 0; i < list->n; i++) {
        const limn_tensor_out *t = &list->tensor[i];
        uint32_t number = 0;
        const char *why = cannot_hold(t);
        if (why) return limn_weight_list_refuse(ctx, path, t->name, why);
        limn_gguf_number(t->dtype, &number);
        put_string(to, t->name);
        put_whole(to, 4, (uint64_t)t->rank);
        for (int k = t->rank; k--;) put_whole(to, 8, (uint64_t)t->dim[k]); /* the fastest first */
        put_whole(to, 4, number);
        put_whole(to, 8, offset);
        offset = padded(offset + limn_dtype_size(t->dtype, limn_tensor_out_count(t)));
    }
    return LIMN_OK;
}

static limn_status make_header(limn_ctx *ctx, const char *path, const limn_weight_list *list, limn_text *to)
{
    const limn_tensor_out **order; /* that of the file is the list's */
    limn_status status = limn_weight_list_by_name(ctx, path, list, &order);
    free(order);
    if (status != LIMN_OK) return status;
    limn_text_append(to, "GGUF", 4);
    put_whole(to, 4, VERSION);
    put_whole(to, 8, list->n);
    status = put_pairs(ctx, path, list, to);
    if (status == LIMN_OK) status = put_tensors(ctx, path, list, to);
    while (!to->failed && to->n % ALIGNMENT) put_whole(to, 1, 0);
    return status == LIMN_OK && to->failed ? limn_fail_memory(ctx, to->n, path) : status;
}

/* ---- the file --------------------------------------------------------------------------------------------------------- */

static limn_status put_tensor(limn_writer *w, const limn_weight_list *list, size_t i)
{
    static const char zeros[ALIGNMENT] = {0};
    const limn_tensor_out *t = &list->tensor[i];
    size_t n = limn_tensor_out_count(t), bytes = limn_dtype_size(t->dtype, n);
    for (size_t at = 0, some; at < n && w->status == LIMN_OK; at += some) {
        const void *elements;
        some = n - at < LIMN_OUT_ELEMENTS ? n - at : LIMN_OUT_ELEMENTS;
        limn_status status = list->read(list->user, i, at, some, &elements);
        if (status != LIMN_OK) return status;
        limn_file_write(w, elements, limn_dtype_size(t->dtype, some));
    }
    limn_file_write(w, zeros, padded(bytes) - bytes);
    return LIMN_OK;
}

limn_status limn_gguf_write_list(limn_ctx *ctx, const char *path, const limn_weight_list *list)
{
    limn_writer writer;
    limn_text header = {0};
    limn_status status = make_header(ctx, path, list, &header);
    if (status == LIMN_OK) status = limn_file_create(ctx, path, &writer);
    if (status == LIMN_OK) {
        limn_file_write(&writer, header.bytes, header.n);
        for (size_t i = 0; i < list->n && status == LIMN_OK; i++) status = put_tensor(&writer, list, i);
        if (status == LIMN_OK) status = limn_file_commit(&writer);
        else limn_file_discard(&writer);
    }
    limn_text_free(&header);
    return status;
}
