/* test_hosts.c: two hosts that share nothing but a wire (bench/hosts.sh) train one network: the bytes of one process, by the
 * commands that docs/cluster.md prints, and nothing is left when they are interrupted.  Skipped where there may be no
 * network namespaces, or no Open MPI. */
#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <unistd.h>

#include "run_shell.h"

#define LIMN LIMN_BINARY_DIR "/limn "
#define HOSTS LIMN_SOURCE_DIR "/bench/hosts.sh "
#define TINY "train dit --data shapes --set 'size=16 channels=3 patch=4 width=32 depth=1 heads=2 mlp=64' -b 2 -t 1 "

enum { SKIPPED = 77 };

static void succeeds(const char *command)
{
    int code = run(command);
    if (code != 0) fail_msg("%s\nends with %d: %s", command, code, text);
}

static bool no_hosts(void)
{
    if (access(LIMN_BINARY_DIR "/limn-mpi.so", R_OK) != 0) return puts("SKIP two hosts: no Open MPI here"), true;
    int code = run(HOSTS "-- true");
    if (code == SKIPPED) printf("%s", text);
    else if (code != 0) fail_msg("%s", text);
    return code == SKIPPED;
}

/* 10 times a gradient of 49,000 floats, half of it each time, and the weights, moments and EMA from rank 0. */
static void two_hosts_learn_what_one_learns(void **state)
{
    (void)state;
    if (no_hosts()) skip();
    succeeds(LIMN TINY "--steps 5 --accumulate 2 -o one");
    succeeds(HOSTS "--rate 1gbit -- " LIMN TINY "--steps 5 -o two");
    const char *wire = strstr(text, "over the wire: ");
    long first = 0, second = 0;
    if (!wire || sscanf(wire, "over the wire: %ld bytes from node1, %ld from node2", &first, &second) != 2)
        fail_msg("%s", text);
    if (first < 1700000 || second < 950000) fail_msg("%s", wire); /* not by shared memory */
    succeeds("cmp one/checkpoint.safetensors two/checkpoint.safetensors");
    succeeds("cmp one/model.safetensors two/model.safetensors");
}

/* The line of docs/cluster.md that has `words`, with the program and the data that are here, and few small steps. */
static void runs_as_printed(const char *words, const char *data, const char *flags)
{
    char command[2000], line[1200];
    snprintf(command, sizeof command,
             "sed -n 's|^    \\(mpirun .*%s.*\\)|\\1|p' " LIMN_SOURCE_DIR "/docs/cluster.md | sed 's|build/limn |" LIMN
             "|; s|FOLDER|%s|'",
             words, data);
    succeeds(command);
    snprintf(line, sizeof line, "%.*s", (int)strcspn(text, "\n"), text);
    if (!strstr(line, LIMN)) fail_msg("docs/cluster.md has no command with %s", words);
    snprintf(command, sizeof command, HOSTS "-- %s %s", line, flags);
    succeeds(command);
}

static void commands_run_as_they_are_printed(void **state)
{
    (void)state;
    if (no_hosts()) skip();
    succeeds("sed -n 's/^    \\(node[12] slots=1\\)$/\\1/p' " LIMN_SOURCE_DIR
             "/docs/cluster.md >hosts; [ $(wc -l <hosts) = 2 ]");
    succeeds("mkdir -p cells/images cells/masks; cp " LIMN_SOURCE_DIR "/docs/pictures/cells.png cells/images/a.png; "
             "cp " LIMN_SOURCE_DIR "/docs/pictures/cells-truth.png cells/masks/a.png");
    runs_as_printed("train unet ", "cells", "--set 'size=32 channels=1 width=4 levels=2' -b 1 -t 1 --steps 2");
    succeeds("test -s runs/cells/model.safetensors");
    succeeds("sed -i s/slots=1/slots=2/ hosts");
    runs_as_printed("--inner-steps", "shapes",
                    "--set 'size=16 channels=3 patch=4 width=32 depth=1 heads=2 mlp=64 "
                    "text_encoder=clip text_length=12 text_width=16 text_depth=1 text_heads=2' -b 1 -t 1 --steps 2");
    succeeds("test -s runs/slow/model.safetensors");
}

static void an_interrupted_one_leaves_nothing(void **state)
{
    (void)state;
    if (no_hosts()) skip();
    succeeds(HOSTS "-- " LIMN TINY "--steps 1000000 --save-every 5 -o told & all=$!; "
                   "for i in $(seq 300); do [ -s told/model.safetensors ] && break; sleep 0.1; done; "
                   "[ $(ip netns list | grep -c \"^limn$all-\") = 2 ] || echo no hosts; kill -TERM $all; wait $all; "
                   "! ip netns list | grep \"^limn$all-\"");
    if (strstr(text, "no hosts") || !strstr(text, "saved; the same command with --resume goes on")) fail_msg("%s", text);
    succeeds(LIMN TINY "--accumulate 2 --steps 1000000 --minutes 0.001 -o told --resume");
}

static void wrong_flags_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *flags, *sentence;
    } rows[] = {
        {"", "a command is expected behind --"},
        {"--rate fast -- true", "--rate expects kbit, mbit or gbit a second, as 1gbit, found \"fast\""},
        {"--ranks 0 -- true", "--ranks expects 1 to 99, found \"0\""},
        {"--speed 3 -- true", "there is no flag --speed"},
    };
    char command[256];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(command, sizeof command, HOSTS "%s", rows[i].flags);
        assert_int_equal(run(command), 2);
        if (!strstr(text, rows[i].sentence)) fail_msg("%s", text);
    }
}

int main(void)
{
    setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* Open MPI keeps memory until a process ends */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_hosts_learn_what_one_learns),
        cmocka_unit_test(commands_run_as_they_are_printed),
        cmocka_unit_test(an_interrupted_one_leaves_nothing),
        cmocka_unit_test(wrong_flags_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
