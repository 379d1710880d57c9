/* segment_output.c: where results go, and writing them; see segment_job.h. */
#include "pipeline/segment_job.h"

#include "file/image.h"
#include "file/job_files.h"
#include "file/nifti.h"
#include "file/target.h"
#include "file/tiff.h"
#include "data/case.h"
#include "data/listing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char mask_endings[] = ".png|.tif|.tiff|.nii|.nii.gz", picture_endings[] = ".png";
typedef enum mask_kind { MASK_PNG, MASK_TIFF, MASK_NIFTI } mask_kind;

const char *limn_segment_stem(const char *path, int *n)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    *n = (int)limn_stem(name);
    return name;
}

/* The name of a picture's results in a folder: its own, or that of the case whose channels lie in several files (CASE of
 * CASE_0000, CASE_0001 ..). */
static const char *result_name(const limn_segment_job *job, const char *path, int *n)
{
    const char *name = limn_segment_stem(path, n);
    if (job->info.channels > 1 && limn_case_files(path) > 1) *n = (int)limn_case_stem(name);
    return name;
}

/* ---- before any work -------------------------------------------------------------------------------------------------- */

static limn_status check_target(const limn_segment_job *job, const char *flag, const char *target, const char *endings)
{
    struct stat there;
    if (!target) return LIMN_OK;
    if (!job->many) return limn_target_check(job->ctx, flag, target, endings);
    if (!limn_path_is_stdout(target) && (stat(target, &there) != 0 || S_ISDIR(there.st_mode))) return LIMN_OK;
    return limn_fail(job->ctx, LIMN_BAD_ARGUMENT, "%s: %s is no folder; of several pictures it is one", flag, target);
}

static limn_status make_folder(const limn_segment_job *job, const char *flag, const char *target)
{
    bool there = !target || !job->many || mkdir(target, 0777) == 0 || (errno == EEXIST && limn_path_is_folder(target));
    if (there) return LIMN_OK;
    return limn_fail(job->ctx, errno == EEXIST ? LIMN_BAD_ARGUMENT : LIMN_IO,
                     "%s: %s: %s; of several pictures it is a folder", flag, target, strerror(errno));
}

static limn_status check_twins(const limn_segment_job *job)
{
    limn_stems stems = {0};
    const limn_stem_entry *twin = NULL;
    size_t n = job->pictures.n;
    char *const *pictures = job->pictures.name;
    char **name = malloc((n + 1) * sizeof *name);
    size_t *length = malloc((n + 1) * sizeof *length);
    limn_status status = name && length ? LIMN_OK : limn_fail_memory(job->ctx, n * sizeof *name, "names of pictures");
    for (size_t i = 0; i < n && status == LIMN_OK; i++) {
        int bytes;
        name[i] = pictures[i] + (result_name(job, pictures[i], &bytes) - pictures[i]);
        length[i] = (size_t)bytes;
    }
    if (status == LIMN_OK) status = limn_stems_new(job->ctx, name, length, n, &stems);
    if (status == LIMN_OK && (twin = limn_stems_twin(&stems)))
        status = limn_fail(job->ctx, LIMN_BAD_ARGUMENT, "%s and %s have the same name: their results would be one file",
                           pictures[twin[0].i], pictures[twin[1].i]);
    limn_stems_free(&stems);
    free(name);
    free(length);
    return status;
}

/* The last of many pictures is looked for before the first one is worked on, and its truth. */
static limn_status check_sources(const limn_segment_job *job)
{
    size_t n = job->pictures.n;
    char *const *pictures = job->pictures.name;
    char truth[LIMN_SEGMENT_PATH];
    limn_status status = LIMN_OK;
    for (size_t i = 0; i < n && status == LIMN_OK; i++)
        if (access(pictures[i], R_OK) != 0)
            status = limn_fail(job->ctx, LIMN_NOT_FOUND, "%s: %s", pictures[i], strerror(errno));
        else if (job->o->truth) status = limn_segment_truth_path(job, pictures[i], truth);
    return status;
}

/* ---- where results go ------------------------------------------------------------------------------------------------- */

const char *limn_segment_ending(limn_raster_kind kind, bool slices)
{
    return kind == LIMN_RASTER_NIFTI ? ".nii.gz" : kind == LIMN_RASTER_TIFF && slices ? ".tif" : ".png";
}

static mask_kind kind_of(const char *path)
{
    if (limn_path_ends_in(path, ".nii|.gz")) return MASK_NIFTI;
    return limn_path_ends_in(path, ".tif|.tiff") ? MASK_TIFF : MASK_PNG;
}

static limn_status result_path(const limn_segment_job *job, const char *target, const char *picture, const char *ending,
                               char *out)
{
    int n;
    const char *name = result_name(job, picture, &n);
    if (!job->many) snprintf(out, LIMN_SEGMENT_PATH, "%s", target);
    else if (snprintf(out, LIMN_SEGMENT_PATH, "%s/%.*s%s", target, n, name, ending) >= LIMN_SEGMENT_PATH)
        return limn_fail(job->ctx, LIMN_BAD_ARGUMENT, "%s: the path of a result is too long", picture);
    return LIMN_OK;
}

/* All files of a picture: of a case its channels. */
static void reads_picture(const limn_segment_job *job, const char *picture, limn_job_files *files)
{
    char path[LIMN_SEGMENT_PATH + 16];
    int n = job->info.channels > 1 ? limn_case_files(picture) : 1;
    size_t stem = n > 1 ? limn_case_stem(picture) : 0;
    limn_job_reads(files, "the picture", picture);
    for (int k = 1; k < n; k++) {
        snprintf(path, sizeof path, "%.*s_%04d%s", (int)stem, picture, k, picture + stem + strlen("_0000"));
        limn_job_reads(files, "the picture", path);
    }
}

static limn_status writes_results(const limn_segment_job *job, const char *picture, limn_job_files *files)
{
    const char *const targets[] = {job->o->mask, job->o->probability, job->o->overlay};
    char path[LIMN_SEGMENT_PATH];
    limn_raster_kind kind;
    bool pages;
    limn_status status = LIMN_OK;
    limn_raster_look(job->ctx, picture, &kind, &pages); /* what is wrong with it, reading it will tell */
    for (int i = 0; i < 3 && status == LIMN_OK; i++) {
        const char *ending = i == 2 ? ".png" : limn_segment_ending(kind, pages);
        if (targets[i]) status = result_path(job, targets[i], picture, ending, path);
        if (targets[i] && status == LIMN_OK) limn_job_writes(files, path);
    }
    return status;
}

/* No result goes where another goes, nor over what any picture's work reads. */
static limn_status check_files(const limn_segment_job *job)
{
    size_t n = job->pictures.n;
    char *const *pictures = job->pictures.name;
    char truth[LIMN_SEGMENT_PATH];
    limn_job_files files = {0};
    limn_status status = LIMN_OK;
    limn_job_reads(&files, "the model", limn_segmentation_file(job->segmentation));
    for (size_t i = 0; i < n && status == LIMN_OK; i++) {
        reads_picture(job, pictures[i], &files);
        if (job->o->truth) status = limn_segment_truth_path(job, pictures[i], truth);
        if (job->o->truth && status == LIMN_OK) limn_job_reads(&files, "the truth", truth);
        if (status == LIMN_OK) status = writes_results(job, pictures[i], &files);
    }
    if (status == LIMN_OK) return limn_job_files_check(job->ctx, &files);
    limn_job_files_free(&files);
    return status;
}

limn_status limn_segment_paths_check(const limn_segment_job *job)
{
    limn_status status = check_twins(job);
    if (status == LIMN_OK) status = check_sources(job);
    if (status == LIMN_OK) status = check_target(job, "--output", job->o->mask, mask_endings);
    if (status == LIMN_OK) status = check_target(job, "--probability", job->o->probability, mask_endings);
    if (status == LIMN_OK) status = check_target(job, "--overlay", job->o->overlay, picture_endings);
    if (status == LIMN_OK) status = check_files(job);
    if (status == LIMN_OK && job->o->truth) status = limn_segment_truths_check(job);
    if (status == LIMN_OK) status = make_folder(job, "--output", job->o->mask);
    if (status == LIMN_OK) status = make_folder(job, "--probability", job->o->probability);
    return status == LIMN_OK ? make_folder(job, "--overlay", job->o->overlay) : status;
}

/* ---- writing ---------------------------------------------------------------------------------------------------------- */

/* Where a result goes; refused in a file that cannot hold it. */
static limn_status target_of(const limn_segment_job *job, const char *target, const limn_segment_result *r, char *out)
{
    bool overlay = target == job->o->overlay;
    const char *ending = overlay ? ".png" : limn_segment_ending(r->raster.kind, r->raster.slices > 1);
    limn_status status = result_path(job, target, r->path, ending, out);
    if (overlay || status != LIMN_OK) return status;
    if (kind_of(out) == MASK_NIFTI && r->raster.kind != LIMN_RASTER_NIFTI)
        return limn_fail(job->ctx, LIMN_BAD_ARGUMENT,
                         "%s: only of a NIfTI volume comes a NIfTI volume, and %s is none: expected %s.tif", out, r->path,
                         r->raster.slices > 1 ? "" : ".png or ");
    if (kind_of(out) == MASK_PNG && r->raster.slices > 1)
        return limn_fail(job->ctx, LIMN_BAD_ARGUMENT, "%s: %s has %d slices, a PNG holds one: expected .tif%s", out, r->path,
                         r->raster.slices, r->raster.kind == LIMN_RASTER_NIFTI ? ", .nii or .nii.gz" : "");
    return LIMN_OK;
}

limn_status limn_segment_targets_check(const limn_segment_job *job, const limn_segment_result *r)
{
    char path[LIMN_SEGMENT_PATH];
    const char *const targets[] = {job->o->mask, job->o->probability, job->o->overlay};
    limn_status status = LIMN_OK;
    for (int i = 0; i < 3 && status == LIMN_OK; i++)
        if (targets[i]) status = target_of(job, targets[i], r, path);
    return status;
}

static void tell_written(const limn_segment_job *job, const char *path)
{
    if (job->o->written) job->o->written(job->o->user, path);
}

static limn_status write_gray(limn_ctx *ctx, const char *path, const limn_raster *r, uint8_t *bytes, const uint16_t *wide)
{
    if (kind_of(path) == MASK_TIFF) return limn_tiff_write(ctx, path, r->width, r->height, r->slices, bytes, wide);
    if (kind_of(path) == MASK_NIFTI) return limn_nifti_write(ctx, path, r, bytes, NULL);
    return wide ? limn_png_write_wide(ctx, path, r->width, r->height, wide)
                : limn_png_write(ctx, path, &(limn_image){r->width, r->height, 1, bytes}, NULL);
}

/* Values above 255 take 16 bits, and floats in NIfTI. */
static limn_status write_values(limn_ctx *ctx, const char *path, const limn_raster *r, size_t n, const uint8_t *classes,
                                const limn_class_values *values, bool wide)
{
    bool reals = wide && kind_of(path) == MASK_NIFTI;
    void *mask = malloc(n * (reals ? sizeof(float) : wide ? 2 : 1));
    if (!mask) return limn_fail_memory(ctx, n * sizeof(float), "a mask");
    for (size_t i = 0; i < n; i++) {
        uint16_t v = values->value_of[classes[i]];
        if (reals) ((float *)mask)[i] = v;
        else if (wide) ((uint16_t *)mask)[i] = v;
        else ((uint8_t *)mask)[i] = (uint8_t)v;
    }
    limn_status status = reals ? limn_nifti_write(ctx, path, r, NULL, mask)
                               : write_gray(ctx, path, r, wide ? NULL : mask, wide ? mask : NULL);
    free(mask);
    return status;
}

static limn_status write_mask(const limn_segment_job *job, const limn_segment_result *r)
{
    char path[LIMN_SEGMENT_PATH];
    limn_class_values *values;
    bool wide = false;
    size_t n = (size_t)r->raster.width * (size_t)r->raster.height * (size_t)r->raster.slices;
    limn_status status = target_of(job, job->o->mask, r, path);
    if (status == LIMN_OK)
        status = limn_class_values_new(job->ctx, job->o->values, job->info.classes, kind_of(path) != MASK_NIFTI, &values);
    if (status != LIMN_OK) return status;
    for (int k = 0; k < job->info.classes; k++) wide = wide || values->value_of[k] > 255;
    status = write_values(job->ctx, path, &r->raster, n, r->classes, values, wide);
    free(values);
    if (status == LIMN_OK) tell_written(job, path);
    return status;
}

/* 255 or 65535 is certain; in NIfTI the probability itself. */
static limn_status write_probability(const limn_segment_job *job, const limn_segment_result *r)
{
    char path[LIMN_SEGMENT_PATH];
    size_t n = (size_t)r->raster.width * (size_t)r->raster.height * (size_t)r->raster.slices;
    limn_status status = target_of(job, job->o->probability, r, path);
    if (status != LIMN_OK) return status;
    uint16_t *p = malloc(n * sizeof *p);
    if (!p) return limn_fail_memory(job->ctx, n * sizeof *p, "a probability map");
    for (size_t i = 0; i < n; i++)
        if (job->o->wide) p[i] = (uint16_t)(r->probability[i] * 65535 + 0.5f);
        else ((uint8_t *)p)[i] = (uint8_t)(r->probability[i] * 255 + 0.5f);
    if (kind_of(path) == MASK_NIFTI) status = limn_nifti_write(job->ctx, path, &r->raster, NULL, r->probability);
    else status = write_gray(job->ctx, path, &r->raster, job->o->wide ? NULL : (uint8_t *)p, job->o->wide ? p : NULL);
    free(p);
    if (status == LIMN_OK) tell_written(job, path);
    return status;
}

/* Of a volume the slice in the middle. */
static limn_status write_overlay(const limn_segment_job *job, const limn_segment_result *r)
{
    char path[LIMN_SEGMENT_PATH];
    int z = r->raster.slices / 2;
    size_t at = (size_t)z * (size_t)r->raster.width * (size_t)r->raster.height;
    limn_image image = {0}, picture = {0};
    limn_status status = target_of(job, job->o->overlay, r, path);
    if (status == LIMN_OK) status = limn_raster_image(job->ctx, r->path, &r->raster, z, &image);
    if (status == LIMN_OK)
        status = limn_report_picture(job->ctx, &image, r->truth ? r->truth + at : NULL, r->classes + at, &picture);
    if (status == LIMN_OK) status = limn_png_write(job->ctx, path, &picture, NULL);
    limn_image_free(&image);
    limn_image_free(&picture);
    if (status == LIMN_OK) tell_written(job, path);
    return status;
}

limn_status limn_segment_write(const limn_segment_job *job, const limn_segment_result *r)
{
    limn_status status = job->o->mask ? write_mask(job, r) : LIMN_OK;
    if (status == LIMN_OK && job->o->probability) status = write_probability(job, r);
    return status == LIMN_OK && job->o->overlay ? write_overlay(job, r) : status;
}
