/* mask_values.c: which value of a mask is which class, and the mistakes people make; see masks.h. */
#include "data/mask_parts.h"

#include "file/bytes.h"
#include "data/case.h"

#include <stdlib.h>
#include <string.h>

/* ---- one mask --------------------------------------------------------------------------------------------------------- */

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
    if (status == LIMN_OK)
        out->file = r, out->file.values = NULL, out->width = r.width, out->height = r.height, out->slices = r.slices;
    limn_raster_free(&r);
    return status;
}

limn_status limn_mask_fits(limn_ctx *ctx, const char *path, const limn_label_map *mask, const char *what,
                           const char *picture_path, const limn_raster *picture)
{
    char a[48], b[48];
    if (mask->width == picture->width && mask->height == picture->height && mask->slices == picture->slices) {
        limn_case_place(ctx, path, &mask->file, picture_path, picture);
        return LIMN_OK;
    }
    return limn_fail(ctx, LIMN_BAD_FILE, "%s has %s pixels, its %s %s has %s: expected the same size", path,
                     limn_raster_size(mask->width, mask->height, mask->slices, a), what, picture_path,
                     limn_raster_size(picture->width, picture->height, picture->slices, b));
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
            return limn_fail(ctx, LIMN_BAD_FILE, "%s: its value %d is the 257th that masks have: expected a value a class, "
                             "not one a thing (\"half\" for the values: soft edges)", path, v);
        m->place[v] = (int16_t)m->n_values;
        m->value[m->n_values++] = v;
    }
    return LIMN_OK;
}

limn_status limn_mask_labels(limn_ctx *ctx, const limn_masks *m, const char *path, const limn_label_map *mask, uint8_t *out)
{
    for (size_t i = 0, n = pixels_of(mask); i < n; i++) {
        int place = m->place[mask->value[i]];
        if (place < 0)
            return limn_fail(ctx, LIMN_BAD_FILE, "%s: the value %d is no class; the file has changed since it was checked",
                             path, mask->value[i]);
        out[i] = (uint8_t)place;
    }
    return LIMN_OK;
}

limn_status limn_mask_halve(limn_ctx *ctx, const char *path, limn_label_map *mask)
{
    int white = (int)mask->file.limit;
    if (!white)
        return limn_fail(ctx, LIMN_BAD_FILE,
                         "%s: half is between black and white of 8 or 16 bits, and its values are of another type", path);
    for (size_t i = 0, n = pixels_of(mask); i < n; i++) {
        int v = mask->value[i];
        mask->n_soft += v > 0 && v < white;
        if (v > mask->most) mask->most = v;
        mask->value[i] = 2 * v > white ? 255 : 0;
    }
    mask->faint = mask->most > 0 && 2 * mask->most <= white;
    return LIMN_OK;
}

/* ---- values ----------------------------------------------------------------------------------------------------------- */

static limn_status set_value(limn_ctx *ctx, limn_masks *m, long value, int class)
{
    if (value < 0 || value >= LIMN_MASK_VALUES)
        return limn_fail(ctx, LIMN_BAD_ARGUMENT, "values of masks are 0 to %d, found %ld", LIMN_MASK_VALUES - 1, value);
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
    m->halved = strcmp(text, "half") == 0;
    if (m->halved) text = "0,255";
    for (const char *p = text; status == LIMN_OK;) {
        char *end;
        long value = strtol(p, &end, 10);
        if (end == p || (*end && *end != ',' && *end != ';') || (*end == ';' && ignored))
            return limn_fail(ctx, LIMN_BAD_ARGUMENT, "expected values of masks like 0,255 or 0,1,2;255, found \"%.100s\"",
                             text);
        if (!ignored && m->classes == LIMN_MAX_CLASSES)
            return limn_fail(ctx, LIMN_BAD_ARGUMENT, "masks have at most %d classes", LIMN_MAX_CLASSES);
        status = set_value(ctx, m, value, ignored ? LIMN_IGNORED : m->classes++);
        ignored = ignored || *end == ';';
        if (!*end) break;
        p = end + 1;
    }
    if (status == LIMN_OK && m->classes < 2)
        status =
            limn_fail(ctx, LIMN_BAD_ARGUMENT, "a segmentation needs two values of masks or more, found \"%.100s\"", text);
    return status;
}

static bool is_jpeg(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot && (dot[1] == 'j' || dot[1] == 'J');
}

/* What masks hold that is no class. */
typedef struct stray {
    int64_t masks;
    int values, least, most;
} stray;

static stray strays(const limn_masks *m)
{
    bool seen[256] = {false};
    stray s = {.least = LIMN_MASK_VALUES};
    for (int64_t i = 0; i < m->n; i++) {
        bool any = false;
        for (int k = 0; k < m->n_values; k++)
            if (m->row[i].count[k] && m->value_class[m->value[k]] < 0) any = seen[k] = true;
        s.masks += any;
    }
    for (int k = 0; k < m->n_values; k++) {
        if (!seen[k]) continue;
        s.values++;
        if (m->value[k] < s.least) s.least = m->value[k];
        if (m->value[k] > s.most) s.most = m->value[k];
    }
    return s;
}

/* What people mean by them: edges between black and white, as antialiasing and JPEG make them; more classes; values that
 * want names. */
static void advise(const limn_masks *m, const limn_mask_row *row, const stray *s, char out[200])
{
    enum { MANY = 3 };
    bool white = m->place[255] >= 0 || m->place[65535] >= 0 || s->most > 127, jpeg = is_jpeg(row->mask);
    bool dense = s->most < 2 * m->n_values && s->most < LIMN_MAX_CLASSES;
    *out = '\0';
    if (m->classes == 2 && white && (s->values >= MANY || jpeg))
        snprintf(out, 200, "; if they are edges between black and white%s, \"half\" for the values makes more than half of "
                 "white class 1", jpeg ? ", which JPEG blurs" : "");
    else if (jpeg) snprintf(out, 200, "; JPEG changes values: store masks as PNG");
    else if (!m->named && dense) snprintf(out, 200, "; a network of %d classes knows it: --set classes=%d", s->most + 1,
                                          s->most + 1);
    else if (!m->named) snprintf(out, 200, "; --mask-values says which values are classes");
}

static limn_status no_class(limn_ctx *ctx, const limn_masks *m, const limn_mask_row *row, int value, uint32_t pixels)
{
    char known[200] = "", others[120] = "", advice[200];
    stray s = strays(m);
    for (int k = 0, at = 0; k < m->classes && at < (int)sizeof known - 8; k++) at += snprintf(known + at,
            sizeof known - (size_t)at, "%s%d", k ? ", " : "", m->class_value[k]);
    if (s.masks > 1 || s.values > 1)
        snprintf(others, sizeof others, " (in all %lld of %lld masks hold %d such values, %d to %d)", (long long)s.masks,
                 (long long)m->n, s.values, s.least, s.most);
    advise(m, row, &s, advice);
    return limn_fail(ctx, LIMN_BAD_FILE, "%s: %u of %lld pixels have the value %d, which is no class: expected %s%s%s",
                     row->mask, pixels,
                     (long long)row->width * row->height * row->slices, value, known, others, advice);
}

static limn_status check_values(limn_ctx *ctx, const limn_masks *m, const limn_mask_row *row)
{
    for (int i = 0; i < m->n_values; i++)
        if (row->count[i] && m->value_class[m->value[i]] < 0) return no_class(ctx, m, row, m->value[i], row->count[i]);
    return LIMN_OK;
}

limn_status limn_mask_classes(limn_ctx *ctx, const limn_masks *m, limn_mask_row *row)
{
    size_t n = (size_t)row->width * (size_t)row->height * (size_t)row->slices;
    for (size_t i = 0; i < n; i++) {
        int value = m->value[row->labels[i]], class = m->value_class[value];
        if (class < 0)
            return limn_fail(ctx, LIMN_BAD_FILE, "%s: the value %d is no class; the file has changed since it was checked",
                             row->mask, value);
        row->labels[i] = (uint8_t)class;
    }
    return LIMN_OK;
}

limn_status limn_mask_values_apply(limn_ctx *ctx, limn_masks *m, int classes)
{
    limn_status status = m->named ? LIMN_OK : limn_mask_values_guess(ctx, m, classes);
    if (status == LIMN_OK && classes && classes != m->classes)
        status = limn_fail(ctx, LIMN_BAD_ARGUMENT, "the network tells %d classes apart, the masks %d", classes, m->classes);
    if (status == LIMN_OK && m->halved) limn_mask_tell_halved(ctx, m);
    for (int64_t i = 0; i < m->n && status == LIMN_OK; i++) status = check_values(ctx, m, &m->row[i]);
    for (int64_t i = 0; i < m->n && m->kept && status == LIMN_OK; i++) status = limn_mask_classes(ctx, m, &m->row[i]);
    for (int k = 0; k < m->classes && status == LIMN_OK; k++) {
        if (!m->class_name[k]) m->class_name[k] = limn_arena_printf(m->arena, "%d", m->class_value[k]);
        if (!m->class_name[k]) return limn_fail_memory(ctx, 8, "the name of a class");
    }
    return status;
}
