/* tiff_stack.h: what the description of a TIFF's first page says of the others: ImageJ's, OME-XML, tifffile's shape. */
#ifndef LIMN_TIFF_STACK_H
#define LIMN_TIFF_STACK_H

#include "base/base.h"

typedef struct limn_tiff_stack {
    const char *by;                        /* who says so; NULL: nobody */
    int64_t images, slices, channels, frames; /* images in all; each 1 where it is not said, at most 2^31 */
} limn_tiff_stack;

/** samples: values a pixel of the first page, which are no channels here; pixels: of a page */
limn_tiff_stack limn_tiff_stack_parse(const char *description, int64_t pixels, int samples);

#endif
