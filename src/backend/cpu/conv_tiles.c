/* conv_tiles.c: convolutions in tiles of our own, f32 or bf16.
 *
 *   y [pixels][O] = A [pixels][kh kw C] W'        A: the windows of window.h, read where they lie; W' in panels of as
 *   many columns as a tile has
 *
 * A and W' are words: floats, or where the picture is bf16 with an even number of channels, pairs of neighbouring channels
 * (C is then half as many), and the weights are rounded to bf16.  Sums are f32.  A bf16 picture of odd channels (the first
 * layer's) is converted as a whole.
 *
 * A transposed convolution with stride s is s x s convolutions of stride 1, one for each place (row, column) of a pixel
 * modulo s, with those elements of the window that meet it; their results interleave.  So do the four 2 x 2 convolutions of
 * an enlarged picture (LIMN_UPSAMPLED): row 2 m + r of it sees small rows m - 1 + r and m + r, with the sums of those window
 * rows that fall on each.  Bias, residual and activation are applied while the rows are in the cache.  Each sum runs over
 * blocks of terms in order: the thread count plays no part. */
#include "backend/cpu/amx.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/window.h"
#include "base/rng.h"

#include <omp.h>

/* Words of a sum at a time: floats (longer sums lose digits), pairs; pixels that a thread takes at a time, and their
 * tiles. */
enum { BLOCK = 256, PAIR_BLOCK = 768, PIXELS = 128, MOST_TILES = PIXELS / LIMN_TILE_ROWS };

/* One convolution: all of CONV, or one of the s x s of CONV_TRANSPOSE. */
typedef struct phase {
    limn_windows a;
    const char *b;                /* panels of word_type() */
    int64_t packed, columns;      /* words of b; channels of the result */
    int64_t first_row, first_col,
        step; /* grid pixel (i, j) is pixel (first_row + i step, first_col + j step) of the result */
    int64_t du,
        dv; /* CONV_TRANSPOSE: the window elements du, du + s, .. and dv, dv + s, ..; upsampled: row and column mod 2 */
} phase;

/* Are words pairs of bf16 channels? */
static bool in_pairs(const limn_call *c)
{
    return c->src[0].dtype == LIMN_BF16 && c->src[0].shape.dim[3] % 2 == 0;
}

static const limn_tiles *tiles_of(const limn_call *c)
{
    const limn_rows *rows = limn_rows_of(c);
    if (c->state) return c->state;
    return !in_pairs(c) ? &rows->floats : c->dst.shape.dim[3] <= rows->vector ? &rows->narrow_pairs : &rows->pairs;
}

static int64_t panel(const limn_call *c)
{
    return tiles_of(c)->width;
}

/* Pixels of a tile. */
static int64_t tile_rows(const limn_call *c)
{
    return tiles_of(c)->rows;
}

static int64_t group_tiles(const limn_call *c)
{
    return PIXELS / tile_rows(c);
}

static int64_t block_words(const limn_call *c)
{
    return in_pairs(c) ? PAIR_BLOCK : BLOCK;
}

static bool transposed(const limn_call *c)
{
    return c->op == LIMN_OP_CONV_TRANSPOSE;
}

static bool upsampled(const limn_call *c)
{
    return c->attr->flags & LIMN_UPSAMPLED;
}

/* A phase for each place modulo the stride: of large ones most would be empty. */
static const char *refuse(const limn_call *c)
{
    const char *why = limn_cpu_refuse_types(c);
    return why ? why : transposed(c) && c->attr->stride > 64 ? "transposed with a stride of more than 64" : NULL;
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

/* A pixel Y meets window element u of source pixel i when  Y + top = i s + u:  u = r + s q with r = (Y + top) mod s,  i = (Y
 * + top - r) / s - q. In the order of falling q that is a window of ceil((kh - r) / s) source pixels. */
static phase phase_of(const limn_call *c, int index)
{
    const int64_t *x = c->src[0].shape.dim, *w = c->src[1].shape.dim, *y = c->dst.shape.dim;
    const limn_attr *attr = c->attr;
    phase p = {.a = {.source = c->src[0].data, .batch = x[0], .h = x[1], .w = x[2], .c = in_pairs(c) ? x[3] / 2 : x[3]},
               .columns = y[3]};
    if (upsampled(c)) {
        p.step = 2, p.first_row = p.du = index / 2, p.first_col = p.dv = index % 2;
        p.a.rows = x[1], p.a.cols = x[2], p.a.kh = p.a.kw = 2, p.a.step = 1, p.a.top = 1 - p.du, p.a.left = 1 - p.dv;
    } else if (!transposed(c)) {
        p.step = 1;
        p.a.rows = y[1], p.a.cols = y[2], p.a.kh = w[2], p.a.kw = w[3], p.a.step = attr->stride, p.a.top = attr->pad[0],
        p.a.left = attr->pad[1];
    } else {
        int s = attr->stride;
        p.step = s, p.du = index / s, p.dv = index % s;
        p.a.rows = places(p.du, attr->pad[0], s, y[1], &p.first_row),
        p.a.cols = places(p.dv, attr->pad[1], s, y[2], &p.first_col);
        p.a.kh = p.du < w[2] ? (w[2] - p.du + s - 1) / s : 0, p.a.kw = p.dv < w[3] ? (w[3] - p.dv + s - 1) / s : 0;
        p.a.step = 1;
        p.a.top = p.a.kh - 1 - (p.first_row + attr->pad[0] - p.du) / s;
        p.a.left = p.a.kw - 1 - (p.first_col + attr->pad[1] - p.dv) / s;
    }
    if (p.a.kh * p.a.kw * p.a.step * p.step == 1 && p.a.rows == x[1] &&
        p.a.cols == x[2]) /* windows of one pixel: all pixels are one row */
        p.a.w = p.a.cols = x[0] * x[1] * x[2], p.a.batch = p.a.h = p.a.rows = 1;
    p.packed = limn_windows_terms(&p.a) * limn_round_up(p.columns, panel(c));
    return p;
}

/* ---- W to panels ------------------------------------------------------------------------------------------------------ */

/* Weights of 16 bits stay so beside floats, and are widened block by block; sums of them, and pairs, are words of 32. */
static limn_dtype word_type(const limn_call *c) { return in_pairs(c) || upsampled(c) ? LIMN_F32 : c->src[1].dtype; }

static size_t word_bytes(const limn_call *c) { return limn_dtype_bytes(word_type(c)); }

static size_t packed_bytes(const limn_call *c)
{
    int64_t n = 0;
    for (int i = 0; i < n_phases(c); i++) n += phase_of(c, i).packed;
    return (size_t)n * word_bytes(c);
}

/* What tells one layout of a W from another: the size of the picture plays no part. */
static uint64_t layout(const limn_call *c)
{
    int64_t what[] = {c->op, panel(c), in_pairs(c), upsampled(c), transposed(c) ? c->attr->stride : 1};
    return limn_hash_bytes(LIMN_HASH, what, sizeof what);
}

/* What rows u, u + 1, .. of a 3 x 3 window that fall on small row `u` of phase r add up to: r = 0: {0}, {1, 2}; r = 1: {0,
 * 1}, {2} */
static void folded(int64_t r, int64_t u, int64_t *first, int64_t *n)
{
    *n = (r == 0) == (u == 1) ? 2 : 1;
    *first = u == 0 ? 0 : r == 0 ? 1 : 2;
}

static float folded_tap(const limn_view *w, int64_t plane, const phase *p, int64_t u, int64_t v)
{
    int64_t y, x, h, l;
    float sum = 0;
    folded(p->du, u, &y, &h);
    folded(p->dv, v, &x, &l);
    for (int64_t i = 0; i < h * l; i++) sum += limn_cpu_weight(w, plane + (y + i / l) * 3 + x + i % l);
    return sum;
}

/* Element (u, v) of the phase's window in n planes of W, `next` apart. */
static void elements(const limn_call *c, const limn_view *w, const phase *p, int64_t plane, int64_t next, int64_t u,
                     int64_t v, int64_t n, float *to)
{
    if (upsampled(c)) {
        for (int64_t j = 0; j < n; j++) to[j] = folded_tap(w, plane + j * next, p, u, v);
        return;
    }
    if (transposed(c)) u = p->du + p->step * (p->a.kh - 1 - u), v = p->dv + p->step * (p->a.kw - 1 - v);
    for (int64_t j = 0, at = plane + u * w->shape.dim[3] + v; j < n; j++, at += next) to[j] = limn_cpu_weight(w, at);
}

enum { TOGETHER = 8, MOST_COLUMNS = 32 }; /* words whose lines of W fit the first cache; columns of a panel */

/* Panel of columns col.. : [terms][width], terms in the order (u, v, channel of the source). */
static void pack_panel(const limn_call *c, const limn_view *w, const phase *p, int64_t col, int64_t width, char *to)
{
    const limn_rows *rows = limn_rows_of(c);
    const int64_t *d = w->shape.dim;
    int64_t n = p->columns - col < width ? p->columns - col : width, terms = p->a.c, parts = in_pairs(c) ? 2 : 1;
    int64_t plane = d[2] * d[3], of_channel = transposed(c) ? d[1] * plane : plane,
            of_column = transposed(c) ? plane : d[1] * plane;
    float numbers[2][TOGETHER * MOST_COLUMNS] = {{0}};
    uint16_t halves[2][TOGETHER * MOST_COLUMNS];
    for (int64_t k = 0; k < terms; k += TOGETHER)
        for (int64_t tap = 0; tap < p->a.kh * p->a.kw; tap++) {
            int64_t m = terms - k < TOGETHER ? terms - k : TOGETHER;
            char *word = to + (size_t)((tap * terms + k) * width) * word_bytes(c);
            for (int64_t i = 0; i < m * parts; i++)
                elements(c, w, p, (k * parts + i) * of_channel + col * of_column, of_column, tap / p->a.kw, tap % p->a.kw, n,
                         numbers[i % parts] + i / parts * width);
            if (parts == 1) rows->store(word, word_type(c), numbers[0], m * width);
            for (int i = 0; parts == 2 && i < 2; i++) rows->store(halves[i], LIMN_BF16, numbers[i], m * width);
            if (parts == 2) rows->pairs.lay((float *)(void *)word, width, halves[0], halves[1], width, m, width);
        }
}

static limn_status pack(const limn_call *c, const limn_view *from, void *to)
{
    char *b = to;
    int64_t width = panel(c);
    size_t size = word_bytes(c);
    for (int i = 0; i < n_phases(c); i++) {
        phase p = phase_of(c, i);
        int64_t terms = limn_windows_terms(&p.a);
#pragma omp parallel for schedule(static) num_threads(c->n_threads)
        for (int64_t col = 0; col < p.columns; col += width)
            pack_panel(c, from, &p, col, width, b + (size_t)(col * terms) * size);
        b += (size_t)p.packed * size;
    }
    return LIMN_OK;
}

/* ---- running ---------------------------------------------------------------------------------------------------------- */

/* Words of a block of a panel that are widened. */
static size_t widened_floats(const limn_call *c)
{
    return word_type(c) == LIMN_F32 ? 0 : (size_t)limn_round_up(block_words(c) * panel(c), 16);
}

/* Scratch of a thread: bias, a widened block, windows that had to be copied, and where the result is not f32 its sums. */
static size_t thread_floats(const limn_call *c)
{
    size_t columns = (size_t)limn_round_up(c->dst.shape.dim[3], 16), pixels = (size_t)(group_tiles(c) * tile_rows(c));
    return columns + widened_floats(c) + pixels * (size_t)block_words(c) + (c->dst.dtype == LIMN_F32 ? 0 : pixels * columns);
}

/* Floats of the picture converted; 0 where its words serve as they are. */
static size_t copy_floats(const limn_call *c)
{
    return c->src[0].dtype == LIMN_F32 || in_pairs(c) ? 0 : (size_t)limn_round_up(limn_shape_count(&c->src[0].shape), 16);
}

static size_t scratch_bytes(const limn_call *c)
{
    return ((size_t)c->n_threads * thread_floats(c) + copy_floats(c)) * sizeof(float);
}

/* Where a grid pixel lies in the result. */
static int64_t element_of(const limn_call *c, const phase *p, limn_place at)
{
    return ((at.b * c->dst.shape.dim[1] + p->first_row + at.i * p->step) * c->dst.shape.dim[2] + p->first_col +
            at.j * p->step) *
           p->columns;
}

typedef struct tile {
    limn_place first;     /* grid pixel */
    int64_t n;            /* grid pixels */
    const float *a;       /* their words, a_row apart, in runs that are a_run apart */
    int64_t a_row, a_run, n_runs;
    int64_t at, y_row;    /* element of the result; from pixel to pixel */
    float *sum;           /* the result, or sums on their way to it */
    int64_t sum_row;
} tile;

/* Tile t: when results interleave, a tile ends with its grid row, so that its results are evenly apart. */
static tile tile_of(const limn_call *c, const phase *p, int64_t t, float *sums)
{
    int64_t most = tile_rows(c), all = limn_windows_pixels(&p->a), cols = p->a.cols, per_row = (cols + most - 1) / most;
    tile one = {.n = all - t * most < most ? all - t * most : most, .y_row = p->step * p->columns};
    if (p->step > 1) one.n = cols - t % per_row * most < most ? cols - t % per_row * most : most;
    one.first = limn_place_of(&p->a, p->step > 1 ? t / per_row * cols + t % per_row * most : t * most);
    one.at = element_of(c, p, one.first);
    bool apart = c->dst.dtype != LIMN_F32;
    one.sum = apart ? sums : (float *)c->dst.data + one.at, one.sum_row = apart ? p->columns : one.y_row;
    return one;
}

static int64_t n_tiles(const limn_call *c, const phase *p)
{
    int64_t most = tile_rows(c), pixels = limn_windows_pixels(&p->a);
    return pixels == 0   ? 0
           : p->step > 1 ? p->a.batch * p->a.rows * ((p->a.cols + most - 1) / most)
                         : (pixels + most - 1) / most;
}

/* Words term..term+n of a tile's pixels, of one window row or of whole ones: in the picture where all lie inside, else
 * copied to `room`. */
static void find_terms(const phase *p, tile *t, int64_t term, int64_t n, float *room)
{
    int64_t run = p->a.kw * p->a.c, u = term / run, last = (term + n - 1) / run;
    const float *inside = limn_window_find(&p->a, t->first, t->n, u);
    if (inside && (last == u || limn_window_find(&p->a, t->first, t->n, last))) {
        t->a = inside + term % run, t->a_row = p->a.step * p->a.c, t->a_run = p->a.w * p->a.c, t->n_runs = last - u + 1;
        return;
    }
    limn_place at = t->first;
    for (int64_t r = 0; r < t->n; r++, at = limn_place_after(&p->a, at)) limn_window_copy(&p->a, at, term, n, room + r * n);
    t->a = room, t->a_row = n, t->n_runs = 1;
}

/* Residual and activation for n sums that follow each other, and the result where it is not f32. */
static void finish_run(const limn_call *c, const limn_rows *rows, float *sum, int64_t at, int64_t n)
{
    const limn_view *residual = c->attr->flags & LIMN_HAS_RESIDUAL ? &c->src[c->n_src - 1] : NULL;
    struct limn_chain_step act = {.op = LIMN_OP_ACTIVATE, .activation = c->attr->activation};
    float part[LIMN_BLOCK];
    for (int64_t m; n > 0; n -= m, sum += m, at += m) {
        m = n < LIMN_BLOCK ? n : LIMN_BLOCK;
        if (residual) rows->add(sum, limn_cpu_floats(rows, residual, at, m, part), m);
        if (c->attr->activation) rows->step(&act, sum, sum, NULL, m);
        if (c->dst.dtype != LIMN_F32)
            rows->store((char *)c->dst.data + (size_t)at * limn_dtype_bytes(c->dst.dtype), c->dst.dtype, sum, m);
    }
}

static void finish(const limn_call *c, const limn_rows *rows, const phase *p, const tile *t, const float *bias)
{
    for (int64_t r = 0; bias && r < t->n; r++) rows->add(t->sum + r * t->sum_row, bias, p->columns);
    if (p->step == 1) finish_run(c, rows, t->sum, t->at, t->n * p->columns);
    else
        for (int64_t r = 0; r < t->n; r++) finish_run(c, rows, t->sum + r * t->sum_row, t->at + r * t->y_row, p->columns);
}

/* Words of the next block: even parts of a window row, or several whole rows. */
static int64_t block_of(const phase *p, int64_t term, int64_t words)
{
    int64_t run = p->a.kw * p->a.c, all = run <= words ? p->a.kh : run, most = run <= words ? words / run : words;
    int64_t parts = (all + most - 1) / most,
            part = run <= words ? (all + parts - 1) / parts * run : limn_round_up((all + parts - 1) / parts, 16);
    int64_t left = run <= words ? limn_windows_terms(&p->a) - term : run - term % run;
    return left < part ? left : part;
}

/* n rows of a panel. */
static const float *block_at(const limn_call *c, const phase *p, int64_t row, int64_t n, float *room)
{
    limn_view panels = {.dtype = word_type(c), .data = (void *)(uintptr_t)p->b};
    return limn_cpu_floats(limn_rows_of(c), &panels, row, n, room);
}

static void run_tiles(const limn_call *c, const phase *p, int64_t first, int64_t count, const float *bias, float *room)
{
    const limn_rows *rows = limn_rows_of(c);
    limn_tile *multiply = tiles_of(c)->multiply;
    int64_t terms = limn_windows_terms(&p->a), width = panel(c), most = tile_rows(c), words = block_words(c);
    tile tiles[MOST_TILES];
    float *widened = room;
    room += widened_floats(c);
    for (int64_t t = 0; t < count; t++)
        tiles[t] = tile_of(c, p, first + t, room + group_tiles(c) * most * words + t * most * p->columns);
    for (int64_t i = 0, n; i < terms; i += n) {
        n = block_of(p, i, words);
        for (int64_t t = 0; t < count; t++) find_terms(p, &tiles[t], i, n, room + t * most * n);
        for (int64_t col = 0; col < p->columns; col += width) {
            const float *b = block_at(c, p, col * terms + i * width, n * width, widened);
            for (int64_t t = 0; t < count; t++)
                multiply(tiles[t].sum + col, tiles[t].sum_row, tiles[t].a, tiles[t].a_row, 1, tiles[t].a_run, b,
                         n / tiles[t].n_runs, tiles[t].n_runs, (int)tiles[t].n,
                         (int)(p->columns - col < width ? p->columns - col : width), i > 0);
        }
    }
    for (int64_t t = 0; t < count; t++) {
        for (int64_t r = 0; terms == 0 && r < tiles[t].n; r++)
            memset(tiles[t].sum + r * tiles[t].sum_row, 0, (size_t)p->columns * sizeof(float));
        finish(c, rows, p, &tiles[t], bias);
    }
}

/* Tiles that a thread takes at a time: as many as the weights of a block are worth, and the same number of times for each
 * thread. */
static int64_t group_of(int64_t n, int64_t most, int n_threads)
{
    int64_t groups = limn_round_up((n + most - 1) / most, n_threads);
    return (n + groups - 1) / groups;
}

static void run_phase(const limn_call *c, const phase *p)
{
    const limn_tiles *tiles = tiles_of(c);
    int64_t n = n_tiles(c, p), group = group_of(n, group_tiles(c), c->n_threads), columns = limn_round_up(p->columns, 16);
#pragma omp parallel for schedule(static) num_threads(c->n_threads)
    for (int64_t first = 0; first < n; first += group) {
        float *room = (float *)c->scratch + (size_t)omp_get_thread_num() * thread_floats(c);
        const float *bias =
            c->attr->flags & LIMN_HAS_BIAS ? limn_cpu_floats(limn_rows_of(c), &c->src[2], 0, p->columns, room) : NULL;
        if (tiles->begin) tiles->begin();
        run_tiles(c, p, first, n - first < group ? n - first : group, bias, room + columns);
        if (tiles->end) tiles->end();
    }
}

static limn_status run(const limn_call *c)
{
    limn_call f = *c;
    const char *b = c->src[1].data;
    if (copy_floats(c)) {
        float *copy = (float *)c->scratch + (size_t)c->n_threads * thread_floats(c);
        limn_cpu_convert(c->src[0].data, c->src[0].dtype, copy, LIMN_F32, limn_shape_count(&c->src[0].shape), c->n_threads);
        f.src[0] = (limn_view){LIMN_F32, c->src[0].shape, copy};
    }
    for (int i = 0; i < n_phases(&f); i++) {
        phase p = phase_of(&f, i);
        p.b = b;
        b += (size_t)p.packed * word_bytes(&f);
        if (limn_windows_pixels(&p.a)) run_phase(&f, &p);
    }
    return LIMN_OK;
}

static const char *refuse_amx(const limn_call *c)
{
    const char *why = refuse(c);
    if (!why && !in_pairs(c)) why = c->src[0].dtype == LIMN_F32 ? "sources are f32" : "the number of channels is odd";
    return why ? why : limn_isa_refuse_call(c, LIMN_ISA_AMX);
}

const limn_kernel limn_cpu_conv_tiles = {.name = "tiles",
                                         .refuse = refuse,
                                         .scratch_bytes = scratch_bytes,
                                         .packed_bytes = packed_bytes,
                                         .layout = layout,
                                         .pack = pack,
                                         .pack_src = 1,
                                         .run = run};
const limn_kernel limn_cpu_conv_amx = {.name = "amx",
                                       .refuse = refuse_amx,
                                       .prepare = limn_amx_prepare_pairs,
                                       .scratch_bytes = scratch_bytes,
                                       .packed_bytes = packed_bytes,
                                       .layout = layout,
                                       .pack = pack,
                                       .pack_src = 1,
                                       .run = run};
