/* latents.c: see latents.h. */
#include "latents.h"

#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static void tell(void *user, limn_log_level level, const char *text)
{
    if (level == LIMN_LOG_WARN) fprintf(stderr, "warning: %s\n", text);
    else if (level == LIMN_LOG_INFO && !((const latent_job *)user)->quiet) fprintf(stderr, "%s\n", text);
}

int latent_begin(latent_job *job, const char *verb, const latent_flags *f)
{
    long threads = 0;
    *job = (latent_job){.verb = verb, .quiet = f->quiet};
    if (!cli_precision(f->precision, &job->precision)) return 2;
    if (!f->model) return fprintf(stderr, "limn %s: expected -m with the weights of an autoencoder; see limn %s --help\n", verb, verb), 2;
    if (!f->output) return fprintf(stderr, "limn %s: expected -o with the file to write; see limn %s --help\n", verb, verb), 2;
    if (!cli_integer("--threads", f->threads, 0, 1024, &threads)) return 2;
    job->ctx = limn_ctx_new();
    if (!job->ctx) return fprintf(stderr, "limn: out of memory\n"), 1;
    limn_ctx_set_log(job->ctx, tell, job);
    limn_status status = limn_ctx_set_threads(job->ctx, (int)threads);
    return status == LIMN_OK ? 0 : latent_end(job, status);
}

int latent_end(latent_job *job, limn_status status)
{
    int code = status == LIMN_OK ? 0 : cli_fail(job->ctx, status);
    limn_ctx_free(job->ctx);
    return code;
}

static bool ends_in(const char *path, const char *endings)
{
    size_t n = strlen(path);
    while (*endings) {
        size_t m = strcspn(endings, "|");
        if (n > m && strncasecmp(path + n - m, endings, m) == 0) return true;
        endings += m + (endings[m] == '|');
    }
    return false;
}

limn_status latent_file_check(limn_ctx *ctx, const char *flag, const char *path, const char *endings)
{
    char folder[1024], shown[256];
    struct stat there;
    const char *slash = strrchr(path, '/');
    limn_escape(path, strlen(path), shown, sizeof shown);
    if (strlen(path) > 1000) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: the path is longer than 1000 bytes", flag);
    if (stat(path, &there) == 0 && S_ISDIR(there.st_mode)) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: %s is a folder, expected a file", flag, shown);
    if (!ends_in(path, endings)) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s: the name must end in %s, found \"%s\"", flag, endings, shown);
    if (!slash || slash == path) return LIMN_OK;
    snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
    if (stat(folder, &there) == 0 && S_ISDIR(there.st_mode)) return LIMN_OK;
    return limn_fail(ctx, LIMN_NOT_FOUND, "%s: there is no folder %s to write into", flag, limn_escape(folder, strlen(folder), shown, sizeof shown));
}

limn_status latent_output_check(limn_ctx *ctx, const char *path, const char *endings)
{
    return latent_file_check(ctx, "--output", path, endings);
}
