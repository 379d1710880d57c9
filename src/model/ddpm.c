/* ddpm.c: the pixel U-Net of Ho et al. 2020, appendix B: residual blocks on four sides, attention where the picture is
 * small, skips from the way down to the way up.  Named as in diffusers' UNet2DModel. */
#include "model/unet_blocks.h"

#include <math.h>

/* Pixels look at each other: one group norm, q, k, v, attention, projection, + x.   x [B,H,W,C] */
static limn_node *attend(limn_graph *g, const limn_unet *u, limn_node *x, int level, int j)
{
    limn_window window = limn_unet_window(u, level, j, limn_node_shape(x));
    if (window.side) return limn_unet_attend_in_windows(g, u, "group_norm", x, window);
    limn_shape s = limn_node_shape(x);
    limn_scope_note(g, "self-attention: pixels look at each other");
    x = limn_reshape(x, LIMN_SHAPE(s.dim[0], s.dim[1] * s.dim[2], s.dim[3]));
    limn_node *h = limn_group_norm(g, "group_norm", x, u->groups, u->eps, LIMN_IDENTITY);
    limn_node *q = limn_linear(g, "to_q", h, s.dim[3]), *k = limn_linear(g, "to_k", h, s.dim[3]),
              *v = limn_linear(g, "to_v", h, s.dim[3]);
    h = limn_linear_zero(g, "to_out.0", limn_attention(q, k, v, limn_unet_heads(u, s.dim[3]), false), s.dim[3]);
    return limn_reshape(limn_add(x, h), s);
}

/* Sines come with frequencies 10000^(-i / (half - 1)), which are those of a period 10000^(half / (half - 1)) for -i /
 * half. */
static limn_node *time_embedding(limn_graph *g, const limn_settings *s, limn_build b, limn_ports *ports)
{
    int width = limn_settings_get(s, "width");
    bool cos_first = limn_settings_get(s, "time") == 1;
    double half = width / 2.0, period = cos_first || half <= 1 ? 10000 : pow(10000, half / (half - 1));
    limn_scope_push(g, "time_embedding");
    limn_scope_note(g, "timestep to a vector");
    limn_node *t = limn_timestep_embedding(limn_time_input(g, b, ports), width, period, cos_first);
    t = limn_linear(g, "linear_2", limn_silu(limn_linear(g, "linear_1", t, 4 * width)), 4 * width);
    limn_scope_pop(g);
    return limn_time_of_step(ports, t);
}

static limn_node *label_embedding(limn_graph *g, const limn_settings *s, limn_build b, limn_ports *ports)
{
    ports->label = limn_input(g, "label", LIMN_INDEX, LIMN_SHAPE(b.batch), LIMN_PER_PROMPT);
    return limn_embedding(g, "class_embedding", ports->label, limn_settings_get(s, "classes") + 1,
                          4 * limn_settings_get(s, "width"));
}

static void build(limn_graph *g, const limn_settings *s, limn_build b, limn_ports *ports)
{
    int channels = limn_settings_get(s, "channels");
    limn_unet u = limn_unet_from(s, &limn_res_diffusers, limn_settings_get(s, "norm_eps") ? 1e-5 : 1e-6);
    u.attend = attend;
    if (limn_settings_get(s, "padding") == 0) u.down_pad = limn_pad_after;
    limn_node *x = limn_picture_input(g, s, b, ports);
    limn_node *t = time_embedding(g, s, b, ports);
    if (limn_settings_get(s, "classes")) t = limn_add(t, label_embedding(g, s, b, ports));
    u.t = limn_silu(t);
    ports->output = limn_unet_body(g, &u, x, channels * (1 + limn_settings_get(s, "learn_sigma")));
}

static const limn_setting settings[] = {
    {"size", 32, 1, 4096, NULL, "height and width of the picture"},
    {"channels", 3, 1, 64, NULL, "channels of the picture"},
    {"width", 128, 2, 4096, NULL, "channels that a multiplier of 1 stands for"},
    {"multipliers", 1222, 1, 999999999, NULL, "a digit for each level, largest picture first: its width in units of width"},
    LIMN_UNET_SETTINGS,
    LIMN_UNET_ATTENTION(16, 16),
    {"heads", 1, 1, 256, NULL, "attention heads"},
    {"head_width", 0, 0, 4096, NULL, "channels of a head, instead of heads; 0: see heads"},
    {"scale_shift", 0, 0, 1, NULL, "1: time scales and shifts the second norm of a block; 0: it is added"},
    {"padding", 0, 0, 1, "after|around", "zeros beside a picture that is halved: right and below only, or on all sides"},
    {"time", 0, 0, 1, "sin|cos", "what comes first in the embedding of the timestep: sines (Ho et al.) or cosines (ADM)"},
    {"norm_eps", 0, 0, 1, "1e-6|1e-5", "added to the variance in group norms"},
    LIMN_UNET_ENLARGE,
    {"classes", 0, 0, 1000000, NULL, "class labels; 0: none"},
    {"learn_sigma", 0, 0, 1, NULL, "1: the network also predicts the variance"},
    {NULL, 0, 0, 0, NULL, NULL},
};

const limn_family limn_family_ddpm = {
    .name = "ddpm", .task = "denoise", .input = "picture 32x32x3, timestep", .output = "32x32x3", .loss = "squared error",
    .settings = settings, .build = build, .check = limn_unet_check, .side = limn_unet_side, .imply = limn_unet_imply,
};
