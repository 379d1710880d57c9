/* ref.h: what the reference kernels share.  They are the definition of each op: plain loops, sums in double. */
#ifndef LIMN_REF_H
#define LIMN_REF_H

#include "backend/backend.h"
#include "backend/line.h"

limn_status limn_ref_shape(const limn_call *call);
size_t limn_ref_sum_to_scratch(const limn_call *call);
limn_status limn_ref_sum_to(const limn_call *call);
limn_status limn_ref_elementwise(const limn_call *call);
limn_status limn_ref_linear(const limn_call *call);
limn_status limn_ref_linear_grad_input(const limn_call *call);
limn_status limn_ref_linear_grad_weight(const limn_call *call);
limn_status limn_ref_norm(const limn_call *call);
limn_status limn_ref_norm_grad(const limn_call *call);
limn_status limn_ref_norm_grad_weight(const limn_call *call);
limn_status limn_ref_softmax(const limn_call *call);
limn_status limn_ref_softmax_grad(const limn_call *call);
limn_status limn_ref_cross_entropy(const limn_call *call);
limn_status limn_ref_cross_entropy_grad(const limn_call *call);
size_t limn_ref_attention_scratch(const limn_call *call);
limn_status limn_ref_attention(const limn_call *call);
limn_status limn_ref_attention_grad(const limn_call *call);
limn_status limn_ref_gather(const limn_call *call);
limn_status limn_ref_gather_grad(const limn_call *call);
limn_status limn_ref_timestep_embedding(const limn_call *call);
limn_status limn_ref_conv(const limn_call *call);
size_t limn_ref_conv_transpose_scratch(const limn_call *call);
limn_status limn_ref_conv_transpose(const limn_call *call);
limn_status limn_ref_conv_grad_weight(const limn_call *call);
limn_status limn_ref_max_pool(const limn_call *call);
limn_status limn_ref_max_pool_grad(const limn_call *call);
limn_status limn_ref_average_pool(const limn_call *call);
limn_status limn_ref_average_pool_grad(const limn_call *call);
limn_status limn_ref_resize(const limn_call *call);
limn_status limn_ref_resize_grad(const limn_call *call);
limn_status limn_ref_group_norm(const limn_call *call);
limn_status limn_ref_group_norm_grad_sums(const limn_call *call);
limn_status limn_ref_group_norm_grad(const limn_call *call);
limn_status limn_ref_moments(const limn_call *call);

/** Element number of src that belongs to element `at` of a result of shape `to` (numpy broadcasting). */
int64_t limn_ref_broadcast_index(int64_t at, const limn_shape *to, const limn_shape *src);
double limn_ref_activation(limn_activation activation, double x);
double limn_ref_activation_slope(limn_activation activation, double x);

#endif
