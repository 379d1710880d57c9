/* report.c: scores gathered over pictures; see report.h. */
#include "metric/report.h"

#include <math.h>
#include <stdlib.h>

static void add_mean(limn_score_mean *m, double score)
{
    if (!isnan(score)) m->sum += score, m->n++;
}

static double mean_of(const limn_score_mean *m)
{
    return m->n ? m->sum / (double)m->n : (double)NAN;
}

limn_status limn_report_new(limn_ctx *ctx, int n_classes, const char *const *names, int cell, limn_report **out)
{
    *out = NULL;
    if (n_classes < 1 || n_classes > LIMN_MAX_CLASSES)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "classes must be 1 to %d, found %d", LIMN_MAX_CLASSES, n_classes);
    if (cell < -1 || cell >= n_classes)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "the class of cells must be -1 (none) to %d, found %d", n_classes - 1,
                         cell);
    limn_report *r = calloc(1, sizeof *r);
    if (!r) return limn_fail_memory(ctx, sizeof *r, "a report");
    r->n_classes = n_classes, r->names = names, r->cell = cell;
    *out = r;
    return LIMN_OK;
}

void limn_report_free(limn_report *report)
{
    free(report);
}

static void add_wrong(limn_report *r, const limn_label_pair *maps, const float *p_cell)
{
    size_t n = (size_t)maps->width * maps->height;
    for (int step = 0; step < LIMN_RAND_STEPS; step++) {
        float t = (float)limn_rand_threshold(step);
        for (size_t i = 0; i < n; i++)
            r->wrong[step] += maps->truth[i] != LIMN_IGNORED && (maps->truth[i] == r->cell) != (p_cell[i] > t);
    }
}

static limn_status add_membranes(limn_ctx *ctx, limn_report *r, const limn_label_pair *maps, const float *p_cell)
{
    limn_rand rand, scan[LIMN_RAND_STEPS];
    double warping;
    limn_status status = limn_rand_error(ctx, maps, (uint8_t)r->cell, &rand);
    if (status == LIMN_OK) status = limn_warping_error(ctx, maps, (uint8_t)r->cell, &warping);
    if (status == LIMN_OK && p_cell) status = limn_rand_scan(ctx, maps, (uint8_t)r->cell, p_cell, scan);
    if (status == LIMN_OK && p_cell) status = limn_rand_thinned(ctx, maps, (uint8_t)r->cell, p_cell, r->thinned);
    if (status != LIMN_OK) return status;
    add_mean(&r->rand, rand.error), add_mean(&r->precision, rand.precision), add_mean(&r->recall, rand.recall);
    add_mean(&r->warping, warping);
    for (int i = 0; p_cell && i < LIMN_RAND_STEPS; i++) add_mean(&r->scan[i], scan[i].error);
    if (p_cell && r->n_classes == 2) add_wrong(r, maps, p_cell);
    return LIMN_OK;
}

/* What maps add to a report. */
static limn_status add_picture(limn_ctx *ctx, limn_report *r, const limn_label_pair *maps, const float *p_cell)
{
    limn_overlap one[LIMN_MAX_CLASSES] = {0};
    limn_status status = limn_overlap_add(ctx, maps, one);
    for (int k = 0; status == LIMN_OK && k < r->n_classes; k++) {
        double distance;
        r->overlap[k].truth += one[k].truth, r->overlap[k].predicted += one[k].predicted, r->overlap[k].both += one[k].both;
        if (!one[k].truth || !one[k].predicted) continue;
        status = limn_hausdorff95(ctx, maps, k, &distance);
        if (status == LIMN_OK) add_mean(&r->hausdorff95[k], distance);
    }
    if (status == LIMN_OK && r->cell >= 0) status = add_membranes(ctx, r, maps, p_cell);
    r->n_pictures++;
    return status;
}

limn_status limn_report_add(limn_ctx *ctx, limn_report *report, const limn_label_pair *maps, const float *p_cell)
{
    if (maps->n_classes != report->n_classes)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "a report of %d classes got label maps of %d", report->n_classes,
                         maps->n_classes);
    limn_report *r = malloc(sizeof *r); /* becomes the caller's when all went well */
    if (!r) return limn_fail_memory(ctx, sizeof *r, "a report");
    *r = *report;
    limn_status status = add_picture(ctx, r, maps, p_cell);
    if (status == LIMN_OK) *report = *r;
    free(r);
    return status;
}

static void merge_mean(limn_score_mean *to, const limn_score_mean *from)
{
    to->sum += from->sum, to->n += from->n;
}

void limn_report_merge(limn_report *r, const limn_report *other)
{
    r->n_pictures += other->n_pictures;
    for (int k = 0; k < r->n_classes; k++) {
        r->overlap[k].truth += other->overlap[k].truth, r->overlap[k].predicted += other->overlap[k].predicted,
            r->overlap[k].both += other->overlap[k].both;
        merge_mean(&r->hausdorff95[k], &other->hausdorff95[k]);
    }
    merge_mean(&r->rand, &other->rand), merge_mean(&r->precision, &other->precision), merge_mean(&r->recall, &other->recall);
    merge_mean(&r->warping, &other->warping);
    for (int i = 0; i < LIMN_RAND_STEPS; i++) {
        merge_mean(&r->scan[i], &other->scan[i]);
        r->thinned[i].both += other->thinned[i].both, r->thinned[i].truth += other->thinned[i].truth,
            r->thinned[i].predicted += other->thinned[i].predicted;
        r->wrong[i] += other->wrong[i];
    }
}

static double mean_distance(const limn_report *r, int first)
{
    limn_score_mean m = {0};
    for (int k = first; k < r->n_classes; k++) add_mean(&m, mean_of(&r->hausdorff95[k]));
    return mean_of(&m);
}

static uint64_t pixels_of(const limn_report *r)
{
    uint64_t n = 0;
    for (int k = 0; k < r->n_classes; k++) n += r->overlap[k].truth;
    return n;
}

static void least(double error, int step, double *best, double *threshold)
{
    if (!isnan(error) && !(error >= *best)) *best = error, *threshold = limn_rand_threshold(step);
}

limn_report_scores limn_report_score(const limn_report *r)
{
    limn_report_scores s = {
        .pictures = r->n_pictures,
        .pixels = pixels_of(r),
        .pixel_error = limn_pixel_error(r->n_classes, r->overlap),
        .dice = limn_class_mean(r->n_classes, 0, r->overlap, limn_dice),
        .foreground_dice = limn_class_mean(r->n_classes, 1, r->overlap, limn_dice),
        .iou = limn_class_mean(r->n_classes, 0, r->overlap, limn_iou),
        .foreground_iou = limn_class_mean(r->n_classes, 1, r->overlap, limn_iou),
        .hausdorff95 = mean_distance(r, 0),
        .foreground_hausdorff95 = mean_distance(r, 1),
        .rand = mean_of(&r->rand),
        .precision = mean_of(&r->precision),
        .recall = mean_of(&r->recall),
        .warping = mean_of(&r->warping),
        .best_rand = NAN,
        .best_threshold = NAN,
        .best_thinned = NAN,
        .best_thinned_threshold = NAN,
        .best_pixel_error = NAN,
        .best_pixel_threshold = NAN,
        .thinned = limn_rand_sums_error(&r->thinned[LIMN_RAND_STEPS / 2]),
    };
    double n = (double)s.pixels;
    bool scanned = n > 0 && r->n_classes == 2 && r->scan[0].n;
    for (int i = 0; i < LIMN_RAND_STEPS; i++) {
        least(mean_of(&r->scan[i]), i, &s.best_rand, &s.best_threshold);
        least(limn_rand_sums_error(&r->thinned[i]), i, &s.best_thinned, &s.best_thinned_threshold);
        if (scanned) least((double)r->wrong[i] / n, i, &s.best_pixel_error, &s.best_pixel_threshold);
    }
    return s;
}

limn_class_scores limn_report_class(const limn_report *r, int k)
{
    const limn_overlap *c = &r->overlap[k];
    return (limn_class_scores){.name = r->names ? r->names[k] : NULL,
                               .truth = c->truth,
                               .predicted = c->predicted,
                               .both = c->both,
                               .dice = limn_dice(c),
                               .iou = limn_iou(c),
                               .hausdorff95 = mean_of(&r->hausdorff95[k]),
                               .hausdorff95_pictures = r->hausdorff95[k].n};
}
