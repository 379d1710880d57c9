/* attention.c: softmax(q k^T / sqrt(d) + bias) v, h heads side by side in the last axis. */
#include "graph/op/rows.h"

#include <math.h>

/* Width D and token counts of the three packings. */
typedef struct attention_sizes {
    int64_t batch, n_query, n_key, width;
} attention_sizes;

static attention_sizes sizes_of(const limn_node *node)
{
    const limn_shape *q = &node->src[0]->shape;
    const limn_shape *k = node->attr.packed == LIMN_PACKED_QKV ? q : &node->src[1]->shape;
    int64_t width = node->attr.packed == LIMN_PACKED_QKV ? q->dim[2] / 3 : q->dim[2];
    return (attention_sizes){q->dim[0], q->dim[1], k->dim[1], width};
}

static int n_packed(const limn_node *node)
{
    return node->attr.packed == LIMN_PACKED_NONE ? 3 : node->attr.packed == LIMN_PACKED_KV ? 2 : 1;
}

/* bias [n,h,Tq,Tk], the batch a multiple of n; 1 for h or Tq: for all heads, queries */
static bool bias_fits(const limn_node *node, const limn_shape *bias)
{
    attention_sizes s = sizes_of(node);
    return bias->rank == 4 && s.batch % bias->dim[0] == 0 && (bias->dim[1] == node->attr.heads || bias->dim[1] == 1) &&
           (bias->dim[2] == s.n_query || bias->dim[2] == 1) && bias->dim[3] == s.n_key;
}

static const char *check(limn_node *node, char *text, size_t text_bytes)
{
    int packed = node->attr.packed, n = n_packed(node);
    const limn_shape *q = &node->src[0]->shape;
    char a[128], b[128];
    for (int i = 0; i < n; i++)
        if (node->src[i]->shape.rank != 3 || node->src[i]->shape.dim[0] != q->dim[0]) {
            snprintf(text, text_bytes, "needs [B,T,D] sources of one batch, found %s and %s", limn_shape_text(q, a),
                     limn_shape_text(&node->src[i]->shape, b));
            return text;
        }
    attention_sizes s = sizes_of(node);
    bool fits = node->attr.heads >= 1 && s.width % node->attr.heads == 0;
    if (packed == LIMN_PACKED_QKV) fits = fits && q->dim[2] % 3 == 0;
    if (packed == LIMN_PACKED_KV) fits = fits && node->src[1]->shape.dim[2] == 2 * s.width;
    if (packed == LIMN_PACKED_NONE)
        fits = fits && limn_shape_equal(&node->src[1]->shape, &node->src[2]->shape) && node->src[1]->shape.dim[2] == s.width;
    if (node->attr.causal) fits = fits && s.n_query == s.n_key;
    if (!fits) {
        snprintf(text, text_bytes, "query %s and key %s do not make %d heads", limn_shape_text(q, a),
                 limn_shape_text(&node->src[n > 1]->shape, b), node->attr.heads);
        return text;
    }
    if (!(node->attr.flags & LIMN_HAS_BIAS) || bias_fits(node, &node->src[n]->shape)) return NULL;
    snprintf(text, text_bytes, "the bias is [n, %d or 1, %lld or 1, %lld] with n parts of the batch of %lld, found %s",
             node->attr.heads, (long long)s.n_query, (long long)s.n_key, (long long)s.batch,
             limn_shape_text(&node->src[n]->shape, a));
    return text;
}

static const char *shape_attention(limn_node *node, char *text, size_t text_bytes)
{
    const char *wrong = check(node, text, text_bytes);
    if (wrong) return wrong;
    attention_sizes s = sizes_of(node);
    node->shape = LIMN_SHAPE(s.batch, s.n_query, s.width);
    return NULL;
}

static const char *shape_attention_grad(limn_node *node, char *text, size_t text_bytes)
{
    const char *wrong = check(node, text, text_bytes);
    if (wrong) return wrong;
    attention_sizes s = sizes_of(node);
    if (node->attr.packed == LIMN_PACKED_QKV) node->shape = node->src[0]->shape;
    else node->shape = LIMN_SHAPE(s.batch * s.width * (s.n_query + 2 * s.n_key));
    return NULL;
}

static const char *shape_attention_grad_bias(limn_node *node, char *text, size_t text_bytes)
{
    const char *wrong = check(node, text, text_bytes);
    if (wrong) return wrong;
    node->shape = node->src[n_packed(node)]->shape;
    node->kind = LIMN_WIDE;
    return NULL;
}

static void grad_attention(limn_node *node, limn_node *dy, const bool *want, limn_node **dsrc)
{
    limn_node *src[LIMN_MAX_SRC];
    int n = n_packed(node);
    bool any = false;
    for (int i = 0; i < node->n_src; i++) src[i] = node->src[i];
    for (int i = 0; i < n; i++) any |= want[i];
    src[node->n_src] = node;
    src[node->n_src + 1] = dy;
    if (node->n_src > n && want[n])
        dsrc[n] = limn_node_new(node->graph, LIMN_OP_ATTENTION_GRAD_BIAS, node->n_src + 2, src, &node->attr);
    if (!any) return;
    limn_node *d = limn_node_new(node->graph, LIMN_OP_ATTENTION_GRAD, node->n_src + 2, src, &node->attr);
    if (n == 1) {
        dsrc[0] = d;
        return;
    }
    int64_t begin = 0;
    for (int i = 0; i < n; i++) {
        dsrc[i] = limn_part(d, begin, src[i]->shape);
        begin += limn_node_count(src[i]);
    }
}

/* two products forward; five backward (the scores are recomputed), two for the bias alone */
static double flops_attention(const limn_node *node)
{
    attention_sizes s = sizes_of(node);
    double products = node->op == LIMN_OP_ATTENTION_GRAD ? 5 : 2;
    return 2.0 * products * (double)s.batch * (double)s.width * (double)s.n_query * (double)s.n_key *
           (node->attr.causal ? 0.5 : 1);
}

/* keys + head size */
static double terms_attention(const limn_node *node)
{
    return (double)(node->src[node->attr.packed == LIMN_PACKED_QKV ? 0 : 1]->shape.dim[1] +
                    limn_shape_cols(&node->src[0]->shape) / node->attr.heads);
}

/* The largest |max| of a row of the bias: far below it there is no probability left to be off. */
static double size_of_bias(const limn_node_values *n)
{
    int s = n_packed(n->node);
    if (!(n->node->attr.flags & LIMN_HAS_BIAS)) return 0;
    const limn_shape *shape = &n->node->src[s]->shape;
    double size = 0;
    for (int64_t i = 0, cols = limn_shape_cols(shape); i < limn_shape_rows(shape); i++) {
        double top = -INFINITY;
        for (int64_t j = 0; j < cols; j++) top = fmax(top, n->src[s][i * cols + j]);
        if (isfinite(top)) size = fmax(size, fabs(top));
    }
    return size;
}

/* Exponents */
static double size_of_scores(const limn_node_values *n)
{
    return 1 + limn_rms_of(n, 0) * limn_rms_of(n, n_packed(n->node) == 1 ? 0 : 1) + size_of_bias(n);
}

static double size_attention(const limn_node_values *n)
{
    return limn_size_result(n) * size_of_scores(n);
}

/* Samples, heads and queries that share an element of the bias, which is node's result */
static double shares_of_bias(const limn_node *node)
{
    attention_sizes s = sizes_of(node);
    return (double)(s.batch * node->attr.heads * s.n_query) / (double)limn_shape_rows(&node->shape);
}

/* p (dout v - dout out) k: the difference cancels */
static double size_attention_grad(const limn_node_values *n)
{
    const limn_node *node = n->node;
    int last = node->n_src - 1, n_sources = n_packed(node);
    double w = limn_rms_of(n, last) * (limn_rms_of(n, n_sources - 1) + limn_rms_of(n, last - 1));
    if (node->op == LIMN_OP_ATTENTION_GRAD) w *= fmax(limn_rms_of(n, 0), limn_rms_of(n, n_sources > 1 ? 1 : 0));
    else w *= sqrt(shares_of_bias(node));
    return (limn_size_result(n) + w) * size_of_scores(n);
}

const limn_op_row limn_rows_attention[LIMN_N_OPS] = {
    [LIMN_OP_ATTENTION] = {.name = "attention",
                           .shape = shape_attention,
                           .grad = grad_attention,
                           .flops = flops_attention,
                           .terms = terms_attention,
                           .size = size_attention},
    [LIMN_OP_ATTENTION_GRAD] = {.name = "attention_grad",
                                .shape = shape_attention_grad,
                                .flops = flops_attention,
                                .terms = terms_attention,
                                .size = size_attention_grad},
    [LIMN_OP_ATTENTION_GRAD_BIAS] = {.name = "attention_grad_bias",
                                     .shape = shape_attention_grad_bias,
                                     .flops = flops_attention,
                                     .terms = terms_attention,
                                     .size = size_attention_grad},
};
