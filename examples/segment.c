/* segment.c: a class for every pixel of a picture: segment MODEL PICTURE [MASK.png].  CMake builds it as
 * build/example-segment. */
#include <limn/limn.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    if (argc < 3) return fprintf(stderr, "usage: segment MODEL PICTURE [MASK.png]\n"), 2;
    limn_ctx *ctx = limn_ctx_new();
    limn_segmentation *model = NULL;
    limn_image picture = {0}, classes = {0};

    bool done = ctx && limn_segmentation_open(ctx, argv[1], NULL, &model) == LIMN_OK &&
                limn_image_read(ctx, argv[2], 0, &picture) == LIMN_OK &&
                limn_segment(model, &picture, &classes, NULL) == LIMN_OK;
    int most = done ? limn_segmentation_describe(model).classes - 1 : 1; /* black to white */
    for (int i = 0; done && i < classes.width * classes.height; i++)
        classes.pixels[i] = (uint8_t)(classes.pixels[i] * 255 / most);
    done = done && limn_png_write(ctx, argc > 3 ? argv[3] : "mask.png", &classes, NULL) == LIMN_OK;
    if (!done) fprintf(stderr, "%s\n", ctx ? limn_error_text(ctx) : "out of memory");

    limn_image_free(&classes);
    limn_image_free(&picture);
    limn_segmentation_free(model);
    limn_ctx_free(ctx);
    return done ? 0 : 1;
}
