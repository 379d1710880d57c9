/* test_sd3_lora.c: Stable Diffusion 3 and PixArt changed by LoRA files: latents as those of a model whose weights have the
 * differences added; which of three text encoders a file changes that does not say it. */
#include "keep_log.h"
#include "make_lora.h"
#include "make_pixart.h"

/* kohya's files have q, k and v as one module. */
typedef enum spelling { PEFT, KOHYA, ALONE, SPELLINGS } spelling; /* ALONE: PEFT that does not say of which network */

#define LORA_WEIGHT 0.8f

/* Matrices of attention and of MLPs, as trainers change them. */
static bool is_changed(const sd_tensor *t)
{
    static const char *const words[] = {".attn.", ".attn1.", ".attn2.", ".ff.", ".ff_context.", "self_attn.", ".mlp.",
                                        "SelfAttention.q.", "SelfAttention.k.", "SelfAttention.v.", "SelfAttention.o.",
                                        "DenseReluDense.", NULL};
    return t->rank == 2 && strstr(t->name, ".weight") && lora_has_any(t->name, words);
}

/* The letter of q, k or v in the name of a part of a fused matrix; NULL: it is none. */
static char *letter_of(char *name)
{
    char *at = strstr(name, ".to_"), *added = strstr(name, ".add_");
    if (at && strchr("qkv", at[4])) return at + 4;
    return added && strchr("qkv", added[5]) ? added + 5 : NULL;
}

static float *down_of(const sd_tensor *t, limn_shape *shape)
{
    char name[200];
    snprintf(name, sizeof name, "%.180s.down", t->name);
    char *letter = letter_of(name); /* one for all three */
    if (letter) *letter = '*';
    *shape = LIMN_SHAPE(LORA_RANK, t->dim[1]);
    float *x = malloc((size_t)limn_shape_count(shape) * sizeof *x);
    if (!x) abort();
    formula_fill(name, limn_shape_count(shape), 0.25f, x);
    return x;
}

static float *up_of(const sd_tensor *t, limn_shape *shape)
{
    char name[200];
    snprintf(name, sizeof name, "%.180s.up", t->name);
    *shape = LIMN_SHAPE(t->dim[0], LORA_RANK);
    float *x = malloc((size_t)limn_shape_count(shape) * sizeof *x);
    if (!x) abort();
    formula_fill(name, limn_shape_count(shape), 0.5f, x);
    return x;
}

/* W + weight alpha / rank up down, alpha 1 */
static void merge(const sd_tensor *t, float *w)
{
    limn_shape shape;
    float *up = up_of(t, &shape), *down = down_of(t, &shape);
    for (int o = 0; o < t->dim[0]; o++)
        for (int i = 0; i < t->dim[1]; i++) {
            double sum = 0;
            for (int r = 0; r < LORA_RANK; r++) sum += (double)up[o * LORA_RANK + r] * down[r * t->dim[1] + i];
            w[o * t->dim[1] + i] += (float)(LORA_WEIGHT / LORA_RANK * sum);
        }
    free(up);
    free(down);
}

/* A part's file with the differences in its weights. */
static void write_merged(limn_ctx *ctx, const char *path, size_t n, const sd_tensor *table, const char *part)
{
    static limn_named_view view[SD_MOST];
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        const sd_tensor *t = &table[i];
        if (strcmp(t->part, part)) continue;
        float *x = sd3_values(t, &view[k].view.shape);
        if (is_changed(t)) merge(t, x);
        view[k].name = t->name, view[k].view.dtype = LIMN_F32, view[k].view.data = x;
        k++;
    }
    OK(limn_safetensors_write(ctx, path, k, view, 0, NULL));
    sd_free(k, view);
}

static void put(lora_tensors *f, const char *stem, const char *end, limn_shape shape, float *x)
{
    if (f->n == LORA_MOST) abort();
    snprintf(f->name[f->n], sizeof *f->name, "%s.%s", stem, end);
    f->view[f->n] = (limn_named_view){f->name[f->n], {LIMN_F32, shape, x}};
    f->n++;
}

/* q, k and v under each other. */
static float *up_of_three(const sd_tensor *t, limn_shape *shape)
{
    float *all = malloc(3 * (size_t)t->dim[0] * LORA_RANK * sizeof *all);
    if (!all) abort();
    for (int i = 0; i < 3; i++) {
        char name[200];
        sd_tensor one = *t;
        snprintf(name, sizeof name, "%s", t->name);
        *letter_of(name) = "qkv"[i], one.name = name;
        float *x = up_of(&one, shape);
        memcpy(all + i * t->dim[0] * LORA_RANK, x, (size_t)t->dim[0] * LORA_RANK * sizeof *x);
        free(x);
    }
    shape->dim[0] *= 3;
    return all;
}

static void add(lora_tensors *f, const sd_tensor *t, spelling how, const char *head)
{
    char stem[200];
    limn_shape shape;
    bool original = how == KOHYA && *t->original && strstr(t->original, "blocks.");
    const char *name = original ? t->original + strlen("model.diffusion_model.") : t->name;
    float *alpha = malloc(sizeof *alpha);
    if (!alpha) abort();
    *alpha = 1;
    lora_stem(head, name, how == KOHYA, stem);
    bool three = original && strstr(t->original, ".qkv.");
    float *up = three ? up_of_three(t, &shape) : up_of(t, &shape);
    put(f, stem, how == KOHYA ? "lora_up.weight" : "lora_B.weight", shape, up);
    put(f, stem, how == KOHYA ? "lora_down.weight" : "lora_A.weight", shape, down_of(t, &shape));
    shape = (limn_shape){0};
    put(f, stem, "alpha", shape, alpha);
}

/* parts and, of each, what its modules' names begin with; both end with NULL. */
static void write_lora(limn_ctx *ctx, const char *path, spelling how, size_t n, const sd_tensor *table,
                       const char *const *parts, const char *const *heads)
{
    static lora_tensors f;
    f.n = 0;
    for (int k = 0; parts[k]; k++)
        for (size_t i = 0; i < n; i++) {
            const sd_tensor *t = &table[i];
            bool in_another = how == KOHYA && strstr(t->name, "transformer_blocks.") && !*t->original;
            if (!strcmp(t->part, parts[k]) && is_changed(t) && !in_another) add(&f, t, how, heads[k]);
        }
    OK(limn_safetensors_write(ctx, path, (size_t)f.n, f.view, 0, NULL));
    sd_free((size_t)f.n, f.view);
}

/* Two steps; lora NULL: none. */
static limn_latent draw(limn_ctx *ctx, const char *folder, const char *lora)
{
    limn_pipeline *p;
    limn_latent out;
    limn_generate_options o = limn_generate_defaults();
    OK(limn_pipeline_open(ctx, folder, &p));
    o.prompt = "a lighthouse at night", o.negative = "fog", o.width = o.height = 64, o.steps = 2, o.guidance = 4;
    o.precision = LIMN_PRECISION_F32;
    if (lora) OK(limn_pipeline_set_loras(p, 1, &(limn_lora_file){lora, LORA_WEIGHT, LORA_WEIGHT}));
    OK(limn_generate_latents(p, &o, &out));
    limn_pipeline_free(p);
    return out;
}

static size_t size(const limn_latent *l) { return (size_t)(l->width * l->height * l->channels); }

static double distance(const limn_latent *a, const limn_latent *b)
{
    double most = 0;
    for (size_t i = 0; i < size(a); i++) most = fmax(most, fabs((double)a->values[i] - b->values[i]));
    return most;
}

/* The folder with the file draws what `merged` draws, and not what it draws without. */
static void check(limn_ctx *ctx, const char *folder, const char *lora, const char *merged)
{
    limn_latent without = draw(ctx, folder, NULL), with = draw(ctx, folder, lora),
                expected = draw(ctx, merged, NULL);
    if (distance(&without, &expected) < 1e-3) fail_msg("%s changes nothing", merged);
    compare(lora, 0, size(&with), 1, with.values, expected.values, 1e-5);
    limn_latent_free(&without), limn_latent_free(&with), limn_latent_free(&expected);
}

static const char *const sd3_parts[] = {"dual", "text_encoder", "text_encoder_2", "text_encoder_3", NULL};
static const char *const sd3_heads[2][5] = {
    [PEFT] = {"transformer.", "text_encoder.", "text_encoder_2.", "text_encoder_3.", NULL},
    [KOHYA] = {"lora_unet_", "lora_te1_", "lora_te2_", "lora_te3_", NULL}};

/* A folder whose parts from..to have the differences in their weights. */
static void write_sd3_merged(limn_ctx *ctx, const char *folder, const char *there, int from, int to)
{
    sd3_write_folder(ctx, folder, "dual", there);
    for (int i = from; i <= to; i++) {
        char path[200];
        snprintf(path, sizeof path, "%s/%s/%s.safetensors", folder, i ? sd3_parts[i] : "transformer",
                 i ? "model" : "diffusion_pytorch_model");
        write_merged(ctx, path, SD3_TENSORS, sd3_tensors, sd3_parts[i]);
    }
}

static void logs(const char *words)
{
    if (!strstr(logged, words)) fail_msg("\"%s\" does not say \"%s\"", logged, words);
}

static void sd3_draws_as_merged(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    sd3_write_folder(ctx, "lora-sd3", "dual", "lgt");
    write_sd3_merged(ctx, "lora-sd3-merged", "lgt", 0, 3);
    for (int how = 0; how <= KOHYA; how++) {
        const char *file = how == PEFT ? "lora-sd3/peft.safetensors" : "lora-sd3/kohya.safetensors";
        write_lora(ctx, file, (spelling)how, SD3_TENSORS, sd3_tensors, sd3_parts, sd3_heads[how]);
        limn_ctx_set_log(ctx, keep_log, NULL);
        logged[0] = '\0';
        check(ctx, "lora-sd3", file, "lora-sd3-merged");
        logs("modules are of this model");
        if (strstr(logged, "the first that is not")) fail_msg("%s", logged);
    }
    limn_ctx_free(ctx);
}

/* Each of the encoders, of which some may lack, by the shapes of a file that does not say whose it is. */
static void shapes_tell_the_text_encoder(void **state)
{
    (void)state;
    static const struct {
        const char *there, *says;
        int part;
    } runs[] = {{"lgt", "features of 96 numbers", 1}, {"lgt", "features of 160 numbers", 2},
                {"lgt", "features of 288 numbers", 3}, {"gt", "features of 160 numbers", 2},
                {"gt", "features of 288 numbers", 3}, {"lt", "features of 288 numbers", 3}, {"t", "are of this model", 3}};
    limn_ctx *ctx = limn_ctx_new();
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        char folder[40], merged[40];
        snprintf(folder, sizeof folder, "lora-sd3-%s", runs[i].there);
        snprintf(merged, sizeof merged, "lora-sd3-%s-%d", runs[i].there, runs[i].part);
        sd3_write_folder(ctx, folder, "dual", runs[i].there);
        write_sd3_merged(ctx, merged, runs[i].there, runs[i].part, runs[i].part);
        write_lora(ctx, "lora-sd3-alone.safetensors", ALONE, SD3_TENSORS, sd3_tensors,
                   (const char *const[]){sd3_parts[runs[i].part], NULL}, (const char *const[]){"base_model.model.", NULL});
        limn_ctx_set_log(ctx, keep_log, NULL);
        logged[0] = '\0';
        check(ctx, folder, "lora-sd3-alone.safetensors", merged);
        logs(runs[i].says);
    }
    limn_ctx_free(ctx);
}

/* CLIP's and T5's in one file: no module fits two. */
static void two_encoders_of_one_file(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    const char *file = "lora-sd3-two.safetensors";
    sd3_write_folder(ctx, "lora-sd3-both", "dual", "lgt");
    write_sd3_merged(ctx, "lora-sd3-both-merged", "lgt", 2, 3);
    write_lora(ctx, file, ALONE, SD3_TENSORS, sd3_tensors, sd3_parts + 2,
                   (const char *const[]){"base_model.model.", "base_model.model.", NULL});
    check(ctx, "lora-sd3-both", file, "lora-sd3-both-merged");
    limn_ctx_free(ctx);
}

/* attn2.to_k is the first half of cross_attn.kv_linear; its first text encoder is T5. */
static void pixart_draws_as_merged(void **state)
{
    (void)state;
    static const char *const parts[] = {"sigma", "text_encoder", NULL};
    static const char *const heads[][3] = {{"transformer.", "text_encoder.", NULL},
                                           {"diffusion_model.", "text_encoders.t5xxl.transformer.", NULL}};
    limn_ctx *ctx = limn_ctx_new();
    pixart_write_folder(ctx, "lora-pixart", "sigma");
    pixart_write_folder(ctx, "lora-pixart-merged", "sigma");
    write_merged(ctx, "lora-pixart-merged/transformer/diffusion_pytorch_model.safetensors", PIXART_TENSORS, pixart_tensors,
                 parts[0]);
    write_merged(ctx, "lora-pixart-merged/text_encoder/model.safetensors", PIXART_TENSORS, pixart_tensors, parts[1]);
    for (int i = 0; i < 2; i++) {
        write_lora(ctx, "lora-pixart.safetensors", PEFT, PIXART_TENSORS, pixart_tensors, parts, heads[i]);
        limn_ctx_set_log(ctx, keep_log, NULL);
        logged[0] = '\0';
        check(ctx, "lora-pixart", "lora-pixart.safetensors", "lora-pixart-merged");
        if (strstr(logged, "the first that is not")) fail_msg("%s", logged);
    }
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sd3_draws_as_merged),
        cmocka_unit_test(shapes_tell_the_text_encoder),
        cmocka_unit_test(two_encoders_of_one_file),
        cmocka_unit_test(pixart_draws_as_merged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
