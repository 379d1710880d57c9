/* tiles.c: f32 products in tiles of our own.
 *
 * oneDNN splits long f32 sums among threads where there is AVX-512, so that another thread count gives other bits; its AVX2 products
 * reach 60 to 75 % of what two FMA units can do, and its weight gradients a third when a row is a multiple of 4 KB (docs/speed.md).  Here B lies in panels of 2 V columns, packed by the plan for weights and in scratch for weight gradients; bias, activation,
 * gate and residual are applied while the rows are in the second cache.  C is summed over blocks of BLOCK terms in order: the thread count plays
 * no part. */
#include "backend/cpu/kernels.h"
#include "backend/cpu/rows.h"

#include <omp.h>
#include <string.h>

enum { BLOCK = 256, CHUNK = 16 * LIMN_TILE_ROWS }; /* terms of a sum at a time; rows of C a thread takes */

static const char *refuse(const limn_call *c)
{
    for (int i = 0; i < c->n_src; i++) {
        bool parameter = (i == 1 && c->op != LIMN_OP_LINEAR_GRAD_WEIGHT) || (i == 2 && c->op == LIMN_OP_LINEAR && c->attr->flags & LIMN_HAS_BIAS);
        if (c->src[i].dtype != LIMN_F32 && !(parameter && c->src[i].dtype == LIMN_BF16)) return "own tiles are f32";
    }
    return c->dst.dtype == LIMN_F32 ? NULL : "own tiles are f32";
}

static int64_t panel(const limn_call *c)
{
    return 2 * limn_rows_of(c)->vector;
}

/* ---- W [N,K] to panels: forward B [K][N], gradient of the input B [N][K] ------------------------------------------------ */

static size_t packed_bytes(const limn_call *c)
{
    const int64_t *w = c->src[1].shape.dim;
    bool forward = c->op == LIMN_OP_LINEAR;
    return (size_t)(limn_round_up(w[forward ? 0 : 1], panel(c)) * w[forward ? 1 : 0]) * sizeof(float);
}

/* Panel of columns col.. of B [terms][cols]; element (i, j) of B is w[i i_step + j j_step]. */
static void pack_panel(const limn_view *w, int64_t i_step, int64_t j_step, int64_t terms, int64_t cols, int64_t col, int64_t width, float *to)
{
    int64_t n = cols - col < width ? cols - col : width;
    for (int64_t i = 0; i < terms; i++, to += width) {
        if (w->dtype == LIMN_F32) {
            const float *from = (const float *)w->data + i * i_step + col * j_step;
            for (int64_t j = 0; j < n; j++) to[j] = from[j * j_step];
        } else {
            const uint16_t *from = (const uint16_t *)w->data + i * i_step + col * j_step;
            for (int64_t j = 0; j < n; j++) to[j] = limn_bf16_to_f32(from[j * j_step]);
        }
        for (int64_t j = n; j < width; j++) to[j] = 0;
    }
}

static void pack(const limn_call *c, const limn_view *from, void *to)
{
    bool forward = c->op == LIMN_OP_LINEAR;
    int64_t n = from->shape.dim[0], k = from->shape.dim[1], cols = forward ? n : k, terms = forward ? k : n, width = panel(c);
#pragma omp parallel for schedule(static) num_threads(c->n_threads)
    for (int64_t col = 0; col < cols; col += width)
        pack_panel(from, forward ? 1 : k, forward ? k : 1, terms, cols, col, width, (float *)to + col * terms);
}

/* ---- y = residual + gate act(x W^T + b);  dx = dy W --------------------------------------------------------------------- */

static bool half_bias(const limn_call *c)
{
    return c->op == LIMN_OP_LINEAR && c->attr->flags & LIMN_HAS_BIAS && c->src[2].dtype == LIMN_BF16;
}

static size_t scratch_rows(const limn_call *c)
{
    return half_bias(c) ? (size_t)limn_shape_cols(&c->dst.shape) * sizeof(float) : 0;
}

/* What follows the sums, for rows first..end of y. */
static void finish(const limn_call *c, const limn_rows *rows, const float *bias, int64_t first, int64_t end)
{
    unsigned flags = c->attr->flags;
    int at = flags & LIMN_HAS_BIAS ? 3 : 2;
    const limn_view *gate = flags & LIMN_HAS_GATE ? &c->src[at++] : NULL;
    const float *residual = flags & LIMN_HAS_RESIDUAL ? c->src[at].data : NULL;
    int64_t d = limn_shape_cols(&c->dst.shape), per_gate = gate ? limn_shape_count(&c->dst.shape) / limn_shape_count(&gate->shape) : 1;
    struct limn_chain_step act = {.op = LIMN_OP_ACTIVATE, .activation = c->attr->activation};
    for (int64_t r = first; r < end; r++) {
        float *y = (float *)c->dst.data + r * d;
        if (bias) rows->add(y, bias, d);
        if (c->attr->activation) rows->step(&act, y, y, NULL, d);
        if (residual) rows->gated_residual(y, gate ? (const float *)gate->data + r / per_gate * d : NULL, residual + r * d, d);
    }
}

static void run_rows(const limn_call *c)
{
    const limn_rows *rows = limn_rows_of(c);
    const float *a = c->src[0].data, *b = c->src[1].data;
    float *y = c->dst.data;
    int64_t m = limn_shape_rows(&c->dst.shape), cols = limn_shape_cols(&c->dst.shape), terms = limn_shape_cols(&c->src[0].shape), width = panel(c);
    const float *bias = c->op == LIMN_OP_LINEAR && c->attr->flags & LIMN_HAS_BIAS ? c->src[2].data : NULL;
    if (half_bias(c)) {
        limn_convert(bias, LIMN_BF16, c->scratch, LIMN_F32, (size_t)cols);
        bias = c->scratch;
    }
#pragma omp parallel for schedule(static) num_threads(c->n_threads)
    for (int64_t first = 0; first < m; first += CHUNK) {
        int64_t end = first + CHUNK < m ? first + CHUNK : m;
        for (int64_t i = 0; i < terms; i += BLOCK) {
            int64_t n = terms - i < BLOCK ? terms - i : BLOCK;
            for (int64_t col = 0; col < cols; col += width) {
                int some = (int)(cols - col < width ? cols - col : width);
                for (int64_t r = first; r < end; r += LIMN_TILE_ROWS)
                    rows->tile(y + r * cols + col, cols, a + r * terms + i, terms, 1, 0, b + col * terms + i * width, n, 1,
                               (int)(end - r < LIMN_TILE_ROWS ? end - r : LIMN_TILE_ROWS), some, i > 0);
            }
        }
        if (c->op == LIMN_OP_LINEAR) finish(c, rows, bias, first, end);
    }
}

/* ---- dW [N,K] = dy [M,N]^T x [M,K] --------------------------------------------------------------------------------------- */

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
    for (int64_t r = first; r < end; r += LIMN_TILE_ROWS, to += BLOCK * LIMN_TILE_ROWS)
        for (int64_t i = 0; i < n; i++)
            for (int64_t k = 0; k < LIMN_TILE_ROWS; k++) to[i * LIMN_TILE_ROWS + k] = r + k < end ? dy[i * row + r + k] : 0;
}

static void run_weight(const limn_call *c)
{
    const limn_rows *rows = limn_rows_of(c);
    const float *x = c->src[0].data, *dy = c->src[1].data;
    float *dw = c->dst.data, *b = c->scratch;
    int64_t m = limn_shape_rows(&c->src[0].shape), n_out = c->dst.shape.dim[0], k = c->dst.shape.dim[1], width = panel(c);
#pragma omp parallel num_threads(c->n_threads)
    for (int64_t i = 0; i < m; i += BLOCK) {
        int64_t n = m - i < BLOCK ? m - i : BLOCK;
        limn_view block = {LIMN_F32, LIMN_SHAPE(n, k), (void *)(uintptr_t)(x + i * k)};
#pragma omp for schedule(static)
        for (int64_t col = 0; col < k; col += width) pack_panel(&block, k, 1, n, k, col, width, b + col * BLOCK);
        float *tiles = b + shared_floats(c) + (size_t)omp_get_thread_num() * CHUNK * BLOCK;
#pragma omp for schedule(static)
        for (int64_t first = 0; first < n_out; first += CHUNK) {
            int64_t end = first + CHUNK < n_out ? first + CHUNK : n_out;
            pack_tiles(dy + i * n_out, n_out, n, first, end, tiles);
            for (int64_t col = 0; col < k; col += width)
                for (int64_t r = first; r < end; r += LIMN_TILE_ROWS)
                    rows->tile(dw + r * k + col, k, tiles + (r - first) * BLOCK, 1, LIMN_TILE_ROWS, 0, b + col * BLOCK, n, 1,
                               (int)(end - r < LIMN_TILE_ROWS ? end - r : LIMN_TILE_ROWS), (int)(k - col < width ? k - col : width), i > 0);
        }
    }
}

const limn_kernel limn_cpu_tiles = {.name = "tiles", .refuse = refuse, .scratch_bytes = scratch_rows, .packed_bytes = packed_bytes, .pack = pack, .pack_src = 1, .run = run_rows};
const limn_kernel limn_cpu_tiles_grad_weight = {.name = "tiles", .refuse = refuse, .scratch_bytes = scratch_weight, .run = run_weight};
