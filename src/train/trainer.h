/* trainer.h: training a denoising network on captioned pictures. */
#ifndef LIMN_TRAINER_H
#define LIMN_TRAINER_H

#include "model/model.h"
#include "train/objective.h"

typedef struct limn_train_options {
    limn_settings settings;
    const char *data, *where;    /* see data.h */
    const char *out;             /* run folder, made when missing */
    const char *merges;          /* tokenizer merges; NULL: one token per byte */
    limn_objective objective;
    int batch;
    int64_t steps, save_every, warmup, decay; /* decay: steps of falling rate at the end; 0: all after the warm-up */
    double lr, weight_decay, clip, ema, drop; /* drop: share of captions replaced by "" */
    double seconds;              /* 0, or stop (and save) after this time */
    bool flip, resume;
    uint64_t seed;
    limn_precision precision;
    const char *recompute;       /* NULL, or a prefix of scopes whose inside is computed again in the backward pass ("blocks.") */
    void (*report)(void *user, int64_t step, int64_t steps, double loss, double lr, double norm, double images_per_second);
    void *user;
} limn_train_options;

limn_train_options limn_train_defaults(void);
/** Train.  Writes OUT/checkpoint.safetensors (all state), OUT/model.safetensors (EMA weights, bf16), OUT/merges.txt.gz, OUT/log.csv.
 *  @return LIMN_OK; LIMN_DIVERGED with the step, the last good checkpoint kept; LIMN_CANCELLED after saving */
limn_status limn_train(limn_ctx *ctx, const limn_train_options *options);

#endif
