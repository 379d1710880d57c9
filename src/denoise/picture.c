/* picture.c: see picture.h. */
#include "denoise/picture.h"

#include <stdlib.h>

static uint8_t to_byte(float x)
{
    return !(x > 0) ? 0 : x > 1 ? 255 : (uint8_t)(x * 255 + 0.5f);
}

limn_status limn_picture_bytes(limn_ctx *ctx, int width, int height, int channels, const float *values, limn_image *out)
{
    size_t n = (size_t)width * (size_t)height, c = (size_t)channels;
    *out = (limn_image){.width = width, .height = height, .channels = channels, .pixels = malloc(n * c)};
    if (!out->pixels) return limn_fail_memory(ctx, n * c, "a picture");
    for (size_t i = 0; i < n; i++) {
        const float *p = values + i * c;
        float alpha = c == 4 ? p[3] * 0.5f + 0.5f : 1;
        for (size_t k = 0; k < c; k++) {
            float value = p[k] * 0.5f + 0.5f; /* of colours: already times alpha */
            out->pixels[i * c + k] = to_byte(k < 3 && alpha > 0.004f ? value / (alpha < 1 ? alpha : 1) : value);
        }
    }
    return LIMN_OK;
}

void limn_picture_values(const limn_image *image, float *values)
{
    size_t n = (size_t)image->width * (size_t)image->height, c = (size_t)image->channels;
    for (size_t i = 0; i < n; i++) limn_pixel_values(image->pixels + i * c, image->channels, values + i * c);
}
