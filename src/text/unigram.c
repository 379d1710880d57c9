/* unigram.c: the pieces of a text whose scores have the largest sum (Viterbi). */
#include "text/unigram_parts.h"

#include <stdlib.h>
#include <string.h>

/* The best way to a place in the text: its sum, and its last piece of n bytes (0: none ends here).
 *
 * Sums are of f32 in f64, which is exact: two ways that are equal are equal wherever in a text they stand, and the one whose
 * last piece begins first is taken.  transformers adds so too; sentencepiece adds in f32 from the beginning of the text. */
typedef struct way { double sum; int32_t id; uint32_t n; } way;

typedef struct encoder {
    const limn_unigram *t;
    int32_t *ids;
    int n, room;
    bool was_cut, after_unknown;
    limn_text clean;
    way *way; /* from `base` on */
    size_t n_ways, room_ways;
} encoder;

static bool put(encoder *e, int32_t id)
{
    bool unknown = id == e->t->unknown, again = unknown && e->after_unknown;
    e->after_unknown = unknown;
    if (again) return true; /* unknown characters side by side are one token */
    if (e->n == e->room) return !(e->was_cut = true);
    e->ids[e->n++] = id;
    return true;
}

/* ways[at ...] are there up to `last`. @return false: memory is out */
static bool reach(encoder *e, size_t last)
{
    if (last >= e->room_ways) {
        size_t room = 2 * last + 64;
        way *grown = realloc(e->way, room * sizeof *grown);
        if (!grown) return false;
        e->way = grown, e->room_ways = room;
    }
    while (e->n_ways <= last) e->way[e->n_ways++] = (way){.id = -1};
    return true;
}

static bool offer(encoder *e, size_t from, uint32_t n, int32_t id, double score)
{
    if (!reach(e, from + n)) return false;
    double sum = e->way[from].sum + score;
    way *to = &e->way[from + n];
    if (!to->n || sum > to->sum) *to = (way){sum, id, n};
    return true;
}

/* As sentencepiece steps: by the first byte alone. */
static uint32_t character(uint8_t first, size_t left)
{
    uint32_t n = first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    return n < left ? n : (uint32_t)left;
}

/* Every piece that begins at `from`; a character that is no piece is unknown. */
static bool offer_pieces(encoder *e, size_t from, const uint8_t *text, size_t n)
{
    const limn_unigram *t = e->t;
    uint32_t one = character(*text, n), node = 0;
    bool known = false;
    for (uint32_t i = 0; i < n && (node = limn_trie_step(&t->pieces, node, text[i])); i++) {
        int32_t id = t->pieces.node[node].id;
        if (id < 0) continue;
        if (!offer(e, from, i + 1, id, t->score[id])) return false;
        known |= i + 1 == one;
    }
    return known || offer(e, from, one, t->unknown, t->score_unknown);
}

/* Put what the best way to the last place is made of, and begin anew there.  @return false: there is no more room */
static bool settle(encoder *e)
{
    way next = {.n = 0};
    for (size_t at = e->n_ways - 1; at;) { /* turn the links around: way[at] is the piece that begins there */
        way here = e->way[at];
        e->way[at] = next;
        next = here;
        at -= here.n;
    }
    e->way[0] = next;
    for (size_t at = 0; at + 1 < e->n_ways; at += e->way[at].n)
        if (!put(e, e->way[at].id)) return false;
    e->way[0] = (way){.id = -1};
    e->n_ways = 1;
    return true;
}

/* Where no piece goes beyond a place every way goes through it: what lies before is settled.
 * @return false: memory is out */
static bool find_pieces(encoder *e, const uint8_t *text, size_t n)
{
    e->n_ways = 0;
    if (!reach(e, 0)) return false;
    for (size_t at = 0, base = 0; at < n; at += character(text[at], n - at)) {
        if (at - base + 1 == e->n_ways && at > base) {
            if (!settle(e)) return true;
            base = at;
        }
        if (!offer_pieces(e, at - base, text + at, n - at)) return false;
    }
    settle(e);
    return true;
}

static bool take_part(encoder *e, const char *text, size_t n)
{
    e->clean.n = 0, e->after_unknown = false;
    if (!limn_unigram_normalise(e->t, text, n, &e->clean)) return false;
    return !e->clean.n || find_pieces(e, (const uint8_t *)e->clean.bytes, e->clean.n);
}

/* The longest name that text begins with.  @return its bytes, 0: none */
static size_t find_name(const limn_trie *names, const char *text, size_t n, int32_t *id)
{
    size_t longest = 0;
    uint32_t node = 0;
    for (size_t i = 0; i < n && (node = limn_trie_step(names, node, (uint8_t)text[i])); i++)
        if (names->node[node].id >= 0) *id = names->node[node].id, longest = i + 1;
    return longest;
}

static bool take_text(encoder *e, const char *text, size_t n)
{
    size_t begin = 0, named;
    int32_t id = -1;
    for (size_t at = 0; at < n && !e->was_cut; at += named ? named : 1) {
        if (!(named = find_name(&e->t->names, text + at, n - at, &id))) continue;
        if (at > begin && !take_part(e, text + begin, at - begin)) return false;
        begin = at + named;
        e->after_unknown = false;
        if (!e->was_cut) put(e, id);
    }
    return e->was_cut || begin == n || take_part(e, text + begin, n - begin);
}

limn_status limn_unigram_encode(limn_ctx *ctx, const limn_unigram *t, const char *text, size_t n_bytes, int most,
                                int32_t *ids, int *n_tokens, bool *was_cut)
{
    if (most < 1 || most > LIMN_UNIGRAM_TOKENS_MAX)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "tokens: expected room for 1 to %d, found %d", LIMN_UNIGRAM_TOKENS_MAX,
                         most);
    encoder e = {.t = t, .ids = ids, .room = most - 1};
    bool done = take_text(&e, text, n_bytes);
    limn_text_free(&e.clean);
    free(e.way);
    if (!done) return limn_fail_memory(ctx, n_bytes, "tokenizer");
    ids[e.n] = t->end;
    for (int i = e.n + 1; i < most; i++) ids[i] = t->pad;
    if (n_tokens) *n_tokens = e.n + 1;
    if (was_cut) *was_cut = e.was_cut;
    return LIMN_OK;
}

int limn_unigram_vocab(const limn_unigram *t) { return t->vocab; }
