/* fuzz_text.c: first byte picks how the rest is read: a merges file, a text, or merges and text split at a zero byte.  Texts
 * are also parted into chunks, with words that are vectors. */
#include "text/prompt.h"

#include <stdlib.h>
#include <string.h>

static void require(bool holds)
{
    if (!holds) __builtin_trap();
}

static void encode(limn_ctx *ctx, const limn_clip_bpe *bpe, const char *text, size_t n, int context)
{
    int32_t *ids = malloc((size_t)context * sizeof *ids);
    int n_tokens = 0;
    bool cut = false;
    require(ids && limn_clip_bpe_encode(ctx, bpe, text, n, context, ids, &n_tokens, &cut) == LIMN_OK);
    require(n_tokens >= 2 && n_tokens <= context && ids[0] == limn_clip_bpe_start(bpe));
    for (int i = n_tokens - 1; i < context; i++) require(ids[i] == limn_clip_bpe_end(bpe));
    for (int i = 0; i < context; i++) require(ids[i] >= 0 && ids[i] < limn_clip_bpe_vocab(bpe));
    require(!cut || n_tokens == context);
    free(ids);
}

/* A chunk holds what a tokenizer or a word gives, and a word's vectors in order. */
static void part(limn_ctx *ctx, const limn_clip_bpe *bpe, limn_prompt_style style, const char *text, size_t n, int context)
{
    int32_t vocab = limn_clip_bpe_vocab(bpe), the[] = {limn_clip_bpe_mark(bpe, 't'), limn_clip_bpe_mark(bpe, 'h')};
    limn_prompt_word word[] = {
        {.name = "t", .file = "t.pt", .ids = the, .n_ids = 1, .first = vocab, .n = context - 2},
        {.name = "t h", .file = "h.pt", .token = "<t>", .ids = the, .n_ids = 2, .first = vocab + 100, .n = 1},
        {.name = "none", .file = "none.bin", .token = "<", .ids = the, .first = vocab + 101, .n = context / 2},
    };
    limn_prompt_words_sort(word, 3);
    const limn_prompt_words words = {.folder = "fuzz", .word = word, .n = 3};
    limn_prompt p;
    limn_status status = limn_prompt_read(ctx, bpe, &words, style, text, n, context, 0, &p);
    require(status == LIMN_OK || (status == LIMN_NOT_FOUND && style == LIMN_PROMPT_COMFY && *limn_error_text(ctx)));
    for (int i = 0; status == LIMN_OK && i < p.n_chunks * context; i++)
        require(p.ids[i] >= 0 && p.ids[i] < vocab + 101 + context / 2);
    limn_prompt_free(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char few_merges[] = "t h\nth e</w>\n< |\n' s</w>\ni n\nin g</w>\n";
    if (!n) return 0;
    int mode = data[0] % 3, context = 2 + data[0] / 3;
    const char *bytes = (const char *)data + 1;
    n--;
    const char *zero = mode == 2 ? memchr(bytes, 0, n) : NULL;
    size_t merges_n = mode == 1 ? 0 : zero ? (size_t)(zero - bytes) : n;
    limn_ctx *ctx = limn_ctx_new();
    limn_clip_bpe *bpe = NULL;
    limn_status status = limn_clip_bpe_parse(ctx, "fuzz", mode == 1 ? few_merges : bytes,
                                             mode == 1 ? sizeof few_merges - 1 : merges_n, -1, &bpe);
    require(status == LIMN_OK ? bpe != NULL : bpe == NULL && *limn_error_text(ctx));
    if (bpe) encode(ctx, bpe, zero ? zero : bytes, zero ? n - merges_n : n, context);
    limn_prompt_style style = (limn_prompt_style)(n % 3);
    if (bpe) part(ctx, bpe, style, zero ? zero : bytes, zero ? n - merges_n : n, context + (context < 3));
    limn_clip_bpe_free(bpe);
    limn_ctx_free(ctx);
    return 0;
}
