/* test_captions.c: where captions are found and what is said about it before the first step; several captions for a picture;
 * names with accents. */
#include "file/bytes.h"
#include "data/listing.h"
#include "data/data.h"
#include "data/rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "make_folder.h"
#include "make_image.h"

#define COUNT(a) (int)(sizeof(a) / sizeof *(a))

static char line[2048];
static int level_of_line;

static void keep_line(void *user, limn_log_level level, const char *text)
{
    (void)user;
    snprintf(line, sizeof line, "%s", text);
    level_of_line = (int)level;
}

static void put_text(const char *name, const char *text)
{
    FILE *f = fopen(in(name), "wb");
    if (!f) fail_msg("%s", name);
    fputs(text, f);
    fclose(f);
}

static void put_picture(const char *name)
{
    uint8_t pixels[8 * 8] = {0};
    made m = make_plain_png(8, 8, 1, pixels);
    FILE *f = fopen(in(name), "wb");
    if (!f) fail_msg("%s", name);
    fwrite(m.bytes, 1, m.n, f);
    fclose(f);
    free(m.bytes);
}

static limn_ctx *begin(int pictures)
{
    limn_ctx *ctx = limn_ctx_new();
    assert_true(make_folder(ctx, "captions"));
    limn_ctx_set_log(ctx, keep_line, NULL);
    for (int i = 0; i < pictures; i++) {
        char name[32];
        snprintf(name, sizeof name, "%d.png", i);
        put_picture(name);
    }
    return ctx;
}

static void end(limn_ctx *ctx)
{
    assert_int_equal(remove_folder(), 0);
    limn_ctx_free(ctx);
}

/* With what the line says; NULL: refused. */
static limn_dataset *opened(limn_ctx *ctx, const char *field, limn_status status, limn_log_level level, const char *said)
{
    limn_dataset *d;
    limn_data_options o = {.folder = folder, .caption = field, .texts = true, .size = 8, .channels = 1};
    if (limn_dataset_open(ctx, &o, &d) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    line[0] = '\0';
    assert_int_equal(limn_dataset_tell_captions(ctx, d, folder, false), status);
    const char *found = status == LIMN_OK ? line : limn_error_text(ctx);
    if (!strstr(found, said) || (status == LIMN_OK && level_of_line != (int)level))
        fail_msg("level %d \"%s\" does not say \"%s\"", level_of_line, found, said);
    return d;
}

/* ---- where captions are found ----------------------------------------------------------------------------------------- */

static void texts_beside_pictures_are_txt_or_caption(void **state)
{
    (void)state;
    limn_ctx *ctx = begin(5);
    limn_dataset_free(opened(
        ctx, NULL, LIMN_BAD_ARGUMENT, 0,
        "5 of 5 pictures have no caption; a caption is NAME.txt or NAME.caption beside the picture, or the field \"text\""));
    limn_dataset *d;
    assert_int_equal(limn_dataset_open(ctx, &(limn_data_options){.folder = folder, .size = 8, .channels = 1}, &d), LIMN_OK);
    assert_int_equal(limn_dataset_tell_captions(ctx, d, folder, true), LIMN_OK);
    assert_non_null(strstr(line, "5 of 5 pictures have no caption"));
    limn_dataset_free(d);
    put_text("0.caption", "\xef\xbb\xbf zero\r\n"), put_text("1.txt", "one"), put_text("2.txt", " \n"),
        put_text("2.caption", "two");
    put_text("3.txt", "three"), put_text("3.caption", "drei"), put_text("4.txt", "same"), put_text("4.caption", "same\n");
    static const char *const expected[] = {"zero", "one", "two", "three", "same"};
    d = opened(ctx, NULL, LIMN_OK, LIMN_LOG_WARN,
               "captions: 3 from NAME.txt, 2 from NAME.caption; 1 have both NAME.txt and NAME.caption with different texts: "
               "NAME.txt is read");
    for (int i = 0; i < 5; i++) assert_string_equal(limn_dataset_caption(d, i), expected[i]);
    assert_null(strstr(line, "have no caption"));
    limn_dataset_free(d);
    unlink(in("3.caption")), unlink(in("1.txt"));
    limn_dataset_free(opened(ctx, NULL, LIMN_OK, LIMN_LOG_WARN,
                             "captions: 2 from NAME.txt, 2 from NAME.caption; 1 of 5 pictures have no caption; "));
    put_text("1.txt", "one");
    limn_dataset_free(opened(ctx, NULL, LIMN_OK, LIMN_LOG_INFO, "captions: 3 from NAME.txt, 2 from NAME.caption"));
    end(ctx);
}

static void the_field_that_has_captions_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *rows[2], *field;
        limn_status status;
        limn_log_level level;
        const char *said, *caption[2];
    } cases[] = {
        {{"\"text\": \"a\"", "\"text\": \"b\""},
         NULL,
         LIMN_OK,
         LIMN_LOG_INFO,
         "captions: 2 from the field \"text\" of metadata.jsonl",
         {"a", "b"}},
        {{"\"caption\": \"a\"", "\"caption\": \"b\""},
         NULL,
         LIMN_OK,
         LIMN_LOG_INFO,
         "captions: 2 from the field \"caption\" of metadata.jsonl",
         {"a", "b"}},
        {{"\"prompt\": \"a\", \"text\": \"\"", "\"prompt\": \"b\", \"text\": null"},
         NULL,
         LIMN_OK,
         LIMN_LOG_INFO,
         "2 from the field \"prompt\"",
         {"a", "b"}},
        {{"\"text\": \"a\", \"caption\": \"c\"", "\"text\": \"b\", \"caption\": {}"},
         NULL,
         LIMN_OK,
         LIMN_LOG_INFO,
         "2 from the field \"text\" of metadata.jsonl; not read: \"caption\"",
         {"a", "b"}},
        {{"\"text\": \"a\"", "\"caption\": \"b\""},
         NULL,
         LIMN_OK,
         LIMN_LOG_WARN,
         "1 from the field \"text\" of metadata.jsonl; 1 of 2 pictures have no caption; ",
         {"a", ""}},
        {{"\"text\": \"a\"", "\"caption\": \"b\""},
         NULL,
         LIMN_OK,
         LIMN_LOG_WARN,
         "fields with text that are not read: \"caption\" (--caption-field)",
         {"a", ""}},
        {{"\"text\": \"a\"", "\"caption\": \"b\""},
         "text,caption",
         LIMN_OK,
         LIMN_LOG_INFO,
         "captions: 2 from the fields \"text,caption\" of metadata.jsonl",
         {"a", "b"}},
        {{"\"prompt\": \"a\"", "\"caption\": \"b\""},
         NULL,
         LIMN_BAD_ARGUMENT,
         0,
         "captions in several fields: choose with --caption-field one of \"caption\", \"prompt\"",
         {NULL, NULL}},
        {{"\"description\": \"a\", \"n\": 3", "\"description\": [\"b\"]"},
         NULL,
         LIMN_BAD_ARGUMENT,
         0,
         "2 of 2 pictures have no caption; a caption is",
         {NULL, NULL}},
        {{"\"description\": \"a\", \"n\": 3", "\"description\": [\"b\"]"},
         NULL,
         LIMN_BAD_ARGUMENT,
         0,
         "fields with text that are not read: \"description\" (--caption-field).  --no-captions",
         {NULL, NULL}},
        {{"\"description\": \"a\"", "\"n\": 3"},
         "description",
         LIMN_OK,
         LIMN_LOG_WARN,
         "1 of 2 pictures have no caption",
         {"a", ""}},
        {{"\"dc:title\": \"a\"", "\"dc:title\": \"b\""},
         "dc:title:2",
         LIMN_OK,
         LIMN_LOG_INFO,
         "2 from the field",
         {"a", "b"}},
    };
    for (int k = 0; k < COUNT(cases); k++) {
        char text[512];
        limn_ctx *ctx = begin(2);
        snprintf(text, sizeof text, "{\"file_name\": \"0.png\", %s}\r\n{\"file_name\": \"1.png\", %s}\n", cases[k].rows[0],
                 cases[k].rows[1]);
        put_text("metadata.jsonl", text);
        limn_dataset *d = opened(ctx, cases[k].field, cases[k].status, cases[k].level, cases[k].said);
        for (int i = 0; i < 2 && cases[k].caption[0]; i++)
            assert_string_equal(limn_dataset_caption(d, i), cases[k].caption[i]);
        limn_dataset_free(d);
        end(ctx);
    }
    limn_ctx *ctx = begin(2); /* rows without a caption look beside the picture, others do not */
    put_text("metadata.jsonl", "{\"file_name\": \"0.png\", \"text\": \"a\"}\n{\"file_name\": \"1.png\", \"label\": 3}\n");
    put_text("0.txt", "not this"), put_text("1.caption", "beside");
    limn_dataset *d = opened(ctx, NULL, LIMN_OK, LIMN_LOG_INFO,
                             "captions: 1 from the field \"text\" of metadata.jsonl, 1 from NAME.caption");
    assert_string_equal(limn_dataset_caption(d, 0), "a");
    assert_string_equal(limn_dataset_caption(d, 1), "beside");
    assert_null(limn_dataset_caption_beside(d, 0));
    assert_string_equal(limn_dataset_caption_beside(d, 1), "beside");
    limn_dataset_free(d);
    end(ctx);
}

/* ---- several captions ------------------------------------------------------------------------------------------------- */

/* How often each of `words` is drawn for picture i in n samples; nothing else may be. */
static void count_draws(const limn_dataset *d, int64_t i, uint64_t seed, int n, int n_words, const char *const *words,
                        int *counts)
{
    memset(counts, 0, (size_t)n_words * sizeof *counts);
    for (int k = 0; k < n; k++) {
        const char *caption = limn_dataset_caption_at(d, i, seed, (uint64_t)k);
        int w = 0;
        while (w < n_words && strcmp(words[w], caption) != 0) w++;
        if (w == n_words) fail_msg("\"%s\"", caption);
        counts[w]++;
    }
}

/* A count of n draws of probability p lies within 5 standard deviations. */
static void assert_share(int count, int n, double p)
{
    if (fabs(count - n * p) > 5 * sqrt(n * p * (1 - p)) + 1e-9) fail_msg("%d of %d, expected %.1f", count, n, n * p);
}

static void fields_are_drawn_by_weight_and_their_texts_alike(void **state)
{
    (void)state;
    enum { N = 20000 };
    static const char *const words[] = {"t", "k1", "k2", "k3"};
    int counts[4];
    limn_ctx *ctx = begin(3);
    put_text("metadata.jsonl",
             "{\"file_name\": \"0.png\", \"text\": \"t\", \"keywords\": [\"k1\", \"\", \"k2\", \"k3\", \"  \"]}\n"
             "{\"file_name\": \"1.png\", \"text\": [], \"keywords\": [\"k1\", \"k2\"]}\n{\"file_name\": \"2.png\", "
             "\"text\": \"t\", \"keywords\": \"\"}\n");
    limn_dataset *d = opened(ctx, "text:0.7,keywords:0.3", LIMN_OK, LIMN_LOG_INFO,
                             "captions: 3 from the fields \"text:0.7,keywords:0.3\" of metadata.jsonl; 2 have several, of "
                             "which every sample draws one; 3 empty ones are skipped");
    for (int k = 0; k < 4; k++) assert_string_equal(limn_dataset_caption_text(d, 0, k), words[k]);
    assert_null(limn_dataset_caption_text(d, 0, 4));
    assert_string_equal(limn_dataset_caption_text(d, 1, 1), "k2");
    assert_string_equal(limn_dataset_caption_text(d, 2, 0), "t");
    assert_null(limn_dataset_caption_text(d, 2, 1));
    count_draws(d, 0, 42, N, 4, words, counts);
    assert_share(counts[0], N, 0.7);
    for (int w = 1; w < 4; w++) assert_share(counts[w], N, 0.1);
    count_draws(d, 1, 42, N, 4, words, counts); /* the field that is there */
    assert_share(counts[0], N, 0), assert_share(counts[1], N, 0.5), assert_share(counts[2], N, 0.5);
    count_draws(d, 2, 42, N, 4, words, counts);
    assert_int_equal(counts[0], N);
    int same = 0;
    for (uint64_t k = N; k-- > 0;) { /* in another order the same; with another seed not */
        const char *caption = limn_dataset_caption_at(d, 0, 42, k);
        assert_string_equal(caption, limn_dataset_caption_at(d, 0, 42, k));
        same += strcmp(caption, limn_dataset_caption_at(d, 0, 43, k)) == 0;
    }
    assert_share(same, N, 0.7 * 0.7 + 3 * 0.1 * 0.1);
    limn_dataset_free(d);
    d = opened(ctx, "keywords,text", LIMN_OK, LIMN_LOG_INFO, "3 from the fields \"keywords,text\"");
    count_draws(d, 0, 1, N, 4, words, counts);
    assert_share(counts[0], N, 0.5);
    for (int w = 1; w < 4; w++) assert_share(counts[w], N, 0.5 / 3);
    assert_string_equal(limn_dataset_caption(d, 0), "k1"); /* where one is shown it is the first */
    limn_dataset_free(d);
    d = opened(ctx, "keywords", LIMN_OK, LIMN_LOG_WARN,
               "captions: 2 from the field \"keywords\" of metadata.jsonl; 2 have several, of which every sample draws one; "
               "2 empty ones are skipped; 1 of 3");
    limn_dataset_free(d);
    end(ctx);
}

static void a_list_of_texts_needs_no_flag(void **state)
{
    (void)state;
    enum { N = 3000 };
    static const char *const words[] = {"one", "two"};
    int counts[2];
    limn_ctx *ctx = begin(1);
    put_text("metadata.jsonl", "{\"file_name\": \"0.png\", \"caption\": [\"one\", \"two\"]}\n");
    limn_dataset *d = opened(ctx, NULL, LIMN_OK, LIMN_LOG_INFO,
                             "captions: 1 from the field \"caption\" of metadata.jsonl; 1 have several");
    count_draws(d, 0, 7, N, 2, words, counts);
    assert_share(counts[0], N, 0.5);
    limn_dataset_free(d);
    end(ctx);
}

static void wrong_fields_and_texts_are_named(void **state)
{
    (void)state;
    static const struct { const char *field, *row, *sentence;
    } rows[] = {
        {"", "", "--caption-field expects different fields with commas between"},
        {"a,", "", "--caption-field expects"},
        {"a,a", "", "--caption-field expects"},
        {"a:0", "", "--caption-field expects"},
        {"a:-1", "", "--caption-field expects"},
        {"a:nan", "", "--caption-field expects"},
        {"a:inf", "", "--caption-field expects"},
        {":0.5", "", "--caption-field expects"},
        {"a,b,c,d,e,f,g,h,i", "", "at most 8"},
        {"text,keywords", "\"text\": \"x\"", "no row has a caption field \"keywords\""},
        {"text", "\"text\": [\"a\", 1]",
         "metadata.jsonl line 1 (byte 0): expected text to be a string or a list of strings"},
        {NULL, "\"text\": 5", "expected text to be a string or a list of strings"},
        {"prompt", "\"prompt\": {}", "expected prompt to be a string or a list of strings"},
        {NULL, "\"text\": \"\xff\"", "metadata.jsonl line 1, column"},
    };
    limn_ctx *ctx = begin(1);
    for (int i = 0; i < COUNT(rows); i++) {
        char text[256];
        limn_dataset *d;
        snprintf(text, sizeof text, "{\"file_name\": \"0.png\"%s%s}\n", *rows[i].row ? ", " : "", rows[i].row);
        put_text("metadata.jsonl", text);
        assert_int_not_equal(
            limn_dataset_open(
                ctx, &(limn_data_options){.folder = folder, .caption = rows[i].field, .size = 8, .channels = 1}, &d),
            LIMN_OK);
        if (!strstr(limn_error_text(ctx), rows[i].sentence)) fail_msg("row %d: %s", i, limn_error_text(ctx));
    }
    end(ctx);
}

/* ---- names with accents ----------------------------------------------------------------------------------------------- */

#define COMPOSED "caf\xc3\xa9"
#define APART "cafe\xcc\x81"

/* A list was written on one system, the files on another. */
static void files_are_found_composed_or_apart(void **state)
{
    (void)state;
    limn_ctx *ctx = begin(0);
    mkdir(in(APART), 0777);
    put_picture(APART "/" APART "1.png"), put_picture(APART "/2.png"), put_picture(COMPOSED ".png");
    put_text(APART ".txt", "beside"), put_text(APART "/" COMPOSED "1.caption", "inside");
    put_text("metadata.jsonl", "{\"file_name\": \"" COMPOSED "/" COMPOSED "1.png\"}\n{\"file_name\": \"" COMPOSED
                               "/2.png\", \"text\": \"two\", \"kind\": \"" COMPOSED "\"}\n"
                               "{\"file_name\": \"" APART ".png\"}\n");
    limn_dataset *d = opened(ctx, NULL, LIMN_OK, LIMN_LOG_INFO,
                             "captions: 1 from the field \"text\" of metadata.jsonl, 1 from NAME.txt, 1 from NAME.caption");
    float x[64];
    for (int i = 0; i < 3; i++) assert_int_equal(limn_dataset_picture(ctx, d, i, x), LIMN_OK);
    assert_string_equal(limn_dataset_caption(d, 0), "inside");
    assert_string_equal(limn_dataset_caption(d, 2), "beside");
    limn_dataset_free(d);
    assert_int_equal(
        limn_dataset_open(ctx, &(limn_data_options){.folder = folder, .where = "kind=" APART, .size = 8, .channels = 1}, &d),
        LIMN_OK);
    assert_int_equal(limn_dataset_count(d), 1);
    assert_non_null(strstr(line, "1 of 3 rows have kind="));
    limn_dataset_free(d);
    put_text(COMPOSED ".txt", "nearer"); /* exact equality goes first */
    d = opened(ctx, NULL, LIMN_OK, LIMN_LOG_INFO, "1 from NAME.txt");
    assert_string_equal(limn_dataset_caption(d, 2), "nearer");
    limn_dataset_free(d);
    end(ctx);
}

static void names_that_look_alike_are_told(void **state)
{
    (void)state;
    limn_ctx *ctx = begin(0);
    limn_dataset *d;
    mkdir(in(APART), 0777), mkdir(in(COMPOSED), 0777);
    put_picture(APART "/1.png"), put_picture(COMPOSED "/2.png");
    assert_int_equal(limn_dataset_open(ctx, &(limn_data_options){.folder = folder, .size = 8, .channels = 1}, &d), LIMN_OK);
    assert_int_equal(limn_dataset_classes(d), 2);
    assert_non_null(strstr(line, "two classes are named \"" APART "\" and \"" COMPOSED
                                 "\", one with accents composed and one with accents apart"));
    limn_dataset_free(d);
    /* a third spelling of a name with two accents is neither of two files */
    put_picture("\xc3\xa9" "e\xcc\x81.png"), put_picture("e\xcc\x81\xc3\xa9.png");
    put_text("metadata.jsonl", "{\"file_name\": \"\xc3\xa9\xc3\xa9.png\"}\n");
    assert_int_equal(limn_dataset_open(ctx, &(limn_data_options){.folder = folder, .size = 8, .channels = 1}, &d),
                     LIMN_BAD_FILE);
    assert_non_null(strstr(limn_error_text(ctx), "metadata.jsonl line 1"));
    assert_non_null(strstr(limn_error_text(ctx), "the folder has two files of this name, with accents composed and apart"));
    end(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_beside_pictures_are_txt_or_caption),
        cmocka_unit_test(the_field_that_has_captions_is_read),
        cmocka_unit_test(fields_are_drawn_by_weight_and_their_texts_alike),
        cmocka_unit_test(a_list_of_texts_needs_no_flag),
        cmocka_unit_test(wrong_fields_and_texts_are_named),
        cmocka_unit_test(files_are_found_composed_or_apart),
        cmocka_unit_test(names_that_look_alike_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
