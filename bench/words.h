/* words.h: keywords of a data set, and which pictures carry each. */
#ifndef LIMN_WORDS_H
#define LIMN_WORDS_H

#include "data/data.h"

typedef struct words_word {
    const char *text;
    int64_t first, n;      /* carriers: words.carrier[first ..] */
} words_word;

typedef struct words {
    limn_arena *arena;     /* of the texts */
    words_word *word;      /* [n], sorted by text */
    int64_t *carrier;      /* pictures of the data set */
    int64_t n;
} words;

/** Every text of the list `field` in DATA/metadata.jsonl, and the pictures of `data` that carry it; rows that are no picture
 *  of it are passed over.
 *  @return LIMN_OK: free with words_free(); LIMN_BAD_FILE: a line that is no object with file_name, or whose field is no
 *  list of texts */
limn_status words_read(limn_ctx *ctx, const char *folder, const char *field, const limn_dataset *data, words *out);
void words_free(words *w);

/** Up to `count` words that 1 to `most` pictures carry, in an order that `seed` shuffles.  @param out  [w->n]: their places
 *  @return how many there are */
int64_t words_pick(const words *w, int64_t most, int64_t count, uint64_t seed, int64_t *out);

#endif
