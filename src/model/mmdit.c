/* mmdit.c: diffusion transformers that see text.
 *   attention = cross  one stream; after self-attention, image tokens (query) look at text tokens (key, value)
 *   attention = joint  two streams that meet in one attention, Esser et al. 2024, fig. 2; named as in SD3's repository
 *   attention = both   joint, then cross-attention from the image tokens to the text features */
#include "model/blocks.h"

enum { CROSS, JOINT, BOTH };

/* ---- one stream and cross-attention ------------------------------------------------------------------------------- */

/* x [B,T,D], text [B,L,D], t [B,E] */
static limn_node *added_block(limn_graph *g, const limn_settings *s, limn_node *x, limn_node *text, limn_node *t)
{
    int64_t width = limn_node_shape(x).dim[2];
    int heads = limn_settings_get(s, "heads"), hidden = limn_settings_get(s, "mlp");
    bool post = limn_settings_get(s, "norm") == 0;
    limn_node *time = limn_linear(g, "time_proj", t, width);
    x = limn_add(x, limn_reshape(time, LIMN_SHAPE(limn_node_shape(time).dim[0], 1, width)));
    if (post) {
        x = limn_layer_norm(g, "norm1", limn_add(x, limn_self_attention(g, "attn", x, heads)), 1e-5);
        x = limn_layer_norm(g, "norm_cross", limn_add(x, limn_cross_attention(g, "cross_attn", x, text, heads)), 1e-5);
        return limn_layer_norm(g, "norm2", limn_add(x, limn_mlp(g, "mlp", x, hidden, LIMN_GELU_TANH)), 1e-5);
    }
    x = limn_add(x, limn_self_attention(g, "attn", limn_layer_norm(g, "norm1", x, 1e-5), heads));
    x = limn_add(x, limn_cross_attention(g, "cross_attn", limn_layer_norm(g, "norm_cross", x, 1e-5), text, heads));
    return limn_add(x, limn_mlp(g, "mlp", limn_layer_norm(g, "norm2", x, 1e-5), hidden, LIMN_GELU_TANH));
}

/* DiT's block with cross-attention between its halves, as PixArt has it: the query is not normalised. */
static limn_node *modulated_block(limn_graph *g, const limn_settings *s, limn_node *x, limn_node *text, limn_node *c)
{
    int heads = limn_settings_get(s, "heads");
    limn_node *m[6];
    limn_chunk(limn_linear_zero(g, "adaLN_modulation.1", limn_silu(c), 6 * limn_node_shape(x).dim[2]), 6, m);
    limn_node *h = limn_modulate(limn_layer_norm(g, NULL, x, 1e-6), m[0], m[1]);
    x = limn_gated(x, m[2], limn_self_attention(g, "attn", h, heads));
    x = limn_add(x, limn_cross_attention(g, "cross_attn", x, text, heads));
    h = limn_modulate(limn_layer_norm(g, NULL, x, 1e-6), m[3], m[4]);
    return limn_gated(x, m[5], limn_mlp(g, "mlp", h, limn_settings_get(s, "mlp"), LIMN_GELU_TANH));
}

/* ---- two streams -------------------------------------------------------------------------------------------------- */

typedef struct stream {
    limn_node *x, *m[6], *q, *k, *v;
} stream;

/* Each head of q or k through an RMS norm of its own. */
static limn_node *head_norm(limn_graph *g, const char *name, limn_node *x, int heads)
{
    limn_shape s = limn_node_shape(x);
    limn_node *y = limn_reshape(x, LIMN_SHAPE(s.dim[0], s.dim[1], heads, s.dim[2] / heads));
    return limn_reshape(limn_rms_norm(g, name, y, 1e-6), s);
}

/* Modulated q, k, v of one stream; the last block's context has neither gates nor MLP (n_chunks 2). */
static void stream_qkv(limn_graph *g, const limn_settings *s, const char *name, stream *st, limn_node *c, int n_chunks)
{
    int64_t width = limn_node_shape(st->x).dim[2];
    int heads = limn_settings_get(s, "heads");
    limn_scope_push(g, "%s", name);
    limn_scope_note(g, name[0] == 'x' ? "image stream" : "text stream");
    limn_chunk(limn_linear_zero(g, "adaLN_modulation.1", limn_silu(c), n_chunks * width), n_chunks, st->m);
    limn_node *h = limn_modulate(limn_layer_norm(g, NULL, st->x, 1e-6), st->m[0], st->m[1]), *qkv[3];
    limn_scope_push(g, "attn");
    limn_chunk(limn_linear(g, "qkv", h, 3 * width), 3, qkv);
    bool norm = limn_settings_get(s, "qk_norm");
    st->q = norm ? head_norm(g, "ln_q", qkv[0], heads) : qkv[0];
    st->k = norm ? head_norm(g, "ln_k", qkv[1], heads) : qkv[1];
    st->v = qkv[2];
    limn_scope_pop(g);
    limn_scope_pop(g);
}

static limn_node *stream_finish(limn_graph *g, const limn_settings *s, const char *name, stream *st, limn_node *attended, limn_node *text)
{
    int64_t width = limn_node_shape(st->x).dim[2];
    limn_scope_push(g, "%s", name);
    limn_scope_push(g, "attn");
    limn_node *h = limn_linear(g, "proj", attended, width);
    limn_scope_pop(g);
    limn_node *x = limn_gated(st->x, st->m[2], h);
    if (text) x = limn_add(x, limn_cross_attention(g, "cross_attn", x, text, limn_settings_get(s, "heads")));
    h = limn_modulate(limn_layer_norm(g, NULL, x, 1e-6), st->m[3], st->m[4]);
    x = limn_gated(x, st->m[5], limn_mlp(g, "mlp", h, limn_settings_get(s, "mlp"), LIMN_GELU_TANH));
    limn_scope_pop(g);
    return x;
}

static void joint_block(limn_graph *g, const limn_settings *s, limn_node **x, limn_node **context, limn_node *c, limn_node *text, bool last)
{
    stream a = {.x = *context}, b = {.x = *x};
    stream_qkv(g, s, "context_block", &a, c, last ? 2 : 6);
    stream_qkv(g, s, "x_block", &b, c, 6);
    limn_node *q = limn_concat(g, 1, 2, (limn_node *[]){a.q, b.q}), *k = limn_concat(g, 1, 2, (limn_node *[]){a.k, b.k});
    limn_node *y = limn_attention(q, k, limn_concat(g, 1, 2, (limn_node *[]){a.v, b.v}), limn_settings_get(s, "heads"), false);
    int64_t n_text = limn_node_shape(*context).dim[1], n_image = limn_node_shape(*x).dim[1];
    if (!last) *context = stream_finish(g, s, "context_block", &a, limn_slice(y, 1, 0, n_text), NULL);
    *x = stream_finish(g, s, "x_block", &b, limn_slice(y, 1, n_text, n_image), text);
}

/* ---- the network -------------------------------------------------------------------------------------------------- */

static limn_node *pooled_embed(limn_graph *g, limn_ports *ports, limn_build b, int pooled_width, int width)
{
    if (!ports->pooled_text) ports->pooled_text = limn_input(g, "pooled", LIMN_COMPUTE, LIMN_SHAPE(b.batch, pooled_width), LIMN_PER_PROMPT);
    limn_scope_push(g, "y_embedder");
    limn_scope_note(g, "pooled text to a vector");
    limn_node *y = limn_linear(g, "mlp.2", limn_silu(limn_linear(g, "mlp.0", ports->pooled_text, width)), width);
    limn_scope_pop(g);
    return y;
}

static limn_node *run_blocks(limn_graph *g, const limn_settings *s, limn_node *x, limn_node *context, limn_node *c)
{
    int depth = limn_settings_get(s, "depth"), attention = limn_settings_get(s, "attention");
    bool modulated = limn_settings_get(s, "conditioning") == 1;
    limn_node *text = context;
    for (int i = 0; i < depth; i++) {
        limn_scope_push(g, attention == CROSS ? "blocks.%d" : "joint_blocks.%d", i);
        limn_scope_note(g, attention == CROSS ? "self-attention, cross-attention, MLP" : "MMDiT block: two streams, one attention");
        if (attention != CROSS) joint_block(g, s, &x, &context, c, attention == BOTH ? text : NULL, i == depth - 1);
        else x = modulated ? modulated_block(g, s, x, text, c) : added_block(g, s, x, text, c);
        limn_scope_pop(g);
    }
    return x;
}

static void build(limn_graph *g, const limn_settings *s, limn_build b, limn_ports *ports)
{
    int h = limn_build_height(s, b), w = limn_build_width(s, b), channels = limn_settings_get(s, "channels"), patch = limn_settings_get(s, "patch");
    int width = limn_settings_get(s, "width");
    bool modulated = limn_settings_get(s, "conditioning") == 1;
    limn_node *picture = limn_picture_input(g, s, b, ports), *text = limn_text_features(g, s, b, ports);
    limn_node *x = limn_add_positions(g, limn_patch_embed(g, "x_embedder", picture, patch, width), h / patch, w / patch);
    int time_width = modulated ? width : limn_settings_get(s, "time_width");
    limn_node *c = limn_time_ports(g, b, ports, modulated ? 256 : time_width, time_width);
    int pooled_width = limn_settings_get(s, "pooled_width");
    if (modulated) c = limn_add(c, pooled_embed(g, ports, b, pooled_width ? pooled_width : limn_settings_get(s, "text_width"), time_width));
    x = run_blocks(g, s, x, limn_linear(g, "context_embedder", text, width), c);
    ports->tokens = x;
    limn_scope_push(g, "final_layer");
    limn_scope_note(g, "tokens to picture");
    if (modulated) {
        limn_node *m[2];
        limn_chunk(limn_linear_zero(g, "adaLN_modulation.1", limn_silu(c), 2 * width), 2, m);
        x = limn_modulate(limn_layer_norm(g, NULL, x, 1e-6), m[0], m[1]);
    }
    ports->output = limn_unpatchify(g, limn_linear_zero(g, "linear", x, (int64_t)patch * patch * channels), h, w, patch, channels);
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
    {"attention", CROSS, 0, 2, "cross|joint|both", "how image and text meet"},
    {"conditioning", 0, 0, 1, "added|modulated", "how the timestep reaches a block"},
    {"norm", 0, 0, 1, "post|pre", "LayerNorm after or before each part of a block"},
    {"qk_norm", 0, 0, 1, NULL, "1: RMS norm of queries and keys (attention=joint, both)"},
    {"text_length", 77, 2, 4096, NULL, "text tokens"},
    {"text_width", 512, 8, 8192, NULL, "width of the text features"},
    {"pooled_width", 0, 0, 8192, NULL, "width of the pooled text; 0: text_width (conditioning=modulated, text_encoder=none)"},
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
    if (limn_settings_get(s, "text_width") % limn_settings_get(s, "text_heads")) return "text_width must be a multiple of text_heads";
    if (limn_settings_get(s, "time_width") % 2) return "time_width must be even";
    if (limn_settings_get(s, "conditioning") == 1 && limn_settings_get(s, "norm") == 0) return "conditioning=modulated needs norm=pre";
    int pooled = limn_settings_get(s, "pooled_width");
    if (pooled && pooled != limn_settings_get(s, "text_width") && limn_settings_get(s, "text_encoder") == 1)
        return "pooled_width must be 0 or text_width with text_encoder=clip, whose pooled text it is";
    if (limn_settings_get(s, "attention") != CROSS && limn_settings_get(s, "conditioning") != 1)
        return "attention=joint and both need conditioning=modulated norm=pre";
    return NULL;
}

const limn_family limn_family_mmdit = {
    .name = "mmdit", .task = "denoise with text", .input = "latent 64x64x4, timestep, text 77x512", .output = "64x64x4", .loss = "squared error", .settings = settings, .build = build, .check = check, .side = limn_side_of_patches, .imply = imply,
};
