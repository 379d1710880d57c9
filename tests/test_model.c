/* test_model.c: sizes of the networks, settings, gradients of a whole network in double, phases of a plan. */
#include "model/config.h"
#include "graph/rewrite.h"
#include "make_locale.h"

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
    double n = (double)limn_describe_parameters(g);
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
    assert_true(parameters_of(ctx, "sd3-medium") == 2028328000);
    assert_true(parameters_of(ctx, "sd3.5-medium") == 2243171520);
    assert_true(parameters_of(ctx, "sd3.5-large") == 8056627520);
    assert_true(parameters_of(ctx, "pixart-sigma") == 610856096 + 64 * 64 * 1152); /* beside them the table of places */
    assert_true(parameters_of(ctx, "pixart-alpha-1024") == 611349152 + 64 * 64 * 1152);
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

/* Bytes of " name=value" with the longest value there is. */
static size_t longest_of(const limn_setting *row)
{
    char number[64];
    size_t digits = (size_t)snprintf(number, sizeof number, "%d", (int)row->max), n = strlen(row->name) + 2;
    if (row->choices) return n + strlen(row->choices);
    if (row->kind == LIMN_SETTING_REAL) return n + strlen("-1.2345678901234567e-12");
    if (row->kind == LIMN_SETTING_LIST) return (size_t)row->most * (n + 1 + digits);
    return n + digits;
}

/* What limn_settings_text() writes is the whole network: there is room for the longest value of every setting. */
static void settings_of_any_family_fit(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    for (int k = 0; limn_families[k]; k++) {
        limn_settings s, back;
        char text[LIMN_SETTINGS_BYTES], again[LIMN_SETTINGS_BYTES];
        limn_settings_defaults(&s, limn_families[k]);
        size_t longest = strlen(limn_families[k]->name);
        for (int i = 0; limn_families[k]->settings[i].name; i++) {
            assert_true(i < LIMN_MAX_SETTINGS && limn_families[k]->settings[i].most <= LIMN_SETTING_MOST);
            longest += longest_of(&limn_families[k]->settings[i]);
        }
        if (longest >= LIMN_SETTINGS_BYTES) fail_msg("the settings of %s need %zu bytes", limn_families[k]->name, longest);
        assert_int_equal(limn_settings_parse(ctx, limn_settings_text(&s, text), &back), LIMN_OK);
        assert_memory_equal(s.config, back.config, sizeof s.config);
        assert_string_equal(text, limn_settings_text(&back, again));
        for (int i = 0; limn_families[k]->settings[i].name; i++) assert_true(limn_setting_same(&s, &back, i));
    }
    limn_ctx_free(ctx);
}

/* Files written before attention became a choice say attention=7. */
static void a_number_for_a_choice_is_its_most(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_settings old, now;
    char text[1024];
    const ddpm_config *cfg = limn_settings_config(&old);
    assert_int_equal(limn_settings_parse(ctx, "ddpm size=28 attention=7 attention_least=4 window=6", &old), LIMN_OK);
    assert_int_equal(cfg->unet.attention, LIMN_UNET_FULL);
    assert_int_equal(cfg->unet.attention_most, 7);
    assert_int_equal(cfg->unet.shift, 3); /* follows from window */
    assert_int_equal(limn_settings_parse(ctx, limn_settings_text(&old, text), &now), LIMN_OK);
    assert_memory_equal(old.config, now.config, sizeof old.config);
    limn_ctx_free(ctx);
}

/* What the version before lists and reals wrote, and what it would have read. */
static void old_texts_are_the_same_network(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    static const char *const texts[] = {
        "vae size=64 channels=3 latent=4 patch=1 base=32 levels=3 mult1=1 mult2=2 mult3=4 mult4=4 mult5=4 layers=1 "
        "attention=0 "
        "groups=8 quant=1 scaling=36110 shift=-11590",
        "ddpm size=28 channels=1 width=16 multipliers=124 blocks=1 groups=8 attention=full attention_most=7 "
        "attention_least=7 window=8 shift=4 heads=1 head_width=0 scale_shift=0 padding=after time=sin norm_eps=1e-6 "
        "enlarge=0 "
        "classes=10 learn_sigma=0",
        "unet size=256 height=0 channels=1 classes=2 width=24 levels=5 convs=2 padding=same norm=batch groups=8 "
        "up=transposed",
    };
    limn_settings s;
    char text[LIMN_SETTINGS_BYTES];
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_equal(limn_settings_parse(ctx, texts[i], &s), LIMN_OK);
        assert_string_equal(limn_settings_text(&s, text), texts[i]);
    }
    assert_int_equal(limn_settings_parse(ctx, texts[0], &s), LIMN_OK);
    const vae_config *vae = limn_settings_config(&s);
    assert_true(vae->levels == 3 && vae->mult[0] == 1 && vae->mult[1] == 2 && vae->mult[2] == 4 && !vae->attention);
    assert_true(vae->scaling_factor == 0.3611 && vae->shift_factor == -0.1159);
    assert_int_equal(limn_settings_parse(ctx, texts[1], &s), LIMN_OK);
    const ddpm_config *ddpm = limn_settings_config(&s);
    assert_true(ddpm->unet.n_levels == 3 && ddpm->unet.multipliers[2] == 4 && ddpm->norm_eps == 1e-6);
    limn_ctx_free(ctx);
}

static limn_settings parsed(limn_ctx *ctx, const char *text)
{
    limn_settings s;
    if (limn_settings_parse(ctx, text, &s) != LIMN_OK) fail_msg("%s: %s", text, limn_error_text(ctx));
    return s;
}

static void a_list_is_read_both_ways(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    static const char *const same[][2] = {
        {"vae levels=3 mult1=1 mult2=3 mult3=5", "vae mult=1,3,5"}, /* how many there are follows */
        {"vae levels=3 mult1=1 mult2=3 mult3=5", "vae levels=3 mult=[1,3,5]"},
        {"vae levels=1 mult1=7", "vae mult=7"},
        {"ddpm multipliers=124", "ddpm multipliers=1,2,4"},
        {"ddpm multipliers=124", "ddpm multipliers=[1,2,4]"},
    };
    char text[LIMN_SETTINGS_BYTES];
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        limn_settings a = parsed(ctx, same[i][0]), b = parsed(ctx, same[i][1]);
        assert_memory_equal(a.config, b.config, sizeof a.config);
        assert_int_equal(limn_settings_check(ctx, &b), LIMN_OK);
    }
    limn_settings wide = parsed(ctx, "ddpm multipliers=[1,12]"), one = parsed(ctx, "ddpm multipliers=[12]");
    assert_non_null(strstr(limn_settings_text(&wide, text), " multipliers=[1,12] "));
    wide = parsed(ctx, text);
    assert_int_equal(((const limn_unet_config *)limn_settings_config(&wide))->multipliers[1], 12);
    assert_non_null(strstr(limn_settings_text(&one, text), " multipliers=[12] ")); /* and not two levels */
    limn_ctx_free(ctx);
}

/* depth was one number before it was a list: 12 in an older file is twelve, and not 1 and 2. */
static void a_number_became_a_list(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    char text[LIMN_SETTINGS_BYTES];
    const char *each = "ldm-unet depth=2,2,10,10,10,10,10,10,2,2,2";
    limn_settings twelve = parsed(ctx, "ldm-unet depth=12"), bracket = parsed(ctx, "ldm-unet depth=[12]"),
                  many = parsed(ctx, each), brackets = parsed(ctx, "ldm-unet depth=[2,2,10,10,10,10,10,10,2,2,2]");
    assert_int_equal(limn_settings_check(ctx, &twelve), LIMN_OK);
    assert_non_null(strstr(limn_settings_text(&twelve, text), " depth=12 "));
    assert_memory_equal(twelve.config, bracket.config, sizeof twelve.config);
    assert_non_null(strstr(limn_settings_text(&many, text), " depth=2,2,10,10,10,10,10,10,2,2,2 "));
    assert_memory_equal(many.config, brackets.config, sizeof many.config);
    many = parsed(ctx, text);
    assert_memory_equal(many.config, brackets.config, sizeof many.config);
    limn_ctx_free(ctx);
}

static void a_wrong_list_or_real_is_named(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    char longer[256] = "";
    memset(longer, '1', 200);
    memcpy(longer, "vae mult=", 9);
    const char *const cases[][2] = {
        {"vae mult=1,2,3,4,5,6", "mult must be 1 to 5 numbers of 1 to 64 between commas, found \"1,2,3,4,5,6\""},
        {"vae mult=1,0", "mult must be 1 to 5 numbers of 1 to 64 between commas, found \"1,0\""},
        {"vae mult=", "between commas, found \"\""},
        {"vae mult=1,", "between commas, found \"1,\""},
        {"vae mult=[1,2", "between commas, found \"[1,2\""},
        {"vae mult=99999999999999999999", "between commas, found"},
        {"vae mult6=1", "vae has no setting \"mult6\"; did you mean mult?"},
        {"vae mult2=65", "mult2 must be 1 to 64, found \"65\""},
        {"vae mult=1,2,4 levels=4", "vae: mult has 3 numbers, and levels is 4: expected as many"},
        {"vae levels=4 mult=1,2,4", "vae: mult has 3 numbers, and levels is 4: expected as many"},
        {"ddpm multipliers=1024", "or a digit each, found \"1024\""},
        {"ddpm multipliers=1234567891", "multipliers must be 1 to 9 numbers of 1 to 64"},
        {"vae scaling_factor=0", "scaling_factor must be 1e-05 to 100, found \"0\""},
        {"vae scaling_factor=1e3", "scaling_factor must be 1e-05 to 100, found \"1e3\""},
        {"vae scaling_factor=nan", "scaling_factor must be 1e-05 to 100, found \"nan\""},
        {"vae shift_factor=0,5", "shift_factor must be -100 to 100, found \"0,5\""},
        {"vae scaling=0.18215", "scaling must be 1 to 10000000 (scaling_factor takes 1e-05 to 100), found \"0.18215\""},
        {"vae levels=2.5", "levels must be 1 to 5, found \"2.5\""},
        {longer, "a setting of 196 characters is too long"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        limn_settings s;
        limn_status status = limn_settings_parse(ctx, cases[i][0], &s);
        if (status == LIMN_OK) status = limn_settings_check(ctx, &s);
        if (status != LIMN_BAD_ARGUMENT || !strstr(limn_error_text(ctx), cases[i][1]))
            fail_msg("%s: %s", cases[i][0], limn_error_text(ctx));
    }
    limn_ctx_free(ctx);
}

static void reals_come_back_as_they_were(limn_ctx *ctx)
{
    const double values[] = {0.18215, 0.13025, 1.0 / 3, 0.1 + 0.2, 1e-5, 100, 1.15258426, 0x1.fffffffffffffp-4};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        limn_settings s = parsed(ctx, "vae"), back;
        const vae_config *cfg = limn_settings_config(&s);
        char text[LIMN_SETTINGS_BYTES];
        assert_int_equal(limn_settings_assign(ctx, &s, &cfg->scaling_factor, values[i]), LIMN_OK);
        assert_int_equal(limn_settings_assign(ctx, &s, &cfg->shift_factor, -values[i]), LIMN_OK);
        back = parsed(ctx, limn_settings_text(&s, text));
        assert_memory_equal(s.config, back.config, sizeof s.config);
    }
    limn_settings s = parsed(ctx, "vae scaling_factor=0.18215 shift_factor=-0.5"), eps = parsed(ctx, "ddpm norm_eps=2.5e-5");
    char text[LIMN_SETTINGS_BYTES];
    assert_non_null(strstr(limn_settings_text(&s, text), " scaling=18215 shift=-50000"));
    assert_non_null(strstr(limn_settings_text(&eps, text), " norm_eps=2.5e-5 "));
}

static void reals_come_back_under_any_locale(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    reals_come_back_as_they_were(ctx);
    if (!use_locale("de_DE")) print_message("SKIPPED: the locale de_DE cannot be made here (package locales)\n");
    reals_come_back_as_they_were(ctx);
    setlocale(LC_ALL, "C");
    limn_ctx_free(ctx);
}

/* What others ask of a network does not hang on its family. */
static void every_family_says_what_it_is(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    for (int k = 0; limn_families[k]; k++) {
        limn_settings s;
        limn_ports ports;
        limn_settings_defaults(&s, limn_families[k]);
        limn_interface net = limn_model_interface(&s);
        limn_graph *g = limn_graph_new(ctx);
        assert_int_equal(limn_model_build(g, &s, (limn_build){.batch = 1}, &ports), LIMN_OK);
        if (ports.image) {
            limn_shape in = limn_node_shape(ports.image), out = limn_node_shape(ports.output);
            assert_true(in.dim[1] == net.height && in.dim[2] == net.width && in.dim[3] == net.channels);
            assert_true(out.dim[3] == net.out_channels);
        } else assert_int_equal(net.channels, 0);
        if (ports.latent)
            assert_true(limn_node_shape(ports.latent).dim[3] == net.latent &&
                        limn_node_shape(ports.latent).dim[1] * net.factor == net.height);
        limn_graph_free(g);
    }
    limn_settings s = parsed(ctx, "adm classes=7 always_labelled=1 enlarge=2"), text = parsed(ctx, "uvit text_encoder=clip"),
                  tall = parsed(ctx, "unet size=64 height=128 levels=5");
    limn_interface net = limn_model_interface(&s);
    assert_true(net.classes == 7 && net.always_labelled && net.enlarge == 2 && net.learned_variance);
    assert_true(!limn_model_interface(&text).reads_ids); /* text=0 */
    assert_true(limn_model_interface(&tall).height == 128 && limn_model_interface(&tall).grid == 16);
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

/* "dit size=4 ... @4x8": 4 rows of 8 pixels; without @, the picture of the settings. */
static limn_status build_text(limn_ctx *ctx, const char *text, limn_graph *g, limn_ports *ports)
{
    char settings[512];
    limn_settings s;
    limn_build b = {.batch = 2};
    size_t n = strcspn(text, "@");
    snprintf(settings, sizeof settings, "%.*s", (int)n, text);
    if (text[n]) assert_int_equal(sscanf(text + n, "@%dx%d", &b.height, &b.width), 2);
    assert_int_equal(limn_settings_parse(ctx, settings, &s), LIMN_OK);
    return limn_model_build(g, &s, b, ports);
}

static void small_open(small_net *net, limn_ctx *ctx, const char *settings, limn_precision precision, const char *backend,
                       bool plain, bool learns)
{
    net->g = limn_graph_new(ctx);
    if (build_text(ctx, settings, net->g, &net->ports) != LIMN_OK) fail_msg("%s: %s", settings, limn_error_text(ctx));
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
    if (net->ports.guidance) limn_run_write(net->run, net->ports.guidance, LIMN_F32, (float[]){6.5f});
    if (net->ports.features) fill_input(net->run, net->ports.features, 3);
    if (net->ports.mask) limn_run_write(net->run, net->ports.mask, LIMN_F32, (float[]){1, 1, 1, 0, 1, 1, 0, 0});
    if (net->ports.resolution) fill_input(net->run, net->ports.resolution, 5);
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
#define PIXART "size=4 channels=3 patch=2 width=12 depth=2 heads=2 mlp=12 text_length=4 text_width=8 "
#define UNET "size=4 channels=2 width=2 multipliers=12 blocks=1 groups=1 attention=2 attention_least=1 "
static const char *const networks[] = {
    "dit " SMALL "time_width=6",
    "dit " SMALL "conditioning=modulated norm=pre classes=4 learn_sigma=1",
    "mmdit " SMALL TEXT "time_width=6",
    "mmdit " SMALL TEXT "norm=pre time_width=6",
    "mmdit " SMALL TEXT "conditioning=modulated norm=pre text_encoder=clip",
    "mmdit " SMALL TEXT "attention=joint conditioning=modulated norm=pre qk_norm=1 text_encoder=clip",
    "mmdit " SMALL TEXT "attention=joint conditioning=modulated norm=pre qk_norm=1 text_encoder=clip dual=1 places=3",
    "mmdit " SMALL TEXT "attention=both conditioning=modulated norm=pre text_encoder=clip dual=2",
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
    "ldm-unet " UNET TEXT "heads=2 middle=0",
    "ldm-unet " UNET TEXT "heads=2 inpaint=1 guidance_width=8",
    "ldm-unet " UNET TEXT "heads=2 edit=1",
    "ddpm " UNET "attention=window window=2 enlarge=2",
    "adm " UNET "attention=window window=2 head_width=1",
    "ldm-unet " UNET TEXT "attention=window window=2 heads=2",
    "ddpm " UNET "scale_shift=1 heads=2 padding=around classes=4 learn_sigma=1",
    "pixart " PIXART "learn_sigma=0",
    "pixart " PIXART "sides=1 interpolation=0.5",
};

/* Pictures that are not square: every family that has pictures. */
static const char *const oblong[] = {
    "dit " SMALL "time_width=6 @2x6",
    "dit " SMALL "conditioning=modulated norm=pre classes=4 learn_sigma=1 @6x4",
    "mmdit " SMALL TEXT "time_width=6 @6x2",
    "mmdit " SMALL TEXT "attention=joint conditioning=modulated norm=pre qk_norm=1 text_encoder=clip @2x6",
    "mmdit " SMALL TEXT "attention=joint conditioning=modulated norm=pre text_encoder=clip dual=2 places=4 @2x6",
    "hdit size=4 channels=1 patch=1 width=4 levels=2 depth=2 depth_inner=1 window=2 head_width=4 mlp_ratio=1 enlarge=2 @2x6",
    "hdit size=4 channels=1 patch=1 width=4 levels=2 depth=2 depth_inner=1 window=8 head_width=4 mlp_ratio=1 @8x4",
    "uvit " SMALL "classes=4 @2x6",
    "pixart " PIXART "sides=1 interpolation=0.5 @6x2",
    "unet size=8 channels=2 classes=3 width=2 levels=3 @4x12",
    "unet size=8 channels=2 classes=2 width=4 levels=2 norm=batch up=bilinear @6x4",
    "vae size=2 channels=2 latent=1 base=2 levels=2 layers=1 groups=2 @2x6",
    "tae size=4 channels=1 latent=1 width=4 levels=1 blocks=1 pool=1 @2x6",
    "ddpm-mnist size=12 width=1 time_width=4 @12x20",
    "ddpm " UNET "@2x6",
    "adm " UNET "resize=conv scale_shift=0 head_width=0 heads=2 learn_sigma=0 @6x2",
    "ldm-unet " UNET TEXT "heads=2 @2x6",
    "ddpm " UNET "attention=window window=2 enlarge=2 @2x6",
    "adm " UNET "attention=window window=2 head_width=1 @4x8",
    "ldm-unet " UNET TEXT "attention=window window=8 heads=2 @8x4",
};

/* Central differences in double, three elements of every parameter. */
static void compare_gradients(limn_ctx *ctx, int n_networks, const char *const *nets)
{
    for (int k = 0; k < n_networks; k++) {
        small_net net = {0}, loss = {0};
        small_open(&net, ctx, nets[k], LIMN_PRECISION_F64, "ref", false, true);
        small_open(&loss, ctx, nets[k], LIMN_PRECISION_F64, "ref", false,
                   false); /* a third of the work, for the differences */
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
                    fail_msg("%s: %s[%d]: finite difference %g, gradient %g", nets[k], limn_node_name(net.g->parameters[p]),
                             (int)i, numeric, grad[i]);
            }
            free(grad);
        }
        small_close(&net);
        small_close(&loss);
    }
}

static void gradients_equal_finite_differences(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    compare_gradients(ctx, sizeof networks / sizeof *networks, networks);
    compare_gradients(ctx, sizeof oblong / sizeof *oblong, oblong);
    limn_ctx_free(ctx);
}

/* ---- pictures that are not square ------------------------------------------------------------------------------------- */

/* What depends on the size of a picture is as large as the picture; every other parameter is that of the square. */
static void only_tables_of_places_follow_the_size(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    bool seen[32] = {false};
    for (size_t k = 0; k < sizeof oblong / sizeof *oblong; k++) {
        limn_graph *g = limn_graph_new(ctx), *square = limn_graph_new(ctx);
        limn_ports ports, of_square;
        char text[512];
        int h, w;
        snprintf(text, sizeof text, "%s", oblong[k]);
        assert_int_equal(sscanf(strchr(text, '@'), "@%dx%d", &h, &w), 2);
        *strchr(text, '@') = '\0';
        assert_int_equal(build_text(ctx, oblong[k], g, &ports), LIMN_OK);
        assert_int_equal(build_text(ctx, text, square, &of_square), LIMN_OK);
        for (int i = 0; limn_families[i]; i++)
            seen[i] |= strcspn(text, " ") == strlen(limn_families[i]->name) &&
                       !strncmp(text, limn_families[i]->name, strcspn(text, " "));
        limn_shape in = limn_node_shape(ports.image), out = limn_node_shape(ports.output);
        assert_true(in.dim[1] == h && in.dim[2] == w && out.dim[1] == h && out.dim[2] == w);
        assert_int_equal(g->n_parameters, square->n_parameters);
        for (int i = 0; i < g->n_parameters; i++) {
            const limn_node *p = g->parameters[i], *q = square->parameters[i];
            assert_string_equal(p->name, q->name);
            bool places = !strcmp(p->name, "pos_embed") || strstr(p->name, ".ln.");
            if (!places && !limn_shape_equal(&p->shape, &q->shape)) fail_msg("%s: %s has another shape", oblong[k], p->name);
            if (p->init.kind == LIMN_INIT_SINCOS_2D && !p->init.grid_stored && !strcmp(p->name, "pos_embed"))
                assert_true(p->init.grid_h * w == p->init.grid_w * h);
        }
        limn_graph_free(g);
        limn_graph_free(square);
    }
    for (int i = 0; limn_families[i]; i++)
        if (!seen[i] && limn_families[i]->side) fail_msg("%s is not tried", limn_families[i]->name);
    limn_ctx_free(ctx);
}

static void an_impossible_side_is_refused_with_the_nearest(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    static const char *const cases[][2] = {
        {"dit " SMALL "@5x4", "dit: the height of the picture must be a multiple of patch, found 5; the nearest is 6"},
        {"mmdit " SMALL "@4x7", "mmdit: the width of the picture must be a multiple of patch, found 7; the nearest is 8"},
        {"mmdit " SMALL "places=3 @8x6", "of as many patches as there are places at most, found 8; the nearest is 6"},
        {"mmdit " SMALL "places=1", "mmdit: size must be a multiple of patch, of as many patches as there are places at "
                                    "most, found 4; the nearest is 2"},
        {"uvit " SMALL "@2x8", "uvit: 2 rows of 8 pixels are as many as 4 x 4, for which the places were learned"},
        {"uvit size=6 patch=4 ", "uvit: size must be a multiple of patch, found 6; the nearest is 8"},
        {"hdit size=64 @60x64", "a multiple of patch times 2^(levels-1), found 60; the nearest is 64"},
        {"hdit size=64 @64x72", "are a multiple of window, or fit in one, found 72; the nearest is 64"},
        {"unet size=64 levels=4 @64x100",
         "unet: the width of the picture must be a multiple of 2^(levels-1), found 100; the nearest is 104"},
        {"unet size=572 levels=5 padding=valid @560x572", "found 560; the nearest is 556"},
        {"unet size=572 levels=5 padding=valid height=500 ", "unet: height must be such that every level halves"},
        {"vae @512x513", "levels - 1, found 513; the nearest is 512"},
        {"tae @-8x512", "tae: the height of the picture must be at least 1, found -8"},
        {"tae size=9 levels=3", "tae: size must be a multiple of 2 to the power of levels, found 9; the nearest is 8"},
        {"ddpm-mnist @28x32", "4 times an odd number, found 32; the nearest is 36"},
        {"ddpm size=1 width=32 attention=window attention_most=0", "found 1; the nearest is"},
        {"ddpm @32x33", "found 33; the nearest is 32"},
        {"adm @63x64", "found 63; the nearest is 64"},
        {"ldm-unet attention=window attention_most=16 @64x70", "found 70; the nearest is"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        limn_graph *g = limn_graph_new(ctx);
        limn_ports ports;
        assert_int_equal(build_text(ctx, cases[k][0], g, &ports), LIMN_BAD_ARGUMENT);
        if (!strstr(limn_error_text(ctx), cases[k][1])) fail_msg("%s: %s", cases[k][0], limn_error_text(ctx));
        limn_graph_free(g);
    }
    limn_ctx_free(ctx);
}

/* rows x columns of runs of n values become columns x rows. */
static void transpose(int64_t rows, int64_t columns, int64_t n, double *x)
{
    double *y = malloc((size_t)(rows * columns * n) * sizeof *y);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++)
            memcpy(y + (c * rows + r) * n, x + (r * columns + c) * n, (size_t)n * sizeof *y);
    memcpy(x, y, (size_t)(rows * columns * n) * sizeof *y);
    free(y);
}

/* Windows of convolutions [n,c,k,k]; norms of a picture [c,h,w]; places [1,E+h w,D] behind E of other tokens; rows for a
 * patch of 2 x 2. */
static void transpose_weight(const limn_node *p, int64_t h, int64_t w, double *x)
{
    const int64_t *d = p->shape.dim;
    if (p->shape.rank == 4)
        for (int64_t i = 0; i < d[0] * d[1]; i++) transpose(d[2], d[3], 1, x + i * d[2] * d[3]);
    if (p->shape.rank == 3 && strstr(p->name, ".ln."))
        for (int64_t i = 0; i < d[0]; i++) transpose(d[1], d[2], 1, x + i * d[1] * d[2]);
    if (!strcmp(p->name, "pos_embed")) transpose(h / 2, w / 2, d[2], x + (d[1] - h / 2 * (w / 2)) * d[2]);
    if (strstr(p->name, "final_layer.linear.") || strstr(p->name, "decoder_pred."))
        transpose(2, 2, limn_node_count(p) / 4, x);
}

/* [B,H,W,C] of one run, with rows and columns exchanged in the other. */
static void fill_transposed(limn_run *run, const limn_node *node, limn_run *other, const limn_node *twin, uint64_t sub)
{
    limn_shape s = limn_node_shape(node);
    int64_t n = limn_node_count(node);
    float *f = malloc((size_t)n * sizeof *f);
    double *x = malloc((size_t)n * sizeof *x);
    fill(f, LIMN_F32, n, sub, 1);
    for (int64_t i = 0; i < n; i++) x[i] = f[i];
    assert_int_equal(limn_run_write(run, node, LIMN_F64, x), LIMN_OK);
    for (int64_t b = 0; b < s.dim[0]; b++) transpose(s.dim[1], s.dim[2], s.dim[3], x + b * s.dim[1] * s.dim[2] * s.dim[3]);
    assert_int_equal(limn_run_write(other, twin, LIMN_F64, x), LIMN_OK);
    free(f);
    free(x);
}

/* f(x^T; W^T) = f(x; W)^T: no network prefers rows to columns. */
static void a_transposed_picture_is_drawn_transposed(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    static const char *const cases[][2] = {
        {"dit " SMALL "time_width=6 @4x6", "dit " SMALL "time_width=6 @6x4"},
        {"mmdit " SMALL TEXT "attention=joint text_encoder=clip @6x2",
         "mmdit " SMALL TEXT "attention=joint text_encoder=clip @2x6"},
        {"uvit " SMALL "classes=4 @4x6", "uvit " SMALL "classes=4 @6x4"},
        {"unet size=8 channels=2 classes=3 width=2 levels=3 @4x12",
         "unet size=8 channels=2 classes=3 width=2 levels=3 @12x4"},
        {"unet size=20 channels=1 classes=2 width=2 levels=2 padding=valid up=bilinear @20x28",
         "unet size=20 channels=1 classes=2 width=2 levels=2 padding=valid up=bilinear @28x20"},
        {"vae size=2 channels=2 latent=1 base=2 levels=2 layers=1 groups=2 @2x6",
         "vae size=2 channels=2 latent=1 base=2 levels=2 layers=1 groups=2 @6x2"},
        {"tae size=4 channels=1 latent=1 width=4 levels=1 blocks=1 pool=1 @2x6",
         "tae size=4 channels=1 latent=1 width=4 levels=1 blocks=1 pool=1 @6x2"},
        {"ddpm-mnist size=12 width=1 time_width=4 @12x20", "ddpm-mnist size=12 width=1 time_width=4 @20x12"},
        {"ddpm " UNET "enlarge=2 @2x6", "ddpm " UNET "enlarge=2 @6x2"},
        {"adm " UNET "head_width=1 @2x6", "adm " UNET "head_width=1 @6x2"},
        {"ldm-unet " UNET TEXT "heads=2 @2x6", "ldm-unet " UNET TEXT "heads=2 @6x2"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        small_net a = {0}, b = {0};
        small_open(&a, ctx, cases[k][0], LIMN_PRECISION_F64, "ref", true, false);
        small_open(&b, ctx, cases[k][1], LIMN_PRECISION_F64, "ref", true, false);
        limn_shape image = limn_node_shape(a.ports.image);
        double plain = small_run(&b);
        for (int i = 0; i < a.g->n_parameters; i++) {
            memcpy(b.weights[i], a.weights[i], (size_t)limn_node_count(a.g->parameters[i]) * sizeof(double));
            transpose_weight(a.g->parameters[i], image.dim[1], image.dim[2], b.weights[i]);
        }
        fill_transposed(a.run, a.ports.image, b.run, b.ports.image, 1);
        fill_transposed(a.run, a.target, b.run, b.target, 2);
        if (a.ports.noise) fill_transposed(a.run, a.ports.noise, b.run, b.ports.noise, 4);
        if (a.ports.condition) fill_transposed(a.run, a.ports.condition, b.run, b.ports.condition, 4);
        double expected = small_run(&a), found = small_run(&b);
        if (!(fabs(expected - found) <= 1e-12 * expected))
            fail_msg("%s: %.15g, transposed %.15g", cases[k][0], expected, found);
        if (!(fabs(plain - expected) > 1e-9 * expected)) fail_msg("%s: nothing to see", cases[k][0]);
        small_close(&a);
        small_close(&b);
    }
    limn_ctx_free(ctx);
}

/* Columns `left` on of a picture that is `width` wide. */
static void fill_part(limn_run *run, const limn_node *node, const float *whole, int64_t width, int64_t left)
{
    limn_shape s = limn_node_shape(node);
    float *x = malloc((size_t)limn_node_count(node) * sizeof *x);
    for (int64_t y = 0; y < s.dim[0] * s.dim[1]; y++)
        memcpy(x + y * s.dim[2] * s.dim[3], whole + (y * width + left) * s.dim[3],
               (size_t)(s.dim[2] * s.dim[3]) * sizeof *x);
    assert_int_equal(limn_run_write(run, node, LIMN_F32, x), LIMN_OK);
    free(x);
}

/* Without zeros around (padding=valid) and norms, 4 x 12 pixels of a result are three times those of the square that sees 20
 * x 20. */
static void an_oblong_is_squares_side_by_side(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    small_net wide = {0}, square = {0};
    float image[2 * 20 * 28 * 2], target[2 * 4 * 12 * 3];
    double sum = 0;
    small_open(&wide, ctx, "unet size=20 channels=2 classes=3 width=2 levels=2 padding=valid @20x28", LIMN_PRECISION_F64,
               "ref", true, false);
    small_open(&square, ctx, "unet size=20 channels=2 classes=3 width=2 levels=2 padding=valid", LIMN_PRECISION_F64, "ref",
               true, false);
    assert_true(limn_node_shape(wide.ports.output).dim[2] == 12 && limn_node_shape(square.ports.output).dim[2] == 4);
    fill(image, LIMN_F32, sizeof image / sizeof *image, 11, 1);
    fill(target, LIMN_F32, sizeof target / sizeof *target, 12, 1);
    fill_part(wide.run, wide.ports.image, image, 28, 0);
    fill_part(wide.run, wide.target, target, 12, 0);
    for (int left = 0; left <= 8; left += 4) {
        fill_part(square.run, square.ports.image, image, 28, left);
        fill_part(square.run, square.target, target, 12, left);
        sum += small_run(&square);
    }
    double found = small_run(&wide);
    if (fabs(found - sum / 3) > 1e-12 * found) fail_msg("%.15g, of squares %.15g", found, sum / 3);
    small_close(&wide);
    small_close(&square);
    limn_ctx_free(ctx);
}

/* Relative distance from the reference in double: the loss, and of the gradients the worst parameter (each) or all
 * together. */
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
        cmocka_unit_test(old_texts_are_the_same_network),
        cmocka_unit_test(a_list_is_read_both_ways),
        cmocka_unit_test(a_number_became_a_list),
        cmocka_unit_test(a_wrong_list_or_real_is_named),
        cmocka_unit_test(reals_come_back_under_any_locale),
        cmocka_unit_test(every_family_says_what_it_is),
        cmocka_unit_test(gradients_equal_finite_differences),
        cmocka_unit_test(only_tables_of_places_follow_the_size),
        cmocka_unit_test(an_impossible_side_is_refused_with_the_nearest),
        cmocka_unit_test(a_transposed_picture_is_drawn_transposed),
        cmocka_unit_test(an_oblong_is_squares_side_by_side),
        cmocka_unit_test(cpu_kernels_and_fusions_equal_the_reference),
        cmocka_unit_test(only_what_changed_runs_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
