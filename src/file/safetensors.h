/* safetensors.h: writing named tensors: u64 length | JSON header | bytes.  Reading: weight_file.h. */
#ifndef LIMN_SAFETENSORS_H
#define LIMN_SAFETENSORS_H

#include "tensor/tensor.h"

typedef struct limn_named_view {
    const char *name;
    limn_view view;
} limn_named_view;

/** Write atomically (bytes.h), in the order of the format's own writer; the data starts at a multiple of 64.
 *  metadata: pairs of key, value; "limn.crc32" is added: the CRC-32 of the whole file, taken while its own 8 digits are
 *  "00000000".
 *  @return LIMN_OK; LIMN_BAD_ARGUMENT (a name that is not UTF-8 or comes twice); LIMN_IO; LIMN_NO_MEMORY */
limn_status limn_safetensors_write(limn_ctx *ctx, const char *path, size_t n, const limn_named_view *tensors,
                                   size_t n_metadata, const char *const (*metadata)[2]);

#endif
