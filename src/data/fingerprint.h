/* fingerprint.h: what data a training reads, in a few short lines: another folder of as many pictures is not taken for the
 * same.  Files are named as they are inside their folder, which may be moved. */
#ifndef LIMN_FINGERPRINT_H
#define LIMN_FINGERPRINT_H

#include "data/data.h"
#include "data/masks.h"

/* Compared as they are; "": nothing to compare. */
typedef struct limn_fingerprint {
    char names[512];    /* "00.png to 05.png, HASH", in their order */
    char bytes[64]; /* "123456 bytes, HASH" of all sizes, and of all bytes of up to 256 MB; beyond that of the first MB of 64
                       files */
} limn_fingerprint;

typedef struct limn_data_fingerprint {
    limn_fingerprint pictures, masks;
    char captions[32], labels[32];
} limn_data_fingerprint;

/** @param folder  what limn_dataset_open() was given.  @return LIMN_OK, also when files are missing; LIMN_CANCELLED by the
 *  progress callback ("file") */
limn_status limn_dataset_fingerprint(limn_ctx *ctx, const limn_dataset *data, const char *folder,
                                     limn_data_fingerprint *out);
/** The same of pictures and masks; held: those that are held out, or NULL. */
limn_status limn_masks_fingerprint(limn_ctx *ctx, const limn_masks *masks, const limn_masks *held, const char *folder,
                                   limn_data_fingerprint *out);

#endif
