/* source.h: where the tensor of a parameter comes from: a part of a file, a trainer's flat array
 * (train/weights.c), a published file under other names (model/map/source.c).  find() tells the type that it has, read()
 * brings it in the type that is asked for, piece by piece: a tensor never exists twice on its way.
 *
 * Overlays (a base and low-rank differences) and block types are sources as well. */
#ifndef LIMN_SOURCE_H
#define LIMN_SOURCE_H

#include "file/weight_file.h"
#include "tensor/tensor.h"

/* What a network asks for. */
typedef struct limn_wanted {
    const char *name;      /* "blocks.0.attn.qkv.weight" */
    limn_shape shape;
    const limn_init *init; /* for tables that a published file leaves out */
} limn_wanted;

/* What a source has. */
typedef struct limn_found {
    limn_dtype dtype;
    const void *data;      /* in memory already, borrowed from the source; NULL: read() brings it */
} limn_found;

typedef struct limn_source limn_source;
struct limn_source {
    /** Look a tensor up and compare its shape; reads no numbers.  @return LIMN_BAD_FILE naming file, tensor, and both
     *  shapes */
    limn_status (*find)(limn_ctx *ctx, const limn_source *s, const limn_wanted *w, limn_found *out);
    /** All elements, converted to dtype.  @return LIMN_IO, LIMN_BAD_FILE, LIMN_NO_MEMORY */
    limn_status (*read)(limn_ctx *ctx, const limn_source *s, const limn_wanted *w, limn_dtype dtype, void *to);
    void (*free)(limn_source *s);
};

void limn_source_free(limn_source *s); /* NULL is allowed */
/** find(), then what it borrowed or read(), converted to dtype. */
limn_status limn_source_read(limn_ctx *ctx, const limn_source *s, const limn_wanted *w, limn_dtype dtype, void *to);

/** Tensors named prefix + the parameter's name.  file: path for messages, copied.  st is borrowed: close it after the
 *  source.
 *  @return LIMN_OK: free *out with limn_source_free(); LIMN_NO_MEMORY */
limn_status limn_source_file(limn_ctx *ctx, const char *file, const limn_weight_file *st, const char *prefix,
                             limn_source **out);

/** Every tensor is there, of this type, and reading it gives its start (limn_init_fill(), by seed): what something costs,
 *  how fast it is. */
limn_status limn_source_started(limn_ctx *ctx, limn_dtype dtype, uint64_t seed, limn_source **out);

/** Is this a fixed table of places [1, h w, D] on another grid than the square that files hold?  e: the tensor of that
 *  name. */
bool limn_source_other_places(const limn_entry *e, const limn_wanted *w);
/** Such a table is worked out (limn_init_fill()) where the file's own is what the same formula gives for its square.
 *  @return LIMN_BAD_FILE with a sentence where it is not: it was learned, or made otherwise; LIMN_NO_MEMORY */
limn_status limn_source_check_places(limn_ctx *ctx, const char *file, const limn_weight_file *st, const limn_entry *e,
                                     const limn_wanted *w);

/** LIMN_BAD_FILE with a sentence: a tensor of another shape (both are named); one that is not there (the nearest that is, is
 *  named). */
limn_status limn_source_wrong_shape(limn_ctx *ctx, const char *file, const limn_weight_file *st, const limn_entry *e,
                                 const limn_shape *want);
limn_status limn_source_missing(limn_ctx *ctx, const char *file, const limn_weight_file *st, const char *name);

/** A parameter's start, by its name: order and other parameters play no part.  to has room for its elements. */
void limn_init_fill(const limn_wanted *w, uint64_t seed, float *to);
/** The same, of any type.  @return LIMN_NO_MEMORY */
limn_status limn_init_read(limn_ctx *ctx, const limn_wanted *w, uint64_t seed, limn_dtype dtype, void *to);

#endif
