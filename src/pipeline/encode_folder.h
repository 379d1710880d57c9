/* encode_folder.h: a folder of pictures to a folder of latents, which limn train --latents reads. */
#ifndef LIMN_ENCODE_FOLDER_H
#define LIMN_ENCODE_FOLDER_H

#include "limn/limn.h"
#include "data/data.h"

typedef struct limn_encode_options {
    const char *folder, *out;    /* see train/data.h; out is made when missing, and must be another folder */
    const char *vae; /* where the autoencoder lies: its name is written into OUT/latents.safetensors, beside its settings and
                        checksum */
    const char *where;           /* NULL, or rows of metadata.jsonl, as limn_data_options has it */
    int size;                    /* pictures become size x size, a multiple of the factor */
    limn_data_resize crop;       /* CENTRE or SQUASH */
    limn_precision precision;
} limn_encode_options;

/**
 * OUT/a/b.png.safetensors for every picture a/b.png, OUT/latents.safetensors (file/latent.h), and last OUT/metadata.jsonl:
 * the rows of the folder's own with another file_name, or file_name, text and label where it has none.  A picture that
 * cannot be read is left out with a warning; when more than 3 and more than 1 % cannot, it fails.  Progress is told of
 * "picture".
 *
 * @param n  pictures encoded
 * @return LIMN_OK; LIMN_BAD_ARGUMENT; LIMN_NOT_FOUND; LIMN_BAD_FILE; LIMN_NO_MEMORY; LIMN_IO; LIMN_CANCELLED.  Until it is
 * LIMN_OK, OUT has no
 *         new metadata.jsonl
 */
limn_status limn_encode_folder(limn_autoencoder *autoencoder, const limn_encode_options *options, int64_t *n);

#endif
