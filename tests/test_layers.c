/* test_layers.c: every layer of tiny networks against PyTorch (oracle/layer_vectors.py, autoencoder_vectors.py), which
 * itself agreed with diffusers and transformers: the reference in double, the CPU's kernels in f32. */
#include "formula.h"
#include "graph/node.h"
#include "make_source.h"
#include "model/model.h"
#include "plan/plan.h"
#include "train/weights.h"
#include "vectors/dialects.h"
#include "vectors/layers.h"
#include "vectors/diffusion_unets.h"
#include "vectors/autoencoders.h"
#include "vectors/pixart.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

enum { MAX_LAYERS = 16 };

typedef struct net {
    limn_graph *g;
    limn_ports ports;
    limn_node *layer[MAX_LAYERS];
    limn_plan *plan;
    limn_run *run;
    made_source source;
    limn_store *store; /* NULL: parameters are bound */
    void *weight[MADE_TENSORS];
} net;

static bool inside(const limn_scope *scope, const char *path)
{
    for (; scope; scope = scope->parent)
        if (!strcmp(scope->path, path)) return true;
    return false;
}

/* What a block gives is the node made last in it. */
static limn_node *last_of(const net *t, const char *path)
{
    if (!strcmp(path, "pooled")) return t->ports.pooled_text;
    if (!strcmp(path, "output") || !strcmp(path, "final_layer") || !strcmp(path, "text_model.final_layer_norm"))
        return t->ports.output;
    for (int i = t->g->n_nodes - 1; i >= 0; i--)
        if (inside(t->g->nodes[i]->scope, path)) return t->g->nodes[i];
    fail_msg("no scope \"%s\"", path);
    return NULL;
}

static void give(net *t, limn_node *node, const char *name)
{
    if (!node) return;
    int64_t n = limn_node_count(node);
    float *x = malloc((size_t)n * sizeof *x);
    formula_fill(name, n, 1, x);
    assert_int_equal(limn_run_write(t->run, node, LIMN_F32, x), LIMN_OK);
    free(x);
}

static void set_inputs(net *t, const limn_settings *s)
{
    give(t, t->ports.image, "input.image");
    give(t, t->ports.noise, "input.noise");
    give(t, t->ports.condition, "input.condition");
    give(t, t->ports.features, "input.features");
    if (t->ports.mask) limn_run_write(t->run, t->ports.mask, LIMN_F32, (float[]){1, 1, 1, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0});
    if (t->ports.resolution)
        limn_run_write(t->run, t->ports.resolution, LIMN_F32, (float[]){512, 768, 512 / 768.0f, 1024, 640, 1.6f});
    if (t->ports.features && t->ports.pooled_text) give(t, t->ports.pooled_text, "input.pooled");
    if (t->ports.timesteps) limn_run_write(t->run, t->ports.timesteps, LIMN_F32, (float[]){100, 725});
    if (t->ports.label) limn_run_write(t->run, t->ports.label, LIMN_I32, (int32_t[]){3, limn_model_interface(s).classes});
    if (!t->ports.ids) return;
    int v = limn_model_interface(s).vocabulary;
    int32_t ids[14] = {v - 2, 5, 77, 301, v - 1, v - 1, v - 1, v - 2, 9, v - 1, v - 1, v - 1, v - 1, v - 1};
    limn_run_write(t->run, t->ports.ids, LIMN_I32, ids);
    limn_run_write(t->run, t->ports.text_end, LIMN_I32, (int32_t[]){4, 7 + 2});
}

static void make_weight(net *t, int i, const limn_plan_options *options)
{
    limn_node *p = t->g->parameters[i];
    size_t n = (size_t)limn_node_count(p);
    limn_dtype dtype = options->precision == LIMN_PRECISION_F64 ? LIMN_F64 : LIMN_F32;
    float *x = malloc(n * sizeof *x);
    if (p->init.frozen) limn_init_fill(&(limn_wanted){.name = p->name, .shape = p->shape, .init = &p->init}, 0, x);
    else formula_weight(limn_node_name(p), (int64_t)n, x);
    t->weight[i] = limn_alloc_aligned(n * limn_dtype_bytes(dtype));
    limn_convert(x, LIMN_F32, t->weight[i], dtype, n);
    made_add(&t->source, p->name, dtype, t->weight[i]);
    free(x);
}

static void close_net(net *t)
{
    limn_run_free(t->run);
    limn_plan_free(t->plan);
    for (int i = 0; i < t->g->n_parameters; i++) limn_free_aligned(t->weight[i]);
    limn_graph_free(t->g);
    limn_store_free(t->store);
}

/* PixArt's picture has other sides than those of the settings. */
static limn_build build_of(const limn_settings *s)
{
    bool other = s->family == &limn_family_pixart;
    return (limn_build){.batch = 2, .height = other ? 6 : 0, .width = other ? 10 : 0};
}

static void open_net(net *t, limn_ctx *ctx, const network_vectors *v, const limn_plan_options *options, bool stored)
{
    limn_settings s;
    assert_int_equal(limn_settings_parse(ctx, v->settings, &s), LIMN_OK);
    t->g = limn_graph_new(ctx);
    limn_status status = limn_model_build(t->g, &s, build_of(&s), &t->ports);
    for (int k = 0; k < v->n && status == LIMN_OK; k++) t->layer[k] = last_of(t, v->layer[k].scope);
    assert_true(t->g->n_parameters <= MADE_TENSORS);
    made_begin(&t->source);
    for (int i = 0; i < t->g->n_parameters; i++) make_weight(t, i, options);
    if (status == LIMN_OK)
        status = limn_plan_new_from(ctx, t->g, v->n, t->layer, options, stored ? &t->source.base : NULL, &t->plan);
    if (status == LIMN_OK && stored) status = limn_store_new(ctx, limn_alloc_aligned, limn_free_aligned, &t->store);
    if (status == LIMN_OK && stored) status = limn_plan_make_constants(ctx, t->plan, t->store);
    if (status == LIMN_OK) status = limn_run_new_with(ctx, t->plan, t->store, &t->run);
    for (int i = 0; i < t->g->n_parameters && !stored && status == LIMN_OK; i++)
        status = limn_run_bind(t->run, t->g->parameters[i], t->source.dtype[i], t->weight[i]);
    if (status != LIMN_OK) fail_msg("%s: %s", v->settings, limn_error_text(ctx));
    set_inputs(t, &s);
    assert_int_equal(limn_run_execute(t->run), LIMN_OK);
}

/* Distances are measured against the root mean square of the layer. */
static void compare(net *t, const network_vectors *v, double tolerance)
{
    for (int k = 0; k < v->n; k++) {
        const network_layer *want = &v->layer[k];
        int64_t n = limn_node_count(t->layer[k]);
        double *x = malloc((size_t)n * sizeof *x), sum = 0, square = 0, size = want->norm / sqrt((double)n);
        assert_int_equal(limn_run_read(t->run, t->layer[k], LIMN_F64, x), LIMN_OK);
        for (int64_t i = 0; i < n; i++) sum += x[i], square += x[i] * x[i];
        double worst = fmax(fabs(sum / (double)n - want->mean), fabs(sqrt(square) - want->norm) / sqrt((double)n));
        for (int i = 0; i < 16; i++) worst = fmax(worst, fabs(x[i * (n - 1) / 15] - want->value[i]));
        free(x);
        if (!(worst <= tolerance * size))
            fail_msg("%s: %s is %g of its size away from PyTorch", v->settings, want->scope, worst / size);
    }
}

static void check_table(const network_vectors *table, size_t n, const limn_plan_options *options, bool stored,
                        double tolerance)
{
    limn_ctx *ctx = limn_ctx_new();
    limn_ctx_set_threads(ctx, 2);
    for (size_t i = 0; i < n; i++) {
        net t = {0};
        open_net(&t, ctx, &table[i], options, stored);
        compare(&t, &table[i], tolerance);
        close_net(&t);
    }
    limn_ctx_free(ctx);
}

static void check_all(const limn_plan_options *options, bool stored, double tolerance)
{
    check_table(published, sizeof published / sizeof *published, options, stored, tolerance);
    check_table(unets, sizeof unets / sizeof *unets, options, stored, tolerance);
    check_table(pixarts, sizeof pixarts / sizeof *pixarts, options, stored, tolerance);
    check_table(autoencoders, sizeof autoencoders / sizeof *autoencoders, options, stored, tolerance);
}

static void every_layer_in_double_equals_pytorch(void **state)
{
    (void)state;
    check_all(&(limn_plan_options){.precision = LIMN_PRECISION_F64, .backend = "ref"}, false, 1e-6);
}

/* 2^-24 a rounding, sums of up to 128 products, a few dozen operations in a row */
static void every_layer_on_the_cpu_equals_pytorch(void **state)
{
    (void)state;
    check_all(&(limn_plan_options){.precision = LIMN_PRECISION_F32}, false, 2e-5);
}

static void every_layer_with_packed_weights_equals_pytorch(void **state)
{
    (void)state;
    check_all(&(limn_plan_options){.precision = LIMN_PRECISION_F32}, true, 2e-5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layer_in_double_equals_pytorch),
        cmocka_unit_test(every_layer_on_the_cpu_equals_pytorch),
        cmocka_unit_test(every_layer_with_packed_weights_equals_pytorch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
