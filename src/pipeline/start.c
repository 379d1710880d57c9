/* start.c: see start.h. */
#include "pipeline/start.h"

#include "denoise/picture.h"
#include "file/image.h"
#include "pipeline/autoencoder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- pictures --------------------------------------------------------------------------------------------------------- */

/* A copy of a picture, with `channels` and of width x height pixels. */
static limn_status fitted(limn_ctx *ctx, const limn_image *from, int width, int height, int channels, limn_image *out)
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

static limn_status encode(limn_pipeline *p, const limn_image *image, limn_start *s)
{
    limn_recipe_part *encoder = limn_recipe_find(&p->recipe, LIMN_ROLE_ENCODER);
    size_t n = (size_t)image->width * (size_t)image->height * (size_t)image->channels;
    float *values = malloc(n * sizeof *values);
    if (!values) return limn_fail_memory(p->ctx, n * sizeof *values, "a picture to start from");
    limn_picture_values(image, values);
    limn_status status = limn_recipe_write(encoder, LIMN_PORT_IMAGE, LIMN_F32, values);
    if (status == LIMN_OK) status = limn_recipe_run(p->ctx, &p->recipe, encoder);
    if (status == LIMN_OK)
        status = limn_job_output(p->ctx, &encoder->job, encoder->job.ports->output, "encoder", s->picture);
    if (status == LIMN_OK) scale_latent(p, s->size, s->picture, s->picture);
    free(values);
    return status;
}

static limn_status read_picture(limn_pipeline *p, limn_start *s)
{
    limn_image image = {0};
    int factor = p->vae ? p->vae->factor : 1, channels = limn_pipeline_describe(p).channels;
    limn_status status = LIMN_OK;
    if (s->o->init_latent) scale_latent(p, s->size, s->o->init_latent->values, s->picture);
    else status = fitted(p->ctx, s->o->init, s->width * factor, s->height * factor, channels, &image);
    if (status == LIMN_OK && s->o->init && p->vae) status = encode(p, &image, s);
    else if (status == LIMN_OK && s->o->init) limn_picture_values(&image, s->picture);
    for (int i = 1; i < s->n && status == LIMN_OK; i++)
        memcpy(s->picture + (size_t)i * s->size, s->picture, s->size * sizeof(float));
    limn_image_free(&image);
    return status;
}

/* A mask as gray over black: transparent, which nobody painted, is as black. */
static limn_status mask_to_gray(limn_ctx *ctx, const limn_image *from, limn_image *gray)
{
    const int spread = 64; /* between the parts of a colour, of 255 */
    size_t n = (size_t)from->width * (size_t)from->height, c = (size_t)from->channels;
    limn_status status = limn_image_new(ctx, "a mask", (uint32_t)from->width, (uint32_t)from->height, 1, gray);
    for (size_t i = 0; i < n && status == LIMN_OK; i++) {
        const uint8_t *p = from->pixels + i * c;
        int alpha = c == 2 || c == 4 ? p[c - 1] : 255, r = p[0], g = p[c > 2 ? 1 : 0], b = p[c > 2 ? 2 : 0];
        int most = r > g ? r > b ? r : b : g > b ? g : b, least = r < g ? r < b ? r : b : g < b ? g : b;
        gray->pixels[i] = (uint8_t)(((299 * r + 587 * g + 114 * b + 500) / 1000 * alpha + 127) / 255);
        if ((most - least) * alpha > spread * 255)
            status = limn_fail(ctx, LIMN_BAD_ARGUMENT, "expected a mask of black, gray and white, found the colour %d,%d,%d "
                               "at column %zu, row %zu", r, g, b, i % (size_t)from->width,
                               i / (size_t)from->width);
    }
    if (status != LIMN_OK) limn_image_free(gray);
    return status;
}

static limn_status tell_mask(limn_ctx *ctx, const limn_image *gray, const limn_start *s)
{
    size_t n = (size_t)gray->width * (size_t)gray->height, white = 0, soft = 0, anew = 0;
    int most = 0;
    char edges[100] = "";
    for (size_t i = 0; i < n; i++) {
        int v = gray->pixels[i];
        white += v >= 128, soft += v > 0 && v < 255, most = v > most ? v : most;
    }
    for (size_t i = 0; i < s->size / (size_t)s->channels; i++) anew += s->mask[i] > 0;
    if (!white)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "the mask has no white, the brightest of its %d x %d pixels is %d of 255: "
                         "nothing would be made anew", gray->width, gray->height, most);
    if (!anew)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%zu of %d x %d pixels of the mask are white, too thin for half of one of "
                         "the network's %d x %d: nothing would be made anew", white,
                         gray->width, gray->height, s->width, s->height);
    if (soft) snprintf(edges, sizeof edges, "; %zu are gray or half transparent, and white from 128 of 255 on", soft);
    if (white == n) limn_log(ctx, LIMN_LOG_WARN, "the mask is white everywhere: all of the picture is made anew%s", edges);
    else limn_log(ctx, LIMN_LOG_INFO, "mask: %zu of %zu pixels (%.2g %%) are white and made anew, the others are kept%s",
                  white, n, 100 * (double)white / (double)n, edges);
    return LIMN_OK;
}

static limn_status read_mask(limn_ctx *ctx, const limn_image *from, limn_start *s)
{
    limn_image gray = {0}, image = {0};
    limn_status status = mask_to_gray(ctx, from, &gray);
    if (status == LIMN_OK) status = fitted(ctx, &gray, s->width, s->height, 1, &image);
    for (int i = 0; i < s->width * s->height && status == LIMN_OK; i++) s->mask[i] = image.pixels[i] >= 128;
    if (status == LIMN_OK) status = tell_mask(ctx, &gray, s);
    limn_image_free(&gray);
    limn_image_free(&image);
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

limn_status limn_start_check(const limn_pipeline *p, const limn_generate_options *o)
{
    limn_ctx *ctx = p->ctx;
    const limn_image *mask = o->mask;
    const limn_latent *latent = o->init_latent;
    bool init = o->init || latent;
    limn_status status = latent ? check_latent(p, o) : LIMN_OK;
    if (status != LIMN_OK) return status;
    if (mask && !init)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT,
                         "a mask says what of a picture is kept, and there is no picture to start from");
    if (o->between && init)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "pictures between two seeds start from noise, not from a picture");
    if (!(o->noise >= 0 && o->noise <= 10000))
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "expected noise from 0 to 10000, found %.9g", o->noise);
    if (!(o->noise_left >= 0 && (o->noise_left < o->noise || o->noise_left == 0)))
        return limn_fail(ctx, LIMN_BAD_ARGUMENT,
                         "the noise that is left must be less than the noise there is, %.9g; found %.9g", o->noise,
                         o->noise_left);
    if (o->noise > 0 && !init) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "expected a picture that holds the noise");
    if (o->noise > 0 && mask)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT,
                         "a mask and a noisy picture do not go together: what is kept would keep its noise");
    if (o->noise > 0 && (o->rng == LIMN_RNG_CPU || o->rng == LIMN_RNG_CUDA))
        return limn_fail(ctx, LIMN_BAD_ARGUMENT,
                         "the picture holds the noise that is taken out, and no pipeline of PyTorch sets out from such a "
                         "picture: expected no random numbers of PyTorch's");
    if (!init) return LIMN_OK;
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

bool limn_start_stays(const limn_generate_options *o)
{
    return (o->init || o->init_latent) && !(o->noise > 0) && limn_sampler_steps(o->steps, o->strength) == 0;
}

/* Also of a network that makes latents: what an autoencoder gives back is not the picture. */
limn_status limn_start_copy(const limn_pipeline *p, const limn_generate_options *o, limn_image *images)
{
    limn_picture_sides sides = limn_generate_sides(p, o);
    limn_status status = LIMN_OK;
    if (o->strength > 0)
        limn_log(p->ctx, LIMN_LOG_WARN, "a strength of %g of %d steps is no step: the picture comes back as it was",
                 o->strength, o->steps);
    for (int i = 0; i < o->n && status == LIMN_OK; i++)
        status = fitted(p->ctx, o->init, sides.width, sides.height, limn_pipeline_describe(p).channels, &images[i]);
    return status;
}

limn_status limn_start_new(limn_pipeline *p, const limn_generate_options *o, int n, int height, int width, int channels,
                           limn_start *out)
{
    size_t size = (size_t)height * (size_t)width * (size_t)channels;
    *out = (limn_start){.o = o, .n = n, .height = height, .width = width, .channels = channels, .size = size};
    limn_status status = LIMN_OK;
    bool init = o->init || o->init_latent;
    if (!init && !o->between) return LIMN_OK;
    out->spare = malloc((size_t)n * size * sizeof(float));
    if (init) out->picture = malloc((size_t)n * size * sizeof(float));
    if (o->mask) out->mask = malloc(size / (size_t)channels * sizeof(float));
    if (!out->spare || (init && !out->picture) || (o->mask && !out->mask))
        status = limn_fail_memory(p->ctx, 2 * (size_t)n * size * sizeof(float), "pictures to start from");
    if (status == LIMN_OK && init) status = read_picture(p, out);
    if (status == LIMN_OK && o->mask) status = read_mask(p->ctx, o->mask, out);
    if (status != LIMN_OK) limn_start_free(out);
    return status;
}

void limn_start_free(limn_start *s)
{
    free(s->picture);
    free(s->mask);
    free(s->spare);
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

void limn_start_first(const limn_start *s, const limn_sampler *sampler, float *x)
{
    double a, b;
    limn_sampler_level(sampler, 0, &a, &b);
    if (s->o->between) first_between(s, sampler, x);
    else if (s->o->noise > 0)
        for (size_t i = 0; i < (size_t)s->n * s->size; i++) x[i] = (float)(a * s->picture[i]); /* its noise is a (b / a) n */
    else limn_sampler_start(sampler, s->picture, x);
}

int limn_start_repeats(const limn_start *s, const limn_sampler *sampler, int k)
{
    return s->mask && k + 1 < limn_sampler_calls(sampler) ? s->o->resample : 1;
}

void limn_start_keep(const limn_start *s, const limn_sampler *sampler, int k, float *x)
{
    if (!s->mask) return;
    limn_sampler_noised(sampler, k, s->picture, s->spare);
    size_t n = (size_t)s->n * s->size, c = (size_t)s->channels;
    for (size_t i = 0; i < n; i++)
        if (s->mask[i % s->size / c] == 0) x[i] = s->spare[i];
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
