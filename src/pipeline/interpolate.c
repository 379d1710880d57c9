/* interpolate.c: pictures between two pictures, on a line or an arc between their latents. */
#include "pipeline/autoencoder.h"

#include <math.h>
#include <stdlib.h>

static double dot(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)a[i] * b[i];
    return sum;
}

/* Shoemake 1985: sin((1 - t) w) / sin(w) a + sin(t w) / sin(w) b,   w the angle between a and b; nearly parallel ones: the
 * line */
static void between(const float *a, const float *b, size_t n, double t, bool spherical, float *to)
{
    double left = 1 - t, right = t;
    if (spherical) {
        double lengths = sqrt(dot(a, a, n) * dot(b, b, n)), cosine = lengths > 0 ? dot(a, b, n) / lengths : 1;
        double w = acos(fmax(-1, fmin(1, cosine)));
        if (sin(w) > 1e-4) left = sin((1 - t) * w) / sin(w), right = sin(t * w) / sin(w);
    }
    for (size_t i = 0; i < n; i++) to[i] = (float)(left * a[i] + right * b[i]);
}

limn_status limn_interpolate(limn_autoencoder *m, const limn_latent *a, const limn_latent *b, int n, bool spherical,
                             limn_precision precision, limn_image *images)
{
    for (int i = 0; i < n; i++) images[i] = (limn_image){0};
    if (n < 2)
        return limn_fail(m->ctx, LIMN_BAD_ARGUMENT,
                         "expected 2 or more pictures, the first and the last among them, found %d", n);
    if (a->height != b->height || a->width != b->width || a->channels != b->channels)
        return limn_fail(m->ctx, LIMN_BAD_ARGUMENT, "latents of %d x %d x %d and %d x %d x %d have nothing between them",
                         a->width, a->height, a->channels, b->width, b->height, b->channels);
    size_t count = (size_t)a->height * (size_t)a->width * (size_t)a->channels;
    limn_latent mixed = *a;
    mixed.values = malloc(count * sizeof *mixed.values);
    limn_status status = mixed.values ? LIMN_OK : limn_fail_memory(m->ctx, count * sizeof *mixed.values, "a latent");
    for (int i = 0; i < n && status == LIMN_OK; i++) {
        if (!limn_progress(m->ctx, "picture", i, n))
            status = limn_fail(m->ctx, LIMN_CANCELLED, "stopped after %d of %d pictures", i, n);
        if (status != LIMN_OK) break;
        between(a->values, b->values, count, (double)i / (n - 1), spherical, mixed.values);
        status = limn_decode(m, &mixed, precision, &images[i]);
    }
    if (status == LIMN_OK) limn_progress(m->ctx, "picture", n, n);
    for (int i = 0; i < n && status != LIMN_OK; i++) limn_image_free(&images[i]);
    free(mixed.values);
    return status;
}
