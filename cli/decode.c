/* decode.c: limn decode -m VAE latent.safetensors -o picture.png */
#include "file/image.h"
#include "latents.h"

static const char help[] =
    "limn decode -m VAE latent.safetensors -o picture.png [flags]\n"
    "\n"
    "A latent that limn encode wrote, back to a picture.\n"
    "\n" LATENT_HELP
    "  --compare IMAGE      print how near the result is to this picture: PSNR in dB, on stdout\n"
    "\n"
    "example: limn decode -m taef2_decoder.pth cat.safetensors -o back.png --compare cat.png\n";

static limn_status decode(latent_job *job, const latent_flags *f, const char *file, const char *compare)
{
    limn_autoencoder *a = NULL;
    limn_image image = {0}, original = {0};
    limn_latent latent = {0};
    double psnr = 0;
    limn_status status = cli_file_check(job->ctx, "--output", f->output, ".png");
    if (status == LIMN_OK) status = limn_autoencoder_open(job->ctx, f->model, &a);
    if (status == LIMN_OK) status = limn_latent_read(job->ctx, file, &latent);
    if (status == LIMN_OK && compare) status = limn_image_read(job->ctx, compare, limn_autoencoder_describe(a).channels, &original);
    if (status == LIMN_OK) status = limn_decode(a, &latent, job->precision, &image);
    if (status == LIMN_OK && compare) status = limn_psnr(job->ctx, &image, &original, &psnr);
    if (status == LIMN_OK) status = limn_png_write(job->ctx, f->output, &image, NULL);
    if (status == LIMN_OK) printf("%s\n", f->output);
    if (status == LIMN_OK && compare) printf("PSNR %.2f dB\n", psnr);
    limn_latent_free(&latent);
    limn_image_free(&image);
    limn_image_free(&original);
    limn_autoencoder_free(a);
    return status;
}

int cli_decode(int argc, char **argv)
{
    latent_flags f = {0};
    latent_job job;
    const char *file = NULL, *compare = NULL;
    const cli_flag flags[] = {LATENT_FLAGS(f), {NULL, "--compare", &compare, NULL}, {NULL, NULL, NULL, NULL}};
    int n = cli_parse(argc, argv, flags, &file, 1);
    if (f.help) return fputs(help, stdout), 0;
    if (n < 0) return 2;
    if (!file) return fprintf(stderr, "limn decode: expected a latent, as in: limn decode -m VAE cat.safetensors -o cat.png\n"), 2;
    int code = latent_begin(&job, argv[1], &f);
    return code ? code : latent_end(&job, decode(&job, &f, file, compare));
}
