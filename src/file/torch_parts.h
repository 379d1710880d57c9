/* torch_parts.h: what torch.c (open) and torch_load.c (values) share. */
#ifndef LIMN_TORCH_PARTS_H
#define LIMN_TORCH_PARTS_H

#include "file/torch.h"
#include "file/torch_zip.h"

struct limn_torch {
    limn_zip zip;
    limn_arena *arena; /* names and places of the entries */
};

typedef struct limn_torch_place {
    size_t member;         /* of the archive */
    const int64_t *stride; /* elements from one index to the next, per dimension; NULL: dense rows */
} limn_torch_place;

#endif
