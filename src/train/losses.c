/* losses.c: see losses.h. */
#include "train/losses.h"

#include "graph/node.h"

#include <math.h>

/* ---- variational bound ------------------------------------------------------------------------------------------------ */

/* Page 1977: the normal distribution function as (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2 */
static limn_node *normal_below(limn_node *x)
{
    limn_node *cube = limn_mul(limn_square(x), x);
    limn_node *inner = limn_affine(limn_add(x, limn_affine(cube, 0.044715, 0)), sqrt(2 / 3.14159265358979323846), 0);
    return limn_affine(limn_activate(inner, LIMN_TANH), 0.5, 0.5);
}

/* -log of the mass a Gaussian gives to a pixel's value +- 1/255; the ends of the range take all that lies beyond. */
static limn_node *discretized_gaussian(limn_node *centered, limn_node *log_variance, const limn_bound_inputs *in)
{
    limn_node *inverse_std = limn_exp(limn_affine(log_variance, -0.5, 0));
    limn_node *upper = normal_below(limn_mul(inverse_std, limn_affine(centered, 1, 1.0 / 255)));
    limn_node *lower = normal_below(limn_mul(inverse_std, limn_affine(centered, 1, -1.0 / 255)));
    upper = limn_add(limn_mul(upper, limn_affine(in->above, -1, 1)), in->above);
    lower = limn_mul(lower, limn_affine(in->below, -1, 1));
    return limn_affine(limn_ln(limn_clamp(limn_sub(upper, lower), 1e-12, 2)), -1, 0);
}

/* Between Gaussians, u = log variance predicted - log_small:   (u - 1 + exp(-u) + d^2 exp(-u - log_small)) / 2 */
static limn_node *gaussian_kl(limn_node *d, limn_node *u, limn_node *log_small)
{
    limn_node *precision = limn_exp(limn_affine(limn_add(u, log_small), -1, 0));
    limn_node *sum = limn_add(limn_add(u, limn_exp(limn_affine(u, -1, 0))), limn_mul(limn_square(d), precision));
    return limn_affine(sum, 0.5, -0.5);
}

limn_node *limn_loss_bound(limn_graph *g, limn_node *error, limn_node *range, limn_bound_inputs *in)
{
    limn_shape all = limn_node_shape(error), one = LIMN_SHAPE(all.dim[0], 1, 1, 1);
    *in = (limn_bound_inputs){
        .mean_scale = limn_input(g, "bound_mean_scale", LIMN_WIDE, one, LIMN_PER_STEP),
        .log_small = limn_input(g, "bound_log_small", LIMN_WIDE, one, LIMN_PER_STEP),
        .log_range = limn_input(g, "bound_log_range", LIMN_WIDE, one, LIMN_PER_STEP),
        .first = limn_input(g, "bound_first", LIMN_WIDE, one, LIMN_PER_STEP),
        .above = limn_input(g, "bound_above", LIMN_WIDE, all, LIMN_PER_STEP),
        .below = limn_input(g, "bound_below", LIMN_WIDE, all, LIMN_PER_STEP),
    };
    limn_node *d = limn_mul(limn_detach(error), in->mean_scale), *u = limn_mul(limn_affine(range, 0.5, 0.5), in->log_range);
    limn_node *kl = gaussian_kl(d, u, in->log_small), *nll = discretized_gaussian(d, limn_add(u, in->log_small), in);
    limn_node *bound = limn_add(limn_mul(kl, limn_affine(in->first, -1, 1)), limn_mul(nll, in->first));
    return limn_affine(limn_mean(bound), 1 / log(2), 0);
}

/* ---- text and picture ------------------------------------------------------------------------------------------------- */

/* Rows of x [B,P] with length 1. */
static limn_node *unit(limn_graph *g, limn_node *x)
{
    int64_t p = limn_shape_cols(&x->shape);
    return limn_affine(limn_rms_norm(g, NULL, x, 1e-12), 1 / sqrt((double)p), 0);
}

static limn_node *projected(limn_graph *g, const char *name, limn_node *x, int64_t p)
{
    return limn_widen(unit(g, limn_linear_with(g, name, x, p, (limn_linear_options){.no_bias = true})));
}

limn_node *limn_loss_contrastive(limn_graph *g, limn_node *tokens, limn_node *text, limn_contrastive_inputs *in)
{
    limn_shape s = limn_node_shape(tokens);
    int64_t b = s.dim[0], p = limn_node_shape(text).dim[1];
    *in = (limn_contrastive_inputs){
        .mask = limn_input(g, "contrastive_mask", LIMN_WIDE, LIMN_SHAPE(b, b), LIMN_PER_STEP),
        .weight = limn_input(g, "contrastive_weight", LIMN_WIDE, LIMN_SHAPE(b), LIMN_PER_STEP),
        .target = limn_input(g, "contrastive_target", LIMN_INDEX, LIMN_SHAPE(b), LIMN_PER_STEP),
    };
    limn_scope_push(g, "contrastive");
    limn_node *pooled = limn_affine(limn_reshape(limn_sum_to(tokens, LIMN_SHAPE(b, 1, s.dim[2])), LIMN_SHAPE(b, s.dim[2])),
                                    1 / (double)s.dim[1], 0);
    limn_node *image = projected(g, "image_projection", pooled, p), *words = projected(g, "text_projection", text, p);
    limn_node *log_scale = limn_parameter(g, "log_scale", LIMN_SHAPE(1), (limn_init){.kind = LIMN_INIT_ZERO});
    limn_node *scale = limn_exp(limn_clamp(limn_affine(limn_widen(log_scale), 1, log(1 / 0.07)), -100, log(100)));
    limn_node *logits = limn_add(limn_mul(limn_matmul(image, words, NULL), scale), in->mask);
    limn_node *both = limn_add(limn_cross_entropy(logits, in->target),
                               limn_cross_entropy(limn_permute(logits, 2, (int[]){1, 0}), in->target));
    limn_node *loss = limn_affine(limn_sum_to(limn_mul(both, in->weight), (limn_shape){.rank = 0}), 0.5, 0);
    limn_scope_pop(g);
    return loss;
}
