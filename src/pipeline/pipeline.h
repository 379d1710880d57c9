/* pipeline.h: the inside of a pipeline: an opened model, its networks as a recipe, and their jobs of the last call. */
#ifndef LIMN_PIPELINE_H
#define LIMN_PIPELINE_H

#include "denoise/sampler.h"
#include "file/weight_file.h"
#include "pipeline/recipe.h"
#include "weights/lora.h"

enum { LIMN_TEXT_ENCODERS = 3 };

/* What reads the text: the denoiser, or a text encoder. */
typedef struct limn_pipeline_text {
    char file[1100], name[128]; /* of st; of an encoder that is not the model's own, else "" */
    limn_weight_file *st;       /* of a text encoder in a file of its own, else NULL */
    limn_settings settings;
    int32_t pad;                /* id behind a text's end */
    int token, channel;         /* where its features stand in what the denoiser reads */
    limn_lora_network lora;     /* as which files of differences name it */
    bool whole;                 /* it is T5: one row of tokens for each text, no chunks */
} limn_pipeline_text;

struct limn_pipeline {
    limn_ctx *ctx;
    char file[1100], name[128]; /* of the denoiser's weights; of the model */
    char vae_name[128];         /* of an autoencoder that is not the model's own; "": it is */
    bool folder;                /* the model was opened as one */
    char whole_file[1100];      /* where the networks are that no path names, of a model that is no folder */
    limn_weight_file *whole;    /* that file with all of them; NULL once they are opened */
    limn_weight_file *st;
    limn_settings settings;
    limn_pipeline_text text[LIMN_TEXT_ENCODERS]; /* of XL CLIP's and OpenCLIP's, of its refiner that alone;
                                                  * of Stable Diffusion 3 those two and T5's, of which each may lack */
    int n_texts;                /* encoders beside the denoiser: as many parts of the role TEXT, in this order */
    bool zero_negative;         /* without a negative text its features are 0, not those of "" */
    bool published;             /* no metadata of ours: the weights are somebody else's */
    limn_clip_bpe *bpe;         /* of CLIP's encoders; neither it nor unigram: no network reads text */
    limn_unigram *unigram;      /* of T5 */
    int t5_tokens;              /* in front of the others', room for T5's features, also where it is not there */
    bool has_scheduler;         /* scheduler is what FOLDER/scheduler says, and the custom of this model */
    limn_sampler_options scheduler;
    limn_schedule_options schedule;
    limn_prediction prediction;
    bool prediction_known;      /* a file says it, or the network was asked (probe.h) */
    limn_rng rng;               /* taken where options say AUTO; AUTO here too: limn */
    bool makes_latents;         /* pictures come out of vae only: latent / latent_scale + latent_shift */
    double latent_scale, latent_shift;
    bool latent_known;          /* the model's metadata says these two */
    limn_arena *arena;          /* of class_name */
    const char *const *class_name; /* as in training, or as published; [n_class_names] */
    int n_class_names;
    limn_autoencoder *vae;      /* NULL: none was given */
    limn_autoencoder *tiny;     /* of previews; NULL: none was given */
    limn_recipe recipe;
    limn_recipe_part reader;    /* what limn_encode_text() runs; begins with its first call */
    struct limn_loras *loras;   /* what the weights are changed by; of a pipeline that shares: the other's */
    struct limn_embeddings *embeddings; /* words with vectors of their own; of a pipeline that shares: the other's */
    bool shares;                /* files and tokenizer are another pipeline's, which outlives this one */
    bool under_way;             /* a limn_sampling uses the recipe */
};

/** The file of text encoder 0, 1, 2 (of Stable Diffusion 3 CLIP's, OpenCLIP's, T5's), "" where it is the model's own or not
 *  there. */
const char *limn_pipeline_text_name(const limn_pipeline *p, int number);
/** Does a network of it read text? */
bool limn_pipeline_reads_text(const limn_pipeline *p);

/** @return LIMN_BAD_ARGUMENT while a limn_sampling is under way */
limn_status limn_pipeline_check_idle(const limn_pipeline *p);

/** Published text, or class, to picture: starts from pictures are as in diffusers' pipelines, their masks and random numbers
 *  too. */
bool limn_pipeline_follows_diffusers(const limn_pipeline *p);

/** Is a preview nearly for nothing: of pixels, by a projection or a tiny autoencoder? */
bool limn_pipeline_previews_cheaply(const limn_pipeline *p);

/** The files of the model and its autoencoder are read. */
void limn_pipeline_reads(const limn_pipeline *p, limn_job_files *files);

/** File i of the weights of the network that draws, in the order of their names; NULL: there are fewer. */
const char *limn_pipeline_weights(const limn_pipeline *p, int i);

typedef struct limn_picture_sides { int width, height; } limn_picture_sides;
/** Of the pictures of these options: the network's own where they name none. */
limn_picture_sides limn_generate_sides(const limn_pipeline *p, const limn_generate_options *o);
/** @return LIMN_BAD_ARGUMENT: the network cannot make pictures of these sides; the sentence has the nearest side */
limn_status limn_generate_check_sides(const limn_pipeline *p, const limn_generate_options *o);
/** Where its noise comes from: limn, cpu or cuda. */
limn_rng limn_generate_rng(const limn_pipeline *p, const limn_generate_options *o);
/** What the sampler library is asked for.  @return LIMN_BAD_ARGUMENT, LIMN_NOT_FOUND naming the option */
limn_status limn_generate_sampler(const limn_pipeline *p, const limn_generate_options *o, limn_sampler_options *out);

#endif
