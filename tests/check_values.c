/* check_values.c: the numbers that cases run on, and how far a result may lie from the reference.
 *
 * The tolerance, in one place.  u is the unit roundoff of the arithmetic (f32: 2^-24), u_out that of the result's storage
 * (f32: 2^-24, bf16: 2^-8), R the length of the op's sums, S the size of what is added up:
 *
 *     |found - wanted|  <=  u_out |wanted|  +  u (4 + 2 sqrt(R)) S  +  u_way  +  2^-126
 *
 * R roundings of a growing sum add up to u sqrt(R / 6) of its size as a standard deviation; 2 is five of them.  4 is for the
 * few roundings of an element (the exponential has 2 ulp).  S has
 * the condition of the op in it: a norm of values far from zero loses |x| / sigma, a softmax the size of its exponents.
 * u_way is 0 but where something is rounded to bf16 on the way to the result.  Where a product rounds its operands to bf16,
 * `wanted` is computed from rounded operands (check_run.c).  NaN and infinities must be the same. */
#include "check.h"
#include "base/rng.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool check_is_index(limn_op op, int s)
{
    return s == 1 && (op == LIMN_OP_GATHER || op == LIMN_OP_GATHER_GRAD || op == LIMN_OP_CROSS_ENTROPY ||
                      op == LIMN_OP_CROSS_ENTROPY_GRAD);
}

bool check_is_moments(limn_op op, int s)
{
    return s == 1 && (op == LIMN_OP_GROUP_NORM || op == LIMN_OP_GROUP_NORM_GRAD || op == LIMN_OP_GROUP_NORM_GRAD_SUMS);
}

/* ---- values --------------------------------------------------------------------------------------------------------- */

/* Denormals come last but for the end of f32: the logarithm of a flushed denormal is no number to compare, and the slope of
 * the tanh form of gelu squares x beyond f32 (as PyTorch's does). */
static double special(limn_op op, int64_t i)
{
    static const double values[] = {NAN,   INFINITY, -INFINITY, 0.0,   -0.0,  1.0,    -1.5, 88.0, 89.0,
                                    -88.0, -104.0,   1e18,      -1e18, 1e-40, -1e-40, 3e38, -3e38};
    int64_t n = sizeof values / sizeof *values;
    return values[i % (op == LIMN_OP_LOG ? n - 4 : op == LIMN_OP_ACTIVATE_GRAD ? n - 2 : n)];
}

static double away_from_zero(double x)
{
    return x < 0 ? x - 0.25 : x + 0.25;
}

static double one_value(const check_case *k, int s, int64_t i, double x)
{
    int64_t d = limn_shape_cols(&k->src[s]), row = i / d;
    if (check_is_moments(k->op, s)) return row ? fabs(x) + 0.25 : k->values == VALUES_OFFSET ? 1000 + x : x;
    switch (k->values) {
    case VALUES_SPECIAL:
        x = special(k->op, s ? i / 17 : i);
        /* infinity times a slope that f32 rounds to 0 is not to be compared */
        return s && k->op == LIMN_OP_ACTIVATE_GRAD && isinf(x) ? 2 : x;
    case VALUES_MASKED: return i % d % 3 == 1 ? -INFINITY : x;
    case VALUES_ALL_MASKED: return row % 2 ? -INFINITY : x;
    case VALUES_CONSTANT_ROWS: return s ? x : (double)row + 0.7;
    case VALUES_EQUAL: return s ? x : 0.1;
    case VALUES_FAR_FIRST: return s || row ? x : 3000;
    case VALUES_OFFSET: return s ? x : 1000 + x;
    case VALUES_LARGE: return s ? x : 80 * x;
    case VALUES_NAN_KEY: return s == 1 && i == limn_shape_count(&k->src[1]) / 2 ? NAN : x;
    default: break;
    }
    if (k->op == LIMN_OP_LOG || k->op == LIMN_OP_SQRT) return fabs(x) + 0.25;
    return k->op == LIMN_OP_DIV && s == 1 ? away_from_zero(x) : x;
}

double *check_make_values(const check_case *k, int s)
{
    int64_t n = limn_shape_count(&k->src[s]);
    double *values = malloc((size_t)n * sizeof *values);
    float *random = malloc((size_t)n * sizeof *random);
    if (!values || !random) abort();
    uint64_t sub = limn_hash_name(k->proves) + (uint64_t)s;
    limn_random_normal(11, LIMN_STREAM_TEST, sub, 0, (size_t)n, random);
    for (int64_t i = 0; i < n; i++) {
        /* indices repeat, and some are -1 or n, which are clamped */
        int64_t classes = k->op == LIMN_OP_GATHER_GRAD ? k->attr.shape.dim[0]
                          : k->op == LIMN_OP_GATHER    ? k->src[0].dim[0]
                                                       : limn_shape_cols(&k->src[0]);
        if (check_is_index(k->op, s))
            values[i] = (double)limn_random_below(11, LIMN_STREAM_TEST, sub, (uint64_t)i, (uint64_t)classes + 2) - 1;
        else if (k->op == LIMN_OP_TIMESTEP_EMBEDDING) values[i] = (double)(i * 999 % 1000);
        else values[i] = one_value(k, s, i, random[i]);
    }
    free(random);
    return values;
}

/* ---- tolerance ------------------------------------------------------------------------------------------------------ */

static double roundoff(limn_dtype dtype)
{
    return dtype == LIMN_BF16 ? 0x1p-8 : dtype == LIMN_F64 ? 0x1p-53 : 0x1p-24;
}

static double largest(const double *x, int64_t n)
{
    double max = 0;
    for (int64_t i = 0; i < n; i++)
        if (isfinite(x[i])) max = fmax(max, fabs(x[i]));
    return max;
}

static double rms(const double *x, int64_t n)
{
    double sum = 0, count = 0;
    for (int64_t i = 0; i < n; i++)
        if (isfinite(x[i])) sum += x[i] * x[i], count++;
    return count ? sqrt(sum / count) : 0;
}

static double largest_of(const check_result *r, int s)
{
    return s < r->k->n_src ? largest(r->src[s], limn_shape_count(&r->k->src[s])) : 0;
}

static double rms_of(const check_result *r, int s)
{
    return s < r->k->n_src ? rms(r->src[s], limn_shape_count(&r->k->src[s])) : 0;
}

/* R */
static double reduction(const check_result *r)
{
    const limn_shape *x = &r->k->src[0];
    double cols = (double)limn_shape_cols(x), rows = (double)limn_shape_rows(x), all = (double)limn_shape_count(x);
    switch (r->k->op) {
    case LIMN_OP_SUM_TO: return all / (double)r->n;
    case LIMN_OP_LINEAR: case LIMN_OP_LINEAR_GRAD_INPUT: case LIMN_OP_LAYER_NORM: case LIMN_OP_RMS_NORM:
    case LIMN_OP_LAYER_NORM_GRAD: case LIMN_OP_RMS_NORM_GRAD: case LIMN_OP_SOFTMAX: case LIMN_OP_SOFTMAX_GRAD:
    case LIMN_OP_CROSS_ENTROPY: case LIMN_OP_CROSS_ENTROPY_GRAD: return cols;
    case LIMN_OP_LINEAR_GRAD_WEIGHT: case LIMN_OP_LAYER_NORM_GRAD_WEIGHT: case LIMN_OP_RMS_NORM_GRAD_WEIGHT: return rows;
    case LIMN_OP_ATTENTION: case LIMN_OP_ATTENTION_GRAD: case LIMN_OP_ATTENTION_GRAD_BIAS: /* tokens + head size */
        return (double)(r->k->src[r->k->attr.packed == LIMN_PACKED_QKV ? 0 : 1].dim[1] +
                        limn_shape_cols(x) / r->k->attr.heads);
    case LIMN_OP_GATHER_GRAD: return (double)limn_shape_count(&r->k->src[1]);
    case LIMN_OP_CONV: case LIMN_OP_CONV_TRANSPOSE: /* terms of a window */
        return (double)limn_shape_count(&r->k->src[1]) / (double)r->k->src[1].dim[r->k->op == LIMN_OP_CONV ? 0 : 1];
    case LIMN_OP_CONV_GRAD_WEIGHT: return (double)limn_shape_rows(&r->k->src[1]);
    case LIMN_OP_MOMENTS: return all / (double)r->n * 2;
    case LIMN_OP_GROUP_NORM_GRAD_SUMS: return rows / (double)x->dim[0];
    case LIMN_OP_RESIZE_GRAD: return all / (double)r->n + 4;
    default: return 1;
    }
}

/* max over rows of |x| / sqrt(var + eps): how much a norm amplifies a rounding of x */
static double norm_condition(const check_result *r)
{
    int64_t d = limn_shape_cols(&r->k->src[0]), n = limn_shape_rows(&r->k->src[0]);
    double worst = 0;
    bool layer =
        r->k->op == LIMN_OP_LAYER_NORM || r->k->op == LIMN_OP_LAYER_NORM_GRAD || r->k->op == LIMN_OP_LAYER_NORM_GRAD_WEIGHT;
    for (int64_t row = 0; row < n; row++) {
        const double *x = r->src[0] + row * d;
        double mean = 0, square = 0;
        for (int64_t i = 0; layer && i < d; i++) mean += x[i] / (double)d;
        for (int64_t i = 0; i < d; i++) square += (x[i] - mean) * (x[i] - mean) / (double)d;
        worst = fmax(worst, largest(x, d) / sqrt(square + r->k->attr.eps));
    }
    return 1 + worst;
}

/* The same of a norm that is given its moments. */
static double group_condition(const check_result *r)
{
    int64_t n = limn_shape_cols(&r->k->src[1]);
    double least = INFINITY;
    for (int64_t i = 0; i < n; i++) least = fmin(least, r->src[1][n + i]);
    return 1 + (largest_of(r, 0) + largest(r->src[1], n)) / sqrt(least + r->k->attr.eps);
}

/* sqrt(R) a b, times the gate, plus the residual */
static double product_size(const check_result *r)
{
    unsigned flags = r->k->op == LIMN_OP_LINEAR || r->k->op == LIMN_OP_CONV ? r->k->attr.flags : 0;
    int gate = flags & LIMN_HAS_BIAS ? 3 : 2;
    double sum = sqrt(reduction(r)) * rms_of(r, 0) * rms_of(r, 1);
    if (flags & LIMN_HAS_GATE) sum *= largest_of(r, gate);
    return flags & LIMN_HAS_RESIDUAL ? sum + largest_of(r, r->k->n_src - 1) : sum;
}

static int n_packed(const check_result *r)
{
    return r->k->attr.packed == LIMN_PACKED_NONE ? 3 : r->k->attr.packed == LIMN_PACKED_KV ? 2 : 1;
}

/* The exponents of an attention */
static double score_size(const check_result *r)
{
    double bias = r->k->attr.flags & LIMN_HAS_BIAS ? largest_of(r, n_packed(r)) : 0;
    return 1 + rms_of(r, 0) * rms_of(r, r->k->attr.packed == LIMN_PACKED_QKV ? 0 : 1) + bias;
}

/* The part of S that is the same for all elements. */
static double common_size(const check_result *r)
{
    double y = rms(r->wanted, r->n), w;
    switch (r->k->op) {
    case LIMN_OP_LAYER_NORM: case LIMN_OP_RMS_NORM:
        w = r->k->n_src > 1 ? fabs(r->k->attr.shift) + largest_of(r, 1) : 1;
        return norm_condition(r) * w + largest_of(r, 2);
    case LIMN_OP_LAYER_NORM_GRAD: case LIMN_OP_RMS_NORM_GRAD: /* n(x) comes in twice */
        return y * norm_condition(r) * norm_condition(r);
    case LIMN_OP_LAYER_NORM_GRAD_WEIGHT:
    case LIMN_OP_RMS_NORM_GRAD_WEIGHT:
        return (y + largest_of(r, 1)) * norm_condition(r);
    case LIMN_OP_SOFTMAX: return y * (1 + largest_of(r, 0));
    case LIMN_OP_CROSS_ENTROPY: return 1 + largest_of(r, 0);
    case LIMN_OP_CROSS_ENTROPY_GRAD: return y * (1 + largest_of(r, 0));
    case LIMN_OP_ATTENTION: return y * score_size(r);
    case LIMN_OP_ATTENTION_GRAD: case LIMN_OP_ATTENTION_GRAD_BIAS: /* p (dout v - dout out) k: the difference cancels */
        w = rms_of(r, r->k->n_src - 1) * (rms_of(r, n_packed(r) - 1) + rms_of(r, r->k->n_src - 2));
        if (r->k->op == LIMN_OP_ATTENTION_GRAD) w *= fmax(rms_of(r, 0), rms_of(r, n_packed(r) > 1 ? 1 : 0));
        else w *= sqrt((double)r->k->src[0].dim[0] / (double)r->shape.dim[0]); /* samples that share the bias */
        return (y + w) * score_size(r);
    case LIMN_OP_LINEAR:
    case LIMN_OP_LINEAR_GRAD_INPUT:
    case LIMN_OP_LINEAR_GRAD_WEIGHT:
    case LIMN_OP_CONV:
    case LIMN_OP_CONV_TRANSPOSE:
    case LIMN_OP_CONV_GRAD_WEIGHT: return product_size(r);
    case LIMN_OP_GROUP_NORM: return group_condition(r) * (r->k->n_src > 2 ? largest_of(r, 2) : 1) + largest_of(r, 3);
    case LIMN_OP_GROUP_NORM_GRAD: return y * group_condition(r) * group_condition(r);
    case LIMN_OP_GROUP_NORM_GRAD_SUMS: return (y + largest_of(r, 2)) * group_condition(r);
    case LIMN_OP_MOMENTS: /* of what is left when the middle is taken away */
        w = largest(r->wanted + r->n / 2, r->n / 2);
        return w + sqrt(w);
    case LIMN_OP_SUM_TO: case LIMN_OP_SOFTMAX_GRAD: case LIMN_OP_GATHER_GRAD: case LIMN_OP_RESIZE_GRAD: return y;
    case LIMN_OP_RESIZE: case LIMN_OP_AVERAGE_POOL: return largest_of(r, 0);
    case LIMN_OP_CHAIN: /* steps before the last one may be as large as their operands' product */
        w = 1;
        for (int s = 0; s < r->k->n_src; s++) w *= 1 + rms_of(r, s);
        return w;
    default: return 0;
    }
}

/* S of element i.  Of an elementwise op: what was rounded on the way, |y| at least. */
static double size_at(const check_result *r, double common, int64_t i)
{
    double y = fabs(r->wanted[i]), a = r->k->n_src ? fabs(r->src[0][i % limn_shape_count(&r->k->src[0])]) : 0;
    switch (r->k->op) {
    case LIMN_OP_AFFINE: return fabs(r->k->attr.scale) * a + fabs(r->k->attr.shift);
    case LIMN_OP_ACTIVATE: return fmax(y, fmin(a, 8)); /* beyond 8 an activation is 0, 1 or x */
    case LIMN_OP_ACTIVATE_GRAD: return fmax(y, fabs(r->src[1][i]) * fmax(1, fmin(a, 8)));
    default: return fmax(y, common);
    }
}

/* u_way.  A fused residual is added to a product that oneDNN stored in bf16 once already.  The weights that meet the same
 * pixel of an enlarged picture are added up, then rounded, also where each was bf16: few weights for many results, which err
 * together (5.4 deviations were seen in 58,000 results), hence six of 2^-9 each.  Attention on bf16: check_attention.c. */
static double rounded_on_the_way(const check_result *r)
{
    unsigned flags = r->k->op == LIMN_OP_LINEAR || r->k->op == LIMN_OP_CONV ? r->k->attr.flags : 0;
    if (flags & LIMN_UPSAMPLED && r->src_dtype[0] == LIMN_BF16) return 0x1.8p-7 * rms(r->wanted, r->n);
    if (r->k->op == LIMN_OP_LINEAR && flags & LIMN_HAS_RESIDUAL && r->dst_dtype == LIMN_BF16)
        return 0x1p-8 * (largest(r->wanted, r->n) + largest_of(r, r->k->n_src - 1));
    return 0;
}

static int64_t first_outside(const check_result *r, const limn_view *found, const double *rounding)
{
    bool wide = r->dst_dtype == LIMN_F64;
    double u = roundoff(wide ? LIMN_F64 : LIMN_F32), u_out = roundoff(r->dst_dtype), common = common_size(r),
           sums = 4 + 2 * sqrt(reduction(r));
    double floor = wide ? DBL_MIN : FLT_MIN, on_the_way = rounded_on_the_way(r);
    for (int64_t i = 0; i < r->n; i++) {
        double y = limn_get(found, i), wanted = r->wanted[i];
        if (!wide) wanted = isfinite(wanted) && fabs(wanted) > FLT_MAX ? copysign(INFINITY, wanted) : wanted;
        if (isnan(wanted) && isnan(y)) continue;
        if (isinf(wanted) && y == wanted) continue;
        /* `!(<=)` also refuses NaN */
        if (!isfinite(wanted) || !(fabs(y - wanted) <= u_out * fabs(wanted) + u * sums * size_at(r, common, i) + on_the_way +
                                                           (rounding ? rounding[i] : 0) + floor))
            return i;
    }
    return -1;
}

int64_t check_compare(const check_result *r, const limn_view *found)
{
    bool in_bf16 = r->kernel && strncmp(r->kernel, "attention", strlen("attention")) == 0 &&
                   (strstr(r->kernel, ".amx") || strstr(r->kernel, ".avx512bf16"));
    double *rounding = in_bf16 ? check_attention_rounding(r) : NULL;
    int64_t i = first_outside(r, found, rounding);
    free(rounding);
    return i;
}
