/* tensors.c: the tensors of a weight file as a table, folded. */
#include "cli.h"
#include "inspect.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_ROWS = 150, MOST_WIDTH = 72 };

/* A tensor's name as prefix, number, rest: "blocks." 3 ".attn.qkv.weight"; without a number the rest is empty. */
typedef struct entry {
    const limn_entry *e;
    size_t n_prefix;
    long number;           /* -1: none */
    const char *rest;
    size_t index;          /* place in the file */
} entry;

typedef struct row {
    size_t index, first, n; /* place in the file; entries [first, first + n) */
} row;

static entry split(const limn_entry *e, size_t index, bool fold)
{
    entry out = {.e = e, .n_prefix = strlen(e->name), .number = -1, .index = index};
    out.rest = e->name + out.n_prefix;
    for (const char *p = e->name; fold && (p = strchr(p, '.')) != NULL;) {
        size_t digits = strspn(++p, "0123456789");
        if (!digits || digits > 6 || p[digits] != '.') continue;
        out.n_prefix = (size_t)(p - e->name);
        out.number = strtol(p, NULL, 10);
        out.rest = p + digits;
        break;
    }
    return out;
}

/* By everything but the number. */
static int compare_kinds(const entry *x, const entry *y)
{
    if ((x->number < 0) != (y->number < 0)) return x->number < 0 ? -1 : 1;
    if (x->n_prefix != y->n_prefix) return x->n_prefix < y->n_prefix ? -1 : 1;
    int order = strncmp(x->e->name, y->e->name, x->n_prefix);
    if (!order) order = strcmp(x->rest, y->rest);
    if (!order) order = strcmp(x->e->type, y->e->type);
    if (order) return order;
    if (x->e->rank != y->e->rank) return x->e->rank < y->e->rank ? -1 : 1;
    for (int i = 0; i < x->e->rank; i++)
        if (x->e->dim[i] != y->e->dim[i]) return x->e->dim[i] < y->e->dim[i] ? -1 : 1;
    return 0;
}

static int by_kind(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    int order = compare_kinds(x, y);
    if (order) return order;
    if (x->number != y->number) return x->number < y->number ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static int by_index(const void *a, const void *b)
{
    const row *x = a, *y = b;
    return x->index < y->index ? -1 : x->index > y->index;
}

/* "0-11", "0,2,4-6"; cut where it grows long */
static void numbers_text(const entry *entries, size_t n, char *out, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < n && used + 32 < size;) {
        size_t k = i;
        while (k + 1 < n && entries[k + 1].number == entries[k].number + 1) k++;
        used += (size_t)snprintf(out + used, size - used, "%s%ld", i ? "," : "", entries[i].number);
        if (k > i) used += (size_t)snprintf(out + used, size - used, "%s%ld", k > i + 1 ? "-" : ",", entries[k].number);
        i = k + 1;
        if (i < n && used + 32 >= size) snprintf(out + used, size - used, ",...");
    }
}

static void name_text(const entry *entries, size_t n, char *out, size_t size)
{
    char before[256], numbers[80] = "", after[256];
    const entry *first = &entries[0];
    if (first->number >= 0) numbers_text(entries, n, numbers, sizeof numbers);
    snprintf(out, size, "%s%s%s", limn_escape(first->e->name, first->n_prefix, before, sizeof before), numbers,
             limn_escape(first->rest, strlen(first->rest), after, sizeof after));
}

static void shape_text(const limn_entry *e, char *out, size_t size)
{
    size_t used = (size_t)snprintf(out, size, "[");
    for (int k = 0; k < e->rank; k++)
        used += (size_t)snprintf(out + used, size - used, "%s%lld", k ? ", " : "", (long long)e->dim[k]);
    snprintf(out + used, size - used, "]");
}

static void print_row(const entry *entries, size_t n, int width)
{
    char name[640], shape[200], bytes[32], each[64];
    const limn_entry *e = entries[0].e;
    name_text(entries, n, name, sizeof name);
    shape_text(e, shape, sizeof shape);
    cli_bytes((double)e->bytes, bytes);
    snprintf(each, sizeof each, n > 1 ? "%zu x %s" : "%.0zu%s", n > 1 ? n : (size_t)0, bytes);
    printf("%-*s %-5s %-22s %15s  at %zu\n", width, name, e->type, shape, each, e->begin);
}

/* Runs of one kind become rows, in the order of the file. */
static size_t make_rows(const entry *entries, size_t n, row *rows)
{
    size_t n_rows = 0;
    for (size_t i = 0; i < n;) {
        size_t k = i, least = entries[i].index;
        for (; k < n && (k == i || (entries[i].number >= 0 && compare_kinds(&entries[i], &entries[k]) == 0)); k++)
            if (entries[k].index < least) least = entries[k].index;
        rows[n_rows++] = (row){least, i, k - i};
        i = k;
    }
    qsort(rows, n_rows, sizeof *rows, by_index);
    return n_rows;
}

static bool optimizer_state(const char *name)
{
    return strncmp(name, "adam_m/", 7) == 0 || strncmp(name, "adam_v/", 7) == 0 || strncmp(name, "ema/", 4) == 0;
}

limn_status cli_tensors_print(limn_ctx *ctx, const limn_weight_file *st, bool all)
{
    size_t count = limn_weight_file_count(st), n = 0, n_state = 0;
    entry *entries = calloc(count + 1, sizeof *entries);
    row *rows = calloc(count + 1, sizeof *rows);
    limn_status status =
        entries && rows ? LIMN_OK : limn_fail_memory(ctx, count * (sizeof *entries + sizeof *rows), "a list of tensors");
    double state_bytes = 0;
    for (size_t i = 0; i < count && status == LIMN_OK; i++) {
        const limn_entry *e = limn_weight_file_get(st, i);
        if (all || !optimizer_state(e->name)) entries[n++] = split(e, i, !all);
        else n_state++, state_bytes += (double)e->bytes;
    }
    if (status == LIMN_OK) {
        qsort(entries, n, sizeof *entries, by_kind);
        size_t n_rows = make_rows(entries, n, rows), shown = all || n_rows < MOST_ROWS ? n_rows : MOST_ROWS;
        int width = 12;
        char name[640], bytes[32];
        for (size_t i = 0; i < shown; i++) {
            name_text(&entries[rows[i].first], rows[i].n, name, sizeof name);
            int w = (int)strlen(name);
            if (w > width) width = w < MOST_WIDTH ? w : MOST_WIDTH;
        }
        for (size_t i = 0; i < shown; i++) print_row(&entries[rows[i].first], rows[i].n, width);
        if (shown < n_rows) printf("... and %zu more lines; --all lists every tensor\n", n_rows - shown);
        if (n_state)
            printf("and the trainer's adam_m/, adam_v/, ema/: %zu tensors, %s; --all lists them\n", n_state,
                   cli_bytes(state_bytes, bytes));
    }
    free(entries);
    free(rows);
    return status;
}
