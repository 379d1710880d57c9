/* unigram.h: the unigram tokenizer of T5 (Kudo 2018; sentencepiece), as its file spiece.model or tokenizer.json has it.
 *
 * text -> parts between the names of special tokens ("</s>", "<extra_id_7>") -> each normalised by the file's table of
 * characters, spaces made one "▁" before each word -> the pieces whose scores (log probabilities) have the largest sum ->
 * ids, </s>.
 * With the published file the ids are the published ones: "Hello World!" -> 8774 1150 55 1. */
#ifndef LIMN_TEXT_UNIGRAM_H
#define LIMN_TEXT_UNIGRAM_H

#include "base/base.h"

enum { LIMN_UNIGRAM_TOKENS_MAX = 65536 };

typedef struct limn_unigram limn_unigram;

/**
 * Open a tokenizer: sentencepiece's model of type unigram, or Hugging Face's tokenizer.json; its first bytes tell which.
 * A model that names no <extra_id_0> gets 100 of them behind its pieces, <extra_id_99> first, as T5 does.
 *
 * @param out  on LIMN_OK the caller owns *out and frees it with limn_unigram_free(); otherwise *out is NULL
 * @return LIMN_OK; LIMN_NOT_FOUND; LIMN_BAD_FILE (the sentence names file and place); LIMN_IO; LIMN_NO_MEMORY */
limn_status limn_unigram_open(limn_ctx *ctx, const char *path, limn_unigram **out);
/** That of the published T5: 32,000 pieces and 100 sentinels, which the library
 *  holds. */
limn_status limn_unigram_published(limn_ctx *ctx, limn_unigram **out);
/** The same from bytes in memory, which are not kept.  @param name for messages. */
limn_status limn_unigram_parse(limn_ctx *ctx, const char *name, const void *bytes, size_t n, limn_unigram **out);
void limn_unigram_free(limn_unigram *t); /* NULL is allowed */

int limn_unigram_vocab(const limn_unigram *t); /* ids are 0 .. vocab - 1 */

/**
 * ids = tokens of text, </s>, then <pad> up to most.  Where text is too long its last tokens are lost, </s> never.
 *
 * @param text      bytes, not terminated.  Any bytes are valid text: one that is not UTF-8 is an unknown character
 * @param most      length of ids, 1 .. 65536
 * @param n_tokens  NULL allowed; tokens with </s>, without padding
 * @param was_cut   NULL allowed; true when tokens of text did not fit
 * @return LIMN_OK; LIMN_BAD_ARGUMENT (most); LIMN_NO_MEMORY.  t is only read: many contexts may share it */
limn_status limn_unigram_encode(limn_ctx *ctx, const limn_unigram *t, const char *text, size_t n_bytes, int most,
                                int32_t *ids, int *n_tokens, bool *was_cut);

#endif
