/* numbers_segmenter.c: the settings of a U-Net for a class of every pixel, named as in milesial/Pytorch-UNet, whose
 * checkpoints hold "mask_values" beside.  No shape tells padding (same, as there) nor the groups of a group norm (8, as limn
 * train has it). */
#include "model/map/numbers.h"

#include <stdio.h>

/* nn.Sequential: convolution, [norm], ReLU, convolution ... */
static const limn_entry *part_of_block(const limn_numbers *q, int64_t i, const char *what)
{
    char name[64];
    snprintf(name, sizeof name, "inc.double_conv.%lld.%s", (long long)i, what);
    return limn_numbers_find(q, name);
}

static int64_t convolutions(const limn_numbers *q, int64_t step)
{
    int64_t n = 1;
    for (const limn_entry *e; n < 16 && (e = part_of_block(q, n * step, "weight")) && e->rank == 4;) n++;
    return n;
}

void limn_numbers_of_segmenter(limn_numbers *q)
{
    const unet_config *cfg = limn_numbers_config(q);
    const limn_entry *norm = part_of_block(q, 1, "weight");
    int64_t levels = 1;
    char name[64];
    do snprintf(name, sizeof name, "down%lld.maxpool_conv.1.double_conv.0.weight", (long long)levels);
    while (limn_numbers_find(q, name) && ++levels < 16);
    limn_numbers_set(q, &cfg->width, limn_numbers_dim(q, "inc.double_conv.0.weight", 4, 0));
    limn_numbers_set(q, &cfg->channels, limn_numbers_dim(q, "inc.double_conv.0.weight", 4, 1));
    limn_numbers_set(q, &cfg->classes, limn_numbers_dim(q, "outc.conv.weight", 4, 0));
    limn_numbers_set(q, &cfg->levels, levels);
    limn_numbers_set(q, &cfg->convs, convolutions(q, norm ? 3 : 2));
    bool batch = part_of_block(q, 1, "running_mean");
    limn_numbers_set(q, &cfg->norm, batch ? UNET_NORM_BATCH : norm ? UNET_NORM_GROUP : UNET_NORM_NONE);
    limn_numbers_set(q, &cfg->groups, limn_numbers_whole(q, "norm_num_groups", 8));
    limn_numbers_set(q, &cfg->up, limn_numbers_find(q, "up1.up.weight") ? UNET_TRANSPOSED : UNET_BILINEAR);
}
