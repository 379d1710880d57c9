/* autoencoder.c: opening an autoencoder, and running its halves. */
#include "pipeline/autoencoder.h"

#include "model/map/map.h"
#include "train/finite.h"
#include "train/weights.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- files ---------------------------------------------------------------------------------------------------------------- */

/* `from` in the last part of a path becomes `to`, where that file exists.  @return whether it does */
static bool sibling(const char *path, const char *from, const char *to, char *out, size_t n)
{
    const char *slash = strrchr(path, '/'), *at = strstr(slash ? slash : path, from);
    if (!at) return false;
    snprintf(out, n, "%.*s%s%s", (int)(at - path), path, to, at + strlen(from));
    return access(out, R_OK) == 0;
}

/* A file of the folder whose name holds "encoder" and that has a twin with "decoder".  The first by name. */
static bool pair_in(const char *folder, char *encoder, size_t n)
{
    char path[1100], twin[1100];
    bool found = false;
    DIR *dir = opendir(folder);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (e->d_name[0] == '.' || snprintf(path, sizeof path, "%s/%s", folder, e->d_name) >= (int)sizeof path) continue;
        if (!sibling(path, "encoder", "decoder", twin, sizeof twin) || (found && strcmp(path, encoder) >= 0)) continue;
        snprintf(encoder, n, "%s", path);
        found = true;
    }
    if (dir) closedir(dir);
    return found;
}

static limn_status find_files(limn_ctx *ctx, const char *source, char *encoder, char *decoder, size_t n)
{
    char inside[1100];
    struct stat there;
    if (strlen(source) > 1000) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "the path of the autoencoder is longer than 1000 bytes");
    snprintf(inside, sizeof inside, "%s/vae", source);
    bool folder = stat(source, &there) == 0 && S_ISDIR(there.st_mode), vae = folder && access(inside, R_OK) == 0;
    limn_status status = LIMN_OK;
    if (!folder || !pair_in(source, encoder, n)) status = limn_map_file(ctx, vae ? inside : source, encoder);
    snprintf(decoder, n, "%s", encoder);
    if (status != LIMN_OK || sibling(encoder, "encoder", "decoder", decoder, n)) return status;
    snprintf(decoder, n, "%s", encoder);
    if (sibling(encoder, "decoder", "encoder", inside, sizeof inside)) snprintf(encoder, n, "%s", inside);
    return LIMN_OK;
}

static bool is_autoencoder(const limn_settings *s)
{
    return strcmp(s->family->name, "vae") == 0 || strcmp(s->family->name, "tae") == 0;
}

static limn_status open_files(limn_autoencoder *a)
{
    limn_half *in = &a->encoder, *back = &a->decoder;
    limn_status status = limn_weight_file_open(a->ctx, in->file, &in->st);
    if (status == LIMN_OK) status = limn_weights_settings_among(a->ctx, in->file, in->st, "vae tae", &a->settings);
    if (status != LIMN_OK) return status;
    if (!is_autoencoder(&a->settings))
        return limn_fail(a->ctx, LIMN_UNSUPPORTED, "%s: holds a %s, expected an autoencoder (vae or tae)", in->file, a->settings.family->name);
    limn_settings_text(&a->settings, a->text);
    back->st = in->st;
    if (strcmp(in->file, back->file) == 0) return LIMN_OK;
    limn_settings other;
    char text[LIMN_SETTINGS_BYTES];
    back->st = NULL;
    status = limn_weight_file_open(a->ctx, back->file, &back->st);
    if (status == LIMN_OK) status = limn_weights_settings_among(a->ctx, back->file, back->st, "vae tae", &other);
    if (status == LIMN_OK && strcmp(limn_settings_text(&other, text), a->text) != 0)
        status = limn_fail(a->ctx, LIMN_BAD_FILE, "%s and %s do not belong together: %s, and %s", in->file, back->file, a->text, text);
    return status;
}

limn_status limn_autoencoder_open(limn_ctx *ctx, const char *source, limn_autoencoder **out)
{
    *out = NULL;
    limn_autoencoder *a = calloc(1, sizeof *a);
    if (!a) return limn_fail_memory(ctx, sizeof *a, "an autoencoder");
    a->ctx = ctx;
    limn_status status = find_files(ctx, source, a->encoder.file, a->decoder.file, sizeof a->encoder.file);
    if (status == LIMN_OK) status = open_files(a);
    if (status == LIMN_OK) {
        int levels = limn_settings_get(&a->settings, "levels");
        a->factor = 1 << (strcmp(a->settings.family->name, "vae") == 0 ? levels - 1 : levels);
        *out = a;
    } else limn_autoencoder_free(a);
    return status;
}

static void forget(limn_half *half)
{
    limn_plan_free(half->plan);
    limn_graph_free(half->g);
    half->plan = NULL, half->g = NULL;
}

void limn_autoencoder_free(limn_autoencoder *a)
{
    if (!a) return;
    forget(&a->encoder);
    forget(&a->decoder);
    if (a->decoder.st != a->encoder.st) limn_weight_file_close(a->decoder.st);
    limn_weight_file_close(a->encoder.st);
    free(a);
}

limn_autoencoder_info limn_autoencoder_describe(const limn_autoencoder *a)
{
    const limn_settings *s = &a->settings;
    limn_autoencoder_info info = {.network = s->family->name, .settings = a->text, .channels = limn_settings_get(s, "channels"),
                                  .latent = limn_settings_get(s, "latent"), .factor = a->factor, .scale = 1};
    if (strcmp(info.network, "vae") == 0) info.scale = limn_settings_get(s, "scaling") * 1e-5, info.shift = limn_settings_get(s, "shift") * 1e-5;
    return info;
}

/* ---- running -------------------------------------------------------------------------------------------------------------- */

static limn_status plan_now(limn_autoencoder *a, limn_half *half, limn_model_part part)
{
    half->g = limn_graph_new(a->ctx);
    if (!half->g) return limn_fail_memory(a->ctx, sizeof *half, "a graph");
    limn_build build = {.batch = half->batch, .part = part, .height = half->height, .width = half->width};
    limn_plan_options options = {.precision = half->precision, .own_parameters = true};
    limn_status status = limn_model_build(half->g, &a->settings, build, &half->ports);
    if (status == LIMN_OK) status = limn_plan_new(half->g, 1, &half->ports.output, &options, &half->plan);
    if (status != LIMN_OK) return status;
    limn_plan_size size = limn_plan_sizes(half->plan);
    limn_log(a->ctx, LIMN_LOG_INFO, "%s %d x %d: %.0f MB planned", part == LIMN_PART_ENCODER ? "encoding" : "decoding", half->width, half->height,
             (double)(size.activation_bytes + size.scratch_bytes + size.packed_bytes + size.weight_bytes) * 1e-6);
    return limn_weights_give(a->ctx, half->g, half->plan, half->file, half->st);
}

limn_status limn_half_plan(limn_autoencoder *a, limn_model_part part, int batch, int height, int width, limn_precision precision)
{
    limn_half *half = part == LIMN_PART_ENCODER ? &a->encoder : &a->decoder;
    int n_threads = limn_ctx_threads(a->ctx); /* scratch is planned per thread */
    if (half->plan && half->batch == batch && half->height == height && half->width == width && half->precision == precision && half->n_threads == n_threads)
        return LIMN_OK;
    forget(half);
    half->batch = batch, half->height = height, half->width = width, half->precision = precision, half->n_threads = n_threads;
    limn_status status = plan_now(a, half, part);
    if (status != LIMN_OK) forget(half);
    return status;
}

static limn_status run(limn_ctx *ctx, limn_half *half, limn_node *input, const float *from, float *to)
{
    limn_status status = limn_plan_set(half->plan, input, LIMN_F32, from);
    if (status == LIMN_OK) status = limn_plan_run(half->plan);
    if (status == LIMN_OK) status = limn_plan_get(half->plan, half->ports.output, LIMN_F32, to);
    if (status != LIMN_OK) return status;
    limn_shape shape = limn_node_shape(half->ports.output);
    return limn_finite_check(ctx, half->file, input == half->ports.image ? "encoder" : "decoder", (size_t)limn_shape_count(&shape), to);
}

limn_status limn_encode_values(limn_autoencoder *a, int n, int height, int width, const float *pictures, limn_precision precision, float *latents)
{
    limn_status status = limn_half_plan(a, LIMN_PART_ENCODER, n, height, width, precision);
    return status == LIMN_OK ? run(a->ctx, &a->encoder, a->encoder.ports.image, pictures, latents) : status;
}

limn_status limn_decode_values(limn_autoencoder *a, int n, int height, int width, const float *latents, limn_precision precision, float *pictures)
{
    limn_status status = limn_half_plan(a, LIMN_PART_DECODER, n, height, width, precision);
    return status == LIMN_OK ? run(a->ctx, &a->decoder, a->decoder.ports.latent, latents, pictures) : status;
}
