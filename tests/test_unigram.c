/* test_unigram.c: T5's tokenizer gives the ids of sentencepiece and Hugging Face's tokenizers (oracle/unigram_vectors.py,
 * which tells where the two differ), from both kinds of file; a file that is none is refused by a sentence. */
#include "base/json.h"
#include "text/unigram.h"

#include <endian.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "make_strings.h"
#include "vectors/unigram.h"

#define SMALL LIMN_SOURCE_DIR "/tests/vectors/unigram"
#define PUBLISHED LIMN_SOURCE_DIR "/../shared/data/tokenizer/t5"

static limn_ctx *ctx;

static int begin(void **state)
{
    (void)state;
    return (ctx = limn_ctx_new()) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    limn_ctx_free(ctx);
    return 0;
}

static limn_unigram *open_or_fail(const char *path)
{
    limn_unigram *t;
    if (limn_unigram_open(ctx, path, &t) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    return t;
}

/* ---- ids ---- */

static void check_cases(const limn_unigram *t, const unigram_case *cases, size_t n_cases)
{
    int wrong = 0;
    for (size_t k = 0; k < n_cases; k++) {
        const unigram_case *c = &cases[k];
        int32_t ids[64];
        int n;
        bool cut;
        assert_int_equal(limn_unigram_encode(ctx, t, c->text, (size_t)c->n_bytes, 64, ids, &n, &cut), LIMN_OK);
        assert_false(cut);
        for (int i = n; i < 64; i++) assert_int_equal(ids[i], 0);
        if (n == c->n && !memcmp(ids, c->ids, (size_t)n * sizeof *ids)) continue;
        wrong++;
        print_message("text %zu \"%s\":\n  expected", k, c->text);
        for (int i = 0; i < c->n; i++) print_message(" %d", (int)c->ids[i]);
        print_message("\n  found   ");
        for (int i = 0; i < n; i++) print_message(" %d", (int)ids[i]);
        print_message("\n");
    }
    assert_int_equal(wrong, 0);
}

static void check_strings(const limn_unigram *t, const unsigned *hashes, size_t n_hashes)
{
    int wrong = 0;
    string s;
    assert_int_equal(n_hashes * UNIGRAM_GROUP, UNIGRAM_STRINGS);
    for (int group = 0; group < UNIGRAM_STRINGS / UNIGRAM_GROUP; group++) {
        unsigned hash = STRINGS_HASH;
        for (int i = 0; i < UNIGRAM_GROUP; i++) {
            int32_t ids[LONGEST];
            int n;
            bool cut;
            make_string(group * UNIGRAM_GROUP + i, unigram_pieces, COUNT(unigram_pieces), &s);
            assert_int_equal(limn_unigram_encode(ctx, t, s.bytes, s.n, LONGEST, ids, &n, &cut), LIMN_OK);
            assert_false(cut);
            hash = hash_ids(hash, ids, n);
        }
        if (hash != hashes[group] && wrong++ < 20)
            print_message("strings %d to %d have other ids\n", group * UNIGRAM_GROUP, (group + 1) * UNIGRAM_GROUP - 1);
    }
    assert_int_equal(wrong, 0);
}

static void ids_are_those_of_sentencepiece_from_both_files(void **state)
{
    (void)state;
    const char *const paths[] = {SMALL "/spiece.model", SMALL "/tokenizer.json"};
    for (size_t k = 0; k < COUNT(paths); k++) {
        limn_unigram *t = open_or_fail(paths[k]);
        assert_int_equal(limn_unigram_vocab(t), 500);
        check_cases(t, unigram_small_cases, COUNT(unigram_small_cases));
        check_strings(t, unigram_small_hashes, COUNT(unigram_small_hashes));
        limn_unigram_free(t);
    }
}

static void check_published(limn_unigram *t)
{
    assert_int_equal(limn_unigram_vocab(t), 32100);
    check_cases(t, unigram_published_cases, COUNT(unigram_published_cases));
    check_strings(t, unigram_published_hashes, COUNT(unigram_published_hashes));
    limn_unigram_free(t);
}

static void ids_of_the_pieces_in_the_library_are_the_published_ones(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_unigram *t;
    assert_int_equal(limn_unigram_published(ctx, &t), LIMN_OK);
    check_published(t);
    limn_ctx_free(ctx);
}

static void ids_of_the_published_files_are_the_published_ones(void **state)
{
    (void)state;
    const char *const paths[] = {PUBLISHED "/spiece.model", PUBLISHED "/tokenizer.json"};
    for (size_t k = 0; k < COUNT(paths); k++) {
        if (access(paths[k], R_OK)) {
            print_message("SKIP: %s is absent\n", paths[k]);
            skip();
        }
        double before = limn_seconds();
        limn_unigram *t = open_or_fail(paths[k]);
        print_message("%s: opened in %.1f ms\n", strrchr(paths[k], '/') + 1, 1e3 * (limn_seconds() - before));
        check_published(t);
    }
}

/* ---- files of our own: <pad> </s> <unk> ▁ a b ab, ids 0 .. 6 ---- */

static void put_varint(limn_text *to, uint64_t n)
{
    for (; n > 127; n >>= 7) limn_text_append(to, &(char){(char)(n | 128)}, 1);
    limn_text_append(to, &(char){(char)n}, 1);
}

static void put_field(limn_text *to, uint64_t number, const void *bytes, size_t n)
{
    put_varint(to, number << 3 | 2);
    put_varint(to, n);
    limn_text_append(to, bytes, n);
}

static void put_number(limn_text *to, uint64_t number, uint64_t value)
{
    put_varint(to, number << 3);
    put_varint(to, value);
}

static void put_piece(limn_text *to, const char *text, float score, uint64_t type)
{
    limn_text piece = {0};
    uint32_t bits;
    memcpy(&bits, &score, sizeof bits);
    bits = htole32(bits);
    put_field(&piece, 1, text, strlen(text));
    put_varint(&piece, 2 << 3 | 5);
    limn_text_append(&piece, (char *)&bits, sizeof bits);
    if (type != 1) put_number(&piece, 3, type);
    put_field(to, 1, piece.bytes, piece.n);
    limn_text_free(&piece);
}

static const struct { const char *text; float score; uint64_t type; } own_pieces[] = {
    {"<pad>", 0, 3}, {"</s>", 0, 3}, {"<unk>", 0, 2}, {"\xe2\x96\x81", -2, 1}, {"a", -3, 1}, {"b", -3, 1}, {"ab", -5, 1}};

static limn_text own_model(void)
{
    limn_text m = {0};
    for (size_t i = 0; i < COUNT(own_pieces); i++)
        put_piece(&m, own_pieces[i].text, own_pieces[i].score, own_pieces[i].type);
    return m;
}

static void put_inside(limn_text *m, uint64_t number, const limn_text *inside)
{
    put_field(m, number, inside->bytes, inside->n);
}

static limn_unigram *parse_or_fail(limn_text *m)
{
    limn_unigram *t;
    if (limn_unigram_parse(ctx, "own", m->bytes, m->n, &t) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    limn_text_free(m);
    return t;
}

static void expect_ids(const limn_unigram *t, const char *text, int most, const char *expected)
{
    int32_t ids[64];
    int n;
    bool cut;
    char found[512] = "";
    assert_int_equal(limn_unigram_encode(ctx, t, text, strlen(text), most, ids, &n, &cut), LIMN_OK);
    for (int i = 0; i < n; i++) snprintf(found + strlen(found), sizeof found - strlen(found), "%d ", (int)ids[i]);
    strcat(found, cut ? "cut" : "");
    assert_string_equal(found, expected);
    for (int i = n; i < most; i++) assert_int_equal(ids[i], 0);
}

static void expect_refused(limn_text *m, const char *sentence)
{
    limn_unigram *t;
    assert_int_equal(limn_unigram_parse(ctx, "own", m->bytes ? m->bytes : "", m->n, &t), LIMN_BAD_FILE);
    assert_null(t);
    if (!strstr(limn_error_text(ctx), sentence)) fail_msg("expected \"%s\", found \"%s\"", sentence, limn_error_text(ctx));
    limn_text_free(m);
}

static void the_end_is_never_cut(void **state)
{
    (void)state;
    limn_text m = own_model();
    limn_unigram *t = parse_or_fail(&m);
    const struct { const char *text; int most; const char *ids; } rows[] = {
        {"", 1, "1 "}, {"a", 1, "1 cut"}, {"ab", 4, "3 6 1 "}, {"ab", 3, "3 6 1 "}, {"ab", 2, "3 1 cut"},
        {"ab  ", 3, "3 6 1 "}, {"xyz", 3, "3 2 1 "}, /* unknown ones are one token: nothing is lost */
        {"xya", 3, "3 2 1 cut"}, {"<extra_id_0><extra_id_99>", 3, "106 7 1 "}, {"<extra_id_0><extra_id_99>", 2, "106 1 cut"},
    };
    for (size_t r = 0; r < COUNT(rows); r++) expect_ids(t, rows[r].text, rows[r].most, rows[r].ids);
    int32_t id;
    assert_int_equal(limn_unigram_vocab(t), 107);
    assert_int_equal(limn_unigram_encode(ctx, t, "a", 1, 0, &id, NULL, NULL), LIMN_BAD_ARGUMENT);
    assert_int_equal(limn_unigram_encode(ctx, t, "a", 1, LIMN_UNIGRAM_TOKENS_MAX + 1, &id, NULL, NULL), LIMN_BAD_ARGUMENT);
    assert_int_equal(limn_unigram_encode(ctx, t, "a", 1, 1, &id, NULL, NULL), LIMN_OK);
    limn_unigram_free(t);
}

static void what_the_model_says_of_spaces_is_done(void **state)
{
    (void)state;
    const struct { uint64_t field, value; const char *text, *ids; } rows[] = {
        {3, 1, " a  b ", "3 4 3 5 1 "}, {3, 0, " a  b ", "4 3 5 1 "}, {4, 0, " a  b ", "3 3 4 3 3 5 3 1 "},
        {4, 0, " ", "3 3 1 "}, {4, 1, " ", "1 "},
    };
    for (size_t r = 0; r < COUNT(rows); r++) {
        limn_text m = own_model(), spec = {0};
        put_number(&spec, rows[r].field, rows[r].value);
        put_inside(&m, 3, &spec);
        limn_text_free(&spec);
        limn_unigram *t = parse_or_fail(&m);
        expect_ids(t, rows[r].text, 64, rows[r].ids);
        limn_unigram_free(t);
    }
}

static void unused_and_special_pieces_are_never_taken(void **state)
{
    (void)state;
    limn_text m = own_model();
    put_piece(&m, "aa", -1, 5);
    put_piece(&m, "bb", -1, 3);
    put_field(&m, 1000, "unknown fields are skipped", 26);
    limn_unigram *t = parse_or_fail(&m);
    expect_ids(t, "aa", 64, "3 4 4 1 ");
    expect_ids(t, "abba", 64, "3 4 8 3 4 1 "); /* a special one stands for its name, between two texts */
    limn_unigram_free(t);
}

static void the_way_of_the_largest_sum_is_taken(void **state)
{
    (void)state;
    const struct { struct { const char *text; float score; } piece[2]; const char *text, *ids; } rows[] = {
        {{{"aa", -4}, {"c", -9}}, "aaa", "3 4 7 1 "},   /* of equal ones that whose last piece begins first */
        {{{"cd", -30}, {"dx", -3}}, "cdx", "3 2 8 1 "}, /* c is no piece: unknown, though one begins there */
        {{{"g", 5}, {"gh", -40}}, "gh", "3 8 1 "},      /* an unknown character: 10 below the least piece, -50 */
        {{{"g", 11}, {"gh", -40}}, "gh", "3 7 2 1 "},
        {{{"\xf0\x9f\x98\x80", -3}, {"\xf0\x9f", 50}}, "\xf0\x9f\x98\x80", "3 7 1 "}, /* no way goes on inside a character */
    };
    for (size_t r = 0; r < COUNT(rows); r++) {
        limn_text m = own_model();
        for (int i = 0; i < 2; i++) put_piece(&m, rows[r].piece[i].text, rows[r].piece[i].score, 1);
        limn_unigram *t = parse_or_fail(&m);
        expect_ids(t, rows[r].text, 64, rows[r].ids);
        limn_unigram_free(t);
    }
}

/* ---- refused ---- */

static void models_that_are_none_are_refused(void **state)
{
    (void)state;
    const struct { const char *text; float score; uint64_t type; const char *sentence; } pieces[] = {
        {"", -1, 1, "own: piece 7 is empty"},
        {"c", NAN, 1, "own: piece 7 \"c\": its score is no finite number"},
        {"c", INFINITY, 1, "own: piece 7 \"c\": its score is no finite number"},
        {"ab", -1, 1, "own: \"ab\" has two ids, 6 and 7"},
        {"</s>", -1, 3, "own: \"</s>\" has two ids, 1 and 7"},
        {"<?>", -1, 2, "own: piece 7 \"<?>\": piece 2 is the unknown one already"},
        {"c", -1, 4, "found type 4, user-defined"},
        {"<0x00>", -1, 6, "found type 6, a byte"},
        {"c", -1, 0, "found type 0"},
        {"c\n", -1, UINT64_MAX, "own: piece 7 \"c\\n\": expected a normal, unknown, control or unused one, found"},
    };
    for (size_t k = 0; k < COUNT(pieces); k++) {
        limn_text m = own_model();
        put_piece(&m, pieces[k].text, pieces[k].score, pieces[k].type);
        expect_refused(&m, pieces[k].sentence);
    }
    const struct { uint64_t spec, field, value; const char *sentence; } specs[] = {
        {2, 3, 2, "own: expected a model of type 1, unigram, found type 2, byte pairs (BPE)"},
        {2, 3, 4, "found type 4, characters"},
        {2, 3, 0, "found type 0"},
        {2, 3, 77, "found type 77"},
        {2, 24, 1, "own: expected spaces before words, found them behind"},
        {2, 35, 1, "found them as bytes (byte_fallback)"},
        {3, 5, 0, "own: expected spaces as U+2581, found them as they are"},
    };
    for (size_t k = 0; k < COUNT(specs); k++) {
        limn_text m = own_model(), spec = {0};
        put_number(&spec, specs[k].field, specs[k].value);
        put_inside(&m, specs[k].spec, &spec);
        limn_text_free(&spec);
        expect_refused(&m, specs[k].sentence);
    }
    for (size_t missing = 0; missing < 3; missing++) {
        const char *const sentences[] = {"own: expected a piece <pad>, found none",
                                         "own: expected an end of texts, </s>, found none",
                                         "own: expected a piece of unknown characters, <unk>, found none"};
        limn_text m = {0};
        for (size_t i = 0; i < COUNT(own_pieces); i++)
            if (i != missing) put_piece(&m, own_pieces[i].text, own_pieces[i].score, own_pieces[i].type);
        expect_refused(&m, sentences[missing]);
    }
    limn_text m = {0};
    for (size_t i = 0; i < 3; i++) put_piece(&m, own_pieces[i].text, own_pieces[i].score, own_pieces[i].type);
    expect_refused(&m, "own: expected pieces of text, found 3 special ones");
}

static void messages_that_lie_are_refused(void **state)
{
    (void)state;
    const struct { const char *bytes; size_t n; const char *sentence; } rows[] = {
        {"\x0a\x05" "ab", 4, "own: byte 0: expected a field of protocol buffers that ends by byte 4"}, /* 5 bytes of 2 */
        {"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, "own: byte 0: expected a field"},         /* 2^64 - 1 bytes */
        {"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 13, "own: byte 0: "}, /* a number without end */
        {"\x0a\x03\x0a\x02\x61", 5, "own: byte 2: expected a field of protocol buffers that ends by byte 5"}, /* outside */
        {"\x0a\x03\x15\x00\x00", 5, "own: byte 2: expected a field"}, /* 4 bytes of 2 */
        {"\x0b", 1, "own: byte 0: expected a field"},                 /* a group */
        {"\x02\x00", 2, "own: byte 0: expected a field"},             /* number 0 */
        {"\x0a", 1, "own: byte 0: expected a field"},
        {"\x08", 1, "own: byte 0: expected a field"},
        {"", 0, "own: expected a piece of unknown characters, <unk>, found none"},
        {"PK\x03\x04", 4, "own: "},
    };
    for (size_t k = 0; k < COUNT(rows); k++) {
        limn_text m = {0};
        limn_text_append(&m, rows[k].bytes, rows[k].n);
        expect_refused(&m, rows[k].sentence);
    }
}

enum { UNITS = 256 };
#define LEAF 0x80000000u

static void put_charsmap(limn_text *m, uint32_t size, const uint32_t *units, const char *texts, size_t n_texts)
{
    limn_text map = {0}, spec = {0};
    uint32_t le = htole32(size);
    limn_text_append(&map, (char *)&le, sizeof le);
    for (int i = 0; i < UNITS; i++) {
        le = htole32(units[i]);
        limn_text_append(&map, (char *)&le, sizeof le);
    }
    limn_text_append(&map, texts, n_texts);
    put_field(&spec, 2, map.bytes, map.n);
    put_inside(m, 3, &spec);
    limn_text_free(&map), limn_text_free(&spec);
}

/* 'A' becomes text 0: offset 1 leads from unit 0 to unit 'A' ^ 1 = 0x40, offset 2 from there to its leaf, unit 0x42 */
static const uint32_t own_units[UNITS] = {[0] = 1 << 10, [0x40] = 'A' | 1 << 8 | 2 << 10, [0x42] = LEAF};

static void tables_that_lead_outside_are_refused(void **state)
{
    (void)state;
    char long_text[257] = "";
    memset(long_text, 'a', 256);
    const struct { int at; uint32_t unit, size; const char *texts; size_t n_texts; const char *sentence; } rows[] = {
        {0, 1 << 10, 1020, "a", 2, "expected a table of 1024 bytes, 2048 ... 1026, found 1020"},
        {0, 1 << 10, 0, "a", 2, "expected a table of 1024 bytes"},
        {0, 1 << 10, 2048, "a", 2, "expected a table of 1024 bytes"},
        {0, 1 << 10, 0xfffffc00, "a", 2, "expected a table of 1024 bytes"},
        {0, 1 << 10, 1024, "a", 1, "expected a zero byte at the end of its texts"},
        {0, 1 << 10, 1024, "", 0, "expected a zero byte at the end of its texts"},
        {0, 1 << 10, 1024, long_text, 257, "expected texts of at most 255 bytes, found 256"},
        {0, LEAF, 1024, "a", 2, "expected unit 0 to lead on, found a leaf"},
        {0, 256 << 10, 1024, "a", 2, "unit 0 leads to unit 256 of 256"},
        {9, 1 << 10 | 1 << 9, 1024, "a", 2, "unit 9 leads to unit 265 of 256"},
        {9, 0x7fffffff, 1024, "a", 2, "unit 9 leads to unit"},
        {0x42, LEAF | 2, 1024, "a", 2, "unit 66: a text at byte 2 of 2"},
        {0x42, 0, 1024, "a", 2, "unit 64: the leaf at unit 66 is none"},
    };
    for (size_t k = 0; k < COUNT(rows); k++) {
        limn_text m = own_model();
        uint32_t units[UNITS];
        memcpy(units, own_units, sizeof units);
        units[rows[k].at] = rows[k].unit;
        put_charsmap(&m, rows[k].size, units, rows[k].texts, rows[k].n_texts);
        expect_refused(&m, rows[k].sentence);
    }
    limn_text m = own_model();
    put_charsmap(&m, 1024, own_units, "a", 2);
    limn_text twice = {0};
    limn_text_append(&twice, m.bytes, m.n);
    put_charsmap(&twice, 1024, own_units, "a", 2);
    expect_refused(&twice, "own: two tables of characters");
    limn_unigram *t = parse_or_fail(&m);
    expect_ids(t, "AB", 64, "3 4 2 1 ");
    limn_unigram_free(t);
}

/* "A" -> a, "AB" -> b: behind A unit 0x40 ^ 4, with its leaf; from there by B unit 6, whose leaf is unit 5 */
static void the_longest_entry_of_a_table_is_taken(void **state)
{
    (void)state;
    const uint32_t units[UNITS] = {
        [0] = 1 << 10, [0x40] = 'A' | 1 << 8 | 4 << 10, [0x44] = LEAF, [6] = 'B' | 1 << 8 | 3 << 10, [5] = LEAF | 2};
    limn_text m = own_model();
    put_charsmap(&m, 1024, units, "a\0b", 4);
    limn_unigram *t = parse_or_fail(&m);
    expect_ids(t, "ABAAC", 64, "3 5 4 4 2 1 ");
    limn_unigram_free(t);
}

/* A table that leads back into itself, and pieces that never settle: a text of 2 MB still takes its length in time. */
static void time_is_linear_in_a_text(void **state)
{
    (void)state;
    uint32_t units[UNITS];
    limn_text m = own_model();
    put_piece(&m, "aa", -4, 1);
    memcpy(units, own_units, sizeof units);
    units['x' ^ 1] = 'x' | ('x' << 10); /* after an x one stands where one stood before it */
    put_charsmap(&m, 1024, units, "a", 2);
    limn_unigram *t = parse_or_fail(&m);
    size_t n_bytes = 2 << 20;
    char *text = malloc(n_bytes);
    int32_t ids[16];
    int n;
    bool cut;
    assert_non_null(text);
    memset(text, 'x', n_bytes);
    assert_int_equal(limn_unigram_encode(ctx, t, text, n_bytes, 16, ids, &n, &cut), LIMN_OK);
    assert_int_equal(n, 3);
    memset(text, 'a', n_bytes);
    assert_int_equal(limn_unigram_encode(ctx, t, text, n_bytes, 16, ids, &n, &cut), LIMN_OK);
    assert_int_equal(n, 16);
    assert_true(cut);
    free(text);
    limn_unigram_free(t);
}

static char *read_all(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    char *bytes = malloc(1 << 16);
    assert_true(f && bytes);
    *n = fread(bytes, 1, 1 << 16, f);
    assert_true(*n > 0 && *n < 1 << 16);
    fclose(f);
    return bytes;
}

/* What opens encodes to ids of its vocabulary; what does not says why. */
static void try_bytes(const char *bytes, size_t n)
{
    char *copy = malloc(n + !n); /* of its own size: the sanitizer sees one byte too many */
    limn_unigram *t;
    assert_non_null(copy);
    memcpy(copy, bytes, n);
    limn_status status = limn_unigram_parse(ctx, "cut", copy, n, &t);
    free(copy);
    if (status != LIMN_OK) assert_true(status == LIMN_BAD_FILE && !t && *limn_error_text(ctx));
    else {
        int32_t ids[64];
        const char text[] = "a caf\xc3\xa9 \xff\xc2\xbd <extra_id_3>";
        assert_int_equal(limn_unigram_encode(ctx, t, text, sizeof text - 1, 64, ids, NULL, NULL), LIMN_OK);
        for (int i = 0; i < 64; i++) assert_in_range(ids[i], 0, limn_unigram_vocab(t) - 1);
    }
    limn_unigram_free(t);
}

static void files_cut_or_changed_anywhere_are_read_or_refused(void **state)
{
    (void)state;
    const char *const paths[] = {SMALL "/spiece.model", SMALL "/tokenizer.json"};
    for (size_t k = 0; k < COUNT(paths); k++) {
        size_t n;
        char *bytes = read_all(paths[k], &n);
        for (size_t at = 0; at < n; at += k ? 997 : 61) try_bytes(bytes, at);
        for (size_t at = 0; at < n; at += k ? 499 : 31) {
            bytes[at] ^= (char)(1 << at % 8);
            try_bytes(bytes, n);
            bytes[at] ^= (char)(1 << at % 8);
        }
        free(bytes);
    }
}

/* ---- tokenizer.json ---- */

static const char own_json[] =
    "{\"added_tokens\":[{\"id\":0,\"content\":\"<pad>\"},{\"id\":1,\"content\":\"</s>\"},{\"id\":9,\"content\":\"<x>\"}],"
    "\"normalizer\":null,\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"WhitespaceSplit\"},"
    "{\"type\":\"Metaspace\",\"replacement\":\"\xe2\x96\x81\",\"add_prefix_space\":true}]},"
    "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"Sequence\":{\"id\":\"A\"}},"
    "{\"SpecialToken\":{\"id\":\"</s>\"}}],"
    "\"special_tokens\":{\"</s>\":{\"ids\":[1]}}},"
    "\"model\":{\"type\":\"Unigram\",\"unk_id\":2,\"vocab\":[[\"<pad>\",0],[\"</s>\",0],[\"<unk>\",0],"
    "[\"\xe2\x96\x81\",-2],[\"a\",-3],[\"b\",-3.0],[\"ab\",-5]]}}";

/* own_json with one text in it replaced; from NULL: as it is */
static limn_text changed(const char *from, const char *to)
{
    limn_text m = {0};
    const char *at = from ? strstr(own_json, from) : own_json;
    assert_non_null(at);
    limn_text_append(&m, own_json, (size_t)(at - own_json));
    if (from) limn_text_append(&m, to, strlen(to));
    limn_text_append(&m, at + (from ? strlen(from) : 0), strlen(at + (from ? strlen(from) : 0)));
    return m;
}

static void forms_of_json_that_conversions_write_are_read(void **state)
{
    (void)state;
    const struct { const char *from, *to; } rows[] = {
        {NULL, NULL},
        {"{\"added_tokens\"", "\xef\xbb\xbf \n{\"version\":\"1.0\",\"added_tokens\""},
        {"\"type\":\"Unigram\",", ""},
        {"\"add_prefix_space\":true", "\"prepend_scheme\":\"always\",\"split\":true"},
        {"\"normalizer\":null,", ""},
        {"\"normalizer\":null", "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Strip\"},"
                                "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" {2,}\"},\"content\":\"\xe2\x96\x81\"}]}"},
    };
    for (size_t k = 0; k < COUNT(rows); k++) {
        limn_text m = changed(rows[k].from, rows[k].to);
        limn_unigram *t = parse_or_fail(&m);
        expect_ids(t, " ab  a<x>c</s> ", 64, "3 6 3 4 9 3 2 1 1 ");
        expect_ids(t, "<extra_id_0>", 3, "3 2 1 cut"); /* only what the file names is special */
        assert_int_equal(limn_unigram_vocab(t), 10);
        limn_unigram_free(t);
    }
}

static void other_tokenizers_in_json_are_refused(void **state)
{
    (void)state;
    const struct { const char *from, *to, *sentence; } rows[] = {
        {"\"Unigram\"", "\"BPE\"", "own: model: expected Unigram with its vocab, found \"BPE\""},
        {"\"model\":{\"type\":\"Unigram\"", "\"model\":{\"vocab\":{},\"type\":\"WordPiece\"", "own: line 1, column"},
        {"\"vocab\":[", "\"vocab\":[],\"unused\":[", "own: model: expected Unigram with its vocab"},
        {"\"unk_id\":2", "\"unk_id\":null", "own: expected a piece of unknown characters, <unk>, found none"},
        {"\"unk_id\":2", "\"unk_id\":7", "own: model.unk_id: expected 0 to 6"},
        {"\"unk_id\":2", "\"unk_id\":-1", "own: model.unk_id: expected 0 to 6"},
        {"\"unk_id\":2", "\"unk_id\":2,\"byte_fallback\":true", "found them as bytes (byte_fallback)"},
        {"-3.0", "\"-3\"", "own: model.vocab: number 5 is not a piece and its score"},
        {"-3.0", "-3.0,1", "own: model.vocab: number 5 is not a piece and its score"},
        {"-3.0", "-3e40", "own: piece 5 \"b\": its score is no finite number"},
        {"-3.0", "-3e400", "own: line 1, column"},
        {"[\"ab\",-5]", "[\"a\",-5]", "own: \"a\" has two ids, 4 and 6"},
        {"[\"ab\",-5]", "[\"\",-5]", "own: piece 6 is empty"},
        {"\"<pad>\"}", "\"<p>\"}", "own: added_tokens: number 0: its id is that of another piece, 0"},
        {"{\"id\":0,\"content\":\"<pad>\"},", "", "own: expected a piece <pad>, found none"},
        {"\"id\":9", "\"id\":-9", "own: added_tokens: number 2: expected an id of 0 to 2097151 and content"},
        {"\"id\":9", "\"id\":4294967296", "own: added_tokens: number 2: expected an id"},
        {"\"id\":9", "\"id\":9,\"normalized\":true", "own: added_tokens: number 2 is single_word or normalized"},
        {"<x>", "</s>", "own: \"</s>\" has two ids"},
        {"null", "{\"type\":\"Lowercase\"}", "own: normalizer: expected Precompiled, Strip, or Replace of"},
        {"null", "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AB*=\"}",
         "own: normalizer: expected one precompiled_charsmap, in base64"},
        {"null", "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AAQAAA==\"}",
         "own: precompiled_charsmap: expected a table of 1024 bytes"},
        {"null", "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AAA=\"}",
         "own: precompiled_charsmap: expected 4 bytes and more, found 2"},
        {"{\"type\":\"WhitespaceSplit\"},", "", "own: expected spaces side by side to become one"},
        {"WhitespaceSplit", "ByteLevel", "own: pre_tokenizer: expected Metaspace or WhitespaceSplit, found \"ByteLevel\""},
        {"Metaspace", "WhitespaceSplit", "own: pre_tokenizer: expected Metaspace"},
        {"\"add_prefix_space\":true", "\"add_prefix_space\":false", "own: pre_tokenizer: expected U+2581 before each word"},
        {"\"add_prefix_space\":true", "\"prepend_scheme\":\"first\"", "own: pre_tokenizer: expected U+2581"},
        {"\xe2\x96\x81", "_", "own: pre_tokenizer: expected U+2581 before each word, always"},
        {"TemplateProcessing", "BertProcessing", "own: post_processor: expected TemplateProcessing of a text and one token"},
        {"\"ids\":[1]", "\"ids\":[4]", "own: post_processor: expected the id of a special piece"},
        {"\"ids\":[1]", "\"ids\":[]", "own: post_processor: expected TemplateProcessing of a text and one token"},
        {"{\"added_tokens\"", "{\"model\":1,\"added_tokens\"", "own: line 1, column"},
    };
    for (size_t k = 0; k < COUNT(rows); k++) {
        limn_text m = changed(rows[k].from, rows[k].to);
        expect_refused(&m, rows[k].sentence);
    }
    limn_text m = {0};
    limn_text_append(&m, "{\"model\":", 9);
    expect_refused(&m, "own: line 1, column");
    limn_text_append(&m, "\xff\xfe{", 3);
    expect_refused(&m, "own begins with the byte order mark of UTF-16");
}

static void paths_that_are_not_there_are_told(void **state)
{
    (void)state;
    limn_unigram *t;
    assert_int_equal(limn_unigram_open(ctx, SMALL "/none.model", &t), LIMN_NOT_FOUND);
    assert_null(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_those_of_sentencepiece_from_both_files),
        cmocka_unit_test(ids_of_the_pieces_in_the_library_are_the_published_ones),
        cmocka_unit_test(ids_of_the_published_files_are_the_published_ones),
        cmocka_unit_test(the_end_is_never_cut),
        cmocka_unit_test(what_the_model_says_of_spaces_is_done),
        cmocka_unit_test(unused_and_special_pieces_are_never_taken),
        cmocka_unit_test(the_way_of_the_largest_sum_is_taken),
        cmocka_unit_test(models_that_are_none_are_refused),
        cmocka_unit_test(messages_that_lie_are_refused),
        cmocka_unit_test(tables_that_lead_outside_are_refused),
        cmocka_unit_test(the_longest_entry_of_a_table_is_taken),
        cmocka_unit_test(time_is_linear_in_a_text),
        cmocka_unit_test(files_cut_or_changed_anywhere_are_read_or_refused),
        cmocka_unit_test(forms_of_json_that_conversions_write_are_read),
        cmocka_unit_test(other_tokenizers_in_json_are_refused),
        cmocka_unit_test(paths_that_are_not_there_are_told),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
