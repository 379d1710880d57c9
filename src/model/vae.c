/* vae.c: AutoencoderKL, the autoencoder of latent diffusion (Rombach et al. 2022), with diffusers' parameter names.
 *   encoder  picture -> mean and log variance of a Gaussian (Kingma & Welling 2014)
 *   decoder  a sample of it -> picture
 * Downsampling pads right and bottom only.
 * With patch > 1 a square of patch x patch pixels is one position of the finest level (as in Wan 2.2 and LTX-Video: the
 * sides of a convolution's work shrink where it costs most). */
#include "model/blocks.h"

enum { MAX_LEVELS = 5 };
#define EPS 1e-6

typedef struct vae {
    limn_graph *g;
    int groups, levels, layers, attention, latent, patch;
    int width[MAX_LEVELS]; /* of each level, the finest first */
} vae;

static limn_node *norm(vae *v, const char *name, limn_node *x)
{
    return limn_group_norm(v->g, name, x, v->groups, EPS, LIMN_SILU);
}

/* x + conv(silu(norm(conv(silu(norm x)))));  a 1x1 convolution on x where the width changes */
static limn_node *resnet(vae *v, int i, limn_node *x, int width)
{
    limn_scope_push(v->g, "resnets.%d", i);
    limn_node *h = limn_conv(v->g, "conv1", norm(v, "norm1", x), width, 3);
    h = limn_conv(v->g, "conv2", norm(v, "norm2", h), width, 3);
    if (limn_node_shape(x).dim[3] != width) x = limn_conv(v->g, "conv_shortcut", x, width, 1);
    x = limn_add(x, h);
    limn_scope_pop(v->g);
    return x;
}

/* Every pixel looks at all others, one head. */
static limn_node *attention(vae *v, limn_node *x)
{
    limn_shape s = limn_node_shape(x);
    limn_scope_push(v->g, "attentions.0");
    limn_scope_note(v->g, "self-attention: pixels look at each other");
    limn_node *h = limn_group_norm(v->g, "group_norm", x, v->groups, EPS, LIMN_IDENTITY);
    h = limn_reshape(h, LIMN_SHAPE(s.dim[0], s.dim[1] * s.dim[2], s.dim[3]));
    limn_node *q = limn_linear(v->g, "to_q", h, s.dim[3]), *k = limn_linear(v->g, "to_k", h, s.dim[3]),
              *value = limn_linear(v->g, "to_v", h, s.dim[3]);
    h = limn_linear(v->g, "to_out.0", limn_attention(q, k, value, 1, false), s.dim[3]);
    x = limn_add(x, limn_reshape(h, s));
    limn_scope_pop(v->g);
    return x;
}

static limn_node *mid_block(vae *v, limn_node *x)
{
    int width = v->width[v->levels - 1];
    limn_scope_push(v->g, "mid_block");
    x = resnet(v, 0, x, width);
    if (v->attention) x = attention(v, x);
    x = resnet(v, 1, x, width);
    limn_scope_pop(v->g);
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
static limn_node *encode(vae *v, limn_node *image)
{
    static const int right_and_bottom[] = {0, 0, 1, 1};
    limn_scope_push(v->g, "encoder");
    limn_scope_note(v->g, "picture to the mean and log variance of its latent");
    limn_node *x = limn_conv(v->g, "conv_in", to_patches(v->g, image, v->patch), v->width[0], 3);
    for (int level = 0; level < v->levels; level++) {
        limn_scope_push(v->g, "down_blocks.%d", level);
        for (int i = 0; i < v->layers; i++) x = resnet(v, i, x, v->width[level]);
        if (level < v->levels - 1)
            x = limn_conv_with(v->g, "downsamplers.0.conv", x, v->width[level], 3,
                               (limn_conv_options){.stride = 2, .pad = right_and_bottom});
        limn_scope_pop(v->g);
    }
    x = norm(v, "conv_norm_out", mid_block(v, x));
    x = limn_conv(v->g, "conv_out", x, 2 * v->latent, 3);
    limn_scope_pop(v->g);
    return x;
}

/* z [B,h,w,latent]  ->  picture [B,H,W,channels] */
static limn_node *decode(vae *v, limn_node *z, int channels)
{
    limn_scope_push(v->g, "decoder");
    limn_scope_note(v->g, "latent to picture");
    limn_node *x = mid_block(v, limn_conv(v->g, "conv_in", z, v->width[v->levels - 1], 3));
    for (int up = 0; up < v->levels; up++) { /* up_blocks.0 is the coarsest */
        limn_scope_push(v->g, "up_blocks.%d", up);
        int width = v->width[v->levels - 1 - up];
        for (int i = 0; i <= v->layers; i++) x = resnet(v, i, x, width);
        limn_shape s = limn_node_shape(x);
        if (up < v->levels - 1)
            x = limn_conv(v->g, "upsamplers.0.conv", limn_resize(x, 2 * s.dim[1], 2 * s.dim[2], LIMN_NEAREST), width, 3);
        limn_scope_pop(v->g);
    }
    x = limn_conv(v->g, "conv_out", norm(v, "conv_norm_out", x), (int64_t)channels * v->patch * v->patch, 3);
    x = from_patches(v->g, x, v->patch, channels);
    limn_scope_pop(v->g);
    return x;
}

static vae from_settings(limn_graph *g, const limn_settings *s)
{
    vae v = {.g = g,
             .groups = limn_settings_get(s, "groups"),
             .levels = limn_settings_get(s, "levels"),
             .layers = limn_settings_get(s, "layers"),
             .attention = limn_settings_get(s, "attention"),
             .latent = limn_settings_get(s, "latent"),
             .patch = limn_settings_get(s, "patch")};
    for (int i = 0; i < v.levels; i++) {
        char name[24];
        snprintf(name, sizeof name, "mult%d", i + 1);
        v.width[i] = limn_settings_get(s, "base") * limn_settings_get(s, name);
    }
    return v;
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

static void build(limn_graph *g, const limn_settings *s, limn_build b, limn_ports *ports)
{
    vae v = from_settings(g, s);
    int h = limn_build_height(s, b), w = limn_build_width(s, b), channels = limn_settings_get(s, "channels"),
        factor = v.patch << (v.levels - 1);
    bool quant = limn_settings_get(s, "quant") == 1;
    if (b.part != LIMN_PART_DECODER) {
        ports->image = limn_input(g, "image", LIMN_COMPUTE, LIMN_SHAPE(b.batch, h, w, channels), LIMN_PER_STEP);
        limn_node *moments = encode(&v, ports->image);
        if (quant) moments = limn_conv(g, "quant_conv", moments, 2 * v.latent, 1);
        sample(g, ports, moments, v.latent, b.part == LIMN_PART_WHOLE);
    } else
        ports->latent =
            limn_input(g, "latent", LIMN_COMPUTE, LIMN_SHAPE(b.batch, h / factor, w / factor, v.latent), LIMN_PER_STEP);
    ports->output = ports->latent;
    if (b.part == LIMN_PART_ENCODER) return;
    limn_node *z = quant ? limn_conv(g, "post_quant_conv", ports->latent, v.latent, 1) : ports->latent;
    ports->output = decode(&v, z, channels);
}

static const limn_setting settings[] = {
    {"size", 512, 1, 16384, NULL, "height and width of the picture, where nothing else says it"},
    {"channels", 3, 1, 4, NULL, "channels of the picture"},
    {"latent", 4, 1, 256, NULL, "channels of the latent"},
    {"patch", 1, 1, 8, NULL, "pixels along one side of a position of the finest level"},
    {"base", 128, 1, 4096, NULL, "channels at the finest level"},
    {"levels", 4, 1, MAX_LEVELS, NULL, "sizes of the picture inside; the sides are halved between them"},
    {"mult1", 1, 1, 64, NULL, "channels of level 1, the finest, in units of base"},
    {"mult2", 2, 1, 64, NULL, "of level 2"},
    {"mult3", 4, 1, 64, NULL, "of level 3"},
    {"mult4", 4, 1, 64, NULL, "of level 4"},
    {"mult5", 4, 1, 64, NULL, "of level 5"},
    {"layers", 2, 1, 16, NULL, "residual blocks of a level; the decoder has one more"},
    {"attention", 1, 0, 1, NULL, "1: self-attention in the middle"},
    {"groups", 32, 1, 1024, NULL, "groups of the norms"},
    {"quant", 1, 0, 1, NULL, "1: 1x1 convolutions around the latent (SD3 and FLUX have none)"},
    {"scaling", 18215, 1, 10000000, NULL,
     "published scale of the latents in 1/100000: diffusion sees (latent - shift) scale"},
    {"shift", 0, -10000000, 10000000, NULL, "their published shift in 1/100000"},
    {NULL, 0, 0, 0, NULL, NULL},
};

static const char *check(const limn_settings *s)
{
    static const char *const names[] = {"mult1", "mult2", "mult3", "mult4", "mult5"};
    int levels = limn_settings_get(s, "levels"), base = limn_settings_get(s, "base"),
        groups = limn_settings_get(s, "groups");
    for (int i = 0; i < levels; i++)
        if (base * limn_settings_get(s, names[i]) % groups) return "base times each multiplier must be a multiple of groups";
    return NULL;
}

static const char *side(const limn_settings *s, int pixels)
{
    int factor = limn_settings_get(s, "patch") << (limn_settings_get(s, "levels") - 1);
    return pixels % factor ? "a multiple of patch times 2 to the power of levels - 1" : NULL;
}

const limn_family limn_family_vae = {
    .kind = LIMN_RECONSTRUCTS,
    .name = "vae",
    .task = "picture to latent",
    .input = "picture 512x512x3",
    .output = "64x64x4 and back",
    .loss = "absolute error, KL",
    .settings = settings,
    .build = build,
    .check = check,
    .side = side,
};
