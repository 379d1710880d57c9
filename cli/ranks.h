/* ranks.h: a verb that a launcher started as one of several processes. */
#ifndef LIMN_CLI_RANKS_H
#define LIMN_CLI_RANKS_H

#include "limn/train.h"

#include <stdio.h>

typedef struct cli_ranks {
    limn_comm *comm; /* NULL: this process is alone */
    int rank, size;
    FILE *said;      /* what another rank than 0 says of its flags, until all know whether they are right */
    int err, out;    /* its stderr and stdout meanwhile */
} cli_ranks;

/** Joins the others where mpirun, or srun with PMIx, started this process; refuses where another launcher did, whose
 *  processes would each train alone.  Until cli_ranks_agree(), a rank other than 0 says nothing.
 *  @return the exit code: 0, or 2 after a message (of rank 0 alone); then nothing is left to end */
int cli_ranks_begin(limn_ctx *ctx, cli_ranks *out);
/** Whether the flags of all ranks could be read: code is this rank's exit code.  From here on all ranks may say something.
 *  @return the exit code that all have */
int cli_ranks_agree(cli_ranks *ranks, limn_ctx *ctx, int code);
/** After the last message of rank 0: when a process ends with another code than 0, mpirun ends the others. */
void cli_ranks_end(cli_ranks *ranks);

#endif
