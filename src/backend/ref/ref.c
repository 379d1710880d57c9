/* ref.c: the table of reference kernels. */
#include "backend/ref/ref.h"

#define REF(function) {.name = "ref", .run = function}

static const limn_kernel kernels[LIMN_N_OPS] = {
    [LIMN_OP_FILL] = REF(limn_ref_shape),
    [LIMN_OP_PERMUTE] = REF(limn_ref_shape),
    [LIMN_OP_SLICE] = REF(limn_ref_shape),
    [LIMN_OP_PAD] = REF(limn_ref_shape),
    [LIMN_OP_CONCAT] = REF(limn_ref_shape),
    [LIMN_OP_EXPAND] = REF(limn_ref_shape),
    [LIMN_OP_SUM_TO] = REF(limn_ref_shape),
    [LIMN_OP_CAST] = REF(limn_ref_elementwise),
    [LIMN_OP_ADD] = REF(limn_ref_elementwise),
    [LIMN_OP_SUB] = REF(limn_ref_elementwise),
    [LIMN_OP_MUL] = REF(limn_ref_elementwise),
    [LIMN_OP_DIV] = REF(limn_ref_elementwise),
    [LIMN_OP_AFFINE] = REF(limn_ref_elementwise),
    [LIMN_OP_ACTIVATE] = REF(limn_ref_elementwise),
    [LIMN_OP_ACTIVATE_GRAD] = REF(limn_ref_elementwise),
    [LIMN_OP_EXP] = REF(limn_ref_elementwise),
    [LIMN_OP_LOG] = REF(limn_ref_elementwise),
    [LIMN_OP_SQRT] = REF(limn_ref_elementwise),
    [LIMN_OP_SQUARE] = REF(limn_ref_elementwise),
    [LIMN_OP_CLAMP] = REF(limn_ref_elementwise),
    [LIMN_OP_CLAMP_GRAD] = REF(limn_ref_elementwise),
    [LIMN_OP_CHAIN] = REF(limn_ref_elementwise),
    [LIMN_OP_LINEAR] = REF(limn_ref_linear),
    [LIMN_OP_LINEAR_GRAD_INPUT] = REF(limn_ref_linear_grad_input),
    [LIMN_OP_LINEAR_GRAD_WEIGHT] = REF(limn_ref_linear_grad_weight),
    [LIMN_OP_LAYER_NORM] = REF(limn_ref_norm),
    [LIMN_OP_LAYER_NORM_GRAD] = REF(limn_ref_norm_grad),
    [LIMN_OP_LAYER_NORM_GRAD_WEIGHT] = REF(limn_ref_norm_grad_weight),
    [LIMN_OP_RMS_NORM] = REF(limn_ref_norm),
    [LIMN_OP_RMS_NORM_GRAD] = REF(limn_ref_norm_grad),
    [LIMN_OP_RMS_NORM_GRAD_WEIGHT] = REF(limn_ref_norm_grad_weight),
    [LIMN_OP_SOFTMAX] = REF(limn_ref_softmax),
    [LIMN_OP_SOFTMAX_GRAD] = REF(limn_ref_softmax_grad),
    [LIMN_OP_CROSS_ENTROPY] = REF(limn_ref_cross_entropy),
    [LIMN_OP_CROSS_ENTROPY_GRAD] = REF(limn_ref_cross_entropy_grad),
    [LIMN_OP_ATTENTION] = {.name = "ref", .run = limn_ref_attention, .scratch_bytes = limn_ref_attention_scratch},
    [LIMN_OP_ATTENTION_GRAD] = {.name = "ref", .run = limn_ref_attention_grad, .scratch_bytes = limn_ref_attention_scratch},
    [LIMN_OP_GATHER] = REF(limn_ref_gather),
    [LIMN_OP_GATHER_GRAD] = REF(limn_ref_gather_grad),
    [LIMN_OP_TIMESTEP_EMBEDDING] = REF(limn_ref_timestep_embedding),
};

const limn_kernel *limn_ref_kernel(limn_op op, int i)
{
    return i == 0 && kernels[op].run ? &kernels[op] : NULL;
}
