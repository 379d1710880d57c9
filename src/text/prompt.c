/* prompt.c: pieces of a prompt to chunks of ids, and their weights into features. */
#include "text/prompt.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    COMMA_TOKENS = 20, /* webui: as many tokens behind a comma go to the next chunk rather than being parted */
    WORD_TOKENS = 8,   /* comfy: a piece of fewer tokens is never parted */
};

typedef struct chunker {
    const limn_clip_bpe *bpe;
    const limn_prompt_words *words; /* NULL: none */
    limn_prompt_style style;
    limn_prompt *p;
    int room;      /* chunks that ids and weight have room for */
    int n;         /* tokens of the chunk under way, behind its start */
    int comma;     /* where its last comma is; -1: it has none */
} chunker;

static int32_t *ids_of(const limn_prompt *p, int chunk) { return p->ids + (size_t)chunk * (size_t)p->context; }
static float *weights_of(const limn_prompt *p, int chunk) { return p->weight + (size_t)chunk * (size_t)p->context; }

/* The chunk under way is p->n_chunks. */
static bool put(chunker *c, int32_t id, double weight)
{
    if (c->p->n_chunks == c->room || c->n == c->p->context - 2) return !(c->p->was_cut = true);
    ids_of(c->p, c->p->n_chunks)[1 + c->n] = id;
    weights_of(c->p, c->p->n_chunks)[1 + c->n++] = (float)weight;
    c->p->is_weighted |= (float)weight != 1;
    return true;
}

static void close_chunk(chunker *c)
{
    limn_prompt *p = c->p;
    if (p->n_chunks == c->room) return;
    int32_t *ids = ids_of(p, p->n_chunks);
    float *weight = weights_of(p, p->n_chunks);
    ids[0] = limn_clip_bpe_start(c->bpe);
    weight[0] = 1;
    for (int i = c->n + 1; i < p->context; i++) ids[i] = limn_clip_bpe_end(c->bpe), weight[i] = 1;
    p->n_chunks++;
    c->n = 0, c->comma = -1;
}

/* ---- where a chunk ends ----------------------------------------------------------------------------------------------- */

/* What stands behind a near comma moves on, so that words which belong together are seen together. */
static void move_on(chunker *c)
{
    int at = c->p->n_chunks, begin = c->comma + 1, n = c->n - begin;
    bool moves = c->comma >= 0 && c->n - c->comma <= COMMA_TOKENS && at + 1 < c->room;
    if (moves) {
        memcpy(ids_of(c->p, at + 1) + 1, ids_of(c->p, at) + 1 + begin, (size_t)n * sizeof(int32_t));
        memcpy(weights_of(c->p, at + 1) + 1, weights_of(c->p, at) + 1 + begin, (size_t)n * sizeof(float));
        c->n = begin;
    }
    close_chunk(c);
    if (moves) c->n = n;
}

/* ---- words with vectors of their own ---------------------------------------------------------------------------------- */

static int by_tokens(const void *a, const void *b)
{
    const limn_prompt_word *x = a, *y = b;
    if (!x->n_ids || !y->n_ids) return !x->n_ids - !y->n_ids;
    if (x->ids[0] != y->ids[0]) return x->ids[0] < y->ids[0] ? -1 : 1;
    if (x->n_ids != y->n_ids) return x->n_ids > y->n_ids ? -1 : 1;
    int order = memcmp(x->ids, y->ids, (size_t)x->n_ids * sizeof *x->ids);
    if (order || x->misfit != y->misfit) return order ? order : x->misfit - y->misfit;
    return strcmp(x->file, y->file);
}

void limn_prompt_words_sort(limn_prompt_word *word, size_t n)
{
    if (n) qsort(word, n, sizeof *word, by_tokens);
}

/* The one of most tokens that the n ids begin with. */
static const limn_prompt_word *word_at(const limn_prompt_words *words, const int32_t *ids, int n)
{
    size_t low = 0, high = words ? words->n : 0, all = high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const limn_prompt_word *w = &words->word[middle];
        if (w->n_ids && w->ids[0] < ids[0]) low = middle + 1;
        else high = middle;
    }
    for (; low < all && words->word[low].n_ids && words->word[low].ids[0] == ids[0]; low++) {
        const limn_prompt_word *w = &words->word[low];
        if (w->n_ids <= n && memcmp(w->ids, ids, (size_t)w->n_ids * sizeof *ids) == 0) return w;
    }
    return NULL;
}

/* A word in a piece that is known by its characters, not by its tokens. */
typedef struct spelled {
    size_t begin, end;             /* where it stands; at the piece's end: there is none */
    const limn_prompt_word *word;
} spelled;

static bool begins_alike(const char *text, size_t n, const char *with)
{
    size_t k = strlen(with);
    return n >= k && limn_same_word(text, k, with, k);
}

/* plain: the first token from `at` on; of two that begin there the longer. */
static spelled next_token(const limn_prompt_words *words, const char *text, size_t n, size_t at)
{
    spelled s = {.begin = n, .end = n};
    for (; at < n && !s.word; at++)
        for (size_t i = 0; text[at] == '<' && i < words->n; i++) {
            const limn_prompt_word *w = &words->word[i];
            bool longer = w->token && (!s.word || strlen(w->token) > strlen(s.word->token));
            if (longer && begins_alike(text + at, n - at, w->token))
                s = (spelled){at, at + strlen(w->token), w};
        }
    return s;
}

static const limn_prompt_word *word_named(const limn_prompt_words *words, const char *name, size_t n)
{
    const limn_prompt_word *found = NULL;
    for (size_t i = 0; i < words->n && (!found || found->misfit); i++) {
        const limn_prompt_word *w = &words->word[i];
        bool by_name = strlen(w->name) == n && memcmp(w->name, name, n) == 0;
        if ((by_name || (strlen(w->file) == n && memcmp(w->file, name, n) == 0)) && (!found || !w->misfit)) found = w;
    }
    return found;
}

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* comfy: the first "embedding:NAME" from `at` on that begins the piece or follows a space; commas behind a name that has
 * none are text. */
static limn_status next_named(limn_ctx *ctx, const limn_prompt_words *words, const char *text, size_t n, size_t at,
                              spelled *out)
{
    static const char mark[] = "embedding:";
    size_t k = sizeof mark - 1;
    char shown[256];
    *out = (spelled){.begin = n, .end = n};
    while (at + k <= n && !(memcmp(text + at, mark, k) == 0 && (!at || text[at - 1] == ' ' || text[at - 1] == '\n'))) at++;
    if (at + k > n) return LIMN_OK;
    size_t begin = at + k;
    while (begin < n && is_space(text[begin])) begin++;
    size_t end = begin;
    while (end < n && !is_space(text[end])) end++;
    *out = (spelled){at, end, word_named(words, text + begin, end - begin)};
    while (!out->word && end > begin && text[end - 1] == ',') end--;
    if (!out->word) *out = (spelled){at, end, word_named(words, text + begin, end - begin)};
    if (out->word) return LIMN_OK;
    limn_escape(text + begin, end - begin < 200 ? end - begin : 200, shown, sizeof shown);
    if (!words->folder)
        return limn_fail(ctx, LIMN_NOT_FOUND, "the prompt asks for embedding:%s: say in which folder such files are "
                         "(--embd-dir)", shown);
    return limn_fail(ctx, LIMN_NOT_FOUND, "%s: no embedding \"%s\" is there, as embedding:%s asks for", words->folder, shown,
                     shown);
}

static limn_status next_spelled(limn_ctx *ctx, const chunker *c, const char *text, size_t n, size_t at, spelled *out)
{
    *out = (spelled){.begin = n, .end = n};
    if (c->words && c->style == LIMN_PROMPT_COMFY) return next_named(ctx, c->words, text, n, at, out);
    if (c->words && c->style == LIMN_PROMPT_PLAIN) *out = next_token(c->words, text, n, at);
    return LIMN_OK;
}

/* ---- tokens to chunks ------------------------------------------------------------------------------------------------- */

/* All its vectors are in one chunk. */
static bool put_word(chunker *c, const limn_prompt_word *w, double weight)
{
    if (c->style == LIMN_PROMPT_WEBUI && c->n + w->n > c->p->context - 2) close_chunk(c);
    for (int i = 0; i < w->n; i++)
        if (!put(c, w->first + i, weight)) return false;
    return true;
}

/* The token that ids, which has n, begins with, or the word.  @return how many tokens that is; 0: it was cut */
static int put_next(chunker *c, const int32_t *ids, int n, double weight)
{
    const limn_prompt_word *word = word_at(c->words, ids, n);
    if (word) return put_word(c, word, weight) ? word->n_ids : 0;
    return put(c, *ids, weight);
}

static void take_webui(chunker *c, int n, const int32_t *ids, double weight)
{
    int32_t comma = limn_clip_bpe_mark(c->bpe, ',');
    int full = c->p->context - 2;
    for (int i = 0, k = 1; i < n && k; i += k) {
        if (ids[i] == comma) {
            c->comma = c->n;
            if (c->n == full) close_chunk(c);
        } else if (c->n == full) {
            move_on(c);
            if (c->n == full) close_chunk(c); /* the comma came first */
        }
        k = put_next(c, ids + i, n - i, weight);
    }
}

static void take_comfy(chunker *c, int n, const int32_t *ids, double weight)
{
    int full = c->p->context - 2;
    for (int i = 0; i < n;) {
        bool fits = n - i <= full - c->n;
        int k = fits ? n - i : n >= WORD_TOKENS || n > full ? full - c->n : 0;
        for (int stop = i + k; i < stop; i++)
            if (!put(c, ids[i], weight)) return;
        if (!fits) close_chunk(c);
        if (c->p->n_chunks == c->room) return (void)(c->p->was_cut = true);
    }
}

static void take_plain(chunker *c, int n, const int32_t *ids)
{
    for (int i = 0, k = 1; i < n && k; i += k) k = put_next(c, ids + i, n - i, 1);
}

static void take_tokens(chunker *c, int n, const int32_t *ids, double weight)
{
    if (c->style == LIMN_PROMPT_WEBUI) take_webui(c, n, ids, weight);
    else if (c->style == LIMN_PROMPT_COMFY) take_comfy(c, n, ids, weight);
    else take_plain(c, n, ids);
}

/* ---- a prompt --------------------------------------------------------------------------------------------------------- */

static limn_status room_for(limn_ctx *ctx, limn_prompt *p, int chunks)
{
    size_t n = (size_t)chunks * (size_t)p->context;
    int32_t *ids = realloc(p->ids, n * sizeof *ids);
    if (ids) p->ids = ids;
    float *weight = realloc(p->weight, n * sizeof *weight);
    if (weight) p->weight = weight;
    int *end = realloc(p->end, (size_t)chunks * sizeof *end);
    if (end) p->end = end;
    return ids && weight && end ? LIMN_OK : limn_fail_memory(ctx, n * (sizeof *ids + sizeof *weight), "chunks of a prompt");
}

/* The first end token of each chunk from number `first` on, and what stands behind it. */
static void pad_chunks(const limn_clip_bpe *bpe, int32_t pad, int first, limn_prompt *p)
{
    for (int k = first; k < p->n_chunks; k++) {
        int32_t *ids = ids_of(p, k);
        int i = 0;
        while (ids[i] != limn_clip_bpe_end(bpe)) i++; /* the last one at the latest */
        p->end[k] = i;
        for (i++; i < p->context; i++) ids[i] = pad == limn_clip_bpe_end(bpe) ? ids[i] : pad;
    }
}

/* Text and, among it, words that are spelled out.  ids: room for LIMN_CLIP_CONTEXT_MAX */
static limn_status take_piece(limn_ctx *ctx, chunker *c, const char *text, size_t n, double weight, limn_clip_encoder *e,
                              int32_t *ids)
{
    spelled s = {0};
    limn_status status = LIMN_OK;
    for (size_t at = 0; status == LIMN_OK && at <= n && !c->p->was_cut; at = s.end + !s.word) {
        status = next_spelled(ctx, c, text, n, at, &s);
        if (status != LIMN_OK) return status;
        int k = limn_clip_tokens(e, text + at, s.begin - at, LIMN_CLIP_CONTEXT_MAX, ids, &c->p->was_cut);
        take_tokens(c, k, ids, weight);
        for (int i = 0; s.word && i < s.word->n; i++) ids[i] = s.word->first + i;
        if (s.word && c->style == LIMN_PROMPT_COMFY) take_comfy(c, s.word->n, ids, weight);
        else if (s.word) put_word(c, s.word, weight);
    }
    return status;
}

static limn_status take_all(limn_ctx *ctx, chunker *c, const limn_prompt_text *text, limn_clip_encoder *e, int32_t *ids)
{
    limn_status status = LIMN_OK;
    for (size_t i = 0; i < text->n_pieces && !c->p->was_cut && status == LIMN_OK; i++) {
        const limn_prompt_piece *piece = &text->piece[i];
        if (piece->is_break) close_chunk(c);
        else status = take_piece(ctx, c, text->bytes + piece->begin, piece->n, piece->weight, e, ids);
    }
    if (c->n || !c->p->n_chunks || c->style != LIMN_PROMPT_WEBUI) close_chunk(c);
    return status;
}

limn_status limn_prompt_read(limn_ctx *ctx, const limn_clip_bpe *bpe, const limn_prompt_words *words,
                             limn_prompt_style style, const char *text, size_t n_bytes, int context, int32_t pad,
                             limn_prompt *out)
{
    *out = (limn_prompt){.context = context};
    if (context < 3 || context > LIMN_CLIP_CONTEXT_MAX)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "a chunk of a prompt: expected 3 to %d tokens, found %d",
                         LIMN_CLIP_CONTEXT_MAX, context);
    chunker c = {.bpe = bpe, .words = words, .style = style, .p = out, .comma = -1};
    limn_prompt_text pieces = {0};
    c.room = style == LIMN_PROMPT_PLAIN ? 1 : (LIMN_CLIP_CONTEXT_MAX + context - 1) / context;
    int32_t *ids = malloc(LIMN_CLIP_CONTEXT_MAX * sizeof *ids);
    limn_clip_encoder *e = limn_clip_encoder_new(bpe);
    limn_status status =
        ids && e ? room_for(ctx, out, c.room) : limn_fail_memory(ctx, LIMN_CLIP_CONTEXT_MAX * sizeof *ids, "tokens");
    if (status == LIMN_OK) status = limn_prompt_weigh(ctx, style, text, n_bytes, &pieces);
    if (status == LIMN_OK) status = take_all(ctx, &c, &pieces, e, ids);
    if (status == LIMN_OK) status = room_for(ctx, out, out->n_chunks);
    if (status == LIMN_OK) pad_chunks(bpe, pad, 0, out);
    else limn_prompt_free(out);
    limn_prompt_text_free(&pieces);
    limn_clip_encoder_free(e);
    free(ids);
    return status;
}

limn_status limn_prompt_extend(limn_ctx *ctx, const limn_clip_bpe *bpe, int32_t pad, int n_chunks, limn_prompt *p)
{
    int had = p->n_chunks;
    if (n_chunks <= had) return LIMN_OK;
    chunker c = {.bpe = bpe, .p = p, .room = n_chunks, .comma = -1};
    limn_status status = room_for(ctx, p, n_chunks);
    if (status != LIMN_OK) return status;
    while (p->n_chunks < n_chunks) close_chunk(&c);
    pad_chunks(bpe, pad, had, p);
    return LIMN_OK;
}

void limn_prompt_free(limn_prompt *p)
{
    free(p->ids);
    free(p->weight);
    free(p->end);
    *p = (limn_prompt){0};
}

/* ---- features --------------------------------------------------------------------------------------------------------- */

static double sum_of(size_t n, const float *x)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)x[i];
    return sum;
}

void limn_prompt_emphasize(limn_prompt_style style, int context, int width, const float *weight, const float *empty,
                           float *z)
{
    size_t d = (size_t)width, n = (size_t)context * d;
    if (style == LIMN_PROMPT_PLAIN) return;
    double before = sum_of(n, z);
    for (size_t t = 0; t < (size_t)context; t++)
        for (size_t i = t * d; weight[t] != 1 && i < (t + 1) * d; i++)
            z[i] = style == LIMN_PROMPT_COMFY ? (z[i] - empty[i]) * weight[t] + empty[i] : z[i] * weight[t];
    double after = sum_of(n, z);
    if (style == LIMN_PROMPT_COMFY || after == 0) return; /* all weights 0: there is no mean to put back */
    for (size_t i = 0; i < n; i++) z[i] *= (float)(before / after);
}
