/* comm.h: several processes that train one network: sums and copies between ranks.
 *
 * A group is a place in it and a table of functions, so that a program can be its own group of one (limn_comm_open()) and
 * take another where there is one.  Every rank calls the same functions in the same order.  After a failure other than
 * LIMN_BAD_ARGUMENT the group is of no more use: close it. */
#ifndef LIMN_COMM_H
#define LIMN_COMM_H

#include "base/base.h"

typedef struct limn_comm limn_comm;

/* How ranks reach each other. */
typedef struct limn_comm_engine {
    limn_status (*sum_f32)(limn_comm *comm, size_t n, float *data);
    limn_status (*sum_f64)(limn_comm *comm, size_t n, double *data);
    limn_status (*broadcast)(limn_comm *comm, int root, size_t bytes, void *data);
    void (*close)(limn_comm *comm);
} limn_comm_engine;

struct limn_comm {
    const limn_comm_engine *engine;
    limn_ctx *ctx;  /* failures are told to it */
    int rank, size; /* 0..size-1 */
};

/** A process on its own: rank 0 of 1.
 *  @return LIMN_OK and *out (free with limn_comm_close, on every rank); LIMN_NO_MEMORY; *out NULL on failure */
limn_status limn_comm_open(limn_ctx *ctx, limn_comm **out);
void limn_comm_close(limn_comm *comm); /* NULL is allowed */

/** data[i] becomes the sum over ranks, added in an order that depends on rank and size only: the same bits on every rank,
 *  and in every run of the same size. */
limn_status limn_comm_sum_f32(limn_comm *comm, size_t n, float *data);
limn_status limn_comm_sum_f64(limn_comm *comm, size_t n, double *data);
/** The bytes of rank `root` go to all others.  @return LIMN_BAD_ARGUMENT when there is no such rank */
limn_status limn_comm_broadcast(limn_comm *comm, int root, size_t bytes, void *data);

#endif
