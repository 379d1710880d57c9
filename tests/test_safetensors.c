/* test_safetensors.c: every rule of the format has a row: what is refused, with which words, and what must load. */
#include "base/rng.h"
#include "file/bytes.h"
#include "file/safetensors.h"
#include "file/weight_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

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

/* The file for a header of n bytes and a number of data bytes, which count 1, 2, 3 ... */
static unsigned char *file_of(const char *header, size_t n, size_t data, size_t *all)
{
    *all = 8 + n + data;
    unsigned char *bytes = malloc(*all);
    for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)(n >> 8 * i);
    memcpy(bytes + 8, header, n);
    for (size_t i = 0; i < data; i++) bytes[8 + n + i] = (unsigned char)(i + 1);
    return bytes;
}

static limn_status parse_n(const char *header, size_t n, size_t data, limn_weight_file **out)
{
    size_t all;
    unsigned char *bytes = file_of(header, n, data, &all);
    limn_status status = limn_weight_file_parse(ctx, "t.safetensors", bytes, all, out);
    free(bytes); /* names are the reader's own; data is not looked at here */
    return status;
}

static limn_status parse(const char *header, size_t data)
{
    limn_weight_file *st;
    limn_status status = parse_n(header, strlen(header), data, &st);
    limn_weight_file_close(st);
    return status;
}

static void refuse(const char *header, size_t data, const char *words)
{
    if (parse(header, data) != LIMN_BAD_FILE) fail_msg("was not refused: %s", header);
    if (!strstr(limn_error_text(ctx), "t.safetensors: ") || !strstr(limn_error_text(ctx), words))
        fail_msg("expected \"%s\" in \"%s\" for %s", words, limn_error_text(ctx), header);
}

static void accept(const char *header, size_t data)
{
    if (parse(header, data) != LIMN_OK) fail_msg("%s: %s", header, limn_error_text(ctx));
}

#define T(name, dtype, shape, at) "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":[" shape "],\"data_offsets\":[" at "]}"

static void a_file_too_small_for_its_header_is_refused(void **state)
{
    (void)state;
    unsigned char bytes[64];
    limn_weight_file *st;
    for (size_t n = 0; n < 8; n++) {
        memset(bytes, 0, sizeof bytes);
        assert_int_equal(limn_weight_file_parse(ctx, "t", bytes, n, &st), LIMN_BAD_FILE);
        assert_non_null(strstr(limn_error_text(ctx), n ? "too small" : "the file is empty"));
    }
    static const struct { uint64_t length; const char *words;
    } rows[] = {
        {0, "begin with {"},
        {1, "begin with {"},
        {57, "in a file of 64"},
        {100000001, "at most 100000000"},
        {UINT64_C(1) << 63, "at most"},
        {UINT64_MAX, "at most"},
        {UINT64_MAX - 7, "at most"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        memset(bytes, '{', sizeof bytes);
        for (int k = 0; k < 8; k++) bytes[k] = (unsigned char)(rows[i].length >> 8 * k);
        assert_int_equal(limn_weight_file_parse(ctx, "t", bytes, sizeof bytes, &st), LIMN_BAD_FILE);
        assert_null(st);
        if (!strstr(limn_error_text(ctx), rows[i].words)) fail_msg("row %zu: %s", i, limn_error_text(ctx));
    }
}

static void what_the_format_allows_loads(void **state)
{
    (void)state;
    accept("{}", 0);
    accept("{}      ", 0);
    accept("{ \"__metadata__\" :\t{ \"a\" : \"b\" } ,\r\n" T("a", "F32", "2", "0,8") " } ", 8);
    accept("{\"__metadata__\":{}}", 0);
    accept("{" T("a", "F32", "", "0,4") "}", 4);                                           /* a scalar */
    accept("{" T("a", "F32", "0", "0,0") "}", 0);
    accept("{" T("a", "F32", "0,9223372036854775807,9223372036854775807", "0,0") "}", 0);
    accept("{" T("a", "F32", "0", "0,0") "," T("b", "F32", "1", "0,4") "," T("c", "U8", "3,0", "4,4") "," T("d", "U8", "1",
                                                                                                            "4,5") "}",
           5);
    accept("{" T("b", "U8", "1", "4,5") "," T("a", "F32", "1", "0,4") "}", 5);             /* any order of names */
    accept("{" T("odd", "U8", "1", "0,1") "," T("a", "F32", "1", "1,5") "}", 5);           /* no alignment */
    accept("{" T("a", "F4", "2", "0,1") "," T("b", "F6_E2M3", "4", "1,4") "}", 4);
    accept("{" T("a", "F32", "1,1,1,1,1,1,1,1", "0,4") "}", 4);
    accept("{" T("", "U8", "1", "0,1") "}", 1);
    accept("{\"a\":{\"data_offsets\":[0,1],\"shape\":[1],\"dtype\":\"U8\"}}", 1);
    accept("{" T("\\u0061\\n\\ud83d\\ude00\xf0\x9f\x98\x80 ../../x \\u001b", "U8", "1", "0,1") "}", 1);
}

static void a_header_that_is_not_strict_json_is_refused(void **state)
{
    (void)state;
    static const struct { const char *header, *words;
    } rows[] = {
        {" {}", "begin with {"},
        {"[]", "begin with {"},
        {"55", "begin with {"},
        {"\"a\"", "begin with {"},
        {"\xef\xbb\xbf{}", "begin with {"},
        {"{ ", "expected a string, found the end"},
        {"{\"a", "expected the end of a string"},
        {"{,}", "expected a string"},
        {"{\"a\"}", "expected : after a key"},
        {"{'a':1}", "expected a string"},
        {"{} x", "only spaces may follow"},
        {"{}\n", "only spaces may follow"},
        {"{}{}", "only spaces may follow"},
        {"{\"__metadata__\":{\"a\":\"b\"},}", "expected a string"},
        {"{\"__metadata__\":{\"a\":\"b\",}}", "expected a string"},
        {"{\"__metadata__\":{\"a\":\"b\"} \"c\":1}", "byte 34: expected a comma or }"},
        {"{/**/}", "expected a string"},
        {"{\"__metadata__\":{\"a\":\"\xff\"}}", "not valid UTF-8"},
        {"{\"__metadata__\":{\"a\":\"\xc0\xaf\"}}", "not valid UTF-8"},
        {"{\"__metadata__\":{\"a\":\"\xed\xa0\x80\"}}", "not valid UTF-8"},
        {"{\"__metadata__\":{\"a\":\"\xe4\xbd\"}}", "not valid UTF-8"},
        {"{\"__metadata__\":{\"a\":\"\\ud800\"}}", "half of a surrogate"},
        {"{\"__metadata__\":{\"a\":\"\\ud800\\u0041\"}}", "half of a surrogate"},
        {"{\"__metadata__\":{\"a\":\"\\udc00\"}}", "half of a surrogate"},
        {"{\"__metadata__\":{\"a\":\"\\u12g4\"}}", "four hexadecimal"},
        {"{\"__metadata__\":{\"a\":\"\\u12", "four hexadecimal"},
        {"{\"__metadata__\":{\"a\":\"\\x41\"}}", "unknown escape"},
        {"{\"__metadata__\":{\"a\":\"\\", "unknown escape"},
        {"{\"__metadata__\":{\"a\":\"\t\"}}", "control character"},
        {"{\"__metadata__\":{\"a\\u0000b\":\"\"}}", "a NUL"},
        {"{\"a\":NaN}", "expected {"},
        {"{\"a\":{\"shape\":[NaN]}}", "whole number"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) refuse(rows[i].header, 0, rows[i].words);
    limn_weight_file *st;
    assert_int_equal(parse_n("{}\0{}", 5, 0, &st), LIMN_BAD_FILE); /* a second JSON behind a NUL */
    assert_int_equal(parse_n("{\"a\0b\":{}}", 10, 0, &st), LIMN_BAD_FILE);
    for (int close = 0; close < 2; close++) { /* 100 000 brackets cost neither stack nor time */
        char *deep = malloc(200010);
        memcpy(deep, "{\"a\":", 5);
        memset(deep + 5, '[', 100000);
        memset(deep + 100005, ']', 100000);
        assert_int_equal(parse_n(deep, close ? 200005 : 100005, 0, &st), LIMN_BAD_FILE);
        memset(deep + 5, '{', 100000);
        assert_int_equal(parse_n(deep, 100005, 0, &st), LIMN_BAD_FILE);
        free(deep);
    }
}

static void an_entry_is_dtype_shape_and_offsets_and_nothing_else(void **state)
{
    (void)state;
    refuse("{\"a\":5}", 0, "tensor \"a\": header, byte 13: expected {");
    refuse("{\"a\":[]}", 0, "expected {");
    refuse("{\"a\":null}", 0, "expected {");
    refuse("{\"a\":\"b\"}", 0, "expected {");
    refuse("{\"a\":{}}", 0, "expected a string");
    refuse("{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, "data_offsets is missing");
    refuse("{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1, "shape is missing");
    refuse("{\"a\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "dtype is missing");
    refuse("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"x\":1}}", 1, "only, found \"x\"");
    refuse("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"dtype\":\"U8\"}}", 1, "\"dtype\" comes twice");
    refuse("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "\"shape\" comes twice");
    refuse("{\"a\":{\"dtype\":8,\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "expected a string");
    refuse("{\"a\":{\"dtype\":\"U8\",\"shape\":1,\"data_offsets\":[0,1]}}", 1, "expected [ before the shape");
    refuse("{" T("a", "F33", "2", "0,8") "}", 8, "unknown dtype \"F33\"");
    refuse("{" T("a", "f32", "2", "0,8") "}", 8, "unknown dtype \"f32\"");
    refuse("{" T("a", "F32", "1", "0,4") "," T("a", "F32", "1", "4,8") "}", 8, "tensor \"a\" comes twice");
    refuse("{" T("a", "F32", "1", "0,4") "," T("\\u0061", "F32", "1", "4,8") "}", 8, "tensor \"a\" comes twice");
    refuse("{" T("a\\nb\\u001b[31m", "F33", "1", "0,4") "}", 4, "tensor \"a\\nb\\x1b[31m\"");
}

static void metadata_holds_strings_only_and_each_key_once(void **state)
{
    (void)state;
    static const char *const values[] = {"1", "null", "true", "{}", "[]", "[\"a\"]", "{\"b\":\"c\"}"};
    char header[100];
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        snprintf(header, sizeof header, "{\"__metadata__\":{\"a\":%s}}", values[i]);
        refuse(header, 0, "__metadata__");
        snprintf(header, sizeof header, "{\"__metadata__\":%s}", values[i]);
        if (i != 3 && i != 6) refuse(header, 0, "__metadata__");
    }
    refuse("{\"__metadata__\":{\"a\":\"b\",\"c\":\"d\",\"a\":\"e\"}}", 0, "__metadata__: \"a\" comes twice");
    refuse("{\"__metadata__\":{},\"__metadata__\":{}}", 0, "__metadata__ comes twice");
    limn_weight_file *st;
    const char *good = "{\"__metadata__\":{\"b\":\"\\u00e4\\\"\",\"a\":\"\",\"c\":\"d\"}}";
    assert_int_equal(parse_n(good, strlen(good), 0, &st), LIMN_OK);
    assert_string_equal(limn_weight_file_metadata(st, "b"), "\xc3\xa4\"");
    assert_string_equal(limn_weight_file_metadata(st, "a"), "");
    assert_null(limn_weight_file_metadata(st, "d"));
    limn_weight_file_close(st);
}

static void a_shape_must_fit_its_bytes(void **state)
{
    (void)state;
    static const char *const dims[] = {
        "-1",  "2.0", "1e3", "\"2\"", "18446744073709551616", "9223372036854775808", "null", "02", "+1", "0x1",
        "[2]", "-0",  "2.",  ""};
    char header[300];
    for (size_t i = 0; i < sizeof dims / sizeof *dims; i++) {
        snprintf(header, sizeof header, "{\"a\":{\"dtype\":\"U8\",\"shape\":[1,%s],\"data_offsets\":[0,2]}}", dims[i]);
        refuse(header, 2, "expected a ");
    }
    refuse("{" T("a", "U8", "1,1,1,1,1,1,1,1,1", "0,1") "}", 1, "more than 8 dimensions");
    refuse("{" T("a", "U8", "4294967296,4294967296", "0,0") "}", 0, "more than 2^64 bits");
    refuse("{" T("a", "U8", "4294967296,4294967296,0", "0,0") "}", 0,
           "more than 2^64 bits"); /* as the format's own reader: in order */
    refuse("{" T("a", "F64", "2305843009213693952", "0,0") "}", 0, "more than 2^64 bits");
    refuse("{" T("a", "F4", "3", "0,1") "}", 1, "not whole bytes");
    refuse("{" T("a", "F6_E3M2", "3", "0,2") "}", 2, "not whole bytes");
    refuse("{" T("a", "F32", "3", "0,8") "}", 8, "make 12 bytes, data_offsets [0, 8] hold 8");
    refuse("{" T("a", "F32", "", "0,8") "}", 8, "make 4 bytes");
}

static void offsets_cover_the_data_once_without_holes(void **state)
{
    (void)state;
    static const char *const pairs[] = {"0",     "0,1,2", "", "-1,1", "0,1.0", "0,1e0", "\"0\",1", "0,18446744073709551616",
                                        "null,1"};
    char header[300];
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        snprintf(header, sizeof header, "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%s]}}", pairs[i]);
        refuse(header, 1, "tensor \"a\": header, byte ");
    }
    refuse("{" T("a", "F32", "2", "8,0") "}", 8, "[8, 0] end before they begin");
    refuse("{" T("a", "U8", "1", "1099511627776,1099511627777") "}", 4,
           "[1099511627776, 1099511627777] past end of data (4 bytes)");
    refuse("{" T("a", "F32", "2", "0,8") "}", 7, "past end of data (7 bytes)");
    refuse("{" T("a", "F32", "2", "0,8") "}", 9, "1 bytes follow the last tensor");
    refuse("{}", 5, "5 bytes follow the last tensor");
    refuse("{" T("a", "F32", "1", "4,8") "}", 8,
           "begins at byte 4 of the data, where the tensor before it ends at 0: there is a hole");
    refuse("{" T("a", "U8", "1", "0,1") "," T("b", "U8", "1", "2,3") "}", 3, "there is a hole");
    refuse("{" T("a", "F32", "1", "0,4") "," T("b", "F32", "1", "0,4") "}", 4,
           "tensor \"b\": begins at byte 0 of the data, where the tensor before it ends at 4: they overlap");
    refuse("{" T("a", "F32", "1", "0,4") "," T("b", "F32", "1", "3,7") "}", 7, "they overlap");
    refuse("{" T("a", "F32", "2", "0,8") "," T("z", "F32", "0", "4,4") "}", 8, "they overlap"); /* inside another */
}

static void a_hundred_thousand_tensors_on_the_same_bytes_are_refused(void **state)
{
    (void)state;
    limn_text header = {0};
    limn_text_printf(&header, "{");
    for (int i = 0; i < 100000; i++)
        limn_text_printf(&header, "%s\"%d\":{\"dtype\":\"U8\",\"shape\":[160000],\"data_offsets\":[0,160000]}", i ? "," : "",
                         i);
    limn_text_printf(&header, "}");
    double begin = limn_seconds();
    refuse(header.bytes, 160000, "they overlap");
    assert_true(limn_seconds() - begin < 2);
    limn_text_free(&header);
}

/* ---- files ------------------------------------------------------------------------------------------------------------ */

static void put(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

static void a_hostile_header_costs_at_most_four_times_its_size(void **state)
{
    (void)state;
    size_t n = 24000000, at = 1, all;
    char *header = malloc(n);
    header[0] = '{';
    for (unsigned i = 0; at < n - 100; i++)
        at += (size_t)sprintf(header + at, "\"%x\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},", i);
    at += (size_t)sprintf(header + at, "%s", T("end", "U8", "1", "0,2") "}");
    memset(header + at, ' ', n - at);
    unsigned char *bytes = file_of(header, n, 1, &all);
    put("large.safetensors", bytes, all);
    free(header);
    free(bytes);
    pid_t child = fork();
    if (child == 0) { /* the address space may grow by four headers and 16 MiB */
        FILE *f = fopen("/proc/self/statm", "r");
        size_t pages = 0;
        if (!f || fscanf(f, "%zu", &pages) != 1) _exit(3);
#if !defined(__SANITIZE_ADDRESS__)
        size_t most = pages * 4096 + 4 * n + (16u << 20);
        setrlimit(RLIMIT_AS, &(struct rlimit){most, most});
#endif
        limn_weight_file *st;
        limn_status status = limn_weight_file_open(ctx, "large.safetensors", &st);
        if (!strstr(limn_error_text(ctx), "tensor \"end\"")) fprintf(stderr, "%s\n", limn_error_text(ctx));
        _exit(status == LIMN_BAD_FILE && strstr(limn_error_text(ctx), "tensor \"end\"") ? 0 : 1);
    }
    int code;
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_int_equal(code, 0);
    unlink("large.safetensors");
}

static void write_one(const char *path)
{
    float a[3000];
    uint16_t b[5] = {0x3f80, 0x4000, 0x4040, 0xc080, 0x7f80};
    for (int i = 0; i < 3000; i++) a[i] = (float)i / 7;
    const limn_named_view views[] = {
        {"b", {LIMN_BF16, {1, {5}}, b}}, {"z", {LIMN_F32, {2, {1500, 2}}, a}}, {"a\n\"", {LIMN_F32, {0, {0}}, a}}};
    const char *const metadata[][2] = {{"format", "pt"}, {"limn.step", "40"}, {"limn.crc32", "ffffffff"}};
    if (limn_safetensors_write(ctx, path, 3, views, 3, metadata) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
}

static void what_is_written_reads_back_in_the_order_of_the_format(void **state)
{
    (void)state;
    limn_weight_file *st;
    bool known;
    write_one("one.safetensors");
    if (limn_weight_file_open(ctx, "one.safetensors", &st) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    assert_int_equal(limn_weight_file_count(st), 3);
    assert_string_equal(limn_weight_file_get(st, 0)->name, "a\n\"");
    assert_string_equal(limn_weight_file_get(st, 1)->name, "z");
    assert_string_equal(limn_weight_file_get(st, 2)->name, "b");
    assert_string_equal(limn_weight_file_metadata(st, "limn.step"), "40");
    float z[3000], b[5];
    double wide[3000];
    assert_int_equal(limn_weight_file_load(ctx, st, limn_weight_file_find(st, "z"), z, LIMN_F32), LIMN_OK);
    assert_int_equal(limn_weight_file_load(ctx, st, limn_weight_file_find(st, "z"), wide, LIMN_F64), LIMN_OK);
    assert_int_equal(limn_weight_file_load(ctx, st, limn_weight_file_find(st, "b"), b, LIMN_F32), LIMN_OK);
    for (int i = 0; i < 3000; i++) assert_true(z[i] == (float)i / 7 && wide[i] == z[i]);
    assert_true(b[0] == 1 && b[3] == -4);
    assert_null(limn_weight_file_find(st, "y"));
    assert_int_equal(limn_weight_file_check(ctx, st, &known), LIMN_OK);
    assert_true(known);
    limn_weight_file_close(st);
    const limn_named_view twice[] = {{"a", {LIMN_F32, {0, {0}}, z}}, {"a", {LIMN_F32, {0, {0}}, z}}},
                          wrong[] = {{"\xff", {LIMN_F32, {0, {0}}, z}}};
    assert_int_equal(limn_safetensors_write(ctx, "two.safetensors", 2, twice, 0, NULL), LIMN_BAD_ARGUMENT);
    assert_int_equal(limn_safetensors_write(ctx, "two.safetensors", 1, wrong, 0, NULL), LIMN_BAD_ARGUMENT);
    assert_int_equal(access("two.safetensors", F_OK), -1);
}

static void data_at_odd_places_loads(void **state)
{
    (void)state;
    const char *header = "{" T("o", "U8", "1", "0,1") "," T("f", "BF16", "200001", "1,400003") "}";
    size_t all;
    unsigned char *bytes = file_of(header, strlen(header), 400003, &all);
    float *f = malloc(200001 * sizeof *f);
    limn_weight_file *st;
    assert_int_equal(limn_weight_file_parse(ctx, "t", bytes, all, &st), LIMN_OK);
    assert_int_equal(limn_weight_file_load(ctx, st, limn_weight_file_find(st, "f"), f, LIMN_F32), LIMN_OK);
    for (size_t i = 0; i < 200001; i++) {
        uint16_t h = (uint16_t)((2 * i + 2) % 256 | (2 * i + 3) % 256 << 8);
        float expected = limn_bf16_to_f32(h);
        assert_memory_equal(&f[i], &expected, 4);
    }
    size_t before = limn_ctx_counters(ctx).bytes_read; /* a part of it: nothing else is read */
    float *part = malloc(150000 * sizeof *part);
    assert_int_equal(limn_weight_file_load_part(ctx, st, limn_weight_file_find(st, "f"), 50001, 150000, part, LIMN_F32),
                     LIMN_OK);
    assert_memory_equal(part, f + 50001, 150000 * sizeof *part);
    assert_int_equal(limn_ctx_counters(ctx).bytes_read - before, 300000);
    limn_weight_file_close(st);
    free(bytes);
    free(part);
    free(f);
}

static void a_type_that_limn_lacks_is_listed_but_not_loaded(void **state)
{
    (void)state;
    const char *header = "{" T("i", "I8", "3", "0,3") "," T("f", "U8", "1", "3,4") "}";
    limn_weight_file *st;
    char to[4];
    assert_int_equal(parse_n(header, strlen(header), 4, &st), LIMN_OK);
    assert_string_equal(limn_weight_file_get(st, 0)->type, "I8");
    assert_false(limn_weight_file_get(st, 0)->usable);
    assert_int_equal(limn_weight_file_load(ctx, st, limn_weight_file_get(st, 0), to, LIMN_U8), LIMN_UNSUPPORTED);
    assert_non_null(strstr(limn_error_text(ctx), "I8"));
    limn_weight_file_close(st);
}

static void a_file_cut_after_opening_is_an_error_not_a_signal(void **state)
{
    (void)state;
    limn_weight_file *st;
    float z[3000];
    bool known;
    write_one("cut.safetensors");
    assert_int_equal(limn_weight_file_open(ctx, "cut.safetensors", &st), LIMN_OK);
    assert_int_equal(truncate("cut.safetensors", 700), 0);
    assert_int_equal(limn_weight_file_load(ctx, st, limn_weight_file_find(st, "z"), z, LIMN_F32), LIMN_BAD_FILE);
    assert_non_null(strstr(limn_error_text(ctx), "cut.safetensors: ends at byte 700"));
    assert_int_equal(limn_weight_file_check(ctx, st, &known), LIMN_BAD_FILE);
    limn_weight_file_close(st);
    unlink("cut.safetensors");
}

static void every_cut_of_a_file_is_refused(void **state)
{
    (void)state;
    unsigned char *bytes;
    size_t n;
    limn_weight_file *st;
    write_one("one.safetensors");
    assert_int_equal(limn_file_read(ctx, "one.safetensors", 1 << 20, &bytes, &n), LIMN_OK);
    for (size_t i = 0; i < n; i++) assert_int_equal(limn_weight_file_parse(ctx, "t", bytes, i, &st), LIMN_BAD_FILE);
    memset(bytes, 0, n); /* as some file systems leave it after a loss of power */
    assert_int_equal(limn_weight_file_parse(ctx, "t", bytes, n, &st), LIMN_BAD_FILE);
    free(bytes);
}

/* A flip in the key "limn.crc32" itself hides the checksum, and leaves everything else whole. */
static void any_flipped_bit_is_found(void **state)
{
    (void)state;
    unsigned char *bytes;
    size_t n, hidden = 0;
    write_one("one.safetensors");
    assert_int_equal(limn_file_read(ctx, "one.safetensors", 1 << 20, &bytes, &n), LIMN_OK);
    for (size_t i = 0; i < 2000; i++) {
        size_t bit = i < 1000 ? i * 8 + i % 8
                              : (size_t)(limn_random_uniform(1, 0, i, 0) * (double)(8 * n)); /* the header, then anywhere */
        limn_weight_file *st;
        bool known = true;
        if (bit >= 8 * n) continue;
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        limn_status status = limn_weight_file_parse(ctx, "t", bytes, n, &st);
        if (status == LIMN_OK) status = limn_weight_file_check(ctx, st, &known);
        if (status == LIMN_OK && !known) hidden++;
        else if (status != LIMN_BAD_FILE) fail_msg("bit %zu: %s", bit, limn_status_name(status));
        limn_weight_file_close(st);
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    assert_true(hidden <= 10);
    free(bytes);
}

/* ---- several files ---------------------------------------------------------------------------------------------------- */

static void put_shards(const char *index)
{
    size_t n;
    const char *one = "{" T("a", "U8", "2", "0,2") "}",
               *two = "{\"__metadata__\":{\"x\":\"y\"}," T("b", "U8", "1", "0,1") "," T("c", "U8", "1", "1,2") "}";
    unsigned char *bytes = file_of(one, strlen(one), 2, &n);
    mkdir("shards", 0777);
    put("shards/m-1.safetensors", bytes, n);
    free(bytes);
    bytes = file_of(two, strlen(two), 2, &n);
    put("shards/m-2.safetensors", bytes, n);
    free(bytes);
    put("shards/m.safetensors.index.json", index, strlen(index));
}

static void refuse_index(const char *index, limn_status status, const char *words)
{
    limn_weight_file *st;
    put_shards(index);
    assert_int_equal(limn_weight_file_open(ctx, "shards/m.safetensors.index.json", &st), status);
    assert_null(st);
    if (!strstr(limn_error_text(ctx), words)) fail_msg("expected \"%s\" in \"%s\"", words, limn_error_text(ctx));
}

static void the_files_of_an_index_are_one(void **state)
{
    (void)state;
    limn_weight_file *st;
    unsigned char value;
    put_shards("{\"metadata\":{\"total_size\":4,\"x\":[1.5e3,{\"y\":[]},true]},\"weight_map\":{\"c\":\"m-2.safetensors\","
               "\"a\":\"m-1.safetensors\",\"b\":\"m-2.safetensors\"}}\n");
    if (limn_weight_file_open(ctx, "shards/m.safetensors.index.json", &st) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    assert_int_equal(limn_weight_file_count(st), 3);
    assert_int_equal(limn_weight_file_load(ctx, st, limn_weight_file_find(st, "c"), &value, LIMN_U8), LIMN_OK);
    assert_int_equal(value, 2);
    limn_weight_file_close(st);
    put_shards("\xef\xbb\xbf{\"weight_map\":{\"a\":\"m-1.safetensors\"}}\r\n"); /* as Windows' editors write */
    if (limn_weight_file_open(ctx, "shards/m.safetensors.index.json", &st) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    assert_int_equal(limn_weight_file_count(st), 1);
    limn_weight_file_close(st);
    refuse_index("\xff\xfe{}", LIMN_BAD_FILE, "byte order mark of UTF-16");
}

static void an_index_may_name_only_files_beside_it_and_tensors_that_are_there(void **state)
{
    (void)state;
#define MAP(x) "{\"weight_map\":{" x "}}"
    refuse_index(MAP("\"a\":\"/etc/passwd\""), LIMN_BAD_FILE, "plain name");
    refuse_index(MAP("\"a\":\"../../etc/passwd\""), LIMN_BAD_FILE, "plain name");
    refuse_index(MAP("\"a\":\"..\""), LIMN_BAD_FILE, "plain name");
    refuse_index(MAP("\"a\":\"\""), LIMN_BAD_FILE, "plain name");
    refuse_index(MAP("\"a\":\"x/m-1.safetensors\""), LIMN_BAD_FILE, "plain name");
    refuse_index(MAP("\"a\":\"m-3.safetensors\""), LIMN_NOT_FOUND, "shards/m-3.safetensors");
    refuse_index(MAP("\"a\":\"m.safetensors.index.json\""), LIMN_BAD_FILE, "a header of"); /* itself */
    refuse_index(MAP("\"a\":\"m-2.safetensors\""), LIMN_BAD_FILE, "tensor \"a\" is not in shards/m-2.safetensors");
    refuse_index(MAP("\"a\":\"m-1.safetensors\",\"b\":\"m-1.safetensors\",\"c\":\"m-2.safetensors\""), LIMN_BAD_FILE,
                 "tensor \"b\" is not in shards/m-1.safetensors");
    refuse_index(MAP("\"d\":\"m-1.safetensors\""), LIMN_BAD_FILE, "tensor \"d\" is not in");
    refuse_index(MAP("\"a\":\"m-1.safetensors\",\"a\":\"m-1.safetensors\""), LIMN_BAD_FILE, "twice in weight_map is \"a\"");
    refuse_index("{\"weight_map\":{\"a\":\"m-1.safetensors\"},\"weight_map\":{\"a\":\"m-1.safetensors\"}}", LIMN_BAD_FILE,
                 "weight_map comes twice");
    refuse_index(MAP("\"a\":7"), LIMN_BAD_FILE, "expected a string");
    refuse_index(MAP(""), LIMN_BAD_FILE, "expected a string");
    refuse_index("{\"metadata\":{}}", LIMN_BAD_FILE, "no weight_map");
    refuse_index("{}", LIMN_BAD_FILE, "expected a string");
    refuse_index("", LIMN_BAD_FILE, "expected {");
    refuse_index(MAP("\"a\":\"m-1.safetensors\"") "x", LIMN_BAD_FILE, "expected the end");
    refuse_index("{\"metadata\":[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]],\"weight_map\":{}}", LIMN_BAD_FILE,
                 "nested more than 16 deep");
    refuse_index("{\"metadata\":[1,],\"weight_map\":{}}", LIMN_BAD_FILE, "expected a value");
    refuse_index("{\"metadata\":{\"a\":1]}", LIMN_BAD_FILE, "a comma or }");
    put_shards(MAP("\"a\":\"m-1.safetensors\",\"b\":\"m-2.safetensors\""));
    limn_weight_file *st;
    unsigned char *bytes;
    size_t n;
    assert_int_equal(limn_file_read(ctx, "shards/m-2.safetensors", 1000, &bytes, &n), LIMN_OK);
    bytes[8 + strlen("{\"__metadata__\":{\"x\":\"y\"},\"") + strlen(T("b", "U8", "1", "0,1")) + 1] = 'a'; /* c -> a */
    put("shards/m-2.safetensors", bytes, n);
    free(bytes);
    assert_int_equal(limn_weight_file_open(ctx, "shards/m.safetensors.index.json", &st), LIMN_BAD_FILE);
    assert_non_null(strstr(limn_error_text(ctx), "tensor \"a\" is also in shards/m-"));
}

static void things_that_are_not_files_are_refused(void **state)
{
    (void)state;
    limn_weight_file *st;
    mkfifo("pipe", 0600);
    assert_int_equal(limn_weight_file_open(ctx, "pipe", &st), LIMN_BAD_FILE); /* and nobody waits for its writer */
    assert_int_equal(limn_weight_file_open(ctx, "shards", &st), LIMN_BAD_FILE);
    assert_int_equal(limn_weight_file_open(ctx, "/dev/zero", &st), LIMN_BAD_FILE);
    assert_int_equal(limn_weight_file_open(ctx, "no-such-file", &st), LIMN_NOT_FOUND);
    put("empty", "", 0);
    assert_int_equal(limn_weight_file_open(ctx, "empty", &st), LIMN_BAD_FILE);
    assert_non_null(strstr(limn_error_text(ctx), "empty: the file is empty"));
    unlink("pipe");
    unlink("empty");
}

static void a_name_ends_as_weight_files_do_or_not(void **state)
{
    (void)state;
    static const char *const names[] = {"a.safetensors", "a.sft", "a.PT", "a.pth", "a.ckpt", "a.bin", "a.gguf"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) assert_int_equal(limn_weight_stem(names[i]), 1);
    assert_int_equal(limn_weight_stem("v1.5.safetensors"), 4);
    assert_int_equal(limn_weight_stem("v1.5"), 4);
    assert_int_equal(limn_weight_stem(".pt"), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_too_small_for_its_header_is_refused),
        cmocka_unit_test(what_the_format_allows_loads),
        cmocka_unit_test(a_header_that_is_not_strict_json_is_refused),
        cmocka_unit_test(an_entry_is_dtype_shape_and_offsets_and_nothing_else),
        cmocka_unit_test(metadata_holds_strings_only_and_each_key_once),
        cmocka_unit_test(a_shape_must_fit_its_bytes),
        cmocka_unit_test(offsets_cover_the_data_once_without_holes),
        cmocka_unit_test(a_hundred_thousand_tensors_on_the_same_bytes_are_refused),
        cmocka_unit_test(a_hostile_header_costs_at_most_four_times_its_size),
        cmocka_unit_test(what_is_written_reads_back_in_the_order_of_the_format),
        cmocka_unit_test(data_at_odd_places_loads),
        cmocka_unit_test(a_type_that_limn_lacks_is_listed_but_not_loaded),
        cmocka_unit_test(a_file_cut_after_opening_is_an_error_not_a_signal),
        cmocka_unit_test(every_cut_of_a_file_is_refused),
        cmocka_unit_test(any_flipped_bit_is_found),
        cmocka_unit_test(the_files_of_an_index_are_one),
        cmocka_unit_test(an_index_may_name_only_files_beside_it_and_tensors_that_are_there),
        cmocka_unit_test(things_that_are_not_files_are_refused),
        cmocka_unit_test(a_name_ends_as_weight_files_do_or_not),
    };
    return cmocka_run_group_tests(tests, make_ctx, drop_ctx);
}
