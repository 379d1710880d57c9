/* test_map.c: published weight files open as the network they hold.  The files are made here: for diffusers from the tensor
 * lists of oracle/dialect_vectors.py (diffusers' own names, shapes and row orders), for the originals under our names and
 * their prefixes. */
#include "net/open.h"
#include "formula.h"
#include "file/safetensors.h"
#include "graph/node.h"
#include "model/fit.h"
#include "model/map/map.h"
#include "plan/plan.h"
#include "train/weights.h"
#include "vectors/dialects.h"
#include "vectors/layers.h"
#include "vectors/pixart.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define PIXART "pixart channels=4 patch=2 width=24 depth=2 heads=2 mlp=96 text_width=16 "
enum { MAX_TENSORS = 512 };
#define COUNT(a) (int)(sizeof(a) / sizeof *(a))

/* A network and its weights in the original layout. */
typedef struct native {
    limn_ctx *ctx;
    limn_graph *g;
    limn_settings settings;
    limn_weights weights;
} native;

/* A file under construction. */
typedef struct file {
    char folder[64], path[128], names[MAX_TENSORS][160];
    limn_named_view views[MAX_TENSORS];
    float *own[MAX_TENSORS];
    int n;
} file;

static void open_native(native *t, const char *settings)
{
    limn_ports ports;
    t->ctx = limn_ctx_new();
    assert_int_equal(limn_settings_parse(t->ctx, settings, &t->settings), LIMN_OK);
    t->g = limn_graph_new(t->ctx);
    assert_int_equal(limn_model_build(t->g, &t->settings, (limn_build){.batch = 1}, &ports), LIMN_OK);
    assert_int_equal(limn_weights_new(t->ctx, t->g, 0, &t->weights), LIMN_OK);
    for (int i = 0; i < t->weights.n; i++) {
        limn_node *p = t->weights.node[i];
        if (!p->init.frozen) formula_weight(p->name, limn_node_count(p), t->weights.value + t->weights.begin[i]);
    }
}

static void close_native(native *t)
{
    limn_weights_free(&t->weights);
    limn_graph_free(t->g);
    limn_ctx_free(t->ctx);
}

static int find_parameter(const native *t, const char *name)
{
    for (int i = 0; i < t->weights.n; i++)
        if (!strcmp(t->weights.node[i]->name, name)) return i;
    fail_msg("no parameter %s", name);
    return -1;
}

static float *add(file *f, const char *prefix, const char *name, limn_shape shape)
{
    assert_true(f->n < MAX_TENSORS);
    snprintf(f->names[f->n], sizeof f->names[0], "%s%s", prefix, name);
    float *x = f->own[f->n] = malloc((size_t)limn_shape_count(&shape) * sizeof *x);
    f->views[f->n] = (limn_named_view){f->names[f->n], {LIMN_F32, shape, x}};
    f->n++;
    return x;
}

static void add_diffusers(file *f, const native *t, const char *prefix, const dialect_tensor *d, int n)
{
    for (int k = 0; k < n; k++) {
        limn_shape shape = {.rank = d[k].rank};
        for (int i = 0; i < d[k].rank; i++) shape.dim[i] = d[k].dim[i];
        int p = find_parameter(t, d[k].from);
        int64_t row = limn_shape_count(&shape) / shape.dim[0];
        const float *from = t->weights.value + t->weights.begin[p];
        float *to = add(f, prefix, d[k].name, shape);
        for (int r = 0; r < d[k].n; r++)
            memcpy(to + r * d[k].rows * row, from + d[k].begin[r] * row, (size_t)(d[k].rows * row) * sizeof *to);
    }
}

static void add_original(file *f, const native *t, const char *prefix)
{
    for (int i = 0; i < t->weights.n; i++) {
        float *to = add(f, prefix, t->weights.node[i]->name, t->weights.node[i]->shape);
        memcpy(to, t->weights.value + t->weights.begin[i], (size_t)limn_node_count(t->weights.node[i]) * sizeof *to);
    }
}

static void write_config(const file *f, const char *config)
{
    char path[128];
    snprintf(path, sizeof path, "%s/config.json", f->folder);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(config, out);
    fclose(out);
}

/* Written to a fresh folder, beside config.json when there is one. */
static void write_file(file *f, limn_ctx *ctx, const char *config)
{
    strcpy(f->folder, "map-test-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/model.safetensors", f->folder);
    assert_int_equal(limn_safetensors_write(ctx, f->path, (size_t)f->n, f->views, 0, NULL), LIMN_OK);
    if (config) write_config(f, config);
}

static void remove_file(file *f)
{
    char path[128];
    snprintf(path, sizeof path, "%s/config.json", f->folder);
    unlink(path);
    unlink(f->path);
    rmdir(f->folder);
    for (int i = 0; i < f->n; i++) free(f->own[i]);
}

/* Settings, weights and `limn inspect` of the file are those of the network. */
static void expect_same(native *t, file *f, const char *title)
{
    limn_weight_file *st;
    limn_settings found;
    limn_fit fit;
    char a[1024], b[1024];
    assert_int_equal(limn_weight_file_open(t->ctx, f->path, &st), LIMN_OK);
    limn_status status = limn_net_settings_of(t->ctx, f->path, st, &found);
    if (status != LIMN_OK) fail_msg("%s", limn_error_text(t->ctx));
    assert_string_equal(limn_settings_text(&found, a), limn_settings_text(&t->settings, b));
    float *data = calloc(t->weights.count, sizeof *data);
    status = limn_weights_load(t->ctx, &t->weights, f->path, st, "", data);
    if (status != LIMN_OK) fail_msg("%s", limn_error_text(t->ctx));
    assert_memory_equal(data, t->weights.value, t->weights.count * sizeof *data);
    assert_int_equal(limn_fit_find(t->ctx, f->path, st, &fit), LIMN_OK);
    assert_int_equal(fit.source, LIMN_FIT_PUBLISHED);
    assert_string_equal(fit.preset, title);
    assert_int_equal(fit.n_found, fit.n_parameters);
    free(data);
    limn_weight_file_close(st);
}

#define SD3_CONFIG "{\"sample_size\": 8, \"dual_attention_layers\": [0], \"qk_norm\": \"rms_norm\"}"

static void diffusers_files_load_bit_for_bit(void **state)
{
    (void)state;
    native t;
    file f = {.n = 0};
    open_native(&t, dit_diffusers_settings);
    add_diffusers(&f, &t, "", dit_diffusers, COUNT(dit_diffusers));
    write_file(&f, t.ctx, "{\"num_attention_heads\": 4, \"attention_head_dim\": 8, \"sample_size\": 8}");
    expect_same(&t, &f, "DiT (diffusers)");
    remove_file(&f);
    close_native(&t);

    f = (file){.n = 0};
    open_native(&t, sd3_diffusers_settings); /* its q/k norms tell the heads */
    add_diffusers(&f, &t, "", sd3_diffusers, COUNT(sd3_diffusers));
    write_file(&f, t.ctx, SD3_CONFIG);
    expect_same(&t, &f, "Stable Diffusion 3 MMDiT (diffusers)");
    remove_file(&f);
    close_native(&t);
}

static void original_files_load_bit_for_bit(void **state)
{
    (void)state;
    static const struct { const char *settings, *prefix, *config, *title;
    } cases[] = {
        {"dit size=12 channels=3 patch=4 width=384 depth=1 heads=6 mlp=32 conditioning=modulated norm=pre classes=7", "",
         NULL, "DiT"},
        {"dit size=8 patch=2 width=32 depth=2 heads=4 mlp=48 conditioning=modulated norm=pre classes=7 learn_sigma=1",
         "module.", "{\"num_attention_heads\": 4}", "DiT"},
        {"mmdit size=8 patch=2 width=64 depth=1 heads=1 mlp=48 attention=joint conditioning=modulated norm=pre "
         "text_length=333 text_width=24 pooled_width=16 places=4",
         "model.diffusion_model.", NULL, "Stable Diffusion 3 MMDiT"},
        {"clip-text text_length=9 text_width=64 text_depth=2 text_heads=1 text_vocab=600", "cond_stage_model.transformer.",
         NULL, "CLIP text encoder"},
        {"clip-text text_length=9 text_width=64 text_depth=1 text_heads=2 text_vocab=600 text_activation=gelu", "",
         "{\"hidden_act\": \"gelu\", \"num_attention_heads\": 2}", "CLIP text encoder"},
    };
    for (int k = 0; k < COUNT(cases); k++) {
        native t;
        file f = {.n = 0};
        open_native(&t, cases[k].settings);
        add_original(&f, &t, cases[k].prefix);
        add(&f, cases[k].prefix, "text_projection.weight", LIMN_SHAPE(2, 2))[0] =
            0; /* tensors that the network does not need are left alone */
        for (int i = 0; i < 4; i++) f.own[f.n - 1][i] = 0;
        write_file(&f, t.ctx, cases[k].config);
        expect_same(&t, &f, cases[k].title);
        remove_file(&f);
        close_native(&t);
    }
}

/* ---- Stable Diffusion 1, under the names of CompVis: block by block as its yaml and modules give them, no arithmetic -- */

typedef struct renamed { const char *ours, *theirs; } renamed; /* beginnings of names, ends of names */

/* Three levels, one block each (two on the way up); transformers in the first two. */
static const renamed unet_blocks[] = {
    {"conv_in.", "input_blocks.0.0."},
    {"down_blocks.0.resnets.0.", "input_blocks.1.0."},
    {"down_blocks.0.attentions.0.", "input_blocks.1.1."},
    {"down_blocks.0.downsamplers.0.conv.", "input_blocks.2.0.op."},
    {"down_blocks.1.resnets.0.", "input_blocks.3.0."},
    {"down_blocks.1.attentions.0.", "input_blocks.3.1."},
    {"down_blocks.1.downsamplers.0.conv.", "input_blocks.4.0.op."},
    {"down_blocks.2.resnets.0.", "input_blocks.5.0."},
    {"mid_block.resnets.0.", "middle_block.0."},
    {"mid_block.attentions.0.", "middle_block.1."},
    {"mid_block.resnets.1.", "middle_block.2."},
    {"up_blocks.0.resnets.0.", "output_blocks.0.0."},
    {"up_blocks.0.resnets.1.", "output_blocks.1.0."},
    {"up_blocks.0.upsamplers.0.conv.", "output_blocks.1.1.conv."},
    {"up_blocks.1.resnets.0.", "output_blocks.2.0."},
    {"up_blocks.1.attentions.0.", "output_blocks.2.1."},
    {"up_blocks.1.resnets.1.", "output_blocks.3.0."},
    {"up_blocks.1.attentions.1.", "output_blocks.3.1."},
    {"up_blocks.1.upsamplers.0.conv.", "output_blocks.3.2.conv."},
    {"up_blocks.2.resnets.0.", "output_blocks.4.0."},
    {"up_blocks.2.attentions.0.", "output_blocks.4.1."},
    {"up_blocks.2.resnets.1.", "output_blocks.5.0."},
    {"up_blocks.2.attentions.1.", "output_blocks.5.1."},
    {"time_embedding.linear_1.", "time_embed.0."},
    {"time_embedding.linear_2.", "time_embed.2."},
    {"conv_norm_out.", "out.0."},
    {"conv_out.", "out.2."},
};
static const renamed unet_parts[] = {{"norm1.", "in_layers.0."},          {"conv1.", "in_layers.2."},
                                     {"time_emb_proj.", "emb_layers.1."}, {"norm2.", "out_layers.0."},
                                     {"conv2.", "out_layers.3."},         {"conv_shortcut.", "skip_connection."}};
/* Three levels; the decoder's are counted from the finest. */
static const renamed vae_blocks[] = {
    {"encoder.down_blocks.0.resnets.0.", "encoder.down.0.block.0."},
    {"encoder.down_blocks.0.downsamplers.0.", "encoder.down.0.downsample."},
    {"encoder.down_blocks.1.resnets.0.", "encoder.down.1.block.0."},
    {"encoder.down_blocks.1.downsamplers.0.", "encoder.down.1.downsample."},
    {"encoder.down_blocks.2.resnets.0.", "encoder.down.2.block.0."},
    {"encoder.mid_block.resnets.0.", "encoder.mid.block_1."},
    {"encoder.mid_block.attentions.0.", "encoder.mid.attn_1."},
    {"encoder.mid_block.resnets.1.", "encoder.mid.block_2."},
    {"encoder.conv_norm_out.", "encoder.norm_out."},
    {"decoder.mid_block.resnets.0.", "decoder.mid.block_1."},
    {"decoder.mid_block.attentions.0.", "decoder.mid.attn_1."},
    {"decoder.mid_block.resnets.1.", "decoder.mid.block_2."},
    {"decoder.up_blocks.0.resnets.0.", "decoder.up.2.block.0."},
    {"decoder.up_blocks.0.resnets.1.", "decoder.up.2.block.1."},
    {"decoder.up_blocks.0.upsamplers.0.", "decoder.up.2.upsample."},
    {"decoder.up_blocks.1.resnets.0.", "decoder.up.1.block.0."},
    {"decoder.up_blocks.1.resnets.1.", "decoder.up.1.block.1."},
    {"decoder.up_blocks.1.upsamplers.0.", "decoder.up.1.upsample."},
    {"decoder.up_blocks.2.resnets.0.", "decoder.up.0.block.0."},
    {"decoder.up_blocks.2.resnets.1.", "decoder.up.0.block.1."},
    {"decoder.conv_norm_out.", "decoder.norm_out."},
    {"encoder.conv_in.", "encoder.conv_in."},
    {"encoder.conv_out.", "encoder.conv_out."},
    {"decoder.conv_in.", "decoder.conv_in."},
    {"decoder.conv_out.", "decoder.conv_out."},
    {"quant_conv.", "quant_conv."},
    {"post_quant_conv.", "post_quant_conv."},
};
static const renamed vae_parts[] = {
    {"conv_shortcut.", "nin_shortcut."}, {"group_norm.", "norm."}, {"to_q.", "q."}, {"to_k.", "k."}, {"to_v.", "v."},
    {"to_out.0.", "proj_out."}};

static const renamed *begins(const renamed *rows, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (!strncmp(name, rows[i].ours, strlen(rows[i].ours))) return &rows[i];
    return NULL;
}

/* The network's weights in a file of the other names; a block without a row fails the test.  Attention of the autoencoder is
 * 1x1 convolutions there. */
static void add_compvis(file *f, const native *t, const char *prefix, const renamed *blocks, int n_blocks,
                        const renamed *parts, int n_parts, bool transformers)
{
    for (int i = 0; i < t->weights.n; i++) {
        const limn_node *p = t->weights.node[i];
        char name[128];
        const renamed *block = begins(blocks, n_blocks, p->name);
        if (!block) fail_msg("the table has no row for %s", p->name);
        const char *rest = p->name + strlen(block->ours);
        const renamed *part = transformers && strstr(block->ours, "attentions") ? NULL : begins(parts, n_parts, rest);
        snprintf(name, sizeof name, "%s%s%s", block->theirs, part ? part->theirs : "",
                 part ? rest + strlen(part->ours) : rest);
        limn_shape shape = p->shape;
        if (strstr(block->theirs, "attn_1") && shape.rank == 2) shape = LIMN_SHAPE(shape.dim[0], shape.dim[1], 1, 1);
        memcpy(add(f, prefix, name, shape), t->weights.value + t->weights.begin[i],
               (size_t)limn_node_count(p) * sizeof(float));
    }
}

/* The settings and weights of a file, run on inputs of a formula. @return its output, to free() */
static float *forward(limn_ctx *ctx, const char *path, const limn_settings *settings, limn_build b, int64_t *count)
{
    limn_weight_file *st;
    limn_ports ports;
    limn_plan *plan;
    limn_run *run;
    limn_graph *g = limn_graph_new(ctx);
    assert_int_equal(limn_weight_file_open(ctx, path, &st), LIMN_OK);
    assert_int_equal(limn_model_build(g, settings, b, &ports), LIMN_OK);
    limn_plan_options o = {.precision = LIMN_PRECISION_F32};
    limn_source *source;
    limn_store *store;
    assert_int_equal(limn_map_source(ctx, path, st, &source), LIMN_OK);
    if (limn_plan_new_from(ctx, g, 1, &ports.output, &o, source, &plan) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    assert_int_equal(limn_store_new(ctx, limn_alloc_aligned, limn_free_aligned, &store), LIMN_OK);
    if (limn_plan_make_constants(ctx, plan, store) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    assert_int_equal(limn_run_new_with(ctx, plan, store, &run), LIMN_OK);
    limn_node *const inputs[] = {ports.image, ports.features, b.part == LIMN_PART_DECODER ? ports.latent : NULL, ports.mask,
                                 ports.resolution};
    for (int i = 0; i < COUNT(inputs); i++)
        if (inputs[i]) formula_write(run, inputs[i], i == 1 ? "features" : "image");
    float times[64] = {300};
    if (ports.timesteps) assert_true(limn_node_count(ports.timesteps) <= 64);
    if (ports.timesteps) limn_run_write(run, ports.timesteps, LIMN_F32, times);
    if (ports.step) limn_run_write(run, ports.step, LIMN_I32, &(int32_t){0});
    assert_int_equal(limn_run_execute(run), LIMN_OK);
    *count = limn_node_count(ports.output);
    float *out = malloc((size_t)*count * sizeof *out);
    assert_int_equal(limn_run_read(run, ports.output, LIMN_F32, out), LIMN_OK);
    limn_run_free(run);
    limn_plan_free(plan);
    limn_graph_free(g);
    limn_store_free(store);
    limn_source_free(source);
    limn_weight_file_close(st);
    return out;
}

/* `own` holds the same weights under our names. */
static void expect_same_forward(native *t, const file *theirs, limn_build b)
{
    file own = {.n = 0};
    int64_t n, m;
    add_original(&own, t, "");
    write_file(&own, t->ctx, NULL);
    float *a = forward(t->ctx, theirs->path, &t->settings, b, &n), *c = forward(t->ctx, own.path, &t->settings, b, &m);
    double most = 0;
    assert_int_equal(n, m);
    for (int64_t i = 0; i < n; i++) most = fabs((double)c[i]) > most ? fabs((double)c[i]) : most;
    assert_true(most > 1e-3);
    assert_memory_equal(a, c, (size_t)n * sizeof *a);
    free(a);
    free(c);
    remove_file(&own);
}

/* What no tensor tells: heads, the side that it began with, and by what its places are divided. */
static void pixart_of_diffusers_loads_bit_for_bit(void **state)
{
    (void)state;
    static const struct { const char *settings, *config;
        const dialect_tensor *tensors;
        int n;
    } cases[] = {
        {PIXART "size=8 interpolation=0.5",
         "{\"num_attention_heads\": 2, \"sample_size\": 8, \"interpolation_scale\": 0.5, \"caption_channels\": 16}",
         pixart_sigma, COUNT(pixart_sigma)},
        {PIXART "size=128 interpolation=2 sides=1 text_length=120",
         "{\"num_attention_heads\": 2, \"sample_size\": 128, \"interpolation_scale\": null}", pixart_alpha,
         COUNT(pixart_alpha)},
        {PIXART "size=32", "{\"num_attention_heads\": 2, \"sample_size\": 32}", pixart_sigma, COUNT(pixart_sigma)},
    };
    for (int k = 0; k < COUNT(cases); k++) {
        native t;
        file f = {.n = 0};
        open_native(&t, cases[k].settings);
        add_diffusers(&f, &t, "", cases[k].tensors, cases[k].n);
        write_file(&f, t.ctx, cases[k].config);
        expect_same(&t, &f, "PixArt (diffusers)");
        expect_same_forward(&t, &f, (limn_build){.batch = 2, .n_steps = 8, .height = 6, .width = 10, .text_length = 5});
        remove_file(&f);
        close_native(&t);
    }
}

/* The last tensor takes its place. */
static void drop(file *f, const char *name)
{
    int i = 0;
    while (i < f->n && strcmp(f->names[i], name)) i++;
    assert_true(i < f->n);
    free(f->own[i]);
    f->n--;
    memcpy(f->names[i], f->names[f->n], sizeof f->names[i]);
    f->views[i] = f->views[f->n], f->views[i].name = f->names[i], f->own[i] = f->own[f->n];
}

/* The authors' table of places tells the side, their words for no caption the length of one; neither is read. */
static void pixart_of_its_authors_loads_bit_for_bit(void **state)
{
    (void)state;
    native t;
    file f = {.n = 0};
    open_native(&t, PIXART "size=8 interpolation=0.125 sides=1 text_length=9");
    add_original(&f, &t, "");
    float *places = f.own[find_parameter(&t, "pos_embed")], *none = add(&f, "", "y_embedder.y_embedding", LIMN_SHAPE(9, 16));
    places[1] = 7, memset(none, 0, 9 * 16 * sizeof *none);
    write_file(&f, t.ctx, "{\"num_attention_heads\": 2}");
    expect_same(&t, &f, "PixArt");
    expect_same_forward(&t, &f, (limn_build){.batch = 1, .n_steps = 8, .height = 10, .width = 4});
    remove_file(&f);
    close_native(&t);
}

static void stable_diffusion_under_the_names_of_compvis(void **state)
{
    (void)state;
    native t;
    file f = {.n = 0};
    open_native(
        &t, "ldm-unet size=64 width=32 multipliers=112 blocks=1 attention_most=64 attention_least=32 text_width=16 heads=8");
    add_compvis(&f, &t, "model.diffusion_model.", unet_blocks, COUNT(unet_blocks), unet_parts, COUNT(unet_parts), true);
    write_file(&f, t.ctx, NULL);
    expect_same(&t, &f, "Stable Diffusion U-Net");
    expect_same_forward(&t, &f, (limn_build){.batch = 1, .n_steps = 1});
    remove_file(&f);
    close_native(&t);

    f = (file){.n = 0}; /* Stable Diffusion 2's kind, whose heads are 64 wide */
    open_native(&t, "ldm-unet size=64 width=64 multipliers=112 blocks=1 attention_most=64 attention_least=32 text_width=16 "
                    "head_width=64 projection=linear");
    add_compvis(&f, &t, "model.diffusion_model.", unet_blocks, COUNT(unet_blocks), unet_parts, COUNT(unet_parts), true);
    write_file(&f, t.ctx, NULL);
    expect_same(&t, &f, "Stable Diffusion U-Net");
    remove_file(&f);
    close_native(&t);

    static const char *const prefixes[] = {"first_stage_model.", ""};
    for (int k = 0; k < 2; k++) {
        f = (file){.n = 0};
        open_native(&t, "vae base=32 levels=3 mult1=1 mult2=2 mult3=2 layers=1");
        add_compvis(&f, &t, prefixes[k], vae_blocks, COUNT(vae_blocks), vae_parts, COUNT(vae_parts), false);
        write_file(&f, t.ctx, NULL);
        expect_same(&t, &f, "Stable Diffusion autoencoder");
        if (!k) expect_same_forward(&t, &f, (limn_build){.batch = 1, .part = LIMN_PART_ENCODER, .height = 32, .width = 32});
        if (!k) expect_same_forward(&t, &f, (limn_build){.batch = 1, .part = LIMN_PART_DECODER, .height = 32, .width = 32});
        remove_file(&f);
        close_native(&t);
    }
}

/* ---- OpenCLIP's text encoders ----------------------------------------------------------------------------------------- */

static const renamed open_clip_names[] = {
    {"text_model.embeddings.token_embedding.weight", "token_embedding.weight"},
    {"text_model.embeddings.position_embedding.weight", "positional_embedding"},
    {"text_model.final_layer_norm.weight", "ln_final.weight"},
    {"text_model.final_layer_norm.bias", "ln_final.bias"},
};
static const renamed open_clip_parts[] = {{"layer_norm1.", "ln_1."}, {"layer_norm2.", "ln_2."},
                                          {"self_attn.out_proj.", "attn.out_proj."}, {"mlp.fc1.", "mlp.c_fc."},
                                          {"mlp.fc2.", "mlp.c_proj."}};

/* q, k and v are one tensor, one under the other. */
static void add_in_proj(file *f, const native *t, const char *prefix, int layer, const char *kind)
{
    char name[128];
    float *to = NULL;
    for (int k = 0; k < 3; k++) {
        snprintf(name, sizeof name, "text_model.encoder.layers.%d.self_attn.%c_proj.%s", layer, "qkv"[k], kind);
        int p = find_parameter(t, name);
        limn_shape shape = t->weights.node[p]->shape;
        int64_t n = limn_shape_count(&shape);
        shape.dim[0] *= 3;
        snprintf(name, sizeof name, "transformer.resblocks.%d.attn.in_proj_%s", layer, kind);
        if (!k) to = add(f, prefix, name, shape);
        memcpy(to + k * n, t->weights.value + t->weights.begin[p], (size_t)n * sizeof *to);
    }
}

static void add_projection(file *f, const native *t, const char *prefix)
{
    int p = find_parameter(t, "text_projection.weight");
    int64_t rows = t->weights.node[p]->shape.dim[0], columns = t->weights.node[p]->shape.dim[1];
    float *to = add(f, prefix, "text_projection", LIMN_SHAPE(columns, rows));
    for (int64_t i = 0; i < rows * columns; i++)
        to[i % columns * rows + i / columns] = t->weights.value[t->weights.begin[p] + i];
}

static void add_open_clip(file *f, const native *t, const char *prefix, int depth)
{
    add_projection(f, t, prefix);
    for (int i = 0; i < depth; i++) add_in_proj(f, t, prefix, i, "weight"), add_in_proj(f, t, prefix, i, "bias");
    for (int i = 0; i < t->weights.n; i++) {
        const limn_node *p = t->weights.node[i];
        char name[128];
        int layer, n = 0;
        const renamed *row = begins(open_clip_names, COUNT(open_clip_names), p->name);
        if (row) snprintf(name, sizeof name, "%s", row->theirs);
        else if (sscanf(p->name, "text_model.encoder.layers.%d.%n", &layer, &n) == 1 && n) {
            row = begins(open_clip_parts, COUNT(open_clip_parts), p->name + n);
            if (!row) continue; /* q, k, v */
            snprintf(name, sizeof name, "transformer.resblocks.%d.%s%s", layer, row->theirs,
                     p->name + n + strlen(row->ours));
        } else if (!strcmp(p->name, "text_projection.weight")) continue;
        else fail_msg("no name for %s", p->name);
        memcpy(add(f, prefix, name, p->shape), t->weights.value + t->weights.begin[i],
               (size_t)limn_node_count(p) * sizeof(float));
    }
}

#define OPEN_CLIP                                                                                                           \
    "clip-text text_length=9 text_width=64 text_depth=2 text_heads=1 text_vocab=600 text_activation=gelu text_projection=48"

/* Sana's files share most names of the authors'; its MLP is of convolutions. */
static void sana_is_no_pixart(void **state)
{
    (void)state;
    native t;
    file f = {.n = 0};
    limn_weight_file *st;
    limn_map map;
    open_native(&t, PIXART "size=8");
    add_original(&f, &t, "");
    drop(&f, "blocks.0.mlp.fc1.weight");
    add(&f, "", "blocks.0.mlp.inverted_conv.conv.weight", LIMN_SHAPE(2, 2, 1, 1))[0] = 0;
    for (int i = 0; i < 4; i++) f.own[f.n - 1][i] = 0;
    write_file(&f, t.ctx, "{\"num_attention_heads\": 2}");
    assert_int_equal(limn_weight_file_open(t.ctx, f.path, &st), LIMN_OK);
    assert_int_equal(limn_map_detect(t.ctx, f.path, st, &map), LIMN_NOT_FOUND);
    limn_weight_file_close(st);
    remove_file(&f);
    close_native(&t);
}

static void text_encoders_under_the_names_of_open_clip(void **state)
{
    (void)state;
    static const char *const prefixes[] = {"", "cond_stage_model.model.", "conditioner.embedders.1.model."};
    for (int k = 0; k < COUNT(prefixes); k++) {
        native t;
        file f = {.n = 0};
        open_native(&t, OPEN_CLIP);
        add_open_clip(&f, &t, prefixes[k], 2);
        add(&f, prefixes[k], "logit_scale", LIMN_SHAPE(1))[0] = 4;
        write_file(&f, t.ctx, NULL);
        expect_same(&t, &f, "OpenCLIP text encoder");
        remove_file(&f);
        close_native(&t);
    }
}

/* ---- written as they are read ----------------------------------------------------------------------------------------- */

/* from, converted to a dialect, has the tensors of `to`: names, shapes, bits. */
static void expect_converted(native *t, const file *from, const file *to, const char *dialect)
{
    const limn_convert_options o = {.dialect = dialect};
    limn_weight_file *st;
    char path[128];
    snprintf(path, sizeof path, "%s/out.safetensors", from->folder);
    if (limn_convert_file(t->ctx, from->path, path, &o) != LIMN_OK) fail_msg("%s", limn_error_text(t->ctx));
    assert_int_equal(limn_weight_file_open(t->ctx, path, &st), LIMN_OK);
    assert_int_equal(limn_weight_file_count(st), to->n);
    for (int i = 0; i < to->n; i++) {
        const limn_view *v = &to->views[i].view;
        const limn_entry *e = limn_weight_file_find(st, to->names[i]);
        if (!e || e->rank != v->shape.rank || memcmp(e->dim, v->shape.dim, (size_t)e->rank * sizeof *e->dim))
            fail_msg("%s: %s is missing or has another shape", dialect, to->names[i]);
        float *x = malloc(limn_view_bytes(v));
        assert_int_equal(limn_weight_file_load(t->ctx, st, e, x, LIMN_F32), LIMN_OK);
        assert_memory_equal(x, v->data, limn_view_bytes(v));
        free(x);
    }
    limn_weight_file_close(st);
    unlink(path);
}

static void expect_both_ways(native *t, file *original, file *diffusers, const char *config)
{
    write_file(original, t->ctx, config);
    write_file(diffusers, t->ctx, config);
    expect_converted(t, original, diffusers, "diffusers");
    expect_converted(t, diffusers, original, "original");
    expect_converted(t, original, original, "original");
    expect_converted(t, diffusers, diffusers, "diffusers");
    remove_file(original);
    remove_file(diffusers);
    close_native(t);
}

static void names_are_written_as_they_are_read(void **state)
{
    (void)state;
    static const char *const vae = "vae base=32 levels=3 mult1=1 mult2=2 mult3=2 layers=1";
    native t;
    file a = {.n = 0}, b = {.n = 0};
    open_native(&t, dit_diffusers_settings);
    add_original(&a, &t, "");
    add_diffusers(&b, &t, "", dit_diffusers, COUNT(dit_diffusers));
    expect_both_ways(&t, &a, &b, "{\"num_attention_heads\": 4, \"attention_head_dim\": 8, \"sample_size\": 8}");

    a = (file){.n = 0}, b = (file){.n = 0};
    open_native(&t, PIXART "size=8 interpolation=2 sides=1 text_length=120");
    add_original(&a, &t, "");
    drop(&a, "pos_embed"); /* the authors throw theirs away before they load the others */
    add_diffusers(&b, &t, "", pixart_alpha, COUNT(pixart_alpha));
    expect_both_ways(&t, &a, &b, "{\"num_attention_heads\": 2, \"sample_size\": 8, \"interpolation_scale\": 2}");

    a = (file){.n = 0}, b = (file){.n = 0};
    open_native(&t, sd3_diffusers_settings);
    add_original(&a, &t, "");
    add_diffusers(&b, &t, "", sd3_diffusers, COUNT(sd3_diffusers));
    expect_both_ways(&t, &a, &b, SD3_CONFIG);

    a = (file){.n = 0}, b = (file){.n = 0};
    open_native(
        &t, "ldm-unet size=64 width=32 multipliers=112 blocks=1 attention_most=64 attention_least=32 text_width=16 heads=8");
    add_compvis(&a, &t, "", unet_blocks, COUNT(unet_blocks), unet_parts, COUNT(unet_parts), true);
    add_original(&b, &t, "");
    expect_both_ways(&t, &a, &b, NULL);

    a = (file){.n = 0}, b = (file){.n = 0};
    open_native(&t, OPEN_CLIP);
    add_open_clip(&a, &t, "", 2);
    add_original(&b, &t, "");
    expect_both_ways(&t, &a, &b, "{\"hidden_act\": \"gelu\"}");

    a = (file){.n = 0}, b = (file){.n = 0};
    open_native(&t, vae);
    add_compvis(&a, &t, "", vae_blocks, COUNT(vae_blocks), vae_parts, COUNT(vae_parts), false);
    add_original(&b, &t, "");
    expect_both_ways(&t, &a, &b, NULL);
}

/* What limn ARGUMENTS says; *code: its exit code. */
static char *said(const char *arguments, const char *path, int *code)
{
    char command[512], *text = calloc(1, 1 << 18);
    snprintf(command, sizeof command, "OMP_WAIT_POLICY=passive %s/limn %s 2>&1", LIMN_BINARY_DIR, arguments);
    char *at = strchr(command, '@');
    if (at) memmove(at + strlen(path), at + 1, strlen(at)), memcpy(at, path, strlen(path));
    FILE *pipe = popen(command, "r");
    assert_true(pipe && text && fread(text, 1, (1 << 18) - 1, pipe) < (1 << 18) - 1);
    int status = pclose(pipe);
    *code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return text;
}

static void says(const char *arguments, const char *path, int expected, int n, const char *const *words)
{
    int code;
    char *text = said(arguments, path, &code);
    if (code != expected) fail_msg("limn %s: code %d: %s", arguments, code, text);
    for (int i = 0; i < n; i++)
        if (!strstr(text, words[i])) fail_msg("limn %s: expected \"%s\" in\n%s", arguments, words[i], text);
    free(text);
}
#define SAYS(arguments, code, ...)                                                                                          \
    says(arguments, f.path, code, COUNT(((const char *[]){__VA_ARGS__})), (const char *[]){__VA_ARGS__})

/* Text encoder, U-Net and autoencoder in one file: each is found by who asks for its family, and its weights by its own
 * names. */
static void a_checkpoint_holds_several_networks(void **state)
{
    (void)state;
    native t[3];
    file f = {.n = 0};
    open_native(&t[0],
                "clip-text text_length=9 text_width=64 text_depth=2 text_heads=1 text_vocab=600 text_activation=quick_gelu");
    open_native(
        &t[1],
        "ldm-unet size=64 width=32 multipliers=112 blocks=1 attention_most=64 attention_least=32 text_width=16 heads=8");
    open_native(&t[2], "vae base=32 levels=3 mult1=1 mult2=2 mult3=2 layers=1");
    add_original(&f, &t[0], "cond_stage_model.transformer.");
    add_compvis(&f, &t[1], "model.diffusion_model.", unet_blocks, COUNT(unet_blocks), unet_parts, COUNT(unet_parts), true);
    add_compvis(&f, &t[2], "first_stage_model.", vae_blocks, COUNT(vae_blocks), vae_parts, COUNT(vae_parts), false);
    write_file(&f, t[0].ctx, NULL);
    static const char *const families[] = {"clip-text", "ldm-unet", "vae tae"};
    for (int k = 0; k < 3; k++) {
        limn_weight_file *st;
        limn_settings found;
        char a[1024], b[1024];
        assert_int_equal(limn_weight_file_open(t[k].ctx, f.path, &st), LIMN_OK);
        limn_status status = limn_net_settings_among(t[k].ctx, f.path, st, families[k], &found);
        if (status != LIMN_OK) fail_msg("%s", limn_error_text(t[k].ctx));
        assert_string_equal(limn_settings_text(&found, a), limn_settings_text(&t[k].settings, b));
        float *data = calloc(t[k].weights.count, sizeof *data);
        status = limn_weights_load(t[k].ctx, &t[k].weights, f.path, st, "", data);
        if (status != LIMN_OK) fail_msg("%s", limn_error_text(t[k].ctx));
        assert_memory_equal(data, t[k].weights.value, t[k].weights.count * sizeof *data);
        free(data);
        limn_weight_file_close(st);
    }
    static const char *const prefixes[] = {"cond_stage_model.transformer.", "first_stage_model.", "model.diffusion_model."};
    static const char *const names[] = {"clip-text", "vae", "ldm-unet"};
    limn_weight_file *st;
    limn_fit fits[LIMN_MAX_FITS];
    int n;
    assert_int_equal(limn_weight_file_open(t[0].ctx, f.path, &st), LIMN_OK);
    assert_int_equal(limn_fit_all(t[0].ctx, f.path, st, fits, &n), LIMN_OK);
    limn_weight_file_close(st);
    assert_int_equal(n, 3);
    for (int k = 0; k < 3; k++) {
        assert_string_equal(fits[k].settings.family->name, names[k]);
        assert_string_equal(fits[k].prefix, prefixes[k]);
        assert_true(fits[k].n_parameters > 20 && fits[k].n_found == fits[k].n_parameters);
    }
    SAYS("inspect @", 0, "holds     CLIP text encoder, Stable Diffusion autoencoder, Stable Diffusion U-Net\n",
         "networks  3\n",
         "published as CLIP text encoder, names begin with cond_stage_model.transformer.\n",
         "published as Stable Diffusion autoencoder, names",
         "published as Stable Diffusion U-Net, names begin with model.diffusion_model.\n", "network   ldm-unet ",
         "network   vae ");
    SAYS("inspect @ --json", 0, "\"networks\": [", "\"prefix\": \"first_stage_model.\"");
    SAYS("describe @", 2, "holds 3 networks, clip-text, vae, ldm-unet: say which with --network\n");
    SAYS("describe @ --network vae --ascii --depth 1", 0, "picture to latent", "decoder");
    SAYS("describe @ --network ldm-unet --ascii --depth 1", 0, ": denoise", "mid_block");
    SAYS("describe @ --network dit", 2, "holds no \"dit\" but clip-text, vae, ldm-unet\n");
    SAYS("describe dit --network vae", 2, "--network is for a weight file");
    remove_file(&f);
    for (int k = 0; k < 3; k++) close_native(&t[k]);
}

/* What a network adds to the patches of a picture of h x w of them is the middle of its table. */
static void expect_middle(limn_ctx *ctx, const limn_settings *settings, const char *path, const float *table, int h, int w)
{
    enum { SIDE = 7, WIDTH = 32 };
    float x[SIDE * SIDE * WIDTH], places[SIDE * SIDE * WIDTH];
    limn_weight_file *st;
    limn_source *source;
    limn_store *store;
    limn_ports ports;
    limn_plan *plan;
    limn_run *run;
    limn_graph *g = limn_graph_new(ctx);
    assert_int_equal(limn_weight_file_open(ctx, path, &st), LIMN_OK);
    assert_int_equal(limn_map_source(ctx, path, st, &source), LIMN_OK);
    assert_int_equal(limn_model_build(g, settings, (limn_build){.batch = 1, .n_steps = 1, .height = 2 * h, .width = 2 * w},
                                      &ports), LIMN_OK);
    limn_node *parts[2] = {NULL};
    for (int i = 0; i < g->n_nodes && !parts[1]; i++)
        if (g->nodes[i]->op == LIMN_OP_ADD) memcpy(parts, g->nodes[i]->src, sizeof parts);
    assert_int_equal(limn_plan_new_from(ctx, g, 1, &parts[1], &(limn_plan_options){.precision = LIMN_PRECISION_F32}, source,
                                        &plan), LIMN_OK);
    assert_int_equal(limn_store_new(ctx, limn_alloc_aligned, limn_free_aligned, &store), LIMN_OK);
    assert_int_equal(limn_plan_make_constants(ctx, plan, store), LIMN_OK);
    assert_true(limn_store_bytes(store) < (size_t)(h * w * WIDTH) * sizeof *x + 4096); /* of the table nothing else stays */
    assert_int_equal(limn_run_new_with(ctx, plan, store, &run), LIMN_OK);
    assert_int_equal(limn_run_execute(run), LIMN_OK);
    assert_int_equal(limn_node_count(parts[1]), h * w * WIDTH);
    assert_int_equal(limn_run_read(run, parts[1], LIMN_F32, x), LIMN_OK);
    for (int y = 0; y < h; y++)
        memcpy(places + y * w * WIDTH, table + ((y + (SIDE - h) / 2) * SIDE + (SIDE - w) / 2) * WIDTH,
               (size_t)(w * WIDTH) * sizeof *x);
    assert_memory_equal(x, places, (size_t)(h * w * WIDTH) * sizeof *x);
    limn_run_free(run);
    limn_plan_free(plan);
    limn_store_free(store);
    limn_source_free(source);
    limn_weight_file_close(st);
    limn_graph_free(g);
}

/* SD3's table has 192 x 192 positions, here 7 x 7, of no formula; a picture takes the middle. */
static void positions_are_cut_from_the_middle(void **state)
{
    (void)state;
    native t;
    file f = {.n = 0};
    limn_ports ports;
    open_native(&t, "mmdit size=8 patch=2 width=32 depth=1 heads=4 mlp=48 attention=joint conditioning=modulated norm=pre "
                    "text_length=333 text_width=24 pooled_width=16 qk_norm=1 places=7");
    int p = find_parameter(&t, "pos_embed");
    float *table = t.weights.value + t.weights.begin[p];
    formula_fill("table", 7 * 7 * 32, 1, table);
    add_original(&f, &t, "model.diffusion_model.");
    write_file(&f, t.ctx, "{\"sample_size\": 8}");
    expect_same(&t, &f, "Stable Diffusion 3 MMDiT");
    static const int sides[][2] = {{4, 4}, {2, 6}, {5, 1}, {7, 7}};
    for (int k = 0; k < COUNT(sides); k++)
        expect_middle(t.ctx, &t.settings, f.path, table, sides[k][0], sides[k][1]);
    limn_graph *g = limn_graph_new(t.ctx);
    assert_int_equal(limn_model_build(g, &t.settings, (limn_build){.batch = 1, .width = 16}, &ports), LIMN_BAD_ARGUMENT);
    assert_non_null(strstr(limn_error_text(t.ctx), "of as many patches as there are places at most, found 16; the nearest "
                                                   "is 14"));
    limn_graph_free(g);
    remove_file(&f);
    close_native(&t);
}

/* A file that is nearly right is refused, with the tensor's name in the sentence. */
static void refusals_name_the_tensor(void **state)
{
    (void)state;
    static const struct { const char *tensor; limn_shape shape; const char *config, *word; bool settings;
    } cases[] = {
        {"transformer_blocks.1.attn1.to_k.weight",
         {2, {32, 31}},
         "{\"num_attention_heads\": 4, \"sample_size\": 8}",
         "expected [32, 32]",
         false},
        {"transformer_blocks.1.ff.net.2.bias",
         {2, {32, 1}},
         "{\"num_attention_heads\": 4, \"sample_size\": 8}",
         "found",
         false},
        {"pos_embed.proj.weight", {3, {32, 4, 4}}, "{\"num_attention_heads\": 4}", "3 dimensions, expected 4", true},
        {"proj_out_2.weight", {2, {33, 32}}, "{\"num_attention_heads\": 4}", "33 rows", true},
        {NULL, {0, {0}}, "{\"num_attention_heads\": 5}", "num_attention_heads", true},
        {NULL, {0, {0}}, NULL, "num_attention_heads", true},
        {NULL, {0, {0}}, "{\"num_attention_heads\": 4", "config.json", true},
        {NULL, {0, {0}}, "\xff\xfe{", "config.json begins with the byte order mark of UTF-16", true},
        {NULL,
         {0, {0}},
         "\xef\xbb\xbf{\"num_attention_heads\": 5}\r\n",
         "num_attention_heads",
         true}, /* read: what is wrong is the number */
    };
    native t;
    open_native(&t, dit_diffusers_settings);
    for (int k = 0; k < COUNT(cases); k++) {
        file f = {.n = 0};
        limn_weight_file *st;
        limn_settings found;
        add_diffusers(&f, &t, "", dit_diffusers, COUNT(dit_diffusers));
        for (int i = 0; i < f.n && cases[k].tensor; i++) {
            if (strcmp(f.names[i], cases[k].tensor)) continue;
            free(f.own[i]);
            f.own[i] = calloc((size_t)limn_shape_count(&cases[k].shape), sizeof(float));
            f.views[i].view = (limn_view){LIMN_F32, cases[k].shape, f.own[i]};
        }
        write_file(&f, t.ctx, cases[k].config);
        assert_int_equal(limn_weight_file_open(t.ctx, f.path, &st), LIMN_OK);
        limn_status status = limn_net_settings_of(t.ctx, f.path, st, &found);
        assert_int_equal(status == LIMN_OK, !cases[k].settings);
        float *data = calloc(t.weights.count, sizeof *data);
        if (status == LIMN_OK) assert_int_not_equal(limn_weights_load(t.ctx, &t.weights, f.path, st, "", data), LIMN_OK);
        if (cases[k].tensor && !strstr(limn_error_text(t.ctx), cases[k].tensor))
            fail_msg("case %d: %s", k, limn_error_text(t.ctx));
        if (strcmp(cases[k].word, "found") && !strstr(limn_error_text(t.ctx), cases[k].word))
            fail_msg("case %d: %s", k, limn_error_text(t.ctx));
        free(data);
        limn_weight_file_close(st);
        remove_file(&f);
    }
    close_native(&t);
}

/* Numbers of tensors without elements, which may be of any size: nothing is multiplied before its range was checked (UBSan
 * sees it). */
static void sizes_beyond_all_ranges_are_refused(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    file f = {.n = 0};
    limn_weight_file *st;
    limn_settings found;
    add(&f, "", "blocks.0.adaLN_modulation.1.weight", LIMN_SHAPE(6, 0));
    add(&f, "", "y_embedder.embedding_table.weight", LIMN_SHAPE(2, 0));
    add(&f, "", "x_embedder.proj.weight", LIMN_SHAPE(384, 4, (int64_t)1 << 31, 0));
    add(&f, "", "final_layer.linear.weight", LIMN_SHAPE((int64_t)1 << 40, 0));
    write_file(&f, ctx, NULL);
    assert_int_equal(limn_weight_file_open(ctx, f.path, &st), LIMN_OK);
    assert_int_equal(limn_net_settings_of(ctx, f.path, st, &found), LIMN_BAD_FILE);
    assert_non_null(strstr(limn_error_text(ctx), "patch must be 1 to 64, found \"2147483648\""));
    limn_weight_file_close(st);
    remove_file(&f);
    limn_ctx_free(ctx);
}

static void other_files_are_told_apart(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    file f = {.n = 0};
    limn_weight_file *st;
    limn_map map;
    char path[1100];
    add(&f, "", "double_blocks.0.img_attn.qkv.weight", LIMN_SHAPE(2))[0] = 0;
    f.own[0][1] = 0;
    write_file(&f, ctx, NULL);
    assert_int_equal(limn_weight_file_open(ctx, f.path, &st), LIMN_OK);
    assert_int_equal(limn_map_detect(ctx, f.path, st, &map), LIMN_NOT_FOUND);
    assert_int_equal(limn_map_file(ctx, f.folder, path), LIMN_OK);
    assert_string_equal(path, f.path);
    assert_int_equal(limn_map_file(ctx, "no/such/folder", path), LIMN_NOT_FOUND);
    limn_weight_file_close(st);
    remove_file(&f);
    limn_ctx_free(ctx);
}

/* Half of the tensors in each of two files, as large networks are published. */
static void weights_in_several_files_are_found_by_their_index(void **state)
{
    (void)state;
    native t;
    file f = {.n = 0};
    char path[2][256], found[1100], index[16384] = "{\"metadata\": {}, \"weight_map\": {";
    open_native(&t, sd3_diffusers_settings);
    add_diffusers(&f, &t, "", sd3_diffusers, COUNT(sd3_diffusers));
    strcpy(f.folder, "map-test-XXXXXX");
    assert_non_null(mkdtemp(f.folder));
    for (int k = 0; k < 2; k++) {
        int first = k ? f.n / 2 : 0, n = k ? f.n - f.n / 2 : f.n / 2;
        snprintf(path[k], sizeof path[k], "%s/part-%d.safetensors", f.folder, k);
        assert_int_equal(limn_safetensors_write(t.ctx, path[k], (size_t)n, f.views + first, 0, NULL), LIMN_OK);
        for (int i = first; i < first + n; i++)
            snprintf(index + strlen(index), sizeof index - strlen(index), "%s\"%s\": \"part-%d.safetensors\"", i ? ", " : "",
                     f.names[i], k);
    }
    snprintf(f.path, sizeof f.path, "%s/diffusion_pytorch_model.safetensors.index.json", f.folder);
    FILE *out = fopen(f.path, "w");
    assert_non_null(out);
    fprintf(out, "%s}}", index);
    fclose(out);
    write_config(&f, SD3_CONFIG);
    assert_int_equal(limn_map_file(t.ctx, f.folder, found), LIMN_OK);
    assert_string_equal(found, f.path);
    expect_same(&t, &f, "Stable Diffusion 3 MMDiT (diffusers)");
    unlink(path[0]), unlink(path[1]);
    remove_file(&f);
    close_native(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(diffusers_files_load_bit_for_bit),
        cmocka_unit_test(weights_in_several_files_are_found_by_their_index),
        cmocka_unit_test(original_files_load_bit_for_bit),
        cmocka_unit_test(pixart_of_diffusers_loads_bit_for_bit),
        cmocka_unit_test(pixart_of_its_authors_loads_bit_for_bit),
        cmocka_unit_test(sana_is_no_pixart),
        cmocka_unit_test(stable_diffusion_under_the_names_of_compvis),
        cmocka_unit_test(text_encoders_under_the_names_of_open_clip),
        cmocka_unit_test(names_are_written_as_they_are_read),
        cmocka_unit_test(a_checkpoint_holds_several_networks),
        cmocka_unit_test(positions_are_cut_from_the_middle),
        cmocka_unit_test(refusals_name_the_tensor),
        cmocka_unit_test(sizes_beyond_all_ranges_are_refused),
        cmocka_unit_test(other_files_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
