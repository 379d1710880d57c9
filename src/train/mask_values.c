/* mask_values.c: which value of a mask is which class, and the mistakes people make; see masks.h. */
#include "train/mask_parts.h"

#include "file/bytes.h"
#include "train/case.h"

#include <stdlib.h>
#include <string.h>

/* ---- one mask ---------------------------------------------------------------------------------------------------------- */

limn_status limn_mask_read(limn_ctx *ctx, const char *path, limn_label_map *out)
{
    unsigned char *bytes;
    size_t n;
    limn_raster r = {0};
    *out = (limn_label_map){0};
    limn_status status = limn_file_read(ctx, path, LIMN_MAX_RASTER_BYTES, &bytes, &n);
    if (status != LIMN_OK) return status;
    status = limn_raster_decode_labels(ctx, path, bytes, n, &r);
    free(bytes);
    if (status == LIMN_OK) status = limn_raster_labels(ctx, path, &r, &out->value, &out->near);
    if (status == LIMN_OK) out->file = r, out->file.values = NULL, out->width = r.width, out->height = r.height, out->slices = r.slices;
    limn_raster_free(&r);
    return status;
}

limn_status limn_mask_fits(limn_ctx *ctx, const char *path, const limn_label_map *mask, const char *picture_path, const limn_raster *picture)
{
    char a[48], b[48];
    if (mask->width == picture->width && mask->height == picture->height && mask->slices == picture->slices) {
        limn_case_place(ctx, path, &mask->file, picture_path, picture);
        return LIMN_OK;
    }
    return limn_fail(ctx, LIMN_BAD_FILE, "%s has %s pixels, its picture %s has %s: expected the same size", path, limn_raster_size(mask->width, mask->height, mask->slices, a),
                     picture_path, limn_raster_size(picture->width, picture->height, picture->slices, b));
}

static size_t pixels_of(const limn_label_map *mask)
{
    return (size_t)mask->width * (size_t)mask->height * (size_t)mask->slices;
}

limn_status limn_mask_places(limn_ctx *ctx, limn_masks *m, const char *path, const limn_label_map *mask)
{
    for (size_t i = 0, n = pixels_of(mask); i < n; i++) {
        int v = mask->value[i];
        if (m->place[v] >= 0) continue;
        if (m->n_values == 256)
            return limn_fail(ctx, LIMN_BAD_FILE, "%s: its value %d is the 257th that masks have: expected a value a class, not one a thing", path, v);
        m->place[v] = (int16_t)m->n_values;
        m->value[m->n_values++] = v;
    }
    return LIMN_OK;
}

limn_status limn_mask_labels(limn_ctx *ctx, const limn_masks *m, const char *path, const limn_label_map *mask, uint8_t *out)
{
    for (size_t i = 0, n = pixels_of(mask); i < n; i++) {
        int place = m->place[mask->value[i]];
        if (place < 0) return limn_fail(ctx, LIMN_BAD_FILE, "%s: the value %d is no class; the file has changed since it was checked", path, mask->value[i]);
        out[i] = (uint8_t)place;
    }
    return LIMN_OK;
}

/* ---- values ------------------------------------------------------------------------------------------------------------ */

static limn_status set_value(limn_ctx *ctx, limn_masks *m, long value, int class)
{
    if (value < 0 || value >= LIMN_MASK_VALUES) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "values of masks are 0 to %d, found %ld", LIMN_MASK_VALUES - 1, value);
    if (m->value_class[value] != -1) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "the value %ld stands for two classes", value);
    m->value_class[value] = (int16_t)class;
    if (class != LIMN_IGNORED) m->class_value[class] = (int)value;
    return LIMN_OK;
}

limn_status limn_mask_values_parse(limn_ctx *ctx, const char *text, limn_masks *m)
{
    limn_status status = LIMN_OK;
    bool ignored = false;
    memset(m->class_name, 0, sizeof m->class_name);
    for (int i = 0; i < LIMN_MASK_VALUES; i++) m->value_class[i] = -1;
    m->classes = 0, m->named = true;
    for (const char *p = text; status == LIMN_OK;) {
        char *end;
        long value = strtol(p, &end, 10);
        if (end == p || (*end && *end != ',' && *end != ';') || (*end == ';' && ignored))
            return limn_fail(ctx, LIMN_BAD_ARGUMENT, "expected values of masks like 0,255 or 0,1,2;255, found \"%.100s\"", text);
        if (!ignored && m->classes == LIMN_MAX_CLASSES) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "masks have at most %d classes", LIMN_MAX_CLASSES);
        status = set_value(ctx, m, value, ignored ? LIMN_IGNORED : m->classes++);
        ignored = ignored || *end == ';';
        if (!*end) break;
        p = end + 1;
    }
    if (status == LIMN_OK && m->classes < 2) status = limn_fail(ctx, LIMN_BAD_ARGUMENT, "a segmentation needs two values of masks or more, found \"%.100s\"", text);
    return status;
}

/* Nobody said what the values are: 0 and 255 (or 65535) alone are classes 0 and 1, else each is its own class, but 255 behind 0 .. K-1 is ignored. */
static limn_status guess_values(limn_ctx *ctx, limn_masks *m, int classes)
{
    int last = 0, n = m->n_values, gap = 0;
    for (int i = 0; i < n; i++)
        if (m->value[i] > last) last = m->value[i];
    bool black_white = (last == 255 || last == 65535) && (n == 1 || (n == 2 && m->place[0] >= 0));
    if (black_white && classes <= 2) return limn_mask_values_parse(ctx, last == 255 ? "0,255" : "0,65535", m);
    while (gap < 255 && m->place[gap] >= 0) gap++;
    bool ignored = last == 255 && (classes ? !black_white : gap > 1 && gap == n - 1); /* 0 .. gap-1 and 255 */
    if (ignored) last = gap - 1, n--;
    if (!classes && n < last + 1 - last / 4)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s and the other masks have %d different values up to %d: say which are classes, in their order (as 0,255)", m->row[0].mask, n, last);
    m->classes = classes ? classes : last + 1;
    if (m->classes > LIMN_MAX_CLASSES) m->classes = LIMN_MAX_CLASSES;
    for (int v = 0; v < LIMN_MASK_VALUES; v++) m->value_class[v] = (int16_t)(v < m->classes ? v : -1);
    for (int k = 0; k < m->classes; k++) m->class_value[k] = k;
    if (ignored) m->value_class[255] = LIMN_IGNORED;
    return m->classes >= 2 ? LIMN_OK : limn_fail(ctx, LIMN_BAD_FILE, "%s and all other masks hold the value 0 only: there is nothing to learn", m->row[0].mask);
}

/* What was guessed takes pixels away. */
static void tell_ignored(limn_ctx *ctx, const limn_masks *m)
{
    double ignored = 0, all = 0;
    const char *first = NULL;
    for (int64_t i = 0; i < m->n; i++) {
        uint32_t n = m->row[i].count[m->place[255]];
        if (n && !first) first = m->row[i].mask;
        ignored += n, all += (double)m->row[i].width * m->row[i].height * m->row[i].slices;
    }
    limn_log(ctx, LIMN_LOG_INFO, "pixels of value 255 in the masks are ignored, %.2g %% of all, the first in %s; if they are a class, --mask-values says so", 100 * ignored / all, first);
}

static bool is_jpeg(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot && (dot[1] == 'j' || dot[1] == 'J');
}

static limn_status check_values(limn_ctx *ctx, const limn_masks *m, const limn_mask_row *row)
{
    for (int i = 0; i < m->n_values; i++)
        if (row->count[i] && m->value_class[m->value[i]] < 0) {
            char known[200] = "";
            for (int k = 0, at = 0; k < m->classes && at < (int)sizeof known - 8; k++) at += snprintf(known + at, sizeof known - (size_t)at, "%s%d", k ? ", " : "", m->class_value[k]);
            return limn_fail(ctx, LIMN_BAD_FILE, "%s: %u of %lld pixels have the value %d, which is no class: expected %s%s", row->mask, row->count[i],
                             (long long)row->width * row->height * row->slices, m->value[i], known, is_jpeg(row->mask) ? " (JPEG changes values: store masks as PNG)" : "");
        }
    return LIMN_OK;
}

limn_status limn_mask_classes(limn_ctx *ctx, const limn_masks *m, limn_mask_row *row)
{
    size_t n = (size_t)row->width * (size_t)row->height * (size_t)row->slices;
    for (size_t i = 0; i < n; i++) {
        int value = m->value[row->labels[i]], class = m->value_class[value];
        if (class < 0) return limn_fail(ctx, LIMN_BAD_FILE, "%s: the value %d is no class; the file has changed since it was checked", row->mask, value);
        row->labels[i] = (uint8_t)class;
    }
    return LIMN_OK;
}

limn_status limn_mask_values_apply(limn_ctx *ctx, limn_masks *m, int classes)
{
    limn_status status = m->named ? LIMN_OK : guess_values(ctx, m, classes);
    if (status == LIMN_OK && classes && classes != m->classes)
        status = limn_fail(ctx, LIMN_BAD_ARGUMENT, "the network tells %d classes apart, the masks %d", classes, m->classes);
    if (status == LIMN_OK && !m->named && m->value_class[255] == LIMN_IGNORED) tell_ignored(ctx, m);
    for (int64_t i = 0; i < m->n && status == LIMN_OK; i++) status = check_values(ctx, m, &m->row[i]);
    for (int64_t i = 0; i < m->n && m->kept && status == LIMN_OK; i++) status = limn_mask_classes(ctx, m, &m->row[i]);
    for (int k = 0; k < m->classes && status == LIMN_OK; k++) {
        if (!m->class_name[k]) m->class_name[k] = limn_arena_printf(m->arena, "%d", m->class_value[k]);
        if (!m->class_name[k]) return limn_fail_memory(ctx, 8, "the name of a class");
    }
    return status;
}
