/* comm_none.c: one process.  A sum over one rank is what lies there already. */
#include "comm/comm.h"

#include <stdlib.h>

struct limn_comm {
    limn_ctx *ctx;
};

limn_status limn_comm_open(limn_ctx *ctx, limn_comm **out)
{
    *out = malloc(sizeof **out);
    if (!*out) return limn_fail_memory(ctx, sizeof **out, "a group of ranks");
    (*out)->ctx = ctx;
    return LIMN_OK;
}

void limn_comm_close(limn_comm *comm)
{
    free(comm);
}

int limn_comm_rank(const limn_comm *comm)
{
    (void)comm;
    return 0;
}

int limn_comm_size(const limn_comm *comm)
{
    (void)comm;
    return 1;
}

limn_status limn_comm_sum_f32(limn_comm *comm, size_t n, float *data)
{
    (void)comm, (void)n, (void)data;
    return LIMN_OK;
}

limn_status limn_comm_broadcast(limn_comm *comm, int root, size_t bytes, void *data)
{
    (void)bytes, (void)data;
    if (root == 0) return LIMN_OK;
    return limn_fail(comm->ctx, LIMN_BAD_ARGUMENT, "rank %d does not exist: there is one rank, 0 (this build has no MPI)",
                     root);
}

limn_status limn_comm_barrier(limn_comm *comm)
{
    (void)comm;
    return LIMN_OK;
}
