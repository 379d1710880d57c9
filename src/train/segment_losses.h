/* segment_losses.h: what a segmentation network is taught, as graph.   B batch, H W pixels, K classes, N = B H W. */
#ifndef LIMN_SEGMENT_LOSSES_H
#define LIMN_SEGMENT_LOSSES_H

#include "file/labels.h"
#include "limn/graph.h"

typedef enum limn_segment_kind {
    LIMN_SEGMENT_CROSS_ENTROPY, /* -log p[target] */
    LIMN_SEGMENT_BINARY,        /* the same, each logit by itself a yes or no: log(1 + exp(x)) - x t */
    LIMN_SEGMENT_DICE, /* 1 - mean over classes of (2 sum p t + smooth) / (sum p + sum t + smooth)   Milletari et al. 2016 */
    LIMN_SEGMENT_DICE_CE, /* their sum   Isensee et al. 2021 */
    LIMN_SEGMENT_FOCAL,   /* -(1 - p[target])^gamma log p[target]   Lin et al. 2017 */
    LIMN_N_SEGMENT_KINDS,
} limn_segment_kind;

/* classes = 1 stands for a network with one logit x per pixel: the two classes "not" and "yes" with logits 0 and x,
 * sigmoid(x) = p[yes]. */
typedef struct limn_segment_loss {
    limn_segment_kind kind;
    int classes;          /* channels of the logits, 1..LIMN_MAX_CLASSES */
    const double *weight; /* of each class (two where classes = 1, and in BINARY: no and yes) in cross entropy and FOCAL;
                             NULL: 1.  Dice takes none */
    int n_weights;        /* how many they are */
    double gamma;         /* FOCAL: 2 */
    double smooth;        /* Dice: 1 */
    bool background;      /* Dice counts class 0 as well */
    bool per_sample;      /* Dice of each picture, then their mean; else sums go over the batch */
    double dice, entropy; /* DICE_CE: weights of the terms: 1, 1 */
} limn_segment_loss;

/** CROSS_ENTROPY with every number above as it stands there. */
limn_segment_loss limn_segment_loss_defaults(int classes);
/** "ce", "bce", "dice", "dice-ce", "focal"; false and *out unchanged for other names. */
bool limn_segment_kind_find(const char *name, limn_segment_kind *out);
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
