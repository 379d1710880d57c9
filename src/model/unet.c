/* unet.c: the U-Net, Ronneberger et al. 2015, fig. 1.   [B,H,W,C] -> logits [B,h,w,K]
 *
 * Down: convolutions to `width`, then `levels - 1` times a 2 x 2 max-pool and convolutions to twice the width.  Up: a 2 x 2
 * transposed convolution (or bilinear enlargement), the skip beside it, convolutions.  A 1 x 1 convolution gives one logit
 * per class. padding = valid is the original: every 3 x 3 convolution loses a pixel on each side, and skips are cut to fit.
 * Weights are named as in milesial/Pytorch-UNet. */
#include "model/blocks.h"

#include <math.h>

/* He et al. 2015, eq. 10: what ReLU halves is made up for */
static limn_init he(limn_node *x, int kernel)
{
    double fan = (double)(limn_node_shape(x).dim[3] * kernel * kernel);
    return (limn_init){.kind = LIMN_INIT_NORMAL, .scale = (float)sqrt(2 / fan), .decay = true};
}

/* Scope `name`: convs times (3 x 3 convolution, norm, ReLU), the first to `mid` channels, the last to n.
 * In the numbering of the published nn.Sequential: convolution, [norm], ReLU. */
static limn_node *convolutions(limn_graph *g, const unet_config *cfg, const char *name, limn_node *x, int mid, int n)
{
    int convs = cfg->convs, parts = cfg->norm == UNET_NORM_NONE ? 2 : 3;
    limn_scope_push(g, "%s", name);
    for (int i = 0; i < convs; i++) {
        char conv[32], after[32];
        snprintf(conv, sizeof conv, "%d", i * parts);
        snprintf(after, sizeof after, "%d", i * parts + 1);
        limn_init init = he(x, 3);
        limn_conv_options options = {
            .valid = cfg->padding == UNET_VALID, .no_bias = cfg->norm != UNET_NORM_NONE, .weight_init = &init};
        int channels = i == convs - 1 ? n : mid;
        x = limn_conv_with(g, conv, x, channels, 3, options);
        if (cfg->norm == UNET_NORM_BATCH) x = limn_batch_norm(g, after, x, 1e-5);
        if (cfg->norm == UNET_NORM_GROUP) x = limn_group_norm(g, after, x, cfg->groups, 1e-5, LIMN_IDENTITY);
        x = limn_activate(x, LIMN_RELU);
    }
    limn_scope_pop(g);
    return x;
}

/* The middle of `skip`, as large as x. */
static limn_node *cut_to(limn_node *skip, limn_node *x)
{
    limn_shape large = limn_node_shape(skip), small = limn_node_shape(x);
    for (int axis = 1; axis < 3; axis++)
        if (large.dim[axis] > small.dim[axis])
            skip = limn_slice(skip, axis, (large.dim[axis] - small.dim[axis]) / 2, small.dim[axis]);
    return skip;
}

/* Twice the pixels; the transposed convolution also halves the channels. */
static limn_node *enlarge(limn_graph *g, const unet_config *cfg, limn_node *x)
{
    limn_shape d = limn_node_shape(x);
    if (cfg->up == UNET_BILINEAR) return limn_resize(x, 2 * d.dim[1], 2 * d.dim[2], LIMN_BILINEAR_ALIGNED);
    limn_init init = he(x, 1);
    return limn_conv_transpose(g, "up", x, d.dim[3] / 2, 2, (limn_conv_options){.stride = 2, .weight_init = &init});
}

static void build(limn_graph *g, const void *config, limn_build b, limn_ports *ports)
{
    const unet_config *cfg = config;
    int levels = cfg->levels, width = cfg->width;
    bool bilinear = cfg->up == UNET_BILINEAR;
    limn_node *skip[16];
    if (b.n_steps == 0) limn_graph_train(g);
    limn_node *picture = limn_picture_input(g, b, cfg->channels, 0, ports);
    limn_scope_push(g, "inc");
    limn_scope_note(g, "first convolutions, all pixels");
    limn_node *x = convolutions(g, cfg, "double_conv", picture, width, width);
    limn_scope_pop(g);
    for (int i = 1; i < levels; i++) {
        skip[i - 1] = x;
        limn_scope_push(g, "down%d", i);
        limn_scope_note(g, "half the pixels, twice the channels");
        int channels = width << i;
        if (bilinear && i == levels - 1) channels /= 2; /* bilinear enlargement does not halve the channels on the way up */
        x = convolutions(g, cfg, "maxpool_conv.1.double_conv", limn_max_pool(x, 2), channels, channels);
        limn_scope_pop(g);
    }
    for (int i = levels - 2; i >= 0; i--) {
        limn_scope_push(g, "up%d", levels - 1 - i);
        limn_scope_note(g, "twice the pixels, the skip beside it");
        x = enlarge(g, cfg, x);
        x = limn_concat(g, -1, 2, (limn_node *[]){cut_to(skip[i], x), x});
        int channels = width << i;
        x = convolutions(g, cfg, "conv.double_conv", x, bilinear ? (int)limn_node_shape(x).dim[3] / 2 : channels,
                         bilinear && i > 0 ? channels / 2 : channels);
        limn_scope_pop(g);
    }
    limn_scope_push(g, "outc");
    limn_scope_note(g, "one logit for each class");
    ports->output = limn_conv(g, "conv", x, cfg->classes, 1);
    limn_scope_pop(g);
}

static const limn_setting settings[] = {
    LIMN_NUMBER(unet_config, size, 512, 1, 16384, "width (and height, unless it is set) of the picture"),
    LIMN_NUMBER(unet_config, height, 0, 0, 16384, "height of the picture; 0: as size"),
    LIMN_NUMBER(unet_config, channels, 3, 1, 64, "channels of the picture"),
    LIMN_NUMBER(unet_config, classes, 2, 1, 256, "classes; 1: one logit, for or against"),
    LIMN_NUMBER(unet_config, width, 64, 1, 1024, "channels of the first level; doubled at each"),
    LIMN_NUMBER(unet_config, levels, 4, 2, 8, "levels of resolution"),
    LIMN_NUMBER(unet_config, convs, 2, 1, 4, "3x3 convolutions of a block"),
    LIMN_CHOICE(unet_config, padding, UNET_SAME, "same|valid",
                "valid: no zeros around, the result is smaller than the picture"),
    LIMN_CHOICE(unet_config, norm, UNET_NORM_NONE, "none|batch|group", "normalisation after each convolution"),
    LIMN_NUMBER(unet_config, groups, 8, 1, 256, "groups of norm=group"),
    LIMN_CHOICE(unet_config, up, UNET_TRANSPOSED, "transposed|bilinear", "how the picture grows on the way up"),
    {.name = NULL},
};

/* Pixels along one side at the bottom, or -1 when a level is odd or gone. */
static int bottom(const unet_config *cfg, int pixels)
{
    int lost = cfg->padding == UNET_VALID ? 2 * cfg->convs : 0;
    for (int i = 1; i < cfg->levels; i++) {
        pixels -= lost;
        if (pixels < 2 || pixels % 2) return -1;
        pixels /= 2;
    }
    return pixels - lost > 0 ? pixels : -1;
}

static const char *side(const void *config, int pixels)
{
    const unet_config *cfg = config;
    if (bottom(cfg, pixels) > 0) return NULL;
    return cfg->padding == UNET_VALID
               ? "such that every level halves an even number of pixels (16 n + 12 for 5 levels of 2 convolutions)"
               : "a multiple of 2^(levels-1)";
}

static const char *check(const void *config)
{
    const unet_config *cfg = config;
    if (cfg->norm == UNET_NORM_GROUP && cfg->width % cfg->groups)
        return "width must be a multiple of groups";
    if (cfg->up == UNET_BILINEAR && cfg->width % 2)
        return "up=bilinear halves channels: width must be even";
    if ((int64_t)cfg->width << cfg->levels > 65536)
        return "the last level would have more than 32768 channels";
    return NULL;
}

static limn_interface interface(const void *config)
{
    const unet_config *cfg = config;
    return (limn_interface){.width = cfg->size,
                            .height = cfg->height ? cfg->height : cfg->size,
                            .channels = cfg->channels,
                            .out_channels = cfg->classes,
                            .classes = cfg->classes,
                            .grid = 1 << (cfg->levels - 1)};
}

const limn_family limn_family_unet = {
    .kind = LIMN_SEGMENTS,
    .name = "unet", .task = "segment", .input = "picture 512x512x3", .output = "512x512xK", .loss = "cross-entropy",
    .settings = settings, .interface = interface, .build = build, .check = check, .side = side,
};
