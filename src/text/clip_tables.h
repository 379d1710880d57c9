/* clip_tables.h: what a merges file becomes; shared by its parser, its writer and the encoder. */
#ifndef LIMN_TEXT_CLIP_TABLES_H
#define LIMN_TEXT_CLIP_TABLES_H

#include "text/clip_bpe.h"

enum {
    CLIP_BYTES = 256,             /* ids 0..255: bytes; 256..511: the same at the end of a word */
    CLIP_FIRST_MERGE = 512,
    CLIP_TOKEN_BYTES = 256,       /* longest token; the published file's longest is 28 bytes */
    CLIP_MERGES_CAP = 1 << 20,
    CLIP_FILE_CAP = 64 << 20,
};

/* key: up to 8 bytes as they are, of more a hash.  n_left: bytes of the first of the two tokens it is made of; 0: of none */
typedef struct clip_token { uint64_t key; uint32_t begin; uint16_t n; uint8_t n_left; bool ends_word; } clip_token;

struct limn_clip_bpe {
    int n_merges;
    clip_token *tokens;    /* [512 + n_merges]: merge i makes token 512 + i; text in bytes */
    uint8_t *bytes;        /* raw bytes of all tokens, one after another */
    uint32_t *by_text;     /* open addressing over tokens: 0, or id + 1 and above it some bits of the hash */
    size_t n_slots;        /* a power of two, half of them empty */
    int32_t id_of_byte[CLIP_BYTES];
};

/* Merge number of (left, right), or -1.  No two tokens have the same text, so a text and how it is parted tell both. */
int32_t limn_clip_find_pair(const limn_clip_bpe *bpe, int32_t left, int32_t right);

#endif
