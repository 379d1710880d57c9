/* test_describe.c: the drawing of a network: the two seed drawings shape by shape, published sizes, what a line says;
 * settings and their mistakes; what training costs; which network a file fits. */
#include "file/safetensors.h"
#include "graph/describe.h"
#include "graph/node.h"
#include "model/config.h"
#include "model/fit.h"
#include "limn/network.h"
#include "train/weights.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static limn_graph *graph_of(limn_ctx *ctx, const char *name, const char *set, int batch)
{
    limn_settings s;
    limn_ports ports;
    limn_graph *g = limn_graph_new(ctx);
    assert_int_equal(limn_settings_find(ctx, name, &s), LIMN_OK);
    assert_int_equal(limn_settings_apply(ctx, &s, set), LIMN_OK);
    assert_int_equal(limn_model_build(g, &s, (limn_build){.batch = batch}, &ports), LIMN_OK);
    return g;
}

static char *drawing_of(limn_ctx *ctx, const char *name, const char *set, limn_describe_options options)
{
    limn_graph *g = graph_of(ctx, name, set, (int)options.batch);
    char *text = limn_describe(g, &options);
    limn_graph_free(g);
    assert_non_null(text);
    return text;
}

/* ---- the seed drawings ------------------------------------------------------------------------------------------------ */

/* A line of the drawing: where the tree ends and the name begins, what it does, and the shape after it. */
typedef struct expected {
    const char *name, *note, *shape;
} expected;

static const expected dit_drawing[] = {
    {"|- image", "input", "64x64x4"},
    {"|- x_embedder", "picture to tokens", "256x64"},
    {"|  |- patchify", "16 x 16 patches of 4 x 4 x 4", "256x64"},
    {"|  `- proj", "linear 64 -> 64", "256x64"},
    {"|- pos_embed", "added: sines and cosines of row and column", "256x64"},
    {"|- timesteps", "input", "1"},
    {"|- t_embedder", "timestep to a vector", "128"},
    {"|  |- sinusoids", "cosines and sines of the timestep", "128"},
    {"|  |- mlp.0", "linear 128 -> 128, SiLU", "128"},
    {"|  `- mlp.2", "linear 128 -> 128", "128"},
    {"|- blocks.0-11", "12 alike", "256x64"},
    {"|  |- time_proj", "linear 128 -> 64 of t_embedder", "64"},
    {"|  |- +", "add time_proj to every token", "256x64"},
    {"|  |- attn", "self-attention", "256x64"},
    {"|  |  |- qkv", "linear 64 -> 192", "256x192"},
    {"|  |  |- attention", "4 heads of 16", "256x64"},
    {"|  |  `- proj", "linear 64 -> 64", "256x64"},
    {"|  |- +", "residual", "256x64"},
    {"|  |- norm1", "LayerNorm", "256x64"},
    {"|  |- mlp", "MLP", "256x64"},
    {"|  |  |- fc1", "linear 64 -> 256, GELU", "256x256"},
    {"|  |  `- fc2", "linear 256 -> 64", "256x64"},
    {"|  |- +", "residual", "256x64"},
    {"|  `- norm2", "LayerNorm", "256x64"},
    {"`- final_layer", "tokens to picture", "64x64x4"},
    {"   |- linear", "linear 64 -> 64", "256x64"},
    {"   `- unpatchify", "16 x 16 patches back to a picture", "64x64x4"},
};

static const expected mmdit_drawing[] = {
    {"|- image", "input", "64x64x4"},
    {"|- features", "input", "77x512"},
    {"|- x_embedder", "picture to tokens", "256x64"},
    {"|  |- patchify", "16 x 16 patches of 4 x 4 x 4", "256x64"},
    {"|  `- proj", "linear 64 -> 64", "256x64"},
    {"|- pos_embed", "added: sines and cosines of row and column", "256x64"},
    {"|- timesteps", "input", "1"},
    {"|- t_embedder", "timestep to a vector", "128"},
    {"|  |- sinusoids", "cosines and sines of the timestep", "128"},
    {"|  |- mlp.0", "linear 128 -> 128, SiLU", "128"},
    {"|  `- mlp.2", "linear 128 -> 128", "128"},
    {"|- context_embedder", "linear 512 -> 64 of features", "77x64"},
    {"|- blocks.0-11", "12 alike", "256x64"},
    {"|  |- time_proj", "linear 128 -> 64 of t_embedder", "64"},
    {"|  |- +", "add time_proj to every token", "256x64"},
    {"|  |- attn", "self-attention", "256x64"},
    {"|  |  |- qkv", "linear 64 -> 192", "256x192"},
    {"|  |  |- attention", "4 heads of 16", "256x64"},
    {"|  |  `- proj", "linear 64 -> 64", "256x64"},
    {"|  |- +", "residual", "256x64"},
    {"|  |- norm1", "LayerNorm", "256x64"},
    {"|  |- cross_attn", "cross-attention", "256x64"},
    {"|  |  |- q_linear", "linear 64 -> 64", "256x64"},
    {"|  |  |- kv_linear", "linear 64 -> 128 of context_embedder", "77x128"},
    {"|  |  |- attention", "4 heads of 16", "256x64"},
    {"|  |  `- proj", "linear 64 -> 64", "256x64"},
    {"|  |- +", "residual", "256x64"},
    {"|  |- norm_cross", "LayerNorm", "256x64"},
    {"|  |- mlp", "MLP", "256x64"},
    {"|  |  |- fc1", "linear 64 -> 256, GELU", "256x256"},
    {"|  |  `- fc2", "linear 256 -> 64", "256x64"},
    {"|  |- +", "residual", "256x64"},
    {"|  `- norm2", "LayerNorm", "256x64"},
    {"`- final_layer", "tokens to picture", "64x64x4"},
    {"   |- linear", "linear 64 -> 64", "256x64"},
    {"   `- unpatchify", "16 x 16 patches back to a picture", "64x64x4"},
};

/* Every line of the drawing is expected, in order; name, note and shape are whole words at their places. */
static void compare_drawing(const char *network, const expected *rows, size_t n)
{
    limn_ctx *ctx = limn_ctx_new();
    char *text = drawing_of(ctx, network, "", (limn_describe_options){.batch = 1, .ascii = true}), *save = NULL;
    const char *line = strtok_r(text, "\n", &save); /* the titles of the columns */
    size_t shape_end = (size_t)(strstr(line, "shape") - line) + strlen("shape"), i = 0;
    for (line = strtok_r(NULL, "\n", &save); line && line[0] != '-'; line = strtok_r(NULL, "\n", &save)) {
        if (strspn(line, "| ") == strlen(line)) continue;
        assert_true(i < n);
        size_t name = strlen(rows[i].name), shape = strlen(rows[i].shape);
        if (strncmp(line, rows[i].name, name) != 0 || (line[name] && line[name] != ' ') ||
            !strstr(line + name, rows[i].note))
            fail_msg("%s: expected \"%s\" (%s), found \"%s\"", network, rows[i].name, rows[i].note, line);
        if (strncmp(line + shape_end - shape, rows[i].shape, shape) != 0 || line[shape_end - shape - 1] != ' ')
            fail_msg("%s: expected %s after %s, found \"%s\"", network, rows[i].shape, rows[i].name, line);
        i++;
    }
    assert_int_equal(i, n);
    free(text);
    limn_ctx_free(ctx);
}

static void dit_is_the_seed_drawing(void **state)
{
    (void)state;
    compare_drawing("dit", dit_drawing, sizeof dit_drawing / sizeof *dit_drawing);
}

static void mmdit_is_the_seed_drawing(void **state)
{
    (void)state;
    compare_drawing("mmdit", mmdit_drawing, sizeof mmdit_drawing / sizeof *mmdit_drawing);
}

/* ---- sizes ------------------------------------------------------------------------------------------------------------ */

/* GFLOP (two per multiply-add) and millions of parameters of Peebles & Xie's networks on 32x32x4 latents, positions
 * included. */
static void published_sizes(void **state)
{
    (void)state;
    static const struct { const char *name; double millions, gflop; } rows[] = {
        {"dit-s/2", 33.0, 12.1}, {"dit-b/2", 130.5, 46.0}, {"dit-l/2", 458.1, 161.4}, {"dit-xl/2", 675.13, 237.2},
        {"dit-s/4", 32.9, 2.82}, {"dit-b/4", 130.4, 11.1}, {"dit-l/4", 458.0, 39.4}, {"dit-xl/4", 675.0, 58.1},
        {"uvit-l/2", 286.8, 154}, {"uvit-h/2", 500.8, 266},
        {"pixart-sigma-512", 612.04, 1290}, {"pixart-alpha-1024", 616.07, 6510},
    };
    limn_ctx *ctx = limn_ctx_new();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        limn_graph *g = graph_of(ctx, rows[i].name, "", 1);
        double millions = (double)limn_describe_parameters(g) * 1e-6, gflop = limn_describe_flops(g) * 1e-9;
        if (fabs(millions / rows[i].millions - 1) > 0.003 || fabs(gflop / rows[i].gflop - 1) > 0.01)
            fail_msg("%s: %.2f M parameters, expected %.2f; %.2f GFLOP, expected %.2f", rows[i].name, millions,
                     rows[i].millions, gflop, rows[i].gflop);
        limn_graph_free(g);
    }
    limn_ctx_free(ctx);
}

/* Parameters and FLOPs of a block's lines; FLOPs of moves and of what no line shows are none. */
static void sum_of(const json_t *blocks, double *parameters, double *flops)
{
    for (size_t i = 0; i < json_array_size(blocks); i++) {
        const json_t *o = json_array_get(blocks, i);
        *parameters += json_number_value(json_object_get(o, "parameters"));
        *flops += json_number_value(json_object_get(o, "flops"));
        const json_t *inner = json_object_get(o, "blocks");
        if (!inner) continue;
        double p = 0, f = 0;
        sum_of(inner, &p, &f);
        assert_true(p == json_number_value(json_object_get(o, "parameters")));
        assert_true(fabs(f - json_number_value(json_object_get(o, "flops"))) <= 1e-6 * f);
    }
}

static void every_block_is_the_sum_of_its_lines(void **state)
{
    (void)state;
    static const char *const networks[][2] = {{"dit", ""},
                                              {"mmdit", ""},
                                              {"mmdit", "attention=joint qk_norm=1"},
                                              {"mmdit", "attention=both"},
                                              {"mmdit-emoji", ""},
                                              {"clip-text", ""},
                                              {"dit-s/8", ""}};
    limn_ctx *ctx = limn_ctx_new();
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) {
        limn_graph *g = graph_of(ctx, networks[i][0], networks[i][1], 2);
        json_t *blocks = limn_describe_json(g);
        double parameters = 0, flops = 0;
        sum_of(blocks, &parameters, &flops);
        assert_true(parameters == (double)limn_describe_parameters(g));
        assert_true(fabs(flops / limn_describe_flops(g) - 1) < 1e-6);
        json_decref(blocks);
        limn_graph_free(g);
    }
    limn_ctx_free(ctx);
}

/* ---- what the drawing says -------------------------------------------------------------------------------------------- */

static int times(const char *text, const char *word)
{
    int n = 0;
    for (const char *p = text; (p = strstr(p, word)) != NULL; p += strlen(word)) n++;
    return n;
}

static void two_streams_meet_in_one_attention(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    char *text = drawing_of(ctx, "mmdit", "attention=joint depth=3", (limn_describe_options){.batch = 1, .ascii = true});
    assert_non_null(strstr(text, "4 heads of 16, 77 + 256 tokens of context_block, x_block"));
    assert_non_null(strstr(text, "joint_blocks.0-1"));
    assert_int_equal(times(text, "333x64"), 2);           /* the folded blocks and the last one */
    assert_int_equal(times(text, "|- context_block "),
                     3); /* visited twice, but in the last block its text ends at the attention */
    assert_int_equal(times(text, "- x_block "), 4);
    assert_non_null(strstr(text, "LayerNorm of context_embedder, then of the block before"));
    free(text);
    limn_ctx_free(ctx);
}

static void alike_blocks_are_folded_unless_all_are_asked_for(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    char *folded = drawing_of(ctx, "dit", "", (limn_describe_options){.batch = 1, .ascii = true});
    char *all = drawing_of(ctx, "dit", "", (limn_describe_options){.batch = 1, .ascii = true, .all = true});
    char *outer = drawing_of(ctx, "dit", "", (limn_describe_options){.batch = 1, .ascii = true, .depth = 1});
    assert_int_equal(times(folded, "time_proj  "), 1);
    assert_int_equal(times(all, "time_proj  "), 12);
    assert_non_null(strstr(all, "blocks.11 "));
    assert_null(strstr(all, "alike"));
    assert_null(strstr(outer, "time_proj"));
    assert_non_null(strstr(outer, "blocks.0-11"));
    free(folded), free(all), free(outer);
    limn_ctx_free(ctx);
}

static void signs_and_colours_only_where_asked_for(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    char *ascii = drawing_of(ctx, "mmdit-emoji", "", (limn_describe_options){.batch = 1, .ascii = true});
    char *utf8 = drawing_of(ctx, "mmdit-emoji", "", (limn_describe_options){.batch = 1});
    char *color = drawing_of(ctx, "mmdit-emoji", "", (limn_describe_options){.batch = 1, .color = true});
    for (const char *p = ascii; *p; p++) assert_true((unsigned char)*p < 0x80 && *p != '\033');
    assert_non_null(strstr(utf8, "├─ "));
    assert_non_null(strstr(utf8, "64×64×4"));
    assert_null(strchr(utf8, '\033'));
    assert_int_equal(times(color, "\033[0m"), times(color, "\033[") / 2);
    free(ascii), free(utf8), free(color);
    limn_ctx_free(ctx);
}

static void a_sum_is_a_residual_only_when_one_term_comes_from_the_other(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_graph *g = limn_graph_new(ctx);
    limn_node *x = limn_input(g, "x", LIMN_COMPUTE, LIMN_SHAPE(3, 8), LIMN_PER_STEP),
              *y = limn_input(g, "y", LIMN_COMPUTE, LIMN_SHAPE(3, 8), LIMN_PER_STEP);
    limn_node *h = limn_linear(g, "up", x, 8);
    limn_add(limn_add(x, h), y);
    char *text = limn_describe(g, &(limn_describe_options){.batch = 3, .ascii = true});
    assert_non_null(strstr(text, "linear 8 -> 8 of x"));
    assert_int_equal(times(text, "residual"), 1);
    assert_int_equal(times(text, "add y"), 1);
    free(text);
    limn_graph_free(g);
    limn_ctx_free(ctx);
}

/* ---- settings --------------------------------------------------------------------------------------------------------- */

static void mistakes_name_the_nearest(void **state)
{
    (void)state;
    static const struct { const char *network, *set, *hint;
    } rows[] = {
        {"mmdti", "", "did you mean mmdit?"},
        {"dit-xl2", "", "did you mean dit-xl/2?"},
        {"clip", "", "did you mean clip-text?"},
        {"mmdit", "depht=3", "did you mean depth?"},
        {"mmdit", "attention=jiont", "did you mean joint?"},
        {"mmdit", "depth", "as in size=64"},
        {"mmdit", "depth=0", "1 to 256, found \"0\""},
        {"mmdit", "zzzzzzzz=1", "there are: size channels"},
        {"zzzzzzzz", "", "there are: dit mmdit"},
    };
    limn_ctx *ctx = limn_ctx_new();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        limn_settings s;
        limn_status status = limn_settings_find(ctx, rows[i].network, &s);
        if (status == LIMN_OK) status = limn_settings_apply(ctx, &s, rows[i].set);
        assert_int_not_equal(status, LIMN_OK);
        if (!strstr(limn_error_text(ctx), rows[i].hint))
            fail_msg("expected \"%s\" in \"%s\"", rows[i].hint, limn_error_text(ctx));
    }
    limn_ctx_free(ctx);
}

static void what_follows_from_a_setting_never_overrules_one_that_was_set(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_settings s;
    limn_ports ports;
    const mmdit_config *cfg = limn_settings_config(&s);
    assert_int_equal(limn_settings_find(ctx, "mmdit", &s), LIMN_OK);
    assert_int_equal(limn_settings_apply(ctx, &s, "attention=joint"), LIMN_OK);
    assert_int_equal(cfg->conditioning, LIMN_TIME_MODULATES);
    assert_int_equal(cfg->norm, LIMN_NORM_PRE);
    assert_int_equal(limn_settings_apply(ctx, &s, "attention=cross"), LIMN_OK);
    assert_int_equal(cfg->conditioning, LIMN_TIME_ADDED);
    assert_int_equal(limn_settings_apply(ctx, &s, "conditioning=added attention=joint"), LIMN_OK);
    assert_int_equal(cfg->conditioning, LIMN_TIME_ADDED);
    limn_graph *g = limn_graph_new(ctx);
    assert_int_equal(limn_model_build(g, &s, (limn_build){.batch = 1}, &ports), LIMN_BAD_ARGUMENT);
    limn_graph_free(g);
    limn_ctx_free(ctx);
}

/* ---- memory ----------------------------------------------------------------------------------------------------------- */

static void training_costs_weights_gradients_moments_and_grows_with_the_batch(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_cost_options o = {.batch = 1, .n_steps = 20, .precision = LIMN_PRECISION_F32};
    limn_cost run, one, four;
    limn_network *net;
    assert_int_equal(limn_network_new(ctx, "mmdit depth=2", &net), LIMN_OK);
    limn_graph *g = graph_of(ctx, "mmdit", "depth=2", 1);
    size_t n = (size_t)limn_describe_parameters(g);
    double flops = limn_describe_flops(g);
    limn_graph_free(g);
    assert_int_equal(limn_cost_inference(net, &o, &run, NULL), LIMN_OK);
    assert_int_equal(limn_cost_training(net, &o, &one, NULL), LIMN_OK);
    o.batch = 4;
    assert_int_equal(limn_cost_training(net, &o, &four, NULL), LIMN_OK);
    assert_int_equal(one.weight_bytes, 4 * n);
    assert_int_equal(one.gradient_bytes, 4 * n);
    assert_int_equal(one.optimizer_bytes, 13 * n);
    assert_true(one.peak_bytes > run.peak_bytes);
    assert_true(four.activation_bytes > 3 * one.activation_bytes);
    assert_true(one.flops > 2.5 * flops && one.flops < 4 * flops); /* backward is about twice forward */
    char *text;
    assert_int_equal(limn_network_json(net, "mine", &o, &text), LIMN_OK);
    json_t *json = json_loads(text, 0, NULL), *training = json_object_get(json_object_get(json, "memory"), "training");
    assert_string_equal(json_string_value(json_object_get(json, "network")), "mine");
    assert_int_equal(json_integer_value(json_object_get(json, "parameters")), n);
    assert_int_equal(json_integer_value(json_object_get(training, "peak_bytes")), four.peak_bytes);
    json_decref(json);
    limn_free(text);
    limn_network_free(net);
    assert_int_equal(limn_network_new(ctx, "clip-text", &net), LIMN_OK);
    assert_int_equal(limn_cost_training(net, &o, &one, NULL), LIMN_UNSUPPORTED);
    limn_network_free(net);
    limn_ctx_free(ctx);
}

/* ---- networks by name ------------------------------------------------------------------------------------------------ */

static void networks_are_found_by_name_and_say_what_they_are(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    int n = 0, families = 0, presets = 0;
    assert_null(limn_network_name(-1));
    for (const char *name; (name = limn_network_name(n)) != NULL; n++) {
        limn_network *net, *again;
        assert_int_equal(limn_network_new(ctx, name, &net), LIMN_OK);
        limn_network_info info = limn_network_describe(net);
        bool family = strcmp(info.family, name) == 0;
        families += family, presets += !family;
        assert_int_equal(limn_network_new(ctx, info.settings, &again), LIMN_OK); /* its text is a name, too */
        assert_string_equal(limn_network_describe(again).settings, info.settings);
        limn_network_setting row;
        for (int i = 0; limn_network_setting_at(net, i, &row); i++) assert_true(!family || !row.changed);
        assert_null(row.name);
        limn_network_free(net);
        limn_network_free(again);
    }
    assert_null(limn_network_name(n + 1000));
    assert_true(families >= 12 && presets > families);
    limn_ctx_free(ctx);
}

static void settings_of_a_network_are_read_and_changed(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_network *net;
    limn_network_setting row;
    int i = 0;
    assert_int_equal(limn_network_new(ctx, "  dit-s/8 classes=7  depth=2", &net), LIMN_OK);
    limn_network_info info = limn_network_describe(net);
    assert_int_equal(info.kind, LIMN_DENOISES);
    assert_string_equal(info.family, "dit");
    assert_int_equal(info.classes, 7);
    assert_false(info.reads_text);
    while (limn_network_setting_at(net, i, &row) && strcmp(row.name, "depth")) i++;
    assert_string_equal(row.value, "2");
    assert_true(row.changed && row.min == 1 && row.max == 256 && !row.words);
    assert_int_equal(limn_network_set(net, "depth=0"), LIMN_BAD_ARGUMENT);
    assert_int_equal(limn_network_set(net, "depth=3 classes=0"), LIMN_OK);
    assert_int_equal(limn_network_describe(net).classes, 0);
    assert_non_null(strstr(limn_network_describe(net).settings, " depth=3 "));
    limn_network_free(net);
    assert_int_equal(limn_network_new(ctx, "mmdit text_encoder=clip", &net), LIMN_OK);
    assert_true(limn_network_describe(net).reads_text);
    assert_int_equal(limn_network_set(net, "heads=7"), LIMN_OK);
    limn_graph *g = limn_graph_new(ctx);
    limn_node *output = (limn_node *)ctx;
    assert_int_equal(limn_network_build(net, g, 1, &output), LIMN_BAD_ARGUMENT);
    assert_null(output);
    limn_graph_free(g);
    limn_network_free(net);
    assert_int_equal(limn_network_new(ctx, "", &net), LIMN_NOT_FOUND);
    assert_null(net);
    assert_int_equal(limn_network_open(ctx, "no/such/folder", NULL, &net), LIMN_NOT_FOUND);
    assert_null(net);
    limn_ctx_free(ctx);
}

/* ---- files ------------------------------------------------------------------------------------------------------------ */

/* Weights of `name` with the metadata given; the tensor `wrong` gets one row more. */
static limn_fit fit_of(limn_ctx *ctx, const char *name, const char *settings, const char *wrong)
{
    char path[] = "/tmp/limn-fit-XXXXXX";
    int fd = mkstemp(path);
    limn_graph *g = graph_of(ctx, name, "", 1);
    limn_weights w;
    limn_fit fit;
    limn_weight_file *st;
    assert_int_equal(limn_weights_new(ctx, g, 1, &w), LIMN_OK);
    limn_named_view *views = calloc((size_t)w.n, sizeof *views);
    float *larger = calloc(1, 1 << 24);
    for (int i = 0; i < w.n; i++) {
        views[i] = (limn_named_view){w.node[i]->name, {LIMN_F32, w.node[i]->shape, w.value + w.begin[i]}};
        if (wrong && strcmp(wrong, w.node[i]->name) == 0) views[i].view.shape.dim[0]++, views[i].view.data = larger;
    }
    const char *const metadata[][2] = {{"limn.settings", settings}};
    assert_int_equal(limn_safetensors_write(ctx, path, (size_t)w.n, views, settings != NULL, metadata), LIMN_OK);
    assert_int_equal(limn_weight_file_open(ctx, path, &st), LIMN_OK);
    assert_int_equal(limn_fit_find(ctx, path, st, &fit), LIMN_OK);
    limn_weight_file_close(st);
    close(fd);
    unlink(path);
    free(larger);
    free(views);
    limn_weights_free(&w);
    limn_graph_free(g);
    return fit;
}

static void a_file_fits_what_its_metadata_or_its_names_say(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_fit fit = fit_of(ctx, "mmdit", "mmdit", NULL);
    assert_int_equal(fit.source, LIMN_FIT_METADATA);
    assert_int_equal(fit.n_found, fit.n_parameters);
    fit = fit_of(ctx, "mmdit", "mmdit depth=13", NULL);
    assert_true(fit.n_found < fit.n_parameters);
    assert_non_null(strstr(fit.missing, "no blocks.12."));
    fit = fit_of(ctx, "mmdit", NULL, NULL);
    assert_int_equal(fit.source, LIMN_FIT_PRESET);
    assert_string_equal(fit.preset, "mmdit");
    fit = fit_of(ctx, "mmdit", "mmdit", "blocks.3.mlp.fc1.bias");
    assert_int_equal(fit.n_found, fit.n_parameters - 1);
    assert_non_null(strstr(fit.missing, "another shape than blocks.3.mlp.fc1.bias [256]"));
    fit = fit_of(ctx, "mmdit", NULL, "blocks.3.mlp.fc1.bias");
    assert_int_equal(fit.source, LIMN_FIT_NONE);
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dit_is_the_seed_drawing),
        cmocka_unit_test(mmdit_is_the_seed_drawing),
        cmocka_unit_test(published_sizes),
        cmocka_unit_test(every_block_is_the_sum_of_its_lines),
        cmocka_unit_test(two_streams_meet_in_one_attention),
        cmocka_unit_test(alike_blocks_are_folded_unless_all_are_asked_for),
        cmocka_unit_test(signs_and_colours_only_where_asked_for),
        cmocka_unit_test(a_sum_is_a_residual_only_when_one_term_comes_from_the_other),
        cmocka_unit_test(mistakes_name_the_nearest),
        cmocka_unit_test(what_follows_from_a_setting_never_overrules_one_that_was_set),
        cmocka_unit_test(networks_are_found_by_name_and_say_what_they_are),
        cmocka_unit_test(settings_of_a_network_are_read_and_changed),
        cmocka_unit_test(training_costs_weights_gradients_moments_and_grows_with_the_batch),
        cmocka_unit_test(a_file_fits_what_its_metadata_or_its_names_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
