/* safetensors.c: reading. */
#include "file/safetensors.h"

#include "file/bytes.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_HEADER = 100000000 };

struct limn_safetensors {
    const unsigned char *bytes; /* mapped, or the caller's */
    size_t n_bytes;
    bool mapped;
    json_t *header;
    size_t n;
    limn_entry *entries;  /* by offset */
    limn_entry **by_name;
};

typedef struct reader {
    limn_ctx *ctx;
    const char *file;
    limn_safetensors *st;
    size_t data_bytes;
} reader;

static const struct { const char *name; int bits; limn_dtype dtype; bool usable; } types[] = {
    {"F32", 32, LIMN_F32, true}, {"BF16", 16, LIMN_BF16, true}, {"F16", 16, LIMN_F16, true}, {"F64", 64, LIMN_F64, true},
    {"I32", 32, LIMN_I32, true}, {"I64", 64, LIMN_I64, true}, {"U8", 8, LIMN_U8, true}, {"BOOL", 8, 0, false}, {"F4", 4, 0, false},
    {"F6_E2M3", 6, 0, false}, {"F6_E3M2", 6, 0, false}, {"I8", 8, 0, false}, {"F8_E5M2", 8, 0, false}, {"F8_E4M3", 8, 0, false},
    {"F8_E8M0", 8, 0, false}, {"F8_E4M3FNUZ", 8, 0, false}, {"F8_E5M2FNUZ", 8, 0, false}, {"I16", 16, 0, false}, {"U16", 16, 0, false},
    {"U32", 32, 0, false}, {"C64", 64, 0, false}, {"U64", 64, 0, false},
};

static limn_status bad(reader *r, const char *tensor, const char *format, ...) __attribute__((format(printf, 3, 4)));
static limn_status bad(reader *r, const char *tensor, const char *format, ...)
{
    char text[512], name[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!tensor) return limn_fail(r->ctx, LIMN_BAD_FILE, "%s: %s", r->file, text);
    return limn_fail(r->ctx, LIMN_BAD_FILE, "%s: tensor \"%s\": %s", r->file, limn_escape(tensor, strlen(tensor), name, sizeof name), text);
}

static bool whole(const json_t *value, int64_t *out)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0) return false;
    *out = json_integer_value(value);
    return true;
}

static limn_status read_type(reader *r, limn_entry *e, const char *name, size_t *bits)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].name, name) == 0) {
            snprintf(e->type, sizeof e->type, "%s", name);
            e->dtype = types[i].dtype;
            e->usable = types[i].usable;
            *bits = (size_t)types[i].bits;
            return LIMN_OK;
        }
    char shown[256];
    return bad(r, e->name, "unknown dtype \"%s\"", limn_escape(name, strlen(name), shown, sizeof shown));
}

static limn_status read_entry(reader *r, limn_entry *e, const json_t *value)
{
    const json_t *dtype = json_object_get(value, "dtype"), *shape = json_object_get(value, "shape"), *at = json_object_get(value, "data_offsets");
    if (!json_is_object(value) || json_object_size(value) != 3 || !json_is_string(dtype) || !json_is_array(shape) || !json_is_array(at))
        return bad(r, e->name, "expected exactly dtype, shape and data_offsets");
    size_t bits = 0, count = 1;
    limn_status status = read_type(r, e, json_string_value(dtype), &bits);
    if (status != LIMN_OK) return status;
    if (json_array_size(shape) > LIMN_FILE_RANK) return bad(r, e->name, "%zu dimensions, at most %d are supported", json_array_size(shape), LIMN_FILE_RANK);
    for (e->rank = 0; e->rank < (int)json_array_size(shape); e->rank++) {
        int64_t *dim = &e->dim[e->rank];
        if (!whole(json_array_get(shape, (size_t)e->rank), dim)) return bad(r, e->name, "dimension %d is not a whole number", e->rank);
        if (!limn_mul_size(count, (size_t)*dim, &count)) return bad(r, e->name, "the shape has too many elements");
    }
    int64_t begin, end;
    if (json_array_size(at) != 2 || !whole(json_array_get(at, 0), &begin) || !whole(json_array_get(at, 1), &end) || end < begin)
        return bad(r, e->name, "data_offsets must be [begin, end]");
    if ((size_t)end > r->data_bytes) return bad(r, e->name, "data_offsets [%lld, %lld] past end of data (%zu bytes)", (long long)begin, (long long)end, r->data_bytes);
    if (!limn_mul_size(count, bits, &count) || count % 8 || count / 8 != (size_t)(end - begin))
        return bad(r, e->name, "shape and dtype make %zu bytes, data_offsets %lld", count / 8, (long long)(end - begin));
    e->begin = (size_t)begin;
    e->bytes = (size_t)(end - begin);
    return LIMN_OK;
}

static int by_begin(const void *a, const void *b)
{
    const limn_entry *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(limn_entry *const *)a)->name, (*(limn_entry *const *)b)->name);
}

static limn_status check_metadata(reader *r, const json_t *metadata)
{
    const char *key;
    json_t *value;
    if (!json_is_object(metadata)) return bad(r, NULL, "__metadata__ must be an object");
    json_object_foreach((json_t *)(uintptr_t)metadata, key, value)
        if (!json_is_string(value)) return bad(r, NULL, "__metadata__ may hold strings only");
    return LIMN_OK;
}

static limn_status read_entries(reader *r)
{
    limn_safetensors *st = r->st;
    const char *key;
    json_t *value;
    limn_status status = LIMN_OK;
    st->entries = calloc(json_object_size(st->header) + 1, sizeof *st->entries);
    st->by_name = calloc(json_object_size(st->header) + 1, sizeof *st->by_name);
    if (!st->entries || !st->by_name) return limn_fail_memory(r->ctx, json_object_size(st->header) * sizeof *st->entries, r->file);
    json_object_foreach(st->header, key, value) {
        if (strcmp(key, "__metadata__") == 0) status = check_metadata(r, value);
        else {
            limn_entry *e = &st->entries[st->n++];
            e->name = (char *)(uintptr_t)key; /* lives in the header */
            status = read_entry(r, e, value);
        }
        if (status != LIMN_OK) return status;
    }
    qsort(st->entries, st->n, sizeof *st->entries, by_begin);
    size_t end = 0;
    for (size_t i = 0; i < st->n; i++) {
        limn_entry *e = &st->entries[i];
        if (e->begin != end) return bad(r, e->name, "begins at %zu where the tensor before ends at %zu", e->begin, end);
        end += e->bytes;
        e->data = st->bytes + (st->n_bytes - r->data_bytes) + e->begin;
        st->by_name[i] = e;
    }
    if (end != r->data_bytes) return bad(r, NULL, "%zu bytes follow the last tensor", r->data_bytes - end);
    qsort(st->by_name, st->n, sizeof *st->by_name, by_name);
    return LIMN_OK;
}

/* jansson recurses: refuse deep nesting before it sees the text. */
static bool nested_deeply(const char *text, size_t n)
{
    int depth = 0;
    bool string = false;
    for (size_t i = 0; i < n; i++) {
        if (string && text[i] == '\\') i++;
        else if (text[i] == '"') string = !string;
        else if (!string && (text[i] == '{' || text[i] == '[') && ++depth > 16) return true;
        else if (!string && (text[i] == '}' || text[i] == ']')) depth--;
    }
    return false;
}

static limn_status parse(reader *r)
{
    limn_safetensors *st = r->st;
    uint64_t length = 0;
    if (st->n_bytes < 8) return bad(r, NULL, "%zu bytes are too small for a header", st->n_bytes);
    for (int i = 7; i >= 0; i--) length = length << 8 | st->bytes[i];
    if (length > MAX_HEADER) return bad(r, NULL, "a header of %llu bytes, at most %d are allowed", (unsigned long long)length, MAX_HEADER);
    if (length > st->n_bytes - 8) return bad(r, NULL, "a header of %llu bytes in a file of %zu", (unsigned long long)length, st->n_bytes);
    const char *text = (const char *)st->bytes + 8;
    size_t n = (size_t)length;
    if (n < 2 || text[0] != '{') return bad(r, NULL, "the header must begin with {");
    while (n && text[n - 1] == ' ') n--;
    if (nested_deeply(text, n)) return bad(r, NULL, "the header is nested too deeply");
    json_error_t error;
    st->header = json_loadb(text, n, JSON_REJECT_DUPLICATES, &error);
    if (!st->header) {
        char shown[256];
        return bad(r, NULL, "header, byte %d: %s", error.position + 8, limn_escape(error.text, strlen(error.text), shown, sizeof shown));
    }
    if (!json_is_object(st->header)) return bad(r, NULL, "the header must be an object");
    r->data_bytes = st->n_bytes - 8 - (size_t)length;
    return read_entries(r);
}

static limn_status open_bytes(limn_ctx *ctx, const char *name, const unsigned char *bytes, size_t n, bool mapped, limn_safetensors **out)
{
    *out = NULL;
    limn_safetensors *st = calloc(1, sizeof *st);
    if (!st) {
        if (mapped) limn_file_unmap(bytes, n);
        return limn_fail_memory(ctx, sizeof *st, name);
    }
    *st = (limn_safetensors){.bytes = bytes, .n_bytes = n, .mapped = mapped};
    reader r = {.ctx = ctx, .file = name, .st = st};
    limn_status status = parse(&r);
    if (status == LIMN_OK) *out = st;
    else limn_safetensors_close(st);
    return status;
}

limn_status limn_safetensors_open(limn_ctx *ctx, const char *path, limn_safetensors **out)
{
    const unsigned char *bytes;
    size_t n;
    *out = NULL;
    limn_status status = limn_file_map(ctx, path, &bytes, &n);
    return status == LIMN_OK ? open_bytes(ctx, path, bytes, n, true, out) : status;
}

limn_status limn_safetensors_parse(limn_ctx *ctx, const char *name, const unsigned char *bytes, size_t n, limn_safetensors **out)
{
    return open_bytes(ctx, name, bytes, n, false, out);
}

void limn_safetensors_close(limn_safetensors *st)
{
    if (!st) return;
    if (st->mapped) limn_file_unmap(st->bytes, st->n_bytes);
    json_decref(st->header);
    free(st->entries);
    free(st->by_name);
    free(st);
}

size_t limn_safetensors_count(const limn_safetensors *st)
{
    return st->n;
}

const limn_entry *limn_safetensors_get(const limn_safetensors *st, size_t i)
{
    return &st->entries[i];
}

const limn_entry *limn_safetensors_find(const limn_safetensors *st, const char *name)
{
    limn_entry key = {.name = (char *)(uintptr_t)name}, *pointer = &key;
    limn_entry **found = bsearch(&pointer, st->by_name, st->n, sizeof *st->by_name, by_name);
    return found ? *found : NULL;
}

const char *limn_safetensors_metadata(const limn_safetensors *st, const char *key)
{
    return json_string_value(json_object_get(json_object_get(st->header, "__metadata__"), key));
}

void *limn_safetensors_metadata_next(const limn_safetensors *st, void *at, const char **key, const char **value)
{
    json_t *metadata = json_object_get(st->header, "__metadata__");
    at = at ? json_object_iter_next(metadata, at) : json_object_iter(metadata);
    if (!at) return NULL;
    *key = json_object_iter_key(at);
    *value = json_string_value(json_object_iter_value(at));
    return at;
}
