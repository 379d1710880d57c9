/* test_sd3.c: the network of Stable Diffusion 3, in three forms and under both dialects of names, gives what diffusers gives
 * (oracle/sd3_network.py): block by block, at sides that are not square, with blocks left out; LoRA files of every spelling
 * change what they name. */
#include "file/safetensors.h"
#include "formula.h"
#include "graph/node.h"
#include "model/config.h"
#include "model/map/map.h"
#include "net/net.h"
#include "net/open.h"
#include "plan/plan.h"
#include "vectors/sd3.h"
#include "weights/lora.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

enum { MOST = 256, BATCH = 2 };
#define COUNT(a) (int)(sizeof(a) / sizeof *(a))
#define OK(call)                                                                                                            \
    do {                                                                                                                    \
        if ((call) != LIMN_OK) fail_msg("%s: %s", #call, limn_error_text(ctx));                                             \
    } while (0)

static const char *const configs[] = {
    "{\"sample_size\": 16, \"num_attention_heads\": 3, \"qk_norm\": null, \"dual_attention_layers\": []}",
    "{\"sample_size\": 16, \"qk_norm\": \"rms_norm\", \"pos_embed_max_size\": 9, \"num_layers\": 3}",
    "{\"sample_size\": 16, \"qk_norm\": \"rms_norm\", \"dual_attention_layers\": [0, 1], \"joint_attention_dim\": 24}"};

/* ---- files ------------------------------------------------------------------------------------------------------------ */

typedef struct file {
    int n;
    char names[MOST][160];
    limn_named_view views[MOST];
} file;

static float *add(file *f, const char *prefix, const char *name, limn_shape shape)
{
    assert_true(f->n < MOST);
    float *x = malloc((size_t)limn_shape_count(&shape) * sizeof *x);
    snprintf(f->names[f->n], sizeof f->names[0], "%s%s", prefix, name);
    f->views[f->n] = (limn_named_view){f->names[f->n], {LIMN_F32, shape, x}};
    f->n++;
    return x;
}

/* A spoiled tensor begins at its second row, and ends with the first. */
static void fill(const char *name, int64_t n, int64_t columns, bool spoiled, float *x)
{
    bool strong = !strcmp(name, "pos_embed.pos_embed") || !strncmp(name, "context_embedder", 16) ||
                  strstr(name, ".text_embedder");
    if (formula_is_norm(name)) formula_weight(name, n, x);
    else formula_fill(name, n, strong ? 0.5f : 0.1f, x);
    if (!spoiled) return;
    float *first = malloc((size_t)columns * sizeof *first);
    memcpy(first, x, (size_t)columns * sizeof *first);
    memmove(x, x + columns, (size_t)(n - columns) * sizeof *x);
    memcpy(x + n - columns, first, (size_t)columns * sizeof *x);
    free(first);
}

static limn_shape shape_of(const sd3_theirs *t)
{
    limn_shape shape = {.rank = t->rank};
    for (int i = 0; i < t->rank; i++) shape.dim[i] = t->dim[i];
    return shape;
}

/* spoiled: part of a name, or NULL. */
static void add_diffusers(file *f, int form, const char *spoiled)
{
    for (int i = 0; i < COUNT(sd3_diffusers); i++) {
        const sd3_theirs *t = &sd3_diffusers[i];
        if (!(t->forms >> form & 1)) continue;
        limn_shape shape = shape_of(t);
        bool spoil = spoiled && strstr(t->name, spoiled);
        fill(t->name, limn_shape_count(&shape), t->rank > 1 ? limn_shape_cols(&shape) : 1, spoil,
             add(f, "", t->name, shape));
    }
}

static const limn_view *tensor_of(const file *f, const char *name)
{
    for (int i = 0; i < f->n; i++)
        if (!strcmp(f->names[i], name)) return &f->views[i].view;
    fail_msg("no %s", name);
    return NULL;
}

static void add_original(file *f, int form, const char *prefix)
{
    file theirs = {.n = 0};
    add_diffusers(&theirs, form, NULL);
    for (int i = 0; i < COUNT(sd3_original); i++) {
        const sd3_ours *o = &sd3_original[i];
        if (!(o->forms >> form & 1)) continue;
        const limn_view *part[3] = {NULL};
        int n = 0;
        while (n < 3 && o->part[n]) part[n] = tensor_of(&theirs, o->part[n]), n++;
        limn_shape shape = part[0]->shape;
        size_t count = (size_t)limn_shape_count(&shape), half = o->swap ? count / 2 : 0;
        shape.dim[0] *= n;
        float *x = add(f, prefix, o->name, shape);
        for (int k = 0; k < n; k++) {
            const float *from = part[k]->data;
            memcpy(x + (size_t)k * count, from + half, (count - half) * sizeof *x);
            memcpy(x + (size_t)k * count + count - half, from, half * sizeof *x);
        }
    }
    for (int i = 0; i < theirs.n; i++) free(theirs.views[i].view.data);
}

static void write_text(const char *path, const char *text)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

static void write_file(limn_ctx *ctx, file *f, const char *path)
{
    OK(limn_safetensors_write(ctx, path, (size_t)f->n, f->views, 0, NULL));
    for (int i = 0; i < f->n; i++) free(f->views[i].view.data);
    f->n = 0;
}

#define FOLDER "sd3-folder/"
#define SINGLE "sd3-single.safetensors"
static const char diffusers_file[] = FOLDER "diffusion_pytorch_model.safetensors";

static void write_folder(limn_ctx *ctx, int form, const char *spoiled)
{
    file f = {.n = 0};
    mkdir("sd3-folder", 0777);
    add_diffusers(&f, form, spoiled);
    write_file(ctx, &f, diffusers_file);
    write_text(FOLDER "config.json", configs[form]);
}

static void write_single(limn_ctx *ctx, int form, const char *prefix)
{
    file f = {.n = 0};
    add_original(&f, form, prefix);
    write_file(ctx, &f, SINGLE);
}

static void remove_files(void)
{
    unlink(diffusers_file);
    unlink(FOLDER "config.json");
    rmdir("sd3-folder");
    unlink(SINGLE);
}

/* ---- running ---------------------------------------------------------------------------------------------------------- */

typedef struct opened {
    limn_graph *g;
    limn_ports ports;
    limn_weight_file *st;
    limn_source *source;
    limn_store *store;
    limn_plan *plan;
    limn_run *run;
    limn_node *layer[8];
} opened;

static bool inside(const limn_scope *scope, const char *path)
{
    for (; scope; scope = scope->parent)
        if (!strcmp(scope->path, path)) return true;
    return false;
}

/* What a block gives is the node made last in it. */
static limn_node *last_of(const opened *o, const char *path)
{
    if (!strcmp(path, "final_layer")) return o->ports.output;
    for (int i = o->g->n_nodes - 1; i >= 0; i--)
        if (inside(o->g->nodes[i]->scope, path)) return o->g->nodes[i];
    fail_msg("no scope \"%s\"", path);
    return NULL;
}

/* At the second row of the table of timesteps.  lora: a file that changes the weights; NULL: none does */
static void open_changed(limn_ctx *ctx, const char *path, const sd3_case *c, limn_precision precision, const char *lora,
                         opened *o)
{
    limn_settings settings;
    *o = (opened){.g = limn_graph_new(ctx)};
    OK(limn_weight_file_open(ctx, path, &o->st));
    OK(limn_net_settings_of(ctx, path, o->st, &settings));
    OK(limn_map_source(ctx, path, o->st, &o->source));
    limn_lora_stack stack = {.n = lora ? 1 : 0, .use = {{.denoiser = 1}}};
    if (lora) OK(limn_lora_open(ctx, lora, &stack.use[0].lora));
    if (lora) OK(limn_map_respell(ctx, &settings, stack.use[0].lora));
    if (lora) OK(limn_lora_source(ctx, o->source, LIMN_LORA_DENOISER, &stack, &o->source));
    limn_build build = {.batch = BATCH, .n_steps = 2, .height = c->height, .width = c->width, .text_length = SD3_TOKENS,
                        .left_out = c->left_out};
    OK(limn_model_build(o->g, &settings, build, &o->ports));
    for (int i = 0; i < c->n; i++) o->layer[i] = last_of(o, c->layer[i].scope);
    OK(limn_plan_new_from(ctx, o->g, c->n, o->layer, &(limn_plan_options){.precision = precision}, o->source, &o->plan));
    OK(limn_store_new(ctx, limn_alloc_aligned, limn_free_aligned, &o->store));
    OK(limn_plan_make_constants(ctx, o->plan, o->store));
    OK(limn_run_new_with(ctx, o->plan, o->store, &o->run));
    formula_write(o->run, o->ports.image, "input.image");
    formula_write(o->run, o->ports.features, "input.features");
    formula_write(o->run, o->ports.pooled_text, "input.pooled");
    OK(limn_run_write(o->run, o->ports.timesteps, LIMN_F32, (float[]){0, c->time}));
    OK(limn_run_write(o->run, o->ports.step, LIMN_I32, (int32_t[]){1}));
    OK(limn_run_execute(o->run));
    if (lora) limn_lora_free(stack.use[0].lora); /* all is in the store */
}

static void open_case(limn_ctx *ctx, const char *path, const sd3_case *c, limn_precision precision, opened *o)
{
    open_changed(ctx, path, c, precision, NULL, o);
}

static void close_case(opened *o)
{
    limn_run_free(o->run);
    limn_plan_free(o->plan);
    limn_store_free(o->store);
    limn_source_free(o->source);
    limn_weight_file_close(o->st);
    limn_graph_free(o->g);
}

/* How far a layer is from diffusers', beside its root mean square. */
static double away(const opened *o, const sd3_case *c, int k)
{
    const sd3_layer *want = &c->layer[k];
    int64_t n = limn_node_count(o->layer[k]);
    double *x = malloc((size_t)n * sizeof *x), sum = 0, square = 0, size = want->norm / sqrt((double)n);
    assert_int_equal(limn_run_read(o->run, o->layer[k], LIMN_F64, x), LIMN_OK);
    for (int64_t i = 0; i < n; i++) sum += x[i], square += x[i] * x[i];
    double worst = fmax(fabs(sum / (double)n - want->mean), fabs(sqrt(square) - want->norm) / sqrt((double)n));
    for (int i = 0; i < 16; i++) worst = fmax(worst, fabs(x[i * (n - 1) / 15] - want->value[i]));
    free(x);
    return worst / size;
}

static void expect_diffusers(limn_ctx *ctx, const char *path, const sd3_case *c, limn_precision precision, double tolerance)
{
    opened o;
    open_case(ctx, path, c, precision, &o);
    for (int k = 0; k < c->n; k++) {
        double far = away(&o, c, k);
        if (!(far <= tolerance))
            fail_msg("%s, form %d, %d x %d: %s is %g of its size away from diffusers", path, c->form, c->height, c->width,
                     c->layer[k].scope, far);
    }
    close_case(&o);
}

static void every_block_equals_diffusers(void **state)
{
    (void)state;
    static const char *const prefixes[] = {"", "model.diffusion_model."};
    limn_ctx *ctx = limn_ctx_new();
    for (int i = 0; i < COUNT(sd3_cases); i++) {
        const sd3_case *c = &sd3_cases[i];
        write_folder(ctx, c->form, NULL);
        write_single(ctx, c->form, prefixes[i % 2]);
        expect_diffusers(ctx, diffusers_file, c, LIMN_PRECISION_F32, 1e-5);
        expect_diffusers(ctx, SINGLE, c, LIMN_PRECISION_F32, 1e-5);
        expect_diffusers(ctx, SINGLE, c, LIMN_PRECISION_BF16, 0.1);
    }
    remove_files();
    limn_ctx_free(ctx);
}

/* Written under the other names, and as GGUF. */
static void converted_files_give_the_same(void **state)
{
    (void)state;
    static const char original[] = "sd3-original.gguf", diffusers[] = "sd3-diffusers.safetensors";
    limn_ctx *ctx = limn_ctx_new();
    for (int i = 2; i < 4; i++) {
        const sd3_case *c = &sd3_cases[i];
        write_folder(ctx, c->form, NULL);
        OK(limn_convert_file(ctx, diffusers_file, original, &(limn_convert_options){.dialect = "original"}));
        OK(limn_convert_file(ctx, original, diffusers, &(limn_convert_options){.dialect = "diffusers"}));
        expect_diffusers(ctx, original, c, LIMN_PRECISION_F32, 1e-5);
        expect_diffusers(ctx, diffusers, c, LIMN_PRECISION_F32, 1e-5);
        OK(limn_convert_file(ctx, original, diffusers, &(limn_convert_options){.dialect = "original", .type = "bf16"}));
        expect_diffusers(ctx, diffusers, c, LIMN_PRECISION_F32, 0.1);
    }
    unlink(original), unlink(diffusers);
    remove_files();
    limn_ctx_free(ctx);
}

/* What would go unseen if it were not looked at: an input, a tensor. */
static void all_of_it_matters(void **state)
{
    (void)state;
    enum { POOLED, FEATURES, TIME, INPUTS };
    static const char *const tensors[] = {"pos_embed.pos_embed", "attn2.to_q.weight", "attn2.norm_k", "attn2.to_out",
                                          "norm1.linear.bias"};
    limn_ctx *ctx = limn_ctx_new();
    const sd3_case *c = &sd3_cases[3];
    opened o;
    write_folder(ctx, c->form, NULL);
    for (int i = 0; i < INPUTS; i++) {
        open_case(ctx, diffusers_file, c, LIMN_PRECISION_F32, &o);
        if (i == POOLED) formula_write(o.run, o.ports.pooled_text, "input.other");
        if (i == FEATURES) formula_write(o.run, o.ports.features, "input.other");
        if (i == TIME) OK(limn_run_write(o.run, o.ports.timesteps, LIMN_F32, (float[]){0, c->time + 50}));
        OK(limn_run_execute(o.run));
        if (!(away(&o, c, c->n - 1) > 0.01)) fail_msg("input %d does not matter", i);
        close_case(&o);
    }
    for (int i = 0; i < COUNT(tensors); i++) {
        write_folder(ctx, c->form, tensors[i]);
        open_case(ctx, diffusers_file, c, LIMN_PRECISION_F32, &o);
        if (!(away(&o, c, c->n - 1) > 0.01)) fail_msg("%s does not matter", tensors[i]);
        close_case(&o);
    }
    remove_files();
    limn_ctx_free(ctx);
}

/* ---- one net, with and without blocks --------------------------------------------------------------------------------- */

static void job_output(limn_ctx *ctx, limn_job *job, const sd3_case *c, float *out)
{
    OK(limn_job_load(ctx, job));
    formula_write(job->run, job->ports->image, "input.image");
    formula_write(job->run, job->ports->features, "input.features");
    formula_write(job->run, job->ports->pooled_text, "input.pooled");
    float times[64] = {c->time};
    assert_true(limn_node_count(job->ports->timesteps) <= COUNT(times));
    OK(limn_run_write(job->run, job->ports->timesteps, LIMN_F32, times));
    OK(limn_run_write(job->run, job->ports->step, LIMN_I32, (int32_t[]){0}));
    OK(limn_run_execute(job->run));
    OK(limn_job_output(ctx, job, job->ports->output, "", out));
}

static void expect_output(const sd3_case *c, const float *x)
{
    const sd3_layer *want = &c->layer[c->n - 1];
    int n = BATCH * c->height * c->width * 4;
    for (int i = 0; i < 16; i++)
        assert_true(fabs(x[i * (n - 1) / 15] - want->value[i]) < 1e-5 * want->norm / sqrt(n));
}

/* A net plans once more where blocks are left out, and reads and packs no weight again. */
static void a_net_leaves_blocks_out_on_the_same_weights(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_weight_file *st;
    limn_settings settings;
    limn_source *source;
    limn_net *net;
    limn_job job = {0}, other = {0};
    const sd3_case *whole = &sd3_cases[3], *less = &sd3_cases[6];
    float *x = malloc((size_t)(BATCH * whole->height * whole->width * 4) * sizeof *x);
    write_single(ctx, whole->form, "");
    OK(limn_weight_file_open(ctx, SINGLE, &st));
    OK(limn_net_settings_of(ctx, SINGLE, st, &settings));
    OK(limn_map_source(ctx, SINGLE, st, &source));
    OK(limn_net_new(ctx, &settings, source, SINGLE, &net));
    limn_net_shape shape = {.batch = BATCH, .n_times = 1, .height = whole->height, .width = whole->width,
                            .text_length = SD3_TOKENS, .precision = LIMN_PRECISION_F32};
    OK(limn_job_open(ctx, net, &shape, 0, &job));
    job_output(ctx, &job, whole, x);
    expect_output(whole, x);
    size_t bytes = limn_net_bytes(net);
    shape.left_out = less->left_out;
    assert_false(limn_job_serves(ctx, &job, net, &shape));
    OK(limn_job_open(ctx, net, &shape, 0, &other));
    job_output(ctx, &other, less, x);
    expect_output(less, x);
    assert_int_equal(limn_net_bytes(net), bytes);
    job_output(ctx, &job, whole, x); /* both go on beside each other */
    expect_output(whole, x);
    limn_job_end(&other);
    shape.left_out = 1u << 3;
    assert_int_equal(limn_job_open(ctx, net, &shape, 0, &other), LIMN_BAD_ARGUMENT);
    assert_non_null(strstr(limn_error_text(ctx), "mmdit: block 3 cannot be left out, of blocks 0 to 2"));
    limn_job_end(&job);
    limn_net_free(net);
    limn_weight_file_close(st);
    free(x);
    remove_files();
    limn_ctx_free(ctx);
}

/* ---- LoRA files ------------------------------------------------------------------------------------------------------- */

#define BLOCK(i) "transformer_blocks." #i "."
/* What kohya, and OneTrainer or diffusers, call a module (OMI: pieces of kohya's by number); one of kohya's is up to three
 * of theirs, or has the halves of its rows in another order. */
static const struct {
    const char *kohya, *diffusers[3];
} modules[] = {
    {"joint_blocks_0_x_block_attn_qkv", {BLOCK(0) "attn.to_q", BLOCK(0) "attn.to_k", BLOCK(0) "attn.to_v"}},
    {"joint_blocks_2_context_block_attn_qkv", {BLOCK(2) "attn.add_q_proj", BLOCK(2) "attn.add_k_proj",
                                               BLOCK(2) "attn.add_v_proj"}},
    {"joint_blocks_1_x_block_attn2_qkv", {BLOCK(1) "attn2.to_q", BLOCK(1) "attn2.to_k", BLOCK(1) "attn2.to_v"}},
    {"joint_blocks_1_x_block_attn2_proj", {BLOCK(1) "attn2.to_out.0"}},
    {"joint_blocks_2_x_block_attn_proj", {BLOCK(2) "attn.to_out.0"}},
    {"joint_blocks_0_context_block_attn_proj", {BLOCK(0) "attn.to_add_out"}},
    {"joint_blocks_1_context_block_mlp_fc2", {BLOCK(1) "ff_context.net.2"}},
    {"joint_blocks_0_x_block_adaLN_modulation_1", {BLOCK(0) "norm1.linear"}},
    {"joint_blocks_1_context_block_adaLN_modulation_1", {BLOCK(1) "norm1_context.linear"}},
    {"joint_blocks_2_context_block_adaLN_modulation_1", {BLOCK(2) "norm1_context.linear"}},
    {"final_layer_adaLN_modulation_1", {"norm_out.linear"}},
    {"context_embedder", {"context_embedder"}},
};
/* (scale, shift) where kohya's has (shift, scale) */
static bool is_swapped(const char *diffusers)
{
    return !strcmp(diffusers, "norm_out.linear") || !strcmp(diffusers, BLOCK(2) "norm1_context.linear");
}

enum { RANK = 2, KOHYA = 0, PEFT, ONE_TRAINER, OMI, SPELLINGS };
#define LORA "sd3-lora.safetensors"
#define MERGED "sd3-merged.safetensors"

static void add_pair(file *f, int spelling, const char *module, const float *down, int64_t in, const float *up, int64_t out)
{
    static const char *const begins[] = {"lora_unet_", "transformer.", "lora_transformer_", "transformer."};
    char name[128], flat[96];
    snprintf(flat, sizeof flat, "%.90s", module);
    for (char *c = flat; *c && spelling == ONE_TRAINER; c++) *c = *c == '.' ? '_' : *c;
    snprintf(name, sizeof name, "%s%s", flat, spelling == PEFT ? ".lora_A.weight" : ".lora_down.weight");
    memcpy(add(f, begins[spelling], name, LIMN_SHAPE(RANK, in)), down, (size_t)(RANK * in) * sizeof *down);
    snprintf(name, sizeof name, "%s%s", flat, spelling == PEFT ? ".lora_B.weight" : ".lora_up.weight");
    memcpy(add(f, begins[spelling], name, LIMN_SHAPE(out, RANK)), up, (size_t)(out * RANK) * sizeof *up);
    snprintf(name, sizeof name, "%s.alpha", flat);
    if (spelling != PEFT) add(f, begins[spelling], name, LIMN_SHAPE(1))[0] = 1;
}

/* One module into a LoRA, and what it does into the weights, piece by piece under diffusers' names. */
static void change(file *lora, file *merged, int spelling, int i)
{
    float scale = spelling == PEFT ? 1 : 1.0f / RANK, up[3 * 4 * 9 * 64 * 3 * RANK], down[4 * 64 * 3 * RANK];
    int64_t first = 0, in = 0, out = 0;
    bool turned = is_swapped(modules[i].diffusers[0]) && (spelling == KOHYA || spelling == OMI);
    for (int k = 0; k < 3 && modules[i].diffusers[k]; k++) {
        char name[160];
        snprintf(name, sizeof name, "%s.weight", modules[i].diffusers[k]);
        const limn_view *v = tensor_of(merged, name);
        float *w = v->data;
        out = v->shape.dim[0], in = v->shape.dim[1];
        assert_true((first + out) * RANK <= COUNT(up) && in * RANK <= COUNT(down));
        formula_fill(spelling == KOHYA ? modules[i].kohya : name, RANK * in, 0.2f, down);
        formula_fill(name, out * RANK, 0.2f, up + first * RANK);
        for (int64_t r = 0; r < out * in; r++)
            for (int m = 0; m < RANK; m++) w[r] += scale * up[(first + r / in) * RANK + m] * down[m * in + r % in];
        for (int64_t m = 0; m < out * RANK / 2 && turned; m++) {
            float other = up[m];
            up[m] = up[out * RANK / 2 + m], up[out * RANK / 2 + m] = other;
        }
        snprintf(name, sizeof name, "%s", modules[i].kohya);
        if (modules[i].diffusers[1]) snprintf(name + strlen(name), 8, ".%d", k);
        if (spelling == KOHYA) first += out;
        else add_pair(lora, spelling, spelling == OMI ? name : modules[i].diffusers[k], down, in, up, out);
    }
    if (spelling == KOHYA) add_pair(lora, spelling, modules[i].kohya, down, in, up, first);
}

static void lora_files_of_every_spelling_change_what_they_name(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    const sd3_case *c = &sd3_cases[3];
    write_folder(ctx, c->form, NULL);
    write_single(ctx, c->form, "");
    for (int spelling = 0; spelling < SPELLINGS; spelling++) {
        file lora = {.n = 0}, merged = {.n = 0};
        opened whole;
        add_diffusers(&merged, c->form, NULL);
        for (int i = 0; i < COUNT(modules); i++) change(&lora, &merged, spelling, i);
        write_file(ctx, &lora, LORA);
        write_file(ctx, &merged, MERGED);
        open_case(ctx, MERGED, c, LIMN_PRECISION_F32, &whole);
        int64_t n = limn_node_count(whole.ports.output);
        float *x = malloc(2 * (size_t)n * sizeof *x), *y = x + n;
        OK(limn_run_read(whole.run, whole.ports.output, LIMN_F32, x));
        assert_true(away(&whole, c, c->n - 1) > 0.1);
        for (int base = 0; base < 2; base++) {
            opened o;
            double worst = 0, most = 0;
            open_changed(ctx, base ? SINGLE : diffusers_file, c, LIMN_PRECISION_F32, LORA, &o);
            OK(limn_run_read(o.run, o.ports.output, LIMN_F32, y));
            for (int64_t i = 0; i < n; i++)
                worst = fmax(worst, fabs((double)x[i] - (double)y[i])), most = fmax(most, fabs((double)x[i]));
            if (!(worst < 1e-5 * most)) fail_msg("spelling %d, file %d: %g of %g away", spelling, base, worst, most);
            close_case(&o);
        }
        close_case(&whole);
        free(x);
    }
    unlink(LORA), unlink(MERGED);
    remove_files();
    limn_ctx_free(ctx);
}

/* Whole and in pieces, or the same piece twice: which of them is meant? */
static void a_module_under_two_spellings_is_refused(void **state)
{
    (void)state;
    static const struct {
        int spelling;
        const char *module;
    } also[] = {{KOHYA, "joint_blocks_0_x_block_attn_qkv"}, {ONE_TRAINER, BLOCK(0) "attn.to_k"},
                {KOHYA, "final_layer_adaLN_modulation_1"}};
    limn_ctx *ctx = limn_ctx_new();
    limn_settings settings;
    limn_lora *lora;
    static const float zero[RANK * 576];
    OK(limn_settings_named(ctx, "mmdit attention=joint depth=1 width=192 heads=3", &settings));
    for (int i = 0; i < COUNT(also); i++) {
        file f = {.n = 0};
        add_pair(&f, PEFT, BLOCK(0) "attn.to_k", zero, 192, zero, 192);
        add_pair(&f, PEFT, "norm_out.linear", zero, 192, zero, 384);
        add_pair(&f, also[i].spelling, also[i].module, zero, 192, zero, 192);
        write_file(ctx, &f, LORA);
        limn_status status = limn_lora_open(ctx, LORA, &lora);
        if (status == LIMN_OK) {
            status = limn_map_respell(ctx, &settings, lora);
            limn_lora_free(lora);
        }
        assert_int_equal(status, LIMN_BAD_FILE);
        assert_non_null(strstr(limn_error_text(ctx), "twice"));
    }
    unlink(LORA);
    limn_ctx_free(ctx);
}

/* ---- what does not fit ------------------------------------------------------------------------------------------------ */

static void refusals_say_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *config, *says;
    } cases[] = {
        {"{\"dual_attention_layers\": [0]}", "dual_attention_layers of the config.json beside it are not the blocks with a "
                                             "second attention in its tensors, which are the first 2"},
        {"{\"dual_attention_layers\": [1, 2]}", "which are the first 2"},
        {"{\"dual_attention_layers\": [0, 1, 2]}", "which are the first 2"},
        {"{\"dual_attention_layers\": [0, 0]}", "which are the first 2"},
        {"{\"dual_attention_layers\": \"all\"}", "which are the first 2"},
        {"{\"dual_attention_layers\": [0, -1]}", "which are the first 2"},
        {"{\"qk_norm\": null}", "qk_norm of the config.json beside it: expected \"rms_norm\""},
        {"{\"qk_norm\": \"layer_norm\"}", "found \"layer_norm\""},
        {"{\"pos_embed_max_size\": 192}", "config.json beside it says pos_embed_max_size 192, and its tensors have 9"},
        {"{\"num_layers\": 24}", "says num_layers 24, and its tensors have 3"},
        {"{\"num_attention_heads\": 24}", "says num_attention_heads 24, and its tensors have 3"},
        {"{\"joint_attention_dim\": 4096}", "says joint_attention_dim 4096, and its tensors have 24"},
    };
    limn_ctx *ctx = limn_ctx_new();
    limn_settings found;
    limn_weight_file *st;
    write_folder(ctx, 2, NULL);
    for (int i = 0; i < COUNT(cases); i++) {
        write_text(FOLDER "config.json", cases[i].config);
        OK(limn_weight_file_open(ctx, diffusers_file, &st));
        if (limn_net_settings_of(ctx, diffusers_file, st, &found) == LIMN_OK) fail_msg("%s is taken", cases[i].config);
        if (!strstr(limn_error_text(ctx), cases[i].says)) fail_msg("%s: %s", cases[i].config, limn_error_text(ctx));
        limn_weight_file_close(st);
    }
    static const struct {
        const char *name;
        limn_shape shape;
        const char *says;
        bool diffusers;
    } wrong[] = {
        {"pos_embed", {3, {1, 80, 192}}, "\"pos_embed\" has 80 places, expected a square of them", false},
        {"joint_blocks.0.x_block.attn2.qkv.weight", {0, {0}},
         "\"joint_blocks.1.x_block.attn2.qkv.weight\" is a second attention behind block 0, which has none", false},
        {"y_embedder.mlp.0.weight", {0, {0}}, "has no tensor \"y_embedder.mlp.0.weight\"", false},
        {"pos_embed.pos_embed", {3, {1, 80, 192}}, "\"pos_embed.pos_embed\" has 80 places, expected a square of them", true},
        {"transformer_blocks.0.attn2.to_q.weight", {0, {0}},
         "\"transformer_blocks.1.attn2.to_q.weight\" is a second attention behind block 0, which has none", true},
        {"time_text_embed.text_embedder.linear_1.weight", {0, {0}},
         "has no tensor \"time_text_embed.text_embedder.linear_1.weight\"", true},
        {"proj_out.weight", {2, {9, 192}}, "tensor \"proj_out.weight\" has 9 rows, expected 16 for patches of 2", true},
    };
    for (int i = 0; i < COUNT(wrong); i++) {
        file f = {.n = 0};
        if (wrong[i].diffusers) add_diffusers(&f, 2, NULL);
        else add_original(&f, 2, "");
        for (int k = 0; k < f.n; k++) /* instead of the right one */
            if (!strcmp(f.names[k], wrong[i].name)) f.names[k][0] = '_';
        if (wrong[i].shape.rank)
            memset(add(&f, "", wrong[i].name, wrong[i].shape), 0,
                   (size_t)limn_shape_count(&wrong[i].shape) * sizeof(float));
        write_file(ctx, &f, SINGLE);
        OK(limn_weight_file_open(ctx, SINGLE, &st));
        assert_int_not_equal(limn_net_settings_of(ctx, SINGLE, st, &found), LIMN_OK);
        if (!strstr(limn_error_text(ctx), wrong[i].says)) fail_msg("%s: %s", wrong[i].name, limn_error_text(ctx));
        limn_weight_file_close(st);
    }
    remove_files();
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_block_equals_diffusers),
        cmocka_unit_test(converted_files_give_the_same),
        cmocka_unit_test(all_of_it_matters),
        cmocka_unit_test(a_net_leaves_blocks_out_on_the_same_weights),
        cmocka_unit_test(lora_files_of_every_spelling_change_what_they_name),
        cmocka_unit_test(a_module_under_two_spellings_is_refused),
        cmocka_unit_test(refusals_say_what_is_wrong),
    };
    return cmocka_run_group_tests_name("sd3", tests, NULL, NULL);
}
