/* cpu.c: the kernels of the CPU backend, by op, and what they share. */
#include "backend/cpu/kernels.h"

#include <string.h>

const char *limn_cpu_refuse_types(const limn_call *call)
{
    bool fine = call->dst.dtype == LIMN_F32 || call->dst.dtype == LIMN_BF16;
    for (int i = 0; i < call->n_src; i++) {
        limn_dtype d = call->src[i].dtype;
        fine = fine && (d == LIMN_F32 || d == LIMN_BF16 || d == LIMN_I32 || limn_op_keeps(call->op, i) >> d & 1);
    }
    return fine ? NULL : "takes f32 and bf16 only, and weights of products as files have them";
}

void limn_cpu_convert(const void *src, limn_dtype from, void *dst, limn_dtype to, int64_t n, int n_threads)
{
    enum { PART = 16384 };
#pragma omp parallel for schedule(static) num_threads(n_threads)
    for (int64_t at = 0; at < n; at += PART) {
        const char *a = (const char *)src + limn_dtype_size(from, (size_t)at);
        limn_convert(a, from, (char *)dst + (size_t)at * limn_dtype_bytes(to), to, (size_t)(n - at < PART ? n - at : PART));
    }
}

const float *limn_cpu_floats(const limn_rows *rows, const limn_view *v, int64_t begin, int64_t n, float *buffer)
{
    if (v->dtype == LIMN_F32) return (const float *)v->data + begin;
    rows->load(buffer, (const char *)v->data + (size_t)begin * limn_dtype_bytes(v->dtype), v->dtype, n);
    return buffer;
}

void limn_cpu_find_pixels(const limn_view *x, limn_spot at, int64_t side, const void *outside, const void **pixel)
{
    const int64_t *d = x->shape.dim;
    int64_t bytes = d[3] * (int64_t)limn_dtype_bytes(x->dtype);
    for (int64_t row = at.row; row < at.row + side; row++) {
        bool inside = row >= 0 && row < d[1];
        for (int64_t col = at.col; col < at.col + side; col++)
            *pixel++ = inside && col >= 0 && col < d[2]
                           ? (const char *)x->data + ((at.b * d[1] + row) * d[2] + col) * bytes
                           : (const char *)outside;
    }
}

const float *limn_cpu_bias(const limn_call *c, int64_t columns, int64_t width, float *room)
{
    if (!(c->attr->flags & LIMN_HAS_BIAS)) return NULL;
    limn_rows_of(c)->load(room, c->src[2].data, c->src[2].dtype, columns);
    memset(room + columns, 0, (size_t)(width - columns) * sizeof *room);
    return room;
}

void limn_cpu_finish_pixels(const limn_call *c, int64_t side, limn_spot at, int64_t col, int64_t width, float *pixels)
{
    const limn_rows *rows = limn_rows_of(c);
    const int64_t *y = c->dst.shape.dim;
    const limn_view *residual = c->attr->flags & LIMN_HAS_RESIDUAL ? &c->src[c->n_src - 1] : NULL;
    struct limn_chain_step act = {.op = LIMN_OP_ACTIVATE, .activation = c->attr->activation};
    int64_t n = limn_least(y[3] - col, width), down = limn_least(y[1] - at.row, side),
            across = limn_least(y[2] - at.col, side);
    int64_t first = ((at.b * y[1] + at.row) * y[2] + at.col) * y[3] + col;
    float part[LIMN_PANEL];
    for (int64_t i = 0; residual && i < down; i++)
        for (int64_t j = 0; j < across; j++)
            rows->add(pixels + (side * i + j) * width,
                      limn_cpu_floats(rows, residual, first + (i * y[2] + j) * y[3], n, part), n);
    if (c->attr->activation) rows->step(&act, pixels, pixels, NULL, side * side * width);
    for (int64_t i = 0; i < down; i++)
        for (int64_t j = 0; j < across; j++)
            rows->store((char *)c->dst.data + (size_t)(first + (i * y[2] + j) * y[3]) * limn_dtype_bytes(c->dst.dtype),
                        c->dst.dtype, pixels + (side * i + j) * width, n);
}

enum { MOST_KERNELS = 6 }; /* of an op */

/* Best first: a plan takes the first that does not refuse.  Behind the last, and alone where there is no row, stands the
 * reference. */
static const limn_kernel *const kernels[LIMN_N_OPS][MOST_KERNELS + 1] = {
    [LIMN_OP_FILL] = {&limn_cpu_elementwise},
    [LIMN_OP_PERMUTE] = {&limn_cpu_permute},
    [LIMN_OP_SLICE] = {&limn_cpu_blocks},
    [LIMN_OP_PAD] = {&limn_cpu_blocks},
    [LIMN_OP_CONCAT] = {&limn_cpu_blocks},
    [LIMN_OP_EXPAND] = {&limn_cpu_elementwise},
    [LIMN_OP_SUM_TO] = {&limn_cpu_sum_to},
    [LIMN_OP_CAST] = {&limn_cpu_elementwise},

    [LIMN_OP_ADD] = {&limn_cpu_elementwise},
    [LIMN_OP_SUB] = {&limn_cpu_elementwise},
    [LIMN_OP_MUL] = {&limn_cpu_elementwise},
    [LIMN_OP_DIV] = {&limn_cpu_elementwise},
    [LIMN_OP_AFFINE] = {&limn_cpu_elementwise},
    [LIMN_OP_ACTIVATE] = {&limn_cpu_elementwise},
    [LIMN_OP_ACTIVATE_GRAD] = {&limn_cpu_elementwise},
    [LIMN_OP_EXP] = {&limn_cpu_elementwise},
    [LIMN_OP_LOG] = {&limn_cpu_elementwise},
    [LIMN_OP_SQRT] = {&limn_cpu_elementwise},
    [LIMN_OP_SQUARE] = {&limn_cpu_elementwise},
    [LIMN_OP_CLAMP] = {&limn_cpu_elementwise},
    [LIMN_OP_CLAMP_GRAD] = {&limn_cpu_elementwise},
    [LIMN_OP_CHAIN] = {&limn_cpu_elementwise},

    [LIMN_OP_LINEAR] = {&limn_cpu_tiles, &limn_cpu_linear},
    [LIMN_OP_LINEAR_GRAD_INPUT] = {&limn_cpu_tiles, &limn_cpu_linear_grad_input},
    [LIMN_OP_LINEAR_GRAD_WEIGHT] = {&limn_cpu_tiles_grad_weight, &limn_cpu_linear_grad_weight},
    [LIMN_OP_LAYER_NORM] = {&limn_cpu_norm},
    [LIMN_OP_LAYER_NORM_GRAD] = {&limn_cpu_norm_grad},
    [LIMN_OP_LAYER_NORM_GRAD_WEIGHT] = {&limn_cpu_norm_grad_weight},
    [LIMN_OP_RMS_NORM] = {&limn_cpu_norm},
    [LIMN_OP_RMS_NORM_GRAD] = {&limn_cpu_norm_grad},
    [LIMN_OP_RMS_NORM_GRAD_WEIGHT] = {&limn_cpu_norm_grad_weight},
    [LIMN_OP_SOFTMAX] = {&limn_cpu_softmax_narrow, &limn_cpu_softmax},
    [LIMN_OP_SOFTMAX_GRAD] = {&limn_cpu_softmax_grad},
    [LIMN_OP_CROSS_ENTROPY] = {&limn_cpu_entropy},
    [LIMN_OP_CROSS_ENTROPY_GRAD] = {&limn_cpu_entropy_grad},
    [LIMN_OP_ATTENTION] = {&limn_cpu_attention_amx, &limn_cpu_attention_pairs, &limn_cpu_attention},
    [LIMN_OP_ATTENTION_GRAD] = {&limn_cpu_attention_grad_amx, &limn_cpu_attention_grad_pairs, &limn_cpu_attention_grad},
    [LIMN_OP_ATTENTION_GRAD_BIAS] = {&limn_cpu_attention_grad_bias},
    [LIMN_OP_GATHER] = {&limn_cpu_gather},
    [LIMN_OP_GATHER_GRAD] = {&limn_cpu_gather_grad},
    [LIMN_OP_ROTATE] = {&limn_cpu_rotate},

    [LIMN_OP_CONV] = {&limn_cpu_conv_amx, &limn_cpu_conv_winograd_int16, &limn_cpu_conv_winograd,
                      &limn_cpu_conv_enlarged_int16, &limn_cpu_conv_enlarged, &limn_cpu_conv_tiles},
    [LIMN_OP_CONV_TRANSPOSE] = {&limn_cpu_conv_amx, &limn_cpu_conv_winograd_int16, &limn_cpu_conv_winograd,
                                &limn_cpu_conv_tiles},
    [LIMN_OP_CONV_GRAD_WEIGHT] = {&limn_cpu_conv_amx_weight, &limn_cpu_conv_winograd_weight_int16,
                                  &limn_cpu_conv_winograd_weight, &limn_cpu_conv_tiles_weight},
    [LIMN_OP_MAX_POOL] = {&limn_cpu_max_pool},
    [LIMN_OP_MAX_POOL_GRAD] = {&limn_cpu_max_pool_grad},
    [LIMN_OP_AVERAGE_POOL] = {&limn_cpu_average_pool},
    [LIMN_OP_AVERAGE_POOL_GRAD] = {&limn_cpu_average_pool_grad},
    [LIMN_OP_RESIZE] = {&limn_cpu_resize},
    [LIMN_OP_RESIZE_GRAD] = {&limn_cpu_resize_grad},
    [LIMN_OP_MOMENTS] = {&limn_cpu_moments},
    [LIMN_OP_GROUP_NORM] = {&limn_cpu_group_norm},
    [LIMN_OP_GROUP_NORM_GRAD_SUMS] = {&limn_cpu_group_norm_grad_sums},
    [LIMN_OP_GROUP_NORM_GRAD] = {&limn_cpu_group_norm_grad},
};

const limn_kernel *limn_cpu_kernel(limn_op op, int i)
{
    int n = 0;
    while (n < i && kernels[op][n]) n++;
    return kernels[op][n] ? kernels[op][n] : limn_ref_kernel(op, i - n);
}
