/* dit.c: diffusion transformers of one stream.
 *   conditioning = added      time is projected and added to the tokens in every block
 *   conditioning = modulated  adaLN-Zero, Peebles & Xie 2022, fig. 3; weights named as in their repository */
#include "model/blocks.h"

static void build(limn_graph *g, const limn_settings *s, limn_build b, limn_ports *ports)
{
    int channels = limn_settings_get(s, "channels"), patch = limn_settings_get(s, "patch"),
        width = limn_settings_get(s, "width");
    bool modulated = limn_settings_get(s, "conditioning") == 1;
    int time_width = modulated ? width : limn_settings_get(s, "time_width");
    limn_node *picture = limn_picture_input(g, s, b, ports), *x = limn_patch_tokens(g, picture, patch, width);
    limn_node *c = limn_add_label(g, s, b, ports, limn_time_ports(g, b, ports, modulated ? 256 : time_width, time_width));
    for (int i = 0; i < limn_settings_get(s, "depth"); i++) {
        limn_scope_push(g, "blocks.%d", i);
        limn_scope_note(g, modulated ? "DiT block, modulated by time (adaLN-Zero)" : "DiT block, time added");
        x = modulated ? limn_modulated_block(g, s, x, NULL, c) : limn_added_block(g, s, x, NULL, c);
        limn_scope_pop(g);
    }
    ports->tokens = x;
    channels *= 1 + limn_settings_get(s, "learn_sigma");
    ports->output = limn_final_layer(g, x, modulated ? c : NULL, limn_node_shape(picture), patch, channels);
}

static const limn_setting settings[] = {
    {"size", 64, 1, 4096, NULL, "height and width of the picture or latent"},
    {"channels", 4, 1, 64, NULL, "channels of the picture or latent"},
    {"patch", 4, 1, 64, NULL, "pixels along one side of a token"},
    {"width", 64, 4, 16384, NULL, "width of a token"},
    {"depth", 12, 1, 256, NULL, "blocks"},
    {"heads", 4, 1, 256, NULL, "attention heads"},
    {"mlp", 256, 1, 65536, NULL, "hidden width of the MLP"},
    {"time_width", 128, 2, 16384, NULL, "width of the timestep embedding (conditioning=added)"},
    {"conditioning", 0, 0, 1, "added|modulated", "how the timestep reaches a block"},
    {"norm", 0, 0, 1, "post|pre", "LayerNorm after or before each part of a block"},
    {"classes", 0, 0, 1000000, NULL, "class labels; 0: none"},
    {"learn_sigma", 0, 0, 1, NULL, "1: the network also predicts the variance"},
    {NULL, 0, 0, 0, NULL, NULL},
};

/* Modulation comes with LayerNorm in front. */
static void imply(limn_settings *s)
{
    limn_settings_default(s, "norm", limn_settings_get(s, "conditioning"));
}

static const char *check(const limn_settings *s)
{
    if (limn_settings_get(s, "width") % limn_settings_get(s, "heads")) return "width must be a multiple of heads";
    if (limn_settings_get(s, "width") % 4) return "width must be a multiple of 4";
    if (limn_settings_get(s, "time_width") % 2) return "time_width must be even";
    if (limn_settings_get(s, "conditioning") == 1 && limn_settings_get(s, "norm") == 0)
        return "conditioning=modulated needs norm=pre";
    return NULL;
}

const limn_family limn_family_dit = {
    .name = "dit", .task = "denoise", .input = "latent 64x64x4, timestep", .output = "64x64x4", .loss = "squared error",
    .settings = settings, .build = build, .check = check, .side = limn_side_of_patches, .imply = imply,
};
