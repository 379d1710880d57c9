/* idx.c: the files of MNIST and its kin (LeCun, Cortes, Burges), numbers big end first:
 *   train-images-idx3-ubyte   2051, n, height, width, then a byte a pixel
 *   train-labels-idx1-ubyte   2049, n, then a byte a class, 0 to 9
 * either as it is or as gzip (NAME.gz). */
#include "file/bytes.h"
#include "file/image.h"
#include "data/rows.h"

#include <string.h>
#include <unistd.h>
#include <zlib.h>

/* A byte of deflate stands for at most 1032. */
enum { IMAGES = 2051, LABELS = 2049, CLASSES = 10, DEFLATE_MOST = 1032, MAX_BYTES = 1 << 30 };

typedef struct idx_file {
    char path[LIMN_PATH_BYTES];
    gzFile file;
    size_t size; /* of the file as it lies there */
} idx_file;

static limn_status open_as(limn_ctx *ctx, const char *folder, const char *name, const char *suffix, idx_file *f)
{
    int fd;
    if (snprintf(f->path, sizeof f->path, "%s/%s%s", folder, name, suffix) >= (int)sizeof f->path)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "the path of the data is too long");
    limn_status status = limn_file_open(ctx, f->path, &fd, &f->size);
    if (status != LIMN_OK) return status;
    f->file = gzdopen(fd, "rb");
    if (f->file) return LIMN_OK;
    close(fd);
    return limn_fail_memory(ctx, 8192, f->path);
}

static limn_status open_either(limn_ctx *ctx, const char *folder, const char *name, idx_file *f)
{
    limn_status status = open_as(ctx, folder, name, "", f);
    return status == LIMN_NOT_FOUND ? open_as(ctx, folder, name, ".gz", f) : status;
}

static limn_status read_bytes(limn_ctx *ctx, idx_file *f, void *to, size_t n)
{
    int got = gzread(f->file, to, (unsigned)n), code;
    if (got == (int)n) return LIMN_OK;
    const char *why = gzerror(f->file, &code);
    if (got < 0) return limn_fail(ctx, LIMN_BAD_FILE, "%s: gzip data damaged: %s", f->path, why);
    return limn_fail(ctx, LIMN_BAD_FILE, "%s: ends after %d bytes of a part of %zu", f->path, got, n);
}

/* The checksum of gzip is looked at when its end is read. */
static limn_status read_end(limn_ctx *ctx, idx_file *f)
{
    unsigned char more;
    int got = gzread(f->file, &more, 1), code;
    const char *why = gzerror(f->file, &code);
    if (got < 0 || code != Z_OK)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: gzip data damaged or cut short: %s", f->path, why);
    return got ? limn_fail(ctx, LIMN_BAD_FILE, "%s: more bytes than its counts say", f->path) : LIMN_OK;
}

/* Magic number and `n_counts` counts; *bytes is their product, checked against the file. */
static limn_status read_head(limn_ctx *ctx, idx_file *f, uint32_t magic, int n_counts, uint32_t *counts, size_t *bytes)
{
    unsigned char head[16] = {0};
    uint32_t number[4];
    size_t n_head = 4 + 4 * (size_t)n_counts;
    limn_status status = read_bytes(ctx, f, head, n_head);
    if (status != LIMN_OK) return status;
    for (int i = 0; i < 4; i++)
        number[i] =
            (uint32_t)head[4 * i] << 24 | (uint32_t)head[4 * i + 1] << 16 | (uint32_t)head[4 * i + 2] << 8 | head[4 * i + 3];
    if (number[0] != magic)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: begins with the number %u, expected %u", f->path, number[0], magic);
    size_t most = gzdirect(f->file)                    ? f->size - n_head
                  : f->size < MAX_BYTES / DEFLATE_MOST ? f->size * DEFLATE_MOST
                                                       : MAX_BYTES;
    *bytes = 1;
    bool fits = true;
    for (int i = 0; i < n_counts; i++)
        counts[i] = number[1 + i], fits = fits && counts[i] && limn_mul_size(*bytes, counts[i], bytes);
    if (fits && *bytes <= most && *bytes <= MAX_BYTES) return LIMN_OK;
    if (n_counts == 1)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: says %u labels, and its %zu bytes hold 1 to %zu", f->path, counts[0],
                         f->size, most);
    return limn_fail(ctx, LIMN_BAD_FILE, "%s: says %u pictures of %u x %u, and its %zu bytes hold 1 to %zu pixels", f->path,
                     number[1], number[3], number[2], f->size, most);
}

static limn_status read_part(limn_ctx *ctx, idx_file *f, limn_rows *rows, size_t bytes, uint8_t **out)
{
    *out = limn_arena_alloc(rows->arena, bytes);
    if (!*out) return limn_fail_memory(ctx, bytes, f->path);
    limn_status status = read_bytes(ctx, f, *out, bytes);
    return status == LIMN_OK ? read_end(ctx, f) : status;
}

static limn_status read_images(limn_ctx *ctx, idx_file *f, limn_rows *rows, uint32_t *n)
{
    uint32_t counts[3] = {0};
    uint8_t *pixels;
    size_t bytes;
    limn_status status = read_head(ctx, f, IMAGES, 3, counts, &bytes);
    if (status != LIMN_OK) return status;
    if (counts[1] > LIMN_MAX_SIDE || counts[2] > LIMN_MAX_SIDE)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: pictures of %u x %u, expected at most %d a side", f->path, counts[2],
                         counts[1], LIMN_MAX_SIDE);
    status = read_part(ctx, f, rows, bytes, &pixels);
    *n = counts[0], rows->height = (int)counts[1], rows->width = (int)counts[2], rows->pixels = pixels;
    return status;
}

static limn_status read_labels(limn_ctx *ctx, idx_file *f, limn_rows *rows, uint32_t n)
{
    uint32_t count = 0;
    uint8_t *labels;
    size_t bytes;
    const char *digit[CLASSES];
    limn_status status = read_head(ctx, f, LABELS, 1, &count, &bytes);
    if (status != LIMN_OK) return status;
    if (count != n) return limn_fail(ctx, LIMN_BAD_FILE, "%s: %u labels for %u pictures", f->path, count, n);
    status = read_part(ctx, f, rows, bytes, &labels);
    for (int i = 0; i < CLASSES && status == LIMN_OK; i++) {
        digit[i] = limn_arena_printf(rows->arena, "%d", i);
        status = digit[i] ? limn_rows_note_class(ctx, rows, digit[i]) : limn_fail_memory(ctx, 2, "a class");
    }
    for (uint32_t i = 0; i < n && status == LIMN_OK; i++) {
        if (labels[i] >= CLASSES)
            return limn_fail(ctx, LIMN_BAD_FILE, "%s: label %u is %d, expected 0 to %d", f->path, i, labels[i], CLASSES - 1);
        const char *file = limn_arena_printf(rows->arena, "%.*s/%05u", (int)(strrchr(f->path, '/') - f->path), f->path, i);
        status =
            file ? limn_rows_add(ctx, rows, file, digit[labels[i]], digit[labels[i]]) : limn_fail_memory(ctx, 64, "a name");
    }
    return status;
}

limn_status limn_rows_idx(limn_ctx *ctx, const char *folder, limn_rows *rows)
{
    idx_file f;
    uint32_t n = 0;
    limn_status status = open_either(ctx, folder, "train-images-idx3-ubyte", &f);
    if (status != LIMN_OK) return status;
    status = read_images(ctx, &f, rows, &n);
    gzclose(f.file);
    if (status != LIMN_OK) return status;
    status = open_either(ctx, folder, "train-labels-idx1-ubyte", &f);
    if (status == LIMN_NOT_FOUND)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: train-images-idx3-ubyte without train-labels-idx1-ubyte", folder);
    if (status != LIMN_OK) return status;
    status = read_labels(ctx, &f, rows, n);
    gzclose(f.file);
    return status;
}
