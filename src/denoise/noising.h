/* noising.h: the training side: pick a timestep, add noise, say what the network should output.
 *
 * A timestep is a function of (seed, step, index of the sample in the whole batch), a noise of (seed, number of the sample
 * since the start of training): the same on any number of ranks and threads, and after a resume. */
#ifndef LIMN_DENOISE_NOISING_H
#define LIMN_DENOISE_NOISING_H

#include "denoise/prediction.h"
#include "denoise/schedule.h"

/** Whole timestep, uniform in 0 .. n_train - 1. */
int limn_timestep_uniform(uint64_t seed, uint64_t step, uint64_t index, int n_train);

/** Flow timestep n_train * shift(s), s = 1 / (1 + exp(-(mean + std z))), z normal (Esser et al. 2024, section 3.1; 0 and 1).
 *  A mean above 0 trains more on noise.  In (0, n_train]. */
double limn_timestep_logit_normal(uint64_t seed, uint64_t step, uint64_t index, double mean, double std, double shift,
                                  int n_train);

/** Flow timestep n_train * shift(s), s uniform in (0, 1]. */
double limn_timestep_flow_uniform(uint64_t seed, uint64_t step, uint64_t index, double shift, int n_train);

/** noise[n] of sample number `sample`. */
void limn_training_noise(uint64_t seed, uint64_t sample, size_t n, float *noise);

/**
 * x_t = a x0 + b noise at timestep t of the schedule, and the target of the prediction (prediction.h).
 *
 * @param x0, noise  [n];  x_t, target  [n], either may be NULL; each may be x0 or noise, but not
 * the same one */
void limn_add_noise(const limn_schedule *schedule, limn_prediction prediction, double t, size_t n, const float *x0,
                    const float *noise, float *x_t, float *target);

#endif
