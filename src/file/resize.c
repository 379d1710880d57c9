/* resize.c: pictures in another size: each axis is a sum of weighted taps, rows first, then columns.
 *
 *   smaller, s = from / to > 1:  y[t] = 1/s sum_i |[i, i+1) n [t s, (t+1) s)| x[i]          the area a pixel covers
 *   larger:                      y[t] = (1 - f) x[i] + f x[i+1],  i + f = (t + 1/2) s - 1/2  linear, edges repeated
 *
 * Colours are multiplied by alpha before and divided by it after, so that what cannot be seen does not bleed. */
#include "file/image.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct taps {
    int to, widest;   /* weights of target t: weight[t * widest + k] for source begin[t] + k, k < n[t] */
    int *begin, *n;
    float *weight;
} taps;

static void area_taps(taps *t, int from, double s)
{
    for (int i = 0; i < t->to; i++) {
        double low = i * s, high = i + 1 == t->to ? from : (i + 1) * s;
        int first = (int)low, last = (int)ceil(high);
        if (last > from) last = from;
        t->begin[i] = first, t->n[i] = last - first;
        for (int k = 0; k < t->n[i]; k++)
            t->weight[i * t->widest + k] = (float)((fmin(first + k + 1, high) - fmax(first + k, low)) / (high - low));
    }
}

static void linear_taps(taps *t, int from, double s)
{
    for (int i = 0; i < t->to; i++) {
        double at = (i + 0.5) * s - 0.5;
        if (at < 0) at = 0;
        if (at > from - 1) at = from - 1;
        int first = (int)at;
        bool edge = first + 1 >= from;
        t->begin[i] = first, t->n[i] = edge ? 1 : 2;
        t->weight[i * t->widest] = edge ? 1 : (float)(1 - (at - first));
        if (!edge) t->weight[i * t->widest + 1] = (float)(at - first);
    }
}

static bool taps_new(taps *t, int from, int to)
{
    double s = (double)from / to;
    *t = (taps){.to = to, .widest = (int)ceil(s) + 2};
    t->begin = malloc((size_t)to * sizeof *t->begin), t->n = malloc((size_t)to * sizeof *t->n);
    t->weight = malloc((size_t)to * (size_t)t->widest * sizeof *t->weight);
    if (!t->begin || !t->n || !t->weight) return false;
    if (s >= 1) area_taps(t, from, s);
    else linear_taps(t, from, s);
    return true;
}

static void taps_free(taps *t)
{
    free(t->begin);
    free(t->n);
    free(t->weight);
}

static void premultiply(const uint8_t *p, int width, int c, bool alpha, float *out)
{
    for (int x = 0; x < width; x++, p += c, out += c) {
        float a = alpha ? (float)p[c - 1] / 255 : 1;
        for (int k = 0; k < c; k++) out[k] = alpha && k == c - 1 ? (float)p[k] : (float)p[k] * a;
    }
}

static void squeeze_row(const taps *t, const float *from, int c, float *out)
{
    for (int x = 0; x < t->to; x++, out += c) {
        const float *p = from + (size_t)t->begin[x] * (size_t)c, *w = t->weight + (size_t)x * (size_t)t->widest;
        for (int k = 0; k < c; k++) out[k] = 0;
        for (int i = 0; i < t->n[x]; i++, p += c)
            for (int k = 0; k < c; k++) out[k] += w[i] * p[k];
    }
}

static uint8_t to_byte(float v)
{
    return (uint8_t)(v <= 0 ? 0 : v >= 255 ? 255 : v + 0.5f);
}

static void divide(const float *sum, int width, int c, bool alpha, uint8_t *out)
{
    for (int x = 0; x < width; x++, sum += c, out += c) {
        float a = alpha ? sum[c - 1] : 255, scale = a > 0 ? 255 / a : 0;
        for (int k = 0; k < c; k++) out[k] = to_byte(alpha && k == c - 1 ? a : sum[k] * scale);
    }
}

/* Row y of the source, squeezed, is kept in slot y % 2: neighbouring targets share at most two rows. */
static void resample(const limn_image *from, const taps *tx, const taps *ty, float *line, float *rows[2], float *sum,
                     limn_image *out)
{
    int c = from->channels, kept[2] = {-1, -1};
    bool alpha = c == 2 || c == 4;
    size_t n = (size_t)out->width * (size_t)c;
    for (int t = 0; t < out->height; t++) {
        memset(sum, 0, n * sizeof *sum);
        for (int k = 0; k < ty->n[t]; k++) {
            int y = ty->begin[t] + k;
            float w = ty->weight[(size_t)t * (size_t)ty->widest + (size_t)k], *row = rows[y % 2];
            if (kept[y % 2] != y) {
                premultiply(from->pixels + (size_t)y * (size_t)from->width * (size_t)c, from->width, c, alpha, line);
                squeeze_row(tx, line, c, row);
                kept[y % 2] = y;
            }
            for (size_t i = 0; i < n; i++) sum[i] += w * row[i];
        }
        divide(sum, out->width, c, alpha, out->pixels + (size_t)t * n);
    }
}

limn_status limn_image_resize(limn_ctx *ctx, const limn_image *from, int width, int height, limn_image *out)
{
    limn_status status = limn_image_new(ctx, "a resized picture", width > 0 ? (uint32_t)width : 0,
                                        height > 0 ? (uint32_t)height : 0, from->channels, out);
    if (status != LIMN_OK) return status;
    size_t n = (size_t)width * (size_t)from->channels, floats = 3 * n + (size_t)from->width * (size_t)from->channels;
    taps tx = {0}, ty = {0};
    float *buffer = malloc(floats * sizeof *buffer);
    if (buffer && taps_new(&tx, from->width, width) && taps_new(&ty, from->height, height))
        resample(from, &tx, &ty, buffer + 3 * n, (float *[]){buffer, buffer + n}, buffer + 2 * n, out);
    else {
        limn_image_free(out);
        status = limn_fail_memory(ctx, floats * sizeof *buffer, "resizing a picture");
    }
    taps_free(&tx);
    taps_free(&ty);
    free(buffer);
    return status;
}
