/* test_convert.c: limn convert: blocks no worse than others make them, formats and names both ways, what stays as it is, and
 * what ends with a sentence and leaves nothing.  (Names tensor by tensor: test_map.) */
#include "make_gguf.h"
#include "make_published.h"
#include "run_program.h"

#include "file/weight_file.h"
#include "limn/train.h"
#include "vectors/convert.h"
#include "vectors/gguf.h"

#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(table) (sizeof(table) / sizeof *(table))
#define LIMN "OMP_WAIT_POLICY=passive " LIMN_BINARY_DIR "/limn "
#define DIR_ "convert/"

static limn_ctx *ctx;

static int set_up(void **state)
{
    (void)state;
    mkdir("convert", 0777);
    unlink(DIR_ ".y.gguf.partial"); /* of a run that was killed */
    return (ctx = limn_ctx_new()) ? 0 : 1;
}

static int tear_down(void **state)
{
    (void)state;
    limn_ctx_free(ctx);
    return 0;
}

/* ---- help ------------------------------------------------------------------------------------------------------------- */

static limn_status convert(const char *in, const char *out, const char *type, const char *dialect, const char *part)
{
    const limn_convert_options o = {.type = type, .dialect = dialect, .part = part};
    return limn_convert_file(ctx, in, out, &o);
}

static limn_weight_file *open_file(const char *path)
{
    limn_weight_file *st;
    OK(limn_weight_file_open(ctx, path, &st));
    return st;
}

static const limn_entry *find(const limn_weight_file *st, const char *name)
{
    const limn_entry *e = limn_weight_file_find(st, name);
    if (!e) fail_msg("no tensor %s", name);
    return e;
}

/* Its numbers, or its bytes as they are. */
static void *load(const limn_weight_file *st, const limn_entry *e, limn_dtype dtype)
{
    void *x = malloc(limn_dtype_size(dtype, limn_entry_count(e)) + 1);
    OK(limn_weight_file_load(ctx, st, e, x, dtype));
    return x;
}

/* Two files hold the same tensors, bit for bit. */
static void same_tensors(const char *a, const char *b)
{
    limn_weight_file *x = open_file(a), *y = open_file(b);
    assert_int_equal(limn_weight_file_count(x), limn_weight_file_count(y));
    for (size_t i = 0; i < limn_weight_file_count(x); i++) {
        const limn_entry *e = limn_weight_file_get(x, i), *f = find(y, e->name);
        assert_int_equal(e->dtype, f->dtype);
        assert_int_equal(e->rank, f->rank);
        assert_memory_equal(e->dim, f->dim, sizeof e->dim);
        void *p = load(x, e, e->dtype), *q = load(y, f, f->dtype);
        assert_memory_equal(p, q, e->bytes);
        free(p), free(q);
    }
    limn_weight_file_close(x);
    limn_weight_file_close(y);
}

static bool is_there(const char *path) { return access(path, F_OK) == 0; }

/* Nothing begun is left in the folder. */
static void no_partial_file(void)
{
    DIR *dir = opendir("convert");
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));)
        if (strstr(e->d_name, ".partial")) fail_msg("%s is left", e->d_name);
    closedir(dir);
}

static void write_tensors(const char *path, size_t n, const limn_named_view *view)
{
    static const char *const metadata[][2] = {{"author", "A. U. Thor"}, {"license", "CC0"}, {"limn.settings", "none"}};
    OK(limn_safetensors_write(ctx, path, n, view, COUNT(metadata), metadata));
}

/* ---- blocks ----------------------------------------------------------------------------------------------------------- */

static void fill_matrix(float x[BLOCK_ROWS * BLOCK_COLS])
{
    static float b[BLOCK_ROWS * BLOCK_COLS];
    formula_fill("a", BLOCK_ROWS * BLOCK_COLS, 1, x);
    formula_fill("b", BLOCK_ROWS * BLOCK_COLS, 1, b);
    for (int i = 0; i < BLOCK_ROWS * BLOCK_COLS; i++) x[i] *= b[i] * ldexpf(1, i / BLOCK_COLS % 5 - 2);
}

static void blocks_are_no_worse_than_those_of_others(void **state)
{
    (void)state;
    static float x[BLOCK_ROWS * BLOCK_COLS], bias[BLOCK_COLS];
    fill_matrix(x);
    const limn_named_view view[] = {{"m.weight", {LIMN_F32, LIMN_SHAPE(BLOCK_ROWS, BLOCK_COLS), x}},
                                    {"m.bias", {LIMN_F32, LIMN_SHAPE(BLOCK_COLS), bias}}};
    write_tensors(DIR_ "m.safetensors", 2, view);
    for (size_t k = 0; k < COUNT(block_errors); k++) {
        OK(convert(DIR_ "m.safetensors", DIR_ "m.gguf", block_errors[k].type, NULL, NULL));
        limn_weight_file *st = open_file(DIR_ "m.gguf");
        const limn_entry *e = find(st, "m.weight");
        assert_string_equal(limn_dtype_name(e->dtype), block_errors[k].type);
        assert_int_equal(find(st, "m.bias")->dtype, LIMN_F32);
        assert_string_equal(limn_weight_file_metadata(st, "author"), "A. U. Thor");
        assert_string_equal(limn_weight_file_metadata(st, "limn.settings"), "none");
        float *y = load(st, e, LIMN_F32);
        double error = 0, most = 1.02 * 1.02 * block_errors[k].ggml;
        for (int i = 0; i < BLOCK_ROWS * BLOCK_COLS; i++) error += pow((double)y[i] - (double)x[i], 2);
        if (error > most || (block_errors[k].gguf > 0 && error > block_errors[k].gguf * (1 + 1e-8)))
            fail_msg("%s: squares of %g, ggml's %g, gguf's %g", block_errors[k].type, error, block_errors[k].ggml,
                     block_errors[k].gguf);
        unsigned char *bytes = load(st, e, e->dtype);
        uint32_t hash = 2166136261u;
        for (size_t i = 0; i < e->bytes; i++) hash = (hash ^ bytes[i]) * 16777619u;
        if (e->dtype == LIMN_Q8_0) assert_int_equal(hash, q8_0_hash);
        free(y), free(bytes);
        limn_weight_file_close(st);
    }
}

/* What a few levels hold exactly comes back exactly, whatever its sign; zeros are zeros. */
static void few_numbers_come_back(void **state)
{
    (void)state;
    static const struct { limn_dtype type; float most; int low, levels; } cases[] = {
        {LIMN_Q4_0, 1, -3, 7}, {LIMN_Q4_1, 1, 5, 16},  {LIMN_Q5_0, 1, -15, 31}, {LIMN_Q5_1, 1, -9, 32},
        {LIMN_Q3_K, 1, -3, 7}, {LIMN_Q4_K, 1, 0, 16},  {LIMN_Q5_K, 1, 0, 32},   {LIMN_Q6_K, 1, -31, 63},
        {LIMN_Q2_K, 1, 0, 4},  {LIMN_Q8_0, 1, -127, 255}};
    for (size_t k = 0; k < COUNT(cases); k++)
        for (int zero = 0; zero < 2; zero++) {
            float x[512], y[512];
            unsigned char blocks[2048];
            for (int i = 0; i < 512; i++) {
                int level = i % 16 == 0 ? 0 : i % 16 == 1 ? cases[k].levels - 1 : i * 7 % cases[k].levels;
                x[i] = zero ? 0 : 0.25f * (float)(cases[k].low + level);
            }
            if (cases[k].type == LIMN_Q8_0 || cases[k].levels > 16)
                for (int i = 0; i < 512 && !zero; i += 16) x[i + 2] = 0.25f * (float)(cases[k].low + cases[k].levels - 1);
            limn_convert(x, LIMN_F32, blocks, cases[k].type, 512);
            limn_convert(blocks, cases[k].type, y, LIMN_F32, 512);
            for (int i = 0; i < 512; i++)
                if (!(fabsf(x[i] - y[i]) <= 2e-3f * fabsf(x[i])))
                    fail_msg("%s: number %d, %g, comes back as %g", limn_dtype_name(cases[k].type), i, (double)x[i],
                             (double)y[i]);
        }
}

/* Blocks of random bits, of every type in one file: the same bits in the next. */
static void the_same_type_keeps_its_bytes(void **state)
{
    (void)state;
#define CASE(type, number, name) {type, number, sizeof name##_blocks, sizeof name##_numbers / 4, name##_blocks}
    static const struct { limn_dtype type; uint32_t number; size_t bytes, n; const unsigned char *blocks; } cases[] = {
        CASE(LIMN_Q8_0, 8, q8_0), CASE(LIMN_Q4_0, 2, q4_0), CASE(LIMN_Q4_1, 3, q4_1), CASE(LIMN_Q5_0, 6, q5_0),
        CASE(LIMN_Q5_1, 7, q5_1), CASE(LIMN_IQ4_NL, 20, iq4_nl), CASE(LIMN_Q2_K, 10, q2_k), CASE(LIMN_Q3_K, 11, q3_k),
        CASE(LIMN_Q4_K, 12, q4_k), CASE(LIMN_Q5_K, 13, q5_k), CASE(LIMN_Q6_K, 14, q6_k)};
    gguf_bytes g = {0}, data = {0};
    gguf_head(&g, 3, COUNT(cases), 2);
    gguf_string(&g, "general.architecture", "sd1");
    gguf_string(&g, "general.license", "CC BY 4.0 caf\u00e9");
    for (size_t k = 0; k < COUNT(cases); k++) {
        const uint64_t dim[2] = {cases[k].n, 1};
        gguf_tensor(&g, limn_dtype_name(cases[k].type), 2, dim, cases[k].number, data.n);
        gguf_put(&data, cases[k].blocks, cases[k].bytes);
        gguf_pad(&data, 32);
    }
    gguf_pad(&g, 32);
    gguf_put(&g, data.bytes, data.n);
    FILE *file = fopen(DIR_ "bits.gguf", "wb");
    assert_true(file && fwrite(g.bytes, 1, g.n, file) == g.n && fclose(file) == 0);
    OK(convert(DIR_ "bits.gguf", DIR_ "again.gguf", NULL, NULL, NULL));
    same_tensors(DIR_ "bits.gguf", DIR_ "again.gguf");
    limn_weight_file *st = open_file(DIR_ "again.gguf");
    assert_string_equal(limn_weight_file_metadata(st, "general.license"), "CC BY 4.0 caf\u00e9");
    assert_string_equal(limn_weight_file_metadata(st, "general.architecture"), "sd1");
    limn_weight_file_close(st);
    OK(convert(DIR_ "bits.gguf", DIR_ "wide.safetensors", "f32", NULL, NULL));
    st = open_file(DIR_ "wide.safetensors");
    float *x = load(st, find(st, "q4_k"), LIMN_F32);
    assert_memory_equal(x, q4_k_numbers, sizeof q4_k_numbers);
    free(x);
    limn_weight_file_close(st);
    says(ctx, convert(DIR_ "bits.gguf", DIR_ "narrow.safetensors", NULL, NULL, NULL), LIMN_BAD_ARGUMENT, "say --type f16");
    assert_false(is_there(DIR_ "narrow.safetensors"));
    free(g.bytes), free(data.bytes);
}

/* ---- types ------------------------------------------------------------------------------------------------------------ */

/* A tensor of each kind, from one memory of zeros and ones. */
static limn_named_view kinds[] = {{"a.weight", {LIMN_F32, {2, {4, 64}}, NULL}},
                                  {"a.bias", {LIMN_F32, {1, {64}}, NULL}},
                                  {"conv.weight", {LIMN_F32, {4, {4, 8, 3, 3}}, NULL}},
                                  {"odd.weight", {LIMN_BF16, {2, {4, 33}}, NULL}},
                                  {"token_embedding.weight", {LIMN_F32, {2, {8, 64}}, NULL}},
                                  {"time_embed.0.weight", {LIMN_F16, {2, {8, 64}}, NULL}},
                                  {"norm.weight", {LIMN_F64, {1, {32}}, NULL}},
                                  {"blocks.0.scale_shift_table", {LIMN_F32, {2, {6, 64}}, NULL}},
                                  {"ids", {LIMN_I64, {2, {1, 7}}, NULL}},
                                  {"scalar", {LIMN_F32, {0, {0}}, NULL}}};

static void tensors_that_blocks_do_not_suit(void **state)
{
    (void)state;
    static unsigned char zeros[8192];
    static const limn_dtype blocks[] = {LIMN_Q4_0, LIMN_F32, LIMN_F16, LIMN_BF16, LIMN_F16, LIMN_F16, LIMN_F32, LIMN_F16,
                                        LIMN_I64,  LIMN_F32};
    for (size_t i = 0; i < COUNT(kinds); i++) kinds[i].view.data = zeros;
    write_tensors(DIR_ "kinds.safetensors", COUNT(kinds), kinds);
    OK(convert(DIR_ "kinds.safetensors", DIR_ "kinds.gguf", "Q4_0", NULL, NULL));
    limn_weight_file *st = open_file(DIR_ "kinds.gguf");
    for (size_t i = 0; i < COUNT(kinds); i++) assert_int_equal(find(st, kinds[i].name)->dtype, blocks[i]);
    limn_weight_file_close(st);
    OK(convert(DIR_ "kinds.safetensors", DIR_ "half.sft", "f16", NULL, NULL));
    st = open_file(DIR_ "half.sft");
    for (size_t i = 0; i < COUNT(kinds); i++)
        assert_int_equal(find(st, kinds[i].name)->dtype, kinds[i].view.dtype == LIMN_I64 ? LIMN_I64 : LIMN_F16);
    bool known;
    OK(limn_weight_file_check(ctx, st, &known));
    assert_true(known);
    assert_string_equal(limn_weight_file_metadata(st, "license"), "CC0");
    assert_string_equal(limn_weight_file_metadata(st, "format"), "pt");
    limn_weight_file_close(st);
    OK(convert(DIR_ "kinds.safetensors", DIR_ "kept.gguf", NULL, NULL, NULL));
    OK(convert(DIR_ "kept.gguf", DIR_ "kept.safetensors", NULL, NULL, NULL));
    same_tensors(DIR_ "kinds.safetensors", DIR_ "kept.safetensors");
}

/* 8-bit floats that are stored divided: multiplied once, and what they were divided by is gone. */
static void scaled_floats_of_8_bits(void **state)
{
    (void)state;
    unsigned char bytes[64];
    float scale = 0.5f;
    for (int i = 0; i < 64; i++) bytes[i] = (unsigned char)(i * 3 % 120);
    const limn_named_view view[] = {{"l.weight", {LIMN_F8_E4M3, LIMN_SHAPE(2, 32), bytes}},
                                    {"l.scale_weight", {LIMN_F32, LIMN_SHAPE(1), &scale}},
                                    {"scaled_fp8", {LIMN_F8_E4M3, LIMN_SHAPE(2), bytes}},
                                    {"plain.weight", {LIMN_F8_E4M3, LIMN_SHAPE(2, 32), bytes}}};
    write_tensors(DIR_ "f8.safetensors", COUNT(view), view);
    OK(convert(DIR_ "f8.safetensors", DIR_ "f8.gguf", NULL, NULL, NULL));
    limn_weight_file *st = open_file(DIR_ "f8.gguf");
    assert_int_equal(limn_weight_file_count(st), 2);
    assert_int_equal(find(st, "plain.weight")->dtype, LIMN_F16);
    float *a = load(st, find(st, "l.weight"), LIMN_F32), *b = load(st, find(st, "plain.weight"), LIMN_F32);
    for (int i = 0; i < 64; i++) assert_true(a[i] == 0.5f * b[i]);
    assert_true(b[1] != 0);
    free(a), free(b);
    limn_weight_file_close(st);
}

/* ---- networks --------------------------------------------------------------------------------------------------------- */

enum { PIXELS = 64 * 40 * 3 };

static unsigned char *drawn(const char *model)
{
    limn_generate_options o = limn_generate_defaults();
    limn_image image;
    limn_pipeline *p;
    unsigned char *pixels = malloc(PIXELS);
    o.prompt = "a lighthouse", o.width = 64, o.height = 40, o.steps = 2, o.precision = LIMN_PRECISION_F32;
    OK(limn_pipeline_open(ctx, model, &p));
    OK(limn_generate(p, &o, &image));
    memcpy(pixels, image.pixels, PIXELS);
    limn_image_free(&image);
    limn_pipeline_free(p);
    return pixels;
}

static void write_checkpoint(const char *path)
{
    static const sd_tensor *all[SD_MOST];
    sd_write(ctx, path, sd_take(sd_tensors, SD_TENSORS, NULL, NULL, 0, all), all, NULL);
}

/* The tensors of a part are there under the names that diffusers gave them, and no others. */
static void is_part(const char *path, const char *part, const char *head)
{
    limn_weight_file *st = open_file(path);
    size_t n = 0;
    for (size_t i = 0; i < SD_TENSORS; i++) {
        const sd_tensor *t = &sd_tensors[i];
        limn_shape shape;
        if (strcmp(t->part, part)) continue;
        n++;
        const limn_entry *e = find(st, t->name + (strncmp(t->name, head, strlen(head)) ? 0 : strlen(head)));
        float *x = load(st, e, LIMN_F32), *want = sd_values(t, &shape);
        assert_int_equal(e->rank, shape.rank);
        assert_memory_equal(e->dim, shape.dim, (size_t)shape.rank * sizeof *e->dim);
        assert_memory_equal(x, want, limn_entry_count(e) * sizeof *x);
        free(x), free(want);
    }
    assert_int_equal(limn_weight_file_count(st), n);
    limn_weight_file_close(st);
}

static void a_checkpoint_becomes_its_parts_and_they_a_checkpoint(void **state)
{
    (void)state;
    static const char *const folders[] = {DIR_ "sd", DIR_ "sd/unet", DIR_ "sd/vae", DIR_ "sd/text_encoder"};
    for (size_t i = 0; i < COUNT(folders); i++) mkdir(folders[i], 0777);
    write_checkpoint(DIR_ "v1.safetensors");
    OK(convert(DIR_ "v1.safetensors", DIR_ "sd/unet/diffusion_pytorch_model.safetensors", NULL, "diffusers", "denoiser"));
    OK(convert(DIR_ "v1.safetensors", DIR_ "sd/vae/diffusion_pytorch_model.safetensors", NULL, "diffusers", "vae"));
    OK(convert(DIR_ "v1.safetensors", DIR_ "sd/text_encoder/model.safetensors", NULL, "diffusers", "text"));
    OK(convert(DIR_ "v1.safetensors", DIR_ "text5.safetensors", NULL, "transformers-5", "text"));
    is_part(DIR_ "sd/unet/diffusion_pytorch_model.safetensors", "unet", "");
    is_part(DIR_ "sd/vae/diffusion_pytorch_model.safetensors", "vae", "");
    is_part(DIR_ "sd/text_encoder/model.safetensors", "text_encoder", "");
    is_part(DIR_ "text5.safetensors", "text_encoder", "text_model.");
    OK(convert(DIR_ "sd", DIR_ "one.safetensors", NULL, "original", NULL));
    OK(convert(DIR_ "v1.safetensors", DIR_ "networks.safetensors", NULL, "original", NULL)); /* without alphas_cumprod */
    same_tensors(DIR_ "one.safetensors", DIR_ "networks.safetensors");
    says(ctx, convert(DIR_ "sd", DIR_ "x.safetensors", "f16", NULL, NULL), LIMN_BAD_ARGUMENT, "--dialect original");
}

/* Networks of limn train keep names and settings, and get no names under which nobody could know them. */
static void own_networks_keep_their_settings(void **state)
{
    (void)state;
    static const char own[] = DIR_ "own/model.safetensors";
    limn_train_options o = limn_train_defaults();
    o.network = "vae size=32 latent=4 base=32 levels=3 mult3=4 layers=1 attention=0", o.data = "shapes", o.out = DIR_ "own";
    o.n_shapes = o.batch = 1, o.steps = 1;
    OK(limn_train(ctx, &o));
    OK(convert(own, DIR_ "vae.safetensors", NULL, "diffusers", NULL));
    same_tensors(own, DIR_ "vae.safetensors");
    limn_weight_file *a = open_file(own), *b = open_file(DIR_ "vae.safetensors");
    assert_string_equal(limn_weight_file_metadata(a, "limn.settings"), limn_weight_file_metadata(b, "limn.settings"));
    limn_weight_file_close(a);
    limn_weight_file_close(b);
    says(ctx, convert(own, DIR_ "no.safetensors", NULL, "original", NULL), LIMN_UNSUPPORTED, "no such names");
    says(ctx, convert(LIMN_SOURCE_DIR "/models/emoji/model.safetensors", DIR_ "no.safetensors", NULL, "diffusers", NULL),
         LIMN_UNSUPPORTED, "no published names");
}

static void converted_files_draw_the_same(void **state)
{
    (void)state;
    static const struct { const char *out, *type, *dialect; } cases[] = {
        {DIR_ "same.gguf", "f32", NULL},
        {DIR_ "same.safetensors", NULL, "original"},
        {DIR_ "other.gguf", NULL, "diffusers"}};
    write_checkpoint(DIR_ "v1.safetensors");
    unsigned char *want = drawn(DIR_ "v1.safetensors");
    for (size_t i = 0; i < COUNT(cases); i++) {
        OK(convert(DIR_ "v1.safetensors", cases[i].out, cases[i].type, cases[i].dialect, NULL));
        unsigned char *found = drawn(cases[i].out);
        assert_memory_equal(found, want, PIXELS);
        free(found);
    }
    OK(convert(DIR_ "v1.safetensors", DIR_ "half.safetensors", "f16", NULL, NULL));
    OK(convert(DIR_ "half.safetensors", DIR_ "half.gguf", NULL, NULL, NULL));
    unsigned char *a = drawn(DIR_ "half.safetensors"), *b = drawn(DIR_ "half.gguf");
    assert_memory_equal(a, b, PIXELS);
    free(a), free(b);
    OK(convert(DIR_ "v1.safetensors", DIR_ "q8.gguf", "q8_0", NULL, NULL));
    unsigned char *near = drawn(DIR_ "q8.gguf");
    double off = 0;
    for (int i = 0; i < PIXELS; i++) off += abs(near[i] - want[i]);
    assert_true(off > 0 && off / PIXELS < 4);
    free(near), free(want);
}

/* ---- what cannot be --------------------------------------------------------------------------------------------------- */

static void what_cannot_be_is_a_sentence(void **state)
{
    (void)state;
    float x[64] = {0};
    uint8_t u[4] = {0};
    limn_named_view view = {"a.weight", {LIMN_F32, LIMN_SHAPE(2, 32), x}};
    write_tensors(DIR_ "x.safetensors", 1, &view);
    unlink(DIR_ "y.gguf"), unlink(DIR_ "link.safetensors");
    assert_int_equal(symlink("x.safetensors", DIR_ "link.safetensors"), 0);
    says(ctx, convert(DIR_ "x.safetensors", DIR_ "x.safetensors", "f16", NULL, NULL), LIMN_BAD_ARGUMENT, "would overwrite");
    says(ctx, convert(DIR_ "x.safetensors", DIR_ "link.safetensors", "f16", NULL, NULL), LIMN_BAD_ARGUMENT,
         "would overwrite");
    says(ctx, convert(DIR_ "link.safetensors", DIR_ "../convert/x.safetensors", NULL, NULL, NULL), LIMN_BAD_ARGUMENT,
         "would overwrite");
    says(ctx, convert(DIR_ "x.safetensors", DIR_ "y.gguf", "q9", NULL, NULL), LIMN_BAD_ARGUMENT, "--type is one of f32, ");
    says(ctx, convert(DIR_ "x.safetensors", DIR_ "y.safetensors", "q8_0", NULL, NULL), LIMN_BAD_ARGUMENT,
         "or write a .gguf");
    says(ctx, convert(DIR_ "x.safetensors", DIR_ "y.bin", "f16", NULL, NULL), LIMN_BAD_ARGUMENT, "must end in");
    says(ctx, convert(DIR_ "x.safetensors", "convert", "f16", NULL, NULL), LIMN_BAD_ARGUMENT, "is a folder");
    says(ctx, convert(DIR_ "x.safetensors", DIR_ "no/y.gguf", "f16", NULL, NULL), LIMN_NOT_FOUND, "there is no folder");
    says(ctx, convert(DIR_ "no.safetensors", DIR_ "y.gguf", "f16", NULL, NULL), LIMN_NOT_FOUND, "no.safetensors");
    says(ctx, convert(DIR_ "x.safetensors", DIR_ "y.gguf", NULL, "kohya", NULL), LIMN_BAD_ARGUMENT, "--dialect is one of");
    says(ctx, convert(DIR_ "x.safetensors", DIR_ "y.gguf", NULL, NULL, "unet"), LIMN_BAD_ARGUMENT, "--part is one of");
    says(ctx, convert(DIR_ "x.safetensors", DIR_ "y.gguf", NULL, "original", NULL), LIMN_BAD_FILE, "no known network");
    says(ctx, convert(DIR_ "kinds.gguf", DIR_ "y.gguf", NULL, "original", NULL), LIMN_BAD_FILE, "no known network");
    x[33] = NAN;
    write_tensors(DIR_ "x.safetensors", 1, &view);
    says(ctx, convert(DIR_ "x.safetensors", DIR_ "y.gguf", "q4_0", NULL, NULL), LIMN_BAD_FILE,
         "\"a.weight\": element 33 is nan");
    OK(convert(DIR_ "x.safetensors", DIR_ "nan.gguf", "f16", NULL, NULL));
    x[33] = 1e5f;
    write_tensors(DIR_ "x.safetensors", 1, &view);
    says(ctx, convert(DIR_ "x.safetensors", DIR_ "y.gguf", "f16", NULL, NULL), LIMN_BAD_FILE, "which f16 does not hold");
    says(ctx, convert(DIR_ "x.safetensors", DIR_ "y.gguf", "q8_0", NULL, NULL), LIMN_BAD_FILE, "which q8_0 does not hold");
    OK(convert(DIR_ "x.safetensors", DIR_ "large.gguf", "bf16", NULL, NULL));
    view.view = (limn_view){LIMN_U8, LIMN_SHAPE(4), u};
    write_tensors(DIR_ "x.safetensors", 1, &view);
    says(ctx, convert(DIR_ "x.safetensors", DIR_ "y.gguf", NULL, NULL, NULL), LIMN_BAD_ARGUMENT, "which GGUF does not have");
    static const char long_name[] = "0123456789012345678901234567890123456789012345678901234567890123"
                                    "0123456789012345678901234567890123456789012345678901234567890123.weight";
    view = (limn_named_view){long_name, {LIMN_F32, LIMN_SHAPE(64), x}};
    write_tensors(DIR_ "x.safetensors", 1, &view);
    says(ctx, convert(DIR_ "x.safetensors", DIR_ "y.gguf", NULL, NULL, NULL), LIMN_BAD_ARGUMENT, "1 to 127 bytes");
    assert_false(is_there(DIR_ "y.gguf"));
    no_partial_file();
}

/* A file that ends before its last tensor does, or is no file of weights. */
static void damaged_files(void **state)
{
    (void)state;
    static float x[1 << 16];
    limn_named_view view = {"a.weight", {LIMN_F32, LIMN_SHAPE(64, 1024), x}};
    write_tensors(DIR_ "cut.safetensors", 1, &view);
    assert_int_equal(truncate(DIR_ "cut.safetensors", 200000), 0);
    unlink(DIR_ "y.gguf");
    assert_int_equal(convert(DIR_ "cut.safetensors", DIR_ "y.gguf", "q8_0", NULL, NULL), LIMN_BAD_FILE);
    write_text(DIR_ "text.safetensors", "these are no weights at all, only words");
    assert_int_equal(convert(DIR_ "text.safetensors", DIR_ "y.gguf", "q8_0", NULL, NULL), LIMN_BAD_FILE);
    assert_int_equal(convert(DIR_ "text.safetensors", DIR_ "y.gguf", NULL, "original", NULL), LIMN_BAD_FILE);
    assert_false(is_there(DIR_ "y.gguf"));
    no_partial_file();
}

/* ---- the program ------------------------------------------------------------------------------------------------------ */

/* One tensor of n MB that takes no room on the disk. */
static void write_sparse(const char *path, int megabytes)
{
    char header[200];
    long long bytes = (long long)megabytes << 20;
    int n = snprintf(header + 8, sizeof header - 8, "{\"a.weight\":{\"dtype\":\"F32\",\"shape\":[%d,262144],"
                     "\"data_offsets\":[0,%lld]}}", megabytes, bytes);
    for (int i = 0; i < 8; i++) header[i] = (char)((long long)n >> 8 * i);
    FILE *file = fopen(path, "wb");
    assert_true(file && fwrite(header, 1, (size_t)n + 8, file) == (size_t)n + 8 && fclose(file) == 0);
    assert_int_equal(truncate(path, bytes + n + 8), 0);
}

static char *run(const char *command, int *code) { return run_program(command, "convert-said.txt", code); }

static void a_full_disk_leaves_nothing(void **state)
{
    (void)state;
    int code;
    write_sparse(DIR_ "sparse.safetensors", 8);
    unlink(DIR_ "y.gguf");
    const char *said = run("ulimit -f 64; " LIMN "convert " DIR_ "sparse.safetensors " DIR_ "y.gguf --type f16 -q", &code);
    assert_true(WIFEXITED(code) && WEXITSTATUS(code) == 1);
    if (!strstr(said, "y.gguf: cannot write: ")) fail_msg("%s", said);
    assert_false(is_there(DIR_ "y.gguf"));
    no_partial_file();
}

/* limn convert, in a process of its own. */
static pid_t begin_program(const char *type)
{
    fflush(NULL);
    pid_t child = fork();
    if (child) return child;
    if (!freopen("/dev/null", "w", stderr) || !freopen("/dev/null", "w", stdout)) _exit(3);
    execl(LIMN_BINARY_DIR "/limn", "limn", "convert", DIR_ "sparse.safetensors", DIR_ "y.gguf", "--type", type, NULL);
    _exit(3);
}

/* Its most resident memory so far, in KB; 0 when it has ended.  What wait4() tells holds that of the program that forked. */
static long most_resident(pid_t child)
{
    char line[256];
    long most = 0;
    snprintf(line, sizeof line, "/proc/%d/status", (int)child);
    FILE *file = fopen(line, "r");
    while (file && fgets(line, sizeof line, file)) sscanf(line, "VmHWM: %ld", &most);
    if (file) fclose(file);
    return most;
}

static void large_files_take_little_memory(void **state)
{
    (void)state;
    int code;
    long most = 0;
    write_sparse(DIR_ "sparse.safetensors", 200);
    pid_t child = begin_program("q4_0");
    for (pid_t ended = 0; !ended; usleep(1000)) {
        long now = most_resident(child);
        if (now) most = now;
        ended = waitpid(child, &code, WNOHANG);
        assert_true(ended >= 0);
    }
    unlink(DIR_ "y.gguf");
    assert_int_equal(code, 0);
    assert_true(most >= 1 << 10);
#if !defined(__SANITIZE_ADDRESS__) /* which keeps what was freed */
    if (most > 40 << 10) fail_msg("%ld KB, expected at most 40 MB of 200", most);
#endif
}

static void control_c_leaves_nothing(void **state)
{
    (void)state;
    int code, seen = 0;
    unlink(DIR_ "y.gguf");
    write_sparse(DIR_ "sparse.safetensors", 2000);
    pid_t child = begin_program("q8_0");
    for (int i = 0; i < 30000 && !seen; i++) usleep(1000), seen = is_there(DIR_ ".y.gguf.partial");
    assert_true(seen);
    assert_int_equal(kill(child, SIGINT), 0);
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_true(WIFSIGNALED(code) && WTERMSIG(code) == SIGINT);
    assert_false(is_there(DIR_ "y.gguf"));
    no_partial_file();
    unlink(DIR_ "sparse.safetensors");
}

static void the_program_says_what_it_did(void **state)
{
    (void)state;
    int code;
    static unsigned char zeros[8192];
    for (size_t i = 0; i < COUNT(kinds); i++) kinds[i].view.data = zeros;
    write_tensors(DIR_ "kinds.safetensors", COUNT(kinds), kinds);
    const char *said = run(LIMN "convert " DIR_ "kinds.safetensors - --format gguf --type q8_0 >" DIR_ "piped.gguf", &code);
    assert_int_equal(code, 0);
    if (!strstr(said, "10 tensors: 1 q8_0; ") || !strstr(said, "whole blocks (convolutions)")) fail_msg("%s", said);
    OK(convert(DIR_ "kinds.safetensors", DIR_ "file.gguf", "q8_0", NULL, NULL));
    same_tensors(DIR_ "piped.gguf", DIR_ "file.gguf");
    said = run(LIMN "convert " DIR_ "kinds.safetensors - --format safetensors --type f16 -q >" DIR_ "piped.safetensors",
               &code);
    assert_int_equal(code, 0);
    assert_string_equal(said, "");
    limn_weight_file *st = open_file(DIR_ "piped.safetensors");
    bool known;
    OK(limn_weight_file_check(ctx, st, &known));
    assert_true(known);
    limn_weight_file_close(st);
    run(LIMN "convert " DIR_ "kinds.safetensors", &code);
    assert_int_equal(code, 2 << 8);
    run(LIMN "convert " DIR_ "kinds.safetensors " DIR_ "y.gguf --weights raw", &code);
    assert_int_equal(code, 2 << 8);
    run(LIMN "convert --help", &code);
    assert_int_equal(code, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_no_worse_than_those_of_others),
        cmocka_unit_test(few_numbers_come_back),
        cmocka_unit_test(the_same_type_keeps_its_bytes),
        cmocka_unit_test(tensors_that_blocks_do_not_suit),
        cmocka_unit_test(scaled_floats_of_8_bits),
        cmocka_unit_test(a_checkpoint_becomes_its_parts_and_they_a_checkpoint),
        cmocka_unit_test(own_networks_keep_their_settings),
        cmocka_unit_test(converted_files_draw_the_same),
        cmocka_unit_test(what_cannot_be_is_a_sentence),
        cmocka_unit_test(damaged_files),
        cmocka_unit_test(a_full_disk_leaves_nothing),
        cmocka_unit_test(large_files_take_little_memory),
        cmocka_unit_test(control_c_leaves_nothing),
        cmocka_unit_test(the_program_says_what_it_did),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
