/* tile.inc.h: the heart of a product: a few rows by 2 vectors of C in registers, twice as many by one, or by 4 where there
 * are 32 registers.  Included by rows.inc.h.
 *
 *   C [rows][cols] (+)= A [rows][runs n] B [runs n][width],   element (r, u n + i) of A at a[r a_row + u a_run + i a_step],
 *   B packed: rows of 4 V, 2 V or V
 *
 * An element of A and B is one word of 32 bits: a float, or in `pair_tile` two bf16 terms that follow each other, the first
 * in the low half. C is f32.  Each element is summed in the order of i.  Rows past the last are computed from the last one
 * and dropped (Goto & van de Geijn 2008). */

typedef uint32_t word __attribute__((may_alias));

/* c + a b: of floats, or of both halves of a word.  VDPBF16PS adds the high half first, too. */
static inline __attribute__((always_inline)) vec multiply_add(bool pairs, vec c, word a, vec b)
{
#ifdef ROWS_BY_ELEMENT
    union { word w; float f; } number = {a}, high = {a & 0xffff0000u}, low = {a << 16};
    if (!pairs) return add_product(c, number.f, b);
    c = add_product(c, high.f, (vec)((word_vec)b & 0xffff0000u));
    return add_product(c, low.f, (vec)((word_vec)b << 16));
#else
    word_vec x = a - (word_vec){0}, y = (word_vec)b;
    if (!pairs) return c + (vec)x * b;
#ifdef __AVX512BF16__
    return (vec)_mm512_dpbf16_ps((__m512)c, (__m512bh)x, (__m512bh)y);
#else
    c += (vec)(x & 0xffff0000u) * (vec)(y & 0xffff0000u);
    return c + (vec)(x << 16) * (vec)(y << 16);
#endif
#endif
}

/* The rows of A of the tile after this one, a line of each at a time: they lie in a farther cache, and each is too short for
 * the processor to see them coming (docs/speed.md).  An address past the end of A is no fault. */
enum { FETCH_EVERY = 64 / sizeof(word) };

static inline __attribute__((always_inline)) void fetch_rows(const word *const *row, const int max_rows, int64_t at,
                                                             int64_t a_row)
{
#pragma GCC unroll 16
    for (int r = 0; r < max_rows; r++) __builtin_prefetch(row[r] + at + max_rows * a_row);
}

static inline __attribute__((always_inline)) void some_tile(bool pairs, const int max_rows, const int vectors, float *c,
                                                            int64_t c_row, const word *a, int64_t a_row, int64_t a_step,
                                                            int64_t a_run, const float *b, const int64_t b_row, int64_t n,
                                                            int64_t runs, int rows, int cols, bool add)
{
    enum { R = 2 * (LIMN_TILE_ROWS > ROWS_PAIR_ROWS ? LIMN_TILE_ROWS : ROWS_PAIR_ROWS) };
    const word *row[R];
    vec sum[R][4], x[4];
#pragma GCC unroll 16
    for (int r = 0; r < max_rows; r++) {
        row[r] = a + (r < rows ? r : rows - 1) * a_row;
#pragma GCC unroll 4
        for (int v = 0; v < 4; v++) sum[r][v] = (vec){0};
    }
    for (int64_t u = 0; u < runs; u++)
        for (int64_t i = 0, at = u * a_run; i < n; i++, at += a_step, b += b_row) {
            if (i % FETCH_EVERY == 0) fetch_rows(row, max_rows, at, a_row);
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) x[v] = get_vec(b + v * V);
#pragma GCC unroll 16
            for (int r = 0; r < max_rows; r++) {
                word w = row[r][at];
#pragma GCC unroll 4
                for (int v = 0; v < vectors; v++) sum[r][v] = multiply_add(pairs, sum[r][v], w, x[v]);
            }
        }
#pragma GCC unroll 16
    for (int r = 0; r < max_rows; r++, c += c_row) {
        if (r >= rows) return;
        if (cols == vectors * V) {
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) put_vec(c + v * V, add ? get_vec(c + v * V) + sum[r][v] : sum[r][v]);
            continue;
        }
        float last[4 * V];
#pragma GCC unroll 4
        for (int v = 0; v < 4; v++) put_vec(last + v * V, sum[r][v]);
        for (int i = 0; i < cols; i++) c[i] = add ? c[i] + last[i] : last[i];
    }
}

#if ROWS_PANEL == 2
static void tile(float *c, int64_t c_row, const float *a, int64_t a_row, int64_t a_step, int64_t a_run, const float *b,
                 int64_t n, int64_t runs, int rows, int cols, bool add)
{
    some_tile(false, LIMN_TILE_ROWS, 2, c, c_row, (const word *)a, a_row, a_step, a_run, b, 2 * V, n, runs, rows, cols, add);
}
#else
#define tile wide_tile
#endif

/* 24 sums, 4 vectors of B and one of A are 29 registers; 10 loads for 24 products where 2 vectors take 8 for 12. */
#if ROWS_WIDE == 4
static void wide_tile(float *c, int64_t c_row, const float *a, int64_t a_row, int64_t a_step, int64_t a_run, const float *b,
                      int64_t n, int64_t runs, int rows, int cols, bool add)
{
    const word *w = (const word *)a;
    if (cols > 2 * V)
        some_tile(false, LIMN_TILE_ROWS, 4, c, c_row, w, a_row, a_step, a_run, b, 4 * V, n, runs, rows, cols, add);
    else
        some_tile(false, LIMN_TILE_ROWS, 2, c, c_row, w, a_row, a_step, a_run, b, 4 * V, n, runs, rows, cols, add);
}
#else
#define wide_tile tile
#endif

static void pair_tile(float *c, int64_t c_row, const float *a, int64_t a_row, int64_t a_step, int64_t a_run, const float *b,
                      int64_t n, int64_t runs, int rows, int cols, bool add)
{
    some_tile(true, ROWS_PAIR_ROWS, 2, c, c_row, (const word *)a, a_row, a_step, a_run, b, 2 * V, n, runs, rows, cols, add);
}

static void narrow_pair_tile(float *c, int64_t c_row, const float *a, int64_t a_row, int64_t a_step, int64_t a_run,
                             const float *b, int64_t n, int64_t runs, int rows, int cols, bool add)
{
    some_tile(true, 2 * ROWS_PAIR_ROWS, 1, c, c_row, (const word *)a, a_row, a_step, a_run, b, V, n, runs, rows, cols, add);
}

/* ---- operands of tiles: words [n][width] from rows of memory, `row` elements from step to step; columns past `cols` are
 * zeros  */

static inline __attribute__((always_inline)) void lay_words(bool pairs, word *to, const int64_t width, const void *a,
                                                            const void *b, int64_t row, int64_t n, int64_t cols)
{
    for (int64_t i = 0; i < n; i++, to += width) {
        const word *f = (const word *)a + i * row;
        const uint16_t *first = (const uint16_t *)a + i * row, *second = (const uint16_t *)b + i * row;
        for (int64_t j = 0; j < cols; j++) to[j] = pairs ? first[j] | (uint32_t)second[j] << 16 : f[j];
        for (int64_t j = cols; j < width; j++) to[j] = 0;
    }
}

/* The widths of tiles as constants: then a row is a few vectors and no loop. */
static inline __attribute__((always_inline)) void lay_some(bool pairs, word *to, int64_t width, const void *a, const void *b,
                                                           int64_t row, int64_t n, int64_t cols)
{
    if (width == PANEL && cols == width) lay_words(pairs, to, PANEL, a, b, row, n, PANEL);
    else if (width == 2 * V && cols == width) lay_words(pairs, to, 2 * V, a, b, row, n, 2 * V);
    else if (width == V && cols == width) lay_words(pairs, to, V, a, b, row, n, V);
    else if (width == ROWS_PAIR_ROWS && cols == width) lay_words(pairs, to, ROWS_PAIR_ROWS, a, b, row, n, ROWS_PAIR_ROWS);
    else if (width == LIMN_TILE_ROWS && cols == width) lay_words(pairs, to, LIMN_TILE_ROWS, a, b, row, n, LIMN_TILE_ROWS);
    else lay_words(pairs, to, width, a, b, row, n, cols);
}

static void lay(float *to, int64_t width, const void *a, const void *b, int64_t row, int64_t n, int64_t cols)
{
    lay_some(false, (word *)to, width, a, b, row, n, cols);
}

static void lay_pairs(float *to, int64_t width, const void *a, const void *b, int64_t row, int64_t n, int64_t cols)
{
    lay_some(true, (word *)to, width, a, b, row, n, cols);
}
