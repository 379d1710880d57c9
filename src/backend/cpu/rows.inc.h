/* rows.inc.h: the loops of rows.h, compiled per instruction set.  16 virtual lanes everywhere, so that sums have one
 * order. */
#include "backend/cpu/lanes.inc.h"

#include <math.h>
#include <string.h>

/* A register of the instruction set: products use it, sums across lanes use the 16 virtual ones. */
typedef float vec __attribute__((vector_size(ROWS_VECTOR)));
typedef float loose_vec __attribute__((vector_size(ROWS_VECTOR), aligned(4)));
enum { V = ROWS_VECTOR / 4, PANEL = ROWS_PANEL * V }; /* floats: of a register, of a row of a tile */

static inline vec get_vec(const float *p)
{
    return *(const loose_vec *)p;
}

static inline void put_vec(float *p, vec x)
{
    *(loose_vec *)p = x;
}

/* c + a b */
static inline __attribute__((always_inline)) vec add_product(vec c, float a, vec b)
{
#ifdef ROWS_BY_ELEMENT
    __asm__("fmla %0.4s, %1.4s, %2.s[0]" : "+w"(c) : "w"(b), "w"(a)); /* gcc 12 spreads a over a register, and spills sums */
    return c;
#else
    return c + a * b;
#endif
}

/* V elements from number i on: f32, bf16 or f16.  f16 as limn_f16_to_f32(), where the CPU does not do it. */
typedef uint32_t word_vec __attribute__((vector_size(ROWS_VECTOR)));
typedef uint16_t half_vec __attribute__((vector_size(ROWS_VECTOR / 2)));

static inline __attribute__((always_inline)) vec f16_floats(half_vec h)
{
#if defined(__AVX512F__)
    return (vec)_mm512_cvtph_ps((__m256i)h);
#else
    typedef int32_t int_vec __attribute__((vector_size(ROWS_VECTOR)));
    word_vec x = __builtin_convertvector(h, word_vec), exponent = x >> 10 & 31, mantissa = x & 0x3ff;
    word_vec small = (word_vec)(__builtin_convertvector((int_vec)mantissa, vec) * 0x1p-24f);
    word_vec normal = (exponent + 112 + ((word_vec)(exponent == 31) & 112)) << 23 | mantissa << 13;
    word_vec none = (word_vec)(exponent == 0);
    return (vec)((x & 0x8000) << 16 | (small & none) | (normal & ~none));
#endif
}

static inline __attribute__((always_inline)) vec floats_at(const void *from, limn_dtype dtype, int64_t i)
{
    if (dtype == LIMN_F32) return get_vec((const float *)from + i);
    half_vec h;
    memcpy(&h, (const uint16_t *)from + i, sizeof h);
    return dtype == LIMN_BF16 ? (vec)(__builtin_convertvector(h, word_vec) << 16) : f16_floats(h);
}

static inline float sigmoid1(float x)
{
    return 1.0f / (1.0f + exp1(-x));
}

/* Below 0.625 a polynomial in x^2 (Cephes), since 1 - 2 / (e^2x + 1) has no digits left near 0. */
static inline float tanh1(float x)
{
    float z = x * x, far = 1.0f - 2.0f / (exp1(2.0f * x) + 1.0f);
    float p = -5.70498872745e-3f;
    p = p * z + 2.06390887954e-2f;
    p = p * z - 5.37397155531e-2f;
    p = p * z + 1.33314422036e-1f;
    p = p * z - 3.33332819422e-1f;
    return z < 0.390625f ? p * z * x + x : far;
}

/* Abramowitz & Stegun 7.1.26, |error| < 1.5e-7 */
static inline float erf1(float x)
{
    float a = fabsf(x), t = 1.0f / (1.0f + 0.3275911f * a);
    float p = ((((1.061405429f * t - 1.453152027f) * t) + 1.421413741f) * t - 0.284496736f) * t + 0.254829592f;
    return copysignf(1.0f - p * t * exp1(-a * a), x);
}

static inline float activation1(limn_activation kind, float x)
{
    switch (kind) {
    case LIMN_RELU: return x < 0 ? 0 : x; /* NaN is not hidden */
    case LIMN_SILU: return x * sigmoid1(x);
    case LIMN_GELU_TANH:
        return x * sigmoid1(1.5957691216f * (x + 0.044715f * x * x * x)); /* (1 + tanh z) / 2 = sigmoid(2z) */
    case LIMN_GELU_ERF: return 0.5f * x * (1.0f + erf1(x * 0.70710678f));
    case LIMN_GELU_QUICK: return x * sigmoid1(1.702f * x);
    case LIMN_TANH: return tanh1(x);
    default: return x;
    }
}

static inline float slope1(limn_activation kind, float x)
{
    switch (kind) {
    case LIMN_RELU: return x > 0 ? 1.0f : 0.0f;
    case LIMN_SILU: { float s = sigmoid1(x); return s * (1.0f + x * (1.0f - s)); }
    case LIMN_GELU_TANH: {
        float s = sigmoid1(1.5957691216f * (x + 0.044715f * x * x * x));
        return s + x * s * (1.0f - s) * 1.5957691216f * (1.0f + 0.134145f * x * x);
    }
    case LIMN_GELU_ERF: return 0.5f * (1.0f + erf1(x * 0.70710678f)) + x * 0.39894228f * exp1(-0.5f * x * x);
    case LIMN_GELU_QUICK: { float s = sigmoid1(1.702f * x); return s * (1.0f + 1.702f * x * (1.0f - s)); }
    case LIMN_TANH: { float t = tanh1(x); return 1.0f - t * t; }
    default: return 1.0f;
    }
}

/* ---- load ------------------------------------------------------------------------------------------------------------- */

static void load(float *to, const void *from, limn_dtype dtype, int64_t n)
{
    const uint16_t *h = from;
    if (dtype == LIMN_F32) memcpy(to, from, (size_t)n * sizeof *to);
    else if (dtype == LIMN_BF16)
        for (int64_t i = 0; i < n; i++) to[i] = limn_bf16_to_f32(h[i]);
    else if (dtype == LIMN_F16) {
        int64_t i = 0;
        for (; i + V <= n; i += V) put_vec(to + i, floats_at(h, LIMN_F16, i));
        for (; i < n; i++) to[i] = limn_f16_to_f32(h[i]);
    } else
        limn_convert(from, dtype, to, LIMN_F32, (size_t)n);
}

/* ---- elementwise ------------------------------------------------------------------------------------------------------ */

#define EACH(expression) for (int64_t i = 0; i < n; i++) y[i] = (expression)
#define EACH_KIND(function) \
    switch (s->activation) { \
    case LIMN_RELU: EACH(function(LIMN_RELU)); break; \
    case LIMN_SILU: EACH(function(LIMN_SILU)); break; \
    case LIMN_GELU_TANH: EACH(function(LIMN_GELU_TANH)); break; \
    case LIMN_GELU_ERF: EACH(function(LIMN_GELU_ERF)); break; \
    case LIMN_GELU_QUICK: EACH(function(LIMN_GELU_QUICK)); break; \
    default: EACH(function(LIMN_TANH)); break; \
    }
#define FORWARD(kind) activation1(kind, a[i])
#define BACKWARD(kind) b[i] * slope1(kind, a[i])

static void step(const struct limn_chain_step *s, float *y, const float *a, const float *b, int64_t n)
{
    float scale = (float)s->scale, shift = (float)s->shift;
    switch (s->op) {
    case LIMN_OP_ADD: EACH(a[i] + b[i]); break;
    case LIMN_OP_SUB: EACH(a[i] - b[i]); break;
    case LIMN_OP_MUL: EACH(a[i] * b[i]); break;
    case LIMN_OP_DIV: EACH(a[i] / b[i]); break;
    case LIMN_OP_AFFINE: EACH(scale * a[i] + shift); break;
    case LIMN_OP_ACTIVATE: EACH_KIND(FORWARD); break;
    case LIMN_OP_ACTIVATE_GRAD: EACH_KIND(BACKWARD); break;
    case LIMN_OP_EXP: EACH(exp1(a[i])); break;
    case LIMN_OP_LOG: EACH(logf(a[i])); break;
    case LIMN_OP_SQRT: EACH(sqrtf(a[i])); break;
    case LIMN_OP_SQUARE: EACH(a[i] * a[i]); break;
    case LIMN_OP_CLAMP: EACH(a[i] < scale ? scale : a[i] > shift ? shift : a[i]); break;
    case LIMN_OP_CLAMP_GRAD: EACH(a[i] < scale || a[i] > shift ? 0.0f : b[i]); break;
    default: memmove(y, a, (size_t)n * sizeof *y); break;
    }
}

static void add(float *sum, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) sum[i] += x[i];
}

static void gated_residual(float *y, const float *gate, const float *residual, int64_t n)
{
    if (gate) EACH(residual[i] + gate[i] * y[i]);
    else EACH(residual[i] + y[i]);
}

/* ---- norms ------------------------------------------------------------------------------------------------------------ */

static void stats(const float *x, int64_t n, float eps, bool layer, float *mean, float *rstd)
{
    float m = layer ? total(x, n) / (float)n : 0.0f, square;
    LANE_SUM(square, (get_part(x + i) - m) * (get_part(x + i) - m), (x[i] - m) * (x[i] - m));
    *mean = m;
    *rstd = 1.0f / sqrtf(square / (float)n + eps);
}

static void norm(float *y, const float *x, int64_t n, float mean, float rstd, float c, const float *w, const float *b)
{
    if (w && b) EACH((x[i] - mean) * rstd * (c + w[i]) + b[i]);
    else if (w) EACH((x[i] - mean) * rstd * (c + w[i]));
    else EACH((x[i] - mean) * rstd);
}

static void norm_grad(float *dx, const float *x, const float *dy, int64_t n, float mean, float rstd, bool layer, float c,
                      const float *w)
{
    float g[LIMN_BLOCK], mean_g = 0, mean_gn = 0; /* g = dy (c + w), block by block and once more in the second pass */
    for (int64_t begin = 0; begin < n; begin += LIMN_BLOCK) {
        int64_t m = n - begin < LIMN_BLOCK ? n - begin : LIMN_BLOCK;
        const float *xb = x + begin, *db = dy + begin, *wb = w ? w + begin : NULL;
        for (int64_t i = 0; i < m; i++) g[i] = wb ? db[i] * (c + wb[i]) : db[i];
        mean_g += total(g, m);
        for (int64_t i = 0; i < m; i++) g[i] *= (xb[i] - mean) * rstd;
        mean_gn += total(g, m);
    }
    mean_g = layer ? mean_g / (float)n : 0;
    mean_gn /= (float)n;
    for (int64_t i = 0; i < n; i++)
        dx[i] = rstd * ((w ? dy[i] * (c + w[i]) : dy[i]) - mean_g - (x[i] - mean) * rstd * mean_gn);
}

static void norm_grad_weight(float *sum, const float *x, const float *dy, int64_t n, float mean, float rstd)
{
    for (int64_t i = 0; i < n; i++) sum[i] += dy[i] * (x[i] - mean) * rstd;
}

/* ---- norms over pixels ------------------------------------------------------------------------------------------------ */

static inline __attribute__((always_inline)) float number(const bool half, const void *x, int64_t i)
{
    return half ? limn_bf16_to_f32(((const uint16_t *)x)[i]) : ((const float *)x)[i];
}

/* d and z of each i */
#define EACH_PIXEL(body) \
    const float *const mean = c->mean, *const scale = c->scale, *const shift = c->shift; \
    for (int64_t i = 0; i < n; i++) { \
        float d = number(half, x, i) - mean[i], z = d * scale[i] + shift[i]; \
        body \
    }
#define BY_TYPE(f, kind, ...) (dtype == LIMN_BF16 ? f(true, kind, __VA_ARGS__) : f(false, kind, __VA_ARGS__))
#define BY_KIND(f, ...) \
    switch (c->activation) { \
    case LIMN_RELU: BY_TYPE(f, LIMN_RELU, __VA_ARGS__); break; \
    case LIMN_SILU: BY_TYPE(f, LIMN_SILU, __VA_ARGS__); break; \
    case LIMN_GELU_TANH: BY_TYPE(f, LIMN_GELU_TANH, __VA_ARGS__); break; \
    case LIMN_GELU_ERF: BY_TYPE(f, LIMN_GELU_ERF, __VA_ARGS__); break; \
    case LIMN_GELU_QUICK: BY_TYPE(f, LIMN_GELU_QUICK, __VA_ARGS__); break; \
    case LIMN_TANH: BY_TYPE(f, LIMN_TANH, __VA_ARGS__); break; \
    default: BY_TYPE(f, LIMN_IDENTITY, __VA_ARGS__); break; \
    }

static inline __attribute__((always_inline)) void deviations_of(const bool half, float *restrict sum, float *restrict square,
                                                                const void *x, const float *origin, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        float d = number(half, x, i) - origin[i];
        sum[i] += d, square[i] += d * d;
    }
}

static void deviations(float *restrict sum, float *restrict square, const void *x, limn_dtype dtype, const float *origin,
                       int64_t n)
{
    if (dtype == LIMN_BF16) deviations_of(true, sum, square, x, origin, n);
    else deviations_of(false, sum, square, x, origin, n);
}

static inline __attribute__((always_inline)) void norm_of(const bool half, const limn_activation kind, float *restrict y,
                                                          const void *x, const limn_channels *c, int64_t n)
{
    EACH_PIXEL(y[i] = activation1(kind, z);)
}

static void channel_norm(float *restrict y, const void *x, limn_dtype dtype, const limn_channels *c, int64_t n)
{
    BY_KIND(norm_of, y, x, c, n)
}

static inline __attribute__((always_inline)) void sums_of(const bool half, const limn_activation kind, float *restrict along,
                                                          float *restrict sum, const void *x, const void *dy,
                                                          const limn_channels *c, int64_t n)
{
    EACH_PIXEL(float dz = number(half, dy, i) * slope1(kind, z); along[i] += dz * d; sum[i] += dz;)
}

static void channel_sums(float *restrict along, float *restrict sum, const void *x, const void *dy, limn_dtype dtype,
                         const limn_channels *c, int64_t n)
{
    BY_KIND(sums_of, along, sum, x, dy, c, n)
}

static inline __attribute__((always_inline)) void grad_of(const bool half, const limn_activation kind, float *restrict dx,
                                                          const void *x, const void *dy, const limn_channels *c, int64_t n)
{
    const float *const slope = c->slope, *const offset = c->offset;
    EACH_PIXEL(float dz = number(half, dy, i) * slope1(kind, z); dx[i] = dz * scale[i] + (d * slope[i] + offset[i]);)
}

static void channel_grad(float *restrict dx, const void *x, const void *dy, limn_dtype dtype, const limn_channels *c,
                         int64_t n)
{
    BY_KIND(grad_of, dx, x, dy, c, n)
}

/* a > b ? a : b, so b where one is NaN */
static inline vec larger_of(vec a, vec b)
{
#if defined(__AVX512F__)
    return (vec)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined(__AVX2__)
    return (vec)_mm256_max_ps((__m256)a, (__m256)b);
#else
    word_vec is = (word_vec)(a > b);
    return (vec)((is & (word_vec)a) | (~is & (word_vec)b));
#endif
}

static float maximum(const float *x, int64_t n)
{
    float m = x[0], each[V];
    int64_t i = 1;
    if (n >= V) {
        vec most = get_vec(x);
        for (i = V; i + V <= n; i += V) most = larger_of(get_vec(x + i), most);
        put_vec(each, most);
        for (int k = 0; k < V; k++) m = each[k] > m ? each[k] : m;
    }
    for (; i < n; i++) m = x[i] > m ? x[i] : m;
    return m;
}

static void softmax(float *y, const float *x, int64_t n)
{
    float max = maximum(x, n);
    EACH(exp1(x[i] - max));
    float inverse = 1.0f / total(y, n);
    EACH(y[i] * inverse);
}

#include "backend/cpu/attention.inc.h"
#include "backend/cpu/tile.inc.h"
#include "backend/cpu/winograd.inc.h"
#if defined(__AVX2__)
#include "backend/cpu/int16.inc.h"
#define ROWS_INT16 {ROWS_PAIR_ROWS, int16_tile, int16_pairs, int16_row, int16_measure, int16_weight}
#else
#define ROWS_INT16 {0}
#endif
#include "backend/cpu/enlarged.inc.h"

/* The table of an instruction set and its name. */
#define ROWS(label, level)                                                                                                  \
{                                                                                                                           \
    .name = label,                                                                                                          \
    .isa = level,                                                                                                           \
    .vector = V,                                                                                                            \
    .floats = {.rows = LIMN_TILE_ROWS, .width = PANEL, .steps = 1, .multiply = tile, .lay = lay},                           \
    .wide_floats = {.rows = LIMN_TILE_ROWS, .width = ROWS_WIDE * V, .steps = 1, .multiply = wide_tile, .lay = lay},         \
    .pairs = {.rows = ROWS_PAIR_ROWS, .width = 2 * V, .steps = 1, .multiply = pair_tile, .lay = lay_pairs},                 \
    .narrow_pairs = {.rows = 2 * ROWS_PAIR_ROWS, .width = V, .steps = 1, .multiply = narrow_pair_tile, .lay = lay_pairs},   \
    .winograd = {.input = winograd_input, .weight = winograd_weight, .output = winograd_output,                             \
                 .result = winograd_result, .window = winograd_window},                                                     \
    .int16 = ROWS_INT16,                                                                                                    \
    .enlarged = {.fields = enlarged_fields, .pixels = enlarged_pixels},                                                     \
    .load = load,                                                                                                           \
    .store = store,                                                                                                         \
    .step = step,                                                                                                           \
    .stats = stats,                                                                                                         \
    .norm = norm,                                                                                                           \
    .norm_grad = norm_grad,                                                                                                 \
    .norm_grad_weight = norm_grad_weight,                                                                                   \
    .deviations = deviations,                                                                                               \
    .channel_norm = channel_norm,                                                                                           \
    .channel_sums = channel_sums,                                                                                           \
    .channel_grad = channel_grad,                                                                                           \
    .add = add,                                                                                                             \
    .total = total,                                                                                                         \
    .softmax = softmax,                                                                                                     \
    .gated_residual = gated_residual,                                                                                       \
    .attention = attention,                                                                                                 \
    .attention_grad = attention_grad,                                                                                       \
}
