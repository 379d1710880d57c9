/* latents.h: what encode, decode and interpolate share. */
#ifndef LIMN_CLI_LATENTS_H
#define LIMN_CLI_LATENTS_H

#include "cli.h"

/* Flags of all three, as they were typed. */
typedef struct latent_flags {
    const char *model, *vae, *weights, *output, *precision, *threads, *memory; /* vae: a second name of model */
    cli_tiling_words tiling;
    bool help, quiet;
} latent_flags;

#define LATENT_FLAGS(f)                                                                                                     \
    {"-m", "--model", &(f).model, NULL}, {NULL, "--vae", &(f).vae, NULL}, {NULL, "--weights", &(f).weights, NULL},          \
        {"-o", "--output", &(f).output, NULL}, {NULL, "--precision", &(f).precision, NULL},                                 \
        CLI_TILING_FLAGS((f).tiling), {NULL, "--max-memory", &(f).memory, NULL},                                            \
        {"-t", "--threads", &(f).threads, NULL},                                                                            \
        {"-q", "--quiet", NULL, &(f).quiet},                                                                                \
    {                                                                                                                       \
        "-h", "--help", NULL, &(f).help                                                                                     \
    }

#define LATENT_HELP                                                                                                         \
    "  -m, --model VAE      weights of an autoencoder: a file, a folder, or the encoder of a pair X_encoder.pth, "          \
    "X_decoder.pth;\n"                                                                                                      \
    "                       of a whole checkpoint its autoencoder; --vae is the same flag\n"                                \
    "  --weights ema|raw    of a checkpoint with several sets of weights: which (EMA where it has them)\n"                  \
    "  -o, --output FILE    what to write; - is stdout\n"                                                                   \
    "  --vae-tiling         in tiles, which takes less memory: each is coded alone, and where they overlap they fade into " \
    "each other;\n"                                                                                                         \
    "                       --vae-tile-size WxH in pixels of the latent (64), --vae-tile-overlap 0 to 0.5 (0.5)\n"          \
    "  --max-memory SIZE    1500M, 2G (what the machine has): what does not fit as a whole goes in strips\n"                \
    "  --precision auto     auto, f32, bf16 or exact  -t, --threads 0 (0: all cores)      -q, --quiet\n"

/* A job of one of the verbs. */
typedef struct latent_job {
    limn_ctx *ctx;
    const char *verb;
    limn_precision precision;
    limn_tiling tiling;
    bool quiet;
} latent_job;

/** Flags into a context with its log.  @return 0: end with latent_end(); else an exit code, after a message */
int latent_begin(latent_job *job, const char *verb, latent_flags *f);
int latent_end(latent_job *job, limn_status status);
/** The autoencoder of -m, working as the flags say.  @return as limn_autoencoder_open() */
limn_status latent_open(latent_job *job, const latent_flags *f, limn_autoencoder **out);

#endif
