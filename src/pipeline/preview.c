/* preview.c: pictures under way: roughly and fast.
 *
 * Latents of Stable Diffusion, as the denoiser has them, are nearly a small picture: its colours, from -1 to 1, are a
 * product with a matrix, and a sum with a vector, fitted to what the decoder makes (numbers as ComfyUI's latent_formats.py
 * has them, SD15, SDXL and SD3). */
#include "denoise/picture.h"
#include "file/image.h"
#include "pipeline/autoencoder.h"
#include "pipeline/published.h"
#include "pipeline/sampling.h"

#include <stdlib.h>

typedef struct projection {
    int channels;
    float offset[3], of[16][3];
} projection;

static const projection of_sd = {4, {0}, {{0.3512f, 0.2297f, 0.3227f}, {0.3250f, 0.4974f, 0.2350f},
                                          {-0.2829f, 0.1762f, 0.2721f}, {-0.2120f, -0.2616f, -0.7177f}}},
                        of_xl = {4, {0.1084f, -0.0175f, -0.0011f},
                                 {{0.3651f, 0.4232f, 0.4341f}, {-0.2533f, -0.0042f, 0.1068f},
                                  {0.1076f, 0.1111f, -0.0362f}, {-0.3165f, -0.2492f, -0.2188f}}},
                        of_sd3 = {16, {0.2394f, 0.2135f, 0.1925f},
                                  {{-0.0922f, -0.0175f, 0.0749f}, {0.0311f, 0.0633f, 0.0954f}, {0.1994f, 0.0927f, 0.0458f},
                                   {0.0856f, 0.0339f, 0.0902f}, {0.0587f, 0.0272f, -0.0496f}, {-0.0006f, 0.1104f, 0.0309f},
                                   {0.0978f, 0.0306f, 0.0427f}, {-0.0042f, 0.1038f, 0.1358f}, {-0.0194f, 0.0020f, 0.0669f},
                                   {-0.0488f, 0.0130f, -0.0268f}, {0.0922f, 0.0988f, 0.0951f}, {-0.0278f, 0.0524f, -0.0542f},
                                   {0.0332f, 0.0456f, 0.0895f}, {-0.0069f, -0.0030f, -0.0810f},
                                   {-0.0596f, -0.0465f, -0.0293f}, {-0.1448f, -0.1463f, -0.1189f}}};

/* That of the model's latents; NULL: none is known. */
static const projection *projection_of(const limn_pipeline *p)
{
    limn_interface net = limn_model_interface(&p->settings);
    bool unet = p->settings.family == &limn_family_ldm_unet, pixart = limn_published_is_pixart(p);
    if (limn_published_is_sd3(p) && net.channels == of_sd3.channels) return &of_sd3;
    if (!p->published || net.channels != 4) return NULL;
    if ((unet && net.sizes) || (pixart && p->latent_scale == 0.13025)) return &of_xl;
    return unet || pixart || limn_published_is_dit(p) ? &of_sd : NULL;
}

static bool is_projected(const limn_pipeline *p)
{
    return projection_of(p) != NULL;
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
                         "Diffusion, PixArt and DiT only", p->file);
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
    const projection *by = projection_of(s->p);
    size_t channels = (size_t)by->channels;
    float *rgb = malloc(pixels * 3 * sizeof *rgb);
    limn_image small = {0};
    if (!rgb) return limn_fail_memory(s->p->ctx, pixels * 3 * sizeof *rgb, "a preview");
    for (size_t i = 0; i < pixels; i++)
        for (int c = 0; c < 3; c++) {
            float *to = &rgb[3 * i + (size_t)c];
            *to = by->offset[c];
            for (size_t k = 0; k < channels; k++) *to += x[channels * i + k] * by->of[k][c];
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
