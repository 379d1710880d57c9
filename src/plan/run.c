/* run.c: one job of a plan: its slab, its inputs, and the steps that depend on what changed. */
#include "comm/comm.h"
#include "plan/plan.h"

#include <stdlib.h>
#include <string.h>

struct limn_run {
    limn_ctx *ctx;
    const limn_plan *plan;
    limn_store *store;     /* NULL: the plan has no source */
    limn_call *calls;      /* by step, from n_constant on: with data */
    unsigned char *slab;   /* slab, then scratch; allocated by the first write or execution */
    void **bound;          /* by tensor: the caller's memory, values of the store */
    bool *written;         /* by tensor: inputs */
    bool connected;        /* the calls' addresses are those of the tensors */
    uint64_t changed;      /* bits of limn_tensor.depends, since the last execution */
    bool ran;
    bool together;         /* with those of other ranks */
    int n_executed;
    void (*executed)(void *user, int step); /* NULL: nobody watches */
    void *watcher;
};

static limn_status open_calls(limn_run *run)
{
    limn_status status = LIMN_OK;
    for (int i = run->plan->n_constant; i < run->plan->n_steps && status == LIMN_OK; i++) {
        const limn_step *step = &run->plan->steps[i];
        run->calls[i] = step->call;
        if (!step->is_pack && step->kernel->open) status = step->kernel->open(run->ctx, &run->calls[i]);
    }
    return status;
}

limn_status limn_run_new_with(limn_ctx *ctx, const limn_plan *plan, limn_store *store, limn_run **out)
{
    *out = NULL;
    if (limn_plan_runs_here(ctx, plan) != LIMN_OK) return LIMN_UNSUPPORTED;
    limn_run *run = calloc(1, sizeof *run);
    if (!run) return limn_fail_memory(ctx, sizeof *run, "a run");
    *run = (limn_run){.ctx = ctx, .plan = plan, .store = store, .changed = ~UINT64_C(0)};
    run->together = ctx->ranks && limn_comm_size(ctx->ranks) > 1;
    run->calls = calloc((size_t)plan->n_steps + 1, sizeof *run->calls);
    run->bound = calloc((size_t)plan->n_tensors + 1, sizeof *run->bound);
    run->written = calloc((size_t)plan->n_tensors + 1, sizeof *run->written);
    bool fine = run->calls && run->bound && run->written;
    limn_status status = fine ? open_calls(run) : limn_fail_memory(ctx, (size_t)plan->n_steps * sizeof *run->calls, "a run");
    if (status == LIMN_OK) *out = run;
    else limn_run_free(run);
    return status;
}

limn_status limn_run_new(const limn_plan *plan, limn_run **out)
{
    return limn_run_new_with(plan->ctx, plan, NULL, out);
}

void limn_run_free(limn_run *run)
{
    if (!run) return;
    for (int i = run->plan->n_constant; run->calls && i < run->plan->n_steps; i++) {
        const limn_step *step = &run->plan->steps[i];
        if (!step->is_pack && step->kernel->close) step->kernel->close(&run->calls[i]);
    }
    if (run->slab) run->plan->backend->release(run->slab);
    free(run->calls);
    free(run->bound);
    free(run->written);
    free(run);
}

/* ---- memory ----------------------------------------------------------------------------------------------------------- */

static limn_status allocate(limn_run *run)
{
    if (run->slab) return LIMN_OK;
    size_t bytes = run->plan->slab_bytes + run->plan->scratch_bytes;
    run->slab = run->plan->backend->allocate(bytes);
    return run->slab ? LIMN_OK : limn_fail_memory(run->ctx, bytes, "activations");
}

/* Memory of a tensor, or NULL while it has none. */
static void *data_of(const limn_run *run, int t)
{
    size_t offset;
    int root = limn_plan_root(run->plan, t, &offset);
    const limn_tensor *tensor = &run->plan->tensors[root];
    unsigned char *base = NULL;
    switch (tensor->place) {
    case LIMN_PLACE_SLAB: base = run->slab ? run->slab + tensor->offset : NULL; break;
    case LIMN_PLACE_BOUND: case LIMN_PLACE_STORE: base = run->bound[root]; break;
    default: break;
    }
    return base ? base + offset : NULL;
}

limn_status limn_run_bind(limn_run *run, const limn_node *node, limn_dtype dtype, void *data)
{
    int t = limn_plan_tensor(run->plan, node);
    if (t < 0) return LIMN_OK; /* nothing in the plan depends on it */
    size_t offset;
    t = limn_plan_root(run->plan, t, &offset);
    const limn_tensor *tensor = &run->plan->tensors[t];
    if (tensor->view.dtype != dtype || tensor->place != LIMN_PLACE_BOUND || offset)
        return limn_fail(run->ctx, LIMN_BAD_ARGUMENT, "%s is planned as %s%s, bound as %s", limn_node_name(node),
                         limn_dtype_name(tensor->view.dtype),
                         tensor->place == LIMN_PLACE_BOUND ? "" : " in memory of its own", limn_dtype_name(dtype));
    run->bound[t] = data;
    run->connected = false;
    limn_run_touch(run, node);
    return LIMN_OK;
}

void limn_run_touch(limn_run *run, const limn_node *node)
{
    int t = limn_plan_tensor(run->plan, node);
    if (t >= 0) run->changed |= run->plan->tensors[t].depends;
}

static limn_status no_place(limn_run *run, const limn_node *node)
{
    const limn_tensor *tensor = &run->plan->tensors[limn_plan_tensor(run->plan, node)];
    bool stored = tensor->place == LIMN_PLACE_STORE || tensor->place == LIMN_PLACE_MADE;
    return limn_fail(run->ctx, LIMN_BAD_ARGUMENT,
                     stored ? "%s is a weight of the store, which never changes"
                            : "%s is written before its memory is bound",
                     limn_node_name(node));
}

limn_status limn_run_write(limn_run *run, const limn_node *node, limn_dtype from, const void *data)
{
    int t = limn_plan_tensor(run->plan, node);
    if (t < 0) return LIMN_OK;
    limn_status status = allocate(run);
    if (status != LIMN_OK) return status;
    const limn_tensor *tensor = &run->plan->tensors[t];
    void *to = tensor->place == LIMN_PLACE_STORE ? NULL : data_of(run, t);
    if (!to) return no_place(run, node);
    if (from == tensor->view.dtype) run->plan->backend->upload(to, data, tensor->bytes);
    else {
        void *copy = limn_alloc_aligned(tensor->bytes);
        if (!copy) return limn_fail_memory(run->ctx, tensor->bytes, limn_node_name(node));
        limn_convert(data, from, copy, tensor->view.dtype, (size_t)limn_node_count(node));
        run->plan->backend->upload(to, copy, tensor->bytes);
        limn_free_aligned(copy);
    }
    run->written[t] = true;
    limn_run_touch(run, node);
    return LIMN_OK;
}

limn_status limn_run_read(limn_run *run, const limn_node *node, limn_dtype to, void *data)
{
    int t = limn_plan_tensor(run->plan, node);
    const void *from = t < 0 ? NULL : data_of(run, t);
    const limn_tensor *tensor = from ? &run->plan->tensors[t] : NULL;
    if (!tensor || !(tensor->node->op > LIMN_OP_PARAMETER ? run->ran : run->written[t] || tensor->place != LIMN_PLACE_SLAB))
        return limn_fail(run->ctx, LIMN_BAD_ARGUMENT, "%s has no value yet, or is not an output", limn_node_name(node));
    if (to == tensor->view.dtype) {
        run->plan->backend->download(data, from, tensor->bytes);
        return LIMN_OK;
    }
    void *copy = limn_alloc_aligned(tensor->bytes);
    if (!copy) return limn_fail_memory(run->ctx, tensor->bytes, limn_node_name(node));
    run->plan->backend->download(copy, from, tensor->bytes);
    limn_convert(copy, tensor->view.dtype, data, to, (size_t)limn_node_count(node));
    limn_free_aligned(copy);
    return LIMN_OK;
}

/* ---- execution -------------------------------------------------------------------------------------------------------- */

static void find_values(limn_run *run)
{
    if (!run->store) return;
    limn_store_lock(run->store);
    for (int i = 0; i < run->plan->n_tensors; i++)
        if (run->plan->tensors[i].place == LIMN_PLACE_STORE)
            run->bound[i] = limn_store_find(run->store, &run->plan->tensors[i].key);
    limn_store_unlock(run->store);
}

/* A value of the store that nobody made is a mistake of the caller as well. */
static limn_status check_leaves(const limn_run *run)
{
    for (int i = 0; i < run->plan->n_tensors; i++) {
        const limn_tensor *tensor = &run->plan->tensors[i];
        if (tensor->node->op == LIMN_OP_INPUT && !tensor->packed && tensor->place == LIMN_PLACE_SLAB && !run->written[i])
            return limn_fail(run->ctx, LIMN_BAD_ARGUMENT, "input %s has no value: write it before the run",
                             limn_node_name(tensor->node));
        if (tensor->place == LIMN_PLACE_BOUND && !run->bound[i])
            return limn_fail(run->ctx, LIMN_BAD_ARGUMENT, "%s has no memory: bind it before the run",
                             limn_node_name(tensor->node));
        if (tensor->place == LIMN_PLACE_STORE && !run->bound[i])
            return limn_fail(run->ctx, LIMN_BAD_ARGUMENT, "the store does not hold what the plan needs of %s",
                             limn_node_name(tensor->node));
    }
    return LIMN_OK;
}

/* Hand the tensors' addresses to the calls, once after memory was bound. */
static limn_status connect(limn_run *run)
{
    if (run->connected) return LIMN_OK;
    find_values(run);
    limn_status status = check_leaves(run);
    for (int i = run->plan->n_constant; i < run->plan->n_steps && status == LIMN_OK; i++) {
        const limn_step *step = &run->plan->steps[i];
        limn_call *call = &run->calls[i];
        call->dst.data = data_of(run, step->dst);
        for (int s = 0; s < call->n_src; s++) call->src[s].data = data_of(run, step->src[s]);
        call->scratch = run->slab + run->plan->slab_bytes;
    }
    run->connected = status == LIMN_OK;
    return status;
}

static limn_status execute_step(limn_run *run, int i)
{
    const limn_step *step = &run->plan->steps[i];
    limn_call *call = &run->calls[i];
    limn_status status = step->is_pack ? step->kernel->pack(&run->calls[step->pack_user], &call->src[0], call->dst.data)
                                       : step->kernel->run(call);
    if (status != LIMN_OK) return limn_step_failed(run->ctx, run->plan, step, status);
    run->n_executed++;
    if (run->executed) run->executed(run->watcher, i);
    return run->together ? LIMN_OK : limn_cancelled(run->ctx);
}

/* Other ranks wait in every mean over ranks, for one that was cancelled or has failed as well: it is cancelled between runs
 * only, and after a failure it makes the means, of whatever lies there, and nothing else. */
static limn_status execute(limn_run *run)
{
    const limn_plan *plan = run->plan;
    limn_status failed = LIMN_OK;
    for (int i = plan->n_constant; i < plan->n_steps; i++) {
        const limn_step *step = &plan->steps[i];
        bool meets = run->together && step->call.op == LIMN_OP_MEAN_OF_RANKS;
        if (!(step->phase == LIMN_PER_STEP ? run->changed : run->changed & step->depends)) continue;
        if (failed != LIMN_OK && !meets) continue;
        limn_status status = execute_step(run, i);
        if (status != LIMN_OK && (meets || !run->together)) return status;
        if (status != LIMN_OK) failed = status;
    }
    return failed;
}

void limn_run_watch(limn_run *run, void (*executed)(void *user, int step), void *user)
{
    run->executed = executed, run->watcher = user;
}

int limn_plan_last_step(const limn_plan *plan, const limn_node *node)
{
    size_t offset;
    int t = limn_plan_tensor(plan, node), last = -1;
    if (t < 0) return -1;
    t = limn_plan_root(plan, t, &offset);
    for (int i = 0; i < plan->n_steps; i++) {
        const limn_step *step = &plan->steps[i];
        bool touches = limn_plan_root(plan, step->dst, &offset) == t;
        for (int s = 0; s < step->call.n_src && !touches; s++) touches = limn_plan_root(plan, step->src[s], &offset) == t;
        if (touches) last = i;
    }
    return last;
}

limn_status limn_run_execute(limn_run *run)
{
    limn_floats before;
    limn_status status = allocate(run);
    if (status == LIMN_OK) status = connect(run);
    if (status != LIMN_OK) return status;
    run->n_executed = 0;
    run->plan->backend->begin(&before, run->plan->n_threads);
    status = execute(run);
    run->plan->backend->end(&before);
    if (status != LIMN_OK) return status; /* what changed has still to run */
    run->changed = 0;
    run->ran = true;
    return LIMN_OK;
}

void limn_run_forget(limn_run *run)
{
    run->connected = false;
    run->changed = ~UINT64_C(0);
}

void limn_run_release(limn_run *run)
{
    if (run->slab) run->plan->backend->release(run->slab);
    run->slab = NULL, run->ran = false;
    memset(run->written, 0, (size_t)run->plan->n_tensors * sizeof *run->written);
    limn_run_forget(run);
}

int limn_run_executed(const limn_run *run)
{
    return run->n_executed;
}
