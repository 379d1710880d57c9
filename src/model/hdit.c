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

/* One level: tokens [B, rows columns, width]. */
typedef struct stage {
    int level, rows, columns, width, heads, depth, window; /* window 0: all tokens */
} stage;

/* Tokens along one side of a window: no more than an outer level of a picture of the setting "size" has. */
static int window_of(const limn_settings *s, int level)
{
    int side = limn_settings_get(s, "size") / limn_settings_get(s, "patch") >> level,
        window = limn_settings_get(s, "window");
    return window < side ? window : side;
}

static stage stage_of(const limn_settings *s, limn_build b, int level)
{
    bool inner = level == limn_settings_get(s, "levels") - 1;
    int width = limn_settings_get(s, "width") << level, patch = limn_settings_get(s, "patch");
    return (stage){.level = level,
                   .rows = limn_build_height(s, b) / patch >> level,
                   .columns = limn_build_width(s, b) / patch >> level,
                   .width = width,
                   .heads = width / limn_settings_get(s, "head_width"),
                   .depth = limn_settings_get(s, inner ? "depth_inner" : "depth"),
                   .window = inner ? 0 : window_of(s, level)};
}

/* adaLN-Zero, see limn_modulated_block().   x [B,T,D], c [B,E] */
static limn_node *block(limn_graph *g, const limn_settings *s, const stage *at, int i, limn_node *x, limn_node *c)
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
    return limn_modulated_mlp(g, x, m, limn_settings_get(s, "mlp_ratio") * at->width);
}

static limn_node *blocks(limn_graph *g, const limn_settings *s, const stage *at, const char *name, limn_node *x,
                         limn_node *c)
{
    for (int i = 0; i < at->depth; i++) {
        limn_scope_push(g, "%s.%d.blocks.%d", name, at->level, i);
        limn_scope_note(g, "DiT block on %d x %d tokens", at->rows, at->columns);
        x = block(g, s, at, i, x, c);
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

static void build(limn_graph *g, const limn_settings *s, limn_build b, limn_ports *ports)
{
    int channels = limn_settings_get(s, "channels"), patch = limn_settings_get(s, "patch");
    int inner = limn_settings_get(s, "levels") - 1, out = channels * (1 + limn_settings_get(s, "learn_sigma"));
    stage at[MAX_LEVELS];
    limn_node *skip[MAX_LEVELS];
    for (int i = 0; i <= inner; i++) at[i] = stage_of(s, b, i);
    limn_node *picture = limn_picture_input(g, s, b, ports), *x = limn_patch_tokens(g, picture, patch, at[0].width);
    limn_node *c = limn_add_label(g, s, b, ports, limn_time_ports(g, b, ports, 256, at[inner].width));
    for (int i = 0; i < inner; i++) {
        skip[i] = x = blocks(g, s, &at[i], "down", x, c);
        x = merge(g, &at[i], x);
    }
    x = blocks(g, s, &at[inner], "mid", x, c);
    for (int i = inner - 1; i >= 0; i--) x = blocks(g, s, &at[i], "up", split(g, &at[i], x, skip[i]), c);
    ports->tokens = x;
    ports->output = limn_final_layer(g, x, c, limn_node_shape(picture), patch, out);
}

static const limn_setting settings[] = {
    {"size", 64, 1, 4096, NULL, "height and width of the picture or latent"},
    {"channels", 3, 1, 64, NULL, "channels of the picture or latent"},
    {"patch", 2, 1, 64, NULL, "pixels along one side of a token of the first level"},
    {"width", 128, 4, 8192, NULL, "width of a token of the first level; doubled at each"},
    {"levels", 3, 2, MAX_LEVELS, NULL, "levels of tokens; the innermost has attention over all of them"},
    {"depth", 2, 1, 64, NULL, "blocks of an outer level, on the way down and again on the way up"},
    {"depth_inner", 8, 1, 256, NULL, "blocks of the innermost level"},
    {"window", 8, 2, 64, NULL, "tokens along one side of a window (outer levels)"},
    {"head_width", 64, 1, 4096, NULL, "width of an attention head"},
    {"mlp_ratio", 4, 1, 16, NULL, "hidden width of the MLP in widths of its level"},
    {"enlarge", 0, 0, 16, NULL, "a picture so many times smaller is the condition (super-resolution); 0: none"},
    {"classes", 0, 0, 1000000, NULL, "class labels; 0: none"},
    {"learn_sigma", 0, 0, 1, NULL, "1: the network also predicts the variance"},
    {NULL, 0, 0, 0, NULL, NULL},
};

static const char *check(const limn_settings *s)
{
    if (limn_settings_get(s, "enlarge") == 1) return "enlarge must be 0 or from 2 on";
    if (limn_settings_get(s, "width") % limn_settings_get(s, "head_width")) return "width must be a multiple of head_width";
    if (limn_settings_get(s, "width") % 4) return "width must be a multiple of 4";
    if ((int64_t)limn_settings_get(s, "width") << limn_settings_get(s, "levels") > 65536)
        return "the innermost level would be wider than 32768";
    return NULL;
}

static const char *side(const limn_settings *s, int pixels)
{
    int levels = limn_settings_get(s, "levels"), patch = limn_settings_get(s, "patch"),
        enlarge = limn_settings_get(s, "enlarge");
    if (pixels % (patch << (levels - 1))) return "a multiple of patch times 2^(levels-1)";
    if (enlarge && pixels % enlarge) return "a multiple of enlarge";
    for (int i = 0; i < levels - 1; i++)
        if ((pixels / patch >> i) % window_of(s, i))
            return "such that the tokens along a side of an outer level (side / patch, halved at each) are a multiple of "
                   "window, or fit in one";
    return NULL;
}

const limn_family limn_family_hdit = {
    .name = "hdit", .task = "denoise", .input = "picture 64x64x3, timestep", .output = "64x64x3", .loss = "squared error",
    .settings = settings, .build = build, .check = check, .side = side,
};
