/* gguf.c: see gguf.h.
 *
 * The header is read as it is needed into part->header, which grows; until it is whole, names and texts are offsets in it. A
 * text has its length in front of it and no end: it moves over the last byte of its length, and a NUL follows it. */
#include "file/gguf.h"

#include "base/number.h"
#include "base/rng.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
    CAP = 256 << 20, /* of a header */
    KEY_CAP = 65535,
    ALIGNMENT = 32,
    ALIGNMENT_CAP = 1 << 20,
    LEAST_PAIR = 8 + 1 + 4 + 1,
    LEAST_TENSOR = 8 + 1 + 4 + 4 + 8, /* bytes that a pair and a tensor take at least */
};

typedef enum value_type { U8, I8, U16, I16, U32, I32, F32, BOOL, TEXT, ARRAY, U64, I64, F64, N_VALUE_TYPES } value_type;
static const size_t value_bytes[N_VALUE_TYPES] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

/* The shape that a tensor had before its rows were made longer: comfy.gguf.orig_shape.NAME. */
typedef struct reshaped {
    size_t name;
    const char *text;
    int rank;
    int64_t dim[LIMN_GGUF_RANK];
} reshaped;

typedef struct reader {
    limn_ctx *ctx;
    limn_weight_file *st;
    limn_part *part;
    size_t at, have, room; /* bytes of part->header: read by us, read from the file, allocated */
    uint64_t alignment;
    size_t first, n_pairs; /* entry of this part; pairs before it */
    size_t end;            /* of the tensors so far, in the data */
    uint64_t *keys;        /* hashes of all keys */
    reshaped *shapes;
    size_t n_keys, n_shapes;
} reader;

/* A sentence about the place that was just read. */
static limn_status bad(const reader *r, const char *what)
{
    return limn_fail(r->ctx, LIMN_BAD_FILE, "%s: byte %zu of the GGUF header: %s", r->part->file, r->at, what);
}

/* ---- bytes ------------------------------------------------------------------------------------------------------------ */

/* The next n bytes are in memory. */
static limn_status need(reader *r, uint64_t n)
{
    enum { STEP = 1 << 16 };
    limn_part *part = r->part;
    if (n <= r->have - r->at) return LIMN_OK;
    if (n > part->n_bytes - r->at)
        return limn_fail(r->ctx, LIMN_BAD_FILE, "%s: byte %zu of the GGUF header: %llu bytes should follow, %zu are left",
                         part->file, r->at, (unsigned long long)n, part->n_bytes - r->at);
    size_t most = part->n_bytes < CAP ? part->n_bytes : CAP, want = r->at + (size_t)n;
    if (want > most) return bad(r, "more than 256 MB of names and metadata");
    if (want > r->room) {
        size_t room = want + want / 2 + STEP;
        char *grown = realloc(part->header, room);
        if (!grown) return limn_fail_memory(r->ctx, room, part->file);
        part->header = grown, r->room = room;
    }
    size_t more = r->room < most ? r->room - r->have : most - r->have;
    if (more > want - r->have + STEP) more = want - r->have + STEP;
    limn_status status = limn_part_read(r->ctx, part, r->have, more, part->header + r->have);
    if (status == LIMN_OK) r->have += more;
    return status;
}

/* A whole number of n bytes, the lowest first. */
static limn_status whole(reader *r, size_t n, uint64_t *out)
{
    limn_status status = need(r, n);
    *out = 0;
    for (size_t i = n; i-- && status == LIMN_OK;) *out = *out << 8 | (unsigned char)r->part->header[r->at + i];
    if (status == LIMN_OK) r->at += n;
    return status;
}

static limn_status skip(reader *r, uint64_t n)
{
    limn_status status = need(r, n);
    if (status == LIMN_OK) r->at += (size_t)n;
    return status;
}

/* A text of `least` to `most` bytes, as an offset. */
static limn_status text(reader *r, uint64_t least, uint64_t most, const char *what, size_t *out)
{
    uint64_t n;
    limn_status status = whole(r, 8, &n);
    if (status != LIMN_OK) return status;
    if (n < least || n > most)
        return limn_fail(r->ctx, LIMN_BAD_FILE, "%s: byte %zu of the GGUF header: %s of %llu bytes, expected %llu to %llu",
                         r->part->file, r->at - 8, what, (unsigned long long)n, (unsigned long long)least,
                         (unsigned long long)most);
    status = need(r, n);
    if (status != LIMN_OK) return status;
    char *to = r->part->header + r->at - 1;
    memmove(to, to + 1, (size_t)n);
    to[n] = '\0';
    *out = r->at - 1;
    r->at += (size_t)n;
    return least && strlen(to) != n ? bad(r, "a name with a NUL inside") : LIMN_OK;
}

static const char *text_at(const reader *r, size_t offset) { return r->part->header + offset; }

/* ---- metadata --------------------------------------------------------------------------------------------------------- */

static limn_status array_type(reader *r, uint64_t *type, uint64_t *n)
{
    limn_status status = whole(r, 4, type);
    if (status == LIMN_OK) status = whole(r, 8, n);
    if (status != LIMN_OK) return status;
    if (*type >= N_VALUE_TYPES) return bad(r, "an array of a type that GGUF does not have");
    if (*type == ARRAY) return bad(r, "an array of arrays");
    size_t least = *type == TEXT ? 8 : value_bytes[*type];
    return *n > (r->part->n_bytes - r->at) / least ? bad(r, "an array of more elements than there are bytes left") : LIMN_OK;
}

static limn_status skip_array(reader *r)
{
    uint64_t type, n;
    size_t nobody;
    limn_status status = array_type(r, &type, &n);
    if (status != LIMN_OK || type != TEXT) return status == LIMN_OK ? skip(r, n * value_bytes[type]) : status;
    for (uint64_t i = 0; i < n && status == LIMN_OK; i++) status = text(r, 0, r->part->n_bytes, "a text", &nobody);
    return status;
}

static limn_status read_shape(reader *r, size_t name)
{
    uint64_t type, n, dim;
    limn_status status = array_type(r, &type, &n);
    if (status != LIMN_OK) return status;
    if (type != I32 || n > LIMN_GGUF_RANK)
        return bad(r, "expected the shape of a tensor as an array of at most 4 numbers (i32)");
    reshaped *grown = realloc(r->shapes, (r->n_shapes + 1) * sizeof *grown);
    if (!grown) return limn_fail_memory(r->ctx, r->n_shapes * sizeof *grown, r->part->file);
    r->shapes = grown;
    grown[r->n_shapes] = (reshaped){.name = name, .rank = (int)n};
    for (uint64_t i = 0; i < n; i++) {
        status = whole(r, 4, &dim);
        if (status != LIMN_OK) return status;
        if (dim > INT32_MAX) return bad(r, "a tensor's shape with a negative number");
        grown[r->n_shapes].dim[i] = (int64_t)dim;
    }
    r->n_shapes++;
    return LIMN_OK;
}

static limn_status read_alignment(reader *r, uint64_t type)
{
    if (type != U32) return bad(r, "general.alignment is not of type u32");
    limn_status status = whole(r, 4, &r->alignment);
    bool fine = r->alignment && r->alignment <= ALIGNMENT_CAP && !(r->alignment & (r->alignment - 1));
    return status != LIMN_OK || fine ? status : bad(r, "general.alignment is no power of 2 up to 1 MiB");
}

static limn_status read_pair(reader *r)
{
    static const char shape_of[] = "comfy.gguf.orig_shape.";
    uintptr_t key, value;
    uint64_t type;
    limn_status status = text(r, 1, KEY_CAP, "a key", &key);
    if (status == LIMN_OK) status = whole(r, 4, &type);
    if (status != LIMN_OK) return status;
    if (type >= N_VALUE_TYPES) return bad(r, "a value of a type that GGUF does not have");
    const char *name = text_at(r, key);
    for (const char *p = name; *p; p++)
        if ((unsigned char)*p > 126 || (unsigned char)*p < 33) return bad(r, "a key that is not of ASCII");
    r->keys[r->n_keys++] = limn_hash_name(name);
    if (strcmp(name, "general.alignment") == 0) return read_alignment(r, type);
    if (strcmp(name, "general.architecture") == 0 && type != TEXT) return bad(r, "general.architecture is no text");
    if (type == ARRAY && strncmp(name, shape_of, sizeof shape_of - 1) == 0) return read_shape(r, key + sizeof shape_of - 1);
    if (type == ARRAY) return skip_array(r);
    if (type == BOOL) {
        status = whole(r, 1, &type);
        return status == LIMN_OK && type > 1 ? bad(r, "a truth value that is neither 0 nor 1") : status;
    }
    if (type != TEXT) return skip(r, value_bytes[type]);
    status = text(r, 0, r->part->n_bytes, "a text", &value);
    return status == LIMN_OK ? limn_weight_file_pair(r->ctx, r->st, r->part, (const char *)key, (const char *)value)
                             : status;
}

static int by_hash(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static limn_status read_metadata(reader *r, uint64_t n)
{
    r->keys = malloc((size_t)n * sizeof *r->keys + 1);
    if (!r->keys) return limn_fail_memory(r->ctx, (size_t)n * sizeof *r->keys, r->part->file);
    for (uint64_t i = 0; i < n; i++) {
        limn_status status = read_pair(r);
        if (status != LIMN_OK) return status;
    }
    if (n) qsort(r->keys, (size_t)n, sizeof *r->keys, by_hash);
    for (uint64_t i = 1; i < n; i++)
        if (r->keys[i - 1] == r->keys[i]) return bad(r, "of the keys before it two are the same");
    return LIMN_OK;
}

/* ---- tensors ---------------------------------------------------------------------------------------------------------- */

/* Number in the file, and what it is here; LIMN_N_DTYPES: known by name only. */
static const struct {
    uint32_t number;
    limn_dtype dtype;
    const char *name;
} types[] = {
    {0, LIMN_F32, "F32"},           {1, LIMN_F16, "F16"},           {2, LIMN_Q4_0, "Q4_0"},
    {3, LIMN_Q4_1, "Q4_1"},         {6, LIMN_Q5_0, "Q5_0"},         {7, LIMN_Q5_1, "Q5_1"},
    {8, LIMN_Q8_0, "Q8_0"},         {10, LIMN_Q2_K, "Q2_K"},        {11, LIMN_Q3_K, "Q3_K"},
    {12, LIMN_Q4_K, "Q4_K"},        {13, LIMN_Q5_K, "Q5_K"},        {14, LIMN_Q6_K, "Q6_K"},
    {20, LIMN_IQ4_NL, "IQ4_NL"},    {26, LIMN_I32, "I32"},          {27, LIMN_I64, "I64"},
    {28, LIMN_F64, "F64"},          {30, LIMN_BF16, "BF16"},        {9, LIMN_N_DTYPES, "Q8_1"},
    {15, LIMN_N_DTYPES, "Q8_K"},    {16, LIMN_N_DTYPES, "IQ2_XXS"}, {17, LIMN_N_DTYPES, "IQ2_XS"},
    {18, LIMN_N_DTYPES, "IQ3_XXS"}, {19, LIMN_N_DTYPES, "IQ1_S"},   {21, LIMN_N_DTYPES, "IQ3_S"},
    {22, LIMN_N_DTYPES, "IQ2_S"},   {23, LIMN_N_DTYPES, "IQ4_XS"},  {24, LIMN_N_DTYPES, "I8"},
    {25, LIMN_N_DTYPES, "I16"},     {29, LIMN_N_DTYPES, "IQ1_M"},   {34, LIMN_N_DTYPES, "TQ1_0"},
    {35, LIMN_N_DTYPES, "TQ2_0"},   {39, LIMN_N_DTYPES, "MXFP4"},   {40, LIMN_N_DTYPES, "NVFP4"},
};

bool limn_gguf_number(limn_dtype dtype, uint32_t *out)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].dtype == dtype) return *out = types[i].number, true;
    return false;
}

__attribute__((format(printf, 3, 4))) static limn_status bad_tensor(const reader *r, size_t name, const char *format, ...)
{
    char shown[256], why[256];
    const char *t = text_at(r, name);
    va_list args;
    va_start(args, format);
    limn_format_list(why, sizeof why, format, args);
    va_end(args);
    return limn_fail(r->ctx, LIMN_BAD_FILE, "%s: tensor \"%s\" %s", r->part->file,
                     limn_escape(t, strlen(t), shown, sizeof shown), why);
}

static limn_status read_type(reader *r, size_t name, limn_entry *e)
{
    uint64_t number;
    size_t i = 0, n = sizeof types / sizeof *types;
    limn_status status = whole(r, 4, &number);
    if (status != LIMN_OK) return status;
    while (i < n && types[i].number != number) i++;
    if (i == n) return bad_tensor(r, name, "is of type %lld, which GGUF does not have", (long long)number);
    if (types[i].dtype == LIMN_N_DTYPES)
        return bad_tensor(r, name, "is of type %s, which Limn does not read", types[i].name);
    e->type = types[i].name, e->dtype = types[i].dtype, e->usable = true;
    return LIMN_OK;
}

/* GGUF counts dimensions from the fastest. */
static limn_status read_dimensions(reader *r, size_t name, limn_entry *e, uint64_t *elements)
{
    uint64_t rank, dim[LIMN_GGUF_RANK];
    limn_status status = whole(r, 4, &rank);
    if (status != LIMN_OK) return status;
    if (rank > LIMN_GGUF_RANK) return bad_tensor(r, name, "has %lld dimensions, at most 4 are possible", (long long)rank);
    *elements = 1;
    for (uint64_t i = 0; i < rank; i++) {
        status = whole(r, 8, &dim[i]);
        if (status != LIMN_OK) return status;
        size_t product = 0;
        if (dim[i] > INT64_MAX || !limn_mul_size((size_t)*elements, (size_t)dim[i], &product) || product > INT64_MAX / 16)
            return bad_tensor(r, name, "has more elements than any file");
        *elements = product;
    }
    e->rank = (int8_t)rank;
    for (uint64_t i = 0; i < rank; i++) e->dim[rank - 1 - i] = (int64_t)dim[i];
    return LIMN_OK;
}

static size_t padded(const reader *r, size_t bytes)
{
    size_t a = (size_t)r->alignment;
    return (bytes + a - 1) / a * a;
}

static limn_status read_tensor(reader *r)
{
    size_t name;
    uint64_t elements = 0, offset = 0;
    limn_entry *e;
    limn_status status = limn_weight_file_entry(r->ctx, r->st, r->part, &e);
    if (status == LIMN_OK) status = text(r, 1, LIMN_GGUF_NAME, "the name of a tensor", &name);
    if (status == LIMN_OK) status = read_dimensions(r, name, e, &elements);
    if (status == LIMN_OK) status = read_type(r, name, e);
    if (status == LIMN_OK) status = whole(r, 8, &offset);
    if (status != LIMN_OK) return status;
    const limn_dtype_row *row = limn_dtype_row_of(e->dtype);
    long long run = e->rank ? (long long)e->dim[e->rank - 1] : 1;
    if (run % (long long)row->block)
        return bad_tensor(r, name, "has rows of %lld numbers, which are no whole blocks of %lld", run,
                          (long long)row->block);
    if (offset != r->end)
        return bad_tensor(r, name, "begins at byte %lld of the data, where the tensors before it end at %lld",
                          (long long)offset, (long long)r->end);
    e->name = (const char *)(uintptr_t)name, e->begin = (size_t)offset, e->bytes = limn_row_size(row, (size_t)elements);
    if (e->bytes > r->part->n_bytes) /* also keeps the sum from wrapping */
        return bad_tensor(r, name, "should have %lld bytes, and the whole file has %lld", (long long)e->bytes,
                          (long long)r->part->n_bytes);
    r->end = padded(r, r->end + e->bytes);
    if (r->end > r->part->n_bytes + ALIGNMENT_CAP)
        return bad_tensor(r, name, "ends at byte %lld of the data, and the whole file has %lld", (long long)r->end,
                          (long long)r->part->n_bytes);
    return LIMN_OK;
}

/* ---- the whole -------------------------------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b) { return strcmp(((const reshaped *)a)->text, ((const reshaped *)b)->text); }

static limn_status reshape(const reader *r, limn_entry *e)
{
    reshaped key = {.text = e->name}, *found = bsearch(&key, r->shapes, r->n_shapes, sizeof key, by_text);
    if (!found) return LIMN_OK;
    size_t n = 1;
    for (int i = 0; i < found->rank; i++)
        if (!limn_mul_size(n, (size_t)found->dim[i], &n)) n = SIZE_MAX, i = found->rank;
    if (n != limn_entry_count(e))
        return bad_tensor(r, (size_t)(e->name - r->part->header), "has %lld elements, where comfy.gguf.orig_shape says %lld",
                          (long long)limn_entry_count(e), (long long)n);
    e->rank = (int8_t)found->rank;
    memcpy(e->dim, found->dim, sizeof found->dim);
    return LIMN_OK;
}

/* Offsets become texts: the header moves no more. */
static limn_status settle(reader *r)
{
    limn_weight_file *st = r->st;
    limn_status status = LIMN_OK;
    if (r->part > st->parts) st->n_metadata = r->n_pairs; /* of a later part: checked only */
    for (size_t i = r->n_pairs; i < st->n_metadata; i++)
        st->metadata[i].key = text_at(r, (size_t)(uintptr_t)st->metadata[i].key),
        st->metadata[i].value = text_at(r, (size_t)(uintptr_t)st->metadata[i].value);
    limn_weight_file_sort_pairs(st, r->n_pairs);
    for (size_t i = 0; i < r->n_shapes; i++) r->shapes[i].text = text_at(r, r->shapes[i].name);
    if (r->n_shapes) qsort(r->shapes, r->n_shapes, sizeof *r->shapes, by_text);
    for (size_t i = r->first; i < st->n; i++) st->entries[i].name = text_at(r, (size_t)(uintptr_t)st->entries[i].name);
    for (size_t i = r->first; i < st->n && r->n_shapes && status == LIMN_OK; i++) status = reshape(r, &st->entries[i]);
    return status;
}

static limn_status read_all(reader *r)
{
    uint64_t version, tensors, pairs;
    limn_status status = skip(r, 4);
    if (status == LIMN_OK) status = whole(r, 4, &version);
    if (status != LIMN_OK) return status;
    if (version != 2 && version != 3)
        return bad(r, version >> 24 && !(version & 0xffff) ? "written on a big-endian machine, which Limn does not read"
                                                           : "expected version 2 or 3 of the format");
    status = whole(r, 8, &tensors);
    if (status == LIMN_OK) status = whole(r, 8, &pairs);
    if (status != LIMN_OK) return status;
    size_t left = r->part->n_bytes - r->at;
    if (pairs > left / LEAST_PAIR) return bad(r, "more pairs of metadata are announced than there are bytes for");
    if (tensors > left / LEAST_TENSOR) return bad(r, "more tensors are announced than there are bytes for");
    status = read_metadata(r, pairs);
    for (uint64_t i = 0; i < tensors && status == LIMN_OK; i++) status = read_tensor(r);
    if (status != LIMN_OK) return status;
    const limn_entry *e = tensors ? &r->st->entries[r->st->n - 1] : NULL;
    size_t data = padded(r, r->at), last = e ? e->begin + e->bytes : 0;
    if (e && (data > r->part->n_bytes || last > r->part->n_bytes - data))
        return limn_fail(r->ctx, LIMN_BAD_FILE, "%s: cut short: its tensors end at byte %zu, the file at %zu", r->part->file,
                         data + last, r->part->n_bytes);
    r->part->header_bytes = data - 8; /* where the data begin, as in safetensors files: behind 8 bytes and the header */
    return settle(r);
}

limn_status limn_gguf_read(limn_ctx *ctx, limn_weight_file *st, limn_part *part)
{
    reader r = {.ctx = ctx, .st = st, .part = part, .alignment = ALIGNMENT, .first = st->n, .n_pairs = st->n_metadata};
    part->gguf = true;
    limn_status status = read_all(&r);
    if (status != LIMN_OK) st->n = r.first, st->n_metadata = r.n_pairs;
    free(r.keys);
    free(r.shapes);
    return status;
}
