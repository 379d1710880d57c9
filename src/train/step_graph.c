/* step_graph.c: see step_graph.h. */
#include "train/step_graph.h"

#include "base/base.h"
#include "graph/node.h"

#include <stdlib.h>
#include <string.h>

/* ---- what learns ------------------------------------------------------------------------------------------------------ */

/* The next of "a,b": [n] bytes, the comma not among them.  @return false: there is none */
static bool next_prefix(const char **at, const char **prefix, size_t *n)
{
    if (!**at) return false;
    *prefix = *at, *n = strcspn(*at, ",");
    *at += *n + ((*at)[*n] == ',');
    return true;
}

static bool is_named(const char *name, const char *prefixes)
{
    const char *prefix;
    size_t n;
    while (next_prefix(&prefixes, &prefix, &n))
        if (strncmp(name, prefix, n) == 0) return true;
    return false;
}

/* Every prefix must be that of a parameter. */
static limn_status check_prefixes(limn_ctx *ctx, const limn_step_options *o, const limn_step_graph *s)
{
    const char *at = o->freeze, *prefix;
    size_t n;
    while (next_prefix(&at, &prefix, &n)) {
        char shown[256];
        int i = 0;
        while (n && i < s->n_network && strncmp(s->g->parameters[i]->name, prefix, n) != 0) i++;
        if (n == 0 || i == s->n_network)
            return limn_fail(
                ctx, LIMN_BAD_ARGUMENT,
                "--freeze: no parameter of %s begins with \"%s\"; one is %s (limn inspect lists those of a file)",
                o->settings.family->name, limn_escape(prefix, n, shown, sizeof shown), s->g->parameters[0]->name);
    }
    return LIMN_OK;
}

/* Neither the gradient reaches what is frozen nor the decay of weights, and moving averages among it stand still. */
static limn_status freeze(limn_ctx *ctx, const limn_step_options *o, limn_step_graph *s)
{
    if (!o->freeze) return LIMN_OK;
    limn_status status = check_prefixes(ctx, o, s);
    if (status != LIMN_OK) return status;
    int learn = 0;
    for (int i = 0; i < s->n_network; i++) {
        limn_node *p = s->g->parameters[i];
        if (is_named(p->name, o->freeze)) p->init.frozen = true, p->init.decay = false, s->n_frozen++;
        learn += !p->init.frozen;
    }
    for (int i = 0; i < s->g->n_running; i++)
        if (is_named(s->g->running[i].parameter->name, o->freeze)) s->g->running[i].momentum = 0;
    if (learn) return LIMN_OK;
    return limn_fail(ctx, LIMN_BAD_ARGUMENT, "--freeze leaves no parameter of %s to learn", o->settings.family->name);
}

/* ---- losses ----------------------------------------------------------------------------------------------------------- */

/* The picture that went in is what should come out. */
static limn_status autoencoder_loss(limn_step_graph *s, const limn_step_options *o)
{
    limn_node *x = limn_widen(s->ports.output);
    s->target = limn_input(s->g, "target", LIMN_WIDE, limn_node_shape(x), LIMN_PER_STEP);
    s->weight = limn_input(s->g, "loss_weight", LIMN_WIDE, LIMN_SHAPE(o->batch, 1, 1, 1), LIMN_PER_STEP);
    s->loss = limn_loss_absolute(x, s->target, s->weight);
    if (o->differences != 0)
        s->loss = limn_add(s->loss, limn_affine(limn_loss_differences(x, s->target, s->weight), o->differences, 0));
    if (s->ports.log_variance) {
        limn_node *kl = limn_loss_kl(limn_widen(s->ports.mean), limn_widen(s->ports.log_variance), limn_node_count(x));
        s->loss = limn_add(s->loss, limn_affine(kl, o->kl, 0));
    }
    if (o->adversary == 0 || s->g->status != LIMN_OK) return s->g->status;
    limn_node *last = NULL;
    for (int i = 0; i < s->n_network; i++)
        if (s->g->parameters[i]->shape.rank == 4) last = s->g->parameters[i];
    limn_status status =
        limn_loss_adversary(s->g, s->ports.output, s->ports.image, s->loss, last, o->adversary, &s->adversary);
    if (status == LIMN_OK) s->loss = limn_add(s->loss, s->adversary.term);
    return status;
}

static limn_node *denoising_loss(limn_step_graph *s, const limn_step_options *o)
{
    limn_node *parts[2] = {limn_widen(s->ports.output), NULL};
    bool learned = limn_model_interface(&o->settings).learned_variance;
    if (learned) limn_chunk(parts[0], 2, parts);
    s->target = limn_input(s->g, "target", LIMN_WIDE, limn_node_shape(parts[0]), LIMN_PER_STEP);
    s->weight = limn_input(s->g, "loss_weight", LIMN_WIDE, LIMN_SHAPE(o->batch, 1, 1, 1), LIMN_PER_STEP);
    limn_node *error = limn_sub(parts[0], s->target), *loss = limn_mean(limn_mul(limn_square(error), s->weight));
    if (learned) loss = limn_add(loss, limn_loss_bound(s->g, error, parts[1], &s->bound));
    if (o->contrastive == 0) return loss;
    return limn_add(loss, limn_affine(limn_loss_contrastive(s->g, s->ports.tokens, s->ports.pooled_text, &s->contrastive),
                                      o->contrastive, 0));
}

static limn_node *segmentation_loss(limn_step_graph *s, const limn_step_options *o)
{
    limn_segment_loss loss = o->segment.classes ? o->segment : limn_segment_loss_defaults(1);
    loss.classes = (int)limn_node_shape(s->ports.output).dim[3];
    return limn_loss_segment(s->g, &loss, s->ports.output, &s->segment);
}

bool limn_step_segments(const limn_settings *settings)
{
    return settings->family->kind == LIMN_SEGMENTS;
}

bool limn_step_reconstructs(const limn_settings *settings)
{
    return settings->family->kind == LIMN_RECONSTRUCTS;
}

static limn_status add_loss(limn_step_graph *s, const limn_step_options *o)
{
    if (limn_step_reconstructs(&o->settings)) return autoencoder_loss(s, o);
    s->loss = limn_step_segments(&o->settings) ? segmentation_loss(s, o) : denoising_loss(s, o);
    return s->g->status;
}

static limn_status check(limn_ctx *ctx, const limn_step_options *o, const limn_step_graph *s)
{
    const char *name = o->settings.family->name;
    if (!s->ports.image)
        return limn_fail(ctx, LIMN_UNSUPPORTED, "training needs a network from pictures to pictures, %s is another", name);
    if (o->adversary != 0 && !s->ports.latent)
        return limn_fail(ctx, LIMN_UNSUPPORTED, "a discriminator judges what an autoencoder makes, %s is none", name);
    if (o->contrastive != 0 && (!s->ports.pooled_text || !s->ports.tokens))
        return limn_fail(ctx, LIMN_UNSUPPORTED,
                         "the contrastive term needs a network with a text encoder (text_encoder=clip), %s has none", name);
    if (o->contrastive != 0 && o->batch < 2)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT,
                         "the contrastive term tells pictures of a batch apart: use --batch 2 or more");
    return LIMN_OK;
}

static limn_status add_gradients(limn_ctx *ctx, limn_step_graph *s)
{
    int n = s->g->n_parameters;
    const limn_running *running;
    s->n_running = limn_graph_running(s->g, &running);
    s->outputs = calloc((size_t)(n + 1 + s->n_running), sizeof(limn_node *));
    s->of = calloc((size_t)n + 1, sizeof(limn_node *));
    limn_node **grads = calloc((size_t)n + 1, sizeof(limn_node *));
    limn_status status =
        s->outputs && s->of && grads ? LIMN_OK : limn_fail_memory(ctx, (size_t)n * sizeof(limn_node *), "gradients");
    int judged = s->adversary.loss ? s->n_network : n; /* the discriminator's parameters learn from its own loss */
    if (status == LIMN_OK) status = limn_grad(s->g, s->loss, judged, s->g->parameters, grads);
    if (status == LIMN_OK && judged < n)
        status = limn_grad(s->g, s->adversary.loss, n - judged, s->g->parameters + judged, grads + judged);
    if (status == LIMN_OK) {
        s->outputs[0] = s->loss;
        s->n = 1;
        for (int i = 0; i < n; i++)
            if (grads[i] && !s->g->parameters[i]->init.frozen)
                s->of[s->n] = s->g->parameters[i], s->outputs[s->n++] = grads[i];
        for (int i = 0; i < s->n_running; i++) s->outputs[s->n + i] = running[i].value;
    }
    free(grads);
    return status;
}

limn_status limn_step_graph_build(limn_ctx *ctx, const limn_step_options *o, limn_step_graph *s)
{
    *s = (limn_step_graph){.g = limn_graph_new(ctx)};
    if (!s->g) return LIMN_NO_MEMORY;
    s->g->norm_ranks = o->norm_ranks;
    limn_status status = limn_model_build(s->g, &o->settings, (limn_build){.batch = o->batch}, &s->ports);
    s->n_network = s->g->n_parameters;
    if (status == LIMN_OK) status = check(ctx, o, s);
    if (status == LIMN_OK) status = freeze(ctx, o, s);
    if (status == LIMN_OK) status = add_loss(s, o);
    if (status == LIMN_OK) status = add_gradients(ctx, s);
    if (status != LIMN_OK) limn_step_graph_free(s);
    return status;
}

void limn_step_graph_free(limn_step_graph *s)
{
    limn_graph_free(s->g);
    free(s->outputs);
    free(s->of);
    *s = (limn_step_graph){0};
}

limn_status limn_step_graph_plan(const limn_step_graph *s, const limn_plan_options *options, limn_plan **out)
{
    limn_plan_options o = *options;
    o.training = true;
    o.first_bound = 1;
    return limn_plan_new(s->g, s->n + s->n_running, s->outputs, &o, out);
}
