/* trainer.c: the loop: batch -> loss and gradients (one plan) -> AdamW and EMA -> log, samples, checkpoint.
 * Every random number is a function of (seed, sample number), so a resumed run makes the same bits as one that never
 * stopped. */
#include "train/trainer_parts.h"

#include "file/lock.h"
#include "graph/node.h"
#include "train/optimizer.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FAILED_SAVES = 3 };

limn_train_options limn_train_defaults(void)
{
    return (limn_train_options){.batch = 32,
                                .accumulate = 1,
                                .steps = 1000,
                                .save_every = 500,
                                .log_every = 20,
                                .warmup = 100,
                                .lr = 5e-4,
                                .weight_decay = 0.01,
                                .clip = 1,
                                .ema = 0.999,
                                .drop = 0.1,
                                .seed = 42,
                                .objective = limn_objective_flow(),
                                .kl = 1e-6,
                                .adversary_start = 2000,
                                .segment = limn_segment_loss_defaults(1),
                                .augment = limn_augment_defaults()};
}

/* ---- opening ---------------------------------------------------------------------------------------------------------- */

static limn_status check_numbers(limn_ctx *ctx, const limn_train_options *o)
{
    const struct { const char *name; double value, most;
    } ranges[] = {{"ema", o->ema, 1},
                  {"drop", o->drop, 1},
                  {"lr", o->lr, FLT_MAX},
                  {"weight_decay", o->weight_decay, FLT_MAX},
                  {"clip", o->clip, FLT_MAX},
                  {"contrastive", o->contrastive, FLT_MAX},
                  {"kl", o->kl, FLT_MAX},
                  {"adversary", o->adversary, FLT_MAX},
                  {"seconds", o->seconds, FLT_MAX},
                  {"adversary_start", (double)o->adversary_start, FLT_MAX},
                  {"warmup", (double)o->warmup, FLT_MAX},
                  {"decay", (double)o->decay, FLT_MAX}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (!(ranges[i].value >= 0 && ranges[i].value <= ranges[i].most))
            return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s is %.9g, expected 0 to %.3g", ranges[i].name, ranges[i].value,
                             ranges[i].most);
    return LIMN_OK;
}

static limn_status check_options(limn_ctx *ctx, const limn_train_options *o)
{
    if (!o->network || !o->data || !o->out)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "training needs network, data and out; %s is not set",
                         !o->network ? "network" : !o->data ? "data" : "out");
    if (o->batch < 1 || o->accumulate < 1 || o->steps < 1 || o->save_every < 1 || o->log_every < 1 || o->sample_every < 0)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "batch, accumulate, steps, save_every and log_every must be at least 1");
    if ((unsigned)o->crop > LIMN_SQUASH || (unsigned)o->precision > LIMN_PRECISION_F64 || o->n_shapes < 0)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "crop %d, precision %d or n_shapes %d is no value of its own", (int)o->crop,
                         (int)o->precision, o->n_shapes);
    limn_status status = check_numbers(ctx, o);
    if (status != LIMN_OK) return status;
    if (!*o->out) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "the run folder (--out) has no name");
    if (!*o->data) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "the folder of the data has no name");
    if (o->resume && o->init)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT,
                         "--resume goes on from the checkpoint of %s, --init starts from other weights: give one of them",
                         o->out);
    return LIMN_OK;
}

/* A network whose size nobody gave takes that of the latents. */
static limn_status fit_latents(limn_trainer *t)
{
    char path[1100];
    limn_latents all;
    snprintf(path, sizeof path, "%.1000s/latents.safetensors", t->o->data);
    limn_status status = limn_latents_read(t->ctx, path, &all);
    if (status != LIMN_OK) return status;
    limn_settings_default_picture(&t->settings, all.width, all.channels);
    return LIMN_OK;
}

/* The network, and what it is taught. */
static limn_status choose_task(limn_trainer *t)
{
    limn_status status = limn_settings_named(t->ctx, t->o->network, &t->settings);
    if (status != LIMN_OK) return status;
    t->task = limn_step_segments(&t->settings)       ? &limn_task_segment
              : limn_step_reconstructs(&t->settings) ? &limn_task_reconstruct
                                                     : &limn_task_denoise;
    return t->o->latents && t->task == &limn_task_denoise ? fit_latents(t) : LIMN_OK;
}

static limn_status build(limn_trainer *t)
{
    const limn_train_options *o = t->o;
    limn_step_options options = {.settings = t->settings,
                                 .batch = o->batch,
                                 .contrastive = o->contrastive,
                                 .segment = o->segment,
                                 .kl = o->kl,
                                 .adversary = o->adversary};
    limn_status status = limn_step_graph_build(t->ctx, &options, &t->net);
    if (status != LIMN_OK) return status;
    limn_plan_options plan = {.precision = o->precision, .recompute = o->recompute};
    status = limn_step_graph_plan(&t->net, &plan, &t->plan);
    return status == LIMN_OK ? limn_run_new(t->plan, &t->run) : status;
}

static limn_status check_memory(limn_trainer *t)
{
    size_t need = limn_trainer_bytes(t), has = limn_memory_available();
    if (!has || need <= has) return LIMN_OK;
    return limn_fail(
        t->ctx, LIMN_NO_MEMORY,
        "training needs %.0f MB, the machine has %.0f MB left: use a smaller --batch (and --accumulate) or network",
        (double)need * 1e-6, (double)has * 1e-6);
}

static limn_status make_state(limn_trainer *t)
{
    limn_status status = limn_weights_new(t->ctx, t->net.g, t->o->seed, &t->weights);
    if (status != LIMN_OK) return status;
    size_t bytes = t->weights.count * sizeof(float);
    float **states[] = {&t->grad, &t->m, &t->v, &t->ema, &t->sum};
    for (int i = 0; i < (t->o->accumulate > 1 ? 5 : 4); i++) {
        *states[i] = limn_alloc_aligned(bytes);
        if (!*states[i]) return limn_fail_memory(t->ctx, bytes, "training state");
        memset(*states[i], 0, bytes);
    }
    t->decay = calloc(t->weights.count, 1);
    if (!t->decay) return limn_fail_memory(t->ctx, t->weights.count, "training state");
    for (int i = 0; i < t->weights.n; i++)
        if (t->weights.node[i]->init.decay)
            memset(t->decay + t->weights.begin[i], 1, (size_t)limn_node_count(t->weights.node[i]));
    size_t statistics = 0;
    for (int i = 0; i < t->net.n_running; i++) statistics += (size_t)limn_node_count(t->net.outputs[t->net.n + i]);
    t->n_statistics = statistics;
    t->running = statistics ? limn_alloc_aligned((size_t)t->o->accumulate * statistics * sizeof(float)) : NULL;
    return statistics && !t->running
               ? limn_fail_memory(t->ctx, (size_t)t->o->accumulate * statistics * sizeof(float), "running statistics")
               : LIMN_OK;
}

/* Frozen tables and parameters the loss does not see keep a zero gradient. */
static limn_status bind(limn_trainer *t)
{
    limn_status status = LIMN_OK;
    for (int i = 1, p = 0; i < t->net.n && status == LIMN_OK; i++) {
        while (p < t->weights.n && t->weights.node[p] != t->net.of[i]) p++;
        if (p == t->weights.n)
            return limn_fail(t->ctx, LIMN_BAD_ARGUMENT, "%s has a gradient and no weight", limn_node_name(t->net.of[i]));
        status = limn_run_bind(t->run, t->net.outputs[i], LIMN_F32, t->grad + t->weights.begin[p]);
    }
    for (int p = 0; p < t->weights.n && status == LIMN_OK; p++)
        status = limn_run_bind(t->run, t->weights.node[p], LIMN_F32, t->weights.value + t->weights.begin[p]);
    float *to = t->running ? t->running + (size_t)(t->o->accumulate - 1) * t->n_statistics : NULL;
    for (int i = 0; i < t->net.n_running && status == LIMN_OK; i++, to += limn_node_count(t->net.outputs[t->net.n + i - 1]))
        status = limn_run_bind(t->run, t->net.outputs[t->net.n + i], LIMN_F32, to);
    return status;
}

static limn_status start(limn_trainer *t)
{
    if (t->o->resume) {
        limn_status status = access(t->o->out, F_OK) == 0 ? limn_lock_take(t->ctx, t->o->out, &t->lock)
                                                          : LIMN_OK; /* nobody saves while it is read */
        return status == LIMN_OK ? limn_trainer_resume(t) : status;
    }
    limn_status status = t->o->init ? limn_trainer_init(t) : LIMN_OK;
    memcpy(t->ema, t->weights.value, t->weights.count * sizeof *t->ema);
    return status;
}

/* Everything is checked before the run folder is made. */
static limn_status make_folder(limn_trainer *t)
{
    char path[1100];
    struct stat st;
    if (strlen(t->o->out) > 1000)
        return limn_fail(t->ctx, LIMN_BAD_ARGUMENT, "the name of the run folder has %zu bytes, at most 1000 fit",
                         strlen(t->o->out));
    snprintf(path, sizeof path, "%s", t->o->out);
    for (char *slash = path; (slash = strchr(slash + 1, '/')); *slash = '/') { /* folders above it, too */
        *slash = '\0';
        mkdir(path, 0777);
    }
    if (mkdir(path, 0777) != 0 && (errno != EEXIST || stat(path, &st) != 0 || !S_ISDIR(st.st_mode)))
        return limn_fail(t->ctx, LIMN_BAD_ARGUMENT, "--out %s: %s", path, strerror(errno));
    limn_status status = t->lock < 0 ? limn_lock_take(t->ctx, path, &t->lock) : LIMN_OK;
    if (status != LIMN_OK) return status;
    return t->task->write ? t->task->write(t) : LIMN_OK;
}

/* ---- a step ----------------------------------------------------------------------------------------------------------- */

/* The plan writes them where those of the last part lie. */
static void keep_statistics(limn_trainer *t, int part)
{
    int last = t->o->accumulate - 1;
    if (t->running && part < last)
        memcpy(t->running + (size_t)part * t->n_statistics, t->running + (size_t)last * t->n_statistics,
               t->n_statistics * sizeof *t->running);
}

/* Loss and gradient of the mean over all parts of a batch; no weight changes: a save may still come. */
static limn_status gradients(limn_trainer *t, double *loss)
{
    int n = t->o->accumulate;
    size_t count = t->weights.count;
    float scale = 1.0f / (float)n;
    limn_status status = LIMN_OK;
    *loss = 0;
    for (int part = 0; part < n && status == LIMN_OK; part++) {
        double one = 0;
        status = t->task->fill(t, part);
        if (status == LIMN_OK) status = limn_stage_write(t);
        if (status == LIMN_OK) status = limn_run_execute(t->run);
        if (status == LIMN_OK) status = limn_run_read(t->run, t->net.loss, LIMN_F64, &one);
        *loss += one / n;
        if (n == 1 || status != LIMN_OK) continue;
        keep_statistics(t, part);
        float *to = part < n - 1 ? t->sum : t->grad, by = part < n - 1 ? 1 : scale;
        bool first = part == 0;
        limn_floats floats;
        limn_floats_begin(&floats, t->ctx->n_threads);
#pragma omp parallel for simd schedule(static) num_threads(t->ctx->n_threads)
        for (size_t i = 0; i < count; i++) to[i] = ((first ? 0 : t->sum[i]) + t->grad[i]) * by;
        limn_floats_end(&floats);
    }
    return status;
}

static limn_status check_finite(limn_trainer *t, double loss, double norm)
{
    if (isfinite(loss) && isfinite(norm)) return LIMN_OK;
    return limn_fail(
        t->ctx, LIMN_DIVERGED,
        "step %lld: the loss is %g and the gradient norm %g; the last good checkpoint is kept: try a lower --lr",
        (long long)t->step, loss, norm);
}

static limn_status optimize(limn_trainer *t, double norm, double *lr)
{
    const limn_train_options *o = t->o;
    limn_status status = LIMN_OK;
    *lr = limn_learning_rate(o->lr, t->step, o->warmup, o->steps, o->decay);
    limn_adamw adamw = {.lr = *lr,
                        .beta1 = 0.9,
                        .beta2 = 0.99,
                        .eps = 1e-8,
                        .weight_decay = o->weight_decay,
                        .clip = o->clip,
                        .ema = o->ema};
    for (int part = 0; t->running && part < o->accumulate && status == LIMN_OK; part++)
        status = limn_weights_follow(t->ctx, &t->weights, t->net.g, t->running + (size_t)part * t->n_statistics);
    if (status != LIMN_OK) return status;
    limn_adamw_step(&adamw, t->step + 1, norm, t->weights.count, t->weights.value, t->grad, t->m, t->v, t->ema, t->decay,
                    t->ctx->n_threads);
    t->step++;
    return LIMN_OK;
}

/* ---- the loop --------------------------------------------------------------------------------------------------------- */

/* A save that fails while training goes on is a warning, until three in a row failed; the older files are whole. */
static limn_status save_or_warn(limn_trainer *t, int *failed)
{
    limn_status status = limn_trainer_save(t);
    if (status == LIMN_OK) return *failed = 0, LIMN_OK;
    if (++*failed >= MAX_FAILED_SAVES)
        return limn_fail_in(t->ctx, status, "step %lld: %d saves in a row failed", (long long)t->step, *failed);
    limn_log(t->ctx, LIMN_LOG_WARN, "step %lld was not saved, the older checkpoint is kept: %s", (long long)t->step,
             limn_error_text(t->ctx));
    return LIMN_OK;
}

/* The last save: its weights have not been through a forward pass. */
static limn_status save_last(limn_trainer *t)
{
    limn_status status = check_finite(t, 0, limn_gradient_norm(t->weights.value, t->weights.count, t->ctx->n_threads));
    return status == LIMN_OK ? limn_trainer_save(t) : status;
}

static limn_status stop_early(limn_trainer *t, bool out_of_time)
{
    const char *by = t->o->init ? "--resume in place of --init" : "--resume";
    limn_status status = save_last(t);
    if (status != LIMN_OK) return status;
    if (!out_of_time && t->step == t->o->steps)
        return limn_fail(t->ctx, LIMN_CANCELLED,
                         "stopped after the last step, which is saved; its samples and scores are missing");
    if (!out_of_time)
        return limn_fail(t->ctx, LIMN_CANCELLED, "stopped at step %lld, saved; the same command with %s goes on",
                         (long long)t->step, by);
    limn_log(t->ctx, LIMN_LOG_INFO, "time is up at step %lld, saved; the same command with %s goes on", (long long)t->step,
             by);
    return LIMN_OK;
}

/* The seconds it takes are not the training's.  @return LIMN_CANCELLED by the progress callback; else LIMN_OK: what cannot
 * be shown is a warning */
static limn_status show(limn_trainer *t, double *from)
{
    double begin = limn_seconds();
    limn_status status = t->task->show(t);
    *from += limn_seconds() - begin;
    if (status == LIMN_OK || status == LIMN_CANCELLED) return status;
    limn_log(t->ctx, LIMN_LOG_WARN, "nothing to show at step %lld: %s", (long long)t->step, limn_error_text(t->ctx));
    return LIMN_OK;
}

static limn_status loop(limn_trainer *t)
{
    const limn_train_options *o = t->o;
    double begin = limn_seconds(), sum = 0, from = begin;
    int64_t since = t->step, begun = t->step;
    int failed = 0;
    bool due = false;
    if (t->step < o->steps && !limn_progress(t->ctx, "start", t->step, o->steps))
        return limn_fail(t->ctx, LIMN_CANCELLED, "stopped before the first step");
    while (t->step < o->steps) {
        double loss, norm, lr;
        limn_status status = gradients(t, &loss);
        if (status == LIMN_CANCELLED && t->step > begun) return stop_early(t, false); /* the weights are the last step's */
        if (status == LIMN_OK)
            status = check_finite(t, loss, norm = limn_gradient_norm(t->grad, t->weights.count, t->ctx->n_threads));
        /* saved only now that these weights have given a finite loss: a bad state never replaces a good one */
        if (status == LIMN_OK && due) status = save_or_warn(t, &failed);
        if (status == LIMN_OK) status = optimize(t, norm, &lr);
        if (status != LIMN_OK) return status;
        sum += loss;
        bool last = t->step == o->steps, out_of_time = o->seconds > 0 && limn_seconds() - begin > o->seconds;
        if (t->step % o->log_every == 0 || last || out_of_time) {
            double now = limn_seconds(), rate = (double)((t->step - since) * limn_trainer_pictures(t)) / (now - from);
            limn_trainer_log_row(t, sum / (double)(t->step - since), lr, norm, rate);
            since = t->step, from = now, sum = 0;
        }
        limn_status shown = LIMN_OK;
        if ((o->sample_every && (t->step % o->sample_every == 0 || last)) || (t->score_head && (last || out_of_time)))
            shown = show(t, &from);
        due = t->step % o->save_every == 0;
        if (last && shown == LIMN_OK) return save_last(t);
        if (out_of_time || shown != LIMN_OK || !limn_progress(t->ctx, "step", t->step, o->steps))
            return stop_early(t, out_of_time);
    }
    return LIMN_OK;
}

static void close_all(limn_trainer *t)
{
    limn_trainer_log_close(t);
    if (t->task) t->task->close(t);
    limn_stage_free(t);
    limn_run_free(t->run);
    limn_plan_free(t->plan);
    limn_weights_free(&t->weights);
    limn_step_graph_free(&t->net);
    limn_free_aligned(t->running);
    float *states[] = {t->grad, t->m, t->v, t->ema, t->sum};
    for (int i = 0; i < 5; i++) limn_free_aligned(states[i]);
    free(t->decay);
    limn_lock_release(t->lock);
}

limn_status limn_train(limn_ctx *ctx, const limn_train_options *o)
{
    limn_trainer t = {.ctx = ctx, .o = o, .lock = -1};
    limn_status status = check_options(ctx, o);
    if (status == LIMN_OK) status = choose_task(&t);
    if (status == LIMN_OK) status = limn_run_files_check(ctx, o);
    if (status == LIMN_OK) status = t.task->check(&t);
    if (status == LIMN_OK) status = build(&t);
    if (status == LIMN_OK) status = t.task->open(&t);
    if (status == LIMN_OK) status = check_memory(&t);
    if (status == LIMN_OK) status = make_state(&t);
    if (status == LIMN_OK) status = start(&t);
    if (status == LIMN_OK) status = t.task->start(&t);
    if (status == LIMN_OK) status = bind(&t);
    if (status == LIMN_OK) status = limn_stage_new(&t);
    if (status == LIMN_OK) status = make_folder(&t);
    if (status == LIMN_OK) status = limn_trainer_log_open(&t);
    if (status == LIMN_OK) limn_trainer_tell(&t);
    if (status == LIMN_OK) status = loop(&t);
    close_all(&t);
    return status;
}
