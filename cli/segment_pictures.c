/* segment_pictures.c: the pictures of limn segment; see segment_job.h. */
#include "segment_job.h"

#include "cli.h"
#include "data/case.h"
#include "data/listing.h"

#include <stdlib.h>
#include <string.h>

static limn_status take(const segment_job *job, limn_names *all, const char *path)
{
    if (strlen(path) >= SEGMENT_PATH)
        return limn_fail(job->ctx, LIMN_BAD_ARGUMENT, "%.100s..: the path of a picture is longer than %d bytes", path,
                         SEGMENT_PATH - 1);
    return limn_names_add(all, path) ? LIMN_OK : limn_fail_memory(job->ctx, strlen(path) + 1, "the pictures");
}

/* Of a case in several files the first stands for all, where the network reads several channels. */
static bool stands_alone(const segment_job *job, const char *path)
{
    return job->info.channels == 1 || !limn_case_has(path);
}

static limn_status take_folder(const segment_job *job, limn_names *all, const char *folder)
{
    char path[SEGMENT_PATH + 8];
    limn_names found = {0};
    size_t before = all->n, n = strlen(folder);
    while (n > 1 && folder[n - 1] == '/') n--;
    limn_status status = limn_names_list(job->ctx, folder, true, &found, NULL);
    for (size_t i = 0; i < found.n && status == LIMN_OK; i++) {
        snprintf(path, sizeof path, "%.*s/%s", (int)n, folder, found.name[i]);
        if (stands_alone(job, path)) status = take(job, all, path);
    }
    limn_names_tell(job->ctx, folder, true, &found);
    if (status == LIMN_OK && all->n == before)
        status =
            limn_fail(job->ctx, LIMN_NOT_FOUND, "%s: this folder holds no picture (PNG, JPEG, WebP, TIFF, NIfTI)", folder);
    limn_names_free(&found);
    return status;
}

limn_status segment_pictures(segment_job *job, int n, const char *const *words, limn_names *out)
{
    limn_status status = LIMN_OK;
    job->many = n > 1;
    for (int i = 0; i < n && status == LIMN_OK; i++) {
        bool folder = limn_path_is_folder(words[i]);
        job->many = job->many || folder;
        if (folder) status = take_folder(job, out, words[i]);
        else if (n == 1 || stands_alone(job, words[i])) status = take(job, out, words[i]); /* "*.nii.gz" means cases, too */
    }
    if (status == LIMN_OK && !out->n)
        status = limn_fail(job->ctx, LIMN_BAD_ARGUMENT, "%s: a case is named by its first file, CASE_0000%s", words[0],
                           words[0] + limn_stem(words[0]));
    return status;
}
