/* scheduler_config.c: see scheduler_config.h.  Classes, keys and defaults as in diffusers 0.42. */
#include "denoise/scheduler_config.h"

#include "base/json.h"
#include "denoise/sampler_rows.h"
#include "file/bytes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CONFIG_LIMIT = 1 << 20 };

/* ---- classes ---------------------------------------------------------------------------------------------------------- */

enum {
    DDPM,
    DDIM,
    PNDM,
    EULER,
    EULER_A,
    HEUN,
    KDPM2,
    KDPM2_A,
    LMS,
    DPM,
    SDE,
    UNIPC,
    DEIS,
    LCM,
    TCD,
    FLOW_EULER,
    FLOW_HEUN,
    N_CLASSES
};

#define BIT(class) (1u << (class))
enum {
    FLOW = BIT(FLOW_EULER) | BIT(FLOW_HEUN),
    SIGMAS = BIT(EULER) | BIT(HEUN) | BIT(KDPM2) | BIT(KDPM2_A) | BIT(LMS) | BIT(DPM) | BIT(SDE) | BIT(UNIPC) | BIT(DEIS),
    MULTI = BIT(DPM) | BIT(UNIPC) | BIT(DEIS),
    DISTILLED = BIT(LCM) | BIT(TCD),
    CLIPS = BIT(DDPM) | BIT(DDIM) | BIT(HEUN) | BIT(LCM),
    ZERO_SNR = BIT(DDPM) | BIT(DDIM) | BIT(EULER) | BIT(EULER_A) | BIT(DPM) | BIT(UNIPC) | DISTILLED,
    DIFFUSION = BIT(N_CLASSES) - 1 - FLOW,
};

typedef struct scheduler_class {
    const char *name, *sampler;
    limn_schedule_kind kind;
    double beta_start, beta_end;
    limn_spacing spacing;
    bool clips, keeps_first; /* clip_sample and not set_alpha_to_one where the file does not say */
} scheduler_class;

static const scheduler_class classes[N_CLASSES] = {
    [DDPM] = {"DDPMScheduler", "ddpm", LIMN_SCHEDULE_LINEAR, 1e-4, 0.02, LIMN_SPACING_LEADING, true, false},
    [DDIM] = {"DDIMScheduler", "ddim", LIMN_SCHEDULE_LINEAR, 1e-4, 0.02, LIMN_SPACING_LEADING, true, false},
    [PNDM] = {"PNDMScheduler", "pndm", LIMN_SCHEDULE_LINEAR, 1e-4, 0.02, LIMN_SPACING_LEADING, false, true},
    [EULER] = {"EulerDiscreteScheduler", "euler", LIMN_SCHEDULE_LINEAR, 1e-4, 0.02, LIMN_SPACING_LINSPACE, false, false},
    [EULER_A] = {"EulerAncestralDiscreteScheduler", "euler_a", LIMN_SCHEDULE_LINEAR, 1e-4, 0.02, LIMN_SPACING_LINSPACE,
                 false, false},
    [HEUN] = {"HeunDiscreteScheduler", "heun", LIMN_SCHEDULE_LINEAR, 0.00085, 0.012, LIMN_SPACING_LINSPACE, false, false},
    [KDPM2] = {"KDPM2DiscreteScheduler", "dpm2", LIMN_SCHEDULE_LINEAR, 0.00085, 0.012, LIMN_SPACING_LINSPACE, false, false},
    [KDPM2_A] = {"KDPM2AncestralDiscreteScheduler", "dpm2_a", LIMN_SCHEDULE_LINEAR, 0.00085, 0.012, LIMN_SPACING_LINSPACE,
                 false, false},
    [LMS] = {"LMSDiscreteScheduler", "lms", LIMN_SCHEDULE_LINEAR, 1e-4, 0.02, LIMN_SPACING_LINSPACE, false, false},
    [DPM] = {"DPMSolverMultistepScheduler", "dpm++2m", LIMN_SCHEDULE_LINEAR, 1e-4, 0.02, LIMN_SPACING_LINSPACE, false,
             false},
    [SDE] = {"DPMSolverSDEScheduler", "dpm++sde", LIMN_SCHEDULE_LINEAR, 0.00085, 0.012, LIMN_SPACING_LINSPACE, false, false},
    [UNIPC] = {"UniPCMultistepScheduler", "unipc", LIMN_SCHEDULE_LINEAR, 1e-4, 0.02, LIMN_SPACING_LINSPACE, false, false},
    [DEIS] = {"DEISMultistepScheduler", "deis", LIMN_SCHEDULE_LINEAR, 1e-4, 0.02, LIMN_SPACING_LINSPACE, false, false},
    [LCM] = {"LCMScheduler", "lcm", LIMN_SCHEDULE_SCALED_LINEAR, 0.00085, 0.012, LIMN_SPACING_AUTO, false, false},
    [TCD] = {"TCDScheduler", "tcd", LIMN_SCHEDULE_SCALED_LINEAR, 0.00085, 0.012, LIMN_SPACING_AUTO, false, false},
    [FLOW_EULER] = {"FlowMatchEulerDiscreteScheduler", "euler", LIMN_SCHEDULE_FLOW, 0, 0, LIMN_SPACING_LINSPACE, false,
                    false},
    [FLOW_HEUN] = {"FlowMatchHeunDiscreteScheduler", "heun", LIMN_SCHEDULE_FLOW, 0, 0, LIMN_SPACING_LINSPACE, false, false},
};

/* ---- values ----------------------------------------------------------------------------------------------------------- */

typedef struct config {
    limn_ctx *ctx;
    const char *file;
    json_t *root;
    int class;
    limn_status status;
} config;

static bool ok(const config *c) { return c->status == LIMN_OK; }

/* A value as it stands in the file, cut where it is long; NULL: it is not there. */
static const char *shown(const json_t *value, char out[80])
{
    char *text = limn_json_text(value, JSON_ENCODE_ANY | JSON_COMPACT);
    snprintf(out, 80, "%.79s", text ? text : "nothing");
    free(text);
    return out;
}

static void wrong(config *c, const char *key, const char *expected)
{
    char found[80];
    c->status = limn_fail(c->ctx, LIMN_BAD_FILE, "%s: %s: expected %s, found %s", c->file, key, expected,
                          shown(json_object_get(c->root, key), found));
}

/* NULL where the file does not say, or says null. */
static const json_t *value_of(const config *c, const char *key)
{
    const json_t *value = json_object_get(c->root, key);
    return json_is_null(value) ? NULL : value;
}

static bool truth(config *c, const char *key, bool otherwise)
{
    const json_t *value = ok(c) ? value_of(c, key) : NULL;
    if (!value) return otherwise;
    if (!json_is_boolean(value)) wrong(c, key, "true or false");
    return json_is_true(value);
}

static double real(config *c, const char *key, double low, double high, double otherwise)
{
    const json_t *value = ok(c) ? value_of(c, key) : NULL;
    double found = json_number_value(value);
    char expected[80];
    if (!value) return otherwise;
    if (json_is_number(value) && found >= low && found <= high) return found;
    limn_format(expected, sizeof expected, "a number from %.9g to %.9g", low, high);
    wrong(c, key, expected);
    return otherwise;
}

static int whole(config *c, const char *key, int low, int high, int otherwise)
{
    const json_t *value = ok(c) ? value_of(c, key) : NULL;
    char expected[80];
    if (!value) return otherwise;
    if (json_is_integer(value) && json_integer_value(value) >= low && json_integer_value(value) <= high)
        return (int)json_integer_value(value);
    snprintf(expected, sizeof expected, "a whole number from %d to %d", low, high);
    wrong(c, key, expected);
    return otherwise;
}

/* The place of a text in "one two three"; -1 where the file does not say. */
static int choice(config *c, const char *key, const char *words)
{
    const json_t *value = ok(c) ? value_of(c, key) : NULL;
    const char *text = json_string_value(value);
    int i = 0;
    char expected[160], found[80];
    if (!value) return -1;
    for (const char *word = words; text && *word; i++) {
        size_t n = strcspn(word, " ");
        if (strlen(text) == n && !strncmp(text, word, n)) return i;
        word += n + (word[n] == ' ');
    }
    snprintf(expected, sizeof expected, "one of: %s", words);
    if (!text) wrong(c, key, expected);
    else
        c->status = limn_fail(c->ctx, LIMN_UNSUPPORTED, "%s: %s of %s: there are %s, found %s", c->file, key,
                              classes[c->class].name, words, shown(value, found));
    return -1;
}

/* ---- what must be as it is here --------------------------------------------------------------------------------------- */

/* JSON texts of the values with which we do as published, separated by spaces; "null" is also a key that is not there. */
static const struct fixed {
    const char *key;
    unsigned classes;
    const char *values;
} fixed[] = {
    {"trained_betas", DIFFUSION, "null"},
    {"thresholding", BIT(DDPM) | BIT(DDIM) | MULTI | BIT(LCM), "null false"},
    {"interpolation_type", BIT(EULER), "null \"linear\""},
    {"timestep_type", BIT(EULER), "null \"discrete\""},
    {"sigma_min", BIT(EULER) | BIT(UNIPC), "null"},
    {"sigma_max", BIT(EULER) | BIT(UNIPC), "null"},
    {"final_sigmas_type", BIT(EULER) | BIT(DPM) | BIT(UNIPC), "null \"zero\""},
    {"solver_order", MULTI, "null 2"},
    {"solver_type", BIT(DPM), "null \"midpoint\" \"logrho\" \"bh1\" \"bh2\""},
    {"solver_type", BIT(UNIPC), "null \"bh2\" \"midpoint\" \"heun\" \"logrho\""},
    {"solver_type", BIT(DEIS), "null \"logrho\" \"midpoint\" \"heun\" \"bh1\" \"bh2\""},
    {"algorithm_type", BIT(DEIS), "null \"deis\" \"dpmsolver\" \"dpmsolver++\""},
    {"lower_order_final", BIT(UNIPC) | BIT(DEIS), "null true"},
    {"use_lu_lambdas", BIT(DPM), "null false"},
    {"use_dynamic_shifting", MULTI | BIT(FLOW_EULER), "null false"},
    {"variance_type", BIT(DPM), "null \"learned\" \"learned_range\""},
    {"predict_x0", BIT(UNIPC), "null true"},
    {"disable_corrector", BIT(UNIPC), "null []"},
    {"solver_p", BIT(UNIPC), "null"},
    {"shift_terminal", BIT(UNIPC) | BIT(FLOW_EULER), "null"},
    {"original_inference_steps", DISTILLED, "null 50"},
    {"timestep_scaling", BIT(LCM), "null 10 10.0"},
    {"invert_sigmas", BIT(FLOW_EULER), "null false"},
    {"stochastic_sampling", BIT(FLOW_EULER), "null false"},
    {"use_karras_sigmas", BIT(FLOW_EULER), "null false"},
    {"use_exponential_sigmas", BIT(FLOW_EULER), "null false"},
    {"use_beta_sigmas", BIT(FLOW_EULER), "null false"},
};

/* Keys that are read below, and keys that change nothing where those above are as they must be. */
static const struct known {
    const char *key;
    unsigned classes;
} known[] = {
    {"num_train_timesteps", DIFFUSION | FLOW},
    {"beta_start", DIFFUSION},
    {"beta_end", DIFFUSION},
    {"beta_schedule", DIFFUSION},
    {"prediction_type", DIFFUSION},
    {"timestep_spacing", DIFFUSION},
    {"steps_offset", DIFFUSION},
    {"rescale_betas_zero_snr", ZERO_SNR},
    {"use_karras_sigmas", SIGMAS},
    {"use_exponential_sigmas", SIGMAS},
    {"use_beta_sigmas", SIGMAS},
    {"use_flow_sigmas", MULTI},
    {"clip_sample", CLIPS | BIT(TCD)},
    {"clip_sample_range", CLIPS | BIT(TCD)},
    {"set_alpha_to_one", BIT(DDIM) | BIT(PNDM) | DISTILLED},
    {"skip_prk_steps", BIT(PNDM)},
    {"variance_type", BIT(DDPM)},
    {"algorithm_type", BIT(DPM)},
    {"lambda_min_clipped", BIT(DPM)},
    {"shift", FLOW},
    {"thresholding", BIT(TCD)},
    {"timestep_scaling", BIT(TCD)},
    {"dynamic_thresholding_ratio", DIFFUSION},
    {"sample_max_value", DIFFUSION},
    {"euler_at_final", BIT(DPM)},
    {"lower_order_final", BIT(DPM)},
    {"flow_shift", MULTI},
    {"time_shift_type", MULTI | BIT(FLOW_EULER)},
    {"noise_sampler_seed", BIT(SDE)},
    {"base_shift", BIT(FLOW_EULER)},
    {"max_shift", BIT(FLOW_EULER)},
    {"base_image_seq_len", BIT(FLOW_EULER)},
    {"max_image_seq_len", BIT(FLOW_EULER)},
};

static bool among(const char *values, const char *text)
{
    size_t n = strlen(text);
    for (const char *at = values; (at = strstr(at, text)); at += n)
        if ((at == values || at[-1] == ' ') && (at[n] == ' ' || !at[n])) return true;
    return false;
}

static void check_fixed(config *c)
{
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed && ok(c); i++) {
        const json_t *value = value_of(c, fixed[i].key);
        char found[80];
        if (!(fixed[i].classes & BIT(c->class)) || !value || among(fixed[i].values, shown(value, found))) continue;
        const char *others = strchr(fixed[i].values, ' ');
        c->status = limn_fail(c->ctx, LIMN_UNSUPPORTED, "%s: %s of %s changes the pictures: there is %s here, found %s",
                              c->file, fixed[i].key, classes[c->class].name, others ? others + 1 : "null", found);
    }
}

/* Of which classes a key is a setting. */
static unsigned classes_of(const char *key)
{
    unsigned found = 0;
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (!strcmp(key, fixed[i].key)) found |= fixed[i].classes;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(key, known[i].key)) found |= known[i].classes;
    return found;
}

/* Other classes' settings lie about in many files and are read by nobody; other words are no settings at all. */
static void tell_strangers(const config *c)
{
    const char *key;
    json_t *value;
    json_object_foreach(c->root, key, value) if (key[0] != '_' && !classes_of(key))
        limn_log(c->ctx, LIMN_LOG_WARN, "%s: \"%.80s\" is no setting of %s, as far as is known here: it is not looked at",
                 c->file, key, classes[c->class].name);
}

/* ---- options ---------------------------------------------------------------------------------------------------------- */

static void read_schedule(config *c, limn_schedule_options *o)
{
    static const limn_schedule_kind kinds[] = {LIMN_SCHEDULE_LINEAR, LIMN_SCHEDULE_SCALED_LINEAR, LIMN_SCHEDULE_COSINE};
    const scheduler_class *class = &classes[c->class];
    o->kind = class->kind;
    o->n_train = whole(c, "num_train_timesteps", 1, LIMN_TRAIN_STEPS_MAX, 1000);
    bool flow_sigmas = (MULTI & BIT(c->class)) && truth(c, "use_flow_sigmas", false);
    if (flow_sigmas) o->kind = LIMN_SCHEDULE_FLOW;
    if (o->kind == LIMN_SCHEDULE_FLOW) {
        o->shift = real(c, flow_sigmas ? "flow_shift" : "shift", 1e-4, 1e4, 1);
        return;
    }
    int kind = choice(c, "beta_schedule", "linear scaled_linear squaredcos_cap_v2");
    if (kind >= 0) o->kind = kinds[kind];
    o->beta_start = real(c, "beta_start", 1e-12, 1, class->beta_start);
    o->beta_end = real(c, "beta_end", 1e-12, 1, class->beta_end);
    if (ZERO_SNR & BIT(c->class)) o->zero_snr = truth(c, "rescale_betas_zero_snr", false);
}

static void read_sigmas(config *c, limn_sampler_options *o)
{
    bool karras = truth(c, "use_karras_sigmas", false), exponential = truth(c, "use_exponential_sigmas", false),
         beta = truth(c, "use_beta_sigmas", false), flow = o->schedule.kind == LIMN_SCHEDULE_FLOW;
    if (ok(c) && karras + exponential + beta + flow > 1)
        c->status = limn_fail(c->ctx, flow ? LIMN_UNSUPPORTED : LIMN_BAD_FILE,
                              "%s: expected one of use_karras_sigmas, use_exponential_sigmas%s and use_beta_sigmas, found "
                              "several", c->file, flow ? ", use_flow_sigmas" : "");
    if (karras) o->sigmas = LIMN_SIGMAS_KARRAS;
    else if (exponential) o->sigmas = LIMN_SIGMAS_EXPONENTIAL;
    else if (beta) o->sigmas = LIMN_SIGMAS_BETA_RANGE;
    else if (flow) o->sigmas = LIMN_SIGMAS_FLOW;
}

static void read_spacing(config *c, limn_sampler_options *o)
{
    static const limn_spacing spacings[] = {LIMN_SPACING_LEADING, LIMN_SPACING_LINSPACE, LIMN_SPACING_TRAILING};
    o->spacing = classes[c->class].spacing;
    if (o->schedule.kind == LIMN_SCHEDULE_FLOW && MULTI & BIT(c->class)) o->spacing = LIMN_SPACING_AUTO;
    if (o->schedule.kind == LIMN_SCHEDULE_FLOW || DISTILLED & BIT(c->class)) return; /* not read there */
    int spacing = choice(c, "timestep_spacing", "leading linspace trailing");
    if (spacing >= 0) o->spacing = spacings[spacing];
    int offset = whole(c, "steps_offset", 0, o->schedule.n_train, 0);
    if (o->spacing == LIMN_SPACING_LEADING) o->steps_offset = offset; /* others do without */
}

/* DPM-Solver cuts the noisiest timesteps off where log(a / b) is below a number. */
static void check_clipped_noise(config *c, const limn_schedule_options *o)
{
    double least = real(c, "lambda_min_clipped", -1e308, 1e308, -1e308), a, b;
    if (!(least > -1e308)) return;
    limn_schedule *schedule;
    if (!ok(c) || (c->status = limn_schedule_new(c->ctx, o, &schedule)) != LIMN_OK) return;
    limn_schedule_level(schedule, o->n_train - 1, &a, &b);
    limn_schedule_free(schedule);
    double lambda = log(fmax(a / b, 0x1p-24)); /* of zero terminal SNR, as diffusers has it */
    if (lambda < least)
        c->status =
            limn_fail(c->ctx, LIMN_UNSUPPORTED,
                      "%s: lambda_min_clipped of %s cuts timesteps off: there is only what cuts none here, %.9g at most, "
                      "found %.9g",
                      c->file, classes[c->class].name, lambda, least);
}

/* What only one or two classes have. */
static void read_own(config *c, limn_sampler_options *o)
{
    static const limn_variance variances[] = {LIMN_VARIANCE_SMALL, LIMN_VARIANCE_SMALL, LIMN_VARIANCE_LARGE,
                                              LIMN_VARIANCE_LEARNED_RANGE};
    const scheduler_class *class = &classes[c->class];
    int i = -1;
    if (c->class == DDPM) i = choice(c, "variance_type", "fixed_small fixed_small_log fixed_large learned_range");
    if (i >= 0) o->variance = variances[i];
    if (c->class == PNDM && truth(c, "skip_prk_steps", false)) o->name = "plms";
    if (c->class == DPM && choice(c, "algorithm_type", "dpmsolver++ sde-dpmsolver++ deis") == 1) o->name = "dpm++2m_sde";
    if (c->class == DPM && o->schedule.kind != LIMN_SCHEDULE_FLOW && ok(c)) check_clipped_noise(c, &o->schedule);
    if (c->class == DDIM || c->class == PNDM) o->keep_first_noise = !truth(c, "set_alpha_to_one", !class->keeps_first);
    if (CLIPS & BIT(c->class) && truth(c, "clip_sample", class->clips)) o->clip = real(c, "clip_sample_range", 1e-6, 1e6, 1);
}

/* Flow levels go with what flow networks predict, and that with flow levels. */
static void read_prediction(config *c, limn_sampler_options *o)
{
    static const limn_prediction kinds[] = {LIMN_PREDICT_EPS, LIMN_PREDICT_V, LIMN_PREDICT_X0, LIMN_PREDICT_FLOW};
    bool flow = o->schedule.kind == LIMN_SCHEDULE_FLOW, multi = MULTI & BIT(c->class);
    o->prediction = flow && !multi ? LIMN_PREDICT_FLOW : LIMN_PREDICT_EPS;
    if (flow && !multi) return;
    int i = choice(c, "prediction_type",
                   multi ? "epsilon v_prediction sample flow_prediction" : "epsilon v_prediction sample");
    if (i >= 0) o->prediction = kinds[i];
    if (ok(c) && flow != (o->prediction == LIMN_PREDICT_FLOW))
        c->status = limn_fail(c->ctx, LIMN_UNSUPPORTED, "%s: use_flow_sigmas of %s and a prediction_type of flow_prediction "
                              "go together here, found one without the other", c->file, classes[c->class].name);
}

static void read_options(config *c, limn_sampler_options *o)
{
    *o = limn_sampler_defaults();
    o->name = classes[c->class].sampler;
    check_fixed(c);
    read_schedule(c, &o->schedule);
    read_prediction(c, o);
    read_spacing(c, o);
    if (SIGMAS & BIT(c->class)) read_sigmas(c, o);
    read_own(c, o);
}

/* As many steps as are asked of any sampler by a person in a hurry: what is wrong with the options together, it says. */
static void check_together(config *c, const limn_sampler_options *o)
{
    limn_sampler_options few = *o;
    limn_sampler *s;
    if (!ok(c)) return;
    few.n_steps = 1;
    if (few.variance == LIMN_VARIANCE_LEARNED_RANGE) few.channels = 1, few.out_channels = 2;
    c->status = limn_sampler_new(c->ctx, &few, &s);
    if (c->status == LIMN_OK) limn_sampler_free(s);
    else limn_fail_in(c->ctx, c->status = c->status == LIMN_NO_MEMORY ? c->status : LIMN_BAD_FILE, "%s", c->file);
}

static void find_class(config *c)
{
    const json_t *value = value_of(c, "_class_name");
    const char *name = json_string_value(value);
    char list[640] = "", found[80];
    if (!name) {
        wrong(c, "_class_name", "the name of a scheduler");
        return;
    }
    limn_near near = limn_near_to(name, strlen(name));
    for (c->class = 0; c->class < N_CLASSES; c->class++) {
        if (!strcmp(name, classes[c->class].name)) return;
        limn_near_try(&near, classes[c->class].name, strlen(classes[c->class].name));
        snprintf(list + strlen(list), sizeof list - strlen(list), " %s", classes[c->class].name);
    }
    c->status = limn_fail(c->ctx, LIMN_UNSUPPORTED, "%s: no scheduler %s; there are:%s%s", c->file, shown(value, found),
                          list, limn_near_text(&near));
}

/* Python writes -Infinity, which is no JSON, where there is no limit: a number that is nearly so takes its place. */
static void without_infinity(char *text, size_t n)
{
    static const char word[] = "-Infinity", number[] = "-1e308   ";
    bool quoted = false;
    for (size_t i = 0; i < n; i++) {
        if (quoted && text[i] == '\\') i++;
        else if (text[i] == '"') quoted = !quoted;
        else if (!quoted && n - i >= sizeof word - 1 && !memcmp(text + i, word, sizeof word - 1))
            memcpy(text + i, number, sizeof number - 1);
    }
}

static limn_status parse(config *c, char *text, size_t n, limn_sampler_options *out)
{
    json_error_t error;
    limn_sampler_options o;
    without_infinity(text, n);
    c->root = limn_json_parse(text, n, &error);
    if (!c->root)
        return limn_fail(c->ctx, LIMN_BAD_FILE, "%s: line %d, column %d: %s", c->file, error.line, error.column, error.text);
    if (!json_is_object(c->root)) c->status = limn_fail(c->ctx, LIMN_BAD_FILE, "%s: expected a JSON object", c->file);
    if (ok(c)) find_class(c);
    if (ok(c)) read_options(c, &o);
    check_together(c, &o);
    if (ok(c)) tell_strangers(c);
    if (ok(c)) *out = o;
    json_decref(c->root);
    return c->status;
}

limn_status limn_scheduler_config_parse(limn_ctx *ctx, const char *file, const void *bytes, size_t n,
                                        limn_sampler_options *out)
{
    config c = {.ctx = ctx, .file = file};
    size_t begin;
    limn_status status = limn_text_begin(ctx, file, bytes, n, &begin);
    if (status != LIMN_OK) return status;
    char *copy = malloc(n - begin + 1);
    if (!copy) return limn_fail_memory(ctx, n - begin + 1, "scheduler_config.json");
    memcpy(copy, (const char *)bytes + begin, n - begin);
    copy[n - begin] = '\0';
    status = parse(&c, copy, n - begin, out);
    free(copy);
    return status;
}

limn_status limn_scheduler_config_read(limn_ctx *ctx, const char *file, limn_sampler_options *out)
{
    unsigned char *bytes;
    size_t n;
    limn_status status = limn_file_read(ctx, file, CONFIG_LIMIT, &bytes, &n);
    if (status != LIMN_OK) return status;
    status = limn_scheduler_config_parse(ctx, file, bytes, n, out);
    free(bytes);
    return status;
}
