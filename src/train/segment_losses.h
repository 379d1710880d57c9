/* segment_losses.h: what a segmentation network is taught, as graph.   B batch, H W pixels, K classes, N = B H W. */
#ifndef LIMN_SEGMENT_LOSSES_H
#define LIMN_SEGMENT_LOSSES_H

#include "limn/segment.h"
#include "limn/graph.h"
#include "limn/train.h"

const char *limn_segment_kind_name(limn_segment_kind kind);
/** LIMN_OK, or LIMN_BAD_ARGUMENT with what is out of range. */
limn_status limn_segment_loss_check(limn_ctx *ctx, const limn_segment_loss *loss);

typedef struct limn_segment_inputs {
    limn_node *target; /* INDEX [N], BINARY with K > 1: [N K]: see limn_segment_targets() */
    limn_node *weight; /* [K + 1, 1] WIDE: of each class, 0 for what is ignored; NULL with Dice alone */
    limn_node *onehot; /* [K + 1, K] WIDE, its last row 0; NULL without Dice */
} limn_segment_inputs;

/**
 * The mean of what `loss` says over the pixels that are not ignored, weighted: sum w l / sum w, as PyTorch takes it; 0 where
 * all are ignored. A class without a pixel in truth and prediction (or where all are ignored) has a Dice of smooth / smooth,
 * that is a loss of 0.
 *
 * @param logits  [B,H,W,K]
 * @return rank 0, WIDE; fills *in
 */
limn_node *limn_loss_segment(limn_graph *g, const limn_segment_loss *loss, limn_node *logits, limn_segment_inputs *in);
/** Give the constant inputs (weight, onehot) their values; once per plan. */
limn_status limn_segment_constants(limn_run *run, const limn_segment_loss *loss, const limn_segment_inputs *in);
/** Classes of n pixels (0 .. K-1, LIMN_IGNORED) as the loss takes them.  @param out  [n], or [n K] for BINARY with K > 1 */
void limn_segment_targets(const limn_segment_loss *loss, size_t n, const uint8_t *labels, int32_t *out);

#endif
