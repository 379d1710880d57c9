/* test_scheduler_config.c: scheduler_config.json as published folders have it, against six steps of the scheduler that
 * diffusers makes of it (oracle/denoise_vectors.py); and what is wrong or unknown in it is said. */
#include "base/base.h"
#include "base/rng.h"
#include "denoise/sampler_rows.h"
#include "denoise/scheduler_config.h"
#include "vectors/denoise.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

enum { PICTURE = 4, STEPS = 6, SEED = 11 };

/* The network of oracle/denoise_vectors.py. */
static void network(const float *z, double t, float *y)
{
    for (int i = 0; i < PICTURE; i++) y[i] = (float)(0.5 * sin(1.3 * z[i] + t / 1000) + 0.2 * z[i]);
}

static void check_call(limn_sampler *s, const char *json, const vector_call *v, int k, int step, double largest)
{
    float x[PICTURE], z[PICTURE], y[PICTURE], noise[2 * PICTURE];
    for (int i = 0; i < PICTURE; i++) x[i] = (float)v->x[i];
    if (fabs(limn_sampler_timestep(s, k) - v->time) > 1e-6)
        fail_msg("%s, call %d: timestep %.9g, expected %.9g", json, k, limn_sampler_timestep(s, k), v->time);
    limn_sampler_input(s, k, x, z);
    network(z, v->time, y);
    limn_sampler_step(s, k, y, x);
    limn_random_normal(SEED, LIMN_STREAM_ANCESTRAL, (uint64_t)5 << 32 | (uint32_t)step, 0, 2 * PICTURE, noise);
    for (int i = 0; i < PICTURE; i++) {
        double expected = v->mean[i] + v->spread[i] * noise[i] + v->spread[PICTURE + i] * noise[PICTURE + i];
        if (!(fabs(x[i] - expected) <= 1e-6 * (1 + largest + fabs(expected))))
            fail_msg("%s, call %d: %.9g, expected %.9g", json, k, x[i], expected);
    }
}

static limn_status parse(limn_ctx *ctx, const char *json, limn_sampler_options *o)
{
    return limn_scheduler_config_parse(ctx, "scheduler_config.json", json, strlen(json), o);
}

static void what_diffusers_makes_of_a_file_is_made(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    for (size_t n = 0; n < sizeof vector_configs / sizeof *vector_configs; n++) {
        const char *json = vector_configs[n].json;
        limn_sampler_options o;
        limn_sampler *s;
        double largest = 0;
        if (parse(ctx, json, &o) != LIMN_OK) fail_msg("%s: %s", json, limn_error_text(ctx));
        o.n_steps = STEPS;
        if (limn_sampler_new(ctx, &o, &s) != LIMN_OK) fail_msg("%s: %s", json, limn_error_text(ctx));
        assert_int_equal(limn_sampler_calls(s), vector_configs[n].n);
        if (fabs(limn_sampler_init_sigma(s) / vector_configs[n].init_sigma - 1) > 1e-9)
            fail_msg("%s: starts from %.9g, expected %.9g", json, limn_sampler_init_sigma(s), vector_configs[n].init_sigma);
        assert_int_equal(limn_sampler_begin(ctx, s, 1, PICTURE, &(limn_picture_seed){SEED, 5}), LIMN_OK);
        for (int k = 0; k < vector_configs[n].n; k++) {
            const vector_call *v = &vector_calls[vector_configs[n].first + k];
            for (int i = 0; i < PICTURE; i++) largest = fmax(largest, fabs(v->x[i]));
            check_call(s, json, v, k, vector_configs[n].n == STEPS ? k : k / 2, largest);
        }
        limn_sampler_free(s);
    }
    limn_ctx_free(ctx);
}

/* Zero terminal SNR has a level of minus infinity: no bound of it is asked for, or met. */
static void zero_terminal_snr_needs_no_bound(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_sampler_options o;
    const char *json = "{\"_class_name\": \"DPMSolverMultistepScheduler\", \"rescale_betas_zero_snr\": true, "
                       "\"prediction_type\": \"v_prediction\"}";
    if (parse(ctx, json, &o) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    assert_true(o.schedule.zero_snr);
    limn_ctx_free(ctx);
}

static void refused(limn_ctx *ctx, limn_status expected, const char *json, const char *word)
{
    limn_sampler_options o = {.name = "untouched"};
    limn_status status = parse(ctx, json, &o);
    if (status != expected || !strstr(limn_error_text(ctx), word) || !strstr(limn_error_text(ctx), "scheduler_config.json"))
        fail_msg("%s: status %d, \"%s\" does not say \"%s\"", json, status, limn_error_text(ctx), word);
    assert_string_equal(o.name, "untouched");
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
#define EULER(more) "{\"_class_name\": \"EulerDiscreteScheduler\", " more "}"
#define DPM(more) "{\"_class_name\": \"DPMSolverMultistepScheduler\", " more "}"
#define FLOW_SIGMAS "\"use_flow_sigmas\": true, \"prediction_type\": \"flow_prediction\""
#define UNIPC(more) "{\"_class_name\": \"UniPCMultistepScheduler\", " more "}"
    static const struct {
        limn_status status;
        const char *json, *word;
    } rows[] = {
        {LIMN_BAD_FILE, "", "line"},
        {LIMN_BAD_FILE, "{", "line 1"},
        {LIMN_BAD_FILE, "[]", "expected a JSON object"},
        {LIMN_BAD_FILE, "\xff\xfe{\0}", "UTF-16"},
        {LIMN_BAD_FILE, "{}", "_class_name: expected the name of a scheduler, found nothing"},
        {LIMN_BAD_FILE, "{\"_class_name\": 3}", "found 3"},
        {LIMN_BAD_FILE, "{\"_class_name\": \"DDIMScheduler\", \"_class_name\": \"DDIMScheduler\"}", "duplicate"},
        {LIMN_UNSUPPORTED, "{\"_class_name\": \"EulerDiscretScheduler\"}", "did you mean EulerDiscreteScheduler?"},
        {LIMN_UNSUPPORTED, "{\"_class_name\": \"CogVideoXDDIMScheduler\"}", "there are: DDPMScheduler DDIMScheduler"},
        {LIMN_UNSUPPORTED, "{\"_class_name\": \"\\u001b[31m\"}", "no scheduler"},
        {LIMN_BAD_FILE, EULER("\"beta_start\": \"a\""), "beta_start: expected a number"},
        {LIMN_BAD_FILE, EULER("\"beta_start\": -1"), "beta_start: expected a number"},
        {LIMN_BAD_FILE, EULER("\"beta_start\": 0.5"), "beta_start <= beta_end"},
        {LIMN_BAD_FILE, EULER("\"beta_end\": 1e400"), "line 1"},
        {LIMN_BAD_FILE, EULER("\"num_train_timesteps\": 1e9"), "whole number from 1 to 100000"},
        {LIMN_BAD_FILE, EULER("\"num_train_timesteps\": 1000000000000000000"), "whole number from 1 to 100000"},
        {LIMN_BAD_FILE, EULER("\"num_train_timesteps\": 0"), "num_train_timesteps"},
        {LIMN_BAD_FILE, EULER("\"use_karras_sigmas\": 1"), "use_karras_sigmas: expected true or false, found 1"},
        {LIMN_BAD_FILE, EULER("\"use_karras_sigmas\": true, \"use_beta_sigmas\": true"), "found several"},
        {LIMN_BAD_FILE, EULER("\"steps_offset\": 1001, \"timestep_spacing\": \"leading\""), "steps_offset"},
        {LIMN_BAD_FILE, EULER("\"steps_offset\": 1000, \"timestep_spacing\": \"leading\""), "lies outside"},
        {LIMN_BAD_FILE, EULER("\"prediction_type\": 1"), "one of: epsilon v_prediction sample"},
        {LIMN_UNSUPPORTED, EULER("\"prediction_type\": \"flow\""), "there are epsilon v_prediction sample, found \"flow\""},
        {LIMN_UNSUPPORTED, EULER("\"beta_schedule\": \"sigmoid\""), "there are linear scaled_linear squaredcos_cap_v2"},
        {LIMN_UNSUPPORTED, EULER("\"timestep_spacing\": \"uniform\""), "timestep_spacing"},
        {LIMN_UNSUPPORTED, EULER("\"trained_betas\": [0.1, 0.2]"), "trained_betas of EulerDiscreteScheduler changes"},
        {LIMN_UNSUPPORTED, EULER("\"interpolation_type\": \"log_linear\""), "there is \"linear\" here"},
        {LIMN_UNSUPPORTED, EULER("\"timestep_type\": \"continuous\""), "timestep_type"},
        {LIMN_UNSUPPORTED, EULER("\"sigma_max\": 700.0"), "sigma_max"},
        {LIMN_UNSUPPORTED, EULER("\"final_sigmas_type\": \"sigma_min\""), "final_sigmas_type"},
        {LIMN_BAD_FILE, EULER("\"rescale_betas_zero_snr\": true, \"num_train_timesteps\": 1"), "zero SNR"},
        {LIMN_UNSUPPORTED, DPM("\"solver_order\": 3"), "there is 2 here, found 3"},
        {LIMN_UNSUPPORTED, DPM("\"solver_type\": \"heun\""), "solver_type"},
        {LIMN_UNSUPPORTED, DPM("\"algorithm_type\": \"dpmsolver\""), "algorithm_type"},
        {LIMN_UNSUPPORTED, DPM("\"thresholding\": true"), "thresholding"},
        {LIMN_UNSUPPORTED, DPM("\"use_flow_sigmas\": true"), "found one without the other"},
        {LIMN_UNSUPPORTED, DPM("\"prediction_type\": \"flow_prediction\""), "found one without the other"},
        {LIMN_UNSUPPORTED, EULER("\"prediction_type\": \"flow_prediction\""), "v_prediction sample, found \"flow"},
        {LIMN_UNSUPPORTED, UNIPC(FLOW_SIGMAS ", \"use_karras_sigmas\": true"), "use_flow_sigmas and use_beta_sigmas, found"},
        {LIMN_UNSUPPORTED, UNIPC(FLOW_SIGMAS ", \"use_dynamic_shifting\": true"), "use_dynamic_shifting"},
        {LIMN_UNSUPPORTED, UNIPC(FLOW_SIGMAS ", \"shift_terminal\": 0.02"), "shift_terminal"},
        {LIMN_BAD_FILE, UNIPC(FLOW_SIGMAS ", \"flow_shift\": 0"), "flow_shift: expected a number from"},
        {LIMN_BAD_FILE, UNIPC("\"use_flow_sigmas\": 1"), "use_flow_sigmas: expected true or false, found 1"},
        {LIMN_UNSUPPORTED, DPM("\"beta_schedule\": \"squaredcos_cap_v2\", \"lambda_min_clipped\": -5.1"),
         "cuts timesteps off"},
        {LIMN_UNSUPPORTED, UNIPC("\"disable_corrector\": [0, 1]"), "found [0,1]"},
        {LIMN_UNSUPPORTED, UNIPC("\"solver_type\": \"bh1\""), "solver_type"},
        {LIMN_UNSUPPORTED, UNIPC("\"lower_order_final\": false"), "lower_order_final"},
        {LIMN_UNSUPPORTED, UNIPC("\"predict_x0\": false"), "predict_x0"},
        {LIMN_UNSUPPORTED, "{\"_class_name\": \"LCMScheduler\", \"original_inference_steps\": 100}", "found 100"},
        {LIMN_UNSUPPORTED, "{\"_class_name\": \"DDPMScheduler\", \"variance_type\": \"learned\"}", "fixed_small"},
        {LIMN_BAD_FILE, "{\"_class_name\": \"PNDMScheduler\", \"prediction_type\": \"sample\"}", "noise or velocity"},
        {LIMN_BAD_FILE, "{\"_class_name\": \"DDIMScheduler\", \"clip_sample_range\": 0}", "clip_sample_range"},
        {LIMN_UNSUPPORTED, "{\"_class_name\": \"FlowMatchEulerDiscreteScheduler\", \"use_dynamic_shifting\": true}",
         "use_dynamic_shifting of FlowMatchEulerDiscreteScheduler changes"},
        {LIMN_UNSUPPORTED, "{\"_class_name\": \"FlowMatchEulerDiscreteScheduler\", \"shift_terminal\": 0.1}",
         "shift_terminal"},
        {LIMN_BAD_FILE, "{\"_class_name\": \"FlowMatchEulerDiscreteScheduler\", \"shift\": 0}", "shift"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) refused(ctx, rows[i].status, rows[i].json, rows[i].word);
    assert_null(strchr(limn_error_text(ctx), '\x1b'));
    limn_ctx_free(ctx);
}

static void count_warnings(void *user, limn_log_level level, const char *text)
{
    (void)text;
    *(int *)user += level >= LIMN_LOG_WARN;
}

/* Settings of other classes lie about in published files; a word that no class knows may be one that counts. */
static void words_that_nobody_knows_are_told(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_sampler_options o;
    int warnings = 0;
    limn_ctx_set_log(ctx, count_warnings, &warnings);
    assert_int_equal(parse(ctx, EULER("\"skip_prk_steps\": true, \"_diffusers_version\": \"9\""), &o), LIMN_OK);
    assert_int_equal(warnings, 0);
    assert_int_equal(parse(ctx, EULER("\"use_better_noise\": true"), &o), LIMN_OK);
    assert_int_equal(warnings, 1);
    limn_ctx_free(ctx);
}

static void a_file_is_read(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_sampler_options o;
    FILE *file = fopen("scheduler_config_test.json", "w");
    assert_non_null(file);
    fputs("\xef\xbb\xbf" DPM("\"lambda_min_clipped\": -Infinity, \"_note\": \"-Infinity \\\" -Infinity\""), file);
    fclose(file);
    assert_int_equal(limn_scheduler_config_read(ctx, "scheduler_config_test.json", &o), LIMN_OK);
    assert_string_equal(o.name, "dpm++2m");
    remove("scheduler_config_test.json");
    assert_int_equal(limn_scheduler_config_read(ctx, "scheduler_config_test.json", &o), LIMN_NOT_FOUND);
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_diffusers_makes_of_a_file_is_made),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(words_that_nobody_knows_are_told),
        cmocka_unit_test(zero_terminal_snr_needs_no_bound),
        cmocka_unit_test(a_file_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
