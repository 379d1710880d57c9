/* recipe_memory.h: the inside of a recipe: what its parts take, and how much of it there is at a time. */
#ifndef LIMN_RECIPE_MEMORY_H
#define LIMN_RECIPE_MEMORY_H

#include "base/base.h"
#include "pipeline/recipe.h"

/* What each part takes, and how a coder runs that does not fit. */
typedef struct limn_recipe_sizes {
    limn_net_size size[LIMN_RECIPE_PARTS];
    limn_strips strips[LIMN_RECIPE_PARTS];
} limn_recipe_sizes;

/** Has a part anything to do in such a job?  What it is planned for then. */
bool limn_recipe_wants(const limn_recipe_part *part, const limn_recipe_shape *s);
limn_net_shape limn_recipe_shape_of(const limn_recipe_part *part, const limn_recipe_shape *s);

/** Is it worth the time to free and take so many bytes? */
bool limn_recipe_is_large(const limn_recipe *r, size_t bytes);
/** Encoders run before the denoiser, and give back what they took, if it is large or memory is short. */
bool limn_recipe_is_transient(const limn_recipe *r, const limn_recipe_part *part, const limn_net_size *size,
                              const limn_strips *strips);

/** Is there as much memory as all parts will take, which `text` names?  @param out  begins as {0} */
limn_status limn_recipe_ask(limn_ctx *ctx, limn_recipe *r, const limn_recipe_shape *s, limn_text *text,
                            limn_recipe_sizes *out);

#endif
