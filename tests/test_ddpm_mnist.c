/* test_ddpm_mnist.c: the published U-Net for digits, read from its .pt file, finds the noise in MNIST's test digits as well
 * as it does in PyTorch.  Skipped where the data is not there. */
#include "denoise/noising.h"
#include "graph/node.h"
#include "model/map/map.h"
#include "model/model.h"
#include "plan/plan.h"
#include "net/open.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <cmocka.h>

#define DATA LIMN_SOURCE_DIR "/../shared/data/"
enum { DIGITS = 100, PIXELS = 28 * 28, TIMES = 6 };

/* The mean squared error of PyTorch over the first test digits, other noise: its spread over draws is below a tenth. */
static const struct {
    int t;
    double error;
} published[TIMES] = {{10, 0.152}, {50, 0.098}, {100, 0.071}, {300, 0.031}, {600, 0.008}, {900, 0.003}};

static bool read_digits(float *x)
{
    static unsigned char bytes[16 + DIGITS * PIXELS];
    gzFile file = gzopen(DATA "mnist/t10k-images-idx3-ubyte.gz", "rb");
    if (!file) return false;
    int n = gzread(file, bytes, sizeof bytes);
    gzclose(file);
    for (int i = 0; i < DIGITS * PIXELS; i++) x[i] = (float)bytes[16 + i] / 127.5f - 1;
    return n == (int)sizeof bytes;
}

typedef struct net {
    limn_ctx *ctx;
    limn_weight_file *st;
    limn_graph *g;
    limn_ports ports;
    limn_plan *plan;
    limn_run *run;
    limn_source *source;
    limn_store *store;
} net;

static void open_net(net *t, const char *file)
{
    limn_settings settings;
    t->ctx = limn_ctx_new();
    assert_int_equal(limn_weight_file_open(t->ctx, file, &t->st), LIMN_OK);
    assert_int_equal(limn_net_settings_of(t->ctx, file, t->st, &settings), LIMN_OK);
    assert_string_equal(settings.family->name, "ddpm-mnist");
    t->g = limn_graph_new(t->ctx);
    assert_int_equal(limn_model_build(t->g, &settings, (limn_build){.batch = DIGITS}, &t->ports), LIMN_OK);
    limn_plan_options options = {.precision = LIMN_PRECISION_F32};
    assert_int_equal(limn_map_source(t->ctx, file, t->st, &t->source), LIMN_OK);
    assert_int_equal(limn_store_new(t->ctx, limn_alloc_aligned, limn_free_aligned, &t->store), LIMN_OK);
    assert_int_equal(limn_plan_new_from(t->ctx, t->g, 1, &t->ports.output, &options, t->source, &t->plan), LIMN_OK);
    assert_int_equal(limn_plan_make_constants(t->ctx, t->plan, t->store), LIMN_OK);
    assert_int_equal(limn_run_new_with(t->ctx, t->plan, t->store, &t->run), LIMN_OK);
}

static void close_net(net *t)
{
    limn_run_free(t->run);
    limn_plan_free(t->plan);
    limn_graph_free(t->g);
    limn_store_free(t->store);
    limn_source_free(t->source);
    limn_weight_file_close(t->st);
    limn_ctx_free(t->ctx);
}

static double error_at(net *t, const limn_schedule *schedule, int time, const float *clean)
{
    float *x = malloc(DIGITS * PIXELS * sizeof *x), *noise = malloc(DIGITS * PIXELS * sizeof *noise), times[DIGITS];
    double sum = 0;
    limn_training_noise(7, (uint64_t)time, DIGITS * PIXELS, noise);
    limn_add_noise(schedule, LIMN_PREDICT_EPS, time, DIGITS * PIXELS, clean, noise, x, NULL);
    for (int i = 0; i < DIGITS; i++) times[i] = (float)time;
    assert_int_equal(limn_run_write(t->run, t->ports.image, LIMN_F32, x), LIMN_OK);
    assert_int_equal(limn_run_write(t->run, t->ports.timesteps, LIMN_F32, times), LIMN_OK);
    assert_int_equal(limn_run_execute(t->run), LIMN_OK);
    assert_int_equal(limn_run_read(t->run, t->ports.output, LIMN_F32, x), LIMN_OK);
    for (int i = 0; i < DIGITS * PIXELS; i++) sum += (x[i] - noise[i]) * (x[i] - noise[i]);
    free(x);
    free(noise);
    return sum / (DIGITS * PIXELS);
}

static void the_published_network_finds_the_noise(void **state)
{
    (void)state;
    static float clean[DIGITS * PIXELS];
    const char *file = DATA "weights/ddpm-mnist/ddpm_mnist.pt";
    if (access(file, R_OK) != 0 || !read_digits(clean)) {
        print_message("SKIPPED: no %s or no mnist beside it\n", file);
        skip();
    }
    net t = {0};
    limn_schedule *schedule;
    limn_schedule_options options = limn_schedule_defaults();
    open_net(&t, file);
    assert_int_equal(limn_schedule_new(t.ctx, &options, &schedule), LIMN_OK);
    for (int k = 0; k < TIMES; k++) {
        double error = error_at(&t, schedule, published[k].t, clean);
        print_message("t = %3d: %.4f, published %.3f\n", published[k].t, error, published[k].error);
        if (!(fabs(error - published[k].error) <= 0.1 * published[k].error + 0.0005))
            fail_msg("t = %d: %.4f, published %.3f", published[k].t, error, published[k].error);
    }
    limn_schedule_free(schedule);
    close_net(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_published_network_finds_the_noise)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
