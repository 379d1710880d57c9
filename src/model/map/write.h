/* write.h: tensors of one dialect under the names of another: from which tensors of a file they are made. */
#ifndef LIMN_MAP_WRITE_H
#define LIMN_MAP_WRITE_H

#include "model/map/map.h"

enum { LIMN_MAP_PIECES = 2 * LIMN_MAP_SOURCES, LIMN_MAP_NAME = 512 };

/* Elements of a tensor that follow each other. */
typedef struct limn_map_piece {
    const limn_entry *e;
    size_t first, n;
} limn_map_piece;

/* A tensor of the result: pieces behind each other, or without any a table that is worked out. */
typedef struct limn_map_tensor {
    char name[LIMN_MAP_NAME];
    int rank;
    bool turned; /* its rows are the columns of its one piece, a whole tensor */
    int64_t dim[LIMN_FILE_RANK];
    int n;
    limn_map_piece piece[LIMN_MAP_PIECES];
    const limn_node *table;
} limn_map_tensor;

/** The same network under the names of somebody else, or the nearest to them that it was published under; without a prefix.
 *  @return NULL dialect: it has no published names */
limn_map limn_map_named(const limn_map *map, limn_naming naming);

/** What a parameter becomes: none, one, or several tensors, each handed to put().
 *  @param from  the names that st has  @return LIMN_BAD_FILE naming a tensor that is missing; what put() returned */
limn_status limn_map_write(limn_ctx *ctx, const limn_map *from, const char *file, const limn_weight_file *st,
                           const limn_map *to, const limn_node *parameter,
                           limn_status (*put)(void *user, const limn_map_tensor *t), void *user);

/* Shared with read.c. */
/** The row of a parameter; *block is the number at the star of the row's name, -1 without one.  @return NULL: it has none,
 *  or the dialect renames */
const limn_map_row *limn_map_row_of(const limn_map *map, const char *name, int *block);
/** ".weight", ".bias", or the end of the name. */
const char *limn_map_suffix(const char *name);
/** The name in the file: prefix, pattern with the block for its star, suffix. */
void limn_map_source_name(const limn_map *map, const char *pattern, int block, const char *suffix, char *out, size_t n);
/** Tensors that a row joins. */
int limn_map_source_count(const limn_map_row *row);
/** diffusers has it once for each block, all alike: DiT's embedders of timestep and class. */
bool limn_map_is_copied(const limn_map_row *row);
/** Halves of its rows change places in this block. */
bool limn_map_swaps(const limn_map *map, const limn_map_row *row, int block);
/** Which third of the rows of its source it is: 0 to 2; -1: none. */
int limn_map_third(const limn_map_row *row);
/** Shape of each source of a parameter of this shape. */
limn_shape limn_map_source_shape(const limn_map_row *row, const limn_shape *whole);
/** The tensor of a name, of the shape that a part of the parameter has ([N,K] and [N,K,1,1] are alike: a linear layer may be
 *  a convolution of one pixel); want NULL: of any.  @return LIMN_BAD_FILE naming it */
limn_status limn_map_find(limn_ctx *ctx, const char *file, const limn_weight_file *st, const char *name,
                          const limn_shape *want, const limn_entry **out);

#endif
