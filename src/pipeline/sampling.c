/* sampling.c: noise -> network -> sampler -> pictures, a call at a time. */
#include "pipeline/sampling.h"

#include "denoise/guidance.h"
#include "denoise/picture.h"
#include "file/image.h"
#include "file/latent.h"
#include "pipeline/autoencoder.h"
#include "pipeline/loras.h"
#include "pipeline/probe.h"
#include "pipeline/published.h"
#include "tensor/tensor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_STEPS = 1000, MAX_PICTURES = 65536, TOGETHER = 16 };

/* ---- options ---------------------------------------------------------------------------------------------------------- */

static limn_status check_small(const limn_pipeline *p, const limn_generate_options *o)
{
    limn_pipeline_info info = limn_pipeline_describe(p);
    limn_picture_sides sides = limn_generate_sides(p, o);
    const limn_image *small = o->small;
    if (small && !info.enlarges)
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT,
                         "%s does not enlarge pictures: it was trained without the setting enlarge", p->name);
    if (!small && info.enlarges)
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT,
                         "%s enlarges pictures, and there is none to enlarge: limn upscale does that", p->name);
    if (small && info.makes_latents)
        return limn_fail(p->ctx, LIMN_UNSUPPORTED, "%s: it enlarges latents, of which small pictures are none", p->file);
    if (!small || (small->width * info.enlarges == sides.width && small->height * info.enlarges == sides.height))
        return LIMN_OK;
    return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "%s enlarges pictures of %d x %d to %d x %d, found one of %d x %d", p->name,
                     sides.width / info.enlarges, sides.height / info.enlarges, sides.width, sides.height, small->width,
                     small->height);
}

limn_status limn_sampling_check_pictures(const limn_pipeline *p)
{
    limn_pipeline_info info = limn_pipeline_describe(p);
    if (info.makes_latents && !p->vae)
        return limn_fail(p->ctx, LIMN_UNSUPPORTED,
                         "%s: its %d channels are a latent: an autoencoder must make pictures of it", p->file,
                         info.channels);
    if (info.channels != 1 && info.channels != 3 && info.channels != 4)
        return limn_fail(p->ctx, LIMN_UNSUPPORTED, "%s: %d channels are no picture", p->file, info.channels);
    return LIMN_OK;
}

static limn_status check_skips(const limn_pipeline *p, const limn_generate_options *o)
{
    int blocks = limn_model_interface(&p->settings).blocks, known = blocks < 64 ? blocks : 64;
    if (!(fabs(o->slg_scale) <= 100))
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "expected a scale of skip-layer guidance from -100 to 100, found %.9g",
                         o->slg_scale);
    if (o->slg_scale == 0) return LIMN_OK;
    if (!limn_recipe_find(&p->recipe, LIMN_ROLE_SKIPS))
        return limn_fail(p->ctx, LIMN_UNSUPPORTED, "%s has no blocks that could be left out, as Stable Diffusion 3's "
                         "network has: leave skip-layer guidance out", p->name);
    if (!o->skip_layers || (known < 64 && o->skip_layers >> known))
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "expected blocks to leave out from 0 to %d, found %s", known - 1,
                         o->skip_layers ? "others" : "none");
    if (!(o->skip_layer_start >= 0 && o->skip_layer_start < o->skip_layer_end && o->skip_layer_end <= 1))
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "expected skip-layer guidance from one part of the steps to a later "
                         "one, 0 to 1, found %.9g to %.9g", o->skip_layer_start, o->skip_layer_end);
    return LIMN_OK;
}

static limn_status check(const limn_pipeline *p, const limn_generate_options *o)
{
    limn_pipeline_info info = limn_pipeline_describe(p);
    if (o->n < 1 || o->n > MAX_PICTURES)
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "expected 1 to %d pictures, found %d", MAX_PICTURES, o->n);
    if (o->steps < 1 || o->steps > MAX_STEPS)
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "expected 1 to %d steps, found %d", MAX_STEPS, o->steps);
    if (!(o->guidance >= 0 && o->guidance <= 1000))
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "expected a guidance scale from 0 to 1000, found %.9g", o->guidance);
    if (info.edits && !(o->image_guidance >= 0 && o->image_guidance <= 1000))
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "expected an image guidance scale from 0 to 1000, found %.9g",
                         o->image_guidance);
    if (!(o->guidance_rescale >= 0 && o->guidance_rescale <= 1))
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "expected a guidance rescale from 0 to 1, found %.9g",
                         o->guidance_rescale);
    bool none = info.classes && !limn_model_interface(&p->settings).always_labelled; /* a row of the table for it */
    if (info.classes && (o->label < 0 || o->label >= info.classes + none)) {
        char last[48] = "";
        if (none) snprintf(last, sizeof last, ", or %d for none", info.classes);
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "expected a class from 0 to %d%s, found %d", info.classes - 1, last,
                         o->label);
    }
    if (info.makes_latents && !p->vae && o->init)
        return limn_fail(p->ctx, LIMN_UNSUPPORTED,
                         "%s: its %d channels are a latent: an autoencoder must make one of the picture to start from",
                         p->file, info.channels);
    limn_prompt_style style;
    limn_preview preview;
    bool rescales = o->guidance_rescale != 0;
    if (info.told_guidance && ((o->negative && *o->negative) || rescales))
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "%s is told the guidance and makes no picture without the prompt, which "
                         "%s would change: leave it out", p->name, rescales ? "guidance rescale" : "a negative prompt");
    if (o->tiling.on && !info.makes_latents)
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "%s makes pixels, and no autoencoder that could work in tiles: leave "
                         "tiling out", p->name);
    limn_status status = limn_generate_check_sides(p, o);
    if (status == LIMN_OK) status = limn_tiling_check(p->ctx, &o->tiling);
    if (status == LIMN_OK) status = check_skips(p, o);
    if (status == LIMN_OK) status = limn_prompts_check(p, o, &style);
    if (status == LIMN_OK) status = limn_preview_find(p, o, &preview);
    return status == LIMN_OK ? check_small(p, o) : status;
}

/* A model of cut-out figures has never seen one on paper: the paper would be taken for a part of the figure. */
static void warn_of_ground(const limn_pipeline *p, const limn_image *init)
{
    if (!init || init->channels % 2 == 0 || limn_pipeline_describe(p).channels != 4) return;
    limn_log(p->ctx, LIMN_LOG_WARN,
             "the picture has no transparency, and %s draws figures that stand on nothing: cut out what the picture shows, "
             "or little of it will be recognised",
             p->name);
}

/* Of a network that edits: one scale turns off what the other asks for; a photograph is larger than what it learned from. */
static void warn_of_edit(const limn_sampling *s)
{
    const limn_generate_options *o = &s->o;
    limn_pipeline_info info = limn_pipeline_describe(s->p);
    limn_picture_sides sides = limn_generate_sides(s->p, o);
    double usual = (double)info.width * info.height, all = (double)sides.width * sides.height;
    if (!info.edits) return;
    if (s->rows_each == 1 && info.guides && !info.told_guidance)
        limn_log(s->p->ctx, o->guidance == 1 ? LIMN_LOG_INFO : LIMN_LOG_WARN, "guidance %.9g and image guidance %.9g are "
                 "none, neither by the text nor by the picture: it takes more than 1 and at least 1", o->guidance,
                 o->image_guidance);
    if (!o->width && !o->height && all > 4 * usual)
        limn_log(s->p->ctx, LIMN_LOG_WARN, "the picture stays as large as it was, %d x %d, and %s draws best near %d x %d: "
                 "-W or -H says how large it becomes", sides.width, sides.height, s->p->name, info.width, info.height);
}

/* Others count a layer that is never read. */
static void tell_skipped(const limn_pipeline *p, int skip)
{
    if (skip < 2 || !limn_published_is_sd2(p)) return;
    limn_log(p->ctx, LIMN_LOG_INFO, "clip skip %d leaves out %d of the layers that Stable Diffusion 2 reads, as diffusers "
             "has it; sd-cli and ComfyUI count one more, which it never reads: there it is %d", skip, skip - 1, skip + 1);
}

/* Pixels that are averaged or repeated have other noise. */
static void warn_of_noise(const limn_pipeline *p, const limn_generate_options *o)
{
    limn_picture_sides sides = limn_generate_sides(p, o);
    if (!(o->noise > 0) || !o->init || (o->init->width == sides.width && o->init->height == sides.height)) return;
    limn_log(p->ctx, LIMN_LOG_WARN, "the picture is brought from %d x %d to %d x %d pixels, and its noise is then another "
             "than %.4g", o->init->width, o->init->height, sides.width, sides.height, o->noise);
}

/* ---- begin ------------------------------------------------------------------------------------------------------------ */

/* A function that is called between steps may ask for a picture. */
static bool decodes_in_turn(const limn_sampling *s)
{
    return s->p->vae && s->decodes == LIMN_DECODES_LAST && !s->o.stepped;
}

/* Rows of the text encoders, and tokens that the denoiser reads: T5's, and behind them those in chunks, of which both CLIP
 * encoders have as many. */
static void size_texts(const limn_sampling *s, limn_recipe_shape *out)
{
    const limn_pipeline *p = s->p;
    int chunks = 0, tokens = 0;
    out->texts = out->whole_texts = s->rows_each;
    for (int i = 0; i < p->n_texts; i++) {
        const limn_prompts *texts = &s->prompts[i];
        bool whole = p->text[i].whole;
        if (!whole && !tokens) tokens = limn_model_interface(&p->text[i].settings).text_length, chunks = 1;
        if (!texts->n_texts) continue;
        *(whole ? &out->whole_texts : &out->texts) = limn_prompts_rows(texts);
        if (!whole) chunks = texts->n_chunks;
    }
    bool as_set = !p->t5_tokens && !(p->n_texts && s->prompts[0].n_texts);
    out->text_length = as_set ? 0 : p->t5_tokens + chunks * tokens;
}

/* What the networks are planned for with s->n pictures at a time. */
static limn_recipe_shape recipe_shape(const limn_sampling *s)
{
    const limn_pipeline *p = s->p;
    int rows_each = s->rows_each, factor = p->vae ? p->vae->factor : 1;
    bool inpaints = limn_model_interface(&p->settings).inpaints, edits = limn_model_interface(&p->settings).edits;
    size_t decoded = (size_t)s->height * (size_t)s->width * (size_t)factor * (size_t)factor * 4;
    size_t each = (size_t)(11 + rows_each) * s->size + (size_t)rows_each * s->out_size; /* x, what samplers keep, what it
                                                                                        * starts from, input, output */
    if (inpaints) each += 2 * (size_t)(1 + rows_each) * s->size; /* mask and latent, for each row once more */
    if (edits) each += (size_t)(1 + rows_each) * s->size;
    if (s->skips) each += s->out_size;
    bool tiny = s->preview == LIMN_PREVIEW_TINY;
    bool on_the_way = s->preview == LIMN_PREVIEW_FULL || (tiny && !p->tiny), decodes = s->decodes || on_the_way;
    limn_recipe_shape shape = {
        .text_skip = s->o.clip_skip > 1 ? s->o.clip_skip - 1 : 0,
        .pictures = s->n, .left_out = s->skips ? s->o.skip_layers : 0,
        .n_times = limn_sampler_calls(s->sampler), .height = s->height, .width = s->width,
        .factor = factor, .encodes = p->vae && (s->o.init || inpaints),
        .decodes = p->vae && (decodes || s->o.noise > 0),
        .tiling = s->o.tiling, .in_turn = decodes_in_turn(s) && !on_the_way,
        .previews = tiny && p->tiny, .preview_factor = p->tiny ? p->tiny->factor : 1,
        .precision = s->o.precision, .rows = s->n * rows_each,
        .buffers = ((size_t)s->n * each + (p->vae ? decoded : 0)) * sizeof(float)};
    size_texts(s, &shape);
    return shape;
}

/* Of pictures, to those of the network. */
static void set_sides(limn_sampling *s, limn_picture_sides sides)
{
    int factor = s->p->vae ? s->p->vae->factor : 1;
    s->height = sides.height / factor, s->width = sides.width / factor;
    s->size = (size_t)s->height * (size_t)s->width * (size_t)s->channels,
    s->out_size = s->size / (size_t)s->channels * (size_t)s->out_channels;
}

/* There is no memory for one picture: to that sentence the largest sides of these proportions for which there is, in
 * sixteenths.  Where memory ran out otherwise, or no sides will do, it stays as it is. */
static limn_status name_sides_that_fit(const limn_sampling *s)
{
    limn_ctx *ctx = s->p->ctx;
    limn_sampling smaller = *s;
    limn_picture_sides all = limn_generate_sides(s->p, &s->o);
    char sentence[1024];
    snprintf(sentence, sizeof sentence, "%s", limn_error_text(ctx));
    for (int k = 16; k; k--) {
        limn_picture_sides sides = {all.width * k / 16, all.height * k / 16};
        smaller.o.width = sides.width, smaller.o.height = sides.height;
        if (sides.width < 1 || sides.height < 1 || limn_generate_check_sides(s->p, &smaller.o) != LIMN_OK) continue;
        set_sides(&smaller, sides);
        limn_recipe_shape shape = recipe_shape(&smaller);
        if (!limn_recipe_fits(ctx, &s->p->recipe, &shape)) continue;
        if (k == 16) break;
        return limn_fail(ctx, LIMN_NO_MEMORY, "%s; %d x %d would fit", sentence, sides.width, sides.height);
    }
    return limn_fail(ctx, LIMN_NO_MEMORY, "%s", sentence);
}

/* Pictures at a time: as many as fit, TOGETHER at most, in batches of nearly the same size. */
static limn_status plan_batch(limn_sampling *s)
{
    int n = s->o.n;
    for (int most = n < TOGETHER ? n : TOGETHER;; most /= 2) {
        int batches = (n + most - 1) / most;
        s->n = (n + batches - 1) / batches;
        limn_recipe_shape shape = recipe_shape(s);
        limn_status status = limn_recipe_begin(s->p->ctx, &s->p->recipe, &shape);
        if (status == LIMN_NO_MEMORY && most == 1) return name_sides_that_fit(s);
        if (status != LIMN_NO_MEMORY) return status;
    }
}

static limn_status take_buffers(limn_sampling *s)
{
    size_t rows = (size_t)s->denoiser->job.shape.batch, floats = (size_t)s->n * s->size, in_floats = rows * s->size,
           out_floats = rows * s->out_size;
    s->x = malloc(floats * sizeof *s->x), s->input = malloc(in_floats * sizeof *s->input),
    s->output = malloc(out_floats * sizeof *s->output);
    if (s->skips) s->skipped = malloc((size_t)s->n * s->out_size * sizeof *s->skipped);
    return s->x && s->input && s->output && (s->skipped || !s->skips)
               ? LIMN_OK
               : limn_fail_memory(s->p->ctx, (floats + in_floats + out_floats) * sizeof *s->x, "pictures");
}

/* As in diffusers networks that edit are guided by both scales, or not at all; of an image guidance of 1 what sees neither
 * text nor picture falls out. */
static int count_rows(const limn_pipeline *p, const limn_generate_options *o)
{
    limn_pipeline_info info = limn_pipeline_describe(p);
    if (!info.guides || info.told_guidance) return 1;
    if (info.edits) return !(o->guidance > 1 && o->image_guidance >= 1) ? 1 : o->image_guidance > 1 ? 3 : 2;
    return o->guidance != 1 ? 2 : 1;
}

static void take_sizes(limn_sampling *s, const limn_sampler_options *sampling)
{
    const limn_pipeline *p = s->p;
    s->channels = sampling->channels, s->out_channels = sampling->out_channels;
    set_sides(s, limn_generate_sides(p, &s->o));
    s->rows_each = count_rows(p, &s->o);
    s->guided_channels = limn_published_guided(p);
}

/* Options to a sampler. */
static limn_status make_sampler(const limn_pipeline *p, const limn_generate_options *o, limn_sampler_options *sampling,
                                limn_sampler **out)
{
    limn_status status = check(p, o);
    *out = NULL;
    if (status == LIMN_OK) status = limn_start_check(p, o);
    if (status == LIMN_OK) status = limn_generate_sampler(p, o, sampling);
    return status == LIMN_OK ? limn_sampler_new(p->ctx, sampling, out) : status;
}

limn_status limn_sampling_check(const limn_pipeline *p, const limn_generate_options *o)
{
    limn_sampler_options sampling;
    limn_sampler *sampler;
    limn_status status = make_sampler(p, o, &sampling, &sampler);
    limn_sampler_free(sampler);
    return status;
}

/* diffusers guides above 1 only, and models that are drawn without (Turbo) are run with 0 there; elsewhere 0 would be the
 * picture of the negative prompt. */
static bool is_unguided(const limn_pipeline *p, const limn_generate_options *o)
{
    limn_pipeline_info info = limn_pipeline_describe(p);
    return o->guidance == 0 && limn_pipeline_follows_diffusers(p) && !info.told_guidance && !info.edits;
}

/* All that plans hang on. */
static limn_status read_options(limn_sampling *s)
{
    limn_sampler_options sampling;
    if (is_unguided(s->p, &s->o)) s->o.guidance = 1;
    limn_status status = make_sampler(s->p, &s->o, &sampling, &s->sampler);
    if (status == LIMN_OK) status = limn_preview_find(s->p, &s->o, &s->preview);
    if (status != LIMN_OK) return status;
    take_sizes(s, &sampling);
    s->stage = "step";
    s->denoiser = limn_recipe_find(&s->p->recipe, LIMN_ROLE_DENOISER);
    s->skips = s->o.slg_scale != 0 ? limn_recipe_find(&s->p->recipe, LIMN_ROLE_SKIPS) : NULL;
    s->calls = limn_start_stays(s->p, &s->o) ? 0 : limn_sampler_calls(s->sampler);
    status = limn_prompts_read(s->p, &s->o, 0, s->rows_each, &s->prompts[0]);
    for (int i = 1; i < s->p->n_texts && status == LIMN_OK; i++)
        status = limn_prompts_read(s->p, &s->o, i, s->rows_each, &s->prompts[i]);
    return status;
}

static void free_prompts(limn_sampling *s)
{
    for (int i = 0; i < LIMN_TEXT_ENCODERS; i++) limn_prompts_free(&s->prompts[i]);
}

/* Where the noise of a latent was measured, or what the network predicts was found out; as many calls as were planned. */
static limn_status renew_sampler(limn_sampling *s)
{
    limn_sampler_options sampling;
    limn_status status = limn_generate_sampler(s->p, &s->o, &sampling);
    limn_sampler_free(s->sampler);
    s->sampler = NULL;
    if (s->start.sigma > 0) sampling.from_sigma = s->start.sigma;
    return status == LIMN_OK ? limn_sampler_new(s->p->ctx, &sampling, &s->sampler) : status;
}

limn_status limn_sampling_foresee(limn_pipeline *p, const limn_generate_options *o, limn_decoding decodes,
                                  const char *what)
{
    limn_sampling s = {.p = p, .o = *o, .decodes = decodes, .n = 1};
    limn_status status = read_options(&s);
    if (status == LIMN_OK) {
        limn_recipe_shape shape = recipe_shape(&s);
        status = limn_recipe_foresee(p->ctx, &p->recipe, &shape, what);
    }
    limn_sampler_free(s.sampler);
    free_prompts(&s);
    return status;
}

static limn_status open_sampling(limn_sampling *s)
{
    limn_pipeline *p = s->p;
    double guidance = s->o.guidance;
    limn_status status = read_options(s);
    if (status == LIMN_OK && !s->decodes && p->makes_latents && s->o.noise_left > 0)
        status = limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "noise that is left is a picture's: a latent has none, found %.9g",
                           s->o.noise_left);
    if (status != LIMN_OK) return status;
    if (guidance == 0 && s->o.guidance == 1)
        limn_log(p->ctx, LIMN_LOG_INFO, "a guidance of 0 is none, as diffusers has it: the same as 1%s",
                 s->o.negative && *s->o.negative ? ", and the negative prompt is not read" : "");
    tell_skipped(p, s->o.clip_skip);
    warn_of_ground(p, s->o.init);
    warn_of_noise(p, &s->o);
    warn_of_edit(s);
    status = plan_batch(s);
    if (status == LIMN_OK) status = limn_start_new(p, &s->o, s->n, s->height, s->width, s->channels, &s->start);
    if (status == LIMN_OK && s->start.sigma > 0) status = renew_sampler(s);
    if (status != LIMN_OK) return status;
    for (int k = 0; k < s->calls; k++) s->total += limn_start_repeats(&s->start, s->sampler, k);
    s->total *= (s->o.n + s->n - 1) / s->n;
    status = take_buffers(s);
    bool changes = false;
    if (status == LIMN_OK) status = limn_sampling_conditions(s);
    if (status == LIMN_OK && s->calls && !s->o.prediction) status = limn_probe_prediction(p, s->o.precision, &changes);
    if (status == LIMN_OK && changes) status = renew_sampler(s);
    return status == LIMN_OK ? limn_recipe_load(p->ctx, &p->recipe) : status;
}

limn_status limn_sampling_open(limn_pipeline *p, const limn_generate_options *o, limn_decoding decodes, limn_sampling **out)
{
    *out = NULL;
    limn_status status = limn_pipeline_check_idle(p);
    if (status == LIMN_OK) status = limn_loras_of_prompt(p, o);
    if (status != LIMN_OK) return status;
    limn_sampling *s = *out = calloc(1, sizeof *s);
    if (!s) return limn_fail_memory(p->ctx, sizeof *s, "pictures");
    s->p = p, s->o = *o, s->decodes = decodes;
    p->under_way = p->ctx->tells_load = true;
    limn_job_end(&p->reader.job);
    status = open_sampling(s);
    if (status == LIMN_OK) return LIMN_OK;
    limn_sampling_end(s);
    *out = NULL;
    return status;
}

limn_status limn_sampling_begin(limn_pipeline *p, const limn_generate_options *o, limn_sampling **out)
{
    *out = NULL;
    if (o->hires && o->hires != 1)
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "a second pass (hires) is for limn_generate(), and pictures under way "
                         "are of one pass");
    limn_status status = limn_sampling_open(p, o, LIMN_DECODES_ANY_TIME, out);
    if (status == LIMN_OK && (*out)->n < o->n)
        status = limn_fail(p->ctx, LIMN_NO_MEMORY, "%d pictures are more than can be under way at once here, %d: begin with "
                           "fewer", o->n, (*out)->n);
    if (status == LIMN_OK) status = limn_sampling_restart(*out, 0);
    if (status == LIMN_OK) return LIMN_OK;
    limn_sampling_end(*out);
    *out = NULL;
    return status;
}

void limn_sampling_end(limn_sampling *s)
{
    if (!s) return;
    s->p->under_way = s->p->ctx->tells_load = false;
    limn_sampler_free(s->sampler);
    limn_start_free(&s->start);
    free_prompts(s);
    free(s->x);
    free(s->skipped);
    free(s->input);
    free(s->output);
    free(s);
}

/* ---- steps ------------------------------------------------------------------------------------------------------------ */

limn_status limn_sampling_restart(limn_sampling *s, int first)
{
    limn_picture_seed seeds[TOGETHER];
    s->first = s->start.first = first, s->k = s->repeat = 0;
    for (int i = 0; i < s->n; i++) seeds[i] = limn_start_seed(&s->start, i);
    if (s->calls == 0) return memcpy(s->x, s->start.picture, (size_t)s->n * s->size * sizeof *s->x), LIMN_OK;
    limn_status status = limn_sampler_begin(s->p->ctx, s->sampler, s->n, s->size, seeds);
    if (status == LIMN_OK) limn_start_first(&s->start, s->sampler, s->x);
    return status == LIMN_OK ? limn_sampling_show(s) : status;
}

/* What the network says of the rows of picture i becomes one output, in the first part of s->output. */
static void guide(limn_sampling *s, int i)
{
    const limn_generate_options *o = &s->o;
    size_t part = (size_t)s->n * s->out_size, pixels = s->size / (size_t)s->channels;
    float *cond = s->output + (size_t)i * s->out_size, *second = cond + part;
    float *last = cond + (size_t)(s->rows_each - 1) * part;
    if (s->rows_each == 1) return;
    if (s->rows_each == 3)
        limn_guidance_combine_edit(cond, second, last, pixels, s->out_channels, s->guided_channels, o->guidance,
                                   o->image_guidance, last);
    else limn_guidance_combine(cond, last, pixels, s->out_channels, s->guided_channels, o->guidance, last);
    limn_guidance_rescale(cond, pixels, s->out_channels, s->guided_channels, o->guidance_rescale, last);
    memcpy(cond, last, s->out_size * sizeof *cond);
}

/* As diffusers counts steps; of a sampler with several calls a step, calls. */
static bool skips_now(const limn_sampling *s, int k)
{
    const limn_generate_options *o = &s->o;
    return s->skips && k > s->calls * o->skip_layer_start && k < s->calls * o->skip_layer_end;
}

/* s->skipped: what the network says of the prompt without those blocks. */
static limn_status call_without(limn_sampling *s, int32_t step, const char *where)
{
    const limn_job *net = &s->skips->job;
    limn_status status = limn_recipe_write(s->skips, LIMN_PORT_IMAGE, LIMN_F32, s->input);
    if (status == LIMN_OK) status = limn_recipe_write(s->skips, LIMN_PORT_STEP, LIMN_I32, &step);
    if (status == LIMN_OK) status = limn_recipe_run(s->p->ctx, &s->p->recipe, s->skips);
    return status == LIMN_OK ? limn_job_output(s->p->ctx, net, net->ports->output, where, s->skipped) : status;
}

/* s->skipped becomes scale (cond - it), while the first part of s->output still is cond. */
static void lead_away(limn_sampling *s)
{
    for (size_t i = 0; i < (size_t)s->n * s->out_size; i++)
        s->skipped[i] = (float)s->o.slg_scale * (s->output[i] - s->skipped[i]);
}

/* One call of the network, guided; the result lies in the first part of s->output. */
static limn_status call_network(limn_sampling *s, int k)
{
    const limn_job *net = &s->denoiser->job;
    size_t part = (size_t)s->n * s->size;
    int32_t step = k;
    char where[64];
    limn_sampler_input(s->sampler, k, s->x, s->input);
    for (size_t r = 1; r < (size_t)s->rows_each; r++) memcpy(s->input + r * part, s->input, part * sizeof *s->input);
    limn_status status = limn_recipe_write(s->denoiser, LIMN_PORT_IMAGE, LIMN_F32, s->input);
    if (status == LIMN_OK) status = limn_recipe_write(s->denoiser, LIMN_PORT_STEP, LIMN_I32, &step);
    if (status == LIMN_OK) status = limn_recipe_run(s->p->ctx, &s->p->recipe, s->denoiser);
    snprintf(where, sizeof where, "step %d of %d", k + 1, limn_sampler_calls(s->sampler));
    if (status == LIMN_OK) status = limn_job_output(s->p->ctx, net, net->ports->output, where, s->output);
    bool skips = status == LIMN_OK && skips_now(s, k);
    if (skips) status = call_without(s, step, where);
    if (skips && status == LIMN_OK) lead_away(s);
    for (int i = 0; i < s->n && status == LIMN_OK; i++) guide(s, i);
    for (size_t i = 0; i < (size_t)s->n * s->out_size && skips && status == LIMN_OK; i++) s->output[i] += s->skipped[i];
    return status;
}

limn_status limn_sampling_step(limn_sampling *s)
{
    limn_ctx *ctx = s->p->ctx;
    if (s->k == s->calls) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "all %d steps are made", s->calls);
    if (!limn_progress(ctx, s->stage, s->done, s->total))
        return limn_fail(ctx, LIMN_CANCELLED, "stopped after %lld of %lld steps", (long long)s->done, (long long)s->total);
    int k = s->k;
    limn_start_keep(&s->start, s->sampler, k, s->x);
    limn_status status = call_network(s, k);
    if (status != LIMN_OK) return status;
    limn_sampler_step(s->sampler, k, s->output, s->x);
    s->done++;
    if (s->repeat + 1 < limn_start_repeats(&s->start, s->sampler, k)) {
        limn_start_again(&s->start, s->sampler, k, s->repeat++, s->x); /* back to where it began */
        return LIMN_OK;
    }
    s->repeat = 0;
    if (++s->k < s->calls) return LIMN_OK;
    limn_start_keep(&s->start, s->sampler, s->calls, s->x);
    limn_start_last(&s->start, s->sampler, s->x);
    return LIMN_OK;
}

int limn_sampling_left(const limn_sampling *s)
{
    int left = -s->repeat;
    for (int k = s->k; k < s->calls; k++) left += limn_start_repeats(&s->start, s->sampler, k);
    return left;
}

/* ---- what there is ---------------------------------------------------------------------------------------------------- */

void limn_sampling_estimate(const limn_sampling *s, int i, float *out)
{
    const float *x = s->x + (size_t)i * s->size;
    int last = s->repeat ? s->k : s->k - 1; /* the call that was made last */
    if (last < 0 || s->k == s->calls) memcpy(out, x, s->size * sizeof *out);
    else limn_sampler_estimate(s->sampler, last, s->size, s->input + (size_t)i * s->size,
                               s->output + (size_t)i * s->out_size, out);
}

limn_status limn_sampling_check_number(const limn_sampling *s, int i)
{
    if (i >= 0 && i < s->n) return LIMN_OK;
    return limn_fail(s->p->ctx, LIMN_BAD_ARGUMENT, "expected a picture from 0 to %d, found %d", s->n - 1, i);
}

limn_status limn_sampling_latent(limn_sampling *s, int i, limn_latent *out)
{
    const limn_pipeline *p = s->p;
    int factor = p->vae ? p->vae->factor : 1;
    *out = (limn_latent){0};
    limn_status status = limn_sampling_check_number(s, i);
    if (status == LIMN_OK) status = limn_latent_new(p->ctx, s->height, s->width, s->channels, out);
    if (status != LIMN_OK) return status;
    out->image_height = s->height * factor, out->image_width = s->width * factor;
    limn_sampling_estimate(s, i, out->values);
    for (size_t k = 0; k < s->size; k++) out->values[k] = (float)(out->values[k] / p->latent_scale + p->latent_shift);
    return LIMN_OK;
}

limn_status limn_sampling_decode(limn_sampling *s, limn_role role, const float *latent, limn_image *out)
{
    limn_recipe_part *decoder = limn_recipe_find(&s->p->recipe, role);
    const limn_interface net = limn_model_interface(limn_net_settings(decoder->net));
    int width = s->width * net.factor, height = s->height * net.factor;
    size_t bytes = (size_t)width * (size_t)height * (size_t)net.channels * sizeof(float);
    float *values = malloc(bytes);
    if (!values) return limn_fail_memory(s->p->ctx, bytes, "a picture");
    limn_coder_sides sides = {s->height, s->width};
    limn_status status = limn_recipe_code(s->p->ctx, decoder, sides, latent, values, NULL);
    if (status == LIMN_OK)
        status = limn_picture_bytes(s->p->ctx, width, height, net.channels, values, out);
    free(values);
    return status;
}

bool limn_sampling_in_turn(const limn_sampling *s)
{
    return recipe_shape(s).in_turn;
}

limn_status limn_sampling_picture(limn_sampling *s, int i, limn_image *out)
{
    limn_latent latent;
    *out = (limn_image){0};
    limn_status status = limn_sampling_check_pictures(s->p);
    if (status == LIMN_OK) status = limn_sampling_latent(s, i, &latent);
    if (status != LIMN_OK) return status;
    status = s->p->vae ? limn_sampling_decode(s, LIMN_ROLE_DECODER, latent.values, out)
                       : limn_picture_bytes(s->p->ctx, s->width, s->height, s->channels, latent.values, out);
    limn_latent_free(&latent);
    if (status == LIMN_OK) limn_start_lay(&s->start, out);
    return status;
}
