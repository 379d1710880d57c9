/* encode.c: limn encode -m VAE IMAGE -o latent.safetensors, or a folder to a folder. */
#include "file/image.h"
#include "latents.h"
#include "limn/train.h"
#include "progress.h"
#include "pipeline/autoencoder.h"

#include <unistd.h>

static const char help[] =
    "limn encode -m VAE IMAGE -o latent.safetensors [flags]\n"
    "limn encode -m VAE FOLDER -o LATENTS --size N [flags]\n"
    "\n"
    "A picture (PNG, JPEG, WebP) to the latent of an autoencoder: safetensors with one tensor \"latent\" [channels, height, "
    "width], as the\n"
    "encoder makes it (the mean, where it gives a distribution), not scaled.  limn decode makes a picture of it.\n"
    "Sides that are not multiples of the autoencoder's factor (often 8; models/vae: 4) are padded, and cut again when it is "
    "decoded.\n"
    "\n"
    "A folder of pictures (as limn train reads one) to a folder of latents for limn train --latents: a file for each, "
    "metadata.jsonl with\n"
    "captions and all other fields kept, and latents.safetensors: mean and spread of all, from which scale and shift for "
    "training follow.\n"
    "\n" LATENT_HELP "  --size N             folder: pictures become N x N\n"
    "  --crop centre|squash folder: cut a square from the middle, or change the proportions\n"
    "  --where F=V,...      folder: only rows of metadata.jsonl whose fields have these values\n"
    "\n"
    "examples:\n"
    "  limn encode -m models/vae farmer.png -o farmer.safetensors\n"
    "  limn encode -m taef2_encoder.pth photos -o latents --size 256\n";

static limn_status check_files(const latent_job *job, const limn_autoencoder *a, const char *picture, const char *output)
{
    limn_job_files files = {0};
    limn_job_reads(&files, "the picture", picture);
    limn_autoencoder_reads(a, &files);
    limn_job_writes(&files, output);
    return limn_job_files_check(job->ctx, &files);
}

static limn_status encode(latent_job *job, const latent_flags *f, const char *picture)
{
    limn_autoencoder *a = NULL;
    limn_image image = {0};
    limn_latent latent = {0};
    limn_status status = limn_target_check(job->ctx, "--output", f->output, ".safetensors");
    if (status == LIMN_OK) status = latent_open(job, f, &a);
    if (status == LIMN_OK) status = check_files(job, a, picture, f->output);
    if (status == LIMN_OK) status = limn_image_read(job->ctx, picture, 0, &image);
    if (status == LIMN_OK) status = limn_encode(a, &image, job->precision, &latent);
    if (status == LIMN_OK) status = limn_latent_write(job->ctx, f->output, &latent, limn_autoencoder_describe(a).settings);
    if (status == LIMN_OK) cli_tell_written(f->output);
    limn_latent_free(&latent);
    limn_image_free(&image);
    limn_autoencoder_free(a);
    return status;
}

static limn_status encode_folder(latent_job *job, const latent_flags *f, limn_encode_options *o, const char *size,
                                 const char *crop)
{
    limn_autoencoder *a = NULL;
    int64_t n = 0;
    long pixels = 0;
    int squash = 0;
    cli_progress progress = cli_progress_begin(f->quiet, false);
    if (limn_path_is_stdout(f->output))
        return limn_fail(job->ctx, LIMN_BAD_ARGUMENT,
                         "--output: the latents of a folder are files in a folder, and stdout is none");
    if (!size)
        return limn_fail(job->ctx, LIMN_BAD_ARGUMENT,
                         "%s is a folder: expected --size with the pixels a side of its pictures", o->folder);
    if (!cli_integer("--size", size, 1, LIMN_MAX_SIDE, &pixels) || !cli_choice("--crop", "centre, squash", crop, &squash))
        return limn_fail(job->ctx, LIMN_BAD_ARGUMENT, "no latents were made");
    o->size = (int)pixels, o->crop = squash ? LIMN_SQUASH : LIMN_CROP_CENTRE;
    o->out = f->output, o->vae = f->model, o->precision = job->precision;
    if (isatty(STDERR_FILENO) && !f->quiet) limn_ctx_set_progress(job->ctx, cli_progress_show, &progress);
    limn_status status = latent_open(job, f, &a);
    if (status == LIMN_OK) status = limn_encode_folder(a, o, &n);
    if (status == LIMN_OK) printf("%s: %lld latents\n", f->output, (long long)n);
    limn_autoencoder_free(a);
    return status;
}

int cli_encode(int argc, char **argv)
{
    latent_flags f = {0};
    latent_job job;
    const char *picture = NULL, *size = NULL, *crop = NULL;
    limn_encode_options o = limn_encode_defaults();
    const cli_flag flags[] = {LATENT_FLAGS(f),
                              {NULL, "--size", &size, NULL},
                              {NULL, "--crop", &crop, NULL},
                              {NULL, "--where", &o.where, NULL},
                              {NULL, NULL, NULL, NULL}};
    int n = cli_parse(argc, argv, flags, &picture, 1);
    if (f.help) return fputs(help, stdout), 0;
    if (n < 0) return 2;
    if (!picture)
        return fprintf(stderr, "limn encode: expected a picture, as in: limn encode -m VAE cat.png -o cat.safetensors\n"), 2;
    bool folder = limn_path_is_folder(picture);
    if (!folder && (size || crop || o.where))
        return fprintf(stderr, "limn encode: %s is for a folder of pictures, and \"%.200s\" is none\n",
                       size   ? "--size"
                       : crop ? "--crop"
                              : "--where",
                       picture),
               2;
    int code = latent_begin(&job, argv[1], &f);
    o.folder = picture;
    if (code) return code;
    return latent_end(&job, folder ? encode_folder(&job, &f, &o, size, crop) : encode(&job, &f, picture));
}
