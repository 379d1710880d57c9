/* memory.c: from lifetimes to byte offsets in one slab.  A result takes the bytes of a source that dies with it where the
 * kernel allows that.  Then largest tensors first, each at the lowest offset where no tensor that lives at the same time
 * lies (greedy by size, Pisarchyk & Lee 2020).  The sum is known before anything is allocated. */
#include "plan/plan.h"

#include <limits.h>
#include <stdlib.h>

/* A value is kept for steps of a later, more frequent phase; and within the phases that are not run as a whole, for steps
 * that also depend on an input which may change alone. */
static void use(limn_plan *plan, int tensor, int i, const limn_step *step)
{
    size_t offset;
    limn_tensor *root = &plan->tensors[limn_plan_root(plan, tensor, &offset)];
    if (step->phase > root->phase || (step->phase < LIMN_PER_STEP && step->depends != root->depends)) root->dies = INT_MAX;
    else if (root->dies < i) root->dies = i;
}

static void lifetimes(limn_plan *plan)
{
    for (int i = plan->n_constant; i < plan->n_steps; i++) {
        limn_step *step = &plan->steps[i];
        limn_tensor *dst = &plan->tensors[step->dst];
        dst->born = i;
        if (dst->dies < i) dst->dies = i;
        for (int s = 0; s < step->call.n_src; s++) use(plan, step->src[s], i, step);
    }
    for (int i = 0; i < plan->graph->n_nodes; i++) {
        limn_tensor *t = &plan->tensors[i];
        if (t->node->op == LIMN_OP_INPUT || t->node->op == LIMN_OP_PARAMETER) t->born = -1, t->dies = INT_MAX;
    }
    for (int i = 0; i < plan->n_outputs; i++) {
        size_t offset;
        plan->tensors[limn_plan_root(plan, plan->outputs[i]->id, &offset)].dies = INT_MAX;
    }
}

/* ---- in place ------------------------------------------------------------------------------------------------------- */

static bool same_view(const limn_view *a, const limn_view *b)
{
    return a->dtype == b->dtype && limn_shape_equal(&a->shape, &b->shape);
}

static bool may_replace(const limn_step *step, int s)
{
    return step->kernel->in_place && same_view(&step->call.src[s], &step->call.dst) &&
           step->kernel->in_place(&step->call, s);
}

/* The tensor whose bytes the result of step i may take through source s; NULL when there is none.  It dies here, it is no
 * more than this source, and whatever else the step reads from it may be replaced as well. */
static limn_tensor *dying_source(limn_plan *plan, int i, int s)
{
    const limn_step *step = &plan->steps[i];
    if (!may_replace(step, s)) return NULL;
    size_t offset, other_offset;
    int root = limn_plan_root(plan, step->src[s], &offset);
    limn_tensor *t = &plan->tensors[root];
    if (t->place != LIMN_PLACE_SLAB || t->dies != i || offset || t->bytes != plan->tensors[step->dst].bytes) return NULL;
    for (int k = 0; k < step->call.n_src; k++)
        if (limn_plan_root(plan, step->src[k], &other_offset) == root && !may_replace(step, k)) return NULL;
    return t;
}

/* What the phases before the last keep lies apart from all that they make: of it only a part may run again, in which the
 * kept is not made anew. */
static void keep_apart(limn_plan *plan)
{
    for (int i = 0; i < plan->n_tensors; i++) {
        limn_tensor *t = &plan->tensors[i];
        if (t->phase < LIMN_PER_STEP && t->dies == INT_MAX && t->born != INT_MAX && t->born > plan->n_constant)
            t->born = plan->n_constant;
    }
}

static void share_bytes(limn_plan *plan)
{
    for (int i = plan->n_constant; i < plan->n_steps; i++) {
        limn_step *step = &plan->steps[i];
        limn_tensor *dst = &plan->tensors[step->dst], *from = NULL;
        if (step->is_pack || dst->place != LIMN_PLACE_SLAB) continue;
        for (int s = 0; s < step->call.n_src && !from; s++) from = dying_source(plan, i, s);
        if (!from) continue;
        dst->place = LIMN_PLACE_ALIAS;
        dst->of = (int)(from - plan->tensors);
        dst->offset = 0;
        from->dies = dst->dies;
    }
}

/* ---- offsets -------------------------------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    const limn_tensor *x = *(limn_tensor *const *)a, *y = *(limn_tensor *const *)b;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
    return x < y ? -1 : x > y;
}

static bool together(const limn_tensor *a, const limn_tensor *b)
{
    return a->born <= b->dies && b->born <= a->dies;
}

static size_t padded(size_t bytes)
{
    return (bytes + LIMN_ALIGN - 1) / LIMN_ALIGN * LIMN_ALIGN;
}

/* placed[] is sorted by offset */
static void place_one(limn_plan *plan, limn_tensor **placed, int n, limn_tensor *t)
{
    size_t at = 0;
    for (int i = 0; i < n; i++) {
        if (!together(placed[i], t)) continue;
        if (placed[i]->offset >= at + t->bytes) break;
        size_t end = padded(placed[i]->offset + placed[i]->bytes);
        if (end > at) at = end;
    }
    t->offset = at;
    int i = n;
    for (; i > 0 && placed[i - 1]->offset > at; i--) placed[i] = placed[i - 1];
    placed[i] = t;
    if (padded(at + t->bytes) > plan->slab_bytes) plan->slab_bytes = padded(at + t->bytes);
}

static void count_weights(limn_plan *plan)
{
    plan->packed_bytes = plan->slab_packed_bytes;
    for (int i = 0; i < plan->n_tensors; i++) {
        const limn_tensor *t = &plan->tensors[i];
        bool weight = t->node->op == LIMN_OP_PARAMETER && !t->packed;
        if (t->place == LIMN_PLACE_STORE && !weight) plan->packed_bytes += padded(t->bytes);
        if (weight && (t->place == LIMN_PLACE_STORE || t->place == LIMN_PLACE_BOUND)) plan->weight_bytes += t->bytes;
    }
}

limn_status limn_plan_memory(limn_plan *plan)
{
    lifetimes(plan);
    if (plan->options.no_reuse)
        for (int i = 0; i < plan->n_tensors; i++) plan->tensors[i].dies = INT_MAX;
    else share_bytes(plan);
    keep_apart(plan);
    limn_tensor **order = calloc(2 * (size_t)plan->n_tensors + 1, sizeof(limn_tensor *));
    if (!order) return limn_fail_memory(plan->ctx, (2 * (size_t)plan->n_tensors + 1) * sizeof *order, "a plan");
    limn_tensor **placed = order + plan->n_tensors;
    int n = 0;
    for (int i = 0; i < plan->n_tensors; i++)
        if (plan->tensors[i].place == LIMN_PLACE_SLAB && plan->tensors[i].born != INT_MAX) order[n++] = &plan->tensors[i];
    qsort(order, (size_t)n, sizeof *order, by_size);
    for (int i = 0; i < n; i++) {
        place_one(plan, placed, i, order[i]);
        if (order[i]->packed && order[i]->dies == INT_MAX) plan->slab_packed_bytes += padded(order[i]->bytes);
    }
    free(order);
    count_weights(plan);
    return LIMN_OK;
}
