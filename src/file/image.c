/* image.c: which format a file is, limits, channels. */
#include "file/image.h"

#include "file/bytes.h"
#include "file/exif.h"

#include <stdlib.h>
#include <string.h>

void limn_image_free(limn_image *image)
{
    free(image->pixels);
    *image = (limn_image){0};
}

limn_status limn_image_check(limn_ctx *ctx, const char *name, uint32_t width, uint32_t height, int channels)
{
    if (!width || !height || width > LIMN_MAX_SIDE || height > LIMN_MAX_SIDE || (uint64_t)width * height > LIMN_MAX_PIXELS)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: %u x %u pixels, expected 1 to %d a side and at most %d in all", name,
                         width, height, LIMN_MAX_SIDE, LIMN_MAX_PIXELS);
    size_t bytes = (size_t)width * height * (size_t)channels, large = (size_t)32 << 20;
    size_t available = bytes > large ? limn_memory_available() : 0;
    if (available && bytes > available)
        return limn_fail(ctx, LIMN_NO_MEMORY, "%s: %u x %u pixels need %zu bytes, %zu are available", name, width, height,
                         bytes, available);
    return LIMN_OK;
}

limn_status limn_image_new(limn_ctx *ctx, const char *name, uint32_t width, uint32_t height, int channels, limn_image *out)
{
    *out = (limn_image){0};
    limn_status status = limn_image_check(ctx, name, width, height, channels);
    if (status != LIMN_OK) return status;
    size_t bytes = (size_t)width * height * (size_t)channels;
    *out = (limn_image){.width = (int)width, .height = (int)height, .channels = channels, .pixels = malloc(bytes)};
    if (out->pixels) return LIMN_OK;
    *out = (limn_image){0};
    return limn_fail_memory(ctx, bytes, name);
}

limn_image_kind limn_image_sniff(const uint8_t *bytes, size_t n)
{
    if (n >= 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0) return LIMN_IMAGE_PNG;
    if (n >= 3 && memcmp(bytes, "\xff\xd8\xff", 3) == 0) return LIMN_IMAGE_JPEG;
    if (n >= 12 && memcmp(bytes, "RIFF", 4) == 0 && memcmp(bytes + 8, "WEBP", 4) == 0) return LIMN_IMAGE_WEBP;
    return LIMN_IMAGE_UNKNOWN;
}

limn_status limn_image_decode(limn_ctx *ctx, const char *name, const uint8_t *bytes, size_t n, int channels, limn_image *out)
{
    *out = (limn_image){0};
    if (channels < 0 || channels > 4)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: pictures have 1 to 4 channels, not %d", name, channels);
    char shown[64];
    limn_status status;
    switch (limn_image_sniff(bytes, n)) {
    case LIMN_IMAGE_PNG: status = limn_png_decode(ctx, name, bytes, n, out); break;
    case LIMN_IMAGE_JPEG: status = limn_jpeg_decode(ctx, name, bytes, n, out); break;
    case LIMN_IMAGE_WEBP: status = limn_webp_decode(ctx, name, bytes, n, out); break;
    default:
        return limn_fail(ctx, LIMN_BAD_FILE,
                         "%s: expected a PNG, JPEG or WebP picture, found %zu bytes that begin with \"%s\"", name, n,
                         limn_escape((const char *)bytes, n < 12 ? n : 12, shown, sizeof shown));
    }
    if (status == LIMN_OK && channels) status = limn_image_convert(ctx, out, channels);
    if (status != LIMN_OK) limn_image_free(out);
    return status;
}

limn_status limn_image_read(limn_ctx *ctx, const char *path, int channels, limn_image *out)
{
    unsigned char *bytes;
    size_t n;
    *out = (limn_image){0};
    limn_status status = limn_file_read(ctx, path, LIMN_MAX_IMAGE_BYTES, &bytes, &n);
    if (status != LIMN_OK) return status;
    status = limn_image_decode(ctx, path, bytes, n, channels, out);
    free(bytes);
    return status;
}

/* One pixel of `c` channels as RGBA and back; gray stays exactly what it was: 299 + 587 + 114 = 1000. */
static void widen(const uint8_t *p, int c, uint32_t rgba[4])
{
    for (int k = 0; k < 3; k++) rgba[k] = p[c > 2 ? k : 0];
    rgba[3] = c == 2 || c == 4 ? p[c - 1] : 255;
}

static void narrow(uint32_t rgba[4], int c, uint8_t *p)
{
    if (c == 1 || c == 3)
        for (int k = 0; k < 3; k++) rgba[k] = (rgba[k] * rgba[3] + 255 * (255 - rgba[3]) + 127) / 255;
    if (c < 3) p[0] = (uint8_t)((rgba[0] * 299 + rgba[1] * 587 + rgba[2] * 114 + 500) / 1000);
    else for (int k = 0; k < 3; k++) p[k] = (uint8_t)rgba[k];
    if (c == 2 || c == 4) p[c - 1] = (uint8_t)rgba[3];
}

limn_status limn_image_convert(limn_ctx *ctx, limn_image *image, int channels)
{
    limn_image out;
    if (image->channels == channels) return LIMN_OK;
    limn_status status = limn_image_new(ctx, "a picture", (uint32_t)image->width, (uint32_t)image->height, channels, &out);
    if (status != LIMN_OK) return status;
    size_t n = (size_t)image->width * (size_t)image->height;
    for (size_t i = 0; i < n; i++) {
        uint32_t rgba[4];
        widen(image->pixels + i * (size_t)image->channels, image->channels, rgba);
        narrow(rgba, channels, out.pixels + i * (size_t)channels);
    }
    limn_image_free(image);
    *image = out;
    return LIMN_OK;
}

limn_status limn_image_copy(limn_ctx *ctx, const limn_image *from, int channels, limn_image *out)
{
    limn_status status =
        limn_image_new(ctx, "a copy of a picture", (uint32_t)from->width, (uint32_t)from->height, from->channels, out);
    if (status != LIMN_OK) return status;
    memcpy(out->pixels, from->pixels, (size_t)from->width * (size_t)from->height * (size_t)from->channels);
    status = channels ? limn_image_convert(ctx, out, channels) : LIMN_OK;
    if (status != LIMN_OK) limn_image_free(out);
    return status;
}

limn_status limn_image_turn(limn_ctx *ctx, const char *name, int orientation, limn_image *image)
{
    void *pixels = image->pixels;
    limn_status status =
        limn_turn_upright(ctx, name, orientation, (size_t)image->channels, &image->width, &image->height, &pixels);
    image->pixels = pixels;
    return status;
}
