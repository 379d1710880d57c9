/* sampler_rows.c: the steps, one formula each.   x0, n: what the prediction says;   a b -> a' b': the levels of the step */
#include "denoise/sampler_rows.h"

#include <math.h>

typedef struct guess { double x0, n; } guess;

static guess guess_at(const sampler_step *s, size_t i)
{
    const limn_conversion *c = &s->call->convert;
    double x = s->x[i], y = s->prediction[i], clip = s->options->clip;
    guess g = {c->x0_x * x + c->x0_y * y, c->n_x * x + c->n_y * y};
    if (clip > 0) g.x0 = fmin(fmax(g.x0, -clip), clip);
    return g;
}

/* 1 - alpha_bar / alpha_bar' : beta of a step that may skip timesteps */
static double step_beta(const sampler_call *c) { return 1 - c->a * c->a / (c->to_a * c->to_a); }

/* Ho et al. 2020, eq. 7:   x' = a' beta / b^2 x0 + sqrt(1 - beta) b'^2 / b^2 x + std z */
static void run_ddpm(const sampler_step *s)
{
    const sampler_call *c = s->call;
    double beta = step_beta(c), of_x0 = c->to_a * beta / (c->b * c->b),
           of_x = c->a / c->to_a * c->to_b * c->to_b / (c->b * c->b);
    double small = fmax(c->to_b * c->to_b / (c->b * c->b) * beta, 1e-20), log_small = log(small), log_large = log(beta);
    double std = sqrt(s->options->variance == LIMN_VARIANCE_SMALL ? small : beta);
    for (size_t i = 0; i < s->n; i++) {
        double mean = of_x0 * guess_at(s, i).x0 + of_x * s->x[i], v = s->range ? (s->range[i] + 1.0) / 2 : 0;
        if (s->range) std = exp(0.5 * (v * log_large + (1 - v) * log_small));
        s->x[i] = (float)(mean + (s->noise ? std * s->noise[i] : 0));
    }
}

/* The last step adds none: with trailing timesteps it ends far from timestep 0, and a learned variance there is no small
 * one. */
static bool adds_noise_before_the_end(const limn_sampler_options *options, const sampler_call *call)
{
    (void)options;
    return call->to_b > 0;
}

/* Song et al. 2021, eq. 12 and 16:   std = eta b'/b sqrt(beta),   x' = a' x0 + sqrt(b'^2 - std^2) n + std z */
static void run_ddim(const sampler_step *s)
{
    const sampler_call *c = s->call;
    double std = s->options->eta * c->to_b / c->b * sqrt(fmax(step_beta(c), 0)),
           of_n = sqrt(fmax(c->to_b * c->to_b - std * std, 0));
    for (size_t i = 0; i < s->n; i++) {
        guess g = guess_at(s, i);
        s->x[i] = (float)(c->to_a * g.x0 + of_n * g.n + (s->noise ? std * s->noise[i] : 0));
    }
}

static bool ddim_adds_noise(const limn_sampler_options *options, const sampler_call *call)
{
    return options->eta > 0 && call->to_b > 0;
}

/* dx/db = (x - x0) / b, with a = 1 (exploding) as with a = 1 - b (flow).   x' = x0 + b'/b (x - x0)     Karras et al. 2022,
 * alg. 1 */
static void run_euler(const sampler_step *s)
{
    double keep = s->call->to_b / s->call->b;
    for (size_t i = 0; i < s->n; i++) s->x[i] = (float)(keep * s->x[i] + (1 - keep) * guess_at(s, i).x0);
}

/* Euler to b_down, then noise up to b':   b_up^2 = b'^2 (b^2 - b'^2) / b^2,   b_down^2 = b'^2 - b_up^2 */
static void run_euler_ancestral(const sampler_step *s)
{
    double b = s->call->b, to = s->call->to_b, up = to * sqrt(fmax(b * b - to * to, 0)) / b, keep = to * to / (b * b);
    for (size_t i = 0; i < s->n; i++)
        s->x[i] = (float)(keep * s->x[i] + (1 - keep) * guess_at(s, i).x0 + (s->noise ? up * s->noise[i] : 0));
}

/* Karras et al. 2022, alg. 1:   d = (x - x0) / b;   Euler to x';   d' there;   x' = x + (b' - b) (d + d') / 2 */
static void run_heun(const sampler_step *s)
{
    const sampler_call *c = s->call;
    float *start = s->kept[0], *slope = s->kept[1];
    double by = c->to_b - c->b;
    for (size_t i = 0; i < s->n; i++) {
        double d = (s->x[i] - guess_at(s, i).x0) / (c->corrects ? c->to_b : c->b);
        if (c->corrects) {
            s->x[i] = (float)(start[i] + by * 0.5 * (slope[i] + d));
        } else {
            start[i] = s->x[i];
            slope[i] = (float)d;
            s->x[i] = (float)(s->x[i] + by * d);
        }
    }
}

/* Lu et al. 2022 (DPM-Solver++), alg. 2, with lambda = log(a/b), h = lambda' - lambda, r = h_earlier / h:
 *   D = x0 + (x0 - earlier x0) / (2 r),   x' = b'/b x + a' (1 - exp(-h)) D = b'/b x + (a' - a b'/b) D */
static void run_dpmpp_2m(const sampler_step *s)
{
    const sampler_call *c = s->call;
    double keep = c->to_b / c->b, of_x0 = c->to_a - c->a * keep;
    float *earlier = s->kept[0];
    for (size_t i = 0; i < s->n; i++) {
        double x0 = guess_at(s, i).x0, change = c->history != 0 ? c->history * (x0 - earlier[i]) : 0;
        s->x[i] = (float)(keep * s->x[i] + of_x0 * (x0 + change));
        earlier[i] = (float)x0;
    }
}

#define NAME(word, text) static const char name_##word[] = text;
SAMPLER_NAMES(NAME)

static const sampler_row rows[] = {
    {.name = name_ddpm,
     .shown = "DDPM",
     .vp = true,
     .takes_variance = true,
     .rounding = LIMN_TIMES_WHOLE,
     .usual = LIMN_SPACING_LEADING,
     .adds_noise = adds_noise_before_the_end,
     .run = run_ddpm},
    {.name = name_ddim,
     .shown = "DDIM",
     .vp = true,
     .takes_end = true,
     .takes_eta = true,
     .rounding = LIMN_TIMES_WHOLE,
     .usual = LIMN_SPACING_LEADING,
     .adds_noise = ddim_adds_noise,
     .run = run_ddim},
    {.name = name_euler,
     .shown = "Euler",
     .vp = true,
     .flow = true,
     .exploding = true,
     .sigmas = true,
     .rounding = LIMN_TIMES_REAL,
     .usual = LIMN_SPACING_LINSPACE,
     .run = run_euler},
    {.name = name_euler_a,
     .shown = "Euler a",
     .vp = true,
     .exploding = true,
     .sigmas = true,
     .rounding = LIMN_TIMES_REAL,
     .usual = LIMN_SPACING_LINSPACE,
     .adds_noise = adds_noise_before_the_end,
     .run = run_euler_ancestral},
    {.name = name_heun,
     .shown = "Heun",
     .vp = true,
     .flow = true,
     .exploding = true,
     .sigmas = true,
     .twice = true,
     .n_kept = 2,
     .rounding = LIMN_TIMES_REAL,
     .usual = LIMN_SPACING_LINSPACE,
     .run = run_heun},
    {.name = name_dpmpp_2m,
     .shown = "DPM++ 2M",
     .vp = true,
     .flow = true,
     .sigmas = true,
     .n_kept = 1,
     .rounding = LIMN_TIMES_PLUS_ONE,
     .usual = LIMN_SPACING_LINSPACE,
     .run = run_dpmpp_2m},
    {.name = name_dpm2,
     .shown = "DPM2",
     .vp = true,
     .flow = true,
     .exploding = true,
     .sigmas = true,
     .whole_karras = true,
     .n_kept = 1,
     .rounding = LIMN_TIMES_REAL,
     .usual = LIMN_SPACING_LINSPACE,
     .plan = sampler_plan_dpm2,
     .run = sampler_run_form},
    {.name = name_dpm2_a,
     .shown = "DPM2 a",
     .vp = true,
     .exploding = true,
     .sigmas = true,
     .whole_karras = true,
     .n_kept = 1,
     .rounding = LIMN_TIMES_REAL,
     .usual = LIMN_SPACING_LINSPACE,
     .plan = sampler_plan_dpm2_ancestral,
     .run = sampler_run_form},
    {.name = name_dpmpp_2s_a,
     .shown = "DPM++ 2S a",
     .vp = true,
     .exploding = true,
     .sigmas = true,
     .n_kept = 1,
     .rounding = LIMN_TIMES_REAL,
     .usual = LIMN_SPACING_LINSPACE,
     .plan = sampler_plan_dpmpp_2s_ancestral,
     .run = sampler_run_form},
    {.name = name_dpmpp_sde,
     .shown = "DPM++ SDE",
     .vp = true,
     .exploding = true,
     .sigmas = true,
     .n_kept = 1,
     .rounding = LIMN_TIMES_REAL,
     .usual = LIMN_SPACING_LINSPACE,
     .plan = sampler_plan_dpmpp_sde,
     .run = sampler_run_form},
    {.name = name_dpmpp_2m_sde,
     .shown = "DPM++ 2M SDE",
     .vp = true,
     .flow = true,
     .sigmas = true,
     .n_kept = 1,
     .rounding = LIMN_TIMES_PLUS_ONE,
     .usual = LIMN_SPACING_LINSPACE,
     .plan = sampler_plan_dpmpp_2m_sde,
     .run = sampler_run_form},
    {.name = name_unipc,
     .shown = "UniPC",
     .vp = true,
     .flow = true,
     .sigmas = true,
     .from_noise = true,
     .n_kept = 3,
     .rounding = LIMN_TIMES_PLUS_ONE,
     .usual = LIMN_SPACING_LINSPACE,
     .plan = sampler_plan_unipc,
     .run = sampler_run_form},
    {.name = name_deis,
     .shown = "DEIS",
     .vp = true,
     .flow = true,
     .sigmas = true,
     .ends_at_first = true,
     .noise_slope = true,
     .n_kept = 1,
     .rounding = LIMN_TIMES_PLUS_ONE,
     .usual = LIMN_SPACING_LINSPACE,
     .plan = sampler_plan_deis,
     .run = sampler_run_form},
    {.name = name_lms,
     .shown = "LMS",
     .vp = true,
     .flow = true,
     .exploding = true,
     .sigmas = true,
     .noise_slope = true,
     .n_kept = 4,
     .rounding = LIMN_TIMES_REAL,
     .usual = LIMN_SPACING_LINSPACE,
     .plan = sampler_plan_lms,
     .run = sampler_run_form},
    {.name = name_plms,
     .shown = "PLMS",
     .vp = true,
     .takes_end = true,
     .raw = true,
     .n_kept = 4,
     .rounding = LIMN_TIMES_WHOLE,
     .usual = LIMN_SPACING_LEADING,
     .plan = sampler_plan_plms,
     .run = sampler_run_form},
    {.name = name_pndm,
     .shown = "PNDM",
     .vp = true,
     .takes_end = true,
     .raw = true,
     .n_kept = 6,
     .rounding = LIMN_TIMES_WHOLE,
     .usual = LIMN_SPACING_LEADING,
     .plan = sampler_plan_pndm,
     .run = sampler_run_form},
    {.name = name_lcm,
     .shown = "LCM",
     .vp = true,
     .flow = true,
     .rounding = LIMN_TIMES_DISTILLED,
     .plan = sampler_plan_lcm,
     .run = sampler_run_form},
    {.name = name_tcd,
     .shown = "TCD",
     .vp = true,
     .ends_at_first = true,
     .takes_eta = true,
     .rounding = LIMN_TIMES_DISTILLED,
     .plan = sampler_plan_tcd,
     .run = sampler_run_form},
    {.name = "flow_euler", .flow = true, .run = run_euler},
    {.name = "flow_heun", .flow = true, .twice = true, .n_kept = 2, .run = run_heun},
};

const sampler_row *limn_sampler_row(int i) { return i >= 0 && i < (int)(sizeof rows / sizeof *rows) ? &rows[i] : NULL; }
