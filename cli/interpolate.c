/* interpolate.c: limn interpolate -m VAE A.png B.png -o strip.png */
#include "file/image.h"
#include "latents.h"
#include "pipeline/autoencoder.h"

#include <stdlib.h>
#include <string.h>

static const char help[] = "limn interpolate -m VAE A B -o strip.png [flags]\n"
                           "\n"
                           "Pictures between two pictures: both become latents, points between the latents become pictures. "
                           " B is brought to A's size.\n"
                           "The result is a strip, A left and B right, or with the ending .apng an animation.\n"
                           "\n" LATENT_HELP "  -n 8                 pictures, A and B among them\n"
                           "  --slerp              on the arc between the latents, not on the line\n"
                           "  --delay 120          .apng: milliseconds for each picture\n"
                           "\n"
                           "  --seeds A,B          instead of two pictures: see limn interpolate --seeds 1,2 --help\n"
                           "\n"
                           "example: limn interpolate -m models/vae farmer.png mechanic.png -n 8 -o strip.png\n";

enum { MOST = 256 };

typedef struct interpolate_flags {
    latent_flags shared;
    const char *words[2], *count, *delay;
    bool slerp;
    long n, milliseconds;
} interpolate_flags;

static limn_status write_strip(limn_ctx *ctx, const char *path, const limn_image *images, int n)
{
    limn_image strip;
    int w = images[0].width, h = images[0].height, c = images[0].channels;
    limn_status status = limn_image_new(ctx, path, (uint32_t)(n * w), (uint32_t)h, c, &strip);
    if (status != LIMN_OK) return status;
    size_t row = (size_t)w * (size_t)c;
    for (int i = 0; i < n; i++)
        for (int y = 0; y < h; y++)
            memcpy(strip.pixels + ((size_t)y * (size_t)n + (size_t)i) * row, images[i].pixels + (size_t)y * row, row);
    status = limn_png_write(ctx, path, &strip, NULL);
    limn_image_free(&strip);
    return status;
}

/* Both pictures, of one size, and what will be written: everything that may be wrong before the work begins. */
static limn_status read_pictures(latent_job *job, const interpolate_flags *f, limn_image pictures[2])
{
    limn_status status = limn_target_check(job->ctx, "--output", f->shared.output, ".png|.apng");
    for (int i = 0; i < 2 && status == LIMN_OK; i++) status = limn_image_read(job->ctx, f->words[i], 0, &pictures[i]);
    if (status == LIMN_OK && !limn_path_ends_in(f->shared.output, ".apng"))
        status = limn_image_check(job->ctx, f->shared.output, (uint32_t)(f->n * pictures[0].width),
                                  (uint32_t)pictures[0].height, 4);
    if (status != LIMN_OK || (pictures[0].width == pictures[1].width && pictures[0].height == pictures[1].height))
        return status;
    limn_image sized;
    status = limn_image_resize(job->ctx, &pictures[1], pictures[0].width, pictures[0].height, &sized);
    if (status != LIMN_OK) return status;
    limn_image_free(&pictures[1]);
    pictures[1] = sized;
    return LIMN_OK;
}

static limn_status check_files(const latent_job *job, const limn_autoencoder *a, const interpolate_flags *f)
{
    limn_job_files files = {0};
    for (int i = 0; i < 2; i++) limn_job_reads(&files, "the picture", f->words[i]);
    limn_autoencoder_reads(a, &files);
    limn_job_writes(&files, f->shared.output);
    return limn_job_files_check(job->ctx, &files);
}

static limn_status interpolate(latent_job *job, const interpolate_flags *f)
{
    limn_autoencoder *a = NULL;
    limn_image pictures[2] = {{0}}, images[MOST] = {{0}};
    limn_latent latents[2] = {{0}};
    int n = (int)f->n;
    limn_status status = read_pictures(job, f, pictures);
    if (status == LIMN_OK) status = latent_open(job, &f->shared, &a);
    if (status == LIMN_OK) status = check_files(job, a, f);
    for (int i = 0; i < 2 && status == LIMN_OK; i++) status = limn_encode(a, &pictures[i], job->precision, &latents[i]);
    if (status == LIMN_OK) status = limn_interpolate(a, &latents[0], &latents[1], n, f->slerp, job->precision, images);
    if (status == LIMN_OK && limn_path_ends_in(f->shared.output, ".apng"))
        status = limn_apng_write(job->ctx, f->shared.output, images, n, (int)f->milliseconds);
    else if (status == LIMN_OK) status = write_strip(job->ctx, f->shared.output, images, n);
    if (status == LIMN_OK) cli_tell_written(f->shared.output);
    for (int i = 0; i < n; i++) limn_image_free(&images[i]);
    for (int i = 0; i < 2; i++) limn_image_free(&pictures[i]), limn_latent_free(&latents[i]);
    limn_autoencoder_free(a);
    return status;
}

int cli_interpolate(int argc, char **argv)
{
    for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (!strncmp(argv[i], "--seeds", 7)) return cli_interpolate_seeds(argc, argv);
    interpolate_flags f = {.n = 8, .milliseconds = 120};
    latent_job job;
    const cli_flag flags[] = {LATENT_FLAGS(f.shared),
                              {"-n", "-n", &f.count, NULL},
                              {NULL, "--slerp", NULL, &f.slerp},
                              {NULL, "--delay", &f.delay, NULL},
                              {NULL, NULL, NULL, NULL}};
    int n = cli_parse(argc, argv, flags, f.words, 2);
    if (f.shared.help) return fputs(help, stdout), 0;
    if (n < 0) return 2;
    if (n < 2)
        return fprintf(
                   stderr,
                   "limn interpolate: expected two pictures, as in: limn interpolate -m VAE cat.png dog.png -o strip.png\n"),
               2;
    if (!cli_integer("-n", f.count, 2, MOST, &f.n) || !cli_integer("--delay", f.delay, 1, 65535, &f.milliseconds)) return 2;
    if (f.delay && f.shared.output && !limn_path_ends_in(f.shared.output, ".apng"))
        return fprintf(stderr, "limn interpolate: --delay is for an animation, whose name ends in .apng\n"), 2;
    int code = latent_begin(&job, argv[1], &f.shared);
    return code ? code : latent_end(&job, interpolate(&job, &f));
}
