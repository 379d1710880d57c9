/* generate_verb.h: the verbs that run a denoising network share their flags; each has its help and its word. */
#ifndef LIMN_CLI_GENERATE_VERB_H
#define LIMN_CLI_GENERATE_VERB_H

#include "limn/limn.h"

typedef struct generate_verb {
    const char *name, *help;
    bool reads_picture;   /* its word is a picture, and the prompt comes with -p if at all */
    bool enlarges;        /* that picture is the small one of a network that enlarges */
    bool denoises; /* --noise is needed; guidance is 1 unless given: more adds to a picture what the prompt says and it does
                      not hold */
    bool between;         /* --seeds A,B is needed, and the result is one strip */
} generate_verb;

/** Flags, model, pictures, files.  @return the exit code */
int generate_run(int argc, char **argv, const generate_verb *verb);

/* upscale.c: what limn upscale takes for a model of latents, as it was typed. */
typedef struct upscale_words { const char *scale, *tile, *overlap, *strength, *width, *height, *count; } upscale_words;
/** Numbers, or a message and false. */
bool upscale_read(const upscale_words *w, limn_upscale_options *out);
/** What of it this model has no use for. */
limn_status upscale_check(limn_ctx *ctx, const limn_pipeline_info *info, const upscale_words *w);

/* What all of them say about the network and the way to the picture; MODEL, CFG: what they take if none is given; MANY:
 * MANY_HELP, RNG_HELP, both or none. */
#define GENERATE_HELP(MODEL, CFG, MANY)                                                                                     \
    "  -m, --model FOLDER          model.safetensors (and merges.txt.gz), as limn train writes them (" MODEL "), or a\n"    \
    "                              weight file alone: .safetensors, or .pt, .pth, .ckpt of torch.save(); or its parts:\n"   \
    "                              --diffusion-model, --clip_l, --vae\n"                                                    \
    "  -p, --prompt TEXT   -n, --negative-prompt TEXT   --class K   --steps 20   --cfg-scale " CFG                          \
    "   --sampling-method NAME\n" MANY "  --weights ema|raw (of a checkpoint with several sets)\n"                          \
    "  --scheduler NAME   --precision auto|f32|bf16|exact  -t, --threads 0   -o, --output FILE   --show  -q, --quiet: see " \
    "limn generate --help\n"
#define MANY_HELP "  -s, --seed 42   -b, --batch-count 1 (or -n, a whole number)   --grid\n"
#define RNG_HELP "      --rng limn|cpu|cuda (where noise comes from)\n"

#endif
