/* masks.c: opening pictures with masks, parts of them held out, order, samples; see masks.h. */
#include "train/mask_parts.h"

#include "base/rng.h"
#include "file/image.h"
#include "train/listing.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- what is held out --------------------------------------------------------------------------------------------------- */

/* "24..29,case_7" */
static bool in_ranges(const char *name, const char *ranges)
{
    for (const char *p = ranges; *p;) {
        char first[256], last[256];
        size_t n = strcspn(p, ",");
        snprintf(first, sizeof first, "%.*s", (int)(n < sizeof first ? n : sizeof first - 1), p);
        char *dots = strstr(first, "..");
        snprintf(last, sizeof last, "%s", dots ? dots + 2 : first);
        if (dots) *dots = '\0';
        if (limn_names_compare(first, name) <= 0 && limn_names_compare(name, last) <= 0) return true;
        p += n + (p[n] == ',');
    }
    return false;
}

/* How many names come before it in the order of their hashes. */
static int64_t rank(const limn_masks *m, int64_t i)
{
    uint64_t h = limn_hash_name(m->row[i].name);
    int64_t before = 0;
    for (int64_t j = 0; j < m->n; j++) {
        uint64_t other = limn_hash_name(m->row[j].name);
        before += other < h || (other == h && j < i);
    }
    return before;
}

static void free_row(limn_mask_row *row)
{
    limn_image_free(&row->picture);
    free(row->labels);
    free(row->count);
}

/* Sides stay known. */
static void forget_pixels(limn_mask_row *row)
{
    free(row->picture.pixels);
    free(row->labels);
    row->picture.pixels = row->labels = NULL;
}

static limn_status keep_part(limn_ctx *ctx, const limn_mask_options *o, limn_masks *m)
{
    if (!o->folds && !o->hold_out) return LIMN_OK;
    int64_t n = 0, held = 0;
    bool *out = calloc((size_t)m->n, sizeof *out);
    if (!out) return limn_fail_memory(ctx, (size_t)m->n, "a part of the masks");
    for (int64_t i = 0; i < m->n; i++) held += out[i] = o->hold_out ? in_ranges(m->row[i].name, o->hold_out) : rank(m, i) % o->folds == o->fold;
    limn_status status = LIMN_OK;
    if (!held || held == m->n)
        status = limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s holds out %s of %lld pictures (%s to %s)", o->hold_out ? o->hold_out : "this fold", held ? "all" : "none", (long long)m->n,
                           m->row[0].name, m->row[m->n - 1].name);
    for (int64_t i = 0; i < m->n && status == LIMN_OK; i++)
        if (out[i] == o->held_out) m->row[n++] = m->row[i];
        else free_row(&m->row[i]);
    free(out);
    if (status == LIMN_OK) m->n = n;
    return status;
}

/* ---- reading ------------------------------------------------------------------------------------------------------------ */

/* Channel k of nnU-Net's case, from a file of its own. */
static limn_status read_channel(limn_ctx *ctx, const limn_masks *m, limn_mask_row *row, int k)
{
    limn_image one;
    size_t n = strlen(row->image), digits = (size_t)(strrchr(row->image, '.') - row->image) - 4;
    char path[4096];
    if (n >= sizeof path) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%.100s: the path is too long", row->image);
    snprintf(path, sizeof path, "%.*s%04d%s", (int)digits, row->image, k, row->image + digits + 4);
    limn_status status = limn_image_read(ctx, path, 1, &one);
    if (status != LIMN_OK) return status;
    if (one.width != row->picture.width || one.height != row->picture.height)
        status = limn_fail(ctx, LIMN_BAD_FILE, "%s has %d x %d pixels, channel 0 has %d x %d", path, one.width, one.height, row->picture.width, row->picture.height);
    for (size_t i = 0; status == LIMN_OK && i < (size_t)one.width * (size_t)one.height; i++) row->picture.pixels[i * (size_t)m->channels + (size_t)k] = one.pixels[i];
    limn_image_free(&one);
    return status;
}

static bool has_more_channels(const limn_mask_row *row)
{
    char path[4096];
    size_t digits = (size_t)(strrchr(row->image, '.') - row->image) - 4;
    return snprintf(path, sizeof path, "%.*s0001%s", (int)digits, row->image, row->image + digits + 4) < (int)sizeof path && access(path, F_OK) == 0;
}

static limn_status read_row(limn_ctx *ctx, const limn_masks *m, limn_mask_row *row)
{
    limn_image mask = {0};
    limn_status status = limn_image_read(ctx, row->image, m->channels, &row->picture);
    for (int k = 0; m->per_channel && has_more_channels(row) && k < m->channels && status == LIMN_OK; k++) status = read_channel(ctx, m, row, k);
    if (status == LIMN_OK) status = limn_mask_read(ctx, row, &mask);
    if (status != LIMN_OK) return status;
    row->labels = mask.pixels;
    if (mask.width == row->picture.width && mask.height == row->picture.height) return LIMN_OK;
    return limn_fail(ctx, LIMN_BAD_FILE, "%s has %d x %d pixels, its picture %s has %d x %d: expected the same size", row->mask, mask.width, mask.height, row->image, row->picture.width,
                     row->picture.height);
}

static limn_status count_values(limn_ctx *ctx, limn_mask_row *row)
{
    size_t n = (size_t)row->picture.width * (size_t)row->picture.height;
    row->count = calloc(256, sizeof *row->count);
    if (!row->count) return limn_fail_memory(ctx, 256 * sizeof *row->count, "the values of a mask");
    for (size_t i = 0; i < n; i++) row->count[row->labels[i]]++;
    return LIMN_OK;
}

static limn_status read_all(limn_ctx *ctx, limn_masks *m, size_t budget)
{
    if (!budget) budget = limn_memory_available() / 2;
    m->kept = true;
    for (int64_t i = 0; i < m->n; i++) {
        if (!limn_progress(ctx, "mask", i, m->n)) return limn_fail(ctx, LIMN_CANCELLED, "stopped while masks were read");
        limn_mask_row *row = &m->row[i];
        limn_status status = read_row(ctx, m, row);
        if (status == LIMN_OK) status = count_values(ctx, row);
        if (status != LIMN_OK) return status;
        m->bytes += (size_t)row->picture.width * (size_t)row->picture.height * (size_t)(m->channels + 1);
        bool fits = !budget || m->bytes <= budget;
        for (int64_t k = 0; m->kept && !fits && k < i; k++) forget_pixels(&m->row[k]);
        m->kept = m->kept && fits;
        if (!m->kept) forget_pixels(row);
    }
    return LIMN_OK;
}

static void count_classes(limn_ctx *ctx, limn_masks *m)
{
    for (int64_t i = 0; i < m->n; i++)
        for (int v = 0; v < 256; v++)
            if (m->row[i].count[v]) m->pixels[m->value_class[v]] += m->row[i].count[v];
    for (int k = 0; k < m->classes; k++)
        if (!m->pixels[k])
            limn_log(ctx, LIMN_LOG_WARN, "class %d (%s) has no pixel in any of %lld masks: nothing can be learned about it", k, m->class_name[k], (long long)m->n);
}

/* ---- opening ------------------------------------------------------------------------------------------------------------ */

static limn_status check(limn_ctx *ctx, const limn_mask_options *o)
{
    if (o->channels < 1 || o->channels > 4) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "pictures have 1 to 4 channels, the network %d", o->channels);
    if (o->classes < 0 || o->classes == 1 || o->classes > LIMN_MAX_CLASSES) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "masks have 2 to %d classes, found %d", LIMN_MAX_CLASSES, o->classes);
    if (o->folds && o->hold_out) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "pictures are held out by folds or by name, not both");
    if (o->folds < 0 || o->folds == 1 || (o->folds && (o->fold < 0 || o->fold >= o->folds)))
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "expected a fold from 0 to %d of 2 or more, found %d of %d", o->folds > 1 ? o->folds - 1 : 1, o->fold, o->folds);
    return LIMN_OK;
}

limn_status limn_masks_open(limn_ctx *ctx, const limn_mask_options *o, limn_masks **out)
{
    *out = NULL;
    limn_status status = check(ctx, o);
    if (status != LIMN_OK) return status;
    limn_masks *m = calloc(1, sizeof *m);
    if (!m || !(m->arena = limn_arena_new())) return free(m), limn_fail_memory(ctx, sizeof *m, "masks");
    m->channels = o->channels;
    for (int i = 0; i < 256; i++) m->value_class[i] = -1;
    status = limn_mask_files(ctx, o->folder, m);
    if (status == LIMN_OK && o->values) status = limn_mask_values_parse(ctx, o->values, m);
    if (status == LIMN_OK) status = read_all(ctx, m, o->memory);
    if (status == LIMN_OK) status = limn_mask_values_apply(ctx, m, o->classes);
    if (status == LIMN_OK) status = keep_part(ctx, o, m);
    if (status == LIMN_OK) count_classes(ctx, m);
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

/* ---- what is in it ------------------------------------------------------------------------------------------------------ */

int64_t limn_masks_count(const limn_masks *m)
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

int64_t limn_masks_pixels(const limn_masks *m, int class)
{
    return m->pixels[class];
}

const char *limn_masks_name(const limn_masks *m, int64_t i)
{
    return m->row[i].name;
}

bool limn_masks_kept(const limn_masks *m)
{
    return m->kept;
}

size_t limn_masks_bytes(const limn_masks *m)
{
    return m->bytes;
}

/* ---- samples ------------------------------------------------------------------------------------------------------------ */

enum { ROUNDS = 6 };

/* A permutation of 0 .. 4^bits - 1: each round changes one half of x by a random function of the other (Luby & Rackoff 1988). */
static uint64_t mixed(uint64_t seed, uint64_t epoch, int bits, uint64_t x)
{
    uint64_t half = (UINT64_C(1) << bits) - 1, left = x >> bits, right = x & half;
    for (uint64_t r = 0; r < ROUNDS; r++) {
        uint32_t word[4];
        limn_random_words(seed, LIMN_STREAM_SHUFFLE, epoch, r << 40 | right, word);
        uint64_t next = left ^ (word[0] & half);
        left = right, right = next;
    }
    return left << bits | right;
}

/* Any place is found without the others: what falls outside of 0 .. n - 1 is mixed again, and so comes back inside. */
int64_t limn_masks_index(const limn_masks *m, uint64_t seed, uint64_t position)
{
    uint64_t n = (uint64_t)m->n, at = position % n;
    int bits = 1;
    while (UINT64_C(1) << 2 * bits < n) bits++;
    do at = mixed(seed, position / n, bits, at);
    while (at >= n);
    return (int64_t)at;
}

/* Row i as it is kept, else read into *own. */
static limn_status row_of(limn_ctx *ctx, const limn_masks *m, int64_t i, limn_mask_row *own, const limn_mask_row **row)
{
    *own = (limn_mask_row){.name = m->row[i].name, .image = m->row[i].image, .mask = m->row[i].mask};
    *row = m->kept ? &m->row[i] : own;
    if (m->kept) return LIMN_OK;
    limn_status status = read_row(ctx, m, own);
    return status == LIMN_OK ? limn_mask_classes(ctx, m, own) : status;
}

limn_status limn_masks_sample(limn_ctx *ctx, const limn_masks *m, const limn_augment *augment, uint64_t seed, uint64_t position, int64_t i, int width, int height,
                              float *image, uint8_t *labels)
{
    limn_mask_row own;
    const limn_mask_row *row;
    limn_status status = row_of(ctx, m, i, &own, &row);
    if (status == LIMN_OK) status = limn_augment_sample(ctx, augment, seed, position, &row->picture, row->labels, width, height, image, labels);
    free_row(&own);
    return status;
}

limn_status limn_masks_load(limn_ctx *ctx, const limn_masks *m, int64_t i, limn_image *picture, uint8_t **labels)
{
    limn_mask_row own;
    const limn_mask_row *row;
    limn_status status = row_of(ctx, m, i, &own, &row);
    if (status == LIMN_OK && m->kept) {
        const limn_image *from = &row->picture;
        size_t n = (size_t)from->width * (size_t)from->height;
        status = limn_image_new(ctx, row->image, (uint32_t)from->width, (uint32_t)from->height, from->channels, &own.picture);
        if (status == LIMN_OK && !(own.labels = malloc(n))) status = limn_fail_memory(ctx, n, row->mask);
        if (status == LIMN_OK) memcpy(own.picture.pixels, from->pixels, n * (size_t)from->channels), memcpy(own.labels, row->labels, n);
    }
    *picture = status == LIMN_OK ? own.picture : (limn_image){0};
    *labels = status == LIMN_OK ? own.labels : NULL;
    if (status != LIMN_OK) free_row(&own);
    return status;
}

limn_status limn_masks_batch(limn_ctx *ctx, const limn_masks *m, const limn_augment *augment, uint64_t seed, uint64_t first, int batch, int width, int height,
                             float *images, uint8_t *labels)
{
    limn_status status = LIMN_OK;
    size_t n = (size_t)width * (size_t)height;
#pragma omp parallel num_threads(ctx->n_threads)
    {
        limn_ctx *own = limn_ctx_new();
        limn_status mine = own ? LIMN_OK : LIMN_NO_MEMORY;
#pragma omp for schedule(dynamic, 1)
        for (int b = 0; b < batch; b++) {
            uint64_t position = first + (uint64_t)b;
            if (mine == LIMN_OK)
                mine = limn_masks_sample(own, m, augment, seed, position, limn_masks_index(m, seed, position), width, height, images + (size_t)b * n * (size_t)m->channels,
                                         labels + (size_t)b * n);
        }
#pragma omp critical(limn_masks_batch)
        if (mine != LIMN_OK && status == LIMN_OK) status = own ? limn_fail(ctx, mine, "%s", own->error) : limn_fail_memory(ctx, sizeof *own, "a thread's context");
        limn_ctx_free(own);
    }
    return status;
}
