/* mask_parts.h: the parts of masks.c: mask_files.c finds the files, mask_values.c makes classes of values, mask_guess.c
 * finds out what values mean. */
#ifndef LIMN_MASK_PARTS_H
#define LIMN_MASK_PARTS_H

#include "data/masks.h"

enum { LIMN_MASK_VALUES = 65536 };

typedef struct limn_mask_row {
    const char *name;   /* without folder and ending, composed */
    const char *image;  /* path; of nnU-Net's cases that of channel 0 */
    const char *mask;
    int width, height, slices;
    int64_t first;      /* of its slices among all */
    uint8_t *bytes;     /* [S,H,W,channels], 255 is 1; or */
    uint16_t *wide;     /* 65535 is 1; both NULL where it is not kept */
    uint8_t *labels;    /* [S,H,W]: places in limn_masks.value, then classes; NULL where it is not kept */
    uint32_t *count;    /* [256]: pixels of each value, by the value's place */
    const char *type;   /* that the picture's values are stored in; see limn_raster */
    bool holds_bytes;   /* 0 .. 255, in all channels */
    size_t size;        /* bytes of values and labels, kept or not */
    limn_near_labels near;
    size_t n_soft;      /* see limn_label_map */
    bool faint;
} limn_mask_row;

struct limn_masks {
    limn_arena *arena;              /* strings */
    limn_mask_row *row;
    int64_t n, capacity, slices;
    int channels, classes;
    limn_range range;
    bool per_channel;               /* nnU-Net: a file a channel */
    const char *class_name[256];    /* NULL: its value */
    int16_t value_class[LIMN_MASK_VALUES]; /* class of a value of the masks, LIMN_IGNORED, or -1: none */
    int class_value[256];
    int16_t place[LIMN_MASK_VALUES];       /* of a value in `value`, or -1: no mask has it */
    int value[256], n_values;              /* values that masks have, as they were met */
    bool named;                     /* values are known: from dataset.json or the option */
    bool halved;                    /* the option is "half" */
    int64_t pixels[256];            /* of each class, LIMN_IGNORED; in this part */
    bool kept;                      /* all lie in memory */
    size_t bytes;                   /* of all, in memory or not */
};

/** Rows of a folder in the order of their names, digits by value; dataset.json's classes. */
limn_status limn_mask_files(limn_ctx *ctx, const char *folder, limn_masks *masks);
/** Classes from an option like "0,255", "0,1,2;255" or "half". */
limn_status limn_mask_values_parse(limn_ctx *ctx, const char *text, limn_masks *masks);
/* A mask as it is in its file. */
typedef struct limn_label_map {
    limn_raster file; /* without values */
    int width, height, slices;
    uint16_t *value;  /* [S,H,W], owned */
    limn_near_labels near;
    size_t n_soft;    /* halved: pixels that were neither black nor white */
    int most;         /* halved: the greatest value there was */
    bool faint;       /* halved: there was something, and nothing of it reached half */
} limn_label_map;
/** One value a pixel, or the sentence why it has none.  @return LIMN_OK: free out->value; else it is NULL */
limn_status limn_mask_read(limn_ctx *ctx, const char *path, limn_label_map *out);
/** Soft edges made hard: what is more than half of white becomes 255, the rest 0.
 *  @return LIMN_BAD_FILE: values of another type than 8 or 16 bits */
limn_status limn_mask_halve(limn_ctx *ctx, const char *path, limn_label_map *mask);
/** A mask [S,H,W] of another size than its picture (what: "picture"): LIMN_BAD_FILE with both; of another place in space: a
 *  warning. */
limn_status limn_mask_fits(limn_ctx *ctx, const char *path, const limn_label_map *mask, const char *what,
                           const char *picture_path, const limn_raster *picture);
/** Values that were not met before get a place. */
limn_status limn_mask_places(limn_ctx *ctx, limn_masks *masks, const char *path, const limn_label_map *mask);
/** Values to places.  out [S,H,W] */
limn_status limn_mask_labels(limn_ctx *ctx, const limn_masks *masks, const char *path, const limn_label_map *mask,
                             uint8_t *out);
/** Which values are which classes (see masks.h), from the counts of all rows; then the labels that are kept.  @param classes
 *  expected, or 0 */
limn_status limn_mask_values_apply(limn_ctx *ctx, limn_masks *masks, int classes);
/** The same where nobody said it: value_class, class_value and classes from the values that all masks hold together.
 *  @return LIMN_BAD_FILE: they mean nothing, or different things in different masks */
limn_status limn_mask_values_guess(limn_ctx *ctx, limn_masks *masks, int classes);
/** In one line how many pixels of how many masks "half" decided. */
void limn_mask_tell_halved(limn_ctx *ctx, const limn_masks *masks);
/** Of a part whose pixels were counted: how much of it each class is, and masks that look as if they meant the opposite of
 *  the others. */
void limn_mask_tell_classes(limn_ctx *ctx, const limn_masks *masks);
/** Labels of one row, places, to classes. */
limn_status limn_mask_classes(limn_ctx *ctx, const limn_masks *masks, limn_mask_row *row);

#endif
