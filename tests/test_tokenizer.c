/* test_tokenizer.c: the token ids of 10,000 strings of every script, emoji and malformed UTF-8 are those of Hugging Face's
 * CLIP tokenizer (oracle/tokenizer_vectors.py, where the strings are made in the same way). */
#include "text/clip_bpe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "make_strings.h"

static void ids_of_ten_thousand_strings_are_the_published_ones(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_clip_bpe *bpe;
    string s;
    int wrong = 0;
    assert_int_equal(COUNT(tokenizer_hashes) * TOKENIZER_GROUP, TOKENIZER_STRINGS);
    assert_int_equal(limn_clip_bpe_published(ctx, &bpe), LIMN_OK);
    for (int group = 0; group < TOKENIZER_STRINGS / TOKENIZER_GROUP; group++) {
        unsigned hash = STRINGS_HASH;
        for (int i = 0; i < TOKENIZER_GROUP; i++) {
            int32_t ids[77];
            int n;
            bool cut;
            make_string(group * TOKENIZER_GROUP + i, tokenizer_pieces, COUNT(tokenizer_pieces), &s);
            assert_int_equal(limn_clip_bpe_encode(ctx, bpe, s.bytes, s.n, 77, ids, &n, &cut), LIMN_OK);
            hash = hash_ids(hash, ids, n);
        }
        if (hash == tokenizer_hashes[group]) continue;
        if (wrong++ < 20) print_message("strings %d to %d have other ids\n", group * TOKENIZER_GROUP,
                                        group * TOKENIZER_GROUP + TOKENIZER_GROUP - 1);
    }
    assert_int_equal(wrong, 0);
    limn_clip_bpe_free(bpe);
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ids_of_ten_thousand_strings_are_the_published_ones)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
