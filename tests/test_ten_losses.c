/* test_ten_losses.c: ten steps of training lose what the same ten steps lose in PyTorch (oracle/ten_losses.py,
 * autoencoder_vectors.py): the trainer's step graph, AdamW and clipping on the CPU's kernels, in f32. */
#include "formula.h"
#include "denoise/enlarge.h"
#include "graph/node.h"
#include "train/optimizer.h"
#include "train/outer.h"
#include "train/step_graph.h"
#include "train/weights.h"
#include "vectors/autoencoder_losses.h"
#include "vectors/ten_losses.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "make_ranks.h"

typedef struct run {
    limn_ctx *ctx;
    limn_step_graph step;
    limn_plan *plan;
    limn_run *run;
    limn_weights weights;
    float *state[4]; /* gradient, m, v, EMA */
    uint8_t *decay;
    int enlarge;
} run;

static void open_run(run *r, const char *settings, limn_step_options options, int n_threads)
{
    options.batch = 2;
    r->ctx = limn_ctx_new();
    limn_ctx_set_threads(r->ctx, n_threads);
    assert_int_equal(limn_settings_parse(r->ctx, settings, &options.settings), LIMN_OK);
    r->enlarge = limn_model_interface(&options.settings).enlarge;
    limn_status status = limn_step_graph_build(r->ctx, &options, &r->step);
    limn_plan_options plan = {.precision = LIMN_PRECISION_F32};
    if (status == LIMN_OK) status = limn_step_graph_plan(&r->step, &plan, &r->plan);
    if (status == LIMN_OK) status = limn_run_new(r->plan, &r->run);
    if (status == LIMN_OK) status = limn_weights_new(r->ctx, r->step.g, 0, &r->weights);
    if (status != LIMN_OK) fail_msg("%s: %s", settings, limn_error_text(r->ctx));
    for (int k = 0; k < 4; k++) r->state[k] = calloc(r->weights.count, sizeof(float));
    r->decay = calloc(r->weights.count, 1);
    for (int p = 0; p < r->weights.n; p++) {
        limn_node *node = r->weights.node[p];
        float *at = r->weights.value + r->weights.begin[p];
        if (node->init.kind != LIMN_INIT_SINCOS_2D) {
            formula_weight(node->name, limn_node_count(node), at);
            if (node->shape.rank > 1 && !node->init.frozen)
                memset(r->decay + r->weights.begin[p], 1, (size_t)limn_node_count(node));
        }
        assert_int_equal(limn_run_bind(r->run, node, LIMN_F32, at), LIMN_OK);
        for (int i = 1; i < r->step.n; i++)
            if (r->step.of[i] == node)
                limn_run_bind(r->run, r->step.outputs[i], LIMN_F32, r->state[0] + r->weights.begin[p]);
    }
}

static void close_run(run *r)
{
    limn_run_free(r->run);
    limn_plan_free(r->plan);
    limn_step_graph_free(&r->step);
    limn_weights_free(&r->weights);
    for (int k = 0; k < 4; k++) free(r->state[k]);
    free(r->decay);
    limn_ctx_free(r->ctx);
}

/* x = (1 - s) x0 + s n,  target n - x0,  s = t / 1000 */
static void set_batch(run *r, int step)
{
    static const float times[2] = {100, 700};
    char clean_name[32], noise_name[32];
    int64_t n = limn_node_count(r->step.ports.image);
    float *clean = malloc((size_t)n * sizeof *clean), *noise = malloc((size_t)n * sizeof *noise);
    snprintf(clean_name, sizeof clean_name, "input.clean.%d", step);
    snprintf(noise_name, sizeof noise_name, "input.noise.%d", step);
    formula_fill(clean_name, n, 1, clean);
    formula_fill(noise_name, n, 1, noise);
    float *x = malloc((size_t)n * sizeof *x), *target = malloc((size_t)n * sizeof *target),
          *condition = malloc((size_t)n * sizeof *condition);
    for (int64_t i = 0; i < n; i++) {
        float s = times[i / (n / 2)] / 1000;
        x[i] = (1 - s) * clean[i] + s * noise[i];
        target[i] = noise[i] - clean[i];
    }
    if (r->step.ports.condition) {
        limn_shape s = limn_node_shape(r->step.ports.image);
        int side = (int)s.dim[1], channels = (int)s.dim[3], factor = r->enlarge;
        for (int b = 0; b < 2; b++)
            limn_enlarged(clean + b * n / 2, factor, side / factor, side / factor, channels, side, side,
                          condition + b * n / 2);
        limn_run_write(r->run, r->step.ports.condition, LIMN_F32, condition);
    }
    limn_run_write(r->run, r->step.ports.image, LIMN_F32, x);
    limn_run_write(r->run, r->step.target, LIMN_F32, target);
    float *all[] = {clean, noise, x, target, condition};
    for (int i = 0; i < 5; i++) free(all[i]);
    limn_run_write(r->run, r->step.ports.timesteps, LIMN_F32, times);
    limn_run_write(r->run, r->step.weight, LIMN_F32, (float[]){1, 1});
}

static void set_conditions(run *r)
{
    const limn_ports *ports = &r->step.ports;
    if (ports->label) limn_run_write(r->run, ports->label, LIMN_I32, (int32_t[]){1, 3});
    if (ports->features) {
        int64_t n = limn_node_count(ports->features);
        float *x = malloc((size_t)n * sizeof *x);
        formula_fill("input.features", n, 1, x);
        limn_run_write(r->run, ports->features, LIMN_F32, x);
        free(x);
    }
    if (ports->mask) limn_run_write(r->run, ports->mask, LIMN_F32, (float[]){1, 1, 1, 0, 1, 1, 0, 0});
    if (ports->resolution)
        limn_run_write(r->run, ports->resolution, LIMN_F32, (float[]){512, 768, 512 / 768.0f, 1024, 640, 1.6f});
    if (!ports->ids) return;
    int32_t ids[8];
    for (int i = 0; i < 8; i++) ids[i] = (i * 37 + 11) % 514;
    limn_run_write(r->run, ports->ids, LIMN_I32, ids);
    limn_run_write(r->run, ports->text_end, LIMN_I32, (int32_t[]){2, 7});
}

/* One step by AdamW.  @return its loss; NaN: it failed */
static double learn(run *r, int step)
{
    double loss = NAN;
    int n_threads = limn_ctx_threads(r->ctx);
    for (int p = 0; p < r->weights.n; p++) limn_run_touch(r->run, r->weights.node[p]);
    if (limn_run_execute(r->run) != LIMN_OK || limn_run_read(r->run, r->step.loss, LIMN_F64, &loss) != LIMN_OK) return NAN;
    limn_adamw adamw = {.lr = 1e-2, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .weight_decay = 0.01, .clip = 1};
    double norm = limn_gradient_norm(r->state[0], r->weights.count, n_threads);
    limn_adamw_step(&adamw, step + 1, norm, r->weights.count, r->weights.value, r->state[0], r->state[1], r->state[2],
                    r->state[3], r->decay, n_threads);
    return loss;
}

static void compare(const char *settings, int step, double wanted, double found, double tolerance)
{
    if (!(fabs(found - wanted) <= tolerance))
        fail_msg("%s: step %d: PyTorch loses %.9g, found %.9g", settings, step, wanted, found);
}

static void ten_losses_on(int n_threads)
{
    for (size_t k = 0; k < sizeof ten_losses / sizeof *ten_losses; k++) {
        run r = {0};
        open_run(&r, ten_losses[k].settings, (limn_step_options){0}, n_threads);
        set_conditions(&r);
        for (int step = 0; step < 10; step++) {
            set_batch(&r, step);
            double wanted = ten_losses[k].loss[step];
            compare(ten_losses[k].settings, step, wanted, learn(&r, step), 1e-4 * wanted);
        }
        close_run(&r);
    }
}

static void ten_losses_are_pytorchs(void **state)
{
    (void)state;
    ten_losses_on(1);
    ten_losses_on(2);
}

/* What goes into an autoencoder should come out. */
static void set_pictures(run *r, int step, bool judged)
{
    const limn_ports *ports = &r->step.ports;
    char name[32];
    snprintf(name, sizeof name, "input.clean.%d", step);
    formula_write(r->run, ports->image, name);
    formula_write(r->run, r->step.target, name);
    limn_run_write(r->run, r->step.weight, LIMN_F32, (float[]){1, 1});
    if (r->step.adversary.gate) limn_run_write(r->run, r->step.adversary.gate, LIMN_F32, (float[]){judged});
    if (!ports->noise) return;
    snprintf(name, sizeof name, "input.noise.%d", step);
    formula_write(r->run, ports->noise, name);
}

/* The loss with a discriminator goes through 0 as the two fight: distances are measured against its terms, which are of size
 * 1. */
static void ten_losses_of_autoencoders_are_pytorchs(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof autoencoder_training / sizeof *autoencoder_training; k++) {
        const autoencoder_losses *v = &autoencoder_training[k];
        run r = {0};
        open_run(
            &r, v->settings,
            (limn_step_options){.kl = v->kl, .differences = v->differences, .adversary = v->adversary, .freeze = v->freeze},
            2);
        for (int step = 0; step < 10; step++) {
            set_pictures(&r, step, step >= v->start);
            compare(v->settings, step, v->loss[step], learn(&r, step), 1e-4 * fmax(v->adversary != 0, fabs(v->loss[step])));
        }
        close_run(&r);
    }
}

/* One of two ranks. */
typedef struct own_way {
    run r;
    double loss[10];
} own_way;

static limn_status go_and_meet(limn_comm *comm, void *user)
{
    own_way *w = user;
    limn_outer outer;
    size_t n = w->r.weights.count;
    limn_status status = limn_outer_new(comm, n, false, &outer);
    if (status == LIMN_OK) memcpy(outer.from, w->r.weights.value, n * sizeof *outer.from);
    for (int step = 0; step < 10 && status == LIMN_OK; step++) {
        set_batch(&w->r, 2 * step + comm->rank);
        w->loss[step] = learn(&w->r, step);
        if ((step + 1) % INNER_STEPS == 0)
            status = limn_outer_step(&outer, n, w->r.weights.value, w->r.state[3], w->r.state[0]);
    }
    limn_outer_free(&outer);
    return status;
}

static void ten_losses_of_inner_steps_are_pytorchs(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof inner_losses / sizeof *inner_losses; k++) {
        own_way w[2] = {0};
        rank_thread r[2];
        for (int i = 0; i < 2; i++) {
            open_run(&w[i].r, inner_losses[k].settings, (limn_step_options){0}, 1);
            set_conditions(&w[i].r);
        }
        run_ranks(2, go_and_meet, (void *const[]){&w[0], &w[1]}, r);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(r[i].status, LIMN_OK);
            for (int step = 0; step < 10; step++)
                compare(inner_losses[k].settings, step, inner_losses[k].loss[i][step], w[i].loss[step],
                        1e-4 * inner_losses[k].loss[i][step]);
            close_run(&w[i].r);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ten_losses_are_pytorchs),
                                       cmocka_unit_test(ten_losses_of_autoencoders_are_pytorchs),
                                       cmocka_unit_test(ten_losses_of_inner_steps_are_pytorchs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
