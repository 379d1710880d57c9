/* generate.c: a picture from words: generate [MODEL [PROMPT [FILE]]].  CMake builds it as build/example-generate. */
#include <limn/limn.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *model = NULL;
    limn_image image = {0};
    char *text = NULL;
    limn_generate_options options = limn_generate_defaults();
    options.prompt = argc > 2 ? argv[2] : "man farmer, dark skin tone";

    bool done = ctx && limn_pipeline_open(ctx, argc > 1 ? argv[1] : "models/emoji", &model) == LIMN_OK &&
                limn_generate(model, &options, &image) == LIMN_OK && (text = limn_generate_parameters(model, &options, 0)) &&
                limn_png_write(ctx, argc > 3 ? argv[3] : "generated.png", &image, text) == LIMN_OK;
    if (!done) fprintf(stderr, "%s\n", ctx ? limn_error_text(ctx) : "out of memory");

    limn_free(text);
    limn_image_free(&image);
    limn_pipeline_free(model);
    limn_ctx_free(ctx);
    return done ? 0 : 1;
}
