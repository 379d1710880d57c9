/* test_plan.c: what a plan promises: recompute, phases, precision, a direct index, no allocation in a run. */
#include "model/model.h"
#include "plan/plan.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/rng.h"

/* ---- a network in training ------------------------------------------------------------------------------------------ */

enum { MAX_OUTPUTS = 512 };

typedef struct net {
    limn_graph *g;
    limn_ports ports;
    limn_node *target, *output[MAX_OUTPUTS];
    int n_outputs;
    limn_plan *plan;
    float *weights[MAX_OUTPUTS];
} net;

static void fill(float *to, int64_t n, uint64_t sub, float scale)
{
    limn_random_normal(11, LIMN_STREAM_TEST, sub, 0, (size_t)n, to);
    for (int64_t i = 0; i < n; i++) to[i] *= scale;
}

static void net_build(net *n, limn_ctx *ctx, const char *settings, limn_build build)
{
    limn_settings s;
    assert_int_equal(limn_settings_parse(ctx, settings, &s), LIMN_OK);
    n->g = limn_graph_new(ctx);
    assert_int_equal(limn_model_build(n->g, &s, build, &n->ports), LIMN_OK);
    n->output[n->n_outputs++] = n->ports.output;
}

static void net_loss(net *n)
{
    limn_node *grads[MAX_OUTPUTS];
    int n_parameters = n->g->n_parameters;
    assert_true(n_parameters < MAX_OUTPUTS);
    n->target = limn_input(n->g, "target", LIMN_WIDE, limn_node_shape(n->ports.output), LIMN_PER_STEP);
    n->output[0] = limn_mean(limn_square(limn_sub(limn_widen(n->ports.output), n->target)));
    assert_int_equal(limn_grad(n->g, n->output[0], n_parameters, n->g->parameters, grads), LIMN_OK);
    for (int i = 0; i < n_parameters; i++)
        if (grads[i]) n->output[n->n_outputs++] = grads[i];
}

/* Weights and inputs by name and by rule, so that two plans of one network see the same numbers. */
static void net_plan(net *n, const limn_plan_options *options)
{
    assert_int_equal(limn_plan_new(n->g, n->n_outputs, n->output, options, &n->plan), LIMN_OK);
    for (int i = 0; i < n->g->n_parameters; i++) {
        limn_node *p = n->g->parameters[i];
        n->weights[i] = limn_alloc_aligned((size_t)limn_node_count(p) * sizeof(float));
        fill(n->weights[i], limn_node_count(p), limn_hash_name(limn_node_name(p)), 0.2f);
        assert_int_equal(limn_plan_bind(n->plan, p, LIMN_F32, n->weights[i]), LIMN_OK);
    }
    for (int i = 0; i < n->g->n_nodes; i++) {
        limn_node *node = n->g->nodes[i];
        if (node->op != LIMN_OP_INPUT) continue;
        float values[8192];
        int32_t ids[8192];
        int64_t count = limn_node_count(node);
        assert_true(count <= 8192);
        fill(values, count, limn_hash_name(node->name), 1);
        for (int64_t k = 0; k < count; k++) {
            ids[k] = (int32_t)(k % 3);
            if (node == n->ports.timesteps) values[k] = 900.0f / (float)(k + 1);
        }
        assert_int_equal(node->kind == LIMN_INDEX ? limn_plan_set(n->plan, node, LIMN_I32, ids) : limn_plan_set(n->plan, node, LIMN_F32, values), LIMN_OK);
    }
}

static void net_free(net *n)
{
    limn_plan_free(n->plan);
    for (int i = 0; n->plan && i < n->g->n_parameters; i++) limn_free_aligned(n->weights[i]);
    limn_graph_free(n->g);
}

static size_t peak(const limn_plan *plan)
{
    limn_plan_size size = limn_plan_sizes(plan);
    return size.activation_bytes + size.packed_bytes + size.scratch_bytes;
}

#define MODULATED "conditioning=modulated norm=pre "
#define SMALL "size=8 channels=4 patch=2 width=32 heads=2 mlp=64 text_length=6 text_width=16 "
#define DIT "dit size=16 channels=4 patch=2 width=32 heads=2 mlp=128 "

/* ---- recompute ------------------------------------------------------------------------------------------------------ */

static void same_outputs(net *a, net *b)
{
    assert_int_equal(limn_plan_run(a->plan), LIMN_OK);
    assert_int_equal(limn_plan_run(b->plan), LIMN_OK);
    for (int i = 0; i < a->n_outputs; i++) {
        size_t n = (size_t)limn_node_count(a->output[i]);
        float *x = calloc(n, sizeof *x), *y = calloc(n, sizeof *y);
        assert_int_equal(limn_plan_get(a->plan, a->output[i], LIMN_F32, x), LIMN_OK);
        assert_int_equal(limn_plan_get(b->plan, b->output[i], LIMN_F32, y), LIMN_OK);
        assert_memory_equal(x, y, n * sizeof *x);
        free(x);
        free(y);
    }
}

static void recompute_changes_no_bit_of_a_gradient(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {DIT "depth=3", "blocks."},
        {DIT MODULATED "depth=3 classes=4 learn_sigma=1", "blocks."},
        {"mmdit depth=3 " SMALL, "blocks."},
        {"mmdit depth=3 " SMALL MODULATED "attention=joint qk_norm=1", "joint_blocks."},
        {"mmdit depth=3 " SMALL MODULATED "attention=both text_encoder=clip text_depth=2 text_heads=2 text_vocab=514", "joint_blocks."},
        {"mmdit depth=3 " SMALL MODULATED "text_encoder=clip text_depth=2 text_heads=2 text_vocab=514", "text_encoder"},
    };
    limn_ctx *ctx = limn_ctx_new();
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        for (int plain = 0; plain < 2; plain++) {
            limn_ctx_set_threads(ctx, k % 2 ? 1 : 2);
            net a = {0}, b = {0};
            net_build(&a, ctx, cases[k][0], (limn_build){.batch = 2});
            net_build(&b, ctx, cases[k][0], (limn_build){.batch = 2});
            net_loss(&a);
            net_loss(&b);
            net_plan(&a, &(limn_plan_options){.precision = LIMN_PRECISION_F32, .training = true, .no_rewrite = plain});
            net_plan(&b, &(limn_plan_options){.precision = LIMN_PRECISION_F32, .training = true, .no_rewrite = plain, .recompute = cases[k][1]});
            assert_true(limn_plan_sizes(b.plan).n_nodes > limn_plan_sizes(a.plan).n_nodes);
            same_outputs(&a, &b);
            net_free(&a);
            net_free(&b);
        }
    limn_ctx_free(ctx);
}

/* Twelve blocks: what is alive at once is one block and twelve borders, less than a third of all blocks; and the work that is done
 * twice is counted, at most one more forward pass. */
static void recompute_lowers_the_peak_and_counts_its_work(void **state)
{
    (void)state;
    static const char settings[] = DIT MODULATED "depth=12";
    limn_ctx *ctx = limn_ctx_new();
    net forward = {0}, a = {0}, b = {0};
    net_build(&forward, ctx, settings, (limn_build){.batch = 4});
    net_build(&a, ctx, settings, (limn_build){.batch = 4});
    net_build(&b, ctx, settings, (limn_build){.batch = 4});
    net_loss(&a);
    net_loss(&b);
    net_plan(&forward, &(limn_plan_options){.precision = LIMN_PRECISION_F32});
    net_plan(&a, &(limn_plan_options){.precision = LIMN_PRECISION_F32, .training = true});
    net_plan(&b, &(limn_plan_options){.precision = LIMN_PRECISION_F32, .training = true, .recompute = "blocks."});
    assert_true(peak(b.plan) < peak(a.plan) / 3);
    double more = limn_plan_sizes(b.plan).flops - limn_plan_sizes(a.plan).flops, once = limn_plan_sizes(forward.plan).flops;
    assert_true(more > 0.6 * once && more < once);
    char *text = limn_plan_text(b.plan);
    assert_non_null(strstr(text, ", again"));
    free(text);
    net_free(&forward);
    net_free(&a);
    net_free(&b);
    limn_ctx_free(ctx);
}

static void a_prefix_that_fits_no_scope_is_named(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    net n = {0};
    net_build(&n, ctx, DIT "depth=2", (limn_build){.batch = 1});
    net_loss(&n);
    limn_plan_options options = {.precision = LIMN_PRECISION_F32, .training = true, .recompute = "block_"};
    assert_int_equal(limn_plan_new(n.g, n.n_outputs, n.output, &options, &n.plan), LIMN_BAD_ARGUMENT);
    assert_null(n.plan);
    assert_non_null(strstr(limn_error_text(ctx), "\"block_\""));
    assert_non_null(strstr(limn_error_text(ctx), "blocks.0"));
    net_free(&n);
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recompute_changes_no_bit_of_a_gradient),
        cmocka_unit_test(recompute_lowers_the_peak_and_counts_its_work),
        cmocka_unit_test(a_prefix_that_fits_no_scope_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
