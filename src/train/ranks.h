/* ranks.h: what the ranks of one training agree on.
 *
 * Every rank takes batch x accumulate samples of a step, rank r the r-th row of them: what is learned follows from their
 * numbers, not from who takes which.  And nobody leaves alone: once a step all ranks meet, also one whose data fail, that
 * was told to stop or whose time is up, and all do what comes of it. */
#ifndef LIMN_RANKS_H
#define LIMN_RANKS_H

#include "comm/tree.h"

/* What a rank wants to do; of several wishes the greatest is what all do. */
typedef enum limn_wish { LIMN_WISH_GO_ON, LIMN_WISH_TIME_UP, LIMN_WISH_STOP, LIMN_N_WISHES } limn_wish;

typedef struct limn_ranks {
    limn_comm *comm; /* the caller's */
    int parts;       /* of a step, that each rank makes */
    double *word;    /* [size, 1 + parts]: of each rank its wish, or its status behind all wishes, then its losses */
    double *losses;  /* [size, parts] */
} limn_ranks;

limn_status limn_ranks_new(limn_comm *comm, int parts, limn_ranks *out);
void limn_ranks_free(limn_ranks *ranks);

/** One collective.
 *  @param  mine  what came of this rank's work since the last meeting, its sentence in the ctx of the group
 *  @param  wish  in: this rank's; out: what all do
 *  @param  part  [parts]: losses of this rank's parts of a step; NULL: there are none
 *  @param  loss  their mean over the parts of all ranks, in the order of comm/tree.h; not finite where one of them is not;
 *                NULL with part
 *  @return LIMN_OK when all ranks say so; else, on all of them, the status of the first rank that failed, with its sentence
 */
limn_status limn_ranks_meet(limn_ranks *ranks, limn_status mine, limn_wish *wish, const double *part, double *loss);

#endif
