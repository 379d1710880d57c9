/* segment_output.c: see segment_job.h. */
#include "segment_job.h"

#include "cli.h"
#include "file/image.h"
#include "file/job_files.h"
#include "file/nifti.h"
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

const char *segment_stem(const char *path, int *n)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    *n = (int)limn_stem(name);
    return name;
}

/* The name of a picture's results in a folder: its own, or that of the case whose channels lie in several files (CASE of
 * CASE_0000, CASE_0001 ..). */
static const char *result_name(const segment_job *job, const char *path, int *n)
{
    const char *name = segment_stem(path, n);
    if (job->info.channels > 1 && limn_case_files(path) > 1) *n = (int)limn_case_stem(name);
    return name;
}

/* ---- before any work -------------------------------------------------------------------------------------------------- */

static limn_status check_target(const segment_job *job, const char *flag, const char *target, const char *endings)
{
    struct stat there;
    if (!target) return LIMN_OK;
    if (!job->many) return limn_target_check(job->ctx, flag, target, endings);
    if (!limn_path_is_stdout(target) && (stat(target, &there) != 0 || S_ISDIR(there.st_mode))) return LIMN_OK;
    return limn_fail(job->ctx, LIMN_BAD_ARGUMENT, "%s: %s is no folder; of several pictures it is one", flag, target);
}

static limn_status make_folder(const segment_job *job, const char *flag, const char *target)
{
    if (!target || !job->many || mkdir(target, 0777) == 0 || (errno == EEXIST && limn_path_is_folder(target))) return LIMN_OK;
    return limn_fail(job->ctx, errno == EEXIST ? LIMN_BAD_ARGUMENT : LIMN_IO,
                     "%s: %s: %s; of several pictures it is a folder", flag, target, strerror(errno));
}

static limn_status check_twins(const segment_job *job, size_t n, char *const *pictures)
{
    limn_stems stems = {0};
    const limn_stem_entry *twin = NULL;
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
static limn_status check_sources(const segment_job *job, size_t n, char *const *pictures)
{
    char truth[SEGMENT_PATH];
    limn_status status = LIMN_OK;
    for (size_t i = 0; i < n && status == LIMN_OK; i++)
        if (access(pictures[i], R_OK) != 0)
            status = limn_fail(job->ctx, LIMN_NOT_FOUND, "%s: %s", pictures[i], strerror(errno));
        else if (job->truth) status = segment_truth_path(job, pictures[i], truth);
    return status;
}

/* ---- where results go ------------------------------------------------------------------------------------------------- */

const char *segment_ending(limn_raster_kind kind, bool slices)
{
    return kind == LIMN_RASTER_NIFTI ? ".nii.gz" : kind == LIMN_RASTER_TIFF && slices ? ".tif" : ".png";
}

static mask_kind kind_of(const char *path)
{
    if (limn_path_ends_in(path, ".nii|.gz")) return MASK_NIFTI;
    return limn_path_ends_in(path, ".tif|.tiff") ? MASK_TIFF : MASK_PNG;
}

static limn_status result_path(const segment_job *job, const char *target, const char *picture, const char *ending,
                               char *out)
{
    int n;
    const char *name = result_name(job, picture, &n);
    if (!job->many) snprintf(out, SEGMENT_PATH, "%s", target);
    else if (snprintf(out, SEGMENT_PATH, "%s/%.*s%s", target, n, name, ending) >= SEGMENT_PATH)
        return limn_fail(job->ctx, LIMN_BAD_ARGUMENT, "%s: the path of a result is too long", picture);
    return LIMN_OK;
}

/* All files of a picture: of a case its channels. */
static void reads_picture(const segment_job *job, const char *picture, limn_job_files *files)
{
    char path[SEGMENT_PATH + 16];
    int n = job->info.channels > 1 ? limn_case_files(picture) : 1;
    size_t stem = n > 1 ? limn_case_stem(picture) : 0;
    limn_job_reads(files, "the picture", picture);
    for (int k = 1; k < n; k++) {
        snprintf(path, sizeof path, "%.*s_%04d%s", (int)stem, picture, k, picture + stem + strlen("_0000"));
        limn_job_reads(files, "the picture", path);
    }
}

static limn_status writes_results(const segment_job *job, const char *picture, limn_job_files *files)
{
    const char *const targets[] = {job->output, job->probability, job->overlay};
    char path[SEGMENT_PATH];
    limn_raster_kind kind;
    bool pages;
    limn_status status = LIMN_OK;
    limn_raster_look(job->ctx, picture, &kind, &pages); /* what is wrong with it, reading it will tell */
    for (int i = 0; i < 3 && status == LIMN_OK; i++) {
        if (targets[i]) status = result_path(job, targets[i], picture, i == 2 ? ".png" : segment_ending(kind, pages), path);
        if (targets[i] && status == LIMN_OK) limn_job_writes(files, path);
    }
    return status;
}

/* No result goes where another goes, nor over what any picture's work reads. */
static limn_status check_files(const segment_job *job, size_t n, char *const *pictures)
{
    char truth[SEGMENT_PATH];
    limn_job_files files = {0};
    limn_status status = LIMN_OK;
    limn_job_reads(&files, "the model", limn_segmentation_file(job->segmentation));
    for (size_t i = 0; i < n && status == LIMN_OK; i++) {
        reads_picture(job, pictures[i], &files);
        if (job->truth) status = segment_truth_path(job, pictures[i], truth);
        if (job->truth && status == LIMN_OK) limn_job_reads(&files, "the truth", truth);
        if (status == LIMN_OK) status = writes_results(job, pictures[i], &files);
    }
    if (status == LIMN_OK) return limn_job_files_check(job->ctx, &files);
    limn_job_files_free(&files);
    return status;
}

/* What is said of the results goes to stdout as well. */
static limn_status check_stdout(const segment_job *job)
{
    const char *flag = limn_path_is_stdout(job->output) ? "--output" : limn_path_is_stdout(job->probability) ? "--probability"
                       : limn_path_is_stdout(job->overlay) ? "--overlay" : NULL;
    if (!flag || !job->truth) return LIMN_OK;
    return limn_fail(job->ctx, LIMN_BAD_ARGUMENT,
                     "%s: a picture goes to stdout, where the numbers of --truth go: name a file for it", flag);
}

limn_status segment_paths_check(const segment_job *job, size_t n, char *const *pictures)
{
    limn_status status = check_twins(job, n, pictures);
    if (status == LIMN_OK) status = check_sources(job, n, pictures);
    if (status == LIMN_OK) status = check_target(job, "--output", job->output, mask_endings);
    if (status == LIMN_OK) status = check_target(job, "--probability", job->probability, mask_endings);
    if (status == LIMN_OK) status = check_target(job, "--overlay", job->overlay, picture_endings);
    if (status == LIMN_OK) status = check_stdout(job);
    if (status == LIMN_OK) status = check_files(job, n, pictures);
    if (status == LIMN_OK && job->truth) status = segment_truths_check(job, n, pictures);
    if (status == LIMN_OK) status = make_folder(job, "--output", job->output);
    if (status == LIMN_OK) status = make_folder(job, "--probability", job->probability);
    return status == LIMN_OK ? make_folder(job, "--overlay", job->overlay) : status;
}

/* ---- writing ---------------------------------------------------------------------------------------------------------- */

/* Where a result goes; refused in a file that cannot hold it. */
static limn_status target_of(const segment_job *job, const char *target, const segment_result *r, char *out)
{
    bool overlay = target == job->overlay;
    const char *ending = overlay ? ".png" : segment_ending(r->raster.kind, r->raster.slices > 1);
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

limn_status segment_targets_check(const segment_job *job, const segment_result *r)
{
    char path[SEGMENT_PATH];
    const char *const targets[] = {job->output, job->probability, job->overlay};
    limn_status status = LIMN_OK;
    for (int i = 0; i < 3 && status == LIMN_OK; i++)
        if (targets[i]) status = target_of(job, targets[i], r, path);
    return status;
}

/* Beside a picture on stdout names are no part of it. */
static void said(const segment_job *job, const char *path)
{
    bool busy = limn_path_is_stdout(job->output) || limn_path_is_stdout(job->probability) || limn_path_is_stdout(job->overlay);
    if (busy && !limn_path_is_stdout(path)) fprintf(stderr, "%s\n", path);
    else if (!job->json) cli_tell_written(path);
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

limn_status segment_values(const segment_job *job, bool black_white, limn_class_values **out)
{
    *out = malloc(sizeof **out); /* 128 KB: not on the stack */
    if (!*out) return limn_fail_memory(job->ctx, sizeof **out, "values of masks");
    limn_status status = limn_class_values_parse(job->ctx, job->values, job->info.classes, black_white, *out);
    if (status != LIMN_OK) free(*out), *out = NULL;
    return status;
}

static limn_status write_mask(const segment_job *job, const segment_result *r)
{
    char path[SEGMENT_PATH];
    limn_class_values *values;
    bool wide = false;
    size_t n = (size_t)r->raster.width * (size_t)r->raster.height * (size_t)r->raster.slices;
    limn_status status = target_of(job, job->output, r, path);
    if (status == LIMN_OK) status = segment_values(job, kind_of(path) != MASK_NIFTI, &values);
    if (status != LIMN_OK) return status;
    for (int k = 0; k < job->info.classes; k++) wide = wide || values->value_of[k] > 255;
    status = write_values(job->ctx, path, &r->raster, n, r->classes, values, wide);
    free(values);
    if (status == LIMN_OK) said(job, path);
    return status;
}

/* 255 or 65535 is certain; in NIfTI the probability itself. */
static limn_status write_probability(const segment_job *job, const segment_result *r)
{
    char path[SEGMENT_PATH];
    size_t n = (size_t)r->raster.width * (size_t)r->raster.height * (size_t)r->raster.slices;
    limn_status status = target_of(job, job->probability, r, path);
    if (status != LIMN_OK) return status;
    uint16_t *p = malloc(n * sizeof *p);
    if (!p) return limn_fail_memory(job->ctx, n * sizeof *p, "a probability map");
    for (size_t i = 0; i < n; i++)
        if (job->wide) p[i] = (uint16_t)(r->probability[i] * 65535 + 0.5f);
        else ((uint8_t *)p)[i] = (uint8_t)(r->probability[i] * 255 + 0.5f);
    if (kind_of(path) == MASK_NIFTI) status = limn_nifti_write(job->ctx, path, &r->raster, NULL, r->probability);
    else status = write_gray(job->ctx, path, &r->raster, job->wide ? NULL : (uint8_t *)p, job->wide ? p : NULL);
    free(p);
    if (status == LIMN_OK) said(job, path);
    return status;
}

/* Of a volume the slice in the middle. */
static limn_status write_overlay(const segment_job *job, const segment_result *r)
{
    char path[SEGMENT_PATH];
    int z = r->raster.slices / 2;
    size_t at = (size_t)z * (size_t)r->raster.width * (size_t)r->raster.height;
    limn_image image = {0}, picture = {0};
    limn_status status = target_of(job, job->overlay, r, path);
    if (status == LIMN_OK) status = limn_raster_image(job->ctx, r->path, &r->raster, z, &image);
    if (status == LIMN_OK)
        status = limn_report_picture(job->ctx, &image, r->truth ? r->truth + at : NULL, r->classes + at, &picture);
    if (status == LIMN_OK) status = limn_png_write(job->ctx, path, &picture, NULL);
    limn_image_free(&image);
    limn_image_free(&picture);
    if (status == LIMN_OK) said(job, path);
    return status;
}

limn_status segment_write(const segment_job *job, const segment_result *r)
{
    limn_status status = job->output ? write_mask(job, r) : LIMN_OK;
    if (status == LIMN_OK && job->probability) status = write_probability(job, r);
    return status == LIMN_OK && job->overlay ? write_overlay(job, r) : status;
}
