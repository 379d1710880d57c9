/* weight_writer.h: weight files are written from a list of tensors whose elements are brought when it is their turn: what is
 * written need never be in memory as a whole.  Atomic (bytes.h). */
#ifndef LIMN_WEIGHT_WRITER_H
#define LIMN_WEIGHT_WRITER_H

#include "file/weight_file.h"

typedef struct limn_tensor_out {
    const char *name;
    limn_dtype dtype;
    int8_t rank;
    int64_t dim[LIMN_FILE_RANK];
} limn_tensor_out;

enum { LIMN_OUT_ELEMENTS = 1 << 18 }; /* that are asked for at once, at most: whole blocks of every type */

typedef struct limn_weight_list {
    size_t n, n_metadata;
    const limn_tensor_out *tensor;
    const char *const (*metadata)[2]; /* key, value */
    /** Elements first .. first + n - 1 of tensor i, in its type; *bytes are the callee's until the next call. Tensors come
     *  in the order of the format, each from its begin to its end; all of them twice where safetensors go into a pipe. */
    limn_status (*read)(void *user, size_t i, size_t first, size_t n, const void **bytes);
    void *user;
} limn_weight_list;

size_t limn_tensor_out_count(const limn_tensor_out *t); /* elements */
/** path: "name" why.  @return LIMN_BAD_ARGUMENT */
limn_status limn_weight_list_refuse(limn_ctx *ctx, const char *path, const char *name, const char *why);
/** Its tensors in the order of their names.
 *  @param order  [n], the caller's in any case (free())  @return LIMN_BAD_ARGUMENT: two have one name; LIMN_NO_MEMORY */
limn_status limn_weight_list_by_name(limn_ctx *ctx, const char *path, const limn_weight_list *list,
                                     const limn_tensor_out ***order);

/** In the order of the format's own writer; the data starts at a multiple of 64.  "limn.crc32" is added to the metadata: the
 *  CRC-32 of the whole file, taken while its own 8 digits are "00000000".
 *  @return LIMN_OK; LIMN_BAD_ARGUMENT (a name that is not UTF-8 or comes twice, a type the format lacks); LIMN_IO;
 *  LIMN_NO_MEMORY; what read() returned */
limn_status limn_safetensors_write_list(limn_ctx *ctx, const char *path, const limn_weight_list *list);
/** GGUF, version 3, in the order of the list; metadata are texts.
 *  @return as above; LIMN_BAD_ARGUMENT also for names of more than 127 bytes, more than 4 dimensions, rows that are no whole
 *  blocks, keys that are not of ASCII */
limn_status limn_gguf_write_list(limn_ctx *ctx, const char *path, const limn_weight_list *list);
/** Whether a format has a type. */
bool limn_safetensors_has(limn_dtype dtype);
bool limn_gguf_has(limn_dtype dtype);

#endif
