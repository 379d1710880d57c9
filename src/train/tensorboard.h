/* tensorboard.h: an events file that TensorBoard reads: scalars and pictures over steps. */
#ifndef LIMN_TENSORBOARD_H
#define LIMN_TENSORBOARD_H

#include "base/base.h"

typedef struct limn_tensorboard limn_tensorboard;

/** A new file FOLDER/events.out.tfevents.<seconds>.limn; a resumed run adds another file, and TensorBoard joins them.
 *  @return LIMN_OK: close with limn_tensorboard_close(); LIMN_IO */
limn_status limn_tensorboard_open(limn_ctx *ctx, const char *folder, limn_tensorboard **out);
/** One event; written through at once.  What the disk refuses is lost: training does not stop for it. */
void limn_tensorboard_scalar(limn_tensorboard *t, int64_t step, const char *tag, double value);
/** @param png  a whole PNG file */
void limn_tensorboard_image(limn_tensorboard *t, int64_t step, const char *tag, int width, int height, int channels,
                            const void *png, size_t n);
void limn_tensorboard_close(limn_tensorboard *t); /* NULL is allowed */

/** CRC-32C (Castagnoli) of n bytes; the mask of TFRecord: rotate right by 15 bits, add 0xa282ead8. */
uint32_t limn_crc32c(const void *bytes, size_t n);
uint32_t limn_crc32c_mask(uint32_t crc);

#endif
