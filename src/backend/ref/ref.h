/* ref.h: what the reference kernels share.  They are the definition of each op: plain loops, sums in double. */
#ifndef LIMN_REF_H
#define LIMN_REF_H

#include "backend/backend.h"
#include "backend/line.h"

/* A kernel of one file, without scratch. */
#define REF(function) {.name = "ref", .run = function}

/* One table a family, designated by op; ref.c finds a kernel in them. */
extern const limn_kernel limn_ref_shape[LIMN_N_OPS], limn_ref_elementwise[LIMN_N_OPS], limn_ref_linear[LIMN_N_OPS],
    limn_ref_norm[LIMN_N_OPS], limn_ref_softmax[LIMN_N_OPS], limn_ref_attention[LIMN_N_OPS], limn_ref_table[LIMN_N_OPS],
    limn_ref_conv[LIMN_N_OPS], limn_ref_pool[LIMN_N_OPS], limn_ref_group_norm[LIMN_N_OPS],
    limn_ref_ranks[LIMN_N_OPS];

/** Element number of src that belongs to element `at` of a result of shape `to` (numpy broadcasting). */
int64_t limn_ref_broadcast_index(int64_t at, const limn_shape *to, const limn_shape *src);
double limn_ref_activation(limn_activation activation, double x);
double limn_ref_activation_slope(limn_activation activation, double x);

#endif
