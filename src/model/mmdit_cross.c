/* mmdit_cross.c: one stream of image tokens that look at text in every block, as PixArt's (Chen et al. 2023): attention =
 * cross. */
#include "model/mmdit.h"

limn_node *limn_mmdit_cross(limn_graph *g, const mmdit_config *cfg, uint64_t without, limn_node *x, limn_node *text,
                            limn_node *c)
{
    bool modulated = cfg->conditioning == LIMN_TIME_MODULATES;
    for (int i = 0; i < cfg->depth; i++) {
        if (limn_block_left_out(without, i)) continue;
        limn_scope_push(g, "blocks.%d", i);
        limn_scope_note(g, "self-attention, cross-attention, MLP");
        x = modulated ? limn_modulated_block(g, cfg->heads, cfg->mlp, x, text, c)
                      : limn_added_block(g, cfg->heads, cfg->mlp, cfg->norm, x, text, c);
        limn_scope_pop(g);
    }
    return x;
}
