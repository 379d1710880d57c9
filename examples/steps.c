/* steps.c: what stands behind a picture: the text as numbers, the picture as it comes into being, the numbers it ends with,
 * from which another one sets out: steps [MODEL [PROMPT]].  CMake builds it as build/example-steps. */
#include <limn/limn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* How the text is spread: the root mean square of its features. */
static limn_status print_text(limn_pipeline *model, const char *text)
{
    limn_pipeline_info info = limn_pipeline_describe(model);
    int n = info.text_length * info.text_width;
    float *features = malloc((size_t)n * sizeof *features);
    if (!features) return LIMN_NO_MEMORY;
    limn_status status = limn_encode_text(model, text, LIMN_PRECISION_F32, features, NULL);
    double sum = 0;
    for (int i = 0; i < n && status == LIMN_OK; i++) sum += (double)features[i] * features[i];
    if (status == LIMN_OK)
        printf("%d tokens of %d numbers, %.3f strong\n", info.text_length, info.text_width, sqrt(sum / n));
    free(features);
    return status;
}

int main(int argc, char **argv)
{
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *model = NULL;
    limn_sampling *sampling = NULL;
    limn_generate_options options = limn_generate_defaults();
    options.prompt = argc > 2 ? argv[2] : "man farmer, dark skin tone", options.steps = 4;

    limn_status status = ctx ? limn_pipeline_open(ctx, argc > 1 ? argv[1] : "models/emoji", &model) : LIMN_NO_MEMORY;
    if (status == LIMN_OK) status = print_text(model, options.prompt);
    if (status == LIMN_OK) status = limn_sampling_begin(model, &options, &sampling);
    while (status == LIMN_OK && limn_sampling_left(sampling)) {
        char name[32];
        limn_image image = {0};
        status = limn_sampling_step(sampling);
        if (status == LIMN_OK) status = limn_sampling_picture(sampling, 0, &image);
        snprintf(name, sizeof name, "step-%d.png", limn_sampling_left(sampling));
        if (status == LIMN_OK) status = limn_png_write(ctx, name, &image, NULL);
        limn_image_free(&image);
    }
    limn_latent latent = {0};
    if (status == LIMN_OK) status = limn_sampling_latent(sampling, 0, &latent);
    limn_sampling_end(sampling);

    limn_latent other = {0}; /* two thirds of the way once more, from there */
    options.init_latent = &latent, options.strength = 0.67, options.seed = 1;
    if (status == LIMN_OK) status = limn_generate_latents(model, &options, &other);
    if (status == LIMN_OK)
        printf("%d x %d x %d numbers: the first was %.3f, and is %.3f\n", latent.width, latent.height, latent.channels,
               (double)latent.values[0], (double)other.values[0]);
    if (status != LIMN_OK) fprintf(stderr, "%s\n", ctx ? limn_error_text(ctx) : "out of memory");

    limn_latent_free(&latent);
    limn_latent_free(&other);
    limn_pipeline_free(model);
    limn_ctx_free(ctx);
    return status == LIMN_OK ? 0 : 1;
}
