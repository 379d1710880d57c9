/* conditions.c: what the networks see beside the picture: texts, labels, a small picture, the table of timesteps. */
#include "denoise/enlarge.h"
#include "denoise/picture.h"
#include "file/image.h"
#include "pipeline/embeddings.h"
#include "pipeline/sampling.h"

#include <stdlib.h>
#include <string.h>

/* One text of a plain style.  *n: its tokens with start and end */
static limn_status encode(limn_ctx *ctx, const limn_recipe_part *part, const char *text, int length, int32_t *ids, int *n,
                          bool *cut)
{
    limn_prompt prompt;
    if (!part->unigram && !limn_embeddings_any(part->embeddings))
        return limn_clip_bpe_encode(ctx, part->bpe, text, strlen(text), length, ids, n, cut);
    limn_status status = limn_prompts_read_one(ctx, part, LIMN_PROMPT_PLAIN, text, length, &prompt);
    if (status != LIMN_OK) return status;
    memcpy(ids, prompt.ids, (size_t)length * sizeof *ids);
    *n = prompt.end[0] + 1, *cut = prompt.was_cut;
    limn_prompt_free(&prompt);
    return LIMN_OK;
}

/* Ids [rows, length], then the row of each end token [rows]. */
static limn_status tokenize(limn_ctx *ctx, const limn_recipe_part *part, int rows, int length, int n_texts,
                            const char *const *texts, const char *const *names, int32_t *ids)
{
    int32_t *end = ids + (ptrdiff_t)rows * length;
    int n = 0;
    for (int b = 0; b < rows; b++) {
        int i = (int)((int64_t)b * n_texts / rows), before = b ? (int)((int64_t)(b - 1) * n_texts / rows) : -1;
        int32_t *row = ids + (ptrdiff_t)b * length;
        const char *text = texts[i] ? texts[i] : "";
        bool cut = false;
        limn_status status = LIMN_OK;
        if (i == before) memcpy(row, row - length, (size_t)length * sizeof *row);
        else status = encode(ctx, part, text, length, row, &n, &cut);
        if (status != LIMN_OK) return status;
        end[b] = b * length + n - 1;
        for (int k = n; k < length; k++) row[k] = part->pad;
        if (cut && names && names[i])
            limn_log(ctx, LIMN_LOG_WARN, "the %s is longer than %d tokens%s; its end was cut off", names[i],
                     length - (part->unigram ? 1 : 2), part->unigram ? " of T5" : "");
    }
    return LIMN_OK;
}

limn_status limn_write_texts(limn_ctx *ctx, limn_recipe_part *part, int n_texts, const char *const *texts,
                             const char *const *names)
{
    bool free_again = !part->job.run; /* its shape is that of the texts before, and so are these */
    if (!free_again && !part->job.ports->ids) return LIMN_OK;
    limn_shape shape = free_again ? part->port[LIMN_PORT_IDS].shape : limn_node_shape(part->job.ports->ids);
    int rows = free_again ? part->shape.batch : (int)shape.dim[0], length = (int)shape.dim[1];
    size_t n = (size_t)rows * (size_t)(length + 1);
    int32_t *ids = malloc(n * sizeof *ids);
    if (!ids) return limn_fail_memory(ctx, n * sizeof *ids, "a prompt");
    limn_status status = tokenize(ctx, part, rows, length, n_texts, texts, names, ids);
    bool chunks = part->chunks.n > 0;
    free(part->chunks.weight);
    part->chunks = (limn_recipe_chunks){0};
    if (status == LIMN_OK && !chunks && !part->changed && part->ids && memcmp(part->ids, ids, n * sizeof *ids) == 0)
        return free(ids), LIMN_OK;
    if (status == LIMN_OK) status = limn_prompts_write_ids(ctx, part, ids, rows, length);
    free(part->ids);
    part->ids = status == LIMN_OK ? ids : NULL;
    if (status != LIMN_OK) free(ids);
    return status;
}

/* Without a negative text features are 0 where a model was trained so: in plain style, as in diffusers, where none is given;
 * in A1111's also where it is empty; in ComfyUI's never. */
static unsigned zero_texts(const limn_sampling *s, limn_prompt_style style)
{
    const char *negative = s->o.negative;
    bool none = !negative || (style == LIMN_PROMPT_WEBUI && !*negative);
    return s->p->zero_negative && style != LIMN_PROMPT_COMFY && none ? (1u << s->rows_each) - 2 : 0; /* all but the first */
}

static limn_status set_texts(limn_sampling *s)
{
    const char *const texts[] = {s->o.prompt, s->o.negative, s->o.negative};
    const char *const names[] = {"prompt", "negative prompt", NULL};
    limn_recipe *r = &s->p->recipe;
    limn_status status = LIMN_OK;
    for (int i = 0, encoder = 0; i < r->n_parts && status == LIMN_OK; i++) {
        limn_recipe_part *part = &r->part[i];
        if (!part->bpe && !part->unigram) continue;
        bool text = part->role == LIMN_ROLE_TEXT, first = (encoder == 0 || part->unigram) && !s->first;
        const limn_prompts *prompts = &s->prompts[text ? encoder++ : 0];
        if (prompts->n_texts && text) status = limn_prompts_write(s->p->ctx, prompts, part);
        else status = limn_write_texts(s->p->ctx, part, s->rows_each, texts, first ? names : NULL);
        if (text) limn_recipe_zero_texts(r, part, zero_texts(s, prompts->style));
    }
    return status;
}

/* Which tokens of T5's are text, where the denoiser is told: rows of each text as those of the batch. */
static limn_status set_mask(limn_sampling *s)
{
    const limn_recipe_part *text = limn_recipe_find(&s->p->recipe, LIMN_ROLE_TEXT);
    const limn_node *node = limn_port_node(s->denoiser->job.ports, LIMN_PORT_MASK);
    float *mask, *to;
    if (!node || !text || !text->ids) return LIMN_OK;
    limn_shape shape = limn_node_shape(node);
    int rows = (int)shape.dim[0], length = (int)shape.dim[1], texts = s->rows_each + text->chunks.with_empty;
    limn_status status = limn_prompts_mask(s->p->ctx, text, text->ids, texts, length, &mask);
    if (status != LIMN_OK) return status;
    size_t row = (size_t)length * sizeof *to;
    if (!(to = malloc((size_t)rows * row))) status = limn_fail_memory(s->p->ctx, (size_t)rows * row, "a prompt");
    for (int b = 0; b < rows && status == LIMN_OK; b++)
        memcpy(to + (ptrdiff_t)b * length, mask + (ptrdiff_t)(b * s->rows_each / rows) * length, row);
    if (status == LIMN_OK) status = limn_recipe_write(s->denoiser, LIMN_PORT_MASK, LIMN_F32, to);
    free(mask), free(to);
    return status;
}

/* Height and width as if the picture had been enlarged or cut to what it is, where it was cut, and its own; the refiner's
 * last number is a score of beauty.  Podell et al. 2023, section 2.2 */
static limn_status set_sizes(limn_sampling *s)
{
    int rows = s->denoiser->job.shape.batch, n = limn_model_interface(&s->p->settings).sizes;
    const limn_size_condition *c = &s->o.size_condition;
    limn_picture_sides sides = limn_generate_sides(s->p, &s->o);
    if (!n) return LIMN_OK;
    float *to = malloc((size_t)rows * (size_t)n * sizeof *to);
    if (!to) return limn_fail_memory(s->p->ctx, (size_t)rows * (size_t)n * sizeof *to, "sizes");
    const double told[] = {c->height ? c->height : sides.height, c->width ? c->width : sides.width, c->top, c->left,
                           c->target_height ? c->target_height : sides.height,
                           c->target_width ? c->target_width : sides.width};
    for (int b = 0; b < rows; b++) {
        bool negative = b >= rows / s->rows_each;
        for (int k = 0; k < n; k++) to[b * n + k] = k < 6 ? (float)told[k] : 0;
        if (n == 5) to[b * n + 4] = (float)(negative ? c->negative_score : c->score);
    }
    limn_status status = limn_recipe_write(s->denoiser, LIMN_PORT_SIZES, LIMN_F32, to);
    free(to);
    return status;
}

/* Sides in pixels, and their ratio.  Chen et al. 2023 */
static limn_status set_resolution(limn_sampling *s)
{
    int rows = s->denoiser->job.shape.batch;
    limn_picture_sides sides = limn_generate_sides(s->p, &s->o);
    if (!limn_port_node(s->denoiser->job.ports, LIMN_PORT_RESOLUTION)) return LIMN_OK;
    float *to = malloc((size_t)rows * 3 * sizeof *to);
    if (!to) return limn_fail_memory(s->p->ctx, (size_t)rows * 3 * sizeof *to, "sizes");
    for (int b = 0; b < rows; b++)
        to[3 * b] = (float)sides.height, to[3 * b + 1] = (float)sides.width,
        to[3 * b + 2] = (float)sides.height / (float)sides.width;
    limn_status status = limn_recipe_write(s->denoiser, LIMN_PORT_RESOLUTION, LIMN_F32, to);
    free(to);
    return status;
}

static limn_status set_labels(limn_sampling *s)
{
    int batch = s->denoiser->job.shape.batch;
    if (!s->denoiser->job.ports->label) return LIMN_OK;
    int32_t *to = malloc((size_t)batch * sizeof *to);
    if (!to) return limn_fail_memory(s->p->ctx, (size_t)batch * sizeof *to, "labels");
    for (int b = 0; b < batch; b++) to[b] = b < s->n ? s->o.label : limn_model_interface(&s->p->settings).classes;
    limn_status status = limn_recipe_write(s->denoiser, LIMN_PORT_LABEL, LIMN_I32, to);
    free(to);
    return status;
}

/* The small picture, enlarged, for every row of the batch. */
static limn_status set_small(limn_sampling *s)
{
    if (!s->denoiser->job.ports->condition || !s->o.small) return LIMN_OK;
    limn_image small = {0};
    size_t batch = (size_t)s->denoiser->job.shape.batch;
    float *to = malloc(batch * s->size * sizeof *to), *values = malloc(s->size * sizeof *values);
    limn_status status = to && values
                             ? limn_image_copy(s->p->ctx, s->o.small, s->channels, &small)
                             : limn_fail_memory(s->p->ctx, (batch + 1) * s->size * sizeof *to, "a small picture");
    if (status == LIMN_OK) {
        limn_picture_values(&small, values);
        for (size_t b = 0; b < batch; b++)
            limn_enlarged(values, 1, small.height, small.width, s->channels, s->height, s->width, to + b * s->size);
        status = limn_recipe_write(s->denoiser, LIMN_PORT_CONDITION, LIMN_F32, to);
    }
    limn_image_free(&small);
    free(values);
    free(to);
    return status;
}

limn_status limn_sampling_show(limn_sampling *s)
{
    const limn_start *start = &s->start;
    size_t n = (size_t)s->n * start->condition_size, rows = (size_t)s->rows_each;
    if (!start->condition || rows == 1)
        return start->condition ? limn_recipe_write(s->denoiser, LIMN_PORT_CONDITION, LIMN_F32, start->condition) : LIMN_OK;
    float *to = calloc(rows * n, sizeof *to);
    if (!to) return limn_fail_memory(s->p->ctx, rows * n * sizeof *to, "what the network sees");
    for (size_t k = 0; k < 2; k++) memcpy(to + k * n, start->condition, n * sizeof *to); /* a third sees none: zeros */
    limn_status status = limn_recipe_write(s->denoiser, LIMN_PORT_CONDITION, LIMN_F32, to);
    free(to);
    return status;
}

static limn_status set_guidance(limn_sampling *s)
{
    float w = (float)(s->o.guidance - 1);
    return limn_recipe_write(s->denoiser, LIMN_PORT_GUIDANCE, LIMN_F32, &w);
}

/* Rows that the sampler has no use for are those of timestep 0. */
static limn_status set_timesteps(limn_sampling *s)
{
    size_t n = (size_t)s->denoiser->job.n_times;
    float *times = calloc(n, sizeof *times);
    if (!times) return limn_fail_memory(s->p->ctx, n * sizeof *times, "timesteps");
    for (int k = 0; k < s->calls; k++) times[k] = (float)limn_sampler_timestep(s->sampler, k);
    limn_status status = limn_recipe_write(s->denoiser, LIMN_PORT_TIMESTEPS, LIMN_F32, times);
    if (status == LIMN_OK && s->skips) status = limn_recipe_write(s->skips, LIMN_PORT_TIMESTEPS, LIMN_F32, times);
    free(times);
    return status;
}

limn_status limn_sampling_conditions(limn_sampling *s)
{
    limn_status status = set_texts(s);
    if (status == LIMN_OK) status = set_mask(s);
    if (status == LIMN_OK) status = set_sizes(s);
    if (status == LIMN_OK) status = set_resolution(s);
    if (status == LIMN_OK) status = set_labels(s);
    if (status == LIMN_OK) status = set_small(s);
    if (status == LIMN_OK) status = set_guidance(s);
    return status == LIMN_OK ? set_timesteps(s) : status;
}
