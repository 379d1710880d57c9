/* schedule.c: noise levels and the timesteps that a sampler visits. */
#include "denoise/schedule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PI 3.14159265358979323846
#define ZERO_SNR_ALPHA_BAR 0x1p-24 /* in place of 0 where a sigma is wanted */

limn_schedule_options limn_schedule_defaults(void)
{
    return (limn_schedule_options){
        .kind = LIMN_SCHEDULE_LINEAR, .n_train = 1000, .beta_start = 1e-4, .beta_end = 0.02, .shift = 1};
}

bool limn_schedule_find(const char *name, limn_schedule_kind *out)
{
    static const struct { const char *name; limn_schedule_kind kind;
    } rows[] = {
        {"linear", LIMN_SCHEDULE_LINEAR},
        {"scaled_linear", LIMN_SCHEDULE_SCALED_LINEAR},
        {"squaredcos_cap_v2", LIMN_SCHEDULE_COSINE},
        {"cosine", LIMN_SCHEDULE_COSINE},
        {"flow", LIMN_SCHEDULE_FLOW},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strcmp(name, rows[i].name)) {
            *out = rows[i].kind;
            return true;
        }
    return false;
}

const char *limn_schedule_name(limn_schedule_kind kind)
{
    static const char *const names[LIMN_N_SCHEDULES] = {"linear", "scaled_linear", "cosine", "flow"};
    return kind < LIMN_N_SCHEDULES ? names[kind] : "?";
}

/* ---- tables ---- */

static double cosine_alpha_bar(double u)
{
    double c = cos((u + 0.008) / 1.008 * PI / 2);
    return c * c;
}

static double beta_at(const limn_schedule_options *o, int t)
{
    double part = o->n_train > 1 ? (double)t / (o->n_train - 1) : 0, low = sqrt(o->beta_start), high = sqrt(o->beta_end);
    switch (o->kind) {
    case LIMN_SCHEDULE_COSINE:
        return fmin(1 - cosine_alpha_bar((t + 1.0) / o->n_train) / cosine_alpha_bar((double)t / o->n_train), 0.999);
    case LIMN_SCHEDULE_SCALED_LINEAR: return (low + part * (high - low)) * (low + part * (high - low));
    default: return o->beta_start + part * (o->beta_end - o->beta_start);
    }
}

/* sqrt(alpha_bar) is moved so that the last is 0 and stretched so that the first stays. */
static void rescale_to_zero_snr(double *alpha_bar, int n)
{
    double first = sqrt(alpha_bar[0]), last = sqrt(alpha_bar[n - 1]);
    for (int t = 0; t < n; t++) {
        double root = (sqrt(alpha_bar[t]) - last) * first / (first - last);
        alpha_bar[t] = root * root;
    }
    alpha_bar[n - 1] = 0;
}

static limn_status check_options(limn_ctx *ctx, const limn_schedule_options *o)
{
    if ((unsigned)o->kind >= LIMN_N_SCHEDULES)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "schedule: unknown kind %d", (int)o->kind);
    if (o->n_train < 1 || o->n_train > LIMN_TRAIN_STEPS_MAX)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "schedule: expected 1 to %d training timesteps, found %d",
                         LIMN_TRAIN_STEPS_MAX, o->n_train);
    if (o->kind == LIMN_SCHEDULE_FLOW)
        return o->shift > 0 && o->shift <= 1e4
                   ? LIMN_OK
                   : limn_fail(ctx, LIMN_BAD_ARGUMENT, "schedule: expected a shift above 0, 10000 at most, found %.9g",
                               o->shift);
    bool uses_betas = o->kind != LIMN_SCHEDULE_COSINE;
    if (uses_betas && !(o->beta_start > 0 && o->beta_start <= o->beta_end && o->beta_end < 1))
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "schedule: expected 0 < beta_start <= beta_end < 1, found %.9g and %.9g",
                         o->beta_start, o->beta_end);
    if (o->zero_snr && o->n_train < 2)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "schedule: zero SNR needs two timesteps, found %d", o->n_train);
    return LIMN_OK;
}

limn_status limn_schedule_new(limn_ctx *ctx, const limn_schedule_options *options, limn_schedule **out)
{
    *out = NULL;
    limn_status status = check_options(ctx, options);
    if (status) return status;
    size_t n = (size_t)options->n_train;
    limn_schedule *schedule = calloc(1, sizeof *schedule);
    if (schedule && options->kind != LIMN_SCHEDULE_FLOW) schedule->alpha_bar = malloc(n * sizeof(double));
    if (!schedule || (options->kind != LIMN_SCHEDULE_FLOW && !schedule->alpha_bar)) {
        free(schedule);
        return limn_fail_memory(ctx, n * sizeof(double), "noise schedule");
    }
    schedule->options = *options;
    double product = 1;
    for (int t = 0; schedule->alpha_bar && t < options->n_train; t++)
        schedule->alpha_bar[t] = product *= 1 - beta_at(options, t);
    if (schedule->alpha_bar && options->zero_snr) rescale_to_zero_snr(schedule->alpha_bar, options->n_train);
    *out = schedule;
    return LIMN_OK;
}

void limn_schedule_free(limn_schedule *schedule)
{
    if (schedule) free(schedule->alpha_bar);
    free(schedule);
}

/* ---- levels ---- */

double limn_schedule_alpha_bar(const limn_schedule *schedule, int t)
{
    int last = schedule->options.n_train - 1;
    return t < 0 ? 1 : schedule->alpha_bar[t < last ? t : last];
}

void limn_schedule_level(const limn_schedule *schedule, double t, double *a, double *b)
{
    double top = schedule->options.n_train;
    if (schedule->options.kind == LIMN_SCHEDULE_FLOW) {
        *b = fmin(fmax(t / top, 0), 1);
        *a = 1 - *b;
        return;
    }
    double alpha_bar = limn_schedule_alpha_bar(schedule, (int)rint(fmin(fmax(t, 0), top - 1)));
    *a = sqrt(alpha_bar);
    *b = sqrt(1 - alpha_bar);
}

static double sigma_at(const limn_schedule *schedule, int t)
{
    double alpha_bar = schedule->alpha_bar[t] > 0 ? schedule->alpha_bar[t] : ZERO_SNR_ALPHA_BAR;
    return sqrt((1 - alpha_bar) / alpha_bar);
}

double limn_schedule_sigma(const limn_schedule *schedule, double t)
{
    int last = schedule->options.n_train - 1;
    if (!(t > 0)) return sigma_at(schedule, 0);
    if (t >= last) return sigma_at(schedule, last);
    int low = (int)t;
    double part = t - low, from = sigma_at(schedule, low);
    return part > 0 ? from + part * (sigma_at(schedule, low + 1) - from) : from;
}

double limn_schedule_time(const limn_schedule *schedule, double sigma)
{
    int low = 0, high = schedule->options.n_train - 1;
    if (high == 0) return 0;
    while (high - low > 1) { /* sigma rises with t */
        int middle = (low + high) / 2;
        if (sigma_at(schedule, middle) <= sigma) low = middle;
        else high = middle;
    }
    double from = log(sigma_at(schedule, low)), to = log(sigma_at(schedule, high)), at = log(fmax(sigma, 1e-10));
    return low + fmin(fmax((at - from) / (to - from), 0), 1);
}

/* ---- spacing ---- */

bool limn_spacing_find(const char *name, limn_spacing *out)
{
    static const char *const names[LIMN_N_SPACINGS] = {"auto", "leading", "linspace", "trailing"};
    for (int i = 0; i < LIMN_N_SPACINGS; i++)
        if (!strcmp(name, names[i])) {
            *out = (limn_spacing)i;
            return true;
        }
    return false;
}

static double time_at(limn_spacing spacing, limn_rounding rounding, int n_train, int distilled, int n_steps, int offset,
                      int i)
{
    if (rounding == LIMN_TIMES_DISTILLED)
        return (distilled - floor(i * ((double)distilled / n_steps))) * (n_train / LIMN_DISTILLED_STEPS) - 1;
    bool more = rounding == LIMN_TIMES_PLUS_ONE;
    int points = n_steps + more, rising = points - 1 - i; /* i counts from the noisy end */
    switch (spacing) {
    case LIMN_SPACING_LEADING: return (double)rising * (n_train / points) + offset;
    case LIMN_SPACING_TRAILING: return rint(n_train - i * ((double)n_train / n_steps)) - 1;
    default: {
        /* the last of numpy's linspace() is the end itself, whatever the product rounds to; one step starts at pure noise */
        double t = rising == points - 1 ? n_train - 1 : rising * ((n_train - 1.0) / (points - 1));
        return rounding == LIMN_TIMES_REAL ? t : rint(t);
    }
    }
}

limn_status limn_schedule_times(limn_ctx *ctx, const limn_schedule *schedule, limn_spacing spacing, limn_rounding rounding,
                                int distilled, int n_steps, int offset, double *t)
{
    int n_train = schedule->options.n_train;
    int most = n_train - (spacing == LIMN_SPACING_LEADING &&
                          rounding == LIMN_TIMES_PLUS_ONE); /* which leaves out one point of n_steps + 1 */
    if (rounding == LIMN_TIMES_DISTILLED) most = n_train < LIMN_DISTILLED_STEPS ? 0 : distilled;
    if (most == 0)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "sampler: expected a model of at least %d training timesteps, found %d",
                         LIMN_DISTILLED_STEPS, n_train);
    if (n_steps < 1 || n_steps > most)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "sampler: expected 1 to %d steps, found %d", most, n_steps);
    for (int i = 0; i < n_steps; i++) {
        t[i] = time_at(spacing, rounding, n_train, distilled, n_steps, offset, i);
        if (t[i] < 0 || t[i] > n_train - 1)
            return limn_fail(ctx, LIMN_BAD_ARGUMENT,
                             "sampler: timestep %.9g of step %d lies outside 0 to %d (%d steps, offset %d)", t[i], i,
                             n_train - 1, n_steps, offset);
    }
    return LIMN_OK;
}

double limn_flow_shift(double shift, double s) { return shift * s / (1 + (shift - 1) * s); }

limn_status limn_flow_sigmas(limn_ctx *ctx, const limn_schedule *schedule, limn_spacing spacing, int n, double *sigma)
{
    const limn_schedule_options *o = &schedule->options;
    if (n < 1 || n > LIMN_TRAIN_STEPS_MAX)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "sampler: expected 1 to %d steps, found %d", LIMN_TRAIN_STEPS_MAX, n);
    if (spacing == LIMN_SPACING_LEADING)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "sampler: expected trailing or linspace spacing for flow, found leading");
    double low = limn_flow_shift(o->shift, 1.0 / o->n_train);
    for (int i = 0; i < n; i++) {
        double part = (double)i / (spacing == LIMN_SPACING_LINSPACE ? (n > 1 ? n - 1 : 1) : n);
        sigma[i] = limn_flow_shift(o->shift, spacing == LIMN_SPACING_LINSPACE ? 1 + part * (low - 1) : 1 - part);
    }
    return LIMN_OK;
}
