/* sampler.h: from noise to a picture, for any network.
 *
 *   limn_sampler_new(ctx, &options, &s);
 *   limn_sampler_begin(ctx, s, n_pictures, picture_size, seeds);
 *   limn_sampler_start(s, NULL, x);                                 x [n_pictures, picture_size]
 *   for (int k = 0; k < limn_sampler_calls(s); k++) {
 *       limn_sampler_input(s, k, x, z);                             z: what the network reads
 *       y = network(z, limn_sampler_timestep(s, k));                y [n_pictures, pixels, out_channels]
 *       limn_sampler_step(s, k, y, x);
 *   }
 *
 * x after the last call is the picture.  All noise is a function of the picture's seed and of its own steps (noise.h): a
 * picture is the same alone, in any batch, and on any number of threads.  The arithmetic is double, rounded once to f32 for
 * each call. */
#ifndef LIMN_DENOISE_SAMPLER_H
#define LIMN_DENOISE_SAMPLER_H

#include "denoise/noise.h"
#include "denoise/prediction.h"
#include "denoise/sigmas.h"

typedef enum limn_variance {
    LIMN_VARIANCE_SMALL,         /* of the posterior q(x_{t-1} | x_t, x0)            Ho et al. 2020, eq. 7 */
    LIMN_VARIANCE_LARGE,         /* beta_t */
    LIMN_VARIANCE_LEARNED_RANGE, /* exp(v log large + (1 - v) log small), v = (output + 1) / 2     Nichol & Dhariwal 2021,
                                    eq. 15; DiT */
    LIMN_N_VARIANCES,
} limn_variance;

typedef struct limn_sampler_options {
    const char *name; /* of a row of sampler_rows.c: euler, dpm++2m .. */
    limn_schedule_options schedule; /* with a flow schedule euler, heun, dpm++2m and others sample rectified flow */
    limn_prediction prediction;
    int n_steps;
    limn_spacing spacing;
    int steps_offset;        /* added to leading timesteps; Stable Diffusion has 1 */
    limn_sigmas sigmas;      /* samplers that go from sigma to sigma: other levels than those of spaced timesteps */
    bool keep_first_noise;   /* ddim, plms, pndm end at alpha_bar[0] instead of 1: "set_alpha_to_one": false of Stable
                                Diffusion */
    double eta;              /* ddim: 0 adds no noise, 1 as much as ddpm; tcd: 0 none, 1 as much as lcm */
    limn_variance variance;  /* ddpm */
    double clip; /* above 0: x0 is limited to -clip..clip in each step ("clip_sample"); ddim keeps the unlimited noise */
    double strength;         /* 0..1: part of the steps that run, for a start from a picture; 1 is all; one runs at least */
    double
        from_sigma; /* above 0: the first call is at the level where b / a is this, the others fall evenly in time to ... */
    double to_sigma;         /* ... this one, below from_sigma; 0: to no noise.  For pictures that hold noise already */
    bool table_strength;     /* samplers of distilled networks: strength takes of their 50 timesteps the last part, and all
                                n_steps run, spread over it */
    bool rounds_up;          /* steps that run: as limn_sampler_steps() */
    bool counts_all;         /* lms: weights as if the steps that a strength leaves out had been made, as published */
    limn_rng rng;            /* where noise comes from; AUTO: limn */
    limn_noise_others others; /* than noise that PyTorch's generators draw */
    int channels;            /* of x, the last dimension; 0: the network's output has the shape of x */
    int out_channels;        /* of the output, >= channels: the prediction first; learned range reads the next `channels` */
} limn_sampler_options;

typedef struct limn_sampler limn_sampler;

/** euler, 20 steps of limn_schedule_defaults(), eps, strength 1. */
limn_sampler_options limn_sampler_defaults(void);
/** The clip of pictures of one or three channels in diffusion: their values end at -1 and 1.  0 for latents, colours with
 *  alpha, and flow. */
double limn_sampler_clip(const limn_schedule_options *schedule, int channels);

/** Plan the calls.  @param options  copied, name too
 *  @return LIMN_OK, then *out is freed with limn_sampler_free(); LIMN_NOT_FOUND (name; the sentence lists them);
 *  LIMN_BAD_ARGUMENT;
 *          LIMN_NO_MEMORY.  *out is NULL on failure. */
limn_status limn_sampler_new(limn_ctx *ctx, const limn_sampler_options *options, limn_sampler **out);
void limn_sampler_free(limn_sampler *s); /* NULL is allowed */

/** Of n_steps those that a strength lets run, as diffusers rounds it, down, or (Stable Diffusion 3) those that it leaves out
 *  down: 0 where there is nothing to do. */
int limn_sampler_steps(int n_steps, double strength, bool up);
int limn_sampler_calls(const limn_sampler *s); /* network calls: n_steps, 2 n_steps - 1 for heun, dpm2 .., 9 more for pndm;
                                                  fewer with strength < 1 */
double limn_sampler_timestep(const limn_sampler *s, int k);    /* what the network is told */
double limn_sampler_input_scale(const limn_sampler *s, int k); /* z = scale x */
double limn_sampler_init_sigma(const limn_sampler *s);         /* x at the start = init_sigma times normal noise */
/** x at the start of call k is a x0 + b n; k = limn_sampler_calls(s) is the end: 1, 0. */
void limn_sampler_level(const limn_sampler *s, int k, double *a, double *b);

/** Take memory for n_pictures of picture_size floats (all that the steps will need) and forget earlier pictures.
 *  @param seeds  [n_pictures], copied.  @return LIMN_BAD_ARGUMENT (picture_size not a multiple of channels);
 *  LIMN_NO_MEMORY */
limn_status limn_sampler_begin(limn_ctx *ctx, limn_sampler *s, int n_pictures, size_t picture_size,
                               const limn_picture_seed *seeds);

/** The noise of the pictures that were begun; borrowed until the next limn_sampler_begin(). */
limn_noise *limn_sampler_noise(const limn_sampler *s);
/** x = noise; or, given pictures x0 [n_pictures, picture_size], x0 with the noise of the first call.  x may be x0. */
void limn_sampler_start(const limn_sampler *s, const float *x0, float *x);
/** out = x0 with the starting noise at the level of call k (0 .. calls): what inpainting keeps of the known part; in the
 *  middle of a step of dpm2 and dpm++sde with that of the step's end, as published.  out may be x0. */
void limn_sampler_noised(const limn_sampler *s, int k, const float *x0, float *out);

/** z = input_scale x.  z may be x. */
void limn_sampler_input(const limn_sampler *s, int k, const float *x, float *z);
/** What call k says the clean picture is, for one picture: z [size] that the network read, its output, out [size]. */
void limn_sampler_estimate(const limn_sampler *s, int k, size_t size, const float *z, const float *output, float *out);
/** x of call k -> x of call k + 1, in place.  Calls go in order k = 0, 1, ... after limn_sampler_begin(); to start again,
 *  begin again. The same k once more (up to 255 times) is a step from an x that was taken back to call k: it draws noise of
 *  its own. */
void limn_sampler_step(limn_sampler *s, int k, const float *output, float *x);

#endif
