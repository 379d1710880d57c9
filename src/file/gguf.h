/* gguf.h: GGUF, versions 2 and 3 (ggml's docs/gguf.md): magic | version | counts | metadata | names, shapes and types of
 * tensors | their bytes, in order, each at a multiple of the alignment.  Part of weight_file.h, which opens it; writing:
 * weight_writer.h. */
#ifndef LIMN_GGUF_H
#define LIMN_GGUF_H

#include "file/weight_file_parts.h"

enum {
    LIMN_GGUF_NAME = 127, /* bytes of a tensor's name; ggml has 64, others write longer ones */
    LIMN_GGUF_RANK = 4,
};

/** The number that the format has for a type.  @return false: it has none */
bool limn_gguf_number(limn_dtype dtype, uint32_t *out);
/** Read all but the bytes of the newest part into entries, their dimensions in our order (slowest first), and into metadata
 *  the texts.  Tensors that comfy.gguf.orig_shape.NAME says were reshaped have that shape.
 *  @return LIMN_OK; LIMN_BAD_FILE: where, what was expected, what was found */
limn_status limn_gguf_read(limn_ctx *ctx, limn_weight_file *st, limn_part *part);

#endif
