/* test_mpi.c: `limn train` under mpirun is one training: the bytes of one process, one sentence for what is wrong, and
 * nobody waits for a process that died or stands still.  Skipped where the plugin or mpirun is missing. */
#include "base/number.h"
#include "file/bytes.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <time.h>
#include <unistd.h>

#include "far_apart.h"
#include "make_masks.h"
#include "run_shell.h"

#define LIMN LIMN_BINARY_DIR "/limn "
#define TINY "--data shapes --set 'size=16 channels=3 patch=4 width=32 depth=1 heads=2 mlp=64' -b 2 -t 1 --log-every 1 "
#define NORMED                                                                                                       \
    "train unet --data masks --set 'size=16 channels=1 width=4 levels=2 norm=batch' -t 1 --precision f32 --lr 2e-3 " \
    "--warmup 2 --steps 5 "
#define MPIRUN "mpirun --oversubscribe --bind-to none "

static int times(const char *needle)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, needle)); at++) n++;
    return n;
}

static bool no_mpi(void)
{
    return access(LIMN_BINARY_DIR "/limn-mpi.so", R_OK) != 0 || run("mpirun --version >/dev/null") != 0;
}
#define NEEDS_MPI \
    (void)state;  \
    if (no_mpi()) skip()

static void same_bytes(const char *one, const char *other)
{
    char command[256];
    snprintf(command, sizeof command, "cmp %s %s", one, other);
    if (run(command) != 0) fail_msg("%s", text);
}

static void so_many_processes_learn_what_one_learns(void **state)
{
    NEEDS_MPI;
    assert_int_equal(run(LIMN "train dit " TINY "--steps 6 --accumulate 4 -o one"), 0);
    assert_int_equal(run(MPIRUN "-n 2 " LIMN "train dit " TINY "--steps 6 --accumulate 2 -o two"), 0);
    assert_non_null(strstr(text, "a step sees 8 in 4 parts by 2 ranks"));
    assert_int_equal(times("step 6/6"), 1); /* rank 0 alone */
    same_bytes("one/model.safetensors", "two/model.safetensors");
    same_bytes("one/checkpoint.safetensors", "two/checkpoint.safetensors");
    assert_int_equal(run(MPIRUN "-n 2 " LIMN "train dit " TINY "--steps 6 --accumulate 2 --shard-state -o divided"), 0);
    assert_non_null(strstr(text, "and has its share of moments and EMA"));
    same_bytes("one/checkpoint.safetensors", "divided/checkpoint.safetensors");
    assert_int_equal(run("grep -l comm_seconds two/events.* && grep -l sent_bytes two/events.*"), 0);
    assert_int_equal(run("grep -l comm_seconds one/events.*"), 1);
    /* saved by two, resumed by four */
    assert_int_equal(run(MPIRUN "-n 2 " LIMN "train dit " TINY "--steps 3 --accumulate 2 --decay 1 -o part"), 0);
    assert_int_equal(run(MPIRUN "-n 4 " LIMN "train dit " TINY "--steps 6 --decay 1 -o part --resume"), 0);
    assert_int_equal(run(LIMN "train dit " TINY "--steps 3 --accumulate 4 --decay 1 -o whole"), 0);
    assert_int_equal(run(LIMN "train dit " TINY "--steps 6 --accumulate 4 --decay 1 -o whole --resume"), 0);
    same_bytes("whole/checkpoint.safetensors", "part/checkpoint.safetensors");
}

/* Two of batch 2 are one of batch 4; a run of two goes on with two. */
static void batch_norm_sees_all_processes(void **state)
{
    NEEDS_MPI;
    put_masks("masks");
    assert_int_equal(run(LIMN NORMED "-b 4 -o norm-one"), 0);
    int code = run(MPIRUN "-n 2 " LIMN NORMED "-b 2 --sync-norm -o norm-two");
    if (code != 0 || !strstr(text, "; batch norm sees 4 together, of all ranks")) fail_msg("code %d: %s", code, text);
    double most = far_apart("norm-one/checkpoint.safetensors", "norm-two/checkpoint.safetensors");
    if (!(most <= 1e-5)) fail_msg("%g apart", most);
    assert_int_equal(run(LIMN NORMED "-b 4 --steps 6 --sync-norm -o norm-two --resume"), 2);
    assert_int_equal(times("the number of ranks of --sync-norm (1 without it) was \"2\", and this command says \"1\""), 1);
    assert_int_equal(run(MPIRUN "-n 2 " LIMN NORMED "-b 2 --steps 6 --sync-norm -o norm-two --resume"), 0);
    assert_int_equal(run(MPIRUN "-n 2 " LIMN "train dit " TINY "--sync-norm -o x"), 2);
    assert_int_equal(times("limn: --sync-norm is for batch norm, and dit of these settings has none"), 1);
    assert_int_not_equal(access("x", F_OK), 0);
}

static void what_is_wrong_is_said_once(void **state)
{
    NEEDS_MPI;
#define ONE "-n 1 " LIMN "train dit "
    static const struct { const char *command, *sentence; } rows[] = {
        {MPIRUN "-n 2 " LIMN "train dit " TINY "--batch 0 -o x",
         "limn: --batch expects a whole number from 1 to 65536, found \"0\""},
        {MPIRUN "-n 2 " LIMN "train dit --data nowhere -o x", "limn: nowhere: No such file or directory"},
        {MPIRUN "-n 2 " LIMN "train " TINY "-o x", "expected NET, --data and --out"},
        {MPIRUN ONE TINY "-o x : " ONE TINY "--steps zero -o x", "limn: rank 1 of 2: --steps expects"},
        {MPIRUN ONE TINY "-o x : " ONE TINY "--batch 3 -o x",
         "limn: rank 1 of 2: --batch is \"3\", and \"2\" on rank 0: all ranks need the same"},
        {MPIRUN ONE TINY "-o x : " ONE TINY "--lr 1e-3 -o x", "limn: rank 1 of 2: --lr is \"0.001"},
        {MPIRUN ONE TINY "-o x : " ONE TINY "--seed 7 -o x", "limn: rank 1 of 2: --seed is \"7\""},
        {MPIRUN ONE TINY "-o x : " ONE TINY "--time-mean 1 -o x", "limn: rank 1 of 2: --time-mean is \"1\""},
        {MPIRUN ONE TINY "-o x : " ONE TINY "--set depth=2 -o x", "limn: rank 1 of 2: the network is \"dit size=16"},
        {MPIRUN ONE TINY "--set depth=2 -o x : " ONE TINY "-o x", "limn: rank 1 of 2: the network is \"dit size=16"},
        {MPIRUN ONE TINY "--accumulate 3 -o x : " ONE TINY "-o x", "limn: rank 1 of 2: --accumulate is \"1\""},
        {MPIRUN ONE TINY "-o x : " ONE TINY "--accumulate 3 -o x", "limn: rank 1 of 2: --accumulate is \"3\""},
        {MPIRUN "-n 2 -x LIMN_PATIENCE=soon " LIMN "train dit " TINY "-o x", "LIMN_PATIENCE (seconds"},
        {"mkdir -p alone && cp " LIMN "alone && " MPIRUN "-n 2 alone/limn train dit " TINY "-o x", "make mpi builds it"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int code = run(rows[i].command);
        if (times(rows[i].sentence) != 1 || code != 2)
            fail_msg("exit code %d; expected once: %s\nfound: %s", code, rows[i].sentence, text);
        assert_int_not_equal(access("x", F_OK), 0);
    }
}

/* oneDNN's products are held to older instructions on one rank: the same training, other bits. */
static void other_cpus_are_told_of(void **state)
{
    NEEDS_MPI;
    assert_int_equal(run(MPIRUN "-n 2 " LIMN "train dit " TINY "--precision f32 --steps 1 -o alike"), 0);
    assert_int_equal(times("warning"), 0);
    assert_int_equal(run(MPIRUN "-n 1 " LIMN "train dit " TINY "--precision f32 --steps 1 -o unlike : "
                                "-n 1 -x ONEDNN_MAX_CPU_ISA=SSE41 " LIMN "train dit " TINY
                                "--precision f32 --steps 1 -o unlike"),
                     0);
#if defined(__x86_64__)
    if (times("warning: rank 1 has ") != 1 || times("oneDNN with SSE4.1") != 1 ||
        times("(1 of 2 ranks are not as rank 0)") != 1)
        fail_msg("%s", text);
#endif
}

static double number(const char *name)
{
    char field[64];
    snprintf(field, sizeof field, "\"%s\": ", name);
    const char *at = strstr(text, field);
    if (!at) fail_msg("no %s: %s", name, text);
    return limn_number_parse(at + strlen(field), NULL);
}

/* bench/ranks.c: what it counts is what the model says, of denoisers and of networks that learn masks, and a delay is in
 * every call. */
static void what_sums_cost_is_measured(void **state)
{
    NEEDS_MPI;
    static const char *const rows[] = {"'dit size=16 channels=3 patch=4 width=32 depth=1 heads=2 mlp=64' 2",
                                       "'unet size=32 channels=1 width=4 levels=2' 1 --comm-dtype bf16",
                                       "'unet size=32 channels=1 width=4 levels=2' 1 --inner-steps 2 --accumulate 3"};
    char command[512];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(command, sizeof command,
                 MPIRUN "-n 2 " LIMN_BINARY_DIR "/limn-ranks %s --steps 4 --delay 2000 --alone 5 --link 1", rows[i]);
        if (run(command) != 0) fail_msg("%s", text);
        assert_true(number("ranks") == 2 && number("steps") == 4);
        if (number("sent_bytes") != number("expected_sent_bytes")) fail_msg("%s", text);
        if (number("least_comm_ms") < 2 * number("calls")) fail_msg("%s", text);
        if (number("expected_comm_ms") < 2 * number("calls")) fail_msg("%s", text);
        if (number("ms") < number("comm_ms")) fail_msg("%s", text);
    }
}

/* Their processes would each train alone, into one folder. */
static void other_launchers_are_refused(void **state)
{
    (void)state;
    static const struct { const char *set, *word; } rows[] = {
        {"WORLD_SIZE=4 RANK=0", "torchrun"},
        {"PMI_SIZE=3 PMI_RANK=0", "MPICH"},
        {"SLURM_STEP_NUM_TASKS=8 SLURM_PROCID=0", "srun started 8 processes without PMIx"}};
    char command[1024];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(command, sizeof command, "env %s " LIMN "train dit " TINY "-o x", rows[i].set);
        assert_int_equal(run(command), 2);
        if (times(rows[i].word) != 1 || times("mpirun") < 1) fail_msg("%s", text);
        assert_int_not_equal(access("x", F_OK), 0);
    }
    /* one process each: a batch script of Slurm, a container that says so */
    assert_int_equal(
        run("env SLURM_NTASKS=8 SLURM_PROCID=0 WORLD_SIZE=1 RANK=0 " LIMN "train dit " TINY "--steps 1 -o y"), 0);
}

/* Two ranks; `signal` comes to rank 1, or to mpirun, when the first checkpoint is there.  @return the exit code; text is
 * what was said, *seconds how long they went on */
static int interrupt(const char *out, const char *signal, bool launcher, double *seconds)
{
    char command[2048];
    snprintf(command, sizeof command,
             "rm -rf %s pid.*; " MPIRUN "-n 2 -x LIMN_PATIENCE=3 "
             "sh -c 'echo $$ >pid.$OMPI_COMM_WORLD_RANK; exec \"$@\"' sh " LIMN "train dit " TINY
             "--steps 1000000 --save-every 5 --log-every 1000 -o %s & all=$!; "
             "for i in $(seq 300); do [ -s %s/model.safetensors ] && break; sleep 0.1; done; "
             "date +%%s.%%N >began; kill -%s %s; wait $all; code=$?; date +%%s.%%N >ended; exit $code",
             out, out, out, signal, launcher ? "$all" : "$(cat pid.1)");
    int code = run(command);
    char from[64] = "", to[64] = "";
    FILE *a = fopen("began", "r"), *b = fopen("ended", "r");
    assert_true(a && b && fgets(from, sizeof from, a) && fgets(to, sizeof to, b));
    fclose(a), fclose(b);
    *seconds = limn_number_parse(to, NULL) - limn_number_parse(from, NULL);
    return code;
}

static void goes_on(const char *out)
{
    char command[512];
    snprintf(command, sizeof command,
             LIMN "train dit " TINY "--accumulate 2 --steps 1000000 --minutes 0.001 -o %s --resume", out);
    if (run(command) != 0) fail_msg("%s", text);
}

static void nobody_waits_for_the_dead(void **state)
{
    NEEDS_MPI;
    double seconds;
    int code = interrupt("killed", "KILL", false, &seconds);
    if (code == 0 || seconds > 30) fail_msg("code %d after %.1f s: %s", code, seconds, text);
    goes_on("killed");
    code = interrupt("halted", "STOP", false, &seconds);
    if (code != 1 || seconds > 30 || times("limn: rank 1 of 2 is silent for 3 s, last heard of in step ") != 1)
        fail_msg("code %d after %.1f s: %s", code, seconds, text);
    goes_on("halted");
}

static void signals_are_those_of_one_process(void **state)
{
    NEEDS_MPI;
    static const struct { const char *signal; bool launcher; int code; } rows[] = {
        {"USR1", false, 0}, {"USR1", true, 0}, {"TERM", false, 128 + SIGTERM}, {"TERM", true, -1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double seconds;
        int code = interrupt("told", rows[i].signal, rows[i].launcher, &seconds);
        bool right = rows[i].code < 0 ? code != 0 : code == rows[i].code;
        if (!right || seconds > 30 || times("saved; the same command with --resume goes on") != 1)
            fail_msg("%s: code %d after %.1f s: %s", rows[i].signal, code, seconds, text);
        goes_on("told");
    }
}

int main(void)
{
    setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* Open MPI keeps memory until a process ends */
    setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
    setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(so_many_processes_learn_what_one_learns),
        cmocka_unit_test(batch_norm_sees_all_processes),
        cmocka_unit_test(what_is_wrong_is_said_once),
        cmocka_unit_test(other_cpus_are_told_of),
        cmocka_unit_test(what_sums_cost_is_measured),
        cmocka_unit_test(other_launchers_are_refused),
        cmocka_unit_test(nobody_waits_for_the_dead),
        cmocka_unit_test(signals_are_those_of_one_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
