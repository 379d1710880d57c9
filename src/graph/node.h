/* node.h: what a graph is made of; for graph/, plan/ and backend/ (networks use limn/graph.h only). */
#ifndef LIMN_NODE_H
#define LIMN_NODE_H

#include "base/base.h"
#include "limn/graph.h"
#include "tensor/tensor.h"

#include <limits.h>

typedef enum limn_op {
    /* leaves */
    LIMN_OP_ERROR,
    LIMN_OP_INPUT,
    LIMN_OP_PARAMETER,
    LIMN_OP_FILL, /* attr.scale everywhere */
    /* shape */
    LIMN_OP_VIEW,    /* contiguous part of src 0 from element attr.begin on, as attr.shape; never runs */
    LIMN_OP_PERMUTE, /* attr.order */
    LIMN_OP_SLICE,   /* attr.axis, attr.begin; count from shape */
    LIMN_OP_PAD,     /* attr.axis, attr.begin zeros before; the rest after */
    LIMN_OP_CONCAT,  /* attr.axis */
    LIMN_OP_EXPAND,
    LIMN_OP_SUM_TO, /* attr.shape */
    LIMN_OP_CAST,   /* to the node's kind */
    /* elementwise */
    LIMN_OP_ADD,
    LIMN_OP_SUB,
    LIMN_OP_MUL,
    LIMN_OP_DIV,
    LIMN_OP_AFFINE,        /* attr.scale x + attr.shift */
    LIMN_OP_ACTIVATE,      /* attr.activation */
    LIMN_OP_ACTIVATE_GRAD, /* (x, dy) -> dy f'(x) */
    LIMN_OP_EXP,
    LIMN_OP_LOG,
    LIMN_OP_SQRT,
    LIMN_OP_SQUARE,
    LIMN_OP_CLAMP,      /* to [attr.scale, attr.shift] */
    LIMN_OP_CLAMP_GRAD, /* (x, dy) -> dy inside, 0 outside */
    LIMN_OP_CHAIN,      /* attr.chain: a run of elementwise ops on cache-sized blocks; made by rewrite only */
    /* layers */
    LIMN_OP_LINEAR,             /* (x [..,K], W [N,K], b [N]?, gate [B,1,N]?, residual [..,N]?): see attr.flags */
    LIMN_OP_LINEAR_GRAD_INPUT,  /* (dy [..,N], W [N,K]) -> dy W */
    LIMN_OP_LINEAR_GRAD_WEIGHT, /* (x [..,K], dy [..,N]) -> dy^T x [N,K], WIDE */
    LIMN_OP_LAYER_NORM,         /* (x, w?, b?): norm(x) (attr.shift + w) + b; w b [D] or [B,1,D]; attr.eps; see attr.flags */
    LIMN_OP_LAYER_NORM_GRAD,    /* (x, dy, w?) -> dx */
    LIMN_OP_LAYER_NORM_GRAD_WEIGHT, /* (x, dy) -> sum over the rows sharing one w of dy norm(x): attr.shape, WIDE */
    LIMN_OP_RMS_NORM,               /* (x, w?) w [D]; attr.eps */
    LIMN_OP_RMS_NORM_GRAD,          /* (x, dy, w?) -> dx */
    LIMN_OP_RMS_NORM_GRAD_WEIGHT,   /* (x, dy) -> [D], WIDE */
    LIMN_OP_SOFTMAX,
    LIMN_OP_SOFTMAX_GRAD,       /* (y, dy) -> dx */
    LIMN_OP_CROSS_ENTROPY,      /* (logits [N,C], target [N]) -> [N] */
    LIMN_OP_CROSS_ENTROPY_GRAD, /* (logits, target, dloss [N]) -> dlogits */
    LIMN_OP_ATTENTION,      /* (q, k, v) | (qkv) | (q, kv): attr.packed; then bias [n,h,Tq,Tk]?: see attr.flags; attr.heads,
                               attr.causal */
    LIMN_OP_ATTENTION_GRAD, /* (q, k, v, bias?, out, dout) -> flat dq, dk, dv | (qkv, bias?, out, dout) -> dqkv |
                             * (q, kv, bias?, out, dout) -> flat dq, dkv */
    LIMN_OP_ATTENTION_GRAD_BIAS, /* the same sources -> dbias, summed over what shares it; WIDE */
    LIMN_OP_GATHER,              /* (table [V,..], ids) */
    LIMN_OP_GATHER_GRAD,         /* (dy, ids) -> attr.shape, WIDE: rows of equal id are summed in order */
    LIMN_OP_ROTATE,              /* (x [B,T,h d], turns [T,d]): pairs of channels by an angle, attr.scale = 1, or back, -1 */
    LIMN_OP_TIMESTEP_EMBEDDING,  /* attr.scale = max_period, attr.flags LIMN_COS_FIRST */
    /* pictures [B,H,W,C] */
    LIMN_OP_CONV, /* (x, W [O,C,kh,kw], b [O]?, residual?) -> act(x * W + b + residual) [B,h,w,O]; attr.stride, attr.pad */
    LIMN_OP_CONV_TRANSPOSE, /* (y [B,h,w,O], W [O,C,kh,kw], b [C]?) -> [B,H,W,C], H W = attr.shape: CONV's gradient of x, and
                               a layer of its own */
    LIMN_OP_CONV_GRAD_WEIGHT, /* (x, dy) -> attr.shape [O,C,kh,kw], WIDE */
    LIMN_OP_MAX_POOL,
    LIMN_OP_MAX_POOL_GRAD, /* (x), (x, dy): windows of attr.stride, apart; the first of equals has the gradient */
    LIMN_OP_AVERAGE_POOL,
    LIMN_OP_AVERAGE_POOL_GRAD, /* (x), (dy): attr.stride; GRAD: H W of x = attr.shape */
    LIMN_OP_RESIZE,
    LIMN_OP_RESIZE_GRAD, /* (x), (dy): H W of the result = attr.shape; attr.resize */
    LIMN_OP_MOMENTS, /* (x [B,..,C]) -> [2, B groups]: mean and variance of each group of channels;
                      * attr.groups, flags; WIDE */
    LIMN_OP_GROUP_NORM, /* (x, its moments, w?, b?): act(n(x) w + b); w b [C] or one row per sample [B,C]; attr.groups, eps,
                           activation, flags */
    LIMN_OP_GROUP_NORM_GRAD_SUMS, /* (x, moments, dy, w?, b?) -> [2,B,C]: sums over pixels of dz n(x) and dz, z = n(x) w + b;
                                     WIDE */
    LIMN_OP_GROUP_NORM_GRAD,      /* (x, moments, dy, those sums, w?, b?) -> dx, with what x does through its moments */
    /* ranks */
    LIMN_OP_MEAN_OF_RANKS, /* (x): of every element over the ranks of a training, which all run the same plan; WIDE */
    LIMN_N_OPS
} limn_op;

enum { LIMN_PACKED_NONE, LIMN_PACKED_QKV, LIMN_PACKED_KV };

/* attr.flags: which optional sources are present, in this order after the fixed ones */
enum {
    LIMN_HAS_BIAS = 1,
    LIMN_HAS_GATE = 2,
    LIMN_HAS_RESIDUAL = 4, /* LINEAR: y = residual + gate act(x W^T + b); CONV: act(x * W + b + residual);
                            * ATTENTION: bias on the scores [n, h or 1, Tq or 1, Tk], sample i has i mod n */
    LIMN_HAS_WEIGHT = 8,   /* norms: w (and for LAYER_NORM, GROUP_NORM b) */
    LIMN_COS_FIRST = 16,
    LIMN_DETACHED = 32,   /* VIEW: no gradient passes */
    LIMN_OVER_BATCH = 64, /* MOMENTS, GROUP_NORM: over the batch as well, [2, groups] (batch norm) */
    LIMN_UPSAMPLED = 128, /* CONV: of x enlarged to 2 x 2 equal pixels; 3 x 3, a zero around, stride 1 */
    LIMN_OVER_RANKS = 256, /* GROUP_NORM, with LIMN_OVER_BATCH: the moments are those of all ranks together */
};

/* CHAIN: registers r[0..n_src-1] hold the sources (broadcast to the shape of the node); instruction i writes r[n_src + i];
 * the last one is the result. */
enum { LIMN_MAX_CHAIN = 12 };
typedef struct limn_chain {
    int n;
    struct limn_chain_step {
        limn_op op; /* ADD..CLAMP_GRAD, CAST */
        int a, b;   /* registers; b = -1 for one operand */
        double scale, shift;
        limn_activation activation;
    } step[LIMN_MAX_CHAIN];
} limn_chain;

typedef struct limn_attr {
    limn_shape shape;
    int order[LIMN_MAX_RANK];
    int axis;
    int64_t begin;
    int heads, packed;
    bool causal;
    unsigned flags;
    double scale, shift, eps;
    limn_activation activation;
    const limn_chain *chain;
    int stride, pad[4];         /* pictures: zeros above, left, below, right */
    int groups;
    limn_resize_mode resize;
} limn_attr;

typedef struct limn_scope limn_scope;
struct limn_scope {
    limn_scope *parent, *first_child, *last_child, *next;
    const char *name;   /* own part: "attn"; "" for the root */
    const char *path;   /* "blocks.0.attn"; "" for the root */
    const char *note;   /* NULL or a comment */
};

enum { LIMN_MADE_LATE = INT_MAX - 1, LIMN_MADE_AGAIN = INT_MAX };

struct limn_node {
    limn_graph *graph;
    int id;             /* index in graph->nodes: sources come before */
    int made;           /* id in the graph it was made in: survives rewriting, and is the order of running;
                         * LIMN_MADE_LATE, AGAIN: made by a rewrite, by recompute; runs just before its first user */
    limn_op op;
    limn_kind kind;
    limn_rate rate;     /* INPUT only */
    limn_shape shape;
    int n_src;
    limn_node *src[LIMN_MAX_SRC];
    limn_attr attr;
    limn_scope *scope;
    const char *name;   /* full name of inputs and parameters, else NULL */
    limn_init init;     /* PARAMETER only */
    limn_node *same;    /* PARAMETER: the next one in its list of limn_graph.by_name */
};

enum { LIMN_MAX_RUNNING = 256, LIMN_NAME_LISTS = 256, LIMN_MAX_STAGES = 48, LIMN_MAX_GIVEN = 128, LIMN_NO_STAGE = -1 };

/* A graph that is drawn to be run in parts (net/strips.h): its stages, and from stage `begin` on, which is an input, the
 * norms, whose moments are inputs too. */
typedef struct limn_cut {
    int begin;                /* LIMN_NO_STAGE: nothing is an input */
    bool own_moments;         /* of norms: of what they see, as in the whole */
    int n_stages, n_norms, n_given; /* norms in all, and behind `begin` */
    limn_node *stage[LIMN_MAX_STAGES];
    int norms_before[LIMN_MAX_STAGES];
    limn_node *input;
    limn_node *normed[LIMN_MAX_GIVEN], *moments[LIMN_MAX_GIVEN];
} limn_cut;

struct limn_graph {
    limn_ctx *ctx;
    limn_arena *arena;
    limn_status status;
    int n_nodes, capacity;
    limn_node **nodes;
    int first_gradient;       /* nodes made from this id on belong to the backward pass; 0: there is none */
    limn_node *error;
    limn_scope *root, *scope;
    int n_parameters, parameter_capacity;
    limn_node **parameters;   /* in order of creation */
    limn_node *by_name[LIMN_NAME_LISTS]; /* parameters whose names have the same hash */
    limn_cut *cut;            /* NULL: it is drawn as a whole */
    bool trains;              /* batch norms use the statistics of the batch */
    int norm_ranks;           /* of the batches of so many ranks together; 0, 1: of one */
    int n_running;
    limn_running running[LIMN_MAX_RUNNING];
};

/** Before anything is drawn: record stages, and cut the graph at one of them. */
void limn_graph_cut(limn_graph *g, int begin, bool own_moments);
/** Convolutions of more than a pixel that a node depends on: as many rows as they reach, or more. */
int limn_cut_convolutions(const limn_node *node);

/* ---- one row per op ----------------------------------------------------------------------------------------------- */

/** Work out node->shape and node->kind from sources and attr.  @return NULL, or a sentence in text[] saying what is wrong */
typedef const char *(*limn_shape_rule)(limn_node *node, char *text, size_t text_bytes);
/** dsrc[i] = gradient with respect to source i, given dy; leave NULL where there is none (index inputs).  want[i] false:
 *  not needed. */
typedef void (*limn_grad_rule)(limn_node *node, limn_node *dy, const bool *want, limn_node **dsrc);
typedef double (*limn_count_rule)(const limn_node *node);

/* What a source holds. */
typedef enum limn_domain {
    LIMN_ANY,
    LIMN_POSITIVE,
    LIMN_NOT_ZERO,
    LIMN_FIXED,   /* any; there is no gradient to it, and asking for one is an error; those below are not asked for */
    LIMN_IDS,     /* whole numbers below `ids`; others are clamped */
    LIMN_MOMENTS, /* of source 0, as MOMENTS makes them */
    LIMN_TIMES,   /* timesteps */
} limn_domain;

/* The numbers of a node in double: what its sources hold, and its result as the reference has it. */
typedef struct limn_node_values {
    const limn_node *node;
    const double *src[LIMN_MAX_SRC], *y;
    limn_dtype from, to; /* source 0 and the result, as they are stored */
} limn_node_values;
typedef double (*limn_size_rule)(const limn_node_values *n);

/* A product of sources 0 and 1, whose operands kernels may round to bf16 where the result or one of these is stored so. */
typedef enum limn_multiplies {
    LIMN_MULTIPLIES_NOTHING,
    LIMN_BY_WEIGHT, /* source 0 */
    LIMN_BY_VALUES, /* either */
} limn_multiplies;

typedef struct limn_op_row {
    const char *name;
    limn_shape_rule shape;
    limn_grad_rule grad;     /* NULL: no gradient; a path from a loss through it is an error */
    limn_count_rule flops;   /* NULL: one per element of the result */
    bool elementwise;        /* may become a step of a CHAIN */
    bool (*fused)(const limn_node *node); /* such a node is made after the gradients, and has none; NULL: there are none */

    /* How its kernels are checked.  A result may be off by a few roundings of its own size, and by those of `terms` summands
     * that are as large as `size` together (tests/check_values.c has the formula). */
    limn_domain domain[LIMN_MAX_SRC];
    limn_count_rule ids;     /* with LIMN_IDS */
    limn_count_rule terms;   /* NULL: 1 */
    limn_size_rule size;     /* NULL: an element's own; it counts where it is larger */
    double (*size_at)(const limn_node_values *n, int64_t i); /* of element i instead; NULL: the above */
    limn_size_rule rounded;  /* what is off by roundings to bf16 on the way; NULL: nothing */
    limn_multiplies multiplies;
    const char *never_runs;  /* why it needs no case */
    const char *no_vectors;  /* why PyTorch has no numbers for it */
} limn_op_row;

const limn_op_row *limn_op_find(limn_op op);
const char *limn_op_name(limn_op op);
/** Types that nothing is computed in and that source i, a matrix of weights or a table, may have all the same: f16; of
 * products also f8 and blocks.  Kernels widen it as they go.  @return bit d for limn_dtype d */
uint32_t limn_op_keeps(limn_op op, int i);

/** New node through the op's shape rule; the heart of every constructor.  Any error source makes an error node. */
limn_node *limn_node_new(limn_graph *g, limn_op op, int n_src, limn_node *const *src, const limn_attr *attr);
/** A twin of a node of any graph, with the same sources, scope and names.  @return g's error node when memory is out */
limn_node *limn_node_copy(limn_graph *g, const limn_node *node);
/** The same with a kind other than the rule's. */
limn_node *limn_node_as(limn_node *node, limn_kind kind);
/** Record the graph's first error: "<scope>, <op>: sentence". @return the error node */
limn_node *limn_node_error(limn_graph *g, limn_op op, const char *format, ...) __attribute__((format(printf, 3, 4)));
/** The same for memory that was not there. */
limn_node *limn_node_no_memory(limn_graph *g);
double limn_node_flops(const limn_node *node);
int64_t limn_node_count(const limn_node *node);
/** Elements of a parameter, of a stored table none. */
int64_t limn_node_parameters(const limn_node *parameter);

/** In place, before gradients are made: fusions that have a gradient rule of their own (layer norm + modulate); not of
 *  kept[].
 *  @return false when memory is out */
bool limn_fuse_before_grad(limn_graph *g, int n_kept, limn_node *const *kept);
/** A private copy of the part of g that outputs need, with the fusions applied (named rules in rewrite.c).
 *  outputs[] are replaced by their nodes in the copy.  @return NULL when memory is out */
limn_graph *limn_rewrite(limn_graph *g, int n_outputs, limn_node **outputs, bool fuse);

#endif
