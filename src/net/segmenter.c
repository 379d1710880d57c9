/* segmenter.c: see segmenter.h. */
#include "net/segmenter.h"

#include "net/tiles.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct limn_segmenter {
    limn_net *net;
    limn_net_shape shape;
    limn_job job;
    size_t bytes;
    int batch, overlap, views, grid;
    int width, height, channels;   /* of a tile */
    int out_w, out_h, logits;      /* of its result; the borders that padding=valid loses are equal on all sides */
    float *tiles;                  /* [batch, height, width, channels], of the first run on */
};

/* Pixels along one side that the last level sees as one. */
static int grid_of(const limn_settings *settings, int tile)
{
    int grid = limn_model_interface(settings).grid;
    while (grid > tile) grid /= 2;
    return grid;
}

static limn_status begin_segmenter(limn_ctx *ctx, limn_segmenter *s, const limn_segmenter_options *o)
{
    limn_net_size size;
    s->batch = o->batch > 0 ? o->batch : 1;
    s->shape = (limn_net_shape){.batch = s->batch, .precision = o->precision};
    limn_status status = limn_net_measure(ctx, s->net, &s->shape, &size);
    if (status != LIMN_OK) return status;
    s->bytes = size.activations + size.weights;
    s->height = (int)size.image.dim[1], s->width = (int)size.image.dim[2], s->channels = (int)size.image.dim[3];
    s->out_h = (int)size.output.dim[1], s->out_w = (int)size.output.dim[2], s->logits = (int)size.output.dim[3];
    int smaller = s->out_h < s->out_w ? s->out_h : s->out_w, views = o->views ? o->views : 1;
    if (o->overlap < 0 || o->overlap >= smaller)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "neighbours cannot share %d of a tile's %d pixels: expected fewer",
                         o->overlap, smaller);
    s->overlap = o->overlap ? o->overlap : smaller / 4;
    s->views = views == 8 && s->width != s->height ? 4 : views;
    s->grid = grid_of(limn_net_settings(s->net), smaller);
    return LIMN_OK;
}

limn_status limn_segmenter_new(limn_ctx *ctx, limn_net *net, const limn_segmenter_options *o, limn_segmenter **out)
{
    *out = NULL;
    if (o->views < 0 || o->views > 8 || (o->views & (o->views - 1)))
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "views must be 1, 2, 4 or 8, found %d", o->views);
    limn_segmenter *s = calloc(1, sizeof *s);
    if (!s) return limn_fail_memory(ctx, sizeof *s, "a segmenter");
    s->net = net;
    limn_status status = begin_segmenter(ctx, s, o);
    if (status == LIMN_OK) *out = s;
    else free(s);
    return status;
}

void limn_segmenter_free(limn_segmenter *s)
{
    if (!s) return;
    limn_job_end(&s->job);
    limn_net_free(s->net);
    free(s->tiles);
    free(s);
}

limn_status limn_segmenter_begin(limn_ctx *ctx, limn_segmenter *s)
{
    size_t bytes = (size_t)s->batch * (size_t)s->width * (size_t)s->height * (size_t)s->channels * sizeof *s->tiles;
    if (!s->tiles && !(s->tiles = malloc(bytes))) return limn_fail_memory(ctx, bytes, "a segmentation");
    return limn_job_begin(ctx, s->net, &s->shape, 0, &s->job);
}

limn_status limn_segmenter_refresh(limn_ctx *ctx, limn_segmenter *s)
{
    return s->job.run ? limn_net_refresh(ctx, &s->job) : LIMN_OK;
}

int limn_segmenter_channels(const limn_segmenter *s)
{
    return s->channels;
}

int limn_segmenter_classes(const limn_segmenter *s)
{
    return s->logits == 1 ? 2 : s->logits;
}

size_t limn_segmenter_bytes(const limn_segmenter *s)
{
    return s->bytes;
}

/* ---- tiles ------------------------------------------------------------------------------------------------------------ */

/* Where pixel (x, y) of a view lies in a tile of w x h: bit 0 flips columns, bit 1 rows, bit 2 exchanges them. */
static void turned(int view, int w, int h, int *x, int *y)
{
    int u = view & 4 ? *y : *x, v = view & 4 ? *x : *y;
    *x = view & 1 ? w - 1 - u : u, *y = view & 2 ? h - 1 - v : v;
}

/* Pixel i of a line of n pixels that goes on as its mirror image. */
static int mirrored(int i, int n)
{
    int period = 2 * n;
    i = (i % period + period) % period;
    return i < n ? i : period - 1 - i;
}

typedef struct grid {
    int columns, rows, width, height;
} grid;

/* One tile, seen one way. */
typedef struct view {
    int x, y, turn; /* of its result */
} view;

static view view_of(const limn_segmenter *s, const grid *g, int64_t i)
{
    int64_t tile = i / s->views;
    return (view){.x = limn_tiles_begin((int)(tile % g->columns), g->columns, g->width, s->out_w, s->grid),
                  .y = limn_tiles_begin((int)(tile / g->columns), g->rows, g->height, s->out_h, s->grid),
                  .turn = (int)(i % s->views)};
}

/* A tile of one pixel makes more views of the largest picture than an int counts. */
static int64_t count_views(const limn_segmenter *s, const grid *g)
{
    return (int64_t)g->columns * g->rows * s->views;
}

static void read_view(const limn_segmenter *s, view at, const grid *g, const float *image, float *to)
{
    size_t c = (size_t)s->channels;
    int left = at.x - (s->width - s->out_w) / 2, top = at.y - (s->height - s->out_h) / 2;
    for (int y = 0; y < s->height; y++)
        for (int x = 0; x < s->width; x++, to += c) {
            int px = x, py = y;
            turned(at.turn, s->width, s->height, &px, &py);
            memcpy(to,
                   image +
                       ((size_t)mirrored(top + py, g->height) * (size_t)g->width + (size_t)mirrored(left + px, g->width)) *
                           c,
                   c * sizeof *to);
        }
}

/* softmax of one pixel's logits, added with a weight */
static void add_pixel(const limn_segmenter *s, const float *logit, float weight, float *to)
{
    if (s->logits == 1) {
        float yes = 1 / (1 + expf(-logit[0]));
        to[0] += weight * (1 - yes), to[1] += weight * yes;
        return;
    }
    float top = logit[0], sum = 0;
    for (int k = 1; k < s->logits; k++) top = logit[k] > top ? logit[k] : top;
    for (int k = 0; k < s->logits; k++) sum += expf(logit[k] - top);
    for (int k = 0; k < s->logits; k++) to[k] += weight * expf(logit[k] - top) / sum;
}

static void add_view(const limn_segmenter *s, view from, const grid *g, const float *logits, float *out, float *weight)
{
    size_t k = (size_t)limn_segmenter_classes(s);
    for (int y = 0; y < s->out_h; y++)
        for (int x = 0; x < s->out_w; x++) {
            int px = x, py = y;
            turned(from.turn, s->out_w, s->out_h, &px, &py);
            px += from.x, py += from.y;
            if (px < 0 || py < 0 || px >= g->width || py >= g->height) continue;
            size_t at = (size_t)py * (size_t)g->width + (size_t)px;
            float w = limn_tiles_ramp(x, s->out_w, s->overlap) * limn_tiles_ramp(y, s->out_h, s->overlap);
            add_pixel(s, logits + ((size_t)y * (size_t)s->out_w + (size_t)x) * (size_t)s->logits, w, out + at * k);
            weight[at] += w;
        }
}

/* Views first .. first + batch - 1 of n; the last batch repeats its last one. */
static limn_status run_batch(limn_ctx *ctx, limn_segmenter *s, const grid *g, int64_t first, const float *image, float *out,
                             float *weight, float *logits)
{
    int64_t n = count_views(s, g);
    size_t in = (size_t)s->width * (size_t)s->height * (size_t)s->channels,
           result = (size_t)s->out_w * (size_t)s->out_h * (size_t)s->logits;
    for (int b = 0; b < s->batch; b++)
        read_view(s, view_of(s, g, first + b < n ? first + b : n - 1), g, image, s->tiles + (size_t)b * in);
    limn_status status = limn_run_write(s->job.run, s->job.ports->image, LIMN_F32, s->tiles);
    if (status == LIMN_OK) status = limn_run_execute(s->job.run);
    if (status == LIMN_OK) status = limn_job_output(ctx, &s->job, s->job.ports->output, "", logits);
    limn_floats floats; /* what is improbable is often denormal */
    limn_floats_begin(&floats, 1);
    for (int b = 0; b < s->batch && first + b < n && status == LIMN_OK; b++)
        add_view(s, view_of(s, g, first + b), g, logits + (size_t)b * result, out, weight);
    limn_floats_end(&floats);
    return status;
}

limn_status limn_segmenter_run(limn_ctx *ctx, limn_segmenter *s, int width, int height, const float *image, float *out)
{
    size_t pixels = (size_t)width * (size_t)height, k = (size_t)limn_segmenter_classes(s);
    size_t result = (size_t)s->batch * (size_t)s->out_w * (size_t)s->out_h * (size_t)s->logits;
    grid g = {limn_tiles_count(width, s->out_w, s->overlap, s->grid),
              limn_tiles_count(height, s->out_h, s->overlap, s->grid), width, height};
    int64_t n = count_views(s, &g);
    float *weight = calloc(pixels, sizeof *weight), *logits = malloc(result * sizeof *logits);
    limn_status status = weight && logits ? limn_segmenter_begin(ctx, s)
                                          : limn_fail_memory(ctx, (pixels + result) * sizeof *weight, "a segmentation");
    memset(out, 0, pixels * k * sizeof *out);
    for (int64_t i = 0; i < n && status == LIMN_OK; i += s->batch) {
        status = run_batch(ctx, s, &g, i, image, out, weight, logits);
        if (status == LIMN_OK && !limn_progress(ctx, "tile", i + s->batch, n))
            status = limn_fail(ctx, LIMN_CANCELLED, "stopped");
    }
    for (size_t i = 0; i < pixels * k && status == LIMN_OK; i++) out[i] /= weight[i / k];
    free(weight);
    free(logits);
    return status;
}

void limn_segmenter_classify(size_t n, int classes, const float *probability, uint8_t *out)
{
    for (size_t i = 0; i < n; i++, probability += classes) {
        int best = 0;
        for (int k = 1; k < classes; k++)
            if (probability[k] > probability[best]) best = k;
        out[i] = (uint8_t)best;
    }
}
