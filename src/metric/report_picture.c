/* report_picture.c: picture | truth | prediction, errors in colour. */
#include "metric/report.h"

#include "file/image.h"

#include <string.h>

enum { GAP = 4 };

typedef struct colour {
    uint8_t r, g, b;
} colour;

static const colour ignored = {128, 128, 128}, invented = {230, 20, 30}, missed = {255, 140, 0}, mixed = {250, 230, 30};
static const colour palette[] = {{0, 200, 110},  {40, 110, 250}, {0, 210, 230},   {130, 220, 60},
                                 {130, 80, 240}, {0, 140, 130},  {100, 170, 255}, {60, 110, 50}};

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

/* Pixels of a side when every `step`-th is drawn. */
static size_t drawn(size_t side, size_t step)
{
    return (side + step - 1) / step;
}

static size_t across(size_t width, size_t step, size_t n_panels)
{
    return n_panels * drawn(width, step) + (n_panels - 1) * GAP;
}

/* 1, or 2, 3 .. where the panels together would be larger than a picture may be. */
static size_t step_of(size_t width, size_t height, size_t n_panels)
{
    size_t step = 1;
    while (across(width, step, n_panels) > LIMN_MAX_SIDE ||
           across(width, step, n_panels) * drawn(height, step) > LIMN_MAX_PIXELS)
        step++;
    return step;
}

/* Where pixel i of the n that are drawn of a side lies. */
static size_t place(size_t i, size_t step, size_t side)
{
    size_t at = i * step + step / 2;
    return at < side ? at : side - 1;
}

limn_status limn_report_picture(limn_ctx *ctx, const limn_image *image, const uint8_t *truth, const uint8_t *prediction,
                                limn_image *out)
{
    *out = (limn_image){0};
    limn_image rgb;
    size_t width = (size_t)image->width, height = (size_t)image->height, n_panels = truth ? 3 : 2,
           step = step_of(width, height, n_panels);
    size_t w = drawn(width, step), h = drawn(height, step), row_pixels = across(width, step, n_panels);
    limn_status status =
        step > 1 ? limn_image_resize(ctx, image, (int)w, (int)h, &rgb) : limn_image_copy(ctx, image, 3, &rgb);
    if (status != LIMN_OK) return status;
    status = limn_image_convert(ctx, &rgb, 3);
    if (status == LIMN_OK) status = limn_image_new(ctx, "an overlay", (uint32_t)row_pixels, (uint32_t)h, 3, out);
    if (status == LIMN_OK) memset(out->pixels, 255, row_pixels * h * 3);
    for (size_t y = 0; status == LIMN_OK && y < h; y++)
        for (size_t panel = 0; panel < n_panels; panel++) {
            uint8_t *row = out->pixels + (y * row_pixels + panel * (w + GAP)) * 3;
            size_t from = place(y, step, height) * width;
            memcpy(row, rgb.pixels + y * w * 3, w * 3);
            for (size_t x = 0; panel && x < w; x++) {
                size_t i = from + place(x, step, width);
                if (!truth) paint_class(row + x * 3, prediction[i]);
                else if (panel == 1) paint_class(row + x * 3, truth[i]);
                else paint_prediction(row + x * 3, truth[i], prediction[i]);
            }
        }
    limn_image_free(&rgb);
    return status;
}
