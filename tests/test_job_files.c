/* test_job_files.c: what a job reads and writes is told apart by its files; a file that is replaced keeps what it was to the
 * system. */
#include "file/bytes.h"
#include "file/job_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static limn_ctx *ctx;
static char folder[] = "/tmp/limn-files-XXXXXX";

static int begin(void **state)
{
    (void)state;
    ctx = limn_ctx_new();
    return ctx && mkdtemp(folder) && chmod(folder, 0777) == 0 && chdir(folder) == 0 ? 0 : -1;
}

static int end(void **state)
{
    char command[64];
    (void)state;
    limn_ctx_free(ctx);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return chdir("/") == 0 ? system(command) : -1;
}

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0 && fclose(file) == 0);
}

static void holds(const char *path, const char *text)
{
    unsigned char *bytes;
    size_t n;
    assert_int_equal(limn_file_read(ctx, path, 1000, &bytes, &n), LIMN_OK);
    assert_string_equal((char *)bytes, text);
    free(bytes);
}

static limn_status save(const char *path, const char *text)
{
    limn_writer writer;
    limn_status status = limn_file_create(ctx, path, &writer);
    if (status != LIMN_OK) return status;
    limn_file_write(&writer, text, strlen(text));
    return limn_file_commit(&writer);
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode & 0777;
}

/* ---- one file, many names --------------------------------------------------------------------------------------------- */

static limn_status reads_and_writes(const char *read, const char *written)
{
    limn_job_files files = {0};
    limn_job_reads(&files, "the picture", "other.png");
    limn_job_reads(&files, "the truth", read);
    limn_job_writes(&files, "fresh/result.png");
    limn_job_writes(&files, written);
    return limn_job_files_check(ctx, &files);
}

static limn_status writes_both(const char *a, const char *b)
{
    limn_job_files files = {0};
    limn_job_writes(&files, a);
    limn_job_writes(&files, b);
    return limn_job_files_check(ctx, &files);
}

static void a_result_is_never_what_the_job_reads_however_it_is_spelt(void **state)
{
    (void)state;
    char whole[128];
    put("a.png", "a"), put("other.png", "o"), put("b.png", "b");
    assert_int_equal(mkdir("sub", 0777), 0);
    assert_int_equal(symlink("a.png", "soft.png"), 0);
    assert_int_equal(symlink("../soft.png", "sub/softer.png"), 0);
    assert_int_equal(link("a.png", "sub/hard.png"), 0);
    assert_int_equal(symlink(".", "here"), 0);
    snprintf(whole, sizeof whole, "%s/a.png", folder);
    const char *const names[] = {"a.png",          "./a.png",      ".//a.png",   "sub/../a.png", "soft.png",
                                 "sub/softer.png", "sub/hard.png", "here/a.png", whole};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
            assert_int_equal(reads_and_writes(names[i], names[k]), LIMN_BAD_ARGUMENT);
            assert_non_null(strstr(limn_error_text(ctx), "the result would overwrite the truth"));
            assert_ptr_equal(strstr(limn_error_text(ctx), names[k]), limn_error_text(ctx));
            assert_int_equal(writes_both(names[i], names[k]), LIMN_BAD_ARGUMENT);
        }
    assert_int_equal(reads_and_writes("a.png", "b.png"), LIMN_OK);
    assert_int_equal(reads_and_writes("a.png", "sub/a.png"), LIMN_OK);
    assert_int_equal(reads_and_writes("none.png", "none.png"), LIMN_OK);
}

static void two_results_are_never_one_file_that_is_not_there_yet(void **state)
{
    (void)state;
    char whole[128];
    assert_int_equal(symlink("to-be.png", "dangling.png"), 0);
    assert_int_equal(symlink("sub", "way"), 0);
    snprintf(whole, sizeof whole, "%s//sub/m.png", folder);
    static const char *const rows[][2] = {{"m.png", "m.png"},
                                          {"m.png", "./m.png"},
                                          {"m.png", "sub/../m.png"},
                                          {"m.png", ".//./m.png"},
                                          {"sub/m.png", "way/m.png"},
                                          {"to-be.png", "dangling.png"},
                                          {"new/folder/m.png", "./new//folder/./m.png"},
                                          {"way/new/m.png", "sub/new/m.png"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(writes_both(rows[i][0], rows[i][1]), LIMN_BAD_ARGUMENT);
        assert_non_null(strstr(limn_error_text(ctx), "is named for two results"));
    }
    assert_int_equal(writes_both("sub/m.png", whole), LIMN_BAD_ARGUMENT);
    assert_int_equal(writes_both("m.png", "m2.png"), LIMN_OK);
    assert_int_equal(writes_both("m.png", "sub/m.png"), LIMN_OK);
    assert_int_equal(writes_both("new/m.png", "m.png"), LIMN_OK);
    assert_int_equal(writes_both("/dev/null", "/dev/null"), LIMN_OK);
    assert_int_equal(writes_both("/dev/stdout", "/dev/stdout"), LIMN_BAD_ARGUMENT);
}

static void of_many_the_first_that_is_wrong_is_told(void **state)
{
    (void)state;
    limn_job_files files = {0};
    char name[32];
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "many-%d.png", i % 1500);
        limn_job_writes(&files, name);
    }
    assert_int_equal(limn_job_files_check(ctx, &files), LIMN_BAD_ARGUMENT);
    assert_string_equal(limn_error_text(ctx), "many-0.png is named for two results");
    assert_true(!files.file && !files.n);
}

/* ---- what a file that is replaced keeps ------------------------------------------------------------------------------- */

static void a_file_keeps_its_permissions_and_a_new_one_obeys_the_umask(void **state)
{
    (void)state;
    static const mode_t modes[] = {0600, 0640, 0644, 0666, 0755, 0400};
    mode_t before = umask(027);
    for (size_t i = 0; i < sizeof modes / sizeof *modes - (geteuid() != 0); i++) {
        put("kept", "old");
        assert_int_equal(chmod("kept", modes[i]), 0);
        assert_int_equal(save("kept", "new"), LIMN_OK);
        holds("kept", "new");
        assert_int_equal(mode_of("kept"), modes[i]);
    }
    assert_int_equal(save("fresh", "new"), LIMN_OK);
    assert_int_equal(mode_of("fresh"), 0640);
    put(".left.partial", "longer than what comes"); /* of a process that was killed */
    assert_int_equal(chmod(".left.partial", 0600), 0);
    assert_int_equal(save("left", "new"), LIMN_OK);
    holds("left", "new");
    assert_int_equal(mode_of("left"), 0640);
    umask(before);
}

/* Nobody may read in the partial file what they may not read in the file. */
static void a_partial_file_is_as_private_as_the_file(void **state)
{
    (void)state;
    limn_writer writer;
    put("secret", "old");
    assert_int_equal(chmod("secret", 0600), 0);
    assert_int_equal(limn_file_create(ctx, "secret", &writer), LIMN_OK);
    assert_int_equal(mode_of(".secret.partial"), 0600);
    limn_file_discard(&writer);
    holds("secret", "old");
}

static void a_link_stays_and_what_it_names_is_replaced_or_made(void **state)
{
    (void)state;
    struct stat st;
    put("sub/behind", "old");
    assert_int_equal(symlink("sub/behind", "pointer"), 0);
    assert_int_equal(symlink("sub/to-come", "hope"), 0);
    assert_int_equal(save("pointer", "new"), LIMN_OK);
    assert_int_equal(save("hope", "made"), LIMN_OK);
    holds("sub/behind", "new");
    holds("sub/to-come", "made");
    assert_true(lstat("pointer", &st) == 0 && S_ISLNK(st.st_mode) && lstat("hope", &st) == 0 && S_ISLNK(st.st_mode));
    assert_int_equal(symlink("circle", "circle"), 0);
    assert_int_equal(save("circle", "x"), LIMN_BAD_ARGUMENT);
}

static int write_protected(void)
{
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) return 2;
    limn_status status = save("protected", "new");
    return status == LIMN_IO && strstr(limn_error_text(ctx), "cannot write over it: Permission denied") ? 0 : 1;
}

/* As with any program that opens it: the folder alone would allow it. */
static void a_file_that_may_not_be_written_is_not_replaced(void **state)
{
    (void)state;
    int status;
    put("protected", "old");
    assert_int_equal(chmod("protected", 0444), 0);
    pid_t child = fork();
    if (child == 0) _exit(write_protected());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    holds("protected", "old");
}

static void the_owner_stays_where_we_may_give_files_away(void **state)
{
    (void)state;
    struct stat st;
    if (geteuid() != 0) skip();
    put("theirs", "old");
    assert_true(chown("theirs", 65534, 65534) == 0 && chmod("theirs", 0640) == 0);
    assert_int_equal(save("theirs", "new"), LIMN_OK);
    assert_true(stat("theirs", &st) == 0 && st.st_uid == 65534 && st.st_gid == 65534 && (st.st_mode & 0777) == 0640);
}

/* A descriptor goes on where it stands: what was written to it before stays. */
static void a_descriptor_is_written_from_where_it_stands(void **state)
{
    (void)state;
    char name[32];
    int fd = open("through", O_WRONLY | O_CREAT | O_TRUNC, 0666);
    assert_true(fd >= 0 && write(fd, "head ", 5) == 5);
    snprintf(name, sizeof name, "/dev/fd/%d", fd);
    assert_int_equal(limn_file_descriptor(name), fd);
    assert_int_equal(save(name, "middle "), LIMN_OK);
    assert_int_equal(save(name, "end"), LIMN_OK);
    close(fd);
    holds("through", "head middle end");
    assert_int_equal(save("/dev/fd/987", "x"), LIMN_IO);
    assert_int_equal(limn_file_descriptor("/dev/fd/x"), -1);
    assert_int_equal(limn_file_descriptor("/dev/fd/"), -1);
    assert_int_equal(limn_file_descriptor("/dev/stdout"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_result_is_never_what_the_job_reads_however_it_is_spelt),
        cmocka_unit_test(two_results_are_never_one_file_that_is_not_there_yet),
        cmocka_unit_test(of_many_the_first_that_is_wrong_is_told),
        cmocka_unit_test(a_file_keeps_its_permissions_and_a_new_one_obeys_the_umask),
        cmocka_unit_test(a_partial_file_is_as_private_as_the_file),
        cmocka_unit_test(a_link_stays_and_what_it_names_is_replaced_or_made),
        cmocka_unit_test(a_file_that_may_not_be_written_is_not_replaced),
        cmocka_unit_test(the_owner_stays_where_we_may_give_files_away),
        cmocka_unit_test(a_descriptor_is_written_from_where_it_stands),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
