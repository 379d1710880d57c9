/* test_embeddings.c: Stable Diffusion with words that are files of vectors: features and latents that diffusers makes, and
 * those of A1111's and ComfyUI's chunks; files of every program; what does not fit, and what is not there. */
#include "keep_log.h"
#include "make_published.h"
#include "pipeline/embeddings.h"
#include "pipeline/sampling.h"
#include "vectors/sd_embeddings.h"

#include <sys/stat.h>
#include <unistd.h>

enum { WIDTH = 48, HEIGHT = 32, PIXELS = WIDTH * HEIGHT * 3 };
enum { FILES = sizeof sd_embedding_files / sizeof *sd_embedding_files,
       CASES = sizeof sd_embedding_cases / sizeof *sd_embedding_cases,
       WORDS = sizeof sd_embedding_checksums / sizeof *sd_embedding_checksums };
static const char model[] = "embeddings-sd/v1.safetensors", folder[] = "embeddings-sd/words";

/* ---- files ------------------------------------------------------------------------------------------------------------ */

static limn_pipeline *opened(limn_ctx *ctx)
{
    static const sd_tensor *all[SD_MOST];
    limn_pipeline *p;
    char path[128];
    mkdir("embeddings-sd", 0777);
    assert_int_equal(system("rm -rf embeddings-sd/words"), 0);
    mkdir(folder, 0777);
    sd_write(ctx, model, sd_take(sd_tensors, SD_TENSORS, NULL, NULL, 0, all), all, NULL);
    for (int i = 0; i < FILES; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, sd_embedding_files[i].name);
        write_hex(path, sd_embedding_files[i].hex);
    }
    snprintf(path, sizeof path, "%s/readme.txt", folder);
    write_text(path, "not one of them");
    OK(limn_pipeline_open(ctx, model, &p));
    return p;
}

static limn_generate_options options(void)
{
    limn_generate_options o = limn_generate_defaults();
    o.width = WIDTH, o.height = HEIGHT, o.steps = SD_STEPS, o.guidance = 7.5, o.sampler = "ddim";
    o.precision = LIMN_PRECISION_F32;
    return o;
}

/* ---- numbers of others ------------------------------------------------------------------------------------------------ */

static void check_case(limn_ctx *ctx, limn_pipeline *p, int i)
{
    const sd_embedding_case *c = &sd_embedding_cases[i];
    limn_generate_options o = options();
    limn_sampling *s;
    o.prompt_style = c->style, o.prompt = c->prompt, o.negative = c->negative;
    OK(limn_sampling_begin(p, &o, &s));
    const limn_recipe_part *text = limn_recipe_find(&p->recipe, LIMN_ROLE_TEXT);
    const limn_part_output *features = text->output[LIMN_PORT_FEATURES];
    compare("features", i, (size_t)c->n_features, 13, features->values, c->features, 1e-5);
    formula_fill("noise", (int64_t)s->size, 2, s->x);
    for (int k = 0; k < SD_STEPS && i == 0; k++) {
        OK(limn_sampling_step(s));
        compare("latents after call", k, s->size, 1, s->x, sd_embedding_latents + (size_t)k * s->size, 1e-4);
    }
    limn_sampling_end(s);
}

static void texts_are_those_of_diffusers_a1111_and_comfyui(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = opened(ctx);
    float features[77 * 64];
    OK(limn_pipeline_set_embeddings(p, folder));
    for (int i = 0; i < CASES; i++) check_case(ctx, p, i);
    OK(limn_encode_text(p, sd_embedding_cases[0].prompt, LIMN_PRECISION_F32, features, NULL));
    compare("a text alone", 0, 77 * 64, 13, features, sd_embedding_cases[0].features, 1e-5);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

static void checksums_are_those_of_a1111(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = opened(ctx);
    char found[8];
    OK(limn_pipeline_set_embeddings(p, folder));
    for (int i = 0; i < WORDS; i++) {
        assert_true(limn_embeddings_find(p->embeddings, sd_embedding_checksums[i][0], found));
        assert_string_equal(found, sd_embedding_checksums[i][1]);
    }
    assert_false(limn_embeddings_find(p->embeddings, "wide", found));
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* ---- they come and go ------------------------------------------------------------------------------------------------- */

static unsigned char *drawn(limn_ctx *ctx, limn_pipeline *p, const char *style, const char *prompt)
{
    limn_generate_options o = options();
    limn_image image;
    unsigned char *pixels = malloc(PIXELS);
    o.prompt = prompt, o.prompt_style = style, o.steps = 2;
    OK(limn_generate(p, &o, &image));
    memcpy(pixels, image.pixels, PIXELS);
    limn_image_free(&image);
    return pixels;
}

static void check_same(bool same, unsigned char *a, unsigned char *b)
{
    if ((memcmp(a, b, PIXELS) == 0) != same) fail_msg("pictures are %s", same ? "not the same" : "the same");
    free(a);
}

static void they_come_and_go(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = opened(ctx), *q;
    unsigned char *without = drawn(ctx, p, "a1111", "a glim house");
    OK(limn_pipeline_set_embeddings(p, folder));
    unsigned char *with = drawn(ctx, p, "a1111", "a GLIM house");
    check_same(false, drawn(ctx, p, "a1111", "a house"), with);
    check_same(false, drawn(ctx, p, "comfy", "a glim house"), with); /* there it is a word */
    check_same(true, drawn(ctx, p, "comfy", "a glim house"), without);
    check_same(true, drawn(ctx, p, "comfy", "a embedding:glim house"), with);
    check_same(true, drawn(ctx, p, "plain", "a glim house"), with);
    OK(limn_pipeline_share(ctx, p, &q));
    check_same(true, drawn(ctx, q, "a1111", "a glim house"), with);
    says(ctx, limn_pipeline_set_embeddings(q, folder), LIMN_BAD_ARGUMENT, "shares another one's weights");
    says(ctx, limn_pipeline_set_embeddings(p, NULL), LIMN_BAD_ARGUMENT, "in use by another pipeline");
    limn_pipeline_free(q);
    OK(limn_pipeline_set_embeddings(p, NULL));
    check_same(true, drawn(ctx, p, "a1111", "a glim house"), without);
    free(with), free(without);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* ---- what does not fit ------------------------------------------------------------------------------------------------ */

static void refuses(limn_ctx *ctx, limn_pipeline *p, const char *style, const char *prompt, limn_status status,
                    const char *words)
{
    limn_generate_options o = options();
    o.prompt = prompt, o.prompt_style = style;
    says(ctx, limn_generate(p, &o, &(limn_image){0}), status, words);
}

static void write_one(limn_ctx *ctx, const char *file, const char *tensor, limn_shape shape, float *x)
{
    char path[128];
    limn_named_view view[2] = {{tensor, {LIMN_F32, shape, x}}, {"other", {LIMN_F32, shape, x}}};
    snprintf(path, sizeof path, "%s/%s", folder, file);
    OK(limn_safetensors_write(ctx, path, strcmp(tensor, "two") ? 1 : 2, view, 0, NULL));
}

static void what_does_not_fit_is_a_sentence(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = opened(ctx);
    float *x = calloc(76 * 64, sizeof *x);
    limn_ctx_set_log(ctx, keep_log, NULL);
    logged[0] = '\0';
    OK(limn_pipeline_set_embeddings(p, folder));
    assert_non_null(strstr(logged, "5 of its 6 embeddings are for this model; the first that is not: "
                                   "embeddings-sd/words/wide.safetensors: its vectors have 96 numbers, "
                                   "and the words of v1.safetensors have 64"));
    for (int k = 0; k < 3; k++)
        refuses(ctx, p, ((const char *const[]){"plain", "a1111", "comfy"})[k], k < 2 ? "a wide house" : "embedding:wide",
                LIMN_BAD_FILE, "it was made for another kind of model");
    refuses(ctx, p, "comfy", "embedding:missing", LIMN_NOT_FOUND, "no embedding \"missing\" is there");
    assert_int_equal(system("cd embeddings-sd/words && cp wide.safetensors glim.bin"), 0); /* of SDXL, and called alike */
    OK(limn_pipeline_set_embeddings(p, folder));
    free(drawn(ctx, p, "a1111", "a glim house"));
    free(drawn(ctx, p, "comfy", "a embedding:glim house"));
    refuses(ctx, p, "comfy", "a embedding:glim.bin house", LIMN_BAD_FILE, "its vectors have 96 numbers");
    assert_int_equal(unlink("embeddings-sd/words/glim.bin"), 0);
    write_one(ctx, "large.safetensors", "emb_params", LIMN_SHAPE(76, 64), x);
    write_one(ctx, "pair.safetensors", "two", LIMN_SHAPE(2, 64), x);
    write_one(ctx, "GLIM.safetensors", "emb_params", LIMN_SHAPE(1, 64), x);
    write_one(ctx, "cube.safetensors", "emb_params", LIMN_SHAPE(2, 2, 64), x);
    write_one(ctx, "good.safetensors", "emb_params", LIMN_SHAPE(75, 64), x);
    x[70] = NAN;
    write_one(ctx, "nan.safetensors", "emb_params", LIMN_SHAPE(2, 64), x);
    write_text("embeddings-sd/words/cut.pt", "PK");
    OK(limn_pipeline_set_embeddings(p, folder));
    static const char *const wrong[][2] = {
        {"large", "expected 1 to 75 vectors"}, {"pair", "found \"other\" and \"two\""},
        {"glim", "stands for \"GLIM.safetensors\" and for \"glim.safetensors\""},
        {"cube", "of its 1 tensors none is a list of vectors"},
        {"a, nan", "\"emb_params\" holds NaN or infinity, at number 70"},
        {"(cut:1.2)", "cut.pt: "}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        refuses(ctx, p, "a1111", wrong[i][0], LIMN_BAD_FILE, wrong[i][1]);
    free(drawn(ctx, p, "a1111", "enlarged house, good"));
    free(drawn(ctx, p, "comfy", "embedding:glim"));
    limn_pipeline_free(p);
    free(x);
    limn_ctx_free(ctx);
}

static void a_folder_without_any_is_a_sentence(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = opened(ctx);
    says(ctx, limn_pipeline_set_embeddings(p, "embeddings-sd/nowhere"), LIMN_NOT_FOUND, "no such folder");
    mkdir("embeddings-sd/empty", 0777);
    says(ctx, limn_pipeline_set_embeddings(p, "embeddings-sd/empty"), LIMN_NOT_FOUND, "no embeddings are there");
    assert_int_equal(system("mkdir -p embeddings-sd/none && cp embeddings-sd/words/wide.safetensors embeddings-sd/none"), 0);
    says(ctx, limn_pipeline_set_embeddings(p, "embeddings-sd/none"), LIMN_BAD_FILE, "of its 1 files none is an embedding");
    refuses(ctx, p, "comfy", "a embedding:glim", LIMN_NOT_FOUND, "say in which folder such files are (--embd-dir)");
    free(drawn(ctx, p, "a1111", "a glim"));
    limn_pipeline_free(p);
    OK(limn_pipeline_open(ctx, LIMN_SOURCE_DIR "/models/emoji", &p));
    says(ctx, limn_pipeline_set_embeddings(p, folder), LIMN_UNSUPPORTED, "for a text encoder of its own, which");
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* ---- the program ------------------------------------------------------------------------------------------------------ */

static int program(const char *words, const char *out)
{
    char command[700];
    snprintf(command, sizeof command,
             LIMN_BINARY_DIR "/limn generate %s -m embeddings-sd/v1.safetensors -o embeddings-sd/%s.png "
             ">embeddings-sd/said 2>&1", words, out);
    return WEXITSTATUS(system(command));
}

#define SAYS(words, file) assert_int_equal(system("grep -aqF '" words "' embeddings-sd/" file), 0)

static void the_program_takes_them_and_draws_again(void **state)
{
    (void)state;
    if (access(LIMN_BINARY_DIR "/limn", X_OK)) skip();
    limn_ctx *ctx = limn_ctx_new();
    limn_image image[3];
    char path[160], words[80];
    limn_pipeline_free(opened(ctx));
#define FIRST "-p 'a (glim:1.2) house, bad-hands-5' -n oldform -W 48 -H 32 --steps 2 --precision f32 "
    assert_int_equal(program(FIRST "--embd-dir embeddings-sd/words", "first"), 0);
    SAYS("embeddings-sd/words: 5 of its 6 embeddings are for this model", "said");
    snprintf(words, sizeof words, "bad-hands-5 [%s], glim [%s], oldform [%s]", sd_embedding_checksums[2][1],
             sd_embedding_checksums[0][1], sd_embedding_checksums[3][1]);
    snprintf(path, sizeof path, "grep -aqF 'Used embeddings: \"%s\"' embeddings-sd/first.png", words);
    assert_int_equal(system(path), 0);
    assert_int_equal(program(FIRST, "plain"), 0);
    assert_int_equal(program("--again embeddings-sd/first.png", "no"), 2);
    SAYS("was drawn with the embedding \"bad-hands-5\", which is not there", "said");
    assert_int_equal(access("embeddings-sd/no.png", F_OK), -1);
    assert_int_equal(program("--again embeddings-sd/first.png --embd-dir embeddings-sd/words", "second"), 0);
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "embeddings-sd/%s.png", ((const char *const[]){"first", "second", "plain"})[i]);
        OK(limn_image_read(ctx, path, 0, &image[i]));
    }
    assert_memory_equal(image[0].pixels, image[1].pixels, PIXELS);
    assert_memory_not_equal(image[0].pixels, image[2].pixels, PIXELS);
    assert_int_equal(system("cd embeddings-sd/words && mv glim.safetensors other.safetensors && cp toy.bin glim.bin"), 0);
    assert_int_equal(program("--again embeddings-sd/first.png --embd-dir embeddings-sd/words", "third"), 0);
    SAYS("was drawn with another embedding \"glim\"", "said");
    assert_int_equal(program("--again embeddings-sd/first.png -p 'a house' -n fog", "fourth"), 0);
    for (int i = 0; i < 3; i++) limn_image_free(&image[i]);
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_those_of_diffusers_a1111_and_comfyui),
        cmocka_unit_test(checksums_are_those_of_a1111),
        cmocka_unit_test(they_come_and_go),
        cmocka_unit_test(what_does_not_fit_is_a_sentence),
        cmocka_unit_test(a_folder_without_any_is_a_sentence),
        cmocka_unit_test(the_program_takes_them_and_draws_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
