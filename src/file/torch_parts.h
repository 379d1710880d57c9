/* torch_parts.h: what torch.c (open) and torch_load.c (values) share. */
#ifndef LIMN_TORCH_PARTS_H
#define LIMN_TORCH_PARTS_H

#include "file/torch.h"
#include "file/torch_pickle.h"

struct limn_torch {
    limn_zip zip;      /* before torch 1.6 storages are its members */
    limn_arena *arena; /* names and places of the entries */
};

typedef struct limn_torch_place {
    size_t member;         /* of the archive */
    const int64_t *stride; /* elements from one index to the next, per dimension; NULL: dense rows */
} limn_torch_place;

/** torch_legacy.c: the pickles of a file before torch 1.6, and where its storages lie.  p: as for limn_pickle_run(), without
 *  a root; bytes are the file's first.  *root: what was saved.  @return LIMN_BAD_FILE: p->ran_out: perhaps only since there
 *  are more; otherwise nothing of torch changed */
limn_status limn_torch_legacy_run(limn_pickle *p, const limn_part *part, limn_torch *torch, limn_value *root);

#endif
