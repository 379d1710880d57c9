/* constants.c: the values of a store, made in the order of the plan's constant steps, one tensor at a time. */
#include "plan/plan.h"

#include <limits.h>
#include <stdlib.h>

typedef struct maker {
    limn_ctx *ctx;
    const limn_plan *plan;
    limn_store *store;
    void **data;       /* by root tensor: in the store, or for now */
    bool *wanted;      /* by root tensor */
    int *last;         /* by root tensor: the constant step after which it is of no use */
    void *scratch;
    void *for_now;     /* room for the largest MADE value that is packed, which they take in turn */
    size_t for_now_bytes;
    bool taken;        /* by one of them */
    size_t made, all;  /* bytes of the store's values */
} maker;

static int root_of(const limn_plan *plan, int tensor)
{
    size_t offset;
    return limn_plan_root(plan, tensor, &offset);
}

static void *address(const maker *m, int tensor)
{
    size_t offset;
    unsigned char *base = m->data[limn_plan_root(m->plan, tensor, &offset)];
    return base ? base + offset : NULL;
}

/* What the store lacks, and all that this is made of.  @return whether there is anything to do */
static bool find_wanted(maker *m)
{
    const limn_plan *plan = m->plan;
    bool any = false;
    for (int t = 0; t < plan->n_tensors; t++) {
        if (plan->tensors[t].place != LIMN_PLACE_STORE) continue;
        m->data[t] = limn_store_find(m->store, &plan->tensors[t].key);
        m->wanted[t] = !m->data[t];
        any |= m->wanted[t];
    }
    for (int i = plan->n_constant - 1; i >= 0; i--) {
        const limn_step *step = &plan->steps[i];
        if (!m->wanted[step->dst]) continue;
        for (int s = 0; s < step->call.n_src; s++) {
            int t = root_of(plan, step->src[s]);
            if (!m->data[t]) m->wanted[t] = true;
            if (step->is_pack && plan->tensors[t].place == LIMN_PLACE_MADE && plan->tensors[t].bytes > m->for_now_bytes)
                m->for_now_bytes = plan->tensors[t].bytes;
            if (m->last[t] < i) m->last[t] = i;
        }
    }
    return any;
}

/* All in the store is allocated at once, and one memory serves most of what is made for now: its pages are there, and its
 * lines in the cache.  A table of which a part is kept is larger than all weights, and goes at once. */
static limn_status reserve(maker *m)
{
    const limn_plan *plan = m->plan;
    size_t stored = 0, scratch = 0;
    for (int t = 0; t < plan->n_tensors; t++) {
        if (!m->wanted[t] || plan->tensors[t].place != LIMN_PLACE_STORE) continue;
        stored += limn_store_padded(plan->tensors[t].bytes), m->all += plan->tensors[t].bytes;
    }
    for (int i = 0; i < plan->n_constant; i++)
        if (plan->steps[i].scratch_bytes > scratch) scratch = plan->steps[i].scratch_bytes;
    if (!limn_store_reserve(m->store, stored)) return limn_fail_memory(m->ctx, stored, "weights");
    if (m->for_now_bytes) m->for_now = plan->backend->allocate(m->for_now_bytes);
    if (scratch) m->scratch = plan->backend->allocate(scratch);
    bool fine = (m->for_now || !m->for_now_bytes) && (m->scratch || !scratch);
    return fine ? LIMN_OK : limn_fail_memory(m->ctx, m->for_now_bytes + scratch, "constants");
}

static void *room_for_now(maker *m, size_t bytes)
{
    if (m->taken || bytes > m->for_now_bytes) return m->plan->backend->allocate(bytes);
    m->taken = true;
    return m->for_now;
}

static limn_status room_for(maker *m, int t)
{
    const limn_tensor *tensor = &m->plan->tensors[t];
    if (m->data[t]) return LIMN_OK;
    m->data[t] = tensor->place == LIMN_PLACE_STORE ? limn_store_add(m->store, &tensor->key)
                                                   : room_for_now(m, tensor->bytes);
    return m->data[t] ? LIMN_OK : limn_fail_memory(m->ctx, tensor->bytes, limn_node_name(tensor->node));
}

/* A parameter, from its source. */
static limn_status bring(maker *m, int t)
{
    const limn_tensor *tensor = &m->plan->tensors[t];
    if (m->data[t] || tensor->node->op != LIMN_OP_PARAMETER || tensor->packed) return LIMN_OK;
    limn_wanted w = {.name = tensor->node->name, .shape = tensor->node->shape, .init = &tensor->node->init};
    limn_status status = room_for(m, t);
    if (status != LIMN_OK) return status;
    void *host = m->plan->backend->host ? m->data[t] : limn_alloc_aligned(tensor->bytes);
    if (!host) return limn_fail_memory(m->ctx, tensor->bytes, w.name);
    status = limn_source_read(m->ctx, m->plan->source, &w, tensor->view.dtype, host);
    if (host == m->data[t]) return status;
    if (status == LIMN_OK) m->plan->backend->upload(m->data[t], host, tensor->bytes);
    limn_free_aligned(host);
    return status;
}

static void release(maker *m, int t)
{
    if (m->plan->tensors[t].place != LIMN_PLACE_MADE || !m->data[t]) return;
    if (m->data[t] == m->for_now) m->taken = false;
    else m->plan->backend->release(m->data[t]);
    m->data[t] = NULL;
}

static limn_status make_one(maker *m, int i)
{
    const limn_step *step = &m->plan->steps[i];
    limn_status status = LIMN_OK;
    for (int s = 0; s < step->call.n_src && status == LIMN_OK; s++) status = bring(m, root_of(m->plan, step->src[s]));
    if (status == LIMN_OK) status = room_for(m, step->dst);
    if (status != LIMN_OK) return status;
    limn_call call = step->call;
    for (int s = 0; s < call.n_src; s++) call.src[s].data = address(m, step->src[s]);
    call.dst.data = m->data[step->dst];
    call.scratch = m->scratch;
    if (step->is_pack) {
        status = step->kernel->pack(&m->plan->steps[step->pack_user].call, &call.src[0], call.dst.data);
        m->ctx->counters.bytes_packed += m->plan->tensors[step->dst].bytes;
    } else {
        status = step->kernel->open ? step->kernel->open(m->ctx, &call) : LIMN_OK;
        if (status == LIMN_OK) status = step->kernel->run(&call);
        if (step->kernel->close) step->kernel->close(&call);
    }
    if (status != LIMN_OK) return limn_step_failed(m->ctx, m->plan, step, status);
    for (int s = 0; s < call.n_src; s++)
        if (m->last[root_of(m->plan, step->src[s])] == i) release(m, root_of(m->plan, step->src[s]));
    return LIMN_OK;
}

/* So many bytes more are there. */
static limn_status tell(maker *m, size_t bytes)
{
    m->made += bytes;
    if (m->ctx->tells_load && m->all && !limn_progress(m->ctx, "load", (int64_t)m->made, (int64_t)m->all))
        return limn_fail(m->ctx, LIMN_CANCELLED, "stopped while weights were read");
    return limn_cancelled(m->ctx);
}

static limn_status make_all(maker *m)
{
    const limn_plan *plan = m->plan;
    limn_status status = reserve(m);
    if (status == LIMN_OK) status = tell(m, 0);
    for (int i = 0; i < plan->n_constant && status == LIMN_OK; i++) {
        const limn_tensor *made = &plan->tensors[plan->steps[i].dst];
        if (!m->wanted[plan->steps[i].dst]) continue;
        status = make_one(m, i);
        if (status == LIMN_OK) status = tell(m, made->place == LIMN_PLACE_STORE ? made->bytes : 0);
    }
    for (int t = 0; t < plan->n_tensors && status == LIMN_OK; t++) {
        if (!m->wanted[t] || plan->tensors[t].place != LIMN_PLACE_STORE) continue;
        status = bring(m, t);
        if (status == LIMN_OK && plan->tensors[t].node->op == LIMN_OP_PARAMETER && !plan->tensors[t].packed)
            status = tell(m, plan->tensors[t].bytes);
    }
    if (status == LIMN_OK) status = tell(m, m->all - m->made);
    for (int t = 0; t < plan->n_tensors; t++) release(m, t);
    if (m->for_now) plan->backend->release(m->for_now);
    if (m->scratch) plan->backend->release(m->scratch);
    return status;
}

limn_status limn_plan_make_constants(limn_ctx *ctx, const limn_plan *plan, limn_store *store)
{
    if (limn_plan_runs_here(ctx, plan) != LIMN_OK) return LIMN_UNSUPPORTED;
    size_t n = (size_t)plan->n_tensors;
    maker m = {.ctx = ctx,
               .plan = plan,
               .store = store,
               .data = calloc(n, sizeof *m.data),
               .wanted = calloc(n, sizeof *m.wanted),
               .last = calloc(n, sizeof *m.last)};
    limn_status status = m.data && m.wanted && m.last ? LIMN_OK : limn_fail_memory(ctx, n * sizeof *m.data, "constants");
    if (status == LIMN_OK) {
        limn_floats before;
        limn_store_lock(store);
        int had = limn_store_count(store);
        if (find_wanted(&m)) {
            plan->backend->begin(&before, plan->n_threads);
            status = make_all(&m);
            plan->backend->end(&before);
        }
        if (status != LIMN_OK) limn_store_cut(store, had);
        limn_store_unlock(store);
    }
    free(m.data);
    free(m.wanted);
    free(m.last);
    return status;
}
