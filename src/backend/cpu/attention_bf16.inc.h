/* attention_bf16.inc.h: fused attention of one head on bf16, 32 queries at a time, keys in blocks, online softmax (Milakov &
 * Gimelshein 2018, Dao et al. 2022): never more than 32 x KEYS scores in memory.
 *
 * A template over one product: attention_amx.inc.h has it on AMX tiles, attention_avx512bf16.c in registers.  The includer
 * gives `tiles`, what its product works with, tile_configure(t) and tile_release(t), before; product() after.
 *
 * "Packed" is B [k][n] of a product as tiles of 32 x 16, rows in pairs: [n / 16][k / 32][16][16][2].  Scratch holds, widths
 * padded with zeros to 32:
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

/* ---- the product, which the includer defines -------------------------------------------------------------------------- */

/* C [rows][cols] (+)= A [rows][k] B; rows a multiple of 32; cols and k may be rounded up to 32: there B, A and C hold zeros
 * and room. B is packed, groups of 16 columns `group` apart. */
static void product(tiles *t, float *c, int64_t c_row, int64_t rows, int64_t cols, const bf16 *a, int64_t a_row,
                    const bf16 *b, int64_t group, int64_t k, bool add);

/* ---- softmax ---------------------------------------------------------------------------------------------------------- */

/* Keys of the block [begin, begin + n) that query t sees. */
static inline int64_t seen(const limn_head *h, int64_t t, int64_t begin, int64_t n)
{
    int64_t end = (h->causal && t + 1 < h->n_key ? t + 1 : h->n_key) - begin;
    return end < 0 ? 0 : end < n ? end : n;
}

/* Scores are before the scale: a bias is divided by it. */
static void add_bias(const limn_head *h, float *s, int64_t t, int64_t begin, int64_t n)
{
    float inverse = 1 / h->scale;
    int64_t rows = h->n_query - t < ROWS ? h->n_query - t : ROWS, m = h->n_key - begin < n ? h->n_key - begin : n;
    for (int64_t r = 0; r < rows; r++) {
        const bf16 *b = (const bf16 *)h->bias + (t + r) * h->bias_row + begin;
        for (int64_t j = 0; j < m; j++) s[r * KEYS + j] += limn_bf16_to_f32(b[j]) * inverse;
    }
}

static void mask(const limn_head *h, float *s, int64_t t, int64_t begin, int64_t n)
{
    if (h->bias) add_bias(h, s, t, begin, n);
    for (int r = 0; r < ROWS; r++)
        for (int64_t j = seen(h, t + r, begin, n); j < n; j++) s[r * KEYS + j] = -INFINITY;
}

typedef int32_t lane_bits __attribute__((vector_size(64)));

static inline lanes larger(lanes m, lanes x)
{
    lane_bits is = x > m; /* a NaN is passed over here and met by the sum */
    return (lanes)((is & (lane_bits)x) | (~is & (lane_bits)m));
}

/* max(old, x), n a multiple of 16 */
static inline float top_of(float old, const float *x, int64_t n)
{
    lanes m = all(old);
    for (int64_t j = 0; j < n; j += W) m = larger(m, get(x + j));
    m = larger(m, __builtin_shufflevector(m, m, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
    m = larger(m, __builtin_shufflevector(m, m, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3));
    m = larger(m, __builtin_shufflevector(m, m, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1));
    return m[0] > m[1] ? m[0] : m[1];
}

typedef struct running {
    lanes sum[ROWS];                  /* in 16 lanes: sum_lanes() is the sum */
    float max[ROWS], rescale[ROWS];   /* max of q k, before the scale, which is positive */
} running;

static void begin_rows(running *run)
{
    for (int r = 0; r < ROWS; r++) run->max[r] = -INFINITY, run->sum[r] = all(0);
}

/* n is KEYS for all blocks but the last: a constant, then. */
static inline __attribute__((always_inline)) void fold_rows(float *s, const int64_t n, float scale, running *run)
{
    for (int r = 0; r < ROWS; r++) {
        float *row = s + r * KEYS, old = run->max[r], top = top_of(old, row, n), shift = top > -INFINITY ? top : 0;
        lanes sum = all(0);
        for (int64_t j = 0; j < n; j++)
            row[j] = exp_below((row[j] - shift) * scale); /* of -INFINITY: 0; NaN is not hidden */
        for (int64_t j = 0; j < n; j += W) sum += get(row + j);
        run->rescale[r] = old > -INFINITY ? exp_below((old - shift) * scale) : 0;
        run->max[r] = top;
        run->sum[r] = run->sum[r] * run->rescale[r] + sum;
    }
}

/* Fold a block of scores into the running maximum and sum; s becomes exp((s - max) scale). */
static void fold(float *s, int64_t n, float scale, running *run)
{
    if (n == KEYS) fold_rows(s, KEYS, scale, run);
    else fold_rows(s, n, scale, run);
}

/* 1 / sum; 0 where a bias of -inf hides all keys.  Without one these are scores that are too large, and make NaN. */
static inline float inverse_of(const limn_head *h, const running *run, int r)
{
    float sum = sum_lanes(run->sum[r]);
    return h->bias && run->max[r] == -INFINITY && sum == sum ? 0 : 1.0f / sum;
}

/* ---- one head --------------------------------------------------------------------------------------------------------- */

static void attention_tiles(tiles *t, const limn_head *h)
{
    int64_t dp = up32(h->d), np = up32(h->n_key);
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
            product(t, s, KEYS, ROWS, m, q, dp, kt + j * dp, dp / 32 * TILE, h->d, false);
            mask(h, s, i, j, m);
            fold(s, m, h->scale, &run);
            for (int r = 0; r < ROWS; r++) {
                store(p + r * KEYS, LIMN_BF16, s + r * KEYS, m);
                for (int64_t c = 0; c < dp; c++) o[r * dp + c] *= run.rescale[r];
            }
            product(t, o, dp, ROWS, h->d, p, KEYS, v + j / 32 * TILE, np / 32 * TILE, m, true);
        }
        for (int64_t r = 0; r < n; r++) {
            float inverse = inverse_of(h, &run, (int)r);
            for (int64_t c = 0; c < dp; c++) o[r * dp + c] *= inverse;
            store((bf16 *)h->y + (i + r) * h->y_row, LIMN_BF16, o + r * dp, h->d);
        }
    }
    tile_release(t);
}

/* D = sum(dout out) per query */
static void row_dots(float *dot, const limn_head *h, int64_t first, int64_t n)
{
    for (int64_t r = 0; r < ROWS; r++) {
        const bf16 *dout = (const bf16 *)h->dout + (first + r) * h->dout_row,
                   *out = (const bf16 *)h->out + (first + r) * h->out_row;
        dot[r] = 0;
        for (int64_t i = 0; r < n && i < h->d; i++) dot[r] += limn_bf16_to_f32(dout[i]) * limn_bf16_to_f32(out[i]);
    }
}

/* s becomes p = exp((s - max) scale) / sum, ds = p (dp - D) scale */
static void slopes(const limn_head *h, float *s, float *ds, int64_t n, const running *run, const float *dot)
{
    for (int r = 0; r < ROWS; r++) {
        float inverse = inverse_of(h, run, r), shift = h->bias && run->max[r] == -INFINITY ? 0 : run->max[r];
        for (int64_t j = r * KEYS; j < r * KEYS + n; j++) {
            s[j] = exp1((s[j] - shift) * h->scale) * inverse;
            ds[j] = s[j] * (ds[j] - dot[r]) * h->scale;
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
    int64_t dp = up32(h->d), np = up32(h->n_key), group = dp / 32 * TILE, end = up32(seen(h, first + n - 1, 0, h->n_key));
    float dot[ROWS];
    running run;
    begin_rows(&run);
    row_dots(dot, h, first, n);
    for (int64_t j = 0; j < end; j += KEYS) {
        int64_t m = end - j < KEYS ? end - j : KEYS;
        product(t, g->s, KEYS, ROWS, m, g->q, dp, g->kt + j * dp, group, h->d, false);
        mask(h, g->s, first, j, m);
        fold(g->s, m, h->scale, &run);
    }
    memset(g->dq, 0, (size_t)(ROWS * dp) * sizeof *g->dq);
    for (int64_t j = 0; j < end; j += KEYS) {
        int64_t m = end - j < KEYS ? end - j : KEYS;
        product(t, g->s, KEYS, ROWS, m, g->q, dp, g->kt + j * dp, group, h->d, false);
        product(t, g->ds, KEYS, ROWS, m, g->dout, dp, g->vt + j * dp, group, h->d, false);
        mask(h, g->s, first, j, m);
        slopes(h, g->s, g->ds, m, &run, dot);
        round_transposed(g->pt, g->s, m);
        round_transposed(g->dst, g->ds, m);
        for (int r = 0; r < ROWS; r++) store(g->ds_rows + r * KEYS, LIMN_BF16, g->ds + r * KEYS, m);
        product(t, g->dv + j * dp, dp, m, h->d, g->pt, ROWS, g->dout_k, TILE, ROWS, true);
        product(t, g->dk + j * dp, dp, m, h->d, g->dst, ROWS, g->q_k, TILE, ROWS, true);
        product(t, g->dq, dp, ROWS, h->d, g->ds_rows, KEYS, g->k + j / 32 * TILE, np / 32 * TILE, m, true);
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
