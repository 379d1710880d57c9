/* attention_amx.inc.h: fused attention of one head on bf16 tiles, 32 queries at a time, keys in blocks, online softmax (Milakov &
 * Gimelshein 2018, Dao et al. 2022): never more than 32 x KEYS scores in memory.
 *
 * Included after the operations on tiles: by attention_amx.c after the instructions, by tests/test_attention_amx.c after the same
 * operations in plain C.  Both give
 *   tile_configure(t)  tile_release(t)  tile_zero(t, i)  tile_load(t, i, from, row_bytes)  tile_store(t, i, to, row_bytes)
 *   tile_dot(t, c, a, b)   C [16][16] f32 += A [16][32] bf16 B [32][16] bf16, B as pairs of rows: [16][16][2]    (TDPBF16PS)
 *
 * "Packed" is B [k][n] of a product as such tiles: [n / 16][k / 32][16][16][2].  Scratch holds, widths padded with zeros to 32:
 *   K^T [d][n_key] and V [n_key][d] packed, and for the gradient   V^T and K packed, dK dV [n_key][d] f32 */
#include "backend/cpu/lanes.inc.h"
#include "backend/cpu/amx.h"

#include <math.h>

enum { ROWS = LIMN_AMX_QUERIES, KEYS = LIMN_AMX_KEYS, TILE = 512 /* bf16 */ };
typedef uint16_t bf16;

static inline int64_t up32(int64_t n)
{
    return (n + 31) / 32 * 32;
}

/* Bytes of scratch are handed out in whole cache lines. */
static void *take(char **scratch, int64_t bytes)
{
    char *p = *scratch;
    *scratch += bytes;
    return p;
}

/* ---- operands into tiles ---------------------------------------------------------------------------------------------- */

/* A [32][dp] from [n][d], the rest zeros */
static void copy_rows(bf16 *to, const bf16 *from, int64_t row, int64_t n, int64_t d)
{
    int64_t dp = up32(d);
    memset(to, 0, (size_t)(ROWS * dp) * sizeof *to);
    for (int64_t t = 0; t < n; t++) memcpy(to + t * dp, from + t * row, (size_t)d * sizeof *to);
}

/* B = X [n][d], packed with k = n */
static void pack(bf16 *to, const bf16 *from, int64_t row, int64_t n, int64_t d)
{
    int64_t group = up32(n) / 32 * TILE;
    memset(to, 0, (size_t)(up32(n) * up32(d)) * sizeof *to);
    for (int64_t t = 0; t < n; t++) {
        bf16 *at = to + t / 32 * TILE + t % 32 / 2 * 32 + t % 2;
        for (int64_t i = 0; i < d; i++) at[i / 16 * group + i % 16 * 2] = from[t * row + i];
    }
}

/* B = X^T, X [n][d], packed with k = d */
static void pack_transposed(bf16 *to, const bf16 *from, int64_t row, int64_t n, int64_t d)
{
    int64_t group = up32(d) / 32 * TILE;
    memset(to, 0, (size_t)(up32(n) * up32(d)) * sizeof *to);
    for (int64_t t = 0; t < n; t++) {
        bf16 *at = to + t / 16 * group + t % 16 * 2;
        for (int64_t i = 0; i < d; i++) at[i / 2 * 32 + i % 2] = from[t * row + i];
    }
}

/* ---- products --------------------------------------------------------------------------------------------------------- */

/* C [32][32] (+)= A [32][32 steps] B; tiles: 0 1 2 3 are C, 4 5 its rows of A, 6 7 its columns of B */
static void square(tiles *t, float *c, int64_t c_row, const bf16 *a, int64_t a_row, const bf16 *b, int64_t group, int64_t steps, bool add)
{
    int64_t c_bytes = c_row * 4, a_bytes = a_row * 2;
    float *below = c + 16 * c_row;
    if (add) {
        tile_load(t, 0, c, c_bytes);
        tile_load(t, 1, c + 16, c_bytes);
        tile_load(t, 2, below, c_bytes);
        tile_load(t, 3, below + 16, c_bytes);
    } else {
        tile_zero(t, 0);
        tile_zero(t, 1);
        tile_zero(t, 2);
        tile_zero(t, 3);
    }
    for (int64_t s = 0; s < steps; s++, a += 32, b += TILE) {
        tile_load(t, 4, a, a_bytes);
        tile_load(t, 5, a + 16 * a_row, a_bytes);
        tile_load(t, 6, b, 64);
        tile_load(t, 7, b + group, 64);
        tile_dot(t, 0, 4, 6);
        tile_dot(t, 1, 4, 7);
        tile_dot(t, 2, 5, 6);
        tile_dot(t, 3, 5, 7);
    }
    tile_store(t, 0, c, c_bytes);
    tile_store(t, 1, c + 16, c_bytes);
    tile_store(t, 2, below, c_bytes);
    tile_store(t, 3, below + 16, c_bytes);
}

/* C [rows][cols] (+)= A [rows][32 steps] B; rows and cols multiples of 32, column groups of the packed B `group` apart */
static void product(tiles *t, float *c, int64_t c_row, int64_t rows, int64_t cols, const bf16 *a, int64_t a_row, const bf16 *b,
                    int64_t group, int64_t steps, bool add)
{
    for (int64_t j = 0; j < cols; j += 32)
        for (int64_t i = 0; i < rows; i += 32)
            square(t, c + i * c_row + j, c_row, a + i * a_row, a_row, b + j / 16 * group, group, steps, add);
}

/* ---- softmax ---------------------------------------------------------------------------------------------------------- */

/* Keys of the block [begin, begin + n) that query t sees. */
static inline int64_t seen(const limn_head *h, int64_t t, int64_t begin, int64_t n)
{
    int64_t end = (h->causal && t + 1 < h->n_key ? t + 1 : h->n_key) - begin;
    return end < 0 ? 0 : end < n ? end : n;
}

static void mask(const limn_head *h, float *s, int64_t t, int64_t begin, int64_t n)
{
    for (int r = 0; r < ROWS; r++) {
        int64_t end = seen(h, t + r, begin, n);
        for (int64_t j = 0; j < end; j++) s[r * KEYS + j] *= h->scale;
        for (int64_t j = end; j < n; j++) s[r * KEYS + j] = -INFINITY;
    }
}

/* max(old, x), n a multiple of 16; a NaN is passed over here and met by the sum */
static float top_of(float old, const float *x, int64_t n)
{
    float m[W];
    for (int i = 0; i < W; i++) m[i] = old;
    for (int64_t j = 0; j < n; j += W)
        for (int i = 0; i < W; i++) m[i] = x[j + i] > m[i] ? x[j + i] : m[i];
    for (int i = 1; i < W; i++) m[0] = m[i] > m[0] ? m[i] : m[0];
    return m[0];
}

typedef struct running {
    float max[ROWS], sum[ROWS], rescale[ROWS];
} running;

static void begin_rows(running *run)
{
    for (int r = 0; r < ROWS; r++) run->max[r] = -INFINITY, run->sum[r] = 0;
}

/* Fold a block of scores into the running maximum and sum; s becomes exp(s - max). */
static void fold(float *s, int64_t n, running *run)
{
    for (int r = 0; r < ROWS; r++) {
        float *row = s + r * KEYS, old = run->max[r], top = top_of(old, row, n), shift = top > -INFINITY ? top : 0;
        for (int64_t j = 0; j < n; j++) row[j] = row[j] == -INFINITY ? 0 : exp1(row[j] - shift); /* NaN is not hidden */
        run->rescale[r] = old > -INFINITY ? exp1(old - shift) : 0;
        run->max[r] = top;
        run->sum[r] = run->sum[r] * run->rescale[r] + total(row, n);
    }
}

/* ---- one head --------------------------------------------------------------------------------------------------------- */

static void attention_tiles(tiles *t, const limn_head *h)
{
    int64_t dp = up32(h->d), np = up32(h->n_key), d_steps = dp / 32;
    char *scratch = (char *)h->scratch;
    bf16 *kt = take(&scratch, np * dp * 2), *v = take(&scratch, np * dp * 2);
    bf16 *q = take(&scratch, ROWS * dp * 2), *p = take(&scratch, ROWS * KEYS * 2);
    float *s = take(&scratch, ROWS * KEYS * 4), *o = take(&scratch, ROWS * dp * 4);
    pack_transposed(kt, h->k, h->k_row, h->n_key, h->d);
    pack(v, h->v, h->v_row, h->n_key, h->d);
    tile_configure(t);
    for (int64_t i = 0; i < h->n_query; i += ROWS) {
        int64_t n = h->n_query - i < ROWS ? h->n_query - i : ROWS, end = up32(seen(h, i + n - 1, 0, h->n_key));
        running run;
        begin_rows(&run);
        copy_rows(q, (const bf16 *)h->q + i * h->q_row, h->q_row, n, h->d);
        memset(o, 0, (size_t)(ROWS * dp) * sizeof *o);
        for (int64_t j = 0; j < end; j += KEYS) {
            int64_t m = end - j < KEYS ? end - j : KEYS;
            product(t, s, KEYS, ROWS, m, q, dp, kt + j * dp, d_steps * TILE, d_steps, false);
            mask(h, s, i, j, m);
            fold(s, m, &run);
            for (int r = 0; r < ROWS; r++) {
                store(p + r * KEYS, LIMN_BF16, s + r * KEYS, m);
                for (int64_t c = 0; c < dp; c++) o[r * dp + c] *= run.rescale[r];
            }
            product(t, o, dp, ROWS, dp, p, KEYS, v + j / 32 * TILE, np / 32 * TILE, m / 32, true);
        }
        for (int64_t r = 0; r < n; r++) {
            for (int64_t c = 0; c < dp; c++) o[r * dp + c] /= run.sum[r];
            store((bf16 *)h->y + (i + r) * h->y_row, LIMN_BF16, o + r * dp, h->d);
        }
    }
    tile_release(t);
}

/* D = sum(dout out) per query */
static void row_dots(float *dot, const limn_head *h, int64_t first, int64_t n)
{
    for (int64_t r = 0; r < ROWS; r++) {
        const bf16 *dout = (const bf16 *)h->dout + (first + r) * h->dout_row, *out = (const bf16 *)h->out + (first + r) * h->out_row;
        dot[r] = 0;
        for (int64_t i = 0; r < n && i < h->d; i++) dot[r] += limn_bf16_to_f32(dout[i]) * limn_bf16_to_f32(out[i]);
    }
}

/* s becomes p = exp(s - max) / sum, ds = p (dp - D) scale */
static void slopes(float *s, float *ds, int64_t n, const running *run, const float *dot, float scale)
{
    for (int r = 0; r < ROWS; r++) {
        float inverse = 1.0f / run->sum[r];
        for (int64_t j = r * KEYS; j < r * KEYS + n; j++) {
            s[j] = s[j] == -INFINITY ? 0 : exp1(s[j] - run->max[r]) * inverse;
            ds[j] = s[j] * (ds[j] - dot[r]) * scale;
        }
    }
}

/* A = S^T as bf16: [n][32] from [32][KEYS] */
static void round_transposed(bf16 *to, const float *s, int64_t n)
{
    for (int64_t j = 0; j < n; j++)
        for (int r = 0; r < ROWS; r++) to[j * ROWS + r] = limn_f32_to_bf16(s[r * KEYS + j]);
}

static void store_head(void *to, int64_t row, const float *from, int64_t dp, int64_t n, int64_t d)
{
    for (int64_t t = 0; t < n; t++) store((bf16 *)to + t * row, LIMN_BF16, from + t * dp, d);
}

typedef struct grad_memory {
    bf16 *kt, *vt, *k;              /* packed, of the whole head */
    float *dk, *dv;
    bf16 *q, *dout, *q_k, *dout_k;  /* one block of queries: rows of A; packed with k = queries */
    bf16 *pt, *dst, *ds_rows;       /* P^T and dS^T [KEYS][32], dS [32][KEYS] */
    float *s, *ds, *dq;
} grad_memory;

static grad_memory take_grad_memory(const limn_head *h)
{
    int64_t dp = up32(h->d), plane = up32(h->n_key) * dp, block = ROWS * dp, scores = ROWS * KEYS;
    char *at = (char *)h->scratch;
    grad_memory m = {.kt = take(&at, plane * 2), .vt = take(&at, plane * 2), .k = take(&at, plane * 2)};
    m.dk = take(&at, plane * 4), m.dv = take(&at, plane * 4);
    m.q = take(&at, block * 2), m.dout = take(&at, block * 2), m.q_k = take(&at, block * 2), m.dout_k = take(&at, block * 2);
    m.pt = take(&at, scores * 2), m.dst = take(&at, scores * 2), m.ds_rows = take(&at, scores * 2);
    m.s = take(&at, scores * 4), m.ds = take(&at, scores * 4), m.dq = take(&at, block * 4);
    return m;
}

/* Queries [first, first + n): dQ = dS K, and their share of dK += dS^T Q, dV += P^T dY. */
static void grad_block(tiles *t, const limn_head *h, const grad_memory *g, int64_t first, int64_t n)
{
    int64_t dp = up32(h->d), np = up32(h->n_key), steps = dp / 32, group = steps * TILE, end = up32(seen(h, first + n - 1, 0, h->n_key));
    float dot[ROWS];
    running run;
    begin_rows(&run);
    row_dots(dot, h, first, n);
    for (int64_t j = 0; j < end; j += KEYS) {
        int64_t m = end - j < KEYS ? end - j : KEYS;
        product(t, g->s, KEYS, ROWS, m, g->q, dp, g->kt + j * dp, group, steps, false);
        mask(h, g->s, first, j, m);
        fold(g->s, m, &run);
    }
    memset(g->dq, 0, (size_t)(ROWS * dp) * sizeof *g->dq);
    for (int64_t j = 0; j < end; j += KEYS) {
        int64_t m = end - j < KEYS ? end - j : KEYS;
        product(t, g->s, KEYS, ROWS, m, g->q, dp, g->kt + j * dp, group, steps, false);
        product(t, g->ds, KEYS, ROWS, m, g->dout, dp, g->vt + j * dp, group, steps, false);
        mask(h, g->s, first, j, m);
        slopes(g->s, g->ds, m, &run, dot, h->scale);
        round_transposed(g->pt, g->s, m);
        round_transposed(g->dst, g->ds, m);
        for (int r = 0; r < ROWS; r++) store(g->ds_rows + r * KEYS, LIMN_BF16, g->ds + r * KEYS, m);
        product(t, g->dv + j * dp, dp, m, dp, g->pt, ROWS, g->dout_k, TILE, 1, true);
        product(t, g->dk + j * dp, dp, m, dp, g->dst, ROWS, g->q_k, TILE, 1, true);
        product(t, g->dq, dp, ROWS, dp, g->ds_rows, KEYS, g->k + j / 32 * TILE, np / 32 * TILE, m / 32, true);
    }
}

static void attention_grad_tiles(tiles *t, const limn_head *h)
{
    int64_t dp = up32(h->d), np = up32(h->n_key);
    grad_memory g = take_grad_memory(h);
    pack_transposed(g.kt, h->k, h->k_row, h->n_key, h->d);
    pack_transposed(g.vt, h->v, h->v_row, h->n_key, h->d);
    pack(g.k, h->k, h->k_row, h->n_key, h->d);
    memset(g.dk, 0, (size_t)(2 * np * dp) * sizeof *g.dk);
    tile_configure(t);
    for (int64_t i = 0; i < h->n_query; i += ROWS) {
        int64_t n = h->n_query - i < ROWS ? h->n_query - i : ROWS;
        const bf16 *q = (const bf16 *)h->q + i * h->q_row, *dout = (const bf16 *)h->dout + i * h->dout_row;
        copy_rows(g.q, q, h->q_row, n, h->d);
        copy_rows(g.dout, dout, h->dout_row, n, h->d);
        pack(g.q_k, q, h->q_row, n, h->d);
        pack(g.dout_k, dout, h->dout_row, n, h->d);
        grad_block(t, h, &g, i, n);
        store_head((bf16 *)h->dq + i * h->dq_row, h->dq_row, g.dq, dp, n, h->d);
    }
    tile_release(t);
    store_head(h->dk, h->dk_row, g.dk, dp, h->n_key, h->d);
    store_head(h->dv, h->dv_row, g.dv, dp, h->n_key, h->d);
}
