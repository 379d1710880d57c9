/* sum_thread.h: sums over ranks beside the backward pass.
 *
 * A piece of the gradient (comm/tree.h) is complete when the plan's last step that touches one of its parameters' gradients
 * has run; then a thread sums it over the ranks while the backward pass goes on.  All ranks take the pieces in one order,
 * rank 0's: the one in which they are completed.  That thread adds alone: the others are the backward pass's. */
#ifndef LIMN_SUM_THREAD_H
#define LIMN_SUM_THREAD_H

#include "train/ranks.h"

#include <pthread.h>

typedef limn_status (*limn_piece_fn)(void *user, size_t piece);

typedef struct limn_sum_thread {
    size_t n;                /* pieces */
    int32_t *order, *made_at; /* [n]: which comes next; after which step of this rank's plan piece i is complete */
    limn_piece_fn work;
    void *user;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool open, leaves;
    bool begun, working;     /* a step's sums: until limn_sum_thread_end(); until all pieces are done */
    int32_t executed;        /* the plan's last step that has run; INT32_MAX: nothing more is waited for */
    limn_status status;      /* of the pieces' work, the first that failed */
} limn_sum_thread;

/** Every rank; the order is rank 0's.  Afterwards nothing else may be sent between begin and end.
 *  @param made_at  [n] as above, copied; NULL: there was no memory for it
 *  @return LIMN_NO_MEMORY, no thread; what the group says; limn_sum_thread_close() in any case */
limn_status limn_sum_thread_open(limn_comm *comm, size_t n, const int32_t *made_at, limn_piece_fn work, void *user,
                              limn_sum_thread *out);
void limn_sum_thread_close(limn_sum_thread *o);
/** From here on pieces are worked on as they are made. */
void limn_sum_thread_begin(limn_sum_thread *o);
void limn_sum_thread_executed(void *o, int step); /* of a limn_sum_thread: for limn_run_watch() */
/** The rest, whether it was made or not, so that no rank waits for one that failed.  @return of all pieces' work */
limn_status limn_sum_thread_end(limn_sum_thread *o);

#endif
