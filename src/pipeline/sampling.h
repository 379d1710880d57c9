/* sampling.h: the inside of pictures under way: limn_sampling_begin() (limn.h) and limn_generate() have one loop. */
#ifndef LIMN_SAMPLING_H
#define LIMN_SAMPLING_H

#include "pipeline/prompts.h"
#include "pipeline/start.h"

/* Pictures first .. first + n - 1 are under way.  With guidance the batch is doubled: the first half sees the prompt, the
 * second the negative prompt (or no label). */
struct limn_sampling {
    limn_pipeline *p;
    limn_recipe_part *denoiser; /* of p->recipe */
    limn_generate_options o;    /* the caller's pictures and texts only while it begins */
    limn_sampler *sampler;
    bool guided;
    int height, width;          /* of what the network makes: pictures, or latents */
    int channels, out_channels, guided_channels;
    size_t size, out_size;      /* floats of a picture, of an output */
    limn_prompts prompts;       /* n_texts 0: the texts have no chunks */
    limn_start start;
    int n, first;
    int calls, k, repeat;       /* calls of the sampler; the next one, and how often it was made */
    int64_t done, total;        /* calls of the network */
    float *x, *input, *output;  /* [n, size], [n or 2n, size], [n or 2n, out_size] */
};

/** What is wrong with the options for this network; nothing is planned.  @return as limn_generate() */
limn_status limn_sampling_check(const limn_pipeline *p, const limn_generate_options *o);
/** Check the options, plan as many of the pictures together as memory allows, and write what all of them see.
 *  decodes: their pictures will be asked for, not their latents only.  @return as limn_generate() */
limn_status limn_sampling_open(limn_pipeline *p, const limn_generate_options *o, bool decodes, limn_sampling **out);
/** To the starting noise of pictures first ...: each that of seed + number, alone or among others. */
limn_status limn_sampling_restart(limn_sampling *s, int first);
/** What is wrong with a request for pictures of this network, whatever the options.  @return LIMN_UNSUPPORTED */
limn_status limn_sampling_check_pictures(const limn_pipeline *p);

/* ---- what the network sees (conditions.c) ---- */

/** Texts, labels, the small picture, timesteps: the same for every step and picture.  What the parts have already is not
 *  written again. */
limn_status limn_sampling_conditions(limn_sampling *s);
/** What networks that inpaint see, of the pictures under way. */
limn_status limn_sampling_fill_in(limn_sampling *s);
/** Ids of texts[0 .. n_texts), each for as many rows of the part.  name: of the texts, for a warning; NULL: none.
 *  @return LIMN_NO_MEMORY */
limn_status limn_write_texts(limn_ctx *ctx, limn_recipe_part *part, int n_texts, const char *const *texts,
                             const char *const *names);

#endif
