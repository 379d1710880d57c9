/* test_ranks.c: several ranks, threads here, learn what one learns, and leave together whatever happens to one of them. */
#include "file/bytes.h"
#include "plan/plan.h"
#include "train/trainer_parts.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include "far_apart.h"
#include "make_masks.h"
#include "make_ranks.h"

/* ---- the decision ----------------------------------------------------------------------------------------------------- */

enum { STEPS = 9, AT = 4 };

/* What a rank says in step AT, and what all heard then. */
typedef struct speaker {
    limn_status mine;
    limn_wish wish, all;
    double loss, mean;
    int step; /* in which it left */
} speaker;

static limn_status speak(limn_comm *comm, void *user)
{
    speaker *s = user;
    limn_ranks ranks;
    limn_status status = limn_ranks_new(comm, 1, &ranks);
    for (s->step = 0; s->step < STEPS && status == LIMN_OK; s->step++) {
        bool now = s->step == AT;
        limn_status mine = now && s->mine ? limn_fail(comm->ctx, s->mine, "rank %d's own trouble", comm->rank) : LIMN_OK;
        s->all = now ? s->wish : LIMN_WISH_GO_ON;
        status = limn_ranks_meet(&ranks, mine, &s->all, &(double){now ? s->loss : 1}, &s->mean);
        if (status != LIMN_OK || s->all != LIMN_WISH_GO_ON || !isfinite(s->mean)) break;
    }
    limn_ranks_free(&ranks);
    return status;
}

static void all_ranks_leave_in_the_same_step(void **state)
{
    (void)state;
    static const struct {
        int size;
        speaker rank[3];
        limn_status status;
        limn_wish wish;
        int step, first; /* first: who failed */
        bool finite;
    } rows[] = {
        {1, {{.loss = 2}}, LIMN_OK, LIMN_WISH_GO_ON, STEPS, 0, true},
        {1, {{.mine = LIMN_BAD_FILE}}, LIMN_BAD_FILE, 0, AT, 0, true},
        {1, {{.wish = LIMN_WISH_STOP}}, LIMN_OK, LIMN_WISH_STOP, AT, 0, true},
        {2, {{.loss = 2}, {.loss = 3}}, LIMN_OK, LIMN_WISH_GO_ON, STEPS, 0, true},
        {2, {{0}, {.mine = LIMN_BAD_FILE, .loss = NAN}}, LIMN_BAD_FILE, 0, AT, 1, true},
        {2, {{.mine = LIMN_IO}, {.mine = LIMN_NO_MEMORY}}, LIMN_IO, 0, AT, 0, true},
        {2, {{.wish = LIMN_WISH_STOP}, {.mine = LIMN_CANCELLED}}, LIMN_CANCELLED, 0, AT, 1, true},
        {2, {{0}, {.loss = NAN}}, LIMN_OK, LIMN_WISH_GO_ON, AT, 0, false},
        {3, {{.loss = INFINITY}, {0}, {.loss = -INFINITY}}, LIMN_OK, LIMN_WISH_GO_ON, AT, 0, false},
        {3, {{0}, {0}, {.wish = LIMN_WISH_TIME_UP}}, LIMN_OK, LIMN_WISH_TIME_UP, AT, 0, true},
        {3, {{.wish = LIMN_WISH_TIME_UP}, {.wish = LIMN_WISH_STOP}, {0}}, LIMN_OK, LIMN_WISH_STOP, AT, 0, true},
        {3, {{0}, {.mine = LIMN_UNSUPPORTED}, {.wish = LIMN_WISH_TIME_UP}}, LIMN_UNSUPPORTED, 0, AT, 1, true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        speaker s[3];
        rank_thread r[3];
        memcpy(s, rows[i].rank, sizeof s);
        int met = run_ranks(rows[i].size, speak, (void *const[]){&s[0], &s[1], &s[2]}, r);
        assert_int_equal(met, rows[i].step == STEPS ? STEPS : AT + 1); /* once a step */
        for (int k = 0; k < rows[i].size; k++) {
            char text[64];
            int first = rows[i].first;
            if (k == first) snprintf(text, sizeof text, "rank %d's own trouble", first);
            else snprintf(text, sizeof text, "rank %d of %d: rank %d's own trouble", first, rows[i].size, first);
            assert_int_equal(r[k].status, rows[i].status);
            assert_string_equal(r[k].error, rows[i].status == LIMN_OK ? "" : text);
            assert_int_equal(s[k].step, rows[i].step);
            if (rows[i].status == LIMN_OK) assert_int_equal(s[k].all, rows[i].wish);
            assert_int_equal(isfinite(s[k].mean) != 0, rows[i].finite);
            if (rows[i].step == STEPS) assert_true(s[k].mean == 1); /* of the last step */
        }
    }
}

/* ---- means over ranks ------------------------------------------------------------------------------------------------- */

enum { N = 3 };

/* y = mean over ranks of x^2, L = sum of w y; what one of them does. */
typedef struct averager {
    bool breaks, cancelled; /* its square fails; it is told to stop in the middle */
    limn_status own;
    float y[N], dx[N];
    char error[LIMN_ERROR_BYTES];
} averager;

static limn_status break_down(const limn_call *call)
{
    (void)call;
    return LIMN_NO_MEMORY;
}

static limn_status average(limn_comm *comm, void *user)
{
    static const limn_kernel broken = {.name = "broken", .run = break_down};
    averager *a = user;
    limn_ctx *ctx = comm->ctx;
    float x[N], w[N];
    for (int i = 0; i < N; i++) x[i] = (float)(comm->rank + i + 1), w[i] = (float)(i + 10 * comm->rank);
    limn_graph *g = limn_graph_new(ctx);
    limn_node *in = limn_input(g, "x", LIMN_WIDE, LIMN_SHAPE(N), LIMN_PER_STEP), *grad;
    limn_node *weight = limn_input(g, "w", LIMN_WIDE, LIMN_SHAPE(N), LIMN_PER_STEP);
    limn_node *y = limn_mean_of_ranks(limn_square(in));
    limn_node *loss = limn_node_as(limn_sum_to(limn_mul(y, weight), (limn_shape){.rank = 0}), LIMN_WIDE);
    limn_plan *plan = NULL;
    limn_run *run = NULL;
    limn_status status = limn_grad(g, loss, 1, &in, &grad);
    if (status == LIMN_OK) status = limn_plan_new(g, 2, (limn_node *[]){y, grad}, &(limn_plan_options){0}, &plan);
    for (int i = 0; a->breaks && status == LIMN_OK && i < plan->n_steps; i++)
        if (plan->steps[i].call.op == LIMN_OP_SQUARE) plan->steps[i].kernel = &broken;
    ctx->ranks = comm;
    if (status == LIMN_OK) status = limn_run_new(plan, &run);
    ctx->ranks = NULL;
    if (status == LIMN_OK) status = limn_run_write(run, in, LIMN_F32, x);
    if (status == LIMN_OK) status = limn_run_write(run, weight, LIMN_F32, w);
    if (a->cancelled) limn_ctx_cancel(ctx);
    if (status == LIMN_OK) status = limn_run_execute(run);
    a->own = status == LIMN_OK ? limn_cancelled(ctx) : status;
    snprintf(a->error, sizeof a->error, "%s", a->own == LIMN_OK ? "" : limn_error_text(ctx));
    if (status == LIMN_OK) limn_run_read(run, y, LIMN_F32, a->y), limn_run_read(run, grad, LIMN_F32, a->dx);
    limn_run_free(run), limn_plan_free(plan), limn_graph_free(g);
    return limn_comm_agree(comm, status);
}

/* Every rank has the same mean, and the gradient of the sum of all losses; whoever fails or is told to stop on the way keeps
 * nobody waiting. */
static void means_are_of_all_ranks(void **state)
{
    (void)state;
    for (int size = 1; size <= 3; size++)
        for (int odd = 0; odd < 3; odd++) { /* all are well; the last rank breaks down; it is told to stop */
            averager a[3] = {{0}};
            rank_thread r[3];
            a[size - 1].breaks = odd == 1, a[size - 1].cancelled = odd == 2;
            run_ranks(size, average, (void *const[]){&a[0], &a[1], &a[2]}, r);
            for (int k = 0; k < size; k++) {
                bool last = k == size - 1;
                if (odd == 1) assert_int_equal(r[k].status, LIMN_NO_MEMORY);
                if (odd == 1 && last) assert_string_equal(a[k].error, "square (broken): memory is out");
                if (odd == 2 && last) assert_int_equal(a[k].own, LIMN_CANCELLED);
                else if (odd == 1 && last) assert_int_equal(a[k].own, LIMN_NO_MEMORY);
                else assert_int_equal(a[k].own, LIMN_OK);
                if (odd == 1 || (odd == 2 && size == 1)) continue;
                for (int i = 0; i < N; i++) {
                    double y = 0, w = 0;
                    for (int s = 0; s < size; s++) y += (s + i + 1) * (s + i + 1), w += i + 10 * s;
                    assert_true(a[k].y[i] == (float)(y / size));
                    assert_true(fabs(a[k].dx[i] - 2 * (k + i + 1) * w / size) < 1e-4);
                }
            }
        }
}

/* ---- trainings -------------------------------------------------------------------------------------------------------- */

#define DIT "dit size=16 channels=3 patch=4 width=32 depth=1 heads=2 mlp=64"
#define UNET "unet size=16 channels=1 width=4 levels=2 norm=batch"
#define MMDIT "mmdit size=16 channels=3 patch=4 width=32 depth=1 heads=2 mlp=64 text_encoder=clip text_length=12 " \
              "text_width=16 text_depth=1 text_heads=2"
#define DDPM "ddpm size=16 channels=3 width=8 multipliers=12 blocks=1 groups=4"
#define VAE "vae size=32 channels=3 latent=2 base=4 levels=2 layers=1 groups=2"

enum { MAX_ROWS = 16 };

/* A rank's options, and what befalls it. */
typedef struct trainee {
    limn_train_options o;
    limn_ctx *ctx;
    int64_t stop_after; /* 0: never */
    bool refuses;       /* to start */
    bool cancelled;     /* in the middle of a step, after so many: */
    int64_t cancel_at;
    int data_until;     /* its data fail when they are asked for so often; 0: never */
    int n;
    double loss[MAX_ROWS];
} trainee;

static _Thread_local trainee *rank_here;

limn_status __real_limn_loader_next(limn_loader *loader, void *const batch[]);
limn_status __wrap_limn_loader_next(limn_loader *loader, void *const batch[])
{
    if (rank_here && rank_here->data_until && --rank_here->data_until == 0)
        return limn_fail(rank_here->ctx, LIMN_BAD_FILE, "a picture is gone");
    return __real_limn_loader_next(loader, batch);
}

static void hear(void *user, const limn_train_report *r)
{
    trainee *t = user;
    if (t->n < MAX_ROWS) t->loss[t->n++] = r->loss;
}

static bool go_on(void *user, const char *what, int64_t done, int64_t total)
{
    (void)total;
    trainee *t = user;
    bool starts = strcmp(what, "start") == 0;
    if (t->cancelled && done == t->cancel_at && (starts || strcmp(what, "step") == 0)) limn_ctx_cancel(t->ctx);
    return !(starts && t->refuses) && !(strcmp(what, "step") == 0 && t->stop_after && done >= t->stop_after);
}

static limn_status train(limn_comm *comm, void *user)
{
    trainee *t = user;
    t->ctx = comm->ctx, rank_here = t;
    limn_ctx_set_progress(comm->ctx, go_on, t);
    return limn_train_on(comm->ctx, &t->o, comm);
}

static trainee trainee_of(const char *net, const char *data, const char *out, int accumulate)
{
    trainee t = {.o = limn_train_defaults()};
    t.o.network = net, t.o.data = data, t.o.out = out, t.o.n_shapes = 40, t.o.batch = 2, t.o.accumulate = accumulate;
    t.o.steps = 6, t.o.save_every = 4, t.o.log_every = 1, t.o.warmup = 2, t.o.lr = 2e-3, t.o.precision = LIMN_PRECISION_F32;
    t.o.report = hear;
    return t;
}

static int run_all(int size, trainee *t, rank_thread *r)
{
    void *users[MAX_RANKS] = {0};
    for (int i = 0; i < size; i++) users[i] = t[i].o.user = &t[i], t[i].n = 0;
    return run_ranks(size, train, users, r);
}

static void succeeded(int size, const rank_thread *r)
{
    for (int i = 0; i < size; i++)
        if (r[i].status != LIMN_OK) fail_msg("rank %d: %s", i, r[i].error);
}

static void same_bytes(const char *one, const char *other)
{
    limn_ctx *ctx = limn_ctx_new();
    unsigned char *a, *b;
    size_t n, m;
    if (limn_file_read(ctx, one, 1 << 26, &a, &n) != LIMN_OK) fail_msg("%s", limn_error_text(ctx));
    assert_int_equal(limn_file_read(ctx, other, 1 << 26, &b, &m), LIMN_OK);
    assert_int_equal(n, m);
    if (memcmp(a, b, n)) fail_msg("%s and %s are not the same bytes", one, other);
    free(a), free(b);
    limn_ctx_free(ctx);
}

/* However many ranks make the parts of a step, and whether moments and EMA are divided among them: the same losses, the same
 * weights, moments and EMA, bit for bit. */
static void ranks_learn_what_one_learns(void **state)
{
    (void)state;
    put_masks("ranks-masks");
    static const struct {
        const char *net, *data;
        double adversary;
        int steps, pieces, statistics; /* gathered in a step: of the gradient, of batch norm */
        size_t from;                   /* group; its discriminator has 2.8 million weights */
    } rows[] = {{DIT, "shapes", 0, 6, 1, 0, 0},
                {UNET, "ranks-masks", 0, 6, 1, 1, 0},
                {MMDIT, "shapes", 0, 6, 1, 0, 0},
                {DDPM, "shapes", 0, 6, 1, 0, 0},
                {VAE, "shapes", 0.5, 2, 3, 0, 4}};
    static const struct { int size, accumulate; } groups[] = {{1, 6}, {2, 3}, {3, 2}, {6, 1}, {1, 4}, {2, 2}, {4, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double first[MAX_ROWS];
        char alone[2][128];
        for (size_t n = 2 * rows[i].from; n < 2 * sizeof groups / sizeof *groups; n++) {
            trainee t[MAX_RANKS];
            rank_thread r[MAX_RANKS];
            char out[MAX_RANKS][64], made[2][128];
            size_t g = n / 2;
            int size = groups[g].size, steps = rows[i].steps, pieces = rows[i].pieces;
            bool divided = n % 2;
            if (size == 1 && divided) continue;
            for (int k = 0; k < size; k++) {
                snprintf(out[k], sizeof out[k], "run-ranks-%zu-%zu-of-%d", i, n, k);
                t[k] = trainee_of(rows[i].net, rows[i].data, out[k], groups[g].accumulate);
                t[k].o.adversary = rows[i].adversary, t[k].o.adversary_start = 1, t[k].o.steps = steps;
                t[k].o.shard_state = divided;
            }
            int gathered = run_all(size, t, r);
            succeeded(size, r);
            assert_int_equal(t[0].n, steps);
            int each = 1 + rows[i].statistics + (size > 1 ? pieces : 0) + divided; /* all meet once a step; the norm */
            int around = size > 1 ? 3 : 2; /* CPUs, ready, done */
            assert_int_equal(gathered, steps * each + around + divided); /* to save together */
            for (int k = 0; k < 2; k++) {
                const char *file = k ? "checkpoint" : "model";
                if (size == 1) snprintf(alone[k], sizeof alone[k], "%s/%s.safetensors", out[0], file);
                snprintf(made[k], sizeof made[k], "%s/%s.safetensors", out[0], file);
                same_bytes(alone[k], made[k]);
            }
            for (int k = 0; k < steps; k++) {
                if (size == 1) first[k] = t[0].loss[k];
                assert_true(t[0].loss[k] == first[k]);
            }
            for (int k = 1; k < size; k++) { /* rank 0 alone logs and writes */
                assert_int_equal(t[k].n, 0);
                assert_int_not_equal(access(out[k], F_OK), 0);
            }
        }
    }
}

/* Two ranks stop after three steps; one goes on from what they saved, then three; and no step is another. */
static void a_checkpoint_does_not_know_how_many_wrote_it(void **state)
{
    (void)state;
    rank_thread r[3];
    trainee whole = trainee_of(DIT, "shapes", "run-ranks-whole", 6);
    run_all(1, &whole, r);
    succeeded(1, r);
    trainee two[2] = {trainee_of(DIT, "shapes", "run-ranks-parts", 3), trainee_of(DIT, "shapes", "run-ranks-parts", 3)};
    two[1].stop_after = 2; /* the other hears of it */
    two[0].o.shard_state = two[1].o.shard_state = true;
    run_all(2, two, r);
    for (int k = 0; k < 2; k++) {
        assert_int_equal(r[k].status, LIMN_CANCELLED);
        assert_string_equal(r[k].error, "stopped at step 2, saved; the same command with --resume goes on");
    }
    assert_int_equal(two[0].n, 2);
    trainee one = trainee_of(DIT, "shapes", "run-ranks-parts", 6);
    one.o.resume = true, one.stop_after = 4;
    run_all(1, &one, r);
    assert_int_equal(r[0].status, LIMN_CANCELLED);
    trainee three[3];
    for (int k = 0; k < 3; k++)
        three[k] = trainee_of(DIT, "shapes", "run-ranks-parts", 2), three[k].o.resume = three[k].o.shard_state = true;
    run_all(3, three, r);
    succeeded(3, r);
    for (int k = 0; k < 6; k++) {
        double loss = k < 2 ? two[0].loss[k] : k < 4 ? one.loss[k - 2] : three[0].loss[k - 4];
        assert_true(loss == whole.loss[k]);
    }
}

/* Where the EMA is divided, rank 0 draws and scores with all of it, also when it is time to leave. */
static void pictures_and_scores_are_those_of_one(void **state)
{
    (void)state;
    put_masks("ranks-masks");
    rank_thread r[2];
    static const char *const file[] = {"samples/step-000002.png", "samples/step-000006.png", "held_out.csv"};
    for (int net = 0; net < 3; net++) {
        char out[2][64], made[2][160];
        for (int size = 1; size <= 2; size++) {
            trainee t[2];
            snprintf(out[size - 1], sizeof out[0], "run-ranks-shown-%d-by-%d", net, size);
            for (int k = 0; k < size; k++) {
                t[k] = trainee_of(net ? UNET : DIT, net ? "ranks-masks" : "shapes", out[size - 1], 3 - size);
                t[k].o.sample_every = 2, t[k].o.shard_state = size > 1, t[k].o.hold_out = net ? "1" : NULL;
                if (net == 2) t[k].o.seconds = 1e-9, t[k].o.sample_every = 0;
            }
            run_all(size, t, r);
            succeeded(size, r);
        }
        for (int i = net == 2 ? 2 : 0; i < (net ? 3 : 2); i++) {
            for (int k = 0; k < 2; k++) snprintf(made[k], sizeof made[k], "%s/%s", out[k], file[i]);
            same_bytes(made[0], made[1]);
        }
    }
}

/* Rank 0 alone can write; that it cannot is heard by those who brought it what it would have written. */
static void a_disk_that_is_full_ends_all(void **state)
{
    (void)state;
    rank_thread r[2];
    trainee two[2];
    mkdir("run-ranks-full", 0777), mkdir("run-ranks-full/checkpoint.safetensors", 0777); /* in the way of the file */
    for (int k = 0; k < 2; k++) {
        two[k] = trainee_of(DIT, "shapes", "run-ranks-full", 1);
        two[k].o.shard_state = true, two[k].o.save_every = 1;
    }
    run_all(2, two, r);
    for (int k = 0; k < 2; k++) assert_non_null(strstr(r[k].error, "3 saves in a row failed"));
    two[0].o.inner_steps = two[1].o.inner_steps = 2;
    run_all(2, two, r);
    assert_int_equal(r[0].status, LIMN_BAD_ARGUMENT);
    assert_non_null(strstr(r[1].error, "--shard-state"));
}

/* Between outer steps ranks agree on how they go on and send nothing else; they leave after an outer step, wherever they
 * were, and its momentum is in the checkpoint.  The rule itself: test_ten_losses. */
static void inner_steps_send_little(void **state)
{
    (void)state;
    rank_thread r[3];
    trainee two[2], three[3], other;
    for (int k = 0; k < 2; k++) two[k] = trainee_of(DIT, "shapes", "run-ranks-inner", 1), two[k].o.inner_steps = 2;
    int gathered = run_all(2, two, r);
    succeeded(2, r);
    assert_int_equal(gathered, 3 + 6 * 1 + 3 * 2); /* around all; a step; an outer step: weights and averages */
    for (int k = 0; k < 2; k++) two[k].o.out = "run-ranks-inner-again";
    run_all(2, two, r);
    same_bytes("run-ranks-inner/checkpoint.safetensors", "run-ranks-inner-again/checkpoint.safetensors");
    for (int k = 0; k < 2; k++) two[k].o.out = "run-ranks-inner-part", two[k].stop_after = 3;
    assert_int_equal(run_all(2, two, r), 3 + 4 * 1 + 2 * 2); /* the fourth time they meet to leave */
    assert_string_equal(r[1].error, "stopped at step 3, saved; the same command with --resume goes on");
    for (int k = 0; k < 3; k++) {
        three[k] = trainee_of(DIT, "shapes", "run-ranks-inner-part", 1);
        three[k].o.inner_steps = 2, three[k].o.resume = true, three[k].o.batch = 2;
    }
    run_all(3, three, r);
    assert_int_equal(r[2].status, LIMN_BAD_ARGUMENT); /* another number of pictures in a step, as ever */
    for (int k = 0; k < 2; k++) two[k].o.resume = true, two[k].stop_after = 0;
    run_all(2, two, r);
    succeeded(2, r);
    assert_int_equal(two[0].n, 3);
    other = trainee_of(DIT, "shapes", "run-ranks-whole-way", 2), other.o.steps = 2;
    run_all(1, &other, r);
    other.o.resume = true, other.o.inner_steps = 2, other.o.steps = 6;
    run_all(1, &other, r); /* a run that had no outer steps goes on with them */
    succeeded(1, r);
    for (int k = 0; k < 2; k++) two[k] = trainee_of(UNET, "ranks-masks", "run-ranks-norm", 1), two[k].o.inner_steps = 2;
    run_all(2, two, r);
    assert_int_equal(r[0].status, LIMN_UNSUPPORTED);
    assert_non_null(strstr(r[0].error, "--inner-steps with batch norm"));
    for (int k = 0; k < 2; k++) {
        two[k] = trainee_of(DIT, "shapes", "run-ranks-apart", 1), two[k].o.inner_steps = 2;
        two[k].o.lr = 1e30, two[k].o.clip = 0, two[k].o.warmup = 0;
    }
    run_all(2, two, r);
    for (int k = 0; k < 2; k++) assert_int_equal(r[k].status, LIMN_DIVERGED);
}

/* Batch norm over the pictures of all ranks: N of batch b are one of batch N b, up to the rounding of sums. */
static void batch_norm_sees_all_ranks(void **state)
{
    (void)state;
    put_masks("ranks-masks");
    static const char *const nets[] = {"unet-milesial size=16 channels=1 width=4 levels=2",
                                       "unet-2015 size=20 width=4 levels=2 norm=batch up=bilinear"};
    static const struct { int size, batch; bool sync; } groups[] = {
        {1, 4, false}, {1, 4, true}, {2, 2, true}, {4, 1, true}, {2, 2, false}};
    enum { GROUPS = sizeof groups / sizeof *groups };
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
        double first[MAX_ROWS];
        for (int g = 0; g < GROUPS; g++) {
            trainee t[MAX_RANKS];
            rank_thread r[MAX_RANKS];
            char out[64], one[128], path[128];
            snprintf(out, sizeof out, "run-ranks-sync-%zu-%d", i, g);
            snprintf(one, sizeof one, "run-ranks-sync-%zu-0/checkpoint.safetensors", i);
            snprintf(path, sizeof path, "%s/checkpoint.safetensors", out);
            for (int k = 0; k < groups[g].size; k++) {
                t[k] = trainee_of(nets[i], "ranks-masks", out, 1);
                t[k].o.batch = groups[g].batch, t[k].o.sync_norm = groups[g].sync;
            }
            run_all(groups[g].size, t, r);
            succeeded(groups[g].size, r);
            assert_int_equal(t[0].n, 6);
            double most = far_apart(one, path), loss = 0;
            for (int k = 0; k < 6; k++) {
                if (g == 0) first[k] = t[0].loss[k];
                loss = fmax(loss, fabs(t[0].loss[k] - first[k]));
            }
            bool same = groups[g].size == 1 || groups[g].sync;
            if (same != (loss <= 1e-5 && most <= 1e-5))
                fail_msg("net %zu, group %d: losses %.3g and weights %.3g apart", i, g, loss, most);
            if (groups[g].size == 1) same_bytes(one, path);
        }
    }
}

/* Part i of a step is made by all ranks or by none; the number of ranks belongs to the run. */
static void batch_norm_of_all_ranks_goes_on(void **state)
{
    (void)state;
    put_masks("ranks-masks");
    trainee t[3];
    rank_thread r[3];
    for (int whole = 0; whole < 2; whole++) {
        const char *out = whole ? "run-ranks-sync-whole" : "run-ranks-sync-part";
        for (int k = 0; k < 2; k++) t[k] = trainee_of(UNET, "ranks-masks", out, 3), t[k].o.sync_norm = true;
        if (!whole) t[1].stop_after = 2;
        run_all(2, t, r);
        if (whole) succeeded(2, r);
        for (int k = 0; k < 2 && !whole; k++)
            assert_string_equal(r[k].error, "stopped at step 2, saved; the same command with --resume goes on");
    }
    for (int k = 0; k < 3; k++) {
        t[k] = trainee_of(UNET, "ranks-masks", "run-ranks-sync-part", 2);
        t[k].o.sync_norm = t[k].o.resume = true;
    }
    run_all(3, t, r); /* as many pictures, of other statistics */
    assert_int_equal(r[0].status, LIMN_BAD_ARGUMENT);
    if (!strstr(r[0].error, "the number of ranks of --sync-norm (1 without it) was \"2\", and this command says \"3\""))
        fail_msg("%s", r[0].error);
    for (int k = 0; k < 2; k++) t[k].o.accumulate = 3, t[k].o.sync_norm = false;
    run_all(2, t, r);
    assert_int_equal(r[1].status, LIMN_BAD_ARGUMENT);
    for (int k = 0; k < 2; k++) t[k].o.sync_norm = true;
    run_all(2, t, r);
    succeeded(2, r);
    same_bytes("run-ranks-sync-whole/checkpoint.safetensors", "run-ranks-sync-part/checkpoint.safetensors");
}

static void batch_norm_of_all_ranks_needs_batch_norm(void **state)
{
    (void)state;
    put_masks("ranks-masks");
    static const struct { const char *net, *data; int64_t inner; bool other; const char *text; } rows[] = {
        {"unet size=16 channels=1 width=8 levels=2 norm=group", "ranks-masks", 0, false,
         "--sync-norm is for batch norm, and unet of these settings has none"},
        {DIT, "shapes", 0, false, "--sync-norm is for batch norm, and dit of these settings has none"},
        {UNET, "ranks-masks", 2, false, "--sync-norm with --inner-steps"},
        {UNET, "ranks-masks", 0, true, "rank 1 of 2: --sync-norm is \"off\", and \"on\" on rank 0"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        trainee t[2];
        rank_thread r[2];
        for (int k = 0; k < 2; k++) {
            t[k] = trainee_of(rows[i].net, rows[i].data, "run-ranks-sync-none", 1);
            t[k].o.sync_norm = !(k && rows[i].other), t[k].o.inner_steps = rows[i].inner;
        }
        run_all(2, t, r);
        if (r[0].status == LIMN_OK || !strstr(r[0].error, rows[i].text)) fail_msg("row %zu: %s", i, r[0].error);
        assert_int_equal(r[1].status, r[0].status);
        assert_int_not_equal(access("run-ranks-sync-none", F_OK), 0);
    }
}

/* The second time each of them in steps whose parts are made by all ranks together. */
static void what_befalls_one_rank_ends_all(void **state)
{
    (void)state;
    put_masks("ranks-masks");
    enum { NO_FOLDER, NO_PICTURE, REFUSED, CANCELLED_FIRST, CANCELLED_LATER, TIME_UP, DIVERGED, NOT_SAVED, N_KINDS };
    static const struct { limn_status status; const char *text; int64_t steps; } rows[N_KINDS] = {
        [NO_FOLDER] = {LIMN_NOT_FOUND, "no-such-folder", 0},
        [NO_PICTURE] = {LIMN_BAD_FILE, "a picture is gone", 1},
        [REFUSED] = {LIMN_CANCELLED, "stopped before the first step", 0},
        [CANCELLED_FIRST] = {LIMN_CANCELLED, "stopped", 0},
        [CANCELLED_LATER] = {LIMN_CANCELLED, "stopped at step 3, saved", 3},
        [TIME_UP] = {LIMN_OK, "", 1},
        [DIVERGED] = {LIMN_DIVERGED, "the loss is", 0},
        [NOT_SAVED] = {LIMN_IO, "3 saves in a row failed", 3}};
    for (int i = 0; i < 2 * N_KINDS; i++) {
        trainee t[3];
        rank_thread r[3];
        char out[32], path[64];
        int kind = i % N_KINDS;
        snprintf(out, sizeof out, "run-ranks-end-%d", i);
        snprintf(path, sizeof path, "%s/checkpoint.safetensors", out);
        remove(path); /* of an earlier run of this test: a file or a folder */
        for (int k = 0; k < 3; k++) {
            t[k] = trainee_of(UNET, "ranks-masks", out, 1 + i / N_KINDS);
            t[k].o.sync_norm = i >= N_KINDS;
            if (kind == NOT_SAVED) t[k].o.save_every = 1;
            if (kind == DIVERGED) t[k].o.lr = 1e30, t[k].o.clip = 0, t[k].o.warmup = 0;
        }
        if (kind == NO_FOLDER) t[1].o.data = "no-such-folder";
        if (kind == NO_PICTURE) t[1].data_until = 2 * t[1].o.accumulate; /* of the second step the last part */
        if (kind == REFUSED) t[1].refuses = true;
        if (kind == CANCELLED_FIRST || kind == CANCELLED_LATER) t[1].cancelled = true, t[1].cancel_at = rows[kind].steps;
        if (kind == TIME_UP) t[2].o.seconds = 1e-9;
        if (kind == NOT_SAVED) mkdir(out, 0777), mkdir(path, 0777); /* where the file should be */
        run_all(3, t, r);
        for (int k = 0; k < 3; k++) {
            if (r[k].status != rows[kind].status) fail_msg("kind %d, rank %d: %s", kind, k, r[k].error);
            assert_non_null(strstr(r[k].error, rows[kind].text));
        }
        for (int k = 0; k < 3 && kind == NO_PICTURE; k++)
            assert_string_equal(r[k].error, k == 1 ? "a picture is gone" : "rank 1 of 3: a picture is gone");
        assert_int_equal(access(path, F_OK) == 0, rows[kind].steps > 0 && kind != NO_PICTURE);
        if (kind == NO_FOLDER) assert_int_not_equal(access(out, F_OK), 0);
        if (kind != DIVERGED) assert_int_equal(t[0].n, rows[kind].steps);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_ranks_leave_in_the_same_step),
        cmocka_unit_test(means_are_of_all_ranks),
        cmocka_unit_test(ranks_learn_what_one_learns),
        cmocka_unit_test(a_checkpoint_does_not_know_how_many_wrote_it),
        cmocka_unit_test(pictures_and_scores_are_those_of_one),
        cmocka_unit_test(a_disk_that_is_full_ends_all),
        cmocka_unit_test(inner_steps_send_little),
        cmocka_unit_test(batch_norm_sees_all_ranks),
        cmocka_unit_test(batch_norm_of_all_ranks_goes_on),
        cmocka_unit_test(batch_norm_of_all_ranks_needs_batch_norm),
        cmocka_unit_test(what_befalls_one_rank_ends_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
