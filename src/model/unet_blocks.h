/* unet_blocks.h: parts of the diffusion U-Nets.   x [B,H,W,C], t [B or 1, E]: the timestep (and class) as a vector, after
 * SiLU. */
#ifndef LIMN_UNET_BLOCKS_H
#define LIMN_UNET_BLOCKS_H

#include "model/window.h"

enum { LIMN_UNET_SKIPS = 128, LIMN_UNET_MIDDLE = -1 };

/* One layer has another name in each published repository. */
typedef struct limn_res_names {
    const char *norm1, *conv1, *time, *norm2, *conv2, *shortcut;
} limn_res_names;
extern const limn_res_names limn_res_diffusers, limn_res_openai;

/* Where attention is: behind residual block j of a level, or in LIMN_UNET_MIDDLE. */
typedef struct limn_unet_place {
    int level, j;
    bool up;               /* on the way back to the whole picture */
} limn_unet_place;

typedef enum limn_resample { LIMN_RESAMPLE_NONE, LIMN_RESAMPLE_DOWN, LIMN_RESAMPLE_UP } limn_resample;

/* A U-Net that is built, and what follows from its settings. */
typedef struct limn_unet {
    const limn_unet_config *cfg;
    const void *config; /* the family's struct */
    const limn_res_names *names;
    int width[LIMN_UNET_LEVELS];
    int side[LIMN_UNET_LEVELS]; /* of a picture of the setting "size" at that level, whatever is built: it says which have
                                   attention */
    int window;            /* > 0: levels larger than attention_most have attention in windows */
    double eps;
    bool no_middle, plain_middle; /* plain: one residual block alone */
    limn_node *t, *text;
    const int *down_pad;                   /* zeros above, left, below, right of the picture that is halved */
    /** Attention, in the scope of its name. */
    limn_node *(*attend)(limn_graph *g, const struct limn_unet *u, limn_node *x, limn_unet_place at);
} limn_unet;

extern const int limn_pad_after[4], limn_pad_around[4];

/** config: the family's struct that begins with a limn_unet_config. */
limn_unet limn_unet_from(const void *config, const limn_res_names *names, double eps);
/** limn_family.check, .side and .imply of such a struct. */
const char *limn_unet_check(const void *config);
const char *limn_unet_side(const void *config, int pixels);
/** Windows of half their side are moved unless told otherwise. */
void limn_unet_imply(limn_settings *s);
/** What they have in common, of a picture of out_channels. */
limn_interface limn_unet_interface(const void *config, bool learned_variance, int classes);
bool limn_unet_attends(const limn_unet *u, int level);
int limn_unet_heads(const limn_unet *u, int64_t width);
/** What the j-th attention of a level looks through, in a picture [B,H,W,C]; side 0: through all pixels. */
limn_window limn_unet_window(const limn_unet *u, int level, int j, limn_shape picture);
/** norm, attention in windows "attn" that starts at zero, + x.   x [B,H,W,C] */
limn_node *limn_unet_attend_in_windows(limn_graph *g, const limn_unet *u, const char *norm, limn_node *x,
                                       limn_window window);

/** norm, SiLU, 3x3 conv, + t, norm, SiLU, 3x3 conv, + x (through a 1x1 conv when the width changes): [B,H,W,n]; resampled
 *  after the first SiLU and on the way around.  Ho et al. 2020, app. B; Dhariwal & Nichol 2021, section 3 */
limn_node *limn_res_block(limn_graph *g, const limn_unet *u, limn_node *x, int64_t n, limn_resample resample);
/** Halve with a 3x3 convolution of stride 2; double by repeating pixels, then a 3x3 convolution.  Parameters name.weight,
 *  name.bias. */
limn_node *limn_unet_down(limn_graph *g, const limn_unet *u, const char *name, limn_node *x);
limn_node *limn_unet_up(limn_graph *g, const char *name, limn_node *x);
/** A 3x3 convolution that starts at zero. */
limn_node *limn_conv_zero(limn_graph *g, const char *name, limn_node *x, int64_t n, int kernel);
/** conv_in, down_blocks, mid_block (not with no_middle), up_blocks, conv_norm_out, conv_out: named as in diffusers'
 *  UNet2DModel.  [B,H,W,n_out] */
limn_node *limn_unet_body(limn_graph *g, const limn_unet *u, limn_node *image, int64_t n_out);

/* Rows of a struct that begins with `limn_unet_config unet`. */
#define LIMN_UNET_SIZES(config, size_, channels_, width_, of, blocks_, ...)                                                 \
    LIMN_NUMBER_AS("size", config, unet.size, size_, 1, 4096, "height and width of the " of),                               \
        LIMN_NUMBER_AS("channels", config, unet.channels, channels_, 1, 64, "channels of the " of),                         \
        LIMN_NUMBER_AS("width", config, unet.width, width_, 2, 4096, "channels that a multiplier of 1 stands for"),         \
        LIMN_LIST_AS("multipliers", config, unet.multipliers, unet.n_levels, LIMN_LIST_DIGITS, 1, 64,                       \
                     "width of each level, largest picture first, in units of width; 1,2,4 or, up to 9, 124", __VA_ARGS__), \
        LIMN_NUMBER_AS("blocks", config, unet.blocks, blocks_, 1, 8, "residual blocks of a level"),                         \
        LIMN_NUMBER_AS("groups", config, unet.groups, 32, 1, 256, "groups of channels that are normalised together")
#define LIMN_UNET_ATTENTION(config, most, least)                                                                            \
    LIMN_CHOICE_AS("attention", config, unet.attention, LIMN_UNET_FULL, "full|window",                                      \
                   "full: over all pixels, where the picture is small; window: also in windows, where it is larger"),       \
        LIMN_NUMBER_AS("attention_most", config, unet.attention_most, most, 0, 4096,                                        \
                       "largest side of a level with attention over all pixels; 0: only in the middle (attention=16 sets "  \
                       "it too)"),                                                                                          \
        LIMN_NUMBER_AS("attention_least", config, unet.attention_least, least, 0, 4096, "smallest side of such a level"),   \
        LIMN_NUMBER_AS("window", config, unet.window, 8, 2, 64, "pixels along one side of a window"),                       \
        LIMN_NUMBER_AS("shift", config, unet.shift, 4, 0, 63,                                                               \
                       "pixels by which the windows of every second block are moved (default: half a window)")
#define LIMN_UNET_HEADS(config, heads_, head_width_)                                                                        \
    LIMN_NUMBER_AS("heads", config, unet.heads, heads_, 1, 256, "attention heads"),                                         \
        LIMN_NUMBER_AS("head_width", config, unet.head_width, head_width_, 0, 4096,                                         \
                       "channels of a head, instead of heads; 0: see heads")
#define LIMN_UNET_SCALE_SHIFT(config, value)                                                                                \
    LIMN_FLAG_AS("scale_shift", config, unet.scale_shift, value,                                                            \
                 "1: time scales and shifts the second norm of a block; 0: it is added")

#endif
