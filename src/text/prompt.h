/* prompt.h: a prompt as people write it, "a (red:1.3) [small] house", to chunks of token ids with a weight for each token,
 * and the weights into text features.
 *
 * Styles differ in what brackets mean, where a long prompt is parted, and how weights reach the features; docs/traps.md has
 * the differences.
 *   plain   brackets are text; one chunk, the rest is cut (diffusers)
 *   webui   (x) 1.1, [x] 1/1.1, (x:w) w, multiplied where nested; a backslash makes a bracket text; BREAK begins a chunk;
 *   features
 *           are multiplied, then their mean is put back (AUTOMATIC1111's web UI)
 *   comfy   (x) 1.1, multiplied where nested; (x:w) w, whatever is around it; features move away from those of the empty
 *   prompt
 *           (ComfyUI) */
#ifndef LIMN_TEXT_PROMPT_H
#define LIMN_TEXT_PROMPT_H

#include "text/clip_bpe.h"

typedef enum limn_prompt_style { LIMN_PROMPT_PLAIN, LIMN_PROMPT_WEBUI, LIMN_PROMPT_COMFY } limn_prompt_style;

/** @return false: no style has this name: "plain", "a1111", "comfy" */
bool limn_prompt_style_find(const char *name, limn_prompt_style *out);

/* A stretch of text of one weight, or the end of a chunk. */
typedef struct limn_prompt_piece {
    size_t begin, n; /* bytes of limn_prompt_text.bytes; 0 bytes for a break */
    double weight;
    bool is_break;
} limn_prompt_piece;

typedef struct limn_prompt_text {
    char *bytes;     /* without the brackets that weigh, without backslashes before brackets */
    limn_prompt_piece *piece;
    size_t n_pieces; /* 1 or more */
} limn_prompt_text;

/** Brackets to weights.  text: any bytes, not terminated; brackets nested deeper than 256 are text.
 *  @return LIMN_OK: limn_prompt_text_free(); LIMN_NO_MEMORY: *out is empty */
limn_status limn_prompt_weigh(limn_ctx *ctx, limn_prompt_style style, const char *text, size_t n_bytes,
                              limn_prompt_text *out);
void limn_prompt_text_free(limn_prompt_text *text); /* the parts, not the struct, which becomes empty */

/* A word that stands for vectors of its own (textual inversion, Gal et al. 2022): ids that no tokenizer gives. */
typedef struct limn_prompt_word {
    const char *name, *file; /* comfy: "embedding:NAME", by either */
    const char *token;       /* plain: these characters, capitals or not: "<cat-toy>"; NULL: none */
    const int32_t *ids;      /* plain, webui: where these tokens follow one another in a piece; [n_ids] */
    int n_ids;
    int32_t first;           /* first .. first + n - 1 come in their place */
    int n;                   /* at most context - 2 */
    bool misfit;             /* one that is called alike, and is none, goes before it */
} limn_prompt_word;

typedef struct limn_prompt_words {
    const char *folder;           /* for messages; NULL: nobody named one */
    const limn_prompt_word *word; /* in the order of limn_prompt_words_sort() */
    size_t n;
} limn_prompt_words;

/** By the first of their tokens, those of more tokens first. */
void limn_prompt_words_sort(limn_prompt_word *word, size_t n);

/* Each chunk is start, tokens, end, then padding. */
typedef struct limn_prompt {
    int n_chunks, context;
    int32_t *ids;    /* [n_chunks, context] */
    float *weight;   /* [n_chunks, context]; 1 at start, end and padding */
    int *end;        /* [n_chunks] position of the first end token, whose feature stands for the chunk */
    bool is_weighted; /* a weight is not 1 */
    bool was_cut;    /* tokens did not fit: plain, or more than LIMN_CLIP_CONTEXT_MAX of them */
} limn_prompt;

/** @param words    with vectors of their own; NULL: there are none, and "embedding:NAME" is text
 *  @param context  ids of a chunk, 3 .. LIMN_CLIP_CONTEXT_MAX
 *  @param pad      id behind the first end token: limn_clip_bpe_end(), or 0 (CLIP-G, Stable Diffusion 2)
 *  @return LIMN_OK: limn_prompt_free(); LIMN_BAD_ARGUMENT (context); LIMN_NOT_FOUND: no word has the NAME of comfy's
 *          "embedding:NAME"; LIMN_NO_MEMORY.  On failure *out is empty */
limn_status limn_prompt_read(limn_ctx *ctx, const limn_clip_bpe *bpe, const limn_prompt_words *words,
                             limn_prompt_style style, const char *text, size_t n_bytes, int context, int32_t pad,
                             limn_prompt *out);
/** Empty chunks behind the others, until there are n_chunks: a prompt and what it is guided away from have as many.
 *  @return LIMN_NO_MEMORY: unchanged */
limn_status limn_prompt_extend(limn_ctx *ctx, const limn_clip_bpe *bpe, int32_t pad, int n_chunks, limn_prompt *prompt);
void limn_prompt_free(limn_prompt *prompt); /* the parts, not the struct, which becomes empty */

/**
 * Weights into the features of one chunk.
 *   webui  z_t w_t mean(z) / mean(z_t w_t), means over the whole chunk
 *   comfy  (z_t - e_t) w_t + e_t
 * @param weight    [context]
 * @param features  [context, width], changed in place
 * @param empty     [context, width] features of the empty prompt; only comfy reads them
 */
void limn_prompt_emphasize(limn_prompt_style style, int context, int width, const float *weight, const float *empty,
                           float *features);

#endif
