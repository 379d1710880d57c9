/* generate_output.h: what limn generate writes: files, pictures in the terminal. */
#ifndef LIMN_CLI_GENERATE_OUTPUT_H
#define LIMN_CLI_GENERATE_OUTPUT_H

#include "file/image.h"
#include "generate_preview.h"
#include "model_hash.h"
#include "pipeline/again.h"

typedef struct generate_output {
    const char *pattern;       /* of the file names: "cat.png", "cat-%03d.png" */
    bool grid, show, bare;     /* one file; draw in the terminal; no "parameters" in the PNG */
    int begin;                 /* number of the first of several */
    bool strip;                /* one file, all pictures side by side; with the ending .apng one after the other */
    model_hash *hash;          /* of the model; NULL: the file does not say it */
    const limn_again *again;   /* the picture that is drawn again, perhaps by another model */
    generate_preview *preview; /* makes room in the terminal */
} generate_output;

/** Before any work: a PNG, in a folder that is there; of n pictures only one goes to stdout. */
limn_status generate_output_check(limn_ctx *ctx, const generate_output *out, int n);
/** The names of the files of n pictures. */
void generate_output_writes(const generate_output *out, int n, limn_job_files *files);
/** A grid of n pictures that could not be written. */
limn_status generate_output_check_grid(limn_ctx *ctx, const limn_pipeline *p, const generate_output *out,
                                       const limn_generate_options *o);
/** Write images[options->n] and print the names of the files on stdout. */
limn_status generate_output_write(limn_ctx *ctx, const generate_output *out, const limn_pipeline *p,
                                  const limn_generate_options *o, const limn_image *images);

#endif
