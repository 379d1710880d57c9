/* sigmas.c: see sigmas.h. */
#include "denoise/sigmas.h"

#include "base/number.h"

#include <math.h>
#include <string.h>

/* ---- names ------------------------------------------------------------------------------------------------------------ */

static const struct {
    const char *name, *shown;
} names[LIMN_N_SIGMAS] = {
    [LIMN_SIGMAS_SPACED] = {"", ""},
    [LIMN_SIGMAS_KARRAS] = {"karras", "Karras"},
    [LIMN_SIGMAS_EXPONENTIAL] = {"exponential", "Exponential"},
    [LIMN_SIGMAS_BETA_RANGE] = {"beta_range", "Beta Range"},
    [LIMN_SIGMAS_NORMAL] = {"normal", "Normal"},
    [LIMN_SIGMAS_SGM_UNIFORM] = {"sgm_uniform", "SGM Uniform"},
    [LIMN_SIGMAS_SIMPLE] = {"simple", "Simple"},
    [LIMN_SIGMAS_BETA] = {"beta", "Beta"},
    [LIMN_SIGMAS_AYS] = {"ays", "Align Your Steps"},
    [LIMN_SIGMAS_AYS_SDXL] = {"ays_sdxl", "Align Your Steps SDXL"},
    [LIMN_SIGMAS_FLOW] = {"flow", "Flow"},
};

/* Equal but for case, spaces, "_" and "-". */
static bool same_words(const char *a, const char *b)
{
    for (;; a++, b++) {
        while (*a && strchr(" _-", *a)) a++;
        while (*b && strchr(" _-", *b)) b++;
        if (limn_lower((unsigned char)*a) != limn_lower((unsigned char)*b)) return false;
        if (!*a) return true;
    }
}

bool limn_sigmas_find(const char *name, limn_sigmas *out)
{
    for (int i = LIMN_SIGMAS_SPACED + 1; i < LIMN_N_SIGMAS; i++)
        if (same_words(name, names[i].name) || same_words(name, names[i].shown)) {
            *out = (limn_sigmas)i;
            return true;
        }
    return false;
}

const char *limn_sigmas_shown(limn_sigmas kind) { return kind < LIMN_N_SIGMAS ? names[kind].shown : "?"; }

/* ---- Beta(0.6, 0.6) --------------------------------------------------------------------------------------------------- */

static const double SHAPE = 0.6;

/* Its distribution function for x <= 1/2 by the continued fraction (Abramowitz & Stegun 26.5.8, Lentz):
 *   I_x = x^a (1 - x)^a / (a B(a, a)) / (1 + d1 / (1 + d2 / (1 + ...))) */
static double beta_below(double x)
{
    double a = SHAPE, front = pow(x * (1 - x), a) * tgamma(2 * a) / (a * tgamma(a) * tgamma(a));
    double c = 1, d = 1 / (1 - 2 * a * x / (a + 1)), fraction = d;
    for (int m = 1; m < 300; m++) {
        double even = m * (a - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (2 * a + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 / (1 + even * d), c = 1 + even / c, fraction *= c * d;
        d = 1 / (1 + odd * d), c = 1 + odd / c, fraction *= c * d;
        if (fabs(c * d - 1) < 1e-16) break;
    }
    return front * fraction;
}

double limn_beta_quantile(double p)
{
    if (p > 0.5) return 1 - limn_beta_quantile(1 - p); /* it is symmetric */
    double low = 0, high = 0.5;
    for (int i = 0; i < 1100 && low < high; i++) { /* to the last bit, also near 0 */
        double middle = low + (high - low) / 2;
        if (middle == low || middle == high) break;
        if (beta_below(middle) < p)
            low = middle;
        else
            high = middle;
    }
    return p > 0 ? high : 0;
}

/* ---- between two ends ------------------------------------------------------------------------------------------------- */

bool limn_sigmas_have_ends(limn_sigmas kind)
{
    return kind == LIMN_SIGMAS_KARRAS || kind == LIMN_SIGMAS_EXPONENTIAL || kind == LIMN_SIGMAS_BETA_RANGE;
}

void limn_sigmas_between(limn_sigmas kind, double high, double low, int n, double *sigma)
{
    double from = pow(high, 1 / 7.0), to = pow(low, 1 / 7.0);
    for (int i = 0; i < n; i++) {
        double part = n > 1 ? (double)i / (n - 1) : 0;
        if (kind == LIMN_SIGMAS_KARRAS)
            sigma[i] = pow(from + part * (to - from), 7);
        else if (kind == LIMN_SIGMAS_EXPONENTIAL)
            sigma[i] = exp(log(high) + part * (log(low) - log(high)));
        else
            sigma[i] = low + limn_beta_quantile(1 - part) * (high - low);
    }
}

/* ---- of published flow ------------------------------------------------------------------------------------------------ */

/* In the order of the published sums: where T sigma is nearly whole, the timestep hangs on the last bit. */
limn_status limn_sigmas_of_flow(limn_ctx *ctx, const limn_schedule *schedule, bool from_noise, int n, double *sigma,
                                double *t)
{
    const int n_train = schedule->options.n_train;
    const double least = 1e-6, by = (1.0 / n_train - 1) / n;
    if (n < 1 || n > n_train)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "sampler: expected 1 to %d steps, found %d", n_train, n);
    for (int i = 0; i < n; i++) {
        double rest = i > 0 ? (n - i) * by + 1 : 1.0 / n_train; /* 1/T and on to 1 */
        sigma[i] = limn_flow_shift(schedule->options.shift, from_noise ? i * by + 1 : 1 - rest);
        if (from_noise && fabs(sigma[i] - 1) < least) sigma[i] -= least;
        t[i] = floor(sigma[i] * n_train);
    }
    return LIMN_OK;
}

/* ---- from the table --------------------------------------------------------------------------------------------------- */

/* Sigmas of ten steps and the one that 0 takes the place of. */
static const double best[2][11] = {
    {14.6146412293, 6.4745760956, 3.8636745985, 2.6946151520, 1.8841921177, 1.3943805092, 0.9642583904, 0.6523686016,
     0.3977456272, 0.1515232662, 0.0291671582},
    {14.6146412293, 6.3184485287, 3.7681790315, 2.1811480769, 1.3405244945, 0.8620721141, 0.5550693289, 0.3798540708,
     0.2332364134, 0.1114188177, 0.0291671582},
};

static double align_your_steps(limn_sigmas kind, int i, int n)
{
    const double *ten = best[kind == LIMN_SIGMAS_AYS_SDXL];
    double at = 10.0 * i / n;
    int low = (int)at;
    return low == at ? ten[low] : exp(log(ten[low]) + (at - low) * (log(ten[low + 1]) - log(ten[low])));
}

/* sigma of a timestep, log-linear between whole ones; in flow they are 1 .. T of T, shifted. */
static double sigma_of_time(const limn_schedule *schedule, double t)
{
    const limn_schedule_options *o = &schedule->options;
    if (o->kind == LIMN_SCHEDULE_FLOW) return limn_flow_shift(o->shift, (t + 1) / o->n_train);
    int low = (int)t;
    double part = t - low, from = limn_schedule_sigma(schedule, low);
    return part > 0 ? exp(log(from) + part * (log(limn_schedule_sigma(schedule, low + 1)) - log(from))) : from;
}

/* The points of NORMAL and SGM_UNIFORM; in flow they lie evenly between the shifted ends and are shifted again, as
 * published. */
static double even_time(const limn_schedule *schedule, int i, int points)
{
    const limn_schedule_options *o = &schedule->options;
    double part = points > 1 ? (double)i / (points - 1) : 0, last = o->n_train - 1;
    if (o->kind != LIMN_SCHEDULE_FLOW) return last * (1 - part);
    return o->n_train * (1 + part * (limn_flow_shift(o->shift, 1.0 / o->n_train) - 1)) - 1;
}

static bool stable_diffusion(const limn_schedule_options *o)
{
    return o->kind == LIMN_SCHEDULE_SCALED_LINEAR && o->n_train == 1000 && o->beta_start == 0.00085 &&
           o->beta_end == 0.012 && !o->zero_snr;
}

static double table_time(limn_sigmas kind, const limn_schedule *schedule, int i, int n)
{
    int n_train = schedule->options.n_train;
    switch (kind) {
    case LIMN_SIGMAS_NORMAL:
        return even_time(schedule, i, n);
    case LIMN_SIGMAS_SGM_UNIFORM:
        return even_time(schedule, i, n + 1);
    case LIMN_SIGMAS_BETA:
        return rint(limn_beta_quantile(1 - (double)i / n) * (n_train - 1));
    default:
        return n_train - 1 - floor(i * ((double)n_train / n));
    }
}

limn_status limn_sigmas_of_table(limn_ctx *ctx, limn_sigmas kind, const limn_schedule *schedule, int n, double *sigma,
                                 double *t)
{
    const limn_schedule_options *o = &schedule->options;
    bool aligned = kind == LIMN_SIGMAS_AYS || kind == LIMN_SIGMAS_AYS_SDXL, flow = o->kind == LIMN_SCHEDULE_FLOW;
    if (n < 1 || n > o->n_train)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "sampler: expected 1 to %d steps, found %d", o->n_train, n);
    if (aligned && !stable_diffusion(o))
        return limn_fail(ctx, LIMN_BAD_ARGUMENT,
                         "sampler: the levels of Align Your Steps were found for Stable Diffusion's noise (scaled_linear, "
                         "0.00085 to 0.012, 1000 timesteps), and this model was trained on another: take %s",
                         flow ? "simple or beta" : "karras or exponential");
    for (int i = 0; i < n; i++) {
        if (aligned)
            sigma[i] = align_your_steps(kind, i, n), t[i] = limn_schedule_time(schedule, sigma[i]);
        else
            t[i] = table_time(kind, schedule, i, n), sigma[i] = sigma_of_time(schedule, t[i]);
        if (i > 0 && !(sigma[i] < sigma[i - 1]))
            return limn_fail(ctx, LIMN_BAD_ARGUMENT,
                             "sampler: %s takes the level of timestep %.9g twice in %d steps: take fewer", names[kind].name,
                             t[i], n);
        if (flow && !aligned) t[i] = sigma[i] * o->n_train;
    }
    return LIMN_OK;
}
