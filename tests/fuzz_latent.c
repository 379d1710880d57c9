/* fuzz_latent.c: a latent, or what a folder says of its latents.  First byte even: the rest is a file; odd: the second byte
 * counts blocks of 4 data bytes, the rest is a header, so that mutations need not guess its length.  A latent that opens is
 * written and read again. */
#include "file/image.h"
#include "file/latent.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void require(bool holds)
{
    if (!holds) __builtin_trap();
}

static size_t count(const limn_latent *l)
{
    return (size_t)l->height * (size_t)l->width * (size_t)l->channels;
}

static void write_again(limn_ctx *ctx, const char *path, const limn_latent *l)
{
    limn_latent back;
    require(limn_latent_write(ctx, path, l, "tae") == LIMN_OK && limn_latent_read(ctx, path, &back) == LIMN_OK);
    require(back.height == l->height && back.width == l->width && back.channels == l->channels);
    require(back.image_height == l->image_height && back.image_width == l->image_width &&
            memcmp(back.values, l->values, count(l) * sizeof(float)) == 0);
    limn_latent_free(&back);
}

static void read_latent(limn_ctx *ctx, const char *path)
{
    limn_latent l;
    if (limn_latent_read(ctx, path, &l) != LIMN_OK) {
        require(!l.values && strncmp(limn_error_text(ctx), path, strlen(path)) == 0);
        return;
    }
    require(l.values && l.height > 0 && l.width > 0 && l.channels > 0 && l.channels <= LIMN_LATENT_CHANNELS);
    require(l.image_width >= l.width && l.image_height >= l.height);
    for (size_t i = 0; i < count(&l); i++) require(isfinite(l.values[i]));
    if (l.image_width <= LIMN_MAX_SIDE && l.image_height <= LIMN_MAX_SIDE) write_again(ctx, path, &l);
    limn_latent_free(&l);
}

static void read_folder(limn_ctx *ctx, const char *path)
{
    static limn_latents all;
    if (limn_latents_read(ctx, path, &all) == LIMN_OK)
        require(all.width > 0 && all.height > 0 && all.channels > 0 && all.scale > 0 && isfinite(all.scale) &&
                isfinite(all.shift));
    else require(strncmp(limn_error_text(ctx), path, strlen(path)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char path[64];
    uint8_t length[8] = {0}, values[4 * 255];
    if (n < 2) return 0;
    bool header = data[0] & 1;
    snprintf(path, sizeof path, "/tmp/fuzz-latent-%d.safetensors", (int)getpid());
    FILE *file = fopen(path, "wb");
    if (!file) return 0;
    for (int i = 0; i < 8; i++) length[i] = (uint8_t)((n - 2) >> 8 * i);
    for (size_t i = 0; i < sizeof values; i++) values[i] = (uint8_t)(i * 37);
    if (header) fwrite(length, 1, 8, file);
    fwrite(data + 2, 1, n - 2, file);
    if (header) fwrite(values, 4, data[1], file);
    fclose(file);
    limn_ctx *ctx = limn_ctx_new();
    read_folder(ctx, path);
    read_latent(ctx, path);
    limn_ctx_free(ctx);
    unlink(path);
    return 0;
}
