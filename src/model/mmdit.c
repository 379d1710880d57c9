/* mmdit.c: diffusion transformers that see text; how, says the setting attention: mmdit_cross.c, mmdit_joint.c,
 * mmdit_both.c. */
#include "model/mmdit.h"

enum { CROSS, JOINT, BOTH };

static limn_node *pooled_embed(limn_graph *g, limn_ports *ports, limn_build b, int pooled_width, int width)
{
    if (!ports->pooled_text)
        ports->pooled_text = limn_input(g, "pooled", LIMN_COMPUTE, LIMN_SHAPE(b.batch, pooled_width), LIMN_PER_PROMPT);
    limn_scope_push(g, "y_embedder");
    limn_scope_note(g, "pooled text to a vector");
    limn_node *y = limn_linear(g, "mlp.2", limn_silu(limn_linear(g, "mlp.0", ports->pooled_text, width)), width);
    limn_scope_pop(g);
    return y;
}

static void build(limn_graph *g, const limn_settings *s, limn_build b, limn_ports *ports)
{
    static limn_node *(*const blocks[])(limn_graph *, const limn_settings *, limn_node *, limn_node *, limn_node *) = {
        [CROSS] = limn_mmdit_cross, [JOINT] = limn_mmdit_joint, [BOTH] = limn_mmdit_both};
    int channels = limn_settings_get(s, "channels"), patch = limn_settings_get(s, "patch"),
        width = limn_settings_get(s, "width");
    bool modulated = limn_settings_get(s, "conditioning") == 1;
    int time_width = modulated ? width : limn_settings_get(s, "time_width"),
        pooled_width = limn_settings_get(s, "pooled_width");
    limn_node *picture = limn_picture_input(g, s, b, ports), *text = limn_text_features(g, s, b, ports);
    limn_node *x = limn_patch_tokens(g, picture, patch, width),
              *c = limn_time_ports(g, b, ports, modulated ? 256 : time_width, time_width);
    if (modulated)
        c = limn_add(
            c, pooled_embed(g, ports, b, pooled_width ? pooled_width : limn_settings_get(s, "text_width"), time_width));
    text = limn_linear(g, "context_embedder", text, width);
    ports->tokens = blocks[limn_settings_get(s, "attention")](g, s, x, text, c);
    ports->output = limn_final_layer(g, ports->tokens, modulated ? c : NULL, limn_node_shape(picture), patch, channels);
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
    {"attention", CROSS, 0, 2, "cross|joint|both", "how image and text meet"},
    {"conditioning", 0, 0, 1, "added|modulated", "how the timestep reaches a block"},
    {"norm", 0, 0, 1, "post|pre", "LayerNorm after or before each part of a block"},
    {"qk_norm", 0, 0, 1, NULL, "1: RMS norm of queries and keys (attention=joint, both)"},
    {"text_length", 77, 2, 4096, NULL, "text tokens"},
    {"text_width", 512, 8, 8192, NULL, "width of the text features"},
    {"pooled_width", 0, 0, 8192, NULL,
     "width of the pooled text; 0: text_width (conditioning=modulated, text_encoder=none)"},
    {"text_encoder", 0, 0, 1, "none|clip", "clip: ids come in, and the encoder is trained along"},
    {"text_depth", 4, 1, 128, NULL, "layers of the text encoder"},
    {"text_heads", 4, 1, 128, NULL, "attention heads of the text encoder"},
    {"text_vocab", 8192, 514, 49408, NULL, "tokens known: 512 bytes + merges + 2"},
    {NULL, 0, 0, 0, NULL, NULL},
};

/* Two streams are modulated; modulation comes with LayerNorm in front. */
static void imply(limn_settings *s)
{
    limn_settings_default(s, "conditioning", limn_settings_get(s, "attention") != CROSS);
    limn_settings_default(s, "norm", limn_settings_get(s, "conditioning"));
}

static const char *check(const limn_settings *s)
{
    if (limn_settings_get(s, "width") % limn_settings_get(s, "heads")) return "width must be a multiple of heads";
    if (limn_settings_get(s, "width") % 4) return "width must be a multiple of 4";
    if (limn_settings_get(s, "text_width") % limn_settings_get(s, "text_heads"))
        return "text_width must be a multiple of text_heads";
    if (limn_settings_get(s, "time_width") % 2) return "time_width must be even";
    if (limn_settings_get(s, "conditioning") == 1 && limn_settings_get(s, "norm") == 0)
        return "conditioning=modulated needs norm=pre";
    int pooled = limn_settings_get(s, "pooled_width");
    if (pooled && pooled != limn_settings_get(s, "text_width") && limn_settings_get(s, "text_encoder") == 1)
        return "pooled_width must be 0 or text_width with text_encoder=clip, whose pooled text it is";
    if (limn_settings_get(s, "attention") != CROSS && limn_settings_get(s, "conditioning") != 1)
        return "attention=joint and both need conditioning=modulated norm=pre";
    return NULL;
}

const limn_family limn_family_mmdit = {
    .name = "mmdit",
    .task = "denoise with text",
    .input = "latent 64x64x4, timestep, text 77x512",
    .output = "64x64x4",
    .loss = "squared error",
    .settings = settings,
    .build = build,
    .check = check,
    .side = limn_side_of_patches,
    .imply = imply,
};
