/* clip.c: the CLIP text transformer (Radford et al. 2021): causal, pre-norm, learned positions.
 * Names as published: text_model.embeddings.token_embedding.weight ... */
#include "model/blocks.h"

typedef struct clip_options {
    int batch, length, vocab, width, depth, heads;
    limn_activation activation;
} clip_options;

static limn_node *clip_layer(limn_graph *g, limn_node *x, const clip_options *o)
{
    int64_t width = limn_node_shape(x).dim[2];
    limn_node *h = limn_layer_norm(g, "layer_norm1", x, 1e-5);
    limn_scope_push(g, "self_attn");
    limn_scope_note(g, "every token looks at those before it");
    limn_node *q = limn_linear(g, "q_proj", h, width), *k = limn_linear(g, "k_proj", h, width),
              *v = limn_linear(g, "v_proj", h, width);
    h = limn_linear(g, "out_proj", limn_attention(q, k, v, o->heads, true), width);
    limn_scope_pop(g);
    x = limn_add(x, h);
    return limn_add(x, limn_mlp(g, "mlp", limn_layer_norm(g, "layer_norm2", x, 1e-5), (int)(4 * width), o->activation));
}

/* The transformer under the current scope's names text_model...; fills ids, text_end, pooled_text. @return [B,T,D] */
static limn_node *clip_text(limn_graph *g, limn_ports *ports, const clip_options *o)
{
    int batch = o->batch, length = o->length, width = o->width;
    ports->ids = limn_input(g, "ids", LIMN_INDEX, LIMN_SHAPE(batch, length), LIMN_PER_PROMPT);
    ports->text_end = limn_input(g, "text_end", LIMN_INDEX, LIMN_SHAPE(batch), LIMN_PER_PROMPT);
    limn_scope_push(g, "text_model");
    limn_scope_note(g, "CLIP's text transformer");
    limn_scope_push(g, "embeddings");
    limn_scope_note(g, "words and their places");
    limn_node *x = limn_embedding(g, "token_embedding", ports->ids, o->vocab, width);
    limn_init normal = {.kind = LIMN_INIT_NORMAL, .scale = 0.01f};
    x = limn_add(x, limn_parameter(g, "position_embedding.weight", LIMN_SHAPE(length, width), normal));
    limn_scope_pop(g);
    for (int i = 0; i < o->depth; i++) {
        limn_scope_push(g, "encoder.layers.%d", i);
        x = clip_layer(g, x, o);
        limn_scope_pop(g);
    }
    x = limn_layer_norm(g, "final_layer_norm", x, 1e-5);
    limn_scope_pop(g);
    ports->pooled_text = limn_gather(limn_reshape(x, LIMN_SHAPE((int64_t)batch * length, width)), ports->text_end);
    return x;
}

limn_node *limn_text_features(limn_graph *g, const limn_settings *s, limn_build b, limn_ports *ports)
{
    int length = limn_settings_get(s, "text_length"), width = limn_settings_get(s, "text_width");
    if (limn_settings_get(s, "text_encoder") == 0) {
        ports->features = limn_input(g, "features", LIMN_COMPUTE, LIMN_SHAPE(b.batch, length, width), LIMN_PER_PROMPT);
        return ports->features;
    }
    limn_scope_push(g, "text_encoder");
    limn_scope_note(g, "ids to features, trained along");
    clip_options o = {.batch = b.batch,
                      .length = length,
                      .vocab = limn_settings_get(s, "text_vocab"),
                      .width = width,
                      .depth = limn_settings_get(s, "text_depth"),
                      .heads = limn_settings_get(s, "text_heads"),
                      .activation = LIMN_GELU_QUICK};
    limn_node *text = clip_text(g, ports, &o);
    limn_scope_pop(g);
    return text;
}

static const limn_setting settings[] = {
    {"text_length", 77, 2, 4096, NULL, "tokens"},
    {"text_width", 512, 8, 8192, NULL, "width of the text features"},
    {"text_depth", 12, 1, 128, NULL, "layers"},
    {"text_heads", 8, 1, 128, NULL, "attention heads"},
    {"text_vocab", 49408, 514, 49408, NULL, "tokens known: 512 bytes + merges + 2"},
    {"text_activation", 0, 0, 1, "quick_gelu|gelu", "of the MLPs: OpenAI's CLIP has quick_gelu, OpenCLIP's large ones gelu"},
    {NULL, 0, 0, 0, NULL, NULL},
};

static const char *check(const limn_settings *s)
{
    return limn_settings_get(s, "text_width") % limn_settings_get(s, "text_heads")
               ? "text_width must be a multiple of text_heads"
               : NULL;
}

static void build(limn_graph *g, const limn_settings *s, limn_build b, limn_ports *ports)
{
    clip_options o = {.batch = b.batch,
                      .length = limn_settings_get(s, "text_length"),
                      .vocab = limn_settings_get(s, "text_vocab"),
                      .width = limn_settings_get(s, "text_width"),
                      .depth = limn_settings_get(s, "text_depth"),
                      .heads = limn_settings_get(s, "text_heads"),
                      .activation = limn_settings_get(s, "text_activation") ? LIMN_GELU_ERF : LIMN_GELU_QUICK};
    ports->output = ports->features = clip_text(g, ports, &o);
}

const limn_family limn_family_clip_text = {
    .kind = LIMN_ENCODES_TEXT,
    .name = "clip-text",
    .task = "text to features",
    .input = "77 ids",
    .output = "features 77x512",
    .loss = "contrastive",
    .settings = settings,
    .build = build,
    .check = check,
};
