/* guidance.c: combine, rescale. */
#include "denoise/guidance.h"

#include <math.h>
#include <stdbool.h>

void limn_guidance_combine(const float *cond, const float *uncond, size_t n_pixels, int channels, int guided_channels,
                           double scale, float *out)
{
    for (size_t pixel = 0; pixel < n_pixels; pixel++)
        for (int c = 0; c < channels; c++) {
            size_t i = pixel * (size_t)channels + (size_t)c;
            double yes = cond[i], no = uncond[i];
            out[i] = c < guided_channels ? (float)(no + scale * (yes - no)) : cond[i];
        }
}

void limn_guidance_combine_edit(const float *both, const float *image, const float *none, size_t n_pixels, int channels,
                                int guided_channels, double scale, double image_scale, float *out)
{
    for (size_t i = 0; i < n_pixels * (size_t)channels; i++) {
        double text = (double)both[i] - image[i], seen = (double)image[i] - none[i];
        bool guided = i % (size_t)channels < (size_t)guided_channels;
        out[i] = guided ? (float)(none[i] + image_scale * seen + scale * text) : both[i];
    }
}

static double spread(const float *x, size_t n_pixels, int channels, int guided_channels)
{
    double sum = 0, square = 0, n = (double)n_pixels * guided_channels;
    for (size_t pixel = 0; pixel < n_pixels; pixel++)
        for (int c = 0; c < guided_channels; c++) sum += x[pixel * (size_t)channels + (size_t)c];
    double mean = sum / n;
    for (size_t pixel = 0; pixel < n_pixels; pixel++)
        for (int c = 0; c < guided_channels; c++) {
            double d = x[pixel * (size_t)channels + (size_t)c] - mean;
            square += d * d;
        }
    return sqrt(square / n);
}

void limn_guidance_rescale(const float *cond, size_t n_pixels, int channels, int guided_channels, double phi, float *out)
{
    double now = spread(out, n_pixels, channels, guided_channels);
    if (!(now > 0) || phi == 0) return;
    double by = 1 + phi * (spread(cond, n_pixels, channels, guided_channels) / now - 1);
    for (size_t pixel = 0; pixel < n_pixels; pixel++)
        for (int c = 0; c < guided_channels; c++) out[pixel * (size_t)channels + (size_t)c] *= (float)by;
}
