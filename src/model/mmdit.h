/* mmdit.h: how image and text meet: the blocks of a diffusion transformer that sees text.   x [B,T,D], text [B,L,D], c [B,E]
 * -> [B,T,D].   without: limn_build.left_out */
#ifndef LIMN_MMDIT_H
#define LIMN_MMDIT_H

#include "model/blocks.h"

static inline bool limn_block_left_out(uint64_t without, int i) { return i < 64 && without >> i & 1; }

/** One stream; after self-attention, image tokens (query) look at text tokens (key, value). */
limn_node *limn_mmdit_cross(limn_graph *g, const mmdit_config *cfg, uint64_t without, limn_node *x, limn_node *text,
                            limn_node *c);
/** Two streams that meet in one attention. */
limn_node *limn_mmdit_joint(limn_graph *g, const mmdit_config *cfg, uint64_t without, limn_node *x, limn_node *text,
                            limn_node *c);
/** Joint, then cross-attention from the image tokens to the text features. */
limn_node *limn_mmdit_both(limn_graph *g, const mmdit_config *cfg, uint64_t without, limn_node *x, limn_node *text,
                            limn_node *c);

/** Block i of two streams, in its scope; text: the image stream also looks at it, NULL: it does not. */
void limn_joint_block(limn_graph *g, const mmdit_config *cfg, int i, limn_node **x, limn_node **context, limn_node *c,
                      limn_node *text);

#endif
