/* bytes.h: whole files in, whole files out. */
#ifndef LIMN_BYTES_H
#define LIMN_BYTES_H

#include "base/base.h"

/** Read a file of at most `limit` bytes.  @return LIMN_OK: *out is the caller's (free()), one zero byte follows the data */
limn_status limn_file_read(limn_ctx *ctx, const char *path, size_t limit, unsigned char **out, size_t *n);
/** Map a file read-only; unmap with limn_file_unmap().  Whoever cuts the file while it is mapped kills the reader: weights
 *  are replaced by rename, never rewritten in place. */
limn_status limn_file_map(limn_ctx *ctx, const char *path, const unsigned char **out, size_t *n);
void limn_file_unmap(const unsigned char *bytes, size_t n);

/* Atomic writing: a temporary file beside `path`, fsync, rename, fsync of the folder.  Until limn_file_commit() succeeds, an
 * older file at `path` is untouched; whatever fails, no temporary file stays. */
typedef struct limn_writer {
    limn_ctx *ctx;
    char path[1024], temporary[1100];
    int fd;
    limn_status status;
} limn_writer;
limn_status limn_file_create(limn_ctx *ctx, const char *path, limn_writer *writer);
void limn_file_write(limn_writer *writer, const void *bytes, size_t n); /* failures are kept for commit */
limn_status limn_file_commit(limn_writer *writer);
void limn_file_discard(limn_writer *writer);

#endif
