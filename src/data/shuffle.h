/* shuffle.h: in which order an epoch shows what a data set holds: everything once, a function of (seed, position) alone. */
#ifndef LIMN_SHUFFLE_H
#define LIMN_SHUFFLE_H

#include "base/base.h"

/* Two, because checkpoints go on in the order in which they began: of pictures, and of pictures with masks. */
typedef enum limn_shuffle_kind {
    LIMN_SHUFFLE_TABLE, /* Fisher & Yates: an epoch has a table, 8 bytes a picture */
    LIMN_SHUFFLE_ROUNDS /* Luby & Rackoff 1988: any place is found without the others */
} limn_shuffle_kind;

typedef struct limn_shuffle {
    limn_shuffle_kind kind;
    uint64_t n, seed;
    int64_t *table;   /* [n]: of epoch `epoch`, once filled */
    uint64_t epoch;
    bool filled;
} limn_shuffle;

/** @return LIMN_OK: free with limn_shuffle_free(); LIMN_NO_MEMORY, *out empty */
limn_status limn_shuffle_new(limn_ctx *ctx, limn_shuffle_kind kind, int64_t n, uint64_t seed, limn_shuffle *out);
void limn_shuffle_free(limn_shuffle *shuffle);
/** Which of 0 .. n - 1 comes at a position, counted over epochs.  Not for two threads at once. */
int64_t limn_shuffle_at(limn_shuffle *shuffle, uint64_t position);

#endif
