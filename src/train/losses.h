/* losses.h: what is added to the squared error, as graph.   B batch, T tokens, D width, P width where text and picture meet. */
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
 * Nichol & Dhariwal 2021, eq. 15 and section 3.1, in bits per dimension: at timestep 0 the discretised Gaussian's -log p(x0), else
 * KL(posterior, predicted).  The predicted mean is a constant here: only the variance learns from it.
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
 * Parameters contrastive.image_projection.weight [P,D], contrastive.text_projection.weight [P,E] and contrastive.log_scale, which
 * counts from CLIP's start ln(1/0.07); exp(s) is at most 100.
 *
 * In a network whose picture has looked at the text the pairs are easy: the term then mostly keeps captions apart in the text encoder.
 *
 * @param tokens  [B,T,D];  text [B,E], E = P
 * @return rank 0; fills *in
 */
limn_node *limn_loss_contrastive(limn_graph *g, limn_node *tokens, limn_node *text, limn_contrastive_inputs *in);

#endif
