/* shapes.h: the built-in data set: "a red circle above a blue square", drawn when asked for. */
#ifndef LIMN_SHAPES_H
#define LIMN_SHAPES_H

#include "file/image.h"
#include "data/rows.h"

/** Captions and classes of the first n pictures.  The class is the first shape with its colour ("red circle"): always the
 *  same 32 classes, 8 colours times 4 shapes. */
limn_status limn_shapes_rows(limn_ctx *ctx, int64_t n, limn_rows *rows);
/** Picture i: size x size, on white, or with 4 channels on nothing.  A function of i, size and channels alone. */
limn_status limn_shapes_draw(limn_ctx *ctx, int64_t i, int size, int channels, limn_image *out);

#endif
