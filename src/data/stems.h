/* stems.h: names of a folder by what stands before their ending, composed: which file belongs to which, and which two are
 * one to their reader. */
#ifndef LIMN_STEMS_H
#define LIMN_STEMS_H

#include "base/base.h"

typedef struct limn_stem_entry {
    const char *name;     /* borrowed */
    char *stem;           /* composed (see limn_name_composed()), owned */
    size_t i;             /* of the name among those that were given */
    const char *taken_by; /* the caller's; NULL at first */
} limn_stem_entry;

typedef struct limn_stems {
    limn_stem_entry *entry; /* sorted by their stems, then as they were given */
    size_t n;
} limn_stems;

/** n names by their stems: of name i the first length[i] bytes; length NULL: those before its ending.  Names stay the
 *  caller's and must outlive *out.
 *  @return LIMN_OK; LIMN_NO_MEMORY, *out is empty; freed by limn_stems_free() in either case */
limn_status limn_stems_new(limn_ctx *ctx, char *const *names, const size_t *length, size_t n, limn_stems *out);
void limn_stems_free(limn_stems *stems);
/** Those with the stem of n bytes, side by side from *out on.  @return how many; SIZE_MAX: out of memory */
size_t limn_stems_find(const limn_stems *stems, const char *stem, size_t n, limn_stem_entry **out);
/** The first of two with one stem, its twin behind it; NULL: every stem is there once. */
const limn_stem_entry *limn_stems_twin(const limn_stems *stems);

#endif
