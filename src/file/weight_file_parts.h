/* weight_file_parts.h: what weight_file.c (open, look up, load), safetensors_header.c (parse), torch*.c and shards.c
 * (several files) share. */
#ifndef LIMN_WEIGHT_FILE_PARTS_H
#define LIMN_WEIGHT_FILE_PARTS_H

#include "base/base.h"
#include "file/weight_file.h"
#include "file/weight_sets.h"

enum { LIMN_HEADER_CAP = 100000000, LIMN_PARTS_CAP = 512 };

/* One file. */
typedef struct limn_part {
    char *file;                  /* for messages, owned */
    int fd;                      /* -1: memory, which is the caller's */
    const unsigned char *memory;
    size_t n_bytes, header_bytes;
    char *header;                /* owned; names and metadata lie in it */
    size_t crc_at;               /* where the 8 digits of the checksum lie in the file; 0: none */
    struct limn_torch *torch;    /* NULL: a safetensors file, or */
    bool gguf;
} limn_part;

typedef struct limn_pair {
    const char *key, *value;
} limn_pair;

struct limn_weight_file {
    limn_weight_file *whole;     /* itself, or the file that this is a set of: parts and metadata are its */
    int holders;                 /* of a whole: itself while it is open, and its sets */
    int n_parts;
    limn_part *parts;
    size_t n, n_metadata, capacity, metadata_capacity;
    limn_entry *entries;         /* by part and offset */
    limn_entry **by_name;
    limn_pair *metadata;         /* of the first part, by key */
    char prefix[LIMN_PREFIX_BYTES]; /* of the set that was taken */
};

/** One more part; what is allocated belongs to st.  fd becomes st's also on failure. */
limn_status limn_weight_file_add(limn_ctx *ctx, limn_weight_file *st, const char *file, int fd, const unsigned char *memory,
                                 size_t n);
/** Parse the header of the newest part into entries and metadata. */
limn_status limn_header_read(limn_ctx *ctx, limn_weight_file *st, limn_part *part);
/** One more entry, of that part; everything else in it is zero. */
limn_status limn_weight_file_entry(limn_ctx *ctx, limn_weight_file *st, const limn_part *part, limn_entry **out);
/** One more pair of metadata, whose texts are the part's header's. */
limn_status limn_weight_file_pair(limn_ctx *ctx, limn_weight_file *st, const limn_part *part, const char *key,
                                  const char *value);
/** Sort the pairs from `first` on by key. */
void limn_weight_file_sort_pairs(limn_weight_file *st, size_t first);
/** Sort names once all parts are there; a name that comes twice is refused. */
limn_status limn_weight_file_index(limn_ctx *ctx, limn_weight_file *st);
limn_status limn_part_read(limn_ctx *ctx, const limn_part *part, size_t offset, size_t n, void *to);

/** Every file that an index names. */
limn_status limn_shards_open(limn_ctx *ctx, const char *path, limn_weight_file *st);

#endif
