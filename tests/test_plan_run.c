/* test_plan_run.c: a run keeps to the plan: no allocation, and no more memory than was said before it.
 *   test_plan_run --peak inference|training   prints the planned peak and by how much the resident memory grew */
#include "model/model.h"
#include "plan/plan.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/rng.h"

#if defined(__SANITIZE_ADDRESS__)
#define OWN_HEAP false /* the sanitizer owns the heap, and its shadow counts as resident */
#else
#define OWN_HEAP true
#endif

/* ---- a heap that counts ----------------------------------------------------------------------------------------------- */

static _Atomic int n_allocations;

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)
/* Takes the place of glibc's in this program.  OpenMP makes its teams with memalign, which is left alone. */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t n, size_t bytes);
void *__libc_realloc(void *p, size_t bytes);

void *malloc(size_t bytes)
{
    n_allocations++;
    return __libc_malloc(bytes);
}

void *calloc(size_t n, size_t bytes)
{
    n_allocations++;
    return __libc_calloc(n, bytes);
}

void *realloc(void *p, size_t bytes)
{
    n_allocations++;
    return __libc_realloc(p, bytes);
}
#endif

/* ---- a network in training -------------------------------------------------------------------------------------------- */

typedef struct job {
    limn_graph *g;
    limn_ports ports;
    limn_node *output[512];
    int n_outputs;
    limn_plan *plan;
    limn_run *run;
    float *image, *weights[512];
} job;

static limn_status job_open(job *j, limn_ctx *ctx, const char *text, int batch, bool training,
                            const limn_plan_options *options)
{
    limn_settings s;
    limn_status status = limn_settings_parse(ctx, text, &s);
    j->g = limn_graph_new(ctx);
    if (status == LIMN_OK)
        status = limn_model_build(j->g, &s, (limn_build){.batch = batch, .n_steps = training ? 0 : 4}, &j->ports);
    if (status != LIMN_OK) return status;
    j->output[j->n_outputs++] = training ? limn_mean(limn_square(limn_widen(j->ports.output))) : j->ports.output;
    limn_node *grads[512];
    int n = j->g->n_parameters;
    if (training) status = limn_grad(j->g, j->output[0], n, j->g->parameters, grads);
    for (int i = 0; i < n && training && status == LIMN_OK; i++)
        if (grads[i]) j->output[j->n_outputs++] = grads[i];
    if (status == LIMN_OK) status = limn_plan_new(j->g, j->n_outputs, j->output, options, &j->plan);
    if (status == LIMN_OK) status = limn_run_new(j->plan, &j->run);
    j->image = malloc((size_t)limn_node_count(j->ports.image) * sizeof *j->image);
    limn_random_normal(4, LIMN_STREAM_TEST, 0, 0, (size_t)limn_node_count(j->ports.image), j->image);
    for (int i = 0; i < n && status == LIMN_OK; i++) {
        size_t count = (size_t)limn_node_count(j->g->parameters[i]);
        j->weights[i] = limn_alloc_aligned(count * sizeof(float));
        limn_random_normal(3, LIMN_STREAM_TEST, (uint64_t)i, 0, count, j->weights[i]);
        status = limn_run_bind(j->run, j->g->parameters[i], LIMN_F32, j->weights[i]);
    }
    return status;
}

static limn_status job_run(job *j)
{
    float times[256];
    if (limn_node_count(j->ports.timesteps) > 256) return LIMN_NO_MEMORY;
    for (int i = 0; i < 256; i++) times[i] = (float)(i * 10);
    limn_status status = limn_run_write(j->run, j->ports.image, LIMN_F32, j->image);
    if (status == LIMN_OK) status = limn_run_write(j->run, j->ports.timesteps, LIMN_F32, times);
    if (status == LIMN_OK && j->ports.step) status = limn_run_write(j->run, j->ports.step, LIMN_I32, &(int32_t){1});
    if (status != LIMN_OK) return status;
    for (int i = 0; i < j->g->n_parameters; i++) limn_run_touch(j->run, j->g->parameters[i]);
    return limn_run_execute(j->run);
}

static void job_close(job *j)
{
    limn_run_free(j->run);
    limn_plan_free(j->plan);
    free(j->image);
    for (int i = 0; i < j->g->n_parameters; i++) limn_free_aligned(j->weights[i]);
    limn_graph_free(j->g);
}

/* ---- no allocation ---------------------------------------------------------------------------------------------------- */

/* With the reference kernels: oneDNN allocates a little in every call, which is its own affair. */
static void a_run_allocates_nothing(void **state)
{
    (void)state;
    if (!OWN_HEAP) skip();
    limn_ctx *ctx = limn_ctx_new();
    limn_ctx_set_threads(ctx, 1);
    job j = {0};
    limn_plan_options options = {
        .precision = LIMN_PRECISION_F32, .training = true, .backend = "ref", .recompute = "blocks."};
    assert_int_equal(job_open(&j, ctx,
                              "dit size=4 channels=3 patch=2 width=8 depth=2 heads=2 mlp=12 conditioning=modulated norm=pre",
                              2, true, &options),
                     LIMN_OK);
    assert_true(n_allocations > 0); /* the count works */
    assert_int_equal(job_run(&j), LIMN_OK); /* the first run makes the slab */
    int before = n_allocations;
    assert_int_equal(job_run(&j), LIMN_OK);
    assert_int_equal(n_allocations, before);
    job_close(&j);
    limn_ctx_free(ctx);
}

/* ---- the peak --------------------------------------------------------------------------------------------------------- */

static long status_kb(const char *key)
{
    char line[256];
    long kb = -1;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, key, strlen(key)) == 0) kb = strtol(line + strlen(key), NULL, 10);
    if (f) fclose(f);
    return kb;
}

/* Much memory for little work: few features, many pictures. */
static int print_peak(const char *what)
{
    bool training = strcmp(what, "inference") != 0;
    limn_ctx *ctx = limn_ctx_new();
    job j = {0};
    limn_plan_options options = {
        .precision = LIMN_PRECISION_F32, .training = training, .recompute = strcmp(what, "recompute") ? NULL : "blocks."};
    int batch = training ? 32 : 192;
    if (job_open(&j, ctx, "dit size=16 channels=4 patch=1 width=64 depth=4 heads=1 mlp=256", batch, training, &options) !=
        LIMN_OK)
        return 1;
    limn_plan_size size = limn_plan_sizes(j.plan);
    long before = status_kb("VmRSS:");
    if (job_run(&j) != LIMN_OK) return 1;
    printf("%zu %ld\n", size.activation_bytes + size.scratch_bytes + size.packed_bytes,
           (status_kb("VmHWM:") - before) * 1024);
    job_close(&j);
    limn_ctx_free(ctx);
    return 0;
}

/* In a child of its own, since the highest mark of a process never falls. */
static void resident_memory_keeps_to_the_planned_peak(void **state)
{
    (void)state;
    char self[PATH_MAX] = "", command[PATH_MAX + 64];
    if (!OWN_HEAP || status_kb("VmHWM:") < 0 || readlink("/proc/self/exe", self, sizeof self - 1) < 0) skip();
    static const char *const cases[] = {"inference", "training", "recompute"};
    double planned[3], grown[3];
    for (int i = 0; i < 3; i++) {
        snprintf(command, sizeof command, "'%s' --peak %s", self, cases[i]);
        FILE *child = popen(command, "r");
        assert_non_null(child);
        assert_int_equal(fscanf(child, "%lf %lf", &planned[i], &grown[i]), 2);
        assert_int_equal(pclose(child), 0);
        print_message("%s: planned %.1f MB, grown %.1f MB\n", cases[i], planned[i] * 1e-6, grown[i] * 1e-6);
        assert_true(grown[i] <= planned[i] + 64e6);
        assert_true(grown[i] >= 0.9 * planned[i]); /* and the plan asks for no more than it uses */
    }
    assert_true(planned[1] > 128e6); /* twice what is allowed on top: the check can fail */
    assert_true(grown[2] < grown[1] / 2);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--peak") == 0) return print_peak(argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_allocates_nothing),
        cmocka_unit_test(resident_memory_keeps_to_the_planned_peak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
