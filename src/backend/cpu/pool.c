/* pool.c: pooling and resizing: a row of C channels at a time, threads take rows of the result.   [B,H,W,C] */
#include "backend/cpu/kernels.h"
#include "backend/cpu/rows.h"
#include "backend/line.h"

#include <omp.h>
#include <string.h>

enum { MAX_CHANNELS = 16384, BUFFERS = 4, MAX_WINDOW = 16 };

static const char *refuse(const limn_call *c)
{
    const char *why = limn_cpu_refuse_types(c);
    if (!why && c->attr->stride > MAX_WINDOW) why = "windows larger than 16";
    return why ? why : limn_shape_cols(&c->src[0].shape) <= MAX_CHANNELS ? NULL : "more than 16384 channels";
}

/* Floats of a buffer: as many whole windows of one line as a block holds, at least one; a pixel. */
static int64_t buffer_floats(const limn_call *c)
{
    int64_t window = limn_shape_cols(&c->dst.shape) * (c->attr->stride > 1 ? c->attr->stride : 1);
    return limn_round_up(window < LIMN_BLOCK ? LIMN_BLOCK : window, 16);
}

static size_t scratch_bytes(const limn_call *c)
{
    return (size_t)(c->n_threads * BUFFERS * buffer_floats(c)) * sizeof(float);
}

static float *buffer(const limn_call *c, int i)
{
    return (float *)c->scratch + (omp_get_thread_num() * BUFFERS + i) * buffer_floats(c);
}

static int64_t element(const limn_view *v, int64_t b, int64_t y, int64_t x)
{
    return ((b * v->shape.dim[1] + y) * v->shape.dim[2] + x) * v->shape.dim[3];
}

static const float *read_some(const limn_call *c, int s, int64_t at, int64_t n, float *room)
{
    return limn_cpu_floats(limn_rows_of(c), &c->src[s], at, n, room);
}

static void write_some(const limn_call *c, int64_t at, const float *from, int64_t n)
{
    limn_rows_of(c)->store((char *)c->dst.data + (size_t)at * limn_dtype_bytes(c->dst.dtype), c->dst.dtype, from, n);
}

/* One pixel */
static const float *read(const limn_call *c, int s, int64_t at, float *room)
{
    return read_some(c, s, at, limn_shape_cols(&c->dst.shape), room);
}

static void write(const limn_call *c, int64_t at, const float *from)
{
    write_some(c, at, from, limn_shape_cols(&c->dst.shape));
}

/* row(call, sample, row) for all rows of a picture, by threads */
static void for_rows(const limn_call *c, const limn_view *of, void (*row)(const limn_call *c, int64_t b, int64_t y))
{
    int64_t h = of->shape.dim[1], n = of->shape.dim[0] * h;
#pragma omp parallel for schedule(static) num_threads(c->n_threads)
    for (int64_t i = 0; i < n; i++) row(c, i / h, i % h);
}

/* ---- pooling ---------------------------------------------------------------------------------------------------------- */

/* A NaN is larger than any number, and stays. */
static inline bool larger(float a, float b)
{
    return (a > b) | ((a != a) & (b == b)); /* without branches: vectors */
}

static void take_larger(float *restrict top, const float *restrict v, int64_t n)
{
    for (int64_t k = 0; k < n; k++) {
        float old = top[k], new = v[k];
        top[k] = larger(new, old) ? new : old;
    }
}

/* The same; place becomes i where v is larger */
static void keep_larger(float *restrict top, float *restrict place, const float *restrict v, float i, int64_t n)
{
    for (int64_t k = 0; k < n; k++) {
        float old = top[k], was = place[k], new = v[k];
        bool is = larger(new, old);
        top[k] = is ? new : old;
        place[k] = is ? i : was;
    }
}

/* dx = dy where the place is i, else 0 */
static void add_share(float *restrict dx, const float *restrict place, const float *restrict dy, float i, int64_t n)
{
    for (int64_t k = 0; k < n; k++) {
        float y = dy[k];
        dx[k] = place[k] == i ? y : 0;
    }
}

/* Windows that are read together. */
static int64_t windows_together(const limn_call *c, int64_t left)
{
    int64_t most = buffer_floats(c) / (c->attr->stride * limn_shape_cols(&c->dst.shape));
    return left < most ? left : most;
}

static void max_row(const limn_call *c, int64_t b, int64_t y)
{
    int size = c->attr->stride;
    int64_t n = c->dst.shape.dim[3], width = c->dst.shape.dim[2];
    float *best = buffer(c, 0);
    for (int64_t x = 0, m; x < width; x += m) {
        m = windows_together(c, width - x);
        for (int i = 0; i < size; i++) {
            const float *v = read_some(c, 0, element(&c->src[0], b, y * size + i, x * size), m * size * n, buffer(c, 1));
            for (int64_t k = 0; k < m; k++)
                for (int j = 0; j < size; j++, v += n) {
                    if (i + j == 0) memcpy(best + k * n, v, (size_t)n * sizeof *best);
                    else take_larger(best + k * n, v, n);
                }
        }
        write_some(c, element(&c->dst, b, y, x), best, m * n);
    }
}

/* Row y of dy: its windows are apart, so each element of dx is written once.  First the place of the first largest, then dy
 * there. */
static void max_grad_row(const limn_call *c, int64_t b, int64_t y)
{
    int size = c->attr->stride;
    int64_t n = c->dst.shape.dim[3], width = c->src[1].shape.dim[2];
    float *place = buffer(c, 0), *top = buffer(c, 1), *dx = buffer(c, 2), *room = buffer(c, 3);
    for (int64_t x = 0, m; x < width; x += m) {
        m = windows_together(c, width - x);
        for (int i = 0; i < size; i++) {
            const float *v = read_some(c, 0, element(&c->src[0], b, y * size + i, x * size), m * size * n, room);
            for (int64_t k = 0; k < m; k++)
                for (int j = 0; j < size; j++, v += n) {
                    if (i + j == 0)
                        memcpy(top + k * n, v, (size_t)n * sizeof *top), memset(place + k * n, 0, (size_t)n * sizeof *place);
                    else keep_larger(top + k * n, place + k * n, v, (float)(i * size + j), n);
                }
        }
        const float *dy = read_some(c, 1, element(&c->src[1], b, y, x), m * n, room);
        for (int i = 0; i < size; i++) {
            for (int64_t k = 0; k < m; k++)
                for (int j = 0; j < size; j++)
                    add_share(dx + (k * size + j) * n, place + k * n, dy + k * n, (float)(i * size + j), n);
            write_some(c, element(&c->dst, b, y * size + i, x * size), dx, m * size * n);
        }
    }
}

static void average_row(const limn_call *c, int64_t b, int64_t y)
{
    int size = c->attr->stride;
    int64_t n = c->dst.shape.dim[3];
    float *sum = buffer(c, 0), share = 1 / (float)(size * size);
    for (int64_t x = 0; x < c->dst.shape.dim[2]; x++) {
        memset(sum, 0, (size_t)n * sizeof *sum);
        for (int i = 0; i < size * size; i++)
            limn_rows_of(c)->add(
                sum, read(c, 0, element(&c->src[0], b, y * size + i / size, x * size + i % size), buffer(c, 1)), n);
        for (int64_t k = 0; k < n; k++) sum[k] *= share;
        write(c, element(&c->dst, b, y, x), sum);
    }
}

static void average_grad_row(const limn_call *c, int64_t b, int64_t y)
{
    int size = c->attr->stride;
    int64_t n = c->dst.shape.dim[3];
    float *dx = buffer(c, 0), share = 1 / (float)(size * size);
    for (int64_t x = 0; x < c->dst.shape.dim[2]; x++) {
        const float *dy = read(c, 0, element(&c->src[0], b, y / size, x / size), buffer(c, 1));
        for (int64_t k = 0; k < n; k++) dx[k] = dy[k] * share;
        write(c, element(&c->dst, b, y, x), dx);
    }
}

static limn_status run_max(const limn_call *c)
{
    for_rows(c, &c->dst, max_row);
    return LIMN_OK;
}

static limn_status run_max_grad(const limn_call *c)
{
    for_rows(c, &c->src[1], max_grad_row);
    return LIMN_OK;
}

static limn_status run_average(const limn_call *c)
{
    for_rows(c, &c->dst, average_row);
    return LIMN_OK;
}

static limn_status run_average_grad(const limn_call *c)
{
    for_rows(c, &c->dst, average_grad_row);
    return LIMN_OK;
}

/* ---- resizing --------------------------------------------------------------------------------------------------------- */

static void add_scaled(float *sum, const float *x, float scale, int64_t n)
{
    for (int64_t k = 0; k < n; k++) sum[k] += scale * x[k];
}

static void resize_row(const limn_call *c, int64_t b, int64_t y)
{
    const limn_view *from = &c->src[0];
    int64_t n = c->dst.shape.dim[3];
    limn_line row = limn_resize_line(c->attr->resize, y, from->shape.dim[1], c->dst.shape.dim[1]);
    float *sum = buffer(c, 0);
    for (int64_t x = 0; x < c->dst.shape.dim[2]; x++) {
        limn_line col = limn_resize_line(c->attr->resize, x, from->shape.dim[2], c->dst.shape.dim[2]);
        if (c->attr->resize == LIMN_NEAREST) {
            write(c, element(&c->dst, b, y, x), read(c, 0, element(from, b, row.at[0], col.at[0]), buffer(c, 1)));
            continue;
        }
        memset(sum, 0, (size_t)n * sizeof *sum);
        for (int i = 0; i < 4; i++)
            add_scaled(sum, read(c, 0, element(from, b, row.at[i / 2], col.at[i % 2]), buffer(c, 1)),
                       (float)(row.weight[i / 2] * col.weight[i % 2]), n);
        write(c, element(&c->dst, b, y, x), sum);
    }
}

/* Pixels first..end of `to` are all that pixel i of `from` has a share in. */
static void users(limn_resize_mode mode, int64_t i, int64_t from, int64_t to, int64_t *first, int64_t *end)
{
    double scale = (double)to / (double)from,
           wide = mode == LIMN_BILINEAR_ALIGNED && from > 1 ? (double)(to - 1) / (double)(from - 1) : scale;
    double low = ((double)i - 1) * (wide < scale ? wide : scale) - 2,
           high = ((double)i + 2) * (wide > scale ? wide : scale) + 2;
    *first = low < 0 ? 0 : (int64_t)low;
    *end = high > (double)to || i == from - 1 ? to : (int64_t)high;
    if (i == 0) *first = 0;
}

static void resize_grad_row(const limn_call *c, int64_t b, int64_t y)
{
    const limn_view *dy = &c->src[0];
    const int64_t *small = c->dst.shape.dim, *large = dy->shape.dim;
    float *sum = buffer(c, 0);
    int64_t top, bottom, left, right;
    users(c->attr->resize, y, small[1], large[1], &top, &bottom);
    for (int64_t x = 0; x < small[2]; x++) {
        memset(sum, 0, (size_t)small[3] * sizeof *sum);
        users(c->attr->resize, x, small[2], large[2], &left, &right);
        for (int64_t i = top; i < bottom; i++) {
            double wy = limn_resize_weight(c->attr->resize, i, small[1], large[1], y);
            for (int64_t j = left; wy != 0 && j < right; j++) {
                double wx = limn_resize_weight(c->attr->resize, j, small[2], large[2], x);
                if (wx != 0) add_scaled(sum, read(c, 0, element(dy, b, i, j), buffer(c, 1)), (float)(wy * wx), small[3]);
            }
        }
        write(c, element(&c->dst, b, y, x), sum);
    }
}

static limn_status run_resize(const limn_call *c)
{
    for_rows(c, &c->dst, resize_row);
    return LIMN_OK;
}

static limn_status run_resize_grad(const limn_call *c)
{
    for_rows(c, &c->dst, resize_grad_row);
    return LIMN_OK;
}

#define ROWS(function) {.name = "rows", .refuse = refuse, .scratch_bytes = scratch_bytes, .run = function}

const limn_kernel limn_cpu_max_pool = ROWS(run_max), limn_cpu_max_pool_grad = ROWS(run_max_grad),
                  limn_cpu_average_pool = ROWS(run_average), limn_cpu_average_pool_grad = ROWS(run_average_grad),
                  limn_cpu_resize = ROWS(run_resize), limn_cpu_resize_grad = ROWS(run_resize_grad);
