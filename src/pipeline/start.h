/* start.h: where a picture starts from: noise, noise between two seeds, another picture; what of that picture is kept, or
 * what a network sees of it beside x. */
#ifndef LIMN_START_H
#define LIMN_START_H

#include "pipeline/pipeline.h"

/* What an encoder says of a picture, [size] each, as the network knows it.  deviation NULL: the mean is the latent. */
typedef struct limn_start_latent { float *mean, *deviation; } limn_start_latent;

typedef struct limn_start {
    const limn_generate_options *o;
    int n, first;     /* pictures first .. first + n - 1 are under way */
    int height, width, channels, factor;
    size_t size;      /* numbers of a picture */
    float *picture;   /* [n, size] the picture n times, each with a latent of its own where that is drawn; NULL: the start is
                         noise */
    float *mask;      /* [size / channels] 1: made anew, 0: kept; NULL: all is made */
    limn_image whole; /* the mask in the sides of the pictures, gray */
    limn_image under; /* the picture in their sides, laid over what the decoder gives where the mask is black; empty: is
                         not */
    float *spare;     /* [n, size] */
    float *condition; /* [n, condition_size] networks that inpaint: [pixels, 1 + channels], mask and the latent of what it
                         leaves; that edit: [pixels, channels], the latent of the picture, not scaled; else NULL */
    size_t condition_size;
    bool edits;       /* the picture is the condition, and x starts from noise */
    double sigma;     /* of latents of a noisy picture: b / a where the network has met as much; 0: as the options say */
    bool from_noise;  /* nothing of the picture is in x */
    limn_noise_others others;
    limn_start_latent init, kept;
} limn_start;

/** Tensors that diffusers' pipelines draw beside noise, for latents of pictures: with published weights. */
limn_noise_others limn_start_others(const limn_pipeline *p, const limn_generate_options *o);
/** What is wrong with the options for a start.  @return LIMN_BAD_ARGUMENT naming the option */
limn_status limn_start_check(const limn_pipeline *p, const limn_generate_options *o);
/** All steps are spread over the last part of the distilled timesteps, the strength: as diffusers' pipelines for networks
 *  that are told the guidance have it.  Those of Stable Diffusion XL have the pipeline of all others, which leaves out the
 *  first steps. */
bool limn_start_spreads(const limn_pipeline *p);
/** Of so many steps those that a strength lets run. */
int limn_start_steps(const limn_pipeline *p, int n_steps, double strength);
/** A start from a picture of whose way nothing is gone: no step is made. */
bool limn_start_stays(const limn_pipeline *p, const limn_generate_options *o);
/** Then the pictures: options->init itself, in the size of the options and with the model's channels.
 *  @return LIMN_NO_MEMORY; images [n] are the caller's also then */
limn_status limn_start_copy(const limn_pipeline *p, const limn_generate_options *o, limn_image *images);
/** Read options->init and mask into memory for n pictures of height x width x channels.  @param out  empty on failure, else
 *  limn_start_free() The options were checked, and the recipe's encoder was begun where it is needed.  How much a mask makes
 *  anew is said.
 *  @return LIMN_NO_MEMORY; LIMN_BAD_ARGUMENT: a mask of colours, or one that makes nothing anew */
limn_status limn_start_new(limn_pipeline *p, const limn_generate_options *o, int n, int height, int width, int channels,
                           limn_start *out);
void limn_start_free(limn_start *s);

/** A copy of a picture, with `channels` and of width x height pixels.  @return LIMN_NO_MEMORY */
limn_status limn_start_fitted(limn_ctx *ctx, const limn_image *from, int width, int height, int channels,
                              limn_image *out);
/** options->mask to s->whole and s->mask; how much it makes anew is said.  @return as limn_start_new() */
limn_status limn_start_mask(const limn_pipeline *p, limn_start *s);
/** What an encoder says of a picture [height, width, channels] in -1..1.  @return as limn_recipe_run(); *out is the caller's
 *  also then, limn_start_free_latent() */
limn_status limn_start_encode(limn_pipeline *p, const float *values, const limn_start *s, limn_start_latent *out);
void limn_start_free_latent(limn_start_latent *l);
/** s->init is the latent of a picture that holds noise: s->sigma, and s->init without what such noise does on the mean.
 *  values  [n] are overwritten.  @return LIMN_NO_MEMORY; as limn_recipe_run() */
limn_status limn_start_measure_noise(limn_pipeline *p, size_t n, float *values, limn_start *s);
/** What is kept, byte for byte, over a picture that the decoder made; gray of the mask is a mixture, and noise that is left
 *  is one everywhere. */
void limn_start_lay(const limn_start *s, limn_image *made);

/** Seed of picture i of those under way. */
limn_picture_seed limn_start_seed(const limn_start *s, int i);
/** x before the first call, and what networks that inpaint or edit see. */
void limn_start_first(limn_start *s, const limn_sampler *sampler, float *x);
/** How often call k is done: 1, or more where a part of the picture is kept. */
int limn_start_repeats(const limn_start *s, const limn_sampler *sampler, int k);
/** x at level k: outside the mask, the picture that is kept, as noisy as that level; a network that inpaints keeps it
 *  itself. */
void limn_start_keep(const limn_start *s, const limn_sampler *sampler, int k, float *x);
/** x of level k + 1 back to level k: new noise, as much as lies between them.  Lugmayr et al. 2022, algorithm 1 */
void limn_start_again(const limn_start *s, const limn_sampler *sampler, int k, int repeat, float *x);
/** x after the last call, which may have been told to leave noise: a x0 + b n to x0 + (b / a) n. */
void limn_start_last(const limn_start *s, const limn_sampler *sampler, float *x);

#endif
