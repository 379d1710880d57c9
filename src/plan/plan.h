/* plan.h: the inside of a plan: a list of steps in order, and a list of tensors with their places.  Nothing in it changes
 * after planning. */
#ifndef LIMN_PLAN_H
#define LIMN_PLAN_H

#include "backend/backend.h"
#include "weights/source.h"
#include "weights/store.h"

typedef enum limn_place {
    LIMN_PLACE_SLAB,  /* offset bytes into the slab of a run */
    LIMN_PLACE_BOUND, /* the caller's memory, by limn_run_bind() */
    LIMN_PLACE_ALIAS, /* offset bytes into tensor `of` */
    LIMN_PLACE_STORE, /* a value of the store, by key */
    LIMN_PLACE_MADE,  /* needed only while values of the store are made */
} limn_place;

typedef struct limn_tensor {
    limn_node *node;       /* of the rewritten graph; for packed weights the node that uses them */
    limn_view view;        /* without data */
    limn_place place;
    int of;                /* ALIAS: tensor index */
    size_t offset, bytes;
    int born, dies;        /* steps; dies = INT_MAX: never overwritten */
    limn_rate phase;
    uint64_t depends;      /* on which inputs: a bit each, LIMN_DEPENDS_* for the rest */
    bool packed;
    limn_store_key key;    /* STORE */
} limn_tensor;

/* Bits of `depends`: the first inputs have one each. */
#define LIMN_DEPENDS_BOUND (UINT64_C(1) << 63) /* bound parameters */
#define LIMN_DEPENDS_MORE (UINT64_C(1) << 62)  /* inputs beyond the 61st */
#define LIMN_DEPENDS_NONE (UINT64_C(1) << 61)  /* nothing: made by the first execution */

typedef struct limn_step {
    limn_call call;        /* without data */
    const limn_kernel *kernel;
    int dst, src[LIMN_MAX_SRC]; /* tensors */
    limn_rate phase;
    uint64_t depends;
    bool is_pack;          /* call is the user's call; copies src[0] to dst in the kernel's layout */
    int pack_user;         /* is_pack: index of the step that uses it */
    size_t scratch_bytes;
    const char *refusals;  /* "amx: ...; avx512: ..." or "" */
} limn_step;

struct limn_plan {
    limn_ctx *ctx;             /* that planned; runs have their own */
    int n_threads;             /* scratch is for so many */
    const limn_graph *drawn;   /* the caller's */
    limn_graph *graph;         /* own, rewritten */
    limn_arena *arena;
    limn_plan_options options;
    const limn_backend *backend;
    const limn_source *source; /* NULL: parameters are bound */
    limn_precision precision;  /* never AUTO or EXACT */
    bool exact;                /* F32 as EXACT asks for it */
    const char *precision_why;
    int n_outputs;
    limn_node **outputs;       /* the caller's, in graph */
    int *tensor_of, n_drawn;   /* by id of the caller's node: the tensor of an input, parameter or output; else -1 */
    int n_tensors;
    limn_tensor *tensors;      /* the first graph->n_nodes belong to the nodes, by id */
    int n_steps, n_constant;   /* the first n_constant make values of the store; a run begins behind them */
    limn_step *steps;
    size_t slab_bytes, scratch_bytes;
    size_t packed_bytes,
        weight_bytes; /* of all parameters: packed (in the slab or the store); as they are (bound, or in the store) */
    size_t slab_packed_bytes;          /* packed_bytes that are part of slab_bytes */
};

/** limn_plan_new() with parameters that come from a source: they, and what follows from them alone, are made once, by
 *  limn_plan_make_constants(), and lie in a store that every plan of the network shares.  source is borrowed for the life of
 *  the plan. */
limn_status limn_plan_new_from(limn_ctx *ctx, limn_graph *g, int n_outputs, limn_node *const *outputs,
                               const limn_plan_options *options, const limn_source *source, limn_plan **out);
/** Make what the plan needs and the store lacks: tensor by tensor, read, packed, and let go.  Another thread that asks for
 *  the same waits.
 *  @return what the source says; LIMN_NO_MEMORY; LIMN_CANCELLED: the store has what it had */
limn_status limn_plan_make_constants(limn_ctx *ctx, const limn_plan *plan, limn_store *store);
/** limn_run_new() with a store, in which limn_plan_make_constants() has been: both outlive the run. */
limn_status limn_run_new_with(limn_ctx *ctx, const limn_plan *plan, limn_store *store, limn_run **out);
/** The store was made anew: look its values up again, and run everything. */
void limn_run_forget(limn_run *run);
/** Activations are free until the run goes on: then all inputs are written again. */
void limn_run_release(limn_run *run);

/** The last step that writes or reads a node's value; -1: there is none. */
int limn_plan_last_step(const limn_plan *plan, const limn_node *node);
/** Be told of every step that has run, on the thread that runs; NULL: no more. */
void limn_run_watch(limn_run *run, void (*executed)(void *user, int step), void *user);

/* parts of limn_plan_new(), in order */
limn_status limn_plan_recompute(limn_plan *plan); /* options.recompute: second computations for the backward pass */
limn_status limn_plan_place(limn_plan *plan);     /* tensors, steps, kernels */
limn_status limn_plan_keys(limn_plan *plan);      /* what of it lies in the store, under which key */
limn_status limn_plan_memory(limn_plan *plan);    /* liveness to offsets */

/** Root tensor of a chain of aliases, adding the byte offsets on the way. */
int limn_plan_root(const limn_plan *plan, int tensor, size_t *offset);
/** The tensor of the caller's node, -1: nothing in the plan depends on it. */
int limn_plan_tensor(const limn_plan *plan, const limn_node *node);
/** @return LIMN_UNSUPPORTED: it is for another machine */
limn_status limn_plan_runs_here(limn_ctx *ctx, const limn_plan *plan);
/** What a kernel said of a step, as a sentence that names it. */
limn_status limn_step_failed(limn_ctx *ctx, const limn_plan *plan, const limn_step *step, limn_status status);

#endif
