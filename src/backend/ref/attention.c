/* attention.c: p = softmax(q k^T / sqrt(d) + bias) per head, y = p v.   One row of p at a time, computed anew whenever it is
 * needed. */
#include "backend/ref/ref.h"

#include <math.h>

/* Element (b, t, i) of an operand: view `v`, row length, first column. */
typedef struct operand {
    limn_view view;
    int64_t tokens, row, begin;
} operand;

typedef struct sizes {
    int64_t batch, nq, nk, width, d;
    int heads;
    double scale;
    bool causal;
    operand q, k, v, dq, dk, dv;
    const limn_view *bias; /* [n_bias, heads or 1, nq or 1, nk] or NULL */
} sizes;

static operand part(const limn_view *view, int64_t tokens, int64_t row, int64_t begin)
{
    return (operand){*view, tokens, row, begin};
}

static sizes sizes_of(const limn_call *c)
{
    const limn_view *a = &c->src[0], *b = &c->src[1];
    int packed = c->attr->packed;
    sizes s = {.batch = a->shape.dim[0], .nq = a->shape.dim[1], .heads = c->attr->heads, .causal = c->attr->causal};
    s.width = packed == LIMN_PACKED_QKV ? a->shape.dim[2] / 3 : a->shape.dim[2];
    s.nk = packed == LIMN_PACKED_QKV ? s.nq : b->shape.dim[1];
    s.d = s.width / s.heads;
    s.scale = 1 / sqrt((double)s.d);
    int64_t w = s.width, n = s.batch * w;
    if (packed == LIMN_PACKED_QKV) {
        s.q = part(a, s.nq, 3 * w, 0), s.k = part(a, s.nq, 3 * w, w), s.v = part(a, s.nq, 3 * w, 2 * w);
        s.dq = part(&c->dst, s.nq, 3 * w, 0), s.dk = part(&c->dst, s.nq, 3 * w, w), s.dv = part(&c->dst, s.nq, 3 * w, 2 * w);
    } else if (packed == LIMN_PACKED_KV) {
        s.q = part(a, s.nq, w, 0), s.k = part(b, s.nk, 2 * w, 0), s.v = part(b, s.nk, 2 * w, w);
        s.dq = part(&c->dst, s.nq, w, 0), s.dk = part(&c->dst, s.nk, 2 * w, n * s.nq),
        s.dv = part(&c->dst, s.nk, 2 * w, n * s.nq + w);
    } else {
        s.q = part(a, s.nq, w, 0), s.k = part(b, s.nk, w, 0), s.v = part(&c->src[2], s.nk, w, 0);
        s.dq = part(&c->dst, s.nq, w, 0), s.dk = part(&c->dst, s.nk, w, n * s.nq),
        s.dv = part(&c->dst, s.nk, w, n * (s.nq + s.nk));
    }
    if (c->attr->flags & LIMN_HAS_BIAS) s.bias = &c->src[packed == LIMN_PACKED_NONE ? 3 : packed == LIMN_PACKED_KV ? 2 : 1];
    return s;
}

static int64_t at(const operand *o, int64_t b, int64_t t, int64_t i)
{
    return o->begin + (b * o->tokens + t) * o->row + i;
}

/* First element of the bias of query t, in the head whose first column is i0 */
static int64_t bias_row(const sizes *s, int64_t b, int64_t t, int64_t i0)
{
    const int64_t *n = s->bias->shape.dim; /* an index modulo 1 is 0 */
    return ((b % n[0] * n[1] + i0 / s->d % n[1]) * n[2] + t % n[2]) * s->nk;
}

/* p[0..nk-1] of query t, zeros where a bias of -inf hides all keys; i0 is the head's first column */
static void row_of_p(const sizes *s, int64_t b, int64_t t, int64_t i0, double *p)
{
    double max = -INFINITY, sum = 0;
    for (int64_t j = 0; j < s->nk; j++) {
        p[j] = 0;
        for (int64_t i = i0; i < i0 + s->d; i++)
            p[j] += limn_get(&s->q.view, at(&s->q, b, t, i)) * limn_get(&s->k.view, at(&s->k, b, j, i));
        p[j] =
            s->causal && j > t ? -INFINITY : p[j] * s->scale + (s->bias ? limn_get(s->bias, bias_row(s, b, t, i0) + j) : 0);
        max = fmax(max, p[j]);
    }
    double shift = s->bias && max == -INFINITY ? 0 : max;
    for (int64_t j = 0; j < s->nk; j++) sum += p[j] = exp(p[j] - shift);
    for (int64_t j = 0; j < s->nk && sum != 0; j++) p[j] /= sum;
}

/* One row of p; for the gradient also its sums. */
static size_t attention_scratch(const limn_call *c)
{
    int64_t n = c->op != LIMN_OP_ATTENTION ? limn_shape_count(&c->dst.shape) : 0;
    return (size_t)(sizes_of(c).nk + n) * sizeof(double);
}

static limn_status attention(const limn_call *c)
{
    sizes s = sizes_of(c);
    double *p = c->scratch;
    for (int64_t b = 0; b < s.batch; b++)
        for (int64_t i0 = 0; i0 < s.width; i0 += s.d)
            for (int64_t t = 0; t < s.nq; t++) {
                row_of_p(&s, b, t, i0, p);
                for (int64_t i = i0; i < i0 + s.d; i++) {
                    double y = 0;
                    for (int64_t j = 0; j < s.nk; j++) y += p[j] * limn_get(&s.v.view, at(&s.v, b, j, i));
                    limn_put(&c->dst, (b * s.nq + t) * s.width + i, y);
                }
            }
    return LIMN_OK;
}

/* Sums are kept in double and rounded once.   dv = p^T dy;  dbias = ds = p (dy v^T - sum(dy y));  dq = ds k / sqrt(d);  dk =
 * ds^T q / sqrt(d) */
static limn_status attention_grad(const limn_call *c)
{
    sizes s = sizes_of(c);
    const limn_view *y = &c->src[c->n_src - 2], *dy = &c->src[c->n_src - 1];
    bool of_bias = c->op == LIMN_OP_ATTENTION_GRAD_BIAS;
    int64_t n = limn_shape_count(&c->dst.shape);
    double *p = c->scratch, *sum = p + s.nk;
    for (int64_t i = 0; i < n; i++) sum[i] = 0;
    for (int64_t b = 0; b < s.batch; b++)
        for (int64_t i0 = 0; i0 < s.width; i0 += s.d)
            for (int64_t t = 0; t < s.nq; t++) {
                row_of_p(&s, b, t, i0, p);
                double dot = 0;
                int64_t row = (b * s.nq + t) * s.width;
                for (int64_t i = i0; i < i0 + s.d; i++) dot += limn_get(y, row + i) * limn_get(dy, row + i);
                for (int64_t j = 0; j < s.nk; j++) {
                    double ds = -dot;
                    for (int64_t i = i0; i < i0 + s.d; i++)
                        ds += limn_get(dy, row + i) * limn_get(&s.v.view, at(&s.v, b, j, i));
                    ds *= p[j];
                    if (of_bias) {
                        sum[bias_row(&s, b, t, i0) + j] += ds;
                        continue;
                    }
                    ds *= s.scale;
                    for (int64_t i = i0; i < i0 + s.d; i++) {
                        sum[at(&s.dv, b, j, i)] += p[j] * limn_get(dy, row + i);
                        sum[at(&s.dq, b, t, i)] += ds * limn_get(&s.k.view, at(&s.k, b, j, i));
                        sum[at(&s.dk, b, j, i)] += ds * limn_get(&s.q.view, at(&s.q, b, t, i));
                    }
                }
            }
    for (int64_t i = 0; i < n; i++) limn_put(&c->dst, i, sum[i]);
    return LIMN_OK;
}

const limn_kernel limn_ref_attention[LIMN_N_OPS] = {
    [LIMN_OP_ATTENTION] = {.name = "ref", .run = attention, .scratch_bytes = attention_scratch},
    [LIMN_OP_ATTENTION_GRAD] = {.name = "ref", .run = attention_grad, .scratch_bytes = attention_scratch},
    [LIMN_OP_ATTENTION_GRAD_BIAS] = {.name = "ref", .run = attention_grad, .scratch_bytes = attention_scratch},
};
