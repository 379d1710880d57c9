/* prompts.h: the texts of a request for a text encoder of its own: in chunks, each encoded alone, with weights. */
#ifndef LIMN_PROMPTS_H
#define LIMN_PROMPTS_H

#include "pipeline/pipeline.h"

enum { LIMN_PROMPTS_MOST = 3 };

typedef struct limn_prompts {
    limn_prompt_style style;
    int n_texts, n_chunks;        /* of each text */
    bool weighted;                /* a token has another weight than 1 */
    limn_prompt text[LIMN_PROMPTS_MOST], empty; /* as they were read; empty: where comfy weighs */
} limn_prompts;

/** What is wrong with prompt_style and clip_skip for this model?  *style: the one that is taken; plain has no chunks.
 *  @return LIMN_NOT_FOUND: no such style; LIMN_BAD_ARGUMENT; LIMN_UNSUPPORTED: the encoder is a part of the denoiser */
limn_status limn_prompts_check(const limn_pipeline *p, const limn_generate_options *o, limn_prompt_style *style);

/** The prompt and, when guided, n_texts - 1 times the negative one, for the model's text encoder number `encoder`: tokens of
 *  each are other vectors, and fill up otherwise.  Nothing is read for a model without text, and in plain style.
 *  @return LIMN_OK: limn_prompts_free(); LIMN_NO_MEMORY; LIMN_BAD_ARGUMENT: too long */
limn_status limn_prompts_read(const limn_pipeline *p, const limn_generate_options *o, int encoder, int n_texts,
                              limn_prompts *out);
void limn_prompts_free(limn_prompts *prompts);
/** One text as a part of the role TEXT reads it, in chunks of `context`.  @return LIMN_OK: limn_prompt_free(); as
 *  limn_prompts_read() */
limn_status limn_prompts_read_one(limn_ctx *ctx, const limn_recipe_part *part, limn_prompt_style style, const char *text,
                                  int context, limn_prompt *out);
/** Which embeddings both texts name: limn_embeddings_tell(). */
void limn_prompts_tell(const limn_pipeline *p, const limn_generate_options *o, limn_text *out);
/** Rows of a text part: chunks of all texts. */
int limn_prompts_rows(const limn_prompts *prompts);
/** Ids [rows, length], behind them the row of each end [rows], into a part that was begun with so many rows. */
limn_status limn_prompts_write_ids(limn_ctx *ctx, limn_recipe_part *part, const int32_t *ids, int rows, int length);
/** Which of those ids are seen: *out [rows, length], 1 or 0, is the caller's. */
limn_status limn_prompts_mask(limn_ctx *ctx, const limn_recipe_part *part, const int32_t *ids, int rows, int length,
                              float **out);
/** Ids and weights of all chunks into a text part that was begun with so many rows. */
limn_status limn_prompts_write(limn_ctx *ctx, const limn_prompts *prompts, limn_recipe_part *part);

#endif
