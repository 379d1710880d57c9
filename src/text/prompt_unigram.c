/* prompt_unigram.c: see prompt_unigram.h. */
#include "text/prompt_unigram.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

/* ---- small letters ---------------------------------------------------------------------------------------------------- */

/* As Python's str.lower(), but for a sigma at the end of a word and a capital I with a point.  Bytes that are no UTF-8 stay.
 * *out is the caller's; its bytes are at most half as many again. */
static limn_status lowered(limn_ctx *ctx, const char *text, size_t n, char **out, size_t *n_out)
{
    char *to = *out = malloc(n + n / 2 + 4);
    if (!to) return limn_fail_memory(ctx, n, "a prompt");
    for (size_t i = 0; i < n;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t took = utf8proc_iterate((const utf8proc_uint8_t *)text + i, (utf8proc_ssize_t)(n - i), &c);
        if (took < 1) *to++ = text[i++];
        else to += utf8proc_encode_char(utf8proc_tolower(c), (utf8proc_uint8_t *)to), i += (size_t)took;
    }
    *n_out = (size_t)(to - *out);
    return LIMN_OK;
}

/* Spaces as Python's str.strip() has them. */
static bool is_space(const char *text, size_t n, size_t *bytes)
{
    utf8proc_int32_t c;
    utf8proc_ssize_t took = utf8proc_iterate((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)n, &c);
    if (took < 1) return false;
    *bytes = (size_t)took;
    utf8proc_category_t kind = utf8proc_category(c);
    return (c >= 9 && c <= 13) || (c >= 28 && c <= 31) || c == 0x85 || kind == UTF8PROC_CATEGORY_ZS ||
           kind == UTF8PROC_CATEGORY_ZL || kind == UTF8PROC_CATEGORY_ZP;
}

static void strip(const char **text, size_t *n)
{
    size_t bytes, end = 0;
    while (*n && is_space(*text, *n, &bytes)) *text += bytes, *n -= bytes;
    for (size_t i = 0; i < *n;) {
        bool space = is_space(*text + i, *n - i, &bytes);
        utf8proc_int32_t c;
        utf8proc_ssize_t took = utf8proc_iterate((const utf8proc_uint8_t *)*text + i, (utf8proc_ssize_t)(*n - i), &c);
        i += took < 1 ? 1 : (size_t)took;
        if (!space) end = i;
    }
    *n = end;
}

/* ---- pieces ----------------------------------------------------------------------------------------------------------- */

/* A piece behind those that are there; `some` has room for as many ids as there still are. */
static limn_status take_piece(limn_ctx *ctx, const limn_unigram *t, const char *text, size_t n_bytes, double weight,
                              int32_t *some, limn_prompt *out)
{
    int at = out->end[0], room = out->context - at, n;
    bool cut;
    limn_status status = limn_unigram_encode(ctx, t, text, n_bytes, room, some, &n, &cut);
    if (status != LIMN_OK) return status;
    for (int i = 0; i < n; i++) out->ids[at + i] = some[i], out->weight[at + i] = i < n - 1 ? (float)weight : 1;
    out->end[0] = at + n - 1; /* </s>, which the next piece writes over */
    out->was_cut |= cut, out->is_weighted |= n > 1 && (float)weight != 1;
    return LIMN_OK;
}

static limn_status take_all(limn_ctx *ctx, const limn_unigram *t, const limn_prompt_text *pieces, limn_prompt *out)
{
    int32_t *some = malloc((size_t)out->context * sizeof *some);
    if (!some) return limn_fail_memory(ctx, (size_t)out->context * sizeof *some, "tokens");
    limn_status status = limn_unigram_encode(ctx, t, "", 0, out->context, out->ids, NULL, NULL); /* all of it padding */
    for (size_t i = 0; i < pieces->n_pieces && status == LIMN_OK; i++) {
        const limn_prompt_piece *piece = &pieces->piece[i];
        if (!piece->is_break) status = take_piece(ctx, t, pieces->bytes + piece->begin, piece->n, piece->weight, some, out);
    }
    free(some);
    return status;
}

static limn_status make_room(limn_ctx *ctx, limn_prompt *out)
{
    size_t n = (size_t)out->context;
    out->ids = malloc(n * sizeof *out->ids), out->weight = malloc(n * sizeof *out->weight);
    out->end = calloc(1, sizeof *out->end);
    if (!out->ids || !out->weight || !out->end) return limn_fail_memory(ctx, n * sizeof *out->ids, "a prompt");
    for (size_t i = 0; i < n; i++) out->weight[i] = 1;
    out->n_chunks = 1;
    return LIMN_OK;
}

limn_status limn_prompt_read_unigram(limn_ctx *ctx, const limn_unigram *t, bool lower, limn_prompt_style style,
                                     const char *text, size_t n_bytes, int context, limn_prompt *out)
{
    limn_prompt_text pieces = {0};
    char *small = NULL;
    *out = (limn_prompt){.context = context};
    if (context < 2 || context > LIMN_UNIGRAM_TOKENS_MAX)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "a prompt for T5: expected 2 to %d tokens, found %d",
                         LIMN_UNIGRAM_TOKENS_MAX, context);
    limn_status status = make_room(ctx, out);
    if (status == LIMN_OK && lower) status = lowered(ctx, text, n_bytes, &small, &n_bytes);
    if (status == LIMN_OK && lower) text = small, strip(&text, &n_bytes);
    if (status == LIMN_OK) status = limn_prompt_weigh(ctx, style, text, n_bytes, &pieces);
    if (status == LIMN_OK) status = take_all(ctx, t, &pieces, out);
    if (status != LIMN_OK) limn_prompt_free(out);
    limn_prompt_text_free(&pieces);
    free(small);
    return status;
}
