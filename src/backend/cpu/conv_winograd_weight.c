/* conv_winograd_weight.c: the gradient of the weight of a 3 x 3 convolution of stride 1 in f32, with a quarter of the
 * multiplications: F(3x3, 4x4).
 *
 *   V[f][t][c] = B' x B,   D[f][t][o] = G dy G',   S[f][c][o] = sum over tiles t of V[f][t][c] D[f][t][o],   dw = A' S A
 *
 * (winograd.inc.h).  A tile is 4 x 4 pixels of dy and 6 x 6 of x; what lies outside is zero.  A job owns some channels of x
 * and of dy from the first tile to the last, a few tiles at a time, so that its sums stay in the second cache.  Each sum
 * runs over blocks of TILES in order: the thread count, which cuts the jobs, plays no part. */
#include "backend/cpu/kernels.h"

#include <omp.h>
#include <string.h>

enum {
    ELEMENTS = 36,
    TILES = 32,      /* of a sum at a time */
    CHANNELS = 96,   /* of x, most of a job */
    COLUMNS = 64,    /* of dy */
    APART = 16,      /* floats between the rows of an operand, which would else meet in one set of the first cache */
};

typedef struct work {
    int64_t c, rows, cols, columns; /* of x; dy */
    int64_t top, left, down, across, tiles;
    int64_t width;             /* channels of a panel of dy */
    int64_t own_c, own_panels; /* channels of x and panels of dy of a job */
    int64_t jobs_c, jobs_o;
    int64_t v_next, d_next, s_next; /* from row to row of V, D and S */
} work;

/* Jobs: as few as their room allows, but one for each thread where the channels go round. */
static void share(work *k, int n_threads)
{
    int64_t panels = limn_parts(k->columns, k->width), most = COLUMNS / k->width;
    k->own_c = limn_round_up(limn_parts(k->c, limn_parts(k->c, CHANNELS)), 16);
    k->jobs_c = limn_parts(k->c, k->own_c);
    while (most > 1 && k->jobs_c * limn_parts(panels, most) < n_threads) most--;
    k->own_panels = limn_parts(panels, limn_parts(panels, most));
    k->jobs_o = limn_parts(panels, k->own_panels);
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
    share(&k, c->n_threads);
    k.v_next = TILES * k.own_c + APART, k.d_next = TILES * k.own_panels * k.width + APART;
    k.s_next = k.own_panels * k.own_c * k.width + APART;
    return k;
}

/* As in conv_winograd.c, for a channel and a panel: x and dy are transformed for each job that reads them. */
static bool is_worth_it(const work *k)
{
    enum { INPUT = 300, RESULT = 200, WINDOW = 100, TAPS = 9 };
    double tiles = (double)(k->down * k->across), c = (double)limn_least(k->c, CHANNELS),
           o = (double)limn_least(k->columns, COLUMNS);
    double in_tiles = tiles * (ELEMENTS + INPUT / o + RESULT / c) + WINDOW;
    return 1.2 * in_tiles < (double)(TAPS * k->rows * k->cols);
}

static const char *refuse(const limn_call *c)
{
    const char *why = limn_cpu_refuse_types(c);
    const int64_t *w = c->dst.shape.dim;
    if (why) return why;
    if (c->dst.dtype != LIMN_F32) return "weight gradients are f32";
    if (w[2] != 3 || w[3] != 3 || c->attr->stride != 1) return "windows are not 3 x 3 with a stride of 1";
    if (c->exact) return "sums are to be exact";
    work k = work_of(c);
    if (k.c % 16 || k.columns % k.width) return "channels are no multiple of 16, or of two vectors";
    return is_worth_it(&k) ? NULL : "so few pixels or channels that transforms cost more than they save";
}

/* ---- running ---------------------------------------------------------------------------------------------------------- */

static int64_t room_floats(const work *k)
{
    return ELEMENTS * (k->v_next + k->d_next + k->s_next) + (k->c > k->columns ? k->c : k->columns);
}

static size_t scratch_bytes(const limn_call *c)
{
    work k = work_of(c);
    return (size_t)(c->n_threads * room_floats(&k)) * sizeof(float);
}

typedef struct job {
    int64_t c, channels, panel, panels; /* first and how many */
    float *v, *d, *s, *outside;
} job;

static job job_of(const work *k, int64_t i, float *room)
{
    job j = {.c = i / k->jobs_o * k->own_c, .panel = i % k->jobs_o * k->own_panels, .v = room};
    j.channels = limn_least(k->c - j.c, k->own_c);
    j.panels = limn_least(k->columns / k->width - j.panel, k->own_panels);
    j.d = j.v + ELEMENTS * k->v_next, j.s = j.d + ELEMENTS * k->d_next, j.outside = j.s + ELEMENTS * k->s_next;
    return j;
}

/* V and D of tile t, the m-th of a block: V [f][tile][channel], D [f][panel][tile][column]. */
static void transform_tile(const limn_call *c, const work *k, const job *j, int64_t t, int64_t m)
{
    const limn_winograd *w = &limn_rows_of(c)->winograd;
    const void *pixel[ELEMENTS];
    limn_spot at = {t / k->across / k->down, t / k->across % k->down * 4, t % k->across * 4};
    size_t bytes = limn_dtype_bytes(c->src[0].dtype);
    limn_cpu_find_pixels(&c->src[0], (limn_spot){at.b, at.row - k->top, at.col - k->left}, 6, j->outside, pixel);
    for (int i = 0; i < ELEMENTS; i++)
        if (pixel[i] != j->outside) pixel[i] = (const char *)pixel[i] + (size_t)j->c * bytes;
    w->input(j->v + m * k->own_c, k->v_next, pixel, c->src[0].dtype, j->channels);
    limn_cpu_find_pixels(&c->src[1], at, 4, j->outside, pixel);
    for (int64_t p = 0; p < j->panels; p++)
        w->result(j->d + (p * TILES + m) * k->width, k->d_next, pixel, c->src[1].dtype, (j->panel + p) * k->width);
}

/* S += V' D of n tiles */
static void multiply(const limn_call *c, const work *k, const job *j, int64_t n, bool add)
{
    limn_tile *tile = limn_rows_of(c)->floats.multiply;
    for (int64_t f = 0; f < ELEMENTS; f++)
        for (int64_t p = 0; p < j->panels; p++)
            for (int64_t i = 0; i < j->channels; i += LIMN_TILE_ROWS)
                tile(j->s + f * k->s_next + (p * k->own_c + i) * k->width, k->width, j->v + f * k->v_next + i, 1, k->own_c,
                     0, j->d + f * k->d_next + p * TILES * k->width, n, 1, (int)limn_least(j->channels - i, LIMN_TILE_ROWS),
                     (int)k->width, add);
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
            n = limn_least(k.tiles - t, TILES);
            for (int64_t m = 0; m < n; m++) transform_tile(c, &k, &j, t + m, m);
            multiply(c, &k, &j, n, t > 0);
        }
        publish(c, &k, &j);
    }
    return LIMN_OK;
}

const limn_kernel limn_cpu_conv_winograd_weight = {
    .name = "winograd", .refuse = refuse, .scratch_bytes = scratch_bytes, .run = run};
