/* net.h: a network ready to run: settings, the source of its weights, their store, and a plan for each shape that was asked
 * for.
 *
 * Generating, segmenting, encoding, and drawing while training hold nets.  A net serves several threads, each with its own
 * context: they share weights and plans, a job has its own activations.  Another batch, size or number of timesteps reads
 * and packs nothing again. */
#ifndef LIMN_NET_H
#define LIMN_NET_H

#include "model/model.h"
#include "weights/source.h"

typedef struct limn_net limn_net;

/* A part of a network that runs in strips: from a stage that is an input (LIMN_NO_STAGE: from its own inputs) to another
 * (the number of stages: to the output), or to what a norm of it sees. */
typedef struct limn_cut_at {
    bool on;
    int begin, end, norm;
    bool own_moments;        /* a part that is run whole: its norms see all */
} limn_cut_at;

/* What is built for one job. */
typedef struct limn_net_shape {
    int batch;
    int n_times; /* timesteps of a job at most; planned for a few more, so that another number of steps has the same plan */
    int height, width;       /* pictures of the network, where their size may vary; 0: the setting "size" */
    int text_length, text_skip; /* as in limn_build */
    bool text_raw, text_pools, vectors;
    uint64_t left_out;
    limn_model_part part;
    limn_precision precision;
    limn_cut_at cut;         /* see strips.h */
} limn_net_shape;

/* A run of a net and its ports.  Begins as {0}. */
typedef struct limn_job {
    limn_net *net;
    struct limn_net_plan *planned;
    limn_run *run;
    const limn_ports *ports;
    const struct limn_cut *cut; /* of the graph, where shape.cut is on */
    limn_net_shape shape;
    int n_times;             /* rows of the table behind ports->timesteps */
    bool loaded;             /* its weights are in the store */
} limn_job;

/** source: the net's from now on, also on failure.  file: that the weights come from, for messages, copied; NULL: they are
 *  in memory only.
 *  @return LIMN_OK: let *out go with limn_net_free(); LIMN_NO_MEMORY */
limn_status limn_net_new(limn_ctx *ctx, const limn_settings *settings, limn_source *source, const char *file,
                         limn_net **out);
/** One more holder. @return net */
limn_net *limn_net_share(limn_net *net);
/** One holder less; with the last one all is freed. NULL is allowed */
void limn_net_free(limn_net *net);

const limn_settings *limn_net_settings(const limn_net *net);
/** Bytes of weights as the store keeps them now. */
size_t limn_net_bytes(const limn_net *net);

/**
 * Be ready for a shape: planned, its weights in the store.  A job of the same shape on as many threads goes on as it is, its
 * inputs kept; any other is ended first.
 *
 * @param limit  bytes that activations may take; 0: what the machine has
 * @return LIMN_OK: *job is the caller's until limn_job_end(); LIMN_NO_MEMORY before anything large is taken; what the source
 * says;
 *         LIMN_CANCELLED.  On failure *job is {0}
 */
limn_status limn_job_begin(limn_ctx *ctx, limn_net *net, const limn_net_shape *shape, size_t limit, limn_job *job);
/** The same without the weights: ports are known, inputs can be written.  limn_job_load() has the weights in the store
 *  before it runs. */
limn_status limn_job_open(limn_ctx *ctx, limn_net *net, const limn_net_shape *shape, size_t limit, limn_job *job);
limn_status limn_job_load(limn_ctx *ctx, limn_job *job);
/** Its activations are free until it goes on: then all inputs are written again. */
void limn_job_release(limn_job *job);
void limn_job_end(limn_job *job);
/** Weights that no job uses are free; the next job reads them again. */
void limn_net_release(limn_net *net);
/** Would one plan serve both? */
bool limn_net_shape_same(const limn_net_shape *a, const limn_net_shape *b);
/** Would limn_job_begin() go on with the job as it is? */
bool limn_job_serves(const limn_ctx *ctx, const limn_job *job, const limn_net *net, const limn_net_shape *shape);
/** An output, checked: see limn_finite_check().  where: "step 3 of 20" */
limn_status limn_job_output(limn_ctx *ctx, const limn_job *job, const limn_node *output, const char *where, float *to);

/* What a job will take, in bytes, and what it reads and gives. */
typedef struct limn_net_size {
    size_t activations, weights;
    limn_shape image, output;   /* image: of rank 0 where the network reads none */
} limn_net_size;
/** Only plan: no weights are read. */
limn_status limn_net_measure(limn_ctx *ctx, limn_net *net, const limn_net_shape *shape, limn_net_size *out);

/** The source changed, perhaps also what types it has: plans and weights go.  @return LIMN_BAD_ARGUMENT: a job of it is
 * under way */
limn_status limn_net_renew(limn_ctx *ctx, limn_net *net);
/** The numbers of the source changed (a network that learns): what the jobs use is made anew.  No run of the net may be
 *  under way. */
limn_status limn_net_refresh(limn_ctx *ctx, limn_job *job);

#endif
