/* shares.c: see shares.h. */
#include "train/shares.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

double limn_shares_traffic(int size, size_t n, bool in_bf16)
{
    double own = (double)limn_tree_share_floats(size, n);
    return (size - 1) * (own / LIMN_NORM_CHUNK * (double)sizeof(double) + (in_bf16 ? 2 * own : 0));
}

static size_t chunks(const limn_shares *s)
{
    return s->n / LIMN_NORM_CHUNK;
}

limn_status limn_shares_new(limn_tree_sums *sums, limn_shares *out)
{
    limn_comm *comm = sums->comm;
    *out = (limn_shares){.sums = sums, .n = limn_tree_share_floats(comm->size, sums->n)};
    size_t bytes = (size_t)comm->size * chunks(out) * sizeof *out->square, aside = out->n * sizeof *out->aside;
    out->square = malloc(bytes);
    if (comm->rank == 0) out->aside = limn_alloc_aligned(aside);
    bool fine = out->square && (comm->rank != 0 || out->aside);
    return fine ? LIMN_OK : limn_fail_memory(comm->ctx, bytes + aside, "what is divided among ranks");
}

void limn_shares_free(limn_shares *s)
{
    free(s->square);
    limn_free_aligned(s->aside);
    s->square = NULL, s->aside = NULL;
}

static limn_tree_block own_block(const limn_shares *s, size_t piece)
{
    return limn_tree_block_of(s->sums, piece, s->sums->comm->rank);
}

/* Chunks lie in the whole as ranks' blocks do: of a piece those of rank 0 first. */
static double sum_in_order(const limn_shares *s)
{
    size_t each = s->sums->each / LIMN_NORM_CHUNK, size = (size_t)s->sums->comm->size;
    double total = 0;
    for (size_t piece = 0; piece * each < chunks(s); piece++)
        for (size_t rank = 0; rank < size; rank++)
            for (size_t k = 0; k < each; k++) total += s->square[rank * chunks(s) + piece * each + k];
    return total;
}

limn_status limn_shares_norm(limn_shares *s, const float *grad, double *norm)
{
    limn_comm *comm = s->sums->comm;
    size_t each = s->sums->each / LIMN_NORM_CHUNK;
    double *own = s->square + (size_t)comm->rank * chunks(s);
    memset(own, 0, chunks(s) * sizeof *own); /* of what lies behind the end */
    for (size_t piece = 0; piece < limn_tree_pieces(s->sums); piece++) {
        limn_tree_block at = own_block(s, piece);
        limn_gradient_squares(grad + at.begin, at.n, own + piece * each, comm->ctx->n_threads);
    }
    limn_status status = limn_comm_gather(comm, chunks(s) * sizeof *own, own, s->square);
    *norm = sqrt(sum_in_order(s));
    return status;
}

limn_status limn_shares_step(limn_shares *s, const limn_adamw *o, int64_t t, double norm, float *value, const float *grad,
                             float *m, float *v, float *ema, const uint8_t *decay)
{
    for (size_t piece = 0; piece < limn_tree_pieces(s->sums); piece++) {
        limn_tree_block at = own_block(s, piece);
        size_t own = piece * s->sums->each;
        limn_adamw_step(o, t, norm, at.n, value + at.begin, grad + at.begin, m + own, v + own, ema + own, decay + at.begin,
                        s->sums->comm->ctx->n_threads);
    }
    return limn_tree_share(s->sums, value);
}

void limn_shares_take(const limn_shares *s, const float *whole, float *own)
{
    for (size_t piece = 0; piece < limn_tree_pieces(s->sums); piece++) {
        limn_tree_block at = own_block(s, piece);
        memcpy(own + piece * s->sums->each, whole + at.begin, at.n * sizeof *own);
    }
}

void limn_shares_put_aside(limn_shares *s, const float *grad)
{
    limn_shares_take(s, grad, s->aside);
}

void limn_shares_put_back(limn_shares *s, float *grad)
{
    memset(grad, 0, s->sums->n * sizeof *grad); /* also of what has no gradient, and so is never written */
    for (size_t piece = 0; piece < limn_tree_pieces(s->sums); piece++) {
        limn_tree_block at = own_block(s, piece);
        memcpy(grad + at.begin, s->aside + piece * s->sums->each, at.n * sizeof *grad);
    }
}
