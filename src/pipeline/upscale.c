/* upscale.c: a picture enlarged, and drawn anew in tiles that overlap, a part of the way from noise each. */
#include "denoise/picture.h"
#include "file/image.h"
#include "net/tiles.h"
#include "pipeline/autoencoder.h"
#include "pipeline/sampling.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct axis {
    int side, tile, overlap, n; /* of the large picture, of each tile; tiles */
} axis;

typedef struct upscale {
    limn_pipeline *p;
    limn_generate_options o; /* of a tile */
    axis x, y;
    limn_image large;
    float *sum, *weight;     /* [height, width, channels], [height, width] */
} upscale;

/* ---- sizes ------------------------------------------------------------------------------------------------------------ */

static limn_status check(limn_pipeline *p, const limn_image *small, const limn_upscale_options *u,
                         const limn_generate_options *o)
{
    limn_pipeline_info info = limn_pipeline_describe(p);
    limn_status status = limn_pipeline_check_idle(p);
    if (status == LIMN_OK) status = limn_sampling_check_pictures(p);
    if (status != LIMN_OK) return status;
    if (info.edits)
        return limn_fail(p->ctx, LIMN_UNSUPPORTED, "%s changes a picture as a text says, and draws none anew in tiles: take "
                         "the model that it was made from", p->name);
    if (info.enlarges || !info.makes_latents)
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "%s: pictures are enlarged in tiles by models of latents: %s", p->name,
                         info.enlarges ? "it enlarges by itself (limn_generate(), options.small)" : "it draws pixels");
    if (!small->pixels || !(u->scale >= 1 && u->scale <= 8))
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "expected a picture to enlarge 1 to 8 times, found %.9g times",
                         u->scale);
    if (o->n != 1 || o->init || o->init_latent || o->mask || o->small || o->between || o->hires > 1 || o->width || o->height)
        return limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "a picture that is enlarged is one, and gives the start and the sides: "
                         "expected none in the options");
    return u->tile >= 0 && u->overlap >= 0
               ? LIMN_OK
               : limn_fail(p->ctx, LIMN_BAD_ARGUMENT, "expected a side of tiles and an overlap of 0 or more, found %d and "
                           "%d", u->tile, u->overlap);
}

static limn_status check_tile(const limn_pipeline *p, int width, int height)
{
    limn_generate_options o = {.width = width, .height = height};
    return limn_generate_check_sides(p, &o);
}

/* A picture smaller than a tile has one, the smallest that holds it. */
static limn_status take_sides(upscale *s, const limn_upscale_options *u, const limn_image *small)
{
    limn_pipeline_info info = limn_pipeline_describe(s->p);
    int tile_x = u->tile ? u->tile : info.width, tile_y = u->tile ? u->tile : info.height;
    int width = (int)lround(small->width * u->scale), height = (int)lround(small->height * u->scale), x, y;
    limn_status status = check_tile(s->p, tile_x, tile_y);
    if (status != LIMN_OK) return limn_fail_in(s->p->ctx, status, "tiles of %d x %d", tile_x, tile_y);
    status = limn_image_check(s->p->ctx, "the enlarged picture", (uint32_t)width, (uint32_t)height, info.channels);
    if (status != LIMN_OK) return status;
    for (x = width < tile_x ? width : tile_x; check_tile(s->p, x, tile_y) != LIMN_OK;) x++;
    for (y = height < tile_y ? height : tile_y; check_tile(s->p, x, y) != LIMN_OK;) y++;
    int shorter = tile_x < tile_y ? tile_x : tile_y, overlap = u->overlap ? u->overlap : shorter / 8;
    if (overlap >= shorter)
        return limn_fail(s->p->ctx, LIMN_BAD_ARGUMENT, "tiles of %d x %d cannot share %d pixels: expected fewer", tile_x,
                         tile_y, overlap);
    s->x = (axis){width, x, overlap, limn_tiles_count(width, x, overlap, 1)};
    s->y = (axis){height, y, overlap, limn_tiles_count(height, y, overlap, 1)};
    s->o.width = x, s->o.height = y;
    return LIMN_OK;
}

/* The picture with the model's channels, enlarged; room for what is drawn. */
static limn_status take_pictures(upscale *s, const limn_image *small)
{
    limn_ctx *ctx = s->p->ctx;
    limn_image copy = {0};
    size_t pixels = (size_t)s->x.side * (size_t)s->y.side, c = (size_t)limn_pipeline_describe(s->p).channels;
    size_t bytes = pixels * (2 * c + (c + 1) * sizeof *s->sum), have = limn_memory_available();
    if (have && bytes > have)
        return limn_fail(ctx, LIMN_NO_MEMORY, "a picture of %d x %d takes %.1f MB while it is laid together, and the "
                         "machine has %.1f MB", s->x.side, s->y.side, (double)bytes * 1e-6, (double)have * 1e-6);
    limn_log(ctx, LIMN_LOG_INFO, "%d x %d pixels (%.1f MB) in tiles of %d x %d: %d", s->x.side, s->y.side,
             (double)bytes * 1e-6, s->x.tile, s->y.tile, s->x.n * s->y.n);
    limn_status status = limn_image_copy(ctx, small, (int)c, &copy);
    if (status == LIMN_OK) status = limn_image_resize(ctx, &copy, s->x.side, s->y.side, &s->large);
    limn_image_free(&copy);
    if (status != LIMN_OK) return status;
    s->sum = calloc(pixels * c, sizeof *s->sum), s->weight = calloc(pixels, sizeof *s->weight);
    return s->sum && s->weight ? LIMN_OK : limn_fail_memory(ctx, pixels * (c + 1) * sizeof *s->sum, "an enlarged picture");
}

/* ---- tiles ------------------------------------------------------------------------------------------------------------ */

static int within(int i, int n)
{
    return i < 0 ? 0 : i < n ? i : n - 1;
}

/* What of the large picture the tile at (left, top) starts from; beyond the edge the last row and column go on. */
static limn_status cut(const upscale *s, int left, int top, limn_image *tile)
{
    size_t c = (size_t)s->large.channels;
    limn_status status = limn_image_new(s->p->ctx, "a tile", (uint32_t)s->x.tile, (uint32_t)s->y.tile, (int)c, tile);
    if (status != LIMN_OK) return status;
    for (int y = 0; y < s->y.tile; y++)
        for (int x = 0; x < s->x.tile; x++)
            memcpy(tile->pixels + ((size_t)y * (size_t)s->x.tile + (size_t)x) * c,
                   s->large.pixels + ((size_t)within(top + y, s->y.side) * (size_t)s->x.side +
                                      (size_t)within(left + x, s->x.side)) * c, c);
    return LIMN_OK;
}

static void add(upscale *s, int left, int top, const limn_image *tile)
{
    size_t c = (size_t)s->large.channels;
    float values[4];
    for (int y = 0; y < s->y.tile; y++)
        for (int x = 0; x < s->x.tile; x++) {
            int column = left + x, row = top + y;
            if (column < 0 || row < 0 || column >= s->x.side || row >= s->y.side) continue;
            size_t at = (size_t)row * (size_t)s->x.side + (size_t)column;
            float w = limn_tiles_ramp(x, s->x.tile, s->x.overlap) * limn_tiles_ramp(y, s->y.tile, s->y.overlap);
            limn_pixel_values(tile->pixels + ((size_t)y * (size_t)s->x.tile + (size_t)x) * c, (int)c, values);
            for (size_t k = 0; k < c; k++) s->sum[at * c + k] += w * values[k];
            s->weight[at] += w;
        }
}

/* Tile i, row by row, with noise of its own. */
static limn_status draw_tile(upscale *s, int i, uint64_t seed)
{
    int n = s->x.n * s->y.n, left = limn_tiles_begin(i % s->x.n, s->x.n, s->x.side, s->x.tile, 1),
        top = limn_tiles_begin(i / s->x.n, s->y.n, s->y.side, s->y.tile, 1);
    limn_image start = {0}, drawn = {0};
    limn_sampling *sampling = NULL;
    if (!limn_progress(s->p->ctx, "tile", i, n))
        return limn_fail(s->p->ctx, LIMN_CANCELLED, "stopped after %d of %d tiles", i, n);
    limn_status status = cut(s, left, top, &start);
    s->o.init = &start, s->o.seed = seed + (uint64_t)i;
    if (status == LIMN_OK) status = limn_sampling_open(s->p, &s->o, LIMN_DECODES_LAST, &sampling);
    if (status == LIMN_OK) {
        sampling->done = i * sampling->total, sampling->total *= n;
        status = limn_sampling_run(sampling, &drawn, NULL);
    }
    if (status == LIMN_OK) add(s, left, top, &drawn);
    limn_sampling_end(sampling);
    limn_image_free(&start);
    limn_image_free(&drawn);
    return status;
}

static limn_status draw(upscale *s, limn_image *out)
{
    int n = s->x.n * s->y.n;
    size_t pixels = (size_t)s->x.side * (size_t)s->y.side, c = (size_t)s->large.channels;
    uint64_t seed = s->o.seed;
    limn_status status = LIMN_OK;
    if (limn_start_steps(s->p, s->o.steps, s->o.strength) == 0) {
        limn_log(s->p->ctx, LIMN_LOG_WARN, "a strength of %g of %d steps is no step: the picture is enlarged, and nothing "
                 "is drawn anew", s->o.strength, s->o.steps);
        return *out = s->large, s->large = (limn_image){0}, LIMN_OK;
    }
    for (int i = 0; i < n && status == LIMN_OK; i++) {
        s->p->recipe.again = i + 1 < n;
        status = draw_tile(s, i, seed);
    }
    s->p->recipe.again = false;
    for (size_t i = 0; i < pixels * c && status == LIMN_OK; i++) s->sum[i] /= s->weight[i / c];
    return status == LIMN_OK ? limn_picture_bytes(s->p->ctx, s->x.side, s->y.side, (int)c, s->sum, out) : status;
}

limn_status limn_upscale(limn_pipeline *p, const limn_image *small, const limn_upscale_options *options,
                         const limn_generate_options *o, limn_image *out)
{
    upscale s = {.p = p, .o = *o};
    *out = (limn_image){0};
    limn_status status = check(p, small, options, o);
    if (status == LIMN_OK) status = take_sides(&s, options, small);
    if (status == LIMN_OK) {
        s.o.init = small;
        status = limn_sampling_check(p, &s.o);
    }
    if (status == LIMN_OK) status = take_pictures(&s, small);
    if (status == LIMN_OK) status = draw(&s, out);
    limn_image_free(&s.large);
    free(s.sum);
    free(s.weight);
    return status;
}
