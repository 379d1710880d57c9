/* test_denoise.c: schedules, samplers, weights and guidance against the numbers that diffusers gave
 * (oracle/denoise_vectors.py), and the promises of sampler.h: a picture is the same alone and in a batch, and bad options
 * are refused by name. */
#include "base/base.h"
#include "base/rng.h"
#include "denoise/guidance.h"
#include "denoise/noising.h"
#include "denoise/picture.h"
#include "denoise/sampler_rows.h"
#include "file/image.h"
#include "vectors/denoise.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { PICTURE = 4, CHANNELS = 2, SEED = 11 };
enum { N_CASES = sizeof vector_cases / sizeof *vector_cases };

/* One f32 rounding of x, of the output and of the result, each at most 2^-24 of its size; coefficients of a few units. */
static void near(double found, double expected, double size, const char *what, int k)
{
    double allowed = 8 * 0x1p-24 * (1 + size + fabs(expected));
    if (!(fabs(found - expected) <= allowed))
        fail_msg("%s, call %d: %.9g, expected %.9g (within %.2g)", what, k, found, expected, allowed);
}

static void same(double found, double expected, const char *what, int k)
{
    if (!(fabs(found - expected) <= 1e-9 * (1 + fabs(expected))))
        fail_msg("%s, call %d: %.12g, expected %.12g", what, k, found, expected);
}

/* A number that the oracle worked out in f32: two square roots, a quotient, a square. */
static void single(double found, double expected, const char *what, int k)
{
    if (!(fabs(found - expected) <= 6 * 0x1p-24 * fabs(expected)))
        fail_msg("%s, row %d: %.9g, expected %.9g", what, k, found, expected);
}

/* The network of oracle/denoise_vectors.py: z [2 pixels, 2] -> y [2 pixels, 2 or 4] */
static void network(const float *z, double t, bool learned, float *y)
{
    int wide = learned ? 2 * CHANNELS : CHANNELS;
    for (int i = 0; i < PICTURE; i++) {
        float *to = y + i / CHANNELS * wide + i % CHANNELS;
        *to = (float)(0.5 * sin(1.3 * z[i] + t / 1000) + 0.2 * z[i]);
        if (learned) to[CHANNELS] = (float)cos(2 * z[i] + 3 * t / 1000);
    }
}

/* ---- samplers --------------------------------------------------------------------------------------------------------- */

/* Calls before call k whose x, rounded to f32 as well, is part of what call k makes. */
static int reach(const vector_case *c, int k)
{
    for (int i = 0; limn_sampler_row(i); i++)
        if (!strcmp(limn_sampler_row(i)->name, c->options.name)) return !limn_sampler_row(i)->plan ? 0 : k < 3 ? k : 3;
    return 0;
}

/* One call from the oracle's x.  x' = mean + spread z with the noise z of the library's named stream, two for dpm++sde. */
static void check_call(const vector_case *c, limn_sampler *s, const vector_call *v, int k, int step)
{
    float x[PICTURE], z[PICTURE], y[2 * PICTURE], noise[2 * PICTURE];
    double largest = 0;
    for (int i = 0; i < PICTURE; i++) x[i] = (float)v->x[i], largest = fmax(largest, fabs(v->x[i]));
    for (int i = 0; i < PICTURE * reach(c, k); i++) largest = fmax(largest, fabs(v[-1 - i / PICTURE].x[i % PICTURE]));
    same(limn_sampler_timestep(s, k), v->time, c->what, k);
    same(limn_sampler_input_scale(s, k), v->scale, c->what, k);
    limn_sampler_input(s, k, x, z);
    network(z, v->time, c->options.variance == LIMN_VARIANCE_LEARNED_RANGE, y);
    limn_sampler_step(s, k, y, x);
    limn_random_normal(SEED, LIMN_STREAM_ANCESTRAL, (uint64_t)5 << 32 | (uint32_t)step, 0, 2 * PICTURE, noise);
    for (int i = 0; i < PICTURE; i++)
        near(x[i], v->mean[i] + v->spread[i] * noise[i] + v->spread[PICTURE + i] * noise[PICTURE + i], largest, c->what, k);
}

static void every_sampler_equals_diffusers(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    for (int n = 0; n < N_CASES; n++) {
        const vector_case *c = &vector_cases[n];
        limn_sampler *s;
        if (limn_sampler_new(ctx, &c->options, &s) != LIMN_OK) fail_msg("%s: %s", c->what, limn_error_text(ctx));
        assert_int_equal(limn_sampler_calls(s), c->n);
        same(limn_sampler_init_sigma(s), c->init_sigma, c->what, -1);
        assert_int_equal(limn_sampler_begin(ctx, s, 1, PICTURE, &(limn_picture_seed){SEED, 5}), LIMN_OK);
        for (int k = 0; k < c->n; k++)
            check_call(c, s, &vector_calls[c->first + k], k, c->n == c->options.n_steps ? k : k / 2);
        limn_sampler_free(s);
    }
    limn_ctx_free(ctx);
}

static void the_vectors_cover_every_sampler_schedule_and_prediction(void **state)
{
    (void)state;
    bool schedules[LIMN_N_SCHEDULES] = {0}, predictions[LIMN_N_PREDICTIONS] = {0};
    for (int n = 0; n < N_CASES; n++)
        schedules[vector_cases[n].options.schedule.kind] = predictions[vector_cases[n].options.prediction] = true;
    for (int i = 0; i < LIMN_N_SCHEDULES; i++) assert_true(schedules[i]);
    for (int i = 0; i < LIMN_N_PREDICTIONS; i++) assert_true(predictions[i]);
    for (int i = 0; limn_sampler_row(i); i++) {
        bool found = false;
        for (int n = 0; n < N_CASES; n++) found = found || !strcmp(vector_cases[n].options.name, limn_sampler_row(i)->name);
        if (!found) fail_msg("no vectors for sampler %s", limn_sampler_row(i)->name);
    }
}

static void the_samplers_that_people_are_told_of_are_those_with_a_shown_name(void **state)
{
    (void)state;
    char words[512];
    size_t n = 1;
    snprintf(words, sizeof words, " %s ", limn_sampler_names());
    for (int i = 0; limn_sampler_row(i); i++) {
        const sampler_row *row = limn_sampler_row(i);
        char word[64];
        snprintf(word, sizeof word, " %s ", row->name);
        assert_true((strstr(words, word) != NULL) == (row->shown != NULL));
        if (row->shown) n += strlen(row->name) + 1;
    }
    assert_int_equal(n, strlen(words));
}

/* ---- properties ------------------------------------------------------------------------------------------------------- */

static void run_pictures(limn_ctx *ctx, const limn_sampler_options *o, int n, const limn_picture_seed *seeds,
                         const float *x0, float *x)
{
    limn_sampler *s;
    float z[3 * PICTURE], y[3 * 2 * PICTURE];
    bool learned = o->variance == LIMN_VARIANCE_LEARNED_RANGE;
    assert_int_equal(limn_sampler_new(ctx, o, &s), LIMN_OK);
    assert_int_equal(limn_sampler_begin(ctx, s, n, PICTURE, seeds), LIMN_OK);
    limn_sampler_start(s, x0, x);
    for (int k = 0; k < limn_sampler_calls(s); k++) {
        limn_sampler_input(s, k, x, z);
        for (int p = 0; p < n; p++)
            network(z + p * PICTURE, limn_sampler_timestep(s, k), learned, y + p * PICTURE * (learned ? 2 : 1));
        limn_sampler_step(s, k, y, x);
    }
    limn_sampler_free(s);
}

static void a_picture_is_the_same_alone_and_in_a_batch(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    const limn_picture_seed seeds[] = {{1, 0}, {2, 0}, {1, 7}};
    for (int n = 0; n < N_CASES; n++) {
        float together[3 * PICTURE], alone[PICTURE];
        run_pictures(ctx, &vector_cases[n].options, 3, seeds, NULL, together);
        assert_memory_not_equal(together, together + PICTURE, PICTURE * sizeof(float));
        assert_memory_not_equal(together, together + 2 * PICTURE, PICTURE * sizeof(float));
        for (int p = 0; p < 3; p++) {
            run_pictures(ctx, &vector_cases[n].options, 1, &seeds[p], NULL, alone);
            assert_memory_equal(alone, together + p * PICTURE, PICTURE * sizeof(float));
        }
    }
    limn_ctx_free(ctx);
}

/* A network that always answers with the truth about one clean picture brings every deterministic sampler to it. */
static void a_perfect_network_gives_the_picture(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    const float clean[PICTURE] = {0.5f, -0.25f, 0.9f, -0.9f};
    for (int i = 0; limn_sampler_row(i); i++)
        for (int flow = 0; flow < 2; flow++)
            for (int prediction = 0; prediction < LIMN_N_PREDICTIONS; prediction++) {
                limn_sampler_options o = limn_sampler_defaults();
                limn_sampler *s;
                float x[PICTURE], y[PICTURE], z[PICTURE], said[PICTURE];
                o.name = limn_sampler_row(i)->name, o.n_steps = 8, o.prediction = (limn_prediction)prediction;
                o.schedule.kind = flow ? LIMN_SCHEDULE_FLOW : LIMN_SCHEDULE_LINEAR;
                if (limn_sampler_row(i)->raw && prediction == LIMN_PREDICT_V) continue; /* mixed, velocities are none */
                if (limn_sampler_new(ctx, &o, &s) != LIMN_OK) continue; /* pairs that do not fit are refused: see below */
                assert_int_equal(limn_sampler_begin(ctx, s, 1, PICTURE, &(limn_picture_seed){3, 0}), LIMN_OK);
                limn_sampler_start(s, NULL, x);
                for (int k = 0; k < limn_sampler_calls(s); k++) {
                    double a, b, of_x0, of_n, scale = limn_sampler_input_scale(s, k);
                    limn_sampler_level(s, k, &a, &b);
                    limn_prediction_target(o.prediction, scale * a, scale * b, &of_x0, &of_n);
                    for (int p = 0; p < PICTURE; p++) y[p] = (float)(of_x0 * clean[p] + of_n * (x[p] - a * clean[p]) / b);
                    limn_sampler_input(s, k, x, z);
                    limn_sampler_estimate(s, k, PICTURE, z, y, said);
                    for (int p = 0; p < PICTURE; p++)
                        if (fabs(said[p] - clean[p]) > 2e-4) fail_msg("%s, call %d, says %g", o.name, k, said[p]);
                    limn_sampler_step(s, k, y, x);
                }
                double a, b; /* deis and tcd end at the first timestep, not quite without noise */
                limn_sampler_level(s, limn_sampler_calls(s), &a, &b);
                for (int p = 0; p < PICTURE; p++)
                    if (fabs(x[p] - clean[p]) > 2e-4 + (1 - a) + 4 * b)
                        fail_msg("%s, prediction %d, flow %d: %g, expected %g", o.name, prediction, flow, x[p], clean[p]);
                limn_sampler_free(s);
            }
    limn_ctx_free(ctx);
}

/* ---- identities ------------------------------------------------------------------------------------------------------- */

/* The exact answer for pictures that are normal noise of one spread:  x0 = a s^2 / (a^2 s^2 + b^2) x */
static void answer_for_normal(const limn_sampler *s, int k, limn_prediction prediction, double spread, const float *x,
                              float *y)
{
    double a, b, of_x0, of_n, scale = limn_sampler_input_scale(s, k);
    limn_sampler_level(s, k, &a, &b);
    limn_prediction_target(prediction, scale * a, scale * b, &of_x0, &of_n);
    for (int i = 0; i < PICTURE; i++) {
        double x0 = a * spread * spread / (a * a * spread * spread + b * b) * x[i];
        y[i] = (float)(of_x0 * x0 + of_n * (x[i] - a * x0) / b);
    }
}

/* How far from the ODE's solution, which keeps x / sqrt(a^2 s^2 + b^2), x is at the last call, or at the first one
 * whose timestep is `until` or less. */
static double error_of(limn_ctx *ctx, const limn_sampler_options *o, double until)
{
    const double spread = 0.5;
    limn_sampler *s;
    float x[PICTURE], y[PICTURE];
    if (limn_sampler_new(ctx, o, &s) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    assert_int_equal(limn_sampler_begin(ctx, s, 1, PICTURE, &(limn_picture_seed){8, 0}), LIMN_OK);
    limn_sampler_start(s, NULL, x);
    double a, b, start = x[0], worst;
    limn_sampler_level(s, 0, &a, &b);
    start /= sqrt(a * a * spread * spread + b * b);
    int k = 0;
    for (; k < limn_sampler_calls(s) - 1 && limn_sampler_timestep(s, k) > until; k++) {
        answer_for_normal(s, k, o->prediction, spread, x, y);
        limn_sampler_step(s, k, y, x);
    }
    limn_sampler_level(s, k, &a, &b);
    worst = fabs(x[0] / sqrt(a * a * spread * spread + b * b) / start - 1);
    limn_sampler_free(s);
    return worst;
}

/* Twice the steps make the error 2^order times smaller. */
static void each_solver_has_its_order(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    const struct {
        const char *name;
        double order;
        bool by_time;
    } rows[] = {{"euler", 1, false}, {"ddim", 1, true},  {"heun", 2, false}, {"dpm2", 2, false}, {"dpm++2m", 2, false},
                {"unipc", 3, false}, {"deis", 2, false}, {"lms", 3, false},  {"plms", 2, true},  {"pndm", 2, true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        limn_sampler_options o = limn_sampler_defaults();
        o.name = rows[i].name, o.schedule.kind = LIMN_SCHEDULE_SCALED_LINEAR, o.schedule.beta_start = 0.00085,
        o.schedule.beta_end = 0.012;
        if (!rows[i].by_time) o.sigmas = LIMN_SIGMAS_EXPONENTIAL;
        o.n_steps = rows[i].by_time ? 40 : 20;
        double until = rows[i].by_time ? 400 : 0; /* evenly in time, steps are too far apart where noise ends */
        double few = error_of(ctx, &o, until);
        o.n_steps = rows[i].by_time ? 100 : 40;
        double many = error_of(ctx, &o, until), order = log(few / many) / log(rows[i].by_time ? 2.5 : 2);
        if (!(order > rows[i].order - 0.35))
            fail_msg("%s: %.3g in some steps, %.3g in twice as many: order %.2f, expected %g", o.name, few, many, order,
                     rows[i].order);
    }
    limn_ctx_free(ctx);
}

/* A network that always says the same of the noise leaves the solvers nothing to differ in: each goes the straight way. */
static void a_network_that_always_says_the_same_takes_every_solver_one_way(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    static const char *const groups[2][7] = {{"euler", "heun", "dpm2", "lms"}, {"ddim", "plms", "pndm"}};
    const float same_noise[PICTURE] = {0.3f, -0.8f, 1.2f, 0.1f};
    for (int g = 0; g < 2; g++) {
        float first[PICTURE], x[PICTURE];
        for (int i = 0; groups[g][i]; i++) {
            limn_sampler_options o = limn_sampler_defaults();
            limn_sampler *s;
            o.name = groups[g][i], o.n_steps = 10;
            assert_int_equal(limn_sampler_new(ctx, &o, &s), LIMN_OK);
            assert_int_equal(limn_sampler_begin(ctx, s, 1, PICTURE, &(limn_picture_seed){9, 0}), LIMN_OK);
            limn_sampler_start(s, NULL, x);
            for (int k = 0; k < limn_sampler_calls(s); k++) limn_sampler_step(s, k, same_noise, x);
            limn_sampler_free(s);
            if (i == 0) memcpy(first, x, sizeof x);
            for (int p = 0; p < PICTURE; p++) near(x[p], first[p], 1e3, o.name, p);
        }
    }
    limn_ctx_free(ctx);
}

/* One step of a consistency network is what it says the picture is; of any other solver as well, as no noise is left. */
static void one_step_gives_the_predicted_picture(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    const float picture[PICTURE] = {0.4f, -0.7f, 0.2f, 0.9f};
    for (int i = 0; limn_sampler_row(i); i++)
        for (int flow = 0; flow < 2; flow++) {
            limn_sampler_options o = limn_sampler_defaults();
            limn_sampler *s;
            float x[PICTURE];
            o.name = limn_sampler_row(i)->name, o.n_steps = 1, o.prediction = LIMN_PREDICT_X0;
            o.schedule.kind = flow ? LIMN_SCHEDULE_FLOW : LIMN_SCHEDULE_LINEAR;
            if (limn_sampler_row(i)->ends_at_first || limn_sampler_new(ctx, &o, &s) != LIMN_OK) continue;
            assert_int_equal(limn_sampler_begin(ctx, s, 1, PICTURE, &(limn_picture_seed){3, 0}), LIMN_OK);
            limn_sampler_start(s, NULL, x);
            assert_int_equal(limn_sampler_calls(s), 1);
            limn_sampler_step(s, 0, picture, x);
            for (int p = 0; p < PICTURE; p++) near(x[p], picture[p], 1, o.name, p);
            limn_sampler_free(s);
        }
    limn_ctx_free(ctx);
}

/* x of every call, from the oracle's start on, within 1e-5 of its size: errors do not grow from step to step. */
static void whole_trajectories_stay_with_the_published_ones(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    int n_followed = 0;
    for (int n = 0; n < N_CASES; n++) {
        const vector_case *c = &vector_cases[n];
        const vector_call *v = &vector_calls[c->first];
        bool noisy = false, learned = c->options.variance == LIMN_VARIANCE_LEARNED_RANGE;
        limn_sampler *s;
        float x[PICTURE], z[PICTURE], y[2 * PICTURE];
        double largest = 0;
        for (int k = 0; k < c->n; k++) noisy = noisy || v[k].spread[0] != 0;
        if (noisy) continue; /* of noise that is ours: see every_sampler_equals_diffusers */
        assert_int_equal(limn_sampler_new(ctx, &c->options, &s), LIMN_OK);
        assert_int_equal(limn_sampler_begin(ctx, s, 1, PICTURE, &(limn_picture_seed){SEED, 5}), LIMN_OK);
        for (int i = 0; i < PICTURE; i++) x[i] = (float)v->x[i];
        for (int k = 0; k < c->n; k++) {
            const double *expected = k + 1 < c->n ? v[k + 1].x : v[k].mean;
            for (int i = 0; i < PICTURE; i++) largest = fmax(largest, fmax(fabs(v[k].x[i]), fabs(expected[i])));
            limn_sampler_input(s, k, x, z);
            network(z, v[k].time, learned, y);
            limn_sampler_step(s, k, y, x);
            for (int i = 0; i < PICTURE; i++)
                if (!(fabs(x[i] - expected[i]) <= 1e-5 * (1 + largest)))
                    fail_msg("%s, after call %d: %.9g, expected %.9g", c->what, k, x[i], expected[i]);
        }
        limn_sampler_free(s);
        n_followed++;
    }
    assert_true(n_followed > 100);
    limn_ctx_free(ctx);
}

static void quantiles_equal_scipy(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vector_beta / sizeof *vector_beta; i++)
        same(limn_beta_quantile(vector_beta[i].p), vector_beta[i].q, "quantile", (int)i);
}

/* ---- names ------------------------------------------------------------------------------------------------------------ */

static void names_are_known_as_people_type_them(void **state)
{
    (void)state;
    static const struct {
        const char *typed, *name;
        limn_sigmas sigmas;
    } rows[] = {
        {"euler", "euler", 0},          {"Euler", "euler", 0},
        {"k_euler", "euler", 0},        {"Euler a", "euler_a", 0},
        {"euler_ancestral", "euler_a", 0}, {"k_euler_ancestral", "euler_a", 0},
        {"DPM++ 2M", "dpm++2m", 0},     {"dpmpp_2m", "dpm++2m", 0},
        {"k_dpmpp_2m", "dpm++2m", 0},   {"DPM++ 2M Karras", "dpm++2m", LIMN_SIGMAS_KARRAS},
        {"dpmpp_2m_sde_gpu", "dpm++2m_sde", 0}, {"DPM++ 2M SDE Exponential", "dpm++2m_sde", LIMN_SIGMAS_EXPONENTIAL},
        {"DPM++ SDE Karras", "dpm++sde", LIMN_SIGMAS_KARRAS}, {"dpmpp_2s_ancestral", "dpm++2s_a", 0},
        {"DPM++ 2S a", "dpm++2s_a", 0}, {"dpm_2_ancestral", "dpm2_a", 0},
        {"k_dpm_2", "dpm2", 0},         {"DPM2 a Karras", "dpm2_a", LIMN_SIGMAS_KARRAS},
        {"UniPC", "unipc", 0},          {"uni_pc_bh2", "unipc", 0},
        {"LMS Karras", "lms", LIMN_SIGMAS_KARRAS}, {"k_lms", "lms", 0},
        {"PLMS", "plms", 0},            {"LCM", "lcm", 0},
        {"Euler SGM Uniform", "euler", LIMN_SIGMAS_SGM_UNIFORM}, {"TCD", "tcd", 0},
    };
    limn_sigmas sigmas;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const sampler_row *row = limn_sampler_find(rows[i].typed, &sigmas);
        if (!row || strcmp(row->name, rows[i].name) || sigmas != rows[i].sigmas)
            fail_msg("\"%s\" is %s with sigmas %d", rows[i].typed, row ? row->name : "no sampler", (int)sigmas);
    }
    for (int i = 0; limn_sampler_row(i); i++) {
        const sampler_row *row = limn_sampler_row(i);
        assert_ptr_equal(limn_sampler_find(row->name, &sigmas), row);
        assert_true(!row->shown || limn_sampler_find(row->shown, &sigmas) == row);
    }
    static const char *const none[] = {"",
                                       "k",
                                       "k_",
                                       "karras",
                                       "Karras",
                                       "euler karras karras",
                                       "eular",
                                       "dpm++",
                                       "unipc_bh1",
                                       "+",
                                       "euler_ancestral_of_a_length_that_no_sampler_ever_had_and_none_will_have_ever"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        if (limn_sampler_find(none[i], &sigmas)) fail_msg("\"%s\" is a sampler", none[i]);
    assert_true(limn_sigmas_find("Align Your Steps", &sigmas) && sigmas == LIMN_SIGMAS_AYS);
    assert_true(limn_sigmas_find("SGM Uniform", &sigmas) && sigmas == LIMN_SIGMAS_SGM_UNIFORM);
    assert_false(limn_sigmas_find("", &sigmas) || limn_sigmas_find("discrete", &sigmas));
}

/* Whatever variance a network learned, and however far the last step goes: a picture without noise is the end. */
static void the_last_step_adds_no_noise(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    for (int spacing = LIMN_SPACING_LEADING; spacing < LIMN_N_SPACINGS; spacing++) {
        limn_sampler_options o = limn_sampler_defaults();
        limn_sampler *s;
        float x[PICTURE], y[2 * PICTURE];
        o.name = "ddpm", o.n_steps = 4, o.spacing = (limn_spacing)spacing, o.variance = LIMN_VARIANCE_LEARNED_RANGE,
        o.channels = 2, o.out_channels = 4;
        assert_int_equal(limn_sampler_new(ctx, &o, &s), LIMN_OK);
        assert_int_equal(limn_sampler_begin(ctx, s, 1, PICTURE, &(limn_picture_seed){3, 0}), LIMN_OK);
        limn_sampler_start(s, NULL, x);
        for (int k = 0; k < limn_sampler_calls(s); k++) {
            double a, b;
            limn_sampler_level(s, k, &a, &b);
            for (int p = 0; p < PICTURE; p++)
                y[p / 2 * 4 + p % 2] = (float)((x[p] - a * 0.5) / b), y[p / 2 * 4 + 2 + p % 2] = 1;
            limn_sampler_step(s, k, y, x);
        }
        for (int p = 0; p < PICTURE; p++) near(x[p], 0.5, 1e3, "the end", spacing);
        limn_sampler_free(s);
    }
    limn_ctx_free(ctx);
}

/* As many steps as timesteps; levels to start from below, above and across the ends of the table: x stays finite, and noise
 * only falls. */
static void levels_fall_at_every_limit(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    const struct {
        int n_steps;
        double from, to;
    } limits[] = {{1, 0, 0},          {999, 0, 0},      {1000, 0, 0},   {20, 0.004, 0},
                  {20, 0.004, 0.002}, {20, 0.4, 0.004}, {20, 400, 300}, {20, 400, 1}};
    for (int i = 0; limn_sampler_row(i); i++)
        for (size_t k = 0; k < sizeof limits / sizeof *limits; k++) {
            limn_sampler_options o = limn_sampler_defaults();
            limn_sampler *s;
            float x[PICTURE];
            o.name = limn_sampler_row(i)->name, o.n_steps = limits[k].n_steps, o.from_sigma = limits[k].from,
            o.to_sigma = limits[k].to;
            if (limn_sampler_new(ctx, &o, &s) != LIMN_OK) continue; /* flow_euler, flow_heun */
            double a, b, before = INFINITY;
            bool dips = strstr("dpm2_a dpm++2s_a", o.name) != NULL; /* below the step's end, before noise is added */
            for (int call = 0; call <= limn_sampler_calls(s); call += 1 + dips, before = b / a) {
                limn_sampler_level(s, call, &a, &b);
                if (!(b / a <= before))
                    fail_msg("%s, %d steps from %g to %g, call %d: level %g after %g", o.name, o.n_steps, o.from_sigma,
                             o.to_sigma, call, b / a, before);
            }
            run_pictures(ctx, &o, 1, &(limn_picture_seed){3, 0}, NULL, x);
            for (int p = 0; p < PICTURE; p++)
                if (!isfinite(x[p]))
                    fail_msg("%s, %d steps from %g to %g: %g", o.name, o.n_steps, o.from_sigma, o.to_sigma, x[p]);
            limn_sampler_free(s);
        }
    limn_ctx_free(ctx);
}

/* Where 999 / (n - 1) (n - 1) is more than 999 too, as of 30 steps. */
static void every_number_of_steps_begins_with_the_last_timestep(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    for (int n = 1; n <= 1000; n++) {
        limn_sampler_options o = limn_sampler_defaults();
        limn_sampler *s;
        o.name = "euler", o.n_steps = n, o.spacing = LIMN_SPACING_LINSPACE;
        if (limn_sampler_new(ctx, &o, &s) != LIMN_OK) fail_msg("%d steps: %s", n, limn_error_text(ctx));
        if (limn_sampler_timestep(s, 0) != 999) fail_msg("%d steps: %.17g", n, limn_sampler_timestep(s, 0));
        limn_sampler_free(s);
    }
    limn_ctx_free(ctx);
}

static void strength_starts_from_the_picture(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_sampler_options o = limn_sampler_defaults();
    limn_sampler *s;
    const float x0[PICTURE] = {0.5f, -0.25f, 0.9f, -0.9f};
    float x[PICTURE], noise[PICTURE];
    o.name = "ddim", o.n_steps = 10, o.strength = 0.3;
    assert_int_equal(limn_sampler_new(ctx, &o, &s), LIMN_OK);
    assert_int_equal(limn_sampler_calls(s), 3);
    same(limn_sampler_timestep(s, 0), 200, "strength", 0);
    assert_int_equal(limn_sampler_begin(ctx, s, 1, PICTURE, &(limn_picture_seed){4, 2}), LIMN_OK);
    limn_sampler_start(s, x0, x);
    double a, b;
    limn_sampler_level(s, 0, &a, &b);
    limn_random_normal(4, LIMN_STREAM_LATENT, 2, 0, PICTURE, noise);
    for (int i = 0; i < PICTURE; i++) near(x[i], a * x0[i] + b * noise[i], 2, "strength", 0);
    same(a * a + b * b, 1, "strength", 0);
    limn_sampler_noised(s, 3, x0, x);
    for (int i = 0; i < PICTURE; i++) near(x[i], x0[i], 1, "the end keeps x0", 3);
    limn_sampler_free(s);
    limn_ctx_free(ctx);
}

static void refuses(limn_ctx *ctx, limn_sampler_options o, limn_status expected, const char *word)
{
    limn_sampler *s = (limn_sampler *)&o;
    assert_int_equal(limn_sampler_new(ctx, &o, &s), expected);
    assert_null(s);
    if (!strstr(limn_error_text(ctx), word)) fail_msg("\"%s\" does not say \"%s\"", limn_error_text(ctx), word);
}

static void wrong_options_are_named(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_sampler_options o = limn_sampler_defaults(), bad;
#define REFUSED(change, status, word) (bad = o, change, refuses(ctx, bad, status, word))
    REFUSED(bad.name = "euler_b", LIMN_NOT_FOUND, "euler_a");
    REFUSED(bad.n_steps = 0, LIMN_BAD_ARGUMENT, "steps");
    REFUSED(bad.n_steps = 1001, LIMN_BAD_ARGUMENT, "1000");
    REFUSED(bad.n_steps = 2000000000, LIMN_BAD_ARGUMENT, "steps");
    REFUSED((bad.name = "ddim", bad.schedule.kind = LIMN_SCHEDULE_FLOW), LIMN_BAD_ARGUMENT, "flow");
    REFUSED(bad.name = "flow_euler", LIMN_BAD_ARGUMENT, "flow");
    REFUSED((bad.name = "ddim", bad.eta = 1.5), LIMN_BAD_ARGUMENT, "eta");
    REFUSED((bad.name = "ddim", bad.eta = NAN), LIMN_BAD_ARGUMENT, "eta");
    REFUSED((bad.name = "ddpm", bad.sigmas = LIMN_SIGMAS_KARRAS), LIMN_BAD_ARGUMENT,
            "takes no Karras sigmas; others do: euler euler_a heun dpm++2m");
    REFUSED((bad.name = "ddpm", bad.variance = LIMN_VARIANCE_LEARNED_RANGE), LIMN_BAD_ARGUMENT, "learned");
    REFUSED(bad.strength = -1, LIMN_BAD_ARGUMENT, "strength");
    REFUSED(bad.clip = -1, LIMN_BAD_ARGUMENT, "clip");
    REFUSED((bad.schedule.beta_start = 0.5, bad.schedule.beta_end = 0.1), LIMN_BAD_ARGUMENT, "beta");
    REFUSED(bad.schedule.n_train = 0, LIMN_BAD_ARGUMENT, "timesteps");
    REFUSED((bad.schedule.kind = LIMN_SCHEDULE_FLOW, bad.schedule.shift = 0), LIMN_BAD_ARGUMENT, "shift");
    REFUSED((bad.schedule.kind = LIMN_SCHEDULE_FLOW, bad.prediction = LIMN_PREDICT_EPS), LIMN_BAD_ARGUMENT, "noise");
    REFUSED((bad.spacing = LIMN_SPACING_LEADING, bad.steps_offset = 1000), LIMN_BAD_ARGUMENT, "outside");
    REFUSED((bad.name = "dpm++2m", bad.spacing = LIMN_SPACING_LEADING, bad.n_steps = 1000), LIMN_BAD_ARGUMENT,
            "1 to 999 steps");
    REFUSED((bad.spacing = LIMN_SPACING_TRAILING, bad.from_sigma = 1), LIMN_BAD_ARGUMENT, "neither a scheduler");
    REFUSED((bad.sigmas = LIMN_SIGMAS_KARRAS, bad.from_sigma = 1), LIMN_BAD_ARGUMENT, "neither a scheduler");
    REFUSED((bad.name = "plms", bad.prediction = LIMN_PREDICT_X0), LIMN_BAD_ARGUMENT, "noise or velocity");
    REFUSED((bad.name = "lcm", bad.spacing = LIMN_SPACING_TRAILING), LIMN_BAD_ARGUMENT, "timesteps of its own");
    REFUSED((bad.name = "tcd", bad.n_steps = 51), LIMN_BAD_ARGUMENT, "1 to 50 steps");
    REFUSED((bad.name = "lcm", bad.schedule.n_train = 49), LIMN_BAD_ARGUMENT, "at least 50 training timesteps");
    REFUSED((bad.name = "ddim", bad.sigmas = LIMN_SIGMAS_SIMPLE), LIMN_BAD_ARGUMENT, "takes no Simple sigmas");
    REFUSED((bad.sigmas = LIMN_SIGMAS_NORMAL, bad.spacing = LIMN_SPACING_LEADING), LIMN_BAD_ARGUMENT, "spacing");
    REFUSED((bad.sigmas = LIMN_SIGMAS_BETA, bad.n_steps = 500), LIMN_BAD_ARGUMENT, "twice in 500 steps");
    REFUSED((bad.sigmas = LIMN_SIGMAS_SIMPLE, bad.n_steps = 1001), LIMN_BAD_ARGUMENT, "1 to 1000 steps");
    REFUSED(bad.sigmas = LIMN_SIGMAS_AYS, LIMN_BAD_ARGUMENT, "Align Your Steps");
    REFUSED(bad.sigmas = LIMN_N_SIGMAS, LIMN_BAD_ARGUMENT, "unknown");
    bad = o, bad.schedule.kind = LIMN_SCHEDULE_FLOW, bad.prediction = LIMN_PREDICT_FLOW;
    o = bad;
    REFUSED(bad.sigmas = LIMN_SIGMAS_EXPONENTIAL, LIMN_BAD_ARGUMENT, "rectified flow");
    REFUSED(bad.sigmas = LIMN_SIGMAS_AYS_SDXL, LIMN_BAD_ARGUMENT, "take simple or beta");
    REFUSED(bad.sigmas = LIMN_SIGMAS_FLOW, LIMN_BAD_ARGUMENT,
            "sampler euler takes no Flow sigmas; others do: dpm++2m dpm++2m_sde unipc deis");
    REFUSED((bad.name = "unipc", bad.sigmas = LIMN_SIGMAS_FLOW, bad.n_steps = 1001), LIMN_BAD_ARGUMENT, "1 to 1000 steps");
    REFUSED((bad.name = "deis", bad.sigmas = LIMN_SIGMAS_FLOW, bad.spacing = LIMN_SPACING_LINSPACE), LIMN_BAD_ARGUMENT,
            "spacing");
    REFUSED((bad.name = "unipc", bad.sigmas = LIMN_SIGMAS_FLOW, bad.schedule = limn_schedule_defaults()),
            LIMN_BAD_ARGUMENT, "only where a model was trained on rectified flow");
    static const char *const diffusion[] = {"dpm2_a", "dpm++2s_a", "dpm++sde", "plms", "pndm", "tcd"};
    for (size_t i = 0; i < sizeof diffusion / sizeof *diffusion; i++)
        REFUSED(bad.name = diffusion[i], LIMN_BAD_ARGUMENT, "rectified flow");
#undef REFUSED
    limn_ctx_free(ctx);
}

/* ---- schedules, noising, weights, guidance ---------------------------------------------------------------------------- */

static void every_schedule_equals_diffusers(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    for (size_t i = 0; i < sizeof vector_schedules / sizeof *vector_schedules; i++) {
        limn_schedule *s;
        assert_int_equal(limn_schedule_new(ctx, &vector_schedules[i].options, &s), LIMN_OK);
        for (int k = 0; k < 8; k++)
            same(limn_schedule_alpha_bar(s, vector_times[k]), vector_schedules[i].alpha_bar[k],
                 limn_schedule_name(s->options.kind), k);
        same(limn_schedule_sigma(s, 1.5), vector_schedules[i].sigma_1_5, "sigma", 0);
        int end = s->options.zero_snr ? 900 : 1000; /* the sigma that stands for infinity at 999 is not the largest */
        for (int t = 1; t < end; t += 83) same(limn_schedule_time(s, limn_schedule_sigma(s, t)), t, "time of sigma", t);
        limn_schedule_free(s);
    }
    limn_ctx_free(ctx);
}

static void noise_and_targets_equal_diffusers(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    const float x0[PICTURE] = {0.7f, 0.3f, -1.1f, 1.6f}; /* start() of the oracle as [pixels, channels] */
    float noise[PICTURE], x_t[PICTURE], target[PICTURE];
    for (int i = 0; i < PICTURE; i++) noise[i] = (float)sin(3 * (i % 2 * 2 + i / 2) + 1);
    for (size_t i = 0; i < sizeof vector_noised / sizeof *vector_noised; i++) {
        limn_schedule_options o = limn_schedule_defaults();
        limn_schedule *s;
        o.kind = vector_noised[i].kind;
        if (o.kind == LIMN_SCHEDULE_SCALED_LINEAR) o.beta_start = 0.00085, o.beta_end = 0.012;
        limn_prediction prediction = o.kind == LIMN_SCHEDULE_FLOW ? LIMN_PREDICT_FLOW : LIMN_PREDICT_V;
        assert_int_equal(limn_schedule_new(ctx, &o, &s), LIMN_OK);
        limn_add_noise(s, prediction, vector_noised[i].t, PICTURE, x0, noise, x_t, target);
        for (int k = 0; k < PICTURE; k++) {
            near(x_t[k], vector_noised[i].x_t[k], 2, "x_t", (int)i);
            near(target[k], vector_noised[i].velocity[k], 2, "velocity", (int)i);
        }
        limn_schedule_free(s);
    }
    limn_ctx_free(ctx);
}

static void min_snr_weights_equal_the_published_recipe(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_schedule_options o = limn_schedule_defaults();
    limn_schedule *s;
    double a, b;
    assert_int_equal(limn_schedule_new(ctx, &o, &s), LIMN_OK);
    for (size_t i = 0; i < sizeof vector_min_snr / sizeof *vector_min_snr; i++) {
        limn_schedule_level(s, vector_min_snr[i].t, &a, &b);
        double gamma = vector_min_snr[i].gamma;
        single(limn_snr(a, b), vector_min_snr[i].snr, "snr", (int)i);
        single(limn_min_snr_weight(LIMN_PREDICT_EPS, a, b, gamma), vector_min_snr[i].eps, "eps", (int)i);
        single(limn_min_snr_weight(LIMN_PREDICT_V, a, b, gamma), vector_min_snr[i].v, "v", (int)i);
        single(limn_min_snr_weight(LIMN_PREDICT_X0, a, b, gamma), fmin(vector_min_snr[i].snr, gamma), "x0", (int)i);
    }
    /* a velocity's error is (a + b) / b of x0's */
    same(limn_min_snr_weight(LIMN_PREDICT_FLOW, 0.25, 0.75, 5), fmin(1 / 9.0, 5) * 0.75 * 0.75, "flow", 0);
    assert_true(isfinite(limn_min_snr_weight(LIMN_PREDICT_EPS, 0, 1, 5)) &&
                isfinite(limn_min_snr_weight(LIMN_PREDICT_X0, 1, 0, 5)));
    limn_schedule_free(s);
    limn_ctx_free(ctx);
}

static void guidance_equals_diffusers(void **state)
{
    (void)state;
    float cond[PICTURE], uncond[PICTURE], out[PICTURE];
    for (int i = 0; i < PICTURE; i++) {
        int at = i % 2 * 2 + i / 2;
        cond[i] = (float)sin(14 + 3 * at + 1), uncond[i] = (float)sin(21 + 3 * at + 1);
    }
    for (size_t n = 0; n < sizeof vector_guidance / sizeof *vector_guidance; n++) {
        limn_guidance_combine(cond, uncond, 2, 2, 2, vector_guidance[n].scale, out);
        limn_guidance_rescale(cond, 2, 2, 2, vector_guidance[n].phi, out);
        for (int i = 0; i < PICTURE; i++) near(out[i], vector_guidance[n].out[i], 10, "guidance", (int)n);
    }
    limn_guidance_combine(cond, uncond, 1, 4, 3, 3, out); /* DiT: the last channel is the conditional one */
    assert_true(out[3] == cond[3] && out[2] != cond[2]);
    memcpy(out, cond, sizeof out);
    limn_guidance_combine(out, uncond, 2, 2, 2, 1, out); /* in place; scale 1 is no guidance */
    for (int i = 0; i < PICTURE; i++) near(out[i], cond[i], 1, "scale 1", i);
}

/* Colours leave and enter the network times alpha.  Where a network makes more colour than its alpha has, the byte ends at
 * 255: no halo; where alpha rounds to nothing, nothing is divided by it. */
static void transparent_pixels_keep_their_colours(void **state)
{
    static const uint8_t pixels[4][4] = {{200, 100, 50, 255}, {200, 100, 50, 128}, {255, 0, 10, 20}, {9, 9, 9, 0}};
    static const float twice[4] = {0.5f, 0, -0.5f, -0.5f}, faint[4] = {-0.9f, -1, -1, -0.9999f};
    float values[4];
    limn_image out;
    limn_ctx *ctx = limn_ctx_new();
    (void)state;
    for (int i = 0; i < 4; i++) {
        limn_pixel_values(pixels[i], 4, values);
        for (int c = 0; c < 4; c++)
            near(values[c], pixels[i][c] * (c < 3 ? pixels[i][3] / 255.0 : 1) / 127.5 - 1, 1, "a pixel", i);
        assert_int_equal(limn_picture_bytes(ctx, 1, 1, 4, values, &out), LIMN_OK);
        for (int c = 0; c < 4; c++) assert_int_equal(out.pixels[c], c < 3 && !pixels[i][3] ? 0 : pixels[i][c]);
        limn_image_free(&out);
    }
    assert_int_equal(limn_picture_bytes(ctx, 1, 1, 4, twice, &out), LIMN_OK); /* 0.75, 0.5 and 0.25 over a quarter */
    assert_memory_equal(out.pixels, ((uint8_t[]){255, 255, 255, 64}), 4);
    limn_image_free(&out);
    assert_int_equal(limn_picture_bytes(ctx, 1, 1, 4, faint, &out), LIMN_OK);
    assert_int_equal(out.pixels[0], 13);
    assert_int_equal(out.pixels[3], 0);
    limn_image_free(&out);
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_schedule_equals_diffusers),
        cmocka_unit_test(every_sampler_equals_diffusers),
        cmocka_unit_test(the_vectors_cover_every_sampler_schedule_and_prediction),
        cmocka_unit_test(the_samplers_that_people_are_told_of_are_those_with_a_shown_name),
        cmocka_unit_test(a_picture_is_the_same_alone_and_in_a_batch),
        cmocka_unit_test(a_perfect_network_gives_the_picture),
        cmocka_unit_test(whole_trajectories_stay_with_the_published_ones),
        cmocka_unit_test(each_solver_has_its_order),
        cmocka_unit_test(a_network_that_always_says_the_same_takes_every_solver_one_way),
        cmocka_unit_test(one_step_gives_the_predicted_picture),
        cmocka_unit_test(quantiles_equal_scipy),
        cmocka_unit_test(names_are_known_as_people_type_them),
        cmocka_unit_test(the_last_step_adds_no_noise),
        cmocka_unit_test(levels_fall_at_every_limit),
        cmocka_unit_test(every_number_of_steps_begins_with_the_last_timestep),
        cmocka_unit_test(strength_starts_from_the_picture),
        cmocka_unit_test(wrong_options_are_named),
        cmocka_unit_test(noise_and_targets_equal_diffusers),
        cmocka_unit_test(min_snr_weights_equal_the_published_recipe),
        cmocka_unit_test(guidance_equals_diffusers),
        cmocka_unit_test(transparent_pixels_keep_their_colours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
