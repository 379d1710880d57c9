/* ldm_unet.c: the U-Net of latent diffusion (Rombach et al. 2022) that Stable Diffusion 1 and 2 draw with: the blocks of
 * ddpm.c with a transformer behind each, in which pixels look at each other and at text.  Named as in diffusers'
 * UNet2DConditionModel. */
#include "model/unet_blocks.h"

static limn_node *without_bias(limn_graph *g, const char *name, limn_node *x, int64_t n)
{
    return limn_linear_with(g, name, x, n, (limn_linear_options){.no_bias = true});
}

/* + attention in windows.   x [B,T,C], tokens of a picture [B,H,W,C] */
static limn_node *windows(limn_graph *g, const char *name, const char *norm, limn_node *x, limn_window window,
                          limn_shape picture)
{
    limn_node *h = limn_reshape(limn_layer_norm(g, norm, x, 1e-5), picture);
    return limn_add(x, limn_reshape(limn_window_attention(g, name, h, window), limn_node_shape(x)));
}

/* + attention from x to text, or to itself (text NULL).   x [B,T,C] */
static limn_node *attention(limn_graph *g, const limn_unet *u, const char *name, const char *norm, limn_node *x,
                            limn_node *text)
{
    int64_t c = limn_node_shape(x).dim[2];
    limn_node *h = limn_layer_norm(g, norm, x, 1e-5);
    limn_scope_push(g, "%s", name);
    limn_scope_note(g, text ? "pixels (q) look at text (k, v)" : "pixels look at each other");
    limn_node *from = text ? text : h, *q = without_bias(g, "to_q", h, c), *k = without_bias(g, "to_k", from, c),
              *v = without_bias(g, "to_v", from, c);
    h = limn_linear(g, "to_out.0", limn_attention(q, k, v, limn_unet_heads(u, c), false), c);
    limn_scope_pop(g);
    return limn_add(x, h);
}

/* Shazeer 2020: x gelu(gate), both halves of one product */
static limn_node *geglu(limn_graph *g, const char *name, limn_node *x, int64_t n)
{
    limn_node *half[2];
    limn_chunk(limn_linear(g, name, x, 2 * n), 2, half);
    return limn_mul(half[0], limn_activate(half[1], LIMN_GELU_ERF));
}

static limn_node *transformer_block(limn_graph *g, const limn_unet *u, limn_node *x, limn_window window, limn_shape picture)
{
    int64_t c = limn_node_shape(x).dim[2];
    x = window.side ? windows(g, "attn1", "norm1", x, window, picture) : attention(g, u, "attn1", "norm1", x, NULL);
    x = attention(g, u, "attn2", "norm2", x, u->text);
    return limn_add(x,
                    limn_linear(g, "ff.net.2", geglu(g, "ff.net.0.proj", limn_layer_norm(g, "norm3", x, 1e-5), 4 * c), c));
}

/* Norm, projection, transformer blocks, projection, + x.   x [B,H,W,C] */
static limn_node *attend(limn_graph *g, const limn_unet *u, limn_node *x, int level, int j)
{
    limn_shape s = limn_node_shape(x), tokens = LIMN_SHAPE(s.dim[0], s.dim[1] * s.dim[2], s.dim[3]);
    bool linear = limn_settings_get(u->s, "projection") == 1;
    limn_scope_note(g, "transformer over pixels, with text");
    limn_node *h = limn_group_norm(g, "norm", x, u->groups, 1e-6, LIMN_IDENTITY);
    h = linear ? limn_linear(g, "proj_in", limn_reshape(h, tokens), s.dim[3])
               : limn_reshape(limn_conv(g, "proj_in", h, s.dim[3], 1), tokens);
    for (int i = 0, depth = limn_settings_get(u->s, "depth"); i < depth; i++) {
        limn_scope_push(g, "transformer_blocks.%d", i);
        h = transformer_block(g, u, h, limn_unet_window(u, level, j * depth + i, s), s);
        limn_scope_pop(g);
    }
    if (linear) return limn_add(x, limn_reshape(limn_linear_zero(g, "proj_out", h, s.dim[3]), s));
    return limn_add(x, limn_conv_zero(g, "proj_out", limn_reshape(h, s), s.dim[3], 1));
}

static limn_node *time_embedding(limn_graph *g, limn_build b, limn_ports *ports, int width)
{
    limn_node *t = limn_time_input(g, b, ports);
    limn_scope_push(g, "time_embedding");
    limn_scope_note(g, "timestep to a vector");
    t = limn_linear(g, "linear_1", limn_timestep_embedding(t, width, 10000, true), 4 * width);
    t = limn_linear(g, "linear_2", limn_silu(t), 4 * width);
    limn_scope_pop(g);
    return limn_time_of_step(ports, t);
}

static void build(limn_graph *g, const limn_settings *s, limn_build b, limn_ports *ports)
{
    limn_unet u = limn_unet_from(s, &limn_res_diffusers, 1e-5);
    u.attend = attend;
    limn_node *picture = limn_picture_input(g, s, b, ports);
    u.text = limn_text_features(g, s, b, ports);
    u.t = limn_silu(time_embedding(g, b, ports, limn_settings_get(s, "width")));
    ports->output = limn_unet_body(g, &u, picture, limn_settings_get(s, "channels"));
}

static const limn_setting settings[] = {
    {"size", 64, 1, 4096, NULL, "height and width of the latent or picture"},
    {"channels", 4, 1, 64, NULL, "channels of the latent or picture"},
    {"width", 320, 2, 4096, NULL, "channels that a multiplier of 1 stands for"},
    {"multipliers", 1244, 1, 999999999, NULL, "a digit for each level, largest picture first: its width in units of width"},
    LIMN_UNET_SETTINGS,
    LIMN_UNET_ATTENTION(64, 16),
    {"depth", 1, 1, 32, NULL, "blocks of a transformer"},
    {"heads", 8, 1, 256, NULL, "attention heads"},
    {"head_width", 0, 0, 4096, NULL, "channels of a head, instead of heads; 0: see heads"},
    {"projection", 0, 0, 1, "conv|linear", "into and out of a transformer: 1x1 convolutions (SD 1) or linear layers (SD 2)"},
    {"text_encoder", 0, 0, 1, "none|clip", "none: text features are an input; clip: a CLIP encoder is part of the network"},
    {"text_length", 77, 2, 4096, NULL, "text tokens"},
    {"text_width", 768, 8, 8192, NULL, "width of the text features"},
    {"text_depth", 12, 1, 128, NULL, "layers of the text encoder"},
    {"text_heads", 12, 1, 128, NULL, "attention heads of the text encoder"},
    {"text_vocab", 49408, 514, 49408, NULL, "tokens the text encoder knows: 512 bytes + merges + 2"},
    {NULL, 0, 0, 0, NULL, NULL},
};

static const char *check(const limn_settings *s)
{
    if (limn_settings_get(s, "text_encoder") && limn_settings_get(s, "text_width") % limn_settings_get(s, "text_heads"))
        return "text_width must be a multiple of text_heads";
    return limn_unet_check(s);
}

const limn_family limn_family_ldm_unet = {
    .name = "ldm-unet",
    .task = "denoise",
    .input = "latent 64x64x4, timestep, text 77x768",
    .output = "64x64x4",
    .loss = "squared error",
    .settings = settings,
    .build = build,
    .check = check,
    .side = limn_unet_side,
    .imply = limn_unet_imply,
};
