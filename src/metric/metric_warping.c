/* metric_warping.c: the truth bent towards the prediction without a change of topology. */
#include "metric/metric_parts.h"

#include <math.h>
#include <stdlib.h>

/* Neighbours counterclockwise from the right; the even ones share an edge. */
static const int step_x[8] = {1, 1, 0, -1, -1, -1, 0, 1}, step_y[8] = {0, -1, -1, -1, 0, 1, 1, 1};

typedef struct warp {
    uint32_t w, h, n;
    uint8_t *now, *goal;             /* [n] 1 cell, 0 membrane */
    bool *waits;                     /* [n] is in the queue */
    uint32_t *queue, first, n_queue; /* ring of n: each pixel waits at most once */
} warp;

/* The pixel's neighbour, or -1 beyond the picture. */
static int64_t neighbour(const warp *p, uint32_t i, int k)
{
    int64_t x = (int64_t)(i % p->w) + step_x[k], y = (int64_t)(i / p->w) + step_y[k];
    return x < 0 || y < 0 || x >= p->w || y >= p->h ? -1 : y * p->w + x;
}

/* Yokoi's connectivity number for 4-connected cells: sum over edge neighbours k of x_k - x_k x_(k+1) x_(k+2); 1: the pixel
 * is simple. */
static bool simple(const warp *p, uint32_t i)
{
    int x[8], number = 0;
    for (int k = 0; k < 8; k++) {
        int64_t at = neighbour(p, i, k);
        x[k] = at >= 0 && p->now[at];
    }
    for (int k = 0; k < 8; k += 2) number += x[k] - x[k] * x[k + 1] * x[(k + 2) & 7];
    return number == 1;
}

static void wait(warp *p, uint32_t i)
{
    if (p->waits[i] || p->now[i] == p->goal[i]) return;
    p->waits[i] = true;
    p->queue[(p->first + p->n_queue++) % p->n] = i;
}

/* Each change settles a pixel for good and lets at most 8 wait: O(n). */
static void bend(warp *p)
{
    for (uint32_t i = 0; i < p->n; i++) wait(p, i);
    while (p->n_queue) {
        uint32_t i = p->queue[p->first];
        p->first = (p->first + 1) % p->n, p->n_queue--;
        p->waits[i] = false;
        if (!simple(p, i)) continue;
        p->now[i] = p->goal[i];
        for (int k = 0; k < 8; k++) {
            int64_t at = neighbour(p, i, k);
            if (at >= 0) wait(p, (uint32_t)at);
        }
    }
}

limn_status limn_warping_error(limn_ctx *ctx, const limn_label_pair *m, uint8_t cell, double *out)
{
    size_t n = (size_t)m->width * m->height, different = 0, n_known = 0;
    warp p = {.w = m->width, .h = m->height, .n = (uint32_t)n};
    p.now = limn_metric_new(ctx, n, 1, "a warped map"), p.goal = limn_metric_new(ctx, n, 1, "a warped map");
    p.waits = calloc(n, sizeof *p.waits), p.queue = limn_metric_new(ctx, n, sizeof *p.queue, "a warped map");
    limn_status status = p.now && p.goal && p.queue ? LIMN_OK : LIMN_NO_MEMORY;
    if (status == LIMN_OK && !p.waits) status = limn_fail_memory(ctx, n, "a warped map");
    if (status == LIMN_OK) {
        for (size_t i = 0; i < n; i++) {
            bool known = m->truth[i] != LIMN_IGNORED;
            p.now[i] = m->truth[i] == cell, p.goal[i] = known ? m->prediction[i] == cell : p.now[i];
            n_known += known;
        }
        bend(&p);
        for (size_t i = 0; i < n; i++) different += p.now[i] != p.goal[i];
        *out = n_known ? (double)different / (double)n_known : (double)NAN;
    }
    free(p.now), free(p.goal), free(p.waits), free(p.queue);
    return status;
}
