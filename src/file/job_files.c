/* job_files.c: see job_files.h. */
#include "file/job_files.h"

#include "file/bytes.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file is its device and number; one that is not there yet, those of the nearest folder above it that is, and the
 * way from there. */
typedef struct limn_job_file {
    dev_t device;
    ino_t number;
    char *path, *rest;   /* as it was named; NULL: the file is there */
    const char *what;    /* NULL: it is written */
    dev_t from_device;
    ino_t from_number;   /* of what alone it is made; 0: of more */
    size_t i;            /* order of telling */
} job_file;

/* "a//./b" -> "a/b" */
static void tidy(char *path)
{
    char *to = path;
    for (const char *at = path; *at;) {
        size_t n = strcspn(at, "/");
        bool counts = n && !(n == 1 && *at == '.');
        if (counts && to > path) *to++ = '/';
        if (counts) memmove(to, at, n), to += n;
        at += n + (at[n] == '/');
    }
    *to = '\0';
}

/* @return false: out of memory */
static bool find_place(job_file *f)
{
    struct stat st = {0};
    char at[LIMN_PATH_BYTES];
    bool fits = limn_file_behind(f->path, at), there = !fits;
    size_t end = fits ? strlen(at) : 0; /* of the folder, behind its slash */
    while (!there) {
        while (end && at[end - 1] == '/') end--;
        while (end && at[end - 1] != '/') end--;
        char next = at[end];
        at[end] = '\0';
        there = stat(end ? at : ".", &st) == 0 || !end;
        at[end] = next;
    }
    f->device = st.st_dev, f->number = st.st_ino;
    f->rest = strdup(fits ? at + end : f->path);
    if (f->rest) tidy(f->rest);
    return f->rest != NULL;
}

static void add(limn_job_files *files, const char *what, const char *path, const struct stat *st, const struct stat *from)
{
    if (files->n == files->capacity) {
        size_t more = files->capacity ? 2 * files->capacity : 16;
        job_file *grown = realloc(files->file, more * sizeof *grown);
        if (!grown) {
            files->failed = true;
            return;
        }
        files->file = grown, files->capacity = more;
    }
    job_file *f = &files->file[files->n];
    *f = (job_file){.path = strdup(path), .what = what, .i = files->n};
    if (st) f->device = st->st_dev, f->number = st->st_ino;
    if (from) f->from_device = from->st_dev, f->from_number = from->st_ino;
    if (f->path && (st || find_place(f))) files->n++;
    else free(f->path), files->failed = true;
}

void limn_job_reads(limn_job_files *files, const char *what, const char *path)
{
    struct stat st;
    if (path && stat(path, &st) == 0 && S_ISREG(st.st_mode)) add(files, what, path, &st, NULL);
}

void limn_job_writes(limn_job_files *files, const char *path)
{
    limn_job_makes(files, path, NULL);
}

void limn_job_makes(limn_job_files *files, const char *path, const char *from)
{
    struct stat st, source;
    bool known = from && stat(from, &source) == 0;
    bool there = stat(path, &st) == 0, device = there && S_ISCHR(st.st_mode) && limn_file_descriptor(path) < 0;
    if (!device) add(files, NULL, path, there ? &st : NULL, known ? &source : NULL);
}

static int by_file(const void *a, const void *b)
{
    const job_file *x = a, *y = b;
    if (x->device != y->device) return x->device < y->device ? -1 : 1;
    if (x->number != y->number) return x->number < y->number ? -1 : 1;
    int order = x->rest && y->rest ? strcmp(x->rest, y->rest) : (x->rest != NULL) - (y->rest != NULL);
    if (!order) order = (x->what == NULL) - (y->what == NULL); /* first what reads it */
    return order ? order : (x->i > y->i) - (x->i < y->i);
}

static bool one_file(const job_file *x, const job_file *y)
{
    bool same_way = x->rest && y->rest ? strcmp(x->rest, y->rest) == 0 : x->rest == y->rest;
    return x->device == y->device && x->number == y->number && same_way;
}

static bool made_of_one(const job_file *x, const job_file *y)
{
    return !x->what && x->from_number && x->from_number == y->from_number && x->from_device == y->from_device;
}

/* y is written, and x is the same file. */
static limn_status refuse(limn_ctx *ctx, const job_file *x, const job_file *y)
{
    bool alike = strcmp(x->path, y->path) == 0;
    const char *between = alike ? "" : x->what ? ", " : ", here and as ", *other = alike ? "" : x->path;
    if (x->what)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: the result would overwrite %s%s%s", y->path, x->what, between, other);
    return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s is named for two results%s%s", y->path, between, other);
}

limn_status limn_job_files_check(limn_ctx *ctx, limn_job_files *files)
{
    const job_file *first = NULL, *bad = NULL;
    limn_status status = files->failed ? limn_fail_memory(ctx, files->n * sizeof *files->file, "names of files") : LIMN_OK;
    if (files->n) qsort(files->file, files->n, sizeof *files->file, by_file);
    for (size_t i = 1, begin = 0; i < files->n; i++) { /* of a file: from begin on */
        const job_file *f = &files->file[i];
        if (!one_file(&files->file[begin], f)) begin = i;
        bool clash = i > begin && !f->what && !made_of_one(&files->file[begin], f);
        if (clash && (!bad || f->i < bad->i)) first = &files->file[begin], bad = f;
    }
    if (status == LIMN_OK && bad) status = refuse(ctx, first, bad);
    limn_job_files_free(files);
    return status;
}

void limn_job_files_free(limn_job_files *files)
{
    for (size_t i = 0; i < files->n; i++) free(files->file[i].path), free(files->file[i].rest);
    free(files->file);
    *files = (limn_job_files){0};
}
