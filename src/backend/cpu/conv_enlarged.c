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
 * Each sum runs over blocks of CHANNELS in order: neither batch nor threads nor other blocks play a part. */
#include "backend/cpu/kernels.h"
#include "base/rng.h"

#include <omp.h>
#include <string.h>

enum {
    FIELDS = 4,
    PRODUCTS = 9,
    CHANNELS = 128,  /* of a sum at a time */
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
    int64_t v_next, m_next;          /* from field to field of V, from product to product of M */
} work;

static work work_of(const limn_call *c)
{
    const int64_t *x = c->src[0].shape.dim;
    work k = {.batch = x[0], .h = x[1], .w = x[2], .c = x[3], .columns = c->dst.shape.dim[3]};
    k.across = limn_parts(k.w, MOST_COLS), k.cols = limn_parts(k.w, k.across);
    k.width = limn_rows_of(c)->floats.width, k.panels = limn_parts(k.columns, k.width);
    int64_t most = NEAR / ((FIELDS * k.c + PRODUCTS * k.width) * (k.cols + 1));
    k.down = limn_parts(k.h, most < 1 ? 1 : limn_least(most, k.h)), k.rows = limn_parts(k.h, k.down);
    k.pixels = k.rows * (k.cols + 1);
    k.v_next = ((k.rows + 1) * (k.cols + 1) + 1) * k.c + APART, k.m_next = k.pixels * k.width + APART;
    return k;
}

/* Cycles that a pixel of the source costs, of a core that multiplies two vectors in one: FIELD for each vector of
 * channels, RESULT for each panel, beside the products.  The batch plays no part. */
static bool is_worth_it(const work *k)
{
    enum { FIELD = 12, RESULT = 40, DIRECT = 16 };
    double c = (double)k->c, panels = (double)k->panels, more = (double)(k->cols + 1) / (double)k->cols;
    double in_fields = more * PRODUCTS * c * panels + 2 * c * 2 * FIELD / (double)k->width + panels * RESULT;
    return 1.2 * in_fields < DIRECT * c * panels;
}

static const char *refuse(const limn_call *c)
{
    const char *why = limn_cpu_refuse_types(c);
    if (why) return why;
    if (!(c->attr->flags & LIMN_UPSAMPLED)) return "the picture is not an enlarged one";
    if (c->exact) return "sums are to be exact";
    if (c->src[0].shape.dim[3] % 16) return "channels are no multiple of 16";
    work k = work_of(c);
    return is_worth_it(&k) ? NULL : "so few pixels or channels that differences cost more than they save";
}

/* ---- U to panels: [panel][9][channel][column] of floats --------------------------------------------------------------
 *
 * Also where all else is bf16: rounded, the parts of a window no longer add up to it, and four windows of 2 x 2 in bf16
 * take nearly the same bytes. */

static size_t packed_bytes(const limn_call *c)
{
    work k = work_of(c);
    return (size_t)(k.panels * PRODUCTS * k.c * k.width) * sizeof(float);
}

static uint64_t layout(const limn_call *c)
{
    int64_t what[] = {c->op, work_of(c).width};
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

static limn_status pack(const limn_call *c, const limn_view *from, void *to)
{
    work k = work_of(c);
#pragma omp parallel for schedule(static) num_threads(c->n_threads)
    for (int64_t i = 0; i < k.panels * k.c; i++) {
        int64_t channel = i % k.c, panel = i / k.c;
        float *u = (float *)to + (panel * PRODUCTS * k.c + channel) * k.width;
        for (int64_t j = 0; j < k.width; j++) {
            double sums[PRODUCTS] = {0};
            if (panel * k.width + j < k.columns)
                add_up_window(from, ((panel * k.width + j) * k.c + channel) * 9, sums);
            for (int64_t f = 0; f < PRODUCTS; f++) u[f * k.c * k.width + j] = (float)sums[f];
        }
    }
    return LIMN_OK;
}

/* ---- running ---------------------------------------------------------------------------------------------------------- */

/* Of a thread. */
typedef struct room {
    float *v, *m, *pixels, *outside, *bias; /* bias: room for it */
} room;

static int64_t room_floats(const work *k)
{
    return FIELDS * k->v_next + PRODUCTS * k->m_next + 4 * k->width + k->c + k->panels * k->width;
}

static room room_of(const work *k, float *at)
{
    room r = {.v = at};
    r.m = r.v + FIELDS * k->v_next;
    r.pixels = r.m + PRODUCTS * k->m_next;
    r.outside = r.pixels + 4 * k->width;
    r.bias = r.outside + k->c;
    return r;
}

static size_t scratch_bytes(const limn_call *c)
{
    work k = work_of(c);
    return (size_t)(c->n_threads * room_floats(&k)) * sizeof(float);
}

/* The fields of a block and of the row and column behind it; the sums of the last pixel read one more. */
static void make_fields(const limn_call *c, const work *k, const room *r, limn_spot at)
{
    float *to = r->v;
    for (int64_t i = at.row; i <= at.row + k->rows; i++)
        for (int64_t j = at.col; j <= at.col + k->cols; j++, to += k->c) {
            const void *pixel[4];
            limn_cpu_find_pixels(&c->src[0], (limn_spot){at.b, i - 1, j - 1}, 2, r->outside, pixel);
            limn_rows_of(c)->enlarged.fields(to, k->v_next, pixel, c->src[0].dtype, k->c);
        }
    for (int f = 0; f < FIELDS; f++) memset(to + f * k->v_next, 0, (size_t)k->c * sizeof *to);
}

/* M of a block for one panel, whose weights are `u`. */
static void multiply(const limn_call *c, const work *k, const room *r, const float *u)
{
    for (int64_t i = 0, some; i < k->c; i += some) {
        some = limn_least(k->c - i, CHANNELS);
        for (int64_t f = 0; f < PRODUCTS; f++) {
            int64_t a = f / 3, b = f % 3, field = 2 * (a != 1) + (b != 1), from = (a == 2) * (k->cols + 1) + (b == 2);
            const float *v = r->v + field * k->v_next + from * k->c + i;
            float *m = r->m + f * k->m_next;
            for (int64_t t = 0; t < k->pixels; t += LIMN_TILE_ROWS)
                limn_rows_of(c)->floats.multiply(m + t * k->width, k->width, v + t * k->c, k->c, 1, 0,
                                                 u + (f * k->c + i) * k->width, some, 1,
                                                 (int)limn_least(k->pixels - t, LIMN_TILE_ROWS), (int)k->width, i > 0);
        }
    }
}

static void run_block(const limn_call *c, const work *k, const room *r, limn_spot at, int64_t panel, int64_t end)
{
    const limn_rows *rows = limn_rows_of(c);
    const float *bias = limn_cpu_bias(c, k->columns, k->panels * k->width, r->bias);
    int64_t down = limn_least(k->h - at.row, k->rows), across = limn_least(k->w - at.col, k->cols);
    make_fields(c, k, r, at);
    for (; panel < end; panel++) {
        multiply(c, k, r, (const float *)c->src[1].data + panel * PRODUCTS * k->c * k->width);
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

const limn_kernel limn_cpu_conv_enlarged = {.name = "differences",
                                            .refuse = refuse,
                                            .scratch_bytes = scratch_bytes,
                                            .packed_bytes = packed_bytes,
                                            .layout = layout,
                                            .pack = pack,
                                            .pack_src = 1,
                                            .run = run};
