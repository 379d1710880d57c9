/* report_picture.c: picture | truth | prediction, errors in colour. */
#include "train/report.h"

#include <string.h>

enum { GAP = 4 };

typedef struct colour {
    uint8_t r, g, b;
} colour;

static const colour ignored = {128, 128, 128}, invented = {230, 20, 30}, missed = {255, 140, 0}, mixed = {250, 230, 30};
static const colour palette[] = {{0, 200, 110}, {40, 110, 250}, {0, 210, 230}, {130, 220, 60}, {130, 80, 240}, {0, 140, 130}, {100, 170, 255}, {60, 110, 50}};

/* `over` of 256 parts of a colour over a pixel */
static void paint(uint8_t *pixel, colour c, unsigned over)
{
    pixel[0] = (uint8_t)((pixel[0] * (256 - over) + c.r * over) >> 8);
    pixel[1] = (uint8_t)((pixel[1] * (256 - over) + c.g * over) >> 8);
    pixel[2] = (uint8_t)((pixel[2] * (256 - over) + c.b * over) >> 8);
}

static void paint_class(uint8_t *pixel, uint8_t k)
{
    if (k == LIMN_IGNORED) paint(pixel, ignored, 160);
    else if (k) paint(pixel, palette[(k - 1) % (sizeof palette / sizeof *palette)], 100);
}

static void paint_prediction(uint8_t *pixel, uint8_t truth, uint8_t k)
{
    if (truth == LIMN_IGNORED || truth == k) paint_class(pixel, truth);
    else paint(pixel, !truth ? invented : !k ? missed : mixed, 208);
}

limn_status limn_report_picture(limn_ctx *ctx, const limn_image *image, const uint8_t *truth, const uint8_t *prediction, limn_image *out)
{
    *out = (limn_image){0};
    limn_image rgb;
    limn_status status = limn_image_copy(ctx, image, 3, &rgb);
    if (status != LIMN_OK) return status;
    size_t w = (size_t)rgb.width, h = (size_t)rgb.height, n_panels = truth ? 3 : 2, across = n_panels * w + (n_panels - 1) * GAP;
    status = limn_image_new(ctx, "an overlay", (uint32_t)across, (uint32_t)h, 3, out);
    if (status == LIMN_OK) memset(out->pixels, 255, across * h * 3);
    for (size_t y = 0; status == LIMN_OK && y < h; y++)
        for (size_t panel = 0; panel < n_panels; panel++) {
            uint8_t *row = out->pixels + (y * across + panel * (w + GAP)) * 3;
            memcpy(row, rgb.pixels + y * w * 3, w * 3);
            for (size_t x = 0, i = y * w; panel && x < w; x++, i++) {
                if (!truth) paint_class(row + x * 3, prediction[i]);
                else if (panel == 1) paint_class(row + x * 3, truth[i]);
                else paint_prediction(row + x * 3, truth[i], prediction[i]);
            }
        }
    limn_image_free(&rgb);
    return status;
}
