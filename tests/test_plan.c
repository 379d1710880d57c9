/* test_plan.c: what a plan promises: recompute, phases, precision, a direct index, no allocation in a run. */
#include "make_source.h"
#include "model/model.h"
#include "plan/plan.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "backend/cpu/rows.h"
#include "base/rng.h"

/* ---- a network in training ------------------------------------------------------------------------------------------ */

enum { MAX_OUTPUTS = 512 };

typedef struct net {
    limn_graph *g;
    limn_ports ports;
    limn_node *target, *output[MAX_OUTPUTS];
    int n_outputs;
    limn_plan *plan;
    limn_run *run;
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

/* All inputs but one; NULL: all. */
static void net_inputs_but(net *n, const limn_node *left_out)
{
    for (int i = 0; i < n->g->n_nodes; i++) {
        limn_node *node = n->g->nodes[i];
        if (node->op != LIMN_OP_INPUT || node == left_out) continue;
        float values[8192];
        int32_t ids[8192];
        int64_t count = limn_node_count(node);
        assert_true(count <= 8192);
        fill(values, count, limn_hash_name(node->name), 1);
        for (int64_t k = 0; k < count; k++) {
            ids[k] = (int32_t)(k % 3);
            if (node == n->ports.timesteps) values[k] = 900.0f / (float)(k + 1);
        }
        assert_int_equal(node->kind == LIMN_INDEX ? limn_run_write(n->run, node, LIMN_I32, ids)
                                                  : limn_run_write(n->run, node, LIMN_F32, values),
                         LIMN_OK);
    }
}

static void net_inputs(net *n)
{
    net_inputs_but(n, NULL);
}

/* Weights and inputs by name and by rule, so that two plans of one network see the same numbers. */
static void net_plan_weights(net *n, const limn_plan_options *options)
{
    assert_int_equal(limn_plan_new(n->g, n->n_outputs, n->output, options, &n->plan), LIMN_OK);
    assert_int_equal(limn_run_new(n->plan, &n->run), LIMN_OK);
    for (int i = 0; i < n->g->n_parameters; i++) {
        limn_node *p = n->g->parameters[i];
        n->weights[i] = limn_alloc_aligned((size_t)limn_node_count(p) * sizeof(float));
        fill(n->weights[i], limn_node_count(p), limn_hash_name(limn_node_name(p)), 0.2f);
        assert_int_equal(limn_run_bind(n->run, p, LIMN_F32, n->weights[i]), LIMN_OK);
    }
}

static void net_plan(net *n, const limn_plan_options *options)
{
    net_plan_weights(n, options);
    net_inputs(n);
}

static void net_free(net *n)
{
    limn_run_free(n->run);
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
    assert_int_equal(limn_run_execute(a->run), LIMN_OK);
    assert_int_equal(limn_run_execute(b->run), LIMN_OK);
    for (int i = 0; i < a->n_outputs; i++) {
        size_t n = (size_t)limn_node_count(a->output[i]);
        float *x = calloc(n, sizeof *x), *y = calloc(n, sizeof *y);
        assert_int_equal(limn_run_read(a->run, a->output[i], LIMN_F32, x), LIMN_OK);
        assert_int_equal(limn_run_read(b->run, b->output[i], LIMN_F32, y), LIMN_OK);
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
        {"mmdit depth=3 " SMALL MODULATED "attention=both text_encoder=clip text_depth=2 text_heads=2 text_vocab=514",
         "joint_blocks."},
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
            net_plan(&b,
                     &(limn_plan_options){
                         .precision = LIMN_PRECISION_F32, .training = true, .no_rewrite = plain, .recompute = cases[k][1]});
            assert_true(limn_plan_sizes(b.plan).n_nodes > limn_plan_sizes(a.plan).n_nodes);
            same_outputs(&a, &b);
            net_free(&a);
            net_free(&b);
        }
    limn_ctx_free(ctx);
}

/* Twelve blocks: what is alive at once is one block and twelve borders, less than a third of all blocks; and the work that
 * is done twice is counted, at most one more forward pass. */
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

/* ---- rates ---------------------------------------------------------------------------------------------------------- */

static int steps_from(const limn_plan *plan, limn_rate lowest)
{
    int n = 0;
    for (int i = 0; i < plan->n_steps; i++) n += plan->steps[i].phase >= lowest;
    return n;
}

static int runs(limn_run *run)
{
    assert_int_equal(limn_run_execute(run), LIMN_OK);
    return limn_run_executed(run);
}

static void a_run_starts_at_the_rate_of_what_changed(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_ctx_set_threads(ctx, 1);
    net n = {0};
    net_build(&n, ctx, "mmdit depth=2 " SMALL MODULATED "text_encoder=clip text_depth=1 text_heads=2 text_vocab=514",
              (limn_build){.batch = 2, .n_steps = 4});
    net_plan(&n, &(limn_plan_options){.precision = LIMN_PRECISION_F32});
    int all = steps_from(n.plan, LIMN_CONSTANT), prompt = steps_from(n.plan, LIMN_PER_PROMPT),
        step = steps_from(n.plan, LIMN_PER_STEP);
    assert_true(0 < step && step < prompt && prompt < all);
    assert_int_equal(runs(n.run), all);
    assert_int_equal(runs(n.run), 0);
    limn_run_touch(n.run, n.ports.image);
    assert_int_equal(runs(n.run), step);
    limn_run_write(n.run, n.ports.step, LIMN_I32, (int32_t[]){2});
    assert_int_equal(runs(n.run), step);
    /* of what is made once per prompt only what the changed input leads to */
    limn_run_touch(n.run, n.ports.ids);
    int text = runs(n.run);
    assert_true(step < text && text < prompt);
    limn_run_touch(n.run, n.ports.timesteps);
    limn_run_touch(n.run, n.ports.image);
    int times = runs(n.run);
    assert_true(step < times && times < prompt);
    limn_run_touch(n.run, n.ports.ids);
    limn_run_touch(n.run, n.ports.text_end);
    limn_run_touch(n.run, n.ports.timesteps);
    assert_int_equal(runs(n.run), prompt);
    limn_run_touch(n.run, n.g->parameters[0]);
    assert_int_equal(runs(n.run), all - 1); /* but for the sinusoids of the timesteps, in which no parameter plays a part */
    net_free(&n);
    limn_ctx_free(ctx);
}

enum { ON_IMAGE = 1, ON_STEP = 2, ON_PROMPT = 4 };

/* What a node of the plan depends on, by id. */
static void dependence(const net *n, int *on)
{
    for (int i = 0; i < n->plan->graph->n_nodes; i++) {
        const limn_node *node = n->plan->graph->nodes[i];
        on[i] = node->op != LIMN_OP_INPUT          ? 0
                : node->made == n->ports.image->id ? ON_IMAGE
                : node->made == n->ports.step->id  ? ON_STEP
                                                   : ON_PROMPT;
        for (int s = 0; s < node->n_src; s++) on[i] |= on[node->src[s]->id];
    }
}

/* Of what runs every step all depends on the picture, save two things: picking a row of a table that was made per prompt,
 * and in joint attention the text side of the first block, whose modulation is another one at each step. */
static void per_step_work_depends_on_the_picture(void **state)
{
    (void)state;
    static const char *const forms[] = {
        "mmdit depth=3 " SMALL,
        "mmdit depth=3 " SMALL MODULATED,
        "mmdit depth=3 " SMALL MODULATED "attention=joint qk_norm=1",
        "mmdit depth=3 " SMALL MODULATED "attention=both",
        DIT "depth=3",
        DIT MODULATED "depth=3 classes=5",
    };
    limn_ctx *ctx = limn_ctx_new();
    for (size_t k = 0; k < sizeof forms / sizeof *forms; k++) {
        net n = {0};
        net_build(&n, ctx, forms[k], (limn_build){.batch = 2, .n_steps = 4});
        net_plan(&n, &(limn_plan_options){.precision = LIMN_PRECISION_F32});
        int on[2048], n_text = 0;
        assert_true(n.plan->graph->n_nodes < 2048);
        dependence(&n, on);
        for (int i = 0; i < n.plan->n_steps; i++) {
            const limn_step *step = &n.plan->steps[i];
            const limn_node *node = n.plan->tensors[step->dst].node;
            bool text_keys = strstr(node->scope->path, "cross_attn") && !(on[node->id] & ON_IMAGE) &&
                             node->op == LIMN_OP_LINEAR && !step->is_pack;
            n_text += text_keys;
            if (text_keys) assert_int_equal(step->phase, LIMN_PER_PROMPT);
            if (step->phase != LIMN_PER_STEP || on[node->id] & ON_IMAGE) continue;
            bool row = node->op == LIMN_OP_GATHER && node->src[1]->made == n.ports.step->id,
                 modulated = on[node->id] & ON_STEP;
            if (!row && !(modulated && strncmp(node->scope->path, "joint_blocks.0.context_block", 28) == 0))
                fail_msg("%s: %s of %s runs at every step", forms[k], limn_op_name(node->op), node->scope->path);
        }
        assert_int_equal(n_text, k == 2 || k > 3 ? 0 : 3); /* one product of keys and values per block */
        net_free(&n);
    }
    limn_ctx_free(ctx);
}

/* Each input in turn is left out: the run is refused with its name, and goes through once that is set, too. */
static void a_run_names_the_input_that_was_never_set(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    int n_inputs = 0;
    for (bool more = true; more; n_inputs++) {
        net n = {0};
        char sentence[64];
        limn_node *left_out = NULL;
        net_build(&n, ctx, "mmdit depth=1 " SMALL MODULATED "text_encoder=clip text_depth=1 text_heads=2 text_vocab=514",
                  (limn_build){.batch = 1, .n_steps = 4});
        net_plan_weights(&n, &(limn_plan_options){.precision = LIMN_PRECISION_F32});
        for (int i = 0, k = 0; i < n.plan->graph->n_nodes; i++)
            if (n.plan->graph->nodes[i]->op == LIMN_OP_INPUT && k++ == n_inputs)
                left_out = n.g->nodes[n.plan->graph->nodes[i]->made];
        more = left_out != NULL;
        net_inputs_but(&n, left_out);
        if (more) limn_run_touch(n.run, left_out); /* of a value that nobody gave */
        snprintf(sentence, sizeof sentence, "input %s has no value", more ? limn_node_name(left_out) : "");
        limn_status status = limn_run_execute(n.run);
        if (status != (more ? LIMN_BAD_ARGUMENT : LIMN_OK) || (more && !strstr(limn_error_text(ctx), sentence)))
            fail_msg("expected \"%s\", found %s: %s", more ? sentence : "a run", limn_status_name(status),
                     limn_error_text(ctx));
        float value[4096];
        assert_true(!more || limn_node_count(left_out) <= 4096);
        if (more)
            assert_int_equal(limn_run_read(n.run, left_out, LIMN_F32, value),
                             LIMN_BAD_ARGUMENT); /* what it would read is nobody's */
        net_inputs(&n);
        assert_int_equal(limn_run_execute(n.run), LIMN_OK);
        net_free(&n);
    }
    assert_true(n_inputs > 4);
    limn_ctx_free(ctx);
}

/* ---- precision, index ------------------------------------------------------------------------------------------------ */

static void precision_names_its_reason(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    bool native = false, slow = false;
#if defined(__x86_64__)
    native = __builtin_cpu_supports("avx512bf16");
    slow = native && __builtin_cpu_is("intel") && limn_isa_refuse(LIMN_ISA_AMX);
#endif
    const char *run = native ? "precision auto: bf16, this CPU multiplies bf16 natively\n"
                             : "precision auto: f32, this CPU does not multiply bf16 natively\n",
               *often = slow ? "precision auto: f32, this CPU multiplies bf16 more slowly than f32\n" : run;
    const struct {
        limn_precision asked;
        bool training, repeated;
        const char *expected;
    } rows[] = {
        {LIMN_PRECISION_AUTO, false, false, run},
        {LIMN_PRECISION_AUTO, true, false, often},
        {LIMN_PRECISION_AUTO, false, true, often},
        {LIMN_PRECISION_BF16, true, false,
         slow     ? "precision bf16, as asked; f32 is faster, this CPU multiplies bf16 more slowly than f32\n"
         : native ? "precision bf16, as asked\n"
                  : "precision bf16, as asked; f32 is faster, this CPU does not multiply bf16 natively\n"},
        {LIMN_PRECISION_F32, true, false, "precision f32, as asked\n"},
        {LIMN_PRECISION_F64, false, false, "precision f64, as asked\n"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        net n = {0};
        net_build(&n, ctx, DIT "depth=1", (limn_build){.batch = 1});
        limn_plan_options options = {.precision = rows[i].asked, .training = rows[i].training,
                                     .repeated = rows[i].repeated};
        assert_int_equal(limn_plan_new(n.g, 1, n.output, &options, &n.plan), LIMN_OK);
        assert_int_equal(limn_run_new(n.plan, &n.run), LIMN_OK);
        char *text = limn_plan_text(n.plan);
        if (strncmp(text, rows[i].expected, strlen(rows[i].expected)) != 0) fail_msg("%s: %.200s", rows[i].expected, text);
        free(text);
        limn_run_free(n.run);
        limn_plan_free(n.plan);
        limn_graph_free(n.g);
    }
    limn_ctx_free(ctx);
}

static void only_leaves_and_outputs_of_its_own_graph_have_memory(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    net a = {0}, b = {0};
    net_build(&a, ctx, DIT "depth=1", (limn_build){.batch = 1});
    net_build(&b, ctx, DIT "depth=1", (limn_build){.batch = 1});
    net_plan(&a, &(limn_plan_options){.precision = LIMN_PRECISION_F32});
    static float x[65536];
    assert_int_equal(limn_run_execute(a.run), LIMN_OK);
    assert_int_equal(limn_run_read(a.run, a.g->parameters[0], LIMN_F32, x), LIMN_OK);
    assert_memory_equal(x, a.weights[0], (size_t)limn_node_count(a.g->parameters[0]) * sizeof *x);
    assert_int_equal(limn_run_read(a.run, b.ports.image, LIMN_F32, x), LIMN_BAD_ARGUMENT);
    assert_int_equal(limn_run_read(a.run, limn_exp(a.ports.output), LIMN_F32, x),
                     LIMN_BAD_ARGUMENT); /* made after the plan */
    for (int i = 0; i < a.g->n_nodes - 1; i++) {
        const limn_node *node = a.g->nodes[i];
        bool seen = node->op == LIMN_OP_INPUT || node->op == LIMN_OP_PARAMETER || node == a.ports.output;
        assert_true(limn_node_count(node) <= 65536);
        assert_true(seen == (limn_run_read(a.run, node, LIMN_F32, x) == LIMN_OK));
    }
    net_free(&a);
    net_free(&b);
    limn_ctx_free(ctx);
}

/* Rows beyond 32 bits: the reason of the kernel that cannot count them, and no crash. */
static void a_product_of_too_many_rows_is_told_by_its_kernel(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_graph *g = limn_graph_new(ctx);
    limn_plan *plan;
    limn_run *run;
    limn_node *x = limn_input(g, "x", LIMN_COMPUTE, LIMN_SHAPE((int64_t)1 << 20, 1 << 14, 8), LIMN_PER_STEP),
              *y = limn_linear(g, "proj", limn_exp(x), 8);
    limn_plan_options options = {.precision = LIMN_PRECISION_BF16, .memory_limit = SIZE_MAX};
    assert_int_equal(limn_plan_new(g, 1, &y, &options, &plan), LIMN_OK);
    assert_int_equal(limn_run_new(plan, &run), LIMN_OK);
    char *text = limn_plan_text(plan);
    assert_true(strstr(text, "onednn: oneDNN counts rows and columns in 32 bits") ||
                strstr(text, "onednn: bf16 products need AVX-512, which oneDNN does not use here"));
    free(text);
    limn_run_free(run);
    limn_plan_free(plan);
    limn_graph_free(g);
    limn_ctx_free(ctx);
}

/* ---- weights in a store ----------------------------------------------------------------------------------------------- */

static const char stored_settings[] =
    "mmdit depth=3 " SMALL MODULATED "text_encoder=clip text_depth=2 text_heads=2 text_vocab=514";

/* A network whose weights are those of `bound`, every other one as bf16. */
static void make_halves(made_source *source, net *bound, uint16_t **half)
{
    made_begin(source);
    for (int i = 0; i < bound->g->n_parameters; i++) {
        const limn_node *p = bound->g->parameters[i];
        size_t n = (size_t)limn_node_count(p);
        half[i] = malloc(n * sizeof **half);
        limn_convert(bound->weights[i], LIMN_F32, half[i], LIMN_BF16, n);
        limn_convert(half[i], LIMN_BF16, bound->weights[i], LIMN_F32, n);
        if (i % 2) made_add(source, limn_node_name(p), LIMN_BF16, half[i]);
        else made_add(source, limn_node_name(p), LIMN_F32, bound->weights[i]);
    }
}

static int n_blocks; /* of stores, that are allocated */

static void *block_new(size_t bytes)
{
    n_blocks++;
    return limn_alloc_aligned(bytes);
}

static void block_free(void *block)
{
    n_blocks--;
    limn_free_aligned(block);
}

static limn_store_key key_of(uint64_t what, size_t bytes)
{
    return (limn_store_key){.what = what, .dtype = LIMN_U8, .bytes = bytes};
}

/* Values that were reserved for lie in one block, in order and aligned; what is cut is given back. */
static void a_store_allocates_once_for_many_values(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_store *s;
    unsigned char *at[4];
    limn_store_key keys[] = {key_of(1, 100), key_of(2, 64), key_of(3, 1), key_of(4, 5)};
    assert_int_equal(limn_store_new(ctx, block_new, block_free, &s), LIMN_OK);
    assert_true(limn_store_reserve(s, 128 + 64 + 64));
    for (int i = 0; i < 3; i++) at[i] = limn_store_add(s, &keys[i]);
    assert_int_equal(n_blocks, 1);
    assert_true(at[1] == at[0] + 128 && at[2] == at[1] + 64 && (uintptr_t)at[0] % 64 == 0);
    at[3] = limn_store_add(s, &keys[3]); /* there is no room left for it */
    assert_int_equal(n_blocks, 2);
    memset(at[3], 4, 5);
    for (int i = 0; i < 4; i++) assert_ptr_equal(limn_store_find(s, &keys[i]), at[i]);
    assert_int_equal(limn_store_bytes(s), 100 + 64 + 1 + 5);
    limn_store_cut(s, 2);
    assert_int_equal(n_blocks, 1);
    assert_null(limn_store_find(s, &keys[2]));
    assert_ptr_equal(limn_store_add(s, &keys[3]), at[2]);
    assert_int_equal(n_blocks, 1);
    limn_store_clear(s);
    assert_int_equal(n_blocks, 0);
    assert_int_equal(limn_store_bytes(s), 0);
    assert_true(limn_store_reserve(s, 64)); /* and nothing is added */
    limn_store_cut(s, 0);
    assert_int_equal(n_blocks, 0);
    limn_store_free(s);
    limn_ctx_free(ctx);
}

static void net_stored(net *n, limn_ctx *ctx, int batch, const made_source *source, limn_store *store)
{
    limn_plan_options options = {.precision = LIMN_PRECISION_F32};
    net_build(n, ctx, stored_settings, (limn_build){.batch = batch, .n_steps = 4});
    assert_int_equal(limn_plan_new_from(ctx, n->g, 1, n->output, &options, &source->base, &n->plan), LIMN_OK);
    assert_int_equal(limn_run_new_with(ctx, n->plan, store, &n->run), LIMN_OK);
    net_inputs(n);
}

static void stored_free(net *n)
{
    limn_run_free(n->run);
    limn_plan_free(n->plan);
    limn_graph_free(n->g);
}

/* They exist once, in the layout of their kernels, and give the same bits as bound ones: from f32 and from bf16.  Another
 * batch finds them there. */
static void stored_weights_exist_once_and_change_no_bit(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_ctx_set_threads(ctx, 1);
    net bound = {0}, own = {0}, wide = {0}, wide_bound = {0};
    static made_source source;
    limn_store *store;
    uint16_t *half[MADE_TENSORS];
    net_build(&bound, ctx, stored_settings, (limn_build){.batch = 2, .n_steps = 4});
    net_plan(&bound, &(limn_plan_options){.precision = LIMN_PRECISION_F32});
    make_halves(&source, &bound, half);
    assert_int_equal(limn_store_new(ctx, block_new, block_free, &store), LIMN_OK);
    net_stored(&own, ctx, 2, &source, store);
    assert_int_equal(limn_run_execute(own.run), LIMN_BAD_ARGUMENT);
    assert_non_null(strstr(limn_error_text(ctx), "the store does not hold"));
    assert_int_equal(limn_plan_make_constants(ctx, own.plan, store), LIMN_OK);
    assert_int_equal(n_blocks, 1);
    same_outputs(&bound, &own);
    limn_plan_size a = limn_plan_sizes(bound.plan), b = limn_plan_sizes(own.plan);
    assert_true(peak(own.plan) <= peak(bound.plan) &&
                b.weight_bytes < a.weight_bytes / 2); /* what is left: biases, norms, the token table */
    size_t bytes = limn_store_bytes(store), packed = limn_ctx_counters(ctx).bytes_packed;
    int reads = source.n_reads;
    assert_true(reads > 20 && packed > 0);
    assert_true(bytes <= b.packed_bytes + b.weight_bytes && bytes >= (b.packed_bytes + b.weight_bytes) * 9 / 10);
    net_stored(&wide, ctx, 5, &source, store);
    assert_int_equal(limn_plan_make_constants(ctx, wide.plan, store), LIMN_OK);
    net_build(&wide_bound, ctx, stored_settings, (limn_build){.batch = 5, .n_steps = 4});
    assert_int_equal(limn_plan_new(wide_bound.g, 1, wide_bound.output, &(limn_plan_options){.precision = LIMN_PRECISION_F32},
                                   &wide_bound.plan),
                     LIMN_OK);
    assert_int_equal(limn_run_new(wide_bound.plan, &wide_bound.run), LIMN_OK);
    for (int i = 0; i < bound.g->n_parameters; i++)
        limn_run_bind(wide_bound.run, wide_bound.g->parameters[i], LIMN_F32, bound.weights[i]);
    net_inputs(&wide_bound);
    same_outputs(&wide_bound, &wide);
    assert_int_equal(limn_store_bytes(store), bytes);
    assert_int_equal(limn_ctx_counters(ctx).bytes_packed, packed);
    assert_int_equal(source.n_reads, reads);
    assert_int_equal(limn_run_write(own.run, own.g->parameters[0], LIMN_F32, bound.weights[0]), LIMN_BAD_ARGUMENT);
    stored_free(&own);
    stored_free(&wide);
    stored_free(&wide_bound);
    assert_int_equal(n_blocks, 1);
    limn_store_free(store);
    assert_int_equal(n_blocks, 0);
    for (int i = 0; i < bound.g->n_parameters; i++) free(half[i]);
    net_free(&bound);
    limn_ctx_free(ctx);
}

static void stored_weights_are_refused_in_training(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    net n = {0};
    static made_source source;
    made_begin(&source);
    net_build(&n, ctx, DIT "depth=1", (limn_build){.batch = 1});
    assert_int_equal(
        limn_plan_new_from(ctx, n.g, 1, n.output, &(limn_plan_options){.training = true}, &source.base, &n.plan),
        LIMN_BAD_ARGUMENT);
    assert_null(n.plan);
    net_free(&n);
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recompute_changes_no_bit_of_a_gradient),
        cmocka_unit_test(recompute_lowers_the_peak_and_counts_its_work),
        cmocka_unit_test(a_prefix_that_fits_no_scope_is_named),
        cmocka_unit_test(a_run_starts_at_the_rate_of_what_changed),
        cmocka_unit_test(per_step_work_depends_on_the_picture),
        cmocka_unit_test(a_run_names_the_input_that_was_never_set),
        cmocka_unit_test(a_store_allocates_once_for_many_values),
        cmocka_unit_test(stored_weights_exist_once_and_change_no_bit),
        cmocka_unit_test(stored_weights_are_refused_in_training),
        cmocka_unit_test(precision_names_its_reason),
        cmocka_unit_test(only_leaves_and_outputs_of_its_own_graph_have_memory),
        cmocka_unit_test(a_product_of_too_many_rows_is_told_by_its_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
