/* torch_zip.h: the members of a zip archive as torch writes them, each checked against its local header before anything is
 * read. Names are looked up, never used as paths. */
#ifndef LIMN_TORCH_ZIP_H
#define LIMN_TORCH_ZIP_H

#include "file/weight_file_parts.h"

#include <zlib.h>

typedef struct limn_zip_member {
    const char *name;      /* in the directory; holds no NUL, may be anything else */
    size_t header, begin;  /* where its local header and its bytes lie in the file */
    size_t stored, size;   /* bytes in the file and unpacked; the same unless deflated */
    uint32_t crc;          /* of the unpacked bytes */
    uint16_t n_name, flags;
    bool deflated, checked; /* checked: its bytes had that crc */
} limn_zip_member;

typedef struct limn_zip {
    size_t n;
    limn_zip_member *members; /* by name */
    char *directory;          /* owned; names lie in it */
} limn_zip;

/** Read and check the directory: one end record at the very end, no duplicate names, members one after another from byte 0
 *  to the directory.  @return LIMN_OK; otherwise LIMN_BAD_FILE with member and offset, LIMN_IO or LIMN_NO_MEMORY.  Either
 *  way limn_zip_free(zip) */
limn_status limn_zip_read(limn_ctx *ctx, const limn_part *part, limn_zip *zip);
void limn_zip_free(limn_zip *zip);
limn_zip_member *limn_zip_find(const limn_zip *zip, const char *name); /* NULL: there is none */

/* The bytes of one member from its first to its last. */
typedef struct limn_zip_stream {
    limn_ctx *ctx;
    const limn_part *part;
    const limn_zip_member *member;
    size_t at, taken;     /* unpacked bytes given, stored bytes taken */
    z_stream z;           /* deflated members only, as is `in` */
    unsigned char *in;
} limn_zip_stream;

/** @return LIMN_OK: limn_zip_stop() is due; LIMN_NO_MEMORY: it is not */
limn_status limn_zip_start(limn_ctx *ctx, const limn_part *part, const limn_zip_member *member, limn_zip_stream *s);
/** The next n bytes, or pass over them (to is NULL).  at + n is at most member->size. */
limn_status limn_zip_next(limn_zip_stream *s, size_t n, void *to);
void limn_zip_stop(limn_zip_stream *s);

/** Compare all bytes of a member with its crc, once.  @return LIMN_BAD_FILE when they differ */
limn_status limn_zip_check(limn_ctx *ctx, const limn_part *part, limn_zip_member *member);

#endif
