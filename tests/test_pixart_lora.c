/* test_pixart_lora.c: PixArt and its T5 changed by a LoRA, in every spelling that trainers and programs write: latents are
 * those of diffusers with PEFT (oracle/transformer_lora.py). */
#include "keep_log.h"
#include "make_lora.h"
#include "make_pixart.h"
#include "pipeline/sampling.h"
#include "vectors/transformer_lora.h"

#include <unistd.h>

#define WEIGHT 0.8
#define FOLDER "pixart-lora"
#define ADAPTER FOLDER "/adapter/adapter_model.safetensors"

/* Where alpha is said. */
typedef enum where { TENSORS, METADATA, CONFIG } where;
/* What modules are called behind the beginning. */
typedef enum inside {
    DIFFUSERS,
    FLAT,     /* _ for points */
    AUTHORS,  /* and q, k and v are qkv.0, qkv.1, qkv.2 */
    JOINED,   /* flat, and q, k and v are one module of three times the rank */
} inside;

static const struct spelling {
    const char *who, *begin, *t5;
    inside inside;
    where alpha;
    const char *metadata;
} spellings[] = {
    {"PEFT alone", "base_model.model.", "base_model.model.", DIFFUSERS, CONFIG, NULL},
    {"diffusers", "transformer.", "text_encoder.", DIFFUSERS, METADATA,
     "{\"transformer.lora_alpha\": 1, \"text_encoder.lora_alpha\": 1}"},
    {"the first training script", "unet.base_model.model.", "text_encoder.base_model.model.", DIFFUSERS, CONFIG, NULL},
    {"OneTrainer", "lora_transformer_", "lora_te_", FLAT, TENSORS, NULL},
    {"OneTrainer, dotted", "lora_transformer.", "lora_te.", DIFFUSERS, TENSORS, NULL},
    {"OneTrainer, OMI", "transformer.", "t5.", AUTHORS, TENSORS, NULL},
    {"LyCORIS", "lycoris_", "lora_te1_", FLAT, TENSORS, NULL},
    {"ComfyUI, the authors' names", "diffusion_model.", "text_encoders.t5xxl.transformer.", AUTHORS, TENSORS, NULL},
    {"kohya's, the authors' names", "lora_unet_", "lora_te_", JOINED, TENSORS, NULL},
};

static bool is_changed(const sd_tensor *t)
{
    static const char *const t5[] = {"SelfAttention.q.", "SelfAttention.k.", "SelfAttention.v.", "SelfAttention.o.",
                                     "DenseReluDense.", NULL};
    bool matrix = t->rank > 1 && strstr(t->name, ".weight");
    return matrix && (!strcmp(t->part, "alpha") || (!strcmp(t->part, "text_encoder") && lora_has_any(t->name, t5)));
}

/* What the authors call a module; *piece: which rows of it, of *pieces. */
static void name_of_authors(const char *name, char out[200], int *piece, int *pieces)
{
    static const struct {
        const char *theirs, *ours;
        int piece, pieces;
    } names[] = {
        {"pos_embed.proj.", "x_embedder.proj.", 0, 1}, {"timestep_embedder.linear_1.", "t_embedder.mlp.0.", 0, 1},
        {"timestep_embedder.linear_2.", "t_embedder.mlp.2.", 0, 1},
        {"resolution_embedder.linear_1.", "csize_embedder.mlp.0.", 0, 1},
        {"resolution_embedder.linear_2.", "csize_embedder.mlp.2.", 0, 1},
        {"aspect_ratio_embedder.linear_1.", "ar_embedder.mlp.0.", 0, 1},
        {"aspect_ratio_embedder.linear_2.", "ar_embedder.mlp.2.", 0, 1}, {"adaln_single.linear.", "t_block.1.", 0, 1},
        {"caption_projection.linear_1.", "y_embedder.y_proj.fc1.", 0, 1},
        {"caption_projection.linear_2.", "y_embedder.y_proj.fc2.", 0, 1}, {"attn1.to_q.", "attn.qkv.", 0, 3},
        {"attn1.to_k.", "attn.qkv.", 1, 3}, {"attn1.to_v.", "attn.qkv.", 2, 3}, {"attn1.to_out.0.", "attn.proj.", 0, 1},
        {"attn2.to_q.", "cross_attn.q_linear.", 0, 1}, {"attn2.to_k.", "cross_attn.kv_linear.", 0, 2},
        {"attn2.to_v.", "cross_attn.kv_linear.", 1, 2}, {"attn2.to_out.0.", "cross_attn.proj.", 0, 1},
        {"ff.net.0.proj.", "mlp.fc1.", 0, 1}, {"ff.net.2.", "mlp.fc2.", 0, 1}, {"proj_out.", "final_layer.linear.", 0, 1}};
    int block = -1;
    size_t i = 0;
    while (i < sizeof names / sizeof *names && !strstr(name, names[i].theirs)) i++;
    assert_true(i < sizeof names / sizeof *names);
    if (sscanf(name, "transformer_blocks.%d.", &block) == 1) snprintf(out, 200, "blocks.%d.%sweight", block, names[i].ours);
    else snprintf(out, 200, "%sweight", names[i].ours);
    *piece = names[i].piece, *pieces = names[i].pieces;
}

/* The last two modules' rows into those of a module that holds them and others: down under down, up beside it. */
static void join(lora_tensors *f, int piece, int pieces)
{
    limn_view *down = &f->view[f->n - 3].view, *up = &f->view[f->n - 2].view;
    int64_t in = down->shape.dim[1], out = up->shape.dim[0], rank = pieces * LORA_RANK;
    float *x = calloc((size_t)(rank * in), sizeof *x), *y = calloc((size_t)(out * pieces * rank), sizeof *y);
    if (!x || !y) abort();
    memcpy(x + piece * LORA_RANK * in, down->data, (size_t)(LORA_RANK * in) * sizeof *x);
    for (int64_t o = 0; o < out; o++)
        memcpy(y + (piece * out + o) * rank + piece * LORA_RANK, (const float *)up->data + o * LORA_RANK,
               LORA_RANK * sizeof *y);
    free(down->data), free(up->data);
    *down = (limn_view){LIMN_F32, LIMN_SHAPE(rank, in), x}, *up = (limn_view){LIMN_F32, LIMN_SHAPE(out * pieces, rank), y};
    ((float *)f->view[f->n - 1].view.data)[0] = (float)pieces; /* alpha a rank as before */
    if (!piece) return;
    for (int k = 0; k < 2; k++) { /* into the first */
        float *first = f->view[f->n - 6 + k].view.data, *next = f->view[f->n - 3 + k].view.data;
        int64_t n = limn_shape_count(&f->view[f->n - 3 + k].view.shape);
        for (int64_t i = 0; i < n; i++) first[i] += next[i];
    }
    for (int k = 0; k < 3; k++) free(f->view[--f->n].view.data);
}

static void add(lora_tensors *f, const sd_tensor *t, const struct spelling *how)
{
    bool t5 = !strcmp(t->part, "text_encoder"), flat = how->inside == FLAT || how->inside == JOINED;
    char numbers[200], name[200], piece_name[200], written[200];
    int piece = 0, pieces = 1;
    lora_stem(t5 ? "text_encoder." : "transformer.", t->name, false, numbers);
    snprintf(name, sizeof name, "%s", t->name);
    if (how->inside >= AUTHORS && !t5) name_of_authors(t->name, name, &piece, &pieces);
    if (how->inside == AUTHORS && pieces > 1) {
        snprintf(piece_name, sizeof piece_name, "%.*s.%d.weight", (int)(strlen(name) - strlen(".weight")), name, piece);
        strcpy(name, piece_name);
    }
    lora_stem(t5 ? how->t5 : how->begin, name, flat, written);
    lora_add(f, t, numbers, written, how->alpha != TENSORS);
    if (how->inside == JOINED && pieces > 1) join(f, piece, pieces);
}

/* @return modules of PixArt and of T5 */
static int write_lora(limn_ctx *ctx, const struct spelling *how)
{
    static lora_tensors f;
    int joined = 0;
    f.n = 0;
    for (size_t i = 0; i < PIXART_TENSORS; i++) {
        int n = f.n;
        if (!is_changed(&pixart_tensors[i])) continue;
        add(&f, &pixart_tensors[i], how);
        joined += f.n == n;
    }
    const char *const metadata[][2] = {{"lora_adapter_metadata", how->metadata}};
    OK(limn_safetensors_write(ctx, ADAPTER, (size_t)f.n, f.view, how->metadata != NULL, metadata));
    sd_free((size_t)f.n, f.view);
    unlink(FOLDER "/adapter/adapter_config.json");
    if (how->alpha == CONFIG) write_text(FOLDER "/adapter/adapter_config.json", "{\"r\": 2, \"lora_alpha\": 1}");
    return f.n / (how->alpha == TENSORS ? 3 : 2) + joined;
}

static void check(limn_ctx *ctx, const struct spelling *how)
{
    const pixart_case *c = &pixart_cases[3];
    limn_pipeline *p;
    limn_sampling *s;
    limn_generate_options o = limn_generate_defaults();
    assert_int_equal(write_lora(ctx, how), PIXART_LORA_MODULES + PIXART_LORA_T5_MODULES);
    OK(limn_pipeline_open(ctx, FOLDER, &p));
    logged[0] = '\0';
    OK(limn_pipeline_set_loras(p, 1, &(limn_lora_file){ADAPTER, WEIGHT, WEIGHT}));
    if (!strstr(logged, "modules are of this model") || strstr(logged, "the first that is not"))
        fail_msg("%s: %s", how->who, logged);
    o.prompt = c->prompt, o.negative = c->negative, o.width = c->width, o.height = c->height, o.steps = PIXART_STEPS;
    o.guidance = c->guidance, o.prompt_style = "plain", o.precision = LIMN_PRECISION_F32;
    OK(limn_sampling_begin(p, &o, &s));
    formula_fill("noise", (int64_t)s->size, 2, s->x);
    for (size_t i = 0; i < s->size; i++) s->x[i] *= (float)limn_sampler_init_sigma(s->sampler);
    for (int k = 0; k < c->calls; k++) {
        OK(limn_sampling_step(s));
        compare(how->who, k, s->size, 1, s->x, pixart_lora_latents + (size_t)k * s->size, 1e-4);
    }
    limn_sampling_end(s);
    limn_pipeline_free(p);
}

static void every_spelling_draws_what_peft_draws(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    pixart_write_folder(ctx, FOLDER, "alpha");
    mkdir(FOLDER "/adapter", 0777);
    limn_ctx_set_log(ctx, keep_log, NULL);
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) check(ctx, &spellings[i]);
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_spelling_draws_what_peft_draws)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
