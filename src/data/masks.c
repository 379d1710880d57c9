/* masks.c: opening pictures with masks, parts of them held out, order, samples; see masks.h. */
#include "data/mask_parts.h"

#include "base/rng.h"
#include "data/case.h"
#include "data/listing.h"

#include <stdlib.h>
#include <string.h>

/* ---- what is held out ------------------------------------------------------------------------------------------------- */

/* "24..29,case_7": out [n]: whether it is named.  A name or a range without a picture is a mistake. */
static limn_status pick(limn_ctx *ctx, const limn_masks *m, const char *ranges, bool *out)
{
    const char *p = ranges;
    do {
        char first[256], last[256], shown[256];
        size_t n = strcspn(p, ",");
        bool any = false;
        char *composed = limn_name_composed(p, n);
        if (!composed) return limn_fail_memory(ctx, n, "a name");
        snprintf(first, sizeof first, "%s", composed);
        free(composed);
        char *dots = strstr(first, "..");
        snprintf(last, sizeof last, "%s", dots ? dots + 2 : first);
        if (dots) *dots = '\0';
        for (int64_t i = 0; i < m->n; i++) {
            bool inside = limn_names_compare(first, m->row[i].name) <= 0 && limn_names_compare(m->row[i].name, last) <= 0;
            any = any || inside, out[i] = out[i] || inside;
        }
        if (!any)
            return limn_fail(ctx, LIMN_BAD_ARGUMENT, "no picture to hold out is named \"%s\"; there are %lld, %s to %s",
                             limn_escape(p, n, shown, sizeof shown), (long long)m->n, m->row[0].name, m->row[m->n - 1].name);
        p += n + (p[n] == ',');
    } while (*p);
    return LIMN_OK;
}

typedef struct card {
    uint64_t hash; /* of the name */
    int64_t i;
} card;

static int by_hash(const void *a, const void *b)
{
    const card *x = a, *y = b;
    return x->hash != y->hash ? x->hash < y->hash ? -1 : 1 : (x->i > y->i) - (x->i < y->i);
}

/* Names are dealt out in the order of their hashes.  out [n]: whether it is in the fold */
static limn_status deal(limn_ctx *ctx, const limn_masks *m, int fold, int folds, bool *out)
{
    card *cards = malloc((size_t)m->n * sizeof *cards);
    if (!cards) return limn_fail_memory(ctx, (size_t)m->n * sizeof *cards, "folds");
    for (int64_t i = 0; i < m->n; i++) cards[i] = (card){limn_hash_name(m->row[i].name), i};
    qsort(cards, (size_t)m->n, sizeof *cards, by_hash);
    for (int64_t k = 0; k < m->n; k++) out[cards[k].i] = k % folds == fold;
    free(cards);
    return LIMN_OK;
}

static size_t pixels_of(const limn_mask_row *row)
{
    return (size_t)row->width * (size_t)row->height * (size_t)row->slices;
}

/* Sizes and counts stay known. */
static void forget_pixels(limn_mask_row *row)
{
    free(row->bytes);
    free(row->wide);
    free(row->labels);
    row->bytes = row->labels = NULL, row->wide = NULL;
}

static void free_row(limn_mask_row *row)
{
    forget_pixels(row);
    free(row->count);
}

/* Slices are numbered through the pictures and volumes of a part. */
static void number_slices(limn_masks *m)
{
    m->slices = 0;
    for (int64_t i = 0; i < m->n; i++) m->row[i].first = m->slices, m->slices += m->row[i].slices;
}

/* m keeps the part that is trained on; held NULL: the rest is forgotten. */
static limn_status part(limn_ctx *ctx, const limn_mask_options *o, limn_masks *m, limn_masks **held)
{
    if (!o->folds && !o->hold_out) return LIMN_OK;
    int64_t n = 0, n_out = 0;
    bool *out = calloc((size_t)m->n, sizeof *out);
    limn_masks *other = malloc(sizeof *other);
    limn_mask_row *rows = malloc((size_t)m->n * sizeof *rows);
    limn_status status =
        out && other && rows ? LIMN_OK : limn_fail_memory(ctx, (size_t)m->n * sizeof *rows, "a part of the masks");
    if (status == LIMN_OK) status = o->hold_out ? pick(ctx, m, o->hold_out, out) : deal(ctx, m, o->fold, o->folds, out);
    for (int64_t i = 0; i < m->n && status == LIMN_OK; i++) n_out += out[i];
    if (status == LIMN_OK && (!n_out || n_out == m->n))
        status = limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s holds out %s of %lld pictures (%s to %s)",
                           o->hold_out ? o->hold_out : "this fold", n_out ? "all" : "none", (long long)m->n, m->row[0].name,
                           m->row[m->n - 1].name);
    if (status == LIMN_OK) {
        n_out = 0;
        for (int64_t i = 0; i < m->n; i++) *(out[i] ? &rows[n_out++] : &m->row[n++]) = m->row[i];
        m->n = n;
        *other = *m, other->arena = NULL, other->row = rows, other->n = other->capacity = n_out;
        number_slices(other);
        if (held) *held = other;
        else limn_masks_free(other);
    } else free(rows), free(other);
    free(out);
    return status;
}

/* ---- reading ---------------------------------------------------------------------------------------------------------- */

static bool takes_bytes(const limn_masks *m)
{
    return m->range.kind == LIMN_RANGE_AUTO || m->range.kind == LIMN_RANGE_BYTES;
}

/* Values in 0..1 to the network's channels, as bytes where they were bytes. */
static limn_status pack(limn_ctx *ctx, const limn_masks *m, const limn_raster *r, limn_mask_row *row)
{
    int c = m->channels;
    if (r->channels != c && (r->separate || (c != 1 && c != 3)))
        return limn_fail(ctx, LIMN_BAD_FILE, "%s has %d channels, the network reads %d", row->image, r->channels, c);
    row->width = r->width, row->height = r->height, row->slices = r->slices, row->type = r->type,
    row->holds_bytes = r->limit == 255;
    size_t n = pixels_of(row), size = r->limit == 255 && takes_bytes(m) ? 1 : 2, bytes = n * (size_t)c * size,
           has = limn_memory_available();
    if (has && bytes > has)
        return limn_fail(ctx, LIMN_NO_MEMORY, "%s: its values need %zu bytes more, %zu are available", row->image, bytes,
                         has);
    if (size == 1) row->bytes = malloc(bytes);
    else row->wide = malloc(bytes);
    if (!row->bytes && !row->wide) return limn_fail_memory(ctx, bytes, row->image);
    for (size_t i = 0; i < n; i++) {
        float v[4];
        limn_raster_pixel(r->channels, r->values + i * (size_t)r->channels, c, v);
        for (size_t k = 0; k < (size_t)c; k++)
            if (size == 1) row->bytes[i * (size_t)c + k] = (uint8_t)(v[k] * 255 + 0.5f);
            else row->wide[i * (size_t)c + k] = (uint16_t)(v[k] * 65535 + 0.5f);
    }
    return LIMN_OK;
}

/* The picture into row, its mask as it is in its file. */
static limn_status read_row(limn_ctx *ctx, const limn_masks *m, limn_mask_row *row, limn_label_map *mask)
{
    limn_raster picture;
    limn_range range = m->range;
    int files = m->per_channel ? limn_case_files(row->image) : 1;
    *mask = (limn_label_map){0};
    if (m->per_channel && files != limn_case_files(m->row[0].image))
        return limn_fail(ctx, LIMN_BAD_FILE, "%s is the first of %d file%s, %s of %d: expected as many of each case",
                         row->image, files, files == 1 ? "" : "s", m->row[0].image, limn_case_files(m->row[0].image));
    if (files > 1 && files != m->channels)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT,
                         "%s is the first of %d channels, and the network reads %d: --set channels=%d", row->image, files,
                         m->channels, files);
    limn_status status = limn_case_read(ctx, row->image, files, &range, &picture);
    if (status == LIMN_OK) status = limn_mask_read(ctx, row->mask, mask);
    if (status == LIMN_OK && m->halved) status = limn_mask_halve(ctx, row->mask, mask);
    if (status == LIMN_OK) status = limn_mask_fits(ctx, row->mask, mask, "picture", row->image, &picture);
    if (status == LIMN_OK) status = pack(ctx, m, &picture, row);
    limn_raster_free(&picture);
    if (status == LIMN_OK && !(row->labels = malloc(pixels_of(row))))
        status = limn_fail_memory(ctx, pixels_of(row), row->mask);
    return status;
}

static limn_status count_values(limn_ctx *ctx, limn_mask_row *row)
{
    size_t n = pixels_of(row);
    row->count = calloc(256, sizeof *row->count);
    if (!row->count) return limn_fail_memory(ctx, 256 * sizeof *row->count, "the values of a mask");
    for (size_t i = 0; i < n; i++) row->count[row->labels[i]]++;
    return LIMN_OK;
}

static limn_status read_first(limn_ctx *ctx, limn_masks *m, limn_mask_row *row)
{
    limn_label_map mask;
    limn_status status = read_row(ctx, m, row, &mask);
    row->n_soft = mask.n_soft, row->faint = mask.faint;
    if (status == LIMN_OK) status = limn_mask_places(ctx, m, row->mask, &mask);
    if (status == LIMN_OK) status = limn_mask_labels(ctx, m, row->mask, &mask, row->labels);
    row->near = mask.near;
    free(mask.value);
    return status == LIMN_OK ? count_values(ctx, row) : status;
}

/* Row i for the first time, and whether all that were read until then still fit. */
static limn_status keep_row(limn_ctx *ctx, limn_masks *m, int64_t i, size_t budget)
{
    limn_mask_row *row = &m->row[i];
    limn_status status = read_first(ctx, m, row);
    if (status != LIMN_OK) return status;
    m->bytes += row->size = pixels_of(row) * (1 + (size_t)m->channels * (row->wide ? 2 : 1));
    bool fits = !budget || m->bytes <= budget;
    for (int64_t k = 0; m->kept && !fits && k < m->n; k++)
        if (k != i) forget_pixels(&m->row[k]);
    m->kept = m->kept && fits;
    if (!m->kept) forget_pixels(row);
    return LIMN_OK;
}

/* "6 of i16 and 2 of u8"; types in the order in which they are met, up to MOST */
static void name_types(const limn_masks *m, limn_text *text)
{
    enum { MOST = 16 };
    const char *type[MOST];
    int64_t n[MOST];
    int types = 0;
    for (int64_t i = 0; i < m->n; i++) {
        int k = 0;
        while (k < types && strcmp(type[k], m->row[i].type) != 0) k++;
        if (k == MOST) continue;
        if (k == types) type[types] = m->row[i].type, n[types++] = 0;
        n[k]++;
    }
    for (int k = 0; k < types; k++)
        limn_text_printf(text, "%s%lld of %s", !k ? "" : k + 1 < types ? ", " : " and ", (long long)n[k], type[k]);
}

/* AUTO is one rule for all files, whatever type each is stored in: where bytes lie among others, files with bytes are read
 * again. */
static limn_status one_range(limn_ctx *ctx, limn_masks *m, size_t budget)
{
    int64_t bytes = 0, some = 0;
    limn_text types = {0};
    limn_status status = LIMN_OK;
    if (m->range.kind != LIMN_RANGE_AUTO) return LIMN_OK;
    for (int64_t i = 0; i < m->n; i++)
        bytes += m->row[i].holds_bytes, some += m->row[i].holds_bytes || strcmp(m->row[i].type, LIMN_SEVERAL_TYPES) == 0;
    m->range.kind = bytes == m->n ? LIMN_RANGE_BYTES : LIMN_RANGE_PERCENTILES;
    if (!some || bytes == m->n) return LIMN_OK;
    name_types(m, &types);
    if (!types.failed)
        limn_log(ctx, LIMN_LOG_INFO,
                 "values are stored as several types (%s): all are read by the percentiles 0.5 and 99.5 of each file",
                 types.bytes);
    limn_text_free(&types);
    for (int64_t i = 0; i < m->n && status == LIMN_OK; i++) {
        limn_mask_row *row = &m->row[i];
        if (!row->holds_bytes && strcmp(row->type, LIMN_SEVERAL_TYPES) != 0) continue;
        m->bytes -= row->size;
        free_row(row);
        row->count = NULL;
        status = keep_row(ctx, m, i, budget);
    }
    return status;
}

static void tell_near(limn_ctx *ctx, const limn_masks *m)
{
    size_t n = 0, files = 0;
    const limn_mask_row *first = NULL;
    for (int64_t i = 0; i < m->n; i++)
        if (m->row[i].near.n) n += m->row[i].near.n, files++, first = first ? first : &m->row[i];
    if (n)
        limn_log(ctx, LIMN_LOG_INFO,
                 "%zu values in %zu of %lld masks are not quite whole numbers, the first %.9g in %s: taken as the number "
                 "they are within 1e-4 of",
                 n, files, (long long)m->n, (double)first->near.first, first->mask);
}

static limn_status read_all(limn_ctx *ctx, limn_masks *m, size_t budget)
{
    if (!budget) budget = limn_memory_available() / 2;
    bool volumes = false;
    limn_status status = LIMN_OK;
    m->kept = true;
    for (int64_t i = 0; i < m->n && status == LIMN_OK; i++) {
        if (!limn_progress(ctx, "mask", i, m->n)) return limn_fail(ctx, LIMN_CANCELLED, "stopped while masks were read");
        status = keep_row(ctx, m, i, budget);
        volumes = volumes || m->row[i].slices > 1;
    }
    if (status == LIMN_OK) status = one_range(ctx, m, budget);
    if (status != LIMN_OK) return status;
    tell_near(ctx, m);
    if (!m->kept && volumes)
        limn_log(ctx, LIMN_LOG_WARN,
                 "%zu MB of volumes do not fit into %zu MB: a whole volume is read for every slice that is learned",
                 m->bytes >> 20, budget >> 20);
    number_slices(m);
    return LIMN_OK;
}

static void count_pixels(limn_masks *m)
{
    for (int64_t i = 0; i < m->n; i++)
        for (int k = 0; k < m->n_values; k++)
            if (m->row[i].count[k]) m->pixels[m->value_class[m->value[k]]] += m->row[i].count[k];
}

static void tell_missing(limn_ctx *ctx, const limn_masks *m)
{
    for (int k = 0; k < m->classes; k++)
        if (!m->pixels[k])
            limn_log(ctx, LIMN_LOG_WARN, "class %d (%s) has no pixel in any of %lld masks: nothing can be learned about it",
                     k, m->class_name[k], (long long)m->n);
}

static limn_status check_pixels(limn_ctx *ctx, const limn_masks *m)
{
    int classes = 0, last = 0;
    for (int k = 0; k < m->classes; k++)
        if (m->pixels[k]) classes++, last = k;
    if (classes > 1) return LIMN_OK;
    if (!classes)
        return limn_fail(ctx, LIMN_BAD_FILE, "every pixel of the %lld mask%s to train on has a value that is ignored",
                         (long long)m->n, m->n == 1 ? "" : "s");
    return limn_fail(ctx, LIMN_BAD_FILE, "every pixel of the %lld mask%s to train on is class %d (%s): there is nothing to "
                     "learn", (long long)m->n, m->n == 1 ? "" : "s", last,
                     m->class_name[last]);
}

/* ---- opening ---------------------------------------------------------------------------------------------------------- */

static limn_status check(limn_ctx *ctx, const limn_mask_options *o)
{
    if (!*o->folder) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "the folder of the data has no name");
    if (o->channels < 1 || o->channels > 4)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "pictures have 1 to 4 channels, the network %d", o->channels);
    if (o->classes < 0 || o->classes == 1 || o->classes > LIMN_MAX_CLASSES)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "masks have 2 to %d classes, found %d", LIMN_MAX_CLASSES, o->classes);
    if (o->folds && o->hold_out)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "pictures are held out by folds or by name, not both");
    if (o->folds < 0 || o->folds == 1 || (o->folds && (o->fold < 0 || o->fold >= o->folds)))
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "expected a fold from 0 to %d of 2 or more, found %d of %d",
                         o->folds > 1 ? o->folds - 1 : 1, o->fold, o->folds);
    return LIMN_OK;
}

limn_status limn_masks_open(limn_ctx *ctx, const limn_mask_options *o, limn_masks **out, limn_masks **held)
{
    *out = NULL;
    if (held) *held = NULL;
    limn_status status = check(ctx, o);
    if (status != LIMN_OK) return status;
    limn_masks *m = calloc(1, sizeof *m);
    if (!m || !(m->arena = limn_arena_new())) return free(m), limn_fail_memory(ctx, sizeof *m, "masks");
    m->channels = o->channels, m->range = o->range;
    for (int i = 0; i < LIMN_MASK_VALUES; i++) m->value_class[i] = m->place[i] = -1;
    status = limn_mask_files(ctx, o->folder, m);
    if (status == LIMN_OK && o->values) status = limn_mask_values_parse(ctx, o->values, m);
    if (status == LIMN_OK) status = read_all(ctx, m, o->memory);
    if (status == LIMN_OK) status = limn_mask_values_apply(ctx, m, o->classes);
    if (status == LIMN_OK) status = part(ctx, o, m, held);
    number_slices(m);
    if (status == LIMN_OK) count_pixels(m);
    if (status == LIMN_OK) status = check_pixels(ctx, m);
    if (status == LIMN_OK) limn_mask_tell_classes(ctx, m), tell_missing(ctx, m);
    if (status == LIMN_OK && held && *held) count_pixels(*held), tell_missing(ctx, *held);
    if (status == LIMN_OK) *out = m;
    else limn_masks_free(m);
    return status;
}

void limn_masks_free(limn_masks *m)
{
    if (!m) return;
    for (int64_t i = 0; i < m->n; i++) free_row(&m->row[i]);
    limn_arena_free(m->arena);
    free(m->row);
    free(m);
}

/* ---- what is in it ---------------------------------------------------------------------------------------------------- */

int64_t limn_masks_count(const limn_masks *m)
{
    return m->slices;
}

int64_t limn_masks_cases(const limn_masks *m)
{
    return m->n;
}

int limn_masks_classes(const limn_masks *m)
{
    return m->classes;
}

const char *limn_masks_class(const limn_masks *m, int class)
{
    return m->class_name[class];
}

/* The row that slice i belongs to. */
static const limn_mask_row *row_with(const limn_masks *m, int64_t i)
{
    int64_t low = 0, high = m->n - 1;
    while (low < high) {
        int64_t middle = (low + high + 1) / 2;
        if (m->row[middle].first <= i) low = middle;
        else high = middle - 1;
    }
    return &m->row[low];
}

const char *limn_masks_name(const limn_masks *m, int64_t i)
{
    return row_with(m, i)->name;
}

limn_range limn_masks_range(const limn_masks *m)
{
    return m->range;
}

/* ---- samples ---------------------------------------------------------------------------------------------------------- */

/* A slice as it is kept, else read into *own, which the caller frees. */
typedef struct slice {
    limn_mask_row own;
    limn_pixels picture;
    const uint8_t *labels;
} slice;

static limn_status open_slice(limn_ctx *ctx, const limn_masks *m, int64_t i, slice *s)
{
    const limn_mask_row *there = row_with(m, i), *row = m->kept ? there : &s->own;
    *s = (slice){.own = {.name = there->name, .image = there->image, .mask = there->mask}};
    limn_status status = LIMN_OK;
    if (!m->kept) {
        limn_label_map mask;
        status = read_row(ctx, m, &s->own, &mask);
        if (status == LIMN_OK &&
            (row->slices != there->slices || row->width != there->width || row->height != there->height))
            status = limn_fail(ctx, LIMN_BAD_FILE, "%s: the file has changed since it was checked", row->image);
        if (status == LIMN_OK) status = limn_mask_labels(ctx, m, row->mask, &mask, s->own.labels);
        if (status == LIMN_OK) status = limn_mask_classes(ctx, m, &s->own);
        free(mask.value);
    }
    size_t n = (size_t)row->width * (size_t)row->height, at = (size_t)(i - there->first) * n, c = (size_t)m->channels;
    if (status != LIMN_OK) return status;
    s->picture = (limn_pixels){row->width, row->height, m->channels, row->bytes ? row->bytes + at * c : NULL,
                               row->wide ? row->wide + at * c : NULL};
    s->labels = row->labels + at;
    return LIMN_OK;
}

limn_status limn_masks_load(limn_ctx *ctx, const limn_masks *m, int64_t i, limn_raster *picture, uint8_t **labels)
{
    slice s;
    *picture = (limn_raster){0}, *labels = NULL;
    limn_status status = open_slice(ctx, m, i, &s);
    const limn_pixels *p = &s.picture;
    size_t n = (size_t)p->width * (size_t)p->height, values = n * (size_t)p->channels;
    if (status == LIMN_OK) status = limn_raster_new(ctx, s.own.image, p->width, p->height, 1, p->channels, 0, picture);
    if (status == LIMN_OK && !(*labels = malloc(n))) status = limn_fail_memory(ctx, n, s.own.mask);
    for (size_t k = 0; status == LIMN_OK && k < values; k++)
        picture->values[k] = p->bytes ? (float)p->bytes[k] / 255 : (float)p->wide[k] / 65535;
    if (status == LIMN_OK)
        memcpy(*labels, s.labels, n), picture->separate = p->channels == 2 || (m->per_channel && p->channels > 1);
    else limn_raster_free(picture);
    free_row(&s.own);
    return status;
}

static limn_status make(limn_ctx *ctx, void *from, uint64_t seed, uint64_t position, int64_t i, void *const part[],
                        int64_t *shown)
{
    const limn_mask_crops *c = from;
    slice s;
    *shown = i;
    limn_status status = open_slice(ctx, c->masks, i, &s);
    if (status == LIMN_OK)
        status = limn_augment_sample(ctx, c->augment, seed, position, &s.picture, s.labels, c->width, c->height, part[0],
                                     part[1]);
    free_row(&s.own);
    return status;
}

limn_samples_of limn_masks_samples(limn_mask_crops *crops)
{
    size_t pixels = (size_t)crops->width * (size_t)crops->height;
    return (limn_samples_of){.from = crops,
                             .n = crops->masks->slices,
                             .order = LIMN_SHUFFLE_ROUNDS,
                             .bytes = {pixels * (size_t)crops->masks->channels * sizeof(float), pixels},
                             .make = make};
}
