/* augment.h: a picture and its mask, cut out, turned, bent and lit another way: a function of (seed, position) alone. */
#ifndef LIMN_AUGMENT_H
#define LIMN_AUGMENT_H

#include "base/base.h"
#include "limn/train.h"

/* A picture in 0..1. */
typedef struct limn_pixels {
    int width, height, channels;
    const uint8_t *bytes; /* [H,W,C], 255 is 1; or */
    const uint16_t *wide; /* 65535 is 1; the other is NULL */
} limn_pixels;

/** LIMN_OK, or LIMN_BAD_ARGUMENT with what is out of range. */
limn_status limn_augment_check(limn_ctx *ctx, const limn_augment *augment);

/**
 * A sample of width x height.  Smaller than the picture: a crop at a random place; larger: the picture is mirrored at its
 * borders, as it is where turned or bent crops look outside.  Pictures bicubic (Catmull & Rom 1974), masks nearest.  A pure
 * crop copies pixels.
 *
 * @param  from    the picture;  mask [H,W]
 * @param  image   [height,width,C] in 0..1;  labels [height,width], values of mask
 * @return LIMN_OK; LIMN_NO_MEMORY
 */
limn_status limn_augment_sample(limn_ctx *ctx, const limn_augment *augment, uint64_t seed, uint64_t position,
                                const limn_pixels *from, const uint8_t *mask, int width, int height, float *image,
                                uint8_t *labels);

#endif
