/* heads.h: from a call of attention or its gradient to its heads, one head of one sample, or a part of its queries, per task
 * (attention.c). */
#ifndef LIMN_HEADS_H
#define LIMN_HEADS_H

#include "backend/cpu/rows.h"

typedef size_t limn_head_bytes(int64_t n_key, int64_t d, bool backward);

/** Scratch of one thread in bytes, whole cache lines: what `bytes` says of one head of the call. */
size_t limn_heads_scratch(const limn_call *call, limn_head_bytes *bytes);

/** head_run for every head of every sample; thread i gets the call's scratch from i * scratch_bytes. */
void limn_heads_run(const limn_call *call, void (*head_run)(const limn_head *head), size_t scratch_bytes);

#endif
