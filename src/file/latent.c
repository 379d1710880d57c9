/* latent.c: a latent as a safetensors file: "latent" [C,h,w], as PyTorch orders it; what a folder of them says about all. */
#include "file/latent.h"

#include "file/bytes.h"
#include "file/image.h"
#include "file/safetensors.h"
#include "file/weight_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* [h,w,C] <-> [C,h,w] */
static void channels_first(const limn_latent *l, float *to)
{
    size_t n = (size_t)l->height * (size_t)l->width, c = (size_t)l->channels;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < c; k++) to[k * n + i] = l->values[i * c + k];
}

static void channels_last(const float *from, limn_latent *l)
{
    size_t n = (size_t)l->height * (size_t)l->width, c = (size_t)l->channels;
    for (size_t k = 0; k < c; k++)
        for (size_t i = 0; i < n; i++) l->values[i * c + k] = from[k * n + i];
}

void limn_latent_free(limn_latent *latent)
{
    free(latent->values);
    *latent = (limn_latent){0};
}

limn_status limn_latent_new(limn_ctx *ctx, int height, int width, int channels, limn_latent *out)
{
    size_t n = (size_t)height * (size_t)width * (size_t)channels;
    *out = (limn_latent){0};
    bool fits = height > 0 && width > 0 && channels > 0 && height <= LIMN_MAX_SIDE && width <= LIMN_MAX_SIDE &&
                channels <= LIMN_LATENT_CHANNELS;
    if (!fits)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "expected a latent of sides from 1 to %d and 1 to %d channels, found "
                         "%d x %d x %d", LIMN_MAX_SIDE, LIMN_LATENT_CHANNELS, width, height, channels);
    *out = (limn_latent){.height = height, .width = width, .channels = channels, .values = malloc(n * sizeof(float))};
    return out->values ? LIMN_OK : limn_fail_memory(ctx, n * sizeof(float), "a latent");
}

limn_status limn_latent_write(limn_ctx *ctx, const char *path, const limn_latent *l, const char *settings)
{
    char size[32];
    size_t bytes = (size_t)l->height * (size_t)l->width * (size_t)l->channels * sizeof(float);
    float *values = malloc(bytes);
    if (!values) return limn_fail_memory(ctx, bytes, "a latent");
    channels_first(l, values);
    snprintf(size, sizeof size, "%dx%d", l->image_width, l->image_height);
    const char *const metadata[][2] = {{"limn.picture", size}, {"limn.vae.settings", settings}};
    limn_named_view view = {"latent", {LIMN_F32, LIMN_SHAPE(l->channels, l->height, l->width), values}};
    limn_status status = limn_safetensors_write(ctx, path, 1, &view, 2, metadata);
    free(values);
    return status;
}

/* The tensor, its sides, and the picture's size, which must be what the latent gives within a factor. */
static limn_status check_header(limn_ctx *ctx, const char *path, const limn_weight_file *st, const limn_entry **out,
                                limn_latent *l)
{
    const limn_entry *e = *out = limn_weight_file_find(st, "latent");
    if (!e)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: no tensor \"latent\", expected the file that limn encode writes", path);
    int from = e->rank == 4 && e->dim[0] == 1 ? 1 : 0; /* a batch of one */
    const int64_t *d = e->dim + from;
    if (!e->usable || e->dtype == LIMN_I32 || e->dtype == LIMN_I64 || e->dtype == LIMN_U8 || e->rank - from != 3)
        return limn_fail(ctx, LIMN_BAD_FILE,
                         "%s: tensor \"latent\" is %s of %d dimensions, expected numbers [channels, height, width]", path,
                         e->type, e->rank);
    if (d[0] < 1 || d[0] > LIMN_LATENT_CHANNELS || d[1] < 1 || d[1] > LIMN_MAX_SIDE || d[2] < 1 || d[2] > LIMN_MAX_SIDE ||
        d[1] * d[2] > LIMN_MAX_PIXELS)
        return limn_fail(ctx, LIMN_BAD_FILE,
                         "%s: tensor \"latent\" is [%lld, %lld, %lld], expected 1 to %d channels and sides of 1 to %d", path,
                         (long long)d[0], (long long)d[1], (long long)d[2], LIMN_LATENT_CHANNELS, LIMN_MAX_SIDE);
    *l = (limn_latent){.channels = (int)d[0], .height = (int)d[1], .width = (int)d[2]};
    return LIMN_OK;
}

/* "640x427"; without it the picture is as large as the latent allows, for a factor of 8. */
static limn_status read_size(limn_ctx *ctx, const char *path, const limn_weight_file *st, limn_latent *l)
{
    const char *text = limn_weight_file_metadata(st, "limn.picture");
    char *end = NULL, shown[256];
    l->image_width = 8 * l->width, l->image_height = 8 * l->height;
    if (!text) return LIMN_OK;
    long w = strtol(text, &end, 10), h = *end == 'x' ? strtol(end + 1, &end, 10) : 0;
    if (*end || w < l->width || w > LIMN_MAX_SIDE || h < l->height || h > LIMN_MAX_SIDE)
        return limn_fail(
            ctx, LIMN_BAD_FILE,
            "%s: metadata limn.picture is \"%s\", expected a picture's size not below the latent's %d x %d, as in 640x427",
            path, limn_escape(text, strlen(text), shown, sizeof shown), l->width, l->height);
    l->image_width = (int)w, l->image_height = (int)h;
    return LIMN_OK;
}

static limn_status read_values(limn_ctx *ctx, const char *path, const limn_weight_file *st, const limn_entry *e,
                               limn_latent *l)
{
    size_t n = (size_t)l->height * (size_t)l->width * (size_t)l->channels;
    float *values = malloc(n * sizeof *values);
    l->values = malloc(n * sizeof *values);
    limn_status status = values && l->values ? limn_weight_file_load(ctx, st, e, values, LIMN_F32)
                                             : limn_fail_memory(ctx, n * sizeof *values, "a latent");
    for (size_t i = 0; i < n && status == LIMN_OK; i++)
        if (!isfinite(values[i]))
            status = limn_fail(ctx, LIMN_BAD_FILE, "%s: tensor \"latent\", element %zu is %.9g, expected finite numbers",
                               path, i, (double)values[i]);
    if (status == LIMN_OK) channels_last(values, l);
    free(values);
    return status;
}

limn_status limn_latent_read(limn_ctx *ctx, const char *path, limn_latent *out)
{
    limn_weight_file *st;
    const limn_entry *e;
    *out = (limn_latent){0};
    limn_status status = limn_weight_file_open(ctx, path, &st);
    if (status != LIMN_OK) return status;
    status = check_header(ctx, path, st, &e, out);
    if (status == LIMN_OK) status = read_size(ctx, path, st, out);
    if (status == LIMN_OK) status = read_values(ctx, path, st, e, out);
    limn_weight_file_close(st);
    if (status != LIMN_OK) limn_latent_free(out);
    return status;
}

limn_status limn_latent_check_maker(limn_ctx *ctx, const char *path, const char *settings)
{
    limn_weight_file *st;
    char shown[1024];
    limn_status status = limn_weight_file_open(ctx, path, &st);
    if (status != LIMN_OK) return status;
    const char *maker = limn_weight_file_metadata(st, "limn.vae.settings");
    if (maker && strcmp(maker, settings) != 0)
        status = limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: the latent was made by %s, and the autoencoder is %s", path,
                           limn_escape(maker, strlen(maker), shown, sizeof shown), settings);
    limn_weight_file_close(st);
    return status;
}

/* ---- a folder of latents ---------------------------------------------------------------------------------------------- */

static void put_statistics(const limn_latents *s, float *mean, float *std)
{
    for (int k = 0; k < s->channels; k++) {
        double m = s->sum[k] / s->n, v = s->square[k] / s->n - m * m;
        mean[k] = (float)m, std[k] = (float)sqrt(v > 0 ? v : 0);
    }
}

void limn_latents_add(limn_latents *s, const limn_latent *l)
{
    size_t n = (size_t)l->height * (size_t)l->width;
    s->channels = l->channels, s->height = l->height, s->width = l->width;
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < l->channels; k++) {
            double x = l->values[i * (size_t)l->channels + (size_t)k];
            s->sum[k] += x, s->square[k] += x * x;
        }
    s->n += (double)n, s->count++;
}

/* One shift and one scale for all channels: their mean becomes 0 and their spread 1. */
void limn_latents_finish(limn_latents *s)
{
    double sum = 0, square = 0, n = s->n * s->channels;
    for (int k = 0; k < s->channels; k++) sum += s->sum[k], square += s->square[k];
    s->shift = sum / n;
    double variance = square / n - s->shift * s->shift;
    s->scale = variance > 1e-12 ? 1 / sqrt(variance) : 1;
}

limn_status limn_latents_write(limn_ctx *ctx, const char *path, const limn_latents *s)
{
    float mean[LIMN_LATENT_CHANNELS], std[LIMN_LATENT_CHANNELS];
    char count[32], scale[32], shift[32], shape[64];
    put_statistics(s, mean, std);
    snprintf(count, sizeof count, "%lld", (long long)s->count);
    limn_format(scale, sizeof scale, "%.9g", s->scale);
    limn_format(shift, sizeof shift, "%.9g", s->shift);
    snprintf(shape, sizeof shape, "%dx%dx%d", s->width, s->height, s->channels);
    const char *const metadata[][2] = {{"limn.latent.count", count},  {"limn.latent.scale", scale},
                                       {"limn.latent.shape", shape},  {"limn.latent.shift", shift},
                                       {"limn.vae", s->vae},          {"limn.vae.settings", s->settings},
                                       {"limn.vae.crc32", s->vae_crc}};
    limn_named_view views[] = {{"mean", {LIMN_F32, LIMN_SHAPE(s->channels), mean}},
                               {"std", {LIMN_F32, LIMN_SHAPE(s->channels), std}}};
    return limn_safetensors_write(ctx, path, 2, views, sizeof metadata / sizeof *metadata, metadata);
}

static limn_status bad(limn_ctx *ctx, const char *path, const char *key, const char *expected, const char *found)
{
    char shown[256];
    return limn_fail(ctx, LIMN_BAD_FILE, "%s: metadata %s is \"%s\", expected %s", path, key,
                     found ? limn_escape(found, strlen(found), shown, sizeof shown) : "missing", expected);
}

static limn_status take(limn_ctx *ctx, const char *path, const limn_weight_file *st, limn_latents *out)
{
    const char *shape = limn_weight_file_metadata(st, "limn.latent.shape"),
               *scale = limn_weight_file_metadata(st, "limn.latent.scale");
    const char *shift = limn_weight_file_metadata(st, "limn.latent.shift"), *vae = limn_weight_file_metadata(st, "limn.vae");
    const char *settings = limn_weight_file_metadata(st, "limn.vae.settings");
    const char *crc = limn_weight_file_metadata(st, "limn.vae.crc32");
    char *end, tail;
    if (!shape || sscanf(shape, "%5dx%5dx%3d%c", &out->width, &out->height, &out->channels, &tail) != 3 || out->width < 1 ||
        out->height < 1 || out->channels < 1 || out->channels > LIMN_LATENT_CHANNELS || out->width > LIMN_MAX_SIDE ||
        out->height > LIMN_MAX_SIDE)
        return bad(ctx, path, "limn.latent.shape", "width x height x channels, as in 64x64x4", shape);
    out->scale = scale ? limn_number_parse(scale, &end) : 0;
    if (!scale || end == scale || *end || !(out->scale > 1e-9 && out->scale < 1e9))
        return bad(ctx, path, "limn.latent.scale", "a number above 0", scale);
    out->shift = shift ? limn_number_parse(shift, &end) : 0;
    if (!shift || end == shift || *end || !(fabs(out->shift) < 1e9))
        return bad(ctx, path, "limn.latent.shift", "a number", shift);
    const char *count = limn_weight_file_metadata(st, "limn.latent.count");
    out->count = count ? strtoll(count, NULL, 10) : 0;
    limn_path_last(vae ? vae : "", out->vae, sizeof out->vae); /* older versions wrote the whole path */
    snprintf(out->vae_crc, sizeof out->vae_crc, "%.8s", crc ? crc : "");
    snprintf(out->settings, sizeof out->settings, "%s", settings ? settings : "");
    return LIMN_OK;
}

limn_status limn_latents_read(limn_ctx *ctx, const char *path, limn_latents *out)
{
    limn_weight_file *st;
    *out = (limn_latents){0};
    limn_status status = limn_weight_file_open(ctx, path, &st);
    if (status == LIMN_NOT_FOUND)
        return limn_fail(ctx, status, "%s is not there: expected a folder of latents that limn encode wrote to its end",
                         path);
    if (status != LIMN_OK) return status;
    status = take(ctx, path, st, out);
    limn_weight_file_close(st);
    return status;
}
