/* weights.h: the parameters of a graph as one flat f32 layout, started, loaded and saved. */
#ifndef LIMN_WEIGHTS_H
#define LIMN_WEIGHTS_H

#include "file/weight_file.h"
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
/** Running statistics after a batch: parameter = (1 - momentum) parameter + momentum value; values: one after the other, in the order of
 *  limn_graph_running().
 *  @return LIMN_BAD_ARGUMENT: one of them is no parameter of w */
limn_status limn_weights_follow(limn_ctx *ctx, const limn_weights *w, const limn_graph *g, const float *values);
/** Bind every parameter of another network to the one of its name in values, which are laid out as w.
 *  @return LIMN_BAD_ARGUMENT naming one that w does not have, or of another shape */
limn_status limn_weights_bind(limn_ctx *ctx, const limn_weights *w, float *values, const limn_graph *g, limn_plan *plan);
void limn_weights_free(limn_weights *w);
/** One parameter's start; to has room for its elements. */
void limn_weights_start(const limn_node *node, uint64_t seed, float *to);
/** Read values named prefix + name into data (laid out as w); every tensor must be there with the right shape.
 *  With an empty prefix the file may also be a published one. */
limn_status limn_weights_load(limn_ctx *ctx, const limn_weights *w, const char *file, const limn_weight_file *st, const char *prefix, float *data);
/** Hand a plan with own_parameters the values of a file: no other copy of them is made. */
limn_status limn_weights_give(limn_ctx *ctx, limn_graph *g, limn_plan *plan, const char *file, const limn_weight_file *st);
/** Settings in a weight file's metadata; without them, those of the published network it holds (model/map/map.h).
 *  @return LIMN_UNSUPPORTED when it is neither */
limn_status limn_weights_settings(limn_ctx *ctx, const char *file, const limn_weight_file *st, limn_settings *out);
/** The same; of a published file with several networks the first of these families ("vae tae"), of another file what it holds. */
limn_status limn_weights_settings_among(limn_ctx *ctx, const char *file, const limn_weight_file *st, const char *families, limn_settings *out);

#endif
