/* torch.c: from an archive to entries: the records beside the pickle, the pickle, and what of it are tensors. */
#include "file/torch.h"

#include "file/torch_parts.h"
#include "file/torch_pickle.h"

#include <stdlib.h>
#include <string.h>

enum { PICKLE_CAP = 256 << 20, FREE_BYTES = 16 << 20, DEPTH_CAP = 64, VISITS_CAP = 4000000, NAME_CAP = 1 << 16,
       FIRST_BYTES = 1 << 20 };

limn_file_kind limn_file_kind_of(const unsigned char *head, size_t n)
{
    static const unsigned char legacy[] = {0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};
    if (n > 8 && head[8] == '{') return LIMN_KIND_SAFETENSORS;
    if (n >= 4 && head[0] == 'P' && head[1] == 'K' && ((head[2] == 3 && head[3] == 4) || (head[2] == 5 && head[3] == 6)))
        return LIMN_KIND_TORCH;
    if (n >= 2 + sizeof legacy && head[0] == 0x80 && memcmp(head + 2, legacy, sizeof legacy) == 0)
        return LIMN_KIND_TORCH_LEGACY;
    if (n >= LIMN_KIND_BYTES && memcmp(head + 257, "ustar", 5) == 0) return LIMN_KIND_TAR;
    if (n >= 3 && head[0] == 0x80 && head[1] >= 2 && head[1] <= 5 && head[2]) return LIMN_KIND_PICKLE;
    return n >= 4 && memcmp(head, "GGUF", 4) == 0 ? LIMN_KIND_GGUF : LIMN_KIND_SAFETENSORS;
}

void limn_torch_free(limn_torch *torch)
{
    if (!torch) return;
    limn_zip_free(&torch->zip);
    limn_arena_free(torch->arena);
    free(torch);
}

/* ---- the records of an archive ---------------------------------------------------------------------------------------- */

/* "ROOT/data.pkl" gives the root; exactly one member is it. */
static limn_status find_pickle(limn_ctx *ctx, const limn_part *part, const limn_zip *zip, limn_zip_member **out, char *root,
                               size_t root_bytes)
{
    *out = NULL;
    for (size_t i = 0; i < zip->n; i++) {
        const char *slash = strchr(zip->members[i].name, '/');
        if (!slash || strcmp(slash, "/data.pkl") != 0) continue;
        if (*out) return limn_fail(ctx, LIMN_BAD_FILE, "%s: two data.pkl in the archive", part->file);
        *out = &zip->members[i];
    }
    if (!*out)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: a zip archive without NAME/data.pkl: not a file of torch.save()",
                         part->file);
    size_t n = strlen((*out)->name) - strlen("/data.pkl");
    if (n >= root_bytes)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: the folder's name in the archive has %zu bytes, at most %zu are read",
                         part->file, n, root_bytes - 1);
    memcpy(root, (*out)->name, n);
    root[n] = '\0';
    return LIMN_OK;
}

/* A member's bytes, compared with its checksum.  *out is the caller's. */
static limn_status read_member(limn_ctx *ctx, const limn_part *part, limn_zip_member *m, unsigned char **out)
{
    limn_zip_stream s;
    *out = malloc(m->size + 1);
    if (!*out) return limn_fail_memory(ctx, m->size, part->file);
    limn_status status = limn_zip_check(ctx, part, m);
    if (status == LIMN_OK) status = limn_zip_start(ctx, part, m, &s);
    if (status == LIMN_OK) {
        status = limn_zip_next(&s, m->size, *out);
        limn_zip_stop(&s);
    }
    (*out)[status == LIMN_OK ? m->size : 0] = '\0';
    return status;
}

/* A record of a few letters.  text: 16 bytes; "" when there is none. */
static limn_status read_record(limn_ctx *ctx, const limn_part *part, const char *root, const char *name, char *text)
{
    char path[400];
    unsigned char *bytes;
    snprintf(path, sizeof path, "%s/%s", root, name);
    limn_zip_member *m = limn_zip_find(&part->torch->zip, path);
    *text = '\0';
    if (!m) return LIMN_OK;
    if (m->size > 15)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: zip member \"%s\" has %zu bytes, expected a few", part->file, name,
                         m->size);
    limn_status status = read_member(ctx, part, m, &bytes);
    if (status == LIMN_OK) snprintf(text, 16, "%s", (const char *)bytes);
    free(bytes);
    text[strcspn(text, "\r\n")] = '\0';
    return status;
}

static limn_status check_records(limn_ctx *ctx, const limn_part *part, const char *root)
{
    char order[16], version[16], shown[80];
    limn_status status = read_record(ctx, part, root, "byteorder", order);
    if (status == LIMN_OK) status = read_record(ctx, part, root, "version", version);
    if (status != LIMN_OK) return status;
    if (*order && strcmp(order, "little") != 0)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: its numbers are %s-endian, Limn reads little-endian files only",
                         part->file, limn_escape(order, strlen(order), shown, sizeof shown));
    size_t n = strspn(version, "0123456789");
    if (n < 1 || n > 2 || version[n])
        return limn_fail(ctx, LIMN_BAD_FILE,
                         "%s: expected the version of torch's archives in the member \"version\", found \"%s\"", part->file,
                         limn_escape(version, strlen(version), shown, sizeof shown));
    return LIMN_OK;
}

/* ---- tensors of nested dicts and lists -------------------------------------------------------------------------------- */

typedef struct walk {
    limn_pickle *p;
    limn_weight_file *st;
    limn_part *part;
    char name[NAME_CAP];
    size_t visits;       /* objects seen, and one more for each 64 bytes of a key */
} walk;

/* Rows without gaps, last dimension fastest. */
static bool is_dense(const int64_t *size, const int64_t *stride, int rank)
{
    int64_t step = 1;
    for (int i = rank - 1; i >= 0; step *= size[i--])
        if (size[i] > 1 && stride[i] != step) return false;
    return true;
}

static limn_status add_tensor(walk *w, const limn_pickle_tensor *t, size_t n_name)
{
    limn_pickle *p = w->p;
    limn_torch *torch = w->part->torch;
    const limn_torch_type *type = limn_torch_type_row(t->type);
    const int64_t *size = p->numbers + t->dims, *stride = size + t->rank;
    size_t need = sizeof(limn_entry) * 5 / 4 + n_name + 64 + (size_t)t->rank * sizeof *size, width = (size_t)type->bytes;
    if (need > p->budget) return limn_pickle_bad(p, "its tensors need too much memory for a file of this size");
    p->budget -= need;
    limn_entry *e;
    limn_status status = limn_weight_file_entry(p->ctx, w->st, w->part, &e);
    if (status != LIMN_OK) return status;
    e->bytes = width;
    for (int i = 0; i < t->rank; i++) e->dim[i] = size[i], e->bytes *= (size_t)size[i];
    limn_dtype dtype = LIMN_F32;
    e->rank = (int8_t)t->rank, e->type = type->type, e->usable = limn_dtype_find(e->type, &dtype), e->dtype = dtype;
    e->begin = torch->zip.members[t->member].begin + (size_t)t->offset * width;
    bool dense = !e->bytes || is_dense(size, stride, t->rank);
    int64_t *kept = dense ? NULL : limn_arena_alloc(torch->arena, (size_t)t->rank * sizeof *kept);
    limn_torch_place *place = limn_arena_alloc(torch->arena, sizeof *place);
    e->name = limn_arena_strdup(torch->arena, w->name);
    if (!e->name || !place || (!dense && !kept)) return limn_fail_memory(p->ctx, need, w->part->file);
    if (kept) memcpy(kept, stride, (size_t)t->rank * sizeof *kept);
    *place = (limn_torch_place){t->member, kept};
    e->torch = place;
    return LIMN_OK;
}

/* Append a key to the name.  *n stays for keys that are neither text nor number: what hangs there is not looked at. */
static limn_status add_key(walk *w, limn_value key, size_t *n, bool *named)
{
    const char *text = (const char *)w->p->bytes + key.i;
    char digits[24];
    size_t length = key.n;
    *named = key.kind == LIMN_PICKLE_STRING || key.kind == LIMN_PICKLE_INT;
    if (!*named) return LIMN_OK;
    if (key.kind == LIMN_PICKLE_INT)
        length = (size_t)snprintf(digits, sizeof digits, "%lld", (long long)key.i), text = digits;
    if (memchr(text, 0, length)) return limn_pickle_bad(w->p, "a NUL in a name");
    if (length + 2 > NAME_CAP - *n) return limn_pickle_bad(w->p, "a name of more than %d bytes", NAME_CAP);
    w->visits += length / 64;
    if (*n) w->name[(*n)++] = '.';
    memcpy(w->name + *n, text, length);
    w->name[*n += length] = '\0';
    return LIMN_OK;
}

static limn_status visit(walk *w, limn_value v, size_t n_name, int depth);

static limn_status visit_items(walk *w, limn_value v, size_t n_name, int depth)
{
    limn_status status = LIMN_OK;
    for (uint32_t i = w->p->containers[v.i].first; i && status == LIMN_OK; i = w->p->items[i - 1].next) {
        const limn_pickle_item *item = &w->p->items[i - 1];
        size_t n = n_name;
        bool named;
        status = add_key(w, item->key, &n, &named);
        if (status == LIMN_OK && named) status = visit(w, item->value, n, depth + 1);
    }
    return status;
}

static limn_status visit_tuple(walk *w, limn_value v, size_t n_name, int depth)
{
    limn_status status = LIMN_OK;
    for (unsigned i = 0; i < v.n && status == LIMN_OK; i++) {
        limn_value value = w->p->tuples[v.i + i];
        size_t n = n_name;
        bool named;
        if (value.kind < LIMN_PICKLE_TUPLE) continue;
        status = add_key(w, (limn_value){.kind = LIMN_PICKLE_INT, .i = i}, &n, &named);
        if (status == LIMN_OK) status = visit(w, value, n, depth + 1);
    }
    return status;
}

/* Values are shared by reference, so a short pickle can stand for a tree without end. */
static limn_status visit(walk *w, limn_value v, size_t n_name, int depth)
{
    if (depth > DEPTH_CAP)
        return limn_pickle_bad(w->p, "dicts and lists nested more than %d deep, or one that contains itself", DEPTH_CAP);
    if (++w->visits > VISITS_CAP)
        return limn_pickle_bad(w->p, "dicts and lists that hold more than %d objects, or names as long", VISITS_CAP);
    if (v.kind == LIMN_PICKLE_TENSOR) return add_tensor(w, &w->p->tensors[v.i], n_name);
    if (v.kind == LIMN_PICKLE_TUPLE) return visit_tuple(w, v, n_name, depth);
    return v.kind == LIMN_PICKLE_LIST || v.kind == LIMN_PICKLE_DICT ? visit_items(w, v, n_name, depth) : LIMN_OK;
}

static limn_status read_tensors(limn_ctx *ctx, limn_weight_file *st, limn_part *part, limn_pickle *p)
{
    limn_value root;
    limn_status status = p->root ? limn_pickle_run(p, &root) : limn_torch_legacy_run(p, part, part->torch, &root);
    walk *w = status == LIMN_OK ? malloc(sizeof *w) : NULL;
    if (!w) return status == LIMN_OK ? limn_fail_memory(ctx, sizeof *w, part->file) : status;
    *w = (walk){.p = p, .st = st, .part = part};
    status = visit(w, root, 0, 0);
    free(w);
    return status;
}

/* ---- the whole -------------------------------------------------------------------------------------------------------- */

static limn_status begin(limn_ctx *ctx, limn_part *part)
{
    limn_torch *torch = part->torch = calloc(1, sizeof *torch);
    if (torch) torch->arena = limn_arena_new();
    return torch && torch->arena ? LIMN_OK : limn_fail_memory(ctx, sizeof *torch, part->file);
}

/* Bytes that a pickle and what it makes may take: no more than the file has, and 16 MB. */
static size_t room_of(const limn_part *part)
{
    return FREE_BYTES + (part->n_bytes < SIZE_MAX / 2 ? part->n_bytes : SIZE_MAX / 2);
}

static size_t budget_of(const limn_part *part, size_t n)
{
    size_t room = room_of(part);
    return (4 * n + FREE_BYTES < room ? 4 * n + FREE_BYTES : room) - n;
}

limn_status limn_torch_read(limn_ctx *ctx, limn_weight_file *st, limn_part *part)
{
    char root[300];
    limn_zip_member *m;
    limn_status status = begin(ctx, part);
    limn_torch *torch = part->torch;
    if (status == LIMN_OK) status = limn_zip_read(ctx, part, &torch->zip);
    if (status == LIMN_OK) status = find_pickle(ctx, part, &torch->zip, &m, root, sizeof root);
    if (status == LIMN_OK) status = check_records(ctx, part, root);
    if (status != LIMN_OK) return status;
    if (m->size > PICKLE_CAP || m->size > room_of(part))
        return limn_fail(ctx, LIMN_BAD_FILE,
                         "%s: data.pkl has %zu bytes, at most %d are read, and no more than the file has", part->file,
                         m->size, PICKLE_CAP);
    unsigned char *bytes;
    status = read_member(ctx, part, m, &bytes);
    limn_pickle p = {.ctx = ctx,
                     .file = part->file,
                     .zip = &torch->zip,
                     .root = root,
                     .bytes = bytes,
                     .n = m->size,
                     .budget = budget_of(part, m->size)};
    if (status == LIMN_OK) status = read_tensors(ctx, st, part, &p);
    limn_pickle_free(&p);
    free(bytes);
    return status;
}

/* Where its pickles end only they tell: of a longer beginning once more, until they do. */
limn_status limn_torch_read_legacy(limn_ctx *ctx, limn_weight_file *st, limn_part *part)
{
    limn_status status = begin(ctx, part);
    size_t most = part->n_bytes < PICKLE_CAP ? part->n_bytes : PICKLE_CAP, n = most < FIRST_BYTES ? most : FIRST_BYTES;
    for (bool again = status == LIMN_OK; again; n = 4 * n < most ? 4 * n : most) {
        unsigned char *bytes = malloc(n + 1);
        limn_pickle p = {.ctx = ctx, .file = part->file, .zip = &part->torch->zip, .bytes = bytes, .n = n,
                         .budget = budget_of(part, n)};
        status = bytes ? limn_part_read(ctx, part, 0, n, bytes) : limn_fail_memory(ctx, n, part->file);
        if (status == LIMN_OK) status = read_tensors(ctx, st, part, &p);
        again = status == LIMN_BAD_FILE && p.ran_out && n < most;
        limn_pickle_free(&p);
        free(bytes);
    }
    return status;
}

limn_status limn_torch_check(limn_ctx *ctx, const limn_part *part, bool *known)
{
    limn_status status = LIMN_OK;
    if (!part->torch->zip.directory) *known = false;
    for (size_t i = 0; i < part->torch->zip.n && status == LIMN_OK; i++)
        status = limn_zip_check(ctx, part, &part->torch->zip.members[i]);
    return status;
}
