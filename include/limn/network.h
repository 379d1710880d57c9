/* network.h: the networks that Limn knows: their names and settings, what they are for, their drawings and what they cost.
 *
 *     limn_network *network = NULL;
 *     limn_status status = limn_network_new(ctx, "mmdit depth=24 attention=joint", &network);
 *     limn_graph *g = status == LIMN_OK ? limn_graph_new(ctx) : NULL;
 *     if (g && limn_network_build(network, g, 1, NULL) == LIMN_OK) {
 *         char *drawing = limn_describe(g, NULL);
 *         ... fputs(drawing, stdout); limn_free(drawing);
 *     }
 *     limn_graph_free(g);
 *     limn_network_free(network);
 *
 * Weights are no part of it: limn.h runs networks, train.h trains them. */
#ifndef LIMN_NETWORK_H
#define LIMN_NETWORK_H

#include "limn/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A network and a value for each of its settings.  Used by one thread at a time, with its context. */
typedef struct limn_network limn_network;

typedef enum limn_family_kind { LIMN_DENOISES, LIMN_SEGMENTS, LIMN_RECONSTRUCTS, LIMN_ENCODES_TEXT } limn_family_kind;

typedef struct limn_network_info {
    limn_family_kind kind;
    const char *family;   /* "dit"; borrowed, as the next five are, until the network's settings change */
    const char *task, *input, *output, *loss; /* for people: "denoise", "image, class" .. */
    const char *settings; /* "dit size=32 channels=4 ...": every setting; limn_network_new() takes it */
    int classes;          /* labels it is told, or classes of pixels; 0: none */
    bool reads_text;      /* a text encoder is part of it */
    bool always_labelled; /* it has no row for "no class" */
    bool distribution;    /* autoencoders: what is encoded is a distribution, which the KL term is for */
} limn_network_info;

typedef enum limn_network_value {
    LIMN_NETWORK_NUMBER, /* a whole one */
    LIMN_NETWORK_REAL,
    LIMN_NETWORK_WORD,   /* one of words */
    LIMN_NETWORK_LIST,   /* whole numbers between commas */
} limn_network_value;

/* A setting.  Texts but `value` are borrowed from the library, for good. */
typedef struct limn_network_setting {
    const char *name, *help;
    limn_network_value kind;
    const char *words;   /* of a choice: "cross|joint|both"; NULL: numbers */
    double min, max;     /* of numbers, of each in a list */
    char value[192];
    bool changed;        /* value is not what the family has without a word about it */
} limn_network_setting;

/** Names, by number from 0: families, then presets, which are families with settings.  @return NULL behind the last */
LIMN_API const char *limn_network_name(int i);

/**
 * @param text  a family or a preset by name, settings behind it: "dit", "dit-s/2 size=64"
 * @param out   on LIMN_OK the caller owns *out and frees it with limn_network_free(); otherwise *out is NULL
 * @return LIMN_OK; LIMN_NOT_FOUND: no such name; LIMN_BAD_ARGUMENT: no such setting or value (both name the nearest there
 *         is); LIMN_NO_MEMORY */
LIMN_API limn_status limn_network_new(limn_ctx *ctx, const char *text, limn_network **out);
/** The network that a weight file holds, or a folder: model.safetensors, a part of diffusers, or of a whole model in its
 *  folder the one that draws.  Its metadata say which it is, or names and shapes.
 *  @param family  NULL, or of several networks in one file the one of this family; of text encoders one with features of
 *                 this width: "clip-text:768"
 *  @return LIMN_OK; LIMN_BAD_ARGUMENT: several and no family, or none of that family; LIMN_NOT_FOUND; LIMN_BAD_FILE;
 *          LIMN_UNSUPPORTED: another network; LIMN_NO_MEMORY */
LIMN_API limn_status limn_network_open(limn_ctx *ctx, const char *source, const char *family, limn_network **out);
LIMN_API void limn_network_free(limn_network *network); /* NULL is allowed */
/** Change settings: "depth=24 attention=joint".  @return LIMN_BAD_ARGUMENT: no such setting or value; those before it are
 *  changed */
LIMN_API limn_status limn_network_set(limn_network *network, const char *settings);

LIMN_API limn_network_info limn_network_describe(const limn_network *network);
/** Setting i, from 0.  @return false: there are not so many, and *out is empty */
LIMN_API bool limn_network_setting_at(const limn_network *network, int i, limn_network_setting *out);

/** Build it into g, as it is trained: for limn_describe(), limn_grad(), a plan.
 *  @param output  NULL, or where the node of its output goes
 *  @return LIMN_OK; LIMN_BAD_ARGUMENT: settings that do not go together; then g is of no use */
LIMN_API limn_status limn_network_build(const limn_network *network, limn_graph *g, int batch, limn_node **output);

typedef struct limn_cost_options {
    int batch;
    int n_steps;              /* inference: sampling steps */
    limn_precision precision;
    const char *recompute;    /* training: limn_plan_options.recompute */
} limn_cost_options;

typedef struct limn_cost {
    limn_precision precision; /* never AUTO */
    double flops;             /* one full run: one step of sampling with its text, or one step of training */
    int n_kernels;
    size_t weight_bytes;
    size_t activation_bytes, scratch_bytes, packed_bytes;
    size_t gradient_bytes;    /* training: one flat buffer */
    size_t optimizer_bytes;   /* training: AdamW's two moments, EMA, which elements decay, and a save's copy in bf16 */
    size_t peak_bytes;        /* the sum */
} limn_cost;

/** What running it takes: planned as limn.h plans it, and never allocated.
 *  @param plan  NULL, or where the plan goes as text (limn_plan_text(); the caller's, limn_free())
 *  @return LIMN_OK; what building and planning say */
LIMN_API limn_status limn_cost_inference(const limn_network *network, const limn_cost_options *options, limn_cost *out,
                                         char **plan);
/** The same for a step of limn_train().  @return LIMN_UNSUPPORTED: the trainer does not take this network */
LIMN_API limn_status limn_cost_training(const limn_network *network, const limn_cost_options *options, limn_cost *out,
                                        char **plan);

/* ---- one training by many processes (limn_train_on()) -----------------------------------------------------------------
 *
 * What a step takes when each of `ranks` processes, on machines of their own, makes the same work:
 *
 *     step = compute + comm - min(hidden x comm, 2/3 compute / accumulate)     efficiency = compute / step
 *     comm = calls x call_seconds + messages x message_seconds + 8 sent_bytes / bits_a_second
 *
 * A gradient goes in pieces.  For each, every rank calls once for each node that it has (comm/tree.h: 1 where accumulate is
 * a power of two) and once for the sum; ranks - 1 messages go out in a call, all at once, of 1 / ranks of the piece.  A last
 * call a step carries losses.  With inner steps H it is the losses alone, and in every H-th step two vectors (weights, EMA),
 * which nothing hides.  docs/scaling.md: how this was checked. */
typedef struct limn_scaling_options {
    int ranks, accumulate;   /* 0: 1 */
    int64_t inner_steps;     /* 0: all steps together */
    bool sums_in_bf16;
    bool shard_state;        /* moments and EMA divided among ranks; not with inner steps */
    double step_seconds;     /* compute: what a step takes on one of these machines alone; 0: unknown */
    double bits_a_second;    /* of each machine's link, either way; 0: any number */
    double call_seconds;     /* latency: from a call on all ranks to what a small message brought */
    double message_seconds;  /* that a machine is busy with one more message, whatever its length */
    double hidden;           /* share of comm under way during the backward pass of the last part, 0 to 1 */
} limn_scaling_options;

typedef struct limn_scaling {
    size_t rank_bytes;       /* that each holds: limn_cost.peak_bytes, sums of parts (log2 of accumulate vectors as long as
                                the weights), pieces under way, with inner steps two vectors more; with shard_state rank 0,
                                the others a share of a vector less */
    double sent_bytes, calls, messages; /* of each in a step; with inner steps the mean */
    double comm_seconds, hidden_seconds;
    double step_seconds, efficiency;    /* 0 where compute is unknown */
} limn_scaling;

/** Links of 10 Gbit/s, 100 us a call, 5 us a message; everything else 0. */
LIMN_API limn_scaling_options limn_scaling_defaults(int ranks);
/** @param training  what limn_cost_training() said of one process
 *  @return LIMN_BAD_ARGUMENT: a number below 0, hidden above 1, ranks above 65536, parts of a step above a million */
LIMN_API limn_status limn_scaling_of(limn_ctx *ctx, const limn_cost *training, const limn_scaling_options *options,
                                     limn_scaling *out);

/** All of it for programs: {network, family, task, loss, settings {..}, batch, inputs [{name, shape, changes_every}],
 *  output, parameters, flops, blocks [{name, note, from, shape, parameters, flops, blocks}], memory {inference {..},
 *  training {..}}}.
 *  @param name  what "network" says
 *  @param out   on LIMN_OK the caller's, limn_free(), else NULL
 *  @return LIMN_OK, also where it cannot be trained (memory.training_refused says why); as limn_cost_inference() */
LIMN_API limn_status limn_network_json(const limn_network *network, const char *name, const limn_cost_options *options,
                                       char **out);

#ifdef __cplusplus
}
#endif
#endif
