/* metric_boundary.c: distance transform, Hausdorff distance of boundaries. */
#include "metric/metric_parts.h"

#include <math.h>
#include <stdlib.h>

/* ---- distance transform ----------------------------------------------------------------------------------------------- */

/* A row or column, and the parabolas of its lower envelope from left to right: centre, height, where it takes over. */
typedef struct envelope {
    uint32_t value[LIMN_MAX_SIDE], centre[LIMN_MAX_SIDE], height[LIMN_MAX_SIDE];
    double from[LIMN_MAX_SIDE];
} envelope;

/* value[p] becomes min_q value[q] + (p - q)^2.  Parabolas q and v meet at s = (f(q) + q^2 - f(v) - v^2) / (2 q - 2 v):
 * integers below 2^31 over integers below 2^15, so that rounding s moves no integer to its other side. */
static void lower_envelope(envelope *e, uint32_t n)
{
    int64_t k = -1;
    for (uint32_t q = 0; q < n; q++) {
        if (e->value[q] == LIMN_FAR) continue;
        double s = -1;
        for (; k >= 0; k--) {
            double v = e->centre[k];
            s = (e->value[q] + (double)q * q - e->height[k] - v * v) / (2 * (q - v));
            if (s > e->from[k]) break;
        }
        k++;
        e->centre[k] = q, e->height[k] = e->value[q], e->from[k] = k ? s : -1;
    }
    if (k < 0) return;
    int64_t now = 0;
    for (uint32_t p = 0; p < n; p++) {
        while (now < k && e->from[now + 1] < p) now++;
        int64_t d = (int64_t)p - e->centre[now];
        e->value[p] = (uint32_t)(d * d) + e->height[now];
    }
}

limn_status limn_distance_squared(limn_ctx *ctx, uint32_t width, uint32_t height, const uint8_t *mask, uint32_t *out)
{
    envelope *e = limn_metric_new(ctx, 1, sizeof *e, "a distance transform");
    if (!e) return LIMN_NO_MEMORY;
    for (uint32_t x = 0; x < width; x++) {
        for (uint32_t y = 0; y < height; y++) e->value[y] = mask[(size_t)y * width + x] ? 0 : LIMN_FAR;
        lower_envelope(e, height);
        for (uint32_t y = 0; y < height; y++) out[(size_t)y * width + x] = e->value[y];
    }
    for (uint32_t y = 0; y < height; y++) {
        uint32_t *row = out + (size_t)y * width;
        for (uint32_t x = 0; x < width; x++) e->value[x] = row[x];
        lower_envelope(e, width);
        for (uint32_t x = 0; x < width; x++) row[x] = e->value[x];
    }
    free(e);
    return LIMN_OK;
}

/* ---- Hausdorff distance ----------------------------------------------------------------------------------------------- */

static bool inside(const limn_label_pair *m, const uint8_t *map, size_t i, int k)
{
    return map[i] == k && m->truth[i] != LIMN_IGNORED;
}

/* @return how many boundary pixels there are */
static size_t boundary_of(const limn_label_pair *m, const uint8_t *map, int k, uint8_t *out)
{
    size_t w = m->width, h = m->height, n = 0;
    for (size_t y = 0; y < h; y++)
        for (size_t x = 0; x < w; x++) {
            size_t i = y * w + x;
            bool core = x && y && x + 1 < w && y + 1 < h && inside(m, map, i - 1, k) && inside(m, map, i + 1, k) &&
                        inside(m, map, i - w, k) && inside(m, map, i + w, k);
            out[i] = inside(m, map, i, k) && !core;
            n += out[i];
        }
    return n;
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* The 95th percentile of the distances from the pixels of `points` (n of them) to those of `to`.   squared [H,W], found [n]:
 * scratch */
static limn_status directed95(limn_ctx *ctx, const limn_label_pair *m, const uint8_t *points, size_t n, const uint8_t *to,
                              uint32_t *squared, uint32_t *found, double *out)
{
    limn_status status = limn_distance_squared(ctx, m->width, m->height, to, squared);
    if (status != LIMN_OK) return status;
    size_t j = 0;
    for (size_t i = 0; j < n; i++)
        if (points[i]) found[j++] = squared[i];
    qsort(found, n, sizeof *found, by_size);
    double rank = 0.95 * (double)(n - 1);
    size_t low = (size_t)rank, high = low + 1 < n ? low + 1 : low;
    double a = sqrt(found[low]), b = sqrt(found[high]);
    *out = a + (b - a) * (rank - (double)low);
    return LIMN_OK;
}

limn_status limn_hausdorff95(limn_ctx *ctx, const limn_label_pair *m, int k, double *out)
{
    size_t n = (size_t)m->width * m->height;
    *out = NAN;
    uint8_t *a = limn_metric_new(ctx, n, 2, "two boundaries"), *b = a ? a + n : NULL;
    if (!a) return LIMN_NO_MEMORY;
    size_t n_a = boundary_of(m, m->truth, k, a), n_b = boundary_of(m, m->prediction, k, b), most = n_a > n_b ? n_a : n_b;
    limn_status status = LIMN_OK;
    if (n_a && n_b) {
        double there, back;
        uint32_t *squared = limn_metric_new(ctx, n, sizeof *squared, "distances"),
                 *found = limn_metric_new(ctx, most, sizeof *found, "distances");
        status = squared && found ? LIMN_OK : LIMN_NO_MEMORY;
        if (status == LIMN_OK) status = directed95(ctx, m, a, n_a, b, squared, found, &there);
        if (status == LIMN_OK) status = directed95(ctx, m, b, n_b, a, squared, found, &back);
        if (status == LIMN_OK) *out = fmax(there, back);
        free(squared), free(found);
    }
    free(a);
    return status;
}
