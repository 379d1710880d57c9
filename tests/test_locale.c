/* test_locale.c: numbers and letters in files and messages do not hang on the locale of the program. */
#include "base/base.h"
#include "base/json.h"
#include "file/latent.h"
#include "file/raster.h"
#include "file/safetensors.h"
#include "file/weight_file.h"
#include "make_locale.h"
#include "data/listing.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static limn_ctx *ctx;
static char logged[256];

static void note(void *user, limn_log_level level, const char *text)
{
    (void)user, (void)level;
    snprintf(logged, sizeof logged, "%s", text);
}

static void in_locale(const char *name)
{
    if (use_locale(name)) return;
    print_message("SKIPPED: the locale %s cannot be made here (package locales)\n", name);
    skip();
}

/* de_DE: a comma.  ps_AF: a point of two bytes.  */
static void a_point_is_a_point(const char *name)
{
    in_locale(name);
    char own[64], text[64], *end;
    snprintf(own, sizeof own, "%g", 2.5);
    assert_string_not_equal(own, "2.5"); /* or this shows nothing */

    assert_true(limn_number_parse("2.5,7", &end) == 2.5 && strcmp(end, ",7") == 0);
    limn_format(text, sizeof text, "%.2f|%g|%e", 2.5, 1e-3, 0.5);
    assert_string_equal(text, "2.50|0.001|5.000000e-01");

    limn_fail_in(ctx, limn_fail(ctx, LIMN_BAD_FILE, "found %g", 0.25), "%g", 0.5);
    assert_string_equal(limn_error_text(ctx), "0.5: found 0.25");
    limn_log(ctx, LIMN_LOG_INFO, "%.1f MB", 1.5);
    assert_string_equal(logged, "1.5 MB");
    limn_text grown = {0};
    limn_text_printf(&grown, "%g", 1.25);
    assert_string_equal(grown.bytes, "1.25");
    limn_text_free(&grown);
    limn_arena *arena = limn_arena_new();
    assert_string_equal(limn_arena_printf(arena, "%g", 1.75), "1.75");
    limn_arena_free(arena);

    snprintf(text, sizeof text, "%g", 2.5);
    assert_string_equal(text, own); /* the program's locale is as it was */
    assert_true(uselocale((locale_t)0) == LC_GLOBAL_LOCALE);
}

/* jansson takes the first byte of the locale's point, and its parser ends the program where that is not all of it. */
static void json_is_json(const char *name)
{
    in_locale(name);
    json_error_t error;
    json_t *json = limn_json_parse("[0.5, 1e-3]", 11, &error);
    assert_non_null(json);
    assert_true(json_real_value(json_array_get(json, 0)) == 0.5 && json_real_value(json_array_get(json, 1)) == 1e-3);
    char *text = limn_json_text(json, JSON_COMPACT);
    assert_string_equal(text, "[0.5,0.001]");
    free(text);
    char *printed = NULL;
    size_t n = 0;
    FILE *file = open_memstream(&printed, &n);
    assert_true(limn_json_print(json, file));
    fclose(file);
    assert_string_equal(printed, "[\n 0.5,\n 0.001\n]\n");
    free(printed);
    json_decref(json);
}

static void metadata_is_the_same(const char *name)
{
    in_locale(name);
    limn_latents wrote = {.count = 1, .height = 1, .width = 1, .channels = 1, .scale = 0.25, .shift = -1.5, .n = 1}, read;
    assert_int_equal(limn_latents_write(ctx, "test-locale.safetensors", &wrote), LIMN_OK);
    limn_weight_file *st;
    assert_int_equal(limn_weight_file_open(ctx, "test-locale.safetensors", &st), LIMN_OK);
    assert_string_equal(limn_weight_file_metadata(st, "limn.latent.scale"), "0.25");
    assert_string_equal(limn_weight_file_metadata(st, "limn.latent.shift"), "-1.5");
    limn_weight_file_close(st);
    assert_int_equal(limn_latents_read(ctx, "test-locale.safetensors", &read), LIMN_OK);
    assert_true(read.scale == 0.25 && read.shift == -1.5);
    unlink("test-locale.safetensors");

    limn_range range;
    char text[64];
    assert_true(limn_range_parse("0.5,2.5", &range) && range.low == 0.5 && range.high == 2.5);
    assert_string_equal(limn_range_text(&range, text), "0.5,2.5");
}

static void numbers_with_a_comma(void **state) { (void)state; a_point_is_a_point("de_DE"); }
static void numbers_with_a_point_of_two_bytes(void **state) { (void)state; a_point_is_a_point("ps_AF"); }
static void json_with_a_comma(void **state) { (void)state; json_is_json("de_DE"); }
static void json_with_a_point_of_two_bytes(void **state) { (void)state; json_is_json("ps_AF"); }
static void metadata_with_a_comma(void **state) { (void)state; metadata_is_the_same("de_DE"); }
static void metadata_with_a_point_of_two_bytes(void **state) { (void)state; metadata_is_the_same("ps_AF"); }

/* In Turkish 'I' is the capital of a dotless i, which is not in ASCII. */
static void an_ending_in_capitals_is_an_ending_in_turkish(void **state)
{
    (void)state;
    in_locale("tr_TR");
    assert_int_equal(limn_stem("CT.NII.GZ"), 2);
    assert_true(limn_same_word("TIFF", 4, "tiff", 4) && !limn_same_word("TIFF", 4, "tif", 3) &&
                !limn_same_word("@", 1, "`", 1));
    limn_near near = limn_near_to("TILING", 6);
    limn_near_try(&near, "tiling", 6);
    assert_int_equal(near.distance, 0);
}

static void a_shift_without_a_number_is_refused(void **state)
{
    (void)state;
    const char *const metadata[][2] = {
        {"limn.latent.scale", "1"}, {"limn.latent.shape", "1x1x1"}, {"limn.latent.shift", ""}};
    limn_latents out;
    assert_int_equal(limn_safetensors_write(ctx, "test-locale.safetensors", 0, NULL, 3, metadata), LIMN_OK);
    assert_int_equal(limn_latents_read(ctx, "test-locale.safetensors", &out), LIMN_BAD_FILE);
    assert_non_null(strstr(limn_error_text(ctx), "limn.latent.shift is \"\""));
    unlink("test-locale.safetensors");
}

static int set_up(void **state)
{
    (void)state;
    ctx = limn_ctx_new();
    limn_ctx_set_log(ctx, note, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    limn_ctx_free(ctx);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_with_a_comma),
        cmocka_unit_test(numbers_with_a_point_of_two_bytes),
        cmocka_unit_test(json_with_a_comma),
        cmocka_unit_test(json_with_a_point_of_two_bytes),
        cmocka_unit_test(metadata_with_a_comma),
        cmocka_unit_test(metadata_with_a_point_of_two_bytes),
        cmocka_unit_test(an_ending_in_capitals_is_an_ending_in_turkish),
        cmocka_unit_test(a_shift_without_a_number_is_refused),
    };
    return cmocka_run_group_tests_name("locale", tests, set_up, tear_down);
}
