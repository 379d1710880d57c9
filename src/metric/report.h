/* report.h: the inside of a report, see limn/segment.h: how good a segmentation is, class by class. */
#ifndef LIMN_REPORT_H
#define LIMN_REPORT_H

#include "metric/metrics.h"

typedef struct limn_score_mean {
    double sum;
    int64_t n; /* pictures where there was something to say */
} limn_score_mean;

struct limn_report {
    int n_classes, cell;      /* class that is cell, for Rand and warping errors; -1: no such errors */
    const char *const *names; /* [n_classes], borrowed; NULL: "class 0", .. */
    int64_t n_pictures;
    limn_overlap overlap[LIMN_MAX_CLASSES];
    limn_score_mean hausdorff95[LIMN_MAX_CLASSES];
    limn_score_mean rand, precision, recall, warping, scan[LIMN_RAND_STEPS];
    limn_rand_sums thinned[LIMN_RAND_STEPS];
    uint64_t wrong[LIMN_RAND_STEPS]; /* pixels, of two classes, at each threshold */
};

/** Add another report's pictures; both were begun alike. */
void limn_report_merge(limn_report *report, const limn_report *other);
/** What looks like a failure of training, a line each: one class predicted everywhere, a class that is never predicted or
 *  never in the truth. */
void limn_report_notes(const limn_report *report, limn_text *out);

#endif
