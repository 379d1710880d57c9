/* adm.c: the pixel U-Net of improved diffusion and of "Diffusion models beat GANs" (Nichol & Dhariwal 2021, Dhariwal &
 * Nichol 2021): time scales and shifts norms, attention at several sides, pictures resized inside residual blocks.  Named as
 * in openai/guided-diffusion, where blocks are counted through: input_blocks, middle_block, output_blocks. */
#include "model/unet_blocks.h"

/* Rows of "qkv.weight" [3C,C,1] go head by head, q, k, v in each: brought into the order q, k, v, then heads.   w [3C,
 * ...] */
static limn_node *heads_inside(limn_node *w, int heads, int64_t c, int64_t k)
{
    limn_node *split = limn_permute(limn_reshape(w, LIMN_SHAPE(heads, 3, c / heads, k)), 4, (int[]){1, 0, 2, 3});
    return limn_reshape(split, k == 1 ? LIMN_SHAPE(3 * c) : LIMN_SHAPE(3 * c, k));
}

static limn_node *attend(limn_graph *g, const limn_unet *u, limn_node *x, int level, int j)
{
    limn_window window = limn_unet_window(u, level, j, limn_node_shape(x));
    if (window.side) return limn_unet_attend_in_windows(g, u, "norm", x, window);
    limn_shape s = limn_node_shape(x);
    int64_t c = s.dim[3];
    int heads = limn_unet_heads(u, c);
    limn_init start = {.kind = LIMN_INIT_UNIFORM, .scale = (float)__builtin_sqrt(6.0 / (double)(4 * c)), .decay = true};
    limn_init zero = {.kind = LIMN_INIT_ZERO, .decay = true}, bias = {.kind = LIMN_INIT_ZERO};
    limn_scope_note(g, "self-attention: pixels look at each other");
    x = limn_reshape(x, LIMN_SHAPE(s.dim[0], s.dim[1] * s.dim[2], c));
    limn_node *h = limn_group_norm(g, "norm", x, u->cfg->groups, u->eps, LIMN_IDENTITY);
    limn_node *w = heads_inside(limn_parameter(g, "qkv.weight", LIMN_SHAPE(3 * c, c, 1), start), heads, c, c);
    h = limn_attention_qkv(
        limn_matmul(h, w, heads_inside(limn_parameter(g, "qkv.bias", LIMN_SHAPE(3 * c), bias), heads, c, 1)), heads, false);
    limn_node *out = limn_reshape(limn_parameter(g, "proj_out.weight", LIMN_SHAPE(c, c, 1), zero), LIMN_SHAPE(c, c));
    h = limn_matmul(h, out, limn_parameter(g, "proj_out.bias", LIMN_SHAPE(c), bias));
    return limn_reshape(limn_add(x, h), s);
}

/* One numbered entry of input_blocks or output_blocks, j of its level: a residual block "0", attention "1" where the level
 * has it. */
static limn_node *entry(limn_graph *g, const limn_unet *u, limn_node *x, int level, int j)
{
    limn_scope_push(g, "0");
    limn_scope_note(g, "residual block, told the time");
    x = limn_res_block(g, u, x, u->width[level], LIMN_RESAMPLE_NONE);
    limn_scope_pop(g);
    if (!limn_unet_attends(u, level)) return x;
    limn_scope_push(g, "1");
    x = attend(g, u, x, level, j);
    limn_scope_pop(g);
    return x;
}

/* Half or double sides: inside a residual block (resblock_updown), or by a convolution. */
static limn_node *resize(limn_graph *g, const limn_unet *u, limn_node *x, int at, limn_resample resample)
{
    const adm_config *cfg = u->config;
    limn_scope_push(g, "%d", at);
    limn_scope_note(g, resample == LIMN_RESAMPLE_DOWN ? "half the sides" : "twice the sides");
    if (cfg->resize == ADM_RESIZE_BLOCK) x = limn_res_block(g, u, x, limn_node_shape(x).dim[3], resample);
    else x = resample == LIMN_RESAMPLE_DOWN ? limn_unet_down(g, u, "op", x) : limn_unet_up(g, "conv", x);
    limn_scope_pop(g);
    return x;
}

/* skip[k]: what entry k gives. @return how many */
static int go_down(limn_graph *g, const limn_unet *u, limn_node **x, limn_node **skip)
{
    int k = 0, last = u->cfg->n_levels - 1;
    limn_scope_push(g, "input_blocks.0");
    *x = skip[k++] = limn_conv(g, "0", *x, u->width[0], 3);
    limn_scope_pop(g);
    for (int level = 0; level <= last; level++)
        for (int j = 0; j < u->cfg->blocks + (level < last); j++, k++) {
            limn_scope_push(g, "input_blocks.%d", k);
            *x = skip[k] = j < u->cfg->blocks ? entry(g, u, *x, level, j) : resize(g, u, *x, 0, LIMN_RESAMPLE_DOWN);
            limn_scope_pop(g);
        }
    return k;
}

static limn_node *middle(limn_graph *g, const limn_unet *u, limn_node *x)
{
    limn_scope_push(g, "middle_block");
    for (int i = 0; i < 3; i++) {
        limn_scope_push(g, "%d", i);
        x = i == 1 ? attend(g, u, x, LIMN_UNET_MIDDLE, 0)
                   : limn_res_block(g, u, x, u->width[u->cfg->n_levels - 1], LIMN_RESAMPLE_NONE);
        limn_scope_pop(g);
    }
    limn_scope_pop(g);
    return x;
}

static limn_node *go_up(limn_graph *g, const limn_unet *u, limn_node *x, limn_node **skip, int k)
{
    for (int level = u->cfg->n_levels - 1, at = 0; level >= 0; level--)
        for (int j = 0; j <= u->cfg->blocks; j++) {
            limn_scope_push(g, "output_blocks.%d", at++);
            x = entry(g, u, limn_concat(g, 3, 2, (limn_node *[]){x, skip[--k]}), level, j);
            if (level > 0 && j == u->cfg->blocks) x = resize(g, u, x, limn_unet_attends(u, level) ? 2 : 1, LIMN_RESAMPLE_UP);
            limn_scope_pop(g);
        }
    return x;
}

/* Timestep and class as one vector. */
static limn_node *embedding(limn_graph *g, const adm_config *cfg, limn_build b, limn_ports *ports)
{
    int width = cfg->unet.width, classes = cfg->classes;
    limn_node *t = limn_time_input(g, b, ports);
    limn_scope_push(g, "time_embed");
    limn_scope_note(g, "timestep to a vector");
    t = limn_linear(g, "2", limn_silu(limn_linear(g, "0", limn_timestep_embedding(t, width, 10000, true), 4 * width)),
                    4 * width);
    limn_scope_pop(g);
    t = limn_time_of_step(ports, t);
    if (!classes) return t;
    ports->label = limn_input(g, "label", LIMN_INDEX, LIMN_SHAPE(b.batch), LIMN_PER_PROMPT);
    return limn_add(
        t, limn_embedding(g, "label_emb", ports->label, classes + !cfg->always_labelled, 4 * width));
}

static void build(limn_graph *g, const void *config, limn_build b, limn_ports *ports)
{
    const adm_config *cfg = config;
    int channels = cfg->unet.channels;
    limn_unet u = limn_unet_from(config, &limn_res_openai, 1e-5);
    limn_node *x = limn_picture_input(g, b, channels, cfg->unet.enlarge, ports), *skip[LIMN_UNET_SKIPS];
    u.t = limn_silu(embedding(g, cfg, b, ports));
    int k = go_down(g, &u, &x, skip);
    x = go_up(g, &u, middle(g, &u, x), skip, k);
    x = limn_group_norm(g, "out.0", x, cfg->unet.groups, u.eps, LIMN_SILU);
    ports->output = limn_conv_zero(g, "out.2", x, channels * (1 + cfg->learn_sigma), 3);
}

static const limn_setting settings[] = {
    LIMN_UNET_SIZES(adm_config, 64, 3, 192, "picture", 3, 1, 2, 3, 4),
    LIMN_UNET_ATTENTION(adm_config, 32, 8),
    LIMN_UNET_HEADS(adm_config, 4, 64),
    LIMN_UNET_SCALE_SHIFT(adm_config, true),
    LIMN_CHOICE(adm_config, resize, ADM_RESIZE_BLOCK, "conv|block",
                "pictures are halved and doubled by a convolution, or inside a residual block"),
    LIMN_ENLARGE(adm_config, unet.enlarge),
    LIMN_CLASSES(adm_config),
    LIMN_FLAG(adm_config, always_labelled, false,
              "1: no row means \"no class\", as in published ADM: no guidance without a classifier"),
    LIMN_LEARN_SIGMA(adm_config, true),
    {.name = NULL},
};

static limn_interface interface(const void *config)
{
    const adm_config *cfg = config;
    limn_interface net = limn_unet_interface(config, cfg->learn_sigma, cfg->classes);
    net.always_labelled = cfg->always_labelled;
    return net;
}

const limn_family limn_family_adm = {
    .name = "adm",
    .task = "denoise",
    .input = "picture 64x64x3, timestep",
    .output = "64x64x6",
    .loss = "squared error, bound",
    .settings = settings,
    .interface = interface,
    .build = build,
    .check = limn_unet_check,
    .side = limn_unet_side,
    .imply = limn_unet_imply,
};
