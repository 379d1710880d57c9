/* metric_parts.h: what the files metric_*.c share. */
#ifndef LIMN_METRIC_PARTS_H
#define LIMN_METRIC_PARTS_H

#include "metric/metrics.h"

/** n elements, not cleared, free(); NULL with the sentence recorded when they do not fit, for large ones before they are
 *  taken. */
void *limn_metric_new(limn_ctx *ctx, size_t n, size_t element_bytes, const char *what);

/** Connected components of the pixels whose cell is not 0, neighbours by edges (4).  parent [H,W]: scratch; pixels are
 *  numbered by uint32_t, which LIMN_MAX_PIXELS allows.  @param label  [H,W]: 1 .. n in the order of their first pixels, 0
 *  outside   @return n */
uint32_t limn_metric_components(uint32_t width, uint32_t height, const uint8_t *cells, uint32_t *parent, uint32_t *label);

#endif
