/* fit.h: which network a weight file fits. */
#ifndef LIMN_FIT_H
#define LIMN_FIT_H

#include "file/weight_file.h"
#include "file/weight_sets.h"
#include "model/model.h"

typedef enum limn_fit_source {
    LIMN_FIT_NONE,     /* no network that is known */
    LIMN_FIT_METADATA, /* the file says so: limn.settings */
    LIMN_FIT_PUBLISHED, /* a published network of other names or sizes than a preset's: model/map/map.h */
    LIMN_FIT_PRESET,   /* every parameter of a family or preset is there under its published name */
} limn_fit_source;

typedef struct limn_fit {
    limn_fit_source source;
    const char *preset;      /* LIMN_FIT_PRESET: its name; LIMN_FIT_PUBLISHED: title of the dialect */
    limn_settings settings;  /* not for LIMN_FIT_NONE */
    int n_parameters, n_found; /* parameters of the network; those with a tensor of their name and shape */
    char missing[1024];      /* the first one without, and why; "" */
    char prefix[LIMN_PREFIX_BYTES]; /* before every name */
    int n_sets;              /* of its weights; 0 for LIMN_FIT_NONE without a name */
    limn_weight_set sets[LIMN_MAX_SETS];
} limn_fit;

enum { LIMN_MAX_FITS = 8 };

/** @return LIMN_OK, also when nothing fits; LIMN_BAD_FILE when limn.settings cannot be read; LIMN_NO_MEMORY */
limn_status limn_fit_find(limn_ctx *ctx, const char *file, const limn_weight_file *st, limn_fit *out);
/** The network that a file's metadata limn.settings describe, built for one picture and one step.
 *  @return LIMN_OK: *g is the caller's; LIMN_BAD_FILE; LIMN_NO_MEMORY */
limn_status limn_fit_described(limn_ctx *ctx, const char *file, const limn_weight_file *st, limn_settings *out,
                               limn_graph **g, limn_ports *ports);
/** All networks of a file, as a published checkpoint holds several; the first is that of limn_fit_find().  One of known
 *  names that Limn cannot build has source LIMN_FIT_NONE, its title in preset and the reason in missing.  @param n  of out,
 *  from 1 on.  @return as limn_fit_find() */
limn_status limn_fit_all(limn_ctx *ctx, const char *file, const limn_weight_file *st, limn_fit out[LIMN_MAX_FITS], int *n);

/** The prefix under which most of a graph's parameters stand in a file, more than half of them; of two as good, the raw
 *  weights'.
 *  @return false: there is none */
bool limn_fit_prefix(const limn_graph *g, const limn_weight_file *st, char out[LIMN_PREFIX_BYTES]);

#endif
