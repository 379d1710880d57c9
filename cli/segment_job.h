/* segment_job.h: limn segment between its files: what was asked for, where results of a picture go, writing them. */
#ifndef LIMN_CLI_SEGMENT_JOB_H
#define LIMN_CLI_SEGMENT_JOB_H

#include "pipeline/segment.h"
#include "data/listing.h"
#include "data/stems.h"

enum { SEGMENT_PATH = 1200 };

typedef struct segment_job {
    limn_ctx *ctx;
    limn_segmentation *segmentation;
    limn_segmentation_info info;
    const char *output, *probability, *overlay, *truth; /* as typed, NULL where not asked for; of several pictures folders */
    const char *values;
    const char *class_word, *cell_word; /* as typed: a name in training or a number */
    int kept_class, cell;    /* of the probability map; of --cell, -1: none */
    bool wide;               /* probabilities of 16 bits */
    bool many, quiet, json;
    bool ranged;             /* --range was given; else the model's */
    limn_range range;        /* kind, and GIVEN's numbers */
    limn_report *report;     /* of all pictures; NULL: no truth */
    json_t *each;            /* with --json: of each, in their order */
    limn_names truth_names;  /* where --truth is a folder: its pictures, and those by their stems */
    limn_stems truths;
} segment_job;

/* One picture and what became of it. */
typedef struct segment_result {
    const char *path;
    limn_raster raster;      /* in 0..1 */
    uint8_t *classes, *truth;/* [S,H,W] */
    float *probability, *cell;
} segment_result;

/** What the words name, a folder's pictures one by one; after job->info is known.  Sets job->many: results go to folders.
 *  The caller frees out.
 *  @return LIMN_NOT_FOUND: a folder without pictures; LIMN_BAD_ARGUMENT, LIMN_IO, LIMN_NO_MEMORY */
limn_status segment_pictures(segment_job *job, int n, const char *const *words, limn_names *out);
/** Every picture and its truth are there; every place that a result of one of them goes to: endings, folders (made for
 *  several pictures), no file twice, none over what the job reads.  @return LIMN_BAD_ARGUMENT, LIMN_NOT_FOUND, LIMN_IO
 *  naming the flag */
limn_status segment_paths_check(const segment_job *job, size_t n, char *const *pictures);
/** The name of a picture without folder; n: bytes before its ending. */
const char *segment_stem(const char *path, int *n);

/** Of masks and probabilities in a folder. */
const char *segment_ending(limn_raster_kind kind, bool slices);

/** What --truth names: a mask, or a folder, whose masks are listed.  Freed by segment_truths_close() in any case. */
limn_status segment_truths_open(segment_job *job);
void segment_truths_close(segment_job *job);
/** The mask that belongs to a picture: --truth itself, or the file of the picture's name in it, which must be one.
 *  out: SEGMENT_PATH bytes */
limn_status segment_truth_path(const segment_job *job, const char *picture, char *out);
/** Before any work: all truths are masks of classes; what their values were taken for together is said.
 *  @return LIMN_BAD_FILE also where they mean different things */
limn_status segment_truths_check(const segment_job *job, size_t n, char *const *pictures);
/** The truth of a picture that was read. */
limn_status segment_truth_read(const segment_job *job, segment_result *result);

/** The files that were named can hold the results of a picture that was read: slices, a volume's place. */
limn_status segment_targets_check(const segment_job *job, const segment_result *result);
/** What --values says, or the network's classes; the caller frees *out, NULL on failure.  black_white: see
 *  limn_class_values_parse() */
limn_status segment_values(const segment_job *job, bool black_white, limn_class_values **out);
/** Mask, probability, overlay: those that were asked for, each atomically; their names go to stdout. */
limn_status segment_write(const segment_job *job, const segment_result *result);

#endif
