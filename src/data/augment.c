/* augment.c: see augment.h. */
#include "data/augment.h"

#include "base/rng.h"

#include <math.h>
#include <stdlib.h>

/* Places in the stream of a sample; nodes and noise are normal numbers, four to a place. */
enum {
    FLIP_X,
    FLIP_Y,
    TURN,
    CROP_X,
    CROP_Y,
    ROTATE,
    SCALE,
    BRIGHTNESS,
    CONTRAST,
    GAMMA,
    NOISE,
    NODES = 4 * 1024,
    GRAIN = 1 << 22
};

limn_augment limn_augment_none(void)
{
    return (limn_augment){.elastic_grid = 64};
}

limn_augment limn_augment_defaults(void)
{
    return (limn_augment){.flip_x = true,
                          .flip_y = true,
                          .turn = true,
                          .rotate = 15,
                          .scale = 0.15,
                          .elastic = 10,
                          .elastic_grid = 128,
                          .brightness = 0.1,
                          .contrast = 0.25,
                          .gamma = 0.25,
                          .noise = 0.03};
}

limn_status limn_augment_check(limn_ctx *ctx, const limn_augment *a)
{
    const struct { const char *name; double value, least, most;
    } ranges[] = {
        {"rotate", a->rotate, 0, 180},       {"scale", a->scale, 0, 10},
        {"elastic", a->elastic, 0, 1000},    {"elastic grid", a->elastic_grid, 4, 100000},
        {"brightness", a->brightness, 0, 1}, {"contrast", a->contrast, 0, 10},
        {"gamma", a->gamma, 0, 10},          {"noise", a->noise, 0, 1},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (!(ranges[i].value >= ranges[i].least) || !(ranges[i].value <= ranges[i].most))
            return limn_fail(ctx, LIMN_BAD_ARGUMENT, "augmentation %s is %.9g, expected %.9g to %.9g", ranges[i].name,
                             ranges[i].value, ranges[i].least, ranges[i].most);
    return LIMN_OK;
}

/* ---- where a pixel comes from ----------------------------------------------------------------------------------------- */

typedef struct field {
    double a[4], centre[2], middle[2]; /* source = middle + a (pixel - centre) + displacement */
    double step;                       /* pixels between nodes */
    int nx, ny;                        /* nodes; 0: no displacement */
    float *node;                       /* [ny,nx,2], the first one lies a step before the picture */
    int width, height;                 /* of the source */
} field;

typedef struct dice { uint64_t seed, position; } dice;

static double uniform(const dice *d, int place)
{
    return (double)limn_random_uniform(d->seed, LIMN_STREAM_AUGMENT, d->position, (uint64_t)place);
}

static double spread(const dice *d, int place, double width)
{
    return (2 * uniform(d, place) - 1) * width;
}

/* A factor between 1 / (1 + width) and 1 + width */
static double factor(const dice *d, int place, double width)
{
    return exp(spread(d, place, log1p(width)));
}

/* Turns and flips of pixels are exact: cosines of quarter turns are not computed. */
static void set_matrix(field *f, const limn_augment *o, const dice *d, bool square)
{
    static const int cosine[4] = {1, 0, -1, 0};
    int turn = o->turn ? (int)(4 * uniform(d, TURN)) : 0;
    if (!square) turn &= 2;
    double c = cosine[turn], s = cosine[(turn + 3) % 4], angle = spread(d, ROTATE, o->rotate) * 3.14159265358979323846 / 180;
    double zoom = factor(d, SCALE, o->scale), fx = o->flip_x && uniform(d, FLIP_X) < 0.5 ? -1 : 1,
           fy = o->flip_y && uniform(d, FLIP_Y) < 0.5 ? -1 : 1;
    double rc = o->rotate > 0 ? cos(angle) / zoom : 1 / zoom, rs = o->rotate > 0 ? sin(angle) / zoom : 0;
    f->a[0] = fx * (c * rc - s * rs), f->a[1] = -fx * (s * rc + c * rs);
    f->a[2] = fy * (s * rc + c * rs), f->a[3] = fy * (c * rc - s * rs);
}

static int crop(const dice *d, int place, int from, int to)
{
    if (from <= to) return -((to - from) / 2);
    return (int)limn_random_below(d->seed, LIMN_STREAM_AUGMENT, d->position, (uint64_t)place, (uint64_t)(from - to) + 1);
}

static limn_status make_field(limn_ctx *ctx, const limn_augment *o, const dice *d, const limn_pixels *from, int width,
                              int height, field *f)
{
    *f = (field){.width = from->width,
                 .height = from->height,
                 .step = o->elastic_grid,
                 .centre = {(width - 1) / 2.0, (height - 1) / 2.0}};
    f->middle[0] = crop(d, CROP_X, from->width, width) + f->centre[0];
    f->middle[1] = crop(d, CROP_Y, from->height, height) + f->centre[1];
    set_matrix(f, o, d, width == height);
    if (o->elastic == 0) return LIMN_OK;
    f->nx = (int)(width / f->step) + 4, f->ny = (int)(height / f->step) + 4;
    size_t n = 2 * (size_t)f->nx * (size_t)f->ny;
    f->node = malloc(n * sizeof *f->node);
    if (!f->node) return limn_fail_memory(ctx, n * sizeof *f->node, "an elastic deformation");
    limn_random_normal(d->seed, LIMN_STREAM_AUGMENT, d->position, NODES, n, f->node);
    for (size_t i = 0; i < n; i++) f->node[i] *= (float)o->elastic;
    return LIMN_OK;
}

/* Catmull & Rom 1974: through the nodes. */
static void cubic(double t, double w[4])
{
    double t2 = t * t, t3 = t2 * t;
    w[0] = (-t3 + 2 * t2 - t) / 2, w[1] = (3 * t3 - 5 * t2 + 2) / 2, w[2] = (-3 * t3 + 4 * t2 + t) / 2, w[3] = (t3 - t2) / 2;
}

static void displace(const field *f, int x, int y, double at[2])
{
    double u = x / f->step, v = y / f->step, wx[4], wy[4];
    int i = (int)u, j = (int)v;
    cubic(u - i, wx), cubic(v - j, wy);
    for (int r = 0; r < 4; r++)
        for (int c = 0; c < 4; c++) {
            const float *node = f->node + 2 * ((size_t)(j + r) * (size_t)f->nx + (size_t)(i + c));
            at[0] += wx[c] * wy[r] * (double)node[0], at[1] += wx[c] * wy[r] * (double)node[1];
        }
}

/* Mirrored at the outermost pixels into 0 .. n - 1. */
static double mirror(double x, int n)
{
    double period = 2.0 * (n - 1);
    if (n == 1) return 0;
    x = fabs(x);
    if (x >= period) x -= period * floor(x / period);
    return x > n - 1 ? period - x : x;
}

static void source(const field *f, int x, int y, double at[2])
{
    double dx = x - f->centre[0], dy = y - f->centre[1];
    at[0] = f->middle[0] + f->a[0] * dx + f->a[1] * dy, at[1] = f->middle[1] + f->a[2] * dx + f->a[3] * dy;
    if (f->node) displace(f, x, y, at);
    at[0] = mirror(at[0], f->width), at[1] = mirror(at[1], f->height);
}

/* ---- pixels ----------------------------------------------------------------------------------------------------------- */

/* Catmull & Rom's weights as between nodes: bilinear ones would take more than half of the variance out of grain, and a
 * network that saw only blurred pictures errs on sharp ones.  They undershoot beside edges: cut to 0..1. */
static void bicubic(const limn_pixels *from, const double at[2], float *out)
{
    int column[4], row[4];
    double wx[4], wy[4], left = floor(at[0]), top = floor(at[1]);
    bool exact = at[0] == left && at[1] == top; /* crops and turns: one pixel, the other weights are 0 */
    int first = exact ? 1 : 0, end = exact ? 2 : 4;
    cubic(at[0] - left, wx), cubic(at[1] - top, wy);
    for (int k = first; k < end; k++)
        column[k] = (int)mirror(left + k - 1, from->width), row[k] = (int)mirror(top + k - 1, from->height);
    for (int c = 0; c < from->channels; c++) {
        double sum = 0;
        for (int r = first; r < end; r++)
            for (int k = first; k < end; k++) {
                size_t p = ((size_t)row[r] * (size_t)from->width + (size_t)column[k]) * (size_t)from->channels + (size_t)c;
                sum += wx[k] * wy[r] * (from->bytes ? from->bytes[p] : from->wide[p]);
            }
        out[c] = (float)fmin(fmax(sum / (from->bytes ? 255 : 65535), 0), 1);
    }
}

static void light(const limn_augment *o, const dice *d, size_t n, float *x)
{
    double mean = 0, bright = spread(d, BRIGHTNESS, o->brightness), contrast = factor(d, CONTRAST, o->contrast),
           gamma = factor(d, GAMMA, o->gamma);
    double noise = uniform(d, NOISE) * o->noise;
    bool lit = o->brightness > 0 || o->contrast > 0 || o->gamma > 0;
    for (size_t i = 0; lit && i < n; i++) mean += (double)x[i];
    mean /= (double)n;
    for (size_t i = 0; lit && i < n; i++) {
        double v = fmin(fmax(((double)x[i] - mean) * contrast + mean + bright, 0), 1);
        x[i] = (float)(o->gamma > 0 ? pow(v, gamma) : v);
    }
    for (size_t i = 0; noise > 0 && i < n; i += 256) {
        float grain[256];
        size_t m = n - i < 256 ? n - i : 256;
        limn_random_normal(d->seed, LIMN_STREAM_AUGMENT, d->position, GRAIN + i, m, grain);
        for (size_t k = 0; k < m; k++) x[i + k] = (float)fmin(fmax((double)x[i + k] + noise * (double)grain[k], 0), 1);
    }
}

limn_status limn_augment_sample(limn_ctx *ctx, const limn_augment *o, uint64_t seed, uint64_t position,
                                const limn_pixels *from, const uint8_t *mask, int width, int height, float *image,
                                uint8_t *labels)
{
    field f;
    dice d = {seed, position};
    limn_status status = make_field(ctx, o, &d, from, width, height, &f);
    if (status != LIMN_OK) return status;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            double at[2];
            size_t i = (size_t)y * (size_t)width + (size_t)x;
            source(&f, x, y, at);
            bicubic(from, at, image + i * (size_t)from->channels);
            labels[i] = mask[(size_t)(at[1] + 0.5) * (size_t)from->width + (size_t)(at[0] + 0.5)];
        }
    free(f.node);
    light(o, &d, (size_t)width * (size_t)height * (size_t)from->channels, image);
    return LIMN_OK;
}
