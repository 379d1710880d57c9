/* sampler.c: plan the calls of a sampler, hold its memory, and run its row on each picture. */
#include "denoise/sampler_rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct limn_sampler {
    limn_sampler_options options;
    const sampler_row *row;
    limn_schedule *schedule;
    sampler_call *calls;   /* [n_calls] */
    int n_calls;
    double init_sigma;
    int n_pictures;
    size_t picture_size;
    limn_noise *noise;     /* of the pictures */
    int before, again;     /* the call that was made last, and how often it was repeated */
    float *memory;         /* kept [n_pictures, n_kept, size]; then prediction, range, noise, more noise [size] each */
};

limn_sampler_options limn_sampler_defaults(void)
{
    return (limn_sampler_options){.name = "euler", .schedule = limn_schedule_defaults(), .n_steps = 20, .strength = 1};
}

double limn_sampler_clip(const limn_schedule_options *schedule, int channels)
{
    return schedule->kind != LIMN_SCHEDULE_FLOW && (channels == 1 || channels == 3) ? 1 : 0;
}

/* ---- options ---- */

static limn_status find_row(limn_ctx *ctx, const char *name, const sampler_row **out)
{
    char list[512] = "", shown[256];
    for (int i = 0; (*out = limn_sampler_row(i)); i++) {
        if (!strcmp((*out)->name, name)) return LIMN_OK;
        snprintf(list + strlen(list), sizeof list - strlen(list), " %s", (*out)->name);
    }
    return limn_fail(ctx, LIMN_NOT_FOUND, "no sampler \"%s\"; there are:%s",
                     limn_escape(name, strlen(name), shown, sizeof shown), list);
}

static bool takes(const sampler_row *row, limn_sigmas kind)
{
    return row->sigmas && (kind != LIMN_SIGMAS_FLOW || (row->flow && row->rounding == LIMN_TIMES_PLUS_ONE));
}

/* Levels that are no timesteps of a spacing: who takes which. */
static limn_status check_sigmas(limn_ctx *ctx, const limn_sampler_options *o, const sampler_row *row)
{
    char list[512] = "";
    const char *kind = limn_sigmas_shown(o->sigmas);
    bool flow = o->schedule.kind == LIMN_SCHEDULE_FLOW, between = limn_sigmas_have_ends(o->sigmas);
    if (o->sigmas == LIMN_SIGMAS_SPACED) return LIMN_OK;
    if (flow && between)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "sampler %s takes no %s sigmas where a model was trained on rectified flow",
                         row->name, kind);
    for (int i = 0; limn_sampler_row(i); i++)
        if (takes(limn_sampler_row(i), o->sigmas) && limn_sampler_row(i)->shown)
            snprintf(list + strlen(list), sizeof list - strlen(list), " %s", limn_sampler_row(i)->name);
    if (!takes(row, o->sigmas))
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "sampler %s %stakes no %s sigmas; others do:%s", row->name,
                         row->sigmas ? "" : "goes from timestep to timestep and ", kind, list);
    if (!flow && o->sigmas == LIMN_SIGMAS_FLOW)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "sampler %s takes %s sigmas only where a model was trained on rectified "
                         "flow", row->name, kind);
    if (!between && o->spacing != LIMN_SPACING_AUTO)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "sampler %s got %s sigmas and a spacing of timesteps, which both say where "
                         "the levels lie", row->name, kind);
    return LIMN_OK;
}

static limn_status check_options(limn_ctx *ctx, const limn_sampler_options *o, const sampler_row *row)
{
    bool flow = o->schedule.kind == LIMN_SCHEDULE_FLOW;
    bool learned = row->takes_variance && o->variance == LIMN_VARIANCE_LEARNED_RANGE;
    const char *bad = NULL;
    if (flow && !row->flow) bad = "does not sample rectified flow";
    else if (!flow && !row->vp) bad = "samples rectified flow only, and the schedule is another";
    else if ((unsigned)o->prediction >= LIMN_N_PREDICTIONS) bad = "got an unknown kind of prediction";
    else if ((unsigned)o->spacing >= LIMN_N_SPACINGS || (unsigned)o->variance >= LIMN_N_VARIANCES ||
             (unsigned)o->sigmas >= LIMN_N_SIGMAS)
        bad = "got an unknown spacing, kind of sigmas or variance";
    else if (row->raw && o->prediction == LIMN_PREDICT_X0)
        bad = "mixes what a network predicts at several levels, which must be noise or velocity, not the picture";
    else if (row->rounding == LIMN_TIMES_DISTILLED && !flow && (o->spacing != LIMN_SPACING_AUTO || o->steps_offset))
        bad = "has timesteps of its own, those of distilled networks, and takes no spacing";
    else if ((unsigned)o->rng > LIMN_RNG_CUDA) bad = "got an unknown kind of random numbers";
    else if (!(o->eta >= 0 && o->eta <= 1)) bad = "needs eta from 0 to 1";
    else if (!(o->clip >= 0 && o->clip <= 1e6)) bad = "needs clip from 0 (off) to 1e6";
    else if (!(o->from_sigma >= 0 && o->from_sigma < 1e4 && o->to_sigma >= 0 &&
               (o->to_sigma < o->from_sigma || o->to_sigma == 0)))
        bad = "needs to_sigma below from_sigma";
    else if (o->from_sigma > 0 && (o->sigmas || o->spacing != LIMN_SPACING_AUTO || o->strength != 1))
        bad = "takes neither a scheduler nor a strength together with a level to start from";
    else if (!(o->strength >= 0 && o->strength <= 1)) bad = "needs strength from 0 to 1";
    else if (o->channels < 0 || o->out_channels < o->channels || (o->channels == 0 && o->out_channels != 0))
        bad = "needs out_channels of at least channels";
    else if (learned && (o->channels == 0 || o->out_channels < 2 * o->channels))
        bad = "needs out_channels of 2 channels for a learned variance";
    return bad ? limn_fail(ctx, LIMN_BAD_ARGUMENT, "sampler %s %s", row->name, bad) : check_sigmas(ctx, o, row);
}

/* ---- plan ---- */

typedef sampler_level level; /* in the frame of x; level n_steps is the end */

/* The network reads z = scale x; in the exploding frame x = x0 + sigma n that is the vp picture. */
static double scale_at(const sampler_planner *s, const level *at)
{
    bool exploding = s->row->exploding && s->options->schedule.kind != LIMN_SCHEDULE_FLOW;
    return exploding ? 1 / sqrt(1 + at->b * at->b) : 1;
}

static level level_at(const sampler_planner *s, double time, double sigma)
{
    double root = sqrt(1 + sigma * sigma);
    return s->row->exploding ? (level){time, 1, sigma} : (level){time, 1 / root, sigma / root};
}

sampler_level sampler_level_of_sigma(const sampler_planner *p, double sigma)
{
    if (p->options->schedule.kind == LIMN_SCHEDULE_FLOW)
        return (level){sigma * p->options->schedule.n_train, 1 - sigma, sigma};
    return level_at(p, limn_schedule_time(p->schedule, sigma), sigma);
}

sampler_level sampler_level_of_time(const sampler_planner *p, double t)
{
    level at = {.time = t};
    limn_schedule_level(p->schedule, t, &at.a, &at.b);
    return at;
}

static limn_status flow_levels(limn_ctx *ctx, const sampler_planner *p, limn_spacing spacing, double *values)
{
    int n = p->options->n_steps;
    double *times = values + n;
    bool published = p->options->sigmas == LIMN_SIGMAS_FLOW;
    limn_status status = published ? limn_sigmas_of_flow(ctx, p->schedule, p->row->from_noise, n, values, times)
                         : p->options->sigmas
                             ? limn_sigmas_of_table(ctx, p->options->sigmas, p->schedule, n, values, times)
                             : limn_flow_sigmas(ctx, p->schedule, spacing, n, values);
    for (int i = 0; i < n && !status; i++)
        p->levels[i] = (level){published ? times[i] : values[i] * p->options->schedule.n_train, 1 - values[i], values[i]};
    if (published && p->row->ends_at_first) p->levels[n] = p->levels[n - 1]; /* the last step goes nowhere */
    return status;
}

/* What the network is told of a level between timesteps, as published: some samplers know whole timesteps only, rounded or,
 * by a conversion to integers, cut. */
static double told_time(const sampler_planner *p, double time)
{
    bool karras = p->options->sigmas == LIMN_SIGMAS_KARRAS, between = limn_sigmas_have_ends(p->options->sigmas);
    if (p->row->rounding != LIMN_TIMES_PLUS_ONE) return karras && p->row->whole_karras ? rint(time) : time;
    bool cut = karras ? p->options->schedule.kind == LIMN_SCHEDULE_COSINE : between;
    return cut ? floor(time) : rint(time);
}

/* Between the levels of the first and last timestep; samplers that know whole timesteps only take the whole table's ends. */
static void levels_of_ends(const sampler_planner *p, double *values)
{
    int n = p->options->n_steps;
    bool whole = p->row->rounding == LIMN_TIMES_PLUS_ONE;
    double high = limn_schedule_sigma(p->schedule, whole ? p->options->schedule.n_train - 1 : values[0]);
    double low = limn_schedule_sigma(p->schedule, whole ? 0 : values[n - 1]);
    limn_sigmas_between(p->options->sigmas, high, low, n, values);
    for (int i = 0; i < n; i++)
        p->levels[i] = level_at(p, told_time(p, limn_schedule_time(p->schedule, values[i])), values[i]);
}

static limn_status levels_of_table(limn_ctx *ctx, const sampler_planner *p, double *values)
{
    int n = p->options->n_steps;
    double *times = values + n;
    limn_status status = limn_sigmas_of_table(ctx, p->options->sigmas, p->schedule, n, values, times);
    for (int i = 0; i < n && !status; i++) p->levels[i] = level_at(p, told_time(p, times[i]), values[i]);
    return status;
}

/* Samplers that go from timestep to timestep: ddpm, ddim, plms, lcm .. */
static bool by_timesteps(const sampler_row *row)
{
    return row->rounding == LIMN_TIMES_WHOLE || row->rounding == LIMN_TIMES_DISTILLED;
}

/* From one level to another, evenly in time: x may come from elsewhere, with its own noise in it.  Where both lie beside the
 * table, and are one time: evenly in sigma. */
static void levels_between(const sampler_planner *p)
{
    const limn_sampler_options *o = p->options;
    int n = o->n_steps;
    bool flow = o->schedule.kind == LIMN_SCHEDULE_FLOW, whole = by_timesteps(p->row);
    double from = flow ? o->from_sigma / (1 + o->from_sigma) : limn_schedule_time(p->schedule, o->from_sigma);
    double to = flow ? o->to_sigma / (1 + o->to_sigma) : o->to_sigma > 0 ? limn_schedule_time(p->schedule, o->to_sigma) : 0;
    for (int i = 0; i <= n; i++) {
        double t = from + (to - from) * i / n, sigma = o->from_sigma + (o->to_sigma - o->from_sigma) * i / n;
        if (!flow && i > 0 && i < n && from != to) sigma = limn_schedule_sigma(p->schedule, t);
        if (flow) p->levels[i] = (level){t * o->schedule.n_train, 1 - t, t};
        else p->levels[i] = level_at(p, whole ? rint(t) : t, sigma);
    }
}

static limn_status levels_of_times(limn_ctx *ctx, const sampler_planner *p, limn_spacing spacing, double *values)
{
    const limn_sampler_options *o = p->options;
    int points = limn_sampler_steps(LIMN_DISTILLED_STEPS, o->table_strength ? o->strength : 1, false);
    limn_status status =
        limn_schedule_times(ctx, p->schedule, spacing, p->row->rounding, points, o->n_steps, o->steps_offset, values);
    if (status) return status;
    if (o->sigmas) levels_of_ends(p, values);
    else
        for (int i = 0; i < o->n_steps; i++)
            p->levels[i] = by_timesteps(p->row) ? sampler_level_of_time(p, values[i])
                                                : level_at(p, values[i], limn_schedule_sigma(p->schedule, values[i]));
    return LIMN_OK;
}

/* @param values  [2 n_steps], to work in */
static limn_status plan_levels(limn_ctx *ctx, const sampler_planner *p, limn_spacing spacing, double *values)
{
    const limn_sampler_options *o = p->options;
    level *end = &p->levels[o->n_steps];
    *end = (level){0, 1, 0};
    if (o->from_sigma > 0) return levels_between(p), LIMN_OK;
    if (o->schedule.kind == LIMN_SCHEDULE_FLOW) return flow_levels(ctx, p, spacing, values);
    bool table = o->sigmas && !limn_sigmas_have_ends(o->sigmas);
    limn_status status = table ? levels_of_table(ctx, p, values) : levels_of_times(ctx, p, spacing, values);
    if (status) return status;
    if (p->row->ends_at_first || (o->keep_first_noise && p->row->takes_end)) {
        *end = sampler_level_of_time(p, 0);
        if (end->b > end[-1].b) *end = end[-1]; /* levels that end at the first timestep end there for good */
    }
    return LIMN_OK;
}

/* Conversion for the network's output at z = scale x, in terms of x. */
static limn_conversion conversion_at(const sampler_planner *s, const level *at)
{
    double scale = scale_at(s, at);
    limn_conversion c = limn_convert_prediction(s->options->prediction, scale * at->a, scale * at->b);
    c.x0_x *= scale;
    c.n_x *= scale;
    return c;
}

/* 1 / (2 r) of dpm++2m; first order in the first call and in the one that ends without noise. */
static double history_weight(const level *levels, int first, int step)
{
    const level *before = &levels[step - 1], *from = &levels[step], *to = &levels[step + 1];
    if (step == first || to->b == 0) return 0;
    double h = log(to->a / to->b) - log(from->a / from->b), earlier = log(from->a / from->b) - log(before->a / before->b);
    return earlier > 0
               ? 0.5 * h / earlier
               : 0; /* 0: rounding made two timesteps of 1000 one; infinite after pure noise (a = 0): then 0 as well */
}

sampler_call *sampler_plan_call(sampler_planner *p, int step, const sampler_level *at)
{
    const level *from = &p->levels[step], *to = &p->levels[step + 1];
    if (!at) at = from;
    p->calls[p->n_calls] = (sampler_call){.step = step,
                                          .time = at->time,
                                          .scale = scale_at(p, at),
                                          .at_a = at->a,
                                          .at_b = at->b,
                                          .kept_b = at->b,
                                          .a = from->a,
                                          .b = from->b,
                                          .to_a = to->a,
                                          .to_b = to->b,
                                          .convert = conversion_at(p, at),
                                          .mixed = conversion_at(p, from),
                                          .keep_x = -1,
                                          .keep_d = -1};
    return &p->calls[p->n_calls++];
}

static void plan_calls(sampler_planner *p)
{
    for (int step = p->first; step < p->options->n_steps; step++) {
        const level *to = &p->levels[step + 1];
        if (p->row->plan) {
            p->row->plan(p, step);
            continue;
        }
        sampler_call *c = sampler_plan_call(p, step, NULL);
        if (p->row->n_kept == 1) c->history = history_weight(p->levels, p->first, step);
        if (p->row->twice && to->b > 0) sampler_plan_call(p, step, to)->corrects = true;
    }
}

/* @param levels  [n_steps + 1], values  [2 n_steps]: to work in */
static limn_status plan(limn_ctx *ctx, limn_sampler *s, double *values, level *levels)
{
    const limn_sampler_options *o = &s->options;
    bool flow = o->schedule.kind == LIMN_SCHEDULE_FLOW;
    limn_spacing spacing = o->spacing != LIMN_SPACING_AUTO ? o->spacing : flow ? LIMN_SPACING_TRAILING : s->row->usual;
    int run = limn_sampler_steps(o->n_steps, o->table_strength ? 1 : o->strength, o->rounds_up);
    int first = o->n_steps - (run > 0 ? run : 1);
    sampler_planner p = {
        .options = o, .schedule = s->schedule, .row = s->row, .levels = levels, .first = first, .calls = s->calls};
    limn_status status = plan_levels(ctx, &p, spacing, values);
    if (status) return status;
    if (levels[first].a == 0 && o->prediction == LIMN_PREDICT_EPS)
        return limn_fail(
            ctx, LIMN_BAD_ARGUMENT,
            "sampler %s: predicted noise says nothing about the picture at timestep %.9g, where the signal is zero",
            s->row->name, levels[first].time);
    double high = levels[first].b;
    plan_calls(&p);
    s->n_calls = p.n_calls;
    s->init_sigma = flow || !s->row->exploding ? 1 : spacing == LIMN_SPACING_LEADING ? sqrt(high * high + 1) : high;
    return LIMN_OK;
}

limn_status limn_sampler_new(limn_ctx *ctx, const limn_sampler_options *options, limn_sampler **out)
{
    *out = NULL;
    const sampler_row *row = NULL;
    limn_schedule *schedule = NULL;
    limn_status status = find_row(ctx, options->name, &row);
    if (!status) status = check_options(ctx, options, row);
    if (!status) status = limn_schedule_new(ctx, &options->schedule, &schedule);
    if (!status && (options->n_steps < 1 || options->n_steps > LIMN_TRAIN_STEPS_MAX))
        status = limn_fail(ctx, LIMN_BAD_ARGUMENT, "sampler %s: expected 1 to %d steps, found %d", row->name,
                           LIMN_TRAIN_STEPS_MAX, options->n_steps);
    if (status) return limn_schedule_free(schedule), status;
    size_t n = (size_t)options->n_steps, most = 2 * n + SAMPLER_MORE_CALLS;
    limn_sampler *s = calloc(1, sizeof *s);
    double *values = malloc(2 * n * sizeof *values);
    level *levels = malloc((n + 1) * sizeof *levels);
    if (s)
        *s = (limn_sampler){.options = *options, .row = row, .schedule = schedule, .calls = calloc(most, sizeof *s->calls)};
    else limn_schedule_free(schedule);
    if (!s || !values || !levels || !s->calls) status = limn_fail_memory(ctx, most * sizeof *s->calls, "sampler");
    else s->options.name = row->name;
    if (!status) status = plan(ctx, s, values, levels);
    free(values);
    free(levels);
    if (status) limn_sampler_free(s);
    else *out = s;
    return status;
}

void limn_sampler_free(limn_sampler *s)
{
    if (!s) return;
    limn_schedule_free(s->schedule);
    free(s->calls);
    limn_noise_free(s->noise);
    free(s->memory);
    free(s);
}

int limn_sampler_steps(int n_steps, double strength, bool up)
{
    double run = n_steps * strength;
    return up ? n_steps - (int)(n_steps - run) : (int)run;
}

int limn_sampler_calls(const limn_sampler *s) { return s->n_calls; }
double limn_sampler_timestep(const limn_sampler *s, int k) { return s->calls[k].time; }
double limn_sampler_input_scale(const limn_sampler *s, int k) { return s->calls[k].scale; }
double limn_sampler_init_sigma(const limn_sampler *s) { return s->init_sigma; }

void limn_sampler_level(const limn_sampler *s, int k, double *a, double *b)
{
    const sampler_call *c = &s->calls[k < s->n_calls ? k : s->n_calls - 1];
    bool after = k >= s->n_calls;
    *a = after ? c->to_a : c->at_a;
    *b = after ? c->to_b : c->at_b;
}

/* ---- run ---- */

limn_status limn_sampler_begin(limn_ctx *ctx, limn_sampler *s, int n_pictures, size_t picture_size,
                               const limn_picture_seed *seeds)
{
    size_t parts, n, bytes;
    if (n_pictures < 1 || picture_size == 0)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "sampler: expected pictures, found %d of %zu numbers", n_pictures,
                         picture_size);
    if (s->options.channels && picture_size % (size_t)s->options.channels)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "sampler: a picture of %zu numbers is not made of %d channels",
                         picture_size, s->options.channels);
    bool fits = limn_mul_size((size_t)n_pictures, (size_t)s->row->n_kept, &parts) && limn_add_size(parts, 4, &parts) &&
                limn_mul_size(parts, picture_size, &n) && limn_mul_size(n, sizeof(float), &bytes);
    float *memory = fits ? calloc(n, sizeof(float)) : NULL;
    if (!memory) return limn_fail_memory(ctx, fits ? bytes : SIZE_MAX, "sampler");
    limn_noise *noise;
    int channels = s->options.channels ? s->options.channels : 1;
    limn_status status =
        limn_noise_new(ctx, s->options.rng, n_pictures, picture_size, channels, seeds, s->options.others, &noise);
    if (status) return free(memory), status;
    free(s->memory);
    limn_noise_free(s->noise);
    s->memory = memory;
    s->noise = noise;
    s->n_pictures = n_pictures;
    s->picture_size = picture_size;
    s->before = -1, s->again = 0;
    return LIMN_OK;
}

limn_noise *limn_sampler_noise(const limn_sampler *s) { return s->noise; }

static float *scratch(const limn_sampler *s, int part)
{
    return s->memory + ((size_t)s->n_pictures * (size_t)s->row->n_kept + (size_t)part) * s->picture_size;
}

/* out = a x0 + b (starting noise) of each picture; a = 0 ignores x0 */
static void mix_start(const limn_sampler *s, double a, double b, const float *x0, float *out)
{
    float *noise = scratch(s, 2);
    for (int p = 0; p < s->n_pictures; p++) {
        size_t at = (size_t)p * s->picture_size;
        limn_noise_start_of(s->noise, p, noise);
        for (size_t i = 0; i < s->picture_size; i++) out[at + i] = (float)((a != 0 ? a * x0[at + i] : 0) + b * noise[i]);
    }
}

void limn_sampler_noised(const limn_sampler *s, int k, const float *x0, float *out)
{
    double a, b;
    limn_sampler_level(s, k, &a, &b);
    mix_start(s, a, k < s->n_calls ? s->calls[k].kept_b : b, x0, out);
}

void limn_sampler_start(const limn_sampler *s, const float *x0, float *x)
{
    if (x0) limn_sampler_noised(s, 0, x0, x);
    else mix_start(s, 0, s->init_sigma, NULL, x);
}

void limn_sampler_input(const limn_sampler *s, int k, const float *x, float *z)
{
    double scale = s->calls[k].scale;
    size_t n = (size_t)s->n_pictures * s->picture_size;
    for (size_t i = 0; i < n; i++) z[i] = (float)(scale * x[i]);
}

/* out[pixel, channels] = output[pixel, begin .. begin + channels] */
static void take_channels(const limn_sampler *s, const float *output, int begin, float *out)
{
    size_t c = (size_t)s->options.channels, wide = (size_t)s->options.out_channels;
    for (size_t pixel = 0; pixel < s->picture_size / c; pixel++)
        memcpy(out + pixel * c, output + pixel * wide + begin, c * sizeof(float));
}

void limn_sampler_estimate(const limn_sampler *s, int k, size_t size, const float *z, const float *output, float *out)
{
    const limn_sampler_options *o = &s->options;
    const sampler_call *call = &s->calls[k];
    size_t c = o->channels ? (size_t)o->channels : size, wide = o->channels ? (size_t)o->out_channels : size;
    for (size_t i = 0; i < size; i++) {
        double x0 = call->convert.x0_x * (z[i] / call->scale) + call->convert.x0_y * output[i / c * wide + i % c];
        out[i] = (float)(o->clip > 0 && x0 > o->clip ? o->clip : o->clip > 0 && x0 < -o->clip ? -o->clip : x0);
    }
}

static bool adds_noise(const limn_sampler *s, const sampler_call *call)
{
    return s->row->adds_noise ? s->row->adds_noise(&s->options, call) : call->form.noise[0] != 0;
}

static const float *draw_noise(const limn_sampler *s, int picture, uint32_t draw, int which)
{
    float *noise = scratch(s, 2 + which);
    limn_noise_step(s->noise, picture, draw, which, noise);
    return noise;
}

void limn_sampler_step(limn_sampler *s, int k, const float *output, float *x)
{
    const limn_sampler_options *o = &s->options;
    const sampler_call *call = &s->calls[k];
    size_t n = s->picture_size, out_size = o->channels ? n / (size_t)o->channels * (size_t)o->out_channels : n;
    bool part = o->channels && o->out_channels != o->channels, noisy = adds_noise(s, call), more = call->form.noise[1] != 0;
    bool learned = s->row->takes_variance && o->variance == LIMN_VARIANCE_LEARNED_RANGE;
    s->again = k == s->before ? s->again + 1 : 0, s->before = k;
    uint32_t draw = (uint32_t)s->again << 24 | (uint32_t)call->step;
    for (int p = 0; p < s->n_pictures; p++) {
        const float *y = output + (size_t)p * out_size;
        sampler_step step = {.options = o, .row = s->row, .call = call, .n = n, .prediction = y, .x = x + (size_t)p * n};
        for (int i = 0; i < s->row->n_kept; i++)
            step.kept[i] = s->memory + ((size_t)p * (size_t)s->row->n_kept + (size_t)i) * n;
        if (part) take_channels(s, y, 0, scratch(s, 0)), step.prediction = scratch(s, 0);
        if (learned) take_channels(s, y, o->channels, scratch(s, 1)), step.range = scratch(s, 1);
        if (noisy) step.noise = draw_noise(s, p, draw, 0);
        if (more) step.more_noise = draw_noise(s, p, draw, 1);
        s->row->run(&step);
    }
}
