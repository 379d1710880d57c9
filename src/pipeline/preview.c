/* preview.c: pictures under way: roughly and fast.
 *
 * Latents of Stable Diffusion, as the denoiser has them, are nearly a small picture: its colours, from -1 to 1, are a
 * product with a matrix, and a sum with a vector, fitted to what the decoder makes (numbers as ComfyUI's latent_formats.py
 * has them, SD15 and SDXL). */
#include "denoise/picture.h"
#include "file/image.h"
#include "pipeline/autoencoder.h"
#include "pipeline/sampling.h"

#include <stdlib.h>

static const float of_sd[5][3] = {{0.3512f, 0.2297f, 0.3227f}, {0.3250f, 0.4974f, 0.2350f}, {-0.2829f, 0.1762f, 0.2721f},
                                  {-0.2120f, -0.2616f, -0.7177f}, {0}},
                   of_xl[5][3] = {{0.3651f, 0.4232f, 0.4341f}, {-0.2533f, -0.0042f, 0.1068f},
                                  {0.1076f, 0.1111f, -0.0362f}, {-0.3165f, -0.2492f, -0.2188f},
                                  {0.1084f, -0.0175f, -0.0011f}};

static bool is_projected(const limn_pipeline *p)
{
    return p->published && p->settings.family == &limn_family_ldm_unet && limn_model_interface(&p->settings).channels == 4;
}

static bool has_tiny(const limn_pipeline *p)
{
    return p->tiny || (p->vae && p->vae->settings.family == &limn_family_tae);
}

bool limn_pipeline_previews_cheaply(const limn_pipeline *p)
{
    return !p->makes_latents || has_tiny(p) || is_projected(p);
}

limn_status limn_preview_find(const limn_pipeline *p, const limn_generate_options *o, limn_preview *out)
{
    limn_preview by = o->preview;
    if (by == LIMN_PREVIEW_AUTO && p->makes_latents)
        by = has_tiny(p) ? LIMN_PREVIEW_TINY : is_projected(p) ? LIMN_PREVIEW_PROJECTION : LIMN_PREVIEW_FULL;
    else if (by == LIMN_PREVIEW_AUTO) by = LIMN_PREVIEW_FULL;
    *out = by;
    if (by == LIMN_PREVIEW_PROJECTION && !is_projected(p))
        return limn_fail(p->ctx, LIMN_UNSUPPORTED, "%s: colours by a projection are known of the latents of Stable "
                         "Diffusion only", p->file);
    if (by == LIMN_PREVIEW_TINY && !has_tiny(p))
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "previews by a tiny autoencoder need one, and %s has none: give it "
                         "(--taesd)", p->name);
    return by == LIMN_PREVIEW_FULL ? limn_sampling_check_pictures(p) : LIMN_OK;
}

/* The small picture in the sides of the large one, so that a file of previews keeps its size. */
static limn_status projected(const limn_sampling *s, const float *x, limn_image *out)
{
    int factor = s->p->vae ? s->p->vae->factor : 1;
    size_t pixels = (size_t)s->height * (size_t)s->width;
    const float (*projection)[3] = limn_model_interface(&s->p->settings).sizes ? of_xl : of_sd;
    float *rgb = malloc(pixels * 3 * sizeof *rgb);
    limn_image small = {0};
    if (!rgb) return limn_fail_memory(s->p->ctx, pixels * 3 * sizeof *rgb, "a preview");
    for (size_t i = 0; i < pixels; i++)
        for (int c = 0; c < 3; c++) {
            float *to = &rgb[3 * i + (size_t)c];
            *to = projection[4][c];
            for (int k = 0; k < 4; k++) *to += x[4 * i + (size_t)k] * projection[k][c];
        }
    limn_status status = limn_picture_bytes(s->p->ctx, s->width, s->height, 3, rgb, &small);
    if (status == LIMN_OK)
        status = limn_image_resize(s->p->ctx, &small, s->width * factor, s->height * factor, out);
    limn_image_free(&small);
    free(rgb);
    return status;
}

/* x: the denoiser's numbers, of which the tiny autoencoder's latents are a multiple. */
static limn_status decoded(limn_sampling *s, float *x, limn_image *out)
{
    limn_autoencoder_info info = limn_autoencoder_describe(s->p->tiny);
    for (size_t i = 0; i < s->size; i++) x[i] = (float)(x[i] / info.scale + info.shift);
    return limn_sampling_decode(s, LIMN_ROLE_PREVIEW, x, out);
}

limn_status limn_sampling_preview(limn_sampling *s, int i, limn_image *out)
{
    *out = (limn_image){0};
    if (s->preview == LIMN_PREVIEW_NONE)
        return limn_fail(s->p->ctx, LIMN_BAD_ARGUMENT, "nothing was planned for previews: the options ask for none");
    if (s->preview == LIMN_PREVIEW_FULL || (s->preview == LIMN_PREVIEW_TINY && !s->p->tiny))
        return limn_sampling_picture(s, i, out);
    limn_status status = limn_sampling_check_number(s, i);
    if (status != LIMN_OK) return status;
    float *x = malloc(s->size * sizeof *x);
    if (!x) return limn_fail_memory(s->p->ctx, s->size * sizeof *x, "a preview");
    limn_sampling_estimate(s, i, x);
    status = s->preview == LIMN_PREVIEW_TINY ? decoded(s, x, out) : projected(s, x, out);
    free(x);
    return status;
}
