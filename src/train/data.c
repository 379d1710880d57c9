/* data.c: metadata.jsonl folders, the shapes generator, order. */
#include "train/data.h"

#include "base/rng.h"
#include "file/bytes.h"
#include "file/image.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct limn_dataset {
    int size, channels;
    int64_t n, capacity;
    uint8_t *pixels;
    char **captions;
    int64_t *order;     /* of epoch `epoch` */
    uint64_t epoch;
    bool ordered;
};

static size_t picture_bytes(const limn_dataset *d)
{
    return (size_t)d->size * (size_t)d->size * (size_t)d->channels;
}

static limn_status add(limn_ctx *ctx, limn_dataset *d, const char *caption, uint8_t **pixels)
{
    if (d->n == d->capacity) {
        int64_t capacity = d->capacity ? 2 * d->capacity : 1024;
        uint8_t *more = realloc(d->pixels, (size_t)capacity * picture_bytes(d));
        if (more) d->pixels = more;
        char **names = more ? realloc(d->captions, (size_t)capacity * sizeof *names) : NULL;
        if (!names) return limn_fail_memory(ctx, (size_t)capacity * picture_bytes(d), "pictures");
        d->captions = names;
        d->capacity = capacity;
    }
    d->captions[d->n] = strdup(caption);
    if (!d->captions[d->n]) return limn_fail_memory(ctx, strlen(caption), "captions");
    *pixels = d->pixels + (size_t)d->n++ * picture_bytes(d);
    return LIMN_OK;
}

/* ---- metadata.jsonl --------------------------------------------------------------------------------------------------- */

static bool matches(const json_t *row, const char *where)
{
    while (where && *where) {
        char field[64], value[128];
        int used = 0;
        if (sscanf(where, "%63[^=,]=%127[^,]%n", field, value, &used) != 2) return false;
        const char *has = json_string_value(json_object_get(row, field));
        if (!has || strcmp(has, value) != 0) return false;
        where += used;
        if (*where == ',') where++;
    }
    return true;
}

static limn_status check_where(limn_ctx *ctx, const json_t *row, const char *where)
{
    while (where && *where) {
        char field[64];
        size_t n = strcspn(where, "=");
        snprintf(field, sizeof field, "%.*s", (int)(n < 63 ? n : 63), where);
        if (where[n] != '=' || !json_object_get(row, field))
            return limn_fail(ctx, LIMN_BAD_ARGUMENT, "--where expects field=value[,field=value], and \"%s\" is no field of metadata.jsonl", field);
        where += strcspn(where, ",");
        if (*where == ',') where++;
    }
    return LIMN_OK;
}

static bool plain_relative(const char *path)
{
    if (path[0] == '/' || !path[0]) return false;
    for (const char *p = path; (p = strstr(p, "..")); p += 2)
        if ((p == path || p[-1] == '/') && (p[2] == '/' || !p[2])) return false;
    return true;
}

static limn_status add_row(limn_ctx *ctx, limn_dataset *d, const char *folder, const json_t *row)
{
    const char *name = json_string_value(json_object_get(row, "file_name")), *text = json_string_value(json_object_get(row, "text"));
    if (!name || !text) return limn_fail(ctx, LIMN_BAD_FILE, "expected strings file_name and text");
    if (!plain_relative(name)) return limn_fail(ctx, LIMN_BAD_FILE, "file_name must lie inside the folder");
    char path[2048];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    limn_image image, sized = {0};
    limn_status status = limn_image_read(ctx, path, d->channels, &image);
    if (status != LIMN_OK) return status;
    if (image.width != d->size || image.height != d->size) {
        status = limn_image_resize(ctx, &image, d->size, d->size, &sized);
        limn_image_free(&image);
        image = sized;
    }
    uint8_t *pixels;
    if (status == LIMN_OK) status = add(ctx, d, text, &pixels);
    if (status == LIMN_OK) memcpy(pixels, image.pixels, picture_bytes(d));
    limn_image_free(&image);
    return status;
}

static limn_status read_folder(limn_ctx *ctx, limn_dataset *d, const limn_data_options *o)
{
    char path[2048];
    unsigned char *bytes;
    size_t n;
    snprintf(path, sizeof path, "%s/metadata.jsonl", o->folder);
    limn_status status = limn_file_read(ctx, path, (size_t)1 << 30, &bytes, &n);
    if (status != LIMN_OK) return status;
    int64_t line = 0;
    for (size_t begin = 0; begin < n && status == LIMN_OK;) {
        const unsigned char *newline = memchr(bytes + begin, '\n', n - begin);
        size_t end = newline ? (size_t)(newline - bytes) : n;
        line++;
        if (end > begin) {
            json_error_t error;
            json_t *row = json_loadb((const char *)bytes + begin, end - begin, JSON_REJECT_DUPLICATES, &error);
            char shown[256];
            if (!row || !json_is_object(row))
                status = limn_fail(ctx, LIMN_BAD_FILE, "%s", row ? "expected an object" : limn_escape(error.text, strlen(error.text), shown, sizeof shown));
            else if (line == 1) status = check_where(ctx, row, o->where);
            if (status == LIMN_OK && matches(row, o->where)) status = add_row(ctx, d, o->folder, row);
            json_decref(row);
            if (status != LIMN_OK && status != LIMN_BAD_ARGUMENT) limn_fail_in(ctx, status, "%s line %lld", path, (long long)line);
        }
        begin = end + 1;
    }
    free(bytes);
    return status;
}

/* ---- shapes ----------------------------------------------------------------------------------------------------------- */

static const struct { const char *name; uint8_t rgb[3]; } colours[] = {
    {"red", {220, 40, 40}}, {"green", {40, 170, 60}}, {"blue", {40, 80, 220}}, {"yellow", {240, 210, 40}},
    {"purple", {150, 60, 190}}, {"orange", {245, 140, 30}}, {"black", {20, 20, 20}}, {"pink", {250, 150, 190}},
};
static const char *const kinds[] = {"circle", "square", "triangle", "diamond"};
static const char *const relations[] = {"above", "below", "left of", "right of"};

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

static void draw(const limn_dataset *d, uint8_t *pixels, unsigned kind, const uint8_t *rgb, float cx, float cy, float radius)
{
    for (int y = 0; y < d->size; y++)
        for (int x = 0; x < d->size; x++) {
            int covered = 0;
            for (int s = 0; s < 16; s++) {
                float px = ((float)x + ((float)(s % 4) + 0.5f) / 4) / (float)d->size, py = ((float)y + ((float)(s / 4) + 0.5f) / 4) / (float)d->size;
                covered += inside(kind, (px - cx) / radius, (py - cy) / radius);
            }
            uint8_t *p = pixels + ((size_t)y * (size_t)d->size + (size_t)x) * (size_t)d->channels;
            int old = d->channels == 4 && p[3] == 0 ? 0 : 16 - covered;
            for (int c = 0; c < 3 && covered; c++) p[c] = (uint8_t)((rgb[c] * (16 - old) + p[c] * old) / 16);
            if (d->channels == 4 && covered * 255 / 16 > p[3]) p[3] = (uint8_t)(covered * 255 / 16);
        }
}

static limn_status make_shapes(limn_ctx *ctx, limn_dataset *d, int n)
{
    for (int i = 0; i < n; i++) {
        uint32_t w[4];
        limn_random_words(0, LIMN_STREAM_SHAPES, (uint64_t)i, 0, w);
        unsigned c1 = w[0] % 8, c2 = (c1 + 1 + w[1] % 7) % 8, k1 = (w[0] >> 8) % 4, k2 = (w[1] >> 8) % 4, relation = w[2] % 4;
        char caption[128];
        snprintf(caption, sizeof caption, "a %s %s %s a %s %s", colours[c1].name, kinds[k1], relations[relation], colours[c2].name, kinds[k2]);
        uint8_t *pixels;
        limn_status status = add(ctx, d, caption, &pixels);
        if (status != LIMN_OK) return status;
        memset(pixels, d->channels == 4 ? 0 : 255, picture_bytes(d));
        float side = relation % 2 ? 0.73f : 0.27f, x = relation < 2 ? 0.5f : side, y = relation < 2 ? side : 0.5f;
        if (relation >= 2) x = relation == 2 ? 0.27f : 0.73f;
        if (relation < 2) y = relation == 0 ? 0.27f : 0.73f;
        draw(d, pixels, k1, colours[c1].rgb, x, y, 0.2f);
        draw(d, pixels, k2, colours[c2].rgb, 1 - x, 1 - y, 0.2f);
    }
    return LIMN_OK;
}

/* ---- opening ---------------------------------------------------------------------------------------------------------- */

limn_status limn_dataset_open(limn_ctx *ctx, const limn_data_options *o, limn_dataset **out)
{
    *out = NULL;
    if (o->channels != 3 && o->channels != 4) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "pictures have 3 or 4 channels, the network %d", o->channels);
    limn_dataset *d = calloc(1, sizeof *d);
    if (!d) return limn_fail_memory(ctx, sizeof *d, "a data set");
    d->size = o->size, d->channels = o->channels;
    limn_status status = strcmp(o->folder, "shapes") == 0 ? make_shapes(ctx, d, o->n_shapes ? o->n_shapes : 4096) : read_folder(ctx, d, o);
    if (status == LIMN_OK && d->n == 0) status = limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s holds no picture%s%s", o->folder, o->where ? " with " : "", o->where ? o->where : "");
    if (status == LIMN_OK && !(d->order = malloc((size_t)d->n * sizeof *d->order))) status = limn_fail_memory(ctx, (size_t)d->n, "an order");
    if (status == LIMN_OK) *out = d;
    else limn_dataset_free(d);
    return status;
}

void limn_dataset_free(limn_dataset *d)
{
    if (!d) return;
    for (int64_t i = 0; i < d->n; i++) free(d->captions[i]);
    free(d->captions);
    free(d->pixels);
    free(d->order);
    free(d);
}

int64_t limn_dataset_count(const limn_dataset *d)
{
    return d->n;
}

const char *limn_dataset_caption(const limn_dataset *d, int64_t i)
{
    return d->captions[i];
}

void limn_dataset_picture(const limn_dataset *d, int64_t i, bool flip, float *out)
{
    const uint8_t *pixels = d->pixels + (size_t)i * picture_bytes(d);
    int c = d->channels, n = d->size;
    for (int y = 0; y < n; y++)
        for (int x = 0; x < n; x++) {
            const uint8_t *p = pixels + ((size_t)y * (size_t)n + (size_t)(flip ? n - 1 - x : x)) * (size_t)c;
            float alpha = c == 4 ? (float)p[3] / 255 : 1;
            for (int k = 0; k < c; k++) *out++ = (float)p[k] * (k < 3 ? alpha : 1) / 127.5f - 1;
        }
}

/* Fisher & Yates with numbers that depend on (seed, epoch, place) only. */
int64_t limn_dataset_index(limn_dataset *d, uint64_t seed, uint64_t position)
{
    uint64_t epoch = position / (uint64_t)d->n;
    if (!d->ordered || d->epoch != epoch) {
        for (int64_t i = 0; i < d->n; i++) d->order[i] = i;
        for (int64_t i = d->n - 1; i > 0; i--) {
            int64_t j = (int64_t)limn_random_below(seed, LIMN_STREAM_SHUFFLE, epoch, (uint64_t)i, (uint64_t)i + 1), old = d->order[i];
            d->order[i] = d->order[j];
            d->order[j] = old;
        }
        d->epoch = epoch;
        d->ordered = true;
    }
    return d->order[position % (uint64_t)d->n];
}
