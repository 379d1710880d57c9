/* safetensors.h: named tensors in a file: u64 length | JSON header | bytes.  Every rule of the format is enforced. */
#ifndef LIMN_SAFETENSORS_H
#define LIMN_SAFETENSORS_H

#include "tensor/tensor.h"

enum { LIMN_FILE_RANK = 8 };

typedef struct limn_entry {
    char *name;
    char type[16];          /* as in the file: "F32", "I8" ... */
    bool usable;            /* dtype is one Limn knows */
    limn_dtype dtype;
    int rank;
    int64_t dim[LIMN_FILE_RANK];
    size_t begin, bytes;    /* in the data part */
    const void *data;       /* no alignment is promised */
} limn_entry;

typedef struct limn_safetensors limn_safetensors;

/** Map and check a file.  @return LIMN_OK: close with limn_safetensors_close(); LIMN_BAD_FILE with tensor and offset */
limn_status limn_safetensors_open(limn_ctx *ctx, const char *path, limn_safetensors **out);
/** The same over bytes that outlive the result. */
limn_status limn_safetensors_parse(limn_ctx *ctx, const char *name, const unsigned char *bytes, size_t n, limn_safetensors **out);
void limn_safetensors_close(limn_safetensors *st); /* NULL is allowed */

size_t limn_safetensors_count(const limn_safetensors *st);
const limn_entry *limn_safetensors_get(const limn_safetensors *st, size_t i); /* by offset */
const limn_entry *limn_safetensors_find(const limn_safetensors *st, const char *name);
/** Metadata by key, or NULL. */
const char *limn_safetensors_metadata(const limn_safetensors *st, const char *key);
/** All metadata in turn: at NULL gives the first pair.  @return what to pass for the next one; NULL: there was none */
void *limn_safetensors_metadata_next(const limn_safetensors *st, void *at, const char **key, const char **value);

typedef struct limn_named_view {
    const char *name;
    limn_view view;
} limn_named_view;

/** Write atomically; data of every tensor starts at a multiple of 64.  metadata: pairs of key, value. */
limn_status limn_safetensors_write(limn_ctx *ctx, const char *path, size_t n, const limn_named_view *tensors, size_t n_metadata,
                                   const char *const (*metadata)[2]);

#endif
