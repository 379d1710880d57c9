/* test_unet.c: U-Nets block by block, ten losses of their training and what they say afterwards against PyTorch
 * (oracle/unet_vectors.py). */
#include "formula.h"
#include "graph/node.h"
#include "train/optimizer.h"
#include "train/step_graph.h"
#include "train/weights.h"
#include "vectors/unet.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

enum { N = sizeof unets / sizeof *unets };

static void set_weights(const limn_weights *w)
{
    for (int p = 0; p < w->n; p++)
        if (!w->node[p]->init.frozen) formula_weight(w->node[p]->name, limn_node_count(w->node[p]), w->value + w->begin[p]);
}

static void bind_weights(limn_run *run, const limn_weights *w, const limn_weights *of)
{
    for (int p = 0, q = 0; p < w->n; p++, q = 0) {
        while (strcmp(of->node[q]->name, w->node[p]->name)) q++;
        assert_int_equal(limn_run_bind(run, w->node[p], LIMN_F32, of->value + of->begin[q]), LIMN_OK);
    }
}

static limn_node *last_of(const limn_graph *g, const char *path)
{
    for (int i = g->n_nodes - 1; i >= 0; i--)
        for (const limn_scope *scope = g->nodes[i]->scope; scope; scope = scope->parent)
            if (!strcmp(scope->path, path)) return g->nodes[i];
    fail_msg("no scope \"%s\"", path);
    return NULL;
}

static void compare(limn_run *run, limn_node *node, const double *want, const char *what, const char *name)
{
    int64_t n = limn_node_count(node);
    double *x = malloc((size_t)n * sizeof *x), size = 0, worst = 0;
    assert_int_equal(limn_run_read(run, node, LIMN_F64, x), LIMN_OK);
    for (int64_t i = 0; i < n; i++) size = fmax(size, fabs(x[i]));
    for (int i = 0; i < 16; i++) worst = fmax(worst, fabs(x[i * (n - 1) / 15] - want[i]));
    free(x);
    /* 2^-24 a rounding, sums of up to 300 products, a dozen layers */
    if (!(worst <= 2e-5 * size)) fail_msg("%s: %s is %g of its size away from PyTorch", what, name, worst / size);
}

/* The network that runs, with the weights of another graph; afterwards NULL compares blocks, else the logits alone. */
static void run_network(limn_ctx *ctx, const unet_vectors *v, const limn_weights *weights, const double *afterwards)
{
    limn_settings s;
    limn_ports ports;
    limn_plan *plan;
    limn_run *run = NULL;
    limn_node *outputs[8];
    limn_graph *g = limn_graph_new(ctx);
    assert_int_equal(limn_settings_parse(ctx, v->settings, &s), LIMN_OK);
    assert_int_equal(limn_model_build(g, &s, (limn_build){.batch = 2, .n_steps = 1}, &ports), LIMN_OK);
    int n = afterwards ? 1 : v->n;
    for (int i = 0; i < n; i++) outputs[i] = afterwards ? ports.output : last_of(g, v->block[i].scope);
    limn_plan_options options = {.precision = LIMN_PRECISION_F32};
    if (limn_plan_new(g, n, outputs, &options, &plan) != LIMN_OK || limn_run_new(plan, &run) != LIMN_OK)
        fail_msg("%s: %s", v->settings, limn_error_text(ctx));
    bind_weights(run, &(limn_weights){.n = g->n_parameters, .node = g->parameters}, weights);
    formula_write(run, ports.image, "input.image");
    assert_int_equal(limn_run_execute(run), LIMN_OK);
    for (int i = 0; i < n; i++)
        compare(run, outputs[i], afterwards ? afterwards : v->block[i].value, v->settings,
                afterwards ? "the network after training" : v->block[i].scope);
    limn_run_free(run);
    limn_plan_free(plan);
    limn_graph_free(g);
}

static void set_batch(limn_run *run, const limn_step_graph *net, int step)
{
    char name[32];
    snprintf(name, sizeof name, "input.image.%d", step);
    formula_write(run, net->ports.image, name);
    int64_t n = limn_node_count(net->segment.target), k = limn_node_shape(net->ports.output).dim[3];
    int32_t *target = malloc((size_t)n * sizeof *target);
    for (int64_t i = 0; i < n; i++) target[i] = (int32_t)((7 * i + step) % k);
    limn_run_write(run, net->segment.target, LIMN_I32, target);
    free(target);
}

static void ten_losses(limn_ctx *ctx, const unet_vectors *v)
{
    limn_step_options o = {.batch = 2, .segment = limn_segment_loss_defaults(2)};
    limn_step_graph net;
    limn_plan *plan;
    limn_run *run;
    limn_weights w;
    assert_int_equal(limn_settings_parse(ctx, v->settings, &o.settings), LIMN_OK);
    o.segment.classes = limn_model_interface(&o.settings).classes;
    if (limn_step_graph_build(ctx, &o, &net) != LIMN_OK) fail_msg("%s: %s", v->settings, limn_error_text(ctx));
    assert_int_equal(limn_step_graph_plan(&net, &(limn_plan_options){.precision = LIMN_PRECISION_F32}, &plan), LIMN_OK);
    assert_int_equal(limn_run_new(plan, &run), LIMN_OK);
    assert_int_equal(limn_weights_new(ctx, net.g, 0, &w), LIMN_OK);
    set_weights(&w);
    float *state[5];
    for (int k = 0; k < 5; k++) state[k] = calloc(w.count + 16, sizeof(float)); /* gradient, m, v, EMA, statistics */
    uint8_t *decay = calloc(w.count, 1);
    for (int p = 0; p < w.n; p++) {
        if (w.node[p]->shape.rank > 1) memset(decay + w.begin[p], 1, (size_t)limn_node_count(w.node[p]));
        for (int i = 1; i < net.n; i++)
            if (net.of[i] == w.node[p]) limn_run_bind(run, net.outputs[i], LIMN_F32, state[0] + w.begin[p]);
    }
    bind_weights(run, &w, &w);
    float *statistics = state[4];
    for (int i = 0; i < net.n_running; statistics += limn_node_count(net.outputs[net.n + i++]))
        assert_int_equal(limn_run_bind(run, net.outputs[net.n + i], LIMN_F32, statistics), LIMN_OK);
    run_network(ctx, v, &w, NULL);
    assert_int_equal(limn_segment_constants(run, &o.segment, &net.segment), LIMN_OK);
    for (int step = 0; step < 10; step++) {
        double loss;
        set_batch(run, &net, step);
        for (int p = 0; p < w.n; p++) limn_run_touch(run, w.node[p]);
        assert_int_equal(limn_run_execute(run), LIMN_OK);
        assert_int_equal(limn_run_read(run, net.loss, LIMN_F64, &loss), LIMN_OK);
        if (!(fabs(loss - v->loss[step]) <= 1e-4 * v->loss[step]))
            fail_msg("%s: step %d: PyTorch loses %.9g, found %.9g", v->settings, step, v->loss[step], loss);
        assert_int_equal(limn_weights_follow(ctx, &w, net.g, state[4]), LIMN_OK);
        limn_adamw adamw = {.lr = 1e-2, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .weight_decay = 0.01, .clip = 1};
        limn_adamw_step(&adamw, step + 1, limn_gradient_norm(state[0], w.count, 2), w.count, w.value, state[0], state[1],
                        state[2], state[3], decay, 2);
    }
    bool running = net.n_running > 0;
    if (running) run_network(ctx, v, &w, v->after);
    limn_run_free(run);
    limn_plan_free(plan);
    limn_step_graph_free(&net);
    limn_weights_free(&w);
    for (int k = 0; k < 5; k++) free(state[k]);
    free(decay);
}

static void blocks_and_ten_losses_are_pytorchs(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_ctx_set_threads(ctx, 2);
    for (int i = 0; i < N; i++) ten_losses(ctx, &unets[i]);
    limn_ctx_free(ctx);
}

/* Of the U-Net drawing: every size that is printed beside it. */
static void the_drawing_has_its_shapes(void **state)
{
    (void)state;
    static const struct { const char *scope; int64_t size, channels;
    } drawing[] = {{"inc", 512, 64},  {"down1", 256, 128}, {"down2", 128, 256}, {"down3", 64, 512},
                   {"up1", 128, 256}, {"up2", 256, 128},   {"up3", 512, 64},    {"outc", 512, 2}};
    limn_ctx *ctx = limn_ctx_new();
    limn_settings s;
    limn_ports ports;
    limn_graph *g = limn_graph_new(ctx);
    assert_int_equal(limn_settings_find(ctx, "unet", &s), LIMN_OK);
    assert_int_equal(limn_model_build(g, &s, (limn_build){.batch = 1, .n_steps = 1}, &ports), LIMN_OK);
    for (size_t i = 0; i < sizeof drawing / sizeof *drawing; i++) {
        limn_shape want = LIMN_SHAPE(1, drawing[i].size, drawing[i].size, drawing[i].channels),
                   found = limn_node_shape(last_of(g, drawing[i].scope));
        assert_true(limn_shape_equal(&want, &found));
    }
    limn_graph_free(g);
    g = limn_graph_new(ctx);
    assert_int_equal(limn_settings_find(ctx, "unet-2015", &s), LIMN_OK);
    assert_int_equal(limn_model_build(g, &s, (limn_build){.batch = 1, .n_steps = 1}, &ports), LIMN_OK);
    assert_int_equal(limn_node_shape(ports.output).dim[1], 388); /* Ronneberger et al. 2015, fig. 1 */
    limn_graph_free(g);
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_and_ten_losses_are_pytorchs),
        cmocka_unit_test(the_drawing_has_its_shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
