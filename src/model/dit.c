/* dit.c: diffusion transformers of one stream.
 *   conditioning = added      time is projected and added to the tokens in every block
 *   conditioning = modulated  adaLN-Zero, Peebles & Xie 2022, fig. 3; weights named as in their repository
 *
 * diffusers draws from the same weights by frequencies 10000^(-i / (half - 1)), which are those of a period 10000^(half /
 * (half - 1)) for -i / half, and spreads the places of other sides over those of its own.  (Its epsilon of the second norm,
 * 1e-5 for 1e-6, moves nothing in front of a variance of tokens, whose places alone have 0.5.) */
#include "model/blocks.h"

#include <math.h>

enum { FREQUENCIES = 256 };

static void build(limn_graph *g, const void *config, limn_build b, limn_ports *ports)
{
    const dit_config *cfg = config;
    bool modulated = cfg->conditioning == LIMN_TIME_MODULATES;
    int time_width = modulated ? cfg->width : cfg->time_width;
    limn_node *picture = limn_picture_input(g, b, cfg->channels, 0, ports);
    limn_node *x = limn_patch_tokens(g, picture, cfg->patch, cfg->width, cfg->as_diffusers ? cfg->size / cfg->patch : 0);
    int frequencies = modulated ? FREQUENCIES : time_width;
    double period = cfg->as_diffusers ? pow(10000, FREQUENCIES / (FREQUENCIES - 2.0)) : 10000;
    limn_node *c = limn_time_ports(g, b, ports, frequencies, period, time_width);
    c = limn_add_label(g, b, cfg->classes, ports, c);
    for (int i = 0; i < cfg->depth; i++) {
        limn_scope_push(g, "blocks.%d", i);
        limn_scope_note(g, modulated ? "DiT block, modulated by time (adaLN-Zero)" : "DiT block, time added");
        x = modulated ? limn_modulated_block(g, cfg->heads, cfg->mlp, x, NULL, c)
                      : limn_added_block(g, cfg->heads, cfg->mlp, cfg->norm, x, NULL, c);
        limn_scope_pop(g);
    }
    ports->tokens = x;
    int channels = cfg->channels * (1 + cfg->learn_sigma);
    ports->output = limn_final_layer(g, x, modulated ? c : NULL, limn_node_shape(picture), cfg->patch, channels);
}

static const limn_setting settings[] = {
    LIMN_NUMBER(dit_config, size, 64, 1, 4096, "height and width of the picture or latent"),
    LIMN_NUMBER(dit_config, channels, 4, 1, 64, "channels of the picture or latent"),
    LIMN_NUMBER(dit_config, patch, 4, 1, 64, "pixels along one side of a token"),
    LIMN_NUMBER(dit_config, width, 64, 4, 16384, "width of a token"),
    LIMN_NUMBER(dit_config, depth, 12, 1, 256, "blocks"),
    LIMN_NUMBER(dit_config, heads, 4, 1, 256, "attention heads"),
    LIMN_NUMBER(dit_config, mlp, 256, 1, 65536, "hidden width of the MLP"),
    LIMN_NUMBER(dit_config, time_width, 128, 2, 16384, "width of the timestep embedding (conditioning=added)"),
    LIMN_CONDITIONING(dit_config),
    LIMN_CLASSES(dit_config),
    LIMN_LEARN_SIGMA(dit_config, false),
    LIMN_FLAG(dit_config, as_diffusers, false, "1: frequencies of timesteps, and places of other sides, as diffusers"),
    {.name = NULL},
};

/* Modulation comes with LayerNorm in front. */
static void imply(limn_settings *s)
{
    const dit_config *cfg = limn_settings_config(s);
    limn_settings_default(s, &cfg->norm, cfg->conditioning == LIMN_TIME_MODULATES ? LIMN_NORM_PRE : LIMN_NORM_POST);
}

static const char *check(const void *config)
{
    const dit_config *cfg = config;
    if (cfg->width % cfg->heads) return "width must be a multiple of heads";
    if (cfg->width % 4) return "width must be a multiple of 4";
    if (cfg->time_width % 2) return "time_width must be even";
    if (cfg->conditioning == LIMN_TIME_MODULATES && cfg->norm == LIMN_NORM_POST)
        return "conditioning=modulated needs norm=pre";
    if (cfg->as_diffusers && cfg->conditioning != LIMN_TIME_MODULATES)
        return "as_diffusers=1 needs conditioning=modulated";
    return NULL;
}

static const char *side(const void *config, int pixels)
{
    return limn_side_of_patches(((const dit_config *)config)->patch, pixels);
}

static limn_interface interface(const void *config)
{
    const dit_config *cfg = config;
    return (limn_interface){.width = cfg->size,
                            .height = cfg->size,
                            .channels = cfg->channels,
                            .out_channels = cfg->channels * (1 + cfg->learn_sigma),
                            .learned_variance = cfg->learn_sigma,
                            .classes = cfg->classes,
                            .token_side = cfg->patch};
}

const limn_family limn_family_dit = {
    .name = "dit", .task = "denoise", .input = "latent 64x64x4, timestep", .output = "64x64x4", .loss = "squared error",
    .settings = settings, .interface = interface, .build = build, .check = check, .side = side, .imply = imply,
};
