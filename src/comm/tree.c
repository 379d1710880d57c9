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

void limn_tree_join(int n_threads, size_t n, float *left, const float *right)
{
    limn_floats floats;
    limn_floats_begin(&floats, n_threads);
#pragma omp parallel for simd schedule(static) num_threads(n_threads)
    for (size_t i = 0; i < n; i++) left[i] += right[i];
    limn_floats_end(&floats);
}

/* to = scale x from */
static void put_scaled(int n_threads, size_t n, const float *from, float scale, float *to)
{
    if (to == from && scale == 1) return;
    limn_floats floats;
    limn_floats_begin(&floats, n_threads);
#pragma omp parallel for simd schedule(static) num_threads(n_threads)
    for (size_t i = 0; i < n; i++) to[i] = from[i] * scale;
    limn_floats_end(&floats);
}

/* What is left when all parts are there: the last node is the right child of a node whose left one is before it.  The sum of
 * n floats from `begin` on lies in the first node. */
static void join_all(int n_threads, size_t begin, size_t n, float *const *sum, int nodes)
{
    while (--nodes > 0) limn_tree_join(n_threads, n, sum[nodes - 1] + begin, sum[nodes] + begin);
}

/* ---- pieces and blocks ------------------------------------------------------------------------------------------------ */

/* Of a piece, about; of a block, where there is so much: short messages cost more than they carry. */
enum { PIECE = 1 << 20, BLOCK = 1 << 14 };

static size_t parted(size_t n, size_t by)
{
    return (n + by - 1) / by;
}

/* All pieces are nearly alike, so that little is sent to fill up the last one. */
static size_t floats_each(int size, size_t n)
{
    size_t own = parted(n, (size_t)size), most = PIECE / (size_t)size;
    if (most < BLOCK) most = BLOCK;
    return parted(parted(own, parted(own, most)), LIMN_TREE_GRAIN) * LIMN_TREE_GRAIN;
}

static size_t pieces(int size, size_t n)
{
    return parted(n, (size_t)size * floats_each(size, n));
}

static limn_tree_block cut(size_t begin, size_t n, size_t end)
{
    if (begin > end) begin = end;
    return (limn_tree_block){begin, end - begin < n ? end - begin : n};
}

size_t limn_tree_pieces(const limn_tree_sums *s)
{
    return pieces(s->comm->size, s->n);
}

/* Floats of a piece that is not cut short. */
static size_t room_of(const limn_tree_sums *s)
{
    return (size_t)s->comm->size * s->each;
}

limn_tree_block limn_tree_piece(const limn_tree_sums *s, size_t piece)
{
    return cut(piece * room_of(s), room_of(s), s->n);
}

limn_tree_block limn_tree_block_of(const limn_tree_sums *s, size_t piece, int rank)
{
    return cut((piece * (size_t)s->comm->size + (size_t)rank) * s->each, s->each, s->n);
}

size_t limn_tree_share_floats(int size, size_t n)
{
    return pieces(size, n) * floats_each(size, n);
}

/* ---- over ranks, a piece of the vector at a time ---------------------------------------------------------------------- */

static int most_nodes(int size, int parts)
{
    int most = 0;
    for (int rank = 0; rank < size; rank++) {
        int nodes = limn_tree_of((int64_t)rank * parts, parts, NULL).n;
        if (nodes > most) most = nodes;
    }
    return most;
}

size_t limn_tree_sums_bytes(int size, int parts, size_t n, bool in_bf16)
{
    if (size == 1) return 0;
    return (1 + (size_t)most_nodes(size, parts) + in_bf16) * (size_t)size * floats_each(size, n) * sizeof(float);
}

double limn_tree_sums_calls(int size, int parts, size_t n)
{
    return size == 1 ? 0 : (1 + most_nodes(size, parts)) * (double)pieces(size, n);
}

double limn_tree_sums_traffic(int size, int parts, size_t n, bool in_bf16)
{
    return limn_tree_sums_calls(size, parts, n) * (size - 1) * (double)floats_each(size, n) * (in_bf16 ? 2 : 4);
}

limn_status limn_tree_sums_new(limn_comm *comm, int parts, size_t n, bool in_bf16, limn_tree_sums *out)
{
    size_t bytes = limn_tree_sums_bytes(comm->size, parts, n, in_bf16);
    size_t room = (size_t)comm->size * floats_each(comm->size, n);
    *out = (limn_tree_sums){.comm = comm,
                            .parts = parts,
                            .in_bf16 = in_bf16,
                            .n_threads = comm->ctx->n_threads,
                            .n = n,
                            .each = floats_each(comm->size, n)};
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
                limn_tree_join(s->n_threads, s->each, sum[at], block);
            sum[all.n - 1] = block;
        }
    }
    join_all(s->n_threads, 0, s->each, sum, all.n);
}

static limn_status exchange(const limn_tree_sums *s, const float *out, float *in)
{
    size_t room = room_of(s);
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
    size_t room = room_of(s);
    uint16_t *sent = (uint16_t *)s->wire, *came = sent + room;
    if (!s->in_bf16) return limn_comm_gather(s->comm, s->each * sizeof *own, own, all);
    limn_convert(own, LIMN_F32, sent, LIMN_BF16, s->each);
    limn_status status = limn_comm_gather(s->comm, s->each * sizeof *sent, sent, came);
    limn_convert(came, LIMN_BF16, all, LIMN_F32, room);
    return status;
}

/* A piece where it lies, or, the last one, filled up with zeros. */
static const float *whole_piece(const limn_tree_sums *s, limn_tree_block at, const float *from)
{
    if (at.n == room_of(s)) return from + at.begin;
    memcpy(s->out, from + at.begin, at.n * sizeof(float));
    memset(s->out + at.n, 0, (room_of(s) - at.n) * sizeof(float));
    return s->out;
}

limn_status limn_tree_sum_piece(limn_tree_sums *s, size_t piece, float *const *sum, float *out, float scale, bool to_all)
{
    limn_comm *comm = s->comm;
    limn_tree_block at = limn_tree_piece(s, piece), block = limn_tree_block_of(s, piece, comm->rank);
    int own = limn_tree_of((int64_t)comm->rank * s->parts, s->parts, NULL).n;
    limn_status status = LIMN_OK;
    if (comm->size == 1) {
        join_all(s->n_threads, at.begin, at.n, sum, own);
        put_scaled(s->n_threads, at.n, sum[0] + at.begin, scale, out + at.begin);
        return LIMN_OK;
    }
    for (int k = 0; k < s->nodes && status == LIMN_OK; k++) /* ranks with fewer nodes send one that is not looked at */
        status = exchange(s, whole_piece(s, at, sum[k < own ? k : 0]), s->in + (size_t)k * room_of(s));
    if (status != LIMN_OK) return status;
    add_arrived(s);
    if (!to_all) return put_scaled(s->n_threads, block.n, s->in, scale, out + block.begin), LIMN_OK;
    put_scaled(s->n_threads, s->each, s->in, scale, s->in);
    if (at.n == room_of(s)) return gather(s, s->in, out + at.begin);
    status = gather(s, s->in, s->out);
    memcpy(out + at.begin, s->out, at.n * sizeof(float));
    return status;
}

limn_status limn_tree_sum(limn_tree_sums *s, float *const *sum, float *out, float scale)
{
    limn_status status = LIMN_OK;
    for (size_t piece = 0; piece < limn_tree_pieces(s) && status == LIMN_OK; piece++)
        status = limn_tree_sum_piece(s, piece, sum, out, scale, true);
    return status;
}

/* ---- what is divided among ranks -------------------------------------------------------------------------------------- */

limn_status limn_tree_share(limn_tree_sums *s, float *whole)
{
    limn_status status = LIMN_OK;
    for (size_t piece = 0; piece < limn_tree_pieces(s) && status == LIMN_OK; piece++) {
        limn_tree_block own = limn_tree_block_of(s, piece, s->comm->rank), all = limn_tree_piece(s, piece);
        size_t bytes = s->each * sizeof *whole;
        if (all.n == room_of(s)) status = limn_comm_gather(s->comm, bytes, whole + own.begin, whole + all.begin);
        else {
            memcpy(s->in, whole + own.begin, own.n * sizeof *whole);
            status = limn_comm_gather(s->comm, bytes, s->in, s->out);
            memcpy(whole + all.begin, s->out, all.n * sizeof *whole);
        }
    }
    return status;
}

limn_status limn_tree_collect(limn_tree_sums *s, const float *own, float *whole)
{
    limn_status status = LIMN_OK;
    for (size_t piece = 0; piece < limn_tree_pieces(s) && status == LIMN_OK; piece++) {
        limn_tree_block all = limn_tree_piece(s, piece);
        memcpy(s->out, own + piece * s->each, s->each * sizeof *own); /* block 0 goes to rank 0 */
        status = limn_comm_exchange(s->comm, s->each * sizeof *own, s->out, s->in);
        if (whole) memcpy(whole + all.begin, s->in, all.n * sizeof *whole);
    }
    return status;
}

limn_status limn_tree_hand_out(limn_tree_sums *s, const float *whole, float *own)
{
    limn_status status = LIMN_OK;
    for (size_t piece = 0; piece < limn_tree_pieces(s) && status == LIMN_OK; piece++) {
        const float *out = whole ? whole_piece(s, limn_tree_piece(s, piece), whole) : s->out;
        status = limn_comm_exchange(s->comm, s->each * sizeof *own, out, s->in);
        memcpy(own + piece * s->each, s->in, s->each * sizeof *own); /* of rank 0 */
    }
    return status;
}
