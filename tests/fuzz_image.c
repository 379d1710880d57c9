/* fuzz_image.c: the first byte picks the channels, the rest is a PNG, JPEG or WebP; what decodes is made another size. */
#include "file/image.h"

#include <string.h>

static void require(bool holds)
{
    if (!holds) __builtin_trap();
}

static void resize(limn_ctx *ctx, const limn_image *image, int width, int height)
{
    limn_image out;
    require(limn_image_resize(ctx, image, width, height, &out) == LIMN_OK && out.channels == image->channels);
    limn_image_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (!n) return 0;
    int channels = data[0] % 5, size = 1 + data[0] / 5;
    limn_ctx *ctx = limn_ctx_new();
    limn_image image;
    limn_status status = limn_image_decode(ctx, "fuzz", data + 1, n - 1, channels, &image);
    if (status == LIMN_OK) {
        require(image.pixels && image.width > 0 && image.width <= LIMN_MAX_SIDE && image.height > 0 &&
                image.height <= LIMN_MAX_SIDE);
        require(channels ? image.channels == channels : image.channels >= 1 && image.channels <= 4);
        uint8_t sum = 0; /* every byte is there and was written */
        for (size_t i = 0; i < (size_t)image.width * (size_t)image.height * (size_t)image.channels; i++)
            sum ^= image.pixels[i];
        if ((size_t)image.width * (size_t)image.height < 100000) resize(ctx, &image, size, 1 + (size ^ sum) % 64);
    } else require(!image.pixels && strncmp(limn_error_text(ctx), "fuzz", 4) == 0);
    limn_image_free(&image);
    limn_ctx_free(ctx);
    return 0;
}
