/* ranks.c: see ranks.h. */
#include "train/ranks.h"

#include <stdlib.h>
#include <string.h>

limn_status limn_ranks_new(limn_comm *comm, int parts, limn_ranks *out)
{
    size_t size = (size_t)comm->size, all = size * (size_t)parts, bytes = (size + 2 * all) * sizeof *out->word;
    *out = (limn_ranks){.comm = comm, .parts = parts, .word = malloc(bytes)};
    if (!out->word) return limn_fail_memory(comm->ctx, bytes, "a group of ranks");
    out->losses = out->word + size + all;
    return LIMN_OK;
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

limn_status limn_ranks_meet(limn_ranks *r, limn_status mine, limn_wish *wish, const double *part, double *loss)
{
    limn_comm *comm = r->comm;
    size_t parts = (size_t)r->parts, each = 1 + parts;
    double *own = r->word + (size_t)comm->rank * each;
    memset(own, 0, each * sizeof *own);
    own[0] = mine == LIMN_OK ? (double)*wish : LIMN_N_WISHES + (double)mine;
    if (part && mine == LIMN_OK) memcpy(own + 1, part, parts * sizeof *part);
    limn_status status = limn_comm_gather(comm, each * sizeof *own, own, r->word);
    if (status != LIMN_OK) return status;
    for (int i = 0; i < comm->size; i++) {
        const double *word = r->word + (size_t)i * each;
        if (word[0] > LIMN_N_WISHES) return fail_together(comm, i, (limn_status)((int)word[0] - LIMN_N_WISHES));
        if (word[0] > (double)*wish) *wish = (limn_wish)word[0];
        memcpy(r->losses + (size_t)i * parts, word + 1, parts * sizeof *word);
    }
    int64_t all = (int64_t)comm->size * r->parts;
    if (loss) *loss = limn_tree_sum_f64(r->losses, all) / (double)all;
    return LIMN_OK;
}

/* A word of each rank in turn: nothing is allocated, for that may be what failed. */
limn_status limn_comm_agree(limn_comm *comm, limn_status mine)
{
    for (int rank = 0; rank < comm->size; rank++) {
        int32_t word = (int32_t)mine;
        limn_status status = limn_comm_broadcast(comm, rank, sizeof word, &word);
        if (status != LIMN_OK) return status;
        if (word != LIMN_OK) return fail_together(comm, rank, (limn_status)word);
    }
    return LIMN_OK;
}
