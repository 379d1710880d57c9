/* test_faults.c: disks that fail, fill and forbid; processes that die at any moment; two that want the same file. */
#include "file/bytes.h"
#include "file/lock.h"
#include "file/safetensors.h"
#include "file/weight_file.h"
#include "limn/train.h"

#include <setjmp.h>
#include <stdarg.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

/* ---- system calls that fail on demand (see CMakeLists.txt) ------------------------------------------------------------ */

enum { DIES = -1, SHORT = -2, INTERRUPTED = -3, INTERRUPTED_AFTER = -4 };
static struct {
    int at, what, n; /* call number `at` (1 ...) fails with errno `what`, or is a short write, or kills the process, or a
                        signal comes before or after it */
    int synced;      /* calls of fsync */
    bool after_rename;
} fault;

static bool fails(void)
{
    if (!fault.at || ++fault.n != fault.at) return false;
    if (fault.what == DIES) raise(SIGKILL);
    if (fault.what == INTERRUPTED) raise(SIGTERM);
    if (fault.what == SHORT || fault.what <= INTERRUPTED) return false;
    errno = fault.what;
    return true;
}

/* What a call gave, after the signal that comes behind it. */
static ssize_t after(ssize_t result)
{
    if (fault.at && fault.n == fault.at && fault.what == INTERRUPTED_AFTER) raise(SIGTERM);
    return result;
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    int mode = flags & O_CREAT ? va_arg(args, int) : 0;
    va_end(args);
    return fails() ? -1 : (int)after(__real_open(path, flags, mode));
}

ssize_t __real_write(int fd, const void *bytes, size_t n);
ssize_t __wrap_write(int fd, const void *bytes, size_t n);
ssize_t __wrap_write(int fd, const void *bytes, size_t n)
{
    if (fails()) return -1;
    bool cut = fault.at && fault.n == fault.at && fault.what == SHORT;
    return after(__real_write(fd, bytes, cut ? (n + 1) / 2 : n));
}

ssize_t __real_pwrite(int fd, const void *bytes, size_t n, off_t at);
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t n, off_t at);
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t n, off_t at)
{
    if (fails()) return -1;
    bool cut = fault.at && fault.n == fault.at && fault.what == SHORT;
    return after(__real_pwrite(fd, bytes, cut ? (n + 1) / 2 : n, at));
}

int __real_ftruncate(int fd, off_t n);
int __wrap_ftruncate(int fd, off_t n);
int __wrap_ftruncate(int fd, off_t n)
{
    return fails() ? -1 : (int)after(__real_ftruncate(fd, n));
}

/* Counted, not done: what these tests kill is a process, never the machine, and a disk under load takes its time. */
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    (void)fd;
    fault.synced++;
    return fails() ? -1 : (int)after(0);
}

int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to)
{
    if (fails()) return -1;
    int code = __real_rename(from, to);
    fault.after_rename |= code == 0;
    return (int)after(code);
}

/* ---- helpers ---------------------------------------------------------------------------------------------------------- */

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

/* A new empty folder of this name. */
static void fresh(const char *folder)
{
    char path[4096];
    DIR *dir = opendir(folder);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        unlink(path);
    }
    if (dir) closedir(dir);
    mkdir(folder, 0777);
}

static int n_files(const char *folder)
{
    int n = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));) n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(dir);
    return n;
}

/* A file of 40 kB whose every value is `value`. */
static limn_status save(const char *path, float value)
{
    static float data[10000];
    for (int i = 0; i < 10000; i++) data[i] = value;
    const limn_named_view view = {"x", {LIMN_F32, {1, {10000}}, data}};
    return limn_safetensors_write(ctx, path, 1, &view, 0, NULL);
}

/* The value of a whole file. */
static float value_in(const char *path)
{
    static float data[10000];
    limn_weight_file *st;
    bool known = false;
    if (limn_weight_file_open(ctx, path, &st) != LIMN_OK || limn_weight_file_check(ctx, st, &known) != LIMN_OK)
        fail_msg("%s", limn_error_text(ctx));
    assert_true(known);
    assert_int_equal(limn_weight_file_load(ctx, st, limn_weight_file_find(st, "x"), data, LIMN_F32), LIMN_OK);
    limn_weight_file_close(st);
    for (int i = 1; i < 10000; i++) assert_true(data[i] == data[0]);
    return data[0];
}

/* Exit code of what a child does, or minus the signal that ended it. */
static int in_child(int (*run)(void *), void *user)
{
    int code;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) _exit(run(user));
    assert_int_equal(waitpid(child, &code, 0), child);
    return WIFEXITED(code) ? WEXITSTATUS(code) : -WTERMSIG(code);
}

/* ---- one save --------------------------------------------------------------------------------------------------------- */

static void a_save_syncs_the_file_and_its_folder(void **state)
{
    (void)state;
    fresh("faults");
    fault.synced = 0;
    assert_int_equal(save("faults/x.safetensors", 1), LIMN_OK);
    assert_int_equal(fault.synced, 2);
}

static void a_save_survives_the_failure_of_each_system_call(void **state)
{
    (void)state;
    static const int faults[] = {EIO, ENOSPC, EDQUOT, EROFS, EINTR, SHORT};
    int n_faults = 0;
    for (size_t f = 0; f < sizeof faults / sizeof *faults; f++)
        for (int i = 1, reached = 1; reached; i++) {
            fresh("faults");
            assert_int_equal(save("faults/x.safetensors", 1), LIMN_OK);
            memset(&fault, 0, sizeof fault);
            fault.at = i, fault.what = faults[f];
            limn_status status = save("faults/x.safetensors", 2);
            reached = fault.n >= i;
            bool renamed = fault.after_rename;
            fault.at = 0;
            if (!reached || faults[f] == SHORT) assert_int_equal(status, LIMN_OK);
            else if (status != LIMN_OK) assert_true(status == LIMN_IO && strstr(limn_error_text(ctx), "x.safetensors: "));
            else
                assert_true(renamed || faults[f] == EINTR); /* nothing is lost when a folder cannot be opened to be synced */
            assert_true(value_in("faults/x.safetensors") == (renamed ? 2 : 1));
            assert_int_equal(n_files("faults"), 1);
            n_faults += reached;
        }
    print_message("%d faults in one save\n", n_faults);
    assert_true(n_faults >= 50);
}

static int die_in_a_save(void *user)
{
    memset(&fault, 0, sizeof fault);
    fault.at = *(int *)user, fault.what = DIES;
    return save("faults/x.safetensors", 2) == LIMN_OK ? 0 : 1;
}

static void a_process_killed_at_any_call_of_a_save_leaves_the_old_file_or_the_new(void **state)
{
    (void)state;
    int code = -SIGKILL, i = 1, old = 0;
    for (; code == -SIGKILL; i++) {
        fresh("faults");
        assert_int_equal(save("faults/x.safetensors", 1), LIMN_OK);
        code = in_child(die_in_a_save, &i);
        float value = value_in("faults/x.safetensors");
        assert_true(value == 1 || value == 2);
        old += value == 1;
        assert_int_equal(save("faults/x.safetensors", 3), LIMN_OK); /* over what the dead one left */
        assert_true(value_in("faults/x.safetensors") == 3);
        assert_int_equal(n_files("faults"), 1);
    }
    assert_int_equal(code, 0);
    assert_true(i > 8 && old > 4);
}

static void end_by(int number)
{
    limn_ctx_abandon(ctx);
    signal(number, SIG_DFL);
    raise(number);
}

static int be_interrupted_in_a_save(void *user)
{
    ctx = limn_ctx_new(); /* the parent's may be writing */
    memset(&fault, 0, sizeof fault);
    fault.at = ((int *)user)[0], fault.what = ((int *)user)[1];
    signal(SIGTERM, end_by);
    return save("faults/x.safetensors", 2) == LIMN_OK ? 0 : 1;
}

/* Before and behind every call, the opening of the partial file included. */
static void a_signal_at_any_call_of_a_save_leaves_no_partial_file(void **state)
{
    (void)state;
    int signals = 0;
    for (int what = INTERRUPTED; what >= INTERRUPTED_AFTER; what--)
        for (int i = 1, code = -SIGTERM; code == -SIGTERM; i++) {
            fresh("faults");
            assert_int_equal(save("faults/x.safetensors", 1), LIMN_OK);
            code = in_child(be_interrupted_in_a_save, (int[]){i, what});
            float value = value_in("faults/x.safetensors");
            assert_true(code == -SIGTERM ? value == 1 || value == 2 : code == 0 && value == 2);
            if (n_files("faults") != 1)
                fail_msg("a signal %s call %d left a partial file", what == INTERRUPTED ? "before" : "behind", i);
            signals += code == -SIGTERM;
        }
    print_message("%d signals\n", signals);
    assert_true(signals >= 16);
}

/* A writer that the signal's handler does not own: another process has the lock, and its partial file stays. */
static void a_signal_leaves_the_partial_file_of_another_process(void **state)
{
    (void)state;
    limn_writer first;
    fresh("faults");
    assert_int_equal(limn_file_create(ctx, "faults/x.safetensors", &first), LIMN_OK);
    assert_int_equal(in_child(be_interrupted_in_a_save, (int[]){1, INTERRUPTED_AFTER}),
                     -SIGTERM); /* opened, and no lock yet */
    assert_int_equal(access("faults/.x.safetensors.partial", F_OK), 0);
    limn_file_discard(&first);
    assert_int_equal(n_files("faults"), 0);
}

/* A pipe under the name of the partial file is somebody's: it stays, and the sentence says that it is there. */
static void what_is_no_file_is_not_written_over(void **state)
{
    (void)state;
    fresh("faults");
    assert_int_equal(mkfifo("faults/.x.safetensors.partial", 0600), 0);
    assert_int_equal(save("faults/x.safetensors", 1), LIMN_IO);
    assert_non_null(strstr(limn_error_text(ctx), strerror(EEXIST)));
    assert_int_equal(n_files("faults"), 1);
    assert_int_equal(unlink("faults/.x.safetensors.partial"), 0);
}

static int save_under_a_limit(void *user)
{
    (void)user;
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){20000, 20000});
    return save("faults/x.safetensors", 2) == LIMN_IO && strstr(limn_error_text(ctx), strerror(EFBIG)) ? 0 : 1;
}

static void a_limit_on_the_size_of_files_is_an_error_not_a_signal(void **state)
{
    (void)state;
    fresh("faults");
    assert_int_equal(save("faults/x.safetensors", 1), LIMN_OK);
    assert_int_equal(in_child(save_under_a_limit, NULL), 0);
    assert_true(value_in("faults/x.safetensors") == 1);
    assert_int_equal(n_files("faults"), 1);
}

static int save_as_nobody(void *user)
{
    (void)user;
    if (setgid(65534) != 0 || setuid(65534) != 0) return 2;
    limn_status inside = save("readonly/x.safetensors", 2), new = save("readonly/y.safetensors", 2);
    return inside == LIMN_IO &&
                   new == LIMN_IO &&strstr(limn_error_text(ctx), "readonly/y.safetensors: cannot create: Permission denied")
               ? 0
               : 1;
}

static void a_folder_that_may_not_be_written_is_named(void **state)
{
    (void)state;
    if (getuid() != 0) {
        print_message("SKIP: needs root to become nobody\n");
        skip();
    }
    fresh("readonly");
    assert_int_equal(save("readonly/x.safetensors", 1), LIMN_OK);
    chmod("readonly", 0755);
    int code = in_child(save_as_nobody, NULL);
    if (code == 2) {
        print_message("SKIP: cannot become nobody here\n");
        skip();
    }
    assert_int_equal(code, 0);
    assert_true(value_in("readonly/x.safetensors") == 1);
}

static void a_full_disk_keeps_the_old_file_and_no_part_of_the_new(void **state)
{
    (void)state;
    mkdir("tiny", 0777);
    if (mount("tmpfs", "tiny", "tmpfs", 0, "size=65536") != 0) {
        print_message("SKIP: cannot mount a tmpfs: %s\n", strerror(errno));
        skip();
    }
    limn_status first = save("tiny/x.safetensors", 1), second = save("tiny/x.safetensors", 2); /* 40 kB each */
    char text[300];
    snprintf(text, sizeof text, "%s", limn_error_text(ctx));
    float value = first == LIMN_OK ? value_in("tiny/x.safetensors") : 0;
    int n = n_files("tiny");
    umount("tiny");
    assert_int_equal(first, LIMN_OK);
    assert_int_equal(second, LIMN_IO);
    assert_non_null(strstr(text, "tiny/x.safetensors: cannot write: No space left on device"));
    assert_true(value == 1);
    assert_int_equal(n, 1);
}

static void devices_are_written_and_stay_devices(void **state)
{
    (void)state;
    struct stat st;
    assert_int_equal(save("/dev/full", 1), LIMN_IO);
    assert_non_null(strstr(limn_error_text(ctx), "No space left"));
    assert_int_equal(stat("/dev/full", &st), 0);
    assert_true(S_ISCHR(st.st_mode));
    limn_writer w;
    assert_int_equal(limn_file_create(ctx, "/dev/null", &w), LIMN_OK);
    limn_file_write(&w, "x", 1);
    assert_int_equal(limn_file_commit(&w), LIMN_OK);
    assert_int_equal(stat("/dev/null", &st), 0);
    assert_true(S_ISCHR(st.st_mode));
}

static void a_link_is_followed_and_a_folder_is_refused(void **state)
{
    (void)state;
    struct stat st;
    fresh("faults");
    assert_int_equal(save("faults/real.safetensors", 1), LIMN_OK);
    assert_int_equal(symlink("real.safetensors", "faults/link.safetensors"), 0);
    assert_int_equal(save("faults/link.safetensors", 2), LIMN_OK);
    assert_int_equal(lstat("faults/link.safetensors", &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_true(value_in("faults/real.safetensors") == 2);
    assert_int_equal(save("faults", 1), LIMN_IO);
    assert_non_null(strstr(limn_error_text(ctx), "is a folder"));
    assert_int_equal(save("faults/no/such/folder", 1), LIMN_IO);
    assert_int_equal(save("faults/real.safetensors/x", 1), LIMN_IO);
    char *longer = malloc(9000);
    memset(longer, 'x', 8999);
    longer[8999] = '\0';
    assert_int_equal(save(longer, 1), LIMN_BAD_ARGUMENT);
    longer[300] = '\0';
    assert_int_equal(save(longer, 1), LIMN_IO);
    free(longer);
}

static void two_writers_of_one_file_do_not_mix(void **state)
{
    (void)state;
    limn_writer first;
    fresh("faults");
    assert_int_equal(limn_file_create(ctx, "faults/x.safetensors", &first), LIMN_OK);
    assert_int_equal(save("faults/x.safetensors", 2), LIMN_IO);
    assert_non_null(strstr(limn_error_text(ctx), "another process is writing it"));
    limn_file_write(&first, "abc", 3);
    assert_int_equal(limn_file_commit(&first), LIMN_OK);
    assert_int_equal(save("faults/x.safetensors", 2), LIMN_OK);
    assert_true(value_in("faults/x.safetensors") == 2);
}

/* ---- a training ------------------------------------------------------------------------------------------------------- */

#define NET                                                                                                                 \
    "mmdit size=8 channels=3 patch=4 width=16 depth=1 heads=2 mlp=32 time_width=16 conditioning=modulated norm=pre "        \
    "text_encoder=clip "                                                                                                    \
    "text_length=16 text_width=16 text_depth=1 text_heads=2 text_vocab=514"

static limn_train_options options_for(const char *out, int64_t steps, bool resume)
{
    limn_train_options o = limn_train_defaults();
    o.network = NET;
    o.data = "shapes", o.out = out, o.batch = 2, o.steps = steps, o.save_every = 1, o.warmup = 10, o.lr = 2e-3,
    o.resume = resume;
    o.precision = LIMN_PRECISION_F32;
    return o;
}

typedef struct job {
    const char *out;
    int64_t steps;
    bool resume;
    int expected; /* status */
    const char *words;
} job;

/* Every training runs in a child: the parent has no threads, so that it may fork. */
static int train(void *user)
{
    const job *j = user;
    limn_ctx_set_threads(ctx, 1);
    limn_train_options o = options_for(j->out, j->steps, j->resume);
    limn_status status = limn_train(ctx, &o);
    bool good = (int)status == j->expected && (!j->words || strstr(limn_error_text(ctx), j->words));
    if (!good) fprintf(stderr, "%s, status %s: %s\n", j->out, limn_status_name(status), limn_error_text(ctx));
    fflush(stderr);
    return good ? 0 : 1;
}

/* Step of a whole checkpoint, -1 when there is none; a damaged one fails the test. */
static long step_of(const char *path)
{
    limn_weight_file *st;
    bool known = false;
    limn_status status = limn_weight_file_open(ctx, path, &st);
    if (status == LIMN_NOT_FOUND) return -1;
    if (status == LIMN_OK) status = limn_weight_file_check(ctx, st, &known);
    if (status != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    assert_true(known);
    long step = strtol(limn_weight_file_metadata(st, "limn.step"), NULL, 10);
    limn_weight_file_close(st);
    return step;
}

static void same_files(const char *a, const char *b)
{
    unsigned char *x, *y;
    size_t n, m;
    assert_int_equal(limn_file_read(ctx, a, 1 << 30, &x, &n), LIMN_OK);
    assert_int_equal(limn_file_read(ctx, b, 1 << 30, &y, &m), LIMN_OK);
    assert_int_equal(n, m);
    assert_memory_equal(x, y, n);
    free(x);
    free(y);
}

/* Let a training live for some milliseconds.  @return true when it was killed, false when it had ended well */
static bool train_and_kill(job *j, unsigned milliseconds)
{
    int code;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) _exit(train(j));
    nanosleep(&(struct timespec){milliseconds / 1000, milliseconds % 1000 * 1000000L}, NULL);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &code, 0), child);
    if (WIFSIGNALED(code) && WTERMSIG(code) == SIGKILL) return true;
    assert_true(WIFEXITED(code) && WEXITSTATUS(code) == 0);
    return false;
}

static void a_training_killed_at_twenty_moments_ends_with_the_same_bits(void **state)
{
    (void)state;
    enum { STEPS = 160 };
    srand((unsigned)time(NULL));
    fresh("run-straight");
    fresh("run-killed");
    double begin = limn_seconds();
    assert_int_equal(in_child(train, &(job){.out = "run-straight", .steps = STEPS}), 0);
    unsigned most = (unsigned)(120 * (limn_seconds() - begin)) + 20; /* an eighth of the whole, whatever the machine */
    int kills = 0, in_save = 0;
    bool killed = true;
    for (long step = -1; kills < 20 && killed; kills += killed) {
        job j = {.out = "run-killed", .steps = STEPS, .resume = step >= 0};
        killed = train_and_kill(&j, 1 + (unsigned)rand() % most);
        long now = step_of("run-killed/checkpoint.safetensors"), model = step_of("run-killed/model.safetensors");
        assert_true(now >= step && (model <= now || model < 0)); /* never back, never a model of the future */
        in_save += model != now || access("run-killed/.checkpoint.safetensors.partial", F_OK) == 0 ||
                   access("run-killed/.model.safetensors.partial", F_OK) == 0;
        step = now;
    }
    bool resume = step_of("run-killed/checkpoint.safetensors") >= 0;
    assert_int_equal(in_child(train, &(job){.out = "run-killed", .steps = STEPS, .resume = resume}), 0);
    print_message("%d kills, %d of them inside a save\n", kills, in_save);
    assert_true(kills >= 3);
    same_files("run-straight/checkpoint.safetensors", "run-killed/checkpoint.safetensors");
    same_files("run-straight/model.safetensors", "run-killed/model.safetensors");
    assert_int_equal(access("run-killed/.checkpoint.safetensors.partial", F_OK), -1);
}

static void damage(const char *path, size_t at, int what)
{
    int fd = open(path, O_RDWR);
    unsigned char byte;
    struct stat st;
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    if (what == 0) { /* one bit */
        at += (size_t)st.st_size / 2;
        assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
        byte ^= 0x10;
        assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
    } else { /* cut; all zeros */
        assert_int_equal(ftruncate(fd, what == 1 ? st.st_size - 1 : 0), 0);
        if (what == 2) assert_int_equal(ftruncate(fd, st.st_size), 0);
    }
    close(fd);
}

static void a_damaged_checkpoint_is_not_resumed(void **state)
{
    (void)state;
    static const char *const words[] = {"checkpoint.safetensors: damaged",
                                        "checkpoint.safetensors: ", "checkpoint.safetensors: "};
    for (int what = 0; what < 3; what++) {
        fresh("run-damaged");
        assert_int_equal(in_child(train, &(job){.out = "run-damaged", .steps = 2}), 0);
        damage("run-damaged/checkpoint.safetensors", 3, what);
        assert_int_equal(in_child(train, &(job){"run-damaged", 4, true, LIMN_BAD_FILE, words[what]}), 0);
    }
}

static void a_folder_is_trained_by_one_process_at_a_time(void **state)
{
    (void)state;
    char words[100];
    int lock, second;
    fresh("run-locked");
    assert_int_equal(limn_lock_take(ctx, "run-locked", &lock), LIMN_OK);
    snprintf(words, sizeof words, "run-locked: another training (process %ld)", (long)getpid());
    assert_int_equal(limn_lock_take(ctx, "run-locked", &second), LIMN_BAD_ARGUMENT);
    assert_int_equal(second, -1);
    assert_int_equal(in_child(train, &(job){"run-locked", 2, false, LIMN_BAD_ARGUMENT, words}), 0);
    limn_lock_release(lock);
    assert_int_equal(in_child(train, &(job){.out = "run-locked", .steps = 2}), 0);
    job j = {.out = "run-locked", .steps = 100000};
    assert_true(train_and_kill(&j, 50));
    assert_int_equal(limn_lock_take(ctx, "run-locked", &lock), LIMN_OK); /* a dead one holds nothing */
    limn_lock_release(lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_save_syncs_the_file_and_its_folder),
        cmocka_unit_test(a_save_survives_the_failure_of_each_system_call),
        cmocka_unit_test(a_process_killed_at_any_call_of_a_save_leaves_the_old_file_or_the_new),
        cmocka_unit_test(a_signal_at_any_call_of_a_save_leaves_no_partial_file),
        cmocka_unit_test(a_signal_leaves_the_partial_file_of_another_process),
        cmocka_unit_test(what_is_no_file_is_not_written_over),
        cmocka_unit_test(a_limit_on_the_size_of_files_is_an_error_not_a_signal),
        cmocka_unit_test(a_folder_that_may_not_be_written_is_named),
        cmocka_unit_test(a_full_disk_keeps_the_old_file_and_no_part_of_the_new),
        cmocka_unit_test(devices_are_written_and_stay_devices),
        cmocka_unit_test(a_link_is_followed_and_a_folder_is_refused),
        cmocka_unit_test(two_writers_of_one_file_do_not_mix),
        cmocka_unit_test(a_training_killed_at_twenty_moments_ends_with_the_same_bits),
        cmocka_unit_test(a_damaged_checkpoint_is_not_resumed),
        cmocka_unit_test(a_folder_is_trained_by_one_process_at_a_time),
    };
    return cmocka_run_group_tests(tests, make_ctx, drop_ctx);
}
