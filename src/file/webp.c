/* webp.c: WebP (lossy, lossless, alpha) by libwebp. */
#include "file/exif.h"
#include "file/image.h"

#include <webp/decode.h>

static const char *reason(VP8StatusCode code)
{
    switch (code) {
    case VP8_STATUS_NOT_ENOUGH_DATA: return "the file ends early";
    case VP8_STATUS_OUT_OF_MEMORY: return "out of memory while decoding";
    case VP8_STATUS_UNSUPPORTED_FEATURE: return "a feature this libwebp does not know";
    case VP8_STATUS_INVALID_PARAM: return "the header is invalid";
    default: return "the bit stream is invalid";
    }
}

/* RIFF, 32-bit little-endian size of what follows; libwebp itself is lenient about a size past the end. */
static bool is_cut(const uint8_t *bytes, size_t n)
{
    size_t size = (size_t)bytes[4] | (size_t)bytes[5] << 8 | (size_t)bytes[6] << 16 | (size_t)bytes[7] << 24;
    return size > n - 8;
}

limn_status limn_webp_decode(limn_ctx *ctx, const char *name, const uint8_t *bytes, size_t n, limn_image *out)
{
    *out = (limn_image){0};
    if (n < 12) return limn_fail(ctx, LIMN_BAD_FILE, "%s: damaged WebP: %zu bytes are no header", name, n);
    WebPDecoderConfig config;
    if (!WebPInitDecoderConfig(&config))
        return limn_fail(ctx, LIMN_UNSUPPORTED, "%s: libwebp is of another version than its headers", name);
    VP8StatusCode code = is_cut(bytes, n) ? VP8_STATUS_NOT_ENOUGH_DATA : WebPGetFeatures(bytes, n, &config.input);
    if (code != VP8_STATUS_OK)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: damaged WebP: %s (%zu bytes)", name, reason(code), n);
    if (config.input.has_animation)
        return limn_fail(ctx, LIMN_UNSUPPORTED, "%s: an animated WebP, expected a single picture", name);
    int channels = config.input.has_alpha ? 4 : 3;
    limn_status status =
        limn_image_new(ctx, name, (uint32_t)config.input.width, (uint32_t)config.input.height, channels, out);
    if (status != LIMN_OK) return status;
    size_t row = (size_t)out->width * (size_t)channels;
    config.output.colorspace = channels == 4 ? MODE_RGBA : MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA = (WebPRGBABuffer){.rgba = out->pixels, .stride = (int)row, .size = row * (size_t)out->height};
    code = WebPDecode(bytes, n, &config);
    status = code == VP8_STATUS_OK ? limn_image_turn(ctx, name, limn_webp_orientation(bytes, n), out) : LIMN_OK;
    if (code == VP8_STATUS_OK && status == LIMN_OK) return LIMN_OK;
    limn_image_free(out);
    if (status != LIMN_OK) return status;
    return limn_fail(ctx, code == VP8_STATUS_OUT_OF_MEMORY ? LIMN_NO_MEMORY : LIMN_BAD_FILE,
                     "%s: damaged WebP: %s (%zu bytes)", name, reason(code), n);
}
