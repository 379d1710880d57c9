/* metric_parts.h: what the files metric_*.c share. */
#ifndef LIMN_METRIC_PARTS_H
#define LIMN_METRIC_PARTS_H

#include "train/metrics.h"

/** n elements, not cleared, free(); NULL with the sentence recorded when they do not fit, for large ones before they are taken. */
void *limn_metric_new(limn_ctx *ctx, size_t n, size_t element_bytes, const char *what);

#endif
