/* generate.c: pictures and latents from options, in batches of what memory allows; a prompt to its features. */
#include "pipeline/generate.h"

#include "pipeline/sampling.h"

#include <stdlib.h>
#include <string.h>

limn_generate_options limn_generate_defaults(void)
{
    return (limn_generate_options){.n = 1, .steps = 20, .guidance = 3, .seed = 42, .strength = 0.75, .resample = 5};
}

/* Into images or latents, [n]. */
static limn_status run_all(limn_sampling *s, limn_image *images, limn_latent *latents)
{
    limn_status status = LIMN_OK;
    for (int first = 0; first < s->o.n && status == LIMN_OK; first += s->n) {
        status = limn_sampling_restart(s, first);
        while (status == LIMN_OK && s->k < s->calls) status = limn_sampling_step(s);
        for (int i = 0; i < s->n && first + i < s->o.n && status == LIMN_OK; i++)
            status = images ? limn_sampling_picture(s, i, &images[first + i])
                            : limn_sampling_latent(s, i, &latents[first + i]);
    }
    if (status == LIMN_OK) limn_progress(s->p->ctx, "step", s->total, s->total);
    return status;
}

limn_status limn_generate(limn_pipeline *p, const limn_generate_options *o, limn_image *images)
{
    limn_sampling *s = NULL;
    for (int i = 0; i < o->n; i++) images[i] = (limn_image){0};
    limn_status status = limn_sampling_check_pictures(p);
    bool stays = o->init && limn_start_stays(p, o);
    if (status == LIMN_OK) status = stays ? limn_sampling_check(p, o) : limn_sampling_open(p, o, true, &s);
    if (status == LIMN_OK) status = stays ? limn_start_copy(p, o, images) : run_all(s, images, NULL);
    for (int i = 0; i < o->n && status != LIMN_OK; i++) limn_image_free(&images[i]);
    limn_sampling_end(s);
    return status;
}

limn_status limn_generate_latents(limn_pipeline *p, const limn_generate_options *o, limn_latent *latents)
{
    limn_sampling *s = NULL;
    for (int i = 0; i < o->n; i++) latents[i] = (limn_latent){0};
    limn_status status = limn_sampling_open(p, o, false, &s);
    if (status == LIMN_OK) status = run_all(s, NULL, latents);
    for (int i = 0; i < o->n && status != LIMN_OK; i++) limn_latent_free(&latents[i]);
    limn_sampling_end(s);
    return status;
}

/* ---- text alone ------------------------------------------------------------------------------------------------------- */

limn_status limn_encode_text(limn_pipeline *p, const char *text, limn_precision precision, float *features, float *pooled)
{
    static const char *const name = "prompt";
    limn_recipe_part *reader = &p->reader, *encoder = limn_recipe_find(&p->recipe, LIMN_ROLE_TEXT);
    limn_net_shape shape = {.batch = 1, .part = LIMN_PART_TEXT, .precision = precision};
    if (!p->bpe) return limn_fail(p->ctx, LIMN_UNSUPPORTED, "%s: this %s reads no text", p->file, p->settings.family->name);
    reader->bpe = p->bpe, reader->pad = p->pad;
    reader->net = (encoder ? encoder : limn_recipe_find(&p->recipe, LIMN_ROLE_DENOISER))->net;
    reader->changed = !limn_job_serves(p->ctx, &reader->job, reader->net, &shape);
    limn_status status = limn_job_begin(p->ctx, reader->net, &shape, 0, &reader->job);
    if (status == LIMN_OK) status = limn_write_texts(p->ctx, reader, 1, &text, &name);
    if (status == LIMN_OK) status = limn_run_execute(reader->job.run);
    if (status == LIMN_OK)
        status = limn_job_output(p->ctx, &reader->job, reader->job.ports->features, "text", features);
    return status == LIMN_OK && pooled
               ? limn_job_output(p->ctx, &reader->job, reader->job.ports->pooled_text, "text", pooled)
               : status;
}
