/* shapes.c: two coloured shapes and how they lie to each other. */
#include "data/shapes.h"

#include "base/rng.h"

#include <math.h>
#include <string.h>

enum { N_COLOURS = 8, N_KINDS = 4 };
static const struct { const char *name; uint8_t rgb[3]; } colours[N_COLOURS] = {
    {"red", {220, 40, 40}}, {"green", {40, 170, 60}}, {"blue", {40, 80, 220}}, {"yellow", {240, 210, 40}},
    {"purple", {150, 60, 190}}, {"orange", {245, 140, 30}}, {"black", {20, 20, 20}}, {"pink", {250, 150, 190}},
};
static const char *const kinds[N_KINDS] = {"circle", "square", "triangle", "diamond"};
static const struct { const char *name; float x, y; } relations[] = { /* where the first shape lies; the second mirrors it */
    {"above", 0.5f, 0.27f}, {"below", 0.5f, 0.73f}, {"left of", 0.27f, 0.5f}, {"right of", 0.73f, 0.5f},
};

typedef struct scene {
    unsigned colour[2], kind[2], relation;
} scene;

static scene scene_of(int64_t i)
{
    uint32_t w[4];
    limn_random_words(0, LIMN_STREAM_SHAPES, (uint64_t)i, 0, w);
    unsigned first = w[0] % N_COLOURS, second = (first + 1 + w[1] % (N_COLOURS - 1)) % N_COLOURS;
    return (scene){{first, second}, {(w[0] >> 8) % N_KINDS, (w[1] >> 8) % N_KINDS}, w[2] % 4};
}

limn_status limn_shapes_rows(limn_ctx *ctx, int64_t n, limn_rows *rows)
{
    const char *class[N_COLOURS * N_KINDS];
    limn_status status = LIMN_OK;
    for (int k = 0; k < N_COLOURS * N_KINDS && status == LIMN_OK; k++) {
        class[k] = limn_arena_printf(rows->arena, "%s %s", colours[k / N_KINDS].name, kinds[k % N_KINDS]);
        status = class[k] ? limn_rows_note_class(ctx, rows, class[k]) : limn_fail_memory(ctx, 64, "the classes of shapes");
    }
    for (int64_t i = 0; i < n && status == LIMN_OK; i++) {
        scene s = scene_of(i);
        const char *first = class[s.colour[0] * N_KINDS + s.kind[0]], *second = class[s.colour[1] * N_KINDS + s.kind[1]];
        const char *caption = limn_arena_printf(rows->arena, "a %s %s a %s", first, relations[s.relation].name, second);
        status =
            caption ? limn_rows_add(ctx, rows, NULL, caption, first) : limn_fail_memory(ctx, 64, "the captions of shapes");
    }
    return status;
}

/* x, y in [-1,1] relative to the centre */
static bool inside(unsigned kind, float x, float y)
{
    switch (kind) {
    case 0: return x * x + y * y < 1;
    case 1: return fabsf(x) < 0.85f && fabsf(y) < 0.85f;
    case 2: return y < 0.85f && y > -0.95f && fabsf(x) < 0.55f * (y + 0.95f);
    default: return fabsf(x) + fabsf(y) < 1;
    }
}

/* 4 x 4 samples a pixel; on a clear pixel the colour is whole and alpha tells how much is covered. */
static void draw(limn_image *image, unsigned kind, const uint8_t *rgb, float cx, float cy, float radius)
{
    int size = image->width, channels = image->channels;
    for (int y = 0; y < size; y++)
        for (int x = 0; x < size; x++) {
            int covered = 0;
            for (int s = 0; s < 16; s++) {
                float px = ((float)x + ((float)(s % 4) + 0.5f) / 4) / (float)size,
                      py = ((float)y + ((float)(s / 4) + 0.5f) / 4) / (float)size;
                covered += inside(kind, (px - cx) / radius, (py - cy) / radius);
            }
            uint8_t *p = image->pixels + ((size_t)y * (size_t)size + (size_t)x) * (size_t)channels;
            int old = channels == 4 && p[3] == 0 ? 0 : 16 - covered;
            for (int c = 0; c < 3 && covered; c++) p[c] = (uint8_t)((rgb[c] * (16 - old) + p[c] * old) / 16);
            if (channels == 4 && covered * 255 / 16 > p[3]) p[3] = (uint8_t)(covered * 255 / 16);
        }
}

limn_status limn_shapes_draw(limn_ctx *ctx, int64_t i, int size, int channels, limn_image *out)
{
    scene s = scene_of(i);
    bool clear = channels == 2 || channels == 4;
    limn_status status = limn_image_new(ctx, "a picture of shapes", (uint32_t)size, (uint32_t)size, clear ? 4 : 3, out);
    if (status != LIMN_OK) return status;
    memset(out->pixels, clear ? 0 : 255, (size_t)size * (size_t)size * (size_t)out->channels);
    float x = relations[s.relation].x, y = relations[s.relation].y;
    draw(out, s.kind[0], colours[s.colour[0]].rgb, x, y, 0.2f);
    draw(out, s.kind[1], colours[s.colour[1]].rgb, 1 - x, 1 - y, 0.2f);
    status = limn_image_convert(ctx, out, channels);
    if (status != LIMN_OK) limn_image_free(out);
    return status;
}
