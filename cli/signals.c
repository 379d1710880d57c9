/* signals.c: a signal ends the program at once, and no file stays half written. */
#include "cli.h"

#include <pthread.h>
#include <signal.h>

static limn_ctx *volatile working; /* the handlers' */
static pthread_t main_thread;

/* The context is the main thread's: only between its own instructions do its lists hold still. */
static void end(int number)
{
    if (!pthread_equal(pthread_self(), main_thread)) {
        pthread_kill(main_thread, number);
        return;
    }
    if (working) limn_ctx_abandon(working);
    signal(number, SIG_DFL);
    raise(number);
}

void cli_handle(int number, void (*handler)(int))
{
    struct sigaction now, action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    if (sigaction(number, NULL, &now) == 0 && now.sa_handler != SIG_IGN) sigaction(number, &action, NULL);
}

void cli_end_by(int number)
{
    cli_handle(number, end);
}

limn_ctx *cli_ctx_new(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    limn_ctx *ctx = limn_ctx_new();
    if (!ctx) return fprintf(stderr, "limn: out of memory\n"), NULL;
    main_thread = pthread_self();
    working = ctx;
    for (int i = 0; i < 3; i++) cli_end_by(numbers[i]);
    return ctx;
}

void cli_ctx_free(limn_ctx *ctx)
{
    working = NULL;
    limn_ctx_free(ctx);
}
