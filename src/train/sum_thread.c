/* sum_thread.c: see sum_thread.h. */
#include "train/sum_thread.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* Waits until piece `i` of the order may be worked on.  Lock held.  @return false: never */
static bool wait_for(limn_sum_thread *o, size_t i)
{
    while (!o->leaves && !(o->working && o->executed >= o->made_at[o->order[i]])) pthread_cond_wait(&o->changed, &o->lock);
    return !o->leaves;
}

static void *run(void *user)
{
    limn_sum_thread *o = user;
    pthread_mutex_lock(&o->lock);
    for (size_t i = 0; wait_for(o, i);) {
        size_t piece = (size_t)o->order[i];
        bool sound = o->status == LIMN_OK; /* after a failure the group is of no more use */
        pthread_mutex_unlock(&o->lock);
        limn_status status = sound ? o->work(o->user, piece) : LIMN_OK;
        pthread_mutex_lock(&o->lock);
        if (sound) o->status = status;
        if (++i < o->n) continue;
        i = 0, o->working = false;
        pthread_cond_broadcast(&o->changed);
    }
    pthread_mutex_unlock(&o->lock);
    return NULL;
}

/* Insertion: pieces are few, and nearly in reverse order. */
static void sort(limn_sum_thread *o)
{
    for (size_t i = 0; i < o->n; i++) {
        size_t at = i;
        for (; at > 0 && o->made_at[o->order[at - 1]] > o->made_at[i]; at--) o->order[at] = o->order[at - 1];
        o->order[at] = (int32_t)i;
    }
}

static bool begin_thread(limn_sum_thread *o)
{
    pthread_mutex_init(&o->lock, NULL);
    pthread_cond_init(&o->changed, NULL);
    sigset_t all, before; /* signals are the program's */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    o->open = pthread_create(&o->thread, NULL, run, o) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (o->open) return true;
    pthread_cond_destroy(&o->changed);
    pthread_mutex_destroy(&o->lock);
    return false;
}

limn_status limn_sum_thread_open(limn_comm *comm, size_t n, const int32_t *made_at, limn_piece_fn work, void *user,
                              limn_sum_thread *o)
{
    *o = (limn_sum_thread){.n = n, .order = malloc(n * sizeof *o->order), .made_at = malloc(n * sizeof *o->made_at),
                        .work = work, .user = user};
    limn_status mine = LIMN_OK;
    if (!o->order || !o->made_at || !made_at)
        mine = limn_fail_memory(comm->ctx, 2 * n * sizeof *made_at, "sums beside the backward pass");
    else memcpy(o->made_at, made_at, n * sizeof *made_at), sort(o);
    if (mine == LIMN_OK && !begin_thread(o))
        mine = limn_fail(comm->ctx, LIMN_NO_MEMORY, "no thread for sums beside the backward pass");
    limn_status status = limn_comm_agree(comm, mine);
    return status == LIMN_OK ? limn_comm_broadcast(comm, 0, n * sizeof *o->order, o->order) : status;
}

void limn_sum_thread_close(limn_sum_thread *o)
{
    if (o->open) {
        pthread_mutex_lock(&o->lock);
        o->leaves = true;
        pthread_cond_broadcast(&o->changed);
        pthread_mutex_unlock(&o->lock);
        pthread_join(o->thread, NULL);
        pthread_cond_destroy(&o->changed);
        pthread_mutex_destroy(&o->lock);
    }
    free(o->order), free(o->made_at);
    o->open = false, o->order = o->made_at = NULL;
}

static void set(limn_sum_thread *o, int32_t executed)
{
    pthread_mutex_lock(&o->lock);
    o->executed = executed;
    if (!o->begun) o->begun = o->working = true;
    pthread_cond_broadcast(&o->changed);
    pthread_mutex_unlock(&o->lock);
}

void limn_sum_thread_begin(limn_sum_thread *o)
{
    set(o, -1);
}

void limn_sum_thread_executed(void *user, int step)
{
    limn_sum_thread *o = user;
    bool made = false;
    for (size_t i = 0; i < o->n && !made; i++) made = o->made_at[i] == step;
    if (made) set(o, step);
}

limn_status limn_sum_thread_end(limn_sum_thread *o)
{
    set(o, INT32_MAX);
    pthread_mutex_lock(&o->lock);
    while (o->working) pthread_cond_wait(&o->changed, &o->lock);
    o->begun = false;
    limn_status status = o->status;
    pthread_mutex_unlock(&o->lock);
    return status;
}
