/* test_gguf.c: GGUF: blocks of every type as PyPI's gguf decodes them, a file as it writes it, and files that lie. */
#include "file/weight_file.h"
#include "make_gguf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "vectors/gguf.h"

/* ---- blocks ----------------------------------------------------------------------------------------------------------- */

static void check_blocks(limn_dtype dtype, const unsigned char *blocks, size_t bytes, const uint32_t *want, size_t n)
{
    float *all = malloc(n * sizeof *all + 1);
    assert_int_equal(limn_dtype_size(dtype, n), bytes);
    limn_convert(blocks, dtype, (char *)all + 1, LIMN_F32, n); /* at an odd place */
    assert_memory_equal((char *)all + 1, want, n * sizeof *want);
    limn_view view = {dtype, LIMN_SHAPE((int64_t)n), (void *)(uintptr_t)blocks};
    for (size_t i = 0; i < n; i += 7) {
        float x = (float)limn_get(&view, (int64_t)i);
        assert_memory_equal(&x, &want[i], sizeof x);
    }
    uint16_t *half = malloc(n * sizeof *half);
    limn_convert(blocks, dtype, half, LIMN_BF16, n);
    for (size_t i = 0; i < n; i++) {
        float x;
        memcpy(&x, &want[i], sizeof x);
        assert_int_equal(half[i], limn_f32_to_bf16(x));
    }
    free(half);
    free(all);
}

static void blocks_hold_what_ggml_says(void **state)
{
    (void)state;
#define CHECK(type, name) check_blocks(type, name##_blocks, sizeof name##_blocks, name##_numbers, sizeof name##_numbers / 4)
    CHECK(LIMN_Q8_0, q8_0);
    CHECK(LIMN_Q4_0, q4_0);
    CHECK(LIMN_Q4_1, q4_1);
    CHECK(LIMN_Q5_0, q5_0);
    CHECK(LIMN_Q5_1, q5_1);
    CHECK(LIMN_IQ4_NL, iq4_nl);
    CHECK(LIMN_Q2_K, q2_k);
    CHECK(LIMN_Q3_K, q3_k);
    CHECK(LIMN_Q4_K, q4_k);
    CHECK(LIMN_Q5_K, q5_k);
    CHECK(LIMN_Q6_K, q6_k);
}

/* All 256 of each, by the formulas of the paper (Micikevicius et al. 2022, table 1). */
static void floats_of_8_bits(void **state)
{
    (void)state;
    for (int b = 0; b < 256; b++) {
        unsigned char byte = (unsigned char)b;
        float x, sign = b & 128 ? -1 : 1, e4 = 0, e5 = 0;
        int exponent = b >> 3 & 15, mantissa = b & 7;
        e4 = sign * (exponent ? (8 + (float)mantissa) : (float)mantissa) / 8;
        for (int i = exponent ? exponent : 1; i < 7; i++) e4 /= 2;
        for (int i = 7; i < exponent; i++) e4 *= 2;
        limn_convert(&byte, LIMN_F8_E4M3, &x, LIMN_F32, 1);
        if ((b & 127) == 127)
            assert_true(x != x);
        else
            assert_true(x == e4);
        exponent = b >> 2 & 31, mantissa = b & 3;
        e5 = sign * (exponent ? (4 + (float)mantissa) : (float)mantissa) / 4;
        for (int i = exponent ? exponent : 1; i < 15; i++) e5 /= 2;
        for (int i = 15; i < exponent; i++) e5 *= 2;
        limn_convert(&byte, LIMN_F8_E5M2, &x, LIMN_F32, 1);
        if (exponent == 31)
            assert_true(mantissa ? x != x : x * 0 != 0);
        else
            assert_true(x == e5);
    }
}

/* ---- a file ----------------------------------------------------------------------------------------------------------- */

static limn_weight_file *parse(limn_ctx *ctx, const unsigned char *bytes, size_t n)
{
    limn_weight_file *st = NULL;
    limn_status status = limn_weight_file_parse(ctx, "a.gguf", bytes, n, &st);
    if (status != LIMN_OK) assert_int_equal(status, LIMN_BAD_FILE);
    return st;
}

static void a_file_of_gguf_opens(void **state)
{
    limn_ctx *ctx = *state;
    limn_weight_file *st = parse(ctx, gguf_file, sizeof gguf_file);
    assert_non_null(st);
    assert_string_equal(limn_weight_file_kind(st), "gguf");
    assert_int_equal(limn_weight_file_count(st), 3);
    assert_string_equal(limn_weight_file_metadata(st, "general.architecture"), "sd1");
    assert_string_equal(limn_weight_file_metadata(st, "general.name"), "a caf\xc3\xa9");
    assert_null(limn_weight_file_metadata(st, "general.flag"));
    const limn_entry *linear = limn_weight_file_find(st, "linear.weight"), *conv = limn_weight_file_find(st, "conv.weight"),
                     *bias = limn_weight_file_find(st, "norm.bias");
    assert_true(linear && linear->dtype == LIMN_Q8_0 && linear->rank == 2 && linear->dim[0] == 3 && linear->dim[1] == 64);
    assert_true(conv && conv->dtype == LIMN_F16 && conv->rank == 4 && conv->dim[0] == 2 && conv->dim[1] == 4 &&
                conv->dim[2] == 3 && conv->dim[3] == 3);
    assert_true(bias && bias->rank == 1 && bias->dim[0] == 5);
    float x[192];
    assert_int_equal(limn_weight_file_load(ctx, st, linear, x, LIMN_F32), LIMN_OK);
    assert_memory_equal(x, gguf_linear, sizeof gguf_linear);
    assert_int_equal(limn_weight_file_load_part(ctx, st, linear, 64, 128, x, LIMN_F32), LIMN_OK);
    assert_memory_equal(x, gguf_linear + 64, 128 * 4);
    assert_int_equal(limn_weight_file_load_part(ctx, st, linear, 16, 32, x, LIMN_F32), LIMN_UNSUPPORTED);
    assert_non_null(strstr(limn_error_text(ctx), "cuts its blocks (Q8_0)"));
    assert_int_equal(limn_weight_file_load(ctx, st, conv, x, LIMN_F32), LIMN_OK);
    for (int i = 0; i < 72; i++) assert_true(x[i] == (float)i);
    assert_int_equal(limn_weight_file_load(ctx, st, bias, x, LIMN_F32), LIMN_OK);
    assert_true(x[4] == 4);
    limn_weight_file_close(st);
}

static void every_file_cut_short_is_refused(void **state)
{
    limn_ctx *ctx = *state;
    for (size_t n = 4; n + 32 < sizeof gguf_file; n++) {
        unsigned char *cut = malloc(n);
        memcpy(cut, gguf_file, n);
        assert_null(parse(ctx, cut, n));
        free(cut);
    }
}

/* ---- files that lie --------------------------------------------------------------------------------------------------- */

static void refused(limn_ctx *ctx, gguf_bytes *g, const char *says)
{
    g->bytes = realloc(g->bytes, g->n); /* a byte more is seen */
    limn_weight_file *st = parse(ctx, g->bytes, g->n);
    if (st || !strstr(limn_error_text(ctx), says))
        print_message("expected \"%s\", found \"%s\"\n", says, limn_error_text(ctx));
    assert_null(st);
    assert_non_null(strstr(limn_error_text(ctx), says));
    free(g->bytes);
    *g = (gguf_bytes){0};
}

static void heads_that_lie(void **state)
{
    limn_ctx *ctx = *state;
    gguf_bytes g = {0};
    static const uint32_t versions[] = {0, 1, 4, 99};
    for (int i = 0; i < 4; i++) gguf_head(&g, versions[i], 0, 0), refused(ctx, &g, "version 2 or 3");
    gguf_head(&g, 0x03000000, 0, 0), refused(ctx, &g, "big-endian");
    static const uint64_t counts[] = {UINT64_MAX, UINT64_C(1) << 63, UINT64_C(1) << 32, 2};
    for (int i = 0; i < 4; i++) {
        gguf_head(&g, 3, counts[i], 0), refused(ctx, &g, "more tensors are announced");
        gguf_head(&g, 3, 0, counts[i]), refused(ctx, &g, "more pairs of metadata are announced");
    }
}

static void pair(gguf_bytes *g, uint64_t pairs) { gguf_head(g, 3, 0, pairs); }

static void end(limn_ctx *ctx, gguf_bytes *g, const char *says)
{
    for (int i = 0; i < 64; i++) gguf_whole(g, 1, 0);
    refused(ctx, g, says);
}

static void metadata_that_lies(void **state)
{
    limn_ctx *ctx = *state;
    gguf_bytes g = {0};
    static const uint64_t lengths[] = {UINT64_MAX, 0, 65536};
    for (int i = 0; i < 3; i++) pair(&g, 1), gguf_whole(&g, 8, lengths[i]), end(ctx, &g, "a key of");
    pair(&g, 1), gguf_string(&g, "schl\xc3\xbcssel", "x"), end(ctx, &g, "ASCII");
    for (int i = 0; i < 2; i++) /* a text as long as 2^64 - 1, and as one byte more than is left */
        pair(&g, 1), gguf_text(&g, "a"), gguf_whole(&g, 4, 8), gguf_whole(&g, 8, i ? 65 : UINT64_MAX),
            end(ctx, &g, i ? "65 bytes should follow" : "a text of");
    static const uint32_t types[] = {13, 0x80000000u, UINT32_MAX};
    for (int i = 0; i < 3; i++) {
        pair(&g, 1), gguf_number(&g, "a", types[i], 4, 0), end(ctx, &g, "a value of a type");
        pair(&g, 1), gguf_number(&g, "a", 9, 4, types[i]), gguf_whole(&g, 8, 1), end(ctx, &g, "an array of a type");
    }
    static const uint64_t elements[] = {UINT64_C(1) << 62, UINT64_MAX / 8 + 2, 17};
    for (int i = 0; i < 3; i++)
        pair(&g, 1), gguf_number(&g, "a", 9, 4, 5), gguf_whole(&g, 8, elements[i]),
            end(ctx, &g, "an array of more elements");
    pair(&g, 1), gguf_number(&g, "a", 9, 4, 9), gguf_whole(&g, 8, 1), end(ctx, &g, "an array of arrays");
    pair(&g, 2), gguf_number(&g, "a", 4, 4, 1), gguf_number(&g, "a", 0, 1, 1), end(ctx, &g, "two are the same");
    pair(&g, 1), gguf_number(&g, "general.architecture", 4, 4, 1), end(ctx, &g, "general.architecture is no text");
    static const uint64_t alignments[] = {0, 3, UINT64_C(1) << 31, 1 << 21};
    for (int i = 0; i < 4; i++)
        pair(&g, 1), gguf_number(&g, "general.alignment", 4, 4, alignments[i]), end(ctx, &g, "no power of 2");
    pair(&g, 1), gguf_number(&g, "general.alignment", 5, 4, 32), end(ctx, &g, "not of type u32");
    pair(&g, 1), gguf_number(&g, "a", 7, 1, 2), end(ctx, &g, "neither 0 nor 1");
    pair(&g, 1), gguf_number(&g, "comfy.gguf.orig_shape.x", 9, 4, 4), gguf_whole(&g, 8, 1),
        end(ctx, &g, "at most 4 numbers");
}

/* One tensor of 64 floats of type F32, but for what the arguments say; bytes of data behind it. */
static void one(gguf_bytes *g, const char *name, uint32_t rank, uint64_t a, uint64_t b, uint32_t type, uint64_t offset,
                size_t bytes)
{
    uint64_t dim[8] = {a, b, 1, 1, 1, 1, 1, 1};
    gguf_head(g, 3, 1, 0), gguf_tensor(g, name, rank, dim, type, offset), gguf_pad(g, 32);
    for (size_t i = 0; i < bytes; i++) gguf_whole(g, 1, 0);
}

static void tensors_that_lie(void **state)
{
    limn_ctx *ctx = *state;
    gguf_bytes g = {0};
    char name[140];
    memset(name, 'n', sizeof name);
    name[128] = '\0';
    one(&g, name, 1, 64, 1, 0, 0, 256), refused(ctx, &g, "the name of a tensor of 128 bytes");
    one(&g, "", 1, 64, 1, 0, 0, 256), refused(ctx, &g, "the name of a tensor of 0 bytes");
    one(&g, "x", 5, 64, 1, 0, 0, 256), refused(ctx, &g, "5 dimensions");
    one(&g, "x", UINT32_MAX, 64, 1, 0, 0, 256), refused(ctx, &g, "dimensions, at most 4");
    one(&g, "x", 1, UINT64_MAX, 1, 0, 0, 256), refused(ctx, &g, "more elements than any file");
    one(&g, "x", 2, UINT64_C(1) << 32, UINT64_C(1) << 32, 0, 0, 256), refused(ctx, &g, "more elements than any file");
    one(&g, "x", 1, UINT64_C(1) << 40, 1, 0, 0, 256), refused(ctx, &g, "the whole file has");
    one(&g, "x", 1, 64, 1, 4, 0, 256), refused(ctx, &g, "type 4, which GGUF does not have");
    one(&g, "x", 1, 64, 1, 0x7fffffff, 0, 256), refused(ctx, &g, "which GGUF does not have");
    one(&g, "x", 1, 256, 1, 16, 0, 256), refused(ctx, &g, "type IQ2_XXS, which Limn does not read");
    one(&g, "x", 2, 33, 2, 8, 0, 256), refused(ctx, &g, "rows of 33 numbers, which are no whole blocks of 32");
    one(&g, "x", 1, 64, 1, 0, 1, 256), refused(ctx, &g, "begins at byte 1 of the data");
    one(&g, "x", 1, 64, 1, 0, 32, 288), refused(ctx, &g, "begins at byte 32 of the data");
    one(&g, "x", 1, 64, 1, 0, 0, 255), refused(ctx, &g, "cut short");
    uint64_t dim[] = {8};
    gguf_head(&g, 3, 2, 0), gguf_tensor(&g, "x", 1, dim, 0, 0), gguf_tensor(&g, "x", 1, dim, 0, 32), gguf_pad(&g, 32);
    end(ctx, &g, "comes twice");
    gguf_head(&g, 3, 1, 1), gguf_number(&g, "comfy.gguf.orig_shape.x", 9, 4, 5), gguf_whole(&g, 8, 1), gguf_whole(&g, 4, 9);
    gguf_tensor(&g, "x", 1, dim, 0, 0), gguf_pad(&g, 32), end(ctx, &g, "has 8 elements, where comfy.gguf.orig_shape says 9");
}

/* What is odd and yet right. */
static void odd_files_open(void **state)
{
    limn_ctx *ctx = *state;
    gguf_bytes g = {0};
    one(&g, "none", 1, 0, 1, 8, 0, 0);
    limn_weight_file *st = parse(ctx, g.bytes, g.n);
    assert_true(st && limn_weight_file_get(st, 0)->bytes == 0);
    limn_weight_file_close(st);
    free(g.bytes), g = (gguf_bytes){0};
    one(&g, "scalar", 0, 1, 1, 0, 0, 4);
    st = parse(ctx, g.bytes, g.n);
    assert_true(st && limn_weight_file_get(st, 0)->rank == 0);
    limn_weight_file_close(st);
    free(g.bytes), g = (gguf_bytes){0};
    gguf_head(&g, 2, 2, 1), gguf_number(&g, "general.alignment", 4, 4, 64);
    gguf_tensor(&g, "a", 1, (uint64_t[]){3}, 0, 0), gguf_tensor(&g, "b", 1, (uint64_t[]){1}, 0, 64), gguf_pad(&g, 64);
    for (int i = 0; i < 17; i++) gguf_whole(&g, 4, i == 16 ? 0x40400000 : 0);
    st = parse(ctx, g.bytes, g.n);
    float x = 0;
    assert_non_null(st);
    assert_int_equal(limn_weight_file_load(ctx, st, limn_weight_file_find(st, "b"), &x, LIMN_F32), LIMN_OK);
    assert_true(x == 3);
    limn_weight_file_close(st);
    free(g.bytes);
}

static int setup(void **state) { return !(*state = limn_ctx_new()); }

static int teardown(void **state)
{
    limn_ctx_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_hold_what_ggml_says),
        cmocka_unit_test(floats_of_8_bits),
        cmocka_unit_test(a_file_of_gguf_opens),
        cmocka_unit_test(every_file_cut_short_is_refused),
        cmocka_unit_test(heads_that_lie),
        cmocka_unit_test(metadata_that_lies),
        cmocka_unit_test(tensors_that_lie),
        cmocka_unit_test(odd_files_open),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
