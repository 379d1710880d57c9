/* words.c: see words.h. */
#include "words.h"

#include "base/rng.h"
#include "file/bytes.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

typedef struct pair {
    const char *text;
    int64_t picture;
} pair;

typedef struct place {
    const char *file;
    int64_t picture;
} place;

typedef struct reader {
    limn_ctx *ctx;
    const char *path, *folder, *field;
    words *w;
    place *place;      /* sorted by file */
    int64_t n_places;
    pair *pair;
    size_t n, capacity;
} reader;

static int by_file(const void *a, const void *b)
{
    return strcmp(((const place *)a)->file, ((const place *)b)->file);
}

static int by_text(const void *a, const void *b)
{
    const pair *x = a, *y = b;
    int order = strcmp(x->text, y->text);
    return order ? order : (x->picture > y->picture) - (x->picture < y->picture);
}

static limn_status add(reader *r, const char *text, int64_t picture)
{
    if (r->n == r->capacity) {
        size_t capacity = r->capacity ? 2 * r->capacity : 1024;
        pair *more = realloc(r->pair, capacity * sizeof *more);
        if (!more) return limn_fail_memory(r->ctx, capacity * sizeof *more, r->path);
        r->pair = more, r->capacity = capacity;
    }
    char *own = limn_arena_strdup(r->w->arena, text);
    r->pair[r->n++] = (pair){own, picture};
    return own ? LIMN_OK : limn_fail_memory(r->ctx, strlen(text), r->path);
}

static limn_status take_row(reader *r, const json_t *row, int line)
{
    char file[4096];
    const char *name = json_string_value(json_object_get(row, "file_name"));
    const json_t *list = json_object_get(row, r->field), *text;
    size_t i;
    limn_status status = LIMN_OK;
    if (!name) return limn_fail(r->ctx, LIMN_BAD_FILE, "%s line %d: expected an object with file_name", r->path, line);
    snprintf(file, sizeof file, "%s/%s", r->folder, name);
    const place *found = bsearch(&(place){file, 0}, r->place, (size_t)r->n_places, sizeof *found, by_file);
    if (!found || !list) return LIMN_OK;
    if (!json_is_array(list))
        return limn_fail(r->ctx, LIMN_BAD_FILE, "%s line %d: expected %s to be a list of texts", r->path, line, r->field);
    json_array_foreach(list, i, text) {
        if (!json_is_string(text))
            return limn_fail(r->ctx, LIMN_BAD_FILE, "%s line %d: number %zu of %s is no text", r->path, line, i + 1,
                             r->field);
        if (status == LIMN_OK) status = add(r, json_string_value(text), found->picture);
    }
    return status;
}

static limn_status take_lines(reader *r, const char *bytes)
{
    limn_status status = LIMN_OK;
    int line = 1;
    for (const char *at = bytes; *at && status == LIMN_OK; line++) {
        size_t n = strcspn(at, "\n");
        if (strspn(at, " \t\r") < n) {
            json_t *row = json_loadb(at, n, 0, NULL);
            status = take_row(r, row, line);
            json_decref(row);
        }
        at += n + (at[n] == '\n');
    }
    return status;
}

/* Pairs that are sorted become words; a picture that has one twice carries it once. */
static limn_status gather(reader *r)
{
    words *w = r->w;
    int64_t n = 0;
    if (r->n) qsort(r->pair, r->n, sizeof *r->pair, by_text);
    w->word = malloc((r->n + 1) * sizeof *w->word), w->carrier = malloc((r->n + 1) * sizeof *w->carrier);
    if (!w->word || !w->carrier) return limn_fail_memory(r->ctx, r->n * sizeof *w->word, r->path);
    for (size_t i = 0; i < r->n; i++) {
        bool same = i && strcmp(r->pair[i].text, r->pair[i - 1].text) == 0;
        if (same && r->pair[i].picture == r->pair[i - 1].picture) continue;
        if (!same) w->word[w->n++] = (words_word){r->pair[i].text, n, 0};
        w->word[w->n - 1].n++;
        w->carrier[n++] = r->pair[i].picture;
    }
    return LIMN_OK;
}

static limn_status find_places(reader *r, const limn_dataset *data)
{
    int64_t n = limn_dataset_count(data);
    r->place = malloc((size_t)n * sizeof *r->place);
    if (!r->place) return limn_fail_memory(r->ctx, (size_t)n * sizeof *r->place, r->path);
    for (int64_t i = 0; i < n; i++)
        if (limn_dataset_file(data, i)) r->place[r->n_places++] = (place){limn_dataset_file(data, i), i};
    qsort(r->place, (size_t)r->n_places, sizeof *r->place, by_file);
    return LIMN_OK;
}

limn_status words_read(limn_ctx *ctx, const char *folder, const char *field, const limn_dataset *data, words *out)
{
    char path[4096];
    unsigned char *bytes = NULL;
    size_t n;
    reader r = {.ctx = ctx, .path = path, .folder = folder, .field = field, .w = out};
    snprintf(path, sizeof path, "%s/metadata.jsonl", folder);
    *out = (words){.arena = limn_arena_new()};
    limn_status status =
        out->arena ? limn_file_read(ctx, path, (size_t)1 << 30, &bytes, &n) : limn_fail_memory(ctx, sizeof *out, path);
    if (status == LIMN_OK) status = find_places(&r, data);
    if (status == LIMN_OK) status = take_lines(&r, (const char *)bytes);
    if (status == LIMN_OK) status = gather(&r);
    free(bytes);
    free(r.place);
    free(r.pair);
    if (status != LIMN_OK) words_free(out);
    return status;
}

void words_free(words *w)
{
    limn_arena_free(w->arena);
    free(w->word);
    free(w->carrier);
    *w = (words){0};
}

int64_t words_pick(const words *w, int64_t most, int64_t count, uint64_t seed, int64_t *out)
{
    int64_t n = 0;
    for (int64_t i = 0; i < w->n; i++)
        if (w->word[i].n <= most) out[n++] = i;
    for (int64_t i = 0; i < n && i < count; i++) { /* Fisher & Yates, as far as is asked for */
        int64_t j = i + (int64_t)limn_random_below(seed, LIMN_STREAM_SHUFFLE, 0, (uint64_t)i, (uint64_t)(n - i)),
                first = out[i];
        out[i] = out[j], out[j] = first;
    }
    return n < count ? n : count;
}
