/* test_networks.c: the networks put out what the same networks in PyTorch put out, block by block, and ten steps of training lose the same.
 * oracle/network_vectors.py wrote the numbers, after it checked itself against diffusers' DiT and SD3 and transformers' CLIP. */
#include "base/rng.h"
#include "graph/node.h"
#include "model/model.h"
#include "train/optimizer.h"
#include "vectors/networks.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { N_VECTORS = sizeof network_vectors / sizeof *network_vectors, MAX_OUTPUTS = 256 };

typedef struct net {
    limn_ctx *ctx;
    limn_graph *g;
    limn_ports ports;
    limn_node *target, *loss, *block[2], *of[MAX_OUTPUTS];
    limn_plan *plan;
    limn_dtype wide;
    size_t begin[MAX_OUTPUTS], count; /* of a parameter in the flat layout */
    int n_trained;
    void *value;
    float *grad;
} net;

/* Number i of (seed 7, stream 0, sub), as the oracle draws it. */
static void draw(void *to, limn_dtype dtype, size_t n, uint64_t sub, float scale)
{
    float *f = malloc(n * sizeof *f);
    limn_random_normal(7, LIMN_STREAM_INIT, sub, 0, n, f);
    for (size_t i = 0; i < n; i++) f[i] *= scale;
    limn_convert(f, LIMN_F32, to, dtype, n);
    free(f);
}

static void set_drawn(net *t, limn_node *node, uint64_t sub)
{
    if (!node || node->op != LIMN_OP_INPUT) return;
    draw(limn_plan_data(t->plan, node), t->wide, (size_t)limn_node_count(node), sub, 1);
    limn_plan_touch(t->plan, node);
}

/* The last node made in a block's scope is its result. */
static limn_node *result_of_block(const limn_graph *g, int i, int n_nodes)
{
    char plain[32], joint[32];
    snprintf(plain, sizeof plain, "blocks.%d", i);
    snprintf(joint, sizeof joint, "joint_blocks.%d", i);
    for (int k = n_nodes - 1; k >= 0; k--) {
        const char *path = g->nodes[k]->scope->path;
        if (!strncmp(path, plain, strlen(plain)) || !strncmp(path, joint, strlen(joint))) return g->nodes[k];
    }
    return NULL;
}

static void open_net(net *t, const char *settings, limn_precision precision, const char *backend)
{
    limn_settings s;
    limn_node *outputs[MAX_OUTPUTS], *grads[MAX_OUTPUTS];
    *t = (net){.ctx = limn_ctx_new(), .wide = precision == LIMN_PRECISION_F64 ? LIMN_F64 : LIMN_F32};
    assert_int_equal(limn_settings_parse(t->ctx, settings, &s), LIMN_OK);
    t->g = limn_graph_new(t->ctx);
    assert_int_equal(limn_model_build(t->g, &s, (limn_build){.batch = 2}, &t->ports), LIMN_OK);
    for (int i = 0; i < 2; i++) assert_non_null(t->block[i] = result_of_block(t->g, i, t->g->n_nodes));
    t->target = limn_input(t->g, "target", LIMN_WIDE, t->ports.output->shape, LIMN_PER_STEP);
    t->loss = limn_mean(limn_square(limn_sub(limn_widen(t->ports.output), t->target)));
    assert_int_equal(limn_grad(t->g, t->loss, t->g->n_parameters, t->g->parameters, grads), LIMN_OK);
    int n = 4;
    outputs[0] = t->loss, outputs[1] = t->ports.output, outputs[2] = t->block[0], outputs[3] = t->block[1];
    for (int i = 0; i < t->g->n_parameters; i++) {
        t->begin[i] = t->count;
        t->count += (size_t)limn_node_count(t->g->parameters[i]);
        if (grads[i] && !t->g->parameters[i]->init.frozen) t->of[n] = t->g->parameters[i], outputs[n++] = grads[i];
    }
    limn_plan_options options = {.precision = precision, .backend = backend, .training = true, .first_bound = 4};
    limn_status status = limn_plan_new(t->g, n, outputs, &options, &t->plan);
    if (status != LIMN_OK) fail_msg("%s: %s", settings, limn_error_text(t->ctx));
    size_t bytes = limn_dtype_bytes(t->wide);
    t->value = calloc(t->count, bytes);
    t->grad = calloc(t->count, bytes);
    for (int i = 0; i < t->g->n_parameters; i++) {
        limn_node *p = t->g->parameters[i];
        char *at = (char *)t->value + t->begin[i] * bytes;
        draw(at, t->wide, (size_t)limn_node_count(p), limn_hash_name(p->name), 0.2f);
        assert_int_equal(limn_plan_bind(t->plan, p, t->wide, at), LIMN_OK);
        for (int k = 4; k < n; k++)
            if (t->of[k] == p) assert_int_equal(limn_plan_bind(t->plan, outputs[k], t->wide, (char *)t->grad + t->begin[i] * bytes), LIMN_OK);
    }
}

static void close_net(net *t)
{
    limn_plan_free(t->plan);
    limn_graph_free(t->g);
    free(t->value);
    free(t->grad);
    limn_ctx_free(t->ctx);
}

static void run_step(net *t, int step)
{
    set_drawn(t, t->ports.image, 1000 + (uint64_t)step);
    set_drawn(t, t->target, 2000 + (uint64_t)step);
    set_drawn(t, t->ports.features, 3);
    set_drawn(t, t->ports.pooled_text, 4);
    limn_plan_set(t->plan, t->ports.timesteps, LIMN_F32, (float[]){100, 700});
    if (t->ports.ids) {
        int32_t ids[8];
        for (int i = 0; i < 8; i++) ids[i] = (i * 37 + 11) % 514;
        limn_plan_set(t->plan, t->ports.ids, LIMN_I32, ids);
        limn_plan_set(t->plan, t->ports.text_end, LIMN_I32, (int32_t[]){2, 7});
    }
    if (t->ports.label) limn_plan_set(t->plan, t->ports.label, LIMN_I32, (int32_t[]){1, 3});
    for (int i = 0; i < t->g->n_parameters; i++) limn_plan_touch(t->plan, t->g->parameters[i]);
    assert_int_equal(limn_plan_run(t->plan), LIMN_OK);
}

static void expect(net *t, const char *settings, const char *what, limn_node *node, const double *expected, double limit)
{
    int64_t n = limn_node_count(node);
    double *x = malloc((size_t)n * sizeof *x), found[10] = {0};
    assert_int_equal(limn_plan_get(t->plan, node, LIMN_F64, x), LIMN_OK);
    for (int64_t i = 0; i < n; i++) found[0] += x[i] / (double)n, found[1] += x[i] * x[i] / (double)n;
    found[1] = sqrt(found[1]);
    for (int i = 0; i < 8; i++) found[i + 2] = x[i];
    for (int i = 0; i < 10; i++)
        if (!(fabs(found[i] - expected[i]) <= limit * (1 + fabs(expected[i]))))
            fail_msg("%s: %s, number %d: PyTorch has %.12g, found %.12g", settings, what, i, expected[i], found[i]);
    free(x);
}

static void outputs_of(const char *backend, limn_precision precision, double limit)
{
    for (size_t k = 0; k < N_VECTORS; k++) {
        net t;
        open_net(&t, network_vectors[k].settings, precision, backend);
        run_step(&t, 0);
        expect(&t, network_vectors[k].settings, "block 0", t.block[0], network_vectors[k].block[0], limit);
        expect(&t, network_vectors[k].settings, "block 1", t.block[1], network_vectors[k].block[1], limit);
        expect(&t, network_vectors[k].settings, "output", t.ports.output, network_vectors[k].output, limit);
        close_net(&t);
    }
}

static void every_block_is_pytorchs_in_double(void **state)
{
    (void)state;
    outputs_of("ref", LIMN_PRECISION_F64, 1e-9);
}

static void every_block_is_pytorchs_in_f32(void **state)
{
    (void)state;
    outputs_of("cpu", LIMN_PRECISION_F32, 1e-5);
}

/* AdamW 1e-2, betas 0.9 and 0.99, decay 0.01 on matrices, gradient norm limited to 1. */
static void ten_losses_are_pytorchs(void **state)
{
    (void)state;
    for (size_t k = 0; k < N_VECTORS; k++) {
        net t;
        open_net(&t, network_vectors[k].settings, LIMN_PRECISION_F32, "cpu");
        float *m = calloc(t.count, sizeof *m), *v = calloc(t.count, sizeof *v), *ema = calloc(t.count, sizeof *ema);
        uint8_t *decay = calloc(t.count, 1);
        for (int i = 0; i < t.g->n_parameters; i++)
            if (t.g->parameters[i]->shape.rank > 1 && !t.g->parameters[i]->init.frozen) memset(decay + t.begin[i], 1, (size_t)limn_node_count(t.g->parameters[i]));
        for (int step = 0; step < 10; step++) {
            double loss, expected = network_vectors[k].loss[step];
            run_step(&t, step);
            assert_int_equal(limn_plan_get(t.plan, t.loss, LIMN_F64, &loss), LIMN_OK);
            if (!(fabs(loss - expected) <= 1e-4 * expected))
                fail_msg("%s: step %d: PyTorch loses %.9g, found %.9g", network_vectors[k].settings, step, expected, loss);
            limn_adamw adamw = {.lr = 1e-2, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .weight_decay = 0.01, .clip = 1};
            limn_adamw_step(&adamw, step + 1, limn_gradient_norm(t.grad, t.count, 1), t.count, t.value, t.grad, m, v, ema, decay, 1);
        }
        free(m);
        free(v);
        free(ema);
        free(decay);
        close_net(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_block_is_pytorchs_in_double),
        cmocka_unit_test(every_block_is_pytorchs_in_f32),
        cmocka_unit_test(ten_losses_are_pytorchs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
