/* entropy.c: cross entropy of rows and its gradient, and the gradient of softmax: many rows (a pixel each) of few classes.  A row is one
 * thread's, so nothing depends on how many there are. */
#include "backend/cpu/kernels.h"

#include <math.h>
#include <omp.h>

enum { SMALL = 16384 };

/* A row of each of two sources and of the result, per thread, for types that must be converted. */
static size_t scratch_bytes(const limn_call *c)
{
    return 3 * (size_t)limn_shape_cols(&c->src[0].shape) * (size_t)c->n_threads * sizeof(float);
}

static float *thread_scratch(const limn_call *c)
{
    return (float *)c->scratch + 3 * limn_shape_cols(&c->src[0].shape) * omp_get_thread_num();
}

/* log of the sum of exponentials, the maximum taken out first */
static double log_sum_exp(const float *x, int64_t d)
{
    float max = -INFINITY;
    double sum = 0;
    for (int64_t i = 0; i < d; i++) max = x[i] > max ? x[i] : max;
    for (int64_t i = 0; i < d; i++) sum += (double)expf(x[i] - max);
    return (double)max + log(sum);
}

static int64_t target_of(const limn_call *c, int64_t row, int64_t d)
{
    int64_t t = ((const int32_t *)c->src[1].data)[row];
    return t < 0 ? 0 : t >= d ? d - 1 : t;
}

static void store_row(const limn_rows *rows, const limn_view *v, int64_t begin, const float *from, int64_t n)
{
    rows->store((char *)v->data + (size_t)begin * limn_dtype_bytes(v->dtype), v->dtype, from, n);
}

static void run_entropy(const limn_call *c)
{
    const limn_rows *rows = limn_rows_of(c);
    int64_t d = limn_shape_cols(&c->src[0].shape), n = limn_shape_rows(&c->src[0].shape);
#pragma omp parallel for schedule(static) num_threads(c->n_threads) if (n * d > SMALL)
    for (int64_t r = 0; r < n; r++) {
        const float *x = limn_cpu_floats(rows, &c->src[0], r * d, d, thread_scratch(c));
        float y = (float)(log_sum_exp(x, d) - (double)x[target_of(c, r, d)]);
        store_row(rows, &c->dst, r, &y, 1);
    }
}

/* dlogits = dloss (softmax - onehot) */
static void run_entropy_grad(const limn_call *c)
{
    const limn_rows *rows = limn_rows_of(c);
    int64_t d = limn_shape_cols(&c->src[0].shape), n = limn_shape_rows(&c->src[0].shape);
#pragma omp parallel for schedule(static) num_threads(c->n_threads) if (n * d > SMALL)
    for (int64_t r = 0; r < n; r++) {
        float *s = thread_scratch(c), *dx = s + d, one;
        const float *x = limn_cpu_floats(rows, &c->src[0], r * d, d, s);
        float dloss = *limn_cpu_floats(rows, &c->src[2], r, 1, &one);
        double lse = log_sum_exp(x, d);
        for (int64_t i = 0; i < d; i++) dx[i] = dloss * expf((float)((double)x[i] - lse));
        dx[target_of(c, r, d)] = dloss * (float)expm1((double)x[target_of(c, r, d)] - lse);
        store_row(rows, &c->dst, r * d, dx, d);
    }
}

/* dx = y (dy - sum(dy y)) */
static void run_softmax_grad(const limn_call *c)
{
    const limn_rows *rows = limn_rows_of(c);
    int64_t d = limn_shape_cols(&c->dst.shape), n = limn_shape_rows(&c->dst.shape);
#pragma omp parallel for schedule(static) num_threads(c->n_threads) if (n * d > SMALL)
    for (int64_t r = 0; r < n; r++) {
        float *s = thread_scratch(c), *dx = s + 2 * d;
        const float *y = limn_cpu_floats(rows, &c->src[0], r * d, d, s), *dy = limn_cpu_floats(rows, &c->src[1], r * d, d, s + d);
        double dot = 0;
        for (int64_t i = 0; i < d; i++) dot += (double)y[i] * (double)dy[i];
        for (int64_t i = 0; i < d; i++) dx[i] = (float)((double)y[i] * ((double)dy[i] - dot));
        store_row(rows, &c->dst, r * d, dx, d);
    }
}

const limn_kernel limn_cpu_entropy = {.name = "entropy", .refuse = limn_cpu_refuse_types, .scratch_bytes = scratch_bytes, .run = run_entropy};
const limn_kernel limn_cpu_entropy_grad = {.name = "entropy_grad", .refuse = limn_cpu_refuse_types, .scratch_bytes = scratch_bytes, .run = run_entropy_grad};
const limn_kernel limn_cpu_softmax_grad = {.name = "softmax_grad", .refuse = limn_cpu_refuse_types, .scratch_bytes = scratch_bytes, .run = run_softmax_grad};
