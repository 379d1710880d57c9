/* options.c: from the words of a request to a sampler, and back to the text that is written into the picture. */
#include "file/image.h"
#include "pipeline/autoencoder.h"
#include "pipeline/pipeline.h"

#include <string.h>
#include <utf8proc.h>

/* Names as stable-diffusion.cpp has them, and as picture tools show them. */
static const struct { const char *name, *shown;
} samplers[] = {
    {"euler", "Euler"},      {"euler_a", "Euler a"}, {"heun", "Heun"},
    {"dpm++2m", "DPM++ 2M"}, {"ddim", "DDIM"},       {"ddpm", "DDPM"},
};
enum { N_SAMPLERS = sizeof samplers / sizeof *samplers };

const char *limn_sampler_names(void)
{
    return "euler euler_a heun dpm++2m ddim ddpm";
}

static int sampler_index(const char *name)
{
    for (int i = 0; i < N_SAMPLERS; i++)
        if (strcmp(samplers[i].name, name) == 0) return i;
    return -1;
}

static limn_status bad_name(limn_ctx *ctx, const char *what, const char *name, const char *names)
{
    char shown[256];
    return limn_fail(ctx, LIMN_NOT_FOUND, "no %s \"%s\"; there are: %s", what,
                     limn_escape(name, strlen(name), shown, sizeof shown), names);
}

static const char *sampler_of(const limn_pipeline *p, const limn_generate_options *o)
{
    if (o->sampler) return o->sampler;
    return o->mask && p->schedule.kind != LIMN_SCHEDULE_FLOW ? "ddpm" : limn_pipeline_describe(p).sampler;
}

/* ---- sides ------------------------------------------------------------------------------------------------------------ */

limn_picture_sides limn_generate_sides(const limn_pipeline *p, const limn_generate_options *o)
{
    limn_pipeline_info info = limn_pipeline_describe(p);
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

limn_status limn_generate_sampler(const limn_pipeline *p, const limn_generate_options *o, limn_sampler_options *out)
{
    limn_interface net = limn_model_interface(&p->settings);
    bool flow = p->schedule.kind == LIMN_SCHEDULE_FLOW;
    const char *name = sampler_of(p, o), *scheduler = o->scheduler ? o->scheduler : "discrete";
    *out = limn_sampler_defaults();
    int i = sampler_index(name);
    if (i < 0) return bad_name(p->ctx, "sampler", name, limn_sampler_names());
    if (flow && (!strcmp(name, "euler_a") || !strcmp(name, "ddim") || !strcmp(name, "ddpm")))
        return limn_fail(
            p->ctx, LIMN_BAD_ARGUMENT,
            "sampler %s adds or removes noise as diffusion does, and %s was trained on rectified flow: take euler%s", name,
            p->name, o->mask ? "" : ", heun or dpm++2m");
    out->name = samplers[i].name;
    out->schedule = p->schedule;
    out->prediction = p->prediction;
    out->n_steps = o->steps;
    out->eta = o->eta;
    bool steady = strcmp(name, "heun") && strcmp(name, "dpm++2m");
    if (o->mask && !steady)
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT,
                         "inpainting goes back and forth between steps, which sampler %s, with its memory of earlier ones, "
                         "cannot: take euler%s",
                         name, flow ? "" : ", euler_a, ddim or ddpm");
    if ((o->init || o->init_latent) && !(o->noise > 0)) out->strength = o->strength;
    if (o->init)
        out->from_sigma = o->noise / 127.5,
        out->to_sigma = o->noise_left / 127.5; /* numbers of the network: -1..1 for 0..255 */
    out->channels = net.channels;
    out->out_channels = net.out_channels;
    out->clip = p->makes_latents || p->vae ? 0 : limn_sampler_clip(&p->schedule, out->channels);
    if (net.learned_variance) out->variance = LIMN_VARIANCE_LEARNED_RANGE;
    if (o->eta != 0 && strcmp(name, "ddim"))
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "eta is for sampler ddim, and the sampler is %s%s", name,
                         flow ? ", as for all that was trained on rectified flow: leave it out" : "");
    if (!strcmp(scheduler, "karras")) out->karras = true;
    else if (strcmp(scheduler, "discrete") && (!strcmp(scheduler, "auto") || !limn_spacing_find(scheduler, &out->spacing)))
        return bad_name(p->ctx, "scheduler", scheduler, "discrete karras leading linspace trailing");
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

char *limn_generate_parameters(const limn_pipeline *p, const limn_generate_options *o, int i)
{
    limn_text text = {0};
    limn_pipeline_info info = limn_pipeline_describe(p);
    limn_picture_sides sides = limn_generate_sides(p, o);
    int sampler = sampler_index(sampler_of(p, o));
    if (info.reads_text) {
        put_utf8(&text, o->prompt ? o->prompt : "");
        limn_text_append(&text, "\n", 1);
    }
    if (info.reads_text && o->negative && o->negative[0]) {
        limn_text_append(&text, "Negative prompt: ", 17);
        put_utf8(&text, o->negative);
        limn_text_append(&text, "\n", 1);
    }
    limn_text_printf(&text, "Steps: %d, Sampler: %s, ", o->steps, sampler < 0 ? "?" : samplers[sampler].shown);
    if (o->scheduler && o->scheduler[0] && strcmp(o->scheduler, "discrete"))
        limn_text_printf(&text, "Schedule type: %c%s, ", o->scheduler[0] - 'a' + 'A', o->scheduler + 1);
    if (info.guides) limn_text_printf(&text, "CFG scale: %.9g, ", o->guidance);
    if (o->guidance_rescale > 0) limn_text_printf(&text, "CFG Rescale phi: %.9g, ", o->guidance_rescale);
    if (o->eta > 0) limn_text_printf(&text, "Eta DDIM: %.9g, ", o->eta);
    if (o->init && o->noise > 0) limn_text_printf(&text, "Noise: %.9g to %.9g, ", o->noise, o->noise_left);
    else if (o->init || o->init_latent) limn_text_printf(&text, "Denoising strength: %.9g, ", o->strength);
    if (o->between)
        limn_text_printf(&text, "Variation seed: %llu, Variation seed strength: %.9g, ", (unsigned long long)o->to_seed,
                         o->n > 1 ? (double)i / (o->n - 1) : 0);
    if (info.classes) limn_text_printf(&text, "Class: %d, ", o->label);
    limn_text_printf(&text,
                     "Seed: %llu, Size: %dx%d, Model: ", (unsigned long long)(o->seed + (o->between ? 0 : (uint64_t)i)),
                     sides.width, sides.height);
    put_value(&text, p->name);
    limn_text_printf(&text, ", Version: limn %s", limn_version());
    if (!text.failed) return text.bytes;
    limn_text_free(&text);
    return NULL;
}
