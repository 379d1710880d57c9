/* segment_job.h: limn_segment_files() between its files: what was asked for, where results of a picture go, writing them. */
#ifndef LIMN_SEGMENT_JOB_H
#define LIMN_SEGMENT_JOB_H

#include "data/listing.h"
#include "data/stems.h"
#include "pipeline/segment.h"

enum { LIMN_SEGMENT_PATH = 1200 };

typedef struct limn_segment_job {
    limn_ctx *ctx;
    limn_segmentation *segmentation;
    limn_segmentation_info info;
    const limn_segment_files_options *o;
    limn_names pictures;     /* a folder's one by one */
    bool many;               /* results go to folders */
    int kept_class, cell;    /* of the probability map; of --cell, -1: none */
    limn_report *report;     /* of all pictures; NULL: no truth */
    limn_names truth_names;  /* where --truth is a folder: its pictures, and those by their stems */
    limn_stems truths;
} limn_segment_job;

/* One picture and what became of it. */
typedef struct limn_segment_result {
    const char *path;
    limn_raster raster;      /* in 0..1 */
    uint8_t *classes, *truth;/* [S,H,W] */
    float *probability, *cell;
    limn_report *report;     /* of this one alone */
} limn_segment_result;

/** What the options name, a folder's pictures one by one, as job->pictures; after job->info is known.  Sets job->many.
 *  @return LIMN_NOT_FOUND: a folder without pictures; LIMN_BAD_ARGUMENT, LIMN_IO, LIMN_NO_MEMORY */
limn_status limn_segment_pictures(limn_segment_job *job);
/** Every picture and its truth are there; every place that a result of one of them goes to: endings, folders (made for
 *  several pictures), no file twice, none over what the job reads.  @return LIMN_BAD_ARGUMENT, LIMN_NOT_FOUND, LIMN_IO
 *  naming the flag */
limn_status limn_segment_paths_check(const limn_segment_job *job);
/** The name of a picture without folder; n: bytes before its ending. */
const char *limn_segment_stem(const char *path, int *n);
/** Of masks and probabilities in a folder. */
const char *limn_segment_ending(limn_raster_kind kind, bool slices);

/** What --truth names: a mask, or a folder, whose masks are listed.  Freed by limn_segment_truths_close() in any case. */
limn_status limn_segment_truths_open(limn_segment_job *job);
void limn_segment_truths_close(limn_segment_job *job);
/** The mask that belongs to a picture: --truth itself, or the file of the picture's name in it, which must be one.
 *  out: LIMN_SEGMENT_PATH bytes */
limn_status limn_segment_truth_path(const limn_segment_job *job, const char *picture, char *out);
/** Before any work: all truths are masks of classes; what their values were taken for together is said.
 *  @return LIMN_BAD_FILE also where they mean different things */
limn_status limn_segment_truths_check(const limn_segment_job *job);
/** The truth of a picture that was read. */
limn_status limn_segment_truth_read(const limn_segment_job *job, limn_segment_result *result);

/** Add its slices, each a picture.  truth classes p_cell [S,H,W]; p_cell may be NULL */
limn_status limn_segment_add(limn_ctx *ctx, limn_report *report, const limn_raster *size, const uint8_t *truth,
                             const uint8_t *classes, const float *p_cell);

/** The files that were named can hold the results of a picture that was read: slices, a volume's place. */
limn_status limn_segment_targets_check(const limn_segment_job *job, const limn_segment_result *result);
/** Mask, probability, overlay: those that were asked for, each atomically. */
limn_status limn_segment_write(const limn_segment_job *job, const limn_segment_result *result);

#endif
