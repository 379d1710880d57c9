/* make_ranks.h: ranks as threads of one process.  One that does not come, or comes with something else, is a
 * failure of all others, not a test that hangs. */
#ifndef MAKE_RANKS_H
#define MAKE_RANKS_H

#include "comm/comm.h"

#include <omp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_RANKS = 8, PATIENCE = 60 };

typedef struct rank_group {
    pthread_mutex_t lock;
    pthread_cond_t all;
    int size, here, n_meetings, n_gathers;
    bool broken;
    void *data[MAX_RANKS];
    size_t bytes[MAX_RANKS];
} rank_group;

typedef struct rank_comm {
    limn_comm comm;
    rank_group *group;
} rank_comm;

/* Returns when all are here. */
static limn_status wait_for_all(limn_comm *comm)
{
    rank_group *g = ((rank_comm *)comm)->group;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE;
    pthread_mutex_lock(&g->lock);
    int meeting = g->n_meetings;
    if (++g->here == g->size) g->here = 0, g->n_meetings++, pthread_cond_broadcast(&g->all);
    while (meeting == g->n_meetings && !g->broken)
        if (pthread_cond_timedwait(&g->all, &g->lock, &until) != 0) g->broken = true, pthread_cond_broadcast(&g->all);
    bool broken = g->broken;
    pthread_mutex_unlock(&g->lock);
    return broken ? limn_fail(comm->ctx, LIMN_IO, "rank %d waits, and another has left", comm->rank) : LIMN_OK;
}

/* Everybody's data are known to everybody. */
static limn_status meet_with(limn_comm *comm, void *data, size_t bytes)
{
    rank_group *g = ((rank_comm *)comm)->group;
    g->data[comm->rank] = data, g->bytes[comm->rank] = bytes;
    limn_status status = wait_for_all(comm);
    for (int i = 0; i < g->size && status == LIMN_OK; i++)
        if (g->bytes[i] != bytes)
            status = limn_fail(comm->ctx, LIMN_IO, "rank %d has %zu bytes, rank %d %zu", comm->rank, bytes, i, g->bytes[i]);
    return status;
}

static limn_status threads_gather(limn_comm *comm, size_t bytes, const void *mine, void *all)
{
    rank_group *g = ((rank_comm *)comm)->group;
    char own[4096], *copy = bytes <= sizeof own ? own : malloc(bytes); /* mine may lie in all, which others fill */
    if (comm->rank == 0) g->n_gathers++;
    memcpy(copy, mine, bytes);
    limn_status status = meet_with(comm, copy, bytes);
    for (int i = 0; i < g->size && status == LIMN_OK; i++) memcpy((char *)all + (size_t)i * bytes, g->data[i], bytes);
    if (status == LIMN_OK) status = wait_for_all(comm);
    if (copy != own) free(copy);
    return status;
}

static limn_status threads_exchange(limn_comm *comm, size_t bytes, const void *out, void *in)
{
    rank_group *g = ((rank_comm *)comm)->group;
    limn_status status = meet_with(comm, (void *)(uintptr_t)out, bytes);
    size_t rank = (size_t)comm->rank;
    for (int i = 0; i < g->size && status == LIMN_OK; i++)
        memcpy((char *)in + (size_t)i * bytes, (const char *)g->data[i] + rank * bytes, bytes);
    return status == LIMN_OK ? wait_for_all(comm) : status;
}

static limn_status threads_broadcast(limn_comm *comm, int root, size_t bytes, void *data)
{
    limn_status status = meet_with(comm, data, bytes);
    if (status == LIMN_OK && comm->rank != root) memcpy(data, ((rank_comm *)comm)->group->data[root], bytes);
    return status == LIMN_OK ? wait_for_all(comm) : status;
}

static const limn_comm_engine threads_engine = {
    .gather = threads_gather, .exchange = threads_exchange, .broadcast = threads_broadcast};

/* What a rank does: `work` with a ctx and a group of its own. */
typedef struct rank_thread {
    rank_comm place;
    limn_status (*work)(limn_comm *comm, void *user);
    void *user;
    limn_status status;
    char error[LIMN_ERROR_BYTES];
} rank_thread;

static void *run_rank(void *user)
{
    rank_thread *r = user;
    limn_ctx *ctx = r->place.comm.ctx = limn_ctx_new();
    limn_ctx_set_threads(ctx, 1);
    r->status = r->work(&r->place.comm, r->user);
    snprintf(r->error, sizeof r->error, "%s", r->status == LIMN_OK ? "" : limn_error_text(ctx));
    limn_ctx_free(ctx);
    return NULL;
}

/* out [size].  @return how often they gathered */
static int run_ranks(int size, limn_status (*work)(limn_comm *comm, void *user), void *const user[], rank_thread *out)
{
    rank_group g = {.size = size, .lock = PTHREAD_MUTEX_INITIALIZER, .all = PTHREAD_COND_INITIALIZER};
    pthread_t thread[MAX_RANKS];
    omp_get_max_threads(); /* OpenMP begins on this thread: LLVM's aborts when threads that come and go begin and end it */
    for (int i = 0; i < size; i++) {
        limn_comm comm = {.engine = &threads_engine, .rank = i, .size = size};
        out[i] = (rank_thread){.place = {comm, &g}, .work = work, .user = user[i]};
        pthread_create(&thread[i], NULL, run_rank, &out[i]);
    }
    for (int i = 0; i < size; i++) pthread_join(thread[i], NULL);
    return g.n_gathers;
}

#endif
