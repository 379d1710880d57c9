/* segment_output.c: see segment_job.h. */
#include "segment_job.h"

#include "cli.h"
#include "file/image.h"
#include "file/nifti.h"
#include "file/tiff.h"
#include "train/case.h"
#include "train/listing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char mask_endings[] = ".png|.tif|.tiff|.nii|.nii.gz", picture_endings[] = ".png";
typedef enum mask_kind { MASK_PNG, MASK_TIFF, MASK_NIFTI } mask_kind;

/* The name of a picture without folder and ending. */
static const char *stem(const char *path, int *n)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    *n = (int)limn_stem(name);
    return name;
}

/* The name of a picture's results in a folder: its own, or that of the case whose channels lie in several files (CASE of CASE_0000, CASE_0001 ..). */
static const char *result_name(const segment_job *job, const char *path, int *n)
{
    const char *name = stem(path, n);
    if (job->info.channels > 1 && limn_case_files(path) > 1) *n = (int)limn_case_stem(name);
    return name;
}

/* ---- before any work -------------------------------------------------------------------------------------------------------- */

static limn_status check_target(const segment_job *job, const char *flag, const char *target, const char *endings)
{
    if (!target) return LIMN_OK;
    if (!job->many) return cli_file_check(job->ctx, flag, target, endings);
    if (mkdir(target, 0777) == 0 || (errno == EEXIST && cli_is_folder(target))) return LIMN_OK;
    return limn_fail(job->ctx, errno == EEXIST ? LIMN_BAD_ARGUMENT : LIMN_IO, "%s: %s: %s; of several pictures it is a folder", flag, target, strerror(errno));
}

typedef struct named {
    const char *name; /* without folder; its stem has n bytes */
    int n;
    size_t i;
} named;

static int compare_stems(const named *x, const named *y)
{
    return limn_stems_compare(x->name, (size_t)x->n, y->name, (size_t)y->n);
}

static int by_stem(const void *a, const void *b)
{
    const named *x = a, *y = b;
    int order = compare_stems(x, y);
    return order ? order : (x->i > y->i) - (x->i < y->i);
}

static limn_status check_twins(const segment_job *job, size_t n, char *const *pictures)
{
    named *sorted = malloc((n + 1) * sizeof *sorted);
    limn_status status = sorted ? LIMN_OK : limn_fail_memory(job->ctx, n * sizeof *sorted, "names of pictures");
    for (size_t i = 0; i < n && sorted; i++) sorted[i].i = i, sorted[i].name = result_name(job, pictures[i], &sorted[i].n);
    if (sorted) qsort(sorted, n, sizeof *sorted, by_stem);
    for (size_t i = 1; i < n && status == LIMN_OK; i++)
        if (compare_stems(&sorted[i - 1], &sorted[i]) == 0)
            status = limn_fail(job->ctx, LIMN_BAD_ARGUMENT, "%s and %s have the same name: their results would be one file", pictures[sorted[i - 1].i], pictures[sorted[i].i]);
    free(sorted);
    return status;
}

/* The last of many pictures is looked for before the first one is worked on, and its truth. */
static limn_status check_sources(const segment_job *job, size_t n, char *const *pictures)
{
    char truth[SEGMENT_PATH];
    limn_status status = LIMN_OK;
    for (size_t i = 0; i < n && status == LIMN_OK; i++)
        if (access(pictures[i], R_OK) != 0) status = limn_fail(job->ctx, LIMN_NOT_FOUND, "%s: %s", pictures[i], strerror(errno));
        else if (job->truth) status = segment_truth_path(job, pictures[i], truth);
    return status;
}

limn_status segment_paths_check(const segment_job *job, size_t n, char *const *pictures)
{
    const char *const targets[] = {job->output, job->probability, job->overlay};
    limn_status status = check_twins(job, n, pictures);
    if (status == LIMN_OK) status = check_sources(job, n, pictures);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < i && status == LIMN_OK; j++)
            if (targets[i] && targets[j] && strcmp(targets[i], targets[j]) == 0) status = limn_fail(job->ctx, LIMN_BAD_ARGUMENT, "%s is named for two results", targets[i]);
    if (status == LIMN_OK) status = check_target(job, "--output", job->output, mask_endings);
    if (status == LIMN_OK) status = check_target(job, "--probability", job->probability, mask_endings);
    return status == LIMN_OK ? check_target(job, "--overlay", job->overlay, picture_endings) : status;
}

limn_status segment_truth_path(const segment_job *job, const char *picture, char *out)
{
    static const char *const endings[] = {".png", ".nii.gz", ".nii", ".tif", ".tiff", ".webp", ".jpg", ".jpeg"};
    int n;
    const char *name = stem(picture, &n);
    if (!cli_is_folder(job->truth)) {
        if (job->many) return limn_fail(job->ctx, LIMN_BAD_ARGUMENT, "--truth: %s is no folder, which several pictures need", job->truth);
        snprintf(out, SEGMENT_PATH, "%s", job->truth);
        return LIMN_OK;
    }
    int of_case = (int)limn_case_stem(name), lengths[2] = {n, of_case && strncmp(name + of_case, "_0000", 5) == 0 ? of_case : 0}; /* nnU-Net's masks are named by case */
    for (int k = 0; k < 2 && lengths[k]; k++)
        for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
            if (snprintf(out, SEGMENT_PATH, "%s/%.*s%s", job->truth, lengths[k], name, endings[i]) < SEGMENT_PATH && access(out, F_OK) == 0) return LIMN_OK;
    return limn_fail(job->ctx, LIMN_NOT_FOUND, "--truth: %s holds no mask named %.*s.png for %s", job->truth, n, name, picture);
}

/* ---- writing ---------------------------------------------------------------------------------------------------------------- */

/* Of masks and probabilities in a folder. */
static const char *ending_of(const segment_result *r)
{
    return r->raster.kind == LIMN_RASTER_NIFTI ? ".nii.gz" : r->raster.kind == LIMN_RASTER_TIFF && r->raster.slices > 1 ? ".tif" : ".png";
}

static mask_kind kind_of(const char *path)
{
    if (cli_ends_in(path, ".nii|.gz")) return MASK_NIFTI;
    return cli_ends_in(path, ".tif|.tiff") ? MASK_TIFF : MASK_PNG;
}

/* Where a result goes; refused where the picture lies, and in a file that cannot hold it. */
static limn_status target_of(const segment_job *job, const char *target, const segment_result *r, const char *ending, char *out)
{
    int n;
    const char *name = result_name(job, r->path, &n);
    struct stat a, b;
    if (!job->many) snprintf(out, SEGMENT_PATH, "%s", target);
    else if (snprintf(out, SEGMENT_PATH, "%s/%.*s%s", target, n, name, ending) >= SEGMENT_PATH)
        return limn_fail(job->ctx, LIMN_BAD_ARGUMENT, "%s: the path of a result is too long", r->path);
    if (stat(out, &a) == 0 && stat(r->path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino)
        return limn_fail(job->ctx, LIMN_BAD_ARGUMENT, "%s: the result would overwrite the picture", out);
    if (target == job->overlay) return LIMN_OK;
    if (kind_of(out) == MASK_NIFTI && r->raster.kind != LIMN_RASTER_NIFTI)
        return limn_fail(job->ctx, LIMN_BAD_ARGUMENT, "%s: only of a NIfTI volume comes a NIfTI volume, and %s is none: expected .png or .tif", out, r->path);
    if (kind_of(out) == MASK_PNG && r->raster.slices > 1)
        return limn_fail(job->ctx, LIMN_BAD_ARGUMENT, "%s: %s has %d slices, a PNG holds one: expected .tif%s", out, r->path, r->raster.slices,
                         r->raster.kind == LIMN_RASTER_NIFTI ? ", .nii or .nii.gz" : "");
    return LIMN_OK;
}

limn_status segment_targets_check(const segment_job *job, const segment_result *r)
{
    char path[SEGMENT_PATH];
    const char *const targets[] = {job->output, job->probability, job->overlay};
    limn_status status = LIMN_OK;
    for (int i = 0; i < 3 && status == LIMN_OK; i++)
        if (targets[i]) status = target_of(job, targets[i], r, i == 2 ? ".png" : ending_of(r), path);
    return status;
}

static void said(const segment_job *job, const char *path)
{
    if (!job->json) printf("%s\n", path);
}

static limn_status write_gray(limn_ctx *ctx, const char *path, const limn_raster *r, uint8_t *bytes, const uint16_t *wide)
{
    if (kind_of(path) == MASK_TIFF) return limn_tiff_write(ctx, path, r->width, r->height, r->slices, bytes, wide);
    if (kind_of(path) == MASK_NIFTI) return limn_nifti_write(ctx, path, r, bytes, NULL);
    return wide ? limn_png_write_wide(ctx, path, r->width, r->height, wide) : limn_png_write(ctx, path, &(limn_image){r->width, r->height, 1, bytes}, NULL);
}

/* Values above 255 take 16 bits, and floats in NIfTI. */
static limn_status write_values(limn_ctx *ctx, const char *path, const limn_raster *r, size_t n, const uint8_t *classes, const limn_class_values *values, bool wide)
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
    limn_status status = reals ? limn_nifti_write(ctx, path, r, NULL, mask) : write_gray(ctx, path, r, wide ? NULL : mask, wide ? mask : NULL);
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
    limn_status status = target_of(job, job->output, r, ending_of(r), path);
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
    limn_status status = target_of(job, job->probability, r, ending_of(r), path);
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
    limn_status status = target_of(job, job->overlay, r, ".png", path);
    if (status == LIMN_OK) status = limn_raster_image(job->ctx, r->path, &r->raster, z, &image);
    if (status == LIMN_OK) status = limn_report_picture(job->ctx, &image, r->truth ? r->truth + at : NULL, r->classes + at, &picture);
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
