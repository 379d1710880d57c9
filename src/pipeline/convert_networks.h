/* convert_networks.h: the networks of what is converted. */
#ifndef LIMN_CONVERT_NETWORKS_H
#define LIMN_CONVERT_NETWORKS_H

#include "graph/node.h"
#include "model/map/write.h"

enum { LIMN_CONVERT_FILES = 6, LIMN_CONVERT_NETWORKS = 8 };

typedef struct limn_convert_network {
    const char *file;
    limn_weight_file *st; /* the set of its weights that is taken, under its names */
    limn_map from, to;
    bool told;            /* the metadata say what no tensor does */
    limn_graph *graph;
} limn_convert_network;

typedef struct limn_convert_sources {
    int n_files, n;
    char file[LIMN_CONVERT_FILES][1100];
    limn_weight_file *whole[LIMN_CONVERT_FILES];
    limn_convert_network network[LIMN_CONVERT_NETWORKS];
} limn_convert_sources;

/** A file, or the files of a folder: of a network, or of each network of a model.  Close also after a failure. */
limn_status limn_convert_open(limn_ctx *ctx, const char *source, limn_convert_sources *out);
void limn_convert_close(limn_convert_sources *s);
/** The words of limn_convert_options.  @param naming  LIMN_N_NAMINGS: dialect is NULL  @return LIMN_BAD_ARGUMENT */
limn_status limn_convert_words(limn_ctx *ctx, const char *dialect, const char *part, limn_naming *naming);
/** Find the networks, and the names that they get.
 *  @param naming  LIMN_N_NAMINGS: as they are   @param part  NULL: all networks */
limn_status limn_convert_networks(limn_ctx *ctx, limn_convert_sources *s, limn_naming naming, const char *part);

#endif
