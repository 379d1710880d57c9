/* pipeline.h: the inside of a pipeline: an opened model, and the job of its last call. */
#ifndef LIMN_PIPELINE_H
#define LIMN_PIPELINE_H

#include "denoise/sampler.h"
#include "file/weight_file.h"
#include "net/net.h"
#include "text/clip_bpe.h"

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
    limn_arena *arena;          /* of class_name */
    const char *const *class_name; /* as in training; [n_class_names] */
    int n_class_names;
    limn_autoencoder *vae;      /* NULL: none was given */
    limn_net *net;
    limn_job job;               /* of the last call */
    bool shares;                /* file, tokenizer and autoencoder's files are another pipeline's, which outlives this one */
};

/** The files of the model and its autoencoder are read. */
void limn_pipeline_reads(const limn_pipeline *p, limn_job_files *files);

/** What the sampler library is asked for.  @return LIMN_BAD_ARGUMENT, LIMN_NOT_FOUND naming the option */
limn_status limn_generate_sampler(const limn_pipeline *p, const limn_generate_options *o, limn_sampler_options *out);

#endif
