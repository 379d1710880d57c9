/* entropy.c: softmax and cross entropy of many rows (a pixel each) of few classes, and their gradients.  Rows are turned
 * into columns, a tile of them at a time, so that one instruction serves several rows; a row is one thread's, so nothing
 * depends on how many there are. */
#include "backend/cpu/kernels.h"

#include <math.h>
#include <omp.h>
#include <string.h>

enum { SMALL = 16384, TILE = 64, WIDE_TILE = 8, NARROW = 64, WIDE = 256 };

/* R rows at a time of d classes: x [R,d] as they lie, e [d,R] columns, max [R] */
typedef struct tile {
    const limn_rows *rows;
    const float *x;
    float *buffer, *e, *max, *sum;
    int64_t first, m, d, r; /* m of the r columns are filled */
} tile;

static int64_t tile_rows(int64_t d)
{
    return d <= WIDE ? TILE : WIDE_TILE;
}

static int64_t thread_floats(const limn_call *c)
{
    int64_t d = limn_shape_cols(&c->src[0].shape);
    return 2 * d * tile_rows(d) + 2 * TILE;
}

static size_t scratch_bytes(const limn_call *c)
{
    return (size_t)(thread_floats(c) * c->n_threads) * sizeof(float);
}

static tile tile_of(const limn_call *c, int64_t i)
{
    int64_t d = limn_shape_cols(&c->src[0].shape), r = tile_rows(d), left = limn_shape_rows(&c->src[0].shape) - i * r;
    float *s = (float *)c->scratch + thread_floats(c) * omp_get_thread_num();
    tile t = {.rows = limn_rows_of(c),
              .buffer = s,
              .e = s + d * r,
              .max = s + 2 * d * r,
              .sum = s + 2 * d * r + TILE,
              .first = i * r,
              .m = left < r ? left : r,
              .d = d,
              .r = r};
    t.x = limn_cpu_floats(t.rows, &c->src[0], t.first * d, t.m * d, t.buffer);
    return t;
}

static int64_t tiles_of(const limn_call *c)
{
    int64_t r = tile_rows(limn_shape_cols(&c->src[0].shape));
    return (limn_shape_rows(&c->src[0].shape) + r - 1) / r;
}

/* e = exp(x - max) */
static void exponentials(tile *t)
{
    static const struct limn_chain_step exponential = {.op = LIMN_OP_EXP};
    int64_t r = t->r, d = t->d;
    if (t->m < r) memset(t->e, 0, (size_t)(d * r) * sizeof *t->e);
    for (int64_t i = 0; i < t->m; i++)
        for (int64_t k = 0; k < d; k++) t->e[k * r + i] = t->x[i * d + k];
    memcpy(t->max, t->e, (size_t)r * sizeof *t->max);
    for (int64_t k = 1; k < d; k++)
        for (int64_t i = 0; i < r; i++) t->max[i] = t->e[k * r + i] > t->max[i] ? t->e[k * r + i] : t->max[i];
    for (int64_t k = 0; k < d; k++)
        for (int64_t i = 0; i < r; i++) t->e[k * r + i] -= t->max[i];
    t->rows->step(&exponential, t->e, t->e, NULL, d * r);
}

static void sums(tile *t)
{
    memset(t->sum, 0, (size_t)t->r * sizeof *t->sum);
    for (int64_t k = 0; k < t->d; k++) t->rows->add(t->sum, t->e + k * t->r, t->r);
}

/* The rows of the result, from e. */
static void store(const tile *t, const limn_view *dst)
{
    float *y = dst->dtype == LIMN_F32 ? (float *)dst->data + t->first * t->d : t->buffer;
    for (int64_t i = 0; i < t->m; i++)
        for (int64_t k = 0; k < t->d; k++) y[i * t->d + k] = t->e[k * t->r + i];
    if (y == t->buffer)
        t->rows->store((char *)dst->data + (size_t)(t->first * t->d) * limn_dtype_bytes(dst->dtype), dst->dtype, y,
                       t->m * t->d);
}

static int64_t target_of(const limn_call *c, int64_t row, int64_t d)
{
    int64_t t = ((const int32_t *)c->src[1].data)[row];
    return t < 0 ? 0 : t >= d ? d - 1 : t;
}

/* ---- kernels ---------------------------------------------------------------------------------------------------------- */

/* log(1 + x), x >= 0 */
static float log_one_and(float x)
{
    return x < 1e-3f ? x * (1 - x * (0.5f - x * (1 / 3.0f))) : logf(1 + x);
}

/* max - x[target] + log(sum);  where the target is the largest, the sum is 1 + that of the others, which may be tiny */
static limn_status run_entropy(const limn_call *c)
{
    int64_t n = tiles_of(c);
#pragma omp parallel for schedule(static) num_threads(c->n_threads) if (limn_shape_count(&c->src[0].shape) > SMALL)
    for (int64_t i = 0; i < n; i++) {
        tile t = tile_of(c, i);
        float y[TILE];
        exponentials(&t);
        for (int64_t j = 0; j < t.m; j++) {
            int64_t target = target_of(c, t.first + j, t.d);
            y[j] = t.max[j] - t.x[j * t.d + target];
            if (y[j] == 0) t.e[target * t.r + j] = 0;
        }
        sums(&t);
        for (int64_t j = 0; j < t.m; j++) y[j] = y[j] == 0 ? log_one_and(t.sum[j]) : y[j] + logf(t.sum[j]);
        t.rows->store((char *)c->dst.data + (size_t)t.first * limn_dtype_bytes(c->dst.dtype), c->dst.dtype, y, t.m);
    }
    return LIMN_OK;
}

/* dlogits = dloss (softmax - onehot);  softmax - 1 of the target is -(the others) / sum, without a difference */
static limn_status run_entropy_grad(const limn_call *c)
{
    int64_t n = tiles_of(c);
#pragma omp parallel for schedule(static) num_threads(c->n_threads) if (limn_shape_count(&c->src[0].shape) > SMALL)
    for (int64_t i = 0; i < n; i++) {
        tile t = tile_of(c, i);
        float dloss[TILE], own[TILE], one[TILE];
        exponentials(&t);
        memcpy(dloss, limn_cpu_floats(t.rows, &c->src[2], t.first, t.m, one), (size_t)t.m * sizeof *dloss);
        for (int64_t j = 0; j < t.m; j++) {
            float *e = &t.e[target_of(c, t.first + j, t.d) * t.r + j];
            own[j] = *e, *e = 0;
        }
        sums(&t);
        for (int64_t j = 0; j < t.m; j++) {
            dloss[j] /= t.sum[j] + own[j];
            t.e[target_of(c, t.first + j, t.d) * t.r + j] = -t.sum[j];
        }
        for (int64_t k = 0; k < t.d; k++)
            for (int64_t j = 0; j < t.m; j++) t.e[k * t.r + j] *= dloss[j];
        store(&t, &c->dst);
    }
    return LIMN_OK;
}

static const char *refuse_wide(const limn_call *c)
{
    return limn_shape_cols(&c->dst.shape) > NARROW ? "is for rows of at most 64" : limn_cpu_refuse_types(c);
}

static limn_status run_softmax(const limn_call *c)
{
    int64_t n = tiles_of(c);
#pragma omp parallel for schedule(static) num_threads(c->n_threads) if (limn_shape_count(&c->src[0].shape) > SMALL)
    for (int64_t i = 0; i < n; i++) {
        tile t = tile_of(c, i);
        exponentials(&t);
        sums(&t);
        for (int64_t j = 0; j < t.r; j++) t.sum[j] = 1 / t.sum[j];
        for (int64_t k = 0; k < t.d; k++)
            for (int64_t j = 0; j < t.r; j++) t.e[k * t.r + j] *= t.sum[j];
        store(&t, &c->dst);
    }
    return LIMN_OK;
}

/* dx = y (dy - sum(dy y)) */
static limn_status run_softmax_grad(const limn_call *c)
{
    int64_t n = tiles_of(c);
#pragma omp parallel for schedule(static) num_threads(c->n_threads) if (limn_shape_count(&c->src[0].shape) > SMALL)
    for (int64_t i = 0; i < n; i++) {
        tile t = tile_of(c, i);
        const float *dy = limn_cpu_floats(t.rows, &c->src[1], t.first * t.d, t.m * t.d, t.e);
        float *dx = c->dst.dtype == LIMN_F32 ? (float *)c->dst.data + t.first * t.d : t.buffer;
        for (int64_t j = 0; j < t.m; j++) {
            const float *y = t.x + j * t.d, *g = dy + j * t.d;
            double dot = 0;
            for (int64_t k = 0; k < t.d; k++) dot += (double)y[k] * (double)g[k];
            for (int64_t k = 0; k < t.d; k++) dx[j * t.d + k] = (float)((double)y[k] * ((double)g[k] - dot));
        }
        if (dx == t.buffer)
            t.rows->store((char *)c->dst.data + (size_t)(t.first * t.d) * limn_dtype_bytes(c->dst.dtype), c->dst.dtype, dx,
                          t.m * t.d);
    }
    return LIMN_OK;
}

/* A tile of every source is loaded before that of the result is stored. */
static bool in_place(const limn_call *c, int src)
{
    (void)c;
    return src == 0;
}

const limn_kernel limn_cpu_entropy = {
    .name = "entropy", .refuse = limn_cpu_refuse_types, .scratch_bytes = scratch_bytes, .run = run_entropy};
const limn_kernel limn_cpu_entropy_grad = {.name = "entropy_grad",
                                           .refuse = limn_cpu_refuse_types,
                                           .scratch_bytes = scratch_bytes,
                                           .run = run_entropy_grad,
                                           .in_place = in_place};
const limn_kernel limn_cpu_softmax_narrow = {.name = "softmax.columns",
                                             .refuse = refuse_wide,
                                             .scratch_bytes = scratch_bytes,
                                             .run = run_softmax,
                                             .in_place = in_place};
const limn_kernel limn_cpu_softmax_grad = {
    .name = "softmax_grad", .refuse = limn_cpu_refuse_types, .scratch_bytes = scratch_bytes, .run = run_softmax_grad};
