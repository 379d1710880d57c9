/* generate_sizes.h: what a network of Stable Diffusion XL is told about the picture: flags to limn_size_condition. */
#ifndef LIMN_CLI_GENERATE_SIZES_H
#define LIMN_CLI_GENERATE_SIZES_H

#include "cli.h"

/* Flags as they were typed. */
typedef struct generate_size_words {
    const char *original, *crop, *target, *score, *negative_score;
    bool from_picture; /* the text of a picture that is drawn again says some of it */
} generate_size_words;

#define GENERATE_SIZE_FLAGS(words)                                                                                          \
    {NULL, "--original-size", &(words).original, NULL}, {NULL, "--crop-at", &(words).crop, NULL},                           \
        {NULL, "--target-size", &(words).target, NULL}, {NULL, "--aesthetic-score", &(words).score, NULL},                  \
        {NULL, "--negative-aesthetic-score", &(words).negative_score, NULL}

/** Numbers of them, or a message and false. */
bool generate_sizes_read(const generate_size_words *w, limn_size_condition *out);
/** Is the model told what flags say?  What a picture's text says is left out with a warning.  @return LIMN_BAD_ARGUMENT */
limn_status generate_sizes_check(limn_ctx *ctx, const limn_pipeline_info *info, const generate_size_words *w);

#endif
