/* test_train.c: a short training learns, resumes with the same bits, survives bad folders; its model makes pictures. */
#include "file/bytes.h"
#include "file/weight_file.h"
#include "limn/train.h"
#include "pipeline/generate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

typedef struct losses {
    int n;
    double first, last;
} losses;

static void report(void *user, const limn_train_report *r)
{
    losses *l = user;
    if (!l->n++) l->first = r->loss;
    l->last = r->loss;
}

#define NET                                                                                                                 \
    "mmdit size=16 channels=3 patch=4 width=32 depth=2 heads=2 mlp=64 conditioning=modulated norm=pre text_encoder=clip "   \
    "text_length=48 text_width=32 text_depth=1 text_heads=2 text_vocab=514"

static limn_train_options options_for(const char *out, losses *l)
{
    limn_train_options o = limn_train_defaults();
    o.network = NET;
    o.data = "shapes", o.n_shapes = 512, o.out = out, o.batch = 8, o.steps = 40, o.save_every = 20, o.warmup = 10,
    o.lr = 2e-3;
    o.precision = LIMN_PRECISION_F32, o.report = report, o.user = l;
    return o;
}

static limn_status train(limn_ctx *ctx, const limn_train_options *o)
{
    limn_status status = limn_train(ctx, o);
    if (status != LIMN_OK && status != LIMN_CANCELLED) print_error("%s\n", limn_error_text(ctx));
    return status;
}

static bool stop_every_nine(void *user, const char *what, int64_t done, int64_t total)
{
    (void)user, (void)total;
    return strcmp(what, "step") != 0 || done % 9 != 0;
}

static void same_files(limn_ctx *ctx, const char *a, const char *b)
{
    unsigned char *x, *y;
    size_t n, m;
    assert_int_equal(limn_file_read(ctx, a, 1 << 30, &x, &n), LIMN_OK);
    assert_int_equal(limn_file_read(ctx, b, 1 << 30, &y, &m), LIMN_OK);
    assert_int_equal(n, m);
    assert_memory_equal(x, y, n);
    free(x);
    free(y);
}

static void resuming_gives_the_bits_of_never_stopping(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    losses l = {0};
    limn_train_options whole = options_for("run-whole", &l), half = options_for("run-half", &l);
    assert_int_equal(train(ctx, &whole), LIMN_OK);
    assert_true(l.last < l.first);
    limn_ctx_set_progress(ctx, stop_every_nine, NULL);
    for (int i = 0; i < 5; i++) {
        half.resume = i > 0;
        assert_int_equal(train(ctx, &half), i < 4 ? LIMN_CANCELLED : LIMN_OK);
    }
    same_files(ctx, "run-whole/checkpoint.safetensors", "run-half/checkpoint.safetensors");
    same_files(ctx, "run-whole/model.safetensors", "run-half/model.safetensors");
    limn_ctx_free(ctx);
}

static void a_picture_does_not_depend_on_threads_or_batch(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_pipeline *p;
    assert_int_equal(limn_pipeline_open(ctx, "run-whole", &p), LIMN_OK);
    limn_generate_options o = {
        .prompt = "a red circle", .n = 1, .steps = 4, .guidance = 2, .seed = 5, .precision = LIMN_PRECISION_F32};
    limn_image one, two, three[3];
    limn_ctx_set_threads(ctx, 1);
    assert_int_equal(limn_generate(p, &o, &one), LIMN_OK);
    limn_ctx_set_threads(ctx, 3);
    assert_int_equal(limn_generate(p, &o, &two), LIMN_OK);
    assert_memory_equal(one.pixels, two.pixels, 16 * 16 * 3);
    o.n = 3;
    assert_int_equal(limn_generate(p, &o, three), LIMN_OK);
    int far = 0;
    for (int i = 0; i < 16 * 16 * 3; i++) far += abs(one.pixels[i] - three[0].pixels[i]) > 1;
    assert_int_equal(far, 0);
    for (int i = 0; i < 3; i++) limn_image_free(&three[i]);
    o.steps = 2000;
    assert_int_equal(limn_generate(p, &o, three), LIMN_BAD_ARGUMENT);
    limn_image_free(&one);
    limn_image_free(&two);
    limn_pipeline_free(p);
    limn_ctx_free(ctx);
}

static void bad_folders_are_named(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    losses l = {0};
    limn_train_options o = options_for("run-bad", &l);
    o.data = "no-such-folder";
    assert_int_equal(limn_train(ctx, &o), LIMN_NOT_FOUND);
    assert_non_null(strstr(limn_error_text(ctx), "no-such-folder"));
    o = options_for("run-bad", &l);
    o.resume = true;
    assert_int_equal(limn_train(ctx, &o), LIMN_NOT_FOUND);
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resuming_gives_the_bits_of_never_stopping),
        cmocka_unit_test(a_picture_does_not_depend_on_threads_or_batch),
        cmocka_unit_test(bad_folders_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
