/* generate_preview.h: the picture that is under way, in a file and in the terminal. */
#ifndef LIMN_CLI_GENERATE_PREVIEW_H
#define LIMN_CLI_GENERATE_PREVIEW_H

#include "file/job_files.h"
#include "progress.h"
#include "show.h"

/* Flags as they were typed. */
typedef struct generate_preview_words {
    const char *preview, *path, *interval;
    const char *tiny;  /* a tiny autoencoder ... */
    bool tiny_only;    /* ... for previews only */
} generate_preview_words;

typedef struct generate_preview {
    limn_ctx *ctx;
    const char *path;  /* NULL: none */
    long every;        /* steps */
    long step;
    bool failed;       /* and that was said */
    bool live;         /* in the terminal, too */
    cli_shown shown;
    cli_progress *progress;
    int lines;         /* of progress when it was drawn */
    double drawn;      /* when that was, in seconds */
} generate_preview;

/** Options and what writes the file; or a message and false.  vae: an autoencoder that was given otherwise. */
bool generate_preview_read(const generate_preview_words *w, const char *vae, generate_preview *out,
                           limn_generate_options *o);
/** Before any work: a PNG, in a folder that is there. */
limn_status generate_preview_check(limn_ctx *ctx, generate_preview *preview);
/** The autoencoder that makes the finished pictures; NULL: the model's own. */
const char *generate_preview_decoder(const generate_preview_words *w, const char *vae);
/** There is one that makes the finished pictures; and the one of the previews. */
limn_status generate_preview_coders(limn_pipeline *p, const generate_preview_words *w);
/** --show: pictures under way are drawn in the terminal where it can take them back and they cost little. */
void generate_preview_go_live(generate_preview *preview, const limn_pipeline *p, limn_generate_options *o);
/** Make room for what is finished. */
void generate_preview_leave(generate_preview *preview);
void generate_preview_writes(const generate_preview *preview, limn_job_files *files);

#endif
