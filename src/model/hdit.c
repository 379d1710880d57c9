/* hdit.c: a hierarchical DiT: the hourglass of Crowson et al. 2024 built of adaLN-Zero blocks (Peebles & Xie 2022).
 *
 *   patches -> levels of tokens, each with half the side and twice the width of the one before; attention in windows that
 *   move by half in every second block (Liu et al. 2021), over all tokens on the innermost level -> back up, joined with
 *   what came down -> pixels
 *
 * enlarge > 0: a smaller picture is the condition, enlarged and put beside the noisy one (super-resolution, Saharia et al.
 * 2021). Down: 2 x 2 tokens side by side (pixel unshuffle), linear.  Up: linear, pixel shuffle, then linear([x, skip]) as
 * U-ViT joins its skips.  Not of the paper: it has neighbourhood attention with rotary positions, RMS norms and GEGLU, and
 * mixes the skip by one learned number; its weights do not fit. */
#include "model/window.h"

enum { MAX_LEVELS = 8 };

typedef struct hdit_config {
    int size, channels, patch, width, levels, depth, depth_inner, window, head_width, mlp_ratio, enlarge, classes;
    bool learn_sigma;
} hdit_config;
LIMN_CONFIG_FITS(hdit_config);

/* One level: tokens [B, rows columns, width]. */
typedef struct stage {
    int level, rows, columns, width, heads, depth, window; /* window 0: all tokens */
} stage;

/* Tokens along one side of a window: no more than an outer level of a picture of the setting "size" has. */
static int window_of(const hdit_config *cfg, int level)
{
    int side = cfg->size / cfg->patch >> level,
        window = cfg->window;
    return window < side ? window : side;
}

static stage stage_of(const hdit_config *cfg, limn_build b, int level)
{
    bool inner = level == cfg->levels - 1;
    int width = cfg->width << level, patch = cfg->patch;
    return (stage){.level = level,
                   .rows = b.height / patch >> level,
                   .columns = b.width / patch >> level,
                   .width = width,
                   .heads = width / cfg->head_width,
                   .depth = inner ? cfg->depth_inner : cfg->depth,
                   .window = inner ? 0 : window_of(cfg, level)};
}

/* adaLN-Zero, see limn_modulated_block().   x [B,T,D], c [B,E] */
static limn_node *block(limn_graph *g, const hdit_config *cfg, const stage *at, int i, limn_node *x, limn_node *c)
{
    limn_shape tokens = limn_node_shape(x);
    limn_node *m[6]; /* shift, scale, gate: attention, then MLP */
    limn_modulation(g, c, 6, at->width, m);
    limn_node *h = limn_modulated_norm(g, x, m[0], m[1]);
    if (at->window) {
        limn_shape picture = LIMN_SHAPE(tokens.dim[0], at->rows, at->columns, at->width);
        limn_window window = limn_window_of(at->window, at->window / 2, picture, at->heads, i);
        h = limn_reshape(limn_window_attention(g, "attn", limn_reshape(h, picture), window), tokens);
    } else h = limn_self_attention(g, "attn", h, at->heads);
    x = limn_gated(x, m[2], h);
    return limn_modulated_mlp(g, x, m, cfg->mlp_ratio * at->width);
}

static limn_node *blocks(limn_graph *g, const hdit_config *cfg, const stage *at, const char *name, limn_node *x,
                         limn_node *c)
{
    for (int i = 0; i < at->depth; i++) {
        limn_scope_push(g, "%s.%d.blocks.%d", name, at->level, i);
        limn_scope_note(g, "DiT block on %d x %d tokens", at->rows, at->columns);
        x = block(g, cfg, at, i, x, c);
        limn_scope_pop(g);
    }
    return x;
}

/* 2 x 2 tokens become one of twice the width. */
static limn_node *merge(limn_graph *g, const stage *at, limn_node *x)
{
    int64_t b = limn_node_shape(x).dim[0];
    limn_scope_push(g, "merge.%d", at->level);
    limn_scope_note(g, "2 x 2 tokens become one");
    x = limn_pixel_unshuffle(limn_reshape(x, LIMN_SHAPE(b, at->rows, at->columns, at->width)), 2);
    x = limn_linear(g, "proj", limn_reshape(x, LIMN_SHAPE(b, -1, 4 * at->width)), 2 * at->width);
    limn_scope_pop(g);
    return x;
}

/* One token becomes 2 x 2, beside which the skip is put. */
static limn_node *split(limn_graph *g, const stage *at, limn_node *x, limn_node *skip)
{
    limn_shape tokens = limn_node_shape(skip);
    limn_scope_push(g, "split.%d", at->level);
    limn_scope_note(g, "one token becomes 2 x 2, joined by what came down");
    x = limn_reshape(limn_linear(g, "proj", x, 4 * at->width),
                     LIMN_SHAPE(tokens.dim[0], at->rows / 2, at->columns / 2, 4 * at->width));
    x = limn_reshape(limn_pixel_shuffle(x, 2), tokens);
    x = limn_linear(g, "skip_linear", limn_concat(g, 2, 2, (limn_node *[]){x, skip}), at->width);
    limn_scope_pop(g);
    return x;
}

static void build(limn_graph *g, const void *config, limn_build b, limn_ports *ports)
{
    const hdit_config *cfg = config;
    int channels = cfg->channels, patch = cfg->patch;
    int inner = cfg->levels - 1, out = channels * (1 + cfg->learn_sigma);
    stage at[MAX_LEVELS] = {0};
    limn_node *skip[MAX_LEVELS];
    for (int i = 0; i <= inner; i++) at[i] = stage_of(cfg, b, i);
    limn_node *picture = limn_picture_input(g, b, cfg->channels, cfg->enlarge, ports),
              *x = limn_patch_tokens(g, picture, patch, at[0].width, 0);
    limn_node *c = limn_add_label(g, b, cfg->classes, ports, limn_time_ports(g, b, ports, 256, 10000, at[inner].width));
    for (int i = 0; i < inner; i++) {
        skip[i] = x = blocks(g, cfg, &at[i], "down", x, c);
        x = merge(g, &at[i], x);
    }
    x = blocks(g, cfg, &at[inner], "mid", x, c);
    for (int i = inner - 1; i >= 0; i--) x = blocks(g, cfg, &at[i], "up", split(g, &at[i], x, skip[i]), c);
    ports->tokens = x;
    ports->output = limn_final_layer(g, x, c, limn_node_shape(picture), patch, out);
}

static const limn_setting settings[] = {
    LIMN_NUMBER(hdit_config, size, 64, 1, 4096, "height and width of the picture or latent"),
    LIMN_NUMBER(hdit_config, channels, 3, 1, 64, "channels of the picture or latent"),
    LIMN_NUMBER(hdit_config, patch, 2, 1, 64, "pixels along one side of a token of the first level"),
    LIMN_NUMBER(hdit_config, width, 128, 4, 8192, "width of a token of the first level; doubled at each"),
    LIMN_NUMBER(hdit_config, levels, 3, 2, MAX_LEVELS, "levels of tokens; the innermost has attention over all of them"),
    LIMN_NUMBER(hdit_config, depth, 2, 1, 64, "blocks of an outer level, on the way down and again on the way up"),
    LIMN_NUMBER(hdit_config, depth_inner, 8, 1, 256, "blocks of the innermost level"),
    LIMN_NUMBER(hdit_config, window, 8, 2, 64, "tokens along one side of a window (outer levels)"),
    LIMN_NUMBER(hdit_config, head_width, 64, 1, 4096, "width of an attention head"),
    LIMN_NUMBER(hdit_config, mlp_ratio, 4, 1, 16, "hidden width of the MLP in widths of its level"),
    LIMN_ENLARGE(hdit_config, enlarge),
    LIMN_CLASSES(hdit_config),
    LIMN_LEARN_SIGMA(hdit_config, false),
    {.name = NULL},
};

static const char *check(const void *config)
{
    const hdit_config *cfg = config;
    if (cfg->enlarge == 1) return "enlarge must be 0 or from 2 on";
    if (cfg->width % cfg->head_width) return "width must be a multiple of head_width";
    if (cfg->width % 4) return "width must be a multiple of 4";
    if ((int64_t)cfg->width << cfg->levels > 65536)
        return "the innermost level would be wider than 32768";
    return NULL;
}

static const char *side(const void *config, int pixels)
{
    const hdit_config *cfg = config;
    int levels = cfg->levels, patch = cfg->patch,
        enlarge = cfg->enlarge;
    if (pixels % (patch << (levels - 1))) return "a multiple of patch times 2^(levels-1)";
    if (enlarge && pixels % enlarge) return "a multiple of enlarge";
    for (int i = 0; i < levels - 1; i++)
        if ((pixels / patch >> i) % window_of(cfg, i))
            return "such that the tokens along a side of an outer level (side / patch, halved at each) are a multiple of "
                   "window, or fit in one";
    return NULL;
}

static limn_interface interface(const void *config)
{
    const hdit_config *cfg = config;
    return (limn_interface){.width = cfg->size,
                            .height = cfg->size,
                            .channels = cfg->channels,
                            .out_channels = cfg->channels * (1 + cfg->learn_sigma),
                            .learned_variance = cfg->learn_sigma,
                            .classes = cfg->classes,
                            .enlarge = cfg->enlarge,
                            .token_side = cfg->patch};
}

const limn_family limn_family_hdit = {
    .name = "hdit", .task = "denoise", .input = "picture 64x64x3, timestep", .output = "64x64x3", .loss = "squared error",
    .settings = settings, .interface = interface, .build = build, .check = check, .side = side,
};
