/* mask_files.c: which picture has which mask; see masks.h. */
#include "train/mask_parts.h"

#include "base/json.h"
#include "file/bytes.h"
#include "train/case.h"
#include "train/listing.h"
#include "train/rows.h"

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

typedef struct mask_name {
    const char *name;
    size_t stem; /* bytes before its ending */
    bool taken;
} mask_name;

static int by_stem(const void *a, const void *b)
{
    const mask_name *x = a, *y = b;
    int order = limn_stems_compare(x->name, x->stem, y->name, y->stem);
    return order ? order : strcmp(x->name, y->name);
}

/* Of sorted names the first one with this stem, which is then taken; NULL: none. */
static const char *find(mask_name *masks, size_t n, const char *stem, size_t length)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (limn_stems_compare(masks[middle].name, masks[middle].stem, stem, length) < 0) low = middle + 1;
        else high = middle;
    }
    if (low == n || limn_stems_compare(masks[low].name, masks[low].stem, stem, length) != 0) return NULL;
    masks[low].taken = true;
    return masks[low].name;
}

static limn_status pair(limn_ctx *ctx, limn_masks *m, const char *images, const limn_names *image, const char *folder, mask_name *mask, size_t n_masks)
{
    limn_status status = LIMN_OK;
    for (size_t i = 0; i < image->n && status == LIMN_OK; i++) {
        const char *name = image->name[i];
        size_t n = m->per_channel ? limn_case_stem(name) : limn_stem(name);
        if (m->per_channel && n == 0) return limn_fail(ctx, LIMN_BAD_FILE, "%s/%s: expected a name like CASE_0000.png in nnU-Net's layout", images, name);
        if (m->per_channel && strncmp(name + n, "_0000.", 6) != 0) continue;
        const char *of = find(mask, n_masks, name, n);
        if (!of) return limn_fail(ctx, LIMN_BAD_FILE, "%s/%s has no mask: expected %s/%.*s%s", images, name, folder, (int)n, name, name + limn_stem(name));
        status = add(ctx, m, limn_arena_printf(m->arena, "%.*s", (int)n, name), limn_arena_printf(m->arena, "%s/%s", images, name), limn_arena_printf(m->arena, "%s/%s", folder, of));
    }
    size_t alone = 0, first = 0;
    for (size_t i = n_masks; i-- > 0;)
        if (!mask[i].taken) alone++, first = i;
    if (alone && status == LIMN_OK)
        limn_log(ctx, LIMN_LOG_WARN, "%zu of %zu masks have no picture in %s and are left out, the first: %s", alone, n_masks, images, mask[first].name);
    return status;
}

static limn_status pair_folders(limn_ctx *ctx, limn_masks *m, const char *folder, const char *images, const char *masks)
{
    limn_names image = {0}, mask = {0};
    mask_name *sorted = NULL;
    const char *a = limn_arena_printf(m->arena, "%s/%s", folder, images), *b = limn_arena_printf(m->arena, "%s/%s", folder, masks);
    limn_status status = a && b ? limn_names_list(ctx, a, true, &image, NULL) : limn_fail_memory(ctx, 4096, folder);
    if (status == LIMN_OK) status = limn_names_list(ctx, b, true, &mask, NULL);
    if (status == LIMN_OK) limn_names_tell(ctx, a, true, &image);
    if (status == LIMN_OK && !image.n) status = limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s holds no picture (PNG, JPEG, WebP, TIFF, NIfTI)", a);
    if (status == LIMN_OK && !(sorted = calloc(mask.n + 1, sizeof *sorted))) status = limn_fail_memory(ctx, mask.n * sizeof *sorted, b);
    for (size_t i = 0; i < mask.n && status == LIMN_OK; i++) sorted[i] = (mask_name){mask.name[i], limn_stem(mask.name[i]), false};
    if (status == LIMN_OK) qsort(sorted, mask.n, sizeof *sorted, by_stem);
    if (status == LIMN_OK) status = pair(ctx, m, a, &image, b, sorted, mask.n);
    free(sorted);
    limn_names_free(&image);
    limn_names_free(&mask);
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
    json_t *root = limn_json_parse(bytes, n, &error), *labels = json_object_get(root, "labels");
    limn_status status = LIMN_OK;
    if (!root) status = limn_fail(ctx, LIMN_BAD_FILE, "%s line %d, column %d: %s", path, error.line, error.column, error.text);
    else if (!json_is_object(labels)) status = limn_fail(ctx, LIMN_BAD_FILE, "%s: expected \"labels\": {\"background\": 0, ..}, as nnU-Net writes it", path);
    else status = read_labels(ctx, path, labels, m);
    json_decref(root);
    return status;
}

static int by_name(const void *a, const void *b)
{
    return limn_names_compare(((const limn_mask_row *)a)->name, ((const limn_mask_row *)b)->name);
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
    for (int64_t i = 1; i < m->n && status == LIMN_OK; i++)
        if (strcmp(m->row[i - 1].name, m->row[i].name) == 0)
            status = limn_fail(ctx, LIMN_BAD_FILE, "%s and %s are pictures for one mask, %s: expected one of them", m->row[i - 1].image, m->row[i].image, m->row[i].mask);
    return status;
}
