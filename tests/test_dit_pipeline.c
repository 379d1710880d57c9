/* test_dit_pipeline.c: pictures of classes by published DiT: a folder of diffusers, and the authors' files.  A shrunken
 * network with weights of a formula; what must come out, latents after every call from the same seed and pictures, is that
 * of diffusers' DiTPipeline, and of the authors' sampling as oracle/dit_pipeline.py states it. */
#include "file/image.h"
#include "keep_log.h"
#include "make_lora.h"
#include "make_torch.h"
#include "pipeline/sampling.h"
#include "run_program.h"
#include "vectors/dit.h"
#include "vectors/transformer_lora.h"

#include <sys/stat.h>
#include <unistd.h>

enum { TENSORS = sizeof dit_tensors / sizeof *dit_tensors, WIDTH = 384, SIDE = 4, PIXELS = 64 * 64 * 3 };

static bool is(const char *a, const char *b) { return !strcmp(a, b); }

/* ---- files ------------------------------------------------------------------------------------------------------------ */

/* weight() of the oracle: the embedders are copied into each block. */
static void fill(const sd_tensor *t, float *to)
{
    static const char first[] = "transformer_blocks.0.norm1.emb.";
    const char *copied = strstr(t->name, ".emb.");
    char name[200];
    int64_t n = 1, fan = 1;
    int k = 0;
    snprintf(name, sizeof name, "%s%s", copied ? first : t->name, copied ? copied + 5 : "");
    for (int i = 0; i < t->rank; i++) n *= t->dim[i], fan *= i ? t->dim[i] : 1;
    while (3 * (INT64_C(1) << 2 * k) < fan) k++;
    bool told = strstr(name, "timestep_embedder") || strstr(name, "norm1.linear") || strstr(name, "proj_out_1");
    float scale = ldexpf(1, (told ? 1 : strstr(name, "proj_out_2") ? -3 : 0) - k);
    formula_fill(name, n, strstr(name, "embedding_table") ? 0.5f : t->rank == 1 ? 0.25f : scale, to);
}

static int64_t count_of(const sd_tensor *t)
{
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++) n *= t->dim[i];
    return n;
}

/* MAE's table: half for columns, half for rows, each sines, then cosines. */
static void fill_places(float *to)
{
    for (int at = 0; at < SIDE * SIDE; at++)
        for (int i = 0; i < WIDTH; i++) {
            int half = i / (WIDTH / 2), k = i % (WIDTH / 4), place = half ? at / SIDE : at % SIDE;
            double angle = place * pow(10000, -k / (WIDTH / 4.0));
            *to++ = (float)(i % (WIDTH / 2) < WIDTH / 4 ? sin(angle) : cos(angle));
        }
}

/* Under diffusers' names.  @return how many */
static size_t folder_views(limn_named_view *view)
{
    for (size_t i = 0; i < TENSORS; i++) {
        const sd_tensor *t = &dit_tensors[i];
        limn_view *v = &view[i].view;
        float *x = malloc((size_t)count_of(t) * sizeof *x);
        fill(t, x);
        view[i].name = t->name, v->dtype = LIMN_F32, v->data = x, v->shape = (limn_shape){.rank = t->rank};
        for (int d = 0; d < t->rank; d++) v->shape.dim[d] = t->dim[d];
    }
    return TENSORS;
}

/* Under the authors': q, k and v under each other, no copies, a table of places. */
static size_t authors_views(limn_named_view *view)
{
    size_t n = 0;
    for (size_t i = 0; i < TENSORS; i++) {
        const sd_tensor *t = &dit_tensors[i];
        size_t rows = 0, at = 0;
        if (!*t->original || strstr(t->name, "to_k") || strstr(t->name, "to_v")) continue;
        for (size_t k = i; k < TENSORS; k++)
            if (is(dit_tensors[k].original, t->original)) rows += (size_t)t->dim[0], at += (size_t)count_of(t);
        float *x = malloc(at * sizeof *x);
        limn_view *v = &view[n].view;
        at = 0;
        for (size_t k = i; k < TENSORS; k++)
            if (is(dit_tensors[k].original, t->original)) fill(&dit_tensors[k], x + at), at += (size_t)count_of(t);
        view[n++].name = t->original, v->dtype = LIMN_F32, v->data = x, v->shape = (limn_shape){.rank = t->rank};
        for (int d = 0; d < t->rank; d++) v->shape.dim[d] = d ? t->dim[d] : (int64_t)rows;
    }
    float *places = malloc(SIDE * SIDE * WIDTH * sizeof *places);
    fill_places(places);
    view[n++] = (limn_named_view){"pos_embed", {LIMN_F32, LIMN_SHAPE(1, SIDE * SIDE, WIDTH), places}};
    return n;
}

#define LINEAR "\"beta_schedule\": \"linear\", \"beta_start\": 0.0001, \"beta_end\": 0.02, \"num_train_timesteps\": 1000"
static const struct scheduler { const char *name, *config, *sampler; } schedulers[] = {
    {"ddim", "{\"_class_name\": \"DDIMScheduler\", " LINEAR ", \"clip_sample\": false, \"set_alpha_to_one\": true}", "ddim"},
    {"dpm", "{\"_class_name\": \"DPMSolverMultistepScheduler\", " LINEAR ", \"timestep_spacing\": \"linspace\"}", "dpm++2m"},
    {"ddpm", "{\"_class_name\": \"DDPMScheduler\", " LINEAR ", \"clip_sample\": false}", "ddpm"},
};

/* As published: Transformer2DModel was its class before it had one of its own. */
#define CONFIG(classes)                                                                                                     \
    "{\"_class_name\": \"Transformer2DModel\", \"num_attention_heads\": 6, \"attention_head_dim\": 64, "                   \
    "\"in_channels\": 4, \"out_channels\": 8, \"num_layers\": 2, \"sample_size\": 8, \"patch_size\": 2, "                  \
    "\"norm_type\": \"ada_norm_zero\", \"activation_fn\": \"gelu-approximate\", \"num_embeds_ada_norm\": " classes "}"
#define INDEX(labels) "{\"_class_name\": \"DiTPipeline\", \"id2label\": " labels "}"

/* All 1000 have a name; some are ImageNet's, which has two cranes and two cardigans. */
static void write_index(void)
{
    static const struct { int class; const char *name; } known[] = {
        {0, "tench, Tinca tinca"}, {134, "crane"}, {207, "golden retriever"}, {208, "Labrador retriever"},
        {264, "Cardigan, Cardigan Welsh corgi"}, {474, "cardigan"}, {517, "crane"}, {980, "volcano"}};
    limn_text text = {0};
    limn_text_printf(&text, "{\"_class_name\": \"DiTPipeline\", \"_diffusers_version\": \"0.12.0.dev0\", \"id2label\": {");
    for (int i = 0; i < 1000; i++) {
        size_t k = 0;
        while (k < sizeof known / sizeof *known && known[k].class != i) k++;
        limn_text_printf(&text, "%s\"%d\": \"", i ? ", " : "", i);
        if (k < sizeof known / sizeof *known) limn_text_printf(&text, "%s\"", known[k].name);
        else limn_text_printf(&text, "thing %c%c%c\"", 'a' + i / 100, 'a' + i / 10 % 10, 'a' + i % 10);
    }
    limn_text_printf(&text, "}}");
    write_text("dit-xl/model_index.json", text.bytes);
    limn_text_free(&text);
}

static void write_vae(limn_ctx *ctx, const char *path)
{
    static const sd_tensor *tensors[SD_MOST];
    sd_write(ctx, path, sd_take(sd_tensors, SD_TENSORS, "vae", NULL, 0, tensors), tensors, "");
}

/* In 16 bits, or of the numbers that these have. */
static void round_to(size_t n, limn_named_view *view, limn_dtype to, bool wide)
{
    for (size_t i = 0; i < n; i++) {
        limn_view *v = &view[i].view;
        size_t count = (size_t)limn_shape_count(&v->shape);
        uint16_t *narrow = malloc(count * sizeof *narrow);
        limn_convert(v->data, LIMN_F32, narrow, to, count);
        if (wide) limn_convert(narrow, to, (void *)(uintptr_t)v->data, LIMN_F32, count), free(narrow);
        else free((void *)(uintptr_t)v->data), v->data = narrow, v->dtype = to;
    }
}

static void write_views(limn_ctx *ctx, const char *path, bool authors, limn_dtype to, bool wide)
{
    static limn_named_view view[TENSORS + 1];
    size_t n = authors ? authors_views(view) : folder_views(view);
    if (to != LIMN_F32) round_to(n, view, to, wide);
    OK(limn_safetensors_write(ctx, path, n, view, 0, NULL));
    sd_free(n, view);
}

static void write_scheduler(const char *name)
{
    int i = 0;
    while (!is(schedulers[i].name, name)) i++;
    write_text("dit-xl/scheduler/scheduler_config.json", schedulers[i].config);
}

static void write_folder(limn_ctx *ctx)
{
    static const char *const folders[] = {"dit-xl", "dit-xl/transformer", "dit-xl/vae", "dit-xl/scheduler"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) mkdir(folders[i], 0777);
    write_index();
    write_text("dit-xl/transformer/config.json", CONFIG("1000"));
    write_text("dit-xl/vae/config.json", SD_VAE);
    write_views(ctx, "dit-xl/transformer/diffusion_pytorch_model.safetensors", false, LIMN_F32, false);
    write_vae(ctx, "dit-xl/vae/diffusion_pytorch_model.safetensors");
    write_scheduler("ddim");
}

/* "key": {names: tensors}; raw: what is trained, and is not the EMA */
static void put_state(made_bytes *p, made_bytes *data, size_t n, const limn_named_view *view, int64_t numel, bool raw)
{
    put_text(p, "}(");
    for (size_t i = 0; i < n; i++) {
        const limn_shape *shape = &view[i].view.shape;
        int64_t step = 1, count = limn_shape_count(shape);
        made_tensor t = {.type = "FloatStorage", .key = "0", .numel = numel, .offset = (int64_t)(data->n / 4)};
        t.rank = shape->rank;
        for (int d = t.rank - 1; d >= 0; d--) t.size[d] = shape->dim[d], t.stride[d] = step, step *= t.size[d];
        pickle_text(p, view[i].name);
        pickle_tensor(p, t);
        for (int64_t k = 0; k < count; k++) {
            float x = ((const float *)view[i].view.data)[k] + (raw && strcmp(view[i].name, "pos_embed") ? 0.5f : 0);
            put(data, &x, sizeof x);
        }
    }
    put_text(p, "u");
}

/* As train.py saves it: {"model": .., "ema": .., "args": Namespace(..)}; whole: false: a state dict alone, as published. */
static void write_torch(const char *path, bool whole)
{
    static limn_named_view view[TENSORS + 1];
    size_t n = authors_views(view);
    made_bytes p = {0}, data = {0};
    made_zip z = {0};
    int64_t numel = 0;
    for (size_t i = 0; i < n; i++) numel += limn_shape_count(&view[i].view.shape) * (1 + whole);
    put(&p, "\x80\2", 2);
    if (whole) {
        put_text(&p, "}("), pickle_text(&p, "model");
        put_state(&p, &data, n, view, numel, true), pickle_text(&p, "ema");
    }
    put_state(&p, &data, n, view, numel, false);
    if (whole) {
        pickle_text(&p, "args"), put_text(&p, "cargparse\nNamespace\n)\x81}("), pickle_text(&p, "model");
        pickle_text(&p, "DiT-XL/2"), put_text(&p, "ubu");
    }
    put_text(&p, ".");
    zip_add(&z, "archive/data.pkl", p.at, p.n);
    zip_add(&z, "archive/data/0", data.at, data.n);
    zip_add(&z, "archive/version", "3\n", 2);
    zip_end(&z);
    FILE *file = fopen(path, "wb");
    assert_int_equal(fwrite(z.file.at, 1, z.file.n, file), z.file.n);
    assert_int_equal(fclose(file), 0);
    zip_free(&z);
    sd_free(n, view);
    free(p.at);
    free(data.at);
}

/* The authors' file, and the autoencoder beside it. */
static void write_authors(limn_ctx *ctx)
{
    mkdir("dit-authors", 0777);
    write_torch("dit-authors/DiT-S-2-64x64.pt", false);
    write_vae(ctx, "dit-authors/sd-vae-ft-ema.safetensors");
}

/* ---- what was drawn --------------------------------------------------------------------------------------------------- */

static limn_generate_options options_of(const dit_case *c)
{
    limn_generate_options o = limn_generate_defaults();
    o.label = c->label, o.guidance = c->guidance, o.steps = c->steps, o.seed = (uint64_t)c->seed;
    o.width = o.height = 8 * c->side, o.precision = LIMN_PRECISION_F32;
    return o;
}

/* By the sampler of the folder, or this one.  worst: NULL, or the part by which latents may not differ; else by which they
 * do, of the last call */
static void check_case(limn_ctx *ctx, limn_pipeline *p, const dit_case *c, limn_generate_options o, double *worst)
{
    limn_sampling *s;
    limn_image image;
    OK(limn_sampling_begin(p, &o, &s));
    assert_int_equal(s->denoiser->job.shape.batch, c->guidance > 1 ? 2 : 1);
    assert_int_equal(limn_sampling_left(s), c->steps);
    for (int k = 0; k < c->steps; k++) {
        OK(limn_sampling_step(s));
        const float *expected = c->latents + (size_t)k * s->size;
        if (!worst) compare("class and call", c->label * 100 + k, s->size, 1, s->x, expected, 1e-4);
        double most = 0, apart = 0;
        for (size_t i = 0; i < s->size; i++) most = fmax(most, fabs((double)expected[i]));
        for (size_t i = 0; i < s->size; i++) apart = fmax(apart, fabs((double)s->x[i] - (double)expected[i]));
        if (worst) *worst = apart / most;
    }
    OK(limn_sampling_picture(s, 0, &image));
    if (c->picture && !worst) sd_compare_picture("the picture", &image, 8 * c->side, 8 * c->side, c->picture);
    limn_image_free(&image);
    limn_sampling_end(s);
}

static void a_folder_draws_what_diffusers_draws(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    int drawn = 0;
    write_folder(ctx);
    for (size_t i = 0; i < sizeof schedulers / sizeof *schedulers; i++) {
        limn_pipeline *p;
        write_scheduler(schedulers[i].name);
        OK(limn_pipeline_open(ctx, "dit-xl", &p));
        limn_pipeline_info info = limn_pipeline_describe(p);
        assert_string_equal(info.sampler, schedulers[i].sampler);
        assert_true(info.width == 64 && info.classes == 1000 && info.guidance == 4 && info.rng == LIMN_RNG_CPU);
        for (int k = 0; k < DIT_CASES; k++)
            if (is(dit_cases[k].whose, "diffusers") && is(dit_cases[k].sampler, schedulers[i].name))
                check_case(ctx, p, &dit_cases[k], options_of(&dit_cases[k]), NULL), drawn++;
        limn_pipeline_free(p);
    }
    assert_int_equal(drawn, 4);
    limn_ctx_free(ctx);
}

static const char *sampler_of(const dit_case *c) { return is(c->sampler, "ddpm") ? "ddpm" : NULL; }

/* The state dict alone, and what training saves, of which the EMA is taken. */
static void files_of_the_authors_draw_as_their_sampling(void **state)
{
    (void)state;
    static const char *const files[] = {"dit-authors/DiT-S-2-64x64.pt", "dit-authors/0400000.pt",
                                        "dit-authors/d.safetensors"};
    limn_ctx *ctx = limn_ctx_new();
    write_authors(ctx);
    write_torch(files[1], true);
    write_views(ctx, files[2], true, LIMN_F32, false);
    for (int i = 0; i < 3; i++) {
        limn_pipeline *p;
        int drawn = 0;
        OK(limn_pipeline_open(ctx, files[i], &p));
        assert_string_equal(limn_pipeline_describe(p).sampler, "dpm++2m");
        for (int k = 0; k < DIT_CASES; k++) {
            limn_generate_options o = options_of(&dit_cases[k]);
            o.sampler = sampler_of(&dit_cases[k]);
            if (is(dit_cases[k].whose, "authors")) check_case(ctx, p, &dit_cases[k], o, NULL), drawn++;
        }
        assert_int_equal(drawn, 3);
        limn_pipeline_free(p);
    }
    limn_ctx_free(ctx);
}

/* What is ignored is seen, and so is what diffusers and the authors do differently. */
static void class_guidance_seed_and_whose_matter(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *folder, *authors;
    const dit_case *c = &dit_cases[0], *learned = &dit_cases[4];
    double apart;
    write_folder(ctx);
    write_authors(ctx);
    OK(limn_pipeline_open(ctx, "dit-xl", &folder));
    OK(limn_pipeline_open(ctx, "dit-authors/DiT-S-2-64x64.pt", &authors));
    for (int i = 0; i < 5; i++) {
        limn_generate_options o = options_of(c);
        if (i == 0) o.label = 208;
        if (i == 1) o.guidance = 3.9;
        if (i == 2) o.seed++;
        if (i == 3) o.rng = LIMN_RNG_LIMN;
        if (i == 4) o.sampler = "ddim";
        check_case(ctx, i == 4 ? authors : folder, c, o, &apart);
        if (!(apart > 3e-3)) fail_msg("%d: %g", i, apart);
    }
    limn_generate_options o = options_of(learned);
    o.sampler = "ddpm", o.scheduler = "leading";
    check_case(ctx, authors, learned, o, &apart);
    assert_true(apart > 0.05);
    limn_pipeline_free(folder);
    limn_pipeline_free(authors);
    limn_ctx_free(ctx);
}

/* ---- LoRA files ------------------------------------------------------------------------------------------------------- */

/* As PEFT writes them; embedders: diffusers has one in each block, which is trained for itself. */
static void write_lora(limn_ctx *ctx, const char *begin, bool flat, bool embedders)
{
    static lora_tensors f;
    char numbers[200], written[200];
    f.n = 0;
    for (size_t i = 0; i < TENSORS; i++) {
        const sd_tensor *t = &dit_tensors[i];
        bool embedder = strstr(t->name, ".emb.");
        if (t->rank == 1 || strstr(t->name, "embedding_table") || (embedder && !embedders)) continue;
        lora_stem("transformer.", t->name, false, numbers);
        lora_stem(begin, t->name, flat, written);
        lora_add(&f, t, numbers, written, !flat);
    }
    mkdir("dit-xl/adapter", 0777);
    if (!embedders) assert_int_equal(f.n, DIT_LORA_MODULES * (flat ? 3 : 2));
    OK(limn_safetensors_write(ctx, "dit-xl/adapter/adapter_model.safetensors", (size_t)f.n, f.view, 0, NULL));
    write_text("dit-xl/adapter/adapter_config.json", "{\"r\": 2, \"lora_alpha\": 1}");
    sd_free((size_t)f.n, f.view);
}

static void loras_draw_what_peft_draws(void **state)
{
    (void)state;
    static const char *const begins[] = {"base_model.model.", "transformer.", "lora_transformer_"};
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p;
    dit_case changed = dit_cases[0];
    changed.latents = dit_lora_latents, changed.picture = NULL;
    limn_ctx_set_log(ctx, keep_log, NULL);
    write_folder(ctx);
    write_authors(ctx);
    OK(limn_pipeline_open(ctx, "dit-xl", &p));
    for (int i = 0; i < 4; i++) {
        write_lora(ctx, begins[i % 3], i == 2, i == 3);
        *logged = '\0';
        OK(limn_pipeline_set_loras(p, 1, &(limn_lora_file){"dit-xl/adapter/adapter_model.safetensors", 0.8, 0.8}));
        assert_non_null(strstr(logged, i < 3 ? "all its 17 modules are of this model"
                                             : "17 of its 21 modules are of this model; the first that is not: "
                                               "\"transformer_blocks_0_norm1_emb_timestep_embedder_linear_1\""));
        check_case(ctx, p, &changed, options_of(&changed), NULL);
    }
    limn_pipeline_free(p);
    OK(limn_pipeline_open(ctx, "dit-authors/DiT-S-2-64x64.pt", &p));
    *logged = '\0';
    OK(limn_pipeline_set_loras(p, 1, &(limn_lora_file){"dit-xl/adapter/adapter_model.safetensors", 0.8, 0.8}));
    assert_non_null(strstr(logged, "17 of its 21 modules are of this model"));
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* ---- names ------------------------------------------------------------------------------------------------------------ */

static void expect_label(limn_ctx *ctx, const limn_pipeline *p, const char *word, int expected)
{
    int label = -1;
    OK(limn_pipeline_label(p, word, &label));
    if (label != expected) fail_msg("%s is %d, not %d", word, label, expected);
}

static void classes_go_by_their_names(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p;
    int label = -1;
    write_folder(ctx);
    OK(limn_pipeline_open(ctx, "dit-xl", &p));
    static const struct { const char *word; int class; } known[] = {
        {"golden retriever", 207}, {"Golden Retriever", 207}, {"tench", 0}, {"Tinca tinca", 0}, {"tinca TINCA", 0},
        {"tench, Tinca tinca", 0}, {"Cardigan", 264}, {"cardigan", 474}, {"CARDIGAN WELSH CORGI", 264}, {"207", 207},
        {"@134", 134}, {"1000", 1000}, {"thing aab", 1}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) expect_label(ctx, p, known[i].word, known[i].class);
    assert_int_equal(limn_pipeline_class(p, "golden retriever"), 207);
    assert_int_equal(limn_pipeline_class(p, "crane"), -1);
    assert_int_equal(limn_pipeline_class(p, "207"), -1);
    says(ctx, limn_pipeline_label(p, "crane", &label), LIMN_BAD_ARGUMENT,
         "\"crane\" is the name of several classes, 134 (crane), 517 (crane): give the number");
    says(ctx, limn_pipeline_label(p, "CARDIGAN", &label), LIMN_BAD_ARGUMENT,
         "264 (Cardigan, Cardigan Welsh corgi), 474 (cardigan)");
    says(ctx, limn_pipeline_label(p, "retriever", &label), LIMN_BAD_ARGUMENT,
         "this model has no class \"retriever\"; near it: golden retriever (207), Labrador retriever (208)");
    says(ctx, limn_pipeline_label(p, "vulcano", &label), LIMN_BAD_ARGUMENT, "did you mean volcano?");
    says(ctx, limn_pipeline_label(p, "", &label), LIMN_BAD_ARGUMENT, "no class \"\"");
    says(ctx, limn_pipeline_label(p, ",", &label), LIMN_BAD_ARGUMENT, "no class \",\"");
    says(ctx, limn_pipeline_label(p, "1001", &label), LIMN_BAD_ARGUMENT,
         "expected a class from 0 to 999, or 1000 for none, or its name, found 1001");
    assert_int_equal(label, -1);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* Of a file alone: a line each. */
static void names_may_lie_beside_a_file(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p;
    limn_text text = {0};
    int label;
    limn_ctx_set_log(ctx, keep_log, NULL);
    write_authors(ctx);
    unlink("dit-authors/imagenet_classes.txt");
    unlink("dit-authors/classes.txt");
    OK(limn_pipeline_open(ctx, "dit-authors/DiT-S-2-64x64.pt", &p));
    expect_label(ctx, p, "207", 207);
    says(ctx, limn_pipeline_label(p, "tench", &label), LIMN_BAD_ARGUMENT,
         "no class \"tench\": it names none, give a number from 0 on");
    limn_pipeline_free(p);
    for (int i = 0; i < 1000; i++) limn_text_printf(&text, i == 207 ? "golden retriever\r\n" : "thing %d\r\n", i);
    write_text("dit-authors/imagenet_classes.txt", text.bytes);
    write_text("dit-authors/classes.txt", "cat\ndog\n");
    *logged = '\0';
    OK(limn_pipeline_open(ctx, "dit-authors/DiT-S-2-64x64.pt", &p));
    assert_non_null(strstr(logged, "names of classes taken: dit-authors/imagenet_classes.txt"));
    expect_label(ctx, p, "golden retriever", 207);
    limn_pipeline_free(p);
    unlink("dit-authors/imagenet_classes.txt");
    *logged = '\0';
    OK(limn_pipeline_open(ctx, "dit-authors/DiT-S-2-64x64.pt", &p));
    assert_non_null(strstr(logged, "classes.txt has 2 lines, and the network 1000 classes"));
    assert_int_equal(limn_pipeline_describe(p).n_class_names, 0);
    limn_pipeline_free(p);
    unlink("dit-authors/classes.txt");
    limn_text_free(&text);
    limn_ctx_free(ctx);
}

/* ---- what goes with it ------------------------------------------------------------------------------------------------ */

static unsigned char *drawn_from(limn_ctx *ctx, const char *model, const char *vae, int width, int height)
{
    limn_pipeline *p;
    limn_generate_options o = options_of(&dit_cases[0]);
    limn_image image;
    OK(limn_pipeline_open_parts(ctx, &(limn_pipeline_parts){.model = model, .vae = vae}, &p));
    o.sampler = "ddim", o.steps = 2, o.width = width, o.height = height;
    OK(limn_generate(p, &o, &image));
    unsigned char *pixels = malloc((size_t)width * (size_t)height * 3);
    memcpy(pixels, image.pixels, (size_t)width * (size_t)height * 3);
    limn_image_free(&image);
    limn_pipeline_free(p);
    return pixels;
}

static void same_picture(limn_ctx *ctx, const char *a, const char *b, const char *vae, int width, int height)
{
    unsigned char *x = drawn_from(ctx, a, vae, width, height), *y = drawn_from(ctx, b, vae, width, height);
    if (memcmp(x, y, (size_t)width * (size_t)height * 3)) fail_msg("%s draws something else than %s", b, a);
    free(x);
    free(y);
}

static void weights_of_16_bits_draw_what_they_say(void **state)
{
    (void)state;
    static const char vae[] = "dit-16/vae.safetensors", a[] = "dit-16/a.safetensors", b[] = "dit-16/b.safetensors";
    limn_ctx *ctx = limn_ctx_new();
    mkdir("dit-16", 0777);
    write_vae(ctx, vae);
    for (int i = 0; i < 4; i++) {
        limn_dtype to = i % 2 ? LIMN_BF16 : LIMN_F16;
        if (i / 2) write_text("dit-16/config.json", CONFIG("1000"));
        write_views(ctx, a, i / 2 == 0, to, false);
        write_views(ctx, b, i / 2 == 0, to, true);
        same_picture(ctx, a, b, vae, 64, 64);
    }
    limn_ctx_free(ctx);
}

/* Both ways, every tensor's bits: of the embedders a copy for each block is written, and one read.  A file goes by whose
 * names it has, so other names are other frequencies. */
static void converted_files_draw_the_same(void **state)
{
    (void)state;
    static const char vae[] = "dit-xl/vae", own[] = "dit-made/own.safetensors";
    static const struct { const char *in, *out, *dialect; } rows[] = {
        {own, "dit-made/diffusers.safetensors", "diffusers"},
        {"dit-made/diffusers.safetensors", "dit-made/again.safetensors", "original"}};
    limn_ctx *ctx = limn_ctx_new();
    limn_weight_file *st;
    mkdir("dit-made", 0777);
    limn_ctx_set_log(ctx, keep_log, NULL);
    *logged = '\0';
    write_folder(ctx);
    write_text("dit-made/config.json", "{\"sample_size\": 8}");
    write_views(ctx, own, true, LIMN_F32, false);
    for (size_t i = 0; i < 2; i++)
        OK(limn_convert_file(ctx, rows[i].in, rows[i].out, &(limn_convert_options){.dialect = rows[i].dialect}));
    assert_non_null(strstr(logged, "DiT, as DiT (diffusers), and so drawn with other frequencies of timesteps"));
    same_picture(ctx, own, "dit-made/again.safetensors", vae, 64, 64);
    same_picture(ctx, "dit-xl", "dit-made/diffusers.safetensors", vae, 64, 64);
    OK(limn_weight_file_open(ctx, "dit-made/diffusers.safetensors", &st));
    assert_int_equal(limn_weight_file_count(st), TENSORS);
    for (size_t i = 0; i < TENSORS; i++) {
        const limn_entry *e = limn_weight_file_find(st, dit_tensors[i].name);
        size_t n = (size_t)count_of(&dit_tensors[i]);
        if (!e || limn_entry_count(e) != n) fail_msg("%s is not as it was", dit_tensors[i].name);
        float *x = malloc(2 * n * sizeof *x);
        OK(limn_weight_file_load(ctx, st, e, x, LIMN_F32));
        fill(&dit_tensors[i], x + n);
        assert_memory_equal(x, x + n, n * sizeof *x);
        free(x);
    }
    limn_weight_file_close(st);
    OK(limn_convert_file(ctx, own, "dit-made/made.gguf", &(limn_convert_options){.type = "f32"}));
    same_picture(ctx, own, "dit-made/made.gguf", vae, 64, 64);
    limn_ctx_free(ctx);
}

static limn_status open_status(limn_ctx *ctx, const char *file)
{
    limn_pipeline *p;
    limn_status status = limn_pipeline_open(ctx, file, &p);
    limn_pipeline_free(p);
    return status;
}

static void refused(limn_ctx *ctx, const char *file, const char *text, const char *words)
{
    write_text(file, text);
    says(ctx, open_status(ctx, "dit-xl"), LIMN_BAD_FILE, words);
}

static void what_does_not_belong_together_is_a_sentence(void **state)
{
    (void)state;
    static const char index[] = "dit-xl/model_index.json", config[] = "dit-xl/transformer/config.json";
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p;
    limn_image image;
    limn_ctx_set_log(ctx, keep_log, NULL);
    write_folder(ctx);
    refused(ctx, index, INDEX("{\"1000\": \"nothing\"}"), "id2label: \"1000\" is none of them, and the network has the "
            "classes 0 to 999");
    refused(ctx, index, INDEX("{\"-1\": \"nothing\"}"), "id2label: \"-1\" is none of them");
    refused(ctx, index, INDEX("{\"seven\": \"nothing\"}"), "id2label: \"seven\" is none of them");
    refused(ctx, index, INDEX("{\"7\": 7}"), "id2label: \"7\" has a name that is no text");
    refused(ctx, index, INDEX("{\"7\": \"a\", \"07\": \"b\"}"), "id2label: \"07\" has a second name");
    refused(ctx, index, INDEX("[\"a\"]"), "id2label: expected an object");
    refused(ctx, index, "{", "model_index.json: line 1");
    *logged = '\0';
    write_text(index, INDEX("{\"0\": \"tench\", \"2\": \"great white shark\"}"));
    OK(limn_pipeline_open(ctx, "dit-xl", &p));
    assert_non_null(strstr(logged, "id2label has names for 2 of 1000 classes; the first without one is 1"));
    expect_label(ctx, p, "great white shark", 2);
    expect_label(ctx, p, "1", 1);
    limn_pipeline_free(p);
    write_text(index, "{\"_class_name\": \"DiTPipeline\"}");
    assert_int_equal(open_status(ctx, "dit-xl"), LIMN_OK);
    write_index();
    refused(ctx, config, CONFIG("999"), "config.json beside it says num_embeds_ada_norm 999, and its tensors have 1000");
    write_text(config, CONFIG("1000"));

    OK(limn_pipeline_open(ctx, "dit-xl", &p));
    limn_generate_options o = options_of(&dit_cases[0]);
    o.label = 1001;
    says(ctx, limn_generate(p, &o, &image), LIMN_BAD_ARGUMENT,
         "expected a class from 0 to 999, or 1000 for none, found 1001");
    o.label = 207, o.width = 72;
    says(ctx, limn_generate(p, &o, &image), LIMN_BAD_ARGUMENT, "the width must be a multiple of 8, for its latents a "
         "multiple of patch, found 72; the nearest is 80");
    limn_pipeline_free(p);
    rename("dit-xl/vae", "dit-xl/other");
    OK(limn_pipeline_open(ctx, "dit-xl", &p));
    o.width = 64;
    says(ctx, limn_generate(p, &o, &image), LIMN_UNSUPPORTED, "an autoencoder must make pictures of it");
    limn_pipeline_free(p);
    rename("dit-xl/other", "dit-xl/vae");
    limn_ctx_free(ctx);
}

/* ---- the program ------------------------------------------------------------------------------------------------------ */

#define LIMN LIMN_BINARY_DIR "/limn "

static void expect(const char *words, int status, const char *expected)
{
    char line[900];
    int code;
    snprintf(line, sizeof line, LIMN "%s", words);
    char *said = run_program(line, "dit-said.txt", &code);
    if (code != status << 8 || !strstr(said, expected)) fail_msg("%s: code %d, %s", words, code >> 8, said);
}

static void shows(const char *words, const char *pattern)
{
    char line[900];
    snprintf(line, sizeof line, LIMN "%s | grep -q -- '%s'", words, pattern);
    if (system(line)) fail_msg("%s does not show %s", words, pattern);
}

/* From either file the same numbers: the losses are the same. */
static void training_sets_out_from_it(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    static const char *const files[] = {"dit-xl/transformer/diffusion_pytorch_model.safetensors",
                                        "dit-authors/DiT-S-2-64x64.pt"};
    char line[600];
    write_folder(ctx);
    write_authors(ctx);
    assert_int_equal(system("rm -rf dit-pictures dit-latents; mkdir -p dit-pictures/a dit-pictures/b"), 0);
    for (int i = 0; i < 2; i++) {
        snprintf(line, sizeof line, "generate -m dit-xl --class %d --steps 1 -o dit-pictures/%c/a.png", i, 'a' + i);
        expect(line, 0, "");
    }
    expect("encode dit-pictures -m dit-xl/vae -o dit-latents --size 64", 0, "");
    for (int i = 0; i < 2; i++) {
        snprintf(line, sizeof line, "train dit-s/2 --set 'size=8 depth=2 classes=1000' --latents dit-latents --schedule "
                 "linear --steps 2 -b 2 --log-every 1 --init %s --out dit-run-%d", files[i], i);
        expect(line, 0, "dit, 6.27 M parameters");
    }
    assert_int_equal(system("cut -d, -f1,2 dit-run-0/log.csv > dit-0.csv; cut -d, -f1,2 dit-run-1/log.csv | cmp -s - "
                            "dit-0.csv && test $(wc -l < dit-0.csv) = 3"), 0);
    limn_ctx_free(ctx);
}

/* By name; what its text says draws it again; sides that are not square. */
static void the_program_takes_what_is_usual(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    write_folder(ctx);
    write_authors(ctx);
    expect("generate -m dit-xl --class 'golden retriever' --steps 2 -o dit-a.png", 0, "memory: denoiser ");
    shows("inspect dit-a.png", "CFG scale: 4, Class: 207, Class name: golden retriever, Seed: 42, Size: 64x64");
    expect("generate --again dit-a.png -m dit-xl -o dit-b.png", 0, "");
    assert_int_equal(system("cmp -s dit-a.png dit-b.png"), 0);
    expect("generate -m dit-xl --class 207 --steps 2 -o dit-b.png", 0, "");
    assert_int_equal(system("cmp -s dit-a.png dit-b.png"), 0);
    expect("generate -m dit-xl --class 208 --steps 2 -o dit-b.png", 0, "");
    assert_int_equal(system("cmp -s dit-a.png dit-b.png") >> 8, 1);
    expect("generate -m dit-xl --class retriever -o dit-c.png", 2, "golden retriever (207), Labrador retriever (208)");
    expect("generate -m dit-xl -W 96 -H 64 --class 980 --steps 2 -o dit-b.png", 0, "");
    expect("generate -m dit-authors/DiT-S-2-64x64.pt -W 64 -H 96 --class 980 --steps 2 -o dit-b.png", 0, "");
    expect("generate -m dit-authors/DiT-S-2-64x64.pt --class 980 --sampling-method ddpm --steps 3 -b 2 -o dit-b.png", 0, "");
    expect("generate -m dit-xl --class 980 --steps 4 -i dit-a.png --strength 0.5 -o dit-b.png", 0, "");
    shows("inspect dit-xl", "published as DiT (diffusers)");
    shows("inspect dit-xl", "classes=1000 learn_sigma=1 as_diffusers=1");
    shows("inspect dit-authors/DiT-S-2-64x64.pt", "classes=1000 learn_sigma=1 as_diffusers=0");
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_draws_what_diffusers_draws),
        cmocka_unit_test(files_of_the_authors_draw_as_their_sampling),
        cmocka_unit_test(class_guidance_seed_and_whose_matter),
        cmocka_unit_test(loras_draw_what_peft_draws),
        cmocka_unit_test(classes_go_by_their_names),
        cmocka_unit_test(names_may_lie_beside_a_file),
        cmocka_unit_test(weights_of_16_bits_draw_what_they_say),
        cmocka_unit_test(converted_files_draw_the_same),
        cmocka_unit_test(what_does_not_belong_together_is_a_sentence),
        cmocka_unit_test(training_sets_out_from_it),
        cmocka_unit_test(the_program_takes_what_is_usual),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
