/* weights.h: the parameters of a graph as one flat f32 layout, started, loaded and saved. */
#ifndef LIMN_WEIGHTS_H
#define LIMN_WEIGHTS_H

#include "file/weight_file.h"
#include "model/model.h"
#include "weights/source.h"

typedef struct limn_weights {
    int n;                 /* parameters, in the graph's order */
    limn_node **node;
    size_t *begin;         /* first element of each; multiples of 16 */
    size_t count;          /* floats in all, padding included */
    float *value;          /* aligned, owned */
} limn_weights;

/** Lay out and start every parameter from its init, by name: order and other parameters play no part. */
limn_status limn_weights_new(limn_ctx *ctx, limn_graph *g, uint64_t seed, limn_weights *out);
/** Running statistics after a batch: parameter = (1 - momentum) parameter + momentum value; values: one after the other, in
 *  the order of limn_graph_running().
 *  @return LIMN_BAD_ARGUMENT: one of them is no parameter of w */
limn_status limn_weights_follow(limn_ctx *ctx, const limn_weights *w, const limn_graph *g, const float *values);
void limn_weights_free(limn_weights *w);
/** A source of values laid out as w (its own, or the EMA of them), for networks that draw while others learn.  All borrowed;
 *  a plan may be made before w is laid out and *data is there.  @return LIMN_OK: free with limn_source_free();
 *  LIMN_NO_MEMORY */
limn_status limn_weights_source(limn_ctx *ctx, const limn_weights *w, float *const *data, limn_source **out);
/** Read values named prefix + name into data (laid out as w); every tensor must be there with the right shape.
 *  With an empty prefix the file may also be a published one. */
limn_status limn_weights_load(limn_ctx *ctx, const limn_weights *w, const char *file, const limn_weight_file *st,
                              const char *prefix, float *data);

#endif
