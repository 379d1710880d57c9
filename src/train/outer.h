/* outer.h: ranks that go steps of their own and meet seldom, for networks between machines that are slow (DiLoCo: Douillard
 * et al. 2023, "DiLoCo: Distributed Low-Communication Training of Language Models").
 *
 * After some inner steps, by AdamW on what each rank sees, an outer one by all: with w of the rank now and w0 of the last
 * outer step
 *
 *     d = mean over ranks of (w0 - w),   m = 0.9 m + d,   w = w0 = w0 - 0.7 (d + 0.9 m)
 *
 * (Nesterov's momentum as torch.optim.SGD has it; rate and momentum are the paper's).  The moments of AdamW stay each rank's
 * own; the moving average becomes the mean of all. */
#ifndef LIMN_OUTER_H
#define LIMN_OUTER_H

#include "comm/tree.h"

typedef struct limn_outer {
    float *from, *momentum; /* w0, m: as the weights; NULL: there are no outer steps */
    limn_tree_sums sums;
} limn_outer;

/** m is 0, w0 is not set.  @return LIMN_NO_MEMORY; free with limn_outer_free() in any case */
limn_status limn_outer_new(limn_comm *comm, size_t n, bool in_bf16, limn_outer *out);
void limn_outer_free(limn_outer *outer);

/** On every rank.  @param value, ema  [n], changed; @param room  [n], overwritten */
limn_status limn_outer_step(limn_outer *outer, size_t n, float *value, float *ema, float *room);

#endif
