/* quantize.c: numbers to blocks, whose layouts blocks.c decodes.
 *
 * Which scale a block has decides its error.  Levels q that a first scale gives are kept, and the best scale for them is
 * that of least squares; first scales are tried around the one that lays the largest number on the last level: with less
 * than all levels, or with the largest number cut, the rest often lie better.  Where scales are whole numbers of another
 * scale, their neighbours are tried too, and the outer scale is fitted once more to all. */
#include "tensor/blocks.h"

#include "tensor/tensor.h"

#include <string.h>

enum { SMALL = 32, LARGE = 256, MOST_GROUPS = 16, TRIED = 12, ROUNDS = 3 };

static float half_of(float x) { return limn_f16_to_f32(limn_f32_to_f16(x)); }

static void put_half(unsigned char *to, float x)
{
    uint16_t h = limn_f32_to_f16(x);
    to[0] = (unsigned char)h, to[1] = (unsigned char)(h >> 8);
}

static void get_floats(const unsigned char *from, float *x, int n) { memcpy(x, from, (size_t)n * sizeof *x); }

/* The level nearest to x; halves to even, as adding 1.5 2^23 rounds. */
static inline float level(float x, float low, float high)
{
    x = x < low ? low : x > high ? high : x;
    return (x + 12582912.0f) - 12582912.0f;
}

static inline float inverse(float d) { return d * d > 0 ? 1 / d : 0; } /* also of what only denormals could hold */

/* ---- x = d q, q in low .. high ---------------------------------------------------------------------------------------- */

/* The square that d q takes from the sum of x^2 at most, by the best d for the q that 1 / d = inv gives. */
static inline float gain_symmetric(int n, const float *x, float low, float high, float inv, float *d)
{
    float xq = 0, qq = 0;
#pragma omp simd reduction(+ : xq, qq)
    for (int i = 0; i < n; i++) {
        float q = level(x[i] * inv, low, high);
        xq += x[i] * q, qq += q * q;
    }
    *d = qq > 0 ? xq / qq : 0;
    return qq > 0 ? xq * xq / qq : 0;
}

static inline float largest(int n, const float *x)
{
    float most = 0;
    for (int i = 0; i < n; i++)
        if (x[i] * x[i] > most * most) most = x[i];
    return most;
}

static inline float fit_symmetric(int n, const float *x, float low, float high)
{
    float inv = inverse(largest(n, x)), best = 0, d = 0, gain, other;
    for (int k = -TRIED; k <= TRIED && inv != 0; k++)
        for (int end = 0; end < 2; end++) {
            gain = gain_symmetric(n, x, low, high, ((end ? high : low) + 0.1f * (float)k) * inv, &other);
            if (gain > best) best = gain, d = other;
        }
    for (int k = 0; k < ROUNDS; k++) {
        gain = gain_symmetric(n, x, low, high, inverse(d), &other);
        if (gain > best) best = gain, d = other;
    }
    return d;
}

/* ---- x = d q + m, q in 0 .. high -------------------------------------------------------------------------------------- */

typedef struct affine {
    float d, m, error;
} affine;

/* The best d and m for the q that d and m of `first` give; below: m at most 0. */
static inline affine fit_levels(int n, const float *x, float high, float inv, float m, bool below)
{
    float sx = 0, sq = 0, xx = 0, xq = 0, qq = 0, count = (float)n;
#pragma omp simd reduction(+ : sx, sq, xx, xq, qq)
    for (int i = 0; i < n; i++) {
        float q = level((x[i] - m) * inv, 0, high);
        sx += x[i], sq += q, xx += x[i] * x[i], xq += x[i] * q, qq += q * q;
    }
    float det = count * qq - sq * sq;
    affine a = {.d = det > 0 ? (count * xq - sq * sx) / det : 0};
    a.m = (sx - a.d * sq) / count;
    if (below && a.m > 0) a.m = 0, a.d = qq > 0 ? xq / qq : 0;
    a.error = xx - 2 * (a.d * xq + a.m * sx) + a.d * (a.d * qq + 2 * a.m * sq) + count * a.m * a.m;
    return a;
}

static inline affine fit_affine(int n, const float *x, float high, bool below)
{
    float least = x[0], most = x[0];
    for (int i = 1; i < n; i++) least = x[i] < least ? x[i] : least, most = x[i] > most ? x[i] : most;
    if (below && least > 0) least = 0;
    float inv = inverse(most - least);
    affine best = {0, below && least > 0 ? 0 : least, 3e38f};
    for (int k = -TRIED; k <= TRIED && inv != 0; k++) {
        affine a = fit_levels(n, x, high, (high + 0.1f * (float)k) * inv, least, below);
        if (a.error < best.error && a.d > 0) best = a;
    }
    for (int k = 0; k < ROUNDS && best.d > 0; k++) {
        affine a = fit_levels(n, x, high, inverse(best.d), best.m, below);
        if (a.error < best.error && a.d > 0) best = a;
    }
    return best;
}

/* ---- blocks of 32 ----------------------------------------------------------------------------------------------------- */

/* d = max |x| / 127, halves away from 0: what ggml and PyPI's gguf write. */
void limn_encode_q8_0(const unsigned char *f32, size_t n, unsigned char *dst)
{
    for (; n; n--, f32 += SMALL * sizeof(float), dst += 34) {
        float x[SMALL], most;
        get_floats(f32, x, SMALL);
        most = largest(SMALL, x);
        float d = (most < 0 ? -most : most) / 127, inv = d != 0 ? 1 / d : 0;
        put_half(dst, d);
        for (int i = 0; i < SMALL; i++) {
            float q = x[i] * inv;
            dst[2 + i] = (unsigned char)(int8_t)(q < 0 ? -(int)(0.5f - q) : (int)(q + 0.5f));
        }
    }
}

/* Levels from 0 on: low halves of 16 bytes, high ones, and the fifth bits where there is room for them. */
static void put_levels(const int *q, unsigned char *bits, unsigned char *low)
{
    for (int i = 0; i < 16; i++) low[i] = (unsigned char)((q[i] & 15) | (q[i + 16] & 15) << 4);
    for (int i = 0; bits && i < 4; i++) bits[i] = 0;
    for (int i = 0; bits && i < SMALL; i++) bits[i / 8] |= (unsigned char)(q[i] >> 4 << i % 8);
}

static inline void encode_symmetric(const unsigned char *f32, int half, unsigned char *d_at, unsigned char *bits,
                                    unsigned char *low)
{
    float x[SMALL], lowest = (float)-half, highest = (float)(half - 1);
    int q[SMALL];
    get_floats(f32, x, SMALL);
    float d = half_of(fit_symmetric(SMALL, x, lowest, highest)), inv = inverse(d);
    for (int i = 0; i < SMALL; i++) q[i] = (int)level(x[i] * inv, lowest, highest) + half;
    put_half(d_at, d);
    put_levels(q, bits, low);
}

static inline void encode_affine(const unsigned char *f32, int high, unsigned char *d_at, unsigned char *bits,
                                 unsigned char *low)
{
    float x[SMALL];
    int q[SMALL];
    get_floats(f32, x, SMALL);
    affine a = fit_affine(SMALL, x, (float)high, false);
    float d = half_of(a.d), m = half_of(a.m), inv = inverse(d);
    for (int i = 0; i < SMALL; i++) q[i] = (int)level((x[i] - m) * inv, 0, (float)high);
    put_half(d_at, d);
    put_half(d_at + 2, m);
    put_levels(q, bits, low);
}

void limn_encode_q4_0(const unsigned char *f32, size_t n, unsigned char *dst)
{
    for (; n; n--, f32 += SMALL * sizeof(float), dst += 18) encode_symmetric(f32, 8, dst, NULL, dst + 2);
}

void limn_encode_q5_0(const unsigned char *f32, size_t n, unsigned char *dst)
{
    for (; n; n--, f32 += SMALL * sizeof(float), dst += 22) encode_symmetric(f32, 16, dst, dst + 2, dst + 6);
}

void limn_encode_q4_1(const unsigned char *f32, size_t n, unsigned char *dst)
{
    for (; n; n--, f32 += SMALL * sizeof(float), dst += 20) encode_affine(f32, 15, dst, NULL, dst + 4);
}

void limn_encode_q5_1(const unsigned char *f32, size_t n, unsigned char *dst)
{
    for (; n; n--, f32 += SMALL * sizeof(float), dst += 24) encode_affine(f32, 31, dst, dst + 4, dst + 8);
}

enum { HALVES = 512 }; /* from -128 on */

/* The level nearest to each half: middles between neighbours are whole halves. */
static void make_nearest(unsigned char nearest[HALVES])
{
    for (int i = 0, q = 0; i < HALVES; i++) {
        while (q < 15 && i - HALVES / 2 >= limn_iq4_nl_levels[q] + limn_iq4_nl_levels[q + 1]) q++;
        nearest[i] = (unsigned char)q;
    }
}

static inline int nearest_iq4(const unsigned char *nearest, float x)
{
    float half = 2 * x + HALVES / 2;
    return nearest[half < 0 ? 0 : half >= HALVES ? HALVES - 1 : (int)half];
}

static float gain_iq4(const unsigned char *nearest, const float *x, float inv, float *d)
{
    float xq = 0, qq = 0;
    for (int i = 0; i < SMALL; i++) {
        float q = (float)limn_iq4_nl_levels[nearest_iq4(nearest, x[i] * inv)];
        xq += x[i] * q, qq += q * q;
    }
    *d = xq / qq;
    return xq * xq / qq;
}

static float fit_iq4(const unsigned char *nearest, const float *x)
{
    float inv = inverse(largest(SMALL, x)), best = 0, d = 0, gain, other;
    for (int k = -TRIED; k <= TRIED && inv != 0; k++)
        for (int end = 0; end < 2; end++) {
            gain = gain_iq4(nearest, x, (float)(end ? 113 + 2 * k : -127 + 2 * k) * inv, &other);
            if (gain > best) best = gain, d = other;
        }
    for (int k = 0; k < ROUNDS && d != 0; k++) {
        gain = gain_iq4(nearest, x, inverse(d), &other);
        if (gain > best) best = gain, d = other;
    }
    return d;
}

void limn_encode_iq4_nl(const unsigned char *f32, size_t n, unsigned char *dst)
{
    unsigned char nearest[HALVES];
    make_nearest(nearest);
    for (; n; n--, f32 += SMALL * sizeof(float), dst += 18) {
        float x[SMALL];
        int q[SMALL];
        get_floats(f32, x, SMALL);
        float d = half_of(fit_iq4(nearest, x)), inv = inverse(d);
        for (int i = 0; i < SMALL; i++) q[i] = nearest_iq4(nearest, x[i] * inv);
        put_half(dst, d);
        put_levels(q, NULL, dst + 2);
    }
}

/* ---- blocks of 256 in groups: x = d s q - m t ------------------------------------------------------------------------- */

typedef struct groups {
    int n, size;                       /* groups, numbers of one */
    float low, high;                   /* of levels */
    float scale_low, scale_high;       /* of s; of t, 0 .. scale_high */
    bool affine;                       /* else m = 0 */
    float d, m;                        /* as f16 has them */
    float s[MOST_GROUPS], t[MOST_GROUPS];
} groups;

static inline float error_of(const groups *g, const float *x, float ds, float mt)
{
    float inv = inverse(ds), error = 0;
#pragma omp simd reduction(+ : error)
    for (int i = 0; i < g->size; i++) {
        float off = x[i] + mt - ds * level((x[i] + mt) * inv, g->low, g->high);
        error += off * off;
    }
    return error;
}

/* Of the neighbours of s and t those with the least error. */
static void choose(groups *g, const float *x, int j, float s, float t)
{
    float best = 3e38f;
    for (int a = -1; a <= 1; a++)
        for (int b = g->affine ? -1 : 0; b <= (g->affine ? 1 : 0); b++) {
            float sa = level(s + (float)a, g->scale_low, g->scale_high), tb = level(t + (float)b, 0, g->scale_high);
            float error = error_of(g, x, g->d * sa, g->m * tb);
            if (error < best) best = error, g->s[j] = sa, g->t[j] = tb;
        }
}

/* d and m of least squares for all levels as they are. */
static void refit(groups *g, const float *x)
{
    float uu = 0, ut = 0, tt = 0, xu = 0, xt = 0;
    for (int j = 0; j < g->n; j++) {
        float s = g->s[j], t = g->t[j], mt = g->m * t, inv = inverse(g->d * s), q2 = 0, q1 = 0, xq = 0, sx = 0;
        const float *y = x + j * g->size;
#pragma omp simd reduction(+ : q2, q1, xq, sx)
        for (int i = 0; i < g->size; i++) {
            float q = level((y[i] + mt) * inv, g->low, g->high);
            q2 += q * q, q1 += q, xq += q * y[i], sx += y[i];
        }
        uu += s * s * q2, ut += s * t * q1, tt += t * t * (float)g->size, xu += s * xq, xt += t * sx;
    }
    float det = uu * tt - ut * ut, d = g->d, m = g->m;
    if (g->affine && det > 1e-6f * uu * tt) d = (xu * tt - xt * ut) / det, m = (ut * xu - uu * xt) / det;
    else if (uu > 0) d = (xu + m * ut) / uu;
    if (!g->affine || (d > 0 && m >= 0)) g->d = half_of(d), g->m = half_of(m);
}

/* s of the largest d is the lowest, which goes one further; but where one of the other sign is as large, both must fit. */
static float divisor(const groups *g, float up, float down)
{
    float most = up > down ? up : down, other = up > down ? down : up;
    bool both = -g->scale_low * other > (g->scale_high + 0.5f) * most;
    return up > down ? (both ? g->scale_high : g->scale_low) : (both ? -g->scale_high : -g->scale_low);
}

static void fit_groups(groups *g, const float *x)
{
    float d[MOST_GROUPS], m[MOST_GROUPS] = {0}, up = 0, down = 0, most_m = 0;
    for (int j = 0; j < g->n; j++) {
        const float *y = x + j * g->size;
        if (g->affine) {
            affine a = fit_affine(g->size, y, g->high, true);
            d[j] = a.d, m[j] = -a.m;
        } else d[j] = fit_symmetric(g->size, y, g->low, g->high);
        up = d[j] > up ? d[j] : up, down = -d[j] > down ? -d[j] : down;
        most_m = m[j] > most_m ? m[j] : most_m;
    }
    g->d = half_of((up > down ? up : down) / (g->affine ? g->scale_high : divisor(g, up, down)));
    g->m = half_of(most_m / g->scale_high);
    float inv_d = inverse(g->d), inv_m = inverse(g->m);
    for (int j = 0; j < g->n; j++) choose(g, x + j * g->size, j, d[j] * inv_d, m[j] * inv_m);
    for (int k = 1; k < ROUNDS; k++) {
        refit(g, x);
        for (int j = 0; j < g->n; j++) choose(g, x + j * g->size, j, g->s[j], g->t[j]);
    }
}

/* Levels from 0 on. */
static void levels_of(const groups *g, const float *x, int *q)
{
    for (int i = 0; i < LARGE; i++) {
        int j = i / g->size;
        q[i] = (int)(level((x[i] + g->m * g->t[j]) * inverse(g->d * g->s[j]), g->low, g->high) - g->low);
    }
}

static void encode_groups(groups *g, const unsigned char *f32, int *q)
{
    float x[LARGE];
    get_floats(f32, x, LARGE);
    fit_groups(g, x);
    levels_of(g, x, q);
}

static void put_two_bits(const int *q, unsigned char *to)
{
    memset(to, 0, 64);
    for (int i = 0; i < LARGE; i++) to[32 * (i / 128) + i % 32] |= (unsigned char)((q[i] & 3) << i % 128 / 32 * 2);
}

void limn_encode_q2_k(const unsigned char *f32, size_t n, unsigned char *dst)
{
    for (; n; n--, f32 += LARGE * sizeof(float), dst += 84) {
        groups g = {.n = 16, .size = 16, .high = 3, .scale_high = 15, .affine = true};
        int q[LARGE];
        encode_groups(&g, f32, q);
        for (int j = 0; j < 16; j++) dst[j] = (unsigned char)((int)g.s[j] | (int)g.t[j] << 4);
        put_two_bits(q, dst + 16);
        put_half(dst + 80, g.d);
        put_half(dst + 82, g.m);
    }
}

void limn_encode_q3_k(const unsigned char *f32, size_t n, unsigned char *dst)
{
    for (; n; n--, f32 += LARGE * sizeof(float), dst += 110) {
        groups g = {.n = 16, .size = 16, .low = -4, .high = 3, .scale_low = -32, .scale_high = 31};
        int q[LARGE];
        encode_groups(&g, f32, q);
        memset(dst, 0, 32);
        for (int i = 0; i < LARGE; i++) dst[i % 32] |= (unsigned char)(q[i] >> 2 << i / 32);
        put_two_bits(q, dst + 32);
        memset(dst + 96, 0, 12);
        for (int j = 0; j < 16; j++) {
            int s = (int)g.s[j] + 32;
            dst[96 + j % 8] |= (unsigned char)((s & 15) << (j < 8 ? 0 : 4));
            dst[104 + j % 4] |= (unsigned char)(s >> 4 << 2 * (j / 4));
        }
        put_half(dst + 108, g.d);
    }
}

/* Scales and minima of 8 groups, six bits each. */
static void put_scales_q4(const groups *g, unsigned char *to)
{
    for (int j = 0; j < 4; j++) {
        int s = (int)g->s[j], t = (int)g->t[j], s4 = (int)g->s[j + 4], t4 = (int)g->t[j + 4];
        to[j] = (unsigned char)(s | s4 >> 4 << 6), to[j + 4] = (unsigned char)(t | t4 >> 4 << 6);
        to[j + 8] = (unsigned char)((s4 & 15) | (t4 & 15) << 4);
    }
}

static void encode_nibbles(const unsigned char *f32, float high, unsigned char *head, unsigned char *bits, unsigned char *to)
{
    groups g = {.n = 8, .size = 32, .high = high, .scale_high = 63, .affine = true};
    int q[LARGE];
    encode_groups(&g, f32, q);
    put_half(head, g.d);
    put_half(head + 2, g.m);
    put_scales_q4(&g, head + 4);
    for (int i = 0; i < 128; i++) {
        const int *from = q + 64 * (i / 32) + i % 32;
        to[i] = (unsigned char)((from[0] & 15) | (from[32] & 15) << 4);
    }
    if (bits) memset(bits, 0, 32);
    for (int i = 0; bits && i < LARGE; i++) bits[i % 32] |= (unsigned char)(q[i] >> 4 << i / 32);
}

void limn_encode_q4_k(const unsigned char *f32, size_t n, unsigned char *dst)
{
    for (; n; n--, f32 += LARGE * sizeof(float), dst += 144) encode_nibbles(f32, 15, dst, NULL, dst + 16);
}

void limn_encode_q5_k(const unsigned char *f32, size_t n, unsigned char *dst)
{
    for (; n; n--, f32 += LARGE * sizeof(float), dst += 176) encode_nibbles(f32, 31, dst, dst + 16, dst + 48);
}

void limn_encode_q6_k(const unsigned char *f32, size_t n, unsigned char *dst)
{
    for (; n; n--, f32 += LARGE * sizeof(float), dst += 210) {
        groups g = {.n = 16, .size = 16, .low = -32, .high = 31, .scale_low = -128, .scale_high = 127};
        int q[LARGE];
        encode_groups(&g, f32, q);
        memset(dst, 0, 192);
        for (int i = 0; i < LARGE; i++) {
            int half = i / 128, quarter = i % 128 / 32;
            dst[64 * half + i % 64] |= (unsigned char)((q[i] & 15) << 4 * (quarter / 2));
            dst[128 + 32 * half + i % 32] |= (unsigned char)(q[i] >> 4 << 2 * quarter);
        }
        for (int j = 0; j < 16; j++) dst[192 + j] = (unsigned char)(int8_t)g.s[j];
        put_half(dst + 208, g.d);
    }
}
