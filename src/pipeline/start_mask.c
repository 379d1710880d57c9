/* start_mask.c: which part of a picture is made anew, and what is kept of it. */
#include "file/image.h"
#include "pipeline/autoencoder.h"
#include "pipeline/start.h"

#include <stdlib.h>
#include <string.h>

/* Of masks of latents, of 255: what is darker counts as black, from WHITE on all is made; pictures that were saved as JPEG
 * are neither quite. */
enum { BLACK = 16, WHITE = 240 };

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

/* mixes: gray is a mixture of what is made and what is kept */
static limn_status tell_mask(limn_ctx *ctx, const limn_image *gray, const limn_start *s, bool mixes)
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
    if (soft)
        snprintf(edges, sizeof edges, "; %zu are gray or half transparent, and %s", soft,
                 mixes ? "mixed of both" : "white from 128 of 255 on");
    if (white == n) limn_log(ctx, LIMN_LOG_WARN, "the mask is white everywhere: all of the picture is made anew%s", edges);
    else limn_log(ctx, LIMN_LOG_INFO, "mask: %zu of %zu pixels (%.2g %%) are white and made anew, the others are kept%s",
                  white, n, 100 * (double)white / (double)n, edges);
    return LIMN_OK;
}

/* Of latents of ours: a square of which any pixel is not black.  Published, as diffusers: one whose pixel above and left is
 * white.  Without an autoencoder a square is a pixel. */
static bool is_made(const limn_pipeline *p, const limn_start *s, int x, int y)
{
    const uint8_t *square = s->whole.pixels + ((size_t)y * (size_t)s->whole.width + (size_t)x) * (size_t)s->factor;
    if (!p->vae || limn_pipeline_follows_diffusers(p)) return *square >= 128;
    for (int i = 0; i < s->factor * s->factor; i++)
        if (square[i / s->factor * s->whole.width + i % s->factor] >= BLACK) return true;
    return false;
}

limn_status limn_start_mask(const limn_pipeline *p, limn_start *s)
{
    limn_image gray = {0};
    bool mixes = p->vae && !limn_pipeline_follows_diffusers(p);
    limn_status status = mask_to_gray(p->ctx, s->o->mask, &gray);
    if (status == LIMN_OK)
        status = limn_start_fitted(p->ctx, &gray, s->width * s->factor, s->height * s->factor, 1, &s->whole);
    for (int i = 0; i < s->width * s->height && status == LIMN_OK; i++)
        s->mask[i] = is_made(p, s, i % s->width, i / s->width);
    if (status == LIMN_OK) status = tell_mask(p->ctx, &gray, s, mixes);
    limn_image_free(&gray);
    return status;
}

/* made = m made + (1 - m) kept,  of alpha and of colours times alpha */
static void mix_pixel(int channels, double m, const uint8_t *kept, uint8_t *made)
{
    double own = channels == 4 ? m * made[3] : m, other = channels == 4 ? (1 - m) * kept[3] : 1 - m, sum = own + other;
    for (int c = 0; c < channels && sum > 0; c++)
        made[c] = (uint8_t)(c == 3 ? sum + 0.5 : (own * made[c] + other * kept[c]) / sum + 0.5);
}

void limn_start_lay(const limn_start *s, limn_image *made)
{
    size_t n = (size_t)made->width * (size_t)made->height, channels = (size_t)made->channels;
    double clean = s->o->noise > 0 ? 1 - s->o->noise_left / s->o->noise : 1;
    for (size_t i = 0; i < n && s->under.pixels && clean < 1; i++)
        mix_pixel(made->channels, clean, s->under.pixels + i * channels, made->pixels + i * channels);
    for (size_t i = 0; i < n && s->under.pixels && s->whole.pixels; i++) {
        int mask = s->whole.pixels[i];
        const uint8_t *kept = s->under.pixels + i * channels;
        if (mask < BLACK) memcpy(made->pixels + i * channels, kept, channels);
        else if (mask < WHITE) mix_pixel(made->channels, mask / 255.0, kept, made->pixels + i * channels);
    }
}
