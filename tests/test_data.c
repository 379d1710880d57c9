/* test_data.c: folders become the right pictures, captions and classes; a sample depends on seed and position alone; what is
 * wrong with a folder is said with file and line. */
#include "file/bytes.h"
#include "file/image.h"
#include "data/listing.h"
#include "data/data.h"
#include "data/rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include "make_image.h"

/* ---- files ------------------------------------------------------------------------------------------------------------ */

static void put(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    if (!f) fail_msg("%s", path);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

static void put_text(const char *path, const char *text)
{
    put(path, text, strlen(text));
}

/* width x height of one gray value, as RGB */
static void put_picture(const char *path, int width, int height, uint8_t value)
{
    uint8_t *pixels = malloc((size_t)width * (size_t)height * 3);
    memset(pixels, value, (size_t)width * (size_t)height * 3);
    const char *dot = strrchr(path, '.');
    made m = !strcmp(dot, ".jpg") ? make_jpeg(width, height, 3, pixels, false, NULL, 0)
             : !strcmp(dot, ".webp") ? make_webp(width, height, 3, pixels, true) : make_plain_png(width, height, 3, pixels);
    put(path, m.bytes, m.n);
    free(m.bytes);
    free(pixels);
}

static void fresh(const char *folder)
{
    char command[256];
    snprintf(command, sizeof command, "rm -rf %s && mkdir -p %s", folder, folder);
    assert_int_equal(system(command), 0);
}

typedef struct warnings {
    int n;
    char last[1024];
} warnings;

static void keep_warning(void *user, limn_log_level level, const char *text)
{
    warnings *w = user;
    if (level != LIMN_LOG_WARN) return;
    w->n++;
    snprintf(w->last, sizeof w->last, "%s", text);
}

static limn_dataset *opened(limn_ctx *ctx, limn_data_options o)
{
    limn_dataset *d;
    if (limn_dataset_open(ctx, &o, &d) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    return d;
}

static void refused(limn_ctx *ctx, limn_data_options o, limn_status status, const char *why)
{
    limn_dataset *d;
    if (!o.size) o.size = 8, o.channels = 3;
    assert_int_equal(limn_dataset_open(ctx, &o, &d), status);
    assert_null(d);
    if (!strstr(limn_error_text(ctx), why)) fail_msg("\"%s\" does not say \"%s\"", limn_error_text(ctx), why);
}

/* value of a picture of one gray, 0..255 */
static int gray_of(limn_ctx *ctx, limn_dataset *d, int64_t i)
{
    float *x = malloc(limn_dataset_floats(d) * sizeof *x);
    assert_int_equal(limn_dataset_picture(ctx, d, i, x), LIMN_OK);
    int value = (int)((x[0] + 1) * 127.5f + 0.5f);
    free(x);
    return value;
}

/* ---- layouts ---------------------------------------------------------------------------------------------------------- */

static void metadata_gives_captions_fields_and_classes(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    fresh("data-meta/sub");
    put_picture("data-meta/a.png", 8, 8, 10);
    put_picture("data-meta/sub/b.jpg", 8, 8, 60);
    put_picture("data-meta/c.webp", 8, 8, 110);
    put_text(
        "data-meta/metadata.jsonl",
        "{\"file_name\": \"a.png\", \"text\": \"a \\u4e2d\\u6587 \\ud83d\\ude00 caption\", \"split\": \"train\", \"n\": 10, "
        "\"label\": 10}\r\n"
        "\n  \n"
        "{\"file_name\": \"sub/b.jpg\", \"text\": \"\", \"split\": \"train\", \"n\": 9, \"label\": 9, \"keywords\": "
        "[\"x\"]}\n"
        "{\"file_name\": \"c.webp\", \"split\": \"test\", \"label\": 2, \"other\": \"the other text\", \"good\": true}");
    limn_data_options o = {.folder = "data-meta", .size = 8, .channels = 3};
    limn_dataset *d = opened(ctx, o);
    assert_int_equal(limn_dataset_count(d), 3);
    assert_string_equal(limn_dataset_caption(d, 0), "a 中文 😀 caption");
    assert_string_equal(limn_dataset_caption(d, 1), "");
    assert_string_equal(limn_dataset_caption(d, 2), "");
    for (int i = 0; i < 3; i++) assert_in_range(gray_of(ctx, d, i), 10 + 50 * i - 1, 10 + 50 * i + 1);
    assert_int_equal(limn_dataset_classes(d), 3); /* 2 < 9 < 10: by value */
    assert_string_equal(limn_dataset_class(d, 2), "10");
    assert_int_equal(limn_dataset_label(d, 0), 2);
    assert_int_equal(limn_dataset_label(d, 2), 0);
    limn_dataset_free(d);
    o.where = "split=train,n=9";
    d = opened(ctx, o);
    assert_int_equal(limn_dataset_count(d), 1);
    assert_int_equal(limn_dataset_label(d, 0), 1); /* classes do not depend on where */
    limn_dataset_free(d);
    o = (limn_data_options){
        .folder = "data-meta", .size = 8, .channels = 3, .where = "good=true", .caption = "other", .label = "split"};
    d = opened(ctx, o);
    assert_string_equal(limn_dataset_caption(d, 0), "the other text");
    assert_int_equal(limn_dataset_classes(d), 2);
    assert_string_equal(limn_dataset_class(d, limn_dataset_label(d, 0)), "test");
    limn_dataset_free(d);
    refused(ctx, (limn_data_options){.folder = "data-meta", .where = "colour=red"}, LIMN_BAD_ARGUMENT,
            "no row has the field \"colour\" of --where");
    refused(ctx, (limn_data_options){.folder = "data-meta", .where = "split"}, LIMN_BAD_ARGUMENT,
            "--where expects field=value");
    refused(ctx, (limn_data_options){.folder = "data-meta", .where = "split=none"}, LIMN_BAD_ARGUMENT,
            "data-meta holds no picture with split=none");
    refused(ctx, (limn_data_options){.folder = "data-meta", .caption = "txt"}, LIMN_BAD_ARGUMENT,
            "no row has a caption field \"txt\"");
    refused(ctx, (limn_data_options){.folder = "data-meta", .label = "kind"}, LIMN_BAD_ARGUMENT,
            "no row has a label field \"kind\"");
    limn_ctx_free(ctx);
}

static void sidecars_caption_their_pictures(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    fresh("data-side/more/deep");
    put_picture("data-side/b.png", 8, 8, 20);
    put_picture("data-side/a.PNG", 8, 8, 10);
    put_picture("data-side/more/c.jpg", 8, 8, 30);
    put_picture("data-side/more/deep/d.png", 8, 8, 40); /* two levels down: not looked at */
    put_picture("data-side/.hidden.png", 8, 8, 50);
    put_text("data-side/a.txt", "\xef\xbb\xbf  ein Bär,\nfröhlich \r\n\n");
    put_text("data-side/more/c.txt", "");
    put_text("data-side/readme.md", "no picture");
    char *lengthy = malloc(10001);
    memset(lengthy, 'x', 10000);
    lengthy[10000] = '\0';
    put_text("data-side/b.txt", lengthy);
    limn_data_options o = {.folder = "data-side", .size = 8, .channels = 1};
    limn_dataset *d = opened(ctx, o);
    assert_int_equal(limn_dataset_count(d), 3);
    assert_string_equal(limn_dataset_caption(d, 0), "ein Bär,\nfröhlich");
    assert_string_equal(limn_dataset_caption(d, 1), lengthy);
    assert_string_equal(limn_dataset_caption(d, 2), "");
    assert_int_equal(limn_dataset_classes(d), 0);
    assert_int_equal(limn_dataset_label(d, 0), -1);
    for (int i = 0; i < 3; i++) assert_in_range(gray_of(ctx, d, i), 10 + 10 * i - 1, 10 + 10 * i + 1);
    limn_dataset_free(d);
    put_text("data-side/b.txt", "line one\nline t\xffwo\n");
    refused(ctx, o, LIMN_BAD_FILE, "data-side/b.txt line 2: byte 15 (0xff) is not UTF-8");
    put("data-side/b.txt", "a\0b", 3);
    refused(ctx, o, LIMN_BAD_FILE, "data-side/b.txt line 1: byte 1 is zero");
    refused(ctx, (limn_data_options){.folder = "data-side/more/deep", .where = "a=b"}, LIMN_BAD_ARGUMENT, "--where");
    refused(ctx, (limn_data_options){.folder = "data-side/nowhere"}, LIMN_NOT_FOUND, "data-side/nowhere");
    free(lengthy);
    limn_ctx_free(ctx);
}

/* Code points of "é": U+00E9, or U+0065 U+0301; of "각": U+AC01, or three letters of the alphabet; "ﬁ" (a ligature) is
 * another name than "fi". */
/* As PowerShell 5 and Windows' editors write: EF BB BF and CR LF, or UTF-16; the row behind the mark is row 1, a byte's
 * place is that in the file. */
/* Whole numbers go by value, below 0, too; a name with a comma or a quote is one name. */
static void names_of_classes_keep_their_order(void **state)
{
    (void)state;
    static const char *const labels[2][3] = {{"10", "-2", "3"}, {"b,\\\"c\\\"", "", "a"}}, *const sorted[2][3] = {
                                                                                               {"-2", "3", "10"},
                                                                                               {"", "a", "b,\"c\""}};
    limn_ctx *ctx = limn_ctx_new();
    fresh("data-names");
    put_picture("data-names/a.png", 8, 8, 10);
    for (int k = 0; k < 2; k++) {
        char text[512] = "";
        for (int i = 0; i < 3; i++)
            snprintf(text + strlen(text), sizeof text - strlen(text), "{\"file_name\": \"a.png\", \"label\": \"%s\"}\n",
                     labels[k][i]);
        put_text("data-names/metadata.jsonl", text);
        limn_dataset *d = opened(ctx, (limn_data_options){.folder = "data-names", .size = 8, .channels = 1});
        assert_int_equal(limn_dataset_classes(d), 3);
        for (int i = 0; i < 3; i++) assert_string_equal(limn_dataset_class(d, i), sorted[k][i]);
        for (int i = 0; i < 3; i++) assert_int_equal(limn_dataset_label(d, i), (i + 2) % 3);
        limn_dataset_free(d);
    }
    limn_ctx_free(ctx);
}

static void byte_order_marks_are_passed_over_or_named(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_data_options o = {.folder = "data-mark", .size = 8, .channels = 1};
    fresh("data-mark");
    put_picture("data-mark/a.png", 8, 8, 10), put_picture("data-mark/b.png", 8, 8, 20);
    put_text("data-mark/metadata.jsonl", "\xef\xbb\xbf{\"file_name\": \"a.png\", \"text\": \"first\"}\r\n{\"file_name\": "
                                         "\"b.png\", \"text\": \"second\"}\r\n");
    limn_dataset *d = opened(ctx, o);
    assert_int_equal(limn_dataset_count(d), 2);
    assert_string_equal(limn_dataset_caption(d, 0), "first");
    assert_string_equal(limn_dataset_caption(d, 1), "second");
    limn_dataset_free(d);
    put_text("data-mark/metadata.jsonl", "\xef\xbb\xbf{]\r\n");
    refused(ctx, o, LIMN_BAD_FILE, "data-mark/metadata.jsonl line 1, column 2 (byte 5)");
    put("data-mark/metadata.jsonl", "\xff\xfe{\0}\0\r\0\n\0", 10);
    refused(ctx, o, LIMN_BAD_FILE,
            "data-mark/metadata.jsonl begins with the byte order mark of UTF-16, little end first: expected UTF-8");
    put("data-mark/metadata.jsonl", "\xff\xfe\0\0{\0\0\0", 8);
    refused(ctx, o, LIMN_BAD_FILE, "UTF-32, little end first");
    unlink("data-mark/metadata.jsonl");
    put("data-mark/b.txt", "\xfe\xff\0a", 4);
    refused(ctx, o, LIMN_BAD_FILE, "data-mark/b.txt begins with the byte order mark of UTF-16, big end first");
    limn_ctx_free(ctx);
}

static void names_are_the_same_composed_or_decomposed(void **state)
{
    (void)state;
    static const struct { const char *a, *b; bool same;
    } rows[] = {
        {"caf\xc3\xa9", "cafe\xcc\x81", true},
        {"\xea\xb0\x81", "\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8", true},
        {"cafe", "cafe", true},
        {"", "", true},
        {"caf\xc3\xa9", "cafe", false},
        {"\xef\xac\x81", "fi", false},
        {"a\xff", "a\xff", true},
        {"a\xff", "a\xfe", false},
        {"Caf\xc3\xa9", "caf\xc3\xa9", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (limn_names_same(rows[i].a, strlen(rows[i].a), rows[i].b, strlen(rows[i].b)) != rows[i].same)
            fail_msg("row %zu", i);
        char *composed = limn_name_composed(rows[i].b, strlen(rows[i].b));
        assert_string_equal(composed, i < 2 ? rows[i].a : rows[i].b);
        free(composed);
    }
}

static void pictures_of_other_formats_are_told(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    warnings w = {0};
    fresh("data-other");
    put_picture("data-other/a.png", 8, 8, 20);
    put_text("data-other/a.txt", "a note is no picture"), put_text("data-other/c.tif", "x"),
        put_text("data-other/b.tif", "x");
    limn_ctx_set_log(ctx, keep_warning, &w);
    limn_dataset_free(opened(ctx, (limn_data_options){.folder = "data-other", .size = 8, .channels = 3}));
    assert_int_equal(w.n, 1);
    assert_string_equal(w.last,
                        "data-other: 2 files are left out, the first b.tif: pictures are read from PNG, JPEG and WebP");
    unlink("data-other/a.png");
    refused(ctx, (limn_data_options){.folder = "data-other"}, LIMN_BAD_ARGUMENT,
            "data-other holds no picture (PNG, JPEG, WebP)");
    limn_ctx_free(ctx);
}

/* Values of a camera of 12 bits, and such that fill their 16. */
static void sixteen_bits_that_are_black_in_eight_are_told(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    for (int full = 0; full < 2; full++) {
        uint16_t wide[8 * 8];
        float x[8 * 8];
        warnings w = {0};
        fresh("data-deep");
        for (int i = 0; i < 8 * 8; i++) wide[i] = (uint16_t)(i * (full ? 1024 : 64));
        assert_int_equal(limn_png_write_wide(ctx, "data-deep/a.png", 8, 8, wide), LIMN_OK);
        assert_int_equal(limn_png_write_wide(ctx, "data-deep/b.png", 8, 8, wide), LIMN_OK);
        limn_ctx_set_log(ctx, keep_warning, &w);
        limn_ctx_set_threads(ctx, 1); /* of several the first to read tells its picture */
        limn_dataset *d = opened(ctx, (limn_data_options){.folder = "data-deep", .size = 8, .channels = 1});
        for (int i = 0; i < 2; i++) assert_int_equal(limn_dataset_picture(ctx, d, i, x), LIMN_OK);
        limn_dataset_warn(ctx, d);
        assert_int_equal(w.n, !full);
        if (!full)
            assert_string_equal(w.last, "data-deep/a.png: of its 16 bits the upper 8 are read, and these go to 16 of 255: "
                                        "scale values so that 65535 is white");
        limn_dataset_free(d);
        limn_ctx_set_log(ctx, NULL, NULL);
    }
    limn_ctx_free(ctx);
}

static void folders_of_pictures_are_classes(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    fresh("data-class/zebra");
    fresh("data-class/big_cat");
    fresh("data-class/empty");
    put_picture("data-class/zebra/2.png", 8, 8, 20);
    put_picture("data-class/zebra/1.png", 8, 8, 10);
    put_picture("data-class/big_cat/1.png", 8, 8, 30);
    put_text("data-class/zebra/2.txt", "a running zebra");
    limn_dataset *d = opened(ctx, (limn_data_options){.folder = "data-class", .size = 8, .channels = 3});
    static const struct {
        const char *caption;
        int label, gray;
    } rows[] = {{"big cat", 0, 30}, {"zebra", 1, 10}, {"a running zebra", 1, 20}};
    assert_int_equal(limn_dataset_count(d), 3);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(limn_dataset_caption(d, i), rows[i].caption);
        assert_int_equal(limn_dataset_label(d, i), rows[i].label);
        assert_int_equal(gray_of(ctx, d, i), rows[i].gray);
    }
    assert_int_equal(limn_dataset_classes(d), 2);
    assert_string_equal(limn_dataset_class(d, 0), "big_cat");
    limn_dataset_free(d);
    refused(ctx, (limn_data_options){.folder = "data-class/empty"}, LIMN_BAD_ARGUMENT, "data-class/empty holds no picture");
    put_text("data-class/empty/metadata.jsonl", "{\"file_name\": \"x.png\"}\n");
    refused(ctx, (limn_data_options){.folder = "data-class"}, LIMN_BAD_ARGUMENT, "give --data data-class/empty");
    limn_ctx_free(ctx);
}

/* ---- what is wrong ---------------------------------------------------------------------------------------------------- */

static void every_malformed_line_is_named(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    static const struct { const char *line, *why;
    } rows[] = {
        {"{\"file_name\": \"a.png\", \"text\": \"b\"", "m line 3, column 34 (byte 63): '}' expected"},
        {"{\"file_name\": \"a.png\",}", "m line 3, column 23"},
        {"[1]", "m line 3 (byte 29): expected an object"},
        {"7", "line 3"},
        {"null", "line 3"},
        {"{} {}", "line 3, column 4"},
        {"{'file_name': 1}", "line 3, column 2"},
        {"{\"file_name\": \"a\", \"file_name\": \"b\"}", "line 3, column 30 (byte 59): duplicate object key"},
        {"{\"text\": \"x\"}", "expected a string file_name"},
        {"{\"file_name\": 7}", "expected a string file_name"},
        {"{\"file_name\": \"a\", \"text\": [7]}", "expected text to be a string or a list of strings"},
        {"{\"file_name\": \"a\", \"label\": 1.5}", "expected label to be a string or a whole number"},
        {"{\"file_name\": \"/etc/passwd\"}", "must lie inside the folder"},
        {"{\"file_name\": \"../a.png\"}", "must lie inside the folder"},
        {"{\"file_name\": \"b/../../a.png\"}", "must lie inside the folder"},
        {"{\"file_name\": \"b/..\"}", "must lie inside the folder"},
        {"{\"file_name\": \"\"}", "must lie inside the folder"},
        {"{\"file_name\": \"a\\u0000b\"}", "line 3, column"},
        {"{\"file_name\": \"a\", \"text\": \"\xff\"}", "line 3, column 28 (byte 57): unable to decode byte 0xff"},
        {"{\"file_name\": \"a\", \"text\": \"\\ud800\"}", "line 3"},
        {"{\"file_name\": \"a\", \"n\": 1e999}", "line 3, column"},
        {"{\"file_name\": \"a\", \"n\": 0123}", "line 3, column"},
        {"{\"file_name\": \"a\", \"n\": NaN}", "line 3, column"},
        {"{\"file_name\": \"a\", \"n\": 99999999999999999999}", "line 3, column"},
        {"\xef\xbb\xbf{}", "line 3, column"}, /* a mark in the middle is none */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        limn_rows list;
        char text[512];
        int n =
            snprintf(text, sizeof text, "{\"file_name\": \"good..png\"}\n \n%s\n{\"file_name\": \"b/..c\"}\n", rows[i].line);
        assert_int_equal(limn_rows_new(ctx, &list), LIMN_OK);
        limn_status status = limn_rows_jsonl(ctx, "m", "f", text, (size_t)n, &(limn_row_fields){0}, &list);
        if (status != LIMN_BAD_FILE || !strstr(limn_error_text(ctx), rows[i].why))
            fail_msg("%s: %d \"%s\" does not say \"%s\"", rows[i].line, status, limn_error_text(ctx), rows[i].why);
        limn_rows_free(&list);
    }
    limn_rows list;
    warnings w = {0};
    limn_ctx_set_log(ctx, keep_warning, &w);
    const char *three = "{\n{\"file_name\": \"a\"}\n[]\n{\"file_name\": \"b\", }\n";
    limn_rows_new(ctx, &list);
    assert_int_equal(limn_rows_jsonl(ctx, "m", "f", three, strlen(three), &(limn_row_fields){0}, &list), LIMN_BAD_FILE);
    assert_non_null(strstr(limn_error_text(ctx), "m line 1, column 1"));
    assert_non_null(strstr(limn_error_text(ctx), "(and 2 more malformed lines)"));
    assert_int_equal(w.n, 3);
    assert_non_null(strstr(w.last, "line 4"));
    limn_rows_free(&list);
    limn_ctx_free(ctx);
}

static void make_many(const char *folder, int n, const int *damaged, int n_damaged)
{
    fresh(folder);
    for (int i = 0; i < n; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%04d.png", folder, i);
        put_picture(path, 8, 8, (uint8_t)(i % 250));
        for (int k = 0; k < n_damaged; k++)
            if (damaged[k] == i) assert_int_equal(truncate(path, 50), 0);
    }
}

static limn_loader *loader(limn_ctx *ctx, limn_dataset *d, limn_loader_options o)
{
    limn_loader *l;
    limn_samples_of samples = limn_dataset_samples(d);
    assert_int_equal(limn_loader_new(ctx, &samples, &o, &l), LIMN_OK);
    return l;
}

static limn_status next(limn_loader *l, float *x)
{
    return limn_loader_next(l, (void *const[]){x, NULL});
}

static void a_few_damaged_pictures_are_skipped_and_named(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    make_many("data-few", 20, (const int[]){4, 5, 19}, 3);
    for (int memory = 0; memory < 2; memory++) /* kept; decoded for every sample by threads */
        for (int threads = 0; threads <= 2 * memory; threads += 2) {
            warnings w = {0};
            limn_ctx_set_log(ctx, keep_warning, &w);
            limn_dataset *d =
                opened(ctx, (limn_data_options){.folder = "data-few", .size = 8, .channels = 1, .memory = (size_t)memory});
            assert_int_equal(limn_dataset_is_kept(d), !memory);
            limn_loader *l;
            float x[20 * 64];
            limn_shuffle order;
            assert_int_equal(limn_shuffle_new(ctx, LIMN_SHUFFLE_TABLE, 20, 3, &order), LIMN_OK);
            l = loader(ctx, d, (limn_loader_options){.seed = 3, .batch = 20, .n_threads = threads});
            for (int epoch = 0; epoch < 3; epoch++) {
                assert_int_equal(next(l, x), LIMN_OK);
                const int64_t *shown = limn_loader_shown(l);
                for (int b = 0; b < 20; b++) {
                    int64_t i = limn_shuffle_at(&order, (uint64_t)(epoch * 20 + b));
                    int64_t expected = i == 4 || i == 5 ? 6 : i == 19 ? 0 : i;
                    assert_int_equal(shown[b], expected);
                    assert_int_equal((int)((x[b * 64] + 1) * 127.5f + 0.5f), expected);
                }
            }
            limn_loader_free(l);
            limn_shuffle_free(&order);
            limn_dataset_warn(ctx, d);
            assert_int_equal(w.n, 3);
            assert_non_null(strstr(w.last, "skipped: data-few/00"));
            assert_non_null(strstr(w.last, "damaged PNG"));
            limn_dataset_free(d);
        }
    limn_ctx_free(ctx);
}

static void many_damaged_pictures_stop_with_a_sentence(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    make_many("data-many", 30, (const int[]){1, 3, 5, 7}, 4);
    refused(ctx, (limn_data_options){.folder = "data-many"}, LIMN_BAD_FILE,
            "4 of 30 pictures cannot be read, expected at most 3 or 1 %; the first: data-many/00");
    for (int threads = 0; threads < 4; threads += 3) {
        limn_dataset *d = opened(ctx, (limn_data_options){.folder = "data-many", .size = 8, .channels = 3, .memory = 1});
        limn_loader *l = loader(ctx, d, (limn_loader_options){.batch = 30, .n_threads = threads});
        float x[30 * 192];
        assert_int_equal(next(l, x), LIMN_BAD_FILE);
        assert_non_null(strstr(limn_error_text(ctx), "4 of 30 pictures cannot be read"));
        assert_int_equal(next(l, x), LIMN_BAD_FILE);
        limn_loader_free(l);
        limn_dataset_free(d);
    }
    make_many("data-more", 400, (const int[]){0, 1, 2, 399}, 4); /* 1 % */
    limn_dataset_free(opened(ctx, (limn_data_options){.folder = "data-more", .size = 8, .channels = 3}));
    assert_int_equal(truncate("data-more/0100.png", 8), 0);
    refused(ctx, (limn_data_options){.folder = "data-more"}, LIMN_BAD_FILE, "5 of 400 pictures cannot be read");
    fresh("data-none");
    put_text("data-none/metadata.jsonl", "{\"file_name\": \"missing.png\", \"text\": \"x\"}\n");
    refused(ctx, (limn_data_options){.folder = "data-none"}, LIMN_BAD_FILE, "data-none/missing.png");
    refused(ctx, (limn_data_options){.folder = "shapes", .size = 8, .channels = 2}, LIMN_BAD_ARGUMENT, "1, 3 or 4 channels");
    refused(ctx, (limn_data_options){.folder = "shapes", .size = 99999, .channels = 3}, LIMN_BAD_ARGUMENT,
            "1 to 16384 pixels");
    limn_ctx_free(ctx);
}

static bool never(void *user, const char *what, int64_t done, int64_t total)
{
    (void)user, (void)what, (void)done, (void)total;
    return false;
}

static void pictures_stay_in_memory_only_when_they_fit(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    fresh("data-fit");
    put_picture("data-fit/a.png", 8, 8, 1);
    put_picture("data-fit/b.png", 32, 8, 2); /* four squares long */
    limn_data_options o = {.folder = "data-fit", .size = 8, .channels = 1};
    static const struct { size_t memory; bool kept; } rows[] = {{0, true}, {320, true}, {319, false}, {127, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        o.memory = rows[i].memory;
        limn_dataset *d = opened(ctx, o);
        assert_int_equal(limn_dataset_is_kept(d), rows[i].kept);
        assert_int_equal(gray_of(ctx, d, 1), 2);
        limn_dataset_free(d);
    }
    fresh("data-fit");
    put_picture("data-fit/a.png", 4, 16384, 1); /* would be 8 x 32768 */
    o.memory = 1;
    limn_dataset_free(opened(ctx, o)); /* listed, not looked at */
    o.memory = 0;
    refused(ctx, o, LIMN_BAD_FILE, "data-fit/a.png: 4 x 16384 pixels are too long for a crop of 8");
    limn_ctx_set_progress(ctx, never, NULL);
    put_picture("data-fit/a.png", 8, 8, 1);
    refused(ctx, o, LIMN_CANCELLED, "stopped");
    limn_ctx_free(ctx);
}

/* ---- samples ---------------------------------------------------------------------------------------------------------- */

/* 24 x 8 gray ramps: a crop of 8 says where it was cut, its direction whether it was mirrored. */
static void make_ramps(const char *folder, int n)
{
    fresh(folder);
    for (int i = 0; i < n; i++) {
        uint8_t pixels[24 * 8];
        char path[128];
        for (int k = 0; k < 24 * 8; k++) pixels[k] = (uint8_t)(k % 24 * 10);
        made m = make_plain_png(24, 8, 1, pixels);
        snprintf(path, sizeof path, "%s/%03d.png", folder, i);
        put(path, m.bytes, m.n);
        free(m.bytes);
    }
}

static void random_crops_reach_every_place_and_half_are_mirrored(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    make_ramps("data-ramp", 1);
    limn_data_options o = {.folder = "data-ramp", .size = 8, .channels = 1, .flip = true};
    limn_dataset *d = opened(ctx, o);
    int left[17] = {0}, mirrored = 0;
    float x[64];
    int64_t shown;
    for (uint64_t p = 0; p < 1700; p++) {
        assert_int_equal(limn_dataset_sample(ctx, d, 9, p, 0, x, &shown), LIMN_OK);
        bool flip = x[0] > x[7];
        int first = (int)((x[flip ? 7 : 0] + 1) * 12.75f + 0.5f);
        assert_in_range(first, 0, 16);
        left[first]++;
        mirrored += flip;
        for (int k = 0; k < 64; k++) assert_int_equal((int)((x[k] + 1) * 12.75f + 0.5f), first + (flip ? 7 - k % 8 : k % 8));
    }
    for (int i = 0; i < 17; i++) assert_in_range(left[i], 60, 140);
    assert_in_range(mirrored, 780, 920);
    limn_dataset_free(d);
    o.resize = LIMN_CROP_CENTRE, o.flip = false;
    d = opened(ctx, o);
    assert_int_equal(limn_dataset_sample(ctx, d, 9, 5, 0, x, &shown), LIMN_OK);
    assert_int_equal((int)((x[0] + 1) * 12.75f + 0.5f), 8);
    limn_dataset_free(d);
    o.resize = LIMN_SQUASH; /* three columns become one */
    d = opened(ctx, o);
    assert_int_equal(limn_dataset_sample(ctx, d, 9, 5, 0, x, &shown), LIMN_OK);
    for (int k = 0; k < 8; k++) assert_int_equal((int)((x[k] + 1) * 127.5f + 0.5f), 10 + 30 * k);
    limn_dataset_free(d);
    limn_ctx_free(ctx);
}

/* n batches of 5 from a position on. */
static void draw_batches(limn_ctx *ctx, limn_data_options o, uint64_t first, int threads, int n, float *x, int64_t *shown)
{
    limn_dataset *d = opened(ctx, o);
    limn_loader *l = loader(ctx, d, (limn_loader_options){.seed = 7, .first = first, .batch = 5, .n_threads = threads});
    for (int i = 0; i < n; i++) {
        assert_int_equal(next(l, x + (size_t)i * 5 * limn_dataset_floats(d)), LIMN_OK);
        memcpy(shown + 5 * i, limn_loader_shown(l), 5 * sizeof *shown);
    }
    limn_loader_free(l);
    limn_dataset_free(d);
}

static void a_sample_depends_on_seed_and_position_alone(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    enum { N = 8, FLOATS = 5 * 8 * 8 * 3 };
    static float expected[N * FLOATS], x[N * FLOATS];
    int64_t pictures[N * 5], shown[N * 5];
    make_ramps("data-same", 11);
    put_picture("data-same/100.jpg", 17, 40, 77);
    assert_int_equal(truncate("data-same/004.png", 40), 0);
    limn_data_options o = {.folder = "data-same", .size = 8, .channels = 3, .flip = true};
    draw_batches(ctx, o, 0, 0, N, expected, pictures);
    for (int kept = 0; kept < 2; kept++)
        for (int threads = 0; threads < 5; threads += 2)
            for (int resumed = 0; resumed < N; resumed += 3) {
                o.memory = kept ? 0 : 1;
                memset(x, 0, sizeof x);
                draw_batches(ctx, o, (uint64_t)resumed * 5, threads, N - resumed, x, shown);
                assert_memory_equal(x, expected + resumed * FLOATS, (size_t)(N - resumed) * FLOATS * sizeof *x);
                assert_memory_equal(shown, pictures + 5 * resumed, (size_t)(N - resumed) * 5 * sizeof *shown);
            }
    limn_ctx_free(ctx);
}

static void an_epoch_shows_everything_once_and_differs_from_the_next(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    for (limn_shuffle_kind kind = LIMN_SHUFFLE_TABLE; kind <= LIMN_SHUFFLE_ROUNDS; kind++)
        for (int64_t n = 1; n <= 100; n += 9) {
            limn_shuffle shuffle;
            assert_int_equal(limn_shuffle_new(ctx, kind, n, 5, &shuffle), LIMN_OK);
            int seen[2][100] = {{0}}, same = 0;
            int64_t first[100];
            for (int64_t i = 0; i < n; i++) seen[0][first[i] = limn_shuffle_at(&shuffle, (uint64_t)i)]++;
            for (int64_t i = 0; i < n; i++) {
                int64_t at = limn_shuffle_at(&shuffle, (uint64_t)(n + i));
                seen[1][at]++, same += at == first[i];
            }
            for (int64_t i = 0; i < n; i++) assert_int_equal(seen[0][i] * 10 + seen[1][i], 11);
            if (n > 30) assert_in_range(same, 0, 6);
            limn_shuffle_free(&shuffle);
        }
    limn_ctx_free(ctx);
}

/* Numbers of the versions that knew one kind each: a checkpoint goes on in the order in which it began. */
static void the_order_of_an_older_run_stays(void **state)
{
    (void)state;
    static const int64_t older[2][20] = {{8, 4, 10, 5, 2, 6, 3, 9, 1, 7, 0, 7, 10, 2, 3, 0, 9, 6, 8, 1},
                                         {6, 8, 9, 3, 1, 7, 10, 4, 0, 5, 2, 0, 1, 3, 8, 9, 5, 4, 2, 6}};
    limn_ctx *ctx = limn_ctx_new();
    for (limn_shuffle_kind kind = LIMN_SHUFFLE_TABLE; kind <= LIMN_SHUFFLE_ROUNDS; kind++) {
        limn_shuffle shuffle;
        assert_int_equal(limn_shuffle_new(ctx, kind, 11, 42, &shuffle), LIMN_OK);
        for (int i = 0; i < 20; i++) assert_int_equal(limn_shuffle_at(&shuffle, (uint64_t)i), older[kind][i]);
        limn_shuffle_free(&shuffle);
    }
    limn_ctx_free(ctx);
}

/* Three ranks with two samples each of a batch of six: together they see what one that takes all of them sees. */
static void a_share_of_every_batch_is_taken(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    make_ramps("data-share", 7);
    for (int threads = 0; threads < 3; threads += 2) {
        limn_data_options o = {
            .folder = "data-share", .size = 8, .channels = 1, .memory = (size_t)threads, .flip = true};
        limn_dataset *d = opened(ctx, o);
        static float all[5 * 6 * 64], x[2 * 64];
        limn_loader *l = loader(ctx, d, (limn_loader_options){.seed = 4, .first = 12, .batch = 6, .n_threads = threads});
        for (int i = 0; i < 5; i++) assert_int_equal(next(l, all + i * 6 * 64), LIMN_OK);
        limn_loader_free(l);
        for (uint64_t rank = 0; rank < 3; rank++) {
            l = loader(ctx, d, (limn_loader_options){.seed = 4, .first = 12 + 2 * rank, .run = 2, .stride = 6, .batch = 2,
                                                     .n_threads = threads});
            for (int i = 0; i < 5; i++) {
                assert_int_equal(next(l, x), LIMN_OK);
                assert_memory_equal(x, all + ((size_t)i * 6 + 2 * rank) * 64, sizeof x);
            }
            limn_loader_free(l);
        }
        limn_dataset_free(d);
    }
    limn_ctx_free(ctx);
}

/* A caller that leaves while workers are ahead or wait for room. */
static void a_loader_may_be_freed_at_any_moment(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    make_ramps("data-leave", 6);
    limn_dataset *d = opened(ctx, (limn_data_options){.folder = "data-leave", .size = 8, .channels = 1, .memory = 1});
    for (int i = 0; i < 40; i++) {
        float x[3 * 64];
        limn_loader *l = loader(ctx, d, (limn_loader_options){.batch = 3, .n_threads = 1 + i % 5});
        for (int k = 0; k < i % 4; k++) assert_int_equal(next(l, x), LIMN_OK);
        limn_loader_free(l);
    }
    limn_dataset_free(d);
    limn_ctx_free(ctx);
}

static void what_is_clear_does_not_count_and_gray_is_luminance(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    fresh("data-rgba");
    static const uint8_t pixels[] = {255, 0, 0, 255, 9, 99, 199, 0, 0, 255, 0, 51, 255, 255, 255, 255};
    made m = make_plain_png(2, 2, 4, pixels);
    put("data-rgba/a.png", m.bytes, m.n);
    free(m.bytes);
    float x[16];
    limn_dataset *d = opened(ctx, (limn_data_options){.folder = "data-rgba", .size = 2, .channels = 4});
    assert_int_equal(limn_dataset_picture(ctx, d, 0, x), LIMN_OK);
    static const float four[] = {1, -1, -1, 1, -1, -1, -1, -1, -1, -0.6f, -1, -0.6f, 1, 1, 1, 1};
    for (int i = 0; i < 16; i++) assert_true(x[i] > four[i] - 1e-6f && x[i] < four[i] + 1e-6f);
    limn_dataset_free(d);
    d = opened(ctx, (limn_data_options){.folder = "data-rgba", .size = 2, .channels = 1});
    assert_int_equal(limn_dataset_picture(ctx, d, 0, x), LIMN_OK);
    static const int gray[] = {76, 255, 234, 255}; /* over white; (204, 255, 204) is 234 */
    for (int i = 0; i < 4; i++) assert_int_equal((int)((x[i] + 1) * 127.5f + 0.5f), gray[i]);
    limn_dataset_free(d);
    limn_ctx_free(ctx);
}

static void shapes_have_captions_and_32_classes_in_every_channel_count(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    for (int c = 1; c <= 4; c += c == 1 ? 2 : 1) {
        limn_dataset *d = opened(ctx, (limn_data_options){.folder = "shapes", .size = 32, .channels = c, .n_shapes = 300});
        assert_int_equal(limn_dataset_classes(d), 32);
        for (int64_t i = 0; i < 300; i++) {
            const char *caption = limn_dataset_caption(d, i), *class = limn_dataset_class(d, limn_dataset_label(d, i));
            assert_memory_equal(caption + 2, class, strlen(class)); /* "a red circle above ...": class "red circle" */
            assert_true(strstr(caption, " above a ") || strstr(caption, " below a ") || strstr(caption, " of a "));
        }
        float x[32 * 32 * 4];
        int64_t i = 0;
        while (strncmp(limn_dataset_caption(d, i), "a red square left", 17) != 0) i++;
        assert_int_equal(limn_dataset_picture(ctx, d, i, x), LIMN_OK);
        const float *inside = x + (16 * 32 + 8) * c, *outside = x; /* left middle; corner */
        static const float red[] = {220, 40, 40, 255};
        for (int k = 0; k < c; k++) {
            float expected = c == 1 ? 94 : red[k];
            assert_true(inside[k] > expected / 127.5f - 1.01f && inside[k] < expected / 127.5f - 0.99f);
            assert_true(outside[k] == (c == 4 ? -1 : 1));
        }
        limn_dataset_free(d);
    }
    limn_ctx_free(ctx);
}

static void the_emoji_folder_opens(void **state)
{
    (void)state;
    const char *folder = LIMN_SOURCE_DIR "/../shared/data/emoji";
    if (access(folder, R_OK) != 0) {
        print_message("SKIP: no shared data beside the sources\n");
        skip();
    }
    limn_ctx *ctx = limn_ctx_new();
    limn_dataset *d = opened(
        ctx, (limn_data_options){.folder = folder, .where = "split=test", .label = "style", .size = 64, .channels = 4});
    assert_int_equal(limn_dataset_count(d), 263);
    assert_int_equal(limn_dataset_classes(d), 2);
    assert_string_equal(limn_dataset_class(d, 1), "noto");
    limn_dataset_free(d);
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metadata_gives_captions_fields_and_classes),
        cmocka_unit_test(sidecars_caption_their_pictures),
        cmocka_unit_test(names_of_classes_keep_their_order),
        cmocka_unit_test(byte_order_marks_are_passed_over_or_named),
        cmocka_unit_test(names_are_the_same_composed_or_decomposed),
        cmocka_unit_test(pictures_of_other_formats_are_told),
        cmocka_unit_test(sixteen_bits_that_are_black_in_eight_are_told),
        cmocka_unit_test(folders_of_pictures_are_classes),
        cmocka_unit_test(every_malformed_line_is_named),
        cmocka_unit_test(a_few_damaged_pictures_are_skipped_and_named),
        cmocka_unit_test(many_damaged_pictures_stop_with_a_sentence),
        cmocka_unit_test(pictures_stay_in_memory_only_when_they_fit),
        cmocka_unit_test(random_crops_reach_every_place_and_half_are_mirrored),
        cmocka_unit_test(a_sample_depends_on_seed_and_position_alone),
        cmocka_unit_test(an_epoch_shows_everything_once_and_differs_from_the_next),
        cmocka_unit_test(the_order_of_an_older_run_stays),
        cmocka_unit_test(a_share_of_every_batch_is_taken),
        cmocka_unit_test(a_loader_may_be_freed_at_any_moment),
        cmocka_unit_test(what_is_clear_does_not_count_and_gray_is_luminance),
        cmocka_unit_test(shapes_have_captions_and_32_classes_in_every_channel_count),
        cmocka_unit_test(the_emoji_folder_opens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
