/* test_comm.c: a process on its own is rank 0 of 1, and what ranks exchange is what it has. */
#include "comm/comm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static void one_process_is_rank_0_of_1(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_comm *comm = NULL;
    assert_int_equal(limn_comm_open(ctx, &comm), LIMN_OK);
    assert_int_equal(comm->rank, 0);
    assert_int_equal(comm->size, 1);
    float own[3] = {1.5f, -2, 1e-30f}, all[3] = {0};
    assert_int_equal(limn_comm_gather(comm, sizeof own, own, all), LIMN_OK);
    assert_memory_equal(all, own, sizeof own);
    assert_int_equal(limn_comm_gather(comm, sizeof all, all, all), LIMN_OK); /* its own place */
    assert_memory_equal(all, own, sizeof own);
    memset(all, 0, sizeof all);
    assert_int_equal(limn_comm_exchange(comm, sizeof own, own, all), LIMN_OK);
    assert_memory_equal(all, own, sizeof own);
    assert_int_equal(limn_comm_broadcast(comm, 0, sizeof own, own), LIMN_OK);
    assert_memory_equal(all, own, sizeof own);
    limn_comm_close(comm);
    limn_ctx_free(ctx);
}

static void a_rank_that_does_not_exist_is_named(void **state)
{
    (void)state;
    limn_ctx *ctx = limn_ctx_new();
    limn_comm *comm = NULL;
    assert_int_equal(limn_comm_open(ctx, &comm), LIMN_OK);
    char byte = 7;
    int wrong[] = {1, -1};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(limn_comm_broadcast(comm, wrong[i], 1, &byte), LIMN_BAD_ARGUMENT);
        assert_non_null(strstr(limn_error_text(ctx), i ? "rank -1" : "rank 1"));
        assert_int_equal(byte, 7);
    }
    limn_comm_close(comm);
    limn_comm_close(NULL);
    limn_ctx_free(ctx);
}

typedef struct counted_group {
    limn_comm comm; /* first */
    limn_status result;
} counted_group;

static limn_status to_all(limn_comm *comm, size_t bytes, const void *mine, void *all)
{
    (void)bytes, (void)mine, (void)all;
    double until = limn_seconds() + 2e-3;
    while (limn_seconds() < until) {}
    return ((counted_group *)comm)->result;
}

static limn_status from_one(limn_comm *comm, int root, size_t bytes, void *data)
{
    (void)root;
    return to_all(comm, bytes, data, data);
}

/* A rank sends its block to each of the others. */
static void what_is_sent_and_how_long_it_takes_is_counted(void **state)
{
    (void)state;
    static const limn_comm_engine engine = {.gather = to_all, .exchange = to_all, .broadcast = from_one};
    counted_group g = {.comm = {.engine = &engine, .rank = 2, .size = 5}};
    char bytes[1] = {0}; /* the engine looks at none */
    assert_int_equal(limn_comm_gather(&g.comm, 100, bytes, bytes), LIMN_OK);
    assert_true(g.comm.traffic.bytes == 400);
    assert_int_equal(limn_comm_exchange(&g.comm, 10, bytes, bytes), LIMN_OK);
    assert_true(g.comm.traffic.bytes == 440);
    assert_int_equal(limn_comm_broadcast(&g.comm, 0, 1000, bytes), LIMN_OK); /* it only receives */
    assert_true(g.comm.traffic.bytes == 440);
    assert_int_equal(limn_comm_broadcast(&g.comm, 2, 1000, bytes), LIMN_OK);
    assert_true(g.comm.traffic.bytes == 1440);
    assert_int_equal(g.comm.traffic.calls, 4);
    if (g.comm.traffic.seconds < 8e-3) fail_msg("%.6f s for 4 calls of 2 ms", g.comm.traffic.seconds);
    g.result = LIMN_IO; /* is handed on */
    assert_int_equal(limn_comm_gather(&g.comm, 1, bytes, bytes), LIMN_IO);
    assert_int_equal(limn_comm_exchange(&g.comm, 1, bytes, bytes), LIMN_IO);
    assert_int_equal(limn_comm_broadcast(&g.comm, 0, 1, bytes), LIMN_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_process_is_rank_0_of_1),
        cmocka_unit_test(a_rank_that_does_not_exist_is_named),
        cmocka_unit_test(what_is_sent_and_how_long_it_takes_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
