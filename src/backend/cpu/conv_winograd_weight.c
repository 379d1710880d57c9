/* conv_winograd_weight.c: the gradient of the weight of a 3 x 3 convolution of stride 1, with a quarter of the
 * multiplications: F(3x3, 4x4).
 *
 *   V[f][t][c] = B' x B,   D[f][t][o] = G dy G',   S[f][c][o] = sum over tiles t of V[f][t][c] D[f][t][o],   dw = A' S A
 *
 * (winograd.inc.h).  A tile is 4 x 4 pixels of dy and 6 x 6 of x; what lies outside is zero.  A job owns some channels of x
 * and of dy from the first tile to the last, a few tiles at a time, so that its sums stay in the near caches.  Each sum
 * runs over blocks of tiles in order: the thread count, which cuts the jobs, plays no part.
 *
 * Two kernels, as in conv_winograd.c.  "winograd" multiplies floats.  "winograd-int16", where both pictures are in bf16,
 * multiplies integers of 16 bits, of two tiles at a time: V has a scale for each f and channel, D for each f and column, of
 * each block of tiles (int16.inc.h). */
#include "backend/cpu/int16.h"
#include "backend/cpu/kernels.h"

#include <math.h>
#include <omp.h>
#include <string.h>

enum {
    ELEMENTS = 36,
    TILES = 32,       /* of a sum at a time */
    INT16_TILES = 64, /* of integers, at most 128 */
    SOME = 32,        /* channels that become integers at a time: a line of the cache in bf16 */
    AHEAD = 2,        /* tiles from the one whose pixels are fetched to the one at work */
    APART = 16,       /* floats between the rows of an operand, which would else meet in one set of the first cache */
};

typedef struct work {
    int64_t c, rows, cols, columns; /* of x; dy */
    int64_t top, left, down, across, tiles;
    int64_t width;             /* channels of a panel of dy */
    bool int16;                /* V and D are integers */
    int64_t block;             /* tiles of a sum at a time */
    int64_t own_c, own_panels; /* channels of x and panels of dy of a job */
    int64_t jobs_c, jobs_o;
    int64_t v_row, d_rows;     /* of a block: words of a row of V; rows of a panel of D */
    int64_t v_next, d_next, s_next, some_next; /* words from f to f of V, D and S, and of what becomes integers */
} work;

/* Channels of x and of dy, most of a job. */
static int64_t most_channels(bool int16)
{
    return int16 ? 128 : 96;
}

static int64_t most_columns(bool int16)
{
    return int16 ? 128 : 64;
}

/* Jobs: as few as their room allows, but one for each thread where the channels go round. */
static void share(work *k, int n_threads)
{
    int64_t panels = limn_parts(k->columns, k->width), most_c = most_channels(k->int16),
            most = most_columns(k->int16) / k->width;
    while (most_c > SOME && limn_parts(k->c, most_c) * limn_parts(panels, most) < n_threads)
        if (most == 1 || 2 * most * k->width <= most_c) most_c /= 2;
        else most /= 2;
    k->own_c = limn_round_up(limn_parts(k->c, limn_parts(k->c, most_c)), 16);
    k->jobs_c = limn_parts(k->c, k->own_c);
    k->own_panels = limn_parts(panels, limn_parts(panels, most));
    k->jobs_o = limn_parts(panels, k->own_panels);
}

/* Cycles of a channel and a panel, of a picture, as in conv_winograd.c: x and dy are transformed for each job that reads
 * them. */
typedef struct costs {
    double product, input, result, window;
} costs;

static double in_tiles(const work *k, bool int16, costs of)
{
    double tiles = (double)(k->down * k->across), c = (double)limn_least(k->c, most_channels(int16)),
           o = (double)limn_least(k->columns, most_columns(int16));
    return tiles * (ELEMENTS * of.product + of.input / o + of.result / c) + of.window;
}

static double cost_of_floats(const work *k)
{
    return 1.2 * in_tiles(k, false, (costs){.product = 1, .input = 300, .result = 200, .window = 100});
}

static double cost_of_integers(const limn_call *c, const work *k)
{
    const limn_rows *rows = limn_rows_of(c);
    double product = rows->isa >= LIMN_ISA_AVX512 ? limn_int16_cost(rows) : 0.8;
    return in_tiles(k, true, (costs){.product = product, .input = 600, .result = 550, .window = 150});
}

static double direct_cost(const limn_call *c, const work *k)
{
    enum { TAPS = 9 };
    return (double)(TAPS * k->rows * k->cols) * limn_direct_cost(c);
}

static work work_of(const limn_call *c)
{
    const int64_t *x = c->src[0].shape.dim, *dy = c->src[1].shape.dim;
    work k = {.c = x[3],
              .rows = dy[1],
              .cols = dy[2],
              .columns = dy[3],
              .top = c->attr->pad[0],
              .left = c->attr->pad[1],
              .down = limn_parts(dy[1], 4),
              .across = limn_parts(dy[2], 4),
              .width = limn_rows_of(c)->floats.width};
    k.tiles = x[0] * k.down * k.across;
    k.int16 = limn_int16_is_best(c, cost_of_integers(c, &k), cost_of_floats(&k), direct_cost(c, &k));
    k.block = k.int16 ? INT16_TILES : TILES;
    share(&k, c->n_threads);
    k.v_row = k.own_c + (k.int16 ? APART : 0), k.d_rows = k.int16 ? k.block / 2 : k.block;
    k.v_next = k.d_rows * k.v_row + APART, k.d_next = k.d_rows * k.own_panels * k.width + APART;
    k.some_next = k.block * SOME + APART;
    k.s_next = k.own_panels * k.own_c * k.width + APART;
    return k;
}

static const char *refuse_all(const limn_call *c)
{
    const char *why = limn_cpu_refuse_types(c);
    const int64_t *w = c->dst.shape.dim;
    if (why) return why;
    if (c->dst.dtype != LIMN_F32) return "weight gradients are f32";
    if (w[2] != 3 || w[3] != 3 || c->attr->stride != 1) return "windows are not 3 x 3 with a stride of 1";
    if (c->exact) return "sums are to be exact";
    return c->src[0].shape.dim[3] % 16 || c->src[1].shape.dim[3] % limn_rows_of(c)->floats.width
               ? "channels are no multiple of 16, or of two vectors"
               : NULL;
}

static const char *const too_small = "so few pixels or channels that transforms cost more than they save";

static const char *refuse(const limn_call *c)
{
    const char *why = refuse_all(c);
    if (why) return why;
    work k = work_of(c);
    if (k.int16) return "integers of 16 bits are faster";
    return cost_of_floats(&k) < direct_cost(c, &k) ? NULL : too_small;
}

static const char *refuse_int16(const limn_call *c)
{
    const char *why = refuse_all(c);
    if (!why) why = limn_int16_refuse(c);
    return why || work_of(c).int16 ? why : too_small;
}

/* ---- running ---------------------------------------------------------------------------------------------------------- */

static int64_t room_floats(const work *k)
{
    enum { POINTER = sizeof(void *) / sizeof(float) };
    int64_t of_integers =
        k->int16 ? ELEMENTS * (k->some_next + k->own_c + k->own_panels * k->width + k->block * POINTER) : 0;
    return ELEMENTS * (k->v_next + k->d_next + k->s_next) + (k->c > k->columns ? k->c : k->columns) + of_integers;
}

static size_t scratch_bytes(const limn_call *c)
{
    work k = work_of(c);
    return (size_t)(c->n_threads * room_floats(&k)) * sizeof(float);
}

typedef struct job {
    int64_t c, channels, panel, panels; /* first and how many */
    float *v, *d, *s, *outside;
    /* of integers: some of V or D before they are, [f][tile][channel]; what makes them what they were, [f][channel] */
    float *some, *v_scale, *d_scale;
    const void **pixel; /* of a block */
} job;

static job job_of(const work *k, int64_t i, float *room)
{
    job j = {.c = i / k->jobs_o * k->own_c, .panel = i % k->jobs_o * k->own_panels, .v = room};
    j.channels = limn_least(k->c - j.c, k->own_c);
    j.panels = limn_least(k->columns / k->width - j.panel, k->own_panels);
    j.d = j.v + ELEMENTS * k->v_next, j.s = j.d + ELEMENTS * k->d_next, j.outside = j.s + ELEMENTS * k->s_next;
    j.some = j.outside + (k->c > k->columns ? k->c : k->columns);
    j.v_scale = j.some + ELEMENTS * k->some_next, j.d_scale = j.v_scale + ELEMENTS * k->own_c;
    j.pixel = (void *)(j.d_scale + ELEMENTS * k->own_panels * k->width);
    return j;
}

/* Where tile t begins in dy. */
static limn_spot spot_of(const work *k, int64_t t)
{
    return (limn_spot){t / k->across / k->down, t / k->across % k->down * 4, t % k->across * 4};
}

/* 6 x 6 pixels of tile t of x, or 4 x 4 of dy, from channel `first` on */
static void find_pixels(const limn_call *c, const work *k, const job *j, int s, int64_t t, int64_t first, const void **pixel)
{
    limn_spot at = spot_of(k, t);
    int side = s ? 4 : 6;
    if (!s) at.row -= k->top, at.col -= k->left;
    limn_cpu_find_pixels(&c->src[s], at, side, j->outside, pixel);
    for (int i = 0; i < side * side; i++)
        pixel[i] = (const char *)pixel[i] + (size_t)first * limn_dtype_bytes(c->src[s].dtype);
}

/* V [f][tile][channel] and D [f][panel][tile][column] of n tiles */
static void transform_floats(const limn_call *c, const work *k, const job *j, int64_t t, int64_t n)
{
    const limn_winograd *w = &limn_rows_of(c)->winograd;
    const void *pixel[ELEMENTS];
    for (int64_t m = 0; m < n; m++) {
        find_pixels(c, k, j, 0, t + m, j->c, pixel);
        w->input(j->v + m * k->v_row, k->v_next, pixel, c->src[0].dtype, j->channels);
        find_pixels(c, k, j, 1, t + m, j->panel * k->width, pixel);
        for (int64_t p = 0; p < j->panels; p++)
            w->result(j->d + (p * k->d_rows + m) * k->width, k->d_next, pixel, c->src[1].dtype, p * k->width);
    }
}

static void fetch(const void *const *pixel, int n)
{
    for (int i = 0; i < n; i++) __builtin_prefetch(pixel[i]);
}

/* Pixels of bf16, some channels further */
static void advance(const void **pixel, int64_t n, int64_t channels)
{
    for (int64_t i = 0; i < n; i++) pixel[i] = (const uint16_t *)pixel[i] + channels;
}

/* V [f][pair of tiles][channel], some channels at a time */
static void x_to_integers(const limn_call *c, const work *k, const job *j, int64_t t, int64_t n)
{
    const limn_rows *rows = limn_rows_of(c);
    for (int64_t m = 0; m < n; m++) find_pixels(c, k, j, 0, t + m, j->c, j->pixel + m * ELEMENTS);
    for (int64_t i = 0, some; i < j->channels; i += some) {
        some = limn_least(j->channels - i, SOME);
        for (int64_t m = 0; m < n; m++) {
            if (m + AHEAD < n) fetch(j->pixel + (m + AHEAD) * ELEMENTS, ELEMENTS);
            rows->winograd.input(j->some + m * SOME, k->some_next, j->pixel + m * ELEMENTS, LIMN_BF16, some);
        }
        for (int64_t f = 0; f < ELEMENTS; f++)
            rows->int16.pairs(j->v + f * k->v_next + i, k->v_row, j->v_scale + f * k->own_c + i, j->some + f * k->some_next,
                              SOME, n, some, INFINITY, LIMN_INT16_A);
        advance(j->pixel, n * ELEMENTS, some);
    }
}

/* D [f][panel][pair of tiles][column] */
static void dy_to_integers(const limn_call *c, const work *k, const job *j, int64_t t, int64_t n)
{
    enum { PIXELS = 16 };
    const limn_rows *rows = limn_rows_of(c);
    for (int64_t m = 0; m < n; m++) find_pixels(c, k, j, 1, t + m, j->panel * k->width, j->pixel + m * PIXELS);
    for (int64_t p = 0; p < j->panels; p++) {
        for (int64_t m = 0; m < n; m++) {
            if (m + AHEAD < n) fetch(j->pixel + (m + AHEAD) * PIXELS, PIXELS);
            rows->winograd.result(j->some + m * SOME, k->some_next, j->pixel + m * PIXELS, LIMN_BF16, 0);
        }
        for (int64_t f = 0; f < ELEMENTS; f++)
            rows->int16.pairs(j->d + f * k->d_next + p * k->d_rows * k->width, k->width,
                              j->d_scale + (f * k->own_panels + p) * k->width, j->some + f * k->some_next, SOME, n, k->width,
                              LIMN_INT16_B, LIMN_INT16_MOST);
        advance(j->pixel, n * PIXELS, k->width);
    }
}

/* S += V' D of n tiles */
static void multiply_floats(const limn_call *c, const work *k, const job *j, int64_t n, bool add)
{
    limn_tile *tile = limn_rows_of(c)->floats.multiply;
    for (int64_t f = 0; f < ELEMENTS; f++)
        for (int64_t p = 0; p < j->panels; p++)
            for (int64_t i = 0; i < j->channels; i += LIMN_TILE_ROWS)
                tile(j->s + f * k->s_next + (p * k->own_c + i) * k->width, k->width, j->v + f * k->v_next + i, 1, k->v_row,
                     0, j->d + f * k->d_next + p * k->d_rows * k->width, n, 1,
                     (int)limn_least(j->channels - i, LIMN_TILE_ROWS), (int)k->width, add);
}

static void multiply_integers(const limn_call *c, const work *k, const job *j, int64_t n, bool add)
{
    const limn_int16 *rows = &limn_rows_of(c)->int16;
    for (int64_t f = 0; f < ELEMENTS; f++)
        for (int64_t p = 0; p < j->panels; p++)
            for (int64_t i = 0; i < j->channels; i += rows->rows)
                rows->multiply(j->s + f * k->s_next + (p * k->own_c + i) * k->width, k->width, j->v + f * k->v_next + i, 1,
                               k->v_row, j->d + f * k->d_next + p * k->d_rows * k->width, limn_parts(n, 2),
                               (int)limn_least(j->channels - i, rows->rows), j->v_scale + f * k->own_c + i,
                               j->d_scale + (f * k->own_panels + p) * k->width, add);
}

/* To dW [o][c][tap] */
static void publish(const limn_call *c, const work *k, const job *j)
{
    float window[9 * LIMN_PANEL], *dw = c->dst.data;
    for (int64_t p = 0; p < j->panels; p++)
        for (int64_t i = 0; i < j->channels; i++) {
            limn_rows_of(c)->winograd.window(window, j->s + (p * k->own_c + i) * k->width, k->s_next);
            for (int64_t o = 0; o < k->width; o++) {
                float *to = dw + (((j->panel + p) * k->width + o) * k->c + j->c + i) * 9;
                for (int64_t tap = 0; tap < 9; tap++) to[tap] = window[tap * k->width + o];
            }
        }
}

static limn_status run(const limn_call *c)
{
    work k = work_of(c);
#pragma omp parallel for schedule(static) num_threads(c->n_threads)
    for (int64_t i = 0; i < k.jobs_c * k.jobs_o; i++) {
        job j = job_of(&k, i, (float *)c->scratch + omp_get_thread_num() * room_floats(&k));
        memset(j.outside, 0, (size_t)(k.c > k.columns ? k.c : k.columns) * sizeof(float));
        for (int64_t t = 0, n; t < k.tiles; t += n) {
            n = limn_least(k.tiles - t, k.block);
            if (k.int16) {
                x_to_integers(c, &k, &j, t, n), dy_to_integers(c, &k, &j, t, n);
                multiply_integers(c, &k, &j, n, t > 0);
            } else {
                transform_floats(c, &k, &j, t, n);
                multiply_floats(c, &k, &j, n, t > 0);
            }
        }
        publish(c, &k, &j);
    }
    return LIMN_OK;
}

const limn_kernel limn_cpu_conv_winograd_weight = {
    .name = "winograd", .refuse = refuse, .scratch_bytes = scratch_bytes, .run = run};
const limn_kernel limn_cpu_conv_winograd_weight_int16 = {
    .name = "winograd-int16", .refuse = refuse_int16, .scratch_bytes = scratch_bytes, .run = run};
