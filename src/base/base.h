/* base.h: status, log, arena, strings, clock.  Knows nothing of tensors. */
#ifndef LIMN_BASE_H
#define LIMN_BASE_H

#include "base/number.h"
#include "limn/limn.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

enum { LIMN_ERROR_BYTES = 2048, LIMN_ALIGN = 64 };

struct limn_ctx {
    char error[LIMN_ERROR_BYTES];
    int n_threads;
    limn_log_fn log;
    void *log_user;
    limn_progress_fn progress;
    void *progress_user;
    limn_counters counters;
    size_t memory;               /* bytes that a job may take; 0: what the machine has */
    atomic_bool cancel;
    bool tells_load;             /* progress is told of weights that are read: a job of pictures is under way */
    char weights[160];           /* "": each job's own; see limn_ctx_set_weights() */
    struct limn_comm *ranks;     /* over which runs that are made meanwhile take means (limn_mean_of_ranks()); NULL: alone */
    struct limn_writer *writing; /* files under way (file/bytes.h), the last one begun first; NULL: none */
};

/** Record a sentence and return status, so that callers write `return limn_fail(ctx, LIMN_BAD_FILE, "%s: ...", path)`.
 *  The text replaces the earlier one; use limn_fail_in() to put a place in front of what a callee said. */
limn_status limn_fail(limn_ctx *ctx, limn_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));
/** Put "prefix: " in front of the recorded sentence; returns status unchanged. */
limn_status limn_fail_in(limn_ctx *ctx, limn_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));
/** LIMN_NO_MEMORY with "out of memory: N bytes for WHAT". */
limn_status limn_fail_memory(limn_ctx *ctx, size_t bytes, const char *what);

void limn_log(limn_ctx *ctx, limn_log_level level, const char *format, ...) __attribute__((format(printf, 3, 4)));
/** @return false when the caller of the job asked to stop, by the callback or limn_ctx_cancel(). */
bool limn_progress(limn_ctx *ctx, const char *what, int64_t done, int64_t total);

/** LIMN_CANCELLED once after limn_ctx_cancel(), else LIMN_OK. */
limn_status limn_cancelled(limn_ctx *ctx);

/** Copy at most 200 bytes of text of unknown origin with control bytes and quotes escaped (\n, \x1b, \"); always
 *  terminated, "..." appended when cut.  Invalid UTF-8 bytes are escaped too.  @return out. */
char *limn_escape(const char *bytes, size_t n, char *out, size_t out_bytes);
/** Does a text of n bytes end in `end`? */
bool limn_ends_in(const char *text, size_t n, const char *end);
/** A whole sentence in which text of unknown origin may lie: control bytes and invalid UTF-8 escaped, nothing else, so that
 *  what limn_escape() made stays as it is.  Every text of limn_fail() and limn_log() passes here: nothing in a file reaches
 *  a terminal raw through them.  @return out. */
char *limn_sentence(const char *text, char *out, size_t out_bytes);

/* "Did you mean": the candidate that differs least from a mistyped word, if one is near at all. */
typedef struct limn_near {
    const char *word, *best; /* borrowed; best NULL: none is near */
    size_t n_word, n_best;
    int distance;
    char text[80];
} limn_near;
limn_near limn_near_to(const char *word, size_t n);
void limn_near_try(limn_near *near, const char *candidate, size_t n);
/** "; did you mean depth?" or "".  Borrowed from near. */
const char *limn_near_text(limn_near *near);

/** 64-byte aligned, zeroed on request by the caller with memset; NULL when out of memory.  Free with limn_free_aligned. */
void *limn_alloc_aligned(size_t bytes);
void limn_free_aligned(void *p);

/** *out = a * b (a + b); false when it does not fit a size_t. */
bool limn_mul_size(size_t a, size_t b, size_t *out);
bool limn_add_size(size_t a, size_t b, size_t *out);

/* Bump allocator: many small things with one lifetime (graph nodes, names).  Memory comes zeroed. */
typedef struct limn_arena limn_arena;
limn_arena *limn_arena_new(void);
void limn_arena_free(limn_arena *arena);                     /* NULL is allowed */
void *limn_arena_alloc(limn_arena *arena, size_t bytes);     /* NULL when out of memory */
char *limn_arena_strdup(limn_arena *arena, const char *text);
char *limn_arena_printf(limn_arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** "a.b".  @return NULL: memory is out */
char *limn_arena_join(limn_arena *arena, const char *a, const char *b);
char *limn_arena_printf_list(limn_arena *arena, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

/* Growing text buffer, for messages, JSON and drawings.  On a failed allocation `failed` is set and appends do nothing. */
typedef struct limn_text {
    char *bytes; /* terminated; NULL while empty */
    size_t n, capacity;
    bool failed;
} limn_text;
void limn_text_printf(limn_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void limn_text_append(limn_text *text, const char *bytes, size_t n);
void limn_text_free(limn_text *text);

/** Seconds of a clock that never goes back. */
double limn_seconds(void);
/* Around the library's own work on floats: denormals are zero on the caller's thread and on its OpenMP team of n_threads
 * (x86: FTZ and DAZ; products of tiny values are up to 40 times slower without).  limn_floats_end() puts back what was
 * there: these threads are the program's.  May be nested. */
enum { LIMN_MAX_THREADS = 1024 };
typedef struct limn_floats {
    int n_threads;
    unsigned control[LIMN_MAX_THREADS]; /* of each thread of the team */
} limn_floats;
void limn_floats_begin(limn_floats *before, int n_threads);
void limn_floats_end(const limn_floats *before);
/** Bytes of memory the machine could still give (MemAvailable, cgroup limit); 0 when unknown. */
size_t limn_memory_available(void);

#endif
