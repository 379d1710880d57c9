/* sigmas.h: which noise levels a sampler visits, beside those of evenly spaced timesteps.
 *
 * Of n_train levels, sigma(t) of timestep t = 0 .. T-1 (flow: sigma = b, of timestep t + 1 of n_train): */
#ifndef LIMN_DENOISE_SIGMAS_H
#define LIMN_DENOISE_SIGMAS_H

#include "denoise/schedule.h"

typedef enum limn_sigmas {
    LIMN_SIGMAS_SPACED,      /* those of the timesteps that a spacing gives */
    LIMN_SIGMAS_KARRAS,      /* even in sigma^(1/7)                              Karras et al. 2022, eq. 5 */
    LIMN_SIGMAS_EXPONENTIAL, /* even in log(sigma) */
    LIMN_SIGMAS_BETA_RANGE,  /* low + q (high - low), q quantiles of Beta(0.6, 0.6): "use_beta_sigmas" of diffusers */
    LIMN_SIGMAS_NORMAL,      /* t even from T-1 to 0, log(sigma) linear between whole t       k-diffusion */
    LIMN_SIGMAS_SGM_UNIFORM, /* the same with one point more, the lowest left out             Stability AI */
    LIMN_SIGMAS_SIMPLE,      /* t = T-1 - floor(i T/n)                                        ComfyUI */
    LIMN_SIGMAS_BETA,        /* t = round(q (T-1)), q quantiles of Beta(0.6, 0.6)             Lee et al. 2024 */
    LIMN_SIGMAS_AYS,         /* Stable Diffusion 1, best ten steps, log-linear between        Sabour et al. 2024 */
    LIMN_SIGMAS_AYS_SDXL,    /* the same of SDXL */
    LIMN_SIGMAS_FLOW,        /* rectified flow as diffusers' multistep schedulers have it: "use_flow_sigmas" */
    LIMN_N_SIGMAS,
} limn_sigmas;

/** "karras", "exponential", "beta_range", "normal", "sgm_uniform", "simple", "beta", "ays", "ays_sdxl", "flow"; case, spaces
 *  and "_" play no part, and "Align Your Steps" is ays.  false and *out unchanged for other names. */
bool limn_sigmas_find(const char *name, limn_sigmas *out);
/** As picture tools write it: "Karras", "SGM Uniform"; "" for those of a spacing. */
const char *limn_sigmas_shown(limn_sigmas kind);
/** Between the same ends as a spacing: the kinds for which limn_sigmas_between() is. */
bool limn_sigmas_have_ends(limn_sigmas kind);

/** KARRAS, EXPONENTIAL, BETA_RANGE: sigma[n] from high to low. */
void limn_sigmas_between(limn_sigmas kind, double high, double low, int n, double *sigma);
/** FLOW: sigma[n], falling, and what the network is told, t[n], whole; T = n_train:
 *    from_noise, as UniPC:  s = 1 - i (1 - 1/T) / n, shifted, the first a millionth less than 1
 *    else, as DPM++, DEIS:  the same less 1/T, so from (T - 1)/T on, shifted
 *  @return LIMN_BAD_ARGUMENT: n leaves 1 .. n_train */
limn_status limn_sigmas_of_flow(limn_ctx *ctx, const limn_schedule *schedule, bool from_noise, int n, double *sigma,
                                double *t);
/** The other kinds: sigma[n], falling, and their timesteps t[n], the final 0 left out.
 *  @return LIMN_BAD_ARGUMENT: n leaves 1 .. n_train, levels would repeat, or AYS on other noise levels than it was found for
 */
limn_status limn_sigmas_of_table(limn_ctx *ctx, limn_sigmas kind, const limn_schedule *schedule, int n, double *sigma,
                                 double *t);
/** Quantile p of Beta(0.6, 0.6), p in 0..1. */
double limn_beta_quantile(double p);

#endif
