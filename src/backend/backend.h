/* backend.h: the contract between a plan and its kernels.
 *
 * A backend is a table: for every op an ordered list of kernels, best first.  The plan takes the first kernel that does not
 * refuse, and keeps the sentences of those that did.  Any mix of F32, BF16 (and F64 in ref) sources is legal: kernels convert as
 * they load.  Results must not depend on n_threads. */
#ifndef LIMN_BACKEND_H
#define LIMN_BACKEND_H

#include "graph/node.h"

typedef struct limn_call {
    limn_op op;
    const limn_attr *attr;
    int n_src;
    limn_view src[LIMN_MAX_SRC];  /* shape and dtype always; data only in run and pack */
    limn_view dst;
    void *scratch;                /* scratch_bytes(), 64-byte aligned, run only */
    void *state;                  /* the kernel's own, made by prepare */
    int n_threads;
    const struct limn_rows *rows; /* CPU: inner loops to use; NULL, as in every plan: the best of this CPU */
} limn_call;

typedef struct limn_kernel {
    const char *name;             /* "linear.onednn" */
    /** NULL when the kernel takes the call, else why not, as a constant sentence. */
    const char *(*refuse)(const limn_call *call);
    /** Make call->state.  Optional. */
    limn_status (*prepare)(limn_ctx *ctx, limn_call *call);
    /** Bytes of scratch for one run, after prepare.  Optional. */
    size_t (*scratch_bytes)(const limn_call *call);
    /** Bytes of the kernel's own layout of source pack_src (after prepare); 0: it takes the source as it is.  When not 0 the
     *  plan makes a U8 tensor with pack() whenever that source changes, and hands it over as src[pack_src].data. */
    size_t (*packed_bytes)(const limn_call *call);
    void (*pack)(const limn_call *call, const limn_view *from, void *to);
    int pack_src;
    void (*run)(const limn_call *call);
    void (*release)(limn_call *call);
    /** dst may be the memory of source src, which has dst's shape and dtype (and of every other source of which this holds too).
     *  NULL: never. */
    bool (*in_place)(const limn_call *call, int src);
} limn_kernel;

/** Kernel number i of the op's list, best first; NULL past the end.  The last one is the reference. */
const limn_kernel *limn_cpu_kernel(limn_op op, int i);
const limn_kernel *limn_ref_kernel(limn_op op, int i);

#endif
