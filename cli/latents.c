/* latents.c: see latents.h. */
#include "latents.h"

static void tell(void *user, limn_log_level level, const char *text)
{
    if (level == LIMN_LOG_WARN) fprintf(stderr, "warning: %s\n", text);
    else if (level == LIMN_LOG_INFO && !((const latent_job *)user)->quiet) fprintf(stderr, "%s\n", text);
}

int latent_begin(latent_job *job, const char *verb, latent_flags *f)
{
    long threads = 0;
    size_t memory = 0;
    *job = (latent_job){.verb = verb, .quiet = f->quiet};
    f->output = cli_output(f->output);
    if (!cli_precision(f->precision, &job->precision) || !cli_tiling(&f->tiling, &job->tiling) ||
        !cli_memory("--max-memory", f->memory, &memory))
        return 2;
    if (f->model && f->vae) return cli_lacks("-m and --vae both name the autoencoder: expected one"), 2;
    if (f->vae) f->model = f->vae;
    if (!f->model)
        return fprintf(stderr, "limn %s: expected -m with the weights of an autoencoder; see limn %s --help\n", verb, verb),
               2;
    if (!f->output)
        return fprintf(stderr, "limn %s: expected -o with the file to write; see limn %s --help\n", verb, verb), 2;
    if (!cli_integer("--threads", f->threads, 0, 1024, &threads)) return 2;
    job->ctx = cli_ctx_new();
    if (!job->ctx) return 1;
    limn_ctx_set_log(job->ctx, tell, job);
    limn_ctx_set_memory(job->ctx, memory);
    limn_status status = limn_ctx_set_threads(job->ctx, (int)threads);
    if (status == LIMN_OK) status = limn_ctx_set_weights(job->ctx, f->weights);
    return status == LIMN_OK ? 0 : latent_end(job, status);
}

limn_status latent_open(latent_job *job, const latent_flags *f, limn_autoencoder **out)
{
    limn_status status = limn_autoencoder_open(job->ctx, f->model, out);
    return status == LIMN_OK ? limn_autoencoder_set_tiling(*out, &job->tiling) : status;
}

int latent_end(latent_job *job, limn_status status)
{
    int code = status == LIMN_OK ? 0 : cli_fail(job->ctx, status);
    cli_ctx_free(job->ctx);
    return code;
}
