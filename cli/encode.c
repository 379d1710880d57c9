/* encode.c: limn encode -m VAE IMAGE -o latent.safetensors */
#include "file/image.h"
#include "latents.h"

static const char help[] =
    "limn encode -m VAE IMAGE -o latent.safetensors [flags]\n"
    "\n"
    "A picture (PNG, JPEG, WebP) to the latent of an autoencoder: safetensors with one tensor \"latent\" [channels, height, width], as the\n"
    "encoder makes it (the mean, where it gives a distribution), not scaled.  limn decode makes a picture of it.\n"
    "Sides that are not multiples of the autoencoder's factor (8) are padded and cut off again when it is decoded.\n"
    "\n" LATENT_HELP
    "\n"
    "example: limn encode -m taef2_encoder.pth cat.png -o cat.safetensors\n";

static limn_status encode(latent_job *job, const latent_flags *f, const char *picture)
{
    limn_autoencoder *a = NULL;
    limn_image image = {0};
    limn_latent latent = {0};
    limn_status status = latent_output_check(job->ctx, f->output, ".safetensors");
    if (status == LIMN_OK) status = limn_autoencoder_open(job->ctx, f->model, &a);
    if (status == LIMN_OK) status = limn_image_read(job->ctx, picture, 0, &image);
    if (status == LIMN_OK) status = limn_encode(a, &image, job->precision, &latent);
    if (status == LIMN_OK) status = limn_latent_write(job->ctx, f->output, &latent, a);
    if (status == LIMN_OK) printf("%s\n", f->output);
    limn_latent_free(&latent);
    limn_image_free(&image);
    limn_autoencoder_free(a);
    return status;
}

int cli_encode(int argc, char **argv)
{
    latent_flags f = {0};
    latent_job job;
    const char *picture = NULL;
    const cli_flag flags[] = {LATENT_FLAGS(f), {NULL, NULL, NULL, NULL}};
    int n = cli_parse(argc, argv, flags, &picture, 1);
    if (f.help) return fputs(help, stdout), 0;
    if (n < 0) return 2;
    if (!picture) return fprintf(stderr, "limn encode: expected a picture, as in: limn encode -m VAE cat.png -o cat.safetensors\n"), 2;
    int code = latent_begin(&job, argv[1], &f);
    return code ? code : latent_end(&job, encode(&job, &f, picture));
}
