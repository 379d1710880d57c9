/* decode.c: limn decode -m VAE latent.safetensors -o picture.png */
#include "file/image.h"
#include "file/latent.h"
#include "latents.h"
#include "pipeline/autoencoder.h"

static const char help[] =
    "limn decode -m VAE latent.safetensors -o picture.png [flags]\n"
    "\n"
    "A latent that limn encode wrote with the same autoencoder, back to a picture.\n"
    "\n" LATENT_HELP "  --compare IMAGE      print how near the result is to this picture, on stdout: PSNR in dB, SSIM "
                     "(from 11 x 11 pixels on); of\n"
    "                       pictures with transparency colours are multiplied by alpha; not with -o -\n"
    "\n"
    "example: limn decode -m models/vae farmer.safetensors -o back.png --compare farmer.png\n";

typedef struct scores {
    double psnr, ssim;
    bool has_ssim;
} scores;

static limn_status compare_pictures(limn_ctx *ctx, const limn_image *a, const limn_image *b, scores *out)
{
    enum { WINDOW = 11 }; /* of SSIM */
    *out = (scores){.has_ssim = a->width >= WINDOW && a->height >= WINDOW};
    limn_status status = limn_psnr(ctx, a, b, &out->psnr);
    return status == LIMN_OK && out->has_ssim ? limn_ssim(ctx, a, b, &out->ssim) : status;
}

/* Nothing that is read is written over, and stdout is not for the picture and the numbers both. */
static limn_status check_files(const latent_job *job, const limn_autoencoder *a, const char *latent, const char *compare,
                               const char *output)
{
    limn_job_files files = {0};
    if (compare && limn_path_is_stdout(output))
        return limn_fail(job->ctx, LIMN_BAD_ARGUMENT,
                         "--output: the picture goes to stdout, where the numbers of --compare go: name a file for it");
    limn_job_reads(&files, "the latent", latent);
    limn_job_reads(&files, "the picture of --compare", compare);
    limn_autoencoder_reads(a, &files);
    limn_job_writes(&files, output);
    return limn_job_files_check(job->ctx, &files);
}

static limn_status decode(latent_job *job, const latent_flags *f, const char *file, const char *compare)
{
    limn_autoencoder *a = NULL;
    limn_image image = {0}, original = {0};
    limn_latent latent = {0};
    scores near;
    limn_status status = limn_target_check(job->ctx, "--output", f->output, ".png");
    if (status == LIMN_OK) status = latent_open(job, f, &a);
    if (status == LIMN_OK) status = check_files(job, a, file, compare, f->output);
    if (status == LIMN_OK) status = limn_latent_read(job->ctx, file, &latent);
    if (status == LIMN_OK) status = limn_latent_check_maker(job->ctx, file, limn_autoencoder_describe(a).settings);
    if (status == LIMN_OK && compare)
        status = limn_image_read(job->ctx, compare, limn_autoencoder_describe(a).channels, &original);
    if (status == LIMN_OK) status = limn_decode(a, &latent, job->precision, &image);
    if (status == LIMN_OK && compare) status = compare_pictures(job->ctx, &image, &original, &near);
    if (status == LIMN_OK) status = limn_png_write(job->ctx, f->output, &image, NULL);
    if (status == LIMN_OK) cli_tell_written(f->output);
    if (status == LIMN_OK && compare && near.has_ssim) printf("PSNR %.2f dB, SSIM %.4f\n", near.psnr, near.ssim);
    else if (status == LIMN_OK && compare) printf("PSNR %.2f dB\n", near.psnr);
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
    if (!file)
        return fprintf(stderr, "limn decode: expected a latent, as in: limn decode -m VAE cat.safetensors -o cat.png\n"), 2;
    int code = latent_begin(&job, argv[1], &f);
    return code ? code : latent_end(&job, decode(&job, &f, file, compare));
}
