/* start.c: see start.h. */
#include "pipeline/start.h"

#include "denoise/picture.h"
#include "file/image.h"
#include "pipeline/autoencoder.h"
#include "pipeline/published.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- pictures --------------------------------------------------------------------------------------------------------- */

limn_status limn_start_fitted(limn_ctx *ctx, const limn_image *from, int width, int height, int channels,
                              limn_image *out)
{
    limn_image copy;
    limn_status status = limn_image_copy(ctx, from, channels, &copy);
    if (status != LIMN_OK) return status;
    if (copy.width == width && copy.height == height) return *out = copy, LIMN_OK;
    status = limn_image_resize(ctx, &copy, width, height, out);
    limn_image_free(&copy);
    return status;
}

/* Latents of the file's numbers, as the network knows them. */
static void scale_latent(const limn_pipeline *p, size_t n, const float *from, float *to)
{
    for (size_t i = 0; i < n; i++) to[i] = (float)((from[i] - p->latent_shift) * p->latent_scale);
}

/* Latents of pictures are drawn from what the encoder says, by the generator that the noise comes from: as diffusers does
 * with published weights, but for networks that edit, which see the mean. */
static bool draws_latents(const limn_pipeline *p, const limn_generate_options *o)
{
    return limn_pipeline_follows_diffusers(p) && p->vae && p->vae->settings.family == &limn_family_vae &&
           !limn_model_interface(&p->settings).edits && limn_generate_rng(p, o) == LIMN_RNG_CPU;
}

static limn_status new_latent(limn_ctx *ctx, size_t size, bool drawn, limn_start_latent *out)
{
    out->mean = malloc(size * sizeof(float));
    if (drawn) out->deviation = malloc(size * sizeof(float));
    return out->mean && (!drawn || out->deviation) ? LIMN_OK : limn_fail_memory(ctx, 2 * size * sizeof(float), "a latent");
}

limn_status limn_start_encode(limn_pipeline *p, const float *values, const limn_start *s, limn_start_latent *out)
{
    limn_recipe_part *encoder = limn_recipe_find(&p->recipe, LIMN_ROLE_ENCODER);
    limn_status status = limn_recipe_load_part(p->ctx, encoder);
    if (status != LIMN_OK) return status;
    if (!limn_progress(p->ctx, "encode", 0, 1))
        return limn_fail(p->ctx, LIMN_CANCELLED, "stopped before a picture was encoded");
    status = new_latent(p->ctx, s->size, draws_latents(p, s->o), out);
    if (status == LIMN_OK)
        status = limn_recipe_code(p->ctx, encoder, (limn_coder_sides){s->height, s->width}, values, out->mean,
                                  out->deviation);
    if (status == LIMN_OK && !limn_progress(p->ctx, "encode", 1, 1))
        status = limn_fail(p->ctx, LIMN_CANCELLED, "stopped when a picture was encoded");
    if (status == LIMN_OK && !s->edits) scale_latent(p, s->size, out->mean, out->mean);
    for (size_t i = 0; i < s->size && status == LIMN_OK && out->deviation; i++)
        out->deviation[i] = (float)(exp(out->deviation[i] / 2.0) * p->latent_scale);
    return status;
}

/* Gray where it was masked (no mask: everywhere), and its latent.  values [height, width, 3] */
static limn_status encode_kept(limn_pipeline *p, size_t n, float *values, limn_start *s)
{
    const limn_image *mask = &s->whole;
    size_t channels = mask->pixels ? n / ((size_t)mask->width * (size_t)mask->height) : 1;
    for (size_t i = 0; i < n; i++)
        if (!mask->pixels || mask->pixels[i / channels] >= 128) values[i] = 0;
    return limn_start_encode(p, values, s, &s->kept);
}

/* What is seen of the pictures. */
static limn_status encode_all(limn_pipeline *p, const limn_image *image, limn_start *s)
{
    size_t n = s->size / (size_t)s->channels * (size_t)s->factor * (size_t)s->factor *
               (size_t)limn_pipeline_describe(p).channels;
    float *values = calloc(n, sizeof *values);
    if (!values) return limn_fail_memory(p->ctx, n * sizeof *values, "a picture to start from");
    if (image->pixels) limn_picture_values(image, values);
    bool sees = image->pixels && !s->from_noise;
    limn_status status = sees ? limn_start_encode(p, values, s, &s->init) : LIMN_OK;
    if (status == LIMN_OK && s->o->noise > 0) status = limn_start_measure_noise(p, n, values, s);
    if (status == LIMN_OK && s->condition && !s->edits) status = encode_kept(p, n, values, s);
    free(values);
    return status;
}

/* What the decoder gives back is not the picture: what is kept, also of its noise, is laid over it.  Published, by a mask:
 * as diffusers, which does not. */
static bool lays_over(const limn_pipeline *p, const limn_start *s)
{
    bool mask = s->o->mask && !limn_pipeline_follows_diffusers(p);
    return p->vae && s->o->init && (mask || s->o->noise_left > 0);
}

static limn_status read_pictures(limn_pipeline *p, limn_start *s)
{
    limn_image image = {0};
    const limn_latent *latent = s->o->init_latent;
    int channels = limn_pipeline_describe(p).channels;
    limn_status status = LIMN_OK;
    int width = s->width * s->factor, height = s->height * s->factor;
    if (s->o->init) status = limn_start_fitted(p->ctx, s->o->init, width, height, channels, &image);
    if (status == LIMN_OK && p->vae && (s->o->init || s->condition)) status = encode_all(p, &image, s);
    if (status == LIMN_OK && (latent || !p->vae)) status = new_latent(p->ctx, s->size, false, &s->init);
    if (status == LIMN_OK && latent && s->edits) memcpy(s->init.mean, latent->values, s->size * sizeof(float));
    else if (status == LIMN_OK && latent) scale_latent(p, s->size, latent->values, s->init.mean);
    else if (status == LIMN_OK && s->o->init && !p->vae) limn_picture_values(&image, s->init.mean);
    float *to = s->edits ? s->condition : s->picture;
    for (int i = 0; i < s->n && status == LIMN_OK && to && s->init.mean; i++)
        memcpy(to + (size_t)i * s->size, s->init.mean, s->size * sizeof(float));
    if (status == LIMN_OK && lays_over(p, s)) s->under = image;
    else limn_image_free(&image);
    return status;
}

/* ---- begin and end ---------------------------------------------------------------------------------------------------- */

/* A latent to start from has the sides and channels of what the network makes. */
static limn_status check_latent(const limn_pipeline *p, const limn_generate_options *o)
{
    const limn_latent *l = o->init_latent;
    limn_picture_sides sides = limn_generate_sides(p, o);
    int factor = p->vae ? p->vae->factor : 1, channels = limn_model_interface(&p->settings).channels;
    if (o->init) return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "a picture to start from, and a latent too: expected one");
    size_t n = (size_t)l->width * (size_t)l->height * (size_t)l->channels;
    if (l->width == sides.width / factor && l->height == sides.height / factor && l->channels == channels && l->values) {
        for (size_t i = 0; i < n; i++)
            if (!isfinite(l->values[i]))
                return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "the latent to start from is not finite: value %zu is %g", i,
                                 (double)l->values[i]);
        return LIMN_OK;
    }
    return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "expected a latent of %d x %d x %d to start from, found one of %d x %d x %d",
                     sides.width / factor, sides.height / factor, channels, l->width, l->height, l->channels);
}

/* The network sees what is kept as a latent that only an encoder can make. */
static limn_status check_inpainting(const limn_pipeline *p, const limn_generate_options *o)
{
    if (!p->vae)
        return limn_fail(p->ctx, LIMN_UNSUPPORTED, "%s fills in pictures: an autoencoder must make a latent of what is kept",
                         p->file);
    if (o->init_latent && o->mask)
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "%s fills in pictures: expected a picture beside the mask, found a "
                         "latent", p->name);
    return LIMN_OK;
}

/* What it sees is all of a picture, at every step. */
static limn_status check_edit(const limn_pipeline *p, const limn_generate_options *o)
{
    if (!o->init && !o->init_latent)
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "%s changes a picture as a text says: expected that picture (-i), found "
                         "none", p->name);
    if (o->mask)
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "%s changes all of a picture, and keeps nothing by a mask: leave it "
                         "out, or take a model that inpaints", p->name);
    if (o->noise > 0)
        return limn_fail(p->ctx, LIMN_UNSUPPORTED, "%s changes a picture as a text says, and takes no noise out of one: "
                         "take the model that it was made from", p->name);
    return LIMN_OK;
}

limn_status limn_start_check(const limn_pipeline *p, const limn_generate_options *o)
{
    bool edits = limn_model_interface(&p->settings).edits;
    limn_ctx *ctx = p->ctx;
    const limn_image *mask = o->mask;
    const limn_latent *latent = o->init_latent;
    bool init = o->init || latent;
    limn_status status = latent ? check_latent(p, o) : LIMN_OK;
    if (status == LIMN_OK && limn_model_interface(&p->settings).inpaints) status = check_inpainting(p, o);
    if (status == LIMN_OK && edits) status = check_edit(p, o);
    if (status != LIMN_OK) return status;
    if (mask && !init)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT,
                         "a mask says what of a picture is kept, and there is no picture to start from");
    if (o->between && init && !edits)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "pictures between two seeds start from noise, not from a picture");
    if (!(o->noise >= 0 && o->noise <= 10000))
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "expected noise from 0 to 10000, found %.9g", o->noise);
    if (!(o->noise_left >= 0 && (o->noise_left < o->noise || o->noise_left == 0)))
        return limn_fail(ctx, LIMN_BAD_ARGUMENT,
                         "the noise that is left must be less than the noise there is, %.9g; found %.9g", o->noise,
                         o->noise_left);
    if (o->noise > 0 && p->makes_latents && latent)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "expected the picture that holds the noise, found a latent");
    if (o->noise > 0 && !init) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "expected a picture that holds the noise");
    if (o->noise > 0 && limn_model_interface(&p->settings).inpaints)
        return limn_fail(ctx, LIMN_UNSUPPORTED, "%s fills in what a mask shows, and takes no noise out of a picture: take "
                         "the model that it was made from", p->name);
    if (o->noise > 0 && mask)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT,
                         "a mask and a noisy picture do not go together: what is kept would keep its noise");
    if (o->noise > 0 && (o->rng == LIMN_RNG_CPU || o->rng == LIMN_RNG_CUDA))
        return limn_fail(ctx, LIMN_BAD_ARGUMENT,
                         "the picture holds the noise that is taken out, and no pipeline of PyTorch sets out from such a "
                         "picture: expected no random numbers of PyTorch's");
    if (!init || edits) return LIMN_OK;
    if (!(o->strength >= 0 && o->strength <= 1))
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "expected a strength from 0 to 1, found %.9g", o->strength);
    if (mask && (o->resample < 1 || o->resample > 100))
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "expected each step to be done 1 to 100 times, found %d", o->resample);
    limn_picture_sides sides = limn_generate_sides(p, o);
    int width = latent ? sides.width : o->init->width, height = latent ? sides.height : o->init->height;
    if (mask && (mask->width != width || mask->height != height))
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "the mask must have the size of the picture, %d x %d, found %d x %d",
                         width, height, mask->width, mask->height);
    return LIMN_OK;
}

bool limn_start_spreads(const limn_pipeline *p)
{
    limn_interface net = limn_model_interface(&p->settings);
    return net.told_guidance && !net.sizes;
}

int limn_start_steps(const limn_pipeline *p, int n_steps, double strength)
{
    return limn_sampler_steps(n_steps, strength, limn_published_is_sd3(p));
}

bool limn_start_stays(const limn_pipeline *p, const limn_generate_options *o)
{
    int steps = limn_start_spreads(p) ? LIMN_DISTILLED_STEPS : o->steps;
    bool edits = limn_model_interface(&p->settings).edits;
    return (o->init || o->init_latent) && !edits && !(o->noise > 0) && limn_start_steps(p, steps, o->strength) == 0;
}

/* Is the first x noise alone?  Published, where a mask and all of the strength ask for it. */
static bool is_from_noise(const limn_pipeline *p, const limn_generate_options *o)
{
    bool inpaints = limn_model_interface(&p->settings).inpaints;
    return limn_pipeline_follows_diffusers(p) && (o->mask || inpaints) && o->strength == 1;
}

limn_noise_others limn_start_others(const limn_pipeline *p, const limn_generate_options *o)
{
    bool inpaints = limn_model_interface(&p->settings).inpaints, draws = draws_latents(p, o);
    return (limn_noise_others){.before = draws && o->init && !(inpaints && is_from_noise(p, o)),
                               .after = draws && ((o->init && o->mask) || inpaints)};
}

/* Also of a network that makes latents: what an autoencoder gives back is not the picture. */
limn_status limn_start_copy(const limn_pipeline *p, const limn_generate_options *o, limn_image *images)
{
    limn_picture_sides sides = limn_generate_sides(p, o);
    limn_status status = LIMN_OK;
    if (o->strength > 0)
        limn_log(p->ctx, LIMN_LOG_WARN, "a strength of %g of %d steps is no step: the picture comes back as it was",
                 o->strength, o->steps);
    int channels = limn_pipeline_describe(p).channels;
    for (int i = 0; i < o->n && status == LIMN_OK; i++)
        status = limn_start_fitted(p->ctx, o->init, sides.width, sides.height, channels, &images[i]);
    return status;
}

static limn_status take_buffers(limn_ctx *ctx, limn_start *s)
{
    size_t n = (size_t)s->n * s->size, pixels = s->size / (size_t)s->channels;
    bool init = (s->o->init || s->o->init_latent) && !s->edits, sees = s->condition_size > 0;
    s->spare = malloc(n * sizeof(float));
    if (init) s->picture = malloc(n * sizeof(float));
    if (s->o->mask) s->mask = malloc(pixels * sizeof(float));
    if (sees) s->condition = malloc((size_t)s->n * s->condition_size * sizeof(float));
    bool all = s->spare && (!init || s->picture) && (!s->o->mask || s->mask) && (!sees || s->condition);
    return all ? LIMN_OK : limn_fail_memory(ctx, (sees ? 4 : 2) * n * sizeof(float), "pictures to start from");
}

limn_status limn_start_new(limn_pipeline *p, const limn_generate_options *o, int n, int height, int width, int channels,
                           limn_start *out)
{
    limn_interface net = limn_model_interface(&p->settings);
    bool init = o->init || o->init_latent, inpaints = net.inpaints;
    size_t pixels = (size_t)height * (size_t)width, size = pixels * (size_t)channels;
    *out = (limn_start){.o = o, .n = n, .height = height, .width = width, .channels = channels,
                        .factor = p->vae ? p->vae->factor : 1, .size = size, .edits = net.edits,
                        .condition_size = inpaints ? size + pixels : net.edits ? size : 0,
                        .from_noise = inpaints && is_from_noise(p, o), .others = limn_start_others(p, o)};
    if (!init && !o->between && !inpaints) return LIMN_OK;
    limn_status status = take_buffers(p->ctx, out);
    if (status == LIMN_OK && o->mask) status = limn_start_mask(p, out);
    if (status == LIMN_OK && (init || inpaints)) status = read_pictures(p, out);
    if (status == LIMN_OK && inpaints && !o->mask)
        limn_log(p->ctx, LIMN_LOG_INFO, "%s fills in what a mask shows, and there is none: all of the picture is made anew",
                 p->name);
    out->from_noise = is_from_noise(p, o);
    if (status != LIMN_OK) limn_start_free(out);
    return status;
}

void limn_start_free_latent(limn_start_latent *l)
{
    free(l->mean);
    free(l->deviation);
}

void limn_start_free(limn_start *s)
{
    free(s->picture);
    free(s->mask);
    free(s->spare);
    free(s->condition);
    limn_image_free(&s->whole);
    limn_image_free(&s->under);
    limn_start_free_latent(&s->init);
    limn_start_free_latent(&s->kept);
    *s = (limn_start){0};
}

limn_picture_seed limn_start_seed(const limn_start *s, int i)
{
    return (limn_picture_seed){.seed = s->o->seed + (s->o->between ? 0 : (uint64_t)(s->first + i))};
}

/* ---- between two noises ----------------------------------------------------------------------------------------------- */

/* out = on the arc from a to b, t = 0: a, 1: b.  Shoemake 1985; normal noise stays as long as it was. */
static void slerp(double t, size_t n, const float *a, const float *b, float *out)
{
    double aa = 0, bb = 0, ab = 0;
    for (size_t i = 0; i < n; i++) aa += (double)a[i] * a[i], bb += (double)b[i] * b[i], ab += (double)a[i] * b[i];
    double cosine = aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : 1, angle = acos(cosine > 1 ? 1 : cosine < -1 ? -1 : cosine);
    double wa = angle > 1e-6 ? sin((1 - t) * angle) / sin(angle) : 1 - t,
           wb = angle > 1e-6 ? sin(t * angle) / sin(angle) : t;
    for (size_t i = 0; i < n; i++) out[i] = (float)(wa * a[i] + wb * b[i]);
}

static void first_between(const limn_start *s, const limn_sampler *sampler, float *x)
{
    const limn_noise *noise = limn_sampler_noise(sampler);
    double init_sigma = limn_sampler_init_sigma(sampler);
    float *b = s->spare;
    for (int i = 0; i < s->n; i++) {
        float *a = x + (size_t)i * s->size;
        double t = s->o->n > 1 ? (double)(s->first + i) / (s->o->n - 1) : 0;
        limn_noise_start_of(noise, i, a);
        limn_noise_start(noise, (limn_picture_seed){.seed = s->o->to_seed}, b);
        slerp(t > 1 ? 1 : t, s->size, a, b, a);
        for (size_t k = 0; k < s->size; k++) a[k] = (float)(init_sigma * a[k]);
    }
}

/* ---- along the way ---------------------------------------------------------------------------------------------------- */

/* out = mean + deviation noise, of picture i.  which: of the other tensors; spare [size] */
static void draw(const limn_start_latent *l, const limn_noise *noise, size_t size, int i, int which, float *spare,
                 float *out)
{
    memcpy(out, l->mean, size * sizeof *out);
    if (!l->deviation) return;
    limn_noise_other_of(noise, i, which, spare);
    for (size_t k = 0; k < size; k++) out[k] += l->deviation[k] * spare[k];
}

/* Latents of the pictures under way. */
static void draw_all(limn_start *s, const limn_noise *noise)
{
    size_t c = (size_t)s->channels;
    for (int i = 0; i < s->n && s->init.deviation; i++)
        draw(&s->init, noise, s->size, i, 0, s->spare, s->picture + (size_t)i * s->size);
    for (int i = 0; i < s->n && s->condition && !s->edits; i++) {
        float *to = s->condition + (size_t)i * s->size / c * (c + 1), *kept = to + s->size / c; /* then among the masks */
        draw(&s->kept, noise, s->size, i, s->others.before, s->spare, kept);
        for (size_t k = 0; k < s->size / c; k++) {
            memmove(to + k * (c + 1) + 1, kept + k * c, c * sizeof *to);
            to[k * (c + 1)] = s->mask ? s->mask[k] : 1;
        }
    }
}

void limn_start_first(limn_start *s, const limn_sampler *sampler, float *x)
{
    double a, b;
    limn_sampler_level(sampler, 0, &a, &b);
    if (s->picture || s->condition) draw_all(s, limn_sampler_noise(sampler));
    if (s->o->between) first_between(s, sampler, x);
    else if (s->o->noise > 0)
        for (size_t i = 0; i < (size_t)s->n * s->size; i++) x[i] = (float)(a * s->picture[i]); /* its noise is a (b / a) n */
    else limn_sampler_start(sampler, s->from_noise ? NULL : s->picture, x);
}

int limn_start_repeats(const limn_start *s, const limn_sampler *sampler, int k)
{
    return s->mask && !s->condition && k + 1 < limn_sampler_calls(sampler) ? s->o->resample : 1;
}

void limn_start_keep(const limn_start *s, const limn_sampler *sampler, int k, float *x)
{
    if (!s->mask || s->condition || (k == 0 && s->from_noise)) return;
    bool end = k == limn_sampler_calls(sampler);
    if (!end) limn_sampler_noised(sampler, k, s->picture, s->spare);
    size_t n = (size_t)s->n * s->size, c = (size_t)s->channels;
    for (size_t i = 0; i < n; i++)
        if (s->mask[i % s->size / c] == 0) x[i] = end ? s->picture[i] : s->spare[i];
}

/* x_k = (a_k / a) x + sqrt(b_k^2 - (b a_k / a)^2) n,  from a x0 + b n to a_k x0 + b_k n */
void limn_start_again(const limn_start *s, const limn_sampler *sampler, int k, int repeat, float *x)
{
    double a_k, b_k, a, b;
    limn_sampler_level(sampler, k, &a_k, &b_k);
    limn_sampler_level(sampler, k + 1, &a, &b);
    double scale = a_k / a, more = b_k * b_k - b * b * scale * scale, w = more > 0 ? sqrt(more) : 0;
    for (int i = 0; i < s->n; i++) {
        uint64_t number = (uint64_t)k << 8 | (uint64_t)repeat;
        float *noise = s->spare + (size_t)i * s->size, *at = x + (size_t)i * s->size;
        limn_noise_again(limn_sampler_noise(sampler), i, number, noise);
        for (size_t m = 0; m < s->size; m++) at[m] = (float)(scale * at[m] + w * noise[m]);
    }
}

void limn_start_last(const limn_start *s, const limn_sampler *sampler, float *x)
{
    double a, b;
    limn_sampler_level(sampler, limn_sampler_calls(sampler), &a, &b);
    for (size_t i = 0; i < (size_t)s->n * s->size && a != 1 && s->o->noise > 0; i++) x[i] = (float)(x[i] / a);
}
