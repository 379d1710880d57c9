/* bytes.h: whole files in, parts of files in, whole files out. */
#ifndef LIMN_BYTES_H
#define LIMN_BYTES_H

#include "base/base.h"

/** Read a file of at most `limit` bytes.  @return LIMN_OK: *out is the caller's (free()), one zero byte follows the data */
limn_status limn_file_read(limn_ctx *ctx, const char *path, size_t limit, unsigned char **out, size_t *n);

/** Where the text of a file begins: behind the byte order mark EF BB BF that Windows' editors write, else at byte 0.
 *  @return LIMN_OK; LIMN_BAD_FILE: the marks of UTF-16 and UTF-32, a sentence that names them */
limn_status limn_text_begin(limn_ctx *ctx, const char *name, const void *bytes, size_t n, size_t *begin);
/** The last part of a path, without slashes behind it: "/a/vae/" -> "vae"; "" for ".", ".." and "/": no name that says
 *  anything elsewhere.  @return out */
char *limn_path_last(const char *path, char *out, size_t out_bytes);

/* Files are read, never mapped: a mapping of a file that somebody cuts kills the reader (SIGBUS), a read says so. */
/** Open a regular file for limn_file_read_at(); close(*fd) is the caller's.  @return LIMN_OK; LIMN_NOT_FOUND; LIMN_BAD_FILE;
 *  LIMN_IO */
limn_status limn_file_open(limn_ctx *ctx, const char *path, int *fd, size_t *n);
/** n bytes at an offset.  @return LIMN_OK; LIMN_BAD_FILE when the file ends before (it was cut); LIMN_IO */
limn_status limn_file_read_at(limn_ctx *ctx, const char *path, int fd, size_t offset, size_t n, void *to);

/* Atomic writing: a hidden file ".NAME.partial" beside `path`, fsync, rename, fsync of the folder.  Until limn_file_commit()
 * succeeds, an older file at `path` is untouched, and whatever fails, no partial file stays; a signal's handler removes it
 * by limn_ctx_abandon().  One that a killed process left goes with the next write; one that a living process is writing is
 * refused.  All else is as if the file were opened and written: a link stays, and the file that it names is replaced or, not
 * there yet, made; the new file has the older one's permissions, and its owner and group where we may give them; one that
 * was not there has what the umask leaves; one that may not be written is refused.  A device or pipe is written directly; so
 * is a descriptor of this process ("/dev/stdout", "/dev/fd/3"), from where it stands, whatever is behind it.  A writer stays
 * where it is until commit or discard: the context knows its address. */
enum { LIMN_PATH_BYTES = 4096 };
typedef struct limn_writer {
    limn_ctx *ctx;
    struct limn_writer *next; /* of ctx->writing */
    char path[LIMN_PATH_BYTES], partial[LIMN_PATH_BYTES];
    int fd;
    bool direct;
    limn_status status;
} limn_writer;
/** What a path leads to: links of its last part followed, also where the last of them names what is not there yet.
 *  @return false: too long, or a circle */
bool limn_file_behind(const char *path, char out[LIMN_PATH_BYTES]);
/** N of "/dev/fd/N", "/dev/stdout", "/dev/stderr"; -1: the path is another. */
int limn_file_descriptor(const char *path);
limn_status limn_file_create(limn_ctx *ctx, const char *path, limn_writer *writer);
void limn_file_write(limn_writer *writer, const void *bytes, size_t n); /* failures are kept for commit */
/** Overwrite bytes that were written before; the place for more stays the end. */
void limn_file_patch(limn_writer *writer, size_t offset, const void *bytes, size_t n);
limn_status limn_file_commit(limn_writer *writer);
void limn_file_discard(limn_writer *writer); /* after a failed create, commit or discard: does nothing */

#endif
