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
    static const struct {
        const char *name, *file_name;
        size_t block, bytes;
    } want[LIMN_N_DTYPES] = {
        {"f32", "F32", 1, 4},         {"bf16", "BF16", 1, 2},     {"f16", "F16", 1, 2},         {"f64", "F64", 1, 8},
        {"i32", "I32", 1, 4},         {"i64", "I64", 1, 8},       {"u8", "U8", 1, 1},           {"f8_e4m3", "F8_E4M3", 1, 1},
        {"f8_e5m2", "F8_E5M2", 1, 1}, {"q8_0", "Q8_0", 32, 34},   {"q4_0", "Q4_0", 32, 18},     {"q4_1", "Q4_1", 32, 20},
        {"q5_0", "Q5_0", 32, 22},     {"q5_1", "Q5_1", 32, 24},   {"iq4_nl", "IQ4_NL", 32, 18}, {"q2_k", "Q2_K", 256, 84},
        {"q3_k", "Q3_K", 256, 110},   {"q4_k", "Q4_K", 256, 144}, {"q5_k", "Q5_K", 256, 176},   {"q6_k", "Q6_K", 256, 210}};
    for (int i = 0; i < LIMN_N_DTYPES; i++) {
        limn_dtype found = LIMN_N_DTYPES;
        assert_string_equal(limn_dtype_name((limn_dtype)i), want[i].name);
        assert_true(limn_dtype_find(want[i].file_name, &found) && (int)found == i);
        assert_int_equal(limn_dtype_size((limn_dtype)i, 35 * want[i].block), 35 * want[i].bytes);
        if (want[i].block > 1) assert_int_equal(limn_dtype_size((limn_dtype)i, want[i].block + 1), SIZE_MAX);
    }
    assert_false(limn_dtype_find("F8_E8M0", &(limn_dtype){0}));
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

static void a_type_of_blocks_is_a_row_as_well(void **state)
{
    (void)state;
    const limn_dtype_row *q8 = limn_dtype_row_of(LIMN_Q8_0);
    unsigned char src[68] = {0x00, 0x38}; /* 0.5, then numbers; 2, then numbers */
    float x[64];
    src[35] = 0x40;
    for (int i = 0; i < 32; i++) src[2 + i] = (unsigned char)(i - 16), src[36 + i] = (unsigned char)i;
    assert_int_equal(limn_row_size(q8, 64), 68);
    assert_int_equal(limn_row_size(q8, 0), 0);
    assert_int_equal(limn_row_size(q8, 33), SIZE_MAX);
    limn_row_convert(q8, src, limn_dtype_row_of(LIMN_F32), x, 64);
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
