/* fuzz_unigram.c: two bytes, how long a text is; the text; then a tokenizer as its file lies on a disk, of either kind. */
#include "text/unigram.h"

static void require(bool holds)
{
    if (!holds) __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 2) return 0;
    size_t n_text = data[0] | (size_t)data[1] << 8;
    const uint8_t *text = data + 2;
    n -= 2;
    if (n_text > n) n_text = n;
    limn_ctx *ctx = limn_ctx_new();
    limn_unigram *t = NULL;
    limn_status status = limn_unigram_parse(ctx, "fuzz", text + n_text, n - n_text, &t);
    require(status == LIMN_OK ? t != NULL : t == NULL && *limn_error_text(ctx));
    if (t) {
        enum { MOST = 99 };
        int32_t ids[MOST];
        int n_tokens = 0;
        bool cut = false;
        int most = 1 + (int)(n_text % MOST);
        require(limn_unigram_encode(ctx, t, (const char *)text, n_text, most, ids, &n_tokens, &cut) == LIMN_OK);
        require(n_tokens >= 1 && n_tokens <= most && (!cut || n_tokens == most));
        for (int i = 0; i < most; i++) require(ids[i] >= 0 && ids[i] < limn_unigram_vocab(t));
    }
    limn_unigram_free(t);
    limn_ctx_free(ctx);
    return 0;
}
