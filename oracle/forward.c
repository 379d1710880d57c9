/* forward.c: a denoiser or T5 of a published file, run once over numbers in a folder: for scripts that compare networks at
 * their full width (sd3_full_width.py, which compiles it against a build's library, t5_full_width.py).
 *
 * usage: forward WEIGHTS f32|bf16 HEIGHT WIDTH TOKENS TIME FOLDER    FOLDER/{image,features,pooled}.f32 -> FOLDER/out.f32
 *        forward WEIGHTS f32|bf16 0 0 TOKENS 0 FOLDER                FOLDER/{ids,mask}.f32 -> FOLDER/out.f32 */
#include "model/map/map.h"
#include "net/net.h"
#include "net/open.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void must(limn_ctx *ctx, limn_status status)
{
    if (status == LIMN_OK) return;
    fprintf(stderr, "%s\n", limn_error_text(ctx));
    exit(2);
}

static FILE *open_in(const char *folder, const char *name, const char *mode)
{
    char path[1100];
    snprintf(path, sizeof path, "%s/%s.f32", folder, name);
    FILE *f = fopen(path, mode);
    if (!f) perror(path), exit(2);
    return f;
}

static void write_input(limn_ctx *ctx, limn_run *run, const limn_node *node, const char *folder, const char *name)
{
    limn_shape shape = limn_node_shape(node);
    size_t n = (size_t)limn_shape_count(&shape);
    float *x = malloc(n * sizeof *x);
    FILE *f = open_in(folder, name, "rb");
    if (fread(x, sizeof *x, n, f) != n) fprintf(stderr, "%s is too short\n", name), exit(2);
    fclose(f);
    must(ctx, limn_run_write(run, node, LIMN_F32, x));
    free(x);
}

/* An id is a number in f32, too. */
static void write_ids(limn_ctx *ctx, limn_run *run, const limn_node *node, const char *folder)
{
    size_t n = (size_t)limn_node_shape(node).dim[1];
    float *x = malloc(n * sizeof *x);
    int32_t *ids = malloc(n * sizeof *ids);
    FILE *f = open_in(folder, "ids", "rb");
    if (fread(x, sizeof *x, n, f) != n) fprintf(stderr, "ids are too short\n"), exit(2);
    fclose(f);
    for (size_t i = 0; i < n; i++) ids[i] = (int32_t)x[i];
    must(ctx, limn_run_write(run, node, LIMN_I32, ids));
    free(x), free(ids);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
    if (argc != 8) return fprintf(stderr, "see the comment at the beginning\n"), 2;
    limn_ctx *ctx = limn_ctx_new();
    limn_weight_file *st;
    limn_settings settings;
    limn_source *source;
    limn_net *net;
    limn_job job = {0};
    limn_net_shape shape = {.batch = 1, .n_times = 1, .height = atoi(argv[3]), .width = atoi(argv[4]),
                            .text_length = atoi(argv[5]),
                            .precision = strcmp(argv[2], "bf16") ? LIMN_PRECISION_F32 : LIMN_PRECISION_BF16};
    float times[8] = {(float)atof(argv[6])};
    double begin = now();
    must(ctx, limn_weight_file_open(ctx, argv[1], &st));
    must(ctx, limn_net_settings_of(ctx, argv[1], st, &settings));
    must(ctx, limn_map_source(ctx, argv[1], st, &source));
    must(ctx, limn_net_new(ctx, &settings, source, argv[1], &net));
    must(ctx, limn_job_begin(ctx, net, &shape, 0, &job));
    double loaded = now();
    if (job.ports->ids) {
        write_ids(ctx, job.run, job.ports->ids, argv[7]);
        write_input(ctx, job.run, job.ports->mask, argv[7], "mask");
    } else {
        write_input(ctx, job.run, job.ports->image, argv[7], "image");
        write_input(ctx, job.run, job.ports->features, argv[7], "features");
        write_input(ctx, job.run, job.ports->pooled_text, argv[7], "pooled");
        must(ctx, limn_run_write(job.run, job.ports->timesteps, LIMN_F32, times));
        must(ctx, limn_run_write(job.run, job.ports->step, LIMN_I32, (int32_t[]){0}));
    }
    must(ctx, limn_run_execute(job.run));
    double done = now();
    limn_shape out = limn_node_shape(job.ports->output);
    size_t n = (size_t)limn_shape_count(&out);
    float *x = malloc(n * sizeof *x);
    must(ctx, limn_job_output(ctx, &job, job.ports->output, "", x));
    FILE *f = open_in(argv[7], "out", "wb");
    fwrite(x, sizeof *x, n, f);
    fclose(f);
    printf("weights %.1f s, forward %.2f s\n", loaded - begin, done - loaded);
    free(x);
    limn_job_end(&job);
    limn_net_free(net);
    limn_weight_file_close(st);
    limn_ctx_free(ctx);
    return 0;
}
