/* test_plan_memory.c: memory that is shared never changes a bit.  Hundreds of random graphs run twice: planned as always,
 * and with every tensor in bytes of its own. */
#include "graph/op/rows.h"
#include "model/model.h"
#include "make_source.h"
#include "plan/plan.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/rng.h"

enum { MAX_POOL = 96, MAX_COUNT = 4096, MAX_TOLD = 32 };

static void fine(limn_ctx *ctx, limn_status status)
{
    if (status != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
}

typedef struct dag {
    limn_graph *g;
    uint64_t seed, drawn;
    limn_node *pool[MAX_POOL];     /* float nodes to build on */
    int n_pool;
    limn_node *input[8], *output[MAX_TOLD];
    int n_inputs, n_outputs;
} dag;

static int64_t draw(dag *d, int64_t n)
{
    return (int64_t)((double)limn_random_uniform(d->seed, LIMN_STREAM_TEST, 99, d->drawn++) * (double)n) % n;
}

static limn_node *pick(dag *d)
{
    /* half of the time one of the youngest: long runs of one another's only user */
    return d->pool[draw(d, 2) && d->n_pool > 4 ? d->n_pool - 1 - draw(d, 4) : draw(d, d->n_pool)];
}

/* ---- one random op --------------------------------------------------------------------------------------------------- */

static limn_node *binary(dag *d, limn_node *a)
{
    limn_node *b = pick(d);
    limn_shape both;
    for (int i = 0; i < 6 && (!limn_broadcast(&a->shape, &b->shape, &both) || limn_shape_count(&both) > MAX_COUNT); i++)
        b = pick(d);
    if (!limn_broadcast(&a->shape, &b->shape, &both) || limn_shape_count(&both) > MAX_COUNT) b = a;
    switch (draw(d, 4)) {
    case 0: return limn_sub(a, b);
    case 1: return limn_clamp(limn_mul(a, b), -3, 3);
    default: return limn_add(a, b);
    }
}

static limn_node *unary(dag *d, limn_node *a)
{
    switch (draw(d, 6)) {
    case 0: return limn_affine(a, 0.75, 0.125);
    case 1: return limn_clamp(limn_square(a), -3, 3);
    case 2: return limn_clamp(a, -2, 2);
    case 3: return a->kind == LIMN_WIDE ? limn_narrow(a) : limn_widen(a);
    default: return limn_activate(a, (limn_activation)(1 + draw(d, LIMN_N_ACTIVATIONS - 1)));
    }
}

/* y = x W^T, each time with weights of its own */
static limn_node *linear(dag *d, limn_node *x, int64_t n)
{
    char name[16];
    snprintf(name, sizeof name, "linear%d", d->g->n_parameters);
    return limn_linear(d->g, name, x, n);
}

static limn_node *by_rows(dag *d, limn_node *a)
{
    int64_t cols = limn_shape_cols(&a->shape), kind = draw(d, 5);
    if (a->shape.rank < 2 || (kind > 2 && (cols > 64 || d->g->n_parameters > 12))) return limn_affine(a, -1, 0);
    char name[16];
    snprintf(name, sizeof name, "norm%d", d->g->n_parameters);
    switch (kind) {
    case 0: return limn_softmax(a);
    case 1: return limn_layer_norm(d->g, NULL, a, 1e-5);
    case 2: return limn_rms_norm(d->g, d->g->n_parameters < 12 ? name : NULL, a, 1e-5);
    case 3: return linear(d, a, cols);
    default: return limn_add(a, linear(d, limn_activate(linear(d, a, 12), LIMN_GELU_TANH), cols));
    }
}

static limn_node *moved(dag *d, limn_node *a)
{
    int64_t n = limn_node_count(a), first = a->shape.rank ? a->shape.dim[0] : 1, begin = draw(d, first);
    int last = a->shape.rank - 1;
    switch (draw(d, 7)) {
    case 0: return limn_reshape(a, LIMN_SHAPE(n));
    case 1: return n % 6 ? a : limn_reshape(a, LIMN_SHAPE(n / 6, 6));
    case 2: return n < 4 ? a : limn_part(a, draw(d, n / 2), LIMN_SHAPE(n / 2)); /* a view into the middle */
    case 3: return a->shape.rank == 2 ? limn_permute(a, 2, (int[]){1, 0}) : a;
    case 4: return first > 1 ? limn_slice(a, 0, begin, 1 + draw(d, first - begin)) : a;
    case 5: return last >= 0 && n * 2 <= MAX_COUNT ? limn_concat(d->g, last, 2, (limn_node *[]){a, a}) : a;
    default: return last >= 0 && n * 2 <= MAX_COUNT ? limn_pad(a, last, 1, 0) : a;
    }
}

/* Over pixels.  Weights of each sample may be x itself. */
static limn_node *norm_of(dag *d, limn_node *a)
{
    int64_t cols = limn_shape_cols(&a->shape);
    limn_activation activation = (limn_activation)draw(d, LIMN_N_ACTIVATIONS);
    int groups = draw(d, 2) ? 1 : (int)cols, kind = (int)draw(d, 4);
    char name[16];
    snprintf(name, sizeof name, "pixels%d", d->g->n_parameters);
    if (a->shape.rank < 2 || cols > 64) return limn_affine(a, 0.5, 0);
    if (kind == 0 && a->shape.rank == 2) return limn_group_norm_modulated(d->g, NULL, a, groups, 1e-5, a, a, activation);
    if (kind < 2 || d->g->n_parameters > 12) return limn_group_norm(d->g, NULL, a, groups, 1e-5, activation);
    if (kind == 2) return limn_group_norm(d->g, name, a, groups, 1e-5, activation);
    return limn_activate(limn_batch_norm(d->g, name, a, 1e-5), activation);
}

/* Of two channels */
static limn_node *picture_of(dag *d, limn_node *a)
{
    int64_t n = limn_node_count(a);
    char name[16];
    snprintf(name, sizeof name, "conv%d", d->g->n_parameters);
    if (n % 8) return limn_affine(a, 0.5, 0);
    limn_node *x = limn_reshape(a, LIMN_SHAPE(1, 2, n / 4, 2));
    switch (draw(d, 5)) {
    case 0: return limn_max_pool(x, 2);
    case 1: return limn_average_pool(x, 2);
    case 2: return limn_resize(x, 3, n / 4, LIMN_BILINEAR);
    default:
        return d->g->n_parameters > 12 ? limn_max_pool(x, 1)
                                       : limn_add(x, limn_activate(limn_conv(d->g, name, x, 2, 3), LIMN_RELU));
    }
}

static void grow(dag *d, int n)
{
    for (int i = 0; i < n && d->n_pool < MAX_POOL; i++) {
        limn_scope_push(d->g, "part.%d", 3 * i / n);
        limn_node *a = pick(d), *made;
        switch (draw(d, 10)) {
        case 0: case 1: case 2: made = binary(d, a); break;
        case 3: case 4: made = unary(d, a); break;
        case 5: made = by_rows(d, a); break;
        case 6: made = norm_of(d, a); break;
        case 7: made = picture_of(d, a); break;
        default: made = moved(d, a); break;
        }
        limn_scope_pop(d->g);
        d->pool[d->n_pool++] = made;
    }
}

/* ---- one random graph ------------------------------------------------------------------------------------------------ */

static void dag_open(dag *d, limn_ctx *ctx, uint64_t seed, bool training)
{
    static const int64_t sizes[][3] = {{2, 3, 8}, {2, 1, 8}, {2, 3, 1}, {1, 1, 8}};
    *d = (dag){.g = limn_graph_new(ctx), .seed = seed};
    if (training) limn_graph_train(d->g);
    for (int i = 0; i < 6; i++) {
        char name[16];
        snprintf(name, sizeof name, "in%d", i);
        d->input[i] =
            limn_input(d->g, name, LIMN_COMPUTE, limn_shape_make(3, sizes[draw(d, i < 3 ? 1 : 4)]), (limn_rate)(i % 3));
        d->pool[d->n_pool++] = d->input[i];
    }
    d->n_inputs = 6;
    d->pool[d->n_pool++] = limn_parameter(d->g, "weight", LIMN_SHAPE(8), (limn_init){0});
    grow(d, 12 + (int)draw(d, 50));
    d->output[d->n_outputs++] =
        training ? limn_mean(limn_square(limn_widen(d->pool[d->n_pool - 1]))) : d->pool[d->n_pool - 1];
    for (int i = 0; i < 5; i++) d->output[d->n_outputs++] = pick(d);
    limn_node *grads[MAX_TOLD];
    int n = d->g->n_parameters;
    assert_true(n + 6 <= MAX_TOLD);
    if (!training) return;
    fine(ctx, limn_grad(d->g, d->output[0], n, d->g->parameters, grads));
    for (int i = 0; i < n; i++)
        if (grads[i]) d->output[d->n_outputs++] = grads[i];
}

static void set(limn_run *run, limn_node *node, uint64_t sub)
{
    float values[MAX_COUNT];
    limn_random_normal(5, LIMN_STREAM_TEST, sub, 0, (size_t)limn_node_count(node), values);
    assert_int_equal(limn_run_write(run, node, LIMN_F32, values), LIMN_OK);
}

typedef struct job {
    limn_plan *plan;
    limn_run *run;
    made_source source;
    limn_store *store;
    float *weights[MAX_TOLD];
} job;

static void job_open(job *r, dag *d, const limn_plan_options *options, bool stored)
{
    limn_ctx *ctx = d->g->ctx;
    made_begin(&r->source);
    for (int i = 0; i < d->g->n_parameters; i++) {
        limn_node *p = d->g->parameters[i];
        r->weights[i] = limn_alloc_aligned((size_t)limn_node_count(p) * sizeof(float));
        limn_random_normal(6, LIMN_STREAM_TEST, (uint64_t)i, 0, (size_t)limn_node_count(p), r->weights[i]);
        made_add(&r->source, limn_node_name(p), LIMN_F32, r->weights[i]);
    }
    fine(ctx, limn_plan_new_from(ctx, d->g, d->n_outputs, d->output, options, stored ? &r->source.base : NULL, &r->plan));
    if (stored) fine(ctx, limn_store_new(ctx, limn_alloc_aligned, limn_free_aligned, &r->store));
    if (stored) fine(ctx, limn_plan_make_constants(ctx, r->plan, r->store));
    fine(ctx, limn_run_new_with(ctx, r->plan, r->store, &r->run));
    for (int i = 0; i < d->g->n_parameters && !stored; i++)
        fine(ctx, limn_run_bind(r->run, d->g->parameters[i], LIMN_F32, r->weights[i]));
    for (int i = 0; i < d->n_inputs; i++) set(r->run, d->input[i], (uint64_t)i);
}

static void job_close(job *r, const dag *d)
{
    limn_run_free(r->run);
    limn_plan_free(r->plan);
    limn_store_free(r->store);
    for (int i = 0; i < d->g->n_parameters; i++) limn_free_aligned(r->weights[i]);
}

static void assert_same(dag *d, job *a, job *b, const char *when)
{
    assert_int_equal(limn_run_execute(a->run), LIMN_OK);
    assert_int_equal(limn_run_execute(b->run), LIMN_OK);
    for (int i = 0; i < d->n_outputs; i++) {
        float x[2 * MAX_COUNT], y[2 * MAX_COUNT];
        size_t n = (size_t)limn_node_count(d->output[i]);
        assert_true(n <= 2 * MAX_COUNT);
        assert_int_equal(limn_run_read(a->run, d->output[i], LIMN_F32, x), LIMN_OK);
        assert_int_equal(limn_run_read(b->run, d->output[i], LIMN_F32, y), LIMN_OK);
        if (memcmp(x, y, n * sizeof *x) == 0) continue;
        char *text = limn_plan_text(a->plan);
        print_error("%s\n", text);
        free(text);
        fail_msg("graph %d, %s: output %d (%s) differs", (int)d->seed, when, i, limn_node_name(d->output[i]));
    }
}

/* All anew, then with one input changed per rate: what was not computed again must still be there. */
static void compare(dag *d, const limn_plan_options *always, const limn_plan_options *apart, bool stored)
{
    job a = {0}, b = {0};
    job_open(&a, d, always, stored);
    job_open(&b, d, apart, false);
    assert_same(d, &a, &b, "all");
    for (int i = 2; i >= 0; i--) {
        set(a.run, d->input[i], (uint64_t)(i + 50));
        set(b.run, d->input[i], (uint64_t)(i + 50));
        assert_same(d, &a, &b, i == 2 ? "new step" : i == 1 ? "new prompt" : "new constant");
    }
    job_close(&a, d);
    job_close(&b, d);
}

static limn_ctx *one_thread(void)
{
    limn_ctx *ctx = limn_ctx_new();
    limn_ctx_set_threads(ctx, 1);
    return ctx;
}

static void shared_bytes_change_no_bit(void **state)
{
    (void)state;
    limn_ctx *ctx = one_thread();
    for (uint64_t seed = 0; seed < 400; seed++) {
        dag d;
        dag_open(&d, ctx, seed, false);
        limn_plan_options o = {.precision = seed % 3 ? LIMN_PRECISION_F32 : LIMN_PRECISION_BF16,
                               .no_rewrite = seed % 5 == 0},
                          apart = o;
        apart.no_reuse = true;
        compare(&d, &o, &apart, seed % 2);
        limn_graph_free(d.g);
    }
    limn_ctx_free(ctx);
}

static void shared_and_recomputed_bytes_change_no_gradient(void **state)
{
    (void)state;
    limn_ctx *ctx = one_thread();
    for (uint64_t seed = 1000; seed < 1200; seed++) {
        dag d;
        dag_open(&d, ctx, seed, true);
        limn_plan_options o = {.precision = seed % 3 ? LIMN_PRECISION_F32 : LIMN_PRECISION_BF16,
                               .training = true,
                               .no_rewrite = seed % 5 == 0},
                          apart = o;
        apart.no_reuse = true;
        if (seed % 2) o.recompute = "part.";
        compare(&d, &o, &apart, false);
        limn_graph_free(d.g);
    }
    limn_ctx_free(ctx);
}

/* ---- single rules ---------------------------------------------------------------------------------------------------- */

static size_t activation_bytes(limn_graph *g, limn_node *output, bool apart)
{
    limn_plan *plan;
    limn_plan_options o = {.precision = LIMN_PRECISION_F32, .no_rewrite = true, .no_reuse = apart};
    fine(g->ctx, limn_plan_new(g, 1, &output, &o, &plan));
    size_t bytes = limn_plan_sizes(plan).activation_bytes;
    limn_plan_free(plan);
    return bytes;
}

/* Input, then one tensor that every step overwrites. */
static void a_result_takes_the_bytes_of_a_dying_source(void **state)
{
    (void)state;
    limn_ctx *ctx = one_thread();
    limn_graph *g = limn_graph_new(ctx);
    limn_node *in = limn_input(g, "x", LIMN_COMPUTE, LIMN_SHAPE(4, 64), LIMN_PER_STEP), *x = in;
    x = limn_layer_norm(g, NULL, limn_clamp(limn_square(limn_affine(x, 2, 1)), -1, 1), 1e-5);
    x = limn_softmax(limn_add(x, limn_reshape(limn_reshape(x, LIMN_SHAPE(256)), LIMN_SHAPE(4, 64))));
    assert_int_equal(activation_bytes(g, x, false), 2 * 4 * 64 * 4);
    assert_int_equal(activation_bytes(g, x, true), 7 * 4 * 64 * 4);
    /* not over the input, whose value must outlive the run, nor over a source that is read once more */
    limn_node *y = limn_add(limn_exp(in), limn_square(in));
    assert_int_equal(activation_bytes(g, y, false), 3 * 4 * 64 * 4);
    limn_graph_free(g);
    limn_ctx_free(ctx);
}

/* x + its own first row: writing row 0 in place would change what the other rows add. */
static void bytes_that_are_read_in_another_shape_are_not_overwritten(void **state)
{
    (void)state;
    limn_ctx *ctx = one_thread();
    limn_graph *g = limn_graph_new(ctx);
    limn_node *in = limn_input(g, "x", LIMN_COMPUTE, LIMN_SHAPE(3, 8), LIMN_PER_STEP), *x = limn_affine(in, 2, 0);
    limn_node *y = limn_add(x, limn_part(x, 0, LIMN_SHAPE(8)));
    limn_plan *plan;
    limn_run *run;
    limn_plan_options o = {.precision = LIMN_PRECISION_F32, .no_rewrite = true};
    fine(ctx, limn_plan_new(g, 1, &y, &o, &plan));
    fine(ctx, limn_run_new(plan, &run));
    float values[24], sums[24];
    for (int i = 0; i < 24; i++) values[i] = (float)(i + 1);
    fine(ctx, limn_run_write(run, in, LIMN_F32, values));
    fine(ctx, limn_run_execute(run));
    fine(ctx, limn_run_read(run, y, LIMN_F32, sums));
    for (int i = 0; i < 24; i++) assert_true(sums[i] == 2 * values[i] + 2 * values[i % 8]);
    limn_run_free(run);
    limn_plan_free(plan);
    limn_graph_free(g);
    limn_ctx_free(ctx);
}

/* ---- how good the offsets are ----------------------------------------------------------------------------------------- */

/* The most bytes that are alive at one step: no placement can need fewer. */
static size_t lower_bound(const limn_plan *plan)
{
    size_t most = 0;
    for (int i = -1; i < plan->n_steps; i++) {
        size_t sum = 0;
        for (int k = 0; k < plan->n_tensors; k++) {
            const limn_tensor *t = &plan->tensors[k];
            if (t->place == LIMN_PLACE_SLAB && t->born <= i && t->dies >= i)
                sum += (t->bytes + LIMN_ALIGN - 1) / LIMN_ALIGN * LIMN_ALIGN;
        }
        if (sum > most) most = sum;
    }
    return most;
}

static void the_slab_is_within_a_twentieth_of_the_lower_bound(void **state)
{
    (void)state;
    static const struct {
        const char *network, *settings;
        int batch;
        bool training;
        const char *recompute;
    } cases[] = {
        {"dit-b/2", "", 8, false, NULL},
        {"dit-b/2", "", 8, true, NULL},
        {"dit-b/2", "", 8, true, "blocks."},
        {"mmdit-emoji", "", 64, true, NULL},
        {"mmdit-emoji", "", 64, true, "blocks."},
        {"mmdit", "attention=joint conditioning=modulated norm=pre qk_norm=1", 16, false, NULL},
        {"mmdit", "attention=joint conditioning=modulated norm=pre qk_norm=1", 16, true, NULL},
        {"mmdit", "attention=joint conditioning=modulated norm=pre qk_norm=1", 16, true, "joint_blocks."},
        {"mmdit", "", 16, true, NULL},
    };
    limn_ctx *ctx = one_thread();
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        limn_settings s;
        limn_ports ports;
        limn_plan *plan;
        char text[2048], whole[1024];
        fine(ctx, limn_settings_find(ctx, cases[k].network, &s));
        snprintf(text, sizeof text, "%s %s", limn_settings_text(&s, whole), cases[k].settings);
        fine(ctx, limn_settings_parse(ctx, text, &s));
        limn_graph *g = limn_graph_new(ctx);
        fine(ctx,
             limn_model_build(g, &s, (limn_build){.batch = cases[k].batch, .n_steps = cases[k].training ? 0 : 20}, &ports));
        limn_node *output[1024] = {ports.output}, *grads[1024];
        int n = 1, n_parameters = g->n_parameters;
        assert_true(n_parameters < 1000);
        if (cases[k].training) {
            output[0] = limn_mean(limn_square(limn_widen(ports.output)));
            fine(ctx, limn_grad(g, output[0], n_parameters, g->parameters, grads));
            for (int i = 0; i < n_parameters; i++)
                if (grads[i] && !g->parameters[i]->init.frozen) output[n++] = grads[i];
        }
        limn_plan_options o = {.precision = LIMN_PRECISION_F32,
                               .training = cases[k].training,
                               .first_bound = cases[k].training,
                               .recompute = cases[k].recompute,
                               .memory_limit = (size_t)1 << 46};
        fine(ctx, limn_plan_new(g, n, output, &o, &plan));
        double bound = (double)lower_bound(plan), bytes = (double)plan->slab_bytes;
        if (bytes < bound || bytes > 1.05 * bound)
            fail_msg("%s %s: %.2f MB, lower bound %.2f MB", cases[k].network, cases[k].settings, bytes * 1e-6, bound * 1e-6);
        limn_plan_free(plan);
        limn_graph_free(g);
    }
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shared_bytes_change_no_bit),
        cmocka_unit_test(shared_and_recomputed_bytes_change_no_gradient),
        cmocka_unit_test(a_result_takes_the_bytes_of_a_dying_source),
        cmocka_unit_test(bytes_that_are_read_in_another_shape_are_not_overwritten),
        cmocka_unit_test(the_slab_is_within_a_twentieth_of_the_lower_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
