/* dit.c: diffusion transformers of one stream.
 *   conditioning = added      time is projected and added to the tokens in every block
 *   conditioning = modulated  adaLN-Zero, Peebles & Xie 2022, fig. 3; weights named as in their repository */
#include "model/blocks.h"

/* x + attn, x + mlp, each followed (post) or preceded (pre) by LayerNorm.   x [B,T,D], t [B,E] */
static limn_node *added_block(limn_graph *g, const limn_settings *s, limn_node *x, limn_node *t)
{
    limn_shape shape = limn_node_shape(x);
    int heads = limn_settings_get(s, "heads"), hidden = limn_settings_get(s, "mlp");
    bool post = limn_settings_get(s, "norm") == 0;
    limn_node *time = limn_linear(g, "time_proj", t, shape.dim[2]);
    x = limn_add(x, limn_reshape(time, LIMN_SHAPE(limn_node_shape(time).dim[0], 1, shape.dim[2])));
    if (post) {
        x = limn_layer_norm(g, "norm1", limn_add(x, limn_self_attention(g, "attn", x, heads)), 1e-5);
        return limn_layer_norm(g, "norm2", limn_add(x, limn_mlp(g, "mlp", x, hidden, LIMN_GELU_TANH)), 1e-5);
    }
    x = limn_add(x, limn_self_attention(g, "attn", limn_layer_norm(g, "norm1", x, 1e-5), heads));
    return limn_add(x, limn_mlp(g, "mlp", limn_layer_norm(g, "norm2", x, 1e-5), hidden, LIMN_GELU_TANH));
}

/* x [B,T,D], c [B,D] */
static limn_node *modulated_block(limn_graph *g, const limn_settings *s, limn_node *x, limn_node *c)
{
    limn_node *m[6]; /* shift, scale, gate: attention, then MLP */
    limn_chunk(limn_linear_zero(g, "adaLN_modulation.1", limn_silu(c), 6 * limn_node_shape(x).dim[2]), 6, m);
    limn_node *h = limn_modulate(limn_layer_norm(g, NULL, x, 1e-6), m[0], m[1]);
    x = limn_gated(x, m[2], limn_self_attention(g, "attn", h, limn_settings_get(s, "heads")));
    h = limn_modulate(limn_layer_norm(g, NULL, x, 1e-6), m[3], m[4]);
    return limn_gated(x, m[5], limn_mlp(g, "mlp", h, limn_settings_get(s, "mlp"), LIMN_GELU_TANH));
}

static void build(limn_graph *g, const limn_settings *s, limn_build b, limn_ports *ports)
{
    int h = limn_build_height(s, b), w = limn_build_width(s, b), channels = limn_settings_get(s, "channels"), patch = limn_settings_get(s, "patch");
    int width = limn_settings_get(s, "width"), classes = limn_settings_get(s, "classes"), out = channels * (1 + limn_settings_get(s, "learn_sigma"));
    bool modulated = limn_settings_get(s, "conditioning") == 1;
    limn_node *x = limn_patch_embed(g, "x_embedder", limn_picture_input(g, s, b, ports), patch, width);
    x = limn_add_positions(g, x, h / patch, w / patch);
    int time_width = modulated ? width : limn_settings_get(s, "time_width");
    limn_node *c = limn_time_ports(g, b, ports, modulated ? 256 : time_width, time_width);
    if (classes) {
        ports->label = limn_input(g, "label", LIMN_INDEX, LIMN_SHAPE(b.batch), LIMN_PER_PROMPT);
        limn_scope_push(g, "y_embedder");
        limn_scope_note(g, "class to a vector; the last row means no class");
        limn_node *y = limn_embedding(g, "embedding_table", ports->label, classes + 1, time_width);
        limn_scope_pop(g);
        c = limn_add(c, y);
    }
    for (int i = 0; i < limn_settings_get(s, "depth"); i++) {
        limn_scope_push(g, "blocks.%d", i);
        limn_scope_note(g, modulated ? "DiT block, modulated by time (adaLN-Zero)" : "DiT block, time added");
        x = modulated ? modulated_block(g, s, x, c) : added_block(g, s, x, c);
        limn_scope_pop(g);
    }
    ports->tokens = x;
    limn_scope_push(g, "final_layer");
    limn_scope_note(g, "tokens to picture");
    if (modulated) {
        limn_node *m[2];
        limn_chunk(limn_linear_zero(g, "adaLN_modulation.1", limn_silu(c), 2 * width), 2, m);
        x = limn_modulate(limn_layer_norm(g, NULL, x, 1e-6), m[0], m[1]);
    }
    x = limn_linear_zero(g, "linear", x, (int64_t)patch * patch * out);
    ports->output = limn_unpatchify(g, x, h, w, patch, out);
    limn_scope_pop(g);
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
    if (limn_settings_get(s, "conditioning") == 1 && limn_settings_get(s, "norm") == 0) return "conditioning=modulated needs norm=pre";
    return NULL;
}

const limn_family limn_family_dit = {
    .name = "dit", .task = "denoise", .input = "latent 64x64x4, timestep", .output = "64x64x4", .loss = "squared error",
    .settings = settings, .build = build, .check = check, .side = limn_side_of_patches, .imply = imply,
};
