/* mask_files.c: which picture has which mask; see masks.h. */
#include "train/mask_parts.h"

#include "file/bytes.h"
#include "train/case.h"
#include "train/listing.h"
#include "train/rows.h"
#include "train/stems.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_JSON_BYTES = 64 << 20 };

static limn_status add(limn_ctx *ctx, limn_masks *m, const char *name, const char *image, const char *mask)
{
    if (m->n == m->capacity) {
        int64_t capacity = m->capacity ? 2 * m->capacity : 64;
        limn_mask_row *more = realloc(m->row, (size_t)capacity * sizeof *more);
        if (!more) return limn_fail_memory(ctx, (size_t)capacity * sizeof *more, "a list of masks");
        m->row = more, m->capacity = capacity;
    }
    if (!name || !image || !mask) return limn_fail_memory(ctx, 4096, "the name of a mask");
    m->row[m->n++] = (limn_mask_row){.name = name, .image = image, .mask = mask};
    return LIMN_OK;
}

/* images/ or masks/ */
typedef struct side {
    const char *folder;
    limn_names name;
    limn_stems stems; /* of masks */
} side;

static limn_status list(limn_ctx *ctx, const char *folder, side *out)
{
    if (!(out->folder = folder)) return limn_fail_memory(ctx, 4096, "the name of a folder");
    return limn_names_list(ctx, folder, true, &out->name, NULL);
}

static void free_side(side *s)
{
    limn_stems_free(&s->stems);
    limn_names_free(&s->name);
}

/* A channel that no case reads would be lost without a word. */
static limn_status check_channel(limn_ctx *ctx, const char *folder, const char *name, size_t n)
{
    char path[4096];
    if (n == 0) return limn_fail(ctx, LIMN_BAD_FILE, "%s/%s: expected a name like CASE_0000.png in nnU-Net's layout", folder,
                                 name);
    if (snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path && limn_case_has(path)) return LIMN_OK;
    return limn_fail(ctx, LIMN_BAD_FILE, "%s: no case reads this channel: expected %.*s_0000%s and all channels between, "
                     "with the same ending", path, (int)n, name,
                     name + limn_stem(name));
}

/* Two of one side belong to one of the other. */
static limn_status twins(limn_ctx *ctx, const char *what, const side *s, const char *a, const char *b, const side *other,
                         const char *of)
{
    return limn_fail(ctx, LIMN_BAD_FILE, "%s/%s and %s/%s are %s, %s/%s: expected one of them", s->folder, a, s->folder, b,
                     what, other->folder, of);
}

/* The mask of the picture whose stem has n bytes. */
static limn_status pair_one(limn_ctx *ctx, limn_masks *m, const side *images, const side *masks, const char *name, size_t n)
{
    limn_stem_entry *mask;
    size_t found = limn_stems_find(&masks->stems, name, n, &mask);
    if (found == SIZE_MAX) return limn_fail_memory(ctx, n, "the name of a mask");
    if (!found) return limn_fail(ctx, LIMN_BAD_FILE, "%s/%s has no mask: expected %s/%.*s%s", images->folder, name,
                                 masks->folder, (int)n, name, name + limn_stem(name));
    if (found > 1) return twins(ctx, "masks for one picture", masks, mask[0].name, mask[1].name, images, name);
    if (mask->taken_by) return twins(ctx, "pictures for one mask", images, mask->taken_by, name, masks, mask->name);
    mask->taken_by = name;
    return add(ctx, m, limn_arena_strdup(m->arena, mask->stem), limn_arena_printf(m->arena, "%s/%s", images->folder, name),
               limn_arena_printf(m->arena, "%s/%s", masks->folder, mask->name));
}

static limn_status pair(limn_ctx *ctx, limn_masks *m, const side *images, const side *masks)
{
    limn_status status = LIMN_OK;
    for (size_t i = 0; i < images->name.n && status == LIMN_OK; i++) {
        const char *name = images->name.name[i];
        size_t n = m->per_channel ? limn_case_stem(name) : limn_stem(name);
        if (m->per_channel && (n == 0 || strncmp(name + n, "_0000.", 6) != 0)) status = check_channel(ctx, images->folder,
                name, n);
        else status = pair_one(ctx, m, images, masks, name, n);
    }
    size_t alone = 0;
    const char *first = NULL;
    for (size_t i = masks->stems.n; i-- > 0;)
        if (!masks->stems.entry[i].taken_by) alone++, first = masks->stems.entry[i].name;
    if (alone && status == LIMN_OK)
        limn_log(ctx, LIMN_LOG_WARN, "%zu of %zu masks have no picture in %s and are left out, the first: %s", alone,
                 masks->stems.n, images->folder, first);
    return status;
}

static limn_status pair_folders(limn_ctx *ctx, limn_masks *m, const char *folder, const char *images, const char *masks)
{
    side image = {0}, mask = {0};
    limn_status status = list(ctx, limn_arena_printf(m->arena, "%s/%s", folder, images), &image);
    if (status == LIMN_OK) status = list(ctx, limn_arena_printf(m->arena, "%s/%s", folder, masks), &mask);
    if (status == LIMN_OK) status = limn_stems_new(ctx, mask.name.name, NULL, mask.name.n, &mask.stems);
    if (status == LIMN_OK) limn_names_tell(ctx, image.folder, true, &image.name);
    if (status == LIMN_OK && !image.name.n) status = limn_fail(ctx, LIMN_BAD_ARGUMENT,
                                                               "%s holds no picture (PNG, JPEG, WebP, TIFF, NIfTI)", image.folder);
    if (status == LIMN_OK) status = pair(ctx, m, &image, &mask);
    free_side(&image);
    free_side(&mask);
    return status;
}

/* ---- nnU-Net ------------------------------------------------------------------------------------------------------------ */

/* "labels": {"background": 0, "cell": 1, "ignore": 2} */
static limn_status read_labels(limn_ctx *ctx, const char *path, json_t *labels, limn_masks *m)
{
    const char *name;
    json_t *value;
    int most = 0;
    m->named = true, m->classes = 0;
    json_object_foreach(labels, name, value) {
        json_int_t k = json_is_integer(value) ? json_integer_value(value) : -1;
        if (k < 0 || k >= LIMN_MAX_CLASSES)
            return limn_fail(ctx, LIMN_BAD_FILE, "%s: label \"%.100s\": expected a whole number from 0 to %d (regions of several labels are not supported)", path, name, LIMN_MAX_CLASSES - 1);
        if (!*name || strpbrk(name, "\n\r")) /* the model keeps them a line each */
            return limn_fail(ctx, LIMN_BAD_FILE, "%s: the label of %d has %s: expected a name on one line", path, (int)k, *name ? "a line break" : "an empty name");
        if (m->value_class[k] != -1) return limn_fail(ctx, LIMN_BAD_FILE, "%s: two labels have the value %d", path, (int)k);
        bool ignored = strcmp(name, "ignore") == 0;
        m->value_class[k] = (int16_t)(ignored ? LIMN_IGNORED : k);
        if (ignored) continue;
        m->classes++, m->class_value[k] = (int)k;
        if (k > most) most = (int)k;
        if (!(m->class_name[k] = limn_arena_strdup(m->arena, name))) return limn_fail_memory(ctx, strlen(name), path);
    }
    if (m->classes != most + 1 || m->classes < 2) return limn_fail(ctx, LIMN_BAD_FILE, "%s: expected labels 0, 1, 2 .. without a gap, found %d up to %d", path, m->classes, most);
    return LIMN_OK;
}

static limn_status read_json(limn_ctx *ctx, const char *path, const char *bytes, size_t n, limn_masks *m)
{
    json_error_t error;
    json_t *root = json_loadb(bytes, n, JSON_REJECT_DUPLICATES, &error), *labels = json_object_get(root, "labels");
    limn_status status = LIMN_OK;
    if (!root) status = limn_fail(ctx, LIMN_BAD_FILE, "%s line %d, column %d: %s", path, error.line, error.column, error.text);
    else if (!json_is_object(labels)) status = limn_fail(ctx, LIMN_BAD_FILE, "%s: expected \"labels\": {\"background\": 0, ..}, as nnU-Net writes it", path);
    else status = read_labels(ctx, path, labels, m);
    json_decref(root);
    return status;
}

static int by_name(const void *a, const void *b)
{
    const limn_mask_row *x = a, *y = b;
    int order = limn_names_compare(x->name, y->name);
    return order ? order : strcmp(x->name, y->name); /* "01" and "1" */
}

static limn_status two_folders(limn_ctx *ctx, const char *folder, limn_masks *m)
{
    static const char *const images[] = {"images", "image"}, *const masks[] = {"masks", "mask", "labels", "label"};
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 4; k++)
            if (limn_is_folder(folder, images[i]) && limn_is_folder(folder, masks[k])) return pair_folders(ctx, m, folder, images[i], masks[k]);
    if (!limn_is_folder(folder, ".")) return limn_fail(ctx, LIMN_NOT_FOUND, "%s: there is no such folder", folder);
    return limn_fail(ctx, LIMN_NOT_FOUND, "%s: expected the folders images and masks (or image and label), or nnU-Net's dataset.json, imagesTr and labelsTr", folder);
}

limn_status limn_mask_files(limn_ctx *ctx, const char *folder, limn_masks *m)
{
    unsigned char *bytes;
    size_t n;
    const char *path = limn_arena_printf(m->arena, "%s/dataset.json", folder);
    limn_status status = path ? limn_file_read(ctx, path, MAX_JSON_BYTES, &bytes, &n) : limn_fail_memory(ctx, strlen(folder), folder);
    if (status == LIMN_NOT_FOUND) status = two_folders(ctx, folder, m);
    else if (status == LIMN_OK) {
        m->per_channel = true;
        status = limn_text_check(ctx, path, (char *)bytes, n);
        if (status == LIMN_OK) status = read_json(ctx, path, (char *)bytes, n, m);
        free(bytes);
        if (status == LIMN_OK) status = pair_folders(ctx, m, folder, "imagesTr", "labelsTr");
    }
    if (status == LIMN_OK && m->n) qsort(m->row, (size_t)m->n, sizeof *m->row, by_name);
    return status;
}
