/* image.h: pictures of 8 bits per channel: PNG, JPEG and WebP in, channels and sizes changed (limn_image itself,
 * limn_image_read, from files of at most LIMN_MAX_IMAGE_BYTES, limn_image_free and limn_png_write: limn.h). */
#ifndef LIMN_IMAGE_H
#define LIMN_IMAGE_H

#include "base/base.h"

/* Checked against the header before anything is allocated. */
enum { LIMN_MAX_SIDE = 16384, LIMN_MAX_PIXELS = 64 << 20, LIMN_MAX_IMAGE_BYTES = 256 << 20 };

typedef enum limn_image_kind { LIMN_IMAGE_UNKNOWN, LIMN_IMAGE_PNG, LIMN_IMAGE_JPEG, LIMN_IMAGE_WEBP } limn_image_kind;
/** What the first bytes say a file is; names do not count. */
limn_image_kind limn_image_sniff(const uint8_t *bytes, size_t n);

/** Decode a PNG (any depth, palette, interlaced), a JPEG (gray, colour, CMYK) or a WebP (lossy, lossless, alpha), turned
 *  upright as its EXIF says.
 *  @param  name      what messages call the bytes, usually the path
 *  @param  channels  1 to 4, or 0: as stored (see limn_image_convert)
 *  @return LIMN_OK: free *out with limn_image_free(); else *out is empty and the sentence begins with name:
 *          LIMN_BAD_FILE damaged, cut or too large; LIMN_UNSUPPORTED (animation); LIMN_NO_MEMORY */
limn_status limn_image_decode(limn_ctx *ctx, const char *name, const uint8_t *bytes, size_t n, int channels,
                              limn_image *out);

/** Pixels, not cleared, for a picture of this size, or the sentence why not: sides 1..LIMN_MAX_SIDE, LIMN_MAX_PIXELS in all,
 *  and large ones only when the machine has the memory. */
limn_status limn_image_new(limn_ctx *ctx, const char *name, uint32_t width, uint32_t height, int channels, limn_image *out);
/** The check of limn_image_new() alone. */
limn_status limn_image_check(limn_ctx *ctx, const char *name, uint32_t width, uint32_t height, int channels);
/** To another number of channels in place: colour to gray by 0.299 R + 0.587 G + 0.114 B; alpha that is dropped lets white
 *  shine through; alpha that is added is 255.  On failure *image is unchanged. */
limn_status limn_image_convert(limn_ctx *ctx, limn_image *image, int channels);
/** A copy with another number of channels; 0: the same. */
limn_status limn_image_copy(limn_ctx *ctx, const limn_image *from, int channels, limn_image *out);
/** To another size, each axis on its own: smaller by the area a pixel covers, larger by interpolation.  With 2 and 4
 *  channels colours count by their alpha. */
limn_status limn_image_resize(limn_ctx *ctx, const limn_image *from, int width, int height, limn_image *out);

/** Upright in place, by an orientation of exif.h.  On failure *image is unchanged. */
limn_status limn_image_turn(limn_ctx *ctx, const char *name, int orientation, limn_image *image);

/** An animated PNG (APNG), atomically: n pictures of one size and number of channels, shown for `milliseconds` each,
 *  forever.  Readers that do not know the animation show the first.  @return LIMN_OK; LIMN_BAD_ARGUMENT; LIMN_NO_MEMORY;
 *  LIMN_IO: an older file at path is untouched */
limn_status limn_apng_write(limn_ctx *ctx, const char *path, const limn_image *images, int n, int milliseconds);

/** A gray PNG of 16 bits, atomically, as limn_png_write() does.  pixels [height, width] */
limn_status limn_png_write_wide(limn_ctx *ctx, const char *path, int width, int height, const uint16_t *pixels);

/* One format each, channels as stored; for limn_image_decode(). */
limn_status limn_png_decode(limn_ctx *ctx, const char *name, const uint8_t *bytes, size_t n, limn_image *out);
/** The same, but values of 16 bits stay what they are: then *wide [H,W,C] is the caller's (free()) and out->pixels is NULL;
 *  else *wide is NULL. */
limn_status limn_png_decode_wide(limn_ctx *ctx, const char *name, const uint8_t *bytes, size_t n, limn_image *out,
                                 uint16_t **wide);
/** A palette's indices and gray values as they are stored, not as colours and not spread to 0..255; for gray and palettes of
 *  up to 8 bits. */
limn_status limn_png_decode_indices(limn_ctx *ctx, const char *name, const uint8_t *bytes, size_t n, limn_image *out);
limn_status limn_jpeg_decode(limn_ctx *ctx, const char *name, const uint8_t *bytes, size_t n, limn_image *out);
limn_status limn_webp_decode(limn_ctx *ctx, const char *name, const uint8_t *bytes, size_t n, limn_image *out);

#endif
