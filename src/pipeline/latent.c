/* latent.c: pictures to latents and back. */
#include "denoise/picture.h"
#include "file/image.h"
#include "file/latent.h"
#include "pipeline/autoencoder.h"

#include <stdlib.h>
#include <string.h>

static int padded(int n, int factor)
{
    return (n + factor - 1) / factor * factor;
}

/* Bytes to [-1,1], colours times alpha; past the edge the last row and column go on. */
static void to_values(const limn_image *image, int height, int width, float *out)
{
    int c = image->channels;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++, out += c) {
            size_t row = (size_t)(y < image->height ? y : image->height - 1),
                   column = (size_t)(x < image->width ? x : image->width - 1);
            limn_pixel_values(image->pixels + (row * (size_t)image->width + column) * (size_t)c, c, out);
        }
}

limn_status limn_encode(limn_autoencoder *a, const limn_image *image, limn_precision precision, limn_latent *out)
{
    limn_autoencoder_info info = limn_autoencoder_describe(a);
    int height = padded(image->height, info.factor), width = padded(image->width, info.factor);
    size_t n = (size_t)height * (size_t)width * (size_t)info.channels;
    limn_image copy = {0};
    float *values = NULL;
    *out = (limn_latent){0};
    limn_status status = limn_coder_begin(a, &a->encoder, 1, height, width, precision);
    if (status == LIMN_OK) status = limn_image_copy(a->ctx, image, info.channels, &copy);
    if (status == LIMN_OK) status = limn_latent_new(a->ctx, height / info.factor, width / info.factor, info.latent, out);
    if (status == LIMN_OK && !(values = malloc(n * sizeof *values)))
        status = limn_fail_memory(a->ctx, n * sizeof *values, "a picture");
    if (status == LIMN_OK) {
        to_values(&copy, height, width, values);
        out->image_height = image->height, out->image_width = image->width;
        status = limn_encode_values(a, 1, height, width, values, precision, out->values);
    }
    free(values);
    limn_image_free(&copy);
    if (status != LIMN_OK) limn_latent_free(out);
    return status;
}

limn_status limn_decode(limn_autoencoder *a, const limn_latent *latent, limn_precision precision, limn_image *out)
{
    limn_autoencoder_info info = limn_autoencoder_describe(a);
    int height = latent->height * info.factor, width = latent->width * info.factor;
    *out = (limn_image){0};
    if (latent->channels != info.latent)
        return limn_fail(a->ctx, LIMN_BAD_ARGUMENT, "the latent has %d channels, and this %s has latents of %d",
                         latent->channels, info.network, info.latent);
    if (padded(latent->image_height, info.factor) != height || padded(latent->image_width, info.factor) != width)
        return limn_fail(a->ctx, LIMN_BAD_ARGUMENT,
                         "a latent of %d x %d gives %d x %d pixels with this %s, and its picture had %d x %d: it is another "
                         "autoencoder's",
                         latent->width, latent->height, width, height, info.network, latent->image_width,
                         latent->image_height);
    limn_status status = limn_image_check(a->ctx, "the picture", (uint32_t)width, (uint32_t)height, info.channels);
    if (status == LIMN_OK) status = limn_coder_begin(a, &a->decoder, 1, height, width, precision);
    if (status != LIMN_OK) return status;
    size_t row = (size_t)width * (size_t)info.channels, cut = (size_t)latent->image_width * (size_t)info.channels,
           n = (size_t)height * row;
    float *values = malloc(n * sizeof *values);
    if (!values) return limn_fail_memory(a->ctx, n * sizeof *values, "a picture");
    status = limn_decode_values(a, 1, height, width, latent->values, precision, values);
    for (int y = 1; y < latent->image_height; y++)
        memmove(values + (size_t)y * cut, values + (size_t)y * row, cut * sizeof *values);
    if (status == LIMN_OK)
        status = limn_picture_bytes(a->ctx, latent->image_width, latent->image_height, info.channels, values, out);
    free(values);
    return status;
}
