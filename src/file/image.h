/* image.h: pictures of 8 bits per channel; PNG in and out. */
#ifndef LIMN_IMAGE_H
#define LIMN_IMAGE_H

#include "base/base.h"

typedef struct limn_image {
    int width, height, channels; /* 1 gray, 2 gray and alpha, 3 RGB, 4 RGBA */
    uint8_t *pixels;             /* [height, width, channels]; owned, limn_image_free() */
} limn_image;

enum { LIMN_MAX_SIDE = 16384 };

/** Read a PNG as `channels` channels (1 to 4; alpha is laid over white when it is dropped). */
limn_status limn_png_read(limn_ctx *ctx, const char *path, int channels, limn_image *out);
limn_status limn_png_decode(limn_ctx *ctx, const char *name, const uint8_t *bytes, size_t n, int channels, limn_image *out);
/** Write atomically.  parameters: NULL or the text of the chunk "parameters" (UTF-8). */
limn_status limn_png_write(limn_ctx *ctx, const char *path, const limn_image *image, const char *parameters);
void limn_image_free(limn_image *image);
/** Average areas (smaller) or interpolate (larger), alpha-weighted for 2 and 4 channels. */
limn_status limn_image_resize(limn_ctx *ctx, const limn_image *from, int width, int height, limn_image *out);

#endif
