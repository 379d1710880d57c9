/* metric_picture.c: how near a picture is to another: PSNR, SSIM. */
#include "metric/metric_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOW = 11, MOMENTS = 5 }; /* a, b, a a, b b, a b */

double limn_psnr_values(size_t n, const float *a, const float *b, double range)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    return n ? 10 * log10(range * range / (sum / (double)n)) : (double)NAN;
}

static void gaussian(double weight[WINDOW])
{
    double sum = 0, sigma = 1.5;
    for (int i = 0; i < WINDOW; i++) sum += weight[i] = exp(-0.5 * (i - WINDOW / 2) * (i - WINDOW / 2) / (sigma * sigma));
    for (int i = 0; i < WINDOW; i++) weight[i] /= sum;
}

/* One row of one channel, its moments summed over windows of a row.   a b: first value of the row;  out [width - 10,
 * MOMENTS] */
static void filter_row(const double *weight, size_t width, size_t channels, const float *a, const float *b, double *out)
{
    for (size_t x = 0; x + WINDOW <= width; x++) {
        double m[MOMENTS] = {0};
        for (size_t k = 0; k < WINDOW; k++) {
            double u = a[(x + k) * channels], v = b[(x + k) * channels], w = weight[k];
            m[0] += w * u, m[1] += w * v, m[2] += w * u * u, m[3] += w * v * v, m[4] += w * u * v;
        }
        memcpy(out + x * MOMENTS, m, sizeof m);
    }
}

/* (2 ua ub + C1) (2 vab + C2) / ((ua^2 + ub^2 + C1) (va + vb + C2)) */
static double similarity(const double *m, double range)
{
    double c1 = 0.01 * range * (0.01 * range), c2 = 0.03 * range * (0.03 * range);
    double va = m[2] - m[0] * m[0], vb = m[3] - m[1] * m[1], vab = m[4] - m[0] * m[1];
    return (2 * m[0] * m[1] + c1) * (2 * vab + c2) / ((m[0] * m[0] + m[1] * m[1] + c1) * (va + vb + c2));
}

/* The sum over all windows of one channel.   rows [WINDOW, width - 10, MOMENTS]: row y is kept at y mod WINDOW */
static double sum_channel(uint32_t width, uint32_t height, size_t channels, const float *a, const float *b, double range,
                          double *rows)
{
    double weight[WINDOW], sum = 0;
    size_t across = width - WINDOW + 1, stride = across * MOMENTS;
    gaussian(weight);
    for (size_t y = 0; y < height; y++) {
        size_t at = y * width * channels;
        filter_row(weight, width, channels, a + at, b + at, rows + y % WINDOW * stride);
        for (size_t x = 0; y + 1 >= WINDOW && x < across; x++) {
            double m[MOMENTS] = {0};
            for (size_t k = 0; k < WINDOW; k++)
                for (size_t i = 0; i < MOMENTS; i++)
                    m[i] += weight[k] * rows[(y + 1 + k) % WINDOW * stride + x * MOMENTS + i];
            sum += similarity(m, range);
        }
    }
    return sum;
}

limn_status limn_ssim_values(limn_ctx *ctx, uint32_t width, uint32_t height, int channels, const float *a, const float *b,
                             double range, double *out)
{
    *out = NAN;
    if (width < WINDOW || height < WINDOW || channels < 1)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "SSIM needs pictures of at least %d x %d, found %u x %u with %d channels",
                         WINDOW, WINDOW, width, height, channels);
    size_t windows = (size_t)(width - WINDOW + 1) * (height - WINDOW + 1);
    double *rows = limn_metric_new(ctx, (size_t)WINDOW * MOMENTS * (width - WINDOW + 1), sizeof *rows, "SSIM"), sum = 0;
    if (!rows) return LIMN_NO_MEMORY;
    for (int c = 0; c < channels; c++) sum += sum_channel(width, height, (size_t)channels, a + c, b + c, range, rows);
    *out = sum / ((double)windows * channels);
    free(rows);
    return LIMN_OK;
}

static limn_status same_size(limn_ctx *ctx, const limn_image *a, const limn_image *b)
{
    if (a->width == b->width && a->height == b->height && a->channels == b->channels) return LIMN_OK;
    return limn_fail(ctx, LIMN_BAD_ARGUMENT,
                     "pictures to compare: expected %d x %d with %d channels as in the first, found %d x %d with %d",
                     a->width, a->height, a->channels, b->width, b->height, b->channels);
}

/* Byte i as it is compared: of pictures with alpha, the last of 2 or 4 channels, colours are multiplied by it, for what
 * cannot be seen has none. */
static double seen(const limn_image *image, size_t i)
{
    size_t c = (size_t)image->channels, alpha = i / c * c + c - 1;
    return c % 2 || i == alpha ? image->pixels[i] : image->pixels[i] * (double)image->pixels[alpha] / 255;
}

limn_status limn_psnr(limn_ctx *ctx, const limn_image *a, const limn_image *b, double *out)
{
    limn_status status = same_size(ctx, a, b);
    if (status != LIMN_OK) return status;
    size_t n = (size_t)a->width * (size_t)a->height * (size_t)a->channels;
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (seen(a, i) - seen(b, i)) * (seen(a, i) - seen(b, i));
    *out = 10 * log10(255.0 * 255.0 * (double)n / sum);
    return LIMN_OK;
}

limn_status limn_ssim(limn_ctx *ctx, const limn_image *a, const limn_image *b, double *out)
{
    limn_status status = same_size(ctx, a, b);
    if (status != LIMN_OK) return status;
    size_t n = (size_t)a->width * (size_t)a->height * (size_t)a->channels;
    float *u = limn_metric_new(ctx, n, 2 * sizeof *u, "pictures to compare"), *v = u ? u + n : NULL;
    if (!u) return LIMN_NO_MEMORY;
    for (size_t i = 0; i < n; i++) u[i] = (float)seen(a, i), v[i] = (float)seen(b, i);
    status = limn_ssim_values(ctx, (uint32_t)a->width, (uint32_t)a->height, a->channels, u, v, 255, out);
    free(u);
    return status;
}
