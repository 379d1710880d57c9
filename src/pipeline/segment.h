/* segment.h: the inside of a segmentation, see limn/segment.h: volumes, and values of masks. */
#ifndef LIMN_PIPELINE_SEGMENT_H
#define LIMN_PIPELINE_SEGMENT_H

#include "file/raster.h"
#include "metric/report.h"

limn_ctx *limn_segmentation_ctx(const limn_segmentation *s);
/** The file of its weights. */
const char *limn_segmentation_file(const limn_segmentation *s);

/* The probability of one class, kept for a whole raster. */
typedef struct limn_kept_class {
    int k;
    float *p;   /* [S,H,W], the caller's */
} limn_kept_class;
/** A raster in 0..1, slice by slice; of several the progress callback is told as "slice".  @param classes  [S,H,W];  kept
 *  [n_kept] may be NULL for 0 */
limn_status limn_segment_raster(limn_segmentation *s, const limn_raster *raster, uint8_t *classes, int n_kept,
                                const limn_kept_class *kept);

/* Which value of a mask is which class.  Read: -1 none, LIMN_IGNORED; written: of each class. */
typedef struct limn_class_values {
    int16_t class_of[65536];
    uint16_t value_of[LIMN_MAX_CLASSES];
    bool given;  /* by an option */
    bool halved; /* the option is "half": limn_mask_halve() comes before limn_class_values_apply() */
} limn_class_values;

/** @param text  "0,255", behind a semicolon values to ignore ("0,1,2;255"); "half"; NULL: classes as they are, but 0 and 255
 *               for two classes where black_white
 *  @return LIMN_OK: free() *out; LIMN_BAD_ARGUMENT: no such list, or not of n_classes values; LIMN_NO_MEMORY */
limn_status limn_class_values_new(limn_ctx *ctx, const char *text, int n_classes, bool black_white, limn_class_values **out);
/** Values of a mask [n] to classes [n].  Where no option said what they are: 0 and 255 for two classes where there are no
 *  others, else the classes themselves and 255 ignored.  @return LIMN_BAD_FILE: a value that is no class, with its row and
 *  column */
limn_status limn_class_values_apply(limn_ctx *ctx, const char *name, const limn_class_values *values, int n_classes,
                                    int width, size_t n, const uint16_t *mask, uint8_t *classes);

#endif
