/* test_classes.c: a name of a class, whatever is in it, comes back from a model's metadata and moves no other; a word means
 * a name before a number. */
#include "data/classes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define COUNT(a) (int)(sizeof(a) / sizeof *(a))

static void any_name_comes_back_in_its_place(void **state)
{
    (void)state;
    static const char *const odd[] = {"",   "a\nb", "\n",          "a,b",      "\"quoted\"", "\r\n", "back\\slash", "\\n",
                                      "\\", "-1",   "caf\xc3\xa9", "\x01\x1b", " ",          "#3",   "last\\",      ""};
    limn_ctx *ctx = limn_ctx_new();
    limn_arena *arena = limn_arena_new();
    limn_text text = {0};
    const char *const *names;
    int n;
    for (int i = 0; i < COUNT(odd); i++) limn_class_name_write(&text, odd[i]);
    assert_int_equal(limn_class_names_read(ctx, arena, text.bytes, &names, &n), LIMN_OK);
    assert_int_equal(n, COUNT(odd));
    for (int i = 0; i < n; i++) assert_string_equal(names[i], odd[i]);
    limn_text_free(&text);
    limn_class_name_write(&text, "two\nlines"); /* a line is a line, for other readers, too */
    assert_string_equal(text.bytes, "two\\nlines\n");
    assert_int_equal(limn_class_names_read(ctx, arena, "", &names, &n), LIMN_OK);
    assert_int_equal(n, 0);
    assert_int_equal(limn_class_names_read(ctx, arena, "C:\\data\n\nthird", &names, &n),
                     LIMN_OK); /* older versions wrote names as they are */
    assert_int_equal(n, 3);
    assert_string_equal(names[0], "C:\\data");
    assert_string_equal(names[1], "");
    assert_string_equal(names[2], "third");
    limn_text_free(&text);
    limn_arena_free(arena);
    limn_ctx_free(ctx);
}

static char said[1024];

static void keep(void *user, limn_log_level level, const char *line)
{
    (void)user, (void)level;
    snprintf(said, sizeof said, "%s", line);
}

static void a_word_is_a_name_before_it_is_a_number(void **state)
{
    (void)state;
    static const char *const ones[] = {"1", "2", "3"}, *const tens[] = {"10", "20", "30"},
                             *const odd[] = {"@1", "-1", "", "01", "caf\xc3\xa9"};
    static const struct { const char *const *names; int n, most; const char *word; int class, number;
    } rows[] = {
        {ones, 3, 3, "1", 0, 1},
        {ones, 3, 3, "2", 1, 2},
        {ones, 3, 3, "3", 2, 3},
        {ones, 3, 3, "0", 0, 0},
        {ones, 3, 3, "@1", 1, -1},
        {ones, 3, 3, "@3", 3, -1},
        {ones, 3, 3, "4", -1, -1},
        {ones, 3, 3, "@4", -1, -1},
        {tens, 3, 3, "10", 0, -1},
        {tens, 3, 3, "30", 2, -1},
        {tens, 3, 3, "2", 2, 2},
        {tens, 3, 3, "3", 3, 3},
        {odd, 5, 9, "@1", 0, -1},
        {odd, 5, 9, "-1", 1, -1},
        {odd, 5, 9, "", 2, -1},
        {odd, 5, 9, "01", 3, 1},
        {odd, 5, 9, "1", 1, 1},
        {odd, 5, 9, "cafe\xcc\x81", 4, -1},
        {odd, 5, 9, "7", 7, 7},
        {odd, 5, 9, "x", -1, -1},
        {odd, 5, 9, "1 ", -1, -1},
        {odd, 5, 9, "+1", -1, -1},
        {odd, 5, 9, "99999999999999999999", -1, -1},
        {NULL, 0, 1000, "207", 207, 207},
        {NULL, 0, 1000, "1000", 1000, 1000},
        {NULL, 0, 1000, "1001", -1, -1},
    };
    limn_ctx *ctx = limn_ctx_new();
    limn_ctx_set_log(ctx, keep, NULL);
    for (int i = 0; i < COUNT(rows); i++) {
        limn_class_word found = limn_class_find(rows[i].names, rows[i].n, rows[i].most, rows[i].word);
        if (found.class != rows[i].class || found.number != rows[i].number)
            fail_msg("row %d \"%s\": %d %d", i, rows[i].word, found.class, found.number);
        said[0] = '\0';
        limn_class_tell(ctx, "--class", rows[i].word, found);
        assert_int_equal(said[0] != '\0', rows[i].number >= 0 && rows[i].number != rows[i].class);
    }
    limn_class_tell(ctx, "--class", "2", limn_class_find(ones, 3, 3, "2"));
    assert_string_equal(said,
                        "--class 2: the class that was named \"2\" in training, its number is 1; @2 is the class number 2");
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_name_comes_back_in_its_place),
        cmocka_unit_test(a_word_is_a_name_before_it_is_a_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
