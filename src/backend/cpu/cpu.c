/* cpu.c: the ordered kernel lists of the CPU backend; every list ends with the reference. */
#include "backend/cpu/kernels.h"

const char *limn_cpu_refuse_types(const limn_call *call)
{
    bool fine = call->dst.dtype == LIMN_F32 || call->dst.dtype == LIMN_BF16;
    for (int i = 0; i < call->n_src; i++)
        fine = fine && (call->src[i].dtype == LIMN_F32 || call->src[i].dtype == LIMN_BF16 || call->src[i].dtype == LIMN_I32);
    return fine ? NULL : "takes f32 and bf16 only";
}

void limn_cpu_convert(const void *src, limn_dtype from, void *dst, limn_dtype to, int64_t n, int n_threads)
{
    enum { PART = 16384 };
#pragma omp parallel for schedule(static) num_threads(n_threads)
    for (int64_t at = 0; at < n; at += PART) {
        const char *a = (const char *)src + (size_t)at * limn_dtype_bytes(from);
        limn_convert(a, from, (char *)dst + (size_t)at * limn_dtype_bytes(to), to, (size_t)(n - at < PART ? n - at : PART));
    }
}

const float *limn_cpu_floats(const limn_rows *rows, const limn_view *v, int64_t begin, int64_t n, float *buffer)
{
    if (v->dtype == LIMN_F32) return (const float *)v->data + begin;
    rows->load(buffer, (const char *)v->data + (size_t)begin * limn_dtype_bytes(v->dtype), v->dtype, n);
    return buffer;
}

static const limn_kernel *own_kernel(limn_op op)
{
    switch (op) {
    case LIMN_OP_LINEAR: return &limn_cpu_linear;
    case LIMN_OP_LINEAR_GRAD_INPUT: return &limn_cpu_linear_grad_input;
    case LIMN_OP_LINEAR_GRAD_WEIGHT: return &limn_cpu_linear_grad_weight;
    case LIMN_OP_PERMUTE: return &limn_cpu_permute;
    case LIMN_OP_SLICE: case LIMN_OP_PAD: case LIMN_OP_CONCAT: return &limn_cpu_blocks;
    case LIMN_OP_SUM_TO: return &limn_cpu_sum_to;
    case LIMN_OP_LAYER_NORM: case LIMN_OP_RMS_NORM: return &limn_cpu_norm;
    case LIMN_OP_LAYER_NORM_GRAD: case LIMN_OP_RMS_NORM_GRAD: return &limn_cpu_norm_grad;
    case LIMN_OP_LAYER_NORM_GRAD_WEIGHT: case LIMN_OP_RMS_NORM_GRAD_WEIGHT: return &limn_cpu_norm_grad_weight;
    case LIMN_OP_SOFTMAX: return &limn_cpu_softmax;
    case LIMN_OP_ATTENTION: return &limn_cpu_attention;
    case LIMN_OP_ATTENTION_GRAD: return &limn_cpu_attention_grad;
    case LIMN_OP_ATTENTION_GRAD_BIAS: return &limn_cpu_attention_grad_bias;
    case LIMN_OP_GATHER: return &limn_cpu_gather;
    case LIMN_OP_GATHER_GRAD: return &limn_cpu_gather_grad;
    case LIMN_OP_CROSS_ENTROPY: return &limn_cpu_entropy;
    case LIMN_OP_CROSS_ENTROPY_GRAD: return &limn_cpu_entropy_grad;
    case LIMN_OP_SOFTMAX_GRAD: return &limn_cpu_softmax_grad;
    case LIMN_OP_TIMESTEP_EMBEDDING:
        return NULL; /* small in every network so far: the reference serves */
    case LIMN_OP_CONV: case LIMN_OP_CONV_TRANSPOSE: return &limn_cpu_conv_tiles;
    case LIMN_OP_CONV_GRAD_WEIGHT: return &limn_cpu_conv_tiles_weight;
    case LIMN_OP_MAX_POOL: return &limn_cpu_max_pool;
    case LIMN_OP_MAX_POOL_GRAD: return &limn_cpu_max_pool_grad;
    case LIMN_OP_AVERAGE_POOL: return &limn_cpu_average_pool;
    case LIMN_OP_AVERAGE_POOL_GRAD: return &limn_cpu_average_pool_grad;
    case LIMN_OP_RESIZE: return &limn_cpu_resize;
    case LIMN_OP_RESIZE_GRAD: return &limn_cpu_resize_grad;
    case LIMN_OP_GROUP_NORM: return &limn_cpu_group_norm;
    case LIMN_OP_GROUP_NORM_GRAD: return &limn_cpu_group_norm_grad;
    case LIMN_OP_GROUP_NORM_GRAD_SUMS: return &limn_cpu_group_norm_grad_sums;
    case LIMN_OP_MOMENTS: return &limn_cpu_moments;
    default: return &limn_cpu_elementwise;
    }
}

/* Tried before the kernel above: best_kernel(), then better_kernel(). */
static const limn_kernel *best_kernel(limn_op op)
{
    return op == LIMN_OP_ATTENTION        ? &limn_cpu_attention_amx
           : op == LIMN_OP_ATTENTION_GRAD ? &limn_cpu_attention_grad_amx
                                          : NULL;
}

static const limn_kernel *better_kernel(limn_op op)
{
    switch (op) {
    case LIMN_OP_LINEAR: case LIMN_OP_LINEAR_GRAD_INPUT: return &limn_cpu_tiles;
    case LIMN_OP_LINEAR_GRAD_WEIGHT: return &limn_cpu_tiles_grad_weight;
    case LIMN_OP_CONV: case LIMN_OP_CONV_TRANSPOSE: return &limn_cpu_conv_amx;
    case LIMN_OP_CONV_GRAD_WEIGHT: return &limn_cpu_conv_amx_weight;
    case LIMN_OP_ATTENTION: return &limn_cpu_attention_pairs;
    case LIMN_OP_ATTENTION_GRAD: return &limn_cpu_attention_grad_pairs;
    case LIMN_OP_SOFTMAX: return &limn_cpu_softmax_narrow;
    default: return NULL;
    }
}

const limn_kernel *limn_cpu_kernel(limn_op op, int i)
{
    const limn_kernel *own[] = {best_kernel(op), better_kernel(op), own_kernel(op)};
    for (int k = 0; k < 3; k++)
        if (own[k] && i-- == 0) return own[k];
    return limn_ref_kernel(op, i);
}
