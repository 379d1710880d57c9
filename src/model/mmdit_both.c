/* mmdit_both.c: joint attention, then cross-attention from the image tokens to the text features as they came in: attention
 * = both. */
#include "model/mmdit.h"

limn_node *limn_mmdit_both(limn_graph *g, const mmdit_config *cfg, uint64_t without, limn_node *x, limn_node *text,
                           limn_node *c)
{
    limn_node *context = text;
    for (int i = 0; i < cfg->depth; i++)
        if (!limn_block_left_out(without, i)) limn_joint_block(g, cfg, i, &x, &context, c, text);
    return x;
}
