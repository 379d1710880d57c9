/* held.h: tokenizers that the library holds, packed: files of models/tokenizer, which the build makes arrays of. */
#ifndef LIMN_TEXT_HELD_H
#define LIMN_TEXT_HELD_H

#include "base/base.h"

typedef struct limn_held {
    const unsigned char *bytes; /* gzip */
    size_t n;
} limn_held;

extern const limn_held limn_held_merges, limn_held_pieces; /* clip-49408.txt.gz, t5-32000.model.gz */

/** What is packed: *out is the caller's.  @return LIMN_NO_MEMORY */
limn_status limn_held_unpack(limn_ctx *ctx, limn_held held, unsigned char **out, size_t *n);

#endif
