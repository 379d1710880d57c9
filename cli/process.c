/* process.c: how threads wait and descriptors 0 to 2 when the program starts, what becomes of stdout when it ends. */
#include "cli.h"
#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool pipe_ends; /* SIGPIPE was not ignored by whoever started us */

/* Threads of libgomp that wait for the next kernel spin for a millisecond or more.  Beside another job each then holds a
 * core that the thread it waits for needs, and both jobs are ten times slower.  2,000 turns (30 to 100 us) outlast what
 * lies between two kernels.  libgomp reads its environment when it is loaded or never, so the program starts anew. */
static void wait_briefly(char **argv)
{
    if (getenv("OMP_WAIT_POLICY") || getenv("GOMP_SPINCOUNT") || setenv("GOMP_SPINCOUNT", "2000", 0) != 0) return;
    execv("/proc/self/exe", argv); /* where that cannot be, all is as before */
}

/* A service may start us without descriptors 0 to 2: the first file that is opened would become stderr, and messages would
 * land in it. */
void cli_begin(char **argv)
{
    wait_briefly(argv);
    struct sigaction pipe;
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0) open("/", O_RDONLY); /* the lowest that is free */
    pipe_ends = sigaction(SIGPIPE, NULL, &pipe) == 0 && pipe.sa_handler != SIG_IGN;
    signal(SIGPIPE, SIG_IGN); /* work goes on when its messages are no longer read */
}

static bool nobody_reads(int fd)
{
    struct pollfd end = {.fd = fd, .events = POLLOUT};
    return poll(&end, 1, 0) == 1 && end.revents & (POLLERR | POLLHUP);
}

/* What is printed may not have arrived.  A full disk behind stdout is a failure; a pipe that nobody reads (| head -1) ends
 * us as it ends others. */
int cli_end(int code)
{
    errno = 0;
    if ((fflush(stdout) == 0 && !ferror(stdout)) || code) return code;
    if (pipe_ends && nobody_reads(STDOUT_FILENO)) return cli_die(SIGPIPE);
    return fprintf(stderr, "limn: stdout: cannot write%s%s\n", errno ? ": " : "", errno ? strerror(errno) : ""), 1;
}

limn_status cli_print_json(limn_ctx *ctx, const json_t *root)
{
    bool printed = limn_json_print(root, stdout);
    return printed || ferror(stdout) ? LIMN_OK : limn_fail_memory(ctx, 4096, "JSON"); /* cli_end() tells of stdout */
}
