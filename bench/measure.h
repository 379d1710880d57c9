/* measure.h: how near drawn pictures come to their originals, in numbers.   x [size,size,4]: 0..255, colours multiplied by
 * alpha, row after row. */
#ifndef LIMN_MEASURE_H
#define LIMN_MEASURE_H

#include "base/base.h"

enum { MEASURE_CHANNELS = 4, MEASURE_SIDE = 16, MEASURE_THUMB = MEASURE_SIDE * MEASURE_SIDE * MEASURE_CHANNELS };

typedef struct measure_mean {
    double sum;
    int64_t n;
} measure_mean;

/** NaN without a number. */
double measure_value(measure_mean m);
/** Of n numbers, which are sorted; NaN for none. */
double measure_median(double *x, int64_t n);

void measure_from_image(const limn_image *rgba, float *x);
/** From the network's numbers, -1..1. */
void measure_from_values(const float *values, int size, float *x);
/** Mean of each of 16x16 blocks; size is a multiple of 16. */
void measure_thumbnail(const float *x, int size, float out[MEASURE_THUMB]);
/** How many of n thumbnails that `right` does not name lie nearer to `mine` than every one that it does: 0: the nearest is
 *  right. */
int64_t measure_place(int64_t n, const float *thumbs, const uint8_t *right, const float mine[MEASURE_THUMB]);

/** Clean: |4 x - the four neighbours|, of colours, where the original is flat: in 3x3 pixels each colour spreads by at most
 *  4, and alpha is above 250. */
void measure_clean(const float *original, const float *x, int size, measure_mean *out);

typedef struct measure_steps {
    measure_mean border, elsewhere;
} measure_steps;

/** Steps: |difference| of neighbours in a row or column, of all channels; border: from one square of period x period pixels
 *  to the next. */
void measure_steps_add(const float *x, int size, int period, measure_steps *out);
/** border / elsewhere */
double measure_steps_ratio(const measure_steps *s);

/** Structural similarity of what is seen on white, as metrics.h has it: x + 255 - alpha.  size >= 11 */
limn_status measure_ssim(limn_ctx *ctx, int size, const float *a, const float *b, double *out);

#endif
