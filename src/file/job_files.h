/* job_files.h: what a job reads and what it will write, told apart by the files, not by their names: links, "./" and
 * "..", and files that are not there yet. */
#ifndef LIMN_JOB_FILES_H
#define LIMN_JOB_FILES_H

#include "base/base.h"

typedef struct limn_job_files {
    struct limn_job_file *file;
    size_t n, capacity;
    bool failed; /* out of memory: kept for the check */
} limn_job_files; /* {0} is empty */

/** A file that is read, and what it is to the job ("the picture"; not copied).  NULL, and what is not there, is passed
 *  over. */
void limn_job_reads(limn_job_files *files, const char *what, const char *path);
/** A file that will be written; devices take more than one. */
void limn_job_writes(limn_job_files *files, const char *path);
/** The same, made of nothing but one file: made twice it is the same, and no second result. */
void limn_job_makes(limn_job_files *files, const char *path, const char *from);
/** Before the first is written.  Empties files, whatever comes out.
 *  @return LIMN_OK; LIMN_BAD_ARGUMENT: a result is what the job reads, or two results are one file; LIMN_NO_MEMORY */
limn_status limn_job_files_check(limn_ctx *ctx, limn_job_files *files);
/** Empty it; after a failure before the check. */
void limn_job_files_free(limn_job_files *files);

#endif
