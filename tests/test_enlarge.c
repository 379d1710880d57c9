/* test_enlarge.c: small pictures as conditions: numbers of PyTorch (avg_pool2d, then interpolate bilinear,
 * align_corners=False). */
#include "denoise/enlarge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static const float large[16] = {0, 1.75f, 0.75f, 2.5f, 1.5f, 0.5f, 2.25f, 1.25f, 0.25f, 2, 1, 0, 1.75f, 0.75f, 2.5f, 1.5f};
static const float small[4] = {0.9375f, 1.6875f, 1.1875f, 1.25f};
static const float enlarged[16] = {0.9375f,     1.125f,    1.5f,      1.6875f,     1,           1.14453125f,
                                   1.43359375f, 1.578125f, 1.125f,    1.18359375f, 1.30078125f, 1.359375f,
                                   1.1875f,     1.203125f, 1.234375f, 1.25f};

static void a_clean_picture_made_small_and_large_again_is_pytorchs(void **state)
{
    (void)state;
    float out[16];
    limn_enlarged(large, 2, 2, 2, 1, 4, 4, out);
    assert_memory_equal(out, enlarged, sizeof out);
    limn_enlarged(small, 1, 2, 2, 1, 4, 4, out);
    assert_memory_equal(out, enlarged, sizeof out);
}

static void channels_do_not_mix(void **state)
{
    (void)state;
    float two[32], out[32];
    for (int i = 0; i < 16; i++) two[2 * i] = large[i], two[2 * i + 1] = -8;
    limn_enlarged(two, 2, 2, 2, 2, 4, 4, out);
    for (int i = 0; i < 16; i++) assert_true(out[2 * i] == enlarged[i] && out[2 * i + 1] == -8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clean_picture_made_small_and_large_again_is_pytorchs),
        cmocka_unit_test(channels_do_not_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
