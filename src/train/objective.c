/* objective.c: see objective.h. */
#include "train/objective.h"

#include <math.h>
#include <string.h>

limn_objective limn_objective_flow(void)
{
    limn_objective o = {.prediction = LIMN_PREDICT_FLOW, .schedule = limn_schedule_defaults(), .gamma = 5, .time_std = 1};
    o.schedule.kind = LIMN_SCHEDULE_FLOW;
    return o;
}

static const char *const weightings[LIMN_N_WEIGHTINGS] = {"uniform", "min-snr", "velocity"};

const char *limn_weighting_name(limn_weighting weighting)
{
    return weightings[weighting];
}

bool limn_weighting_find(const char *name, limn_weighting *out)
{
    for (int i = 0; i < LIMN_N_WEIGHTINGS; i++)
        if (!strcmp(name, weightings[i])) {
            *out = (limn_weighting)i;
            return true;
        }
    return false;
}

limn_status limn_objective_check(limn_ctx *ctx, const limn_objective *o)
{
    bool flow = o->schedule.kind == LIMN_SCHEDULE_FLOW;
    if ((unsigned)o->prediction >= LIMN_N_PREDICTIONS || (unsigned)o->weighting >= LIMN_N_WEIGHTINGS)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "there is no prediction %d, or no weighting %d", (int)o->prediction,
                         (int)o->weighting);
    if (o->prediction == LIMN_PREDICT_FLOW && !flow)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT,
                         "prediction flow needs the flow schedule; a variance-preserving one takes eps, v or x0");
    if (o->weighting == LIMN_WEIGHT_VELOCITY && !flow)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "weighting velocity needs the flow schedule");
    if (!(o->gamma > 0) || !(o->time_std >= 0) || !isfinite(o->time_mean))
        return limn_fail(ctx, LIMN_BAD_ARGUMENT,
                         "expected gamma above 0 and timesteps with a spread of 0 or more, found %.9g and %.9g", o->gamma,
                         o->time_std);
    if (o->time_std == 0 && o->time_mean != 0)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "timesteps without a spread are uniform and have no mean, found %.9g",
                         o->time_mean);
    return LIMN_OK;
}

/* With x = a x0 + b n and a + b = 1, an error e of x0 is an error e / b of n - x0, one of n is e / a.  Near 0 the divisor is
 * kept at 0.05: a few nearly clean (or nearly empty) samples must not drown the batch. */
static double velocity_weight(limn_prediction prediction, double a, double b)
{
    double by = prediction == LIMN_PREDICT_X0 ? fmax(b, 0.05) : prediction == LIMN_PREDICT_EPS ? fmax(a, 0.05) : 1;
    return 1 / (by * by);
}

static double timestep_of(const limn_objective *o, uint64_t seed, uint64_t sample)
{
    if (o->schedule.kind != LIMN_SCHEDULE_FLOW) return limn_timestep_uniform(seed, sample, 0, o->schedule.n_train);
    if (o->time_std == 0) return limn_timestep_flow_uniform(seed, sample, 0, o->schedule.shift, o->schedule.n_train);
    return limn_timestep_logit_normal(seed, sample, 0, o->time_mean, o->time_std, o->schedule.shift, o->schedule.n_train);
}

float limn_objective_sample(const limn_objective *o, const limn_schedule *schedule, uint64_t seed, uint64_t sample, size_t n,
                            float *x, float *target, float *timestep)
{
    double t = timestep_of(o, seed, sample), a, b;
    *timestep = (float)t;
    limn_training_noise(seed, sample, n, target);
    limn_schedule_level(schedule, t, &a, &b);
    limn_add_noise(schedule, o->prediction, t, n, x, target, x, target);
    if (o->weighting == LIMN_WEIGHT_MIN_SNR) return (float)limn_min_snr_weight(o->prediction, a, b, o->gamma);
    return o->weighting == LIMN_WEIGHT_VELOCITY ? (float)velocity_weight(o->prediction, a, b) : 1.0f;
}

/* Ho et al. 2020, eq. 7: the posterior's variance, which is 0 at t = 0: there that of t = 1 stands for it. */
static double log_posterior_variance(const limn_schedule *schedule, int t)
{
    double bar = limn_schedule_alpha_bar(schedule, t), before = limn_schedule_alpha_bar(schedule, t - 1);
    return log((1 - bar / before) * (1 - before) / (1 - bar));
}

/* x0 - x0 predicted = sqrt((1 - bar) / bar) (eps predicted - eps), times the posterior mean's factor beta sqrt(before) / (1
 * - bar) */
limn_bound_terms limn_objective_bound(const limn_schedule *schedule, int t)
{
    double bar = limn_schedule_alpha_bar(schedule, t), before = limn_schedule_alpha_bar(schedule, t - 1),
           beta = 1 - bar / before;
    limn_bound_terms b = {.log_small = log_posterior_variance(schedule, t > 0 ? t : 1), .first = t == 0};
    b.log_range = log(beta) - b.log_small;
    b.mean_scale = beta * sqrt(before) / (1 - bar) * sqrt((1 - bar) / bar);
    return b;
}
