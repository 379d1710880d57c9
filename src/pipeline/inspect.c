/* inspect.c: a file is opened, whatever it is, and what is known of it found out. */
#include "pipeline/inspect.h"

#include "file/bytes.h"
#include "file/target.h"
#include "file/torch.h"
#include "model/map/map.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_PNG = 256 << 20 };

/* ---- latents ---------------------------------------------------------------------------------------------------------- */

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

static limn_status find_all(limn_ctx *ctx, const char *file, const limn_weight_file *st, limn_inspected_latents *out)
{
    limn_status status = limn_latents_read(ctx, file, &out->all);
    if (status == LIMN_OK) status = read_channels(ctx, file, st, "mean", out->all.channels, out->mean);
    return status == LIMN_OK ? read_channels(ctx, file, st, "std", out->all.channels, out->spread) : status;
}

static limn_status find_one(limn_ctx *ctx, const char *file, const limn_weight_file *st, limn_inspected_latents *out)
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

static limn_status find_latents(limn_ctx *ctx, const char *file, const limn_weight_file *st, limn_inspected_latents *out)
{
    bool many = limn_weight_file_metadata(st, "limn.latent.shape"),
         one = limn_weight_file_metadata(st, "limn.picture") && limn_weight_file_find(st, "latent");
    out->kind = many ? LIMN_MANY_LATENTS : one ? LIMN_ONE_LATENT : LIMN_NO_LATENTS;
    if (out->kind == LIMN_NO_LATENTS) return LIMN_OK;
    return out->kind == LIMN_MANY_LATENTS ? find_all(ctx, file, st, out) : find_one(ctx, file, st, out);
}

/* ---- files ------------------------------------------------------------------------------------------------------------ */

static limn_status open_weights(limn_ctx *ctx, limn_inspected *it)
{
    limn_status status = limn_weight_file_open(ctx, it->file, &it->st);
    if (status != LIMN_OK) return status;
    it->known = find_latents(ctx, it->file, it->st, &it->latents);
    if (it->known == LIMN_OK && it->latents.kind == LIMN_NO_LATENTS)
        it->known = limn_fit_all(ctx, it->file, it->st, it->fit, &it->n_fits);
    return LIMN_OK;
}

static limn_status open_picture(limn_ctx *ctx, limn_inspected *it)
{
    unsigned char *bytes;
    size_t n;
    limn_status status = limn_file_read(ctx, it->file, MOST_PNG, &bytes, &n);
    if (status != LIMN_OK) return status;
    status = limn_png_info_read(ctx, it->file, bytes, n, &it->picture);
    free(bytes);
    return status;
}

static limn_status open_file(limn_ctx *ctx, limn_inspected *it)
{
    const char *file = it->file;
    unsigned char head[LIMN_KIND_BYTES];
    size_t n, length = strlen(file);
    int fd;
    limn_status status = limn_file_open(ctx, file, &fd, &n);
    if (status != LIMN_OK) return status;
    if (n > sizeof head) n = sizeof head;
    status = limn_file_read_at(ctx, file, fd, 0, n, head);
    close(fd);
    if (status != LIMN_OK) return status;
    bool index = length > 5 && strcmp(file + length - 5, ".json") == 0;
    bool picture = limn_png_is(head, n),
         other = !picture && !index && n > 8 && head[8] != '{' && limn_file_kind_of(head, n) == LIMN_KIND_SAFETENSORS;
    if (other)
        return limn_fail(
            ctx, LIMN_BAD_FILE,
            "%s: neither a PNG nor a safetensors file (byte 8 begins its header with {) nor one of torch.save()", file);
    return picture ? open_picture(ctx, it) : open_weights(ctx, it);
}

/* Of a folder its weights, or what limn encode says of its latents. */
static limn_status find_file(limn_ctx *ctx, const char *source, limn_inspected *it)
{
    const size_t most = sizeof it->file - 100;
    if (strlen(source) > most)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "the path of the file is longer than %zu bytes", most);
    snprintf(it->file, sizeof it->file, "%s/latents.safetensors", source);
    if (access(it->file, F_OK) == 0) return LIMN_OK;
    snprintf(it->file, sizeof it->file, "%s", source);
    return limn_path_is_folder(source) ? limn_map_file(ctx, source, it->file) : LIMN_OK;
}

limn_status limn_inspected_open(limn_ctx *ctx, const char *source, limn_inspected **out)
{
    limn_inspected *it = *out = calloc(1, sizeof *it); /* 60 KB and more: not on the stack */
    if (!it) return limn_fail_memory(ctx, sizeof *it, source);
    limn_status status = find_file(ctx, source, it);
    if (status == LIMN_OK) status = open_file(ctx, it);
    if (status != LIMN_OK) limn_inspected_close(it), *out = NULL;
    return status;
}

void limn_inspected_close(limn_inspected *it)
{
    if (!it) return;
    limn_weight_file_close(it->st);
    limn_png_info_free(&it->picture);
    free(it);
}
