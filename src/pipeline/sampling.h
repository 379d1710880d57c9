/* sampling.h: the inside of pictures under way: limn_sampling_begin() (limn.h) and limn_generate() have one loop. */
#ifndef LIMN_SAMPLING_H
#define LIMN_SAMPLING_H

#include "pipeline/prompts.h"
#include "pipeline/start.h"

/* When pictures are decoded. */
typedef enum limn_decoding {
    LIMN_DECODES_NEVER,   /* latents are asked for */
    LIMN_DECODES_LAST,    /* after the last step: the decoder has the room of the denoiser's activations */
    LIMN_DECODES_ANY_TIME,
} limn_decoding;

/* Pictures first .. first + n - 1 are under way.  With guidance the batch is doubled: the first half sees the prompt, the
 * second the negative prompt (or no label).  Of networks that edit both see the picture, and a third part, if it counts, the
 * negative prompt and no picture (zeros). */
struct limn_sampling {
    limn_pipeline *p;
    limn_recipe_part *denoiser; /* of p->recipe */
    limn_recipe_part *skips;    /* beside it, with skip-layer guidance; else NULL */
    limn_generate_options o;    /* the caller's pictures and texts only while it begins */
    limn_sampler *sampler;
    int rows_each;              /* of the network for a picture: 1, guided 2, of networks that edit 3 or 2 */
    limn_decoding decodes;
    int height, width;          /* of what the network makes: pictures, or latents */
    int channels, out_channels, guided_channels;
    size_t size, out_size;      /* floats of a picture, of an output */
    limn_prompts prompts[LIMN_TEXT_ENCODERS]; /* n_texts 0: the texts have no chunks */
    limn_start start;
    int n, first;
    int calls, k, repeat;       /* calls of the sampler; the next one, and how often it was made */
    int64_t done, total;        /* calls of the network */
    const char *stage;          /* what progress is told of */
    limn_preview preview;       /* by what, never AUTO */
    float *x, *input, *output;  /* [n, size], [rows_each n, size], [rows_each n, out_size] */
    float *skipped;             /* [n, out_size], of skips; NULL: none */
};

/** What is wrong with the options for this network; nothing is planned.  @return as limn_generate() */
limn_status limn_sampling_check(const limn_pipeline *p, const limn_generate_options *o);
/** Check the options, plan as many of the pictures together as memory allows, and write what all of them see.
 *  @return as limn_generate() */
limn_status limn_sampling_open(limn_pipeline *p, const limn_generate_options *o, limn_decoding decodes, limn_sampling **out);
/** To the starting noise of pictures first ...: each that of seed + number, alone or among others. */
limn_status limn_sampling_restart(limn_sampling *s, int first);
/** What a job that comes later will take for its first picture, said before anything is begun.  @return as
 *  limn_generate() */
limn_status limn_sampling_foresee(limn_pipeline *p, const limn_generate_options *o, limn_decoding decodes,
                                  const char *what);
/** @return LIMN_BAD_ARGUMENT: picture i is not under way */
limn_status limn_sampling_check_number(const limn_sampling *s, int i);
/** The network's numbers of picture i, [size]: x at the end and at the beginning; on the way what the last call says of
 *  x0. */
void limn_sampling_estimate(const limn_sampling *s, int i, float *out);
/** What the decoder of this role makes of a latent of its own numbers.  @return LIMN_BAD_FILE; LIMN_NO_MEMORY */
limn_status limn_sampling_decode(limn_sampling *s, limn_role role, const float *latent, limn_image *out);
/** Does the decoder run when the denoiser has no more to do? */
bool limn_sampling_in_turn(const limn_sampling *s);
/** What is wrong with a request for pictures of this network, whatever the options.  @return LIMN_UNSUPPORTED */
limn_status limn_sampling_check_pictures(const limn_pipeline *p);

/** All steps of all pictures, into images or latents, [n].  On failure some may be made. */
limn_status limn_sampling_run(limn_sampling *s, limn_image *images, limn_latent *latents);

/* ---- what the network sees (conditions.c) ---- */

/** Texts, labels, the small picture, timesteps: the same for every step and picture.  What the parts have already is not
 *  written again. */
limn_status limn_sampling_conditions(limn_sampling *s);
/** What networks that inpaint or edit see, of the pictures under way. */
limn_status limn_sampling_show(limn_sampling *s);
/** Ids of texts[0 .. n_texts), each for as many rows of the part.  name: of the texts, for a warning; NULL: none.
 *  @return LIMN_NO_MEMORY */
limn_status limn_write_texts(limn_ctx *ctx, limn_recipe_part *part, int n_texts, const char *const *texts,
                             const char *const *names);

/* ---- pictures under way (preview.c) ---- */

/** By what a preview of these options is made.  @return LIMN_BAD_ARGUMENT, LIMN_UNSUPPORTED: not by what is asked for */
limn_status limn_preview_find(const limn_pipeline *p, const limn_generate_options *o, limn_preview *out);

#endif
