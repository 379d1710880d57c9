/* attention.c: from a call to its heads: operands of the three packings, one head of one sample per task, or a part of its
 * queries. */
#include "backend/cpu/heads.h"
#include "backend/cpu/kernels.h"

#include <math.h>
#include <omp.h>
#include <string.h>

enum { QUERIES_OF_PART = 32 }; /* least, a multiple of the queries a kernel takes at a time */

typedef struct operand {
    char *data;
    int64_t tokens, row, begin; /* element (b, t, i) at begin + (b tokens + t) row + i */
} operand;

typedef struct sizes {
    int64_t batch, n_query, n_key, width, d;
    operand q, k, v, y, out, dout, dq, dk, dv;
    const limn_view *bias; /* [n_bias, heads or 1, n_query or 1, n_key] or NULL */
} sizes;

static operand part(const limn_view *v, int64_t tokens, int64_t row, int64_t begin)
{
    return (operand){v->data, tokens, row, begin};
}

static sizes sizes_of(const limn_call *c)
{
    const limn_view *a = &c->src[0], *b = &c->src[1], *dst = &c->dst;
    int packed = c->attr->packed;
    sizes s = {.batch = a->shape.dim[0], .n_query = a->shape.dim[1]};
    int64_t w = s.width = packed == LIMN_PACKED_QKV ? a->shape.dim[2] / 3 : a->shape.dim[2], nq = s.n_query;
    int64_t nk = s.n_key = packed == LIMN_PACKED_QKV ? nq : b->shape.dim[1], all = s.batch * w;
    s.d = w / c->attr->heads;
    if (packed == LIMN_PACKED_QKV) {
        s.q = part(a, nq, 3 * w, 0), s.k = part(a, nq, 3 * w, w), s.v = part(a, nq, 3 * w, 2 * w);
        s.dq = part(dst, nq, 3 * w, 0), s.dk = part(dst, nq, 3 * w, w), s.dv = part(dst, nq, 3 * w, 2 * w);
    } else if (packed == LIMN_PACKED_KV) {
        s.q = part(a, nq, w, 0), s.k = part(b, nk, 2 * w, 0), s.v = part(b, nk, 2 * w, w);
        s.dq = part(dst, nq, w, 0), s.dk = part(dst, nk, 2 * w, all * nq), s.dv = part(dst, nk, 2 * w, all * nq + w);
    } else {
        s.q = part(a, nq, w, 0), s.k = part(b, nk, w, 0), s.v = part(&c->src[2], nk, w, 0);
        s.dq = part(dst, nq, w, 0), s.dk = part(dst, nk, w, all * nq), s.dv = part(dst, nk, w, all * (nq + nk));
    }
    s.y = part(dst, nq, w, 0);
    if (c->attr->flags & LIMN_HAS_BIAS) s.bias = &c->src[packed == LIMN_PACKED_NONE ? 3 : packed == LIMN_PACKED_KV ? 2 : 1];
    if (c->op != LIMN_OP_ATTENTION)
        s.out = part(&c->src[c->n_src - 2], nq, w, 0), s.dout = part(&c->src[c->n_src - 1], nq, w, 0);
    return s;
}

static const char *refuse_attention(const limn_call *c)
{
    const char *why = limn_cpu_refuse_types(c);
    for (int i = 0; !why && i < c->n_src; i++)
        if (c->src[i].dtype != c->src[0].dtype) why = "sources must be of one type";
    if (!why && c->op == LIMN_OP_ATTENTION_GRAD_BIAS)
        return c->dst.dtype == LIMN_F32 ? NULL : "the gradient of a bias is f32";
    return why || c->dst.dtype == c->src[0].dtype ? why : "sources and result must be of one type";
}

size_t limn_heads_scratch(const limn_call *c, limn_head_bytes *bytes)
{
    sizes s = sizes_of(c);
    return (bytes(s.n_key, s.d, c->op != LIMN_OP_ATTENTION) + 63) / 64 * 64;
}

static char *head_start(const operand *o, int64_t b, int64_t column, size_t bytes)
{
    return o->data + (size_t)(o->begin + b * o->tokens * o->row + column) * bytes;
}

/* Head `at` of sample b: where it reads. */
static limn_head head_of(const limn_call *c, const sizes *s, int64_t b, int64_t at, size_t scratch_bytes)
{
    int64_t column = at * s->d;
    size_t bytes = limn_dtype_bytes(c->src[0].dtype);
    limn_head head = {.n_query = s->n_query,
                      .n_key = s->n_key,
                      .d = s->d,
                      .scale = (float)(1 / sqrt((double)s->d)),
                      .causal = c->attr->causal,
                      .dtype = c->src[0].dtype,
                      .q = head_start(&s->q, b, column, bytes),
                      .k = head_start(&s->k, b, column, bytes),
                      .v = head_start(&s->v, b, column, bytes),
                      .q_row = s->q.row,
                      .k_row = s->k.row,
                      .v_row = s->v.row,
                      .scratch = (float *)((char *)c->scratch + (size_t)omp_get_thread_num() * scratch_bytes)};
    if (s->bias) {
        const int64_t *n = s->bias->shape.dim;
        head.bias = (const char *)s->bias->data + (size_t)((b % n[0] * n[1] + at % n[1]) * n[2] * s->n_key) * bytes;
        head.bias_row = n[2] > 1 ? s->n_key : 0;
    }
    if (c->op == LIMN_OP_ATTENTION) return head;
    head.out = head_start(&s->out, b, column, bytes), head.out_row = s->out.row;
    head.dout = head_start(&s->dout, b, column, bytes), head.dout_row = s->dout.row;
    return head;
}

/* Into how many parts a head's queries go, so that few heads still feed all threads; each query's sums are its own, so no
 * bit depends on it. */
static int64_t parts_of_head(const limn_call *c, const sizes *s)
{
    int64_t parts = 1, heads = s->batch * c->attr->heads;
    if (c->op != LIMN_OP_ATTENTION || c->attr->causal) return 1;
    while (heads * parts % c->n_threads && heads * parts < 8 * c->n_threads && s->n_query >= (parts + 1) * QUERIES_OF_PART)
        parts++;
    return parts;
}

/* Queries [begin, end) of a head. */
static void narrow(limn_head *head, int64_t begin, int64_t end)
{
    size_t bytes = limn_dtype_bytes(head->dtype);
    head->q = (const char *)head->q + (size_t)(begin * head->q_row) * bytes;
    head->y = (char *)head->y + (size_t)(begin * head->y_row) * bytes;
    if (head->bias) head->bias = (const char *)head->bias + (size_t)(begin * head->bias_row) * bytes;
    head->n_query = end - begin;
}

static void run_part(const limn_call *c, const sizes *s, int64_t i, int64_t part, int64_t parts,
                     void (*head_run)(const limn_head *head), size_t scratch_bytes)
{
    size_t bytes = limn_dtype_bytes(c->dst.dtype);
    int64_t b = i / c->attr->heads, column = i % c->attr->heads * s->d;
    limn_head head = head_of(c, s, b, i % c->attr->heads, scratch_bytes);
    if (c->op == LIMN_OP_ATTENTION) {
        int64_t each = limn_round_up((s->n_query + parts - 1) / parts, QUERIES_OF_PART), begin = part * each,
                end = begin + each;
        head.y = head_start(&s->y, b, column, bytes), head.y_row = s->y.row;
        if (begin >= s->n_query) return;
        narrow(&head, begin, end < s->n_query ? end : s->n_query);
    } else {
        head.dq = head_start(&s->dq, b, column, bytes), head.dq_row = s->dq.row;
        head.dk = head_start(&s->dk, b, column, bytes), head.dk_row = s->dk.row;
        head.dv = head_start(&s->dv, b, column, bytes), head.dv_row = s->dv.row;
    }
    head_run(&head);
}

void limn_heads_run(const limn_call *c, void (*head_run)(const limn_head *head), size_t scratch_bytes)
{
    sizes s = sizes_of(c);
    int64_t parts = parts_of_head(c, &s), n = s.batch * c->attr->heads * parts;
#pragma omp parallel for schedule(static) num_threads(c->n_threads)
    for (int64_t i = 0; i < n; i++) run_part(c, &s, i / parts, i % parts, parts, head_run, scratch_bytes);
}

static size_t scratch_attention(const limn_call *c)
{
    return (size_t)c->n_threads * limn_heads_scratch(c, limn_head_scratch_bytes);
}

static limn_status run_attention(const limn_call *c)
{
    const limn_rows *rows = limn_rows_of(c);
    limn_heads_run(c, c->op == LIMN_OP_ATTENTION_GRAD ? rows->attention_grad : rows->attention,
                   limn_heads_scratch(c, limn_head_scratch_bytes));
    return LIMN_OK;
}

/* A thread has whole maps of a bias and adds up its samples and heads in order: the same sums on any number of threads. */
static limn_status run_attention_grad_bias(const limn_call *c)
{
    sizes s = sizes_of(c);
    const int64_t *of = s.bias->shape.dim;
    int64_t n = of[0] * of[1], map = of[2] * s.n_key;
    size_t scratch_bytes = limn_heads_scratch(c, limn_head_scratch_bytes);
#pragma omp parallel for schedule(static) num_threads(c->n_threads)
    for (int64_t i = 0; i < n; i++) {
        float *dbias = (float *)c->dst.data + i * map;
        memset(dbias, 0, (size_t)map * sizeof *dbias);
        for (int64_t b = i / of[1]; b < s.batch; b += of[0])
            for (int64_t at = i % of[1]; at < c->attr->heads; at += of[1]) {
                limn_head head = head_of(c, &s, b, at, scratch_bytes);
                head.dbias = dbias;
                limn_rows_of(c)->attention_grad(&head);
            }
    }
    return LIMN_OK;
}

const limn_kernel limn_cpu_attention = {
    .name = "attention", .refuse = refuse_attention, .scratch_bytes = scratch_attention, .run = run_attention};
const limn_kernel limn_cpu_attention_grad = {
    .name = "attention_grad", .refuse = refuse_attention, .scratch_bytes = scratch_attention, .run = run_attention};
const limn_kernel limn_cpu_attention_grad_bias = {.name = "attention_grad_bias",
                                                  .refuse = refuse_attention,
                                                  .scratch_bytes = scratch_attention,
                                                  .run = run_attention_grad_bias};
