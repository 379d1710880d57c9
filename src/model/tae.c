/* tae.c: the tiny autoencoders TAESD and TAEF2 (madebyollin/taesd): convolutions and ReLU only, no distribution.  Parameters
 * are named by their places in the published sequences: encoder.1.conv.0.weight, decoder.19.bias.
 *
 * The published networks have pictures in 0..1; here they are in [-1,1] outside, as everywhere. */
#include "model/blocks.h"

typedef struct tae {
    limn_graph *g;
    const tae_config *cfg;
    int place;   /* in the sequence */
} tae;

/* x + W2 relu(groupnorm(W1 x)): four times as wide between, and the norm sees the whole picture */
static limn_node *pool_branch(tae *t, limn_node *x)
{
    limn_conv_options bare = {.no_bias = true};
    limn_node *h = limn_conv_with(t->g, "pool.0", x, 4 * t->cfg->width, 1, bare);
    h = limn_group_norm(t->g, "pool.1", h, 4, 1e-5, LIMN_RELU);
    return limn_add(x, limn_conv_with(t->g, "pool.3", h, t->cfg->width, 1, bare));
}

/* relu(x + three convolutions) */
static limn_node *block(tae *t, limn_node *x, bool pool)
{
    limn_scope_push(t->g, "%d", t->place++);
    limn_scope_note(t->g, pool ? "residual block with a pool branch" : "residual block");
    if (pool) x = pool_branch(t, x);
    limn_node *h = limn_activate(limn_conv(t->g, "conv.0", x, t->cfg->width, 3), LIMN_RELU);
    h = limn_activate(limn_conv(t->g, "conv.2", h, t->cfg->width, 3), LIMN_RELU);
    x = limn_activate(limn_add(limn_conv(t->g, "conv.4", h, t->cfg->width, 3), x), LIMN_RELU);
    limn_scope_pop(t->g);
    return x;
}

static limn_node *conv(tae *t, limn_node *x, int n, int stride, bool bias)
{
    char name[16];
    snprintf(name, sizeof name, "%d", t->place++);
    return limn_conv_with(t->g, name, x, n, 3, (limn_conv_options){.stride = stride, .no_bias = !bias});
}

/* image [B,H,W,C] in [-1,1]  ->  [B,H/f,W/f,latent] */
static limn_node *encode(tae *t, limn_node *image)
{
    limn_scope_push(t->g, "encoder");
    limn_scope_note(t->g, "picture to latent");
    t->place = 0;
    limn_node *x = limn_strip_stage(conv(t, limn_affine(limn_strip_stage(image), 0.5, 0.5), t->cfg->width, 1, true));
    x = limn_strip_stage(block(t, x, false));
    for (int level = 0; level < t->cfg->levels; level++) {
        bool pool = t->cfg->pool && level == t->cfg->levels - 1;
        x = limn_strip_stage(conv(t, x, t->cfg->width, 2, false));
        for (int i = 0; i < t->cfg->blocks; i++) x = limn_strip_stage(block(t, x, pool));
    }
    x = conv(t, x, t->cfg->latent, 1, true);
    limn_scope_pop(t->g);
    return x;
}

/* Places of the clamp, the ReLU behind the first convolution and the upsampling count, too. */
static limn_node *decode(tae *t, limn_node *x)
{
    limn_scope_push(t->g, "decoder");
    limn_scope_note(t->g, "latent to picture");
    t->place = 1;
    x = limn_affine(limn_activate(limn_affine(x, 1.0 / 3, 0), LIMN_TANH), 3, 0);
    x = limn_strip_stage(limn_activate(conv(t, x, t->cfg->width, 1, true), LIMN_RELU));
    t->place++;
    for (int level = 0; level < t->cfg->levels; level++) {
        for (int i = 0; i < t->cfg->blocks; i++) x = limn_strip_stage(block(t, x, t->cfg->pool && level == 0));
        limn_shape s = limn_node_shape(x);
        t->place++;
        x = conv(t, limn_resize(x, 2 * s.dim[1], 2 * s.dim[2], LIMN_NEAREST), t->cfg->width, 1, false);
        x = limn_strip_stage(x);
    }
    x = limn_strip_stage(block(t, x, false));
    x = limn_affine(conv(t, x, t->cfg->channels, 1, true), 2, -1);
    limn_scope_pop(t->g);
    return x;
}

static void build(limn_graph *g, const void *config, limn_build b, limn_ports *ports)
{
    const tae_config *cfg = config;
    int h = b.height, w = b.width;
    tae t = {.g = g, .cfg = cfg};
    if (b.part != LIMN_PART_DECODER) {
        ports->image = limn_input(g, "image", LIMN_COMPUTE, LIMN_SHAPE(b.batch, h, w, cfg->channels), LIMN_PER_STEP);
        ports->latent = encode(&t, ports->image);
    } else
        ports->latent = limn_input(g, "latent", LIMN_COMPUTE,
                                   LIMN_SHAPE(b.batch, h >> cfg->levels, w >> cfg->levels, cfg->latent), LIMN_PER_STEP);
    ports->output = b.part == LIMN_PART_ENCODER ? ports->latent : decode(&t, ports->latent);
}

static const limn_setting settings[] = {
    LIMN_NUMBER(tae_config, size, 512, 1, 16384, "height and width of the picture, where nothing else says it"),
    LIMN_NUMBER(tae_config, channels, 3, 1, 4, "channels of the picture"),
    LIMN_NUMBER(tae_config, latent, 4, 1, 256, "channels of the latent"),
    LIMN_NUMBER(tae_config, width, 64, 4, 4096, "channels inside"),
    LIMN_NUMBER(tae_config, levels, 3, 1, 6, "times the sides are halved"),
    LIMN_NUMBER(tae_config, blocks, 3, 1, 16, "residual blocks of a level"),
    LIMN_FLAG(tae_config, pool, false, "1: the blocks next to the latent also see the whole picture (TAEF2)"),
    {.name = NULL},
};

static const char *side(const void *config, int pixels)
{
    const tae_config *cfg = config;
    return pixels % (1 << cfg->levels) ? "a multiple of 2 to the power of levels" : NULL;
}

static limn_interface interface(const void *config)
{
    const tae_config *cfg = config;
    return (limn_interface){.width = cfg->size,
                            .height = cfg->size,
                            .channels = cfg->channels,
                            .out_channels = cfg->channels,
                            .latent = cfg->latent,
                            .factor = 1 << cfg->levels,
                            .scale = 1};
}

const limn_family limn_family_tae = {
    .kind = LIMN_RECONSTRUCTS,
    .name = "tae",
    .task = "picture to latent",
    .input = "picture 512x512x3",
    .output = "64x64x4 and back",
    .loss = "absolute error",
    .settings = settings,
    .interface = interface,
    .build = build,
    .side = side,
};
