/* tree.c: see tree.h. */
#include "comm/tree.h"

#include "tensor/tensor.h"

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

/* ---- over ranks, a piece of the vector at a time ---------------------------------------------------------------------- */

enum { FLOATS = 1 << 20 }; /* in a piece */

static int most_nodes(int size, int parts)
{
    int most = 0;
    for (int rank = 0; rank < size; rank++) {
        int nodes = limn_tree_of((int64_t)rank * parts, parts, NULL).n;
        if (nodes > most) most = nodes;
    }
    return most;
}

static size_t floats_each(int size, size_t n)
{
    return (n < FLOATS ? n : FLOATS) / (size_t)size + 1;
}

size_t limn_tree_sums_bytes(int size, int parts, size_t n, bool in_bf16)
{
    if (size == 1) return 0;
    return (1 + (size_t)most_nodes(size, parts) + in_bf16) * (size_t)size * floats_each(size, n) * sizeof(float);
}

double limn_tree_sums_traffic(int size, int parts, size_t n, bool in_bf16)
{
    return (double)(size - 1) / size * (1 + most_nodes(size, parts)) * (double)n * (in_bf16 ? 2 : 4);
}

limn_status limn_tree_sums_new(limn_comm *comm, int parts, size_t n, bool in_bf16, limn_tree_sums *out)
{
    size_t bytes = limn_tree_sums_bytes(comm->size, parts, n, in_bf16);
    size_t room = (size_t)comm->size * floats_each(comm->size, n);
    *out = (limn_tree_sums){.comm = comm, .parts = parts, .in_bf16 = in_bf16, .each = floats_each(comm->size, n)};
    if (!bytes) return LIMN_OK;
    out->nodes = most_nodes(comm->size, parts);
    out->out = limn_alloc_aligned(bytes);
    if (!out->out) return limn_fail_memory(comm->ctx, bytes, "sums over ranks");
    out->in = out->out + room, out->wire = out->in + (size_t)out->nodes * room;
    return LIMN_OK;
}

void limn_tree_sums_free(limn_tree_sums *sums)
{
    limn_free_aligned(sums->out);
    sums->out = NULL;
}

/* Adds up what has arrived; the sum lies in its first block. */
static void add_arrived(const limn_tree_sums *s)
{
    limn_tree all = {0};
    float *sum[LIMN_TREE_NODES];
    for (int rank = 0; rank < s->comm->size; rank++) {
        limn_tree own = limn_tree_of((int64_t)rank * s->parts, s->parts, NULL);
        for (int k = 0; k < own.n; k++) {
            float *block = s->in + ((size_t)k * (size_t)s->comm->size + (size_t)rank) * s->each;
            int joined = limn_tree_add(&all, own.node[k].level, own.node[k].first);
            for (int at = all.n - 2 + joined; at >= all.n - 1; block = sum[at--])
                limn_tree_join(s->comm->ctx, s->each, sum[at], block);
            sum[all.n - 1] = block;
        }
    }
    finish(s->comm->ctx, s->each, sum, all.n, s->in, 1);
}

static limn_status exchange(const limn_tree_sums *s, const float *out, float *in)
{
    size_t room = (size_t)s->comm->size * s->each;
    uint16_t *sent = (uint16_t *)s->wire, *came = sent + room;
    if (!s->in_bf16) return limn_comm_exchange(s->comm, s->each * sizeof *out, out, in);
    limn_convert(out, LIMN_F32, sent, LIMN_BF16, room);
    limn_status status = limn_comm_exchange(s->comm, s->each * sizeof *sent, sent, came);
    limn_convert(came, LIMN_BF16, in, LIMN_F32, room);
    return status;
}

/* All ranks have the bits that they get, also the one that made them. */
static limn_status gather(const limn_tree_sums *s, const float *own, float *all)
{
    size_t room = (size_t)s->comm->size * s->each;
    uint16_t *sent = (uint16_t *)s->wire, *came = sent + room;
    if (!s->in_bf16) return limn_comm_gather(s->comm, s->each * sizeof *own, own, all);
    limn_convert(own, LIMN_F32, sent, LIMN_BF16, s->each);
    limn_status status = limn_comm_gather(s->comm, s->each * sizeof *sent, sent, came);
    limn_convert(came, LIMN_BF16, all, LIMN_F32, room);
    return status;
}

/* Floats begin .. begin + n of each node, n <= size x each. */
static limn_status sum_piece(const limn_tree_sums *s, size_t begin, size_t n, float *const *sum, float *out, float scale)
{
    limn_comm *comm = s->comm;
    size_t room = (size_t)comm->size * s->each;
    int own = limn_tree_of((int64_t)comm->rank * s->parts, s->parts, NULL).n;
    limn_status status = LIMN_OK;
    if (n < room) memset(s->out + n, 0, (room - n) * sizeof(float));
    for (int k = 0; k < s->nodes && status == LIMN_OK; k++) {
        if (k < own) memcpy(s->out, sum[k] + begin, n * sizeof(float));
        status = exchange(s, s->out, s->in + (size_t)k * room);
    }
    if (status != LIMN_OK) return status;
    add_arrived(s);
    status = gather(s, s->in, s->out);
    if (status == LIMN_OK) finish(comm->ctx, n, (float *[]){s->out}, 1, out + begin, scale);
    return status;
}

limn_status limn_tree_sum(limn_tree_sums *s, size_t n, float *const *sum, float *out, float scale)
{
    size_t piece = (size_t)s->comm->size * s->each;
    limn_status status = LIMN_OK;
    if (s->comm->size == 1) finish(s->comm->ctx, n, sum, limn_tree_of(0, s->parts, NULL).n, out, scale);
    else
        for (size_t at = 0; at < n && status == LIMN_OK; at += piece)
            status = sum_piece(s, at, n - at < piece ? n - at : piece, sum, out, scale);
    return status;
}
