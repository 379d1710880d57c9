/* objective.h: what a denoiser is taught: which timestep, how much noise, what it should output, how much an error
 * counts. */
#ifndef LIMN_OBJECTIVE_H
#define LIMN_OBJECTIVE_H

#include "denoise/noising.h"

const char *limn_weighting_name(limn_weighting weighting);
/** LIMN_OK, or LIMN_BAD_ARGUMENT when its parts do not fit together. */
limn_status limn_objective_check(limn_ctx *ctx, const limn_objective *objective);

/**
 * One training sample.  x [n]: clean in, noisy out; target [n]; all a function of (seed, sample) alone.
 *
 * @param schedule  of objective->schedule
 * @return weight of its squared error
 */
float limn_objective_sample(const limn_objective *objective, const limn_schedule *schedule, uint64_t seed, uint64_t sample,
                            size_t n, float *x, float *target, float *timestep);

/* Terms of the variational bound at one timestep, see losses.h. */
typedef struct limn_bound_terms { double mean_scale, log_small, log_range, first; } limn_bound_terms;
/** @param t  0 .. n_train - 1 of a variance-preserving schedule */
limn_bound_terms limn_objective_bound(const limn_schedule *schedule, int t);

#endif
