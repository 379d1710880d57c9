/* conv_tiles_weight.c: the gradient of a convolution's weight in tiles of our own, f32 or bf16.
 *
 *   dW [o][c][tap] = sum over pixels p of x[what tap meets from p][c] dy[p][o]        pixels: those of the grid of window.h
 *
 * Words are floats, or where x or dy is bf16 pairs of neighbouring pixels (the other one is rounded to bf16).  Blocks of
 * pixels in order; in each, channels of dy and, for every tap, of x are laid out a few at a time: one of the two in strips
 * [steps][rows of a tile], the other in panels [steps][columns of a tile], with those tiles and that way round that leave
 * fewer of both empty.  A strip times a panel is a tile of dW.  A thread owns units (strips or panels) of x and of dy from
 * the first pixel to the last, so the thread count plays no part.  After the last block the tiles go to dW. */
#include "backend/cpu/amx.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/window.h"

#include <omp.h>

enum { BLOCK = 512 }; /* pixels of a sum at a time */

static const char *refuse(const limn_call *c)
{
    const char *why = limn_cpu_refuse_types(c);
    return why ? why : c->dst.dtype == LIMN_F32 ? NULL : "weight gradients are f32";
}

static bool in_pairs(const limn_call *c)
{
    return c->src[0].dtype == LIMN_BF16 || c->src[1].dtype == LIMN_BF16;
}

/* Channels of x or dy, laid out in units of a few. */
typedef struct side {
    const char *data;
    int64_t channels, width, units, own; /* channels of a unit; units in all; how many a thread owns */
} side;

/* What a call comes to. */
typedef struct work {
    limn_windows grid;
    side x, dy;
    bool x_in_panels;
    int64_t pixels, taps, n_blocks, together;  /* pixels of a word */
    int64_t rows, width, parts;                /* of a tile; threads side by side over x, the others over dy */
    size_t bytes;                              /* of an element */
    const limn_tiles *tiles;
} work;

/* Threads over x and over dy, so that the slowest has the least to do: to multiply a tile costs about as much as to lay out
 * two units. */
static void share(work *k, int n_threads)
{
    for (int64_t parts = n_threads, best = INT64_MAX; parts > 0; parts--) {
        int64_t x = limn_parts(k->x.units, parts), dy = limn_parts(k->dy.units, n_threads / parts),
                cost = k->taps * x * (2 * dy + 1) + dy;
        if (cost >= best) continue;
        best = cost;
        k->parts = parts, k->x.own = x, k->dy.own = dy;
    }
}

/* Elements of all tiles, those of empty rows and columns with them. */
static int64_t padded(const limn_tiles *tiles, int64_t in_panels, int64_t in_strips)
{
    return limn_round_up(in_panels, tiles->width) * limn_round_up(in_strips, tiles->rows);
}

static int64_t least_padded(const limn_tiles *tiles, int64_t x, int64_t dy)
{
    return padded(tiles, x, dy) < padded(tiles, dy, x) ? padded(tiles, x, dy) : padded(tiles, dy, x);
}

static const limn_tiles *tiles_of(const limn_call *c, int64_t x, int64_t dy)
{
    const limn_rows *rows = limn_rows_of(c);
    if (c->state) return c->state;
    if (!in_pairs(c)) return &rows->floats;
    return least_padded(&rows->narrow_pairs, x, dy) < least_padded(&rows->pairs, x, dy) ? &rows->narrow_pairs : &rows->pairs;
}

static work work_of(const limn_call *c)
{
    const int64_t *x = c->src[0].shape.dim, *dy = c->src[1].shape.dim, *w = c->dst.shape.dim;
    bool pairs = in_pairs(c);
    work k = {.grid = {.batch = x[0],
                       .h = x[1],
                       .w = x[2],
                       .c = x[3],
                       .rows = dy[1],
                       .cols = dy[2],
                       .kh = w[2],
                       .kw = w[3],
                       .step = c->attr->stride,
                       .top = c->attr->pad[0],
                       .left = c->attr->pad[1]},
              .x = {.data = c->src[0].data, .channels = x[3]},
              .dy = {.data = c->src[1].data, .channels = dy[3]},
              .taps = w[2] * w[3],
              .together = pairs ? 2 : 1,
              .bytes = limn_dtype_bytes(pairs ? LIMN_BF16 : LIMN_F32),
              .tiles = tiles_of(c, x[3], dy[3])};
    k.rows = k.tiles->rows, k.width = k.tiles->width;
    k.pixels = limn_windows_pixels(&k.grid), k.n_blocks = limn_parts(k.pixels, BLOCK);
    /* strips leave room in the second cache where few pixels meet many weights; panels are laid out faster */
    k.x_in_panels = k.n_blocks > 1 && padded(k.tiles, x[3], dy[3]) <= padded(k.tiles, dy[3], x[3]);
    k.x.width = k.x_in_panels ? k.width : k.rows, k.dy.width = k.x_in_panels ? k.rows : k.width;
    k.x.units = limn_parts(k.x.channels, k.x.width), k.dy.units = limn_parts(k.dy.channels, k.dy.width);
    share(&k, c->n_threads);
    return k;
}

/* ---- memory: for each thread a unit of x for every tap and its units of dy, then sums, then an operand rounded to bf16  */

static int64_t tile_floats(const work *k)
{
    return k->rows * k->width;
}

static int64_t unit_floats(const work *k, const side *s)
{
    return s->width * (BLOCK / k->together);
}

static int64_t thread_floats(const work *k)
{
    return limn_round_up(k->taps * unit_floats(k, &k->x) + k->dy.own * unit_floats(k, &k->dy), 16);
}

/* One block: the tiles of one unit of x and one of dy by each thread; else all. */
static int64_t sums_floats(const work *k, int n_threads)
{
    return (k->n_blocks > 1 ? k->x.units * k->dy.units : n_threads) * k->taps * tile_floats(k);
}

static size_t copy_bytes(const limn_call *c, int i)
{
    return in_pairs(c) && c->src[i].dtype != LIMN_BF16 ? (size_t)limn_round_up(limn_shape_count(&c->src[i].shape), 32) * 2
                                                       : 0;
}

static size_t scratch_bytes(const limn_call *c)
{
    work k = work_of(c);
    return (size_t)(c->n_threads * thread_floats(&k) + sums_floats(&k, c->n_threads)) * sizeof(float) + copy_bytes(c, 0) +
           copy_bytes(c, 1);
}

/* ---- laying out ------------------------------------------------------------------------------------------------------- */

static const float nothing[32]; /* a row of zeros, as long as a panel is wide */

/* Channels first.. of the pixel that tap (u, v) of pixel p meets; zeros outside and past `end`. */
static const char *met(const work *k, int64_t p, int64_t end, int64_t u, int64_t v, int64_t first)
{
    const limn_windows *g = &k->grid;
    int64_t j = p % g->cols, i = p / g->cols % g->rows, b = p / g->cols / g->rows, row = i * g->step + u - g->top,
            col = j * g->step + v - g->left;
    if (p >= end || row < 0 || col < 0 || row >= g->h || col >= g->w) return (const char *)nothing;
    return k->x.data + (size_t)(((b * g->h + row) * g->w + col) * g->c + first) * k->bytes;
}

/* Words that lie evenly apart from pixel p on: those of one grid row that are all inside the picture, or all above or below
 * it. */
static int64_t even_words(const work *k, int64_t p, int64_t end, int64_t u, int64_t v)
{
    const limn_windows *g = &k->grid;
    int64_t j = p % g->cols, row = p / g->cols % g->rows * g->step + u - g->top, col = j * g->step + v - g->left,
            n = g->cols - j;
    if (row >= 0 && row < g->h) {
        if (col < 0 || col >= g->w) return 0;
        int64_t inside = limn_parts(g->w - col, g->step);
        n = inside < n ? inside : n;
    }
    return (n < end - p ? n : end - p) / k->together;
}

static int64_t channels_of(const side *s, int64_t unit)
{
    int64_t left = s->channels - unit * s->width;
    return left < s->width ? left : s->width;
}

/* After `n` steps of a unit: zeros up to the steps of a product; a strip as the product takes it. */
static void complete(const work *k, const side *s, float *unit, int64_t n, int64_t steps)
{
    if (n < steps) k->tiles->lay(unit + n * s->width, s->width, nothing, nothing, 0, steps - n, 0);
    if (k->tiles->turn && (s == &k->x) != k->x_in_panels) k->tiles->turn(unit, steps);
}

/* A unit of what tap (u, v) of pixels p..end meets. */
static void lay_x(const work *k, int64_t p, int64_t end, int64_t u, int64_t v, int64_t unit, float *to)
{
    int64_t first = unit * k->x.width, channels = channels_of(&k->x, unit), next = k->grid.step * k->grid.c;
    for (int64_t n; p < end; p += n * k->together, to += n * k->x.width) {
        n = even_words(k, p, end, u, v);
        const char *a = met(k, p, end, u, v, first);
        if (n == 0) k->tiles->lay(to, k->x.width, a, met(k, p + 1, end, u, v, first), 0, n = 1, channels);
        else if (a == (const char *)nothing) k->tiles->lay(to, k->x.width, a, a, 0, n, channels);
        else k->tiles->lay(to, k->x.width, a, a + (size_t)next * k->bytes, k->together * next, n, channels);
    }
}

static void lay_dy(const work *k, int64_t p, int64_t end, int64_t unit, float *to)
{
    int64_t channels = channels_of(&k->dy, unit), n = (end - p) / k->together;
    const char *from = k->dy.data + (size_t)(p * k->dy.channels + unit * k->dy.width) * k->bytes;
    size_t next = (size_t)k->dy.channels * k->bytes;
    k->tiles->lay(to, k->dy.width, from, from + next, k->together * k->dy.channels, n, channels);
    if (n * k->together < end - p)
        k->tiles->lay(to + n * k->dy.width, k->dy.width, from + (size_t)(n * k->together) * next, nothing, 0, 1, channels);
}

/* ---- running ---------------------------------------------------------------------------------------------------------- */

/* n floats from here and there; four loads before four stores, which the compiler would order otherwise */
static inline void collect(float *to, const float *from, int64_t step, int64_t n)
{
    for (; n >= 4; n -= 4, to += 4, from += 4 * step) {
        float a = from[0], b = from[step], c = from[2 * step], d = from[3 * step];
        to[0] = a, to[1] = b, to[2] = c, to[3] = d;
    }
    for (; n > 0; n--, to++, from += step) *to = *from;
}

/* The tiles of all taps for unit i of x and unit j of dy, to dW [o][c][tap], whose lines are written once from end to
 * end. */
static void publish(const work *k, const float *tiles, int64_t i, int64_t j, float *dw)
{
    int64_t channels = channels_of(&k->x, i), outputs = channels_of(&k->dy, j), of_x = k->x_in_panels ? 1 : k->width,
            of_dy = k->x_in_panels ? k->width : 1;
    int64_t taps = k->taps, of_tap = tile_floats(k);
    for (int64_t o = 0; o < outputs; o++) {
        float *to = dw + ((j * k->dy.width + o) * k->x.channels + i * k->x.width) * taps;
        for (int64_t c = 0; c < channels; c++, to += taps) collect(to, tiles + c * of_x + o * of_dy, of_tap, taps);
    }
}

/* Pixels p..end for the units x.. and dy.. of one thread, laid out in `room`. */
static void run_block(const work *k, int64_t p, int64_t end, int64_t x, int64_t dy, float *room, float *sums, float *dw)
{
    int64_t last_x = x + k->x.own < k->x.units ? x + k->x.own : k->x.units,
            last_dy = dy + k->dy.own < k->dy.units ? dy + k->dy.own : k->dy.units;
    int64_t n = limn_parts(end - p, k->together), steps = limn_round_up(n, k->tiles->steps);
    int64_t of_x = unit_floats(k, &k->x), of_dy = unit_floats(k, &k->dy), of_tiles = k->taps * tile_floats(k);
    float *laid_dy = room + k->taps * of_x;
    for (int64_t j = dy; j < last_dy; j++) {
        lay_dy(k, p, end, j, laid_dy + (j - dy) * of_dy);
        complete(k, &k->dy, laid_dy + (j - dy) * of_dy, n, steps);
    }
    for (int64_t i = x; i < last_x; i++) {
        for (int64_t tap = 0; tap < k->taps; tap++) {
            lay_x(k, p, end, tap / k->grid.kw, tap % k->grid.kw, i, room + tap * of_x);
            complete(k, &k->x, room + tap * of_x, n, steps);
        }
        for (int64_t j = dy; j < last_dy; j++) {
            float *tiles = sums + (k->n_blocks > 1 ? i * k->dy.units + j : omp_get_thread_num()) * of_tiles;
            for (int64_t tap = 0; tap < k->taps; tap++) {
                const float *a = room + tap * of_x, *b = laid_dy + (j - dy) * of_dy;
                k->tiles->multiply(tiles + tap * tile_floats(k), k->width, k->x_in_panels ? b : a, 1, k->rows, 0,
                                   k->x_in_panels ? a : b, steps, 1, (int)k->rows, (int)k->width, p > 0);
            }
            if (end == k->pixels) publish(k, tiles, i, j, dw);
        }
    }
}

static limn_status run(const limn_call *c)
{
    work k = work_of(c);
    float *sums = (float *)c->scratch + c->n_threads * thread_floats(&k);
    uint16_t *copy = (uint16_t *)(sums + sums_floats(&k, c->n_threads));
    for (int i = 0; i < 2; copy += copy_bytes(c, i) / 2, i++) {
        if (!copy_bytes(c, i)) continue;
        limn_cpu_convert(c->src[i].data, c->src[i].dtype, copy, LIMN_BF16, limn_shape_count(&c->src[i].shape), c->n_threads);
        *(i == 0 ? &k.x.data : &k.dy.data) = (const char *)copy;
    }
#pragma omp parallel for schedule(static) num_threads(c->n_threads)
    for (int64_t part = 0; part < c->n_threads; part++) {
        int64_t x = part % k.parts * k.x.own, dy = part / k.parts * k.dy.own;
        float *room = (float *)c->scratch + omp_get_thread_num() * thread_floats(&k);
        if (k.tiles->begin) k.tiles->begin();
        for (int64_t p = 0; p < k.pixels && x < k.x.units && dy < k.dy.units; p += BLOCK)
            run_block(&k, p, p + BLOCK < k.pixels ? p + BLOCK : k.pixels, x, dy, room, sums, c->dst.data);
        if (k.tiles->end) k.tiles->end();
    }
    return LIMN_OK;
}

static const char *refuse_amx(const limn_call *c)
{
    const char *why = refuse(c);
    return why ? why : in_pairs(c) ? limn_isa_refuse_call(c, LIMN_ISA_AMX) : "sources are f32";
}

const limn_kernel limn_cpu_conv_tiles_weight = {
    .name = "tiles", .refuse = refuse, .scratch_bytes = scratch_bytes, .run = run};
const limn_kernel limn_cpu_conv_amx_weight = {
    .name = "amx", .refuse = refuse_amx, .prepare = limn_amx_prepare_pairs, .scratch_bytes = scratch_bytes, .run = run};
