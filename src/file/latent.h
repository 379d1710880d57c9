/* latent.h: what a folder of latents says about all of them: latents.safetensors in it (limn_latent itself: limn.h). */
#ifndef LIMN_LATENT_H
#define LIMN_LATENT_H

#include "base/base.h"

enum { LIMN_LATENT_CHANNELS = 256 };

typedef struct limn_latents {
    int64_t count;
    int height, width, channels;   /* of each */
    double scale, shift; /* (latent - shift) scale has mean 0 and spread 1 over all of them; a network is trained on that */
    char vae[256], settings[1024]; /* name of the autoencoder's file or folder, never where it lay; its settings */
    char vae_crc[16];              /* CRC-32 of its files, hexadecimal; "": not known */
    double n, sum[LIMN_LATENT_CHANNELS], square[LIMN_LATENT_CHANNELS]; /* while it is measured */
} limn_latents;

/** Whether the autoencoder that made the latent in a file is one of these settings.  @return LIMN_OK, also where the file
 *  does not say; LIMN_BAD_ARGUMENT: it was another one; what reading says */
limn_status limn_latent_check_maker(limn_ctx *ctx, const char *path, const char *settings);

/** Count one more, of at most LIMN_LATENT_CHANNELS channels. */
void limn_latents_add(limn_latents *s, const limn_latent *l);
/** After the last one: work out scale and shift. */
void limn_latents_finish(limn_latents *s);
/** FOLDER/latents.safetensors: tensors "mean" and "std" [channels], metadata limn.latent.{count,scale,shape,shift},
 *  limn.vae, limn.vae.settings and limn.vae.crc32. */
limn_status limn_latents_write(limn_ctx *ctx, const char *path, const limn_latents *s);
/** @return LIMN_OK: all but what was measured; LIMN_NOT_FOUND; LIMN_BAD_FILE naming the metadata that is wrong */
limn_status limn_latents_read(limn_ctx *ctx, const char *path, limn_latents *out);

#endif
