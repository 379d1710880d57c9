/* keys.c: which tensors lie in the store, and under which keys.
 *
 * With a source, what depends on no input never changes.  Those that a later step or the caller reads are kept in the store;
 * the rest (weights that only packing reads, parts of constant sums) exist only while these are made.  A value is named by
 * the hash of the graph that makes it, down to the names of parameters: another plan of the same network, of another batch
 * or size, finds it under the same key. */
#include "base/rng.h"
#include "plan/plan.h"

#include <string.h>

static uint64_t hash_number(uint64_t hash, double x)
{
    return limn_hash_bytes(hash, &x, sizeof x);
}

static uint64_t hash_shape(uint64_t hash, const limn_shape *shape)
{
    return limn_hash_bytes(hash, shape->dim, (size_t)shape->rank * sizeof *shape->dim);
}

static uint64_t hash_chain(uint64_t hash, const limn_chain *chain)
{
    for (int i = 0; chain && i < chain->n; i++) {
        const struct limn_chain_step *s = &chain->step[i];
        int whole[] = {s->op, s->a, s->b, (int)s->activation};
        hash = limn_hash_bytes(hash, whole, sizeof whole);
        hash = hash_number(hash_number(hash, s->scale), s->shift);
    }
    return hash;
}

/* Field by field: the bytes between them are anything. */
static uint64_t hash_attr(uint64_t hash, const limn_attr *a)
{
    int64_t whole[] = {a->axis,  a->begin,      a->heads,  a->packed, a->causal,
                       a->flags, a->activation, a->stride, a->groups, a->resize};
    hash = limn_hash_bytes(hash_shape(hash, &a->shape), whole, sizeof whole);
    hash = limn_hash_bytes(limn_hash_bytes(hash, a->order, sizeof a->order), a->pad, sizeof a->pad);
    return hash_chain(hash_number(hash_number(hash_number(hash, a->scale), a->shift), a->eps), a->chain);
}

static uint64_t hash_node(const limn_plan *plan, const limn_node *node, const uint64_t *what)
{
    int head[] = {node->op, node->kind, (int)plan->tensors[node->id].view.dtype, node->n_src};
    uint64_t hash = hash_shape(limn_hash_bytes(LIMN_HASH, head, sizeof head), &node->shape);
    if (node->op == LIMN_OP_PARAMETER) { /* a table of 2 x 8 places has the shape of one of 4 x 4 */
        int grid[] = {node->init.grid_h, node->init.grid_w};
        hash = hash_number(limn_hash_bytes(hash, grid, sizeof grid), node->init.grid_base);
        return limn_hash_bytes(hash, node->name, strlen(node->name));
    }
    hash = hash_attr(hash, &node->attr);
    for (int s = 0; s < node->n_src; s++) hash = limn_hash_bytes(hash, &what[node->src[s]->id], sizeof *what);
    return hash;
}

static void keep(limn_plan *plan, int tensor)
{
    size_t offset;
    limn_tensor *t = &plan->tensors[limn_plan_root(plan, tensor, &offset)];
    if (t->place == LIMN_PLACE_MADE) t->place = LIMN_PLACE_STORE;
}

/* Made values that somebody reads later are kept. */
static void find_kept(limn_plan *plan)
{
    for (int i = 0; i < plan->n_tensors; i++) {
        limn_tensor *t = &plan->tensors[i];
        if (t->depends == LIMN_DEPENDS_NONE && t->place != LIMN_PLACE_ALIAS) t->place = LIMN_PLACE_MADE;
    }
    for (int i = plan->n_constant; i < plan->n_steps; i++)
        for (int s = 0; s < plan->steps[i].call.n_src; s++) keep(plan, plan->steps[i].src[s]);
    for (int i = 0; i < plan->n_outputs; i++) keep(plan, plan->outputs[i]->id);
}

limn_status limn_plan_keys(limn_plan *plan)
{
    if (!plan->source) return LIMN_OK;
    uint64_t *what = limn_arena_alloc(plan->arena, (size_t)plan->n_tensors * sizeof *what);
    if (!what) return limn_fail_memory(plan->ctx, (size_t)plan->n_tensors * sizeof *what, "a plan");
    find_kept(plan);
    for (int i = 0; i < plan->graph->n_nodes; i++)
        if (plan->tensors[i].depends == LIMN_DEPENDS_NONE) what[i] = hash_node(plan, plan->graph->nodes[i], what);
    for (int i = 0; i < plan->graph->n_nodes; i++) {
        limn_tensor *t = &plan->tensors[i];
        if (t->place == LIMN_PLACE_STORE)
            t->key = (limn_store_key){.what = what[i], .dtype = t->view.dtype, .bytes = t->bytes};
    }
    for (int i = 0; i < plan->n_constant; i++) {
        const limn_step *step = &plan->steps[i];
        limn_tensor *t = &plan->tensors[step->dst];
        if (!step->is_pack || t->place != LIMN_PLACE_STORE) continue;
        const limn_step *user = &plan->steps[step->pack_user];
        uint64_t how = limn_hash_bytes(LIMN_HASH, user->kernel->name, strlen(user->kernel->name)),
                 layout = user->kernel->layout(&user->call);
        t->key = (limn_store_key){.what = what[step->src[0]],
                                  .how = limn_hash_bytes(how, &layout, sizeof layout),
                                  .dtype = step->call.src[0].dtype,
                                  .bytes = t->bytes};
    }
    return LIMN_OK;
}
