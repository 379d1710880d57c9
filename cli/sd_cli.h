/* sd_cli.h: what stable-diffusion.cpp's program has otherwise, or what is none of ours; docs/sd-cli.md has all its flags. */
#ifndef LIMN_CLI_SD_CLI_H
#define LIMN_CLI_SD_CLI_H

#include "cli.h"

/* Flags as they were typed. */
typedef struct sd_cli_words {
    const char *mode, *sampler_rng, *hires_scale, *hires_upscaler;
    const char *no_matter; /* the value of what changes nothing */
    bool hires, nothing;   /* nothing: a switch that changes nothing */
} sd_cli_words;

/** They say nothing that is not so here.  hires: the factor that --hires had, and has now.  @return false after a message */
bool sd_cli_take(const sd_cli_words *w, const char *rng, const char **hires);

enum { SD_CLI_NO_MATTER = 12 };
/** Rows for flags that change nothing here: where networks lie and by which of its kernels they run. */
void sd_cli_no_matter(sd_cli_words *w, cli_flag out[SD_CLI_NO_MATTER]);

/** What to use in place of a flag, or why there is nothing; NULL: it is none of theirs. */
const char *sd_cli_instead(const char *name, size_t n);

#endif
