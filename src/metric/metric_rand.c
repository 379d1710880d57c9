/* metric_rand.c: connected components, adapted Rand error restricted to foreground. */
#include "metric/metric_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- components: union-find over pixels, roots are the first pixels of their components ------------------------------- */

static uint32_t root_of(uint32_t *parent, uint32_t i)
{
    while (parent[i] != i) i = parent[i] = parent[parent[i]];
    return i;
}

static void join(uint32_t *parent, uint32_t a, uint32_t b)
{
    a = root_of(parent, a), b = root_of(parent, b);
    if (a < b) parent[b] = a;
    else parent[a] = b;
}

uint32_t limn_metric_components(uint32_t w, uint32_t h, const uint8_t *cells, uint32_t *parent, uint32_t *label)
{
    uint32_t n = w * h, count = 0;
    for (uint32_t i = 0; i < n; i++) {
        parent[i] = i;
        if (!cells[i]) continue;
        if (i % w && cells[i - 1]) join(parent, i - 1, i);
        if (i >= w && cells[i - w]) join(parent, i - w, i);
    }
    for (uint32_t i = 0; i < n; i++) label[i] = !cells[i] ? 0 : parent[i] == i ? ++count : label[root_of(parent, i)];
    return count;
}

/* ---- pairs of pixels -------------------------------------------------------------------------------------------------- */

/* The truth prepared once, and room for a prediction. */
typedef struct rand_job {
    uint32_t w, h, n;         /* n = w h */
    uint32_t *order, *start;  /* pixels of truth segment s: order[start[s - 1] .. start[s]); start [n_segments + 1] */
    uint32_t n_segments;
    uint32_t *label, *parent; /* of the prediction, [n] */
    uint32_t *here, *all;     /* [n + 1] pixels of each predicted segment, 0 its membranes: in one truth segment, in all */
    uint8_t *cells;           /* [n] */
} rand_job;

static void job_free(rand_job *j)
{
    free(j->order), free(j->start), free(j->label), free(j->parent), free(j->here), free(j->all), free(j->cells);
}

/* A counting sort of the truth's pixels by segment. */
static limn_status sort_truth(limn_ctx *ctx, rand_job *j)
{
    j->start = limn_metric_new(ctx, (size_t)j->n_segments + 2, sizeof *j->start, "segments of the truth");
    if (!j->start) return LIMN_NO_MEMORY;
    memset(j->start, 0, ((size_t)j->n_segments + 2) * sizeof *j->start);
    for (uint32_t i = 0; i < j->n; i++)
        if (j->label[i]) j->start[j->label[i] + 1]++;
    for (uint32_t s = 1; s <= j->n_segments; s++) j->start[s + 1] += j->start[s];
    for (uint32_t i = 0; i < j->n; i++)
        if (j->label[i]) j->order[j->start[j->label[i]]++] = i;
    return LIMN_OK;
}

static limn_status job_open(limn_ctx *ctx, const limn_label_pair *m, uint8_t cell, rand_job *j)
{
    const char *what = "segments";
    size_t n = (size_t)m->width * m->height;
    *j = (rand_job){.w = m->width, .h = m->height, .n = (uint32_t)n};
    j->order = limn_metric_new(ctx, n, sizeof *j->order, what), j->cells = limn_metric_new(ctx, n, 1, what);
    j->label = limn_metric_new(ctx, n, sizeof *j->label, what), j->parent = limn_metric_new(ctx, n, sizeof *j->parent, what);
    j->here = limn_metric_new(ctx, n + 1, sizeof *j->here, what), j->all = limn_metric_new(ctx, n + 1, sizeof *j->all, what);
    if (!j->order || !j->cells || !j->label || !j->parent || !j->here || !j->all) return LIMN_NO_MEMORY;
    for (size_t i = 0; i < n; i++) j->cells[i] = m->truth[i] == cell;
    j->n_segments = limn_metric_components(j->w, j->h, j->cells, j->parent, j->label);
    memset(j->here, 0, (n + 1) * sizeof *j->here);
    return sort_truth(ctx, j);
}

static uint64_t pairs(uint64_t n)
{
    return n * n - n;
}

/* From cells[]: what the prediction calls cell. */
static limn_rand measure(rand_job *j)
{
    limn_rand r = {.n_truth = j->n_segments,
                   .n_predicted = limn_metric_components(j->w, j->h, j->cells, j->parent, j->label)};
    uint64_t both = 0, truth = 0, predicted = 0;
    memset(j->all, 0, ((size_t)r.n_predicted + 1) * sizeof *j->all);
    for (uint32_t s = 1; s <= j->n_segments; s++) {
        uint32_t first = j->start[s - 1], end = j->start[s];
        truth += pairs(end - first);
        for (uint32_t i = first; i < end; i++) j->here[j->label[j->order[i]]]++, j->all[j->label[j->order[i]]]++;
        for (uint32_t i = first; i < end; i++) {
            uint32_t *count = &j->here[j->label[j->order[i]]];
            if (*count) both += pairs(*count), *count = 0;
        }
    }
    for (uint32_t k = 0; k <= r.n_predicted; k++)
        if (j->all[k]) predicted += pairs(j->all[k]);
    r.error = truth + predicted ? 1 - (double)both / (0.5 * (double)truth + 0.5 * (double)predicted) : (double)NAN;
    r.precision = predicted ? (double)both / (double)predicted : (double)NAN;
    r.recall = truth ? (double)both / (double)truth : (double)NAN;
    return r;
}

limn_status limn_rand_error(limn_ctx *ctx, const limn_label_pair *m, uint8_t cell, limn_rand *out)
{
    rand_job j;
    limn_status status = job_open(ctx, m, cell, &j);
    for (uint32_t i = 0; status == LIMN_OK && i < j.n; i++) j.cells[i] = m->prediction[i] == cell;
    if (status == LIMN_OK) *out = measure(&j);
    job_free(&j);
    return status;
}

/* From cells[], as measure(); n pixels that are each a segment of their own add n squares of 1. */
static void add_squares(rand_job *j, limn_rand_sums *sums)
{
    uint32_t n_predicted = limn_metric_components(j->w, j->h, j->cells, j->parent, j->label);
    memset(j->all, 0, ((size_t)n_predicted + 1) * sizeof *j->all);
    for (uint32_t s = 1; s <= j->n_segments; s++) {
        uint32_t first = j->start[s - 1], end = j->start[s];
        sums->truth += (double)(end - first) * (double)(end - first);
        for (uint32_t i = first; i < end; i++) j->here[j->label[j->order[i]]]++, j->all[j->label[j->order[i]]]++;
        sums->both += j->here[0], j->here[0] = 0;
        for (uint32_t i = first; i < end; i++) {
            uint32_t *count = &j->here[j->label[j->order[i]]];
            sums->both += (double)*count * (double)*count;
            *count = 0;
        }
    }
    sums->predicted += j->all[0];
    for (uint32_t k = 1; k <= n_predicted; k++) sums->predicted += (double)j->all[k] * (double)j->all[k];
}

double limn_rand_sums_error(const limn_rand_sums *s)
{
    double mean = 0.5 * s->truth + 0.5 * s->predicted;
    return mean > 0 ? 1 - s->both / mean : (double)NAN;
}

limn_status limn_rand_thinned(limn_ctx *ctx, const limn_label_pair *m, uint8_t cell, const float *p_cell,
                              limn_rand_sums sums[LIMN_RAND_STEPS])
{
    rand_job j;
    limn_status status = job_open(ctx, m, cell, &j);
    for (int step = 0; status == LIMN_OK && step < LIMN_RAND_STEPS; step++) {
        float t = (float)limn_rand_threshold(step);
        for (uint32_t i = 0; i < j.n; i++) j.cells[i] = !(p_cell[i] > t);
        status = limn_thin(ctx, j.w, j.h, j.cells);
        for (uint32_t i = 0; i < j.n; i++) j.cells[i] = !j.cells[i];
        if (status == LIMN_OK) add_squares(&j, &sums[step]);
    }
    job_free(&j);
    return status;
}

double limn_rand_threshold(int step)
{
    return (step + 1) / (double)(LIMN_RAND_STEPS + 1);
}

limn_status limn_rand_scan(limn_ctx *ctx, const limn_label_pair *m, uint8_t cell, const float *p_cell,
                           limn_rand out[LIMN_RAND_STEPS])
{
    rand_job j;
    limn_status status = job_open(ctx, m, cell, &j);
    for (int step = 0; status == LIMN_OK && step < LIMN_RAND_STEPS; step++) {
        float t = (float)limn_rand_threshold(step);
        for (uint32_t i = 0; i < j.n; i++) j.cells[i] = p_cell[i] > t;
        out[step] = measure(&j);
    }
    job_free(&j);
    return status;
}
