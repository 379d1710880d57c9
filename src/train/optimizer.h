/* optimizer.h: AdamW (Loshchilov & Hutter 2019) over one flat layout of all parameters, with clipping and EMA in the same
 * pass. */
#ifndef LIMN_OPTIMIZER_H
#define LIMN_OPTIMIZER_H

#include "comm/tree.h"

typedef struct limn_adamw {
    double lr, beta1, beta2, eps, weight_decay, clip; /* clip: largest gradient norm; 0: none */
    double ema;                                       /* decay; 0: none */
} limn_adamw;

enum { LIMN_NORM_CHUNK = LIMN_TREE_GRAIN };

/** Sums of squares of chunks of LIMN_NORM_CHUNK floats each, the last one may be shorter: square [chunks]. */
void limn_gradient_squares(const float *grad, size_t n, double *square, int n_threads);
/** Euclidean norm: of the chunks' sums, added in their order, so that it does not depend on the thread count. NaN or
 *  infinity show in it. */
double limn_gradient_norm(const float *grad, size_t n, int n_threads);
/** One step t = 1, 2, ...: value, m, v, ema [n] are changed.  decay[i] says whether element i decays. */
void limn_adamw_step(const limn_adamw *o, int64_t t, double norm, size_t n, float *value, const float *grad, float *m,
                     float *v, float *ema, const uint8_t *decay, int n_threads);
/** Linear warm-up, then lr, and over the last `decay` steps (0: all after the warm-up) half a cosine down to a tenth. */
double limn_learning_rate(double lr, int64_t step, int64_t warmup, int64_t total, int64_t decay);

#endif
