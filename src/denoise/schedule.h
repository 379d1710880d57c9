/* schedule.h: how much noise at which timestep; all in double.
 *
 * Variance-preserving: alpha_bar[t] = prod_{s<=t} (1 - beta[s]), a = sqrt(alpha_bar), b = sqrt(1 - alpha_bar), sigma = b /
 * a. Rectified flow: b = sigma in 0..1, a = 1 - sigma, timestep = n_train sigma. */
#ifndef LIMN_DENOISE_SCHEDULE_H
#define LIMN_DENOISE_SCHEDULE_H

#include "base/base.h"
#include "limn/train.h"

enum { LIMN_TRAIN_STEPS_MAX = 100000 };

typedef struct limn_schedule {
    limn_schedule_options options;
    double *alpha_bar; /* [n_train]; NULL for flow */
} limn_schedule;

const char *limn_schedule_name(limn_schedule_kind kind);

/** @param out  on LIMN_OK to be freed with limn_schedule_free(); otherwise *out is NULL.  @return LIMN_BAD_ARGUMENT names
 *  the option */
limn_status limn_schedule_new(limn_ctx *ctx, const limn_schedule_options *options, limn_schedule **out);
void limn_schedule_free(limn_schedule *schedule); /* NULL is allowed */

/** a and b at timestep t: flow any t in 0..n_train; else t is rounded and limited to 0..n_train - 1. */
void limn_schedule_level(const limn_schedule *schedule, double t, double *a, double *b);
/** alpha_bar[t]; 1 for t < 0.  Not for flow. */
double limn_schedule_alpha_bar(const limn_schedule *schedule, int t);
/** sqrt((1 - alpha_bar) / alpha_bar), linear between whole timesteps; an alpha_bar of 0 is taken as 2^-24.  Not for flow. */
double limn_schedule_sigma(const limn_schedule *schedule, double t);
/** The timestep of a sigma, linear in log(sigma) between whole timesteps.  Not for flow. */
double limn_schedule_time(const limn_schedule *schedule, double sigma);

/* Lin et al. 2024, table 2 */
typedef enum limn_spacing {
    LIMN_SPACING_AUTO,     /* the sampler's custom: leading for ddpm and ddim, trailing for flow, linspace else */
    LIMN_SPACING_LEADING,  /* i floor(T/n) + offset */
    LIMN_SPACING_LINSPACE, /* 0 .. T-1 */
    LIMN_SPACING_TRAILING, /* T - i T/n - 1 */
    LIMN_N_SPACINGS,
} limn_spacing;

typedef enum limn_rounding {
    LIMN_TIMES_WHOLE,    /* whole timesteps: ddpm, ddim */
    LIMN_TIMES_REAL,     /* linspace is not rounded: euler, heun */
    LIMN_TIMES_PLUS_ONE, /* whole, and spaced as if for one more step whose lowest timestep is left out: dpm++ */
    LIMN_TIMES_DISTILLED, /* whole, of the timesteps that a network was distilled at, whatever the spacing: lcm, tcd */
} limn_rounding;

bool limn_spacing_find(const char *name, limn_spacing *out);

/* Timesteps that a consistency network was distilled at: i n_train / LIMN_DISTILLED_STEPS - 1 */
enum { LIMN_DISTILLED_STEPS = 50 };

/** t[n_steps], falling.  distilled: of those timesteps so many, the last ones, are there to be taken.
 *  @return LIMN_BAD_ARGUMENT when n_steps is not 1 .. n_train (or 1 .. distilled), or a timestep leaves 0 .. n_train - 1. */
limn_status limn_schedule_times(limn_ctx *ctx, const limn_schedule *schedule, limn_spacing spacing, limn_rounding rounding,
                                int distilled, int n_steps, int offset, double *t);
/** sigma[n], falling from 1, without the final 0.  trailing: s = 1 - i/n, shifted.  linspace: s from 1 to the shifted 1/T,
 *  shifted again, as the published scheduler of SD3 does. */
limn_status limn_flow_sigmas(limn_ctx *ctx, const limn_schedule *schedule, limn_spacing spacing, int n, double *sigma);
/** shift s / (1 + (shift - 1) s) */
double limn_flow_shift(double shift, double s);

#endif
