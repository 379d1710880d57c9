/* strips.h: an autoencoder's coder in strips of rows, where there is no memory for the whole, with the moments of the whole
 * picture in every group norm: what it makes of the whole, but for rounding.
 *
 * A network says where it may be cut (limn_strip_stage()): one tensor leads on, and what follows looks at rows nearby and at
 * moments of group norms only.  A decoder runs whole up to the first stage that is kept; then from stage to stage, each kept
 * as a whole, in strips that overlap by as many rows as convolutions reach.  An encoder goes the other way: in strips from
 * the picture on, whole from the last stage that is kept.  A segment with norms inside runs once for each of them, in order,
 * to gather its moments, and once for its result.  Fewer stages kept take less memory and more time. */
#ifndef LIMN_NET_STRIPS_H
#define LIMN_NET_STRIPS_H

#include "net/net.h"

enum { LIMN_STRIP_SEGMENTS = 48 };

/* The decision: which stages are kept, and how many rows of the latent a strip has. */
typedef struct limn_strips {
    int n;                                 /* segments; 0: the whole at once */
    struct limn_strip_segment {
        int begin, end;                    /* stages; end = the number of stages: what comes out */
        int norms;                         /* inside, whose moments are gathered */
        int rows, halo, count, grid;       /* of a strip, of it beyond each end; strips; they begin at multiples of it */
    } segment[LIMN_STRIP_SEGMENTS];
    size_t bytes;                          /* at most at a time, weights not counted */
} limn_strips;

/** How a coder of this shape (of a batch of 1) runs in `limit` bytes.  @return LIMN_NO_MEMORY: not at all;
 *  LIMN_UNSUPPORTED: the network has no stages */
limn_status limn_strips_decide(limn_ctx *ctx, limn_net *net, const limn_net_shape *whole, size_t limit, limn_strips *out);
/** Its weights into the store. */
limn_status limn_strips_load(limn_ctx *ctx, limn_net *net, const limn_net_shape *whole, const limn_strips *s);
/** As limn_job_code(). */
limn_status limn_strips_run(limn_ctx *ctx, limn_net *net, const limn_net_shape *whole, const limn_strips *s,
                            const float *from, float *to, float *log_variance);

#endif
