/* noise.h: the noise of pictures that are sampled: what they start from, what samplers add on the way.
 *
 * LIMN_RNG_LIMN: each number is a function of (seed, picture, use, step, repetition, place).
 * LIMN_RNG_CPU, LIMN_RNG_CUDA: a generator of PyTorch for each picture, seeded with seed + picture (torch_rng.h).  Its first
 * tensor is the start, also where nothing starts from it; each noise that is added takes the next one.  So draw pipelines of
 * diffusers that have one generator, and A1111.  Pipelines that start from a picture draw its latent before the start, and
 * that of what a mask leaves of it after.  A tensor is [channels, pixels], a picture [pixels, channels]. */
#ifndef LIMN_DENOISE_NOISE_H
#define LIMN_DENOISE_NOISE_H

#include "base/base.h"

typedef struct limn_picture_seed { uint64_t seed, picture; } limn_picture_seed; /* picture < 2^32 */

/* Tensors of PyTorch's that are something else's: before the start, and between it and the first noise that is added. */
typedef struct limn_noise_others { int before, after; } limn_noise_others;

typedef struct limn_noise limn_noise;

/** @param kind      LIMN_RNG_AUTO is limn
 *  @param size      numbers of a picture
 *  @param channels  of them, the last dimension; size is a multiple
 *  @param seeds     [n_pictures], copied
 *  @param out       on LIMN_OK to be freed with limn_noise_free(), else NULL.  @return LIMN_NO_MEMORY */
limn_status limn_noise_new(limn_ctx *ctx, limn_rng kind, int n_pictures, size_t size, int channels,
                           const limn_picture_seed *seeds, limn_noise_others others, limn_noise **out);
void limn_noise_free(limn_noise *noise); /* NULL is allowed */

/** What a picture of this seed starts from, at any time the same; out [size], as below. */
void limn_noise_start(const limn_noise *noise, limn_picture_seed seed, float *out);
/** The same of picture p. */
void limn_noise_start_of(const limn_noise *noise, int p, float *out);
/** The first of the other tensors (which = 0) of picture p, or the next one.  LIMN_RNG_LIMN has none: zeros. */
void limn_noise_other_of(const limn_noise *noise, int p, int which, float *out);
/** The first (which = 0), then the second (1) noise of a step of picture p.  Calls of one step have one `draw`, and are
 *  given the same numbers. */
void limn_noise_step(limn_noise *noise, int p, uint32_t draw, int which, float *out);
/** What takes picture p back to a level, to make a step once more; number: of no other time. */
void limn_noise_again(limn_noise *noise, int p, uint64_t number, float *out);

#endif
