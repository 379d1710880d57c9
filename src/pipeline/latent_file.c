/* latent_file.c: a latent as a safetensors file: "latent" [C,h,w], as PyTorch orders it. */
#include "file/image.h"
#include "pipeline/autoencoder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CHANNELS = 256 };

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

limn_status limn_latent_write(limn_ctx *ctx, const char *path, const limn_latent *l, const limn_autoencoder *a)
{
    char size[32];
    size_t bytes = (size_t)l->height * (size_t)l->width * (size_t)l->channels * sizeof(float);
    float *values = malloc(bytes);
    if (!values) return limn_fail_memory(ctx, bytes, "a latent");
    channels_first(l, values);
    snprintf(size, sizeof size, "%dx%d", l->image_width, l->image_height);
    const char *const metadata[][2] = {{"limn.picture", size}, {"limn.vae.settings", a->text}};
    limn_named_view view = {"latent", {LIMN_F32, LIMN_SHAPE(l->channels, l->height, l->width), values}};
    limn_status status = limn_safetensors_write(ctx, path, 1, &view, 2, metadata);
    free(values);
    return status;
}

/* The tensor, its sides, and the picture's size, which must be what the latent gives within a factor. */
static limn_status check_header(limn_ctx *ctx, const char *path, const limn_safetensors *st, const limn_entry **out, limn_latent *l)
{
    const limn_entry *e = *out = limn_safetensors_find(st, "latent");
    if (!e) return limn_fail(ctx, LIMN_BAD_FILE, "%s: no tensor \"latent\", expected the file that limn encode writes", path);
    int from = e->rank == 4 && e->dim[0] == 1 ? 1 : 0; /* a batch of one */
    const int64_t *d = e->dim + from;
    if (!e->usable || e->dtype == LIMN_I32 || e->dtype == LIMN_I64 || e->dtype == LIMN_U8 || e->rank - from != 3)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: tensor \"latent\" is %s of %d dimensions, expected numbers [channels, height, width]", path, e->type, e->rank);
    if (d[0] < 1 || d[0] > MAX_CHANNELS || d[1] < 1 || d[1] > LIMN_MAX_SIDE || d[2] < 1 || d[2] > LIMN_MAX_SIDE || d[1] * d[2] > LIMN_MAX_PIXELS)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: tensor \"latent\" is [%lld, %lld, %lld], expected 1 to %d channels and sides of 1 to %d", path, (long long)d[0],
                         (long long)d[1], (long long)d[2], MAX_CHANNELS, LIMN_MAX_SIDE);
    *l = (limn_latent){.channels = (int)d[0], .height = (int)d[1], .width = (int)d[2]};
    return LIMN_OK;
}

/* "640x427"; without it the picture is as large as the latent allows, for a factor of 8. */
static limn_status read_size(limn_ctx *ctx, const char *path, const limn_safetensors *st, limn_latent *l)
{
    const char *text = limn_safetensors_metadata(st, "limn.picture");
    char *end = NULL, shown[256];
    l->image_width = 8 * l->width, l->image_height = 8 * l->height;
    if (!text) return LIMN_OK;
    long w = strtol(text, &end, 10), h = *end == 'x' ? strtol(end + 1, &end, 10) : 0;
    if (*end || w < l->width || w > LIMN_MAX_SIDE || h < l->height || h > LIMN_MAX_SIDE)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: metadata limn.picture is \"%s\", expected a picture's size not below the latent's %d x %d, as in 640x427", path,
                         limn_escape(text, strlen(text), shown, sizeof shown), l->width, l->height);
    l->image_width = (int)w, l->image_height = (int)h;
    return LIMN_OK;
}

static limn_status read_values(limn_ctx *ctx, const char *path, const limn_safetensors *st, const limn_entry *e, limn_latent *l)
{
    size_t n = (size_t)l->height * (size_t)l->width * (size_t)l->channels;
    float *values = malloc(n * sizeof *values);
    l->values = malloc(n * sizeof *values);
    limn_status status = values && l->values ? limn_safetensors_load(ctx, st, e, values, LIMN_F32) : limn_fail_memory(ctx, n * sizeof *values, "a latent");
    for (size_t i = 0; i < n && status == LIMN_OK; i++)
        if (!isfinite(values[i])) status = limn_fail(ctx, LIMN_BAD_FILE, "%s: tensor \"latent\", element %zu is %g, expected finite numbers", path, i, (double)values[i]);
    if (status == LIMN_OK) channels_last(values, l);
    free(values);
    return status;
}

limn_status limn_latent_read(limn_ctx *ctx, const char *path, limn_latent *out)
{
    limn_safetensors *st;
    const limn_entry *e;
    *out = (limn_latent){0};
    limn_status status = limn_safetensors_open(ctx, path, &st);
    if (status != LIMN_OK) return status;
    status = check_header(ctx, path, st, &e, out);
    if (status == LIMN_OK) status = read_size(ctx, path, st, out);
    if (status == LIMN_OK) status = read_values(ctx, path, st, e, out);
    limn_safetensors_close(st);
    if (status != LIMN_OK) limn_latent_free(out);
    return status;
}
