/* group_norm.c: group norm and batch norm, and their gradients: moments, norm, sums and gradient, each one pass over x
 * [B,..,C].
 *
 * Pixels are read in blocks of whole rows of C, beside arrays of the channels' numbers repeated to the length of a block.
 * Sums run over chunks of fixed size and are added in order, in double from there on: the thread count plays no part.
 * Variances are taken around a typical value K of each channel:   sum (x - mean)^2 = sum (x - K)^2 + 2 (K - mean) sum (x -
 * K) + n (K - mean)^2,   so that values far from zero lose nothing. */
#include "backend/cpu/kernels.h"
#include "backend/cpu/rows.h"

#include <math.h>
#include <omp.h>
#include <string.h>

/* What a norm does to a channel of a sample, as five numbers:
 *   z = n(x) w + b = (x - mean) scale + shift
 *   dx = rstd (v - mean(v) - n(x) mean(v n(x))) = dz scale + (x - mean) slope + offset,   v = dz w */
enum { MEAN, SCALE, SHIFT, SLOPE, OFFSET, NUMBERS };
/* Buffers of a thread: those numbers, repeated, and what a block needs. */
enum { X = NUMBERS, DY, FIRST, SECOND, BUFFERS };
enum { CHUNK_BLOCKS = 16, MAX_CHANNELS = 16384 };

typedef struct norm {
    const limn_call *call;
    const limn_rows *rows;
    const limn_view *x, *moments, *dy, *sums, *w, *b; /* sources; w, b NULL: none */
    int64_t samples, pixels, c;                       /* pixels of a sample */
    int64_t groups, width, together;                  /* channels of a group; samples that share its moments */
    int64_t lines, block, chunk, chunks; /* pixels of a block, floats of a block, pixels of a chunk, chunks of a sample */
    double *sum;                                      /* [samples][2][c]: what a pass adds up */
    float *partial;                                   /* [samples][chunks][2][c] */
    float *numbers;                                   /* [samples][NUMBERS][c] */
    float *buffers;                                   /* [threads][BUFFERS][block] */
    size_t floats;                                    /* of all these */
} norm;

static const char *refuse(const limn_call *c)
{
    const char *why = limn_cpu_refuse_types(c);
    if (!why && c->src[0].dtype == LIMN_I32) why = "takes f32 and bf16 only";
    return why ? why : limn_shape_cols(&c->src[0].shape) <= MAX_CHANNELS ? NULL : "more than 16384 channels";
}

/* The next floats of scratch. */
static float *take(norm *k, size_t floats)
{
    float *part = k->call->scratch ? (float *)k->call->scratch + k->floats : NULL;
    k->floats += (floats + 15) / 16 * 16;
    return part;
}

static norm norm_of(const limn_call *c)
{
    const limn_shape *x = &c->src[0].shape;
    norm k = {.call = c,
              .rows = limn_rows_of(c),
              .x = &c->src[0],
              .moments = &c->src[1],
              .dy = &c->src[2],
              .sums = &c->src[3],
              .samples = x->dim[0],
              .c = limn_shape_cols(x),
              .groups = c->attr->groups};
    if (c->attr->flags & LIMN_HAS_WEIGHT) k.w = &c->src[c->n_src - 2], k.b = &c->src[c->n_src - 1];
    k.width = k.c / k.groups;
    k.together = c->attr->flags & LIMN_OVER_BATCH ? k.samples : 1;
    k.pixels = limn_shape_rows(x) / k.samples;
    k.lines = k.c < LIMN_BLOCK ? LIMN_BLOCK / k.c : 1;
    k.block = k.lines * k.c;
    k.chunk = k.lines * CHUNK_BLOCKS;
    k.chunks = (k.pixels + k.chunk - 1) / k.chunk;
    size_t channels = (size_t)(k.samples * k.c);
    if (c->op == LIMN_OP_MOMENTS || c->op == LIMN_OP_GROUP_NORM_GRAD_SUMS) {
        k.sum = (double *)(void *)take(&k, 4 * channels);
        k.partial = take(&k, (size_t)k.chunks * 2 * channels);
    }
    k.numbers = take(&k, NUMBERS * channels);
    k.buffers = take(&k, (size_t)(c->n_threads * BUFFERS) * (size_t)limn_round_up(k.block, 16));
    return k;
}

static size_t scratch_bytes(const limn_call *c)
{
    return norm_of(c).floats * sizeof(float);
}

static float *buffer(const norm *k, int i)
{
    return k->buffers + (omp_get_thread_num() * BUFFERS + i) * limn_round_up(k->block, 16);
}

static float *numbers(const norm *k, int64_t sample, int i)
{
    return k->numbers + (sample * NUMBERS + i) * k->c;
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

static void *element(const limn_view *v, int64_t at)
{
    return (char *)v->data + (size_t)at * limn_dtype_bytes(v->dtype);
}

/* ---- passes over chunks ----------------------------------------------------------------------------------------------- */

/* Pixels first..end of a sample; `partial`: where its sums go */
typedef void (*chunk_job)(const norm *k, int64_t sample, int64_t first, int64_t end, float *partial);

static void for_chunks(const norm *k, chunk_job job)
{
#pragma omp parallel for schedule(static) num_threads(k->call->n_threads)
    for (int64_t i = 0; i < k->samples * k->chunks; i++) {
        int64_t first = i % k->chunks * k->chunk;
        job(k, i / k->chunks, first, first + k->chunk < k->pixels ? first + k->chunk : k->pixels,
            k->partial ? k->partial + i * 2 * k->c : NULL);
    }
}

/* Then sum [sample][2][c] of what they left. */
static void reduce(const norm *k, chunk_job job)
{
    for_chunks(k, job);
    for (int64_t s = 0; s < k->samples; s++)
        for (int64_t j = 0; j < 2 * k->c; j++) {
            double sum = 0;
            for (int64_t i = 0; i < k->chunks; i++) sum += k->partial[(s * k->chunks + i) * 2 * k->c + j];
            k->sum[s * 2 * k->c + j] = sum;
        }
}

/* Floats of a block that begins with pixel p */
static int64_t block_at(const norm *k, int64_t p, int64_t end)
{
    return (end - p < k->lines ? end - p : k->lines) * k->c;
}

/* ---- moments ---------------------------------------------------------------------------------------------------------- */

/* K, in the place of the mean: of three values of the channel, of the sample or of all, the middle one; one alone may be far
 * from all others */
static void find_origins(const norm *k)
{
    int64_t pixels = k->pixels * k->together;
    for (int64_t s = 0; s < k->samples; s++) {
        const float *v[3];
        float *to = numbers(k, s, MEAN);
        for (int i = 0; i < 3; i++)
            v[i] = limn_cpu_floats(k->rows, k->x, ((k->together > 1 ? 0 : s * pixels) + pixels * (2 * i + 1) / 6) * k->c,
                                   k->c, buffer(k, X + i));
        for (int64_t c = 0; c < k->c; c++) {
            float a = v[0][c], b = v[1][c], low = a < b ? a : b, high = a < b ? b : a, x = v[2][c];
            to[c] = x < low ? low : x > high ? high : x;
        }
    }
}

static void around_origin(const norm *k, int64_t sample, int64_t first, int64_t end, float *partial)
{
    float *origin = buffer(k, MEAN), *sum = buffer(k, FIRST), *square = buffer(k, SECOND);
    repeat(k, origin, numbers(k, sample, MEAN));
    memset(sum, 0, (size_t)k->block * sizeof *sum);
    memset(square, 0, (size_t)k->block * sizeof *square);
    for (int64_t p = first; p < end; p += k->lines)
        k->rows->deviations(sum, square, element(k->x, (sample * k->pixels + p) * k->c), k->x->dtype, origin,
                            block_at(k, p, end));
    fold(k, sum, partial);
    fold(k, square, partial + k->c);
}

/* Mean and variance of the channels of a group from `channel` on, over the samples from s on that share them. */
static void group_moments(const norm *k, int64_t s, int64_t channel, double *mean, double *var)
{
    double n = (double)k->pixels, all = n * (double)(k->together * k->width);
    *mean = *var = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t i = s; i < s + k->together; i++)
            for (int64_t c = channel; c < channel + k->width; c++) {
                double origin = numbers(k, i, MEAN)[c], sum = k->sum[i * 2 * k->c + c],
                       square = k->sum[(i * 2 + 1) * k->c + c], off = origin - *mean;
                if (pass == 0) *mean += (sum + n * origin) / all;
                else *var += (square + 2 * off * sum + n * off * off) / all;
            }
    if (*var < 0) *var = 0;
}

static limn_status run_moments(const limn_call *c)
{
    norm k = norm_of(c);
    int64_t n = k.samples / k.together * k.groups;
    find_origins(&k);
    reduce(&k, around_origin);
    for (int64_t i = 0; i < n; i++) {
        double mean, var;
        group_moments(&k, i / k.groups, i % k.groups * k.width, &mean, &var);
        limn_put(&c->dst, i, mean);
        limn_put(&c->dst, n + i, var);
    }
    return LIMN_OK;
}

/* ---- the numbers of a channel ----------------------------------------------------------------------------------------- */

static double rstd_of(const norm *k, int64_t index)
{
    return 1 / sqrt(limn_get(k->moments, k->samples / k->together * k->groups + index) + k->call->attr->eps);
}

/* w or b of channel c of a sample; `none` where there are none */
static double weight(const norm *k, const limn_view *w, int64_t sample, int64_t c, double none)
{
    return !w ? none : limn_get(w, limn_shape_count(&w->shape) == k->c ? c : sample * k->c + c);
}

/* mean(v n(x)), then mean(v), over a group; sums: the first half or the second */
static double group_mean(const norm *k, int half, int64_t s, int64_t channel)
{
    double sum = 0;
    for (int64_t i = s; i < s + k->together; i++)
        for (int64_t c = channel; c < channel + k->width; c++)
            sum += limn_get(k->sums, (half * k->samples + i) * k->c + c) * weight(k, k->w, i, c, 1);
    return sum / (double)(k->pixels * k->width * k->together);
}

static void find_numbers(const norm *k)
{
    int64_t n = k->samples / k->together * k->groups;
#pragma omp parallel for schedule(static) num_threads(k->call->n_threads)
    for (int64_t index = 0; index < n; index++) {
        int64_t s = index / k->groups, channel = index % k->groups * k->width;
        double mean = limn_get(k->moments, index), rstd = rstd_of(k, index), slope = 0, offset = 0;
        if (k->call->op == LIMN_OP_GROUP_NORM_GRAD)
            slope = -rstd * rstd * group_mean(k, 0, s, channel), offset = -rstd * group_mean(k, 1, s, channel);
        for (int64_t i = s; i < s + k->together; i++)
            for (int64_t c = channel; c < channel + k->width; c++) {
                numbers(k, i, MEAN)[c] = (float)mean;
                numbers(k, i, SCALE)[c] = (float)(rstd * weight(k, k->w, i, c, 1));
                numbers(k, i, SHIFT)[c] = (float)weight(k, k->b, i, c, 0);
                numbers(k, i, SLOPE)[c] = (float)slope, numbers(k, i, OFFSET)[c] = (float)offset;
            }
    }
}

/* ---- forward ---------------------------------------------------------------------------------------------------------- */

/* The numbers of a sample, repeated in buffers. */
static limn_channels channels_of(const norm *k, int64_t sample)
{
    for (int i = 0; i < NUMBERS; i++) repeat(k, buffer(k, i), numbers(k, sample, i));
    return (limn_channels){k->call->attr->activation, buffer(k, MEAN),  buffer(k, SCALE),
                           buffer(k, SHIFT),          buffer(k, SLOPE), buffer(k, OFFSET)};
}

static void store(const norm *k, const float *from, int64_t at, int64_t n)
{
    k->rows->store(element(&k->call->dst, at), k->call->dst.dtype, from, n);
}

static void apply(const norm *k, int64_t sample, int64_t first, int64_t end, float *partial)
{
    (void)partial;
    limn_channels channels = channels_of(k, sample);
    float *y = buffer(k, FIRST);
    for (int64_t p = first; p < end; p += k->lines) {
        int64_t n = block_at(k, p, end), at = (sample * k->pixels + p) * k->c;
        k->rows->channel_norm(y, element(k->x, at), k->x->dtype, &channels, n);
        store(k, y, at, n);
    }
}

static limn_status run(const limn_call *c)
{
    norm k = norm_of(c);
    find_numbers(&k);
    for_chunks(&k, apply);
    return LIMN_OK;
}

/* ---- backward --------------------------------------------------------------------------------------------------------- */

/* x and dy of a block as values of one type: where they lie, or in buffers. */
static limn_dtype load_both(const norm *k, int64_t at, int64_t n, const void **x, const void **dy)
{
    *x = element(k->x, at), *dy = element(k->dy, at);
    if (k->x->dtype == k->dy->dtype) return k->x->dtype;
    *x = limn_cpu_floats(k->rows, k->x, at, n, buffer(k, X)), *dy = limn_cpu_floats(k->rows, k->dy, at, n, buffer(k, DY));
    return LIMN_F32;
}

/* partial: sum of dz (x - mean), sum of dz */
static void gradient_sums(const norm *k, int64_t sample, int64_t first, int64_t end, float *partial)
{
    limn_channels channels = channels_of(k, sample);
    float *along = buffer(k, FIRST), *sum = buffer(k, SECOND);
    const void *x, *dy;
    memset(along, 0, (size_t)k->block * sizeof *along);
    memset(sum, 0, (size_t)k->block * sizeof *sum);
    for (int64_t p = first; p < end; p += k->lines) {
        int64_t n = block_at(k, p, end);
        limn_dtype dtype = load_both(k, (sample * k->pixels + p) * k->c, n, &x, &dy);
        k->rows->channel_sums(along, sum, x, dy, dtype, &channels, n);
    }
    fold(k, along, partial);
    fold(k, sum, partial + k->c);
}

static limn_status run_grad_sums(const limn_call *c)
{
    norm k = norm_of(c);
    find_numbers(&k);
    reduce(&k, gradient_sums);
    for (int64_t s = 0; s < k.samples; s++)
        for (int64_t j = 0; j < k.c; j++) {
            double rstd = rstd_of(&k, (k.together > 1 ? 0 : s * k.groups) + j / k.width);
            limn_put(&c->dst, s * k.c + j, k.sum[s * 2 * k.c + j] * rstd);
            limn_put(&c->dst, (k.samples + s) * k.c + j, k.sum[(s * 2 + 1) * k.c + j]);
        }
    return LIMN_OK;
}

static void apply_gradient(const norm *k, int64_t sample, int64_t first, int64_t end, float *partial)
{
    (void)partial;
    limn_channels channels = channels_of(k, sample);
    float *dx = buffer(k, FIRST);
    const void *x, *dy;
    for (int64_t p = first; p < end; p += k->lines) {
        int64_t n = block_at(k, p, end), at = (sample * k->pixels + p) * k->c;
        limn_dtype dtype = load_both(k, at, n, &x, &dy);
        k->rows->channel_grad(dx, x, dy, dtype, &channels, n);
        store(k, dx, at, n);
    }
}

static limn_status run_grad(const limn_call *c)
{
    norm k = norm_of(c);
    find_numbers(&k);
    for_chunks(&k, apply_gradient);
    return LIMN_OK;
}

/* A block is read before it is stored: x, and in the gradient dy, may make room for the result. */
static bool in_place(const limn_call *c, int src)
{
    return src == 0 || (src == 2 && c->op == LIMN_OP_GROUP_NORM_GRAD);
}

const limn_kernel limn_cpu_moments = {
    .name = "moments", .refuse = refuse, .scratch_bytes = scratch_bytes, .run = run_moments};
const limn_kernel limn_cpu_group_norm = {
    .name = "group_norm", .refuse = refuse, .scratch_bytes = scratch_bytes, .run = run, .in_place = in_place};
const limn_kernel limn_cpu_group_norm_grad_sums = {
    .name = "group_norm_grad_sums", .refuse = refuse, .scratch_bytes = scratch_bytes, .run = run_grad_sums};
const limn_kernel limn_cpu_group_norm_grad = {
    .name = "group_norm_grad", .refuse = refuse, .scratch_bytes = scratch_bytes, .run = run_grad, .in_place = in_place};
