/* plan.c: making and freeing a plan; binding memory. */
#include "plan/plan.h"

#include <stdlib.h>

static bool multiplies_bf16(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx512bf16");
#else
    return false;
#endif
}

/* Only where the CPU multiplies bf16 natively is it faster than f32. */
static void resolve_precision(limn_plan *plan)
{
    bool native = multiplies_bf16();
    plan->precision = plan->options.precision;
    plan->precision_why = "as asked";
    if (plan->precision == LIMN_PRECISION_BF16 && !native) plan->precision_why = "as asked; f32 is faster, this CPU does not multiply bf16 natively";
    if (plan->precision != LIMN_PRECISION_AUTO) return;
    plan->precision = native ? LIMN_PRECISION_BF16 : LIMN_PRECISION_F32;
    plan->precision_why = native ? "this CPU multiplies bf16 natively" : "this CPU does not multiply bf16 natively";
}

static limn_status too_large(limn_plan *plan)
{
    size_t need = plan->slab_bytes + plan->scratch_bytes;
    size_t limit = plan->options.memory_limit ? plan->options.memory_limit : limn_memory_available();
    if (!limit || need <= limit) return LIMN_OK;
    return limn_fail(plan->ctx, LIMN_NO_MEMORY, "the plan needs %.1f MB for activations, the limit is %.1f MB: use a smaller batch or size",
                     (double)need / 1e6, (double)limit / 1e6);
}

/* Inputs, parameters and outputs are the caller's to see; `made` of a leaf is its id in the caller's graph. */
static limn_status index_nodes(limn_plan *plan, limn_node *const *outputs)
{
    plan->n_source = plan->source->n_nodes;
    plan->tensor_of = limn_arena_alloc(plan->arena, (size_t)plan->n_source * sizeof *plan->tensor_of);
    if (!plan->tensor_of) return limn_fail_memory(plan->ctx, (size_t)plan->n_source * sizeof *plan->tensor_of, "a plan");
    for (int i = 0; i < plan->n_source; i++) plan->tensor_of[i] = -1;
    for (int i = 0; i < plan->graph->n_nodes; i++) {
        const limn_node *node = plan->graph->nodes[i];
        if (node->op == LIMN_OP_INPUT || node->op == LIMN_OP_PARAMETER) plan->tensor_of[node->made] = i;
    }
    for (int i = 0; i < plan->n_outputs; i++) plan->tensor_of[outputs[i]->id] = plan->outputs[i]->id;
    return LIMN_OK;
}

limn_status limn_plan_new(limn_graph *g, int n_outputs, limn_node *const *outputs, const limn_plan_options *options, limn_plan **out)
{
    *out = NULL;
    if (g->status != LIMN_OK) return g->status;
    limn_arena *arena = limn_arena_new();
    limn_plan *plan = arena ? limn_arena_alloc(arena, sizeof *plan) : NULL;
    if (!plan) {
        limn_arena_free(arena);
        return limn_fail_memory(g->ctx, sizeof *plan, "a plan");
    }
    *plan = (limn_plan){.ctx = g->ctx, .arena = arena, .source = g, .n_outputs = n_outputs, .changed = LIMN_CONSTANT};
    if (options) plan->options = *options;
    resolve_precision(plan);
    if (plan->options.own_parameters && plan->options.training) {
        limn_plan_free(plan);
        return limn_fail(g->ctx, LIMN_BAD_ARGUMENT, "own_parameters is for running: training changes parameters in the caller's memory");
    }
    plan->outputs = limn_arena_alloc(arena, (size_t)n_outputs * sizeof(limn_node *));
    if (plan->outputs) {
        for (int i = 0; i < n_outputs; i++) plan->outputs[i] = outputs[i];
        plan->graph = limn_rewrite(g, n_outputs, plan->outputs, !plan->options.no_rewrite);
    }
    limn_status status = plan->graph ? LIMN_OK : limn_fail_memory(g->ctx, sizeof *plan, "a plan's graph");
    if (status == LIMN_OK) status = limn_plan_recompute(plan);
    if (status == LIMN_OK) status = index_nodes(plan, outputs);
    if (status == LIMN_OK) status = limn_plan_place(plan);
    if (status == LIMN_OK) status = limn_plan_memory(plan);
    if (status == LIMN_OK) status = too_large(plan);
    if (status == LIMN_OK) *out = plan;
    else limn_plan_free(plan);
    return status;
}

void limn_plan_free(limn_plan *plan)
{
    if (!plan) return;
    for (int i = 0; i < plan->n_steps; i++) {
        limn_step *step = &plan->steps[i];
        if (!step->is_pack && step->kernel && step->kernel->release) step->kernel->release(&step->call);
    }
    limn_free_aligned(plan->slab);
    limn_graph_free(plan->graph);
    limn_arena_free(plan->arena); /* plan lies in it */
}

/* ---- the caller's nodes -> tensors -------------------------------------------------------------------------------- */

static int find_tensor(const limn_plan *plan, const limn_node *node)
{
    return node->graph == plan->source && node->id >= 0 && node->id < plan->n_source ? plan->tensor_of[node->id] : -1;
}

limn_status limn_plan_bind(limn_plan *plan, limn_node *node, limn_dtype dtype, void *data)
{
    int t = find_tensor(plan, node);
    if (t < 0) return LIMN_OK; /* nothing in the plan depends on it */
    size_t offset;
    t = limn_plan_root(plan, t, &offset);
    limn_tensor *tensor = &plan->tensors[t];
    if (tensor->view.dtype != dtype || tensor->place != LIMN_PLACE_BOUND || offset)
        return limn_fail(plan->ctx, LIMN_BAD_ARGUMENT, "%s is planned as %s%s, bound as %s", limn_node_name(node),
                         limn_dtype_name(tensor->view.dtype), tensor->place == LIMN_PLACE_BOUND ? "" : " in the plan's own memory",
                         limn_dtype_name(dtype));
    tensor->view.data = data;
    plan->connected = false;
    limn_plan_touch(plan, node);
    return LIMN_OK;
}

static limn_status allocate(limn_plan *plan)
{
    if (plan->slab) return LIMN_OK;
    size_t bytes = plan->slab_bytes + plan->scratch_bytes;
    plan->slab = limn_alloc_aligned(bytes);
    return plan->slab ? LIMN_OK : limn_fail_memory(plan->ctx, bytes, "activations");
}

/* Memory of a tensor, or NULL while it has none. */
static void *data_of(limn_plan *plan, int t)
{
    size_t offset;
    const limn_tensor *root = &plan->tensors[limn_plan_root(plan, t, &offset)];
    unsigned char *base = root->place == LIMN_PLACE_BOUND ? root->view.data : plan->slab && root->place == LIMN_PLACE_SLAB ? plan->slab + root->offset : NULL;
    return base ? base + offset : NULL;
}

void *limn_plan_data(limn_plan *plan, limn_node *node)
{
    int t = find_tensor(plan, node);
    if (t < 0 || allocate(plan) != LIMN_OK) return NULL;
    if (plan->tensors[t].node->op == LIMN_OP_INPUT) plan->tensors[t].given = true; /* the caller has it to fill */
    return data_of(plan, t);
}

limn_status limn_plan_data_of(limn_plan *plan, limn_node *node, void **out)
{
    *out = NULL;
    if (find_tensor(plan, node) < 0) return limn_fail(plan->ctx, LIMN_BAD_ARGUMENT, "%s has no memory in the plan: no output depends on it", limn_node_name(node));
    limn_status status = allocate(plan);
    if (status != LIMN_OK) return status;
    *out = limn_plan_data(plan, node);
    return *out ? LIMN_OK : limn_fail(plan->ctx, LIMN_BAD_ARGUMENT, "%s has no memory: bind it first", limn_node_name(node));
}

void limn_plan_touch(limn_plan *plan, limn_node *node)
{
    int t = find_tensor(plan, node);
    if (t < 0) return;
    if (plan->tensors[t].phase < plan->changed) plan->changed = plan->tensors[t].phase;
}

/* A parameter that exists in the layouts of its kernels only: make those. */
static limn_status give(limn_plan *plan, int t, limn_dtype from, const void *data)
{
    limn_tensor *tensor = &plan->tensors[t];
    void *copy = NULL;
    size_t offset;
    if (from != tensor->view.dtype) {
        copy = limn_alloc_aligned(tensor->bytes);
        if (!copy) return limn_fail_memory(plan->ctx, tensor->bytes, limn_node_name(tensor->node));
        limn_convert(data, from, copy, tensor->view.dtype, (size_t)limn_node_count(tensor->node));
    }
    for (int i = 0; i < plan->n_steps; i++) {
        const limn_step *step = &plan->steps[i];
        if (!step->is_pack || limn_plan_root(plan, step->src[0], &offset) != t) continue;
        limn_view view = step->call.src[0];
        view.data = (unsigned char *)(copy ? copy : (void *)(uintptr_t)data) + offset;
        step->kernel->pack(&plan->steps[step->pack_user].call, &view, data_of(plan, step->dst));
    }
    limn_free_aligned(copy);
    tensor->given = true;
    return LIMN_OK;
}

limn_status limn_plan_set(limn_plan *plan, limn_node *node, limn_dtype from, const void *data)
{
    int t = find_tensor(plan, node);
    if (t < 0) return LIMN_OK;
    limn_status status = allocate(plan);
    if (status != LIMN_OK) return status;
    if (plan->tensors[t].place == LIMN_PLACE_GIVEN) {
        status = give(plan, t, from, data);
        limn_plan_touch(plan, node);
        return status;
    }
    void *to = data_of(plan, t);
    if (!to) return limn_fail(plan->ctx, LIMN_BAD_ARGUMENT, "%s is set before its memory is bound", limn_node_name(node));
    limn_convert(data, from, to, plan->tensors[t].view.dtype, (size_t)limn_node_count(node));
    plan->tensors[t].given = true;
    limn_plan_touch(plan, node);
    return LIMN_OK;
}

limn_status limn_plan_get(limn_plan *plan, limn_node *node, limn_dtype to, void *data)
{
    int t = find_tensor(plan, node);
    void *from = t < 0 ? NULL : data_of(plan, t);
    const limn_tensor *tensor = from ? &plan->tensors[t] : NULL;
    if (!tensor || !(tensor->node->op > LIMN_OP_PARAMETER ? plan->ran : tensor->given || tensor->place == LIMN_PLACE_BOUND))
        return limn_fail(plan->ctx, LIMN_BAD_ARGUMENT, "%s has no value yet, or is not an output", limn_node_name(node));
    limn_convert(from, tensor->view.dtype, data, to, (size_t)limn_node_count(node));
    return LIMN_OK;
}

/* ---- run ---------------------------------------------------------------------------------------------------------- */

/* Hand the tensors' addresses to the steps, once after memory was bound. */
static limn_status connect(limn_plan *plan)
{
    if (plan->connected) return LIMN_OK;
    for (int i = 0; i < plan->n_tensors; i++) {
        limn_tensor *tensor = &plan->tensors[i];
        bool leaf = tensor->node->op == LIMN_OP_INPUT || tensor->node->op == LIMN_OP_PARAMETER;
        if (leaf && tensor->place != LIMN_PLACE_BOUND && !tensor->given)
            return limn_fail(plan->ctx, LIMN_BAD_ARGUMENT, "%s %s has no value: set it before the run",
                             tensor->node->op == LIMN_OP_INPUT ? "input" : "parameter", limn_node_name(tensor->node));
        if (tensor->place == LIMN_PLACE_BOUND && !tensor->view.data)
            return limn_fail(plan->ctx, LIMN_BAD_ARGUMENT, "%s has no memory: bind it before the run", limn_node_name(tensor->node));
    }
    for (int i = 0; i < plan->n_steps; i++) {
        limn_step *step = &plan->steps[i];
        step->call.dst.data = data_of(plan, step->dst);
        for (int s = 0; s < step->call.n_src; s++) step->call.src[s].data = data_of(plan, step->src[s]);
        step->call.scratch = plan->slab + plan->slab_bytes;
    }
    plan->connected = true;
    return LIMN_OK;
}

limn_status limn_plan_run(limn_plan *plan)
{
    limn_status status = allocate(plan);
    if (status == LIMN_OK) status = connect(plan);
    if (status != LIMN_OK) return status;
    limn_floats floats;
    limn_floats_begin(&floats, plan->ctx->n_threads);
    plan->n_runs = 0;
    for (int i = 0; i < plan->n_steps; i++) {
        limn_step *step = &plan->steps[i];
        if (step->phase < plan->changed || step->given) continue;
        if (step->is_pack) step->kernel->pack(&plan->steps[step->pack_user].call, &step->call.src[0], step->call.dst.data);
        else step->kernel->run(&step->call);
        plan->n_runs++;
    }
    limn_floats_end(&floats);
    plan->changed = LIMN_PER_STEP + 1;
    plan->ran = true;
    return LIMN_OK;
}

limn_plan_size limn_plan_sizes(const limn_plan *plan)
{
    limn_plan_size size = {.activation_bytes = plan->slab_bytes - plan->packed_bytes - plan->own_bytes, .scratch_bytes = plan->scratch_bytes,
                           .packed_bytes = plan->packed_bytes, .weight_bytes = plan->weight_bytes, .n_nodes = plan->n_steps,
                           .n_runs = plan->n_runs};
    for (int i = 0; i < plan->graph->n_nodes; i++)
        if (plan->graph->nodes[i]->op > LIMN_OP_PARAMETER) size.flops += limn_node_flops(plan->graph->nodes[i]);
    return size;
}
