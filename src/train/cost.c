/* cost.c: what running and training a network takes: planned as the pipeline and the trainer plan it, and never
 * allocated. */
#include "train/network.h"

#include "plan/plan.h"
#include "train/step_graph.h"

/* As weights.c lays them out: tensors begin at multiples of 16 elements. */
enum { F32_BYTES = 4, N_MOMENTS = 2, ALIGNED = 16 };

/* A drawing is not refused for want of memory. */
static limn_plan_options options_of(const limn_cost_options *o)
{
    return (limn_plan_options){.precision = o->precision, .memory_limit = (size_t)1 << 62};
}

static limn_cost measure(const limn_plan *plan)
{
    limn_plan_size size = limn_plan_sizes(plan);
    limn_cost cost = {.precision = plan->precision,
                      .flops = size.flops,
                      .n_kernels = size.n_nodes,
                      .weight_bytes = size.weight_bytes,
                      .activation_bytes = size.activation_bytes,
                      .scratch_bytes = size.scratch_bytes,
                      .packed_bytes = size.packed_bytes};
    cost.peak_bytes = cost.weight_bytes + cost.activation_bytes + cost.scratch_bytes + cost.packed_bytes;
    return cost;
}

limn_status limn_cost_inference(const limn_network *network, const limn_cost_options *o, limn_cost *out, char **text)
{
    limn_ctx *ctx = network->ctx;
    limn_ports ports;
    limn_plan *plan = NULL;
    limn_plan_options options = options_of(o);
    limn_source *weights;
    options.repeated = network->settings.family->kind == LIMN_DENOISES;
    *out = (limn_cost){0};
    limn_graph *g = limn_graph_new(ctx);
    if (!g) return limn_fail_memory(ctx, sizeof *g, "a graph");
    limn_status status = limn_source_started(ctx, LIMN_F32, 0, &weights);
    if (status == LIMN_OK)
        status = limn_model_build(g, &network->settings, (limn_build){.batch = o->batch, .n_steps = o->n_steps}, &ports);
    if (status == LIMN_OK) status = limn_plan_new_from(ctx, g, 1, &ports.output, &options, weights, &plan);
    if (status == LIMN_OK) {
        *out = measure(plan);
        if (text) *text = limn_plan_text(plan);
    }
    limn_plan_free(plan);
    limn_graph_free(g);
    limn_source_free(weights);
    return status;
}

limn_status limn_cost_training(const limn_network *network, const limn_cost_options *o, limn_cost *out, char **text)
{
    limn_ctx *ctx = network->ctx;
    limn_plan *plan = NULL;
    limn_step_graph step;
    limn_plan_options options = options_of(o);
    options.recompute = o->recompute;
    *out = (limn_cost){0};
    limn_step_options built = {.settings = network->settings, .batch = o->batch};
    limn_status status = limn_step_graph_build(ctx, &built, &step);
    if (status != LIMN_OK) return status;
    status = limn_step_graph_plan(&step, &options, &plan);
    if (status == LIMN_OK) {
        size_t n = 0;
        for (int i = 0; i < step.g->n_parameters; i++)
            n += ((size_t)limn_node_count(step.g->parameters[i]) + ALIGNED - 1) / ALIGNED * ALIGNED;
        *out = measure(plan);
        out->gradient_bytes = n * F32_BYTES;
        out->optimizer_bytes = n * ((N_MOMENTS + 1) * F32_BYTES + 1);
        out->peak_bytes += out->gradient_bytes + out->optimizer_bytes;
        if (text) *text = limn_plan_text(plan);
    }
    limn_plan_free(plan);
    limn_step_graph_free(&step);
    return status;
}
