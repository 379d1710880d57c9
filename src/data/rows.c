/* rows.c: the list of pictures, their classes, and texts that must be UTF-8. */
#include "data/rows.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

limn_status limn_rows_new(limn_ctx *ctx, limn_rows *rows)
{
    *rows = (limn_rows){.arena = limn_arena_new()};
    return rows->arena ? LIMN_OK : limn_fail_memory(ctx, sizeof *rows, "a list of pictures");
}

void limn_rows_free(limn_rows *rows)
{
    limn_arena_free(rows->arena);
    free(rows->row);
    free(rows->classes);
    *rows = (limn_rows){0};
}

limn_status limn_rows_add(limn_ctx *ctx, limn_rows *rows, const char *file, const char *caption, const char *class)
{
    if (rows->n == rows->capacity) {
        int64_t capacity = rows->capacity ? 2 * rows->capacity : 1024;
        limn_row *more = realloc(rows->row, (size_t)capacity * sizeof *more);
        if (!more) return limn_fail_memory(ctx, (size_t)capacity * sizeof *more, "a list of pictures");
        rows->row = more, rows->capacity = capacity;
    }
    rows->row[rows->n++] = (limn_row){.file = file, .caption = caption, .class = class, .label = -1};
    return class ? limn_rows_note_class(ctx, rows, class) : LIMN_OK;
}

limn_status limn_rows_note_class(limn_ctx *ctx, limn_rows *rows, const char *class)
{
    if (rows->n_classes && strcmp(rows->classes[rows->n_classes - 1], class) == 0)
        return LIMN_OK; /* neighbours mostly agree */
    if (rows->n_classes == rows->class_capacity) {
        int64_t capacity = rows->class_capacity ? 2 * rows->class_capacity : 64;
        const char **more = realloc(rows->classes, (size_t)capacity * sizeof *more);
        if (!more) return limn_fail_memory(ctx, (size_t)capacity * sizeof *more, "a list of classes");
        rows->classes = more, rows->class_capacity = capacity;
    }
    rows->classes[rows->n_classes++] = class;
    return LIMN_OK;
}

static bool is_whole(const char *text)
{
    text += *text == '-';
    size_t n = strspn(text, "0123456789");
    return n && n < 19 && !text[n];
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int by_value(const void *a, const void *b)
{
    long long x = atoll(*(const char *const *)a), y = atoll(*(const char *const *)b);
    return x != y ? x < y ? -1 : 1 : by_bytes(a, b);
}

void limn_rows_label(limn_rows *rows)
{
    bool whole = true;
    for (int64_t i = 0; i < rows->n_classes; i++) whole = whole && is_whole(rows->classes[i]);
    int (*order)(const void *, const void *) = whole ? by_value : by_bytes;
    if (rows->n_classes) qsort(rows->classes, (size_t)rows->n_classes, sizeof *rows->classes, order);
    int64_t n = 0;
    for (int64_t i = 0; i < rows->n_classes; i++)
        if (!n || strcmp(rows->classes[n - 1], rows->classes[i]) != 0) rows->classes[n++] = rows->classes[i];
    rows->n_classes = n;
    for (int64_t i = 0; i < rows->n; i++) {
        limn_row *row = &rows->row[i];
        const char **found =
            row->class ? bsearch(&row->class, rows->classes, (size_t)n, sizeof *rows->classes, order) : NULL;
        row->label = found ? (int32_t)(found - rows->classes) : -1;
    }
}

limn_status limn_text_check(limn_ctx *ctx, const char *name, const char *bytes, size_t n)
{
    const unsigned char *p = (const unsigned char *)bytes;
    long line = 1;
    for (size_t i = 0; i < n;) {
        utf8proc_int32_t point;
        utf8proc_ssize_t taken = utf8proc_iterate(p + i, (utf8proc_ssize_t)(n - i), &point);
        if (taken < 1)
            return limn_fail(ctx, LIMN_BAD_FILE, "%s line %ld: byte %zu (0x%02x) is not UTF-8", name, line, i, p[i]);
        if (!p[i]) return limn_fail(ctx, LIMN_BAD_FILE, "%s line %ld: byte %zu is zero, expected text", name, line, i);
        line += p[i] == '\n';
        i += (size_t)taken;
    }
    return LIMN_OK;
}
