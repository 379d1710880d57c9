/* loader.h: batches of samples, made by threads ahead of the step where they take time. */
#ifndef LIMN_LOADER_H
#define LIMN_LOADER_H

#include "data/shuffle.h"

enum { LIMN_SAMPLE_PARTS = 2 };

/* What samples are made of, and how: limn_dataset_samples(), limn_masks_samples(). */
typedef struct limn_samples_of {
    void *from;                      /* the caller's; outlives the loader */
    int64_t n;                       /* pictures of an epoch */
    limn_shuffle_kind order;
    size_t bytes[LIMN_SAMPLE_PARTS]; /* of a sample's parts; 0: there is none */
    bool at_once;                    /* made in no time: nothing is made ahead */
    /* The sample at a position, which shows picture i; *shown: i, or the one that took its place.  Any number of threads at
     * once, each with a ctx of its own. */
    limn_status (*make)(limn_ctx *ctx, void *from, uint64_t seed, uint64_t position, int64_t i, void *const part[],
                        int64_t *shown);
    void (*warn)(limn_ctx *ctx, void *from); /* after each batch, by its caller; NULL: nothing to tell */
} limn_samples_of;

typedef struct limn_loader_options {
    uint64_t seed;
    uint64_t first;   /* position of the first sample */
    uint64_t run, stride; /* so many positions are taken in a row, from one row to the next `stride`; 0, 0: all */
    int batch;
    int n_threads;    /* that make samples ahead; 0: they are made when they are asked for */
} limn_loader_options;

typedef struct limn_loader limn_loader;

/** One loader at a time over a data set.
 *  @return LIMN_OK: stop its threads and free it with limn_loader_free(), at any moment; LIMN_NO_MEMORY */
limn_status limn_loader_new(limn_ctx *ctx, const limn_samples_of *samples, const limn_loader_options *options,
                            limn_loader **out);
void limn_loader_free(limn_loader *loader); /* NULL is allowed */
/** The next `batch` samples.  What they are depends on seed and position alone.
 *  @param  part  of each part [batch]
 *  @return LIMN_OK; what make() says of a sample that fails.  After a failure only freeing makes sense. */
limn_status limn_loader_next(limn_loader *loader, void *const part[]);
/** [batch]: which pictures they are. */
const int64_t *limn_loader_shown(const limn_loader *loader);

#endif
