/* denoising.h: what the task of a denoiser keeps, and its parts: task_denoise.c opens and closes, batch.c fills its batches,
 * samples.c draws. */
#ifndef LIMN_DENOISING_H
#define LIMN_DENOISING_H

#include "data/loader.h"
#include "text/clip_bpe.h"
#include "train/trainer_parts.h"

typedef struct limn_samples limn_samples;

/* A row of the plan's batch. */
typedef struct limn_batch_row {
    uint64_t sample;  /* number since the start of training: all random numbers come from it */
    bool dropped;     /* its caption or label is hidden: Ho & Salimans 2022 */
    const char *caption; /* "" when dropped */
    int32_t label;       /* the number of classes, "none", when dropped or unknown */
} limn_batch_row;

typedef struct limn_denoising {
    limn_dataset *data;
    limn_loader *loader;
    limn_clip_bpe *bpe;    /* NULL: no text is read */
    limn_schedule *schedule;
    limn_batch_row *rows;  /* [batch] */
    limn_samples *samples; /* NULL: none wanted */
} limn_denoising;

/** limn_task_denoise.fill */
limn_status limn_batch_fill(limn_trainer *t, int part);

/** Plan a grid of samples of t->shown; the plan takes its memory with the first grid and keeps it. */
limn_status limn_samples_new(limn_trainer *t, limn_samples **out);
void limn_samples_free(limn_samples *s); /* NULL is allowed */
size_t limn_samples_bytes(const limn_samples *s);
/** OUT/samples/step-NNNNNN.png, and the same picture into the events. */
limn_status limn_samples_draw(limn_trainer *t, limn_samples *s);

#endif
