/* weight_file.c: open, look up, load, compare with the checksum. */
#include "file/weight_file.h"

#include "file/bytes.h"
#include "file/gguf.h"
#include "file/torch.h"
#include "file/weight_file_parts.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum { CHUNK = 1 << 18 };

/* ---- open and close --------------------------------------------------------------------------------------------------- */

limn_status limn_part_read(limn_ctx *ctx, const limn_part *part, size_t offset, size_t n, void *to)
{
    if (part->fd >= 0) return limn_file_read_at(ctx, part->file, part->fd, offset, n, to);
    memcpy(to, part->memory + offset, n);
    return LIMN_OK;
}

/* What the first bytes say it is. */
static limn_status read_part(limn_ctx *ctx, limn_weight_file *st, limn_part *part)
{
    unsigned char head[LIMN_KIND_BYTES];
    size_t n = part->n_bytes < sizeof head ? part->n_bytes : sizeof head;
    limn_status status = limn_part_read(ctx, part, 0, n, head);
    if (status != LIMN_OK) return status;
    switch (limn_file_kind_of(head, n)) {
    case LIMN_KIND_TORCH: return limn_torch_read(ctx, st, part);
    case LIMN_KIND_TORCH_LEGACY: return limn_torch_read_legacy(ctx, st, part);
    case LIMN_KIND_TAR:
        return limn_fail(ctx, LIMN_BAD_FILE,
                         "%s: a tar archive, as torch 0.1.10 and before saved; open it in torch and save it again with "
                         "torch.save(), or as safetensors; nothing was executed",
                         part->file);
    case LIMN_KIND_PICKLE:
        return limn_fail(
            ctx, LIMN_BAD_FILE,
            "%s: a bare pickle, expected a safetensors file or the archive that torch.save() writes; nothing was executed",
            part->file);
    case LIMN_KIND_GGUF:
        return limn_gguf_read(ctx, st, part);
    default: return limn_header_read(ctx, st, part);
    }
}

limn_status limn_weight_file_add(limn_ctx *ctx, limn_weight_file *st, const char *file, int fd, const unsigned char *memory,
                                 size_t n)
{
    limn_part *grown = realloc(st->parts, (size_t)(st->n_parts + 1) * sizeof *grown);
    char *name = grown ? strdup(file) : NULL;
    if (grown) st->parts = grown;
    if (!name) {
        if (fd >= 0) close(fd);
        return limn_fail_memory(ctx, sizeof *grown, file);
    }
    limn_part *part = &grown[st->n_parts++];
    *part = (limn_part){.file = name, .fd = fd, .memory = memory, .n_bytes = n};
    return read_part(ctx, st, part);
}

static limn_weight_file *new_file(void)
{
    limn_weight_file *st = calloc(1, sizeof *st);
    if (st) st->whole = st, st->holders = 1;
    return st;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(limn_entry *const *)a)->name, (*(limn_entry *const *)b)->name);
}

/* LAYER.weight in 8-bit floats is often stored divided by one number: LAYER.scale_weight, or LAYER.weight_scale. */
static limn_status find_scale(limn_ctx *ctx, const limn_weight_file *st, limn_entry *e)
{
    static const char end[] = ".weight", *const spellings[] = {".scale_weight", ".weight_scale"};
    size_t n = strlen(e->name), stem = n - (sizeof end - 1);
    char name[512], shown[256];
    if (n < sizeof end || n > sizeof name - 16 || strcmp(e->name + stem, end) != 0) return LIMN_OK;
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%.*s%s", (int)stem, e->name, spellings[i]);
        const limn_entry *s = limn_weight_file_find(st, name);
        if (!s) continue;
        float scale = 0;
        bool one = s->usable && limn_entry_count(s) == 1;
        limn_status status = one ? limn_weight_file_load(ctx, st, s, &scale, LIMN_F32) : LIMN_OK;
        if (status != LIMN_OK) return status;
        if (!(one && scale * 0 == 0 && scale != 0))
            return limn_fail(ctx, LIMN_BAD_FILE, "%s: tensor \"%s\" should be one number, finite and not 0",
                             st->whole->parts[s->part].file, limn_escape(name, strlen(name), shown, sizeof shown));
        e->scale = scale;
        return LIMN_OK;
    }
    return LIMN_OK;
}

static limn_status find_scales(limn_ctx *ctx, limn_weight_file *st)
{
    limn_status status = LIMN_OK;
    for (size_t i = 0; i < st->n && status == LIMN_OK; i++)
        if (st->entries[i].dtype == LIMN_F8_E4M3 || st->entries[i].dtype == LIMN_F8_E5M2)
            status = find_scale(ctx, st, &st->entries[i]);
    return status;
}

limn_status limn_weight_file_index(limn_ctx *ctx, limn_weight_file *st)
{
    st->by_name = malloc((st->n + 1) * sizeof *st->by_name);
    if (!st->by_name) return limn_fail_memory(ctx, st->n * sizeof *st->by_name, st->parts[0].file);
    for (size_t i = 0; i < st->n; i++) st->by_name[i] = &st->entries[i];
    if (st->n) qsort(st->by_name, st->n, sizeof *st->by_name, by_name);
    for (size_t i = 1; i < st->n; i++) {
        const limn_entry *a = st->by_name[i - 1], *b = st->by_name[i];
        char name[256];
        if (strcmp(a->name, b->name) != 0) continue;
        limn_escape(a->name, strlen(a->name), name, sizeof name);
        if (a->part == b->part)
            return limn_fail(ctx, LIMN_BAD_FILE, "%s: tensor \"%s\" comes twice", st->parts[a->part].file, name);
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: tensor \"%s\" is also in %s", st->parts[a->part].file, name,
                         st->parts[b->part].file);
    }
    return find_scales(ctx, st);
}

static bool is_index(const char *path)
{
    static const char end[] = ".json";
    size_t n = strlen(path);
    return n >= sizeof end && strcmp(path + n - (sizeof end - 1), end) == 0;
}

static limn_status done(limn_ctx *ctx, limn_weight_file *st, limn_status status, limn_weight_file **out)
{
    if (status == LIMN_OK && !st->by_name) status = limn_weight_file_index(ctx, st);
    if (status == LIMN_OK) *out = st;
    else limn_weight_file_close(st);
    return status;
}

limn_status limn_weight_file_open(limn_ctx *ctx, const char *path, limn_weight_file **out)
{
    *out = NULL;
    limn_weight_file *st = new_file();
    if (!st) return limn_fail_memory(ctx, sizeof *st, path);
    int fd;
    size_t n;
    limn_status status = is_index(path) ? limn_shards_open(ctx, path, st) : limn_file_open(ctx, path, &fd, &n);
    if (status == LIMN_OK && !is_index(path)) status = limn_weight_file_add(ctx, st, path, fd, NULL, n);
    return done(ctx, st, status, out);
}

limn_status limn_weight_file_parse(limn_ctx *ctx, const char *name, const unsigned char *bytes, size_t n,
                                   limn_weight_file **out)
{
    *out = NULL;
    limn_weight_file *st = new_file();
    if (!st) return limn_fail_memory(ctx, sizeof *st, name);
    return done(ctx, st, limn_weight_file_add(ctx, st, name, -1, bytes, n), out);
}

void limn_weight_file_close(limn_weight_file *st)
{
    if (!st) return;
    limn_weight_file *whole = st->whole;
    free(st->entries);
    free(st->by_name);
    st->entries = NULL, st->by_name = NULL, st->n = 0;
    if (st != whole) free(st);
    if (--whole->holders) return;
    for (int i = 0; i < whole->n_parts; i++) {
        if (whole->parts[i].fd >= 0) close(whole->parts[i].fd);
        free(whole->parts[i].file);
        free(whole->parts[i].header);
        limn_torch_free(whole->parts[i].torch);
    }
    free(whole->parts);
    free(whole->metadata);
    free(whole);
}

/* ---- look up ---------------------------------------------------------------------------------------------------------- */

void limn_weight_file_reads(const limn_weight_file *st, const char *what, limn_job_files *files)
{
    for (int i = 0; i < st->n_parts; i++) limn_job_reads(files, what, st->parts[i].file);
}

const char *limn_weight_file_path(const limn_weight_file *st, int i)
{
    return i < st->whole->n_parts ? st->whole->parts[i].file : NULL;
}

size_t limn_weight_file_count(const limn_weight_file *st)
{
    return st->n;
}

const limn_entry *limn_weight_file_get(const limn_weight_file *st, size_t i)
{
    return &st->entries[i];
}

const char *limn_weight_file_kind(const limn_weight_file *st)
{
    return st->parts[0].torch ? "torch" : st->parts[0].gguf ? "gguf" : "safetensors";
}

const limn_entry *limn_weight_file_find(const limn_weight_file *st, const char *name)
{
    limn_entry key = {.name = name}, *pointer = &key;
    limn_entry **found = st->n ? bsearch(&pointer, st->by_name, st->n, sizeof *st->by_name, by_name) : NULL;
    return found ? *found : NULL;
}

const char *limn_weight_file_metadata(const limn_weight_file *st, const char *key)
{
    for (size_t i = 0; i < st->n_metadata; i++)
        if (strcmp(st->metadata[i].key, key) == 0) return st->metadata[i].value;
    return NULL;
}

/* ---- bytes ------------------------------------------------------------------------------------------------------------ */

limn_dtype limn_entry_type(const limn_entry *e) { return e->scale != 0 ? LIMN_F32 : e->dtype; }

size_t limn_entry_count(const limn_entry *e)
{
    size_t n = 1;
    for (int i = 0; i < e->rank; i++) n *= (size_t)e->dim[i];
    return n;
}

limn_status limn_weight_file_load(limn_ctx *ctx, const limn_weight_file *st, const limn_entry *e, void *to, limn_dtype dtype)
{
    return limn_weight_file_load_part(ctx, st, e, 0, limn_entry_count(e), to, dtype);
}

static void convert(const limn_entry *e, const unsigned char *from, void *to, limn_dtype dtype, size_t n)
{
    enum { SOME = 1024 };
    float x[SOME];
    if (e->scale == 0) limn_convert(from, e->dtype, to, dtype, n);
    for (size_t i = 0, some; e->scale != 0 && i < n; i += some) {
        some = n - i < SOME ? n - i : SOME;
        limn_convert(from + limn_dtype_size(e->dtype, i), e->dtype, x, LIMN_F32, some);
        for (size_t k = 0; k < some; k++) x[k] *= e->scale;
        limn_convert(x, LIMN_F32, (unsigned char *)to + limn_dtype_size(dtype, i), dtype, some);
    }
}

/* Elements from byte `from` on, read and converted a chunk at a time. */
static limn_status load_converted(limn_ctx *ctx, const limn_part *part, size_t from, const limn_entry *e, size_t n,
                                  unsigned char *to, limn_dtype dtype)
{
    const limn_dtype_row *row = limn_dtype_row_of(e->dtype);
    size_t most = CHUNK / row->bytes * row->block;
    unsigned char *chunk = malloc(CHUNK);
    if (!chunk) return limn_fail_memory(ctx, CHUNK, part->file);
    limn_status status = LIMN_OK;
    for (size_t done = 0, some; done < n && status == LIMN_OK; done += some) {
        some = n - done < most ? n - done : most;
        status = limn_part_read(ctx, part, from + limn_row_size(row, done), limn_row_size(row, some), chunk);
        if (status == LIMN_OK) convert(e, chunk, to + limn_dtype_size(dtype, done), dtype, some);
    }
    free(chunk);
    return status;
}

static limn_status load_scaled_torch(limn_ctx *ctx, const limn_part *part, const limn_entry *e, size_t first, size_t n,
                                     void *to, limn_dtype dtype)
{
    float *x = malloc(n * sizeof *x + 1);
    if (!x) return limn_fail_memory(ctx, n * sizeof *x, part->file);
    limn_status status = limn_torch_load(ctx, part, e, first, n, x, LIMN_F32);
    for (size_t i = 0; i < n && status == LIMN_OK; i++) x[i] *= e->scale;
    if (status == LIMN_OK) limn_convert(x, LIMN_F32, to, dtype, n);
    free(x);
    return status;
}

limn_status limn_weight_file_load_part(limn_ctx *ctx, const limn_weight_file *st, const limn_entry *e, size_t first,
                                       size_t n, void *to, limn_dtype dtype)
{
    const limn_part *part = &st->parts[e->part];
    char name[256];
    if (!e->usable)
        return limn_fail(ctx, LIMN_UNSUPPORTED, "%s: tensor \"%s\" is %s, which Limn does not compute with", part->file,
                         limn_escape(e->name, strlen(e->name), name, sizeof name), e->type);
    if (limn_dtype_size(e->dtype, first) == SIZE_MAX || limn_dtype_size(e->dtype, n) == SIZE_MAX)
        return limn_fail(ctx, LIMN_UNSUPPORTED, "%s: of tensor \"%s\" a part is needed that cuts its blocks (%s)",
                         part->file, limn_escape(e->name, strlen(e->name), name, sizeof name), e->type);
    size_t from = 8 + part->header_bytes + e->begin + limn_dtype_size(e->dtype, first), bytes = limn_dtype_size(e->dtype, n);
    ctx->counters.bytes_read += bytes;
    if (part->torch && e->scale != 0) return load_scaled_torch(ctx, part, e, first, n, to, dtype);
    if (part->torch) return limn_torch_load(ctx, part, e, first, n, to, dtype);
    if (e->dtype == dtype && e->scale == 0) return limn_part_read(ctx, part, from, bytes, to);
    return load_converted(ctx, part, from, e, n, to, dtype);
}

/* The checksum is of the file whose 8 digits at crc_at are zeros. */
static limn_status check_part(limn_ctx *ctx, const limn_part *part, unsigned char *chunk)
{
    char said[9] = "", is[9];
    uLong crc = crc32(0, NULL, 0);
    limn_status status = limn_part_read(ctx, part, part->crc_at, 8, said);
    for (size_t at = 0; at < part->n_bytes && status == LIMN_OK;) {
        size_t n = part->n_bytes - at < CHUNK ? part->n_bytes - at : CHUNK;
        status = limn_part_read(ctx, part, at, n, chunk);
        for (size_t i = 0; i < 8; i++)
            if (part->crc_at + i >= at && part->crc_at + i < at + n) chunk[part->crc_at + i - at] = '0';
        if (status == LIMN_OK) crc = crc32(crc, chunk, (uInt)n);
        at += n;
    }
    snprintf(is, sizeof is, "%08lx", crc);
    if (status == LIMN_OK && memcmp(said, is, 8) != 0)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: damaged: its bytes have the checksum %s, written were \"%s\"", part->file,
                         is, limn_escape(said, 8, (char[64]){0}, 64));
    return status;
}

const char *const limn_weight_endings[] = {".safetensors", ".sft", ".pt", ".pth", ".ckpt", ".bin", ".gguf", NULL};

size_t limn_weight_stem(const char *name)
{
    size_t n = strlen(name);
    for (int i = 0; limn_weight_endings[i]; i++) {
        size_t k = strlen(limn_weight_endings[i]);
        if (n > k && limn_same_word(name + n - k, k, limn_weight_endings[i], k)) return n - k;
    }
    return n;
}

limn_status limn_weight_file_check(limn_ctx *ctx, const limn_weight_file *st, bool *known)
{
    unsigned char *chunk = malloc(CHUNK);
    limn_status status = chunk ? LIMN_OK : limn_fail_memory(ctx, CHUNK, "a checksum");
    *known = true;
    for (int i = 0; i < st->n_parts && status == LIMN_OK; i++) {
        if (st->parts[i].torch) status = limn_torch_check(ctx, &st->parts[i], known);
        else if (st->parts[i].crc_at) status = check_part(ctx, &st->parts[i], chunk);
        else *known = false;
    }
    free(chunk);
    return status;
}

const void *limn_weight_file_metadata_next(const limn_weight_file *st, const void *at, const char **key, const char **value)
{
    const limn_pair *pair = at ? (const limn_pair *)at + 1 : st->metadata;
    if (!st->n_metadata || pair == st->metadata + st->n_metadata) return NULL;
    *key = pair->key;
    *value = pair->value;
    return pair;
}
