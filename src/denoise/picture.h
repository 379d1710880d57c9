/* picture.h: from the network's numbers to bytes and back. */
#ifndef LIMN_DENOISE_PICTURE_H
#define LIMN_DENOISE_PICTURE_H

#include "base/base.h"

/** One picture of the network, [-1,1], as bytes: values [height, width, channels].  Four channels come with colours
 *  multiplied by alpha (train/data.h) and are divided again.  @return LIMN_OK: free *out with limn_image_free();
 *  LIMN_NO_MEMORY */
limn_status limn_picture_bytes(limn_ctx *ctx, int width, int height, int channels, const float *values, limn_image *out);

/** A pixel as numbers of the network, -1..1; of four channels, colours are multiplied by alpha. */
static inline void limn_pixel_values(const uint8_t *p, int channels, float *out)
{
    float alpha = channels == 4 ? (float)p[3] / 255 : 1;
    for (int k = 0; k < channels; k++) out[k] = (float)p[k] * (k < 3 ? alpha : 1) / 127.5f - 1;
}

/** A picture: image [height, width, channels]. */
void limn_picture_values(const limn_image *image, float *values);

#endif
