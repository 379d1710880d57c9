/* pipeline.h: the inside of a pipeline: an opened model, and the plan of its last call. */
#ifndef LIMN_PIPELINE_H
#define LIMN_PIPELINE_H

#include "denoise/sampler.h"
#include "file/weight_file.h"
#include "model/model.h"
#include "text/clip_bpe.h"

/* A network planned for one batch and one number of calls, its weights in the plan. */
typedef struct limn_network {
    limn_graph *g;
    limn_ports ports;
    limn_plan *plan;
    int batch, n_calls, n_threads; /* what it was planned for */
    limn_precision precision;
} limn_network;

struct limn_pipeline {
    limn_ctx *ctx;
    char file[1100], name[128]; /* of the weights; of the model */
    bool folder;                /* the model was opened as one */
    limn_weight_file *st;
    limn_settings settings;
    limn_clip_bpe *bpe;         /* NULL: the network reads no text */
    limn_schedule_options schedule;
    limn_prediction prediction;
    bool makes_latents;         /* pictures come out of vae only: latent / latent_scale + latent_shift */
    double latent_scale, latent_shift;
    bool latent_known;          /* the model's metadata says these two */
    limn_autoencoder *vae;      /* NULL: none was given */
    limn_network network;       /* of the last call; network.plan NULL: none */
};

/** Plan for a batch, unless that is the plan there is.  @param reserve  bytes that the caller will take beside the plan
 *  @return LIMN_NO_MEMORY before anything large is taken; on failure there is no plan */
limn_status limn_network_plan(limn_pipeline *p, int batch, int n_calls, limn_precision precision, size_t reserve);
void limn_network_free(limn_network *n);

/** What the sampler library is asked for.  @return LIMN_BAD_ARGUMENT, LIMN_NOT_FOUND naming the option */
limn_status limn_generate_sampler(const limn_pipeline *p, const limn_generate_options *o, limn_sampler_options *out);

#endif
