/* test_tokenizer.c: the token ids of 10,000 strings of every script, emoji and malformed UTF-8 are those of Hugging Face's
 * CLIP tokenizer (oracle/tokenizer_vectors.py, where the strings are made in the same way). */
#include "text/clip_bpe.h"
#include "vectors/tokenizer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof *(table))
enum { LONGEST = 1024 };

typedef struct string { char bytes[LONGEST]; size_t n; } string;

/* splitmix64 */
static size_t below(uint64_t *state, size_t n)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (size_t)((z ^ z >> 31) % n);
}

static void put_byte(string *s, unsigned byte)
{
    assert_true(s->n < LONGEST);
    s->bytes[s->n++] = (char)byte;
}

static void put_point(string *s, unsigned c)
{
    if (c < 0x80) put_byte(s, c);
    else if (c < 0x800) put_byte(s, 0xc0 | c >> 6);
    else if (c < 0x10000) put_byte(s, 0xe0 | c >> 12);
    else put_byte(s, 0xf0 | c >> 18), put_byte(s, 0x80 | (c >> 12 & 63));
    if (c >= 0x800) put_byte(s, 0x80 | (c >> 6 & 63));
    if (c >= 0x80) put_byte(s, 0x80 | (c & 63));
}

static void put_text(string *s, const char *text)
{
    for (; *text; text++) put_byte(s, (unsigned char)*text);
}

static void put_of(string *s, uint64_t *r, size_t script)
{
    unsigned first = tokenizer_ranges[script].first;
    put_point(s, first + (unsigned)below(r, tokenizer_ranges[script].last - first + 1));
}

static void put_word(string *s, uint64_t *r, int kind, size_t script)
{
    for (size_t n = 1 + below(r, 8); n; n--)
        switch (kind) {
        case 4: put_point(s, tokenizer_emoji[below(r, COUNT(tokenizer_emoji))]); break;
        case 5: put_of(s, r, below(r, COUNT(tokenizer_ranges))); break;
        case 6: put_byte(s, (unsigned)below(r, 256)); break;
        case 8: put_of(s, r, 0); break;
        default: put_of(s, r, script);
        }
}

static void make_string(int i, string *s)
{
    uint64_t r = (uint64_t)i;
    int kind = i % 10;
    s->n = 0;
    for (size_t words = 1 + below(&r, 10); words; words--) {
        size_t script = below(&r, COUNT(tokenizer_ranges));
        if (kind == 9) put_text(s, tokenizer_pieces[below(&r, COUNT(tokenizer_pieces))]);
        else put_word(s, &r, kind, script);
        if (kind == 7) put_byte(s, 128 + (unsigned)below(&r, 128));
        put_text(s, tokenizer_spaces[below(&r, COUNT(tokenizer_spaces))]);
    }
}

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
        unsigned hash = 0x811c9dc5u;
        for (int i = 0; i < TOKENIZER_GROUP; i++) {
            int32_t ids[77];
            int n;
            bool cut;
            make_string(group * TOKENIZER_GROUP + i, &s);
            assert_int_equal(limn_clip_bpe_encode(ctx, bpe, s.bytes, s.n, 77, ids, &n, &cut), LIMN_OK);
            for (int k = 0; k < 2 * n; k++)
                hash = (hash ^ (unsigned)(ids[k / 2] >> 8 * (k % 2) & 255)) * 0x01000193u;
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
