/* shares.h: moments and EMA divided among ranks (ZeRO stage 1: Rajbhandari et al. 2020, arXiv:1910.02054).
 *
 * A rank has m, v and EMA of its own blocks (comm/tree.h) only.  Gradients are summed to the ranks whose blocks they are of,
 * which make the step there and send the new weights to all: as many bytes as before, and the same bits.  What is saved or
 * drawn with is brought to rank 0, a state at a time, to where the gradient lies otherwise. */
#ifndef LIMN_SHARES_H
#define LIMN_SHARES_H

#include "train/optimizer.h"

typedef struct limn_shares {
    limn_tree_sums *sums; /* the trainer's; NULL: nothing is divided */
    size_t n;             /* floats of a state on this rank */
    double *square;       /* [size, n / LIMN_NORM_CHUNK]: of all ranks' gradients */
    float *aside;         /* [n] on rank 0: its blocks of the gradient while a state lies there */
} limn_shares;

/** Bytes that a rank of so many sends in a step beyond those of a sum: squares for the norm, and weights, which are never
 *  rounded. */
double limn_shares_traffic(int size, size_t n, bool in_bf16);
/** @return LIMN_NO_MEMORY; limn_shares_free() in any case */
limn_status limn_shares_new(limn_tree_sums *sums, limn_shares *out);
void limn_shares_free(limn_shares *s);

/** The norm of the whole gradient, of which each rank has its blocks: the bits of limn_gradient_norm(). */
limn_status limn_shares_norm(limn_shares *s, const float *grad, double *norm);
/** limn_adamw_step() on this rank's blocks; then everybody has all of `value`.
 *  @param value, grad, decay  as long as all weights;  m, v, ema: [n] */
limn_status limn_shares_step(limn_shares *s, const limn_adamw *o, int64_t t, double norm, float *value, const float *grad,
                             float *m, float *v, float *ema, const uint8_t *decay);
/** This rank's blocks of the weights, one behind the other. */
void limn_shares_take(const limn_shares *s, const float *whole, float *own);
/** Before a state is brought to where the gradient lies, and after: then its blocks are there again, and zeros elsewhere.
 *  Rank 0 only. */
void limn_shares_put_aside(limn_shares *s, const float *grad);
void limn_shares_put_back(limn_shares *s, float *grad);

#endif
