/* check_attention.c: what attention on bf16 rounds on its way, for each element of a result.   u = 2^-8, rounding to bf16
 *
 *   y   u sum p |v|        p is rounded before its product
 *   dv  u sum p |dy|
 *   dq  u sum |ds| |k|     ds = p (dy v - sum(dy y)) / sqrt(d) is rounded before its products
 *   dk  u sum |ds| |q|
 *
 * A row of one key (the first of a causal mask) has p = 1, which loses nothing: a bound of all rows by the largest would
 * hide its faults. */
#include "check.h"

#include <math.h>
#include <stdlib.h>

/* [batch, tokens, columns] in rows of `row`; element (b, t, i) lies at begin + (b tokens + t) row + i */
typedef struct operand {
    const double *x; /* NULL: of the result */
    int64_t tokens, row, begin;
} operand;

typedef struct attention {
    int64_t batch, n_query, n_key, width, d;
    bool causal;
    operand q, k, v, y, dy, dq, dk, dv;
    const double *bias; /* of shape n[4] or NULL */
    const int64_t *n;
} attention;

static int64_t at(const operand *o, int64_t b, int64_t t, int64_t i)
{
    return o->begin + (b * o->tokens + t) * o->row + i;
}

static double get(const operand *o, int64_t b, int64_t t, int64_t i)
{
    return o->x[at(o, b, t, i)];
}

static attention attention_of(const check_result *r)
{
    const check_case *k = r->k;
    int packed = k->attr.packed;
    int n_inputs = packed == LIMN_PACKED_QKV ? 1 : packed == LIMN_PACKED_KV ? 2 : 3;
    attention a = {.batch = k->src[0].dim[0], .n_query = k->src[0].dim[1], .causal = k->attr.causal};
    a.n_key = k->src[packed == LIMN_PACKED_QKV ? 0 : 1].dim[1];
    a.width = k->src[0].dim[2] / (packed == LIMN_PACKED_QKV ? 3 : 1);
    a.d = a.width / k->attr.heads;
    int64_t w = a.width, q_row = packed == LIMN_PACKED_QKV ? 3 * w : w,
            k_row = packed == LIMN_PACKED_NONE ? w
                    : packed == LIMN_PACKED_KV ? 2 * w
                                               : 3 * w;
    int64_t behind_q = packed == LIMN_PACKED_QKV ? w : 0, behind_k = packed == LIMN_PACKED_NONE ? 0 : behind_q + w,
            n = a.batch * w;
    a.q = (operand){r->src[0], a.n_query, q_row, 0};
    a.k = (operand){r->src[n_inputs > 1 ? 1 : 0], a.n_key, k_row, behind_q};
    a.v = (operand){r->src[n_inputs - 1], a.n_key, k_row, behind_k};
    a.dq = a.q, a.dk = a.k, a.dv = a.v;
    a.dk.begin += packed == LIMN_PACKED_QKV ? 0 : n * a.n_query; /* one gradient after the other */
    a.dv.begin += packed == LIMN_PACKED_QKV ? 0 : packed == LIMN_PACKED_KV ? n * a.n_query : n * (a.n_query + a.n_key);
    a.y = (operand){k->op == LIMN_OP_ATTENTION ? NULL : r->src[k->n_src - 2], a.n_query, w, 0};
    if (k->attr.flags & LIMN_HAS_BIAS) a.bias = r->src[n_inputs], a.n = k->src[n_inputs].dim;
    a.dy = (operand){k->op == LIMN_OP_ATTENTION ? NULL : r->src[k->n_src - 1], a.n_query, w, 0};
    return a;
}

/* Of query t in the head that begins at column c */
static double bias_of(const attention *a, int64_t b, int64_t t, int64_t c, int64_t j)
{
    const int64_t *n = a->n;
    return a->bias ? a->bias[((b % n[0] * n[1] + c / a->d % n[1]) * n[2] + t % n[2]) * a->n_key + j] : 0;
}

/* p [n_key] of query t in the head that begins at column c; @return how many keys it sees */
static int64_t probabilities(const attention *a, int64_t b, int64_t t, int64_t c, double *p)
{
    int64_t n = a->causal && t + 1 < a->n_key ? t + 1 : a->n_key;
    double max = -INFINITY, sum = 0;
    for (int64_t j = 0; j < n; j++) {
        p[j] = 0;
        for (int64_t i = c; i < c + a->d; i++) p[j] += get(&a->q, b, t, i) * get(&a->k, b, j, i);
        p[j] = p[j] / sqrt((double)a->d) + bias_of(a, b, t, c, j);
        max = fmax(max, p[j]);
    }
    if (max == -INFINITY) return 0;
    for (int64_t j = 0; j < n; j++) sum += p[j] = exp(p[j] - max);
    for (int64_t j = 0; j < n; j++) p[j] /= sum;
    return n;
}

/* Query t and key j, of probability p. */
static void add_gradient(const attention *a, int64_t b, int64_t t, int64_t j, int64_t c, double p, double *sum)
{
    double ds = 0;
    for (int64_t i = c; i < c + a->d; i++) ds += get(&a->dy, b, t, i) * (get(&a->v, b, j, i) - get(&a->y, b, t, i));
    ds = fabs(p * ds) / sqrt((double)a->d);
    for (int64_t i = c; i < c + a->d; i++) {
        sum[at(&a->dq, b, t, i)] += ds * fabs(get(&a->k, b, j, i));
        sum[at(&a->dk, b, j, i)] += ds * fabs(get(&a->q, b, t, i));
        sum[at(&a->dv, b, j, i)] += p * fabs(get(&a->dy, b, t, i));
    }
}

double *check_attention_rounding(const check_result *r)
{
    attention a = attention_of(r);
    double *sum = calloc((size_t)r->n, sizeof *sum), *p = malloc((size_t)a.n_key * sizeof *p);
    if (!sum || !p) abort();
    for (int64_t b = 0; b < a.batch; b++)
        for (int64_t c = 0; c < a.width; c += a.d)
            for (int64_t t = 0; t < a.n_query; t++)
                for (int64_t j = 0, n = probabilities(&a, b, t, c, p); j < n; j++) {
                    if (a.dy.x) add_gradient(&a, b, t, j, c, p[j], sum);
                    for (int64_t i = c; !a.dy.x && i < c + a.d; i++)
                        sum[(b * a.n_query + t) * a.width + i] += p[j] * fabs(get(&a.v, b, j, i));
                }
    for (int64_t i = 0; i < r->n; i++) sum[i] *= 0x1p-8;
    free(p);
    return sum;
}
