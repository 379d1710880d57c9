/* test_published.c: pictures from published weights of Stable Diffusion 1 in the forms they are published in: a folder of
 * diffusers, its variants, and a whole checkpoint in one file.  Shrunken networks with weights of a formula; what must come
 * out, text features, latents after every call and pictures, is diffusers' and transformers' own (oracle/sd_pipeline.py). */
#include "file/bytes.h"
#include "file/image.h"
#include "make_published.h"
#include "make_torch.h"
#include "pipeline/sampling.h"

#include <sys/stat.h>
#include <unistd.h>

/* ---- files ------------------------------------------------------------------------------------------------------------ */

/* The tensors of one part, or of all (part NULL, original names); without: a name that is left out. */
static void write_weights(limn_ctx *ctx, const char *path, const char *part, const char *head, const char *without)
{
    static const sd_tensor *tensors[SD_MOST];
    sd_write(ctx, path, sd_take(sd_tensors, SD_TENSORS, part, without, 0, tensors), tensors, part ? head : NULL);
}

static const char pndm[] = SD_PNDM, euler[] = SD_EULER, ddim[] = SD_DDIM, text_config[] = SD_TEXT;

typedef struct form {
    const char *folder, *text, *text_head, *unet, *vae;
    bool merges; /* tokenizer/merges.txt, else tokenizer.json */
} form;

static const form plain_form = {"pub-sd", "model.safetensors", "", "diffusion_pytorch_model.safetensors",
                                "diffusion_pytorch_model.safetensors", true};

static char *at(const form *f, const char *inside, char out[200])
{
    snprintf(out, 200, "%s/%s", f->folder, inside);
    return out;
}

static void write_tokenizer(limn_ctx *ctx, const form *f)
{
    char path[200], json[200], *bytes;
    size_t n;
    limn_clip_bpe *bpe;
    limn_text text = {0};
    OK(limn_clip_bpe_published(ctx, &bpe));
    OK(limn_clip_bpe_write(ctx, bpe, at(f, "tokenizer/merges.txt", path)));
    limn_clip_bpe_free(bpe);
    if (f->merges) return;
    OK(limn_file_read(ctx, path, 1 << 20, (unsigned char **)&bytes, &n));
    limn_text_printf(&text, "{\"model\": {\"type\": \"BPE\", \"merges\": [");
    for (char *line = strchr(bytes, '\n') + 1, *end; line < bytes + n && (end = strchr(line, '\n')); line = end + 1) {
        limn_text_printf(&text, line == strchr(bytes, '\n') + 1 ? "\"" : ",\"");
        for (; line < end; line++) {
            limn_text_append(&text, "\\", *line == '"' || *line == '\\');
            limn_text_append(&text, line, 1);
        }
        limn_text_append(&text, "\"", 1);
    }
    limn_text_printf(&text, "]}}");
    write_text(at(f, "tokenizer/tokenizer.json", json), text.bytes);
    limn_text_free(&text);
    free(bytes);
    unlink(path);
}

static void write_folder(limn_ctx *ctx, const form *f, const char *scheduler)
{
    static const char *const folders[] = {"", "text_encoder", "unet", "vae", "tokenizer", "scheduler"};
    char path[200], inside[100];
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) mkdir(at(f, folders[i], path), 0777);
    write_text(at(f, "model_index.json", path), "{\"_class_name\": \"StableDiffusionPipeline\"}");
    write_text(at(f, "text_encoder/config.json", path), text_config);
    write_text(at(f, "unet/config.json", path),
               "{\"sample_size\": 8, \"attention_head_dim\": 8, \"norm_num_groups\": 32}");
    write_text(at(f, "vae/config.json", path), SD_VAE);
    write_text(at(f, "scheduler/scheduler_config.json", path), scheduler);
    write_text(at(f, "tokenizer/special_tokens_map.json", path), "{\"pad_token\": {\"content\": \"<|endoftext|>\"}}");
    write_tokenizer(ctx, f);
    snprintf(inside, sizeof inside, "text_encoder/%s", f->text);
    write_weights(ctx, at(f, inside, path), "text_encoder", f->text_head, NULL);
    snprintf(inside, sizeof inside, "unet/%s", f->unet);
    write_weights(ctx, at(f, inside, path), "unet", "", NULL);
    snprintf(inside, sizeof inside, "vae/%s", f->vae);
    write_weights(ctx, at(f, inside, path), "vae", "", NULL);
}

/* ---- comparing -------------------------------------------------------------------------------------------------------- */

static limn_generate_options options_of(const sd_case *c)
{
    limn_generate_options o = limn_generate_defaults();
    o.prompt = c->prompt, o.negative = c->negative, o.width = c->width, o.height = c->height, o.steps = SD_STEPS;
    o.guidance = c->guidance, o.prompt_style = c->style, o.clip_skip = c->skip, o.precision = LIMN_PRECISION_F32;
    return o;
}

static bool differs(const limn_image *image, const sd_case *c)
{
    for (size_t i = 0; i < (size_t)c->width * (size_t)c->height * 3; i++)
        if (sd_off(image, c->picture, i) > 2) return true;
    return false;
}

/* The starting latents that diffusers had: noise, or a latent with noise of the first level. */
static void set_start(limn_sampling *s, const limn_latent *start)
{
    double a, b;
    limn_sampler_level(s->sampler, 0, &a, &b);
    formula_fill("noise", (int64_t)s->size, 2, s->x);
    for (size_t i = 0; i < s->size; i++)
        s->x[i] = (float)(s->o.init_latent ? a * start->values[i] * 0.18215 + b * s->x[i]
                                           : limn_sampler_init_sigma(s->sampler) * s->x[i]);
}

/* ... then call by call. */
static void check_case(limn_ctx *ctx, limn_pipeline *p, const sd_case *c, const char *sampler)
{
    limn_generate_options o = options_of(c);
    limn_latent start;
    limn_sampling *s;
    limn_image image;
    OK(limn_latent_new(ctx, c->height / 8, c->width / 8, 4, &start));
    formula_fill("start", c->height * c->width / 16, 2, start.values);
    for (int i = 0; i < c->height * c->width / 16; i++) start.values[i] /= 0.18215f;
    if (c->strength < 1) o.init_latent = &start, o.strength = c->strength;
    o.sampler = sampler;
    OK(limn_sampling_begin(p, &o, &s));
    assert_int_equal(s->denoiser->job.shape.batch, o.guidance == 1 ? 1 : 2); /* guidance is one batch */
    set_start(s, &start);
    assert_int_equal(limn_sampling_left(s), c->calls);
    for (int k = 0; k < c->calls; k++) {
        OK(limn_sampling_step(s));
        if (!k) {
            float *features = malloc((size_t)c->n_features * sizeof *features);
            OK(limn_run_read(s->denoiser->job.run, s->denoiser->job.ports->features, LIMN_F32, features));
            compare("features of case", (int)(c - sd_cases), (size_t)c->n_features, 13, features, c->features, 1e-5);
            free(features);
        }
        compare("latents of call", k, s->size, 1, s->x, c->latents + (size_t)k * s->size, 1e-4);
    }
    OK(limn_sampling_picture(s, 0, &image));
    sd_compare_picture("the picture", &image, c->width, c->height, c->picture);
    limn_image_free(&image);
    limn_latent_free(&start);
    limn_sampling_end(s);
}

static bool is_scheduler(const sd_case *c, const char *scheduler) { return !strcmp(c->scheduler, scheduler); }

/* ---- tests ------------------------------------------------------------------------------------------------------------ */

static void a_folder_draws_what_diffusers_draws(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    static const char *const kinds[][3] = {{"pndm", pndm, "plms"}, {"euler", euler, "euler"}, {"ddim", ddim, "ddim"}};
    char path[200];
    write_folder(ctx, &plain_form, pndm);
    for (int i = 0; i < 3; i++) {
        limn_pipeline *p;
        write_text(at(&plain_form, "scheduler/scheduler_config.json", path), kinds[i][1]);
        OK(limn_pipeline_open(ctx, "pub-sd", &p));
        assert_string_equal(limn_pipeline_describe(p).sampler, kinds[i][2]);
        assert_int_equal(limn_pipeline_describe(p).width, 64);
        for (int k = 0; k < SD_CASES; k++)
            if (is_scheduler(&sd_cases[k], kinds[i][0])) check_case(ctx, p, &sd_cases[k], NULL);
        limn_pipeline_free(p);
    }
    limn_ctx_free(ctx);
}

/* Descriptors of this process on files of that name. */
static int count_open(const char *name)
{
    char link[300], path[300];
    int n = 0;
    for (int fd = 0; fd < 256; fd++) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(link, path, sizeof path - 1);
        path[length > 0 ? length : 0] = '\0';
        const char *slash = strrchr(path, '/');
        n += slash && strcmp(slash + 1, name) == 0;
    }
    return n;
}

static void a_checkpoint_in_one_file_draws_the_same(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p;
    mkdir("pub-one", 0777);
    write_weights(ctx, "pub-one/v1.safetensors", NULL, "", NULL);
    OK(limn_pipeline_open(ctx, "pub-one/v1.safetensors", &p));
    assert_string_equal(limn_pipeline_describe(p).sampler, "dpm++2m");
    assert_int_equal(limn_pipeline_describe(p).width, 512); /* no config.json says otherwise */
    assert_int_equal(count_open("v1.safetensors"), 1); /* for three networks */
    for (int k = 0; k < SD_CASES; k++)
        if (!is_scheduler(&sd_cases[k], "euler"))
            check_case(ctx, p, &sd_cases[k], is_scheduler(&sd_cases[k], "pndm") ? "plms" : "ddim");
    limn_pipeline_free(p);
    assert_int_equal(count_open("v1.safetensors"), 0);
    limn_ctx_free(ctx);
}

/* Half precision in the names, text encoders as transformers 5 names their tensors, a tokenizer in one file. */
static void variants_and_newer_names_open(void **state)
{
    (void)state;
    static const form newer = {"pub-newer", "model.fp16.safetensors", "text_model.",
                               "diffusion_pytorch_model.fp16.safetensors",
                               "diffusion_pytorch_model.fp16.safetensors", false};
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p;
    write_folder(ctx, &newer, pndm);
    OK(limn_pipeline_open(ctx, "pub-newer", &p));
    check_case(ctx, p, &sd_cases[2], NULL);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* ---- kinds of files --------------------------------------------------------------------------------------------------- */

static void write_bytes(const char *path, const made_bytes *bytes)
{
    FILE *file = fopen(path, "wb");
    assert_int_equal(fwrite(bytes->at, 1, bytes->n, file), bytes->n);
    assert_int_equal(fclose(file), 0);
}

static void write_archive(const char *path, const made_bytes *pickle, const made_bytes *data)
{
    made_bytes whole = {0};
    made_zip z = {0};
    put(&whole, "\x80\2", 2), put(&whole, pickle->at, pickle->n), put_text(&whole, ".");
    zip_add(&z, "archive/data.pkl", whole.at, whole.n);
    zip_add(&z, "archive/data/0", data->at, data->n);
    zip_add(&z, "archive/version", "3\n", 2);
    zip_end(&z);
    write_bytes(path, &z.file);
    zip_free(&z);
    free(whole.at);
}

static void write_old(const char *path, const made_bytes *pickle, uint64_t numel, const made_bytes *data)
{
    made_bytes f = {0};
    old_begin(&f, true, pickle, 1, (const char *const[]){"0"});
    put_number(&f, numel, 8), put(&f, data->at, data->n);
    write_bytes(path, &f);
    free(f.at);
}

/* One storage; raw: what is said to be trained, and is not the EMA; NULL: no EMA.  LitEma's names have no dots.  old: as
 * before torch 1.6. */
static void write_torch(const char *path, size_t n, const limn_named_view *view, const char *under, const char *raw,
                        bool old)
{
    made_bytes p = {0}, data = {0};
    int64_t at = 0, numel = 0;
    for (size_t i = 0; i < n; i++)
        numel += limn_shape_count(&view[i].view.shape) * (1 + (raw && !strncmp(view[i].name, raw, strlen(raw))));
    put_text(&p, "}");
    if (under) pickle_text(&p, under), put_text(&p, "}");
    put_text(&p, "(");
    for (size_t i = 0; i < n; i++) {
        const limn_shape *shape = &view[i].view.shape;
        bool has_ema = raw && !strncmp(view[i].name, raw, strlen(raw));
        for (int ema = 0; ema <= has_ema; ema++) {
            made_tensor t = {.type = "FloatStorage", .key = "0", .numel = numel, .offset = at, .rank = shape->rank};
            char name[300] = "model_ema.", *to = name + strlen(name);
            int64_t step = 1, count = limn_shape_count(shape);
            for (int d = t.rank - 1; d >= 0; d--) t.size[d] = shape->dim[d], t.stride[d] = step, step *= t.size[d];
            for (const char *c = view[i].name + (raw ? strlen(raw) : 0); *c && ema; c++) to += *c != '.' ? (*to = *c, 1) : 0;
            pickle_text(&p, ema ? name : view[i].name);
            if (old) pickle_old_tensor(&p, t, NULL, 0, 0);
            else pickle_tensor(&p, t);
            for (int64_t k = 0; k < count; k++) {
                float x = ((const float *)view[i].view.data)[k] + (has_ema && !ema ? 0.5f : 0);
                put(&data, &x, sizeof x);
            }
            at += count;
        }
    }
    put_text(&p, under ? "us" : "u");
    if (old) write_old(path, &p, (uint64_t)numel, &data);
    else write_archive(path, &p, &data);
    free(p.at);
    free(data.at);
}

typedef enum kind {
    KIND_BIN, KIND_SHARDS, KIND_F16, KIND_BF16, KIND_MIXED, KIND_F16_WIDE, KIND_BF16_WIDE, KIND_MIXED_WIDE
} kind;

/* Rounded to 16 bits, mixed: some to f16, some to bf16, some not; wide: the same numbers in 32. */
static void round_views(size_t n, limn_named_view *view, kind k)
{
    bool wide = k >= KIND_F16_WIDE, mixed = k == KIND_MIXED || k == KIND_MIXED_WIDE;
    for (size_t i = 0; i < n; i++) {
        limn_view *v = &view[i].view;
        limn_dtype to = (mixed ? i % 3 == 0 : k == KIND_F16 || k == KIND_F16_WIDE) ? LIMN_F16 : LIMN_BF16;
        if (mixed && i % 3 == 1) continue;
        size_t count = (size_t)limn_shape_count(&v->shape);
        uint16_t *narrow = malloc(count * sizeof *narrow);
        limn_convert(v->data, LIMN_F32, narrow, to, count);
        if (wide) limn_convert(narrow, to, (void *)(uintptr_t)v->data, LIMN_F32, count), free(narrow);
        else free((void *)(uintptr_t)v->data), v->data = narrow, v->dtype = to;
    }
}

static void write_shards(limn_ctx *ctx, const char *folder, const char *name, size_t n, const limn_named_view *view)
{
    limn_text index = {0};
    char path[300];
    limn_text_printf(&index, "{\"metadata\": {}, \"weight_map\": {");
    for (int k = 0; k < 2; k++) {
        size_t first = k ? n / 3 : 0, last = k ? n : n / 3;
        snprintf(path, sizeof path, "%s/%s-0000%d-of-00002.safetensors", folder, name, k + 1);
        OK(limn_safetensors_write(ctx, path, last - first, view + first, 0, NULL));
        for (size_t i = first; i < last; i++)
            limn_text_printf(&index, "%s\"%s\": \"%s-0000%d-of-00002.safetensors\"", i ? ", " : "", view[i].name, name,
                             k + 1);
    }
    limn_text_printf(&index, "}}");
    snprintf(path, sizeof path, "%s/%s.safetensors.index.json", folder, name);
    write_text(path, index.bytes);
    limn_text_free(&index);
}

/* A folder whose three networks lie in files of this kind. */
static const char *write_kind(limn_ctx *ctx, kind k)
{
    static const char *const folders[] = {"pub-bin", "pub-shards", "pub-f16", "pub-bf16", "pub-mixed",
                                          "pub-f16-wide", "pub-bf16-wide", "pub-mixed-wide"};
    static const char *const parts[][3] = {{"text_encoder", "model", "pytorch_model"},
                                           {"unet", "diffusion_pytorch_model", "diffusion_pytorch_model"},
                                           {"vae", "diffusion_pytorch_model", "diffusion_pytorch_model"}};
    static limn_named_view view[SD_MOST];
    static const sd_tensor *tensors[SD_MOST];
    form f = plain_form;
    char path[300], inside[200];
    f.folder = folders[k];
    write_folder(ctx, &f, pndm);
    for (int i = 0; i < 3; i++) {
        size_t n = sd_take(sd_tensors, SD_TENSORS, parts[i][0], NULL, 0, tensors);
        sd_views(n, tensors, "", view);
        at(&f, parts[i][0], inside);
        snprintf(path, sizeof path, "%s/%s.safetensors", inside, parts[i][1]);
        unlink(path);
        if (k >= KIND_F16) round_views(n, view, k);
        if (k >= KIND_F16) OK(limn_safetensors_write(ctx, path, n, view, 0, NULL));
        if (k == KIND_SHARDS) write_shards(ctx, inside, parts[i][1], n, view);
        snprintf(path, sizeof path, "%s/%s.bin", inside, parts[i][2]);
        if (k == KIND_BIN) write_torch(path, n, view, NULL, NULL, false);
        sd_free(n, view);
    }
    return f.folder;
}

static void folders_of_torch_and_of_shards_draw_the_same(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    for (kind k = KIND_BIN; k <= KIND_SHARDS; k++) {
        limn_pipeline *p;
        OK(limn_pipeline_open(ctx, write_kind(ctx, k), &p));
        check_case(ctx, p, &sd_cases[2], NULL);
        limn_pipeline_free(p);
    }
    limn_pipeline *p;
    unlink("pub-shards/unet/diffusion_pytorch_model-00002-of-00002.safetensors");
    says(ctx, limn_pipeline_open(ctx, "pub-shards", &p), LIMN_NOT_FOUND, "00002-of-00002.safetensors");
    limn_ctx_free(ctx);
}

/* An EMA goes before what it is the mean of, which would draw something else.  Also in the format before torch 1.6. */
static void a_checkpoint_of_torch_draws_with_its_ema(void **state)
{
    (void)state;
    static limn_named_view view[SD_MOST];
    static const sd_tensor *tensors[SD_MOST];
    limn_ctx *ctx = limn_ctx_new();
    size_t n = sd_take(sd_tensors, SD_TENSORS, NULL, NULL, 0, tensors);
    mkdir("pub-one", 0777);
    sd_views(n, tensors, NULL, view);
    for (int i = 0; i < 4; i++) { /* last in an archive */
        limn_pipeline *p;
        write_torch("pub-one/v1.ckpt", n, view, "state_dict", i % 2 ? "model." : NULL, i < 2);
        OK(limn_pipeline_open(ctx, "pub-one/v1.ckpt", &p));
        check_case(ctx, p, &sd_cases[2], "plms");
        limn_pipeline_free(p);
    }
    limn_pipeline *p;
    limn_image image = {0};
    limn_generate_options o = options_of(&sd_cases[2]);
    o.sampler = "plms";
    OK(limn_ctx_set_weights(ctx, "raw"));
    OK(limn_pipeline_open(ctx, "pub-one/v1.ckpt", &p));
    assert_true(limn_generate(p, &o, &image) != LIMN_OK || differs(&image, &sd_cases[2])); /* of raw weights */
    limn_image_free(&image);
    limn_pipeline_free(p);
    sd_free(n, view);
    limn_ctx_free(ctx);
}

static limn_image drawn_from(limn_ctx *ctx, const char *folder)
{
    limn_pipeline *p;
    limn_image image;
    limn_generate_options o = options_of(&sd_cases[2]);
    OK(limn_pipeline_open(ctx, folder, &p));
    OK(limn_generate(p, &o, &image));
    limn_pipeline_free(p);
    return image;
}

/* Weights of 16 bits are what they say, not a digit more or less; also where a file has several types. */
static void weights_of_16_bits_draw_what_they_say(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    for (int k = KIND_F16; k <= KIND_MIXED; k++) {
        limn_image narrow = drawn_from(ctx, write_kind(ctx, (kind)k)),
                   wide = drawn_from(ctx, write_kind(ctx, (kind)(k + KIND_F16_WIDE - KIND_F16)));
        assert_memory_equal(narrow.pixels, wide.pixels, (size_t)wide.width * (size_t)wide.height * 3);
        limn_image_free(&narrow);
        limn_image_free(&wide);
    }
    limn_ctx_free(ctx);
}

/* Mean difference of two pictures. */
static double apart(limn_ctx *ctx, limn_pipeline *p, const limn_generate_options *a, const limn_generate_options *b)
{
    limn_image one, two;
    double sum = 0;
    OK(limn_generate(p, a, &one));
    OK(limn_generate(p, b, &two));
    size_t n = (size_t)one.width * (size_t)one.height * 3;
    for (size_t i = 0; i < n; i++) sum += abs(one.pixels[i] - two.pixels[i]);
    limn_image_free(&one);
    limn_image_free(&two);
    return sum / (double)n;
}

/* torch.manual_seed(42); torch.randn(1, 4, 8, 8) begins with these, channel by channel. */
static void a_seed_is_that_of_diffusers(void **state)
{
    (void)state;
    static const double expected[] = {1.92692, 1.48728, 0.90072, -2.10552};
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p;
    limn_sampling *s;
    limn_generate_options o = options_of(&sd_cases[0]);
    write_folder(ctx, &plain_form, pndm);
    OK(limn_pipeline_open(ctx, "pub-sd", &p));
    OK(limn_sampling_begin(p, &o, &s));
    for (int i = 0; i < 4; i++) assert_true(fabs((double)s->x[4 * i] - expected[i]) < 1e-5);
    limn_sampling_end(s);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

static void the_program_draws_from_it(void **state)
{
    (void)state;
    if (access(LIMN_BINARY_DIR "/limn", X_OK)) skip();
    limn_ctx *ctx = limn_ctx_new();
    limn_image image;
    mkdir("pub-one", 0777);
    write_weights(ctx, "pub-one/v1.safetensors", NULL, "", NULL);
    assert_int_equal(system(LIMN_BINARY_DIR "/limn generate \"a (lighthouse:1.2) BREAK at night\" -m pub-one/v1.safetensors "
                            "--prompt-style a1111 --clip-skip 2 -W 64 -H 40 --steps 2 -q -o pub.png >/dev/null"), 0);
    OK(limn_image_read(ctx, "pub.png", 0, &image));
    assert_true(image.width == 64 && image.height == 40 && image.channels == 3);
    limn_image_free(&image);
    assert_int_not_equal(system("grep -aq 'Clip skip: 2, CFG scale: 7.5, Seed: 42, Size: 64x40' pub.png"), 1);
    assert_int_not_equal(system(LIMN_BINARY_DIR "/limn generate x -m pub-one/v1.safetensors --prompt-style loud -q "
                                "-o pub.png 2>/dev/null"), 0);
    limn_ctx_free(ctx);
}

/* The folder's scheduler is not what --sampling-method makes of its name; styles and clip skip are in the text. */
static void a_picture_is_drawn_again(void **state)
{
    (void)state;
    static const char *const rows[] = {"", "--sampling-method plms", "--prompt-style comfy", "--prompt-style plain -n fog",
                                       "--clip-skip 2 --rng cuda", "--scheduler karras --sampling-method dpm++2m"};
    static const char custom[] = "{\"_class_name\": \"PNDMScheduler\", \"skip_prk_steps\": true, \"beta_start\": 0.001}";
    if (access(LIMN_BINARY_DIR "/limn", X_OK)) skip();
    limn_ctx *ctx = limn_ctx_new();
    char command[600], path[200];
    uint8_t drawn[2][32 * 40 * 3];
    limn_image one, two;
    write_folder(ctx, &plain_form, custom);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(command, sizeof command, LIMN_BINARY_DIR "/limn generate 'a (lighthouse:1.3) [sea] BREAK night' -m pub-sd "
                 "-W 32 -H 40 --steps 3 -s 5 -q -o pub-first.png %s >/dev/null && " LIMN_BINARY_DIR
                 "/limn generate -m pub-sd --again pub-first.png -q -o pub-second.png >/dev/null", rows[i]);
        assert_int_equal(system(command), 0);
        OK(limn_image_read(ctx, "pub-first.png", 0, &one));
        OK(limn_image_read(ctx, "pub-second.png", 0, &two));
        assert_true(two.width == 32 && two.height == 40);
        if (memcmp(one.pixels, two.pixels, 32 * 40 * 3)) fail_msg("drawn again otherwise: %s", rows[i]);
        if (i < 2) memcpy(drawn[i], one.pixels, sizeof drawn[i]);
        limn_image_free(&one);
        limn_image_free(&two);
        if (i) continue; /* of the first, by the folder's own */
        assert_int_not_equal(system("grep -aq 'Sampler: PLMS, Sampler from: scheduler_config.json' pub-first.png"), 1);
        write_text(at(&plain_form, "scheduler/scheduler_config.json", path), ddim);
        assert_int_not_equal(system(LIMN_BINARY_DIR "/limn generate -m pub-sd --again pub-first.png -q -o pub-second.png "
                                    ">/dev/null 2>pub-error.txt"), 0);
        assert_int_not_equal(system("grep -q 'scheduler_config.json says (PLMS)' pub-error.txt"), 1);
        write_text(at(&plain_form, "scheduler/scheduler_config.json", path), custom);
    }
    assert_memory_not_equal(drawn[0], drawn[1], sizeof drawn[0]);
    limn_ctx_free(ctx);
}

static void words_styles_and_starts_matter(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p;
    write_folder(ctx, &plain_form, pndm);
    OK(limn_pipeline_open(ctx, "pub-sd", &p));
    limn_generate_options o = options_of(&sd_cases[0]), other = o;
    o.prompt_style = NULL, other.prompt_style = "a1111"; /* that of published weights */
    assert_true(apart(ctx, p, &o, &other) == 0);
    other.prompt_style = "plain";
    assert_true(apart(ctx, p, &o, &other) > 0.2);
    other = o, other.prompt_style = "comfy";
    assert_true(apart(ctx, p, &o, &other) > 0.2);
    other = o, other.prompt = "a (lighthouse:1.1) at night"; /* what the brackets mean */
    assert_true(apart(ctx, p, &o, &other) == 0);
    other.prompt = "a lighthouse at (night)";
    assert_true(apart(ctx, p, &o, &other) > 0.2);
    other = o, other.negative = "fog";
    assert_true(apart(ctx, p, &o, &other) > 0.2);
    other = o, other.guidance = 3;
    assert_true(apart(ctx, p, &o, &other) > 0.2);
    other = o, other.clip_skip = 2;
    assert_true(apart(ctx, p, &o, &other) > 0.2);
    limn_image start, back;
    OK(limn_generate(p, &o, &start));
    o.init = &start, o.strength = 0, o.seed = 7;
    OK(limn_generate(p, &o, &back));
    assert_memory_equal(back.pixels, start.pixels, (size_t)start.width * (size_t)start.height * 3);
    limn_image_free(&back);
    other = o, o.strength = 0.25, other.strength = 0.75;
    assert_true(apart(ctx, p, &o, &other) > 0.2);
    limn_image_free(&start);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* What is wrong with the file `inside`, once it holds `text`; the folder is written anew before. */
static void refused(limn_ctx *ctx, const char *inside, const char *text, limn_status status, const char *words)
{
    char path[200];
    limn_pipeline *p;
    write_text(at(&plain_form, inside, path), text);
    says(ctx, limn_pipeline_open(ctx, "pub-sd", &p), status, words);
    assert_null(p);
}

static void what_does_not_belong_together_is_a_sentence(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p;
    char path[200];
    write_folder(ctx, &plain_form, pndm);
    refused(ctx, "text_encoder/config.json", "{\"num_hidden_layers\": 12}", LIMN_BAD_FILE, "num_hidden_layers 12");
    refused(ctx, "text_encoder/config.json", "{\"hidden_act\": \"relu\"}", LIMN_UNSUPPORTED, "hidden_act");
    write_text(at(&plain_form, "text_encoder/config.json", path), text_config);
    refused(ctx, "tokenizer/special_tokens_map.json", "{\"pad_token\": \"[PAD]\"}", LIMN_UNSUPPORTED, "found \"[PAD]\"");
    refused(ctx, "tokenizer/special_tokens_map.json", "{", LIMN_BAD_FILE, "special_tokens_map.json: line 1");
    write_text(at(&plain_form, "tokenizer/special_tokens_map.json", path), "{}");
    refused(ctx, "scheduler/scheduler_config.json", "{\"_class_name\": \"NoScheduler\"}", LIMN_UNSUPPORTED,
            "NoScheduler");
    write_text(at(&plain_form, "scheduler/scheduler_config.json", path), pndm);
    refused(ctx, "tokenizer/merges.txt", "#version: 0.2\ni n\n", LIMN_BAD_FILE, "expected 48894 merges");
    unlink(at(&plain_form, "tokenizer/merges.txt", path));
    refused(ctx, "tokenizer/tokenizer.json", "{\"model\": {\"merges\": [[\"i\"]]}}", LIMN_BAD_FILE, "is not two tokens");
    unlink(at(&plain_form, "tokenizer/tokenizer.json", path)); /* then the merges are those that the library holds */
    OK(limn_pipeline_open(ctx, "pub-sd", &p));
    limn_generate_options o = options_of(&sd_cases[0]);
    limn_image image;
    o.prompt_style = "loud";
    says(ctx, limn_generate(p, &o, &image), LIMN_NOT_FOUND, "no prompt style \"loud\"; there are: plain a1111 comfy");
    o = options_of(&sd_cases[0]), o.clip_skip = 4;
    says(ctx, limn_generate(p, &o, &image), LIMN_BAD_ARGUMENT, "expected a clip skip from 1 (all layers) to 3");
    o = options_of(&sd_cases[0]), o.width = 44;
    says(ctx, limn_generate(p, &o, &image), LIMN_BAD_ARGUMENT,
         "a multiple of 8, for its latents, found 44; the nearest is 48");
    limn_pipeline_free(p);
    write_weights(ctx, at(&plain_form, "text_encoder/model.safetensors", path), "vae", "", NULL);
    says(ctx, limn_pipeline_open(ctx, "pub-sd", &p), LIMN_UNSUPPORTED, "holds a vae, expected a text encoder");
    mkdir("pub-one", 0777);
    write_weights(ctx, "pub-one/cut.safetensors", NULL, "", "mid_block.resnets.0.conv1.weight");
    OK(limn_pipeline_open(ctx, "pub-one/cut.safetensors", &p));
    o = options_of(&sd_cases[0]);
    says(ctx, limn_generate(p, &o, &image), LIMN_BAD_FILE, "middle_block.0.in_layers.2.weight");
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* CLIPTextModelWithProjection as the encoder: the whole text is its last token by the projection, of another width. */
static void a_whole_text_is_as_wide_as_its_projection(void **state)
{
    (void)state;
    enum { WIDTH = 64, WHOLE = 24, END = 3 }; /* "a cat" is one token each, behind the begin */
    static const sd_tensor projection = {.name = "text_projection.weight", .rank = 2, .dim = {WHOLE, WIDTH}},
                           *tensors[SD_MOST];
    form f = plain_form;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p;
    limn_shape shape;
    char path[200];
    float *features = malloc(77 * WIDTH * sizeof *features), pooled[WHOLE + 1], *w = sd_values(&projection, &shape);
    f.folder = "pub-whole";
    write_folder(ctx, &f, pndm);
    size_t n = sd_take(sd_tensors, SD_TENSORS, "text_encoder", NULL, 0, tensors);
    tensors[n++] = &projection;
    sd_write(ctx, at(&f, "text_encoder/model.safetensors", path), n, tensors, "");
    OK(limn_pipeline_open(ctx, f.folder, &p));
    limn_pipeline_info info = limn_pipeline_describe(p);
    assert_true(info.text_length == 77 && info.text_width == WIDTH && info.pooled_width == WHOLE);
    pooled[WHOLE] = 1e6f;
    OK(limn_encode_text(p, "a cat", LIMN_PRECISION_F32, features, pooled));
    for (int i = 0; i < WHOLE; i++) {
        double sum = 0;
        for (int k = 0; k < WIDTH; k++) sum += (double)w[i * WIDTH + k] * (double)features[END * WIDTH + k];
        assert_true(fabs(sum - (double)pooled[i]) < 1e-5);
    }
    assert_true(pooled[WHOLE] == 1e6f); /* nothing is written behind it */
    free(features), free(w);
    limn_pipeline_free(p);
    write_weights(ctx, path, "text_encoder", "", NULL); /* without one */
    OK(limn_pipeline_open(ctx, f.folder, &p));
    assert_int_equal(limn_pipeline_describe(p).pooled_width, WIDTH);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_text_is_as_wide_as_its_projection),
        cmocka_unit_test(a_folder_draws_what_diffusers_draws),
        cmocka_unit_test(a_checkpoint_in_one_file_draws_the_same),
        cmocka_unit_test(variants_and_newer_names_open),
        cmocka_unit_test(folders_of_torch_and_of_shards_draw_the_same),
        cmocka_unit_test(a_checkpoint_of_torch_draws_with_its_ema),
        cmocka_unit_test(weights_of_16_bits_draw_what_they_say),
        cmocka_unit_test(a_seed_is_that_of_diffusers),
        cmocka_unit_test(the_program_draws_from_it),
        cmocka_unit_test(a_picture_is_drawn_again),
        cmocka_unit_test(words_styles_and_starts_matter),
        cmocka_unit_test(what_does_not_belong_together_is_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
