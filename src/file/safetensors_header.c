/* safetensors_header.c: the header: {"NAME": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, "__metadata__":
 * {"a": "b"}}. Each rule of the format has its sentence here and its row in tests/test_safetensors.c. */
#include "file/bytes.h"
#include "file/scan.h"
#include "file/weight_file_parts.h"

#include <stdlib.h>
#include <string.h>

typedef struct reader {
    limn_ctx *ctx;
    limn_weight_file *st;
    limn_part *part;
    limn_scan scan;
    size_t data_bytes;
    bool has_metadata;
} reader;

/* All that the format knows; limn_dtype_find() tells which of them Limn computes with. */
static const struct { const char *name; int bits;
} types[] = {
    {"F32", 32},     {"BF16", 16},   {"F16", 16},    {"F64", 64},   {"I32", 32},        {"I64", 64},
    {"U8", 8},       {"BOOL", 8},    {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6},     {"I8", 8},
    {"F8_E5M2", 8},  {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"I16", 16},   {"F8_E4M3FNUZ", 8}, {"U16", 16},
    {"U32", 32},     {"C64", 64},    {"U64", 64},    {"F8_E5M2FNUZ", 8},
};
enum { N_TYPES = sizeof types / sizeof *types };

static limn_status bad(reader *r, const char *tensor, const char *format, ...) __attribute__((format(printf, 3, 4)));
static limn_status bad(reader *r, const char *tensor, const char *format, ...)
{
    char text[512], name[256];
    va_list args;
    va_start(args, format);
    limn_format_list(text, sizeof text, format, args);
    va_end(args);
    if (!tensor) return limn_fail(r->ctx, LIMN_BAD_FILE, "%s: %s", r->part->file, text);
    return limn_fail(r->ctx, LIMN_BAD_FILE, "%s: tensor \"%s\": %s", r->part->file,
                     limn_escape(tensor, strlen(tensor), name, sizeof name), text);
}

static limn_status not_json(reader *r, const char *tensor)
{
    return bad(r, tensor, "header, %s", r->scan.why);
}

/* ---- one tensor ------------------------------------------------------------------------------------------------------- */

static bool read_shape(limn_scan *s, limn_entry *e)
{
    if (!limn_scan_need(s, '[', "before the shape")) return false;
    e->rank = 0;
    if (limn_scan_take(s, ']')) return true;
    do {
        if (e->rank == LIMN_FILE_RANK) return limn_scan_refuse(s, "more than %d dimensions", LIMN_FILE_RANK);
        if (!limn_scan_whole(s, &e->dim[e->rank++])) return false;
    } while (limn_scan_more(s, ']'));
    return !*s->why;
}

static bool read_offsets(limn_scan *s, int64_t at[2])
{
    return limn_scan_need(s, '[', "before the two data_offsets") && limn_scan_whole(s, &at[0]) &&
           limn_scan_need(s, ',', "and the second offset") && limn_scan_whole(s, &at[1]) &&
           limn_scan_need(s, ']', "after two offsets");
}

static bool read_type(limn_scan *s, int *type)
{
    limn_string name;
    char shown[256];
    if (!limn_scan_string(s, &name)) return false;
    for (*type = 0; *type < N_TYPES; ++*type)
        if (strcmp(types[*type].name, name.text) == 0) return true;
    s->at = name.begin;
    return limn_scan_refuse(s, "unknown dtype \"%s\"", limn_escape(name.text, name.n, shown, sizeof shown));
}

/* Exactly dtype, shape and data_offsets, each once. */
static bool read_fields(limn_scan *s, limn_entry *e, int *type, int64_t at[2])
{
    static const char *const names[] = {"dtype", "shape", "data_offsets"};
    unsigned seen = 0;
    char shown[256];
    limn_string key;
    if (!limn_scan_need(s, '{', "before dtype, shape and data_offsets")) return false;
    do {
        if (!limn_scan_key(s, &key)) return false;
        int i = 0;
        while (i < 3 && strcmp(names[i], key.text) != 0) i++;
        if (i == 3 || seen >> i & 1) {
            s->at = key.begin;
            return limn_scan_refuse(
                s, i == 3 ? "expected dtype, shape and data_offsets only, found \"%s\"" : "\"%s\" comes twice",
                limn_escape(key.text, key.n, shown, sizeof shown));
        }
        seen |= 1u << i;
        if (!(i == 0 ? read_type(s, type) : i == 1 ? read_shape(s, e) : read_offsets(s, at))) return false;
    } while (limn_scan_more(s, '}'));
    if (*s->why) return false;
    for (int i = 0; i < 3; i++)
        if (!(seen >> i & 1)) return limn_scan_refuse(s, "%s is missing", names[i]);
    return true;
}

static limn_status read_entry(reader *r, limn_entry *e)
{
    int type = 0;
    int64_t at[2] = {0};
    if (!read_fields(&r->scan, e, &type, at)) return not_json(r, e->name);
    e->type = types[type].name;
    limn_dtype dtype = LIMN_F32;
    e->usable = limn_dtype_find(e->type, &dtype);
    e->dtype = dtype;
    if (at[1] < at[0])
        return bad(r, e->name, "data_offsets [%lld, %lld] end before they begin", (long long)at[0], (long long)at[1]);
    if ((uint64_t)at[1] > r->data_bytes)
        return bad(r, e->name, "data_offsets [%lld, %lld] past end of data (%zu bytes)", (long long)at[0], (long long)at[1],
                   r->data_bytes);
    size_t bits = 1, n = (size_t)(at[1] - at[0]);
    bool fits = true;
    for (int i = 0; i < e->rank && fits; i++) fits = limn_mul_size(bits, (size_t)e->dim[i], &bits);
    if (!fits || !limn_mul_size(bits, (size_t)types[type].bits, &bits))
        return bad(r, e->name, "the shape makes more than 2^64 bits, data_offsets [%lld, %lld]", (long long)at[0],
                   (long long)at[1]);
    if (bits % 8)
        return bad(r, e->name, "%zu bits of %s are not whole bytes, data_offsets [%lld, %lld]", bits, e->type,
                   (long long)at[0], (long long)at[1]);
    if (bits / 8 != n)
        return bad(r, e->name, "shape and dtype make %zu bytes, data_offsets [%lld, %lld] hold %zu", bits / 8,
                   (long long)at[0], (long long)at[1], n);
    e->begin = (size_t)at[0];
    e->bytes = n;
    return LIMN_OK;
}

/* ---- lists that grow with what was read, by a quarter, so that a header of small tensors costs little ----------------- */

static void *one_more(void *list, size_t n, size_t *capacity, size_t size)
{
    if (n < *capacity) return list;
    size_t more = n + n / 4 + 16;
    void *grown = realloc(list, more * size);
    if (grown) *capacity = more;
    return grown;
}

limn_status limn_weight_file_entry(limn_ctx *ctx, limn_weight_file *st, const limn_part *part, limn_entry **out)
{
    limn_entry *grown = one_more(st->entries, st->n, &st->capacity, sizeof *grown);
    if (!grown) return limn_fail_memory(ctx, st->n * sizeof *grown, part->file);
    st->entries = grown;
    *out = &grown[st->n++];
    **out = (limn_entry){.part = (int16_t)(part - st->parts)};
    return LIMN_OK;
}

limn_status limn_weight_file_pair(limn_ctx *ctx, limn_weight_file *st, const limn_part *part, const char *key,
                                  const char *value)
{
    limn_pair *grown = one_more(st->metadata, st->n_metadata, &st->metadata_capacity, sizeof *grown);
    if (!grown) return limn_fail_memory(ctx, st->n_metadata * sizeof *grown, part->file);
    st->metadata = grown;
    grown[st->n_metadata++] = (limn_pair){key, value};
    return LIMN_OK;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const limn_pair *)a)->key, ((const limn_pair *)b)->key);
}

void limn_weight_file_sort_pairs(limn_weight_file *st, size_t first)
{
    if (st->n_metadata > first) qsort(st->metadata + first, st->n_metadata - first, sizeof *st->metadata, by_key);
}

static limn_status read_pairs(reader *r)
{
    limn_scan *s = &r->scan;
    limn_string key, value;
    if (limn_scan_take(s, '}')) return LIMN_OK;
    do {
        if (!limn_scan_key(s, &key) || !limn_scan_string(s, &value)) return not_json(r, "__metadata__");
        if (strcmp(key.text, "limn.crc32") == 0 && value.n == 8 && value.end - value.begin == 8)
            r->part->crc_at = 8 + value.begin;
        limn_status status = limn_weight_file_pair(r->ctx, r->st, r->part, key.text, value.text);
        if (status != LIMN_OK) return status;
    } while (limn_scan_more(s, '}'));
    return *s->why ? not_json(r, "__metadata__") : LIMN_OK;
}

static limn_status read_metadata(reader *r)
{
    limn_weight_file *st = r->st;
    size_t before = st->n_metadata;
    if (r->has_metadata) return bad(r, NULL, "__metadata__ comes twice");
    r->has_metadata = true;
    if (!limn_scan_need(&r->scan, '{', "before the metadata")) return not_json(r, "__metadata__");
    limn_status status = read_pairs(r);
    if (status != LIMN_OK) return status;
    limn_weight_file_sort_pairs(st, before);
    char shown[256];
    for (size_t i = before + 1; i < st->n_metadata; i++)
        if (by_key(&st->metadata[i - 1], &st->metadata[i]) == 0)
            return bad(r, NULL, "__metadata__: \"%s\" comes twice",
                       limn_escape(st->metadata[i].key, strlen(st->metadata[i].key), shown, sizeof shown));
    if (r->part > st->parts) st->n_metadata = before; /* of a later part: checked only */
    return LIMN_OK;
}

/* ---- the whole -------------------------------------------------------------------------------------------------------- */

static int by_begin(const void *a, const void *b)
{
    const limn_entry *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

static limn_status check_order(reader *r, limn_entry *e, size_t n)
{
    size_t end = 0;
    if (n) qsort(e, n, sizeof *e, by_begin);
    for (size_t i = 0; i < n; end += e[i++].bytes)
        if (e[i].begin != end)
            return bad(r, e[i].name, "begins at byte %zu of the data, where the tensor before it ends at %zu: %s",
                       e[i].begin, end, e[i].begin < end ? "they overlap" : "there is a hole");
    if (end != r->data_bytes)
        return bad(r, NULL, "%zu bytes follow the last tensor, which ends at byte %zu of the data", r->data_bytes - end,
                   end);
    return LIMN_OK;
}

static limn_status read_all(reader *r)
{
    limn_scan *s = &r->scan;
    size_t before = r->st->n;
    limn_status status = LIMN_OK;
    if (!limn_scan_take(s, '{')) return bad(r, NULL, "the header is empty");
    if (!limn_scan_take(s, '}')) {
        do {
            limn_string name;
            limn_entry *e = NULL;
            if (!limn_scan_key(s, &name)) return not_json(r, NULL);
            if (strcmp(name.text, "__metadata__") == 0) status = read_metadata(r);
            else {
                status = limn_weight_file_entry(r->ctx, r->st, r->part, &e);
                if (status == LIMN_OK) e->name = name.text, status = read_entry(r, e);
            }
            if (status != LIMN_OK) return status;
        } while (limn_scan_more(s, '}'));
        if (*s->why) return not_json(r, NULL);
    }
    while (s->at < s->n && s->bytes[s->at] == ' ') s->at++;
    if (s->at < s->n) return bad(r, NULL, "header, byte %zu: after the closing brace only spaces may follow", 8 + s->at);
    return check_order(r, r->st->n > before ? r->st->entries + before : NULL, r->st->n - before);
}

limn_status limn_header_read(limn_ctx *ctx, limn_weight_file *st, limn_part *part)
{
    reader r = {.ctx = ctx, .st = st, .part = part};
    unsigned char head[9];
    uint64_t length = 0;
    if (part->n_bytes == 0) return bad(&r, NULL, "the file is empty");
    if (part->n_bytes < 8) return bad(&r, NULL, "%zu bytes are too small for a header", part->n_bytes);
    size_t n = part->n_bytes < 9 ? part->n_bytes : 9;
    limn_status status = limn_part_read(ctx, part, 0, n, head);
    if (status != LIMN_OK) return status;
    for (int i = 7; i >= 0; i--) length = length << 8 | head[i];
    if (length > LIMN_HEADER_CAP)
        return bad(&r, NULL, "not a safetensors file, or a damaged one: a header of %llu bytes, at most %d are allowed",
                   (unsigned long long)length, LIMN_HEADER_CAP);
    if (length > part->n_bytes - 8)
        return bad(&r, NULL, "a header of %llu bytes in a file of %zu", (unsigned long long)length, part->n_bytes);
    if (length < 2 || head[8] != '{') return bad(&r, NULL, "the header must begin with { at byte 8");
    part->header_bytes = (size_t)length;
    part->header = malloc(part->header_bytes);
    if (!part->header) return limn_fail_memory(ctx, part->header_bytes, part->file);
    status = limn_part_read(ctx, part, 8, part->header_bytes, part->header);
    if (status != LIMN_OK) return status;
    r.scan = (limn_scan){.bytes = part->header, .n = part->header_bytes, .base = 8};
    r.data_bytes = part->n_bytes - 8 - part->header_bytes;
    return read_all(&r);
}
