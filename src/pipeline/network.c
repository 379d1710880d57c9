/* network.c: a plan for the network of a pipeline, with its weights in it: packed as they are read from the file, a tensor at a time. */
#include "pipeline/pipeline.h"
#include "train/weights.h"

void limn_network_free(limn_network *n)
{
    limn_plan_free(n->plan);
    limn_graph_free(n->g);
    *n = (limn_network){0};
}

/* bf16 where every tensor of the file is: then nothing is converted on the way into the plan. */
static limn_dtype parameter_dtype(const limn_weight_file *st)
{
    for (size_t i = 0; i < limn_weight_file_count(st); i++)
        if (limn_weight_file_get(st, i)->dtype != LIMN_BF16) return LIMN_F32;
    return LIMN_BF16;
}

/* What is left for the plan beside the caller's own memory. */
static limn_status memory_left(limn_ctx *ctx, size_t reserve, size_t *limit)
{
    size_t have = limn_memory_available();
    *limit = have > reserve ? have - reserve : 0; /* 0: the plan asks for itself */
    if (!have || reserve < have) return LIMN_OK;
    return limn_fail(ctx, LIMN_NO_MEMORY, "the pictures need %.1f MB, the machine has %.1f MB: make fewer at a time", (double)reserve * 1e-6, (double)have * 1e-6);
}

static limn_status build(limn_pipeline *p, limn_network *n, size_t reserve)
{
    n->g = limn_graph_new(p->ctx);
    if (!n->g) return limn_fail_memory(p->ctx, sizeof *n, "a graph");
    limn_status status = limn_model_build(n->g, &p->settings, (limn_build){.batch = n->batch, .n_steps = n->n_calls}, &n->ports);
    if (status != LIMN_OK) return status;
    if (n->ports.latent) return limn_fail(p->ctx, LIMN_UNSUPPORTED, "%s: a %s makes pictures of latents only: limn encode, limn decode, or --vae beside a network that makes latents", p->file, p->settings.family->name);
    if (!n->ports.image || n->ports.features)
        return limn_fail(p->ctx, LIMN_UNSUPPORTED, "%s: a %s of these settings does not make pictures by itself%s", p->file, p->settings.family->name,
                         n->ports.features ? ": its text features come from elsewhere (text_encoder=none)" : "");
    limn_plan_options options = {.precision = n->precision, .own_parameters = true, .parameter_dtype = parameter_dtype(p->st)};
    status = memory_left(p->ctx, reserve, &options.memory_limit);
    if (status == LIMN_OK) status = limn_plan_new(n->g, 1, &n->ports.output, &options, &n->plan);
    return status == LIMN_OK ? limn_weights_give(p->ctx, n->g, n->plan, p->file, p->st) : status;
}

limn_status limn_network_plan(limn_pipeline *p, int batch, int n_calls, limn_precision precision, size_t reserve)
{
    limn_network *n = &p->network;
    int n_threads = limn_ctx_threads(p->ctx); /* scratch is planned per thread */
    if (n->plan && n->batch == batch && n->n_calls == n_calls && n->precision == precision && n->n_threads == n_threads) return LIMN_OK;
    limn_network_free(n);
    *n = (limn_network){.batch = batch, .n_calls = n_calls, .precision = precision, .n_threads = n_threads};
    limn_status status = build(p, n, reserve);
    if (status != LIMN_OK) limn_network_free(n);
    return status;
}
