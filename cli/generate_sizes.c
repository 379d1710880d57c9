/* generate_sizes.c: see generate_sizes.h. */
#include "generate_sizes.h"

#include <stdio.h>

bool generate_sizes_read(const generate_size_words *w, limn_size_condition *out)
{
    return cli_pair("--original-size", "WxH", 'x', w->original, 1, 65536, &out->width, &out->height) &&
           cli_pair("--crop-at", "LEFT,TOP", ',', w->crop, 0, 65536, &out->left, &out->top) &&
           cli_pair("--target-size", "WxH", 'x', w->target, 1, 65536, &out->target_width, &out->target_height) &&
           cli_real("--aesthetic-score", w->score, 0, 100, &out->score) &&
           cli_real("--negative-aesthetic-score", w->negative_score, 0, 100, &out->negative_score);
}

limn_status generate_sizes_check(limn_ctx *ctx, const limn_pipeline_info *info, const generate_size_words *w)
{
    const char *score = w->score ? "--aesthetic-score" : w->negative_score ? "--negative-aesthetic-score" : NULL,
               *size = w->original ? "--original-size" : w->crop ? "--crop-at" : w->target ? "--target-size" : score;
    const char *wrong = NULL, *says = NULL;
    if (size && !info->told_sizes)
        wrong = size, says = "is for networks that are told the sides of the picture (Stable Diffusion XL), and this one is "
                             "not";
    else if (w->target && info->told_sizes == 5)
        wrong = "--target-size", says = "is for the base of Stable Diffusion XL: a refiner is told a score of beauty";
    else if (score && info->told_sizes != 5)
        wrong = score, says = "is for refiners of Stable Diffusion XL, and this is none";
    if (wrong && !w->from_picture) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s %s: leave it out", wrong, says);
    if (wrong) fprintf(stderr, "limn: %s, as the picture says, %s: it is left out\n", wrong, says);
    return LIMN_OK;
}
