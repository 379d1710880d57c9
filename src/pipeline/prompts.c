/* prompts.c: see prompts.h. */
#include "pipeline/prompts.h"

#include "pipeline/embeddings.h"
#include "text/lora_tags.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_CHUNKS = 64 }; /* of a text, with those that repeat */

/* ---- options ---------------------------------------------------------------------------------------------------------- */

limn_status limn_prompts_check(const limn_pipeline *p, const limn_generate_options *o, limn_prompt_style *style)
{
    const limn_recipe_part *text = limn_recipe_find(&p->recipe, LIMN_ROLE_TEXT);
    char shown[256];
    *style = p->published && text ? LIMN_PROMPT_WEBUI : LIMN_PROMPT_PLAIN;
    if (o->prompt_style && !limn_prompt_style_find(o->prompt_style, style))
        return limn_fail(p->ctx, LIMN_NOT_FOUND, "no prompt style \"%s\"; there are: plain a1111 comfy",
                         limn_escape(o->prompt_style, strlen(o->prompt_style), shown, sizeof shown));
    if (!text && (*style != LIMN_PROMPT_PLAIN || o->clip_skip > 1))
        return limn_fail(p->ctx, LIMN_UNSUPPORTED, "%s is for models with a text encoder of their own, which %s has not: "
                         "leave it out", o->clip_skip > 1 ? "clip skip" : "a prompt style other than plain", p->name);
    int depth = text && text->bpe ? limn_model_interface(&p->text[0].settings).text_depth : 1;
    if (o->clip_skip < 0 || o->clip_skip > depth)
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "expected a clip skip from 1 (all layers) to %d (one layer), found %d",
                         depth, o->clip_skip);
    return LIMN_OK;
}

/* ---- reading ---------------------------------------------------------------------------------------------------------- */

static int common_multiple(int a, int b)
{
    int many = a;
    while (many % b) many += a;
    return many;
}

/* Both texts have as many chunks: webui adds empty ones to the shorter, comfy repeats both, which attention does not see. */
static limn_status level(limn_ctx *ctx, const limn_recipe_part *part, limn_prompts *out)
{
    int most = 1, common = 1;
    for (int i = 0; i < out->n_texts; i++) {
        int n = out->text[i].n_chunks;
        if (n > MOST_CHUNKS)
            return limn_fail(ctx, LIMN_BAD_ARGUMENT, "expected a text of at most %d chunks of %d tokens, found %d",
                             MOST_CHUNKS, out->text[i].context - 2, n);
        most = n > most ? n : most, common = common_multiple(common, n);
    }
    out->n_chunks = out->style == LIMN_PROMPT_COMFY ? common : most;
    if (out->n_chunks > MOST_CHUNKS)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "prompt and negative prompt have %d and %d chunks, which meet after %d, "
                         "and at most %d are possible: make one of them shorter", out->text[0].n_chunks,
                         out->text[1].n_chunks, common, MOST_CHUNKS);
    limn_status status = LIMN_OK;
    for (int i = 0; i < out->n_texts && part->bpe && out->style == LIMN_PROMPT_WEBUI && status == LIMN_OK; i++)
        status = limn_prompt_extend(ctx, part->bpe, part->pad, most, &out->text[i]);
    return status;
}

limn_status limn_prompts_read_one(limn_ctx *ctx, const limn_recipe_part *part, limn_prompt_style style, const char *text,
                                  int context, limn_prompt *out)
{
    size_t n = strlen(text);
    if (part->unigram) return limn_prompt_read_unigram(ctx, part->unigram, part->lowers, style, text, n, context, out);
    limn_status status = limn_prompt_read(ctx, part->bpe, limn_embeddings_words(part->embeddings), style, text, n, context,
                                          part->pad, out);
    if (status == LIMN_OK) status = limn_embeddings_check(ctx, part->embeddings, style, out);
    if (status != LIMN_OK) limn_prompt_free(out);
    return status;
}

/* T5 has no chunks: what does not fit is lost. */
static void warn_of_cut(limn_ctx *ctx, const limn_recipe_part *part, const char *name, const limn_prompt *text)
{
    if (part->unigram && text->was_cut)
        limn_log(ctx, LIMN_LOG_WARN, "the %s is longer than the %d tokens that T5 reads of it; its end was cut off there",
                 name, text->context - 1);
}

/* The prompt and, when guided, the negative one (of networks that edit twice), in out->style. */
static limn_status read_texts(const limn_pipeline *p, const limn_generate_options *o, int encoder, int n_texts,
                              limn_prompts *out)
{
    const limn_recipe_part *part = limn_recipe_find_next(&p->recipe, LIMN_ROLE_TEXT, encoder);
    const char *said = o->prompt ? o->prompt : "";
    char *prompt = out->style == LIMN_PROMPT_PLAIN ? strdup(said) : limn_lora_tags_remove(said); /* limn_loras_of_prompt()
                                                                                                     has read them */
    const char *negative = o->negative ? o->negative : "";
    const char *const texts[LIMN_PROMPTS_MOST] = {prompt, negative, negative};
    limn_status status = prompt ? LIMN_OK : limn_fail_memory(p->ctx, strlen(said), "a prompt");
    int context = limn_model_interface(&p->text[encoder].settings).text_length;
    for (int i = 0; i < n_texts && status == LIMN_OK; i++) {
        status = limn_prompts_read_one(p->ctx, part, out->style, texts[i], context, &out->text[i]);
        if (status != LIMN_OK) break;
        out->n_texts++, out->weighted |= out->text[i].is_weighted;
        if (i < 2) warn_of_cut(p->ctx, part, i ? "negative prompt" : "prompt", &out->text[i]);
    }
    free(prompt);
    return status;
}

limn_status limn_prompts_read(const limn_pipeline *p, const limn_generate_options *o, int encoder, int n_texts,
                              limn_prompts *out)
{
    const limn_recipe_part *part = limn_recipe_find_next(&p->recipe, LIMN_ROLE_TEXT, encoder);
    *out = (limn_prompts){0};
    limn_status status = limn_prompts_check(p, o, &out->style);
    if (status != LIMN_OK || out->style == LIMN_PROMPT_PLAIN) return status;
    status = read_texts(p, o, encoder, n_texts, out);
    if (status == LIMN_OK && out->weighted && out->style == LIMN_PROMPT_COMFY)
        status = limn_prompts_read_one(p->ctx, part, out->style, "", out->text[0].context, &out->empty);
    if (status == LIMN_OK) status = level(p->ctx, part, out);
    if (status != LIMN_OK) limn_prompts_free(out);
    return status;
}

void limn_prompts_tell(const limn_pipeline *p, const limn_generate_options *o, limn_text *out)
{
    limn_prompts texts = {0};
    if (limn_embeddings_any(p->embeddings) && limn_prompts_check(p, o, &texts.style) == LIMN_OK &&
        read_texts(p, o, 0, 2, &texts) == LIMN_OK)
        limn_embeddings_tell(p->embeddings, texts.n_texts, texts.text, out);
    limn_prompts_free(&texts);
}

void limn_prompts_free(limn_prompts *p)
{
    for (int i = 0; i < LIMN_PROMPTS_MOST; i++) limn_prompt_free(&p->text[i]);
    limn_prompt_free(&p->empty);
    *p = (limn_prompts){0};
}

int limn_prompts_rows(const limn_prompts *p)
{
    return p->n_texts * p->n_chunks + p->empty.n_chunks;
}

/* ---- writing ---------------------------------------------------------------------------------------------------------- */

static void copy_chunk(const limn_prompt *from, int chunk, int row, int32_t *ids, int32_t *end, float *weight)
{
    size_t n = (size_t)from->context, at = (size_t)chunk * n, to = (size_t)row * n;
    memcpy(ids + to, from->ids + at, n * sizeof *ids);
    memcpy(weight + to, from->weight + at, n * sizeof *weight);
    end[row] = row * from->context + from->end[chunk];
}

/* What the part had before, and whether it is the same. */
static bool is_same(const limn_recipe_part *part, const limn_recipe_chunks *now, const int32_t *ids, size_t n_ids,
                    size_t n_weights)
{
    const limn_recipe_chunks *had = &part->chunks;
    return !part->changed && part->ids && memcmp(part->ids, ids, n_ids * sizeof *ids) == 0 && had->n == now->n &&
           had->style == now->style && had->with_empty == now->with_empty && !had->weight == !now->weight &&
           (!now->weight || memcmp(had->weight, now->weight, n_weights * sizeof *now->weight) == 0);
}

/* 1 for text, 0 for what fills it up, [rows, length]; all 1 where that is seen, too. */
limn_status limn_prompts_mask(limn_ctx *ctx, const limn_recipe_part *part, const int32_t *ids, int rows, int length,
                              float **out)
{
    const int32_t *end = ids + (ptrdiff_t)rows * length;
    float *mask = *out = malloc((size_t)rows * (size_t)length * sizeof *mask);
    if (!mask) return limn_fail_memory(ctx, (size_t)rows * (size_t)length * sizeof *mask, "a prompt");
    for (int b = 0; b < rows; b++)
        for (int t = 0; t < length; t++)
            mask[(ptrdiff_t)b * length + t] = !part->masks || b * length + t <= end[b];
    return LIMN_OK;
}

limn_status limn_prompts_write_ids(limn_ctx *ctx, limn_recipe_part *part, const int32_t *ids, int rows, int length)
{
    float *mask;
    size_t n = (size_t)rows * (size_t)length;
    limn_status status = limn_embeddings_write(ctx, part, ids, n);
    if (status == LIMN_OK) /* only networks that pool the text read it */
        status = limn_recipe_write(part, LIMN_PORT_TEXT_END, LIMN_I32, ids + n);
    if (status != LIMN_OK || !limn_port_node(part->job.ports, LIMN_PORT_MASK)) return status;
    status = limn_prompts_mask(ctx, part, ids, rows, length, &mask);
    if (status == LIMN_OK) status = limn_recipe_write(part, LIMN_PORT_MASK, LIMN_F32, mask);
    free(mask);
    return status;
}

limn_status limn_prompts_write(limn_ctx *ctx, const limn_prompts *p, limn_recipe_part *part)
{
    int rows = limn_prompts_rows(p), context = p->text[0].context, row = 0;
    size_t n_weights = (size_t)rows * (size_t)context, n_ids = n_weights + (size_t)rows;
    int32_t *ids = malloc(n_ids * sizeof *ids);
    float *weight = malloc(n_weights * sizeof *weight);
    limn_recipe_chunks chunks = {.n = p->n_chunks, .style = p->style, .with_empty = p->empty.n_chunks > 0};
    limn_status status = LIMN_OK;
    if (!ids || !weight) status = limn_fail_memory(ctx, n_ids * sizeof *ids + n_weights * sizeof *weight, "a prompt");
    for (int i = 0; i < p->n_texts && status == LIMN_OK; i++)
        for (int k = 0; k < p->n_chunks; k++, row++)
            copy_chunk(&p->text[i], k % p->text[i].n_chunks, row, ids, ids + n_weights, weight);
    if (status == LIMN_OK && p->empty.n_chunks) copy_chunk(&p->empty, 0, row, ids, ids + n_weights, weight);
    chunks.weight = p->weighted ? weight : NULL;
    bool same = status == LIMN_OK && is_same(part, &chunks, ids, n_ids, n_weights);
    if (status == LIMN_OK && !same) status = limn_prompts_write_ids(ctx, part, ids, rows, context);
    if (status != LIMN_OK || same) return free(ids), free(weight), status;
    free(part->ids);
    free(part->chunks.weight);
    if (!chunks.weight) free(weight);
    part->ids = ids, part->chunks = chunks;
    return LIMN_OK;
}
