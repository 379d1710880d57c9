/* test_weight_sets.c: which weights of a file are taken: raw or EMA, behind whatever prefix, of any network; what cannot be
 * told is refused with names; and what text of a file a terminal gets.  The networks are tiny; the values of a tensor are a
 * formula of its name (formula.h), those of an EMA one more. */
#include "net/open.h"
#include "formula.h"
#include "file/safetensors.h"
#include "graph/node.h"
#include "model/fit.h"
#include "model/map/map.h"
#include "train/weights.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

enum { MAX_TENSORS = 1600, NAME = 200 };
#define COUNT(a) (int)(sizeof(a) / sizeof *(a))
#define UNET "unet size=16 channels=1 classes=3 width=8 levels=2 norm=batch"
#define FILE_NAME "weight-sets.safetensors"

/* A network, a file under construction, and what the log said. */
typedef struct bench {
    limn_ctx *ctx;
    limn_graph *g;
    limn_weights weights;
    char settings[1024], log[4096];
    char names[MAX_TENSORS][NAME];
    limn_named_view views[MAX_TENSORS];
    float *values[MAX_TENSORS];
    int n;
} bench;

static void listen(void *user, limn_log_level level, const char *text)
{
    bench *b = user;
    if (level != LIMN_LOG_DEBUG) snprintf(b->log + strlen(b->log), sizeof b->log - strlen(b->log), "%s%s\n",
                                          level == LIMN_LOG_WARN ? "warning: " : "", text);
}

static bench *begin(const char *settings)
{
    limn_ports ports;
    limn_settings s;
    bench *b = calloc(1, sizeof *b);
    b->ctx = limn_ctx_new();
    limn_ctx_set_log(b->ctx, listen, b);
    if (limn_settings_parse(b->ctx, settings, &s) != LIMN_OK) fail_msg("%s", limn_error_text(b->ctx));
    limn_settings_text(&s, b->settings);
    b->g = limn_graph_new(b->ctx);
    if (limn_model_build(b->g, &s, (limn_build){.batch = 1}, &ports) != LIMN_OK) fail_msg("%s", limn_error_text(b->ctx));
    assert_int_equal(limn_weights_new(b->ctx, b->g, 0, &b->weights), LIMN_OK);
    return b;
}

static void forget(bench *b)
{
    for (int i = 0; i < b->n; i++) free(b->values[i]);
    b->n = 0, b->log[0] = '\0';
}

static void end(bench *b)
{
    forget(b);
    limn_weights_free(&b->weights);
    limn_graph_free(b->g);
    limn_ctx_free(b->ctx);
    free(b);
    unlink(FILE_NAME);
}

static float *add(bench *b, const char *name, limn_shape shape)
{
    assert_true(b->n < MAX_TENSORS);
    snprintf(b->names[b->n], NAME, "%s", name);
    float *x = b->values[b->n] = calloc((size_t)limn_shape_count(&shape) + 1, sizeof *x);
    b->views[b->n] = (limn_named_view){b->names[b->n], {LIMN_F32, shape, x}};
    b->n++;
    return x;
}

/* All parameters behind a prefix but those whose names hold `without`; values: the formula's plus `more`. */
static void add_set(bench *b, const char *prefix, const char *without, float more)
{
    for (int i = 0; i < b->weights.n; i++) {
        const limn_node *p = b->weights.node[i];
        char name[NAME];
        if (without && strstr(p->name, without)) continue;
        snprintf(name, sizeof name, "%s%s", prefix, p->name);
        float *x = add(b, name, p->shape);
        formula_fill(p->name, limn_node_count(p), 0.25f, x);
        for (int64_t k = 0; k < limn_node_count(p); k++) x[k] += more;
    }
}

static void write_file(bench *b, size_t n_metadata, const char *const (*metadata)[2])
{
    if (limn_safetensors_write(b->ctx, FILE_NAME, (size_t)b->n, b->views, n_metadata, metadata) != LIMN_OK)
        fail_msg("%s", limn_error_text(b->ctx));
}

static int find(const bench *b, const char *name)
{
    for (int i = 0; i < b->weights.n; i++)
        if (!strcmp(b->weights.node[i]->name, name)) return i;
    fail_msg("no %s", name);
    return -1;
}

/* How much more than the formula the first value of a parameter is, once all are loaded. */
static double more_of(bench *b, const limn_weight_file *st, const char *name)
{
    float *data = calloc(b->weights.count, sizeof *data), first;
    int i = find(b, name);
    if (limn_weights_load(b->ctx, &b->weights, FILE_NAME, st, "", data) != LIMN_OK) fail_msg("%s", limn_error_text(b->ctx));
    formula_fill(name, 1, 0.25f, &first);
    double more = (double)data[b->weights.begin[i]] - (double)first;
    free(data);
    return more;
}

/* Opened to run, and to go on training. */
static double to_run(bench *b, const char *name)
{
    limn_weight_file *st;
    limn_settings found;
    char text[1024];
    if (limn_net_open(b->ctx, FILE_NAME, NULL, &st, &found) != LIMN_OK) fail_msg("%s", limn_error_text(b->ctx));
    limn_settings_text(&found, text);
    /* the family: a size that no shape tells may be another */
    if (strncmp(text, b->settings, strcspn(text, " "))) fail_msg("%s", text);
    double more = more_of(b, st, name);
    limn_weight_file_close(st);
    return more;
}

static double to_train(bench *b, const char *name)
{
    limn_weight_file *st;
    if (limn_net_open_start(b->ctx, FILE_NAME, b->g, &st) != LIMN_OK) fail_msg("%s", limn_error_text(b->ctx));
    double more = more_of(b, st, name);
    limn_weight_file_close(st);
    return more;
}

static void expect(bench *b, const char *what, double found, double expected)
{
    if (found < expected - 1e-3 || found > expected + 1e-3)
        fail_msg("%s: %g instead of %g; %s", what, found, expected, b->log);
}

/* ---- raw and EMA ------------------------------------------------------------------------------------------------------ */

static void a_prefix_says_what_it_is(void **state)
{
    (void)state;
    static const struct { const char *prefix; limn_set_kind kind; } cases[] = {
        {"", LIMN_SET_RAW}, {"model.", LIMN_SET_RAW}, {"ema.", LIMN_SET_EMA}, {"ema/", LIMN_SET_EMA},
        {"state_dict_ema.", LIMN_SET_EMA}, {"params_ema.", LIMN_SET_EMA},
        {"g_ema.", LIMN_SET_EMA}, {"model_ema.", LIMN_SET_EMA}, {"ema_model.module.", LIMN_SET_EMA},
        {"ema.ema_model.", LIMN_SET_EMA}, {"ema_0.9999.", LIMN_SET_EMA},
        {"ema.online_model.", LIMN_SET_ONLINE}, {"adam_m/", LIMN_SET_STATE}, {"adam_v/", LIMN_SET_STATE},
        {"schema.", LIMN_SET_RAW}, {"emaciated.", LIMN_SET_RAW},
        {"swa_model.module.", LIMN_SET_EMA},
    };
    for (int k = 0; k < COUNT(cases); k++)
        if (limn_set_kind_of(cases[k].prefix) != cases[k].kind) fail_msg("%s", cases[k].prefix);
}

/* What trainers save: EMA to draw from, raw weights to go on with, and a line that says so. */
static void ema_is_run_and_raw_weights_are_trained(void **state)
{
    (void)state;
    static const struct { const char *raw, *ema; } cases[] = {
        {"model.", "ema."}, {"state_dict.", "state_dict_ema."}, {"params.", "params_ema."}, {"net.", "ema_model."},
        {"generator.", "g_ema."}, {"", "ema/"},
        {"", "ema."}, {"model.", "model_ema."}, {"model.module.", "ema.module."}, {"model._orig_mod.", "ema."},
        {"state_dict.model.", "state_dict.ema_model.module."},
    };
    bench *b = begin(UNET);
    char taken[100], left[100];
    for (int k = 0; k < COUNT(cases); k++) {
        for (int turn = 0; turn < 2; turn++) { /* whichever comes first in the file */
            forget(b);
            add_set(b, turn ? cases[k].ema : cases[k].raw, NULL, (float)turn);
            add_set(b, turn ? cases[k].raw : cases[k].ema, NULL, (float)!turn);
            write_file(b, 0, NULL);
            expect(b, cases[k].ema, to_run(b, "outc.conv.bias"), 1);
            snprintf(taken, sizeof taken, "weights taken: EMA (%s, 34 tensors)", cases[k].ema);
            snprintf(left, sizeof left, "not taken: raw (%s, 34 tensors)",
                     *cases[k].raw ? cases[k].raw : "without a prefix");
            if (!strstr(b->log, taken) || !strstr(b->log, left) || strstr(b->log, "warning")) fail_msg("%s", b->log);
            b->log[0] = '\0';
            expect(b, cases[k].raw, to_train(b, "outc.conv.bias"), 0);
            if (!strstr(b->log, "weights taken: raw (") || !strstr(b->log, "not taken: EMA (")) fail_msg("%s", b->log);
        }
    }
    end(b);
}

static void the_choice_can_be_said(void **state)
{
    (void)state;
    static const struct { const char *which; double run, train; } cases[] = {{"raw", 0, 0}, {"ema", 1, 1}, {"model", 0, 0},
                                                                             {"ema.", 1, 1}, {NULL, 1, 0}};
    limn_weight_file *st;
    limn_settings found;
    bench *b = begin(UNET);
    add_set(b, "model.", NULL, 0);
    add_set(b, "ema.", NULL, 1);
    write_file(b, 0, NULL);
    for (int k = 0; k < COUNT(cases); k++) {
        assert_int_equal(limn_ctx_set_weights(b->ctx, cases[k].which), LIMN_OK);
        expect(b, "run", to_run(b, "outc.conv.bias"), cases[k].run);
        expect(b, "train", to_train(b, "outc.conv.bias"), cases[k].train);
    }
    limn_ctx_set_weights(b->ctx, "teacher");
    assert_int_equal(limn_net_open(b->ctx, FILE_NAME, NULL, &st, &found), LIMN_BAD_ARGUMENT);
    assert_null(st);
    if (!strstr(limn_error_text(b->ctx), "raw (model., 34 tensors), EMA (ema., 34 tensors)"))
        fail_msg("%s", limn_error_text(b->ctx));
    forget(b);
    add_set(b, "", NULL, 0); /* one set without a word may be either */
    write_file(b, 0, NULL);
    limn_ctx_set_weights(b->ctx, "ema");
    expect(b, "alone", to_run(b, "outc.conv.bias"), 0);
    forget(b);
    add_set(b, "ema.", NULL, 1);
    write_file(b, 0, NULL);
    limn_ctx_set_weights(b->ctx, "raw");
    assert_int_equal(limn_net_open(b->ctx, FILE_NAME, NULL, &st, &found), LIMN_BAD_ARGUMENT);
    limn_ctx_set_weights(b->ctx, NULL);
    expect(b, "EMA alone", to_train(b, "outc.conv.bias"), 1);
    char longer[400];
    memset(longer, 'x', sizeof longer), longer[sizeof longer - 1] = '\0';
    assert_int_equal(limn_ctx_set_weights(b->ctx, longer), LIMN_BAD_ARGUMENT);
    end(b);
}

/* An EMA of what is trained lacks the running statistics: they are the model's, and that is a warning with counts. */
static void an_ema_of_some_tensors_is_completed(void **state)
{
    (void)state;
    bench *b = begin(UNET);
    add_set(b, "model.", NULL, 0);
    add_set(b, "ema.", "running_", 1);
    write_file(b, 0, NULL);
    expect(b, "EMA", to_run(b, "outc.conv.bias"), 1);
    if (!strstr(b->log, "warning: ") ||
        !strstr(b->log, "EMA (ema., 22 tensors); the other 12 tensors, which it lacks, from raw (model., 34 tensors)"))
        fail_msg("%s", b->log);
    expect(b, "statistics", to_run(b, "inc.double_conv.1.running_mean"), 0);
    forget(b);
    add_set(b, "ema.", "outc", 1); /* first in the file, and what tells the network is not in it */
    add_set(b, "model.", NULL, 0);
    write_file(b, 0, NULL);
    expect(b, "EMA", to_run(b, "inc.double_conv.0.weight"), 1);
    end(b);
}

/* CompVis's LitEma leaves the dots out: "model_ema.diffusion_modelincdouble_conv0weight" of
 * "model.diffusion_model.inc.double_conv.0.weight". */
static void names_without_dots_are_an_ema_too(void **state)
{
    (void)state;
    static const char *const raw[] = {"state_dict.model.", "state_dict.model.diffusion_model."};
    static const char *const inside[] = {"", "diffusion_model"};
    bench *b = begin(UNET);
    for (int k = 0; k < 2; k++) {
        forget(b);
        add_set(b, raw[k], NULL, 0);
        for (int i = 0, n = b->n; i < n; i++) {
            char name[NAME], *to = name;
            to += sprintf(name, "state_dict.model_ema.%s", inside[k]);
            for (const char *c = b->names[i] + strlen(raw[k]); *c; c++) to += *c != '.' ? (*to = *c, 1) : 0;
            *to = '\0';
            limn_shape shape = b->views[i].view.shape;
            float *x = add(b, name, shape);
            for (int64_t j = 0; j < limn_shape_count(&shape); j++) x[j] = b->values[i][j] + 1;
        }
        add(b, "state_dict.model_ema.decay", (limn_shape){.rank = 0});
        write_file(b, 0, NULL);
        expect(b, inside[k], to_run(b, "up1.conv.double_conv.3.weight"), 1);
        if (!strstr(b->log, "EMA (state_dict.model_ema., 34 tensors)")) fail_msg("%s", b->log);
        expect(b, raw[k], to_train(b, "up1.conv.double_conv.3.weight"), 0);
    }
    end(b);
}

/* Limn's own checkpoints, whose optimizer's moments have the same names and shapes. */
static void own_checkpoints_are_told_apart(void **state)
{
    (void)state;
    bench *b = begin("dit size=8 patch=2 width=8 depth=1 heads=2 mlp=8");
    const char *const metadata[][2] = {{"limn.settings", b->settings}};
    add_set(b, "", NULL, 0);
    add_set(b, "adam_m/", NULL, 2);
    add_set(b, "adam_v/", NULL, 3);
    add_set(b, "ema/", NULL, 1);
    write_file(b, 1, metadata);
    expect(b, "run", to_run(b, "final_layer.linear.bias"), 1);
    expect(b, "train", to_train(b, "final_layer.linear.bias"), 0);
    if (!strstr(b->log, "EMA (ema/, ") || strstr(b->log, "adam")) fail_msg("%s", b->log);
    limn_ctx_set_weights(b->ctx, "adam_m");
    limn_weight_file *st;
    limn_settings found;
    assert_int_equal(limn_net_open(b->ctx, FILE_NAME, NULL, &st, &found), LIMN_BAD_ARGUMENT);
    end(b);
}

/* torch_ema keeps a list of tensors. */
static void an_ema_without_names_is_a_warning(void **state)
{
    (void)state;
    bench *b = begin(UNET);
    add_set(b, "model.", NULL, 0);
    for (int i = 0; i < 3; i++) {
        char name[NAME];
        snprintf(name, sizeof name, "ema.shadow_params.%d", i);
        add(b, name, b->weights.node[i]->shape);
    }
    write_file(b, 0, NULL);
    expect(b, "run", to_run(b, "outc.conv.bias"), 0);
    if (!strstr(b->log, "warning: ") || !strstr(b->log, "an EMA without names (ema.shadow_params.0 and 2 more)"))
        fail_msg("%s", b->log);
    b->log[0] = '\0';
    expect(b, "train", to_train(b, "outc.conv.bias"), 0);
    assert_string_equal(b->log, "");
    end(b);
}

static void what_cannot_be_told_apart_is_refused(void **state)
{
    (void)state;
    static const struct { const char *a, *b, *c; bool run, train; } cases[] = {
        {"ema_0.999.", "ema_0.9999.", "model.", false, true}, {"net.", "net2.", NULL, false, false},
        {"model.", "ema.online_model.", "ema.ema_model.", true, true}};
    limn_weight_file *st;
    limn_settings found;
    bench *b = begin(UNET);
    for (int k = 0; k < COUNT(cases); k++) {
        forget(b);
        add_set(b, cases[k].a, NULL, 1);
        add_set(b, cases[k].b, NULL, 2);
        if (cases[k].c) add_set(b, cases[k].c, NULL, 3);
        write_file(b, 0, NULL);
        assert_int_equal(limn_net_open(b->ctx, FILE_NAME, NULL, &st, &found),
                         cases[k].run ? LIMN_OK : LIMN_BAD_ARGUMENT);
        if (!cases[k].run && (!strstr(limn_error_text(b->ctx), cases[k].a) || !strstr(limn_error_text(b->ctx), cases[k].b)))
            fail_msg("%s", limn_error_text(b->ctx));
        limn_weight_file_close(st);
        assert_int_equal(limn_net_open_start(b->ctx, FILE_NAME, b->g, &st),
                         cases[k].train ? LIMN_OK : LIMN_BAD_ARGUMENT);
        limn_weight_file_close(st);
    }
    expect(b, "online", to_train(b, "outc.conv.bias"), 1); /* of the last: "model." */
    expect(b, "EMA", to_run(b, "outc.conv.bias"), 3);
    end(b);
}

/* ---- prefixes --------------------------------------------------------------------------------------------------------- */

/* Every family, also those without a table of published names, behind prefixes alone and together. */
static void any_prefix_is_found(void **state)
{
    (void)state;
    static const char *const networks[] = {
        UNET,
        "unet size=16 width=8 levels=2 norm=group up=bilinear",
        "unet size=16 width=8 levels=2",
        "dit size=12 channels=3 patch=4 width=384 depth=1 heads=6 mlp=8 conditioning=modulated norm=pre classes=3",
        "clip-text text_length=9 text_width=64 text_depth=1 text_heads=1 text_vocab=600",
        "vae size=16 base=32 levels=2 layers=1",
        "tae size=16 width=8",
        "ddpm size=32 width=32 multipliers=12 blocks=1 attention=16 attention_least=16",
    };
    static const char *const prefixes[] = {"module.",
                                           "_orig_mod.",
                                           "module._orig_mod.",
                                           "model.",
                                           "net.",
                                           "unet.",
                                           "diffusion_model.",
                                           "state_dict.",
                                           "model_state_dict.",
                                           "network_weights.",
                                           "state_dict.module.",
                                           "state_dict.model.diffusion_model.",
                                           "weights/"};
    for (int n = 0; n < COUNT(networks); n++) {
        bench *b = begin(networks[n]);
        const char *last = b->weights.node[b->weights.n - 1]->name;
        for (int k = 0; k < COUNT(prefixes); k++) {
            forget(b);
            add_set(b, prefixes[k], NULL, 0);
            add(b, "epoch_of.something", LIMN_SHAPE(1));
            write_file(b, 0, NULL);
            expect(b, prefixes[k], to_run(b, last), 0);
            expect(b, prefixes[k], to_train(b, last), 0);
            if (b->log[0]) fail_msg("%s", b->log);
        }
        end(b);
    }
}

/* Networks that only a preset knows, and those whose settings are in the file. */
static void prefixes_of_presets_and_of_own_settings(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_settings s;
    char text[1024];
    limn_weight_file *st;
    assert_int_equal(limn_settings_find(ctx, "hdit-sr", &s), LIMN_OK);
    bench *b = begin(limn_settings_text(&s, text));
    for (int own = 0; own < 2; own++) {
        const char *const metadata[][2] = {{"limn.settings", b->settings}};
        forget(b);
        add_set(b, "module.", NULL, 0);
        write_file(b, (size_t)own, metadata);
        expect(b, "run", to_run(b, "final_layer.linear.bias"), 0);
        expect(b, "train", to_train(b, "final_layer.linear.bias"), 0);
        limn_fit fit;
        assert_int_equal(limn_weight_file_open(ctx, FILE_NAME, &st), LIMN_OK);
        assert_int_equal(limn_fit_find(ctx, FILE_NAME, st, &fit), LIMN_OK);
        limn_weight_file_close(st);
        assert_int_equal(fit.source, own ? LIMN_FIT_METADATA : LIMN_FIT_PRESET);
        assert_int_equal(fit.n_found, fit.n_parameters);
        assert_string_equal(fit.prefix, "module.");
    }
    end(b);
    limn_ctx_free(ctx);
}

/* ---- sentences -------------------------------------------------------------------------------------------------------- */

static limn_status load(bench *b)
{
    limn_weight_file *st;
    float *data = calloc(b->weights.count, sizeof *data);
    limn_status status = limn_net_open_start(b->ctx, FILE_NAME, b->g, &st);
    if (status == LIMN_OK) status = limn_weights_load(b->ctx, &b->weights, FILE_NAME, st, "", data);
    limn_weight_file_close(st);
    free(data);
    return status;
}

static void a_near_miss_is_named(void **state)
{
    (void)state;
    bench *b = begin(UNET);
    add_set(b, "net.", "outc", 0);
    add(b, "net.last.outc.conv.weight", LIMN_SHAPE(3, 8, 1, 1));
    write_file(b, 0, NULL);
    assert_int_equal(load(b), LIMN_BAD_FILE);
    if (!strstr(limn_error_text(b->ctx),
                "no tensor \"net.outc.conv.weight\", which the network needs; \"net.last.outc.conv.weight\" is there"))
        fail_msg("%s", limn_error_text(b->ctx));
    forget(b);
    add(b, "module!inc.double_conv.0.weight", LIMN_SHAPE(8, 1, 3, 3)); /* no end of a name */
    add(b, "other", LIMN_SHAPE(1));
    write_file(b, 0, NULL);
    assert_int_equal(load(b), LIMN_BAD_FILE);
    if (!strstr(
            limn_error_text(b->ctx),
            "no tensor \"inc.double_conv.0.weight\", which the network needs; \"module!inc.double_conv.0.weight\" is there"))
        fail_msg("%s", limn_error_text(b->ctx));
    limn_weight_file *st;
    limn_settings found;
    assert_int_equal(limn_net_open(b->ctx, FILE_NAME, NULL, &st, &found), LIMN_UNSUPPORTED);
    if (!strstr(limn_error_text(b->ctx), "U-Net") || !strstr(limn_error_text(b->ctx), "the first is \"module!inc"))
        fail_msg("%s", limn_error_text(b->ctx));
    end(b);
}

/* To start a training from weights of other counts: the tensor, what it is, what was expected. */
static void other_counts_are_said_with_both_shapes(void **state)
{
    (void)state;
    static const struct { const char *trained, *now, *sentence; } cases[] = {
        {"unet size=16 channels=1 classes=3 width=8 levels=2", "unet size=16 channels=1 classes=2 width=8 levels=2",
         "tensor \"module.outc.conv.weight\" is F32 [3, 8, 1, 1], expected [2, 8, 1, 1]"},
        {"unet size=16 channels=1 classes=2 width=8 levels=2", "unet size=16 channels=3 classes=2 width=8 levels=2",
         "tensor \"module.inc.double_conv.0.weight\" is F32 [8, 1, 3, 3], expected [8, 3, 3, 3]"},
        {"dit size=12 channels=3 patch=4 width=384 depth=1 heads=6 mlp=8 conditioning=modulated norm=pre classes=3",
         "dit size=12 channels=3 patch=4 width=384 depth=1 heads=6 mlp=8 conditioning=modulated norm=pre classes=5",
         "tensor \"module.y_embedder.embedding_table.weight\" is F32 [4, 384], expected [6, 384]"},
        {"dit size=12 channels=3 patch=4 width=384 depth=1 heads=6 mlp=8 conditioning=modulated norm=pre classes=3",
         "dit size=12 channels=1 patch=4 width=384 depth=1 heads=6 mlp=8 conditioning=modulated norm=pre classes=3",
         "tensor \"module.x_embedder.proj.weight\" is F32 [384, 3, 4, 4], expected [384, 1, 4, 4]"},
    };
    for (int k = 0; k < COUNT(cases); k++) {
        bench *b = begin(cases[k].trained), *other = begin(cases[k].now);
        add_set(b, "module.", NULL, 0);
        write_file(b, 0, NULL);
        assert_int_equal(load(other), LIMN_BAD_FILE);
        if (!strstr(limn_error_text(other->ctx), cases[k].sentence)) fail_msg("%s", limn_error_text(other->ctx));
        end(b);
        end(other);
    }
}

static void expect_plain(const char *text)
{
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 && *c != '\n') fail_msg("byte %02x in: %s", (unsigned)*c, text);
        else if (*c == 0x7f) fail_msg("DEL in: %s", text);
}

/* A window's title set by a tensor's name, a bell, C1's CSI: none comes out raw, in no sentence and no line of the log. */
static void names_never_steer_a_terminal(void **state)
{
    (void)state;
    static const char evil[] = "\033]0;owned\a\177\302\233" "31m.";
    limn_weight_file *st;
    limn_settings found;
    bench *b = begin(UNET);
    char name[NAME];
    for (int k = 0; k < 4; k++) {
        forget(b);
        add_set(b, evil, k == 0 ? "up1" : k == 1 ? "down1" : NULL, 0);
        if (k == 2) add_set(b, "ema\033[2J.", NULL, 1);
        snprintf(name, sizeof name, "%sup1.up.weight", evil);
        if (k == 0) add(b, name, LIMN_SHAPE(7, 7));
        if (k == 3) limn_ctx_set_weights(b->ctx, "\033[2J");
        write_file(b, 0, NULL);
        limn_status opened = limn_net_open(b->ctx, FILE_NAME, NULL, &st, &found);
        assert_int_equal(opened == LIMN_OK, k != 3 && k != 1);
        limn_weight_file_close(st);
        expect_plain(limn_error_text(b->ctx));
        assert_int_equal(load(b) == LIMN_OK, k == 2);
        expect_plain(limn_error_text(b->ctx));
        expect_plain(b->log);
        if (k == 0 && !strstr(limn_error_text(b->ctx), "\\x1b]0;owned\\x07\\x7f\\xc2"))
            fail_msg("%s", limn_error_text(b->ctx));
        if (k == 2 && !strstr(b->log, "ema\\x1b[2J.")) fail_msg("%s", b->log);
    }
    limn_fail(b->ctx, LIMN_BAD_FILE, "%s: a \"%s\" \\x1b \303\244 \377", "a\tb\n", "\033"); /* whoever forgets to escape */
    assert_string_equal(limn_error_text(b->ctx), "a\\x09b\\n: a \"\\x1b\" \\x1b \303\244 \\xff");
    limn_fail_in(b->ctx, LIMN_BAD_FILE, "\a");
    assert_string_equal(limn_error_text(b->ctx), "\\x07: a\\x09b\\n: a \"\\x1b\" \\x1b \303\244 \\xff");
    b->log[0] = '\0';
    limn_log(b->ctx, LIMN_LOG_INFO, "\033[2J\r");
    assert_string_equal(b->log, "\\x1b[2J\\x0d\n");
    end(b);
}

/* ---- a U-Net from its shapes ------------------------------------------------------------------------------------------ */

static void a_unet_is_known_by_its_shapes(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "unet channels=1 classes=1 width=8 levels=5 norm=batch",
        "unet channels=3 classes=3 width=16 levels=5 norm=batch up=bilinear",
        "unet channels=4 classes=7 width=12 levels=3",
        "unet channels=1 classes=2 width=8 levels=2 norm=group",
        "unet channels=2 classes=2 width=8 levels=4 convs=3 norm=batch",
        "unet channels=1 classes=2 width=10 levels=3 convs=1",
    };
    for (int k = 0; k < COUNT(cases); k++) {
        limn_weight_file *st;
        limn_settings found;
        char text[1024];
        bench *b = begin(cases[k]);
        add_set(b, "", NULL, 0);
        /* torch's, which nobody needs; "mask_values" is no tensor */
        add(b, "inc.double_conv.1.num_batches_tracked", (limn_shape){.rank = 0});
        if (!strstr(cases[k], "batch")) b->n--, free(b->values[b->n]);
        write_file(b, 0, NULL);
        if (limn_net_open(b->ctx, FILE_NAME, NULL, &st, &found) != LIMN_OK) fail_msg("%s", limn_error_text(b->ctx));
        assert_string_equal(limn_settings_text(&found, text), b->settings);
        limn_weight_file_close(st);
        end(b);
    }
}

/* Networks whose authors publish weights without settings: counts are read, not compared with those of a preset. */
static void adm_and_uvit_are_known_by_their_shapes(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "adm size=32 width=64 multipliers=124 blocks=1 attention_most=16 attention_least=8 classes=7 always_labelled=1",
        "adm size=64 channels=1 width=64 multipliers=1123 blocks=3 attention_most=8 attention_least=8 learn_sigma=0",
        "adm size=32 width=64 multipliers=122 blocks=2 attention_most=0 attention_least=0 resize=conv scale_shift=0 "
        "channels=4",
        "uvit size=16 channels=4 patch=2 width=64 depth=4 heads=1 mlp=48 classes=5",
        "uvit size=12 patch=4 width=128 depth=2 heads=2 mlp=32 final_conv=0 time_mlp=1 channels=1",
        "uvit size=8 patch=2 width=64 depth=2 heads=1 mlp=32 text=1 text_width=24",
    };
    for (int k = 0; k < COUNT(cases); k++) {
        limn_weight_file *st;
        limn_settings found;
        char text[1024];
        bench *b = begin(cases[k]);
        add_set(b, "module.", NULL, 0);
        add_set(b, "ema.", NULL, 1);
        write_file(b, 0, NULL);
        if (limn_net_open(b->ctx, FILE_NAME, NULL, &st, &found) != LIMN_OK) fail_msg("%s", limn_error_text(b->ctx));
        assert_string_equal(limn_settings_text(&found, text), b->settings);
        expect(b, "EMA", more_of(b, st, b->weights.node[b->weights.n - 1]->name), 1);
        limn_weight_file_close(st);
        end(b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_prefix_says_what_it_is),
        cmocka_unit_test(ema_is_run_and_raw_weights_are_trained),
        cmocka_unit_test(the_choice_can_be_said),
        cmocka_unit_test(an_ema_of_some_tensors_is_completed),
        cmocka_unit_test(names_without_dots_are_an_ema_too),
        cmocka_unit_test(own_checkpoints_are_told_apart),
        cmocka_unit_test(an_ema_without_names_is_a_warning),
        cmocka_unit_test(what_cannot_be_told_apart_is_refused),
        cmocka_unit_test(any_prefix_is_found),
        cmocka_unit_test(prefixes_of_presets_and_of_own_settings),
        cmocka_unit_test(a_near_miss_is_named),
        cmocka_unit_test(other_counts_are_said_with_both_shapes),
        cmocka_unit_test(names_never_steer_a_terminal),
        cmocka_unit_test(a_unet_is_known_by_its_shapes),
        cmocka_unit_test(adm_and_uvit_are_known_by_their_shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
