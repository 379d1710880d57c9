/* test_rewrite.c: every rule of rewrite.c on minimal graphs: where it fires and how often, where it must not, and that the
 * values stay. */
#include "graph/rewrite.h"
#include "base/rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { MAX_OUTPUTS = 4, MAX_LEAVES = 32 };

/* Builds a graph, fills outputs, returns how many. */
typedef int (*builder)(limn_graph *g, limn_node **outputs);

/* ---- leaves: the same values by the same name ----------------------------------------------------------------------- */

static limn_node *input(limn_graph *g, const char *name, limn_shape shape)
{
    return limn_input(g, name, LIMN_COMPUTE, shape, LIMN_PER_STEP);
}

static limn_node *parameter(limn_graph *g, const char *name, limn_shape shape)
{
    return limn_parameter(g, name, shape, (limn_init){.kind = LIMN_INIT_NORMAL, .scale = 1});
}

static double *values_of(const limn_node *leaf)
{
    int64_t n = limn_node_count(leaf);
    float *f = malloc((size_t)n * sizeof *f);
    double *values = malloc((size_t)n * sizeof *values);
    limn_random_normal(5, LIMN_STREAM_TEST, limn_hash_name(leaf->name), 0, (size_t)n, f);
    for (int64_t i = 0; i < n; i++) values[i] = f[i];
    free(f);
    return values;
}

static void set_leaf(limn_run *run, limn_node *leaf, double *values)
{
    if (leaf->kind == LIMN_INDEX) assert_int_equal(limn_run_write(run, leaf, LIMN_I32, (int32_t[]){1, 0, 2, 1}), LIMN_OK);
    else if (leaf->op == LIMN_OP_PARAMETER) assert_int_equal(limn_run_bind(run, leaf, LIMN_F64, values), LIMN_OK);
    else assert_int_equal(limn_run_write(run, leaf, LIMN_F64, values), LIMN_OK);
}

/* The outputs of g as it is, in double on the reference. */
static double *run(limn_graph *g, int n, limn_node **outputs, int64_t *count)
{
    limn_plan *plan;
    limn_run *run;
    limn_plan_options options = {.precision = LIMN_PRECISION_F64, .backend = "ref", .no_rewrite = true};
    if (limn_plan_new(g, n, outputs, &options, &plan) != LIMN_OK || limn_run_new(plan, &run) != LIMN_OK)
        fail_msg("%s", limn_error_text(g->ctx));
    double *leaves[MAX_LEAVES];
    int n_leaves = 0;
    for (int i = 0; i < g->n_nodes; i++) {
        limn_node *leaf = g->nodes[i];
        if (leaf->op != LIMN_OP_INPUT && leaf->op != LIMN_OP_PARAMETER) continue;
        assert_true(n_leaves < MAX_LEAVES);
        leaves[n_leaves] = values_of(leaf);
        set_leaf(run, leaf, leaves[n_leaves++]);
    }
    assert_int_equal(limn_run_execute(run), LIMN_OK);
    *count = 0;
    for (int i = 0; i < n; i++) *count += limn_node_count(outputs[i]);
    double *all = malloc((size_t)*count * sizeof *all), *to = all;
    for (int i = 0; i < n; i++) {
        assert_int_equal(limn_run_read(run, outputs[i], LIMN_F64, to), LIMN_OK);
        to += limn_node_count(outputs[i]);
    }
    limn_run_free(run);
    limn_plan_free(plan);
    for (int i = 0; i < n_leaves; i++) free(leaves[i]);
    return all;
}

static int count_op(const limn_graph *g, limn_op op)
{
    int n = 0;
    for (int i = 0; i < g->n_nodes; i++) n += g->nodes[i]->op == op;
    return n;
}

static const limn_rule *rule_named(const char *name)
{
    const limn_rule *rule = limn_rules;
    while (rule->name && strcmp(rule->name, name) != 0) rule++;
    if (!rule->name) fail_msg("there is no rule %s", name);
    return rule;
}

/* The rule fires at n places of what build builds, leaves n_after nodes of op, and every output keeps its value. */
static void fires(const char *rule, builder build, int n, limn_op op, int n_after)
{
    limn_ctx *ctx = limn_ctx_new();
    limn_graph *plain = limn_graph_new(ctx), *fused = limn_graph_new(ctx);
    limn_node *before[MAX_OUTPUTS], *after[MAX_OUTPUTS];
    int n_outputs = build(plain, before);
    build(fused, after);
    if (limn_graph_status(fused) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    assert_int_equal(limn_rule_apply(fused, rule_named(rule), n_outputs, after), n);
    assert_int_equal(count_op(fused, op), n_after);
    for (int i = 0; i < fused->n_nodes; i++)
        fused->nodes[i]->made = i; /* a plan expects a graph in the order of its making */
    int64_t count, same;
    double *x = run(plain, n_outputs, before, &count), *y = run(fused, n_outputs, after, &same);
    assert_int_equal(count, same);
    for (int64_t i = 0; i < count; i++)
        if (!(fabs(x[i] - y[i]) <= 1e-12 * fmax(1, fabs(x[i]))))
            fail_msg("element %d was %.15g, is %.15g", (int)i, x[i], y[i]);
    free(x);
    free(y);
    limn_graph_free(plain);
    limn_graph_free(fused);
    limn_ctx_free(ctx);
}

/* ---- layer_norm_modulate -------------------------------------------------------------------------------------------- */

enum { B = 2, T = 3, D = 8 };

static limn_node *tokens(limn_graph *g)
{
    return input(g, "x", LIMN_SHAPE(B, T, D));
}

static int modulated(limn_graph *g, limn_node **out, limn_node *norm, limn_shape scale, limn_shape shift)
{
    out[0] = limn_modulate(norm, input(g, "shift", shift), input(g, "scale", scale));
    return 1;
}

static int norm_per_sample(limn_graph *g, limn_node **out)
{
    return modulated(g, out, limn_layer_norm(g, NULL, tokens(g), 1e-6), LIMN_SHAPE(B, D), LIMN_SHAPE(B, D));
}

static int norm_per_token(limn_graph *g, limn_node **out)
{
    return modulated(g, out, limn_layer_norm(g, NULL, tokens(g), 1e-6), LIMN_SHAPE(B, T, D), LIMN_SHAPE(B, T, D));
}

static int norm_per_position(limn_graph *g, limn_node **out)
{
    return modulated(g, out, limn_layer_norm(g, NULL, tokens(g), 1e-6), LIMN_SHAPE(1, T, D), LIMN_SHAPE(1, T, D));
}

static int two_norms(limn_graph *g, limn_node **out)
{
    norm_per_sample(g, out);
    out[0] = limn_modulate(limn_layer_norm(g, NULL, out[0], 1e-6), input(g, "shift2", LIMN_SHAPE(B, D)),
                           input(g, "scale2", LIMN_SHAPE(B, D)));
    return 1;
}

static int norm_used_twice(limn_graph *g, limn_node **out)
{
    limn_node *norm = limn_layer_norm(g, NULL, tokens(g), 1e-6);
    modulated(g, out, norm, LIMN_SHAPE(B, D), LIMN_SHAPE(B, D));
    out[0] = limn_add(out[0], norm);
    return 1;
}

static int norm_is_output(limn_graph *g, limn_node **out)
{
    out[1] = limn_layer_norm(g, NULL, tokens(g), 1e-6);
    modulated(g, out, out[1], LIMN_SHAPE(B, D), LIMN_SHAPE(B, D));
    return 2;
}

static int norm_with_weights(limn_graph *g, limn_node **out)
{
    return modulated(g, out, limn_layer_norm(g, "ln", tokens(g), 1e-6), LIMN_SHAPE(B, D), LIMN_SHAPE(B, D));
}

static int rms_modulated(limn_graph *g, limn_node **out)
{
    return modulated(g, out, limn_rms_norm(g, NULL, tokens(g), 1e-6), LIMN_SHAPE(B, D), LIMN_SHAPE(B, D));
}

static int scale_and_shift_differ(limn_graph *g, limn_node **out)
{
    return modulated(g, out, limn_layer_norm(g, NULL, tokens(g), 1e-6), LIMN_SHAPE(B, D), LIMN_SHAPE(D));
}

static int scale_without_one(limn_graph *g, limn_node **out)
{
    limn_node *norm = limn_layer_norm(g, NULL, tokens(g), 1e-6),
              *scale = limn_affine(input(g, "scale", LIMN_SHAPE(B, 1, D)), 1, 0.5);
    out[0] = limn_add(limn_mul(norm, scale), input(g, "shift", LIMN_SHAPE(B, 1, D)));
    return 1;
}

/* one row of tokens becomes one per sample: the norm alone is smaller than the result */
static int modulation_enlarges(limn_graph *g, limn_node **out)
{
    limn_node *norm = limn_layer_norm(g, NULL, input(g, "x", LIMN_SHAPE(1, T, D)), 1e-6);
    return modulated(g, out, norm, LIMN_SHAPE(B, 1, D), LIMN_SHAPE(B, 1, D));
}

static void layer_norm_modulate_joins_norm_scale_and_shift(void **state)
{
    (void)state;
    fires("layer_norm_modulate", norm_per_sample, 1, LIMN_OP_MUL, 0);
    fires("layer_norm_modulate", norm_per_token, 1, LIMN_OP_MUL, 0);
    fires("layer_norm_modulate", norm_per_position, 1, LIMN_OP_MUL, 0);
    fires("layer_norm_modulate", two_norms, 2, LIMN_OP_MUL, 0);
}

static void layer_norm_modulate_leaves_values_that_are_needed(void **state)
{
    (void)state;
    fires("layer_norm_modulate", norm_used_twice, 0, LIMN_OP_MUL, 1);
    fires("layer_norm_modulate", norm_is_output, 0, LIMN_OP_MUL, 1);
}

static void layer_norm_modulate_leaves_other_forms(void **state)
{
    (void)state;
    fires("layer_norm_modulate", norm_with_weights, 0, LIMN_OP_MUL, 1);
    fires("layer_norm_modulate", rms_modulated, 0, LIMN_OP_MUL, 1);
    fires("layer_norm_modulate", scale_and_shift_differ, 0, LIMN_OP_MUL, 1);
    fires("layer_norm_modulate", scale_without_one, 0, LIMN_OP_MUL, 1);
    fires("layer_norm_modulate", modulation_enlarges, 0, LIMN_OP_MUL, 1);
}

/* The gradient of a value inside the pattern: fused before the gradients are made, it would be lost. */
static void a_value_whose_gradient_is_asked_for_is_not_fused(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_graph *g = limn_graph_new(ctx);
    limn_node *norm = limn_layer_norm(g, NULL, tokens(g), 1e-6), *out[MAX_OUTPUTS], *grad;
    modulated(g, out, norm, LIMN_SHAPE(B, D), LIMN_SHAPE(B, D));
    assert_int_equal(limn_grad(g, limn_mean(out[0]), 1, &norm, &grad), LIMN_OK);
    assert_non_null(grad);
    limn_graph_free(g);
    limn_ctx_free(ctx);
}

/* ---- group_norm_activation ------------------------------------------------------------------------------------------ */

static limn_node *normed(limn_graph *g, limn_activation activation)
{
    return limn_group_norm(g, "norm", input(g, "x", LIMN_SHAPE(B, 2, 3, D)), 2, 1e-5, activation);
}

static int norm_and_relu(limn_graph *g, limn_node **out)
{
    out[0] = limn_activate(normed(g, LIMN_IDENTITY), LIMN_RELU);
    return 1;
}

static int batch_norm_and_silu(limn_graph *g, limn_node **out)
{
    limn_graph_train(g);
    out[0] = limn_silu(limn_batch_norm(g, "norm", input(g, "x", LIMN_SHAPE(B, 2, 3, D)), 1e-5));
    return 1;
}

static int norm_with_activation(limn_graph *g, limn_node **out)
{
    out[0] = limn_activate(normed(g, LIMN_SILU), LIMN_RELU);
    return 1;
}

static int norm_before_relu_is_output(limn_graph *g, limn_node **out)
{
    out[1] = normed(g, LIMN_IDENTITY);
    out[0] = limn_activate(out[1], LIMN_RELU);
    return 2;
}

static void group_norm_activation_joins_what_is_used_once(void **state)
{
    (void)state;
    fires("group_norm_activation", norm_and_relu, 1, LIMN_OP_ACTIVATE, 0);
    fires("group_norm_activation", batch_norm_and_silu, 1, LIMN_OP_ACTIVATE, 0);
    fires("group_norm_activation", norm_with_activation, 0, LIMN_OP_ACTIVATE, 1);
    fires("group_norm_activation", norm_before_relu_is_output, 0, LIMN_OP_ACTIVATE, 1);
}

/* ---- linear_activation ---------------------------------------------------------------------------------------------- */

enum { N = 5 };

static int linear_and_silu(limn_graph *g, limn_node **out)
{
    out[0] = limn_silu(limn_linear(g, "fc", tokens(g), N));
    return 1;
}

static int every_activation(limn_graph *g, limn_node **out)
{
    limn_node *x = tokens(g);
    for (limn_activation a = LIMN_RELU; a < LIMN_N_ACTIVATIONS; a++) {
        char name[16];
        snprintf(name, sizeof name, "fc%d", (int)a);
        x = limn_activate(limn_linear_with(g, name, x, D, (limn_linear_options){.no_bias = a % 2}), a);
    }
    out[0] = x;
    return 1;
}

static int two_activations(limn_graph *g, limn_node **out)
{
    linear_and_silu(g, out);
    out[0] = limn_activate(out[0], LIMN_TANH);
    return 1;
}

static int linear_used_twice(limn_graph *g, limn_node **out)
{
    limn_node *y = limn_linear(g, "fc", tokens(g), N);
    out[0] = limn_mul(limn_silu(y), y);
    return 1;
}

static int linear_is_output(limn_graph *g, limn_node **out)
{
    out[1] = limn_linear(g, "fc", tokens(g), N);
    out[0] = limn_silu(out[1]);
    return 2;
}

static int sum_before_activation(limn_graph *g, limn_node **out)
{
    out[0] = limn_silu(limn_add(limn_linear(g, "fc", tokens(g), N), input(g, "r", LIMN_SHAPE(B, T, N))));
    return 1;
}

static void linear_activation_joins_each_kind(void **state)
{
    (void)state;
    fires("linear_activation", linear_and_silu, 1, LIMN_OP_ACTIVATE, 0);
    fires("linear_activation", every_activation, LIMN_N_ACTIVATIONS - LIMN_RELU, LIMN_OP_ACTIVATE, 0);
    fires("linear_activation", two_activations, 1, LIMN_OP_ACTIVATE, 1);
}

static void linear_activation_leaves_values_that_are_needed(void **state)
{
    (void)state;
    fires("linear_activation", linear_used_twice, 0, LIMN_OP_ACTIVATE, 1);
    fires("linear_activation", linear_is_output, 0, LIMN_OP_ACTIVATE, 1);
    fires("linear_activation", sum_before_activation, 0, LIMN_OP_ACTIVATE, 1);
}

/* ---- linear_gated_residual ------------------------------------------------------------------------------------------ */

static limn_node *residual(limn_graph *g)
{
    return input(g, "r", LIMN_SHAPE(B, T, N));
}

static int residual_left(limn_graph *g, limn_node **out)
{
    out[0] = limn_add(residual(g), limn_linear(g, "fc", tokens(g), N));
    return 1;
}

static int residual_right(limn_graph *g, limn_node **out)
{
    out[0] = limn_add(limn_linear_with(g, "fc", tokens(g), N, (limn_linear_options){.no_bias = true}), residual(g));
    return 1;
}

static int gated_by(limn_graph *g, limn_node **out, limn_shape gate)
{
    out[0] = limn_gated(residual(g), input(g, "gate", gate), limn_linear(g, "fc", tokens(g), N));
    return 1;
}

static int gate_per_sample(limn_graph *g, limn_node **out)
{
    return gated_by(g, out, LIMN_SHAPE(B, N));
}

static int gate_for_all(limn_graph *g, limn_node **out)
{
    return gated_by(g, out, LIMN_SHAPE(1, 1, N));
}

static int gate_on_the_right(limn_graph *g, limn_node **out)
{
    out[0] = limn_add(limn_mul(limn_linear(g, "fc", tokens(g), N), input(g, "gate", LIMN_SHAPE(B, 1, N))), residual(g));
    return 1;
}

static int gate_of_one_number(limn_graph *g, limn_node **out)
{
    return gated_by(g, out, LIMN_SHAPE(B, 1, 1));
}

static int gate_per_token(limn_graph *g, limn_node **out)
{
    return gated_by(g, out, LIMN_SHAPE(B, T, N));
}

static int branch_used_twice(limn_graph *g, limn_node **out)
{
    limn_node *y = limn_linear(g, "fc", tokens(g), N);
    out[0] = limn_mul(limn_add(residual(g), y), y);
    return 1;
}

static int branch_is_output(limn_graph *g, limn_node **out)
{
    out[1] = limn_linear(g, "fc", tokens(g), N);
    out[0] = limn_add(residual(g), out[1]);
    return 2;
}

static int residual_is_a_row(limn_graph *g, limn_node **out)
{
    out[0] = limn_add(input(g, "r", LIMN_SHAPE(N)), limn_linear(g, "fc", tokens(g), N));
    return 1;
}

static int sum_enlarges(limn_graph *g, limn_node **out)
{
    out[0] = limn_add(residual(g), limn_linear(g, "fc", input(g, "x", LIMN_SHAPE(1, T, D)), N));
    return 1;
}

static int activation_between(limn_graph *g, limn_node **out)
{
    out[0] = limn_add(residual(g), limn_silu(limn_linear(g, "fc", tokens(g), N)));
    return 1;
}

static int two_branches(limn_graph *g, limn_node **out)
{
    out[0] = limn_add(limn_linear(g, "fc", tokens(g), N), limn_linear(g, "fc2", tokens(g), N));
    return 1;
}

static limn_node *tokens2(limn_graph *g)
{
    return input(g, "x2", LIMN_SHAPE(B, T, N));
}

static int two_residuals(limn_graph *g, limn_node **out)
{
    residual_left(g, out);
    out[0] = limn_gated(out[0], input(g, "gate", LIMN_SHAPE(B, N)), limn_linear(g, "fc2", tokens2(g), N));
    return 1;
}

static void linear_gated_residual_joins_gate_and_residual(void **state)
{
    (void)state;
    fires("linear_gated_residual", residual_left, 1, LIMN_OP_ADD, 0);
    fires("linear_gated_residual", residual_right, 1, LIMN_OP_ADD, 0);
    fires("linear_gated_residual", gate_per_sample, 1, LIMN_OP_MUL, 0);
    fires("linear_gated_residual", gate_for_all, 1, LIMN_OP_MUL, 0);
    fires("linear_gated_residual", gate_on_the_right, 1, LIMN_OP_MUL, 0);
    fires("linear_gated_residual", two_branches, 1, LIMN_OP_LINEAR, 2);
    fires("linear_gated_residual", two_residuals, 2, LIMN_OP_ADD, 0);
}

static void linear_gated_residual_leaves_values_that_are_needed(void **state)
{
    (void)state;
    fires("linear_gated_residual", branch_used_twice, 0, LIMN_OP_ADD, 1);
    fires("linear_gated_residual", branch_is_output, 0, LIMN_OP_ADD, 1);
}

static void linear_gated_residual_leaves_other_shapes(void **state)
{
    (void)state;
    fires("linear_gated_residual", gate_of_one_number, 0, LIMN_OP_MUL, 1);
    fires("linear_gated_residual", gate_per_token, 0, LIMN_OP_MUL, 1);
    fires("linear_gated_residual", residual_is_a_row, 0, LIMN_OP_ADD, 1);
    fires("linear_gated_residual", sum_enlarges, 0, LIMN_OP_ADD, 1);
    fires("linear_gated_residual", activation_between, 0, LIMN_OP_ADD, 1);
}

/* ---- qkv_as_one_product --------------------------------------------------------------------------------------------- */

static int three_products(limn_graph *g, limn_node **out)
{
    limn_node *x = tokens(g);
    out[0] = limn_attention(limn_linear(g, "q", x, D), limn_linear(g, "k", x, D), limn_linear(g, "v", x, D), 2, false);
    return 1;
}

static int three_products_causal(limn_graph *g, limn_node **out)
{
    limn_node *x = tokens(g), *v = limn_linear(g, "v", x, 6), *q = limn_linear(g, "q", x, 6);
    out[0] = limn_attention(q, limn_linear(g, "k", x, 6), v, 3, true);
    return 1;
}

static int three_products_and_a_bias(limn_graph *g, limn_node **out)
{
    limn_node *x = tokens(g), *q = limn_linear(g, "q", x, D), *k = limn_linear(g, "k", x, D), *v = limn_linear(g, "v", x, D);
    limn_attr attr = {.heads = 2, .flags = LIMN_HAS_BIAS};
    out[0] =
        limn_node_new(g, LIMN_OP_ATTENTION, 4, (limn_node *[]){q, k, v, input(g, "bias", LIMN_SHAPE(1, 2, T, T))}, &attr);
    return 1;
}

static int tied_query_and_key(limn_graph *g, limn_node **out)
{
    limn_node *x = tokens(g);
    out[0] = limn_attention(limn_linear(g, "qk", x, D), limn_linear(g, "qk", x, D), limn_linear(g, "v", x, D), 2, false);
    return 1;
}

static int cross_attention(limn_graph *g, limn_node **out)
{
    limn_node *x = tokens(g), *text = input(g, "text", LIMN_SHAPE(B, T, D));
    out[0] = limn_attention(limn_linear(g, "q", x, D), limn_linear(g, "k", text, D), limn_linear(g, "v", text, D), 2, false);
    return 1;
}

static int key_is_output(limn_graph *g, limn_node **out)
{
    limn_node *x = tokens(g);
    out[1] = limn_linear(g, "k", x, D);
    out[0] = limn_attention(limn_linear(g, "q", x, D), out[1], limn_linear(g, "v", x, D), 2, false);
    return 2;
}

static int key_is_value(limn_graph *g, limn_node **out)
{
    limn_node *x = tokens(g), *kv = limn_linear(g, "kv", x, D);
    out[0] = limn_attention(limn_linear(g, "q", x, D), kv, kv, 2, false);
    return 1;
}

static int normed_query(limn_graph *g, limn_node **out)
{
    limn_node *x = tokens(g), *q = limn_rms_norm(g, NULL, limn_linear(g, "q", x, D), 1e-6);
    out[0] = limn_attention(q, limn_linear(g, "k", x, D), limn_linear(g, "v", x, D), 2, false);
    return 1;
}

static int key_without_bias(limn_graph *g, limn_node **out)
{
    limn_node *x = tokens(g), *k = limn_linear_with(g, "k", x, D, (limn_linear_options){.no_bias = true});
    out[0] = limn_attention(limn_linear(g, "q", x, D), k, limn_linear(g, "v", x, D), 2, false);
    return 1;
}

static void qkv_as_one_product_stacks_the_weights(void **state)
{
    (void)state;
    fires("qkv_as_one_product", three_products, 1, LIMN_OP_LINEAR, 1);
    fires("qkv_as_one_product", three_products_causal, 1, LIMN_OP_LINEAR, 1);
    fires("qkv_as_one_product", three_products_and_a_bias, 1, LIMN_OP_LINEAR, 1);
    fires("qkv_as_one_product", tied_query_and_key, 1, LIMN_OP_LINEAR, 1);
}

static void qkv_as_one_product_leaves_other_forms(void **state)
{
    (void)state;
    fires("qkv_as_one_product", cross_attention, 0, LIMN_OP_LINEAR, 3);
    fires("qkv_as_one_product", key_is_output, 0, LIMN_OP_LINEAR, 3);
    fires("qkv_as_one_product", key_is_value, 0, LIMN_OP_LINEAR, 2);
    fires("qkv_as_one_product", normed_query, 0, LIMN_OP_LINEAR, 3);
    fires("qkv_as_one_product", key_without_bias, 0, LIMN_OP_LINEAR, 3);
}

/* ---- hoist_gather --------------------------------------------------------------------------------------------------- */

enum { STEPS = 4 };

/* row of a table of timesteps, by the number of the step */
static limn_node *row(limn_graph *g, limn_shape table)
{
    limn_node *step = limn_input(g, "step", LIMN_INDEX, (limn_shape){.rank = 0}, LIMN_PER_STEP);
    return limn_gather(limn_input(g, "table", LIMN_COMPUTE, table, LIMN_PER_PROMPT), step);
}

static int time_mlp(limn_graph *g, limn_node **out)
{
    limn_node *h = limn_silu(limn_linear(g, "fc1", row(g, LIMN_SHAPE(STEPS, D)), N));
    out[0] = limn_linear(g, "fc2", h, 2 * D);
    return 1;
}

static int time_chunks(limn_graph *g, limn_node **out)
{
    limn_node *parts[2];
    limn_chunk(limn_reshape(row(g, LIMN_SHAPE(STEPS, 2 * D)), LIMN_SHAPE(1, 2 * D)), 2, parts);
    out[0] = limn_affine(parts[0], 1, 1);
    out[1] = parts[1];
    return 2;
}

static int time_with_constant(limn_graph *g, limn_node **out)
{
    limn_node *h = limn_add(parameter(g, "a", LIMN_SHAPE(D)), row(g, LIMN_SHAPE(STEPS, D)));
    out[0] = limn_mul(h, parameter(g, "b", LIMN_SHAPE(1)));
    return 1;
}

static int time_squared(limn_graph *g, limn_node **out)
{
    limn_node *t = row(g, LIMN_SHAPE(STEPS, D));
    out[0] = limn_mul(t, t);
    return 1;
}

static int time_beside_constant_rows(limn_graph *g, limn_node **out) /* the constant has the higher rank */
{
    out[0] = limn_add(row(g, LIMN_SHAPE(STEPS, D)), parameter(g, "a", LIMN_SHAPE(T, D)));
    return 1;
}

static int time_beside_latent(limn_graph *g, limn_node **out)
{
    out[0] = limn_add(row(g, LIMN_SHAPE(STEPS, D)), input(g, "latent", LIMN_SHAPE(D)));
    return 1;
}

static int rows_by_list(limn_graph *g, limn_node **out)
{
    limn_node *ids = limn_input(g, "ids", LIMN_INDEX, LIMN_SHAPE(3), LIMN_PER_STEP);
    out[0] = limn_silu(limn_gather(limn_input(g, "table", LIMN_COMPUTE, LIMN_SHAPE(STEPS, D), LIMN_PER_PROMPT), ids));
    return 1;
}

static int table_of_the_step(limn_graph *g, limn_node **out)
{
    limn_node *step = limn_input(g, "step", LIMN_INDEX, (limn_shape){.rank = 0}, LIMN_PER_STEP);
    out[0] = limn_silu(limn_gather(input(g, "table", LIMN_SHAPE(STEPS, D)), step));
    return 1;
}

static void hoist_gather_runs_functions_of_a_row_on_the_table(void **state)
{
    (void)state;
    fires("hoist_gather", time_mlp, 3, LIMN_OP_GATHER, 1);
    fires("hoist_gather", time_chunks, 4, LIMN_OP_GATHER, 2); /* view, two slices, affine */
    fires("hoist_gather", time_with_constant, 2, LIMN_OP_GATHER, 1);
    fires("hoist_gather", time_squared, 1, LIMN_OP_GATHER, 1);
}

static void hoist_gather_leaves_what_changes_every_step(void **state)
{
    (void)state;
    fires("hoist_gather", time_beside_latent, 0, LIMN_OP_GATHER, 1);
    fires("hoist_gather", table_of_the_step, 0, LIMN_OP_GATHER, 1);
    fires("hoist_gather", rows_by_list, 0, LIMN_OP_GATHER, 1);
    fires("hoist_gather", time_beside_constant_rows, 0, LIMN_OP_GATHER, 1);
}

/* ---- elementwise_chain ---------------------------------------------------------------------------------------------- */

static limn_node *vector(limn_graph *g, const char *name)
{
    return input(g, name, LIMN_SHAPE(3, 7));
}

static int three_steps(limn_graph *g, limn_node **out)
{
    out[0] = limn_mul(limn_silu(limn_add(vector(g, "a"), vector(g, "b"))), vector(g, "c"));
    return 1;
}

static int broadcast_operands(limn_graph *g, limn_node **out)
{
    limn_node *scale = limn_affine(input(g, "scale", LIMN_SHAPE(7)), 1, 1); /* smaller: stays outside */
    out[0] = limn_add(limn_mul(vector(g, "a"), scale), input(g, "shift", LIMN_SHAPE(3, 1)));
    return 1;
}

static int twenty_steps(limn_graph *g, limn_node **out)
{
    out[0] = vector(g, "a");
    for (int i = 0; i < 20; i++) out[0] = limn_affine(out[0], 1.1, 0.01 * i + 0.1);
    return 1;
}

static int sixteen_sources(limn_graph *g, limn_node **out)
{
    limn_node *sum[16];
    for (int i = 0; i < 16; i++) {
        char name[16];
        snprintf(name, sizeof name, "v%d", i);
        sum[i] = vector(g, name);
    }
    for (int n = 8; n; n /= 2)
        for (int i = 0; i < n; i++) sum[i] = limn_add(sum[i], sum[i + n]);
    out[0] = sum[0];
    return 1;
}

static int value_used_twice(limn_graph *g, limn_node **out)
{
    limn_node *y = limn_silu(vector(g, "a"));
    out[0] = limn_mul(y, y);
    return 1;
}

static int inner_value_is_output(limn_graph *g, limn_node **out)
{
    out[1] = limn_silu(vector(g, "a"));
    out[0] = limn_mul(out[1], vector(g, "b"));
    return 2;
}

static int one_step(limn_graph *g, limn_node **out)
{
    out[0] = limn_add(vector(g, "a"), vector(g, "b"));
    return 1;
}

static int other_rate(limn_graph *g, limn_node **out)
{
    limn_node *y = limn_silu(limn_input(g, "p", LIMN_COMPUTE, LIMN_SHAPE(3, 7), LIMN_PER_PROMPT));
    out[0] = limn_add(y, vector(g, "a"));
    return 1;
}

static void elementwise_chain_joins_runs(void **state)
{
    (void)state;
    fires("elementwise_chain", three_steps, 1, LIMN_OP_CHAIN, 1);
    fires("elementwise_chain", broadcast_operands, 1, LIMN_OP_CHAIN, 1);
}

static void elementwise_chain_cuts_runs_that_are_too_long(void **state)
{
    (void)state;
    fires("elementwise_chain", twenty_steps, 3, LIMN_OP_CHAIN, 3); /* 8 + 8 + 4 */
    fires("elementwise_chain", sixteen_sources, 2, LIMN_OP_CHAIN, 2);
}

static void elementwise_chain_leaves_values_that_are_needed(void **state)
{
    (void)state;
    fires("elementwise_chain", value_used_twice, 0, LIMN_OP_CHAIN, 0);
    fires("elementwise_chain", inner_value_is_output, 0, LIMN_OP_CHAIN, 0);
    fires("elementwise_chain", one_step, 0, LIMN_OP_CHAIN, 0);
    fires("elementwise_chain", other_rate, 0, LIMN_OP_CHAIN, 0);
}

/* ---- convolutions ----------------------------------------------------------------------------------------------------- */

static limn_node *picture(limn_graph *g)
{
    return input(g, "picture", LIMN_SHAPE(2, 4, 5, 3));
}

static int conv_then_silu(limn_graph *g, limn_node **out)
{
    out[0] = limn_silu(limn_conv(g, "c", picture(g), 4, 3));
    return 1;
}

static int conv_used_twice(limn_graph *g, limn_node **out)
{
    limn_node *y = limn_conv(g, "c", picture(g), 4, 3);
    out[0] = limn_add(limn_silu(y), y);
    return 1;
}

static int conv_is_output(limn_graph *g, limn_node **out)
{
    out[1] = limn_conv(g, "c", picture(g), 4, 3);
    out[0] = limn_silu(out[1]);
    return 2;
}

static int conv_and_residual(limn_graph *g, limn_node **out)
{
    limn_node *x = picture(g);
    out[0] = limn_add(x, limn_conv(g, "c", x, 3, 3));
    return 1;
}

/* the smaller term is repeated: no residual */
static int conv_and_row(limn_graph *g, limn_node **out)
{
    out[0] = limn_add(limn_conv(g, "c", picture(g), 3, 3), input(g, "row", LIMN_SHAPE(2, 1, 1, 3)));
    return 1;
}

static int enlarged(limn_graph *g, limn_node **out, int64_t h, int64_t w, limn_resize_mode mode, int kernel)
{
    out[0] = limn_conv(g, "c", limn_resize(picture(g), h, w, mode), 4, kernel);
    return 1;
}

static int enlarged_twice(limn_graph *g, limn_node **out)
{
    return enlarged(g, out, 8, 10, LIMN_NEAREST, 3);
}

static int enlarged_thrice(limn_graph *g, limn_node **out)
{
    return enlarged(g, out, 12, 15, LIMN_NEAREST, 3);
}

static int enlarged_smoothly(limn_graph *g, limn_node **out)
{
    return enlarged(g, out, 8, 10, LIMN_BILINEAR, 3);
}

static int enlarged_for_a_large_window(limn_graph *g, limn_node **out)
{
    return enlarged(g, out, 8, 10, LIMN_NEAREST, 5);
}

static int scaled(limn_graph *g, limn_node **out, limn_node *layer)
{
    int64_t n = limn_shape_cols(&layer->shape);
    out[0] = limn_add(limn_mul(layer, parameter(g, "scale", LIMN_SHAPE(n))), parameter(g, "shift", LIMN_SHAPE(n)));
    return 1;
}

static int conv_scaled(limn_graph *g, limn_node **out)
{
    return scaled(g, out, limn_conv(g, "c", picture(g), 4, 3));
}

static int conv_without_bias_scaled(limn_graph *g, limn_node **out)
{
    return scaled(g, out, limn_conv_with(g, "c", picture(g), 4, 3, (limn_conv_options){.no_bias = true}));
}

static int product_scaled(limn_graph *g, limn_node **out)
{
    return scaled(g, out, limn_conv(g, "c", picture(g), 4, 1));
}

static int scale_changes_every_step(limn_graph *g, limn_node **out)
{
    limn_node *y = limn_conv(g, "c", picture(g), 4, 3);
    out[0] = limn_add(limn_mul(y, input(g, "scale", LIMN_SHAPE(4))), input(g, "shift", LIMN_SHAPE(4)));
    return 1;
}

static void conv_activation_joins_what_is_used_once(void **state)
{
    (void)state;
    fires("conv_activation", conv_then_silu, 1, LIMN_OP_ACTIVATE, 0);
    fires("conv_activation", conv_used_twice, 0, LIMN_OP_ACTIVATE, 1);
    fires("conv_activation", conv_is_output, 0, LIMN_OP_ACTIVATE, 1);
}

static void conv_residual_joins_terms_of_one_shape(void **state)
{
    (void)state;
    fires("conv_residual", conv_and_residual, 1, LIMN_OP_ADD, 0);
    fires("conv_residual", conv_and_row, 0, LIMN_OP_ADD, 1);
    fires("conv_residual", conv_used_twice, 0, LIMN_OP_ADD, 1);
}

static void conv_upsampled_takes_nearest_times_two_only(void **state)
{
    (void)state;
    fires("conv_upsampled", enlarged_twice, 1, LIMN_OP_RESIZE, 0);
    fires("conv_upsampled", enlarged_thrice, 0, LIMN_OP_RESIZE, 1);
    fires("conv_upsampled", enlarged_smoothly, 0, LIMN_OP_RESIZE, 1);
    fires("conv_upsampled", enlarged_for_a_large_window, 0, LIMN_OP_RESIZE, 1);
}

static void fold_scale_changes_the_weights_once(void **state)
{
    (void)state;
    fires("fold_scale", conv_scaled, 1, LIMN_OP_CONV, 1);
    fires("fold_scale", conv_without_bias_scaled, 1, LIMN_OP_ADD, 0);
    fires("fold_scale", product_scaled, 1, LIMN_OP_LINEAR, 1);
    fires("fold_scale", scale_changes_every_step, 0, LIMN_OP_MUL, 1);
}

/* Pixels of 100 around a running mean of 100.3, in bf16: scale and shift that were rounded to it would be off by 0.1. */
static void a_batch_norm_that_runs_keeps_the_digits_of_its_statistics(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    for (int folded = 0; folded < 2; folded++) {
        limn_graph *g = limn_graph_new(ctx);
        limn_node *x = input(g, "x", LIMN_SHAPE(1, 2, 3, 1)), *y = folded ? limn_conv(g, "c", x, 1, 1) : x;
        y = limn_batch_norm(g, "norm", y, 0);
        limn_plan *plan;
        limn_run *run;
        limn_plan_options options = {.precision = LIMN_PRECISION_BF16};
        assert_int_equal(limn_plan_new(g, 1, &y, &options, &plan), LIMN_OK);
        assert_int_equal(limn_run_new(plan, &run), LIMN_OK);
        float value[] = {1.1f, 0, 100.3f, 1.7f, 1, 0},
              pixels[6] = {100, 100, 100,
                           100, 100, 100}; /* weight, bias, mean, variance; weight and bias of the convolution */
        for (int i = 0; i < g->n_parameters; i++)
            assert_int_equal(limn_run_bind(run, g->parameters[i], LIMN_F32, &value[folded ? (i + 4) % 6 : i]), LIMN_OK);
        assert_int_equal(limn_run_write(run, x, LIMN_F32, pixels), LIMN_OK);
        assert_int_equal(limn_run_execute(run), LIMN_OK);
        assert_int_equal(limn_run_read(run, y, LIMN_F32, pixels), LIMN_OK);
        for (int i = 0; i < 6; i++)
            assert_true(fabs(pixels[i] + 0.25310) < (folded ? 0.02 : 0.002)); /* the folded weight is one number of bf16 */
        limn_run_free(run);
        limn_plan_free(plan);
        limn_graph_free(g);
    }
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conv_activation_joins_what_is_used_once),
        cmocka_unit_test(conv_residual_joins_terms_of_one_shape),
        cmocka_unit_test(conv_upsampled_takes_nearest_times_two_only),
        cmocka_unit_test(fold_scale_changes_the_weights_once),
        cmocka_unit_test(a_batch_norm_that_runs_keeps_the_digits_of_its_statistics),
        cmocka_unit_test(layer_norm_modulate_joins_norm_scale_and_shift),
        cmocka_unit_test(layer_norm_modulate_leaves_values_that_are_needed),
        cmocka_unit_test(layer_norm_modulate_leaves_other_forms),
        cmocka_unit_test(a_value_whose_gradient_is_asked_for_is_not_fused),
        cmocka_unit_test(group_norm_activation_joins_what_is_used_once),
        cmocka_unit_test(linear_activation_joins_each_kind),
        cmocka_unit_test(linear_activation_leaves_values_that_are_needed),
        cmocka_unit_test(linear_gated_residual_joins_gate_and_residual),
        cmocka_unit_test(linear_gated_residual_leaves_values_that_are_needed),
        cmocka_unit_test(linear_gated_residual_leaves_other_shapes),
        cmocka_unit_test(qkv_as_one_product_stacks_the_weights),
        cmocka_unit_test(qkv_as_one_product_leaves_other_forms),
        cmocka_unit_test(hoist_gather_runs_functions_of_a_row_on_the_table),
        cmocka_unit_test(hoist_gather_leaves_what_changes_every_step),
        cmocka_unit_test(elementwise_chain_joins_runs),
        cmocka_unit_test(elementwise_chain_cuts_runs_that_are_too_long),
        cmocka_unit_test(elementwise_chain_leaves_values_that_are_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
