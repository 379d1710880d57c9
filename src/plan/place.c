/* place.c: a dtype for every tensor, a kernel for every node (with the reasons of those that refused), steps in phase
 * order. */
#include "graph/rewrite.h"
#include "plan/plan.h"

#include <limits.h>
#include <string.h>

static limn_dtype dtype_of(const limn_plan *plan, const limn_node *node)
{
    bool wide = plan->precision == LIMN_PRECISION_F64;
    if (node->kind == LIMN_INDEX) return LIMN_I32;
    if (node->op == LIMN_OP_PARAMETER && !plan->source) return wide ? LIMN_F64 : plan->options.parameter_dtype;
    if (node->kind == LIMN_WIDE || node->op == LIMN_OP_INPUT) return wide ? LIMN_F64 : LIMN_F32;
    return wide ? LIMN_F64 : plan->precision == LIMN_PRECISION_BF16 ? LIMN_BF16 : LIMN_F32;
}

/* By node: a bit for each type that all who read it take. */
static uint32_t *find_kept_types(limn_plan *plan)
{
    const limn_graph *g = plan->graph;
    uint32_t *types = limn_arena_alloc(plan->arena, (size_t)g->n_nodes * sizeof *types + 1);
    for (int i = 0; types && i < g->n_nodes; i++) types[i] = UINT32_MAX;
    for (int i = 0; types && i < plan->n_outputs; i++) types[plan->outputs[i]->id] = 0;
    for (int i = 0; types && i < g->n_nodes; i++)
        for (int s = 0; s < g->nodes[i]->n_src; s++)
            if (g->nodes[i]->src[s]->op == LIMN_OP_PARAMETER)
                types[g->nodes[i]->src[s]->id] &= limn_op_keeps(g->nodes[i]->op, s);
    return types;
}

/* Parameters lie in the store as the source has them, where kernels load that type; blocks, where rows are whole ones. */
static limn_status find_parameter(limn_plan *plan, limn_tensor *t, uint32_t types)
{
    limn_found found;
    limn_wanted w = {.name = t->node->name, .shape = t->node->shape, .init = &t->node->init};
    limn_status status = plan->source->find(plan->ctx, plan->source, &w, &found);
    if (status != LIMN_OK) return status;
    bool whole = limn_dtype_size(found.dtype, (size_t)limn_shape_cols(&t->node->shape)) != SIZE_MAX;
    bool kept = found.dtype == LIMN_BF16 || (types >> found.dtype & 1 && whole);
    t->view.dtype = plan->precision == LIMN_PRECISION_F64 ? LIMN_F64 : kept ? found.dtype : LIMN_F32;
    return LIMN_OK;
}

/* Inputs in the order they were made; what follows from inputs has their bits. */
static uint64_t depends_of(const limn_plan *plan, const limn_node *node, int *n_inputs)
{
    uint64_t bits = 0;
    if (node->op == LIMN_OP_PARAMETER) return plan->source ? LIMN_DEPENDS_NONE : LIMN_DEPENDS_BOUND;
    if (node->op == LIMN_OP_INPUT) return *n_inputs < 61 ? UINT64_C(1) << (*n_inputs)++ : LIMN_DEPENDS_MORE;
    for (int s = 0; s < node->n_src; s++) bits |= plan->tensors[node->src[s]->id].depends;
    bits &= ~LIMN_DEPENDS_NONE;
    return bits ? bits : LIMN_DEPENDS_NONE;
}

static limn_status make_tensors(limn_plan *plan, limn_rate *rates)
{
    const limn_graph *g = plan->graph;
    /* room for one packed weight per node */
    plan->tensors = limn_arena_alloc(plan->arena, 2 * (size_t)g->n_nodes * sizeof *plan->tensors);
    plan->steps = limn_arena_alloc(plan->arena, 2 * (size_t)g->n_nodes * sizeof *plan->steps);
    if (!plan->tensors || !plan->steps)
        return limn_fail_memory(plan->ctx, 2 * (size_t)g->n_nodes * sizeof *plan->steps, "a plan");
    const uint32_t *types = find_kept_types(plan);
    if (!types) return limn_fail_memory(plan->ctx, (size_t)g->n_nodes * sizeof *types, "a plan");
    limn_graph_rates(g, plan->options.training, rates);
    int n_inputs = 0;
    limn_status status = LIMN_OK;
    for (int i = 0; i < g->n_nodes && status == LIMN_OK; i++) {
        limn_node *node = g->nodes[i];
        limn_tensor *t = &plan->tensors[i];
        *t = (limn_tensor){.node = node,
                           .view = {.dtype = dtype_of(plan, node), .shape = node->shape},
                           .born = INT_MAX,
                           .phase = rates[i],
                           .depends = depends_of(plan, node, &n_inputs)};
        if (node->op == LIMN_OP_VIEW) {
            t->place = LIMN_PLACE_ALIAS;
            t->of = node->src[0]->id;
            t->view.dtype = plan->tensors[t->of].view.dtype;
            t->offset = limn_dtype_size(t->view.dtype, (size_t)node->attr.begin);
        }
        if (node->op == LIMN_OP_PARAMETER && plan->source)
            status = find_parameter(plan, t, types[i]);
        else if (node->op == LIMN_OP_PARAMETER) t->place = LIMN_PLACE_BOUND;
        t->bytes = limn_view_bytes(&t->view);
    }
    plan->n_tensors = g->n_nodes;
    if (status != LIMN_OK) return status;
    for (int i = plan->options.first_bound; i && i < plan->n_outputs; i++) {
        size_t offset;
        limn_tensor *root = &plan->tensors[limn_plan_root(plan, plan->outputs[i]->id, &offset)];
        if (offset || root->bytes != plan->tensors[plan->outputs[i]->id].bytes || root->place != LIMN_PLACE_SLAB)
            return limn_fail(plan->ctx, LIMN_BAD_ARGUMENT, "output %d (%s) cannot lie in the caller's memory", i,
                             limn_node_name(root->node));
        root->place = LIMN_PLACE_BOUND;
    }
    return LIMN_OK;
}

static limn_status choose_kernel(limn_plan *plan, limn_step *step)
{
    const limn_kernel *kernel;
    const char *before = "", *names = "", *last = ""; /* kernels that follow each other for one reason are named together */
    step->refusals = "";
    for (int i = 0; (kernel = plan->backend->kernel(step->call.op, i)); i++) {
        const char *why = kernel->refuse ? kernel->refuse(&step->call) : NULL;
        if (!why) {
            step->kernel = kernel;
            return kernel->prepare ? kernel->prepare(plan->ctx, &step->call) : LIMN_OK;
        }
        bool same = strcmp(why, last) == 0;
        if (!same) before = step->refusals;
        names = same ? limn_arena_printf(plan->arena, "%s, %s", names, kernel->name) : kernel->name;
        const char *more =
            names ? limn_arena_printf(plan->arena, "%s%s%s: %s", before, before[0] ? "; " : "", names, why) : NULL;
        last = why;
        if (!more) return limn_fail_memory(plan->ctx, strlen(step->refusals) + strlen(why), "a kernel's refusal");
        step->refusals = more;
    }
    return limn_fail(plan->ctx, LIMN_UNSUPPORTED, "no kernel for %s: %s", limn_op_name(step->call.op), step->refusals);
}

/* The kernel's own layout of a weight is a tensor of its own, made by a step in the weight's phase. */
static void add_pack(limn_plan *plan, int user, limn_rate phase)
{
    limn_step *use = &plan->steps[user];
    int at = use->kernel->pack_src;
    size_t bytes = use->kernel->packed_bytes ? use->kernel->packed_bytes(&use->call) : 0;
    if (!bytes) return;
    int t = plan->n_tensors++;
    limn_view view = {.dtype = LIMN_U8, .shape = LIMN_SHAPE((int64_t)bytes)};
    plan->tensors[t] = (limn_tensor){.node = plan->tensors[use->dst].node,
                                     .view = view,
                                     .bytes = bytes,
                                     .born = INT_MAX,
                                     .phase = phase,
                                     .depends = plan->tensors[use->src[at]].depends,
                                     .packed = true};
    limn_step *pack = &plan->steps[plan->n_steps++];
    *pack = (limn_step){.kernel = use->kernel, .is_pack = true, .pack_user = user, .dst = t, .phase = phase,
                        .depends = plan->tensors[use->src[at]].depends, .refusals = ""};
    pack->call.n_src = 1;
    pack->call.src[0] = use->call.src[at];
    pack->src[0] = use->src[at];
    use->src[at] = t;
}

static limn_status add_step(limn_plan *plan, limn_node *node, const limn_rate *rates)
{
    int index = plan->n_steps++;
    limn_step *step = &plan->steps[index];
    *step = (limn_step){.dst = node->id, .phase = rates[node->id], .depends = plan->tensors[node->id].depends};
    step->call = (limn_call){.op = node->op, .attr = &node->attr, .n_src = node->n_src, .dst = plan->tensors[node->id].view,
                             .n_threads = plan->n_threads, .exact = plan->exact, .rows = plan->backend->rows};
    for (int s = 0; s < node->n_src; s++) {
        step->src[s] = node->src[s]->id;
        step->call.src[s] = plan->tensors[node->src[s]->id].view;
    }
    limn_status status = choose_kernel(plan, step);
    if (status != LIMN_OK) return limn_fail_in(plan->ctx, status, "%s", node->scope->path[0] ? node->scope->path : "graph");
    step->scratch_bytes = step->kernel->scratch_bytes ? step->kernel->scratch_bytes(&step->call) : 0;
    if (step->scratch_bytes > plan->scratch_bytes) plan->scratch_bytes = step->scratch_bytes;
    add_pack(plan, index, step->kernel->packed_bytes ? rates[node->src[step->kernel->pack_src]->id] : 0);
    return LIMN_OK;
}

/* What follows from weights alone comes first, then phase by phase. */
static int rank_of(const limn_plan *plan, const limn_step *step)
{
    return plan->source && step->depends == LIMN_DEPENDS_NONE ? 0 : 1 + (int)step->phase;
}

/* Step i goes to place[i]. */
static void move_steps(limn_step *steps, int *place, int n)
{
    for (int i = 0; i < n; i++)
        while (place[i] != i) {
            int to = place[i];
            limn_step step = steps[to];
            steps[to] = steps[i], steps[i] = step;
            place[i] = place[to], place[to] = to;
        }
}

/* Stable sort by rank, a pack just before its first possible moment: in its rank, before its user. */
static limn_status sort_steps(limn_plan *plan)
{
    int n = 0, *place = limn_arena_alloc(plan->arena, (size_t)plan->n_steps * sizeof *place + 1);
    if (!place) return limn_fail_memory(plan->ctx, (size_t)plan->n_steps * sizeof *place, "a plan");
    for (int rank = 0; rank <= 1 + LIMN_PER_STEP; rank++) {
        for (int i = 0; i < plan->n_steps; i++) {
            limn_step *step = &plan->steps[i];
            bool pack_follows = i + 1 < plan->n_steps && plan->steps[i + 1].is_pack;
            if (step->is_pack) {
                if (rank_of(plan, step) == rank && rank_of(plan, step - 1) != rank) place[i] = n++;
            } else if (rank_of(plan, step) == rank) {
                if (pack_follows && rank_of(plan, step + 1) == rank) place[i + 1] = n++;
                place[i] = n++;
            }
        }
        if (rank == 0 && plan->source) plan->n_constant = n;
    }
    for (int i = 0; i < n; i++)
        if (plan->steps[i].is_pack) plan->steps[i].pack_user = place[plan->steps[i].pack_user];
    move_steps(plan->steps, place, n);
    return LIMN_OK;
}

limn_status limn_plan_place(limn_plan *plan)
{
    const limn_graph *g = plan->graph;
    limn_rate *rates = limn_arena_alloc(plan->arena, (size_t)g->n_nodes * sizeof *rates + 1);
    if (!rates) return limn_fail_memory(plan->ctx, (size_t)g->n_nodes * sizeof *rates, "a plan");
    limn_status status = make_tensors(plan, rates);
    for (int i = 0; i < g->n_nodes && status == LIMN_OK; i++)
        if (g->nodes[i]->op > LIMN_OP_PARAMETER && g->nodes[i]->op != LIMN_OP_VIEW)
            status = add_step(plan, g->nodes[i], rates);
    return status == LIMN_OK ? sort_steps(plan) : status;
}
