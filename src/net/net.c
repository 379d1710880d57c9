/* net.c: see net.h. */
#include "net/net.h"

#include "graph/node.h"
#include "net/finite.h"
#include "plan/plan.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT = 4, LEAST_TIMES = 8 }; /* plans that nobody uses; rows of the smallest table of timesteps */

typedef struct limn_net_plan {
    limn_net_shape shape;
    int n_threads;       /* scratch is planned for so many */
    limn_graph *g;
    limn_ports ports;
    limn_plan *plan;
    int users;
    uint64_t used;       /* the net's clock when it was last asked for */
    struct limn_net_plan *next;
} limn_net_plan;

struct limn_net {
    pthread_mutex_t lock; /* of everything below but settings, source and file */
    limn_settings settings;
    limn_source *source;
    char *file;
    limn_store *store;
    limn_net_plan *plans;
    uint64_t clock;
    int holders;
};

limn_status limn_net_new(limn_ctx *ctx, const limn_settings *settings, limn_source *source, const char *file, limn_net **out)
{
    limn_net *net = *out = calloc(1, sizeof *net);
    char *copy = net ? strdup(file ? file : "") : NULL;
    limn_status status = copy ? limn_store_new(ctx, limn_alloc_aligned, limn_free_aligned, &net->store)
                              : limn_fail_memory(ctx, sizeof *net, "a network");
    if (status != LIMN_OK) {
        limn_source_free(source);
        free(copy);
        free(net);
        *out = NULL;
        return status;
    }
    net->settings = *settings, net->source = source, net->file = copy, net->holders = 1;
    pthread_mutex_init(&net->lock, NULL);
    return LIMN_OK;
}

limn_net *limn_net_share(limn_net *net)
{
    pthread_mutex_lock(&net->lock);
    net->holders++;
    pthread_mutex_unlock(&net->lock);
    return net;
}

static void free_plan(limn_net_plan *p)
{
    limn_plan_free(p->plan);
    limn_graph_free(p->g);
    free(p);
}

void limn_net_free(limn_net *net)
{
    if (!net) return;
    pthread_mutex_lock(&net->lock);
    bool last = --net->holders == 0;
    pthread_mutex_unlock(&net->lock);
    if (!last) return;
    for (limn_net_plan *p = net->plans, *next; p; p = next) next = p->next, free_plan(p);
    limn_store_free(net->store);
    limn_source_free(net->source);
    pthread_mutex_destroy(&net->lock);
    free(net->file);
    free(net);
}

const limn_settings *limn_net_settings(const limn_net *net)
{
    return &net->settings;
}

size_t limn_net_bytes(const limn_net *net)
{
    return limn_store_bytes(net->store);
}

/* ---- plans; the net is locked ----------------------------------------------------------------------------------------- */

/* Rows of a table that another few steps fit as well: a power of two. */
static int table_rows(int n_times)
{
    int rows = LEAST_TIMES;
    while (rows < n_times) rows *= 2;
    return rows;
}

static limn_net_shape normal(limn_net_shape s)
{
    s.n_times = table_rows(s.n_times);
    return s;
}

/* Both are normal. */
static bool same_shape(const limn_net_shape *a, const limn_net_shape *b)
{
    return a->batch == b->batch && a->n_times == b->n_times && a->height == b->height && a->width == b->width &&
           a->text_length == b->text_length && a->text_skip == b->text_skip && a->text_raw == b->text_raw &&
           a->text_pools == b->text_pools && a->vectors == b->vectors && a->left_out == b->left_out &&
           a->part == b->part && a->precision == b->precision && a->cut.on == b->cut.on && a->cut.begin == b->cut.begin &&
           a->cut.end == b->cut.end && a->cut.norm == b->cut.norm && a->cut.own_moments == b->cut.own_moments;
}

bool limn_net_shape_same(const limn_net_shape *a, const limn_net_shape *b)
{
    limn_net_shape x = normal(*a), y = normal(*b);
    return same_shape(&x, &y);
}

/* Plans that nobody uses are forgotten, the least recent first, until `most` are left. */
static void forget_idle(limn_net *net, int most)
{
    for (;;) {
        limn_net_plan **oldest = NULL;
        int idle = 0;
        for (limn_net_plan **p = &net->plans; *p; p = &(*p)->next) {
            if ((*p)->users) continue;
            idle++;
            if (!oldest || (*p)->used < (*oldest)->used) oldest = p;
        }
        if (idle <= most) return;
        limn_net_plan *gone = *oldest;
        *oldest = gone->next;
        free_plan(gone);
    }
}

/* Nobody has a job.  While the net is locked none begins. */
static bool is_idle(const limn_net *net)
{
    bool used = false;
    for (const limn_net_plan *p = net->plans; p; p = p->next) used |= p->users > 0;
    return !used;
}

/* Weights of one precision are of little use to another: nobody is left who needs the old ones. */
static void change_precision(limn_net *net, limn_precision precision)
{
    bool other = net->plans != NULL;
    for (limn_net_plan *p = net->plans; p; p = p->next)
        if (p->users || p->shape.precision == precision) other = false;
    if (!other) return;
    forget_idle(net, 0);
    limn_store_clear(net->store);
}

static limn_node *end_of_cut(const limn_cut *cut, const limn_cut_at *at, limn_node *output)
{
    return at->norm != LIMN_NO_STAGE ? cut->normed[at->norm] : at->end < cut->n_stages ? cut->stage[at->end] : output;
}

static limn_status make_plan(limn_ctx *ctx, limn_net *net, const limn_net_shape *shape, size_t limit, limn_net_plan **out)
{
    limn_net_plan *p = *out = calloc(1, sizeof *p);
    if (!p) return limn_fail_memory(ctx, sizeof *p, "a network");
    *p = (limn_net_plan){.shape = *shape, .n_threads = limn_ctx_threads(ctx), .g = limn_graph_new(ctx)};
    limn_status status = p->g ? LIMN_OK : limn_fail_memory(ctx, sizeof(limn_graph), "a graph");
    limn_build build = {.batch = shape->batch,
                        .n_steps = shape->n_times,
                        .part = shape->part,
                        .height = shape->height,
                        .width = shape->width,
                        .text_length = shape->text_length,
                        .text_skip = shape->text_skip,
                        .text_raw = shape->text_raw,
                        .text_pools = shape->text_pools,
                        .vectors = shape->vectors,
                        .left_out = shape->left_out};
    if (status == LIMN_OK && shape->cut.on) limn_graph_cut(p->g, shape->cut.begin, shape->cut.own_moments);
    if (status == LIMN_OK) status = limn_model_build(p->g, &net->settings, build, &p->ports);
    if (status == LIMN_OK && shape->cut.on) p->ports.output = end_of_cut(p->g->cut, &shape->cut, p->ports.output);
    limn_plan_options options = {.precision = shape->precision, .memory_limit = limit,
                                 .repeated = net->settings.family->kind == LIMN_DENOISES};
    bool text = shape->part == LIMN_PART_TEXT || net->settings.family->kind == LIMN_ENCODES_TEXT;
    bool ends = status == LIMN_OK && (!shape->cut.on || shape->cut.end == p->g->cut->n_stages);
    limn_node *more = text                                        ? p->ports.pooled_text
                      : shape->part == LIMN_PART_ENCODER && ends ? p->ports.log_variance
                                                                  : NULL;
    limn_node *outputs[] = {p->ports.output, more};
    if (status == LIMN_OK)
        status = limn_plan_new_from(ctx, p->g, more ? 2 : 1, outputs, &options, net->source, &p->plan);
    if (status == LIMN_OK) return LIMN_OK;
    free_plan(p);
    *out = NULL;
    return status;
}

static limn_status find_plan(limn_ctx *ctx, limn_net *net, const limn_net_shape *shape, size_t limit, limn_net_plan **out)
{
    limn_status status = LIMN_OK;
    *out = NULL;
    for (limn_net_plan *p = net->plans; p && !*out; p = p->next)
        if (same_shape(&p->shape, shape) && p->n_threads == limn_ctx_threads(ctx)) *out = p;
    if (!*out) {
        change_precision(net, shape->precision);
        status = make_plan(ctx, net, shape, limit, out);
        if (status != LIMN_OK) return status;
        (*out)->next = net->plans;
        net->plans = *out;
    }
    (*out)->used = ++net->clock;
    return LIMN_OK;
}

/* ---- jobs ------------------------------------------------------------------------------------------------------------- */

void limn_job_end(limn_job *job)
{
    limn_run_free(job->run);
    if (job->planned) {
        pthread_mutex_lock(&job->net->lock);
        job->planned->users--;
        forget_idle(job->net, KEPT);
        pthread_mutex_unlock(&job->net->lock);
    }
    *job = (limn_job){0};
}

bool limn_job_serves(const limn_ctx *ctx, const limn_job *job, const limn_net *net, const limn_net_shape *wanted)
{
    limn_net_shape shape = normal(*wanted);
    return job->run && job->net == net && same_shape(&shape, &job->shape) &&
           job->planned->n_threads == limn_ctx_threads(ctx);
}

limn_status limn_job_open(limn_ctx *ctx, limn_net *net, const limn_net_shape *wanted, size_t limit, limn_job *job)
{
    limn_net_shape shape = normal(*wanted);
    if (limn_job_serves(ctx, job, net, wanted)) return LIMN_OK;
    limn_job_end(job);
    pthread_mutex_lock(&net->lock);
    limn_net_plan *p;
    limn_status status = find_plan(ctx, net, &shape, limit, &p);
    if (status == LIMN_OK) p->users++;
    pthread_mutex_unlock(&net->lock);
    if (status != LIMN_OK) return status;
    *job = (limn_job){.net = net, .planned = p, .ports = &p->ports, .cut = p->g->cut, .shape = shape,
                      .n_times = shape.n_times};
    status = limn_run_new_with(ctx, p->plan, net->store, &job->run);
    if (status != LIMN_OK) limn_job_end(job);
    return status;
}

limn_status limn_job_load(limn_ctx *ctx, limn_job *job)
{
    limn_status status = job->loaded ? LIMN_OK : limn_plan_make_constants(ctx, job->planned->plan, job->net->store);
    job->loaded = status == LIMN_OK;
    return status;
}

limn_status limn_job_begin(limn_ctx *ctx, limn_net *net, const limn_net_shape *wanted, size_t limit, limn_job *job)
{
    limn_status status = limn_job_open(ctx, net, wanted, limit, job);
    if (status == LIMN_OK) status = limn_job_load(ctx, job);
    if (status != LIMN_OK) limn_job_end(job);
    return status;
}

void limn_job_release(limn_job *job)
{
    limn_run_release(job->run);
}

void limn_net_release(limn_net *net)
{
    pthread_mutex_lock(&net->lock);
    if (is_idle(net)) limn_store_clear(net->store);
    pthread_mutex_unlock(&net->lock);
}

limn_status limn_job_output(limn_ctx *ctx, const limn_job *job, const limn_node *output, const char *where, float *to)
{
    limn_shape shape = limn_node_shape(output);
    limn_status status = limn_run_read(job->run, output, LIMN_F32, to);
    return status == LIMN_OK ? limn_finite_check(ctx, job->net->file[0] ? job->net->file : NULL, where,
                                                 (size_t)limn_shape_count(&shape), to)
                             : status;
}

limn_status limn_net_measure(limn_ctx *ctx, limn_net *net, const limn_net_shape *wanted, limn_net_size *out)
{
    limn_net_shape shape = normal(*wanted);
    limn_net_plan *p;
    *out = (limn_net_size){0};
    pthread_mutex_lock(&net->lock);
    limn_status status = find_plan(ctx, net, &shape, (size_t)1 << 62, &p);
    if (status == LIMN_OK) {
        limn_plan_size size = limn_plan_sizes(p->plan);
        *out = (limn_net_size){.activations = size.activation_bytes + size.scratch_bytes,
                               .weights = size.packed_bytes + size.weight_bytes,
                               .output = limn_node_shape(p->ports.output)};
        if (p->ports.image) out->image = limn_node_shape(p->ports.image);
    }
    pthread_mutex_unlock(&net->lock);
    return status;
}

limn_status limn_net_renew(limn_ctx *ctx, limn_net *net)
{
    pthread_mutex_lock(&net->lock);
    bool idle = is_idle(net);
    if (idle) {
        forget_idle(net, 0);
        limn_store_clear(net->store);
    }
    pthread_mutex_unlock(&net->lock);
    return idle ? LIMN_OK : limn_fail(ctx, LIMN_BAD_ARGUMENT, "the weights are in use by another pipeline that shares them");
}

limn_status limn_net_refresh(limn_ctx *ctx, limn_job *job)
{
    limn_store_clear(job->net->store);
    limn_status status = limn_plan_make_constants(ctx, job->planned->plan, job->net->store);
    if (status == LIMN_OK) limn_run_forget(job->run);
    return status;
}
