/* group_norm.c: n(x) = (x - mean) rstd over the pixels of C / groups channels;  y = act(n(x) w + b).   x [B,..,C] */
#include "backend/ref/ref.h"

#include <math.h>

/* Elements i = 0..n-1 of one group: `samples` samples from `sample` on, `pixels` each, `width` channels from `channel` on. */
typedef struct group {
    int64_t sample, pixels, channel, width, channels, n;
    double mean, rstd;
} group;

static int64_t n_groups(const limn_call *c)
{
    return c->attr->groups * (c->attr->flags & LIMN_OVER_BATCH ? 1 : c->src[0].shape.dim[0]);
}

static int64_t element(const group *g, int64_t i)
{
    return (g->sample * g->pixels + i / g->width) * g->channels + g->channel + i % g->width;
}

static group group_of(const limn_call *c, int64_t index)
{
    const limn_shape *x = &c->src[0].shape;
    bool batch = c->attr->flags & LIMN_OVER_BATCH;
    group g = {.channels = limn_shape_cols(x)};
    g.width = g.channels / c->attr->groups;
    g.pixels = limn_shape_rows(x) / x->dim[0];
    g.sample = index / c->attr->groups;
    g.channel = index % c->attr->groups * g.width;
    g.n = g.pixels * g.width * (batch ? x->dim[0] : 1);
    double square = 0;
    for (int64_t i = 0; i < g.n; i++) g.mean += limn_get(&c->src[0], element(&g, i)) / (double)g.n;
    for (int64_t i = 0; i < g.n; i++) {
        double d = limn_get(&c->src[0], element(&g, i)) - g.mean;
        square += d * d / (double)g.n;
    }
    g.rstd = 1 / sqrt(square + c->attr->eps);
    return g;
}

static double normal(const limn_call *c, const group *g, int64_t at)
{
    return (limn_get(&c->src[0], at) - g->mean) * g->rstd;
}

/* Element of w or b for element `at` of x: [C] or [B,C] */
static int64_t weight_at(const limn_call *c, const limn_view *w, int64_t at)
{
    int64_t channels = limn_shape_cols(&c->src[0].shape), per = limn_shape_count(&c->src[0].shape) / c->src[0].shape.dim[0];
    return limn_shape_count(&w->shape) == channels ? at % channels : at / per * channels + at % channels;
}

static double weight(const limn_call *c, int s, int64_t at, double none)
{
    return c->attr->flags & LIMN_HAS_WEIGHT ? limn_get(&c->src[s], weight_at(c, &c->src[s], at)) : none;
}

void limn_ref_group_norm(const limn_call *c)
{
    for (int64_t index = 0; index < n_groups(c); index++) {
        group g = group_of(c, index);
        for (int64_t i = 0; i < g.n; i++) {
            int64_t at = element(&g, i);
            limn_put(&c->dst, at, limn_ref_activation(c->attr->activation, normal(c, &g, at) * weight(c, 1, at, 1) + weight(c, 2, at, 0)));
        }
    }
}

/* The gradient in front of the activation. */
static double inner(const limn_call *c, const group *g, int64_t at)
{
    double dy = limn_get(&c->src[1], at);
    if (!c->attr->activation) return dy;
    return dy * limn_ref_activation_slope(c->attr->activation, normal(c, g, at) * weight(c, 2, at, 1) + weight(c, 3, at, 0));
}

/* v = dy w;  dx = rstd (v - mean(v) - n mean(v n)) */
void limn_ref_group_norm_grad(const limn_call *c)
{
    for (int64_t index = 0; index < n_groups(c); index++) {
        group g = group_of(c, index);
        double mean = 0, along = 0;
        for (int64_t i = 0; i < g.n; i++) {
            int64_t at = element(&g, i);
            double v = inner(c, &g, at) * weight(c, 2, at, 1);
            mean += v / (double)g.n;
            along += v * normal(c, &g, at) / (double)g.n;
        }
        for (int64_t i = 0; i < g.n; i++) {
            int64_t at = element(&g, i);
            limn_put(&c->dst, at, g.rstd * (inner(c, &g, at) * weight(c, 2, at, 1) - mean - normal(c, &g, at) * along));
        }
    }
}

/* dw = sum of dy n, db = sum of dy, over all pixels (and samples) that share them.  Scratch: the sums in double. */
size_t limn_ref_group_norm_grad_weight_scratch(const limn_call *c)
{
    return 2 * (size_t)limn_shape_count(&c->src[2].shape) * sizeof(double);
}

void limn_ref_group_norm_grad_weight(const limn_call *c)
{
    int64_t m = limn_shape_count(&c->src[2].shape);
    double *sum = c->scratch;
    for (int64_t j = 0; j < 2 * m; j++) sum[j] = 0;
    for (int64_t index = 0; index < n_groups(c); index++) {
        group g = group_of(c, index);
        for (int64_t i = 0; i < g.n; i++) {
            int64_t at = element(&g, i), j = weight_at(c, &c->src[2], at);
            sum[j] += inner(c, &g, at) * normal(c, &g, at);
            sum[m + j] += inner(c, &g, at);
        }
    }
    for (int64_t j = 0; j < 2 * m; j++) limn_put(&c->dst, j, sum[j]);
}

void limn_ref_moments(const limn_call *c)
{
    int64_t channels = limn_shape_cols(&c->src[0].shape), rows = limn_shape_rows(&c->src[0].shape);
    for (int64_t k = 0; k < channels; k++) {
        double mean = 0, var = 0;
        for (int64_t r = 0; r < rows; r++) mean += limn_get(&c->src[0], r * channels + k) / (double)rows;
        for (int64_t r = 0; r < rows; r++) {
            double d = limn_get(&c->src[0], r * channels + k) - mean;
            var += d * d / (double)rows;
        }
        limn_put(&c->dst, k, mean);
        limn_put(&c->dst, channels + k, var);
    }
}
