/* model_hash.h: the SHA-256 of the weights that draw, by which web UIs know a model: of a file its own, of shards that of
 * all their bytes in the order of their names.
 *
 * It is made on a thread that gets what time is left over, while pictures are drawn, and kept by path, size and time in
 * $XDG_CACHE_HOME/limn or ~/.cache/limn: where neither can be, or what lies there is not ours, it is made each time. */
#ifndef LIMN_CLI_MODEL_HASH_H
#define LIMN_CLI_MODEL_HASH_H

#include "pipeline/pipeline.h"

typedef struct model_hash model_hash;

/** Begin.  @return NULL: there is none, for lack of memory or of a file */
model_hash *model_hash_begin(limn_ctx *ctx, const limn_pipeline *p);
/** 64 digits, if they are known by now; else NULL. */
const char *model_hash_known(const model_hash *h);
/** What is left of the work, told of as "hash".  h may be NULL.  @return 64 digits; NULL: a file could not be read, or
 *  changed meanwhile, or progress said stop */
const char *model_hash_finish(limn_ctx *ctx, model_hash *h);
void model_hash_free(model_hash *h); /* also while it is made; NULL is allowed */

#endif
