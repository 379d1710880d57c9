/* coder.h: an autoencoder's encoder or decoder over a picture of any size: whole, or in tiles as large as its job was
 * planned for.  A tile is coded alone, its norms and its attention see nothing else; where tiles overlap they fade into each
 * other. */
#ifndef LIMN_NET_CODER_H
#define LIMN_NET_CODER_H

#include "net/net.h"

/* Of a picture, or of a latent. */
typedef struct limn_coder_sides {
    int height, width;
} limn_coder_sides;

/** What a tiling is wrong about.  @return LIMN_BAD_ARGUMENT */
limn_status limn_tiling_check(limn_ctx *ctx, const limn_tiling *tiling);
/** What a job is planned for: pictures of `whole`, whose latents are `factor` times smaller, or tiles of them. */
limn_coder_sides limn_tiling_tile(const limn_tiling *tiling, limn_coder_sides whole, int factor);
/** " in 9 tiles of 256 x 256", or "" where all is one.  out needs 64 bytes.  @return out */
char *limn_tiling_text(const limn_tiling *tiling, limn_coder_sides whole, int factor, char *out);

/**
 * Code a picture.
 *
 * @param job           of LIMN_PART_ENCODER or LIMN_PART_DECODER, of a batch of 1 or as a whole
 * @param latent        its sides
 * @param from          what the network reads: the picture -1..1 or the latent
 * @param to            what it makes
 * @param log_variance  NULL, or beside the mean of an encoder
 * @return as limn_run_execute() and limn_job_output()
 */
limn_status limn_job_code(limn_ctx *ctx, limn_job *job, const limn_tiling *tiling, limn_coder_sides latent,
                          const float *from, float *to, float *log_variance);

#endif
