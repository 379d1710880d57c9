/* masks.h: pictures with a class for every pixel.
 *
 *   FOLDER/images/a.png  FOLDER/masks/a.png     the same name without its ending, composed or decomposed, one file each;
 *   also
 *                                               image/ and label/, images/ and labels/
 *   FOLDER/dataset.json  imagesTr/a_0000.nii.gz  labelsTr/a.nii.gz   nnU-Net's layout, 2 or 1: a file a channel, or all in
 *   _0000 FOLDER/dataset.json  imagesTr/a.nii.gz  labelsTr/a.nii.gz        the Medical Segmentation Decathlon's
 *
 * What raster.h reads: pictures of 8 and 16 bits, TIFF, NIfTI.  A volume, or the pages of a TIFF, is learned slice by slice,
 * and is held out as a whole. Values of pictures become 0..1 as `range` says, file by file, by one rule for all of them:
 * `limn segment` does the same.  A mask has one whole number 0..65535 a pixel (colours of equal parts count as gray, a PNG's
 * palette by its indices), at most 256 different ones.  Which value is which class: the option `values`; without it
 * dataset.json; without that the values of all masks together: two classes where each mask holds 0 and one of 1, 255 and
 * 65535, else 0 .. K-1 as they are, and 255 ignored beside them; refused where most masks that hold 255 hold no class beside
 * it. "half": soft edges, more than half of white is class 1.  All is read and checked when the folder is opened, and kept
 * when it fits: a byte a value where files hold bytes that are not scaled, else two, and a byte a pixel of the mask. */
#ifndef LIMN_MASKS_H
#define LIMN_MASKS_H

#include "data/augment.h"
#include "data/loader.h"
#include "limn/segment.h"

#include "file/raster.h"

typedef struct limn_masks limn_masks;

typedef struct limn_mask_options {
    const char *folder;
    const char *values;   /* NULL, or values of the masks in the order of the classes: "0,255"; behind a semicolon those to
                           * ignore: "0,1,2;255"; or "half" */
    int classes;          /* 0: as many as found; else values 0 .. classes - 1 when `values` is NULL */
    int channels;         /* of the pictures: 1 or 3; in nnU-Net's layout as many as there are files of a case */
    limn_range range;     /* of the pictures' values */
    int fold, folds; /* part `fold` (from 0) of `folds` is held out; folds 0: none.  Names (volumes, never slices) are dealt
                        out in the order of their hashes */
    const char *hold_out; /* NULL, or names and ranges of names, digits by value: "24..29,case_7", each of one picture or
                             more; not with folds */
    size_t memory;        /* pictures are kept up to this many bytes in all, else read for every sample; 0: half of what is
                             available */
} limn_mask_options;

/** @param held  NULL, or where the part that is held out goes; NULL when there is none.  Freed before *out, whose names it
 *  borrows.
 *  @return LIMN_OK: free with limn_masks_free(); LIMN_NOT_FOUND; LIMN_BAD_ARGUMENT: options, an empty part; LIMN_BAD_FILE: a
 *  picture without
 *          mask, two for one, sizes that differ, values that are no classes, colours, transparency, one class only;
 *          LIMN_NO_MEMORY; LIMN_CANCELLED.
 *          A mask without picture and a class without pixel are told as warnings, the share of each class as information. */
limn_status limn_masks_open(limn_ctx *ctx, const limn_mask_options *options, limn_masks **out, limn_masks **held);
void limn_masks_free(limn_masks *masks); /* NULL is allowed */
/** Slices: a picture is one. */
int64_t limn_masks_count(const limn_masks *masks);
/** Pictures and volumes. */
int64_t limn_masks_cases(const limn_masks *masks);
int limn_masks_classes(const limn_masks *masks);
/** Name of a class: dataset.json's, else the value in the mask.  Borrowed, as all that follows. */
const char *limn_masks_class(const limn_masks *masks, int class);
/** Of the picture or volume of slice i. */
const char *limn_masks_name(const limn_masks *masks, int64_t i);
/** What became 0 and 1: the option, but AUTO as it was decided for all files together: BYTES where all hold bytes, else
 *  PERCENTILES. */
limn_range limn_masks_range(const limn_masks *masks);
/** Slice i as it is in 0..1, kept or not, and its labels [height,width]: classes, LIMN_IGNORED.
 *  @return LIMN_OK: both are the caller's (limn_raster_free(), free()); as a sample of limn_masks_samples(), both empty */
limn_status limn_masks_load(limn_ctx *ctx, const limn_masks *masks, int64_t i, limn_raster *picture, uint8_t **labels);

/* Slices as they are seen at a position: limn_augment_sample(). */
typedef struct limn_mask_crops {
    const limn_masks *masks;
    const limn_augment *augment;
    int width, height;
} limn_mask_crops;

/** For a loader: a sample has two parts, an image [height,width,C] in 0..1 and labels [height,width].  Making one fails with
 *  LIMN_BAD_FILE, LIMN_IO, LIMN_NOT_FOUND when a file that is not kept has changed; LIMN_NO_MEMORY.
 *  @param  crops  outlives the loader */
limn_samples_of limn_masks_samples(limn_mask_crops *crops);

#endif
