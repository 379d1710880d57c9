/* flow.h: the two samplers that need nothing but the prediction: Euler for rectified flow, DDIM (eta 0) for predicted noise. */
#ifndef LIMN_FLOW_H
#define LIMN_FLOW_H

#include "base/base.h"

enum { LIMN_MAX_STEPS = 1000 };

typedef struct limn_flow {
    bool noise;                       /* the network predicts noise (DDPM, linear betas) instead of velocity */
    int n_steps;
    double sigma[LIMN_MAX_STEPS + 1]; /* flow: 1 ... 0;  noise: alpha_bar at each timestep, then 1 */
    double timestep[LIMN_MAX_STEPS];
} limn_flow;

/** @param shift  Esser et al. 2024: sigma = shift t / (1 + (shift - 1) t); 1 leaves it straight */
limn_status limn_flow_init(limn_ctx *ctx, int n_steps, double shift, bool noise, limn_flow *out);
float limn_flow_timestep(const limn_flow *f, int k);
/** x (sigma_k) -> x (sigma_k+1), given the prediction at x. */
void limn_flow_step(const limn_flow *f, int k, size_t n, const float *prediction, float *x);

#endif
