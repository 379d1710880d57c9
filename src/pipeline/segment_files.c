/* segment_files.c: pictures and volumes of files, each segmented, compared with its truth and written. */
#include "pipeline/segment_job.h"

#include "data/case.h"
#include "data/classes.h"
#include "metric/report.h"

#include <stdlib.h>
#include <string.h>

/* ---- reading ---------------------------------------------------------------------------------------------------------- */

/* Bytes read as 0 .. 255 go without saying, unless the model may have learned by another rule (models of older versions do
 * not tell: AUTO). */
static void tell_bytes(const limn_segment_job *job, const limn_segment_result *r, limn_range_kind learned)
{
    const limn_raster *image = &r->raster;
    size_t n = (size_t)image->width * (size_t)image->height * (size_t)image->slices * (size_t)image->channels;
    bool alpha = !image->separate && image->channels % 2 == 0, unknown = !job->o->range && learned == LIMN_RANGE_AUTO;
    float least = 1, greatest = 0;
    for (size_t i = 0; i < n; i++) {
        if (alpha && i % (size_t)image->channels == (size_t)image->channels - 1) continue;
        least = image->values[i] < least ? image->values[i] : least,
        greatest = image->values[i] > greatest ? image->values[i] : greatest;
    }
    bool dark = greatest < 0.25f && least < greatest, whole = image->limit != 255;
    if (unknown && (dark || image->kind == LIMN_RASTER_NIFTI))
        limn_log(job->ctx, LIMN_LOG_WARN,
                 "%s: its values are bytes, %.0f to %.0f, and 0 is 0 and 255 is 1 to the network; a model that learned "
                 "other types of values by their "
                 "percentiles wants --range percentiles",
                 r->path, (double)least * 255, (double)greatest * 255);
    else if (whole || (job->o->range && learned == LIMN_RANGE_PERCENTILES))
        limn_log(job->ctx, LIMN_LOG_INFO,
                 "%s: 0 is 0 and 255 is 1 to the network (%s; its values are whole numbers %.0f to %.0f)", r->path,
                 whole ? "it learned bytes" : "auto: bytes", (double)least * 255, (double)greatest * 255);
}

static void tell_range(const limn_segment_job *job, const limn_segment_result *r, const limn_range *taken)
{
    char beside[96] = "";
    const limn_raster *image = &r->raster;
    limn_range_kind learned = limn_segmentation_range(job->segmentation).kind;
    const char *why = taken->kind == LIMN_RANGE_GIVEN    ? job->o->range ? "--range" : "as trained"
                      : taken->kind == LIMN_RANGE_MINMAX ? "least and greatest"
                                                         : "percentiles 0.5 and 99.5";
    if (taken->kind == LIMN_RANGE_BYTES) {
        tell_bytes(job, r, learned);
        return;
    }
    if (image->below || image->above)
        snprintf(beside, sizeof beside, "; %zu values are less and become 0, %zu are greater and become 1", image->below,
                 image->above);
    else if (taken->kind == LIMN_RANGE_PERCENTILES && learned == LIMN_RANGE_BYTES && !job->o->range)
        snprintf(beside, sizeof beside, "; the model learned bytes, 0 as 0 and 255 as 1");
    limn_log(job->ctx, LIMN_LOG_INFO, "%s: %.9g is 0 and %.9g is 1 to the network (%s%s)", r->path, taken->low, taken->high,
             why, beside);
}

/* What was taken as 0 and 1 is written to *taken. */
static limn_status read_picture(const limn_segment_job *job, limn_segment_result *r, limn_range *taken)
{
    *taken = job->o->range ? *job->o->range : limn_segmentation_range(job->segmentation);
    int files = job->info.channels > 1 ? limn_case_files(r->path) : 1;
    if (files > 1 && files != job->info.channels)
        return limn_fail(job->ctx, LIMN_BAD_ARGUMENT, "%s is the first of %d channels, the network reads %d", r->path, files,
                         job->info.channels);
    limn_status status = limn_case_read(job->ctx, r->path, files, taken, &r->raster);
    bool gray_or_rgb = job->info.channels == 1 || job->info.channels == 3;
    if (status == LIMN_OK && r->raster.channels != job->info.channels && (r->raster.separate || !gray_or_rgb))
        return limn_fail(
            job->ctx, LIMN_BAD_ARGUMENT,
            "%s has %d channel%s, the network reads %d: one file with all, or CASE_0000%s with CASE_0001%s .. beside it",
            r->path, r->raster.channels, r->raster.channels == 1 ? "" : "s", job->info.channels,
            r->path + limn_stem(r->path), r->path + limn_stem(r->path));
    return status;
}

/* ---- one picture ------------------------------------------------------------------------------------------------------ */

/* Classes and the probabilities that somebody needs. */
static limn_status run(const limn_segment_job *job, limn_segment_result *r)
{
    size_t n = (size_t)r->raster.width * (size_t)r->raster.height * (size_t)r->raster.slices;
    bool probability = job->o->probability || job->o->probability_class, cell = job->report && job->cell >= 0;
    size_t need = n * (1 + sizeof(float) * ((size_t)probability + (size_t)cell)), has = limn_memory_available();
    if (has && need > has)
        return limn_fail(job->ctx, LIMN_NO_MEMORY, "%s: results need %zu bytes, %zu are available", r->path, need, has);
    limn_kept_class kept[2];
    int n_kept = 0;
    r->classes = malloc(n);
    if (probability) kept[n_kept++] = (limn_kept_class){job->kept_class, r->probability = malloc(n * sizeof(float))};
    if (cell) kept[n_kept++] = (limn_kept_class){job->cell, r->cell = malloc(n * sizeof(float))};
    if (!r->classes || (probability && !r->probability) || (cell && !r->cell))
        return limn_fail_memory(job->ctx, need, r->path);
    return limn_segment_raster(job->segmentation, &r->raster, r->classes, n_kept, kept);
}

/* A report of its own, which becomes a part of that of all. */
static limn_status score(const limn_segment_job *job, limn_segment_result *r)
{
    limn_status status = limn_report_new(job->ctx, job->info.classes, job->info.class_name, job->cell, &r->report);
    if (status == LIMN_OK) status = limn_segment_add(job->ctx, r->report, &r->raster, r->truth, r->classes, r->cell);
    if (status == LIMN_OK) limn_report_merge(job->report, r->report);
    return status;
}

static void tell_segmented(const limn_segment_job *job, const limn_segment_result *r)
{
    const limn_segmented picture = {.path = r->path,
                                    .width = r->raster.width,
                                    .height = r->raster.height,
                                    .slices = r->raster.slices,
                                    .classes = r->classes,
                                    .truth = r->truth,
                                    .probability = r->probability,
                                    .report = r->report};
    if (job->o->segmented) job->o->segmented(job->o->user, &picture);
}

static limn_status segment_one(const limn_segment_job *job, const char *path)
{
    limn_segment_result r = {.path = path};
    limn_range taken;
    limn_status status = read_picture(job, &r, &taken);
    if (status == LIMN_OK) status = limn_segment_targets_check(job, &r);
    if (status == LIMN_OK && job->report) status = limn_segment_truth_read(job, &r);
    if (status == LIMN_OK) tell_range(job, &r, &taken);
    if (status == LIMN_OK) status = run(job, &r);
    if (status == LIMN_OK && job->report) status = score(job, &r);
    if (status == LIMN_OK) status = limn_segment_write(job, &r);
    if (status == LIMN_OK) tell_segmented(job, &r);
    limn_report_free(r.report);
    limn_raster_free(&r.raster);
    free(r.classes);
    free(r.truth);
    free(r.probability);
    free(r.cell);
    return status;
}

/* ---- all of them ------------------------------------------------------------------------------------------------------ */

/* A class by its name or its number; *out stays where the option was not given. */
static limn_status find_class(limn_segment_job *job, const char *flag, const char *word, int *out)
{
    char shown[256];
    if (!word) return LIMN_OK;
    limn_class_word found =
        limn_class_find(job->info.class_name, job->info.class_name ? job->info.classes : 0, job->info.classes - 1, word);
    *out = found.class;
    limn_class_tell(job->ctx, flag, word, found);
    if (found.class >= 0) return LIMN_OK;
    return limn_fail(job->ctx, LIMN_BAD_ARGUMENT, "%s: classes are 0 to %d%s, found %s", flag, job->info.classes - 1,
                     job->info.class_name ? ", or their names in training" : "",
                     limn_escape(word, strlen(word), shown, sizeof shown));
}

static limn_status check_options(limn_segment_job *job)
{
    limn_class_values *values = NULL;
    const limn_range *range = job->o->range;
    limn_status status = find_class(job, "--class", job->o->probability_class, &job->kept_class);
    if (status == LIMN_OK) status = find_class(job, "--cell", job->o->cell, &job->cell);
    if (status == LIMN_OK && job->o->cell && !job->o->truth)
        status = limn_fail(job->ctx, LIMN_BAD_ARGUMENT, "--cell compares with a truth, and there is none");
    if (status == LIMN_OK && range && range->kind == LIMN_RANGE_GIVEN && !((float)range->low < (float)range->high))
        status = limn_fail(job->ctx, LIMN_BAD_ARGUMENT, "--range expects two numbers, the lesser first, found %.9g and %.9g",
                           range->low, range->high);
    if (status == LIMN_OK) status = limn_class_values_new(job->ctx, job->o->values, job->info.classes, true, &values);
    free(values); /* only checked */
    return status;
}

static limn_status segment_all(limn_segment_job *job)
{
    size_t n = job->pictures.n;
    limn_status status = limn_segment_paths_check(job);
    if (status == LIMN_OK) status = check_options(job);
    if (status == LIMN_OK && job->o->truth)
        status = limn_report_new(job->ctx, job->info.classes, job->info.class_name, job->cell, &job->report);
    for (size_t i = 0; i < n && status == LIMN_OK; i++) {
        status = segment_one(job, job->pictures.name[i]);
        if (status == LIMN_OK && n > 1 && !limn_progress(job->ctx, "picture", (int64_t)i + 1, (int64_t)n))
            status = limn_fail(job->ctx, LIMN_CANCELLED, "stopped");
    }
    return status;
}

limn_segment_files_options limn_segment_files_defaults(void)
{
    return (limn_segment_files_options){0};
}

limn_status limn_segment_files(limn_segmentation *segmentation, const limn_segment_files_options *options,
                               limn_report **report)
{
    limn_segment_job job = {.ctx = limn_segmentation_ctx(segmentation),
                            .segmentation = segmentation,
                            .info = limn_segmentation_describe(segmentation),
                            .o = options,
                            .kept_class = 1,
                            .cell = -1};
    if (report) *report = NULL;
    limn_status status = limn_segment_pictures(&job);
    if (status == LIMN_OK && options->truth) status = limn_segment_truths_open(&job);
    if (status == LIMN_OK) status = segment_all(&job);
    if (status == LIMN_OK && report) *report = job.report;
    else limn_report_free(job.report);
    limn_names_free(&job.pictures);
    limn_segment_truths_close(&job);
    return status;
}
