/* conv_winograd.c: 3 x 3 convolutions of stride 1, with a quarter of the multiplications: F(4x4, 3x3).
 *
 *   V[f][t][c] = B' x B of tile t,   U[f][c][o] = G w G',   M[f] = V[f] U[f] for the 36 elements f,   y of tile t = A' M A
 *
 * (winograd.inc.h).  A tile is 4 x 4 pixels of the result and 6 x 6 of the source; what lies outside is zero, and a tile at
 * the border gives the pixels that there are.  A thread takes some tiles at a time, transforms them, and goes from panel to
 * panel of channels of the result: products out of the near caches, the last transform, bias, residual, activation.
 * U of a panel is transformed on the way, a block of channels at a time, from the nine numbers that the store holds: U in
 * the store is four times the bytes, and to read them costs as much (docs/speed.md).
 *
 * Two kernels.  "winograd" multiplies floats.  "winograd-int16", for pictures in bf16, multiplies integers of 16 bits, which
 * takes half the time: V has a scale for each f and tile, U for each f and column, of each block of channels (int16.inc.h).
 * In bf16 itself transformed numbers would lose three of its eight bits; integers that share a scale lose less than what
 * bf16 has lost before and will lose after (docs/speed.md).
 *
 * The gradient of the input is the convolution with turned weights.  Each sum runs over blocks of CHANNELS in order: neither
 * batch nor threads nor the other tiles play a part. */
#include "backend/cpu/int16.h"
#include "backend/cpu/kernels.h"
#include "base/rng.h"

#include <omp.h>
#include <string.h>

enum {
    ELEMENTS = 36,
    CHANNELS = 128,  /* of a sum at a time, and of a scale */
    APART = 16,      /* floats between the rows of an operand, which would else meet in one set of the first cache */
    MOST_TILES = 96, /* of a thread at a time, of floats of few channels half as many: in whole tiles of a product */
};

typedef struct work {
    int64_t batch, c;            /* source */
    int64_t rows, cols, columns; /* result */
    int64_t top, left;           /* pixels of zeros */
    int64_t down, across, tiles; /* tiles of a picture; of all */
    int64_t width, panels;       /* channels of a panel of the result; panels */
    bool int16;                  /* V and U are integers */
    int64_t tile_rows;           /* of a product */
    int64_t most;                /* tiles that a thread takes at a time */
    int64_t block, blocks;       /* channels of a sum at a time; such sums */
    int64_t v_row;               /* words (floats, or two integers) of a block of a tile */
    int64_t v_next, u_next, m_next; /* words from f to f of V, U and M */
} work;

static bool turned(const limn_call *c)
{
    return c->op == LIMN_OP_CONV_TRANSPOSE;
}

static int64_t channels_of(const work *k, int64_t block)
{
    return limn_least(k->c - block * CHANNELS, CHANNELS);
}

/* Cycles that a picture costs, of a core that multiplies two vectors of floats in one.  A tile of the source takes `input`
 * instructions for each vector of channels, one of the result `output`, U of a channel `weight` for a panel, a product
 * `product`.  The batch plays no part, so that a picture has the same bytes alone and among others. */
typedef struct costs {
    double product, input, output, weight;
} costs;

static double in_tiles(const work *k, costs of)
{
    double tiles = (double)(k->down * k->across), panels = (double)k->panels, c = (double)k->c;
    return c * panels * (ELEMENTS * tiles * of.product + of.weight) +
           tiles * (c * 2 * of.input / (double)k->width + panels * of.output);
}

static double cost_of_floats(const work *k)
{
    return 1.2 * in_tiles(k, (costs){.product = 1, .input = 150, .output = 300, .weight = 250});
}

static double cost_of_integers(const limn_call *c, const work *k)
{
    double product = limn_int16_cost(limn_rows_of(c));
    return in_tiles(k, (costs){.product = product, .input = 600, .output = 600, .weight = 190});
}

static double direct_cost(const limn_call *c, const work *k)
{
    enum { TAPS = 9 };
    return (double)(k->rows * k->cols * TAPS) * (double)(k->c * k->panels) * limn_direct_cost(c);
}

static work work_of(const limn_call *c)
{
    const int64_t *x = c->src[0].shape.dim, *y = c->dst.shape.dim;
    const int *pad = c->attr->pad;
    work k = {.batch = x[0],
              .c = x[3],
              .rows = y[1],
              .cols = y[2],
              .columns = y[3],
              .top = turned(c) ? 2 - pad[0] : pad[0],
              .left = turned(c) ? 2 - pad[1] : pad[1],
              .down = limn_parts(y[1], 4),
              .across = limn_parts(y[2], 4),
              .width = limn_rows_of(c)->floats.width};
    k.tiles = k.batch * k.down * k.across;
    k.panels = limn_parts(k.columns, k.width);
    k.int16 = limn_int16_is_best(c, cost_of_integers(c, &k), cost_of_floats(&k), direct_cost(c, &k));
    k.tile_rows = k.int16 ? limn_rows_of(c)->int16.rows : LIMN_TILE_ROWS;
    k.most = limn_least(k.int16 || k.c >= CHANNELS ? MOST_TILES : MOST_TILES / 2, limn_round_up(k.tiles, k.tile_rows));
    k.block = limn_least(k.c, CHANNELS), k.blocks = limn_parts(k.c, CHANNELS);
    k.v_row = k.int16 ? k.block / 2 : k.block;
    k.v_next = k.most * k.v_row + APART, k.u_next = k.v_row * k.width + APART, k.m_next = k.most * k.width + APART;
    return k;
}

static const char *refuse_all(const limn_call *c)
{
    const char *why = limn_cpu_refuse_types(c);
    const int64_t *w = c->src[1].shape.dim;
    if (why) return why;
    if (w[2] != 3 || w[3] != 3 || c->attr->stride != 1) return "windows are not 3 x 3 with a stride of 1";
    if (c->attr->flags & LIMN_UPSAMPLED) return "the picture is an enlarged one";
    if (c->exact) return "sums are to be exact";
    return c->src[0].shape.dim[3] % 16 ? "channels are no multiple of 16" : NULL;
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

/* ---- W to panels: [panel][channel][9][column] -------------------------------------------------------------------------
 *
 * In bf16 where the source is; else as W has it: 16 bits stay 16.  Behind them, where U will be integers, the scale of each
 * element of U, [panel][block][36][column]. */

static limn_dtype panel_type(const limn_call *c)
{
    return c->src[0].dtype == LIMN_BF16 ? LIMN_BF16 : c->src[1].dtype;
}

/* Bytes of a channel of a panel. */
static size_t channel_bytes(const limn_call *c, const work *k)
{
    return (size_t)(9 * k->width) * limn_dtype_bytes(panel_type(c));
}

static char *windows_at(const limn_call *c, const work *k, void *packed, int64_t panel, int64_t block)
{
    return (char *)packed + (size_t)(panel * k->c + block * CHANNELS) * channel_bytes(c, k);
}

static float *scales_at(const limn_call *c, const work *k, void *packed, int64_t panel, int64_t block)
{
    return (float *)windows_at(c, k, packed, k->panels, 0) + (panel * k->blocks + block) * ELEMENTS * k->width;
}

static size_t packed_bytes(const limn_call *c)
{
    work k = work_of(c);
    size_t scales = k.int16 ? (size_t)(k.panels * k.blocks * ELEMENTS * k.width) * sizeof(float) : 0;
    return (size_t)(k.panels * k.c) * channel_bytes(c, &k) + scales;
}

static uint64_t layout(const limn_call *c)
{
    work k = work_of(c);
    int64_t what[] = {c->op, k.width, panel_type(c), k.int16};
    return limn_hash_bytes(LIMN_HASH, what, sizeof what);
}

/* The windows of channel `channel` for the columns from col on, [9][width]; zeros behind the last. */
static void lay_windows(const limn_call *c, const limn_view *w, const work *k, int64_t channel, int64_t col, float *to)
{
    int64_t n = limn_least(k->columns - col, k->width), of_column = turned(c) ? 9 : 9 * k->c,
            from = turned(c) ? (channel * k->columns + col) * 9 : (col * k->c + channel) * 9;
    if (n < k->width) memset(to, 0, (size_t)(9 * k->width) * sizeof *to);
    for (int64_t j = 0; j < n; j++, from += of_column)
        for (int64_t tap = 0; tap < 9; tap++) {
            int64_t at = from + (turned(c) ? 8 - tap : tap);
            to[tap * k->width + j] = limn_cpu_weight(w, at);
        }
}

/* The largest that keep every number of a block of U, and the sum of a column, in their bits. */
static void choose_scales(const limn_call *c, const work *k, void *packed, int64_t panel, int64_t block)
{
    float sum[ELEMENTS * LIMN_PANEL] = {0}, most[ELEMENTS * LIMN_PANEL] = {0},
          *scale = scales_at(c, k, packed, panel, block);
    limn_rows_of(c)->int16.measure(sum, most, windows_at(c, k, packed, panel, block), channels_of(k, block));
    for (int64_t i = 0; i < ELEMENTS * k->width; i++) scale[i] = limn_int16_scale(sum[i], most[i]);
}

static limn_status pack(const limn_call *c, const limn_view *from, void *to)
{
    work k = work_of(c);
#pragma omp parallel for schedule(static) num_threads(c->n_threads)
    for (int64_t i = 0; i < k.panels * k.blocks; i++) {
        int64_t panel = i / k.blocks, block = i % k.blocks;
        char *at = windows_at(c, &k, to, panel, block);
        for (int64_t j = 0; j < channels_of(&k, block); j++, at += channel_bytes(c, &k)) {
            float windows[9 * LIMN_PANEL];
            lay_windows(c, from, &k, block * CHANNELS + j, panel * k.width, windows);
            limn_rows_of(c)->store(at, panel_type(c), windows, 9 * k.width);
        }
        if (k.int16) choose_scales(c, &k, to, panel, block);
    }
    return LIMN_OK;
}

/* ---- running ---------------------------------------------------------------------------------------------------------- */

/* Of a thread.  V [block][36][tile][channel], U [36][channel][column], M [36][tile][column] */
typedef struct room {
    float *v, *u, *m, *pixels, *outside, *bias; /* bias: room for it */
    float *floats, *scale; /* of integers: V of a tile before it is one, what makes V what it was [block][36][tile] */
} room;

static int64_t room_floats(const work *k)
{
    int64_t of_integers = k->int16 ? ELEMENTS * (k->block + k->blocks * k->most) : 0;
    return ELEMENTS * (k->blocks * k->v_next + k->u_next + k->m_next) + 16 * k->width + k->c + k->panels * k->width +
           of_integers;
}

static room room_of(const work *k, float *at)
{
    room r = {.v = at};
    r.u = r.v + ELEMENTS * k->blocks * k->v_next;
    r.m = r.u + ELEMENTS * k->u_next;
    r.pixels = r.m + ELEMENTS * k->m_next;
    r.outside = r.pixels + 16 * k->width;
    r.bias = r.outside + k->c;
    r.floats = r.bias + k->panels * k->width;
    r.scale = r.floats + ELEMENTS * k->block;
    return r;
}

static size_t scratch_bytes(const limn_call *c)
{
    work k = work_of(c);
    return (size_t)(c->n_threads * room_floats(&k)) * sizeof(float);
}

/* Where tile t begins in the result. */
static limn_spot spot_of(const work *k, int64_t t)
{
    return (limn_spot){t / k->across / k->down, t / k->across % k->down * 4, t % k->across * 4};
}

/* V of tile t, the m-th of a thread's. */
static void transform_tile(const limn_call *c, const work *k, const room *r, int64_t t, int64_t m)
{
    const limn_rows *rows = limn_rows_of(c);
    limn_spot at = spot_of(k, t);
    const void *pixel[ELEMENTS];
    limn_dtype dtype = c->src[0].dtype;
    limn_cpu_find_pixels(&c->src[0], (limn_spot){at.b, at.row - k->top, at.col - k->left}, 6, r->outside, pixel);
    for (int64_t b = 0; b < k->blocks; b++) {
        float *v = r->v + b * ELEMENTS * k->v_next + m * k->v_row, *scale = r->scale + b * ELEMENTS * k->most + m;
        int64_t n = channels_of(k, b);
        rows->winograd.input(k->int16 ? r->floats : v, k->int16 ? k->block : k->v_next, pixel, dtype, n);
        for (int64_t f = 0; k->int16 && f < ELEMENTS; f++)
            scale[f * k->most] = rows->int16.row((int16_t *)(v + f * k->v_next), r->floats + f * k->block, n);
        for (int i = 0; i < ELEMENTS; i++)
            if (pixel[i] != r->outside) pixel[i] = (const char *)pixel[i] + CHANNELS * limn_dtype_bytes(dtype);
    }
}

/* M of n tiles, a block's part of the sums. */
static void multiply_floats(const limn_call *c, const work *k, const room *r, int64_t n, int64_t panel, int64_t block)
{
    const limn_rows *rows = limn_rows_of(c);
    int64_t some = channels_of(k, block);
    rows->winograd.weight(r->u, k->u_next, windows_at(c, k, c->src[1].data, panel, block), panel_type(c), some);
    for (int64_t f = 0; f < ELEMENTS; f++) {
        const float *v = r->v + (block * ELEMENTS + f) * k->v_next, *u = r->u + f * k->u_next;
        float *m = r->m + f * k->m_next;
        for (int64_t t = 0; t < n; t += k->tile_rows)
            rows->floats.multiply(m + t * k->width, k->width, v + t * k->v_row, k->v_row, 1, 0, u, some, 1,
                                  (int)limn_least(n - t, k->tile_rows), (int)k->width, block > 0);
    }
}

static void multiply_integers(const limn_call *c, const work *k, const room *r, int64_t n, int64_t panel, int64_t block)
{
    const limn_int16 *rows = &limn_rows_of(c)->int16;
    const float *scale = scales_at(c, k, c->src[1].data, panel, block);
    int64_t some = channels_of(k, block);
    rows->weight(r->u, k->u_next, windows_at(c, k, c->src[1].data, panel, block), some, scale);
    for (int64_t f = 0; f < ELEMENTS; f++) {
        float column_scale[LIMN_PANEL], *m = r->m + f * k->m_next;
        const float *row_scale = r->scale + (block * ELEMENTS + f) * k->most, *u = r->u + f * k->u_next,
                    *v = r->v + (block * ELEMENTS + f) * k->v_next;
        limn_int16_columns(column_scale, scale + f * k->width, k->width);
        for (int64_t t = 0; t < n; t += k->tile_rows)
            rows->multiply(m + t * k->width, k->width, v + t * k->v_row, k->v_row, 1, u, some / 2,
                           (int)limn_least(n - t, k->tile_rows), row_scale + t, column_scale, block > 0);
    }
}

/* Tiles first..first+n of panels panel..end. */
static void run_tiles(const limn_call *c, const work *k, const room *r, int64_t first, int64_t n, int64_t panel, int64_t end)
{
    const limn_rows *rows = limn_rows_of(c);
    const float *bias = limn_cpu_bias(c, k->columns, k->panels * k->width, r->bias);
    for (int64_t t = 0; t < n; t++) transform_tile(c, k, r, first + t, t);
    for (; panel < end; panel++) {
        for (int64_t block = 0; block < k->blocks; block++)
            if (k->int16) multiply_integers(c, k, r, n, panel, block);
            else multiply_floats(c, k, r, n, panel, block);
        for (int64_t t = 0; t < n; t++) {
            rows->winograd.output(r->pixels, r->m + t * k->width, k->m_next, bias ? bias + panel * k->width : NULL);
            limn_cpu_finish_pixels(c, 4, spot_of(k, first + t), panel * k->width, k->width, r->pixels);
        }
    }
}

/* Jobs are groups of tiles, as many for each thread; where there are fewer groups than threads, some panels of a group. */
static limn_status run(const limn_call *c)
{
    work k = work_of(c);
    int64_t groups = limn_parts(k.tiles, k.most), parts = limn_least(limn_parts(c->n_threads, groups), k.panels);
    if (groups >= c->n_threads) groups = limn_round_up(groups, c->n_threads);
    int64_t group = limn_round_up(limn_parts(k.tiles, groups), k.tile_rows), part = limn_parts(k.panels, parts);
    groups = limn_parts(k.tiles, group);
#pragma omp parallel for schedule(static) num_threads(c->n_threads)
    for (int64_t job = 0; job < groups * parts; job++) {
        room r = room_of(&k, (float *)c->scratch + omp_get_thread_num() * room_floats(&k));
        memset(r.outside, 0, (size_t)k.c * sizeof(float));
        int64_t first = job / parts * group, panel = job % parts * part;
        run_tiles(c, &k, &r, first, limn_least(k.tiles - first, group), panel, limn_least(panel + part, k.panels));
    }
    return LIMN_OK;
}

#define WINOGRAD(label, why)                                                                                                \
{                                                                                                                           \
    .name = label,                                                                                                          \
    .refuse = why,                                                                                                          \
    .scratch_bytes = scratch_bytes,                                                                                         \
    .packed_bytes = packed_bytes,                                                                                           \
    .layout = layout,                                                                                                       \
    .pack = pack,                                                                                                           \
    .pack_src = 1,                                                                                                          \
    .run = run,                                                                                                             \
}
const limn_kernel limn_cpu_conv_winograd = WINOGRAD("winograd", refuse),
                  limn_cpu_conv_winograd_int16 = WINOGRAD("winograd-int16", refuse_int16);
