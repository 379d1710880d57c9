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
    const limn_entry *norm = part_of_block(q, 1, "weight");
    int64_t levels = 1;
    char name[64];
    do snprintf(name, sizeof name, "down%lld.maxpool_conv.1.double_conv.0.weight", (long long)levels);
    while (limn_numbers_find(q, name) && ++levels < 16);
    limn_numbers_set(q, "width", limn_numbers_dim(q, "inc.double_conv.0.weight", 4, 0));
    limn_numbers_set(q, "channels", limn_numbers_dim(q, "inc.double_conv.0.weight", 4, 1));
    limn_numbers_set(q, "classes", limn_numbers_dim(q, "outc.conv.weight", 4, 0));
    limn_numbers_set(q, "levels", levels);
    limn_numbers_set(q, "convs", convolutions(q, norm ? 3 : 2));
    limn_numbers_choose(q, part_of_block(q, 1, "running_mean") ? "norm=batch" : norm ? "norm=group" : "norm=none");
    limn_numbers_set(q, "groups", limn_numbers_whole(q, "norm_num_groups", 8));
    limn_numbers_choose(q, limn_numbers_find(q, "up1.up.weight") ? "up=transposed" : "up=bilinear");
}
