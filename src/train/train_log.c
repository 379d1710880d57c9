/* train_log.c: what is trained, in one line; a row of log.csv and of the events every few steps, of held_out.csv with every
 * score. */
#include "train/trainer_parts.h"

#include "file/bytes.h"
#include "file/image.h"
#include "graph/node.h"
#include "plan/plan.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char log_head[] = "step,loss,lr,grad_norm,images_per_second\n";

/* ---- what is trained -------------------------------------------------------------------------------------------------- */

/* With --sync-norm: what a rank tells each other one in a part of a step, as the kernel sends it. */
static size_t means_bytes(const limn_trainer *t)
{
    size_t n = 0;
    for (int i = 0; i < t->plan->graph->n_nodes; i++) {
        const limn_node *node = t->plan->graph->nodes[i];
        if (node->op == LIMN_OP_MEAN_OF_RANKS) n += (size_t)limn_node_count(node);
    }
    return n * sizeof(double);
}

static size_t plan_bytes(const limn_trainer *t)
{
    limn_plan_size size = limn_plan_sizes(t->plan);
    return size.activation_bytes + size.scratch_bytes + size.packed_bytes + means_bytes(t) * (size_t)t->ranks.comm->size;
}

/* value, gradient, sums of gradients, two of outer steps; two moments and EMA, which may be divided (rank 0 then puts its
 * blocks of the gradient aside); a byte that says whether an element decays */
static size_t state_bytes(const limn_trainer *t)
{
    size_t n = 0;
    for (int i = 0; i < t->net.g->n_parameters; i++) n += (size_t)(limn_node_count(t->net.g->parameters[i]) + 15) / 16 * 16;
    int parts = t->o->inner_steps ? 1 : t->o->accumulate, size = t->ranks.comm->size;
    size_t whole = 2 + (size_t)t->n_earlier + (t->o->inner_steps ? 2 : 0);
    size_t moments = limn_trainer_divided(t) ? (3 + limn_trainer_leads(t)) * limn_tree_share_floats(size, n) : 3 * n;
    return 4 * (whole * n + moments) + n + limn_tree_sums_bytes(size, parts, n, t->o->sums_in_bf16);
}

/* By a rank, in a step. */
static double sent_bytes(const limn_trainer *t)
{
    const limn_train_options *o = t->o;
    int size = t->ranks.comm->size;
    double shares = limn_trainer_divided(t) ? limn_shares_traffic(size, t->weights.count, o->sums_in_bf16) : 0;
    if (!o->inner_steps)
        return limn_tree_sums_traffic(size, o->accumulate, t->weights.count, o->sums_in_bf16) + shares +
               (double)o->accumulate * (double)(size - 1) * (double)means_bytes(t);
    return 2 * limn_tree_sums_traffic(size, 1, t->weights.count, o->sums_in_bf16) / (double)o->inner_steps;
}

size_t limn_trainer_bytes(const limn_trainer *t)
{
    return plan_bytes(t) + state_bytes(t) + t->task->bytes(t);
}

void limn_trainer_tell(const limn_trainer *t)
{
    const limn_train_options *o = t->o;
    double n = 0;
    for (int i = 0; i < t->weights.n; i++) n += (double)limn_node_count(t->weights.node[i]);
    char parts[192] = "", frozen[64] = "";
    if (limn_trainer_parts(t) > 1) snprintf(parts, sizeof parts, " in %d parts", limn_trainer_parts(t));
    if (t->ranks.comm->size > 1)
        snprintf(parts + strlen(parts), sizeof parts - strlen(parts), " by %d ranks, each of which sends %lld kB%s",
                 t->ranks.comm->size, (long long)(sent_bytes(t) * 1e-3 + 0.5),
                 limn_trainer_divided(t) ? " and has its share of moments and EMA" : "");
    if (limn_trainer_norm_ranks(t) > 1)
        snprintf(parts + strlen(parts), sizeof parts - strlen(parts), "; batch norm sees %d together, of all ranks",
                 t->ranks.comm->size * o->batch);
    if (t->net.n_frozen) snprintf(frozen, sizeof frozen, " (%d of %d tensors frozen)", t->net.n_frozen, t->net.n_network);
    char data[256];
    t->task->tell(t, data);
    limn_log(t->ctx, LIMN_LOG_INFO,
             "%s, %.3g M parameters%s, on %s; a step sees %lld%s; %s (%s); "
             "planned peak %.1f MB beside the pictures: %.1f activations, %.1f weights and optimizer, %.1f samples",
             t->settings.family->name, n * 1e-6, frozen, data, (long long)limn_trainer_pictures(t), parts,
             t->plan->precision == LIMN_PRECISION_BF16 ? "bf16 with f32 master weights" : "f32", t->plan->precision_why,
             (double)limn_trainer_bytes(t) * 1e-6, (double)plan_bytes(t) * 1e-6, (double)state_bytes(t) * 1e-6,
             (double)t->task->bytes(t) * 1e-6);
    if (t->step >= o->steps)
        limn_log(t->ctx, LIMN_LOG_INFO, "step %lld of %lld is done already: give more --steps to go on", (long long)t->step,
                 (long long)o->steps);
    else if (limn_trainer_has_older(t))
        limn_log(t->ctx, LIMN_LOG_INFO,
                 "%s holds an older run and this is a new one (--resume would go on): its checkpoint is kept as "
                 "checkpoint.old.safetensors, its rows as log.old.csv",
                 o->out);
    else if (t->step > 0)
        limn_log(t->ctx, LIMN_LOG_INFO, "going on from step %lld of %lld", (long long)t->step, (long long)o->steps);
}

/* ---- rows ------------------------------------------------------------------------------------------------------------- */

/* A killed run may have logged steps after its checkpoint; they come again. */
static limn_status drop_later_rows(limn_trainer *t, const char *path, const char *head)
{
    unsigned char *bytes;
    size_t n;
    limn_status status = limn_file_read(t->ctx, path, (size_t)1 << 30, &bytes, &n);
    if (status == LIMN_NOT_FOUND) return LIMN_OK;
    if (status != LIMN_OK) return status;
    limn_writer writer;
    status = limn_file_create(t->ctx, path, &writer);
    if (status == LIMN_OK) limn_file_write(&writer, head, strlen(head));
    for (char *row = (char *)bytes, *end; status == LIMN_OK && (end = strchr(row, '\n')); row = end + 1)
        if (row[0] >= '0' && row[0] <= '9' && strtoll(row, NULL, 10) <= t->step)
            limn_file_write(&writer, row, (size_t)(end + 1 - row));
    if (status == LIMN_OK) status = limn_file_commit(&writer);
    free(bytes);
    return status;
}

static int64_t bytes_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (int64_t)st.st_size : -1;
}

/* The rows of an older run in the folder, as its checkpoint: of two older ones the longer stays. */
static limn_status keep_older_rows(limn_trainer *t, const char *name, const char *path, const char *head)
{
    char kept[1100];
    snprintf(kept, sizeof kept, "%s/%s.old.csv", t->o->out, name);
    if (bytes_of(path) <= (int64_t)strlen(head) || bytes_of(kept) > bytes_of(path) || rename(path, kept) == 0)
        return LIMN_OK;
    return limn_fail(t->ctx, LIMN_IO, "%s: cannot be kept as %s: %s", path, kept, strerror(errno));
}

/* OUT/NAME.csv, which goes on or begins. */
static limn_status open_rows(limn_trainer *t, const char *name, const char *head, FILE **out)
{
    char path[1100];
    snprintf(path, sizeof path, "%s/%s.csv", t->o->out, name);
    limn_status status = t->o->resume ? drop_later_rows(t, path, head) : keep_older_rows(t, name, path, head);
    if (status != LIMN_OK) return status;
    *out = fopen(path, t->o->resume ? "a" : "w");
    if (!*out) return limn_fail(t->ctx, LIMN_IO, "%s: %s", path, strerror(errno));
    if (!t->o->resume || ftell(*out) == 0) fputs(head, *out), fflush(*out);
    return LIMN_OK;
}

limn_status limn_trainer_log_open(limn_trainer *t)
{
    t->told = t->ranks.comm->traffic, t->told_at = t->step;
    limn_status status = open_rows(t, "log", log_head, &t->csv);
    if (status == LIMN_OK && t->score_head) status = open_rows(t, "held_out", t->score_head, &t->scores);
    return status == LIMN_OK ? limn_tensorboard_open(t->ctx, t->o->out, &t->events) : status;
}

/* Of a step since the last row, with several ranks: what rank 0 sent, and its seconds in calls to the others. */
static void log_traffic(limn_trainer *t)
{
    const limn_comm *comm = t->ranks.comm;
    double steps = (double)(t->step - t->told_at);
    if (comm->size == 1 || steps <= 0) return;
    limn_tensorboard_scalar(t->events, t->step, "sent_bytes", (comm->traffic.bytes - t->told.bytes) / steps);
    limn_tensorboard_scalar(t->events, t->step, "comm_seconds", (comm->traffic.seconds - t->told.seconds) / steps);
    t->told = comm->traffic, t->told_at = t->step;
}

void limn_trainer_log_row(limn_trainer *t, double loss, double lr, double norm, double rate)
{
    limn_format_file(t->csv, "%lld,%.6f,%.3g,%.4f,%.1f\n", (long long)t->step, loss, lr, norm, rate);
    fflush(t->csv);
    limn_tensorboard_scalar(t->events, t->step, "loss", loss);
    limn_tensorboard_scalar(t->events, t->step, "lr", lr);
    limn_tensorboard_scalar(t->events, t->step, "grad_norm", norm);
    limn_tensorboard_scalar(t->events, t->step, "images_per_second", rate);
    log_traffic(t);
    limn_train_report report = {t->step, t->o->steps, loss, lr, norm, rate};
    if (t->o->report) t->o->report(t->o->user, &report);
}

void limn_trainer_log_scores(limn_trainer *t, int n, const double *score)
{
    const char *name = strchr(t->score_head, ',') + 1; /* behind "step," */
    fprintf(t->scores, "%lld", (long long)t->step);
    for (int i = 0; i < n; i++, name += strcspn(name, ",\n") + 1) {
        char tag[64];
        snprintf(tag, sizeof tag, "held_out/%.*s", (int)strcspn(name, ",\n"), name);
        if (isnan(score[i])) fputc(',', t->scores);
        else limn_format_file(t->scores, ",%.6f", score[i]), limn_tensorboard_scalar(t->events, t->step, tag, score[i]);
    }
    fputc('\n', t->scores);
    fflush(t->scores);
}

limn_status limn_trainer_log_picture(limn_trainer *t, const limn_image *picture)
{
    char path[1200];
    unsigned char *png;
    size_t n;
    snprintf(path, sizeof path, "%s/samples", t->o->out);
    if (mkdir(path, 0777) != 0 && errno != EEXIST) return limn_fail(t->ctx, LIMN_IO, "%s: %s", path, strerror(errno));
    snprintf(path, sizeof path, "%s/samples/step-%06lld.png", t->o->out, (long long)t->step);
    limn_status status = limn_png_write(t->ctx, path, picture, NULL);
    if (status == LIMN_OK) status = limn_file_read(t->ctx, path, (size_t)1 << 30, &png, &n);
    if (status != LIMN_OK) return status;
    limn_tensorboard_image(t->events, t->step, "samples", picture->width, picture->height, picture->channels, png, n);
    free(png);
    return LIMN_OK;
}

void limn_trainer_log_close(limn_trainer *t)
{
    if (t->csv) fclose(t->csv);
    if (t->scores) fclose(t->scores);
    limn_tensorboard_close(t->events);
}
