/* train.h: train a network from C, as `limn train` does: on pictures with captions or classes, on pictures with masks, on
 * latents, on shapes made on the fly.  A network that learns shapes, and a run folder for limn_pipeline_open():
 *
 *     limn_train_options options = limn_train_defaults();
 *     options.network = "dit size=32 channels=4 patch=4 depth=4 width=128 heads=4";
 *     options.data = "shapes";
 *     options.out = "runs/shapes";
 *     options.steps = 2000;
 *     limn_status status = limn_train(ctx, &options);
 *
 * examples/train.c is the whole program.  Messages name options as the program's flags do: --hold-out is hold_out. */
#ifndef LIMN_TRAIN_H
#define LIMN_TRAIN_H

#include "limn/limn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- what a denoiser learns ------------------------------------------------------------------------------------------
 *
 * x = a x0 + b n: a clean picture x0 and noise n at a timestep t. */

/* How much noise at which timestep.  Variance-preserving: alpha_bar[t] = prod_{s<=t} (1 - beta[s]), a = sqrt(alpha_bar),
 * b = sqrt(1 - alpha_bar).  Flow: a = 1 - sigma, b = sigma. */
typedef enum limn_schedule_kind {
    LIMN_SCHEDULE_LINEAR,        /* beta from start to end                                   Ho et al. 2020, DiT */
    LIMN_SCHEDULE_SCALED_LINEAR, /* sqrt(beta) from sqrt(start) to sqrt(end)                 Stable Diffusion */
    LIMN_SCHEDULE_COSINE, /* "squaredcos_cap_v2": alpha_bar = cos^2, beta <= 0.999    Nichol & Dhariwal 2021, eq. 17 */
    LIMN_SCHEDULE_FLOW,   /* sigma = shift s / (1 + (shift - 1) s), s uniform         Esser et al. 2024 */
    LIMN_N_SCHEDULES,
} limn_schedule_kind;

typedef struct limn_schedule_options {
    limn_schedule_kind kind;
    int n_train;                 /* 1000 */
    double beta_start, beta_end; /* linear, scaled_linear */
    bool zero_snr;               /* alpha_bar of the last timestep is 0: Lin et al. 2024, algorithm 1 */
    double shift;                /* flow; 1: none */
} limn_schedule_options;

/* What the network predicts. */
typedef enum limn_prediction {
    LIMN_PREDICT_EPS,  /* n                                    Ho et al. 2020 */
    LIMN_PREDICT_V,    /* a n - b x0                           Salimans & Ho 2022 */
    LIMN_PREDICT_X0,   /* x0 */
    LIMN_PREDICT_FLOW, /* n - x0; with the flow schedule only  Liu et al. 2022 */
    LIMN_N_PREDICTIONS,
} limn_prediction;

/* How much an error counts. */
typedef enum limn_weighting {
    LIMN_WEIGHT_UNIFORM,  /* the plain mean of squares                     Ho et al. 2020, eq. 14 */
    LIMN_WEIGHT_MIN_SNR,  /* min(SNR, gamma) on the error of x0            Hang et al. 2023 */
    LIMN_WEIGHT_VELOCITY, /* as if the error were one of n - x0; flow only Li & He 2025: x0 as output, velocity as loss */
    LIMN_N_WEIGHTINGS,
} limn_weighting;

typedef struct limn_objective {
    limn_prediction prediction;
    limn_schedule_options schedule;
    limn_weighting weighting;
    double gamma;               /* MIN_SNR; 5 */
    double time_mean, time_std; /* flow: timesteps are 1000 sigmoid(mean + std normal), shifted; std 0: uniform */
} limn_objective;

/** linear, 1000 steps, beta 1e-4 to 0.02, shift 1. */
LIMN_API limn_schedule_options limn_schedule_defaults(void);
/** Rectified flow, velocity predicted, logit-normal (0, 1) timesteps. */
LIMN_API limn_objective limn_objective_flow(void);
/* The words for them; false and *out unchanged for any other. */
/** "linear", "scaled_linear", "squaredcos_cap_v2" or "cosine", "flow" */
LIMN_API bool limn_schedule_find(const char *name, limn_schedule_kind *out);
/** "eps" or "epsilon", "v" or "v_prediction", "x0" or "sample", "flow" */
LIMN_API bool limn_prediction_find(const char *name, limn_prediction *out);
/** "uniform", "min-snr", "velocity" */
LIMN_API bool limn_weighting_find(const char *name, limn_weighting *out);

/* ---- what a segmentation network learns ------------------------------------------------------------------------------ */

typedef enum limn_segment_kind {
    LIMN_SEGMENT_CROSS_ENTROPY, /* -log p[target] */
    LIMN_SEGMENT_BINARY,        /* the same, each logit by itself a yes or no: log(1 + exp(x)) - x t */
    LIMN_SEGMENT_DICE, /* 1 - mean over classes of (2 sum p t + smooth) / (sum p + sum t + smooth)   Milletari et al. 2016 */
    LIMN_SEGMENT_DICE_CE, /* their sum   Isensee et al. 2021 */
    LIMN_SEGMENT_FOCAL,   /* -(1 - p[target])^gamma log p[target]   Lin et al. 2017 */
    LIMN_N_SEGMENT_KINDS,
} limn_segment_kind;

/* classes = 1 stands for a network with one logit x per pixel: the two classes "not" and "yes" with logits 0 and x,
 * sigmoid(x) = p[yes]. */
typedef struct limn_segment_loss {
    limn_segment_kind kind;
    int classes;          /* channels of the logits; limn_train() takes the network's, whatever stands here */
    const double *weight; /* of each class (two where classes = 1, and in BINARY: no and yes) in cross entropy and FOCAL;
                             NULL: 1.  Dice takes none */
    int n_weights;        /* how many they are */
    double gamma;         /* FOCAL: 2 */
    double smooth;        /* Dice: 1 */
    bool background;      /* Dice counts class 0 as well */
    bool per_sample;      /* Dice of each picture, then their mean; else sums go over the batch */
    double dice, entropy; /* DICE_CE: weights of the terms: 1, 1 */
} limn_segment_loss;

/** CROSS_ENTROPY with every number above as it stands there. */
LIMN_API limn_segment_loss limn_segment_loss_defaults(int classes);
/** "ce", "bce", "dice", "dice-ce", "focal"; false and *out unchanged for any other word. */
LIMN_API bool limn_segment_kind_find(const char *name, limn_segment_kind *out);

/* A picture and its mask, cut out, turned, bent and lit another way every time they are seen. */
typedef struct limn_augment {
    bool flip_x, flip_y;  /* mirror half of the samples */
    bool turn;            /* by 0, 90, 180 or 270 degrees; 0 or 180 where width and height differ */
    double rotate;        /* degrees: uniform within +- */
    double scale;         /* larger or smaller by a factor of up to 1 + scale, uniform in its logarithm */
    double elastic;       /* standard deviation, in pixels, of displacements on a coarse grid, between its nodes bicubic
                             (Ronneberger et al. 2015) */
    double elastic_grid;  /* pixels between nodes */
    double brightness;    /* +- of values 0..1 */
    double contrast;      /* around the mean, by a factor of up to 1 + contrast or its inverse */
    double gamma;         /* value^g, g up to 1 + gamma or its inverse */
    double noise;         /* Gaussian, of a standard deviation uniform in 0 .. noise */
} limn_augment;

/** Everything off: a crop at a random place. */
LIMN_API limn_augment limn_augment_none(void);
/** What suits micrographs: all flips and turns, 15 degrees, a factor of 1.15, 10 pixels at every 128th, light by a tenth to
 *  a quarter. */
LIMN_API limn_augment limn_augment_defaults(void);

/* What of a picture's values becomes 0 and 1.  PERCENTILES: 0.5 and 99.5 of all values of the file, the nearest that there
 * are.  AUTO: 0 and 255 where values are stored as bytes, else percentiles.  BYTES, of a network that learned bytes: the
 * same, but 0 and 255 also of bytes that are stored in a wider type. */
typedef enum limn_range_kind {
    LIMN_RANGE_AUTO,
    LIMN_RANGE_MINMAX,
    LIMN_RANGE_GIVEN,
    LIMN_RANGE_PERCENTILES,
    LIMN_RANGE_BYTES
} limn_range_kind;
typedef struct limn_range {
    limn_range_kind kind;
    double low, high;     /* GIVEN, and what was taken */
} limn_range;
/** "auto", "minmax", "percentiles" or "LOW,HIGH" with HIGH above LOW.  @return false: it is none of these, and *out is
 *  AUTO */
LIMN_API bool limn_range_parse(const char *text, limn_range *out);

/* ---- training ------------------------------------------------------------------------------------------------------- */

/* How pictures become squares.  Crops keep proportions: the shorter side becomes the network's, then a square is cut out. */
typedef enum limn_data_resize { LIMN_CROP_RANDOM, LIMN_CROP_CENTRE, LIMN_SQUASH } limn_data_resize;

/* What is told every log_every steps, and after the last. */
typedef struct limn_train_report {
    int64_t step, steps;       /* done; of so many */
    double loss;               /* mean of the steps since the last report */
    double lr, gradient;       /* of the last step: learning rate, norm of the gradient before it is clipped */
    double pictures_a_second;
} limn_train_report;
typedef void (*limn_train_report_fn)(void *user, const limn_train_report *report);

/* Texts and arrays are borrowed until limn_train() returns; NULL, 0 and false stand for "none" where nothing else is said.
 * An option that is for other networks is not looked at. */
typedef struct limn_train_options {
    const char *network;   /* a family or a preset by name, settings behind it: "dit", "dit-s/2 size=16", "unet classes=2" */
    const char *data;      /* folder of the pictures, or "shapes": drawn as they are needed.
                              Denoisers and autoencoders: pictures with metadata.jsonl (file_name, text, label), with a .txt
                              beside each, in folders named by class, or MNIST as published.
                              Segmentation networks: images/ and masks/ of the same names, or nnU-Net's dataset.json */
    bool latents;          /* data is a folder of latents: limn_encode_folder(); size and channels of a network whose text
                              does not set them are theirs */
    int n_shapes;          /* of "shapes"; 0: 4096 */
    const char *out;       /* run folder, made when missing */
    const char *init;      /* weight file to start from; see limn_ctx_set_weights() */
    bool resume;           /* go on from OUT/checkpoint.safetensors, in place of init */

    const char *where;     /* rows of metadata.jsonl whose fields have these values: "split=train,style=noto" */
    const char *caption_field, *label_field; /* of metadata.jsonl; several captions: "text,keywords", or with weights
                                                "text:0.7,keywords:0.3"; NULL: "text", else "caption" or "prompt"; "label" */
    bool no_captions;      /* train a network that reads text though no picture has a caption */
    const char *merges;    /* file of CLIP's tokenizer; NULL: one token a byte */
    limn_data_resize crop;
    bool flip;             /* mirror half of the pictures */

    limn_objective objective; /* denoisers */
    double drop;           /* share of captions replaced by "", of labels by "none": what guidance needs */
    double contrastive;    /* weight of an InfoNCE term between text and picture */
    double kl, differences, adversary; /* autoencoders: weights of the KL term (vae), of the error's differences between
                              neighbours (against grain and seams), and of a patch discriminator */
    int64_t adversary_start;   /* step from which the discriminator counts */

    limn_segment_loss segment; /* segmentation networks, as all of this block */
    limn_augment augment;
    limn_range range;      /* of the pictures' values; the model keeps it for limn_segment() */
    const char *mask_values;   /* which whole numbers in masks are classes 0, 1 ..: "0,255"; behind a semicolon those to
                              ignore; "half": more than half of white is class 1.  NULL: as the masks show it */
    const char *hold_out;  /* names and ranges of names that are not trained on but scored: "24..29,case_7" */
    int fold, folds;       /* or part fold (from 0) of folds */

    int batch, accumulate; /* a step sees batch x accumulate pictures, batch at a time */
    int64_t inner_steps;   /* ranks go so many steps of their own, then one together (DiLoCo): for slow networks.  0: all
                              steps together */
    bool shard_state;      /* ranks divide AdamW's moments and the EMA among them: less memory, the same bits */
    bool sync_norm;        /* batch norm takes its statistics over the pictures of all ranks, those of the same part on each:
                              N ranks with batch b are one with N b, but for rounding */
    bool sums_in_bf16;     /* ranks send half of the bytes, rounded; the result is no longer that of one process */
    int64_t steps, warmup, decay; /* optimizer steps; decay: steps of falling rate at the end, 0: all after the warm-up */
    double lr, weight_decay; /* AdamW */
    double clip;           /* largest norm of a gradient; 0: any */
    double ema;            /* decay of the weights' moving average, which is what OUT/model.safetensors holds */
    double seconds;        /* stop, and save, after this time; 0: never */
    uint64_t seed;
    limn_precision precision;
    const char *freeze;    /* parameters whose names begin so do not learn: "text_encoder.,x_embedder."; NULL: all do */
    const char *recompute; /* parts whose names begin so ("blocks.") are computed again in the backward pass: saves memory */

    int64_t save_every, log_every; /* steps */
    int64_t sample_every;  /* steps; 0: no samples, and what is held out is scored after the last step only */
    const char *sample_prompts; /* "a cat|a dog"; NULL: the first captions or classes of the data */
    limn_train_report_fn report;
    void *user;            /* of report */
} limn_train_options;

/** 1000 steps of 32 pictures, learning rate 5e-4 after 100 steps of warm-up, weight decay 0.01, clip 1, EMA 0.999, drop
 *  0.1, limn_objective_flow(), KL 1e-6, discriminator from step 2000, cross entropy, limn_augment_defaults(), saved every
 *  500 steps, reported every 20, seed 42; everything else 0 or NULL.  network, data and out are the caller's to set. */
LIMN_API limn_train_options limn_train_defaults(void);

/**
 * Train.  Writes OUT/checkpoint.safetensors (all state), OUT/model.safetensors (EMA weights, bf16), OUT/merges.txt.gz,
 * OUT/log.csv, OUT/held_out.csv, OUT/events.out.tfevents.* (TensorBoard), OUT/samples/step-000500.png.  What is trained, and
 * every failed save, is told to the log.  Not resumed, it keeps the checkpoint of an older run as
 * OUT/checkpoint.old.safetensors, its rows as OUT/log.old.csv, of several the one with most steps.
 *
 * Resumed, it makes the bits of a run that never stopped (on as many threads); options that would break this are refused.
 *
 * @return LIMN_OK, also when the time is up; LIMN_BAD_ARGUMENT and LIMN_NOT_FOUND name the option, LIMN_BAD_FILE the file,
 *         before anything is written; LIMN_NO_MEMORY, before the first step; LIMN_DIVERGED with the step, the last good
 *         checkpoint kept; LIMN_CANCELLED by limn_ctx_cancel() or the progress callback, which is told of "picture", "file"
 *         or "mask" while data are read, of "start" when steps begin and of "step" after each, "sample" or "tile" while they
 *         are shown: from the first step on it is saved before it returns, as far as it was; LIMN_IO when three saves in a
 *         row failed */
LIMN_API limn_status limn_train(limn_ctx *ctx, const limn_train_options *options);

/* ---- one training by several processes ------------------------------------------------------------------------------- */

/* A group of processes; this one has a rank in it.  Every one calls the same functions in the same order. */
typedef struct limn_comm limn_comm;

/** Joins the group that a launcher (mpirun) began.  Once in a process.
 *  @param plugin    the file that carries bytes between processes: limn-mpi.so
 *  @param patience  seconds after which a rank that is silent (stopped, cut off) makes this process say so on stderr and
 *                   end all; 0: never
 *  @return LIMN_OK and *out (limn_comm_close(), on every rank, before the ctx is freed); LIMN_NOT_FOUND: the plugin or its
 *          libraries; LIMN_BAD_FILE: another file; LIMN_IO; LIMN_NO_MEMORY.  *out NULL on failure */
LIMN_API limn_status limn_comm_load(limn_ctx *ctx, const char *plugin, double patience, limn_comm **out);
LIMN_API void limn_comm_close(limn_comm *comm); /* NULL is allowed */
LIMN_API int limn_comm_rank(const limn_comm *comm);
LIMN_API int limn_comm_size(const limn_comm *comm);

/** Whether all ranks are well: @return LIMN_OK when all say so; else, on all of them, the status of the first that is not,
 *  with its sentence ("rank 2 of 8: .." on others)
 *  @param mine  of this rank, its sentence in the ctx of the group */
LIMN_API limn_status limn_comm_agree(limn_comm *comm, limn_status mine);

/** limn_train() as one of several ranks, which must have the same options and data (what differs is named before the first
 *  step).  A step sees size x accumulate x batch pictures: 2 ranks with accumulate 4 make the bits of 1 rank with 8.  Rank 0
 *  alone reads checkpoints, reports, saves and draws.  Whatever ends one rank ends all, with the same status.
 *  @param ctx  that of the group */
LIMN_API limn_status limn_train_on(limn_ctx *ctx, const limn_train_options *options, limn_comm *comm);

/* ---- pictures as latents, once, for limn_train_options.latents ------------------------------------------------------- */

typedef struct limn_encode_options {
    const char *folder, *out;    /* as limn_train_options.data, but for "shapes"; made when missing, another folder */
    const char *vae;             /* where the autoencoder was opened: its last name is written into OUT/latents.safetensors,
                                    beside its settings and checksum */
    const char *where;           /* rows of metadata.jsonl, as limn_train_options.where */
    int size;                    /* pictures become size x size, a multiple of limn_autoencoder_info.factor */
    limn_data_resize crop;       /* CENTRE or SQUASH */
    limn_precision precision;
} limn_encode_options;

/** CENTRE; everything else 0 or NULL.  folder, out, vae and size are the caller's to set. */
LIMN_API limn_encode_options limn_encode_defaults(void);

/**
 * OUT/a/b.png.safetensors for every picture a/b.png, OUT/latents.safetensors (how many, their shape, scale and shift for
 * training, the autoencoder), and last OUT/metadata.jsonl: the rows of the folder's own with another file_name, or
 * file_name, text and label where it has none.  A picture that cannot be read is left out with a warning; when more than 3
 * and more than 1 % cannot, it fails.  Progress is told of "picture".
 *
 * @param n  pictures encoded; or NULL
 * @return LIMN_OK; LIMN_BAD_ARGUMENT; LIMN_NOT_FOUND; LIMN_BAD_FILE; LIMN_NO_MEMORY; LIMN_IO; LIMN_CANCELLED.  Until it is
 *         LIMN_OK, OUT has no new metadata.jsonl
 */
LIMN_API limn_status limn_encode_folder(limn_autoencoder *autoencoder, const limn_encode_options *options, int64_t *n);

#ifdef __cplusplus
}
#endif
#endif
