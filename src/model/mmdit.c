/* mmdit.c: diffusion transformers that see text; how, says the setting attention: mmdit_cross.c, mmdit_joint.c,
 * mmdit_both.c. */
#include "model/mmdit.h"

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

/* The middle [1, h w, D] of a stored table of n x n places, "pos_embed" [1, n n, D]; of one that begins anew the places of a
 * picture of the network's own size are 1 apart. */
static limn_node *middle_places(limn_graph *g, const mmdit_config *cfg, int h, int w)
{
    int n = cfg->places;
    limn_init table = {.kind = LIMN_INIT_SINCOS_2D, .frozen = true, .grid_h = n, .grid_w = n,
                       .grid_base = cfg->size / cfg->patch, .grid_stored = true};
    limn_node *p = limn_parameter(g, "pos_embed", LIMN_SHAPE(1, (int64_t)n * n, cfg->width), table);
    p = limn_slice(limn_reshape(p, LIMN_SHAPE(n, n, cfg->width)), 0, (n - h) / 2, h);
    return limn_reshape(limn_slice(p, 1, (n - w) / 2, w), LIMN_SHAPE(1, (int64_t)h * w, cfg->width));
}

static limn_node *tokens_of(limn_graph *g, const mmdit_config *cfg, limn_node *picture)
{
    if (!cfg->places) return limn_patch_tokens(g, picture, cfg->patch, cfg->width, 0);
    limn_shape s = limn_node_shape(picture);
    limn_node *x = limn_patch_embed(g, "x_embedder", picture, cfg->patch, cfg->width);
    return limn_add(x, middle_places(g, cfg, (int)s.dim[1] / cfg->patch, (int)s.dim[2] / cfg->patch));
}

static void build(limn_graph *g, const void *config, limn_build b, limn_ports *ports)
{
    static limn_node *(*const blocks[])(limn_graph *, const mmdit_config *, uint64_t, limn_node *, limn_node *,
                                        limn_node *) = {
        [MMDIT_CROSS] = limn_mmdit_cross, [MMDIT_JOINT] = limn_mmdit_joint, [MMDIT_BOTH] = limn_mmdit_both};
    const mmdit_config *cfg = config;
    bool modulated = cfg->conditioning == LIMN_TIME_MODULATES;
    int time_width = modulated ? cfg->width : cfg->time_width,
        pooled_width = cfg->pooled_width ? cfg->pooled_width : cfg->text.width;
    limn_node *picture = limn_picture_input(g, b, cfg->channels, 0, ports);
    limn_node *text = limn_text_features(g, &cfg->text, b, ports);
    limn_node *x = tokens_of(g, cfg, picture),
              *c = limn_time_ports(g, b, ports, modulated ? 256 : time_width, 10000, time_width);
    if (modulated) c = limn_add(c, pooled_embed(g, ports, b, pooled_width, time_width));
    text = limn_linear(g, "context_embedder", text, cfg->width);
    ports->tokens = blocks[cfg->attention](g, cfg, b.left_out, x, text, c);
    ports->output = limn_final_layer(g, ports->tokens, modulated ? c : NULL, limn_node_shape(picture), cfg->patch,
                                     cfg->channels);
}

static const limn_setting settings[] = {
    LIMN_NUMBER(mmdit_config, size, 64, 1, 4096, "height and width of the picture or latent"),
    LIMN_NUMBER(mmdit_config, channels, 4, 1, 64, "channels of the picture or latent"),
    LIMN_NUMBER(mmdit_config, patch, 4, 1, 64, "pixels along one side of a token"),
    LIMN_NUMBER(mmdit_config, width, 64, 4, 16384, "width of a token"),
    LIMN_NUMBER(mmdit_config, depth, 12, 1, 256, "blocks"),
    LIMN_NUMBER(mmdit_config, heads, 4, 1, 256, "attention heads"),
    LIMN_NUMBER(mmdit_config, mlp, 256, 1, 65536, "hidden width of the MLP"),
    LIMN_NUMBER(mmdit_config, time_width, 128, 2, 16384, "width of the timestep embedding (conditioning=added)"),
    LIMN_CHOICE(mmdit_config, attention, MMDIT_CROSS, "cross|joint|both", "how image and text meet"),
    LIMN_CONDITIONING(mmdit_config),
    LIMN_FLAG(mmdit_config, qk_norm, false, "1: RMS norm of queries and keys (attention=joint, both)"),
    LIMN_NUMBER(mmdit_config, dual, 0, 0, 256,
                "first blocks in which image tokens also look at each other alone (attention=joint, both)"),
    LIMN_NUMBER(mmdit_config, places, 0, 0, 4096,
                "side of a stored table of places, of which a picture takes the middle; 0: places are worked out"),
    LIMN_TEXT_SIZES(mmdit_config, 512),
    LIMN_NUMBER(mmdit_config, pooled_width, 0, 0, 8192,
                "width of the pooled text; 0: text_width (conditioning=modulated, text_encoder=none)"),
    LIMN_TEXT_ENCODER(mmdit_config),
    LIMN_TEXT_LAYERS(mmdit_config, 4, 4, 8192),
    {.name = NULL},
};

/* Two streams are modulated; modulation comes with LayerNorm in front. */
static void imply(limn_settings *s)
{
    const mmdit_config *cfg = limn_settings_config(s);
    limn_settings_default(s, &cfg->conditioning, cfg->attention == MMDIT_CROSS ? LIMN_TIME_ADDED : LIMN_TIME_MODULATES);
    limn_settings_default(s, &cfg->norm, cfg->conditioning == LIMN_TIME_MODULATES ? LIMN_NORM_PRE : LIMN_NORM_POST);
}

static const char *check(const void *config)
{
    const mmdit_config *cfg = config;
    if (cfg->width % cfg->heads) return "width must be a multiple of heads";
    if (cfg->width % 4) return "width must be a multiple of 4";
    if (cfg->text.width % cfg->text.heads) return "text_width must be a multiple of text_heads";
    if (cfg->time_width % 2) return "time_width must be even";
    if (cfg->conditioning == LIMN_TIME_MODULATES && cfg->norm == LIMN_NORM_POST)
        return "conditioning=modulated needs norm=pre";
    if (cfg->pooled_width && cfg->pooled_width != cfg->text.width && cfg->text.encoder == LIMN_TEXT_CLIP)
        return "pooled_width must be 0 or text_width with text_encoder=clip, whose pooled text it is";
    if (cfg->dual > cfg->depth) return "dual must be depth at most: so many of its blocks have a second attention";
    if (cfg->dual && cfg->attention == MMDIT_CROSS) return "dual needs attention=joint or both";
    if (cfg->attention != MMDIT_CROSS && cfg->conditioning != LIMN_TIME_MODULATES)
        return "attention=joint and both need conditioning=modulated norm=pre";
    return NULL;
}

static const char *side(const void *config, int pixels)
{
    const mmdit_config *cfg = config;
    bool beyond = cfg->places && pixels / cfg->patch > cfg->places;
    return beyond ? "a multiple of patch, of as many patches as there are places at most"
                  : limn_side_of_patches(cfg->patch, pixels);
}

static limn_interface interface(const void *config)
{
    const mmdit_config *cfg = config;
    return (limn_interface){.width = cfg->size,
                            .height = cfg->size,
                            .channels = cfg->channels,
                            .out_channels = cfg->channels,
                            .reads_ids = cfg->text.encoder == LIMN_TEXT_CLIP,
                            .vocabulary = cfg->text.vocab,
                            .text_length = cfg->text.length,
                            .text_width = cfg->text.width,
                            .pooled_width = cfg->pooled_width,
                            .text_encoder = cfg->text.encoder == LIMN_TEXT_CLIP ? &cfg->text : NULL,
                            .token_side = cfg->patch,
                            .blocks = cfg->depth < 64 ? cfg->depth : 64};
}

const limn_family limn_family_mmdit = {
    .name = "mmdit",
    .task = "denoise with text",
    .input = "latent 64x64x4, timestep, text 77x512",
    .output = "64x64x4",
    .loss = "squared error",
    .settings = settings,
    .interface = interface,
    .build = build,
    .check = check,
    .side = side,
    .imply = imply,
};
