/* test_text.c: the CLIP tokenizer against published ids, hostile merges, odd text, and the clock. */
#include "text/clip_bpe.h"
#include "text/clip_clean.h"
#include "vectors/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define FULL_PATH LIMN_SOURCE_DIR "/../shared/data/tokenizer/clip/bpe_simple_vocab_16e6.txt.gz"
#define SMALL_PATH LIMN_SOURCE_DIR "/models/tokenizer/clip-8192.txt.gz"

static limn_ctx *ctx;

static int make_ctx(void **state)
{
    (void)state;
    ctx = limn_ctx_new();
    return ctx ? 0 : -1;
}

static int drop_ctx(void **state)
{
    (void)state;
    limn_ctx_free(ctx);
    return 0;
}

static limn_clip_bpe *open_or_fail(const char *path, int n_merges)
{
    limn_clip_bpe *bpe = NULL;
    limn_status status = limn_clip_bpe_open(ctx, path, n_merges, &bpe);
    if (status) fail_msg("%s", limn_error_text(ctx));
    return bpe;
}

static void check_captions(const limn_clip_bpe *bpe, const caption_vector *rows, size_t n_rows)
{
    int wrong = 0;
    for (size_t r = 0; r < n_rows; r++) {
        int32_t ids[77];
        int n = 0;
        bool cut;
        assert_int_equal(limn_clip_bpe_encode(ctx, bpe, rows[r].text, (size_t)rows[r].n_bytes, 77, ids, &n, &cut), LIMN_OK);
        bool same = n == rows[r].n;
        for (int i = 0; i < n && same; i++) same = ids[i] == rows[r].ids[i];
        for (int i = n; i < 77; i++) assert_int_equal(ids[i], limn_clip_bpe_end(bpe));
        if (same) continue;
        wrong++;
        print_message("caption %zu \"%s\":\n  expected", r, rows[r].text);
        for (int i = 0; i < rows[r].n; i++) print_message(" %d", rows[r].ids[i]);
        print_message("\n  found   ");
        for (int i = 0; i < n; i++) print_message(" %d", (int)ids[i]);
        print_message("\n");
    }
    assert_int_equal(wrong, 0);
}

static void ids_of_the_whole_vocabulary_are_the_published_ones(void **state)
{
    (void)state;
    if (access(FULL_PATH, R_OK)) {
        print_message("SKIP: %s is absent\n", FULL_PATH);
        skip();
    }
    limn_clip_bpe *bpe = open_or_fail(FULL_PATH, LIMN_CLIP_MERGES);
    assert_int_equal(limn_clip_bpe_vocab(bpe), 49408);
    check_captions(bpe, captions_full, sizeof captions_full / sizeof *captions_full);
    limn_clip_bpe_free(bpe);
}

static void ids_of_the_shipped_vocabulary_match_the_same_tokenizer_cut_short(void **state)
{
    (void)state;
    limn_clip_bpe *bpe = open_or_fail(SMALL_PATH, -1);
    assert_int_equal(limn_clip_bpe_vocab(bpe), 8192);
    check_captions(bpe, captions_8192, sizeof captions_8192 / sizeof *captions_8192);
    limn_clip_bpe_free(bpe);
}

static void without_merges_each_byte_is_a_token(void **state)
{
    (void)state;
    limn_clip_bpe *bpe = open_or_fail(NULL, 0);
    int32_t ids[8];
    int n;
    bool cut;
    assert_int_equal(limn_clip_bpe_vocab(bpe), 514);
    assert_int_equal(limn_clip_bpe_encode(ctx, bpe, "Hi !", 4, 8, ids, &n, &cut), LIMN_OK);
    const int32_t expected[8] = {512, 'h' - 33, 'i' - 33 + 256, '!' - 33 + 256, 513, 513, 513, 513};
    assert_memory_equal(ids, expected, sizeof ids);
    assert_int_equal(n, 5);
    assert_false(cut);
    limn_clip_bpe_free(bpe);
}

static void cut_is_told_exactly_when_a_token_is_lost(void **state)
{
    (void)state;
    limn_clip_bpe *bpe = open_or_fail(NULL, 0);
    const struct {
        const char *text;
        int n;
        bool cut;
    } rows[] = {{"abc", 5, false}, {"abc   ", 5, false}, {"abcd", 5, true}, {"abc d", 5, true}, {"ab", 4, false}};
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        int32_t ids[5];
        int n;
        bool cut;
        assert_int_equal(limn_clip_bpe_encode(ctx, bpe, rows[r].text, strlen(rows[r].text), 5, ids, &n, &cut), LIMN_OK);
        assert_int_equal(n, rows[r].n);
        assert_int_equal(cut, rows[r].cut);
        assert_int_equal(ids[4], 513);
    }
    int32_t ids[2];
    assert_int_equal(limn_clip_bpe_encode(ctx, bpe, "a", 1, 1, ids, NULL, NULL), LIMN_BAD_ARGUMENT);
    limn_clip_bpe_free(bpe);
}

/* ---- words ---- */

typedef struct { char text[512]; } joined;

static bool join_words(void *user, limn_word_kind kind, const uint8_t *bytes, size_t n)
{
    joined *j = user;
    size_t used = strlen(j->text);
    snprintf(j->text + used, sizeof j->text - used, "%.*s|", (int)n, kind == LIMN_WORD_TEXT ? (const char *)bytes : "");
    return true;
}

static void expect_words(const char *text, size_t n, const char *words)
{
    limn_cleaner *cleaner = malloc(sizeof *cleaner);
    joined j = {""};
    limn_clip_words(cleaner, text, n, join_words, &j);
    assert_string_equal(j.text, words);
    free(cleaner);
}

static void bytes_that_are_not_utf8_become_one_replacement_for_each_maximal_part(void **state)
{
    (void)state;
    expect_words("a\xff z", 4, "a|\xef\xbf\xbd|z|");
    expect_words("\xf0\x9f\x98 b", 5, "\xef\xbf\xbd|b|");                             /* cut short: one */
    expect_words("\xed\xa0\x80", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|");         /* a surrogate: three */
    expect_words("\xc0\xaf", 2, "\xef\xbf\xbd\xef\xbf\xbd|");                         /* overlong */
    expect_words("\xf4\x90\x80\x80", 4, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|");
    expect_words("\xe4\xbd", 2, "\xef\xbf\xbd|");
}

static void references_resolve_twice_and_never_grow(void **state)
{
    (void)state;
    const char *text = "x &amp;lt; &eacute;&Eacute &#65; &#x1F600 &notit; &amp;amp;amp; &nope;";
    expect_words(text, strlen(text), "x|<|\xc3\xa9\xc3\xa9|a|\xf0\x9f\x98\x80|\xc2\xac|it|;|&|amp|;|&|nope|;|");
}

/* ---- hostile merges ---- */

static void expect_refusal(const char *merges, size_t n_bytes, int n_merges, limn_status expected, const char *part)
{
    limn_clip_bpe *bpe = (limn_clip_bpe *)1;
    assert_int_equal(limn_clip_bpe_parse(ctx, "m.txt", merges, n_bytes, n_merges, &bpe), expected);
    assert_null(bpe);
    if (!strstr(limn_error_text(ctx), part)) fail_msg("expected \"%s\" in \"%s\"", part, limn_error_text(ctx));
}

static void refuse(const char *merges, const char *part) { expect_refusal(merges, strlen(merges), -1, LIMN_BAD_FILE, part); }

static void a_bad_line_is_refused_by_its_number(void **state)
{
    (void)state;
    refuse("#version: 0.2\na b\nab\n", "line 3: expected two tokens");
    refuse("a b\nab cd\n", "line 2: no earlier line makes this token: \"cd\"");
    refuse("a b\nab c\na b\n", "line 3: line 1 has made this token already");
    refuse("b c\na b\na bc\nab c\n", "line 4: line 3 has made this token already");
    refuse("a b\n\nb c\n", "line 2: expected two tokens");
    refuse("a \n", "line 1: the right token");
    refuse(" a\n", "line 1: the left token");
    refuse("a  b\n", "line 1: the right token");
    refuse("a</w> b\n", "line 1: the left token ends a word");
    refuse("a \xe4\xbd\xa0\n", "line 1: the right token");
    refuse("a \xc5\x84\n", "line 1: the right token"); /* U+0144 is the first letter past the alphabet */
    refuse("a \xc1\xa1\n", "line 1: the right token"); /* overlong 'a' */
    expect_refusal("a\0 b\n", 5, -1, LIMN_BAD_FILE, "line 1: the left token");
    expect_refusal("a b\n", 4, 2, LIMN_BAD_FILE, "expected 2 merges, one a line, found 1");
    expect_refusal("a b\n", 4, -2, LIMN_BAD_ARGUMENT, "-2");
    expect_refusal("", 0, 1, LIMN_BAD_FILE, "found 0");
}

/* As Windows' editors write: a mark of UTF-8 and CR LF; PowerShell's > is UTF-16. */
static void a_byte_order_mark_is_passed_over_or_named(void **state)
{
    (void)state;
    limn_clip_bpe *bpe = NULL;
    const char *const merges[] = {"\xef\xbb\xbf" "a b\r\nb c\r\n", "\xef\xbb\xbf#version: 0.2\r\na b\r\nb c\r\n"};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(limn_clip_bpe_parse(ctx, "m", merges[i], strlen(merges[i]), -1, &bpe), LIMN_OK);
        assert_int_equal(limn_clip_bpe_vocab(bpe), 516);
        limn_clip_bpe_free(bpe);
    }
    expect_refusal("\xff\xfe"
                   "a\0 \0b\0\n\0",
                   10, -1, LIMN_BAD_FILE,
                   "m.txt begins with the byte order mark of UTF-16, little end first: expected UTF-8");
    expect_refusal("\xfe\xff\0a", 4, -1, LIMN_BAD_FILE, "UTF-16, big end first");
}

static void lines_past_the_count_asked_for_are_not_read(void **state)
{
    (void)state;
    limn_clip_bpe *bpe = NULL;
    assert_int_equal(limn_clip_bpe_parse(ctx, "m", "a b\r\nrubbish", 12, 1, &bpe), LIMN_OK);
    assert_int_equal(limn_clip_bpe_vocab(bpe), 515);
    limn_clip_bpe_free(bpe);
}

static void expect_ids(const char *merges, const char *word, const int32_t *expected, int n_expected)
{
    limn_clip_bpe *bpe = NULL;
    int32_t ids[16];
    int n = 0;
    assert_int_equal(limn_clip_bpe_parse(ctx, "m", merges, strlen(merges), -1, &bpe), LIMN_OK);
    assert_int_equal(limn_clip_bpe_encode(ctx, bpe, word, strlen(word), 16, ids, &n, NULL), LIMN_OK);
    assert_int_equal(n, n_expected + 2);
    for (int i = 0; i < n_expected; i++) assert_int_equal(ids[i + 1], expected[i]);
    limn_clip_bpe_free(bpe);
}

/* "abc" is made of a and bc only, so ab and c stay apart; of more than 8 bytes, too. */
static void a_pair_is_merged_by_its_own_line_only(void **state)
{
    (void)state;
    enum { C = 'c' - 33, D_ENDS = 'd' - 33 + 256, M = 512 };
    expect_ids("a b\nb c\na bc\n", "abcd", (int32_t[]){M, C, D_ENDS}, 3);
    expect_ids("b c\na b\na bc\n", "abcd", (int32_t[]){M + 2, D_ENDS}, 2);
    const char *const eight = "a a\naa aa\naaaa aaaa\n";
    char merges[200];
    snprintf(merges, sizeof merges, "%sb aaaaaaaa\n", eight);
    expect_ids(merges, "baaaaaaaad", (int32_t[]){M + 3, D_ENDS}, 2);
    snprintf(merges, sizeof merges, "%saaaaaaaa c\nb aaaaaaaac\nb aaaaaaaa\n", eight);
    expect_ids(merges, "baaaaaaaacd", (int32_t[]){M + 4, D_ENDS}, 2);
    snprintf(merges, sizeof merges, "%sb aaaaaaaa\naaaaaaaa c\nb aaaaaaaac\n", eight);
    expect_ids(merges, "baaaaaaaacd", (int32_t[]){M + 3, C, D_ENDS}, 3);
}

static void a_token_longer_than_256_bytes_is_refused(void **state)
{
    (void)state;
    limn_text text = {0};
    char token[600] = "a";
    for (int i = 0; i < 8; i++) { /* a a, aa aa, ... : 256 bytes after 8 lines */
        limn_text_printf(&text, "%s %s\n", token, token);
        memcpy(token + (1 << i), token, (size_t)1 << i);
        token[2 << i] = 0;
    }
    limn_clip_bpe *bpe = NULL;
    assert_int_equal(limn_clip_bpe_parse(ctx, "m", text.bytes, text.n, -1, &bpe), LIMN_OK);
    limn_clip_bpe_free(bpe);
    limn_text_printf(&text, "%s a\n", token);
    expect_refusal(text.bytes, text.n, -1, LIMN_BAD_FILE, "line 9: the merged token is longer than 256 bytes");
    limn_text_free(&text);
}

static void ten_million_lines_are_refused_soon(void **state)
{
    (void)state;
    size_t n = 40u << 20;
    char *bytes = malloc(n);
    for (size_t i = 0; i < n; i++) bytes[i] = "a b\n"[i % 4];
    clock_t begin = clock();
    expect_refusal(bytes, n, -1, LIMN_BAD_FILE, "more than 1048576 lines");
    assert_true((double)(clock() - begin) / CLOCKS_PER_SEC < 1);
    free(bytes);
}

static void a_damaged_gzip_file_is_refused(void **state)
{
    (void)state;
    char bytes[4096];
    FILE *in = fopen(SMALL_PATH, "rb"), *out = fopen(LIMN_BINARY_DIR "/cut.txt.gz", "wb");
    assert_non_null(in);
    assert_non_null(out);
    size_t n = fread(bytes, 1, sizeof bytes, in);
    assert_int_equal(fwrite(bytes, 1, n, out), n);
    fclose(in);
    fclose(out);
    limn_clip_bpe *bpe;
    assert_int_equal(limn_clip_bpe_open(ctx, LIMN_BINARY_DIR "/cut.txt.gz", -1, &bpe), LIMN_BAD_FILE);
    assert_non_null(strstr(limn_error_text(ctx), "cut short"));
    assert_int_equal(limn_clip_bpe_open(ctx, LIMN_BINARY_DIR "/none.txt.gz", -1, &bpe), LIMN_NOT_FOUND);
    assert_int_equal(limn_clip_bpe_open(ctx, LIMN_BINARY_DIR, -1, &bpe), LIMN_IO);
    remove(LIMN_BINARY_DIR "/cut.txt.gz");
}

static void what_is_written_reads_back_as_the_same_merges(void **state)
{
    (void)state;
    const char *const paths[] = {LIMN_BINARY_DIR "/merges.txt", LIMN_BINARY_DIR "/merges.txt.gz"};
    limn_clip_bpe *small = open_or_fail(SMALL_PATH, 7678);
    for (int i = 0; i < 2; i++) {
        if (limn_clip_bpe_write(ctx, small, paths[i])) fail_msg("%s", limn_error_text(ctx));
        limn_clip_bpe *back = open_or_fail(paths[i], -1);
        assert_int_equal(limn_clip_bpe_vocab(back), 8192);
        check_captions(back, captions_8192, sizeof captions_8192 / sizeof *captions_8192);
        limn_clip_bpe_free(back);
        remove(paths[i]);
    }
    assert_int_equal(limn_clip_bpe_write(ctx, small, LIMN_BINARY_DIR "/no/such/folder.gz"), LIMN_IO);
    limn_clip_bpe_free(small);
}

/* ---- time ---- */

static void fill(char *text, size_t n, const char *pattern)
{
    size_t length = strlen(pattern);
    for (size_t i = 0; i < n; i++) text[i] = pattern[i % length];
}

static void ten_megabytes_take_seconds_not_minutes(void **state)
{
    (void)state;
    const char *const patterns[] = {" ",           "z",
                                    "ab",          "word ",
                                    "&",           "&#1;",
                                    "&nbsp;",      "\xcc\x81\xcc\xa3",
                                    "\xff",        "\xe3\x80\x80",
                                    "'",           "&amp;amp;#1;",
                                    "\xe2\x80\x8b"};
    size_t n = 10u << 20;
    char *text = malloc(n);
    int32_t *ids = malloc(LIMN_CLIP_CONTEXT_MAX * sizeof *ids);
    limn_clip_bpe *bpe = open_or_fail(SMALL_PATH, -1);
    for (size_t p = 0; p < sizeof patterns / sizeof *patterns; p++)
        for (int wide = 0; wide < 2; wide++) {
            fill(text, n, patterns[p]);
            clock_t begin = clock(); /* the processor's time: a busy machine must not fail a test of growth */
            assert_int_equal(limn_clip_bpe_encode(ctx, bpe, text, n, wide ? LIMN_CLIP_CONTEXT_MAX : 77, ids, NULL, NULL),
                             LIMN_OK);
            double seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
            if (seconds > 0.2) print_message("10 MB of \"%s\": %.2f s\n", patterns[p], seconds);
            assert_true(seconds < 4);
        }
    limn_clip_bpe_free(bpe);
    free(text);
    free(ids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_of_the_whole_vocabulary_are_the_published_ones),
        cmocka_unit_test(ids_of_the_shipped_vocabulary_match_the_same_tokenizer_cut_short),
        cmocka_unit_test(without_merges_each_byte_is_a_token),
        cmocka_unit_test(cut_is_told_exactly_when_a_token_is_lost),
        cmocka_unit_test(bytes_that_are_not_utf8_become_one_replacement_for_each_maximal_part),
        cmocka_unit_test(references_resolve_twice_and_never_grow),
        cmocka_unit_test(a_bad_line_is_refused_by_its_number),
        cmocka_unit_test(a_byte_order_mark_is_passed_over_or_named),
        cmocka_unit_test(lines_past_the_count_asked_for_are_not_read),
        cmocka_unit_test(a_pair_is_merged_by_its_own_line_only),
        cmocka_unit_test(a_token_longer_than_256_bytes_is_refused),
        cmocka_unit_test(ten_million_lines_are_refused_soon),
        cmocka_unit_test(a_damaged_gzip_file_is_refused),
        cmocka_unit_test(what_is_written_reads_back_as_the_same_merges),
        cmocka_unit_test(ten_megabytes_take_seconds_not_minutes),
    };
    return cmocka_run_group_tests(tests, make_ctx, drop_ctx);
}
