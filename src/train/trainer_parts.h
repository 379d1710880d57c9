/* trainer_parts.h: the trainer's state, and its parts: batch.c fills a batch, checkpoint.c saves and goes on, train_log.c tells,
 * samples.c draws; trainer.c is the loop. */
#ifndef LIMN_TRAINER_PARTS_H
#define LIMN_TRAINER_PARTS_H

#include "text/clip_bpe.h"
#include "train/loader.h"
#include "train/step_graph.h"
#include "train/tensorboard.h"
#include "train/trainer.h"
#include "train/weights.h"

typedef struct limn_samples limn_samples;

/* A row of the plan's batch. */
typedef struct limn_batch_row {
    uint64_t sample;  /* number since the start of training: all random numbers come from it */
    bool dropped;     /* its caption or label is hidden: Ho & Salimans 2022 */
    const char *caption; /* "" when dropped */
    int32_t label;       /* the number of classes, "none", when dropped or unknown */
} limn_batch_row;

typedef struct limn_trainer {
    limn_ctx *ctx;
    const limn_train_options *o;
    limn_dataset *data;
    limn_loader *loader;
    limn_clip_bpe *bpe;
    limn_schedule *schedule;
    limn_step_graph net;
    limn_plan *plan;
    limn_batch_row *rows;      /* [batch] */
    int64_t *shown;            /* [batch]: pictures of the data */
    limn_weights weights;
    float *grad, *m, *v, *ema; /* as weights.value */
    float *sum;                /* as weights.value: gradients of earlier parts of a batch; NULL without accumulation */
    uint8_t *decay;
    int lock;                  /* of the run folder; -1: not taken yet */
    int64_t step;              /* optimizer steps done */
    FILE *csv;
    limn_tensorboard *events;
    limn_samples *samples;     /* NULL: none wanted */
} limn_trainer;

/** Pictures of one optimizer step. */
static inline int64_t limn_trainer_pictures(const limn_trainer *t)
{
    return (int64_t)t->o->batch * t->o->accumulate;
}

/** Fill the plan's inputs with part 0 .. accumulate - 1 of the batch of step t->step. */
limn_status limn_trainer_fill(limn_trainer *t, int part);

/** OUT/checkpoint.safetensors and OUT/model.safetensors, each replaced whole or not at all. */
limn_status limn_trainer_save(limn_trainer *t);
/** Go on from OUT/checkpoint.safetensors.  @return LIMN_NOT_FOUND; LIMN_BAD_FILE; LIMN_BAD_ARGUMENT names an option that was another */
limn_status limn_trainer_resume(limn_trainer *t);
/** Start from the network's weights in a file (options->init). */
limn_status limn_trainer_init(limn_trainer *t);

/** One line to the log: network, parameters, data, planned memory, precision and why. */
void limn_trainer_tell(const limn_trainer *t);
/** Bytes the plans and the state need, beside the pictures. */
size_t limn_trainer_bytes(const limn_trainer *t);
/** Open OUT/log.csv (resumed: rows after t->step are dropped) and the events. */
limn_status limn_trainer_log_open(limn_trainer *t);
void limn_trainer_log_row(limn_trainer *t, double loss, double lr, double norm, double images_per_second);
void limn_trainer_log_close(limn_trainer *t);

/** Plan a grid of samples of t->ema; the plan takes its memory with the first grid and keeps it. */
limn_status limn_samples_new(limn_trainer *t, limn_samples **out);
void limn_samples_free(limn_samples *s); /* NULL is allowed */
size_t limn_samples_bytes(const limn_samples *s);
/** OUT/samples/step-NNNNNN.png, and the same picture into the events. */
limn_status limn_samples_draw(limn_trainer *t, limn_samples *s);

#endif
