/* unet_blocks.h: parts of the diffusion U-Nets.   x [B,H,W,C], t [B or 1, E]: the timestep (and class) as a vector, after
 * SiLU. */
#ifndef LIMN_UNET_BLOCKS_H
#define LIMN_UNET_BLOCKS_H

#include "model/window.h"

enum { LIMN_UNET_LEVELS = 9, LIMN_UNET_SKIPS = 128, LIMN_UNET_MIDDLE = -1 };

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
    int n_levels, width[LIMN_UNET_LEVELS];
    int side[LIMN_UNET_LEVELS]; /* of a picture of the setting "size" at that level, whatever is built: it says which have
                                   attention */
    int blocks, groups, heads, head_width; /* head_width > 0: heads = C / head_width */
    double eps;
    bool scale_shift;                      /* t scales and shifts the second norm instead of being added */
    int attention_most, attention_least;   /* levels of a side from least to most have attention over all their pixels */
    int window, shift;                     /* window > 0: larger levels have it in windows, moved in every second block */
    limn_node *t, *text;
    const int *down_pad;                   /* zeros above, left, below, right of the picture that is halved */
    /** Attention after residual block j of a level (or in LIMN_UNET_MIDDLE), in the scope of its name. */
    limn_node *(*attend)(limn_graph *g, const struct limn_unet *u, limn_node *x, int level, int j);
} limn_unet;

extern const int limn_pad_after[4], limn_pad_around[4];

/** The settings of all diffusion U-Nets: size, width, multipliers, blocks, groups, attention and what follows it, heads,
 *  head_width. */
limn_unet limn_unet_from(const limn_settings *s, const limn_res_names *names, double eps);
/** limn_family.check and .side of them. */
const char *limn_unet_check(const limn_settings *s);
const char *limn_unet_side(const limn_settings *s, int pixels);
bool limn_unet_attends(const limn_unet *u, int level);
int limn_unet_heads(const limn_unet *u, int64_t width);
/** What the j-th attention of a level looks through, in a picture [B,H,W,C]; side 0: through all pixels. */
limn_window limn_unet_window(const limn_unet *u, int level, int j, limn_shape picture);
/** norm, attention in windows "attn" that starts at zero, + x.   x [B,H,W,C] */
limn_node *limn_unet_attend_in_windows(limn_graph *g, const limn_unet *u, const char *norm, limn_node *x,
                                       limn_window window);
/** Windows of half their side are moved unless told otherwise. */
void limn_unet_imply(limn_settings *s);

/** norm, SiLU, 3x3 conv, + t, norm, SiLU, 3x3 conv, + x (through a 1x1 conv when the width changes): [B,H,W,n]; resampled
 *  after the first SiLU and on the way around.  Ho et al. 2020, app. B; Dhariwal & Nichol 2021, section 3 */
limn_node *limn_res_block(limn_graph *g, const limn_unet *u, limn_node *x, int64_t n, limn_resample resample);
/** Halve with a 3x3 convolution of stride 2; double by repeating pixels, then a 3x3 convolution.  Parameters name.weight,
 *  name.bias. */
limn_node *limn_unet_down(limn_graph *g, const limn_unet *u, const char *name, limn_node *x);
limn_node *limn_unet_up(limn_graph *g, const char *name, limn_node *x);
/** A 3x3 convolution that starts at zero. */
limn_node *limn_conv_zero(limn_graph *g, const char *name, limn_node *x, int64_t n, int kernel);
/** conv_in, down_blocks, mid_block, up_blocks, conv_norm_out, conv_out: named as in diffusers' UNet2DModel.
 *  [B,H,W,n_out] */
limn_node *limn_unet_body(limn_graph *g, const limn_unet *u, limn_node *image, int64_t n_out);

#define LIMN_UNET_SETTINGS \
    {"blocks", 2, 1, 8, NULL, "residual blocks of a level"}, \
    {"groups", 32, 1, 256, NULL, "groups of channels that are normalised together"}

#define LIMN_UNET_ENLARGE                                                                                                   \
    {                                                                                                                       \
        "enlarge", 0, 0, 16, NULL, "a picture so many times smaller is the condition (super-resolution); 0: none"           \
    }

#define LIMN_UNET_ATTENTION(most, least)                                                                                    \
    {"attention",                                                                                                           \
     0,                                                                                                                     \
     0,                                                                                                                     \
     1,                                                                                                                     \
     "full|window",                                                                                                         \
     "full: over all pixels, where the picture is small; window: also in windows, where it is larger"},                     \
        {"attention_most",                                                                                                  \
         most,                                                                                                              \
         0,                                                                                                                 \
         4096,                                                                                                              \
         NULL,                                                                                                              \
         "largest side of a level with attention over all pixels; 0: only in the middle (attention=16 sets it too)"},       \
        {"attention_least", least, 0, 4096, NULL, "smallest side of such a level"},                                         \
        {"window", 8, 2, 64, NULL, "pixels along one side of a window"},                                                    \
    {                                                                                                                       \
        "shift", 4, 0, 63, NULL, "pixels by which the windows of every second block are moved (default: half a window)"     \
    }

#endif
