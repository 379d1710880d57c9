/* graph.h: build a network as a graph, differentiate it, plan it, run it.
 *
 * A constructor that is handed a bad shape records ONE error in the graph ("blocks.3.attn, linear qkv: ...") and returns an
 * error node; every later constructor passes it on, and limn_graph_status() tells once, at the end.  No constructor returns
 * NULL.  Nodes live in the graph's arena and die with the graph.
 *
 * Legend of shapes: B batch, T tokens, D width, H W C image rows, columns, channels, h heads, d head size, K N linear in,
 * out. */
#ifndef LIMN_GRAPH_H
#define LIMN_GRAPH_H

#include "limn/limn.h"

#ifdef __cplusplus
#include <initializer_list>
extern "C" {
#endif

enum { LIMN_MAX_RANK = 6, LIMN_MAX_SRC = 8 };

typedef struct limn_shape {
    int rank;                     /* 0..LIMN_MAX_RANK; rank 0 is one element */
    int64_t dim[LIMN_MAX_RANK];   /* outermost first, last fastest; unused entries are 0 */
} limn_shape;

LIMN_API limn_shape limn_shape_make(int rank, const int64_t *dim);
#ifndef __cplusplus
#define LIMN_SHAPE(...) limn_shape_make((int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})
#else /* has no compound literals */
#define LIMN_SHAPE(...) limn_shape_of({__VA_ARGS__})
static inline limn_shape limn_shape_of(std::initializer_list<int64_t> dim)
{
    return limn_shape_make((int)dim.size(), dim.begin());
}
#endif

typedef struct limn_graph limn_graph;
typedef struct limn_node limn_node;

typedef enum limn_activation {
    LIMN_IDENTITY, LIMN_RELU, LIMN_SILU, LIMN_GELU_TANH, LIMN_GELU_ERF, LIMN_GELU_QUICK, LIMN_TANH, LIMN_N_ACTIVATIONS
} limn_activation;

/* How often an input's value changes.  Nodes run again only when something at or below their rate changed:
 * weights never, text features once per prompt, latents every step. */
typedef enum limn_rate { LIMN_CONSTANT, LIMN_PER_PROMPT, LIMN_PER_STEP } limn_rate;

typedef enum limn_kind {
    LIMN_COMPUTE, /* stored in the precision of the plan (f32, bf16, f64) */
    LIMN_WIDE,    /* never below f32: losses, weight gradients, statistics */
    LIMN_INDEX,   /* I32 */
} limn_kind;

typedef enum limn_init_kind {
    LIMN_INIT_ZERO,
    LIMN_INIT_ONE,
    LIMN_INIT_NORMAL,
    LIMN_INIT_UNIFORM,
    LIMN_INIT_SINCOS_2D
} limn_init_kind;
typedef struct limn_init {
    limn_init_kind kind;
    float scale;       /* standard deviation, or half width of the uniform interval */
    bool frozen;       /* a table: never trained */
    bool decay;        /* weight decay applies */
    int grid_h, grid_w; /* SINCOS_2D: positions are rows of a grid_h x grid_w grid */
    double grid_base;   /* ... spread over as many places to each side; 0: they are counted */
    bool grid_stored;   /* ... files hold this very table, of which graphs take parts; it counts as no parameter */
} limn_init;

/* ---- graph and scopes -------------------------------------------------------------------------------------------- */

/** @return NULL only when memory is out; the graph keeps ctx. Free with limn_graph_free(). */
LIMN_API limn_graph *limn_graph_new(limn_ctx *ctx);
LIMN_API void limn_graph_free(limn_graph *g);
/** LIMN_OK, or the status of the first bad constructor, whose sentence is limn_error_text(). */
LIMN_API limn_status limn_graph_status(limn_graph *g);

/** Enter / leave a named part of the network.  Scope names joined by "." make the published parameter names; they are also
 *  the blocks that limn_describe draws and that recompute works on. A name may hold dots. */
LIMN_API void limn_scope_push(limn_graph *g, const char *format, ...) __attribute__((format(printf, 2, 3)));
LIMN_API void limn_scope_pop(limn_graph *g);
/** A comment drawn behind the current scope ("adaLN-Zero block"). */
LIMN_API void limn_scope_note(limn_graph *g, const char *format, ...) __attribute__((format(printf, 2, 3)));

LIMN_API limn_shape limn_node_shape(const limn_node *node);
LIMN_API const char *limn_node_name(const limn_node *node); /* full name of inputs and parameters; scope + op for others */

/* ---- the drawing --------------------------------------------------------------------------------------------------- */

typedef struct limn_describe_options {
    int64_t batch;  /* the leading dimension to leave out of every shape; 0: show whole shapes */
    bool ascii;     /* no signs beyond ASCII; else UTF-8 */
    bool color;     /* ANSI colours */
    bool all;       /* draw blocks that are alike one by one instead of once ("blocks.0-11, 12 alike") */
    int depth;      /* draw no deeper than this many levels; 0: to the bottom */
} limn_describe_options;

/** The tree of scopes as text: what every part does, the shape after it, its parameters and FLOPs, and the totals.
 *  options NULL: all zero.  Describe before limn_grad().  Free it with limn_free(); NULL when memory is out. */
LIMN_API char *limn_describe(const limn_graph *g, const limn_describe_options *options);
/** The totals: numbers in its parameters, and FLOPs (two per multiply-add). */
LIMN_API int64_t limn_describe_parameters(const limn_graph *g);
LIMN_API double limn_describe_flops(const limn_graph *g);

/* ---- leaves ------------------------------------------------------------------------------------------------------- */

LIMN_API limn_node *limn_input(limn_graph *g, const char *name, limn_kind kind, limn_shape shape, limn_rate rate);
/** A weight named scope.name.  The same full name twice in one graph is the same node (tied weights; shapes must agree). */
LIMN_API limn_node *limn_parameter(limn_graph *g, const char *name, limn_shape shape, limn_init init);

/* ---- shape -------------------------------------------------------------------------------------------------------- */

/** Same elements, another shape; one dimension may be -1 and is worked out.  Costs nothing. */
LIMN_API limn_node *limn_reshape(limn_node *x, limn_shape shape);
/** The same value, which counts as a constant when gradients are made (PyTorch's detach).  Costs nothing. */
LIMN_API limn_node *limn_detach(limn_node *x);
LIMN_API limn_node *limn_permute(limn_node *x, int rank, const int *order); /* y.dim[i] = x.dim[order[i]] */
LIMN_API limn_node *limn_slice(limn_node *x, int axis, int64_t begin, int64_t count);
/** Equal slices of the last axis. */
LIMN_API void limn_chunk(limn_node *x, int n, limn_node **parts);
LIMN_API limn_node *limn_concat(limn_graph *g, int axis, int n, limn_node **parts);
/** Zeros before and after along one axis (the gradient of a slice). */
LIMN_API limn_node *limn_pad(limn_node *x, int axis, int64_t before, int64_t after);
/** Repeat dimensions of size 1 (numpy broadcasting), or sum back to them. */
LIMN_API limn_node *limn_expand(limn_node *x, limn_shape shape);
LIMN_API limn_node *limn_sum_to(limn_node *x, limn_shape shape);
LIMN_API limn_node *limn_fill(limn_graph *g, limn_shape shape, double value); /* the same number everywhere */
LIMN_API limn_node *limn_mean(limn_node *x); /* of all elements; rank 0, LIMN_WIDE */
LIMN_API limn_node *limn_widen(limn_node *x);  /* COMPUTE -> WIDE */
LIMN_API limn_node *limn_narrow(limn_node *x); /* WIDE -> COMPUTE */

/* ---- elementwise; two operands broadcast as in numpy ------------------------------------------------------------- */

LIMN_API limn_node *limn_add(limn_node *a, limn_node *b);
LIMN_API limn_node *limn_sub(limn_node *a, limn_node *b);
LIMN_API limn_node *limn_mul(limn_node *a, limn_node *b);
LIMN_API limn_node *limn_div(limn_node *a, limn_node *b);
LIMN_API limn_node *limn_affine(limn_node *x, double scale, double shift); /* scale x + shift */
LIMN_API limn_node *limn_activate(limn_node *x, limn_activation activation);
LIMN_API limn_node *limn_silu(limn_node *x);
LIMN_API limn_node *limn_exp(limn_node *x);
LIMN_API limn_node *limn_ln(limn_node *x); /* natural logarithm */
LIMN_API limn_node *limn_sqrt(limn_node *x);
LIMN_API limn_node *limn_square(limn_node *x);
LIMN_API limn_node *limn_clamp(limn_node *x, double low, double high);

/* ---- layers ------------------------------------------------------------------------------------------------------- */

/** y = x W^T + b.   x [..., K], W [N, K] "name.weight", b [N] "name.bias"  ->  [..., N].   Xavier-uniform W, zero b. */
LIMN_API limn_node *limn_linear(limn_graph *g, const char *name, limn_node *x, int64_t n);
typedef struct limn_linear_options {
    bool no_bias;
    const limn_init *weight_init; /* NULL: Xavier uniform */
} limn_linear_options;
LIMN_API limn_node *limn_linear_with(limn_graph *g, const char *name, limn_node *x, int64_t n, limn_linear_options options);
/** The op alone, for tied or hand-made weights; b may be NULL. */
LIMN_API limn_node *limn_matmul(limn_node *x, limn_node *w, limn_node *b);

/** (x - mean) / sqrt(var + eps) over the last axis, times "name.weight" plus "name.bias"; name NULL: neither.  Ba et al.
 *  2016 */
LIMN_API limn_node *limn_layer_norm(limn_graph *g, const char *name, limn_node *x, double eps);
/** x (1 + scale) + shift.   x [B,T,D], shift scale [B,D] or [B,1,D] */
LIMN_API limn_node *limn_modulate(limn_node *x, limn_node *shift, limn_node *scale);
/** x + gate h.   x h [B,T,D], gate [B,D] or [B,1,D] */
LIMN_API limn_node *limn_gated(limn_node *x, limn_node *gate, limn_node *h);
/** x / sqrt(mean(x^2) + eps) w over the last axis; "name.weight", name NULL: none.  Zhang & Sennrich 2019 */
LIMN_API limn_node *limn_rms_norm(limn_graph *g, const char *name, limn_node *x, double eps);
LIMN_API limn_node *limn_softmax(limn_node *x); /* last axis */
/** -log softmax(logits)[target] per row.   logits [N,C], target INDEX [N]  ->  [N] WIDE */
LIMN_API limn_node *limn_cross_entropy(limn_node *logits, limn_node *target);

/** softmax(q k^T / sqrt(d) + bias) v per head.   q [B,Tq,D], k v [B,Tk,D]  ->  [B,Tq,D];  Vaswani et al. 2017
 *  v NULL: k holds keys and values side by side, [B,Tk,2D]; k NULL, too: q holds all three, [B,T,3D].
 *  bias [n, h or 1, Tq or 1, Tk], where 1 is for all heads, for all queries (a mask of keys); sample i has bias i mod n, B a
 *  multiple of n (n windows of each picture, or n = 1).  -inf hides a key; where all are hidden by it the result is 0. */
typedef struct limn_attention_options {
    limn_node *bias; /* NULL: none */
    bool causal;
} limn_attention_options;
LIMN_API limn_node *limn_attention_with(limn_node *q, limn_node *k, limn_node *v, int heads, limn_attention_options options);
/** softmax(q k^T / sqrt(d)) v */
LIMN_API limn_node *limn_attention(limn_node *q, limn_node *k, limn_node *v, int heads, bool causal);
/** The same from one packed product: qkv [B,T,3D] (q, k, v side by side). */
LIMN_API limn_node *limn_attention_qkv(limn_node *qkv, int heads, bool causal);
/** q [B,Tq,D], kv [B,Tk,2D]. */
LIMN_API limn_node *limn_attention_kv(limn_node *q, limn_node *kv, int heads);
/** qkv [B,T,3D] with a bias. */
LIMN_API limn_node *limn_attention_biased(limn_node *qkv, limn_node *bias, int heads);

/** Rows of a table.   table [V, ...], ids INDEX (or WIDE: timesteps, rounded) [n...]  ->  [n..., ...];  an id outside 0..V-1
 *  is the caller's mistake and is clamped. */
LIMN_API limn_node *limn_gather(limn_node *table, limn_node *ids);
/** Gather from the parameter "name.weight" [v, d], N(0, 0.02). */
LIMN_API limn_node *limn_embedding(limn_graph *g, const char *name, limn_node *ids, int64_t v, int64_t d);
/** Rotary positions (Su et al. 2021, pairs as in Flux): channels 2i, 2i + 1 of every head of token t, as a complex number,
 *  times turns[t][2i] + turns[t][2i + 1] sqrt(-1), a cosine and a sine.   x [B, T, h d], turns [T, d], which has no gradient
 *  ->  x's shape */
LIMN_API limn_node *limn_rotate(limn_node *x, limn_node *turns);
/** Sinusoids of t.   t [n]  ->  [n, dim];  frequencies exp(-ln(max_period) i / (dim/2)); cos before sin in ADM, DiT, SD,
 *  sin before cos in DDPM. */
LIMN_API limn_node *limn_timestep_embedding(limn_node *t, int64_t dim, double max_period, bool cos_first);

/* ---- pictures: x [B,H,W,C] ----------------------------------------------------------------------------------------- */

typedef struct limn_conv_options {
    int stride;                   /* 0: 1 */
    bool valid;                   /* no zeros around the picture */
    const int *pad;               /* zeros above, left, below, right; NULL: (kernel - 1) / 2 on each side, unless valid */
    bool no_bias;
    const limn_init *weight_init; /* NULL: Xavier uniform */
} limn_conv_options;

/** y[i,j] = sum over the window of x W + b.   x [B,H,W,C], W [n,C,k,k] "name.weight", b [n] "name.bias"  ->  [B,h,w,n],
 *  h = (H + pads - k) / stride + 1.  limn_conv(): stride 1, H and W kept (odd k). */
LIMN_API limn_node *limn_conv(limn_graph *g, const char *name, limn_node *x, int64_t n, int kernel);
LIMN_API limn_node *limn_conv_with(limn_graph *g, const char *name, limn_node *x, int64_t n, int kernel,
                                   limn_conv_options options);
/** A convolution with its sides exchanged: each pixel of x adds x W to a window of y.   W [C,n,k,k]  ->  [B,h,w,n],
 *  h = (H - 1) stride + k - pads.  NULL pad: none. */
LIMN_API limn_node *limn_conv_transpose(limn_graph *g, const char *name, limn_node *x, int64_t n, int kernel,
                                        limn_conv_options options);

/** Largest, mean of windows of size x size, apart; H and W must be multiples. */
LIMN_API limn_node *limn_max_pool(limn_node *x, int size);
LIMN_API limn_node *limn_average_pool(limn_node *x, int size);

/** NEAREST: pixel floor(i H / h); BILINEAR: centres of pixels, as PyTorch's align_corners=False; BILINEAR_ALIGNED: corners
 *  on corners. */
typedef enum limn_resize_mode { LIMN_NEAREST, LIMN_BILINEAR, LIMN_BILINEAR_ALIGNED } limn_resize_mode;
LIMN_API limn_node *limn_resize(limn_node *x, int64_t h, int64_t w, limn_resize_mode mode);

/** (x - mean) / sqrt(var + eps), mean and var over all pixels of C / groups channels, times "name.weight" [C] plus
 *  "name.bias" [C] (name NULL: neither), then the activation.   x [B,..,C].   Wu & He 2018 */
LIMN_API limn_node *limn_group_norm(limn_graph *g, const char *name, limn_node *x, int groups, double eps,
                                    limn_activation activation);
/** The same with scale and shift [B,C] per sample behind it: act(norm(x) (1 + scale) + shift), in one pass. */
LIMN_API limn_node *limn_group_norm_modulated(limn_graph *g, const char *name, limn_node *x, int groups, double eps,
                                              limn_node *shift, limn_node *scale, limn_activation activation);
/** Ioffe & Szegedy 2015.  Each channel by its statistics over batch and pixels while the graph trains (limn_graph_train),
 *  else by "name.running_mean", "name.running_var", in which case it folds into the convolution in front of it. */
LIMN_API limn_node *limn_batch_norm(limn_graph *g, const char *name, limn_node *x, double eps);

/** y = mean of x over the ranks of a training (limn_train_on()), kept wide, the same bits on all; of a process alone x.  All
 *  ranks must run the same graph: here they wait for each other.   x: any shape, a few numbers */
LIMN_API limn_node *limn_mean_of_ranks(limn_node *x);

/** [B,H,W,C] -> [B,H/n,W/n,C n n] and back; channels of a block in the order c n n + row n + column (PyTorch's
 *  pixel_shuffle). */
LIMN_API limn_node *limn_pixel_unshuffle(limn_node *x, int n);
LIMN_API limn_node *limn_pixel_shuffle(limn_node *x, int n);
/** Windows of size x size pixels as batches of tokens and back: [B,H,W,C] <-> [B H/size W/size, size size, C].  Liu et al.
 *  2021 */
LIMN_API limn_node *limn_window_partition(limn_node *x, int size);
LIMN_API limn_node *limn_window_merge(limn_node *windows, int64_t h, int64_t w);
/** y[i,j] = x[i + dy mod H, j + dx mod W] */
LIMN_API limn_node *limn_roll(limn_node *x, int64_t dy, int64_t dx);

/** Build for training from here on: batch norms use the statistics of the batch. */
LIMN_API void limn_graph_train(limn_graph *g);
/** x [B,H,W,C], where a picture may be cut into strips of rows: of what was drawn before, only x leads to what follows, and
 *  that looks at rows nearby (convolutions with zeros around, products, nearest neighbours) and at moments of group norms.
 *  In an encoder the picture itself is the first stage, and behind the last one all may look at all.
 *  @return x, but for graphs that are run in strips */
LIMN_API limn_node *limn_strip_stage(limn_node *x);
/** Running statistics of a graph that trains: after each step of it   parameter = (1 - momentum) parameter + momentum
 *  value. */
typedef struct limn_running {
    limn_node *parameter, *value;
    double momentum;
} limn_running;
/** @return how many there are; *out is the graph's. */
LIMN_API int limn_graph_running(const limn_graph *g, const limn_running **out);

/* ---- gradients ---------------------------------------------------------------------------------------------------- */

/** Append the nodes that compute d loss / d of[i] for a rank-0 loss.  Gradients of parameters are WIDE.
 *  @return LIMN_BAD_ARGUMENT naming the node and the parameter when a path lacks a rule; grads[i] NULL when loss does not
 *  depend on of[i], or when of[i] is a node inside the network that an earlier call, which did not name it, has fused
 *  away. */
LIMN_API limn_status limn_grad(limn_graph *g, limn_node *loss, int n, limn_node *const *of, limn_node **grads);

/* ---- plan --------------------------------------------------------------------------------------------------------- */

typedef struct limn_plan limn_plan;

typedef struct limn_plan_options {
    limn_precision precision;   /* default AUTO */
    const char *backend;        /* "cpu" (default, NULL), "ref"; "cpu-portable", "cpu-avx2" ...: as on a CPU with no more */
    bool no_rewrite;            /* keep the graph as built: for tests */
    bool no_reuse;              /* no two tensors share bytes: for tests */
    bool training;              /* parameters change every step */
    bool repeated;              /* it runs once for each step of a sampler: AUTO is as for a training */
    const char *recompute;      /* top scopes with this prefix ("blocks.") keep only their inputs until the backward pass */
    limn_dtype parameter_dtype; /* how parameters are bound: F32 (default) or BF16 */
    int first_bound;            /* outputs from this index on (0: none) get their memory by limn_run_bind() */
    size_t memory_limit;        /* bytes of activations + scratch allowed; 0: what the machine has */
} limn_plan_options;

/** Decide order, kernels and the offset of every tensor.  A plan holds no numbers and never changes: several runs, in
 *  several threads, may share it. It keeps g (which must outlive it) and does not change it.  @param outputs nodes whose
 *  values the caller reads
 *  @return LIMN_OK and *out (free with limn_plan_free, after its runs); LIMN_NOT_FOUND: no such backend; LIMN_NO_MEMORY
 *  names bytes needed and found; *out NULL on failure */
LIMN_API limn_status limn_plan_new(limn_graph *g, int n_outputs, limn_node *const *outputs, const limn_plan_options *options,
                                   limn_plan **out);
LIMN_API void limn_plan_free(limn_plan *plan);

typedef struct limn_plan_size {
    size_t activation_bytes, scratch_bytes, packed_bytes; /* their sum is the peak a run keeps to, weights apart */
    size_t weight_bytes; /* parameters as they are bound, or as a store keeps them unpacked */
    double flops;                                          /* one full run */
    int n_nodes;                                           /* nodes of the plan */
} limn_plan_size;
LIMN_API limn_plan_size limn_plan_sizes(const limn_plan *plan);
/** One line per node: phase, name, shape, kernel and why no faster one.  Free it with limn_free(); NULL: memory is out. */
LIMN_API char *limn_plan_text(const limn_plan *plan);

/* ---- run ---------------------------------------------------------------------------------------------------------- */

/* One job of a plan: the memory of its activations, the values of its inputs.  Used by one thread at a time. */
typedef struct limn_run limn_run;

/** @return LIMN_OK and *out (free with limn_run_free, before the plan); LIMN_NO_MEMORY.  Activations are allocated by the
 *  first write or execution */
LIMN_API limn_status limn_run_new(const limn_plan *plan, limn_run **out);
LIMN_API void limn_run_free(limn_run *run); /* NULL is allowed */

/** Give a parameter, or an output from options.first_bound on, its memory (borrowed, 64-byte aligned is best).  Counts as a
 *  change.
 *  @return LIMN_OK, also when nothing in the plan depends on node; LIMN_BAD_ARGUMENT: memory of another type, or of a node
 *  that has its own */
LIMN_API limn_status limn_run_bind(limn_run *run, const limn_node *node, limn_dtype dtype, void *data);
/** Say that bound memory holds other values now. */
LIMN_API void limn_run_touch(limn_run *run, const limn_node *node);
/** The value of an input, or of a bound parameter: copied as a whole and converted.  Writing what nothing depends on does
 *  nothing.
 *  @return LIMN_BAD_ARGUMENT naming a node without memory; LIMN_NO_MEMORY */
LIMN_API limn_status limn_run_write(limn_run *run, const limn_node *node, limn_dtype from, const void *data);
/** The value of an output, an input or a parameter.  @return LIMN_BAD_ARGUMENT naming a node without a value;
 *  LIMN_NO_MEMORY */
LIMN_API limn_status limn_run_read(limn_run *run, const limn_node *node, limn_dtype to, void *data);
/** Run what depends on what changed: all nodes at PER_STEP, of the others those that an input written since then leads to.
 *  The first execution allocates; later ones allocate nothing.
 *  @return LIMN_BAD_ARGUMENT naming the first input or parameter without a value; LIMN_CANCELLED (limn_ctx_cancel()); what a
 *  kernel said */
LIMN_API limn_status limn_run_execute(limn_run *run);
/** Nodes that the last execution ran. */
LIMN_API int limn_run_executed(const limn_run *run);

#ifdef __cplusplus
}
#endif
#endif
