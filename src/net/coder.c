/* coder.c: see coder.h. */
#include "net/coder.h"

#include "net/tiles.h"

#include <stdlib.h>
#include <string.h>

enum { TILE = 64, LEAST_TILE = 4, MOST_TILE = 2048 }; /* pixels of the latent */

/* ---- sizes ------------------------------------------------------------------------------------------------------------ */

limn_status limn_tiling_check(limn_ctx *ctx, const limn_tiling *t)
{
    if (!t->on) return LIMN_OK;
    for (int i = 0; i < 2; i++) {
        int side = i ? t->height : t->width;
        if (side && (side < LEAST_TILE || side > MOST_TILE))
            return limn_fail(ctx, LIMN_BAD_ARGUMENT, "expected tiles of %d to %d pixels of the latent, found %d", LEAST_TILE,
                             MOST_TILE, side);
    }
    if (t->overlap >= 0 && t->overlap <= 0.5) return LIMN_OK;
    return limn_fail(ctx, LIMN_BAD_ARGUMENT, "expected tiles that share 0 to 0.5 of their sides, found %.9g", t->overlap);
}

/* Along one axis, in pixels of the latent: tiles that overlap, the same number of pixels each two but for one. */
typedef struct axis {
    int side, tile, n, overlap;
} axis;

static axis axis_of(int side, int tile, double overlap)
{
    axis a = {.side = side, .tile = tile < side ? tile : side};
    a.n = limn_tiles_count(side, a.tile, (int)(overlap * a.tile), 1);
    if (a.n > 1) a.overlap = a.tile - (side - a.tile + a.n - 2) / (a.n - 1);
    return a;
}

static axis axis_of_tiling(const limn_tiling *t, int side, int tile)
{
    return axis_of(side, !t->on ? side : tile ? tile : TILE, t->overlap);
}

limn_coder_sides limn_tiling_tile(const limn_tiling *t, limn_coder_sides whole, int factor)
{
    axis y = axis_of_tiling(t, whole.height / factor, t->height), x = axis_of_tiling(t, whole.width / factor, t->width);
    return (limn_coder_sides){y.tile * factor, x.tile * factor};
}

char *limn_tiling_text(const limn_tiling *t, limn_coder_sides whole, int factor, char *out)
{
    axis y = axis_of_tiling(t, whole.height / factor, t->height), x = axis_of_tiling(t, whole.width / factor, t->width);
    out[0] = '\0';
    if (y.n * x.n > 1) snprintf(out, 64, " in %d tiles of %d x %d", y.n * x.n, x.tile * factor, y.tile * factor);
    return out;
}

/* ---- tiles ------------------------------------------------------------------------------------------------------------ */

/* An array of the whole and of a tile: [side of the latent * scale, .., channels]. */
typedef struct plane {
    int scale;
    size_t channels;
    float *tile;
    const limn_node *node;
} plane;

typedef struct coding {
    limn_ctx *ctx;
    limn_job *job;
    axis y, x;
    plane in, out, spread;  /* spread: log variances, as `out` */
    float *share_y, *share_x; /* 1 / sum of the weights of all tiles, along the sides of what comes out */
} coding;

static limn_status new_plane(limn_ctx *ctx, const axis *y, const axis *x, int scale, limn_node *node, plane *out)
{
    limn_shape shape = limn_node_shape(node);
    *out = (plane){.scale = scale, .channels = (size_t)shape.dim[shape.rank - 1], .node = node};
    size_t n = (size_t)y->tile * (size_t)x->tile * (size_t)scale * (size_t)scale * out->channels;
    out->tile = malloc(n * sizeof *out->tile);
    return out->tile ? LIMN_OK : limn_fail_memory(ctx, n * sizeof *out->tile, "a tile");
}

static float ramp(const axis *a, int scale, int i)
{
    return limn_tiles_ramp(i, a->tile * scale, a->overlap * scale);
}

/* Tiles lie in rows and columns: the sum of their weights is one along rows times one along columns. */
static float *new_shares(const axis *a, int scale)
{
    size_t n = (size_t)a->side * (size_t)scale;
    float *share = calloc(n, sizeof *share);
    for (int i = 0; share && i < a->n; i++) {
        float *at = share + (size_t)limn_tiles_begin(i, a->n, a->side, a->tile, 1) * (size_t)scale;
        for (int k = 0; k < a->tile * scale; k++) at[k] += ramp(a, scale, k);
    }
    for (size_t k = 0; share && k < n; k++) share[k] = 1 / share[k];
    return share;
}

static void cut(const coding *c, int top, int left, const float *from)
{
    size_t scale = (size_t)c->in.scale, n = (size_t)c->x.tile * scale * c->in.channels;
    for (size_t y = 0; y < (size_t)c->y.tile * scale; y++)
        memcpy(c->in.tile + y * n,
               from + (((size_t)top * scale + y) * (size_t)c->x.side + (size_t)left) * scale * c->in.channels,
               n * sizeof *from);
}

static void add(const coding *c, const plane *p, int top, int left, float *to)
{
    int scale = p->scale;
    for (int y = 0; y < c->y.tile * scale; y++) {
        int row = top * scale + y;
        float across = ramp(&c->y, scale, y) * c->share_y[row];
        for (int x = 0; x < c->x.tile * scale; x++) {
            int column = left * scale + x;
            float w = across * ramp(&c->x, scale, x) * c->share_x[column];
            const float *value = p->tile + ((size_t)y * (size_t)(c->x.tile * scale) + (size_t)x) * p->channels;
            float *at = to + ((size_t)row * (size_t)(c->x.side * scale) + (size_t)column) * p->channels;
            for (size_t k = 0; k < p->channels; k++) at[k] += w * value[k];
        }
    }
}

static limn_status run(limn_ctx *ctx, limn_job *job, const float *from, float *to, float *log_variance)
{
    const limn_ports *ports = job->ports;
    bool encodes = job->shape.part == LIMN_PART_ENCODER;
    const char *where = encodes ? "encoder" : "decoder";
    limn_status status = limn_run_write(job->run, encodes ? ports->image : ports->latent, LIMN_F32, from);
    if (status == LIMN_OK) status = limn_job_load(ctx, job);
    if (status == LIMN_OK) status = limn_run_execute(job->run);
    if (status == LIMN_OK) status = limn_job_output(ctx, job, ports->output, where, to);
    return status == LIMN_OK && log_variance ? limn_job_output(ctx, job, ports->log_variance, where, log_variance) : status;
}

static limn_status code_tiles(coding *c, const float *from, float *to, float *log_variance)
{
    limn_status status = LIMN_OK;
    for (int i = 0; i < c->y.n * c->x.n && status == LIMN_OK; i++) {
        int top = limn_tiles_begin(i / c->x.n, c->y.n, c->y.side, c->y.tile, 1),
            left = limn_tiles_begin(i % c->x.n, c->x.n, c->x.side, c->x.tile, 1);
        cut(c, top, left, from);
        status = run(c->ctx, c->job, c->in.tile, c->out.tile, log_variance ? c->spread.tile : NULL);
        if (status != LIMN_OK) break;
        add(c, &c->out, top, left, to);
        if (log_variance) add(c, &c->spread, top, left, log_variance);
    }
    return status;
}

static limn_status open_tiles(coding *c, int in, int out, bool spread)
{
    const limn_ports *ports = c->job->ports;
    limn_node *node = c->job->shape.part == LIMN_PART_ENCODER ? ports->image : ports->latent;
    limn_status status = new_plane(c->ctx, &c->y, &c->x, in, node, &c->in);
    if (status == LIMN_OK) status = new_plane(c->ctx, &c->y, &c->x, out, ports->output, &c->out);
    if (status == LIMN_OK && spread) status = new_plane(c->ctx, &c->y, &c->x, out, ports->log_variance, &c->spread);
    c->share_y = new_shares(&c->y, out), c->share_x = new_shares(&c->x, out);
    size_t sides = (size_t)(c->y.side + c->x.side) * (size_t)out;
    return status == LIMN_OK && !(c->share_y && c->share_x) ? limn_fail_memory(c->ctx, sides * sizeof(float), "tiles")
                                                            : status;
}

limn_status limn_job_code(limn_ctx *ctx, limn_job *job, const limn_tiling *t, limn_coder_sides latent, const float *from,
                          float *to, float *log_variance)
{
    bool encodes = job->shape.part == LIMN_PART_ENCODER;
    int factor = limn_model_interface(limn_net_settings(job->net)).factor;
    coding c = {.ctx = ctx, .job = job, .y = axis_of_tiling(t, latent.height, t->height),
                .x = axis_of_tiling(t, latent.width, t->width)};
    if (c.y.n * c.x.n == 1) return run(ctx, job, from, to, log_variance);
    limn_status status = open_tiles(&c, encodes ? factor : 1, encodes ? 1 : factor, log_variance != NULL);
    if (status == LIMN_OK) {
        size_t n = (size_t)latent.height * (size_t)latent.width * (size_t)c.out.scale * (size_t)c.out.scale * c.out.channels;
        memset(to, 0, n * sizeof *to);
        if (log_variance) memset(log_variance, 0, n * sizeof *log_variance);
        status = code_tiles(&c, from, to, log_variance);
    }
    float *all[] = {c.in.tile, c.out.tile, c.spread.tile, c.share_y, c.share_x};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
    return status;
}
