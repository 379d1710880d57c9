/* score.c: do the pictures match their captions?
 *
 *   limn-score MODEL DATA GALLERY ASK COUNT [STEPS CFG SHEET.png]
 *   limn-score models/emoji DATA style=noto style=noto,split=train 200
 *
 * Asks MODEL for pictures of COUNT captions among the rows ASK of DATA/metadata.jsonl (0: all), and looks for the nearest neighbours of each among
 * the rows GALLERY: mean squared distance of thumbnails, 16x16, colours multiplied by alpha.  Prints how many carry the caption that was asked for,
 * as the nearest and among the five nearest.  SHEET: the first 64 pictures, each beside its original. */
#include "base/rng.h"
#include "pipeline/generate.h"
#include "train/data.h"

#include <stdlib.h>
#include <string.h>

enum { SIDE = 16, CHANNELS = 4, THUMB = SIDE * SIDE * CHANNELS, TOP = 5, SHOWN = 64, SHEET_COLUMNS = 16 };

/* Mean of each block of [size,size,4] in -1..1. */
static void thumbnail(const float *x, int size, float *out)
{
    int block = size / SIDE;
    memset(out, 0, THUMB * sizeof *out);
    for (int y = 0; y < SIDE * block; y++)
        for (int c = 0; c < SIDE * block * CHANNELS; c++)
            out[(y / block * SIDE + c / CHANNELS / block) * CHANNELS + c % CHANNELS] += x[(y * size) * CHANNELS + c] / (float)(block * block);
}

static void premultiplied(const limn_image *image, float *x)
{
    for (int i = 0; i < image->width * image->height; i++)
        for (int c = 0; c < CHANNELS; c++) {
            const uint8_t *p = image->pixels + (size_t)i * CHANNELS;
            x[i * CHANNELS + c] = (float)p[c] / 127.5f * (c < 3 ? (float)p[3] / 255 : 1) - 1;
        }
}

static double distance(const float *a, const float *b)
{
    double sum = 0;
    for (int i = 0; i < THUMB; i++) sum += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    return sum / THUMB;
}

/* Place of the first gallery picture with this caption: 0 the nearest, TOP or more: not among the first. */
static int place_of(const limn_dataset *gallery, const float *thumbs, const float *mine, const char *caption)
{
    double best = 1e30;
    int closer = 0;
    int64_t n = limn_dataset_count(gallery);
    for (int64_t i = 0; i < n; i++)
        if (!strcmp(limn_dataset_caption(gallery, i), caption)) {
            double d = distance(thumbs + i * THUMB, mine);
            if (d < best) best = d;
        }
    for (int64_t i = 0; i < n; i++) closer += strcmp(limn_dataset_caption(gallery, i), caption) && distance(thumbs + i * THUMB, mine) < best;
    return closer;
}

typedef struct scores {
    limn_ctx *ctx;
    limn_pipeline *pipeline;
    limn_generate_options options;
    limn_dataset *gallery, *asked;
    float *thumbs, *pixels;
    int size, n_shown;
    limn_image sheet;
} scores;

static void show(scores *s, const limn_image *made, int64_t i)
{
    if (!s->sheet.pixels || s->n_shown == SHOWN) return;
    int at = s->n_shown++, row = at / (SHEET_COLUMNS / 2), column = at % (SHEET_COLUMNS / 2) * 2;
    if (limn_dataset_picture(s->ctx, s->asked, i, s->pixels) != LIMN_OK) return;
    for (int y = 0; y < s->size; y++) {
        uint8_t *to = s->sheet.pixels + ((size_t)(row * s->size + y) * (size_t)s->sheet.width + (size_t)(column * s->size)) * CHANNELS;
        memcpy(to, made->pixels + (size_t)y * (size_t)s->size * CHANNELS, (size_t)s->size * CHANNELS);
        for (int x = 0; x < s->size; x++, to += CHANNELS) {
            const float *p = s->pixels + ((size_t)y * (size_t)s->size + (size_t)x) * CHANNELS;
            float alpha = p[3] * 0.5f + 0.5f;
            uint8_t *q = to + (size_t)s->size * CHANNELS;
            for (int c = 0; c < 3; c++) q[c] = alpha > 0 ? (uint8_t)((p[c] * 0.5f + 0.5f) / alpha * 255 + 0.5f) : 0;
            q[3] = (uint8_t)(alpha * 255 + 0.5f);
        }
    }
}

static limn_status ask(scores *s, int64_t i, int *place)
{
    limn_image image = {0};
    float mine[THUMB];
    s->options.prompt = limn_dataset_caption(s->asked, i);
    limn_status status = limn_generate(s->pipeline, &s->options, &image);
    if (status != LIMN_OK) return status;
    premultiplied(&image, s->pixels);
    thumbnail(s->pixels, s->size, mine);
    *place = place_of(s->gallery, s->thumbs, mine, s->options.prompt);
    show(s, &image, i);
    limn_image_free(&image);
    return LIMN_OK;
}

static limn_status score(limn_ctx *ctx, scores *s, int count)
{
    int64_t n = limn_dataset_count(s->asked), total = count && count < n ? count : n, first = 0, five = 0;
    for (int64_t k = 0; k < total; k++) {
        int place = 0;
        limn_status status = ask(s, limn_dataset_index(s->asked, 1, (uint64_t)k), &place);
        if (status != LIMN_OK) return status;
        first += place == 0;
        five += place < TOP;
        fprintf(stderr, "\r%lld/%lld  nearest %.1f %%  among five %.1f %%", (long long)k + 1, (long long)total, 100.0 * (double)first / (double)(k + 1),
                100.0 * (double)five / (double)(k + 1));
    }
    fprintf(stderr, "\n");
    printf("%lld captions against %lld pictures: nearest %.1f %%, among the five nearest %.1f %%  (%d steps, guidance %g, seed %llu)\n", (long long)total,
           (long long)limn_dataset_count(s->gallery), 100.0 * (double)first / (double)total, 100.0 * (double)five / (double)total, s->options.steps,
           s->options.guidance, (unsigned long long)s->options.seed);
    (void)ctx;
    return LIMN_OK;
}

static limn_status open_all(limn_ctx *ctx, scores *s, char **argv)
{
    s->ctx = ctx;
    limn_status status = limn_pipeline_open(ctx, argv[1], &s->pipeline);
    if (status != LIMN_OK) return status;
    s->size = limn_settings_get(limn_pipeline_settings(s->pipeline), "size");
    limn_data_options data = {.folder = argv[2], .where = argv[3], .size = s->size, .channels = CHANNELS};
    if (limn_settings_get(limn_pipeline_settings(s->pipeline), "channels") != CHANNELS || s->size % SIDE)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "limn-score expects a model of RGBA pictures whose size is a multiple of %d", SIDE);
    status = limn_dataset_open(ctx, &data, &s->gallery);
    data.where = argv[4];
    if (status == LIMN_OK) status = limn_dataset_open(ctx, &data, &s->asked);
    if (status != LIMN_OK) return status;
    size_t n = (size_t)limn_dataset_count(s->gallery);
    s->thumbs = malloc(n * THUMB * sizeof *s->thumbs);
    s->pixels = malloc((size_t)s->size * (size_t)s->size * CHANNELS * sizeof *s->pixels);
    s->sheet = (limn_image){.width = SHEET_COLUMNS * s->size, .height = SHOWN / SHEET_COLUMNS * 2 * s->size, .channels = CHANNELS};
    s->sheet.pixels = calloc((size_t)s->sheet.width * (size_t)s->sheet.height, CHANNELS);
    if (!s->thumbs || !s->pixels || !s->sheet.pixels) return limn_fail_memory(ctx, n * THUMB * sizeof(float), "thumbnails");
    for (size_t i = 0; i < n && status == LIMN_OK; i++) {
        status = limn_dataset_picture(ctx, s->gallery, (int64_t)i, s->pixels);
        if (status == LIMN_OK) thumbnail(s->pixels, s->size, s->thumbs + i * THUMB);
    }
    return status;
}

int main(int argc, char **argv)
{
    if (argc < 6) return fprintf(stderr, "limn-score MODEL DATA GALLERY ASK COUNT [STEPS CFG SHEET.png]\n"), 2;
    limn_ctx *ctx = limn_ctx_new();
    if (!ctx) return 1;
    scores s = {.options = {.n = 1, .steps = argc > 6 ? atoi(argv[6]) : 20, .guidance = argc > 7 ? atof(argv[7]) : 3, .seed = 42}};
    limn_status status = open_all(ctx, &s, argv);
    if (status == LIMN_OK) status = score(ctx, &s, atoi(argv[5]));
    if (status == LIMN_OK && argc > 8) status = limn_png_write(ctx, argv[8], &s.sheet, "generated, original, ...");
    if (status != LIMN_OK) fprintf(stderr, "limn-score: %s\n", limn_error_text(ctx));
    limn_image_free(&s.sheet);
    free(s.thumbs);
    free(s.pixels);
    limn_dataset_free(s.gallery);
    limn_dataset_free(s.asked);
    limn_pipeline_free(s.pipeline);
    limn_ctx_free(ctx);
    return status == LIMN_OK ? 0 : 1;
}
