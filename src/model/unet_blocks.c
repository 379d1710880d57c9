/* unet_blocks.c: see unet_blocks.h. */
#include "model/unet_blocks.h"

const limn_res_names limn_res_diffusers = {"norm1", "conv1", "time_emb_proj", "norm2", "conv2", "conv_shortcut"};
const limn_res_names limn_res_openai = {"in_layers.0",  "in_layers.2",  "emb_layers.1",
                                        "out_layers.0", "out_layers.3", "skip_connection"};
const int limn_pad_after[4] = {0, 0, 1, 1}, limn_pad_around[4] = {1, 1, 1, 1};

/* ---- settings --------------------------------------------------------------------------------------------------------- */

limn_unet limn_unet_from(const void *config, const limn_res_names *names, double eps)
{
    const limn_unet_config *cfg = config;
    limn_unet u = {.cfg = cfg,
                   .config = config,
                   .names = names,
                   .eps = eps,
                   .window = cfg->attention == LIMN_UNET_WINDOWS ? cfg->window : 0,
                   .down_pad = limn_pad_around};
    for (int i = 0; i < cfg->n_levels; i++) u.width[i] = cfg->width * cfg->multipliers[i], u.side[i] = cfg->size >> i;
    return u;
}

limn_interface limn_unet_interface(const void *config, bool learned_variance, int classes)
{
    const limn_unet_config *cfg = config;
    return (limn_interface){.width = cfg->size,
                            .height = cfg->size,
                            .channels = cfg->channels,
                            .out_channels = cfg->channels * (1 + learned_variance),
                            .learned_variance = learned_variance,
                            .classes = classes,
                            .enlarge = cfg->enlarge};
}

bool limn_unet_attends(const limn_unet *u, int level)
{
    if (u->side[level] > u->cfg->attention_most) return u->window > 0;
    return u->side[level] >= u->cfg->attention_least;
}

/* In a picture of the settings' size a window is no larger than its level. */
static int window_side(const limn_unet *u, int level)
{
    return u->window < u->side[level] ? u->window : u->side[level];
}

limn_window limn_unet_window(const limn_unet *u, int level, int j, limn_shape picture)
{
    if (level == LIMN_UNET_MIDDLE || u->side[level] <= u->cfg->attention_most) return (limn_window){0};
    int side = window_side(u, level), shift = u->cfg->shift * side / u->window;
    limn_window window = limn_window_of(side, shift, picture, limn_unet_heads(u, u->width[level]), j);
    window.starts_at_zero = true;
    return window;
}

void limn_unet_imply(limn_settings *s)
{
    const limn_unet_config *cfg = limn_settings_config(s);
    limn_settings_default(s, &cfg->shift, cfg->window / 2);
}

int limn_unet_heads(const limn_unet *u, int64_t width)
{
    return u->cfg->head_width > 0 ? (int)(width / u->cfg->head_width) : u->cfg->heads;
}

const char *limn_unet_check(const void *config)
{
    const limn_unet_config *cfg = config;
    limn_unet u = limn_unet_from(config, NULL, 0);
    if (cfg->width % 2) return "width must be even";
    for (int i = 0; i < cfg->n_levels; i++) {
        if (u.width[i] % cfg->groups)
            return "the width of a level (width times its multiplier) must be a multiple of groups";
        if (cfg->head_width > 0 ? u.width[i] % cfg->head_width : u.width[i] % cfg->heads)
            return "the width of a level must split into its attention heads";
        if ((u.width[i] + u.width[i ? i - 1 : 0]) % cfg->groups)
            return "neighbouring levels together must be a multiple of groups";
    }
    if (u.window && u.side[0] <= cfg->attention_most)
        return "attention=window needs a level that is larger than attention_most";
    if (u.window && cfg->shift >= u.window) return "shift must be less than window";
    return cfg->enlarge == 1 ? "enlarge must be 0 or from 2 on" : NULL;
}

const char *limn_unet_side(const void *config, int pixels)
{
    const limn_unet_config *cfg = config;
    limn_unet u = limn_unet_from(config, NULL, 0);
    if (pixels % (1 << (cfg->n_levels - 1)))
        return "such that it halves at every level but the last: a multiple of 2^(numbers of multipliers - 1)";
    if (cfg->enlarge && pixels % cfg->enlarge) return "a multiple of enlarge";
    for (int i = 0; i < cfg->n_levels; i++)
        if (u.window && u.side[i] > cfg->attention_most && (pixels >> i) % window_side(&u, i))
            return "such that window divides the side of each level with windows (larger than attention_most: size, halved "
                   "at each level), or covers it";
    return NULL;
}

/* ---- layers ----------------------------------------------------------------------------------------------------------- */

limn_node *limn_conv_zero(limn_graph *g, const char *name, limn_node *x, int64_t n, int kernel)
{
    limn_init zero = {.kind = LIMN_INIT_ZERO, .decay = true};
    return limn_conv_with(g, name, x, n, kernel, (limn_conv_options){.weight_init = &zero});
}

limn_node *limn_unet_down(limn_graph *g, const limn_unet *u, const char *name, limn_node *x)
{
    return limn_conv_with(g, name, x, limn_node_shape(x).dim[3], 3, (limn_conv_options){.stride = 2, .pad = u->down_pad});
}

static limn_node *doubled(limn_node *x)
{
    limn_shape s = limn_node_shape(x);
    return limn_resize(x, 2 * s.dim[1], 2 * s.dim[2], LIMN_NEAREST);
}

limn_node *limn_unet_up(limn_graph *g, const char *name, limn_node *x)
{
    return limn_conv(g, name, doubled(x), limn_node_shape(x).dim[3], 3);
}

/* The same to the sides that the level had on the way down: 5 pixels were 3, which become 5. */
static limn_node *up_to(limn_graph *g, const char *name, limn_node *x, const limn_node *before)
{
    limn_shape s = limn_node_shape(before);
    return limn_conv(g, name, limn_resize(x, s.dim[1], s.dim[2], LIMN_NEAREST), limn_node_shape(x).dim[3], 3);
}

static limn_node *resampled(limn_node *x, limn_resample resample)
{
    if (resample == LIMN_RESAMPLE_NONE) return x;
    return resample == LIMN_RESAMPLE_DOWN ? limn_average_pool(x, 2) : doubled(x);
}

limn_node *limn_res_block(limn_graph *g, const limn_unet *u, limn_node *x, int64_t n, limn_resample resample)
{
    int64_t c = limn_node_shape(x).dim[3];
    limn_node *h = limn_group_norm(g, u->names->norm1, x, u->cfg->groups, u->eps, LIMN_SILU);
    h = limn_conv(g, u->names->conv1, resampled(h, resample), n, 3);
    limn_node *t = limn_linear(g, u->names->time, u->t, u->cfg->scale_shift ? 2 * n : n);
    if (u->cfg->scale_shift) {
        limn_node *m[2]; /* scale, shift */
        limn_chunk(t, 2, m);
        h = limn_group_norm_modulated(g, u->names->norm2, h, u->cfg->groups, u->eps, m[1], m[0], LIMN_SILU);
    } else {
        h = limn_add(h, limn_reshape(t, LIMN_SHAPE(limn_node_shape(t).dim[0], 1, 1, n)));
        h = limn_group_norm(g, u->names->norm2, h, u->cfg->groups, u->eps, LIMN_SILU);
    }
    h = limn_conv_zero(g, u->names->conv2, h, n, 3);
    x = resampled(x, resample);
    return limn_add(c == n ? x : limn_conv(g, u->names->shortcut, x, n, 1), h);
}

limn_node *limn_unet_attend_in_windows(limn_graph *g, const limn_unet *u, const char *norm, limn_node *x, limn_window window)
{
    limn_scope_note(g, "pixels look at each other in windows");
    limn_node *h = limn_group_norm(g, norm, x, u->cfg->groups, u->eps, LIMN_IDENTITY);
    return limn_add(x, limn_window_attention(g, "attn", h, window));
}

/* ---- the whole, as diffusers names it --------------------------------------------------------------------------------- */

typedef struct skips {
    limn_node *x[LIMN_UNET_SKIPS];
    int n;
} skips;

static limn_node *res_at(limn_graph *g, const limn_unet *u, limn_node *x, int j, int64_t n)
{
    limn_scope_push(g, "resnets.%d", j);
    limn_scope_note(g, "residual block, told the time");
    x = limn_res_block(g, u, x, n, LIMN_RESAMPLE_NONE);
    limn_scope_pop(g);
    return x;
}

static limn_node *attend_at(limn_graph *g, const limn_unet *u, limn_node *x, limn_unet_place at)
{
    limn_scope_push(g, "attentions.%d", at.j);
    x = u->attend(g, u, x, at);
    limn_scope_pop(g);
    return x;
}

static void note_sides(limn_graph *g, const limn_node *x, const char *what)
{
    limn_shape s = limn_node_shape(x);
    limn_scope_note(g, "%d x %d, %s", (int)s.dim[1], (int)s.dim[2], what);
}

static limn_node *down_block(limn_graph *g, const limn_unet *u, limn_node *x, int level, skips *k)
{
    limn_scope_push(g, "down_blocks.%d", level);
    note_sides(g, x, "down");
    for (int j = 0; j < u->cfg->blocks; j++) {
        x = res_at(g, u, x, j, u->width[level]);
        if (limn_unet_attends(u, level)) x = attend_at(g, u, x, (limn_unet_place){level, j, false});
        k->x[k->n++] = x;
    }
    if (level < u->cfg->n_levels - 1) k->x[k->n++] = x = limn_unet_down(g, u, "downsamplers.0.conv", x);
    limn_scope_pop(g);
    return x;
}

static limn_node *up_block(limn_graph *g, const limn_unet *u, limn_node *x, int level, skips *k)
{
    limn_scope_push(g, "up_blocks.%d", u->cfg->n_levels - 1 - level);
    note_sides(g, x, "up, beside what came down");
    for (int j = 0; j <= u->cfg->blocks; j++) {
        x = res_at(g, u, limn_concat(g, 3, 2, (limn_node *[]){x, k->x[--k->n]}), j, u->width[level]);
        if (limn_unet_attends(u, level)) x = attend_at(g, u, x, (limn_unet_place){level, j, true});
    }
    if (level > 0) x = up_to(g, "upsamplers.0.conv", x, k->x[k->n - 1]);
    limn_scope_pop(g);
    return x;
}

static limn_node *middle(limn_graph *g, const limn_unet *u, limn_node *x, int64_t width)
{
    limn_scope_push(g, "mid_block");
    x = res_at(g, u, x, 0, width);
    if (!u->plain_middle) {
        x = attend_at(g, u, x, (limn_unet_place){.level = LIMN_UNET_MIDDLE});
        x = res_at(g, u, x, 1, width);
    }
    limn_scope_pop(g);
    return x;
}

limn_node *limn_unet_body(limn_graph *g, const limn_unet *u, limn_node *image, int64_t n_out)
{
    int last = u->cfg->n_levels - 1;
    limn_node *x = limn_conv(g, "conv_in", image, u->cfg->width, 3);
    skips k = {.x = {x}, .n = 1};
    for (int i = 0; i <= last; i++) x = down_block(g, u, x, i, &k);
    if (!u->no_middle) x = middle(g, u, x, u->width[last]);
    for (int i = last; i >= 0; i--) x = up_block(g, u, x, i, &k);
    x = limn_group_norm(g, "conv_norm_out", x, u->cfg->groups, u->eps, LIMN_SILU);
    return limn_conv_zero(g, "conv_out", x, n_out, 3);
}
