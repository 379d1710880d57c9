/* comm_mpi.c: the plugin for Open MPI (plugin.h).
 *
 * One thread makes every call of MPI (MPI_THREAD_FUNNELED): Open MPI 4.1 moves bytes only inside its functions, and a rank
 * that waits must still hear of the others.  It takes one request at a time, starts it without blocking and tests it until
 * it is done.  Beside that each rank tells the next one every second that it lives, and in which step it is: mpirun sees a
 * process that died and ends the others, but not one that is stopped or cut off. */
#include "comm/plugin.h"

#include <limits.h>
#include <mpi.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BEAT_SECONDS = 1, MOST_BYTES = 1 << 30 };

typedef enum task { NOTHING, GATHER, EXCHANGE, BROADCAST, CLOSE } task;

typedef struct group {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool ready;              /* opened, or not: error says why */
    int rank, size;
    double patience;
    char error[LIMN_PLUGIN_ERROR];
    /* the request: the caller waits until it is NOTHING again */
    task task;
    int root;
    size_t bytes;
    const void *from;
    void *to;
    int result;
    int64_t step;
    /* the thread's own */
    MPI_Comm data, beats;
    MPI_Request send, receive;
    int64_t told, heard;     /* steps */
    double sent_at, heard_at, ran_at;
} group;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- who lives -------------------------------------------------------------------------------------------------------- */

static void listen_to_previous(group *g)
{
    MPI_Irecv(&g->heard, 1, MPI_INT64_T, (g->rank + g->size - 1) % g->size, 0, g->beats, &g->receive);
}

static void begin_beats(group *g)
{
    g->send = MPI_REQUEST_NULL;
    g->heard_at = g->sent_at = g->ran_at = now();
    listen_to_previous(g);
}

static void end_all(group *g, double silent)
{
    fprintf(stderr,
            "limn: rank %d of %d is silent for %d s, last heard of in step %lld: it is stopped or cut off, and all ranks "
            "end; the last checkpoint is whole, --resume goes on from it\n",
            (g->rank + g->size - 1) % g->size, g->size, (int)silent, (long long)g->heard);
    MPI_Abort(MPI_COMM_WORLD, 1);
}

static void beat(group *g)
{
    double t = now(), before = g->ran_at;
    int sent = 0, came = 0;
    g->ran_at = t;
    MPI_Test(&g->receive, &came, MPI_STATUS_IGNORE);
    if (came) g->heard_at = t, listen_to_previous(g);
    if (t - before > BEAT_SECONDS) g->heard_at = t; /* this process stood still: what came meanwhile is not read yet */
    if (g->patience > 0 && t - g->heard_at > g->patience) end_all(g, t - g->heard_at);
    if (t - g->sent_at < BEAT_SECONDS) return;
    MPI_Test(&g->send, &sent, MPI_STATUS_IGNORE);
    if (!sent) return;
    pthread_mutex_lock(&g->lock);
    g->told = g->step;
    pthread_mutex_unlock(&g->lock);
    g->sent_at = t;
    MPI_Isend(&g->told, 1, MPI_INT64_T, (g->rank + 1) % g->size, 0, g->beats, &g->send);
}

/* ---- requests --------------------------------------------------------------------------------------------------------- */

/* Others may be on the same cores: short waits are spun through, long ones slept through. */
static void finish(group *g, MPI_Request *request)
{
    int done = 0;
    for (int i = 0; MPI_Test(request, &done, MPI_STATUS_IGNORE), !done; i++) {
        if (i % 64 == 0) beat(g);
        if (i < 2000) sched_yield();
        else nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
    }
}

static void serve(group *g, task asked)
{
    MPI_Request request = MPI_REQUEST_NULL;
    int n = (int)g->bytes;
    char *own = (char *)g->to + (size_t)g->rank * g->bytes;
    switch (asked) {
    case GATHER:
        MPI_Iallgather(g->from == own ? MPI_IN_PLACE : g->from, n, MPI_BYTE, g->to, n, MPI_BYTE, g->data, &request);
        break;
    case EXCHANGE: MPI_Ialltoall(g->from, n, MPI_BYTE, g->to, n, MPI_BYTE, g->data, &request); break;
    case BROADCAST: MPI_Ibcast(g->to, n, MPI_BYTE, g->root, g->data, &request); break;
    case CLOSE: MPI_Ibarrier(g->data, &request); break;
    case NOTHING: return;
    }
    finish(g, &request);
}

/* All are here: nobody is waited for any more. */
static void end_beats(group *g)
{
    MPI_Cancel(&g->receive);
    MPI_Wait(&g->receive, MPI_STATUS_IGNORE);
    MPI_Wait(&g->send, MPI_STATUS_IGNORE);
}

/* Before a large message goes its receiver is asked, and the answer waits behind what that one sends meanwhile: behind all
 * of a message as large, so that two ranks would send in turn.  In fragments they send at once: over wires of 100 Mbit/s
 * sums took 0.77 s in place of 1.31.  What the user has set stays. */
static void send_in_fragments(void)
{
    setenv("OMPI_MCA_btl_tcp_rdma_pipeline_frag_size", "131072", 0);
}

static bool begin(group *g)
{
    int provided = MPI_THREAD_SINGLE;
    send_in_fragments();
    MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
    if (provided < MPI_THREAD_FUNNELED) {
        snprintf(g->error, sizeof g->error, "this MPI allows no threads at all (expected at least MPI_THREAD_FUNNELED)");
        return false;
    }
    MPI_Comm_rank(MPI_COMM_WORLD, &g->rank);
    MPI_Comm_size(MPI_COMM_WORLD, &g->size);
    MPI_Comm_dup(MPI_COMM_WORLD, &g->data);
    MPI_Comm_dup(MPI_COMM_WORLD, &g->beats);
    begin_beats(g);
    return true;
}

static void *run(void *user)
{
    group *g = user;
    bool ok = begin(g);
    pthread_mutex_lock(&g->lock);
    g->result = ok ? 0 : 1, g->ready = true;
    pthread_cond_broadcast(&g->changed);
    for (bool open = ok; open;) {
        if (g->task == NOTHING) { /* at least so often as beats */
            struct timespec until;
            clock_gettime(CLOCK_REALTIME, &until);
            until.tv_sec += (until.tv_nsec += 200000000) >= 1000000000, until.tv_nsec %= 1000000000;
            pthread_cond_timedwait(&g->changed, &g->lock, &until);
        }
        task asked = g->task; /* what comes after this look is for the next round: each request is served once */
        pthread_mutex_unlock(&g->lock);
        beat(g);
        serve(g, asked);
        if (asked == CLOSE) end_beats(g), open = false;
        pthread_mutex_lock(&g->lock);
        if (asked != NOTHING) g->task = NOTHING, pthread_cond_broadcast(&g->changed);
    }
    pthread_mutex_unlock(&g->lock);
    MPI_Finalize();
    return NULL;
}

/* ---- the plugin ------------------------------------------------------------------------------------------------------- */

static int ask(group *g, task task, size_t bytes, int root, const void *from, void *to)
{
    pthread_mutex_lock(&g->lock);
    g->root = root, g->bytes = bytes, g->from = from, g->to = to, g->task = task;
    pthread_cond_broadcast(&g->changed);
    while (g->task != NOTHING) pthread_cond_wait(&g->changed, &g->lock);
    pthread_mutex_unlock(&g->lock);
    return 0;
}

static int too_many(size_t bytes, char *error)
{
    if (bytes <= MOST_BYTES) return 0;
    snprintf(error, LIMN_PLUGIN_ERROR, "%zu bytes of each rank at once, at most %d are expected", bytes, MOST_BYTES);
    return 1;
}

static int gather(void *user, size_t bytes, const void *mine, void *all, char *error)
{
    return too_many(bytes, error) || ask(user, GATHER, bytes, 0, mine, all);
}

static int exchange(void *user, size_t bytes, const void *out, void *in, char *error)
{
    return too_many(bytes, error) || ask(user, EXCHANGE, bytes, 0, out, in);
}

static int broadcast(void *user, int root, size_t bytes, void *data, char *error)
{
    (void)error;
    for (size_t at = 0, n; at < bytes; at += n) {
        n = bytes - at < MOST_BYTES ? bytes - at : MOST_BYTES;
        ask(user, BROADCAST, n, root, NULL, (char *)data + at);
    }
    return 0;
}

static void at_step(void *user, int64_t step)
{
    group *g = user;
    pthread_mutex_lock(&g->lock);
    g->step = step;
    pthread_mutex_unlock(&g->lock);
}

static void release(group *g)
{
    pthread_join(g->thread, NULL);
    pthread_cond_destroy(&g->changed);
    pthread_mutex_destroy(&g->lock);
    free(g);
}

static void leave(void *user)
{
    ask(user, CLOSE, 0, 0, NULL, NULL);
    release(user);
}

static int join(double patience, void **out, int *rank, int *size, char *error)
{
    group *g = calloc(1, sizeof *g);
    *out = NULL;
    if (!g) return snprintf(error, LIMN_PLUGIN_ERROR, "out of memory"), 1;
    g->patience = patience;
    pthread_mutex_init(&g->lock, NULL);
    pthread_cond_init(&g->changed, NULL);
    sigset_t all, before; /* signals are the program's: none comes to this thread, nor to those that MPI makes */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int made = pthread_create(&g->thread, NULL, run, g);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (made != 0) return free(g), snprintf(error, LIMN_PLUGIN_ERROR, "no thread for MPI"), 1;
    pthread_mutex_lock(&g->lock);
    while (!g->ready) pthread_cond_wait(&g->changed, &g->lock);
    pthread_mutex_unlock(&g->lock);
    if (g->result != 0) {
        snprintf(error, LIMN_PLUGIN_ERROR, "%s", g->error);
        return release(g), 1;
    }
    *out = g, *rank = g->rank, *size = g->size;
    return 0;
}

__attribute__((visibility("default"))) const limn_comm_plugin limn_plugin = {.version = LIMN_PLUGIN_VERSION,
                                                                             .open = join,
                                                                             .gather = gather,
                                                                             .exchange = exchange,
                                                                             .broadcast = broadcast,
                                                                             .at_step = at_step,
                                                                             .close = leave};
