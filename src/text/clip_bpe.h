/* clip_bpe.h: the byte-pair tokenizer of CLIP (Radford et al. 2021; byte pairs: Sennrich et al. 2016).
 *
 * ids: 256 bytes, the same 256 at the end of a word, one per merge in the file's order, start, end:
 *      vocabulary = 512 + n_merges + 2, start = 512 + n_merges, end = start + 1.
 * With the 48894 merges of the published file the ids are the published ones: "Hello World!" -> 49406 3306 1002 256
 * 49407. */
#ifndef LIMN_TEXT_CLIP_BPE_H
#define LIMN_TEXT_CLIP_BPE_H

#include "base/base.h"

enum { LIMN_CLIP_MERGES = 48894, LIMN_CLIP_CONTEXT = 77, LIMN_CLIP_CONTEXT_MAX = 65536 };

typedef struct limn_clip_bpe limn_clip_bpe;

/**
 * Open a merges file: one merge a line, "left right", in CLIP's byte alphabet; a first line that holds "#version" is
 * skipped.
 *
 * @param path      text or gzip; NULL: no merges, one id per byte (n_merges is not looked at)
 * @param n_merges  how many of the lines to use; 0 none; -1 all of the file, at most 2^20
 * @param out       on LIMN_OK the caller owns *out and frees it with limn_clip_bpe_free(); otherwise *out is NULL
 * @return LIMN_OK; LIMN_BAD_ARGUMENT (n_merges); LIMN_NOT_FOUND; LIMN_BAD_FILE (fewer lines than n_merges; a line that is
 * not two
 *         known tokens, or repeats a token: the sentence names file and
 * line); LIMN_IO; LIMN_NO_MEMORY */
limn_status limn_clip_bpe_open(limn_ctx *ctx, const char *path, int n_merges, limn_clip_bpe **out);

/** The same from text in memory (not gzip); bytes are not kept.  @param name for messages. */
limn_status limn_clip_bpe_parse(limn_ctx *ctx, const char *name, const char *bytes, size_t n_bytes, int n_merges,
                                limn_clip_bpe **out);

/** The published merges, which the library holds: LIMN_CLIP_MERGES of them.  @return LIMN_OK: as limn_clip_bpe_open();
 *  LIMN_NO_MEMORY */
limn_status limn_clip_bpe_published(limn_ctx *ctx, limn_clip_bpe **out);
/** Those in a tokenizer.json, as transformers 5 writes it in place of merges.txt.  @return as limn_clip_bpe_open() */
limn_status limn_clip_bpe_from_json(limn_ctx *ctx, const char *path, int n_merges, limn_clip_bpe **out);

void limn_clip_bpe_free(limn_clip_bpe *bpe); /* NULL is allowed */

int limn_clip_bpe_vocab(const limn_clip_bpe *bpe); /* ids are 0 .. vocab - 1 */
int limn_clip_bpe_start(const limn_clip_bpe *bpe);
int limn_clip_bpe_end(const limn_clip_bpe *bpe);

/**
 * ids = start, tokens of text, end, then end again up to context (the padding of CLIP-L; a network that pads with another
 * id, as CLIP-G does with 0, overwrites ids[*n_tokens ...]).
 *
 * @param text      bytes, not terminated; see limn_clip_words() for how they are cleaned.  Any bytes are valid text
 * @param context   length of ids, 2 .. 65536
 * @param n_tokens  NULL allowed; tokens with start and end, without padding
 * @param was_cut   NULL allowed; true when tokens of text did not fit
 * @return LIMN_OK; LIMN_BAD_ARGUMENT (context); LIMN_NO_MEMORY.  bpe is only read: many contexts
 * may share it */
limn_status limn_clip_bpe_encode(limn_ctx *ctx, const limn_clip_bpe *bpe, const char *text, size_t n_bytes, int context,
                                 int32_t *ids, int *n_tokens, bool *was_cut);

/* Working memory for many texts: about a megabyte.  bpe is only read. */
typedef struct limn_clip_encoder limn_clip_encoder;
limn_clip_encoder *limn_clip_encoder_new(const limn_clip_bpe *bpe); /* NULL: memory is out */
void limn_clip_encoder_free(limn_clip_encoder *e);                  /* NULL is allowed */
/** Only the tokens of text: neither start, end nor padding.  Those that special names in it stand for are among them.
 *  @param ids      [room]
 *  @param was_cut  true when tokens of text did not fit, else unchanged
 *  @return tokens there are, at most room */
int limn_clip_tokens(limn_clip_encoder *e, const char *text, size_t n_bytes, int room, int32_t *ids, bool *was_cut);
/** The token of one ASCII character that is a word of its own. */
int32_t limn_clip_bpe_mark(const limn_clip_bpe *bpe, char c);

/** Write the merges in the form that limn_clip_bpe_open() reads, gzip when path ends in ".gz"; path is replaced only when
 *  all of it is written.  Same merges, same bytes.  @return LIMN_OK; LIMN_IO; LIMN_NO_MEMORY. */
limn_status limn_clip_bpe_write(limn_ctx *ctx, const limn_clip_bpe *bpe, const char *path);

#endif
