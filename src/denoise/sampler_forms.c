/* sampler_forms.c: samplers whose step is a sum with weights that are known when it is planned: a formula each for the
 * weights, one loop for all of them.   a b -> a' b': the levels of the step;   lambda = log(a / b), h = lambda' - lambda; D:
 * x0 as predicted;   "exploding": a = a' = 1, b = sigma */
#include "denoise/sampler_rows.h"

#include <math.h>

enum { BASE }; /* kept[BASE]: x where the step began; the others are earlier D, slopes or outputs */

/* ---- the loop --------------------------------------------------------------------------------------------------------- */

static double apply(const sampler_form *f, const sampler_step *s, double x, double d, size_t i)
{
    double sum = f->x * x + f->d * d;
    for (int k = 0; k < s->row->n_kept; k++)
        if (f->kept[k] != 0) sum += f->kept[k] * s->kept[k][i];
    if (s->noise) sum += f->noise[0] * s->noise[i];
    if (s->more_noise) sum += f->noise[1] * s->more_noise[i];
    return sum;
}

static double limited(const sampler_step *s, double x0)
{
    double clip = s->options->clip;
    return clip > 0 ? fmin(fmax(x0, -clip), clip) : x0;
}

/* D, or the slope that it makes of x. */
static double value_at(const sampler_step *s, size_t i)
{
    const sampler_call *c = s->call;
    double x = s->x[i], x0 = limited(s, c->convert.x0_x * x + c->convert.x0_y * s->prediction[i]);
    return s->row->noise_slope ? (x - (s->row->exploding ? 1 : c->at_a) * x0) / c->at_b : x0;
}

/* The mixed output y is taken as that of the network at the step's beginning, where x was `base`:  x' = a' x0 + b' n */
static double from_output(const sampler_step *s, double base, double y)
{
    const limn_conversion *c = &s->call->mixed;
    return s->call->to_a * limited(s, c->x0_x * base + c->x0_y * y) + s->call->to_b * (c->n_x * base + c->n_y * y);
}

void sampler_run_form(const sampler_step *s)
{
    const sampler_call *c = s->call;
    for (size_t i = 0; i < s->n; i++) {
        double x = s->x[i], d = s->row->raw ? s->prediction[i] : value_at(s, i), next;
        if (c->corrected) x = apply(&c->correction, s, x, d, i);
        if (s->row->raw)
            next = from_output(s, c->keep_x >= 0 ? x : s->kept[BASE][i], apply(&c->form, s, 0, d, i));
        else
            next = apply(&c->form, s, x, d, i);
        if (c->keep_x >= 0) s->kept[c->keep_x][i] = (float)x;
        if (c->keep_d >= 0) s->kept[c->keep_d][i] = (float)d;
        s->x[i] = (float)next;
    }
}

/* ---- two calls a step, exploding -------------------------------------------------------------------------------------- */

/* From b towards x0 until b_to:   x' = b_to/b x + (1 - b_to/b) D;   Euler's step, and also the exponential one */
static sampler_form towards(double b, double b_to) { return (sampler_form){.x = b_to / b, .d = 1 - b_to / b}; }

/* The first call of a step, to `b_to`; NULL in the last step of all, which goes to x0 at once. */
static sampler_call *first_of_two(sampler_planner *p, int step, double b_to)
{
    const sampler_level *from = &p->levels[step], *to = &p->levels[step + 1];
    sampler_call *c = sampler_plan_call(p, step, NULL);
    c->form = towards(from->b, to->b > 0 ? b_to : 0);
    c->keep_x = BASE;
    return to->b > 0 ? c : NULL;
}

/* The second, in the middle; diffusers knows a step's two ends, and gives what a mask keeps the noise of the last one. */
static sampler_call *second_of_two(sampler_planner *p, int step, const sampler_level *middle)
{
    sampler_call *c = sampler_plan_call(p, step, middle);
    c->kept_b = c->to_b;
    return c;
}

static double between(double b, double to) { return sqrt(b * to); } /* in log(sigma) */

/* What noise is put back after a step down to b_down:   b_up^2 + b_down^2 = b'^2,   b_up^2 = b'^2 (b^2 - b'^2) / b^2 */
static double noise_up(double b, double to) { return to * sqrt(fmax(b * b - to * to, 0)) / b; }
static double noise_down(double b, double to) { return to * to / b; }

/* Karras et al. 2022, DPM-Solver-2 in k-diffusion's form:   d at the middle m in log(sigma);   x' = x + (b_down - b) d +
 * b_up z */
static void plan_midpoint(sampler_planner *p, int step, double down, double up)
{
    double b = p->levels[step].b;
    sampler_level middle = sampler_level_of_sigma(p, between(b, down));
    if (!first_of_two(p, step, middle.b)) return;
    double by = (down - b) / middle.b;
    sampler_call *c = second_of_two(p, step, &middle);
    c->form = (sampler_form){.x = by, .d = -by, .kept[BASE] = 1, .noise[0] = up};
}

void sampler_plan_dpm2(sampler_planner *p, int step) { plan_midpoint(p, step, p->levels[step + 1].b, 0); }

void sampler_plan_dpm2_ancestral(sampler_planner *p, int step)
{
    double b = p->levels[step].b, to = p->levels[step + 1].b;
    plan_midpoint(p, step, noise_down(b, to), noise_up(b, to));
}

/* DPM-Solver++(2S) down to b_down, its second D at the middle:   x' = b_down/b x + (1 - b_down/b) D_m + b_up z */
void sampler_plan_dpmpp_2s_ancestral(sampler_planner *p, int step)
{
    double b = p->levels[step].b, to = p->levels[step + 1].b, down = noise_down(b, to);
    sampler_level middle = sampler_level_of_sigma(p, between(b, down));
    if (!first_of_two(p, step, middle.b)) return;
    sampler_call *c = sampler_plan_call(p, step, &middle);
    c->form = (sampler_form){.d = 1 - down / b, .kept[BASE] = down / b, .noise[0] = noise_up(b, to)};
}

/* DPM-Solver++ (SDE), r = 1/2: to the middle with noise, and from the beginning once more with D of there.  The noises are
 * increments of one Brownian path over sigma, as published:  z (b..m),  and over b..b'  (sqrt(b - m) z + sqrt(m - b') w) /
 * sqrt(b - b') */
void sampler_plan_dpmpp_sde(sampler_planner *p, int step)
{
    double b = p->levels[step].b, to = p->levels[step + 1].b;
    sampler_level middle = sampler_level_of_sigma(p, between(b, to));
    sampler_call *c = first_of_two(p, step, noise_down(b, middle.b));
    if (!c) return;
    c->form.noise[0] = noise_up(b, middle.b);
    double down = noise_down(b, to), up = noise_up(b, to), part = b > to ? (b - middle.b) / (b - to) : 1;
    c = second_of_two(p, step, &middle);
    c->form =
        (sampler_form){.d = 1 - down / b, .kept[BASE] = down / b, .noise = {up * sqrt(part), up * sqrt(fmax(1 - part, 0))}};
}

/* ---- multistep -------------------------------------------------------------------------------------------------------- */

static double lambda(const sampler_level *at) { return log(at->a / at->b); }

/* Steps that went before this one since `first`, as far as they went anywhere: rounding makes two of 1000 timesteps one. */
static int steps_since(const sampler_planner *p, int first, int step, int most)
{
    int n = 0;
    while (n < most && step - n > first && lambda(&p->levels[step - n]) > lambda(&p->levels[step - n - 1])) n++;
    return n;
}

static int steps_before(const sampler_planner *p, int step, int most) { return steps_since(p, p->first, step, most); }

/* kept[]: where the value of `back` steps ago lies, 1 .. ring, and where this step's goes: over the oldest. */
static int ring(int step, int back, int n) { return BASE + 1 + (step - back + n) % n; }

/* Lu et al. 2022, SDE-DPM-Solver++(2M):  r = h_earlier / h,
 *   x' = b'/b exp(-h) x + a' (1 - exp(-2h)) (D + (D - earlier D) / (2 r)) + b' sqrt(1 - exp(-2h)) z */
void sampler_plan_dpmpp_2m_sde(sampler_planner *p, int step)
{
    const sampler_level *from = &p->levels[step], *to = &p->levels[step + 1];
    sampler_call *c = sampler_plan_call(p, step, NULL);
    double h = lambda(to) - lambda(from), fresh = to->b > 0 ? -expm1(-2 * h) : 1, of_x0 = to->a * fresh, earlier = 0;
    if (to->b > 0 && steps_before(p, step, 1)) earlier = 0.5 * h / (lambda(from) - lambda(from - 1));
    c->form = (sampler_form){.x = to->b > 0 ? to->b / from->b * exp(-h) : 0,
                             .d = of_x0 * (1 + earlier),
                             .kept[0] = -of_x0 * earlier,
                             .noise[0] = to->b * sqrt(fresh)};
    c->keep_d = 0;
}

/* Zhao et al. 2023 (UniPC), B(h) = exp(-h) - 1, order 2, for D:  H = -h,  phi = exp(H) - 1,  r = (lambda_earlier - lambda) /
 * h, x' = b'/b x - a' phi (D + w1 (D1 - D) / r + w2 (D' - D)),   D1: of one step earlier,  D': of the step's end */
static sampler_form unipc(const sampler_level *from, const sampler_level *to, double r, double w1, double w2)
{
    double phi = to->b > 0 ? expm1(lambda(from) - lambda(to)) : -1, by = r != 0 ? w1 / r : 0;
    return (sampler_form){.x = to->b / from->b, .d = -to->a * phi * (1 - by - w2), .kept = {0, -to->a * phi * by, 0}};
}

/* The corrector goes from the last step's beginning (kept) to where x was predicted, now that D is known there. */
static void plan_correction(const sampler_planner *p, int step, sampler_call *c)
{
    const sampler_level *from = &p->levels[step - 1], *to = &p->levels[step];
    double h = lambda(to) - lambda(from), phi = expm1(-h), b1 = (phi / -h - 1) / phi,
           b2 = 2 * ((phi / -h - 1) / -h - 0.5) / phi;
    double r = 0, w1 = 0, w2 = 0.5;
    if (steps_before(p, step - 1, 1)) {
        r = (lambda(from - 1) - lambda(from)) / h;
        w1 = (b2 - b1) / (r - 1), w2 = b1 - w1; /* w1 + w2 = b1,  r w1 + w2 = b2 */
    }
    sampler_form f = unipc(from, to, r, w1, w2);
    int now = ring(step, 1, 2), before = ring(step, 2, 2); /* D of the last step, and of the one before it */
    c->correction = (sampler_form){.d = -to->a * phi * w2};
    c->correction.kept[BASE] = f.x;
    c->correction.kept[now] += f.d;
    c->correction.kept[before] += f.kept[1];
    c->corrected = true;
}

/* A millionth of signal in pure noise of flow, as published: log(0) is no number to step from. */
static void add_signal(sampler_planner *p, int step)
{
    const double least = 1e-6;
    if (step == p->first && p->levels[step].a < least) p->levels[step].a = least, p->levels[step].b = 1 - least;
}

void sampler_plan_unipc(sampler_planner *p, int step)
{
    add_signal(p, step);
    const sampler_level *from = &p->levels[step], *to = &p->levels[step + 1];
    sampler_call *c = sampler_plan_call(p, step, NULL);
    bool moves = to->b == 0 || lambda(to) > lambda(from);
    double r = 0, w1 = 0;
    if (step > p->first && steps_before(p, step, 1)) plan_correction(p, step, c);
    if (to->b > 0 && moves && steps_before(p, step, 1))
        r = (lambda(from - 1) - lambda(from)) / (lambda(to) - lambda(from)), w1 = 0.5;
    sampler_form f = moves ? unipc(from, to, r, w1, 0) : (sampler_form){.x = 1};
    c->form = (sampler_form){.x = f.x, .d = f.d};
    c->form.kept[ring(step, 1, 2)] = f.kept[1];
    c->keep_x = BASE;
    c->keep_d = ring(step, 0, 2);
}

/* The integral of (log t - log c) / (log b - log c) from `from` to `to`. */
static double integral_log(double from, double to, double b, double c)
{
    double at_to = to > 0 ? to * (log(to) - log(c) - 1) : 0, at_from = from * (log(from) - log(c) - 1);
    return (at_to - at_from) / (log(b) - log(c));
}

/* Zhang & Chen 2023 (DEIS), log rho, order 2, with rho = b / a, e the noise:
 *   x'/a' = x/a + e integral l0 + earlier e integral l1,   l0, l1 linear in log(rho) through both;   first step: (rho' -
 * rho) e */
void sampler_plan_deis(sampler_planner *p, int step)
{
    const int fewest = 15; /* steps from which the last one stays of second order */
    if (p->options->schedule.kind == LIMN_SCHEDULE_FLOW) add_signal(p, step);
    const sampler_level *from = &p->levels[step], *to = &p->levels[step + 1];
    sampler_call *c = sampler_plan_call(p, step, NULL);
    double rho = from->b / from->a, rho_to = to->b / to->a;
    bool last = step == p->options->n_steps - 1;
    c->form = (sampler_form){.x = to->a / from->a, .d = to->a * (rho_to - rho)};
    c->keep_d = 0;
    if (!steps_before(p, step, 1) || (last && p->options->n_steps < fewest)) return;
    double earlier = from[-1].b / from[-1].a;
    c->form.d = to->a * integral_log(rho, rho_to, rho, earlier);
    c->form.kept[0] = to->a * integral_log(rho, rho_to, earlier, rho);
}

/* l_k(t): 1 at node k, 0 at the others */
static double lagrange(const double *node, int n, int k, double t)
{
    double product = 1;
    for (int j = 0; j < n; j++)
        if (j != k) product *= (t - node[j]) / (node[k] - node[j]);
    return product;
}

/* Linear multistep of order 4 in sigma:   x' = x + sum d_k integral l_k from b to b', nodes: this b and the three before;
 * two points of Gauss give the integral of a cubic.  counts_all: nodes are also levels where the network never was, whose
 * d_k are 0. */
void sampler_plan_lms(sampler_planner *p, int step)
{
    const double from = p->levels[step].b, to = p->levels[step + 1].b, half = (to - from) / 2, point = half / sqrt(3);
    sampler_call *c = sampler_plan_call(p, step, NULL);
    double node[4];
    int n = 1 + steps_since(p, p->options->counts_all ? 0 : p->first, step, 3);
    c->form.x = 1;
    for (int k = 0; k < n; k++) node[k] = p->levels[step - k].b;
    for (int k = 0; k < n && step - k >= p->first; k++) {
        double weight = half * (lagrange(node, n, k, from + half - point) + lagrange(node, n, k, from + half + point));
        if (k == 0)
            c->form.d = weight;
        else
            c->form.kept[ring(step, k, 3)] = weight;
    }
    c->keep_d = ring(step, 0, 3);
}

/* ---- pseudo numerical methods: Liu et al. 2022 ------------------------------------------------------------------------ */

/* Adams-Bashforth of this output and `n` before it. */
static void plan_adams(sampler_planner *p, int step, int n)
{
    static const double weights[4][4] = {
        {1}, {3 / 2.0, -1 / 2.0}, {23 / 12.0, -16 / 12.0, 5 / 12.0}, {55 / 24.0, -59 / 24.0, 37 / 24.0, -9 / 24.0}};
    sampler_call *c = sampler_plan_call(p, step, NULL);
    c->form.d = weights[n][0];
    for (int k = 1; k <= n; k++) c->form.kept[ring(step, k, 3)] = weights[n][k];
    c->keep_x = BASE;
    c->keep_d = ring(step, 0, 3);
}

static int outputs_before(const sampler_planner *p, int step) { return step - p->first < 3 ? step - p->first : 3; }

/* From a picture, as published: the list of timesteps, of which the second stands there twice (0 1 1 2 3 ..), is cut where
 * its entry `first` is, so that the first step begins a level earlier, and the next one is taken as if x were at its level
 * already.  With first = 1 both of its calls are at that level. */
static void plan_plms_of_picture(sampler_planner *p)
{
    const int first = p->first, from = first > 1 ? first - 1 : 1, at = first > 1 ? first : 1, kept = ring(first, 0, 3);
    sampler_call *c = sampler_plan_call(p, from, NULL);
    c->form.d = 1, c->keep_x = BASE, c->keep_d = kept;
    c = sampler_plan_call(p, at - 1, &p->levels[at]);
    c->form.d = c->form.kept[kept] = 0.5;
}

/* The first step is done once more with the mean of the output at both its ends. */
void sampler_plan_plms(sampler_planner *p, int step)
{
    const sampler_level *to = &p->levels[step + 1];
    if (step > 0 && step == p->first) return plan_plms_of_picture(p);
    plan_adams(p, step, outputs_before(p, step));
    if (step > p->first || to->b == 0 || step == p->options->n_steps - 1) return;
    sampler_call *c = sampler_plan_call(p, step, to);
    c->form.d = c->form.kept[ring(step, 0, 3)] = 0.5;
}

/* Half of the way in timesteps; where levels lie between timesteps or beside them, in log(sigma). */
static sampler_level halfway(const sampler_planner *p, const sampler_level *from, const sampler_level *to)
{
    if (!(p->options->from_sigma > 0)) return sampler_level_of_time(p, from->time - floor((from->time - to->time) / 2));
    sampler_level middle = sampler_level_of_sigma(p, between(from->b / from->a, to->b / to->a));
    middle.time = rint(middle.time);
    return middle;
}

/* The first three steps are Runge-Kutta's, of four calls each. */
void sampler_plan_pndm(sampler_planner *p, int step)
{
    const int first = ring(step, 0, 3), second = BASE + 4, third = BASE + 5;
    const sampler_level *from = &p->levels[step], *to = &p->levels[step + 1];
    if (step - p->first >= 3 || step == p->options->n_steps - 1) return plan_adams(p, step, outputs_before(p, step));
    sampler_level middle = halfway(p, from, to);
    plan_adams(p, step, 0);
    sampler_call *c = &p->calls[p->n_calls - 1];
    c->to_a = middle.a, c->to_b = middle.b;
    c = sampler_plan_call(p, step, &middle);
    c->to_a = middle.a, c->to_b = middle.b, c->form.d = 1, c->keep_d = second;
    c = sampler_plan_call(p, step, &middle);
    c->form.d = 1, c->keep_d = third;
    c = sampler_plan_call(p, step, to);
    c->form.d = c->form.kept[first] = 1 / 6.0, c->form.kept[second] = c->form.kept[third] = 1 / 3.0;
}

/* ---- few steps of a distilled network --------------------------------------------------------------------------------- */

/* Luo et al. 2023 (LCM):   f = c_skip x + c_out D,  x' = a' f + b' z;   c_skip = s^2 / (u^2 + s^2),  c_out = u / sqrt(u^2 +
 * s^2), u = 10 t, s = 1/2; of flow f = D */
void sampler_plan_lcm(sampler_planner *p, int step)
{
    const sampler_level *from = &p->levels[step], *to = &p->levels[step + 1];
    bool flow = p->options->schedule.kind == LIMN_SCHEDULE_FLOW;
    double u = 10 * from->time, s = 0.5, skip = flow ? 0 : s * s / (u * u + s * s), out = flow ? 1 : u / sqrt(u * u + s * s);
    sampler_plan_call(p, step, NULL)->form = (sampler_form){.x = to->a * skip, .d = to->a * out, .noise[0] = to->b};
}

/* Zheng et al. 2024 (TCD):   to timestep s = floor((1 - eta) t') without noise,  x_s = a_s D + b_s n,  and back up to t':
 *   x' = a'/a_s x_s + sqrt(1 - (a'/a_s)^2) z */
void sampler_plan_tcd(sampler_planner *p, int step)
{
    const sampler_level *from = &p->levels[step], *to = &p->levels[step + 1];
    sampler_level s = sampler_level_of_time(p, floor((1 - p->options->eta) * to->time));
    bool last = step == p->options->n_steps - 1;
    if (last || p->options->eta == 0) s = *to;
    double back = to->a / s.a, of_x = s.b / from->b;
    sampler_plan_call(p, step, NULL)->form = (sampler_form){
        .x = back * of_x, .d = back * (s.a - from->a * of_x), .noise[0] = last ? 0 : sqrt(fmax(1 - back * back, 0))};
}
