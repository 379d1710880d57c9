/* options.c: from the words of a request to a sampler, and back to the text that is written into the picture. */
#include "denoise/sampler_rows.h"
#include "file/bytes.h"
#include "file/image.h"
#include "pipeline/autoencoder.h"
#include "pipeline/loras.h"
#include "pipeline/prompts.h"
#include "pipeline/published.h"
#include "pipeline/start.h"

#include <math.h>
#include <string.h>
#include <utf8proc.h>

#define BEHIND_SPACE(word, text) " " text
const char *limn_sampler_names(void)
{
    static const char names[] = SAMPLER_NAMES(BEHIND_SPACE);
    return names + 1;
}

static const char schedulers[] =
    "discrete karras exponential sgm_uniform simple beta normal ays ays_sdxl leading linspace trailing";

static limn_status bad_name(limn_ctx *ctx, const char *what, const char *name, const char *names)
{
    char shown[256];
    limn_near near = limn_near_to(name, strlen(name));
    for (const char *word = names; *word; word += strspn(word, " ")) {
        size_t n = strcspn(word, " ");
        limn_near_try(&near, word, n);
        word += n;
    }
    return limn_fail(ctx, LIMN_NOT_FOUND, "no %s \"%s\"; there are: %s%s", what,
                     limn_escape(name, strlen(name), shown, sizeof shown), names, limn_near_text(&near));
}

/* What is kept is kept by going back and forth between steps. */
static bool goes_back(const limn_pipeline *p, const limn_generate_options *o)
{
    bool once = limn_pipeline_follows_diffusers(p) && o->resample == 1;
    return o->mask && !once && !limn_model_interface(&p->settings).inpaints;
}

static const char *sampler_of(const limn_pipeline *p, const limn_generate_options *o)
{
    if (o->sampler) return o->sampler;
    return goes_back(p, o) && p->schedule.kind != LIMN_SCHEDULE_FLOW ? "ddpm" : limn_pipeline_describe(p).sampler;
}

/* No pipeline of PyTorch sets out from the noise in a picture. */
limn_rng limn_generate_rng(const limn_pipeline *p, const limn_generate_options *o)
{
    if (o->noise > 0) return LIMN_RNG_LIMN;
    return o->rng == LIMN_RNG_AUTO ? limn_pipeline_describe(p).rng : o->rng;
}

/* ---- sides ------------------------------------------------------------------------------------------------------------ */

/* A side of a picture that is changed, times so much, as far as latents can have it. */
static int side_of_changed(int side, double times, int factor)
{
    int whole = (int)lround(side * times) / factor * factor;
    return whole > factor ? whole : factor;
}

limn_picture_sides limn_generate_sides(const limn_pipeline *p, const limn_generate_options *o)
{
    limn_pipeline_info info = limn_pipeline_describe(p);
    int factor = p->vae ? p->vae->factor : 1;
    limn_picture_sides changed = {0};
    if (info.edits && o->init) changed = (limn_picture_sides){o->init->width, o->init->height};
    else if (info.edits && o->init_latent)
        changed = (limn_picture_sides){o->init_latent->width * factor, o->init_latent->height * factor};
    if (changed.width > 0 && changed.height > 0) {
        double times = o->width ? (double)o->width / changed.width : o->height ? (double)o->height / changed.height : 1;
        info.width = side_of_changed(changed.width, times, factor);
        info.height = side_of_changed(changed.height, times, factor);
    }
    return (limn_picture_sides){.width = o->width ? o->width : info.width, .height = o->height ? o->height : info.height};
}

static bool can_have(const limn_pipeline *p, int side, int factor)
{
    return side >= factor && side <= LIMN_MAX_SIDE && side % factor == 0 &&
           !limn_model_side(&p->settings, side / factor);
}

static int nearest(const limn_pipeline *p, int side, int factor)
{
    for (int away = 1; away < LIMN_MAX_SIDE; away++) {
        if (can_have(p, side + away, factor)) return side + away;
        if (can_have(p, side - away, factor)) return side - away;
    }
    return factor;
}

static limn_status check_side(const limn_pipeline *p, const char *what, int side)
{
    int factor = p->vae ? p->vae->factor : 1;
    if (side < 1 || side > LIMN_MAX_SIDE)
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "expected a %s from 1 to %d, found %d", what, LIMN_MAX_SIDE, side);
    if (can_have(p, side, factor)) return LIMN_OK;
    const char *must_be = side % factor == 0 ? limn_model_side(&p->settings, side / factor) : NULL;
    char all[64] = "";
    if (factor > 1) snprintf(all, sizeof all, "a multiple of %d, for its latents%s", factor, must_be ? " " : "");
    return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "%s: the %s must be %s%s, found %d; the nearest is %d", p->name, what, all,
                     must_be ? must_be : "", side, nearest(p, side, factor));
}

limn_status limn_generate_check_sides(const limn_pipeline *p, const limn_generate_options *o)
{
    limn_pipeline_info info = limn_pipeline_describe(p);
    limn_picture_sides sides = limn_generate_sides(p, o);
    if (sides.width == info.width && sides.height == info.height) return LIMN_OK;
    if (p->settings.family->learned_places)
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT,
                         "%s has learned the places of pictures of %d x %d, and makes no others; asked for %d x %d", p->name,
                         info.width, info.height, sides.width, sides.height);
    limn_status status = check_side(p, "width", sides.width);
    return status == LIMN_OK ? check_side(p, "height", sides.height) : status;
}

/* ---- samplers --------------------------------------------------------------------------------------------------------- */

/* The sampler and where its levels lie, which may stand in either of two words: "DPM++ 2M Karras".
 * @return *row is listed; *sigmas, *spacing */
static limn_status find_words(const limn_pipeline *p, const limn_generate_options *o, const sampler_row **row,
                              limn_sigmas *sigmas, limn_spacing *spacing)
{
    const char *name = sampler_of(p, o), *scheduler = o->scheduler ? o->scheduler : "discrete";
    limn_sigmas behind;
    *row = limn_sampler_find(name, &behind);
    *sigmas = behind, *spacing = LIMN_SPACING_AUTO;
    if (!*row || !(*row)->shown) return bad_name(p->ctx, "sampler", name, limn_sampler_names());
    if (!strcmp(scheduler, "discrete")) return LIMN_OK;
    if (!limn_sigmas_find(scheduler, sigmas) &&
        (!strcmp(scheduler, "auto") || !limn_spacing_find(scheduler, spacing)))
        return bad_name(p->ctx, "scheduler", scheduler, schedulers);
    if (behind && *sigmas == behind && !*spacing) return LIMN_OK;
    return !behind ? LIMN_OK
                   : limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "\"%s\" names %s sigmas, and the scheduler is %s", name,
                               limn_sigmas_shown(behind), scheduler);
}

/* Those that a model can have; without memory of earlier steps where they are gone back. */
static const char *samplers_for(bool flow, bool back, char *out, size_t bytes)
{
    const sampler_row *row;
    size_t n = 0;
    *out = '\0';
    for (int i = 0; (row = limn_sampler_row(i)) && n < bytes; i++)
        if (row->shown && (flow ? row->flow : row->vp) && !(back && row->n_kept))
            n += (size_t)snprintf(out + n, bytes - n, "%s%s", n ? ", " : "", row->name);
    return out;
}

/* As FOLDER/scheduler says, where nobody says otherwise. */
static bool is_custom(const limn_pipeline *p, const limn_generate_options *o)
{
    return p->has_scheduler && !o->sampler && !o->scheduler && !goes_back(p, o);
}

static limn_status find_prediction(const limn_pipeline *p, const limn_generate_options *o, limn_prediction *out)
{
    *out = p->prediction;
    if (!o->prediction) return LIMN_OK;
    if (p->schedule.kind == LIMN_SCHEDULE_FLOW)
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "%s was trained on rectified flow, and predicts that: leave the "
                         "prediction out", p->name);
    return limn_prediction_find(o->prediction, out) && *out != LIMN_PREDICT_FLOW
               ? LIMN_OK : bad_name(p->ctx, "prediction", o->prediction, "eps v x0");
}

limn_status limn_generate_sampler(const limn_pipeline *p, const limn_generate_options *o, limn_sampler_options *out)
{
    limn_interface net = limn_model_interface(&p->settings);
    bool flow = p->schedule.kind == LIMN_SCHEDULE_FLOW;
    const sampler_row *row;
    bool custom = is_custom(p, o);
    *out = custom ? p->scheduler : limn_sampler_defaults();
    limn_sigmas sigmas;
    limn_spacing spacing;
    limn_status status = find_words(p, o, &row, &sigmas, &spacing);
    if (status != LIMN_OK) return status;
    char names[128];
    if (!custom) out->sigmas = sigmas, out->spacing = spacing;
    else if (o->noise > 0) out->sigmas = LIMN_SIGMAS_SPACED, out->spacing = LIMN_SPACING_AUTO, out->steps_offset = 0;
    bool own = !custom && p->published && row->takes_end && row->usual == LIMN_SPACING_LEADING &&
               p->schedule.kind == LIMN_SCHEDULE_SCALED_LINEAR;
    if (own && spacing == LIMN_SPACING_AUTO) out->steps_offset = 1; /* Stable Diffusion's own of these samplers */
    if (own && (spacing == LIMN_SPACING_AUTO || spacing == LIMN_SPACING_TRAILING)) out->keep_first_noise = true;
    if (!custom && limn_published_is_dit(p) && row->takes_variance && spacing == LIMN_SPACING_AUTO)
        out->spacing = LIMN_SPACING_LINSPACE; /* as the authors respace their process */
    if (!custom && limn_published_is_sd3(p) && spacing == LIMN_SPACING_AUTO)
        out->spacing = LIMN_SPACING_LINSPACE; /* from 1 to the last of 1000 levels, shifted, and shifted again */
    if (flow && !row->flow)
        return limn_fail(
            p->ctx, LIMN_BAD_ARGUMENT,
            "sampler %s adds or removes noise as diffusion does, and %s was trained on rectified flow: take %s", row->name,
            p->name, samplers_for(flow, o->mask != NULL, names, sizeof names));
    out->name = row->name;
    out->schedule = p->schedule;
    status = find_prediction(p, o, &out->prediction);
    if (status != LIMN_OK) return status;
    out->n_steps = o->steps;
    out->eta = o->eta;
    out->rng = limn_generate_rng(p, o);
    if (goes_back(p, o) && row->n_kept > 0)
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT,
                         "inpainting goes back and forth between steps, which sampler %s, with its memory of earlier ones, "
                         "cannot: take %s",
                         row->name, samplers_for(flow, true, names, sizeof names));
    if ((o->init || o->init_latent) && !(o->noise > 0) && !net.edits) out->strength = o->strength;
    out->table_strength = limn_start_spreads(p) && row->rounding == LIMN_TIMES_DISTILLED;
    out->rounds_up = limn_published_is_sd3(p);
    out->counts_all = limn_pipeline_follows_diffusers(p);
    out->others = limn_start_others(p, o);
    if (o->init || o->init_latent)
        out->from_sigma = o->noise / 127.5, /* numbers of the network: -1..1 for 0..255; of latents: limn_start.sigma */
        out->to_sigma = p->makes_latents ? 0 : o->noise_left / 127.5;
    out->channels = net.channels;
    out->out_channels = net.out_channels;
    if (!custom) out->clip = p->makes_latents || p->vae ? 0 : limn_sampler_clip(&p->schedule, out->channels);
    if (net.learned_variance && !custom) out->variance = LIMN_VARIANCE_LEARNED_RANGE; /* which DiTPipeline throws away */
    if (o->eta != 0 && !row->takes_eta)
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "eta is for samplers ddim and tcd, and the sampler is %s%s", row->name,
                         flow ? ", as for all that was trained on rectified flow: leave it out" : "");
    return LIMN_OK;
}

/* A text chunk holds UTF-8 without control characters. */
static void put_utf8(limn_text *text, const char *bytes)
{
    for (size_t left = strlen(bytes); left;) {
        utf8proc_int32_t point;
        utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)bytes, (utf8proc_ssize_t)left, &point);
        size_t taken = n < 1 ? 1 : (size_t)n;
        if (n < 1) limn_text_append(text, "\xef\xbf\xbd", 3); /* U+FFFD */
        else if ((point < 0x20 && point != '\n') || (point >= 0x7f && point < 0xa0)) limn_text_append(text, " ", 1);
        else limn_text_append(text, bytes, taken);
        bytes += taken;
        left -= taken;
    }
}

/* JSON-quoted when it holds what separates the pairs. */
static void put_value(limn_text *text, const char *value)
{
    limn_text clean = {0};
    put_utf8(&clean, value);
    const char *bytes = clean.bytes ? clean.bytes : "";
    bool plain = !strpbrk(bytes, ",:\n\"\\");
    limn_text_append(text, "\"", plain ? 0 : 1);
    for (const char *c = bytes; *c; c++) {
        bool line = *c == '\n', marked = !plain && (*c == '"' || *c == '\\');
        limn_text_append(text, "\\", marked);
        limn_text_append(text, line ? "\\n" : c, line ? 2 : 1);
    }
    limn_text_append(text, "\"", plain ? 0 : 1);
    text->failed = text->failed || clean.failed;
    limn_text_free(&clean);
}

/* What is the model's own where nobody says otherwise. */
static void put_choices(limn_text *text, const limn_pipeline *p, const limn_generate_options *o)
{
    static const char *const precisions[] = {
        [LIMN_PRECISION_F32] = "f32", [LIMN_PRECISION_BF16] = "bf16", [LIMN_PRECISION_EXACT] = "exact"};
    limn_prompt_style style;
    if (is_custom(p, o)) limn_text_printf(text, "Sampler from: scheduler_config.json, ");
    if (o->prompt_style && limn_prompt_style_find(o->prompt_style, &style))
        limn_text_printf(text, "Prompt style: %s, ", o->prompt_style);
    if (o->prediction) limn_text_printf(text, "Prediction: %s, ", o->prediction);
    if ((size_t)o->precision < sizeof precisions / sizeof *precisions && precisions[o->precision])
        limn_text_printf(text, "Precision: %s, ", precisions[o->precision]);
}

/* As the web UI names it: without the ending of its file, and by ten digits. */
static void put_model(limn_text *text, const limn_pipeline *p, const limn_generate_options *o)
{
    char name[sizeof p->name];
    if (o->model_hash && strspn(o->model_hash, "0123456789abcdef") >= 10)
        limn_text_printf(text, "Model hash: %.10s, ", o->model_hash);
    snprintf(name, sizeof name, "%.*s", (int)limn_weight_stem(p->name), p->name);
    limn_text_printf(text, "Model: ");
    put_value(text, name);
}

/* Where it is not the model's own. */
static void put_part(limn_text *text, const char *key, const char *name)
{
    if (!*name) return;
    limn_text_printf(text, ", %s: ", key);
    put_value(text, name);
}

/* Words that stood for vectors of their own, with A1111's checksums of these. */
static void put_embeddings(limn_text *text, const limn_pipeline *p, const limn_generate_options *o)
{
    limn_text words = {0};
    limn_prompts_tell(p, o, &words);
    if (words.n) put_part(text, "Used embeddings", words.bytes);
    text->failed = text->failed || words.failed;
    limn_text_free(&words);
}

/* Files that were given, as the tags that would name them. */
static void put_loras(limn_text *text, const limn_pipeline *p)
{
    for (int i = 0; i < p->loras->n_given; i++) {
        const struct limn_lora_use *use = &p->loras->stack.use[i];
        char name[256];
        limn_path_last(limn_lora_path(use->lora), name, sizeof name);
        name[limn_weight_stem(name)] = '\0';
        limn_text_printf(text, " <lora:");
        put_utf8(text, name);
        if (use->text == use->denoiser)
            limn_text_printf(text, ":%.9g>", use->denoiser);
        else
            limn_text_printf(text, ":%.9g:%.9g>", use->text, use->denoiser);
    }
}

/* The number draws it again; of its published names the first is for people. */
static void put_class(limn_text *text, const limn_pipeline *p, int label)
{
    limn_text_printf(text, "Class: %d, ", label);
    if (!p->published || label >= p->n_class_names || !*p->class_name[label]) return;
    char name[256];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(p->class_name[label], ","), p->class_name[label]);
    limn_text_printf(text, "Class name: ");
    put_value(text, name);
    limn_text_printf(text, ", ");
}

/* A scale of the image also says that there was one. */
static void put_guidance(limn_text *text, const limn_pipeline_info *info, const limn_generate_options *o)
{
    if (info->guides) limn_text_printf(text, "CFG scale: %.9g, ", o->guidance);
    if (info->edits) limn_text_printf(text, "Image CFG scale: %.9g, ", o->image_guidance);
    if (o->guidance_rescale > 0) limn_text_printf(text, "CFG Rescale phi: %.9g, ", o->guidance_rescale);
    if (o->slg_scale == 0) return;
    limn_text_printf(text, "SLG scale: %.9g, Skip layers:", o->slg_scale);
    for (int i = 0; i < 64; i++)
        if (o->skip_layers >> i & 1) limn_text_printf(text, " %d", i);
    limn_text_printf(text, ", Skip layer start: %.9g, Skip layer end: %.9g, ", o->skip_layer_start, o->skip_layer_end);
}

/* What Stable Diffusion XL is told about the picture, where it is not as usual: under names of our own, A1111 has none. */
static void put_sizes(limn_text *text, const limn_pipeline_info *info, const limn_generate_options *o)
{
    const limn_size_condition *c = &o->size_condition, usual = limn_generate_defaults().size_condition;
    if (!info->told_sizes) return;
    if (c->width || c->height) limn_text_printf(text, "Original size: %dx%d, ", c->width, c->height);
    if (c->left || c->top) limn_text_printf(text, "Crop left: %d, Crop top: %d, ", c->left, c->top);
    if (info->told_sizes == 6 && (c->target_width || c->target_height))
        limn_text_printf(text, "Target size: %dx%d, ", c->target_width, c->target_height);
    if (info->told_sizes == 5 && c->score != usual.score) limn_text_printf(text, "Aesthetic score: %.9g, ", c->score);
    if (info->told_sizes == 5 && c->negative_score != usual.negative_score)
        limn_text_printf(text, "Negative aesthetic score: %.9g, ", c->negative_score);
}

/* An empty one is said where it is not the same as none. */
static bool has_negative(const limn_pipeline *p, const limn_generate_options *o)
{
    limn_prompt_style style;
    if (!o->negative || *o->negative) return o->negative;
    return p->zero_negative && limn_prompts_check(p, o, &style) == LIMN_OK && style == LIMN_PROMPT_PLAIN;
}

char *limn_generate_parameters(const limn_pipeline *p, const limn_generate_options *o, int i)
{
    limn_text text = {0};
    limn_pipeline_info info = limn_pipeline_describe(p);
    limn_picture_sides sides = limn_generate_sides(p, o);
    limn_sigmas sigmas = LIMN_SIGMAS_SPACED;
    const sampler_row *row = limn_sampler_find(sampler_of(p, o), &sigmas);
    if (o->scheduler) limn_sigmas_find(o->scheduler, &sigmas);
    else if (!o->sampler && !o->mask && p->has_scheduler) sigmas = p->scheduler.sigmas;
    if (info.reads_text) {
        put_utf8(&text, o->prompt ? o->prompt : "");
        put_loras(&text, p);
        limn_text_append(&text, "\n", 1);
    }
    if (info.reads_text && has_negative(p, o)) {
        limn_text_append(&text, "Negative prompt: ", 17);
        put_utf8(&text, o->negative);
        limn_text_append(&text, "\n", 1);
    }
    limn_text_printf(&text, "Steps: %d, Sampler: %s, ", o->steps, row && row->shown ? row->shown : "?");
    if (sigmas) limn_text_printf(&text, "Schedule type: %s, ", limn_sigmas_shown(sigmas));
    else if (o->scheduler && o->scheduler[0] && strcmp(o->scheduler, "discrete"))
        limn_text_printf(&text, "Schedule type: %c%s, ", o->scheduler[0] - 'a' + 'A', o->scheduler + 1);
    put_choices(&text, p, o);
    if (o->clip_skip > 1) limn_text_printf(&text, "Clip skip: %d, ", o->clip_skip);
    put_guidance(&text, &info, o);
    if (o->eta > 0) limn_text_printf(&text, "Eta DDIM: %.9g, ", o->eta);
    if ((o->init || o->init_latent) && o->noise > 0)
        limn_text_printf(&text, "Noise: %.9g to %.9g, ", o->noise, o->noise_left);
    else if ((o->init || o->init_latent) && !info.edits) limn_text_printf(&text, "Denoising strength: %.9g, ", o->strength);
    if (o->hires > 1)
        limn_text_printf(&text, "Denoising strength: %.9g, Hires upscale: %.9g, Hires upscaler: Latent, ", o->hires_strength,
                         o->hires);
    if (o->hires > 1 && o->hires_steps) limn_text_printf(&text, "Hires steps: %d, ", o->hires_steps);
    if (o->between)
        limn_text_printf(&text, "Variation seed: %llu, Variation seed strength: %.9g, ", (unsigned long long)o->to_seed,
                         o->n > 1 ? (double)i / (o->n - 1) : 0);
    if (info.classes) put_class(&text, p, o->label);
    limn_text_printf(&text,
                     "Seed: %llu, Size: %dx%d, ", (unsigned long long)(o->seed + (o->between ? 0 : (uint64_t)i)),
                     sides.width, sides.height);
    put_sizes(&text, &info, o);
    put_model(&text, p, o);
    put_part(&text, "Text encoder", limn_pipeline_text_name(p, 0));
    put_part(&text, "Text encoder 2", limn_pipeline_text_name(p, 1));
    put_part(&text, "Text encoder 3", limn_pipeline_text_name(p, 2));
    put_part(&text, "VAE", p->vae_name);
    put_embeddings(&text, p, o);
    if (limn_generate_rng(p, o) == LIMN_RNG_CPU) limn_text_printf(&text, ", RNG: CPU");
    if (limn_generate_rng(p, o) == LIMN_RNG_CUDA) limn_text_printf(&text, ", RNG: NV"); /* A1111's words */
    limn_text_printf(&text, ", Version: limn %s", limn_version());
    if (!text.failed) return text.bytes;
    limn_text_free(&text);
    return NULL;
}
