/* shuffle.c: see shuffle.h. */
#include "data/shuffle.h"

#include "base/rng.h"

#include <stdlib.h>

enum { ROUNDS = 6 };

limn_status limn_shuffle_new(limn_ctx *ctx, limn_shuffle_kind kind, int64_t n, uint64_t seed, limn_shuffle *out)
{
    *out = (limn_shuffle){.kind = kind, .n = (uint64_t)n, .seed = seed};
    if (kind != LIMN_SHUFFLE_TABLE) return LIMN_OK;
    out->table = malloc((size_t)n * sizeof *out->table);
    return out->table ? LIMN_OK : limn_fail_memory(ctx, (size_t)n * sizeof *out->table, "an order of pictures");
}

void limn_shuffle_free(limn_shuffle *s)
{
    free(s->table);
    *s = (limn_shuffle){0};
}

static void fill(limn_shuffle *s, uint64_t epoch)
{
    for (uint64_t i = 0; i < s->n; i++) s->table[i] = (int64_t)i;
    for (uint64_t i = s->n - 1; i > 0; i--) {
        uint64_t j = limn_random_below(s->seed, LIMN_STREAM_SHUFFLE, epoch, i, i + 1);
        int64_t old = s->table[i];
        s->table[i] = s->table[j];
        s->table[j] = old;
    }
    s->epoch = epoch, s->filled = true;
}

/* A permutation of 0 .. 4^bits - 1: each round changes one half of x by a random function of the other. */
static uint64_t mixed(uint64_t seed, uint64_t epoch, int bits, uint64_t x)
{
    uint64_t half = (UINT64_C(1) << bits) - 1, left = x >> bits, right = x & half;
    for (uint64_t r = 0; r < ROUNDS; r++) {
        uint32_t word[4];
        limn_random_words(seed, LIMN_STREAM_SHUFFLE, epoch, r << 40 | right, word);
        uint64_t next = left ^ (word[0] & half);
        left = right, right = next;
    }
    return left << bits | right;
}

int64_t limn_shuffle_at(limn_shuffle *s, uint64_t position)
{
    uint64_t epoch = position / s->n, at = position % s->n;
    if (s->kind == LIMN_SHUFFLE_TABLE) {
        if (!s->filled || s->epoch != epoch) fill(s, epoch);
        return s->table[at];
    }
    int bits = 1;
    while (UINT64_C(1) << 2 * bits < s->n) bits++;
    do at = mixed(s->seed, epoch, bits, at); /* what falls outside is mixed again, and so comes back inside */
    while (at >= s->n);
    return (int64_t)at;
}
