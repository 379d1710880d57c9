/* mmdit_joint.c: two streams, image and text, that meet in one attention, Esser et al. 2024, fig. 2: attention = joint.
 * Named as in SD3's repository.  MMDiT-X (Stable Diffusion 3.5 medium): in the first blocks image tokens also look at each
 * other alone. */
#include "model/mmdit.h"

typedef struct stream {
    limn_node *x, *m[9], *q, *k, *v; /* m: shift, scale, gate of attn, mlp, attn2 */
} stream;

/* Each head of q or k through an RMS norm of its own. */
static limn_node *head_norm(limn_graph *g, const char *name, limn_node *x, int heads)
{
    limn_shape s = limn_node_shape(x);
    limn_node *y = limn_reshape(x, LIMN_SHAPE(s.dim[0], s.dim[1], heads, s.dim[2] / heads));
    return limn_reshape(limn_rms_norm(g, name, y, 1e-6), s);
}

static void make_qkv(limn_graph *g, const mmdit_config *cfg, limn_node *h, limn_node *qkv[3])
{
    limn_chunk(limn_linear(g, "qkv", h, 3 * limn_node_shape(h).dim[2]), 3, qkv);
    if (!cfg->qk_norm) return;
    qkv[0] = head_norm(g, "ln_q", qkv[0], cfg->heads);
    qkv[1] = head_norm(g, "ln_k", qkv[1], cfg->heads);
}

/* Modulated q, k, v of one stream; the last block's context has neither gates nor MLP (n_chunks 2). */
static void stream_qkv(limn_graph *g, const mmdit_config *cfg, const char *name, stream *st, limn_node *c, int n_chunks)
{
    limn_node *qkv[3];
    limn_scope_push(g, "%s", name);
    limn_scope_note(g, name[0] == 'x' ? "image stream" : "text stream");
    limn_modulation(g, c, n_chunks, limn_node_shape(st->x).dim[2], st->m);
    limn_node *h = limn_modulated_norm(g, st->x, st->m[0], st->m[1]);
    limn_scope_push(g, "attn");
    make_qkv(g, cfg, h, qkv);
    st->q = qkv[0], st->k = qkv[1], st->v = qkv[2];
    limn_scope_pop(g);
    limn_scope_pop(g);
}

/* Of the image tokens as they came into the block, as attn is.   -> [B,T,D] */
static limn_node *second_attention(limn_graph *g, const mmdit_config *cfg, const stream *st)
{
    limn_node *h = limn_modulated_norm(g, st->x, st->m[6], st->m[7]), *qkv[3];
    limn_scope_push(g, "attn2");
    limn_scope_note(g, "image tokens look at each other");
    make_qkv(g, cfg, h, qkv);
    h = limn_attention(qkv[0], qkv[1], qkv[2], cfg->heads, false);
    h = limn_linear(g, "proj", h, limn_node_shape(h).dim[2]);
    limn_scope_pop(g);
    return h;
}

/* text: what the stream also looks at; dual: it has a second attention.  Else NULL, false. */
static limn_node *stream_finish(limn_graph *g, const mmdit_config *cfg, const char *name, stream *st, limn_node *attended,
                                limn_node *text, bool dual)
{
    int64_t width = limn_node_shape(st->x).dim[2];
    limn_scope_push(g, "%s", name);
    limn_scope_push(g, "attn");
    limn_node *h = limn_linear(g, "proj", attended, width);
    limn_scope_pop(g);
    limn_node *x = limn_gated(st->x, st->m[2], h);
    if (dual) x = limn_gated(x, st->m[8], second_attention(g, cfg, st));
    if (text) x = limn_add(x, limn_cross_attention(g, "cross_attn", x, text, cfg->heads));
    x = limn_modulated_mlp(g, x, st->m, cfg->mlp);
    limn_scope_pop(g);
    return x;
}

void limn_joint_block(limn_graph *g, const mmdit_config *cfg, int i, limn_node **x, limn_node **context, limn_node *c,
                      limn_node *text)
{
    bool last = i == cfg->depth - 1, dual = i < cfg->dual;
    limn_scope_push(g, "joint_blocks.%d", i);
    limn_scope_note(g, "MMDiT block: two streams, one attention");
    stream a = {.x = *context}, b = {.x = *x};
    stream_qkv(g, cfg, "context_block", &a, c, last ? 2 : 6);
    stream_qkv(g, cfg, "x_block", &b, c, dual ? 9 : 6);
    limn_node *q = limn_concat(g, 1, 2, (limn_node *[]){a.q, b.q}), *k = limn_concat(g, 1, 2, (limn_node *[]){a.k, b.k});
    limn_node *y = limn_attention(q, k, limn_concat(g, 1, 2, (limn_node *[]){a.v, b.v}), cfg->heads, false);
    int64_t n_text = limn_node_shape(*context).dim[1], n_image = limn_node_shape(*x).dim[1];
    if (!last) *context = stream_finish(g, cfg, "context_block", &a, limn_slice(y, 1, 0, n_text), NULL, false);
    *x = stream_finish(g, cfg, "x_block", &b, limn_slice(y, 1, n_text, n_image), text, dual);
    limn_scope_pop(g);
}

limn_node *limn_mmdit_joint(limn_graph *g, const mmdit_config *cfg, uint64_t without, limn_node *x, limn_node *text,
                            limn_node *c)
{
    for (int i = 0; i < cfg->depth; i++)
        if (!limn_block_left_out(without, i)) limn_joint_block(g, cfg, i, &x, &text, c, NULL);
    return x;
}
