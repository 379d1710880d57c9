/* segment.h: files segmented and compared with their truth, as `limn segment` does it: pictures, volumes, the pages of a
 * TIFF, cases whose channels lie in several files, folders of all these.  (One picture in memory: limn_segment() of limn.h.)
 * A folder against its truth:
 *
 *     const char *const pictures[] = {"test/images"};
 *     limn_segment_files_options options = limn_segment_files_defaults();
 *     options.pictures = pictures;
 *     options.n_pictures = 1;
 *     options.truth = "test/masks";
 *     options.mask = "found";
 *     limn_report *report = NULL;
 *     limn_status status = limn_segment_files(model, &options, &report);
 *     if (status == LIMN_OK) printf("Dice %.4f\n", limn_report_score(report).foreground_dice);
 *     limn_report_free(report);
 *
 * examples/compare.c is the whole program.  A segmentation has one context and is used by one thread at a time; so is a
 * report.  Messages name options as the program's flags do: --truth is truth.   S slices, H W pixels, row after row */
#ifndef LIMN_SEGMENT_H
#define LIMN_SEGMENT_H

#include "limn/train.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Classes are 0 .. LIMN_MAX_CLASSES - 1; what nobody judges is LIMN_IGNORED: it belongs to no class, neither in the truth
 * nor in what was found, and counts nowhere. */
enum { LIMN_MAX_CLASSES = 255, LIMN_IGNORED = 255 };

/* ---- values in memory ------------------------------------------------------------------------------------------------- */

/** What becomes 0 and 1 to the network, as it was trained. */
LIMN_API limn_range limn_segmentation_range(const limn_segmentation *segmentation);
/** limn_segment() of values in 0..1, which may be finer than bytes: a slice of a volume.   c channels of the picture, K
 *  classes
 *  @param values       [H,W,c]
 *  @param classes      [H,W]
 *  @param probability  [H,W,K], or NULL */
LIMN_API limn_status limn_segment_values(limn_segmentation *segmentation, int width, int height, int channels,
                                         const float *values, uint8_t *classes, float *probability);

/* ---- how good a segmentation is --------------------------------------------------------------------------------------- */

typedef struct limn_label_pair {
    uint32_t width, height;            /* as pictures may have them */
    int n_classes;                     /* 1..LIMN_MAX_CLASSES */
    const uint8_t *truth, *prediction; /* [H,W]: 0 .. n_classes - 1, truth also LIMN_IGNORED; borrowed */
} limn_label_pair;

/* Numbers gathered over pictures; slices of a volume are pictures.  Dice, IoU and pixel error are of all pixels of all
 * pictures together; the others are means over pictures, Hausdorff distances in pixels, of those where a class is both in
 * the truth and predicted. */
typedef struct limn_report limn_report;

/* NaN: there is nothing to say. */
typedef struct limn_report_scores {
    int64_t pictures;
    uint64_t pixels;                                                /* with a class */
    double pixel_error;                                             /* share that got another class than their truth */
    double dice, iou, hausdorff95;                                  /* means over classes that appear */
    double foreground_dice, foreground_iou, foreground_hausdorff95; /* the same without class 0 */
    /* Of membranes, where one class is cell and the rest membrane: Rand error and its parts (Arganda-Carreras et al. 2015),
     * warping error (Jain et al. 2010). */
    double rand, precision, recall, warping;
    double best_rand, best_threshold; /* least mean Rand error at one threshold of the probability */
    double thinned, best_thinned, best_thinned_threshold;           /* 1 - V^Rand after thinning at 1/2, its least */
    double best_pixel_error, best_pixel_threshold;                  /* of two classes */
} limn_report_scores;

typedef struct limn_class_scores {
    const char *name;                 /* borrowed; NULL: it has none */
    uint64_t truth, predicted, both;  /* pixels */
    double dice;                      /* 2 both / (truth + predicted) */
    double iou;                       /* both / (truth + predicted - both) */
    double hausdorff95;               /* mean of so many pictures: */
    int64_t hausdorff95_pictures;
} limn_class_scores;

/** An empty report.
 *  @param names  [n_classes], the caller's, which live as long as the report; or NULL
 *  @param cell   the class that is cell, for Rand and warping errors; -1: no such errors
 *  @return LIMN_OK: free *out with limn_report_free(); LIMN_BAD_ARGUMENT: n_classes is not 1..LIMN_MAX_CLASSES, cell is not
 *          -1..n_classes - 1; LIMN_NO_MEMORY */
LIMN_API limn_status limn_report_new(limn_ctx *ctx, int n_classes, const char *const *names, int cell, limn_report **out);
LIMN_API void limn_report_free(limn_report *report); /* NULL is allowed */
/** Add a picture.  @param p_cell  [H,W] probability of `cell`, or NULL: no scan of thresholds; not read where cell is -1
 *  @return LIMN_OK; LIMN_BAD_ARGUMENT: a size that no picture has, values that are no classes, maps of another n_classes;
 *          LIMN_NO_MEMORY.  On failure the report is unchanged. */
LIMN_API limn_status limn_report_add(limn_ctx *ctx, limn_report *report, const limn_label_pair *maps, const float *p_cell);
/** Add a mask and its truth from files, slice by slice: pictures, TIFF or NIfTI.
 *  @param values  of both, as limn_segment_files_options.values
 *  @return LIMN_OK; LIMN_BAD_FILE: damaged, two sizes, or a value that is no class; LIMN_BAD_ARGUMENT: values;
 *          LIMN_NOT_FOUND; LIMN_NO_MEMORY.  On failure the report is unchanged. */
LIMN_API limn_status limn_report_add_files(limn_ctx *ctx, limn_report *report, const char *mask, const char *truth,
                                           const char *values);
LIMN_API limn_report_scores limn_report_score(const limn_report *report);
/** Of class k, 0 .. n_classes - 1. */
LIMN_API limn_class_scores limn_report_class(const limn_report *report, int k);
/** A table of classes, the errors, and what looks like a failure; a class that is nowhere is "absent".  @return the
 *  caller's, limn_free(); NULL: out of memory */
LIMN_API char *limn_report_text(const limn_report *report);
/** {pictures, pixels, pixel_error, mean {dice, iou, hausdorff95}, foreground_mean {..}, classes [{name, truth, predicted,
 *  both, dice, iou, hausdorff95, hausdorff95_pictures}], membrane {rand_error, rand_precision, rand_recall, best_rand_error,
 *  best_threshold, thinned_rand_error, best_thinned_rand_error, best_thinned_threshold, best_pixel_error,
 *  best_pixel_threshold, warping_error}}; null where a number is NaN.
 *  @return the caller's, limn_free(); NULL: out of memory */
LIMN_API char *limn_report_json(const limn_report *report);

/** Picture | truth | prediction side by side, 4 white pixels between.  Classes above 0 lie over the picture in greens and
 *  blues. In the prediction errors are red (class 0 taken for another), orange (another taken for class 0) and yellow (other
 *  classes mixed up); what is ignored is grey.  Where the panels together would be larger than a picture may be, every
 *  second, third .. pixel of a side is drawn.
 *
 *  @param image       1 to 4 channels; its size is the size of the maps
 *  @param truth       [H,W], or NULL: picture | prediction, without errors
 *  @param out         RGB; on LIMN_OK the caller's (limn_image_free()), else empty
 *  @return LIMN_OK; LIMN_NO_MEMORY */
LIMN_API limn_status limn_report_picture(limn_ctx *ctx, const limn_image *image, const uint8_t *truth,
                                         const uint8_t *prediction, limn_image *out);

/* ---- files ------------------------------------------------------------------------------------------------------------ */

/* A picture or volume and what became of it; all borrowed, during the call that tells of it. */
typedef struct limn_segmented {
    const char *path;
    int width, height, slices;
    const uint8_t *classes;    /* [S,H,W] */
    const uint8_t *truth;      /* [S,H,W], also LIMN_IGNORED; NULL: no truth was named, as report */
    const float *probability;  /* [S,H,W] of one class; NULL: neither a map nor a class was named */
    const limn_report *report; /* of this one alone */
} limn_segmented;

/* Texts are borrowed until limn_segment_files() returns; NULL, 0 and false stand for "none" where nothing else is said. */
typedef struct limn_segment_files_options {
    const char *const *pictures;   /* [n_pictures] files (PNG, JPEG, WebP, TIFF, NIfTI) and folders of them; a case of
                                      several channels is named by its first file, CASE_0000.nii.gz */
    int n_pictures;
    /* Where results go; of several pictures, or of a folder, folders, made when missing.  The mask: .png; .tif: all slices;
     * .nii, .nii.gz: in the place of the volume it was made from.  The map: how probable one class is, gray, in NIfTI the
     * probability itself.  The overlay: limn_report_picture(), of a volume the slice in the middle. */
    const char *mask, *probability, *overlay;
    const char *probability_class; /* a name in training or a number; NULL: class 1 */
    bool wide;                     /* 16 bits for the map, else 8 */
    const char *truth;             /* a mask; of several pictures a folder with masks of the same names */
    const char *cell;              /* with truth: the class that is cell, for Rand and warping errors */
    const char *values;            /* of each class in masks and truths: "0,255"; behind a semicolon those to ignore in a
                                      truth; "half": more than half of white is class 1.  NULL: 0 and 255 for two classes,
                                      else and in NIfTI 0, 1, 2 ..; truths as their values show it */
    const limn_range *range;       /* of the pictures' values; NULL: as the network was trained */
    void (*written)(void *user, const char *path);                /* after each file */
    void (*segmented)(void *user, const limn_segmented *picture); /* after each picture, its files are written */
    void *user;
} limn_segment_files_options;

/** Everything 0 or NULL. */
LIMN_API limn_segment_files_options limn_segment_files_defaults(void);

/**
 * Segment files.  Before the first picture is worked on all are looked for, with their truths, and every place that a result
 * goes to: none is a file that the job reads, and no two are one.  Truths are read and judged together: what their values
 * were taken for is told to the log, as is what became 0 and 1 of each picture.  Each file is written atomically.
 *
 * @param report  NULL, or where the numbers of all pictures together go: the caller's, limn_report_free() before the
 *                segmentation, whose names it borrows; NULL without a truth or on failure
 * @return LIMN_OK; LIMN_BAD_ARGUMENT and LIMN_NOT_FOUND name the option; LIMN_BAD_FILE: a file that is damaged, of another
 *         size than its truth, or whose values are no classes; LIMN_NO_MEMORY, said before it is taken; LIMN_IO;
 *         LIMN_CANCELLED by limn_ctx_cancel() or the progress callback, which is told of "tile", of "slice" in a volume and
 *         of "picture" where there are several: what was written stays
 */
LIMN_API limn_status limn_segment_files(limn_segmentation *segmentation, const limn_segment_files_options *options,
                                        limn_report **report);

#ifdef __cplusplus
}
#endif
#endif
