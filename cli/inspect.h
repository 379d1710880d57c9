/* inspect.h: what the files of limn inspect share. */
#ifndef LIMN_CLI_INSPECT_H
#define LIMN_CLI_INSPECT_H

#include "file/latent.h"
#include "file/png_text.h"
#include "file/weight_file.h"
#include "model/fit.h"

#include <jansson.h>

/** The tensors of a file as a table.  all false: numbered repetitions are folded ("blocks.0-11.attn.qkv.weight"), the
 *  optimizer's state is counted, and after 150 lines the rest is counted. */
limn_status cli_tensors_print(limn_ctx *ctx, const limn_weight_file *st, bool all);

/* What limn encode wrote. */
typedef struct cli_latents {
    enum {
        CLI_NO_LATENTS,
        CLI_LATENT,
        CLI_LATENTS
    } kind;                     /* something else; of one picture; what a folder of them says of all */
    limn_latents all;           /* of one picture: only shape and settings */
    int image_width, image_height; /* CLI_LATENT */
    float mean[LIMN_LATENT_CHANNELS], spread[LIMN_LATENT_CHANNELS]; /* of each channel */
} cli_latents;
/** @return LIMN_OK, also when it is something else; LIMN_BAD_FILE: latents, and damaged */
limn_status cli_latents_find(limn_ctx *ctx, const char *file, const limn_weight_file *st, cli_latents *out);
void cli_latents_print(const cli_latents *l);
json_t *cli_latents_json(const cli_latents *l);

/** Everything about one weight file with n networks, or one picture, as JSON; the caller owns it, NULL when memory is
 *  out. */
json_t *cli_weights_json(const char *file, const limn_weight_file *st, const cli_latents *latents, int n,
                         const limn_fit *fits);
json_t *cli_picture_json(const char *file, const limn_png_info *info);

#endif
