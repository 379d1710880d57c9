/* loader.h: batches of samples, made by threads ahead of the step when pictures have to be decoded. */
#ifndef LIMN_LOADER_H
#define LIMN_LOADER_H

#include "data/data.h"

typedef struct limn_loader limn_loader;

typedef struct limn_loader_options {
    uint64_t seed;
    uint64_t first;   /* position of the first sample: step * batch when resuming */
    int batch;
    int n_threads;    /* that decode ahead; 0: samples are made when they are asked for */
    bool flip;        /* mirror half of the samples */
} limn_loader_options;

/** A loader over a data set, which must outlive it; one loader at a time.  When the pictures lie in memory no thread is
 *  started.
 *  @return LIMN_OK: stop its threads and free it with limn_loader_free(); LIMN_NO_MEMORY */
limn_status limn_loader_new(limn_ctx *ctx, limn_dataset *data, const limn_loader_options *options, limn_loader **out);
void limn_loader_free(limn_loader *loader); /* NULL is allowed */
/** The next `batch` samples.  What they are depends on seed and position alone.
 *  @param  pictures  [batch, size, size, channels], see limn_dataset_sample()
 *  @param  shown     [batch]: which pictures they are, for limn_dataset_caption() and limn_dataset_label()
 *  @return LIMN_OK; LIMN_BAD_FILE when too many pictures cannot be read; LIMN_NO_MEMORY.  After a failure only freeing makes
 *  sense. */
limn_status limn_loader_next(limn_loader *loader, float *pictures, int64_t *shown);

#endif
