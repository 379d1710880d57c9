/* weight_file.c: open, look up, load, compare with the checksum. */
#include "file/weight_file.h"

#include "file/bytes.h"
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
    unsigned char head[16];
    size_t n = part->n_bytes < sizeof head ? part->n_bytes : sizeof head;
    limn_status status = limn_part_read(ctx, part, 0, n, head);
    if (status != LIMN_OK) return status;
    switch (limn_file_kind_of(head, n)) {
    case LIMN_KIND_TORCH: return limn_torch_read(ctx, st, part);
    case LIMN_KIND_TORCH_LEGACY:
        return limn_fail(ctx, LIMN_BAD_FILE,
                         "%s: written by torch before 1.6, or in its old format; open it in torch and save it again with "
                         "torch.save(), or as safetensors; nothing was executed",
                         part->file);
    case LIMN_KIND_PICKLE:
        return limn_fail(
            ctx, LIMN_BAD_FILE,
            "%s: a bare pickle, expected a safetensors file or the archive that torch.save() writes; nothing was executed",
            part->file);
    case LIMN_KIND_GGUF:
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: a GGUF file; Limn reads safetensors and the files of torch.save()",
                         part->file);
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
    return LIMN_OK;
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
    return st->parts[0].torch ? "torch" : "safetensors";
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

/* Elements from byte `from` on, read and converted a chunk at a time. */
static limn_status load_converted(limn_ctx *ctx, const limn_part *part, size_t from, limn_dtype stored, size_t n,
                                  unsigned char *to, limn_dtype dtype)
{
    const limn_dtype_row *row = limn_dtype_row_of(stored);
    size_t most = CHUNK / row->bytes * row->block;
    void *chunk = malloc(CHUNK);
    if (!chunk) return limn_fail_memory(ctx, CHUNK, part->file);
    limn_status status = LIMN_OK;
    for (size_t done = 0, some; done < n && status == LIMN_OK; done += some) {
        some = n - done < most ? n - done : most;
        status = limn_part_read(ctx, part, from + limn_dtype_size(stored, done), limn_dtype_size(stored, some), chunk);
        if (status == LIMN_OK) limn_convert(chunk, stored, to + limn_dtype_size(dtype, done), dtype, some);
    }
    free(chunk);
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
    size_t from = 8 + part->header_bytes + e->begin + limn_dtype_size(e->dtype, first), bytes = limn_dtype_size(e->dtype, n);
    ctx->counters.bytes_read += bytes;
    if (part->torch) return limn_torch_load(ctx, part, e, first, n, to, dtype);
    if (e->dtype == dtype) return limn_part_read(ctx, part, from, bytes, to);
    return load_converted(ctx, part, from, e->dtype, n, to, dtype);
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

limn_status limn_weight_file_check(limn_ctx *ctx, const limn_weight_file *st, bool *known)
{
    unsigned char *chunk = malloc(CHUNK);
    limn_status status = chunk ? LIMN_OK : limn_fail_memory(ctx, CHUNK, "a checksum");
    *known = true;
    for (int i = 0; i < st->n_parts && status == LIMN_OK; i++) {
        if (st->parts[i].torch) status = limn_torch_check(ctx, &st->parts[i]);
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
