/* cost.h: what running and training a network takes: planned as the pipeline and the trainer plan it, and never
 * allocated. */
#ifndef LIMN_COST_H
#define LIMN_COST_H

#include "model/model.h"

typedef struct limn_cost_options {
    limn_settings settings;
    int batch;
    int n_steps;              /* inference: length of the timestep table */
    limn_precision precision;
    const char *recompute;    /* training: limn_plan_options.recompute */
} limn_cost_options;

typedef struct limn_cost {
    limn_precision precision; /* never AUTO */
    double flops;             /* one full run: one step of sampling with its text, or one step of training */
    int n_kernels;
    size_t weight_bytes;
    size_t activation_bytes, scratch_bytes, packed_bytes;
    size_t gradient_bytes;    /* training: one flat buffer */
    size_t optimizer_bytes;   /* training: AdamW's two moments, EMA, which elements decay, and a save's copy in bf16 */
    size_t peak_bytes;        /* the sum */
} limn_cost;

/** @param text  NULL, or where the plan goes as text (limn_plan_text(); the caller's, limn_free())
 *  @return LIMN_OK; what building and planning say */
limn_status limn_cost_inference(limn_ctx *ctx, const limn_cost_options *options, limn_cost *out, char **text);
/** The same for a training step.  @return LIMN_UNSUPPORTED when the trainer does not take this network */
limn_status limn_cost_training(limn_ctx *ctx, const limn_cost_options *options, limn_cost *out, char **text);

#endif
