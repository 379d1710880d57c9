/* ldm_unet.c: the U-Net of latent diffusion (Rombach et al. 2022) that Stable Diffusion 1, 2 and XL draw with: the blocks of
 * ddpm.c with a transformer behind each, in which pixels look at each other and at text.  Named as in diffusers'
 * UNet2DConditionModel.  XL (Podell et al. 2023) has deep transformers on two levels, and is told of the whole text as one
 * vector and of the picture's sides.  Relatives: without a middle (BK-SDM, SDXS), or with one block there (SSD-1B, Vega,
 * whose transformers differ in depth); told the guidance, which others apply outside (latent consistency models, Luo et al.
 * 2023); and seeing beside x what is to be filled in, or the picture that the text changes (InstructPix2Pix, Brooks et al.
 * 2023). */
#include "model/unet_blocks.h"

#include <math.h>

static limn_node *without_bias(limn_graph *g, const char *name, limn_node *x, int64_t n)
{
    return limn_linear_with(g, name, x, n, (limn_linear_options){.no_bias = true});
}

/* + attention in windows.   x [B,T,C], tokens of a picture [B,H,W,C] */
static limn_node *windows(limn_graph *g, const char *name, const char *norm, limn_node *x, limn_window window,
                          limn_shape picture)
{
    limn_node *h = limn_reshape(limn_layer_norm(g, norm, x, 1e-5), picture);
    return limn_add(x, limn_reshape(limn_window_attention(g, name, h, window), limn_node_shape(x)));
}

/* + attention from x to text, or to itself (text NULL).   x [B,T,C] */
static limn_node *attention(limn_graph *g, const limn_unet *u, const char *name, const char *norm, limn_node *x,
                            limn_node *text)
{
    int64_t c = limn_node_shape(x).dim[2];
    limn_node *h = limn_layer_norm(g, norm, x, 1e-5);
    limn_scope_push(g, "%s", name);
    limn_scope_note(g, text ? "pixels (q) look at text (k, v)" : "pixels look at each other");
    limn_node *from = text ? text : h, *q = without_bias(g, "to_q", h, c), *k = without_bias(g, "to_k", from, c),
              *v = without_bias(g, "to_v", from, c);
    h = limn_linear(g, "to_out.0", limn_attention(q, k, v, limn_unet_heads(u, c), false), c);
    limn_scope_pop(g);
    return limn_add(x, h);
}

/* Shazeer 2020: x gelu(gate), both halves of one product */
static limn_node *geglu(limn_graph *g, const char *name, limn_node *x, int64_t n)
{
    limn_node *half[2];
    limn_chunk(limn_linear(g, name, x, 2 * n), 2, half);
    return limn_mul(half[0], limn_activate(half[1], LIMN_GELU_ERF));
}

static limn_node *transformer_block(limn_graph *g, const limn_unet *u, limn_node *x, limn_window window, limn_shape picture)
{
    int64_t c = limn_node_shape(x).dim[2];
    x = window.side ? windows(g, "attn1", "norm1", x, window, picture) : attention(g, u, "attn1", "norm1", x, NULL);
    x = attention(g, u, "attn2", "norm2", x, u->text);
    return limn_add(x,
                    limn_linear(g, "ff.net.2", geglu(g, "ff.net.0.proj", limn_layer_norm(g, "norm3", x, 1e-5), 4 * c), c));
}

/* Places with a transformer before `at`, in the order down, middle, up; NULL: all of them. */
static int places(const limn_unet *u, const limn_unet_place *at)
{
    const ldm_unet_config *cfg = u->config;
    int n = 0, last = u->cfg->n_levels - 1;
    for (int i = 0; i <= last; i++)
        for (int j = 0; j < u->cfg->blocks && limn_unet_attends(u, i); j++, n++)
            if (at && !at->up && at->level == i && at->j == j) return n;
    if (at && at->level == LIMN_UNET_MIDDLE) return n;
    n += cfg->middle && cfg->middle_attends;
    for (int i = last; i >= 0; i--)
        for (int j = 0; j <= u->cfg->blocks && limn_unet_attends(u, i); j++, n++)
            if (at && at->up && at->level == i && at->j == j) return n;
    return n;
}

/* Norm, projection, transformer blocks, projection, + x.   x [B,H,W,C] */
static limn_node *attend(limn_graph *g, const limn_unet *u, limn_node *x, limn_unet_place at)
{
    limn_shape s = limn_node_shape(x), tokens = LIMN_SHAPE(s.dim[0], s.dim[1] * s.dim[2], s.dim[3]);
    const ldm_unet_config *cfg = u->config;
    int depth = cfg->depth[cfg->n_depths == 1 ? 0 : places(u, &at)];
    bool linear = cfg->projection == LDM_LINEAR;
    limn_scope_note(g, "transformer over pixels, with text");
    limn_node *h = limn_group_norm(g, "norm", x, u->cfg->groups, 1e-6, LIMN_IDENTITY);
    h = linear ? limn_linear(g, "proj_in", limn_reshape(h, tokens), s.dim[3])
               : limn_reshape(limn_conv(g, "proj_in", h, s.dim[3], 1), tokens);
    for (int i = 0; i < depth; i++) {
        limn_scope_push(g, "transformer_blocks.%d", i);
        h = transformer_block(g, u, h, limn_unet_window(u, at.level, at.j * depth + i, s), s);
        limn_scope_pop(g);
    }
    if (linear) return limn_add(x, limn_reshape(limn_linear_zero(g, "proj_out", h, s.dim[3]), s));
    return limn_add(x, limn_conv_zero(g, "proj_out", limn_reshape(h, s), s.dim[3], 1));
}

/* Of 1000 w; sines first, with frequencies down to 1/10000 itself. */
static limn_node *guidance_embedding(limn_graph *g, limn_ports *ports, const ldm_unet_config *cfg)
{
    ports->guidance = limn_input(g, "guidance", LIMN_WIDE, LIMN_SHAPE(1), LIMN_PER_PROMPT);
    double half = cfg->guidance_width / 2.0, period = pow(10000, half / (half - 1));
    limn_node *w = limn_affine(ports->guidance, 1000, 0);
    return without_bias(g, "cond_proj", limn_timestep_embedding(w, cfg->guidance_width, period, false), cfg->unet.width);
}

static limn_node *time_embedding(limn_graph *g, limn_build b, limn_ports *ports, const ldm_unet_config *cfg)
{
    int width = cfg->unet.width;
    limn_node *t = limn_time_input(g, b, ports);
    limn_scope_push(g, "time_embedding");
    limn_scope_note(g, cfg->guidance_width ? "timestep and guidance to a vector" : "timestep to a vector");
    t = limn_timestep_embedding(t, width, 10000, true);
    if (cfg->guidance_width) t = limn_add(t, guidance_embedding(g, ports, cfg));
    t = limn_linear(g, "linear_1", t, 4 * width);
    t = limn_linear(g, "linear_2", limn_silu(t), 4 * width);
    limn_scope_pop(g);
    return limn_time_of_step(ports, t);
}

/* What is told beside the time, as diffusers' "text_time": the whole text, and each number of the picture's sides as a
 * timestep is.   [B, 4 width] */
static limn_node *added_embedding(limn_graph *g, limn_build b, limn_ports *ports, const ldm_unet_config *cfg)
{
    int n = cfg->sizes, each = cfg->size_width, width = 4 * cfg->unet.width;
    ports->pooled_text = limn_input(g, "pooled", LIMN_COMPUTE, LIMN_SHAPE(b.batch, cfg->pooled_width), LIMN_PER_PROMPT);
    ports->sizes = limn_input(g, "sizes", LIMN_WIDE, LIMN_SHAPE(b.batch, n), LIMN_PER_PROMPT);
    limn_scope_push(g, "add_embedding");
    limn_scope_note(g, "the whole text, and the sides of the picture, to a vector");
    limn_node *sides = limn_reshape(ports->sizes, LIMN_SHAPE((int64_t)b.batch * n));
    sides = limn_timestep_embedding(sides, each, 10000, true);
    sides = limn_reshape(sides, LIMN_SHAPE(b.batch, (int64_t)n * each));
    limn_node *x = limn_concat(g, 1, 2, (limn_node *[]){ports->pooled_text, sides});
    x = limn_linear(g, "linear_2", limn_silu(limn_linear(g, "linear_1", x, width)), width);
    limn_scope_pop(g);
    return x;
}

/* x; inpaint: mask (1: to be made), the latent of the picture whose masked pixels are gray.   [B,H,W,2 C + 1]
 * edit: the latent of the picture that the text changes, as its encoder makes it, not scaled.  [B,H,W,2 C] */
static limn_node *input(limn_graph *g, const ldm_unet_config *cfg, limn_build b, limn_ports *ports)
{
    int channels = cfg->unet.channels;
    limn_node *x = limn_picture_input(g, b, channels, 0, ports);
    if (!cfg->inpaint && !cfg->edit) return x;
    limn_shape shape = LIMN_SHAPE(b.batch, b.height, b.width, channels + cfg->inpaint);
    ports->condition = limn_input(g, "condition", LIMN_COMPUTE, shape, LIMN_PER_PROMPT);
    return limn_concat(g, 3, 2, (limn_node *[]){x, ports->condition});
}

static void build(limn_graph *g, const void *config, limn_build b, limn_ports *ports)
{
    const ldm_unet_config *cfg = config;
    limn_unet u = limn_unet_from(config, &limn_res_diffusers, 1e-5);
    u.attend = attend, u.no_middle = !cfg->middle, u.plain_middle = !cfg->middle_attends;
    limn_node *x = input(g, cfg, b, ports);
    u.text = limn_text_features(g, &cfg->text, b, ports);
    u.t = time_embedding(g, b, ports, cfg);
    if (cfg->sizes) u.t = limn_add(added_embedding(g, b, ports, cfg), u.t);
    u.t = limn_silu(u.t);
    ports->output = limn_unet_body(g, &u, x, cfg->unet.channels);
}

static const limn_setting settings[] = {
    LIMN_UNET_SIZES(ldm_unet_config, 64, 4, 320, "latent or picture", 2, 1, 2, 4, 4),
    LIMN_UNET_ATTENTION(ldm_unet_config, 64, 16),
    LIMN_LIST_AS("depth", ldm_unet_config, depth, n_depths, LIMN_LIST_COMMAS, 1, 64,
                 "blocks of a transformer: of all, or of each, down, middle, up (XL: "
                 "2,2,10,10,10,10,10,10,2,2,2)", 1),
    LIMN_UNET_HEADS(ldm_unet_config, 8, 0),
    LIMN_CHOICE(ldm_unet_config, projection, LDM_CONV, "conv|linear",
                "into and out of a transformer: 1x1 convolutions (SD 1) or linear layers (SD 2)"),
    LIMN_FLAG(ldm_unet_config, middle, true, "1: blocks between the way down and the way up; pruned ones have none"),
    LIMN_FLAG(ldm_unet_config, middle_attends, true, "0: the middle is one residual block, without a transformer"),
    LIMN_FLAG(ldm_unet_config, inpaint, false, "1: a mask and the latent of what is kept are read, too"),
    LIMN_FLAG(ldm_unet_config, edit, false, "1: the latent of a picture that the text changes is read, too"),
    LIMN_NUMBER(ldm_unet_config, guidance_width, 0, 0, 4096,
                "numbers that the guidance becomes, which the network is told (LCM: 256); 0: it is not"),
    LIMN_NUMBER(ldm_unet_config, sizes, 0, 0, 16,
                "numbers about the picture that it is told: 6 (XL: height, width, top and left of the cut, height, width), "
                "5 (the refiner: a score of beauty in place of the last two); 0: none"),
    LIMN_NUMBER(ldm_unet_config, size_width, 256, 2, 4096, "numbers that each of these becomes"),
    LIMN_NUMBER(ldm_unet_config, pooled_width, 0, 0, 8192, "width of the whole text as a vector, told beside sizes"),
    LIMN_TEXT_ENCODER(ldm_unet_config),
    LIMN_TEXT_SIZES(ldm_unet_config, 768),
    LIMN_TEXT_LAYERS(ldm_unet_config, 12, 12, 49408),
    {.name = NULL},
};

static const char *check(const void *config)
{
    const ldm_unet_config *cfg = config;
    if (cfg->text.encoder == LIMN_TEXT_CLIP && cfg->text.width % cfg->text.heads)
        return "text_width must be a multiple of text_heads";
    if (cfg->guidance_width % 2 || cfg->guidance_width == 2) return "guidance_width must be even, and 0 or 4 and more";
    if (!cfg->sizes != !cfg->pooled_width) return "sizes and pooled_width are both 0, or neither is";
    if (cfg->size_width % 2) return "size_width must be even";
    if (cfg->sizes && cfg->text.encoder == LIMN_TEXT_CLIP) return "sizes go with text_encoder=none";
    limn_unet u = limn_unet_from(config, &limn_res_diffusers, 1e-5);
    if (cfg->n_depths != 1 && cfg->n_depths != places(&u, NULL))
        return "depth is one number, or one for each transformer, down, middle, up";
    if (cfg->inpaint && cfg->edit) return "inpaint and edit are two networks: one of them must be 0";
    return limn_unet_check(config);
}

static limn_interface interface(const void *config)
{
    const ldm_unet_config *cfg = config;
    limn_interface net = limn_unet_interface(config, false, 0);
    net.inpaints = cfg->inpaint, net.edits = cfg->edit, net.told_guidance = cfg->guidance_width > 0;
    net.reads_ids = cfg->text.encoder == LIMN_TEXT_CLIP;
    net.vocabulary = cfg->text.vocab;
    net.text_length = cfg->text.length, net.text_width = cfg->text.width;
    net.sizes = cfg->sizes, net.pooled_width = cfg->pooled_width;
    net.text_encoder = net.reads_ids ? &cfg->text : NULL;
    return net;
}

/* Without windows any: odd sides are rounded up where they are halved. */
static const char *side(const void *config, int pixels)
{
    const ldm_unet_config *cfg = config;
    return cfg->unet.attention == LIMN_UNET_WINDOWS ? limn_unet_side(config, pixels) : NULL;
}

const limn_family limn_family_ldm_unet = {
    .name = "ldm-unet",
    .task = "denoise",
    .input = "latent 64x64x4, timestep, text 77x768",
    .output = "64x64x4",
    .loss = "squared error",
    .settings = settings,
    .interface = interface,
    .build = build,
    .check = check,
    .side = side,
    .imply = limn_unet_imply,
};
