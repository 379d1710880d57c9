/* line.h: where a resized line of pixels comes from; the reference and the CPU kernels agree on it. */
#ifndef LIMN_LINE_H
#define LIMN_LINE_H

#include "limn/graph.h"

typedef struct limn_line {
    int64_t at[2];     /* the two pixels that pixel i is made of */
    double weight[2];
} limn_line;

/** Pixel i of `to` pixels, made of `from`.  NEAREST: floor(i from / to).  BILINEAR: at (i + 1/2) from / to - 1/2, not before
 *  the first pixel.  BILINEAR_ALIGNED: at i (from - 1) / (to - 1). */
static inline limn_line limn_resize_line(limn_resize_mode mode, int64_t i, int64_t from, int64_t to)
{
    if (mode == LIMN_NEAREST) return (limn_line){{i * from / to, i * from / to}, {1, 0}};
    double x = mode == LIMN_BILINEAR ? ((double)i + 0.5) * (double)from / (double)to - 0.5
               : to > 1              ? (double)i * (double)(from - 1) / (double)(to - 1)
                                     : 0;
    if (x < 0) x = 0;
    int64_t first = (int64_t)x < from - 1 ? (int64_t)x : from - 1, second = first < from - 1 ? first + 1 : first;
    return (limn_line){{first, second}, {1 - (x - (double)first), x - (double)first}};
}

/** Share of pixel `source` in pixel i. */
static inline double limn_resize_weight(limn_resize_mode mode, int64_t i, int64_t from, int64_t to, int64_t source)
{
    limn_line line = limn_resize_line(mode, i, from, to);
    return (line.at[0] == source ? line.weight[0] : 0) + (line.at[1] == source ? line.weight[1] : 0);
}

#endif
