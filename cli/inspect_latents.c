/* inspect_latents.c: latents that limn encode made, under limn inspect. */
#include "inspect.h"

#include <math.h>
#include <string.h>

static limn_status read_channels(limn_ctx *ctx, const char *file, const limn_weight_file *st, const char *name, int n,
                                 float *out)
{
    const limn_entry *e = limn_weight_file_find(st, name);
    if (!e || !e->usable || e->rank != 1 || e->dim[0] != n)
        return limn_fail(
            ctx, LIMN_BAD_FILE,
            "%s: metadata limn.latent.shape speaks of %d channels, and tensor \"%s\" is not one number for each", file, n,
            name);
    return limn_weight_file_load(ctx, st, e, out, LIMN_F32);
}

static limn_status find_all(limn_ctx *ctx, const char *file, const limn_weight_file *st, cli_latents *out)
{
    limn_status status = limn_latents_read(ctx, file, &out->all);
    if (status == LIMN_OK) status = read_channels(ctx, file, st, "mean", out->all.channels, out->mean);
    return status == LIMN_OK ? read_channels(ctx, file, st, "std", out->all.channels, out->spread) : status;
}

static limn_status find_one(limn_ctx *ctx, const char *file, const limn_weight_file *st, cli_latents *out)
{
    limn_latent l;
    const char *settings = limn_weight_file_metadata(st, "limn.vae.settings");
    limn_status status = limn_latent_read(ctx, file, &l);
    if (status != LIMN_OK) return status;
    limn_latents_add(&out->all, &l);
    for (int k = 0; k < l.channels; k++) {
        double mean = out->all.sum[k] / out->all.n, variance = out->all.square[k] / out->all.n - mean * mean;
        out->mean[k] = (float)mean, out->spread[k] = (float)sqrt(variance > 0 ? variance : 0);
    }
    out->image_width = l.image_width, out->image_height = l.image_height;
    snprintf(out->all.settings, sizeof out->all.settings, "%s", settings ? settings : "");
    limn_latent_free(&l);
    return LIMN_OK;
}

limn_status cli_latents_find(limn_ctx *ctx, const char *file, const limn_weight_file *st, cli_latents *out)
{
    *out = (cli_latents){.kind = limn_weight_file_metadata(st, "limn.latent.shape") ? CLI_LATENTS
                                 : limn_weight_file_metadata(st, "limn.picture") && limn_weight_file_find(st, "latent")
                                     ? CLI_LATENT
                                     : CLI_NO_LATENTS};
    if (out->kind == CLI_NO_LATENTS) return LIMN_OK;
    return out->kind == CLI_LATENTS ? find_all(ctx, file, st, out) : find_one(ctx, file, st, out);
}

static void range(int n, const float *x, double *low, double *high)
{
    *low = HUGE_VAL, *high = -HUGE_VAL;
    for (int k = 0; k < n; k++) *low = fmin(*low, x[k]), *high = fmax(*high, x[k]);
}

void cli_latents_print(const cli_latents *l)
{
    const limn_latents *all = &l->all;
    char shown[256];
    double low, high, least, most;
    if (l->kind == CLI_LATENT)
        printf("latent    %d x %d x %d of a picture of %d x %d, for limn decode\n", all->width, all->height, all->channels,
               l->image_width, l->image_height);
    else {
        printf("latents   %lld of %d x %d x %d, for limn train --latents\n", (long long)all->count, all->width, all->height,
               all->channels);
        printf("          scale %.9g, shift %.9g: (latent - shift) scale has mean 0 and spread 1\n", all->scale, all->shift);
    }
    range(all->channels, l->mean, &low, &high);
    range(all->channels, l->spread, &least, &most);
    printf("          channels: means from %g to %g, spreads from %g to %g\n", low, high, least, most);
    if (all->settings[0]) printf("made by   %s\n", limn_escape(all->settings, strlen(all->settings), shown, sizeof shown));
    if (all->vae[0]) printf("          %s\n", limn_escape(all->vae, strlen(all->vae), shown, sizeof shown));
}

json_t *cli_latents_json(const cli_latents *l)
{
    const limn_latents *all = &l->all;
    if (l->kind == CLI_NO_LATENTS) return json_null();
    json_t *mean = json_array(), *spread = json_array();
    for (int k = 0; k < all->channels; k++)
        json_array_append_new(mean, json_real(l->mean[k])), json_array_append_new(spread, json_real(l->spread[k]));
    json_t *o = json_pack("{s:i, s:i, s:i, s:o, s:o}", "width", all->width, "height", all->height, "channels", all->channels,
                          "mean", mean, "spread", spread);
    if (l->kind == CLI_LATENT) json_object_set_new(o, "picture", json_pack("[i, i]", l->image_width, l->image_height));
    else
        json_object_update_new(
            o, json_pack("{s:I, s:f, s:f}", "count", (json_int_t)all->count, "scale", all->scale, "shift", all->shift));
    return o;
}
