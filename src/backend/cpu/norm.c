/* norm.c: layer norm, RMS norm, their gradients, softmax: a row at a time. */
#include "backend/cpu/kernels.h"
#include "backend/cpu/rows.h"

#include <omp.h>
#include <string.h>

enum { MAX_COLS = 16384 };

static const char *refuse_norm(const limn_call *c)
{
    const char *why = limn_cpu_refuse_types(c);
    return why ? why : limn_shape_cols(&c->src[0].shape) <= MAX_COLS ? NULL : "rows longer than 16384";
}

static bool is_layer(limn_op op)
{
    return op == LIMN_OP_LAYER_NORM || op == LIMN_OP_LAYER_NORM_GRAD || op == LIMN_OP_LAYER_NORM_GRAD_WEIGHT;
}

/* First element of the weight row that belongs to row r of x [.., D]; see serves_runs(). */
static int64_t weight_row(const limn_view *x, const limn_view *w, int64_t r)
{
    int64_t d = limn_shape_cols(&x->shape), n = limn_shape_count(&w->shape) / d, rows = limn_shape_rows(&x->shape);
    return r / (rows / n) * d;
}

/* Each row of w serves the same number of consecutive rows of x: [D], [B,1,D], [B,T,D], but not [T,D] beside [B,T,D]. */
static bool serves_runs(const limn_shape *x, const limn_shape *w)
{
    bool repeated = false;
    if (w->rank < 1 || limn_shape_cols(w) != limn_shape_cols(x)) return false;
    for (int i = 0; i + 1 < x->rank; i++) {
        int at = i - (x->rank - w->rank);
        int64_t n = at < 0 ? 1 : w->dim[at];
        if (repeated && n != 1) return false;
        repeated = repeated || n != x->dim[i];
    }
    return true;
}

/* Any other broadcast is left to the reference. */
static const char *const odd_weights = "weights must be [D] or [B,1,D]";

static const char *refuse_weighted(const limn_call *c)
{
    const char *why = refuse_norm(c);
    int first = c->op == LIMN_OP_LAYER_NORM || c->op == LIMN_OP_RMS_NORM ? 1 : 2;
    for (int i = first; !why && i < c->n_src; i++)
        if (!serves_runs(&c->src[0].shape, &c->src[i].shape)) why = odd_weights;
    return why;
}

static const char *refuse_grad_weight(const limn_call *c)
{
    const char *why = refuse_norm(c);
    return why ? why : serves_runs(&c->src[0].shape, &c->dst.shape) ? NULL : odd_weights;
}

static size_t scratch_rows(const limn_call *c)
{
    return (size_t)c->n_threads * 5 * (size_t)limn_shape_cols(&c->src[0].shape) * sizeof(float);
}

static float *thread_scratch(const limn_call *c)
{
    return (float *)c->scratch + (size_t)omp_get_thread_num() * 5 * (size_t)limn_shape_cols(&c->src[0].shape);
}

static limn_status run_norm(const limn_call *c)
{
    const limn_rows *rows = limn_rows_of(c);
    const limn_view *x = &c->src[0], *w = c->attr->flags & LIMN_HAS_WEIGHT ? &c->src[1] : NULL,
                    *b = w && is_layer(c->op) ? &c->src[2] : NULL;
    int64_t d = limn_shape_cols(&x->shape), n = limn_shape_rows(&x->shape);
    float one = is_layer(c->op) ? (float)c->attr->shift : 0;
#pragma omp parallel for schedule(static) num_threads(c->n_threads) if (n * d > 16384)
    for (int64_t r = 0; r < n; r++) {
        float *s = thread_scratch(c), mean, rstd;
        const float *xr = limn_cpu_floats(rows, x, r * d, d, s);
        const float *wr = w ? limn_cpu_floats(rows, w, weight_row(x, w, r), d, s + d) : NULL;
        const float *br = b ? limn_cpu_floats(rows, b, weight_row(x, b, r), d, s + 2 * d) : NULL;
        rows->stats(xr, d, (float)c->attr->eps, is_layer(c->op), &mean, &rstd);
        rows->norm(s + 3 * d, xr, d, mean, rstd, one, wr, br);
        rows->store((char *)c->dst.data + (size_t)(r * d) * limn_dtype_bytes(c->dst.dtype), c->dst.dtype, s + 3 * d, d);
    }
    return LIMN_OK;
}

static limn_status run_norm_grad(const limn_call *c)
{
    const limn_rows *rows = limn_rows_of(c);
    const limn_view *x = &c->src[0], *dy = &c->src[1], *w = c->attr->flags & LIMN_HAS_WEIGHT ? &c->src[2] : NULL;
    int64_t d = limn_shape_cols(&x->shape), n = limn_shape_rows(&x->shape);
    float one = is_layer(c->op) ? (float)c->attr->shift : 0;
#pragma omp parallel for schedule(static) num_threads(c->n_threads) if (n * d > 16384)
    for (int64_t r = 0; r < n; r++) {
        float *s = thread_scratch(c), mean, rstd;
        const float *xr = limn_cpu_floats(rows, x, r * d, d, s), *dr = limn_cpu_floats(rows, dy, r * d, d, s + d);
        const float *wr = w ? limn_cpu_floats(rows, w, weight_row(x, w, r), d, s + 2 * d) : NULL;
        rows->stats(xr, d, (float)c->attr->eps, is_layer(c->op), &mean, &rstd);
        rows->norm_grad(s + 3 * d, xr, dr, d, mean, rstd, is_layer(c->op), one, wr);
        rows->store((char *)c->dst.data + (size_t)(r * d) * limn_dtype_bytes(c->dst.dtype), c->dst.dtype, s + 3 * d, d);
    }
    return LIMN_OK;
}

/* Rows are cut into chunks of fixed size; a chunk never crosses a sample; chunk sums are added in order. */
enum { WEIGHT_CHUNK = 64 };

static int64_t chunks_of(const limn_call *c, int64_t *rows_per_weight)
{
    int64_t d = limn_shape_cols(&c->src[0].shape), n_w = limn_shape_count(&c->dst.shape) / d;
    *rows_per_weight = limn_shape_rows(&c->src[0].shape) / n_w;
    return n_w * ((*rows_per_weight + WEIGHT_CHUNK - 1) / WEIGHT_CHUNK);
}

static size_t scratch_grad_weight(const limn_call *c)
{
    int64_t per;
    return scratch_rows(c) + (size_t)(chunks_of(c, &per) * limn_shape_cols(&c->src[0].shape)) * sizeof(float);
}

static limn_status run_norm_grad_weight(const limn_call *c)
{
    const limn_rows *rows = limn_rows_of(c);
    const limn_view *x = &c->src[0], *dy = &c->src[1];
    int64_t per, n = chunks_of(c, &per), d = limn_shape_cols(&x->shape), chunks = (per + WEIGHT_CHUNK - 1) / WEIGHT_CHUNK;
    float *partial = (float *)c->scratch + scratch_rows(c) / sizeof(float);
#pragma omp parallel for schedule(static) num_threads(c->n_threads)
    for (int64_t i = 0; i < n; i++) {
        float *s = thread_scratch(c), *sum = partial + i * d, mean, rstd;
        int64_t first = i / chunks * per + i % chunks * WEIGHT_CHUNK, end = i / chunks * per + per;
        memset(sum, 0, (size_t)d * sizeof *sum);
        for (int64_t r = first; r < end && r < first + WEIGHT_CHUNK; r++) {
            const float *xr = limn_cpu_floats(rows, x, r * d, d, s), *dr = limn_cpu_floats(rows, dy, r * d, d, s + d);
            rows->stats(xr, d, (float)c->attr->eps, is_layer(c->op), &mean, &rstd);
            rows->norm_grad_weight(sum, xr, dr, d, mean, rstd);
        }
    }
    for (int64_t w = 0; w < n / chunks; w++) {
        for (int64_t k = 1; k < chunks; k++) rows->add(partial + w * chunks * d, partial + (w * chunks + k) * d, d);
        rows->store((char *)c->dst.data + (size_t)(w * d) * limn_dtype_bytes(c->dst.dtype), c->dst.dtype,
                    partial + w * chunks * d, d);
    }
    return LIMN_OK;
}

static limn_status run_softmax(const limn_call *c)
{
    const limn_rows *rows = limn_rows_of(c);
    int64_t d = limn_shape_cols(&c->dst.shape), n = limn_shape_rows(&c->dst.shape);
#pragma omp parallel for schedule(static) num_threads(c->n_threads) if (n * d > 16384)
    for (int64_t r = 0; r < n; r++) {
        float *s = thread_scratch(c);
        rows->softmax(s + d, limn_cpu_floats(rows, &c->src[0], r * d, d, s), d);
        rows->store((char *)c->dst.data + (size_t)(r * d) * limn_dtype_bytes(c->dst.dtype), c->dst.dtype, s + d, d);
    }
    return LIMN_OK;
}

/* A row of x (and dy) is read before the row of the result is stored; weights are read again for every row. */
static bool in_place(const limn_call *c, int src)
{
    return src == 0 || (src == 1 && (c->op == LIMN_OP_LAYER_NORM_GRAD || c->op == LIMN_OP_RMS_NORM_GRAD));
}

const limn_kernel limn_cpu_norm = {
    .name = "norm", .refuse = refuse_weighted, .scratch_bytes = scratch_rows, .run = run_norm, .in_place = in_place};
const limn_kernel limn_cpu_norm_grad = {.name = "norm_grad",
                                        .refuse = refuse_weighted,
                                        .scratch_bytes = scratch_rows,
                                        .run = run_norm_grad,
                                        .in_place = in_place};
const limn_kernel limn_cpu_norm_grad_weight = {.name = "norm_grad_weight",
                                               .refuse = refuse_grad_weight,
                                               .scratch_bytes = scratch_grad_weight,
                                               .run = run_norm_grad_weight};
const limn_kernel limn_cpu_softmax = {
    .name = "softmax", .refuse = refuse_norm, .scratch_bytes = scratch_rows, .run = run_softmax, .in_place = in_place};
