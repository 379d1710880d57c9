/* mask_parts.h: the parts of masks.c: mask_files.c finds the files, mask_values.c makes classes of values. */
#ifndef LIMN_MASK_PARTS_H
#define LIMN_MASK_PARTS_H

#include "train/masks.h"

typedef struct limn_mask_row {
    const char *name;   /* without folder and ending */
    const char *image;  /* path; of nnU-Net's cases that of channel 0 */
    const char *mask;
    limn_image picture; /* [H,W,channels]; without pixels where it is not kept */
    uint8_t *labels;    /* [H,W]: values of the mask, then classes; NULL where it is not kept */
    uint32_t *count;    /* [256]: pixels of each value of the mask */
} limn_mask_row;

struct limn_masks {
    limn_arena *arena;              /* strings */
    limn_mask_row *row;
    int64_t n, capacity;
    int channels, classes;
    bool per_channel;               /* nnU-Net: a file a channel */
    const char *class_name[256];    /* NULL: its value */
    int value_class[256];           /* class of a value of the masks, LIMN_IGNORED, or -1: none */
    int class_value[256];
    bool named;                     /* values are known: from dataset.json or the option */
    int64_t pixels[256];            /* of each class, LIMN_IGNORED; in this part */
    bool kept;                      /* all lie in memory */
    size_t bytes;                   /* of all, in memory or not */
};

/** Rows of a folder in the order of their names, digits by value; dataset.json's classes. */
limn_status limn_mask_files(limn_ctx *ctx, const char *folder, limn_masks *masks);
/** Classes from an option like "0,255" or "0,1,2;255". */
limn_status limn_mask_values_parse(limn_ctx *ctx, const char *text, limn_masks *masks);
/** A mask as one value a pixel, or the sentence why it is none. */
limn_status limn_mask_read(limn_ctx *ctx, const limn_mask_row *row, limn_image *out);
/** Which values are which classes (see masks.h), from the counts of all rows; then the labels that are kept.  @param classes  expected, or 0 */
limn_status limn_mask_values_apply(limn_ctx *ctx, limn_masks *masks, int classes);
/** Values of one row to classes. */
limn_status limn_mask_classes(limn_ctx *ctx, const limn_masks *masks, limn_mask_row *row);

#endif
