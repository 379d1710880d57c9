/* data.c: opening a data set, pictures in memory, order, samples. */
#include "data/data.h"

#include "base/rng.h"
#include "denoise/picture.h"
#include "file/bytes.h"
#include "file/image.h"
#include "data/listing.h"
#include "data/shapes.h"

#include <math.h>
#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEFAULT_SHAPES = 4096, FEW_BAD = 3, MAX_WARNINGS = 20, FLIP = 0, CROP_X = 1, CROP_Y = 2 };

/* A picture, brought to size but not cropped, or a latent as it is trained on. */
typedef struct item {
    limn_image image;
    float *latent;         /* [size, size, channels] */
} item;

struct limn_dataset {
    int size, channels;
    limn_data_resize resize;
    bool flip;
    limn_latents *latents; /* NULL: pictures */
    limn_rows rows;
    item *kept;            /* [n]; NULL: decoded for every sample */
    pthread_mutex_t lock;  /* of what follows */
    uint8_t *bad;          /* [n] */
    int64_t n_bad;
    atomic_bool dark;      /* a picture of 16 bits that is black in 8 was told */
    char first_bad[LIMN_ERROR_BYTES];
    limn_text warnings;    /* lines */
};

/* ---- pictures that cannot be read ------------------------------------------------------------------------------------- */

/* With the lock held. */
static limn_status check_bad(limn_ctx *ctx, const limn_dataset *d)
{
    if (d->n_bad < d->rows.n && (d->n_bad <= FEW_BAD || 100 * d->n_bad <= d->rows.n)) return LIMN_OK;
    return limn_fail(ctx, LIMN_BAD_FILE,
                     "%lld of %lld pictures cannot be read, expected at most %d or 1 %%; the first: %.1800s",
                     (long long)d->n_bad, (long long)d->rows.n, FEW_BAD, d->first_bad);
}

/* What ctx says about picture i is noted.  @return LIMN_OK while few are bad */
static limn_status note_bad(limn_ctx *ctx, limn_dataset *d, int64_t i)
{
    pthread_mutex_lock(&d->lock);
    if (!d->bad[i]) {
        d->bad[i] = 1;
        if (!d->n_bad++) memcpy(d->first_bad, ctx->error, sizeof d->first_bad);
        if (d->n_bad <= MAX_WARNINGS) limn_text_printf(&d->warnings, "skipped: %s\n", ctx->error);
    }
    limn_status status = check_bad(ctx, d);
    pthread_mutex_unlock(&d->lock);
    return status;
}

/* The first picture from i on that is not known to be bad. */
static limn_status skip_bad(limn_ctx *ctx, limn_dataset *d, int64_t *i)
{
    pthread_mutex_lock(&d->lock);
    limn_status status = check_bad(ctx, d);
    while (status == LIMN_OK && d->bad[*i]) *i = (*i + 1) % d->rows.n;
    pthread_mutex_unlock(&d->lock);
    return status;
}

void limn_dataset_warn(limn_ctx *ctx, limn_dataset *d)
{
    pthread_mutex_lock(&d->lock);
    limn_text warnings = d->warnings;
    d->warnings = (limn_text){0};
    pthread_mutex_unlock(&d->lock);
    for (char *line = warnings.bytes, *end; line && (end = strchr(line, '\n')); line = end + 1)
        limn_log(ctx, LIMN_LOG_WARN, "%.*s", (int)(end - line), line);
    limn_text_free(&warnings);
}

const char *limn_data_resize_name(limn_data_resize resize)
{
    static const char *const names[] = {
        [LIMN_CROP_RANDOM] = "random", [LIMN_CROP_CENTRE] = "centre", [LIMN_SQUASH] = "squash"};
    return names[resize];
}

/* ---- one picture ------------------------------------------------------------------------------------------------------ */

static limn_status fit(limn_ctx *ctx, const limn_dataset *d, const char *name, limn_image *image)
{
    int shorter = image->width < image->height ? image->width : image->height;
    double scale = (double)d->size / shorter, width = round(image->width * scale), height = round(image->height * scale);
    if (d->resize == LIMN_SQUASH) width = height = d->size;
    if (width > LIMN_MAX_SIDE || height > LIMN_MAX_SIDE)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: %d x %d pixels are too long for a crop of %d", name, image->width,
                         image->height, d->size);
    if (image->width == (int)width && image->height == (int)height) return LIMN_OK;
    limn_image sized;
    limn_status status = limn_image_resize(ctx, image, (int)width, (int)height, &sized);
    if (status != LIMN_OK) return status;
    limn_image_free(image);
    *image = sized;
    return LIMN_OK;
}

static void item_free(item *it)
{
    limn_image_free(&it->image);
    free(it->latent);
    it->latent = NULL;
}

static limn_status load_latent(limn_ctx *ctx, const limn_dataset *d, const char *file, item *out)
{
    limn_latent l;
    limn_status status = limn_latent_read(ctx, file, &l);
    if (status != LIMN_OK) return status;
    if (l.height != d->size || l.width != d->size || l.channels != d->channels) {
        status = limn_fail(ctx, LIMN_BAD_FILE, "%s: a latent of %d x %d x %d, expected %d x %d x %d", file, l.width,
                           l.height, l.channels, d->size, d->size, d->channels);
        limn_latent_free(&l);
        return status;
    }
    for (size_t i = 0, n = limn_dataset_floats(d); i < n; i++)
        l.values[i] = (float)((l.values[i] - d->latents->shift) * d->latents->scale);
    out->latent = l.values;
    return LIMN_OK;
}

/* Picture i of rows.pixels, gray in every channel, opaque. */
static limn_status gray_picture(limn_ctx *ctx, const limn_dataset *d, int64_t i, limn_image *out)
{
    size_t n = (size_t)d->rows.width * (size_t)d->rows.height, c = (size_t)d->channels;
    const uint8_t *from = d->rows.pixels + (size_t)i * n;
    *out = (limn_image){.width = d->rows.width, .height = d->rows.height, .channels = d->channels, .pixels = malloc(n * c)};
    if (!out->pixels) return limn_fail_memory(ctx, n * c, "a picture");
    for (size_t k = 0; k < n * c; k++) out->pixels[k] = k % c == 3 ? 255 : from[k / c];
    return LIMN_OK;
}

/* 12 bits of a camera in a PNG of 16: the upper 8, which are read, leave a black picture.  Told once. */
static void note_dark(limn_ctx *ctx, limn_dataset *d, const char *file, const limn_image *image)
{
    enum { DARK = 16, DEPTH_AT = 24 };
    uint8_t most = 0, head[DEPTH_AT + 1];
    size_t n = (size_t)image->width * (size_t)image->height * (size_t)image->channels, c = (size_t)image->channels, has;
    int fd;
    if (d->dark) return;
    for (size_t i = 0; i < n; i++)
        most = image->pixels[i] > most && !(c % 2 == 0 && i % c == c - 1) ? image->pixels[i] : most;
    if (most > DARK || limn_file_open(ctx, file, &fd, &has) != LIMN_OK) return;
    bool deep = has > sizeof head && limn_file_read_at(ctx, file, fd, 0, sizeof head, head) == LIMN_OK &&
                limn_image_sniff(head, sizeof head) == LIMN_IMAGE_PNG && head[DEPTH_AT] == 16;
    close(fd);
    pthread_mutex_lock(&d->lock);
    if (deep && !d->dark)
        limn_text_printf(
            &d->warnings,
            "%s: of its 16 bits the upper 8 are read, and these go to %d of 255: scale values so that 65535 is white\n",
            file, most);
    d->dark = d->dark || deep;
    pthread_mutex_unlock(&d->lock);
}

static limn_status load(limn_ctx *ctx, limn_dataset *d, int64_t i, item *out)
{
    const char *file = d->rows.row[i].file;
    if (d->latents) return load_latent(ctx, d, file, out);
    limn_status status = d->rows.pixels ? gray_picture(ctx, d, i, &out->image)
                         : file         ? limn_image_read(ctx, file, d->channels, &out->image)
                                        : limn_shapes_draw(ctx, i, d->size, d->channels, &out->image);
    if (status == LIMN_OK && file) note_dark(ctx, d, file, &out->image);
    if (status == LIMN_OK && file) status = fit(ctx, d, file, &out->image);
    if (status != LIMN_OK) item_free(out);
    return status;
}

/* The square with its corner at (left, top). */
static void to_floats(const limn_image *image, int size, int left, int top, bool flip, float *out)
{
    int c = image->channels;
    for (int y = 0; y < size; y++)
        for (int x = 0; x < size; x++, out += c) {
            size_t at = (size_t)(top + y) * (size_t)image->width + (size_t)(left + (flip ? size - 1 - x : x));
            limn_pixel_values(image->pixels + at * (size_t)c, c, out);
        }
}

static void values_of(const limn_dataset *d, const item *it, int left, int top, bool flip, float *out)
{
    if (d->latents) memcpy(out, it->latent, limn_dataset_floats(d) * sizeof *out);
    else to_floats(&it->image, d->size, left, top, flip, out);
}

static int corner(const limn_dataset *d, uint64_t seed, uint64_t position, int axis, int length)
{
    if (d->resize == LIMN_CROP_RANDOM && !d->latents)
        return (int)limn_random_below(seed, LIMN_STREAM_AUGMENT, position, (uint64_t)axis, (uint64_t)(length - d->size) + 1);
    return (length - d->size) / 2;
}

limn_status limn_dataset_sample(limn_ctx *ctx, limn_dataset *d, uint64_t seed, uint64_t position, int64_t i,
                                float *out, int64_t *shown)
{
    for (;;) { /* ends: there are as many turns as pictures that turn out bad */
        item read = {0};
        const item *it = &read;
        limn_status status = skip_bad(ctx, d, &i);
        if (status == LIMN_OK && d->kept) it = &d->kept[i];
        else if (status == LIMN_OK) {
            status = load(ctx, d, i, &read);
            if (status != LIMN_OK && status != LIMN_NO_MEMORY && (status = note_bad(ctx, d, i)) == LIMN_OK) continue;
        }
        if (status != LIMN_OK) return status;
        bool mirrored = d->flip && limn_random_uniform(seed, LIMN_STREAM_AUGMENT, position, FLIP) < 0.5f;
        int left = corner(d, seed, position, CROP_X, it->image.width),
            top = corner(d, seed, position, CROP_Y, it->image.height);
        values_of(d, it, left, top, mirrored, out);
        item_free(&read);
        *shown = i;
        return LIMN_OK;
    }
}

limn_status limn_dataset_picture(limn_ctx *ctx, limn_dataset *d, int64_t i, float *out)
{
    item read = {0};
    const item *it = &read;
    limn_status status = LIMN_OK;
    if (d->kept && (d->kept[i].image.pixels || d->kept[i].latent)) it = &d->kept[i];
    else status = load(ctx, d, i, &read);
    if (status == LIMN_OK) values_of(d, it, (it->image.width - d->size) / 2, (it->image.height - d->size) / 2, false, out);
    item_free(&read);
    return status;
}

/* ---- keeping all in memory -------------------------------------------------------------------------------------------- */

typedef struct keeping {
    limn_ctx *ctx;
    limn_dataset *d;
    size_t budget;
    atomic_size_t bytes;
    atomic_int_fast64_t next;
    atomic_int status;     /* the first failure; its sentence is in ctx */
    atomic_bool too_large;
} keeping;

static void keep_some(keeping *k, limn_ctx *own, bool reports)
{
    limn_dataset *d = k->d;
    for (int64_t i; (i = atomic_fetch_add(&k->next, 1)) < d->rows.n && atomic_load(&k->status) == LIMN_OK &&
                    !atomic_load(&k->too_large);) {
        limn_status status = load(own, d, i, &d->kept[i]);
        const limn_image *image = &d->kept[i].image;
        size_t bytes = d->latents ? limn_dataset_floats(d) * sizeof(float)
                                  : (size_t)image->width * (size_t)image->height * (size_t)d->channels;
        if (status != LIMN_OK && status != LIMN_NO_MEMORY) status = note_bad(own, d, i);
        if (status == LIMN_OK && atomic_fetch_add(&k->bytes, bytes) + bytes > k->budget) atomic_store(&k->too_large, true);
        if (status == LIMN_OK && reports && !limn_progress(k->ctx, "picture", i, d->rows.n))
            status = limn_fail(own, LIMN_CANCELLED, "stopped while pictures were read");
        int none = LIMN_OK;
        if (status != LIMN_OK && atomic_compare_exchange_strong(&k->status, &none, (int)status))
            limn_fail(k->ctx, status, "%s", own->error);
    }
}

static void forget(limn_dataset *d)
{
    for (int64_t i = 0; d->kept && i < d->rows.n; i++) item_free(&d->kept[i]);
    free(d->kept);
    d->kept = NULL;
}

static limn_status keep_all(limn_ctx *ctx, limn_dataset *d, size_t budget)
{
    size_t least;
    if (!budget) {
        size_t available = limn_memory_available(), most = (size_t)2 << 30;
        budget = available && available / 10 < most ? available / 10 : most;
    }
    if (!limn_mul_size((size_t)d->rows.n, limn_dataset_floats(d) * (d->latents ? sizeof(float) : 1), &least) ||
        least > budget)
        return LIMN_OK;
    if (!limn_progress(ctx, "picture", 0, d->rows.n))
        return limn_fail(ctx, LIMN_CANCELLED, "stopped before pictures were read");
    d->kept = calloc((size_t)d->rows.n, sizeof *d->kept);
    if (!d->kept) return limn_fail_memory(ctx, (size_t)d->rows.n * sizeof *d->kept, "pictures");
    keeping k = {.ctx = ctx, .d = d, .budget = budget};
#pragma omp parallel num_threads(ctx->n_threads)
    {
        limn_ctx *own = limn_ctx_new();
        if (own) keep_some(&k, own, omp_get_thread_num() == 0);
        limn_ctx_free(own);
    }
    limn_status status = (limn_status)atomic_load(&k.status);
    if (status == LIMN_OK && atomic_load(&k.next) < d->rows.n && !atomic_load(&k.too_large))
        status = limn_fail_memory(ctx, sizeof *ctx, "a thread's context");
    if (status != LIMN_OK || atomic_load(&k.too_large)) forget(d);
    return status;
}

/* ---- opening ---------------------------------------------------------------------------------------------------------- */

static limn_status find_rows(limn_ctx *ctx, const limn_data_options *o, limn_rows *rows)
{
    char path[4096];
    unsigned char *bytes;
    size_t n;
    limn_status status = LIMN_NOT_FOUND;
    bool shapes = strcmp(o->folder, "shapes") == 0;
    if (snprintf(path, sizeof path, "%s/metadata.jsonl", o->folder) >= (int)sizeof path)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "the path of the data is too long");
    if (!shapes) status = limn_file_read(ctx, path, (size_t)1 << 30, &bytes, &n);
    if (status == LIMN_OK) {
        status = limn_rows_jsonl(ctx, path, o->folder, (const char *)bytes, n,
                                 &(limn_row_fields){o->where, o->caption, o->label}, rows);
        free(bytes);
        return status == LIMN_OK && o->texts && !o->latents ? limn_rows_sidecars(ctx, rows) : status;
    }
    if (status != LIMN_NOT_FOUND) return status;
    if (o->latents)
        return limn_fail(ctx, LIMN_NOT_FOUND, "%s: not there, expected the folder that limn encode made, to its end", path);
    status = shapes ? limn_shapes_rows(ctx, o->n_shapes ? o->n_shapes : DEFAULT_SHAPES, rows)
                    : limn_rows_idx(ctx, o->folder, rows);
    if (status == LIMN_NOT_FOUND) status = limn_rows_folder(ctx, o->folder, rows);
    if (status == LIMN_OK && (o->where || o->caption || o->label))
        status = limn_fail(ctx, LIMN_BAD_ARGUMENT,
                           "--where, --caption-field and --label-field choose fields of metadata.jsonl, and %s has none",
                           o->folder);
    return status;
}

/* What the eye cannot tell apart, or did not ask for. */
static void tell_rows(limn_ctx *ctx, const limn_data_options *o, const limn_rows *rows)
{
    const char *a, *b;
    if (limn_names_twins(rows->classes, (size_t)rows->n_classes, &a, &b))
        limn_log(ctx, LIMN_LOG_WARN,
                 "%s: two classes are named \"%s\" and \"%s\", one with accents composed and one with accents apart: they "
                 "stay two",
                 o->folder, a, b);
    if (rows->n_left_out)
        limn_log(ctx, LIMN_LOG_INFO, "%s: %lld of %lld rows have %s", o->folder, (long long)rows->n,
                 (long long)(rows->n + rows->n_left_out), o->where);
}

static limn_status open_rows(limn_ctx *ctx, const limn_data_options *o, limn_dataset *d)
{
    limn_status status = limn_rows_new(ctx, &d->rows);
    if (status == LIMN_OK) status = find_rows(ctx, o, &d->rows);
    if (status != LIMN_OK) return status;
    if (!d->rows.n)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s holds no picture%s%s", o->folder,
                         o->where ? " with " : " (PNG, JPEG, WebP)", o->where ? o->where : "");
    limn_rows_label(&d->rows);
    tell_rows(ctx, o, &d->rows);
    d->bad = calloc((size_t)d->rows.n, 1);
    return d->bad ? LIMN_OK : limn_fail_memory(ctx, (size_t)d->rows.n, "a list of pictures");
}

static limn_status open_latents(limn_ctx *ctx, const limn_data_options *o, limn_dataset *d)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/latents.safetensors", o->folder) >= (int)sizeof path)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "the path of the data is too long");
    d->latents = malloc(sizeof *d->latents);
    if (!d->latents) return limn_fail_memory(ctx, sizeof *d->latents, "latents");
    limn_status status = limn_latents_read(ctx, path, d->latents);
    if (status != LIMN_OK) return status;
    const limn_latents *l = d->latents;
    if (l->height == o->size && l->width == o->size && l->channels == o->channels) return LIMN_OK;
    return limn_fail(ctx, LIMN_BAD_ARGUMENT,
                     "%s holds latents of %d x %d x %d, and the network takes %d x %d x %d: --set size=%d --set channels=%d",
                     o->folder, l->width, l->height, l->channels, o->size, o->size, o->channels, l->width, l->channels);
}

limn_status limn_dataset_open(limn_ctx *ctx, const limn_data_options *o, limn_dataset **out)
{
    *out = NULL;
    if (!*o->folder) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "the folder of the data has no name");
    if (!o->latents && o->channels != 1 && o->channels != 3 && o->channels != 4)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "pictures have 1, 3 or 4 channels, the network %d", o->channels);
    if (o->size < 1 || o->size > LIMN_MAX_SIDE)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "pictures have 1 to %d pixels a side, the network %d", LIMN_MAX_SIDE,
                         o->size);
    limn_dataset *d = calloc(1, sizeof *d);
    if (!d) return limn_fail_memory(ctx, sizeof *d, "a data set");
    d->size = o->size, d->channels = o->channels, d->resize = o->resize, d->flip = o->flip;
    pthread_mutex_init(&d->lock, NULL);
    limn_status status = o->latents ? open_latents(ctx, o, d) : LIMN_OK;
    if (status == LIMN_OK) status = open_rows(ctx, o, d);
    if (status == LIMN_OK) status = keep_all(ctx, d, o->memory);
    if (d->rows.n) limn_dataset_warn(ctx, d);
    if (status == LIMN_OK) *out = d;
    else limn_dataset_free(d);
    return status;
}

void limn_dataset_free(limn_dataset *d)
{
    if (!d) return;
    forget(d);
    limn_rows_free(&d->rows);
    limn_text_free(&d->warnings);
    pthread_mutex_destroy(&d->lock);
    free(d->latents);
    free(d->bad);
    free(d);
}

/* ---- what is in it ---------------------------------------------------------------------------------------------------- */

const limn_latents *limn_dataset_latents(const limn_dataset *d)
{
    return d->latents;
}

int64_t limn_dataset_count(const limn_dataset *d)
{
    return d->rows.n;
}

const char *limn_dataset_file(const limn_dataset *d, int64_t i)
{
    return d->rows.row[i].file;
}

const uint8_t *limn_dataset_bytes(const limn_dataset *d, size_t *n)
{
    *n = (size_t)d->rows.n * (size_t)d->rows.width * (size_t)d->rows.height;
    return d->rows.pixels;
}

const char *limn_dataset_caption(const limn_dataset *d, int64_t i)
{
    return d->rows.row[i].caption;
}

const char *limn_dataset_caption_at(const limn_dataset *d, int64_t i, uint64_t seed, uint64_t position)
{
    return limn_row_caption(&d->rows, i, seed, position);
}

const char *limn_dataset_caption_text(const limn_dataset *d, int64_t i, int k)
{
    const limn_row *row = &d->rows.row[i];
    if (!row->texts) return k ? NULL : row->caption;
    for (int f = 0; f < d->rows.n_fields; k -= row->texts[f++].n)
        if (k < row->texts[f].n) return row->texts[f].text[k];
    return NULL;
}

const char *limn_dataset_caption_field(const limn_dataset *d)
{
    return d->rows.captions.field;
}

limn_status limn_dataset_tell_captions(limn_ctx *ctx, const limn_dataset *d, const char *folder, bool none_is_fine)
{
    return limn_captions_tell(ctx, folder, &d->rows, none_is_fine);
}

const char *limn_dataset_caption_beside(const limn_dataset *d, int64_t i)
{
    const limn_row *row = &d->rows.row[i];
    return row->beside ? row->caption : NULL;
}

int64_t limn_dataset_line(const limn_dataset *d, int64_t i)
{
    return d->rows.row[i].line;
}

int limn_dataset_label(const limn_dataset *d, int64_t i)
{
    return d->rows.row[i].label;
}

int limn_dataset_classes(const limn_dataset *d)
{
    return (int)d->rows.n_classes;
}

const char *limn_dataset_class(const limn_dataset *d, int label)
{
    return d->rows.classes[label];
}

const char *const *limn_dataset_class_names(const limn_dataset *d)
{
    return d->rows.classes;
}

size_t limn_dataset_floats(const limn_dataset *d)
{
    return (size_t)d->size * (size_t)d->size * (size_t)d->channels;
}

bool limn_dataset_is_kept(const limn_dataset *d)
{
    return d->kept != NULL;
}

/* ---- for a loader ----------------------------------------------------------------------------------------------------- */

static limn_status make(limn_ctx *ctx, void *from, uint64_t seed, uint64_t position, int64_t i, void *const part[],
                        int64_t *shown)
{
    return limn_dataset_sample(ctx, from, seed, position, i, part[0], shown);
}

static void warn(limn_ctx *ctx, void *from)
{
    limn_dataset_warn(ctx, from);
}

limn_samples_of limn_dataset_samples(limn_dataset *d)
{
    return (limn_samples_of){.from = d,
                             .n = d->rows.n,
                             .order = LIMN_SHUFFLE_TABLE,
                             .bytes = {limn_dataset_floats(d) * sizeof(float)},
                             .at_once = limn_dataset_is_kept(d),
                             .make = make,
                             .warn = warn};
}
