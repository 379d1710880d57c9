/* fingerprint.c: see fingerprint.h.  Hashes are FNV-1a: against mistakes, not against malice. */
#include "data/fingerprint.h"

#include "file/bytes.h"
#include "data/case.h"
#include "data/mask_parts.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WHOLE = 256 << 20, SAMPLES = 64, PART = 1 << 20, PIECE = 8192 };

static const uint64_t none = UINT64_C(14695981039346656037);

static uint64_t hash(uint64_t h, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < n; i++) h = (h ^ p[i]) * UINT64_C(1099511628211);
    return h;
}

static uint64_t hash_number(uint64_t h, int64_t x)
{
    char text[24];
    return hash(h, text, (size_t)snprintf(text, sizeof text, "%lld ", (long long)x));
}

/* ---- files ------------------------------------------------------------------------------------------------------------ */

/* Path i, which may be written to out, or one that stays; NULL: there is none. */
typedef const char *(*path_fn)(const void *user, int64_t i, char out[LIMN_PATH_BYTES]);

static const char *inside(const char *folder, const char *path)
{
    size_t n = strlen(folder);
    if (strncmp(path, folder, n) == 0) path += n;
    return path + strspn(path, "/");
}

/* The first `most` bytes; a file that cannot be read adds nothing, as its size did. */
static uint64_t hash_file(uint64_t h, const char *path, size_t most)
{
    unsigned char piece[PIECE];
    limn_ctx *quiet = limn_ctx_new(); /* what cannot be read was told of when it was opened */
    size_t n;
    int fd;
    if (!quiet || limn_file_open(quiet, path, &fd, &n) != LIMN_OK) return limn_ctx_free(quiet), h;
    if (n > most) n = most;
    for (size_t at = 0, step; at < n; at += step) {
        step = n - at < PIECE ? n - at : PIECE;
        if (limn_file_read_at(quiet, path, fd, at, step, piece) != LIMN_OK) break;
        h = hash(h, piece, step);
    }
    close(fd);
    limn_ctx_free(quiet);
    return h;
}

static limn_status of_files(limn_ctx *ctx, const char *folder, int64_t n, path_fn path_of, const void *user,
                            limn_fingerprint *out)
{
    char buffer[LIMN_PATH_BYTES], first[210] = "", last[210] = "";
    uint64_t names = none, bytes = none;
    int64_t total = 0;
    for (int64_t i = 0; i < n; i++) {
        struct stat st;
        const char *path = path_of(user, i, buffer), *name = path ? inside(folder, path) : "";
        if (!limn_progress(ctx, "file", i, n)) return limn_fail(ctx, LIMN_CANCELLED, "stopped while files were looked at");
        int64_t size = path && stat(path, &st) == 0 ? (int64_t)st.st_size : -1;
        names = hash(names, name, strlen(name) + 1), bytes = hash_number(bytes, size);
        total += size > 0 ? size : 0;
        if (i == 0) limn_escape(name, strlen(name), first, sizeof first);
        if (i == n - 1) limn_escape(name, strlen(name), last, sizeof last);
    }
    bool whole = total <= WHOLE;
    for (int64_t i = 0; i < n; i += whole || n <= SAMPLES ? 1 : n / SAMPLES) {
        const char *path = path_of(user, i, buffer);
        if (path) bytes = hash_file(bytes, path, whole ? WHOLE : PART);
    }
    snprintf(out->names, sizeof out->names, "%s to %s, %016llx", first, last, (unsigned long long)names);
    snprintf(out->bytes, sizeof out->bytes, "%lld bytes, %016llx", (long long)total, (unsigned long long)bytes);
    return LIMN_OK;
}

/* ---- pictures with captions and classes ------------------------------------------------------------------------------- */

static const char *picture_path(const void *data, int64_t i, char out[LIMN_PATH_BYTES])
{
    (void)out;
    return limn_dataset_file(data, i);
}

limn_status limn_dataset_fingerprint(limn_ctx *ctx, const limn_dataset *data, const char *folder, limn_data_fingerprint *out)
{
    uint64_t captions = none, labels = none;
    int64_t n = limn_dataset_count(data);
    size_t n_bytes;
    const uint8_t *bytes = limn_dataset_bytes(data, &n_bytes);
    *out = (limn_data_fingerprint){0};
    for (int64_t i = 0; i < n; i++) {
        const char *caption;
        for (int k = 0; (caption = limn_dataset_caption_text(data, i, k)); k++)
            captions = hash(captions, caption, strlen(caption) + 1);
        captions = hash(captions, "", 1), labels = hash_number(labels, limn_dataset_label(data, i));
    }
    snprintf(out->captions, sizeof out->captions, "%016llx", (unsigned long long)captions);
    snprintf(out->labels, sizeof out->labels, "%016llx", (unsigned long long)labels);
    if (bytes)
        snprintf(out->pictures.bytes, sizeof out->pictures.bytes, "%zu bytes, %016llx", n_bytes,
                 (unsigned long long)hash(none, bytes, n_bytes));
    bool files = !bytes && limn_dataset_file(data, 0); /* else they are drawn */
    return files ? of_files(ctx, folder, n, picture_path, data, &out->pictures) : LIMN_OK;
}

/* ---- pictures and masks ----------------------------------------------------------------------------------------------- */

typedef struct mask_list {
    const limn_masks *masks, *held;
    int channels; /* files of a case */
} mask_list;

static const limn_mask_row *row_of(const mask_list *l, int64_t i)
{
    return i < l->masks->n ? &l->masks->row[i] : &l->held->row[i - l->masks->n];
}

static const char *case_path(const void *user, int64_t i, char out[LIMN_PATH_BYTES])
{
    const mask_list *l = user;
    const char *path = row_of(l, i / l->channels)->image;
    if (l->channels == 1) return path;
    return limn_case_path(path, (int)(i % l->channels), out) ? out : NULL;
}

static const char *mask_path(const void *user, int64_t i, char out[LIMN_PATH_BYTES])
{
    (void)out;
    return row_of(user, i)->mask;
}

limn_status limn_masks_fingerprint(limn_ctx *ctx, const limn_masks *masks, const limn_masks *held, const char *folder,
                                   limn_data_fingerprint *out)
{
    mask_list l = {masks, held, masks->per_channel ? limn_case_files(masks->row[0].image) : 1};
    int64_t n = masks->n + (held ? held->n : 0);
    *out = (limn_data_fingerprint){0};
    limn_status status = of_files(ctx, folder, n * l.channels, case_path, &l, &out->pictures);
    return status == LIMN_OK ? of_files(ctx, folder, n, mask_path, &l, &out->masks) : status;
}
