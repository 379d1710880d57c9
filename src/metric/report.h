/* report.h: how good a segmentation is, class by class: as text, as JSON, as a picture. */
#ifndef LIMN_REPORT_H
#define LIMN_REPORT_H

#include "metric/metrics.h"

#include <jansson.h>

typedef struct limn_score_mean {
    double sum;
    int64_t n; /* pictures where there was something to say */
} limn_score_mean;

/* Dice, IoU and pixel error are of all pixels of all pictures together; the others are means over pictures, Hausdorff
 * distances in pixels, of those where a class is both in the truth and predicted. */
typedef struct limn_report {
    int n_classes, cell;      /* class that is cell, for Rand and warping errors; -1: no such errors */
    const char *const *names; /* [n_classes], borrowed; NULL: "class 0", .. */
    int64_t n_pictures;
    limn_overlap overlap[LIMN_MAX_CLASSES];
    limn_score_mean hausdorff95[LIMN_MAX_CLASSES];
    limn_score_mean rand, precision, recall, warping, scan[LIMN_RAND_STEPS];
    limn_rand_sums thinned[LIMN_RAND_STEPS];
    uint64_t wrong[LIMN_RAND_STEPS]; /* pixels, of two classes, at each threshold */
} limn_report;

/* NaN: there is nothing to say. */
typedef struct limn_report_scores {
    double pixel_error;
    double dice, iou, hausdorff95;                                  /* means over classes that appear */
    double foreground_dice, foreground_iou, foreground_hausdorff95; /* the same without class 0 */
    double rand, precision, recall, warping;
    double best_rand, best_threshold; /* least mean Rand error at one threshold of the probability */
    double thinned, best_thinned, best_thinned_threshold;           /* 1 - V^Rand after thinning at 1/2, its least */
    double best_pixel_error, best_pixel_threshold;                  /* of two classes */
} limn_report_scores;

/** An empty report.  names [n_classes] stay the caller's and live as long as the report.
 *  @return LIMN_OK; LIMN_BAD_ARGUMENT (classes not 1..LIMN_MAX_CLASSES, cell not -1..n_classes - 1) */
limn_status limn_report_begin(limn_ctx *ctx, limn_report *report, int n_classes, const char *const *names, int cell);
/** Add a picture.  @param p_cell  [H,W] probability of `cell`, or NULL: no scan of thresholds; not read where cell is -1
 *  @return LIMN_OK; as limn_overlap_add(), also for maps of another n_classes; LIMN_NO_MEMORY.  On failure the report is
 *  unchanged. */
limn_status limn_report_add(limn_ctx *ctx, limn_report *report, const limn_label_pair *maps, const float *p_cell);
/** Add another report's pictures; both were begun alike. */
void limn_report_merge(limn_report *report, const limn_report *other);
limn_report_scores limn_report_score(const limn_report *report);
/** Pixels with a class. */
uint64_t limn_report_pixels(const limn_report *report);

/** A table of classes, the errors, and the notes; a class that is nowhere is "absent". */
void limn_report_text(const limn_report *report, limn_text *out);
/** What looks like a failure of training, a line each: one class predicted everywhere, a class that is never predicted or
 *  never in the truth. */
void limn_report_notes(const limn_report *report, limn_text *out);
/** {pictures, pixels, pixel_error, mean {dice, iou, hausdorff95}, foreground_mean {..}, classes [{name, truth, predicted,
 *  both, dice, iou, hausdorff95}], membrane {rand_error, rand_precision, rand_recall, best_rand_error, best_threshold,
 *  thinned_rand_error, best_thinned_rand_error, best_thinned_threshold, best_pixel_error, best_pixel_threshold,
 *  warping_error}}; null where a number is NaN.
 *  @return the caller's (json_decref()); NULL: out of memory */
json_t *limn_report_json(const limn_report *report);

/** Picture | truth | prediction side by side, 4 white pixels between.  Classes above 0 lie over the picture in greens and
 *  blues. In the prediction errors are red (class 0 taken for another), orange (another taken for class 0) and yellow (other
 *  classes mixed up); what is ignored is grey.  Where the panels together would be larger than a picture may be, every
 *  second, third .. pixel of a side is drawn.
 *
 *  @param image       1 to 4 channels; its size is the size of the maps
 *  @param truth       [H,W], or NULL: picture | prediction, without errors
 *  @param out         RGB; on LIMN_OK the caller's (limn_image_free()), else empty
 *  @return LIMN_OK; LIMN_NO_MEMORY */
limn_status limn_report_picture(limn_ctx *ctx, const limn_image *image, const uint8_t *truth, const uint8_t *prediction,
                                limn_image *out);

#endif
