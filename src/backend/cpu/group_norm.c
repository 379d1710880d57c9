/* group_norm.c: group norm and batch norm, n(x) = (x - mean) rstd;  y = act(n w + b), and their gradients.   x [B,..,C]
 *
 * Pixels are read in blocks of whole rows of C, beside arrays of the channels' numbers repeated to the length of a block.  Sums run over chunks
 * of fixed size and are added in order, in double from there on: the thread count plays no part.  Variances are taken around each channel's
 * first value K:   sum (x - mean)^2 = sum (x - K)^2 + 2 (K - mean) sum (x - K) + n (K - mean)^2,   so that values far from zero lose nothing. */
#include "backend/cpu/kernels.h"
#include "backend/cpu/rows.h"

#include <math.h>
#include <omp.h>
#include <string.h>

enum { CHUNK_BLOCKS = 16, BUFFERS = 9, MAX_CHANNELS = 16384 };

typedef struct norm {
    const limn_call *call;
    const limn_rows *rows;
    int64_t samples, pixels, c;  /* pixels of a sample */
    int64_t lines, block, chunk, chunks; /* pixels of a block, floats of a block, pixels of a chunk, chunks of a sample */
    float *mean, *rstd;          /* [samples][c] */
    double *sum;                 /* [samples][2][c]: what a pass adds up */
    float *partial;              /* [samples][chunks][2][c] */
    float *buffers;              /* [threads][BUFFERS][block] */
} norm;

static const char *refuse(const limn_call *c)
{
    const char *why = limn_cpu_refuse_types(c);
    return why ? why : limn_shape_cols(&c->src[0].shape) <= MAX_CHANNELS ? NULL : "more than 16384 channels";
}

static size_t up16(size_t n)
{
    return (n + 15) / 16 * 16;
}

static norm norm_of(const limn_call *c)
{
    const limn_shape *x = &c->src[0].shape;
    norm k = {.call = c, .rows = limn_rows_of(c), .samples = x->dim[0], .c = limn_shape_cols(x)};
    k.pixels = limn_shape_rows(x) / k.samples;
    k.lines = k.c < LIMN_BLOCK ? LIMN_BLOCK / k.c : 1;
    k.block = k.lines * k.c;
    k.chunk = k.lines * CHUNK_BLOCKS;
    k.chunks = (k.pixels + k.chunk - 1) / k.chunk;
    size_t channels = (size_t)(k.samples * k.c);
    k.sum = c->scratch;
    k.mean = c->scratch ? (float *)c->scratch + 2 * up16(2 * channels) : NULL;
    k.rstd = k.mean + up16(channels);
    k.partial = k.rstd + up16(channels);
    k.buffers = k.partial + up16((size_t)k.chunks * 2 * channels);
    return k;
}

static size_t scratch_bytes(const limn_call *c)
{
    norm k = norm_of(c);
    size_t channels = (size_t)(k.samples * k.c);
    return (2 * up16(2 * channels) + 2 * up16(channels) + up16((size_t)k.chunks * 2 * channels) + (size_t)(c->n_threads * BUFFERS) * up16((size_t)k.block)) * sizeof(float);
}

static float *buffer(const norm *k, int i)
{
    return k->buffers + ((size_t)omp_get_thread_num() * BUFFERS + (size_t)i) * up16((size_t)k->block);
}

/* One row of C numbers, repeated to a block. */
static void repeat(const norm *k, float *to, const float *row)
{
    for (int64_t i = 0; i < k->lines; i++) memcpy(to + i * k->c, row, (size_t)k->c * sizeof *to);
}

/* to [c] = sum of the lines of a block of sums */
static void fold(const norm *k, const float *block, float *to)
{
    memcpy(to, block, (size_t)k->c * sizeof *to);
    for (int64_t i = 1; i < k->lines; i++) k->rows->add(to, block + i * k->c, k->c);
}

static void step(const norm *k, limn_op op, float *y, const float *a, const float *b, int64_t n)
{
    struct limn_chain_step s = {.op = op, .activation = k->call->attr->activation};
    k->rows->step(&s, y, a, b, n);
}

/* w or b (source s) of a sample, repeated */
static void weights(const norm *k, int s, int64_t sample, float *to)
{
    const limn_view *w = &k->call->src[s];
    int64_t row = limn_shape_count(&w->shape) == k->c ? 0 : sample;
    float *first = to;
    const float *from = limn_cpu_floats(k->rows, w, row * k->c, k->c, first);
    if (from != first) memcpy(first, from, (size_t)k->c * sizeof *first);
    for (int64_t i = 1; i < k->lines; i++) memcpy(to + i * k->c, first, (size_t)k->c * sizeof *to);
}

/* ---- passes over chunks ---------------------------------------------------------------------------------------------------- */

typedef void (*chunk_job)(const norm *k, int64_t sample, int64_t first, int64_t end, float *partial);

/* job(chunk) for all chunks; then sum [sample][2][c] of what they left. */
static void reduce(const norm *k, chunk_job job)
{
#pragma omp parallel for schedule(static) num_threads(k->call->n_threads)
    for (int64_t i = 0; i < k->samples * k->chunks; i++) {
        int64_t first = i % k->chunks * k->chunk;
        job(k, i / k->chunks, first, first + k->chunk < k->pixels ? first + k->chunk : k->pixels, k->partial + i * 2 * k->c);
    }
    for (int64_t s = 0; s < k->samples; s++)
        for (int64_t j = 0; j < 2 * k->c; j++) {
            double sum = 0;
            for (int64_t i = 0; i < k->chunks; i++) sum += k->partial[(s * k->chunks + i) * 2 * k->c + j];
            k->sum[s * 2 * k->c + j] = sum;
        }
}

static bool over_batch(const norm *k)
{
    return k->call->op == LIMN_OP_MOMENTS || k->call->attr->flags & LIMN_OVER_BATCH;
}

/* K: the channel's first value, of the sample or of all */
static const float *first_values(const norm *k, int64_t sample, float *room)
{
    return limn_cpu_floats(k->rows, &k->call->src[0], over_batch(k) ? 0 : sample * k->pixels * k->c, k->c, room);
}

static void around_first(const norm *k, int64_t sample, int64_t first, int64_t end, float *partial)
{
    float *origin = buffer(k, 0), *d = buffer(k, 1), *sum = buffer(k, 2), *square = buffer(k, 3), *room = buffer(k, 4);
    repeat(k, origin, first_values(k, sample, room));
    memset(sum, 0, (size_t)k->block * sizeof *sum);
    memset(square, 0, (size_t)k->block * sizeof *square);
    for (int64_t p = first; p < end; p += k->lines) {
        int64_t n = (end - p < k->lines ? end - p : k->lines) * k->c;
        step(k, LIMN_OP_SUB, d, limn_cpu_floats(k->rows, &k->call->src[0], (sample * k->pixels + p) * k->c, n, room), origin, n);
        k->rows->add(sum, d, n);
        step(k, LIMN_OP_SQUARE, d, d, NULL, n);
        k->rows->add(square, d, n);
    }
    fold(k, sum, partial);
    fold(k, square, partial + k->c);
}

/* Mean and variance of `width` channels from `channel` on, over samples s..s+samples. */
static void group_moments(const norm *k, int64_t s, int64_t samples, int64_t channel, int64_t width, double *mean, double *var)
{
    float room[1];
    double n = (double)k->pixels, all = n * (double)(samples * width);
    *mean = *var = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t i = s; i < s + samples; i++)
            for (int64_t c = channel; c < channel + width; c++) {
                double origin = *limn_cpu_floats(k->rows, &k->call->src[0], (over_batch(k) ? 0 : i * k->pixels * k->c) + c, 1, room);
                double sum = k->sum[i * 2 * k->c + c], square = k->sum[(i * 2 + 1) * k->c + c], off = origin - *mean;
                if (pass == 0) *mean += (sum + n * origin) / all;
                else *var += (square + 2 * off * sum + n * off * off) / all;
            }
    if (*var < 0) *var = 0;
}

static void statistics(const norm *k)
{
    const limn_attr *attr = k->call->attr;
    int64_t width = k->c / attr->groups, together = over_batch(k) ? k->samples : 1;
    reduce(k, around_first);
    for (int64_t s = 0; s < k->samples; s += together)
        for (int64_t g = 0; g < attr->groups; g++) {
            double mean, var;
            group_moments(k, s, together, g * width, width, &mean, &var);
            for (int64_t i = s; i < s + together; i++)
                for (int64_t c = g * width; c < (g + 1) * width; c++)
                    k->mean[i * k->c + c] = (float)mean, k->rstd[i * k->c + c] = (float)(1 / sqrt(var + attr->eps));
        }
}

/* ---- forward ---------------------------------------------------------------------------------------------------------------- */

static void store(const norm *k, const float *from, int64_t at, int64_t n)
{
    const limn_view *y = &k->call->dst;
    k->rows->store((char *)y->data + (size_t)at * limn_dtype_bytes(y->dtype), y->dtype, from, n);
}

static void apply(const norm *k, int64_t sample, int64_t first, int64_t end)
{
    bool weighted = k->call->attr->flags & LIMN_HAS_WEIGHT;
    float *mean = buffer(k, 0), *scale = buffer(k, 1), *w = buffer(k, 2), *shift = buffer(k, 3), *y = buffer(k, 4), *room = buffer(k, 5);
    repeat(k, mean, k->mean + sample * k->c);
    repeat(k, scale, k->rstd + sample * k->c);
    memset(shift, 0, (size_t)k->block * sizeof *shift);
    if (weighted) {
        weights(k, 1, sample, w);
        weights(k, 2, sample, shift);
        step(k, LIMN_OP_MUL, scale, scale, w, k->block);
    }
    for (int64_t p = first; p < end; p += k->lines) {
        int64_t n = (end - p < k->lines ? end - p : k->lines) * k->c, at = (sample * k->pixels + p) * k->c;
        step(k, LIMN_OP_SUB, y, limn_cpu_floats(k->rows, &k->call->src[0], at, n, room), mean, n);
        k->rows->gated_residual(y, scale, shift, n);
        if (k->call->attr->activation) step(k, LIMN_OP_ACTIVATE, y, y, NULL, n);
        store(k, y, at, n);
    }
}

static void run(const limn_call *c)
{
    norm k = norm_of(c);
    statistics(&k);
#pragma omp parallel for schedule(static) num_threads(c->n_threads)
    for (int64_t i = 0; i < k.samples * k.chunks; i++) {
        int64_t first = i % k.chunks * k.chunk;
        apply(&k, i / k.chunks, first, first + k.chunk < k.pixels ? first + k.chunk : k.pixels);
    }
}

static void run_moments(const limn_call *c)
{
    norm k = norm_of(c);
    reduce(&k, around_first);
    for (int64_t i = 0; i < k.c; i++) {
        double mean, var;
        group_moments(&k, 0, k.samples, i, 1, &mean, &var);
        limn_put(&c->dst, i, mean);
        limn_put(&c->dst, k.c + i, var);
    }
}

/* ---- backward --------------------------------------------------------------------------------------------------------------- */

/* What a sample's blocks need: buffers 0 mean, 1 rstd, 2 w, 3 b */
static void load_channels(const norm *k, int64_t sample)
{
    repeat(k, buffer(k, 0), k->mean + sample * k->c);
    repeat(k, buffer(k, 1), k->rstd + sample * k->c);
    if (!(k->call->attr->flags & LIMN_HAS_WEIGHT)) return;
    weights(k, 2, sample, buffer(k, 2));
    weights(k, 3, sample, buffer(k, 3));
}

/* Buffer 4: n(x).  @return the gradient in front of the activation, in buffer 5 or where dy lies */
static const float *load_block(const norm *k, int64_t at, int64_t n)
{
    bool weighted = k->call->attr->flags & LIMN_HAS_WEIGHT;
    float *normal = buffer(k, 4), *z = buffer(k, 5), *room = buffer(k, 6);
    step(k, LIMN_OP_SUB, normal, limn_cpu_floats(k->rows, &k->call->src[0], at, n, z), buffer(k, 0), n);
    step(k, LIMN_OP_MUL, normal, normal, buffer(k, 1), n);
    const float *dy = limn_cpu_floats(k->rows, &k->call->src[1], at, n, room);
    if (!k->call->attr->activation) return dy;
    memcpy(z, normal, (size_t)n * sizeof *z);
    if (weighted) k->rows->gated_residual(z, buffer(k, 2), buffer(k, 3), n);
    step(k, LIMN_OP_ACTIVATE_GRAD, z, z, dy, n);
    return z;
}

/* partial: sum of dy n, sum of dy */
static void gradient_sums(const norm *k, int64_t sample, int64_t first, int64_t end, float *partial)
{
    float *normal = buffer(k, 4), *along = buffer(k, 7), *sum = buffer(k, 8);
    load_channels(k, sample);
    memset(along, 0, (size_t)k->block * sizeof *along);
    memset(sum, 0, (size_t)k->block * sizeof *sum);
    for (int64_t p = first; p < end; p += k->lines) {
        int64_t n = (end - p < k->lines ? end - p : k->lines) * k->c;
        const float *dy = load_block(k, (sample * k->pixels + p) * k->c, n);
        k->rows->add(sum, dy, n);
        step(k, LIMN_OP_MUL, normal, normal, dy, n);
        k->rows->add(along, normal, n);
    }
    fold(k, along, partial);
    fold(k, sum, partial + k->c);
}

/* sum [sample][2][c] becomes, for every channel, the means of v n and of v over its group, v = dy w */
static void group_means(const norm *k)
{
    const limn_attr *attr = k->call->attr;
    int64_t width = k->c / attr->groups, together = over_batch(k) ? k->samples : 1;
    double n = (double)(k->pixels * width * together);
    const limn_view *w = attr->flags & LIMN_HAS_WEIGHT ? &k->call->src[2] : NULL;
    for (int64_t s = 0; s < k->samples; s += together)
        for (int64_t c = 0; c < k->c; c += width)
            for (int what = 0; what < 2; what++) {
                double mean = 0;
                for (int64_t i = s; i < s + together; i++)
                    for (int64_t j = c; j < c + width; j++)
                        mean += k->sum[(i * 2 + what) * k->c + j] * (w ? limn_get(w, limn_shape_count(&w->shape) == k->c ? j : i * k->c + j) : 1) / n;
                for (int64_t i = s; i < s + together; i++)
                    for (int64_t j = c; j < c + width; j++) k->sum[(i * 2 + what) * k->c + j] = mean;
            }
}

/* dx = rstd (v - mean(v) - n mean(v n)) */
static void apply_gradient(const norm *k, int64_t sample, int64_t first, int64_t end)
{
    float *normal = buffer(k, 4), *along = buffer(k, 7), *mean = buffer(k, 8), *v = buffer(k, 6);
    bool weighted = k->call->attr->flags & LIMN_HAS_WEIGHT;
    load_channels(k, sample);
    for (int64_t i = 0; i < k->block; i++) {
        along[i] = (float)-k->sum[sample * 2 * k->c + i % k->c];
        mean[i] = (float)k->sum[(sample * 2 + 1) * k->c + i % k->c];
    }
    for (int64_t p = first; p < end; p += k->lines) {
        int64_t n = (end - p < k->lines ? end - p : k->lines) * k->c, at = (sample * k->pixels + p) * k->c;
        const float *dy = load_block(k, at, n);
        if (weighted) step(k, LIMN_OP_MUL, v, dy, buffer(k, 2), n);
        else if (dy != v) memcpy(v, dy, (size_t)n * sizeof *v);
        step(k, LIMN_OP_SUB, v, v, mean, n);
        k->rows->gated_residual(normal, along, v, n);
        step(k, LIMN_OP_MUL, normal, normal, buffer(k, 1), n);
        store(k, normal, at, n);
    }
}

static void run_grad(const limn_call *c)
{
    norm k = norm_of(c);
    statistics(&k);
    reduce(&k, gradient_sums);
    group_means(&k);
#pragma omp parallel for schedule(static) num_threads(c->n_threads)
    for (int64_t i = 0; i < k.samples * k.chunks; i++) {
        int64_t first = i % k.chunks * k.chunk;
        apply_gradient(&k, i / k.chunks, first, first + k.chunk < k.pixels ? first + k.chunk : k.pixels);
    }
}

static void run_grad_weight(const limn_call *c)
{
    norm k = norm_of(c);
    statistics(&k);
    reduce(&k, gradient_sums);
    int64_t m = limn_shape_count(&c->src[2].shape);
    for (int64_t j = 0; j < m; j++)
        for (int what = 0; what < 2; what++) {
            double sum = 0;
            for (int64_t s = m == k.c ? 0 : j / k.c; s < (m == k.c ? k.samples : j / k.c + 1); s++) sum += k.sum[(s * 2 + what) * k.c + j % k.c];
            limn_put(&c->dst, what * m + j, sum);
        }
}

static bool in_place(const limn_call *c, int src)
{
    return src == 0 && c->op == LIMN_OP_GROUP_NORM;
}

const limn_kernel limn_cpu_group_norm = {.name = "group_norm", .refuse = refuse, .scratch_bytes = scratch_bytes, .run = run, .in_place = in_place};
const limn_kernel limn_cpu_group_norm_grad = {.name = "group_norm_grad", .refuse = refuse, .scratch_bytes = scratch_bytes, .run = run_grad};
const limn_kernel limn_cpu_group_norm_grad_weight = {.name = "group_norm_grad_weight", .refuse = refuse, .scratch_bytes = scratch_bytes, .run = run_grad_weight};
const limn_kernel limn_cpu_moments = {.name = "moments", .refuse = refuse, .scratch_bytes = scratch_bytes, .run = run_moments};
