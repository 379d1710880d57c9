/* batch.c: pictures, noise, timesteps and words of one batch.  Every random number is a function of (seed, sample
 * number). */
#include "train/denoising.h"

#include "base/rng.h"
#include "denoise/enlarge.h"
#include "graph/node.h"

#include <string.h>

static void describe_rows(limn_trainer *t, int part)
{
    limn_denoising *d = t->state;
    const int64_t *shown = limn_loader_shown(d->loader);
    uint64_t first = limn_trainer_sample(t, part);
    limn_interface net = limn_model_interface(&t->settings);
    for (int b = 0; b < t->o->batch; b++) {
        limn_batch_row *row = &d->rows[b];
        row->sample = first + (uint64_t)b;
        row->dropped =
            !net.always_labelled && limn_random_uniform(t->o->seed, LIMN_STREAM_DROP, row->sample, 0) < (float)t->o->drop;
        row->caption = row->dropped ? "" : limn_dataset_caption_at(d->data, shown[b], t->o->seed, row->sample);
        row->label = row->dropped ? -1 : limn_dataset_label(d->data, shown[b]);
        if (row->label < 0) row->label = net.classes;
    }
}

static void fill_labels(limn_trainer *t)
{
    const limn_denoising *d = t->state;
    int32_t *label = limn_stage(t, t->net.ports.label);
    for (int b = 0; label && b < t->o->batch; b++) label[b] = d->rows[b].label;
}

static limn_status fill_text(limn_trainer *t)
{
    const limn_denoising *d = t->state;
    if (!t->net.ports.ids) return LIMN_OK;
    int length = (int)limn_node_shape(t->net.ports.ids).dim[1], used;
    int32_t *ids = limn_stage(t, t->net.ports.ids), *end = limn_stage(t, t->net.ports.text_end);
    limn_status status = LIMN_OK;
    for (int b = 0; b < t->o->batch && status == LIMN_OK; b++) {
        const char *caption = d->rows[b].caption;
        status =
            limn_clip_bpe_encode(t->ctx, d->bpe, caption, strlen(caption), length, ids + (ptrdiff_t)b * length, &used, NULL);
        if (end) end[b] = b * length + used - 1;
    }
    return status;
}

/* Which picture may be told from which text: dropped and empty captions take no part, and pictures with the same caption are
 * not each other's negatives. */
static void fill_contrastive(limn_trainer *t)
{
    const limn_denoising *d = t->state;
    if (t->o->contrastive == 0) return;
    int n = t->o->batch, kept = 0;
    float *mask = limn_stage(t, t->net.contrastive.mask), *weight = limn_stage(t, t->net.contrastive.weight);
    int32_t *target = limn_stage(t, t->net.contrastive.target);
    for (int i = 0; i < n; i++) {
        weight[i] = d->rows[i].caption[0] != '\0';
        kept += weight[i] > 0;
        target[i] = i;
    }
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            bool told = weight[i] > 0 && weight[j] > 0 && (i == j || strcmp(d->rows[i].caption, d->rows[j].caption) != 0);
            mask[i * n + j] = told ? 0 : LIMN_CONTRASTIVE_HIDDEN;
        }
    for (int i = 0; i < n && kept; i++) weight[i] /= (float)kept;
}

/* x [batch, n] holds clean pictures here. */
static void fill_edges(limn_trainer *t, size_t n, const float *x)
{
    if (!t->net.bound.above) return;
    float *above = limn_stage(t, t->net.bound.above), *below = limn_stage(t, t->net.bound.below);
    for (size_t i = 0; i < (size_t)t->o->batch * n; i++) above[i] = x[i] > 0.999f, below[i] = x[i] < -0.999f;
}

static void fill_bound(limn_trainer *t, const float *times)
{
    const limn_denoising *d = t->state;
    const limn_bound_inputs *in = &t->net.bound;
    if (!in->first) return;
    float *scale = limn_stage(t, in->mean_scale), *small = limn_stage(t, in->log_small);
    float *range = limn_stage(t, in->log_range), *first = limn_stage(t, in->first);
    for (int b = 0; b < t->o->batch; b++) {
        limn_bound_terms terms = limn_objective_bound(d->schedule, (int)times[b]);
        scale[b] = (float)terms.mean_scale, small[b] = (float)terms.log_small, range[b] = (float)terms.log_range,
        first[b] = (float)terms.first;
    }
}

/* What a network that enlarges is told: x [batch, n], clean here, made small and large again. */
static void fill_condition(limn_trainer *t, size_t n, const float *x)
{
    if (!t->net.ports.condition) return;
    float *out = limn_stage(t, t->net.ports.condition);
    limn_interface net = limn_model_interface(&t->settings);
#pragma omp parallel for schedule(static) num_threads(t->ctx->n_threads)
    for (int b = 0; b < t->o->batch; b++)
        limn_enlarged(x + (size_t)b * n, net.enlarge, net.width / net.enlarge, net.height / net.enlarge, net.channels,
                      net.height, net.width, out + (size_t)b * n);
}

/* x: clean in, noisy out */
static void fill_noise(limn_trainer *t, size_t n, float *x)
{
    const limn_denoising *d = t->state;
    float *target = limn_stage(t, t->net.target), *times = limn_stage(t, t->net.ports.timesteps);
    float *weight = limn_stage(t, t->net.weight);
    fill_edges(t, n, x);
#pragma omp parallel for schedule(static) num_threads(t->ctx->n_threads)
    for (int b = 0; b < t->o->batch; b++)
        weight[b] = limn_objective_sample(&t->o->objective, d->schedule, t->o->seed, d->rows[b].sample, n, x + (size_t)b * n,
                                          target + (size_t)b * n, times + b);
    fill_bound(t, times);
}

limn_status limn_batch_fill(limn_trainer *t, int part)
{
    limn_denoising *d = t->state;
    float *x = limn_stage(t, t->net.ports.image);
    size_t n = (size_t)limn_node_count(t->net.ports.image) / (size_t)t->o->batch;
    limn_status status = limn_loader_next(d->loader, (void *const[]){x, NULL});
    if (status != LIMN_OK) return status;
    describe_rows(t, part);
    status = fill_text(t);
    fill_labels(t);
    fill_contrastive(t);
    fill_condition(t, n, x);
    fill_noise(t, n, x);
    return status;
}
