/* tree.c: see tree.h. */
#include "comm/tree.h"

#include <string.h>

int limn_tree_add(limn_tree *t, int level, int64_t first)
{
    int n = t->n;
    while (n > 0 && t->node[n - 1].level == level && t->node[n - 1].first + (INT64_C(1) << level) == first &&
           (t->node[n - 1].first >> level) % 2 == 0)
        first = t->node[--n].first, level++;
    int joined = t->n - n;
    t->node[n].level = level, t->node[n].first = first, t->n = n + 1;
    return joined;
}

limn_tree limn_tree_of(int64_t first, int64_t n, int *most)
{
    limn_tree t = {0};
    int waiting = 0;
    for (int64_t i = 0; i < n; i++) {
        if (t.n > waiting) waiting = t.n;
        limn_tree_add(&t, 0, first + i);
    }
    if (most) *most = waiting;
    return t;
}

double limn_tree_sum_f64(const double *x, int64_t n)
{
    int64_t left = 1;
    if (n == 1) return x[0];
    while (left * 2 < n) left *= 2;
    return limn_tree_sum_f64(x, left) + limn_tree_sum_f64(x + left, n - left);
}

/* ---- floats ----------------------------------------------------------------------------------------------------------- */

void limn_tree_join(limn_ctx *ctx, size_t n, float *left, const float *right)
{
    limn_floats floats;
    limn_floats_begin(&floats, ctx->n_threads);
#pragma omp parallel for simd schedule(static) num_threads(ctx->n_threads)
    for (size_t i = 0; i < n; i++) left[i] += right[i];
    limn_floats_end(&floats);
}

/* What is left when all parts are there: the last node is the right child of a node whose left one is before it.
 * out = scale x sum */
static void finish(limn_ctx *ctx, size_t n, float *const *sum, int nodes, float *out, float scale)
{
    const float *all = sum[0];
    while (--nodes > 0) limn_tree_join(ctx, n, sum[nodes - 1], sum[nodes]);
    if (out == all && scale == 1) return;
    limn_floats floats;
    limn_floats_begin(&floats, ctx->n_threads);
#pragma omp parallel for simd schedule(static) num_threads(ctx->n_threads)
    for (size_t i = 0; i < n; i++) out[i] = all[i] * scale;
    limn_floats_end(&floats);
}

/* A piece of the vector at a time: `each` floats of it for every rank. */
typedef struct piece {
    limn_comm *comm;
    int parts, nodes; /* of each rank; the most that one has at the end */
    size_t each;
    float *out, *in; /* [size, each]; [nodes, size, each] */
} piece;

/* Adds up what has arrived; the sum lies in its first block. */
static void add_arrived(const piece *p)
{
    limn_tree all = {0};
    float *sum[LIMN_TREE_NODES];
    for (int rank = 0; rank < p->comm->size; rank++) {
        limn_tree own = limn_tree_of((int64_t)rank * p->parts, p->parts, NULL);
        for (int k = 0; k < own.n; k++) {
            float *block = p->in + ((size_t)k * (size_t)p->comm->size + (size_t)rank) * p->each;
            int joined = limn_tree_add(&all, own.node[k].level, own.node[k].first);
            for (int at = all.n - 2 + joined; at >= all.n - 1; block = sum[at--])
                limn_tree_join(p->comm->ctx, p->each, sum[at], block);
            sum[all.n - 1] = block;
        }
    }
    finish(p->comm->ctx, p->each, sum, all.n, p->in, 1);
}

/* Floats begin .. begin + n of each node, n <= size x each. */
static limn_status sum_piece(const piece *p, size_t begin, size_t n, float *const *sum, float *out, float scale)
{
    limn_comm *comm = p->comm;
    size_t room = (size_t)comm->size * p->each;
    int own = limn_tree_of((int64_t)comm->rank * p->parts, p->parts, NULL).n;
    limn_status status = LIMN_OK;
    if (n < room) memset(p->out + n, 0, (room - n) * sizeof(float));
    for (int k = 0; k < p->nodes && status == LIMN_OK; k++) {
        if (k < own) memcpy(p->out, sum[k] + begin, n * sizeof(float));
        status = limn_comm_exchange(comm, p->each * sizeof(float), p->out, p->in + (size_t)k * room);
    }
    if (status != LIMN_OK) return status;
    add_arrived(p);
    status = limn_comm_gather(comm, p->each * sizeof(float), p->in, p->out);
    if (status == LIMN_OK) finish(comm->ctx, n, (float *[]){p->out}, 1, out + begin, scale);
    return status;
}

static limn_status sum_ranks(limn_comm *comm, int parts, size_t n, float *const *sum, float *out, float scale)
{
    enum { FLOATS = 1 << 20 }; /* in a piece */
    size_t size = (size_t)comm->size, each = (n < FLOATS ? n : FLOATS) / size + 1;
    piece p = {.comm = comm, .parts = parts, .each = each};
    for (int rank = 0; rank < comm->size; rank++) {
        int nodes = limn_tree_of((int64_t)rank * parts, parts, NULL).n;
        if (nodes > p.nodes) p.nodes = nodes;
    }
    size_t bytes = (size_t)(p.nodes + 1) * size * each * sizeof(float);
    p.out = limn_alloc_aligned(bytes);
    if (!p.out) return limn_fail_memory(comm->ctx, bytes, "a sum over ranks");
    p.in = p.out + size * each;
    limn_status status = LIMN_OK;
    for (size_t at = 0; at < n && status == LIMN_OK; at += size * each)
        status = sum_piece(&p, at, n - at < size * each ? n - at : size * each, sum, out, scale);
    limn_free_aligned(p.out);
    return status;
}

limn_status limn_tree_sum(limn_comm *comm, int parts, size_t n, float *const *sum, float *out, float scale)
{
    if (comm->size > 1) return sum_ranks(comm, parts, n, sum, out, scale);
    finish(comm->ctx, n, sum, limn_tree_of(0, parts, NULL).n, out, scale);
    return LIMN_OK;
}
