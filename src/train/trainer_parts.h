/* trainer_parts.h: the trainer's state, and its parts: trainer.c is the loop, checkpoint.c saves and goes on, train_log.c
 * tells.  What a network is taught is a task, with a state of its own: task_denoise.c (denoising.h), task_segment.c and
 * task_reconstruct.c. */
#ifndef LIMN_TRAINER_PARTS_H
#define LIMN_TRAINER_PARTS_H

#include "data/data.h"
#include "data/fingerprint.h"
#include "data/loader.h"
#include "data/masks.h"
#include "limn/train.h"
#include "train/objective.h"
#include "train/step_graph.h"
#include "train/tensorboard.h"
#include "net/net.h"
#include "train/outer.h"
#include "train/sum_thread.h"
#include "train/ranks.h"
#include "train/shares.h"
#include "train/weights.h"

typedef struct limn_trainer limn_trainer;
typedef struct limn_run_facts limn_run_facts;

/* The data a network reads and what is done with it.  The loop, the optimizer, checkpoints and logs know tasks by this table
 * only. */
typedef struct limn_task {
    limn_status (*check)(const limn_trainer *t); /* the options */
    limn_status (*open)(limn_trainer *t);                   /* the data; before anything large is allocated */
    limn_status (*start)(limn_trainer *t); /* what is kept, and the data from t->step on; after t->weights is made */
    limn_status (*fill)(
        limn_trainer *t,
        int part); /* limn_stage(): the run's inputs with part 0 .. accumulate - 1 of the batch of step t->step */
    void (*facts)(const limn_trainer *t, limn_run_facts *f);/* what a checkpoint says of it */
    limn_status (*write)(limn_trainer *t);                  /* files of its own in the run folder, once; NULL: none */
    limn_status (*show)(limn_trainer *t); /* how far the EMA weights are, every o->sample_every steps; with score_head after
                                             the last one anyway */
    void (*tell)(const limn_trainer *t, char text[256]);    /* "400 pictures of 64x64x4" */
    size_t (*bytes)(const limn_trainer *t);                 /* of what it shows with */
    void (*close)(limn_trainer *t);
} limn_task;

extern const limn_task limn_task_denoise, limn_task_segment, limn_task_reconstruct;

struct limn_trainer {
    limn_ctx *ctx;
    const limn_train_options *o;
    limn_settings settings; /* of o->network */
    limn_ranks ranks;
    const limn_task *task;
    void *state; /* the task's: its open() makes it, its close() frees it; NULL before */
    limn_data_fingerprint print; /* the task's data */
    limn_step_graph net;
    limn_plan *plan;
    limn_run *run;
    void **staged; /* by id of t->net.g's nodes: inputs of the next execution, 4 bytes an element; NULL: not an input */
    limn_weights weights;
    float *grad;               /* as weights.value */
    float *m, *v, *ema;        /* as weights.value, or this rank's blocks of them */
    float *shown;              /* the EMA as a whole, to draw and to score with: ema, or brought to where grad lies */
    float *earlier[LIMN_TREE_NODES]; /* as weights.value: sums of the gradients of earlier parts of a step (comm/tree.h) */
    int n_earlier;
    limn_outer outer;          /* with o->inner_steps */
    int64_t met;               /* step of the last outer one */
    limn_comm *alone;          /* with o->inner_steps: gradients are this rank's own */
    limn_tree_sums sums;       /* of gradients */
    limn_sum_thread sum_thread;      /* of them with the backward pass: open where there is something to send */
    limn_shares shares;        /* with o->shard_state and several ranks */
    double *losses;            /* [accumulate]: of this rank's parts */
    float *running; /* [ranks, accumulate, n_statistics]: those of the batch's parts, in the order of limn_graph_running();
                       NULL: there are none */
    size_t n_statistics;
    uint8_t *decay;
    int lock;                  /* of the run folder; -1: not taken yet */
    int64_t step;              /* optimizer steps done */
    int64_t begun;             /* before this run */
    bool saved;                /* by this run */
    FILE *csv, *scores;        /* log.csv; held_out.csv: NULL without score_head */
    const char *score_head;    /* the task's, "step,NAME,..\n": what is held out is scored; NULL: nothing is */
    limn_tensorboard *events;
    limn_comm_traffic told;    /* when the last row was logged, in this step: */
    int64_t told_at;
};

/** Whether moments and EMA are: then all ranks save and show together, rank 0 with the others' help. */
static inline bool limn_trainer_divided(const limn_trainer *t)
{
    return t->o->shard_state && t->ranks.comm->size > 1;
}

/** Rank 0 draws, scores, logs and saves. */
static inline bool limn_trainer_leads(const limn_trainer *t)
{
    return t->ranks.comm->rank == 0;
}

/** Of one optimizer step: parts of o->batch pictures each, over all ranks, and pictures. */
static inline int limn_trainer_parts(const limn_trainer *t)
{
    return t->o->accumulate * t->ranks.comm->size;
}

static inline int64_t limn_trainer_pictures(const limn_trainer *t)
{
    return (int64_t)t->o->batch * limn_trainer_parts(t);
}

/** Ranks whose pictures batch norm sees together. */
static inline int limn_trainer_norm_ranks(const limn_trainer *t)
{
    return t->o->sync_norm ? t->ranks.comm->size : 1;
}

/* What a checkpoint holds of every weight. */
typedef struct limn_trainer_state {
    const char *prefix; /* of its tensors' names */
    float *data;        /* as weights.value, all but the first divided with o->shard_state */
} limn_trainer_state;
enum { LIMN_TRAINER_STATES = 5 };

/** @return how many there are: 4, with o->inner_steps 5 */
static inline int limn_trainer_states(const limn_trainer *t, limn_trainer_state out[LIMN_TRAINER_STATES])
{
    const limn_trainer_state all[LIMN_TRAINER_STATES] = {
        {"", t->weights.value}, {"adam_m/", t->m}, {"adam_v/", t->v}, {"ema/", t->ema}, {"outer/", t->outer.momentum}};
    for (int i = 0; i < LIMN_TRAINER_STATES; i++) out[i] = all[i];
    return t->o->inner_steps ? LIMN_TRAINER_STATES : LIMN_TRAINER_STATES - 1;
}

/** Which of all parts this rank's part 0 .. accumulate - 1 is. */
static inline int limn_trainer_part(const limn_trainer *t, int part)
{
    return t->ranks.comm->rank * t->o->accumulate + part;
}

/** Number, since the start of training, of the first sample of this rank's part of the step. */
static inline uint64_t limn_trainer_sample(const limn_trainer *t, int part)
{
    return (uint64_t)t->step * (uint64_t)limn_trainer_pictures(t) +
           (uint64_t)limn_trainer_part(t, part) * (uint64_t)t->o->batch;
}

/** This rank's samples from t->step on. */
static inline limn_loader_options limn_trainer_loader(const limn_trainer *t)
{
    return (limn_loader_options){.seed = t->o->seed,
                                 .first = limn_trainer_sample(t, 0),
                                 .run = (uint64_t)t->o->batch * (uint64_t)t->o->accumulate,
                                 .stride = (uint64_t)limn_trainer_pictures(t),
                                 .batch = t->o->batch,
                                 .n_threads = t->ctx->n_threads};
}

/** Where a task fills in an input of the step graph; NULL where nothing depends on it.  limn_stage_write(): all of them, to
 *  the run. */
void *limn_stage(limn_trainer *t, const limn_node *node);
limn_status limn_stage_write(limn_trainer *t);
limn_status limn_stage_new(limn_trainer *t); /* after t->plan; not staged: 0 in every element */
void limn_stage_free(limn_trainer *t);

/** One fact a checkpoint holds; fixed: the option that made it, which must not change on the way; NULL: told only. */
void limn_facts_add(limn_run_facts *f, const char *key, const char *fixed, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/** The same for the name of a class, one line more (limn_class_name_write()). */
void limn_facts_add_line(limn_run_facts *f, const char *key, const char *fixed, const char *line);

/** All ranks were started alike: the first difference is named, by the first rank that has one.  After t->task->open(),
 *  before anything is sent whose size hangs on an option.  @return the same on all; LIMN_BAD_ARGUMENT */
limn_status limn_trainer_agree(limn_trainer *t);

/** Nothing that a new run reads is written over: --init, files of the data, the data by its samples.
 *  @return LIMN_BAD_ARGUMENT */
limn_status limn_run_files_check(limn_ctx *ctx, const limn_train_options *o);
/** OUT/checkpoint.safetensors and OUT/model.safetensors, each replaced whole or not at all; with the first save of a new run
 *  the checkpoint of an older one becomes OUT/checkpoint.old.safetensors, unless the one of that name has more steps.
 *  By rank 0; where states are divided, on every rank. */
limn_status limn_trainer_save(limn_trainer *t);
/** A new run, and the checkpoint of an older one in its folder. */
bool limn_trainer_has_older(const limn_trainer *t);
/** Go on from OUT/checkpoint.safetensors.  @return LIMN_NOT_FOUND; LIMN_BAD_FILE; LIMN_BAD_ARGUMENT names an option that was
 *  another */
limn_status limn_trainer_resume(limn_trainer *t);
/** Where states are divided that reads the weights alone; this another of them, as long as all weights. */
limn_status limn_trainer_resume_state(limn_trainer *t, const limn_trainer_state *state, float *whole);
/** Start from the network's weights in a file (options->init). */
limn_status limn_trainer_init(limn_trainer *t);

/** One line to the log: network, parameters, data, planned memory, precision and why. */
void limn_trainer_tell(const limn_trainer *t);
/** Bytes the plans and the state need, beside the pictures. */
size_t limn_trainer_bytes(const limn_trainer *t);
/** Open OUT/log.csv (resumed: rows after t->step are dropped; else that of an older run becomes log.old.csv), with
 *  t->score_head held_out.csv likewise, and the events. */
limn_status limn_trainer_log_open(limn_trainer *t);
void limn_trainer_log_row(limn_trainer *t, double loss, double lr, double norm, double images_per_second);
/** A row of held_out.csv and of the events; NaN: nothing to say.  score [n]: as t->score_head names them */
void limn_trainer_log_scores(limn_trainer *t, int n, const double *score);
/** A picture as OUT/samples/step-NNNNNN.png and in the events. */
limn_status limn_trainer_log_picture(limn_trainer *t, const limn_image *picture);
void limn_trainer_log_close(limn_trainer *t);


#endif
