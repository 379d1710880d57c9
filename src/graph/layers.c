/* layers.c: constructors of the layers, with the parameters they own. */
#include "graph/op/rows.h"

#include <math.h>

static const limn_init zero = {.kind = LIMN_INIT_ZERO}, one = {.kind = LIMN_INIT_ONE};

limn_node *limn_parameter_of(limn_graph *g, const char *name, const char *part, limn_shape shape, limn_init init)
{
    const char *full = limn_arena_join(g->arena, name, part);
    return full ? limn_parameter(g, full, shape, init) : limn_node_no_memory(g);
}

limn_node *limn_matmul(limn_node *x, limn_node *w, limn_node *b)
{
    if (b) return limn_node_3(LIMN_OP_LINEAR, x, w, b, &(limn_attr){.flags = LIMN_HAS_BIAS});
    return limn_node_2(LIMN_OP_LINEAR, x, w, NULL);
}

limn_node *limn_linear_with(limn_graph *g, const char *name, limn_node *x, int64_t n, limn_linear_options options)
{
    if (x->op == LIMN_OP_ERROR) return x;
    int64_t k = limn_shape_cols(&x->shape);
    /* Glorot & Bengio 2010, eq. 16 */
    limn_init xavier = {.kind = LIMN_INIT_UNIFORM, .scale = (float)sqrt(6.0 / ((double)k + (double)n)), .decay = true};
    limn_node *w =
        limn_parameter_of(g, name, "weight", LIMN_SHAPE(n, k), options.weight_init ? *options.weight_init : xavier);
    limn_node *b = options.no_bias ? NULL : limn_parameter_of(g, name, "bias", LIMN_SHAPE(n), zero);
    return limn_matmul(x, w, b);
}

limn_node *limn_linear(limn_graph *g, const char *name, limn_node *x, int64_t n)
{
    return limn_linear_with(g, name, x, n, (limn_linear_options){0});
}

limn_node *limn_layer_norm(limn_graph *g, const char *name, limn_node *x, double eps)
{
    if (x->op == LIMN_OP_ERROR) return x;
    limn_attr attr = {.eps = eps, .shift = name ? 0 : 1};
    if (!name) return limn_node_1(LIMN_OP_LAYER_NORM, x, &attr);
    limn_shape cols = LIMN_SHAPE(limn_shape_cols(&x->shape));
    attr.flags = LIMN_HAS_WEIGHT;
    return limn_node_3(LIMN_OP_LAYER_NORM, x, limn_parameter_of(g, name, "weight", cols, one),
                       limn_parameter_of(g, name, "bias", cols, zero), &attr);
}

/* [B,D] -> [B,1,D] beside x [B,T,D] */
static limn_node *per_sample(limn_node *v, limn_node *x)
{
    if (v->op == LIMN_OP_ERROR || x->op == LIMN_OP_ERROR || v->shape.rank != 2 || x->shape.rank != 3) return v;
    return limn_reshape(v, LIMN_SHAPE(v->shape.dim[0], 1, v->shape.dim[1]));
}

limn_node *limn_modulate(limn_node *x, limn_node *shift, limn_node *scale)
{
    return limn_add(limn_mul(x, limn_affine(per_sample(scale, x), 1, 1)), per_sample(shift, x));
}

limn_node *limn_gated(limn_node *x, limn_node *gate, limn_node *h)
{
    return limn_add(x, limn_mul(per_sample(gate, h), h));
}

limn_node *limn_rms_norm(limn_graph *g, const char *name, limn_node *x, double eps)
{
    if (x->op == LIMN_OP_ERROR) return x;
    limn_attr attr = {.eps = eps};
    if (!name) return limn_node_1(LIMN_OP_RMS_NORM, x, &attr);
    attr.flags = LIMN_HAS_WEIGHT;
    return limn_node_2(LIMN_OP_RMS_NORM, x,
                       limn_parameter_of(g, name, "weight", LIMN_SHAPE(limn_shape_cols(&x->shape)), one), &attr);
}

limn_node *limn_softmax(limn_node *x)
{
    return limn_node_1(LIMN_OP_SOFTMAX, x, NULL);
}

limn_node *limn_cross_entropy(limn_node *logits, limn_node *target)
{
    return limn_node_2(LIMN_OP_CROSS_ENTROPY, logits, target, NULL);
}

limn_node *limn_attention_with(limn_node *q, limn_node *k, limn_node *v, int heads, limn_attention_options options)
{
    limn_node *src[] = {q, k, v, NULL};
    int n = v ? 3 : k ? 2 : 1;
    limn_attr attr = {.heads = heads,
                      .causal = options.causal,
                      .packed = v ? LIMN_PACKED_NONE : k ? LIMN_PACKED_KV : LIMN_PACKED_QKV,
                      .flags = options.bias ? LIMN_HAS_BIAS : 0};
    if (options.bias) src[n++] = options.bias;
    return limn_node_new(q->graph, LIMN_OP_ATTENTION, n, src, &attr);
}

limn_node *limn_attention(limn_node *q, limn_node *k, limn_node *v, int heads, bool causal)
{
    return limn_attention_with(q, k, v, heads, (limn_attention_options){.causal = causal});
}

limn_node *limn_attention_qkv(limn_node *qkv, int heads, bool causal)
{
    return limn_attention_with(qkv, NULL, NULL, heads, (limn_attention_options){.causal = causal});
}

limn_node *limn_attention_kv(limn_node *q, limn_node *kv, int heads)
{
    return limn_attention_with(q, kv, NULL, heads, (limn_attention_options){0});
}

limn_node *limn_attention_biased(limn_node *qkv, limn_node *bias, int heads)
{
    return limn_attention_with(qkv, NULL, NULL, heads, (limn_attention_options){.bias = bias});
}

limn_node *limn_gather(limn_node *table, limn_node *ids)
{
    return limn_node_2(LIMN_OP_GATHER, table, ids, NULL);
}

limn_node *limn_embedding(limn_graph *g, const char *name, limn_node *ids, int64_t v, int64_t d)
{
    limn_init init = {.kind = LIMN_INIT_NORMAL, .scale = 0.02f};
    return limn_gather(limn_parameter_of(g, name, "weight", LIMN_SHAPE(v, d), init), ids);
}

limn_node *limn_timestep_embedding(limn_node *t, int64_t dim, double max_period, bool cos_first)
{
    return limn_node_1(LIMN_OP_TIMESTEP_EMBEDDING, t,
                       &(limn_attr){.shape = LIMN_SHAPE(dim), .scale = max_period, .flags = cos_first ? LIMN_COS_FIRST : 0});
}
