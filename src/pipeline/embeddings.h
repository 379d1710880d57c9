/* embeddings.h: textual inversion (Gal et al. 2022): files of vectors in a folder, each of which a word in a prompt stands
 * for, the file's name.  Of A1111 {"string_to_param": {"*": [n, width]}}, of kohya "emb_params", of diffusers {"<token>":
 * [n, width]} or [width], for several encoders "clip_l", "clip_g": of several tensors that which is as wide as the encoder's
 * words; of a model with several each has its own, and as many.  diffusers' script for two encoders writes those of the
 * second into NAME_2. */
#ifndef LIMN_EMBEDDINGS_H
#define LIMN_EMBEDDINGS_H

#include "pipeline/recipe.h"

/** Of a pipeline that is being opened: none.  @return NULL: memory is out */
struct limn_embeddings *limn_embeddings_new(void);
void limn_embeddings_free(struct limn_embeddings *e); /* NULL is allowed */
/** Is a folder named?  NULL: no. */
bool limn_embeddings_any(const struct limn_embeddings *e);
/** As texts are read with them; NULL where e is. */
const limn_prompt_words *limn_embeddings_words(const struct limn_embeddings *e);
/** Does the text name one that does not fit, or that two files are called alike?  @return LIMN_BAD_FILE with its sentence */
limn_status limn_embeddings_check(limn_ctx *ctx, const struct limn_embeddings *e, limn_prompt_style style,
                                  const limn_prompt *text);
/** Ids and vectors of n tokens into a text part that was begun. */
limn_status limn_embeddings_write(limn_ctx *ctx, limn_recipe_part *part, const int32_t *ids, size_t n);
/** "glim [1a2b], bad-hands [00ff]": those that both texts name, with the checksums that A1111 shows; nothing: none. */
void limn_embeddings_tell(const struct limn_embeddings *e, int n_texts, const limn_prompt *texts, limn_text *out);
/** A1111's checksum of the one of this name, as text.  @return false: there is none */
bool limn_embeddings_find(const struct limn_embeddings *e, const char *name, char checksum[8]);
/** Their files are read. */
void limn_embeddings_reads(const struct limn_embeddings *e, limn_job_files *files);

#endif
