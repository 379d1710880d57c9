/* data.h: captioned pictures in memory. */
#ifndef LIMN_DATA_H
#define LIMN_DATA_H

#include "base/base.h"

typedef struct limn_dataset limn_dataset;

typedef struct limn_data_options {
    const char *folder;    /* with metadata.jsonl (file_name, text, other fields), or "shapes": the built-in generator */
    const char *where;     /* NULL, or "split=train,style=noto": rows whose fields have these values */
    int size, channels;    /* pictures become size x size with 3 or 4 channels */
    int n_shapes;          /* pictures the generator makes; 0: 4096 */
} limn_data_options;

/** Read every picture.  @return LIMN_OK: free with limn_dataset_free(); LIMN_BAD_FILE names file and line */
limn_status limn_dataset_open(limn_ctx *ctx, const limn_data_options *options, limn_dataset **out);
void limn_dataset_free(limn_dataset *data); /* NULL is allowed */
int64_t limn_dataset_count(const limn_dataset *data);
const char *limn_dataset_caption(const limn_dataset *data, int64_t i);
/** Picture i as [size,size,channels] in [-1,1]; with 4 channels colours are multiplied by alpha, so that what cannot be seen
 *  does not count.  flip: mirrored left to right. */
void limn_dataset_picture(const limn_dataset *data, int64_t i, bool flip, float *out);
/** Which picture comes at a position of training: every epoch another order, a function of (seed, position) alone. */
int64_t limn_dataset_index(limn_dataset *data, uint64_t seed, uint64_t position);

#endif
