/* flow.c: see flow.h. */
#include "denoise/flow.h"

#include <math.h>

limn_status limn_flow_init(limn_ctx *ctx, int n_steps, double shift, bool noise, limn_flow *f)
{
    if (n_steps < 1 || n_steps > LIMN_MAX_STEPS) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "steps must be 1 to %d, found %d", LIMN_MAX_STEPS, n_steps);
    *f = (limn_flow){.noise = noise, .n_steps = n_steps};
    double alpha_bar[1000], product = 1;
    for (int i = 0; i < 1000; i++) alpha_bar[i] = product *= 1 - (1e-4 + (0.02 - 1e-4) * i / 999.0);
    for (int k = 0; k < n_steps; k++) {
        double t = 1 - (double)k / n_steps;
        if (noise) {
            int step = (int)(t * 1000 + 0.5) - 1; /* "trailing" spacing: the first step starts at pure noise */
            f->timestep[k] = step;
            f->sigma[k] = alpha_bar[step];
        } else {
            f->sigma[k] = shift * t / (1 + (shift - 1) * t);
            f->timestep[k] = 1000 * f->sigma[k];
        }
    }
    f->sigma[n_steps] = noise ? 1 : 0;
    return LIMN_OK;
}

float limn_flow_timestep(const limn_flow *f, int k)
{
    return (float)f->timestep[k];
}

/* flow: x += (s' - s) v.   DDIM, Song et al. 2021, eq. 12: x0 = (x - sqrt(1-a) e) / sqrt(a), x' = sqrt(a') x0 + sqrt(1-a') e */
void limn_flow_step(const limn_flow *f, int k, size_t n, const float *prediction, float *x)
{
    double a = f->sigma[k], b = f->sigma[k + 1];
    float keep = f->noise ? (float)sqrt(b / a) : 1;
    float add = f->noise ? (float)(sqrt(1 - b) - sqrt(b / a) * sqrt(1 - a)) : (float)(b - a);
    for (size_t i = 0; i < n; i++) x[i] = keep * x[i] + add * prediction[i];
}
