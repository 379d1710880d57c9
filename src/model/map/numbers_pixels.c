/* numbers_pixels.c: the settings of published networks of pixels and tokens that no config.json comes with: ADM (Dhariwal &
 * Nichol 2021) and U-ViT (Bao et al. 2023).  What no shape tells is as their authors trained it: ADM's smallest side is 8,
 * its heads are 64 wide (4 heads in the one of 128 x 128 pixels), and where there are classes there is always one; U-ViT's
 * heads are 64 wide, 16 of them at width 1152, and texts have CLIP's 77 tokens. */
#include "model/map/numbers.h"

#include <stdio.h>

/* ---- ADM -------------------------------------------------------------------------------------------------------------- */

static const limn_entry *output_block(const limn_numbers *q, int64_t k, const char *what)
{
    char name[96];
    snprintf(name, sizeof name, "output_blocks.%lld.%s", (long long)k, what);
    return limn_numbers_find(q, name);
}

/* Blocks that double the sides stand behind another block, so only on the way up shapes tell them.  @return the first, or
 * `none` */
static int64_t first_up(limn_numbers *q, int64_t n, int64_t none)
{
    for (int64_t k = 0; k < n; k++) {
        bool block = output_block(q, k, "1.in_layers.2.weight") || output_block(q, k, "2.in_layers.2.weight");
        bool conv = output_block(q, k, "1.conv.weight") || output_block(q, k, "2.conv.weight");
        if (!block && !conv) continue;
        limn_numbers_set(q, &((const adm_config *)limn_numbers_config(q))->resize,
                         block ? ADM_RESIZE_BLOCK : ADM_RESIZE_CONV);
        return k;
    }
    return none;
}

/* From the smallest side, which comes first on the way up. */
static void adm_levels(limn_numbers *q, int64_t levels, int64_t each, int64_t width, int64_t size)
{
    const limn_unet_config *cfg = limn_numbers_config(q);
    int multipliers[LIMN_UNET_LEVELS];
    int64_t most = 0, least = 0;
    for (int64_t i = 0; i < levels && q->status == LIMN_OK; i++) {
        char name[96];
        snprintf(name, sizeof name, "output_blocks.%lld.0.out_layers.3.weight", (long long)(i * each));
        int64_t wide = limn_numbers_dim(q, name, 4, 0), digit = width > 0 ? wide / width : 0;
        if (q->status == LIMN_OK && (digit < 1 || digit > 9 || digit * width != wide))
            q->status =
                limn_fail(q->ctx, LIMN_UNSUPPORTED, "%s: \"%s%s\" makes %lld channels, which is not 1 to 9 times %lld",
                          q->file, q->map->prefix, name, (long long)wide, (long long)width);
        multipliers[levels - 1 - i] = (int)digit;
        if (!output_block(q, i * each, "1.qkv.weight")) continue;
        most = size >> (levels - 1 - i);
        if (!least) least = most;
    }
    limn_numbers_set_list(q, cfg->multipliers, (int)levels, multipliers);
    limn_numbers_set(q, &cfg->attention_most, most);
    limn_numbers_set(q, &cfg->attention_least, least);
}

void limn_numbers_of_adm(limn_numbers *q)
{
    const adm_config *cfg = limn_numbers_config(q);
    int64_t width = limn_numbers_dim(q, "input_blocks.0.0.weight", 4, 0);
    int64_t channels = limn_numbers_dim(q, "input_blocks.0.0.weight", 4, 1);
    int64_t n = limn_numbers_depth(q, "output_blocks.", ".0.in_layers.2.weight");
    int64_t blocks = first_up(q, n, n - 1), levels = n / (blocks + 1);
    if (q->status == LIMN_OK && (blocks < 1 || levels > LIMN_UNET_LEVELS || levels * (blocks + 1) != n))
        q->status = limn_fail(q->ctx, LIMN_UNSUPPORTED, "%s: its %lld output_blocks are no levels of %lld", q->file,
                              (long long)n, (long long)blocks + 1);
    if (q->status != LIMN_OK) return;
    int64_t size = limn_numbers_whole(q, "sample_size", (int64_t)8 << (levels - 1));
    bool few = width == 256 && levels == 5;
    limn_numbers_set(q, &cfg->unet.width, width);
    limn_numbers_set(q, &cfg->unet.channels, channels);
    limn_numbers_set(q, &cfg->unet.blocks, blocks);
    limn_numbers_set(q, &cfg->unet.size, size);
    adm_levels(q, levels, blocks + 1, width, size);
    limn_numbers_set(q, &cfg->unet.groups, limn_numbers_whole(q, "norm_num_groups", 32));
    int64_t told = limn_numbers_dim(q, "input_blocks.1.0.emb_layers.1.weight", 2, 0);
    limn_numbers_set(q, &cfg->unet.scale_shift,
                     told == 2 * limn_numbers_dim(q, "input_blocks.1.0.out_layers.3.weight", 4, 0));
    limn_numbers_set(q, &cfg->learn_sigma, limn_numbers_dim(q, "out.2.weight", 4, 0) == 2 * channels);
    limn_numbers_set(q, &cfg->unet.head_width, limn_numbers_whole(q, "num_head_channels", few ? 0 : 64));
    limn_numbers_set(q, &cfg->unet.heads, limn_numbers_whole(q, "num_heads", 4));
    if (!limn_numbers_find(q, "label_emb.weight")) return;
    limn_numbers_set(q, &cfg->classes, limn_numbers_dim(q, "label_emb.weight", 2, 0));
    limn_numbers_set(q, &cfg->always_labelled, 1);
}

/* ---- U-ViT ------------------------------------------------------------------------------------------------------------ */

void limn_numbers_of_uvit(limn_numbers *q)
{
    const uvit_config *cfg = limn_numbers_config(q);
    bool labels = limn_numbers_find(q, "label_emb.weight"), text = limn_numbers_find(q, "context_embed.weight");
    int64_t width = limn_numbers_dim(q, "pos_embed", 3, 2), tokens = limn_numbers_dim(q, "pos_embed", 3, 1);
    int64_t patch = limn_numbers_dim(q, "patch_embed.proj.weight", 4, 2);
    int64_t length = text ? limn_numbers_whole(q, "text_length", 77) : 0,
            side = limn_numbers_root(tokens - 1 - labels - length);
    if (q->status == LIMN_OK && !side)
        q->status =
            limn_fail(q->ctx, LIMN_BAD_FILE, "%s: \"%spos_embed\" has %lld tokens, no square behind %lld of other things",
                      q->file, q->map->prefix, (long long)tokens, (long long)(1 + labels + length));
    limn_numbers_set(q, &cfg->size, side * patch);
    limn_numbers_set(q, &cfg->channels, limn_numbers_dim(q, "patch_embed.proj.weight", 4, 1));
    limn_numbers_set(q, &cfg->patch, patch);
    limn_numbers_set(q, &cfg->width, width);
    limn_numbers_set(q, &cfg->depth, 2 * limn_numbers_depth(q, "in_blocks.", ".norm1.weight"));
    limn_numbers_set(q, &cfg->mlp, limn_numbers_dim(q, "in_blocks.0.mlp.fc1.weight", 2, 0));
    limn_numbers_set(q, &cfg->time_mlp, limn_numbers_find(q, "time_embed.0.weight") != NULL);
    limn_numbers_set(q, &cfg->final_conv, limn_numbers_find(q, "final_layer.weight") != NULL);
    if (labels) limn_numbers_set(q, &cfg->classes, limn_numbers_dim(q, "label_emb.weight", 2, 0) - 1);
    limn_numbers_set(q, &cfg->has_text, text);
    if (text) limn_numbers_set(q, &cfg->text.length, length);
    if (text) limn_numbers_set(q, &cfg->text.width, limn_numbers_dim(q, "context_embed.weight", 2, 1));
    int64_t rule = width == 1152 ? 16 : width % 64 ? 0 : width / 64;
    limn_numbers_heads(q, &cfg->heads, limn_numbers_whole(q, "num_attention_heads", rule), width);
}
