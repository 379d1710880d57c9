/* uvit.c: U-ViT, Bao et al. 2023, "All are Worth Words": time, class or text, and patches are all tokens of one transformer,
 * whose first half hands its tokens to the second over long skips, as a U-Net does.  Weights named as in their repository.
 *
 *   tokens = [class?, time, text?, patches] + pos_embed          one of class and text
 *   depth / 2 blocks -> one block -> depth / 2 blocks, each of linear([x, skip]) first, the last skip first
 *   norm, linear to pixels, 3x3 convolution over the picture
 *
 * Here E tokens come before the patches, T = E + H / patch W / patch. */
#include "model/blocks.h"

/* All linear layers and tables of tokens start so; biases at zero. */
static const limn_init normal = {.kind = LIMN_INIT_NORMAL, .scale = 0.02f, .decay = true};
static const limn_linear_options started = {.weight_init = &normal};

/* x + attention(norm1(x)), x + mlp(norm2(x)), of linear([x, skip]) where there is a skip.   x skip [B,T,D] */
static limn_node *block(limn_graph *g, const uvit_config *cfg, limn_node *x, limn_node *skip)
{
    int width = cfg->width, hidden = cfg->mlp;
    if (skip) x = limn_linear_with(g, "skip_linear", limn_concat(g, 2, 2, (limn_node *[]){x, skip}), width, started);
    limn_node *h = limn_layer_norm(g, "norm1", x, 1e-5);
    limn_scope_push(g, "attn");
    limn_scope_note(g, "self-attention over all tokens");
    h = limn_linear_with(g, "qkv", h, 3 * width, (limn_linear_options){.no_bias = true, .weight_init = &normal});
    h = limn_linear_with(g, "proj", limn_attention_qkv(h, cfg->heads, false), width, started);
    limn_scope_pop(g);
    x = limn_add(x, h);
    h = limn_layer_norm(g, "norm2", x, 1e-5);
    limn_scope_push(g, "mlp");
    h = limn_activate(limn_linear_with(g, "fc1", h, hidden, started), LIMN_GELU_ERF);
    h = limn_linear_with(g, "fc2", h, width, started);
    limn_scope_pop(g);
    return limn_add(x, h);
}

/* [B or 1, D] -> one token of each sample [B,1,D] */
static limn_node *as_token(limn_node *v, int batch)
{
    int64_t width = limn_node_shape(v).dim[1];
    return limn_expand(limn_reshape(v, LIMN_SHAPE(-1, 1, width)), LIMN_SHAPE(batch, 1, width));
}

/* [B,T,D]: what conditions the picture, then the picture */
static limn_node *tokens_of(limn_graph *g, const uvit_config *cfg, limn_build b, limn_ports *ports)
{
    int width = cfg->width, classes = cfg->classes, n = 0;
    limn_node *part[4];
    if (classes) {
        ports->label = limn_input(g, "label", LIMN_INDEX, LIMN_SHAPE(b.batch), LIMN_PER_PROMPT);
        part[n++] = as_token(limn_embedding(g, "label_emb", ports->label, classes + 1, width), b.batch);
    }
    limn_node *time = limn_timestep_embedding(limn_time_input(g, b, ports), width, 10000, true);
    if (cfg->time_mlp) {
        limn_scope_push(g, "time_embed");
        time = limn_linear_with(g, "2", limn_silu(limn_linear_with(g, "0", time, 4 * width, started)), width, started);
        limn_scope_pop(g);
    }
    part[n++] = as_token(limn_time_of_step(ports, time), b.batch);
    if (cfg->has_text)
        part[n++] = limn_linear_with(g, "context_embed", limn_text_features(g, &cfg->text, b, ports), width, started);
    part[n++] = limn_patch_embed(g, "patch_embed", ports->image, cfg->patch, width);
    limn_node *x = limn_concat(g, 1, n, part);
    limn_init table = {.kind = LIMN_INIT_NORMAL, .scale = 0.02f};
    return limn_add(x, limn_parameter(g, "pos_embed", LIMN_SHAPE(1, limn_node_shape(x).dim[1], width), table));
}

static limn_node *one_block(limn_graph *g, const uvit_config *cfg, const char *part, int i, limn_node *x, limn_node *skip)
{
    if (i < 0) limn_scope_push(g, "%s", part);
    else limn_scope_push(g, "%s.%d", part, i);
    limn_scope_note(g, skip ? "transformer block, joined by its skip" : "transformer block");
    x = block(g, cfg, x, skip);
    limn_scope_pop(g);
    return x;
}

static void build(limn_graph *g, const void *config, limn_build b, limn_ports *ports)
{
    const uvit_config *cfg = config;
    int h = b.height, w = b.width, channels = cfg->channels,
        patch = cfg->patch;
    int half = cfg->depth / 2;
    limn_picture_input(g, b, cfg->channels, 0, ports);
    limn_node *x = tokens_of(g, cfg, b, ports), *skip[128];
    for (int i = 0; i < half; i++) skip[i] = x = one_block(g, cfg, "in_blocks", i, x, NULL);
    x = one_block(g, cfg, "mid_block", -1, x, NULL);
    for (int i = 0; i < half; i++) x = one_block(g, cfg, "out_blocks", i, x, skip[half - 1 - i]);
    x = limn_layer_norm(g, "norm", x, 1e-5);
    int64_t n = (int64_t)(h / patch) * (w / patch);
    ports->tokens = limn_slice(x, 1, limn_node_shape(x).dim[1] - n, n);
    x = limn_linear_with(g, "decoder_pred", ports->tokens, (int64_t)patch * patch * channels, started);
    ports->output = limn_unpatchify(g, x, h, w, patch, channels);
    if (cfg->final_conv) ports->output = limn_conv(g, "final_layer", ports->output, channels, 3);
}

static const limn_setting settings[] = {
    LIMN_NUMBER(uvit_config, size, 32, 1, 4096, "height and width of the picture or latent"),
    LIMN_NUMBER(uvit_config, channels, 3, 1, 64, "channels of the picture or latent"),
    LIMN_NUMBER(uvit_config, patch, 2, 1, 64, "pixels along one side of a token"),
    LIMN_NUMBER(uvit_config, width, 512, 4, 16384, "width of a token"),
    LIMN_NUMBER(uvit_config, depth, 12, 2, 256, "blocks beside the middle one, half of them before it"),
    LIMN_NUMBER(uvit_config, heads, 8, 1, 256, "attention heads"),
    LIMN_NUMBER(uvit_config, mlp, 2048, 1, 65536, "hidden width of the MLP"),
    LIMN_FLAG(uvit_config, time_mlp, false, "1: the sinusoids of the timestep pass an MLP before they are a token"),
    LIMN_FLAG(uvit_config, final_conv, true, "1: a 3x3 convolution over the picture at the end"),
    LIMN_CLASSES(uvit_config),
    LIMN_FLAG_AS("text", uvit_config, has_text, false, "1: text tokens among the others"),
    LIMN_TEXT_SIZES(uvit_config, 768),
    LIMN_TEXT_ENCODER(uvit_config),
    LIMN_TEXT_LAYERS(uvit_config, 4, 4, 8192),
    {.name = NULL},
};

static const char *check(const void *config)
{
    const uvit_config *cfg = config;
    if (cfg->width % cfg->heads) return "width must be a multiple of heads";
    if (cfg->width % 2) return "width must be even";
    if (cfg->depth % 2) return "depth must be even: one half hands its tokens to the other";
    if (cfg->has_text && cfg->classes) return "text and classes exclude each other";
    if (cfg->text.width % cfg->text.heads) return "text_width must be a multiple of text_heads";
    return NULL;
}

static const char *side(const void *config, int pixels)
{
    return limn_side_of_patches(((const uvit_config *)config)->patch, pixels);
}

static limn_interface interface(const void *config)
{
    const uvit_config *cfg = config;
    return (limn_interface){.width = cfg->size,
                            .height = cfg->size,
                            .channels = cfg->channels,
                            .out_channels = cfg->channels,
                            .classes = cfg->classes,
                            .reads_ids = cfg->has_text && cfg->text.encoder == LIMN_TEXT_CLIP,
                            .vocabulary = cfg->text.vocab,
                            .text_length = cfg->text.length,
                            .text_width = cfg->text.width,
                            .text_encoder = cfg->has_text && cfg->text.encoder == LIMN_TEXT_CLIP ? &cfg->text : NULL,
                            .token_side = cfg->patch};
}

const limn_family limn_family_uvit = {
    .name = "uvit", .task = "denoise", .input = "picture 32x32x3, timestep", .output = "32x32x3", .loss = "squared error",
    .settings = settings, .interface = interface, .build = build, .check = check, .side = side, .learned_places = true,
};
