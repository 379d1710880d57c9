/* product.h: the only door to oneDNN: three products with a weight matrix, planned once and run many times.
 * Builds against oneDNN 2.6 (Debian 12) and 3.x. */
#ifndef LIMN_PRODUCT_H
#define LIMN_PRODUCT_H

#include "base/base.h"
#include "limn/graph.h"

typedef enum limn_product_kind {
    LIMN_PRODUCT_FORWARD,     /* y [M,N] = act(x [M,K] W [N,K]^T + b [N]) */
    LIMN_PRODUCT_GRAD_INPUT,  /* dx [M,K] = dy [M,N] W [N,K] */
    LIMN_PRODUCT_GRAD_WEIGHT, /* dW [N,K] = dy [M,N]^T x [M,K], f32 */
} limn_product_kind;

typedef struct limn_product_options {
    limn_product_kind kind;
    int64_t m, n, k;
    limn_dtype compute;        /* type of x, dy and the packed W: F32 or BF16 */
    limn_dtype result;         /* type of y or dx */
    limn_dtype weight;         /* type of W as it is given to pack */
    bool bias;
    limn_dtype bias_type;
    limn_activation activation; /* forward only */
} limn_product_options;

/** NULL: oneDNN has products of the type here; else why not.  It looks at the CPU and at ONEDNN_MAX_CPU_ISA.
 *  avx512: false: they are for a CPU without it */
const char *limn_product_refuse(limn_dtype compute, bool avx512);

/** The instructions that oneDNN uses here, of those it knows: "AVX512_BF16". */
const char *limn_product_isa(void);

typedef struct limn_product limn_product;

/** @return LIMN_OK and *out, freed with limn_product_free(); LIMN_UNSUPPORTED with oneDNN's status. */
limn_status limn_product_new(limn_ctx *ctx, const limn_product_options *options, limn_product **out);
void limn_product_free(limn_product *product);
size_t limn_product_packed_bytes(const limn_product *product); /* 0 for GRAD_WEIGHT */
size_t limn_product_scratch_bytes(const limn_product *product);
/** Tells oneDNN's layouts of W apart: equal ones hold the same bytes for the same W, whatever M is. */
uint64_t limn_product_layout(const limn_product *product);
/** Plain W [N,K] to oneDNN's own layout.  @return LIMN_NO_MEMORY; LIMN_UNSUPPORTED, which oneDNN does not explain */
limn_status limn_product_pack(const limn_product *product, const void *plain, void *packed);

/* What changes while a product runs: each run that shares a product has its own.  Free with limn_product_close(), before the
 * product. */
typedef struct limn_product_memories limn_product_memories;
limn_status limn_product_open(limn_ctx *ctx, const limn_product *product, limn_product_memories **out);
void limn_product_close(limn_product_memories *memories); /* NULL is allowed */
/** a: x or dy; w: packed W (FORWARD, GRAD_INPUT) or dy (GRAD_WEIGHT, where a is x).  @return as limn_product_pack() */
limn_status limn_product_run(const limn_product *product, const limn_product_memories *memories, const void *a,
                             const void *w, const void *bias, void *result, void *scratch, int n_threads);

#endif
