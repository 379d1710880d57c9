/* stage.c: the inputs of a training step, filled here and handed to the run together.  Room is made by the first step and
 * kept. */
#include "train/trainer_parts.h"

#include "plan/plan.h"

#include <stdlib.h>
#include <string.h>

limn_status limn_stage_new(limn_trainer *t)
{
    t->staged = calloc((size_t)t->net.g->n_nodes, sizeof *t->staged);
    if (!t->staged) return limn_fail_memory(t->ctx, (size_t)t->net.g->n_nodes * sizeof *t->staged, "a batch");
    for (int i = 0; i < t->net.g->n_nodes; i++) {
        const limn_node *node = t->net.g->nodes[i];
        if (node->op != LIMN_OP_INPUT || node->rate == LIMN_CONSTANT || limn_plan_tensor(t->plan, node) < 0) continue;
        size_t bytes = (size_t)limn_node_count(node) * sizeof(float);
        t->staged[i] = limn_alloc_aligned(bytes);
        if (!t->staged[i]) return limn_fail_memory(t->ctx, bytes, limn_node_name(node));
        memset(t->staged[i], 0, bytes);
    }
    return LIMN_OK;
}

void limn_stage_free(limn_trainer *t)
{
    for (int i = 0; t->staged && i < t->net.g->n_nodes; i++) limn_free_aligned(t->staged[i]);
    free(t->staged);
}

void *limn_stage(limn_trainer *t, const limn_node *node)
{
    return node ? t->staged[node->id] : NULL;
}

limn_status limn_stage_write(limn_trainer *t)
{
    limn_status status = LIMN_OK;
    for (int i = 0; i < t->net.g->n_nodes && status == LIMN_OK; i++) {
        const limn_node *node = t->net.g->nodes[i];
        if (t->staged[i])
            status = limn_run_write(t->run, node, node->kind == LIMN_INDEX ? LIMN_I32 : LIMN_F32, t->staged[i]);
    }
    return status;
}
