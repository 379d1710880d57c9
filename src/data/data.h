/* data.h: pictures with captions and classes: what a folder holds, and samples of it.
 *
 *   FOLDER/metadata.jsonl   a line a picture: {"file_name": "a/b.png", "text": "a cat", "label": "cat", ...}
 *   FOLDER/a.png a.txt      the text beside a picture (or a.caption, when a.txt is not there or empty) is its caption;
 *   without one the caption is "" FOLDER/cat/a.png        two or more folders and no picture beside them: their names are
 *   classes (sorted) and captions FOLDER/train-images-idx3-ubyte train-labels-idx1-ubyte   MNIST as it is published, also
 *   gzip (.gz): the digit is class and caption
 *   latents                 what limn encode made of a folder: metadata.jsonl, a latent for each row, latents.safetensors
 *   (option `latents`)
 *   shapes                  the built-in generator (shapes.h); "./shapes" is a folder
 *
 * PNG, JPEG and WebP, told apart by content.  A sample is a function of (folder, options, seed, position): neither threads
 * nor resuming nor whether pictures are kept in memory change it.  A picture that cannot be read is skipped with a warning
 * and the next readable one takes its place; when more than 3 and more than 1 % cannot be read, the data set fails. */
#ifndef LIMN_DATA_H
#define LIMN_DATA_H

#include "data/loader.h"
#include "file/latent.h"
#include "limn/train.h"

typedef struct limn_dataset limn_dataset;

/** "random", "centre", "squash" */
const char *limn_data_resize_name(limn_data_resize resize);

typedef struct limn_data_options {
    const char *folder;
    const char *where;         /* NULL, or "split=train,style=noto": rows of metadata.jsonl whose fields have these values */
    const char *caption;       /* field of metadata.jsonl, or several with weights; NULL: "text", else "caption" or "prompt":
                                  limn_row_fields */
    const char *label;         /* field of metadata.jsonl whose values are classes; NULL: "label", where rows have it */
    int size, channels;        /* pictures become size x size with 1 (gray), 3 or 4 channels */
    int n_shapes;              /* pictures the generator makes; 0: 4096 */
    limn_data_resize resize;
    bool flip;    /* mirror half of the samples */
    bool texts;   /* captions are wanted: rows of metadata.jsonl without one look for NAME.txt and NAME.caption */
    bool latents; /* the folder holds latents of size x size x channels, any number of them; a sample is (latent - shift)
                     scale */
    size_t memory;             /* decoded pictures are kept in memory up to this many bytes, else decoded for every sample;
                                  0: 2 GiB or a tenth of what is available, whichever is less */
} limn_data_options;

/** List the pictures, and decode them all (on every thread) if they fit.  Strings of `options` are not kept.
 *  @return LIMN_OK: free with limn_dataset_free(); LIMN_BAD_ARGUMENT; LIMN_NOT_FOUND; LIMN_BAD_FILE names file and line;
 *          LIMN_CANCELLED by the progress callback ("picture") */
limn_status limn_dataset_open(limn_ctx *ctx, const limn_data_options *options, limn_dataset **out);
void limn_dataset_free(limn_dataset *data); /* NULL is allowed */
/** What latents.safetensors says; NULL: these are pictures. */
const limn_latents *limn_dataset_latents(const limn_dataset *data);
int64_t limn_dataset_count(const limn_dataset *data);
/** Caption and class of picture i; the label is -1 for a picture without class.  Borrowed. */
const char *limn_dataset_file(const limn_dataset *data, int64_t i); /* its path; NULL for the shapes */
/** Pixels of all pictures where these have no files of their own (MNIST's), else NULL.  Borrowed. */
const uint8_t *limn_dataset_bytes(const limn_dataset *data, size_t *n);
const char *limn_dataset_caption(const limn_dataset *data, int64_t i); /* of several the first */
/** The caption of picture i at a position of training: of several one is drawn, a function of (seed, position) alone. */
const char *limn_dataset_caption_at(const limn_dataset *data, int64_t i, uint64_t seed, uint64_t position);
/** Text k of all that may be drawn for picture i, field by field; NULL: there are not so many.  A run is another one where
 *  any of them is. */
const char *limn_dataset_caption_text(const limn_dataset *data, int64_t i, int k);
/** The field of metadata.jsonl that they are from, as --caption-field says it; NULL: none. */
const char *limn_dataset_caption_field(const limn_dataset *data);
/** One line with counts before the first step; see limn_captions_tell(). */
limn_status limn_dataset_tell_captions(limn_ctx *ctx, const limn_dataset *data, const char *folder, bool none_is_fine);
/** The caption that a row of metadata.jsonl has from a text beside its picture; NULL: none. */
const char *limn_dataset_caption_beside(const limn_dataset *data, int64_t i);
/** Line of metadata.jsonl, from 1; 0: none. */
int64_t limn_dataset_line(const limn_dataset *data, int64_t i);
int limn_dataset_label(const limn_dataset *data, int64_t i);
/** Number of classes, 0 without any, and their names: whole numbers by value when all names are, else sorted by bytes. */
int limn_dataset_classes(const limn_dataset *data);
const char *limn_dataset_class(const limn_dataset *data, int label);
const char *const *limn_dataset_class_names(const limn_dataset *data);

/** Picture i as it is seen at a position: [size,size,channels] in [-1,1]; with 4 channels colours are multiplied by alpha,
 *  so that what cannot be seen does not count.  Any number of threads at once, each with a ctx of its own.
 *  @param  shown   which picture it became: i, or the next one that can be read
 *  @return LIMN_OK; LIMN_BAD_FILE when too many pictures cannot be read; LIMN_NO_MEMORY */
limn_status limn_dataset_sample(limn_ctx *ctx, limn_dataset *data, uint64_t seed, uint64_t position, int64_t i,
                                float *out, int64_t *shown);
/** For a loader: a sample has one part, limn_dataset_sample()'s numbers. */
limn_samples_of limn_dataset_samples(limn_dataset *data);
/** Picture i itself, from its centre, as for limn_dataset_sample().  @return LIMN_OK; what is wrong with it */
limn_status limn_dataset_picture(limn_ctx *ctx, limn_dataset *data, int64_t i, float *out);
/** Log as warnings what was skipped or found odd since the last call. */
void limn_dataset_warn(limn_ctx *ctx, limn_dataset *data);
/** Numbers in a sample: size * size * channels. */
size_t limn_dataset_floats(const limn_dataset *data);
/** Whether all pictures lie decoded in memory. */
bool limn_dataset_is_kept(const limn_dataset *data);

#endif
