/* again.h: the text "parameters" of a picture, as Limn, AUTOMATIC1111's web UI and stable-diffusion.cpp write it, back to
 * the words of a command line:
 *
 *     a lighthouse at night
 *     Negative prompt: fog
 *     Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 42, Size: 512x768, Model: "a, b", ...
 *
 * The last line is pairs; a value with a comma, colon or quote in it is quoted as in JSON. */
#ifndef LIMN_PIPELINE_AGAIN_H
#define LIMN_PIPELINE_AGAIN_H

#include "pipeline/pipeline.h"

/* Words as flags take them, which checks their values; NULL: the text does not say. */
typedef struct limn_again {
    char *file;                                /* for messages */
    const char *prompt, *negative;             /* "": it is there, and empty */
    const char *steps, *sampler, *scheduler, *guidance, *rescale, *eta, *skip, *style, *seed, *width, *height, *rng, *label;
    const char *precision, *prediction, *image_guidance;
    const char *original_size, *crop, *target_size, *score, *negative_score; /* of limn_size_condition: "100x48", "16,8" */
    const char *slg_scale, *skip_layers, *skip_layer_start, *skip_layer_end; /* skip-layer guidance: "7 8 9", "0.01" */
    const char *strength;                      /* it began with a picture, which the text does not hold; image_guidance: it
                                                * changed one, which it does not hold either */
    const char *hires, *hires_strength, *hires_steps; /* a second pass; then strength is not that of a picture */
    const char *model;                         /* its name, perhaps without ".safetensors" */
    const char *hash;                          /* of its weights: ten digits and more of their SHA-256, or what was before */
    const char *text_encoder, *text_encoder_2, *text_encoder_3, *vae; /* of their files, where these are not the model's */
    const char *embeddings;                    /* "glim [1a2b], ...": words that stood for vectors of these files */
    const char *own_sampler;                   /* the sampler of the model's own scheduler_config.json, in place of two */
    const char *rest;                          /* "ENSD: 31337, Eta: 0": what is not followed */
    limn_arena *arena;
} limn_again;

/** @param text  any bytes, not terminated, or of the PNG at path
 *  @return LIMN_OK: limn_again_free(); LIMN_NOT_FOUND: no such file, or no such text in it; LIMN_BAD_FILE: no PNG, no pairs,
 *          a pair without sense; LIMN_IO; LIMN_NO_MEMORY.  On failure *out is empty */
limn_status limn_again_parse(limn_ctx *ctx, const char *name, const char *text, size_t n, limn_again *out);
limn_status limn_again_read(limn_ctx *ctx, const char *path, limn_again *out);
void limn_again_free(limn_again *again); /* the parts, not the struct, which becomes empty */

/** Is source the model of the picture, by its name?  named: somebody said so: another one is a warning only.
 *  @return LIMN_NOT_FOUND: it is not, or the text names none */
limn_status limn_again_check_source(limn_ctx *ctx, const limn_again *again, const char *source, bool named);
/** What the opened model does not do as the text says; other parts than said, and what is not followed at all, are warnings.
 *  @return LIMN_UNSUPPORTED: its scheduler_config.json names another sampler */
limn_status limn_again_check_model(const limn_pipeline *p, const limn_again *again);
/** Are these the weights by which it was drawn?  Others are a warning.  digits: 64 of their SHA-256 */
void limn_again_check_hash(limn_ctx *ctx, const limn_again *again, const char *digits);

#endif
