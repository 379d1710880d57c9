/* vae.c: AutoencoderKL, the autoencoder of latent diffusion (Rombach et al. 2022), with diffusers' parameter names.
 *   encoder  picture -> mean and log variance of a Gaussian (Kingma & Welling 2014)
 *   decoder  a sample of it -> picture
 * Downsampling pads right and bottom only.
 * With patch > 1 a square of patch x patch pixels is one position of the finest level (as in Wan 2.2 and LTX-Video: the
 * sides of a convolution's work shrink where it costs most). */
#include "model/blocks.h"

#define EPS 1e-6

/* Channels of a level, the finest first. */
static int width_of(const vae_config *cfg, int level)
{
    return cfg->base * cfg->mult[level];
}

/* Pixels of the picture along one side of a pixel of the latent. */
static int factor_of(const vae_config *cfg)
{
    return cfg->patch << (cfg->levels - 1);
}

static limn_node *norm(limn_graph *g, const vae_config *cfg, const char *name, limn_node *x)
{
    return limn_group_norm(g, name, x, cfg->groups, EPS, LIMN_SILU);
}

/* x + conv(silu(norm(conv(silu(norm x)))));  a 1x1 convolution on x where the width changes */
static limn_node *resnet(limn_graph *g, const vae_config *cfg, int i, limn_node *x, int width)
{
    limn_scope_push(g, "resnets.%d", i);
    limn_node *h = limn_conv(g, "conv1", norm(g, cfg, "norm1", x), width, 3);
    h = limn_conv(g, "conv2", norm(g, cfg, "norm2", h), width, 3);
    if (limn_node_shape(x).dim[3] != width) x = limn_conv(g, "conv_shortcut", x, width, 1);
    x = limn_add(x, h);
    limn_scope_pop(g);
    return x;
}

/* Every pixel looks at all others, one head. */
static limn_node *attention(limn_graph *g, const vae_config *cfg, limn_node *x)
{
    limn_shape s = limn_node_shape(x);
    limn_scope_push(g, "attentions.0");
    limn_scope_note(g, "self-attention: pixels look at each other");
    limn_node *h = limn_group_norm(g, "group_norm", x, cfg->groups, EPS, LIMN_IDENTITY);
    h = limn_reshape(h, LIMN_SHAPE(s.dim[0], s.dim[1] * s.dim[2], s.dim[3]));
    limn_node *q = limn_linear(g, "to_q", h, s.dim[3]), *k = limn_linear(g, "to_k", h, s.dim[3]),
              *value = limn_linear(g, "to_v", h, s.dim[3]);
    h = limn_linear(g, "to_out.0", limn_attention(q, k, value, 1, false), s.dim[3]);
    x = limn_add(x, limn_reshape(h, s));
    limn_scope_pop(g);
    return x;
}

static limn_node *mid_block(limn_graph *g, const vae_config *cfg, limn_node *x)
{
    int width = width_of(cfg, cfg->levels - 1);
    limn_scope_push(g, "mid_block");
    x = resnet(g, cfg, 0, x, width);
    if (cfg->attention) x = attention(g, cfg, x);
    x = resnet(g, cfg, 1, x, width);
    limn_scope_pop(g);
    return x;
}

/* [B,H,W,C]  ->  [B,H/p,W/p,C p p] */
static limn_node *to_patches(limn_graph *g, limn_node *x, int p)
{
    limn_shape s = limn_node_shape(x);
    return p == 1 ? x
                  : limn_reshape(limn_patchify(g, x, p), LIMN_SHAPE(s.dim[0], s.dim[1] / p, s.dim[2] / p, s.dim[3] * p * p));
}

/* [B,h,w,p p C]  ->  [B,h p,w p,C] */
static limn_node *from_patches(limn_graph *g, limn_node *x, int p, int channels)
{
    limn_shape s = limn_node_shape(x);
    if (p == 1) return x;
    return limn_unpatchify(g, limn_reshape(x, LIMN_SHAPE(s.dim[0], s.dim[1] * s.dim[2], s.dim[3])), (int)s.dim[1] * p,
                           (int)s.dim[2] * p, p, channels);
}

/* image [B,H,W,C]  ->  moments [B,h,w,2 latent] */
static limn_node *encode(limn_graph *g, const vae_config *cfg, limn_node *image)
{
    static const int right_and_bottom[] = {0, 0, 1, 1};
    limn_scope_push(g, "encoder");
    limn_scope_note(g, "picture to the mean and log variance of its latent");
    limn_node *x = to_patches(g, limn_strip_stage(image), cfg->patch);
    x = limn_strip_stage(limn_conv(g, "conv_in", x, width_of(cfg, 0), 3));
    for (int level = 0; level < cfg->levels; level++) {
        limn_scope_push(g, "down_blocks.%d", level);
        for (int i = 0; i < cfg->layers; i++) x = limn_strip_stage(resnet(g, cfg, i, x, width_of(cfg, level)));
        if (level < cfg->levels - 1)
            x = limn_strip_stage(limn_conv_with(g, "downsamplers.0.conv", x, width_of(cfg, level), 3,
                                                (limn_conv_options){.stride = 2, .pad = right_and_bottom}));
        limn_scope_pop(g);
    }
    x = norm(g, cfg, "conv_norm_out", mid_block(g, cfg, x));
    x = limn_conv(g, "conv_out", x, 2 * cfg->latent, 3);
    limn_scope_pop(g);
    return x;
}

/* z [B,h,w,latent]  ->  picture [B,H,W,channels] */
static limn_node *decode(limn_graph *g, const vae_config *cfg, limn_node *z)
{
    limn_scope_push(g, "decoder");
    limn_scope_note(g, "latent to picture");
    limn_node *x = limn_strip_stage(mid_block(g, cfg, limn_conv(g, "conv_in", z, width_of(cfg, cfg->levels - 1), 3)));
    for (int up = 0; up < cfg->levels; up++) { /* up_blocks.0 is the coarsest */
        limn_scope_push(g, "up_blocks.%d", up);
        int width = width_of(cfg, cfg->levels - 1 - up);
        for (int i = 0; i <= cfg->layers; i++) x = limn_strip_stage(resnet(g, cfg, i, x, width));
        limn_shape s = limn_node_shape(x);
        if (up < cfg->levels - 1)
            x = limn_strip_stage(
                limn_conv(g, "upsamplers.0.conv", limn_resize(x, 2 * s.dim[1], 2 * s.dim[2], LIMN_NEAREST), width, 3));
        limn_scope_pop(g);
    }
    x = limn_conv(g, "conv_out", norm(g, cfg, "conv_norm_out", x), (int64_t)cfg->channels * cfg->patch * cfg->patch, 3);
    x = from_patches(g, x, cfg->patch, cfg->channels);
    limn_scope_pop(g);
    return x;
}

/* Log variances beyond these bounds are numbers gone wild: exp() of them must stay finite. */
static void sample(limn_graph *g, limn_ports *ports, limn_node *moments, int latent, bool whole)
{
    ports->mean = limn_slice(moments, 3, 0, latent);
    ports->log_variance = limn_clamp(limn_slice(moments, 3, latent, latent), -30, 20);
    ports->latent = ports->mean;
    if (!whole) return;
    ports->noise = limn_input(g, "noise", LIMN_COMPUTE, limn_node_shape(ports->mean), LIMN_PER_STEP);
    limn_scope_push(g, "sample");
    limn_scope_note(g, "mean + exp(log variance / 2) noise");
    ports->latent = limn_add(ports->mean, limn_mul(limn_exp(limn_affine(ports->log_variance, 0.5, 0)), ports->noise));
    limn_scope_pop(g);
}

static void build(limn_graph *g, const void *config, limn_build b, limn_ports *ports)
{
    const vae_config *cfg = config;
    int h = b.height, w = b.width, factor = factor_of(cfg);
    if (b.part != LIMN_PART_DECODER) {
        ports->image = limn_input(g, "image", LIMN_COMPUTE, LIMN_SHAPE(b.batch, h, w, cfg->channels), LIMN_PER_STEP);
        limn_node *moments = encode(g, cfg, ports->image);
        if (cfg->quant) moments = limn_conv(g, "quant_conv", moments, 2 * cfg->latent, 1);
        sample(g, ports, moments, cfg->latent, b.part == LIMN_PART_WHOLE);
    } else
        ports->latent =
            limn_input(g, "latent", LIMN_COMPUTE, LIMN_SHAPE(b.batch, h / factor, w / factor, cfg->latent), LIMN_PER_STEP);
    ports->output = ports->latent;
    if (b.part == LIMN_PART_ENCODER) return;
    limn_node *z = cfg->quant ? limn_conv(g, "post_quant_conv", ports->latent, cfg->latent, 1) : ports->latent;
    ports->output = decode(g, cfg, z);
}

static const limn_setting settings[] = {
    LIMN_NUMBER(vae_config, size, 512, 1, 16384, "height and width of the picture, where nothing else says it"),
    LIMN_NUMBER(vae_config, channels, 3, 1, 4, "channels of the picture"),
    LIMN_NUMBER(vae_config, latent, 4, 1, 256, "channels of the latent"),
    LIMN_NUMBER(vae_config, patch, 1, 1, 8, "pixels along one side of a position of the finest level"),
    LIMN_NUMBER(vae_config, base, 128, 1, 4096, "channels at the finest level"),
    LIMN_NUMBER(vae_config, levels, 4, 1, VAE_LEVELS, "sizes of the picture inside; the sides are halved between them"),
    LIMN_LIST_AS("mult", vae_config, mult, levels, LIMN_LIST_ELEMENTS, 1, 64,
                 "channels of each level, the finest first, in units of base (mult2=2: of level 2)", 1, 2, 4, 4, 4),
    LIMN_NUMBER(vae_config, layers, 2, 1, 16, "residual blocks of a level; the decoder has one more"),
    LIMN_FLAG(vae_config, attention, true, "1: self-attention in the middle"),
    LIMN_NUMBER(vae_config, groups, 32, 1, 1024, "groups of the norms"),
    LIMN_FLAG(vae_config, quant, true, "1: 1x1 convolutions around the latent (SD3 and FLUX have none)"),
    LIMN_REAL_AS("scaling_factor", "scaling", 100000, vae_config, scaling_factor, 0.18215, 1e-5, 100,
                 "published scale of the latents: diffusion sees (latent - shift) scale; scaling: in 1/100000"),
    LIMN_REAL_AS("shift_factor", "shift", 100000, vae_config, shift_factor, 0, -100, 100,
                 "their published shift; shift: in 1/100000"),
    {.name = NULL},
};

static const char *check(const void *config)
{
    const vae_config *cfg = config;
    for (int i = 0; i < cfg->levels; i++)
        if (width_of(cfg, i) % cfg->groups) return "base times each multiplier must be a multiple of groups";
    return NULL;
}

static const char *side(const void *config, int pixels)
{
    const vae_config *cfg = config;
    return pixels % factor_of(cfg) ? "a multiple of patch times 2 to the power of levels - 1" : NULL;
}

static limn_interface interface(const void *config)
{
    const vae_config *cfg = config;
    return (limn_interface){.width = cfg->size,
                            .height = cfg->size,
                            .channels = cfg->channels,
                            .out_channels = cfg->channels,
                            .latent = cfg->latent,
                            .factor = factor_of(cfg),
                            .scale = cfg->scaling_factor,
                            .shift = cfg->shift_factor};
}

const limn_family limn_family_vae = {
    .kind = LIMN_RECONSTRUCTS,
    .name = "vae",
    .task = "picture to latent",
    .input = "picture 512x512x3",
    .output = "64x64x4 and back",
    .loss = "absolute error, KL",
    .settings = settings,
    .interface = interface,
    .build = build,
    .check = check,
    .side = side,
};
