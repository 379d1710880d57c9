/* test_model.c: sizes of the networks, settings, gradients of a whole network in double, phases of a plan. */
#include "model/model.h"
#include "graph/rewrite.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/rng.h"

static double parameters_of(limn_ctx *ctx, const char *name)
{
    limn_settings s;
    limn_ports ports;
    limn_graph *g = limn_graph_new(ctx);
    assert_int_equal(limn_settings_find(ctx, name, &s), LIMN_OK);
    assert_int_equal(limn_model_build(g, &s, (limn_build){.batch = 1}, &ports), LIMN_OK);
    double n = 0;
    for (int i = 0; i < g->n_parameters; i++) n += (double)limn_node_count(g->parameters[i]);
    limn_graph_free(g);
    return n;
}

static void published_parameter_counts(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    assert_true(fabs(parameters_of(ctx, "dit-s/2") / 1e6 - 32.9) < 0.2);
    assert_true(fabs(parameters_of(ctx, "dit-b/2") / 1e6 - 130.3) < 0.3);
    assert_true(fabs(parameters_of(ctx, "dit-l/2") / 1e6 - 457.8) < 0.6);
    assert_true(fabs(parameters_of(ctx, "dit-xl/2") / 1e6 - 674.8) < 0.6);
    assert_true(fabs(parameters_of(ctx, "uvit-s/2") / 1e6 - 44.26) < 0.01);
    assert_true(fabs(parameters_of(ctx, "uvit-l/2") / 1e6 - 286.8) < 0.1);
    assert_true(fabs(parameters_of(ctx, "uvit-h/2") / 1e6 - 500.8) < 0.1);
    assert_true(parameters_of(ctx, "sd-vae") == 83653863);
    assert_true(parameters_of(ctx, "taef2") == 1338528 + 1338499);
    assert_true(parameters_of(ctx, "ddpm-cifar10") == 35746307);
    assert_true(parameters_of(ctx, "ddpm-mnist") == 606852);
    assert_true(parameters_of(ctx, "sd15-unet") == 859520964);
    assert_true(fabs(parameters_of(ctx, "adm-64") / 1e6 - 295.9) < 0.1);
    assert_true(fabs(parameters_of(ctx, "adm-128") / 1e6 - 421.5) < 0.1);
    assert_true(fabs(parameters_of(ctx, "adm-256") / 1e6 - 553.8) < 0.1);
    limn_ctx_free(ctx);
}

static void a_wrong_setting_is_named(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_settings s;
    assert_int_equal(limn_settings_find(ctx, "mmdit", &s), LIMN_OK);
    assert_int_equal(limn_settings_set(ctx, &s, "depht=3"), LIMN_BAD_ARGUMENT);
    assert_non_null(strstr(limn_error_text(ctx), "depht"));
    assert_int_equal(limn_settings_set(ctx, &s, "depth=0"), LIMN_BAD_ARGUMENT);
    assert_int_equal(limn_settings_set(ctx, &s, "attention=crossed"), LIMN_BAD_ARGUMENT);
    assert_int_equal(limn_settings_set(ctx, &s, "heads=7"), LIMN_OK);
    limn_graph *g = limn_graph_new(ctx);
    limn_ports ports;
    assert_int_equal(limn_model_build(g, &s, (limn_build){.batch = 1}, &ports), LIMN_BAD_ARGUMENT);
    limn_graph_free(g);
    assert_int_equal(limn_settings_find(ctx, "nothing", &s), LIMN_NOT_FOUND);
    limn_ctx_free(ctx);
}

/* What limn_settings_text() writes is the whole network: there is room for the longest value of every setting. */
static void settings_of_any_family_fit(void **state)
{
    (void)state;
    for (int k = 0; limn_families[k]; k++) {
        limn_settings s;
        char text[LIMN_SETTINGS_BYTES], number[32];
        limn_settings_defaults(&s, limn_families[k]);
        size_t longest = strlen(limn_families[k]->name);
        for (int i = 0; limn_families[k]->settings[i].name; i++) {
            const limn_setting *row = &limn_families[k]->settings[i];
            assert_true(i < LIMN_MAX_SETTINGS);
            longest += strlen(row->name) + 2 + (row->choices ? strlen(row->choices) : (size_t)snprintf(number, sizeof number, "%d", row->max));
        }
        if (longest >= LIMN_SETTINGS_BYTES) fail_msg("the settings of %s need %zu bytes", limn_families[k]->name, longest);
        limn_settings_text(&s, text);
        for (int i = 0; limn_families[k]->settings[i].name; i++) assert_non_null(strstr(text, limn_families[k]->settings[i].name));
    }
}

/* Files written before attention became a choice say attention=7. */
static void a_number_for_a_choice_is_its_most(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_settings old, now;
    char text[1024];
    assert_int_equal(limn_settings_parse(ctx, "ddpm size=28 attention=7 attention_least=4 window=6", &old), LIMN_OK);
    assert_int_equal(limn_settings_get(&old, "attention"), 0);
    assert_int_equal(limn_settings_get(&old, "attention_most"), 7);
    assert_int_equal(limn_settings_get(&old, "shift"), 3); /* follows from window */
    assert_int_equal(limn_settings_parse(ctx, limn_settings_text(&old, text), &now), LIMN_OK);
    assert_memory_equal(old.value, now.value, sizeof old.value);
    limn_ctx_free(ctx);
}

/* ---- a small network with every part -------------------------------------------------------------------------------- */

enum { MAX_PARAMETERS = 384 };

typedef struct small_net {
    limn_graph *g;
    limn_ports ports;
    limn_node *target, *loss, *grads[MAX_PARAMETERS];
    limn_plan *plan;
    limn_run *run;
    void **weights;
} small_net;

static void fill(void *data, limn_dtype dtype, int64_t n, uint64_t sub, float scale)
{
    float *f = malloc((size_t)n * sizeof *f);
    limn_random_normal(7, LIMN_STREAM_TEST, sub, 0, (size_t)n, f);
    for (int64_t i = 0; i < n; i++) f[i] *= scale;
    limn_convert(f, LIMN_F32, data, dtype, (size_t)n);
    free(f);
}

/* learns: the plan makes gradients too. */
static void fill_input(limn_run *run, const limn_node *node, uint64_t sub)
{
    int64_t n = limn_node_count(node);
    float *x = malloc((size_t)n * sizeof *x);
    fill(x, LIMN_F32, n, sub, 1);
    assert_int_equal(limn_run_write(run, node, LIMN_F32, x), LIMN_OK);
    free(x);
}

static void small_open(small_net *net, limn_ctx *ctx, const char *settings, limn_precision precision, const char *backend, bool plain, bool learns)
{
    limn_settings s;
    assert_int_equal(limn_settings_parse(ctx, settings, &s), LIMN_OK);
    net->g = limn_graph_new(ctx);
    assert_int_equal(limn_model_build(net->g, &s, (limn_build){.batch = 2}, &net->ports), LIMN_OK);
    net->target = limn_input(net->g, "target", LIMN_WIDE, limn_node_shape(net->ports.output), LIMN_PER_STEP);
    net->loss = limn_mean(limn_square(limn_sub(limn_widen(net->ports.output), net->target)));
    int n = net->g->n_parameters;
    assert_true(n < MAX_PARAMETERS - 1);
    if (learns) assert_int_equal(limn_grad(net->g, net->loss, n, net->g->parameters, net->grads + 1), LIMN_OK);
    net->grads[0] = net->loss;
    limn_plan_options options = {.precision = precision, .backend = backend, .training = true, .no_rewrite = plain};
    limn_node *outputs[MAX_PARAMETERS];
    int n_outputs = 0;
    for (int i = 0; i <= (learns ? n : 0); i++)
        if (net->grads[i]) outputs[n_outputs++] = net->grads[i]; /* running statistics have none */
    limn_status status = limn_plan_new(net->g, n_outputs, outputs, &options, &net->plan);
    if (status == LIMN_OK) status = limn_run_new(net->plan, &net->run);
    if (status != LIMN_OK) print_error("%s\n", limn_error_text(ctx));
    assert_int_equal(status, LIMN_OK);
    limn_dtype wide = precision == LIMN_PRECISION_F64 ? LIMN_F64 : LIMN_F32;
    net->weights = calloc((size_t)n, sizeof *net->weights);
    for (int i = 0; i < n; i++) {
        int64_t count = limn_node_count(net->g->parameters[i]);
        net->weights[i] = limn_alloc_aligned((size_t)count * limn_dtype_bytes(wide));
        fill(net->weights[i], wide, count, limn_hash_name(limn_node_name(net->g->parameters[i])), 0.2f);
        assert_int_equal(limn_run_bind(net->run, net->g->parameters[i], wide, net->weights[i]), LIMN_OK);
    }
    fill_input(net->run, net->ports.image, 1);
    fill_input(net->run, net->target, 2);
    if (net->ports.noise) fill_input(net->run, net->ports.noise, 4);
    if (net->ports.timesteps) limn_run_write(net->run, net->ports.timesteps, LIMN_F32, (float[]){100, 700});
    if (net->ports.ids) {
        int32_t ids[64];
        for (int i = 0; i < 64; i++) ids[i] = (i * 37 + 11) % 514;
        limn_run_write(net->run, net->ports.ids, LIMN_I32, ids);
        limn_run_write(net->run, net->ports.text_end, LIMN_I32, (int32_t[]){2, 7});
    }
    if (net->ports.condition) fill_input(net->run, net->ports.condition, 4);
    if (net->ports.features) fill_input(net->run, net->ports.features, 3);
    if (net->ports.label) limn_run_write(net->run, net->ports.label, LIMN_I32, (int32_t[]){1, 3});
}

static double small_run(small_net *net)
{
    double loss;
    for (int i = 0; i < net->g->n_parameters; i++) limn_run_touch(net->run, net->g->parameters[i]);
    assert_int_equal(limn_run_execute(net->run), LIMN_OK);
    assert_int_equal(limn_run_read(net->run, net->loss, LIMN_F64, &loss), LIMN_OK);
    return loss;
}

static void small_close(small_net *net)
{
    limn_run_free(net->run);
    limn_plan_free(net->plan);
    for (int i = 0; i < net->g->n_parameters; i++) limn_free_aligned(net->weights[i]);
    free(net->weights);
    limn_graph_free(net->g);
}

#define SMALL "size=4 channels=3 patch=2 width=8 depth=2 heads=2 mlp=12 "
#define TEXT "text_length=4 text_width=8 text_depth=1 text_heads=2 text_vocab=514 "
#define UNET "size=4 channels=2 width=2 multipliers=12 blocks=1 groups=1 attention=2 attention_least=1 "
static const char *const networks[] = {
    "dit " SMALL "time_width=6",
    "dit " SMALL "conditioning=modulated norm=pre classes=4 learn_sigma=1",
    "mmdit " SMALL TEXT "time_width=6",
    "mmdit " SMALL TEXT "norm=pre time_width=6",
    "mmdit " SMALL TEXT "conditioning=modulated norm=pre text_encoder=clip",
    "mmdit " SMALL TEXT "attention=joint conditioning=modulated norm=pre qk_norm=1 text_encoder=clip",
    "mmdit " SMALL TEXT "attention=both conditioning=modulated norm=pre text_encoder=clip",
    "hdit size=4 channels=1 patch=1 width=4 levels=2 depth=2 depth_inner=1 window=2 head_width=4 mlp_ratio=1 enlarge=2",
    "uvit " SMALL "classes=4",
    "uvit " SMALL TEXT "time_mlp=1 text=1 text_encoder=clip",
    "unet size=8 channels=2 classes=3 width=2 levels=3",
    "unet size=4 channels=2 classes=2 width=4 levels=2 norm=batch up=bilinear",
    "unet size=20 channels=1 classes=2 width=2 levels=2 norm=group groups=2 padding=valid",
    "vae size=2 channels=2 latent=1 base=2 levels=2 layers=1 groups=2",
    "vae size=4 channels=1 latent=1 base=2 levels=2 layers=1 groups=2 patch=2",
    "tae size=4 channels=1 latent=1 width=4 levels=1 blocks=1 pool=1",
    "ddpm-mnist size=12 width=1 time_width=4",
    "ddpm " UNET,
    "adm " UNET "classes=4 head_width=1",
    "adm " UNET "resize=conv scale_shift=0 head_width=0 heads=2 learn_sigma=0",
    "ldm-unet " UNET TEXT "heads=2",
    "ldm-unet " UNET TEXT "heads=2 projection=linear text_encoder=clip",
    "ddpm " UNET "attention=window window=2 enlarge=2",
    "adm " UNET "attention=window window=2 head_width=1",
    "ldm-unet " UNET TEXT "attention=window window=2 heads=2",
    "ddpm " UNET "scale_shift=1 heads=2 padding=around classes=4 learn_sigma=1",
};

/* Central differences in double, three elements of every parameter. */
static void gradients_equal_finite_differences(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    for (size_t k = 0; k < sizeof networks / sizeof *networks; k++) {
        small_net net = {0}, loss = {0};
        small_open(&net, ctx, networks[k], LIMN_PRECISION_F64, "ref", false, true);
        small_open(&loss, ctx, networks[k], LIMN_PRECISION_F64, "ref", false, false); /* a third of the work, for the differences */
        assert_int_equal(loss.g->n_parameters, net.g->n_parameters);
        small_run(&net);
        for (int p = 0; p < net.g->n_parameters; p += 1 + net.g->n_parameters / 64) { /* of many, every second or third */
            int64_t count = limn_node_count(net.g->parameters[p]);
            double *w = loss.weights[p], *grad = malloc((size_t)count * sizeof *grad);
            if (!net.grads[p + 1]) { free(grad); continue; }
            assert_int_equal(limn_run_read(net.run, net.grads[p + 1], LIMN_F64, grad), LIMN_OK);
            for (int64_t i = 0; i < count; i += count / 3 + 1) {
                double old = w[i], h = 1e-5;
                w[i] = old + h;
                double up = small_run(&loss);
                w[i] = old - h;
                double down = small_run(&loss);
                w[i] = old;
                double numeric = (up - down) / (2 * h);
                if (fabs(numeric - grad[i]) > 1e-7 + 1e-5 * fabs(numeric))
                    fail_msg("%s: %s[%d]: finite difference %g, gradient %g", networks[k], limn_node_name(net.g->parameters[p]), (int)i, numeric, grad[i]);
            }
            free(grad);
        }
        small_close(&net);
        small_close(&loss);
    }
    limn_ctx_free(ctx);
}

/* Relative distance from the reference in double: the loss, and of the gradients the worst parameter (each) or all together. */
static double distance(limn_ctx *ctx, const char *network, limn_precision precision, bool plain, int n_threads, bool each)
{
    double all_error = 0, all_norm = 0;
    small_net a = {0}, b = {0};
    limn_ctx_set_threads(ctx, n_threads);
    small_open(&a, ctx, network, LIMN_PRECISION_F64, "ref", true, true);
    small_open(&b, ctx, network, precision, "cpu", plain, true);
    double la = small_run(&a), lb = small_run(&b), worst = fabs(la - lb) / fabs(la);
    for (int p = 0; p < a.g->n_parameters; p++) {
        if (!a.grads[p + 1]) continue;
        int64_t n = limn_node_count(a.g->parameters[p]);
        double *x = malloc((size_t)n * 8), *y = malloc((size_t)n * 8), error = 0, norm = 0;
        limn_run_read(a.run, a.grads[p + 1], LIMN_F64, x);
        limn_run_read(b.run, b.grads[p + 1], LIMN_F64, y);
        for (int64_t i = 0; i < n; i++) error += (x[i] - y[i]) * (x[i] - y[i]), norm += x[i] * x[i];
        if (each && sqrt(error) > worst * sqrt(norm) && norm > 1e-12) worst = sqrt(error / norm);
        all_error += error, all_norm += norm;
        free(x);
        free(y);
    }
    small_close(&a);
    small_close(&b);
    return !each && sqrt(all_error / all_norm) > worst ? sqrt(all_error / all_norm) : worst;
}

static void cpu_kernels_and_fusions_equal_the_reference(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    for (size_t k = 0; k < sizeof networks / sizeof *networks; k++) {
        assert_true(distance(ctx, networks[k], LIMN_PRECISION_F32, true, 2, true) < 2e-4);
        assert_true(distance(ctx, networks[k], LIMN_PRECISION_F32, false, 1, true) < 2e-4);
        if (__builtin_cpu_supports("avx512bw")) {
            /* bf16 keeps 8 bits: 2^-8 a product, a few of them in a row; single small gradients cancel and may be far off */
            double apart = distance(ctx, networks[k], LIMN_PRECISION_BF16, false, 2, false);
            if (apart > 0.04) fail_msg("%s: bf16 gradients are %g away", networks[k], apart);
        }
    }
    limn_ctx_free(ctx);
}

/* Text and the timestep table run once per prompt, and only the rest once per step. */
static void only_what_changed_runs_again(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_settings s;
    limn_ports ports;
    limn_plan *plan;
    limn_run *run;
    assert_int_equal(limn_settings_parse(ctx, networks[4], &s), LIMN_OK);
    limn_graph *g = limn_graph_new(ctx);
    assert_int_equal(limn_model_build(g, &s, (limn_build){.batch = 2, .n_steps = 5}, &ports), LIMN_OK);
    limn_plan_options options = {.precision = LIMN_PRECISION_F32};
    assert_int_equal(limn_plan_new(g, 1, &ports.output, &options, &plan), LIMN_OK);
    assert_int_equal(limn_run_new(plan, &run), LIMN_OK);
    float *w[256];
    for (int i = 0; i < g->n_parameters; i++) {
        int64_t n = limn_node_count(g->parameters[i]);
        w[i] = limn_alloc_aligned((size_t)n * 4);
        fill(w[i], LIMN_F32, n, limn_hash_name(limn_node_name(g->parameters[i])), 0.2f);
        assert_int_equal(limn_run_bind(run, g->parameters[i], LIMN_F32, w[i]), LIMN_OK);
    }
    fill_input(run, ports.image, 1);
    limn_run_write(run, ports.timesteps, LIMN_F32, (float[]){900, 700, 500, 300, 100});
    limn_run_write(run, ports.ids, LIMN_I32, (int32_t[]){1, 2, 3, 4, 5, 6, 7, 8});
    limn_run_write(run, ports.text_end, LIMN_I32, (int32_t[]){2, 7});
    limn_run_write(run, ports.step, LIMN_I32, (int32_t[]){1});
    assert_int_equal(limn_run_execute(run), LIMN_OK);
    int all = limn_run_executed(run);
    int64_t n = limn_node_count(ports.output);
    float *first = malloc((size_t)n * 4), *again = malloc((size_t)n * 4);
    limn_run_write(run, ports.step, LIMN_I32, (int32_t[]){3});
    assert_int_equal(limn_run_execute(run), LIMN_OK);
    int some = limn_run_executed(run);
    assert_true(some < all - 10);
    limn_run_read(run, ports.output, LIMN_F32, first);
    /* the same step, everything computed anew */
    limn_run_write(run, ports.timesteps, LIMN_F32, (float[]){900, 700, 500, 300, 100});
    for (int i = 0; i < g->n_parameters; i++) limn_run_touch(run, g->parameters[i]);
    assert_int_equal(limn_run_execute(run), LIMN_OK);
    assert_int_equal(limn_run_executed(run), all);
    limn_run_read(run, ports.output, LIMN_F32, again);
    assert_memory_equal(first, again, (size_t)n * 4);
    for (int i = 0; i < g->n_parameters; i++) limn_free_aligned(w[i]);
    free(first);
    free(again);
    limn_run_free(run);
    limn_plan_free(plan);
    limn_graph_free(g);
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_parameter_counts),
        cmocka_unit_test(a_wrong_setting_is_named),
        cmocka_unit_test(settings_of_any_family_fit),
        cmocka_unit_test(a_number_for_a_choice_is_its_most),
        cmocka_unit_test(gradients_equal_finite_differences),
        cmocka_unit_test(cpu_kernels_and_fusions_equal_the_reference),
        cmocka_unit_test(only_what_changed_runs_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
