/* ranks.c: see ranks.h. */
#include "train/ranks.h"

#include <stdlib.h>
#include <string.h>

limn_status limn_ranks_new(limn_comm *comm, limn_ranks *out)
{
    size_t bytes = ((size_t)comm->size + 1) * sizeof *out->word;
    *out = (limn_ranks){.comm = comm, .word = malloc(bytes)};
    return out->word ? LIMN_OK : limn_fail_memory(comm->ctx, bytes, "a group of ranks");
}

void limn_ranks_free(limn_ranks *r)
{
    free(r->word);
}

/* The first rank that failed tells the others why; it alone keeps its sentence as it is. */
static limn_status fail_together(limn_comm *comm, int first, limn_status status)
{
    char text[LIMN_ERROR_BYTES];
    snprintf(text, sizeof text, "%s", comm->ctx->error);
    limn_status heard = limn_comm_broadcast(comm, first, sizeof text, text);
    if (heard != LIMN_OK || comm->rank == first) return heard != LIMN_OK ? heard : status;
    return limn_fail(comm->ctx, status, "rank %d of %d: %s", first, comm->size, text);
}

limn_status limn_ranks_meet(limn_ranks *r, limn_status mine, limn_wish *wish, double *loss)
{
    limn_comm *comm = r->comm;
    double *said = r->word + 1;
    memset(r->word, 0, ((size_t)comm->size + 1) * sizeof *r->word);
    r->word[0] = loss && mine == LIMN_OK ? *loss : 0;
    said[comm->rank] = mine == LIMN_OK ? (double)*wish : LIMN_N_WISHES + (double)mine;
    limn_status status = limn_comm_sum_f64(comm, (size_t)comm->size + 1, r->word);
    if (status != LIMN_OK) return status;
    if (loss) *loss = r->word[0];
    for (int i = 0; i < comm->size; i++) {
        if (said[i] > LIMN_N_WISHES) return fail_together(comm, i, (limn_status)((int)said[i] - LIMN_N_WISHES));
        if (said[i] > (double)*wish) *wish = (limn_wish)said[i];
    }
    return LIMN_OK;
}
