/* pixart.c: PixArt-alpha, Chen et al. 2023, and PixArt-Sigma, 2024; weights named as in their repositories.  Image tokens
 * look at each other, then, not normalised, at a caption (features of T5), of which a mask hides the padding.
 *
 * adaLN-single: one linear layer makes shift, scale and gate (twice) of the time for all blocks, and each block adds a table
 * of its own.  The last layer adds its table to the time itself.
 *
 * Place i of n is i base / (n interpolation), base the tokens along a side of `size`: in all that were published places end
 * at 32, whatever the sides. */
#include "model/blocks.h"

#include <math.h>

enum { FREQUENCIES = 256, HIDES = 10000 };

static const limn_init normal = {.kind = LIMN_INIT_NORMAL, .scale = 0.02f, .decay = true};
static const limn_linear_options from_normal = {.weight_init = &normal};

/* What the tokens look at: text [B,L,D], hidden [B,1,1,L] on the scores, 0 or -10000. */
typedef struct caption {
    limn_node *text, *hidden;
} caption;

static caption caption_of(limn_graph *g, const pixart_config *cfg, limn_build b, limn_ports *ports)
{
    limn_node *x = limn_text_features(g, &cfg->text, b, ports);
    limn_shape s = limn_node_shape(x);
    ports->mask = limn_input(g, "mask", LIMN_COMPUTE, LIMN_SHAPE(b.batch, s.dim[1]), LIMN_PER_PROMPT);
    limn_scope_push(g, "y_embedder");
    limn_scope_note(g, "caption to the width of tokens");
    x = limn_activate(limn_linear_with(g, "y_proj.fc1", x, cfg->width, from_normal), LIMN_GELU_TANH);
    x = limn_linear_with(g, "y_proj.fc2", x, cfg->width, from_normal);
    limn_scope_pop(g);
    limn_scope_push(g, "hidden");
    limn_scope_note(g, "padding behind the caption is not seen");
    limn_node *hidden = limn_reshape(limn_affine(ports->mask, HIDES, -HIDES), LIMN_SHAPE(b.batch, 1, 1, s.dim[1]));
    limn_scope_pop(g);
    return (caption){x, hidden};
}

/* n numbers of each sample, each as a timestep is.   x [B,n]  ->  [B, n width] */
static limn_node *number_embedding(limn_graph *g, const char *name, const char *note, limn_node *x, int64_t width)
{
    limn_shape s = limn_node_shape(x);
    limn_scope_push(g, "%s", name);
    limn_scope_note(g, "%s", note);
    x = limn_timestep_embedding(limn_reshape(x, LIMN_SHAPE(s.dim[0] * s.dim[1])), FREQUENCIES, 10000, true);
    x = limn_linear_with(g, "mlp.2", limn_silu(limn_linear_with(g, "mlp.0", x, width, from_normal)), width, from_normal);
    limn_scope_pop(g);
    return limn_reshape(x, LIMN_SHAPE(s.dim[0], s.dim[1] * width));
}

/* Height and width of the picture, and their ratio: a third of D each. */
static limn_node *sides_embedding(limn_graph *g, const pixart_config *cfg, limn_build b, limn_ports *ports)
{
    ports->resolution = limn_input(g, "resolution", LIMN_WIDE, LIMN_SHAPE(b.batch, 3), LIMN_PER_PROMPT);
    limn_node *sides = limn_slice(ports->resolution, 1, 0, 2), *ratio = limn_slice(ports->resolution, 1, 2, 1);
    sides = number_embedding(g, "csize_embedder", "sides of the picture to a vector", sides, cfg->width / 3);
    ratio = number_embedding(g, "ar_embedder", "their ratio to a vector", ratio, cfg->width / 3);
    return limn_concat(g, 1, 2, (limn_node *[]){sides, ratio});
}

/* A table [n,D], which stands beside n vectors of the time. */
static limn_node *table(limn_graph *g, int n, int width)
{
    limn_init start = {.kind = LIMN_INIT_NORMAL, .scale = (float)(1 / sqrt(width))};
    return limn_parameter(g, "scale_shift_table", LIMN_SHAPE(n, width), start);
}

static limn_node *cross_attention(limn_graph *g, int heads, limn_node *x, caption c)
{
    int64_t width = limn_node_shape(x).dim[2];
    limn_scope_push(g, "cross_attn");
    limn_scope_note(g, "cross-attention: tokens (q) look at the caption (k, v)");
    limn_node *q = limn_linear(g, "q_linear", x, width), *kv = limn_linear(g, "kv_linear", c.text, 2 * width);
    x = limn_attention_with(q, kv, NULL, heads, (limn_attention_options){.bias = c.hidden});
    x = limn_linear_zero(g, "proj", x, width);
    limn_scope_pop(g);
    return x;
}

/* x [B,T,D], t [B,6D]: shift, scale, gate of the attention, then of the MLP */
static limn_node *block(limn_graph *g, const pixart_config *cfg, limn_node *x, caption c, limn_node *t)
{
    limn_node *m[6];
    limn_chunk(limn_add(t, limn_reshape(table(g, 6, cfg->width), LIMN_SHAPE(6 * (int64_t)cfg->width))), 6, m);
    limn_node *h = limn_modulated_norm(g, x, m[0], m[1]);
    x = limn_gated(x, m[2], limn_self_attention(g, "attn", h, cfg->heads));
    x = limn_add(x, cross_attention(g, cfg->heads, x, c));
    return limn_modulated_mlp(g, x, m, cfg->mlp);
}

/* x [B,T,D], t [B,D]  ->  [B,H,W,channels] */
static limn_node *final_layer(limn_graph *g, const pixart_config *cfg, limn_node *x, limn_node *t, limn_shape picture)
{
    int channels = cfg->channels * (1 + cfg->learn_sigma);
    limn_node *m[2];
    limn_scope_push(g, "final_layer");
    limn_scope_note(g, "tokens to picture");
    limn_node *own = table(g, 2, cfg->width);
    for (int i = 0; i < 2; i++) m[i] = limn_add(t, limn_reshape(limn_slice(own, 0, i, 1), LIMN_SHAPE(cfg->width)));
    x = limn_modulated_norm(g, x, m[0], m[1]);
    x = limn_linear_zero(g, "linear", x, (int64_t)cfg->patch * cfg->patch * channels);
    x = limn_unpatchify(g, x, (int)picture.dim[1], (int)picture.dim[2], cfg->patch, channels);
    limn_scope_pop(g);
    return x;
}

static void build(limn_graph *g, const void *config, limn_build b, limn_ports *ports)
{
    const pixart_config *cfg = config;
    limn_node *picture = limn_picture_input(g, b, cfg->channels, 0, ports);
    caption c = caption_of(g, cfg, b, ports);
    limn_node *x = limn_patch_tokens(g, picture, cfg->patch, cfg->width, cfg->size / cfg->patch / cfg->interpolation);
    limn_node *time = limn_time_ports(g, b, ports, FREQUENCIES, 10000, cfg->width);
    if (cfg->sides) time = limn_add(time, sides_embedding(g, cfg, b, ports));
    limn_scope_push(g, "t_block");
    limn_scope_note(g, "time to all blocks (adaLN-single)");
    limn_node *t = limn_linear_with(g, "1", limn_silu(time), 6 * (int64_t)cfg->width, from_normal);
    limn_scope_pop(g);
    for (int i = 0; i < cfg->depth; i++) {
        limn_scope_push(g, "blocks.%d", i);
        limn_scope_note(g, "block, modulated by time and a table of its own");
        x = block(g, cfg, x, c, t);
        limn_scope_pop(g);
    }
    ports->tokens = x;
    ports->output = final_layer(g, cfg, x, time, limn_node_shape(picture));
}

static const limn_setting settings[] = {
    LIMN_NUMBER(pixart_config, size, 64, 1, 4096, "height and width of the latent"),
    LIMN_NUMBER(pixart_config, channels, 4, 1, 64, "channels of the latent"),
    LIMN_NUMBER(pixart_config, patch, 2, 1, 64, "pixels along one side of a token"),
    LIMN_NUMBER(pixart_config, width, 1152, 4, 16384, "width of a token"),
    LIMN_NUMBER(pixart_config, depth, 28, 1, 256, "blocks"),
    LIMN_NUMBER(pixart_config, heads, 16, 1, 256, "attention heads"),
    LIMN_NUMBER(pixart_config, mlp, 4608, 1, 65536, "hidden width of the MLP"),
    LIMN_NUMBER(pixart_config, interpolation, 1, 1.0 / 64, 64,
                "places are divided by it: 0.5, 1, 2, 4 for pictures of 256, 512, 1024, 2048"),
    LIMN_FLAG(pixart_config, sides, false, "1: the sides of the picture are told (alpha at 1024)"),
    LIMN_LEARN_SIGMA(pixart_config, true),
    LIMN_NUMBER_AS("text_length", pixart_config, text.length, 300, 1, 4096, "text tokens (alpha: 120)"),
    LIMN_NUMBER_AS("text_width", pixart_config, text.width, 4096, 8, 8192, "width of the text features"),
    {.name = NULL},
};

static const char *check(const void *config)
{
    const pixart_config *cfg = config;
    if (cfg->width % cfg->heads) return "width must be a multiple of heads";
    if (cfg->width % 4) return "width must be a multiple of 4";
    if (cfg->sides && cfg->width % 3) return "sides=1 needs a width that is a multiple of 3";
    return NULL;
}

static const char *side(const void *config, int pixels)
{
    return limn_side_of_patches(((const pixart_config *)config)->patch, pixels);
}

static limn_interface interface(const void *config)
{
    const pixart_config *cfg = config;
    return (limn_interface){.width = cfg->size,
                            .height = cfg->size,
                            .channels = cfg->channels,
                            .out_channels = cfg->channels * (1 + cfg->learn_sigma),
                            .learned_variance = cfg->learn_sigma,
                            .told_resolution = cfg->sides,
                            .text_length = cfg->text.length,
                            .text_width = cfg->text.width,
                            .token_side = cfg->patch};
}

const limn_family limn_family_pixart = {
    .name = "pixart",
    .task = "denoise with text",
    .input = "latent 64x64x4, time, text 300x4096",
    .output = "64x64x8",
    .loss = "squared error",
    .settings = settings,
    .interface = interface,
    .build = build,
    .check = check,
    .side = side,
};
