/* trainer.h: training a network: a denoiser on captioned pictures, a segmentation network on pictures and masks, an
 * autoencoder on pictures. */
#ifndef LIMN_TRAINER_H
#define LIMN_TRAINER_H

#include "model/model.h"
#include "data/data.h"
#include "data/masks.h"
#include "train/objective.h"
#include "train/segment_losses.h"

typedef struct limn_train_options {
    limn_settings settings;
    const char *data, *where, *caption_field, *label_field; /* see data.h */
    limn_data_resize crop;
    bool no_captions;            /* train a network that reads text though no picture has a caption */
    bool latents;                /* data is a folder of latents, made by limn encode */
    int n_shapes;                /* of the built-in shapes; 0: 4096 */
    const char *out;             /* run folder, made when missing */
    const char *merges;          /* tokenizer merges; NULL: one token per byte */
    const char *init;            /* weight file to start from, or NULL */
    limn_objective objective;
    limn_segment_loss segment;   /* segmentation: the loss; classes are the network's */
    limn_augment augment;        /* segmentation: how pictures and masks are varied */
    limn_mask_options
        masks; /* segmentation: values, range, hold_out, fold, folds; the rest follows from the network and `data` */
    double contrastive;          /* weight of the InfoNCE term between text and picture, see losses.h; 0: none */
    double kl, adversary;        /* autoencoders: weights of the KL term and of the discriminator (0: none), see losses.h */
    int64_t adversary_start;     /* step from which the discriminator counts */
    int batch, accumulate;       /* a step sees batch x accumulate pictures, batch at a time */
    int64_t steps, warmup, decay; /* optimizer steps; decay: steps of falling rate at the end, 0: all after the warm-up */
    int64_t save_every, log_every,
        sample_every;            /* sample_every 0: no samples, and what is held out is scored after the last step only */
    const char *sample_prompts;  /* "a|b|c"; NULL: the first captions of the data */
    double lr, weight_decay, clip, ema, drop; /* drop: share of captions replaced by "", of labels by "none" */
    double seconds;              /* 0, or stop (and save) after this time */
    bool flip, resume;
    uint64_t seed;
    limn_precision precision;
    const char *recompute; /* NULL, or a prefix of scopes whose inside is computed again in the backward pass ("blocks.") */
    void (*report)(void *user, int64_t step, int64_t steps, double loss, double lr, double norm, double images_per_second);
    void *user;
} limn_train_options;

limn_train_options limn_train_defaults(void);
/** Train.  Writes OUT/checkpoint.safetensors (all state), OUT/model.safetensors (EMA weights, bf16), OUT/merges.txt.gz,
 *  OUT/log.csv, OUT/held_out.csv, OUT/events.out.tfevents.* (TensorBoard), OUT/samples/step-000500.png.  What is trained,
 *  and every failed save, is told to the log. Not resumed, it keeps the checkpoint of an older run as
 *  OUT/checkpoint.old.safetensors, its rows as OUT/log.old.csv, of several the one with most steps.
 *
 *  Resumed, it makes the bits of a run that never stopped (on as many threads); options that would break this are refused.
 *  @return LIMN_OK; LIMN_BAD_ARGUMENT; LIMN_DIVERGED with the step, the last good checkpoint kept; LIMN_CANCELLED by the
 *          progress callback, which is told of "picture" or "mask" while data are read, of "start" when steps begin and of
 *          "step" after each, "sample" or "tile" while they are shown: from the first step on after saving, never in the
 *          middle of a step; LIMN_IO when three saves in a row failed */
limn_status limn_train(limn_ctx *ctx, const limn_train_options *options);

#endif
