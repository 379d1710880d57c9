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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_process_is_rank_0_of_1),
        cmocka_unit_test(a_rank_that_does_not_exist_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
