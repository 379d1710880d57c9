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

static void take_webui(chunker *c, int n, const int32_t *ids, double weight)
{
    int32_t comma = limn_clip_bpe_mark(c->bpe, ',');
    int full = c->p->context - 2;
    for (int i = 0; i < n; i++) {
        if (ids[i] == comma) {
            c->comma = c->n;
            if (c->n == full) close_chunk(c);
        } else if (c->n == full) {
            move_on(c);
            if (c->n == full) close_chunk(c); /* the comma came first */
        }
        if (!put(c, ids[i], weight)) return;
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
    for (int i = 0; i < n; i++)
        if (!put(c, ids[i], 1)) return;
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

/* ids: room for LIMN_CLIP_CONTEXT_MAX */
static void take_all(chunker *c, limn_prompt_style style, const limn_prompt_text *text, limn_clip_encoder *e, int32_t *ids)
{
    for (size_t i = 0; i < text->n_pieces && !c->p->was_cut; i++) {
        const limn_prompt_piece *piece = &text->piece[i];
        int n = limn_clip_tokens(e, text->bytes + piece->begin, piece->n, LIMN_CLIP_CONTEXT_MAX, ids, &c->p->was_cut);
        if (n) c->p->is_weighted |= (float)piece->weight != 1;
        if (piece->is_break) close_chunk(c);
        else if (style == LIMN_PROMPT_WEBUI) take_webui(c, n, ids, piece->weight);
        else if (style == LIMN_PROMPT_COMFY) take_comfy(c, n, ids, piece->weight);
        else take_plain(c, n, ids);
    }
    if (c->n || !c->p->n_chunks || style != LIMN_PROMPT_WEBUI) close_chunk(c);
}

limn_status limn_prompt_read(limn_ctx *ctx, const limn_clip_bpe *bpe, limn_prompt_style style, const char *text,
                             size_t n_bytes, int context, int32_t pad, limn_prompt *out)
{
    *out = (limn_prompt){.context = context};
    if (context < 3 || context > LIMN_CLIP_CONTEXT_MAX)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "a chunk of a prompt: expected 3 to %d tokens, found %d",
                         LIMN_CLIP_CONTEXT_MAX, context);
    chunker c = {.bpe = bpe, .p = out, .comma = -1};
    limn_prompt_text pieces = {0};
    c.room = style == LIMN_PROMPT_PLAIN ? 1 : (LIMN_CLIP_CONTEXT_MAX + context - 1) / context;
    int32_t *ids = malloc(LIMN_CLIP_CONTEXT_MAX * sizeof *ids);
    limn_clip_encoder *e = limn_clip_encoder_new(bpe);
    limn_status status =
        ids && e ? room_for(ctx, out, c.room) : limn_fail_memory(ctx, LIMN_CLIP_CONTEXT_MAX * sizeof *ids, "tokens");
    if (status == LIMN_OK) status = limn_prompt_weigh(ctx, style, text, n_bytes, &pieces);
    if (status == LIMN_OK) {
        take_all(&c, style, &pieces, e, ids);
        status = room_for(ctx, out, out->n_chunks);
    }
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
