/* mask_files.c: which picture has which mask; see masks.h. */
#include "data/mask_parts.h"

#include "base/json.h"
#include "file/bytes.h"
#include "data/case.h"
#include "data/listing.h"
#include "data/rows.h"
#include "data/stems.h"

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

/* What a mask that is missing is to end in: as its picture, but not in a format that may change its values. */
static const char *mask_ending(const char *picture)
{
    const char *ending = picture + limn_stem(picture);
    return ending[0] && strchr("jJwW", ending[1]) ? ".png" : ending; /* JPEG, WebP */
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
                                 masks->folder, (int)n, name, mask_ending(name));
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
    if (status == LIMN_OK && !image.name.n)
        status = limn_fail(ctx, LIMN_BAD_ARGUMENT, "%s holds no picture (PNG, JPEG, WebP, TIFF, NIfTI)", image.folder);
    if (status == LIMN_OK) status = pair(ctx, m, &image, &mask);
    free_side(&image);
    free_side(&mask);
    return status;
}

/* ---- nnU-Net ---------------------------------------------------------------------------------------------------------- */

/* Digits alone; -1 for other texts. */
static json_int_t number_in(const char *text)
{
    size_t n = strspn(text, "0123456789");
    return n && n < 10 && !text[n] ? strtoll(text, NULL, 10) : -1;
}

/* A number of a label: 1, also as 1.0 and "1"; -1: none. */
static json_int_t number_of(const json_t *value)
{
    double real = json_is_real(value) ? json_real_value(value) : -1;
    if (json_is_integer(value)) return json_integer_value(value);
    if (json_is_string(value)) return number_in(json_string_value(value));
    return real >= 0 && real < LIMN_MASK_VALUES && real == (double)(json_int_t)real ? (json_int_t)real : -1;
}

/* Class k is called `name`. */
static limn_status add_label(limn_ctx *ctx, const char *path, const char *name, json_int_t k, limn_masks *m)
{
    if (k < 0 || k >= LIMN_MAX_CLASSES)
        return limn_fail(
            ctx, LIMN_BAD_FILE,
            "%s: label \"%.100s\": expected a whole number from 0 to %d (regions of several labels are not supported)", path,
            name, LIMN_MAX_CLASSES - 1);
    if (!*name) return limn_fail(ctx, LIMN_BAD_FILE, "%s: the label of %d has an empty name", path, (int)k);
    if (m->value_class[k] != -1) return limn_fail(ctx, LIMN_BAD_FILE, "%s: two labels have the value %d", path, (int)k);
    for (int i = 0; i < LIMN_MAX_CLASSES; i++)
        if (m->class_name[i] && strcmp(m->class_name[i], name) == 0)
            return limn_fail(ctx, LIMN_BAD_FILE, "%s: labels %d and %d have one name, \"%.100s\"", path, i, (int)k, name);
    bool ignored = strcmp(name, "ignore") == 0;
    m->value_class[k] = (int16_t)(ignored ? LIMN_IGNORED : k);
    if (ignored) return LIMN_OK;
    m->classes++, m->class_value[k] = (int)k;
    return (m->class_name[k] = limn_arena_strdup(m->arena, name)) ? LIMN_OK : limn_fail_memory(ctx, strlen(name), path);
}

/* nnU-Net 1 and the Medical Segmentation Decathlon have number to name, {"0": "background"}; a name may look like a number,
 * so all labels are asked.
 * @return LIMN_BAD_FILE: numbers on both sides that read as two different lists */
static limn_status find_turned(limn_ctx *ctx, const char *path, json_t *labels, bool *turned)
{
    const char *key;
    json_t *value;
    size_t n = json_object_size(labels), n_keys = 0, n_names = 0, n_texts = 0, n_same = 0;
    json_object_foreach(labels, key, value) {
        const char *text = json_string_value(value);
        n_keys += number_in(key) >= 0;
        n_names += text != NULL;
        n_texts += text && number_in(text) >= 0;
        n_same += text && strcmp(text, key) == 0;
    }
    *turned = n_keys == n && n_names == n && n_texts < n;
    if (n_keys == n && n_texts == n && n_same < n)
        return limn_fail(ctx, LIMN_BAD_FILE,
                         "%s: labels are numbers in quotes on both sides: expected the number without quotes, as in "
                         "{\"10\": 0, \"20\": 1}",
                         path);
    if (!*turned && n_names > n_texts)
        return limn_fail(ctx, LIMN_BAD_FILE,
                         "%s: %zu of %zu labels are names: expected {\"background\": 0, \"cell\": 1}, or all of them turned "
                         "round, {\"0\": \"background\", \"1\": \"cell\"}",
                         path, n_names - n_texts, n);
    return LIMN_OK;
}

/* "labels": {"background": 0, "cell": 1, "ignore": 2} or {"0": "background", "1": "cell"} */
static limn_status read_labels(limn_ctx *ctx, const char *path, json_t *labels, limn_masks *m)
{
    const char *key;
    json_t *value;
    int most = 0;
    bool turned;
    m->named = true, m->classes = 0;
    limn_status status = find_turned(ctx, path, labels, &turned);
    if (status != LIMN_OK) return status;
    json_object_foreach(labels, key, value) {
        status = turned ? add_label(ctx, path, json_string_value(value), number_in(key), m)
                        : add_label(ctx, path, key, number_of(value), m);
        if (status != LIMN_OK) return status;
    }
    for (int k = 0; k < LIMN_MAX_CLASSES; k++) most = m->class_name[k] ? k : most;
    if (turned)
        limn_log(ctx, LIMN_LOG_INFO,
                 "%s: its %d labels go from number to name, as in nnU-Net 1 and the Medical Segmentation Decathlon", path,
                 m->classes);
    if (m->classes != most + 1 || m->classes < 2)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: expected labels 0, 1, 2 .. without a gap, found %d up to %d", path,
                         m->classes, most);
    return LIMN_OK;
}

static limn_status read_json(limn_ctx *ctx, const char *path, const char *bytes, size_t n, limn_masks *m, json_t **root)
{
    json_error_t error;
    size_t begin;
    if (limn_text_begin(ctx, path, bytes, n, &begin) != LIMN_OK || limn_text_check(ctx, path, bytes, n) != LIMN_OK)
        return LIMN_BAD_FILE;
    *root = limn_json_parse(bytes + begin, n - begin, &error);
    json_t *labels = json_object_get(*root, "labels"), *training = json_object_get(*root, "training");
    if (!*root)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s line %d, column %d: %s", path, error.line, error.column, error.text);
    if (!json_is_object(labels))
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: expected \"labels\": {\"background\": 0, ..}, as nnU-Net writes it", path);
    if (training && !json_is_array(training))
        return limn_fail(
            ctx, LIMN_BAD_FILE,
            "%s: expected \"training\": [{\"image\": \"./imagesTr/a.nii.gz\", \"label\": \"./labelsTr/a.nii.gz\"}, ..]",
            path);
    return read_labels(ctx, path, labels, m);
}

/* Pictures of the Decathlon as it is distributed are named as their masks, without _0000. */
static limn_status find_channels(limn_ctx *ctx, const char *folder, limn_masks *m)
{
    limn_names image = {0}, mask = {0};
    const char *a = limn_arena_printf(m->arena, "%s/imagesTr", folder),
               *b = limn_arena_printf(m->arena, "%s/labelsTr", folder);
    limn_status status = a && b ? limn_names_list(ctx, a, true, &image, NULL) : limn_fail_memory(ctx, 4096, folder);
    if (status == LIMN_OK) status = limn_names_list(ctx, b, true, &mask, NULL);
    bool same = image.n > 0;
    for (size_t i = 0, k = 0; i < image.n && same; i++) { /* both are sorted: mostly the next one */
        size_t n = limn_stem(image.name[i]), tried = 0;
        for (same = false; tried < mask.n && !same; tried++, k++)
            same = limn_names_same(image.name[i], n, mask.name[k % mask.n], limn_stem(mask.name[k % mask.n]));
    }
    m->per_channel = !same;
    limn_names_free(&image);
    limn_names_free(&mask);
    return status;
}

/* An entry of "training": the name of its mask, composed and without folder and ending. */
typedef struct listed_mask {
    char *stem;
    const char *label;
    bool taken;
} listed_mask;

static int by_listed(const void *a, const void *b)
{
    return strcmp(((const listed_mask *)a)->stem, ((const listed_mask *)b)->stem);
}

static char *stem_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    return limn_name_composed(name, limn_stem(name));
}

static limn_status read_training(limn_ctx *ctx, const char *path, json_t *training, listed_mask *list)
{
    size_t i;
    json_t *entry;
    json_array_foreach(training, i, entry) {
        list[i].label = json_string_value(json_object_get(entry, "label"));
        if (!list[i].label)
            return limn_fail(ctx, LIMN_BAD_FILE,
                             "%s: training: entry %zu has no \"label\": expected {\"image\": .., \"label\": ..}", path, i);
        if (!(list[i].stem = stem_of(list[i].label))) return limn_fail_memory(ctx, strlen(list[i].label), path);
    }
    qsort(list, i, sizeof *list, by_listed);
    return LIMN_OK;
}

/* Rows that are in the list; every entry of it must have one. */
static limn_status keep_rows(limn_ctx *ctx, const char *path, listed_mask *list, size_t n, limn_masks *m)
{
    int64_t kept = 0, all = m->n;
    for (size_t i = 1; i < n; i++)
        if (strcmp(list[i].stem, list[i - 1].stem) == 0)
            return limn_fail(ctx, LIMN_BAD_FILE, "%s: training lists \"%.200s\" twice", path, list[i].label);
    for (int64_t i = 0; i < all; i++) {
        listed_mask key = {.stem = stem_of(m->row[i].mask)},
                    *found = key.stem ? bsearch(&key, list, n, sizeof *list, by_listed) : NULL;
        if (!key.stem) return limn_fail_memory(ctx, strlen(m->row[i].mask), path);
        free(key.stem);
        if (found) found->taken = true, m->row[kept++] = m->row[i];
    }
    m->n = kept;
    for (size_t i = 0; i < n; i++)
        if (!list[i].taken)
            return limn_fail(ctx, LIMN_BAD_FILE, "%s: training lists the mask \"%.200s\", and there is no picture with it",
                             path, list[i].label);
    if (kept < all)
        limn_log(ctx, LIMN_LOG_WARN, "%s: %lld of %lld pictures are not in its list \"training\" and are left out", path,
                 (long long)(all - kept), (long long)all);
    return LIMN_OK;
}

/* nnU-Net 1 lists what is trained on; without a list it is all there is. */
static limn_status keep_listed(limn_ctx *ctx, const char *path, json_t *training, limn_masks *m)
{
    size_t n = json_array_size(training);
    if (!n) return LIMN_OK;
    listed_mask *list = calloc(n, sizeof *list);
    if (!list) return limn_fail_memory(ctx, n * sizeof *list, path);
    limn_status status = read_training(ctx, path, training, list);
    if (status == LIMN_OK) status = keep_rows(ctx, path, list, n, m);
    for (size_t i = 0; i < n; i++) free(list[i].stem);
    free(list);
    return status;
}

/* "channel_names", in version 1 "modality": {"0": "CT", "1": "PET"}, or a list. */
static void compare_channels(limn_ctx *ctx, const char *path, json_t *root, const limn_masks *m)
{
    const char *field = json_object_get(root, "channel_names") ? "channel_names" : "modality";
    json_t *names = json_object_get(root, field);
    size_t n = json_is_array(names) ? json_array_size(names) : json_object_size(names);
    if (n && n != (size_t)m->channels)
        limn_log(ctx, LIMN_LOG_WARN, "%s: %s names %zu channels, the network reads %d", path, field, n, m->channels);
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
            if (limn_is_folder(folder, images[i]) && limn_is_folder(folder, masks[k]))
                return pair_folders(ctx, m, folder, images[i], masks[k]);
    if (!limn_is_folder(folder, ".")) return limn_fail(ctx, LIMN_NOT_FOUND, "%s: there is no such folder", folder);
    return limn_fail(
        ctx, LIMN_NOT_FOUND,
        "%s: expected the folders images and masks (or image and label), or nnU-Net's dataset.json, imagesTr and labelsTr",
        folder);
}

static limn_status nnunet(limn_ctx *ctx, const char *folder, const char *path, const char *bytes, size_t n, limn_masks *m)
{
    json_t *root = NULL;
    limn_status status = read_json(ctx, path, bytes, n, m, &root);
    if (status == LIMN_OK) status = find_channels(ctx, folder, m);
    if (status == LIMN_OK) compare_channels(ctx, path, root, m);
    if (status == LIMN_OK) status = pair_folders(ctx, m, folder, "imagesTr", "labelsTr");
    if (status == LIMN_OK) status = keep_listed(ctx, path, json_object_get(root, "training"), m);
    json_decref(root);
    return status;
}

limn_status limn_mask_files(limn_ctx *ctx, const char *folder, limn_masks *m)
{
    unsigned char *bytes = NULL;
    size_t n;
    const char *path = limn_arena_printf(m->arena, "%s/dataset.json", folder);
    limn_status status =
        path ? limn_file_read(ctx, path, MAX_JSON_BYTES, &bytes, &n) : limn_fail_memory(ctx, strlen(folder), folder);
    if (status == LIMN_NOT_FOUND) status = two_folders(ctx, folder, m);
    else if (status == LIMN_OK) status = nnunet(ctx, folder, path, (char *)bytes, n, m);
    free(bytes);
    if (status == LIMN_OK && m->n) qsort(m->row, (size_t)m->n, sizeof *m->row, by_name);
    return status;
}
