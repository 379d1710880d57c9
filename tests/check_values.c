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
 * u_way is 0 but where something is rounded to bf16 on the way to the result.  R, S and u_way are facts of the op: `terms`,
 * `size` and `rounded` of its row (graph/op).  Where a product rounds its operands to bf16, `wanted` is computed from
 * rounded operands (check_run.c).  NaN and infinities must be the same.
 *
 * A convolution in tiles of 4 x 4 pixels (winograd.inc.h) sums C transformed terms instead of 9 C, which are larger: of
 * independent operands the sum of the squares that meet in element i of a row of the result is
 *
 *     k_i^2 = sum over points f of A'_if^2 |B'_f|^2 |G_f|^2 = 24.54, 6.82, 6.39, 19.60        beside 3 of a direct one,
 *
 * so R is a ninth and S grows by k_0^2 / 3 = 8.2 at the corners of a tile.  Of the weight's
 * gradient k_i^2 = 26.24, 9.75, 21.38 beside 4 of the 16 pixels of a tile.
 *
 * Where integers are multiplied (int16.inc.h) V is rounded to 2^-13 of the largest of up to 128, about 5 deviations, U to
 * 2^-18 of the sum of 128, about 100 deviations: errors of 2^-12.5 and 2^-13.1 (uniform: / sqrt(12)) of a product's size,
 * 2^-12 together, of which five are a bound.  Of the weight's gradient D, of up to 64 tiles, is rounded to 2^-18 of the sum
 * of these, about 50 deviations, or to 2^-15 of the largest: less than U. */
#include "backend/cpu/kernels.h"
#include "check.h"
#include "base/rng.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

limn_domain check_domain(limn_op op, int s)
{
    return limn_op_find(op)->domain[s];
}

/* The case as a node, for the rules of its op's row; its sources are leaves. */
typedef struct case_node {
    limn_node node, src[LIMN_MAX_SRC];
} case_node;

static void case_node_make(case_node *n, const check_case *k)
{
    memset(n, 0, sizeof *n);
    n->node = (limn_node){.op = k->op, .n_src = k->n_src, .attr = k->attr};
    for (int s = 0; s < k->n_src; s++) n->src[s].shape = k->src[s], n->node.src[s] = &n->src[s];
}

/* ---- values --------------------------------------------------------------------------------------------------------- */

/* Denormals come last but for the ends of f32. */
static double special(check_values values, int64_t i)
{
    static const double all[] = {NAN,   INFINITY, -INFINITY, 0.0,   -0.0,  1.0,    -1.5, 88.0, 89.0,
                                 -88.0, -104.0,   1e18,      -1e18, 1e-40, -1e-40, 3e38, -3e38};
    int64_t n = sizeof all / sizeof *all;
    return all[i % (values == VALUES_SPECIAL_NORMAL ? n - 4 : values == VALUES_SPECIAL_SLOPE ? n - 2 : n)];
}

static double away_from_zero(double x)
{
    return x < 0 ? x - 0.25 : x + 0.25;
}

static double one_value(const check_case *k, int s, int64_t i, double x)
{
    int64_t d = limn_shape_cols(&k->src[s]), row = i / d;
    if (check_domain(k->op, s) == LIMN_MOMENTS) return row ? fabs(x) + 0.25 : k->values == VALUES_OFFSET ? 1000 + x : x;
    switch (k->values) {
    case VALUES_SPECIAL: case VALUES_SPECIAL_NORMAL: case VALUES_SPECIAL_SLOPE:
        x = special(k->values, s ? i / 17 : i);
        return s && k->values == VALUES_SPECIAL_SLOPE && isinf(x) ? 2 : x;
    case VALUES_MASKED: return i % d % 3 == 1 ? -INFINITY : x;
    case VALUES_ALL_MASKED: return row % 2 ? -INFINITY : x;
    case VALUES_CONSTANT_ROWS: return s ? x : (double)row + 0.7;
    case VALUES_EQUAL: return s ? x : 0.1;
    case VALUES_FAR_FIRST: return s || row ? x : 3000;
    case VALUES_OFFSET: return s ? x : 1000 + x;
    case VALUES_LARGE: return s ? x : 80 * x;
    case VALUES_HIDDEN_KEYS:
        if (k->src[s].rank != 4) return x;
        return row % 3 == 2 ? -INFINITY : row % 3 == 1 || i % d % 3 == 1 ? -10000 : x;
    case VALUES_NAN_KEY: return s == 1 && i == limn_shape_count(&k->src[1]) / 2 ? NAN : x;
    default: break;
    }
    limn_domain domain = check_domain(k->op, s);
    return domain == LIMN_POSITIVE ? fabs(x) + 0.25 : domain == LIMN_NOT_ZERO ? away_from_zero(x) : x;
}

double *check_make_values(const check_case *k, int s)
{
    int64_t n = limn_shape_count(&k->src[s]);
    double *values = malloc((size_t)n * sizeof *values);
    float *random = malloc((size_t)n * sizeof *random);
    if (!values || !random) abort();
    uint64_t sub = limn_hash_name(k->proves) + (uint64_t)s;
    limn_random_normal(11, LIMN_STREAM_TEST, sub, 0, (size_t)n, random);
    case_node as;
    case_node_make(&as, k);
    limn_domain domain = check_domain(k->op, s);
    uint64_t ids = domain == LIMN_IDS ? (uint64_t)limn_op_find(k->op)->ids(&as.node) : 0;
    for (int64_t i = 0; i < n; i++) {
        /* ids repeat, and some are -1 or n, which are clamped */
        if (domain == LIMN_IDS)
            values[i] = (double)limn_random_below(11, LIMN_STREAM_TEST, sub, (uint64_t)i, ids + 2) - 1;
        else if (domain == LIMN_TIMES) values[i] = (double)(i * 999 % 1000);
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

static int64_t first_outside(const check_result *r, const limn_view *found, const double *rounding)
{
    const limn_op_row *row = limn_op_find(r->k->op);
    case_node as;
    case_node_make(&as, r->k);
    as.node.shape = r->shape;
    limn_node_values n = {.node = &as.node, .y = r->wanted, .from = r->src_dtype[0], .to = r->dst_dtype};
    memcpy(n.src, r->src, sizeof n.src);
    bool wide = r->dst_dtype == LIMN_F64, tiles_of_integers = r->kernel == &limn_cpu_conv_winograd_int16,
         weight_of_integers = r->kernel == &limn_cpu_conv_winograd_weight_int16,
         integers = tiles_of_integers || weight_of_integers || r->kernel == &limn_cpu_conv_enlarged_int16,
         in_tiles = tiles_of_integers || r->kernel == &limn_cpu_conv_winograd,
         weight_in_tiles = weight_of_integers || r->kernel == &limn_cpu_conv_winograd_weight;
    double fewer = in_tiles ? 9 : weight_in_tiles ? 16 : 1, larger = in_tiles ? 24.54 / 3 : weight_in_tiles ? 26.24 / 4 : 1;
    double u = roundoff(wide ? LIMN_F64 : LIMN_F32), u_out = roundoff(r->dst_dtype),
           size = row->size ? larger * row->size(&n) : 0,
           sums = 4 + 2 * sqrt((row->terms ? row->terms(&as.node) : 1) / fewer);
    double floor = wide ? DBL_MIN : FLT_MIN,
           on_the_way = (row->rounded ? row->rounded(&n) : 0) + (integers ? 5 * 0x1p-12 * size : 0);
    for (int64_t i = 0; i < r->n; i++) {
        double y = limn_get(found, i), wanted = r->wanted[i],
               size_here = row->size_at ? row->size_at(&n, i) : fmax(fabs(wanted), size);
        if (!wide) wanted = isfinite(wanted) && fabs(wanted) > FLT_MAX ? copysign(INFINITY, wanted) : wanted;
        if (isnan(wanted) && isnan(y)) continue;
        if (isinf(wanted) && y == wanted) continue;
        /* `!(<=)` also refuses NaN */
        if (!isfinite(wanted) || !(fabs(y - wanted) <= u_out * fabs(wanted) + u * sums * size_here + on_the_way +
                                                           (rounding ? rounding[i] : 0) + floor))
            return i;
    }
    return -1;
}

int64_t check_compare(const check_result *r, const limn_view *found)
{
    double *rounding = r->kernel && r->kernel->rounds_attention ? check_attention_rounding(r) : NULL;
    int64_t i = first_outside(r, found, rounding);
    free(rounding);
    return i;
}
