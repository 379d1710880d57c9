/* check.h: the inside of limn-check, the program that proves and times ops.
 *
 * A case is one op with shapes and attributes; the same table serves --mode test (every kernel, instruction set, storage
 * type and thread count against the reference in double) and --mode grad (gradient rules against central differences in
 * double). */
#ifndef LIMN_CHECK_H
#define LIMN_CHECK_H

#include "backend/backend.h"
#include "backend/cpu/rows.h"

typedef enum check_values {
    VALUES_NORMAL,        /* N(0, 1); positive: |N| + 1/4, not zero: sign(N) (|N| + 1/4) */
    VALUES_SPECIAL,       /* NaN, infinities, zeros of both signs, denormals, the ends of f32, in all pairs */
    VALUES_SPECIAL_NORMAL, /* without denormals and the ends: the logarithm of a flushed denormal is no number to compare */
    VALUES_SPECIAL_SLOPE, /* without the ends, which a slope squares, and source 1 finite: infinity times a slope that f32
                           * rounds to 0 is not to be compared */
    VALUES_MASKED,        /* every third element -inf, never the first of a row */
    VALUES_ALL_MASKED,    /* rows 1, 3, ... are -inf throughout */
    VALUES_CONSTANT_ROWS, /* source 0: row r holds r + 0.7 everywhere */
    VALUES_EQUAL,         /* source 0: 0.1 everywhere, whose roundings all go the same way */
    VALUES_FAR_FIRST,     /* source 0: N(0, 1), but 3000 in its first row */
    VALUES_OFFSET,        /* source 0: 1000 + N(0, 1) */
    VALUES_LARGE,         /* source 0: 80 N(0, 1) */
    VALUES_NAN_KEY,       /* N(0, 1) with one NaN in the middle of source 1 */
    VALUES_HIDDEN_KEYS,   /* N(0, 1), but the bias of attention: -10000 for every third key, in row 1 all, row 2 -inf */
} check_values;

typedef struct check_case {
    limn_op op;
    const char *proves;
    int n_src;
    limn_shape src[LIMN_MAX_SRC];
    limn_attr attr;
    check_values values;
} check_case;

extern const check_case check_cases[]; /* ends with proves = NULL */

enum { CHECK_KERNELS = 8, CHECK_ROWS = 5 };

/* One run of the program. */
typedef struct check {
    limn_ctx *ctx;
    const char *mode, *op, *precision, *backend, *kernel; /* all but mode: NULL takes all */
    int n_passed, n_failed, n_skipped;
    bool ran[LIMN_N_OPS][CHECK_KERNELS][CHECK_ROWS];
    limn_op last_op;         /* that failed */
    const char *last_proves;
    bool colour;
} check;

bool check_wanted(const check *c, limn_op op);
/** One more failure; on stdout one line for the first of a case. */
void check_fail(check *c, const check_case *k, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* ---- values and tolerances ---------------------------------------------------------------------------------------- */

/** What source s holds, by the op's row.  Moments are any numbers, but for ops with a gradient rule, which supposes that
 *  they are made of source 0. */
limn_domain check_domain(limn_op op, int s);
/** Seeded values of source s, as many as its shape holds; free() them. */
double *check_make_values(const check_case *k, int s);

/** What a comparison needs to know of a case: sources as the kernel saw them, the reference's result. */
typedef struct check_result {
    const check_case *k;
    const double *src[LIMN_MAX_SRC];
    limn_dtype src_dtype[LIMN_MAX_SRC], dst_dtype;
    limn_shape shape;
    const double *wanted;
    int64_t n;
    const limn_kernel *kernel; /* NULL: the reference */
} check_result;

/** Index of the first element further away than the tolerance (see check_values.c for the formula), or -1. */
int64_t check_compare(const check_result *r, const limn_view *found);

/** What attention on bf16 may be off for what it rounds on the way, for each element of the result; free() it. */
double *check_attention_rounding(const check_result *r);

/* ---- graphs ------------------------------------------------------------------------------------------------------- */

/* loss = sum(op(sources) dy) with the gradients of all sources that have one, planned as built. */
typedef struct check_net {
    limn_graph *g;
    limn_node *src[LIMN_MAX_SRC], *y, *dy, *loss, *grad[LIMN_MAX_SRC];
    limn_plan *plan;
    limn_run *run;
} check_net;

/** The op alone on inputs "s0", "s1" ...; NULL after reporting a failure.  Free g with limn_graph_free(). */
limn_node *check_build(check *c, const check_case *k, limn_graph **g);
/** @return false after reporting a failure; then nothing is left to close */
bool check_net_open(check *c, const check_case *k, limn_precision precision, const char *backend, check_net *net);
void check_net_set(check_net *net, const check_case *k, int s, const double *values);
void check_net_close(check_net *net);
/** Has the op a gradient rule, and is this case of a kind that central differences can follow? */
bool check_has_grad(const check_case *k);

/* ---- modes -------------------------------------------------------------------------------------------------------- */

/** Inner loops that this CPU can run, from portable to best; NULL ends. */
const limn_rows *check_rows(int i);
/** Every kernel of the case in every storage type, instruction set and thread count.  src: values instead of the seeded
 *  ones; y: what the reference must give in double; each may be NULL.  single: y was computed in f32. */
void check_test(check *c, const check_case *k, const double *const *src, const double *y, bool single);
void check_grad(check *c, const check_case *k);
void check_vectors(check *c);
int check_n_vectors(limn_op op);
/** Vectors of other ops in whose gradient this op stands. */
int check_n_vector_gradients(check *c, limn_op op);
void check_bench(check *c);

/* ---- what must have run (check_ran.c) --------------------------------------------------------------------------------- */

int check_count_cases(limn_op op, bool with_grad);
/** Kernel number i of the op's list took a case with inner loops number `rows`. */
void check_ran(check *c, limn_op op, int kernel, int rows);
void check_nothing_is_forgotten(check *c);

#endif
