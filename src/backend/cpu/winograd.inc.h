/* winograd.inc.h: the three transforms of a 3 x 3 convolution in tiles of 4 x 4 pixels, F(4x4, 3x3).  Included by
 * rows.inc.h.
 *
 *   y = A' [(G w G') . (B' x B)] A        w [3][3], x [6][6], y [4][4]       Winograd 1980; Lavin & Gray 2016
 *
 * With points p = 0, a, -a, b, -b, infinity and N_i = product over j != i of (p_i - p_j):
 *
 *   A' [4][6]   column i: 1, p_i, p_i^2, p_i^3                     infinity: 0, 0, 0, 1
 *   G  [6][3]   row i: (1, p_i, p_i^2) / N_i                       infinity: 0, 0, 1
 *   B' [6][6]   row i: coefficients of the product over j != i of (x - p_j), that of x^0 first; infinity: over all j
 *
 *   N_0 = a^2 b^2,   N_(+-a) = 2 a^2 (a^2 - b^2),   N_(+-b) = 2 b^2 (b^2 - a^2)
 *   B' 0:   a^2 b^2, 0, -(a^2 + b^2), 0, 1, 0      +-a: 0, -+a b^2, -b^2, +-a, 1, 0      +-b: 0, -+b a^2, -a^2, +-b, 1, 0
 *      inf: 0, a^2 b^2, 0, -(a^2 + b^2), 0, 1
 *
 * a = 5/8, b = 3/2: all numbers of A' and B' are exact in f32, and the error is 1.6 times a direct convolution's, where +-1,
 * +-2 make 3.5.  Element i of row f of a transformed operand lies at to[f next + i]. */

#define WINO_A (5.0 / 8)
#define WINO_B (3.0 / 2)
#define WINO_A2 (WINO_A * WINO_A)
#define WINO_B2 (WINO_B * WINO_B)

static inline __attribute__((always_inline)) void input_1d(vec *o, vec d0, vec d1, vec d2, vec d3, vec d4, vec d5)
{
    const float a = (float)WINO_A, b = (float)WINO_B, a2 = (float)WINO_A2, b2 = (float)WINO_B2,
                sum = (float)(WINO_A2 + WINO_B2), product = (float)(WINO_A2 * WINO_B2);
    vec even = d4 - b2 * d2, odd = d3 - b2 * d1;
    o[1] = even + a * odd, o[2] = even - a * odd;
    even = d4 - a2 * d2, odd = d3 - a2 * d1;
    o[3] = even + b * odd, o[4] = even - b * odd;
    o[0] = d4 - sum * d2 + product * d0;
    o[5] = d5 - sum * d3 + product * d1;
}

static inline __attribute__((always_inline)) void weight_1d(vec *o, vec g0, vec g1, vec g2)
{
    const float a = (float)WINO_A, b = (float)WINO_B, a2 = (float)WINO_A2, b2 = (float)WINO_B2,
                n0 = (float)(1 / (WINO_A2 * WINO_B2)), na = (float)(1 / (2 * WINO_A2 * (WINO_A2 - WINO_B2))),
                nb = (float)(1 / (2 * WINO_B2 * (WINO_B2 - WINO_A2)));
    vec even = g0 + a2 * g2, odd = a * g1;
    o[0] = n0 * g0;
    o[1] = na * (even + odd), o[2] = na * (even - odd);
    even = g0 + b2 * g2, odd = b * g1;
    o[3] = nb * (even + odd), o[4] = nb * (even - odd);
    o[5] = g2;
}

static inline __attribute__((always_inline)) void output_1d(vec *o, vec m0, vec m1, vec m2, vec m3, vec m4, vec m5)
{
    const float a = (float)WINO_A, b = (float)WINO_B, a2 = (float)WINO_A2, b2 = (float)WINO_B2,
                a3 = (float)(WINO_A * WINO_A2), b3 = (float)(WINO_B * WINO_B2);
    vec even_a = m1 + m2, odd_a = m1 - m2, even_b = m3 + m4, odd_b = m3 - m4;
    o[0] = m0 + (even_a + even_b);
    o[1] = a * odd_a + b * odd_b;
    o[2] = a2 * even_a + b2 * even_b;
    o[3] = a3 * odd_a + (b3 * odd_b + m5);
}

static inline __attribute__((always_inline)) void some_input(float *to, int64_t next, const void *const *pixel,
                                                             limn_dtype dtype, int64_t n)
{
    for (int64_t c = 0; c < n; c += V) {
        vec r[6][6], o[6];
#pragma GCC unroll 6
        for (int i = 0; i < 6; i++) {
            const void *const *p = pixel + 6 * i;
            input_1d(r[i], floats_at(p[0], dtype, c), floats_at(p[1], dtype, c), floats_at(p[2], dtype, c),
                     floats_at(p[3], dtype, c), floats_at(p[4], dtype, c), floats_at(p[5], dtype, c));
        }
#pragma GCC unroll 6
        for (int j = 0; j < 6; j++) {
            input_1d(o, r[0][j], r[1][j], r[2][j], r[3][j], r[4][j], r[5][j]);
#pragma GCC unroll 6
            for (int i = 0; i < 6; i++) put_vec(to + (6 * i + j) * next + c, o[i]);
        }
    }
}

static void winograd_input(float *to, int64_t next, const void *const *pixel, limn_dtype dtype, int64_t n)
{
    if (dtype == LIMN_F32)
        some_input(to, next, pixel, LIMN_F32, n);
    else
        some_input(to, next, pixel, LIMN_BF16, n);
}

static inline __attribute__((always_inline)) void some_weight(float *to, int64_t next, const void *w, limn_dtype dtype,
                                                              int64_t n)
{
    for (int64_t k = 0, at = 0; k < n; k++, at += 9 * PANEL, to += PANEL)
        for (int h = 0; h < PANEL; h += V) {
            vec r[3][6], o[6];
#pragma GCC unroll 3
            for (int i = 0; i < 3; i++)
                weight_1d(r[i], floats_at(w, dtype, at + 3 * i * PANEL + h),
                          floats_at(w, dtype, at + (3 * i + 1) * PANEL + h),
                          floats_at(w, dtype, at + (3 * i + 2) * PANEL + h));
#pragma GCC unroll 6
            for (int j = 0; j < 6; j++) {
                weight_1d(o, r[0][j], r[1][j], r[2][j]);
#pragma GCC unroll 6
                for (int i = 0; i < 6; i++) put_vec(to + (6 * i + j) * next + h, o[i]);
            }
        }
}

static void winograd_weight(float *to, int64_t next, const void *w, limn_dtype dtype, int64_t n)
{
    if (dtype == LIMN_F32)
        some_weight(to, next, w, LIMN_F32, n);
    else if (dtype == LIMN_BF16)
        some_weight(to, next, w, LIMN_BF16, n);
    else
        some_weight(to, next, w, LIMN_F16, n);
}

/* The gradient of w is F(3x3, 4x4): of x as above, of dy G with rows (1, p, p^2, p^3) / N, infinity 0, 0, 0, 1; then A' with
 * columns 1, p, p^2, infinity 0, 0, 1. */
static inline __attribute__((always_inline)) void result_1d(vec *o, vec g0, vec g1, vec g2, vec g3)
{
    const float a = (float)WINO_A, b = (float)WINO_B, a2 = (float)WINO_A2, b2 = (float)WINO_B2,
                n0 = (float)(1 / (WINO_A2 * WINO_B2)), na = (float)(1 / (2 * WINO_A2 * (WINO_A2 - WINO_B2))),
                nb = (float)(1 / (2 * WINO_B2 * (WINO_B2 - WINO_A2)));
    vec even = g0 + a2 * g2, odd = a * (g1 + a2 * g3);
    o[0] = n0 * g0;
    o[1] = na * (even + odd), o[2] = na * (even - odd);
    even = g0 + b2 * g2, odd = b * (g1 + b2 * g3);
    o[3] = nb * (even + odd), o[4] = nb * (even - odd);
    o[5] = g3;
}

static inline __attribute__((always_inline)) void window_1d(vec *o, vec m0, vec m1, vec m2, vec m3, vec m4, vec m5)
{
    const float a = (float)WINO_A, b = (float)WINO_B, a2 = (float)WINO_A2, b2 = (float)WINO_B2;
    vec even_a = m1 + m2, even_b = m3 + m4;
    o[0] = m0 + (even_a + even_b);
    o[1] = a * (m1 - m2) + b * (m3 - m4);
    o[2] = a2 * even_a + (b2 * even_b + m5);
}

static inline __attribute__((always_inline)) void some_result(float *to, int64_t next, const void *const *pixel,
                                                              limn_dtype dtype, int64_t at)
{
    for (int h = 0; h < PANEL; h += V) {
        vec r[4][6], o[6];
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
            const void *const *p = pixel + 4 * i;
            result_1d(r[i], floats_at(p[0], dtype, at + h), floats_at(p[1], dtype, at + h), floats_at(p[2], dtype, at + h),
                      floats_at(p[3], dtype, at + h));
        }
#pragma GCC unroll 6
        for (int j = 0; j < 6; j++) {
            result_1d(o, r[0][j], r[1][j], r[2][j], r[3][j]);
#pragma GCC unroll 6
            for (int i = 0; i < 6; i++) put_vec(to + (6 * i + j) * next + h, o[i]);
        }
    }
}

static void winograd_result(float *to, int64_t next, const void *const *pixel, limn_dtype dtype, int64_t at)
{
    if (dtype == LIMN_F32)
        some_result(to, next, pixel, LIMN_F32, at);
    else
        some_result(to, next, pixel, LIMN_BF16, at);
}

static void winograd_window(float *to, const float *sums, int64_t next)
{
    for (int h = 0; h < PANEL; h += V, sums += V) {
        vec r[6][3], o[3];
#pragma GCC unroll 6
        for (int i = 0; i < 6; i++) {
            const float *m = sums + 6 * i * next;
            window_1d(r[i], get_vec(m), get_vec(m + next), get_vec(m + 2 * next), get_vec(m + 3 * next),
                      get_vec(m + 4 * next), get_vec(m + 5 * next));
        }
#pragma GCC unroll 3
        for (int j = 0; j < 3; j++) {
            window_1d(o, r[0][j], r[1][j], r[2][j], r[3][j], r[4][j], r[5][j]);
#pragma GCC unroll 3
            for (int i = 0; i < 3; i++) put_vec(to + (3 * i + j) * PANEL + h, o[i]);
        }
    }
}

static void winograd_output(float *to, const float *sums, int64_t next, const float *bias)
{
    for (int h = 0; h < PANEL; h += V, sums += V) {
        vec r[6][4], o[4], add = bias ? get_vec(bias + h) : (vec){0};
#pragma GCC unroll 6
        for (int i = 0; i < 6; i++) {
            const float *m = sums + 6 * i * next;
            output_1d(r[i], get_vec(m), get_vec(m + next), get_vec(m + 2 * next), get_vec(m + 3 * next),
                      get_vec(m + 4 * next), get_vec(m + 5 * next));
        }
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++) {
            output_1d(o, r[0][j], r[1][j], r[2][j], r[3][j], r[4][j], r[5][j]);
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++) put_vec(to + (4 * i + j) * PANEL + h, o[i] + add);
        }
    }
}
