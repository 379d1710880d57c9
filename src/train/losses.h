/* losses.h: what is added to the squared error, as graph.   B batch, T tokens, D width, P width where text and picture
 * meet. */
#ifndef LIMN_LOSSES_H
#define LIMN_LOSSES_H

#include "limn/graph.h"

/* The variational bound of a learned variance.  Inputs, all WIDE; their values for a timestep: limn_objective_bound(). */
typedef struct limn_bound_inputs {
    limn_node *mean_scale; /* [B,1,1,1]: mean of the posterior - mean predicted = mean_scale (eps predicted - eps) */
    limn_node *log_small;  /* [B,1,1,1]: log variance of the posterior, the lower end of what can be learned */
    limn_node *log_range;  /* [B,1,1,1]: log beta - log_small */
    limn_node *first;      /* [B,1,1,1]: 1 at timestep 0, else 0 */
    limn_node *above;      /* [B,H,W,C]: 1 where the clean picture is above 0.999 */
    limn_node *below;      /* [B,H,W,C]: 1 where it is below -0.999 */
} limn_bound_inputs;

/**
 * Nichol & Dhariwal 2021, eq. 15 and section 3.1, in bits per dimension: at timestep 0 the discretised Gaussian's -log
 * p(x0), else KL(posterior, predicted).  The predicted mean is a constant here: only the variance learns from it.
 *
 * @param error  [B,H,W,C] WIDE: predicted - true noise
 * @param range  [B,H,W,C] WIDE: the network's v; log variance = log_small + log_range (v + 1) / 2
 * @return rank 0, the mean over the batch; fills *in
 */
limn_node *limn_loss_bound(limn_graph *g, limn_node *error, limn_node *range, limn_bound_inputs *in);

typedef struct limn_contrastive_inputs {
    limn_node *mask;   /* [B,B] WIDE: 0 where picture i may be told from text j, LIMN_CONTRASTIVE_HIDDEN where not */
    limn_node *weight; /* [B] WIDE: of each pair; 0 for pairs left out; they should add to 1 */
    limn_node *target; /* [B] INDEX: 0 .. B-1 */
} limn_contrastive_inputs;

#define LIMN_CONTRASTIVE_HIDDEN (-1e4f)

/**
 * InfoNCE (van den Oord et al. 2018) both ways, as CLIP trains it (Radford et al. 2021, fig. 3):
 *   a_i = unit(W_image mean_t tokens_i),  b_j = unit(W_text text_j),  logits = exp(s) a b^T + mask
 *   loss = sum_i weight_i (CE(logits_i, i) + CE(logits^T_i, i)) / 2
 * Parameters contrastive.image_projection.weight [P,D], contrastive.text_projection.weight [P,E] and contrastive.log_scale,
 * which counts from CLIP's start ln(1/0.07); exp(s) is at most 100.
 *
 * In a network whose picture has looked at the text the pairs are easy: the term then mostly keeps captions apart in the
 * text encoder.
 *
 * @param tokens  [B,T,D];  text [B,E], E = P
 * @return rank 0; fills *in
 */
limn_node *limn_loss_contrastive(limn_graph *g, limn_node *tokens, limn_node *text, limn_contrastive_inputs *in);

/* ---- autoencoders (Rombach et al. 2022, section 3.1 and appendix G) --------------------------------------------------- */

/** mean of weight |x - target|.   x target [B,H,W,C] WIDE, weight [B,1,1,1] */
limn_node *limn_loss_absolute(limn_node *x, limn_node *target, limn_node *weight);

/** mean |rows of x - target that follow each other, subtracted| + the same of columns: what is smooth stays so, and grain
 *  and seams cost more than a shade that is a little off.  After the gradient difference loss of Mathieu et al. 2016, eq. 6,
 *  which takes sizes before it subtracts and so lets grain of the right strength pass. */
limn_node *limn_loss_differences(limn_node *x, limn_node *target, limn_node *weight);

/** KL(N(mean, exp(log_variance)), N(0, 1)) = sum (mean^2 + exp(log_variance) - 1 - log_variance) / 2, of a whole batch, over
 *  the number of values in its pictures: so that it stands beside limn_loss_absolute() as the published sums stand beside
 *  each other. */
limn_node *limn_loss_kl(limn_node *mean, limn_node *log_variance, int64_t n_values);

typedef struct limn_adversary {
    limn_node *gate;   /* rank 0, an input: 0 before the discriminator counts, then 1 */
    limn_node
        *loss; /* of the discriminator, rank 0: (mean max(0, 1 - D(picture)) + mean max(0, 1 + D(x))) / 2, times the gate */
    limn_node *term;   /* what x adds to its own loss: - weight a mean D(x), times the gate */
} limn_adversary;

/**
 * A discriminator of patches (Isola et al. 2017: 4x4 convolutions of stride 2 to channels 64, 128, 256, then 512 and 1 of
 * stride 1, leaky ReLU of slope 0.2; group norm where theirs has batch norm) with the hinge loss, and the adaptive weight of
 * Esser et al. 2021, eq. 7:
 *   a = |d fit / d last| / (|d term / d last| + 1e-4), at most 1e4, a constant when gradients are made.
 * Parameters "discriminator.main.0.weight" ... as in their repository.
 *
 * @param x     [B,H,W,C]: pictures the autoencoder made of `real`, both at least 24 pixels a side
 * @param fit   rank 0: the other losses of x
 * @param last  the weight that both losses reach first
 * @return LIMN_OK; what limn_grad() says.  Fills *out
 */
limn_status limn_loss_adversary(limn_graph *g, limn_node *x, limn_node *real, limn_node *fit, limn_node *last, double weight,
                                limn_adversary *out);

#endif
