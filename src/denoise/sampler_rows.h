/* sampler_rows.h: what a sampler is made of; shared by the rows and the loop around them. */
#ifndef LIMN_DENOISE_SAMPLER_ROWS_H
#define LIMN_DENOISE_SAMPLER_ROWS_H

#include "denoise/sampler.h"

enum {
    SAMPLER_KEPT_MOST = 6,
    SAMPLER_MORE_CALLS = 9, /* than two a step: three for each of pndm's first three steps */
};

typedef struct sampler_level { double time, a, b; } sampler_level; /* x = a x0 + b n */

/* x' = x x + d d + sum kept[k] (what was kept at k) + sum noise[j] (j-th normal noise of the step) */
typedef struct sampler_form { double x, d, kept[SAMPLER_KEPT_MOST], noise[2]; } sampler_form;

/* One network call.  x at a level is a x0 + b n. */
typedef struct sampler_call {
    int step;                        /* of n_steps; calls of one step share it */
    bool corrects;                   /* second call of a heun step: the network has run at the level `to` */
    double time, scale;
    double at_a, at_b;               /* where the network runs; x at the start of the call */
    double kept_b;                   /* noise of what a mask keeps of a picture there, if another than at_b */
    double a, b, to_a, to_b;         /* from, to: the levels of the step */
    double history;                  /* dpm++2m: weight of (x0 - earlier x0); 0 in a first-order step */
    limn_conversion convert;         /* output and x (not z) to x0 and n */
    limn_conversion mixed;           /* raw rows: the same of mixed outputs and x, taken as those of the step's beginning */
    sampler_form form;               /* rows with a plan: what becomes of x */
    sampler_form correction;         /* unipc: x is corrected before */
    bool corrected;
    int keep_x, keep_d;              /* x, d go to kept[keep_x], kept[keep_d] after it; -1: nowhere */
} sampler_call;

/* One picture in one call. */
typedef struct sampler_step {
    const limn_sampler_options *options;
    const struct sampler_row *row;
    const sampler_call *call;
    size_t n;
    const float *prediction, *range; /* [n]; range: the learned variance, NULL without */
    const float *noise;              /* [n] normal, NULL where the step adds none */
    const float *more_noise;         /* [n] the second one, NULL where there is none */
    float *kept[SAMPLER_KEPT_MOST];  /* [n] each, from call to call */
    float *x;                        /* [n], in place */
} sampler_step;

/* Where calls are written down, one step after the other. */
typedef struct sampler_planner {
    const limn_sampler_options *options;
    const limn_schedule *schedule;
    const struct sampler_row *row;
    sampler_level *levels;           /* [n_steps + 1] */
    int first;                       /* the step that runs first */
    sampler_call *calls;             /* [2 n_steps + SAMPLER_MORE_CALLS] */
    int n_calls;
} sampler_planner;

/* The samplers that people are told of, in that order.  A name without a row does not compile. */
#define SAMPLER_NAMES(X) \
    X(euler, "euler") X(euler_a, "euler_a") X(heun, "heun") X(dpm2, "dpm2") X(dpm2_a, "dpm2_a") \
    X(dpmpp_2s_a, "dpm++2s_a") X(dpmpp_2m, "dpm++2m") X(dpmpp_2m_sde, "dpm++2m_sde") X(dpmpp_sde, "dpm++sde") \
    X(unipc, "unipc") X(deis, "deis") X(lms, "lms") X(plms, "plms") X(pndm, "pndm") X(lcm, "lcm") \
    X(tcd, "tcd") X(ddim, "ddim") X(ddpm, "ddpm")

typedef struct sampler_row {
    const char *name, *shown;        /* shown: as picture tools write it; NULL: names of one kind of model, not listed */
    bool vp, flow;                   /* schedules it takes */
    bool exploding;                  /* with a vp schedule x is x0 + sigma n, and the network reads x / sqrt(1 + sigma^2) */
    bool sigmas;                     /* takes levels that are no timesteps of a spacing: options.sigmas */
    bool whole_karras;               /* tells the network whole timesteps for Karras sigmas, as published */
    bool twice;
    bool ends_at_first;              /* always as with options.keep_first_noise; of LIMN_SIGMAS_FLOW at the last level */
    bool from_noise;                 /* how LIMN_SIGMAS_FLOW lie */
    bool takes_variance, takes_end, takes_eta; /* options.variance, keep_first_noise, eta mean something */
    bool raw;                        /* mixes outputs of the network, not what they say of picture and noise */
    bool noise_slope;                /* a form's d is (x - x0) / b (vp: (x - a x0) / b) instead of x0 */
    int n_kept;
    limn_rounding rounding;
    limn_spacing usual;
    bool (*adds_noise)(const limn_sampler_options *options, const sampler_call *call); /* NULL: where the form has some */
    void (*plan)(sampler_planner *p, int step); /* writes the calls of a step; NULL: one, or two if `twice` */
    void (*run)(const sampler_step *s);
} sampler_row;

/** NULL past the last row. */
const sampler_row *limn_sampler_row(int i);
/** The row of a name as people type it: "dpm++2m", "DPM++ 2M", "dpmpp_2m", "k_euler_ancestral".  Sigmas may stand behind it
 *  ("DPM++ 2M Karras"), which *sigmas then says, else it is LIMN_SIGMAS_SPACED.  NULL: no sampler has that name. */
const sampler_row *limn_sampler_find(const char *name, limn_sigmas *sigmas);

/** A call of the step with the network at a level (NULL: where the step begins), to be filled in. */
sampler_call *sampler_plan_call(sampler_planner *p, int step, const sampler_level *at);
/** The level of a sigma (flow: b), and of the whole timestep nearest to t. */
sampler_level sampler_level_of_sigma(const sampler_planner *p, double sigma);
sampler_level sampler_level_of_time(const sampler_planner *p, double t);

/* sampler_forms.c: plans, and the one loop over their forms */
void sampler_plan_dpm2(sampler_planner *p, int step);
void sampler_plan_dpm2_ancestral(sampler_planner *p, int step);
void sampler_plan_dpmpp_2s_ancestral(sampler_planner *p, int step);
void sampler_plan_dpmpp_sde(sampler_planner *p, int step);
void sampler_plan_dpmpp_2m_sde(sampler_planner *p, int step);
void sampler_plan_unipc(sampler_planner *p, int step);
void sampler_plan_deis(sampler_planner *p, int step);
void sampler_plan_lms(sampler_planner *p, int step);
void sampler_plan_plms(sampler_planner *p, int step);
void sampler_plan_pndm(sampler_planner *p, int step);
void sampler_plan_lcm(sampler_planner *p, int step);
void sampler_plan_tcd(sampler_planner *p, int step);
void sampler_run_form(const sampler_step *s);

#endif
