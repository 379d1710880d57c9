/* make_strings.h: strings of every script, emoji and malformed UTF-8, each made of its number alone, as
 * oracle/tokenizer_vectors.py makes them. */
#ifndef LIMN_MAKE_STRINGS_H
#define LIMN_MAKE_STRINGS_H

#include "vectors/tokenizer.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))
enum { LONGEST = 1024 };

typedef struct string { char bytes[LONGEST]; size_t n; } string;

/* splitmix64 */
static inline size_t below(uint64_t *state, size_t n)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (size_t)((z ^ z >> 31) % n);
}

static inline void put_byte(string *s, unsigned byte)
{
    assert_true(s->n < LONGEST);
    s->bytes[s->n++] = (char)byte;
}

static inline void put_point(string *s, unsigned c)
{
    if (c < 0x80) put_byte(s, c);
    else if (c < 0x800) put_byte(s, 0xc0 | c >> 6);
    else if (c < 0x10000) put_byte(s, 0xe0 | c >> 12);
    else put_byte(s, 0xf0 | c >> 18), put_byte(s, 0x80 | (c >> 12 & 63));
    if (c >= 0x800) put_byte(s, 0x80 | (c >> 6 & 63));
    if (c >= 0x80) put_byte(s, 0x80 | (c & 63));
}

static inline void put_text(string *s, const char *text)
{
    for (; *text; text++) put_byte(s, (unsigned char)*text);
}

static inline void put_of(string *s, uint64_t *r, size_t script)
{
    unsigned first = tokenizer_ranges[script].first;
    put_point(s, first + (unsigned)below(r, tokenizer_ranges[script].last - first + 1));
}

static inline void put_word(string *s, uint64_t *r, int kind, size_t script)
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

/* @param pieces  what the strings 9, 19, 29 ... are made of */
static inline void make_string(int i, const char *const *pieces, size_t n_pieces, string *s)
{
    uint64_t r = (uint64_t)i;
    int kind = i % 10;
    s->n = 0;
    for (size_t words = 1 + below(&r, 10); words; words--) {
        size_t script = below(&r, COUNT(tokenizer_ranges));
        if (kind == 9) put_text(s, pieces[below(&r, n_pieces)]);
        else put_word(s, &r, kind, script);
        if (kind == 7) put_byte(s, 128 + (unsigned)below(&r, 128));
        put_text(s, tokenizer_spaces[below(&r, COUNT(tokenizer_spaces))]);
    }
}

/* FNV-1a over the low and high bytes of ids; begin with STRINGS_HASH. */
#define STRINGS_HASH 0x811c9dc5u
static inline unsigned hash_ids(unsigned hash, const int32_t *ids, int n)
{
    for (int k = 0; k < 2 * n; k++) hash = (hash ^ (unsigned)(ids[k / 2] >> 8 * (k % 2) & 255)) * 0x01000193u;
    return hash;
}

#endif
