/* agree.c: ranks that were started differently train one network in name only; the first difference is named. */
#include "plan/plan.h"
#include "train/facts.h"
#include "train/trainer_parts.h"

#include <stdlib.h>
#include <string.h>

/* What hangs on the command line, and no checkpoint asks for: it may change on the way. */
static void add_options(const limn_trainer *t, limn_run_facts *f)
{
    const limn_train_options *o = t->o;
    limn_facts_add(f, NULL, "the version of Limn", "%s", limn_version());
    limn_facts_add(f, NULL, "the network", "%s", o->network);
    limn_facts_add(f, NULL, "--batch", "%d", o->batch);
    limn_facts_add(f, NULL, "--accumulate", "%d", o->accumulate);
    limn_facts_add(f, NULL, "--inner-steps", "%lld", (long long)o->inner_steps);
    limn_facts_add(f, NULL, "--shard-state", "%s", o->shard_state ? "on" : "off");
    limn_facts_add(f, NULL, "--sync-norm", "%s", o->sync_norm ? "on" : "off");
    limn_facts_add(f, NULL, "--comm-dtype", "%s", o->sums_in_bf16 ? "bf16" : "f32");
    limn_facts_add(f, NULL, "--steps", "%lld", (long long)o->steps);
    limn_facts_add(f, NULL, "--warmup", "%lld", (long long)o->warmup);
    limn_facts_add(f, NULL, "--decay", "%lld", (long long)o->decay);
    limn_facts_add(f, NULL, "--lr", "%.17g", o->lr);
    limn_facts_add(f, NULL, "--weight-decay", "%.17g", o->weight_decay);
    limn_facts_add(f, NULL, "--clip", "%.17g", o->clip);
    limn_facts_add(f, NULL, "--ema", "%.17g", o->ema);
    limn_facts_add(f, NULL, "the precision of products", "%s", t->plan->precision == LIMN_PRECISION_BF16 ? "bf16" : "f32");
    limn_facts_add(f, NULL, "--recompute", "%s", o->recompute ? o->recompute : "");
    limn_facts_add(f, NULL, "--save-every", "%lld", (long long)o->save_every);
}

static void add_lines(limn_text *text, const limn_run_facts *f, int begin, int end)
{
    char shown[600];
    for (int i = begin; i < end; i++) {
        const limn_run_fact *fact = &f->fact[i];
        if (!fact->fixed) continue;
        limn_text_printf(text, "%s\n%s\n", fact->fixed, limn_escape(fact->value, strlen(fact->value), shown, sizeof shown));
    }
}

/* "--batch\n4\n..", a line a name or value, what was typed first; NULL when memory is out */
static char *as_lines(limn_trainer *t)
{
    limn_run_facts *f = limn_facts_of(t);
    limn_text text = {0};
    if (!f) return NULL;
    int data = f->n;
    add_options(t, f);
    if (!f->failed) add_lines(&text, f, data, f->n), add_lines(&text, f, 0, data);
    bool failed = f->failed || text.failed;
    limn_facts_free(f);
    if (failed) limn_text_free(&text);
    return text.bytes;
}

/* The lines are in pairs, the same names in both unless the tasks differ. */
static limn_status compare(limn_ctx *ctx, const char *own, const char *first)
{
    for (;;) {
        size_t name = strcspn(own, "\n"), name0 = strcspn(first, "\n");
        bool same = name == name0 && strncmp(own, first, name) == 0;
        if (!*own && !*first) return LIMN_OK;
        if (!same) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "it says \"%.*s\" where rank 0 says \"%.*s\"", (int)name, own,
                                    (int)name0, first);
        const char *value = own + name + 1, *value0 = first + name0 + 1;
        size_t n = strcspn(value, "\n"), n0 = strcspn(value0, "\n");
        if (n != n0 || strncmp(value, value0, n) != 0)
            return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%.*s is \"%.*s\", and \"%.*s\" on rank 0: all ranks need the same",
                             (int)name, own, (int)n, value, (int)n0, value0);
        own = value + n + 1, first = value0 + n0 + 1;
    }
}

/* They train, but bits hang on who is who: the first rank that computes with something else than rank 0 is named.
 * @param all  room for a text of each rank */
static limn_status warn_of_other_cpus(limn_trainer *t, char (*all)[LIMN_BACKEND_TEXT])
{
    limn_comm *comm = t->ranks.comm;
    int others = 0, first = 0;
    char own[LIMN_BACKEND_TEXT] = "";
    t->plan->backend->describe(t->plan->backend, own);
    limn_status status = limn_comm_gather(comm, sizeof own, own, all);
    if (status != LIMN_OK || comm->rank != 0) return status;
    for (int rank = comm->size - 1; rank > 0; rank--)
        if (strcmp(all[rank], all[0]) != 0) others++, first = rank;
    if (others)
        limn_log(t->ctx, LIMN_LOG_WARN,
                 "rank %d has %s, rank 0 %s (%d of %d ranks are not as rank 0): they train one network, but not with the "
                 "bits of one process",
                 first, all[first], all[0], others, comm->size);
    return LIMN_OK;
}

limn_status limn_trainer_agree(limn_trainer *t)
{
    limn_comm *comm = t->ranks.comm;
    char *own = as_lines(t), *first = NULL;
    uint64_t n = own ? strlen(own) + 1 : 0;
    limn_status status = limn_comm_broadcast(comm, 0, sizeof n, &n);
    if (status != LIMN_OK || comm->size == 1) return free(own), status;
    size_t bytes = (size_t)comm->size * LIMN_BACKEND_TEXT;
    if (bytes < n) bytes = n;
    limn_status mine = own && n && (first = malloc(bytes)) ? LIMN_OK : limn_fail_memory(t->ctx, bytes, "what ranks compare");
    status = limn_comm_agree(comm, mine); /* all have room for it */
    if (status == LIMN_OK && comm->rank == 0) memcpy(first, own, n);
    if (status == LIMN_OK) status = limn_comm_broadcast(comm, 0, n, first);
    if (status == LIMN_OK) status = limn_comm_agree(comm, compare(t->ctx, own, first));
    if (status == LIMN_OK) status = warn_of_other_cpus(t, (char(*)[LIMN_BACKEND_TEXT])first);
    free(own), free(first);
    return status;
}
