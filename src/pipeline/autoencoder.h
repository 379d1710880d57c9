/* autoencoder.h: the inside of an autoencoder that was opened: its files, and a plan for each of its two parts. */
#ifndef LIMN_AUTOENCODER_H
#define LIMN_AUTOENCODER_H

#include "file/weight_file.h"
#include "model/model.h"

/* The encoder or the decoder, planned for one size of pictures. */
typedef struct limn_half {
    char file[1100];
    limn_weight_file *st;       /* both halves may have the same */
    limn_graph *g;
    limn_ports ports;
    limn_plan *plan;            /* NULL: none yet */
    int batch, height, width, n_threads;
    limn_precision precision;
} limn_half;

struct limn_autoencoder {
    limn_ctx *ctx;
    limn_settings settings;
    char text[LIMN_SETTINGS_BYTES]; /* of the settings */
    int factor;
    limn_half encoder, decoder;
};

/** Plan a half for pictures of this size, unless that is the plan there is.  @return LIMN_NO_MEMORY before anything large is taken */
limn_status limn_half_plan(limn_autoencoder *a, limn_model_part part, int batch, int height, int width, limn_precision precision);

/** latent [n, h, w, c] of pictures [n, H, W, C] in [-1,1]; H and W are multiples of the factor; and back. */
limn_status limn_encode_values(limn_autoencoder *a, int n, int height, int width, const float *pictures, limn_precision precision, float *latents);
limn_status limn_decode_values(limn_autoencoder *a, int n, int height, int width, const float *latents, limn_precision precision, float *pictures);

#endif
