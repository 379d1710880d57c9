/* clip_bpe.c: merge the bytes of each word, lowest merge number first. */
#include "text/clip_clean.h"
#include "text/clip_tables.h"

#include <stdlib.h>

/* A word is a doubly linked list over its bytes; symbol i keeps its place while it grows to the right. */
typedef struct symbol { int32_t id, before, after; } symbol;

typedef struct limn_clip_encoder {
    limn_cleaner cleaner;
    const limn_clip_bpe *bpe;
    int32_t *ids;
    int n, room;
    bool was_cut;
    symbol symbols[LIMN_CLEAN_WORD];
    uint64_t heap[3 * LIMN_CLEAN_WORD]; /* merge number << 32 | place: each merge takes one entry and adds at most two */
    size_t heap_n;
} encoder;

static void heap_push(encoder *e, uint64_t key)
{
    size_t at = e->heap_n++;
    for (size_t up; at && e->heap[up = (at - 1) / 2] > key; at = up) e->heap[at] = e->heap[up];
    e->heap[at] = key;
}

static uint64_t heap_pop(encoder *e)
{
    uint64_t top = e->heap[0], key = e->heap[--e->heap_n];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < e->heap_n; at = child) {
        if (child + 1 < e->heap_n && e->heap[child + 1] < e->heap[child]) child++;
        if (e->heap[child] >= key) break;
        e->heap[at] = e->heap[child];
    }
    e->heap[at] = key;
    return top;
}

/* Merge number of the symbol at `at` (-1: none, or the symbol is gone) with its neighbour. */
static int32_t merge_at(const encoder *e, int32_t at)
{
    const symbol *left = &e->symbols[at];
    if (left->id < 0 || left->after < 0) return -1;
    return limn_clip_find_pair(e->bpe, left->id, e->symbols[left->after].id);
}

static void offer(encoder *e, int32_t at)
{
    int32_t merge = at < 0 ? -1 : merge_at(e, at);
    if (merge >= 0) heap_push(e, (uint64_t)merge << 32 | (uint32_t)at);
}

/* Every occurrence of the best pair from left to right, as in the published code: a pair with the new token has a higher
 * number, because a merge names only tokens of earlier lines.  O(n log n). */
static void merge_word(encoder *e, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int32_t last = i + 1 == n;
        e->symbols[i] =
            (symbol){e->bpe->id_of_byte[bytes[i]] + CLIP_BYTES * last, (int32_t)i - 1, last ? -1 : (int32_t)i + 1};
    }
    e->heap_n = 0;
    for (size_t i = 0; i + 1 < n; i++) offer(e, (int32_t)i);
    while (e->heap_n) {
        uint64_t key = heap_pop(e);
        int32_t at = (int32_t)(uint32_t)key, merge = (int32_t)(key >> 32);
        if (merge_at(e, at) != merge) continue; /* a neighbour was merged meanwhile */
        symbol *left = &e->symbols[at], *right = &e->symbols[left->after];
        left->id = CLIP_FIRST_MERGE + merge;
        left->after = right->after;
        right->id = -1;
        if (left->after >= 0) e->symbols[left->after].before = at;
        offer(e, left->before);
        offer(e, at);
    }
}

static bool put(encoder *e, int32_t id)
{
    if (e->n == e->room) return !(e->was_cut = true);
    e->ids[e->n++] = id;
    return true;
}

static bool take_word(void *user, limn_word_kind kind, const uint8_t *bytes, size_t n)
{
    encoder *e = user;
    if (kind == LIMN_WORD_START) return put(e, limn_clip_bpe_start(e->bpe));
    if (kind == LIMN_WORD_END) return put(e, limn_clip_bpe_end(e->bpe));
    merge_word(e, bytes, n);
    for (int32_t at = 0; at >= 0; at = e->symbols[at].after)
        if (!put(e, e->symbols[at].id)) return false;
    return true;
}

int limn_clip_bpe_vocab(const limn_clip_bpe *bpe) { return CLIP_FIRST_MERGE + bpe->n_merges + 2; }
int limn_clip_bpe_start(const limn_clip_bpe *bpe) { return CLIP_FIRST_MERGE + bpe->n_merges; }
int limn_clip_bpe_end(const limn_clip_bpe *bpe) { return CLIP_FIRST_MERGE + bpe->n_merges + 1; }

int32_t limn_clip_bpe_mark(const limn_clip_bpe *bpe, char c) { return bpe->id_of_byte[(uint8_t)c] + CLIP_BYTES; }

limn_clip_encoder *limn_clip_encoder_new(const limn_clip_bpe *bpe)
{
    encoder *e = malloc(sizeof *e);
    if (e) e->bpe = bpe;
    return e;
}

void limn_clip_encoder_free(limn_clip_encoder *e) { free(e); }

int limn_clip_tokens(limn_clip_encoder *e, const char *text, size_t n_bytes, int room, int32_t *ids, bool *was_cut)
{
    e->ids = ids, e->n = 0, e->room = room, e->was_cut = false;
    limn_clip_words(&e->cleaner, text, n_bytes, take_word, e);
    *was_cut |= e->was_cut;
    return e->n;
}

limn_status limn_clip_bpe_encode(limn_ctx *ctx, const limn_clip_bpe *bpe, const char *text, size_t n_bytes, int context,
                                 int32_t *ids, int *n_tokens, bool *was_cut)
{
    if (context < 2 || context > LIMN_CLIP_CONTEXT_MAX)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "tokens: expected a context of 2 to %d, found %d", LIMN_CLIP_CONTEXT_MAX,
                         context);
    bool cut = false;
    limn_clip_encoder *e = limn_clip_encoder_new(bpe);
    if (!e) return limn_fail_memory(ctx, sizeof *e, "tokenizer");
    int n = limn_clip_tokens(e, text, n_bytes, context - 2, ids + 1, &cut);
    limn_clip_encoder_free(e);
    ids[0] = limn_clip_bpe_start(bpe);
    for (int i = n + 1; i < context; i++) ids[i] = limn_clip_bpe_end(bpe);
    if (n_tokens) *n_tokens = n + 2;
    if (was_cut) *was_cut = cut;
    return LIMN_OK;
}
