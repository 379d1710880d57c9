/* tiles.c: f32 products in tiles of our own.
 *
 * oneDNN splits long f32 sums among threads where there is AVX-512, so that another thread count gives other bits; its AVX2
 * products reach 60 to 75 % of what two FMA units can do, and its weight gradients a third when a row is a multiple of 4 KB
 * (docs/speed.md). Here B lies in panels of as many columns as a tile has, packed by the plan for weights and in scratch
 * for weight gradients; weights of 16 bits stay so in their panels, and a block of one is widened for each chunk of rows;
 * where the CPU does not multiply bf16, rows in bf16 are widened, too, and rounded when they are done; bias, activation,
 * gate and residual are applied while the rows are in the second cache.  C is summed over blocks of BLOCK terms in order:
 * the thread count plays no part. */
#include "backend/cpu/kernels.h"
#include "backend/cpu/rows.h"
#include "base/rng.h"

#include <omp.h>
#include <string.h>

/* Terms of a sum at a time; most rows of C that a thread takes, twice as many where blocks are widened for each such chunk,
 * and how few it should not. */
enum { BLOCK = 256, CHUNK = 16 * LIMN_TILE_ROWS, FEW = CHUNK / 2 };

/* bf16 on a CPU that does not multiply it: rows are widened on the way, and rounded at the end. */
static bool widens(const limn_call *c)
{
    return c->op != LIMN_OP_LINEAR_GRAD_WEIGHT && limn_isa_refuse_call(c, LIMN_ISA_AVX512BF16);
}

static const char *refuse(const limn_call *c)
{
    for (int i = 0; i < c->n_src; i++) {
        bool weight = i == 1 && c->op != LIMN_OP_LINEAR_GRAD_WEIGHT;
        bool bias = i == 2 && c->op == LIMN_OP_LINEAR && c->attr->flags & LIMN_HAS_BIAS;
        bool fine = c->src[i].dtype == LIMN_F32 || ((weight || bias || widens(c)) && c->src[i].dtype == LIMN_BF16) ||
                    (weight && limn_op_keeps(c->op, i) >> c->src[i].dtype & 1);
        if (!fine) return "own tiles are f32";
    }
    return c->dst.dtype == LIMN_F32 || (widens(c) && c->dst.dtype == LIMN_BF16) ? NULL : "own tiles are f32";
}

static int64_t panel(const limn_call *c)
{
    return limn_rows_of(c)->wide_floats.width;
}

/* ---- W [N,K] to panels of its type: forward B [K][N], gradient of the input B [N][K] ---------------------------------- */

static size_t packed_bytes(const limn_call *c)
{
    const int64_t *w = c->src[1].shape.dim;
    bool forward = c->op == LIMN_OP_LINEAR;
    return limn_dtype_size(c->src[1].dtype, (size_t)(limn_round_up(w[forward ? 0 : 1], panel(c)) * w[forward ? 1 : 0]));
}

static uint64_t layout(const limn_call *c)
{
    int64_t what[] = {c->op, panel(c)};
    return limn_hash_bytes(LIMN_HASH, what, sizeof what);
}

/* Panel of columns col.. of B [K][N] = W^T, of elements of `size` bytes.  LINE terms at a time: a line of each row of W, and
 * a part of the panel that the first cache holds. */
static inline __attribute__((always_inline)) void pack_columns(const limn_view *w, int64_t col, int64_t width, char *to,
                                                               const int64_t size)
{
    enum { LINE = 16 };
    int64_t n_out = w->shape.dim[0], k = w->shape.dim[1], cols = n_out - col < width ? n_out - col : width;
    for (int64_t i = 0; i < k; i += LINE) {
        int64_t n = k - i < LINE ? k - i : LINE;
        for (int64_t j = 0; j < width; j++) {
            char line[LINE * sizeof(float)] = {0};
            const char *from = (const char *)w->data + ((col + j) * k + i) * size;
            if (j < cols && n == LINE)
                memcpy(line, from, (size_t)(LINE * size));
            else if (j < cols)
                memcpy(line, from, (size_t)(n * size));
            for (int64_t t = 0; t < n; t++) memcpy(to + ((i + t) * width + j) * size, line + t * size, (size_t)size);
        }
    }
}

/* Of types that are decoded row by row: BLOCK terms of one column behind those of the other; zeros are decoded as zeros. */
static void pack_blocks(const limn_view *w, int64_t col, int64_t width, char *to)
{
    int64_t n_out = w->shape.dim[0], k = w->shape.dim[1];
    for (int64_t i = 0; i < k; i += BLOCK) {
        size_t bytes = limn_dtype_size(w->dtype, (size_t)(k - i < BLOCK ? k - i : BLOCK));
        for (int64_t j = 0; j < width; j++, to += bytes) {
            const char *from = (const char *)w->data + limn_dtype_size(w->dtype, (size_t)((col + j) * k + i));
            if (col + j < n_out)
                memcpy(to, from, bytes);
            else
                memset(to, 0, bytes);
        }
    }
}

static void pack_forward(const limn_view *w, int64_t col, int64_t width, char *to)
{
    if (w->dtype == LIMN_F32)
        pack_columns(w, col, width, to, 4);
    else if (w->dtype == LIMN_BF16 || w->dtype == LIMN_F16)
        pack_columns(w, col, width, to, 2);
    else
        pack_blocks(w, col, width, to);
}

/* Columns col.. of row `row` of v [rows][k], zeros behind the last. */
static void pack_row(const limn_view *v, int64_t row, int64_t k, int64_t col, int64_t width, char *to)
{
    size_t size = limn_dtype_bytes(v->dtype), n = (size_t)(k - col < width ? k - col : width) * size;
    memcpy(to, (const char *)v->data + (size_t)(row * k + col) * size, n);
    memset(to + n, 0, (size_t)width * size - n);
}

static limn_status pack(const limn_call *c, const limn_view *from, void *to)
{
    int64_t n = from->shape.dim[0], k = from->shape.dim[1], width = panel(c), cols = c->op == LIMN_OP_LINEAR ? n : k;
#pragma omp parallel for schedule(static) num_threads(c->n_threads)
    for (int64_t col = 0; col < cols; col += width) {
        if (c->op == LIMN_OP_LINEAR)
            pack_forward(from, col, width, (char *)to + limn_dtype_size(from->dtype, (size_t)(col * k)));
        else
            for (int64_t i = 0; i < n; i++)
                pack_row(from, i, k, col, width, (char *)to + limn_dtype_size(from->dtype, (size_t)(col * n + i * width)));
    }
    return LIMN_OK;
}

/* ---- y = residual + gate act(x W^T + b);  dx = dy W ------------------------------------------------------------------- */

static bool bias_is_bf16(const limn_call *c)
{
    return c->op == LIMN_OP_LINEAR && c->attr->flags & LIMN_HAS_BIAS && c->src[2].dtype == LIMN_BF16;
}

/* Floats of a bias that is widened, and of a block of a panel that a thread widens. */
static size_t bias_floats(const limn_call *c)
{
    return bias_is_bf16(c) ? (size_t)limn_round_up(limn_shape_cols(&c->dst.shape), 16) : 0;
}

static size_t block_floats(const limn_call *c) { return c->src[1].dtype == LIMN_F32 ? 0 : (size_t)(BLOCK * panel(c)); }

/* Terms i..i+n of a panel [terms][width] that begins at element `at` of the panels, as floats. */
static const float *widened(const limn_call *c, int64_t at, int64_t i, int64_t n, int64_t width, float *room)
{
    const limn_view *w = &c->src[1];
    if (w->dtype == LIMN_F32 || w->dtype == LIMN_BF16 || w->dtype == LIMN_F16)
        return limn_cpu_floats(limn_rows_of(c), w, at + i * width, n * width, room);
    const char *from = (const char *)w->data + limn_dtype_size(w->dtype, (size_t)(at + i * width));
    size_t bytes = limn_dtype_size(w->dtype, (size_t)n);
    enum { TOGETHER = 8 };
    float row[TOGETHER][BLOCK];
    for (int64_t j = 0; j < width; j += TOGETHER) {
        for (int u = 0; u < TOGETHER; u++, from += bytes) limn_convert(from, w->dtype, row[u], LIMN_F32, (size_t)n);
        for (int64_t t = 0; t < n; t++)
            for (int u = 0; u < TOGETHER; u++) room[t * width + j + u] = row[u][t];
    }
    return room;
}

/* How C is shared out: as many pieces for each thread.  Of less than FEW rows a panel of B would be read for too little:
 * such a C, of the features of a time or of few words, is cut between panels, too. */
typedef struct pieces {
    int64_t n, groups, rows, cols; /* n pieces, `groups` beside each other; of a piece */
} pieces;

static pieces share_out(const limn_call *c, int64_t m, int64_t cols)
{
    int64_t most = block_floats(c) ? 2 * CHUNK : CHUNK;
    int64_t threads = c->n_threads, few = limn_parts(m, FEW), high = limn_round_up(limn_parts(m, most), threads);
    if (high > few) high = few;
    pieces p = {.groups = limn_parts(threads, high), .rows = limn_round_up(limn_parts(m, high), LIMN_TILE_ROWS)};
    p.cols = limn_round_up(limn_parts(cols, p.groups), panel(c));
    p.groups = limn_parts(cols, p.cols), p.n = p.groups * limn_parts(m, p.rows);
    return p;
}

/* Of a thread. */
typedef struct room {
    float *block, *x, *y, *gate, *residual; /* a block of a panel; rows of what is in bf16, for gate and residual one */
} room;

/* @return floats */
static size_t room_of(const limn_call *c, const pieces *p, float *at, room *r)
{
    bool x = c->src[0].dtype != LIMN_F32, y = c->dst.dtype != LIMN_F32, more = c->op == LIMN_OP_LINEAR && widens(c);
    size_t of_x = x ? (size_t)(p->rows * limn_shape_cols(&c->src[0].shape)) : 0, of_y = y ? (size_t)(p->rows * p->cols) : 0,
           of_row = more ? (size_t)p->cols : 0, n = block_floats(c) + of_x + of_y + 2 * of_row;
    if (!r) return n;
    *r = (room){.block = at, .x = at + block_floats(c)};
    r->y = r->x + of_x, r->gate = r->y + of_y, r->residual = r->gate + of_row;
    return n;
}

static pieces pieces_of(const limn_call *c)
{
    return share_out(c, limn_shape_rows(&c->dst.shape), limn_shape_cols(&c->dst.shape));
}

static size_t scratch_rows(const limn_call *c)
{
    pieces p = pieces_of(c);
    return (bias_floats(c) + (size_t)c->n_threads * room_of(c, &p, NULL, NULL)) * sizeof(float);
}

/* What follows the sums, for rows first..end of y, columns col.. of them, which lie at `y`, y_row floats apart. */
static void finish(const limn_call *c, const room *room, const float *bias, float *y, int64_t y_row, int64_t first,
                   int64_t end, int64_t col, int64_t n)
{
    const limn_rows *rows = limn_rows_of(c);
    unsigned flags = c->attr->flags;
    int at = flags & LIMN_HAS_BIAS ? 3 : 2;
    const limn_view *gate = flags & LIMN_HAS_GATE ? &c->src[at++] : NULL;
    const limn_view *residual = flags & LIMN_HAS_RESIDUAL ? &c->src[at] : NULL;
    int64_t d = limn_shape_cols(&c->dst.shape),
            per_gate = gate ? limn_shape_count(&c->dst.shape) / limn_shape_count(&gate->shape) : 1;
    struct limn_chain_step act = {.op = LIMN_OP_ACTIVATE, .activation = c->attr->activation};
    for (int64_t r = first; r < end; r++, y += y_row) {
        if (bias) rows->add(y, bias + col, n);
        if (c->attr->activation) rows->step(&act, y, y, NULL, n);
        if (!residual) continue;
        const float *g = gate ? limn_cpu_floats(rows, gate, r / per_gate * d + col, n, room->gate) : NULL;
        rows->gated_residual(y, g, limn_cpu_floats(rows, residual, r * d + col, n, room->residual), n);
    }
}

/* Rows first..end of y, columns left..right of them. */
static void run_piece(const limn_call *c, const float *bias, const room *room, int64_t first, int64_t end, int64_t left,
                      int64_t right)
{
    const limn_rows *rows = limn_rows_of(c);
    int64_t cols = limn_shape_cols(&c->dst.shape), terms = limn_shape_cols(&c->src[0].shape), width = panel(c);
    bool apart = c->dst.dtype != LIMN_F32;
    const float *a = limn_cpu_floats(rows, &c->src[0], first * terms, (end - first) * terms, room->x);
    float *y = apart ? room->y : (float *)c->dst.data + first * cols + left;
    int64_t y_row = apart ? right - left : cols;
    for (int64_t i = 0; i < terms; i += BLOCK) {
        int64_t n = terms - i < BLOCK ? terms - i : BLOCK;
        for (int64_t col = left; col < right; col += width) {
            int some = (int)(right - col < width ? right - col : width);
            const float *b = widened(c, col * terms, i, n, width, room->block);
            for (int64_t r = 0; r < end - first; r += LIMN_TILE_ROWS)
                rows->wide_floats.multiply(y + r * y_row + col - left, y_row, a + r * terms + i, terms, 1, 0, b, n, 1,
                                           (int)limn_least(end - first - r, LIMN_TILE_ROWS), some, i > 0);
        }
    }
    if (c->op == LIMN_OP_LINEAR) finish(c, room, bias, y, y_row, first, end, left, right - left);
    for (int64_t r = first; apart && r < end; r++, y += y_row)
        rows->store((uint16_t *)c->dst.data + r * cols + left, c->dst.dtype, y, right - left);
}

static limn_status run_rows(const limn_call *c)
{
    int64_t m = limn_shape_rows(&c->dst.shape), cols = limn_shape_cols(&c->dst.shape);
    const float *bias = c->op == LIMN_OP_LINEAR && c->attr->flags & LIMN_HAS_BIAS ? c->src[2].data : NULL;
    if (bias_is_bf16(c)) {
        limn_convert(bias, LIMN_BF16, c->scratch, LIMN_F32, (size_t)cols);
        bias = c->scratch;
    }
    pieces p = pieces_of(c);
    size_t of_thread = room_of(c, &p, NULL, NULL);
#pragma omp parallel for schedule(static) num_threads(c->n_threads)
    for (int64_t piece = 0; piece < p.n; piece++) {
        int64_t first = piece / p.groups * p.rows, end = first + p.rows < m ? first + p.rows : m;
        int64_t left = piece % p.groups * p.cols, right = left + p.cols < cols ? left + p.cols : cols;
        room room;
        room_of(c, &p, (float *)c->scratch + bias_floats(c) + (size_t)omp_get_thread_num() * of_thread, &room);
        run_piece(c, bias, &room, first, end, left, right);
    }
    return LIMN_OK;
}

/* ---- dW [N,K] = dy [M,N]^T x [M,K] ------------------------------------------------------------------------------------ */

static size_t shared_floats(const limn_call *c)
{
    return (size_t)(limn_round_up(c->dst.shape.dim[1], panel(c)) * BLOCK);
}

static size_t scratch_weight(const limn_call *c)
{
    return (shared_floats(c) + (size_t)c->n_threads * CHUNK * BLOCK) * sizeof(float);
}

/* dy rows m..m+n, columns first.. -> tiles [n][6] */
static void pack_tiles(const float *dy, int64_t row, int64_t n, int64_t first, int64_t end, float *to)
{
    enum { R = LIMN_TILE_ROWS };
    for (int64_t i = 0; i < n; i++, dy += row, to += R) {
        int64_t r = first;
        for (; r + R <= end; r += R) memcpy(to + (r - first) * BLOCK, dy + r, R * sizeof *to);
        for (int64_t k = 0; r < end && k < R; k++) to[(r - first) * BLOCK + k] = r + k < end ? dy[r + k] : 0;
    }
}

static limn_status run_weight(const limn_call *c)
{
    const limn_rows *rows = limn_rows_of(c);
    const float *dy = c->src[1].data;
    float *dw = c->dst.data, *b = c->scratch;
    int64_t m = limn_shape_rows(&c->src[0].shape), n_out = c->dst.shape.dim[0], k = c->dst.shape.dim[1], width = panel(c);
#pragma omp parallel num_threads(c->n_threads)
    for (int64_t i = 0; i < m; i += BLOCK) {
        int64_t n = m - i < BLOCK ? m - i : BLOCK;
#pragma omp for schedule(static)
        for (int64_t r = 0; r < n; r++)
            for (int64_t col = 0; col < k; col += width)
                pack_row(&c->src[0], i + r, k, col, width, (char *)(b + col * BLOCK + r * width));
        float *tiles = b + shared_floats(c) + (size_t)omp_get_thread_num() * CHUNK * BLOCK;
#pragma omp for schedule(static)
        for (int64_t first = 0; first < n_out; first += CHUNK) {
            int64_t end = first + CHUNK < n_out ? first + CHUNK : n_out;
            pack_tiles(dy + i * n_out, n_out, n, first, end, tiles);
            for (int64_t col = 0; col < k; col += width)
                for (int64_t r = first; r < end; r += LIMN_TILE_ROWS)
                    rows->wide_floats.multiply(dw + r * k + col, k, tiles + (r - first) * BLOCK, 1, LIMN_TILE_ROWS, 0,
                                               b + col * BLOCK, n, 1,
                                               (int)(end - r < LIMN_TILE_ROWS ? end - r : LIMN_TILE_ROWS),
                                               (int)(k - col < width ? k - col : width), i > 0);
        }
    }
    return LIMN_OK;
}

const limn_kernel limn_cpu_tiles = {.name = "tiles",
                                    .refuse = refuse,
                                    .scratch_bytes = scratch_rows,
                                    .packed_bytes = packed_bytes,
                                    .layout = layout,
                                    .pack = pack,
                                    .pack_src = 1,
                                    .run = run_rows};
const limn_kernel limn_cpu_tiles_grad_weight = {
    .name = "tiles", .refuse = refuse, .scratch_bytes = scratch_weight, .run = run_weight};
