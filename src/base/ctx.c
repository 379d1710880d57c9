/* ctx.c: the context: error text, callbacks, threads. */
#include "base/base.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Cores that this process may use, not those of the machine: more threads would wait for each other, spinning. */
static int n_cores(void)
{
    cpu_set_t mine; /* taskset, the cpuset of a job or container */
    long n = sched_getaffinity(0, sizeof mine, &mine) == 0 ? CPU_COUNT(&mine) : sysconf(_SC_NPROCESSORS_ONLN), quota, period;
    FILE *max = fopen("/sys/fs/cgroup/cpu.max", "r"); /* microseconds of a period, or "max" */
    if (max && fscanf(max, "%ld %ld", &quota, &period) == 2 && quota > 0 && period > 0 && quota / period < n)
        n = quota / period + (quota % period > 0);
    if (max) fclose(max);
    return n < 1 ? 1 : n > LIMN_MAX_THREADS ? LIMN_MAX_THREADS : (int)n;
}

limn_ctx *limn_ctx_new(void)
{
    limn_ctx *ctx = calloc(1, sizeof *ctx);
    if (ctx) ctx->n_threads = n_cores();
    return ctx;
}

void limn_ctx_free(limn_ctx *ctx)
{
    free(ctx);
}

const char *limn_error_text(const limn_ctx *ctx)
{
    return ctx->error;
}

const char *limn_status_name(limn_status status)
{
    static const char *const names[] = {
        [LIMN_OK] = "ok", [LIMN_BAD_ARGUMENT] = "bad argument", [LIMN_NOT_FOUND] = "not found", [LIMN_BAD_FILE] = "bad file",
        [LIMN_NO_MEMORY] = "out of memory", [LIMN_IO] = "input/output error", [LIMN_UNSUPPORTED] = "unsupported",
        [LIMN_DIVERGED] = "diverged", [LIMN_CANCELLED] = "cancelled",
    };
    return (unsigned)status < sizeof names / sizeof *names ? names[status] : "unknown status";
}

void limn_ctx_set_log(limn_ctx *ctx, limn_log_fn fn, void *user)
{
    ctx->log = fn;
    ctx->log_user = user;
}

void limn_ctx_set_progress(limn_ctx *ctx, limn_progress_fn fn, void *user)
{
    ctx->progress = fn;
    ctx->progress_user = user;
}

limn_status limn_ctx_set_threads(limn_ctx *ctx, int n_threads)
{
    if (n_threads < 0 || n_threads > LIMN_MAX_THREADS)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "threads must be 0 (one per core) to %d, found %d", LIMN_MAX_THREADS,
                         n_threads);
    ctx->n_threads = n_threads ? n_threads : n_cores();
    return LIMN_OK;
}

void limn_ctx_set_memory(limn_ctx *ctx, size_t bytes)
{
    ctx->memory = bytes;
}

limn_status limn_ctx_set_weights(limn_ctx *ctx, const char *which)
{
    size_t n = which ? strlen(which) : 0;
    if (n >= sizeof ctx->weights)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "the name of the weights to take has %zu bytes, at most %zu are read", n,
                         sizeof ctx->weights - 1);
    snprintf(ctx->weights, sizeof ctx->weights, "%s", which ? which : "");
    return LIMN_OK;
}

int limn_ctx_threads(const limn_ctx *ctx)
{
    return ctx->n_threads;
}

void limn_ctx_cancel(limn_ctx *ctx)
{
    atomic_store(&ctx->cancel, true);
}

limn_status limn_cancelled(limn_ctx *ctx)
{
    if (!atomic_load_explicit(&ctx->cancel, memory_order_relaxed) || !atomic_exchange(&ctx->cancel, false)) return LIMN_OK;
    return limn_fail(ctx, LIMN_CANCELLED, "stopped");
}

limn_counters limn_ctx_counters(const limn_ctx *ctx)
{
    return ctx->counters;
}

const char *limn_version(void)
{
    return LIMN_VERSION;
}

limn_status limn_fail(limn_ctx *ctx, limn_status status, const char *format, ...)
{
    char text[LIMN_ERROR_BYTES]; /* the arguments may point into ctx->error */
    va_list args;
    va_start(args, format);
    limn_format_list(text, sizeof text, format, args);
    va_end(args);
    limn_sentence(text, ctx->error, sizeof ctx->error);
    return status;
}

limn_status limn_fail_in(limn_ctx *ctx, limn_status status, const char *format, ...)
{
    char prefix[512];
    va_list args;
    va_start(args, format);
    limn_format_list(prefix, sizeof prefix, format, args);
    va_end(args);
    return limn_fail(ctx, status, "%s: %s", prefix, ctx->error);
}

limn_status limn_fail_memory(limn_ctx *ctx, size_t bytes, const char *what)
{
    return limn_fail(ctx, LIMN_NO_MEMORY, "out of memory: %zu bytes for %s", bytes, what);
}

void limn_log(limn_ctx *ctx, limn_log_level level, const char *format, ...)
{
    if (!ctx->log) return;
    char text[1024], shown[1100];
    va_list args;
    va_start(args, format);
    limn_format_list(text, sizeof text, format, args);
    va_end(args);
    ctx->log(ctx->log_user, level, limn_sentence(text, shown, sizeof shown));
}

bool limn_progress(limn_ctx *ctx, const char *what, int64_t done, int64_t total)
{
    bool stopped = atomic_load_explicit(&ctx->cancel, memory_order_relaxed) && atomic_exchange(&ctx->cancel, false);
    return !stopped && (!ctx->progress || ctx->progress(ctx->progress_user, what, done, total));
}
