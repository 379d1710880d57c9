/* signals.c: a signal ends the program at once, and no file stays half written. */
#include "cli.h"

#include <pthread.h>
#include <signal.h>

static limn_ctx *volatile working; /* the handlers' */
static pthread_t main_thread;

int cli_die(int number)
{
    signal(number, SIG_DFL);
    raise(number);
    return 128 + number;
}

/* The context is the main thread's: only between its own instructions do its lists hold still. */
void cli_end_by(int number)
{
    if (!pthread_equal(pthread_self(), main_thread)) {
        pthread_kill(main_thread, number);
        return;
    }
    if (working) limn_ctx_abandon(working);
    cli_die(number);
}

void cli_handle(int number, void (*handler)(int))
{
    struct sigaction now, action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    if (sigaction(number, NULL, &now) == 0 && now.sa_handler != SIG_IGN) sigaction(number, &action, NULL);
}

limn_ctx *cli_ctx_new(void)
{
    static const int numbers[] = {SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGTERM, SIGXCPU};
    limn_ctx *ctx = limn_ctx_new();
    if (!ctx) return fprintf(stderr, "limn: out of memory\n"), NULL;
    main_thread = pthread_self();
    working = ctx;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) cli_handle(numbers[i], cli_end_by);
    return ctx;
}

void cli_ctx_free(limn_ctx *ctx)
{
    working = NULL;
    limn_ctx_free(ctx);
}
