/* safetensors.h: named tensors in a file: u64 length | JSON header | bytes.  Every rule of the format is enforced.
 * Files of torch.save() (.pt, .pth, .ckpt, .bin; see torch.h) are read through the same functions: what a file is, its first bytes say,
 * never its name.  Nothing in them is executed. */
#ifndef LIMN_SAFETENSORS_H
#define LIMN_SAFETENSORS_H

#include "tensor/tensor.h"

enum { LIMN_FILE_RANK = 8 };

typedef struct limn_entry {
    const char *name;       /* any UTF-8 without NUL: escape it before it is shown, never use it as a path */
    const char *type;       /* as in the file: "F32", "I8" ... */
    int64_t dim[LIMN_FILE_RANK];
    size_t begin, bytes;    /* in the data part of its file (torch: first element in the whole file); when dense */
    const struct limn_torch_place *torch; /* NULL: a safetensors file, whose rows are dense */
    limn_dtype dtype;
    int16_t part;           /* which file of several */
    int8_t rank;
    bool usable;            /* dtype is one Limn knows; others are listed only */
} limn_entry;

typedef struct limn_safetensors limn_safetensors;

/** Open and check a file, or all files of an index ("model.safetensors.index.json").  Only headers are read; memory is at most four
 *  times theirs.  @return LIMN_OK: close with limn_safetensors_close(); LIMN_NOT_FOUND; LIMN_BAD_FILE with tensor and offset */
limn_status limn_safetensors_open(limn_ctx *ctx, const char *path, limn_safetensors **out);
/** The same over bytes that outlive the result. */
limn_status limn_safetensors_parse(limn_ctx *ctx, const char *name, const unsigned char *bytes, size_t n, limn_safetensors **out);
void limn_safetensors_close(limn_safetensors *st); /* NULL is allowed */

size_t limn_safetensors_count(const limn_safetensors *st);
const limn_entry *limn_safetensors_get(const limn_safetensors *st, size_t i); /* by file and offset; torch: in the order of its dicts */
const char *limn_safetensors_kind(const limn_safetensors *st); /* "safetensors" or "torch" (of the first file) */
const limn_entry *limn_safetensors_find(const limn_safetensors *st, const char *name);
/** Metadata by key (of the first file), or NULL. */
const char *limn_safetensors_metadata(const limn_safetensors *st, const char *key);
/** All metadata in turn, by key: at NULL gives the first pair.  @return what to pass for the next one; NULL: there was none */
const void *limn_safetensors_metadata_next(const limn_safetensors *st, const void *at, const char **key, const char **value);

/** All values of a usable tensor, converted, in dense rows.  @return LIMN_OK; LIMN_BAD_FILE when the file was cut meanwhile or is damaged; LIMN_UNSUPPORTED (dtype);
 *  LIMN_IO; LIMN_NO_MEMORY */
limn_status limn_safetensors_load(limn_ctx *ctx, const limn_safetensors *st, const limn_entry *e, void *to, limn_dtype dtype);
/** Compare every byte with the checksum in "limn.crc32", which limn_safetensors_write() leaves; torch's archives carry one per member.
 *  @param known  false when a file carries no checksum: then nothing was compared
 *  @return LIMN_OK; LIMN_BAD_FILE when a byte has changed; LIMN_IO */
limn_status limn_safetensors_check(limn_ctx *ctx, const limn_safetensors *st, bool *known);

typedef struct limn_named_view {
    const char *name;
    limn_view view;
} limn_named_view;

/** Write atomically (bytes.h), in the order of the format's own writer; the data starts at a multiple of 64.
 *  metadata: pairs of key, value; "limn.crc32" is added: the CRC-32 of the whole file, taken while its own 8 digits are "00000000".
 *  @return LIMN_OK; LIMN_BAD_ARGUMENT (a name that is not UTF-8 or comes twice); LIMN_IO; LIMN_NO_MEMORY */
limn_status limn_safetensors_write(limn_ctx *ctx, const char *path, size_t n, const limn_named_view *tensors, size_t n_metadata,
                                   const char *const (*metadata)[2]);

#endif
