/* convert.h: weights in other types and under other names; what convert.c (which tensors), convert_types.c (of which type)
 * and convert_read.c (their elements) share. */
#ifndef LIMN_CONVERT_H
#define LIMN_CONVERT_H

#include "file/weight_writer.h"
#include "model/map/write.h"

/* Why a tensor has the type that it has. */
typedef enum limn_convert_why {
    LIMN_CONVERT_TAKEN,  /* what was asked for */
    LIMN_CONVERT_KEPT,   /* nothing was */
    LIMN_CONVERT_COUNTS, /* whole numbers, bytes */
    LIMN_CONVERT_FLAT,   /* of one dimension: biases, norms */
    LIMN_CONVERT_ROWS,   /* rows that are no whole blocks: convolutions */
    LIMN_CONVERT_ENDS,   /* embeddings, first and last layers */
    LIMN_CONVERT_REASONS
} limn_convert_why;

typedef struct limn_convert_tensor {
    limn_convert_why why;
    int n;
    const limn_map_piece *piece;
    const limn_weight_file *st;  /* of the pieces */
    const limn_node *table;      /* without pieces */
    bool turned;                 /* see limn_map_tensor */
} limn_convert_tensor;

typedef struct limn_conversion {
    limn_ctx *ctx;
    bool gguf;
    limn_dtype type;             /* LIMN_N_DTYPES: each its own */
    size_t n, capacity;
    limn_tensor_out *out;
    limn_convert_tensor *tensor; /* how out[i] is made */
    limn_arena *arena;           /* names and pieces */
    size_t n_read;               /* tensors that were begun */
    size_t last;                 /* of them */
    float *x;                    /* elements on their way */
    unsigned char *bytes;
} limn_conversion;

/** The type of the last tensor, of which all else is known.  @return LIMN_BAD_ARGUMENT: the format has none for it */
limn_status limn_convert_decide(limn_conversion *c);
/** One line: how many tensors have which type, and why. */
void limn_convert_tell(const limn_conversion *c);
/** limn_weight_list.read of a conversion.  @return LIMN_BAD_FILE: a number that the type cannot hold; LIMN_CANCELLED */
limn_status limn_convert_read(void *user, size_t i, size_t first, size_t n, const void **bytes);

#endif
