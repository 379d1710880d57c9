/* start_noise.c: noise in the pixels of a picture, and where a network of latents sets out.
 *
 * Noise of pixels moves the latent, E(x + noise) = E(x) + d, and of d the larger part is random with mean 0: to the network
 * it is noise of its own, as much as d is long.  How long is measured where the picture is: x, which nobody has, is nearly
 * what the autoencoder gives back of the noisy picture y, for little noise gets through it:
 *     x = D(E(y)),   d_k = E(x + noise_k) - E(x),   k = 1 .. K
 *     m = 1/K sum d_k                       what noise that is cut at black and white always does: taken out of E(y)
 *     sigma^2 = 1/(K-1) sum (d_k - m)^2     in the mean over the latent
 * Of an autoencoder of emoji (128x128 RGBA to 16x16x16 of spread 1), noise of 5, 20, 60 and 100 of 255 spreads latents by
 * 0.025, 0.10, 0.27 and 0.41; measured so: 0.026, 0.10, 0.28 and 0.41. */
#include "base/rng.h"
#include "pipeline/autoencoder.h"
#include "pipeline/start.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PROBES = 4 };

/* To what a file can hold: -1..1, and colours times alpha are at most alpha. */
static void cut(int channels, size_t n, float *values)
{
    for (size_t i = n; i--;) {
        float most = channels == 4 && i % 4 < 3 ? values[i / 4 * 4 + 3] : 1;
        values[i] = values[i] < -1 ? -1 : values[i] > most ? most : values[i];
    }
}

/* values [n]: what the decoder makes of the latent. */
static limn_status give_back(limn_pipeline *p, const limn_start *s, size_t n, float *values)
{
    size_t n_latent = s->size;
    const float *latent = s->init.mean;
    limn_recipe_part *decoder = limn_recipe_find(&p->recipe, LIMN_ROLE_DECODER);
    float *x = malloc(n_latent * sizeof *x);
    if (!x) return limn_fail_memory(p->ctx, n_latent * sizeof *x, "a latent");
    for (size_t i = 0; i < n_latent; i++) x[i] = (float)(latent[i] / p->latent_scale + p->latent_shift);
    limn_coder_sides sides = {s->height, s->width};
    limn_status status = limn_recipe_code(p->ctx, decoder, sides, x, values, NULL);
    if (status == LIMN_OK) cut(limn_pipeline_describe(p).channels, n, values);
    free(x);
    return status;
}

/* One d_k: a part of m, and of the mean of its squares. */
static limn_status probe(limn_pipeline *p, int k, size_t n, const float *values, float *noisy, const limn_start *s,
                         const float *clean, float *mean, double *squares)
{
    limn_start_latent moved = {0};
    limn_random_normal(0, LIMN_STREAM_PROBE, (uint64_t)k, 0, n, noisy);
    for (size_t i = 0; i < n; i++) noisy[i] = values[i] + (float)(s->o->noise / 127.5 * noisy[i]);
    cut(limn_pipeline_describe(p).channels, n, noisy);
    limn_status status = limn_start_encode(p, noisy, s, &moved);
    for (size_t i = 0; i < s->size && status == LIMN_OK; i++) {
        double d = moved.mean[i] - clean[i];
        mean[i] += (float)(d / PROBES), *squares += d * d / (PROBES * (double)s->size);
    }
    limn_start_free_latent(&moved);
    return status;
}

limn_status limn_start_measure_noise(limn_pipeline *p, size_t n, float *values, limn_start *s)
{
    limn_start_latent clean = {0};
    float *noisy = malloc(n * sizeof *noisy), *mean = calloc(s->size, sizeof *mean);
    double squares = 0;
    limn_status status = noisy && mean ? give_back(p, s, n, values)
                                       : limn_fail_memory(p->ctx, (n + s->size) * sizeof *noisy, "a noisy picture");
    if (status == LIMN_OK) status = limn_start_encode(p, values, s, &clean);
    for (int k = 0; k < PROBES && status == LIMN_OK; k++)
        status = probe(p, k, n, values, noisy, s, clean.mean, mean, &squares);
    for (size_t i = 0; i < s->size && status == LIMN_OK; i++) s->init.mean[i] -= mean[i];
    for (size_t i = 0; i < s->size && status == LIMN_OK; i++) squares -= (double)mean[i] * mean[i] / (double)s->size;
    s->sigma = sqrt(fmax(squares, 1e-12) * PROBES / (PROBES - 1));
    if (status == LIMN_OK)
        limn_log(p->ctx, LIMN_LOG_INFO, "noise of %.4g moves this picture's latent by %.3g: the network sets out there",
                 s->o->noise, s->sigma);
    limn_start_free_latent(&clean);
    free(noisy);
    free(mean);
    return status;
}
