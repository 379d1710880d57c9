/* test_tensor.c: types of elements: sizes, blocks, conversion. */
#include "tensor/tensor.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void every_type_has_a_row(void **state)
{
    (void)state;
    static const struct { const char *name, *file_name; size_t bytes; } want[LIMN_N_DTYPES] = {
        {"f32", "F32", 4}, {"bf16", "BF16", 2}, {"f16", "F16", 2}, {"f64", "F64", 8},
        {"i32", "I32", 4}, {"i64", "I64", 8},   {"u8", "U8", 1}};
    for (int i = 0; i < LIMN_N_DTYPES; i++) {
        limn_dtype found = LIMN_N_DTYPES;
        assert_string_equal(limn_dtype_name((limn_dtype)i), want[i].name);
        assert_true(limn_dtype_find(want[i].file_name, &found) && (int)found == i);
        assert_int_equal(limn_dtype_size((limn_dtype)i, 35), 35 * want[i].bytes);
    }
    assert_false(limn_dtype_find("F8_E4M3", &(limn_dtype){0}));
    assert_false(limn_dtype_find("f32", &(limn_dtype){0}));
}

/* All 65536, beside the formula of IEEE 754 in doubles; NaN keeps its bits. */
static void every_f16_becomes_its_f32(void **state)
{
    (void)state;
    unsigned char *src = malloc(2 * 65536 + 1), *dst = malloc(4 * 65536 + 1);
    for (uint32_t h = 0; h < 65536; h++) src[1 + 2 * h] = (unsigned char)h, src[2 + 2 * h] = (unsigned char)(h >> 8);
    limn_convert(src + 1, LIMN_F16, dst + 1, LIMN_F32, 65536); /* at odd places */
    for (uint32_t h = 0; h < 65536; h++) {
        int exponent = (int)(h >> 10 & 31), mantissa = (int)(h & 0x3ff);
        float x, want = (float)(exponent ? ldexp(1024 + mantissa, exponent - 25) : ldexp(mantissa, -24));
        uint32_t bits, nan = (h & 0x8000) << 16 | 0x7f800000u | (h & 0x3ff) << 13;
        memcpy(&x, dst + 1 + 4 * h, 4), memcpy(&bits, &x, 4);
        if (exponent == 31) assert_int_equal(bits, nan);
        else assert_true(x == (h & 0x8000 ? -want : want) && !signbit(x) == !(h & 0x8000));
        limn_view one = {LIMN_F16, {0, {0}}, src + 1 + 2 * h};
        if (exponent < 31) assert_true(limn_get(&one, 0) == x);
    }
    free(src);
    free(dst);
}

/* A type of blocks, as ggml has it: 32 numbers of 8 bits behind the f16 that scales them. */
static void decode_q8(const unsigned char *src, size_t n_blocks, unsigned char *f32)
{
    for (size_t b = 0; b < n_blocks; b++, src += 34)
        for (int i = 0; i < 32; i++, f32 += 4) {
            float scale, x;
            limn_convert(src, LIMN_F16, &scale, LIMN_F32, 1);
            x = scale * (float)(int8_t)src[2 + i];
            memcpy(f32, &x, 4);
        }
}

static void a_type_of_blocks_is_a_row_as_well(void **state)
{
    (void)state;
    static const limn_dtype_row q8 = {.name = "q8_0", .file_name = "Q8_0", .block = 32, .bytes = 34, .decode = decode_q8};
    unsigned char src[68] = {0x00, 0x38}; /* 0.5, then numbers; 2, then numbers */
    float x[64];
    src[35] = 0x40;
    for (int i = 0; i < 32; i++) src[2 + i] = (unsigned char)(i - 16), src[36 + i] = (unsigned char)i;
    assert_int_equal(limn_row_size(&q8, 64), 68);
    assert_int_equal(limn_row_size(&q8, 0), 0);
    assert_int_equal(limn_row_size(&q8, 33), SIZE_MAX);
    limn_row_convert(&q8, src, limn_dtype_row_of(LIMN_F32), x, 64);
    for (int i = 0; i < 32; i++) assert_true(x[i] == 0.5f * (float)(i - 16) && x[32 + i] == 2.0f * (float)i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_has_a_row),
        cmocka_unit_test(every_f16_becomes_its_f32),
        cmocka_unit_test(a_type_of_blocks_is_a_row_as_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
