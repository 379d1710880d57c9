/* compare.c: a picture, a volume or a folder of them against its truth: compare MODEL PICTURES TRUTH [MASKS].  MASKS, a file
 * or a folder as PICTURES is, is written.  CMake builds it as build/example-compare. */
#include <limn/segment.h>
#include <stdio.h>

static void tell(void *user, const limn_segmented *picture)
{
    (void)user;
    printf("%s: %d x %d x %d, pixel error %.4f\n", picture->path, picture->width, picture->height, picture->slices,
           limn_report_score(picture->report).pixel_error);
}

int main(int argc, char **argv)
{
    if (argc < 4) return fprintf(stderr, "usage: compare MODEL PICTURES TRUTH [MASKS]\n"), 2;
    limn_ctx *ctx = limn_ctx_new();
    limn_segmentation *model = NULL;
    limn_report *report = NULL;
    const char *const pictures[] = {argv[2]};
    limn_segment_files_options options = limn_segment_files_defaults();
    options.pictures = pictures;
    options.n_pictures = 1;
    options.truth = argv[3];
    options.mask = argc > 4 ? argv[4] : NULL;
    options.segmented = tell;

    bool done = ctx && limn_segmentation_open(ctx, argv[1], NULL, &model) == LIMN_OK &&
                limn_segment_files(model, &options, &report) == LIMN_OK;
    for (int k = 0; done && k < limn_segmentation_describe(model).classes; k++) {
        limn_class_scores class_scores = limn_report_class(report, k);
        printf("class %d: Dice %.4f, IoU %.4f, Hausdorff 95 %.2f\n", k, class_scores.dice, class_scores.iou,
               class_scores.hausdorff95);
    }
    if (!done) fprintf(stderr, "%s\n", ctx ? limn_error_text(ctx) : "out of memory");

    limn_report_free(report);
    limn_segmentation_free(model);
    limn_ctx_free(ctx);
    return done ? 0 : 1;
}
