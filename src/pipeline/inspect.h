/* inspect.h: what is in a file: weights and the networks they fit, latents, a PNG and its texts. */
#ifndef LIMN_INSPECT_H
#define LIMN_INSPECT_H

#include "file/latent.h"
#include "file/png_text.h"
#include "file/weight_file.h"
#include "model/fit.h"

/* What limn encode wrote. */
typedef struct limn_inspected_latents {
    enum {
        LIMN_NO_LATENTS,
        LIMN_ONE_LATENT,
        LIMN_MANY_LATENTS
    } kind;                     /* something else; of one picture; what a folder of them says of all */
    limn_latents all;           /* of one picture: only shape and settings */
    int image_width, image_height; /* LIMN_ONE_LATENT */
    float mean[LIMN_LATENT_CHANNELS], spread[LIMN_LATENT_CHANNELS]; /* of each channel */
} limn_inspected_latents;

typedef struct limn_inspected {
    char file[1100];
    limn_weight_file *st;       /* NULL: a picture */
    limn_status known;          /* LIMN_OK, or why what follows of the weights could not be found out */
    limn_inspected_latents latents;
    limn_fit fit[LIMN_MAX_FITS];
    int n_fits;
    limn_png_info picture;
} limn_inspected;

/** Of a folder its weights, or what limn encode says of its latents.
 *  @return LIMN_OK: close *out with limn_inspected_close(); LIMN_BAD_FILE: neither weights nor a PNG, or damaged;
 *          LIMN_NOT_FOUND; LIMN_IO; LIMN_NO_MEMORY: *out is NULL */
limn_status limn_inspected_open(limn_ctx *ctx, const char *source, limn_inspected **out);
void limn_inspected_close(limn_inspected *it); /* NULL is allowed */

#endif
