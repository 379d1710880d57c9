/* autoencoder.c: opening an autoencoder, and running its coders. */
#include "pipeline/autoencoder.h"

#include "file/bytes.h"
#include "model/map/map.h"
#include "net/open.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { CHUNK = 1 << 18 };

/* ---- files ------------------------------------------------------------------------------------------------------------ */

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
    if (strlen(source) > 1000)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "the path of the autoencoder is longer than 1000 bytes");
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
    return s->family->kind == LIMN_RECONSTRUCTS;
}

/* whole: NULL, or the encoder's file. */
static limn_status open_files(limn_autoencoder *a, limn_weight_file *whole)
{
    limn_coder *in = &a->encoder, *back = &a->decoder;
    limn_status status = whole ? limn_net_open_in(a->ctx, in->file, whole, "vae tae", &in->st, &a->settings, NULL)
                               : limn_net_open(a->ctx, in->file, "vae tae", &in->st, &a->settings);
    if (status != LIMN_OK) return status;
    if (!is_autoencoder(&a->settings))
        return limn_fail(a->ctx, LIMN_UNSUPPORTED, "%s: holds a %s, expected an autoencoder (vae or tae)", in->file,
                         a->settings.family->name);
    limn_settings_text(&a->settings, a->text);
    back->st = in->st;
    if (strcmp(in->file, back->file) == 0) return LIMN_OK;
    limn_settings other;
    char text[LIMN_SETTINGS_BYTES];
    back->st = NULL;
    status = limn_net_open(a->ctx, back->file, "vae tae", &back->st, &other);
    if (status == LIMN_OK && strcmp(limn_settings_text(&other, text), a->text) != 0)
        status = limn_fail(a->ctx, LIMN_BAD_FILE, "%s and %s do not belong together: %s, and %s", in->file, back->file,
                           a->text, text);
    return status;
}

static limn_status open_net(limn_autoencoder *a, limn_coder *coder)
{
    limn_source *weights;
    limn_status status = limn_map_source(a->ctx, coder->file, coder->st, &weights);
    return status == LIMN_OK ? limn_net_new(a->ctx, &a->settings, weights, coder->file, &coder->net) : status;
}

limn_status limn_autoencoder_open(limn_ctx *ctx, const char *source, limn_autoencoder **out)
{
    return limn_autoencoder_open_in(ctx, source, NULL, out);
}

limn_status limn_autoencoder_open_in(limn_ctx *ctx, const char *source, limn_weight_file *whole, limn_autoencoder **out)
{
    *out = NULL;
    limn_autoencoder *a = calloc(1, sizeof *a);
    if (!a) return limn_fail_memory(ctx, sizeof *a, "an autoencoder");
    a->ctx = ctx;
    limn_status status = find_files(ctx, source, a->encoder.file, a->decoder.file, sizeof a->encoder.file);
    a->encoder.part = LIMN_PART_ENCODER, a->decoder.part = LIMN_PART_DECODER;
    if (status == LIMN_OK) status = open_files(a, strcmp(a->encoder.file, source) ? NULL : whole);
    if (status == LIMN_OK) status = open_net(a, &a->encoder);
    if (status == LIMN_OK) status = open_net(a, &a->decoder);
    if (status == LIMN_OK) {
        a->factor = limn_model_interface(&a->settings).factor;
        *out = a;
    } else limn_autoencoder_free(a);
    return status;
}

static void close_coder(limn_coder *coder)
{
    limn_job_end(&coder->job);
    limn_net_free(coder->net);
}

void limn_autoencoder_free(limn_autoencoder *a)
{
    if (!a) return;
    close_coder(&a->encoder);
    close_coder(&a->decoder);
    if (!a->shares && a->decoder.st != a->encoder.st) limn_weight_file_close(a->decoder.st);
    if (!a->shares) limn_weight_file_close(a->encoder.st);
    free(a);
}

limn_status limn_autoencoder_share(limn_ctx *ctx, const limn_autoencoder *a, limn_autoencoder **out)
{
    limn_autoencoder *b = *out = malloc(sizeof *b);
    if (!b) return limn_fail_memory(ctx, sizeof *b, "an autoencoder");
    *b = *a;
    b->ctx = ctx, b->shares = true, b->encoder.job = b->decoder.job = (limn_job){0};
    limn_net_share(b->encoder.net);
    limn_net_share(b->decoder.net);
    return LIMN_OK;
}

limn_autoencoder_info limn_autoencoder_describe(const limn_autoencoder *a)
{
    limn_interface net = limn_model_interface(&a->settings);
    return (limn_autoencoder_info){.network = a->settings.family->name,
                                   .settings = a->text,
                                   .channels = net.channels,
                                   .latent = net.latent,
                                   .factor = net.factor,
                                   .scale = net.scale,
                                   .shift = net.shift};
}

static limn_status add_checksum(limn_ctx *ctx, const char *path, unsigned char *chunk, uLong *crc)
{
    int fd;
    size_t bytes;
    limn_status status = limn_file_open(ctx, path, &fd, &bytes);
    if (status != LIMN_OK) return status;
    for (size_t at = 0, n; at < bytes && status == LIMN_OK; at += n) {
        n = bytes - at < CHUNK ? bytes - at : CHUNK;
        status = limn_file_read_at(ctx, path, fd, at, n, chunk);
        if (status == LIMN_OK) *crc = crc32(*crc, chunk, (uInt)n);
    }
    close(fd);
    return status;
}

limn_status limn_autoencoder_checksum(limn_autoencoder *a, char *out)
{
    uLong crc = crc32(0, NULL, 0);
    unsigned char *chunk = malloc(CHUNK);
    if (!chunk) return limn_fail_memory(a->ctx, CHUNK, "a checksum");
    limn_status status = add_checksum(a->ctx, a->encoder.file, chunk, &crc);
    if (status == LIMN_OK && a->decoder.st != a->encoder.st) status = add_checksum(a->ctx, a->decoder.file, chunk, &crc);
    free(chunk);
    snprintf(out, 9, "%08lx", crc & 0xffffffffUL);
    return status;
}

void limn_autoencoder_reads(const limn_autoencoder *a, limn_job_files *files)
{
    const limn_coder *coders[] = {&a->encoder, &a->decoder};
    for (int i = 0; i < 2; i++) {
        limn_job_reads(files, "the autoencoder", coders[i]->file); /* perhaps an index of several */
        limn_weight_file_reads(coders[i]->st, "the autoencoder", files);
    }
}

/* ---- running ---------------------------------------------------------------------------------------------------------- */

limn_status limn_autoencoder_set_tiling(limn_autoencoder *a, const limn_tiling *tiling)
{
    limn_status status = limn_tiling_check(a->ctx, tiling);
    if (status == LIMN_OK) a->tiling = *tiling;
    return status;
}

/* Bytes for activations; 0: not known. */
static size_t room(const limn_ctx *ctx, const limn_coder *coder, const limn_net_size *size)
{
    size_t has = limn_net_bytes(coder->net), lacks = size->weights > has ? size->weights - has : 0,
           have = limn_memory_available(), left = have > lacks ? have - lacks : have ? 1 : 0;
    if (!ctx->memory) return left;
    size_t most = ctx->memory > size->weights ? ctx->memory - size->weights : 1;
    return left && left < most ? left : most;
}

static const char *working(const limn_coder *coder)
{
    return coder->part == LIMN_PART_ENCODER ? "encoding" : "decoding";
}

/* size: of the whole, for which there is no room. */
static limn_status begin_strips(limn_autoencoder *a, limn_coder *coder, const limn_net_size *size, size_t left)
{
    limn_status status = LIMN_NO_MEMORY;
    if (!a->tiling.on && coder->whole.batch == 1)
        status = limn_strips_decide(a->ctx, coder->net, &coder->whole, left, &coder->strips);
    if (status != LIMN_OK) {
        coder->strips.n = 0;
        return limn_fail(a->ctx, LIMN_NO_MEMORY, "the plan needs %.1f MB for activations, the limit is %.1f MB: use a "
                         "smaller batch or size", (double)size->activations / 1e6, (double)left / 1e6);
    }
    limn_log(a->ctx, LIMN_LOG_INFO, "%s %d x %d in strips: %.0f MB planned", working(coder), coder->whole.width,
             coder->whole.height, (double)(coder->strips.bytes + size->weights) * 1e-6);
    return LIMN_OK;
}

limn_status limn_coder_begin(limn_autoencoder *a, limn_coder *coder, int batch, int height, int width,
                             limn_precision precision)
{
    limn_coder_sides whole = {height, width}, tile = limn_tiling_tile(&a->tiling, whole, a->factor);
    limn_net_shape shape = {.batch = batch, .height = tile.height, .width = tile.width, .part = coder->part,
                            .precision = precision};
    limn_net_size size;
    char tiles[64];
    if (coder->strips.n && coder->memory == a->ctx->memory && limn_net_shape_same(&coder->whole, &shape)) return LIMN_OK;
    coder->strips.n = 0, coder->whole = shape, coder->memory = a->ctx->memory;
    if (limn_job_serves(a->ctx, &coder->job, coder->net, &shape)) return LIMN_OK;
    limn_job_end(&coder->job);
    limn_status status = limn_net_measure(a->ctx, coder->net, &shape, &size);
    if (status != LIMN_OK) return status;
    size_t left = room(a->ctx, coder, &size);
    if (left && size.activations > left) return begin_strips(a, coder, &size, left);
    status = limn_job_begin(a->ctx, coder->net, &shape, (size_t)1 << 62, &coder->job);
    if (status == LIMN_OK)
        limn_log(a->ctx, LIMN_LOG_INFO, "%s %d x %d%s: %.0f MB planned", working(coder), width, height,
                 limn_tiling_text(&a->tiling, whole, a->factor, tiles), (double)(size.activations + size.weights) * 1e-6);
    return status;
}

/* height, width: of the picture */
static limn_status code(limn_autoencoder *a, limn_coder *coder, int n, int height, int width, const float *from,
                        limn_precision precision, float *to)
{
    limn_status status = limn_coder_begin(a, coder, n, height, width, precision);
    limn_coder_sides latent = {height / a->factor, width / a->factor};
    if (status == LIMN_OK && coder->strips.n)
        return limn_strips_run(a->ctx, coder->net, &coder->whole, &coder->strips, from, to, NULL);
    return status == LIMN_OK ? limn_job_code(a->ctx, &coder->job, &a->tiling, latent, from, to, NULL) : status;
}

limn_status limn_encode_values(limn_autoencoder *a, int n, int height, int width, const float *pictures,
                               limn_precision precision, float *latents)
{
    return code(a, &a->encoder, n, height, width, pictures, precision, latents);
}

limn_status limn_decode_values(limn_autoencoder *a, int n, int height, int width, const float *latents,
                               limn_precision precision, float *pictures)
{
    return code(a, &a->decoder, n, height, width, latents, precision, pictures);
}
