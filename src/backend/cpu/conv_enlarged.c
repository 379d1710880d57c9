/* conv_enlarged.c: a 3 x 3 convolution of a picture that is enlarged to 2 x 2 equal pixels (LIMN_UPSAMPLED), from the small
 * picture and its differences.  Along one axis, of pixels s and weights w,
 *
 *   y_2i   = w_0 s_i-1 + (w_1 + w_2) s_i  =  q s_i - w_0 d_i            d_i = s_i - s_i-1
 *   y_2i+1 = (w_0 + w_1) s_i + w_2 s_i+1  =  q s_i + w_2 d_i+1          q = w_0 + w_1 + w_2
 *
 * three products for two pixels; along both axes nine for four, where the sums of windows (conv_tiles.c) need 16.  With
 * rows -w_0, q, w_2 for a (and columns for b), U[a][b] the weights and V the fields s, d along a row, d along a column, d
 * along both:
 *
 *   M[a][b] (i, j) = V[a != 1][b != 1] (i + (a == 2), j + (b == 2)) U[a][b]
 *   y (2i + k, 2j + l) = M[1][1] + M[1][2l] + M[2k][1] + M[2k][2l]                      outside is zero, s and d alike
 *
 * A thread takes a block of source pixels, makes its fields, and goes from panel to panel of channels of the result.
 *
 * Two kernels, as in conv_winograd.c: "differences" multiplies floats, "differences-int16", for pictures in bf16, integers
 * of 16 bits: V has a scale for each field and pixel, U for each product and column, of each block of channels.
 *
 * Each sum runs over blocks of CHANNELS in order: neither batch nor threads nor other blocks play a part. */
#include "backend/cpu/int16.h"
#include "backend/cpu/kernels.h"
#include "base/rng.h"

#include <math.h>
#include <omp.h>
#include <string.h>

enum {
    FIELDS = 4,
    PRODUCTS = 9,
    CHANNELS = 128,  /* of a sum at a time, and of a scale */
    APART = 16,      /* floats between fields, which would else meet in one set of the first cache */
    NEAR = 1 << 18,  /* floats of V and M that are worth their place in the second cache */
    MOST_COLS = 32,  /* of a block */
    JOBS = 4,        /* for each thread, that all end at about the same time */
};

typedef struct work {
    int64_t batch, h, w, c, columns; /* source; channels of the result */
    int64_t rows, cols;              /* of a block */
    int64_t down, across;            /* blocks of a picture */
    int64_t width, panels;           /* channels of a panel of the result; panels */
    int64_t pixels;                  /* whose sums are made: a block's, and one more in each row, which is dropped */
    bool int16;                      /* V and U are integers */
    int64_t tile_rows, blocks;       /* of a product; sums of CHANNELS each */
    int64_t v_row;                   /* words (floats, or two integers) of a pixel of a field */
    int64_t v_next, m_next;          /* words from field to field of V, from product to product of M */
    int64_t field_pixels;            /* of a field: a block's, a row and a column more, and one that is read behind */
} work;

/* Cycles that a pixel of the source costs, of a core that multiplies two vectors of floats in one: `field` for each vector
 * of channels, `result` for each panel, beside the products.  The batch plays no part. */
static double in_fields(const work *k, double product, double field, double result)
{
    double c = (double)k->c, panels = (double)k->panels, more = (double)(k->cols + 1) / (double)k->cols;
    return more * PRODUCTS * product * c * panels + 2 * c * 2 * field / (double)k->width + panels * result;
}

static double cost_of_floats(const work *k)
{
    return 1.2 * in_fields(k, 1, 12, 40);
}

static double cost_of_integers(const limn_call *c, const work *k)
{
    return in_fields(k, limn_int16_cost(limn_rows_of(c)), 50, 80);
}

static double direct_cost(const limn_call *c, const work *k)
{
    enum { DIRECT = 16 };
    return DIRECT * (double)(k->c * k->panels) * limn_direct_cost(c);
}

static work work_of(const limn_call *c)
{
    const int64_t *x = c->src[0].shape.dim;
    work k = {.batch = x[0], .h = x[1], .w = x[2], .c = x[3], .columns = c->dst.shape.dim[3]};
    k.across = limn_parts(k.w, MOST_COLS), k.cols = limn_parts(k.w, k.across);
    k.width = limn_rows_of(c)->floats.width, k.panels = limn_parts(k.columns, k.width);
    k.int16 = limn_int16_is_best(c, cost_of_integers(c, &k), cost_of_floats(&k), direct_cost(c, &k));
    k.tile_rows = k.int16 ? limn_rows_of(c)->int16.rows : LIMN_TILE_ROWS, k.blocks = limn_parts(k.c, CHANNELS);
    k.v_row = k.int16 ? k.c / 2 : k.c;
    int64_t most = NEAR / ((FIELDS * k.v_row + PRODUCTS * k.width) * (k.cols + 1));
    k.down = limn_parts(k.h, most < 1 ? 1 : limn_least(most, k.h)), k.rows = limn_parts(k.h, k.down);
    k.pixels = k.rows * (k.cols + 1), k.field_pixels = (k.rows + 1) * (k.cols + 1) + 1;
    k.v_next = k.field_pixels * k.v_row + APART, k.m_next = k.pixels * k.width + APART;
    return k;
}

static const char *refuse_all(const limn_call *c)
{
    const char *why = limn_cpu_refuse_types(c);
    if (why) return why;
    if (!(c->attr->flags & LIMN_UPSAMPLED)) return "the picture is not an enlarged one";
    if (c->exact) return "sums are to be exact";
    return c->src[0].shape.dim[3] % 16 ? "channels are no multiple of 16" : NULL;
}

static const char *const too_small = "so few pixels or channels that differences cost more than they save";

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

/* ---- U to panels: [panel][9][channel][column] of words, then scales [panel][block][9][column] -------------------------
 *
 * Floats also where all else is bf16: rounded, the parts of a window no longer add up to it, and four windows of 2 x 2 in
 * bf16 take nearly the same bytes.  Integers, two channels to a word, err 16 times less. */

static float *words_at(const work *k, void *packed, int64_t panel, int64_t f, int64_t channel)
{
    int64_t channels = k->int16 ? k->c / 2 : k->c, row = k->int16 ? channel / 2 : channel;
    return (float *)packed + ((panel * PRODUCTS + f) * channels + row) * k->width;
}

static float *scales_at(const work *k, void *packed, int64_t panel, int64_t block)
{
    return words_at(k, packed, k->panels, 0, 0) + (panel * k->blocks + block) * PRODUCTS * k->width;
}

static size_t packed_bytes(const limn_call *c)
{
    work k = work_of(c);
    int64_t scales = k.int16 ? k.panels * k.blocks * PRODUCTS * k.width : 0;
    return (size_t)(k.panels * PRODUCTS * k.v_row * k.width + scales) * sizeof(float);
}

static uint64_t layout(const limn_call *c)
{
    work k = work_of(c);
    int64_t what[] = {c->op, k.width, k.int16};
    return limn_hash_bytes(LIMN_HASH, what, sizeof what);
}

/* -w_0, q, w_2 of three weights that lie `next` apart. */
static void add_up(double *u, const double *w, int next)
{
    u[0] = -w[0], u[next] = w[0] + w[next] + w[2 * next], u[2 * next] = w[2 * next];
}

/* U of the window at element `from` of w, [3][3] both. */
static void add_up_window(const limn_view *w, int64_t from, double *u)
{
    double window[9], rows[9];
    for (int tap = 0; tap < 9; tap++) window[tap] = limn_get(w, from + tap);
    for (int i = 0; i < 3; i++) add_up(rows + i, window + i, 3);
    for (int i = 0; i < 3; i++) add_up(u + 3 * i, rows + 3 * i, 1);
}

/* U of a channel and column of a panel; zeros behind the last column. */
static void window_of(const work *k, const limn_view *from, int64_t channel, int64_t column, double *u)
{
    for (int f = 0; f < PRODUCTS; f++) u[f] = 0;
    if (column < k->columns) add_up_window(from, (column * k->c + channel) * 9, u);
}

static void pack_floats(const work *k, const limn_view *from, void *to, int64_t panel, int64_t block)
{
    for (int64_t channel = block * CHANNELS; channel < limn_least(k->c, (block + 1) * CHANNELS); channel++)
        for (int64_t j = 0; j < k->width; j++) {
            double u[PRODUCTS];
            window_of(k, from, channel, panel * k->width + j, u);
            for (int f = 0; f < PRODUCTS; f++) words_at(k, to, panel, f, channel)[j] = (float)u[f];
        }
}

/* A column of a block: its scales, then its numbers in them. */
static void pack_integers(const work *k, const limn_view *from, void *to, int64_t panel, int64_t block)
{
    int64_t first = block * CHANNELS, n = limn_least(k->c - first, CHANNELS);
    float *scale = scales_at(k, to, panel, block);
    for (int64_t j = 0; j < k->width; j++) {
        double u[CHANNELS][PRODUCTS];
        for (int64_t i = 0; i < n; i++) window_of(k, from, first + i, panel * k->width + j, u[i]);
        for (int f = 0; f < PRODUCTS; f++) {
            float sum = 0, most = 0;
            for (int64_t i = 0; i < n; i++) {
                float size = fabsf((float)u[i][f]);
                sum += size, most = size > most ? size : most;
            }
            float by = scale[f * k->width + j] = limn_int16_scale(sum, most);
            for (int64_t i = 0; i < n; i++)
                ((int16_t *)words_at(k, to, panel, f, first + i))[2 * j + i % 2] = limn_int16_of(by * (float)u[i][f]);
        }
    }
}

static limn_status pack(const limn_call *c, const limn_view *from, void *to)
{
    work k = work_of(c);
#pragma omp parallel for schedule(static) num_threads(c->n_threads)
    for (int64_t i = 0; i < k.panels * k.blocks; i++) {
        if (k.int16) pack_integers(&k, from, to, i / k.blocks, i % k.blocks);
        else pack_floats(&k, from, to, i / k.blocks, i % k.blocks);
    }
    return LIMN_OK;
}

/* ---- running ---------------------------------------------------------------------------------------------------------- */

/* Of a thread. */
typedef struct room {
    float *v, *m, *pixels, *outside, *bias; /* bias: room for it */
    float *floats, *scale; /* of integers: fields before they are, what makes them what they were [block][field][pixel] */
} room;

static int64_t room_floats(const work *k)
{
    int64_t of_integers = k->int16 ? FIELDS * (CHANNELS + k->blocks * k->field_pixels) : 0;
    return FIELDS * k->v_next + PRODUCTS * k->m_next + 4 * k->width + k->c + k->panels * k->width + of_integers;
}

static room room_of(const work *k, float *at)
{
    room r = {.v = at};
    r.m = r.v + FIELDS * k->v_next;
    r.pixels = r.m + PRODUCTS * k->m_next;
    r.outside = r.pixels + 4 * k->width;
    r.bias = r.outside + k->c;
    r.floats = r.bias + k->panels * k->width;
    r.scale = r.floats + FIELDS * CHANNELS;
    return r;
}

static size_t scratch_bytes(const limn_call *c)
{
    work k = work_of(c);
    return (size_t)(c->n_threads * room_floats(&k)) * sizeof(float);
}

/* Fields of pixel number m as integers. */
static void round_fields(const limn_call *c, const work *k, const room *r, const void **pixel, int64_t m)
{
    const limn_rows *rows = limn_rows_of(c);
    for (int64_t b = 0; b < k->blocks; b++) {
        int64_t n = limn_least(k->c - b * CHANNELS, CHANNELS);
        rows->enlarged.fields(r->floats, CHANNELS, pixel, LIMN_BF16, n);
        for (int f = 0; f < FIELDS; f++) {
            int16_t *v = (int16_t *)(r->v + f * k->v_next + m * k->v_row) + b * CHANNELS;
            r->scale[(b * FIELDS + f) * k->field_pixels + m] = rows->int16.row(v, r->floats + f * CHANNELS, n);
        }
        for (int i = 0; i < 4; i++)
            if (pixel[i] != r->outside) pixel[i] = (const uint16_t *)pixel[i] + CHANNELS;
    }
}

/* The fields of a block and of the row and column behind it; the sums of the last pixel read one more. */
static void make_fields(const limn_call *c, const work *k, const room *r, limn_spot at)
{
    int64_t m = 0;
    for (int64_t i = at.row; i <= at.row + k->rows; i++)
        for (int64_t j = at.col; j <= at.col + k->cols; j++, m++) {
            const void *pixel[4];
            limn_cpu_find_pixels(&c->src[0], (limn_spot){at.b, i - 1, j - 1}, 2, r->outside, pixel);
            if (k->int16) round_fields(c, k, r, pixel, m);
            else limn_rows_of(c)->enlarged.fields(r->v + m * k->v_row, k->v_next, pixel, c->src[0].dtype, k->c);
        }
    for (int f = 0; f < FIELDS; f++) memset(r->v + f * k->v_next + m * k->v_row, 0, (size_t)k->v_row * sizeof *r->v);
    for (int64_t b = 0; k->int16 && b < k->blocks * FIELDS; b++) r->scale[b * k->field_pixels + m] = 0;
}

/* M of product f of a block for one panel: channels of one block of them. */
static void multiply(const limn_call *c, const work *k, const room *r, int64_t panel, int64_t block, int64_t f)
{
    const limn_rows *rows = limn_rows_of(c);
    int64_t a = f / 3, b = f % 3, field = 2 * (a != 1) + (b != 1), from = (a == 2) * (k->cols + 1) + (b == 2),
            first = block * CHANNELS, some = limn_least(k->c - first, CHANNELS);
    const float *v = r->v + field * k->v_next + from * k->v_row + (k->int16 ? first / 2 : first),
                *u = words_at(k, c->src[1].data, panel, f, first);
    float *m = r->m + f * k->m_next, column_scale[LIMN_PANEL];
    if (k->int16) limn_int16_columns(column_scale, scales_at(k, c->src[1].data, panel, block) + f * k->width, k->width);
    for (int64_t t = 0; t < k->pixels; t += k->tile_rows) {
        int n = (int)limn_least(k->pixels - t, k->tile_rows);
        if (k->int16)
            rows->int16.multiply(m + t * k->width, k->width, v + t * k->v_row, k->v_row, 1, u, some / 2, n,
                                 r->scale + (block * FIELDS + field) * k->field_pixels + from + t, column_scale, block > 0);
        else
            rows->floats.multiply(m + t * k->width, k->width, v + t * k->v_row, k->v_row, 1, 0, u, some, 1, n, (int)k->width,
                                  block > 0);
    }
}

static void run_block(const limn_call *c, const work *k, const room *r, limn_spot at, int64_t panel, int64_t end)
{
    const limn_rows *rows = limn_rows_of(c);
    const float *bias = limn_cpu_bias(c, k->columns, k->panels * k->width, r->bias);
    int64_t down = limn_least(k->h - at.row, k->rows), across = limn_least(k->w - at.col, k->cols);
    make_fields(c, k, r, at);
    for (; panel < end; panel++) {
        for (int64_t i = 0; i < k->blocks * PRODUCTS; i++) multiply(c, k, r, panel, i / PRODUCTS, i % PRODUCTS);
        for (int64_t i = 0; i < down; i++)
            for (int64_t j = 0; j < across; j++) {
                rows->enlarged.pixels(r->pixels, r->m + (i * (k->cols + 1) + j) * k->width, k->m_next,
                                      bias ? bias + panel * k->width : NULL);
                limn_spot to = {at.b, 2 * (at.row + i), 2 * (at.col + j)};
                limn_cpu_finish_pixels(c, 2, to, panel * k->width, k->width, r->pixels);
            }
    }
}

/* Jobs are blocks; where these are few, some panels of a block. */
static limn_status run(const limn_call *c)
{
    work k = work_of(c);
    int64_t blocks = k.batch * k.down * k.across, parts = limn_least(limn_parts(JOBS * c->n_threads, blocks), k.panels),
            part = limn_parts(k.panels, parts);
#pragma omp parallel for schedule(static) num_threads(c->n_threads)
    for (int64_t job = 0; job < blocks * parts; job++) {
        room r = room_of(&k, (float *)c->scratch + omp_get_thread_num() * room_floats(&k));
        memset(r.outside, 0, (size_t)k.c * sizeof(float));
        int64_t block = job / parts, panel = job % parts * part;
        limn_spot at = {block / k.across / k.down, block / k.across % k.down * k.rows, block % k.across * k.cols};
        run_block(c, &k, &r, at, panel, limn_least(panel + part, k.panels));
    }
    return LIMN_OK;
}

#define DIFFERENCES(label, why)                                                                                             \
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
const limn_kernel limn_cpu_conv_enlarged = DIFFERENCES("differences", refuse),
                  limn_cpu_conv_enlarged_int16 = DIFFERENCES("differences-int16", refuse_int16);
