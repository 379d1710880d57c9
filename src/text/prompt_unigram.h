/* prompt_unigram.h: a prompt as T5 reads it: one row of ids with the weights that brackets say, no chunks. */
#ifndef LIMN_TEXT_PROMPT_UNIGRAM_H
#define LIMN_TEXT_PROMPT_UNIGRAM_H

#include "text/prompt.h"
#include "text/unigram.h"

/** One chunk of `context` ids: tokens, </s>, padding.  Pieces of different weight are parted into tokens each for itself;
 *  BREAK means nothing here.  What is too long is cut, </s> never.
 *
 *  @param lower    letters become small ones and spaces at both ends go, as PixArt was trained
 *  @param context  2 .. LIMN_UNIGRAM_TOKENS_MAX
 *  @return LIMN_OK: limn_prompt_free(); LIMN_BAD_ARGUMENT (context); LIMN_NO_MEMORY.  On failure *out is empty */
limn_status limn_prompt_read_unigram(limn_ctx *ctx, const limn_unigram *t, bool lower, limn_prompt_style style,
                                     const char *text, size_t n_bytes, int context, limn_prompt *out);

#endif
