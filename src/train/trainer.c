/* trainer.c: the loop: batch -> loss and gradients (one plan) -> AdamW and EMA -> log, samples, checkpoint.
 * Every random number is a function of (seed, sample number), so a resumed run makes the same bits as one that never
 * stopped. */
#include "train/trainer_parts.h"

#include "file/lock.h"
#include "graph/node.h"
#include "plan/plan.h"
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
                  {"differences", o->differences, FLT_MAX},
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
    if (o->inner_steps < 0)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "inner_steps is %lld, expected 0 or more", (long long)o->inner_steps);
    if (o->inner_steps && o->shard_state)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT,
                         "--shard-state divides moments among ranks, and with --inner-steps each rank has its own: give one "
                         "of them");
    if (o->inner_steps && o->sync_norm)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT,
                         "--sync-norm with --inner-steps: statistics of all ranks need steps of all ranks together");
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
    return limn_settings_default_picture(t->ctx, &t->settings, all.width, all.channels);
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

/* Of a step: this rank's parts among all whose gradients are added up, those of its own where it goes alone. */
static int64_t place_of(const limn_trainer *t, int part)
{
    return t->o->inner_steps ? part : limn_trainer_part(t, part);
}

static limn_tree own_parts(const limn_trainer *t, int n, int *most)
{
    return limn_tree_of(place_of(t, 0), n, most);
}

static limn_status build(limn_trainer *t)
{
    const limn_train_options *o = t->o;
    limn_step_options options = {.settings = t->settings,
                                 .batch = o->batch,
                                 .norm_ranks = limn_trainer_norm_ranks(t),
                                 .freeze = o->freeze,
                                 .contrastive = o->contrastive,
                                 .segment = o->segment,
                                 .kl = o->kl,
                                 .differences = o->differences,
                                 .adversary = o->adversary};
    limn_status status = limn_step_graph_build(t->ctx, &options, &t->net);
    if (status != LIMN_OK) return status;
    if (o->inner_steps && t->net.n_running)
        return limn_fail(t->ctx, LIMN_UNSUPPORTED,
                         "--inner-steps with batch norm, whose running statistics are of the pictures of all ranks: use "
                         "another norm, or steps of all ranks together");
    if (o->sync_norm && !t->net.n_running)
        return limn_fail(t->ctx, LIMN_UNSUPPORTED, "--sync-norm is for batch norm, and %s of these settings has none",
                         t->settings.family->name);
    own_parts(t, o->accumulate, &t->n_earlier);
    limn_plan_options plan = {.precision = o->precision, .recompute = o->recompute};
    status = limn_step_graph_plan(&t->net, &plan, &t->plan);
    if (o->sync_norm) t->ctx->ranks = t->ranks.comm;
    if (status == LIMN_OK) status = limn_run_new(t->plan, &t->run);
    t->ctx->ranks = NULL;
    return status;
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
    enum { DIVIDED = 3 };
    float **states[4 + LIMN_TREE_NODES] = {&t->m, &t->v, &t->ema, &t->grad};
    size_t own = limn_tree_share_floats(t->ranks.comm->size, t->weights.count);
    for (int i = 0; i < t->n_earlier; i++) states[4 + i] = &t->earlier[i];
    for (int i = 0; i < 4 + t->n_earlier; i++) {
        size_t bytes = (i < DIVIDED && limn_trainer_divided(t) ? own : t->weights.count) * sizeof(float);
        *states[i] = limn_alloc_aligned(bytes);
        if (!*states[i]) return limn_fail_memory(t->ctx, bytes, "training state");
        memset(*states[i], 0, bytes);
    }
    t->shown = limn_trainer_divided(t) ? t->grad : t->ema;
    bool in_bf16 = t->o->sums_in_bf16;
    if (t->o->inner_steps) status = limn_outer_new(t->ranks.comm, t->weights.count, in_bf16, &t->outer);
    if (t->o->inner_steps && status == LIMN_OK) status = limn_comm_open(t->ctx, &t->alone);
    limn_comm *comm = t->o->inner_steps ? t->alone : t->ranks.comm;
    if (status == LIMN_OK) status = limn_tree_sums_new(comm, t->o->accumulate, t->weights.count, in_bf16, &t->sums);
    if (status == LIMN_OK && limn_trainer_divided(t)) status = limn_shares_new(&t->sums, &t->shares);
    if (status != LIMN_OK) return status;
    t->decay = calloc(t->weights.count, 1);
    t->losses = calloc((size_t)t->o->accumulate, sizeof *t->losses);
    if (!t->decay || !t->losses) return limn_fail_memory(t->ctx, t->weights.count, "training state");
    for (int i = 0; i < t->weights.n; i++)
        if (t->weights.node[i]->init.decay)
            memset(t->decay + t->weights.begin[i], 1, (size_t)limn_node_count(t->weights.node[i]));
    size_t statistics = 0;
    for (int i = 0; i < t->net.n_running; i++) statistics += (size_t)limn_node_count(t->net.outputs[t->net.n + i]);
    t->n_statistics = statistics;
    size_t bytes = (size_t)limn_trainer_parts(t) * statistics * sizeof(float);
    t->running = statistics ? limn_alloc_aligned(bytes) : NULL;
    return statistics && !t->running ? limn_fail_memory(t->ctx, bytes, "running statistics") : LIMN_OK;
}

/* Those of one of this rank's parts. */
static float *statistics_of(const limn_trainer *t, int part)
{
    return t->running + (size_t)limn_trainer_part(t, part) * t->n_statistics;
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
    float *to = t->running ? statistics_of(t, t->o->accumulate - 1) : NULL;
    for (int i = 0; i < t->net.n_running && status == LIMN_OK; i++, to += limn_node_count(t->net.outputs[t->net.n + i - 1]))
        status = limn_run_bind(t->run, t->net.outputs[t->net.n + i], LIMN_F32, to);
    return status;
}

/* Rank 0 begins, or goes on, for all. */
static limn_status start(limn_trainer *t)
{
    if (!limn_trainer_leads(t)) return LIMN_OK;
    if (t->o->resume) {
        limn_status status = access(t->o->out, F_OK) == 0 ? limn_lock_take(t->ctx, t->o->out, &t->lock)
                                                          : LIMN_OK; /* nobody saves while it is read */
        return status == LIMN_OK ? limn_trainer_resume(t) : status;
    }
    limn_status status = t->o->init ? limn_trainer_init(t) : LIMN_OK;
    if (!limn_trainer_divided(t)) memcpy(t->ema, t->weights.value, t->weights.count * sizeof *t->ema);
    return status;
}

/* What a rank has of a state that is divided: of the checkpoint's, or its beginning. */
static limn_status share_divided(limn_trainer *t, const limn_trainer_state *state)
{
    bool leads = limn_trainer_leads(t);
    if (t->step == 0) return limn_shares_take(&t->shares, t->weights.value, t->ema), LIMN_OK;
    limn_status mine = leads ? limn_trainer_resume_state(t, state, t->grad) : LIMN_OK;
    limn_status status = limn_comm_agree(t->ranks.comm, mine);
    if (status == LIMN_OK) status = limn_tree_hand_out(&t->sums, leads ? t->grad : NULL, state->data);
    memset(t->grad, 0, t->weights.count * sizeof *t->grad);
    return status;
}

static limn_status share_start(limn_trainer *t)
{
    limn_trainer_state state[LIMN_TRAINER_STATES];
    int n = limn_trainer_states(t, state);
    size_t bytes = t->weights.count * sizeof(float);
    limn_status status = limn_comm_broadcast(t->ranks.comm, 0, sizeof t->step, &t->step);
    for (int i = 0; i < n && status == LIMN_OK; i++)
        status = i > 0 && limn_trainer_divided(t) ? share_divided(t, &state[i])
                                                  : limn_comm_broadcast(t->ranks.comm, 0, bytes, state[i].data);
    t->met = t->step;
    if (t->outer.from) memcpy(t->outer.from, t->weights.value, bytes);
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
        memcpy(statistics_of(t, part), statistics_of(t, last), t->n_statistics * sizeof *t->running);
}

/* The gradient of a part joins the nodes that it completes.  @return how many */
static int join_nodes(limn_trainer *t, limn_tree *tree, int part, limn_tree_block at, int n_threads)
{
    int before = tree->n, joined = limn_tree_add(tree, 0, place_of(t, part));
    const float *sum = t->grad;
    for (int i = before - 1; i >= before - joined; sum = t->earlier[i--])
        limn_tree_join(n_threads, at.n, t->earlier[i] + at.begin, sum + at.begin);
    return joined;
}

/* All of it at once; that of the last part joins piece by piece, sum_piece(). */
static void keep_gradient(limn_trainer *t, limn_tree *tree, int part)
{
    size_t count = t->weights.count;
    int before = tree->n;
    if (part == t->o->accumulate - 1) return;
    if (join_nodes(t, tree, part, (limn_tree_block){0, count}, t->ctx->n_threads) == 0)
        memcpy(t->earlier[before], t->grad, count * sizeof *t->grad);
}

/* The mean over the parts of all ranks, with inner steps over this rank's own, of a piece of the gradient. */
static limn_status sum_piece(void *user, size_t piece)
{
    limn_trainer *t = user;
    int parts = t->o->accumulate;
    limn_tree tree = own_parts(t, parts - 1, NULL);
    float *sum[LIMN_TREE_NODES];
    memcpy(sum, t->earlier, sizeof t->earlier);
    if (join_nodes(t, &tree, parts - 1, limn_tree_piece(&t->sums, piece), t->sums.n_threads) == 0) sum[tree.n - 1] = t->grad;
    return limn_tree_sum_piece(&t->sums, piece, sum, t->grad, 1.0f / (float)(parts * t->sums.comm->size),
                               !limn_trainer_divided(t));
}

/* The last part's: its pieces are summed as they are made. */
static limn_status execute(limn_trainer *t, int part)
{
    bool sums = t->sum_thread.open && part == t->o->accumulate - 1;
    limn_run_watch(t->run, sums ? limn_sum_thread_executed : NULL, &t->sum_thread);
    if (sums) limn_sum_thread_begin(&t->sum_thread);
    return limn_run_execute(t->run);
}

/* Told to stop when there is a whole step to save: a wish like others. */
static limn_status heed(const limn_trainer *t, limn_status mine, limn_wish *wish)
{
    if (mine != LIMN_CANCELLED || t->step == t->begun) return mine;
    *wish = LIMN_WISH_STOP;
    return LIMN_OK;
}

/* With statistics of all ranks a part is made by all or by none: who is in it waits for the others. */
static limn_status meet_before_part(limn_trainer *t, limn_status mine, limn_wish *wish)
{
    if (!t->o->sync_norm) return LIMN_OK;
    if (mine == LIMN_OK) mine = limn_cancelled(t->ctx); /* nobody looks while it runs */
    mine = heed(t, mine, wish);
    return limn_ranks_meet(&t->ranks, mine, wish, NULL, NULL);
}

/* Losses and gradients of this rank's parts of a step, unless it has failed or leaves; no weight changes: a save may still
 * come.
 * @return not LIMN_OK: on all ranks */
static limn_status gradients(limn_trainer *t, limn_status *mine, limn_wish *wish)
{
    limn_tree tree = {0};
    for (int part = 0; part < t->o->accumulate; part++) {
        bool goes = *mine == LIMN_OK && *wish == LIMN_WISH_GO_ON;
        if (goes) *mine = t->task->fill(t, part);
        if (goes && *mine == LIMN_OK) *mine = limn_stage_write(t);
        limn_status met = meet_before_part(t, *mine, wish);
        if (met != LIMN_OK || *mine != LIMN_OK || *wish != LIMN_WISH_GO_ON) return met;
        *mine = execute(t, part);
        if (*mine == LIMN_OK) *mine = limn_run_read(t->run, t->net.loss, LIMN_F64, &t->losses[part]);
        if (*mine == LIMN_OK) keep_statistics(t, part), keep_gradient(t, &tree, part);
    }
    return LIMN_OK;
}

static limn_status mean_gradient(limn_trainer *t)
{
    limn_status status = LIMN_OK;
    if (t->sum_thread.open) return limn_sum_thread_end(&t->sum_thread);
    for (size_t piece = 0; piece < limn_tree_pieces(&t->sums) && status == LIMN_OK; piece++) status = sum_piece(t, piece);
    return status;
}

/* Where only a piece of the gradient is, or nothing is sent, there is nothing to overlap. */
static limn_status open_sum_thread(limn_trainer *t)
{
    size_t n = limn_tree_pieces(&t->sums), p = 0;
    if (t->sums.comm->size == 1 || n < 2 || t->o->sync_norm) return LIMN_OK; /* means over ranks are sent meanwhile */
    int32_t *made_at = malloc(n * sizeof *made_at);
    for (size_t i = 0; made_at && i < n; i++) made_at[i] = -1;
    for (int i = 1; made_at && i < t->net.n; i++) {
        while (t->weights.node[p] != t->net.of[i]) p++; /* bind() found all */
        int last = limn_plan_last_step(t->plan, t->net.outputs[i]);
        size_t begin = t->weights.begin[p], end = begin + (size_t)limn_node_count(t->net.of[i]);
        for (size_t k = 0; k < n; k++) {
            limn_tree_block piece = limn_tree_piece(&t->sums, k);
            if (piece.begin < end && begin < piece.begin + piece.n && made_at[k] < last) made_at[k] = last;
        }
    }
    limn_status status = limn_sum_thread_open(t->sums.comm, n, made_at, sum_piece, t, &t->sum_thread);
    t->sums.n_threads = 1;
    free(made_at);
    return status;
}

/* The same collectives on every rank, also on one that failed or leaves: what they sum then is of no account. */
static limn_status meet(limn_trainer *t, limn_status mine, limn_wish *wish, double *loss)
{
    size_t own = (size_t)t->o->accumulate * t->n_statistics;
    limn_status status = mean_gradient(t);
    if (status == LIMN_OK && t->running)
        status = limn_comm_gather(t->ranks.comm, own * sizeof(float), statistics_of(t, 0), t->running);
    return status == LIMN_OK ? limn_ranks_meet(&t->ranks, mine, wish, t->losses, loss) : status;
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
    int parts = limn_trainer_parts(t) / limn_trainer_norm_ranks(t); /* of all ranks together: they have the same */
    for (int part = 0; t->running && part < parts && status == LIMN_OK; part++)
        status = limn_weights_follow(t->ctx, &t->weights, t->net.g, t->running + (size_t)part * t->n_statistics);
    if (status != LIMN_OK) return status;
    if (limn_trainer_divided(t))
        return limn_shares_step(&t->shares, &adamw, t->step + 1, norm, t->weights.value, t->grad, t->m, t->v, t->ema,
                                t->decay);
    limn_adamw_step(&adamw, t->step + 1, norm, t->weights.count, t->weights.value, t->grad, t->m, t->v, t->ema, t->decay,
                    t->ctx->n_threads);
    return LIMN_OK;
}

static limn_status gradient_norm(limn_trainer *t, double *norm)
{
    if (limn_trainer_divided(t)) return limn_shares_norm(&t->shares, t->grad, norm);
    *norm = limn_gradient_norm(t->grad, t->weights.count, t->ctx->n_threads);
    return LIMN_OK;
}

/* With inner steps, of all ranks together: when it is time, or when they leave. */
static limn_status outer_step(limn_trainer *t)
{
    if (!t->o->inner_steps || t->met == t->step) return LIMN_OK;
    t->met = t->step;
    return limn_outer_step(&t->outer, t->weights.count, t->weights.value, t->ema, t->grad);
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

/* The seconds it takes are not the training's.  @return LIMN_CANCELLED by the progress callback; else LIMN_OK: what cannot
 * be shown is a warning */
static limn_status show(limn_trainer *t, double *from)
{
    double begin = limn_seconds();
    limn_status status = t->task->show(t);
    if (limn_trainer_divided(t)) memset(t->grad, 0, t->weights.count * sizeof *t->grad); /* the EMA lay there */
    *from += limn_seconds() - begin;
    if (status == LIMN_OK || status == LIMN_CANCELLED) return status;
    limn_log(t->ctx, LIMN_LOG_WARN, "nothing to show at step %lld: %s", (long long)t->step, limn_error_text(t->ctx));
    return LIMN_OK;
}

/* From one step to the next. */
typedef struct course {
    double begin, from, sum, lr, norm; /* seconds; of the losses since the last row; of the last step */
    int64_t since, shown;              /* steps of the last row, and when something was shown last */
    int failed;                        /* saves in a row */
    bool due;                          /* a save */
} course;

static void log_row(limn_trainer *t, course *c)
{
    double now = limn_seconds(), steps = (double)(t->step - c->since);
    limn_trainer_log_row(t, c->sum / steps, c->lr, c->norm, steps * (double)limn_trainer_pictures(t) / (now - c->from));
    c->since = t->step, c->from = now, c->sum = 0;
}

static bool shows_now(const limn_trainer *t)
{
    const limn_train_options *o = t->o;
    bool last = t->step == o->steps;
    return (o->sample_every && (t->step % o->sample_every == 0 || last)) || (t->score_head && last);
}

/* To rank 0, to be shown. */
static limn_status bring_ema(limn_trainer *t)
{
    return limn_trainer_divided(t) ? limn_tree_collect(&t->sums, t->ema, limn_trainer_leads(t) ? t->grad : NULL) : LIMN_OK;
}

/* Rows, pictures and scores of a step that was made.  @return what this rank wants now */
static limn_wish after_step(limn_trainer *t, course *c)
{
    const limn_train_options *o = t->o;
    bool last = t->step == o->steps, out_of_time = o->seconds > 0 && limn_seconds() - c->begin > o->seconds;
    limn_status shown = LIMN_OK;
    c->due = c->due || t->step % o->save_every == 0;
    if (shows_now(t)) c->shown = t->step;
    if (limn_trainer_leads(t)) {
        if (t->step % o->log_every == 0 || last) log_row(t, c);
        if (shows_now(t)) shown = show(t, &c->from);
    }
    if (last && shown == LIMN_OK) return LIMN_WISH_GO_ON;
    if (out_of_time) return LIMN_WISH_TIME_UP;
    return shown != LIMN_OK || !limn_progress(t->ctx, "step", t->step, o->steps) ? LIMN_WISH_STOP : LIMN_WISH_GO_ON;
}

/* All ranks end here together, at the last step or before it. */
static limn_status leave(limn_trainer *t, course *c, limn_status mine, limn_wish wish)
{
    const char *by = t->o->init ? "--resume in place of --init" : "--resume";
    bool leads = limn_trainer_leads(t), scores = wish == LIMN_WISH_TIME_UP && t->score_head && t->step > c->shown;
    limn_status met = outer_step(t);
    if (mine == LIMN_OK) mine = met;
    if (limn_trainer_divided(t)) { /* all are needed for what follows */
        met = limn_ranks_meet(&t->ranks, mine, &wish, NULL, NULL);
        if (met == LIMN_OK && scores) met = bring_ema(t);
        if (met != LIMN_OK) return met;
    }
    if (mine == LIMN_OK && leads && wish == LIMN_WISH_TIME_UP && t->step > c->since) log_row(t, c);
    if (mine == LIMN_OK && leads && scores) show(t, &c->from);
    if (mine == LIMN_OK && (leads || limn_trainer_divided(t))) mine = save_last(t);
    limn_status status = limn_ranks_meet(&t->ranks, mine, &wish, NULL, NULL);
    if (status != LIMN_OK) return status;
    if (wish == LIMN_WISH_TIME_UP && limn_trainer_leads(t))
        limn_log(t->ctx, LIMN_LOG_INFO, "time is up at step %lld, saved; the same command with %s goes on",
                 (long long)t->step, by);
    if (wish != LIMN_WISH_STOP) return LIMN_OK;
    return t->step == t->o->steps
               ? limn_fail(t->ctx, LIMN_CANCELLED,
                           "stopped after the last step, which is saved; its samples and scores are missing")
               : limn_fail(t->ctx, LIMN_CANCELLED, "stopped at step %lld, saved; the same command with %s goes on",
                           (long long)t->step, by);
}

/* Inner steps are saved when ranks have met: what a rank has between is its own. */
static bool save_is_due(const limn_trainer *t, const course *c)
{
    return c->due && (limn_trainer_leads(t) || limn_trainer_divided(t)) && (!t->o->inner_steps || t->met == t->step);
}

static limn_status loop(limn_trainer *t)
{
    course c = {.begin = limn_seconds(), .since = t->step, .shown = -1};
    limn_status mine = LIMN_OK; /* what came of this rank's work: the others hear of it when they meet */
    limn_wish wish = LIMN_WISH_GO_ON;
    t->begun = t->step;
    c.from = c.begin;
    if (t->step >= t->o->steps) return LIMN_OK;
    if (!limn_progress(t->ctx, "start", t->step, t->o->steps))
        mine = limn_fail(t->ctx, LIMN_CANCELLED, "stopped before the first step");
    while (t->step < t->o->steps) {
        double loss = 0;
        limn_status status = gradients(t, &mine, &wish);
        mine = heed(t, mine, &wish);
        if (status == LIMN_OK) status = meet(t, mine, &wish, &loss);
        if (status != LIMN_OK) return status;
        if (wish != LIMN_WISH_GO_ON) return leave(t, &c, LIMN_OK, wish);
        status = gradient_norm(t, &c.norm);
        if (status != LIMN_OK) return status;
        status = check_finite(t, loss, c.norm);
        if (status != LIMN_OK && !t->o->inner_steps) return status; /* the same numbers on all ranks */
        /* saved only now that these weights have given a finite loss: a bad state never replaces a good one */
        if (status == LIMN_OK && save_is_due(t, &c)) status = save_or_warn(t, &c.failed), c.due = false;
        if (mine == LIMN_OK) mine = status;
        status = optimize(t, c.norm, &c.lr);
        if (mine == LIMN_OK) mine = status;
        t->step++, c.sum += loss;
        limn_comm_at_step(t->ranks.comm, t->step);
        status = t->o->inner_steps && t->step % t->o->inner_steps == 0 ? outer_step(t) : LIMN_OK;
        if (status == LIMN_OK && shows_now(t)) status = bring_ema(t);
        if (status != LIMN_OK) return status;
        if (mine == LIMN_OK) wish = after_step(t, &c);
    }
    return leave(t, &c, mine, wish);
}

static void close_all(limn_trainer *t)
{
    limn_sum_thread_close(&t->sum_thread);
    limn_trainer_log_close(t);
    if (t->task) t->task->close(t);
    limn_stage_free(t);
    limn_run_free(t->run);
    limn_plan_free(t->plan);
    limn_weights_free(&t->weights);
    limn_step_graph_free(&t->net);
    limn_free_aligned(t->running);
    float *states[] = {t->grad, t->m, t->v, t->ema};
    for (int i = 0; i < 4; i++) limn_free_aligned(states[i]);
    for (int i = 0; i < t->n_earlier; i++) limn_free_aligned(t->earlier[i]);
    limn_outer_free(&t->outer);
    limn_shares_free(&t->shares);
    limn_tree_sums_free(&t->sums);
    limn_comm_close(t->alone);
    free(t->decay), free(t->losses);
    limn_lock_release(t->lock);
    limn_ranks_free(&t->ranks);
}

static limn_status open_all(limn_trainer *t)
{
    limn_status status = check_options(t->ctx, t->o);
    if (status == LIMN_OK) status = choose_task(t);
    if (status == LIMN_OK) status = limn_run_files_check(t->ctx, t->o);
    if (status == LIMN_OK) status = t->task->check(t);
    if (status == LIMN_OK) status = build(t);
    if (status == LIMN_OK) status = t->task->open(t);
    if (status == LIMN_OK) status = check_memory(t);
    if (status == LIMN_OK) status = make_state(t);
    return status == LIMN_OK ? start(t) : status;
}

static limn_status get_ready(limn_trainer *t)
{
    limn_status status = t->task->start(t);
    if (status == LIMN_OK) status = bind(t);
    if (status == LIMN_OK) status = limn_stage_new(t);
    if (status != LIMN_OK || !limn_trainer_leads(t)) return status;
    status = make_folder(t);
    if (status == LIMN_OK) status = limn_trainer_log_open(t);
    if (status == LIMN_OK) limn_trainer_tell(t);
    return status;
}

limn_status limn_train_on(limn_ctx *ctx, const limn_train_options *o, limn_comm *comm)
{
    limn_trainer t = {.ctx = ctx, .o = o, .lock = -1, .ranks.comm = comm};
    limn_wish wish = LIMN_WISH_GO_ON;
    limn_status status = limn_comm_agree(comm, open_all(&t));
    if (status == LIMN_OK) status = limn_trainer_agree(&t);
    if (status == LIMN_OK) status = limn_comm_agree(comm, limn_ranks_new(comm, o->accumulate, &t.ranks));
    if (status == LIMN_OK) status = share_start(&t);
    if (status == LIMN_OK) status = limn_ranks_meet(&t.ranks, get_ready(&t), &wish, NULL, NULL);
    if (status == LIMN_OK) status = open_sum_thread(&t);
    if (status == LIMN_OK) status = loop(&t);
    close_all(&t);
    return status;
}

limn_status limn_train(limn_ctx *ctx, const limn_train_options *o)
{
    limn_comm *comm;
    limn_status status = limn_comm_open(ctx, &comm);
    if (status == LIMN_OK) status = limn_train_on(ctx, o, comm);
    limn_comm_close(comm);
    return status;
}
