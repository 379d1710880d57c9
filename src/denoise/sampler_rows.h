/* sampler_rows.h: what a sampler is made of; shared by the rows and the loop around them. */
#ifndef LIMN_DENOISE_SAMPLER_ROWS_H
#define LIMN_DENOISE_SAMPLER_ROWS_H

#include "denoise/sampler.h"

/* One network call.  x at a level is a x0 + b n. */
typedef struct sampler_call {
    int step;                        /* of n_steps; two calls of heun share one */
    bool corrects;                   /* second call of a heun step: the network has run at the level `to` */
    double time, scale;
    double a, b, to_a, to_b;         /* from, to */
    double history;                  /* dpm++2m: weight of (x0 - earlier x0); 0 in a first-order step */
    limn_conversion convert;         /* output and x (not z) to x0 and n */
} sampler_call;

/* One picture in one call. */
typedef struct sampler_step {
    const limn_sampler_options *options;
    const sampler_call *call;
    size_t n;
    const float *prediction, *range; /* [n]; range: the learned variance, NULL without */
    const float *noise;              /* [n] normal, NULL where the step adds none */
    float *kept[2];                  /* [n] each, from call to call */
    float *x;                        /* [n], in place */
} sampler_step;

typedef struct sampler_row {
    const char *name;
    bool vp, flow;                   /* schedules it takes */
    bool exploding;                  /* with a vp schedule x is x0 + sigma n, and the network reads x / sqrt(1 + sigma^2) */
    bool karras, twice;
    bool takes_variance, takes_end;  /* options.variance, options.keep_first_noise mean something */
    int n_kept;
    limn_rounding rounding;
    limn_spacing usual;
    bool (*adds_noise)(const limn_sampler_options *options, const sampler_call *call); /* NULL: never */
    void (*run)(const sampler_step *s);
} sampler_row;

/** NULL past the last row. */
const sampler_row *limn_sampler_row(int i);

#endif
