/* int16.h: what convolutions that multiply 16-bit integers for bf16 share (int16.inc.h).
 *
 * A block of numbers has one scale, with which each of them, and the sum of their sizes, keep to their bits. */
#ifndef LIMN_INT16_H
#define LIMN_INT16_H

#include "backend/cpu/rows.h"

#include <math.h>

/** Why the pictures of a call, of a weight's gradient both, are not for integers; NULL: they are */
static inline const char *limn_int16_refuse(const limn_call *call)
{
    if (call->src[0].dtype != LIMN_BF16) return "the picture is not in bf16";
    if (call->op == LIMN_OP_CONV_GRAD_WEIGHT && call->src[1].dtype != LIMN_BF16) return "the gradient is not in bf16";
    return limn_rows_of(call)->int16.rows ? NULL : "these inner loops have no products of 16-bit integers";
}

/** Are integers the best way of a call, by what it costs with them, with floats and as direct sums? */
static inline bool limn_int16_is_best(const limn_call *call, double integers, double floats, double direct)
{
    return !call->exact && !limn_int16_refuse(call) && integers < direct && integers < floats;
}

/** The cost of a product of integers beside one of floats; of a direct product of the call's type.  VNNI and pairs of bf16
 *  do two in the time of one; VPMADDWD needs an addition beside it. */
static inline double limn_int16_cost(const limn_rows *rows)
{
    return rows->isa >= LIMN_ISA_AVX512BF16 ? 0.5 : 0.6;
}

static inline double limn_direct_cost(const limn_call *call)
{
    return call->src[0].dtype == LIMN_BF16 && limn_rows_of(call)->isa >= LIMN_ISA_AVX512BF16 ? 0.5 : 1;
}

/** The scale of a column of B whose numbers add up to `sum` and are at most `most` in size; NaN where the sum is. */
static inline float limn_int16_scale(float sum, float most)
{
    float by_sum = LIMN_INT16_B / sum, by_most = LIMN_INT16_MOST / most;
    return sum == 0 ? 1 : by_sum > by_most ? by_most : by_sum;
}

/** To the nearest; what is no number of 16 bits becomes any, for its scale is no number then either. */
static inline int16_t limn_int16_of(float x)
{
    return fabsf(x) < LIMN_INT16_MOST + 0.5f ? (int16_t)lrintf(x) : 0;
}

/** What undoes the scales of n columns. */
static inline void limn_int16_columns(float *to, const float *scale, int64_t n)
{
    for (int64_t j = 0; j < n; j++) to[j] = 1 / scale[j];
}

#endif
