/* trainer.c: the loop: batch -> loss and gradients (one plan) -> AdamW and EMA -> log and checkpoint.
 * Every random number is a function of (seed, sample number), so a resumed run makes the same bits as one that never stopped. */
#include "train/trainer.h"

#include "base/rng.h"
#include "graph/node.h"
#include "text/clip_bpe.h"
#include "train/loader.h"
#include "train/optimizer.h"
#include "train/step_graph.h"
#include "train/weights.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct trainer {
    limn_ctx *ctx;
    const limn_train_options *o;
    limn_dataset *data;
    limn_loader *loader;
    int64_t *shown; /* [batch]: pictures of the batch */
    limn_clip_bpe *bpe;
    limn_step_graph net;
    limn_plan *plan;
    limn_weights weights;
    float *grad, *m, *v, *ema; /* as weights.value */
    uint8_t *decay;
    int64_t step;
    limn_schedule *schedule;
} trainer;

limn_train_options limn_train_defaults(void)
{
    return (limn_train_options){.batch = 32, .steps = 1000, .save_every = 500, .warmup = 100, .lr = 5e-4, .weight_decay = 0.01, .clip = 1,
                                .ema = 0.999, .drop = 0.1, .seed = 42, .objective = limn_objective_flow()};
}

/* ---- opening ---------------------------------------------------------------------------------------------------------- */

static limn_status build(trainer *t)
{
    const limn_train_options *o = t->o;
    limn_step_options options = {.settings = o->settings, .batch = o->batch};
    limn_status status = limn_step_graph_build(t->ctx, &options, &t->net);
    if (status == LIMN_OK && t->net.ports.features)
        status = limn_fail(t->ctx, LIMN_UNSUPPORTED, "training on captions needs text_encoder=clip; with text_encoder=none text features come from elsewhere");
    return status;
}

/* Frozen tables and parameters the loss does not see keep a zero gradient. */
static limn_status make_plan(trainer *t)
{
    limn_plan_options options = {.precision = t->o->precision, .recompute = t->o->recompute};
    limn_status status = limn_step_graph_plan(&t->net, &options, &t->plan);
    for (int i = 1, p = 0; i < t->net.n && status == LIMN_OK; i++) {
        while (t->weights.node[p] != t->net.of[i]) p++;
        status = limn_plan_bind(t->plan, t->net.outputs[i], LIMN_F32, t->grad + t->weights.begin[p]);
    }
    for (int p = 0; p < t->weights.n && status == LIMN_OK; p++)
        status = limn_plan_bind(t->plan, t->weights.node[p], LIMN_F32, t->weights.value + t->weights.begin[p]);
    return status;
}

static limn_status make_state(trainer *t)
{
    size_t bytes = t->weights.count * sizeof(float);
    t->grad = limn_alloc_aligned(bytes), t->m = limn_alloc_aligned(bytes), t->v = limn_alloc_aligned(bytes), t->ema = limn_alloc_aligned(bytes);
    t->decay = calloc(t->weights.count, 1);
    if (!t->grad || !t->m || !t->v || !t->ema || !t->decay) return limn_fail_memory(t->ctx, 4 * bytes, "training state");
    memset(t->grad, 0, bytes);
    memset(t->m, 0, bytes);
    memset(t->v, 0, bytes);
    memcpy(t->ema, t->weights.value, bytes);
    for (int i = 0; i < t->weights.n; i++)
        if (t->weights.node[i]->init.decay) memset(t->decay + t->weights.begin[i], 1, (size_t)limn_node_count(t->weights.node[i]));
    return limn_schedule_new(t->ctx, &t->o->objective.schedule, &t->schedule);
}

static limn_status open_tokenizer(trainer *t)
{
    if (!t->net.ports.ids) return LIMN_OK;
    char path[1100];
    int n = limn_settings_get(&t->o->settings, "text_vocab") - 514;
    limn_status status = limn_clip_bpe_open(t->ctx, t->o->merges, t->o->merges ? n : 0, &t->bpe);
    if (status != LIMN_OK || !t->o->merges) return status;
    snprintf(path, sizeof path, "%s/merges.txt.gz", t->o->out);
    return limn_clip_bpe_write(t->ctx, t->bpe, path);
}

/* ---- checkpoints ------------------------------------------------------------------------------------------------------ */

static size_t name_state(const trainer *t, const char *prefix, const float *data, limn_named_view *views, char (*names)[300])
{
    for (int i = 0; i < t->weights.n; i++) {
        snprintf(names[i], 300, "%s%s", prefix, t->weights.node[i]->name);
        views[i] = (limn_named_view){names[i], {LIMN_F32, t->weights.node[i]->shape, (void *)(uintptr_t)(data + t->weights.begin[i])}};
    }
    return (size_t)t->weights.n;
}

static limn_status save_model(trainer *t, const char *const (*metadata)[2], size_t n_metadata)
{
    char path[1100];
    size_t n = (size_t)t->weights.n;
    uint16_t *half = limn_alloc_aligned(t->weights.count * sizeof *half);
    limn_named_view *views = calloc(n, sizeof *views);
    limn_status status = half && views ? LIMN_OK : limn_fail_memory(t->ctx, t->weights.count * 2, "saving");
    if (status == LIMN_OK) {
        limn_convert(t->ema, LIMN_F32, half, LIMN_BF16, t->weights.count);
        for (size_t i = 0; i < n; i++)
            views[i] = (limn_named_view){t->weights.node[i]->name, {LIMN_BF16, t->weights.node[i]->shape, half + t->weights.begin[i]}};
        snprintf(path, sizeof path, "%s/model.safetensors", t->o->out);
        status = limn_safetensors_write(t->ctx, path, n, views, n_metadata, metadata);
    }
    limn_free_aligned(half);
    free(views);
    return status;
}

static limn_status save(trainer *t)
{
    char path[1100], settings[1024], step[32], shift[32];
    size_t n = (size_t)t->weights.n;
    limn_named_view *views = calloc(4 * n, sizeof *views);
    char(*names)[300] = calloc(4 * n, sizeof *names);
    if (!views || !names) {
        free(views);
        free(names);
        return limn_fail_memory(t->ctx, 4 * n * sizeof *names, "saving");
    }
    const char *prefixes[] = {"", "adam_m/", "adam_v/", "ema/"};
    const float *states[] = {t->weights.value, t->m, t->v, t->ema};
    for (size_t k = 0; k < 4; k++) name_state(t, prefixes[k], states[k], views + k * n, names + k * n);
    snprintf(step, sizeof step, "%lld", (long long)t->step);
    snprintf(shift, sizeof shift, "%.9g", t->o->objective.schedule.shift);
    const char *const metadata[][2] = {{"format", "pt"}, {"limn.settings", limn_settings_text(&t->o->settings, settings)}, {"limn.step", step},
                                       {"limn.prediction", limn_prediction_name(t->o->objective.prediction)},
                                       {"limn.schedule", limn_schedule_name(t->o->objective.schedule.kind)}, {"limn.shift", shift}};
    enum { N_METADATA = sizeof metadata / sizeof *metadata };
    snprintf(path, sizeof path, "%s/checkpoint.safetensors", t->o->out);
    limn_status status = limn_safetensors_write(t->ctx, path, 4 * n, views, N_METADATA, metadata);
    free(views);
    free(names);
    return status == LIMN_OK ? save_model(t, metadata, N_METADATA) : status;
}

static limn_status resume(trainer *t)
{
    char path[1100];
    limn_safetensors *st;
    snprintf(path, sizeof path, "%s/checkpoint.safetensors", t->o->out);
    limn_status status = limn_safetensors_open(t->ctx, path, &st);
    if (status != LIMN_OK) return status;
    const char *step = limn_safetensors_metadata(st, "limn.step");
    t->step = step ? strtoll(step, NULL, 10) : -1;
    if (t->step < 0) status = limn_fail(t->ctx, LIMN_BAD_FILE, "%s: no limn.step in its metadata", path);
    const char *prefixes[] = {"", "adam_m/", "adam_v/", "ema/"};
    float *states[] = {t->weights.value, t->m, t->v, t->ema};
    for (int k = 0; k < 4 && status == LIMN_OK; k++) status = limn_weights_load(t->ctx, &t->weights, path, st, prefixes[k], states[k]);
    limn_safetensors_close(st);
    return status;
}

/* ---- one batch -------------------------------------------------------------------------------------------------------- */

/* Text and class of one sample; dropped ones are "" and the class past the last. */
static limn_status fill_condition(trainer *t, int b, uint64_t sample)
{
    bool drop = limn_random_uniform(t->o->seed, LIMN_STREAM_DROP, sample, 0) < (float)t->o->drop;
    if (t->net.ports.label) {
        int label = limn_dataset_label(t->data, t->shown[b]), none = limn_settings_get(&t->o->settings, "classes");
        ((int32_t *)limn_plan_data(t->plan, t->net.ports.label))[b] = drop || label < 0 ? none : label;
    }
    if (!t->net.ports.ids) return LIMN_OK;
    int length = (int)limn_node_shape(t->net.ports.ids).dim[1], n;
    int32_t *ids = limn_plan_data(t->plan, t->net.ports.ids), *end = limn_plan_data(t->plan, t->net.ports.text_end);
    const char *caption = drop ? "" : limn_dataset_caption(t->data, t->shown[b]);
    limn_status status = limn_clip_bpe_encode(t->ctx, t->bpe, caption, strlen(caption), length, ids + (ptrdiff_t)b * length, &n, NULL);
    end[b] = b * length + n - 1;
    return status;
}

static limn_status fill_batch(trainer *t)
{
    float *x = limn_plan_data(t->plan, t->net.ports.image), *target = limn_plan_data(t->plan, t->net.target), *times = limn_plan_data(t->plan, t->net.ports.timesteps);
    float *weight = limn_plan_data(t->plan, t->net.weight);
    if (!x || !target || !times || !weight) return limn_fail_memory(t->ctx, limn_plan_sizes(t->plan).activation_bytes, "activations");
    size_t n = (size_t)limn_node_count(t->net.ports.image) / (size_t)t->o->batch;
    limn_status status = limn_loader_next(t->loader, x, t->shown);
    for (int b = 0; b < t->o->batch && status == LIMN_OK; b++) status = fill_condition(t, b, (uint64_t)t->step * (uint64_t)t->o->batch + (uint64_t)b);
    if (status != LIMN_OK) return status;
#pragma omp parallel for schedule(static) num_threads(t->ctx->n_threads)
    for (int b = 0; b < t->o->batch; b++)
        weight[b] = limn_objective_sample(&t->o->objective, t->schedule, t->o->seed, (uint64_t)t->step * (uint64_t)t->o->batch + (uint64_t)b, n,
                                          x + (size_t)b * n, target + (size_t)b * n, times + b);
    for (int p = 0; p < t->weights.n; p++) limn_plan_touch(t->plan, t->weights.node[p]);
    limn_plan_touch(t->plan, t->net.ports.image);
    return status;
}

static limn_status train_step(trainer *t, double *loss, double *norm, double *lr)
{
    limn_status status = fill_batch(t);
    if (status == LIMN_OK) status = limn_plan_run(t->plan);
    if (status == LIMN_OK) status = limn_plan_get(t->plan, t->net.loss, LIMN_F64, loss);
    if (status != LIMN_OK) return status;
    *norm = limn_gradient_norm(t->grad, t->weights.count, t->ctx->n_threads);
    if (!isfinite(*loss) || !isfinite(*norm))
        return limn_fail(t->ctx, LIMN_DIVERGED, "step %lld: the loss is %g and the gradient norm %g; the last checkpoint is kept: try a lower --lr",
                         (long long)t->step, *loss, *norm);
    const limn_train_options *o = t->o;
    *lr = limn_learning_rate(o->lr, t->step, o->warmup, o->steps, o->decay);
    limn_adamw adamw = {.lr = *lr, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .weight_decay = o->weight_decay, .clip = o->clip, .ema = o->ema};
    limn_adamw_step(&adamw, t->step + 1, *norm, t->weights.count, t->weights.value, t->grad, t->m, t->v, t->ema, t->decay, t->ctx->n_threads);
    t->step++;
    return LIMN_OK;
}

static limn_status loop(trainer *t)
{
    const limn_train_options *o = t->o;
    char path[1100];
    snprintf(path, sizeof path, "%s/log.csv", o->out);
    FILE *log = fopen(path, o->resume ? "a" : "w");
    if (!log) return limn_fail(t->ctx, LIMN_IO, "%s: %s", path, strerror(errno));
    if (!o->resume) fprintf(log, "step,loss,lr,grad_norm,images_per_second\n");
    double begin = limn_seconds(), sum = 0, from = begin;
    int64_t since = t->step;
    limn_status status = LIMN_OK;
    while (t->step < o->steps && status == LIMN_OK) {
        double loss = 0, norm = 0, lr = 0;
        status = train_step(t, &loss, &norm, &lr);
        if (status != LIMN_OK) break;
        sum += loss;
        bool last = t->step == o->steps, late = o->seconds > 0 && limn_seconds() - begin > o->seconds;
        if (t->step % 20 == 0 || last || late) {
            double now = limn_seconds(), rate = (double)((t->step - since) * o->batch) / (now - from);
            fprintf(log, "%lld,%.6f,%.3g,%.4f,%.1f\n", (long long)t->step, sum / (double)(t->step - since), lr, norm, rate);
            fflush(log);
            if (o->report) o->report(o->user, t->step, o->steps, sum / (double)(t->step - since), lr, norm, rate);
            since = t->step, from = now, sum = 0;
        }
        bool stop = late || !limn_progress(t->ctx, "step", t->step, o->steps);
        if (t->step % o->save_every == 0 || last || stop) status = save(t);
        if (stop && !last) {
            if (!late && status == LIMN_OK) status = limn_fail(t->ctx, LIMN_CANCELLED, "stopped at step %lld, saved", (long long)t->step);
            break;
        }
    }
    fclose(log);
    return status;
}

static limn_status open_data(trainer *t)
{
    const limn_train_options *o = t->o;
    limn_data_options data = {.folder = o->data, .where = o->where, .size = limn_settings_get(&o->settings, "size"),
                              .channels = limn_settings_get(&o->settings, "channels")};
    limn_status status = limn_dataset_open(t->ctx, &data, &t->data);
    if (status != LIMN_OK) return status;
    int classes = limn_dataset_classes(t->data), known = limn_settings_get(&o->settings, "classes");
    if (t->net.ports.label && classes > known)
        return limn_fail(t->ctx, LIMN_BAD_ARGUMENT, "%s has %d classes and the network %d: --set classes=%d", o->data, classes, known, classes);
    t->shown = calloc((size_t)o->batch, sizeof *t->shown);
    if (!t->shown) return limn_fail_memory(t->ctx, (size_t)o->batch * sizeof *t->shown, "a batch");
    limn_loader_options loader = {.seed = o->seed, .first = (uint64_t)t->step * (uint64_t)o->batch, .batch = o->batch, .n_threads = t->ctx->n_threads, .flip = o->flip};
    return limn_loader_new(t->ctx, t->data, &loader, &t->loader);
}

limn_status limn_train(limn_ctx *ctx, const limn_train_options *o)
{
    trainer t = {.ctx = ctx, .o = o};
    limn_status status = limn_objective_check(ctx, &o->objective);
    if (status == LIMN_OK && mkdir(o->out, 0777) != 0 && errno != EEXIST) status = limn_fail(ctx, LIMN_IO, "%s: %s", o->out, strerror(errno));
    if (status == LIMN_OK) status = build(&t);
    if (status == LIMN_OK) status = open_tokenizer(&t);
    if (status == LIMN_OK) status = limn_weights_new(ctx, t.net.g, o->seed, &t.weights);
    if (status == LIMN_OK) status = make_state(&t);
    if (status == LIMN_OK && o->resume) status = resume(&t);
    if (status == LIMN_OK) status = make_plan(&t);
    if (status == LIMN_OK) status = open_data(&t);
    if (status == LIMN_OK) status = loop(&t);
    limn_plan_free(t.plan);
    limn_step_graph_free(&t.net);
    limn_weights_free(&t.weights);
    limn_schedule_free(t.schedule);
    limn_clip_bpe_free(t.bpe);
    limn_loader_free(t.loader);
    limn_dataset_free(t.data);
    float *states[] = {t.grad, t.m, t.v, t.ema};
    for (int i = 0; i < 4; i++) limn_free_aligned(states[i]);
    free(t.decay);
    free(t.shown);
    return status;
}
