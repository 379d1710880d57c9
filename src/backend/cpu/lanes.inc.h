/* lanes.inc.h: what every file of inner loops shares: 16 virtual lanes, sums in their one order, e^x, storing.
 * Included by rows.inc.h and attention_bf16.inc.h, compiled per instruction set. */
#include "backend/cpu/rows.h"

#include <string.h>
#ifdef __AVX2__
#include <immintrin.h>
#endif

typedef float lanes __attribute__((vector_size(64)));
typedef float loose __attribute__((vector_size(64), aligned(4)));
enum { W = 16 };

static inline lanes get(const float *p)
{
    return *(const loose *)p;
}

static inline void put(float *p, lanes x)
{
    *(loose *)p = x;
}

static inline lanes all(float x)
{
    return (lanes){x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x};
}

static inline float sum_lanes(lanes x)
{
    float s[W];
    put(s, x);
    for (int half = 8; half; half /= 2)
        for (int i = 0; i < half; i++) s[i] += s[i + half];
    return s[0];
}

/* ---- e^x: 2^n (1 + r + ...), r in [-ln2/2, ln2/2], Cephes-style polynomial, about 2 ulp -----------------------------
 * The bounds make 2^n itself 0 (below -87.7: a denormal would be flushed anyway) and infinity (above 88.376; f32 ends at
 * 88.72). */

static inline float exp_inside(float x)
{
    float shifted = x * 1.44269504f + 12582912.0f, n = shifted - 12582912.0f;
    float r = x - n * 0.693359375f - n * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    union { float f; int32_t i; } power, bits = {.f = shifted};
    power.i = (int32_t)((uint32_t)(bits.i - 0x4b400000 + 127) << 23);
    return p * power.f;
}

static inline float exp1(float x)
{
    return exp_inside(x < -88.0f ? -88.0f : x > 89.0f ? 89.0f : x); /* NaN passes through: both comparisons are false */
}

/* The same for x <= 0 or NaN, with one comparison */
static inline float exp_below(float x)
{
    return exp_inside(-88.0f > x ? -88.0f : x);
}

/* To bf16, the nearest, ties to even; NaN stays NaN */
static inline void store_bf16(uint16_t *to, const float *from, int64_t n)
{
    int64_t i = 0;
#ifdef __AVX512BF16__
    for (; i + W <= n; i += W) {
        __m256bh half = _mm512_cvtneps_pbh(_mm512_loadu_ps(from + i));
        memcpy(to + i, &half, sizeof half);
    }
#endif
    for (; i < n; i++) {
        union { float f; uint32_t u; } v = {.f = from[i]};
        uint32_t rounded = (v.u + 0x7fffu + (v.u >> 16 & 1u)) >> 16, nan = v.u >> 16 | 0x40u;
        to[i] = (uint16_t)((v.u & 0x7fffffffu) > 0x7f800000u ? nan : rounded);
    }
}

static inline void store(void *to, limn_dtype dtype, const float *from, int64_t n)
{
    if (dtype == LIMN_F32) memcpy(to, from, (size_t)n * sizeof *from);
    else if (dtype == LIMN_BF16) store_bf16(to, from, n);
    else limn_convert(from, LIMN_F32, to, dtype, (size_t)n);
}

/* Sum of f(i) in 16 lanes, the tail by lane: one order for every instruction set.  Where registers are shorter, `vector` is
 * of PART lanes: gcc 12 would keep a sum of 16 in memory. */
#if !defined(ROWS_VECTOR) || ROWS_VECTOR == 64
#define get_part get
#define LANE_SUM(result, vector, scalar) do { \
    lanes sum_ = all(0); \
    int64_t i = 0; \
    for (; i + W <= n; i += W) sum_ += (vector); \
    result = sum_lanes(sum_); \
    for (; i < n; i++) result += (scalar); \
} while (0)
#else
typedef float part __attribute__((vector_size(ROWS_VECTOR)));
typedef float loose_part __attribute__((vector_size(ROWS_VECTOR), aligned(4)));
enum { PART = ROWS_VECTOR / 4, PARTS = W / PART };

static inline part get_part(const float *p)
{
    return *(const loose_part *)p;
}

#define EACH_PART(...) \
    _Pragma("GCC unroll 4") \
    for (int p_ = 0; p_ < PARTS; p_++) { __VA_ARGS__; }
#define LANE_SUM(result, vector, scalar) do { \
    part sum_[PARTS] = {{0}}; \
    lanes all_; \
    int64_t i = 0, end_ = n / W * W; \
    while (i < end_) EACH_PART(sum_[p_] += (vector); i += PART) \
    EACH_PART(*(loose_part *)((float *)&all_ + p_ * PART) = sum_[p_]) \
    result = sum_lanes(all_); \
    for (; i < n; i++) result += (scalar); \
} while (0)
#endif

static inline float total(const float *x, int64_t n)
{
    float s;
    LANE_SUM(s, get_part(x + i), x[i]);
    return s;
}
