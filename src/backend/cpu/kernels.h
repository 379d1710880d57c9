/* kernels.h: the CPU kernels, one file per family of ops; cpu.c orders them. */
#ifndef LIMN_CPU_KERNELS_H
#define LIMN_CPU_KERNELS_H

#include "backend/backend.h"
#include "backend/cpu/rows.h"

extern const limn_kernel limn_cpu_linear, limn_cpu_linear_grad_input, limn_cpu_linear_grad_weight;
extern const limn_kernel limn_cpu_tiles, limn_cpu_tiles_grad_weight;
extern const limn_kernel limn_cpu_conv_tiles, limn_cpu_conv_tiles_weight, limn_cpu_conv_amx, limn_cpu_conv_amx_weight,
    limn_cpu_conv_winograd, limn_cpu_conv_winograd_int16, limn_cpu_conv_winograd_weight,
    limn_cpu_conv_winograd_weight_int16, limn_cpu_conv_enlarged, limn_cpu_conv_enlarged_int16;
extern const limn_kernel limn_cpu_elementwise, limn_cpu_sum_to;
extern const limn_kernel limn_cpu_permute, limn_cpu_blocks; /* slice, pad, concat */
extern const limn_kernel limn_cpu_norm, limn_cpu_norm_grad, limn_cpu_norm_grad_weight, limn_cpu_softmax;
extern const limn_kernel limn_cpu_attention, limn_cpu_attention_grad, limn_cpu_attention_grad_bias;
extern const limn_kernel limn_cpu_attention_amx, limn_cpu_attention_grad_amx, limn_cpu_attention_pairs,
    limn_cpu_attention_grad_pairs;
extern const limn_kernel limn_cpu_group_norm, limn_cpu_group_norm_grad, limn_cpu_group_norm_grad_sums, limn_cpu_moments;
extern const limn_kernel limn_cpu_max_pool, limn_cpu_max_pool_grad, limn_cpu_average_pool, limn_cpu_average_pool_grad,
    limn_cpu_resize, limn_cpu_resize_grad;
extern const limn_kernel limn_cpu_entropy, limn_cpu_entropy_grad, limn_cpu_softmax_narrow, limn_cpu_softmax_grad;
extern const limn_kernel limn_cpu_gather, limn_cpu_gather_grad, limn_cpu_rotate;

/** "F64 ..." when a source or the result is not of a type these kernels load. */
const char *limn_cpu_refuse_types(const limn_call *call);
/** limn_convert() of n elements by threads. */
void limn_cpu_convert(const void *src, limn_dtype from, void *dst, limn_dtype to, int64_t n, int n_threads);
/** n floats of v from element `begin` on: where they lie when v is f32, else converted into buffer. */
const float *limn_cpu_floats(const limn_rows *rows, const limn_view *v, int64_t begin, int64_t n, float *buffer);

/** Weight number i, of f32, bf16 or f16. */
static inline float limn_cpu_weight(const limn_view *w, int64_t i)
{
    if (w->dtype == LIMN_F32) return ((const float *)w->data)[i];
    uint16_t h = ((const uint16_t *)w->data)[i];
    return w->dtype == LIMN_BF16 ? limn_bf16_to_f32(h) : limn_f16_to_f32(h);
}

/* Pixel (row, col) of picture b. */
typedef struct limn_spot {
    int64_t b, row, col;
} limn_spot;

/** Where `side` x `side` pixels of x [B,H,W,C], row by row from `at` on, lie: pixel [side^2]; `outside` for those that there
 *  are not. */
void limn_cpu_find_pixels(const limn_view *x, limn_spot at, int64_t side, const void *outside, const void **pixel);
/** The bias of a call's `columns` channels, and zeros up to `width`: in `room` [width].  @return room; NULL: it has none */
const float *limn_cpu_bias(const limn_call *call, int64_t columns, int64_t width, float *room);
/** The end of a convolution: channels col.. of side x side pixels from `at` on, sums [side][side][width] (at most
 *  LIMN_PANEL wide), get the call's residual and activation and go to the result, those that lie in it. */
void limn_cpu_finish_pixels(const limn_call *call, int64_t side, limn_spot at, int64_t col, int64_t width, float *pixels);

#endif
