/* safetensors_write.c: widest types first, then by name, as the format's own writer does. */
#include "file/bytes.h"
#include "file/safetensors.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static int widest_first(const void *a, const void *b)
{
    const limn_named_view *x = *(const limn_named_view *const *)a, *y = *(const limn_named_view *const *)b;
    size_t i = limn_dtype_bytes(x->view.dtype), j = limn_dtype_bytes(y->view.dtype);
    return i != j ? (i < j ? 1 : -1) : strcmp(x->name, y->name);
}

static json_t *header_of(size_t n, const limn_named_view **order, size_t n_metadata, const char *const (*metadata)[2])
{
    static const char *const names[LIMN_N_DTYPES] = {"F32", "BF16", "F16", "F64", "I32", "I64", "U8"};
    json_t *header = json_object(), *meta = json_object();
    for (size_t i = 0; i < n_metadata; i++) json_object_set_new(meta, metadata[i][0], json_string(metadata[i][1]));
    json_object_set_new(header, "__metadata__", meta);
    json_int_t begin = 0;
    for (size_t i = 0; i < n; i++) {
        const limn_view *v = &order[i]->view;
        json_t *shape = json_array();
        for (int k = 0; k < v->shape.rank; k++) json_array_append_new(shape, json_integer(v->shape.dim[k]));
        json_int_t end = begin + (json_int_t)limn_view_bytes(v);
        json_object_set_new(header, order[i]->name,
                            json_pack("{s:s, s:o, s:[I, I]}", "dtype", names[v->dtype], "shape", shape, "data_offsets", begin, end));
        begin = end;
    }
    return header;
}

static void put_header(limn_writer *w, const char *text)
{
    unsigned char length[8];
    size_t n = strlen(text), padded = (n + 8 + 63) / 64 * 64 - 8; /* the data starts at a multiple of 64 */
    for (int i = 0; i < 8; i++) length[i] = (unsigned char)(padded >> 8 * i);
    limn_file_write(w, length, 8);
    limn_file_write(w, text, n);
    for (size_t i = n; i < padded; i++) limn_file_write(w, " ", 1);
}

limn_status limn_safetensors_write(limn_ctx *ctx, const char *path, size_t n, const limn_named_view *tensors, size_t n_metadata,
                                   const char *const (*metadata)[2])
{
    limn_writer writer;
    const limn_named_view **order = calloc(n + 1, sizeof *order);
    json_t *header = NULL;
    char *text = NULL;
    if (order) {
        for (size_t i = 0; i < n; i++) order[i] = &tensors[i];
        qsort(order, n, sizeof *order, widest_first);
        header = header_of(n, order, n_metadata, metadata);
        text = header ? json_dumps(header, JSON_COMPACT) : NULL;
    }
    limn_status status = text ? limn_file_create(ctx, path, &writer) : limn_fail_memory(ctx, n, path);
    if (status == LIMN_OK) {
        put_header(&writer, text);
        for (size_t i = 0; i < n; i++) limn_file_write(&writer, order[i]->view.data, limn_view_bytes(&order[i]->view));
        status = limn_file_commit(&writer);
    }
    free(text);
    json_decref(header);
    free(order);
    return status;
}
