/* numbers_pixart.c: the settings of PixArt, by its shapes and config.json. */
#include "model/map/numbers.h"

#include <math.h>

/* Pixels of a latent that the file was trained for: as diffusers' config.json says, or the table of places that the authors
 * store.  Either gives the same network: places are divided by as much as there are more. */
static int64_t pixart_size(limn_numbers *q, int64_t patch, bool sides)
{
    const limn_entry *places = limn_numbers_find(q, "pos_embed");
    int64_t grid = places && places->rank == 3 ? limn_numbers_root(places->dim[1]) : 0;
    return limn_numbers_whole(q, "sample_size", grid ? grid * patch : sides ? 128 : 64);
}

void limn_numbers_of_pixart(limn_numbers *q)
{
    const pixart_config *cfg = limn_numbers_config(q);
    bool diffusers = q->map->dialect->naming == LIMN_NAMES_DIFFUSERS;
    limn_patches p = limn_numbers_patches(q, true, (const int *[]){&cfg->width, &cfg->channels, &cfg->patch});
    bool sides = limn_numbers_find(q, "csize_embedder.mlp.0.weight") != NULL;
    limn_numbers_set(q, &cfg->learn_sigma, p.doubled);
    limn_numbers_set(q, &cfg->sides, sides);
    limn_numbers_set(q, &cfg->depth, limn_numbers_depth(q, "blocks.", ".scale_shift_table"));
    limn_numbers_set(q, &cfg->mlp, limn_numbers_dim(q, "blocks.0.mlp.fc1.weight", 2, 0));
    limn_numbers_set(q, &cfg->text.width, limn_numbers_dim(q, "y_embedder.y_proj.fc1.weight", 2, 1));
    limn_numbers_must_agree(q, "in_channels", cfg->channels);
    limn_numbers_must_agree(q, "out_channels", cfg->channels * (1 + cfg->learn_sigma));
    limn_numbers_must_agree(q, "patch_size", cfg->patch);
    limn_numbers_must_agree(q, "num_layers", cfg->depth);
    limn_numbers_must_agree(q, "caption_channels", cfg->text.width);
    limn_numbers_set(q, &cfg->size, pixart_size(q, p.side, sides));
    double interpolation = diffusers && q->config ? fmax(cfg->size / 64, 1) : cfg->size / 64.0; /* where it is not told */
    limn_numbers_set_real(q, &cfg->interpolation, limn_numbers_real(q, "interpolation_scale", interpolation));
    const limn_entry *no_caption = limn_numbers_find(q, "y_embedder.y_embedding");
    if (no_caption && no_caption->rank == 2) limn_numbers_set(q, &cfg->text.length, no_caption->dim[0]);
    else if (sides) limn_numbers_set(q, &cfg->text.length, 120);
    limn_numbers_heads(q, &cfg->heads, limn_numbers_whole(q, "num_attention_heads", p.width == 1152 ? 16 : 0), p.width);
}
