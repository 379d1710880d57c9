/* test_noise.c: noise as PyTorch draws it, against numbers of PyTorch, diffusers and k-diffusion (oracle/noise_vectors.py);
 * and the promises of noise.h: alone as in a batch, the start at any time, limn's own as it always was. */
#include "base/base.h"
#include "base/rng.h"
#include "base/torch_rng.h"
#include "denoise/sampler.h"
#include "vectors/noise.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { CHANNELS = 2, PICTURE = 18 };
enum { N_TRAJECTORIES = sizeof vector_trajectories / sizeof *vector_trajectories };

/* ---- generators ------------------------------------------------------------------------------------------------------- */

/* PyTorch rounds a logarithm, a root, a sine and a product to f32, in either order of its instructions. */
static void near(float found, float expected, const char *what, int i)
{
    double allowed = 4 * 0x1p-24 * (1 + fabs((double)expected));
    if (!(fabs((double)found - (double)expected) <= allowed))
        fail_msg("%s, number %d: %.9g, expected %.9g", what, i, (double)found, (double)expected);
}

static void tensors_follow_each_other_as_on_pytorchs_cpu(void **state)
{
    (void)state;
    for (size_t s = 0; s < sizeof vector_sequences / sizeof *vector_sequences; s++) {
        limn_torch_rng g;
        const float *expected = vector_sequences[s].x;
        limn_torch_rng_seed(&g, false, vector_sequences[s].seed);
        for (int i = 0; i < vector_sequences[s].n; i++) {
            int n = vector_sizes[vector_sequences[s].first + i];
            float x[40];
            char what[64];
            snprintf(what, sizeof what, "seed %llu, tensor %d of %d", vector_sequences[s].seed, i, n);
            limn_torch_rng_normal(&g, (size_t)n, x);
            for (int k = 0; k < n; k++) near(x[k], *expected++, what, k);
        }
    }
}

static void large_tensors_leave_the_generator_where_pytorch_does(void **state)
{
    (void)state;
    limn_torch_rng g = {0};
    for (size_t s = 0; s < sizeof vector_large / sizeof *vector_large; s++) {
        int n = vector_large[s].n;
        double sum = 0, squares = 0;
        float *x = malloc((size_t)n * sizeof *x);
        if (s % 2 == 0) limn_torch_rng_seed(&g, false, vector_large[s].seed);
        limn_torch_rng_normal(&g, (size_t)n, x);
        for (int i = 0; i < n; i++) sum += (double)x[i], squares += (double)x[i] * (double)x[i];
        for (int i = 0; i < 20; i++) near(x[n - 20 + i], vector_large[s].last[i], "from the end", i);
        for (int i = 0; i < n; i += 97) near(x[i], vector_large[s].each_97th[i / 97], "each 97th", i);
        assert_true(fabs(sum - vector_large[s].sum) < 1e-3);
        assert_true(fabs(squares - vector_large[s].squares) < 1e-2);
        free(x);
    }
}

static void nvidias_numbers_are_those_of_the_published_formula(void **state)
{
    (void)state;
    for (size_t s = 0; s < sizeof vector_cuda / sizeof *vector_cuda; s++) {
        limn_torch_rng g;
        float x[12];
        limn_torch_rng_seed(&g, true, vector_cuda[s].seed);
        for (unsigned long long t = 0; t <= vector_cuda[s].tensor; t++) limn_torch_rng_normal(&g, 12, x);
        for (int i = 0; i < 12; i++) near(x[i], vector_cuda[s].x[i], "cuda", i);
        for (int i = 0; i < 12 && s == 0; i++) /* rounded later than a GPU does: an angle of 2 pi is off by 2^-23 */
            assert_true(fabs((double)x[i] - (double)vector_published[i]) < 2e-6);
        limn_torch_rng_seed(&g, true, vector_cuda[s].seed); /* a larger tensor begins the same way */
        float *more = malloc(5000 * sizeof *more);
        if (vector_cuda[s].tensor == 0) limn_torch_rng_normal(&g, 5000, more), assert_memory_equal(more, x, sizeof x);
        free(more);
    }
}

/* ---- samplers --------------------------------------------------------------------------------------------------------- */

static void network(const float *z, double t, float *y)
{
    for (int i = 0; i < PICTURE; i++) y[i] = (float)(0.5 * sin(1.3 * (double)z[i] + t / 1000) + 0.2 * (double)z[i]);
}

static limn_sampler *begin(limn_ctx *ctx, const limn_sampler_options *o, int n, const limn_picture_seed *seeds)
{
    limn_sampler *s;
    if (limn_sampler_new(ctx, o, &s) != LIMN_OK || limn_sampler_begin(ctx, s, n, PICTURE, seeds) != LIMN_OK)
        fail_msg("%s", limn_error_text(ctx));
    return s;
}

static void call(limn_sampler *s, int k, int n, float *x)
{
    float z[3 * PICTURE], y[3 * PICTURE];
    limn_sampler_input(s, k, x, z);
    for (int p = 0; p < n; p++) network(z + p * PICTURE, limn_sampler_timestep(s, k), y + p * PICTURE);
    limn_sampler_step(s, k, y, x);
}

/* x is rounded to f32 once a call, and what is lost when a large x becomes a small one stays lost. */
static void whole_trajectories_equal_those_of_one_generator(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    for (int c = 0; c < N_TRAJECTORIES; c++) {
        limn_picture_seed seed = {vector_trajectories[c].seed, 0};
        limn_sampler *s = begin(ctx, &vector_trajectories[c].options, 1, &seed);
        float x[PICTURE];
        double largest = 0;
        assert_int_equal(limn_sampler_calls(s), vector_trajectories[c].calls);
        limn_sampler_start(s, NULL, x);
        for (int k = 0; k <= vector_trajectories[c].calls; k++) {
            for (int i = 0; i < PICTURE; i++) {
                double expected = (double)vector_trajectories[c].x[k][i];
                largest = fmax(largest, fabs(expected));
                if (!(fabs((double)x[i] - expected) <= 8 * 0x1p-24 * (1 + largest)))
                    fail_msg("%s, before call %d, number %d: %.9g, expected %.9g", vector_trajectories[c].what, k, i,
                             (double)x[i], expected);
            }
            if (k < vector_trajectories[c].calls) call(s, k, 1, x);
        }
        limn_sampler_free(s);
    }
    limn_ctx_free(ctx);
}

static const char *const stochastic[] = {"euler_a", "dpm2_a", "dpm++2s_a", "dpm++sde", "dpm++2m_sde", "ddpm", "lcm"};
enum { N_STOCHASTIC = sizeof stochastic / sizeof *stochastic };

static void a_picture_is_the_one_of_seed_plus_its_number(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_sampler_options o = limn_sampler_defaults();
    o.n_steps = 4, o.channels = o.out_channels = CHANNELS;
    for (int kind = LIMN_RNG_LIMN; kind <= LIMN_RNG_CUDA; kind++)
        for (int i = 0; i < N_STOCHASTIC; i++) {
            float many[3 * PICTURE], one[PICTURE];
            o.name = stochastic[i], o.rng = (limn_rng)kind;
            limn_sampler *s = begin(ctx, &o, 3, (limn_picture_seed[]){{5, 0}, {6, 0}, {7, 0}});
            limn_sampler_start(s, NULL, many);
            for (int k = 0; k < limn_sampler_calls(s); k++) call(s, k, 3, many);
            limn_sampler_free(s);
            /* PyTorch has no picture numbers: they are added to the seed */
            s = begin(ctx, &o, 1, &(limn_picture_seed){kind == LIMN_RNG_LIMN ? 7 : 5, kind == LIMN_RNG_LIMN ? 0 : 2});
            limn_sampler_start(s, NULL, one);
            for (int k = 0; k < limn_sampler_calls(s); k++) call(s, k, 1, one);
            limn_sampler_free(s);
            assert_memory_equal(one, many + 2 * PICTURE, sizeof one);
            assert_memory_not_equal(one, many, sizeof one);
        }
    limn_ctx_free(ctx);
}

/* The levels that inpainting keeps, and other seeds' starts, are asked for at any time: no noise of the steps moves. */
static void the_start_is_the_same_at_any_time(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_sampler_options o = limn_sampler_defaults();
    o.name = "euler_a", o.n_steps = 3, o.channels = o.out_channels = CHANNELS;
    for (int kind = LIMN_RNG_LIMN; kind <= LIMN_RNG_CUDA; kind++) {
        float x[PICTURE] = {0}, y[PICTURE] = {0}, first[PICTURE], later[PICTURE];
        o.rng = (limn_rng)kind;
        limn_sampler *s = begin(ctx, &o, 1, &(limn_picture_seed){5, 0}), *t = begin(ctx, &o, 1, &(limn_picture_seed){5, 0});
        limn_noise_start_of(limn_sampler_noise(s), 0, first);
        for (int k = 0; k < limn_sampler_calls(s); k++) {
            call(s, k, 1, x), call(t, k, 1, y);
            limn_noise_start(limn_sampler_noise(s), (limn_picture_seed){99, 0}, later);
            assert_memory_not_equal(first, later, sizeof first);
            limn_noise_start_of(limn_sampler_noise(s), 0, later);
            assert_memory_equal(first, later, sizeof first);
        }
        assert_memory_equal(x, y, sizeof x);
        limn_sampler_free(s), limn_sampler_free(t);
    }
    limn_ctx_free(ctx);
}

/* A generator seeded by hand, [channels, pixels] turned. */
static void expect_tensor(limn_torch_rng *g, const float *found, const char *what)
{
    float tensor[PICTURE];
    limn_torch_rng_normal(g, PICTURE, tensor);
    for (int i = 0; i < PICTURE; i++)
        if (found[i] != tensor[i % CHANNELS * (PICTURE / CHANNELS) + i / CHANNELS]) fail_msg("%s, number %d", what, i);
}

static void noises_are_the_next_tensors_of_one_generator(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    for (int cuda = 0; cuda < 2; cuda++) {
        limn_noise *noise;
        limn_torch_rng g;
        float x[PICTURE], z[PICTURE];
        limn_rng kind = cuda ? LIMN_RNG_CUDA : LIMN_RNG_CPU;
        assert_int_equal(limn_noise_new(ctx, kind, 1, PICTURE, CHANNELS, &(limn_picture_seed){5, 0},
                                        (limn_noise_others){0}, &noise), LIMN_OK);
        limn_torch_rng_seed(&g, cuda, 5);
        limn_noise_start_of(noise, 0, x), expect_tensor(&g, x, "start");
        limn_noise_step(noise, 0, 0, 0, z), expect_tensor(&g, z, "step 0");
        limn_noise_step(noise, 0, 0, 0, x), assert_memory_equal(x, z, sizeof x); /* the second call of the same step */
        limn_noise_step(noise, 0, 0, 1, x), expect_tensor(&g, x, "step 0, second noise");
        limn_noise_again(noise, 0, 0, x), expect_tensor(&g, x, "back");
        limn_noise_step(noise, 0, 1u << 24, 0, x), expect_tensor(&g, x, "step 0 once more");
        limn_noise_step(noise, 0, 1, 0, x), expect_tensor(&g, x, "step 1");
        limn_noise_free(noise);
    }
    limn_ctx_free(ctx);
}

/* Two before the start and one after it, which are another's. */
static void others_take_their_tensors_first(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_noise *noise;
    limn_torch_rng g;
    float other[3][PICTURE], start[PICTURE], x[PICTURE];
    limn_noise_others others = {.before = 2, .after = 1};
    assert_int_equal(limn_noise_new(ctx, LIMN_RNG_CPU, 1, PICTURE, CHANNELS, &(limn_picture_seed){5, 0}, others, &noise),
                     LIMN_OK);
    for (int i = 0; i < 3; i++) limn_noise_other_of(noise, 0, i, other[i]);
    limn_noise_start_of(noise, 0, start);
    limn_torch_rng_seed(&g, false, 5);
    expect_tensor(&g, other[0], "before"), expect_tensor(&g, other[1], "before"), expect_tensor(&g, start, "start");
    expect_tensor(&g, other[2], "after");
    limn_noise_step(noise, 0, 0, 0, x), expect_tensor(&g, x, "step 0");
    limn_noise_free(noise);
    assert_int_equal(limn_noise_new(ctx, LIMN_RNG_LIMN, 1, PICTURE, CHANNELS, &(limn_picture_seed){5, 0}, others, &noise),
                     LIMN_OK);
    limn_noise_other_of(noise, 0, 0, x);
    for (int i = 0; i < PICTURE; i++) assert_true(x[i] == 0);
    limn_noise_free(noise);
    limn_ctx_free(ctx);
}

static void limns_own_noise_is_a_function_of_names(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    for (int kind = LIMN_RNG_AUTO; kind <= LIMN_RNG_LIMN; kind++) {
        limn_noise *noise;
        limn_picture_seed seed = {5, 3};
        float x[PICTURE], y[2 * PICTURE];
        assert_int_equal(limn_noise_new(ctx, (limn_rng)kind, 1, PICTURE, CHANNELS, &seed,
                                        (limn_noise_others){0}, &noise), LIMN_OK);
        limn_random_normal(5, LIMN_STREAM_LATENT, 3, 0, PICTURE, y);
        limn_noise_start_of(noise, 0, x), assert_memory_equal(x, y, sizeof x);
        limn_random_normal(5, LIMN_STREAM_ANCESTRAL, (uint64_t)3 << 32 | 4, 0, 2 * PICTURE, y);
        limn_noise_step(noise, 0, 4, 1, x), assert_memory_equal(x, y + PICTURE, sizeof x);
        limn_noise_step(noise, 0, 4, 0, x), assert_memory_equal(x, y, sizeof x);
        limn_random_normal(5, LIMN_STREAM_AGAIN, 77, 0, PICTURE, y);
        limn_noise_again(noise, 0, 77, x), assert_memory_equal(x, y, sizeof x);
        limn_noise_free(noise);
    }
    limn_ctx_free(ctx);
}

static void an_unknown_kind_is_refused(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_sampler_options o = limn_sampler_defaults();
    limn_sampler *s;
    for (int i = 0; i < 2; i++) {
        o.rng = (limn_rng)(i ? -1 : LIMN_RNG_CUDA + 1);
        assert_int_equal(limn_sampler_new(ctx, &o, &s), LIMN_BAD_ARGUMENT);
        assert_string_equal(limn_error_text(ctx), "sampler euler got an unknown kind of random numbers");
    }
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_follow_each_other_as_on_pytorchs_cpu),
        cmocka_unit_test(large_tensors_leave_the_generator_where_pytorch_does),
        cmocka_unit_test(nvidias_numbers_are_those_of_the_published_formula),
        cmocka_unit_test(whole_trajectories_equal_those_of_one_generator),
        cmocka_unit_test(a_picture_is_the_one_of_seed_plus_its_number),
        cmocka_unit_test(the_start_is_the_same_at_any_time),
        cmocka_unit_test(noises_are_the_next_tensors_of_one_generator),
        cmocka_unit_test(others_take_their_tensors_first),
        cmocka_unit_test(limns_own_noise_is_a_function_of_names),
        cmocka_unit_test(an_unknown_kind_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
