/* blocks.c: see blocks.h.  d, m: f16 in front of or behind a block's numbers.  Products of a scale, a scale of the scale and
 * a number have at most 24 bits: they are exact, and their order plays no part. */
#include "tensor/blocks.h"

#include "tensor/tensor.h"

#include <string.h>

static float half_at(const unsigned char *p) { return limn_f16_to_f32((uint16_t)(p[0] | p[1] << 8)); }

static void put_floats(unsigned char *to, const float *x, int n) { memcpy(to, x, (size_t)n * sizeof *x); }

/* ---- floats of 8 bits (Micikevicius et al. 2022) ---------------------------------------------------------------------- */

/* 1 sign, 4 exponent (bias 7), 3 mantissa bits; no infinity, all ones is NaN. */
static float e4m3(unsigned char b)
{
    int exponent = b >> 3 & 15, mantissa = b & 7;
    union {
        uint32_t u;
        float f;
    } v = {.u = (uint32_t)(exponent + 120) << 23 | (uint32_t)mantissa << 20};
    float x = (b & 0x7f) == 0x7f ? __builtin_nanf("") : exponent ? v.f : (float)mantissa * 0x1p-9f;
    return b & 0x80 ? -x : x;
}

void limn_decode_f8_e4m3(const unsigned char *src, size_t n, unsigned char *f32)
{
    for (size_t i = 0; i < n; i++) put_floats(f32 + 4 * i, &(float){e4m3(src[i])}, 1);
}

/* The upper byte of an f16. */
void limn_decode_f8_e5m2(const unsigned char *src, size_t n, unsigned char *f32)
{
    for (size_t i = 0; i < n; i++) put_floats(f32 + 4 * i, &(float){limn_f16_to_f32((uint16_t)(src[i] << 8))}, 1);
}

double limn_get_f8_e4m3(const void *p) { return e4m3(*(const unsigned char *)p); }

double limn_get_f8_e5m2(const void *p) { return limn_f16_to_f32((uint16_t)(*(const unsigned char *)p << 8)); }

/* ---- blocks of 32: byte j holds number j in its low, number j + 16 in its high half ----------------------------------- */

enum { SMALL = 32 };

/* x = d q */
void limn_decode_q8_0(const unsigned char *src, size_t n, unsigned char *f32)
{
    for (; n; n--, src += 34, f32 += SMALL * sizeof(float)) {
        float x[SMALL], d = half_at(src);
        for (int i = 0; i < SMALL; i++) x[i] = d * (float)(int8_t)src[2 + i];
        put_floats(f32, x, SMALL);
    }
}

/* x = d (q - 8) */
void limn_decode_q4_0(const unsigned char *src, size_t n, unsigned char *f32)
{
    for (; n; n--, src += 18, f32 += SMALL * sizeof(float)) {
        float x[SMALL], d = half_at(src);
        for (int i = 0; i < 16; i++)
            x[i] = d * (float)((src[2 + i] & 15) - 8), x[i + 16] = d * (float)((src[2 + i] >> 4) - 8);
        put_floats(f32, x, SMALL);
    }
}

/* x = d q + m */
void limn_decode_q4_1(const unsigned char *src, size_t n, unsigned char *f32)
{
    for (; n; n--, src += 20, f32 += SMALL * sizeof(float)) {
        float x[SMALL], d = half_at(src), m = half_at(src + 2);
        for (int i = 0; i < 16; i++) x[i] = d * (float)(src[4 + i] & 15) + m, x[i + 16] = d * (float)(src[4 + i] >> 4) + m;
        put_floats(f32, x, SMALL);
    }
}

/* The fifth bit of number i. */
static int fifth(const unsigned char *bits, int i) { return (bits[i / 8] >> i % 8 & 1) << 4; }

/* x = d (q - 16) */
void limn_decode_q5_0(const unsigned char *src, size_t n, unsigned char *f32)
{
    for (; n; n--, src += 22, f32 += SMALL * sizeof(float)) {
        float x[SMALL], d = half_at(src);
        const unsigned char *bits = src + 2, *q = src + 6;
        for (int i = 0; i < 16; i++)
            x[i] = d * (float)(((q[i] & 15) | fifth(bits, i)) - 16),
            x[i + 16] = d * (float)((q[i] >> 4 | fifth(bits, i + 16)) - 16);
        put_floats(f32, x, SMALL);
    }
}

/* x = d q + m */
void limn_decode_q5_1(const unsigned char *src, size_t n, unsigned char *f32)
{
    for (; n; n--, src += 24, f32 += SMALL * sizeof(float)) {
        float x[SMALL], d = half_at(src), m = half_at(src + 2);
        const unsigned char *bits = src + 4, *q = src + 8;
        for (int i = 0; i < 16; i++)
            x[i] = d * (float)((q[i] & 15) | fifth(bits, i)) + m,
            x[i + 16] = d * (float)(q[i] >> 4 | fifth(bits, i + 16)) + m;
        put_floats(f32, x, SMALL);
    }
}

const int8_t limn_iq4_nl_levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

/* x = d table[q]: more numbers near 0. */
void limn_decode_iq4_nl(const unsigned char *src, size_t n, unsigned char *f32)
{
    const int8_t *table = limn_iq4_nl_levels;
    for (; n; n--, src += 18, f32 += SMALL * sizeof(float)) {
        float x[SMALL], d = half_at(src);
        for (int i = 0; i < 16; i++) x[i] = d * (float)table[src[2 + i] & 15], x[i + 16] = d * (float)table[src[2 + i] >> 4];
        put_floats(f32, x, SMALL);
    }
}

/* ---- blocks of 256, in groups of 16 or 32 with scales of their own ("k-quants") --------------------------------------- */

enum { LARGE = 256 };

/* Two bits each: of each half 32 bytes, shift by shift; x = d s q - m t, a byte t s for 16 numbers. */
void limn_decode_q2_k(const unsigned char *src, size_t n, unsigned char *f32)
{
    for (; n; n--, src += 84, f32 += LARGE * sizeof(float)) {
        float x[LARGE], d = half_at(src + 80), m = half_at(src + 82);
        const unsigned char *scales = src, *q = src + 16;
        for (int i = 0; i < LARGE; i++) {
            int half = i / 128, shift = i % 128 / 32 * 2, s = scales[i / 16];
            x[i] = d * (float)(s & 15) * (float)(q[32 * half + i % 32] >> shift & 3) - m * (float)(s >> 4);
        }
        put_floats(f32, x, LARGE);
    }
}

/* Scale j of 16, six bits less 32: four in a nibble, two in the last four bytes. */
static int scale_q3(const unsigned char *s, int j)
{
    int low = j < 8 ? s[j] & 15 : s[j - 8] >> 4;
    return (low | (s[8 + j % 4] >> 2 * (j / 4) & 3) << 4) - 32;
}

/* Two bits as in q2_k, a third of the mask: not set, 4 less. */
void limn_decode_q3_k(const unsigned char *src, size_t n, unsigned char *f32)
{
    for (; n; n--, src += 110, f32 += LARGE * sizeof(float)) {
        float x[LARGE], d = half_at(src + 108);
        const unsigned char *mask = src, *q = src + 32, *scales = src + 96;
        for (int i = 0; i < LARGE; i++) {
            int half = i / 128, shift = i % 128 / 32 * 2, less = mask[i % 32] >> i / 32 & 1 ? 0 : 4;
            x[i] = d * (float)scale_q3(scales, i / 16) * (float)((q[32 * half + i % 32] >> shift & 3) - less);
        }
        put_floats(f32, x, LARGE);
    }
}

/* Scale and minimum j of 8, six bits each in 12 bytes. */
static void scales_q4(const unsigned char *s, int j, int *scale, int *minimum)
{
    if (j < 4)
        *scale = s[j] & 63, *minimum = s[j + 4] & 63;
    else
        *scale = (s[j + 4] & 15) | s[j - 4] >> 6 << 4, *minimum = s[j + 4] >> 4 | s[j] >> 6 << 4;
}

/* For each 64 numbers 32 bytes: low halves, then high ones; x = d s q - m t for 32 numbers; with `bits`, a fifth bit. */
static void decode_nibbles(float *x, const unsigned char *head, const unsigned char *bits, const unsigned char *q)
{
    float d = half_at(head), m = half_at(head + 2);
    for (int j = 0; j < 8; j++) {
        int s, t;
        scales_q4(head + 4, j, &s, &t);
        float ds = d * (float)s, mt = m * (float)t;
        const unsigned char *from = q + 32 * (j / 2);
        for (int i = 0; i < 32; i++) {
            int number = from[i] >> 4 * (j % 2) & 15, more = bits ? (bits[i] >> j & 1) << 4 : 0;
            x[32 * j + i] = ds * (float)(number | more) - mt;
        }
    }
}

void limn_decode_q4_k(const unsigned char *src, size_t n, unsigned char *f32)
{
    for (; n; n--, src += 144, f32 += LARGE * sizeof(float)) {
        float x[LARGE];
        decode_nibbles(x, src, NULL, src + 16);
        put_floats(f32, x, LARGE);
    }
}

void limn_decode_q5_k(const unsigned char *src, size_t n, unsigned char *f32)
{
    for (; n; n--, src += 176, f32 += LARGE * sizeof(float)) {
        float x[LARGE];
        decode_nibbles(x, src, src + 16, src + 48);
        put_floats(f32, x, LARGE);
    }
}

/* Of each half 64 bytes of four bits and 32 of two more; x = d s (q - 32) for 16 numbers. */
void limn_decode_q6_k(const unsigned char *src, size_t n, unsigned char *f32)
{
    for (; n; n--, src += 210, f32 += LARGE * sizeof(float)) {
        float x[LARGE], d = half_at(src + 208);
        for (int i = 0; i < LARGE; i++) {
            int half = i / 128, quarter = i % 128 / 32;
            int low = src[64 * half + i % 64] >> 4 * (quarter / 2) & 15;
            int high = src[128 + 32 * half + i % 32] >> 2 * quarter & 3;
            x[i] = d * (float)(int8_t)src[192 + i / 16] * (float)((low | high << 4) - 32);
        }
        put_floats(f32, x, LARGE);
    }
}
