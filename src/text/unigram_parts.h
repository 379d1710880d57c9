/* unigram_parts.h: a unigram tokenizer as its files say it, and as texts are encoded with it. */
#ifndef LIMN_TEXT_UNIGRAM_PARTS_H
#define LIMN_TEXT_UNIGRAM_PARTS_H

#include "base/json.h"
#include "text/trie.h"
#include "text/unigram.h"

enum { UNIGRAM_FILE_CAP = 64 << 20, UNIGRAM_IDS_CAP = 1 << 21 };

/* sentencepiece's precompiled_charsmap: what characters, or a few of them together, become before a text is split.
 *     u32 bytes of the trie, its units (u32), then texts with a zero byte behind each;  all little-endian
 * A unit u of the double array (Darts-clone):  bit 31: a leaf, whose lower bits are where its text begins; else
 *     label = u & 0xff, leaf below it = bit 8, offset = (u >> 10) << (bit 9 ? 8 : 0) */
typedef struct unigram_charsmap {
    uint32_t *unit; /* [n_units], a multiple of 256: no step leads out of them; NULL: every character stays */
    char *text;
    size_t n_units, n_text;
} unigram_charsmap;

/** @return LIMN_OK; LIMN_BAD_FILE: what leads out of the table; LIMN_NO_MEMORY.  *map is the caller's to free either way */
limn_status limn_unigram_charsmap_read(limn_ctx *ctx, const char *name, const uint8_t *bytes, size_t n,
                                       unigram_charsmap *map);

struct limn_unigram {
    unigram_charsmap charsmap;
    limn_trie pieces, names; /* what texts are made of; special tokens */
    double *score;           /* [ids of pieces] */
    double score_unknown;
    int32_t unknown, end, pad, vocab;
    bool no_prefix;    /* no "▁" before the first word of a part */
    bool keeps_spaces; /* those at both ends, and side by side */
};

/** A part of a text without special tokens, as pieces spell it.  @return false: memory is out (out->failed) */
bool limn_unigram_normalise(const limn_unigram *t, const char *text, size_t n, limn_text *out);

/* What a file says.  Texts are borrowed from the file's bytes. */
typedef enum unigram_kind { UNIGRAM_NORMAL, UNIGRAM_SPECIAL, UNIGRAM_UNUSED } unigram_kind;
typedef struct unigram_piece { const char *text; uint32_t n; unigram_kind kind; double score; } unigram_piece;
typedef struct unigram_file {
    const char *name; /* for messages */
    unigram_piece *piece;
    limn_trie_word *special; /* beside the pieces of kind UNIGRAM_SPECIAL */
    size_t n_pieces, room, n_special;
    int32_t unknown, end, pad; /* -1: not said */
    bool adds_extra;           /* T5's sentinels, unless they are among the pieces */
} unigram_file;

/** The next piece; its id is its place.  @return LIMN_OK; LIMN_BAD_FILE (empty, a score that is no finite f32, too many) */
limn_status limn_unigram_add(limn_ctx *ctx, unigram_file *f, const unigram_piece *piece);

/* Fill f, and of t what is neither pieces nor ids. */
limn_status limn_unigram_read_model(limn_ctx *ctx, const uint8_t *bytes, size_t n, unigram_file *f, limn_unigram *t);
/** @param root  a json_t, which stays alive as long as f */
limn_status limn_unigram_read_json(limn_ctx *ctx, const json_t *root, unigram_file *f, limn_unigram *t);

#endif
