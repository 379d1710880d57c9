/* generate_output.h: what limn generate writes: progress, files, pictures in the terminal. */
#ifndef LIMN_CLI_GENERATE_OUTPUT_H
#define LIMN_CLI_GENERATE_OUTPUT_H

#include "file/image.h"
#include "file/job_files.h"

typedef struct generate_output {
    const char *pattern;       /* of the file names: "cat.png", "cat-%03d.png" */
    bool grid, show, bare;     /* one file; draw in the terminal; no "parameters" in the PNG */
    bool strip;                /* one file, all pictures side by side; with the ending .apng one after the other */
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

typedef struct generate_progress { double begin; } generate_progress;
/** A bar with rate and time left on stderr; user: generate_progress. */
bool generate_show_progress(void *user, const char *what, int64_t done, int64_t total);
/** Warnings on stderr. */
void generate_tell(void *user, limn_log_level level, const char *text);

#endif
