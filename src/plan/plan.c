/* plan.c: making and freeing a plan. */
#include "plan/plan.h"

static limn_status resolve_precision(limn_plan *plan)
{
    limn_status status = limn_backend_find(plan->ctx, plan->options.backend, &plan->backend);
    if (status != LIMN_OK) return status;
    const char *why;
    bool repeated = plan->options.training || plan->options.repeated;
    limn_precision best = plan->backend->best_precision(plan->backend, repeated, &why);
    plan->precision = plan->options.precision;
    plan->precision_why = "as asked";
    if (plan->precision == LIMN_PRECISION_BF16 && best != LIMN_PRECISION_BF16)
        plan->precision_why = limn_arena_printf(plan->arena, "as asked; f32 is faster, %s", why);
    if (!plan->precision_why) return limn_fail_memory(plan->ctx, 128, "a plan");
    plan->exact = plan->precision == LIMN_PRECISION_EXACT;
    if (plan->exact) plan->precision = LIMN_PRECISION_F32, plan->precision_why = "exact: convolutions are direct sums";
    if (plan->precision == LIMN_PRECISION_AUTO) plan->precision = best, plan->precision_why = why;
    return LIMN_OK;
}

static limn_status too_large(limn_plan *plan)
{
    size_t need = plan->slab_bytes + plan->scratch_bytes;
    size_t limit = plan->options.memory_limit ? plan->options.memory_limit : limn_memory_available();
    if (!limit || need <= limit) return LIMN_OK;
    return limn_fail(plan->ctx, LIMN_NO_MEMORY,
                     "the plan needs %.1f MB for activations, the limit is %.1f MB: use a smaller batch or size",
                     (double)need / 1e6, (double)limit / 1e6);
}

/* Inputs, parameters and outputs are the caller's to see; `made` of a leaf is its id in the caller's graph. */
static limn_status index_nodes(limn_plan *plan, limn_node *const *outputs)
{
    plan->n_drawn = plan->drawn->n_nodes;
    plan->tensor_of = limn_arena_alloc(plan->arena, (size_t)plan->n_drawn * sizeof *plan->tensor_of);
    if (!plan->tensor_of) return limn_fail_memory(plan->ctx, (size_t)plan->n_drawn * sizeof *plan->tensor_of, "a plan");
    for (int i = 0; i < plan->n_drawn; i++) plan->tensor_of[i] = -1;
    for (int i = 0; i < plan->graph->n_nodes; i++) {
        const limn_node *node = plan->graph->nodes[i];
        if (node->op == LIMN_OP_INPUT || node->op == LIMN_OP_PARAMETER) plan->tensor_of[node->made] = i;
    }
    for (int i = 0; i < plan->n_outputs; i++) plan->tensor_of[outputs[i]->id] = plan->outputs[i]->id;
    return LIMN_OK;
}

static limn_status decide(limn_plan *plan, limn_graph *g, limn_node *const *outputs)
{
    limn_status status = resolve_precision(plan);
    if (status != LIMN_OK) return status;
    if (plan->source && plan->options.training)
        return limn_fail(plan->ctx, LIMN_BAD_ARGUMENT,
                         "weights of a store never change, and training changes them: bind the parameters");
    plan->outputs = limn_arena_alloc(plan->arena, (size_t)plan->n_outputs * sizeof(limn_node *));
    if (!plan->outputs) return limn_fail_memory(plan->ctx, (size_t)plan->n_outputs * sizeof(limn_node *), "a plan");
    for (int i = 0; i < plan->n_outputs; i++) plan->outputs[i] = outputs[i];
    plan->graph = limn_rewrite(g, plan->n_outputs, plan->outputs, !plan->options.no_rewrite);
    if (!plan->graph) return limn_fail_memory(plan->ctx, (size_t)g->n_nodes * sizeof(limn_node), "a plan's graph");
    status = limn_plan_recompute(plan);
    if (status == LIMN_OK) status = index_nodes(plan, outputs);
    if (status == LIMN_OK) status = limn_plan_place(plan);
    if (status == LIMN_OK) status = limn_plan_keys(plan);
    if (status == LIMN_OK) status = limn_plan_memory(plan);
    return status == LIMN_OK ? too_large(plan) : status;
}

limn_status limn_plan_new_from(limn_ctx *ctx, limn_graph *g, int n_outputs, limn_node *const *outputs,
                               const limn_plan_options *options, const limn_source *source, limn_plan **out)
{
    *out = NULL;
    if (g->status != LIMN_OK) return g->status;
    limn_arena *arena = limn_arena_new();
    limn_plan *plan = arena ? limn_arena_alloc(arena, sizeof *plan) : NULL;
    if (!plan) {
        limn_arena_free(arena);
        return limn_fail_memory(ctx, sizeof *plan, "a plan");
    }
    *plan = (limn_plan){.ctx = ctx,
                        .n_threads = limn_ctx_threads(ctx),
                        .arena = arena,
                        .drawn = g,
                        .n_outputs = n_outputs,
                        .source = source};
    if (options) plan->options = *options;
    limn_status status = decide(plan, g, outputs);
    if (status == LIMN_OK) *out = plan;
    else limn_plan_free(plan);
    return status;
}

limn_status limn_plan_new(limn_graph *g, int n_outputs, limn_node *const *outputs, const limn_plan_options *options,
                          limn_plan **out)
{
    return limn_plan_new_from(g->ctx, g, n_outputs, outputs, options, NULL, out);
}

void limn_plan_free(limn_plan *plan)
{
    if (!plan) return;
    for (int i = 0; i < plan->n_steps; i++) {
        limn_step *step = &plan->steps[i];
        if (!step->is_pack && step->kernel && step->kernel->release) step->kernel->release(&step->call);
    }
    limn_graph_free(plan->graph);
    limn_arena_free(plan->arena); /* plan lies in it */
}

int limn_plan_root(const limn_plan *plan, int tensor, size_t *offset)
{
    for (*offset = 0; plan->tensors[tensor].place == LIMN_PLACE_ALIAS; tensor = plan->tensors[tensor].of)
        *offset += plan->tensors[tensor].offset;
    return tensor;
}

int limn_plan_tensor(const limn_plan *plan, const limn_node *node)
{
    return node->graph == plan->drawn && node->id >= 0 && node->id < plan->n_drawn ? plan->tensor_of[node->id] : -1;
}

limn_status limn_step_failed(limn_ctx *ctx, const limn_plan *plan, const limn_step *step, limn_status status)
{
    const limn_node *node = plan->tensors[step->dst].node;
    if (status == LIMN_IO) return limn_fail_in(ctx, status, "%s", limn_op_name(node->op));
    return limn_fail(ctx, status, "%s%s%s (%s): %s", node->scope->path, node->scope->path[0] ? ", " : "",
                     limn_op_name(node->op), step->kernel->name,
                     status == LIMN_NO_MEMORY ? "memory is out" : "its library refused to compute");
}

limn_status limn_plan_runs_here(limn_ctx *ctx, const limn_plan *plan)
{
    const char *why = plan->backend->refuse(plan->backend);
    return why ? limn_fail(ctx, LIMN_UNSUPPORTED, "a plan of %s cannot run here: %s", plan->backend->name, why) : LIMN_OK;
}

limn_plan_size limn_plan_sizes(const limn_plan *plan)
{
    limn_plan_size size = {.activation_bytes = plan->slab_bytes - plan->slab_packed_bytes,
                           .scratch_bytes = plan->scratch_bytes,
                           .packed_bytes = plan->packed_bytes,
                           .weight_bytes = plan->weight_bytes,
                           .n_nodes = plan->n_steps};
    for (int i = 0; i < plan->graph->n_nodes; i++)
        if (plan->graph->nodes[i]->op > LIMN_OP_PARAMETER) size.flops += limn_node_flops(plan->graph->nodes[i]);
    return size;
}
