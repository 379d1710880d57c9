/* pixart_forward.c: one forward pass of a denoiser whose weights a file holds, on numbers from files.
 *
 * usage: forward WEIGHTS f32|bf16 BATCH HEIGHT WIDTH TOKENS TIMESTEP FOLDER
 *
 * FOLDER/NAME.f32 is read for each input of the network by the name of its port (image, features, mask, resolution ...), and
 * FOLDER/output.f32 written: f32, as they lie in memory, pictures [B,H,W,C].  Built by the scripts that use it. */
#include "model/map/map.h"
#include "net/open.h"
#include "net/ports.h"
#include "plan/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void must(limn_ctx *ctx, limn_status status)
{
    if (status == LIMN_OK) return;
    fprintf(stderr, "forward: %s\n", limn_error_text(ctx));
    exit(1);
}

static FILE *file_of(const char *folder, const char *name, const char *mode)
{
    char path[1200];
    snprintf(path, sizeof path, "%s/%s.f32", folder, name);
    FILE *f = fopen(path, mode);
    if (!f) perror(path), exit(1);
    return f;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void write_inputs(limn_ctx *ctx, limn_run *run, const limn_ports *ports, const char *folder, float timestep)
{
    float times[64];
    for (int i = 0; i < 64; i++) times[i] = timestep;
    for (int i = 0; i < LIMN_PORTS; i++) {
        const limn_node *node = limn_port_node(ports, i);
        if (!node || node->op != LIMN_OP_INPUT) continue;
        if (i == LIMN_PORT_TIMESTEPS) must(ctx, limn_run_write(run, node, LIMN_F32, times));
        else if (i == LIMN_PORT_STEP) must(ctx, limn_run_write(run, node, LIMN_I32, &(int32_t){0}));
        else {
            size_t n = (size_t)limn_node_count(node);
            float *x = malloc(n * sizeof *x);
            FILE *f = file_of(folder, limn_port_rows[i].name, "rb");
            if (!x || fread(x, sizeof *x, n, f) != n) fprintf(stderr, "forward: %s is short\n", limn_port_rows[i].name), exit(1);
            fclose(f);
            must(ctx, limn_run_write(run, node, LIMN_F32, x));
            free(x);
        }
    }
}

int main(int argc, char **argv)
{
    if (argc != 9) return fputs("usage: forward WEIGHTS f32|bf16 BATCH HEIGHT WIDTH TOKENS TIMESTEP FOLDER\n", stderr), 2;
    limn_ctx *ctx = limn_ctx_new();
    limn_build b = {.batch = atoi(argv[3]), .n_steps = 8, .height = atoi(argv[4]), .width = atoi(argv[5]),
                    .text_length = atoi(argv[6])};
    limn_weight_file *st;
    limn_settings s;
    limn_ports ports;
    limn_plan *plan;
    limn_run *run;
    limn_source *source;
    limn_store *store;
    limn_graph *g = limn_graph_new(ctx);
    char path[1100], text[LIMN_SETTINGS_BYTES];
    must(ctx, limn_map_file(ctx, argv[1], path));
    must(ctx, limn_weight_file_open(ctx, path, &st));
    must(ctx, limn_net_settings_of(ctx, path, st, &s));
    printf("%s\n", limn_settings_text(&s, text));
    must(ctx, limn_model_build(g, &s, b, &ports));
    limn_plan_options o = {.precision = strcmp(argv[2], "bf16") ? LIMN_PRECISION_F32 : LIMN_PRECISION_BF16};
    must(ctx, limn_map_source(ctx, path, st, &source));
    must(ctx, limn_plan_new_from(ctx, g, 1, &ports.output, &o, source, &plan));
    must(ctx, limn_store_new(ctx, limn_alloc_aligned, limn_free_aligned, &store));
    must(ctx, limn_plan_make_constants(ctx, plan, store));
    must(ctx, limn_run_new_with(ctx, plan, store, &run));
    write_inputs(ctx, run, &ports, argv[8], (float)atof(argv[7]));
    double begin = now();
    must(ctx, limn_run_execute(run));
    printf("%.1f s\n", now() - begin);
    size_t n = (size_t)limn_node_count(ports.output);
    float *out = malloc(n * sizeof *out);
    FILE *f = file_of(argv[8], "output", "wb");
    must(ctx, limn_run_read(run, ports.output, LIMN_F32, out));
    if (!out || fwrite(out, sizeof *out, n, f) != n || fclose(f)) return perror("output"), 1;
    return 0;
}
