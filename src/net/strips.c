/* strips.c: see strips.h. */
#include "net/strips.h"

#include "graph/node.h"
#include "net/tiles.h"

#include <stdlib.h>
#include <string.h>

/* ---- what there is to cut --------------------------------------------------------------------------------------------- */

/* Rows, and floats of a row, of each stage and of what comes out; norms in front of each. */
typedef struct stages {
    int n;                      /* stage n is the picture, or the latent */
    bool encodes;               /* stage 0 is the picture */
    int grid;                   /* rows of the latent on which strips begin */
    int latent;                 /* rows */
    int rows[LIMN_MAX_STAGES + 1], norms[LIMN_MAX_STAGES + 1];
    size_t row[LIMN_MAX_STAGES + 1];
} stages;

static void put_stage(stages *s, int i, const limn_node *node)
{
    limn_shape shape = limn_node_shape(node);
    s->rows[i] = (int)shape.dim[1], s->row[i] = (size_t)(shape.dim[2] * shape.dim[3]);
}

static limn_status look(limn_ctx *ctx, const limn_net *net, const limn_net_shape *whole, stages *out)
{
    limn_graph *g = limn_graph_new(ctx);
    limn_ports ports;
    if (!g) return limn_fail_memory(ctx, sizeof *g, "a graph");
    limn_graph_cut(g, LIMN_NO_STAGE, false);
    limn_build build = {.batch = 1, .n_steps = 1, .part = whole->part, .height = whole->height, .width = whole->width};
    limn_status status = limn_model_build(g, limn_net_settings(net), build, &ports);
    if (status == LIMN_OK) {
        *out = (stages){.n = g->cut->n_stages, .latent = (int)limn_node_shape(ports.latent).dim[1],
                        .encodes = whole->part == LIMN_PART_ENCODER};
        for (int i = 0; i < out->n; i++) put_stage(out, i, g->cut->stage[i]), out->norms[i] = g->cut->norms_before[i];
        put_stage(out, out->n, ports.output), out->norms[out->n] = g->cut->n_norms;
        bool even = out->n > 0;
        for (int i = 0; i <= out->n; i++) even &= out->rows[i] % out->latent == 0;
        if (!even)
            status = limn_fail(ctx, LIMN_UNSUPPORTED, "a %s is not cut into strips",
                               limn_net_settings(net)->family->name);
    }
    limn_graph_free(g);
    return status;
}

static size_t bytes_of(const stages *s, int i)
{
    return (size_t)s->rows[i] * s->row[i] * sizeof(float);
}

/* ---- the shapes of jobs ----------------------------------------------------------------------------------------------- */

/* What runs whole: a decoder up to a stage, an encoder from there on. */
static limn_net_shape whole_of(const limn_net_shape *whole, const stages *s, int stage)
{
    limn_net_shape shape = *whole;
    shape.cut = (limn_cut_at){.on = true, .begin = LIMN_NO_STAGE, .end = stage, .norm = LIMN_NO_STAGE, .own_moments = true};
    if (s->encodes) shape.cut.begin = stage, shape.cut.end = s->n;
    return shape;
}

/* norm: the one whose source is asked for; LIMN_NO_STAGE: the end of the segment */
static limn_net_shape strip_of(const limn_net_shape *whole, const stages *s, const struct limn_strip_segment *g, int norm)
{
    limn_net_shape shape = *whole;
    shape.height = whole->height / s->latent * g->rows;
    shape.cut = (limn_cut_at){.on = true, .begin = g->begin, .end = g->end, .norm = norm};
    return shape;
}

/* ---- the decision ----------------------------------------------------------------------------------------------------- */

/* Bytes for each row of the latent of what a run may make. */
static size_t widest(const limn_job *job, const stages *s, const struct limn_strip_segment *g)
{
    int64_t most = limn_node_count(job->ports->output);
    for (int k = 0; k < g->norms; k++)
        if (limn_node_count(job->cut->normed[k]) > most) most = limn_node_count(job->cut->normed[k]);
    return (size_t)most * sizeof(float) / (size_t)s->latent;
}

/* Rows of the latent that convolutions of a segment reach beyond a strip: each a row of the smaller end's at most. */
static limn_status reach(limn_ctx *ctx, limn_net *net, const limn_net_shape *whole, const stages *s,
                         struct limn_strip_segment *g, size_t *line)
{
    limn_job job = {0};
    g->rows = s->latent;
    limn_net_shape shape = strip_of(whole, s, g, LIMN_NO_STAGE);
    limn_status status = limn_job_open(ctx, net, &shape, (size_t)1 << 62, &job);
    if (status != LIMN_OK) return status;
    int least = s->rows[s->encodes ? g->end : g->begin], scale = least / s->latent;
    int convolutions = limn_cut_convolutions(job.ports->output);
    if (convolutions < 0) status = limn_fail_memory(ctx, 1, "strips");
    g->halo = (s->grid * convolutions + scale - 1) / scale;
    *line = widest(&job, s, g);
    limn_job_end(&job);
    return status;
}

/* What a segment takes, with the largest strips for which there is room. */
static limn_status fit(limn_ctx *ctx, limn_net *net, const limn_net_shape *whole, const stages *s, size_t limit,
                       struct limn_strip_segment *g, size_t *takes)
{
    size_t kept = bytes_of(s, g->begin) + bytes_of(s, g->end), line = 0;
    g->norms = s->norms[g->end] - s->norms[g->begin], g->grid = s->grid;
    limn_status status = kept < limit ? reach(ctx, net, whole, s, g, &line) : LIMN_OK;
    *takes = (size_t)-1;
    for (int core = (s->latent + 1) / 2; core >= g->grid && kept < limit && status == LIMN_OK; core /= 2) {
        limn_net_size size;
        g->rows = core + 2 * g->halo < s->latent ? core + 2 * g->halo : s->latent;
        g->rows += (s->latent - g->rows) % g->grid;
        g->count = limn_tiles_count(s->latent, g->rows, 2 * g->halo, g->grid);
        limn_net_shape shape = strip_of(whole, s, g, LIMN_NO_STAGE);
        status = limn_net_measure(ctx, net, &shape, &size);
        if (status == LIMN_OK) *takes = kept + size.activations + line * (size_t)g->rows;
        if (*takes <= limit) break;
    }
    return status;
}

/* Kept stages from `first` to `last`, whose segments all fit; a stage that is in the way is not kept, or what runs whole is
 * less. */
static limn_status choose(limn_ctx *ctx, limn_net *net, const limn_net_shape *whole, const stages *s, size_t limit,
                          int first, int last, limn_strips *out)
{
    bool kept[LIMN_MAX_STAGES + 1];
    limn_status status = LIMN_OK;
    for (int i = 0; i <= s->n; i++) kept[i] = i >= first && i <= last;
    for (int begin = first; begin < last && status == LIMN_OK;) {
        struct limn_strip_segment *g = &out->segment[out->n];
        int end = begin + 1;
        size_t takes;
        while (!kept[end]) end++;
        *g = (struct limn_strip_segment){.begin = begin, .end = end};
        status = fit(ctx, net, whole, s, limit, g, &takes);
        if (status != LIMN_OK) break;
        if (takes <= limit) {
            out->bytes = takes > out->bytes ? takes : out->bytes;
            out->n++, begin = end;
            continue;
        }
        bool left = begin > first, right = end < last, least = s->encodes ? last == s->n - 1 : first == 0;
        if (!left && !right && least) return limn_fail(ctx, LIMN_NO_MEMORY, "not in strips either");
        if (!left && !right) kept[s->encodes ? ++last : --first] = true;
        else kept[right && (!left || bytes_of(s, end) >= bytes_of(s, begin)) ? end : begin] = false;
        out->n = 0, begin = first;
    }
    return status;
}

/* As little as can be in strips. */
static limn_status divide(limn_ctx *ctx, limn_net *net, const limn_net_shape *whole, const stages *s, size_t limit,
                          limn_strips *out)
{
    limn_status status = LIMN_OK;
    *out = (limn_strips){0};
    for (int k = 1; status == LIMN_OK; k++) {
        int stage = s->encodes ? k : s->n - k;
        if (stage < 0 || stage >= s->n) return limn_fail(ctx, LIMN_NO_MEMORY, "not in strips either");
        limn_net_shape shape = whole_of(whole, s, stage);
        limn_net_size size;
        if (bytes_of(s, stage) > limit) continue;
        status = limn_net_measure(ctx, net, &shape, &size);
        if (status != LIMN_OK || size.activations + bytes_of(s, stage) > limit) continue;
        out->bytes = size.activations + bytes_of(s, stage);
        return choose(ctx, net, whole, s, limit, s->encodes ? 0 : stage, s->encodes ? stage : s->n, out);
    }
    return status;
}

/* Convolutions run in tiles of 4 x 4 pixels, whose sums hang on all that a tile sees.  Strips that begin on their grid and
 * reach 4 rows for each convolution make the same bits as the whole, where no moments are gathered in another order. */
limn_status limn_strips_decide(limn_ctx *ctx, limn_net *net, const limn_net_shape *whole, size_t limit, limn_strips *out)
{
    const int tile = 4;
    stages s;
    limn_status status = look(ctx, net, whole, &s);
    *out = (limn_strips){0};
    if (status != LIMN_OK) return status;
    s.grid = s.norms[s.n] ? 1 : tile;
    status = divide(ctx, net, whole, &s, limit, out);
    if (status != LIMN_NO_MEMORY || s.grid == 1) return status;
    s.grid = 1;
    return divide(ctx, net, whole, &s, limit, out);
}

/* ---- running ---------------------------------------------------------------------------------------------------------- */

/* Moments [2, groups] of the norms of a segment, as they become known. */
typedef struct gathered {
    int n;
    float *moments[LIMN_MAX_GIVEN];
} gathered;

/* Mean and sum of squares around it of each group, over `count` values each. */
typedef struct sums {
    int groups;
    size_t channels;
    double *mean, *square, count;  /* [groups] */
    double *sum;                   /* [2, channels]: of rows that are added */
} sums;

typedef struct strips_job {
    limn_ctx *ctx;
    limn_net *net;
    const limn_net_shape *whole;
    stages s;
    const struct limn_strip_segment *g;
    gathered known;
    float *strip;               /* what a run makes */
} strips_job;

static const char *where(const strips_job *j)
{
    return j->s.encodes ? "encoder" : "decoder";
}

/* More pixels [pixels, channels], around the first one, so that values far from zero lose nothing; Chan et al. 1979. */
static void add_pixels(sums *a, size_t pixels, const float *x)
{
    size_t channels = a->channels, width = channels / (size_t)a->groups;
    double *sum = a->sum, *square = a->sum + channels, n = (double)(pixels * width), all = a->count + n;
    memset(sum, 0, 2 * channels * sizeof *sum);
    for (size_t p = 0; p < pixels; p++)
        for (size_t c = 0; c < channels; c++) {
            double off = (double)x[p * channels + c] - (double)x[c];
            sum[c] += off, square[c] += off * off;
        }
    for (size_t k = 0; k < (size_t)a->groups; k++) {
        double mean = 0, spread = 0;
        for (size_t c = k * width; c < (k + 1) * width; c++) mean += (sum[c] + (double)pixels * (double)x[c]) / n;
        for (size_t c = k * width; c < (k + 1) * width; c++) {
            double off = (double)x[c] - mean;
            spread += square[c] + 2 * off * sum[c] + (double)pixels * off * off;
        }
        double off = mean - a->mean[k];
        a->square[k] += spread + off * off * a->count * n / all;
        a->mean[k] += off * n / all;
    }
    a->count = all;
}

/* First row, of the latent, of strip i; of what it makes the rows from core on are its own. */
static int begin_of(const strips_job *j, int i)
{
    return limn_tiles_begin(i, j->g->count, j->s.latent, j->g->rows, j->g->grid);
}

static int core_of(const strips_job *j, int i)
{
    return i == 0 ? 0 : i == j->g->count ? j->s.latent : begin_of(j, i) + j->g->halo;
}

static limn_status run_strip(strips_job *j, limn_job *job, int i, const float *from)
{
    size_t scale = (size_t)(j->s.rows[j->g->begin] / j->s.latent), row = j->s.row[j->g->begin];
    limn_status status = limn_run_write(job->run, job->cut->input, LIMN_F32, from + (size_t)begin_of(j, i) * scale * row);
    for (int k = 0; k < j->known.n && status == LIMN_OK && i == 0; k++)
        status = limn_run_write(job->run, job->cut->moments[k], LIMN_F32, j->known.moments[k]);
    if (status == LIMN_OK) status = limn_run_execute(job->run);
    return status == LIMN_OK ? limn_job_output(j->ctx, job, job->ports->output, where(j), j->strip) : status;
}

/* All strips.  norm: its moments are gathered, in a; LIMN_NO_STAGE: the rows go to `to` */
static limn_status run_strips(strips_job *j, limn_job *job, const float *from, sums *a, float *to)
{
    limn_shape shape = limn_node_shape(job->ports->output);
    size_t row = (size_t)(shape.dim[2] * shape.dim[3]);
    int scale = (int)(shape.dim[1] / j->g->rows);
    limn_status status = LIMN_OK;
    j->strip = malloc((size_t)shape.dim[1] * row * sizeof *j->strip);
    if (!j->strip) return limn_fail_memory(j->ctx, (size_t)shape.dim[1] * row * sizeof *j->strip, "a strip");
    for (int i = 0; i < j->g->count && status == LIMN_OK; i++) {
        int core = core_of(j, i), end = core_of(j, i + 1);
        status = run_strip(j, job, i, from);
        if (status != LIMN_OK) break;
        const float *own = j->strip + (size_t)((core - begin_of(j, i)) * scale) * row;
        size_t rows = (size_t)((end - core) * scale);
        if (a) add_pixels(a, rows * (size_t)shape.dim[2], own);
        else memcpy(to + (size_t)(core * scale) * row, own, rows * row * sizeof *to);
    }
    free(j->strip);
    return status;
}

static limn_status new_sums(limn_ctx *ctx, const limn_node *normed, const limn_node *of, sums *a, float **moments)
{
    size_t groups = (size_t)limn_node_shape(of).dim[1], channels = (size_t)limn_node_shape(normed).dim[3],
           n = 2 * groups + 2 * channels;
    *a = (sums){.groups = (int)groups, .channels = channels, .mean = calloc(n, sizeof *a->mean)};
    *moments = malloc(2 * groups * sizeof **moments);
    if (!a->mean || !*moments) return limn_fail_memory(ctx, n * sizeof *a->mean, "moments");
    a->square = a->mean + groups, a->sum = a->square + groups;
    return LIMN_OK;
}

/* The next norm's moments.  Those of the stage itself are there to be counted. */
static limn_status gather(strips_job *j, const limn_job *last, const float *from)
{
    int k = j->known.n, begin = j->g->begin;
    const limn_node *normed = last->cut->normed[k];
    limn_net_shape shape = strip_of(j->whole, &j->s, j->g, k);
    limn_job job = {0};
    sums a = {0};
    limn_status status = new_sums(j->ctx, normed, last->cut->moments[k], &a, &j->known.moments[k]);
    if (status == LIMN_OK && normed == last->cut->stage[begin])
        add_pixels(&a, (size_t)j->s.rows[begin] * j->s.row[begin] / a.channels, from);
    else if (status == LIMN_OK) {
        status = limn_job_begin(j->ctx, j->net, &shape, (size_t)1 << 62, &job);
        if (status == LIMN_OK) status = run_strips(j, &job, from, &a, NULL);
        limn_job_end(&job);
    }
    for (int i = 0; i < a.groups && status == LIMN_OK; i++) {
        j->known.moments[k][i] = (float)a.mean[i];
        j->known.moments[k][a.groups + i] = (float)(a.square[i] / a.count);
    }
    free(a.mean);
    j->known.n++;
    return status;
}

static limn_status run_segment(strips_job *j, const float *from, float *to)
{
    limn_net_shape shape = strip_of(j->whole, &j->s, j->g, LIMN_NO_STAGE);
    limn_job job = {0};
    limn_status status = limn_job_begin(j->ctx, j->net, &shape, (size_t)1 << 62, &job);
    j->known = (gathered){0};
    while (j->known.n < j->g->norms && status == LIMN_OK) status = gather(j, &job, from);
    if (status == LIMN_OK) status = run_strips(j, &job, from, NULL, to);
    for (int k = 0; k < j->known.n; k++) free(j->known.moments[k]);
    limn_job_end(&job);
    return status;
}

/* log_variance: NULL, or beside the mean of an encoder */
static limn_status run_whole(strips_job *j, int stage, const float *from, float *to, float *log_variance)
{
    limn_net_shape shape = whole_of(j->whole, &j->s, stage);
    limn_job job = {0};
    limn_status status = limn_job_begin(j->ctx, j->net, &shape, (size_t)1 << 62, &job);
    if (status == LIMN_OK)
        status = limn_run_write(job.run, j->s.encodes ? job.cut->input : job.ports->latent, LIMN_F32, from);
    if (status == LIMN_OK) status = limn_run_execute(job.run);
    if (status == LIMN_OK) status = limn_job_output(j->ctx, &job, job.ports->output, where(j), to);
    if (status == LIMN_OK && log_variance)
        status = limn_job_output(j->ctx, &job, job.ports->log_variance, where(j), log_variance);
    limn_job_end(&job);
    return status;
}

/* The stage at which strips and the whole meet. */
static int seam(const strips_job *j, const limn_strips *s)
{
    return j->s.encodes ? s->segment[s->n - 1].end : s->segment[0].begin;
}

static limn_status new_stage(const strips_job *j, int i, float **out)
{
    *out = malloc(bytes_of(&j->s, i));
    return *out ? LIMN_OK : limn_fail_memory(j->ctx, bytes_of(&j->s, i), "a stage");
}

limn_status limn_strips_run(limn_ctx *ctx, limn_net *net, const limn_net_shape *whole, const limn_strips *s,
                            const float *from, float *to, float *log_variance)
{
    strips_job j = {.ctx = ctx, .net = net, .whole = whole};
    limn_status status = look(ctx, net, whole, &j.s);
    float *stage = NULL, *next = NULL;
    if (status == LIMN_OK && !j.s.encodes) {
        status = new_stage(&j, seam(&j, s), &stage);
        if (status == LIMN_OK) status = run_whole(&j, seam(&j, s), from, stage, NULL);
    }
    for (int i = 0; i < s->n && status == LIMN_OK; i++) {
        j.g = &s->segment[i];
        bool last = j.g->end == j.s.n;
        status = last ? LIMN_OK : new_stage(&j, j.g->end, &next);
        if (status != LIMN_OK) break;
        status = run_segment(&j, stage ? stage : from, last ? to : next);
        free(stage);
        stage = last ? NULL : next;
    }
    if (status == LIMN_OK && j.s.encodes) status = run_whole(&j, seam(&j, s), stage, to, log_variance);
    free(stage);
    return status;
}

limn_status limn_strips_load(limn_ctx *ctx, limn_net *net, const limn_net_shape *whole, const limn_strips *s)
{
    strips_job j = {.ctx = ctx, .net = net, .whole = whole};
    limn_job job = {0};
    limn_status status = look(ctx, net, whole, &j.s);
    for (int i = -1; i < s->n && status == LIMN_OK; i++) {
        limn_net_shape shape = i < 0 ? whole_of(whole, &j.s, seam(&j, s))
                                     : strip_of(whole, &j.s, &s->segment[i], LIMN_NO_STAGE);
        status = limn_job_begin(ctx, net, &shape, (size_t)1 << 62, &job);
        limn_job_end(&job);
    }
    return status;
}
