/* test_scaling.c: what limn_scaling_of() says of many ranks: their memory, bytes and calls are those of ranks that train,
 * and the seconds follow from the formula in limn/network.h. */
#include "base/number.h"
#include "limn/network.h"
#include "limn/train.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "make_ranks.h"

/* Of more than a million floats, so that there are two pieces, the last one not full. */
#define NET "dit size=16 channels=3 patch=4 width=192 depth=3 heads=2 mlp=768"

typedef struct trainee {
    limn_train_options o;
    double planned; /* MB that it told before the first step */
} trainee;

static void listen(void *user, limn_log_level level, const char *text)
{
    (void)level;
    const char *peak = strstr(text, "planned peak ");
    if (peak) ((trainee *)user)->planned = limn_number_parse(peak + strlen("planned peak "), NULL);
}

static limn_status train(limn_comm *comm, void *user)
{
    trainee *t = user;
    limn_ctx_set_log(comm->ctx, listen, t);
    return limn_train_on(comm->ctx, &t->o, comm);
}

/* What rank 0 sent in all.  @param planned  MB that it said it needs */
static limn_comm_traffic traffic_of(const limn_scaling_options *o, int64_t steps, double *planned)
{
    trainee t[MAX_RANKS];
    rank_thread r[MAX_RANKS];
    void *users[MAX_RANKS];
    for (int i = 0; i < o->ranks; i++) {
        t[i] = (trainee){.o = limn_train_defaults()};
        t[i].o.network = NET, t[i].o.data = "shapes", t[i].o.out = "run-scaling", t[i].o.n_shapes = 8, t[i].o.batch = 1;
        t[i].o.accumulate = o->accumulate, t[i].o.inner_steps = o->inner_steps, t[i].o.sums_in_bf16 = o->sums_in_bf16;
        t[i].o.shard_state = o->shard_state;
        t[i].o.steps = steps, t[i].o.precision = LIMN_PRECISION_F32;
        users[i] = &t[i];
    }
    run_ranks(o->ranks, train, users, r);
    for (int i = 0; i < o->ranks; i++)
        if (r[i].status != LIMN_OK) fail_msg("rank %d: %s", i, r[i].error);
    *planned = t[0].planned;
    return r[0].place.comm.traffic;
}

static limn_cost cost_of(limn_ctx *ctx)
{
    limn_network *network;
    limn_cost cost;
    assert_int_equal(limn_network_new(ctx, NET, &network), LIMN_OK);
    limn_cost_options o = {.batch = 1, .precision = LIMN_PRECISION_F32};
    assert_int_equal(limn_cost_training(network, &o, &cost, NULL), LIMN_OK);
    limn_network_free(network);
    return cost;
}

static void ranks_send_and_hold_what_it_says(void **state)
{
    (void)state;
    static const limn_scaling_options rows[] = {
        {.ranks = 1, .accumulate = 1},
        {.ranks = 2, .accumulate = 1},
        {.ranks = 2, .accumulate = 2},
        {.ranks = 2,
         .accumulate = 3}, /* two nodes on a rank; parts 3 and 4 wait for 5 on rank 1, where on rank 0 one waits */
        {.ranks = 3, .accumulate = 1, .sums_in_bf16 = true},
        {.ranks = 2, .accumulate = 1, .inner_steps = 2},
        {.ranks = 3, .accumulate = 3, .inner_steps = 2, .sums_in_bf16 = true},
        {.ranks = 2, .accumulate = 2, .shard_state = true},
        {.ranks = 3, .accumulate = 1, .shard_state = true, .sums_in_bf16 = true},
    };
    limn_ctx *ctx = limn_ctx_new();
    limn_ctx_set_threads(ctx, 1);
    limn_cost cost = cost_of(ctx);
    assert_true(cost.gradient_bytes / 4 > 1 << 20 && cost.gradient_bytes / 4 < 2 << 20);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const limn_scaling_options *o = &rows[i];
        limn_scaling says;
        double planned;
        assert_int_equal(limn_scaling_of(ctx, &cost, o, &says), LIMN_OK);
        limn_comm_traffic few = traffic_of(o, 2, &planned), more = traffic_of(o, 4, &planned);
        double bytes = (more.bytes - few.bytes) / 2, calls = (double)(more.calls - few.calls) / 2;
        if (o->ranks == 1) bytes = calls = 0; /* a group of one is asked, and sends nothing */
        if (bytes != says.sent_bytes || calls != says.calls)
            fail_msg("row %zu: %.1f bytes in %.1f calls a step, it says %.1f in %.1f", i, bytes, calls, says.sent_bytes,
                     says.calls);
        assert_true(says.messages == calls * (o->ranks - 1));
        double mb = (double)(says.rank_bytes - (i == 3 ? cost.gradient_bytes : 0)) * 1e-6;
        if (fabs(mb - planned) > 0.06) fail_msg("row %zu: it says %.2f MB, the trainer %.1f", i, mb, planned);
    }
    limn_ctx_free(ctx);
}

/* Ten million weights, 8 ranks, 1 Gbit/s: about ten pieces, an exchange and a gather each. */
static void seconds_follow_from_the_formula(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_cost cost = {.gradient_bytes = 40000000, .peak_bytes = 300000000};
    limn_scaling_options o = {.ranks = 8, .bits_a_second = 1e9, .call_seconds = 1e-3, .message_seconds = 1e-4};
    limn_scaling s;
    assert_int_equal(limn_scaling_of(ctx, &cost, &o, &s), LIMN_OK);
    double each = s.sent_bytes / 7, block = 40000000 / 8;
    assert_true(each >= 2 * block && each < 2.2 * block); /* twice its share of the weights to each of the others */
    assert_true(s.messages == s.calls * 7);
    double comm = s.calls * 1e-3 + s.messages * 1e-4 + s.sent_bytes * 8e-9;
    assert_true(fabs(s.comm_seconds - comm) < 1e-12 && s.comm_seconds > 0.56);
    assert_true(s.step_seconds == 0 && s.efficiency == 0); /* nobody said what a step takes alone */
    o.step_seconds = 3;
    limn_scaling_of(ctx, &cost, &o, &s);
    assert_true(fabs(s.step_seconds - (3 + comm)) < 1e-12 && fabs(s.efficiency - 3 / (3 + comm)) < 1e-12);
    o.hidden = 0.75;
    limn_scaling_of(ctx, &cost, &o, &s);
    assert_true(fabs(s.hidden_seconds - 0.75 * comm) < 1e-12 && fabs(s.step_seconds - (3 + 0.25 * comm)) < 1e-12);
    o.step_seconds = 0.3; /* no more is hidden than there is to hide behind */
    limn_scaling_of(ctx, &cost, &o, &s);
    assert_true(fabs(s.hidden_seconds - 0.2) < 1e-12);
    o.accumulate = 4; /* the sum begins with the last part */
    limn_scaling_of(ctx, &cost, &o, &s);
    assert_true(fabs(s.hidden_seconds - 0.05) < 1e-12);
    o.accumulate = 1, o.inner_steps = 100;
    limn_scaling_of(ctx, &cost, &o, &s);
    assert_true(s.hidden_seconds == 0 && s.comm_seconds < comm / 20);
    assert_true(s.rank_bytes > 300000000 + 2 * 40000000);
    o.ranks = 1;
    limn_scaling_of(ctx, &cost, &o, &s);
    assert_true(s.comm_seconds == 0 && s.efficiency == 1);
    limn_ctx_free(ctx);
}

static void wrong_numbers_are_named(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_cost cost = {.gradient_bytes = 4000};
    limn_scaling s;
    const struct {
        limn_scaling_options o;
        const char *sentence;
    } rows[] = {
        {{.ranks = -1}, "ranks is -1, expected 0 to 65536"},
        {{.ranks = 65536, .accumulate = 1000}, "ranks x accumulate is 65536000, expected 0 to 1048576"},
        {{.ranks = 2, .inner_steps = -5}, "inner_steps is -5"},
        {{.ranks = 2, .hidden = 1.5}, "hidden is 1.5, expected 0 to 1"},
        {{.ranks = 2, .bits_a_second = NAN}, "bits_a_second is nan"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(limn_scaling_of(ctx, &cost, &rows[i].o, &s), LIMN_BAD_ARGUMENT);
        if (!strstr(limn_error_text(ctx), rows[i].sentence)) fail_msg("%s", limn_error_text(ctx));
    }
    limn_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_send_and_hold_what_it_says),
        cmocka_unit_test(seconds_follow_from_the_formula),
        cmocka_unit_test(wrong_numbers_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
