/* int16.inc.h: products of 16-bit integers, two terms to a word, for what would be bf16: VPDPWSSD where there is VNNI, else
 * VPMADDWD and an addition.  Included by rows.inc.h, on x86-64 from AVX2 on.
 *
 * A row of A and a column of B have a scale each, of the block of the sum that they meet in:
 *
 *   C [rows][cols] (+)= row column (A B),   |A| <= LIMN_INT16_A,   sum of |B| of a column <= LIMN_INT16_B
 *
 * A B is exact in 32 bits, for their product is below 2^31.  A scale takes NaN and infinities of its numbers along: 2^31 - 1
 * at most times NaN is NaN, whatever the numbers became. */
#include <immintrin.h>

typedef int32_t int_vec __attribute__((vector_size(ROWS_VECTOR)));

/* To the nearest, ties to even */
static inline __attribute__((always_inline)) int_vec nearest(vec x)
{
#if ROWS_VECTOR == 64
    return (int_vec)_mm512_cvtps_epi32((__m512)x);
#else
    return (int_vec)_mm256_cvtps_epi32((__m256)x);
#endif
}

/* x y + z, rounded once: what the compiler fuses may hang on where a row lies in a tile */
static inline __attribute__((always_inline)) vec fused(vec x, vec y, vec z)
{
#if ROWS_VECTOR == 64
    return (vec)_mm512_fmadd_ps((__m512)x, (__m512)y, (__m512)z);
#else
    return (vec)_mm256_fmadd_ps((__m256)x, (__m256)y, (__m256)z);
#endif
}

/* sum + both products of the halves of a and b; of no numbers (NaN is their scale) it may wrap */
static inline __attribute__((always_inline)) int_vec add_integers(int_vec sum, word a, int_vec b)
{
    int_vec x = (int_vec)(a - (word_vec){0});
#if defined(__AVX512VNNI__)
    return (int_vec)_mm512_dpwssd_epi32((__m512i)sum, (__m512i)x, (__m512i)b);
#elif ROWS_VECTOR == 64
    return (int_vec)((word_vec)sum + (word_vec)_mm512_madd_epi16((__m512i)x, (__m512i)b));
#else
    return (int_vec)((word_vec)sum + (word_vec)_mm256_madd_epi16((__m256i)x, (__m256i)b));
#endif
}

/* Word (r, i) of A at a[r a_row + i a_step]; b [n][2 V] */
static void int16_tile(float *c, int64_t c_row, const void *a, int64_t a_row, int64_t a_step, const float *b, int64_t n,
                       int rows, const float *row_scale, const float *column_scale, bool add)
{
    const word *row[ROWS_PAIR_ROWS];
    int_vec sum[ROWS_PAIR_ROWS][2];
#pragma GCC unroll 16
    for (int r = 0; r < ROWS_PAIR_ROWS; r++) {
        row[r] = (const word *)a + (r < rows ? r : rows - 1) * a_row;
        sum[r][0] = sum[r][1] = (int_vec){0};
    }
    for (int64_t i = 0, at = 0; i < n; i++, at += a_step, b += 2 * V) {
        int_vec x = (int_vec)get_vec(b), y = (int_vec)get_vec(b + V);
#pragma GCC unroll 16
        for (int r = 0; r < ROWS_PAIR_ROWS; r++) {
            word w = row[r][at];
            sum[r][0] = add_integers(sum[r][0], w, x), sum[r][1] = add_integers(sum[r][1], w, y);
        }
    }
#pragma GCC unroll 16
    for (int r = 0; r < ROWS_PAIR_ROWS; r++, c += c_row) {
        if (r >= rows) return;
#pragma GCC unroll 2
        for (int v = 0; v < 2; v++) {
            vec scale = row_scale[r] * get_vec(column_scale + v * V), before = add ? get_vec(c + v * V) : (vec){0};
            put_vec(c + v * V, fused(__builtin_convertvector(sum[r][v], vec), scale, before));
        }
    }
}

static inline __attribute__((always_inline)) word_vec larger(word_vec a, word_vec b)
{
#if ROWS_VECTOR == 64
    return (word_vec)_mm512_max_epu32((__m512i)a, (__m512i)b);
#else
    return (word_vec)_mm256_max_epu32((__m256i)a, (__m256i)b);
#endif
}

/* Both halves of a word: low in the low one. */
static inline __attribute__((always_inline)) word_vec both(int_vec low, int_vec high)
{
    return ((word_vec)low & 0xffffu) | (word_vec)high << 16;
}

/* The largest |x|; NaN where one is NaN: of numbers without their sign the order is that of their bits. */
static inline float largest(const float *x, int64_t n)
{
    word_vec most = {0};
    word each[V];
    for (int64_t i = 0; i < n; i += V) most = larger(most, (word_vec)get_vec(x + i) & 0x7fffffffu);
    memcpy(each, &most, sizeof each);
    for (int half = V / 2; half; half /= 2)
        for (int i = 0; i < half; i++) each[i] = each[i] > each[i + half] ? each[i] : each[i + half];
    union { word w; float f; } is = {each[0]};
    return is.f;
}

static float int16_row(int16_t *to, const float *from, int64_t n)
{
    float most = largest(from, n), inverse = most == 0 ? 0 : LIMN_INT16_A / most;
    for (int64_t i = 0; i < n; i += 16) {
#if ROWS_VECTOR == 64
        __m256i y = _mm512_cvtepi32_epi16((__m512i)nearest(inverse * get_vec(from + i)));
#else
        __m256i y = _mm256_packs_epi32((__m256i)nearest(inverse * get_vec(from + i)),
                                       (__m256i)nearest(inverse * get_vec(from + i + V)));
        y = _mm256_permute4x64_epi64(y, 0xd8);
#endif
        _mm256_storeu_si256((void *)(to + i), y);
    }
    return most / LIMN_INT16_A;
}

/* ---- pairs of rows -------------------------------------------------------------------------------------------------- */

/* The scale of V columns of n rows; NaN where one is NaN: then both quotients are. */
static inline __attribute__((always_inline)) vec scale_of(const float *from, int64_t row, int64_t n, float most_sum,
                                                          float most)
{
    word_vec largest[2] = {{0}};
    vec sum[2] = {{0}};
    for (int64_t i = 0; i < n; i += 2) {
        word_vec x = (word_vec)get_vec(from + i * row) & 0x7fffffffu, y = {0};
        if (i + 1 < n) y = (word_vec)get_vec(from + (i + 1) * row) & 0x7fffffffu;
        largest[0] = larger(largest[0], x), largest[1] = larger(largest[1], y);
        sum[0] += (vec)x, sum[1] += (vec)y;
    }
    vec by_sum = most_sum / (sum[0] + sum[1]), by_most = most / (vec)larger(largest[0], largest[1]);
    word_vec less = (word_vec)(by_sum < by_most);
    return (vec)(((word_vec)by_sum & less) | ((word_vec)by_most & ~less));
}

static void int16_pairs(float *to, int64_t to_row, float *inverse, const float *from, int64_t from_row, int64_t n,
                        int64_t cols, float most_sum, float most)
{
    for (int64_t c = 0; c < cols; c += V, from += V, to += V) {
        vec scale = scale_of(from, from_row, n, most_sum, most);
        put_vec(inverse + c, 1 / scale);
        for (int64_t i = 0; i < n; i += 2) {
            int_vec low = nearest(scale * get_vec(from + i * from_row)), high = {0};
            if (i + 1 < n) high = nearest(scale * get_vec(from + (i + 1) * from_row));
            put_vec(to + i / 2 * to_row, (vec)both(low, high));
        }
    }
}

/* ---- weights of winograd.inc.h --------------------------------------------------------------------------------------- */

/* G of the rows of the windows of a channel, at number `at` on. */
static inline __attribute__((always_inline)) void weight_rows(vec (*r)[6], const void *w, int64_t at)
{
#pragma GCC unroll 3
    for (int i = 0; i < 3; i++)
        weight_1d(r[i], floats_at(w, LIMN_BF16, at + 3 * i * PANEL), floats_at(w, LIMN_BF16, at + (3 * i + 1) * PANEL),
                  floats_at(w, LIMN_BF16, at + (3 * i + 2) * PANEL));
}

static void int16_measure(float *sum, float *most, const void *w, int64_t n)
{
    for (int64_t k = 0; k < n; k++)
        for (int h = 0; h < PANEL; h += V) {
            vec r[3][6], o[6];
            weight_rows(r, w, 9 * k * PANEL + h);
#pragma GCC unroll 6
            for (int j = 0; j < 6; j++) {
                weight_1d(o, r[0][j], r[1][j], r[2][j]);
#pragma GCC unroll 6
                for (int i = 0; i < 6; i++) {
                    int64_t at = (6 * i + j) * PANEL + h;
                    word_vec u = (word_vec)o[i] & 0x7fffffffu;
                    put_vec(sum + at, get_vec(sum + at) + (vec)u);
                    put_vec(most + at, (vec)larger((word_vec)get_vec(most + at), u));
                }
            }
        }
}

static void int16_weight(float *to, int64_t next, const void *w, int64_t n, const float *scale)
{
    for (int64_t k = 0, at = 0; k < n; k += 2, at += 18 * PANEL, to += PANEL)
        for (int h = 0; h < PANEL; h += V) {
            vec first[3][6], second[3][6], o[6], p[6];
            weight_rows(first, w, at + h), weight_rows(second, w, at + 9 * PANEL + h);
#pragma GCC unroll 6
            for (int j = 0; j < 6; j++) {
                weight_1d(o, first[0][j], first[1][j], first[2][j]);
                weight_1d(p, second[0][j], second[1][j], second[2][j]);
#pragma GCC unroll 6
                for (int i = 0; i < 6; i++) {
                    vec s = get_vec(scale + (6 * i + j) * PANEL + h);
                    put_vec(to + (6 * i + j) * next + h, (vec)both(nearest(o[i] * s), nearest(p[i] * s)));
                }
            }
        }
}
