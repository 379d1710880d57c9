/* generate.c: pictures and latents from options, in batches of what memory allows; a prompt to its features. */
#include "pipeline/generate.h"

#include "denoise/enlarge.h"
#include "file/latent.h"
#include "pipeline/autoencoder.h"
#include "pipeline/embeddings.h"
#include "pipeline/sampling.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

limn_generate_options limn_generate_defaults(void)
{
    return (limn_generate_options){.n = 1, .steps = 20, .guidance = 3, .image_guidance = 1.5, .seed = 42,
                                   .skip_layers = 0x380, .skip_layer_start = 0.01, .skip_layer_end = 0.2, .strength = 0.75,
                                   .hires_strength = 0.6, .resample = 5, .tiling = {.overlap = 0.5},
                                   .size_condition = {.score = 6, .negative_score = 2.5}};
}

/* The decoder has the room of the denoiser's activations, and then the denoiser that of the decoder's. */
static void release(limn_sampling *s, limn_role role)
{
    limn_recipe_part *part = limn_recipe_find(&s->p->recipe, role);
    if (part && limn_sampling_in_turn(s)) limn_recipe_release(&s->p->recipe, part);
}

static limn_status stopped(const limn_sampling *s)
{
    return limn_fail(s->p->ctx, LIMN_CANCELLED, "stopped after %lld of %lld steps", (long long)s->done, (long long)s->total);
}

/* All steps of the pictures under way. */
static limn_status make_steps(limn_sampling *s)
{
    limn_status status = LIMN_OK;
    while (status == LIMN_OK && s->k < s->calls) {
        status = limn_sampling_step(s);
        if (status == LIMN_OK && s->o.stepped && s->k < s->calls && !s->o.stepped(s->o.stepped_user, s)) status = stopped(s);
    }
    return status == LIMN_OK && !limn_progress(s->p->ctx, s->stage, s->done, s->total) ? stopped(s) : status;
}

/* Picture i of those under way, number k of all. */
static limn_status make_picture(limn_sampling *s, int i, int k, limn_image *out)
{
    limn_ctx *ctx = s->p->ctx;
    if (s->p->vae && !limn_progress(ctx, "decode", k, s->o.n))
        return limn_fail(ctx, LIMN_CANCELLED, "stopped after %d of %d pictures were decoded", k, s->o.n);
    limn_status status = limn_sampling_picture(s, i, out);
    if (status == LIMN_OK && s->p->vae && k + 1 == s->o.n) limn_progress(ctx, "decode", s->o.n, s->o.n);
    return status;
}

limn_status limn_sampling_run(limn_sampling *s, limn_image *images, limn_latent *latents)
{
    limn_status status = LIMN_OK;
    for (int first = 0; first < s->o.n && status == LIMN_OK; first += s->n) {
        if (s->n < s->o.n && !limn_progress(s->p->ctx, "picture", first, s->o.n)) return stopped(s);
        if (s->denoiser->changed && first) status = limn_sampling_conditions(s);
        if (status == LIMN_OK) status = limn_sampling_restart(s, first);
        if (status == LIMN_OK) status = make_steps(s);
        if (images) release(s, LIMN_ROLE_DENOISER);
        if (images) release(s, LIMN_ROLE_SKIPS);
        for (int i = 0; i < s->n && first + i < s->o.n && status == LIMN_OK; i++)
            status = images ? make_picture(s, i, first + i, &images[first + i])
                            : limn_sampling_latent(s, i, &latents[first + i]);
        if (images) release(s, LIMN_ROLE_DECODER);
    }
    return status;
}

/* ---- a second pass ---------------------------------------------------------------------------------------------------- */

typedef struct hires {
    limn_pipeline *p;
    limn_generate_options first, second; /* second: of one picture, from the latent `large` */
    limn_latent large;
} hires;

static limn_status check_hires(const limn_pipeline *p, const limn_generate_options *o)
{
    int steps = o->hires_steps ? o->hires_steps : o->steps;
    if (!(o->hires > 1 && o->hires <= 8))
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "expected a second pass (hires) of more than 1 and up to 8 times the "
                         "sides, found %.9g", o->hires);
    if (limn_model_interface(&p->settings).edits)
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "a second pass (hires) draws a picture anew, and %s changes one as a "
                         "text says: expected none", p->name);
    if (o->init || o->init_latent || o->between || o->small)
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "a second pass (hires) follows a picture that started from noise and is "
                         "not enlarged otherwise");
    if (!(o->hires_strength >= 0 && o->hires_strength <= 1) || o->hires_steps < 0 || o->hires_steps > 1000)
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "expected a second pass (hires) of a strength from 0 to 1 and 1 to 1000 "
                         "steps, found %.9g and %d", o->hires_strength, o->hires_steps);
    return limn_start_steps(p, steps, o->hires_strength) > 0
               ? LIMN_OK
               : limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "a second pass (hires) of a strength of %.9g of %d steps is no step: "
                           "expected one at least", o->hires_strength, steps);
}

/* What the second pass asks for, checked and its memory said, before the first begins. */
static limn_status plan_hires(hires *h, const limn_generate_options *o, limn_decoding decodes)
{
    limn_pipeline *p = h->p;
    limn_picture_sides sides = limn_generate_sides(p, o);
    int factor = p->vae ? p->vae->factor : 1, channels = limn_model_interface(&p->settings).channels;
    char what[80];
    h->first = h->second = *o;
    h->first.hires = h->second.hires = 0;
    h->second.n = 1, h->second.strength = o->hires_strength;
    h->second.width = (int)lround(sides.width * o->hires), h->second.height = (int)lround(sides.height * o->hires);
    if (o->hires_steps) h->second.steps = o->hires_steps;
    limn_format(what, sizeof what, "the second pass (hires %.9g), %d x %d", o->hires, h->second.width, h->second.height);
    limn_status status = limn_generate_check_sides(p, &h->second);
    if (status != LIMN_OK) return limn_fail_in(p->ctx, status, "%s", what);
    status = limn_latent_new(p->ctx, h->second.height / factor, h->second.width / factor, channels, &h->large);
    if (status != LIMN_OK) return status;
    memset(h->large.values, 0, (size_t)h->large.height * (size_t)h->large.width * (size_t)channels * sizeof(float));
    h->second.init_latent = &h->large;
    return limn_sampling_foresee(p, &h->second, decodes, what);
}

/* Picture i. */
static limn_status second_pass(hires *h, int i, const limn_latent *small, limn_image *image, limn_latent *latent)
{
    limn_sampling *s;
    limn_enlarged(small->values, 1, small->height, small->width, small->channels, h->large.height, h->large.width,
                  h->large.values);
    h->second.seed = h->first.seed + (uint64_t)i;
    if (h->first.n > 1 && !limn_progress(h->p->ctx, "picture", i, h->first.n))
        return limn_fail(h->p->ctx, LIMN_CANCELLED, "stopped after %d of %d pictures", i, h->first.n);
    limn_status status = limn_sampling_open(h->p, &h->second, image ? LIMN_DECODES_LAST : LIMN_DECODES_NEVER, &s);
    if (status != LIMN_OK) return status;
    s->stage = "second pass";
    s->done = i * s->total, s->total *= h->first.n;
    status = limn_sampling_run(s, image, latent);
    limn_sampling_end(s);
    return status;
}

static limn_status run_both(hires *h, limn_latent *small, limn_image *images, limn_latent *latents)
{
    limn_sampling *s;
    limn_status status = limn_sampling_open(h->p, &h->first, LIMN_DECODES_NEVER, &s);
    if (status == LIMN_OK) status = limn_sampling_run(s, NULL, small);
    limn_sampling_end(s);
    for (int i = 0; i < h->first.n && status == LIMN_OK; i++)
        status = second_pass(h, i, &small[i], images ? &images[i] : NULL, latents ? &latents[i] : NULL);
    return status;
}

/* Both passes, into images or latents, [n]. */
static limn_status in_two_passes(limn_pipeline *p, const limn_generate_options *o, limn_image *images, limn_latent *latents)
{
    hires h = {.p = p};
    limn_status status = check_hires(p, o);
    if (status == LIMN_OK) status = limn_sampling_check(p, o);
    if (status == LIMN_OK) status = plan_hires(&h, o, images ? LIMN_DECODES_LAST : LIMN_DECODES_NEVER);
    limn_latent *small = status == LIMN_OK ? calloc((size_t)o->n, sizeof *small) : NULL;
    if (status == LIMN_OK)
        status = small ? run_both(&h, small, images, latents)
                       : limn_fail_memory(p->ctx, (size_t)o->n * sizeof *small, "latents");
    for (int i = 0; small && i < o->n; i++) limn_latent_free(&small[i]);
    free(small);
    limn_latent_free(&h.large);
    return status;
}

/* ---- all at once ------------------------------------------------------------------------------------------------------ */

limn_status limn_generate(limn_pipeline *p, const limn_generate_options *o, limn_image *images)
{
    limn_sampling *s = NULL;
    for (int i = 0; i < o->n; i++) images[i] = (limn_image){0};
    limn_status status = limn_sampling_check_pictures(p);
    bool two = o->hires && o->hires != 1, stays = !two && o->init && limn_start_stays(p, o);
    if (status == LIMN_OK && !two)
        status = stays ? limn_sampling_check(p, o) : limn_sampling_open(p, o, LIMN_DECODES_LAST, &s);
    if (status == LIMN_OK)
        status = two     ? in_two_passes(p, o, images, NULL)
                 : stays ? limn_start_copy(p, o, images)
                         : limn_sampling_run(s, images, NULL);
    for (int i = 0; i < o->n && status != LIMN_OK; i++) limn_image_free(&images[i]);
    limn_sampling_end(s);
    return status;
}

limn_status limn_generate_latents(limn_pipeline *p, const limn_generate_options *o, limn_latent *latents)
{
    limn_sampling *s = NULL;
    for (int i = 0; i < o->n; i++) latents[i] = (limn_latent){0};
    bool two = o->hires && o->hires != 1;
    limn_status status = two ? limn_pipeline_check_idle(p) : limn_sampling_open(p, o, LIMN_DECODES_NEVER, &s);
    if (status == LIMN_OK) status = two ? in_two_passes(p, o, NULL, latents) : limn_sampling_run(s, NULL, latents);
    for (int i = 0; i < o->n && status != LIMN_OK; i++) limn_latent_free(&latents[i]);
    limn_sampling_end(s);
    return status;
}

/* ---- text alone ------------------------------------------------------------------------------------------------------- */

/* By encoder i beside the denoiser, or by the denoiser's own.  The job stays as it is until the next one. */
static limn_status read_text(limn_pipeline *p, int i, const char *text, limn_precision precision)
{
    static const char *const name = "prompt";
    limn_recipe_part *reader = &p->reader, *encoder = limn_recipe_find_next(&p->recipe, LIMN_ROLE_TEXT, i);
    limn_net_shape shape = {.batch = 1, .part = LIMN_PART_TEXT, .precision = precision};
    if (encoder) reader->unigram = encoder->unigram, reader->lowers = encoder->lowers, reader->masks = encoder->masks;
    reader->bpe = p->bpe, reader->pad = p->text[i].pad, reader->embeddings = encoder ? encoder->embeddings : NULL;
    reader->encoder = i, reader->net = (encoder ? encoder : limn_recipe_find(&p->recipe, LIMN_ROLE_DENOISER))->net;
    shape.vectors = limn_embeddings_any(reader->embeddings);
    shape.text_raw = encoder && encoder->raw, shape.text_skip = shape.text_raw,
    shape.text_pools = encoder && encoder->pools;
    reader->changed = !limn_job_serves(p->ctx, &reader->job, reader->net, &shape);
    limn_status status = limn_job_begin(p->ctx, reader->net, &shape, 0, &reader->job);
    if (status == LIMN_OK) status = limn_write_texts(p->ctx, reader, 1, &text, &name);
    return status == LIMN_OK ? limn_run_execute(reader->job.run) : status;
}

/* Features of one encoder into their block of a table [.., wide]. */
static limn_status take_features(limn_pipeline *p, const limn_pipeline_text *from, int wide, float *features)
{
    const limn_node *node = p->reader.job.ports->features;
    limn_shape s = limn_node_shape(node);
    size_t tokens = (size_t)s.dim[1], width = (size_t)s.dim[2];
    float *values = malloc(tokens * width * sizeof *values);
    float *to = features + (size_t)from->token * (size_t)wide + from->channel;
    if (!values) return limn_fail_memory(p->ctx, tokens * width * sizeof *values, "text");
    limn_status status = limn_job_output(p->ctx, &p->reader.job, node, "text", values);
    for (size_t t = 0; t < tokens && status == LIMN_OK; t++)
        memcpy(to + t * (size_t)wide, values + t * width, width * sizeof *values);
    free(values);
    return status;
}

/* What the denoiser reads of a whole text: the vector of the last encoder that makes one; with T5 beside them, those of
 * all. */
static limn_status take_pooled(limn_pipeline *p, const limn_pipeline_text *from, float *pooled)
{
    const limn_node *whole = p->reader.job.ports->pooled_text;
    if (!whole || !pooled) return LIMN_OK;
    return limn_job_output(p->ctx, &p->reader.job, whole, "text", pooled + (p->t5_tokens ? from->channel : 0));
}

limn_status limn_encode_text(limn_pipeline *p, const char *text, limn_precision precision, float *features, float *pooled)
{
    if (!limn_pipeline_reads_text(p))
        return limn_fail(p->ctx, LIMN_UNSUPPORTED, "%s: this %s reads no text", p->file, p->settings.family->name);
    limn_pipeline_info info = limn_pipeline_describe(p);
    limn_status status = LIMN_OK;
    if (p->t5_tokens) memset(features, 0, sizeof *features * (size_t)info.text_length * (size_t)info.text_width);
    if (p->t5_tokens && pooled) memset(pooled, 0, sizeof *pooled * (size_t)info.pooled_width);
    for (int i = 0; i < (p->n_texts ? p->n_texts : 1) && status == LIMN_OK; i++) {
        status = read_text(p, i, text, precision);
        if (status == LIMN_OK) status = take_features(p, &p->text[i], info.text_width, features);
        if (status == LIMN_OK) status = take_pooled(p, &p->text[i], pooled);
    }
    return status;
}
