/* autoencoder_loss.c: what an autoencoder is taught; see losses.h. */
#include "train/losses.h"

#include "graph/node.h"

/* ---- fit and prior ---------------------------------------------------------------------------------------------------- */

static limn_node *mean_size(limn_node *x, limn_node *weight)
{
    limn_node *size = limn_add(limn_activate(x, LIMN_RELU), limn_activate(limn_affine(x, -1, 0), LIMN_RELU));
    return limn_mean(limn_mul(size, weight));
}

limn_node *limn_loss_absolute(limn_node *x, limn_node *target, limn_node *weight)
{
    return mean_size(limn_sub(x, target), weight);
}

/* x[i + 1] - x[i] along an axis */
static limn_node *difference(limn_node *x, int axis)
{
    int64_t n = limn_node_shape(x).dim[axis] - 1;
    return limn_sub(limn_slice(x, axis, 1, n), limn_slice(x, axis, 0, n));
}

limn_node *limn_loss_differences(limn_node *x, limn_node *target, limn_node *weight)
{
    limn_node *error = limn_sub(x, target);
    return limn_add(mean_size(difference(error, 1), weight), mean_size(difference(error, 2), weight));
}

limn_node *limn_loss_kl(limn_node *mean, limn_node *log_variance, int64_t n_values)
{
    limn_node *terms = limn_sub(limn_add(limn_square(mean), limn_exp(log_variance)), log_variance);
    double share = (double)limn_node_count(mean) / (double)n_values;
    return limn_affine(limn_mean(terms), 0.5 * share, -0.5 * share);
}

/* ---- discriminator ---------------------------------------------------------------------------------------------------- */

static limn_node *leaky_relu(limn_node *x)
{
    return limn_sub(limn_activate(x, LIMN_RELU), limn_affine(limn_activate(limn_affine(x, -1, 0), LIMN_RELU), 0.2, 0));
}

/* Isola et al. 2017: N(0, 0.02) */
static limn_node *conv(limn_graph *g, int place, limn_node *x, int n, int stride, bool bias)
{
    static const int one[] = {1, 1, 1, 1};
    static const limn_init normal = {.kind = LIMN_INIT_NORMAL, .scale = 0.02f, .decay = true};
    char name[16];
    snprintf(name, sizeof name, "main.%d", place);
    return limn_conv_with(g, name, x, n, 4,
                          (limn_conv_options){.stride = stride, .pad = one, .no_bias = !bias, .weight_init = &normal});
}

/* [B,H,W,C] -> [B,h,w,1]: one judgement for every patch of 70 x 70.  The same parameters at every call. */
static limn_node *judge(limn_graph *g, limn_node *x)
{
    static const int width[] = {64, 128, 256, 512};
    char name[16];
    limn_scope_push(g, "discriminator");
    x = leaky_relu(conv(g, 0, x, width[0], 2, true));
    for (int i = 1; i < 4; i++) {
        x = conv(g, 3 * i - 1, x, width[i], i < 3 ? 2 : 1, false);
        snprintf(name, sizeof name, "main.%d", 3 * i);
        x = leaky_relu(limn_group_norm(g, name, x, 32, 1e-5, LIMN_IDENTITY));
    }
    x = limn_widen(conv(g, 11, x, 1, 1, true));
    limn_scope_pop(g);
    return x;
}

static limn_node *hinge(limn_node *score, double sign)
{
    return limn_mean(limn_activate(limn_affine(score, sign, 1), LIMN_RELU));
}

static limn_node *length(limn_node *gradient)
{
    return limn_sqrt(limn_affine(limn_mean(limn_square(gradient)), (double)limn_node_count(gradient), 1e-24));
}

limn_status limn_loss_adversary(limn_graph *g, limn_node *x, limn_node *real, limn_node *fit, limn_node *last, double weight,
                                limn_adversary *out)
{
    limn_node *of_fit = NULL, *of_score = NULL;
    out->gate = limn_input(g, "discriminator_on", LIMN_WIDE, (limn_shape){.rank = 0}, LIMN_PER_STEP);
    limn_node *score = limn_affine(limn_mean(judge(g, x)), -1, 0);
    limn_status status = limn_grad(g, fit, 1, &last, &of_fit);
    if (status == LIMN_OK) status = limn_grad(g, score, 1, &last, &of_score);
    if (status != LIMN_OK) return status;
    limn_node *adaptive = limn_clamp(limn_div(length(of_fit), limn_affine(length(of_score), 1, 1e-4)), 0, 1e4);
    adaptive = limn_affine(limn_mul(limn_detach(adaptive), out->gate), weight, 0);
    out->term = limn_mul(adaptive, score);
    limn_node *both = limn_add(hinge(judge(g, real), -1), hinge(judge(g, limn_detach(x)), 1));
    out->loss = limn_mul(limn_affine(both, 0.5, 0), out->gate);
    return g->status;
}
