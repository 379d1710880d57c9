/* run_files.c: what a training would write over. */
#include "train/trainer_parts.h"

#include "file/job_files.h"

#include <string.h>
#include <sys/stat.h>

static bool same_folder(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* A folder of samples among the pictures would be one of their classes to the next training, and to --resume. */
static limn_status check_data(limn_ctx *ctx, const limn_train_options *o)
{
    char samples[1100];
    snprintf(samples, sizeof samples, "%.1000s/samples", o->out);
    if (strcmp(o->data, "shapes") == 0) return LIMN_OK;
    if (same_folder(o->out, o->data))
        return limn_fail(ctx, LIMN_BAD_ARGUMENT,
                         "--out %s is the folder of the data, where samples and logs would lie among "
                         "what is learned: give another folder", o->out);
    if (same_folder(samples, o->data))
        return limn_fail(ctx, LIMN_BAD_ARGUMENT,
                         "--out %s: its folder samples is the folder of the data, which samples would "
                         "go over: give another folder", o->out);
    return LIMN_OK;
}

limn_status limn_run_files_check(limn_ctx *ctx, const limn_train_options *o)
{
    static const char *const read[] = {"metadata.jsonl", "dataset.json", "latents.safetensors"};
    static const char *const written[] = {"model.safetensors", "checkpoint.safetensors", "checkpoint.old.safetensors",
                                          "log.csv", "log.old.csv", "held_out.csv", "held_out.old.csv", "merges.txt.gz"};
    char path[2100];
    limn_job_files files = {0};
    if (o->resume) return LIMN_OK; /* what is there is the run's own */
    limn_status status = check_data(ctx, o);
    if (status != LIMN_OK) return status;
    limn_job_reads(&files, "the weights of --init", o->init);
    limn_job_reads(&files, "the merges", o->merges);
    for (size_t i = 0; i < sizeof read / sizeof *read; i++) {
        snprintf(path, sizeof path, "%.1000s/%s", o->data, read[i]);
        limn_job_reads(&files, "a file of the data", path);
    }
    for (size_t i = 0; i < sizeof written / sizeof *written; i++) {
        snprintf(path, sizeof path, "%.1000s/%s", o->out, written[i]);
        limn_job_writes(&files, path);
    }
    return limn_job_files_check(ctx, &files);
}
