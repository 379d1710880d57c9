/* segment_output.c: see segment_job.h. */
#include "segment_job.h"

#include "file/image.h"
#include "latents.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

static const char mask_endings[] = ".png", picture_endings[] = ".png";

static bool is_folder(const char *path)
{
    struct stat there;
    return stat(path, &there) == 0 && S_ISDIR(there.st_mode);
}

/* The name of a picture without folder and ending. */
static const char *stem(const char *path, int *n)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    *n = dot && dot > name ? (int)(dot - name) : (int)strlen(name);
    return name;
}

/* ---- before any work -------------------------------------------------------------------------------------------------------- */

static limn_status check_target(const segment_job *job, const char *flag, const char *target, const char *endings)
{
    if (!target) return LIMN_OK;
    if (!job->many) return latent_file_check(job->ctx, flag, target, endings);
    if (mkdir(target, 0777) == 0 || (errno == EEXIST && is_folder(target))) return LIMN_OK;
    return limn_fail(job->ctx, errno == EEXIST ? LIMN_BAD_ARGUMENT : LIMN_IO, "%s: %s: %s; of several pictures it is a folder", flag, target, strerror(errno));
}

static limn_status check_twins(const segment_job *job, int n, const char *const *pictures)
{
    for (int i = 0; i < n; i++)
        for (int j = 0, a, b; j < i; j++) {
            const char *x = stem(pictures[i], &a), *y = stem(pictures[j], &b);
            if (a == b && memcmp(x, y, (size_t)a) == 0)
                return limn_fail(job->ctx, LIMN_BAD_ARGUMENT, "%s and %s have the same name: their results would be one file", pictures[j], pictures[i]);
        }
    return LIMN_OK;
}

limn_status segment_paths_check(const segment_job *job, int n, const char *const *pictures)
{
    limn_status status = check_target(job, "--output", job->output, mask_endings);
    if (status == LIMN_OK) status = check_target(job, "--probability", job->probability, mask_endings);
    if (status == LIMN_OK) status = check_target(job, "--overlay", job->overlay, picture_endings);
    const char *const targets[] = {job->output, job->probability, job->overlay};
    for (int i = 0; i < 3 && status == LIMN_OK; i++)
        for (int j = 0; j < i && status == LIMN_OK; j++)
            if (targets[i] && targets[j] && strcmp(targets[i], targets[j]) == 0) status = limn_fail(job->ctx, LIMN_BAD_ARGUMENT, "%s is named for two results", targets[i]);
    return status == LIMN_OK ? check_twins(job, n, pictures) : status;
}

limn_status segment_truth_path(const segment_job *job, const char *picture, char *out)
{
    static const char *const endings[] = {".png", ".webp", ".jpg", ".jpeg"};
    int n;
    const char *name = stem(picture, &n);
    if (!is_folder(job->truth)) {
        if (job->many) return limn_fail(job->ctx, LIMN_BAD_ARGUMENT, "--truth: %s is no folder, which several pictures need", job->truth);
        snprintf(out, SEGMENT_PATH, "%s", job->truth);
        return LIMN_OK;
    }
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (snprintf(out, SEGMENT_PATH, "%s/%.*s%s", job->truth, n, name, endings[i]) < SEGMENT_PATH && access(out, F_OK) == 0) return LIMN_OK;
    return limn_fail(job->ctx, LIMN_NOT_FOUND, "--truth: %s holds no mask named %.*s.png for %s", job->truth, n, name, picture);
}

/* ---- writing ---------------------------------------------------------------------------------------------------------------- */

/* Of masks and probabilities in a folder. */
static const char *ending_of(const segment_result *r)
{
    return r->raster.kind == LIMN_RASTER_NIFTI ? ".nii.gz" : r->raster.kind == LIMN_RASTER_TIFF && r->raster.slices > 1 ? ".tif" : ".png";
}

/* Where a result goes; refused where the picture lies. */
static limn_status target_of(const segment_job *job, const char *target, const char *picture, const char *ending, char *out)
{
    int n;
    const char *name = stem(picture, &n);
    struct stat a, b;
    if (!job->many) snprintf(out, SEGMENT_PATH, "%s", target);
    else if (snprintf(out, SEGMENT_PATH, "%s/%.*s%s", target, n, name, ending) >= SEGMENT_PATH)
        return limn_fail(job->ctx, LIMN_BAD_ARGUMENT, "%s: the path of a result is too long", picture);
    if (stat(out, &a) == 0 && stat(picture, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino)
        return limn_fail(job->ctx, LIMN_BAD_ARGUMENT, "%s: the result would overwrite the picture", out);
    return LIMN_OK;
}

limn_status segment_targets_check(const segment_job *job, const segment_result *r)
{
    char path[SEGMENT_PATH];
    const char *const targets[] = {job->output, job->probability, job->overlay};
    limn_status status = LIMN_OK;
    for (int i = 0; i < 3 && status == LIMN_OK; i++)
        if (targets[i]) status = target_of(job, targets[i], r->path, i == 2 ? ".png" : ending_of(r), path);
    return status;
}

static void said(const segment_job *job, const char *path)
{
    if (!job->json) printf("%s\n", path);
}

static limn_status write_mask(const segment_job *job, const segment_result *r)
{
    char path[SEGMENT_PATH];
    limn_class_values values;
    size_t n = (size_t)r->raster.width * (size_t)r->raster.height * (size_t)r->raster.slices;
    limn_status status = target_of(job, job->output, r->path, ending_of(r), path);
    if (status == LIMN_OK) status = limn_class_values_parse(job->ctx, job->values, job->info.classes, true, &values);
    if (status != LIMN_OK) return status;
    uint8_t *mask = malloc(n);
    if (!mask) return limn_fail_memory(job->ctx, n, "a mask");
    for (size_t i = 0; i < n; i++) mask[i] = values.value_of[r->classes[i]];
    status = limn_png_write(job->ctx, path, &(limn_image){r->raster.width, r->raster.height, 1, mask}, NULL);
    free(mask);
    if (status == LIMN_OK) said(job, path);
    return status;
}

static limn_status write_probability(const segment_job *job, const segment_result *r)
{
    char path[SEGMENT_PATH];
    size_t n = (size_t)r->raster.width * (size_t)r->raster.height * (size_t)r->raster.slices;
    limn_status status = target_of(job, job->probability, r->path, ending_of(r), path);
    if (status != LIMN_OK) return status;
    uint16_t *p = malloc(n * sizeof *p);
    if (!p) return limn_fail_memory(job->ctx, n * sizeof *p, "a probability map");
    for (size_t i = 0; i < n; i++)
        if (job->wide) p[i] = (uint16_t)(r->probability[i] * 65535 + 0.5f);
        else ((uint8_t *)p)[i] = (uint8_t)(r->probability[i] * 255 + 0.5f);
    if (job->wide) status = limn_png_write_wide(job->ctx, path, r->raster.width, r->raster.height, p);
    else status = limn_png_write(job->ctx, path, &(limn_image){r->raster.width, r->raster.height, 1, (uint8_t *)p}, NULL);
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
    limn_status status = target_of(job, job->overlay, r->path, ".png", path);
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
