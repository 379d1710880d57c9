/* stems.c: see stems.h. */
#include "data/stems.h"

#include "data/listing.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static int by_stem(const void *a, const void *b)
{
    const limn_stem_entry *x = a, *y = b;
    int order = strcmp(x->stem, y->stem);
    return order ? order : (x->i > y->i) - (x->i < y->i);
}

limn_status limn_stems_new(limn_ctx *ctx, char *const *names, const size_t *length, size_t n, limn_stems *out)
{
    *out = (limn_stems){.entry = calloc(n + 1, sizeof *out->entry)};
    bool fits = out->entry != NULL;
    for (; fits && out->n < n; out->n++) {
        const char *name = names[out->n];
        limn_stem_entry *e = &out->entry[out->n];
        *e = (limn_stem_entry){.name = name, .i = out->n};
        e->stem = limn_name_composed(name, length ? length[out->n] : limn_stem(name));
        if (!e->stem) fits = false;
    }
    if (fits) return qsort(out->entry, n, sizeof *out->entry, by_stem), LIMN_OK;
    limn_stems_free(out);
    return limn_fail_memory(ctx, n * sizeof *out->entry, "names of files");
}

void limn_stems_free(limn_stems *stems)
{
    for (size_t i = 0; i < stems->n; i++) free(stems->entry[i].stem);
    free(stems->entry);
    *stems = (limn_stems){0};
}

size_t limn_stems_find(const limn_stems *stems, const char *stem, size_t n, limn_stem_entry **out)
{
    size_t low = 0, high = stems->n;
    char *wanted = limn_name_composed(stem, n);
    if (!wanted) return SIZE_MAX;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(stems->entry[middle].stem, wanted) < 0) low = middle + 1;
        else high = middle;
    }
    for (high = low; high < stems->n && strcmp(stems->entry[high].stem, wanted) == 0;) high++;
    free(wanted);
    *out = stems->entry + low;
    return high - low;
}

const limn_stem_entry *limn_stems_twin(const limn_stems *stems)
{
    for (size_t i = 1; i < stems->n; i++)
        if (strcmp(stems->entry[i - 1].stem, stems->entry[i].stem) == 0) return &stems->entry[i - 1];
    return NULL;
}
