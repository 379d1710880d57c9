/* attention.inc.h: fused attention of one head, four queries at a time, keys in blocks, online softmax (Milakov & Gimelshein
 * 2018, Dao et al. 2022): never more than 4 x KEYS scores in memory.  Included by rows.inc.h.
 *
 * Scratch holds the head in f32, widths padded with zeros to 16: dp = d, np = n_key rounded up.
 *   Kt [block][d][KEYS]   V [np][dp]   and for the gradient   Vt as Kt   K [np][dp]   dK dV [np][dp]
 *
 * Forward, GROUP queries go through a block of keys before the next one is read: a wide head is megabytes. */

enum { QUERIES = 4, KEYS = 128, GROUP = 16 * QUERIES };

static inline int64_t up16(int64_t n)
{
    return (n + W - 1) / W * W;
}

static void load_rows(float *to, int64_t to_row, const void *from, limn_dtype dtype, int64_t row, int64_t n, int64_t padded,
                      int64_t d)
{
    size_t bytes = limn_dtype_bytes(dtype);
    for (int64_t t = 0; t < n; t++) {
        load(to + t * to_row, (const char *)from + (size_t)(t * row) * bytes, dtype, d);
        for (int64_t i = d; i < to_row; i++) to[t * to_row + i] = 0;
    }
    memset(to + n * to_row, 0, (size_t)((padded - n) * to_row) * sizeof *to);
}

static void store_rows(void *to, limn_dtype dtype, int64_t row, const float *from, int64_t from_row, int64_t n, int64_t d)
{
    for (int64_t t = 0; t < n; t++)
        store((char *)to + (size_t)(t * row) * limn_dtype_bytes(dtype), dtype, from + t * from_row, d);
}

/* Blocks of s x s elements of two rows, s apart, change places (shuffles want constants). */
static inline void exchange(lanes *a, lanes *b, int s)
{
    lanes p = *a, q = *b;
    switch (s) {
    case 8:
        *a = __builtin_shufflevector(p, q, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
        *b = __builtin_shufflevector(p, q, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
        break;
    case 4:
        *a = __builtin_shufflevector(p, q, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27);
        *b = __builtin_shufflevector(p, q, 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31);
        break;
    case 2:
        *a = __builtin_shufflevector(p, q, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
        *b = __builtin_shufflevector(p, q, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
        break;
    default:
        *a = __builtin_shufflevector(p, q, 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30);
        *b = __builtin_shufflevector(p, q, 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31);
    }
}

/* 16 x 16: after step s = 8, 4, 2, 1 the blocks of s x s elements lie as in the transposed matrix. */
static inline void transpose16(float *to, int64_t to_row, const float *from, int64_t from_row)
{
    lanes x[W];
    for (int r = 0; r < W; r++) x[r] = get(from + r * from_row);
#pragma GCC unroll 4
    for (int k = 3; k >= 0; k--) {
        int s = 1 << k, below = s - 1;
#pragma GCC unroll 8
        for (int j = 0; j < W / 2; j++) { /* row r of those without bit s */
            int r = ((j & ~below) << 1 | (j & below)) % W;
            exchange(&x[r], &x[(r + s) % W], s);
        }
    }
    for (int r = 0; r < W; r++) put(to + r * to_row, x[r]);
}

/* rows_from and d are multiples of 16.  Where registers are shorter, shuffles of 16 lanes cost more than single stores. */
static void transpose(float *to, const float *from, int64_t rows_from, int64_t d, int64_t from_row)
{
    if ((int)V < (int)W) {
        for (int64_t t = 0; t < rows_from; t++)
            for (int64_t i = 0; i < d; i++) to[i * rows_from + t] = from[t * from_row + i];
        return;
    }
    for (int64_t t = 0; t < rows_from; t += W)
        for (int64_t i = 0; i < d; i += W) transpose16(to + i * rows_from + t, rows_from, from + t * from_row + i, from_row);
}

/* C [4][vectors] (+)= A [4][n] B [n][vectors] */
static inline __attribute__((always_inline)) void multiply_panel(const int vectors, float *c, int64_t c_row, const float *a,
                                                                 int64_t a_row, const float *b, int64_t b_row, int64_t n,
                                                                 bool add)
{
    vec sum[QUERIES][4], x[4];
#pragma GCC unroll 4
    for (int r = 0; r < QUERIES; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) sum[r][v] = add ? get_vec(c + r * c_row + v * V) : (vec){0};
    for (int64_t i = 0; i < n; i++, b += b_row) {
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) x[v] = get_vec(b + v * V);
#pragma GCC unroll 4
        for (int r = 0; r < QUERIES; r++)
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) sum[r][v] = add_product(sum[r][v], a[r * a_row + i], x[v]);
    }
#pragma GCC unroll 4
    for (int r = 0; r < QUERIES; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) put_vec(c + r * c_row + v * V, sum[r][v]);
}

/* C [4][cols] (+)= A [4][n] B [n][cols], in whole vectors of columns: scores are Q Kt, what they weigh is P V.  Each element
 * is summed in the order of i, so the width of a panel plays no part in it.  One of a single vector would wait for its own
 * sums: the last panels of an odd number have three. */
static void multiply_rows(float *c, int64_t c_row, const float *a, int64_t a_row, const float *b, int64_t b_row, int64_t n,
                          int64_t cols, bool add)
{
    for (int64_t left = (cols + V - 1) / V, some; left > 0; left -= some, c += some * V, b += some * V) {
        some = left <= 3 || left == ROWS_PANEL ? left : left < 2 * ROWS_PANEL ? (left + 1) / 2 : ROWS_PANEL;
        switch (some) {
        case 1: multiply_panel(1, c, c_row, a, a_row, b, b_row, n, add); break;
        case 2: multiply_panel(2, c, c_row, a, a_row, b, b_row, n, add); break;
        case 3: multiply_panel(3, c, c_row, a, a_row, b, b_row, n, add); break;
        default: multiply_panel(4, c, c_row, a, a_row, b, b_row, n, add);
        }
    }
}

/* S [4][n] = A [4][d] Bt [d][b_row], n a multiple of 16 */
static void scores(float *s, const float *a, int64_t a_row, const float *bt, int64_t b_row, int64_t d, int64_t n)
{
    multiply_rows(s, KEYS, a, a_row, bt, b_row, d, n, false);
}

/* O [4][dp] += P [4][n] B [n][dp], of the first d numbers of a row */
static void weighted_rows(float *o, int64_t dp, int64_t d, const float *p, const float *b, int64_t n)
{
    multiply_rows(o, dp, p, KEYS, b, dp, n, d, true);
}

/* dB [n][dp] += S [4][n]^T A [4][dp] */
static void outer_rows(float *db, int64_t dp, const float *s, const float *a, int64_t n)
{
    for (int64_t i = 0; i < dp; i += V) {
        vec x0 = get_vec(a + i), x1 = get_vec(a + dp + i), x2 = get_vec(a + 2 * dp + i), x3 = get_vec(a + 3 * dp + i);
        for (int64_t j = 0; j < n; j++)
            put_vec(db + j * dp + i,
                    get_vec(db + j * dp + i) + s[j] * x0 + s[KEYS + j] * x1 + s[2 * KEYS + j] * x2 + s[3 * KEYS + j] * x3);
    }
}

/* A bias of -inf hides all keys: zeros.  Without one a sum of 0 is scores that are too large, and makes NaN. */
static inline bool unseen(const limn_head *h, float sum)
{
    return h->bias && sum == 0;
}

/* Keys that query t sees. */
static inline int64_t visible(const limn_head *h, int64_t t)
{
    return h->causal && t + 1 < h->n_key ? t + 1 : h->n_key;
}

static void add_bias(const limn_head *h, float *s, int64_t t, int64_t first_key, int64_t n)
{
    float b[KEYS];
    int64_t rows = h->n_query - t < QUERIES ? h->n_query - t : QUERIES,
            m = h->n_key - first_key < n ? h->n_key - first_key : n;
    for (int64_t r = 0; r < rows; r++) {
        int64_t at = (t + r) * h->bias_row + first_key;
        load(b, (const char *)h->bias + (size_t)at * limn_dtype_bytes(h->dtype), h->dtype, m);
        for (int64_t j = 0; j < m; j++) s[r * KEYS + j] += b[j];
    }
}

static void add_to_dbias(const limn_head *h, const float *ds, int64_t t, int64_t first_key, int64_t n)
{
    int64_t rows = h->n_query - t < QUERIES ? h->n_query - t : QUERIES,
            m = h->n_key - first_key < n ? h->n_key - first_key : n;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t j = 0; j < m; j++) h->dbias[(t + r) * h->bias_row + first_key + j] += ds[r * KEYS + j];
}

static void mask(const limn_head *h, float *s, int64_t t, int64_t first_key, int64_t n)
{
    for (int r = 0; r < QUERIES; r++) {
        int64_t seen = visible(h, t + r) - first_key, j = 0;
        for (; j < seen && j < n; j++) s[r * KEYS + j] *= h->scale;
        for (; j < n; j++) s[r * KEYS + j] = -INFINITY;
    }
    if (h->bias) add_bias(h, s, t, first_key, n);
}

static int64_t block_of_keys(int64_t np, int64_t begin)
{
    return np - begin < KEYS ? np - begin : KEYS;
}

/* Fold a block of scores into the running maximum and sum; s becomes exp(s - max).  Of all rows at once, that one's chain of
 * dependent sums runs beside another's. */
static void fold(float *s, int64_t n, float *max, float *sum, float *rescale)
{
    float shift[QUERIES];
    for (int r = 0; r < QUERIES; r++) {
        float top = maximum(s + r * KEYS, n), old = max[r];
        max[r] = top > old ? top : old;
        shift[r] = max[r] > -INFINITY ? max[r] : 0;
        rescale[r] = old - shift[r];
    }
    for (int r = 0; r < QUERIES; r++) /* of -INFINITY: 0; NaN is not hidden */
        for (int64_t j = r * KEYS; j < r * KEYS + n; j++) s[j] = exp_below(s[j] - shift[r]);
    for (int r = 0; r < QUERIES; r++) rescale[r] = exp_below(rescale[r]);
    for (int r = 0; r < QUERIES; r++) sum[r] = sum[r] * rescale[r] + total(s + r * KEYS, n);
}

/* [np][dp] to [block][d][KEYS], the last block as wide as it is: a row of all keys would be pages from the next. */
static void transpose_blocks(float *to, const float *from, int64_t np, int64_t dp)
{
    for (int64_t j = 0; j < np; j += KEYS) transpose(to + j * dp, from + j * dp, block_of_keys(np, j), dp, dp);
}

/* Of QUERIES queries from t on, of a group. */
typedef struct quad {
    int64_t t, n, end;                /* how many there are; the keys that the last one sees */
    float *q, *o, *max, *sum;
} quad;

static quad quad_of(const limn_head *h, int64_t t, int64_t at, float *q, float *o, float *max, float *sum)
{
    int64_t dp = up16(h->d), n = h->n_query - t < QUERIES ? h->n_query - t : QUERIES;
    return (quad){t, n, up16(visible(h, t + n - 1)), q + at * dp, o + at * dp, max + at, sum + at};
}

static void begin_quad(const limn_head *h, const quad *k)
{
    int64_t dp = up16(h->d);
    size_t bytes = limn_dtype_bytes(h->dtype);
    load_rows(k->q, dp, (const char *)h->q + (size_t)(k->t * h->q_row) * bytes, h->dtype, h->q_row, k->n, QUERIES, h->d);
    memset(k->o, 0, (size_t)(QUERIES * dp) * sizeof *k->o);
    for (int r = 0; r < QUERIES; r++) k->max[r] = -INFINITY, k->sum[r] = 0;
}

/* Keys from j on, up to KEYS of them. */
static void see_block(const limn_head *h, const quad *k, const float *kt, const float *v, float *s, int64_t j)
{
    int64_t dp = up16(h->d), np = up16(h->n_key), m = block_of_keys(k->end, j);
    float rescale[QUERIES];
    scores(s, k->q, dp, kt + j * dp, block_of_keys(np, j), h->d, m);
    mask(h, s, k->t, j, m);
    fold(s, m, k->max, k->sum, rescale);
    for (int r = 0; r < QUERIES; r++)
        for (int64_t i = 0; i < dp; i++) k->o[r * dp + i] *= rescale[r];
    weighted_rows(k->o, dp, h->d, s, v + j * dp, m);
}

static void end_quad(const limn_head *h, const quad *k)
{
    int64_t dp = up16(h->d);
    for (int r = 0; r < QUERIES; r++)
        for (int64_t i = 0; i < dp && !unseen(h, k->sum[r]); i++) k->o[r * dp + i] /= k->sum[r];
    store_rows((char *)h->y + (size_t)(k->t * h->y_row) * limn_dtype_bytes(h->dtype), h->dtype, h->y_row, k->o, dp, k->n,
               h->d);
}

static void attention(const limn_head *h)
{
    int64_t dp = up16(h->d), np = up16(h->n_key);
    float *kt = h->scratch, *v = kt + np * dp, *k = v + np * dp, *q = k + np * dp, *o = q + GROUP * dp, *s = o + GROUP * dp,
          max[GROUP], sum[GROUP];
    load_rows(k, dp, h->k, h->dtype, h->k_row, h->n_key, np, h->d);
    transpose_blocks(kt, k, np, dp);
    load_rows(v, dp, h->v, h->dtype, h->v_row, h->n_key, np, h->d);
    for (int64_t first = 0; first < h->n_query; first += GROUP) {
        quad quads[GROUP / QUERIES];
        int n = 0;
        for (int64_t at = 0; at < GROUP && first + at < h->n_query; at += QUERIES) {
            quads[n] = quad_of(h, first + at, at, q, o, max, sum);
            begin_quad(h, &quads[n++]);
        }
        for (int64_t j = 0; j < quads[n - 1].end; j += KEYS)
            for (int i = 0; i < n; i++)
                if (j < quads[i].end) see_block(h, &quads[i], kt, v, s, j);
        for (int i = 0; i < n; i++) end_quad(h, &quads[i]);
    }
}

/* s: scores, or what fold() made of them, to p;  ds: dp to p (dp - D) scale, with D = sum(dout out) per query */
static void score_gradient(const limn_head *h, float *s, float *ds, bool folded, int64_t n, const float *max,
                           const float *sum, const float *dot)
{
    float scale = h->dbias ? 1 : h->scale;
    for (int r = 0; r < QUERIES; r++) {
        float inverse = unseen(h, sum[r]) ? 0 : 1.0f / sum[r];
        for (int64_t i = r * KEYS; i < r * KEYS + n; i++) {
            float e = folded ? s[i] : s[i] == -INFINITY ? 0 : exp1(s[i] - max[r]);
            s[i] = e * inverse;
            ds[i] = s[i] * (ds[i] - dot[r]) * scale;
        }
    }
}

static void attention_grad(const limn_head *h)
{
    int64_t dp = up16(h->d), np = up16(h->n_key), plane = np * dp;
    float *kt = h->scratch, *vt = kt + plane, *k = vt + plane, *v = k + plane, *dk = v + plane, *dv = dk + plane;
    float *q = dv + plane, *dy = q + QUERIES * dp, *y = dy + QUERIES * dp, *dq = y + QUERIES * dp, *s = dq + QUERIES * dp,
          *ds = s + QUERIES * KEYS;
    load_rows(k, dp, h->k, h->dtype, h->k_row, h->n_key, np, h->d);
    load_rows(v, dp, h->v, h->dtype, h->v_row, h->n_key, np, h->d);
    transpose_blocks(kt, k, np, dp);
    transpose_blocks(vt, v, np, dp);
    memset(dk, 0, (size_t)(2 * plane) * sizeof *dk);
    size_t bytes = limn_dtype_bytes(h->dtype);
    for (int64_t t = 0; t < h->n_query; t += QUERIES) {
        int64_t n = h->n_query - t < QUERIES ? h->n_query - t : QUERIES, end = up16(visible(h, t + n - 1));
        float max[QUERIES], sum[QUERIES], rescale[QUERIES], dot[QUERIES];
        load_rows(q, dp, (const char *)h->q + (size_t)(t * h->q_row) * bytes, h->dtype, h->q_row, n, QUERIES, h->d);
        load_rows(dy, dp, (const char *)h->dout + (size_t)(t * h->dout_row) * bytes, h->dtype, h->dout_row, n, QUERIES,
                  h->d);
        load_rows(y, dp, (const char *)h->out + (size_t)(t * h->out_row) * bytes, h->dtype, h->out_row, n, QUERIES, h->d);
        memset(dq, 0, (size_t)(QUERIES * dp) * sizeof *dq);
        for (int r = 0; r < QUERIES; r++) {
            max[r] = -INFINITY, sum[r] = 0;
            for (int64_t i = 0; i < dp; i++) y[r * dp + i] *= dy[r * dp + i];
            dot[r] = total(y + r * dp, dp);
        }
        for (int64_t j = 0; j < end; j += KEYS) {
            int64_t m = block_of_keys(end, j);
            scores(s, q, dp, kt + j * dp, block_of_keys(np, j), h->d, m);
            mask(h, s, t, j, m);
            fold(s, m, max, sum, rescale);
        }
        for (int64_t j = 0; j < end; j += KEYS) {
            int64_t m = block_of_keys(end, j);
            bool folded = end <= KEYS; /* one block: s still holds exp(score - max) */
            if (!folded) {
                scores(s, q, dp, kt + j * dp, block_of_keys(np, j), h->d, m);
                mask(h, s, t, j, m);
            }
            scores(ds, dy, dp, vt + j * dp, block_of_keys(np, j), h->d, m);
            score_gradient(h, s, ds, folded, m, max, sum, dot);
            if (h->dbias) {
                add_to_dbias(h, ds, t, j, m);
                continue;
            }
            outer_rows(dv + j * dp, dp, s, dy, m);
            outer_rows(dk + j * dp, dp, ds, q, m);
            weighted_rows(dq, dp, h->d, ds, k + j * dp, m);
        }
        if (!h->dbias) store_rows((char *)h->dq + (size_t)(t * h->dq_row) * bytes, h->dtype, h->dq_row, dq, dp, n, h->d);
    }
    if (h->dbias) return;
    store_rows(h->dk, h->dtype, h->dk_row, dk, dp, h->n_key, h->d);
    store_rows(h->dv, h->dtype, h->dv_row, dv, dp, h->n_key, h->d);
}
