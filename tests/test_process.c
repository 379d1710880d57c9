/* test_process.c: the edges of a process: descriptors that are closed when it starts, signals, pipes that nobody reads,
 * small stacks. */
#include "file/image.h"
#include "make_folder.h"

#include <fcntl.h>
#include <setjmp.h>
#include <dirent.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#define LIMN "OMP_WAIT_POLICY=passive exec " LIMN_BINARY_DIR "/limn "
#define UNET "train unet --data $D/data --set 'size=16 levels=2 width=4' -b 2 "
#define DIT "train dit --data shapes --set 'size=8 channels=3 patch=4 width=16 depth=1 heads=2 mlp=16' -b 2 "

static pid_t start(const char *redirected, const char *command)
{
    pid_t child = fork();
    if (child == 0) {
        char line[1024];
        snprintf(line, sizeof line, "D=%s; exec %s; %s", folder, redirected, command);
        signal(SIGINT, SIG_DFL), signal(SIGHUP, SIG_DFL), signal(SIGPIPE, SIG_DFL); /* whatever we were started with */
        execl("/bin/sh", "sh", "-c", line, (char *)NULL);
        _exit(127);
    }
    assert_true(child > 0);
    return child;
}

/* As a shell shows it. */
static int code_of(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int limn(const char *redirected, const char *command)
{
    return code_of(start(redirected, command));
}

static char *slurp(const char *name)
{
    static char text[1 << 16];
    FILE *file = fopen(in(name), "r");
    size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;
    text[n] = '\0';
    if (file) fclose(file);
    return text;
}

static bool there(const char *name)
{
    return access(in(name), F_OK) == 0;
}

static long last_step(const char *name)
{
    char *text = slurp(name), *end = strrchr(text, '\n');
    while (end && end > text && end[-1] != '\n') end--;
    if (end) *strrchr(text, '\n') = '\0';
    return end ? strtol(end, NULL, 10) : 0;
}

/* Six pictures of 16x16 and masks of 0 and 255. */
static int make_data(void **state)
{
    limn_ctx *ctx = *state = limn_ctx_new();
    if (!ctx || !make_folder(ctx, "process")) return -1;
    mkdir(in("data"), 0777), mkdir(in("data/images"), 0777), mkdir(in("data/masks"), 0777);
    for (int i = 0; i < 6; i++) {
        char picture[32], mask[32];
        uint8_t pixels[16 * 16], labels[16 * 16];
        snprintf(picture, sizeof picture, "data/images/%d.png", i), snprintf(mask, sizeof mask, "data/masks/%d.png", i);
        for (int k = 0; k < 16 * 16; k++) pixels[k] = (uint8_t)(k * (i + 3)), labels[k] = k % 16 < 8 + i % 2 ? 0 : 255;
        if (limn_png_write(ctx, in(picture), &(limn_image){16, 16, 1, pixels}, NULL) != LIMN_OK) return -1;
        if (limn_png_write(ctx, in(mask), &(limn_image){16, 16, 1, labels}, NULL) != LIMN_OK) return -1;
    }
    return 0;
}

static int remove_data(void **state)
{
    limn_ctx_free(*state);
    return remove_folder();
}

/* ---- descriptors ------------------------------------------------------------------------------------------------------ */

/* Every line has as many commas as the first. */
static void is_table(const char *name)
{
    int commas = -1, n = 0;
    char *text = slurp(name);
    assert_true(*text);
    for (char *p = text; *p; p++) {
        n += *p == ',';
        if (*p != '\n') continue;
        if (commas >= 0 && n != commas) fail_msg("%s:\n%s", name, text);
        commas = n, n = 0;
    }
}

static void messages_do_not_land_in_files(void **state)
{
    (void)state;
    assert_int_equal(limn("<&- >&- 2>&-", LIMN UNET "--out $D/all --steps 4 --log-every 2 --sample-every 4 --hold-out 0..1"),
                     0);
    is_table("all/held_out.csv");
    is_table("all/log.csv");
    assert_int_equal(limn(">&- 2>&-", LIMN UNET "--out $D/two --steps 4 --log-every 2"), 0);
    is_table("two/log.csv");
    assert_int_equal(limn("2>&-", LIMN UNET "--out $D/one --steps 4 --log-every 2"), 0);
    char *lock = slurp("one/.lock");
    assert_int_equal(strspn(lock, "0123456789"), strlen(lock) - 1);
    assert_int_equal(limn("<&- >&- 2>&-", LIMN "generate -m $D/no-such-model -o $D/x.png"), 2);
    assert_false(there("x.png"));
}

/* ---- signals ---------------------------------------------------------------------------------------------------------- */

static void snooze(long milliseconds)
{
    nanosleep(&(struct timespec){.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000}, NULL);
}

static pid_t train_with(const char *environment, const char *redirected, const char *out)
{
    char command[512], log[64];
    snprintf(command, sizeof command, "%s exec " LIMN_BINARY_DIR "/limn " DIT "--steps 100000000 --log-every 1 --out $D/%s",
             environment, out);
    snprintf(log, sizeof log, "%s/log.csv", out);
    pid_t child = start(redirected, command);
    for (int i = 0; i < 2000 && last_step(log) < 3; i++) snooze(10);
    assert_true(last_step(log) >= 3);
    return child;
}

static pid_t train_until_step_3(const char *redirected, const char *out)
{
    return train_with("OMP_WAIT_POLICY=passive", redirected, out);
}

/* What a process was started with, a blank before each: " A=1 B=2". */
static const char *environment_of(pid_t child)
{
    static char text[1 << 16];
    snprintf(text, sizeof text, "/proc/%d/environ", (int)child);
    FILE *file = fopen(text, "r");
    assert_non_null(file);
    size_t n = fread(text + 1, 1, sizeof text - 2, file);
    fclose(file);
    for (size_t i = 0; i <= n; i++)
        if (i == 0 || !text[i]) text[i] = ' ';
    text[n + 1] = '\0';
    return text;
}

/* Two jobs on the same cores are as fast as one after the other, unless somebody wants it otherwise. */
static void waiting_threads_do_not_spin_for_long(void **state)
{
    (void)state;
    static const struct {
        const char *given, *spins;
    } rows[] = {{"unset OMP_WAIT_POLICY GOMP_SPINCOUNT;", " GOMP_SPINCOUNT=2000 "},
                {"unset OMP_WAIT_POLICY; GOMP_SPINCOUNT=5", " GOMP_SPINCOUNT=5 "},
                {"unset GOMP_SPINCOUNT; OMP_WAIT_POLICY=passive", NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        pid_t child = train_with(rows[i].given, "2>$D/err", "spin");
        const char *environment = environment_of(child);
        const char *found = strstr(environment, rows[i].spins ? rows[i].spins : " GOMP_SPINCOUNT=");
        if (!found != !rows[i].spins) fail_msg("%s:%s", rows[i].given, environment);
        kill(child, SIGTERM);
        assert_int_equal(code_of(child), 143);
        assert_int_equal(unlink(in("spin/log.csv")), 0);
    }
}

static void every_signal_saves(void **state)
{
    (void)state;
    static const struct {
        int number, times, code;
    } rows[] = {{SIGHUP, 1, 129}, {SIGHUP, 2, 129}, {SIGTERM, 2, 143}, {SIGINT, 1, 130}, {SIGINT, 2, 130}, {SIGUSR1, 1, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        pid_t child = train_until_step_3("2>$D/err", "signal");
        for (int k = 0; k < rows[i].times; k++)
            kill(child, rows[i].number); /* a shell and the terminal send it, both at once */
        int code = code_of(child);
        if (code != rows[i].code)
            fail_msg("signal %d: code %d, expected %d: %s", rows[i].number, code, rows[i].code, slurp("err"));
        assert_non_null(strstr(slurp("err"), "saved; the same command with --resume goes on"));
        assert_true(there("signal/checkpoint.safetensors"));
        long step = last_step("signal/log.csv");
        assert_int_equal(
            limn("2>$D/err", LIMN DIT "--steps 100000000 --log-every 1 --out $D/signal --resume --minutes 1e-9"), 0);
        assert_int_equal(last_step("signal/log.csv"), step + 1);
        assert_int_equal(unlink(in("signal/log.csv")), 0);
    }
}

/* Ctrl-C while pictures are drawn: nothing partial is left, and what had the name before stays. */
static void an_interrupted_picture_leaves_no_file(void **state)
{
    (void)state;
    static const char *const names[] = {"stopped.png", "stopped-0.png"};
    assert_int_equal(limn("2>$D/err >$D/out", LIMN DIT "--steps 1 --out $D/quick"), 0);
    FILE *file = fopen(in(names[1]), "w");
    assert_true(file && fputs("before", file) >= 0 && fclose(file) == 0);
    pid_t child = start("2>$D/err >$D/out", LIMN "generate -m $D/quick --steps 1000 -b 60000 -o $D/stopped.png");
    snooze(500);
    kill(child, SIGINT);
    assert_int_equal(code_of(child), 130);
    assert_false(there(names[0]));
    assert_string_equal(slurp(names[1]), "before");
    DIR *all = opendir(folder);
    int n = 0;
    for (struct dirent *e; (e = readdir(all));) n += strstr(e->d_name, "stopped") != NULL; /* partial files too */
    closedir(all);
    assert_int_equal(n, 1);
    assert_int_equal(unlink(in(names[1])), 0);
}

/* nohup */
static void what_is_ignored_stays_ignored(void **state)
{
    (void)state;
    pid_t child = start("2>$D/err", "trap '' HUP; " LIMN DIT "--steps 100000000 --log-every 1 --out $D/nohup");
    for (int i = 0; i < 2000 && last_step("nohup/log.csv") < 3; i++) snooze(10);
    kill(child, SIGHUP);
    long step = last_step("nohup/log.csv");
    for (int i = 0; i < 2000 && last_step("nohup/log.csv") < step + 20; i++) snooze(10);
    assert_true(last_step("nohup/log.csv") >= step + 20);
    kill(child, SIGTERM);
    assert_int_equal(code_of(child), 143);
}

/* ---- pipes ------------------------------------------------------------------------------------------------------------ */

/* fd of a pipe whose reader is gone */
static void break_pipe(void)
{
    int fd[2];
    assert_int_equal(pipe(fd), 0);
    assert_int_equal(dup2(fd[1], 9), 9);
    close(fd[0]), close(fd[1]);
}

static void a_training_goes_on_when_nobody_reads(void **state)
{
    (void)state;
    break_pipe();
    assert_int_equal(limn(">&9 2>&9", LIMN DIT "--steps 30 --log-every 1 --out $D/pipe"), 0);
    assert_int_equal(last_step("pipe/log.csv"), 30);
    assert_true(there("pipe/checkpoint.safetensors"));
    assert_int_equal(limn(">$D/out 2>&9", LIMN DIT "--steps 30 --log-every 1 --out $D/pipe2"), 0);
    char *text = slurp("out"), *end = strchr(text, '\n');
    assert_non_null(strstr(text, "can no longer be written to stderr (Broken pipe); training goes on"));
    assert_true(end && !end[1]);
    assert_int_equal(limn(">&9 2>&9", LIMN DIT "--steps 30 --lr x --out $D/pipe2"), 2);
    close(9);
}

static void other_verbs_end_quietly_when_nobody_reads(void **state)
{
    (void)state;
    break_pipe();
    static const char *const commands[] = {LIMN "describe dit", LIMN "describe dit --json", LIMN "describe", LIMN "--help"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        assert_int_equal(limn(">&9 2>$D/err", commands[i]), 128 + SIGPIPE);
        assert_string_equal(slurp("err"), "");
    }
    assert_int_equal(limn(">&9 2>$D/err", "trap '' PIPE; " LIMN "describe dit"), 1); /* asked not to be ended by it */
    assert_non_null(strstr(slurp("err"), "stdout: cannot write"));
    close(9);
}

/* ---- stacks ----------------------------------------------------------------------------------------------------------- */

#define SMALL "ulimit -s 256; export OMP_STACKSIZE=64k; "

static void small_stacks_are_enough(void **state)
{
    (void)state;
#ifdef __SANITIZE_ADDRESS__
    skip(); /* guards between locals need more */
#endif
    assert_int_equal(
        limn("2>$D/err", SMALL LIMN UNET "--out $D/s1 --steps 2 --sample-every 2 --hold-out 0..1 --precision f32"), 0);
    assert_int_equal(limn("2>$D/err", SMALL LIMN UNET "--out $D/s1 --steps 2 --sample-every 2 --hold-out 0..1"), 0);
    assert_int_equal(
        limn("2>$D/err >$D/out", SMALL LIMN "segment -m $D/s1 $D/data/images/0.png -o $D/m.png --truth $D/data/masks/0.png"),
        0);
    assert_int_equal(limn("2>$D/err", SMALL LIMN DIT "--out $D/s2 --steps 2 --sample-every 2"), 0);
    assert_int_equal(limn("2>$D/err >$D/out", SMALL LIMN "generate -m $D/s2 -o $D/g.png --steps 2"), 0);
    assert_true(there("g.png"));
    assert_int_equal(limn("2>$D/err", SMALL LIMN "train tae --data $D/data/images --set size=16 -b 2 --out $D/s3 --steps 2"),
                     0);
    assert_int_equal(limn("2>$D/err >$D/out", SMALL LIMN "encode -m $D/s3 $D/g.png -o $D/g.safetensors"), 0);
    assert_int_equal(limn("2>$D/err >$D/out", SMALL LIMN "inspect $D/s2"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_do_not_land_in_files),
        cmocka_unit_test(waiting_threads_do_not_spin_for_long),
        cmocka_unit_test(every_signal_saves),
        cmocka_unit_test(an_interrupted_picture_leaves_no_file),
        cmocka_unit_test(what_is_ignored_stays_ignored),
        cmocka_unit_test(a_training_goes_on_when_nobody_reads),
        cmocka_unit_test(other_verbs_end_quietly_when_nobody_reads),
        cmocka_unit_test(small_stacks_are_enough),
    };
    return cmocka_run_group_tests(tests, make_data, remove_data);
}
