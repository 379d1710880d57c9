/* generate.h: pictures from words. */
#ifndef LIMN_GENERATE_H
#define LIMN_GENERATE_H

#include "file/image.h"
#include "model/model.h"

typedef struct limn_pipeline limn_pipeline;

typedef struct limn_generate_options {
    const char *prompt, *negative; /* NULL: "" */
    int n;                         /* pictures */
    int steps;                     /* 1..1000 */
    double guidance;               /* Ho & Salimans 2022: 1 none */
    uint64_t seed;                 /* picture i uses numbers of (seed, i): the same alone and in a batch */
    limn_precision precision;
} limn_generate_options;

/** Open a folder with model.safetensors (and merges.txt.gz), as `limn train` writes it.
 *  @return LIMN_OK: free with limn_pipeline_free(); LIMN_NOT_FOUND; LIMN_BAD_FILE */
limn_status limn_pipeline_open(limn_ctx *ctx, const char *folder, limn_pipeline **out);
void limn_pipeline_free(limn_pipeline *p); /* NULL is allowed */
const limn_settings *limn_pipeline_settings(const limn_pipeline *p);
/** images [n]: the caller's, each freed with limn_image_free().  On failure none is left. */
limn_status limn_generate(limn_pipeline *p, const limn_generate_options *options, limn_image *images);

#endif
