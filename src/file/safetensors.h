/* safetensors.h: writing named tensors: u64 length | JSON header | bytes.  Reading: weight_file.h. */
#ifndef LIMN_SAFETENSORS_H
#define LIMN_SAFETENSORS_H

#include "tensor/tensor.h"

typedef struct limn_named_view {
    const char *name;
    limn_view view;
} limn_named_view;

/** Tensors that are in memory, as limn_safetensors_write_list() (weight_writer.h) does.  metadata: pairs of key, value. */
limn_status limn_safetensors_write(limn_ctx *ctx, const char *path, size_t n, const limn_named_view *tensors,
                                   size_t n_metadata, const char *const (*metadata)[2]);

#endif
