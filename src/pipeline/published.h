/* published.h: what else a published model has beside its denoiser: a tokenizer, other networks in the same file. */
#ifndef LIMN_PIPELINE_PUBLISHED_H
#define LIMN_PIPELINE_PUBLISHED_H

#include "pipeline/pipeline.h"

/** While a model is opened: does the file p->whole hold a network of one of these families, too?  "vae tae" */
bool limn_published_holds(const limn_pipeline *p, const char *families);

/** A published DiT, which draws latents of classes. */
bool limn_published_is_dit(const limn_pipeline *p);
/** Channels, from the first on, that guidance is of: all of x; of the authors' DiT three of a latent's four. */
int limn_published_guided(const limn_pipeline *p);

/** p->t5_tokens of PixArt: 120 of alpha, 300 of Sigma, as FOLDER/model_index.json says, else the network.
 *  @return LIMN_BAD_FILE */
limn_status limn_published_t5_tokens(limn_pipeline *p, const char *source);
bool limn_published_is_pixart(const limn_pipeline *p);
/** Stable Diffusion 3. */
bool limn_published_is_sd3(const limn_pipeline *p);
/** Scale and shift of latents of so many channels, where the autoencoder's file does not say them and the denoiser tells:
 *  those of Stable Diffusion XL and 3. */
void limn_published_latents(limn_pipeline *p, int channels);

/** A U-Net of Stable Diffusion 2's kind, which reads OpenCLIP's text encoder. */
bool limn_published_is_sd2(const limn_pipeline *p);

/**
 * p->bpe, unless it is there, and reader->pad of CLIP: SOURCE/FOLDER (merges.txt, else tokenizer.json), merges.txt beside
 * the text encoder's file, else the published merges, which the library holds.
 *
 * @param source  the folder; of a model in files that of the text encoder
 * @param folder  "tokenizer", "tokenizer_2"
 * @return LIMN_OK; LIMN_NOT_FOUND: none is there, and the encoder has another vocabulary than the published; LIMN_BAD_FILE;
 *         LIMN_UNSUPPORTED: texts are filled up with another token than their end or "!"; LIMN_IO; LIMN_NO_MEMORY
 */
limn_status limn_published_tokenizer(limn_pipeline *p, const char *source, const char *folder, limn_pipeline_text *reader);

/** p->unigram of T5: SOURCE/FOLDER (spiece.model, else tokenizer.json), spiece.model beside the text encoder's file, else
 *  the published pieces, which the library holds.  @return as limn_published_tokenizer() */
limn_status limn_published_unigram(limn_pipeline *p, const char *source, const char *folder, limn_pipeline_text *reader);

/** p->zero_negative: force_zeros_for_empty_prompt in FOLDER/model_index.json, or otherwise.  @return LIMN_BAD_FILE */
limn_status limn_published_zero_negative(limn_pipeline *p, const char *source, bool otherwise);

#endif
