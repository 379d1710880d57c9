/* picture.c: constructors for pictures [B,H,W,C], with the parameters they own. */
#include "graph/op/rows.h"

#include <math.h>
#include <stdlib.h>

static const limn_init zero = {.kind = LIMN_INIT_ZERO}, one = {.kind = LIMN_INIT_ONE};

/* ---- convolutions ----------------------------------------------------------------------------------------------------- */

/* Glorot & Bengio 2010, eq. 16, with the window in both fans */
static limn_init xavier(int64_t in, int64_t out, int kernel)
{
    return (limn_init){
        .kind = LIMN_INIT_UNIFORM, .scale = (float)sqrt(6.0 / ((double)(in + out) * kernel * kernel)), .decay = true};
}

static limn_attr attr_of(int kernel, const limn_conv_options *o, bool same)
{
    limn_attr attr = {.stride = o->stride ? o->stride : 1, .flags = o->no_bias ? 0 : LIMN_HAS_BIAS};
    for (int i = 0; i < 4; i++) attr.pad[i] = o->pad ? o->pad[i] : same ? (kernel - 1) / 2 : 0;
    return attr;
}

/* A window of one pixel is a product of the channels: it takes the road of linear layers. */
static bool is_product(int kernel, const limn_attr *a)
{
    return kernel == 1 && a->stride == 1 && !(a->pad[0] | a->pad[1] | a->pad[2] | a->pad[3]);
}

limn_node *limn_conv_with(limn_graph *g, const char *name, limn_node *x, int64_t n, int kernel, limn_conv_options options)
{
    if (x->op == LIMN_OP_ERROR) return x;
    if (x->shape.rank != 4)
        return limn_node_error(g, LIMN_OP_CONV, "%s takes [B,H,W,C], not %d dimensions", name, x->shape.rank);
    int64_t c = x->shape.dim[3];
    limn_attr attr = attr_of(kernel, &options, !options.valid);
    limn_node *w = limn_parameter_of(g, name, "weight", LIMN_SHAPE(n, c, kernel, kernel),
                                     options.weight_init ? *options.weight_init : xavier(c, n, kernel));
    limn_node *b = options.no_bias ? NULL : limn_parameter_of(g, name, "bias", LIMN_SHAPE(n), zero);
    if (is_product(kernel, &attr)) return limn_matmul(x, limn_reshape(w, LIMN_SHAPE(n, c)), b);
    return b ? limn_node_3(LIMN_OP_CONV, x, w, b, &attr) : limn_node_2(LIMN_OP_CONV, x, w, &attr);
}

limn_node *limn_conv(limn_graph *g, const char *name, limn_node *x, int64_t n, int kernel)
{
    return limn_conv_with(g, name, x, n, kernel, (limn_conv_options){0});
}

/* (n - 1) stride + kernel - pads, or none where that is beyond all tensors */
static int64_t grown(int64_t n, int kernel, int stride, const int *pad)
{
    int64_t y;
    return __builtin_mul_overflow(n - 1, stride, &y) || y > LIMN_MAX_COUNT ? 0 : y + kernel - pad[0] - pad[2];
}

limn_node *limn_conv_transpose(limn_graph *g, const char *name, limn_node *x, int64_t n, int kernel,
                               limn_conv_options options)
{
    if (x->op == LIMN_OP_ERROR) return x;
    if (x->shape.rank != 4)
        return limn_node_error(g, LIMN_OP_CONV_TRANSPOSE, "%s takes [B,H,W,C], not %d dimensions", name, x->shape.rank);
    int64_t c = x->shape.dim[3];
    limn_attr attr = attr_of(kernel, &options, false);
    attr.shape = LIMN_SHAPE(grown(x->shape.dim[1], kernel, attr.stride, attr.pad),
                            grown(x->shape.dim[2], kernel, attr.stride, attr.pad + 1));
    limn_node *w = limn_parameter_of(g, name, "weight", LIMN_SHAPE(c, n, kernel, kernel),
                                     options.weight_init ? *options.weight_init : xavier(c, n, kernel));
    if (options.no_bias) return limn_node_2(LIMN_OP_CONV_TRANSPOSE, x, w, &attr);
    return limn_node_3(LIMN_OP_CONV_TRANSPOSE, x, w, limn_parameter_of(g, name, "bias", LIMN_SHAPE(n), zero), &attr);
}

/* ---- pooling and resizing --------------------------------------------------------------------------------------------- */

limn_node *limn_max_pool(limn_node *x, int size)
{
    return limn_node_1(LIMN_OP_MAX_POOL, x, &(limn_attr){.stride = size});
}

limn_node *limn_average_pool(limn_node *x, int size)
{
    return limn_node_1(LIMN_OP_AVERAGE_POOL, x, &(limn_attr){.stride = size});
}

limn_node *limn_resize(limn_node *x, int64_t h, int64_t w, limn_resize_mode mode)
{
    return limn_node_1(LIMN_OP_RESIZE, x, &(limn_attr){.shape = LIMN_SHAPE(h, w), .resize = mode});
}

/* ---- stages ----------------------------------------------------------------------------------------------------------- */

void limn_graph_cut(limn_graph *g, int begin, bool own_moments)
{
    g->cut = limn_arena_alloc(g->arena, sizeof *g->cut);
    if (g->cut) g->cut->begin = begin, g->cut->own_moments = own_moments;
    else limn_node_no_memory(g);
}

/* The value of a plan's own type: what follows reads it as if it had been made here. */
limn_node *limn_strip_stage(limn_node *x)
{
    limn_graph *g = x->graph;
    limn_cut *cut = g->cut;
    if (!cut || x->op == LIMN_OP_ERROR) return x;
    if (cut->n_stages == LIMN_MAX_STAGES)
        return limn_node_error(g, LIMN_OP_VIEW, "more than %d stages", LIMN_MAX_STAGES);
    int i = cut->n_stages++;
    if (i == cut->begin) x = limn_affine(cut->input = limn_input(g, "stage", LIMN_COMPUTE, x->shape, LIMN_PER_STEP), 1, 0);
    cut->norms_before[i] = cut->n_norms;
    return cut->stage[i] = x;
}

static void count_convolutions(const limn_node *node, bool *seen, int *n)
{
    if (seen[node->id]) return;
    seen[node->id] = true;
    *n += node->op == LIMN_OP_CONV && node->src[1]->shape.dim[2] > 1;
    for (int s = 0; s < node->n_src; s++) count_convolutions(node->src[s], seen, n);
}

int limn_cut_convolutions(const limn_node *node)
{
    int n = 0;
    bool *seen = calloc((size_t)node->graph->n_nodes, sizeof *seen);
    if (!seen) return -1;
    count_convolutions(node, seen, &n);
    free(seen);
    return n;
}

/* ---- norms ------------------------------------------------------------------------------------------------------------ */

static limn_node *moments_of(limn_node *x, const limn_attr *norm)
{
    return limn_node_1(LIMN_OP_MOMENTS, x, &(limn_attr){.groups = norm->groups, .flags = norm->flags & LIMN_OVER_BATCH});
}

/* Moments of the whole picture, of which a strip sees a part, come from outside. */
static limn_node *given_moments(limn_node *x, const limn_attr *norm)
{
    limn_graph *g = x->graph;
    limn_cut *cut = g->cut;
    limn_node *moments = moments_of(x, norm);
    if (!cut || moments->op == LIMN_OP_ERROR) return moments;
    cut->n_norms++;
    if (cut->begin == LIMN_NO_STAGE || cut->n_stages <= cut->begin || cut->own_moments) return moments;
    if (cut->n_given == LIMN_MAX_GIVEN)
        return limn_node_error(g, LIMN_OP_MOMENTS, "more than %d norms in a part", LIMN_MAX_GIVEN);
    cut->normed[cut->n_given] = x;
    return cut->moments[cut->n_given++] = limn_input(g, "moments", LIMN_WIDE, moments->shape, LIMN_PER_STEP);
}

static limn_node *weighted_norm(limn_node *x, limn_node *moments, limn_node *w, limn_node *b, limn_attr attr)
{
    if (w) attr.flags |= LIMN_HAS_WEIGHT;
    return limn_node_new(x->graph, LIMN_OP_GROUP_NORM, w ? 4 : 2, (limn_node *[]){x, moments, w, b}, &attr);
}

limn_node *limn_group_norm(limn_graph *g, const char *name, limn_node *x, int groups, double eps, limn_activation activation)
{
    if (x->op == LIMN_OP_ERROR) return x;
    limn_shape cols = LIMN_SHAPE(limn_shape_cols(&x->shape));
    limn_attr attr = {.groups = groups, .eps = eps, .activation = activation};
    limn_node *w = name ? limn_parameter_of(g, name, "weight", cols, one) : NULL,
              *b = name ? limn_parameter_of(g, name, "bias", cols, zero) : NULL;
    return weighted_norm(x, given_moments(x, &attr), w, b, attr);
}

/* (n w + b) (1 + s) + t = n w (1 + s) + (b (1 + s) + t): weights per sample, made on [B,C] */
limn_node *limn_group_norm_modulated(limn_graph *g, const char *name, limn_node *x, int groups, double eps, limn_node *shift,
                                     limn_node *scale, limn_activation activation)
{
    if (x->op == LIMN_OP_ERROR) return x;
    limn_shape cols = LIMN_SHAPE(limn_shape_cols(&x->shape));
    limn_node *w = limn_affine(scale, 1, 1), *b = shift;
    if (name) {
        b = limn_add(limn_mul(w, limn_parameter_of(g, name, "bias", cols, zero)), shift);
        w = limn_mul(w, limn_parameter_of(g, name, "weight", cols, one));
    }
    limn_attr attr = {.groups = groups, .eps = eps, .activation = activation};
    return weighted_norm(x, moments_of(x, &attr), w, b, attr);
}

void limn_graph_train(limn_graph *g)
{
    g->trains = true;
}

int limn_graph_running(const limn_graph *g, const limn_running **out)
{
    *out = g->running;
    return g->n_running;
}

/* Of equal batches on every rank: mean = M(mean_r), var = M(var_r + (mean_r - mean)^2), M over ranks. */
static limn_node *moments_of_ranks(limn_node *moments)
{
    if (moments->op == LIMN_OP_ERROR) return moments;
    limn_node *own = limn_slice(moments, 0, 0, 1), *mean = limn_mean_of_ranks(own);
    limn_node *var = limn_add(limn_slice(moments, 0, 1, 1), limn_square(limn_sub(own, mean)));
    return limn_concat(moments->graph, 0, 2, (limn_node *[]){mean, limn_mean_of_ranks(var)});
}

/* Statistics are followed as PyTorch does: momentum 0.1, variance with n - 1. */
static void follow(limn_graph *g, limn_node *mean, limn_node *var, limn_node *x, limn_node *moments)
{
    int64_t c = limn_shape_cols(&x->shape), ranks = g->norm_ranks > 1 ? g->norm_ranks : 1;
    double n = (double)(limn_node_count(x) / c * ranks);
    if (moments->op == LIMN_OP_ERROR) return;
    if (g->n_running + 2 > LIMN_MAX_RUNNING) {
        limn_node_error(g, LIMN_OP_MOMENTS, "more than %d batch norms", LIMN_MAX_RUNNING / 2);
        return;
    }
    limn_node *of_batch[2]; /* a copy each: outputs may lie anywhere */
    for (int i = 0; i < 2; i++) of_batch[i] = limn_reshape(limn_slice(moments, 0, i, 1), LIMN_SHAPE(c));
    g->running[g->n_running++] = (limn_running){mean, of_batch[0], 0.1};
    g->running[g->n_running++] = (limn_running){var, limn_affine(of_batch[1], n > 1 ? n / (n - 1) : 1, 0), 0.1};
}

limn_node *limn_batch_norm(limn_graph *g, const char *name, limn_node *x, double eps)
{
    if (x->op == LIMN_OP_ERROR) return x;
    int64_t c = limn_shape_cols(&x->shape);
    limn_node *w = limn_parameter_of(g, name, "weight", LIMN_SHAPE(c), one),
              *b = limn_parameter_of(g, name, "bias", LIMN_SHAPE(c), zero);
    limn_init still = {.kind = LIMN_INIT_ZERO, .frozen = true};
    limn_node *mean = limn_parameter_of(g, name, "running_mean", LIMN_SHAPE(c), still);
    still.kind = LIMN_INIT_ONE;
    limn_node *var = limn_parameter_of(g, name, "running_var", LIMN_SHAPE(c), still);
    if (var->op == LIMN_OP_ERROR) return var;
    if (g->trains) {
        limn_attr attr = {.groups = (int)c, .eps = eps, .flags = LIMN_OVER_BATCH};
        limn_node *moments = moments_of(x, &attr);
        if (g->norm_ranks > 1) moments = moments_of_ranks(moments), attr.flags |= LIMN_OVER_RANKS;
        follow(g, mean, var, x, moments);
        return weighted_norm(x, moments, w, b, attr);
    }
    limn_node *scale = limn_div(
        w,
        limn_sqrt(limn_affine(limn_widen(var), 1, eps))); /* wide, as what is made of it: bf16 would shift whole channels */
    return limn_add(limn_mul(x, scale), limn_sub(b, limn_mul(mean, scale)));
}

/* ---- blocks of pixels ------------------------------------------------------------------------------------------------- */

static bool splits(limn_node *x, int n, const char *what)
{
    if (x->op == LIMN_OP_ERROR) return false;
    if (x->shape.rank == 4 && n > 0 && x->shape.dim[1] % n == 0 && x->shape.dim[2] % n == 0) return true;
    char a[128];
    limn_node_error(x->graph, LIMN_OP_PERMUTE, "%s does not split into %s of %d x %d", limn_shape_text(&x->shape, a), what,
                    n, n);
    return false;
}

limn_node *limn_pixel_unshuffle(limn_node *x, int n)
{
    if (!splits(x, n, "blocks")) return x->graph->error;
    const int64_t *d = x->shape.dim;
    limn_node *blocks =
        limn_permute(limn_reshape(x, LIMN_SHAPE(d[0], d[1] / n, n, d[2] / n, n, d[3])), 6, (int[]){0, 1, 3, 5, 2, 4});
    return limn_reshape(blocks, LIMN_SHAPE(d[0], d[1] / n, d[2] / n, d[3] * n * n));
}

limn_node *limn_pixel_shuffle(limn_node *x, int n)
{
    if (x->op == LIMN_OP_ERROR) return x;
    const int64_t *d = x->shape.dim;
    if (x->shape.rank != 4 || n < 1 || n > d[3] || d[3] % ((int64_t)n * n))
        return limn_node_error(x->graph, LIMN_OP_PERMUTE, "channels do not split into blocks of %d x %d pixels", n, n);
    limn_node *blocks =
        limn_permute(limn_reshape(x, LIMN_SHAPE(d[0], d[1], d[2], d[3] / n / n, n, n)), 6, (int[]){0, 1, 4, 2, 5, 3});
    return limn_reshape(blocks, LIMN_SHAPE(d[0], d[1] * n, d[2] * n, d[3] / n / n));
}

limn_node *limn_window_partition(limn_node *x, int size)
{
    if (!splits(x, size, "windows")) return x->graph->error;
    const int64_t *d = x->shape.dim;
    limn_node *rows = limn_reshape(x, LIMN_SHAPE(d[0], d[1] / size, size, d[2] / size, size, d[3]));
    return limn_reshape(limn_permute(rows, 6, (int[]){0, 1, 3, 2, 4, 5}),
                        LIMN_SHAPE(d[0] * (d[1] / size) * (d[2] / size), (int64_t)size * size, d[3]));
}

limn_node *limn_window_merge(limn_node *windows, int64_t h, int64_t w)
{
    if (windows->op == LIMN_OP_ERROR) return windows;
    const int64_t *d = windows->shape.dim;
    int64_t size = windows->shape.rank == 3 ? (int64_t)sqrt((double)d[1]) : 0;
    if (size < 1 || size * size != d[1] || h < 1 || w < 1 || h % size || w % size || d[0] % (h / size * (w / size)))
        return limn_node_error(windows->graph, LIMN_OP_PERMUTE, "windows do not tile %lld x %lld pixels", (long long)h,
                               (long long)w);
    int64_t batch = d[0] / (h / size * (w / size));
    limn_node *rows = limn_permute(limn_reshape(windows, LIMN_SHAPE(batch, h / size, w / size, size, size, d[2])), 6,
                                   (int[]){0, 1, 3, 2, 4, 5});
    return limn_reshape(rows, LIMN_SHAPE(batch, h, w, d[2]));
}

static limn_node *roll_axis(limn_node *x, int axis, int64_t by)
{
    if (x->op == LIMN_OP_ERROR) return x;
    int64_t n = x->shape.dim[axis];
    by = (by % n + n) % n;
    if (by == 0) return x;
    return limn_concat(x->graph, axis, 2, (limn_node *[]){limn_slice(x, axis, by, n - by), limn_slice(x, axis, 0, by)});
}

limn_node *limn_roll(limn_node *x, int64_t dy, int64_t dx)
{
    if (x->op != LIMN_OP_ERROR && x->shape.rank != 4)
        return limn_node_error(x->graph, LIMN_OP_SLICE, "roll takes [B,H,W,C], not %d dimensions", x->shape.rank);
    return roll_axis(roll_axis(x, 1, dy), 2, dx);
}
