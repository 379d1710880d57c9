/* comm.c: what a group does, by its table. */
#include "comm/comm.h"

int limn_comm_rank(const limn_comm *comm)
{
    return comm->rank;
}

int limn_comm_size(const limn_comm *comm)
{
    return comm->size;
}

void limn_comm_at_step(limn_comm *comm, int64_t step)
{
    if (comm->engine->at_step) comm->engine->at_step(comm, step);
}

void limn_comm_close(limn_comm *comm)
{
    if (comm) comm->engine->close(comm);
}

/* @param bytes  that this rank sends */
static limn_status count(limn_comm *comm, double begin, double bytes, limn_status status)
{
    comm->traffic.seconds += limn_seconds() - begin;
    comm->traffic.bytes += bytes;
    comm->traffic.calls++;
    return status;
}

limn_status limn_comm_gather(limn_comm *comm, size_t bytes, const void *mine, void *all)
{
    double begin = limn_seconds(), sent = (double)(comm->size - 1) * (double)bytes;
    return count(comm, begin, sent, comm->engine->gather(comm, bytes, mine, all));
}

limn_status limn_comm_exchange(limn_comm *comm, size_t bytes, const void *out, void *in)
{
    double begin = limn_seconds(), sent = (double)(comm->size - 1) * (double)bytes;
    return count(comm, begin, sent, comm->engine->exchange(comm, bytes, out, in));
}

/* Who passes it on is the engine's matter: it counts once, for the root. */
limn_status limn_comm_broadcast(limn_comm *comm, int root, size_t bytes, void *data)
{
    if (root < 0 || root >= comm->size)
        return limn_fail(comm->ctx, LIMN_BAD_ARGUMENT, "rank %d does not exist, expected 0 to %d", root, comm->size - 1);
    double begin = limn_seconds(), sent = comm->rank == root && comm->size > 1 ? (double)bytes : 0;
    return count(comm, begin, sent, comm->engine->broadcast(comm, root, bytes, data));
}
