/* comm.h: several processes that train one network: sums and copies between ranks.
 *
 * The build chooses one file: comm_none.c (no MPI: always rank 0 of 1), later comm_mpi.c.  Every rank calls the same
 * functions in the same order.  After a failure other than LIMN_BAD_ARGUMENT the group is of no more use: close it. */
#ifndef LIMN_COMM_H
#define LIMN_COMM_H

#include "base/base.h"

typedef struct limn_comm limn_comm;

/** Join the group of processes this one was started in; a process started alone is rank 0 of 1.
 *  @return LIMN_OK and *out (free with limn_comm_close, on every rank); LIMN_NO_MEMORY; *out NULL on failure */
limn_status limn_comm_open(limn_ctx *ctx, limn_comm **out);
void limn_comm_close(limn_comm *comm); /* NULL is allowed */

int limn_comm_rank(const limn_comm *comm); /* 0..size-1 */
int limn_comm_size(const limn_comm *comm);

/** data[i] becomes the sum over ranks, added in an order that depends on rank and size only: the same bits on every rank,
 *  and in every run of the same size. */
limn_status limn_comm_sum_f32(limn_comm *comm, size_t n, float *data);
/** The bytes of rank `root` go to all others.  @return LIMN_BAD_ARGUMENT when there is no such rank */
limn_status limn_comm_broadcast(limn_comm *comm, int root, size_t bytes, void *data);
/** Returns when every rank has come here. */
limn_status limn_comm_barrier(limn_comm *comm);

#endif
