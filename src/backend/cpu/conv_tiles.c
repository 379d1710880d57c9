/* conv_tiles.c: convolutions in f32 tiles of our own.  Pictures of another type are converted as a whole.
 *
 *   y [pixels][O] = A [pixels][kh kw C] W'        A: the windows of window.h, read where they lie; W' in panels of 2 V columns
 *
 * A transposed convolution with stride s is s x s convolutions of stride 1, one for each place (row, column) of a pixel modulo s, with those
 * elements of the window that meet it; their results interleave.  So do the four 2 x 2 convolutions of an enlarged picture (LIMN_UPSAMPLED): row
 * 2 m + r of it sees small rows m - 1 + r and m + r, with the sums of those window rows that fall on each.  Bias, residual and activation are applied while the rows are in the cache.
 * Each sum runs over blocks of terms in order: the thread count plays no part. */
#include "backend/cpu/kernels.h"
#include "backend/cpu/window.h"

#include <omp.h>

enum { BLOCK = 256, TILES = 16, FEW = 64 }; /* terms of a sum at a time; tiles of pixels a thread takes; terms of a window row not worth a tile */

static const char *refuse(const limn_call *c)
{
    return limn_cpu_refuse_types(c);
}

/* One convolution: all of CONV, or one of the s x s of CONV_TRANSPOSE. */
typedef struct phase {
    limn_windows a;
    const float *b;               /* panels */
    int64_t packed, columns;      /* floats of b; channels of the result */
    int64_t first_row, first_col, step; /* grid pixel (i, j) is pixel (first_row + i step, first_col + j step) of the result */
    int64_t du, dv;               /* CONV_TRANSPOSE: the window elements du, du + s, .. and dv, dv + s, ..; upsampled: row and column mod 2 */
} phase;

static int64_t panel(const limn_call *c)
{
    return 2 * limn_rows_of(c)->vector;
}

static bool transposed(const limn_call *c)
{
    return c->op == LIMN_OP_CONV_TRANSPOSE;
}

static bool upsampled(const limn_call *c)
{
    return c->attr->flags & LIMN_UPSAMPLED;
}

static int n_phases(const limn_call *c)
{
    return upsampled(c) ? 4 : transposed(c) ? c->attr->stride * c->attr->stride : 1;
}

/* Pixels r - before, r - before + s, .. below n: where they begin, and how many there are. */
static int64_t places(int64_t r, int64_t before, int64_t s, int64_t n, int64_t *first)
{
    *first = ((r - before) % s + s) % s;
    return *first < n ? (n - *first + s - 1) / s : 0;
}

/* A pixel Y meets window element u of source pixel i when  Y + top = i s + u:  u = r + s q with r = (Y + top) mod s,  i = (Y + top - r) / s - q.
 * In the order of falling q that is a window of ceil((kh - r) / s) source pixels. */
static phase phase_of(const limn_call *c, int index)
{
    const int64_t *x = c->src[0].shape.dim, *w = c->src[1].shape.dim, *y = c->dst.shape.dim;
    const limn_attr *attr = c->attr;
    phase p = {.a = {.source = c->src[0].data, .batch = x[0], .h = x[1], .w = x[2], .c = x[3]}, .columns = y[3]};
    if (upsampled(c)) {
        p.step = 2, p.first_row = p.du = index / 2, p.first_col = p.dv = index % 2;
        p.a.rows = x[1], p.a.cols = x[2], p.a.kh = p.a.kw = 2, p.a.step = 1, p.a.top = 1 - p.du, p.a.left = 1 - p.dv;
    } else if (!transposed(c)) {
        p.step = 1;
        p.a.rows = y[1], p.a.cols = y[2], p.a.kh = w[2], p.a.kw = w[3], p.a.step = attr->stride, p.a.top = attr->pad[0], p.a.left = attr->pad[1];
    } else {
        int s = attr->stride;
        p.step = s, p.du = index / s, p.dv = index % s;
        p.a.rows = places(p.du, attr->pad[0], s, y[1], &p.first_row), p.a.cols = places(p.dv, attr->pad[1], s, y[2], &p.first_col);
        p.a.kh = p.du < w[2] ? (w[2] - p.du + s - 1) / s : 0, p.a.kw = p.dv < w[3] ? (w[3] - p.dv + s - 1) / s : 0;
        p.a.step = 1;
        p.a.top = p.a.kh - 1 - (p.first_row + attr->pad[0] - p.du) / s;
        p.a.left = p.a.kw - 1 - (p.first_col + attr->pad[1] - p.dv) / s;
    }
    p.packed = limn_windows_terms(&p.a) * limn_round_up(p.columns, panel(c));
    return p;
}

/* ---- W to panels ---------------------------------------------------------------------------------------------------------- */

static size_t packed_bytes(const limn_call *c)
{
    int64_t n = 0;
    for (int i = 0; i < n_phases(c); i++) n += phase_of(c, i).packed;
    return (size_t)n * sizeof(float);
}

static float number(const limn_view *w, int64_t at)
{
    return w->dtype == LIMN_F32 ? ((const float *)w->data)[at] : limn_bf16_to_f32(((const uint16_t *)w->data)[at]);
}

/* What rows u, u + 1, .. of a 3 x 3 window that fall on small row `u` of phase r add up to: r = 0: {0}, {1, 2}; r = 1: {0, 1}, {2} */
static void fallen(int64_t r, int64_t u, int64_t *first, int64_t *n)
{
    *n = (r == 0) == (u == 1) ? 2 : 1;
    *first = u == 0 ? 0 : r == 0 ? 1 : 2;
}

static float fallen_sum(const limn_view *w, int64_t plane, const phase *p, int64_t u, int64_t v)
{
    int64_t y, x, h, l;
    float sum = 0;
    fallen(p->du, u, &y, &h);
    fallen(p->dv, v, &x, &l);
    for (int64_t i = 0; i < h * l; i++) sum += number(w, plane + (y + i / l) * 3 + x + i % l);
    return sum;
}

/* Panel of columns col.. : [terms][width], terms in the order (u, v, channel of the source). */
static void pack_panel(const limn_call *c, const limn_view *w, const phase *p, int64_t col, int64_t width, float *to)
{
    const int64_t *d = w->shape.dim;
    int64_t s = p->step, n = p->columns - col < width ? p->columns - col : width, plane = d[2] * d[3];
    for (int64_t u = 0; u < p->a.kh; u++)
        for (int64_t v = 0; v < p->a.kw; v++) {
            int64_t row = transposed(c) ? p->du + s * (p->a.kh - 1 - u) : u, element = transposed(c) ? p->dv + s * (p->a.kw - 1 - v) : v;
            for (int64_t k = 0; k < p->a.c; k++, to += width)
                for (int64_t j = 0; j < width; j++) {
                    int64_t in = transposed(c) ? k * d[1] + col + j : (col + j) * d[1] + k;
                    int64_t at = in * plane + row * d[3] + element;
                    to[j] = j >= n ? 0 : upsampled(c) ? fallen_sum(w, in * plane, p, u, v) : number(w, at);
                }
        }
}

static void pack(const limn_call *c, const limn_view *from, void *to)
{
    float *b = to;
    int64_t width = panel(c);
    for (int i = 0; i < n_phases(c); i++) {
        phase p = phase_of(c, i);
        int64_t terms = limn_windows_terms(&p.a);
#pragma omp parallel for schedule(static) num_threads(c->n_threads)
        for (int64_t col = 0; col < p.columns; col += width) pack_panel(c, from, &p, col, width, b + col * terms);
        b += p.packed;
    }
}

/* ---- running -------------------------------------------------------------------------------------------------------------- */

static size_t thread_floats(const limn_call *c)
{
    return (size_t)(TILES * LIMN_TILE_ROWS * BLOCK) + (size_t)limn_round_up(c->dst.shape.dim[3], 16);
}

/* Floats of a converted copy; 0 where the picture is f32. */
static size_t copy_floats(const limn_view *v)
{
    return v->dtype == LIMN_F32 ? 0 : (size_t)limn_round_up(limn_shape_count(&v->shape), 16);
}

static const limn_view *residual_of(const limn_call *c)
{
    return c->attr->flags & LIMN_HAS_RESIDUAL ? &c->src[c->n_src - 1] : NULL;
}

static size_t scratch_bytes(const limn_call *c)
{
    size_t copies = copy_floats(&c->src[0]) + copy_floats(&c->dst) + (residual_of(c) ? copy_floats(residual_of(c)) : 0);
    return ((size_t)c->n_threads * thread_floats(c) + copies) * sizeof(float);
}

/* v as f32: itself, or a copy at *room, which then moves on; values false: room only */
static void to_floats(const limn_call *c, limn_view *v, float **room, bool values)
{
    size_t n = copy_floats(v);
    if (!n) return;
    float *to = *room;
    *room += n;
    if (values) limn_cpu_convert(v->data, v->dtype, to, LIMN_F32, limn_shape_count(&v->shape), c->n_threads);
    *v = (limn_view){LIMN_F32, v->shape, to};
}

/* Where grid pixel q lies in the result. */
static int64_t place(const limn_call *c, const phase *p, int64_t q)
{
    int64_t j = q % p->a.cols, i = q / p->a.cols % p->a.rows, b = q / p->a.cols / p->a.rows;
    return ((b * c->dst.shape.dim[1] + p->first_row + i * p->step) * c->dst.shape.dim[2] + p->first_col + j * p->step) * p->columns;
}

typedef struct tile {
    int64_t pixel, n;     /* grid pixels */
    const float *a;       /* their terms, a_row apart */
    int64_t a_row;
    float *y;
} tile;

/* Tile t: when results interleave, a tile ends with its grid row, so that its results are evenly apart. */
static tile tile_of(const limn_call *c, const phase *p, int64_t t)
{
    enum { R = LIMN_TILE_ROWS };
    int64_t all = limn_windows_pixels(&p->a), cols = p->a.cols, per_row = (cols + R - 1) / R;
    tile one = {.pixel = t * R, .n = all - t * R < R ? all - t * R : R};
    if (p->step > 1) one.pixel = t / per_row * cols + t % per_row * R, one.n = cols - t % per_row * R < R ? cols - t % per_row * R : R;
    one.y = (float *)c->dst.data + place(c, p, one.pixel);
    return one;
}

static int64_t n_tiles(const phase *p)
{
    enum { R = LIMN_TILE_ROWS };
    return p->step > 1 ? p->a.batch * p->a.rows * ((p->a.cols + R - 1) / R) : (limn_windows_pixels(&p->a) + R - 1) / R;
}

/* Terms term..term+n of a tile's pixels: in the picture where all lie inside, else copied to `room`. */
static void find_terms(const phase *p, tile *t, int64_t term, int64_t n, float *room)
{
    int64_t run = p->a.kw * p->a.c;
    const float *inside = term / run == (term + n - 1) / run ? limn_window_find(&p->a, t->pixel, t->n, term / run) : NULL;
    if (inside) {
        t->a = inside + term % run, t->a_row = p->a.step * p->a.c;
        return;
    }
    for (int64_t r = 0; r < t->n; r++) limn_window_copy(&p->a, t->pixel + r, term, n, room + r * n);
    t->a = room, t->a_row = n;
}

static void finish(const limn_call *c, const limn_rows *rows, const phase *p, const tile *t, const float *bias)
{
    const float *residual = c->attr->flags & LIMN_HAS_RESIDUAL ? c->src[c->n_src - 1].data : NULL;
    struct limn_chain_step act = {.op = LIMN_OP_ACTIVATE, .activation = c->attr->activation};
    for (int64_t r = 0; r < t->n; r++) {
        float *y = t->y + r * p->step * p->columns;
        if (bias) rows->add(y, bias, p->columns);
        if (residual) rows->add(y, residual + (y - (float *)c->dst.data), p->columns);
        if (c->attr->activation) rows->step(&act, y, y, NULL, p->columns);
    }
}

/* Terms of the next block: even parts of a window row, or several short rows together. */
static int64_t block_of(const phase *p, int64_t term)
{
    int64_t all = limn_windows_terms(&p->a), run = p->a.kw * p->a.c;
    if (run < FEW) return all - term < BLOCK ? all - term : BLOCK;
    int64_t parts = (run + BLOCK - 1) / BLOCK, part = (run + parts - 1) / parts, left = run - term % run;
    return left < part ? left : part;
}

static void run_tiles(const limn_call *c, const phase *p, int64_t first, int64_t count, const float *bias, float *room)
{
    const limn_rows *rows = limn_rows_of(c);
    int64_t terms = limn_windows_terms(&p->a), width = panel(c);
    tile tiles[TILES];
    for (int64_t t = 0; t < count; t++) tiles[t] = tile_of(c, p, first + t);
    for (int64_t i = 0, n; i < terms; i += n) {
        n = block_of(p, i);
        for (int64_t t = 0; t < count; t++) find_terms(p, &tiles[t], i, n, room + t * LIMN_TILE_ROWS * n);
        for (int64_t col = 0; col < p->columns; col += width)
            for (int64_t t = 0; t < count; t++)
                rows->tile(tiles[t].y + col, p->step * p->columns, tiles[t].a, tiles[t].a_row, 1, p->b + col * terms + i * width, n, (int)tiles[t].n,
                           (int)(p->columns - col < width ? p->columns - col : width), i > 0);
    }
    for (int64_t t = 0; t < count; t++) {
        for (int64_t r = 0; terms == 0 && r < tiles[t].n; r++) memset(tiles[t].y + r * p->step * p->columns, 0, (size_t)p->columns * sizeof(float));
        finish(c, rows, p, &tiles[t], bias);
    }
}

static void run_floats(const limn_call *c)
{
    const float *b = c->src[1].data;
    for (int i = 0; i < n_phases(c); i++) {
        phase p = phase_of(c, i);
        p.b = b;
        b += p.packed;
        int64_t n = limn_windows_pixels(&p.a) ? n_tiles(&p) : 0;
#pragma omp parallel for schedule(static) num_threads(c->n_threads)
        for (int64_t first = 0; first < n; first += TILES) {
            float *room = (float *)c->scratch + (size_t)omp_get_thread_num() * thread_floats(c);
            const float *bias = NULL;
            if (c->attr->flags & LIMN_HAS_BIAS)
                bias = limn_cpu_floats(limn_rows_of(c), &c->src[2], 0, p.columns, room + TILES * LIMN_TILE_ROWS * BLOCK);
            run_tiles(c, &p, first, n - first < TILES ? n - first : TILES, bias, room);
        }
    }
}

static void run(const limn_call *c)
{
    limn_call f = *c;
    float *room = (float *)c->scratch + (size_t)c->n_threads * thread_floats(c);
    to_floats(c, &f.src[0], &room, true);
    if (residual_of(c)) to_floats(c, &f.src[c->n_src - 1], &room, true);
    to_floats(c, &f.dst, &room, false);
    run_floats(&f);
    if (c->dst.dtype != LIMN_F32) limn_cpu_convert(f.dst.data, LIMN_F32, c->dst.data, c->dst.dtype, limn_shape_count(&c->dst.shape), c->n_threads);
}

const limn_kernel limn_cpu_conv_tiles = {.name = "tiles", .refuse = refuse, .scratch_bytes = scratch_bytes, .packed_bytes = packed_bytes, .pack = pack,
                                         .pack_src = 1, .run = run};
