/* autoencoder.h: the inside of an autoencoder that was opened: its files, and a network for each of its two parts. */
#ifndef LIMN_AUTOENCODER_H
#define LIMN_AUTOENCODER_H

#include "file/job_files.h"
#include "file/weight_file.h"
#include "net/coder.h"
#include "net/strips.h"

/* The encoder or the decoder. */
typedef struct limn_coder {
    limn_model_part part;
    char file[1100];
    limn_weight_file *st;       /* both may have the same */
    limn_net *net;
    limn_job job;               /* of the last call */
    limn_strips strips;         /* where the whole does not fit; its pictures are of `whole` */
    limn_net_shape whole;
    size_t memory;              /* the limit for which that was decided */
} limn_coder;

struct limn_autoencoder {
    limn_ctx *ctx;
    limn_settings settings;
    char text[LIMN_SETTINGS_BYTES]; /* of the settings */
    int factor;
    limn_coder encoder, decoder;
    limn_tiling tiling;
    bool shares;                /* the files are another's, which outlives this one */
};

/** limn_autoencoder_open().  whole: NULL, or the file `source`, where it is open; it may be closed before *out. */
limn_status limn_autoencoder_open_in(limn_ctx *ctx, const char *source, limn_weight_file *whole, limn_autoencoder **out);
/** The same weights for another thread, which has ctx.  *out is freed before a. */
limn_status limn_autoencoder_share(limn_ctx *ctx, const limn_autoencoder *a, limn_autoencoder **out);

/** Be ready for pictures of this size.  @return LIMN_NO_MEMORY before anything large is taken */
limn_status limn_coder_begin(limn_autoencoder *a, limn_coder *coder, int batch, int height, int width,
                            limn_precision precision);
/** The files of its weights are read. */
void limn_autoencoder_reads(const limn_autoencoder *a, limn_job_files *files);

/** CRC-32 of its files, the encoder's and then the decoder's where they are two, as 8 digits.  out needs 9 bytes.  @return
 *  LIMN_IO */
limn_status limn_autoencoder_checksum(limn_autoencoder *a, char *out);

/** latent [n, h, w, c] of pictures [n, H, W, C] in [-1,1]; H and W are multiples of the factor; and back. */
limn_status limn_encode_values(limn_autoencoder *a, int n, int height, int width, const float *pictures,
                               limn_precision precision, float *latents);
limn_status limn_decode_values(limn_autoencoder *a, int n, int height, int width, const float *latents,
                               limn_precision precision, float *pictures);

#endif
