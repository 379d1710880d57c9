/* ddpm.c: the pixel U-Net of Ho et al. 2020, appendix B: residual blocks on four sides, attention where the picture is
 * small, skips from the way down to the way up.  Named as in diffusers' UNet2DModel. */
#include "model/unet_blocks.h"

#include <math.h>

/* Pixels look at each other: one group norm, q, k, v, attention, projection, + x.   x [B,H,W,C] */
static limn_node *attend(limn_graph *g, const limn_unet *u, limn_node *x, limn_unet_place at)
{
    limn_window window = limn_unet_window(u, at.level, at.j, limn_node_shape(x));
    if (window.side) return limn_unet_attend_in_windows(g, u, "group_norm", x, window);
    limn_shape s = limn_node_shape(x);
    limn_scope_note(g, "self-attention: pixels look at each other");
    x = limn_reshape(x, LIMN_SHAPE(s.dim[0], s.dim[1] * s.dim[2], s.dim[3]));
    limn_node *h = limn_group_norm(g, "group_norm", x, u->cfg->groups, u->eps, LIMN_IDENTITY);
    limn_node *q = limn_linear(g, "to_q", h, s.dim[3]), *k = limn_linear(g, "to_k", h, s.dim[3]),
              *v = limn_linear(g, "to_v", h, s.dim[3]);
    h = limn_linear_zero(g, "to_out.0", limn_attention(q, k, v, limn_unet_heads(u, s.dim[3]), false), s.dim[3]);
    return limn_reshape(limn_add(x, h), s);
}

/* Sines come with frequencies 10000^(-i / (half - 1)), which are those of a period 10000^(half / (half - 1)) for -i /
 * half. */
static limn_node *time_embedding(limn_graph *g, const ddpm_config *cfg, limn_build b, limn_ports *ports)
{
    int width = cfg->unet.width;
    bool cos_first = cfg->time == DDPM_COS_FIRST;
    double half = width / 2.0, period = cos_first || half <= 1 ? 10000 : pow(10000, half / (half - 1));
    limn_scope_push(g, "time_embedding");
    limn_scope_note(g, "timestep to a vector");
    limn_node *t = limn_timestep_embedding(limn_time_input(g, b, ports), width, period, cos_first);
    t = limn_linear(g, "linear_2", limn_silu(limn_linear(g, "linear_1", t, 4 * width)), 4 * width);
    limn_scope_pop(g);
    return limn_time_of_step(ports, t);
}

static limn_node *label_embedding(limn_graph *g, const ddpm_config *cfg, limn_build b, limn_ports *ports)
{
    ports->label = limn_input(g, "label", LIMN_INDEX, LIMN_SHAPE(b.batch), LIMN_PER_PROMPT);
    return limn_embedding(g, "class_embedding", ports->label, cfg->classes + 1,
                          4 * cfg->unet.width);
}

static void build(limn_graph *g, const void *config, limn_build b, limn_ports *ports)
{
    const ddpm_config *cfg = config;
    int channels = cfg->unet.channels;
    limn_unet u = limn_unet_from(config, &limn_res_diffusers, cfg->norm_eps);
    u.attend = attend;
    if (cfg->padding == DDPM_PAD_AFTER) u.down_pad = limn_pad_after;
    limn_node *x = limn_picture_input(g, b, channels, cfg->unet.enlarge, ports);
    limn_node *t = time_embedding(g, cfg, b, ports);
    if (cfg->classes) t = limn_add(t, label_embedding(g, cfg, b, ports));
    u.t = limn_silu(t);
    ports->output = limn_unet_body(g, &u, x, channels * (1 + cfg->learn_sigma));
}

static const limn_setting settings[] = {
    LIMN_UNET_SIZES(ddpm_config, 32, 3, 128, "picture", 2, 1, 2, 2, 2),
    LIMN_UNET_ATTENTION(ddpm_config, 16, 16),
    LIMN_UNET_HEADS(ddpm_config, 1, 0),
    LIMN_UNET_SCALE_SHIFT(ddpm_config, false),
    LIMN_CHOICE(ddpm_config, padding, DDPM_PAD_AFTER, "after|around",
                "zeros beside a picture that is halved: right and below only, or on all sides"),
    LIMN_CHOICE(ddpm_config, time, DDPM_SIN_FIRST, "sin|cos",
                "what comes first in the embedding of the timestep: sines (Ho et al.) or cosines (ADM)"),
    LIMN_NUMBER(ddpm_config, norm_eps, 1e-6, 1e-12, 1, "added to the variance in group norms"),
    LIMN_ENLARGE(ddpm_config, unet.enlarge),
    LIMN_CLASSES(ddpm_config),
    LIMN_LEARN_SIGMA(ddpm_config, false),
    {.name = NULL},
};

static limn_interface interface(const void *config)
{
    const ddpm_config *cfg = config;
    return limn_unet_interface(config, cfg->learn_sigma, cfg->classes);
}

const limn_family limn_family_ddpm = {
    .name = "ddpm", .task = "denoise", .input = "picture 32x32x3, timestep", .output = "32x32x3", .loss = "squared error",
    .settings = settings, .interface = interface, .build = build, .check = limn_unet_check, .side = limn_unet_side,
    .imply = limn_unet_imply,
};
