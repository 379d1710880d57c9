/* comm.h: several processes that train one network: what goes from rank to rank.
 *
 * A group is a place in it and a table of functions, so that a program can be its own group of one (limn_comm_open()) and
 * take another where there is one.  Every rank calls the same functions in the same order.  Nothing is added up here: sums
 * are made of what arrives, in an order of their own (comm/tree.h).  After a failure other than LIMN_BAD_ARGUMENT the group
 * is of no more use: close it. */
#ifndef LIMN_COMM_H
#define LIMN_COMM_H

#include "base/base.h"
#include "limn/train.h" /* what a program does with a group */

/* How ranks reach each other. */
typedef struct limn_comm_engine {
    limn_status (*gather)(limn_comm *comm, size_t bytes, const void *mine, void *all);
    limn_status (*exchange)(limn_comm *comm, size_t bytes, const void *out, void *in);
    limn_status (*broadcast)(limn_comm *comm, int root, size_t bytes, void *data);
    void (*at_step)(limn_comm *comm, int64_t step); /* NULL: nobody asks */
    void (*close)(limn_comm *comm);
} limn_comm_engine;

/* What a rank has sent to others so far, and how long its calls took: bytes on their way, and the wait for those that come
 * later. */
typedef struct limn_comm_traffic {
    double bytes, seconds;
    int64_t calls;
} limn_comm_traffic;

struct limn_comm {
    const limn_comm_engine *engine;
    limn_ctx *ctx;  /* failures are told to it */
    int rank, size; /* 0..size-1 */
    limn_comm_traffic traffic;
};

/** A process on its own: rank 0 of 1.
 *  @return LIMN_OK and *out (free with limn_comm_close, on every rank); LIMN_NO_MEMORY; *out NULL on failure */
limn_status limn_comm_open(limn_ctx *ctx, limn_comm **out);

/** Every rank's bytes to all, in the order of ranks.
 *  @param mine  [bytes], may be its own place in all
 *  @param all   [size, bytes] */
limn_status limn_comm_gather(limn_comm *comm, size_t bytes, const void *mine, void *all);
/** Block r of `out` goes to rank r, block r of `in` comes from rank r; both [size, bytes], apart from each other. */
limn_status limn_comm_exchange(limn_comm *comm, size_t bytes, const void *out, void *in);
/** The bytes of rank `root` go to all others.  @return LIMN_BAD_ARGUMENT when there is no such rank */
limn_status limn_comm_broadcast(limn_comm *comm, int root, size_t bytes, void *data);
/** How far this rank is, for those that wait for it. */
void limn_comm_at_step(limn_comm *comm, int64_t step);

#endif
