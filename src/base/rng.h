/* rng.h: counter-based random numbers (Philox4x32-10, Salmon et al. 2011, through Random123).
 *
 * A number is a function of (seed, stream, index), never of the order of calls: any thread count, any rank and any resume
 * gives the same picture.  Streams are named in enum limn_stream so that two uses never share numbers. */
#ifndef LIMN_RNG_H
#define LIMN_RNG_H

#include <stddef.h>
#include <stdint.h>

typedef enum limn_stream {
    LIMN_STREAM_INIT,       /* parameters; sub = hash of the parameter's name */
    LIMN_STREAM_LATENT,     /* starting noise of a picture; sub = picture number */
    LIMN_STREAM_ANCESTRAL,  /* noise added while sampling; sub = picture number << 32 | repetition << 24 | step */
    LIMN_STREAM_SHUFFLE,    /* order of samples; sub = epoch */
    LIMN_STREAM_AUGMENT,    /* crop, flip, caption; sub = sample number since the start of training */
    LIMN_STREAM_TIMESTEP,   /* training timesteps; sub = step */
    LIMN_STREAM_NOISE,      /* training noise; sub = sample number since the start of training */
    LIMN_STREAM_DROP,       /* conditioning dropout; sub = sample number since the start of training */
    LIMN_STREAM_SHAPES,     /* the built-in shapes data set; sub = picture number */
    LIMN_STREAM_TEST,
    LIMN_STREAM_AGAIN,      /* noise that takes a picture back a level (inpainting); sub = call << 8 | repetition */
    LIMN_STREAM_PROBE,      /* noise on pictures whose latents are measured; sub = number of the try */
} limn_stream;

/** Four 32-bit words at position `index` of (seed, stream, sub). */
void limn_random_words(uint64_t seed, limn_stream stream, uint64_t sub, uint64_t index, uint32_t out[4]);
/** Uniform in [0, 1), 24 bits; one number per index. */
float limn_random_uniform(uint64_t seed, limn_stream stream, uint64_t sub, uint64_t index);
/** Integer in [0, n), n >= 1, without modulo bias worth naming (64-bit multiply). */
uint64_t limn_random_below(uint64_t seed, limn_stream stream, uint64_t sub, uint64_t index, uint64_t n);
/** out[i] = normal number `begin + i` (Box-Muller, both branches: words 0,1 give two of the four numbers of a block). */
void limn_random_normal(uint64_t seed, limn_stream stream, uint64_t sub, uint64_t begin, size_t n, float *out);
/** FNV-1a of a name, for `sub`. */
uint64_t limn_hash_name(const char *name);
/** FNV-1a of more bytes behind those of `hash`; begins with LIMN_HASH. */
#define LIMN_HASH UINT64_C(14695981039346656037)
uint64_t limn_hash_bytes(uint64_t hash, const void *bytes, size_t n);

#endif
