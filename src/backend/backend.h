/* backend.h: the contract between a plan and what computes.
 *
 * A backend is a table: for every op an ordered list of kernels, best first, and the memory that they work on.  The plan
 * takes the first kernel that does not refuse, and keeps the sentences of those that did.  Any mix of F32, BF16 (and F64 in
 * ref) sources is legal: kernels convert as they load.  Results must not
 * depend on n_threads, but where a kernel says so. */
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
    void *state;                  /* the kernel's own, made by prepare; never changed by a run */
    void *own;                    /* what the kernel changes while it runs, made by open: one for each run of a plan */
    int n_threads;
    bool exact;                   /* sums as they stand: no kernel that transforms its operands */
    const struct limn_rows *rows; /* CPU: inner loops to use, and what the CPU has; NULL: the best of this CPU */
} limn_call;

typedef struct limn_kernel {
    const char *name;             /* "linear.onednn", for people */
    /** NULL when the kernel takes the call, else why not, as a constant sentence. */
    const char *(*refuse)(const limn_call *call);
    /** Make call->state.  Optional. */
    limn_status (*prepare)(limn_ctx *ctx, limn_call *call);
    /** Bytes of scratch for one run, after prepare.  Optional. */
    size_t (*scratch_bytes)(const limn_call *call);
    /** Bytes of the kernel's own layout of source pack_src (after prepare); 0: it takes the source as it is.  When not 0 the
     *  plan makes a U8 tensor with pack() whenever that source changes, and hands it over as src[pack_src].data. */
    size_t (*packed_bytes)(const limn_call *call);
    /** Tells the layouts of the source apart that this kernel's pack() makes: equal sources in equal layouts are equal
     *  bytes, so that calls of other batches and sizes share them.  With packed_bytes. */
    uint64_t (*layout)(const limn_call *call);
    /** @return LIMN_NO_MEMORY, LIMN_UNSUPPORTED: what a library said; the plan says which node it was */
    limn_status (*pack)(const limn_call *call, const limn_view *from, void *to);
    int pack_src;
    /** Make call->own, and free it.  Optional. */
    limn_status (*open)(limn_ctx *ctx, limn_call *call);
    void (*close)(limn_call *call);
    /** @return as pack(); LIMN_IO: ranks cannot reach each other, which the ctx of their group tells */
    limn_status (*run)(const limn_call *call);
    void (*release)(limn_call *call); /* call->state */
    bool sums_by_threads;  /* another number of threads may give other bits */
    bool rounds_attention; /* probabilities and their gradients are rounded to bf16 on the way */
    /** dst may be the memory of source src, which has dst's shape and dtype (and of every other source of which this holds
     *  too). NULL: never. */
    bool (*in_place)(const limn_call *call, int src);
} limn_kernel;

/* Addresses are the backend's own: only its kernels and the functions here look behind them. */
typedef struct limn_backend limn_backend;
enum { LIMN_BACKEND_TEXT = 96 };
struct limn_backend {
    const char *name;
    /** Kernel number i of the op's list, best first; NULL past the end.  The last one is the reference. */
    const limn_kernel *(*kernel)(limn_op op, int i);
    const struct limn_rows *rows;     /* of every call */
    /** NULL when its plans can run here, else why not: a plan holds no numbers, and may be for another machine. */
    const char *(*refuse)(const limn_backend *backend);
    bool host;                        /* its memory is the program's: any code reads and writes it */
    void *(*allocate)(size_t bytes);  /* 64-byte aligned; NULL: memory is out */
    void (*release)(void *memory);
    void (*upload)(void *to, const void *from, size_t bytes);
    void (*download)(void *to, const void *from, size_t bytes);
    /** Around the steps of a run, on its thread: what the kernels need of the process. */
    void (*begin)(limn_floats *before, int n_threads);
    void (*end)(const limn_floats *before);
    /** The best precision, F32 or BF16, and why as a constant sentence.  repeated: the plan runs many times, as a step of a
     *  training or of a sampler does */
    limn_precision (*best_precision)(const limn_backend *backend, bool repeated, const char **why);
    /** What its kernels compute with here, for people: "avx512 loops, oneDNN with AVX512_BF16".  Where it is the same, so
     * are the bits of results. */
    void (*describe)(const limn_backend *backend, char text[LIMN_BACKEND_TEXT]);
};

/** By name; NULL: the default.  @return LIMN_NOT_FOUND with the names there are */
limn_status limn_backend_find(limn_ctx *ctx, const char *name, const limn_backend **out);

/** The lists of the two, which are one process. */
const limn_kernel *limn_cpu_kernel(limn_op op, int i);
const limn_kernel *limn_ref_kernel(limn_op op, int i);

#endif
