/* limn.h: describe, train and run denoising networks from C.
 *
 * Everything starts with a context, which holds what other libraries keep in globals: the last error text, the log and
 * progress callbacks, the number of threads.  A context is used by one thread at a time; two contexts share nothing.
 * No function of the library prints, exits or aborts: each returns a limn_status, and limn_error_text() holds a
 * sentence that says what was expected, what was found, and where. */
#ifndef LIMN_LIMN_H
#define LIMN_LIMN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum limn_status {
    LIMN_OK = 0,
    LIMN_BAD_ARGUMENT, /* the caller's value is wrong; nothing changed */
    LIMN_NOT_FOUND,    /* no such file, name or preset */
    LIMN_BAD_FILE,     /* the file exists and is damaged, hostile or of another kind */
    LIMN_NO_MEMORY,    /* more memory is needed than there is, said before it is taken where possible */
    LIMN_IO,           /* the operating system refused a read or a write */
    LIMN_UNSUPPORTED,  /* valid, but not something this build can do */
    LIMN_DIVERGED,     /* training produced NaN or infinity */
    LIMN_CANCELLED,    /* the progress callback asked to stop */
} limn_status;

/* Element types.  F64 serves the checks, I32 holds indices, U8 bytes. */
typedef enum limn_dtype { LIMN_F32, LIMN_BF16, LIMN_F16, LIMN_F64, LIMN_I32, LIMN_I64, LIMN_U8, LIMN_N_DTYPES } limn_dtype;

/* What a plan computes in.  AUTO takes bf16 where the CPU multiplies it natively, else f32. */
typedef enum limn_precision { LIMN_PRECISION_AUTO, LIMN_PRECISION_F32, LIMN_PRECISION_BF16, LIMN_PRECISION_F64 } limn_precision;

typedef struct limn_ctx limn_ctx;

typedef enum limn_log_level { LIMN_LOG_DEBUG, LIMN_LOG_INFO, LIMN_LOG_WARN } limn_log_level;

/* One line without a newline; text is valid only during the call. */
typedef void (*limn_log_fn)(void *user, limn_log_level level, const char *text);

/* done of total units of `what` ("step", "image"); return false to stop the job, which then returns LIMN_CANCELLED. */
typedef bool (*limn_progress_fn)(void *user, const char *what, int64_t done, int64_t total);

/** A new context with one thread per core and no callbacks.  @return NULL only when memory is out; free with limn_ctx_free(). */
limn_ctx *limn_ctx_new(void);
void limn_ctx_free(limn_ctx *ctx); /* NULL is allowed */

/** Sentence for the last failure of this context, "" if none.  Borrowed; valid until the next call with ctx. */
const char *limn_error_text(const limn_ctx *ctx);
/** Short English name of a status, for logs. */
const char *limn_status_name(limn_status status);

void limn_ctx_set_log(limn_ctx *ctx, limn_log_fn fn, void *user);
void limn_ctx_set_progress(limn_ctx *ctx, limn_progress_fn fn, void *user);
/** @param n_threads 1..1024; 0 means one per core. */
limn_status limn_ctx_set_threads(limn_ctx *ctx, int n_threads);
int limn_ctx_threads(const limn_ctx *ctx);

const char *limn_version(void);

#ifdef __cplusplus
}
#endif
#endif
