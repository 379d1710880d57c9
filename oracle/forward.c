/* forward.c: one pass of a network whose weights a file holds, over numbers in a folder: for scripts that compare networks at
 * their full width (forward.py builds it).
 *
 * usage: forward WEIGHTS f32|bf16 BATCH HEIGHT WIDTH TOKENS TIME FOLDER
 *
 * FOLDER/NAME.f32 is read for each input by the name of its port (image, features, mask, ids ..), and FOLDER/output.f32
 * written: f32, as they lie in memory, pictures [B,H,W,C]. */
#include "graph/node.h"
#include "model/map/map.h"
#include "net/net.h"
#include "net/open.h"
#include "net/ports.h"

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

/* Ids are numbers in f32, too. */
static void write_input(limn_ctx *ctx, limn_run *run, const limn_node *node, const char *folder, const char *name)
{
    size_t n = (size_t)limn_node_count(node);
    float *x = malloc(n * sizeof *x);
    int32_t *ids = malloc(n * sizeof *ids);
    FILE *f = open_in(folder, name, "rb");
    if (!x || !ids || fread(x, sizeof *x, n, f) != n) fprintf(stderr, "%s is too short\n", name), exit(2);
    fclose(f);
    bool index = node->kind == LIMN_INDEX;
    for (size_t i = 0; i < n && index; i++) ids[i] = (int32_t)x[i];
    must(ctx, limn_run_write(run, node, index ? LIMN_I32 : LIMN_F32, index ? (void *)ids : x));
    free(x), free(ids);
}

static void write_inputs(limn_ctx *ctx, const limn_job *job, const char *folder, float time)
{
    float times[64];
    for (int i = 0; i < 64; i++) times[i] = time;
    for (int i = 0; i < LIMN_PORTS; i++) {
        const limn_node *node = limn_port_node(job->ports, i);
        if (!node || node->op != LIMN_OP_INPUT) continue;
        if (i == LIMN_PORT_TIMESTEPS) must(ctx, limn_run_write(job->run, node, LIMN_F32, times));
        else if (i == LIMN_PORT_STEP) must(ctx, limn_run_write(job->run, node, LIMN_I32, &(int32_t){0}));
        else write_input(ctx, job->run, node, folder, limn_port_rows[i].name);
    }
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
    if (argc != 9) return fprintf(stderr, "usage: forward WEIGHTS f32|bf16 BATCH HEIGHT WIDTH TOKENS TIME FOLDER\n"), 2;
    limn_ctx *ctx = limn_ctx_new();
    limn_weight_file *st;
    limn_settings settings;
    limn_source *source;
    limn_net *net;
    limn_job job = {0};
    limn_net_shape shape = {.batch = atoi(argv[3]), .n_times = 1, .height = atoi(argv[4]), .width = atoi(argv[5]),
                            .text_length = atoi(argv[6]),
                            .precision = strcmp(argv[2], "bf16") ? LIMN_PRECISION_F32 : LIMN_PRECISION_BF16};
    char file[1100];
    double begin = now();
    must(ctx, limn_map_file(ctx, argv[1], file));
    must(ctx, limn_weight_file_open(ctx, file, &st));
    must(ctx, limn_net_settings_of(ctx, file, st, &settings));
    must(ctx, limn_map_source(ctx, file, st, &source));
    must(ctx, limn_net_new(ctx, &settings, source, file, &net));
    must(ctx, limn_job_begin(ctx, net, &shape, 0, &job));
    double loaded = now();
    write_inputs(ctx, &job, argv[8], (float)atof(argv[7]));
    must(ctx, limn_run_execute(job.run));
    double done = now();
    size_t n = (size_t)limn_node_count(job.ports->output);
    float *x = malloc(n * sizeof *x);
    must(ctx, limn_job_output(ctx, &job, job.ports->output, "", x));
    FILE *f = open_in(argv[8], "output", "wb");
    if (fwrite(x, sizeof *x, n, f) != n || fclose(f)) return perror("output"), 2;
    printf("weights %.1f s, forward %.2f s\n", loaded - begin, done - loaded);
    free(x);
    limn_job_end(&job);
    limn_net_free(net);
    limn_weight_file_close(st);
    limn_ctx_free(ctx);
    return 0;
}
