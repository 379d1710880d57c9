/* ddpm_mnist.c: the small pixel U-Net of BrianPulfer/PapersReimplementations (ddpm), 606,852 parameters for 28x28 digits: no
 * attention, norms over a whole picture, and the timestep added once a level, from a table of 1000 rows.  Named as in its
 * repository. */
#include "model/blocks.h"

#include <string.h>

enum { STEPS = 1000 };

/* (x - mean) / sqrt(var + eps) over (H, W, C), times weight plus bias for every value.   x [B,H,W,C], "ln.weight" "ln.bias"
 * [C,H,W] unused: the published network holds a norm in front of its last block and goes around it. */
static limn_node *picture_norm(limn_graph *g, limn_node *x, bool unused)
{
    limn_shape s = limn_node_shape(x), whole = LIMN_SHAPE(s.dim[3], s.dim[1], s.dim[2]);
    const int order[] = {1, 2, 0};
    limn_scope_push(g, "ln");
    limn_scope_note(g, "over rows, columns and channels");
    limn_node *w = limn_permute(limn_parameter(g, "weight", whole, (limn_init){.kind = LIMN_INIT_ONE}), 3, order);
    limn_node *b = limn_permute(limn_parameter(g, "bias", whole, (limn_init){.kind = LIMN_INIT_ZERO}), 3, order);
    if (!unused) x = limn_add(limn_mul(limn_group_norm(g, NULL, x, 1, 1e-5, LIMN_IDENTITY), w), b);
    limn_scope_pop(g);
    return x;
}

/* Three times: norm, 3x3 conv, SiLU, 3x3 conv, SiLU; blocks n[0], n[1], n[2] wide.   t [B or 1, E] is added before the
 * first. */
static limn_node *stage(limn_graph *g, const char *name, limn_node *x, limn_node *t, const int *n)
{
    int64_t c = limn_node_shape(x).dim[3];
    limn_scope_push(g, "te%s", name);
    limn_scope_note(g, "time to the channels of this level");
    t = limn_linear(g, "2", limn_silu(limn_linear(g, "0", t, c)), c);
    limn_scope_pop(g);
    x = limn_add(x, limn_reshape(t, LIMN_SHAPE(limn_node_shape(t).dim[0], 1, 1, c)));
    limn_scope_push(g, "b%s", name);
    for (int i = 0; i < 3; i++) {
        limn_scope_push(g, "%d", i);
        x = limn_silu(limn_conv(g, "conv1", picture_norm(g, x, i == 2 && !strcmp(name, "_out")), n[i], 3));
        x = limn_silu(limn_conv(g, "conv2", x, n[i], 3));
        limn_scope_pop(g);
    }
    limn_scope_pop(g);
    return x;
}

static const limn_conv_options half = {.stride = 2, .pad = (const int[]){1, 1, 1, 1}};

static limn_node *shrink(limn_graph *g, const char *name, limn_node *x)
{
    return limn_conv_with(g, name, x, limn_node_shape(x).dim[3], 4, half);
}

static limn_node *grow(limn_graph *g, const char *name, limn_node *x)
{
    return limn_conv_transpose(g, name, x, limn_node_shape(x).dim[3], 4, half);
}

/* The lowest level has an odd side: a 2x2 window makes it even on the way down, and odd again on the way up. */
static limn_node *shrink_odd(limn_graph *g, limn_node *x)
{
    limn_node *h = limn_conv_with(g, "down3.0", x, limn_node_shape(x).dim[3], 2, (limn_conv_options){.valid = true});
    return shrink(g, "down3.2", limn_silu(h));
}

static limn_node *grow_odd(limn_graph *g, limn_node *x)
{
    return limn_conv_transpose(g, "up1.2", limn_silu(grow(g, "up1.0", x)), limn_node_shape(x).dim[3], 2,
                               (limn_conv_options){0});
}

static limn_node *beside(limn_graph *g, limn_node *skip, limn_node *x)
{
    return limn_concat(g, 3, 2, (limn_node *[]){skip, x});
}

/* Rows of the table are found by the timestep itself. */
static limn_node *time_row(limn_graph *g, limn_build b, limn_ports *ports, int width)
{
    limn_init table = {.kind = LIMN_INIT_SINCOS_2D, .frozen = true, .grid_h = STEPS, .grid_w = 1};
    limn_node *t = limn_time_input(g, b, ports),
              *rows = limn_parameter(g, "time_embed.weight", LIMN_SHAPE(STEPS, width), table);
    return limn_time_of_step(ports, limn_gather(rows, t));
}

static void build(limn_graph *g, const void *config, limn_build b, limn_ports *ports)
{
    const ddpm_mnist_config *cfg = config;
    int channels = cfg->channels, w = cfg->width;
    limn_node *picture = limn_picture_input(g, b, channels, 0, ports);
    limn_node *t = time_row(g, b, ports, cfg->time_width);
    limn_node *x1 = stage(g, "1", picture, t, (int[]){w, w, w});
    limn_node *x2 = stage(g, "2", shrink(g, "down1", x1), t, (int[]){2 * w, 2 * w, 2 * w});
    limn_node *x3 = stage(g, "3", shrink(g, "down2", x2), t, (int[]){4 * w, 4 * w, 4 * w});
    limn_node *x = stage(g, "_mid", shrink_odd(g, x3), t, (int[]){2 * w, 2 * w, 4 * w});
    x = stage(g, "4", beside(g, x3, grow_odd(g, x)), t, (int[]){4 * w, 2 * w, 2 * w});
    x = stage(g, "5", beside(g, x2, grow(g, "up2", x)), t, (int[]){2 * w, w, w});
    x = stage(g, "_out", beside(g, x1, grow(g, "up3", x)), t, (int[]){w, w, w});
    ports->output = limn_conv(g, "conv_out", x, channels, 3);
}

static const limn_setting settings[] = {
    LIMN_NUMBER(ddpm_mnist_config, size, 28, 4, 4092,
                "height and width of the picture: a multiple of 4 whose quarter is odd"),
    LIMN_NUMBER(ddpm_mnist_config, channels, 1, 1, 64, "channels of the picture"),
    LIMN_NUMBER(ddpm_mnist_config, width, 10, 1, 4096, "channels of the first level; 2 and 4 times as many in the next"),
    LIMN_NUMBER(ddpm_mnist_config, time_width, 100, 4, 16384, "width of a row of the table of timesteps"),
    {.name = NULL},
};

static const char *check(const void *config)
{
    const ddpm_mnist_config *cfg = config;
    return cfg->time_width % 4 ? "time_width must be a multiple of 4" : NULL;
}

static const char *side(const void *config, int pixels)
{
    (void)config;
    return pixels % 8 == 4 ? NULL : "4 times an odd number";
}

static limn_interface interface(const void *config)
{
    const ddpm_mnist_config *cfg = config;
    return (limn_interface){
        .width = cfg->size, .height = cfg->size, .channels = cfg->channels, .out_channels = cfg->channels};
}

const limn_family limn_family_ddpm_mnist = {
    .name = "ddpm-mnist",
    .task = "denoise",
    .input = "picture 28x28x1, timestep",
    .output = "28x28x1",
    .loss = "squared error",
    .settings = settings,
    .interface = interface,
    .build = build,
    .check = check,
    .side = side,
};
