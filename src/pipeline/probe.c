/* probe.c: see probe.h.  Gray, at the noisiest timestep, is nothing but noise to a network: one that predicts noise gives
 * about what it saw, one that predicts v (there: minus the picture) something else, in the published weights far below.
 * A1111's web UI and stable-diffusion.cpp ask in the same way: x and text of 0.5, mean(output - x) < -1. */
#include "pipeline/probe.h"

#include "model/map/map.h"
#include "pipeline/published.h"

#include <stdlib.h>

enum { SIDE = 8 };

/* The same number everywhere in an input. */
static limn_status fill(limn_ctx *ctx, const limn_job *job, limn_port_name port, float value)
{
    const limn_node *node = limn_port_node(job->ports, port);
    if (!node) return LIMN_OK;
    limn_shape shape = limn_node_shape(node);
    size_t n = (size_t)limn_shape_count(&shape);
    float *x = malloc(n * sizeof *x);
    if (!x) return limn_fail_memory(ctx, n * sizeof *x, limn_port_rows[port].name);
    for (size_t i = 0; i < n; i++) x[i] = value;
    limn_status status = limn_run_write(job->run, node, LIMN_F32, x);
    free(x);
    return status;
}

/* The mean of what it makes of gray. */
static limn_status ask(limn_pipeline *p, const limn_job *job, double *mean)
{
    static const int32_t first = 0;
    limn_shape shape = limn_node_shape(job->ports->output);
    size_t n = (size_t)limn_shape_count(&shape);
    float *y = malloc(n * sizeof *y);
    limn_status status = y ? LIMN_OK : limn_fail_memory(p->ctx, n * sizeof *y, "an output");
    if (status == LIMN_OK) status = fill(p->ctx, job, LIMN_PORT_IMAGE, 0.5f);
    if (status == LIMN_OK) status = fill(p->ctx, job, LIMN_PORT_FEATURES, 0.5f);
    if (status == LIMN_OK) status = fill(p->ctx, job, LIMN_PORT_TIMESTEPS, (float)(p->schedule.n_train - 1));
    if (status == LIMN_OK) status = limn_run_write(job->run, job->ports->step, LIMN_I32, &first);
    if (status == LIMN_OK) status = limn_run_execute(job->run);
    if (status == LIMN_OK) status = limn_job_output(p->ctx, job, job->ports->output, "asked what it predicts", y);
    *mean = 0;
    for (size_t i = 0; i < n && status == LIMN_OK; i++) *mean += (double)y[i] / (double)n;
    free(y);
    return status;
}

/* By a net of its own: kernels for so few pixels have weights in layouts of their own, which that which draws would keep. */
static limn_status ask_once(limn_pipeline *p, limn_precision precision, double *mean)
{
    limn_net_shape shape = {.batch = 1, .n_times = 1, .height = SIDE, .width = SIDE, .precision = precision};
    limn_source *weights;
    limn_net *net = NULL;
    limn_job job = {0};
    limn_status status = limn_map_source(p->ctx, p->file, p->st, &weights);
    if (status == LIMN_OK) status = limn_net_new(p->ctx, &p->settings, weights, p->file, &net);
    if (status == LIMN_OK) status = limn_job_begin(p->ctx, net, &shape, 0, &job);
    if (status == LIMN_OK) status = ask(p, &job, mean);
    limn_job_end(&job);
    limn_net_free(net);
    return status;
}

limn_status limn_probe_prediction(limn_pipeline *p, limn_precision precision, bool *changes)
{
    limn_interface net = limn_model_interface(&p->settings);
    double mean;
    *changes = false;
    if (p->prediction_known || !limn_published_is_sd2(p)) return LIMN_OK;
    if (net.inpaints || net.edits || net.told_guidance) return LIMN_OK;
    limn_status status = ask_once(p, precision, &mean);
    if (status != LIMN_OK) return status;
    bool v = mean - 0.5 < -1;
    *changes = v != (p->prediction == LIMN_PREDICT_V);
    p->prediction = v ? LIMN_PREDICT_V : LIMN_PREDICT_EPS, p->prediction_known = true;
    limn_log(p->ctx, LIMN_LOG_INFO, "prediction: %s, as the network itself shows (--prediction says otherwise)",
             v ? "v" : "eps, of noise");
    return LIMN_OK;
}
