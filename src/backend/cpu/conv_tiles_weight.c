/* conv_tiles_weight.c: the gradient of a convolution's weight in f32 tiles of our own.  Pictures of another type are converted as a whole.
 *
 *   dW [O][terms] = dy [pixels][O]^T A [pixels][terms]        A: the windows of window.h
 *
 * Blocks of pixels in order; in each, dy lies in tiles [pixels][6] and A in panels [pixels][2 V].  A thread owns columns of dW from the first
 * pixel to the last, so the thread count plays no part. */
#include "backend/cpu/kernels.h"
#include "backend/cpu/window.h"

#include <omp.h>

enum { BLOCK = 256 };

static const char *refuse(const limn_call *c)
{
    const char *why = limn_cpu_refuse_types(c);
    return why ? why : c->dst.dtype == LIMN_F32 ? NULL : "weight gradients are f32";
}

static limn_windows windows_of(const limn_call *c)
{
    const int64_t *x = c->src[0].shape.dim, *dy = c->src[1].shape.dim, *w = c->dst.shape.dim;
    return (limn_windows){.source = c->src[0].data, .batch = x[0], .h = x[1], .w = x[2], .c = x[3], .rows = dy[1], .cols = dy[2],
                          .kh = w[2], .kw = w[3], .step = c->attr->stride, .top = c->attr->pad[0], .left = c->attr->pad[1]};
}

/* Scratch: dW in the order of terms, then for each thread the tiles of dy and one panel of A. */
static size_t thread_floats(const limn_call *c)
{
    return (size_t)(BLOCK * (limn_round_up(c->dst.shape.dim[0], LIMN_TILE_ROWS) + 2 * limn_rows_of(c)->vector));
}

/* Floats of a converted copy of source i; 0 where it is f32. */
static size_t copy_floats(const limn_call *c, int i)
{
    return c->src[i].dtype == LIMN_F32 ? 0 : (size_t)limn_round_up(limn_shape_count(&c->src[i].shape), 16);
}

static size_t own_floats(const limn_call *c)
{
    return (size_t)limn_round_up(limn_shape_count(&c->dst.shape), 16) + (size_t)c->n_threads * thread_floats(c);
}

static size_t scratch_bytes(const limn_call *c)
{
    return (own_floats(c) + copy_floats(c, 0) + copy_floats(c, 1)) * sizeof(float);
}

static const float *floats_of(const limn_call *c, int i, float *room)
{
    const limn_view *v = &c->src[i];
    if (v->dtype == LIMN_F32) return v->data;
    limn_cpu_convert(v->data, v->dtype, room, LIMN_F32, limn_shape_count(&v->shape), c->n_threads);
    return room;
}

/* Rows of dy -> tiles [6 columns] of [BLOCK][6] */
static void pack_tiles(const float *dy, int64_t n, int64_t channels, float *to)
{
    for (int64_t o = 0; o < channels; o += LIMN_TILE_ROWS, to += BLOCK * LIMN_TILE_ROWS) {
        int64_t m = channels - o < LIMN_TILE_ROWS ? channels - o : LIMN_TILE_ROWS;
        for (int64_t i = 0; i < n; i++)
            for (int64_t k = 0; k < LIMN_TILE_ROWS; k++) to[i * LIMN_TILE_ROWS + k] = k < m ? dy[i * channels + o + k] : 0;
    }
}

/* Terms term..term+m of n pixels -> [n][width].  Within one tap and inside the picture that is m neighbours of each pixel. */
static void pack_panel(const limn_windows *k, int64_t pixel, int64_t n, int64_t term, int64_t m, int64_t width, float *to)
{
    int64_t tap = term / k->c, first = term % k->c, u = tap / k->kw, v = tap % k->kw;
    bool one_tap = first + m <= k->c && m == width;
    for (int64_t i = 0; i < n; i++, to += width) {
        if (!one_tap) {
            limn_window_copy(k, pixel + i, term, m, to);
            memset(to + m, 0, (size_t)(width - m) * sizeof *to);
            continue;
        }
        int64_t p = pixel + i, y = p / k->cols % k->rows * k->step + u - k->top, x = p % k->cols * k->step + v - k->left, b = p / k->cols / k->rows;
        if (y < 0 || x < 0 || y >= k->h || x >= k->w) memset(to, 0, (size_t)width * sizeof *to);
        else memcpy(to, k->source + ((b * k->h + y) * k->w + x) * k->c + first, (size_t)width * sizeof *to);
    }
}

/* dW [o][term] -> [o][c][u][v] */
static void to_published_order(const limn_windows *k, const float *sum, int64_t channels, int n_threads, float *dw)
{
    int64_t taps = k->kh * k->kw;
#pragma omp parallel for schedule(static) num_threads(n_threads)
    for (int64_t o = 0; o < channels; o++)
        for (int64_t tap = 0; tap < taps; tap++)
            for (int64_t c = 0; c < k->c; c++) dw[(o * k->c + c) * taps + tap] = sum[(o * taps + tap) * k->c + c];
}

static void run(const limn_call *c)
{
    const limn_rows *rows = limn_rows_of(c);
    limn_windows k = windows_of(c);
    float *copies = (float *)c->scratch + own_floats(c);
    k.source = floats_of(c, 0, copies);
    const float *gradient = floats_of(c, 1, copies + copy_floats(c, 0));
    int64_t pixels = limn_windows_pixels(&k), terms = limn_windows_terms(&k), channels = c->dst.shape.dim[0], width = 2 * rows->vector;
    int64_t n_panels = (terms + width - 1) / width;
    float *sum = c->scratch, *threads = sum + limn_round_up(limn_shape_count(&c->dst.shape), 16);
#pragma omp parallel num_threads(c->n_threads)
    {
        float *dy = threads + (size_t)omp_get_thread_num() * thread_floats(c), *a = dy + BLOCK * limn_round_up(channels, LIMN_TILE_ROWS);
        for (int64_t i = 0; i < pixels; i += BLOCK) {
            int64_t n = pixels - i < BLOCK ? pixels - i : BLOCK;
            pack_tiles(gradient + i * channels, n, channels, dy);
#pragma omp for schedule(static) nowait
            for (int64_t j = 0; j < n_panels; j++) {
                int64_t term = j * width, m = terms - term < width ? terms - term : width;
                pack_panel(&k, i, n, term, m, width, a);
                for (int64_t o = 0; o < channels; o += LIMN_TILE_ROWS)
                    rows->tile(sum + o * terms + term, terms, dy + o * BLOCK, 1, LIMN_TILE_ROWS, 0, a, n, 1,
                               (int)(channels - o < LIMN_TILE_ROWS ? channels - o : LIMN_TILE_ROWS), (int)m, i > 0);
            }
        }
    }
    to_published_order(&k, sum, channels, c->n_threads, c->dst.data);
}

const limn_kernel limn_cpu_conv_tiles_weight = {.name = "tiles", .refuse = refuse, .scratch_bytes = scratch_bytes, .run = run};
