/* noising.c: timesteps, noise, targets. */
#include "denoise/noising.h"

#include "base/rng.h"

#include <math.h>

int limn_timestep_uniform(uint64_t seed, uint64_t step, uint64_t index, int n_train)
{
    return (int)limn_random_below(seed, LIMN_STREAM_TIMESTEP, step, index, (uint64_t)n_train);
}

double limn_timestep_logit_normal(uint64_t seed, uint64_t step, uint64_t index, double mean, double std, double shift,
                                  int n_train)
{
    float z;
    limn_random_normal(seed, LIMN_STREAM_TIMESTEP, step, index, 1, &z);
    return n_train * limn_flow_shift(shift, 1 / (1 + exp(-(mean + std * z))));
}

double limn_timestep_flow_uniform(uint64_t seed, uint64_t step, uint64_t index, double shift, int n_train)
{
    return n_train * limn_flow_shift(shift, 1.0 - limn_random_uniform(seed, LIMN_STREAM_TIMESTEP, step, index));
}

void limn_training_noise(uint64_t seed, uint64_t sample, size_t n, float *noise)
{
    limn_random_normal(seed, LIMN_STREAM_NOISE, sample, 0, n, noise);
}

void limn_add_noise(const limn_schedule *schedule, limn_prediction prediction, double t, size_t n, const float *x0,
                    const float *noise, float *x_t, float *target)
{
    double a, b, of_x0, of_noise;
    limn_schedule_level(schedule, t, &a, &b);
    limn_prediction_target(prediction, a, b, &of_x0, &of_noise);
    for (size_t i = 0; i < n; i++) {
        double clean = x0[i], wild = noise[i];
        if (x_t) x_t[i] = (float)(a * clean + b * wild);
        if (target) target[i] = (float)(of_x0 * clean + of_noise * wild);
    }
}
