/* unet_blocks.h: parts of the diffusion U-Nets.   x [B,H,W,C], t [B or 1, E]: the timestep (and class) as a vector, after SiLU. */
#ifndef LIMN_UNET_BLOCKS_H
#define LIMN_UNET_BLOCKS_H

#include "model/blocks.h"

enum { LIMN_UNET_LEVELS = 9, LIMN_UNET_SKIPS = 128 };

/* One layer has another name in each published repository. */
typedef struct limn_res_names {
    const char *norm1, *conv1, *time, *norm2, *conv2, *shortcut;
} limn_res_names;
extern const limn_res_names limn_res_diffusers, limn_res_openai;

typedef enum limn_resample { LIMN_RESAMPLE_NONE, LIMN_RESAMPLE_DOWN, LIMN_RESAMPLE_UP } limn_resample;

/* What a U-Net's settings say, unpacked. */
typedef struct limn_unet {
    const limn_settings *s;
    const limn_res_names *names;
    int n_levels, width[LIMN_UNET_LEVELS], side[LIMN_UNET_LEVELS]; /* side: of the picture at that level */
    int blocks, groups, heads, head_width; /* head_width > 0: heads = C / head_width */
    double eps;
    bool scale_shift;                      /* t scales and shifts the second norm instead of being added */
    int attention, attention_least;        /* levels of a side from least to attention have attention */
    limn_node *t, *text;
    const int *down_pad;                   /* zeros above, left, below, right of the picture that is halved */
    /** Attention after a residual block, in the scope of its name. */
    limn_node *(*attend)(limn_graph *g, const struct limn_unet *u, limn_node *x);
} limn_unet;

extern const int limn_pad_after[4], limn_pad_around[4];

/** The settings width, multipliers, blocks, groups, attention, attention_least, heads, head_width and size. */
limn_unet limn_unet_from(const limn_settings *s, const limn_res_names *names, double eps);
/** NULL, or what is wrong with them together. */
const char *limn_unet_check(const limn_settings *s);
bool limn_unet_attends(const limn_unet *u, int level);
int limn_unet_heads(const limn_unet *u, int64_t width);

/** norm, SiLU, 3x3 conv, + t, norm, SiLU, 3x3 conv, + x (through a 1x1 conv when the width changes): [B,H,W,n]; resampled after the
 *  first SiLU and on the way around.  Ho et al. 2020, app. B; Dhariwal & Nichol 2021, section 3 */
limn_node *limn_res_block(limn_graph *g, const limn_unet *u, limn_node *x, int64_t n, limn_resample resample);
/** Halve with a 3x3 convolution of stride 2; double by repeating pixels, then a 3x3 convolution.  Parameters name.weight, name.bias. */
limn_node *limn_unet_down(limn_graph *g, const limn_unet *u, const char *name, limn_node *x);
limn_node *limn_unet_up(limn_graph *g, const char *name, limn_node *x);
/** A 3x3 convolution that starts at zero. */
limn_node *limn_conv_zero(limn_graph *g, const char *name, limn_node *x, int64_t n, int kernel);
/** conv_in, down_blocks, mid_block, up_blocks, conv_norm_out, conv_out: named as in diffusers' UNet2DModel.  [B,H,W,n_out] */
limn_node *limn_unet_body(limn_graph *g, const limn_unet *u, limn_node *image, int64_t n_out);

#define LIMN_UNET_SETTINGS \
    {"blocks", 2, 1, 8, NULL, "residual blocks of a level"}, \
    {"groups", 32, 1, 256, NULL, "groups of channels that are normalised together"}

#endif
