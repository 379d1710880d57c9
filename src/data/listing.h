/* listing.h: names in a folder. */
#ifndef LIMN_LISTING_H
#define LIMN_LISTING_H

#include "base/base.h"

typedef struct limn_names {
    char **name;
    size_t n, capacity;
    char *other; /* of pictures in formats that were not asked for the first, and how many there are; not in
                  * name; NULL: none */
    size_t n_other;
} limn_names;

/** Pictures (.png .jpg .jpeg .webp; with rasters .tif .tiff .nii .nii.gz too) and, folders not NULL, sub-folders; hidden
 *  ones left out, sorted by bytes.
 *  @return LIMN_OK; LIMN_NOT_FOUND; LIMN_IO; LIMN_NO_MEMORY; the caller frees both with limn_names_free() in any case */
limn_status limn_names_list(limn_ctx *ctx, const char *folder, bool rasters, limn_names *pictures, limn_names *folders);
/** A warning where limn_names_list() left pictures of a folder out for their format. */
void limn_names_tell(limn_ctx *ctx, const char *folder, bool rasters, const limn_names *pictures);
/** A copy of name at the end.  @return false: out of memory */
bool limn_names_add(limn_names *names, const char *name);
void limn_names_sort(limn_names *names); /* by bytes */
void limn_names_free(limn_names *names);
/** Bytes of a name before its ending: of "a.png" and "a.nii.gz" 1. */
size_t limn_stem(const char *name);
/** A name of n bytes in Unicode's composed form (NFC): macOS stores an accented letter as two code points, most others as
 *  one.  Bytes that are not UTF-8 stay as they are.  @return the caller's (free()); NULL: out of memory */
char *limn_name_composed(const char *name, size_t n);
/** Whether two names of n and m bytes are the same to a reader: by their bytes, or composed.  Exact equality goes first
 *  where both are there. */
bool limn_names_same(const char *a, size_t n, const char *b, size_t m);

/* The names in one folder by their composed forms, kept until another folder is asked for. */
typedef struct limn_found_name {
    char *composed, *name;
} limn_found_name;
typedef struct limn_finder {
    char *folder;              /* as it was asked for */
    char *real;                /* as it is on disk */
    limn_found_name *entry;    /* sorted by composed */
    size_t n;
} limn_finder;
/** A file on disk that a list or a neighbour names: path itself where it is there, or is all ASCII; else the file whose path
 *  is the same composed.
 *  @param finder  begins as {0}; limn_finder_free() in any case
 *  @return LIMN_OK: *out is path, or lives in the arena; LIMN_BAD_FILE: two names on disk are the same composed, and neither
 *  is exactly path's */
limn_status limn_finder_find(limn_ctx *ctx, limn_finder *finder, limn_arena *arena, const char *path, const char **out);
void limn_finder_free(limn_finder *finder);
/** The first two of n names that are not the same bytes, but the same composed; false: there are none, or memory is out. */
bool limn_names_twins(const char *const *names, size_t n, const char **a, const char **b);
bool limn_is_folder(const char *folder, const char *name);
/** As strcmp(), but runs of digits count by their value: "2" before "10", "a9b" before "a10b". */
int limn_names_compare(const char *a, const char *b);

#endif
