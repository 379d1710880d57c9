/* describe.c: the drawing of a graph.  It walks the outline, so it cannot differ from what runs. */
#include "graph/describe.h"

#include "graph/outline.h"

#include <stdlib.h>
#include <string.h>

enum { N_COLUMNS = 5, MAX_DEPTH = 32 };

typedef struct drawing {
    const limn_outline *o;
    const limn_describe_options *options;
    limn_text cells;          /* rows of: style, then N_COLUMNS cells, each ended by a zero byte */
    int n_rows;
    int width[N_COLUMNS];
    bool bar[MAX_DEPTH];      /* whether the line of an outer block goes on below */
} drawing;

int64_t limn_describe_parameters(const limn_graph *g)
{
    int64_t n = 0;
    for (int i = 0; i < g->n_parameters; i++) n += limn_node_parameters(g->parameters[i]);
    return n;
}

double limn_describe_flops(const limn_graph *g)
{
    double flops = 0;
    for (int i = 0; i < g->n_nodes; i++)
        if (g->nodes[i]->op > LIMN_OP_PARAMETER) flops += limn_node_flops(g->nodes[i]);
    return flops;
}

char *limn_count_text(double n, char *out)
{
    static const struct { double unit; const char *name; } units[] = {{1e12, " T"}, {1e9, " G"}, {1e6, " M"}, {1e3, " k"}};
    for (int i = 0; i < 4; i++)
        if (n >= 0.9995 * units[i].unit) {
            double x = n / units[i].unit;
            limn_format(out, 32, "%.*f%s", x < 9.995 ? 2 : x < 99.95 ? 1 : 0, x, units[i].name);
            return out;
        }
    limn_format(out, 32, "%.0f", n);
    return out;
}

/* ---- cells ----------------------------------------------------------------------------------------------------------- */

/* Columns a text takes on a terminal: its code points (the drawing's own signs are all one column wide). */
static int columns_of(const char *text)
{
    int n = 0;
    for (; *text; text++) n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static void add_row(drawing *d, char style, const char *const cells[N_COLUMNS])
{
    limn_text_append(&d->cells, &style, 1);
    for (int c = 0; c < N_COLUMNS; c++) {
        limn_text_append(&d->cells, cells[c], strlen(cells[c]) + 1);
        int w = columns_of(cells[c]);
        if (w > d->width[c]) d->width[c] = w;
    }
    d->n_rows++;
}

/* 256 x 64; the batch in front is left out when it is known */
static void shape_text(const drawing *d, const limn_shape *shape, char *out, size_t size)
{
    int from = d->options->batch > 0 && shape->rank > 0 && shape->dim[0] == d->options->batch, n = 0;
    if (shape->rank == from) snprintf(out, size, "1");
    for (int i = from; i < shape->rank; i++)
        n += snprintf(out + n, size - (size_t)n, "%s%lld", i > from ? d->options->ascii ? "x" : "×" : "",
                      (long long)shape->dim[i]);
}

static void count_cell(const drawing *d, char *out, size_t size, double n, int repeats)
{
    char text[32];
    const char *times = d->options->ascii ? "x" : "×";
    if (n <= 0) out[0] = '\0';
    else if (repeats > 1) snprintf(out, size, "%d %s %s", repeats, times, limn_count_text(n, text));
    else snprintf(out, size, "%s", limn_count_text(n, text));
}

/* "->" becomes an arrow where the terminal has one. */
static void add_note(const drawing *d, char *out, size_t size, const char *note)
{
    size_t n = strlen(out);
    for (; *note && n + 4 < size; note++) {
        if (!d->options->ascii && note[0] == '-' && note[1] == '>') {
            n += (size_t)snprintf(out + n, size - n, "→");
            note++;
        } else out[n++] = *note;
    }
    out[n < size ? n : size - 1] = '\0';
}

/* ---- rows ------------------------------------------------------------------------------------------------------------ */

static void branch(const drawing *d, int depth, bool last, char *out, size_t size)
{
    const char *const *signs = d->options->ascii ? (const char *const[]){"|  ", "   ", "|- ", "`- "}
                                                 : (const char *const[]){"│  ", "   ", "├─ ", "└─ "};
    size_t n = 0;
    for (int i = 1; i < depth; i++) n += (size_t)snprintf(out + n, size - n, "%s", signs[d->bar[i] ? 0 : 1]);
    if (depth > 0) snprintf(out + n, size - n, "%s", signs[last ? 3 : 2]);
    else out[0] = '\0';
}

/* "of a, b"; where folded blocks differ: "of a, then of the block before" */
static void add_sources(const drawing *d, char *note, size_t size, const limn_item *item, const limn_item *twin)
{
    const char *first = item->from, *then = twin && twin->from[0] && strcmp(twin->from, first) != 0 ? twin->from : "";
    if (!first[0] && !then[0]) return;
    add_note(d, note, size, item->note[0] ? " of " : "of ");
    add_note(d, note, size, first[0] ? first : then);
    if (first[0] && then[0]) add_note(d, note, size, ", then of "), add_note(d, note, size, then);
}

/* twin: the same line in the next of folded blocks, where it may read from elsewhere; or NULL */
static void item_row(drawing *d, const limn_item *item, const limn_item *twin, int depth, bool last, int repeats)
{
    char first[512], note[512] = "", shape[160] = "", parameters[48], flops[48];
    branch(d, depth, last, first, sizeof first);
    size_t n = strlen(first);
    snprintf(first + n, sizeof first - n, "%.100s", item->name);
    if (repeats > 1) {
        n = strlen(first);
        snprintf(first + n, sizeof first - n, "-%ld", strtol(strrchr(item->name, '.') + 1, NULL, 10) + repeats - 1);
    }
    if (repeats > 1) snprintf(note, sizeof note, "%d alike%s", repeats, item->note[0] ? ": " : "");
    add_note(d, note, sizeof note, item->continued ? "goes on" : item->note);
    add_sources(d, note, sizeof note, item, twin);
    if (item->node) shape_text(d, &item->node->shape, shape, sizeof shape);
    count_cell(d, parameters, sizeof parameters, (double)item->parameters, repeats);
    count_cell(d, flops, sizeof flops, item->flops, repeats);
    add_row(d, item->scope ? 'b' : 'l', (const char *const[]){first, note, shape, parameters, flops});
}

static void blank_row(drawing *d, int depth)
{
    char first[512] = "";
    for (int i = 1; i <= depth && i < MAX_DEPTH; i++)
        snprintf(first + strlen(first), sizeof first - strlen(first), "%s", d->options->ascii ? "|  " : "│  ");
    add_row(d, 'l', (const char *const[]){first, "", "", "", ""});
}

/* The items of a block; twins: those of the next of folded blocks, in step, or NULL. */
static void draw(drawing *d, const limn_item *block, const limn_item *twins, int depth)
{
    if (depth >= MAX_DEPTH) return;
    const limn_item *twin = twins ? twins->first : NULL;
    for (const limn_item *i = block->first; i; i = i->next, twin = twin ? twin->next : NULL) {
        int repeats = d->options->all ? 1 : limn_outline_repeats(i);
        const limn_item *final = i;
        for (int k = 1; k < repeats; k++) final = final->next, twin = twin ? twin->next : NULL;
        bool open = i->first && !(d->options->depth && depth >= d->options->depth);
        item_row(d, i, twin, depth, !final->next, repeats);
        d->bar[depth] = final->next != NULL;
        if (open) draw(d, i, repeats > 1 ? i->next : twin, depth + 1);
        if (depth == 1 && open && final->next) blank_row(d, 1);
        i = final;
    }
}

/* ---- printing -------------------------------------------------------------------------------------------------------- */

static void put_cell(limn_text *text, const char *cell, int width, bool right, const char *colour)
{
    int pad = width - columns_of(cell);
    if (right) limn_text_printf(text, "%*s", pad, "");
    limn_text_printf(text, "%s%s%s", colour, cell, colour[0] ? "\033[0m" : "");
    if (!right) limn_text_printf(text, "%*s", pad, "");
}

/* Numbers to the right, words to the left; spaces at the end of a line are dropped. */
static void print_rows(const drawing *d, limn_text *text)
{
    const char *p = d->cells.bytes;
    for (int r = 0; r < d->n_rows; r++) {
        char style = *p++;
        for (int c = 0; c < N_COLUMNS; c++) {
            const char *colour = !d->options->color       ? ""
                                 : style == 'h' || c == 1 ? "\033[2m"
                                 : style != 'l' && c == 0 ? "\033[1m"
                                                          : "";
            if (!*p) colour = "";
            if (c) limn_text_append(text, "  ", 2);
            put_cell(text, p, d->width[c], c >= 2, colour);
            p += strlen(p) + 1;
        }
        while (text->n && text->bytes[text->n - 1] == ' ') text->bytes[--text->n] = '\0';
        limn_text_append(text, "\n", 1);
    }
}

static void rule_row(drawing *d)
{
    char line[N_COLUMNS][1024];
    const char *cells[N_COLUMNS];
    for (int c = 0; c < N_COLUMNS; c++) {
        line[c][0] = '\0';
        for (int i = 0, n = 0; i < d->width[c] && n < 1000; i++)
            n += snprintf(line[c] + n, sizeof line[c] - (size_t)n, "%s", d->options->ascii ? "-" : "─");
        cells[c] = line[c];
    }
    add_row(d, 'h', cells);
}

char *limn_describe(const limn_graph *g, const limn_describe_options *options)
{
    static const limn_describe_options plain;
    limn_text text = {0};
    drawing d = {.o = limn_outline_new(g), .options = options ? options : &plain};
    if (!d.o) return NULL;
    char flops[48] = "FLOP";
    if (d.options->batch > 1) snprintf(flops, sizeof flops, "FLOP, batch %lld", (long long)d.options->batch);
    add_row(&d, 'h', (const char *const[]){"block", "", "shape", "parameters", flops});
    draw(&d, d.o->root, NULL, 1);
    rule_row(&d);
    item_row(&d, &(limn_item){.scope = g->root, .name = "total", .note = "", .from = "", .parameters = d.o->root->parameters,
                              .flops = d.o->root->flops}, NULL, 0, true, 1);
    if (!d.cells.failed) print_rows(&d, &text);
    if (d.cells.failed || text.failed) limn_text_free(&text);
    limn_text_free(&d.cells);
    limn_outline_free((limn_outline *)(uintptr_t)d.o);
    return text.bytes;
}
