/* test_net.c: a network that is ready to run: another batch, size, number of steps or a second job reads and packs no weight
 * again; two threads share one store; a job can be stopped from outside; the caller's thread is left as it was. */
#include "net/net.h"
#include "base/rng.h"
#include "control.h"
#include "graph/node.h"
#include "make_network.h"
#include "plan/plan.h"

#include <math.h>
#include <omp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define NET "dit size=16 channels=3 patch=4 width=64 depth=3 heads=2 mlp=128 classes=3 conditioning=modulated norm=pre"

/* Layers that start at zero would hide all before them. */
static void start_last_layer(const limn_node *parameter, float *values)
{
    if (strcmp(limn_node_name(parameter), "final_layer.linear.weight") == 0)
        limn_random_normal(5, LIMN_STREAM_TEST, 1, 0, (size_t)limn_node_count(parameter), values);
}

/* A folder with random weights of a network. */
static void write_model(limn_ctx *ctx, const char *folder, const char *net)
{
    static const char *const metadata[][2] = {{"limn.schedule", "flow"}, {"limn.prediction", "flow"}};
    char path[256];
    mkdir(folder, 0777);
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    if (!make_network_with(ctx, path, net, start_last_layer, 2, metadata)) fail_msg("%s", limn_error_text(ctx));
}

static limn_pipeline *open_model(limn_ctx *ctx)
{
    limn_pipeline *p;
    write_model(ctx, "net-dit", NET);
    if (limn_pipeline_open(ctx, "net-dit", &p) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    return p;
}

static limn_generate_options options_of(int n, int steps, double guidance)
{
    limn_generate_options o = limn_generate_defaults();
    o.n = n, o.steps = steps, o.guidance = guidance, o.label = 1, o.precision = LIMN_PRECISION_F32;
    return o;
}

static limn_image draw(limn_ctx *ctx, limn_pipeline *p, limn_generate_options o)
{
    limn_image images[8];
    if (limn_generate(p, &o, images) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    for (int i = 1; i < o.n; i++) limn_image_free(&images[i]);
    return images[0];
}

static size_t work_of(const limn_ctx *ctx)
{
    limn_counters c = limn_ctx_counters(ctx);
    return c.bytes_read + c.bytes_packed;
}

static void check_counters(limn_precision precision)
{
    limn_ctx *ctx = limn_ctx_new(), *other = limn_ctx_new();
    limn_pipeline *p = open_model(ctx), *q;
    static const struct {
        int n, steps;
        double guidance;
    } calls[] = {{1, 21, 3}, {1, 60, 3}, {3, 20, 3}, {1, 20, 1}, {2, 4, 1}, {5, 20, 3}, {7, 20, 3}, {1, 20, 3}};
    limn_generate_options o = options_of(1, 20, 3);
    o.precision = precision;
    limn_image first = draw(ctx, p, o);
    size_t once = work_of(ctx);
    assert_true(once > 100000);
    for (size_t i = 0; i < sizeof calls / sizeof *calls;
         i++) { /* more shapes than are kept: the last one's plan was forgotten */
        o.n = calls[i].n, o.steps = calls[i].steps, o.guidance = calls[i].guidance;
        limn_image again = draw(ctx, p, o);
        if (calls[i].n == 1 && calls[i].steps == 20 && calls[i].guidance == 3)
            assert_memory_equal(first.pixels, again.pixels, 16 * 16 * 3);
        limn_image_free(&again);
        assert_int_equal(work_of(ctx), once);
    }
    assert_int_equal(limn_pipeline_share(other, p, &q), LIMN_OK);
    limn_image shared = draw(other, q, o);
    assert_memory_equal(first.pixels, shared.pixels, 16 * 16 * 3);
    assert_int_equal(work_of(other), 0);
    limn_image_free(&first);
    limn_image_free(&shared);
    limn_pipeline_free(q);
    limn_pipeline_free(p);
    limn_ctx_free(other);
    limn_ctx_free(ctx);
}

static void another_shape_reads_and_packs_nothing(void **state)
{
    (void)state;
    check_counters(LIMN_PRECISION_F32);
    check_counters(LIMN_PRECISION_BF16);
}

/* ---- two threads ------------------------------------------------------------------------------------------------------ */

enum { ROUNDS = 6 };

typedef struct thread_job {
    const limn_pipeline *p;
    int id;
    limn_image images[ROUNDS];
    limn_status status;
} thread_job;

static void *draw_on_a_thread(void *user)
{
    thread_job *j = user;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p;
    limn_ctx_set_threads(ctx, 1);
    j->status = limn_pipeline_share(ctx, j->p, &p);
    for (int i = 0; i < ROUNDS && j->status == LIMN_OK; i++) { /* both change batch and steps, at their own pace */
        limn_generate_options o = options_of(1 + (i + j->id) % 3, 4 + 9 * ((i + j->id) % 2), 3);
        limn_image made[3];
        o.seed = 100;
        j->status = limn_generate(p, &o, made);
        if (j->status != LIMN_OK) break;
        for (int k = 1; k < o.n; k++) limn_image_free(&made[k]);
        j->images[i] = made[0];
    }
    if (p) limn_pipeline_free(p);
    limn_ctx_free(ctx);
    return NULL;
}

static void two_threads_share_one_store(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_ctx_set_threads(ctx, 1);
    limn_pipeline *p = open_model(ctx);
    thread_job jobs[2] = {{.p = p, .id = 0}, {.p = p, .id = 1}};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) assert_int_equal(pthread_create(&threads[i], NULL, draw_on_a_thread, &jobs[i]), 0);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < ROUNDS; k++) {
            assert_int_equal(jobs[i].status, LIMN_OK);
            limn_generate_options o = options_of(1 + (k + i) % 3, 4 + 9 * ((k + i) % 2), 3);
            o.seed = 100;
            limn_image alone = draw(ctx, p, o);
            assert_memory_equal(alone.pixels, jobs[i].images[k].pixels, 16 * 16 * 3);
            limn_image_free(&alone);
            limn_image_free(&jobs[i].images[k]);
        }
    assert_int_equal(work_of(ctx), 0); /* the threads had brought all there is */
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* ---- memory of nets --------------------------------------------------------------------------------------------------- */

static limn_net *net_of(limn_ctx *ctx, const char *text, limn_dtype dtype)
{
    limn_settings s;
    limn_source *source;
    limn_net *net;
    assert_int_equal(limn_settings_parse(ctx, text, &s), LIMN_OK);
    assert_int_equal(limn_source_started(ctx, dtype, 3, &source), LIMN_OK);
    assert_int_equal(limn_net_new(ctx, &s, source, NULL, &net), LIMN_OK);
    return net;
}

/* ---- pictures that are not square ------------------------------------------------------------------------------------- */

/* 2 x 8 patches of a model for 4 x 4: as many places.  @return the prediction, [1,H,W,C] */
static float *predict(limn_ctx *ctx, limn_net *net, int height, int width)
{
    limn_job job = {0};
    limn_net_shape shape = {.batch = 1, .n_times = 1, .height = height, .width = width, .precision = LIMN_PRECISION_F32};
    if (limn_job_begin(ctx, net, &shape, 0, &job) != LIMN_OK) return NULL;
    size_t n = (size_t)height * (size_t)width * 3;
    float *x = calloc(n, sizeof *x), times[8] = {500};
    for (size_t i = 0; i < n; i++) x[i] = (float)(i % 7) - 3;
    limn_run_write(job.run, job.ports->image, LIMN_F32, x);
    limn_run_write(job.run, job.ports->timesteps, LIMN_F32, times);
    limn_run_write(job.run, job.ports->step, LIMN_I32, (int32_t[]){0});
    if (job.ports->label) limn_run_write(job.run, job.ports->label, LIMN_I32, (int32_t[]){1});
    assert_int_equal(limn_run_execute(job.run), LIMN_OK);
    assert_int_equal(limn_job_output(ctx, &job, job.ports->output, "here", x), LIMN_OK);
    limn_job_end(&job);
    return x;
}

static limn_net *net_of_file(limn_ctx *ctx, const char *text, const char *path, limn_weight_file **st)
{
    limn_settings s;
    limn_source *source;
    limn_net *net;
    assert_int_equal(limn_settings_parse(ctx, text, &s), LIMN_OK);
    assert_int_equal(limn_weight_file_open(ctx, path, st), LIMN_OK);
    assert_int_equal(limn_source_file(ctx, path, *st, "", &source), LIMN_OK);
    assert_int_equal(limn_net_new(ctx, &s, source, path, &net), LIMN_OK);
    return net;
}

/* Changes one number of the table of places in a file of ours. */
static void spoil_places(limn_ctx *ctx, const char *path)
{
    limn_weight_file *st;
    assert_int_equal(limn_weight_file_open(ctx, path, &st), LIMN_OK);
    float x[16 * 64];
    assert_int_equal(limn_weight_file_load(ctx, st, limn_weight_file_find(st, "pos_embed"), x, LIMN_F32), LIMN_OK);
    limn_weight_file_close(st);
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    static char bytes[1 << 20];
    size_t n = fread(bytes, 1, sizeof bytes, f), at = 0;
    while (at + sizeof x <= n && memcmp(bytes + at, x, sizeof x) != 0) at++;
    assert_true(at + sizeof x <= n);
    x[77] += 0.1f;
    fseek(f, (long)at, SEEK_SET);
    fwrite(x, sizeof x, 1, f);
    fclose(f);
}

#define PLACED "dit size=16 channels=3 patch=4 width=64 depth=1 heads=2 mlp=64 time_width=16"

/* A fixed table is worked out for the sides of the picture: neither the file's nor that of another picture with as many
 * places is taken. */
static void fixed_places_follow_the_picture(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_weight_file *st[3];
    write_model(ctx, "net-places", PLACED);
    limn_net *net = net_of_file(ctx, PLACED, "net-places/model.safetensors", &st[0]),
             *alone = net_of_file(ctx, PLACED, "net-places/model.safetensors", &st[1]);
    float *square = predict(ctx, net, 16, 16), *wide = predict(ctx, net, 8, 32), *high = predict(ctx, net, 32, 8),
          *larger = predict(ctx, net, 20, 28);
    float *expected = predict(ctx, alone, 32, 8);
    if (!square || !wide || !high || !larger || !expected) fail_msg("%s", limn_error_text(ctx));
    assert_memory_equal(high, expected, 32 * 8 * 3 * sizeof(float));
    free(square), free(wide), free(high), free(larger), free(expected);
    limn_net_free(net);
    limn_net_free(alone);
    limn_weight_file_close(st[0]);
    limn_weight_file_close(st[1]);
    spoil_places(ctx, "net-places/model.safetensors");
    net = net_of_file(ctx, PLACED, "net-places/model.safetensors", &st[2]);
    float *own = predict(ctx, net, 16, 16);
    assert_non_null(own);
    free(own);
    assert_null(predict(ctx, net, 8, 32));
    assert_non_null(
        strstr(limn_error_text(ctx),
               "pos_embed is a table of 16 places that follows no formula known here: it cannot be made for 2 x 8"));
    limn_net_free(net);
    limn_weight_file_close(st[2]);
    limn_ctx_free(ctx);
}

#define LEARNED "uvit size=16 channels=3 patch=4 width=32 depth=2 heads=2 mlp=32"

static void learned_places_hold_for_their_picture_alone(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_weight_file *st;
    write_model(ctx, "net-learned", LEARNED);
    limn_net *net = net_of_file(ctx, LEARNED, "net-learned/model.safetensors", &st);
    assert_null(predict(ctx, net, 8, 32));
    assert_non_null(strstr(limn_error_text(ctx), "8 rows of 32 pixels are as many as 16 x 16"));
    assert_null(predict(ctx, net, 16, 32));
    assert_non_null(strstr(limn_error_text(ctx), "pos_embed"));
    limn_net_free(net);
    limn_weight_file_close(st);
    limn_ctx_free(ctx);
}

/* What is measured is what is taken; another precision does not keep the weights of the one before. */
static void weights_are_kept_once_and_as_measured(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_net *net = net_of(ctx, NET, LIMN_F32);
    limn_net_shape shape = {.batch = 2, .n_times = 20, .precision = LIMN_PRECISION_F32};
    limn_net_size size;
    limn_job job = {0}, wide = {0};
    assert_int_equal(limn_net_measure(ctx, net, &shape, &size), LIMN_OK);
    assert_int_equal(limn_net_bytes(net), 0); /* only planned */
    assert_int_equal(limn_job_begin(ctx, net, &shape, 0, &job), LIMN_OK);
    size_t bytes = limn_net_bytes(net);
    assert_true(bytes <= size.weights && bytes > size.weights * 9 / 10);
    shape.batch = 8;
    assert_int_equal(limn_job_begin(ctx, net, &shape, 0, &wide), LIMN_OK);
    assert_int_equal(limn_net_bytes(net), bytes);
    limn_job_end(&job);
    limn_job_end(&wide);
    shape.precision = LIMN_PRECISION_BF16;
    assert_int_equal(limn_net_measure(ctx, net, &shape, &size), LIMN_OK);
    assert_int_equal(limn_job_begin(ctx, net, &shape, 0, &job), LIMN_OK);
    assert_true(limn_net_bytes(net) <= size.weights);
    limn_job_end(&job);
    limn_net_free(net);
    limn_ctx_free(ctx);
}

/* ---- stopping --------------------------------------------------------------------------------------------------------- */

static void *cancel_soon(void *user)
{
    usleep(20000);
    limn_ctx_cancel(user);
    return NULL;
}

static void a_job_is_stopped_between_its_steps(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = open_model(ctx);
    limn_generate_options o = options_of(1, 1000, 3);
    limn_image image;
    pthread_t thread;
    limn_ctx_cancel(ctx); /* while weights are made */
    assert_int_equal(limn_generate(p, &o, &image), LIMN_CANCELLED);
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, ctx), 0);
    o.n = 8;
    limn_image images[8];
    assert_int_equal(limn_generate(p, &o, images), LIMN_CANCELLED);
    pthread_join(thread, NULL);
    image = draw(ctx, p, options_of(1, 4, 3)); /* and goes on as if nothing had been */
    limn_image_free(&image);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* ---- the caller's thread ---------------------------------------------------------------------------------------------- */

static void the_process_is_left_as_it_was(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = open_model(ctx);
    omp_set_num_threads(3);
    limn_ctx_set_threads(ctx, 2);
    unsigned before = control_get() & ~(unsigned)CONTROL_EVENTS, within = 0;
    limn_image image = draw(ctx, p, options_of(1, 4, 3));
    assert_int_equal(control_get() & ~(unsigned)CONTROL_EVENTS, before);
#pragma omp parallel num_threads(2) reduction(| : within)
    within |= control_get() & CONTROL_FLUSH;
    assert_int_equal(within, 0);
    assert_int_equal(omp_get_max_threads(), 3);
    limn_image_free(&image);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

static void an_unknown_backend_is_refused_with_the_names_there_are(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_graph *g = limn_graph_new(ctx);
    limn_plan *plan;
    limn_node *y = limn_exp(limn_input(g, "x", LIMN_COMPUTE, LIMN_SHAPE(4), LIMN_PER_STEP));
    assert_int_equal(limn_plan_new(g, 1, &y, &(limn_plan_options){.backend = "cuda\x1b"}, &plan), LIMN_NOT_FOUND);
    assert_non_null(strstr(limn_error_text(ctx), "there are: cpu, cpu-portable, "));
    assert_non_null(strstr(limn_error_text(ctx), ", ref"));
    assert_non_null(strstr(limn_error_text(ctx), "cuda\\x1b"));
    limn_graph_free(g);
    limn_ctx_free(ctx);
}

/* The plan is made on any machine; it runs where the CPU has what it was made for, with those loops. */
static void a_plan_for_another_cpu_runs_where_it_can(void **state)
{
    static const struct {
        const char *backend, *flag;
    } cpus[] = {{"cpu-portable", NULL},
#if defined(__aarch64__)
                {"cpu-neon", NULL}};
#else
                {"cpu-avx2", " avx2 "},
                {"cpu-avx512", " avx512vl "},
                {"cpu-avx512bf16", " avx512_bf16 "},
                {"cpu-amx", " amx_bf16 "}};
#endif
    char flags[8192] = "";
    FILE *info = fopen("/proc/cpuinfo", "r");
    while (info && fgets(flags, sizeof flags, info) && strncmp(flags, "flags", 5) != 0) flags[0] = '\0';
    if (info) fclose(info);
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    for (size_t i = 0; i < sizeof cpus / sizeof *cpus; i++) {
        if (cpus[i].flag && !flags[0]) continue; /* a CPU of another family */
        limn_graph *g = limn_graph_new(ctx);
        limn_plan *plan;
        limn_run *run;
        float x[37], y[37];
        limn_node *in = limn_input(g, "x", LIMN_COMPUTE, LIMN_SHAPE(37), LIMN_PER_STEP), *out = limn_exp(in);
        for (int k = 0; k < 37; k++) x[k] = (float)k / 8 - 2;
        limn_plan_options options = {.precision = LIMN_PRECISION_F32, .backend = cpus[i].backend};
        assert_int_equal(limn_plan_new(g, 1, &out, &options, &plan), LIMN_OK);
        limn_status status = limn_run_new(plan, &run);
        if (cpus[i].flag && !strstr(flags, cpus[i].flag)) {
            assert_int_equal(status, LIMN_UNSUPPORTED);
            assert_non_null(strstr(limn_error_text(ctx), cpus[i].backend));
            assert_non_null(strstr(limn_error_text(ctx), "cannot run here: this CPU has no "));
        } else {
            assert_int_equal(status, LIMN_OK);
            limn_run_write(run, in, LIMN_F32, x);
            assert_int_equal(limn_run_execute(run), LIMN_OK);
            limn_run_read(run, out, LIMN_F32, y);
            for (int k = 0; k < 37; k++) assert_true(fabs(y[k] - exp(x[k])) <= 1e-6 * exp(x[k]));
            limn_run_free(run);
        }
        limn_plan_free(plan);
        limn_graph_free(g);
    }
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_for_another_cpu_runs_where_it_can),
        cmocka_unit_test(another_shape_reads_and_packs_nothing),
        cmocka_unit_test(two_threads_share_one_store),
        cmocka_unit_test(fixed_places_follow_the_picture),
        cmocka_unit_test(learned_places_hold_for_their_picture_alone),
        cmocka_unit_test(weights_are_kept_once_and_as_measured),
        cmocka_unit_test(a_job_is_stopped_between_its_steps),
        cmocka_unit_test(the_process_is_left_as_it_was),
        cmocka_unit_test(an_unknown_backend_is_refused_with_the_names_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
