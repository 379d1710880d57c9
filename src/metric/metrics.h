/* metrics.h: how good a segmentation or a picture is.   H W pixels, row after row; K classes; NaN: there is nothing to
 * say. */
#ifndef LIMN_METRICS_H
#define LIMN_METRICS_H

#include "file/image.h"
#include "limn/segment.h"

/* ---- label maps ------------------------------------------------------------------------------------------------------- */

/* Pixels of one class. */
typedef struct limn_overlap {
    uint64_t truth, predicted, both;
} limn_overlap;

/** Add the pixels of a picture to classes[K], which the caller cleared before the first.  On failure nothing was added. */
limn_status limn_overlap_add(limn_ctx *ctx, const limn_label_pair *maps, limn_overlap *classes);
/** 2 both / (truth + predicted); NaN for a class without a pixel in either. */
double limn_dice(const limn_overlap *c);
/** both / (truth + predicted - both); NaN as above. */
double limn_iou(const limn_overlap *c);
/** Share of pixels that got another class than their truth. */
double limn_pixel_error(int n_classes, const limn_overlap *classes);
/** Mean of score(c) over classes first .. K-1, those that are NaN left out; NaN if all are. */
double limn_class_mean(int n_classes, int first, const limn_overlap *classes, double (*score)(const limn_overlap *));

/* ---- boundaries ------------------------------------------------------------------------------------------------------- */

#define LIMN_FAR UINT32_MAX
/** Exact squared Euclidean distance of each pixel to the nearest pixel of `mask` that is not 0, LIMN_FAR if there is none.
 *  Felzenszwalb & Huttenlocher 2012: min_q f(q) + (p - q)^2 by lower envelopes of parabolas, columns, then rows: O(H W).
 *  @param out  [H,W]   @return LIMN_OK; LIMN_NO_MEMORY */
limn_status limn_distance_squared(limn_ctx *ctx, uint32_t width, uint32_t height, const uint8_t *mask, uint32_t *out);

/** Hausdorff distance of the boundaries of class k at 95 %, in pixels: max over both directions of the 95th percentile
 *  (linear between ranks) of the distances from each boundary pixel of one mask to the nearest of the other.  A boundary
 *  pixel is in the mask and has one of its 4 neighbours outside; beyond the picture is outside.
 *  @param out  NaN where the class is absent from truth or prediction */
limn_status limn_hausdorff95(limn_ctx *ctx, const limn_label_pair *maps, int k, double *out);

/* ---- membranes: two classes, `cell` and the rest ---------------------------------------------------------------------- */

/* Adapted Rand error, restricted to foreground (ISBI 2012; Arganda-Carreras et al. 2015), as scikit-image's
 * adapted_rand_error: segments are the 4-connected components of cell pixels.  Only pixels whose truth is cell count; those
 * that the prediction calls membrane are one more segment.  With n_ij such pixels in truth segment i and predicted segment
 * j,
 *     S = sum n_ij (n_ij - 1),  T = sum_i n_i. (n_i. - 1),  P = sum_j n_.j (n_.j - 1),
 *     precision = S / P, recall = S / T, error = 1 - S / ((T + P) / 2) = 1 - their F-score.
 * Borders are not thinned first: see limn_rand_thinned().  NaN where a sum is 0. */
typedef struct limn_rand {
    double error, precision, recall;
    uint32_t n_truth, n_predicted; /* segments in the whole picture */
} limn_rand;

limn_status limn_rand_error(limn_ctx *ctx, const limn_label_pair *maps, uint8_t cell, limn_rand *out);
/* Thresholds t = 1/20, 2/20 .. 19/20. */
enum { LIMN_RAND_STEPS = 19 };
double limn_rand_threshold(int step);
/** The same for every threshold: a pixel is cell where p_cell > t (as float).  The best of a set of pictures is the least
 *  mean error over all pictures at one threshold.  @param p_cell  [H,W] probability of `cell`; maps->prediction is not
 *  read */
limn_status limn_rand_scan(limn_ctx *ctx, const limn_label_pair *maps, uint8_t cell, const float *p_cell,
                           limn_rand out[LIMN_RAND_STEPS]);

/** Lines of one pixel in the middle of what is not 0, Zhang & Suen 1984: what they separate (4-connected) stays apart.
 *  Beyond the picture is line too, so that a line which leaves the picture still does.  @param map  [H,W], in place, then 0
 *  and 1   @return LIMN_OK; LIMN_NO_MEMORY */
limn_status limn_thin(limn_ctx *ctx, uint32_t width, uint32_t height, uint8_t *map);

/* V^Rand after thinning, by which ISBI 2012 ranks (Arganda-Carreras et al. 2015, eq. 3 with alpha = 1/2): membranes of the
 * prediction become lines of one pixel first.  With p_ij the share of pixels in truth segment i and predicted segment j, of
 * those whose truth is cell (the truth is not thinned: its membranes count nowhere),
 *     V = sum p_ij^2 / (1/2 sum_i p_i.^2 + 1/2 sum_j p_.j^2),  error = 1 - V,
 * where each pixel that the prediction still calls membrane is a segment of its own.  Sums run over all pictures. */
typedef struct limn_rand_sums {
    double both, truth, predicted; /* of squared numbers of pixels */
} limn_rand_sums;

/** Add a picture at every threshold; p_cell as above.  @return LIMN_OK; LIMN_NO_MEMORY, and sums may hold a part of the
 *  picture */
limn_status limn_rand_thinned(limn_ctx *ctx, const limn_label_pair *maps, uint8_t cell, const float *p_cell,
                              limn_rand_sums sums[LIMN_RAND_STEPS]);
/** 1 - V; NaN where both sums are 0. */
double limn_rand_sums_error(const limn_rand_sums *sums);

/** Warping error after Jain et al. 2010: the truth is bent towards the prediction by changing simple points only, pixels
 *  whose change neither joins, splits, makes nor ends a cell (4-connected) or a membrane (8-connected, as is all beyond the
 *  picture). Where no differing pixel is simple, the share of pixels that still differ is the error: of topology, not of
 *  position. Only differing pixels are changed, so that a membrane which touches its truth nowhere counts in full. They are
 *  tried first in, first out, row after row, and those around a change again: another order may end elsewhere.  @param out
 *  NaN where all is ignored */
limn_status limn_warping_error(limn_ctx *ctx, const limn_label_pair *maps, uint8_t cell, double *out);

/* ---- pictures: limn_psnr() and limn_ssim() of limn.h, and ------------------------------------------------------------- */

/** 10 log10(range^2 / mean (a - b)^2); infinite where both are equal.  @param range  greatest minus least value there can
 *  be */
double limn_psnr_values(size_t n, const float *a, const float *b, double range);
/** Structural similarity, Wang et al. 2004: Gaussian windows of 11x11, sigma 1.5, K1 = 0.01, K2 = 0.03, weighted
 *  (population) variances; mean over windows that lie within the picture, then over channels.  a b [H,W,C].
 *  @return LIMN_OK; LIMN_BAD_ARGUMENT (a side below 11); LIMN_NO_MEMORY */
limn_status limn_ssim_values(limn_ctx *ctx, uint32_t width, uint32_t height, int channels, const float *a, const float *b,
                             double range, double *out);

#endif
