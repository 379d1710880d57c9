/* measure.c: see measure.h. */
#include "measure.h"

#include "metric/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { C = MEASURE_CHANNELS };

double measure_value(measure_mean m)
{
    return m.n ? m.sum / (double)m.n : (double)NAN;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double measure_median(double *x, int64_t n)
{
    if (!n) return (double)NAN;
    qsort(x, (size_t)n, sizeof *x, by_value);
    return (x[n / 2] + x[(n - 1) / 2]) / 2;
}

void measure_from_image(const limn_image *rgba, float *x)
{
    size_t n = (size_t)rgba->width * (size_t)rgba->height;
    for (const uint8_t *p = rgba->pixels; n--; p += C, x += C)
        for (int c = 0; c < C; c++) x[c] = c < 3 ? (float)p[c] * (float)p[3] / 255 : (float)p[3];
}

void measure_from_values(const float *values, int size, float *x)
{
    for (size_t i = 0; i < (size_t)size * (size_t)size * C; i++) x[i] = (values[i] + 1) * 127.5f;
}

void measure_thumbnail(const float *x, int size, float out[MEASURE_THUMB])
{
    int block = size / MEASURE_SIDE;
    memset(out, 0, MEASURE_THUMB * sizeof *out);
    for (int i = 0; i < size * size * C; i++) {
        int row = i / C / size / block, column = i / C % size / block;
        out[(row * MEASURE_SIDE + column) * C + i % C] += x[i] / (float)(block * block);
    }
}

static double distance(const float *a, const float *b)
{
    double sum = 0;
    for (int i = 0; i < MEASURE_THUMB; i++) sum += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    return sum;
}

int64_t measure_place(int64_t n, const float *thumbs, const uint8_t *right, const float mine[MEASURE_THUMB])
{
    double best = INFINITY;
    int64_t nearer = 0;
    for (int64_t i = 0; i < n; i++)
        if (right[i]) best = fmin(best, distance(thumbs + i * MEASURE_THUMB, mine));
    for (int64_t i = 0; i < n; i++) nearer += !right[i] && distance(thumbs + i * MEASURE_THUMB, mine) < best;
    return nearer;
}

/* at: number of the pixel in the middle */
static bool is_flat(const float *x, int size, int at)
{
    enum { SPREAD = 4, OPAQUE = 250 };
    for (int c = 0; c < C; c++) {
        float low = INFINITY, high = -INFINITY;
        for (int k = 0; k < 9; k++) {
            float value = x[(at + (k / 3 - 1) * size + k % 3 - 1) * C + c];
            low = value < low ? value : low, high = value > high ? value : high;
        }
        if (c < 3 ? high - low > SPREAD : low <= OPAQUE) return false;
    }
    return true;
}

void measure_clean(const float *original, const float *x, int size, measure_mean *out)
{
    for (int at = size + 1; at < size * (size - 1) - 1; at++) {
        if (at % size == 0 || at % size == size - 1 || !is_flat(original, size, at)) continue;
        for (int c = 0; c < 3; c++) {
            const float *p = x + at * C + c;
            out->sum += fabs(4.0 * p[0] - p[-C] - p[C] - p[-size * C] - p[size * C]);
            out->n++;
        }
    }
}

static void add_step(const float *a, const float *b, measure_mean *out)
{
    for (int c = 0; c < C; c++) out->sum += fabs((double)a[c] - b[c]);
    out->n += C;
}

void measure_steps_add(const float *x, int size, int period, measure_steps *out)
{
    for (int line = 0; line < size; line++)
        for (int i = 1; i < size; i++) {
            measure_mean *to = i % period ? &out->elsewhere : &out->border;
            const float *across = x + (line * size + i) * C, *down = x + (i * size + line) * C;
            add_step(across, across - C, to);
            add_step(down, down - size * C, to);
        }
}

double measure_steps_ratio(const measure_steps *s)
{
    return measure_value(s->border) / measure_value(s->elsewhere);
}

limn_status measure_ssim(limn_ctx *ctx, int size, const float *a, const float *b, double *out)
{
    size_t n = (size_t)size * (size_t)size;
    float *white = malloc(2 * n * 3 * sizeof *white);
    if (!white) return limn_fail_memory(ctx, 2 * n * 3 * sizeof *white, "pictures on white");
    for (size_t i = 0; i < 3 * n; i++) {
        size_t at = i / 3 * C;
        white[i] = a[at + i % 3] + 255 - a[at + 3];
        white[3 * n + i] = b[at + i % 3] + 255 - b[at + 3];
    }
    limn_status status = limn_ssim_values(ctx, (uint32_t)size, (uint32_t)size, 3, white, white + 3 * n, 255, out);
    free(white);
    return status;
}
