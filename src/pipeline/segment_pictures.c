/* segment_pictures.c: the pictures that are named; see segment_job.h. */
#include "pipeline/segment_job.h"

#include "data/case.h"
#include "file/target.h"

#include <string.h>

static limn_status take(limn_segment_job *job, const char *path)
{
    if (strlen(path) >= LIMN_SEGMENT_PATH)
        return limn_fail(job->ctx, LIMN_BAD_ARGUMENT, "%.100s..: the path of a picture is longer than %d bytes", path,
                         LIMN_SEGMENT_PATH - 1);
    return limn_names_add(&job->pictures, path) ? LIMN_OK : limn_fail_memory(job->ctx, strlen(path) + 1, "the pictures");
}

/* Of a case in several files the first stands for all, where the network reads several channels. */
static bool stands_alone(const limn_segment_job *job, const char *path)
{
    return job->info.channels == 1 || !limn_case_has(path);
}

static limn_status take_folder(limn_segment_job *job, const char *folder)
{
    char path[LIMN_SEGMENT_PATH + 8];
    limn_names found = {0};
    size_t before = job->pictures.n, n = strlen(folder);
    while (n > 1 && folder[n - 1] == '/') n--;
    limn_status status = limn_names_list(job->ctx, folder, true, &found, NULL);
    for (size_t i = 0; i < found.n && status == LIMN_OK; i++) {
        snprintf(path, sizeof path, "%.*s/%s", (int)n, folder, found.name[i]);
        if (stands_alone(job, path)) status = take(job, path);
    }
    limn_names_tell(job->ctx, folder, true, &found);
    if (status == LIMN_OK && job->pictures.n == before)
        status =
            limn_fail(job->ctx, LIMN_NOT_FOUND, "%s: this folder holds no picture (PNG, JPEG, WebP, TIFF, NIfTI)", folder);
    limn_names_free(&found);
    return status;
}

limn_status limn_segment_pictures(limn_segment_job *job)
{
    limn_status status = LIMN_OK;
    int n = job->o->n_pictures;
    const char *const *word = job->o->pictures;
    if (n < 1) return limn_fail(job->ctx, LIMN_BAD_ARGUMENT, "expected a picture to segment, found none");
    job->many = n > 1;
    for (int i = 0; i < n && status == LIMN_OK; i++) {
        bool folder = limn_path_is_folder(word[i]);
        job->many = job->many || folder;
        if (folder) status = take_folder(job, word[i]);
        else if (n == 1 || stands_alone(job, word[i])) status = take(job, word[i]); /* "*.nii.gz" means cases, too */
    }
    if (status == LIMN_OK && !job->pictures.n)
        status = limn_fail(job->ctx, LIMN_BAD_ARGUMENT, "%s: a case is named by its first file, CASE_0000%s", word[0],
                           word[0] + limn_stem(word[0]));
    return status;
}
