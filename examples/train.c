/* train.c: train a small network on shapes that are drawn as they are needed, and a picture by it: train [RUN [STEPS]].
 * CMake builds it as build/example-train.  After 20 steps it knows colours at most: give it 5000. */
#include <limn/train.h>
#include <stdio.h>
#include <stdlib.h>

static void report(void *user, const limn_train_report *r)
{
    (void)user;
    printf("step %lld of %lld: loss %.4f\n", (long long)r->step, (long long)r->steps, r->loss);
}

int main(int argc, char **argv)
{
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *model = NULL;
    limn_image image = {0};
    char file[1024];

    limn_train_options training = limn_train_defaults();
    training.network = "dit size=16 channels=3 patch=4 depth=2 width=64 heads=2 classes=32";
    training.data = "shapes", training.out = argc > 1 ? argv[1] : "trained";
    training.batch = 16, training.steps = argc > 2 ? atoll(argv[2]) : 20, training.warmup = 5, training.log_every = 5;
    training.report = report;
    limn_generate_options drawing = limn_generate_defaults();
    snprintf(file, sizeof file, "%s/picture.png", training.out);

    bool done = ctx && limn_train(ctx, &training) == LIMN_OK && limn_pipeline_open(ctx, training.out, &model) == LIMN_OK;
    if (done) drawing.label = limn_pipeline_class(model, "red circle");
    done = done && limn_generate(model, &drawing, &image) == LIMN_OK && limn_png_write(ctx, file, &image, NULL) == LIMN_OK;
    if (!done) fprintf(stderr, "%s\n", ctx ? limn_error_text(ctx) : "out of memory");

    limn_image_free(&image);
    limn_pipeline_free(model);
    limn_ctx_free(ctx);
    return done ? 0 : 1;
}
