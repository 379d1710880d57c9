/* weights.h: the parameters of a graph as one flat f32 layout, started, loaded and saved. */
#ifndef LIMN_WEIGHTS_H
#define LIMN_WEIGHTS_H

#include "file/safetensors.h"
#include "model/model.h"

typedef struct limn_weights {
    int n;                 /* parameters, in the graph's order */
    limn_node **node;
    size_t *begin;         /* first element of each; multiples of 16 */
    size_t count;          /* floats in all, padding included */
    float *value;          /* aligned, owned */
} limn_weights;

/** Lay out and start every parameter from its init, by name: order and other parameters play no part. */
limn_status limn_weights_new(limn_ctx *ctx, limn_graph *g, uint64_t seed, limn_weights *out);
void limn_weights_free(limn_weights *w);
/** Read values named prefix + name into data (laid out as w); every tensor must be there with the right shape. */
limn_status limn_weights_load(limn_ctx *ctx, const limn_weights *w, const char *file, const limn_safetensors *st, const char *prefix, float *data);
/** Settings in a weight file's metadata. */
limn_status limn_weights_settings(limn_ctx *ctx, const char *file, const limn_safetensors *st, limn_settings *out);

#endif
