/* raster.h: pictures and volumes with the values they were stored with: what image.h reads, 16 bits a channel, TIFF,
 * NIfTI-1.   S slices */
#ifndef LIMN_RASTER_H
#define LIMN_RASTER_H

#include "base/base.h"
#include "limn/train.h"

#define LIMN_MAX_RASTER_BYTES ((size_t)2 << 30) /* of a file */
enum { LIMN_MAX_SLICES = 16384, LIMN_MAX_VOXELS = 1 << 30, LIMN_NIFTI_HEADER = 348 };

typedef enum limn_raster_kind { LIMN_RASTER_PICTURE, LIMN_RASTER_TIFF, LIMN_RASTER_NIFTI } limn_raster_kind;

typedef struct limn_raster {
    limn_raster_kind kind;
    int width, height, slices, channels;     /* channels as in limn_image: 2 and 4 end with alpha */
    bool separate;                           /* channels are no colours and no alpha, but pictures of their own */
    float limit;                             /* integers 0 .. limit: 255 or 65535; 0: any values */
    const char *type;                        /* as the values were stored, for messages: "u8", "f32" .. */
    size_t below, above;                     /* of a range that was given; see limn_raster_scale() */
    float *values;                           /* [S,H,W,C], owned */
    unsigned char header[LIMN_NIFTI_HEADER]; /* NIFTI: as it was in the file */
} limn_raster;

/** Read a file of any of the formats; its first bytes say which.
 *  @return LIMN_OK: free *out with limn_raster_free(); else *out is empty and the sentence begins with the name:
 *  LIMN_NOT_FOUND; LIMN_BAD_FILE damaged,
 *          cut, lying or too large; LIMN_UNSUPPORTED; LIMN_NO_MEMORY, said before it is taken; LIMN_IO */
limn_status limn_raster_read(limn_ctx *ctx, const char *path, limn_raster *out);
/** What kind of file it is, and whether it has several pages, without its values.  @return as limn_raster_read(), but damage
 *  behind the first bytes is not seen */
limn_status limn_raster_look(limn_ctx *ctx, const char *path, limn_raster_kind *kind, bool *pages);
limn_status limn_raster_decode(limn_ctx *ctx, const char *name, const uint8_t *bytes, size_t n, limn_raster *out);
/** The same of a picture whose values are names of things: of a PNG the indices of its palette, and gray of 2 and 4 bits as
 *  it is stored. */
limn_status limn_raster_decode_labels(limn_ctx *ctx, const char *name, const uint8_t *bytes, size_t n, limn_raster *out);
void limn_raster_free(limn_raster *raster); /* the values, not the struct, which becomes empty */
/** Values, not cleared, or the sentence why not.  @param file_bytes  0, or those that hold all values: fewer than a 1/1032
 *  of them is a lie */
limn_status limn_raster_new(limn_ctx *ctx, const char *name, int64_t width, int64_t height, int64_t slices, int channels,
                            size_t file_bytes, limn_raster *out);

/** limn_range_parse() backwards; BYTES, which nobody asks for, is "bytes".  @return out */
const char *limn_range_text(const limn_range *range, char out[64]);
/** Values to 0..1 in place: (v - low) / (high - low), clamped; what is not finite becomes 0 and is told as a warning.  Alpha
 *  is brought from its own range. What was taken is written to *range: AUTO and BYTES become BYTES or PERCENTILES; values
 *  beside a range that was given are counted in raster.
 *  @return LIMN_OK; LIMN_BAD_ARGUMENT: all values lie on one side of a range that was given, and are not all the same;
 *  LIMN_NO_MEMORY */
limn_status limn_raster_scale(limn_ctx *ctx, const char *name, limn_raster *raster, limn_range *range);
/** A slice of values in 0..1 as a picture of 8 bits; separate channels: the first.  @return as limn_image_new() */
limn_status limn_raster_image(limn_ctx *ctx, const char *name, const limn_raster *raster, int slice, limn_image *out);
/** A pixel of `from` channels, values in 0..1, as one of 1, 3 or the same number of channels, as limn_image_convert() does
 *  it. */
void limn_raster_pixel(int from, const float *p, int to, float *out);
/** "512 x 512", of a volume "512 x 512 x 30".  @return out */
const char *limn_raster_size(int width, int height, int slices, char out[48]);
/* Values within 1e-4 of a whole number, as resampling leaves them, that were taken as that number. */
typedef struct limn_near_labels {
    size_t n;
    float first;
} limn_near_labels;
/** Values [S,H,W] as whole numbers.  @return LIMN_OK: *out is the caller's (free()); LIMN_BAD_FILE: colours, transparency,
 *  or a value that is no whole
 *          number 0..65535, with its place; LIMN_NO_MEMORY */
limn_status limn_raster_labels(limn_ctx *ctx, const char *name, const limn_raster *raster, uint16_t **out,
                               limn_near_labels *near);

#endif
