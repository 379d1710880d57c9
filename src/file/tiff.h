/* tiff.h: TIFF by libtiff: gray, RGB and YCbCr of JPEG, strips and tiles; the pages of a file are slices, upright as tag 274
 * (orientation) says. */
#ifndef LIMN_TIFF_H
#define LIMN_TIFF_H

#include "file/raster.h"

bool limn_tiff_sniff(const uint8_t *bytes, size_t n);
/** Whole numbers of 8, 16 and 32 bits, f32; black is 0 or, MINISWHITE, the greatest, unless values are labels; alpha is left
 *  out, so are reduced copies.  All pages are alike. ImageJ's and tifffile's stacks of one page are read whole; several
 *  channels, or slices at several times, are refused.
 *  @return as limn_raster_decode() */
limn_status limn_tiff_decode(limn_ctx *ctx, const char *name, const uint8_t *bytes, size_t n, bool labels, limn_raster *out);
/** Whether there is more than one page, reduced copies aside. */
bool limn_tiff_pages(limn_ctx *ctx, const char *name, const uint8_t *bytes, size_t n);
/** Gray pages [S,H,W], not compressed, atomically; one of bytes and wide, the other NULL.
 *  @return LIMN_OK; LIMN_UNSUPPORTED: more than 4 GB; LIMN_IO: an older file at path is untouched */
limn_status limn_tiff_write(limn_ctx *ctx, const char *path, int width, int height, int slices, const uint8_t *bytes,
                            const uint16_t *wide);

#endif
