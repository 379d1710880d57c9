/* beside.h: parts of a model that no path names, looked for beside a denoiser that lies in a file alone. */
#ifndef LIMN_PIPELINE_BESIDE_H
#define LIMN_PIPELINE_BESIDE_H

#include "pipeline/pipeline.h"

typedef enum limn_beside {
    LIMN_BESIDE_TEXT_ENCODER, LIMN_BESIDE_CLIP_G, LIMN_BESIDE_T5, LIMN_BESIDE_AUTOENCODER
} limn_beside;

/**
 * The one file with such a part, and no denoiser, whose tensors fit: in the folder of `file`, and in the siblings of that
 * folder where people keep such parts: ../text_encoders, ../clip, ../text_encoder; ../vae.
 *
 * @param width  numbers of a token's features that it must make, or channels of the latents
 * @param out    1100 bytes
 * @return LIMN_OK: the log is told which it is; LIMN_NOT_FOUND: none fits; LIMN_BAD_ARGUMENT: several do, which the sentence
 *         names; both say the flag that names one; LIMN_NO_MEMORY
 */
limn_status limn_beside_find(limn_ctx *ctx, const char *file, limn_beside what, int width, char *out);

#endif
