/* conv_winograd.c: 3 x 3 convolutions of stride 1 in f32, with a quarter of the multiplications: F(4x4, 3x3).
 *
 *   V[f][t][c] = B' x B of tile t,   U[f][c][o] = G w G',   M[f] = V[f] U[f] for the 36 elements f,   y of tile t = A' M A
 *
 * (winograd.inc.h).  A tile is 4 x 4 pixels of the result and 6 x 6 of the source; what lies outside is zero, and a tile at
 * the border gives the pixels that there are.  A thread takes some tiles at a time, transforms them, and goes from panel to
 * panel of channels of the result: products out of the near caches, the last transform, bias, residual, activation.
 * U of a panel is transformed on the way, a block of channels at a time, from the nine numbers that the store holds: U in
 * the store is four times the bytes, and to read them costs as much (docs/speed.md).
 *
 * The gradient of the input is the convolution with turned weights.  Each sum runs over blocks of CHANNELS in order: neither
 * batch nor threads nor the other tiles play a part. */
#include "backend/cpu/kernels.h"
#include "base/rng.h"

#include <omp.h>
#include <string.h>

enum {
    ELEMENTS = 36,
    CHANNELS = 128, /* of a sum at a time */
    APART = 16,     /* floats between the rows of an operand, which would else meet in one set of the first cache */
    NEAR = 1 << 18, /* floats of V that are worth their place in the second cache */
    LEAST_TILES = 24,
    MOST_TILES = 48, /* of a thread at a time */
};

typedef struct work {
    int64_t batch, c;            /* source */
    int64_t rows, cols, columns; /* result */
    int64_t top, left;           /* pixels of zeros */
    int64_t down, across, tiles; /* tiles of a picture; of all */
    int64_t width, panels;       /* channels of a panel of the result; panels */
    int64_t most;                /* tiles that a thread takes at a time */
    int64_t v_next, m_next;      /* from row to row of V and M */
} work;

static bool turned(const limn_call *c)
{
    return c->op == LIMN_OP_CONV_TRANSPOSE;
}

/* As many tiles as share a pass over the weights while V stays near, in whole tiles of the product. */
static int64_t most_tiles(int64_t channels)
{
    int64_t n = NEAR / (ELEMENTS * channels) / LIMN_TILE_ROWS * LIMN_TILE_ROWS;
    return n < LEAST_TILES ? LEAST_TILES : limn_least(n, MOST_TILES);
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
              .width = limn_rows_of(c)->floats.width,
              .most = most_tiles(x[3])};
    k.tiles = k.batch * k.down * k.across;
    k.panels = limn_parts(k.columns, k.width);
    k.v_next = k.most * k.c + APART, k.m_next = k.most * k.width + APART;
    return k;
}

/* Cycles that a picture costs, of a core that multiplies two vectors in one: direct, and in tiles.  A tile of the source
 * takes INPUT instructions for each vector of channels, one of the result OUTPUT, U of a channel WEIGHT for a panel.  The
 * batch plays no part, so that a picture has the same bytes alone and among others. */
static bool is_worth_it(const work *k)
{
    enum { INPUT = 150, OUTPUT = 300, WEIGHT = 250, TAPS = 9 };
    double tiles = (double)(k->down * k->across), panels = (double)k->panels, c = (double)k->c;
    double direct = (double)(k->rows * k->cols * TAPS) * c * panels;
    double in_tiles =
        c * panels * (ELEMENTS * tiles + WEIGHT) + tiles * (c * 2 * INPUT / (double)k->width + panels * OUTPUT);
    return 1.2 * in_tiles < direct;
}

static const char *refuse(const limn_call *c)
{
    const char *why = limn_cpu_refuse_types(c);
    const int64_t *w = c->src[1].shape.dim;
    if (why) return why;
    if (w[2] != 3 || w[3] != 3 || c->attr->stride != 1) return "windows are not 3 x 3 with a stride of 1";
    if (c->attr->flags & LIMN_UPSAMPLED) return "the picture is an enlarged one";
    if (c->exact) return "sums are to be exact";
    if (c->src[0].shape.dim[3] % 16) return "channels are no multiple of 16";
    work k = work_of(c);
    return is_worth_it(&k) ? NULL : "so few pixels or channels that transforms cost more than they save";
}

/* ---- W to panels: [panel][channel][9][column] -------------------------------------------------------------------------
 *
 * In bf16 where the source is; else as W has it: 16 bits stay 16. */

static limn_dtype panel_type(const limn_call *c) { return c->src[0].dtype == LIMN_BF16 ? LIMN_BF16 : c->src[1].dtype; }

static size_t panel_bytes(const limn_call *c, const work *k)
{
    return (size_t)(9 * k->c * k->width) * limn_dtype_bytes(panel_type(c));
}

static size_t packed_bytes(const limn_call *c)
{
    work k = work_of(c);
    return (size_t)k.panels * panel_bytes(c, &k);
}

static uint64_t layout(const limn_call *c)
{
    int64_t what[] = {c->op, work_of(c).width, panel_type(c)};
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

static limn_status pack(const limn_call *c, const limn_view *from, void *to)
{
    work k = work_of(c);
#pragma omp parallel for schedule(static) num_threads(c->n_threads)
    for (int64_t i = 0; i < k.panels * k.c; i++) {
        float windows[9 * LIMN_PANEL];
        lay_windows(c, from, &k, i % k.c, i / k.c * k.width, windows);
        limn_rows_of(c)->store((char *)to + (size_t)i * (panel_bytes(c, &k) / (size_t)k.c), panel_type(c), windows,
                               9 * k.width);
    }
    return LIMN_OK;
}

/* ---- running ---------------------------------------------------------------------------------------------------------- */

/* Of a thread. */
typedef struct room {
    float *v, *u, *m, *pixels, *outside, *bias; /* bias: room for it */
} room;

/* Floats from row to row of U. */
static int64_t u_next(const work *k)
{
    return limn_least(k->c, CHANNELS) * k->width + APART;
}

static int64_t room_floats(const work *k)
{
    return ELEMENTS * (k->v_next + u_next(k) + k->m_next) + 16 * k->width + k->c + k->panels * k->width;
}

static room room_of(const work *k, float *at)
{
    room r = {.v = at};
    r.u = r.v + ELEMENTS * k->v_next;
    r.m = r.u + ELEMENTS * u_next(k);
    r.pixels = r.m + ELEMENTS * k->m_next;
    r.outside = r.pixels + 16 * k->width;
    r.bias = r.outside + k->c;
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

static void transform_tile(const limn_call *c, const work *k, const room *r, int64_t t, float *to)
{
    limn_spot at = spot_of(k, t);
    const void *pixel[ELEMENTS];
    limn_cpu_find_pixels(&c->src[0], (limn_spot){at.b, at.row - k->top, at.col - k->left}, 6, r->outside, pixel);
    limn_rows_of(c)->winograd.input(to, k->v_next, pixel, c->src[0].dtype, k->c);
}

/* M of n tiles for one panel, whose windows are `w`. */
static void multiply(const limn_call *c, const work *k, const room *r, int64_t n, const char *w)
{
    const limn_rows *rows = limn_rows_of(c);
    int64_t next = u_next(k);
    for (int64_t i = 0, some; i < k->c; i += some) {
        some = limn_least(k->c - i, CHANNELS);
        rows->winograd.weight(r->u, next, w + panel_bytes(c, k) / (size_t)k->c * (size_t)i, panel_type(c), some);
        for (int64_t f = 0; f < ELEMENTS; f++)
            for (int64_t t = 0; t < n; t += LIMN_TILE_ROWS)
                rows->floats.multiply(r->m + f * k->m_next + t * k->width, k->width, r->v + f * k->v_next + t * k->c + i,
                                      k->c, 1, 0, r->u + f * next, some, 1, (int)limn_least(n - t, LIMN_TILE_ROWS),
                                      (int)k->width, i > 0);
    }
}

/* Tiles first..first+n of panels panel..end. */
static void run_tiles(const limn_call *c, const work *k, const room *r, int64_t first, int64_t n, int64_t panel, int64_t end)
{
    const limn_rows *rows = limn_rows_of(c);
    const float *bias = limn_cpu_bias(c, k->columns, k->panels * k->width, r->bias);
    for (int64_t t = 0; t < n; t++) transform_tile(c, k, r, first + t, r->v + t * k->c);
    for (; panel < end; panel++) {
        multiply(c, k, r, n, (const char *)c->src[1].data + (size_t)panel * panel_bytes(c, k));
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
    int64_t group = limn_parts(k.tiles, groups), part = limn_parts(k.panels, parts);
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

const limn_kernel limn_cpu_conv_winograd = {.name = "winograd",
                                            .refuse = refuse,
                                            .scratch_bytes = scratch_bytes,
                                            .packed_bytes = packed_bytes,
                                            .layout = layout,
                                            .pack = pack,
                                            .pack_src = 1,
                                            .run = run};
