/* ranks.c: y = mean over ranks of x.  Every rank has the numbers of all and adds them in one order, in double: the same bits
 * on each.  The group is the one that the ctx holds when a run is made; without one a process is alone. */
#include "backend/ref/ref.h"
#include "comm/tree.h"

#include <stdlib.h>

/* A run's own. */
typedef struct means {
    limn_comm *comm;
    double *element; /* [size]: of each rank */
    double all[];    /* [size, n] */
} means;

static limn_status open(limn_ctx *ctx, limn_call *call)
{
    limn_comm *comm = ctx->ranks;
    if (!comm || comm->size == 1) return LIMN_OK;
    size_t size = (size_t)comm->size, n = (size_t)limn_shape_count(&call->dst.shape);
    size_t bytes = sizeof(means) + size * (n + 1) * sizeof(double);
    means *m = malloc(bytes);
    if (!m) return limn_fail_memory(ctx, bytes, "means over ranks");
    m->comm = comm, m->element = m->all + size * n;
    call->own = m;
    return LIMN_OK;
}

static void close(limn_call *call)
{
    free(call->own);
    call->own = NULL;
}

static limn_status of_all(const limn_call *c, means *m)
{
    int64_t n = limn_shape_count(&c->dst.shape), size = m->comm->size;
    double *own = m->all + m->comm->rank * n;
    for (int64_t i = 0; i < n; i++) own[i] = limn_get(&c->src[0], i);
    limn_status status = limn_comm_gather(m->comm, (size_t)n * sizeof *own, own, m->all);
    for (int64_t i = 0; i < n && status == LIMN_OK; i++) {
        for (int64_t rank = 0; rank < size; rank++) m->element[rank] = m->all[rank * n + i];
        limn_put(&c->dst, i, limn_tree_sum_f64(m->element, size) / (double)size);
    }
    return status;
}

static limn_status mean_of_ranks(const limn_call *c)
{
    if (c->own) return of_all(c, c->own);
    for (int64_t i = 0; i < limn_shape_count(&c->dst.shape); i++) limn_put(&c->dst, i, limn_get(&c->src[0], i));
    return LIMN_OK;
}

const limn_kernel limn_ref_ranks[LIMN_N_OPS] = {
    [LIMN_OP_MEAN_OF_RANKS] = {.name = "ref", .open = open, .close = close, .run = mean_of_ranks},
};
