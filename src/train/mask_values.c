/* mask_values.c: which value of a mask is which class, and the mistakes people make; see masks.h. */
#include "train/mask_parts.h"

#include "file/bytes.h"
#include "file/image.h"

#include <stdlib.h>
#include <string.h>

/* ---- one mask ---------------------------------------------------------------------------------------------------------- */

enum { PNG_DEPTH = 24, PNG_TYPE = 25, PNG_PALETTE = 3 }; /* bytes of a PNG's first chunk */

/* What decoding to 8 bits would change: 1 of 16 bits would become 0, of 4 bits 17, and of a palette a colour. */
static limn_status check_depth(limn_ctx *ctx, const char *path, const unsigned char *bytes, size_t n)
{
    if (limn_image_sniff(bytes, n) != LIMN_IMAGE_PNG || n <= PNG_TYPE) return LIMN_OK;
    if (bytes[PNG_TYPE] == PNG_PALETTE)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s: expected a mask with one value a pixel, found a palette of colours: write its indices as gray values", path);
    if (bytes[PNG_DEPTH] == 8 || bytes[PNG_DEPTH] == 1) return LIMN_OK;
    return limn_fail(ctx, LIMN_BAD_FILE, "%s: expected a mask of 8 bits a pixel, found %d", path, bytes[PNG_DEPTH]);
}

static limn_status decode(limn_ctx *ctx, const char *path, limn_image *out)
{
    unsigned char *bytes;
    size_t n;
    *out = (limn_image){0};
    limn_status status = limn_file_read(ctx, path, LIMN_MAX_IMAGE_BYTES, &bytes, &n);
    if (status != LIMN_OK) return status;
    status = check_depth(ctx, path, bytes, n);
    if (status == LIMN_OK) status = limn_image_decode(ctx, path, bytes, n, 0, out);
    free(bytes);
    return status;
}

limn_status limn_mask_read(limn_ctx *ctx, const limn_mask_row *row, limn_image *out)
{
    limn_status status = decode(ctx, row->mask, out);
    if (status != LIMN_OK) return status;
    size_t n = (size_t)out->width * (size_t)out->height;
    int c = out->channels;
    for (size_t i = 0; i < n && c > 1 && status == LIMN_OK; i++) {
        const uint8_t *p = out->pixels + i * (size_t)c;
        bool gray = c < 3 || (p[0] == p[1] && p[1] == p[2]), opaque = c == 3 || p[c - 1] == 255;
        if (!gray)
            status = limn_fail(ctx, LIMN_BAD_FILE, "%s: expected a mask with one value a pixel, found the colour %d,%d,%d at column %zu, row %zu: write classes as gray values",
                               row->mask, p[0], p[1], p[2], i % (size_t)out->width, i / (size_t)out->width);
        else if (!opaque) status = limn_fail(ctx, LIMN_BAD_FILE, "%s: expected a mask with one value a pixel, found transparency at column %zu, row %zu", row->mask,
                                             i % (size_t)out->width, i / (size_t)out->width);
        else out->pixels[i] = p[0];
    }
    if (status == LIMN_OK) out->channels = 1;
    else limn_image_free(out);
    return status;
}

/* ---- values ------------------------------------------------------------------------------------------------------------ */

static limn_status set_value(limn_ctx *ctx, limn_masks *m, long value, int class)
{
    if (value < 0 || value > 255) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "values of masks are 0 to 255, found %ld", value);
    if (m->value_class[value] != -1) return limn_fail(ctx, LIMN_BAD_ARGUMENT, "the value %ld stands for two classes", value);
    m->value_class[value] = class;
    if (class != LIMN_IGNORED) m->class_value[class] = (int)value;
    return LIMN_OK;
}

limn_status limn_mask_values_parse(limn_ctx *ctx, const char *text, limn_masks *m)
{
    limn_status status = LIMN_OK;
    bool ignored = false;
    memset(m->class_name, 0, sizeof m->class_name);
    for (int i = 0; i < 256; i++) m->value_class[i] = -1;
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

/* Nobody said what the values are: 0 and 255 alone are classes 0 and 1, else each is its own class, but 255 behind 0 .. K-1 is ignored. */
static limn_status guess_values(limn_ctx *ctx, limn_masks *m, int classes)
{
    int64_t count[256] = {0}, n = 0;
    int last = 0;
    for (int64_t i = 0; i < m->n; i++)
        for (int v = 0; v < 256; v++) count[v] += m->row[i].count[v];
    for (int v = 0; v < 256; v++)
        if (count[v]) last = v, n++;
    bool black_white = last == 255 && (n == 1 || (n == 2 && count[0]));
    if (black_white && classes <= 2) return limn_mask_values_parse(ctx, "0,255", m);
    int gap = 0;
    while (gap < 255 && count[gap]) gap++;
    bool ignored = last == 255 && (classes ? !black_white : gap > 1 && gap == n - 1); /* 0 .. gap-1 and 255 */
    if (ignored) last = gap - 1, n--;
    if (!classes && n < last + 1 - last / 4)
        return limn_fail(ctx, LIMN_BAD_FILE, "%s and the other masks have %lld different values up to %d: say which are classes, in their order (as 0,255)", m->row[0].mask,
                         (long long)n, last);
    m->classes = classes ? classes : last + 1;
    if (m->classes > LIMN_MAX_CLASSES) m->classes = LIMN_MAX_CLASSES;
    for (int v = 0; v < 256; v++) m->value_class[v] = v < m->classes ? v : -1, m->class_value[v] = v;
    if (ignored) m->value_class[255] = LIMN_IGNORED;
    return m->classes >= 2 ? LIMN_OK : limn_fail(ctx, LIMN_BAD_FILE, "%s and all other masks hold the value 0 only: there is nothing to learn", m->row[0].mask);
}

static bool is_jpeg(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot && (dot[1] == 'j' || dot[1] == 'J');
}

static limn_status check_values(limn_ctx *ctx, const limn_masks *m, const limn_mask_row *row)
{
    for (int v = 0; v < 256; v++)
        if (row->count[v] && m->value_class[v] < 0) {
            char known[200] = "";
            for (int k = 0, at = 0; k < m->classes && at < (int)sizeof known - 8; k++) at += snprintf(known + at, sizeof known - (size_t)at, "%s%d", k ? ", " : "", m->class_value[k]);
            return limn_fail(ctx, LIMN_BAD_FILE, "%s: %u of %lld pixels have the value %d, which is no class: expected %s%s", row->mask, row->count[v],
                             (long long)row->picture.width * row->picture.height, v, known, is_jpeg(row->mask) ? " (JPEG changes values: store masks as PNG)" : "");
        }
    return LIMN_OK;
}

limn_status limn_mask_classes(limn_ctx *ctx, const limn_masks *m, limn_mask_row *row)
{
    size_t n = (size_t)row->picture.width * (size_t)row->picture.height;
    for (size_t i = 0; i < n; i++) {
        int class = m->value_class[row->labels[i]];
        if (class < 0) return limn_fail(ctx, LIMN_BAD_FILE, "%s: the value %d is no class; the file has changed since it was checked", row->mask, row->labels[i]);
        row->labels[i] = (uint8_t)class;
    }
    return LIMN_OK;
}

limn_status limn_mask_values_apply(limn_ctx *ctx, limn_masks *m, int classes)
{
    limn_status status = m->named ? LIMN_OK : guess_values(ctx, m, classes);
    if (status == LIMN_OK && classes && classes != m->classes)
        status = limn_fail(ctx, LIMN_BAD_ARGUMENT, "the network tells %d classes apart, the masks %d", classes, m->classes);
    for (int64_t i = 0; i < m->n && status == LIMN_OK; i++) status = check_values(ctx, m, &m->row[i]);
    for (int64_t i = 0; i < m->n && m->kept && status == LIMN_OK; i++) status = limn_mask_classes(ctx, m, &m->row[i]);
    for (int k = 0; k < m->classes && status == LIMN_OK; k++) {
        if (!m->class_name[k]) m->class_name[k] = limn_arena_printf(m->arena, "%d", m->class_value[k]);
        if (!m->class_name[k]) return limn_fail_memory(ctx, 8, "the name of a class");
    }
    return status;
}
