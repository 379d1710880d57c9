/* clip.c: the CLIP text transformer (Radford et al. 2021): causal, pre-norm, learned positions.  With a projection a whole
 * text becomes a vector, too (OpenCLIP's bigG in Stable Diffusion XL).
 * Names as published: text_model.embeddings.token_embedding.weight ... */
#include "model/blocks.h"

static limn_node *clip_layer(limn_graph *g, limn_node *x, int heads, limn_activation activation)
{
    int64_t width = limn_node_shape(x).dim[2];
    limn_node *h = limn_layer_norm(g, "layer_norm1", x, 1e-5);
    limn_scope_push(g, "self_attn");
    limn_scope_note(g, "every token looks at those before it");
    limn_node *q = limn_linear(g, "q_proj", h, width), *k = limn_linear(g, "k_proj", h, width),
              *v = limn_linear(g, "v_proj", h, width);
    h = limn_linear(g, "out_proj", limn_attention(q, k, v, heads, true), width);
    limn_scope_pop(g);
    x = limn_add(x, h);
    return limn_add(x, limn_mlp(g, "mlp", limn_layer_norm(g, "layer_norm2", x, 1e-5), (int)(4 * width), activation));
}

/* Words that are vectors in place of those that are ids. */
static limn_node *clip_vectors(limn_graph *g, limn_ports *ports, limn_node *x)
{
    limn_shape shape = limn_node_shape(x);
    ports->kept = limn_input(g, "kept", LIMN_COMPUTE, LIMN_SHAPE(shape.dim[0], shape.dim[1], 1), LIMN_PER_PROMPT);
    ports->vectors = limn_input(g, "vectors", LIMN_COMPUTE, shape, LIMN_PER_PROMPT);
    return limn_add(limn_mul(x, ports->kept), ports->vectors);
}

static limn_node *clip_layers(limn_graph *g, limn_node *x, int heads, limn_activation activation, int from, int to)
{
    for (int i = from; i < to; i++) {
        limn_scope_push(g, "encoder.layers.%d", i);
        x = clip_layer(g, x, heads, activation);
        limn_scope_pop(g);
    }
    return x;
}

/* x where the text ends, projected.   x [B,T,D] */
static limn_node *clip_pooled(limn_graph *g, const limn_ports *ports, limn_node *x, int projection)
{
    limn_shape s = limn_node_shape(x);
    x = limn_gather(limn_reshape(x, LIMN_SHAPE(s.dim[0] * s.dim[1], s.dim[2])), ports->text_end);
    return projection ? limn_linear_with(g, "text_projection", x, projection, (limn_linear_options){.no_bias = true}) : x;
}

/* The transformer under the current scope's names text_model...; fills ids, text_end, and pooled_text, which raw features
 * have beside them where it is projected or asked for.  @return [B,T,D] */
static limn_node *clip_text(limn_graph *g, limn_ports *ports, limn_build b, const limn_text_config *cfg,
                            clip_activation kind, int projection)
{
    limn_activation activation = kind == CLIP_GELU ? LIMN_GELU_ERF : LIMN_GELU_QUICK;
    int length = cfg->length, width = cfg->width, batch = b.batch, seen = cfg->depth - b.text_skip;
    bool pools = !b.text_raw || projection || b.text_pools;
    ports->ids = limn_input(g, "ids", LIMN_INDEX, LIMN_SHAPE(batch, length), LIMN_PER_PROMPT);
    ports->text_end = limn_input(g, "text_end", LIMN_INDEX, LIMN_SHAPE(batch), LIMN_PER_PROMPT);
    limn_scope_push(g, "text_model");
    limn_scope_note(g, "CLIP's text transformer");
    limn_scope_push(g, "embeddings");
    limn_scope_note(g, "words and their places");
    limn_node *x = limn_embedding(g, "token_embedding", ports->ids, cfg->vocab, width);
    if (b.vectors) x = clip_vectors(g, ports, x);
    limn_init normal = {.kind = LIMN_INIT_NORMAL, .scale = 0.01f};
    x = limn_add(x, limn_parameter(g, "position_embedding.weight", LIMN_SHAPE(length, width), normal));
    limn_scope_pop(g);
    x = clip_layers(g, x, cfg->heads, activation, 0, seen);
    limn_node *raw = x;
    if (b.text_raw && pools) x = clip_layers(g, x, cfg->heads, activation, seen, cfg->depth);
    if (pools) x = limn_layer_norm(g, "final_layer_norm", x, 1e-5);
    limn_scope_pop(g);
    if (pools) ports->pooled_text = clip_pooled(g, ports, x, projection);
    return b.text_raw ? raw : x;
}

limn_node *limn_text_features(limn_graph *g, const limn_text_config *cfg, limn_build b, limn_ports *ports)
{
    limn_shape shape = LIMN_SHAPE(b.batch, b.text_length ? b.text_length : cfg->length, cfg->width);
    if (cfg->encoder == LIMN_TEXT_FEATURES)
        return ports->features = limn_input(g, "features", LIMN_COMPUTE, shape, LIMN_PER_PROMPT);
    limn_scope_push(g, "text_encoder");
    limn_scope_note(g, "ids to features, trained along");
    limn_node *text = clip_text(g, ports, b, cfg, CLIP_QUICK_GELU, 0);
    limn_scope_pop(g);
    return text;
}

static const limn_setting settings[] = {
    LIMN_TEXT_SIZES(clip_config, 512),
    LIMN_TEXT_LAYERS(clip_config, 12, 8, 49408),
    LIMN_CHOICE_AS("text_activation", clip_config, activation, CLIP_QUICK_GELU, "quick_gelu|gelu",
                   "of the MLPs: OpenAI's CLIP has quick_gelu, OpenCLIP's large ones gelu"),
    LIMN_NUMBER_AS("text_projection", clip_config, projection, 0, 0, 8192,
                   "width of the vector that a whole text is projected to; 0: it is not"),
    {.name = NULL},
};

static const char *check(const void *config)
{
    const clip_config *cfg = config;
    return cfg->text.width % cfg->text.heads ? "text_width must be a multiple of text_heads" : NULL;
}

static void build(limn_graph *g, const void *config, limn_build b, limn_ports *ports)
{
    const clip_config *cfg = config;
    ports->output = ports->features = clip_text(g, ports, b, &cfg->text, cfg->activation, cfg->projection);
}

/* It is trained in other networks, which read the ids. */
static limn_interface interface(const void *config)
{
    const clip_config *cfg = config;
    const limn_text_config *text = &cfg->text;
    return (limn_interface){.vocabulary = text->vocab, .text_length = text->length, .text_width = text->width,
                            .text_depth = text->depth, .pooled_width = cfg->projection};
}

const limn_family limn_family_clip_text = {
    .kind = LIMN_ENCODES_TEXT,
    .name = "clip-text",
    .task = "text to features",
    .input = "77 ids",
    .output = "features 77x512",
    .loss = "contrastive",
    .settings = settings,
    .interface = interface,
    .build = build,
    .check = check,
};
