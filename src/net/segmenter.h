/* segmenter.h: a segmentation network over pictures of any size: in tiles that overlap, blended. */
#ifndef LIMN_SEGMENTER_H
#define LIMN_SEGMENTER_H

#include "net/net.h"

typedef struct limn_segmenter limn_segmenter;

typedef struct limn_segmenter_options {
    int batch;                  /* tiles at once; 0: 1 */
    int overlap; /* pixels two neighbours share at least, less than a tile's result has a side; 0: a quarter of it */
    int views; /* of each tile, averaged: 1 (0 too); 2: and mirrored, left and right; 4: all flips; 8: and turned (4 where it
                  is not square) */
    limn_precision precision;
} limn_segmenter_options;

/** Plan a network, whose settings `size` and `height` are those of a tile; weights are read by the first run.
 *  @return LIMN_OK: free with limn_segmenter_free(), which lets the net go; LIMN_BAD_ARGUMENT; LIMN_NO_MEMORY; on failure
 *  net is the caller's */
limn_status limn_segmenter_new(limn_ctx *ctx, limn_net *net, const limn_segmenter_options *options, limn_segmenter **out);
void limn_segmenter_free(limn_segmenter *s); /* NULL is allowed */
/** Read the weights now. */
limn_status limn_segmenter_begin(limn_ctx *ctx, limn_segmenter *s);
/** The net's numbers changed (limn_net_refresh()). */
limn_status limn_segmenter_refresh(limn_ctx *ctx, limn_segmenter *s);
int limn_segmenter_channels(const limn_segmenter *s);
/** Classes of the result: 2 where the network has one logit. */
int limn_segmenter_classes(const limn_segmenter *s);
/** Bytes it needs, weights too. */
size_t limn_segmenter_bytes(const limn_segmenter *s);

/**
 * Probabilities of every pixel: softmax of the logits (one logit x: sigmoid(x) is the second class), averaged where tiles
 * overlap with weights that fall towards their borders.  What lies outside of the picture is its mirror image, so all sizes
 * from 1 x 1 on work.  Tiles begin where the poolings do (multiples of 2^(levels - 1)), so that a pixel far from borders has
 * the value it has in one large tile.
 *
 * @param image   [height, width, C] in 0..1
 * @param out     [height, width, K]
 * @return LIMN_OK; LIMN_NO_MEMORY; LIMN_CANCELLED by the progress callback ("tile"); what limn_finite_check() says of the
 * logits
 */
limn_status limn_segmenter_run(limn_ctx *ctx, limn_segmenter *s, int width, int height, const float *image, float *out);
/** The class of the largest probability (the first of equals).  out [n] */
void limn_segmenter_classify(size_t n, int classes, const float *probability, uint8_t *out);

#endif
