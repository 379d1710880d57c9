/* plan.h: the inside of a plan: a list of steps in order, and a list of tensors with their places. */
#ifndef LIMN_PLAN_H
#define LIMN_PLAN_H

#include "backend/backend.h"

typedef enum limn_place {
    LIMN_PLACE_SLAB,  /* offset bytes into the slab */
    LIMN_PLACE_BOUND, /* the caller's memory */
    LIMN_PLACE_ALIAS, /* offset bytes into tensor `of` */
    LIMN_PLACE_GIVEN, /* a parameter that exists packed only: packed when it is set */
} limn_place;

typedef struct limn_tensor {
    limn_node *node;       /* of the rewritten graph; for packed weights the node that uses them */
    limn_view view;        /* data is set before a run */
    limn_place place;
    int of;                /* ALIAS: tensor index */
    size_t offset, bytes;
    int born, dies;        /* steps; dies = INT_MAX: never overwritten */
    limn_rate phase;
    bool packed;
    bool given;            /* GIVEN, and inputs and parameters in the slab: was set */
} limn_tensor;

typedef struct limn_step {
    limn_call call;
    const limn_kernel *kernel;
    int dst, src[LIMN_MAX_SRC]; /* tensors */
    limn_rate phase;
    bool is_pack;          /* call is the user's call; copies src[0] to dst in the kernel's layout */
    bool given;            /* is_pack of a GIVEN parameter: made when that is set, never by a run */
    int pack_user;         /* is_pack: index of the step that uses it */
    size_t scratch_bytes;
    const char *refusals;  /* "amx: ...; avx512: ..." or "" */
} limn_step;

struct limn_plan {
    limn_ctx *ctx;
    const limn_graph *source; /* the caller's */
    limn_graph *graph;     /* own, rewritten */
    limn_arena *arena;
    limn_plan_options options;
    limn_precision precision;  /* never AUTO */
    const char *precision_why;
    int n_outputs;
    limn_node **outputs;   /* the caller's, in graph */
    int *tensor_of, n_source; /* by id of the caller's node: the tensor of an input, parameter or output; else -1 */
    int n_tensors;
    limn_tensor *tensors;  /* the first graph->n_nodes belong to the nodes, by id */
    int n_steps;
    limn_step *steps;
    size_t slab_bytes, scratch_bytes, packed_bytes, weight_bytes, own_bytes; /* own: parameters in the slab */
    unsigned char *slab;   /* slab, then scratch; allocated by the first run */
    bool connected;        /* the steps' pointers are those of the tensors */
    limn_rate changed;     /* lowest rate touched since the last run; LIMN_PER_STEP + 1: nothing */
    bool ran;
    int n_runs;
};

limn_status limn_plan_recompute(limn_plan *plan); /* options.recompute: second computations for the backward pass */
limn_status limn_plan_place(limn_plan *plan);  /* tensors, steps, kernels */
limn_status limn_plan_memory(limn_plan *plan); /* liveness to offsets */
/** Root tensor of a chain of aliases, adding the byte offsets on the way. */
int limn_plan_root(const limn_plan *plan, int tensor, size_t *offset);

#endif
