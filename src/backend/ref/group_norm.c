/* group_norm.c: n(x) = (x - mean) / sqrt(var + eps), moments over the pixels of C / groups channels;  y = act(n(x) w + b).
 * x [B,..,C] */
#include "backend/ref/ref.h"

#include <math.h>

/* Elements i = 0..n-1 of one group: `samples` samples from `sample` on, `pixels` each, `width` channels from `channel`
 * on. */
typedef struct group {
    int64_t sample, pixels, channel, width, channels, n;
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
    group g = {.channels = limn_shape_cols(x)};
    g.width = g.channels / c->attr->groups;
    g.pixels = limn_shape_rows(x) / x->dim[0];
    g.sample = index / c->attr->groups;
    g.channel = index % c->attr->groups * g.width;
    g.n = g.pixels * g.width * (c->attr->flags & LIMN_OVER_BATCH ? x->dim[0] : 1);
    return g;
}

static limn_status moments(const limn_call *c)
{
    for (int64_t index = 0; index < n_groups(c); index++) {
        group g = group_of(c, index);
        double mean = 0, var = 0;
        for (int64_t i = 0; i < g.n; i++) mean += limn_get(&c->src[0], element(&g, i)) / (double)g.n;
        for (int64_t i = 0; i < g.n; i++) {
            double d = limn_get(&c->src[0], element(&g, i)) - mean;
            var += d * d / (double)g.n;
        }
        limn_put(&c->dst, index, mean);
        limn_put(&c->dst, n_groups(c) + index, var);
    }
    return LIMN_OK;
}

static double rstd(const limn_call *c, int64_t index)
{
    return 1 / sqrt(limn_get(&c->src[1], n_groups(c) + index) + c->attr->eps);
}

/* n(x) of element `at`, which lies in group `index` */
static double normal(const limn_call *c, int64_t index, int64_t at)
{
    return (limn_get(&c->src[0], at) - limn_get(&c->src[1], index)) * rstd(c, index);
}

/* Number s of (w, b), which come last, for element `at` of x: [C] or [B,C] */
static double weight(const limn_call *c, int s, int64_t at)
{
    if (!(c->attr->flags & LIMN_HAS_WEIGHT)) return s == 0;
    const limn_view *w = &c->src[c->n_src - 2 + s];
    int64_t channels = limn_shape_cols(&c->src[0].shape), per = limn_shape_count(&c->src[0].shape) / c->src[0].shape.dim[0];
    return limn_get(w, limn_shape_count(&w->shape) == channels ? at % channels : at / per * channels + at % channels);
}

static limn_status group_norm(const limn_call *c)
{
    for (int64_t index = 0; index < n_groups(c); index++) {
        group g = group_of(c, index);
        for (int64_t i = 0; i < g.n; i++) {
            int64_t at = element(&g, i);
            limn_put(&c->dst, at,
                     limn_ref_activation(c->attr->activation, normal(c, index, at) * weight(c, 0, at) + weight(c, 1, at)));
        }
    }
    return LIMN_OK;
}

/* dz: the gradient in front of the activation */
static double inner(const limn_call *c, int64_t index, int64_t at)
{
    double dy = limn_get(&c->src[2], at);
    if (!c->attr->activation) return dy;
    return dy * limn_ref_activation_slope(c->attr->activation, normal(c, index, at) * weight(c, 0, at) + weight(c, 1, at));
}

/* sum over pixels of dz n(x), and of dz */
static limn_status group_norm_grad_sums(const limn_call *c)
{
    int64_t samples = c->src[0].shape.dim[0], channels = limn_shape_cols(&c->src[0].shape),
            pixels = limn_shape_rows(&c->src[0].shape) / samples;
    int64_t groups = c->attr->groups, n = samples * channels;
    for (int64_t j = 0; j < n; j++) {
        int64_t s = j / channels, channel = j % channels,
                index = channel / (channels / groups) + (c->attr->flags & LIMN_OVER_BATCH ? 0 : s * groups);
        double along = 0, sum = 0;
        for (int64_t p = 0; p < pixels; p++) {
            int64_t at = (s * pixels + p) * channels + channel;
            along += inner(c, index, at) * normal(c, index, at);
            sum += inner(c, index, at);
        }
        limn_put(&c->dst, j, along);
        limn_put(&c->dst, n + j, sum);
    }
    return LIMN_OK;
}

/* v = dz w;  dx = rstd (v - mean(v) - n mean(v n)), the means from the sums (source 3) */
static limn_status group_norm_grad(const limn_call *c)
{
    for (int64_t index = 0; index < n_groups(c); index++) {
        group g = group_of(c, index);
        int64_t of_sample = g.pixels * g.channels, last = element(&g, g.n - 1) / of_sample,
                n = limn_shape_count(&c->src[3].shape) / 2;
        double mean = 0, along = 0;
        for (int64_t s = g.sample; s <= last; s++)
            for (int64_t k = g.channel; k < g.channel + g.width; k++) {
                along += limn_get(&c->src[3], s * g.channels + k) * weight(c, 0, s * of_sample + k) / (double)g.n;
                mean += limn_get(&c->src[3], n + s * g.channels + k) * weight(c, 0, s * of_sample + k) / (double)g.n;
            }
        for (int64_t i = 0; i < g.n; i++) {
            int64_t at = element(&g, i);
            limn_put(&c->dst, at,
                     rstd(c, index) * (inner(c, index, at) * weight(c, 0, at) - mean - normal(c, index, at) * along));
        }
    }
    return LIMN_OK;
}

const limn_kernel limn_ref_group_norm[LIMN_N_OPS] = {
    [LIMN_OP_GROUP_NORM] = REF(group_norm),
    [LIMN_OP_GROUP_NORM_GRAD] = REF(group_norm_grad),
    [LIMN_OP_GROUP_NORM_GRAD_SUMS] = REF(group_norm_grad_sums),
    [LIMN_OP_MOMENTS] = REF(moments),
};
