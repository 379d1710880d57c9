/* exif.h: which way up pictures are stored: tag 0x0112 of EXIF (2.3, 4.6.4), the same as of TIFF.
 *
 *   1 upright   2 mirrored   3 turned by 180   4 flipped   5 transposed   6 to be turned right   7 transversed   8 to be
 *   turned left */
#ifndef LIMN_EXIF_H
#define LIMN_EXIF_H

#include "base/base.h"

/** Orientation by the first directory of EXIF, from its TIFF header on, with or without "Exif\0\0" in front.  @return 1..8;
 *  1 where there is none or
 *          any of it makes no sense */
int limn_exif_orientation(const uint8_t *bytes, size_t n);
/** By a PNG's chunk eXIf, else by text "Raw profile type exif" (or APP1), where ImageMagick and others kept EXIF before
 *  there was a chunk for it. */
int limn_png_orientation(const uint8_t *png, size_t n);
/** By a WebP's chunk EXIF, where its chunk VP8X says that there is one. */
int limn_webp_orientation(const uint8_t *webp, size_t n);

/** Pixels [height,width] as they are stored to upright ones: [width,height] from 5 on.  pixel: bytes of one */
void limn_turn(int orientation, int width, int height, size_t pixel, const void *from, void *to);
/** The same of memory by malloc(), which is replaced, as are the sides.  @return LIMN_OK; LIMN_NO_MEMORY: nothing is
 *  changed */
limn_status limn_turn_upright(limn_ctx *ctx, const char *name, int orientation, size_t pixel, int *width, int *height,
                              void **pixels);

#endif
