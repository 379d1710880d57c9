/* test_sdxl_embeddings.c: Stable Diffusion XL with words that are files of vectors for both of its text encoders: features
 * and latents that diffusers makes, and those of A1111's and ComfyUI's chunks; what fits one encoder only. */
#include "check_input.h"
#include "file/image.h"
#include "keep_log.h"
#include "make_sdxl.h"
#include "pipeline/embeddings.h"
#include "vectors/sdxl_embeddings.h"

#include <unistd.h>

enum { WIDTH = 48, HEIGHT = 32, PIXELS = WIDTH * HEIGHT * 3, L = 64, G = 128 };
enum { FILES = sizeof xl_embedding_files / sizeof *xl_embedding_files,
       CASES = sizeof xl_embedding_cases / sizeof *xl_embedding_cases };
static const char model[] = "embeddings-xl/base", folder[] = "embeddings-xl/words";

/* ---- files ------------------------------------------------------------------------------------------------------------ */

static void write_words(const char *in)
{
    char path[128];
    mkdir(in, 0777);
    for (int i = 0; i < FILES; i++) {
        snprintf(path, sizeof path, "%s/%s", in, xl_embedding_files[i].name);
        write_hex(path, xl_embedding_files[i].hex);
    }
}

static limn_pipeline *opened(limn_ctx *ctx)
{
    limn_pipeline *p;
    assert_int_equal(system("rm -rf embeddings-xl/words"), 0);
    mkdir("embeddings-xl", 0777);
    xl_write_folder(ctx, model, "base");
    write_words(folder);
    OK(limn_pipeline_open(ctx, model, &p));
    return p;
}

static limn_generate_options options(void)
{
    limn_generate_options o = limn_generate_defaults();
    o.width = WIDTH, o.height = HEIGHT, o.steps = XL_STEPS, o.guidance = 5, o.precision = LIMN_PRECISION_F32;
    return o;
}

/* ---- numbers of others ------------------------------------------------------------------------------------------------ */

static void check_case(limn_ctx *ctx, limn_pipeline *p, int i)
{
    const xl_embedding_case *c = &xl_embedding_cases[i];
    limn_generate_options o = options();
    limn_sampling *s;
    o.prompt_style = c->style, o.prompt = c->prompt, o.negative = c->negative;
    OK(limn_sampling_begin(p, &o, &s));
    formula_fill("noise", (int64_t)s->size, 2, s->x);
    for (size_t k = 0; k < s->size; k++) s->x[k] *= (float)limn_sampler_init_sigma(s->sampler);
    for (int k = 0; k < (i ? 1 : XL_STEPS); k++) {
        OK(limn_sampling_step(s));
        const limn_ports *ports = s->denoiser->job.ports;
        if (!k) check_input(s, "features", i, ports->features, c->n_features, 13, c->features);
        if (!k) check_input(s, "the whole text", i, ports->pooled_text, c->n_pooled, 3, c->pooled);
        if (!i) compare("latents after call", k, s->size, 1, s->x, xl_embedding_latents + (size_t)k * s->size, 1e-4);
    }
    limn_sampling_end(s);
}

static void texts_are_those_of_diffusers_a1111_and_comfyui(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = opened(ctx);
    static float features[77 * (L + G)], pooled[G];
    limn_ctx_set_log(ctx, keep_log, NULL);
    logged[0] = '\0';
    OK(limn_pipeline_set_embeddings(p, folder));
    for (int i = 0; i < CASES; i++) check_case(ctx, p, i);
    assert_null(strstr(logged, "toy")); /* two files are one word */
    OK(limn_encode_text(p, xl_embedding_cases[0].prompt, LIMN_PRECISION_F32, features, pooled));
    compare("a text alone", 0, 77 * (L + G), 13, features, xl_embedding_cases[0].features, 1e-5);
    compare("a whole text alone", 0, G, 3, pooled, xl_embedding_cases[0].pooled, 1e-5);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* ---- they come and go ------------------------------------------------------------------------------------------------- */

static unsigned char *drawn(limn_ctx *ctx, limn_pipeline *p, const char *prompt)
{
    limn_generate_options o = options();
    limn_image image;
    unsigned char *pixels = malloc(PIXELS);
    o.prompt = prompt, o.steps = 2;
    OK(limn_generate(p, &o, &image));
    memcpy(pixels, image.pixels, PIXELS);
    limn_image_free(&image);
    return pixels;
}

static void check_same(bool same, unsigned char *a, const unsigned char *b)
{
    if ((memcmp(a, b, PIXELS) == 0) != same) fail_msg("pictures are %s", same ? "not the same" : "the same");
    free(a);
}

static void they_come_and_go(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = opened(ctx), *q;
    unsigned char *without = drawn(ctx, p, "a glim house");
    OK(limn_pipeline_set_embeddings(p, folder));
    unsigned char *with = drawn(ctx, p, "a glim house");
    check_same(false, drawn(ctx, p, "a house"), with);
    check_same(true, drawn(ctx, p, "a out house"), with); /* OneTrainer's file, the same numbers */
    OK(limn_pipeline_share(ctx, p, &q));
    check_same(true, drawn(ctx, q, "a glim house"), with);
    limn_pipeline_free(q);
    OK(limn_pipeline_set_embeddings(p, NULL));
    check_same(true, drawn(ctx, p, "a glim house"), without);
    free(with), free(without);
    limn_pipeline_free(p);
    xl_write_folder(ctx, "embeddings-xl/refiner", "refiner"); /* which reads those of the second encoder alone */
    OK(limn_pipeline_open(ctx, "embeddings-xl/refiner", &p));
    OK(limn_pipeline_set_embeddings(p, folder));
    without = drawn(ctx, p, "a house");
    check_same(false, drawn(ctx, p, "a second house"), without);
    check_same(false, drawn(ctx, p, "a glim house"), without);
    free(without);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* ---- what does not fit ------------------------------------------------------------------------------------------------ */

static void what_fits_one_encoder_is_a_sentence(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"a first house", "words/first.safetensors: its vectors have 64 numbers, and the words of the second text encoder "
                          "of base have 128: it was made for another kind of model"},
        {"a second house", "words/second.safetensors: its vectors have 128 numbers, and the words of base have 64"},
        {"an uneven house", "words/uneven.safetensors: expected as many vectors for both text encoders, found 2 and 3"}};
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p = opened(ctx);
    limn_generate_options o = options();
    limn_ctx_set_log(ctx, keep_log, NULL);
    logged[0] = '\0';
    OK(limn_pipeline_set_embeddings(p, folder));
    assert_non_null(strstr(logged, "4 of its 7 embeddings are for this model; the first that is not: "
                                   "embeddings-xl/words/first.safetensors: its vectors have 64 numbers"));
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 2; k++) {
            o.prompt = wrong[i][0], o.prompt_style = k ? "plain" : "a1111";
            says(ctx, limn_generate(p, &o, &(limn_image){0}), LIMN_BAD_FILE, wrong[i][1]);
        }
    char found[8];
    assert_true(limn_embeddings_find(p->embeddings, "glim", found));
    assert_false(limn_embeddings_find(p->embeddings, "first", found));
    assert_false(limn_embeddings_find(p->embeddings, "uneven", found));
    assert_int_equal(unlink("embeddings-xl/words/toy_2.safetensors"), 0);
    write_text("embeddings-xl/words/toy_2.safetensors", "no such file");
    OK(limn_pipeline_set_embeddings(p, folder));
    o.prompt = "a <cat-toy>", o.prompt_style = "plain";
    says(ctx, limn_generate(p, &o, &(limn_image){0}), LIMN_BAD_FILE, "toy.safetensors: its vectors have 64 numbers");
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

/* ---- the program ------------------------------------------------------------------------------------------------------ */

static void the_program_takes_them_and_draws_again(void **state)
{
    (void)state;
    if (access(LIMN_BINARY_DIR "/limn", X_OK)) skip();
    limn_ctx *ctx = limn_ctx_new();
    limn_image image[2];
    limn_pipeline_free(opened(ctx));
#define DRAW LIMN_BINARY_DIR "/limn generate --embd-dir embeddings-xl/words -m embeddings-xl/base --precision f32 "
    assert_int_equal(system(DRAW "-p 'a glim house, toy' -W 48 -H 32 --steps 2 -o embeddings-xl/a.png 2>/dev/null"), 0);
    assert_int_equal(system("grep -aqE 'Used embeddings: .glim .[0-9a-f]{4}., toy .[0-9a-f]{4}' embeddings-xl/a.png"), 0);
    assert_int_equal(system(DRAW "--again embeddings-xl/a.png -o embeddings-xl/b.png 2>embeddings-xl/said"), 0);
    assert_int_not_equal(system("grep -q 'another embedding' embeddings-xl/said"), 0);
    OK(limn_image_read(ctx, "embeddings-xl/a.png", 0, &image[0]));
    OK(limn_image_read(ctx, "embeddings-xl/b.png", 0, &image[1]));
    assert_memory_equal(image[0].pixels, image[1].pixels, PIXELS);
    assert_int_not_equal(system(DRAW "-p 'a first house' -o embeddings-xl/c.png 2>embeddings-xl/said"), 0);
    assert_int_equal(system("grep -q 'the second text encoder of' embeddings-xl/said"), 0);
    assert_int_equal(access("embeddings-xl/c.png", F_OK), -1);
    for (int i = 0; i < 2; i++) limn_image_free(&image[i]);
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_those_of_diffusers_a1111_and_comfyui),
        cmocka_unit_test(they_come_and_go),
        cmocka_unit_test(what_fits_one_encoder_is_a_sentence),
        cmocka_unit_test(the_program_takes_them_and_draws_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
